//! Several messages in one body (2025-03-26): each takes its own turn, side by side, and what comes of them is one document,
//! or one stream as soon as any of them streams.
//!
//! It reads no message.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::Bytes;
use hyper::header::{ACCEPT, HeaderMap, HeaderValue};
use vmcp_core::gateway;
use vmcp_core::gateway::batch::{self, Batch, Part};
use vmcp_core::identity::Principal;

use super::App;
use super::flow::BrokenOff;
use super::reply::{self, Content, Events, Reply, written};

/// A turn that is not over.
type Answering = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// The answers to one batch.
#[derive(Default)]
pub(super) struct Several {
    answering: Vec<Answering>,
    streams: Vec<Events>,
    /// Messages that are there and were not sent.
    documents: Vec<Vec<u8>>,
}

impl App {
    /// Answers all messages of a batch.
    pub(super) async fn answer_all(
        self: &Arc<Self>,
        headers: &HeaderMap,
        body: &Bytes,
        batch: &Batch<'_>,
        who: Option<&Arc<Principal>>,
    ) -> Reply {
        let mut headers = headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static(batch.accept()));
        let mut several = Several::default();
        for part in &batch.parts {
            match part {
                Part::Answer(response) => several.documents.push(response.body.clone()),
                Part::Message(message) => {
                    let (app, headers, message, who) =
                        (Arc::clone(self), headers.clone(), body.slice_ref(message), who.cloned());
                    several.answering.push(Box::pin(async move {
                        reply::collected(app.turn_of_one("POST", &headers, message, who).await).await
                    }));
                }
            }
        }
        let streams = poll_fn(|cx| several.poll_begin(cx)).await;
        if several.documents.is_empty() && several.streams.is_empty() || !streams && !batch.is_streamed() {
            return written(batch::joined(&several.documents));
        }
        reply::several(several)
    }
}

impl Several {
    /// Whether any part streams, or once no part has anything more to say that none does.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.poll_turns(cx);
        match (self.streams.is_empty(), self.answering.is_empty()) {
            (false, _) => Poll::Ready(true),
            (true, true) => Poll::Ready(false),
            (true, false) => Poll::Pending,
        }
    }

    fn poll_turns(&mut self, cx: &mut Context<'_>) {
        let mut place = 0;
        while let Some(answering) = self.answering.get_mut(place) {
            let Poll::Ready(reply) = answering.as_mut().poll(cx) else {
                place += 1;
                continue;
            };
            // Whoever is over is not asked again.
            drop(self.answering.swap_remove(place));
            match reply.into_body() {
                Content::Whole(pieces) => {
                    let document = pieces.into_iter().flatten().collect::<Vec<_>>();
                    self.documents.extend((!document.is_empty()).then_some(document));
                }
                Content::Events(events) => self.streams.push(events),
                // No part is a batch, and each was collected.
                Content::Several(_) | Content::Flow(..) => {}
            }
        }
    }

    /// The next event of any part.
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        self.poll_turns(cx);
        if let Some(document) = self.documents.pop() {
            return Poll::Ready(Some(Ok(gateway::event(&String::from_utf8_lossy(&document)).into())));
        }
        let mut place = 0;
        while let Some(stream) = self.streams.get_mut(place) {
            match stream.poll_event(cx) {
                Poll::Ready(Some(event)) => return Poll::Ready(Some(event)),
                Poll::Ready(None) => drop(self.streams.swap_remove(place)),
                Poll::Pending => place += 1,
            }
        }
        if self.streams.is_empty() && self.answering.is_empty() { Poll::Ready(None) } else { Poll::Pending }
    }
}
