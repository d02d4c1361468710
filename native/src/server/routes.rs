//! From an HTTP request to what it asks for: the probes, and the MCP endpoint with the manners of Streamable HTTP
//! (MCP 2025-11-25, basic/transports).
//!
//! It reads no message; what a message means is [`super::legacy`]'s.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use vmcp_core::mcp::{code, http, jsonrpc};

use super::App;
use super::connection::Service;
use super::reply::{Content, Reply, bare, json};

/// Bytes of one request body: as much as the Go program takes.
pub(super) const BODY_BYTES: usize = 8 << 20;
/// How long a client may take to send it.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Which answers a client can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepts {
    /// `application/json`.
    pub(super) json: bool,
    /// `text/event-stream`.
    pub(super) events: bool,
}

impl Accepts {
    /// Reads the `Accept` headers; without one, everything is accepted (RFC 9110 section 12.5.1).
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let values: Vec<_> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        if values.is_empty() {
            return Self { json: true, events: true };
        }
        let list = values.join(",");
        Self { json: http::accepts(&list, http::JSON), events: http::accepts(&list, http::EVENT_STREAM) }
    }
}

impl Service for App {
    type Body = Content;

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        match head.uri.path() {
            "/health" | "/ping" => json(StatusCode::OK, &br#"{"status":"ok"}"#[..]),
            "/readyz" => json(StatusCode::OK, &br#"{"mode":"static","status":"ready"}"#[..]),
            path if path == "/.well-known" || path.starts_with("/.well-known/") => {
                json(StatusCode::NOT_FOUND, &br#"{"error":"not_found"}"#[..])
            }
            _ => self.endpoint(head, body).await,
        }
    }
}

impl App {
    /// The MCP endpoint: every path that is not taken, as in the Go program.
    async fn endpoint(self: Arc<Self>, head: Parts, body: Incoming) -> Reply {
        if let Err(refused) = self.guard.check(&head.headers) {
            return refuse(StatusCode::FORBIDDEN, code::REFUSED, &refused.to_string());
        }
        match head.method {
            Method::POST => self.post(head, body).await,
            Method::GET => self.listen(&head.headers),
            Method::DELETE => self.close(&head.headers),
            _ => {
                let mut reply = bare(StatusCode::METHOD_NOT_ALLOWED);
                reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST, DELETE"));
                reply
            }
        }
    }

    async fn post(self: Arc<Self>, head: Parts, body: Incoming) -> Reply {
        if !is_json(&head.headers) {
            return refuse(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                code::REFUSED,
                "the body is not declared as JSON; expected `Content-Type: application/json`",
            );
        }
        let accepts = Accepts::read(&head.headers);
        if !accepts.json && !accepts.events {
            return refuse(
                StatusCode::NOT_ACCEPTABLE,
                code::REFUSED,
                "no answer can be written as `Accept` asks; expected `application/json, text/event-stream`",
            );
        }
        match read(&head.headers, body).await {
            Ok(message) => self.message(&head.headers, accepts, message).await,
            Err(refusal) => refusal,
        }
    }
}

/// The whole body, or why not.
async fn read(headers: &HeaderMap, body: Incoming) -> Result<Bytes, Reply> {
    let too_large = || {
        let text = format!("the body is larger than {BODY_BYTES} bytes, which is the most that is read");
        refuse(StatusCode::PAYLOAD_TOO_LARGE, code::REFUSED, &text)
    };
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_BYTES as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIME, Limited::new(body, BODY_BYTES).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(refuse(StatusCode::BAD_REQUEST, code::REFUSED, "the body ended early")),
        Err(_) => Err(refuse(
            StatusCode::REQUEST_TIMEOUT,
            code::REFUSED,
            &format!("the body took longer than {} seconds", BODY_TIME.as_secs()),
        )),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// A request that is refused before its message counts: a status, and a JSON-RPC error for those who read it.
pub(super) fn refuse(status: StatusCode, code: i64, message: &str) -> Reply {
    json(status, jsonrpc::error(None, code, message, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_accept_headers_are_one_list() {
        let accepts = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(ACCEPT, value.parse().unwrap());
            }
            let Accepts { json, events } = Accepts::read(&headers);
            (json, events)
        };
        assert_eq!(accepts(&[]), (true, true));
        assert_eq!(accepts(&["application/json", "Text/Event-Stream;q=0.5"]), (true, true));
        assert_eq!(accepts(&["application/json;q=1, text/event-stream;q=0"]), (true, false));
        assert_eq!(accepts(&["text/html"]), (false, false));
    }
}
