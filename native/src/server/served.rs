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

use super::known::{Known, News};
use super::link::{Conversation, Link};
use super::ways::{Asker, Granted, given_up, no_way};
use super::whose::Whose;
use crate::credentials::Passed;
use crate::tokens::Tokens;
use crate::transport::asynchronous::{AsyncTransport, Next, Walk};
use crate::transport::{Cancel, Patience, Said, Timeouts, TransportError, TransportOptions};

/// How long everything but a call may take.
const PROMPT: Duration = Duration::from_secs(10);

/// How long a stream of changes may be silent.
const QUIET: Duration = Duration::from_secs(60 * 60);

/// What is heard while an exchange runs.
pub(super) enum Heard {
    /// The exchange has this number: what is said of it elsewhere names that.
    Began(u64),
    /// A message of the backend, in this conversation.
    Message(ServerMessage, Option<Arc<Standing>>),
    /// The conversation was opened; the request that is wanted has not been sent yet.
    Opened(Arc<Standing>),
    /// The backend's stream has begun, and can be resumed.
    Primed,
    /// A part of the response, which is passed on while it arrives.
    Part(Vec<u8>),
    /// The backend closed the stream of the call, and is asked for the rest later.
    Paused,
    /// It is over. The second part is for [`Served::send_aside`] once the caller has been told.
    Done(Result<Answer, CallError>, Option<http::Request>),
}

/// The same for who passes no stream of a call on to a client.
pub(super) enum Word {
    /// As [`Heard::Message`].
    Message(ServerMessage, Option<Arc<Standing>>),
    /// As [`Heard::Opened`].
    Opened(Arc<Standing>),
    /// As [`Heard::Done`].
    Done(Result<Answer, CallError>, Option<http::Request>),
}

/// An exchange that runs.
pub(super) struct Asking {
    /// What is to be begun, once there is a way.
    goal: Option<Goal>,
    /// The same, to be begun once more if what was granted for the way is refused.
    again: Option<Goal>,
    /// It, and its way.
    walk: Option<(Walk, Granted)>,
    asker: Asker,
    patience: Patience,
    settings: Arc<Settings>,
    cancel: Cancel,
    number: u64,
    began: Began,
}

/// Whether the number of an exchange has been said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Began {
    Unsaid,
    Said,
}

/// One backend as some clients see it.
pub(super) struct Served {
    way: Arc<Way>,
    /// The gateway's own conversation with it: for lists, and for clients without sessions.
    pub(super) own: Arc<Link>,
    /// Of which lists it tells changes now; `None` until that is known.
    pub(super) heard: watch::Sender<Option<Vec<Changing>>>,
    settings: Arc<Settings>,
    /// Whose view of the backend this is: nobody's, where all callers see the same.
    pub(super) whose: Whose,
    /// Headers that all who share this view have sent alike.
    pub(super) passed: Passed,
    known: Lists,
}

/// What is the same whoever sees it: the way to a backend, and how it speaks.
pub(super) struct Way {
    /// Its name.
    pub(super) name: String,
    /// Whether it is shown other credentials for each caller.
    pub(super) depends_on_caller: bool,
    /// Calls that run.
    pub(super) running: AtomicUsize,
    pub(super) transport: AsyncTransport,
    /// Makes credentials for each caller, if that is how it is asked.
    pub(super) strategy: Option<Arc<Strategy>>,
    pub(super) tokens: Tokens,
    for_calls: Patience,
    /// Of streams on which a backend may have nothing to say for hours.
    for_listening: Patience,
    /// Of everything that nobody but the gateway waits for.
    for_errands: Patience,
    exchanges: AtomicU64,
    era: Mutex<Option<Era>>,
    no_sessions: AtomicBool,
}

impl std::ops::Deref for Served {
    type Target = Way;
    fn deref(&self) -> &Way {
        &self.way
    }
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
        let way = Way {
            name: backend.name.clone(),
            depends_on_caller: backend.credentials.depend_on_caller(),
            running: AtomicUsize::new(0),
            transport: AsyncTransport::new(backend, options)?,
            strategy: match &backend.credentials {
                Credentials::Made(strategy) => Some(Arc::clone(strategy)),
                Credentials::Unauthenticated | Credentials::Header { .. } => None,
            },
            tokens: tokens.clone(),
            for_calls: Patience::of(deadline),
            for_listening: Patience { call: QUIET, drip: Duration::MAX, ..Patience::of(deadline.min(PROMPT)) },
            for_errands: Patience::of(deadline.min(PROMPT)),
            exchanges: AtomicU64::new(0),
            era: Mutex::new(None),
            no_sessions: AtomicBool::new(false),
        };
        Ok(Self::seen(Arc::new(way), settings, Whose::default(), Passed::default()))
    }

    /// The same backend as clients of this principal see it that say this and pass these headers on.
    pub(super) fn seen_by(&self, settings: &Arc<Settings>, whose: &Whose, passed: &Passed) -> Self {
        let whose = if self.depends_on_caller { whose.clone() } else { Whose::default() };
        Self::seen(Arc::clone(&self.way), Arc::clone(settings), whose, Arc::clone(passed))
    }

    /// As if it were shown other credentials for each caller.
    #[cfg(test)]
    pub(super) fn told_apart(mut self) -> Self {
        if let Some(way) = Arc::get_mut(&mut self.way) {
            way.depends_on_caller = true;
        }
        self
    }

    fn seen(way: Arc<Way>, settings: Arc<Settings>, whose: Whose, passed: Passed) -> Self {
        let (own, heard, known) = (Arc::default(), watch::Sender::new(None), Lists::default());
        Self { way, own, heard, settings, whose, passed, known }
    }

    /// Whether the conversation of this view may be used for `who`: what is opened with a caller's credentials is nobody
    /// else's.
    pub(super) fn is_shared_with(&self, who: Option<&Arc<Principal>>) -> bool {
        !self.depends_on_caller || (who.is_some() && self.whose.is_of(who))
    }

    /// How an exchange begins when there is no conversation. A backend without sessions says what it offers only when it
    /// is asked, and may say something else to those who declare something else: each view asks.
    pub(super) fn opening(&self) -> Start {
        match *self.era.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Era::Legacy) => Start::Remembered(Era::Legacy),
            Some(Era::Modern) | None => Start::Unknown,
        }
    }

    /// The gateway's own conversation if the backend has no sessions, so that it serves every client.
    pub(super) fn stateless(&self) -> Option<Arc<Standing>> {
        self.own.standing().filter(|standing| standing.era() == Era::Modern)
    }

    /// Begins an exchange. Nothing is sent before [`Asking::next`] is awaited.
    pub(super) fn ask(&self, goal: Goal, conversation: &Conversation, cancel: &Cancel) -> Asking {
        let patience = match &goal {
            Goal::Call(call) if call.method == listen::METHOD => self.for_listening,
            Goal::Call(_) => self.for_calls,
            _ => self.for_errands,
        };
        let number = self.exchanges.fetch_add(1, Ordering::Relaxed);
        let settings = match (conversation.start(), &conversation.settings) {
            // What a client can do is used where it can be asked.
            (Start::Standing(standing), Some(_)) if standing.era() == Era::Modern => &self.settings,
            (Start::Remembered(Era::Modern), _) => &self.settings,
            (_, own) => own.as_ref().unwrap_or(&self.settings),
        };
        let asker = match &goal {
            Goal::Call(call) if call.method != listen::METHOD => Asker::Client,
            _ => Asker::Gateway,
        };
        Asking {
            // What may have to be said again is kept where credentials may be refused, and nowhere else.
            again: self.strategy.as_ref().map(|_| goal.clone()),
            goal: Some(goal),
            walk: None,
            asker,
            patience,
            settings: Arc::clone(settings),
            cancel: cancel.clone(),
            number,
            began: Began::Unsaid,
        }
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

    /// Ends a conversation of `who`. It is a courtesy: a backend that does not hear it forgets by itself.
    pub(super) async fn end(&self, standing: Arc<Standing>, who: Option<&Arc<Principal>>) {
        if !standing.has_session() {
            return;
        }
        let way = match self.granted(who, None, Asker::Gateway).await {
            Ok(way) => way,
            Err(error) => return tracing::debug!(backend = self.name, %error, "session not ended"),
        };
        let number = self.exchanges.fetch_add(1, Ordering::Relaxed);
        let exchange = Exchange::new(Goal::End, Start::Standing(standing), number, Arc::clone(&self.settings));
        let mut walk = way.transport.walk(exchange, self.for_errands, Cancel::new());
        let result = loop {
            if let Next::Done(result) = walk.next().await {
                break result;
            }
        };
        if let Err(error) = result {
            tracing::debug!(backend = self.name, %error, "session not ended");
        }
    }

    /// Ends what an exchange has opened and nobody keeps.
    pub(super) async fn end_superfluous(&self, conversation: &mut Conversation) {
        for standing in conversation.superfluous() {
            self.end(standing, conversation.who.as_ref()).await;
        }
    }

    /// Asks something in a conversation that is open, and returns whether it was done.
    pub(super) async fn ask_in(
        &self,
        standing: &Arc<Standing>,
        who: Option<&Arc<Principal>>,
        call: Call,
        cancel: &Cancel,
    ) -> bool {
        let number = self.exchanges.fetch_add(1, Ordering::Relaxed);
        let method = call.method.clone();
        let way = match self.granted(who, None, Asker::Client).await {
            Ok(way) => way,
            Err(error) => {
                tracing::debug!(backend = self.name, method, %error, "not done");
                return false;
            }
        };
        let start = Start::Standing(Arc::clone(standing));
        let exchange = Exchange::new(Goal::Call(call), start, number, Arc::clone(&self.settings));
        let mut walk = way.transport.walk(exchange, self.for_errands, cancel.clone());
        let mut reopened = Vec::new();
        let result = loop {
            match walk.next().await {
                Next::Said(Said::Learned(standing)) => reopened.push(standing),
                Next::Said(_) => {}
                Next::Done(result) => break result,
            }
        };
        // It was for the conversation that is gone.
        for standing in reopened {
            self.end(standing, who).await;
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

    /// Sends what nobody waits for.
    pub(super) async fn send_aside(&self, request: &http::Request, who: Option<&Arc<Principal>>) {
        let way = match self.granted(who, None, Asker::Client).await {
            Ok(way) => way,
            Err(error) => return tracing::debug!(backend = self.name, %error, "message not delivered"),
        };
        let timeouts = Timeouts { first_byte: PROMPT, total: Some(PROMPT), ..Timeouts::default() };
        if let Err(failure) = way.transport.send_aside(request, &timeouts).await {
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

    /// As [`Known::misses`].
    pub(super) fn misses(&self, kind: List) -> bool {
        let mut misses = false;
        self.known.of(kind).send_if_modified(|known| {
            misses = known.misses();
            // Nobody waits for that.
            false
        });
        misses
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
    pub(super) fn answered(&self, kind: List, answer: Option<Listed>, now: Instant, changed: impl FnOnce(News)) {
        self.known.of(kind).send_modify(|known| {
            if let Some(news) = known.answered(answer, now) {
                changed(news);
            }
        });
    }
}

impl Asking {
    /// What is heard next; after [`Heard::Done`] nothing.
    pub(super) async fn next(&mut self, served: &Served, conversation: &mut Conversation) -> Heard {
        if self.began == Began::Unsaid {
            self.began = Began::Said;
            return Heard::Began(self.number);
        }
        loop {
            if let Some(goal) = self.goal.take() {
                match self.granted(served, &goal, conversation).await {
                    Ok(way) => {
                        let settings = Arc::clone(&self.settings);
                        let exchange = Exchange::new(goal, conversation.start(), self.number, settings);
                        let walk = way.transport.walk(exchange, self.patience, self.cancel.clone());
                        self.walk = Some((walk, way));
                    }
                    Err(error) => return Heard::Done(Err(error), None),
                }
            }
            // After the end comes nothing else.
            let Some((walk, way)) = &mut self.walk else { return Heard::Done(Err(given_up(&Goal::Open)), None) };
            match walk.next().await {
                Next::Said(Said::Event(message)) => return Heard::Message(message, conversation.standing().cloned()),
                Next::Said(Said::Learned(standing)) => {
                    served.learned(&standing, conversation);
                    if conversation.standing().is_some_and(|kept| Arc::ptr_eq(kept, &standing)) {
                        return Heard::Opened(standing);
                    }
                }
                Next::Said(Said::Primed) => return Heard::Primed,
                Next::Said(Said::Part(part)) => return Heard::Part(part),
                Next::Said(Said::Paused) => return Heard::Paused,
                Next::Done(Err(error)) if self.again.is_some() && served.is_refused(way, &error) => {
                    self.goal = self.again.take();
                }
                Next::Done(result) => {
                    let withdrawal = match &result {
                        Err(CallError { problem: Problem::NoAnswer { failure }, ran: Ran::Maybe, .. })
                            if matches!(
                                failure.stage,
                                Stage::Cancelled | Stage::FirstByte | Stage::Body | Stage::Lost
                            ) =>
                        {
                            walk.withdraw()
                        }
                        _ => None,
                    };
                    return Heard::Done(result, withdrawal);
                }
            }
        }
    }

    /// What is said next, and the end; after [`Word::Done`] nothing.
    pub(super) async fn word(&mut self, served: &Served, conversation: &mut Conversation) -> Word {
        loop {
            match self.next(served, conversation).await {
                Heard::Message(message, standing) => return Word::Message(message, standing),
                Heard::Opened(standing) => return Word::Opened(standing),
                Heard::Done(result, withdrawal) => return Word::Done(result, withdrawal),
                // These concern the stream of a client's call.
                Heard::Began(_) | Heard::Primed | Heard::Part(_) | Heard::Paused => {}
            }
        }
    }

    async fn granted(&self, served: &Served, goal: &Goal, conversation: &Conversation) -> Result<Granted, CallError> {
        tokio::select! {
            way = served.granted(conversation.who.as_ref(), conversation.passed.as_ref(), self.asker) => way.map_err(|error| no_way(goal, error)),
            () = self.cancel.cancelled() => Err(given_up(goal)),
        }
    }

    /// What the backend is answered to the request that was heard last.
    pub(super) fn answer(&mut self, response: String) {
        if let Some((walk, _)) = &mut self.walk {
            walk.answer(response);
        }
    }
}
