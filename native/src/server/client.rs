//! What the server keeps of one client's session: its stream, its calls in flight, its conversations with backends.
//!
//! It sends nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::body::Bytes;
use tokio::sync::mpsc;
use vmcp_core::gateway;
use vmcp_core::mcp::LogLevel;
use vmcp_core::mcp::client::Standing;

use super::link::Link;
use crate::transport::Cancel;

/// One client.
pub(super) struct Client {
    /// What it said of itself.
    pub(super) session: gateway::Session,
    /// From which level on it wants log messages; none before it says so.
    log_level: Mutex<Option<LogLevel>>,
    stream: Mutex<Option<mpsc::Sender<Bytes>>>,
    calls: Mutex<Vec<(Box<str>, Cancel)>>,
    /// By the backend's place; `None` once the session has ended.
    links: Mutex<Option<Links>>,
}

/// Conversations by the backend's place; a client uses few.
type Links = Vec<(usize, Arc<Link>)>;

/// The session has a stream already.
#[derive(Debug)]
pub(super) struct HasStream;

/// A call with this id is running.
#[derive(Debug)]
pub(super) struct IdInUse;

impl Client {
    pub(super) fn new(session: gateway::Session) -> Self {
        Self {
            session,
            log_level: Mutex::default(),
            stream: Mutex::default(),
            calls: Mutex::default(),
            links: Mutex::new(Some(Vec::new())),
        }
    }

    /// From now on it wants log messages of this level and graver ones.
    pub(super) fn set_log_level(&self, level: LogLevel) {
        *lock(&self.log_level) = Some(level);
    }

    /// Opens the stream for what concerns no request.
    pub(super) fn listen(&self) -> Result<mpsc::Receiver<Bytes>, HasStream> {
        let mut stream = lock(&self.stream);
        if stream.as_ref().is_some_and(|stream| !stream.is_closed()) {
            return Err(HasStream);
        }
        let (sender, receiver) = mpsc::channel(64);
        *stream = Some(sender);
        Ok(receiver)
    }

    /// Notes a call in flight under its id (JSON).
    pub(super) fn begin(&self, id: &str, cancel: &Cancel) -> Result<(), IdInUse> {
        let mut calls = lock(&self.calls);
        if calls.iter().any(|(known, _)| **known == *id) {
            return Err(IdInUse);
        }
        calls.push((id.into(), cancel.clone()));
        Ok(())
    }

    /// It is over.
    pub(super) fn finish(&self, id: &str) {
        let mut calls = lock(&self.calls);
        if let Some(place) = calls.iter().position(|(known, _)| **known == *id) {
            calls.swap_remove(place);
        }
        // An idle session keeps nothing that it had for its busiest moment.
        if calls.is_empty() {
            calls.shrink_to_fit();
        }
    }

    /// Stops the call of this id, if it is in flight.
    pub(super) fn cancel(&self, id: &str) {
        let cancel = lock(&self.calls).iter().find(|(known, _)| **known == *id).map(|(_, cancel)| cancel.clone());
        if let Some(cancel) = cancel {
            cancel.cancel();
        }
    }

    /// Stops all calls in flight.
    pub(super) fn cancel_all(&self) {
        let calls: Vec<_> = lock(&self.calls).iter().map(|(_, cancel)| cancel.clone()).collect();
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

    /// Closes its stream.
    pub(super) fn close_stream(&self) {
        lock(&self.stream).take();
    }

    /// The session has ended: stops what runs for it, and returns what has to be ended at which backend.
    pub(super) fn wind_up(&self) -> Vec<(usize, Arc<Standing>)> {
        self.close_stream();
        self.cancel_all();
        let links = lock(&self.links).take().unwrap_or_default();
        links.into_iter().filter_map(|(place, link)| Some((place, link.end()?))).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
