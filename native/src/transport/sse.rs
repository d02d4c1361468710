//! Backends that speak HTTP with SSE (MCP 2024-11-05, basic/transports), on threads: one standing stream for all that the
//! backend says, read by a thread of its own, and POSTs that are answered on it.
//!
//! To an exchange it looks like a backend with sessions: each stream is one, what comes for a request is the answer to
//! its POST, and what comes for none goes to the latest call, else to whoever listens (GET). It understands of a message
//! only what it belongs to, which [`super::channels`] finds out.

use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Instant;

use vmcp_core::mcp::client::Listening;
use vmcp_core::mcp::http::{Failure, Method, Request, Sent, Stage};

use super::call::{Call, Waiting, lock};
use super::channels::{self, Channel, Got, InboxReader, Opening, Streams, close};
use super::response::Response;
use super::{BackendTransport, Cancel, Observed, Timeouts};

/// Streams of one backend that may stand side by side; each has a thread that reads it.
pub(super) const STREAMS: usize = 1024;

impl BackendTransport {
    /// As [`BackendTransport::observe`], over the streams.
    pub(super) fn observe_sse(
        &self,
        streams: &Streams,
        request: &Request,
        timeouts: &Timeouts,
        cancel: &Cancel,
    ) -> (Result<Response, Failure>, Observed) {
        let call = self.route.virtual_call(timeouts, cancel);
        match (request.method, streams.named(request)) {
            (Method::Delete, channel) => {
                if let Some(channel) = channel {
                    close(&streams.open, &channel);
                }
                (Ok(Response::bare(200, call)), Observed::default())
            }
            (Method::Get, Some(channel)) => {
                (Ok(Response::of_inbox(channels::listens(), call, channel.listen())), Observed::default())
            }
            (Method::Get, None) => (Ok(Response::bare(404, call)), Observed::default()),
            (Method::Post, channel) => self.post(streams, channel, request, timeouts, &call),
        }
    }

    fn post(
        &self,
        streams: &Streams,
        channel: Option<Arc<Channel>>,
        request: &Request,
        timeouts: &Timeouts,
        call: &Arc<Call>,
    ) -> (Result<Response, Failure>, Observed) {
        let (method, id) = channels::asked(request);
        let (channel, opens) = match (channel, method.as_str()) {
            (Some(channel), _) => (channel, None),
            (None, "initialize") => match self.open(streams, timeouts) {
                Ok(channel) => (channel, Some(Arc::downgrade(&streams.open))),
                Err(failed) => return (Err(failed.0), failed.1),
            },
            // The transport is older than what is asked, or the stream is gone.
            (None, _) => return (Ok(Response::bare(404, Arc::clone(call))), Observed::default()),
        };
        let reader = id.map(|id| channel.expect(id, &method, opens));
        let posted = channels::posted(request);
        let (answer, observed) = self.follow(channel.target.clone(), &posted, timeouts, call.cancel());
        let answer = match (answer, reader) {
            (Ok(answer), Some(reader)) if (200..300).contains(&answer.head.status) => {
                self.finish(answer);
                call.note_sent();
                Ok(Response::of_inbox(channels::answered(&channel), Arc::clone(call), reader))
            }
            (answer, _) => answer,
        };
        (answer, observed)
    }

    /// Opens a stream, and waits until the backend says where messages are to be posted.
    fn open(&self, streams: &Streams, timeouts: &Timeouts) -> Result<Arc<Channel>, Box<(Failure, Observed)>> {
        let number = streams.next(&self.route).map_err(|failure| Box::new((failure, Observed::default())))?;
        let cancel = Cancel::new();
        let standing = Timeouts { idle: None, total: None, ..*timeouts };
        let (response, observed) = self.follow(self.route.place(), &channels::opening(), &standing, &cancel);
        let mut response = response.map_err(|failure| Box::new((failure, observed.clone())))?;
        let unexpected =
            |message| Box::new((Failure { stage: Stage::FirstByte, sent: Sent::Nothing, message }, observed.clone()));
        let mut opening = Opening::new(&self.route, &response.head).map_err(unexpected)?;
        response.hurry(Instant::now() + timeouts.first_byte);
        let target = loop {
            let bytes = match response.read() {
                Ok(bytes) => bytes,
                Err(failure) => return Err(Box::new((Failure { sent: Sent::Nothing, ..failure }, observed))),
            };
            if let Some(target) = opening.read(&self.route, bytes).map_err(unexpected)? {
                break target;
            }
        };
        response.take_time();
        let channel = Channel::open(streams, number, target, cancel);
        let (open, read) = (Arc::clone(&streams.open), Arc::clone(&channel));
        let work = move || {
            read_on(&read, response, opening.listening);
            close(&open, &read);
        };
        // What the thread costs is its stack, which is reserved and not used until it is needed.
        if let Err(error) = thread::Builder::new().name("vmcp-sse".to_owned()).stack_size(1 << 20).spawn(work) {
            close(&streams.open, &channel);
            return Err(unexpected(format!("the system makes no more threads: {error}")));
        }
        Ok(channel)
    }
}

/// Reads the stream to its end.
fn read_on(channel: &Channel, mut response: Response, mut listening: Listening) {
    let mut spoken = Vec::new();
    while let Ok(Some(bytes)) = response.read() {
        if !channel.heard(&mut listening, bytes, &mut spoken) {
            return;
        }
    }
}

impl InboxReader {
    /// The next event, as bytes of a stream.
    pub(super) fn next(&mut self, call: &Call) -> Result<Vec<u8>, Failure> {
        let since = Instant::now();
        let key = call.cancel().watch(Waiting::Inbox(Arc::downgrade(&self.inbox)));
        let mut state = lock(&self.inbox.state);
        let result = loop {
            if call.cancel().is_cancelled() {
                break Err(call.failure(Stage::Cancelled, String::new()));
            }
            if let Poll::Ready(got) = state.take() {
                break Ok(got);
            }
            let (stage, until) = call.reading(since);
            let left = call.look_again(until).map(|at| at.saturating_duration_since(Instant::now()));
            if until.is_over() {
                break Err(call.failure(stage, call.late(stage, until)));
            }
            state = match left {
                Some(left) => self.inbox.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.inbox.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        };
        drop(state);
        call.cancel().unwatch(key);
        match result? {
            Got::Event(event) => {
                self.note(&event);
                Ok(event)
            }
            Got::End(why) => Err(channels::ended(call, why)),
        }
    }
}
