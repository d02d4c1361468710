//! What comes on the standing streams of a backend that speaks HTTP with SSE (MCP 2024-11-05, basic/transports), and whom
//! it is for: the answer to a request, the latest call, or whoever listens.
//!
//! It reads no connection and waits for nobody: threads do so in [`super::sse`], tasks in [`super::asynchronous`].

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::task::{Poll, Waker};
use std::time::Instant;

use ureq::http::Uri;
use vmcp_core::endpoint::Endpoint;
use vmcp_core::mcp::client::{Listening, Spoken};
use vmcp_core::mcp::http::{EVENT_STREAM, Failure, Head, Method, Request, Sent, Stage, Twice, header};
use vmcp_core::mcp::jsonrpc::{self, Message};
use vmcp_core::mcp::{json, sse};

use super::call::{Call, Cancel, Connections, Timeouts, lock};
use super::route::Route;

/// Messages that wait for whoever they are for, the answer to a request not counted.
const WAITING: usize = 1024;
/// Begins the names of sessions; nobody but these files sees them.
const SESSION: &str = "sse-";

/// The streams that are open, by number.
pub(super) type Open = Mutex<HashMap<u64, Arc<Channel>>>;

/// All streams of one backend.
pub(super) struct Streams {
    pub(super) open: Arc<Open>,
    last: AtomicU64,
    /// How many may stand side by side.
    limit: usize,
}

impl Streams {
    pub(super) fn new(limit: usize) -> Self {
        Self { open: Arc::default(), last: AtomicU64::new(0), limit }
    }

    /// The number of one more.
    pub(super) fn next(&self, route: &Route) -> Result<u64, Failure> {
        if lock(&self.open).len() >= self.limit {
            let message = format!("{} streams of {} are open, and no more are allowed", self.limit, route.endpoint);
            return Err(Failure { stage: Stage::Connect, sent: Sent::Nothing, message });
        }
        Ok(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The one whose session a request names.
    pub(super) fn named(&self, request: &Request) -> Option<Arc<Channel>> {
        let number = request.header(header::SESSION_ID)?.strip_prefix(SESSION)?.parse().ok()?;
        lock(&self.open).get(&number).cloned()
    }
}

/// What a POST asks: the method, and the id under which it is answered.
pub(super) fn asked(request: &Request) -> (String, Option<u64>) {
    match jsonrpc::parse(&request.body) {
        Ok(Message::Request(request)) => (request.method.into_owned(), request.id.text().parse().ok()),
        _ => (String::new(), None),
    }
}

/// What opens a stream.
pub(super) fn opening() -> Request {
    let accept = vec![(header::ACCEPT.to_owned(), EVENT_STREAM.to_owned())];
    Request { method: Method::Get, headers: accept, body: Vec::new(), twice: Twice::Harmless }
}

/// A message as it is posted: the session is in the place.
pub(super) fn posted(request: &Request) -> Request {
    let mut posted = request.clone();
    posted.headers.retain(|(name, _)| name != header::SESSION_ID);
    posted
}

/// The head of what looks like the answer to a request on this channel.
pub(super) fn answered(channel: &Channel) -> Head {
    let headers = vec![
        (header::CONTENT_TYPE.to_owned(), EVENT_STREAM.to_owned()),
        (header::SESSION_ID.to_owned(), format!("{SESSION}{}", channel.number)),
    ];
    Head { status: 200, headers }
}

/// The head of what looks like the answer to a GET.
pub(super) fn listens() -> Head {
    Head { status: 200, headers: vec![(header::CONTENT_TYPE.to_owned(), EVENT_STREAM.to_owned())] }
}

/// A stream that was asked for, until the backend has said where messages are to be posted.
pub(super) struct Opening {
    pub(super) listening: Listening,
    spoken: Vec<Spoken>,
}

impl Opening {
    /// # Errors
    /// The answer is no stream.
    pub(super) fn new(route: &Route, head: &Head) -> Result<Self, String> {
        let (status, kind) = (head.status, head.media_type());
        if status != 200 || kind.as_deref() != Some(EVENT_STREAM) {
            let kind = kind.unwrap_or_else(|| "none".to_owned());
            return Err(format!(
                "{} answered GET with status {status} and content type {kind:?}; expected 200 and {EVENT_STREAM:?}",
                route.endpoint
            ));
        }
        let limit = usize::try_from(route.body_limit).unwrap_or(usize::MAX);
        Ok(Self { listening: Listening::new(limit), spoken: Vec::new() })
    }

    /// Where messages go, once that has come; `None` are bytes where there are no more.
    pub(super) fn read(&mut self, route: &Route, bytes: Option<&[u8]>) -> Result<Option<(Endpoint, Uri)>, String> {
        let Some(bytes) = bytes else {
            return Err(format!("the stream of {} ended before an `endpoint` event", route.endpoint));
        };
        if let Err(problem) = self.listening.read(bytes, &mut self.spoken) {
            return Err(format!("the stream of {}: {problem}", route.endpoint));
        }
        let is_place = |spoken: &Spoken| matches!(spoken, Spoken::Event(kind, _) if kind == "endpoint");
        match self.spoken.iter().position(is_place).map(|place| self.spoken.swap_remove(place)) {
            Some(Spoken::Event(_, location)) => route.target(&location).map(Some),
            _ => Ok(None),
        }
    }
}

impl Route {
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

    /// A call that has no connection of its own.
    pub(super) fn virtual_call(&self, timeouts: &Timeouts, cancel: &Cancel) -> Arc<Call> {
        let total = timeouts.total.and_then(|total| Instant::now().checked_add(total));
        Call::new(self.endpoint.clone(), *timeouts, total, cancel.clone(), Connections::New)
    }
}

/// One stream.
pub(super) struct Channel {
    number: u64,
    /// Where messages are posted.
    pub(super) target: (Endpoint, Uri),
    cancel: Cancel,
    state: Mutex<State>,
}

/// What a request is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// A client's call, in which the server may ask something.
    Call,
    /// The conversation: lists, levels, subscriptions. Nobody can be asked anything there.
    Conversation,
}

impl Of {
    fn method(method: &str) -> Self {
        match method {
            "tools/call" | "prompts/get" | "resources/read" | "completion/complete" | "tasks/result" => Self::Call,
            _ => Self::Conversation,
        }
    }
}

#[derive(Default)]
struct State {
    /// Requests that wait for their answers, by id.
    asked: Vec<(u64, Arc<Inbox>, Of)>,
    listener: Option<Arc<Inbox>>,
    /// For whoever comes next.
    left: VecDeque<Vec<u8>>,
    ended: bool,
}

/// What came for one reader.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) state: Mutex<Arrived>,
    pub(super) changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct Arrived {
    events: VecDeque<Vec<u8>>,
    end: Option<&'static str>,
    /// The task that waits for what comes.
    waker: Option<Waker>,
}

/// Reads an inbox as the body of an answer.
pub(super) struct InboxReader {
    pub(super) inbox: Arc<Inbox>,
    channel: Arc<Channel>,
    /// The id of the request that waits, none for a listener.
    id: Option<u64>,
    /// The stream is of no use if this request fails.
    opens: Option<Weak<Open>>,
}

impl Drop for Streams {
    fn drop(&mut self) {
        for channel in lock(&self.open).values() {
            channel.cancel.cancel();
        }
    }
}

impl Channel {
    /// A stream that stands; `cancel` ends it. From now on it is among those that are open.
    pub(super) fn open(streams: &Streams, number: u64, target: (Endpoint, Uri), cancel: Cancel) -> Arc<Self> {
        let channel = Arc::new(Self { number, target, cancel, state: Mutex::default() });
        lock(&streams.open).insert(number, Arc::clone(&channel));
        channel
    }

    /// What came on it, for whom it is; `false` if no more of it can be read.
    pub(super) fn heard(&self, listening: &mut Listening, bytes: &[u8], spoken: &mut Vec<Spoken>) -> bool {
        let read = listening.read(bytes, spoken);
        for spoken in spoken.drain(..) {
            self.deliver(spoken);
        }
        read.is_ok()
    }

    /// Waits for the answer to a request that is about to be posted.
    pub(super) fn expect(self: &Arc<Self>, id: u64, method: &str, opens: Option<Weak<Open>>) -> InboxReader {
        let inbox = Arc::new(Inbox::default());
        let mut state = lock(&self.state);
        // What nobody listened for goes to the first who can hear it.
        for event in state.left.drain(..) {
            inbox.put(event);
        }
        if state.ended {
            inbox.end("the stream has ended");
        }
        state.asked.push((id, Arc::clone(&inbox), Of::method(method)));
        drop(state);
        InboxReader { inbox, channel: Arc::clone(self), id: Some(id), opens }
    }

    /// Hears what concerns no request.
    pub(super) fn listen(self: &Arc<Self>) -> InboxReader {
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
        InboxReader { inbox, channel: Arc::clone(self), id: None, opens: None }
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
                if let Some((_, inbox, _)) = state.asked.iter().find(|(asked, ..)| Some(*asked) == id) {
                    inbox.put(event(&text.0));
                }
            }
            Spoken::Message(message) => {
                // A progress token of ours is the id of its request.
                let token = (message.method == "notifications/progress")
                    .then(|| json::integer(json::member(message.params()?, "progressToken")?))
                    .flatten()
                    .and_then(|token| u64::try_from(token).ok());
                let of_token = state.asked.iter().find(|(asked, ..)| Some(*asked) == token);
                let call = of_token.or(state.asked.iter().rev().find(|(.., of)| *of == Of::Call));
                let latest = || state.asked.last().map(|(_, inbox, _)| inbox);
                match call.map(|(_, inbox, _)| inbox).or(state.listener.as_ref()).or_else(latest) {
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
        for inbox in state.asked.iter().map(|(_, inbox, _)| inbox).chain(&state.listener) {
            inbox.end("the stream has ended");
        }
    }
}

/// Ends a stream.
pub(super) fn close(open: &Open, channel: &Arc<Channel>) {
    lock(open).remove(&channel.number);
    channel.cancel.cancel();
    channel.end();
}

impl Inbox {
    fn put(&self, event: Vec<u8>) {
        let waker = {
            let mut state = lock(&self.state);
            state.events.push_back(event);
            state.waker.take()
        };
        self.tell(waker);
    }

    fn end(&self, why: &'static str) {
        let waker = {
            let mut state = lock(&self.state);
            state.end.get_or_insert(why);
            state.waker.take()
        };
        self.tell(waker);
    }

    fn tell(&self, waker: Option<Waker>) {
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
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

/// What there is for a reader.
pub(super) enum Got {
    /// One event, as bytes of a stream.
    Event(Vec<u8>),
    /// Nothing more, and why.
    End(&'static str),
}

impl InboxReader {
    /// The next event if it is there. If not, `waker` is woken when it is.
    #[cfg(feature = "server")]
    pub(super) fn take(&mut self, waker: &Waker) -> Poll<Got> {
        let mut state = lock(&self.inbox.state);
        let got = state.take();
        if got.is_pending() {
            state.waker = Some(waker.clone());
        }
        drop(state);
        if let Poll::Ready(Got::Event(event)) = &got {
            self.note(event);
        }
        got
    }

    /// What was taken is looked at: a stream on which `initialize` succeeded is kept.
    pub(super) fn note(&mut self, event: &[u8]) {
        if self.opens.is_some() && is_result(event) {
            self.opens = None;
        }
    }
}

impl Arrived {
    pub(super) fn take(&mut self) -> Poll<Got> {
        match (self.events.pop_front(), self.end) {
            (Some(event), _) => Poll::Ready(Got::Event(event)),
            (None, Some(why)) => Poll::Ready(Got::End(why)),
            (None, None) => Poll::Pending,
        }
    }
}

/// The stream that was read has ended.
pub(super) fn ended(call: &Call, why: &str) -> Failure {
    call.failure(Stage::Body, format!("reading the answer of {}: {why}", call.peer()))
}

/// Whether an event is a response with a result.
fn is_result(event: &[u8]) -> bool {
    let text = std::str::from_utf8(event).ok().and_then(|text| text.strip_prefix("data: ")).map(str::trim_end);
    text.is_some_and(|text| json::member(text, "result").is_some())
}

impl Drop for InboxReader {
    fn drop(&mut self) {
        let mut state = lock(&self.channel.state);
        match self.id {
            Some(id) => state.asked.retain(|(asked, ..)| *asked != id),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What came for a reader.
    fn got(reader: &InboxReader) -> Vec<String> {
        let mut state = lock(&reader.inbox.state);
        let next = || match state.take() {
            Poll::Ready(Got::Event(event)) => Some(String::from_utf8(event).unwrap()),
            Poll::Ready(Got::End(_)) | Poll::Pending => None,
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn what_a_server_asks_reaches_a_call_whatever_else_is_asked_on_its_stream() {
        let endpoint = Endpoint::parse("http://127.0.0.1:9/sse").unwrap();
        let target = (endpoint.clone(), endpoint.to_url().parse().unwrap());
        let streams = Streams::new(1);
        let channel = Channel::open(&streams, 1, target, Cancel::new());
        let (mut listening, mut spoken) = (Listening::new(1000), Vec::new());
        let mut says = |id: u32| {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"elicitation/create","params":{{}}}}"#);
            let event = format!("data: {text}\n\n");
            assert!(channel.heard(&mut listening, event.as_bytes(), &mut spoken));
            vec![event]
        };
        // Nobody is there: it waits for whoever comes first.
        let event = says(1);
        let list = channel.expect(1, "tools/list", None);
        assert_eq!(got(&list), event);
        let event = says(2);
        assert_eq!(got(&list), event, "there is nobody else");
        let call = channel.expect(2, "tools/call", None);
        let later = channel.expect(3, "tools/list", None);
        let event = says(3);
        assert_eq!((got(&call), got(&list), got(&later)), (event, vec![], vec![]));
        drop(call);
        let listener = channel.listen();
        let event = says(4);
        assert_eq!((got(&listener), got(&list), got(&later)), (event, vec![], vec![]));
    }
}
