//! A stream of events towards one client, which a connection reads, or a later one, or nobody for a while.
//!
//! It says nothing by itself and knows no HTTP.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use vmcp_core::gateway::{self, relay};
use vmcp_core::mcp::sse;

use super::flow::{BrokenOff, Flow, Gone};

/// Bytes that are kept of what was read, for whoever resumes, and of what nobody reads.
const KEPT: usize = 256 << 10;
/// Events that are kept.
const KEPT_EVENTS: usize = 256;
/// Bytes that may wait for a client that reads, before whoever writes waits.
const AHEAD: usize = 1 << 20;
/// After how long a client may replace a lost connection: milliseconds.
const RETRY: u32 = 1000;

/// Whether a lost connection can be replaced by another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resumption {
    /// What was sent on a lost connection is lost.
    No,
    /// Events have ids, and `Last-Event-ID` goes on after one of them (2025-11-25, basic/transports, Resumability).
    ById,
}

/// A stream.
pub(super) struct Stream {
    /// Its number among the streams of its session.
    pub(super) number: u64,
    resumption: Resumption,
    state: Mutex<State>,
    /// Something was read, or the reader has gone.
    read: Notify,
}

#[derive(Default)]
struct State {
    /// Events that are kept; the first has this number, and events count from 1.
    kept: VecDeque<Bytes>,
    first: u64,
    bytes: usize,
    /// The number of the event that is read next, and the bytes from there on.
    next: u64,
    unread: usize,
    /// The connection that reads: each has another number, and 0 is none.
    reader: u64,
    readers: u64,
    waker: Option<Waker>,
    ended: bool,
    /// The last event, which comes in parts and is not kept.
    flow: Option<Flow>,
}

/// There is nothing that could be resumed there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotResumed;

/// A connection that reads a stream.
pub(super) struct Reader {
    stream: Arc<Stream>,
    number: u64,
    opening: Option<Bytes>,
}

impl Stream {
    pub(super) fn new(number: u64, resumption: Resumption) -> Arc<Self> {
        let state = State { first: 1, next: 1, ..State::default() };
        Arc::new(Self { number, resumption, state: Mutex::new(state), read: Notify::new() })
    }

    /// Appends a message. Never waits: what nobody reads is dropped, the oldest first, when there is too much of it.
    /// Whoever can wait calls [`Stream::make_room`] before.
    pub(super) fn send(&self, message: &str) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        let number = state.first + state.kept.len() as u64;
        let event = match self.resumption {
            Resumption::No => gateway::event(message),
            Resumption::ById => {
                let mut out = Vec::with_capacity(message.len() + 48);
                let id = format!("{}-{number}", self.number);
                sse::write(&mut out, Some("message"), Some(&id), message.as_bytes());
                out
            }
        };
        state.bytes += event.len();
        state.unread += event.len();
        state.kept.push_back(event.into());
        self.trim(&mut state);
        wake(state);
    }

    /// Waits until the reader has caught up. One that takes nothing for `patience` is taken off: whoever writes does
    /// not wait for it again.
    pub(super) async fn make_room(&self, patience: Duration) {
        if self.has_room() {
            return;
        }
        let until = Instant::now() + patience;
        loop {
            let mut read = pin!(self.read.notified());
            read.as_mut().enable();
            if self.has_room() {
                return;
            }
            if timeout_at(until, read).await.is_err() && !self.has_room() {
                let mut state = self.lock();
                state.reader = 0;
                self.trim(&mut state);
                return wake(state);
            }
        }
    }

    fn has_room(&self) -> bool {
        let state = self.lock();
        state.reader == 0 || state.unread <= AHEAD
    }

    /// No more comes; the reader gets what there is.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        wake(state);
    }

    /// The last event comes in parts, behind what there is; nothing else is said meanwhile. Only for a stream that cannot be
    /// resumed: a part that was lost could not be given again.
    ///
    /// # Errors
    /// Nobody reads.
    pub(super) fn end_with(&self, flow: Flow) -> Result<(), Gone> {
        let mut state = self.lock();
        if state.reader == 0 || self.resumption != Resumption::No {
            return Err(Gone);
        }
        (state.ended, state.flow) = (true, Some(flow));
        wake(state);
        Ok(())
    }

    /// Ends the connection that reads; what it has not read waits for the next one.
    pub(super) fn hang_up(&self) {
        let mut state = self.lock();
        state.reader = 0;
        wake(state);
        self.read.notify_waiters();
    }

    /// Whether a lost connection can be replaced.
    pub(super) fn resumption(&self) -> Resumption {
        self.resumption
    }

    /// Whether a connection reads it.
    pub(super) fn is_read(&self) -> bool {
        self.lock().reader != 0
    }

    /// Whether a connection has read it, and another one can go on where that ended, or it still does.
    pub(super) fn was_read(&self) -> bool {
        let state = self.lock();
        state.reader != 0 || state.readers != 0 && self.resumption == Resumption::ById
    }

    /// Whether all was said, and nothing has to be kept for it but what can be resumed.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// Bytes that are kept for it.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Reads on from where it was read last; a connection that reads it now is taken off.
    pub(super) fn reader(self: &Arc<Self>) -> Reader {
        self.attach(|_| Ok(())).unwrap_or_else(|NotResumed| Reader {
            stream: Arc::clone(self),
            number: 0,
            opening: None,
        })
    }

    /// Reads on after the event of this number; a connection that reads it now is taken off.
    ///
    /// # Errors
    /// That event is none of this stream, or what came after it is no longer there.
    pub(super) fn resume(self: &Arc<Self>, after: u64) -> Result<Reader, NotResumed> {
        self.attach(|state| {
            let next = after.saturating_add(1);
            let end = state.first + state.kept.len() as u64;
            if self.resumption == Resumption::No || next < state.first || next > end {
                return Err(NotResumed);
            }
            let skipped = usize::try_from(next - state.first).unwrap_or(usize::MAX);
            state.next = next;
            state.unread = state.kept.iter().skip(skipped).map(Bytes::len).sum();
            Ok(())
        })
    }

    fn attach(
        self: &Arc<Self>,
        place: impl FnOnce(&mut State) -> Result<(), NotResumed>,
    ) -> Result<Reader, NotResumed> {
        let mut state = self.lock();
        place(&mut state)?;
        state.readers += 1;
        state.reader = state.readers;
        let number = state.readers;
        let at = state.next.saturating_sub(1);
        wake(state);
        let opening = match self.resumption {
            Resumption::No => None,
            Resumption::ById => Some(relay::priming_event(&format!("{}-{at}", self.number), RETRY).into()),
        };
        Ok(Reader { stream: Arc::clone(self), number, opening })
    }

    /// Forgets what need not be kept: all that was read where it cannot be resumed, else what is too much. What is
    /// being read is never dropped, and neither is the last event.
    fn trim(&self, state: &mut State) {
        while let Some(oldest) = state.kept.front() {
            let (length, is_read) = (oldest.len(), state.first < state.next);
            let too_much = (state.bytes > KEPT || state.kept.len() > KEPT_EVENTS) && state.kept.len() > 1;
            let goes = match (is_read, self.resumption) {
                (true, Resumption::No) => true,
                (true, Resumption::ById) => too_much || length > KEPT,
                (false, _) => too_much && state.reader == 0,
            };
            if !goes {
                return;
            }
            state.kept.pop_front();
            state.bytes -= length;
            if !is_read {
                state.unread -= length;
                state.next += 1;
            }
            state.first += 1;
        }
        // What it had for its busiest moment is given back.
        state.kept.shrink_to(16);
    }

    /// Every change under this lock leaves the counts true.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Reader {
    /// Says at once that the stream stands, if it does not do so by itself: some clients wait for a first byte.
    pub(super) fn with_opening(mut self) -> Self {
        self.opening.get_or_insert(Bytes::from_static(sse::COMMENT));
        self
    }

    /// Whether an event has begun that has not ended: nothing must come between.
    pub(super) fn is_amid(&self) -> bool {
        self.stream.lock().flow.is_some()
    }

    /// The next event, or a part of it; `None` at the end, and when another connection has taken over.
    pub(super) fn poll_event(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        let this = self.get_mut();
        if let Some(opening) = this.opening.take() {
            return Poll::Ready(Some(Ok(opening)));
        }
        let mut state = this.stream.lock();
        if state.reader != this.number {
            return Poll::Ready(None);
        }
        let place = usize::try_from(state.next - state.first).unwrap_or(usize::MAX);
        let Some(event) = state.kept.get(place).cloned() else {
            if let Some(flow) = &mut state.flow {
                return flow.poll_part(cx);
            }
            if state.ended {
                return Poll::Ready(None);
            }
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        state.next += 1;
        state.unread -= event.len();
        this.stream.trim(&mut state);
        drop(state);
        this.stream.read.notify_waiters();
        Poll::Ready(Some(Ok(event)))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.stream.lock();
        if state.reader == self.number {
            state.reader = 0;
            state.flow = None;
            self.stream.trim(&mut state);
        }
        drop(state);
        self.stream.read.notify_waiters();
    }
}

/// What `Last-Event-ID` names: a stream of the session and an event of it.
pub(super) fn read_event_id(id: &str) -> Option<(u64, u64)> {
    let (stream, event) = id.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    Some((digits(stream)?, digits(event)?))
}

#[cfg(test)]
mod tests {
    use super::super::flow;
    use super::*;
    use crate::transport::Cancel;

    fn read(reader: &mut Reader) -> Option<String> {
        match Pin::new(reader).poll_event(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(event)) => Some(String::from_utf8(event.unwrap().to_vec()).unwrap()),
            Poll::Ready(None) => Some("end".to_owned()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_lost_connection_is_replaced_by_another_one() {
        let stream = Stream::new(3, Resumption::ById);
        let mut first = stream.reader();
        assert_eq!(read(&mut first).unwrap(), "id: 3-0\nretry: 1000\ndata: \n\n");
        stream.send("a");
        assert_eq!(read(&mut first).unwrap(), "event: message\nid: 3-1\ndata: a\n\n");
        stream.send("b");
        assert_eq!(read(&mut first).unwrap(), "event: message\nid: 3-2\ndata: b\n\n");
        drop(first);
        assert!(!stream.is_read());
        stream.send("c");
        stream.end();
        // It did not see the second.
        let mut second = stream.resume(1).unwrap();
        let seen: Vec<_> = (0..4).map(|_| read(&mut second).unwrap()).collect();
        assert_eq!(
            seen,
            [
                "id: 3-1\nretry: 1000\ndata: \n\n",
                "event: message\nid: 3-2\ndata: b\n\n",
                "event: message\nid: 3-3\ndata: c\n\n",
                "end"
            ]
        );
        assert_eq!(stream.resume(4).err(), Some(NotResumed));
        assert!(stream.resume(3).is_ok());
        assert_eq!(Stream::new(1, Resumption::No).resume(0).err(), Some(NotResumed));
    }

    #[test]
    fn a_connection_that_is_hung_up_on_learns_where_to_go_on() {
        let stream = Stream::new(1, Resumption::ById);
        let mut first = stream.reader();
        stream.hang_up();
        stream.send("a");
        let seen = [read(&mut first).unwrap(), read(&mut first).unwrap()];
        assert_eq!(seen, ["id: 1-0\nretry: 1000\ndata: \n\n", "end"]);
        let mut second = stream.resume(0).unwrap();
        drop(first);
        let seen = [read(&mut second).unwrap(), read(&mut second).unwrap()];
        assert_eq!(seen, ["id: 1-0\nretry: 1000\ndata: \n\n", "event: message\nid: 1-1\ndata: a\n\n"]);
        assert_eq!(read(&mut second), None);
    }

    #[test]
    fn the_last_connection_reads_and_the_one_before_ends() {
        let stream = Stream::new(0, Resumption::No);
        let mut first = stream.reader().with_opening();
        assert_eq!(read(&mut first).unwrap(), ": ok\n\n");
        let mut second = stream.reader();
        stream.send("a");
        assert_eq!(read(&mut first).unwrap(), "end");
        drop(first);
        assert!(stream.is_read());
        assert_eq!(read(&mut second).unwrap(), "event: message\ndata: a\n\n");
        assert_eq!(read(&mut second), None);
    }

    #[test]
    fn what_nobody_reads_is_bounded_and_what_was_read_is_not_kept_for_nobody() {
        let stream = Stream::new(0, Resumption::No);
        let big = "x".repeat(KEPT / 2);
        for _ in 0..5 {
            stream.send(&big);
        }
        assert!(stream.bytes() <= KEPT);
        let mut reader = stream.reader();
        while read(&mut reader).is_some() {}
        assert_eq!(stream.bytes(), 0);
        // What is larger than all that is kept arrives all the same.
        stream.send(&"y".repeat(2 * KEPT));
        assert!(read(&mut reader).unwrap().len() > 2 * KEPT);
        assert_eq!(stream.bytes(), 0);
    }

    #[test]
    fn a_reader_that_takes_nothing_is_waited_for_once() {
        let stream = Stream::new(0, Resumption::No);
        let mut reader = stream.reader();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(stream.make_room(Duration::from_secs(60)));
        stream.send(&"x".repeat(AHEAD));
        runtime.block_on(stream.make_room(Duration::from_millis(1)));
        assert!(!stream.is_read());
        assert_eq!(read(&mut reader).unwrap(), "end");
        runtime.block_on(stream.make_room(Duration::from_secs(60)));
    }

    #[test]
    fn the_last_event_may_come_in_parts_and_nothing_between() {
        let stream = Stream::new(0, Resumption::No);
        let mut reader = stream.reader();
        stream.send("a");
        let (mut pour, flow) = flow::begin(flow::Form::Event);
        stream.end_with(flow).unwrap();
        stream.send("lost");
        assert!(stream.has_ended() && reader.is_amid());
        assert_eq!(read(&mut reader).unwrap(), "event: message\ndata: a\n\n");
        assert_eq!(read(&mut reader), None);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(pour.pour(b"{}".to_vec(), &Cancel::new())).unwrap();
        assert_eq!(read(&mut reader).unwrap(), "event: message\ndata: {}");
        pour.end();
        assert_eq!(read(&mut reader).unwrap(), "\n\n");
        assert_eq!(read(&mut reader).unwrap(), "end");
        // Where nobody reads, and where it could be resumed, it has to come whole.
        drop(reader);
        assert_eq!(stream.end_with(flow::begin(flow::Form::Event).1), Err(Gone));
        let resumable = Stream::new(0, Resumption::ById);
        let _reader = resumable.reader();
        assert_eq!(resumable.end_with(flow::begin(flow::Form::Event).1), Err(Gone));
    }

    #[test]
    fn event_ids_are_read_as_they_are_written() {
        assert_eq!(read_event_id("3-17"), Some((3, 17)));
        for wrong in ["", "-", "3", "3-", "+3-1", "3-1-1", "a-1", "99999999999999999999-1"] {
            assert_eq!(read_event_id(wrong), None, "{wrong}");
        }
    }
}
