//! Values as block-style YAML, keys in the order in which they serialise.
//!
//! It writes no anchors, tags or multi-line blocks: what is not plainly a word is in double quotes, as in JSON.

use std::fmt::Write;

use serde::ser::Serialize;

use super::tree::Tree;

/// One document.
pub(crate) fn document(value: &impl Serialize) -> String {
    let mut out = String::new();
    block(&Tree::of(value), 0, &mut out);
    out
}

/// Writes a value that begins on a line of its own.
fn block(tree: &Tree, depth: usize, out: &mut String) {
    match tree {
        Tree::List(items) if !items.is_empty() => {
            for item in items {
                indent(depth, out);
                out.push_str("- ");
                let start = out.len();
                block(item, depth + 1, out);
                // The first line of the item stands beside the dash.
                let lead = out[start..].len() - out[start..].trim_start_matches(' ').len();
                out.replace_range(start..start + lead, "");
            }
        }
        Tree::Map(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                indent(depth, out);
                text(key, out);
                out.push(':');
                match value {
                    Tree::List(items) if !items.is_empty() => {
                        out.push('\n');
                        block(value, depth + 1, out);
                    }
                    Tree::Map(entries) if !entries.is_empty() => {
                        out.push('\n');
                        block(value, depth + 1, out);
                    }
                    _ => {
                        out.push(' ');
                        scalar(value, out);
                        out.push('\n');
                    }
                }
            }
        }
        _ => {
            indent(depth, out);
            scalar(tree, out);
            out.push('\n');
        }
    }
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn scalar(tree: &Tree, out: &mut String) {
    match tree {
        Tree::Null => out.push_str("null"),
        Tree::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Tree::Number(number) => out.push_str(&number.to_string()),
        Tree::Text(value) => text(value, out),
        Tree::List(_) => out.push_str("[]"),
        Tree::Map(_) => out.push_str("{}"),
    }
}

fn text(value: &str, out: &mut String) {
    if is_plain(value) {
        return out.push_str(value);
    }
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // Also what YAML takes for a line end or does not allow at all.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Whether every YAML reader takes the text for that text without quotes.
fn is_plain(value: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || "_-./:@+{}=, ".contains(c);
    let starts = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let ends = !value.ends_with([' ', ':']);
    let lower = value.to_ascii_lowercase();
    let means_something = matches!(lower.as_str(), "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null");
    starts && ends && value.chars().all(word) && !value.contains(": ") && !means_something
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_in_blocks() {
        let json = r#"{"b":1,"a":[{"x":"w","z":[1,[2,"yes"]]},[],{}],"e":null,"t":true,"f":1.5,"url":"https://a:8/x","m":{"k":"v"}}"#;
        let tree: Tree = serde_json::from_str(json).unwrap();
        let mut out = String::new();
        block(&tree, 0, &mut out);
        let expected = "b: 1\na:\n  - x: w\n    z:\n      - 1\n      - - 2\n        - \"yes\"\n  - []\n  - {}\ne: null\nt: true\n\
                        f: 1.5\nurl: https://a:8/x\nm:\n  k: v\n";
        assert_eq!(out, expected);
    }

    #[test]
    fn what_a_reader_might_take_for_something_else_is_quoted() {
        let written = |value: &str| {
            let mut out = String::new();
            text(value, &mut out);
            out
        };
        for plain in ["demo", "/etc/x", "a b", "a:b", "v1.2-x_y@z"] {
            assert_eq!(written(plain), plain);
        }
        for quoted in ["", "1", "30s", "No", "a: b", "a:", "{workload}_", "- a", "#", "a #b", "*x", "é"] {
            assert_eq!(written(quoted), format!("\"{quoted}\""));
        }
        assert_eq!(written("a\n\"\\\u{7f}\u{2028}"), r#""a\n\"\\\u007f\u2028""#);
    }
}
