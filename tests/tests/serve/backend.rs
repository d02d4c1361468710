//! A legacy MCP server of a few lines that shows what it was asked and waits where a test wants it to.
//!
//! It checks nothing that a test does not need.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::http::PATIENCE;

/// A running server. Its threads end with the process.
#[derive(Clone)]
pub(crate) struct Backend(Arc<Shared>);

struct Shared {
    address: SocketAddr,
    /// What it lists beside its tools, by member of the result.
    lists: Value,
    seen: Mutex<Vec<Seen>>,
    gate: Gate,
    /// How many sessions were opened, and how many of the first are no longer known.
    sessions: AtomicUsize,
    forgotten: AtomicUsize,
    stopped: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// `initialize`, `tools/call`…; `DELETE` for the end of a session.
    pub(crate) method: String,
    pub(crate) session: Option<String>,
    pub(crate) body: Value,
}

/// What was asked for `wait` or `slow` goes on when a test says so.
#[derive(Default)]
struct Gate {
    open: Mutex<usize>,
    changed: Condvar,
}

impl Backend {
    /// Tools: `echo` answers with its arguments and session and the `link` that it is given, `wait` answers when it is let go, `slow` reports progress
    /// first and goes on when it is let go, `fail` is a JSON-RPC error.
    pub(crate) fn start() -> Self {
        Self::with(Value::Null)
    }

    /// The same, which also lists `resources`, `resourceTemplates` and `prompts`, and completes arguments. It reads the
    /// resources that it lists, those of the scheme of its name (`name:`), and no others.
    pub(crate) fn with(lists: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Arc::new(Shared {
            address: listener.local_addr().unwrap(),
            lists,
            seen: Mutex::default(),
            gate: Gate::default(),
            sessions: AtomicUsize::new(0),
            forgotten: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let backend = Self(shared);
        backend.serve(listener);
        backend
    }

    fn serve(&self, listener: TcpListener) {
        let serving = Arc::clone(&self.0);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.stopped.load(Ordering::SeqCst) {
                    return;
                }
                serving.connections.lock().unwrap().push(stream.try_clone().unwrap());
                let shared = Arc::clone(&serving);
                thread::spawn(move || shared.connection(stream));
            }
        });
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.0.address)
    }

    /// Lets one waiting call go on, now or when it comes.
    pub(crate) fn let_go(&self) {
        *self.0.gate.open.lock().unwrap() += 1;
        self.0.gate.changed.notify_all();
    }

    /// Closes the port and all connections.
    pub(crate) fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
        for connection in self.0.connections.lock().unwrap().iter() {
            let _ = connection.shutdown(std::net::Shutdown::Both);
        }
        // Wakes the listener, which then closes; refused connections prove it.
        while TcpStream::connect(self.0.address).is_ok() {
            thread::yield_now();
        }
    }

    /// Begins anew where it was before [`Backend::stop`], and knows nothing of that.
    pub(crate) fn restart(&self) {
        self.forget();
        self.0.stopped.store(false, Ordering::SeqCst);
        self.serve(TcpListener::bind(self.0.address).unwrap());
    }

    /// From now on, no session that was opened is known.
    pub(crate) fn forget(&self) {
        self.0.forgotten.store(self.0.sessions.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// The requests of this method so far; `waited` for calls of `wait` that were let go.
    pub(crate) fn seen(&self, method: &str) -> Vec<Seen> {
        self.0.seen.lock().unwrap().iter().filter(|seen| seen.method == method).cloned().collect()
    }
}

/// The URL of a server that takes connections and never says a word.
pub(crate) fn hanging() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().map_while(Result::ok).collect::<Vec<_>>());
    url
}

/// The URL of a server that is not there.
pub(crate) fn dead() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/mcp", listener.local_addr().unwrap())
}

impl Gate {
    fn pass(&self) {
        let open = self.open.lock().unwrap();
        let (mut open, waited) = self.changed.wait_timeout_while(open, PATIENCE, |open| *open == 0).unwrap();
        assert!(!waited.timed_out(), "a waiting call was never let go");
        *open -= 1;
    }
}

impl Shared {
    fn connection(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some((verb, headers, body)) = request(&mut stream) {
            let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
            let session = header("mcp-session-id");
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let method = body["method"].as_str().map_or(verb.clone(), str::to_owned);
            self.seen.lock().unwrap().push(Seen {
                method: method.clone(),
                session: session.clone(),
                body: body.clone(),
            });
            let out = stream.get_mut();
            let done = match (verb.as_str(), method.as_str()) {
                ("DELETE", _) => plain(out, 200, None, ""),
                ("POST", "initialize") => {
                    let id = format!("s{}", self.sessions.fetch_add(1, Ordering::SeqCst));
                    let capabilities = match &self.lists {
                        Value::Null => json!({"tools": {}}),
                        _ => json!({"tools": {}, "resources": {}, "prompts": {}, "completions": {}}),
                    };
                    let result = json!({"protocolVersion": "2025-06-18", "capabilities": capabilities,
                        "serverInfo": {"name": "fake", "version": "1"}, "instructions": self.lists["instructions"]});
                    plain(out, 200, Some(&id), &answer(&body, "result", result))
                }
                ("POST", _) if session.is_none() => {
                    let error = json!({"code": -32600, "message": "Bad Request: Missing session ID"});
                    plain(out, 400, None, &answer(&body, "error", error))
                }
                ("POST", _) if self.is_forgotten(session.as_deref()) => plain(out, 404, None, ""),
                ("POST", "tools/list") => {
                    let tool = |name| json!({"name": name, "inputSchema": {"type": "object"}});
                    let tools = ["echo", "wait", "slow", "fail"].map(tool);
                    plain(out, 200, None, &answer(&body, "result", json!({"tools": tools})))
                }
                ("POST", "resources/list") => self.list(out, "resources", &body),
                ("POST", "resources/templates/list") => self.list(out, "resourceTemplates", &body),
                ("POST", "prompts/list") => self.list(out, "prompts", &body),
                ("POST", "resources/read") => self.read(out, &body),
                ("POST", "prompts/get" | "completion/complete") if self.lists.is_object() => {
                    plain(out, 200, None, &answer(&body, "result", json!({"asked": body["params"]})))
                }
                ("POST", "tools/call") => self.call(out, session, &body),
                ("POST", _) if body.get("id").is_none() => plain(out, 202, None, ""),
                ("POST", _) => {
                    plain(out, 200, None, &answer(&body, "error", json!({"code": -32601, "message": "no such method"})))
                }
                _ => plain(out, 405, None, ""),
            };
            if done.is_err() {
                return;
            }
        }
    }

    fn is_forgotten(&self, session: Option<&str>) -> bool {
        let number = session.and_then(|session| session.strip_prefix('s')?.parse::<usize>().ok());
        number.is_none_or(|number| number < self.forgotten.load(Ordering::SeqCst))
    }

    /// No such method where the list is not there.
    fn list(&self, out: &mut TcpStream, member: &str, body: &Value) -> std::io::Result<()> {
        let answer = match self.lists.get(member) {
            Some(items) => answer(body, "result", json!({member: items})),
            None => answer(body, "error", json!({"code": -32601, "message": "no such method"})),
        };
        plain(out, 200, None, &answer)
    }

    fn read(&self, out: &mut TcpStream, body: &Value) -> std::io::Result<()> {
        let uri = body["params"]["uri"].as_str().unwrap();
        let listed = self.lists["resources"].as_array().into_iter().flatten().any(|resource| resource["uri"] == uri);
        let own = self.lists["name"].as_str().is_some_and(|name| uri.starts_with(name));
        let answer = match listed || own {
            true => answer(body, "result", json!({"contents": [{"uri": uri, "text": self.lists["name"]}]})),
            false => answer(body, "error", json!({"code": -32002, "message": "not here", "data": {"uri": uri}})),
        };
        plain(out, 200, None, &answer)
    }

    fn call(&self, out: &mut TcpStream, session: Option<String>, body: &Value) -> std::io::Result<()> {
        let text = |text: &str| json!({"content": [{"type": "text", "text": text}]});
        match body["params"]["name"].as_str() {
            Some("echo") => {
                let link = body["params"]["arguments"]["link"].as_str();
                let link = link.map(|uri| json!({"type": "resource_link", "uri": uri, "name": "l"}));
                let result = json!({"content": link.into_iter().collect::<Vec<_>>(), "structuredContent":
                    {"arguments": body["params"]["arguments"], "session": session}});
                plain(out, 200, None, &answer(body, "result", result))
            }
            Some("wait") => {
                self.gate.pass();
                self.seen.lock().unwrap().push(Seen { method: "waited".into(), session, body: Value::Null });
                plain(out, 200, None, &answer(body, "result", text("waited")))
            }
            Some("slow") => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                out.write_all(head.as_bytes())?;
                let token = &body["params"]["_meta"]["progressToken"];
                let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress",
                    "params": {"progressToken": token, "progress": 1}});
                event(out, &progress.to_string())?;
                self.gate.pass();
                event(out, &answer(body, "result", text("slow")))?;
                out.write_all(b"0\r\n\r\n")
            }
            _ => plain(
                out,
                200,
                None,
                &answer(body, "error", json!({"code": -7, "message": "it failed", "data": [1.50]})),
            ),
        }
    }
}

pub(crate) fn answer(request: &Value, member: &str, value: Value) -> String {
    json!({"jsonrpc": "2.0", "id": request["id"], member: value}).to_string()
}

pub(crate) fn event(out: &mut TcpStream, data: &str) -> std::io::Result<()> {
    let event = format!("event: message\ndata: {data}\n\n");
    out.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
}

pub(crate) fn plain(out: &mut TcpStream, status: u16, session: Option<&str>, body: &str) -> std::io::Result<()> {
    let session = session.map(|id| format!("mcp-session-id: {id}\r\n")).unwrap_or_default();
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{session}content-length: {length}\r\n\r\n");
    out.write_all((head + body).as_bytes())
}

pub(crate) type Request = (String, Vec<(String, String)>, Vec<u8>);

pub(crate) fn request(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        let read = stream.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    };
    let verb = line()?.split(' ').next()?.to_owned();
    let mut headers = Vec::new();
    while let Some((name, value)) = line()?.split_once(':') {
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((verb, headers, body))
}
