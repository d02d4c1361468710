//! Manners of HTTP at the MCP endpoint, one by one: names under which it is called, pages that may call, methods, types, and
//! that no request makes another wait.
//!
//! Sessions, their limits and their end are tried in `listener`, pages of listed origins that read answers in `bridge`.

use std::io::{BufReader, Write as _};
use std::time::{Duration, Instant};

use serde_json::Value;
use vmcp_native::server::{Options, Server};

use crate::http::{self, Answer, send};
use crate::{ACCEPT, JSON, open_session, serve};

const PING: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// The status of a ping in a session, and what is said if it is refused.
fn ping(server: &Server, session: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let mut headers = vec![("mcp-session-id", session)];
    headers.extend([JSON, ACCEPT].iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name)));
    headers.extend(more.iter().filter(|(_, value)| *value != "-"));
    let mut answer = send(server.address(), "POST", "/mcp", &headers, PING);
    (answer.status, answer.json()["error"]["message"].clone())
}

#[test]
fn a_loopback_listener_is_called_by_the_names_of_this_machine_and_by_listed_ones() {
    let server = serve(Options { allowed_hosts: vec!["mcp.example".to_owned()], ..Options::default() });
    let session = open_session(server.address());
    for host in ["localhost", "localhost:1", "127.0.0.1", "[::1]:4483", "mcp.example", "MCP.example:8443"] {
        assert_eq!(ping(&server, &session, &[("host", host)]).0, 200, "{host}");
    }
    let (status, message) = ping(&server, &session, &[("host", "evil.example")]);
    assert_eq!(status, 403);
    assert_eq!(message, "host `evil.example` is not served here; --allowed-host lists further names");
    // Whoever probes a pod names it by its address.
    assert_eq!(send(server.address(), "GET", "/health", &[("host", "evil.example")], b"").status, 200);
}

#[test]
fn an_open_listener_is_called_by_any_name_until_one_is_listed() {
    let open = |allowed_hosts| serve(Options { host: "0.0.0.0".to_owned(), allowed_hosts, ..Options::default() });
    let reach = |server: &Server, host: &str| {
        let address = (std::net::Ipv4Addr::LOCALHOST, server.address().port()).into();
        send(address, "POST", "/mcp", &[JSON, ACCEPT, ("host", host)], PING).status
    };
    // Without a session it is 400, which is not the listener's refusal.
    let any = open(Vec::new());
    assert_eq!((reach(&any, "10.0.0.1"), reach(&any, "any.example")), (400, 400));
    let listed = open(vec!["mcp.example".to_owned()]);
    assert_eq!((reach(&listed, "mcp.example"), reach(&listed, "localhost")), (400, 403));
}

#[test]
fn pages_of_this_machine_may_call_a_loopback_listener_and_others_only_if_they_are_listed() {
    let server = serve(Options { allowed_origins: vec!["https://app.example".to_owned()], ..Options::default() });
    let session = open_session(server.address());
    for origin in ["http://localhost:6274", "http://127.0.0.1:1", "https://app.example"] {
        assert_eq!(ping(&server, &session, &[("origin", origin)]).0, 200, "{origin}");
    }
    for origin in ["null", "https://evil.example", "http://app.example", "https://app.example.evil.example"] {
        let (status, message) = ping(&server, &session, &[("origin", origin)]);
        assert_eq!(status, 403, "{origin}");
        assert_eq!(message, format!("origin `{origin}` is not allowed; --allowed-origin lists those that are"));
    }
    for method in ["GET", "DELETE", "OPTIONS"] {
        let headers =
            [("origin", "https://evil.example"), ("mcp-session-id", session.as_str()), ("accept", "text/event-stream")];
        assert_eq!(send(server.address(), method, "/mcp", &headers, b"").status, 403, "{method}");
    }
    assert_eq!(ping(&server, &session, &[]).0, 200, "the session is as it was");
    // A listener that is open to others is none of this machine's pages.
    let server = serve(Options { host: "0.0.0.0".to_owned(), ..Options::default() });
    let address = (std::net::Ipv4Addr::LOCALHOST, server.address().port()).into();
    let headers = [JSON, ACCEPT, ("origin", "http://localhost:6274")];
    assert_eq!(send(address, "POST", "/mcp", &headers, PING).status, 403);
}

#[test]
fn what_is_sent_and_accepted_is_said_to_be_json_or_events() {
    let server = serve(Options::default());
    let session = open_session(server.address());
    for (name, value, status) in [
        ("content-type", "application/json; charset=utf-8", 200),
        ("content-type", "Application/JSON", 200),
        ("content-type", "text/plain", 415),
        ("content-type", "application/jsonp", 415),
        ("content-type", "application/x-www-form-urlencoded", 415),
        ("content-type", "-", 415),
        ("accept", "application/json, text/event-stream", 200),
        ("accept", "text/event-stream;q=0.5, application/json", 200),
        ("accept", "*/*", 200),
        ("accept", "text/html", 406),
    ] {
        assert_eq!(ping(&server, &session, &[(name, value)]).0, status, "{name}: {value}");
    }
}

#[test]
fn methods_that_are_none_of_the_protocol_are_told_those_that_are() {
    let server = serve(Options::default());
    for method in ["PUT", "PATCH", "HEAD", "TRACE", "OPTIONS", "FROB"] {
        let answer = send(server.address(), method, "/mcp", &[], b"");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, POST, DELETE")), "{method}");
    }
}

#[test]
fn a_client_that_is_slow_to_ask_makes_no_other_wait() {
    let server = serve(Options::default());
    let session = open_session(server.address());
    let begun = |text: &str| {
        let mut connection = http::connect(server.address());
        connection.write_all(text.as_bytes()).unwrap();
        connection
    };
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nmcp-session-id: {session}\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: {}\r\n\r\n",
        PING.len()
    );
    // In the head, and in the body; more of each than the server has threads.
    let slow: Vec<_> = (0..64).flat_map(|_| [begun("POST /mcp HTTP/1.1\r\nho"), begun(&format!("{head}{{"))]).collect();
    let start = Instant::now();
    for _ in 0..20 {
        assert_eq!(ping(&server, &session, &[]).0, 200);
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    for (place, mut connection) in slow.into_iter().enumerate().filter(|(place, _)| place % 2 == 1).take(4) {
        connection.write_all(&PING[1..]).unwrap();
        assert_eq!(Answer::read(BufReader::new(connection)).status, 200, "{place}");
    }
}

#[test]
fn a_stream_on_which_nothing_is_said_is_kept_open_for_proxies_and_its_session_with_it() {
    let server = serve(Options { session_ttl: Duration::from_secs(1), ..Options::default() });
    let session = open_session(server.address());
    let mut connection = http::connect(server.address());
    // They give up after a minute, most of them.
    connection.set_read_timeout(Some(Duration::from_secs(50))).unwrap();
    let headers = [("accept", "text/event-stream"), ("mcp-session-id", session.as_str())];
    http::write(&mut connection, "GET", "/mcp", &headers, b"");
    let mut stream = Answer::read(BufReader::new(connection));
    assert_eq!((stream.status, stream.header("cache-control")), (200, Some("no-cache, no-transform")));
    assert_eq!(stream.chunk().as_deref(), Some(&b": ok\n\n"[..]));
    assert_eq!(stream.chunk().as_deref(), Some(&b": keep-alive\n\n"[..]));
    assert_eq!(ping(&server, &session, &[]).0, 200);
}
