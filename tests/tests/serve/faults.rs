//! Backends that answer badly, byte for byte: their caller is told so, once and under its own id, and what comes after is as
//! if nothing had been.
//!
//! Faults of TLS and of single timeouts are tried in `tls` and in the transport's own tests.

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use vmcp_native::server::Options;

use crate::backend::{Backend, answer, plain, request};
use crate::modern::{begin_as, known};
use crate::stage::Stage;
use crate::streams::{asks, begin, get, open, tells};
use crate::{call, eventually, offer, open_session, rpc, serve_all, tools};

/// What a backend writes in place of an answer to the request of this id.
type Writes = fn(&Value) -> Vec<u8>;

/// What a backend does in place of answering the request of this id, until the connection is closed.
type Hangs = fn(&mut TcpStream, &Value);

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
    let faults: [(&str, Writes); 10] = [
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
        ("an event that is none", |_| format!("{STREAM}data: nonsense\n\n").into_bytes()),
        ("too many headers", |_| format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(200)).into_bytes()),
        ("somebody else's answer", |_| document(&result(&json!(987_654)))),
        ("somebody else's event", |_| format!("{STREAM}data: {}\n\n", result(&json!(987_654))).into_bytes()),
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

/// Nothing more comes, until the other side gives up.
fn hangs(out: &mut TcpStream, begun: &str) {
    if out.write_all(begun.as_bytes()).is_ok() {
        drop(std::io::Read::read(out, &mut [0]));
    }
}

/// Something comes, and never an answer, until the other side gives up.
fn drips(out: &mut TcpStream, begun: &str, drop: &str) {
    if out.write_all(begun.as_bytes()).is_err() {
        return;
    }
    while out.write_all(drop.as_bytes()).is_ok() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Backends whose answers do not end.
const ENDLESS: [(&str, Hangs); 7] = [
    ("no-head", |out, _| hangs(out, "")),
    ("half-a-head", |out, _| hangs(out, "HTTP/1.1 200 OK\r\ncontent-ty")),
    ("head-only", |out, _| {
        hangs(out, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n")
    }),
    ("stream-only", |out, _| hangs(out, STREAM)),
    ("half-an-event", |out, id| hangs(out, &format!("{STREAM}data: {{\"jsonrpc\":\"2.0\",\"id\":{id},"))),
    ("comments", |out, _| drips(out, STREAM, ": keep-alive\n\n")),
    ("bytes", |out, _| drips(out, &format!("{STREAM}data: "), "x")),
];

/// A server that answers `initialize`, and anything else when it is well.
struct Endless {
    url: String,
    is_well: Arc<AtomicBool>,
}

impl Endless {
    fn start(hangs: Hangs) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let is_well = Arc::<AtomicBool>::default();
        let well = Arc::clone(&is_well);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let well = Arc::clone(&well);
                std::thread::spawn(move || {
                    let mut stream = BufReader::new(stream);
                    while let Some((_, _, body)) = request(&mut stream) {
                        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                        let out = stream.get_mut();
                        let result = match body["method"].as_str() {
                            Some("initialize") => {
                                json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                                "serverInfo": {"name": "endless", "version": "1"}})
                            }
                            Some("tools/list" | "tools/call") if !well.load(Ordering::SeqCst) => {
                                return hangs(out, &body["id"]);
                            }
                            Some("tools/list") => json!({"tools": [{"name": "t", "inputSchema": {"type": "object"}}]}),
                            Some("tools/call") => json!({"content": []}),
                            _ => {
                                let status = if body.get("id").is_some() { 404 } else { 202 };
                                if plain(out, status, None, "").is_err() {
                                    return;
                                }
                                continue;
                            }
                        };
                        if plain(out, 200, None, &answer(&body, "result", result)).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, is_well }
    }

    fn is_well(&self, well: bool) {
        self.is_well.store(well, Ordering::SeqCst);
    }
}

#[test]
fn a_list_or_an_answer_without_an_end_costs_its_own_callers_a_moment_and_nobody_else_anything() {
    let endless = ENDLESS.map(|(name, hangs)| (name, Endless::start(hangs)));
    let well = Backend::start();
    let backends: Vec<_> = endless.iter().map(|(name, backend)| (*name, backend.url.as_str())).collect();
    let backends =
        [vec![("well", well.url())], backends.into_iter().map(|(n, u)| (n, u.to_owned())).collect()].concat();
    let backends: Vec<_> = backends.iter().map(|(name, url)| (*name, url.as_str())).collect();
    let short: Vec<_> = endless.iter().map(|(name, _)| format!("{name}: 200ms")).collect();
    let short = format!("operational: {{timeouts: {{perWorkload: {{{}}}}}}}", short.join(", "));
    let server = serve_all(offer(&backends, &short), Options::default());
    let address = server.address();
    let session = open_session(address);
    let of_well = ["well_echo", "well_fail", "well_slow", "well_wait"];
    assert_eq!(tools(address, &session), of_well, "the list goes without those that have none");
    let mut stream = get(address, &session, None);
    endless.iter().for_each(|(_, backend)| backend.is_well(true));
    eventually("all are listed", || tools(address, &session).len() == of_well.len() + endless.len());
    let told = std::iter::from_fn(|| stream.event()).find(|told| told["method"] == "notifications/tools/list_changed");
    assert!(told.is_some(), "nobody said that there are more now");
    endless.iter().for_each(|(_, backend)| backend.is_well(false));
    std::thread::scope(|scope| {
        let calls: Vec<_> = (10..)
            .zip(&endless)
            .map(|(id, (name, _))| {
                let session = &session;
                (name, id, scope.spawn(move || call(address, session, id, &format!("{name}_t")).json()))
            })
            .collect();
        assert!(call(address, &session, 5, "well_echo").json()["result"].is_object());
        for (name, id, called) in calls {
            let answer = called.join().unwrap();
            let message = answer["error"]["message"].as_str().unwrap_or_else(|| panic!("{name}: {answer}"));
            assert!(message.ends_with("; whether the tool ran is unknown"), "{message}");
            assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(id), &json!(-32603)), "{name}");
        }
    });
    endless.iter().for_each(|(_, backend)| backend.is_well(true));
    for (id, (name, _)) in (30..).zip(&endless) {
        assert_eq!(
            call(address, &session, id, &format!("{name}_t")).json()["result"],
            json!({"content": []}),
            "{name}"
        );
    }
}

#[test]
fn a_backend_that_is_killed_in_a_call_fails_that_call_once_and_serves_the_next_when_it_is_back() {
    let backend = Backend::start();
    let server = serve_all(offer(&[("b", &backend.url())], ""), Options::default());
    let (address, session) = (server.address(), open_session(server.address()));
    for (round, tool) in [(0, "wait"), (10, "slow")] {
        let called =
            |tool: &str| backend.seen("tools/call").iter().filter(|call| call.body["params"]["name"] == tool).count();
        std::thread::scope(|scope| {
            let session = &session;
            let waiting = scope.spawn(move || call(address, session, round + 1, &format!("b_{tool}")).text());
            eventually("the call runs", || called(tool) == 1);
            backend.stop();
            let said = waiting.join().unwrap();
            assert_eq!(said.matches("whether the tool ran is unknown").count(), 1, "{said}");
            let down = call(address, session, round + 2, "b_echo").json();
            let message = down["error"]["message"].as_str().unwrap();
            assert!(message.ends_with("; the tool was not called"), "{message}");
            backend.restart();
            assert!(call(address, session, round + 3, "b_echo").json()["result"].is_object());
            assert_eq!(called(tool), 1, "what may have run is not called again");
        });
    }
}

#[test]
fn a_client_without_sessions_that_is_gone_takes_its_call_with_it_at_a_backend_of_either_revision() {
    let (old, new) = (Stage::start(json!({"tools": {}})), Stage::modern(json!({"tools": {}})));
    let server = serve_all(offer(&[("old", &old.url()), ("new", &new.url())], ""), Options::default());
    let address = server.address();
    eventually("both are listed", || {
        let list = begin_as(address, 1, "tools/list", json!({}), json!({}))().json();
        list["result"]["tools"].as_array().is_some_and(|tools| tools.len() == 2)
    });
    let call = |tool: &str| {
        let params = json!({"name": tool, "arguments": {}, "_meta": {"progressToken": "p"}});
        begin_as(address, 2, "tools/call", params, json!({}))
    };
    for streams in [false, true] {
        for (stage, tool) in [(&old, "old_t"), (&new, "new_t")] {
            let answer = call(tool);
            let mut cue = stage.cue("tools/call");
            if streams {
                cue.stream();
                let token = cue.body["params"]["_meta"]["progressToken"].clone();
                cue.say(&tells("notifications/progress", json!({"progressToken": token, "progress": 1})));
                let mut answer = answer();
                assert_eq!(answer.event().unwrap()["params"]["progressToken"], "p");
                drop(answer);
            } else {
                drop(answer);
            }
            cue.is_left();
            if !stage.seen("initialize").is_empty() {
                let cancelled = stage.cue("notifications/cancelled");
                assert_eq!(cancelled.body["params"]["requestId"], cue.body["id"]);
            }
        }
    }
    assert!(new.seen("notifications/cancelled").is_empty(), "there the closed stream says it");
}

#[test]
fn a_client_that_is_gone_after_it_has_answered_takes_its_call_with_it() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve_all(offer(&[("b", &stage.url())], ""), Options::default());
    let address = server.address();
    known(address);
    let (call, can) = (json!({"name": "b_t", "arguments": {}}), json!({"elicitation": {"form": {}}}));
    let asked = begin_as(address, 2, "tools/call", call.clone(), can.clone());
    let mut cue = stage.cue("tools/call");
    cue.stream();
    cue.say(&asks(json!("q"), "elicitation/create", json!({"message": "?", "requestedSchema": {"type": "object"}})));
    let mut retry = call;
    retry["requestState"] = asked().json()["result"]["requestState"].clone();
    assert_eq!(stage.waiting("notifications/cancelled"), 0, "the end of an answer that asks is none of the call");
    retry["inputResponses"] = json!({"q1": {"action": "accept", "content": {}}});
    let answer = begin_as(address, 3, "tools/call", retry, can);
    stage.cue("response");
    drop(answer);
    assert_eq!(stage.cue("notifications/cancelled").body["params"]["requestId"], cue.body["id"]);
    cue.is_left();
}

#[test]
fn a_call_whose_stream_is_lost_at_the_backend_goes_on_after_its_last_event() {
    let stage = Stage::with_streams(json!({"tools": {}}));
    let server = serve_all(offer(&[("b", &stage.url())], ""), Options::default());
    let address = server.address();
    let session = open(address, "2025-06-18", json!({}));
    let answer = begin(address, &session, 7, json!({}));
    let mut cue = stage.cue("tools/call");
    let id = cue.body["id"].clone();
    cue.stream();
    cue.raw("id: e1\nretry: 100\ndata: \n\n");
    // In the middle of an event.
    cue.breaks_off_after(b"99\r\ndata: {");
    let mut rest = stage.cue("GET");
    assert_eq!(rest.header("last-event-id"), Some("e1"));
    rest.stream();
    rest.say(&result(&id));
    let said = answer().json();
    assert_eq!((&said["id"], &said["result"]["content"][0]["text"]), (&json!(7), &json!("said")));
    assert_eq!(stage.seen("tools/call").len(), 1);
    // Where events have no names, nobody knows.
    let answer = begin(address, &session, 8, json!({}));
    let mut cue = stage.cue("tools/call");
    cue.stream();
    cue.breaks_off_after(b"99\r\ndata: {");
    let message = answer().json()["error"]["message"].clone();
    assert_eq!(message, "backend `b`: tools/call: the answer broke off; whether the tool ran is unknown");
}
