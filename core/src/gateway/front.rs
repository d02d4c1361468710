//! The HTTP side of a client's request: the headers that matter, and complete answers.
//!
//! It reads no body and knows no routes.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::mcp::http::{self, header};
use crate::mcp::{jsonrpc, sse};

/// A client's request at the MCP endpoint.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The HTTP method, in upper case.
    pub method: &'a str,
    /// The headers that MCP gives a meaning.
    pub headers: Headers<'a>,
    /// The whole body.
    pub body: &'a [u8],
}

/// The headers that MCP gives a meaning. Fill it with [`Headers::add`].
#[derive(Clone, Debug, Default)]
pub struct Headers<'a> {
    content_type: Option<&'a str>,
    content_encoding: Option<&'a str>,
    accept: Vec<&'a str>,
    pub(super) session: Option<&'a str>,
    pub(super) protocol_version: Option<&'a str>,
    pub(super) method: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    last_event_id: Option<&'a str>,
    /// `mcp-param-…`, names as they came.
    pub(super) params: Vec<(&'a str, &'a str)>,
    /// One of which two came, so that two readers could each take another one.
    pub(super) repeated: Option<&'static str>,
}

impl<'a> Headers<'a> {
    /// Takes a header, of any case. One that is not UTF-8 is left out by the caller.
    pub fn add(&mut self, name: &'a str, value: &'a str) {
        let value = value.trim_matches([' ', '\t']);
        let single = [
            (header::CONTENT_TYPE, &mut self.content_type),
            (header::CONTENT_ENCODING, &mut self.content_encoding),
            (header::SESSION_ID, &mut self.session),
            (header::PROTOCOL_VERSION, &mut self.protocol_version),
            (header::METHOD, &mut self.method),
            (header::NAME, &mut self.name),
            (header::LAST_EVENT_ID, &mut self.last_event_id),
        ];
        for (known, slot) in single {
            if name.eq_ignore_ascii_case(known) {
                if slot.replace(value).is_some_and(|before| before != value) {
                    self.repeated = Some(known);
                }
                return;
            }
        }
        if name.eq_ignore_ascii_case(header::ACCEPT) {
            self.accept.push(value);
        } else if name.get(..header::PARAM_PREFIX.len()).is_some_and(|n| n.eq_ignore_ascii_case(header::PARAM_PREFIX)) {
            self.params.push((name, value));
        }
    }

    /// The session it names.
    #[must_use]
    pub fn session_id(&self) -> Option<&'a str> {
        self.session
    }

    /// The event after which a stream is to go on.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&'a str> {
        self.last_event_id.filter(|id| !id.is_empty())
    }

    /// Whether the client reads this media type; without `Accept` it reads all (RFC 9110 section 12.5.1).
    pub fn accepts(&self, media_type: &str) -> bool {
        self.accept.is_empty() || http::accepts(&self.accept.join(","), media_type)
    }

    /// How the body is compressed, if it is.
    pub(super) fn encoding(&self) -> Option<&'a str> {
        self.content_encoding.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
    }

    pub(super) fn media_type(&self) -> Option<String> {
        let value = self.content_type?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }
}

/// A complete answer to a client. `Debug` shows no headers and no body.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body, may be empty.
    pub body: Vec<u8>,
}

impl Response {
    /// A JSON-RPC message.
    #[must_use]
    pub fn json(status: u16, message: String) -> Self {
        let headers = vec![(header::CONTENT_TYPE, http::JSON.to_owned()), ("cache-control", "no-store".to_owned())];
        Self { status, headers, body: message.into_bytes() }
    }

    /// A status without content.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A JSON-RPC error; `id` is JSON.
    #[must_use]
    pub fn error(status: u16, id: Option<&str>, code: i64, message: &str, data: Option<&str>) -> Self {
        Self::json(status, jsonrpc::error(id, code, message, data))
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

impl core::fmt::Debug for Response {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Response").field("status", &self.status).field("body_bytes", &self.body.len()).finish()
    }
}

/// Headers of an answer that is a stream.
pub const STREAM_HEADERS: [(&str, &str); 3] = [
    (header::CONTENT_TYPE, http::EVENT_STREAM),
    ("cache-control", "no-cache, no-transform"),
    // 2026-07-28, streamable-http, Receiving Messages: or a reverse proxy holds events back.
    ("x-accel-buffering", "no"),
];

/// One message as an event of such a stream.
#[must_use]
pub fn event(message: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 24);
    sse::write(&mut out, Some("message"), None, message.as_bytes());
    out
}

/// The same for a message that comes in parts: its data is written behind this.
#[must_use]
pub fn begin_event(out: &mut Vec<u8>) -> sse::Writing {
    out.extend_from_slice(b"event: message\n");
    sse::Writing::begin(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn headers_are_found_whatever_their_case() {
        let mut headers = Headers::default();
        for (name, value) in [
            ("CONTENT-TYPE", "Application/Json ; charset=utf-8"),
            ("Accept", "text/html"),
            ("accept", " application/json;q=0.5 "),
            ("MCP-Session-Id", "s"),
            ("mcp-session-id", "s"),
            ("Mcp-Param-Region", "us"),
            ("x-other", "y"),
        ] {
            headers.add(name, value);
        }
        assert_eq!(headers.media_type().as_deref(), Some("application/json"));
        assert!(headers.accepts(http::JSON) && !headers.accepts(http::EVENT_STREAM));
        assert_eq!((headers.session_id(), headers.repeated), (Some("s"), None));
        assert_eq!(headers.params, [("Mcp-Param-Region", "us")]);
        headers.add("Mcp-Session-Id", "t");
        assert_eq!(headers.repeated, Some("mcp-session-id"));
        assert!(Headers::default().accepts(http::EVENT_STREAM));
    }

    #[test]
    fn an_answer_shows_no_content() {
        let response = Response::json(200, "s3cr3t".into()).with("mcp-session-id", "s3cr3t");
        assert_eq!(format!("{response:?}"), "Response { status: 200, body_bytes: 6 }");
        assert_eq!(event("{}\n"), b"event: message\ndata: {}\ndata: \n\n");
    }
}
