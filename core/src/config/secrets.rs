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
    let mut found = Vec::new();
    // A credential stands after a colon: that of its key, or that of its scheme.
    for (colon, _) in text.match_indices(':') {
        let (before, after) = text.split_at(colon);
        // A quote, perhaps escaped, may close the key.
        let key = before.trim_end_matches(['\\', '"', '\'', ' ', '\t']);
        let after = after.get(1..).unwrap_or_default();
        if key.ends_with("headerValue") || key.ends_with("clientSecret") || key.ends_with("ClientSecret") {
            let value = after.trim_start();
            let start = text.len() - value.len();
            let line = value.get(..value.find(['\n', '\r']).unwrap_or(value.len())).unwrap_or_default();
            // Inside of a JSON string lines end with an escape.
            found.push(Span::new(start, start + line.find("\\n").unwrap_or(line.len())));
        }
        if let Some(rest) = after.strip_prefix("//") {
            in_url(rest, text.len() - rest.len(), &mut found);
        }
    }
    apart(found)
}

/// User info and query of the URL that `rest` begins with, behind its scheme, at byte `start` of the text.
fn in_url(rest: &str, start: usize, found: &mut Vec<Span>) {
    let ends = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | '\\' | '<' | '>');
    let url = rest.get(..rest.find(ends).unwrap_or(rest.len())).unwrap_or_default();
    let authority = url.find(['/', '?', '#']).unwrap_or(url.len());
    if let Some(at) = url.get(..authority).and_then(|authority| authority.rfind('@')) {
        found.push(Span::new(start, start + at));
    }
    if let Some(query) = url.find('?') {
        found.push(Span::new(start + query + 1, start + url.len()));
    }
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
