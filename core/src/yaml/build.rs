//! Trees that are made, not parsed: values of other trees and texts of our own, each with the bytes that it comes from.
//!
//! It judges nothing; what is made is read by the same decoders as what was parsed.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Data, Kind, Node, NodeId, Shape, Style, Tree};
use crate::order;
use crate::text::Span;

/// A value to be made.
#[derive(Clone, Debug)]
pub enum Draft<'n, 't> {
    /// What stands in another tree, as it is.
    Node(Node<'n, 't>),
    /// A text.
    Text(Span, Cow<'n, str>),
    /// A scalar that is no text: `true`, `8080`.
    Plain(Span, Cow<'n, str>),
    /// A list.
    List(Span, Vec<Draft<'n, 't>>),
    /// A map.
    Map(Fields<'n, 't>),
}

/// The entries of a map to be made, in the order in which they are written.
#[derive(Clone, Debug, Default)]
pub struct Fields<'n, 't> {
    span: Span,
    /// Key, where it is written, value.
    entries: Vec<(Cow<'n, str>, Span, Draft<'n, 't>)>,
}

impl<'n, 't> Draft<'n, 't> {
    /// A text that comes from `span`.
    pub fn text(span: Span, text: impl Into<Cow<'n, str>>) -> Self {
        Self::Text(span, text.into())
    }

    /// The bytes that it comes from.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Node(node) => node.span(),
            Self::Text(span, _) | Self::Plain(span, _) | Self::List(span, _) => *span,
            Self::Map(fields) => fields.span,
        }
    }
}

impl<'n, 't> Fields<'n, 't> {
    /// None yet, of a map that comes from `span`.
    #[must_use]
    pub fn at(span: Span) -> Self {
        Self { span, entries: Vec::new() }
    }

    /// One more entry, whose key is not written. A key must not be put twice.
    pub fn put(&mut self, key: impl Into<Cow<'n, str>>, value: Draft<'n, 't>) {
        self.put_at(key, value.span(), value);
    }

    /// One more entry, whose key is written at `span`.
    pub fn put_at(&mut self, key: impl Into<Cow<'n, str>>, span: Span, value: Draft<'n, 't>) {
        self.entries.push((key.into(), span, value));
    }

    /// The bytes that the map comes from.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// One more entry that is a text.
    pub fn text(&mut self, key: impl Into<Cow<'n, str>>, span: Span, text: impl Into<Cow<'n, str>>) {
        self.put(key, Draft::text(span, text));
    }

    /// One more entry, if there is a value and it is not null.
    pub fn copy(&mut self, key: impl Into<Cow<'n, str>>, value: Option<Node<'n, 't>>) {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            self.put(key, Draft::Node(value));
        }
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Draft<'n, 't>> {
        self.entries.iter().find(|(name, ..)| name == key).map(|(.., value)| value)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Draft<'n, 't>> {
        self.entries.iter_mut().find(|(name, ..)| name == key).map(|(.., value)| value)
    }

    /// Takes the value under `key` out.
    pub fn take(&mut self, key: &str) -> Option<Draft<'n, 't>> {
        let position = self.entries.iter().position(|(name, ..)| name == key)?;
        Some(self.entries.remove(position).2)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// In order: key, where it is written, value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Span, &Draft<'n, 't>)> {
        self.entries.iter().map(|(key, span, value)| (&**key, *span, value))
    }

    /// Every entry, taken out.
    pub fn into_entries(self) -> impl Iterator<Item = (Cow<'n, str>, Span, Draft<'n, 't>)> {
        self.entries.into_iter()
    }

    /// Sorts the entries by key, as Go writes maps.
    pub fn sort(&mut self) {
        order::sort(&mut self.entries, |(a, ..), (b, ..)| a.cmp(b));
    }
}

impl Tree<'static> {
    /// Makes a tree of a draft. Aliases of what is taken from other trees become copies.
    #[must_use]
    pub fn of(draft: &Draft<'_, '_>) -> Self {
        let mut tree = Self::default();
        let root = tree.add_draft(draft);
        tree.root = Some(root);
        tree
    }

    fn add(&mut self, span: Span, tag: u32, kind: Kind<'static>) -> NodeId {
        self.nodes.push(Data { span, tag, kind });
        NodeId(u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX))
    }

    fn add_text(&mut self, span: Span, text: &str, style: Style) -> NodeId {
        self.add(span, 0, Kind::Scalar { text: Cow::Owned(String::from(text)), style })
    }

    fn add_draft(&mut self, draft: &Draft<'_, '_>) -> NodeId {
        match draft {
            Draft::Node(node) => self.add_node(*node),
            Draft::Text(span, text) => self.add_text(*span, text, Style::DoubleQuoted),
            Draft::Plain(span, text) => self.add_text(*span, text, Style::Plain),
            Draft::List(span, items) => {
                let ids: Vec<_> = items.iter().map(|item| self.add_draft(item)).collect();
                self.add_list(*span, &ids)
            }
            Draft::Map(fields) => {
                let ids: Vec<_> = fields
                    .entries
                    .iter()
                    .map(|(key, span, value)| (self.add_text(*span, key, Style::DoubleQuoted), self.add_draft(value)))
                    .collect();
                self.add_map(fields.span, &ids)
            }
        }
    }

    fn add_node(&mut self, node: Node<'_, '_>) -> NodeId {
        let data = node.data();
        let tag = node.tag().map_or(0, |tag| {
            let known = self.tags.iter().position(|known| **known == *tag);
            let position = known.unwrap_or_else(|| {
                self.tags.push(tag.into());
                self.tags.len() - 1
            });
            u32::try_from(position + 1).unwrap_or(0)
        });
        let id = match node.shape() {
            Shape::Bad => self.add(data.span, 0, Kind::Bad),
            Shape::Scalar(scalar) => {
                let style = if scalar.plain { Style::Plain } else { Style::DoubleQuoted };
                self.add(data.span, tag, Kind::Scalar { text: Cow::Owned(String::from(scalar.text)), style })
            }
            Shape::Sequence(items) => {
                let ids: Vec<_> = items.iter().map(|item| self.add_node(item)).collect();
                self.add_list(data.span, &ids)
            }
            Shape::Mapping(entries) => {
                let ids: Vec<_> =
                    entries.iter().map(|(key, value)| (self.add_node(key), self.add_node(value))).collect();
                self.add_map(data.span, &ids)
            }
        };
        if node.is_truncated() {
            self.truncated.push(id);
        }
        id
    }

    fn add_list(&mut self, span: Span, ids: &[NodeId]) -> NodeId {
        let start = self.items.len();
        self.items.extend_from_slice(ids);
        self.add(span, 0, Kind::Sequence(Span::new(start, start + ids.len())))
    }

    fn add_map(&mut self, span: Span, ids: &[(NodeId, NodeId)]) -> NodeId {
        let start = self.entries.len();
        self.entries.extend_from_slice(ids);
        self.add(span, 0, Kind::Mapping(Span::new(start, start + ids.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Positions, emit_node, parse};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_is_taken_from_a_text_keeps_its_place_and_its_meaning() {
        let text = "a: &a {n: 1, s: '1', t: true, z: ~}\nb: [*a, x]\n";
        let parsed = parse(text, &Positions::identity());
        let root = parsed.tree.root().unwrap();
        let mut fields = Fields::at(Span::new(0, 1));
        fields.copy("from", root.get("b"));
        fields.copy("nothing", root.get("c"));
        fields.copy("null", root.get("a").and_then(|a| a.get("z")));
        fields.text("own", Span::new(2, 3), "yes");
        fields.put("port", Draft::Plain(Span::default(), "8080".into()));
        let tree = Tree::of(&Draft::Map(fields));
        let made = tree.root().unwrap();
        assert_eq!(made.get("from").unwrap().span(), root.get("b").unwrap().span());
        assert_eq!(made.get("own").unwrap().span(), Span::new(2, 3));
        assert_eq!(
            emit_node(made).unwrap(),
            "from:\n    - \"n\": 1\n      s: \"1\"\n      t: true\n      z: null\n    - x\nown: \"yes\"\nport: 8080\n"
        );
    }
}
