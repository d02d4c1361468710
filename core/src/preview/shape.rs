//! Types that cross to JavaScript: each declaration gives the Rust type, its JSON, and its TypeScript.
//!
//! It knows only what the previewer's answers are made of.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A type that has a name in TypeScript.
pub trait Shape {
    /// How it is written where it is used.
    fn typescript() -> String;

    /// Adds its declaration, and those of what it is made of, by name.
    fn declare(_: &mut BTreeMap<String, String>) {}
}

impl Shape for String {
    fn typescript() -> String {
        "string".to_owned()
    }
}

impl Shape for bool {
    fn typescript() -> String {
        "boolean".to_owned()
    }
}

impl Shape for u32 {
    fn typescript() -> String {
        "number".to_owned()
    }
}

impl Shape for i64 {
    fn typescript() -> String {
        "number".to_owned()
    }
}

impl<T: Shape> Shape for Option<T> {
    fn typescript() -> String {
        format!("{} | null", T::typescript())
    }

    fn declare(all: &mut BTreeMap<String, String>) {
        T::declare(all);
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn typescript() -> String {
        format!("Array<{}>", T::typescript())
    }

    fn declare(all: &mut BTreeMap<String, String>) {
        T::declare(all);
    }
}

/// `snake_case` as JSON has it.
pub(super) fn camel(name: &str) -> String {
    let mut words = name.trim_start_matches("r#").split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}

/// Declares structs that serialise under the same names in camel case, and enums of words in lower case.
macro_rules! shapes {
    () => {};
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident { $($(#[doc = $field_doc:literal])* pub $field:ident: $ty:ty,)* }
        $($rest:tt)*
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name { $($(#[doc = $field_doc])* pub $field: $ty,)* }

        impl $crate::preview::shape::Shape for $name {
            fn typescript() -> String {
                stringify!($name).into()
            }

            fn declare(all: &mut BTreeMap<String, String>) {
                if all.contains_key(stringify!($name)) {
                    return;
                }
                let mut text = format!("/**{} */\nexport interface {} {{\n", concat!($($doc),*), stringify!($name));
                $(
                    text.push_str(&format!(
                        "  /**{} */\n  {}: {};\n",
                        concat!($($field_doc),*),
                        $crate::preview::shape::camel(stringify!($field)),
                        <$ty as $crate::preview::shape::Shape>::typescript(),
                    ));
                )*
                text.push_str("}\n");
                all.insert(stringify!($name).into(), text);
                $(<$ty as $crate::preview::shape::Shape>::declare(all);)*
            }
        }
        shapes! { $($rest)* }
    };
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident { $($(#[doc = $variant_doc:literal])* $variant:ident = $word:literal,)* }
        $($rest:tt)*
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
        pub enum $name { $($(#[doc = $variant_doc])* #[serde(rename = $word)] $variant,)* }

        impl $crate::preview::shape::Shape for $name {
            fn typescript() -> String {
                stringify!($name).into()
            }

            fn declare(all: &mut BTreeMap<String, String>) {
                let words = [$(concat!("\"", $word, "\"")),*].join(" | ");
                let text = format!("/**{} */\nexport type {} = {words};\n", concat!($($doc),*), stringify!($name));
                all.insert(stringify!($name).into(), text);
            }
        }
        shapes! { $($rest)* }
    };
}
pub(super) use shapes;
