//! Extensions that nobody here knows: what backends declare is offered, what clients declare reaches backends, and what an
//! extension adds to what MCP knows arrives.
//!
//! Tasks are tried in `tasks.rs` and `modern.rs`, apps in transcripts.

use std::net::SocketAddr;

use serde_json::{Value, json};
use vmcp_native::server::Options;

use crate::http::Answer;
use crate::modern::{begin_as, known};
use crate::stage::Stage;
use crate::streams::{begin, open, serve, tells};
use crate::{eventually, offer, post, serve_all, tools};

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
    let told = || stage.seen("initialize").pop().unwrap()["params"]["capabilities"]["extensions"].clone();
    let session = open(address, "2025-11-25", can.clone());
    let answer = begin(address, &session, 2, json!({}));
    stage.cue("tools/call").result(json!({"content": []}));
    answer();
    assert_eq!(told(), declared);
    let can_more = json!({"extensions": declared, "roots": {}});
    let answer = begin_as(address, 3, "tools/call", json!({"name": "b_t"}), can_more);
    stage.cue("tools/call").result(json!({"content": []}));
    answer();
    assert_eq!(told(), declared);

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
