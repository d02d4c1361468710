//! A long answer on its way from a backend to a client: what has come and was not taken yet, and no more than that.
//!
//! It knows no MCP. Who pours and goes without a word has broken the answer off: its reader must not take it for whole.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::body::Bytes;
use tokio::sync::mpsc;
use vmcp_core::gateway;
use vmcp_core::mcp::sse;

use crate::transport::Cancel;

/// Parts that may wait for the client, each as large as one read; then the backend waits.
const AHEAD: usize = 2;

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// By itself.
    Document,
    /// As the data of an event.
    Event,
}

/// Where the parts come from.
pub(super) struct Pour {
    parts: mpsc::Sender<Bytes>,
    is_whole: Arc<AtomicBool>,
    event: Event,
}

enum Event {
    No,
    Unbegun,
    Begun(sse::Writing),
}

/// Where they go.
pub(super) struct Flow {
    parts: mpsc::Receiver<Bytes>,
    is_whole: Arc<AtomicBool>,
    /// What follows the last part, if that was the last.
    end: &'static [u8],
}

/// The answer was broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BrokenOff;

/// Nobody takes what is poured, or it is no longer wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer was broken off: the backend did not bring all of it")
    }
}

impl std::error::Error for BrokenOff {}

/// An answer that begins.
pub(super) fn begin(form: Form) -> (Pour, Flow) {
    let (sender, parts) = mpsc::channel(AHEAD);
    let is_whole = Arc::new(AtomicBool::new(false));
    let (event, end) = match form {
        Form::Document => (Event::No, &[][..]),
        Form::Event => (Event::Unbegun, sse::Writing::END),
    };
    (Pour { parts: sender, is_whole: Arc::clone(&is_whole), event }, Flow { parts, is_whole, end })
}

impl Pour {
    /// The next part. Waits for a client that reads slowly.
    ///
    /// # Errors
    /// Nobody takes it.
    pub(super) async fn pour(&mut self, part: Vec<u8>, cancel: &Cancel) -> Result<(), Gone> {
        let part = match &mut self.event {
            Event::No => part,
            event => {
                let mut out = Vec::with_capacity(part.len() + 64);
                let mut writing = match std::mem::replace(event, Event::No) {
                    Event::Begun(writing) => writing,
                    Event::No | Event::Unbegun => gateway::begin_event(&mut out),
                };
                writing.take(&part, &mut out);
                *event = Event::Begun(writing);
                out
            }
        };
        tokio::select! {
            biased;
            taken = self.parts.send(part.into()) => taken.map_err(|_| Gone),
            () = cancel.cancelled() => Err(Gone),
        }
    }

    /// That was the last.
    pub(super) fn end(self) {
        self.is_whole.store(true, Ordering::Release);
    }
}

impl Flow {
    /// The next part; an error if there is none although there should be.
    pub(super) fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        Pin::new(&mut self.parts).poll_recv(cx).map(|part| match part {
            Some(part) => Some(Ok(part)),
            None if !self.is_whole.load(Ordering::Acquire) => Some(Err(BrokenOff)),
            None => match std::mem::take(&mut self.end) {
                [] => None,
                end => Some(Ok(Bytes::from_static(end))),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    async fn next(flow: &mut Flow) -> Option<Result<Bytes, BrokenOff>> {
        poll_fn(|cx| flow.poll_part(cx)).await
    }

    #[test]
    fn parts_arrive_as_they_were_and_the_end_is_told() {
        run(async {
            for (form, expected) in [(Form::Document, "{\n}"), (Form::Event, "event: message\ndata: {\ndata: }\n\n")] {
                let (mut pour, mut flow) = begin(form);
                for part in ["{", "\n}"] {
                    pour.pour(part.into(), &Cancel::new()).await.unwrap();
                }
                pour.end();
                let mut all = Vec::new();
                while let Some(part) = next(&mut flow).await {
                    all.extend_from_slice(&part.unwrap());
                }
                assert_eq!(String::from_utf8(all).unwrap(), expected);
            }
        });
    }

    #[test]
    fn what_ends_without_a_word_is_broken_off() {
        run(async {
            let (mut pour, mut flow) = begin(Form::Event);
            pour.pour(b"{".to_vec(), &Cancel::new()).await.unwrap();
            drop(pour);
            assert_eq!(next(&mut flow).await.unwrap().unwrap(), "event: message\ndata: {");
            assert_eq!(next(&mut flow).await, Some(Err(BrokenOff)));
            assert_eq!(BrokenOff.to_string(), "the answer was broken off: the backend did not bring all of it");
        });
    }

    #[test]
    fn who_pours_waits_for_who_takes_until_either_is_gone() {
        run(async {
            let (mut pour, mut flow) = begin(Form::Document);
            let cancel = Cancel::new();
            for _ in 0..AHEAD {
                pour.pour(b"x".to_vec(), &cancel).await.unwrap();
            }
            let mut waits = Box::pin(pour.pour(b"y".to_vec(), &cancel));
            assert!(poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx).is_pending())).await);
            assert_eq!(next(&mut flow).await.unwrap().unwrap(), "x");
            waits.await.unwrap();
            let mut waits = Box::pin(pour.pour(b"z".to_vec(), &cancel));
            assert!(poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx).is_pending())).await);
            cancel.cancel();
            assert_eq!(waits.await, Err(Gone));
            drop(flow);
            assert_eq!(pour.pour(b"z".to_vec(), &Cancel::new()).await, Err(Gone));
        });
    }
}
