//! Cells of the table of both revisions (`docs/bridge.md`): what becomes of a message whose two sides speak otherwise, or
//! would not know of it.
//!
//! Every word of the backend is the test's own.

use std::net::SocketAddr;

use serde_json::{Value, json};
use vmcp_native::server::Options;

use crate::http::{self, Answer, send};
use crate::modern::{acknowledge, begin_as, known, tell};
use crate::stage::{Cue, Stage};
use crate::streams::{asks, begin, everything, get, open, serve, tells};
use crate::{ACCEPT, JSON, eventually, offer, post, rpc, serve_all, tools};

fn answers(answer: &mut Answer) -> Vec<Value> {
    let mut all = answer.json().as_array().cloned().unwrap_or_default();
    all.sort_by_key(|answer| answer["id"].as_u64());
    all
}

#[test]
fn a_batch_of_a_client_of_2025_03_26_is_split_and_joined() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    let session = open(address, "2025-03-26", everything());
    let ping = |id: u32| json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
    let call = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "b_t", "arguments": {},
        "_meta": {"progressToken": "p"}}});
    let told = tells("notifications/x", json!({}));
    let send_all = |all: Value| post(address, Some(&session), &all.to_string());
    // Requests and notifications; a message that is none has its own error.
    let mut answer = send_all(json!([ping(1), told, {"jsonrpc": "2.0", "id": 2, "method": "x/y"}, 7]));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let all = answers(&mut answer);
    assert_eq!(all.len(), 3);
    assert_eq!((&all[0]["id"], &all[0]["error"]["code"]), (&Value::Null, &json!(-32600)));
    assert_eq!((&all[1]["result"], &all[2]["error"]["code"]), (&json!({}), &json!(-32601)));
    // Notifications alone are accepted.
    assert_eq!(send_all(json!([told, told])).status, 202);
    for wrong in [json!([]), json!(vec![ping(1); 101])] {
        let mut refused = send_all(wrong);
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (400, &json!(-32600)));
    }
    // A call that streams makes a stream of it, on which the other answers are too.
    let body = json!([ping(1), call]).to_string();
    let mut connection = http::connect(address);
    http::write(&mut connection, "POST", "/mcp", &[JSON, ACCEPT, ("mcp-session-id", &session)], body.as_bytes());
    let mut cue = stage.cue("tools/call");
    cue.stream();
    cue.say(&asks(json!("q"), "roots/list", json!({})));
    let mut answer = Answer::read(std::io::BufReader::new(connection));
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let mut first: Vec<_> = (0..2).map(|_| answer.event().unwrap()).collect();
    first.sort_by_key(|event| event["method"].is_null());
    assert_eq!((&first[0]["method"], &first[1]["result"]), (&json!("roots/list"), &json!({})));
    // The answer to it comes in an array too.
    let response = json!({"jsonrpc": "2.0", "id": first[0]["id"], "result": {"roots": []}});
    assert_eq!(send_all(json!([response])).status, 202);
    assert_eq!(stage.cue("response").body["id"], "q");
    cue.say_result(json!({"content": []}));
    assert_eq!(answer.event().unwrap()["id"], 3);
    assert_eq!(answer.event(), None);
    // Who reads no stream gets a document.
    let headers = [JSON, ("accept", "application/json"), ("mcp-session-id", session.as_str())];
    let mut connection = http::connect(address);
    http::write(&mut connection, "POST", "/mcp", &headers, json!([call, ping(4)]).to_string().as_bytes());
    stage.cue("tools/call").result(json!({"content": []}));
    let all = answers(&mut Answer::read(std::io::BufReader::new(connection)));
    assert_eq!((&all[0]["id"], &all[1]["id"]), (&json!(3), &json!(4)));
}

#[test]
fn no_other_revision_has_batches() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let body = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#;
    for revision in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let session = open(server.address(), revision, json!({}));
        let mut refused = post(server.address(), Some(&session), body);
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (400, &json!(-32600)), "{revision}");
    }
    let headers = [JSON, ACCEPT, ("mcp-protocol-version", "2026-07-28"), ("mcp-method", "ping")];
    let mut refused = send(server.address(), "POST", "/mcp", &headers, body.as_bytes());
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (400, &json!(-32600)));
}

fn url_required() -> Value {
    json!({"code": -32042, "message": "log in first", "data": {"elicitations":
        [{"mode": "url", "elicitationId": "e1", "url": "https://x/login", "message": "Log in"}]}})
}

#[test]
fn what_has_to_be_opened_first_is_asked_in_a_result_and_the_retry_is_the_call_once_more() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let can = json!({"elicitation": {"url": {}}});
    let call = json!({"name": "b_t", "arguments": {"n": 1.50}});
    let answer = begin_as(address, 2, "tools/call", call.clone(), can.clone());
    stage.cue("tools/call").error(200, url_required());
    let asked = answer().json()["result"].clone();
    assert_eq!(asked["resultType"], "input_required");
    let params = json!({"mode": "url", "url": "https://x/login", "message": "Log in"});
    assert_eq!(asked["inputRequests"], json!({"u1": {"method": "elicitation/create", "params": params}}));
    let mut retry = call;
    retry["inputResponses"] = json!({"u1": {"action": "accept"}});
    let answer = begin_as(address, 3, "tools/call", retry, can);
    let cue = stage.cue("tools/call");
    assert_eq!(cue.body["params"], json!({"name": "t", "arguments": {"n": 1.50}}));
    cue.result(json!({"content": []}));
    assert_eq!(answer().json()["result"]["resultType"], "complete");
    // Who cannot open URLs is told so.
    let answer = begin_as(address, 4, "tools/call", json!({"name": "b_t"}), json!({"elicitation": {}}));
    stage.cue("tools/call").error(200, url_required());
    let mut refused = answer();
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (400, &json!(-32021)));
}

#[test]
fn that_something_was_opened_is_told_to_the_client_that_was_asked_and_to_nobody_else() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    let (session, other) = (open(address, "2025-11-25", everything()), open(address, "2025-11-25", everything()));
    let mut elsewhere = get(address, &other, None);
    let answer = begin(address, &session, 7, json!({}));
    let mut call = stage.cue("tools/call");
    call.stream();
    let complete = tells("notifications/elicitation/complete", json!({"elicitationId": "e-1"}));
    call.say(&asks(json!(1), "elicitation/create", json!({"mode": "url", "url": "https://x", "elicitationId": "e-1"})));
    call.say(&complete);
    let mut answer = answer();
    answer.primed();
    assert_eq!(answer.event().unwrap()["params"]["elicitationId"], "e-1");
    assert_eq!(answer.event().unwrap(), complete);
    // In a session the error is one that its revision knows.
    call.say(&json!({"jsonrpc": "2.0", "id": call.body["id"], "error": url_required()}));
    call.end();
    assert_eq!(answer.event().unwrap()["error"], url_required());
    send(address, "DELETE", "/mcp", &[("mcp-session-id", &other)], b"");
    elsewhere.primed();
    assert_eq!(elsewhere.event(), None);
}

#[test]
fn a_backend_that_finds_other_headers_than_it_expects_is_listed_and_called_once_more() {
    let stage = Stage::modern(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let listed = stage.seen("tools/list").len();
    let mismatch = || json!({"code": -32020, "message": "headers"});
    let session = open(address, "2025-11-25", json!({}));
    for session in [Some(&session), None] {
        let answer: Box<dyn FnOnce() -> Answer> = match session {
            Some(session) => Box::new(begin(address, session, 2, json!({}))),
            None => Box::new(begin_as(address, 2, "tools/call", json!({"name": "b_t", "arguments": {}}), json!({}))),
        };
        let refused = stage.cue("tools/call");
        let before = stage.seen("tools/list").len();
        refused.error(400, mismatch());
        let again = stage.cue("tools/call");
        assert!(stage.seen("tools/list").len() > before, "it was asked what it expects");
        again.result(json!({"resultType": "complete", "content": []}));
        assert_eq!(answer().json()["result"]["content"], json!([]));
    }
    assert!(stage.seen("tools/list").len() > listed);
    // Not a third time, and the client never hears of it.
    let answer = begin_as(address, 3, "tools/call", json!({"name": "b_t", "arguments": {}}), json!({}));
    stage.cue("tools/call").error(400, mismatch());
    stage.cue("tools/call").error(400, mismatch());
    let error = answer().json()["error"].clone();
    let message = "the backend refused the gateway's request (JSON-RPC error -32020)";
    assert_eq!(error, json!({"code": -32603, "message": message}));
}

#[test]
fn progress_on_the_standing_stream_reaches_its_call() {
    let stage = Stage::with_streams(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    let session = open(address, "2025-11-25", everything());
    let answer = begin(address, &session, 7, json!({"_meta": {"progressToken": "up"}}));
    let mut standing = stage.cue("GET");
    standing.stream();
    let mut call = stage.cue("tools/call");
    let token = call.body["params"]["_meta"]["progressToken"].clone();
    standing.say(&tells("notifications/progress", json!({"progressToken": 3, "progress": 9})));
    standing.say(&tells("notifications/progress", json!({"progressToken": token, "progress": 1.50})));
    let mut answer = answer();
    answer.primed();
    assert_eq!(answer.event().unwrap()["params"], json!({"progressToken": "up", "progress": 1.50}));
    call.stream();
    call.say_result(json!({"content": []}));
    assert_eq!(answer.event().unwrap()["id"], 7);
}

/// The next round of a call that was asked something.
fn round(address: SocketAddr, id: u32, asked: &Value, token: &str, can: &Value) -> impl FnOnce() -> Answer + use<> {
    let params = json!({"name": "b_t", "arguments": {}, "requestState": asked["requestState"],
        "inputResponses": {"q1": {"roots": []}}, "_meta": {"progressToken": token}});
    begin_as(address, id, "tools/call", params, can.clone())
}

#[test]
fn progress_of_a_later_round_has_the_token_of_that_round() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let can = json!({"roots": {}});
    let params = json!({"name": "b_t", "arguments": {}, "_meta": {"progressToken": "one"}});
    let answer = begin_as(address, 2, "tools/call", params, can.clone());
    let mut call = stage.cue("tools/call");
    let token = call.body["params"]["_meta"]["progressToken"].clone();
    let progress = |value: f64| tells("notifications/progress", json!({"progressToken": token, "progress": value}));
    call.stream();
    call.say(&progress(1.5));
    let mut answer = answer();
    assert_eq!(answer.event().unwrap()["params"], json!({"progressToken": "one", "progress": 1.5}));
    call.say(&asks(json!("q"), "roots/list", json!({})));
    let asked = answer.event().unwrap()["result"].clone();
    // Nobody hears this.
    call.say(&progress(2.5));
    let answer = round(address, 3, &asked, "two", &can);
    stage.cue("response");
    call.say(&progress(3.5));
    let mut answer = answer();
    let mut said = answer.event().unwrap();
    if said["params"]["progress"] == json!(2.5) {
        // It was said while the client was on its way.
        said = answer.event().unwrap();
    }
    assert_eq!(said["params"], json!({"progressToken": "two", "progress": 3.5}));
    call.say_result(json!({"content": []}));
    assert_eq!(answer.event().unwrap()["id"], 3);
}

#[test]
fn progress_of_a_call_that_is_repeated_for_a_session_does_not_fall_back() {
    let stage = Stage::modern(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let session = open(address, "2025-06-18", json!({"roots": {}}));
    let answer = begin(address, &session, 7, json!({"_meta": {"progressToken": "p"}}));
    let mut call = stage.cue("tools/call");
    let token = call.body["params"]["_meta"]["progressToken"].clone();
    call.stream();
    for value in [1.0, 5.0] {
        call.say(&tells("notifications/progress", json!({"progressToken": token, "progress": value})));
    }
    let questions = json!({"r": {"method": "roots/list"}});
    call.say_result(json!({"resultType": "input_required", "inputRequests": questions}));
    let mut answer = answer();
    assert_eq!(answer.event().unwrap()["params"]["progress"], json!(1.0));
    assert_eq!(answer.event().unwrap()["params"]["progress"], json!(5.0));
    let asked = answer.event().unwrap();
    let response = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": []}});
    assert_eq!(post(address, Some(&session), &response.to_string()).status, 202);
    let mut call = stage.cue("tools/call");
    let token = call.body["params"]["_meta"]["progressToken"].clone();
    call.stream();
    for value in [2.0, 5.0, 6.0] {
        call.say(&tells("notifications/progress", json!({"progressToken": token, "progress": value})));
    }
    assert_eq!(answer.event().unwrap()["params"], json!({"progressToken": "p", "progress": 6.0}));
    call.say_result(json!({"resultType": "complete", "content": []}));
    assert_eq!(answer.event().unwrap()["id"], 7);
    eventually("all is over", || stage.waiting("tools/call") == 0);
}

fn tools_alone(address: SocketAddr, can: &Value) -> Vec<String> {
    let list = begin_as(address, 1, "tools/list", json!({}), can.clone())().json();
    let names =
        list["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned());
    names.collect()
}

#[test]
fn what_a_backend_lists_for_who_can_be_asked_only_they_see() {
    for stage in [Stage::start(json!({"tools": {}})), Stage::modern(json!({"tools": {}}))] {
        stage.varies();
        let server = serve(&stage);
        let address = server.address();
        let (none, can) = (json!({}), json!({"elicitation": {"form": {}}}));
        let (plain, asked) = (open(address, "2025-11-25", none.clone()), open(address, "2025-11-25", can.clone()));
        eventually("the backend is listed", || !tools(address, &plain).is_empty());
        assert_eq!(tools(address, &plain), ["b_t"]);
        assert_eq!(tools(address, &asked), ["b_asks", "b_t"]);
        assert_eq!(tools_alone(address, &none), ["b_t"]);
        assert_eq!(tools_alone(address, &can), ["b_asks", "b_t"]);
        // Who does not see it has no such tool, as far as the backend says.
        let refused = begin(address, &plain, 2, json!({"name": "b_asks"}));
        stage.cue("tools/call").error(200, json!({"code": -32602, "message": "not for you"}));
        assert_eq!(refused().json()["error"]["message"], "not for you");
        let answer = begin(address, &asked, 3, json!({"name": "b_asks"}));
        let cue = stage.cue("tools/call");
        assert_eq!(cue.body["params"]["name"], "asks");
        cue.result(json!({"resultType": "complete", "content": []}));
        assert_eq!(answer().json()["result"]["content"], json!([]));
        // Clients that can do the same share what was asked for.
        let lists = stage.seen("tools/list").len();
        for _ in 0..3 {
            let another = open(address, "2025-11-25", json!({"elicitation": { "form": {} }}));
            assert_eq!(tools(address, &another), ["b_asks", "b_t"]);
        }
        assert_eq!(stage.seen("tools/list").len(), lists);
    }
}

#[test]
fn a_list_that_changes_in_a_clients_own_session_is_that_clients_own() {
    let stage = Stage::with_streams(json!({"tools": {"listChanged": true}}));
    let server = serve(&stage);
    let address = server.address();
    let mut gateways = stage.cue("GET");
    gateways.stream();
    let (mine, other) = (open(address, "2025-06-18", json!({})), open(address, "2025-06-18", json!({})));
    eventually("the backend is listed", || tools(address, &mine) == ["b_t"]);
    let (mut hears, mut elsewhere) = (get(address, &mine, None), get(address, &other, None));
    let (mut standing, session) = own_session(address, &stage, &mine);
    stage.tool_of(&session, "mine");
    standing.say(&tells("notifications/tools/list_changed", json!({})));
    assert_eq!(hears.event().unwrap()["method"], "notifications/tools/list_changed");
    assert_eq!(
        (tools(address, &mine), tools(address, &other)),
        (vec!["b_mine".into(), "b_t".into()], vec!["b_t".to_owned()])
    );
    let answer = begin(address, &mine, 3, json!({"name": "b_mine"}));
    stage.cue("tools/call").result(json!({"content": []}));
    assert_eq!(answer().json()["id"], 3);
    let refused = begin(address, &other, 4, json!({"name": "b_mine"}));
    let mut others = stage.cue("GET");
    others.stream();
    let cue = stage.cue("tools/call");
    assert_ne!(cue.header("mcp-session-id"), Some(session.as_str()), "its own session has no such tool");
    cue.error(200, json!({"code": -32602, "message": "not for you"}));
    assert_eq!(refused().json()["error"]["message"], "not for you");
    // A change for everybody is told to everybody once, on whatever streams the backend says it.
    stage.tools(&["t", "u"]);
    gateways.say(&tells("notifications/tools/list_changed", json!({})));
    standing.say(&tells("notifications/tools/list_changed", json!({})));
    others.say(&tells("notifications/tools/list_changed", json!({})));
    assert_eq!(elsewhere.event().unwrap()["method"], "notifications/tools/list_changed");
    assert_eq!(hears.event().unwrap()["method"], "notifications/tools/list_changed");
    assert_eq!(tools(address, &mine), ["b_mine", "b_t", "b_u"]);
    assert_eq!(tools(address, &other), ["b_t", "b_u"]);
    for (session, stream) in [(&mine, &mut hears), (&other, &mut elsewhere)] {
        send(address, "DELETE", "/mcp", &[("mcp-session-id", session)], b"");
        assert_eq!(stream.event(), None);
    }
}

/// Makes a call of a client, with which its own session at the backend begins: the stream there, and its id.
fn own_session(address: SocketAddr, stage: &Stage, client: &str) -> (Cue, String) {
    let answer = begin(address, client, 2, json!({}));
    let mut standing = stage.cue("GET");
    standing.stream();
    let call = stage.cue("tools/call");
    let session = call.header("mcp-session-id").unwrap().to_owned();
    call.result(json!({"content": []}));
    answer();
    (standing, session)
}

/// Who is answered first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    TheGateway,
    TheSession,
}

#[test]
fn a_change_that_is_said_in_a_session_and_seen_by_the_gateway_is_told_once() {
    for first in [First::TheGateway, First::TheSession] {
        // It does not declare that it tells of changes, as servers on the Python SDK do not.
        let stage = Stage::with_streams(json!({"tools": {}}));
        let server = serve(&stage);
        let address = server.address();
        let (mine, other) = (open(address, "2025-06-18", json!({})), open(address, "2025-06-18", json!({})));
        eventually("the backend is listed", || tools(address, &mine) == ["b_t"]);
        let (mut hears, mut elsewhere) = (get(address, &mine, None), get(address, &other, None));
        let (mut standing, session) = own_session(address, &stage, &mine);
        stage.holds_tools();
        let changed = tells("notifications/tools/list_changed", json!({}));
        standing.say(&changed);
        let (one, two) = (stage.cue("tools/list"), stage.cue("tools/list"));
        let of_session = |cue: &Cue| cue.header("mcp-session-id") == Some(session.as_str());
        let (gateways, sessions) = if of_session(&one) { (two, one) } else { (one, two) };
        assert!(of_session(&sessions) && !of_session(&gateways));
        let tool = |name: &str| json!({"name": name, "inputSchema": {"type": "object"}});
        let list = json!({"tools": [tool("t"), tool("u")]});
        let is_told =
            |stream: &mut Answer| assert_eq!(stream.event().unwrap()["method"], changed["method"], "{first:?}");
        match first {
            First::TheGateway => {
                gateways.result(list.clone());
                is_told(&mut elsewhere);
                sessions.result(list);
                is_told(&mut hears);
            }
            First::TheSession => {
                sessions.result(list.clone());
                is_told(&mut hears);
                gateways.result(list);
                is_told(&mut elsewhere);
            }
        }
        assert_eq!(tools(address, &mine), ["b_t", "b_u"]);
        for (session, stream) in [(&mine, &mut hears), (&other, &mut elsewhere)] {
            send(address, "DELETE", "/mcp", &[("mcp-session-id", session)], b"");
            assert_eq!(stream.event(), None, "{first:?}");
        }
    }
}

#[test]
fn what_a_backend_asks_on_the_stream_of_a_calls_own_session_is_about_that_call() {
    let stage = Stage::with_streams(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    eventually("the backend is listed", || tools_alone(address, &json!({})) == ["b_t"]);
    let can = json!({"roots": {}});
    let params = json!({"name": "b_t", "arguments": {}, "_meta": {"progressToken": "p"}});
    let answer = begin_as(address, 2, "tools/call", params, can.clone());
    // The stream stands before the call is made.
    let mut standing = stage.cue("GET");
    standing.stream();
    let mut call = stage.cue("tools/call");
    assert_eq!(standing.header("mcp-session-id"), call.header("mcp-session-id"));
    let token = call.body["params"]["_meta"]["progressToken"].clone();
    standing.say(&tells("notifications/progress", json!({"progressToken": token, "progress": 1})));
    standing.say(&asks(json!("q"), "roots/list", json!({})));
    let mut answer = answer();
    assert_eq!(answer.event().unwrap()["params"], json!({"progressToken": "p", "progress": 1}));
    let asked = answer.event().unwrap()["result"].clone();
    assert_eq!(asked["inputRequests"], json!({"q1": {"method": "roots/list", "params": {}}}));
    let answer = round(address, 3, &asked, "two", &can);
    assert_eq!(stage.cue("response").body["result"], json!({"roots": []}));
    call.stream();
    call.say_result(json!({"content": []}));
    assert_eq!(answer().json()["result"]["resultType"], "complete");
    eventually("its session is ended", || !stage.seen("DELETE").is_empty());
}

#[test]
fn updates_at_a_backend_with_sessions_reach_who_listens_alone() {
    let stage = Stage::with_streams(json!({"tools": {}, "resources": {"subscribe": true}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let wanted = json!({"notifications": {"resourceSubscriptions": ["x://nobodys", "x://r"]}});
    let answer = begin_as(address, 8, "subscriptions/listen", wanted.clone(), json!({}));
    let mut standing = stage.cue("GET");
    standing.stream();
    let mut answer = answer();
    let first = answer.event().unwrap();
    assert_eq!(first["params"]["notifications"], json!({"resourceSubscriptions": ["x://r"]}));
    let subscribed = stage.seen("resources/subscribe");
    assert_eq!((subscribed.len(), &subscribed[0]["params"]["uri"]), (1, &json!("x://r")));
    standing.say(&tells("notifications/resources/updated", json!({"uri": "x://r/part"})));
    let id = "io.modelcontextprotocol/subscriptionId";
    assert_eq!(answer.event().unwrap()["params"], json!({"uri": "x://r/part", "_meta": {id: 8}}));
    // What was said while the stream was lost nobody knows.
    stage.forget();
    standing.raw("retry: 1\ndata:\n\n");
    standing.end();
    let mut again = stage.cue("GET");
    again.stream();
    assert_eq!(answer.event().unwrap()["params"], json!({"uri": "x://r", "_meta": {id: 8}}));
    assert_eq!(stage.seen("resources/subscribe").len(), 2, "it was said again");
    drop(answer);
    again.say(&tells("notifications/resources/updated", json!({"uri": "x://r"})));
    eventually("its session is ended", || !stage.seen("DELETE").is_empty());

    // A backend that tells of no updates is not listened to for them.
    let stage = Stage::with_streams(json!({"tools": {}, "resources": {}}));
    let server = serve(&stage);
    known(server.address());
    let mut answer = begin_as(server.address(), 9, "subscriptions/listen", wanted, json!({}))();
    assert_eq!(answer.event().unwrap()["params"]["notifications"], json!({}));
    assert_eq!(stage.waiting("GET"), 0);
}

/// The stream of changes that is wanted like this; the gateway has others.
fn listening(stage: &Stage, wanted: &Value, others: &mut Vec<Cue>) -> Cue {
    loop {
        let cue = acknowledge(stage);
        if cue.body["params"]["notifications"] == *wanted {
            return cue;
        }
        others.push(cue);
    }
}

#[test]
fn a_client_with_a_session_hears_of_changes_at_a_backend_without_them() {
    let stage = Stage::modern(json!({"tools": {"listChanged": true}, "resources": {"subscribe": true}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let session = open(address, "2025-06-18", json!({}));
    eventually("the backend is listed", || tools(address, &session) == ["b_t"]);
    let mut own = get(address, &session, None);
    let mut others = Vec::new();
    let mut lists = listening(&stage, &json!({"toolsListChanged": true}), &mut others);
    stage.tools(&["t", "u"]);
    tell(&mut lists, "notifications/tools/list_changed", json!({}));
    assert_eq!(own.event().unwrap(), json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}));
    assert_eq!(tools(address, &session), ["b_t", "b_u"]);

    let wish = |id, verb: &str, uri: &str| {
        rpc(address, &session, id, &format!("resources/{verb}"), json!({"uri": uri})).json()["result"].clone()
    };
    // The first request finds out how the backend speaks; what is wished is no request there.
    let answer = begin(address, &session, 2, json!({}));
    stage.cue("tools/call").result(json!({"resultType": "complete", "content": []}));
    answer();
    let mut first = std::thread::scope(|scope| {
        let done = scope.spawn(|| wish(3, "subscribe", "x://r"));
        let first = listening(&stage, &json!({"resourceSubscriptions": ["x://r"]}), &mut others);
        assert_eq!(done.join().unwrap(), json!({}));
        first
    });
    assert!(stage.seen("resources/subscribe").is_empty());
    tell(&mut first, "notifications/resources/updated", json!({"uri": "x://r/part"}));
    assert_eq!(own.event().unwrap(), tells("notifications/resources/updated", json!({"uri": "x://r/part"})));
    // What is lost is opened again, and may have changed.
    first.end();
    let _again = listening(&stage, &json!({"resourceSubscriptions": ["x://r"]}), &mut others);
    assert_eq!(own.event().unwrap()["params"], json!({"uri": "x://r"}));
    assert_eq!(wish(4, "unsubscribe", "x://r"), json!({}));
    send(address, "DELETE", "/mcp", &[("mcp-session-id", &session)], b"");
    assert_eq!(own.event(), None);
}

#[test]
fn the_first_wish_to_hear_of_a_resource_finds_out_how_its_backend_speaks() {
    let stage = Stage::modern(json!({"tools": {}, "resources": {"subscribe": true}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    // Nothing was asked in this session yet.
    let session = open(address, "2025-06-18", json!({"roots": {}}));
    let mut own = get(address, &session, None);
    let wish = json!({"uri": "x://r"});
    let mut others = Vec::new();
    let mut heard = std::thread::scope(|scope| {
        let done = scope.spawn(|| rpc(address, &session, 3, "resources/subscribe", wish.clone()).json());
        let heard = listening(&stage, &json!({"resourceSubscriptions": ["x://r"]}), &mut others);
        assert_eq!(done.join().unwrap()["result"], json!({}));
        heard
    });
    tell(&mut heard, "notifications/resources/updated", json!({"uri": "x://r"}));
    assert_eq!(own.event().unwrap(), tells("notifications/resources/updated", json!({"uri": "x://r"})));
    assert!(stage.seen("resources/subscribe").is_empty(), "it is no request there");
}

/// A wish to hear of a resource, of which a backend with sessions is told; then it is another program, which has none.
/// `begin` makes the request of this method by which that is known, and `result` is what it answers there.
fn outlives<F: FnOnce() -> Answer>(method: &str, begin: impl FnOnce(SocketAddr, &str) -> F, result: Value) {
    let stage = Stage::with_streams(
        json!({"tools": {}, "resources": {"subscribe": true}, "tasks": {"list": {}, "cancel": {}}}),
    );
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let session = open(address, "2025-11-25", json!({}));
    let mut own = get(address, &session, None);
    own.primed();
    assert_eq!(rpc(address, &session, 3, "resources/subscribe", json!({"uri": "x://r"})).json()["result"], json!({}));
    let mut standing = stage.cue("GET");
    standing.stream();
    let updated = tells("notifications/resources/updated", json!({"uri": "x://r"}));
    standing.say(&updated);
    assert_eq!(own.event(), Some(updated.clone()));
    stage.becomes_modern();
    let answer = begin(address, &session);
    let mut others = Vec::new();
    let mut heard = listening(&stage, &json!({"resourceSubscriptions": ["x://r"]}), &mut others);
    assert_eq!(own.event(), Some(updated.clone()), "it may have changed meanwhile");
    stage.cue(method).result(result);
    assert_eq!(answer().json()["id"], 4);
    tell(&mut heard, "notifications/resources/updated", json!({"uri": "x://r"}));
    assert_eq!(own.event(), Some(updated));
    assert_eq!(stage.seen("resources/subscribe").len(), 1);
}

#[test]
fn a_wish_to_hear_of_a_resource_outlives_the_sessions_of_its_backend() {
    let done = json!({"resultType": "complete", "content": []});
    outlives("tools/call", |address, session| begin(address, session, 4, json!({})), done);
}

#[test]
fn a_wish_to_hear_of_a_resource_outlives_them_also_where_no_call_finds_that_out() {
    let ask = |address, session: &str| {
        let mut connection = http::connect(address);
        let body = asks(json!(4), "tasks/list", json!({})).to_string();
        http::write(&mut connection, "POST", "/mcp", &[JSON, ACCEPT, ("mcp-session-id", session)], body.as_bytes());
        || Answer::read(std::io::BufReader::new(connection))
    };
    outlives("tasks/list", ask, json!({"resultType": "complete", "tasks": []}));
}

#[test]
fn what_a_modern_backend_asks_to_open_no_longer_is_done() {
    let stage = Stage::modern(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let session = open(address, "2025-11-25", json!({"elicitation": {"url": {}}, "roots": {}}));
    let answer = begin(address, &session, 7, json!({}));
    let url =
        |url: &str| json!({"method": "elicitation/create", "params": {"mode": "url", "url": url, "message": "m"}});
    let asks_for = |questions: Value| json!({"resultType": "input_required", "inputRequests": questions});
    stage.cue("tools/call").result(asks_for(json!({"a": url("https://x/a"), "b": url("https://x/b")})));
    let mut answer = answer();
    answer.primed();
    let asked = [answer.event().unwrap(), answer.event().unwrap()];
    for (question, action) in asked.iter().zip(["accept", "decline"]) {
        let response = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"action": action}});
        assert_eq!(post(address, Some(&session), &response.to_string()).status, 202);
    }
    // The client is at the first; the other it is asked once more, because it did not open it.
    stage.cue("tools/call").result(asks_for(json!({"a": url("https://x/a"), "b": url("https://x/b")})));
    let again = answer.event().unwrap();
    assert_eq!(again["params"]["url"], "https://x/b");
    let response = json!({"jsonrpc": "2.0", "id": again["id"], "result": {"action": "decline"}});
    assert_eq!(post(address, Some(&session), &response.to_string()).status, 202);
    let cue = stage.cue("tools/call");
    let answers = json!({"a": {"action": "accept"}, "b": {"action": "decline"}});
    assert_eq!(cue.body["params"]["inputResponses"], answers);
    cue.result(json!({"resultType": "complete", "content": []}));
    let done = json!({"elicitationId": asked[0]["params"]["elicitationId"]});
    assert!(done["elicitationId"].is_string());
    assert_eq!(answer.event().unwrap(), tells("notifications/elicitation/complete", done));
    assert_eq!(answer.event().unwrap()["id"], 7);
}

#[test]
fn a_page_of_a_listed_origin_may_call_and_read() {
    let options = Options { allowed_origins: vec!["https://app.example".to_owned()], ..Options::default() };
    let server = serve_all(offer(&[], ""), options);
    let ask = |origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type,mcp-session-id"),
        ];
        send(server.address(), "OPTIONS", "/mcp", &headers, b"")
    };
    let allowed = ask("https://app.example");
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (204, Some("https://app.example")));
    assert_eq!(allowed.header("access-control-allow-methods"), Some("GET, POST, DELETE"));
    assert!(allowed.header("access-control-allow-headers").unwrap().contains("mcp-session-id"));
    let other = ask("https://other.example");
    assert_eq!((other.status, other.header("access-control-allow-origin")), (403, None));
    let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25",
        "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    let headers = [JSON, ACCEPT, ("origin", "https://app.example")];
    let answer = send(server.address(), "POST", "/mcp", &headers, body.to_string().as_bytes());
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("https://app.example")));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("mcp-session-id"));
    assert_eq!(answer.header("vary"), Some("origin"));
    // Where nothing is listed, nothing is shared.
    let server = serve_all(offer(&[], ""), Options::default());
    let headers = [JSON, ACCEPT, ("origin", "http://localhost:6274")];
    let answer = send(server.address(), "POST", "/mcp", &headers, body.to_string().as_bytes());
    assert_eq!((answer.status, answer.header("access-control-allow-origin"), answer.header("vary")), (200, None, None));
}
