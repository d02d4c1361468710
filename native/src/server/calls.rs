//! One call of a tool: from the client's request to the backend and back, as a document or as a stream.
//!
//! What is said is the core's; which backend is asked, on what thread and for how long is decided here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use vmcp_core::gateway::{self, CallTool, Caller, ServerInfo, Streams};
use vmcp_core::mcp::client::{Answer, CallError, Class, Goal, ServerMessage};
use vmcp_core::mcp::{Era, code};

use super::App;
use super::client::Client;
use super::link::Conversation;
use super::reply::{self, Events, KEEP_ALIVE, Reply, bare, written};
use super::routes::refuse;
use super::sessions::InUse;
use crate::logging::chain;
use crate::transport::Cancel;

/// Events that wait for a client that reads slowly.
const EVENTS: usize = 64;
/// How long a thread waits for such a client before it goes on without it.
const READING: Duration = Duration::from_secs(30);

/// How the answer begins.
enum Outcome {
    /// It is all there.
    Whole(gateway::Response),
    /// It comes in events.
    Stream(mpsc::Receiver<Bytes>),
    /// Nothing is to be said: the client cancelled the call (2025-11-25, basic/utilities/cancellation).
    Silence,
}

impl App {
    /// Answers `tools/call`. Without a session, the call ends with its stream.
    pub(super) async fn call_tool(self: &Arc<Self>, call: CallTool<'_>, session: Option<InUse<Client>>) -> Reply {
        let cancel = Cancel::new();
        let id: Box<str> = call.asker.id.text().into();
        if let Some(session) = &session
            && session.state.begin(&id, &cancel).is_err()
        {
            let message = "a request with this id is being answered; an id is used once in a session";
            return refuse(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, message);
        }
        let in_flight = InFlight { session, id };
        let merged = self.backends.with_tool(&call.name).await;
        let Some(tool) = merged.as_deref().and_then(|merged| merged.tool(&call.name)) else {
            return written(call.unknown());
        };
        let Some((place, served)) = self.backends.find(&tool.backend) else { return written(call.unknown()) };
        let session = in_flight.session.as_ref();
        let link = session.map_or_else(|| Arc::clone(&served.own), |session| session.state.link(place));
        let mut conversation = match served.stateless() {
            Some(standing) => Conversation::beside(link, standing),
            None => link.join(|| served.opening()).await,
        };
        let slot = match self.backends.admit(served) {
            Ok(slot) => slot,
            Err(refused) => return written(call.busy(&refused.to_string())),
        };
        let caller = call.caller();
        let (streams, era) = (caller.streams(), caller.era());
        let goal = Goal::Call(call.towards(tool));
        let (first, outcome) = oneshot::channel();
        let mut teller = Teller {
            caller,
            server: Arc::clone(&self.server),
            first: Some(first),
            stream: None,
            runtime: Handle::current(),
        };
        let stop = cancel.clone();
        let backends = Arc::clone(&self.backends);
        let started = Instant::now();
        let run = slot.run(move |served| {
            let (result, withdrawal) = served.run(goal, &mut conversation, &stop, |message| {
                if message.method == "notifications/tools/list_changed" {
                    served.outdated();
                }
                teller.event(&message);
            });
            log(&served.name, started, &result);
            // The id is free before the client can know that its call is over.
            drop(in_flight);
            teller.done(&served.name, result);
            if let Some(request) = withdrawal {
                served.send_aside(&request);
            }
            backends.end(place, conversation.superfluous());
        });
        if let Err(refused) = run {
            return written(call.busy(&refused.to_string()));
        }
        // 2026-07-28, streamable-http, Cancellation: a client that closes the stream cancels. A legacy client's lost
        // connection is none (2025-11-25, basic/transports, Sending Messages 6).
        let until_closed = (era == Era::Modern).then(|| CancelOnDrop(cancel));
        match outcome.await {
            Ok(Outcome::Whole(response)) => written(response),
            Ok(Outcome::Stream(events)) => reply::events(Events::new(events, KEEP_ALIVE, until_closed)),
            Ok(Outcome::Silence) if streams == Streams::No => bare(StatusCode::ACCEPTED),
            Ok(Outcome::Silence) => reply::events(Events::new(mpsc::channel(1).1, KEEP_ALIVE, ())),
            Err(_) => {
                refuse(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, "the call broke off inside the gateway")
            }
        }
    }
}

fn log(backend: &str, started: Instant, result: &Result<Answer, CallError>) {
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match result {
        Ok(_) => tracing::debug!(backend, milliseconds, "tool called"),
        Err(error) if error.class() == Class::Cancelled => tracing::debug!(backend, milliseconds, "call cancelled"),
        Err(error) => tracing::warn!(backend, milliseconds, error = chain(error), "call failed"),
    }
}

/// A call that its session knows of, and that keeps the session alive.
struct InFlight {
    session: Option<InUse<Client>>,
    id: Box<str>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(session) = &self.session {
            session.state.finish(&self.id);
        }
    }
}

struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Tells the client what comes of its call, from the thread that waits for the backend.
struct Teller {
    caller: Caller,
    server: Arc<ServerInfo>,
    first: Option<oneshot::Sender<Outcome>>,
    stream: Option<mpsc::Sender<Bytes>>,
    runtime: Handle,
}

impl Teller {
    /// Something before the result: the answer becomes a stream, if the client can read one.
    fn event(&mut self, message: &ServerMessage) {
        if self.caller.streams() == Streams::No || !self.caller.relays(message) {
            return;
        }
        if let Some(first) = self.first.take() {
            let (sender, receiver) = mpsc::channel(EVENTS);
            if first.send(Outcome::Stream(receiver)).is_ok() {
                self.stream = Some(sender);
            }
        }
        self.send(&message.text);
    }

    fn done(mut self, backend: &str, result: Result<Answer, CallError>) {
        let (caller, server) = (&self.caller, &self.server);
        let cancelled = matches!(&result, Err(error) if error.class() == Class::Cancelled);
        let Some(first) = self.first.take() else {
            match result {
                _ if cancelled => {}
                Ok(Answer::Reply(reply)) => {
                    let message = caller.message(&reply, server);
                    self.send(&message);
                }
                Err(error) => {
                    let message = caller.failed_message(backend, &error);
                    self.send(&message);
                }
                Ok(_) => {}
            }
            return;
        };
        let outcome = match result {
            _ if cancelled => Outcome::Silence,
            Ok(Answer::Reply(reply)) => Outcome::Whole(caller.answer(&reply, server)),
            Err(error) => Outcome::Whole(caller.failed(backend, &error)),
            Ok(_) => Outcome::Silence,
        };
        // A client that is gone is told nothing.
        drop(first.send(outcome));
    }

    /// One event. A client that does not read loses its stream, not this thread.
    fn send(&mut self, message: &str) {
        let Some(stream) = &self.stream else { return };
        let delivered = match stream.try_send(gateway::event(message).into()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(event)) => {
                matches!(self.runtime.block_on(timeout(READING, stream.send(event))), Ok(Ok(())))
            }
        };
        if !delivered {
            self.stream = None;
        }
    }
}
