//! Results that are long: their first bytes are with the client before the backend has sent the last, nothing of them is
//! kept, and one that breaks off is never taken for whole.
//!
//! How each result is remade, cut at every byte, is tried in the core.

use std::net::SocketAddr;

use serde_json::{Value, json};
use vmcp_native::server::{Options, Server};

use crate::http::{self, Answer, End};
use crate::modern::{begin_as, suspended};
use crate::stage::{Cue, Stage};
use crate::{ACCEPT, JSON, offer, open_session, serve_all};

/// How a backend answers.
#[derive(Clone, Copy, Debug)]
enum By {
    Json,
    Chunks,
    Event,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Session,
    /// The same, which reads nothing but events.
    SessionOfEvents,
    Alone,
    /// The same, which may be asked something in its call.
    AloneAndAskable,
}

const CLIENTS: [Client; 4] = [Client::Session, Client::SessionOfEvents, Client::Alone, Client::AloneAndAskable];
const WAYS: [By; 3] = [By::Json, By::Chunks, By::Event];
/// More than is collected before a response is passed on.
const FIRST: usize = 300_000;

fn text() -> String {
    "long, \u{e9} ".repeat(50_000)
}

/// An answer with this result, as bytes up to within it and the rest.
fn halves(by: By, cue: &Cue, result: &Value) -> (Vec<u8>, Vec<u8>) {
    let body = format!(r#"{{"result":{result},"jsonrpc":"2.0","id":{}}}"#, cue.body["id"]);
    let body = if let By::Event = by { format!("event: message\ndata: {body}\n\n") } else { body };
    let kind = if let By::Event = by { "text/event-stream" } else { "application/json" };
    let (framing, begin, end) = match by {
        By::Json => (format!("content-length: {}", body.len()), String::new(), ""),
        By::Chunks | By::Event => {
            ("transfer-encoding: chunked".to_owned(), format!("{:x}\r\n", body.len()), "\r\n0\r\n\r\n")
        }
    };
    let whole = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{framing}\r\n\r\n{begin}{body}{end}").into_bytes();
    let (first, rest) = whole.split_at(FIRST);
    (first.to_vec(), rest.to_vec())
}

fn serve(stage: &Stage) -> Server {
    serve_all(offer(&[("b", &stage.url())], ""), Options::default())
}

/// Calls the tool; the answer is read later.
fn calls(address: SocketAddr, client: Client, id: u32) -> Box<dyn FnOnce() -> Answer> {
    let params = json!({"name": "b_t", "arguments": {}});
    let (session, accept) = match client {
        Client::Alone => return Box::new(begin_as(address, id, "tools/call", params, json!({}))),
        Client::AloneAndAskable => {
            return Box::new(begin_as(address, id, "tools/call", params, json!({"elicitation": {"form": {}}})));
        }
        Client::Session => (open_session(address), ACCEPT),
        Client::SessionOfEvents => (open_session(address), ("accept", "text/event-stream")),
    };
    let body = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string();
    let mut connection = http::connect(address);
    http::write(&mut connection, "POST", "/mcp", &[JSON, accept, ("mcp-session-id", &session)], body.as_bytes());
    Box::new(|| Answer::read(std::io::BufReader::new(connection)))
}

/// The message in a body.
fn message(client: Client, body: &str) -> Value {
    let data = match client {
        Client::SessionOfEvents => {
            body.strip_prefix("event: message\ndata: ").and_then(|body| body.strip_suffix("\n\n")).unwrap()
        }
        _ => body,
    };
    serde_json::from_str(data).unwrap()
}

#[test]
fn the_first_bytes_are_there_before_the_backend_has_sent_the_last() {
    for stage in [Stage::start(json!({"tools": {}})), Stage::modern(json!({"tools": {}}))] {
        let server = serve(&stage);
        let result = json!({"resultType": "complete", "content": [{"type": "text", "text": text()}], "x/y": [1.50]});
        for (id, (by, client)) in (1..).zip(WAYS.into_iter().flat_map(|by| CLIENTS.map(|client| (by, client)))) {
            let answer = calls(server.address(), client, id);
            let mut cue = stage.cue("tools/call");
            let (first, rest) = halves(by, &cue, &result);
            cue.writes(&first);
            let mut answer = answer();
            let kind = if client == Client::SessionOfEvents { "text/event-stream" } else { "application/json" };
            assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{by:?} {client:?}");
            let mut body = answer.chunk().unwrap();
            cue.writes(&rest);
            while let Some(chunk) = answer.chunk() {
                body.extend(chunk);
            }
            let said = message(client, &String::from_utf8(body).unwrap());
            let at = format!("{by:?} to {client:?}");
            assert_eq!((&said["id"], &said["jsonrpc"]), (&json!(id), &json!("2.0")), "{at}");
            assert_eq!(said["result"]["content"], result["content"], "{at}");
            assert_eq!(said["result"]["x/y"].to_string(), "[1.5]", "{at}");
            let is_alone = matches!(client, Client::Alone | Client::AloneAndAskable);
            let server = &said["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]["name"];
            assert_eq!(server == "gateway", is_alone, "{at}");
            assert!(!is_alone || said["result"]["resultType"] == "complete", "{at}");
        }
    }
}

#[test]
fn what_breaks_off_is_broken_off() {
    let stage = Stage::modern(json!({"tools": {}}));
    let server = serve(&stage);
    let result = json!({"content": [{"type": "text", "text": text()}]});
    let mut id = 0;
    for by in WAYS {
        for client in CLIENTS {
            for more in ["", "\n", "\u{7}", "\"}]}]]]]]]"] {
                id += 1;
                let answer = calls(server.address(), client, id);
                let mut cue = stage.cue("tools/call");
                cue.writes(&halves(by, &cue, &result).0);
                let mut answer = answer();
                let mut said = answer.chunk().unwrap();
                cue.breaks_off_after(more.as_bytes());
                let (rest, end) = answer.rest();
                assert_eq!(end, End::BrokenOff, "{more:?} by {by:?} to {client:?}");
                said.extend(rest);
                let whole = serde_json::from_slice::<Value>(&said).is_ok() || said.ends_with(b"\n\n");
                assert!(!whole, "{more:?} by {by:?} to {client:?}");
            }
        }
    }
    // Others are answered as if nothing had been.
    let answer = calls(server.address(), Client::Session, 1);
    stage.cue("tools/call").result(json!({"content": []}));
    assert_eq!(answer().json()["result"]["content"], json!([]));
}

#[test]
fn a_result_that_says_late_that_it_is_none_is_broken_off() {
    let stage = Stage::modern(json!({"tools": {}}));
    let server = serve(&stage);
    for client in CLIENTS {
        let answer = calls(server.address(), client, 1);
        let mut cue = stage.cue("tools/call");
        let result = json!({"content": [{"type": "text", "text": text()}], "resultType": "input_required"});
        let (first, rest) = halves(By::Json, &cue, &result);
        cue.writes(&first);
        let mut answer = answer();
        answer.chunk().unwrap();
        cue.writes(&rest);
        assert_eq!(answer.rest().1, End::BrokenOff, "{client:?}");
    }
}

#[test]
fn what_may_be_asked_for_again_or_stands_among_others_comes_whole() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    let result = json!({"content": [{"type": "text", "text": text()}]});
    // On a stream that can be resumed, behind progress.
    let session = crate::streams::open(address, "2025-11-25", json!({}));
    let answer = crate::streams::begin(address, &session, 7, json!({"_meta": {"progressToken": "p"}}));
    let mut cue = stage.cue("tools/call");
    let token = cue.body["params"]["_meta"]["progressToken"].clone();
    cue.stream();
    cue.say(&json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": 1}}));
    let mut answer = answer();
    answer.primed();
    assert_eq!(answer.event().unwrap()["params"]["progressToken"], "p");
    cue.say_result(result.clone());
    let said = answer.event().unwrap();
    assert_eq!((&said["id"], &said["result"]), (&json!(7), &result));
    // In a batch.
    let session = crate::streams::open(address, "2025-03-26", json!({}));
    let call = |id: u32| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "b_t"}});
    let body = json!([call(1), call(2)]).to_string();
    let mut connection = http::connect(address);
    http::write(&mut connection, "POST", "/mcp", &[JSON, ACCEPT, ("mcp-session-id", &session)], body.as_bytes());
    for _ in 0..2 {
        let mut cue = stage.cue("tools/call");
        let (first, rest) = halves(By::Chunks, &cue, &result);
        cue.writes(&[first, rest].concat());
    }
    let said = Answer::read(std::io::BufReader::new(connection)).json();
    let mut said = said.as_array().unwrap().clone();
    said.sort_by_key(|message| message["id"].as_u64());
    for (id, message) in [1, 2].into_iter().zip(said) {
        assert_eq!((&message["id"], &message["result"]), (&json!(id), &result));
    }
}

#[test]
fn the_last_event_of_a_stream_that_nobody_resumes_comes_as_it_arrives() {
    let stage = Stage::modern(json!({"tools": {}}));
    let server = serve(&stage);
    let params = json!({"name": "b_t", "arguments": {}, "_meta": {"progressToken": "p"}});
    let answer = begin_as(server.address(), 5, "tools/call", params, json!({}));
    let mut cue = stage.cue("tools/call");
    let token = cue.body["params"]["_meta"]["progressToken"].clone();
    cue.stream();
    cue.say(&json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": 1}}));
    let mut answer = answer();
    assert_eq!(answer.event().unwrap()["params"]["progressToken"], "p");
    let event = format!(
        "event: message\ndata: {}\n\n",
        json!({"jsonrpc": "2.0", "id": cue.body["id"], "result": {"content": [{"type": "text", "text": text()}]}})
    );
    let (first, rest) = event.split_at(FIRST);
    cue.raw(first);
    let mut said = answer.chunk().unwrap();
    assert!(said.starts_with(b"event: message\ndata: {"));
    cue.raw(rest);
    cue.end();
    let (more, end) = answer.rest();
    said.extend(more);
    assert_eq!(end, End::Whole);
    let said = String::from_utf8(said).unwrap();
    let data = said.strip_prefix("event: message\ndata: ").and_then(|said| said.strip_suffix("\n\n")).unwrap();
    let said: Value = serde_json::from_str(data).unwrap();
    assert_eq!((&said["id"], &said["result"]["content"][0]["text"]), (&json!(5), &json!(text())));
}

#[test]
fn who_comes_again_to_a_suspended_call_gets_its_result_under_the_new_id() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let (cue, retry) = suspended(&stage, server.address());
    let second = retry(json!({"action": "decline"}));
    stage.cue("response");
    cue.say_result(json!({"content": [{"type": "text", "text": text()}]}));
    let said = second().json();
    assert_eq!((&said["id"], &said["result"]["content"][0]["text"]), (&json!(3), &json!(text())));
}

/// What a process has held at most, in KiB.
#[cfg(target_os = "linux")]
fn peak(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok()).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn of_a_gigantic_result_nothing_is_kept_and_of_one_that_breaks_off_the_log_says_whose_it_was() {
    use std::io::Read as _;

    use crate::program::{Serving, config};
    const MIB: usize = 64;

    let stage = Stage::modern(json!({"tools": {}}));
    let folder = vmcp_tests::Scratch::new();
    let backend = format!("- {{name: big-one, url: \"{}\", transport: streamable-http}}\n", stage.url());
    folder.write("config.yaml", &config(&backend).replace("{workload}_", "b_"));
    let arguments = ["--config=config.yaml", "--host=127.0.0.1", "--port=0"];
    let serving = Serving::start(folder.path(), &arguments, &[]);
    let mebibyte = "x".repeat(1 << 20);
    for (id, (by, client)) in (1..).zip([(By::Json, Client::Alone), (By::Event, Client::Session)]) {
        // What a first call needs is there.
        let answer = calls(serving.address, client, 100 + id);
        stage.cue("tools/call").result(json!({"content": []}));
        assert_eq!(answer().status, 200);
        let before = peak(serving.child.id());
        let answer = calls(serving.address, client, id);
        let mut cue = stage.cue("tools/call");
        let (begin, end) = (
            format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"content":[{{"type":"text","text":""#, cue.body["id"]),
            r#""}]}}"#,
        );
        let body = begin.len() + MIB * mebibyte.len() + end.len();
        let (head, begin, end) = match by {
            By::Event => (
                "content-type: text/event-stream\r\nconnection: close".to_owned(),
                format!("data: {begin}"),
                format!("{end}\n\n"),
            ),
            _ => (format!("content-type: application/json\r\ncontent-length: {body}"), begin, end.to_owned()),
        };
        let writing = std::thread::spawn(move || {
            cue.writes(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{begin}").as_bytes());
            let mebibyte = "x".repeat(1 << 20);
            for _ in 0..MIB {
                cue.writes(mebibyte.as_bytes());
            }
            cue.breaks_off_after(end.as_bytes());
        });
        let mut connection = answer().connection();
        let (mut said, mut portion) = (0, vec![0; 1 << 16]);
        while !portion.ends_with(b"0\r\n\r\n") {
            portion.resize(1 << 16, 0);
            let read = connection.read(&mut portion).unwrap();
            portion.truncate(read);
            said += portion.iter().filter(|byte| **byte == b'x').count();
        }
        writing.join().unwrap();
        // `complete` and `text` and what the gateway is called have a few more.
        assert!((0..16).contains(&(said - (MIB << 20))), "{said}");
        let grown = peak(serving.child.id()) - before;
        assert!(grown < 8 << 10, "{grown} KiB more for {by:?}");
    }
    let answer = calls(serving.address, Client::Session, 9);
    let mut cue = stage.cue("tools/call");
    let result = json!({"content": [{"type": "text", "text": text()}]});
    cue.writes(&halves(By::Json, &cue, &result).0);
    let mut answer = answer();
    answer.chunk().unwrap();
    cue.breaks_off_after(b"");
    assert_eq!(answer.rest().1, End::BrokenOff);
    serving.signal("-TERM");
    let said = serving.wait().err;
    let failed = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let failed: Vec<_> = failed.filter(|event| event["msg"] == "call failed").collect();
    let [failed] = &failed[..] else { panic!("{said}") };
    assert_eq!((&failed["backend"], &failed["level"]), (&json!("big-one"), &json!("WARN")));
    let error = failed["error"].as_str().unwrap();
    assert!(error.starts_with("tools/call: the answer broke off: "), "{error}");
}
