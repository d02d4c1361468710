//! Several messages in one body: revision 2025-03-26 alone has them, and there they must be read (2025-03-26, basic/index,
//! Batching; basic/transports, Sending Messages to the Server).
//!
//! It answers no message: the host takes one turn for each, side by side.

use alloc::format;
use alloc::vec::Vec;

use super::front::{Request, Response};
use super::{Or, SessionState, Streams, accepted, manners, refuse};
use crate::mcp::http::{self, header};
use crate::mcp::jsonrpc::{self, Message};
use crate::mcp::{Era, Revision, code, json};

/// Messages in one body.
const MESSAGES: usize = 100;

/// A body that holds several messages.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// In their order.
    pub parts: Vec<Part<'a>>,
    streams: Streams,
}

/// One of them.
#[derive(Clone, Debug)]
pub enum Part<'a> {
    /// To be taken like a body of its own.
    Message(&'a [u8]),
    /// Answered already.
    Answer(Response),
}

/// Reads a body as a batch; `None` if it is none, or may be none in this session.
#[must_use]
pub fn batch<'a>(request: &Request<'a>, session: SessionState<'_>) -> Option<Result<Batch<'a>, Response>> {
    let SessionState::Open(session) = session else { return None };
    let modern = |version| Revision::parse(version).is_some_and(|revision| revision.era() == Era::Modern);
    let may = session.revision == Revision::V20250326 && !request.headers.protocol_version.is_some_and(modern);
    if !may || request.method != "POST" || request.body.trim_ascii_start().first() != Some(&b'[') {
        return None;
    }
    Some(read(request))
}

fn read<'a>(request: &Request<'a>) -> Or<Batch<'a>> {
    let streams = manners(&request.headers)?;
    let wrong = |fault: &dyn core::fmt::Display, code| {
        Response::error(400, None, code, &format!("the body is no message: {fault}"), None)
    };
    let text = match jsonrpc::parse(request.body) {
        // An array is the only fault that is none here.
        Err(malformed) if malformed.fault == jsonrpc::Fault::Batch => core::str::from_utf8(request.body).unwrap_or(""),
        Err(malformed) => return Err(wrong(&malformed.fault, malformed.fault.code())),
        Ok(_) => return Err(wrong(&"it is no array", code::INVALID_REQUEST)),
    };
    let mut parts = Vec::new();
    for element in json::elements(text).into_iter().flatten() {
        if parts.len() == MESSAGES {
            let message = format!("a batch has more than {MESSAGES} messages");
            return Err(refuse(400, &message));
        }
        parts.push(part(element));
    }
    // JSON-RPC 2.0, section 6.
    if parts.is_empty() { Err(refuse(400, "a batch has no messages")) } else { Ok(Batch { parts, streams }) }
}

fn part(text: &str) -> Part<'_> {
    match jsonrpc::parse_text(text) {
        // 2025-03-26, basic/lifecycle, Initialization: a session is needed before there are batches.
        Ok(Message::Request(request)) if request.method == "initialize" => {
            let message = "`initialize` must not be part of a batch";
            Part::Answer(Response::error(400, Some(request.id.text()), code::INVALID_REQUEST, message, None))
        }
        _ => Part::Message(text.as_bytes()),
    }
}

impl Batch<'_> {
    /// What the client accepts, as the header of each part says it: a document, or a stream once there is more than one
    /// thing to say.
    #[must_use]
    pub fn accept(&self) -> &'static str {
        match self.streams {
            Streams::No => http::JSON,
            Streams::May | Streams::Must => "application/json, text/event-stream",
        }
    }

    /// Whether a client that is answered at once reads it as events.
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        self.streams == Streams::Must
    }
}

/// The answer made of those of its parts; messages that want none have none.
#[must_use]
pub fn joined(answers: &[Vec<u8>]) -> Response {
    if answers.is_empty() {
        return accepted();
    }
    let mut body = Vec::with_capacity(answers.iter().map(|answer| answer.len() + 1).sum::<usize>() + 1);
    for (index, answer) in answers.iter().enumerate() {
        body.push(if index == 0 { b'[' } else { b',' });
        body.extend_from_slice(answer);
    }
    body.push(b']');
    let mut response = accepted();
    response.status = 200;
    response.headers.push((header::CONTENT_TYPE, http::JSON.into()));
    response.headers.push(("cache-control", "no-store".into()));
    response.body = body;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::{Headers, Session};
    use alloc::string::String;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn of(revision: Revision, body: &str) -> Option<Result<Vec<String>, String>> {
        let mut headers = Headers::default();
        headers.add("content-type", "application/json");
        let session = Session { revision, capabilities: "{}".into(), client_info: None };
        let request = Request { method: "POST", headers, body: body.as_bytes() };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Some(match batch(&request, SessionState::Open(&session))? {
            Ok(batch) => Ok(batch
                .parts
                .iter()
                .map(|part| match part {
                    Part::Message(bytes) => text(bytes),
                    Part::Answer(response) => format!("= {}", text(&response.body)),
                })
                .collect()),
            Err(response) => Err(text(&response.body)),
        })
    }

    #[test]
    fn a_batch_is_split_where_there_are_batches() {
        let all = r#" [ {"jsonrpc":"2.0","id":1,"method":"ping"} ,7,{"jsonrpc":"2.0","id":"i","method":"initialize"}]"#;
        let error = r#"= {"jsonrpc":"2.0","id":"i","error":{"code":-32600,"message":"`initialize` must not be part of a batch"}}"#;
        let parts = [r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, "7", error].map(String::from);
        assert_eq!(of(Revision::V20250326, all), Some(Ok(parts.to_vec())));
        for other in [Revision::V20241105, Revision::V20250618, Revision::V20251125] {
            assert_eq!(of(other, all), None);
        }
        assert_eq!(of(Revision::V20250326, "{}"), None);
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        let refused = |code: i64, message: &str| Some(Err(jsonrpc::error(None, code, message, None)));
        assert_eq!(of(Revision::V20250326, "[]"), refused(-32600, "a batch has no messages"));
        let many = format!("[{}1]", "1,".repeat(MESSAGES));
        assert_eq!(of(Revision::V20250326, &many), refused(-32600, "a batch has more than 100 messages"));
        let cut = "the body is no message: it ends in the middle of its JSON, at line 1 column 3";
        assert_eq!(of(Revision::V20250326, "[1,"), refused(-32700, cut));
    }

    #[test]
    fn answers_are_joined_and_none_is_202() {
        assert_eq!(joined(&[]).status, 202);
        let joined = joined(&[b"{}".to_vec(), b"[]".to_vec()]);
        assert_eq!((joined.status, &*joined.body), (200, &b"[{},[]]"[..]));
    }
}
