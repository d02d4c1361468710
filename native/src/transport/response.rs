//! The answer to a request: its head at once, its body in the portions in which it arrives.
//!
//! It collects nothing: what a body may hold is for the reader, how much of it for the limit it was given.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::{Body, BodyReader};
use vmcp_core::mcp::http::{Failure, Head, Method};

use super::call::{Call, Observed};
use super::channels::InboxReader;
use super::route;

/// Bytes of one portion.
pub(super) const PORTION: usize = 16 * 1024;

/// An answer that has begun.
pub struct Response {
    /// Status and headers.
    pub head: Head,
    call: Arc<Call>,
    body: Result<Option<Source>, Failure>,
    portion: Vec<u8>,
    taken: u64,
    /// Bytes that the body may have.
    limit: Option<u64>,
}

/// Where a body comes from.
enum Source {
    /// A connection of its own.
    Http(BodyReader<'static>),
    /// A stream that others read too.
    Inbox(InboxReader),
}

impl Response {
    /// What came for one request on a stream that others read too.
    pub(super) fn of_inbox(head: Head, call: Arc<Call>, inbox: InboxReader) -> Self {
        call.note_head();
        Self { head, call, body: Ok(Some(Source::Inbox(inbox))), portion: Vec::new(), taken: 0, limit: None }
    }

    /// A status that no connection was needed for.
    pub(super) fn bare(status: u16, call: Arc<Call>) -> Self {
        let head = Head { status, headers: Vec::new() };
        Self { head, call, body: Ok(None), portion: Vec::new(), taken: 0, limit: None }
    }

    /// From now on reading ends at `until`, whatever the limits say.
    pub(super) fn hurry(&self, until: Instant) {
        self.call.hurry(until);
    }

    /// Reading ends as the limits say again.
    pub(super) fn take_time(&self) {
        self.call.take_time();
    }

    /// Takes over ureq's answer if its framing leaves no doubt where it ends.
    pub(super) fn new(
        answer: ureq::http::Response<Body>,
        call: Arc<Call>,
        method: Method,
        limit: u64,
    ) -> Result<Self, Failure> {
        let (parts, body) = answer.into_parts();
        let begun = (parts.status.as_u16(), parts.version, &parts.headers);
        let (head, limit) = route::begun(&call, method, begun, body.content_length(), limit)?;
        Ok(Self { head, call, body: Ok(Some(Source::Http(body.into_reader()))), portion: Vec::new(), taken: 0, limit })
    }

    /// What was seen so far: the address, the time of each stage, the TLS session.
    #[must_use]
    pub fn observed(&self) -> Observed {
        self.call.observed()
    }

    /// The next portion of the body, as soon as there is one; `None` at its end. After a failure, the same again.
    ///
    /// # Errors
    /// The body did not arrive whole, in time, or within its limit. What was read of it is no complete message.
    pub fn read(&mut self) -> Result<Option<&[u8]>, Failure> {
        let body = match &mut self.body {
            Ok(None) => return Ok(None),
            Err(failure) => return Err(failure.clone()),
            Ok(Some(Source::Inbox(inbox))) => {
                return match inbox.next(&self.call) {
                    Ok(event) => {
                        self.portion = event;
                        Ok(Some(&self.portion))
                    }
                    Err(failure) => Err(self.fail(failure)),
                };
            }
            Ok(Some(Source::Http(body))) => body,
        };
        self.portion.resize(PORTION, 0);
        match body.read(&mut self.portion) {
            Ok(0) => {
                // The connection is back in the pool by now, or closed.
                self.body = Ok(None);
                Ok(None)
            }
            Ok(n) => {
                self.taken += n as u64;
                match self.limit {
                    Some(limit) if self.taken > limit => Err(self.fail(route::too_large(&self.call, limit))),
                    _ => Ok(Some(&self.portion[..n])),
                }
            }
            Err(error) => {
                let failure = self.call.kept().unwrap_or_else(|| self.incomplete(error));
                Err(self.fail(failure))
            }
        }
    }

    /// Reads to the end if that is near, so that the connection can serve again: 16 KiB and `limit` at most.
    pub(super) fn drain(mut self, limit: Duration) -> Drained {
        if matches!(self.body, Ok(None | Some(Source::Inbox(_)))) {
            return Drained::Whole;
        }
        self.call.hurry(Instant::now() + limit);
        let begun = self.taken;
        while self.taken - begun < PORTION as u64 {
            match self.read() {
                Ok(Some(_)) => {}
                Ok(None) => return Drained::Whole,
                Err(_) => break,
            }
        }
        Drained::NotWhole
    }

    /// Closes the connection and keeps the reason.
    fn fail(&mut self, failure: Failure) -> Failure {
        self.body = Err(failure.clone());
        failure
    }

    fn incomplete(&self, error: std::io::Error) -> Failure {
        // ureq's own errors come inside of an I/O error.
        let error = error.downcast::<ureq::Error>().unwrap_or_else(ureq::Error::Io);
        route::incomplete(&self.call, self.taken, &error)
    }
}

/// Whether the rest of an answer came at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drained {
    /// The connection can serve again.
    Whole,
    /// It is closed.
    NotWhole,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.head.status)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}
