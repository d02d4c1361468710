//! Extensions that nobody here knows: what backends declare is offered, what clients declare reaches backends, and what an
//! extension adds to what MCP knows arrives.
//!
//! Tasks are tried in `tasks.rs` and `modern.rs`, apps in transcripts.

use std::net::SocketAddr;

use serde_json::{Value, json};
use vmcp_native::server::Options;

use crate::http::{self, Answer};
use crate::modern::{begin_as, known};
use crate::stage::Stage;
use crate::streams::{asks, begin, open, serve, tells};
use crate::{ACCEPT, JSON, eventually, offer, post, serve_all, tools};

fn offered_alone(address: SocketAddr) -> Value {
    let told = begin_as(address, 1, "server/discover", json!({}), json!({}))().json();
    told["result"]["capabilities"]["extensions"].clone()
}

fn offered_in_a_session(address: SocketAddr) -> Value {
    let params =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    post(address, None, &body.to_string()).json()["result"]["capabilities"]["extensions"].clone()
}

#[test]
fn extensions_of_backends_of_both_revisions_are_offered_in_both() {
    let legacy = Stage::start(
        json!({"tools": {}, "extensions": {"com.example/l": {"n": 1.50}, "com.example/both": {"of": "a"}}}),
    );
    let modern = Stage::modern(json!({"tools": {}, "extensions":
        {"com.example/m": {}, "com.example/both": {"of": "b"}, "io.modelcontextprotocol/tasks": {}}}));
    // By name, unless the configuration gives an order.
    for (order, of) in [(vec![], "a"), (vec!["b".to_owned()], "b")] {
        let mut both = offer(&[("a", &legacy.url()), ("b", &modern.url())], "");
        both.policy.priority_order = order;
        let server = serve_all(both, Options::default());
        let address = server.address();
        let mut all = json!({"com.example/l": {"n": 1.50}, "com.example/m": {}, "com.example/both": {"of": of},
            "io.modelcontextprotocol/tasks": {}});
        // What is known after the lists; a session is offered what is known already.
        assert_eq!(offered_alone(address), all);
        all.as_object_mut().unwrap().remove("io.modelcontextprotocol/tasks");
        assert_eq!(offered_in_a_session(address), all);
    }
}

#[test]
fn what_a_client_declares_of_extensions_reaches_the_backend() {
    let declared = json!({"com.example/x": {"n": 1.50}, "y/z": {}});
    let can = json!({"extensions": declared});
    // In `initialize`, and with each request.
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let session = open(address, "2025-11-25", can.clone());
    let answer = begin(address, &session, 2, json!({}));
    let cue = stage.cue("tools/call");
    assert_eq!(stage.declared_for(&cue)["extensions"], declared);
    cue.result(json!({"content": []}));
    answer();
    let can_more = json!({"extensions": declared, "roots": {}});
    let answer = begin_as(address, 3, "tools/call", json!({"name": "b_t"}), can_more);
    let cue = stage.cue("tools/call");
    assert_eq!(stage.declared_for(&cue)["extensions"], declared);
    cue.result(json!({"content": []}));
    answer();

    let stage = Stage::modern(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let own = "io.modelcontextprotocol/clientCapabilities";
    let session = open(address, "2025-11-25", can.clone());
    eventually("the backend is listed", || !tools(address, &session).is_empty());
    for alone in [false, true] {
        let answer: Box<dyn FnOnce() -> Answer> = match alone {
            false => Box::new(begin(address, &session, 2, json!({}))),
            true => Box::new(begin_as(address, 3, "tools/call", json!({"name": "b_t"}), can.clone())),
        };
        let cue = stage.cue("tools/call");
        assert_eq!(cue.body["params"]["_meta"][own], can);
        cue.result(json!({"resultType": "complete", "content": []}));
        answer();
    }
    let lists = stage.seen("tools/list");
    let asked_so = lists.iter().filter(|list| list["params"]["_meta"][own] == can).count();
    assert!(asked_so >= 1, "what it lists may depend on that: {lists:?}");
}

#[test]
fn what_an_extension_adds_to_a_call_arrives() {
    for stage in [Stage::start(json!({"tools": {}})), Stage::modern(json!({"tools": {}}))] {
        let server = serve(&stage);
        let address = server.address();
        known(address);
        let can = json!({"extensions": {"com.example/x": {}}});
        let params = json!({"name": "b_t", "com.example/p": 1.50, "_meta": {"com.example/k": {"a": 1.50}}});
        let answer = begin_as(address, 2, "tools/call", params, can);
        let mut cue = stage.cue("tools/call");
        assert_eq!(cue.body["params"]["com.example/p"], json!(1.50));
        assert_eq!(cue.body["params"]["_meta"]["com.example/k"], json!({"a": 1.50}));
        cue.stream();
        let said = tells("notifications/com.example/said", json!({"n": 1.50}));
        cue.say(&said);
        cue.say_result(json!({"resultType": "complete", "content": [], "_meta": {"com.example/k": 2}}));
        let mut answer = answer();
        assert_eq!(answer.event(), Some(said));
        assert_eq!(answer.event().unwrap()["result"]["_meta"]["com.example/k"], 2);
    }
}

const SEARCH: &str = "com.example/search";

/// Asks for what only an extension knows, in a session or alone.
fn search(address: SocketAddr, session: Option<&String>, params: Value) -> Box<dyn FnOnce() -> Answer> {
    let Some(session) = session else {
        return Box::new(begin_as(address, 7, SEARCH, params, json!({"extensions": {"com.example/x": {}}})));
    };
    let body = asks(json!(7), SEARCH, params).to_string();
    let mut connection = http::connect(address);
    http::write(&mut connection, "POST", "/mcp", &[JSON, ACCEPT, ("mcp-session-id", session)], body.as_bytes());
    Box::new(|| Answer::read(std::io::BufReader::new(connection)))
}

#[test]
fn a_request_that_only_an_extension_knows_goes_to_the_one_backend_that_has_extensions() {
    let capabilities = json!({"tools": {}, "extensions": {"com.example/x": {}}});
    let other = Stage::start(json!({"tools": {}, "extensions": {"io.modelcontextprotocol/ui": {}}}));
    for stage in [Stage::start(capabilities.clone()), Stage::modern(capabilities.clone())] {
        let both = [("a", &*other.url()), ("b", &stage.url())];
        let server = serve_all(offer(&both, ""), Options::default());
        let address = server.address();
        eventually("it is known", || offered_alone(address).get("com.example/x").is_some());
        let session = open(address, "2025-11-25", json!({"extensions": {"com.example/x": {}}}));
        for session in [Some(&session), None] {
            let answer = search(address, session, json!({"q": 1.50, "_meta": {"progressToken": "p", "k": 1}}));
            let mut cue = stage.cue(SEARCH);
            assert_eq!((&cue.body["params"]["q"], &cue.body["params"]["_meta"]["k"]), (&json!(1.50), &json!(1)));
            let token = cue.body["params"]["_meta"]["progressToken"].clone();
            cue.stream();
            cue.say(&tells("notifications/progress", json!({"progressToken": token, "progress": 1})));
            cue.say_result(json!({"found": [1.50]}));
            let mut answer = answer();
            if session.is_some() {
                answer.primed();
            }
            assert_eq!(answer.event().unwrap()["params"], json!({"progressToken": "p", "progress": 1}));
            let came = answer.event().unwrap();
            assert_eq!((&came["id"], &came["result"]["found"]), (&json!(7), &json!([1.50])));
            // The backend may know better than its own words.
            let answer = search(address, session, json!({}));
            let error = json!({"code": -32601, "message": "not that"});
            stage.cue(SEARCH).error(200, error.clone());
            let mut answer = answer();
            let status = if session.is_some() { 200 } else { 404 };
            assert_eq!((answer.status, answer.json()["error"].clone()), (status, error));
        }
        assert!(other.seen(SEARCH).is_empty());
        let wrong = json!({"jsonrpc": "2.0", "id": 8, "method": SEARCH, "params": [1]}).to_string();
        let refused = post(address, Some(&session), &wrong).json()["error"].clone();
        assert_eq!(refused, json!({"code": -32602, "message": "`params` is an array; expected an object"}));
    }
}

#[test]
fn where_several_backends_have_extensions_or_none_has_there_is_no_such_method() {
    let capabilities = json!({"tools": {}, "extensions": {"com.example/x": {}}});
    let (one, two) = (Stage::start(capabilities.clone()), Stage::modern(capabilities));
    let none = Stage::start(json!({"tools": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}));
    for (backends, known) in
        [(vec![("a", &one), ("b", &two)], "com.example/x"), (vec![("a", &none)], "io.modelcontextprotocol/tasks")]
    {
        let urls: Vec<_> = backends.iter().map(|(name, stage)| (*name, stage.url())).collect();
        let urls: Vec<_> = urls.iter().map(|(name, url)| (*name, url.as_str())).collect();
        let server = serve_all(offer(&urls, ""), Options::default());
        let address = server.address();
        eventually("it is known", || offered_alone(address).get(known).is_some());
        let session = open(address, "2025-11-25", json!({}));
        let error = json!({"code": -32601, "message": "there is no such method here"});
        for (session, status) in [(Some(&session), 200), (None, 404)] {
            let mut refused = search(address, session, json!({}))();
            assert_eq!((refused.status, refused.json()["error"].clone()), (status, error.clone()));
        }
        assert!(backends.iter().all(|(_, stage)| stage.seen(SEARCH).is_empty()));
    }
}

#[test]
fn what_a_client_tells_of_an_extension_reaches_backends_that_have_extensions() {
    let stage = Stage::start(json!({"tools": {}, "extensions": {"com.example/x": {}}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let session = open(address, "2025-11-25", json!({}));
    let answer = begin(address, &session, 2, json!({}));
    let call = stage.cue("tools/call");
    let own = call.header("mcp-session-id").map(str::to_owned);
    call.result(json!({"content": []}));
    answer();
    let told = tells("notifications/com.example/told", json!({"n": 1.50}));
    assert_eq!(post(address, Some(&session), &told.to_string()).status, 202);
    let heard = stage.cue("notifications/com.example/told");
    assert_eq!((&heard.body, heard.header("mcp-session-id")), (&told, own.as_deref()));
}
