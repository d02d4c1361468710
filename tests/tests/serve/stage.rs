//! A legacy MCP server whose every word a test decides: it hands over the requests that the test wants to see, and
//! answers the others.
//!
//! It checks nothing that a test does not need.

use std::io::{BufReader, Read as _, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vmcp_core::mcp::Era;

use crate::backend::{answer, event, plain, request};
use crate::http::PATIENCE;

/// A running server. Its threads end with the process.
#[derive(Clone)]
pub(crate) struct Stage(Arc<Shared>);

struct Shared {
    address: SocketAddr,
    capabilities: Value,
    era: Mutex<Era>,
    sessions: AtomicUsize,
    /// Sessions below this number are no longer known.
    forgotten: AtomicUsize,
    /// Requests that were not answered here, and nobody has taken yet.
    waiting: Mutex<Vec<Cue>>,
    arrived: Condvar,
    seen: Mutex<Vec<Value>>,
    /// The headers of all requests.
    sent: Mutex<Vec<(String, String)>>,
    tools: Mutex<Vec<&'static str>>,
    /// Whether it has standing streams.
    streams: AtomicBool,
    /// Whether it has a tool `asks` for clients that can be asked.
    varies: AtomicBool,
    /// Whether the test answers when it is asked for tools.
    holds_tools: AtomicBool,
    /// What each session has declared.
    declared: Mutex<Vec<(String, Value)>>,
    /// Tools of single sessions.
    own_tools: Mutex<Vec<(String, &'static str)>>,
}

/// A request that the test answers.
pub(crate) struct Cue {
    /// Its method; `GET` for a stream.
    pub(crate) method: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
    out: TcpStream,
}

impl Stage {
    /// A server with these capabilities, and a tool `t`.
    pub(crate) fn start(capabilities: Value) -> Self {
        Self::of(Era::Legacy, capabilities)
    }

    /// The same without sessions (2026-07-28).
    pub(crate) fn modern(capabilities: Value) -> Self {
        Self::of(Era::Modern, capabilities)
    }

    fn of(era: Era, capabilities: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Arc::new(Shared {
            address: listener.local_addr().unwrap(),
            capabilities,
            era: Mutex::new(era),
            sessions: AtomicUsize::new(0),
            forgotten: AtomicUsize::new(0),
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            seen: Mutex::default(),
            sent: Mutex::default(),
            tools: Mutex::new(vec!["t"]),
            streams: AtomicBool::new(false),
            varies: AtomicBool::new(false),
            holds_tools: AtomicBool::new(false),
            declared: Mutex::default(),
            own_tools: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&serving);
                thread::spawn(move || shared.connection(stream));
            }
        });
        Self(shared)
    }

    /// The same, with standing streams.
    pub(crate) fn with_streams(capabilities: Value) -> Self {
        let stage = Self::start(capabilities);
        stage.0.streams.store(true, Ordering::SeqCst);
        stage
    }

    /// From now on it has no sessions (2026-07-28): it knows none of those that were opened, and none on standing streams.
    pub(crate) fn becomes_modern(&self) {
        *self.0.era.lock().unwrap() = Era::Modern;
        self.0.streams.store(false, Ordering::SeqCst);
        self.forget();
    }

    /// From now on it has a tool `asks` for clients that declare elicitation.
    pub(crate) fn varies(&self) {
        self.0.varies.store(true, Ordering::SeqCst);
    }

    /// From now on it answers `tools/list` only when the test does.
    pub(crate) fn holds_tools(&self) {
        self.0.holds_tools.store(true, Ordering::SeqCst);
    }

    /// A tool that is listed in this session alone.
    pub(crate) fn tool_of(&self, session: &str, tool: &'static str) {
        self.0.own_tools.lock().unwrap().push((session.to_owned(), tool));
    }

    /// What it lists from now on.
    pub(crate) fn tools(&self, tools: &[&'static str]) {
        *self.0.tools.lock().unwrap() = tools.to_vec();
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.0.address)
    }

    /// What the session of a request was opened with: the client's capabilities.
    pub(crate) fn declared_for(&self, cue: &Cue) -> Value {
        let session = cue.header("mcp-session-id").unwrap();
        let declared = self.0.declared.lock().unwrap();
        declared.iter().find(|(id, _)| id == session).unwrap().1.clone()
    }

    /// The next request of this method: `tools/call`, `GET`, or `response` for what answers a request of this server.
    pub(crate) fn cue(&self, method: &str) -> Cue {
        let is_it = |cue: &Cue| cue.method == method;
        let waiting = self.0.waiting.lock().unwrap();
        let (mut waiting, late) =
            self.0.arrived.wait_timeout_while(waiting, PATIENCE, |waiting| !waiting.iter().any(is_it)).unwrap();
        assert!(!late.timed_out(), "no {method} came; seen: {:?}", self.0.seen.lock().unwrap());
        let place = waiting.iter().position(is_it).unwrap();
        waiting.remove(place)
    }

    /// How many of this method nobody has taken.
    pub(crate) fn waiting(&self, method: &str) -> usize {
        self.0.waiting.lock().unwrap().iter().filter(|cue| cue.method == method).count()
    }

    /// The bodies of this method so far.
    pub(crate) fn seen(&self, method: &str) -> Vec<Value> {
        self.0.seen.lock().unwrap().iter().filter(|body| body["method"] == method).cloned().collect()
    }

    /// The same, once there are so many.
    pub(crate) fn seen_so_often(&self, method: &str, count: usize) -> Vec<Value> {
        let patience = Instant::now() + PATIENCE;
        let mut waiting = self.0.waiting.lock().unwrap();
        loop {
            let seen = self.seen(method);
            if seen.len() >= count {
                return seen;
            }
            assert!(Instant::now() < patience, "{method} came {} times, not {count}", seen.len());
            // What is answered at once wakes nobody.
            waiting = self.0.arrived.wait_timeout(waiting, Duration::from_millis(20)).unwrap().0;
        }
    }

    /// The values of a header that came with any request.
    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        self.0.sent.lock().unwrap().iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }

    /// From now on, no session that was opened is known.
    pub(crate) fn forget(&self) {
        self.0.forgotten.store(self.0.sessions.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

impl Cue {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Answers with a result.
    pub(crate) fn result(mut self, result: Value) {
        plain(&mut self.out, 200, None, &answer(&self.body, "result", result)).unwrap();
    }

    /// Answers with an error.
    pub(crate) fn error(mut self, status: u16, error: Value) {
        plain(&mut self.out, status, None, &answer(&self.body, "error", error)).unwrap();
    }

    /// Answers with this head and no body.
    pub(crate) fn bare(mut self, head: &str) {
        self.out.write_all(format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n").as_bytes()).unwrap();
    }

    /// Writes this, byte by byte as far as the system sends it so, and closes the connection.
    pub(crate) fn breaks_off_after(mut self, bytes: &[u8]) {
        self.out.set_nodelay(true).unwrap();
        let (slowly, rest) = bytes.split_at(bytes.len().min(400));
        // Who refuses what it reads may be gone before the end of it.
        let written = slowly.iter().try_for_each(|byte| self.out.write_all(&[*byte]));
        drop(written.and_then(|()| self.out.write_all(rest)));
        drop(self.out.shutdown(std::net::Shutdown::Both));
    }

    /// Writes bytes of an answer.
    pub(crate) fn writes(&mut self, bytes: &[u8]) {
        self.out.write_all(bytes).unwrap();
    }

    /// Waits until the other side has closed the connection.
    pub(crate) fn is_left(&mut self) {
        self.out.set_read_timeout(Some(PATIENCE)).unwrap();
        match self.out.read(&mut [0]) {
            Ok(0) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            other => panic!("the connection stands: {other:?}"),
        }
    }

    /// Begins a stream.
    pub(crate) fn stream(&mut self) {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        self.out.write_all(head.as_bytes()).unwrap();
    }

    /// One message on it.
    pub(crate) fn say(&mut self, message: &Value) {
        event(&mut self.out, &message.to_string()).unwrap();
    }

    /// Text on it, as it stands.
    pub(crate) fn raw(&mut self, text: &str) {
        self.out.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).unwrap();
    }

    /// The result, and the end of the stream.
    pub(crate) fn say_result(mut self, result: Value) {
        let message: Value = serde_json::from_str(&answer(&self.body, "result", result)).unwrap();
        self.say(&message);
        self.end();
    }

    /// The end of the stream.
    pub(crate) fn end(mut self) {
        self.out.write_all(b"0\r\n\r\n").unwrap();
    }
}

impl Shared {
    fn era(&self) -> Era {
        *self.era.lock().unwrap()
    }

    fn connection(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some((verb, headers, body)) = request(&mut stream) {
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let answers = body.get("result").is_some() || body.get("error").is_some();
            let method = match body["method"].as_str() {
                Some(method) => method.to_owned(),
                None if answers => "response".to_owned(),
                None => verb.clone(),
            };
            let mut shown = body.clone();
            if !shown.is_object() {
                shown = json!({});
            }
            shown["method"] = json!(method);
            self.seen.lock().unwrap().push(shown);
            self.sent.lock().unwrap().extend(headers.iter().cloned());
            let session = headers.iter().find(|(name, _)| name == "mcp-session-id").map(|(_, value)| value.clone());
            let number = session.as_deref().and_then(|id| id.strip_prefix('s')?.parse::<usize>().ok());
            let known = number.is_some_and(|number| number >= self.forgotten.load(Ordering::SeqCst));
            let out = stream.get_mut();
            let done = match method.as_str() {
                "initialize" if self.era() == Era::Modern => plain(out, 404, None, ""),
                "initialize" => {
                    let id = format!("s{}", self.sessions.fetch_add(1, Ordering::SeqCst));
                    self.declared.lock().unwrap().push((id.clone(), body["params"]["capabilities"].clone()));
                    let result = json!({"protocolVersion": "2025-11-25", "capabilities": self.capabilities,
                        "serverInfo": {"name": "stage", "version": "1"}});
                    plain(out, 200, Some(&id), &answer(&body, "result", result))
                }
                "server/discover" if self.era() == Era::Modern => {
                    let result = json!({"resultType": "complete", "supportedVersions": ["2026-07-28"],
                        "capabilities": self.capabilities, "ttlMs": 0, "cacheScope": "private"});
                    plain(out, 200, None, &answer(&body, "result", result))
                }
                "server/discover" => plain(out, 400, None, ""),
                // A session is named, and there are none.
                _ if self.era() == Era::Modern && session.is_some() => plain(out, 404, None, ""),
                _ if !known && self.era() == Era::Legacy => plain(out, 404, None, ""),
                "DELETE" => plain(out, 200, None, ""),
                "GET" if !self.streams.load(Ordering::SeqCst) => plain(out, 405, None, ""),
                "tools/list" if !self.holds_tools.load(Ordering::SeqCst) => {
                    // A tool of this name runs as a task only.
                    let tool = |name: &&str| match *name {
                        "task" => {
                            json!({"name": name, "inputSchema": {"type": "object"}, "execution": {"taskSupport": "required"}})
                        }
                        _ => json!({"name": name, "inputSchema": {"type": "object"}}),
                    };
                    let session = session.unwrap_or_default();
                    let mut names = self.tools.lock().unwrap().clone();
                    let declared = self.declared.lock().unwrap().iter().find(|(id, _)| *id == session).cloned();
                    let own = body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"].clone();
                    let declared = declared.map_or(own, |(_, declared)| declared);
                    if self.varies.load(Ordering::SeqCst) && declared.get("elicitation").is_some() {
                        names.push("asks");
                    }
                    let of_session = self.own_tools.lock().unwrap().clone();
                    names.extend(of_session.iter().filter(|(id, _)| *id == session).map(|(_, tool)| *tool));
                    let tools: Vec<_> = names.iter().map(tool).collect();
                    plain(out, 200, None, &answer(&body, "result", json!({"tools": tools})))
                }
                "resources/list" => {
                    let resources = json!([{"name": "r", "uri": "x://r"}]);
                    plain(out, 200, None, &answer(&body, "result", json!({"resources": resources})))
                }
                "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => {
                    plain(out, 200, None, &answer(&body, "result", json!({})))
                }
                _ => {
                    if body.get("id").is_none() && verb == "POST" || answers {
                        let _ = plain(out, 202, None, "");
                    }
                    let out = out.try_clone().unwrap();
                    self.waiting.lock().unwrap().push(Cue { method, headers, body, out });
                    self.arrived.notify_all();
                    Ok(())
                }
            };
            if done.is_err() {
                return;
            }
        }
    }
}
