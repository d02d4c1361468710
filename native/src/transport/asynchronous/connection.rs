//! One connection of tasks, and those that are idle: kept for the next request, dropped at once when the server closes them
//! or says anything.
//!
//! It knows no HTTP.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use std::{io, mem};

use tokio::io::{AsyncReadExt as _, AsyncWrite as _, ReadBuf};
use tokio::task::unconstrained;

use super::super::call::{Call, Connections, Observed, lock};
use super::super::dialer::Absolute;
use super::wire::Wire;

/// Bytes that one read may bring, at first and once an answer has shown that it is long.
const READ: (usize, usize) = (16 * 1024, 64 * 1024);

/// A connection, idle or carrying a call.
pub(super) struct Connection {
    wire: Wire,
    pub(super) absolute: Option<Absolute>,
    /// What was seen when it was opened.
    origin: Observed,
    input: Vec<u8>,
    /// Bytes of `input` that were taken.
    taken: usize,
    reads: usize,
    number: u64,
    /// Wakes the pool while it is idle.
    watcher: Waker,
}

impl Connection {
    pub(super) fn new(wire: Wire, absolute: Option<Absolute>, origin: Observed, idle: &Arc<Idle>) -> Self {
        let number = idle.last.fetch_add(1, Ordering::Relaxed);
        let watcher = Waker::from(Arc::new(Watcher { number, idle: Arc::downgrade(idle) }));
        Self { wire, absolute, origin, input: Vec::new(), taken: 0, reads: READ.0, number, watcher }
    }

    /// What has come and was not taken.
    pub(super) fn unread(&self) -> &[u8] {
        &self.input[self.taken..]
    }

    /// So much of it is taken.
    pub(super) fn take(&mut self, amount: usize) {
        self.taken += amount;
        if self.taken == self.input.len() {
            self.input.clear();
            self.taken = 0;
        }
    }

    /// More; 0 bytes at the end.
    pub(super) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.taken > 0 {
            self.input.drain(..self.taken);
            self.taken = 0;
        }
        self.input.reserve(self.reads);
        let read = pin!(self.wire.read_buf(&mut self.input)).poll(cx);
        if read.is_pending() && self.input.is_empty() {
            // A stream that waits for hours holds no buffer meanwhile.
            self.input = Vec::new();
        }
        if matches!(read, Poll::Ready(Ok(n)) if n >= READ.0) {
            self.reads = READ.1;
        }
        read
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, bytes)
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    /// Bytes that have left the process.
    pub(super) fn written(&self) -> u64 {
        self.wire.written()
    }

    /// The socket.
    #[cfg(test)]
    pub(super) fn tcp(&self) -> &tokio::net::TcpStream {
        self.wire.tcp()
    }

    /// Ready when the server has closed it or says something; until then its watcher is woken when it does.
    fn poll_disturbed(&self) -> Poll<()> {
        let mut byte = [0];
        let mut cx = Context::from_waker(&self.watcher);
        let peek = poll_fn(|cx| self.wire.tcp().poll_peek(cx, &mut ReadBuf::new(&mut byte)).map(drop));
        // Without it, a task that has had its share would wake the watcher here, which waits for who asks.
        pin!(unconstrained(peek)).poll(&mut cx)
    }
}

/// The idle connections of one backend.
pub(super) struct Idle {
    kept: Mutex<Vec<Kept>>,
    last: AtomicU64,
    limit: usize,
    age: Duration,
}

struct Kept {
    since: Instant,
    connection: Connection,
}

/// Drops an idle connection of which anything is heard.
struct Watcher {
    number: u64,
    idle: Weak<Idle>,
}

impl Wake for Watcher {
    fn wake(self: Arc<Self>) {
        let Some(idle) = self.idle.upgrade() else { return };
        let mut kept = lock(&idle.kept);
        let place = kept.iter().position(|kept| kept.connection.number == self.number);
        // It may carry a call again, which hears of it itself.
        let gone = place.filter(|place| kept[*place].connection.poll_disturbed().is_ready());
        let gone = gone.map(|place| kept.remove(place));
        drop(kept);
        drop(gone);
    }
}

impl Idle {
    pub(super) fn new(limit: usize, age: Duration) -> Arc<Self> {
        Arc::new(Self { kept: Mutex::default(), last: AtomicU64::new(0), limit, age })
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn keep(&self, mut connection: Connection) {
        // A connection that waits holds no buffer.
        connection.reads = READ.0;
        if !mem::take(&mut connection.input).is_empty() || !connection.wire.is_quiet_inside() {
            return;
        }
        let now = Instant::now();
        let mut kept = lock(&self.kept);
        if connection.poll_disturbed().is_ready() {
            drop(kept);
            return;
        }
        let old = kept.iter().take_while(|kept| now.duration_since(kept.since) > self.age).count();
        let mut gone: Vec<_> = kept.drain(..old).collect();
        kept.push(Kept { since: now, connection });
        if kept.len() > self.limit {
            gone.push(kept.remove(0));
        }
        drop(kept);
        drop(gone);
    }

    /// An idle connection for a call, if one still stands: the last that came, which is the least likely to be closed.
    pub(super) fn take(&self, call: &Call) -> Option<Connection> {
        if call.connections == Connections::New {
            return None;
        }
        loop {
            let Kept { since, mut connection } = lock(&self.kept).pop()?;
            if since.elapsed() <= self.age && connection.wire.is_quiet() {
                let origin = &connection.origin;
                let (tls, address, proxy) = (origin.tls.clone(), origin.address, origin.proxy.clone());
                call.observe(|observed| {
                    *observed = Observed { tls, address, proxy, reused: true, ..Observed::default() }
                });
                return Some(connection);
            }
        }
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        lock(&self.kept).len()
    }

    /// What `look` sees in the one that is next.
    #[cfg(test)]
    pub(super) fn peek<T>(&self, look: impl FnOnce(&Connection) -> T) -> Option<T> {
        lock(&self.kept).last().map(|kept| look(&kept.connection))
    }
}
