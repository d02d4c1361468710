//! Free-form values (`parameters`, `arguments`, `schema`, `default`): whatever was written, kept in order.
//!
//! It judges nothing about them; that is the validators'.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use super::decode::{Field, Given, Kind, Reported, key_text, wrong_type};
use super::emit::Emitted;
use super::findings::{Findings, Path};
use super::limits;
use super::model::Type;
use super::source::Spanned;
use crate::diagnostic::code;
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

impl Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(value), _) => serializer.serialize_i64(value),
                (_, Ok(value)) => serializer.serialize_u64(value),
                _ => serializer.serialize_i128(*value),
            },
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&item.value)?;
                }
                list.end()
            }
            Self::Map(entries) => {
                let mut sorted = entries.iter().collect::<Vec<_>>();
                sorted.sort_by(|(a, _), (b, _)| a.value.cmp(&b.value));
                let mut map = serializer.serialize_map(Some(sorted.len()))?;
                for (key, value) in sorted {
                    map.serialize_entry(&key.value, &value.value)?;
                }
                map.end()
            }
        }
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

    fn read(given: &Given<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) -> Result<Self, Reported> {
        Any::read(given, path, findings).map(Some)
    }

    fn describe() -> Type {
        Type::Any
    }
}

impl Field for AnyMap {
    const KIND: Kind = Kind::Plain;

    fn read(given: &Given<'_, '_>, path: &Path<'_>, findings: &mut Findings<'_>) -> Result<Self, Reported> {
        match given.shape {
            Shape::Mapping(_) => Any::read(given, path, findings).map(|any| Self(Some(any))),
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

    fn emit<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ref().map(|any| &any.value).serialize(serializer)
    }
}

impl Emitted for AnyMap {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn emit<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.emit(serializer)
    }
}
