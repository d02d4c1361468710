//! One request on its way: its deadlines, how it is cancelled, what was seen of it, and how its failures are worded.
//!
//! It opens no connection; the connector and the connection report to it.

use std::cell::RefCell;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
#[cfg(feature = "server")]
use std::task::Waker;
use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;
use socket2::Socket;
use vmcp_core::endpoint::Endpoint;
use vmcp_core::mcp::http::{Failure, Sent, Stage};

use super::channels::Inbox;
use super::resolver::Lookup;

/// How often a thread looks whether silence counts again.
const LOOK: Duration = Duration::from_millis(100);

/// How long each part of a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Looking up the name, opening the connection over all its addresses, and a proxy's tunnel.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// From the request being written until the head of the answer is complete.
    pub first_byte: Duration,
    /// Between two portions of a body, sent or received; `None` waits for ever (a standing event stream).
    pub idle: Option<Duration>,
    /// All of it, redirects and body included.
    pub total: Option<Duration>,
}

impl Default for Timeouts {
    /// 10 s to connect, 10 s for TLS, 30 s each for the answer and between its portions; no bound on the whole.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            tls: Duration::from_secs(10),
            first_byte: Duration::from_secs(30),
            idle: Some(Duration::from_secs(30)),
            total: None,
        }
    }
}

/// Stops a request from elsewhere, or lets it wait. Clones concern the same requests.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<CancelState>);

#[derive(Debug, Default)]
struct CancelState {
    cancelled: AtomicBool,
    next: AtomicU64,
    waiting: Mutex<Vec<(u64, Waiting)>>,
    /// Rings when it is stopped.
    bell: Condvar,
    silence: Mutex<Silence>,
}

/// Whether the silence of the backend counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Silence {
    /// From the last byte on.
    #[default]
    Counts,
    /// From the last byte on, but not from before this, which may be to come: until then it is the backend that waits.
    CountsFrom(Instant),
}

/// What a request waits for. Weak: a handle that is kept must not keep a connection open.
#[derive(Debug)]
pub(super) enum Waiting {
    /// Reading, writing or connecting.
    Socket(Weak<Socket>),
    /// A name being looked up.
    Lookup(Weak<Lookup>),
    /// What comes on a stream that others read too.
    Inbox(Weak<Inbox>),
    /// A task that waits for anything.
    #[cfg(feature = "server")]
    Task(Weak<Slot>),
}

/// The waker of a task, while it waits.
#[cfg(feature = "server")]
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<Option<Waker>>);

#[cfg(feature = "server")]
impl Slot {
    /// The task that is woken from now on.
    pub(super) fn set(&self, waker: &Waker) {
        let mut slot = lock(&self.0);
        if !slot.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }

    /// Wakes it, if one waits.
    pub(super) fn wake(&self) {
        let waker = lock(&self.0).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Waiting {
    fn wake(&self) {
        match self {
            Self::Socket(socket) => {
                if let Some(socket) = socket.upgrade() {
                    // Fails only if the connection is gone already, which is what is wanted.
                    let _ = socket.shutdown(Shutdown::Both);
                }
            }
            Self::Inbox(inbox) => {
                if let Some(inbox) = inbox.upgrade() {
                    inbox.wake();
                }
            }
            Self::Lookup(lookup) => {
                if let Some(lookup) = lookup.upgrade() {
                    lookup.wake();
                }
            }
            #[cfg(feature = "server")]
            Self::Task(slot) => {
                if let Some(slot) = slot.upgrade() {
                    slot.wake();
                }
            }
        }
    }
}

impl Cancel {
    /// A handle that nothing has stopped yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops all requests made with this handle, those that wait and those to come. A connection in use is closed.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        // Under the lock: a connection leaves this list before another request may have it.
        for (_, waiting) in lock(&self.0.waiting).iter() {
            waiting.wake();
        }
        self.0.bell.notify_all();
    }

    /// Waits so long, or until it is stopped.
    pub fn pause(&self, how_long: Duration) {
        let until = Instant::now() + how_long;
        let mut waiting = lock(&self.0.waiting);
        while !self.is_cancelled() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            waiting = self.0.bell.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether it was stopped.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// The backend may be silent for so long, because it waits for something itself; then its silence counts, from nothing.
    pub fn excuse_silence(&self, how_long: Duration) {
        self.set_silence(Silence::CountsFrom(Instant::now() + how_long));
    }

    /// From now on its silence counts again, from nothing.
    pub fn count_silence(&self) {
        self.set_silence(Silence::CountsFrom(Instant::now()));
    }

    fn set_silence(&self, silence: Silence) {
        *lock(&self.0.silence) = silence;
        #[cfg(feature = "server")]
        for (_, waiting) in lock(&self.0.waiting).iter() {
            // A thread looks again when its time is over.
            if let Waiting::Task(_) = waiting {
                waiting.wake();
            }
        }
    }

    pub(super) fn silence(&self) -> Silence {
        *lock(&self.0.silence)
    }

    /// From now on `waiting` is woken by [`Cancel::cancel`]; at once, if that was before.
    pub(super) fn watch(&self, waiting: Waiting) -> u64 {
        let key = self.0.next.fetch_add(1, Ordering::Relaxed);
        let mut list = lock(&self.0.waiting);
        if self.is_cancelled() {
            waiting.wake();
        }
        list.push((key, waiting));
        key
    }

    /// Whether anything waits that would be woken.
    #[cfg(test)]
    pub(super) fn is_watched(&self) -> bool {
        !lock(&self.0.waiting).is_empty()
    }

    /// From now on it is not.
    pub(super) fn unwatch(&self, key: u64) {
        lock(&self.0.waiting).retain(|(k, _)| *k != key);
    }
}

/// What was seen of a request, as far as it came.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Observed {
    /// Time to look up the name; `None` if the connection was there already.
    pub resolve: Option<Duration>,
    /// Time to open the connection, with a proxy's tunnel.
    pub connect: Option<Duration>,
    /// The TLS session, with the time of its handshake also if that was for an earlier request.
    pub tls: Option<TlsObserved>,
    /// From the request being written until the head of the answer was complete.
    pub first_byte: Option<Duration>,
    /// The address that was really connected to: the backend's, or the proxy's if there is one.
    pub address: Option<SocketAddr>,
    /// Host and port of the proxy on the way.
    pub proxy: Option<String>,
    /// Whether the connection had served an earlier request.
    pub reused: bool,
}

/// A TLS session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsObserved {
    /// How long the handshake took.
    pub took: Duration,
    /// `TLS 1.2` or `TLS 1.3`.
    pub version: &'static str,
    /// What the server presented, its own certificate first.
    pub certificates: Arc<[CertificateDer<'static>]>,
}

/// One attempt at one request, shared by the thread that makes it and the connection that carries it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) endpoint: Endpoint,
    pub(super) timeouts: Timeouts,
    /// When all of it must be over.
    pub(super) total: Option<Instant>,
    pub(super) cancel: Cancel,
    pub(super) connections: Connections,
    state: Mutex<State>,
}

/// Which connections an attempt may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connections {
    /// An idle one if there is one.
    IdleOrNew,
    /// Only a new one.
    New,
}

#[derive(Debug, Default)]
struct State {
    observed: Observed,
    failure: Option<Failure>,
    sent: bool,
    written: Option<Instant>,
    answered: bool,
    head: bool,
    late: bool,
    /// What is read now is wanted only if it comes before.
    hurry: Option<Instant>,
}

thread_local! {
    /// ureq calls the connector without a word on whose behalf, but on the thread that makes the request.
    static CURRENT: RefCell<Option<Arc<Call>>> = const { RefCell::new(None) };
}

/// Until it is dropped, connections opened or taken on this thread are this call's.
pub(super) struct Making(Option<Arc<Call>>);

impl Making {
    pub(super) fn new(call: &Arc<Call>) -> Self {
        Self(CURRENT.with(|current| current.replace(Some(Arc::clone(call)))))
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        let before = self.0.take();
        CURRENT.with(|current| current.replace(before));
    }
}

impl Call {
    pub(super) fn new(
        endpoint: Endpoint,
        timeouts: Timeouts,
        total: Option<Instant>,
        cancel: Cancel,
        connections: Connections,
    ) -> Arc<Self> {
        Arc::new(Self { endpoint, timeouts, total, cancel, connections, state: Mutex::default() })
    }

    /// The call that this thread is making.
    pub(super) fn current() -> Option<Arc<Self>> {
        CURRENT.with(|current| current.borrow().clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn observed(&self) -> Observed {
        self.state().observed.clone()
    }

    pub(super) fn observe(&self, change: impl FnOnce(&mut Observed)) {
        change(&mut self.state().observed);
    }

    /// Bytes of the request have left.
    pub(super) fn note_sent(&self) {
        self.state().sent = true;
    }

    /// The request is written as far as it will be.
    pub(super) fn note_written(&self) {
        self.state().written.get_or_insert_with(Instant::now);
    }

    /// A byte of the answer came.
    pub(super) fn note_answered(&self) {
        self.state().answered = true;
    }

    /// The head of the answer is complete.
    pub(super) fn note_head(&self) {
        let mut state = self.state();
        state.head = true;
        state.observed.first_byte = state.written.map(|written| written.elapsed());
    }

    /// Whether a byte of the answer came.
    pub(super) fn is_answered(&self) -> bool {
        self.state().answered
    }

    /// Whether a deadline ended it.
    pub(super) fn is_late(&self) -> bool {
        self.state().late
    }

    /// What stops it.
    pub(super) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Reading ends as the limits say again.
    pub(super) fn take_time(&self) {
        self.state().hurry = None;
    }

    /// From now on reading ends at `until`, whatever the limits say.
    pub(super) fn hurry(&self, until: Instant) {
        self.state().hurry = Some(until);
    }

    pub(super) fn sent(&self) -> Sent {
        if self.state().sent { Sent::Maybe } else { Sent::Nothing }
    }

    /// Keeps a failure for the caller; ureq's error enum has no room for it.
    pub(super) fn keep(&self, failure: Failure) {
        self.state().failure.get_or_insert(failure);
    }

    /// The failure that was kept.
    pub(super) fn kept(&self) -> Option<Failure> {
        self.state().failure.take()
    }

    /// What reading waits for, and until when, if nothing has come since `since`.
    pub(super) fn reading(&self, since: Instant) -> (Stage, Until) {
        let (head, written, hurry) = {
            let state = self.state();
            (state.head, state.written, state.hurry)
        };
        if let Some(hurry) = hurry {
            return (Stage::Body, Until { at: Some(hurry), limit: Duration::ZERO, bound: Bound::Stage });
        }
        let (stage, limit, since) = match head {
            true => (Stage::Body, self.timeouts.idle, since),
            false => (Stage::FirstByte, Some(self.timeouts.first_byte), written.unwrap_or(since)),
        };
        let until = match self.cancel.silence() {
            Silence::Counts => self.until(limit, since),
            Silence::CountsFrom(at) => self.until(limit, since.max(at)),
        };
        (stage, until)
    }

    /// Until when a thread waits before it looks again: at most as long as `until` says, less where that may change.
    pub(super) fn look_again(&self, until: Until) -> Option<Instant> {
        let now = Instant::now();
        match self.cancel.silence() {
            Silence::CountsFrom(at) if at > now => until.at.map(|at| at.min(now + LOOK)),
            Silence::Counts | Silence::CountsFrom(_) => until.at,
        }
    }

    /// When something that began at `since` and may take `limit` must be over.
    pub(super) fn until(&self, limit: Option<Duration>, since: Instant) -> Until {
        let own = limit.and_then(|limit| Some((since.checked_add(limit)?, limit)));
        match (own, self.total, self.timeouts.total) {
            (Some((at, _)), Some(total), Some(limit)) if total < at => {
                Until { at: Some(total), limit, bound: Bound::Total }
            }
            (None, Some(total), Some(limit)) => Until { at: Some(total), limit, bound: Bound::Total },
            (Some((at, limit)), _, _) => Until { at: Some(at), limit, bound: Bound::Stage },
            (None, _, _) => Until { at: None, limit: Duration::MAX, bound: Bound::Stage },
        }
    }

    /// `host:port`, with the address if that says more, and the proxy.
    pub(super) fn peer(&self) -> String {
        let state = self.state();
        let name = host_and_port(self.endpoint.host(), self.endpoint.port());
        match (&state.observed.proxy, state.observed.address) {
            (Some(proxy), _) => format!("{name} through proxy {proxy}"),
            (None, Some(address)) if address.ip().to_string() != self.endpoint.host() => {
                format!("{name} at {}", address.ip())
            }
            (None, _) => name,
        }
    }

    pub(super) fn failure(&self, stage: Stage, message: String) -> Failure {
        if self.cancel.is_cancelled() {
            return Failure {
                stage: Stage::Cancelled,
                sent: self.sent(),
                message: "the call was cancelled".to_owned(),
            };
        }
        Failure { stage, sent: self.sent(), message }
    }

    /// What an error of the connection means at this stage.
    pub(super) fn broken(&self, stage: Stage, until: Until, error: &io::Error) -> Failure {
        let peer = self.peer();
        if error.kind() == io::ErrorKind::TimedOut {
            self.state().late = true;
            return self.failure(stage, self.late(stage, until));
        }
        if let Some(tls) = tls_error(error) {
            return self.failure(Stage::Tls, format!("TLS with {peer}: {}", tls_words(tls)));
        }
        let words = io_words(error);
        let message = match stage {
            Stage::Send => format!("sending the request to {peer}: {words}"),
            Stage::FirstByte => format!("waiting for the answer of {peer}: {words}"),
            Stage::Body | Stage::Lost => format!("reading the answer of {peer}: {words}"),
            Stage::Tls => format!("TLS with {peer}: {words}"),
            Stage::Resolve | Stage::Connect | Stage::Cancelled => format!("connecting to {peer}: {words}"),
        };
        self.failure(if stage == Stage::Body { Stage::Lost } else { stage }, message)
    }

    /// The words for a deadline that has passed.
    pub(super) fn late(&self, stage: Stage, until: Until) -> String {
        let (peer, limit) = (self.peer(), until.limit);
        let what = match stage {
            Stage::Resolve => format!("looking up `{}` took", self.endpoint.host()),
            Stage::Connect | Stage::Cancelled => format!("connecting to {peer} took"),
            Stage::Tls => format!("the TLS handshake with {peer} took"),
            Stage::Send => format!("{peer} took no more of the request for"),
            Stage::FirstByte => format!("{peer} gave no answer for"),
            Stage::Body | Stage::Lost => format!("{peer} sent no more of its answer for"),
        };
        match (until.bound, stage) {
            (Bound::Stage, Stage::Send | Stage::FirstByte | Stage::Body | Stage::Lost) => format!("{what} {limit:?}"),
            (Bound::Stage, _) => format!("{what} more than {limit:?}"),
            (Bound::Total, Stage::Send) => format!("the call took more than {limit:?}; {peer} had not taken all of it"),
            (Bound::Total, Stage::FirstByte) => format!("the call took more than {limit:?}; {peer} had not answered"),
            (Bound::Total, Stage::Body | Stage::Lost) => {
                format!("the call took more than {limit:?}; the answer of {peer} had not ended")
            }
            (Bound::Total, _) => format!("the call took more than {limit:?}; {what} too long"),
        }
    }
}

/// A deadline and where it comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until {
    /// `None`: never.
    pub(super) at: Option<Instant>,
    /// The limit that set it.
    pub(super) limit: Duration,
    pub(super) bound: Bound,
}

impl Until {
    /// Whether it has passed.
    pub(super) fn is_over(&self) -> bool {
        self.at.is_some_and(|at| at <= Instant::now())
    }
}

/// Which limit sets a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// The stage's own.
    Stage,
    /// That of the whole call.
    Total,
}

/// The system's words for an error, without its number.
pub(super) fn io_words(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(_) if !error.kind().to_string().starts_with("uncategorized") => error.kind().to_string(),
        _ => error.to_string(),
    }
}

/// The TLS error inside an error of a connection.
pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What a TLS error says; the verifier's own words where it has some.
pub(super) fn tls_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) => other.0.to_string(),
        rustls::Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol) => {
            "the other side speaks no HTTP/1.1, which it was offered (ALPN)".to_owned()
        }
        rustls::Error::InvalidMessage(_) => format!("the other side does not speak TLS ({error})"),
        _ => error.to_string(),
    }
}

/// `host:port`, an IPv6 address in brackets.
pub(super) fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A lock whose holder panicked still guards whole values: every change under these locks is one assignment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
