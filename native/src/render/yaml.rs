//! Values as block-style YAML, keys in the order in which they serialise.
//!
//! It writes no anchors, tags or multi-line blocks: what is not plainly a word is in double quotes, as in JSON.

use std::fmt::Write;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::Serialize;

/// One document.
pub(crate) fn document(value: &impl Serialize) -> String {
    // By way of JSON: the types of this crate serialise to it without failing, and what it holds is all that YAML needs.
    let json = serde_json::to_string(value).unwrap_or_default();
    let tree = serde_json::from_str(&json).unwrap_or(Tree::Null);
    let mut out = String::new();
    block(&tree, 0, &mut out);
    out
}

/// A value that keeps the order of its keys.
enum Tree {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
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

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Planter)
    }
}

struct Planter;

impl<'de> Visitor<'de> for Planter {
    type Value = Tree;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Tree, E> {
        Ok(serde_json::Number::from_f64(value).map_or(Tree::Null, Tree::Number))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Tree::Map(map))
    }
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
