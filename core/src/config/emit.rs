//! Writes the model as Go writes it: the same keys in the same order, empty ones left out, durations as text.
//!
//! It never writes a literal secret: `[secret]` stands in its place. The text format (YAML, JSON) is the caller's.

use alloc::boxed::Box;
use alloc::string::String;

use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use super::duration::Duration;
use super::source::{List, Map, Present, Spanned};
use crate::secret::Secret;

/// A kind of value that knows when Go's `omitempty` leaves it out.
pub(crate) trait Emitted {
    fn is_zero(&self) -> bool;

    fn emit<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// Serialises by [`Emitted`].
pub(crate) struct Emit<'a, T>(pub(crate) &'a T);

impl<T: Emitted> Serialize for Emit<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.emit(serializer)
    }
}

macro_rules! scalars {
    ($($ty:ty, $zero:expr, |$value:ident, $serializer:ident| $emit:expr;)*) => {$(
        impl Emitted for Spanned<$ty> {
            fn is_zero(&self) -> bool {
                let zero: fn(&$ty) -> bool = $zero;
                zero(&self.value)
            }

            fn emit<S: Serializer>(&self, $serializer: S) -> Result<S::Ok, S::Error> {
                let $value = &self.value;
                $emit
            }
        }

        impl Emitted for Option<Spanned<$ty>> {
            fn is_zero(&self) -> bool {
                self.as_ref().is_none_or(Emitted::is_zero)
            }

            fn emit<S: Serializer>(&self, $serializer: S) -> Result<S::Ok, S::Error> {
                let zero = <$ty>::default();
                let $value = self.as_ref().map_or(&zero, |spanned| &spanned.value);
                $emit
            }
        }
    )*};
}

scalars! {
    String, String::is_empty, |value, serializer| serializer.serialize_str(value);
    bool, |value| !value, |value, serializer| serializer.serialize_bool(*value);
    i32, |value| *value == 0, |value, serializer| serializer.serialize_i32(*value);
    i64, |value| *value == 0, |value, serializer| serializer.serialize_i64(*value);
    Duration, |value| value.as_nanos() == 0, |value, serializer| value.serialize(serializer);
    Secret, Secret::is_empty, |value, serializer| {
        serializer.serialize_str(if value.is_empty() { "" } else { "[secret]" })
    };
}

impl<T> Emitted for Present<T>
where
    Option<Spanned<T>>: Emitted,
{
    fn is_zero(&self) -> bool {
        self.0.is_none()
    }

    fn emit<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.emit(serializer)
    }
}

impl<T: Emitted> Emitted for Option<Box<T>> {
    fn is_zero(&self) -> bool {
        self.is_none()
    }

    fn emit<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(value) => value.emit(serializer),
            None => serializer.serialize_unit(),
        }
    }
}

impl<T: Emitted> Emitted for List<T> {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn emit<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len()))?;
        for item in self {
            list.serialize_element(&Emit(item))?;
        }
        list.end()
    }
}

impl<T: Emitted> Emitted for Map<T> {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn emit<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter_sorted() {
            map.serialize_entry(&key.value, &Emit(value))?;
        }
        map.end()
    }
}
