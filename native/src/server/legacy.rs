//! Clients with sessions (MCP up to 2025-11-25): what each message of theirs does.
//!
//! It opens no connections; backends are called by others.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::mpsc;
use vmcp_core::mcp::{Revision, code, json, jsonrpc};

use super::App;
use super::reply::{self, Events, Reply, bare, json};
use super::routes::{Accepts, refuse};
use super::sessions::{InUse, NotOpened};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// Between two comments on a stream that has nothing to say; proxies commonly give up after 60 seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// What the server keeps of one client's session.
pub(super) struct Client {
    revision: Revision,
    stream: Mutex<Option<mpsc::Sender<Bytes>>>,
}

impl Client {
    /// Closes what stands open for a session that has ended.
    pub(super) fn wind_up(&self) {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl App {
    /// Answers one POST.
    pub(super) async fn message(self: Arc<Self>, headers: &HeaderMap, accepts: Accepts, body: Bytes) -> Reply {
        let message = match jsonrpc::parse(&body) {
            Ok(message) => message,
            Err(malformed) => {
                let id = malformed.id.map(jsonrpc::Id::text);
                let text = jsonrpc::error(id, malformed.fault.code(), &malformed.fault.to_string(), None);
                return json(StatusCode::BAD_REQUEST, text);
            }
        };
        match message {
            jsonrpc::Message::Request(request) if request.method == "initialize" => self.initialize(&request),
            jsonrpc::Message::Request(request) => match self.session(headers) {
                Ok(session) => self.request(session, accepts, &request).await,
                Err(refusal) => refusal,
            },
            jsonrpc::Message::Notification(_) | jsonrpc::Message::Response(_) => match self.session(headers) {
                Ok(_) => bare(StatusCode::ACCEPTED),
                Err(refusal) => refusal,
            },
        }
    }

    /// Opens a session. No backend is asked: what is offered is what the gateway can do.
    fn initialize(&self, request: &jsonrpc::Request<'_>) -> Reply {
        let asked = request.params.and_then(|params| json::member(params, "protocolVersion")).and_then(json::string);
        let revision = asked
            .and_then(|text| Revision::LEGACY.into_iter().find(|revision| revision.text() == text))
            .unwrap_or(Revision::LATEST_LEGACY);
        let opened = self.sessions.open(Client { revision, stream: Mutex::new(None) }, Instant::now());
        let session = match opened {
            Ok(session) => session,
            Err(refused @ NotOpened::Full { .. }) => {
                return refuse_request(StatusCode::SERVICE_UNAVAILABLE, request, code::REFUSED, &refused.to_string());
            }
            Err(refused) => {
                return refuse_request(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    request,
                    code::INTERNAL,
                    &refused.to_string(),
                );
            }
        };
        let result = format!(
            r#"{{"protocolVersion":"{revision}","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":{},"version":"{}"}}}}"#,
            json::quote(&self.offer.name),
            env!("CARGO_PKG_VERSION"),
        );
        let mut reply = json(StatusCode::OK, jsonrpc::result(request.id.text(), &result));
        if let Ok(id) = HeaderValue::from_str(&session.id.to_string()) {
            reply.headers_mut().insert(SESSION, id);
        }
        reply
    }

    async fn request(
        self: Arc<Self>,
        _session: InUse<Client>,
        _accepts: Accepts,
        request: &jsonrpc::Request<'_>,
    ) -> Reply {
        match &*request.method {
            "ping" => json(StatusCode::OK, jsonrpc::result(request.id.text(), "{}")),
            method => {
                let text = format!("method `{method}` is not served here");
                refuse_request(StatusCode::OK, request, code::METHOD_NOT_FOUND, &text)
            }
        }
    }

    /// Opens the stream of what concerns no request (GET). One a session; it ends with the session.
    pub(super) fn listen(&self, headers: &HeaderMap) -> Reply {
        if !Accepts::read(headers).events {
            return refuse(
                StatusCode::NOT_ACCEPTABLE,
                code::REFUSED,
                "this stream is written as events only; expected `Accept: text/event-stream`",
            );
        }
        let session = match self.session(headers) {
            Ok(session) => session,
            Err(refusal) => return refusal,
        };
        let mut stream = session.state.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if stream.as_ref().is_some_and(|stream| !stream.is_closed()) {
            return refuse(StatusCode::CONFLICT, code::REFUSED, "this session has a stream already");
        }
        let (sender, receiver) = mpsc::channel(64);
        // Says at once that the stream stands: some clients wait for a first byte.
        drop(sender.try_send(Bytes::from_static(b": ok\n\n")));
        *stream = Some(sender);
        reply::events(Events::new(receiver, KEEP_ALIVE, session.clone()))
    }

    /// Ends a session (DELETE).
    pub(super) fn close(&self, headers: &HeaderMap) -> Reply {
        match self.session(headers) {
            Ok(session) => {
                self.sessions.end(session.id);
                session.state.wind_up();
                bare(StatusCode::OK)
            }
            Err(refusal) => refusal,
        }
    }

    /// The session that a request names (MCP 2025-11-25, basic/transports, Session Management).
    fn session(&self, headers: &HeaderMap) -> Result<InUse<Client>, Reply> {
        let Some(name) = headers.get(SESSION) else {
            return Err(refuse(
                StatusCode::BAD_REQUEST,
                code::REFUSED,
                "header `Mcp-Session-Id` is missing; `initialize` gives one",
            ));
        };
        name.to_str()
            .ok()
            .and_then(|name| name.parse().ok())
            .and_then(|id| self.sessions.find(id, Instant::now()))
            .ok_or_else(|| {
                refuse(
                    StatusCode::NOT_FOUND,
                    code::SESSION_NOT_FOUND,
                    "there is no such session; it has ended or expired, `initialize` begins a new one",
                )
            })
    }
}

fn refuse_request(status: StatusCode, request: &jsonrpc::Request<'_>, code: i64, message: &str) -> Reply {
    json(status, jsonrpc::error(Some(request.id.text()), code, message, None))
}
