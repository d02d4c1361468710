//! Reads a stream that answers no request: messages of the backend, and what is needed to resume it.
//!
//! It opens nothing; [`Standing::listen`](super::Standing::listen) says what to ask for.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::answer::ServerMessage;
use super::error::Problem;
use crate::mcp::jsonrpc::{self, Fault, Message};
use crate::mcp::sse::Parser;

/// What a standing stream says. `Debug` shows no content of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// A request or a notification.
    Message(ServerMessage),
    /// A response: to the request of this id if it is one of ours (2024-11-05, basic/transports, HTTP with SSE).
    Response(Option<u64>, Response),
    /// An event of another kind, and its data (`endpoint`).
    Event(String, String),
}

/// A response as it came. `Debug` shows no content.
#[derive(Clone, PartialEq, Eq)]
pub struct Response(pub String);

impl core::fmt::Debug for Response {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Response({} bytes)", self.0.len())
    }
}

/// A standing stream.
#[derive(Debug)]
pub struct Listening {
    parser: Parser,
}

impl Listening {
    /// At its start; one event may have `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { parser: Parser::new(limit) }
    }

    /// Takes bytes of the stream, in any portions, and appends what they say.
    ///
    /// # Errors
    /// An event is too large or no message; the stream is of no more use.
    pub fn read(&mut self, mut bytes: &[u8], out: &mut Vec<Spoken>) -> Result<(), Problem> {
        loop {
            match self.parser.next(&mut bytes) {
                Ok(None) => return Ok(()),
                // An empty one primes resumption.
                Ok(Some(event)) if event.data.is_empty() => {}
                Ok(Some(event)) => {
                    let text = String::from_utf8(event.data).map_err(|error| Problem::Malformed {
                        fault: Fault::NotUtf8(error.utf8_error().valid_up_to()),
                    })?;
                    out.push(if matches!(event.kind.as_str(), "" | "message") {
                        message(text)?
                    } else {
                        Spoken::Event(event.kind, text)
                    });
                }
                Err(too_large) => return Err(Problem::TooLarge { limit: too_large.limit }),
            }
        }
    }

    /// After which event the stream is resumed; `None` if none had an id.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        core::str::from_utf8(self.parser.last_event_id()).ok().filter(|id| !id.is_empty())
    }

    /// After how long a lost stream is opened again, if it said so.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.parser.retry()
    }
}

fn message(text: String) -> Result<Spoken, Problem> {
    let parsed = jsonrpc::parse_text(&text).map_err(|wrong| Problem::Malformed { fault: wrong.fault })?;
    let (method, id) = match parsed {
        Message::Request(request) => (request.method.into_owned(), Some(String::from(request.id.text()))),
        Message::Notification(notification) => (notification.method.into_owned(), None),
        Message::Response(response) => {
            let id = response.id.and_then(|id| id.text().parse().ok());
            return Ok(Spoken::Response(id, Response(text)));
        }
    };
    Ok(Spoken::Message(ServerMessage { text, method, id }))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_standing_stream_is_read_however_it_is_cut() {
        let stream = "event: endpoint\ndata: /messages?s=1\n\n: comment\n\nid: 7\nretry: 500\ndata:\n\n\
                      data: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n\n\
                      event: message\nid: 8\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"m\"}\n\n\
                      data: {\"jsonrpc\":\"2.0\",\"id\":65537,\"result\":{}}\n\n\
                      data: {\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{}}\n\n";
        for portion in 1..stream.len() {
            let (mut listening, mut out) = (Listening::new(1000), Vec::new());
            for bytes in stream.as_bytes().chunks(portion) {
                listening.read(bytes, &mut out).unwrap();
            }
            let [
                Spoken::Event(kind, data),
                Spoken::Message(n),
                Spoken::Message(m),
                Spoken::Response(ours, text),
                Spoken::Response(None, _),
            ] = &out[..]
            else {
                panic!("{out:?}")
            };
            assert_eq!((kind.as_str(), data.as_str()), ("endpoint", "/messages?s=1"));
            assert_eq!((n.method.as_str(), &n.id), ("n", &None));
            assert_eq!((m.method.as_str(), m.id.as_deref()), ("m", Some("\"q\"")));
            assert_eq!(*ours, Some(65537));
            assert!(text.0.ends_with("\"result\":{}}"));
            assert_eq!(listening.last_event_id(), Some("8"));
            assert_eq!(listening.retry(), Some(Duration::from_millis(500)));
        }
    }

    #[test]
    fn what_is_no_message_ends_it() {
        let read = |stream: &str| Listening::new(100).read(stream.as_bytes(), &mut Vec::new());
        assert!(matches!(read("data: {\n\n"), Err(Problem::Malformed { .. })));
        assert_eq!(read(&alloc::format!("data: {}\n\n", "x".repeat(200))), Err(Problem::TooLarge { limit: 100 }));
        assert_eq!(Listening::new(1).last_event_id(), None);
        assert_eq!(alloc::format!("{:?}", Response("s3cr3t".into())), "Response(6 bytes)");
    }
}
