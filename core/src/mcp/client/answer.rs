//! What an exchange brings back: responses and messages of the backend, as the bytes they were.
//!
//! It does not interpret results.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use super::freshness::Freshness;
use super::remake::Remake;
use crate::mcp::jsonrpc::{self, ErrorObject, Message, Outcome, Response};
use crate::mcp::{Era, json};

/// The response to a call. `Debug` shows no content.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    text: String,
    id: Option<Range<usize>>,
    outcome: Range<usize>,
    is_error: bool,
    /// How the backend speaks: what its result has more or less than the caller's revision allows.
    pub era: Era,
}

impl Reply {
    /// From the text of a response; `None` if it is none.
    #[must_use]
    pub fn read(text: String, era: Era) -> Option<Self> {
        let Ok(Message::Response(response)) = jsonrpc::parse_text(&text) else { return None };
        let places = Places::of(&response)?;
        Some(Self::at(places, text, era))
    }

    /// From a text that has been read already.
    pub(super) fn at(places: Places, text: String, era: Era) -> Self {
        Self { text, id: places.id, outcome: places.outcome, is_error: places.is_error, era }
    }

    /// `result` or `error`, as written.
    #[must_use]
    pub fn outcome(&self) -> Outcome<'_> {
        let part = self.text.get(self.outcome.clone()).unwrap_or_default();
        if self.is_error { Outcome::Error(part) } else { Outcome::Result(part) }
    }

    /// The result, as written.
    #[must_use]
    pub fn result(&self) -> Option<&str> {
        match self.outcome() {
            Outcome::Result(result) => Some(result),
            Outcome::Error(_) => None,
        }
    }

    /// The error.
    #[must_use]
    pub fn error(&self) -> Option<ErrorObject<'_>> {
        match self.outcome() {
            Outcome::Result(_) => None,
            Outcome::Error(error) => Some(ErrorObject::read(error)),
        }
    }

    /// The whole response.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The whole response with another id (JSON), every other byte as it came. An error that named no request gets
    /// the id too.
    #[must_use]
    pub fn with_id(&self, id: &str) -> String {
        match &self.id {
            Some(range) => {
                let mut text = String::with_capacity(self.text.len() + id.len());
                text.push_str(self.text.get(..range.start).unwrap_or_default());
                text.push_str(id);
                text.push_str(self.text.get(range.end..).unwrap_or_default());
                text
            }
            None => json::rewrite(&self.text, |member| member.is("id"), &[("id", id)]),
        }
    }

    /// The whole response with another id and another result (both JSON), every other byte as it came.
    #[must_use]
    pub fn with_id_and_result(&self, id: &str, result: &str) -> String {
        match &self.id {
            Some(range) if !self.is_error => {
                let own_id = self.text.get(range.clone()).unwrap_or_default();
                let own_result = self.text.get(self.outcome.clone()).unwrap_or_default();
                json::Splice::new(&self.text).replace(own_id, id).replace(own_result, result).finish()
            }
            _ => jsonrpc::result(id, result),
        }
    }

    /// The whole response with another id (JSON) and its result made so, every other byte as it came.
    #[must_use]
    pub fn remade(&self, id: &str, remake: &Remake) -> String {
        let own_id = match &self.id {
            Some(range) if !self.is_error => range.clone(),
            _ => return jsonrpc::result(id, &remake.apply(self.result().unwrap_or("{}"))),
        };
        let part = |range: Range<usize>| self.text.get(range).unwrap_or_default();
        let mut out = String::with_capacity(self.text.len() + id.len() + remake.room());
        let result = self.outcome.clone();
        if own_id.end <= result.start {
            out.push_str(part(0..own_id.start));
            out.push_str(id);
            out.push_str(part(own_id.end..result.start));
            remake.write(part(result.clone()), &mut out);
            out.push_str(part(result.end..self.text.len()));
        } else {
            out.push_str(part(0..result.start));
            remake.write(part(result.clone()), &mut out);
            out.push_str(part(result.end..own_id.start));
            out.push_str(id);
            out.push_str(part(own_id.end..self.text.len()));
        }
        out
    }

    /// `resultType` of the result (2026-07-28, basic/index, ResultType); absent means `complete`.
    #[must_use]
    pub fn result_type(&self) -> Option<String> {
        let result = self.result()?;
        Some(match json::member(result, "resultType") {
            None => "complete".to_owned(),
            Some(value) => json::string(value).map_or_else(|| json::kind(value).to_owned(), |text| text.to_string()),
        })
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("is_error", &self.is_error)
            .field("bytes", &self.text.len())
            .field("era", &self.era)
            .finish()
    }
}

/// Where in a response's text its parts stand, so that it is read once.
pub(super) struct Places {
    id: Option<Range<usize>>,
    outcome: Range<usize>,
    is_error: bool,
}

impl Places {
    pub(super) fn of(response: &Response<'_>) -> Option<Self> {
        let (part, is_error) = match response.outcome {
            Outcome::Result(part) => (part, false),
            Outcome::Error(part) => (part, true),
        };
        let id = response.id.and_then(|id| json::range_in(response.text, id.text()));
        Some(Self { id, outcome: json::range_in(response.text, part)?, is_error })
    }
}

/// A message of the backend that is no response: to be relayed, or acted on. `Debug` shows no content.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerMessage {
    /// The whole message. A progress token is the caller's own.
    pub text: String,
    /// Its method.
    pub method: String,
    /// The id as JSON, if it is a request; unique among the open requests of this backend only.
    pub id: Option<String>,
}

impl ServerMessage {
    /// Its parameters, as written.
    #[must_use]
    pub fn params(&self) -> Option<&str> {
        json::member(&self.text, "params")
    }
}

impl fmt::Debug for ServerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ServerMessage");
        shown.field("method", &self.method).field("is_request", &self.id.is_some()).finish_non_exhaustive()
    }
}

/// All pages of a list. `Debug` shows no content.
#[derive(Clone, PartialEq, Eq)]
pub struct Listed {
    /// Each item as written, in the backend's order.
    pub items: Vec<String>,
    /// How many pages there were; none if the backend does not offer such a list.
    pub pages: usize,
    /// How the backend speaks: what its items have more or less than a client's revision allows.
    pub era: Era,
    /// How long the backend says that it may be kept, and for whom: the least of all pages.
    pub freshness: Freshness,
}

impl Listed {
    /// A list on one page, from a backend that does not say how long it may be kept.
    #[must_use]
    pub fn new(items: Vec<String>, era: Era) -> Self {
        Self { items, pages: 1, era, freshness: Freshness::STALE }
    }

    /// That there is no such list.
    #[must_use]
    pub fn none(era: Era) -> Self {
        Self { items: Vec::new(), pages: 0, era, freshness: Freshness::STALE }
    }
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listed").field("items", &self.items.len()).field("pages", &self.pages).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn only_the_id_and_the_result_change() {
        let reply =
            Reply::read(r#"{ "id" : 7, "x":1e400,"result":{"a": 1},"jsonrpc":"2.0"}"#.into(), Era::Legacy).unwrap();
        assert_eq!(reply.with_id("\"c\""), r#"{ "id" : "c", "x":1e400,"result":{"a": 1},"jsonrpc":"2.0"}"#);
        assert_eq!(reply.with_id_and_result("1", "[]"), r#"{ "id" : 1, "x":1e400,"result":[],"jsonrpc":"2.0"}"#);
        let remade = reply.remade("1", &Remake::ForLegacy);
        assert_eq!(remade, r#"{ "id" : 1, "x":1e400,"result":{"a": 1},"jsonrpc":"2.0"}"#);
        let reversed = Reply::read(r#"{"result":{ "a": 1}, "jsonrpc":"2.0","id":7 }"#.into(), Era::Legacy).unwrap();
        assert_eq!(reversed.remade("1", &Remake::ForLegacy), r#"{"result":{"a": 1}, "jsonrpc":"2.0","id":1 }"#);
        assert_eq!(reply.result(), Some(r#"{"a": 1}"#));
        assert_eq!(reply.result_type().as_deref(), Some("complete"));
        assert!(Reply::read(r#"{"jsonrpc":"2.0","method":"m"}"#.into(), Era::Legacy).is_none());
    }

    #[test]
    fn an_error_that_names_no_request_gets_an_id() {
        for text in [r#"{"jsonrpc":"2.0","id":null,"error":{"code":1}}"#, r#"{"jsonrpc":"2.0","error":{"code":1}}"#] {
            let reply = Reply::read(text.into(), Era::Modern).unwrap();
            assert_eq!(reply.with_id("3"), r#"{"jsonrpc":"2.0","error":{"code":1},"id":3}"#);
            assert_eq!(reply.error().map(|error| error.code), Some(1));
            assert_eq!((reply.result(), reply.result_type()), (None, None));
        }
    }

    #[test]
    fn nothing_that_was_said_is_shown() {
        let reply = Reply::read(r#"{"jsonrpc":"2.0","id":1,"result":"s3cr3t"}"#.into(), Era::Legacy).unwrap();
        assert_eq!(format!("{reply:?}"), "Reply { is_error: false, bytes: 42, era: Legacy }");
        let message = ServerMessage { text: r#"{"params":"s3cr3t"}"#.into(), method: "m".into(), id: None };
        assert_eq!(format!("{message:?}"), r#"ServerMessage { method: "m", is_request: false, .. }"#);
        assert_eq!(message.params(), Some("\"s3cr3t\""));
        let listed = Listed::new(alloc::vec!["s3cr3t".into()], Era::Legacy);
        assert_eq!(format!("{listed:?}"), "Listed { items: 1, pages: 1 }");
    }
}
