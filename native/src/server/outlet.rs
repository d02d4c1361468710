//! Where the answer to one request goes, and what is said before it: a document, or a stream from the first message on.
//!
//! It decides nothing about what is said.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use vmcp_core::gateway::relay::Progress;
use vmcp_core::gateway::suspended::PATIENCE;
use vmcp_core::gateway::{self, Streams};
use vmcp_core::mcp::client::ServerMessage;

use super::client::Client;
use super::flow::{self, Flow, Form, Gone, Pour};
use super::sessions::Session;
use super::stream::{Reader, Resumption, Stream};
use crate::transport::Cancel;

/// How long a call waits for a client that does not read before it goes on without it.
const READING: Duration = Duration::from_secs(30);

/// How an answer begins.
pub(super) enum Outcome {
    /// It is all there.
    Whole(gateway::Response),
    /// It comes in events.
    Stream(Reader),
    /// It comes in parts.
    Flow(Form, Flow),
    /// Nothing is to be said: the client cancelled the call (2025-11-25, basic/utilities/cancellation).
    Silence,
}

/// Where the answer to one request goes. Several may speak on it, the one that waits for the backend speaks last.
pub(super) struct Outlet {
    streams: Streams,
    /// Whose stream it becomes.
    session: Option<Arc<Session<Client>>>,
    first: Mutex<Option<oneshot::Sender<Outcome>>>,
    stream: OnceLock<Arc<Stream>>,
    progress: Mutex<Progress>,
    /// Of the call.
    cancel: Cancel,
    /// Questions that wait for the client.
    questions: AtomicUsize,
}

/// Until it is dropped, the client is asked something, for which the backend waits.
pub(super) struct Excused(Arc<Outlet>);

impl Drop for Excused {
    fn drop(&mut self) {
        if self.0.questions.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.cancel.count_silence();
        }
    }
}

/// Whether a message can reach the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It is on its way, or kept until the client comes back for it.
    Yes,
    /// The client reads no stream here, or no longer.
    No,
}

impl Outlet {
    pub(super) fn new(
        streams: Streams,
        session: Option<Arc<Session<Client>>>,
        cancel: Cancel,
    ) -> (Arc<Self>, oneshot::Receiver<Outcome>) {
        let (first, outcome) = oneshot::channel();
        let outlet = Self {
            streams,
            session,
            first: Mutex::new(Some(first)),
            stream: OnceLock::new(),
            progress: Mutex::default(),
            cancel,
            questions: AtomicUsize::new(0),
        };
        (Arc::new(outlet), outcome)
    }

    /// Waits for a client that reads slowly: whoever reads what is said awaits this before it reads more.
    pub(super) async fn make_room(&self) {
        if let Some(stream) = self.stream.get() {
            stream.make_room(READING).await;
        }
    }

    /// Something before the answer, which becomes a stream by that.
    pub(super) fn say(&self, message: &str) -> Told {
        if self.streams == Streams::No {
            return Told::No;
        }
        self.begin();
        let Some(stream) = self.stream.get() else { return Told::No };
        if stream.has_ended() || stream.resumption() == Resumption::No && !stream.is_read() {
            return Told::No;
        }
        stream.send(message);
        Told::Yes
    }

    /// The client is asked something in this call: while it thinks, the silence of the backend counts for nothing, for as
    /// long as a suspended call would be kept.
    pub(super) fn asks(self: &Arc<Self>) -> Excused {
        self.questions.fetch_add(1, Ordering::AcqRel);
        self.cancel.excuse_silence(Duration::from_secs(PATIENCE));
        Excused(Arc::clone(self))
    }

    /// The backend is asked once more: what it says of its progress now does not fall behind what it said before.
    pub(super) fn begins_again(&self) {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).begins_again();
    }

    /// Whether this progress is to be told.
    pub(super) fn is_news(&self, progress: &ServerMessage) -> bool {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).is_news(progress)
    }

    /// The backend's stream has begun and can be resumed: so does this one where it can be, too.
    pub(super) fn prime(&self) {
        if self.is_resumable() {
            self.begin();
        }
    }

    /// Nothing comes for a while, as the backend says by closing its own stream: so may this one where the client can
    /// come back for the rest (2025-11-25, basic/transports, Sending Messages 6).
    pub(super) fn pause(&self) {
        if self.is_resumable() {
            self.begin();
            if let Some(stream) = self.stream.get() {
                stream.hang_up();
            }
        }
    }

    fn is_resumable(&self) -> bool {
        let session = self.session.as_ref();
        self.streams != Streams::No && session.is_some_and(|session| session.state.resumption() == Resumption::ById)
    }

    /// The answer: a document, or the last message of the stream that has begun; `None` says nothing.
    pub(super) fn answer(
        &self,
        whole: impl FnOnce() -> Option<gateway::Response>,
        message: impl FnOnce() -> Option<String>,
    ) {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(first) = first {
            // A client that is gone is told nothing.
            drop(first.send(whole().map_or(Outcome::Silence, Outcome::Whole)));
        } else if let Some(stream) = self.stream.get() {
            if let Some(message) = message() {
                stream.send(&message);
            }
            stream.end();
        }
    }

    /// The answer comes in parts, which go there. An error where it cannot be given so: on a stream that can be resumed, a part
    /// that was lost could not be given again.
    pub(super) fn pour(&self) -> Result<Pour, Gone> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let form = if first.is_some() && self.streams != Streams::Must { Form::Document } else { Form::Event };
        let (pour, flow) = flow::begin(form);
        match (first, self.stream.get()) {
            // Of a client that is gone, the first part tells.
            (Some(first), _) => drop(first.send(Outcome::Flow(form, flow))),
            (None, Some(stream)) => stream.end_with(flow)?,
            (None, None) => return Err(Gone),
        }
        Ok(pour)
    }

    fn begin(&self) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(begins) = first.take() else { return };
        let stream = self.stream.get_or_init(|| match &self.session {
            Some(session) => session.state.new_stream(),
            None => Stream::new(0, Resumption::No),
        });
        // A client that is gone may come back if the stream can be resumed.
        drop(begins.send(Outcome::Stream(stream.reader())));
    }
}

impl Drop for Outlet {
    /// Whoever was to answer did not.
    fn drop(&mut self) {
        if let Some(stream) = self.stream.get() {
            stream.end();
        }
    }
}
