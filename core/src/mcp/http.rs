//! One HTTP request and what comes back, as the seam between exchanges (core) and the transport (a host).
//!
//! Header names and their encodings stand here too. It holds no URL and no credentials: the transport knows the
//! backend and adds them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::base64::{self, Alphabet};

/// Names of headers, in lower case (RFC 9110 section 5.1: case does not matter).
pub mod header {
    /// What the client reads.
    pub const ACCEPT: &str = "accept";
    /// What the body is.
    pub const CONTENT_TYPE: &str = "content-type";
    /// How the body is compressed.
    pub const CONTENT_ENCODING: &str = "content-encoding";
    /// The session (legacy).
    pub const SESSION_ID: &str = "mcp-session-id";
    /// The revision.
    pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
    /// The method of the body (2026-07-28).
    pub const METHOD: &str = "mcp-method";
    /// The name or URI that the body is about (2026-07-28).
    pub const NAME: &str = "mcp-name";
    /// Where a broken stream is resumed.
    pub const LAST_EVENT_ID: &str = "last-event-id";
    /// Begins the names of headers that mirror a tool's parameters (2026-07-28).
    pub const PARAM_PREFIX: &str = "mcp-param-";
}

/// The media type of messages.
pub const JSON: &str = "application/json";
/// The media type of event streams.
pub const EVENT_STREAM: &str = "text/event-stream";

/// The methods that MCP uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Opens an event stream.
    Get,
    /// Sends a message.
    Post,
    /// Ends a session.
    Delete,
}

/// A request to one backend. `Debug` shows no header values and no body: session ids and arguments are nobody's
/// business.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Protocol headers, names in lower case; never credentials.
    pub headers: Vec<(String, String)>,
    /// The body, empty for GET and DELETE.
    pub body: Vec<u8>,
    /// What it means to the backend to get it twice.
    pub twice: Twice,
}

/// What it means to a backend to get a message twice, because the connection of the first one closed before an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twice {
    /// Nothing: it opens or ends a conversation, opens a stream, asks for a list, or only reads.
    Harmless,
    /// It may do again what was done already.
    Acts,
}

impl Request {
    /// The first header of this name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// Status and headers of a response. `Debug` shows no header values.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// All headers, names in lower case, values that are not UTF-8 left out.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first header of this name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The media type of the body, in lower case, without parameters.
    #[must_use]
    pub fn media_type(&self) -> Option<String> {
        let value = self.header("content-type")?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
        f.debug_struct("Head").field("status", &self.status).field("headers", &names).finish()
    }
}

/// Whether an `Accept` header allows a media type (RFC 9110 section 12.5.1). The most specific range decides; a
/// weight of 0 forbids.
#[must_use]
pub fn accepts(accept: &str, media_type: &str) -> bool {
    let kind = media_type.split('/').next().unwrap_or_default();
    let mut best = (0, false);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let rank = match name.split_once('/') {
            _ if name.eq_ignore_ascii_case(media_type) => 3,
            Some((k, "*")) if k.eq_ignore_ascii_case(kind) => 2,
            Some(("*", "*")) => 1,
            _ => continue,
        };
        let forbidden = parts.filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
            name.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0)
        });
        if rank >= best.0 {
            best = (rank, !forbidden || (rank == best.0 && best.1));
        }
    }
    best.1
}

/// Whether a session id may stand in `Mcp-Session-Id`: visible ASCII, 0x21 to 0x7E, and not empty (2025-11-25,
/// basic/transports, Session Management 1).
#[must_use]
pub fn is_session_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

const SENTINEL: (&str, &str) = ("=?base64?", "?=");

/// A value as it stands in `Mcp-Name` or `Mcp-Param-…` (2026-07-28, streamable-http, Value Encoding): as it is where
/// it can be, else Base64 between markers.
#[must_use]
pub fn encode_value(value: &str) -> String {
    let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
        && value.trim_matches([' ', '\t']).len() == value.len()
        && !value.is_empty()
        && !(value.starts_with(SENTINEL.0) && value.ends_with(SENTINEL.1));
    if plain {
        return String::from(value);
    }
    format!("{}{}{}", SENTINEL.0, base64::encode(Alphabet::Standard, value.as_bytes()), SENTINEL.1)
}

/// What such a header says; `None` if it has the markers but not valid Base64 of UTF-8 text between them, or
/// characters that a header cannot have.
#[must_use]
pub fn decode_value(header: &str) -> Option<String> {
    match header.strip_prefix(SENTINEL.0).and_then(|rest| rest.strip_suffix(SENTINEL.1)) {
        Some(encoded) => String::from_utf8(base64::decode(Alphabet::Standard, encoded)?).ok(),
        None => header.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')).then(|| String::from(header)),
    }
}

/// What the transport tells an exchange. `Debug` shows no bytes.
pub enum Input<'a> {
    /// The response has begun.
    Head(Head),
    /// Bytes of its body, in any portions.
    Body(&'a [u8]),
    /// Its body is complete.
    End,
    /// There is no response, or no more of it.
    Failed(Failure),
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head) => head.fmt(f),
            Self::Body(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Self::End => f.write_str("End"),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

/// Why a request came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Which part failed.
    pub stage: Stage,
    /// Whether the backend can have seen the request.
    pub sent: Sent,
    /// The reason in words, with the address or the certificate it is about; no credentials.
    pub message: String,
}

/// The stages of a request, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Looking up the name.
    Resolve,
    /// Opening the connection.
    Connect,
    /// The TLS handshake and the server's certificate.
    Tls,
    /// Writing the request.
    Send,
    /// Waiting for the first byte of the answer.
    FirstByte,
    /// Reading the answer.
    Body,
    /// The same, and the connection is lost: it is neither late nor refused, and may be there for another request.
    #[serde(rename = "body")]
    Lost,
    /// Stopped by the caller.
    Cancelled,
}

/// Whether a backend can have seen a request: one that it cannot have seen may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sent {
    /// Not a byte left.
    Nothing,
    /// Some bytes left.
    Maybe,
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn accept_is_read_as_rfc_9110_says() {
        for (accept, json, stream) in [
            ("application/json, text/event-stream", true, true),
            ("Application/JSON;q=0.5,text/*", true, true),
            ("*/*", true, true),
            ("text/html", false, false),
            ("*/*, application/json;q=0", false, true),
            ("text/event-stream; q=0.0, text/*", false, false),
            ("", false, false),
            ("application/jsonx", false, false),
        ] {
            assert_eq!((accepts(accept, JSON), accepts(accept, EVENT_STREAM)), (json, stream), "{accept}");
        }
    }

    #[test]
    fn names_travel_in_headers() {
        for (value, header) in [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
            ("a b", "a b"),
            ("", "=?base64??="),
        ] {
            assert_eq!(encode_value(value), header);
            assert_eq!(decode_value(header).as_deref(), Some(value));
        }
        assert_eq!(decode_value("=?base64?%%?="), None);
        assert_eq!(decode_value("=?base64?/w==?="), None);
        assert_eq!(decode_value("é"), None);
    }

    #[test]
    fn session_ids_are_visible_ascii() {
        assert!(is_session_id("1868a90c-!~"));
        assert!(!is_session_id(""));
        assert!(!is_session_id("a b"));
        assert!(!is_session_id("é"));
    }

    #[test]
    fn nothing_private_is_shown() {
        let request = Request {
            method: Method::Post,
            headers: alloc::vec![(header::SESSION_ID.into(), "s3cr3t".into())],
            body: b"s3cr3t".to_vec(),
            twice: Twice::Acts,
        };
        assert_eq!(format!("{request:?}"), r#"Request { method: Post, headers: ["mcp-session-id"], body_bytes: 6 }"#);
        let head = Head { status: 200, headers: request.headers };
        assert_eq!(format!("{head:?}"), r#"Head { status: 200, headers: ["mcp-session-id"] }"#);
    }
}
