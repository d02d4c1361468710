//! One request that a backend answers: from the client to the backend and back, as a document or as a stream.
//!
//! What is said is the core's; which backend is asked, on what thread and for how long is decided here.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use vmcp_core::aggregate::Owner;
use vmcp_core::gateway::{self, Ask, Caller, ServerInfo, Streams, Subject};
use vmcp_core::mcp::client::{Answer, CallError, Class, Goal, List, ServerMessage, Standing};
use vmcp_core::mcp::{Era, code};

use super::App;
use super::backends::Refused;
use super::client::Client;
use super::link::Conversation;
use super::reply::{self, Events, KEEP_ALIVE, Reply, bare, written};
use super::routes::refuse;
use super::served::Served;
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
    /// Answers what one backend answers. Without a session, the call ends with its stream.
    pub(super) async fn ask(self: &Arc<Self>, ask: Ask<'_>, session: Option<InUse<Client>>) -> Reply {
        let cancel = Cancel::new();
        let id: Box<str> = ask.asker.id.text().into();
        if let Some(session) = &session
            && session.state.begin(&id, &cancel).is_err()
        {
            let message = "a request with this id is being answered; an id is used once in a session";
            return refuse(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, message);
        }
        let in_flight = InFlight { session, id };
        let owners = self.owners(ask.subject, &ask.name).await;
        if owners.is_empty() {
            return written(ask.unknown());
        }
        let mut left = VecDeque::new();
        for owner in &owners {
            let Some((place, served)) = self.backends.find(&owner.backend) else { continue };
            if ask.subject.is_completion() && !self.offers(served, "completions") {
                return written(ask.no_suggestions(&self.server));
            }
            left.push_back((place, Goal::Call(ask.towards(owner))));
        }
        let caller = owners.first().map_or_else(|| ask.caller(), |owner| ask.caller().led_to(owner));
        let (streams, era) = (caller.streams(), caller.era());
        let (first, outcome) = oneshot::channel();
        let teller = Teller {
            caller,
            server: Arc::clone(&self.server),
            first: Some(first),
            stream: None,
            runtime: Handle::current(),
        };
        let errand =
            Errand { app: Arc::clone(self), left, teller, in_flight, cancel: cancel.clone(), asked: 0, trouble: None };
        if let Err(refused) = errand.next().await {
            return written(ask.busy(&refused.to_string()));
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

    /// Who is asked, one after the other. Several only for a resource for which nobody answers.
    async fn owners(&self, subject: Subject, name: &str) -> Vec<Owner> {
        let resources = [List::Resources, List::ResourceTemplates];
        match subject {
            Subject::Tool => self
                .backends
                .find_in(&[List::Tools], |merged| merged.owner(List::Tools, name))
                .await
                .into_iter()
                .collect(),
            Subject::Prompt | Subject::PromptArgument => {
                let found = self.backends.find_in(&[List::Prompts], |merged| merged.owner(List::Prompts, name)).await;
                found.into_iter().collect()
            }
            Subject::TemplateVariable => {
                self.backends.find_in(&resources, |merged| merged.resource(name)).await.into_iter().collect()
            }
            Subject::Resource => match self.backends.find_in(&resources, |merged| merged.resource(name)).await {
                Some(owner) => vec![owner],
                None => {
                    let merged = self.backends.merged();
                    let has = |backend: &&Arc<str>| {
                        self.backends.find(backend).is_some_and(|(_, served)| self.offers(served, "resources"))
                    };
                    let owner = |backend: &Arc<str>| Owner { backend: Arc::clone(backend), original: name.to_owned() };
                    merged.order().iter().filter(has).map(owner).collect()
                }
            },
        }
    }

    /// Whether a backend says that it has something, or was not asked.
    fn offers(&self, served: &Served, capability: &str) -> bool {
        let standing = served.own.standing();
        standing.as_deref().and_then(Standing::facts).is_none_or(|facts| facts.offers(capability))
    }
}

/// A request on its way to one backend after the other, until one has what it asks for.
struct Errand {
    app: Arc<App>,
    /// Who is still to be asked, by place, and what.
    left: VecDeque<(usize, Goal)>,
    teller: Teller,
    in_flight: InFlight,
    cancel: Cancel,
    /// How many were.
    asked: usize,
    /// The first that could not be asked.
    trouble: Option<(String, CallError)>,
}

impl Errand {
    /// Asks the next one; what comes of it is told by the teller.
    fn next(mut self) -> Pin<Box<dyn Future<Output = Result<(), Refused>> + Send>> {
        Box::pin(async move {
            let backends = Arc::clone(&self.app.backends);
            let Some((place, goal)) = self.left.pop_front() else { return Ok(()) };
            let Some(served) = backends.at(place) else { return Ok(()) };
            self.asked += 1;
            let session = self.in_flight.session.as_ref();
            let link = session.map_or_else(|| Arc::clone(&served.own), |session| session.state.link(place));
            let mut conversation = match served.stateless() {
                Some(standing) => Conversation::beside(link, standing),
                None => link.join(|| served.opening()).await,
            };
            let slot = backends.admit(served)?;
            let started = Instant::now();
            slot.run(move |served| {
                let (result, withdrawal) = served.run(goal, &mut conversation, &self.cancel, |message| {
                    changed(&message.method).iter().for_each(|kind| served.outdated(*kind));
                    self.teller.event(&message);
                });
                log(&served.name, started, &result);
                self.finish(&served.name, result);
                if let Some(request) = withdrawal {
                    served.send_aside(&request);
                }
                backends.end(place, conversation.superfluous());
            })
        })
    }

    /// Tells the client, unless another backend may know more.
    fn finish(mut self, backend: &str, result: Result<Answer, CallError>) {
        let elsewhere = match &result {
            Ok(Answer::Reply(reply)) => self.teller.caller.is_elsewhere(reply),
            Err(error) => error.class() != Class::Cancelled && self.asked + self.left.len() > 1,
            Ok(_) => false,
        };
        if elsewhere && !self.left.is_empty() {
            if let Err(error) = result {
                self.trouble.get_or_insert((backend.to_owned(), error));
            }
            let runtime = self.teller.runtime.clone();
            runtime.spawn(async move {
                // The client hears the end of the teller.
                if let Err(refused) = self.next().await {
                    tracing::warn!(error = chain(&refused), "a resource was not looked for everywhere");
                }
            });
            return;
        }
        // The id is free before the client can know that its call is over.
        drop(self.in_flight);
        match (self.trouble, result) {
            (Some((backend, error)), _) if elsewhere => self.teller.done(&backend, Err(error)),
            (None, Ok(_)) if elsewhere && self.asked > 1 => self.teller.unknown(),
            (_, result) => self.teller.done(backend, result),
        }
    }
}

/// The lists that a notification is about.
fn changed(method: &str) -> &'static [List] {
    match method {
        "notifications/tools/list_changed" => &[List::Tools],
        "notifications/resources/list_changed" => &[List::Resources, List::ResourceTemplates],
        "notifications/prompts/list_changed" => &[List::Prompts],
        _ => &[],
    }
}

fn log(backend: &str, started: Instant, result: &Result<Answer, CallError>) {
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match result {
        Ok(_) => tracing::debug!(backend, milliseconds, "answered"),
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

    /// Nobody has it.
    fn unknown(mut self) {
        match self.first.take() {
            // A client that is gone is told nothing.
            Some(first) => drop(first.send(Outcome::Whole(self.caller.unknown()))),
            None => {
                let message = self.caller.unknown_message();
                self.send(&message);
            }
        }
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
