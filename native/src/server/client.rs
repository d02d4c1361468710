//! What the server keeps of one client's session: its streams, its calls in flight, what it was asked, its conversations
//! with backends.
//!
//! It sends nothing to backends.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vmcp_core::gateway::listen::Changing;
use vmcp_core::gateway::{self, Caller, relay};
use vmcp_core::identity::Principal;
use vmcp_core::mcp::client::{Declared, Exchange, Limits, ServerMessage, Settings, Standing};
use vmcp_core::mcp::{LogLevel, Revision, jsonrpc};

use super::VERSION;
use super::link::Link;
use super::outlet::Outlet;
use super::own_lists::OwnLists;
use super::questions::Questions;
use super::stream::{Reader, Resumption, Stream, read_event_id};
use super::views::View;
use super::whose::Whose;
use crate::transport::Cancel;

/// Streams of calls that can be resumed; the oldest that has ended goes first.
const STREAMS: usize = 16;

/// Tasks of a client of which it is known for whom they are.
const TASKS: usize = 256;

/// Subscriptions that outlive a backend's restart.
const SUBSCRIPTIONS: usize = 1000;

/// One client.
pub(super) struct Client {
    /// Whose it is, with the token that came last; nobody's, where callers are not known by name.
    whose: Whose,
    /// What it said of itself.
    pub(super) session: gateway::Session,
    /// What it sees.
    view: Mutex<Arc<View>>,
    /// What it alone sees.
    pub(super) own_lists: OwnLists,
    /// What it was asked.
    pub(super) questions: Questions,
    /// What backends are told of it.
    pub(super) settings: Arc<Settings>,
    /// For what concerns no request.
    pub(super) stream: Arc<Stream>,
    /// Lists that are other ones since it read no such stream.
    untold: Mutex<Vec<Changing>>,
    /// From which level on it wants log messages; none before it says so.
    log_level: Mutex<Option<LogLevel>>,
    /// Of calls, those that can be resumed.
    streams: Mutex<Vec<Arc<Stream>>>,
    last_stream: AtomicU64,
    calls: Mutex<Vec<Running>>,
    /// Resources of whose changes it wants to hear: the backend's place and the URI.
    subscriptions: Mutex<Vec<(usize, Box<str>)>>,
    /// What stops the stream on which it hears of the resources of a backend without sessions, by the backend's place.
    updates: Mutex<Vec<(usize, Cancel)>>,
    /// Its own tasks, by id (JSON), and the place of the backend that each was made for; the oldest goes first.
    tasks: Mutex<VecDeque<(Box<str>, usize)>>,
    /// By the backend's place; `None` once the session has ended.
    links: Mutex<Option<Links>>,
}

/// Conversations by the backend's place; a client uses few.
type Links = Vec<(usize, Arc<Link>)>;

/// A call in flight.
struct Running {
    /// As JSON.
    id: Box<str>,
    cancel: Cancel,
    outlet: Arc<Outlet>,
    /// The place of the backend that is asked, once that is known.
    at: Option<usize>,
    /// What its exchange there has the number of, and who wants to know how far it is.
    as_exchange: Option<(u64, Caller)>,
}

/// Why a stream is not opened.
#[derive(Debug)]
pub(super) enum NoStream {
    /// The session has one already.
    HasOne,
    /// What should be resumed is not there, or no longer.
    NotThere,
}

/// A call with this id is running.
#[derive(Debug)]
pub(super) struct IdInUse;

impl Client {
    pub(super) fn new(session: gateway::Session, who: Option<Arc<Principal>>, view: Arc<View>) -> Self {
        let mut declared = Declared::new("vmcp", VERSION);
        declared.capabilities = relay::declared_to_backend(&session.capabilities);
        let resumption = resumption(session.revision);
        Self {
            whose: Whose::of(who.as_ref()),
            settings: Arc::new(Settings { declared, limits: Limits::default() }),
            session,
            view: Mutex::new(view),
            own_lists: OwnLists::default(),
            questions: Questions::default(),
            stream: Stream::new(0, resumption),
            untold: Mutex::default(),
            log_level: Mutex::default(),
            streams: Mutex::default(),
            last_stream: AtomicU64::new(0),
            calls: Mutex::default(),
            subscriptions: Mutex::default(),
            updates: Mutex::default(),
            tasks: Mutex::default(),
            links: Mutex::new(Some(Vec::new())),
        }
    }

    /// Whose it is, with the token that came last.
    pub(super) fn who(&self) -> Option<Arc<Principal>> {
        self.whose.now()
    }

    /// The backends as it sees them.
    pub(super) fn view(&self) -> Arc<View> {
        Arc::clone(&lock(&self.view))
    }

    /// It sees them like this from now on: its token allows something else.
    pub(super) fn looks_anew(&self, view: Arc<View>) {
        *lock(&self.view) = view;
    }

    /// Whether it is this caller's. If so, what is done for the session from now on is done with this token.
    pub(super) fn is_of(&self, who: Option<&Arc<Principal>>) -> bool {
        self.whose.is_of(who)
    }

    /// From now on it wants log messages of this level and graver ones.
    pub(super) fn set_log_level(&self, level: LogLevel) {
        *lock(&self.log_level) = Some(level);
    }

    /// From which level on it wants log messages, if it said so.
    pub(super) fn log_level(&self) -> Option<LogLevel> {
        *lock(&self.log_level)
    }

    /// Opens the stream for what concerns no request, or goes on with the stream that `last_event_id` names.
    pub(super) fn listen(&self, last_event_id: Option<&str>) -> Result<Reader, NoStream> {
        if let Some(last) = last_event_id {
            let (number, event) = read_event_id(last).ok_or(NoStream::NotThere)?;
            let streams = lock(&self.streams);
            let stream = std::iter::once(&self.stream).chain(streams.iter()).find(|stream| stream.number == number);
            return stream.and_then(|stream| stream.resume(event).ok()).ok_or(NoStream::NotThere);
        }
        if self.stream.is_read() {
            return Err(NoStream::HasOne);
        }
        // Under the lock: a list that changes now is found here, or the stream there.
        let mut untold = lock(&self.untold);
        let reader = self.stream.reader().with_opening();
        for kind in std::mem::take(&mut *untold) {
            self.stream.send(&jsonrpc::notification(kind.method(), None));
        }
        Ok(reader)
    }

    /// A list that it may have been shown is another one now: it is told when it reads its stream.
    pub(super) fn tell_changed(&self, kind: Changing) {
        let mut untold = lock(&self.untold);
        if self.stream.was_read() {
            self.stream.send(&jsonrpc::notification(kind.method(), None));
        } else if !untold.contains(&kind) {
            untold.push(kind);
        }
    }

    /// A stream for the answer to a call.
    pub(super) fn new_stream(&self) -> Arc<Stream> {
        let number = self.last_stream.fetch_add(1, Ordering::Relaxed) + 1;
        let stream = Stream::new(number, resumption(self.session.revision));
        if stream.resumption() == Resumption::ById {
            let mut streams = lock(&self.streams);
            if streams.len() >= STREAMS {
                let oldest = streams.iter().position(|stream| stream.has_ended()).unwrap_or(0);
                streams.remove(oldest);
            }
            streams.push(Arc::clone(&stream));
        }
        stream
    }

    /// Whether its streams can be resumed.
    pub(super) fn resumption(&self) -> Resumption {
        resumption(self.session.revision)
    }

    /// Notes a call in flight under its id (JSON).
    pub(super) fn begin(&self, id: &str, cancel: &Cancel, outlet: &Arc<Outlet>) -> Result<(), IdInUse> {
        let mut calls = lock(&self.calls);
        if calls.iter().any(|call| *call.id == *id) {
            return Err(IdInUse);
        }
        calls.push(Running {
            id: id.into(),
            cancel: cancel.clone(),
            outlet: Arc::clone(outlet),
            at: None,
            as_exchange: None,
        });
        Ok(())
    }

    /// The backend at this place is asked for it now.
    pub(super) fn goes_to(&self, id: &str, place: usize) {
        if let Some(call) = lock(&self.calls).iter_mut().find(|call| *call.id == *id) {
            call.at = Some(place);
        }
    }

    /// The exchange in which it is asked has this number.
    pub(super) fn runs_as(&self, id: &str, number: u64, caller: &Caller) {
        if let Some(call) = lock(&self.calls).iter_mut().find(|call| *call.id == *id) {
            call.as_exchange = Some((number, caller.clone()));
        }
    }

    /// The call at this backend that a message about progress belongs to, and the message as its client knows it.
    pub(super) fn progress_of(&self, place: usize, message: &ServerMessage) -> Option<(Arc<Outlet>, String)> {
        let number = Exchange::number_of(message)?;
        let calls = lock(&self.calls);
        let (call, caller) = calls.iter().filter(|call| call.at == Some(place)).find_map(|call| {
            let (own, caller) = call.as_exchange.as_ref()?;
            (*own == number).then_some((call, caller))
        })?;
        Some((Arc::clone(&call.outlet), caller.progress(message)?))
    }

    /// Where the answer to the latest call to this backend goes.
    pub(super) fn latest_call(&self, place: usize) -> Option<Arc<Outlet>> {
        lock(&self.calls).iter().rev().find(|call| call.at == Some(place)).map(|call| Arc::clone(&call.outlet))
    }

    /// It is over.
    pub(super) fn finish(&self, id: &str) {
        let mut calls = lock(&self.calls);
        if let Some(place) = calls.iter().position(|call| *call.id == *id) {
            calls.remove(place);
        }
        // An idle session keeps nothing that it had for its busiest moment.
        if calls.is_empty() {
            calls.shrink_to_fit();
        }
    }

    /// Stops the call of this id, if it is in flight.
    pub(super) fn cancel(&self, id: &str) {
        let cancel = lock(&self.calls).iter().find(|call| *call.id == *id).map(|call| call.cancel.clone());
        if let Some(cancel) = cancel {
            cancel.cancel();
        }
    }

    /// Stops all calls in flight.
    pub(super) fn cancel_all(&self) {
        let calls: Vec<_> = lock(&self.calls).iter().map(|call| call.cancel.clone()).collect();
        for cancel in calls {
            cancel.cancel();
        }
    }

    /// Its conversation with the backend at this place.
    pub(super) fn link(&self, place: usize) -> Arc<Link> {
        let mut links = lock(&self.links);
        let Some(links) = &mut *links else {
            let ended = Arc::new(Link::default());
            ended.end();
            return ended;
        };
        if let Some((_, link)) = links.iter().find(|(known, _)| *known == place) {
            return Arc::clone(link);
        }
        let link = Arc::new(Link::default());
        links.push((place, Arc::clone(&link)));
        link
    }

    /// Whether it hears what the backend at this place says by itself in its own conversation there.
    pub(super) fn hears_itself(&self, place: usize) -> bool {
        let links = lock(&self.links);
        links.iter().flatten().any(|(known, link)| *known == place && link.is_heard())
    }

    /// Its conversations that are open, by place.
    pub(super) fn open_links(&self) -> Vec<(usize, Arc<Standing>)> {
        let links = lock(&self.links);
        links.iter().flatten().filter_map(|(place, link)| Some((*place, link.standing()?))).collect()
    }

    /// It made a task of this id (JSON) for the backend at this place.
    pub(super) fn made_task(&self, id: &str, place: usize) {
        let mut tasks = lock(&self.tasks);
        if tasks.len() >= TASKS {
            tasks.pop_front();
        }
        tasks.push_back((id.into(), place));
    }

    /// The place of the backend for which it made the task of this id (JSON).
    pub(super) fn task_made_for(&self, id: &str) -> Option<usize> {
        lock(&self.tasks).iter().rev().find(|(known, _)| **known == *id).map(|(_, place)| *place)
    }

    /// It wants to hear when this resource changes.
    pub(super) fn subscribe(&self, place: usize, uri: &str) {
        let mut subscriptions = lock(&self.subscriptions);
        if subscriptions.len() < SUBSCRIPTIONS
            && !subscriptions.iter().any(|(at, known)| *at == place && **known == *uri)
        {
            subscriptions.push((place, uri.into()));
        }
    }

    /// No longer.
    pub(super) fn unsubscribe(&self, uri: &str) {
        lock(&self.subscriptions).retain(|(_, known)| **known != *uri);
    }

    /// The resources of this backend of whose changes it wants to hear.
    pub(super) fn subscriptions(&self, place: usize) -> Vec<Box<str>> {
        lock(&self.subscriptions).iter().filter(|(at, _)| *at == place).map(|(_, uri)| uri.clone()).collect()
    }

    /// From now on it hears of the resources of this backend until this is cancelled. Returns what did so before.
    pub(super) fn hears_updates_until(&self, place: usize, cancel: &Cancel) -> Option<Cancel> {
        let mut updates = lock(&self.updates);
        let before = updates.iter().position(|(at, _)| *at == place).map(|at| updates.swap_remove(at).1);
        updates.push((place, cancel.clone()));
        before
    }

    /// Whether there are any.
    pub(super) fn has_subscriptions(&self, place: usize) -> bool {
        lock(&self.subscriptions).iter().any(|(at, _)| *at == place)
    }

    /// Closes its stream.
    pub(super) fn close_stream(&self) {
        self.stream.end();
    }

    /// The session has ended: stops what runs for it, and returns what has to be ended at which backend.
    pub(super) fn wind_up(&self) -> Vec<(usize, Arc<Standing>)> {
        self.close_stream();
        self.questions.end();
        self.cancel_all();
        lock(&self.updates).drain(..).for_each(|(_, cancel)| cancel.cancel());
        let links = lock(&self.links).take().unwrap_or_default();
        links.into_iter().filter_map(|(place, link)| Some((place, link.end()?))).collect()
    }
}

/// From 2025-11-25 on, streams begin with an event that has no message; clients of older SDKs cannot read that.
fn resumption(revision: Revision) -> Resumption {
    if revision >= Revision::V20251125 { Resumption::ById } else { Resumption::No }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
