//! From an HTTP request to what it asks for: the probes, and the MCP endpoint with the manners of Streamable HTTP
//! (MCP 2025-11-25, basic/transports).
//!
//! It reads no message; what a message means is the core's.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_LENGTH, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use vmcp_core::gateway;
use vmcp_core::mcp::{code, jsonrpc};

use super::App;
use super::connection::Service;
use super::cors;
use super::reply::{Content, Reply, bare, json, written};

/// Bytes of one request body: as much as the Go program takes.
pub(super) const BODY_BYTES: usize = 8 << 20;
/// How long a client may take to send it.
const BODY_TIME: Duration = Duration::from_secs(30);

impl Service for App {
    type Body = Content;

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        let (shares, origin) = (self.guard.shares(), self.guard.shared_with(&head.headers));
        let mut reply = match (&origin, cors::asked_by_a_page(&head)) {
            (Some(_), Some(headers)) => cors::may_be_sent(&headers),
            _ => self.route(head, body).await,
        };
        if shares {
            cors::share(&mut reply, origin);
        }
        reply
    }
}

impl App {
    async fn route(self: Arc<Self>, head: Parts, body: Incoming) -> Reply {
        match head.uri.path() {
            "/health" | "/ping" => json(StatusCode::OK, &br#"{"status":"ok"}"#[..]),
            "/readyz" => json(StatusCode::OK, &br#"{"mode":"static","status":"ready"}"#[..]),
            path if path == "/.well-known" || path.starts_with("/.well-known/") => self.door.well_known(&head),
            _ => self.endpoint(head, body).await,
        }
    }

    /// The MCP endpoint: every path that is not taken, as in the Go program.
    async fn endpoint(self: Arc<Self>, head: Parts, body: Incoming) -> Reply {
        if let Err(refused) = self.guard.check(&head.uri, &head.headers) {
            return refuse(refused.status(), code::REFUSED, &refused.to_string());
        }
        if ![Method::GET, Method::POST, Method::DELETE].contains(&head.method) {
            let mut reply = bare(StatusCode::METHOD_NOT_ALLOWED);
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST, DELETE"));
            return reply;
        }
        // Nothing is read of who may not come in.
        let who = match self.door.admit(&head).await {
            Ok(who) => who,
            Err(refusal) => return refusal,
        };
        if head.method == Method::GET {
            return self.listen(&head.headers, who.as_ref());
        }
        match read(&head.headers, body).await {
            Ok(body) => self.turn(head.method.as_str(), &head.headers, body, who).await,
            Err(refusal) => refusal,
        }
    }
}

/// The whole body, or why not.
async fn read(headers: &HeaderMap, body: Incoming) -> Result<Bytes, Reply> {
    let too_large = || written(gateway::body_too_large(BODY_BYTES));
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

/// A request that is refused before its message counts: a status, and a JSON-RPC error for those who read it.
pub(super) fn refuse(status: StatusCode, code: i64, message: &str) -> Reply {
    json(status, jsonrpc::error(None, code, message, None))
}
