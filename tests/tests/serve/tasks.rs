//! Tasks across the gateway: those of sessions (2025-11-25) between two peers that know them, and those of a backend whose
//! client knows none.
//!
//! Every word of the backend is the test's own.

use serde_json::{Value, json};

use crate::modern::{begin_as, known};
use crate::stage::Stage;
use crate::streams::{asks, begin, get, open, serve, tells};
use crate::{eventually, post, rpc, tools};

const RELATED: &str = "io.modelcontextprotocol/related-task";

fn task(id: &Value, status: &str) -> Value {
    json!({"taskId": id, "status": status, "createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z",
        "ttl": null, "pollInterval": 50})
}

#[test]
fn a_task_of_a_backend_has_one_name_at_its_client() {
    let stage = Stage::with_streams(
        json!({"tools": {}, "tasks": {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}}),
    );
    let server = serve(&stage);
    let address = server.address();
    known(address);
    // It is offered to those who know it.
    let offered = |revision: &str| {
        let params =
            json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        post(address, None, &body.to_string()).json()["result"]["capabilities"]["tasks"].clone()
    };
    assert_eq!(offered("2025-11-25"), json!({"cancel": {}, "list": {}, "requests": {"tools": {"call": {}}}}));
    assert_eq!(offered("2025-06-18"), Value::Null);

    let session = open(address, "2025-11-25", json!({"elicitation": {}}));
    let mut own = get(address, &session, None);
    own.primed();
    let answer = begin(address, &session, 1, json!({"task": {"ttl": 1000}}));
    let mut standing = stage.cue("GET");
    standing.stream();
    let cue = stage.cue("tools/call");
    assert_eq!(cue.body["params"]["task"], json!({"ttl": 1000}));
    let theirs = json!("t1");
    cue.result(json!({"task": task(&theirs, "working")}));
    let made = answer().json()["result"]["task"].clone();
    let mine = made["taskId"].clone();
    assert_ne!(mine, theirs);
    assert_eq!(made, task(&mine, "working"));
    for (method, status) in [("tasks/get", "working"), ("tasks/cancel", "cancelled")] {
        let asked = std::thread::scope(|scope| {
            let asked = scope.spawn(|| rpc(address, &session, 2, method, json!({"taskId": mine})).json());
            let cue = stage.cue(method);
            assert_eq!(cue.body["params"], json!({"taskId": theirs}));
            cue.result(task(&theirs, status));
            asked.join().unwrap()
        });
        assert_eq!(asked["result"], task(&mine, status));
    }
    let listed = std::thread::scope(|scope| {
        let listed = scope.spawn(|| rpc(address, &session, 3, "tasks/list", json!({})).json());
        stage.cue("tasks/list").result(json!({"tasks": [task(&theirs, "working")], "nextCursor": "c"}));
        let next = stage.cue("tasks/list");
        assert_eq!(next.body["params"], json!({"cursor": "c"}));
        next.result(json!({"tasks": [task(&json!("t2"), "completed")]}));
        listed.join().unwrap()
    });
    assert_eq!(listed["result"]["tasks"][0], task(&mine, "working"));
    assert_eq!(
        (listed["result"]["tasks"].as_array().unwrap().len(), &listed["result"]["nextCursor"]),
        (2, &Value::Null)
    );
    standing.say(&tells("notifications/tasks/status", task(&theirs, "input_required")));
    assert_eq!(own.event().unwrap(), tells("notifications/tasks/status", task(&mine, "input_required")));

    // What it asks meanwhile, and what it answers at last, name it too.
    let body = asks(json!(4), "tasks/result", json!({"taskId": mine})).to_string();
    let mut connection = crate::http::connect(address);
    let headers = [crate::JSON, crate::ACCEPT, ("mcp-session-id", session.as_str())];
    crate::http::write(&mut connection, "POST", "/mcp", &headers, body.as_bytes());
    let mut result = stage.cue("tasks/result");
    result.stream();
    result.say(&asks(
        json!("q"),
        "elicitation/create",
        json!({"message": "m", "_meta": {RELATED: {"taskId": theirs}}}),
    ));
    let mut answer = crate::http::Answer::read(std::io::BufReader::new(connection));
    answer.primed();
    let asked = answer.event().unwrap();
    assert_eq!(asked["params"]["_meta"], json!({RELATED: {"taskId": mine}}));
    let said = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept", "_meta": {RELATED: {"taskId": mine}}}});
    post(address, Some(&session), &said.to_string());
    assert_eq!(stage.cue("response").body["result"]["_meta"], json!({RELATED: {"taskId": theirs}}));
    result.say_result(json!({"content": [], "_meta": {RELATED: {"taskId": theirs}}}));
    assert_eq!(answer.event().unwrap()["result"], json!({"content": [], "_meta": {RELATED: {"taskId": mine}}}));

    // No other name is one.
    let foreign = rpc(address, &session, 5, "tasks/get", json!({"taskId": "t1"})).json();
    assert_eq!(foreign["error"], json!({"code": -32602, "message": "there is no task `t1`"}));
}

#[test]
fn a_task_of_a_client_is_known_to_the_backend_it_was_made_for() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    let can =
        json!({"elicitation": {}, "tasks": {"list": {}, "cancel": {}, "requests": {"elicitation": {"create": {}}}}});
    let session = open(address, "2025-11-25", can);
    let answer = begin(address, &session, 1, json!({}));
    let mut call = stage.cue("tools/call");
    // Its tasks are those of several backends: none may list them.
    assert_eq!(stage.declared_for(&call)["tasks"], json!({"cancel": {}, "requests": {"elicitation": {"create": {}}}}));
    call.stream();
    call.say(&asks(json!(1), "elicitation/create", json!({"message": "m", "task": {"ttl": 5}})));
    let mut answer = answer();
    answer.primed();
    let respond = |id: &Value, result: Value| {
        let said = json!({"jsonrpc": "2.0", "id": id, "result": result});
        assert_eq!(post(address, Some(&session), &said.to_string()).status, 202);
        stage.cue("response").body["result"].clone()
    };
    let asked = answer.event().unwrap();
    assert_eq!(asked["params"]["task"], json!({"ttl": 5}));
    let mine = json!("c1");
    let theirs = respond(&asked["id"], json!({"task": task(&mine, "working")}))["task"]["taskId"].clone();
    assert_ne!(theirs, mine);
    // The client says how it is, and the backend asks.
    post(address, Some(&session), &tells("notifications/tasks/status", task(&mine, "working")).to_string());
    assert_eq!(stage.cue("notifications/tasks/status").body["params"], task(&theirs, "working"));
    for method in ["tasks/get", "tasks/cancel"] {
        call.say(&asks(json!(2), method, json!({"taskId": theirs})));
        let asked = answer.event().unwrap();
        assert_eq!((&asked["method"], &asked["params"]), (&json!(method), &json!({"taskId": mine})));
        assert_eq!(respond(&asked["id"], task(&mine, "completed")), task(&theirs, "completed"));
    }
    call.say(&asks(json!(3), "tasks/result", json!({"taskId": theirs})));
    let asked = answer.event().unwrap();
    let result = respond(&asked["id"], json!({"action": "accept", "_meta": {RELATED: {"taskId": mine}}}));
    assert_eq!(result["_meta"], json!({RELATED: {"taskId": theirs}}));
    call.say(&asks(json!(4), "tasks/list", json!({})));
    assert_eq!(stage.cue("response").body["error"]["code"], -32601);
    // A name that the client did not give is no task of the client.
    call.say(&asks(json!(5), "tasks/get", json!({"taskId": "c1"})));
    assert_ne!(answer.event().unwrap()["params"]["taskId"], mine);
    call.say_result(json!({"content": []}));
}

#[test]
fn a_tool_that_runs_as_a_task_only_is_called_for_a_client_that_knows_no_such_tasks() {
    let stage = Stage::start(json!({"tools": {}, "tasks": {"cancel": {}, "requests": {"tools": {"call": {}}}}}));
    stage.tools(&["task"]);
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let session = open(address, "2025-06-18", json!({}));
    assert_eq!(tools(address, &session), ["b_task"]);
    let through = |answer: Box<dyn FnOnce() -> crate::http::Answer>| {
        let cue = stage.cue("tools/call");
        assert_eq!(cue.body["params"]["task"], json!({}));
        cue.result(json!({"task": task(&json!("t1"), "working")}));
        stage.cue("tasks/get").result(task(&json!("t1"), "working"));
        stage.cue("tasks/get").result(task(&json!("t1"), "completed"));
        let cue = stage.cue("tasks/result");
        assert_eq!(cue.body["params"]["taskId"], "t1");
        cue.result(json!({"content": [{"type": "text", "text": "x"}], "_meta": {RELATED: {"taskId": "t1"}}}));
        answer().json()["result"].clone()
    };
    let call = json!({"name": "b_task", "arguments": {}});
    let result = through(Box::new(begin_as(address, 2, "tools/call", call.clone(), json!({}))));
    assert_eq!((&result["content"][0]["text"], &result["_meta"][RELATED]), (&json!("x"), &Value::Null));
    let result = through(Box::new(begin(address, &session, 3, json!({"name": "b_task"}))));
    assert_eq!(result, json!({"content": [{"type": "text", "text": "x"}]}));
    // A client that waits no longer stops it: by `tasks/cancel`, nothing else does.
    let answer = begin_as(address, 4, "tools/call", call, json!({}));
    stage.cue("tools/call").result(json!({"task": task(&json!("t2"), "working")}));
    let looked = stage.cue("tasks/get");
    drop(answer);
    let cancelled = stage.cue("tasks/cancel");
    assert_eq!(cancelled.body["params"]["taskId"], "t2");
    cancelled.result(task(&json!("t2"), "cancelled"));
    drop(looked);
    eventually("nobody asks for it any more", || stage.waiting("tasks/get") == 0);
}

#[test]
fn a_backend_that_makes_tasks_of_calls_answers_a_client_that_knows_none() {
    let stage = Stage::modern(json!({"tools": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let session = open(address, "2025-11-25", json!({"roots": {}}));
    let answer = begin(address, &session, 1, json!({"task": {"ttl": 1}}));
    let cue = stage.cue("tools/call");
    assert_eq!(cue.body["params"]["task"], Value::Null, "that is a task of sessions");
    let required = json!({"requiredCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}});
    cue.error(400, json!({"code": -32021, "message": "tasks", "data": required}));
    let cue = stage.cue("tools/call");
    let told = cue.body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"].clone();
    assert_eq!(told, json!({"roots": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}));
    cue.result(json!({"resultType": "task", "taskId": "t1", "status": "working", "ttlMs": null, "pollIntervalMs": 50}));
    let cue = stage.cue("tasks/get");
    assert_eq!(cue.header("mcp-name"), Some("t1"));
    let asking = json!({"resultType": "complete", "taskId": "t1", "status": "input_required", "ttlMs": null,
        "pollIntervalMs": 50, "inputRequests": {"r": {"method": "roots/list"}}});
    cue.result(asking.clone());
    let mut answer = answer();
    answer.primed();
    let asked = answer.event().unwrap();
    assert_eq!(asked["method"], "roots/list");
    let said = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": []}});
    post(address, Some(&session), &said.to_string());
    let cue = stage.cue("tasks/update");
    assert_eq!(cue.body["params"]["inputResponses"], json!({"r": {"roots": []}}));
    cue.result(json!({"resultType": "complete"}));
    // It is not asked again what it has answered.
    stage.cue("tasks/get").result(asking);
    let result = json!({"content": [], "structuredContent": {"n": 1.50}});
    let done =
        json!({"resultType": "complete", "taskId": "t1", "status": "completed", "ttlMs": null, "result": result});
    stage.cue("tasks/get").result(done);
    assert_eq!(answer.event().unwrap()["result"], result);
}
