//! Types that cross to JavaScript: each declaration gives the Rust type, its JSON, and its TypeScript.
//!
//! It knows only what answers are made of, and writes JSON on one line. Hosts that want it otherwise, or have other types, use
//! serde, for which each declaration is made too; a page that does not carries none of that.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

/// A type that has JSON, and a name in TypeScript.
pub trait Shape {
    /// Appends its JSON.
    fn write(&self, out: &mut String);

    /// Its JSON.
    fn to_json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// How it is written where it is used.
    fn typescript() -> String;

    /// Adds its declaration, and those of what it is made of, by name.
    fn declare(_: &mut alloc::collections::BTreeMap<String, String>) {}
}

impl Shape for String {
    fn write(&self, out: &mut String) {
        quoted(self, out);
    }

    fn typescript() -> String {
        "string".to_owned()
    }
}

impl Shape for &str {
    fn write(&self, out: &mut String) {
        quoted(self, out);
    }

    fn typescript() -> String {
        "string".to_owned()
    }
}

impl Shape for bool {
    fn write(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }

    fn typescript() -> String {
        "boolean".to_owned()
    }
}

impl Shape for u32 {
    fn write(&self, out: &mut String) {
        // Places are most of what is written, and formatting is made for more than digits.
        let (mut digits, mut rest) = ([0; 10], *self);
        for digit in digits.iter_mut().rev() {
            *digit = rest % 10;
            rest /= 10;
        }
        let zeros = digits.iter().take(9).take_while(|digit| **digit == 0).count();
        out.extend(digits.iter().skip(zeros).filter_map(|digit| char::from_digit(*digit, 10)));
    }

    fn typescript() -> String {
        "number".to_owned()
    }
}

impl Shape for i64 {
    fn write(&self, out: &mut String) {
        out.push_str(&self.to_string());
    }

    fn typescript() -> String {
        "number".to_owned()
    }
}

impl<T: Shape> Shape for Option<T> {
    fn write(&self, out: &mut String) {
        match self {
            Some(value) => value.write(out),
            None => out.push_str("null"),
        }
    }

    fn typescript() -> String {
        format!("{} | null", T::typescript())
    }

    fn declare(all: &mut alloc::collections::BTreeMap<String, String>) {
        T::declare(all);
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn write(&self, out: &mut String) {
        out.push('[');
        for (index, item) in self.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            item.write(out);
        }
        out.push(']');
    }

    fn typescript() -> String {
        format!("Array<{}>", T::typescript())
    }

    fn declare(all: &mut alloc::collections::BTreeMap<String, String>) {
        T::declare(all);
    }
}

/// Text as JSON (RFC 8259 section 7), escaped where it must be.
pub(crate) fn quoted(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\u{c}') => out.push_str("\\f"),
            Some(c @ ('"' | '\\')) => out.extend(['\\', c]),
            Some(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// Begins a member of an object: what divides it from the last, its name in camel case, and a colon.
pub(crate) fn member(out: &mut String, name: &'static str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    out.push('"');
    let mut rest = name.strip_prefix("r#").unwrap_or(name);
    while let Some(at) = rest.bytes().position(|byte| byte == b'_') {
        let (word, next) = rest.split_at(at);
        out.push_str(word);
        let mut letters = next.chars().skip(1);
        out.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        rest = next.get(2..).unwrap_or_default();
    }
    out.push_str(rest);
    out.push_str("\":");
}

/// `snake_case` as JSON has it.
pub(crate) fn camel(name: &'static str) -> String {
    let mut out = String::from("{");
    member(&mut out, name);
    out.chars().filter(|c| c.is_ascii_alphanumeric()).collect()
}

/// Declares structs that serialise under the same names in camel case, and enums of words in lower case.
macro_rules! shapes {
    () => {};
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident $(<$life:lifetime>)? { $($(#[doc = $field_doc:literal])* pub $field:ident: $ty:ty,)* }
        $($rest:tt)*
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name $(<$life>)? { $($(#[doc = $field_doc])* pub $field: $ty,)* }

        impl $(<$life>)? $crate::shape::Shape for $name $(<$life>)? {
            fn write(&self, out: &mut String) {
                out.push('{');
                $(
                    $crate::shape::member(out, stringify!($field));
                    $crate::shape::Shape::write(&self.$field, out);
                )*
                out.push('}');
            }

            fn typescript() -> String {
                stringify!($name).into()
            }

            fn declare(all: &mut alloc::collections::BTreeMap<String, String>) {
                if all.contains_key(stringify!($name)) {
                    return;
                }
                let mut text = alloc::format!("/**{} */\nexport interface {} {{\n", concat!($($doc),*), stringify!($name));
                $(
                    text.push_str(&alloc::format!(
                        "  /**{} */\n  {}: {};\n",
                        concat!($($field_doc),*),
                        $crate::shape::camel(stringify!($field)),
                        <$ty as $crate::shape::Shape>::typescript(),
                    ));
                )*
                text.push_str("}\n");
                all.insert(stringify!($name).into(), text);
                $(<$ty as $crate::shape::Shape>::declare(all);)*
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

        impl $crate::shape::Shape for $name {
            fn write(&self, out: &mut String) {
                out.push_str(match self {
                    $(Self::$variant => concat!("\"", $word, "\""),)*
                });
            }

            fn typescript() -> String {
                stringify!($name).into()
            }

            fn declare(all: &mut alloc::collections::BTreeMap<String, String>) {
                let words = [$(concat!("\"", $word, "\"")),*].join(" | ");
                let text = alloc::format!("/**{} */\nexport type {} = {words};\n", concat!($($doc),*), stringify!($name));
                all.insert(stringify!($name).into(), text);
            }
        }
        shapes! { $($rest)* }
    };
}
pub(crate) use shapes;

#[cfg(test)]
mod tests {
    #![expect(unreachable_pub, reason = "the macro declares for the world")]

    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    shapes! {
        /// For the test.
        pub struct Sample<'a> {
            /// Text.
            pub some_text: &'a str,
            /// Words.
            pub r#kind: Option<Word>,
            /// Numbers.
            pub numbers_of_it: Vec<i64>,
            /// Others.
            pub places: Vec<u32>,
            /// Yes or no.
            pub ready: bool,
        }

        /// For the test.
        pub enum Word {
            /// Yes.
            Yes = "yes",
        }
    }

    #[test]
    fn the_json_is_that_of_serde() {
        let all: String = (0..0x300).filter_map(char::from_u32).chain(['\u{2028}', '😀']).collect();
        for (some_text, kind) in [(all.as_str(), None), ("", Some(Word::Yes)), ("{", None)] {
            let numbers_of_it = Vec::from([i64::MIN, 0, 7]);
            let places = Vec::from([0, 7, 10, 1_234_567_890, u32::MAX]);
            let sample = Sample { some_text, kind, numbers_of_it, places, ready: some_text.is_empty() };
            assert_eq!(sample.to_json(), serde_json::to_string(&sample).unwrap());
        }
    }
}
