//! Reads the HTTP response to one request: JSON or a stream, to messages and one outcome.
//!
//! It does not judge what the outcome means for the conversation.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::answer::{Places, Reply, ServerMessage};
use super::error::{Problem, excerpt};
use super::passing::{Begun, Passage, Passing};
use crate::mcp::http::{self, Head, Input, header};
use crate::mcp::jsonrpc::{self, Fault, Message};
use crate::mcp::sse::Parser;
use crate::mcp::{Era, Revision, json};

/// Of a refusal's body this much is looked at, for a JSON-RPC error in it.
const REFUSAL_BYTES: usize = 64 << 10;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The response to this request.
    Response(u64),
    /// Any 2xx.
    Acknowledgement,
}

/// What becomes of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Batches {
    Read,
    Refused,
}

/// What came.
#[derive(Debug)]
pub(super) enum Received {
    /// The stream has begun with an event that says nothing.
    Primed,
    /// A message before the response.
    Message(ServerMessage),
    /// A part of the response, which is passed on while it arrives.
    Part(Vec<u8>),
    /// All of it was passed on. The last thing.
    Passed,
    /// The response, under this status. The last thing.
    Reply(Reply, u16),
    /// 2xx to what wants no response. The last thing.
    Acknowledged,
    /// A status without an answer to it. The last thing.
    Refused(u16),
    /// No answer. The last thing.
    Broken(Problem),
}

#[derive(Debug)]
pub(super) struct Reading {
    due: Due,
    era: Era,
    /// Whether a server may send several messages as one (2025-03-26, basic/index, Batching: they must be received).
    batches: Batches,
    limit: usize,
    form: Form,
    /// Whether an event of the stream is its first.
    begun: Begins,
    /// Whether a long response is passed on, and how many bytes have to be there before that is looked at.
    passing: Option<(Arc<Passing>, usize)>,
    passage: Option<Box<Passage>>,
    /// Bytes of the message that is passed on.
    passed: usize,
    /// `Mcp-Session-Id` of the response.
    pub(super) session: Option<String>,
    /// Where a stream ended that did not bring what is due.
    pub(super) ended: Ended,
}

/// Where a stream ended, for one that goes on from there.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    /// The id of its last event; empty if it had none.
    pub(super) event: Vec<u8>,
    /// How long the stream says to wait.
    pub(super) retry: Option<Duration>,
}

impl Ended {
    fn of(parser: &Parser) -> Self {
        Self { event: parser.last_event_id().to_vec(), retry: parser.retry() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    Now,
    Over,
}

#[derive(Debug)]
enum Form {
    Head,
    Json(Vec<u8>),
    Stream(Parser),
    /// 2xx without a content type: empty, or wrong.
    Untyped,
    /// A status from 400 with JSON, perhaps an error to our request; under 500 one that names it.
    Refusal(u16, Vec<u8>),
    Over,
}

impl Reading {
    pub(super) fn new(due: Due, revision: Revision, limit: usize) -> Self {
        let batches = if revision == Revision::V20250326 { Batches::Read } else { Batches::Refused };
        Self {
            due,
            era: revision.era(),
            batches,
            limit,
            form: Form::Head,
            begun: Begins::Now,
            passing: None,
            passage: None,
            passed: 0,
            session: None,
            ended: Ended::default(),
        }
    }

    /// A long response is passed on so.
    pub(super) fn passes(mut self, passing: Option<&Arc<Passing>>) -> Self {
        self.passing = passing.map(|passing| (Arc::clone(passing), passing.from));
        self
    }

    pub(super) fn handle(&mut self, input: Input<'_>, out: &mut Vec<Received>) {
        match input {
            Input::Head(head) => self.head(&head, out),
            Input::Body(bytes) => self.body(bytes, out),
            Input::End => self.end(out),
            Input::Failed(failure) if !matches!(self.form, Form::Over) => {
                if let Form::Stream(parser) = &self.form {
                    self.ended = Ended::of(parser);
                }
                self.finish(Received::Broken(Problem::NoAnswer { failure }), out);
            }
            Input::Failed(_) => {}
        }
    }

    fn head(&mut self, head: &Head, out: &mut Vec<Received>) {
        if !matches!(self.form, Form::Head) {
            return;
        }
        let (status, media_type) = (head.status, head.media_type());
        let success = (200..300).contains(&status);
        self.session = head.header(header::SESSION_ID).filter(|_| success).map(String::from);
        self.form = match (self.due, media_type.as_deref()) {
            (Due::Acknowledgement, _) if success => return self.finish(Received::Acknowledged, out),
            (Due::Acknowledgement, _) => return self.finish(Received::Refused(status), out),
            (Due::Response(_), Some(http::JSON)) if success => Form::Json(Vec::new()),
            (Due::Response(_), Some(http::EVENT_STREAM)) if success => Form::Stream(Parser::new(self.limit)),
            (Due::Response(_), _) if matches!(status, 202 | 204) => return self.finish(Received::Refused(status), out),
            (Due::Response(_), None | Some("")) if success => Form::Untyped,
            (Due::Response(_), Some(other)) if success => {
                return self.finish(Received::Broken(Problem::ContentType(excerpt(other))), out);
            }
            // What these say about credentials and load is in the status; their bodies are not looked at.
            (Due::Response(_), Some(http::JSON))
                if (400..=500).contains(&status) && !matches!(status, 401 | 403 | 407 | 408 | 429) =>
            {
                Form::Refusal(status, Vec::new())
            }
            _ => return self.finish(Received::Refused(status), out),
        };
    }

    fn body(&mut self, mut bytes: &[u8], out: &mut Vec<Received>) {
        match &mut self.form {
            Form::Json(_) if self.passage.is_some() => {
                if let Err(problem) = self.pass(bytes, out) {
                    self.finish(Received::Broken(problem), out);
                }
            }
            Form::Json(body) if body.len().saturating_add(bytes.len()) > self.limit => {
                self.finish(Received::Broken(Problem::TooLarge { limit: self.limit }), out);
            }
            Form::Refusal(status, body) if body.len().saturating_add(bytes.len()) > REFUSAL_BYTES => {
                let status = *status;
                self.finish(Received::Refused(status), out);
            }
            Form::Json(body) => {
                body.extend_from_slice(bytes);
                if let Some(first) = begun(&mut self.passing, self.due, self.era, body) {
                    self.passed = body.len();
                    *body = Vec::new();
                    out.push(Received::Part(first.1));
                    self.passage = Some(first.0);
                }
            }
            Form::Refusal(_, body) => body.extend_from_slice(bytes),
            Form::Untyped if !bytes.is_empty() => self.finish(Received::Broken(Problem::NoContentType), out),
            Form::Stream(_) => {
                let Form::Stream(mut parser) = core::mem::replace(&mut self.form, Form::Over) else { return };
                loop {
                    match parser.next(&mut bytes) {
                        Ok(None) => break,
                        Ok(Some(event)) if self.passage.is_some() => {
                            let last = match self.pass(&event.data, out) {
                                Ok(()) if event.is_message() => self.passed(),
                                Ok(()) => Received::Broken(Problem::NotAMessage),
                                Err(problem) => Received::Broken(problem),
                            };
                            return out.push(last);
                        }
                        // Other kinds are no messages.
                        Ok(Some(event)) if !event.is_message() => {}
                        Ok(Some(event)) if event.data.is_empty() => {
                            if core::mem::replace(&mut self.begun, Begins::Over) == Begins::Now {
                                out.push(Received::Primed);
                            }
                        }
                        Ok(Some(event)) => {
                            self.begun = Begins::Over;
                            if let Some(last) = self.message(event.data, out) {
                                return out.push(last);
                            }
                        }
                        Err(too_large) => {
                            return out.push(Received::Broken(Problem::TooLarge { limit: too_large.limit }));
                        }
                    }
                }
                if let Err(problem) = self.part(&mut parser, out) {
                    return out.push(Received::Broken(problem));
                }
                self.form = Form::Stream(parser);
            }
            Form::Head | Form::Untyped | Form::Over => {}
        }
    }

    /// What there is of an event that is not complete.
    fn part(&mut self, parser: &mut Parser, out: &mut Vec<Received>) -> Result<(), Problem> {
        let (data, kind) = parser.part();
        if self.passage.is_some() {
            self.pass(data, out)?;
        } else {
            let begun = matches!(kind, "" | "message").then(|| begun(&mut self.passing, self.due, self.era, data));
            let Some((passage, first)) = begun.flatten() else { return Ok(()) };
            self.passed = data.len();
            out.push(Received::Part(first));
            self.passage = Some(passage);
        }
        parser.take_part();
        Ok(())
    }

    /// More of the message that is passed on.
    fn pass(&mut self, bytes: &[u8], out: &mut Vec<Received>) -> Result<(), Problem> {
        let Some(passage) = &mut self.passage else { return Ok(()) };
        self.passed = self.passed.saturating_add(bytes.len());
        if self.passed > self.limit {
            return Err(Problem::TooLarge { limit: self.limit });
        }
        let mut part = Vec::with_capacity(bytes.len() + 64);
        passage.take(bytes, &mut part)?;
        if !part.is_empty() {
            out.push(Received::Part(part));
        }
        Ok(())
    }

    /// It is over.
    fn passed(&self) -> Received {
        match self.passage.as_ref().map_or(Ok(()), |passage| passage.end()) {
            Ok(()) => Received::Passed,
            Err(problem) => Received::Broken(problem),
        }
    }

    fn end(&mut self, out: &mut Vec<Received>) {
        let last = match (core::mem::replace(&mut self.form, Form::Over), self.due) {
            (Form::Json(_), _) if self.passage.is_some() => self.passed(),
            (Form::Json(body), Due::Response(id)) => match self.message(body, out) {
                Some(last) => last,
                None => match out.pop() {
                    Some(Received::Message(message)) => Received::Broken(Problem::NotTheResponse {
                        found: if message.id.is_some() { "a request" } else { "a notification" },
                        id,
                    }),
                    _ => Received::Broken(Problem::NotTheResponse { found: "the response to another request", id }),
                },
            },
            (Form::Stream(parser), Due::Response(id)) => {
                self.ended = Ended::of(&parser);
                Received::Broken(Problem::Truncated { id })
            }
            (Form::Refusal(status, body), Due::Response(id)) => match String::from_utf8(body).ok() {
                Some(text) if is_error_to(&text, id, status) => match Reply::read(text, self.era) {
                    Some(reply) => Received::Reply(reply, status),
                    None => Received::Refused(status),
                },
                _ => Received::Refused(status),
            },
            (Form::Untyped | Form::Head, _) => Received::Broken(Problem::Empty),
            _ => return,
        };
        out.push(last);
    }

    /// One message. Only the response, or what is no message at all, ends the reading.
    fn message(&self, data: Vec<u8>, out: &mut Vec<Received>) -> Option<Received> {
        let Due::Response(due) = self.due else { return None };
        let text = match String::from_utf8(data) {
            Ok(text) => text,
            Err(error) => return Some(malformed(Fault::NotUtf8(error.utf8_error().valid_up_to()))),
        };
        let message = match jsonrpc::parse_text(&text) {
            Ok(message) => message,
            Err(wrong) if wrong.fault == Fault::Ambiguous => {
                return match jsonrpc::without_null_outcome(&text) {
                    Some(text) => self.message(text.into_bytes(), out),
                    None => Some(malformed(wrong.fault)),
                };
            }
            Err(wrong) if wrong.fault == Fault::Batch && self.batches == Batches::Read => {
                let elements = json::elements(&text).into_iter().flatten();
                let mut last = None;
                for element in elements {
                    last = self.message(element.as_bytes().to_vec(), out).or(last);
                }
                return last;
            }
            Err(wrong) if wrong.fault == Fault::Empty => return Some(Received::Broken(Problem::Empty)),
            Err(wrong) => return Some(malformed(wrong.fault)),
        };
        let (method, id) = match message {
            Message::Request(request) => (request.method.into_owned(), Some(String::from(request.id.text()))),
            Message::Notification(notification) => (notification.method.into_owned(), None),
            // An error that names no request can only be about ours.
            Message::Response(response) if response.id.is_none_or(|id| id.is_number(due)) => {
                let places = Places::of(&response)?;
                return Some(Received::Reply(Reply::at(places, text, self.era), 200));
            }
            Message::Response(_) => return None,
        };
        out.push(Received::Message(ServerMessage { text, method, id }));
        None
    }

    fn finish(&mut self, last: Received, out: &mut Vec<Received>) {
        self.form = Form::Over;
        out.push(last);
    }
}

/// The beginning of a long response, if it can be passed on. Each look that does not tell is followed by one at twice as much.
fn begun(
    passing: &mut Option<(Arc<Passing>, usize)>,
    due: Due,
    era: Era,
    bytes: &[u8],
) -> Option<(Box<Passage>, Vec<u8>)> {
    let Due::Response(due) = due else { return None };
    let (how, from) = passing.as_mut().filter(|(_, from)| bytes.len() >= *from)?;
    match Passage::begin(how, due, era, bytes) {
        Begun::Yes(passage, first) => return Some((passage, first)),
        Begun::NotYet => *from = bytes.len().saturating_mul(2),
        Begun::Never => *passing = None,
    }
    None
}

fn malformed(fault: Fault) -> Received {
    Received::Broken(Problem::Malformed { fault })
}

/// Whether the body of a refusal answers our request. Of a server that broke, what names no request is its trouble
/// and not what it says to us.
fn is_error_to(text: &str, due: u64, status: u16) -> bool {
    matches!(jsonrpc::parse_text(text), Ok(Message::Response(response))
        if matches!(response.outcome, jsonrpc::Outcome::Error(_))
            && response.id.map_or(status < 500, |id| id.is_number(due)))
}
