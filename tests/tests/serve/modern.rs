//! Clients that stand alone in front of backends that do: subscriptions, tasks, and what comes back sealed, from any
//! replica.
//!
//! Every word of the backend is the test's own.

use std::net::SocketAddr;

use serde_json::{Value, json};
use vmcp_core::seal::{KEY_BYTES, Keys};
use vmcp_native::server::{Options, Server};

use crate::http::{self, Answer};
use crate::stage::{Cue, Stage};
use crate::streams::asks;
use crate::{ACCEPT, JSON, eventually, offer, serve_all};

const TASKS: &str = "io.modelcontextprotocol/tasks";
const ID: &str = "io.modelcontextprotocol/subscriptionId";

fn everything() -> Value {
    json!({"tools": {"listChanged": true}, "resources": {"listChanged": true, "subscribe": true}, "extensions": {TASKS: {}}})
}

fn serve(stage: &Stage) -> Server {
    serve_all(offer(&[("b", &stage.url())], ""), Options::default())
}

/// Asks alone; the answer is read later.
pub(crate) fn begin(address: SocketAddr, id: u32, method: &str, params: Value) -> impl FnOnce() -> Answer {
    begin_as(address, id, method, params, json!({"elicitation": {"form": {}}, "extensions": {TASKS: {}, "x/y": {}}}))
}

/// The same for a client that can do this.
pub(crate) fn begin_as(
    address: SocketAddr,
    id: u32,
    method: &str,
    params: Value,
    capabilities: Value,
) -> impl FnOnce() -> Answer {
    let name = ["name", "uri", "taskId"].iter().find_map(|key| params[key].as_str().map(str::to_owned));
    let mut params = params;
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities;
    let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string();
    let mut headers = vec![JSON, ACCEPT, ("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
    headers.extend(name.as_deref().map(|name| ("mcp-name", name)));
    let mut connection = http::connect(address);
    http::write(&mut connection, "POST", "/mcp", &headers, body.as_bytes());
    || Answer::read(std::io::BufReader::new(connection))
}

/// What a backend asks of a person.
pub(crate) fn question() -> Value {
    asks(
        json!("q"),
        "elicitation/create",
        json!({"message": "?", "requestedSchema": {"type": "object", "properties": {}}}),
    )
}

/// A call that waits for its client, who was asked something: the call at its backend, and how the client comes again with
/// this answer, as request 3.
pub(crate) fn suspended(
    stage: &Stage,
    address: SocketAddr,
) -> (Cue, impl FnOnce(Value) -> Box<dyn FnOnce() -> Answer>) {
    let can = json!({"elicitation": {"form": {}}});
    let mut call = json!({"name": "b_t", "arguments": {}});
    let first = begin_as(address, 2, "tools/call", call.clone(), can.clone());
    let mut cue = stage.cue("tools/call");
    cue.stream();
    cue.say(&question());
    let asked = first().json()["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let retry = move |response: Value| -> Box<dyn FnOnce() -> Answer> {
        let key = asked["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
        call["requestState"] = asked["requestState"].clone();
        call["inputResponses"] = json!({key: response});
        Box::new(begin_as(address, 3, "tools/call", call, can))
    };
    (cue, retry)
}

pub(crate) fn ask(address: SocketAddr, id: u32, method: &str, params: Value) -> Value {
    begin(address, id, method, params)().json()
}

/// The backend acknowledges what it was asked to tell.
pub(crate) fn acknowledge(stage: &Stage) -> Cue {
    let mut cue = stage.cue("subscriptions/listen");
    assert_eq!(cue.header("mcp-method"), Some("subscriptions/listen"));
    cue.stream();
    let notifications = cue.body["params"]["notifications"].clone();
    tell(&mut cue, "notifications/subscriptions/acknowledged", json!({"notifications": notifications}));
    cue
}

pub(crate) fn tell(cue: &mut Cue, method: &str, params: Value) {
    let mut params = params;
    params["_meta"] = json!({ID: cue.body["id"]});
    cue.say(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
}

/// Waits until the gateway knows the backend.
pub(crate) fn known(address: SocketAddr) {
    eventually("the backend is listed", || {
        ask(address, 1, "tools/list", json!({}))["result"]["tools"].as_array().is_some_and(|tools| !tools.is_empty())
    });
}

#[test]
fn whatever_a_client_declares_it_is_told_what_the_backends_offer() {
    let stage = Stage::modern(everything());
    let server = serve(&stage);
    for capabilities in [json!({}), json!({"sampling": {}}), json!({"elicitation": {"form": {}}})] {
        let told = begin_as(server.address(), 1, "server/discover", json!({}), capabilities.clone())().json();
        let offered = &told["result"]["capabilities"];
        assert!(offered["tools"].is_object() && offered["resources"].is_object(), "{capabilities}: {told}");
        let listed = begin_as(server.address(), 2, "tools/list", json!({}), capabilities)().json();
        assert_eq!(listed["result"]["tools"][0]["name"], "b_t", "{listed}");
    }
}

#[test]
fn a_change_of_a_list_is_told_after_the_acknowledgement_with_the_mark_of_the_subscription() {
    let stage = Stage::modern(everything());
    let server = serve(&stage);
    known(server.address());
    let offered = ask(server.address(), 1, "server/discover", json!({}))["result"]["capabilities"].clone();
    assert_eq!(offered["tools"], json!({"listChanged": true}));
    assert_eq!(offered["resources"], json!({"listChanged": true, "subscribe": true}));
    assert_eq!(offered["extensions"], json!({TASKS: {}}));
    let wanted = json!({"notifications": {"toolsListChanged": true, "promptsListChanged": true}});
    let answer = begin(server.address(), 7, "subscriptions/listen", wanted);
    let mut heard = acknowledge(&stage);
    assert_eq!(heard.body["params"]["notifications"], json!({"toolsListChanged": true, "resourcesListChanged": true}));
    let mut answer = answer();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
    let first = answer.event().unwrap();
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    // The backend has no prompts that change.
    assert_eq!(first["params"], json!({"_meta": {ID: 7}, "notifications": {"toolsListChanged": true}}));
    tell(&mut heard, "notifications/resources/list_changed", json!({}));
    tell(&mut heard, "notifications/tools/list_changed", json!({}));
    let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {"_meta": {ID: 7}}});
    assert_eq!(answer.event(), Some(changed.clone()));
    // A stream that is lost is opened again, and what may have been missed is told.
    heard.end();
    let _again = acknowledge(&stage);
    assert_eq!(answer.event(), Some(changed));
    server.stop();
    let end = answer.event().unwrap();
    assert_eq!((&end["id"], &end["result"]["resultType"]), (&json!(7), &json!("complete")));
    assert_eq!(end["result"]["_meta"][ID], 7);
    assert_eq!(answer.event(), None);
}

#[test]
fn updates_of_a_resource_go_to_who_wants_them_also_those_of_its_parts() {
    let stage = Stage::modern(everything());
    let server = serve(&stage);
    known(server.address());
    let wanted = json!({"notifications": {"resourceSubscriptions": ["x://nobodys", "x://r"]}});
    let answer = begin(server.address(), 8, "subscriptions/listen", wanted);
    let hear = |listed: &mut Option<Cue>| loop {
        // Another stream is for lists.
        let cue = acknowledge(&stage);
        if cue.body["params"]["notifications"]["resourceSubscriptions"] == json!(["x://r"]) {
            return cue;
        }
        *listed = Some(cue);
    };
    let mut listed = None;
    let mut heard = hear(&mut listed);
    let mut answer = answer();
    let first = answer.event().unwrap();
    assert_eq!(first["params"]["notifications"], json!({"resourceSubscriptions": ["x://r"]}));
    tell(&mut heard, "notifications/resources/updated", json!({"uri": "x://r/part"}));
    assert_eq!(answer.event().unwrap()["params"], json!({"uri": "x://r/part", "_meta": {ID: 8}}));
    heard.end();
    let _again = hear(&mut listed);
    assert_eq!(answer.event().unwrap()["params"], json!({"uri": "x://r", "_meta": {ID: 8}}));
    server.stop();
}

/// Two gateways that share nothing but a key.
fn replicas(stage: &Stage) -> [Server; 2] {
    let options = Options { state_keys: Some(Keys::one(&[7; KEY_BYTES])), ..Options::default() };
    [0, 1].map(|_| {
        let server = serve_all(offer(&[("b", &stage.url())], ""), options.clone());
        known(server.address());
        server
    })
}

#[test]
fn what_a_backend_asks_is_answered_through_another_replica() {
    let stage = Stage::modern(everything());
    let [one, other] = replicas(&stage);
    let call = json!({"name": "b_t", "arguments": {}});
    let answer = begin(one.address(), 2, "tools/call", call.clone());
    let cue = stage.cue("tools/call");
    let told = &cue.body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
    assert_eq!(told, &json!({"elicitation": {"form": {}}, "extensions": {TASKS: {}, "x/y": {}}}));
    let questions = json!({"q": {"method": "elicitation/create", "params": {"message": "m", "requestedSchema": {"type": "object"}}}});
    cue.result(json!({"resultType": "input_required", "inputRequests": questions, "requestState": "the backend's"}));
    let asked = answer().json()["result"].clone();
    assert_eq!((&asked["resultType"], &asked["inputRequests"]), (&json!("input_required"), &questions));
    let state = asked["requestState"].as_str().unwrap().to_owned();
    assert_ne!(state, "the backend's");
    let mut retry = call;
    retry["requestState"] = json!(state);
    retry["inputResponses"] = json!({"q": {"action": "accept", "content": {}}});
    let answer = begin(other.address(), 3, "tools/call", retry.clone());
    let cue = stage.cue("tools/call");
    assert_eq!(cue.body["params"]["requestState"], "the backend's");
    assert_eq!(cue.body["params"]["inputResponses"], retry["inputResponses"]);
    cue.result(json!({"resultType": "complete", "content": []}));
    assert_eq!(answer().json()["result"]["content"], json!([]));
    // Another one, whatever it was.
    let changed: String = state
        .chars()
        .enumerate()
        .map(|(n, c)| {
            if n == 60 && c == 'A' {
                'B'
            } else if n == 60 {
                'A'
            } else {
                c
            }
        })
        .collect();
    retry["requestState"] = json!(changed);
    let mut refused = begin(other.address(), 4, "tools/call", retry)();
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (400, &json!(-32602)));
}

#[test]
fn a_task_is_found_from_any_replica_and_told_of() {
    let stage = Stage::modern(everything());
    let [one, other] = replicas(&stage);
    let answer = begin(one.address(), 2, "tools/call", json!({"name": "b_t", "arguments": {}}));
    stage.cue("tools/call").result(json!({"resultType": "task", "taskId": "t1", "status": "working", "ttlMs": null}));
    let task = answer().json()["result"]["taskId"].as_str().unwrap().to_owned();
    assert_ne!(task, "t1");
    for (method, more) in
        [("tasks/get", json!({})), ("tasks/update", json!({"inputResponses": {}})), ("tasks/cancel", json!({}))]
    {
        let mut params = more;
        params["taskId"] = json!(task);
        let answer = begin(other.address(), 3, method, params);
        let cue = stage.cue(method);
        assert_eq!((cue.header("mcp-name"), &cue.body["params"]["taskId"]), (Some("t1"), &json!("t1")));
        cue.result(json!({"resultType": "complete", "taskId": "t1", "status": "working"}));
        assert_eq!(answer().json()["result"]["taskId"], json!(task));
    }
    let foreign = ask(other.address(), 4, "tasks/get", json!({"taskId": "t1"}));
    assert_eq!(foreign["error"], json!({"code": -32602, "message": "there is no task `t1`"}));
    let answer = begin(other.address(), 5, "subscriptions/listen", json!({"notifications": {"taskIds": [task]}}));
    let mut lists = Vec::new();
    let mut heard = loop {
        let cue = acknowledge(&stage);
        if cue.body["params"]["notifications"]["taskIds"] == json!(["t1"]) {
            break cue;
        }
        lists.push(cue);
    };
    let mut answer = answer();
    assert_eq!(answer.event().unwrap()["params"]["notifications"], json!({"taskIds": [task]}));
    tell(&mut heard, "notifications/tasks", json!({"taskId": "t1", "status": "completed", "result": {"content": []}}));
    let told = answer.event().unwrap()["params"].clone();
    assert_eq!(
        (&told["taskId"], &told["status"], &told["_meta"]),
        (&json!(task), &json!("completed"), &json!({ID: 5}))
    );
}

#[test]
fn a_client_with_a_session_is_asked_what_a_modern_backend_wants_to_know() {
    let stage = Stage::modern(everything());
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let capabilities = json!({"elicitation": {}, "roots": {"listChanged": true}, "tasks": {}});
    let session = crate::streams::open(address, "2025-11-25", capabilities);
    let answer = crate::streams::begin(address, &session, 2, json!({}));
    let cue = stage.cue("tools/call");
    let told = &cue.body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
    assert_eq!(told, &json!({"elicitation": {}, "roots": {}}));
    let questions = json!({"q": {"method": "elicitation/create", "params": {"message": "m", "requestedSchema": {"type": "object"}}},
        "r": {"method": "roots/list"}});
    cue.result(json!({"resultType": "input_required", "inputRequests": questions, "requestState": "exact"}));
    let mut answer = answer();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let asked = answer.event().unwrap();
        ids.push((asked["method"].as_str().unwrap().to_owned(), asked["id"].clone()));
    }
    // In any order.
    for (method, id) in ids.iter().rev() {
        let result = if method == "roots/list" {
            json!({"roots": []})
        } else {
            json!({"action": "accept", "content": {"n": 1}})
        };
        let response = json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
        assert_eq!(crate::post(address, Some(&session), &response).status, 202);
    }
    let cue = stage.cue("tools/call");
    assert_eq!(cue.body["params"]["requestState"], "exact");
    let answers = json!({"q": {"action": "accept", "content": {"n": 1}}, "r": {"roots": []}});
    assert_eq!(cue.body["params"]["inputResponses"], answers);
    // It asks once more, and the client refuses to answer: its call fails.
    cue.result(json!({"resultType": "input_required", "inputRequests": {"again": {"method": "roots/list"}}}));
    let asked = answer.event().unwrap();
    let response = json!({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -1, "message": "no"}}).to_string();
    assert_eq!(crate::post(address, Some(&session), &response).status, 202);
    let error = answer.event().unwrap()["error"].clone();
    let message = "the client did not answer what the backend asked: no";
    assert_eq!(error, json!({"code": -32603, "message": message}));
    server.stop();
}

#[test]
fn a_question_of_a_backend_with_sessions_becomes_a_result_and_the_retry_feeds_the_open_call() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let call = json!({"name": "b_t", "arguments": {}});
    let answer = begin(address, 2, "tools/call", call.clone());
    let mut cue = stage.cue("tools/call");
    // Its session is its own, and says what it can do.
    assert_eq!(stage.declared_for(&cue)["elicitation"], json!({"form": {}}));
    cue.stream();
    let params = json!({"message": "m", "requestedSchema": {"type": "object"}});
    cue.say(&json!({"jsonrpc": "2.0", "id": "theirs", "method": "elicitation/create", "params": params}));
    let asked = answer().json()["result"].clone();
    assert_eq!(asked["resultType"], "input_required");
    assert_eq!(asked["inputRequests"], json!({"q1": {"method": "elicitation/create", "params": params}}));
    let mut retry = call;
    retry["requestState"] = asked["requestState"].clone();
    // What is missing is asked again.
    let again = ask(address, 3, "tools/call", retry.clone())["result"].clone();
    assert_eq!(again["inputRequests"], asked["inputRequests"]);
    retry["requestState"] = again["requestState"].clone();
    retry["inputResponses"] = json!({"q1": {"action": "accept", "content": {"n": 1}}, "unknown": {}});
    let answer = begin(address, 4, "tools/call", retry.clone());
    let response = stage.cue("response");
    assert_eq!((&response.body["id"], &response.body["result"]["content"]["n"]), (&json!("theirs"), &json!(1)));
    cue.say_result(json!({"content": [{"type": "text", "text": "done"}]}));
    let done = answer().json();
    assert_eq!((&done["id"], &done["result"]["content"][0]["text"]), (&json!(4), &json!("done")));
    // It is over: nothing waits under that state.
    let mut gone = begin(address, 5, "tools/call", retry)();
    let message = "the pending call is gone; call again without `requestState`";
    assert_eq!((gone.status, gone.json()["error"].clone()), (400, json!({"code": -32602, "message": message})));
    eventually("the session is ended", || !stage.seen("DELETE").is_empty());
    server.stop();
}
