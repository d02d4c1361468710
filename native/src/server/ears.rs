//! The standing stream of a conversation with a backend (GET): what concerns no call comes on it. It is opened when
//! somebody wants to hear it, on a task of its own, and opened again when it breaks.
//!
//! What is heard, it hands to an [`Ear`]. That a backend has no such stream is no sign of ill health.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use vmcp_core::gateway::listen::Changing;
use vmcp_core::gateway::relay::can_be_asked;
use vmcp_core::identity::Principal;
use vmcp_core::mcp::client::{Goal, Listening, ServerMessage, Settings, Spoken, Standing, Start};
use vmcp_core::mcp::{Era, code, http, jsonrpc};

use super::App;
use super::backends::Backends;
use super::client::Client;
use super::link::Link;
use super::served::{Served, Word};
use super::sessions::Session;
use super::ways::Asker;
use crate::transport::asynchronous::Response;
use crate::transport::{Cancel, Timeouts};

/// Bytes of one event.
const EVENT_BYTES: usize = 100 << 20;
/// Before a lost stream is opened again, where the backend does not say how long; longer with every failure.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How long a call waits for the stream on which it may be asked something.
const OPENING: Duration = Duration::from_secs(1);
/// Some servers send no head before they have something to say.
const HEAD: Duration = Duration::from_secs(60 * 60);

/// Who hears a stream.
pub(super) trait Ear: Send + Sync + 'static {
    /// Whether it still wants to.
    fn listens(&self) -> bool;
    /// A message, and what the backend is answered at once.
    fn hear(&self, standing: &Arc<Standing>, message: &ServerMessage) -> Option<String>;
    /// The conversation was opened anew.
    fn opened(&self, _standing: &Arc<Standing>) -> impl Future<Output = ()> + Send {
        async {}
    }
    /// Something may have been said that nobody heard.
    fn missed(&self);
    /// Whose credentials the backend is shown.
    fn who(&self) -> Option<Arc<Principal>>;
    /// For whom, if that is not the gateway itself.
    fn settings(&self) -> Option<&Arc<Settings>> {
        None
    }
}

/// Why nobody hears a stream any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Nobody wanted to, the last time it was asked.
    Unwanted,
    /// There is none, or the conversation is over.
    Over,
}

/// How a stream ended.
enum End {
    /// Nobody wants it any longer.
    Stopped,
    /// There is none.
    NotOffered,
    /// The session is not known.
    Gone,
    /// It broke, or could not be opened.
    Lost(Option<Duration>),
}

impl Served {
    /// Hears the stream of a conversation until nobody wants that any longer. `began` is dropped when the stream stands,
    /// or cannot.
    pub(super) async fn hear_stream(
        self: &Arc<Self>,
        link: &Arc<Link>,
        ear: &impl Ear,
        cancel: &Cancel,
        mut began: Option<oneshot::Sender<Infallible>>,
    ) -> Left {
        let (mut last, mut of) = (None::<String>, None::<Arc<Standing>>);
        // Whether the stream of this conversation has stood.
        let (mut failures, mut lost, mut stood) = (0_u32, false, false);
        while !cancel.is_cancelled() && ear.listens() {
            let Some(standing) = link.standing() else { return Left::Over };
            if of.as_ref().is_some_and(|of| !Arc::ptr_eq(of, &standing)) {
                (last, lost, stood) = (None, true, false);
            }
            of = Some(Arc::clone(&standing));
            let Some(request) = standing.listen(last.as_deref()) else { return Left::Over };
            let resumes = last.is_some();
            let end = match self.open_stream(&request, ear, cancel).await {
                Ok(response) => {
                    drop(began.take());
                    (failures, stood) = (0, true);
                    if std::mem::take(&mut lost) && !resumes {
                        ear.missed();
                    }
                    self.read_stream(&standing, response, ear, cancel, &mut last).await
                }
                Err(end) => end,
            };
            let pause = match end {
                End::Stopped => return Left::Over,
                End::NotOffered => {
                    link.has_no_stream(&standing);
                    return Left::Over;
                }
                // Some servers say that of everything they do not have.
                End::Gone if !stood => {
                    link.has_no_stream(&standing);
                    return Left::Over;
                }
                End::Gone if self.reopen(link, &standing, ear, cancel).await => Duration::ZERO,
                End::Gone | End::Lost(None) => {
                    failures = failures.saturating_add(1);
                    PAUSE.0.saturating_mul(1 << failures.saturating_sub(1).min(8)).min(PAUSE.1)
                }
                End::Lost(Some(pause)) => pause.min(PAUSE.1),
            };
            drop(began.take());
            lost = true;
            cancel.paused(pause).await;
        }
        if cancel.is_cancelled() { Left::Over } else { Left::Unwanted }
    }

    async fn open_stream(&self, request: &http::Request, ear: &impl Ear, cancel: &Cancel) -> Result<Response, End> {
        let timeouts = Timeouts { first_byte: HEAD, idle: None, ..Timeouts::default() };
        let way = match self.granted(ear.who().as_ref(), None, Asker::Gateway).await {
            Ok(way) => way,
            Err(error) => {
                tracing::debug!(backend = self.name, %error, "no stream");
                return Err(End::Lost(None));
            }
        };
        let response = match way.transport.send(request, &timeouts, cancel).await {
            Ok(response) => response,
            Err(_) if cancel.is_cancelled() => return Err(End::Stopped),
            Err(failure) => {
                tracing::debug!(backend = self.name, %failure, "no stream");
                return Err(End::Lost(None));
            }
        };
        match response.head.status {
            200..=299 if response.head.media_type().is_some_and(|kind| kind == http::EVENT_STREAM) => Ok(response),
            // 400 is what servers on the TypeScript SDK say of a session that they do not know.
            404 | 400 => Err(End::Gone),
            408 | 429 | 500..=599 if response.head.status != 501 => Err(End::Lost(None)),
            status => {
                tracing::debug!(backend = self.name, status, "there is no stream for what concerns no call");
                Err(End::NotOffered)
            }
        }
    }

    async fn read_stream(
        self: &Arc<Self>,
        standing: &Arc<Standing>,
        mut response: Response,
        ear: &impl Ear,
        cancel: &Cancel,
        last: &mut Option<String>,
    ) -> End {
        let (mut listening, mut spoken) = (Listening::new(EVENT_BYTES), Vec::new());
        let end = loop {
            let bytes = match response.read().await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break End::Lost(Some(listening.retry().unwrap_or(PAUSE.0))),
                Err(_) if cancel.is_cancelled() => break End::Stopped,
                Err(failure) => {
                    tracing::debug!(backend = self.name, %failure, "the stream broke");
                    break End::Lost(Some(listening.retry().unwrap_or(PAUSE.0)));
                }
            };
            let read = listening.read(bytes, &mut spoken);
            for spoken in spoken.drain(..) {
                if let Spoken::Message(message) = spoken {
                    self.hear(standing, ear, &message);
                }
            }
            if let Err(problem) = read {
                tracing::warn!(backend = self.name, %problem, "what concerns no call cannot be read");
                break End::NotOffered;
            }
        };
        *last = listening.last_event_id().map(str::to_owned).or(last.take());
        end
    }

    /// Hands a message to its ear, and sends what that answers at once.
    fn hear(self: &Arc<Self>, standing: &Arc<Standing>, ear: &impl Ear, message: &ServerMessage) {
        let response = match &message.id {
            // 2025-11-25, basic/utilities/ping: answered on each hop.
            Some(id) if message.method == "ping" => Some(jsonrpc::result(id, "{}")),
            _ => ear.hear(standing, message),
        };
        if let Some(request) = response.and_then(|response| standing.message(response)) {
            let (served, who) = (Arc::clone(self), ear.who());
            // What comes next does not wait for that.
            tokio::spawn(async move { served.send_aside(&request, who.as_ref()).await });
        }
    }

    /// Opens the conversation anew, whose session the backend does not know. Whether it is open now.
    async fn reopen(&self, link: &Arc<Link>, gone: &Arc<Standing>, ear: &impl Ear, cancel: &Cancel) -> bool {
        link.forget(gone);
        let mut conversation = link.join_now(ear.who(), || Start::Remembered(Era::Legacy));
        if let Some(settings) = ear.settings() {
            conversation = conversation.on_behalf_of(settings);
        }
        if conversation.standing().is_some() {
            return true;
        }
        let mut asking = self.ask(Goal::Open, &conversation, cancel);
        let result = loop {
            match asking.word(self, &mut conversation).await {
                Word::Opened(standing) => ear.opened(&standing).await,
                Word::Done(result, _) => break result,
                Word::Message(..) => {}
            }
        };
        self.end_superfluous(&mut conversation).await;
        result.is_ok()
    }
}

/// A client hears what a backend says in its own session there.
struct ClientEar {
    app: Arc<App>,
    session: Arc<Session<Client>>,
    place: usize,
}

impl Ear for ClientEar {
    fn listens(&self) -> bool {
        self.session.state.listens_to(self.place)
    }

    fn hear(&self, standing: &Arc<Standing>, message: &ServerMessage) -> Option<String> {
        if let Some(kind) = Changing::of(&message.method) {
            self.app.changed_in_session(&self.session, self.place, kind);
        }
        self.app.told(&self.session, self.place, Some(standing), message, None)
    }

    async fn opened(&self, standing: &Arc<Standing>) {
        self.session.state.lists_anew(self.place);
        if let Some(served) = self.app.backends.at(self.place) {
            self.app.said_anew(&self.session, served, self.place, standing, &Cancel::new()).await;
        }
    }

    fn missed(&self) {
        self.app.backends.any_may_have_changed(self.place);
        self.session.state.all_updated(self.place);
    }

    fn who(&self) -> Option<Arc<Principal>> {
        self.session.state.who()
    }

    fn settings(&self) -> Option<&Arc<Settings>> {
        Some(&self.session.state.settings)
    }
}

/// The gateway hears that lists have changed.
struct OwnEar {
    backends: Arc<Backends>,
    place: usize,
}

impl Ear for OwnEar {
    fn listens(&self) -> bool {
        true
    }

    fn hear(&self, _standing: &Arc<Standing>, message: &ServerMessage) -> Option<String> {
        self.backends.heard_of(self.place, message);
        let id = message.id.as_deref()?;
        Some(jsonrpc::error(Some(id), code::METHOD_NOT_FOUND, "this client does not support that", None))
    }

    fn missed(&self) {
        self.backends.any_may_have_changed(self.place);
    }

    fn who(&self) -> Option<Arc<Principal>> {
        self.backends.at(self.place)?.whose.now()
    }
}

impl Client {
    /// Whether what a backend says by itself concerns this client.
    fn listens_to(&self, place: usize) -> bool {
        can_be_asked(&self.session.capabilities) || self.stream.is_read() || self.has_subscriptions(place)
    }
}

impl App {
    /// Lets a client hear what a backend says by itself, if it wants to, in the conversation that is open.
    pub(super) fn listen_to(self: &Arc<Self>, session: &Arc<Session<Client>>, place: usize) -> Began {
        let link = session.state.link(place);
        if !session.state.listens_to(place) {
            return Began(None);
        }
        let ear = ClientEar { app: Arc::clone(self), session: Arc::clone(session), place };
        let cancel = link.cancel.clone();
        Began(self.backends.hear_stream(place, link, ear, cancel))
    }

    /// The same for every backend that the client uses.
    pub(super) fn listen_to_all(self: &Arc<Self>, session: &Arc<Session<Client>>) {
        for (place, _) in session.state.open_links() {
            self.listen_to(session, place);
        }
    }
}

/// A stream that is being opened, if one is.
pub(super) struct Began(Option<oneshot::Receiver<Infallible>>);

impl Began {
    pub(super) fn of(began: Option<oneshot::Receiver<Infallible>>) -> Self {
        Self(began)
    }

    /// Waits a moment until it stands.
    pub(super) async fn stands(self) {
        if let Some(began) = self.0 {
            // It comes, or it is dropped; late is late.
            drop(timeout(OPENING, began).await);
        }
    }
}

impl Backends {
    /// A backend says something: perhaps that a list is another one now.
    fn heard_of(self: &Arc<Self>, place: usize, message: &ServerMessage) {
        if let (Some(kind), Some(served)) = (Changing::of(&message.method), self.at(place)) {
            self.announce(served, kind);
        }
    }

    /// What it said was not heard for some time.
    fn any_may_have_changed(self: &Arc<Self>, place: usize) {
        if let Some(served) = self.at(place) {
            Changing::ALL.iter().for_each(|kind| self.announce(served, *kind));
        }
    }

    /// Hears in the gateway's own conversation when lists change, if the backend says that it tells.
    pub(super) fn listen_for_changes(self: &Arc<Self>, place: usize) {
        let Some(served) = self.at(place) else { return };
        // Nobody hears by himself what only comes with a caller's token.
        if served.whose.now().is_some() {
            return;
        }
        let tells = served.own.standing().is_some_and(|standing| {
            standing.era() == Era::Legacy && standing.facts().is_some_and(|facts| facts.tells_of_changes())
        });
        if tells {
            let (link, ear) = (Arc::clone(&served.own), OwnEar { backends: Arc::clone(self), place });
            self.hear_stream(place, link, ear, self.stop.clone());
        }
    }
}
