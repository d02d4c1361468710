//! One backend as the server keeps it: the way to it, how it speaks, what it lists, and how much is asked of it.
//!
//! It decides nothing about who may call it and knows no client.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use vmcp_core::auth::{Credentials, Strategy};
use vmcp_core::discovery::Backend;
use vmcp_core::gateway::listen::{self, Changing};
use vmcp_core::identity::Principal;
use vmcp_core::mcp::client::{
    Answer, Call, CallError, Exchange, Freshness, Goal, List, Listed, Problem, Ran, ServerMessage, Settings, Standing,
    Start,
};
use vmcp_core::mcp::http::Stage;
use vmcp_core::mcp::{Era, http};

use super::known::Known;
use super::link::{Conversation, Link};
use super::ways::{Asker, no_way};
use crate::tokens::Tokens;
use crate::transport::{BackendTransport, Cancel, Patience, Said, Timeouts, TransportError, TransportOptions};

/// How long everything but a call may take.
const PROMPT: Duration = Duration::from_secs(10);

/// How long a stream of changes may be silent.
const QUIET: Duration = Duration::from_secs(60 * 60);

/// What is heard while an exchange runs.
pub(super) enum Heard<'a> {
    /// The exchange has this number: what is said of it elsewhere names that.
    Began(u64),
    /// A message of the backend, in this conversation.
    Message(&'a ServerMessage, Option<&'a Arc<Standing>>),
    /// The conversation was opened; the request that is wanted has not been sent yet.
    Opened(&'a Arc<Standing>),
    /// The backend closed the stream of the call, and is asked for the rest later.
    Paused,
}

/// One backend.
pub(super) struct Served {
    /// Its name.
    pub(super) name: String,
    /// The gateway's own conversation with it: for lists, and for clients without sessions.
    pub(super) own: Arc<Link>,
    /// Calls that run.
    pub(super) running: AtomicUsize,
    pub(super) transport: BackendTransport,
    /// Makes credentials for each caller, if that is how it is asked.
    pub(super) strategy: Option<Arc<Strategy>>,
    pub(super) tokens: Tokens,
    for_calls: Patience,
    /// Of streams on which a backend may have nothing to say for hours.
    for_listening: Patience,
    /// Of which lists it tells changes now; `None` until that is known.
    pub(super) heard: watch::Sender<Option<Vec<Changing>>>,
    /// Of everything that nobody but the gateway waits for.
    for_errands: Patience,
    settings: Arc<Settings>,
    /// Whose view of the backend this is: nobody's, where all callers see the same.
    pub(super) who: Option<Arc<Principal>>,
    exchanges: AtomicU64,
    era: Mutex<Option<Era>>,
    no_sessions: AtomicBool,
    known: Lists,
}

/// What is known of each of its lists.
#[derive(Debug, Default)]
struct Lists {
    tools: watch::Sender<Known>,
    resources: watch::Sender<Known>,
    templates: watch::Sender<Known>,
    prompts: watch::Sender<Known>,
}

impl Lists {
    fn of(&self, kind: List) -> &watch::Sender<Known> {
        match kind {
            List::Tools => &self.tools,
            List::Resources => &self.resources,
            List::ResourceTemplates => &self.templates,
            List::Prompts => &self.prompts,
        }
    }
}

impl Served {
    /// `deadline` is how long a call may be silent.
    pub(super) fn new(
        backend: &Backend,
        deadline: Duration,
        settings: Arc<Settings>,
        options: &TransportOptions,
        tokens: &Tokens,
    ) -> Result<Self, TransportError> {
        Ok(Self {
            name: backend.name.clone(),
            own: Arc::default(),
            running: AtomicUsize::new(0),
            transport: BackendTransport::new(backend, options)?,
            strategy: match &backend.credentials {
                Credentials::Made(strategy) => Some(Arc::clone(strategy)),
                Credentials::Unauthenticated | Credentials::Header { .. } => None,
            },
            tokens: tokens.clone(),
            for_calls: Patience::of(deadline),
            for_listening: Patience { call: QUIET, ..Patience::of(deadline.min(PROMPT)) },
            heard: watch::Sender::new(None),
            for_errands: Patience::of(deadline.min(PROMPT)),
            settings,
            who: None,
            exchanges: AtomicU64::new(0),
            era: Mutex::new(None),
            no_sessions: AtomicBool::new(false),
            known: Lists::default(),
        })
    }

    /// How an exchange begins when there is no conversation.
    pub(super) fn opening(&self) -> Start {
        match *self.era.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(era) => Start::Remembered(era),
            None => Start::Unknown,
        }
    }

    /// The gateway's own conversation if the backend has no sessions, so that it serves every client.
    pub(super) fn stateless(&self) -> Option<Arc<Standing>> {
        self.own.standing().filter(|standing| standing.era() == Era::Modern)
    }

    /// Walks one exchange to its end, on this thread. What `hear` returns is the response to the request that it heard. The second part is for [`Served::send_aside`] once the caller
    /// has been told.
    pub(super) fn run(
        &self,
        mut goal: Goal,
        conversation: &mut Conversation,
        cancel: &Cancel,
        mut hear: impl FnMut(Heard<'_>) -> Option<String>,
    ) -> (Result<Answer, CallError>, Option<http::Request>) {
        let patience = match &goal {
            Goal::Call(call) if call.method == listen::METHOD => &self.for_listening,
            Goal::Call(_) => &self.for_calls,
            _ => &self.for_errands,
        };
        let number = self.exchanges.fetch_add(1, Ordering::Relaxed);
        hear(Heard::Began(number));
        let settings = match (conversation.start(), &conversation.settings) {
            // What a client can do is used where it can be asked.
            (Start::Standing(standing), Some(_)) if standing.era() == Era::Modern => &self.settings,
            (Start::Remembered(Era::Modern), _) => &self.settings,
            (_, own) => own.as_ref().unwrap_or(&self.settings),
        };
        let settings = Arc::clone(settings);
        let asker = match &goal {
            Goal::Call(call) if call.method != listen::METHOD => Asker::Client,
            _ => Asker::Gateway,
        };
        // What may have to be said again is kept where credentials may be refused, and nowhere else.
        let mut again = self.strategy.as_ref().map(|_| goal.clone());
        let (exchange, result) = loop {
            let way = match self.tokens.wait(self.way(conversation.who.as_ref(), asker)) {
                Ok(way) => way,
                Err(error) => return (Err(no_way(&goal, error)), None),
            };
            let mut exchange = Exchange::new(goal, conversation.start(), number, Arc::clone(&settings));
            let result = way.transport.run(&mut exchange, patience, cancel, |exchange, said| match said {
                Said::Event(message) => {
                    if let Some(response) = hear(Heard::Message(&message, conversation.standing())) {
                        exchange.answer(response);
                    }
                }
                Said::Learned(standing) => {
                    self.learned(&standing, conversation);
                    if conversation.standing().is_some_and(|kept| Arc::ptr_eq(kept, &standing)) {
                        hear(Heard::Opened(&standing));
                    }
                }
                Said::Paused => drop(hear(Heard::Paused)),
            });
            match (&result, again.take()) {
                (Err(error), Some(same)) if self.is_refused(&way, error) => goal = same,
                _ => break (exchange, result),
            }
        };
        let withdrawal = match &result {
            Err(CallError { problem: Problem::NoAnswer { failure }, ran: Ran::Maybe, .. })
                if matches!(failure.stage, Stage::Cancelled | Stage::FirstByte | Stage::Body) =>
            {
                exchange.withdraw()
            }
            _ => None,
        };
        (result, withdrawal)
    }

    fn learned(&self, standing: &Arc<Standing>, conversation: &mut Conversation) {
        match (standing.era(), &conversation.settings) {
            // A session that was asked for says nothing of what else the backend speaks.
            (Era::Legacy, Some(_)) => self.no_sessions.store(false, Ordering::Relaxed),
            (era, of_client) => {
                // It was asked for a session, and had none.
                if of_client.is_some() && matches!(conversation.start(), Start::Remembered(Era::Legacy)) {
                    self.no_sessions.store(true, Ordering::Relaxed);
                }
                *self.era.lock().unwrap_or_else(PoisonError::into_inner) = standing.memory();
                if era == Era::Legacy {
                    self.no_sessions.store(false, Ordering::Relaxed);
                    if let Some(replaced) = self.stateless() {
                        self.own.forget(&replaced);
                    }
                }
            }
        }
        conversation.learned(standing);
    }

    /// Ends a conversation of `who`, on this thread. It is a courtesy: a backend that does not hear it forgets by itself.
    pub(super) fn end(&self, standing: Arc<Standing>, who: Option<&Arc<Principal>>) {
        if !standing.has_session() {
            return;
        }
        let way = match self.tokens.wait(self.way(who, Asker::Gateway)) {
            Ok(way) => way,
            Err(error) => return tracing::debug!(backend = self.name, %error, "session not ended"),
        };
        let number = self.exchanges.fetch_add(1, Ordering::Relaxed);
        let mut exchange = Exchange::new(Goal::End, Start::Standing(standing), number, Arc::clone(&self.settings));
        if let Err(error) = way.transport.run(&mut exchange, &self.for_errands, &Cancel::new(), |_, _| {}) {
            tracing::debug!(backend = self.name, %error, "session not ended");
        }
    }

    /// Asks something in a conversation that is open, on this thread, and returns whether it was done.
    pub(super) fn ask_in(
        &self,
        standing: &Arc<Standing>,
        who: Option<&Arc<Principal>>,
        call: Call,
        cancel: &Cancel,
    ) -> bool {
        let number = self.exchanges.fetch_add(1, Ordering::Relaxed);
        let method = call.method.clone();
        let way = match self.tokens.wait(self.way(who, Asker::Client)) {
            Ok(way) => way,
            Err(error) => {
                tracing::debug!(backend = self.name, method, %error, "not done");
                return false;
            }
        };
        let start = Start::Standing(Arc::clone(standing));
        let mut exchange = Exchange::new(Goal::Call(call), start, number, Arc::clone(&self.settings));
        let mut reopened = Vec::new();
        let result = way.transport.run(&mut exchange, &self.for_errands, cancel, |_, said| {
            if let Said::Learned(standing) = said {
                reopened.push(standing);
            }
        });
        // It was for the conversation that is gone.
        for standing in reopened {
            self.end(standing, who);
        }
        match result {
            Ok(Answer::Reply(reply)) if reply.error().is_none() => true,
            Ok(_) => false,
            Err(error) => {
                tracing::debug!(backend = self.name, method, %error, "not done");
                false
            }
        }
    }

    /// Sends what nobody waits for, on this thread.
    pub(super) fn send_aside(&self, request: &http::Request, who: Option<&Arc<Principal>>) {
        let way = match self.tokens.wait(self.way(who, Asker::Client)) {
            Ok(way) => way,
            Err(error) => return tracing::debug!(backend = self.name, %error, "message not delivered"),
        };
        let timeouts = Timeouts { first_byte: PROMPT, total: Some(PROMPT), ..Timeouts::default() };
        if let Err(failure) = way.transport.send(request, &timeouts, &Cancel::new()) {
            tracing::debug!(backend = self.name, %failure, "message not delivered");
        }
    }

    /// What is known of a list now; the receiver hears of changes.
    pub(super) fn known(&self, kind: List) -> watch::Receiver<Known> {
        self.known.of(kind).subscribe()
    }

    /// A list as it was last.
    pub(super) fn list(&self, kind: List) -> Option<Arc<Listed>> {
        self.known.of(kind).borrow().list.clone()
    }

    /// The conversation in which it said what it offers, if it was asked.
    pub(super) fn introduced(&self) -> Option<Arc<Standing>> {
        self.own.standing().filter(|standing| standing.facts().is_some())
    }

    /// As [`Known::is_outdated`].
    pub(super) fn is_outdated(&self, kind: List) -> bool {
        self.known.of(kind).borrow().is_outdated()
    }

    /// How a conversation for a client with a session begins: in one too, if the backend has sessions, whatever else
    /// it speaks. What a client in a session is asked can only be asked there.
    pub(super) fn opening_for_session(&self) -> Start {
        if self.has_no_sessions() { Start::Remembered(Era::Modern) } else { Start::Remembered(Era::Legacy) }
    }

    /// Whether it refused to open a session.
    pub(super) fn has_no_sessions(&self) -> bool {
        self.no_sessions.load(Ordering::Relaxed)
    }

    /// As [`Known::freshness`].
    pub(super) fn freshness(&self, kind: List, now: Instant) -> Option<Freshness> {
        self.known.of(kind).borrow().freshness(now)
    }

    /// As [`Known::claim`]. Who is told `true` has to ask, and to call [`Served::answered`].
    pub(super) fn claim(&self, kind: List, now: Instant) -> bool {
        self.known.of(kind).send_if_modified(|known| known.claim(now))
    }

    /// The same, however fresh the list is.
    pub(super) fn claim_now(&self, kind: List, now: Instant) -> bool {
        self.known.of(kind).send_if_modified(|known| known.claim_now(now))
    }

    /// As [`Known::claim_again`], with the same duty.
    pub(super) fn claim_again(&self, kind: List, now: Instant) -> bool {
        self.known.of(kind).send_if_modified(|known| known.claim_again(now))
    }

    /// Since when a question is on its way.
    pub(super) fn asking(&self, kind: List) -> Option<Instant> {
        self.known.of(kind).borrow().asking()
    }

    /// The backend says that a list is another one now: as [`Known::outdated`].
    pub(super) fn outdated(&self, kind: List, now: Instant) {
        self.known.of(kind).send_modify(|known| known.outdated(now));
    }

    /// Keeps what came of a question, nothing if it failed. If anything is different now, `changed` is called before
    /// anybody can see it: who waits for the answer must not find what was merged before.
    pub(super) fn answered(&self, kind: List, answer: Option<Listed>, now: Instant, changed: impl FnOnce()) {
        self.known.of(kind).send_modify(|known| {
            if known.answered(answer, now) {
                changed();
            }
        });
    }
}
