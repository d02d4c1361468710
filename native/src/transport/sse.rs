//! Backends that speak HTTP with SSE (MCP 2024-11-05, basic/transports): one standing stream for all that the backend
//! says, and POSTs that are answered on it.
//!
//! To an exchange it looks like a backend with sessions: each stream is one, what comes for a request is the answer to
//! its POST, and what comes for none goes to the latest call, else to whoever listens (GET). It understands of a message
//! only what it belongs to.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Instant;

use ureq::http::Uri;
use vmcp_core::endpoint::Endpoint;
use vmcp_core::mcp::client::{Listening, Spoken};
use vmcp_core::mcp::http::{EVENT_STREAM, Failure, Head, Method, Request, Sent, Stage, header};
use vmcp_core::mcp::jsonrpc::{self, Message};
use vmcp_core::mcp::{json, sse};

use super::call::{Call, Connections, Waiting};
use super::response::Response;
use super::{BackendTransport, Cancel, Observed, Timeouts};

/// Streams of one backend that may stand side by side; each has a thread that reads it.
const STREAMS: usize = 1024;
/// Messages that wait for whoever they are for, the answer to a request not counted.
const WAITING: usize = 1024;
/// Begins the names of sessions; nobody but this file sees them.
const SESSION: &str = "sse-";

/// The streams that are open, by number.
type Open = Mutex<HashMap<u64, Arc<Channel>>>;

/// All streams of one backend.
#[derive(Default)]
pub(super) struct Streams {
    open: Arc<Open>,
    last: AtomicU64,
}

/// One stream.
struct Channel {
    number: u64,
    /// Where messages are posted.
    target: (Endpoint, Uri),
    cancel: Cancel,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Requests that wait for their answers, by id.
    asked: Vec<(u64, Arc<Inbox>)>,
    listener: Option<Arc<Inbox>>,
    /// For whoever comes next.
    left: VecDeque<Vec<u8>>,
    ended: bool,
}

/// What came for one reader.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    state: Mutex<Arrived>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Arrived {
    events: VecDeque<Vec<u8>>,
    end: Option<&'static str>,
}

/// Reads an inbox as the body of an answer.
pub(super) struct InboxReader {
    inbox: Arc<Inbox>,
    channel: Arc<Channel>,
    /// The id of the request that waits, none for a listener.
    id: Option<u64>,
    /// The stream is of no use if this request fails.
    opens: Option<Weak<Open>>,
}

impl BackendTransport {
    /// As [`BackendTransport::observe`], over the streams.
    pub(super) fn observe_sse(
        &self,
        streams: &Streams,
        request: &Request,
        timeouts: &Timeouts,
        cancel: &Cancel,
    ) -> (Result<Response, Failure>, Observed) {
        let call = self.virtual_call(timeouts, cancel);
        let session = request.header(header::SESSION_ID).and_then(|id| id.strip_prefix(SESSION)?.parse().ok());
        let channel = session.and_then(|number: u64| lock(&streams.open).get(&number).cloned());
        match (request.method, channel) {
            (Method::Delete, channel) => {
                if let Some(channel) = channel {
                    close(&streams.open, &channel);
                }
                (Ok(Response::bare(200, call)), Observed::default())
            }
            (Method::Get, Some(channel)) => (Ok(channel.listen(call)), Observed::default()),
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
        let (method, id) = match jsonrpc::parse(&request.body) {
            Ok(Message::Request(request)) => (request.method.into_owned(), request.id.text().parse::<u64>().ok()),
            _ => (String::new(), None),
        };
        let (channel, opens) = match (channel, method.as_str()) {
            (Some(channel), _) => (channel, None),
            (None, "initialize") => match self.open(streams, timeouts) {
                Ok(channel) => (channel, Some(Arc::downgrade(&streams.open))),
                Err(failed) => return (Err(failed.0), failed.1),
            },
            // The transport is older than what is asked, or the stream is gone.
            (None, _) => return (Ok(Response::bare(404, Arc::clone(call))), Observed::default()),
        };
        let reader = id.map(|id| channel.expect(id, opens));
        let mut posted = request.clone();
        posted.headers.retain(|(name, _)| name != header::SESSION_ID);
        let (answer, observed) = self.follow(channel.target.clone(), &posted, timeouts, call.cancel());
        let answer = match (answer, reader) {
            (Ok(answer), Some(reader)) if (200..300).contains(&answer.head.status) => {
                self.finish(answer);
                call.note_sent();
                let headers = vec![
                    (header::CONTENT_TYPE.to_owned(), EVENT_STREAM.to_owned()),
                    (header::SESSION_ID.to_owned(), format!("{SESSION}{}", channel.number)),
                ];
                Ok(Response::of_inbox(Head { status: 200, headers }, Arc::clone(call), reader))
            }
            (answer, _) => answer,
        };
        (answer, observed)
    }

    /// Opens a stream, and waits until the backend says where messages are to be posted.
    fn open(&self, streams: &Streams, timeouts: &Timeouts) -> Result<Arc<Channel>, Box<(Failure, Observed)>> {
        let failure = |stage, message| Failure { stage, sent: Sent::Nothing, message };
        let number = streams.last.fetch_add(1, Ordering::Relaxed) + 1;
        if lock(&streams.open).len() >= STREAMS {
            let message = format!("{STREAMS} streams of {} are open, and no more are allowed", self.endpoint);
            return Err(Box::new((failure(Stage::Connect, message), Observed::default())));
        }
        let cancel = Cancel::new();
        let accept = vec![(header::ACCEPT.to_owned(), EVENT_STREAM.to_owned())];
        let request = Request { method: Method::Get, headers: accept, body: Vec::new() };
        let standing = Timeouts { idle: None, total: None, ..*timeouts };
        let (response, observed) = self.follow((self.endpoint.clone(), self.uri.clone()), &request, &standing, &cancel);
        let mut response = response.map_err(|failure| Box::new((failure, observed.clone())))?;
        let unexpected = |message| Box::new((failure(Stage::FirstByte, message), observed.clone()));
        let (status, kind) = (response.head.status, response.head.media_type());
        if status != 200 || kind.as_deref() != Some(EVENT_STREAM) {
            let kind = kind.unwrap_or_else(|| "none".to_owned());
            let message = format!(
                "{} answered GET with status {status} and content type {kind:?}; expected 200 and {EVENT_STREAM:?}",
                self.endpoint
            );
            return Err(unexpected(message));
        }
        response.hurry(Instant::now() + timeouts.first_byte);
        let limit = usize::try_from(self.body_limit).unwrap_or(usize::MAX);
        let (mut listening, mut spoken) = (Listening::new(limit), Vec::new());
        let location = loop {
            let bytes = match response.read() {
                Ok(Some(bytes)) => bytes,
                Ok(None) => {
                    return Err(unexpected(format!(
                        "the stream of {} ended before an `endpoint` event",
                        self.endpoint
                    )));
                }
                Err(failure) => return Err(Box::new((Failure { sent: Sent::Nothing, ..failure }, observed))),
            };
            if let Err(problem) = listening.read(bytes, &mut spoken) {
                return Err(unexpected(format!("the stream of {}: {problem}", self.endpoint)));
            }
            let place = spoken.iter().position(|spoken| matches!(spoken, Spoken::Event(kind, _) if kind == "endpoint"));
            if let Some(Spoken::Event(_, location)) = place.map(|place| spoken.swap_remove(place)) {
                break location;
            }
        };
        let target = self.target(&location).map_err(unexpected)?;
        response.take_time();
        let channel = Arc::new(Channel { number, target, cancel, state: Mutex::default() });
        lock(&streams.open).insert(number, Arc::clone(&channel));
        let (open, read) = (Arc::clone(&streams.open), Arc::clone(&channel));
        let work = move || {
            read.read(response, listening);
            close(&open, &read);
        };
        // What the thread costs is its stack, which is reserved and not used until it is needed.
        if let Err(error) = thread::Builder::new().name("vmcp-sse".to_owned()).stack_size(1 << 20).spawn(work) {
            close(&streams.open, &channel);
            return Err(unexpected(format!("the system makes no more threads: {error}")));
        }
        Ok(channel)
    }

    /// Where messages go: only to where the stream came from (2024-11-05 leaves that open; to post elsewhere would give
    /// credentials away).
    fn target(&self, location: &str) -> Result<(Endpoint, Uri), String> {
        let target = self
            .endpoint
            .join(location.trim())
            .map_err(|error| format!("{} names an endpoint that cannot be called: {error}", self.endpoint))?;
        let same = (target.scheme(), target.host(), target.port())
            == (self.endpoint.scheme(), self.endpoint.host(), self.endpoint.port());
        if !same {
            return Err(format!(
                "{} names the endpoint {target}; expected the same scheme, host and port as the stream's",
                self.endpoint
            ));
        }
        let uri = target
            .to_url()
            .parse()
            .map_err(|_| format!("{} names an endpoint that cannot be called", self.endpoint))?;
        Ok((target, uri))
    }

    fn virtual_call(&self, timeouts: &Timeouts, cancel: &Cancel) -> Arc<Call> {
        let total = timeouts.total.and_then(|total| Instant::now().checked_add(total));
        Call::new(self.endpoint.clone(), *timeouts, total, cancel.clone(), Connections::New)
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        for channel in lock(&self.open).values() {
            channel.cancel.cancel();
        }
    }
}

impl Channel {
    /// Waits for the answer to a request that is about to be posted.
    fn expect(self: &Arc<Self>, id: u64, opens: Option<Weak<Open>>) -> InboxReader {
        let inbox = Arc::new(Inbox::default());
        let mut state = lock(&self.state);
        // What nobody listened for goes to the first who can hear it.
        for event in state.left.drain(..) {
            inbox.put(event);
        }
        if state.ended {
            inbox.end("the stream has ended");
        }
        state.asked.push((id, Arc::clone(&inbox)));
        drop(state);
        InboxReader { inbox, channel: Arc::clone(self), id: Some(id), opens }
    }

    /// Hears what concerns no request.
    fn listen(self: &Arc<Self>, call: Arc<Call>) -> Response {
        let inbox = Arc::new(Inbox::default());
        let mut state = lock(&self.state);
        for event in state.left.drain(..) {
            inbox.put(event);
        }
        if state.ended {
            inbox.end("the stream has ended");
        }
        if let Some(before) = state.listener.replace(Arc::clone(&inbox)) {
            before.end("another one listens");
        }
        drop(state);
        let reader = InboxReader { inbox, channel: Arc::clone(self), id: None, opens: None };
        let headers = vec![(header::CONTENT_TYPE.to_owned(), EVENT_STREAM.to_owned())];
        Response::of_inbox(Head { status: 200, headers }, call, reader)
    }

    /// Reads the stream to its end.
    fn read(&self, mut response: Response, mut listening: Listening) {
        let mut spoken = Vec::new();
        while let Ok(Some(bytes)) = response.read() {
            let read = listening.read(bytes, &mut spoken);
            for spoken in spoken.drain(..) {
                self.deliver(spoken);
            }
            if read.is_err() {
                return;
            }
        }
    }

    fn deliver(&self, spoken: Spoken) {
        let event = |text: &str| {
            let mut out = Vec::with_capacity(text.len() + 16);
            sse::write(&mut out, None, None, text.as_bytes());
            out
        };
        let mut state = lock(&self.state);
        match spoken {
            Spoken::Response(id, text) => {
                if let Some((_, inbox)) = state.asked.iter().find(|(asked, _)| Some(*asked) == id) {
                    inbox.put(event(&text.0));
                }
            }
            Spoken::Message(message) => {
                // A progress token of ours is the id of its request.
                let token = (message.method == "notifications/progress")
                    .then(|| json::integer(json::member(message.params()?, "progressToken")?))
                    .flatten()
                    .and_then(|token| u64::try_from(token).ok());
                let of_token = state.asked.iter().find(|(asked, _)| Some(*asked) == token);
                let latest = of_token.or(state.asked.last()).map(|(_, inbox)| inbox);
                match latest.or(state.listener.as_ref()) {
                    Some(inbox) if inbox.len() < WAITING => inbox.put(event(&message.text)),
                    Some(_) => {}
                    None => {
                        state.left.push_back(event(&message.text));
                        if state.left.len() > WAITING {
                            state.left.pop_front();
                        }
                    }
                }
            }
            Spoken::Event(..) => {}
        }
    }

    fn end(&self) {
        let mut state = lock(&self.state);
        state.ended = true;
        for inbox in state.asked.iter().map(|(_, inbox)| inbox).chain(&state.listener) {
            inbox.end("the stream has ended");
        }
    }
}

fn close(open: &Open, channel: &Arc<Channel>) {
    lock(open).remove(&channel.number);
    channel.cancel.cancel();
    channel.end();
}

impl Inbox {
    fn put(&self, event: Vec<u8>) {
        lock(&self.state).events.push_back(event);
        self.changed.notify_all();
    }

    fn end(&self, why: &'static str) {
        lock(&self.state).end.get_or_insert(why);
        self.changed.notify_all();
    }

    fn len(&self) -> usize {
        lock(&self.state).events.len()
    }

    /// Whoever waits looks again.
    pub(super) fn wake(&self) {
        drop(lock(&self.state));
        self.changed.notify_all();
    }
}

impl InboxReader {
    /// The next event, as bytes of a stream.
    pub(super) fn next(&mut self, call: &Call) -> Result<Vec<u8>, Failure> {
        let (stage, until) = call.reading();
        let key = call.cancel().watch(Waiting::Inbox(Arc::downgrade(&self.inbox)));
        let mut state = lock(&self.inbox.state);
        let result = loop {
            if call.cancel().is_cancelled() {
                break Err(call.failure(Stage::Cancelled, String::new()));
            }
            if let Some(event) = state.events.pop_front() {
                break Ok(event);
            }
            if let Some(why) = state.end {
                break Err(call.failure(Stage::Body, format!("reading the answer of {}: {why}", call.peer())));
            }
            let left = until.at.map(|at| at.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break Err(call.failure(stage, call.late(stage, until)));
            }
            state = match left {
                Some(left) => self.inbox.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.inbox.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        };
        drop(state);
        call.cancel().unwatch(key);
        if let Ok(event) = &result
            && self.opens.is_some()
            && is_result(event)
        {
            self.opens = None;
        }
        result
    }
}

/// Whether an event is a response with a result: a stream on which `initialize` succeeded is kept.
fn is_result(event: &[u8]) -> bool {
    let text = std::str::from_utf8(event).ok().and_then(|text| text.strip_prefix("data: ")).map(str::trim_end);
    text.is_some_and(|text| json::member(text, "result").is_some())
}

impl Drop for InboxReader {
    fn drop(&mut self) {
        let mut state = lock(&self.channel.state);
        match self.id {
            Some(id) => state.asked.retain(|(asked, _)| *asked != id),
            None => {
                if state.listener.as_ref().is_some_and(|own| Arc::ptr_eq(own, &self.inbox)) {
                    state.listener = None;
                }
            }
        }
        drop(state);
        if let Some(open) = self.opens.take().and_then(|open| open.upgrade()) {
            close(&open, &self.channel);
        }
    }
}

/// Every change under these locks leaves whole values.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
