//! What backends say beside their answers: questions, log messages and progress, on the streams of those they are meant
//! for; and streams that break.
//!
//! Every word of the backend is the test's own.

use std::net::SocketAddr;

use serde_json::{Value, json};
use vmcp_native::server::{Options, Server};

use crate::http::{self, Answer, send};
use crate::stage::Stage;
use crate::{ACCEPT, JSON, eventually, offer, post, rpc, serve_all, tools};

pub(crate) fn serve(stage: &Stage) -> Server {
    serve_all(offer(&[("b", &stage.url())], ""), Options::default())
}

/// A session of a client with these capabilities.
pub(crate) fn open(address: SocketAddr, revision: &str, capabilities: Value) -> String {
    let params = json!({"protocolVersion": revision, "capabilities": capabilities,
        "clientInfo": {"name": "test", "version": "1"}});
    let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let answer = post(address, None, &body.to_string());
    let id = answer.header("mcp-session-id").unwrap().to_owned();
    assert_eq!(post(address, Some(&id), r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).status, 202);
    id
}

pub(crate) fn get(address: SocketAddr, session: &str, last: Option<&str>) -> Answer {
    let mut headers = vec![("accept", "text/event-stream"), ("mcp-session-id", session)];
    headers.extend(last.map(|last| ("last-event-id", last)));
    send(address, "GET", "/mcp", &headers, b"")
}

/// Calls the tool, on a connection whose answer is read later.
pub(crate) fn begin(address: SocketAddr, session: &str, id: u32, more: Value) -> impl FnOnce() -> Answer + use<> {
    let mut connection = http::connect(address);
    let mut params = json!({"name": "b_t", "arguments": {}});
    params.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let body = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string();
    http::write(&mut connection, "POST", "/mcp", &[JSON, ACCEPT, ("mcp-session-id", session)], body.as_bytes());
    || Answer::read(std::io::BufReader::new(connection))
}

pub(crate) fn everything() -> Value {
    json!({"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {"listChanged": true}, "tasks": {"list": {}}})
}

pub(crate) fn asks(id: Value, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

pub(crate) fn tells(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "method": method, "params": params})
}

#[test]
fn a_question_reaches_the_client_on_the_stream_of_its_call_and_the_answer_comes_back() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    let session = open(address, "2025-06-18", everything());
    let answer = begin(address, &session, 7, json!({}));
    let mut call = stage.cue("tools/call");
    // The backend is told what the client declared, but for what is not relayed.
    assert_eq!(
        stage.declared_for(&call),
        json!({"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {"listChanged": true}, "tasks": {}})
    );
    call.stream();
    for (theirs, method, params) in [
        (
            json!("q-1"),
            "elicitation/create",
            json!({"message": "who?", "requestedSchema": {"type": "object"}, "x": 1.50}),
        ),
        (json!(7), "sampling/createMessage", json!({"messages": [], "maxTokens": 5})),
        (json!(8), "roots/list", json!({})),
    ] {
        call.say(&asks(theirs, method, params));
    }
    let mut answer = answer();
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let mut asked: Vec<Value> = (0..3).map(|_| answer.event().unwrap()).collect();
    assert_eq!(asked[0]["params"]["x"], json!(1.50));
    let ids: Vec<_> = asked.iter().map(|question| question["id"].clone()).collect();
    assert_eq!(ids, [1, 2, 3], "ids are the gateway's own");
    // Answered in another order than asked.
    asked.reverse();
    for (question, theirs) in asked.iter().zip([json!(8), json!(7), json!("q-1")]) {
        let said = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"for": question["method"]}});
        assert_eq!(post(address, Some(&session), &said.to_string()).status, 202);
        let heard = stage.cue("response");
        assert_eq!((&heard.body["id"], &heard.body["result"]["for"]), (&theirs, &question["method"]));
        assert_eq!(heard.header("mcp-session-id"), call.header("mcp-session-id"));
    }
    // Nobody waits for a second answer.
    post(address, Some(&session), r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    call.say_result(json!({"content": []}));
    assert_eq!(answer.event().unwrap()["id"], 7);
    assert_eq!(answer.event(), None);
    assert_eq!(stage.waiting("response"), 0);
}

#[test]
fn what_a_client_did_not_declare_it_is_not_asked() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    let session = open(address, "2025-11-25", json!({"elicitation": {}, "sampling": {}}));
    let answer = begin(address, &session, 7, json!({}));
    let mut call = stage.cue("tools/call");
    call.stream();
    for (id, method, params, code) in [
        (1, "elicitation/create", json!({"mode": "url", "url": "https://x"}), -32602),
        (2, "sampling/createMessage", json!({"tools": []}), -32602),
        (3, "roots/list", json!({}), -32601),
        (4, "tasks/list", json!({}), -32601),
    ] {
        call.say(&asks(json!(id), method, params));
        let refused = stage.cue("response").body;
        assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(id), &json!(code)));
    }
    call.say(&asks(json!("p"), "ping", json!({})));
    assert_eq!(stage.cue("response").body, json!({"jsonrpc": "2.0", "id": "p", "result": {}}));
    call.say_result(json!({"content": []}));
    // Nothing was said, so the answer is no stream.
    assert_eq!(answer().header("content-type"), Some("application/json"));
}

#[test]
fn a_question_goes_to_nobody_else_and_fails_where_nobody_can_hear_it() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    let (mine, other) = (open(address, "2025-11-25", everything()), open(address, "2025-11-25", everything()));
    let mut elsewhere = get(address, &other, None);
    // This client reads no stream here.
    let headers = [JSON, ("accept", "application/json"), ("mcp-session-id", mine.as_str())];
    let mut connection = http::connect(address);
    let body = asks(json!(1), "tools/call", json!({"name": "b_t"})).to_string();
    http::write(&mut connection, "POST", "/mcp", &headers, body.as_bytes());
    let mut call = stage.cue("tools/call");
    call.stream();
    call.say(&asks(json!(5), "roots/list", json!({})));
    let refused = stage.cue("response").body;
    assert_eq!(
        refused["error"],
        json!({"code": -32603, "message": "the client cannot be asked now: it has no stream open"})
    );
    // It has one now.
    let mut standing = get(address, &mine, None);
    call.say(&asks(json!(6), "roots/list", json!({})));
    assert_eq!(standing.event().unwrap()["method"], "roots/list");
    call.say_result(json!({"content": []}));
    assert_eq!(Answer::read(std::io::BufReader::new(connection)).json()["id"], 1);
    // The other one ends without having heard a word.
    send(address, "DELETE", "/mcp", &[("mcp-session-id", &other)], b"");
    assert_eq!(elsewhere.event(), None);
}

#[test]
fn cancelling_goes_both_ways_under_the_ids_of_each_side() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    let session = open(address, "2025-06-18", everything());
    let answer = begin(address, &session, 7, json!({}));
    let mut call = stage.cue("tools/call");
    call.stream();
    call.say(&asks(json!("mine"), "elicitation/create", json!({"message": "m"})));
    call.say(&asks(json!("kept"), "elicitation/create", json!({"message": "n"})));
    let mut answer = answer();
    let (first, second) = (answer.event().unwrap(), answer.event().unwrap());
    call.say(&tells("notifications/cancelled", json!({"requestId": "mine", "reason": "r"})));
    assert_eq!(
        answer.event().unwrap(),
        tells("notifications/cancelled", json!({"requestId": first["id"], "reason": "r"}))
    );
    // An answer that comes too late is nobody's.
    post(address, Some(&session), &json!({"jsonrpc": "2.0", "id": first["id"], "result": {}}).to_string());
    // The client gives up: the backend hears of the call, the client of the question.
    post(address, Some(&session), &tells("notifications/cancelled", json!({"requestId": 7})).to_string());
    let told = stage.cue("notifications/cancelled").body;
    assert_eq!(told["params"]["requestId"], call.body["id"]);
    let withdrawn = answer.event().unwrap();
    assert_eq!(
        (&withdrawn["method"], &withdrawn["params"]["requestId"]),
        (&json!("notifications/cancelled"), &second["id"])
    );
    assert_eq!(answer.event(), None);
    assert_eq!(stage.waiting("response"), 0);
}

#[test]
fn progress_goes_both_ways_under_the_tokens_of_each_side() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    let session = open(address, "2025-06-18", everything());
    let answer = begin(address, &session, 7, json!({"_meta": {"progressToken": "up"}}));
    let mut call = stage.cue("tools/call");
    call.stream();
    let token = call.body["params"]["_meta"]["progressToken"].clone();
    call.say(&tells("notifications/progress", json!({"progressToken": token, "progress": 0.50, "message": "m"})));
    // Nobody gave this one.
    call.say(&tells("notifications/progress", json!({"progressToken": "other", "progress": 1})));
    call.say(&asks(json!(1), "sampling/createMessage", json!({"_meta": {"progressToken": "down"}})));
    let mut answer = answer();
    let said = answer.event().unwrap();
    assert_eq!(said["params"], json!({"progressToken": "up", "progress": 0.50, "message": "m"}));
    let asked = answer.event().unwrap();
    let token = &asked["params"]["_meta"]["progressToken"];
    assert_ne!(*token, "down");
    let progress = tells("notifications/progress", json!({"progressToken": token, "progress": 3}));
    post(address, Some(&session), &progress.to_string());
    let heard = stage.cue("notifications/progress").body;
    assert_eq!(heard["params"], json!({"progressToken": "down", "progress": 3}));
    call.say_result(json!({"content": []}));
}

#[test]
fn a_log_level_holds_for_every_backend_session_of_a_client_and_for_no_other() {
    let stage = Stage::start(json!({"tools": {}, "logging": {}}));
    let server = serve(&stage);
    let address = server.address();
    let (session, other) = (open(address, "2025-06-18", json!({})), open(address, "2025-06-18", json!({})));
    let set = |level: &str, id| rpc(address, &session, id, "logging/setLevel", json!({"level": level}));
    assert_eq!(set("error", 1).json()["result"], json!({}));
    assert!(stage.seen("logging/setLevel").is_empty(), "there is no session to tell");
    let answer = begin(address, &session, 2, json!({}));
    let mut call = stage.cue("tools/call");
    assert_eq!(stage.seen("logging/setLevel")[0]["params"]["level"], "error");
    call.stream();
    call.say(&tells("notifications/message", json!({"level": "info", "data": "no"})));
    call.say(&tells("notifications/message", json!({"level": "error", "data": "yes"})));
    let mut answer = answer();
    assert_eq!(answer.event().unwrap()["params"]["data"], "yes");
    assert_eq!(set("debug", 3).json()["result"], json!({}));
    assert_eq!(stage.seen("logging/setLevel")[1]["params"]["level"], "debug");
    call.say(&tells("notifications/message", json!({"level": "info", "data": "now"})));
    assert_eq!(answer.event().unwrap()["params"]["data"], "now");
    call.say_result(json!({"content": []}));
    assert_eq!(answer.event().unwrap()["id"], 2);
    // A backend that forgot hears it again.
    stage.forget();
    let answer = begin(address, &session, 4, json!({}));
    stage.cue("tools/call").result(json!({"content": []}));
    answer();
    assert_eq!(stage.seen("logging/setLevel")[2]["params"]["level"], "debug");
    let answer = begin(address, &other, 5, json!({}));
    stage.cue("tools/call").result(json!({"content": []}));
    answer();
    assert_eq!(stage.seen("logging/setLevel").len(), 3);
}

#[test]
fn a_client_that_has_other_roots_now_says_so_to_every_backend_that_it_uses() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    let session = open(address, "2025-06-18", everything());
    assert_eq!(tools(address, &session).len(), 1);
    let changed = tells("notifications/roots/list_changed", json!({})).to_string();
    post(address, Some(&session), &changed);
    let answer = begin(address, &session, 2, json!({}));
    let call = stage.cue("tools/call");
    let own = call.header("mcp-session-id").map(str::to_owned);
    call.result(json!({"content": []}));
    answer();
    post(address, Some(&session), &changed);
    assert_eq!(stage.cue("notifications/roots/list_changed").header("mcp-session-id"), own.as_deref());
    assert_eq!(stage.seen("notifications/roots/list_changed").len(), 1);
}

#[test]
fn a_stream_that_breaks_at_the_client_is_resumed_and_its_call_goes_on() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    let session = open(address, "2025-11-25", everything());
    let answer = begin(address, &session, 7, json!({"_meta": {"progressToken": 1}}));
    let mut call = stage.cue("tools/call");
    call.stream();
    let token = call.body["params"]["_meta"]["progressToken"].clone();
    let progress = |n: u32| tells("notifications/progress", json!({"progressToken": token, "progress": n}));
    call.say(&progress(1));
    let mut answer = answer();
    let (id, retry) = answer.primed();
    assert!(id.ends_with("-0") && retry > 0, "{id} {retry}");
    assert_eq!(answer.event().unwrap()["params"]["progress"], 1);
    drop(answer);
    call.say(&progress(2));
    // A question is kept for the client that comes back.
    call.say(&asks(json!(1), "roots/list", json!({})));
    let mut resumed = get(address, &session, Some(&id));
    assert_eq!(resumed.primed().0, id);
    assert_eq!(resumed.event().unwrap()["params"]["progress"], 1);
    assert_eq!(resumed.event().unwrap()["params"]["progress"], 2);
    let question = resumed.event().unwrap();
    post(
        address,
        Some(&session),
        &json!({"jsonrpc": "2.0", "id": question["id"], "result": {"roots": []}}).to_string(),
    );
    assert_eq!(stage.cue("response").body["result"], json!({"roots": []}));
    call.say_result(json!({"content": []}));
    assert_eq!(resumed.event().unwrap()["id"], 7);
    assert_eq!(resumed.event(), None);
    assert_eq!(stage.seen("notifications/cancelled").len(), 0);
    // What never was is not resumed, and neither is what is somebody else's.
    for (session, id) in [(&session, "99-1"), (&session, "x"), (&open(address, "2025-11-25", json!({})), &*id)] {
        assert_eq!(get(address, session, Some(id)).status, 400);
    }
    // It does not keep the session from having its own stream, one at a time.
    let standing = get(address, &session, None);
    assert_eq!((standing.status, get(address, &session, None).status), (200, 409));
    drop(standing);
    eventually("the place is free", || get(address, &session, None).status == 200);
}

#[test]
fn what_a_backend_asks_on_its_standing_stream_reaches_the_call_it_has_from_this_client() {
    let stage = Stage::with_streams(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    let session = open(address, "2025-11-25", everything());
    let answer = begin(address, &session, 7, json!({}));
    // The stream stands before the call is made.
    let mut standing = stage.cue("GET");
    assert_eq!(stage.waiting("tools/call"), 0);
    standing.stream();
    let mut call = stage.cue("tools/call");
    assert_eq!(standing.header("mcp-session-id"), call.header("mcp-session-id"));
    standing.say(&asks(json!("p"), "ping", json!({})));
    assert_eq!(stage.cue("response").body, json!({"jsonrpc": "2.0", "id": "p", "result": {}}));
    standing.say(&asks(json!("e"), "elicitation/create", json!({"message": "m"})));
    let mut answer = answer();
    let asked = answer.event().unwrap();
    assert_eq!(asked["method"], "elicitation/create");
    post(
        address,
        Some(&session),
        &json!({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -1, "message": "no"}}).to_string(),
    );
    let heard = stage.cue("response").body;
    assert_eq!((&heard["id"], &heard["error"]["code"]), (&json!("e"), &json!(-1)));
    call.stream();
    call.say_result(json!({"content": []}));
    assert_eq!(answer.event().unwrap()["id"], 7);
    // What concerns no call goes to the client's own standing stream, when it has one.
    let mut own = get(address, &session, None);
    standing.say(&tells("notifications/elicitation/complete", json!({"elicitationId": "x"})));
    assert_eq!(own.event().unwrap()["params"]["elicitationId"], "x");
    // With the session, the stream is closed.
    send(address, "DELETE", "/mcp", &[("mcp-session-id", &session)], b"");
    assert_eq!(own.event(), None);
    eventually("the session at the backend is ended", || stage.seen("DELETE").len() == 1);
}

#[test]
fn a_stream_that_the_backend_closes_is_resumed_after_its_last_event() {
    let stage = Stage::with_streams(json!({"tools": {}, "logging": {}}));
    let server = serve(&stage);
    let address = server.address();
    let session = open(address, "2025-11-25", everything());
    let mut own = get(address, &session, None);
    let answer = begin(address, &session, 7, json!({}));
    let mut standing = stage.cue("GET");
    assert_eq!(standing.header("last-event-id"), None);
    standing.stream();
    stage.cue("tools/call").result(json!({"content": []}));
    answer();
    let said = tells("notifications/message", json!({"level": "info", "data": 1})).to_string();
    standing.raw(&format!("id: e5\nretry: 1\ndata: {said}\n\n"));
    assert_eq!(own.event().unwrap()["params"]["data"], 1);
    standing.end();
    let mut again = stage.cue("GET");
    assert_eq!(again.header("last-event-id"), Some("e5"));
    again.stream();
    again.say(&tells("notifications/message", json!({"level": "info", "data": 2})));
    assert_eq!(own.event().unwrap()["params"]["data"], 2);
}

#[test]
fn a_backend_without_standing_streams_is_well() {
    let stage = Stage::start(json!({"tools": {"listChanged": true}}));
    let server = serve(&stage);
    let session = open(server.address(), "2025-11-25", everything());
    for id in 1..3 {
        let answer = begin(server.address(), &session, id, json!({}));
        stage.cue("tools/call").result(json!({"content": []}));
        assert_eq!(answer().json()["id"], id);
    }
    // One for lists, one for lists as who can be asked sees them, one for the client, and none again.
    eventually("the gateway has tried for its lists", || stage.seen("GET").len() >= 3);
    assert_eq!((stage.seen("GET").len(), stage.seen("initialize").len()), (3, 3));
}

#[test]
fn a_list_that_has_changed_is_asked_for_and_those_who_listen_hear_of_it_once() {
    let stage = Stage::with_streams(json!({"tools": {"listChanged": true}}));
    let server = serve(&stage);
    let address = server.address();
    // The gateway's own.
    let mut standing = stage.cue("GET");
    standing.stream();
    let (one, two) = (open(address, "2025-11-25", json!({})), open(address, "2025-06-18", json!({})));
    assert_eq!(tools(address, &one), ["b_t"]);
    let (mut first, mut second) = (get(address, &one, None), get(address, &two, None));
    stage.tools(&["t", "u"]);
    standing.say(&tells("notifications/tools/list_changed", json!({})));
    for stream in [&mut first, &mut second] {
        assert_eq!(stream.event().unwrap(), json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}));
    }
    assert_eq!(tools(address, &one), ["b_t", "b_u"]);
    // What a backend says is passed on, whether or not a difference is seen: each time once.
    standing.say(&tells("notifications/tools/list_changed", json!({})));
    assert_eq!(first.event().unwrap()["method"], "notifications/tools/list_changed");
    send(address, "DELETE", "/mcp", &[("mcp-session-id", &one)], b"");
    assert_eq!(first.event(), None, "each change was said once");
}

#[test]
fn a_subscription_is_heard_and_outlives_a_restart_of_the_backend() {
    let stage = Stage::with_streams(json!({"resources": {"subscribe": true}}));
    let server = serve(&stage);
    let address = server.address();
    let session = open(address, "2025-11-25", json!({}));
    let other = open(address, "2025-11-25", json!({}));
    let mut own = get(address, &session, None);
    let subscribe = |session: &str, id, verb: &str| {
        rpc(address, session, id, &format!("resources/{verb}"), json!({"uri": "x://r"})).json()
    };
    let reply = std::thread::scope(|scope| {
        let reply = scope.spawn(|| subscribe(&session, 1, "subscribe"));
        // It listens already, so its stream stands first.
        let mut standing = stage.cue("GET");
        standing.stream();
        assert_eq!(reply.join().unwrap()["result"], json!({}));
        let updated = tells("notifications/resources/updated", json!({"uri": "x://r/part"}));
        standing.say(&updated);
        assert_eq!(own.event().unwrap(), updated);
        stage.forget();
        standing.raw("retry: 1\ndata:\n\n");
        standing.end();
        let mut again = stage.cue("GET");
        again.stream();
        again
    });
    assert_eq!(stage.seen_so_often("resources/subscribe", 2).len(), 2, "it was said again");
    // Whether it has changed meanwhile nobody knows.
    let updated = own.event().unwrap();
    assert_eq!(
        (&updated["method"], &updated["params"]["uri"]),
        (&json!("notifications/resources/updated"), &json!("x://r"))
    );
    assert_eq!(subscribe(&session, 2, "unsubscribe")["result"], json!({}));
    let mut standing = reply;
    standing.say(&tells("notifications/resources/updated", json!({"uri": "x://r"})));
    standing.say(&tells("notifications/x", json!({})));
    // Its lists may have changed meanwhile too.
    let is_list = |event: &Value| event["method"].as_str().is_some_and(|method| method.ends_with("/list_changed"));
    let next = std::iter::from_fn(|| own.event()).find(|event| !is_list(event)).unwrap();
    assert_eq!(next["method"], "notifications/x", "it no longer wants to hear of the other");
    // What a backend does not know is its own error.
    assert_eq!(subscribe(&other, 3, "nothing")["error"]["code"], -32601);
}

#[test]
fn a_stream_that_can_be_resumed_begins_where_the_backends_does_and_no_other() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    let done = json!({"content": []});
    let session = open(address, "2025-11-25", json!({}));
    let answer = begin(address, &session, 1, json!({}));
    let mut call = stage.cue("tools/call");
    call.stream();
    call.raw("id: 1\ndata:\n\n");
    let mut answer = answer();
    assert_eq!(answer.header("content-type"), Some("text/event-stream"), "before the backend has answered");
    answer.primed();
    call.say_result(done.clone());
    assert_eq!(answer.event().unwrap()["result"], done);
    // A client whose revision cannot come back for the rest has only the answer to read.
    let session = open(address, "2025-06-18", json!({}));
    let answer = begin(address, &session, 2, json!({}));
    let mut call = stage.cue("tools/call");
    call.stream();
    call.raw("id: 1\ndata:\n\n");
    call.say_result(done.clone());
    let mut answer = answer();
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["result"], done);
}
