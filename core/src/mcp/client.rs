//! Exchanges with one backend, legacy or modern, as a state machine over HTTP messages.
//!
//! It opens no connection and has no clock: the host sends what [`Output::Send`] says, reports what comes back as
//! [`Input`], and watches the time that [`Wait`] suggests.
//!
//! ```text
//!            ┌─────── Start::Unknown ──────┐   ┌──── Start::Remembered(Legacy)
//!            ▼                             │   ▼
//!        ┌─────────┐  anything else    ┌──────────────┐
//!        │ Probing │ ────────────────▶ │ Initializing │ ◀───────────────────┐
//!        └─────────┘                   └──────────────┘                     │
//!          │     ▲    refused, not probed yet   │ result                    │
//!          │     └──────────────────────────────┤                           │
//!   modern │     ▲                              ▼                           │
//!          │     │                      ┌────────────┐                      │
//!          │     │ modern refused,      │ Announcing │                      │
//!          │     │ era only remembered  └────────────┘                      │
//!          ▼     │                              │ 2xx                       │
//!        ┌─────────┐ ◀─────────────────────────┘                            │
//!   ┌──▶ │ Calling │ ───────────────────────────────────────────────────────┘
//!   │    └─────────┘   404 in a session: not run, so once more in a new one
//!   │ next │    │
//!   └──────┘    │ response, or an error                  ┌────────┐
//!     page      ▼                        Goal::End ────▶ │ Ending │ ──▶ Done
//!              Done                                      └────────┘
//!               ▲  response
//!               │     ┌──────────┐  the stream of a call in a session ended after an event with an id
//!               └──── │ Resuming │ ◀── Calling, Resuming
//!                     └──────────┘
//! ```
//!
//! One exchange walks through every state: probed, found to be legacy, opened, its session lost, opened again,
//! called; then the session is ended.
//!
//! ```
//! use std::sync::Arc;
//! use vmcp_core::mcp::client::{Answer, Call, Declared, Exchange, Goal, Limits, Output, Settings, Start};
//! use vmcp_core::mcp::http::{Head, Input, Request};
//!
//! /// What a host does, with a backend made of two functions.
//! fn run(mut exchange: Exchange, mut backend: impl FnMut(&Request) -> (u16, String, &'static str)) -> (Answer, Start) {
//!     let mut start = Start::Unknown;
//!     while let Some(output) = exchange.poll() {
//!         match output {
//!             Output::Send { request, wait: _ } => {
//!                 let (status, body, session) = backend(&request);
//!                 let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
//!                 headers.push(("mcp-session-id".to_owned(), session.to_owned()));
//!                 exchange.handle(Input::Head(Head { status, headers }));
//!                 exchange.handle(Input::Body(body.as_bytes()));
//!                 exchange.handle(Input::End);
//!             }
//!             Output::Learned(standing) => start = Start::Standing(standing),
//!             Output::Done(answer) => return (answer.unwrap(), start),
//!             _ => unreachable!("this backend says nothing by itself"),
//!         }
//!     }
//!     unreachable!("an exchange whose requests are answered ends")
//! }
//!
//! let settings = Arc::new(Settings { declared: Declared::new("example", "1"), limits: Limits::default() });
//! let call = Call::new("tools/call", Some(r#"{"name":"add","arguments":{"a":1.50}}"#.to_owned()));
//! let mut seen = Vec::new();
//! let mut sessions = ["second", "first"].to_vec();
//! let (answer, start) = run(Exchange::new(Goal::Call(call), Start::Unknown, 0, Arc::clone(&settings)), |request| {
//!     let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
//!     let method = body["method"].as_str().unwrap().to_owned();
//!     let reply = |result: &str| format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, body["id"]);
//!     seen.push(method.clone());
//!     match (method.as_str(), request.header("mcp-session-id")) {
//!         ("initialize", None) => {
//!             let result = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}"#;
//!             (200, reply(result), sessions.pop().unwrap())
//!         }
//!         ("notifications/initialized", Some(_)) => (202, String::new(), ""),
//!         ("tools/call", Some("second")) => (200, reply(r#"{"content":[],"n":1.50}"#), ""),
//!         _ => (404, String::new(), ""),
//!     }
//! });
//! let Answer::Reply(reply) = answer else { unreachable!("a call is answered by a reply") };
//! assert_eq!(reply.result(), Some(r#"{"content":[],"n":1.50}"#));
//! assert_eq!(reply.with_id("\"a\""), r#"{"jsonrpc":"2.0","id":"a","result":{"content":[],"n":1.50}}"#);
//! let handshake = ["initialize", "notifications/initialized", "tools/call"];
//! assert_eq!(seen, [&["server/discover"], &handshake[..], &handshake[..]].concat());
//!
//! let (answer, _) = run(Exchange::new(Goal::End, start, 1, settings), |request| {
//!     assert_eq!(request.header("mcp-session-id"), Some("second"));
//!     (200, String::new(), "")
//! });
//! assert!(matches!(answer, Answer::Ended));
//! ```

mod answer;
mod error;
mod freshness;
mod goal;
mod listening;
mod passing;
mod reading;
mod remake;
mod standing;
mod wire;

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

pub use answer::{Listed, Reply, ServerMessage};
pub use error::{CallError, Class, Problem, Ran};
pub use freshness::{Freshness, Scope};
pub use goal::{Asked, Call, Goal, List};
pub use listening::{Listening, Spoken};
pub use passing::{Content, Passing};
pub use remake::{Cached, Remake};
pub use standing::{Certainty, Declared, Facts, Legacy, Limits, Modern, Settings, Standing, Start};

use super::http::{Input, Request, Sent, Stage, Twice, is_session_id};
use super::{Era, Revision, code, json, jsonrpc};
use crate::secret::Secret;
use error::excerpt;
use reading::{Due, Ended, Reading, Received};

const SERVER_DISCOVER: &str = "server/discover";
const INITIALIZE: &str = "initialize";
const INITIALIZED: &str = "notifications/initialized";
const CANCELLED: &str = "notifications/cancelled";
const PROGRESS: &str = "notifications/progress";

/// What the host is to do, in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this and report everything that comes back as [`Input`]. A request that was sent before is over: once
    /// this has been taken, what still comes of the other is not reported.
    Send {
        /// What is sent.
        request: Request,
        /// What is waited for.
        wait: Wait,
    },
    /// Send this beside the running request, on another connection; nothing of its answer is reported.
    Aside(Request),
    /// Wait so long, unless the caller gives up meanwhile.
    Pause(Duration),
    /// A message of the backend, to be passed on.
    Event(ServerMessage),
    /// The stream of the response to [`Goal::Call`] has begun with an event that says nothing, as a server does whose streams
    /// can be resumed (2025-11-25, basic/transports, Sending Messages 6): whoever passes it on as a stream may begin that.
    Primed,
    /// A part of the response to [`Goal::Call`], as [`Call::passing`] wants it. If an error follows, what was passed on is to
    /// be broken off, so that nobody takes it for whole.
    Part(Vec<u8>),
    /// The conversation has been opened, or opened anew: keep this for the next exchange. Two exchanges that find
    /// the same session gone each open one; the host keeps either and ends the other.
    Learned(Arc<Standing>),
    /// The end. The rest of an unread answer may be read, so that the connection can be used again, or dropped.
    Done(Result<Answer, CallError>),
}

/// What is waited for after a request: how long is the host's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// `server/discover`, `initialize`: answered at once by a server that is well.
    Handshake,
    /// A page of a list.
    List,
    /// A call: may take long; each byte of a stream is a sign of life.
    Call,
    /// A status without content: a notification, an answer of ours, DELETE.
    Acknowledgement,
}

/// What was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Goal::Open`].
    Opened(Arc<Standing>),
    /// To [`Goal::Call`]: a result or a JSON-RPC error.
    Reply(Reply),
    /// To [`Goal::Call`]: a result, all of which came as [`Output::Part`].
    Passed,
    /// To [`Goal::List`].
    Listed(Listed),
    /// To [`Goal::End`].
    Ended,
}

/// One exchange: from a goal to its answer.
#[derive(Debug)]
pub struct Exchange {
    settings: Arc<Settings>,
    /// What is declared, where the backend may not be told all of it.
    less: Option<Declared>,
    goal: Goal,
    state: State,
    next_id: u64,
    standing: Option<Arc<Standing>>,
    /// `server/discover` has been tried.
    probed: Probed,
    /// This exchange opened the conversation itself.
    opened: bool,
    /// It has done so because the one before was gone: once is enough.
    reopened: bool,
    /// Why `initialize` was refused, should the probe find nothing better.
    refused: Option<CallError>,
    reading: Option<Reading>,
    /// Becomes `reading` when the host takes the request it belongs to: what it reports before that is still of the
    /// request before.
    next_reading: Option<Reading>,
    queue: VecDeque<Output>,
    /// The request in flight, and the caller's progress token that its id stands for.
    open: Option<(u64, Option<String>)>,
    /// The stream that goes on.
    resumed: Option<Resumed>,
    /// Whether a part of the response has been passed on.
    passes: Passes,
    listed: Listed,
    listed_bytes: usize,
    cursors: BTreeSet<String>,
    /// The cursor that the page in flight was asked with, and where the items of the page before it begin.
    asked_with: Option<String>,
    page_before: usize,
}

/// A stream of a call that ended before its response.
#[derive(Clone, Debug)]
struct Resumed {
    /// The last event that came.
    event: String,
    /// How long is waited before each attempt.
    pause: Duration,
    /// Attempts that brought no event since the last one that did.
    fruitless: usize,
}

#[derive(Clone, Debug)]
enum State {
    Start(Start),
    Probing,
    Initializing,
    Announcing,
    Calling,
    Resuming,
    Ending,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passes {
    No,
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probed {
    No,
    Inconclusive,
    Legacy,
    Modern,
}

impl Exchange {
    /// How many JSON-RPC ids an exchange may use: two different numbers never share one.
    const IDS: u64 = 1 << 16;
    /// So that the pages of a list never use them up, whatever the limit.
    const PAGES: usize = 1 << 14;
    /// Before the rest of a stream is asked for, where the stream does not say how long to wait.
    const PAUSE: Duration = Duration::from_secs(1);
    /// So that no backend makes an exchange spin.
    const LEAST_PAUSE: Duration = Duration::from_millis(100);
    /// Who says to wait longer is not waited for.
    const MOST_PAUSE: Duration = Duration::from_secs(60);
    /// How often the rest is asked for in vain.
    const FRUITLESS: usize = 2;

    /// The number of the exchange whose progress a message tells, if it is one's at all.
    #[must_use]
    pub fn number_of(progress: &ServerMessage) -> Option<u64> {
        let token = progress.params().and_then(|params| json::member(params, super::meta::PROGRESS_TOKEN))?;
        Some(u64::try_from(json::integer(token)?).ok()?.saturating_sub(1) / Self::IDS)
    }

    /// An exchange. `number` is another one for each exchange with the same standing, below 2^36: the ids of its
    /// requests come from it (an id is never used twice in a session; 2025-11-25, basic/index, Requests).
    #[must_use]
    pub fn new(goal: Goal, start: Start, number: u64, settings: Arc<Settings>) -> Self {
        Self {
            settings,
            less: None,
            goal,
            state: State::Start(start),
            next_id: number.wrapping_mul(Self::IDS),
            standing: None,
            probed: Probed::No,
            opened: false,
            reopened: false,
            refused: None,
            reading: None,
            next_reading: None,
            queue: VecDeque::new(),
            open: None,
            resumed: None,
            passes: Passes::No,
            listed: Listed::none(Era::Legacy),
            listed_bytes: 0,
            cursors: BTreeSet::new(),
            asked_with: None,
            page_before: 0,
        }
    }

    /// What to do next; `None` while an answer is awaited, and after the end.
    pub fn poll(&mut self) -> Option<Output> {
        if let State::Start(start) = &self.state {
            let start = start.clone();
            self.begin(start);
        }
        let output = self.queue.pop_front();
        if let Some(Output::Send { .. }) = output {
            self.reading = self.next_reading.take();
        }
        output
    }

    /// What came of the last [`Output::Send`].
    pub fn handle(&mut self, input: Input<'_>) {
        let Some(reading) = &mut self.reading else { return };
        let mut received = Vec::new();
        reading.handle(input, &mut received);
        for received in received {
            self.receive(received);
        }
    }

    /// Answers a request that came as an event: `response` is a JSON-RPC response under the backend's id.
    pub fn answer(&mut self, response: String) {
        if let Some(legacy) = self.standing.as_deref().and_then(Standing::legacy) {
            self.queue.push_back(Output::Aside(wire::message(legacy, response)));
        }
    }

    /// What tells the backend that a call is no longer wanted, while it is in flight or after it came to nothing: to be
    /// sent when its caller gave up, or waited long enough (2025-11-25, basic/utilities/cancellation). `None` where
    /// there was an answer, where closing the connection says it (2026-07-28), and while the conversation is being
    /// opened, which must not be cancelled.
    #[must_use]
    pub fn withdraw(&self) -> Option<Request> {
        let (id, _) = self.open.as_ref()?;
        let legacy = self.standing.as_deref().and_then(Standing::legacy)?;
        let params = format!(r#"{{"requestId":{id},"reason":"the caller waits no longer"}}"#);
        Some(wire::message(legacy, jsonrpc::notification(CANCELLED, Some(&params))))
    }

    fn begin(&mut self, start: Start) {
        match start {
            Start::Standing(standing) => {
                self.standing = Some(standing);
                self.proceed();
            }
            _ if self.goal == Goal::End => self.done(Ok(Answer::Ended)),
            Start::Remembered(Era::Modern) if self.goal != Goal::Open => {
                self.standing = Some(Arc::new(Standing::Modern(Modern { facts: None })));
                self.proceed();
            }
            Start::Unknown | Start::Remembered(Era::Modern) => self.probe(),
            Start::Remembered(Era::Legacy) => self.initialize(),
        }
    }

    fn receive(&mut self, received: Received) {
        match received {
            Received::Message(message) => self.message(message),
            Received::Primed => {
                if let (State::Calling, Goal::Call(_)) = (&self.state, &self.goal) {
                    self.queue.push_back(Output::Primed);
                }
            }
            Received::Part(part) => {
                self.passes = Passes::Yes;
                self.queue.push_back(Output::Part(part));
            }
            Received::Passed => {
                self.reading = None;
                self.done(Ok(Answer::Passed));
            }
            // What a resumed stream says again cannot be taken back.
            Received::Broken(problem) if self.passes == Passes::Yes => {
                let method = self.method();
                self.fail(&method, problem, Ran::Maybe);
            }
            // Of how a server speaks, trouble tells nothing.
            Received::Reply(_, status @ 500..) if !matches!(self.state, State::Calling) => {
                self.receive(Received::Refused(status));
            }
            last => {
                let (session, ended) =
                    self.reading.take().map(|reading| (reading.session, reading.ended)).unwrap_or_default();
                match self.state {
                    State::Probing => self.probed(last),
                    State::Initializing => self.initialized(last, session),
                    State::Announcing => match last {
                        Received::Acknowledged => {
                            self.queue.extend(self.standing.clone().map(Output::Learned));
                            self.proceed();
                        }
                        last => {
                            let problem = match problem_of(&last) {
                                Problem::Status(status) => Problem::NotAccepted(status),
                                problem => problem,
                            };
                            self.fail(INITIALIZED, problem, Ran::No);
                        }
                    },
                    State::Calling => self.called(last, &ended),
                    State::Resuming => self.continued(last, &ended),
                    State::Ending => match last {
                        // A server need not let clients end sessions, and may have ended it itself.
                        Received::Acknowledged | Received::Refused(404 | 405) => self.done(Ok(Answer::Ended)),
                        last => self.fail("DELETE", problem_of(&last), Ran::Maybe),
                    },
                    State::Start(_) | State::Done => {}
                }
            }
        }
    }

    // ── Probing ──────────────────────────────────────────────────────────────────────────────────────────────

    fn probe(&mut self) {
        let id = self.fresh_id();
        let request = wire::discover(&self.settings.declared, id);
        self.send(State::Probing, request, Wait::Handshake, Due::Response(id), Revision::MODERN);
    }

    /// The rules of 2026-07-28, streamable-http, Backward Compatibility: a recognised modern error is a modern
    /// server, trouble tells nothing, anything else is a legacy one.
    fn probed(&mut self, received: Received) {
        let mut facts = None;
        self.probed = match &received {
            Received::Reply(reply, _) => match reply.outcome() {
                jsonrpc::Outcome::Result(result) => {
                    let versions = json::member(result, "supportedVersions").and_then(json::elements);
                    let modern = versions.into_iter().flatten().any(|v| json::says(v, Revision::MODERN.text()));
                    if modern {
                        let server =
                            json::member(result, "_meta").and_then(|m| json::member(m, super::meta::SERVER_INFO));
                        facts = Some(Facts::read(result, server));
                    }
                    let complete = reply.result_type().is_none_or(|kind| kind == "complete");
                    if modern || !complete { Probed::Modern } else { Probed::Legacy }
                }
                jsonrpc::Outcome::Error(error) => match jsonrpc::ErrorObject::read(error) {
                    error if matches!(error.code, code::HEADER_MISMATCH | code::MISSING_CAPABILITY) => Probed::Modern,
                    error if error.code == code::UNSUPPORTED_VERSION && supports_modern(&error) => Probed::Modern,
                    _ => Probed::Legacy,
                },
            },
            Received::Refused(401 | 403 | 407 | 408 | 429 | 500..=599) => Probed::Inconclusive,
            Received::Broken(Problem::NoAnswer { failure })
                if failure.sent == Sent::Nothing || failure.stage == Stage::Cancelled =>
            {
                // `initialize` would meet the same.
                return self.fail(SERVER_DISCOVER, problem_of(&received), Ran::No);
            }
            Received::Broken(Problem::NoAnswer { .. } | Problem::Truncated { .. }) => Probed::Inconclusive,
            _ => Probed::Legacy,
        };
        match (self.probed, self.refused.take()) {
            (Probed::Modern, _) => {
                self.opened = true;
                let standing = Arc::new(Standing::Modern(Modern { facts }));
                self.standing = Some(Arc::clone(&standing));
                self.queue.push_back(Output::Learned(standing));
                self.proceed();
            }
            (_, Some(refused)) => self.done(Err(refused)),
            _ => self.initialize(),
        }
    }

    // ── Initializing, Announcing ─────────────────────────────────────────────────────────────────────────────

    fn initialize(&mut self) {
        self.standing = None;
        let id = self.fresh_id();
        let request = wire::initialize(self.less.as_ref().unwrap_or(&self.settings.declared), id);
        self.send(State::Initializing, request, Wait::Handshake, Due::Response(id), Revision::LATEST_LEGACY);
    }

    fn initialized(&mut self, received: Received, session: Option<String>) {
        let Received::Reply(reply, _) = &received else {
            let refused = matches!(received, Received::Refused(400..=499)) && !is_trouble(&received);
            return self.initialize_failed(problem_of(&received), refused);
        };
        let result = match reply.outcome() {
            jsonrpc::Outcome::Result(result) => result,
            jsonrpc::Outcome::Error(error) => {
                let code = jsonrpc::ErrorObject::read(error).code;
                return self.initialize_failed(Problem::Rpc { code }, true);
            }
        };
        let Some(version) = json::member(result, "protocolVersion").and_then(json::string) else {
            return self.initialize_failed(Problem::BadResult("`protocolVersion` string"), true);
        };
        let revision = match Revision::parse(&version) {
            Some(revision) if revision.era() == Era::Legacy => revision,
            // Some servers name the newest revision they know although they opened a session: what `discover` says
            // decides, and without it the revision that was asked for is spoken.
            Some(_) if self.probed == Probed::No => return self.probe(),
            Some(_) => Revision::LATEST_LEGACY,
            None => return self.initialize_failed(Problem::Version(excerpt(&version)), false),
        };
        if session.as_deref().is_some_and(|session| !is_session_id(session)) {
            return self.initialize_failed(Problem::SessionId, false);
        }
        let legacy = Legacy {
            revision,
            session: session.map(Secret::new),
            facts: Facts::read(result, json::member(result, "serverInfo")),
            certainty: if self.probed == Probed::Inconclusive { Certainty::Assumed } else { Certainty::Proven },
        };
        if self.less.is_none()
            && let Some(less) = self.settings.declared.as_known_to(revision)
        {
            // What it was told it would misunderstand: it is told once more, and this session is not begun.
            if legacy.session.is_some() {
                self.queue.push_back(Output::Aside(wire::delete(&legacy)));
            }
            self.less = Some(less);
            return self.initialize();
        }
        let announce = wire::message(&legacy, jsonrpc::notification(INITIALIZED, None));
        let standing = Arc::new(Standing::Legacy(legacy));
        self.opened = true;
        self.standing = Some(standing);
        self.send(State::Announcing, announce, Wait::Acknowledgement, Due::Acknowledgement, revision);
    }

    /// A backend that was legacy and now refuses `initialize` may have been replaced by a modern one.
    fn initialize_failed(&mut self, problem: Problem, refused: bool) {
        let error = CallError { method: INITIALIZE.to_owned(), problem, ran: Ran::No };
        if refused && self.probed == Probed::No {
            self.refused = Some(error);
            self.probe();
        } else {
            self.done(Err(error));
        }
    }

    // ── Calling ──────────────────────────────────────────────────────────────────────────────────────────────

    /// The conversation is open: now what was wanted.
    fn proceed(&mut self) {
        let Some(standing) = self.standing.clone() else { return };
        match &self.goal {
            Goal::Open => self.done(Ok(Answer::Opened(standing))),
            Goal::Call(_) => self.call(&standing, None, Wait::Call),
            Goal::List(list) => {
                let list = *list;
                let (_, capability, ..) = list.facts();
                if standing.facts().is_some_and(|facts| !facts.offers(capability)) {
                    return self.done(Ok(Answer::Listed(Listed::none(standing.era()))));
                }
                self.listed = Listed::none(standing.era());
                self.listed_bytes = 0;
                self.cursors.clear();
                self.page_before = 0;
                self.page(list, None);
            }
            Goal::End => match standing.legacy() {
                Some(legacy) if legacy.session.is_some() => {
                    let (request, revision) = (wire::delete(legacy), legacy.revision);
                    self.send(State::Ending, request, Wait::Acknowledgement, Due::Acknowledgement, revision);
                }
                _ => self.done(Ok(Answer::Ended)),
            },
        }
    }

    fn page(&mut self, list: List, cursor: Option<&str>) {
        let Some(standing) = self.standing.clone() else { return };
        let params = cursor.map(|cursor| format!(r#"{{"cursor":{cursor}}}"#));
        self.asked_with = cursor.map(ToOwned::to_owned);
        self.call(&standing, Some(&Call::new(list.facts().0, params)), Wait::List);
    }

    /// Sends a call, or the one that is the goal.
    fn call(&mut self, standing: &Standing, call: Option<&Call>, wait: Wait) {
        let id = self.fresh_id();
        let made = match (call, &self.goal) {
            (Some(call), _) | (None, Goal::Call(call)) => wire::call(standing, &self.settings.declared, id, call),
            _ => return,
        };
        let (request, token) = made;
        self.send(State::Calling, request, wait, Due::Response(id), standing.revision());
        self.pass_on();
        self.open = Some((id, token));
    }

    fn called(&mut self, received: Received, ended: &Ended) {
        let cut = match &received {
            Received::Broken(Problem::Truncated { id }) => Some(*id),
            Received::Broken(Problem::NoAnswer { failure }) if failure.stage == Stage::Lost => {
                self.open.as_ref().map(|(id, _)| *id)
            }
            _ => None,
        };
        if cut.is_some_and(|id| self.resume(id, ended)) {
            return;
        }
        if self.is_mismatch(&received) {
            // It was refused before it was looked at: nothing ran.
            match self.standing.as_deref() {
                Some(Standing::Modern(_)) if self.probed == Probed::No => return self.probe(),
                Some(Standing::Legacy(legacy)) if !self.reopened && (legacy.session.is_some() || !self.opened) => {
                    self.reopened = true;
                    return self.initialize();
                }
                _ => {}
            }
        }
        let method = self.method();
        match (received, &self.goal) {
            (Received::Reply(reply, _), Goal::Call(_)) => self.done(Ok(Answer::Reply(reply))),
            (Received::Reply(reply, status), Goal::List(list)) if status < 500 || lacks_the_method(&reply) => {
                let list = *list;
                self.paged(&reply, list);
            }
            // Some servers have a status for what others say with -32601.
            (Received::Refused(404 | 405 | 501), Goal::List(_)) if self.listed.pages == 0 => {
                let era = self.standing.as_deref().map_or(Era::Legacy, Standing::era);
                self.done(Ok(Answer::Listed(Listed::none(era))));
            }
            (last, _) => {
                let problem = problem_of(&last);
                let ran = problem.ran();
                self.fail(&method, problem, ran);
            }
        }
    }

    // ── Resuming ─────────────────────────────────────────────────────────────────────────────────────────────

    /// Asks for the rest of a call's stream, as a server wants it that closes streams to be polled (2025-11-25,
    /// basic/transports, Sending Messages 6 and Resumability and Redelivery). Whether it was asked for.
    fn resume(&mut self, id: u64, ended: &Ended) -> bool {
        let (Some(standing), Goal::Call(_)) = (self.standing.clone(), &self.goal) else { return false };
        let Some(legacy) = standing.legacy() else { return false };
        let before = self.resumed.take();
        let event = core::str::from_utf8(&ended.event).ok().filter(|event| !event.is_empty());
        let known = before.as_ref().map(|before| before.event.as_str());
        let Some(event) = event.or(known).filter(|event| event.bytes().all(|byte| matches!(byte, b' '..=b'~'))) else {
            return false;
        };
        let fruitless = if known == Some(event) { before.as_ref().map_or(0, |before| before.fruitless) + 1 } else { 0 };
        let pause =
            ended.retry.or(before.as_ref().map(|before| before.pause)).unwrap_or(Self::PAUSE).max(Self::LEAST_PAUSE);
        if fruitless > Self::FRUITLESS || pause > Self::MOST_PAUSE {
            return false;
        }
        let request = wire::resume(legacy, event);
        let resumed = Resumed { event: event.to_owned(), pause, fruitless };
        let open = self.open.take();
        self.queue.push_back(Output::Pause(pause));
        self.send(State::Resuming, request, Wait::Call, Due::Response(id), legacy.revision);
        self.pass_on();
        self.open = open;
        self.resumed = Some(resumed);
        true
    }

    /// What came of that. Nothing that the backend says now means that the call did not run.
    fn continued(&mut self, received: Received, ended: &Ended) {
        let Some(id) = self.open.as_ref().map(|(id, _)| *id) else { return };
        let problem = match received {
            Received::Reply(reply, 200) => return self.done(Ok(Answer::Reply(reply))),
            Received::Broken(Problem::Truncated { .. }) if self.resume(id, ended) => return,
            // It, or what stands before it, may be starting again.
            Received::Refused(429 | 502..=504) if self.resume(id, ended) => return,
            // The same. Silence is waited for once.
            Received::Broken(Problem::NoAnswer { failure })
                if (failure.sent == Sent::Nothing && failure.stage != Stage::Cancelled
                    || failure.stage == Stage::Lost)
                    && self.resume(id, ended) =>
            {
                return;
            }
            Received::Broken(problem) => problem,
            _ => Problem::Truncated { id },
        };
        let method = self.method();
        self.fail(&method, problem, Ran::Maybe);
    }

    /// Whether an answer says that the session is gone, or that the backend no longer speaks as it did.
    fn is_mismatch(&self, received: &Received) -> bool {
        match (self.standing.as_deref(), received) {
            (Some(Standing::Legacy(_)), Received::Refused(status)) => matches!(status, 400 | 404),
            (Some(Standing::Legacy(_)), Received::Reply(reply, status)) => reply.error().is_some_and(|error| {
                *status == 404 && error.code != code::METHOD_NOT_FOUND
                    || *status == 400
                        && matches!(
                            error.code,
                            // Servers on the TypeScript SDK say -32000 with 400 of a session that they do not know.
                            code::REFUSED | code::SESSION_NOT_FOUND | code::HEADER_MISMATCH | code::UNSUPPORTED_VERSION
                        )
            }),
            (Some(Standing::Modern(_)), Received::Refused(status)) => matches!(status, 400 | 404 | 405 | 406),
            (Some(Standing::Modern(_)), Received::Reply(reply, status)) => reply.error().is_some_and(|error| {
                error.code == code::UNSUPPORTED_VERSION && !supports_modern(&error)
                    || matches!(*status, 400 | 404) && matches!(error.code, code::REFUSED | code::SESSION_NOT_FOUND)
                    || *status == 400 && error.code == code::INVALID_REQUEST
            }),
            _ => false,
        }
    }

    fn paged(&mut self, reply: &Reply, list: List) {
        let (method, _, member, missing) = list.facts();
        let result = match reply.outcome() {
            jsonrpc::Outcome::Result(result) => result,
            jsonrpc::Outcome::Error(error) => match jsonrpc::ErrorObject::read(error).code {
                // A server may declare a capability and not have every list of it.
                code::METHOD_NOT_FOUND => return self.done(Ok(Answer::Listed(Listed::none(reply.era)))),
                code => return self.fail(method, Problem::Rpc { code }, Ran::No),
            },
        };
        // Servers whose language writes an empty list as `null` have nothing to list.
        let items = match json::member(result, member) {
            Some("null") => Some(Vec::new()),
            listed => listed.and_then(json::elements).map(|items| items.collect()),
        };
        let Some(items) = items else {
            return self.fail(method, Problem::BadResult(missing), Ran::No);
        };
        let begin = self.listed.items.len();
        for item in items {
            self.listed_bytes += item.len();
            self.listed.items.push(item.to_owned());
        }
        let freshness = match reply.era {
            Era::Legacy => Freshness::STALE,
            Era::Modern => Freshness::read(result),
        };
        let before = (self.listed.pages > 0).then_some(self.listed.freshness);
        self.listed.freshness = Freshness::of_all(before.into_iter().chain([freshness]));
        self.listed.pages += 1;
        let mut limits = self.settings.limits;
        limits.pages = limits.pages.min(Self::PAGES);
        if self.listed_bytes > limits.answer_bytes {
            return self.fail(method, Problem::TooLarge { limit: limits.answer_bytes }, Ran::No);
        }
        // An empty cursor is one too; only its absence is the end (2026-07-28, server/utilities/pagination).
        match json::member(result, "nextCursor").filter(|cursor| *cursor != "null") {
            None => {
                let listed = core::mem::replace(&mut self.listed, Listed::none(reply.era));
                self.done(Ok(Answer::Listed(listed)));
            }
            // The page before once more, its cursor included: a server that has one page and looks at no cursor, as
            // those do that write `"nextCursor":""` for none.
            Some(cursor) if self.asked_with.as_deref() == Some(cursor) && self.says_again(begin) => {
                self.listed.items.truncate(begin);
                self.listed.pages -= 1;
                let listed = core::mem::replace(&mut self.listed, Listed::none(reply.era));
                self.done(Ok(Answer::Listed(listed)));
            }
            Some(_) if self.listed.pages >= limits.pages => {
                self.fail(method, Problem::TooManyPages { limit: limits.pages }, Ran::No);
            }
            Some(cursor) if !self.cursors.insert(cursor.to_owned()) => {
                self.fail(method, Problem::RepeatedCursor { page: self.listed.pages }, Ran::No);
            }
            Some(cursor) => {
                self.page_before = begin;
                self.page(list, Some(cursor));
            }
        }
    }

    /// Whether the page whose items begin there has the items of the page before it.
    fn says_again(&self, begin: usize) -> bool {
        self.listed.items.get(self.page_before..begin) == self.listed.items.get(begin..)
    }

    /// A message before the response.
    fn message(&mut self, mut message: ServerMessage) {
        let legacy = self.standing.as_deref().and_then(Standing::legacy);
        match (&message.id, legacy) {
            (Some(id), Some(legacy)) => {
                let answer = match (message.method.as_str(), &self.goal) {
                    ("ping", _) => jsonrpc::result(id, "{}"),
                    (_, Goal::Call(call)) if call.asked == Asked::Relay => {
                        return self.queue.push_back(Output::Event(message));
                    }
                    _ => jsonrpc::error(Some(id), code::METHOD_NOT_FOUND, "this client does not support that", None),
                };
                self.queue.push_back(Output::Aside(wire::message(legacy, answer)));
            }
            // Before there is a session, and in modern times, a server must not ask and cannot be answered.
            (Some(_), None) => {}
            (None, _) if message.method == PROGRESS => {
                // Only for a token that the caller gave, and under that one.
                let Some((id, Some(token))) = &self.open else { return };
                let ours =
                    json::member(&message.text, "params").and_then(|p| json::member(p, super::meta::PROGRESS_TOKEN));
                let Some(ours) = ours.filter(|ours| json::integer(ours).is_some_and(|n| u64::try_from(n) == Ok(*id)))
                else {
                    return;
                };
                message.text = json::Splice::new(&message.text).replace(ours, token.clone()).finish();
                self.queue.push_back(Output::Event(message));
            }
            (None, _) => self.queue.push_back(Output::Event(message)),
        }
    }

    // ── All states ───────────────────────────────────────────────────────────────────────────────────────────

    fn send(&mut self, state: State, mut request: Request, wait: Wait, due: Due, revision: Revision) {
        self.state = state;
        self.open = None;
        self.reading = None;
        self.next_reading = Some(Reading::new(due, revision, self.settings.limits.answer_bytes));
        let only_reads = match wait {
            Wait::Handshake | Wait::List => true,
            Wait::Call => matches!(&self.goal, Goal::Call(call) if call.only_reads()),
            Wait::Acknowledgement => false,
        };
        if only_reads {
            request.twice = Twice::Harmless;
        }
        self.queue.push_back(Output::Send { request, wait });
    }

    /// The response to the request that is sent next comes in parts, if it is long and its caller wishes so.
    fn pass_on(&mut self) {
        if let Goal::Call(call) = &self.goal {
            self.next_reading = self.next_reading.take().map(|reading| reading.passes(call.passing.as_ref()));
        }
    }

    fn fresh_id(&mut self) -> u64 {
        self.next_id = self.next_id.wrapping_add(1);
        self.next_id
    }

    fn method(&self) -> String {
        match &self.goal {
            Goal::Open => SERVER_DISCOVER.to_owned(),
            Goal::Call(call) => call.method.clone(),
            Goal::List(list) => list.facts().0.to_owned(),
            Goal::End => "DELETE".to_owned(),
        }
    }

    fn fail(&mut self, method: &str, problem: Problem, ran: Ran) {
        self.done(Err(CallError { method: method.to_owned(), problem, ran }));
    }

    fn done(&mut self, outcome: Result<Answer, CallError>) {
        self.state = State::Done;
        if outcome.is_ok() {
            self.open = None;
        }
        self.reading = None;
        self.next_reading = None;
        self.queue.push_back(Output::Done(outcome));
    }
}

/// What an outcome that is no answer says.
fn problem_of(received: &Received) -> Problem {
    match received {
        Received::Broken(problem) => problem.clone(),
        Received::Refused(status) | Received::Reply(_, status) => Problem::Status(*status),
        Received::Acknowledged | Received::Primed | Received::Message(_) | Received::Part(_) | Received::Passed => {
            Problem::Empty
        }
    }
}

fn lacks_the_method(reply: &Reply) -> bool {
    reply.error().is_some_and(|error| error.code == code::METHOD_NOT_FOUND)
}

/// Statuses that tell of credentials or load and nothing of the protocol.
fn is_trouble(received: &Received) -> bool {
    matches!(received, Received::Refused(401 | 403 | 407 | 408 | 429 | 500..=599))
}

/// Whether an unsupported-version error names the modern revision after all (2026-07-28, basic/versioning).
fn supports_modern(error: &jsonrpc::ErrorObject<'_>) -> bool {
    let supported = error.data.and_then(|data| json::member(data, "supported")).and_then(json::elements);
    supported.into_iter().flatten().any(|version| json::says(version, Revision::MODERN.text()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::http::Head;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn only_a_running_call_is_withdrawn() {
        let settings = Arc::new(Settings { declared: Declared::new("t", "1"), limits: Limits::default() });
        let goal = Goal::Call(Call::new("tools/call", None));
        let mut exchange = Exchange::new(goal, Start::Remembered(Era::Legacy), 0, settings);
        let head = |status| {
            let headers = alloc::vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                ("mcp-session-id".to_owned(), "s".to_owned()),
            ];
            Input::Head(Head { status, headers })
        };
        let Some(Output::Send { wait: Wait::Handshake, request }) = exchange.poll() else { panic!("no handshake") };
        assert_eq!(request.twice, Twice::Harmless);
        assert_eq!(exchange.withdraw(), None);
        exchange.handle(head(200));
        exchange.handle(Input::Body(
            br#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}"#,
        ));
        exchange.handle(Input::End);
        assert!(matches!(exchange.poll(), Some(Output::Send { wait: Wait::Acknowledgement, .. })));
        exchange.handle(head(202));
        assert!(matches!(exchange.poll(), Some(Output::Learned(_))));
        let Some(Output::Send { wait: Wait::Call, request }) = exchange.poll() else { panic!("no call") };
        assert_eq!(request.twice, Twice::Acts);
        let request = exchange.withdraw().unwrap();
        assert_eq!(request.header("mcp-session-id"), Some("s"));
        assert_eq!(
            core::str::from_utf8(&request.body).unwrap(),
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2,"reason":"the caller waits no longer"}}"#
        );
        exchange.handle(Input::Head(Head { status: 500, headers: Vec::new() }));
        assert!(matches!(exchange.poll(), Some(Output::Done(Err(_)))));
        assert_eq!(exchange.withdraw(), Some(request));
    }

    #[test]
    fn an_answered_call_is_not_withdrawn() {
        let settings = Arc::new(Settings { declared: Declared::new("t", "1"), limits: Limits::default() });
        let legacy = Legacy {
            revision: Revision::LATEST_LEGACY,
            session: None,
            facts: Facts::default(),
            certainty: Certainty::Proven,
        };
        let start = Start::Standing(Arc::new(Standing::Legacy(legacy)));
        let mut exchange = Exchange::new(Goal::Call(Call::new("tools/call", None)), start, 0, settings);
        assert!(matches!(exchange.poll(), Some(Output::Send { .. })));
        assert!(exchange.withdraw().is_some());
        let headers = alloc::vec![("content-type".to_owned(), "application/json".to_owned())];
        exchange.handle(Input::Head(Head { status: 200, headers }));
        exchange.handle(Input::Body(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#));
        exchange.handle(Input::End);
        assert!(matches!(exchange.poll(), Some(Output::Done(Ok(_)))));
        assert_eq!(exchange.withdraw(), None);
    }
}
