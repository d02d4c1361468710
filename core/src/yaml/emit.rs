//! Writes values as YAML in the manner of yaml.v3's `Marshal`: blocks indented by four, quotes only where needed.
//!
//! It writes no anchors, tags, comments or flow collections (but for empty ones), and never folds a line.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{Display, Write as _};

use serde::ser::{self, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};

use super::{Node, Scalar, Shape, Value, characters, resolve};

/// Serialises a value as one YAML document, which [`parse`](super::parse) reads back as the same value.
///
/// # Errors
/// Only what the value's own `Serialize` reports, and map keys that are maps or lists.
pub fn emit<T: Serialize + ?Sized>(value: &T) -> Result<String, EmitError> {
    let mut out = String::new();
    value.serialize(Emitter { out: &mut out, parent: 0, place: Place::Top })?;
    Ok(out)
}

/// Writes a node as one YAML document: scalars by what yaml.v3 makes of them, everything in the order in which it stands.
///
/// # Errors
/// Map keys that are maps or lists.
pub fn emit_node(node: Node<'_, '_>) -> Result<String, EmitError> {
    let mut out = String::new();
    Emitter { out: &mut out, parent: 0, place: Place::Top }.node(node)?;
    Ok(out)
}

/// Why a value could not be written, in the words of its own serialisation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EmitError(String);

impl ser::Error for EmitError {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// What stands before a value.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Nothing.
    Top,
    /// `key:`
    Value,
    /// `-`
    Item,
    /// Nothing, and nothing may end the line.
    Key,
}

/// Keys longer than this are written after `? `, since a parser need not look further for the colon.
const LONGEST_SIMPLE_KEY: usize = 120;
const INDENT: usize = 4;

struct Emitter<'o> {
    out: &'o mut String,
    /// The indentation of what it stands in.
    parent: usize,
    place: Place,
}

impl<'o> Emitter<'o> {
    fn scalar(self, text: &str) {
        if matches!(self.place, Place::Value | Place::Item) {
            self.out.push(' ');
        }
        self.out.push_str(text);
        if self.place != Place::Key {
            self.out.push('\n');
        }
    }

    fn number(self, number: impl Display) {
        self.scalar(&number.to_string());
    }

    fn text(self, text: &str) {
        if self.place != Place::Key && is_block(text) {
            return self.block(text);
        }
        let mut written = String::with_capacity(text.len() + 2);
        write_text(text, &mut written);
        self.scalar(&written);
    }

    /// A literal block: what it holds stands there as it is.
    fn block(self, text: &str) {
        let indent = indentation(self.place, self.parent).max(2);
        if self.place != Place::Top {
            self.out.push(' ');
        }
        let content = text.trim_end_matches('\n');
        self.out.push('|');
        match text.len() - content.len() {
            0 => self.out.push('-'),
            1 => {}
            _ => self.out.push('+'),
        }
        self.out.push('\n');
        for line in text.split_inclusive('\n') {
            if line != "\n" {
                self.out.extend(core::iter::repeat_n(' ', indent));
            }
            self.out.push_str(line);
        }
        if !text.ends_with('\n') {
            self.out.push('\n');
        }
    }

    fn node(self, node: Node<'_, '_>) -> Result<(), EmitError> {
        match node.shape() {
            Shape::Bad => self.scalar("null"),
            Shape::Scalar(Scalar { value, text, .. }) => match value {
                Value::Null => self.scalar("null"),
                Value::Bool(value) => self.number(value),
                Value::Int(value) => self.number(value),
                Value::Float(value) => self.scalar(&float(value)),
                Value::Timestamp | Value::Text | Value::Misfit(_) => self.text(text),
            },
            Shape::Sequence(items) => {
                let mut list = self.collection();
                for item in items.iter() {
                    list.begin_entry()?;
                    list.out.push('-');
                    list.entry(Place::Item).node(item)?;
                }
                return list.finish("[]");
            }
            Shape::Mapping(entries) => {
                let mut map = self.collection();
                for (key, value) in entries.iter() {
                    map.begin_entry()?;
                    let mut written = String::new();
                    Emitter { out: &mut written, parent: 0, place: Place::Key }.node(key)?;
                    map.written_key(&written);
                    map.entry(Place::Value).node(value)?;
                }
                return map.finish("{}");
            }
        }
        Ok(())
    }

    fn collection(self) -> Collection<'o> {
        Collection { indent: indentation(self.place, self.parent), out: self.out, place: self.place, count: 0 }
    }
}

/// Where a collection or block begins: below a dash right after it, below a key at the next multiple of four.
fn indentation(place: Place, parent: usize) -> usize {
    match place {
        Place::Top | Place::Key => 0,
        Place::Item => parent + 2,
        Place::Value => INDENT * ((parent + INDENT) / INDENT),
    }
}

/// A list or map being written.
struct Collection<'o> {
    out: &'o mut String,
    place: Place,
    indent: usize,
    count: usize,
}

impl Collection<'_> {
    fn begin_entry(&mut self) -> Result<(), EmitError> {
        match self.place {
            Place::Key => return Err(ser::Error::custom("a map key is a list or a map; expected a scalar")),
            // The first entry stands beside the dash.
            Place::Item if self.count == 0 => self.out.push(' '),
            Place::Value if self.count == 0 => {
                self.out.push('\n');
                self.out.extend(core::iter::repeat_n(' ', self.indent));
            }
            _ => self.out.extend(core::iter::repeat_n(' ', self.indent)),
        }
        self.count += 1;
        Ok(())
    }

    fn entry(&mut self, place: Place) -> Emitter<'_> {
        Emitter { out: self.out, parent: self.indent, place }
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EmitError> {
        self.begin_entry()?;
        let mut written = String::new();
        key.serialize(Emitter { out: &mut written, parent: 0, place: Place::Key })?;
        self.written_key(&written);
        Ok(())
    }

    fn written_key(&mut self, written: &str) {
        if written.len() > LONGEST_SIMPLE_KEY {
            self.out.push_str("? ");
            self.out.push_str(written);
            self.out.push('\n');
            self.out.extend(core::iter::repeat_n(' ', self.indent));
        } else {
            self.out.push_str(written);
        }
        self.out.push(':');
    }

    fn finish(self, empty: &str) -> Result<(), EmitError> {
        if self.count == 0 {
            if self.place == Place::Key {
                return Err(ser::Error::custom("a map key is a list or a map; expected a scalar"));
            }
            Emitter { out: self.out, parent: 0, place: self.place }.scalar(empty);
        }
        Ok(())
    }
}

/// Whether a text is best written as a literal block: several lines, and nothing that only an escape can show.
fn is_block(text: &str) -> bool {
    let printable = text.chars().all(|c| c == '\n' || c == '\t' || is_printable(c));
    text.contains('\n') && !text.starts_with([' ', '\t', '\n']) && printable
}

fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
        && characters::first_forbidden(c.encode_utf8(&mut [0; 4])).is_none()
}

fn write_text(text: &str, out: &mut String) {
    if !text.chars().all(is_printable) {
        double_quoted(text, out);
    } else if means_something_else(text) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else if is_plain(text) {
        out.push_str(text);
    } else {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    }
}

/// Whether a reader, of whatever version of YAML, may take the bare text for a number, a boolean, null or a merge key.
fn means_something_else(text: &str) -> bool {
    const WORDS_OF_1_1: [&str; 8] = ["y", "yes", "on", "n", "no", "off", "<<", "="];
    // `1:30` is a number to the base of 60, in YAML 1.1.
    let base60 = text.contains(':')
        && text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'))
        && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'_' | b':' | b'.'));
    base60
        || resolve::resolve(None, true, text) != Value::Text
        || WORDS_OF_1_1.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Whether a bare text is read as this text in a block.
fn is_plain(text: &str) -> bool {
    let mut chars = text.chars();
    let begins = match chars.next() {
        None => false,
        // Indicators that are text when something follows them.
        Some('-' | '?' | ':') => chars.next().is_some_and(|next| !matches!(next, ' ' | ',' | '[' | ']' | '{' | '}')),
        Some(first) => !" ,[]{}#&*!|>'\"%@`".contains(first),
    };
    begins
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.starts_with("---")
        && !text.starts_with("...")
}

fn double_quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            c => {
                // Writing to a string cannot fail, and what is not printable has at most four digits.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
        }
    }
    out.push('"');
}

/// A number as `core` would write it, but by the digits that JSON has: formatting of floats there weighs more than all of this file.
fn float(value: f64) -> String {
    let Some(number) = serde_json::Number::from_f64(value) else {
        let infinite = if value > 0.0 { ".inf" } else { "-.inf" };
        return if value.is_nan() { ".nan" } else { infinite }.into();
    };
    let json = number.to_string();
    let (sign, json) = json.strip_prefix('-').map_or(("", json.as_str()), |rest| ("-", rest));
    let (mantissa, exponent) = json.split_once('e').unwrap_or((json, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let leading = all.bytes().take_while(|byte| *byte == b'0').count();
    let digits = all.trim_matches('0');
    // Where the point stands: so many digits are before it.
    let point = i64::try_from(whole.len()).unwrap_or_default() - i64::try_from(leading).unwrap_or_default()
        + exponent.parse::<i64>().unwrap_or_default();
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
    let missing = point - i64::try_from(digits.len()).unwrap_or_default();
    match digits.split_at_checked(usize::try_from(point).unwrap_or_default()) {
        _ if digits.is_empty() => format!("{sign}0"),
        _ if !(-3..=21).contains(&point) => {
            let (first, others) = digits.split_at_checked(1).unwrap_or_default();
            let dot = if others.is_empty() { "" } else { "." };
            format!("{sign}{first}{dot}{others}e{}", point - 1)
        }
        _ if point <= 0 => format!("{sign}0.{}{digits}", zeros(-point)),
        Some((before, after)) if !after.is_empty() => format!("{sign}{before}.{after}"),
        _ => format!("{sign}{digits}{}", zeros(missing)),
    }
}

macro_rules! numbers {
    ($($method:ident: $ty:ty),*) => {$(
        fn $method(self, value: $ty) -> Result<(), EmitError> {
            self.number(value);
            Ok(())
        }
    )*};
}

impl<'o> Serializer for Emitter<'o> {
    type Ok = ();
    type Error = EmitError;
    type SerializeSeq = Collection<'o>;
    type SerializeTuple = Collection<'o>;
    type SerializeTupleStruct = Collection<'o>;
    type SerializeTupleVariant = Impossible<(), EmitError>;
    type SerializeMap = Collection<'o>;
    type SerializeStruct = Collection<'o>;
    type SerializeStructVariant = Impossible<(), EmitError>;

    numbers!(
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128
    );

    fn serialize_bool(self, value: bool) -> Result<(), EmitError> {
        self.number(value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), EmitError> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), EmitError> {
        self.scalar(&float(value));
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), EmitError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), EmitError> {
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), EmitError> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), EmitError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EmitError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EmitError> {
        self.scalar("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), EmitError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Result<(), EmitError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Result<(), EmitError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), EmitError> {
        let mut map = self.collection();
        map.serialize_entry(variant, value)?;
        SerializeMap::end(map)
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Collection<'o>, EmitError> {
        Ok(self.collection())
    }

    fn serialize_tuple(self, _length: usize) -> Result<Collection<'o>, EmitError> {
        Ok(self.collection())
    }

    fn serialize_tuple_struct(self, _name: &'static str, _length: usize) -> Result<Collection<'o>, EmitError> {
        Ok(self.collection())
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeTupleVariant, EmitError> {
        Err(EmitError(alloc::format!("variant `{variant}` holds several values; expected at most one")))
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Collection<'o>, EmitError> {
        Ok(self.collection())
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Collection<'o>, EmitError> {
        Ok(self.collection())
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeStructVariant, EmitError> {
        Err(EmitError(alloc::format!("variant `{variant}` holds several values; expected at most one")))
    }
}

impl SerializeSeq for Collection<'_> {
    type Ok = ();
    type Error = EmitError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EmitError> {
        self.begin_entry()?;
        self.out.push('-');
        value.serialize(self.entry(Place::Item))
    }

    fn end(self) -> Result<(), EmitError> {
        self.finish("[]")
    }
}

impl ser::SerializeTuple for Collection<'_> {
    type Ok = ();
    type Error = EmitError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EmitError> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), EmitError> {
        SerializeSeq::end(self)
    }
}

impl ser::SerializeTupleStruct for Collection<'_> {
    type Ok = ();
    type Error = EmitError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EmitError> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), EmitError> {
        SerializeSeq::end(self)
    }
}

impl SerializeMap for Collection<'_> {
    type Ok = ();
    type Error = EmitError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EmitError> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EmitError> {
        value.serialize(self.entry(Place::Value))
    }

    fn end(self) -> Result<(), EmitError> {
        self.finish("{}")
    }
}

impl SerializeStruct for Collection<'_> {
    type Ok = ();
    type Error = EmitError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), EmitError> {
        self.serialize_entry(key, value)
    }

    fn end(self) -> Result<(), EmitError> {
        self.finish("{}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Positions, parse};
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[derive(serde::Serialize)]
    struct Backend {
        name: &'static str,
        metadata: BTreeMap<&'static str, &'static str>,
        tools: Vec<&'static str>,
        nested: Vec<Vec<i32>>,
        weight: f64,
        absent: Option<i32>,
    }

    /// What yaml.v3 v3.0.1 writes for the same value.
    #[test]
    fn blocks_are_indented_as_go_indents_them() {
        let backend = Backend {
            name: "a",
            metadata: BTreeMap::from([("k", "v"), ("text", "one\ntwo\n")]),
            tools: Vec::from(["x", "y"]),
            nested: Vec::from([Vec::from([1, 2]), Vec::new()]),
            weight: 1.5,
            absent: None,
        };
        let value = BTreeMap::from([("backends", Vec::from([backend]))]);
        let expected = "\
backends:
    - name: a
      metadata:
        k: v
        text: |
            one
            two
      tools:
        - x
        - \"y\"
      nested:
        - - 1
          - 2
        - []
      weight: 1.5
      absent: null
";
        assert_eq!(emit(&value).unwrap(), expected);
        assert_eq!(emit(&Vec::<i32>::new()).unwrap(), "[]\n");
        assert_eq!(emit("x").unwrap(), "x\n");
    }

    #[test]
    fn quotes_stand_only_where_they_are_needed() {
        for plain in [
            "a",
            "a b",
            "https://a:8/x?y#z",
            "-x",
            "?x",
            ":x",
            "a'b",
            "a\"b",
            "é",
            "{workload}_".get(1..).unwrap(),
            "x,[]{}",
        ] {
            assert_eq!(emit(plain).unwrap().trim_end(), plain);
        }
        for (text, written) in [
            ("", "\"\""),
            ("1", "\"1\""),
            ("true", "\"true\""),
            ("Yes", "\"Yes\""),
            ("null", "\"null\""),
            ("2020-01-01", "\"2020-01-01\""),
            ("1:30", "\"1:30\""),
            ("{workload}_", "'{workload}_'"),
            ("a: b", "'a: b'"),
            ("a #b", "'a #b'"),
            ("- a", "'- a'"),
            ("'a'", "'''a'''"),
            ("@a", "'@a'"),
            (" a", "' a'"),
            ("a\tb", "\"a\\tb\""),
            ("\u{1b}[0m", "\"\\u001B[0m\""),
            ("\n", "\"\\n\""),
        ] {
            assert_eq!(emit(text).unwrap().trim_end(), written);
        }
    }

    #[test]
    fn numbers_read_back_as_the_same_numbers() {
        for mantissa in [1.0, 1.5, -9.999_999_999_999_9, 123_456.789, 5e-324, 0.1 + 0.2] {
            for exponent in -330..310 {
                let value: f64 = mantissa * format!("1e{exponent}").parse::<f64>().unwrap();
                let large = value != 0.0 && !(1e-4..1e21).contains(&value.abs());
                assert_eq!(
                    float(value),
                    if large { format!("{value:e}") } else { format!("{value}") }.replace("inf", ".inf")
                );
            }
        }
        for value in [0.0, 1.0, -2.5, 1e300, 1e-300, 123_456_789.125, f64::INFINITY, f64::NEG_INFINITY] {
            let text = emit(&value).unwrap();
            let found = match resolve::resolve(None, true, text.trim_end()) {
                Value::Float(found) => found,
                Value::Int(found) => found as f64,
                other => panic!("{text} {other:?}"),
            };
            assert_eq!(found, value, "{text}");
        }
        assert_eq!(emit(&u64::MAX).unwrap(), "18446744073709551615\n");
        assert_eq!(emit(&i64::MIN).unwrap(), "-9223372036854775808\n");
    }

    #[test]
    fn every_text_reads_back_as_itself_wherever_it_stands() {
        // Texts of up to six letters from an alphabet of trouble, by a fixed generator.
        let alphabet: Vec<char> =
            " \t\n\r-?:,[]{}#&*!|>'\"%@`\\~=<.0179eExoyn+_aZ\u{e9}\u{85}\u{2028}\u{feff}\u{0}\u{1b}\u{7f}\u{9f}\u{1f600}".chars().collect();
        let mut state = 1_u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        for _ in 0..3000 {
            let text: String = (0..random(7)).map(|_| alphabet[random(alphabet.len())]).collect();
            let long = text.repeat(60);
            let value = Vec::from([
                BTreeMap::from([(text.clone(), Vec::from([text.clone(), "end".into()]))]),
                BTreeMap::from([(long.clone(), Vec::from([long]))]),
            ]);
            let written = emit(&value).unwrap();
            let parsed = parse(&written, &Positions::identity());
            assert!(parsed.diagnostics.is_empty(), "{value:?}\n{written}\n{:?}", parsed.diagnostics);
            let read: Vec<BTreeMap<String, Vec<String>>> = parsed
                .tree
                .root()
                .unwrap()
                .items()
                .map(|item| match item.shape() {
                    Shape::Mapping(entries) => {
                        entries.iter().map(|(key, list)| (string(key), list.items().map(string).collect())).collect()
                    }
                    _ => panic!("{written}"),
                })
                .collect();
            assert_eq!(read, value, "{written}");
        }
    }

    fn string(node: Node<'_, '_>) -> String {
        match node.shape() {
            Shape::Scalar(scalar) if scalar.value == Value::Text => scalar.text.into(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_cannot_be_written_says_why() {
        let value = BTreeMap::from([(Vec::from([1]), 2)]);
        assert_eq!(emit(&value).unwrap_err().to_string(), "a map key is a list or a map; expected a scalar");
    }
}
