//! The half of the gateway that faces clients: what one HTTP request asks for, and how its answer is written.
//!
//! It keeps no sessions, calls no backend and knows no routes; the host does, and tells what it found.
//!
//! A host answers a request in three steps: it fills [`Headers`], looks up the session they name, and acts on the
//! [`Turn`] that [`turn`] returns. Most turns are answered already.

pub mod as_task;
mod asks;
pub mod batch;
mod by_url;
mod caller;
pub mod extensions;
mod front;
mod links;
pub mod listen;
mod lists;
mod mirror;
mod modern;
mod offering;
pub mod relay;
pub mod rounds;
pub mod suspended;
pub mod task_ids;

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub use asks::{Ask, Hop, OfTask, Subject};
pub use caller::Caller;
pub use front::{Headers, Request, Response, STREAM_HEADERS, begin_event, event};
pub use links::links;
pub use listen::Listen;
pub use lists::{ListItems, PAGE};
pub use modern::Discover;
pub use offering::Offering;
pub use task_ids::ListTasks;

use crate::mcp::client::List;
use crate::mcp::jsonrpc::{self, Id, Message};
use crate::mcp::{Era, LogLevel, Revision, code, http, json};

/// Which revisions are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serves {
    /// Those with sessions; others are told which.
    Legacy,
    /// 2026-07-28 too.
    Both,
}

/// What the host knows of the session that a request names.
#[derive(Clone, Copy, Debug)]
pub enum SessionState<'a> {
    /// The request names none.
    Unnamed,
    /// It names one that does not exist, no longer or not for this client.
    Unknown,
    /// It exists.
    Open(&'a Session),
}

/// What is kept of a client between its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// As negotiated.
    pub revision: Revision,
    /// What the client can do, as JSON.
    pub capabilities: String,
    /// Who it says it is, as JSON.
    pub client_info: Option<String>,
}

/// Who this gateway says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// The name of the configuration.
    pub name: String,
    /// Of this program.
    pub version: String,
}

impl ServerInfo {
    fn json(&self) -> String {
        format!(r#"{{"name":{},"version":{}}}"#, json::quote(&self.name), json::quote(&self.version))
    }
}

/// What a request wants.
#[derive(Clone, Debug)]
pub enum Turn<'a> {
    /// Nothing more: this is the answer.
    Answer(Response),
    /// A new session.
    Initialize(Initialize<'a>),
    /// What this gateway is (2026-07-28).
    Discover(Discover<'a>),
    /// A list.
    List(ListItems<'a>),
    /// What one backend answers.
    Ask(Ask<'a>),
    /// All tasks of its client (2025-11-25).
    ListTasks(ListTasks<'a>),
    /// To hear of changes, for as long as its stream is open.
    Listen(Listen<'a>),
    /// To hear of log messages from this level on; answered by [`Asker::done`].
    SetLogLevel(Asker<'a>, LogLevel),
    /// To tell something; answered by [`accepted`].
    Notified(Notified<'a>),
    /// To answer a request of ours; answered by [`accepted`].
    Responded(jsonrpc::Response<'a>),
    /// The end of its session; answered by [`ended`] once it is closed.
    EndSession,
}

/// A notification of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notified<'a> {
    /// Its method.
    pub method: Cow<'a, str>,
    /// Its parameters as JSON.
    pub params: Option<&'a str>,
}

/// To whom an answer goes, and how it may look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker<'a> {
    /// The request's id.
    pub id: Id<'a>,
    /// Whether it stands alone or in a session.
    pub era: Era,
    /// What the client can do, as JSON: a modern request's own; `None` means as its session says.
    pub capabilities: Option<&'a str>,
    /// From which level on it wants log messages of this request: a modern one says so itself.
    pub log_level: Option<LogLevel>,
    /// Whether the answer may be a stream.
    pub streams: Streams,
}

/// Whether an answer may be a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// The client reads JSON only.
    No,
    /// It reads both.
    May,
    /// It reads streams only.
    Must,
}

/// A request for a new session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initialize<'a> {
    id: Id<'a>,
    session: Session,
}

impl Asker<'_> {
    /// What was asked for is done, and there is nothing to say of it.
    #[must_use]
    pub fn done(&self) -> Response {
        self.respond(jsonrpc::result(self.id.text(), "{}"))
    }
}

impl Initialize<'_> {
    /// What to keep under the new session's id.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The answer. `session_id` comes from [`session_id`]; no backend is waited for, so all that the gateway can do is
    /// offered, and what backends say to the model as far as it is known.
    #[must_use]
    pub fn answer(&self, server: &ServerInfo, session_id: &str, offering: &Offering) -> Response {
        let mut result = format!(
            r#"{{"protocolVersion":"{}","capabilities":{},"serverInfo":{}"#,
            self.session.revision,
            offering.everything(self.session.revision),
            server.json()
        );
        if let Some(instructions) = offering.instructions() {
            result.push_str(",\"instructions\":");
            result.push_str(&json::quote(&instructions));
        }
        result.push('}');
        Response::json(200, jsonrpc::result(self.id.text(), &result)).with(http::header::SESSION_ID, session_id)
    }

    /// There is no room for another session.
    #[must_use]
    pub fn refused(&self, message: &str) -> Response {
        Response::error(503, Some(self.id.text()), code::INTERNAL, message, None)
    }
}

/// A session id from 16 random bytes: a version 4 UUID (RFC 9562 section 5.4), which is visible ASCII as
/// `Mcp-Session-Id` must be.
#[must_use]
pub fn session_id(mut random: [u8; 16]) -> String {
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in random.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// The answer to a notification or a response (2025-11-25, basic/transports, Sending Messages 4).
#[must_use]
pub fn accepted() -> Response {
    Response::empty(202)
}

/// The answer to the end of a session.
#[must_use]
pub fn ended() -> Response {
    Response::empty(200)
}

/// The answer to a body that the host did not read to its end.
#[must_use]
pub fn body_too_large(limit: usize) -> Response {
    let message = format!("the request has more than {limit} bytes");
    Response::error(413, None, code::INVALID_REQUEST, &message, None)
}

/// Finds out what a request wants. `session` is what the host knows of [`Headers::session_id`].
#[must_use]
pub fn turn<'a>(request: &Request<'a>, session: SessionState<'_>, serves: Serves) -> Turn<'a> {
    let outcome = match request.method {
        "POST" => post(request, session, serves),
        "DELETE" => check_session(session, None, "DELETE").map(|_| Turn::EndSession),
        // 2025-11-25, basic/transports, Listening 3: 405 where no stream is offered.
        _ => Err(refuse(405, "this endpoint takes POST and DELETE").with("allow", "POST, DELETE")),
    };
    outcome.unwrap_or_else(Turn::Answer)
}

/// An answer stands in for a turn as soon as it is known.
type Or<T> = Result<T, Response>;

fn post<'a>(request: &Request<'a>, session: SessionState<'_>, serves: Serves) -> Or<Turn<'a>> {
    let headers = &request.headers;
    let streams = manners(headers)?;
    let message = jsonrpc::parse(request.body).map_err(|wrong| {
        let message = format!("the body is no message: {}", wrong.fault);
        Response::error(400, wrong.id.map(Id::text), wrong.fault.code(), &message, None)
    })?;
    let (id, method, params) = match &message {
        Message::Request(request) => (Some(request.id), request.method.as_ref(), request.params),
        Message::Notification(notification) => (None, notification.method.as_ref(), notification.params),
        Message::Response(_) => (None, "", None),
    };
    if modern::has_signal(headers, method, params) {
        return modern::turn(headers, &message, streams, serves);
    }
    // Before `initialize` nothing is negotiated: what its header says does not count.
    if let Some(version) = headers.protocol_version.filter(|_| method != "initialize")
        && Revision::parse(version).is_none_or(|revision| revision.era() != Era::Legacy)
    {
        let message =
            format!("the protocol version in the header is not served; expected one of {}", supported(serves));
        return Err(Response::error(400, id.map(Id::text), code::INVALID_REQUEST, &message, None));
    }
    match message {
        Message::Request(request) if request.method == "initialize" => initialize(&request),
        Message::Request(request) => {
            check_session(session, Some(request.id), &request.method)?;
            let asker = Asker { id: request.id, era: Era::Legacy, capabilities: None, log_level: None, streams };
            match request.method.as_ref() {
                "ping" => Ok(Turn::Answer(asker.respond(jsonrpc::result(request.id.text(), "{}")))),
                "tasks/list" => ListTasks::read(asker, request.params).map(Turn::ListTasks),
                "logging/setLevel" => log_level(&asker, request.params).map(|level| Turn::SetLogLevel(asker, level)),
                method => named(asker, method, request.params, Vec::new())
                    .unwrap_or_else(|| Err(no_such_method(200, request.id))),
            }
        }
        Message::Notification(notification) => {
            check_session(session, None, &notification.method)?;
            Ok(Turn::Notified(Notified { method: notification.method, params: notification.params }))
        }
        Message::Response(response) => {
            check_session(session, None, "a response")?;
            Ok(Turn::Responded(response))
        }
    }
}

/// What the headers of every message must be like (2025-11-25, basic/transports, Sending Messages), and how its answer may look.
fn manners(headers: &Headers<'_>) -> Or<Streams> {
    if let Some(name) = headers.repeated {
        return Err(refuse(400, &format!("header `{name}` stands there twice with different values")));
    }
    let streams = match (headers.accepts(http::JSON), headers.accepts(http::EVENT_STREAM)) {
        (true, true) => Streams::May,
        (true, false) => Streams::No,
        (false, true) => Streams::Must,
        (false, false) => {
            return Err(refuse(406, "the client accepts neither application/json nor text/event-stream"));
        }
    };
    match headers.media_type().as_deref() {
        Some(http::JSON) => {}
        Some(_) => return Err(refuse(415, "content type is not application/json")),
        None => return Err(refuse(415, "there is no content type; expected application/json")),
    }
    if headers.encoding().is_some() {
        // RFC 9110 section 12.5.3: what would have been taken is said in the answer too.
        let refusal = refuse(415, "the body is compressed; expected one without content-encoding");
        return Err(refusal.with("accept-encoding", "identity"));
    }
    Ok(streams)
}

/// The methods that both eras have; `None` for others.
fn named<'a>(
    asker: Asker<'a>,
    method: &str,
    params: Option<&'a str>,
    headers: Vec<(String, String)>,
) -> Option<Or<Turn<'a>>> {
    if let Some(kind) = List::ALL.into_iter().find(|kind| kind.method() == method) {
        return Some(ListItems::read(asker, kind, params).map(Turn::List));
    }
    Ask::read(asker, method, params, headers).map(|ask| ask.map(Turn::Ask))
}

/// 2025-11-25, server/utilities/logging, Setting Log Level.
fn log_level(asker: &Asker<'_>, params: Option<&str>) -> Or<LogLevel> {
    read_level(params.and_then(|params| json::member(params, "level")))
        .ok_or_else(|| refuse_params(asker.era, asker.id.text(), &no_level("level"), None))
}

/// A level as JSON.
fn read_level(value: Option<&str>) -> Option<LogLevel> {
    value.and_then(json::string).and_then(|level| LogLevel::parse(&level))
}

fn no_level(name: &str) -> String {
    let mut levels: Vec<_> = LogLevel::ALL.iter().map(|level| level.text()).collect();
    let last = levels.pop().unwrap_or_default();
    format!("`{name}` is none; expected {} or {last}", levels.join(", "))
}

/// 2025-11-25, basic/lifecycle, Version Negotiation: the client's revision if it is served, else our newest.
fn initialize<'a>(request: &jsonrpc::Request<'a>) -> Or<Turn<'a>> {
    let invalid = |message: &str| Response::error(400, Some(request.id.text()), code::INVALID_PARAMS, message, None);
    let params = request.params.ok_or_else(|| invalid("`initialize` needs parameters"))?;
    let [version, capabilities, client_info] = json::pick(params, ["protocolVersion", "capabilities", "clientInfo"])
        .map_err(|error| invalid(&format!("the parameters of `initialize`: {error}")))?;
    let version = version.and_then(json::string).ok_or_else(|| invalid("`protocolVersion` is missing or no string"))?;
    let session = Session {
        revision: Revision::parse(&version)
            .filter(|revision| revision.era() == Era::Legacy)
            .unwrap_or(Revision::LATEST_LEGACY),
        capabilities: capabilities.filter(|value| value.starts_with('{')).unwrap_or("{}").to_owned(),
        client_info: client_info.map(ToOwned::to_owned),
    };
    Ok(Turn::Initialize(Initialize { id: request.id, session }))
}

/// 2025-11-25, basic/transports, Session Management 2 and 3.
fn check_session<'s>(session: SessionState<'s>, id: Option<Id<'_>>, what: &str) -> Or<&'s Session> {
    let id = id.map(Id::text);
    match session {
        SessionState::Open(session) => Ok(session),
        SessionState::Unnamed => {
            let message = format!("{what} needs the `Mcp-Session-Id` that `initialize` gave", what = shown(what));
            Err(Response::error(400, id, code::INVALID_REQUEST, &message, None))
        }
        SessionState::Unknown => {
            let message = "there is no such session; begin a new one with `initialize`";
            Err(Response::error(404, id, code::SESSION_NOT_FOUND, message, None))
        }
    }
}

/// A client's text in a message to it: short, without control characters.
fn shown(text: &str) -> String {
    text.chars().take(100).map(|c| if c.is_control() { '?' } else { c }).collect()
}

const NO_SUCH_METHOD: &str = "there is no such method here";

fn no_such_method(status: u16, id: Id<'_>) -> Response {
    Response::error(status, Some(id.text()), code::METHOD_NOT_FOUND, NO_SUCH_METHOD, None)
}

/// Wrong parameters: an error in a session, a bad request where requests stand alone (2026-07-28, basic/index).
fn refuse_params(era: Era, id: &str, message: &str, data: Option<&str>) -> Response {
    let status = match era {
        Era::Legacy => 200,
        Era::Modern => 400,
    };
    Response::error(status, Some(id), code::INVALID_PARAMS, message, data)
}

fn refuse(status: u16, message: &str) -> Response {
    Response::error(status, None, code::INVALID_REQUEST, message, None)
}

/// The revisions that are served, newest first, separated by commas.
fn supported(serves: Serves) -> String {
    let modern = (serves == Serves::Both).then_some(Revision::MODERN);
    modern.into_iter().chain(Revision::LEGACY).map(Revision::text).collect::<Vec<_>>().join(", ")
}

/// What the tests of several files ask with.
#[cfg(test)]
mod testing {
    use super::*;

    /// The turn of a client with a session of the latest revision that has them.
    pub(super) fn ask(body: &str) -> Turn<'_> {
        let mut headers = Headers::default();
        headers.add("content-type", "application/json");
        let session = Session { revision: Revision::LATEST_LEGACY, capabilities: "{}".to_owned(), client_info: None };
        turn(&Request { method: "POST", headers, body: body.as_bytes() }, SessionState::Open(&session), Serves::Both)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_session_id_is_a_version_4_uuid() {
        assert_eq!(session_id([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(session_id([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert!(http::is_session_id(&session_id([7; 16])));
    }

    #[test]
    fn a_body_that_is_too_large_is_413() {
        let response = body_too_large(10);
        let message =
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"the request has more than 10 bytes"}}"#;
        assert_eq!((response.status, response.body), (413, message.as_bytes().to_vec()));
    }
}
