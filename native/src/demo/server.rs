//! A small MCP server over HTTPS: Streamable HTTP with sessions, revisions 2025-03-26 to 2025-11-25.
//!
//! It has tools and nothing else: no resources, no prompts, no stream of its own (GET is answered 405, as the
//! transport allows). It listens on the loopback interface only.

use std::collections::HashSet;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, ORIGIN};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;

use super::Toolbox;
use super::tools::Tool;

/// The revisions it speaks, newest first.
const REVISIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];
const SESSION: &str = "mcp-session-id";
const API_KEY: &str = "x-api-key";
const REVISION: &str = "mcp-protocol-version";
/// Bytes of one message.
const MESSAGE_BYTES: usize = 1 << 20;
/// How long one step of a tool takes.
const STEP: Duration = Duration::from_millis(120);
/// How long a client may take for its handshake, and for the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that runs until this is dropped.
pub(crate) struct DemoServer {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Dropping it ends the listener and every connection.
    _stop: watch::Sender<()>,
}

impl DemoServer {
    /// Starts on a free port of the loopback interface. With an `api_key`, requests must carry it as `X-Api-Key`. Must be
    /// called inside a tokio runtime.
    pub(crate) async fn start(toolbox: Toolbox, tls: Arc<ServerConfig>, api_key: Option<String>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(());
        let state = Arc::new(State { toolbox, api_key, sessions: Mutex::new(HashSet::new()) });
        tokio::spawn(listen(listener, TlsAcceptor::from(tls), state, stopped));
        Ok(Self { address, _stop: stop })
    }
}

/// What all connections share.
struct State {
    toolbox: Toolbox,
    api_key: Option<String>,
    sessions: Mutex<HashSet<String>>,
}

async fn listen(listener: TcpListener, tls: TlsAcceptor, state: Arc<State>, mut stopped: watch::Receiver<()>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(stream, tls.clone(), state.clone());
                let mut stopped = stopped.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = connection => {}
                        _ = stopped.changed() => {}
                    }
                });
            }
            // Out of file descriptors, most likely: others have to close first.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// One connection to its end. What goes wrong on it is the client's to see, and nobody else's.
async fn connection(stream: TcpStream, tls: TlsAcceptor, state: Arc<State>) {
    let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, tls.accept(stream)).await else { return };
    let service = service_fn(move |request| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(answer(request, &state).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    drop(served);
}

async fn answer(request: Request<Incoming>, state: &Arc<State>) -> Response<Answer> {
    let refused = |status, why: &str| error_response(status, Value::Null, -32600, why);
    if request.uri().path() != "/mcp" {
        return status(StatusCode::NOT_FOUND);
    }
    // MCP, transports, security warning: a browser page must not reach a local server.
    if request.headers().contains_key(ORIGIN) {
        return refused(StatusCode::FORBIDDEN, "this server takes no requests from web pages");
    }
    let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if state.api_key.is_some() && header(API_KEY) != state.api_key.as_deref() {
        return refused(StatusCode::UNAUTHORIZED, "X-Api-Key is missing or wrong");
    }
    let session = header(SESSION).map(str::to_owned);
    if let Some(revision) = header(REVISION)
        && !REVISIONS.contains(&revision)
    {
        let text = format!("Bad Request: Unsupported protocol version (supported versions: {})", REVISIONS.join(", "));
        return refused(StatusCode::BAD_REQUEST, &text);
    }
    if *request.method() == Method::DELETE {
        let known = session.is_some_and(|session| state.sessions().remove(&session));
        return status(if known { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND });
    }
    if *request.method() != Method::POST {
        let mut response = status(StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, DELETE"));
        return response;
    }
    let Ok(body) = Limited::new(request.into_body(), MESSAGE_BYTES).collect().await else {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "the message cannot be read, or is too large");
    };
    let Ok(message) = serde_json::from_slice::<Value>(&body.to_bytes()) else {
        return error_response(StatusCode::BAD_REQUEST, Value::Null, -32700, "the message is not JSON");
    };
    let Some(method) = message.get("method").and_then(Value::as_str) else {
        // A response or a batch: this server asks nothing, and revision 2025-06-18 took batches away.
        return refused(StatusCode::BAD_REQUEST, "expected one request or notification");
    };
    let id = message.get("id").cloned();
    let params = message.get("params").unwrap_or(&Value::Null);
    if method != "initialize" {
        match session {
            None => return refused(StatusCode::BAD_REQUEST, "Mcp-Session-Id is missing"),
            // 404 tells the client to start over (transports, session management, rule 3).
            Some(session) if !state.sessions().contains(&session) => {
                return refused(StatusCode::NOT_FOUND, "there is no such session");
            }
            Some(_) => {}
        }
    }
    let Some(id) = id else { return status(StatusCode::ACCEPTED) };
    match method {
        "initialize" => initialize(state, &id, params),
        "ping" => result(&id, &json!({})),
        "tools/list" => {
            let tools: Vec<Value> = state.toolbox.tools.iter().map(describe).collect();
            result(&id, &json!({ "tools": tools }))
        }
        "tools/call" => call(state, &id, params),
        _ => error_response(StatusCode::OK, id, -32601, &format!("method {method:?} is not offered here")),
    }
}

fn initialize(state: &State, id: &Value, params: &Value) -> Response<Answer> {
    let asked = params.get("protocolVersion").and_then(Value::as_str);
    let revision = REVISIONS.iter().find(|known| Some(**known) == asked).unwrap_or(&REVISIONS[0]);
    let Some(session) = random_hex() else {
        return error_response(StatusCode::INTERNAL_SERVER_ERROR, id.clone(), -32603, "no random numbers");
    };
    let mut response = result(
        id,
        &json!({
            "protocolVersion": revision,
            "capabilities": { "tools": {} },
            "serverInfo": { "name": state.toolbox.name, "version": env!("CARGO_PKG_VERSION") },
            "instructions": state.toolbox.instructions,
        }),
    );
    if let Ok(value) = HeaderValue::from_str(&session) {
        response.headers_mut().insert(SESSION, value);
        state.sessions().insert(session);
    }
    response
}

fn describe(tool: &Tool) -> Value {
    let (input, output) = (tool.schemas)();
    json!({
        "name": tool.name,
        "description": tool.description,
        "inputSchema": input,
        "outputSchema": output,
        "annotations": { "readOnlyHint": tool.steps.is_empty() },
    })
}

fn call(state: &State, id: &Value, params: &Value) -> Response<Answer> {
    let name = params.get("name").and_then(Value::as_str).unwrap_or_default();
    let Some(tool) = state.toolbox.tools.iter().find(|tool| tool.name == name).copied() else {
        return error_response(StatusCode::OK, id.clone(), -32602, &format!("there is no tool {name:?}"));
    };
    let outcome = match (tool.answer)(params.get("arguments").unwrap_or(&Value::Null)) {
        Ok((text, data)) => {
            json!({ "content": [{ "type": "text", "text": text }], "structuredContent": data, "isError": false })
        }
        Err(text) => json!({ "content": [{ "type": "text", "text": text }], "isError": true }),
    };
    if tool.steps.is_empty() {
        return result(id, &outcome);
    }
    let token = params.get("_meta").and_then(|meta| meta.get("progressToken")).cloned();
    let last = json!({ "jsonrpc": "2.0", "id": id, "result": outcome });
    let (events, body) = mpsc::channel(1);
    tokio::spawn(report(tool.steps, token, last, events));
    let mut response = Response::new(Answer::Events(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Sends a progress event for each step (where the client asked with a token), then the answer.
async fn report(steps: &'static [&'static str], token: Option<Value>, last: Value, events: mpsc::Sender<Bytes>) {
    for (index, step) in steps.iter().enumerate() {
        tokio::time::sleep(STEP).await;
        let event = match &token {
            Some(token) => event(&json!({
                "jsonrpc": "2.0",
                "method": "notifications/progress",
                "params": { "progressToken": token, "progress": index + 1, "total": steps.len(), "message": step },
            })),
            // A comment keeps the stream alive and says nothing.
            None => Bytes::from_static(b":\n\n"),
        };
        if events.send(event).await.is_err() {
            return;
        }
    }
    // A client that has left does not need the answer.
    drop(events.send(event(&last)).await);
}

fn event(message: &Value) -> Bytes {
    Bytes::from(format!("event: message\ndata: {message}\n\n"))
}

fn result(id: &Value, result: &Value) -> Response<Answer> {
    json_response(StatusCode::OK, &json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

fn error_response(status: StatusCode, id: Value, code: i32, message: &str) -> Response<Answer> {
    json_response(status, &json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } }))
}

fn json_response(status: StatusCode, body: &Value) -> Response<Answer> {
    let mut response = Response::new(Answer::Whole(Some(Bytes::from(body.to_string()))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn status(status: StatusCode) -> Response<Answer> {
    let mut response = Response::new(Answer::Whole(None));
    *response.status_mut() = status;
    response
}

/// 128 random bits, in hexadecimal.
pub(crate) fn random_hex() -> Option<String> {
    let mut bytes = [0; 16];
    rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl State {
    fn sessions(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of a response.
enum Answer {
    Whole(Option<Bytes>),
    Events(mpsc::Receiver<Bytes>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take()),
            Self::Events(events) => events.poll_recv(cx),
        };
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Self::Whole(bytes) => hyper::body::SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Self::Events(_) => hyper::body::SizeHint::default(),
        }
    }
}
