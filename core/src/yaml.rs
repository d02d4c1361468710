//! A YAML text as a tree in which everything knows its bytes; scalars are resolved as yaml.v3 resolves them.
//!
//! It knows nothing about the configuration. The parser is named in `yaml/parse.rs` and nowhere else.

mod build;
mod characters;
mod emit;
mod encoding;
mod mapping;
mod parse;
mod positions;
mod resolve;
mod syntax;

pub use build::{Draft, Fields};
pub use emit::{EmitError, emit, emit_node};
pub use encoding::{Decoded, decode};
pub use parse::{Documents, Parsed, documents, parse};
pub use positions::Positions;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::text::Span;

/// A node of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) u32);

/// One document. Aliases are resolved (an aliased node has several parents; there are no cycles), `<<` is merged.
///
/// Nodes stand in one list, the items of all sequences in a second, the entries of all mappings in a third: a document
/// of 10 MB has some 600,000 nodes, and none of them owns memory of its own unless its text had to be unescaped.
#[derive(Clone, Debug, Default)]
pub struct Tree<'t> {
    nodes: Vec<Data<'t>>,
    items: Vec<NodeId>,
    entries: Vec<(NodeId, NodeId)>,
    tags: Vec<Box<str>>,
    truncated: Vec<NodeId>,
    root: Option<NodeId>,
}

#[derive(Clone, Debug)]
struct Data<'t> {
    span: Span,
    /// Which of `tags`, from 1; 0 means none.
    tag: u32,
    kind: Kind<'t>,
}

#[derive(Clone, Debug)]
enum Kind<'t> {
    Scalar {
        text: Cow<'t, str>,
        style: Style,
    },
    /// A range of `items`.
    Sequence(Span),
    /// A range of `entries`. After merging, in text order, explicit keys first; a repeated key stands here once, the
    /// first one.
    Mapping(Span),
    /// An alias of nothing or of itself, or what a syntax error cut off: reported already, decoders stay silent about
    /// it.
    Bad,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
    Folded,
}

/// A node with its tree: what decoders hold.
#[derive(Clone, Copy, Debug)]
pub struct Node<'n, 't> {
    tree: &'n Tree<'t>,
    id: NodeId,
}

/// What a node is.
#[derive(Clone, Copy, Debug)]
pub enum Shape<'n, 't> {
    /// A scalar and what yaml.v3 makes of it in an untyped place.
    Scalar(Scalar<'n>),
    /// A list.
    Sequence(Items<'n, 't>),
    /// A map.
    Mapping(Entries<'n, 't>),
    /// Reported already.
    Bad,
}

/// A scalar: its literal text and its resolved value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scalar<'n> {
    /// After unquoting, unfolding and unescaping.
    pub text: &'n str,
    /// Not quoted, not a block.
    pub plain: bool,
    /// As yaml.v3 resolves it (tag, else text if plain, else string).
    pub value: Value,
}

/// A resolved scalar; [`Value::Text`] means: the literal text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// `~`, `null`, nothing.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// Any integer from `i64::MIN` to `u64::MAX`.
    Int(i128),
    /// A float.
    Float(f64),
    /// A timestamp (text for strings, wrong for everything else).
    Timestamp,
    /// A string.
    Text,
    /// An explicit tag that the text does not fit, such as `!!int x`.
    Misfit(&'static str),
}

impl<'t> Tree<'t> {
    /// The top node, if the document has any content.
    #[must_use]
    pub fn root(&self) -> Option<Node<'_, 't>> {
        self.root.map(|id| Node { tree: self, id })
    }
}

impl<'n, 't> Node<'n, 't> {
    /// Its bytes in the text that was given (for an alias: of the node it stands for).
    #[must_use]
    pub fn span(self) -> Span {
        self.data().span
    }

    /// Which node it is; the same for every alias of it.
    #[must_use]
    pub fn id(self) -> NodeId {
        self.id
    }

    /// Whether a syntax error ended the text inside of it: a key that is missing here may stand in what could not be
    /// read, so nobody should say that it is missing.
    #[must_use]
    pub fn is_truncated(self) -> bool {
        self.tree.truncated.contains(&self.id)
    }

    /// Where each byte of this scalar's text stands in the text that was given, `source`; `None` if it is not a
    /// scalar. `source` must be the text of the parse, parsed with [`Positions::identity`].
    #[must_use]
    pub fn positions(self, source: &str) -> Option<Positions> {
        match &self.data().kind {
            Kind::Scalar { text, style } => Some(Positions::of_scalar(source, self.data().span, *style, text)),
            _ => None,
        }
    }

    fn data(self) -> &'n Data<'t> {
        &self.tree.nodes[self.id.0 as usize]
    }
}

/// The items of a list.
#[derive(Clone, Copy, Debug)]
pub struct Items<'n, 't> {
    tree: &'n Tree<'t>,
    ids: &'n [NodeId],
}

/// The entries of a map.
#[derive(Clone, Copy, Debug)]
pub struct Entries<'n, 't> {
    tree: &'n Tree<'t>,
    ids: &'n [(NodeId, NodeId)],
}

impl<'n, 't> Node<'n, 't> {
    /// What it is.
    #[must_use]
    pub fn shape(self) -> Shape<'n, 't> {
        let data = self.data();
        match &data.kind {
            Kind::Scalar { text, style } => {
                let plain = *style == Style::Plain;
                Shape::Scalar(Scalar { text, plain, value: resolve::resolve(self.tag(), plain, text) })
            }
            Kind::Sequence(range) => {
                Shape::Sequence(Items { tree: self.tree, ids: self.tree.items.get(range.range()).unwrap_or_default() })
            }
            Kind::Mapping(range) => Shape::Mapping(Entries {
                tree: self.tree,
                ids: self.tree.entries.get(range.range()).unwrap_or_default(),
            }),
            Kind::Bad => Shape::Bad,
        }
    }

    /// Its explicit tag: `!!int` for those of `tag:yaml.org,2002:`, others as they are.
    #[must_use]
    pub fn tag(self) -> Option<&'n str> {
        let index = (self.data().tag as usize).checked_sub(1)?;
        self.tree.tags.get(index).map(|tag| &**tag)
    }

    /// The literal text of a scalar.
    #[must_use]
    pub fn text(self) -> Option<&'n str> {
        match &self.data().kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The value of a key, if it is a map that has it; see [`Entries::get`].
    #[must_use]
    pub fn get(self, key: &str) -> Option<Node<'n, 't>> {
        match self.shape() {
            Shape::Mapping(entries) => entries.get(key),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub fn items(self) -> impl Iterator<Item = Node<'n, 't>> + use<'n, 't> {
        let items = match self.shape() {
            Shape::Sequence(items) => Some(items.iter()),
            _ => None,
        };
        items.into_iter().flatten()
    }

    /// Whether it is a null scalar.
    #[must_use]
    pub fn is_null(self) -> bool {
        matches!(self.shape(), Shape::Scalar(Scalar { value: Value::Null, .. }))
    }
}

impl<'n, 't> Items<'n, 't> {
    /// In order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Node<'n, 't>> + use<'n, 't> {
        self.ids.iter().map(move |&id| Node { tree: self.tree, id })
    }
}

impl<'n, 't> Entries<'n, 't> {
    /// The value of a key that is a scalar of this text. Looks at each entry: not for maps that may be large.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Node<'n, 't>> {
        self.iter().find(|(found, _)| found.text() == Some(key)).map(|(_, value)| value)
    }

    /// Key and value, in order. Keys need not be scalars.
    pub fn iter(self) -> impl ExactSizeIterator<Item = (Node<'n, 't>, Node<'n, 't>)> + use<'n, 't> {
        self.ids
            .iter()
            .map(move |&(key, value)| (Node { tree: self.tree, id: key }, Node { tree: self.tree, id: value }))
    }
}
