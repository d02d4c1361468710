//! Where a document holds credentials, so that hosts can show a line without showing them.
//!
//! It hides nothing itself, and does not need the document to be right: what looks like a credential counts as one.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::model::{Described as _, Table, Type};
use super::{Config, limits};
use crate::order;
use crate::text::Span;
use crate::yaml::{Node, NodeId, Shape};

/// The bytes of every literal credential below `root`, the top of a configuration, sorted and without overlap.
///
/// Besides the keys that take a credential these are the values of unknown keys that stand beside one, or that have a
/// name as credentials have: a mistyped key must not show what it holds.
#[must_use]
pub fn secrets(root: Node<'_, '_>) -> Vec<Span> {
    let mut walk = Walk { seen: BTreeSet::new(), found: Vec::new() };
    walk.value(root, Type::Struct(Config::table), limits::NESTING);
    apart(walk.found)
}

/// The same for a text that is not, or not wholly, a document: what stands on a line after a key that takes a credential, and
/// of URLs the user info and the query.
#[must_use]
pub fn secrets_in_text(text: &str) -> Vec<Span> {
    let mut found: Vec<Span> = Vec::new();
    let bytes = text.as_bytes();
    // No byte is looked at for each of what stands before it: of a value and of a URL the end is found once.
    let (mut value_ends, mut url_ends) = (0, 0);
    // A credential stands after a colon: that of its key, or that of its scheme.
    for (colon, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b':') {
        if colon < value_ends {
            continue;
        }
        let (before, after) = text.split_at(colon);
        // A quote, perhaps escaped, may close the key.
        let closes = |byte: &u8| matches!(byte, b'\\' | b'"' | b'\'' | b' ' | b'\t');
        let key = before.as_bytes();
        let key = key.get(..key.iter().rposition(|byte| !closes(byte)).map_or(0, |last| last + 1)).unwrap_or_default();
        if key.ends_with(b"headerValue") || key.ends_with(b"clientSecret") || key.ends_with(b"ClientSecret") {
            let start = text.len() - after.get(1..).unwrap_or_default().trim_start().len();
            let line = text.get(start..end_of(bytes, start, |byte| matches!(byte, b'\n' | b'\r'))).unwrap_or_default();
            // Inside of a JSON string lines end with an escape.
            value_ends = start + line.find("\\n").unwrap_or(line.len());
            found.push(Span::new(start, value_ends));
        } else if after.starts_with("://") {
            let start = colon + "://".len();
            let authority = end_of(bytes, start, |byte| ends_url(byte) || matches!(byte, b'/' | b'?' | b'#'));
            if let Some(at) = bytes.get(start..authority).and_then(|bytes| bytes.iter().rposition(|byte| *byte == b'@'))
            {
                found.push(Span::new(start, start + at));
            }
            // One inside of another ends where that does, and so does its query.
            if colon >= url_ends {
                url_ends = end_of(bytes, start, ends_url);
                let url = bytes.get(start..url_ends).unwrap_or_default();
                found.extend(
                    url.iter().position(|byte| *byte == b'?').map(|mark| Span::new(start + mark + 1, url_ends)),
                );
            }
        }
    }
    apart(found)
}

/// Where the first byte from `start` on is that ends something; the end of the text, if there is none.
fn end_of(text: &[u8], start: usize, ends: impl Fn(&u8) -> bool) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start + rest.iter().position(ends).unwrap_or(rest.len())
}

fn ends_url(byte: &u8) -> bool {
    matches!(byte, 0..=b' ' | 0x7f | b'"' | b'\'' | b'`' | b'\\' | b'<' | b'>')
}

/// Sorted, those that overlap as one.
#[must_use]
pub fn apart(mut spans: Vec<Span>) -> Vec<Span> {
    order::sort(&mut spans, Ord::cmp);
    let mut apart: Vec<Span> = Vec::new();
    for span in spans {
        match apart.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => apart.push(span),
        }
    }
    apart
}

struct Walk {
    /// What was looked at: an alias is not walked again.
    seen: BTreeSet<NodeId>,
    found: Vec<Span>,
}

impl Walk {
    fn value(&mut self, node: Node<'_, '_>, ty: Type, depth: usize) {
        // Most values are neither a credential nor can hold one.
        let concerned = matches!(ty, Type::Secret | Type::List(_) | Type::Map(_) | Type::Struct(_));
        if !concerned || depth == 0 || !self.seen.insert(node.id()) {
            return;
        }
        match (ty, node.shape()) {
            (Type::Secret, Shape::Bad) => {}
            (Type::Secret, _) => self.found.push(node.span()),
            (Type::List(item), Shape::Sequence(items)) => {
                for node in items.iter() {
                    self.value(node, item(), depth - 1);
                }
            }
            (Type::Map(item), Shape::Mapping(entries)) => {
                for (_, node) in entries.iter() {
                    self.value(node, item(), depth - 1);
                }
            }
            (Type::Struct(table), Shape::Mapping(entries)) => {
                let table = table();
                for (key, node) in entries.iter() {
                    let ty = key.text().map_or(Type::Secret, |name| type_of(table, name));
                    self.value(node, ty, depth - 1);
                }
            }
            _ => {}
        }
    }
}

fn type_of(table: &Table, name: &str) -> Type {
    match table.position(name).and_then(|position| table.keys.get(position)) {
        Some(key) => (key.ty)(),
        None if table.keys.iter().any(|key| matches!((key.ty)(), Type::Secret)) || sounds_secret(name) => Type::Secret,
        None => Type::Any,
    }
}

/// Whether a key that is not known may hold a credential. A name that ends in `Env` names a variable, one that ends in
/// `Url` a place.
fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let parts = ["secret", "password", "passwd", "token", "apikey", "api_key", "api-key", "headerval", "authorization"];
    !name.ends_with("env") && !name.ends_with("url") && parts.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn hidden(text: &str) -> Vec<&str> {
        let parsed = yaml::parse(text, &yaml::Positions::identity());
        let spans = parsed.tree.root().map(secrets).unwrap_or_default();
        spans.into_iter().map(|span| text.get(span.range()).unwrap()).collect()
    }

    #[test]
    fn credentials_are_found_wherever_they_stand() {
        let text = "name: demo
outgoingAuth:
  default: {type: header_injection, headerInjection: {headerName: X, headerValue: s1, headerValueEnv: V}}
  backends:
    a:
      tokenExchange:
        clientSecret: 's2'
        clientSecretEnv: V
telemetry: {headers: {Authorization: s3}}
optimizer: {embeddingHeaders: {X: s4}}
";
        assert_eq!(hidden(text), ["s1", "'s2'", "s3", "s4"]);
    }

    #[test]
    fn a_text_that_cannot_be_read_shows_nothing_either() {
        let hidden = |text: &'static str| {
            secrets_in_text(text).into_iter().map(|span| text.get(span.range()).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(hidden("headerValue: \"s1\nidpClientSecret : s2"), ["\"s1", "s2"]);
        assert_eq!(hidden("{\"clientSecret\": \"s1\"}"), ["\"s1\"}"]);
        assert_eq!(hidden(r#"{"c": "clientSecret: s1\nx: y", "d": "{\"headerValue\": s2}"}"#), ["s1", "s2}\"}"]);
        assert_eq!(hidden("url: https://u:s1@a/b?k=s2#c d@e"), ["u:s1", "k=s2#c"]);
        assert_eq!(hidden("url: 'https://a/b@c' http://x"), [""; 0]);
        assert_eq!(hidden("headerValueEnv: V\nclientSecretEnv: V"), [""; 0]);
        assert_eq!(hidden("{headerValue: s1, clientSecret: s2}\nheaderValue: s3"), ["s1, clientSecret: s2}", "s3"]);
        assert_eq!(hidden("https://a/https://u:s1@b/c?k=s2://d http://e?s3"), ["u:s1", "k=s2://d", "s3"]);
        assert_eq!(hidden("a::: :// headerValue"), [""; 0]);
    }

    #[test]
    fn a_line_of_credentials_is_gone_through_once() {
        let line = "{headerValue: x://y},".repeat(100_000);
        assert_eq!(secrets_in_text(&line), [Span::new(14, line.len())]);
        let urls = "x://".repeat(500_000);
        assert_eq!(secrets_in_text(&urls), []);
    }

    #[test]
    fn a_mistyped_key_shows_nothing_either() {
        let text = "password: s1
tokenUrl: u
clientSecretEnv: V
outgoingAuth: {default: {headerInjection: {headerVale: s2, headerName: X}, headerValue: [s3]}, clientSecret: s4}
";
        assert_eq!(hidden(text), ["s1", "s2", "[s3]", "s4"]);
    }
}
