//! Backends that answer badly, byte for byte: their caller is told so, once and under its own id, and what comes after is as
//! if nothing had been.
//!
//! Faults of TLS and of single timeouts are tried in `tls` and in the transport's own tests.

use serde_json::{Value, json};
use vmcp_native::server::Options;

use crate::stage::Stage;
use crate::{offer, open_session, rpc, serve_all};

/// What a backend writes in place of an answer to the request of this id.
type Writes = fn(&Value) -> Vec<u8>;

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

fn result(id: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": "said"}]}})
}

fn document(message: &Value) -> Vec<u8> {
    let (body, head) = (message.to_string(), "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:");
    format!("{head} {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn what_is_no_answer_is_an_error_of_that_call_alone() {
    let faults: [(&str, Writes); 7] = [
        ("nothing", |_| Vec::new()),
        ("garbage", |_| b"\x00\xff\xfe nonsense\r\n\r\n".to_vec()),
        ("a gigantic header", |_| format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(4 << 20)).into_bytes()),
        ("a head that never ends", |_| b"HTTP/1.1 200 OK\r\ncontent-type: applic".to_vec()),
        ("an answer cut in its middle", |id| {
            let whole = document(&result(id));
            whole[..whole.len() - 9].to_vec()
        }),
        ("a stream cut in its middle", |id| {
            let event = format!("event: message\ndata: {}\n\n", result(id));
            [STREAM.as_bytes(), &event.as_bytes()[..event.len() - 9]].concat()
        }),
        ("somebody else's answer", |_| document(&result(&json!(987_654)))),
    ];
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve_all(offer(&[("b", &stage.url())], ""), Options::default());
    let session = open_session(server.address());
    for (id, (fault, writes)) in (10..).step_by(2).zip(faults) {
        let call = |id| rpc(server.address(), &session, id, "tools/call", json!({"name": "b_t"})).json();
        std::thread::scope(|scope| {
            let called = scope.spawn(move || call(id));
            let cue = stage.cue("tools/call");
            let bytes = writes(&cue.body["id"]);
            cue.breaks_off_after(&bytes);
            let answer = called.join().unwrap();
            assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(id), &json!(-32603)), "{fault}: {answer}");
            // It may have run: it was called once.
            assert_eq!(stage.waiting("tools/call"), 0, "{fault}");
            let next = scope.spawn(move || call(id + 1));
            stage.cue("tools/call").result(json!({"content": []}));
            assert_eq!(next.join().unwrap()["result"]["content"], json!([]), "after {fault}");
        });
    }
}

#[test]
fn an_answer_that_comes_twice_is_told_once_and_one_that_comes_byte_by_byte_is_told_whole() {
    let twice: Writes = |id| {
        let event = format!("event: message\ndata: {}\n\n", result(id));
        [STREAM, &event, &event].concat().into_bytes()
    };
    let slow: Writes = |id| document(&result(id));
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve_all(offer(&[("b", &stage.url())], ""), Options::default());
    let session = open_session(server.address());
    for (id, writes) in [(10, twice), (11, slow)] {
        std::thread::scope(|scope| {
            let (address, session) = (server.address(), &session);
            let called = scope.spawn(move || rpc(address, session, id, "tools/call", json!({"name": "b_t"})).text());
            let cue = stage.cue("tools/call");
            let bytes = writes(&cue.body["id"]);
            cue.breaks_off_after(&bytes);
            let answer = called.join().unwrap();
            assert_eq!(answer.matches("said").count(), 1, "{answer}");
            assert_eq!(answer.matches(&format!("\"id\":{id}")).count(), 1, "{answer}");
        });
    }
}
