//! `vmcp serve` from outside: a listener on loopback, backends of a few lines, clients that are plain sockets.
//!
//! TLS and servers of others are not tried here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "serve/backend.rs"]
mod backend;
#[path = "serve/http.rs"]
mod http;

use std::io::{BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use backend::Backend;
use http::{Answer, PATIENCE, send};
use serde_json::{Value, json};
use vmcp_core::config;
use vmcp_core::discovery::{discover, needs};
use vmcp_core::trust::UnixTime;
use vmcp_native::materials::{Source, gather};
use vmcp_native::roots::system_roots;
use vmcp_native::server::{self, Offer, Options, Server};

const JSON: (&str, &str) = ("content-type", "application/json");
const ACCEPT: (&str, &str) = ("accept", "application/json, text/event-stream");

/// What a configuration with these backends offers; `more` is further text of it.
fn offer(backends: &[(&str, &str)], more: &str) -> Offer {
    let mut text = format!(
        "name: gateway\ngroupRef: g\nincomingAuth: {{type: anonymous}}\noutgoingAuth: {{source: inline}}\n\
         aggregation: {{conflictResolution: prefix, conflictResolutionConfig: {{prefixFormat: \"{{workload}}_\"}}}}\n\
         {more}\nbackends:\n"
    );
    for (name, url) in backends {
        text.push_str(&format!("- {{name: {name}, url: \"{url}\", transport: streamable-http}}\n"));
    }
    let input = config::input::read(text.as_bytes());
    let [document] = &input.configs[..] else { panic!("{:?}", input.diagnostics) };
    let source = Source::this_machine();
    let roots = system_roots(&source).0.into();
    let materials = gather(|known| needs(&document.config, &known.variables), &source, roots, UnixTime::now());
    let catalog = discover(&document.config, &document.diagnostics, &materials);
    assert_eq!(catalog.backends.len(), backends.len(), "{:?}", catalog.rejected);
    Offer::new(&document.config.effective(), catalog.backends)
}

fn serve_all(offer: Offer, options: Options) -> Server {
    server::start(offer, &Options { port: 0, ..options }).unwrap()
}

fn serve(options: Options) -> Server {
    serve_all(offer(&[], ""), options)
}

fn rpc(address: SocketAddr, session: &str, id: u32, method: &str, params: Value) -> Answer {
    let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    post(address, Some(session), &body.to_string())
}

fn call(address: SocketAddr, session: &str, id: u32, tool: &str) -> Answer {
    rpc(address, session, id, "tools/call", json!({"name": tool, "arguments": {"id": id}}))
}

fn tools(address: SocketAddr, session: &str) -> Vec<String> {
    let list = rpc(address, session, 1, "tools/list", json!({})).json();
    let tools = list["result"]["tools"].as_array().unwrap_or_else(|| panic!("{list}"));
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

fn post(address: SocketAddr, session: Option<&str>, body: &str) -> Answer {
    let mut headers = vec![JSON, ACCEPT];
    headers.extend(session.map(|id| ("mcp-session-id", id)));
    send(address, "POST", "/mcp", &headers, body.as_bytes())
}

fn initialize(address: SocketAddr) -> Answer {
    post(
        address,
        None,
        r#"{"jsonrpc":"2.0","id":"first","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#,
    )
}

fn open_session(address: SocketAddr) -> String {
    let answer = initialize(address);
    assert_eq!(answer.status, 200);
    let id = answer.header("mcp-session-id").unwrap().to_owned();
    let answer = post(address, Some(&id), r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert_eq!(answer.status, 202);
    id
}

/// Asks until it is so; what is asked changes by itself within milliseconds.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn probes_are_answered() {
    let server = serve(Options::default());
    for (path, status, body) in [
        ("/health", 200, r#"{"status":"ok"}"#),
        ("/ping", 200, r#"{"status":"ok"}"#),
        ("/readyz", 200, r#"{"mode":"static","status":"ready"}"#),
        ("/.well-known/oauth-protected-resource", 404, r#"{"error":"not_found"}"#),
    ] {
        let mut answer = send(server.address(), "GET", path, &[("host", "10.0.0.1")], b"");
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[test]
fn initialize_opens_a_session_on_any_path() {
    let server = serve(Options::default());
    for path in ["/mcp", "/", "/anything"] {
        let mut answer = send(
            server.address(),
            "POST",
            path,
            &[JSON, ACCEPT],
            br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"1999-01-01","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#,
        );
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("mcp-session-id").map(str::len), Some(36));
        let body = answer.json();
        assert_eq!(body["result"]["protocolVersion"], "2025-11-25");
        assert_eq!(body["result"]["serverInfo"]["name"], "gateway");
    }
    let mut answer = initialize(server.address());
    let body = answer.json();
    assert_eq!((&body["id"], &body["result"]["protocolVersion"]), (&"first".into(), &"2025-06-18".into()));
}

#[test]
fn a_session_that_is_not_open_is_not_found() {
    let server = serve(Options::default());
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(post(server.address(), None, ping).status, 400);
    assert_eq!(post(server.address(), Some("nonsense"), ping).status, 404);
    let session = open_session(server.address());
    assert_eq!(post(server.address(), Some(&session), ping).json()["result"], serde_json::json!({}));
    let end = || send(server.address(), "DELETE", "/mcp", &[("mcp-session-id", &session)], b"").status;
    assert_eq!(end(), 200);
    assert_eq!(end(), 404);
    let mut answer = post(server.address(), Some(&session), ping);
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["error"]["message"], "there is no such session; begin a new one with `initialize`");
}

#[test]
fn a_session_expires_when_it_is_not_used() {
    let server = serve(Options { session_ttl: Duration::from_millis(300), ..Options::default() });
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let session = open_session(server.address());
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(600) {
        assert_eq!(post(server.address(), Some(&session), ping).status, 200);
    }
    let other = open_session(server.address());
    // A standing stream keeps its session.
    let mut stream =
        send(server.address(), "GET", "/mcp", &[("accept", "text/event-stream"), ("mcp-session-id", &other)], b"");
    assert_eq!((stream.status, stream.chunk()), (200, Some(b": ok\n\n".to_vec())));
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(post(server.address(), Some(&session), ping).status, 404);
    assert_eq!(post(server.address(), Some(&other), ping).status, 200);
}

#[test]
fn sessions_are_limited_with_a_clear_error() {
    let server = serve(Options { max_sessions: 2, ..Options::default() });
    let first = open_session(server.address());
    open_session(server.address());
    let mut refused = initialize(server.address());
    assert_eq!(refused.status, 503);
    assert_eq!(
        refused.json()["error"]["message"],
        "2 sessions are open, and no more are allowed; try again when one has ended"
    );
    send(server.address(), "DELETE", "/mcp", &[("mcp-session-id", &first)], b"");
    open_session(server.address());
}

#[test]
fn a_session_has_one_stream_that_ends_with_it() {
    let server = serve(Options::default());
    let session = open_session(server.address());
    let listen =
        |accept: &str| send(server.address(), "GET", "/mcp", &[("accept", accept), ("mcp-session-id", &session)], b"");
    assert_eq!(listen("application/json").status, 406);
    let mut stream = listen("text/event-stream");
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    assert_eq!(stream.chunk(), Some(b": ok\n\n".to_vec()));
    assert_eq!(listen("text/event-stream").status, 409);
    drop(stream);
    let mut stream = None;
    eventually("a closed stream can be opened anew", || {
        let again = listen("text/event-stream");
        (again.status == 200).then(|| stream = Some(again)).is_some()
    });
    let mut stream = stream.unwrap();
    assert_eq!(stream.chunk(), Some(b": ok\n\n".to_vec()));
    send(server.address(), "DELETE", "/mcp", &[("mcp-session-id", &session)], b"");
    assert_eq!(stream.chunk(), None);
}

#[test]
fn requests_that_http_forbids_are_refused() {
    let server = serve(Options::default());
    let ping = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let status =
        |method, headers: &[(&str, &str)], body: &[u8]| send(server.address(), method, "/mcp", headers, body).status;
    assert_eq!(status("POST", &[("content-type", "text/plain"), ACCEPT], ping), 415);
    assert_eq!(status("POST", &[JSON, ("accept", "text/html")], ping), 406);
    assert_eq!(status("POST", &[JSON, ACCEPT], b"{"), 400);
    assert_eq!(status("POST", &[JSON, ACCEPT, ("origin", "https://evil.example")], ping), 403);
    assert_eq!(status("POST", &[JSON, ACCEPT, ("host", "evil.example")], ping), 403);
    let put = send(server.address(), "PUT", "/mcp", &[], b"");
    assert_eq!((put.status, put.header("allow")), (405, Some("GET, POST, DELETE")));
}

#[test]
fn a_body_is_limited() {
    let server = serve(Options::default());
    let mut connection = http::connect(server.address());
    let head = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    connection.write_all(format!("{head}content-length: 8388609\r\n\r\n").as_bytes()).unwrap();
    let mut answer = Answer::read(BufReader::new(connection));
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json()["error"]["message"], "the request has more than 8388608 bytes");
    // The same without saying so before.
    let mut connection = http::connect(server.address());
    connection.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes()).unwrap();
    let chunk = [b"100000\r\n".as_slice(), &[b' '; 1 << 20], b"\r\n"].concat();
    for _ in 0..9 {
        // The server may have answered and closed already.
        if connection.write_all(&chunk).is_err() {
            break;
        }
    }
    assert_eq!(Answer::read(BufReader::new(connection)).status, 413);
}

#[test]
fn stopping_ends_streams_and_connections() {
    let server = serve(Options::default());
    let address = server.address();
    let session = open_session(address);
    let mut stream =
        send(address, "GET", "/mcp", &[("accept", "text/event-stream"), ("mcp-session-id", &session)], b"");
    assert_eq!(stream.chunk(), Some(b": ok\n\n".to_vec()));
    let mut idle = send(address, "GET", "/health", &[], b"");
    idle.text();
    let start = Instant::now();
    server.stop();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(stream.chunk(), None);
    assert_eq!(idle.connection().read(&mut [0]).unwrap_or(0), 0);
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn tools_of_all_backends_are_listed_and_called() {
    let (one, two) = (Backend::start(), Backend::start());
    let server = serve_all(offer(&[("one", &one.url()), ("two", &two.url())], ""), Options::default());
    let session = open_session(server.address());
    let names = ["echo", "fail", "slow", "wait"];
    let expected: Vec<_> = ["one", "two"].iter().flat_map(|b| names.map(|name| format!("{b}_{name}"))).collect();
    assert_eq!(tools(server.address(), &session), expected);
    let mut answer = call(server.address(), &session, 7, "two_echo");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let body = answer.json();
    assert_eq!(body["id"], 7);
    assert_eq!(body["result"]["structuredContent"]["arguments"], json!({"id": 7}));
    assert_eq!(two.seen("tools/call")[0].body["params"]["name"], "echo");
    assert_eq!(one.seen("tools/call").len(), 0);
    let mut answer = call(server.address(), &session, 8, "one_fail");
    let text = answer.text();
    assert!(text.contains(r#""code":-7"#) && text.contains("[1.5]"), "{text}");
    let body = call(server.address(), &session, 9, "three_echo").json();
    assert_eq!(body["error"], json!({"code": -32602, "message": "there is no tool `three_echo`"}));
}

#[test]
fn each_client_session_has_its_own_at_a_backend_from_its_first_call() {
    let backend = Backend::start();
    let server = serve_all(offer(&[("b", &backend.url())], ""), Options::default());
    let address = server.address();
    let (first, second) = (open_session(address), open_session(address));
    assert_eq!(tools(address, &first).len(), 4);
    // The gateway's own, for lists.
    assert_eq!(backend.seen("initialize").len(), 1);
    let at = |session: &str, id| {
        call(address, session, id, "b_echo").json()["result"]["structuredContent"]["session"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    // Side by side, so that each could open one of its own.
    let same: Vec<_> = std::thread::scope(|scope| {
        let (at, first) = (&at, &first);
        let calls: Vec<_> = (10..18).map(|id| scope.spawn(move || at(first, id))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(same.iter().all(|session| *session == same[0]), "{same:?}");
    assert_eq!(backend.seen("initialize").len(), 2);
    let other = at(&second, 20);
    assert_ne!(other, same[0]);
    send(address, "DELETE", "/mcp", &[("mcp-session-id", &first)], b"");
    eventually("the session at the backend is ended too", || !backend.seen("DELETE").is_empty());
    assert_eq!(backend.seen("DELETE")[0].session.as_ref(), Some(&same[0]));
    assert_eq!(at(&second, 21), other);
}

#[test]
fn an_answer_streams_when_the_backend_does() {
    let backend = Backend::start();
    let server = serve_all(offer(&[("b", &backend.url())], ""), Options::default());
    let session = open_session(server.address());
    let params = json!({"name": "b_slow", "_meta": {"progressToken": "mine"}});
    let mut answer = rpc(server.address(), &session, 3, "tools/call", params);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let progress = answer.event().unwrap();
    assert_eq!(progress["params"], json!({"progressToken": "mine", "progress": 1}));
    // Only now may the backend finish.
    backend.let_go();
    let result = answer.event().unwrap();
    assert_eq!((&result["id"], &result["result"]["content"][0]["text"]), (&json!(3), &json!("slow")));
    assert_eq!(answer.event(), None);
    // Nobody asked for progress, so there is nothing to stream.
    backend.let_go();
    let mut answer = call(server.address(), &session, 4, "b_slow");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["result"]["content"][0]["text"], "slow");
}

#[test]
fn a_hanging_and_a_dead_backend_cost_their_own_callers_only() {
    let good = Backend::start();
    let (hanging, dead) = (backend::hanging(), backend::dead());
    let backends = [("good", good.url()), ("hanging", hanging), ("dead", dead)];
    let backends: Vec<_> = backends.iter().map(|(name, url)| (*name, url.as_str())).collect();
    let server = serve_all(offer(&backends, ""), Options::default());
    let address = server.address();
    let start = Instant::now();
    let session = open_session(address);
    assert_eq!(send(address, "GET", "/health", &[], b"").status, 200);
    assert_eq!(call(address, &session, 5, "good_echo").json()["result"]["structuredContent"]["arguments"]["id"], 5);
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(tools(address, &session).len(), 4);
    // Who has waited for the hanging one once does not wait again.
    let start = Instant::now();
    assert_eq!(tools(address, &session).len(), 4);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(call(address, &session, 6, "dead_echo").json()["error"]["code"], -32602);
}

#[test]
fn a_backend_that_died_gives_its_callers_an_error() {
    let (good, dying) = (Backend::start(), Backend::start());
    let server = serve_all(offer(&[("good", &good.url()), ("dying", &dying.url())], ""), Options::default());
    let session = open_session(server.address());
    assert_eq!(tools(server.address(), &session).len(), 8);
    dying.stop();
    let body = call(server.address(), &session, 2, "dying_echo").json();
    assert_eq!(body["error"]["code"], -32603);
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("backend `dying`: ") && message.ends_with("; the tool was not called"), "{message}");
    assert!(call(server.address(), &session, 3, "good_echo").json()["result"].is_object());
}

#[test]
fn calls_beyond_the_limit_are_refused_at_once() {
    let backend = Backend::start();
    let options = Options { max_backend_calls: 2, ..Options::default() };
    let server = serve_all(offer(&[("b", &backend.url())], ""), options);
    let address = server.address();
    let session = open_session(address);
    assert_eq!(tools(address, &session).len(), 4);
    std::thread::scope(|scope| {
        let session = session.as_str();
        let waiting: Vec<_> = (0..2).map(|id| scope.spawn(move || call(address, session, id, "b_wait"))).collect();
        eventually("two calls run", || backend.seen("tools/call").len() == 2);
        let mut refused = call(address, session, 9, "b_echo");
        assert_eq!(refused.status, 503);
        assert_eq!(
            refused.json()["error"]["message"],
            "2 calls to backends are running, and no more are allowed; try again later"
        );
        // What is not a call goes on.
        assert_eq!(tools(address, session).len(), 4);
        backend.let_go();
        backend.let_go();
        for call in waiting {
            assert_eq!(call.join().unwrap().json()["result"]["content"][0]["text"], "waited");
        }
    });
    assert_eq!(call(address, &session, 10, "b_echo").status, 200);
}

#[test]
fn a_slow_backend_leaves_room_for_the_others() {
    let (slow, good) = (Backend::start(), Backend::start());
    let options = Options { max_backend_calls: 4, ..Options::default() };
    let server = serve_all(offer(&[("slow", &slow.url()), ("good", &good.url())], ""), options);
    let address = server.address();
    let session = open_session(address);
    assert_eq!(tools(address, &session).len(), 8);
    std::thread::scope(|scope| {
        let session = session.as_str();
        let waiting: Vec<_> = (0..2).map(|id| scope.spawn(move || call(address, session, id, "slow_wait"))).collect();
        eventually("two calls run", || slow.seen("tools/call").len() == 2);
        let mut refused = call(address, session, 9, "slow_echo");
        assert_eq!(refused.status, 503);
        assert_eq!(
            refused.json()["error"]["message"],
            "2 calls to backend `slow` are running, which is as many as fit while others need room; try again later"
        );
        assert_eq!(call(address, session, 10, "good_echo").status, 200);
        slow.let_go();
        slow.let_go();
        for call in waiting {
            assert_eq!(call.join().unwrap().status, 200);
        }
    });
}

#[test]
fn a_call_is_cancelled_by_its_client() {
    let backend = Backend::start();
    let server = serve_all(offer(&[("b", &backend.url())], ""), Options::default());
    let address = server.address();
    let session = open_session(address);
    assert_eq!(tools(address, &session).len(), 4);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| call(address, &session, 5, "b_wait"));
        eventually("the call runs", || backend.seen("tools/call").len() == 1);
        let mut twice = call(address, &session, 5, "b_echo");
        assert_eq!(twice.status, 400);
        assert_eq!(
            twice.json()["error"]["message"],
            "a request with this id is being answered; an id is used once in a session"
        );
        let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}"#;
        assert_eq!(post(address, Some(&session), cancel).status, 202);
        let mut answer = waiting.join().unwrap();
        assert_eq!((answer.status, answer.event()), (200, None));
        eventually("the backend is told", || !backend.seen("notifications/cancelled").is_empty());
        let (told, asked) = (&backend.seen("notifications/cancelled")[0], &backend.seen("tools/call")[0]);
        assert_eq!(told.body["params"]["requestId"], asked.body["id"]);
        assert_eq!(told.session, asked.session);
    });
}

#[test]
fn a_lost_connection_cancels_nothing() {
    let backend = Backend::start();
    let server = serve_all(offer(&[("b", &backend.url())], ""), Options::default());
    let session = open_session(server.address());
    let mut connection = http::connect(server.address());
    let body = br#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"b_wait"}}"#;
    http::write(&mut connection, "POST", "/mcp", &[JSON, ACCEPT, ("mcp-session-id", &session)], body);
    eventually("the call runs", || backend.seen("tools/call").len() == 1);
    drop(connection);
    assert_eq!(call(server.address(), &session, 6, "b_echo").status, 200);
    backend.let_go();
    eventually("the call has ended", || backend.seen("waited").len() == 1);
    assert_eq!(backend.seen("notifications/cancelled").len(), 0);
}

#[test]
fn stopping_lets_a_call_finish() {
    let backend = Backend::start();
    let server = serve_all(offer(&[("b", &backend.url())], ""), Options::default());
    let address = server.address();
    let session = open_session(address);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| call(address, &session, 5, "b_wait"));
        eventually("the call runs", || backend.seen("tools/call").len() == 1);
        let stopping = scope.spawn(move || server.stop());
        eventually("nobody is let in", || std::net::TcpStream::connect(address).is_err());
        backend.let_go();
        assert_eq!(waiting.join().unwrap().json()["result"]["content"][0]["text"], "waited");
        stopping.join().unwrap();
    });
}

#[test]
fn a_call_that_takes_too_long_is_ended_with_an_error() {
    let backend = Backend::start();
    let timeouts = "operational: {timeouts: {perWorkload: {b: 200ms}}}";
    let server = serve_all(offer(&[("b", &backend.url())], timeouts), Options::default());
    let session = open_session(server.address());
    let body = call(server.address(), &session, 5, "b_wait").json();
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.ends_with("; whether the tool ran is unknown"), "{message}");
    eventually("the backend is told", || !backend.seen("notifications/cancelled").is_empty());
}

#[test]
fn a_session_that_the_backend_lost_is_opened_anew() {
    let backend = Backend::start();
    let server = serve_all(offer(&[("b", &backend.url())], ""), Options::default());
    let session = open_session(server.address());
    assert_eq!(call(server.address(), &session, 1, "b_echo").status, 200);
    backend.forget();
    assert!(call(server.address(), &session, 2, "b_echo").json()["result"].is_object());
    assert_eq!(backend.seen("initialize").len(), 3);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let server = serve(Options::default());
    let options = Options { port: server.address().port(), ..Options::default() };
    let refused = server::start(offer(&[], ""), &options).unwrap_err();
    assert_eq!(refused.to_string(), format!("cannot listen on {}", server.address()));
}
