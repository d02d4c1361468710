//! The listener: probes, sessions, streams, limits, the stop.
//!
//! No backend is called.

use std::io::{BufReader, Read as _, Write as _};
use std::time::{Duration, Instant};

use vmcp_native::server::{self, Options};

use crate::http::{self, Answer, send};
use crate::{ACCEPT, JSON, eventually, initialize, offer, open_session, post, serve};

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
    let server = serve(Options { session_ttl: Duration::from_secs(1), max_sessions: 2, ..Options::default() });
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    // A standing stream keeps its session.
    let kept = open_session(server.address());
    let headers = [("accept", "text/event-stream"), ("mcp-session-id", kept.as_str())];
    let mut stream = send(server.address(), "GET", "/mcp", &headers, b"");
    assert_eq!((stream.status, stream.chunk()), (200, Some(b": ok\n\n".to_vec())));
    let unused = open_session(server.address());
    eventually("there is room for another", || initialize(server.address()).status == 200);
    assert_eq!(post(server.address(), Some(&unused), ping).status, 404);
    assert_eq!(post(server.address(), Some(&kept), ping).status, 200);
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
fn a_port_that_is_taken_is_named() {
    let server = serve(Options::default());
    let options = Options { port: server.address().port(), ..Options::default() };
    let refused = server::start(offer(&[], ""), &options).unwrap_err();
    assert_eq!(refused.to_string(), format!("cannot listen on {}", server.address()));
}
