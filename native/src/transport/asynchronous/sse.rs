//! Backends that speak HTTP with SSE (MCP 2024-11-05, basic/transports), on tasks: as [`super::super::sse`], but that the
//! standing stream is read by a task.
//!
//! It understands of a message only what it belongs to, which [`super::super::channels`] finds out.

use std::sync::Arc;
use std::time::Instant;

use vmcp_core::mcp::client::Listening;
use vmcp_core::mcp::http::{Failure, Method, Request, Sent, Stage};

use super::super::call::Call;
use super::super::channels::{self, Channel, Opening, Streams, close};
use super::super::{Cancel, Observed, Timeouts};
use super::{AsyncTransport, Response};

/// Streams of one backend that may stand side by side: as many as there may be sessions.
pub(super) const STREAMS: usize = 10_000;

impl AsyncTransport {
    /// As [`AsyncTransport::observe`], over the streams.
    pub(super) async fn observe_sse(
        &self,
        streams: &Streams,
        request: &Request,
        timeouts: &Timeouts,
        cancel: &Cancel,
    ) -> (Result<Response, Failure>, Observed) {
        let call = self.0.route.virtual_call(timeouts, cancel);
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
            (Method::Post, channel) => self.post(streams, channel, request, timeouts, &call).await,
        }
    }

    async fn post(
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
            (None, "initialize") => match self.open(streams, timeouts).await {
                Ok(channel) => (channel, Some(Arc::downgrade(&streams.open))),
                Err(failed) => return (Err(failed.0), failed.1),
            },
            // The transport is older than what is asked, or the stream is gone.
            (None, _) => return (Ok(Response::bare(404, Arc::clone(call))), Observed::default()),
        };
        let reader = id.map(|id| channel.expect(id, &method, opens));
        let posted = channels::posted(request);
        let (answer, observed) = self.follow(channel.target.clone(), &posted, timeouts, call.cancel()).await;
        let answer = match (answer, reader) {
            (Ok(answer), Some(reader)) if (200..300).contains(&answer.head.status) => {
                self.finish(answer).await;
                call.note_sent();
                Ok(Response::of_inbox(channels::answered(&channel), Arc::clone(call), reader))
            }
            (answer, _) => answer,
        };
        (answer, observed)
    }

    /// Opens a stream, and waits until the backend says where messages are to be posted.
    async fn open(&self, streams: &Streams, timeouts: &Timeouts) -> Result<Arc<Channel>, Box<(Failure, Observed)>> {
        let route = &self.0.route;
        let number = streams.next(route).map_err(|failure| Box::new((failure, Observed::default())))?;
        let cancel = Cancel::new();
        let standing = Timeouts { idle: None, total: None, ..*timeouts };
        let (response, observed) = self.follow(route.place(), &channels::opening(), &standing, &cancel).await;
        let mut response = response.map_err(|failure| Box::new((failure, observed.clone())))?;
        let unexpected =
            |message| Box::new((Failure { stage: Stage::FirstByte, sent: Sent::Nothing, message }, observed.clone()));
        let mut opening = Opening::new(route, &response.head).map_err(unexpected)?;
        response.hurry(Instant::now() + timeouts.first_byte);
        let target = loop {
            let bytes = match response.read().await {
                Ok(bytes) => bytes,
                Err(failure) => return Err(Box::new((Failure { sent: Sent::Nothing, ..failure }, observed))),
            };
            if let Some(target) = opening.read(route, bytes).map_err(unexpected)? {
                break target;
            }
        };
        response.take_time();
        let channel = Channel::open(streams, number, target, cancel);
        let (open, read) = (Arc::clone(&streams.open), Arc::clone(&channel));
        tokio::spawn(async move {
            read_on(&read, response, opening.listening).await;
            close(&open, &read);
        });
        Ok(channel)
    }
}

/// Reads the stream to its end.
async fn read_on(channel: &Channel, mut response: Response, mut listening: Listening) {
    let mut spoken = Vec::new();
    while let Ok(Some(bytes)) = response.read().await {
        if !channel.heard(&mut listening, bytes, &mut spoken) {
            return;
        }
    }
}
