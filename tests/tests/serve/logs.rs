//! Log messages of backends across revisions (`docs/bridge.md`, row 12): how grave they must be is said once in a session,
//! and with each request where requests stand alone.
//!
//! Every word of the backend is the test's own. Messages between sessions are tried in `streams.rs`.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::Answer;
use crate::modern::{begin_as, known};
use crate::stage::{Cue, Stage};
use crate::streams::{asks, begin, open, serve, tells};
use crate::{eventually, post, rpc};

const LEVEL: &str = "io.modelcontextprotocol/logLevel";

fn logs(level: &str, data: &str) -> Value {
    tells("notifications/message", json!({"level": level, "data": data}))
}

/// Calls the tool alone, as a client that can do this and wants log messages from this level on.
fn call(address: SocketAddr, id: u32, level: Option<&str>, can: Value) -> impl FnOnce() -> Answer + use<> {
    let mut params = json!({"name": "b_t", "arguments": {}, "_meta": {}});
    if let Some(level) = level {
        params["_meta"][LEVEL] = json!(level);
    }
    begin_as(address, id, "tools/call", params, can)
}

fn done(cue: Cue) {
    cue.say_result(json!({"resultType": "complete", "content": []}));
}

/// What else comes on the stream of a call.
fn rest(mut answer: Answer) -> Vec<Value> {
    std::iter::from_fn(|| answer.event()).collect()
}

#[test]
fn the_level_of_a_session_goes_with_each_request_to_a_modern_backend() {
    let stage = Stage::modern(json!({"tools": {}, "logging": {}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let (session, other) = (open(address, "2025-11-25", json!({"roots": {}})), open(address, "2025-11-25", json!({})));
    let level = |cue: &Cue| cue.body["params"]["_meta"].get(LEVEL).cloned();
    let answer = begin(address, &session, 1, json!({}));
    let first = stage.cue("tools/call");
    assert_eq!(level(&first), None, "it has not said so");
    first.result(json!({"resultType": "complete", "content": []}));
    answer();
    let set = |level: &str, id| rpc(address, &session, id, "logging/setLevel", json!({"level": level})).json();
    assert_eq!(set("warning", 2)["result"], json!({}));
    // What the client writes there itself means nothing in a session.
    let answer = begin(address, &session, 3, json!({"_meta": {LEVEL: "debug"}}));
    let mut cue = stage.cue("tools/call");
    assert_eq!(level(&cue), Some(json!("warning")));
    cue.stream();
    cue.say(&logs("info", "no"));
    cue.say(&logs("error", "yes"));
    let mut answer = answer();
    answer.primed();
    assert_eq!(answer.event(), Some(logs("error", "yes")));
    // The same holds for the repetition.
    let questions = json!({"r": {"method": "roots/list"}});
    cue.say_result(json!({"resultType": "input_required", "inputRequests": questions}));
    let asked = answer.event().unwrap();
    let roots = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": []}});
    assert_eq!(post(address, Some(&session), &roots.to_string()).status, 202);
    let mut again = stage.cue("tools/call");
    assert_eq!(level(&again), Some(json!("warning")));
    // From now on others are wanted.
    assert_eq!(set("emergency", 4)["result"], json!({}));
    again.stream();
    again.say(&logs("alert", "no"));
    done(again);
    assert_eq!(answer.event().unwrap()["id"], 3);
    let answer = begin(address, &other, 5, json!({}));
    let cue = stage.cue("tools/call");
    assert_eq!(level(&cue), None, "another client said that");
    cue.result(json!({"resultType": "complete", "content": []}));
    answer();
    assert!(stage.seen("logging/setLevel").is_empty(), "there is no such request");
}

#[test]
fn log_messages_of_a_modern_backend_reach_the_request_that_asked_for_them_and_no_other() {
    let stage = Stage::modern(json!({"tools": {}, "logging": {}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let offered = begin_as(address, 1, "server/discover", json!({}), json!({}))().json();
    assert_eq!(offered["result"]["capabilities"]["logging"], json!({}));
    for can in [json!({}), json!({"elicitation": {"form": {}}})] {
        let wants = call(address, 2, Some("notice"), can.clone());
        let mut wanted = stage.cue("tools/call");
        let wants_not = call(address, 3, None, can);
        let mut unwanted = stage.cue("tools/call");
        assert_eq!(wanted.body["params"]["_meta"][LEVEL], "notice");
        assert_eq!(unwanted.body["params"]["_meta"].get(LEVEL), None);
        for cue in [&mut wanted, &mut unwanted] {
            cue.stream();
            cue.say(&logs("info", "too little"));
            cue.say(&logs("notice", "enough"));
        }
        done(wanted);
        done(unwanted);
        let heard = rest(wants());
        assert_eq!((heard.len(), &heard[0], &heard[1]["id"]), (2, &logs("notice", "enough"), &json!(2)));
        // Nothing was said, so the answer is no stream.
        assert_eq!(wants_not().json()["id"], 3);
    }
    let calls = stage.seen("tools/call").len();
    for level in [json!("loud"), json!(null), json!(7), json!("Debug")] {
        for (method, name) in [("tools/call", "b_t"), ("tools/list", ""), ("server/discover", "")] {
            let params = json!({"name": name, "_meta": {LEVEL: level}});
            let mut refused = begin_as(address, 4, method, params, json!({}))();
            let message = "`io.modelcontextprotocol/logLevel` is none; expected debug, info, notice, warning, error, critical, alert or emergency";
            assert_eq!(refused.status, 400, "{method} {level}");
            assert_eq!(refused.json()["error"], json!({"code": -32602, "message": message}), "{method} {level}");
        }
    }
    // Of what is not served, only that is said.
    let mut refused = begin_as(address, 5, "ping", json!({"_meta": {LEVEL: "loud"}}), json!({}))();
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (404, &json!(-32601)));
    assert_eq!(stage.seen("tools/call").len(), calls);
}

#[test]
fn the_level_of_a_request_is_set_in_a_session_that_it_has_alone() {
    let stage = Stage::with_streams(json!({"tools": {}, "logging": {}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let session = |cue: &Cue| cue.header("mcp-session-id").unwrap().to_owned();
    let levels = || stage.seen("logging/setLevel").iter().map(|set| set["params"]["level"].clone()).collect::<Vec<_>>();
    // Who asks for none shares a session in which nothing is set, and hears nothing.
    let quiet = call(address, 2, None, json!({}));
    let mut shared = stage.cue("tools/call");
    assert_eq!(levels(), [json!(null); 0]);
    assert_eq!(shared.body["params"], json!({"name": "t", "arguments": {}}));
    let wants_errors = call(address, 3, Some("error"), json!({}));
    let mut heard_errors = stage.cue("GET");
    heard_errors.stream();
    let mut errors = stage.cue("tools/call");
    assert_eq!(levels(), ["error"]);
    let wants_all = call(address, 4, Some("debug"), json!({"roots": {}}));
    let mut heard_all = stage.cue("GET");
    heard_all.stream();
    let mut all = stage.cue("tools/call");
    assert_eq!(levels(), ["error", "debug"]);
    let sessions = [session(&shared), session(&errors), session(&all)];
    assert!(sessions[0] != sessions[1] && sessions[1] != sessions[2] && sessions[0] != sessions[2], "{sessions:?}");
    assert_eq!([session(&heard_errors), session(&heard_all)], sessions[1..]);
    for cue in [&mut shared, &mut errors, &mut all] {
        cue.stream();
        cue.say(&logs("info", "call"));
    }
    // What SDK servers say on the stream that belongs to no call can only be about the one that the session is for.
    heard_errors.say(&logs("info", "standing"));
    heard_errors.say(&logs("critical", "standing"));
    let mut answer = wants_errors();
    assert_eq!(answer.event(), Some(logs("critical", "standing")));
    heard_all.say(&logs("debug", "standing"));
    let mut all_of_it = wants_all();
    let mut said = [all_of_it.event().unwrap(), all_of_it.event().unwrap()];
    said.sort_by_key(|said| said["params"]["data"].to_string());
    assert_eq!(said, [logs("info", "call"), logs("debug", "standing")]);
    for cue in [shared, errors, all] {
        cue.say_result(json!({"content": []}));
    }
    assert_eq!(quiet().json()["id"], 2);
    assert_eq!(answer.event().unwrap()["id"], 3);
    assert_eq!(all_of_it.event().unwrap()["id"], 4);
    // Nobody finds that level later.
    eventually("both sessions are ended", || stage.seen("DELETE").len() == 2);
    let quiet = call(address, 5, None, json!({}));
    let cue = stage.cue("tools/call");
    assert_eq!(session(&cue), sessions[0]);
    cue.result(json!({"content": []}));
    assert_eq!(quiet().json()["id"], 5);
    assert_eq!(levels().len(), 2);
}

#[test]
fn a_backend_that_does_not_log_is_told_no_level_and_a_session_is_shared() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let mut sessions = Vec::new();
    for level in [None, Some("debug")] {
        let answer = call(address, 2, level, json!({}));
        let mut cue = stage.cue("tools/call");
        sessions.push(cue.header("mcp-session-id").unwrap().to_owned());
        cue.stream();
        // It may log all the same, and who asked hears it.
        cue.say(&logs("info", "still"));
        cue.say_result(json!({"content": []}));
        let mut answer = answer();
        match level {
            None => assert_eq!(answer.json()["id"], 2),
            Some(_) => assert_eq!(answer.event(), Some(logs("info", "still"))),
        }
    }
    assert_eq!(sessions[0], sessions[1]);
    assert!(stage.seen("logging/setLevel").is_empty());
}

#[test]
fn a_later_round_of_a_call_may_want_other_log_messages() {
    let stage = Stage::start(json!({"tools": {}, "logging": {}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let can = json!({"roots": {}});
    let answer = call(address, 2, Some("error"), can.clone());
    let mut cue = stage.cue("tools/call");
    cue.stream();
    cue.say(&logs("info", "one"));
    cue.say(&asks(json!("q"), "roots/list", json!({})));
    let asked = answer().json()["result"].clone();
    let round = |id, level: Option<&str>, asked: &Value, key: &str| {
        let mut params = json!({"name": "b_t", "arguments": {}, "requestState": asked["requestState"],
            "inputResponses": {key: {"roots": []}}, "_meta": {}});
        if let Some(level) = level {
            params["_meta"][LEVEL] = json!(level);
        }
        begin_as(address, id, "tools/call", params, can.clone())
    };
    // The question is not answered, so it comes again.
    let asked = round(3, Some("info"), &asked, "other")().json()["result"].clone();
    let answer = round(4, Some("info"), &asked, "q1");
    // The backend knows before it goes on.
    stage.cue("response");
    let levels: Vec<_> = stage.seen("logging/setLevel").iter().map(|set| set["params"]["level"].clone()).collect();
    assert_eq!(levels, ["error", "info"]);
    cue.say(&logs("debug", "two"));
    cue.say(&logs("info", "two"));
    let mut answer = answer();
    assert_eq!(answer.event(), Some(logs("info", "two")));
    cue.say(&asks(json!("r"), "roots/list", json!({})));
    let asked = answer.event().unwrap()["result"].clone();
    // Who asks for none now gets none, whatever was said before.
    let answer = round(5, None, &asked, "q2");
    stage.cue("response");
    cue.say(&logs("emergency", "three"));
    cue.say_result(json!({"content": []}));
    assert_eq!(answer().json()["id"], 5);
    assert_eq!(stage.seen("logging/setLevel").len(), 2);
}

#[test]
fn a_request_that_wants_log_messages_and_may_not_ask_does_not_ask() {
    let stage = Stage::start(json!({"tools": {}, "prompts": {}, "completions": {}, "logging": {}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let params = json!({"ref": {"type": "ref/prompt", "name": "b_p"}, "argument": {"name": "a", "value": ""}, "_meta": {LEVEL: "info"}});
    let answer = begin_as(address, 2, "completion/complete", params, json!({"roots": {}}));
    let mut cue = stage.cue("completion/complete");
    cue.stream();
    cue.say(&asks(json!("q"), "roots/list", json!({})));
    let refused = stage.cue("response").body;
    let message = "the client cannot be asked now: the result of this request may not ask for input";
    assert_eq!(refused["error"], json!({"code": -32603, "message": message}));
    cue.say(&logs("info", "heard"));
    cue.say_result(json!({"completion": {"values": []}}));
    let mut answer = answer();
    assert_eq!(answer.event(), Some(logs("info", "heard")));
    assert_eq!(answer.event().unwrap()["id"], 2);
}
