//! What one request at the MCP endpoint does: the core says what is asked, this file does it.
//!
//! It reads no HTTP body and calls no backend.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use vmcp_core::gateway::batch::batch;
use vmcp_core::gateway::relay::Declares;
use vmcp_core::gateway::{self, Headers, Initialize, Serves, SessionState, Turn};
use vmcp_core::identity::Principal;
use vmcp_core::mcp::client::{List, Scope};
use vmcp_core::mcp::{code, http};
use vmcp_core::secret::Secret;

use super::App;
use super::client::{Client, NoStream};
use super::incoming::until_expired;
use super::reply::{self, Events, KEEP_ALIVE, Reply, written};
use super::routes::refuse;
use super::sessions::{Found, InUse, NotOpened};
use super::views::View;
use crate::credentials::Passed;

impl App {
    /// Answers a POST or DELETE.
    pub(super) async fn turn(
        self: &Arc<Self>,
        method: &str,
        sent: &HeaderMap,
        body: Bytes,
        who: Option<Arc<Principal>>,
    ) -> Reply {
        if method == "POST" && body.trim_ascii_start().first() == Some(&b'[') {
            let headers = read(sent);
            let session = self.session(&headers, who.as_ref(), &self.passed_on(sent));
            match batch(&gateway::Request { method, headers, body: &body }, state(&session)) {
                Some(Ok(batch)) => return self.answer_all(sent, &body, &batch, who.as_ref()).await,
                Some(Err(refused)) => return written(refused),
                None => {}
            }
        }
        self.turn_of_one(method, sent, body, who).await
    }

    /// Answers a body that holds one message.
    pub(super) async fn turn_of_one(
        self: &Arc<Self>,
        method: &str,
        headers: &HeaderMap,
        body: Bytes,
        who: Option<Arc<Principal>>,
    ) -> Reply {
        let passed = self.passed_on(headers);
        let headers = read(headers);
        let session = self.session(&headers, who.as_ref(), &passed);
        let request = gateway::Request { method, headers, body: &body };
        match gateway::turn(&request, state(&session), Serves::Both) {
            Turn::Answer(response) => written(response),
            Turn::Initialize(initialize) => self.initialize(&initialize, who, &passed),
            Turn::Discover(discover) => {
                let view = self.views.of(Declares::of_request(discover.capabilities()), who.as_ref(), &passed);
                view.fresh(&List::ALL).await;
                written(discover.answer(&self.server, &view.offering(&view)))
            }
            Turn::List(list) => {
                let view = self.sees(
                    session.as_ref().ok().and_then(Option::as_ref),
                    list.asker.capabilities,
                    who.as_ref(),
                    &passed,
                );
                let merged = view.fresh(&[list.kind]).await;
                let own = session.as_ref().ok().and_then(Option::as_ref).filter(|_| list.asker.capabilities.is_none());
                let merged = own.and_then(|session| session.state.own_lists.merged(&view)).unwrap_or(merged);
                let mut freshness = view.freshness(list.kind);
                if view.is_private() {
                    freshness.scope = Scope::Private;
                }
                written(list.answer(&merged, freshness, &self.server, self.seals.sealer(who.as_deref())))
            }
            Turn::Ask(ask) => {
                // What stands alone has no session, whatever it names.
                let session = session.ok().flatten().filter(|_| ask.asker.capabilities.is_none());
                self.ask(ask, session, who, passed).await
            }
            Turn::ListTasks(list) => match &session {
                Ok(Some(session)) => self.list_tasks(&list, session).await,
                _ => written(list.nobody_has_any()),
            },
            Turn::Listen(listen) => self.subscribe(&listen, who, &passed),
            Turn::SetLogLevel(asker, level) => {
                if let Ok(Some(session)) = &session {
                    session.state.set_log_level(level);
                    self.pass_on_log_level(&session.state, level).await;
                }
                written(asker.done())
            }
            Turn::Notified(notified) => {
                if let Ok(Some(session)) = &session {
                    self.notified(&session.state, &notified);
                }
                written(gateway::accepted())
            }
            Turn::Responded(response) => {
                if let Ok(Some(session)) = &session {
                    self.responded(&session.state, &response);
                }
                written(gateway::accepted())
            }
            Turn::EndSession => {
                if let Ok(Some(session)) = &session
                    && let Some(ended) = self.sessions.end(session.id)
                {
                    self.wind_up(&ended.state);
                }
                written(gateway::ended())
            }
        }
    }

    /// What a client sees: one that stands alone says with each request what it can do.
    pub(super) fn sees(
        &self,
        session: Option<&InUse<Client>>,
        alone: Option<&str>,
        who: Option<&Arc<Principal>>,
        passed: &Passed,
    ) -> Arc<View> {
        match (alone, session) {
            (Some(capabilities), _) => self.views.of(Declares::of_request(capabilities), who, passed),
            (None, Some(session)) => session.state.view(),
            (None, None) => self.views.of(Declares::of_request("{}"), who, passed),
        }
    }

    /// The headers of a request that the configuration passes on: of each the first value, if there is anything in it, as
    /// in the Go program. What belongs to a hop, to the protocol or to the client's own credentials is never passed on.
    fn passed_on(&self, headers: &HeaderMap) -> Passed {
        let wanted = self.passthrough.iter().filter(|name| may_pass(name));
        let passed = wanted.filter_map(|name| {
            let value = std::str::from_utf8(headers.get(name)?.as_bytes()).ok()?;
            let fits = vmcp_core::headers::value_problem(value).is_none();
            fits.then(|| (name.clone(), Secret::new(value)))
        });
        passed.collect()
    }

    /// Opens a session. No backend is asked: what is offered is what the gateway can do.
    fn initialize(&self, initialize: &Initialize<'_>, who: Option<Arc<Principal>>, passed: &Passed) -> Reply {
        let said = initialize.session();
        let view = self.views.of(Declares::of_session(&said.capabilities), who.as_ref(), passed);
        let client = || Client::new(said.clone(), who.clone(), Arc::clone(&view));
        let open = || self.sessions.open(client(), Instant::now());
        let opened = open().or_else(|refused| match refused {
            NotOpened::Full { .. } => {
                self.sweep();
                open()
            }
            NotOpened::NoRandom => Err(refused),
        });
        match opened {
            Ok(session) => {
                // What it sees itself may not be known yet.
                let offering = view.offering(&self.backends);
                written(initialize.answer(&self.server, &session.id.to_string(), &offering))
            }
            Err(refused) => {
                tracing::warn!(error = %refused, "session not opened");
                written(initialize.refused(&refused.to_string()))
            }
        }
    }

    /// Opens the stream of what concerns no request (GET). One a session; it ends with the session.
    pub(super) fn listen(self: &Arc<Self>, headers: &HeaderMap, who: Option<&Arc<Principal>>) -> Reply {
        let passed = self.passed_on(headers);
        let headers = read(headers);
        if !headers.accepts(http::EVENT_STREAM) {
            let message = "this stream is written as events only; expected `Accept: text/event-stream`";
            return refuse(StatusCode::NOT_ACCEPTABLE, code::INVALID_REQUEST, message);
        }
        let session = match self.session(&headers, who, &passed) {
            Ok(Some(session)) => session,
            Ok(None) => {
                let message = "a stream needs the `Mcp-Session-Id` that `initialize` gave";
                return refuse(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, message);
            }
            Err(Unknown) => {
                let message = "there is no such session; begin a new one with `initialize`";
                return refuse(StatusCode::NOT_FOUND, code::SESSION_NOT_FOUND, message);
            }
        };
        match session.state.listen(headers.last_event_id()) {
            Ok(reader) => {
                self.listen_to_all(&session);
                let ends = until_expired({
                    let session = Arc::clone(&session);
                    move || session.state.who()
                });
                // Backends without sessions are heard for as long as it reads.
                let (listening, _) = session.state.view().listening();
                reply::events(Events::new(reader, KEEP_ALIVE, (session, listening)).until(ends))
            }
            Err(NoStream::HasOne) => {
                refuse(StatusCode::CONFLICT, code::INVALID_REQUEST, "this session has a stream already")
            }
            Err(NoStream::NotThere) => {
                let message = "there is no such event, or no longer; open the stream without `Last-Event-ID`";
                refuse(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, message)
            }
        }
    }

    /// The session that a request names. Another principal's is as unknown as one that never was: who learns an id
    /// learns nothing by it, and its owner is not disturbed.
    fn session(
        &self,
        headers: &Headers<'_>,
        who: Option<&Arc<Principal>>,
        passed: &Passed,
    ) -> Result<Option<InUse<Client>>, Unknown> {
        let Some(name) = headers.session_id() else { return Ok(None) };
        let Ok(id) = name.parse() else { return Err(Unknown) };
        match self.sessions.find(id, Instant::now(), |client| client.is_of(who)) {
            Found::Yes(session) => {
                if !session.state.view().is_of(who, passed) {
                    let declares = Declares::of_session(&session.state.session.capabilities);
                    session.state.looks_anew(self.views.of(declares, who, passed));
                }
                Ok(Some(session))
            }
            Found::No => Err(Unknown),
            Found::SomebodyElses => {
                let attempts = self.strangers.fetch_add(1, Ordering::Relaxed) + 1;
                tracing::warn!(attempts, "somebody named the session of another principal; it is unknown to them");
                Err(Unknown)
            }
        }
    }
}

/// No session has this name.
struct Unknown;

fn state(session: &Result<Option<InUse<Client>>, Unknown>) -> SessionState<'_> {
    match session {
        Ok(None) => SessionState::Unnamed,
        Ok(Some(session)) => SessionState::Open(&session.state.session),
        Err(Unknown) => SessionState::Unknown,
    }
}

/// Whether a header may be passed on at all, whatever is configured.
fn may_pass(name: &str) -> bool {
    vmcp_core::headers::passthrough_name_problem(name).is_none() && !crate::transport::is_protocol(name)
}

fn read(headers: &HeaderMap) -> Headers<'_> {
    let mut read = Headers::default();
    for (name, value) in headers {
        if let Ok(value) = std::str::from_utf8(value.as_bytes()) {
            read.add(name.as_str(), value);
        }
    }
    read
}
