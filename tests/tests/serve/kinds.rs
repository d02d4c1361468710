//! Resources, templates, prompts and completions: through the gateway to backends that have them, or not.
//!
//! What is said in which revision is tried in the transcripts.

use std::net::SocketAddr;

use serde_json::{Value, json};
use vmcp_native::server::Options;

use crate::backend::{self, Backend};
use crate::http::send;
use crate::{ACCEPT, JSON, offer, open_session, rpc, serve_all};

fn calc() -> Value {
    json!({
        "name": "calc",
        "instructions": "Count.",
        "resources": [{"uri": "x://both", "name": "b"}, {"uri": "x://calc", "name": "c", "size": 1}],
        "resourceTemplates": [{"uriTemplate": "calc:{n}", "name": "t"}],
        "prompts": [{"name": "say", "title": "Say"}],
    })
}

fn docs() -> Value {
    json!({"name": "docs", "resources": [{"uri": "x://both", "name": "d"}], "prompts": [{"name": "say"}]})
}

fn result(address: SocketAddr, session: &str, method: &str, params: Value) -> Value {
    let mut answer = rpc(address, session, 7, method, params).json();
    assert_eq!(answer["id"], 7);
    match answer["result"].take() {
        Value::Null => answer["error"].take(),
        result => result,
    }
}

#[test]
fn every_kind_is_listed_and_led_to_its_backend() {
    let (calc, docs, tools) = (Backend::with(calc()), Backend::with(docs()), Backend::start());
    let backends = [("calc", calc.url()), ("docs", docs.url()), ("tools", tools.url())];
    let backends: Vec<_> = backends.iter().map(|(name, url)| (*name, url.as_str())).collect();
    let server = serve_all(offer(&backends, ""), Options::default());
    let session = open_session(server.address());
    let ask = |method: &str, params| result(server.address(), &session, method, params);
    let expected =
        json!({"resources": [{"uri": "x://both", "name": "b"}, {"uri": "x://calc", "name": "c", "size": 1}]});
    assert_eq!(ask("resources/list", json!({})), expected);
    let expected = json!({"resourceTemplates": [{"uriTemplate": "calc:{n}", "name": "t"}]});
    assert_eq!(ask("resources/templates/list", json!({})), expected);
    let expected = json!({"prompts": [{"name": "calc_say", "title": "Say"}, {"name": "docs_say"}]});
    assert_eq!(ask("prompts/list", json!({})), expected);
    // Who does not have a kind is not asked for it.
    assert_eq!((tools.seen("resources/list").len(), tools.seen("prompts/list").len()), (0, 0));

    let read = |uri: &str| ask("resources/read", json!({"uri": uri}));
    assert_eq!(read("x://both")["contents"][0]["text"], "calc");
    assert_eq!(read("calc:7")["contents"][0], json!({"uri": "calc:7", "text": "calc"}));
    assert_eq!(docs.seen("resources/read").len(), 0);
    let params = json!({"name": "docs_say", "arguments": {"a": "b"}});
    assert_eq!(ask("prompts/get", params)["asked"], json!({"name": "say", "arguments": {"a": "b"}}));
    assert_eq!(ask("prompts/get", json!({"name": "say"}))["code"], -32602);
    let complete = |reference: Value| {
        ask("completion/complete", json!({"ref": reference, "argument": {"name": "n", "value": ""}}))
    };
    let asked = complete(json!({"type": "ref/prompt", "name": "docs_say"}));
    assert_eq!(asked["asked"]["ref"], json!({"type": "ref/prompt", "name": "say"}));
    let asked = complete(json!({"type": "ref/resource", "uri": "calc:{n}"}));
    assert_eq!(asked["asked"]["ref"]["uri"], "calc:{n}");
    assert_eq!(complete(json!({"type": "ref/prompt", "name": "nobody"}))["code"], -32602);
    assert_eq!(ask("logging/setLevel", json!({"level": "debug"})), json!({}));
    assert_eq!(ask("ping", json!({})), json!({}));
}

#[test]
fn a_resource_that_nobody_lists_is_looked_for_in_the_order_of_the_configuration() {
    let (calc, docs, tools, dead) = (Backend::with(calc()), Backend::with(docs()), Backend::start(), backend::dead());
    let backends = [("calc", calc.url()), ("docs", docs.url()), ("tools", tools.url())];
    let backends: Vec<_> = backends.iter().map(|(name, url)| (*name, url.as_str())).collect();
    let mut both = offer(&backends, "");
    both.policy.priority_order = vec!["docs".to_owned()];
    let server = serve_all(both, Options::default());
    let session = open_session(server.address());
    let read = |uri: &str| result(server.address(), &session, "resources/read", json!({"uri": uri}));
    assert_eq!(read("docs:1")["contents"][0]["text"], "docs");
    assert_eq!(calc.seen("resources/read").len(), 0);
    assert_eq!(read("calc:1/2")["contents"][0]["text"], "calc");
    assert_eq!(docs.seen("resources/read").len(), 2);
    let nowhere = json!({"code": -32002, "message": "there is no resource `z:1`", "data": {"uri": "z:1"}});
    assert_eq!(read("z:1"), nowhere);
    // Those that have no resources are not asked.
    assert_eq!(tools.seen("resources/read").len(), 0);

    // One that is not there does not keep the others from answering; whether it has it is not known.
    let server = serve_all(offer(&[("a", &dead), ("calc", &calc.url())], ""), Options::default());
    let session = open_session(server.address());
    let read = |uri: &str| result(server.address(), &session, "resources/read", json!({"uri": uri}));
    assert_eq!(read("calc:1/2")["contents"][0]["text"], "calc");
    assert_eq!(read("z:1")["code"], -32603);
    // The only one speaks for itself.
    let server = serve_all(offer(&[("calc", &calc.url())], ""), Options::default());
    let session = open_session(server.address());
    assert_eq!(result(server.address(), &session, "resources/read", json!({"uri": "z:1"}))["message"], "not here");
}

#[test]
fn a_modern_client_is_told_what_backends_offer() {
    let (calc, docs) = (Backend::with(calc()), Backend::start());
    let server = serve_all(offer(&[("calc", &calc.url()), ("docs", &docs.url())], ""), Options::default());
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let ask = |method: &str, mut params: Value, name: Option<&str>| {
        params["_meta"] = meta.clone();
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let mut headers = vec![JSON, ACCEPT, ("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
        headers.extend(name.map(|name| ("mcp-name", name)));
        send(server.address(), "POST", "/mcp", &headers, body.as_bytes()).json()
    };
    let discovered = ask("server/discover", json!({}), None);
    assert_eq!(
        discovered["result"]["capabilities"],
        json!({"completions": {}, "prompts": {}, "resources": {}, "tools": {}})
    );
    assert_eq!(discovered["result"]["instructions"], "## calc\n\nCount.");
    let listed = ask("prompts/list", json!({}), None);
    assert_eq!(listed["result"]["prompts"], json!([{"name": "calc_say", "title": "Say"}]));
    assert_eq!((&listed["result"]["ttlMs"], &listed["result"]["cacheScope"]), (&json!(0), &json!("private")));
    let read = ask("resources/read", json!({"uri": "x://calc"}), Some("x://calc"));
    assert_eq!(read["result"]["contents"][0]["text"], "calc");
    assert_eq!(read["result"]["ttlMs"], 0);
    let missing = ask("resources/read", json!({"uri": "z:1"}), Some("z:1"));
    assert_eq!(missing["error"], json!({"code": -32602, "message": "not here", "data": {"uri": "z:1"}}));
}

#[test]
fn a_backend_that_lacks_a_list_it_announces_lacks_that_list_only() {
    let odd = Backend::with(json!({"name": "odd", "prompts": [{"name": "p"}]}));
    let server = serve_all(offer(&[("odd", &odd.url())], ""), Options::default());
    let session = open_session(server.address());
    let ask = |method: &str| result(server.address(), &session, method, json!({}));
    assert_eq!(ask("resources/list"), json!({"resources": []}));
    assert_eq!(ask("prompts/list"), json!({"prompts": [{"name": "odd_p"}]}));
    assert_eq!(ask("tools/list")["tools"].as_array().unwrap().len(), 4);
}

#[test]
fn what_is_hidden_is_not_called_and_what_is_renamed_leads_where_it_did() {
    let (one, two) = (Backend::start(), Backend::start());
    let mut offer = offer(&[("one", &one.url()), ("two", &two.url())], "");
    let text = "name: g\ngroupRef: g\naggregation:\n  conflictResolution: priority\n  conflictResolutionConfig: {priorityOrder: [two]}\n  \
        tools:\n  - {workload: one, filter: [say], overrides: {echo: {name: say, annotations: {readOnlyHint: true}}}}\n";
    let config = vmcp_core::config::input::read(text.as_bytes());
    offer.policy = vmcp_core::aggregate::Policy::of(config.configs[0].config.aggregation.as_ref().unwrap());
    let server = serve_all(offer, Options::default());
    let session = open_session(server.address());
    let ask = |method: &str, params| result(server.address(), &session, method, params);
    let listed = ask("tools/list", json!({}));
    let names: Vec<_> = listed["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["echo", "fail", "say", "slow", "wait"]);
    assert_eq!(listed["tools"][2]["annotations"], json!({"readOnlyHint": true}));
    let called = ask("tools/call", json!({"name": "say", "arguments": {"a": 1}}));
    assert_eq!(called["structuredContent"]["arguments"], json!({"a": 1}));
    assert_eq!(one.seen("tools/call")[0].body["params"]["name"], "echo");
    assert!(ask("tools/call", json!({"name": "echo"}))["content"].is_array());
    assert_eq!((one.seen("tools/call").len(), two.seen("tools/call").len()), (1, 1));
    for hidden in ["one_wait", "one_fail"] {
        assert_eq!(ask("tools/call", json!({"name": hidden}))["message"], format!("there is no tool `{hidden}`"));
    }
}

#[test]
fn a_resource_that_a_tool_links_to_is_read_where_the_tool_is() {
    let has = || Backend::with(json!({"name": "z"}));
    let (one, two) = (has(), has());
    let server = serve_all(offer(&[("one", &one.url()), ("two", &two.url())], ""), Options::default());
    let session = open_session(server.address());
    let ask = |method: &str, params| result(server.address(), &session, method, params);
    let read = |uri: &str| ask("resources/read", json!({"uri": uri}))["contents"][0]["uri"].clone();
    let linked = ask("tools/call", json!({"name": "two_echo", "arguments": {"link": "z:2"}}));
    assert_eq!(linked["content"][0]["uri"], "z:2");
    assert_eq!(read("z:2"), "z:2");
    assert_eq!((one.seen("resources/read").len(), two.seen("resources/read").len()), (0, 1));
    assert_eq!(read("z:1"), "z:1");
    assert_eq!((one.seen("resources/read").len(), two.seen("resources/read").len()), (1, 1));
    // A link to what its backend does not have is looked for elsewhere.
    ask("tools/call", json!({"name": "two_echo", "arguments": {"link": "q:1"}}));
    assert_eq!(ask("resources/read", json!({"uri": "q:1"}))["code"], -32002);
    assert_eq!((one.seen("resources/read").len(), two.seen("resources/read").len()), (2, 2));
}
