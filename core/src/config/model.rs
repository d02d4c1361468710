//! Every key of the configuration: one table a struct, from which its fields, its decoder, its serialisation and its
//! documentation as data come.
//!
//! It holds no rules about values (`validate`) and no defaults in force (`effective`); a default stated here is what
//! applies when the key is not written.

mod aggregation;
mod audit;
mod composite;
mod incoming;
mod operational;
mod optimizer;
mod outgoing;
mod rate_limit;
mod session;
mod telemetry;
mod top;

pub use aggregation::*;
pub use audit::*;
pub use composite::*;
pub use incoming::*;
pub use operational::*;
pub use optimizer::*;
pub use outgoing::*;
pub use rate_limit::*;
pub use session::*;
pub use telemetry::*;
pub use top::*;

use alloc::string::String;

use super::duration::Duration;
use super::source::{List, Map, Origin, Present, Spanned};
use crate::secret::Secret;

/// Text; in Go a string, so that empty and absent mean the same.
pub type Text = Option<Spanned<String>>;
/// A boolean; absent is false unless its default says otherwise.
pub type Flag = Option<Spanned<bool>>;
/// A whole number.
pub type Integer = Option<Spanned<i64>>;
/// A whole number of 32 bits.
pub type Integer32 = Option<Spanned<i32>>;
/// A duration in Go's notation.
pub type Time = Option<Spanned<Duration>>;
/// A literal secret.
pub type Hidden = Option<Spanned<Secret>>;
/// A list of texts.
pub type Texts = List<Spanned<String>>;
/// A map from text to text.
pub type TextMap = Map<Spanned<String>>;

/// The type of a value, as data.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// Any scalar, by its literal text.
    Text,
    /// The same, never shown.
    Secret,
    /// `true` or `false`, also `yes`, `no`, `on`, `off`.
    Bool,
    /// A whole number; a fraction is cut off.
    Integer {
        /// Least that can be held.
        min: i64,
        /// Greatest that can be held.
        max: i64,
    },
    /// Text such as `1m30s`.
    Duration,
    /// Any value at all.
    Any,
    /// A mapping with any values.
    AnyMap,
    /// A list of this.
    List(fn() -> Type),
    /// A mapping from names to this.
    Map(fn() -> Type),
    /// A mapping with these keys.
    Struct(fn() -> &'static Table),
}

impl Type {
    /// The struct that it is, or that its lists and maps hold.
    #[must_use]
    pub fn structure(self) -> Option<&'static Table> {
        match self {
            Self::List(item) | Self::Map(item) => item().structure(),
            Self::Struct(table) => Some(table()),
            _ => None,
        }
    }
}

/// The keys of one struct.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name in Rust, unique.
    pub name: &'static str,
    /// What it is in a message: "a backend".
    pub noun: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// In the order in which Go writes them.
    pub keys: &'static [Key],
}

impl Table {
    /// The position of a key.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.keys.iter().position(|key| key.name == name)
    }
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// Its type.
    pub ty: fn() -> Type,
    /// The only texts that are accepted; empty if there is no such list.
    pub values: &'static [&'static str],
    /// What applies when it is not written, as it would be written.
    pub default: Option<&'static str>,
    /// What it means; empty in a module that is built without long texts.
    pub doc: &'static str,
    /// Whether it must be written: its documentation ends with the word.
    pub required: bool,
    /// Whether Go writes it even when it is empty.
    pub emit: Emit,
}

/// Whether an empty value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emit {
    /// Not when it is empty (`omitempty`).
    Filled,
    /// Always.
    Always,
}

/// A struct of the model.
pub(crate) trait Described {
    /// Its keys as data.
    fn table() -> &'static Table;

    /// Where it is written.
    fn origin(&self) -> &Origin;

    /// Whether the value of a key stands in the text but could not be read, which was reported.
    fn is_unread(&self, key: &str) -> bool {
        Self::table().position(key).is_some_and(|position| self.origin().is_unread(position))
    }
}

/// Declares structs of the model.
///
/// `"caBundlePath" => ca_bundle_path: Text = "its default" ["one", "of", "these"];` with `always` before `"…"` for a key that
/// Go writes even when it is empty. Everything else follows from the line.
macro_rules! model {
    (@emit) => { $crate::config::model::Emit::Filled };
    (@emit always) => { $crate::config::model::Emit::Always };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
    (@values) => { &[] };
    (@values $($value:literal)+) => { &[$($value),+] };
    ($(
        $(#[doc = $doc:literal])*
        pub struct $name:ident, $noun:literal {
            $(
                $(#[doc = $key_doc:literal])*
                $($always:ident)? $key:literal => $field:ident: $ty:ty $(= $default:literal)? $([$($value:literal),+])?;
            )*
        }
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            /// Where it is written.
            pub origin: $crate::config::source::Origin,
            $(
                $(#[doc = $key_doc])*
                pub $field: $ty,
            )*
        }

        impl $crate::config::model::Described for $name {
            fn table() -> &'static $crate::config::model::Table {
                static TABLE: $crate::config::model::Table = $crate::config::model::Table {
                    name: stringify!($name),
                    noun: $noun,
                    doc: $crate::words::kept(concat!($($doc, "\n"),*)),
                    keys: &[$($crate::config::model::Key {
                        name: $key,
                        ty: <$ty as $crate::config::decode::Field>::describe,
                        values: model!(@values $($($value)+)?),
                        default: model!(@default $($default)?),
                        doc: $crate::words::kept(concat!($($key_doc, "\n"),*)),
                        required: $crate::words::says_required(concat!($($key_doc, "\n"),*)),
                        emit: model!(@emit $($always)?),
                    }),*],
                };
                &TABLE
            }

            fn origin(&self) -> &$crate::config::source::Origin {
                &self.origin
            }
        }

        impl $crate::config::decode::Field for $name {
            const KIND: $crate::config::decode::Kind = $crate::config::decode::Kind::Struct;

            fn read(
                &mut self,
                given: &$crate::config::decode::Given<'_, '_>,
                path: &$crate::config::findings::Path<'_>,
                findings: &mut $crate::config::findings::Findings<'_>,
            ) -> Result<(), $crate::config::decode::Reported> {
                let table = <Self as $crate::config::model::Described>::table();
                $crate::config::decode::read_struct(self, table, given, path, findings)
            }

            fn blank(&mut self, given: &$crate::config::decode::Given<'_, '_>) {
                self.origin = $crate::config::source::Origin::blank(given.key, given.span);
            }

            fn describe() -> $crate::config::model::Type {
                $crate::config::model::Type::Struct(<Self as $crate::config::model::Described>::table)
            }
        }

        impl $crate::config::decode::Field for Option<$name> {
            const KIND: $crate::config::decode::Kind = $crate::config::decode::Kind::Struct;

            fn read(
                &mut self,
                given: &$crate::config::decode::Given<'_, '_>,
                path: &$crate::config::findings::Path<'_>,
                findings: &mut $crate::config::findings::Findings<'_>,
            ) -> Result<(), $crate::config::decode::Reported> {
                $crate::config::decode::Field::read(self.get_or_insert_default(), given, path, findings)
            }

            fn blank(&mut self, given: &$crate::config::decode::Given<'_, '_>) {
                $crate::config::decode::Field::blank(self.get_or_insert_default(), given);
            }

            fn describe() -> $crate::config::model::Type {
                <$name as $crate::config::decode::Field>::describe()
            }
        }

        impl $crate::config::decode::Slots for $name {
            fn slot(&mut self, position: usize) -> Option<&mut dyn $crate::config::decode::Slot> {
                let mut slots = 0..position;
                $(
                    if slots.next().is_none() {
                        return Some(&mut self.$field);
                    }
                )*
                None
            }

            fn origin_mut(&mut self) -> &mut $crate::config::source::Origin {
                &mut self.origin
            }
        }

        impl $crate::config::emit::Members for $name {
            fn table(&self) -> &'static $crate::config::model::Table {
                <Self as $crate::config::model::Described>::table()
            }

            fn member(&self, position: usize) -> Option<&dyn $crate::config::emit::Emitted> {
                let mut members = 0..position;
                $(
                    if members.next().is_none() {
                        return Some(&self.$field);
                    }
                )*
                None
            }
        }

        impl $name {
            /// It as it is written.
            #[must_use]
            pub fn tree(&self) -> $crate::config::emit::Tree {
                $crate::config::emit::members(self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.tree().serialize(serializer)
            }
        }

        impl $crate::config::emit::Emitted for Option<$name> {
            fn is_zero(&self) -> bool {
                self.is_none()
            }

            fn tree(&self) -> $crate::config::emit::Tree {
                self.as_ref().map_or($crate::config::emit::Tree::Null, $crate::config::emit::Emitted::tree)
            }
        }

        impl $crate::config::emit::Emitted for $name {
            fn is_zero(&self) -> bool {
                false
            }

            fn tree(&self) -> $crate::config::emit::Tree {
                $crate::config::emit::members(self)
            }
        }
    )*};
}
use model;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn visit(table: &'static Table, seen: &mut BTreeSet<&'static str>) {
        if !seen.insert(table.name) {
            return;
        }
        assert!(table.keys.len() < 32, "{} has more keys than an origin has bits", table.name);
        assert!(!table.doc.trim().is_empty() && !table.noun.is_empty(), "{}", table.name);
        let mut names = BTreeSet::new();
        for key in table.keys {
            assert!(names.insert(key.name), "{} has `{}` twice", table.name, key.name);
            assert!(key.doc.trim().ends_with('.'), "{}.{}", table.name, key.name);
            if let Some(default) = key.default {
                assert!(key.values.is_empty() || key.values.contains(&default), "{}.{}", table.name, key.name);
            }
            if let Some(inner) = (key.ty)().structure() {
                visit(inner, seen);
            }
        }
    }

    #[test]
    fn every_struct_is_reachable_as_data_and_every_key_is_explained() {
        let mut seen = BTreeSet::new();
        visit(Config::table(), &mut seen);
        assert_eq!(seen.len(), 39);
    }

    #[test]
    fn keys_carry_type_default_and_values() {
        let key = |table: &'static Table, name| &table.keys[table.position(name).unwrap()];
        let mode = key(FailureHandlingConfig::table(), "partialFailureMode");
        assert_eq!((mode.default, mode.values, mode.emit), (Some("fail"), &["fail", "best_effort"][..], Emit::Filled));
        assert!(matches!((key(RateLimitBucket::table(), "maxTokens").ty)(), Type::Integer { min: -2_147_483_648, .. }));
        assert!(matches!((key(HeaderInjectionConfig::table(), "headerValue").ty)(), Type::Secret));
        assert!(
            matches!((key(Config::table(), "backends").ty)(), Type::List(item) if matches!(item(), Type::Struct(_)))
        );
        assert_eq!(
            key(StaticBackendConfig::table(), "name").doc.trim(),
            "Its name, unique: prefix of its tools, key of its strategy, owner of its forwarded headers. Required."
        );
    }
}
