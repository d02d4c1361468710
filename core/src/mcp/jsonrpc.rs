//! JSON-RPC 2.0 envelopes over borrowed text: read once, nothing inside `params`, `result` or `error` is touched.
//!
//! It knows no methods and checks no parameters.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use core::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{code, json};

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Wants an answer.
    Request(Request<'a>),
    /// Wants none.
    Notification(Notification<'a>),
    /// Is one.
    Response(Response<'a>),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The whole message.
    pub text: &'a str,
    /// Its id.
    pub id: Id<'a>,
    /// Its method.
    pub method: Cow<'a, str>,
    /// Its parameters as written.
    pub params: Option<&'a str>,
}

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// The whole message.
    pub text: &'a str,
    /// Its method.
    pub method: Cow<'a, str>,
    /// Its parameters as written.
    pub params: Option<&'a str>,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The whole message.
    pub text: &'a str,
    /// To which request; an error may answer none (`null` or absent).
    pub id: Option<Id<'a>>,
    /// What it says.
    pub outcome: Outcome<'a>,
}

/// What a response says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// `result` as written.
    Result(&'a str),
    /// `error` as written.
    Error(&'a str),
}

/// The id of a request: a string or an integer, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id<'a>(&'a str);

impl<'a> Id<'a> {
    /// As it was written, quotes included.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.0
    }

    /// Whether it is this number.
    #[must_use]
    pub fn is_number(self, number: u64) -> bool {
        json::integer(self.0).is_some_and(|id| u64::try_from(id) == Ok(number))
    }

    pub(super) fn read(text: &'a str) -> Option<Self> {
        let integer = text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit());
        (text.starts_with('"') || integer).then_some(Self(text))
    }
}

/// Why a text is no message. Nothing of the text itself is in the words: it may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No bytes, or white space.
    #[error("it is empty; expected a JSON-RPC message")]
    Empty,
    /// RFC 8259 section 8.1.
    #[error("byte {0} is not UTF-8")]
    NotUtf8(usize),
    /// Ends early.
    #[error("it ends in the middle of its JSON, at line {line} column {column}")]
    CutShort {
        /// From 1.
        line: usize,
        /// Bytes, from 1.
        column: usize,
    },
    /// Not JSON.
    #[error("it is not JSON at line {line} column {column}")]
    NotJson {
        /// From 1.
        line: usize,
        /// Bytes, from 1.
        column: usize,
    },
    /// An array.
    #[error("it is an array; batches are not accepted")]
    Batch,
    /// A string, a number…
    #[error("it is {0}; expected a JSON-RPC message, which is an object")]
    NotAnObject(&'static str),
    /// Two readers could each take another one.
    #[error("member `{0}` stands there twice")]
    Duplicate(&'static str),
    /// Not JSON-RPC 2.0.
    #[error("member `jsonrpc` is {0}; expected \"2.0\"")]
    Version(&'static str),
    /// `null`, an object, a fraction.
    #[error("member `id` is {0}; expected a string or an integer")]
    BadId(&'static str),
    /// Not a string.
    #[error("member `method` is {0}; expected a string")]
    BadMethod(&'static str),
    /// Neither request nor response.
    #[error("it has neither `method` nor `result` nor `error`")]
    Shapeless,
    /// More than one of them.
    #[error("it has more than one of `method`, `result` and `error`")]
    Ambiguous,
    /// A result must say whose it is.
    #[error("it has a `result` but no `id`")]
    ResultWithoutId,
}

impl Fault {
    /// Parse error for what is no JSON, invalid request for the rest (JSON-RPC 2.0 section 5.1).
    #[must_use]
    pub fn code(&self) -> i64 {
        match self {
            Self::Empty | Self::NotUtf8(_) | Self::CutShort { .. } | Self::NotJson { .. } => code::PARSE,
            _ => code::INVALID_REQUEST,
        }
    }
}

/// A text that is no message, and the id under which an answer can say so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct Malformed<'a> {
    /// What is wrong.
    pub fault: Fault,
    /// Its id, where that could be read.
    pub id: Option<Id<'a>>,
}

/// Reads one message: its JSON is validated whole, only the envelope is looked at.
///
/// # Errors
/// It is not valid JSON, or not a message of JSON-RPC 2.0 as MCP narrows it (ids are never `null`).
pub fn parse(bytes: &[u8]) -> Result<Message<'_>, Malformed<'_>> {
    let text = core::str::from_utf8(bytes).map_err(|error| without_id(Fault::NotUtf8(error.valid_up_to())))?;
    parse_text(text)
}

/// As [`parse`], for text.
///
/// # Errors
/// As [`parse`].
pub fn parse_text(text: &str) -> Result<Message<'_>, Malformed<'_>> {
    let members = envelope(text).map_err(without_id)?;
    let [version, id, method, params, result, error] = members.values;
    let id_or_fault = id.map(|id| {
        Id::read(id).ok_or(Fault::BadId(match json::kind(id) {
            "a number" => "a fraction",
            kind => kind,
        }))
    });
    // Clients that write `null` for what they do not have mean none (JSON-RPC 2.0 section 4: it may be omitted).
    let params = params.filter(|params| *params != "null");
    let readable = id_or_fault.clone().and_then(Result::ok);
    let fail = |fault| Malformed { fault, id: readable };
    if let Some(name) = members.duplicate {
        // With two ids nobody can say which one was meant.
        return Err(Malformed { fault: Fault::Duplicate(name), id: readable.filter(|_| name != "id") });
    }
    match version {
        Some(version) if json::says(version, "2.0") => {}
        Some(version) => {
            return Err(fail(Fault::Version(match json::kind(version) {
                "a string" => "another string",
                kind => kind,
            })));
        }
        None => return Err(fail(Fault::Version("missing"))),
    }
    match (method, result, error) {
        (Some(method), None, None) => {
            let method = json::string(method).ok_or_else(|| fail(Fault::BadMethod(json::kind(method))))?;
            match id_or_fault {
                Some(id) => Ok(Message::Request(Request { text, id: id.map_err(fail)?, method, params })),
                None => Ok(Message::Notification(Notification { text, method, params })),
            }
        }
        (None, Some(result), None) => {
            let id = Some(id_or_fault.ok_or_else(|| fail(Fault::ResultWithoutId))?.map_err(fail)?);
            Ok(Message::Response(Response { text, id, outcome: Outcome::Result(result) }))
        }
        (None, None, Some(error)) => {
            let id = id_or_fault.filter(|_| id != Some("null")).transpose().map_err(fail)?;
            Ok(Message::Response(Response { text, id, outcome: Outcome::Error(error) }))
        }
        (None, None, None) => Err(fail(Fault::Shapeless)),
        _ => Err(fail(Fault::Ambiguous)),
    }
}

/// A response with both `result` and `error`, without the one that is `null`: libraries that know JSON-RPC 1.0 write
/// both. `None` where neither is `null`, or one is missing.
#[must_use]
pub fn without_null_outcome(text: &str) -> Option<String> {
    let null = match (json::member(text, "result")?, json::member(text, "error")?) {
        (_, "null") => "error",
        ("null", _) => "result",
        _ => return None,
    };
    Some(json::rewrite(text, |member| member.is(null), &[]))
}

/// What an `error` member says (JSON-RPC 2.0 section 5.1), read leniently: what is missing is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorObject<'a> {
    /// The code; internal error if there is none.
    pub code: i64,
    /// The message. It is the other side's text and may hold anything: not for logs.
    pub message: Cow<'a, str>,
    /// `data` as written.
    pub data: Option<&'a str>,
}

impl<'a> ErrorObject<'a> {
    /// Reads the `error` member of a message.
    #[must_use]
    pub fn read(text: &'a str) -> Self {
        Self {
            code: json::member(text, "code").and_then(json::integer).unwrap_or(code::INTERNAL),
            message: json::member(text, "message").and_then(json::string).unwrap_or_default(),
            data: json::member(text, "data"),
        }
    }
}

/// A request. `id` and `params` are JSON.
#[must_use]
pub fn request(id: impl fmt::Display, method: &str, params: Option<&str>) -> String {
    match params {
        Some(params) => {
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{},"params":{params}}}"#, json::quote(method))
        }
        None => format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{}}}"#, json::quote(method)),
    }
}

/// A notification. `params` is JSON.
#[must_use]
pub fn notification(method: &str, params: Option<&str>) -> String {
    match params {
        Some(params) => format!(r#"{{"jsonrpc":"2.0","method":{},"params":{params}}}"#, json::quote(method)),
        None => format!(r#"{{"jsonrpc":"2.0","method":{}}}"#, json::quote(method)),
    }
}

/// A response with a result. `id` and `result` are JSON.
#[must_use]
pub fn result(id: &str, result: &str) -> String {
    let mut text = String::with_capacity(id.len() + result.len() + 40);
    for part in [r#"{"jsonrpc":"2.0","id":"#, id, r#","result":"#, result, "}"] {
        text.push_str(part);
    }
    text
}

/// A response with an error. `id` and `data` are JSON; without an id it is `null` (JSON-RPC 2.0 section 5).
#[must_use]
pub fn error(id: Option<&str>, code: i64, message: &str, data: Option<&str>) -> String {
    let id = id.unwrap_or("null");
    let message = json::quote(message);
    match data {
        Some(data) => {
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message},"data":{data}}}}}"#)
        }
        None => format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message}}}}}"#),
    }
}

fn without_id<'a>(fault: Fault) -> Malformed<'a> {
    Malformed { fault, id: None }
}

const NAMES: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

#[derive(Default)]
struct Envelope<'a> {
    values: [Option<&'a str>; NAMES.len()],
    duplicate: Option<&'static str>,
}

/// One pass over the text: validates all of it and keeps where six members stand.
fn envelope(text: &str) -> Result<Envelope<'_>, Fault> {
    match text.trim_start_matches([' ', '\t', '\n', '\r']).as_bytes().first() {
        None => return Err(Fault::Empty),
        Some(b'{') => {}
        Some(_) if !json::is_valid(text) => {
            let error = serde_json::from_str::<IgnoredAny>(text).err();
            return Err(error.map_or(Fault::Shapeless, |error| json_fault(&error)));
        }
        Some(b'[') => return Err(Fault::Batch),
        Some(_) => return Err(Fault::NotAnObject(json::kind(text))),
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let found = EnvelopeSeed.deserialize(&mut json).map_err(|error| json_fault(&error))?;
    json.end().map_err(|error| json_fault(&error))?;
    Ok(found)
}

fn json_fault(error: &serde_json::Error) -> Fault {
    let (line, column) = (error.line(), error.column());
    if error.is_eof() { Fault::CutShort { line, column } } else { Fault::NotJson { line, column } }
}

struct EnvelopeSeed;

impl<'de> DeserializeSeed<'de> for EnvelopeSeed {
    type Value = Envelope<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Envelope<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EnvelopeSeed {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
        let mut found = Envelope::default();
        while let Some(place) = map.next_key_seed(KeySeed)? {
            let Some(place) = place else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value::<&RawValue>()?.get();
            let slot = found.values.get_mut(place).ok_or_else(|| A::Error::custom("no such place"))?;
            if slot.replace(value).is_some() {
                found.duplicate = found.duplicate.or(NAMES.get(place).copied());
            }
        }
        Ok(found)
    }
}

/// Reads a key as bytes, so that one with a lone surrogate passes like any other unknown member.
struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E>(self, key: &[u8]) -> Result<Option<usize>, E> {
        Ok(NAMES.iter().position(|name| name.as_bytes() == key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_message_is_one_of_three() {
        let text = r#" {"x":[1e400],"params":{"a" : 1.50},"method":"a\u002fb","id":"\u0031","jsonrpc":"2.0"} "#;
        let Ok(Message::Request(request)) = parse(text.as_bytes()) else { panic!("a request") };
        assert_eq!((request.id.text(), request.method.as_ref()), (r#""\u0031""#, "a/b"));
        assert_eq!((request.params, request.text), (Some(r#"{"a" : 1.50}"#), text));
        let text = r#"{"jsonrpc":"2.0","method":"m","params":null}"#;
        let Ok(Message::Notification(notification)) = parse_text(text) else { panic!("a notification") };
        assert_eq!((notification.method.as_ref(), notification.params, notification.text), ("m", None, text));
        for (text, id, outcome) in [
            (r#"{"jsonrpc":"2.0","id":-7,"result":null}"#, Some("-7"), Outcome::Result("null")),
            (r#"{"jsonrpc":"2.0","id":null,"error":{}}"#, None, Outcome::Error("{}")),
            (r#"{"jsonrpc":"2.0","error":{}}"#, None, Outcome::Error("{}")),
        ] {
            let Ok(Message::Response(response)) = parse_text(text) else { panic!("a response") };
            assert_eq!((response.id.map(Id::text), response.outcome), (id, outcome));
        }
    }

    #[test]
    fn an_unknown_member_may_be_anything() {
        // A lone surrogate is no text, but nobody reads it here.
        let text = r#"{"\ud800":"\udfff","jsonrpc":"2.0","id":1,"result":{"\ud800":1}}"#;
        assert!(matches!(parse_text(text), Ok(Message::Response(_))));
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{deep}}}"#);
        assert!(matches!(parse_text(&text), Ok(Message::Response(_))));
        assert_eq!(parse_text(&deep).unwrap_err().fault, Fault::Batch);
    }

    #[test]
    fn what_is_no_message_says_why_and_under_which_id() {
        for (text, id, code, words) in [
            (" \n", None, code::PARSE, "it is empty; expected a JSON-RPC message"),
            ("{\n\"a\":", None, code::PARSE, "it ends in the middle of its JSON, at line 2 column 4"),
            ("{\"a\":1}}", None, code::PARSE, "it is not JSON at line 1 column 8"),
            ("[1", None, code::PARSE, "it ends in the middle of its JSON, at line 1 column 2"),
            ("[]", None, code::INVALID_REQUEST, "it is an array; batches are not accepted"),
            ("true", None, code::INVALID_REQUEST, "it is a boolean; expected a JSON-RPC message, which is an object"),
            (r#"{"id":1}"#, Some("1"), code::INVALID_REQUEST, "member `jsonrpc` is missing; expected \"2.0\""),
            (
                r#"{"jsonrpc":2,"id":1}"#,
                Some("1"),
                code::INVALID_REQUEST,
                "member `jsonrpc` is a number; expected \"2.0\"",
            ),
            (
                r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#,
                None,
                code::INVALID_REQUEST,
                "member `id` is an object; expected a string or an integer",
            ),
            (
                r#"{"jsonrpc":"2.0","id":1e3,"method":"m"}"#,
                None,
                code::INVALID_REQUEST,
                "member `id` is a fraction; expected a string or an integer",
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":null}"#,
                Some("1"),
                code::INVALID_REQUEST,
                "member `method` is null; expected a string",
            ),
            (
                r#"{"jsonrpc":"2.0","id":1}"#,
                Some("1"),
                code::INVALID_REQUEST,
                "it has neither `method` nor `result` nor `error`",
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"result":1,"error":{}}"#,
                Some("1"),
                code::INVALID_REQUEST,
                "it has more than one of `method`, `result` and `error`",
            ),
            (r#"{"jsonrpc":"2.0","result":1}"#, None, code::INVALID_REQUEST, "it has a `result` but no `id`"),
            (
                r#"{"jsonrpc":"2.0","id":1,"params":1,"p\u0061rams":2,"method":"m"}"#,
                Some("1"),
                code::INVALID_REQUEST,
                "member `params` stands there twice",
            ),
        ] {
            let wrong = parse_text(text).unwrap_err();
            assert_eq!(wrong.to_string(), words, "{text}");
            assert_eq!((wrong.id.map(Id::text), wrong.fault.code()), (id, code), "{text}");
        }
        assert_eq!(parse(b"{\xff").unwrap_err().to_string(), "byte 1 is not UTF-8");
    }

    #[test]
    fn an_outcome_that_is_null_beside_the_other_is_none() {
        let without = |members| without_null_outcome(&format!(r#"{{"jsonrpc":"2.0",{members},"id":1}}"#));
        let left = |members| Some(format!(r#"{{"jsonrpc":"2.0",{members},"id":1}}"#));
        assert_eq!(without(r#""result":{ "a":1.0},"error":null"#), left(r#""result":{ "a":1.0}"#));
        assert_eq!(without(r#""error":{},"result":null"#), left(r#""error":{}"#));
        assert_eq!(without(r#""error":null,"result":null"#), left(r#""result":null"#));
        assert_eq!(without(r#""error":{},"result":{}"#), None);
        assert_eq!(without(r#""result":null"#), None);
    }

    #[test]
    fn ids_are_compared_as_numbers() {
        let number = |text| Id::read(text).is_some_and(|id| id.is_number(7));
        assert!(number("7"));
        assert!(!number("\"7\"") && !number("-7") && !number("8") && !number("7.0"));
    }

    #[test]
    fn messages_are_written() {
        assert_eq!(request(7, "m\"", Some("{}")), r#"{"jsonrpc":"2.0","id":7,"method":"m\"","params":{}}"#);
        assert_eq!(request("\"a\"", "m", None), r#"{"jsonrpc":"2.0","id":"a","method":"m"}"#);
        assert_eq!(notification("m", Some("{}")), r#"{"jsonrpc":"2.0","method":"m","params":{}}"#);
        assert_eq!(result("1", "{}"), r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        assert_eq!(
            error(None, -1, "no \"x\"", Some("[]")),
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"no \"x\"","data":[]}}"#
        );
        let error = ErrorObject::read(r#"{"code":-3.20e4,"message":"\u0061","data":{"b" :1}}"#);
        assert_eq!((error.code, error.message.as_ref(), error.data), (-32000, "a", Some(r#"{"b" :1}"#)));
        assert_eq!(ErrorObject::read("7").code, code::INTERNAL);
    }
}
