//! What waits: standing streams, and calls whose client thinks. None of it holds a thread, and none ends because the
//! backend is silent while it is the backend that waits.

use std::io::BufReader;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use vmcp_native::server::{Options, Server};
use vmcp_tests::Scratch;

use crate::backend::{answer, plain, request};
use crate::http::{self, Answer};
use crate::modern::{question, suspended};
use crate::program::{Serving, config};
use crate::stage::Stage;
use crate::streams::{begin, open};
use crate::{ACCEPT, JSON, eventually, offer, post, serve_all};

/// Streams that stand: as many as this process may have open, up to a thousand.
fn streams() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files =
        limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok());
    files.map_or(200, |files: usize| (files / 4).clamp(1, 1000))
}

/// A backend with sessions and standing streams. It needs no thread for one either: an open stream is kept and forgotten.
fn backend_with_streams() -> (SocketAddr, Arc<Mutex<Vec<TcpStream>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let standing = Arc::<Mutex<Vec<TcpStream>>>::default();
    let kept = Arc::clone(&standing);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                while let Some((verb, _, body)) = request(&mut stream) {
                    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                    let out = stream.get_mut();
                    let done = match (verb.as_str(), body["method"].as_str()) {
                        ("GET", _) => {
                            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                            std::io::Write::write_all(out, head.as_bytes()).unwrap();
                            return kept.lock().unwrap().push(stream.into_inner());
                        }
                        (_, Some("initialize")) => {
                            let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                                "serverInfo": {"name": "standing", "version": "1"}});
                            plain(out, 200, Some(&format!("s{number}")), &answer(&body, "result", result))
                        }
                        (_, Some("server/discover")) => plain(out, 400, None, ""),
                        (_, Some("tools/list")) => {
                            let tools = json!({"tools": [{"name": "t", "inputSchema": {"type": "object"}}]});
                            plain(out, 200, None, &answer(&body, "result", tools))
                        }
                        (_, Some("tools/call")) => {
                            plain(out, 200, None, &answer(&body, "result", json!({"content": []})))
                        }
                        _ => plain(out, 202, None, ""),
                    };
                    if done.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, standing)
}

/// Threads of a process.
fn threads(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("Threads:")?.trim().parse().ok()).unwrap()
}

#[test]
fn a_thousand_standing_streams_hold_no_thread() {
    let (backend, standing) = backend_with_streams();
    let folder = Scratch::new();
    folder.write(
        "config.yaml",
        &config(&format!("- {{name: b, url: \"http://{backend}/mcp\", transport: streamable-http}}\n")),
    );
    let serving = Serving::start(folder.path(), &["--config=config.yaml", "--host=127.0.0.1", "--port=0"], &[]);
    let mut connection = Some(BufReader::new(http::connect(serving.address)));
    // A client that can be asked hears what its session at the backend says by itself.
    let mut one_more = |number: usize| {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}},
            "clientInfo": {"name": "t", "version": "1"}});
        let mut session = None;
        for (id, method, params) in
            [(0, "initialize", params), (1, "tools/call", json!({"name": "b_t", "arguments": {}}))]
        {
            let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string();
            let mut headers = vec![JSON, ACCEPT];
            headers.extend(session.as_deref().map(|id| ("mcp-session-id", id)));
            let mut lent = connection.take().unwrap();
            http::write(lent.get_mut(), "POST", "/mcp", &headers, body.as_bytes());
            let mut answer = Answer::read(lent);
            assert_eq!(answer.status, 200, "{number}");
            let own = answer.header("mcp-session-id").map(str::to_owned);
            session = session.take().or(own);
            assert!(answer.json()["result"].is_object(), "{number}");
            connection = Some(answer.connection());
        }
    };
    one_more(0);
    eventually("the first stream stands", || standing.lock().unwrap().len() == 1);
    let before = threads(serving.child.id());
    let streams = streams();
    for number in 1..streams {
        one_more(number);
    }
    eventually("all streams stand", || standing.lock().unwrap().len() == streams);
    let after = threads(serving.child.id());
    assert!(after <= before, "{before} threads with one stream, {after} with {streams}");
    serving.signal("-KILL");
    serving.wait();
}

/// How long a backend may be silent here, and how long a client thinks, which is longer.
const SILENCE: &str = "operational: {timeouts: {default: 1s}}";
const THINKS: Duration = Duration::from_millis(2500);

fn serve(stage: &Stage) -> Server {
    serve_all(offer(&[("b", &stage.url())], SILENCE), Options::default())
}

#[test]
fn a_suspended_call_outlives_the_silence_of_its_backend() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let address = server.address();
    let (cue, retry) = suspended(&stage, address);
    std::thread::sleep(THINKS);
    let second = retry(json!({"action": "accept", "content": {}}));
    assert_eq!(stage.cue("response").body["result"]["action"], "accept");
    cue.say_result(json!({"content": [{"type": "text", "text": "at last"}]}));
    assert_eq!(second().json()["result"]["content"][0]["text"], "at last");
}

#[test]
fn a_suspended_call_that_goes_on_may_be_silent_no_longer_than_any() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let (_cue, retry) = suspended(&stage, server.address());
    let second = retry(json!({"action": "decline"}));
    stage.cue("response");
    // It says nothing more.
    let failed = second().json();
    let message = "backend `b`: tools/call: the answer broke off; whether the tool ran is unknown";
    assert_eq!(failed["error"]["message"], message);
}

#[test]
fn a_client_in_a_session_may_think_for_longer_than_a_backend_may_be_silent() {
    let stage = Stage::start(json!({"tools": {}}));
    let server = serve(&stage);
    let session = open(server.address(), "2025-11-25", json!({"elicitation": {"form": {}}}));
    let answer = begin(server.address(), &session, 7, json!({}));
    let mut cue = stage.cue("tools/call");
    cue.stream();
    cue.say(&question());
    let mut answer = answer();
    answer.primed();
    let question = answer.event().unwrap();
    std::thread::sleep(THINKS);
    let response = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}});
    assert_eq!(post(server.address(), Some(&session), &response.to_string()).status, 202);
    assert_eq!(stage.cue("response").body["id"], "q");
    cue.say_result(json!({"content": []}));
    assert_eq!(answer.event().unwrap()["result"], json!({"content": []}));
}
