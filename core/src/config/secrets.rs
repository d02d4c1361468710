//! Where a document holds credentials, so that hosts can show a line without showing them.
//!
//! It hides nothing itself, and does not need the document to be right: what looks like a credential counts as one.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::model::{Described as _, Table, Type};
use super::{Config, limits};
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
    walk.found.sort_unstable();
    let mut apart: Vec<Span> = Vec::new();
    for span in walk.found {
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
        if depth == 0 || !self.seen.insert(node.id()) {
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
                    match key.shape() {
                        Shape::Scalar(name) => self.value(node, type_of(table, name.text), depth - 1),
                        _ => self.value(node, Type::Secret, depth - 1),
                    }
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
