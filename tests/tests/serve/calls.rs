//! Lists and calls: through the gateway to backends that answer, stream, wait, hang, forget and die.
//!
//! What they are asked over TLS is tried elsewhere.

use std::time::{Duration, Instant};

use serde_json::json;
use vmcp_native::server::Options;

use crate::backend::{self, Backend};
use crate::http::{self, send};
use crate::{ACCEPT, JSON, call, eventually, offer, open_session, post, rpc, serve_all, tools};

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
fn the_only_backend_is_asked_for_what_it_does_not_list() {
    let backend = Backend::start();
    let server = serve_all(offer(&[("b", &backend.url())], ""), Options::default());
    let session = open_session(server.address());
    let body = call(server.address(), &session, 7, "b_unlisted").json();
    assert_eq!(backend.seen("tools/call")[0].body["params"]["name"], "unlisted");
    assert_eq!(body["error"]["message"], "it failed", "what it says of it");
    let body = call(server.address(), &session, 8, "unlisted").json();
    assert_eq!(body["error"], json!({"code": -32602, "message": "there is no tool `unlisted`"}));
    assert_eq!(backend.seen("tools/call").len(), 1);
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
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
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

/// A request of revision 2026-07-28.
fn modern(method: &str, name: Option<&str>, mut params: serde_json::Value) -> (Vec<(&'static str, String)>, String) {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("accept", "application/json, text/event-stream".to_owned()),
        ("mcp-protocol-version", "2026-07-28".to_owned()),
        ("mcp-method", method.to_owned()),
    ];
    headers.extend(name.map(|name| ("mcp-name", name.to_owned())));
    (headers, json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string())
}

fn borrowed<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[test]
fn a_client_without_sessions_shares_one_at_a_legacy_backend() {
    let backend = Backend::start();
    let server = serve_all(offer(&[("b", &backend.url())], ""), Options::default());
    for id in 0..3 {
        let (headers, body) = modern("tools/call", Some("b_echo"), json!({"name": "b_echo", "arguments": {"id": id}}));
        let mut answer = send(server.address(), "POST", "/mcp", &borrowed(&headers), body.as_bytes());
        assert_eq!((answer.status, answer.header("mcp-session-id")), (200, None));
        let result = &answer.json()["result"];
        assert_eq!(result["structuredContent"]["arguments"], json!({"id": id}));
        assert_eq!(result["resultType"], "complete");
    }
    assert_eq!(backend.seen("initialize").len(), 1);
    let (headers, body) = modern("server/discover", None, json!({}));
    let mut answer = send(server.address(), "POST", "/mcp", &borrowed(&headers), body.as_bytes());
    assert_eq!(answer.json()["result"]["supportedVersions"][0], "2026-07-28");
}

#[test]
fn a_client_without_sessions_cancels_by_closing_its_stream() {
    let backend = Backend::start();
    let server = serve_all(offer(&[("b", &backend.url())], ""), Options::default());
    let mut connection = http::connect(server.address());
    let (headers, body) = modern("tools/call", Some("b_wait"), json!({"name": "b_wait"}));
    http::write(&mut connection, "POST", "/mcp", &borrowed(&headers), body.as_bytes());
    eventually("the call runs", || backend.seen("tools/call").len() == 1);
    drop(connection);
    eventually("the backend is told", || !backend.seen("notifications/cancelled").is_empty());
    // Also when the answer streams already.
    let mut params = json!({"name": "b_slow"});
    params["_meta"] = json!({});
    let (headers, body) = modern("tools/call", Some("b_slow"), params);
    let body = body.replace(r#""_meta":{"#, r#""_meta":{"progressToken":7,"#);
    let mut answer = send(server.address(), "POST", "/mcp", &borrowed(&headers), body.as_bytes());
    assert_eq!(answer.event().unwrap()["params"]["progressToken"], 7);
    drop(answer);
    eventually("the backend is told", || backend.seen("notifications/cancelled").len() == 2);
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
    let timeouts = "operational: {timeouts: {perWorkload: {b: 1s}}}";
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
