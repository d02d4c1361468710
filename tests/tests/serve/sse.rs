//! A backend that speaks HTTP with SSE (2024-11-05): one stream for all that it says.
//!
//! Every word of it is the test's own, but for the handshake.

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::{Value, json};
use vmcp_native::server::{Options, Server};

use crate::backend::{Request, answer, event, plain, request};
use crate::http::PATIENCE;
use crate::streams::{asks, begin, everything, open, tells};
use crate::{eventually, offer_over, post, serve_all, tools};

/// A server. Its threads end with the process.
#[derive(Clone, Default)]
struct Old(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    /// Streams that were opened; closed ones are gone.
    streams: Vec<Option<TcpStream>>,
    /// What was posted and is the test's to answer: the stream's number and the message.
    posted: Vec<(usize, Value)>,
    endpoint: String,
}

impl Old {
    fn start(endpoint: &str) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/sse", listener.local_addr().unwrap());
        let old = Self::default();
        old.0.0.lock().unwrap().endpoint = endpoint.to_owned();
        let serving = old.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let old = serving.clone();
                thread::spawn(move || old.connection(stream));
            }
        });
        (old, url)
    }

    fn connection(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut path = String::new();
        while let Some((verb, headers, body)) = request_with_path(&mut stream, &mut path) {
            assert!(headers.iter().all(|(name, _)| name != "mcp-session-id"), "the old transport has none");
            let out = stream.get_mut();
            if verb == "GET" {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                out.write_all(head.as_bytes()).unwrap();
                let mut state = self.0.0.lock().unwrap();
                let number = state.streams.len();
                let endpoint = format!("event: endpoint\ndata: {}?s={number}\n\n", state.endpoint);
                out.write_all(format!("{:x}\r\n{endpoint}\r\n", endpoint.len()).as_bytes()).unwrap();
                state.streams.push(Some(out.try_clone().unwrap()));
                continue;
            }
            let number: usize = path.split_once("?s=").unwrap().1.parse().unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            plain(out, 202, None, "").unwrap();
            let result = match body["method"].as_str() {
                Some("initialize") => json!({"protocolVersion": "2024-11-05", "capabilities": {"tools": {}},
                    "serverInfo": {"name": "old", "version": "1"}}),
                Some("tools/list") => json!({"tools": [{"name": "t", "inputSchema": {"type": "object"}}]}),
                Some("notifications/initialized") => continue,
                _ => {
                    self.0.0.lock().unwrap().posted.push((number, body));
                    self.0.1.notify_all();
                    continue;
                }
            };
            self.say(number, &serde_json::from_str(&answer(&body, "result", result)).unwrap());
        }
    }

    /// The next message of this method; `None` is a response.
    fn posted(&self, method: Option<&str>) -> (usize, Value) {
        let is_it = |(_, body): &(usize, Value)| body["method"].as_str() == method;
        let state = self.0.0.lock().unwrap();
        let (mut state, late) =
            self.0.1.wait_timeout_while(state, PATIENCE, |state| !state.posted.iter().any(is_it)).unwrap();
        assert!(!late.timed_out(), "no {method:?} came");
        let place = state.posted.iter().position(is_it).unwrap();
        state.posted.remove(place)
    }

    fn say(&self, stream: usize, message: &Value) {
        event(self.0.0.lock().unwrap().streams[stream].as_mut().unwrap(), &message.to_string()).unwrap();
    }

    fn reply(&self, (stream, request): &(usize, Value), result: Value) {
        self.say(*stream, &serde_json::from_str(&answer(request, "result", result)).unwrap());
    }

    fn close(&self, stream: usize) {
        let closed = self.0.0.lock().unwrap().streams[stream].take().unwrap();
        closed.shutdown(std::net::Shutdown::Both).unwrap();
    }

    fn streams(&self) -> usize {
        self.0.0.lock().unwrap().streams.len()
    }

    /// Whether the other side has closed this stream.
    fn is_closed(&self, stream: usize) -> bool {
        let state = self.0.0.lock().unwrap();
        let stream = state.streams[stream].as_ref().unwrap();
        stream.set_nonblocking(true).unwrap();
        let closed = matches!(stream.peek(&mut [0]), Ok(0));
        stream.set_nonblocking(false).unwrap();
        closed
    }
}

/// As [`request`], and the path.
fn request_with_path(stream: &mut BufReader<TcpStream>, path: &mut String) -> Option<Request> {
    use std::io::BufRead;
    let line = String::from_utf8(stream.fill_buf().ok()?.to_vec()).ok()?;
    *path = line.split(' ').nth(1)?.to_owned();
    request(stream)
}

fn serve(url: &str) -> Server {
    serve_all(offer_over("sse", &[("b", url)], ""), Options::default())
}

#[test]
fn calls_side_by_side_are_answered_on_one_stream_and_each_client_has_its_own() {
    let (old, url) = Old::start("/messages");
    let server = serve(&url);
    let address = server.address();
    let session = open(address, "2025-06-18", json!({}));
    assert_eq!(tools(address, &session), ["b_t"]);
    let first = begin(address, &session, 1, json!({"_meta": {"progressToken": "a"}}));
    let one = old.posted(Some("tools/call"));
    let second = begin(address, &session, 2, json!({"_meta": {"progressToken": "b"}}));
    let two = old.posted(Some("tools/call"));
    assert_eq!((old.streams(), one.0, two.0), (2, 1, 1), "one for lists, one for the client");
    for (call, progress) in [(&one, 1), (&two, 2)] {
        let token = call.1["params"]["_meta"]["progressToken"].clone();
        old.say(call.0, &tells("notifications/progress", json!({"progressToken": token, "progress": progress})));
    }
    // Answered in another order than asked.
    old.reply(&two, json!({"content": [], "n": 2}));
    let mut answer = second();
    assert_eq!(answer.event().unwrap()["params"], json!({"progressToken": "b", "progress": 2}));
    assert_eq!(answer.event().unwrap()["result"]["n"], 2);
    old.reply(&one, json!({"content": [], "n": 1}));
    let mut answer = first();
    assert_eq!(answer.event().unwrap()["params"], json!({"progressToken": "a", "progress": 1}));
    assert_eq!(answer.event().unwrap()["result"]["n"], 1);
    // The stream ends with the session.
    crate::http::send(address, "DELETE", "/mcp", &[("mcp-session-id", &session)], b"");
    eventually("the stream is closed", || old.is_closed(1));
    assert!(!old.is_closed(0));
}

#[test]
fn a_question_on_the_stream_reaches_the_call_and_its_answer_is_posted() {
    let (old, url) = Old::start("/messages");
    let server = serve(&url);
    let address = server.address();
    let session = open(address, "2025-06-18", everything());
    let answer = begin(address, &session, 1, json!({}));
    let call = old.posted(Some("tools/call"));
    old.say(call.0, &asks(json!("q"), "roots/list", json!({})));
    let mut answer = answer();
    let asked = answer.event().unwrap();
    assert_eq!(asked["method"], "roots/list");
    post(address, Some(&session), &json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": []}}).to_string());
    assert_eq!(old.posted(None), (call.0, json!({"jsonrpc": "2.0", "id": "q", "result": {"roots": []}})));
    old.reply(&call, json!({"content": []}));
    assert_eq!(answer.event().unwrap()["id"], 1);
    // Cancelling is said under the backend's id.
    let answer = begin(address, &session, 2, json!({}));
    let call = old.posted(Some("tools/call"));
    post(address, Some(&session), &tells("notifications/cancelled", json!({"requestId": 2})).to_string());
    assert_eq!(old.posted(Some("notifications/cancelled")).1["params"]["requestId"], call.1["id"]);
    assert_eq!(answer().event(), None);
}

#[test]
fn a_stream_that_breaks_fails_its_calls_and_the_next_one_opens_another() {
    let (old, url) = Old::start("/messages");
    let server = serve(&url);
    let address = server.address();
    let session = open(address, "2025-06-18", json!({}));
    let answer = begin(address, &session, 1, json!({}));
    let call = old.posted(Some("tools/call"));
    old.close(call.0);
    let error = answer().json()["error"].clone();
    let message = error["message"].as_str().unwrap();
    assert!(message.ends_with("tools/call: the answer broke off; whether the tool ran is unknown"), "{message}");
    let answer = begin(address, &session, 2, json!({}));
    let call = old.posted(Some("tools/call"));
    assert_eq!(call.0, 2);
    old.reply(&call, json!({"content": []}));
    assert_eq!(answer().json()["id"], 2);
}

#[test]
fn messages_are_posted_to_nobody_but_the_server_of_the_stream() {
    let (_elsewhere, other) = Old::start("/messages");
    let other = other.trim_end_matches("/sse").to_owned();
    let (old, url) = Old::start(&format!("{other}/messages"));
    let server = serve(&url);
    let session = open(server.address(), "2025-06-18", json!({}));
    eventually("its stream was opened", || old.streams() > 0);
    assert_eq!(tools(server.address(), &session), Vec::<String>::new());
}
