//! Checks, walks and edits JSON text without building a tree: every value stays the bytes it was.
//!
//! What walks and edits does not validate: [`check`] or [`jsonrpc`](crate::mcp::jsonrpc) has done that. On other text it finds
//! fewer members, or none, and never panics.

pub mod scan;

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

use serde_json::value::RawValue;

/// Whether a text is one JSON value (RFC 8259) and nothing else.
#[must_use]
pub fn is_valid(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

/// Where a text stops being JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// From 1.
    pub line: usize,
    /// From 1, in bytes.
    pub column: usize,
}

impl Stop {
    /// Where a byte stands.
    #[must_use]
    pub fn at(text: &str, offset: usize) -> Self {
        let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        Self { line, column: before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1 }
    }
}

/// The same as [`is_valid`] for what people wrote: it says where the first character stands that does not fit.
///
/// # Errors
/// The text is no JSON.
pub fn check(text: &str) -> Result<(), Stop> {
    let bytes = text.as_bytes();
    valid_to(bytes).map_err(|offset| Stop::at(text, offset))
}

/// Iterative, so that no depth of nesting can exhaust the stack.
fn valid_to(bytes: &[u8]) -> Result<(), usize> {
    // What is open: whether it is an object.
    let mut open: Vec<bool> = Vec::new();
    let mut at = skip_space(bytes, 0);
    loop {
        // A value.
        at = match bytes.get(at) {
            Some(&bracket @ (b'{' | b'[')) => {
                let object = bracket == b'{';
                at = skip_space(bytes, at + 1);
                if bytes.get(at) != Some(if object { &b'}' } else { &b']' }) {
                    open.push(object);
                    if object {
                        at = key_to(bytes, at)?;
                    }
                    continue;
                }
                at + 1
            }
            Some(b'"') => string_to(bytes, at)?,
            Some(b't') => word_to(bytes, at, b"true")?,
            Some(b'f') => word_to(bytes, at, b"false")?,
            Some(b'n') => word_to(bytes, at, b"null")?,
            _ => number_to(bytes, at)?,
        };
        // What follows a value.
        loop {
            at = skip_space(bytes, at);
            let Some(&object) = open.last() else {
                return if at == bytes.len() { Ok(()) } else { Err(at) };
            };
            match bytes.get(at) {
                Some(b',') => {
                    at = skip_space(bytes, at + 1);
                    if object {
                        at = key_to(bytes, at)?;
                    }
                    break;
                }
                Some(b'}') if object => at += 1,
                Some(b']') if !object => at += 1,
                _ => return Err(at),
            }
            open.pop();
        }
    }
}

/// Over a key and its colon to the value.
fn key_to(bytes: &[u8], at: usize) -> Result<usize, usize> {
    if bytes.get(at) != Some(&b'"') {
        return Err(at);
    }
    let colon = skip_space(bytes, string_to(bytes, at)?);
    if bytes.get(colon) == Some(&b':') { Ok(skip_space(bytes, colon + 1)) } else { Err(colon) }
}

fn string_to(bytes: &[u8], start: usize) -> Result<usize, usize> {
    let mut at = start + 1;
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => match bytes.get(at + 1) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                Some(b'u') => {
                    let digits = (at + 2..at + 6).find(|&at| !bytes.get(at).is_some_and(u8::is_ascii_hexdigit));
                    digits.map_or(Ok(()), Err)?;
                    at += 6;
                }
                _ => return Err(at + 1),
            },
            Some(0x20..) => at += 1,
            _ => return Err(at),
        }
    }
}

fn word_to(bytes: &[u8], start: usize, word: &[u8]) -> Result<usize, usize> {
    let wrong = word.iter().zip(start..).find(|&(letter, at)| bytes.get(at) != Some(letter));
    wrong.map_or(Ok(start + word.len()), |(_, at)| Err(at))
}

fn number_to(bytes: &[u8], start: usize) -> Result<usize, usize> {
    let digits = |from: usize| {
        let end = (from..).find(|&at| !bytes.get(at).is_some_and(u8::is_ascii_digit)).unwrap_or(from);
        if end == from { Err(from) } else { Ok(end) }
    };
    let whole = start + usize::from(bytes.get(start) == Some(&b'-'));
    let mut at = if bytes.get(whole) == Some(&b'0') { whole + 1 } else { digits(whole)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at = digits(at + 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-'))))?;
    }
    Ok(at)
}

/// What kind of value a text is, for messages: "an object", "a string"…
#[must_use]
pub fn kind(text: &str) -> &'static str {
    match text.trim_start().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(_) => "a number",
        None => "nothing",
    }
}

/// One member of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The key with its quotes, as written.
    pub key: &'a str,
    /// The value as written.
    pub value: &'a str,
    /// Key, colon and value as written.
    pub text: &'a str,
}

impl Member<'_> {
    /// Whether the key says this, however it is escaped.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        says(self.key, name)
    }
}

/// The members of an object in text order; `None` if it is no object.
#[must_use]
pub fn members(text: &str) -> Option<Members<'_>> {
    let at = skip_space(text.as_bytes(), 0);
    (text.as_bytes().get(at) == Some(&b'{')).then_some(Members { text, at: at + 1 })
}

/// See [`members`].
#[derive(Clone, Debug)]
pub struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let bytes = self.text.as_bytes();
        let start = skip_separator(bytes, self.at);
        if bytes.get(start) != Some(&b'"') {
            return None;
        }
        let key_end = skip_string(bytes, start);
        let colon = skip_space(bytes, key_end);
        if bytes.get(colon) != Some(&b':') {
            return None;
        }
        let value = skip_space(bytes, colon + 1);
        let end = skip_value(bytes, value);
        self.at = end;
        Some(Member {
            key: self.text.get(start..key_end)?,
            value: self.text.get(value..end).filter(|value| !value.is_empty())?,
            text: self.text.get(start..end)?,
        })
    }
}

/// The elements of an array in order; `None` if it is no array.
#[must_use]
pub fn elements(text: &str) -> Option<Elements<'_>> {
    let at = skip_space(text.as_bytes(), 0);
    (text.as_bytes().get(at) == Some(&b'[')).then_some(Elements { text, at: at + 1 })
}

/// See [`elements`].
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let start = skip_separator(bytes, self.at);
        let end = skip_value(bytes, start);
        self.at = end;
        self.text.get(start..end).filter(|value| !value.is_empty())
    }
}

/// Why members could not be picked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PickError {
    /// Another kind of value.
    #[error("it is {0}; expected an object")]
    NotAnObject(&'static str),
    /// Two readers could each take another one.
    #[error("member `{0}` stands there twice")]
    Duplicate(&'static str),
}

/// The values of some members of an object, each `None` if it is not there.
///
/// # Errors
/// The text is no object, or one of the names stands there twice.
pub fn pick<'a, const N: usize>(text: &'a str, names: [&'static str; N]) -> Result<[Option<&'a str>; N], PickError> {
    let mut found = [None; N];
    for member in members(text).ok_or(PickError::NotAnObject(kind(text)))? {
        for (slot, name) in found.iter_mut().zip(names) {
            if member.is(name) && slot.replace(member.value).is_some() {
                return Err(PickError::Duplicate(name));
            }
        }
    }
    Ok(found)
}

/// One member's value; the last one if it stands there twice, as most readers do.
#[must_use]
pub fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    members(text)?.filter(|member| member.is(name)).last().map(|member| member.value)
}

/// What a string says; `None` for another kind of value, or for one that is no Unicode text (a lone surrogate).
#[must_use]
pub fn string(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { unescaped(inner).map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split('\\');
    out.push_str(parts.next()?);
    // Two of these are one character beyond the first 65,536.
    let mut high: Option<u32> = None;
    while let Some(part) = parts.next() {
        let mut rest = part.chars();
        let plain = match rest.next() {
            Some('u') => {
                let unit = u32::from_str_radix(part.get(1..5)?, 16).ok()?;
                rest = part.get(5..)?.chars();
                match (high.take(), unit) {
                    (None, 0xd800..=0xdbff) => {
                        high = Some(unit);
                        None
                    }
                    (None, unit) => Some(char::from_u32(unit)?),
                    (Some(high), 0xdc00..=0xdfff) => {
                        Some(char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (unit - 0xdc00))?)
                    }
                    _ => return None,
                }
            }
            // An escaped backslash: what follows up to the next one is plain.
            None => {
                rest = parts.next()?.chars();
                Some('\\')
            }
            Some('b') => Some('\u{8}'),
            Some('f') => Some('\u{c}'),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some(c @ ('"' | '/')) => Some(c),
            Some(_) => return None,
        };
        if high.is_some() && (plain.is_some() || !rest.as_str().is_empty()) {
            return None;
        }
        out.extend(plain);
        out.push_str(rest.as_str());
    }
    if high.is_some() { None } else { Some(out) }
}

/// Whether a value is a string that says this.
#[must_use]
pub fn says(text: &str, what: &str) -> bool {
    string(text).is_some_and(|said| said == what)
}

/// An integer that fits, however it is spelt (`7`, `7.0`).
#[must_use]
pub fn integer(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| {
        let number: f64 =
            text.parse().ok().filter(|_| text.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']))?;
        #[expect(clippy::cast_possible_truncation, reason = "checked: it is the same number again afterwards")]
        let whole = number as i64;
        #[expect(clippy::cast_precision_loss, reason = "only whole numbers below 2^53 pass")]
        let same = whole as f64 == number && whole.unsigned_abs() < 1 << 53;
        same.then_some(whole)
    })
}

/// Text as a JSON string.
#[must_use]
pub fn quote(text: &str) -> String {
    if text.bytes().any(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\')) {
        return serde_json::Value::from(text).to_string();
    }
    // Most need no escapes: names, methods.
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    out.push_str(text);
    out.push('"');
    out
}

/// Replaces parts of a text and copies every other byte.
#[derive(Clone, Debug)]
pub struct Splice<'a> {
    text: &'a str,
    edits: Vec<(Range<usize>, Cow<'a, str>)>,
}

impl<'a> Splice<'a> {
    /// Begins with the text as it is.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, edits: Vec::new() }
    }

    /// Puts `with` in place of `part`, which must be a slice of the text: what [`pick`] or [`members`] gave. A part
    /// from elsewhere, or one that overlaps another edit, is left as it is.
    #[must_use]
    pub fn replace(mut self, part: &str, with: impl Into<Cow<'a, str>>) -> Self {
        if let Some(range) = range_in(self.text, part)
            && self.edits.iter().all(|(other, _)| range.end <= other.start || other.end <= range.start)
        {
            self.edits.push((range, with.into()));
        }
        self
    }

    /// The edited text.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.edits.sort_by_key(|(range, _)| range.start);
        let grown = self.edits.iter().map(|(_, with)| with.len()).sum::<usize>();
        let mut out = String::with_capacity(self.text.len() + grown);
        let mut at = 0;
        for (range, with) in &self.edits {
            out.push_str(self.text.get(at..range.start).unwrap_or_default());
            out.push_str(with);
            at = range.end;
        }
        out.push_str(self.text.get(at..).unwrap_or_default());
        out
    }
}

/// An object without some members and with others after the rest; the members that stay are copied as written.
///
/// A text that is no object is taken for an empty one.
#[must_use]
pub fn rewrite(text: &str, without: impl Fn(&Member<'_>) -> bool, with: &[(&str, &str)]) -> String {
    let added = with.iter().map(|(key, value)| key.len() + value.len() + 4).sum::<usize>();
    let mut out = String::with_capacity(text.len() + added + 2);
    out.push('{');
    let mut separator = "";
    for member in members(text).into_iter().flatten().filter(|member| !without(member)) {
        out.push_str(separator);
        out.push_str(member.text);
        separator = ",";
    }
    for (key, value) in with {
        out.push_str(separator);
        out.push_str(&quote(key));
        out.push(':');
        out.push_str(value);
        separator = ",";
    }
    out.push('}');
    out
}

/// An object with its members in the order of their names and nothing between them, and so all the way down; anything else
/// as it is. Two spellings of the same become one text, as far as that is worth its while.
#[must_use]
pub fn canonical(text: &str) -> String {
    fn written(text: &str, depth: usize) -> String {
        let Some(members) = members(text).filter(|_| depth < 16) else { return String::from(text) };
        let mut members: Vec<_> = members.map(|member| (member.key, written(member.value, depth + 1))).collect();
        members.sort();
        let members: Vec<_> = members.iter().map(|(key, value)| alloc::format!("{key}:{value}")).collect();
        alloc::format!("{{{}}}", members.join(","))
    }
    written(text, 0)
}

/// Where a slice of a text stands in it; `None` if it is no slice of it.
#[must_use]
pub fn range_in(text: &str, part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    core::ptr::eq(text.get(start..end)?, part).then_some(start..end)
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

fn skip_separator(bytes: &[u8], at: usize) -> usize {
    let at = skip_space(bytes, at);
    if bytes.get(at) == Some(&b',') { skip_space(bytes, at + 1) } else { at }
}

/// From an opening quote to behind the closing one.
fn skip_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        at = next_mark(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return at + 1,
            Some(_) => at += 2,
            None => return bytes.len(),
        }
    }
}

/// Where the next quote or backslash stands from `at` on, or the end. Most of a long result is one string: eight bytes are
/// looked at together.
fn next_mark(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // The lowest set bit is in the first byte of `word` that is `byte`.
    let places = |word: u64, byte: u8| {
        let zeros = word ^ (ONES * u64::from(byte));
        zeros.wrapping_sub(ONES) & !zeros & (ONES << 7)
    };
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*eight);
        let found = places(word, b'"') | places(word, b'\\');
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|byte| matches!(byte, b'"' | b'\\')))
        .map_or(bytes.len(), |n| at + n)
}

/// Iterative, so that no depth of nesting can exhaust the stack.
fn skip_value(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match bytes.get(at) {
            None => return bytes.len(),
            Some(b'"') => at = skip_string(bytes, at),
            Some(b'{' | b'[') => {
                depth += 1;
                at += 1;
            }
            Some(b'}' | b']') if depth == 0 => return at,
            Some(b'}' | b']') => {
                depth -= 1;
                at += 1;
            }
            Some(b',' | b':' | b' ' | b'\t' | b'\n' | b'\r') if depth == 0 => return at,
            Some(_) if depth > 0 => {
                at += 1;
                continue;
            }
            Some(_) => {
                while !matches!(bytes.get(at), None | Some(b',' | b':' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')) {
                    at += 1;
                }
            }
        }
        if depth == 0 {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn members_are_the_bytes_they_were() {
        let text = " {\"a\" : 1.50e+3 , \"\\u0062\":{\"x\":[\"]}\",\"\\\"\"]}, \"c\":\"é\"\n} ";
        let found: Vec<_> = members(text).unwrap().map(|m| (m.key, m.value)).collect();
        assert_eq!(found, vec![("\"a\"", "1.50e+3"), ("\"\\u0062\"", "{\"x\":[\"]}\",\"\\\"\"]}"), ("\"c\"", "\"é\"")]);
        assert_eq!(member(text, "b"), Some("{\"x\":[\"]}\",\"\\\"\"]}"));
        assert_eq!(members("{}").unwrap().count(), 0);
        assert!(members("[1]").is_none());
        assert_eq!(
            elements("[1, [2,3] ,\"x\",{\"y\":4}]").unwrap().collect::<Vec<_>>(),
            ["1", "[2,3]", "\"x\"", "{\"y\":4}"]
        );
        assert_eq!(elements("[ ]").unwrap().count(), 0);
    }

    #[test]
    fn strings_end_where_they_end_byte_for_byte() {
        let slowly = |bytes: &[u8], mut at: usize| loop {
            match bytes.get(at) {
                Some(b'"' | b'\\') | None => return at.min(bytes.len()),
                Some(_) => at += 1,
            }
        };
        let fillers = [b'x', 0, 0x7f, 0x80, 0xff, b'!', b'#', b'[', b']', 0xa2, 0xdc, 0x5d, 0x23];
        for length in 0..40 {
            for filler in fillers {
                for mark in [b'"', b'\\', filler] {
                    for place in 0..=length {
                        let mut bytes = vec![filler; length];
                        if let Some(byte) = bytes.get_mut(place) {
                            *byte = mark;
                        }
                        for at in [0, 1, 7, 8, 9, 41] {
                            assert_eq!(next_mark(&bytes, at), slowly(&bytes, at), "{bytes:?} from {at}");
                        }
                    }
                }
            }
        }
        assert_eq!(skip_string(br#""abcdefgh\"ijklmnopqrst", 1"#, 0), 24);
    }

    #[test]
    fn twice_is_once_too_often() {
        let text = r#"{"name":"a","x":1,"n\u0061me":"b"}"#;
        assert_eq!(pick(text, ["x"]), Ok([Some("1")]));
        assert_eq!(pick(text, ["name"]), Err(PickError::Duplicate("name")));
        assert_eq!(PickError::Duplicate("name").to_string(), "member `name` stands there twice");
        assert_eq!(pick("[]", ["x"]).unwrap_err().to_string(), "it is an array; expected an object");
    }

    #[test]
    fn a_splice_changes_one_value_and_nothing_else() {
        let text = r#"{ "a" :1, "b":"x" ,"c":[ ] }"#;
        let [a, b] = pick(text, ["a", "b"]).unwrap();
        let edited = Splice::new(text).replace(b.unwrap(), "null").replace(a.unwrap(), "{}").finish();
        assert_eq!(edited, r#"{ "a" :{}, "b":null ,"c":[ ] }"#);
        assert_eq!(Splice::new(text).replace("elsewhere", "?").finish(), text);
    }

    #[test]
    fn members_go_and_come() {
        let text = r#"{ "a": 1 , "b" :2,"c":3}"#;
        assert_eq!(rewrite(text, |m| m.is("b"), &[("d", "4")]), r#"{"a": 1,"c":3,"d":4}"#);
        assert_eq!(rewrite("{}", |_| false, &[("a\"", "1")]), r#"{"a\"":1}"#);
    }

    #[test]
    fn scalars_are_read_as_meant() {
        assert_eq!(string(r#""a\u00e9b""#).unwrap(), "aéb");
        assert_eq!(string(r#""\ud800""#), None);
        assert_eq!(string("1"), None);
        assert_eq!(
            (integer("7"), integer("7.0"), integer("7e0"), integer("7.5"), integer("\"7\""), integer("1e300")),
            (Some(7), Some(7), Some(7), None, None, None)
        );
    }

    #[test]
    fn what_is_json_is_json_to_the_library_too() {
        let sound = r#" {"a" : [1, -0.5e+3, 0, true,false , null, "x\u00e9\n\\/\"é", {}, [ ]], "b":{"c":"" }} "#;
        assert_eq!(check(sound), Ok(()));
        let bytes = sound.as_bytes();
        for at in 0..=bytes.len() {
            for with in [b"".as_slice(), b"\"", b",", b"}", b"]", b":", b"\\", b"0", b"e", b"\n", b"x"] {
                for skipped in 0..2 {
                    let tail = bytes.get(at + skipped..).unwrap_or_default();
                    let Ok(text) = String::from_utf8([&bytes[..at], with, tail].concat()) else { continue };
                    assert_eq!(check(&text).is_ok(), is_valid(&text), "{text}");
                }
            }
        }
        assert_eq!(check("[{]"), Err(Stop { line: 1, column: 3 }));
        assert_eq!(check("{\n \"é\": tru"), Err(Stop { line: 2, column: 11 }));
        assert_eq!(check(""), Err(Stop { line: 1, column: 1 }));
    }

    #[test]
    fn strings_say_what_they_say_to_the_library_too() {
        let units = ["\\", "u", "d83d", "\\ude00", "\\ud83d", "\\n", "\\\\", "\\\"", "x", "00e9", "\\u00e9", "\\q"];
        for a in units {
            for b in units {
                for c in units {
                    let text = alloc::format!("\"{a}{b}{c}\"");
                    if is_valid(&text) {
                        assert_eq!(string(&text).map(Cow::into_owned), serde_json::from_str(&text).ok(), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_quoted_is_what_the_library_quotes() {
        for code in (0..0x300).chain([0x7f, 0xffff, 0x1f600]) {
            let Some(c) = char::from_u32(code) else { continue };
            for text in [alloc::format!("{c}"), alloc::format!("a{c}b")] {
                assert_eq!(quote(&text), serde_json::Value::from(text.as_str()).to_string());
            }
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = "[".repeat(200_000) + &"]".repeat(200_000);
        let text = alloc::format!("{{\"a\":{deep},\"b\":1}}");
        assert!(is_valid(&text) && check(&text).is_ok());
        assert_eq!(member(&text, "b"), Some("1"));
    }
}
