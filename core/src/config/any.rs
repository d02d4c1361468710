//! Free-form values (`parameters`, `arguments`, `schema`, `default`): whatever was written, kept in order.
//!
//! It judges nothing about them; that is the validators'.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::ser::{Serialize, Serializer};

use super::decode::{Field, Given, Kind, Reported, key_text, wrong_type};
use super::emit::{Emitted, Tree};
use super::findings::{Findings, Path};
use super::limits;
use super::model::Type;
use super::source::Spanned;
use crate::diagnostic::code;
use crate::order;
use crate::yaml::{Shape, Value};

/// A value of any kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Any {
    /// Nothing.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A number with a fraction.
    Float(f64),
    /// Text; also timestamps, by their literal text.
    Text(String),
    /// A list.
    List(Vec<Spanned<Any>>),
    /// A mapping in text order.
    Map(Vec<(Spanned<String>, Spanned<Any>)>),
}

impl Any {
    /// The value under `key`, if this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Spanned<Any>> {
        match self {
            Self::Map(entries) => entries.iter().find(|(name, _)| name.value == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Nothing, or a list or mapping with nothing in it. A scalar is never empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::List(items) => items.is_empty(),
            Self::Map(entries) => entries.is_empty(),
            Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_) => false,
        }
    }

    /// Its type in a message.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }

    fn read(given: &Given<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) -> Result<Spanned<Self>, Reported> {
        // Aliases share nodes; their copies here do not.
        if findings.spend_part().is_err() {
            findings.report(code::CONFIG_TOO_LARGE, given.span, path, || {
                format!("free-form values have more than {} parts in all; expected fewer", limits::FREE_FORM_PARTS)
            });
            return Err(Reported);
        }
        let value = match given.shape {
            Shape::Bad => return Err(Reported),
            Shape::Scalar(scalar) => match scalar.value {
                Value::Null => Self::Null,
                Value::Bool(value) => Self::Bool(value),
                Value::Int(value) => Self::Int(value),
                Value::Float(value) => Self::Float(value),
                Value::Timestamp | Value::Text => Self::Text(scalar.text.to_owned()),
                Value::Misfit(_) => return Err(wrong_type(given, "a value that fits its tag", path, findings)),
            },
            Shape::Sequence(nodes) => Self::List(
                nodes
                    .iter()
                    .enumerate()
                    .map(|(index, node)| Self::read(&Given::new(node.span(), node), &path.index(index), findings))
                    .collect::<Result<_, _>>()?,
            ),
            Shape::Mapping(nodes) => {
                let mut entries = Vec::with_capacity(nodes.iter().len());
                for (key, node) in nodes.iter() {
                    let Some(name) = key_text(key, path, findings) else { continue };
                    let value = Self::read(&Given::new(key.span(), node), &path.key(name), findings)?;
                    entries.push((Spanned { value: name.to_owned(), span: key.span() }, value));
                }
                Self::Map(entries)
            }
        };
        Ok(Spanned { value, span: given.span })
    }
}

impl Any {
    /// As it is written, mappings sorted.
    pub(crate) fn tree(&self) -> Tree {
        match self {
            Self::Null => Tree::Null,
            Self::Bool(value) => Tree::Bool(*value),
            Self::Int(value) => Tree::Int(*value),
            Self::Float(value) => Tree::Float(*value),
            Self::Text(value) => Tree::Text(value.clone()),
            Self::List(items) => Tree::List(items.iter().map(|item| item.tree()).collect()),
            Self::Map(entries) => {
                let key = |at: usize| entries.get(at).map(|(key, _)| key.value.as_str());
                let sorted = order::positions(entries.len(), &|a, b| key(a).cmp(&key(b)));
                let entry = |at: usize| entries.get(at).map(|(key, value)| (key.value.clone().into(), value.tree()));
                Tree::Map(sorted.into_iter().filter_map(entry).collect())
            }
        }
    }
}

impl Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.tree().serialize(serializer)
    }
}

/// Any value.
pub type AnyValue = Option<Spanned<Any>>;

/// A mapping with any values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnyMap(pub Option<Spanned<Any>>);

impl AnyMap {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|any| any.is_empty())
    }
}

impl Field for AnyValue {
    const KIND: Kind = Kind::Plain;

    fn read(&mut self, given: &Given<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) -> Result<(), Reported> {
        *self = Some(Any::read(given, path, findings)?);
        Ok(())
    }

    fn describe() -> Type {
        Type::Any
    }
}

impl Field for AnyMap {
    const KIND: Kind = Kind::Plain;

    fn read(&mut self, given: &Given<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) -> Result<(), Reported> {
        match given.shape {
            Shape::Mapping(_) => self.0.read(given, path, findings),
            _ => Err(wrong_type(given, "a mapping", path, findings)),
        }
    }

    fn describe() -> Type {
        Type::AnyMap
    }
}

impl Emitted for AnyValue {
    fn is_zero(&self) -> bool {
        self.as_ref().is_none_or(|any| any.is_empty())
    }

    fn tree(&self) -> Tree {
        self.as_ref().map_or(Tree::Null, |any| any.value.tree())
    }
}

impl Emitted for AnyMap {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn tree(&self) -> Tree {
        self.0.tree()
    }
}
