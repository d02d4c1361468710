//! What happens between two looks of a client: it is told of it the next time.
//!
//! Every word of the backend is the test's own.

use serde_json::json;
use vmcp_native::server::{Options, Server};

use crate::modern::{begin_as, known};
use crate::stage::Stage;
use crate::streams::{asks, get, open, tells};
use crate::{eventually, offer, serve_all, tools};

fn serve(stage: &Stage) -> Server {
    serve_all(offer(&[("b", &stage.url())], ""), Options::default())
}

#[test]
fn a_result_for_which_a_backend_did_not_wait_for_its_client_waits_for_the_client() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    known(address);
    let (call, can) = (json!({"name": "b_t", "arguments": {}}), json!({"elicitation": {"form": {}}}));
    let answer = begin_as(address, 2, "tools/call", call.clone(), can.clone());
    let mut cue = stage.cue("tools/call");
    cue.stream();
    cue.say(&asks(json!("q"), "elicitation/create", json!({"message": "?", "requestedSchema": {"type": "object"}})));
    let asked = answer().json()["result"].clone();
    assert_eq!(asked["resultType"], "input_required");
    // It has waited long enough itself.
    cue.say_result(json!({"content": [{"type": "text", "text": "without an answer"}]}));
    eventually("the call is over", || !stage.seen("DELETE").is_empty());
    let mut retry = call;
    retry["requestState"] = asked["requestState"].clone();
    retry["inputResponses"] = json!({"q1": {"action": "accept", "content": {}}});
    let told = begin_as(address, 3, "tools/call", retry.clone(), can.clone())().json();
    assert_eq!((&told["id"], &told["result"]["content"][0]["text"]), (&json!(3), &json!("without an answer")));
    // Once, and nobody is given an answer that is no longer wanted.
    let gone = begin_as(address, 4, "tools/call", retry, can)().json();
    assert_eq!(gone["error"]["message"], "the pending call is gone; call again without `requestState`");
    assert_eq!((stage.waiting("response"), stage.seen("tools/call").len()), (0, 1));
}

#[test]
fn a_list_that_changes_before_a_client_opens_its_stream_is_told_when_it_does() {
    let stage = Stage::with_streams(json!({"tools": {"listChanged": true}}));
    let server = serve(&stage);
    let address = server.address();
    let mut standing = stage.cue("GET");
    standing.stream();
    let (early, late) = (open(address, "2025-11-25", json!({})), open(address, "2025-06-18", json!({})));
    assert_eq!((tools(address, &early), tools(address, &late)), (vec!["b_t".to_owned()], vec!["b_t".to_owned()]));
    let mut witness = get(address, &early, None);
    stage.tools(&["t", "u"]);
    for _ in 0..2 {
        standing.say(&tells("notifications/tools/list_changed", json!({})));
        assert_eq!(witness.event().unwrap()["method"], "notifications/tools/list_changed");
    }
    let mut stream = get(address, &late, None);
    let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    assert_eq!(stream.event().unwrap(), changed);
    assert_eq!(tools(address, &late), ["b_t", "b_u"]);
    // Both changes at once; and one that comes while it reads no longer, when it reads again.
    drop(stream);
    let mut again = None;
    standing.say(&tells("notifications/tools/list_changed", json!({})));
    assert_eq!(witness.event().unwrap()["method"], "notifications/tools/list_changed");
    eventually("the closed stream can be opened anew", || {
        let stream = get(address, &late, None);
        (stream.status == 200).then(|| again = Some(stream)).is_some()
    });
    drop(again);
    crate::http::send(address, "DELETE", "/mcp", &[("mcp-session-id", &early)], b"");
    assert_eq!(witness.event(), None, "the first had each change once");
}
