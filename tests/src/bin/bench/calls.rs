//! Tool calls through `vmcp serve` beside the same calls made to the backend directly, at 1 and 32 callers; and memory.
//!
//! Backend, gateway and callers are processes of their own on loopback, so that CPU and memory are each one's own. With
//! `GO_VMCP` in the environment the Go program serves the same configuration and gets a row too.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::measure::{cpu, resident_kib, shown};

const ROUND: Duration = Duration::from_secs(4);
const SESSIONS: usize = 2_000;
const BACKENDS: usize = 200;

pub(crate) fn all() -> Result<(), String> {
    let backend = Backend::start()?;
    let folder = std::env::temp_dir().join(format!("vmcp-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let result = measured(&backend, &folder);
    std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
    result
}

fn measured(backend: &Backend, folder: &Path) -> Result<(), String> {
    println!("Tool calls: one small call after another from each caller, {} s a cell\n", ROUND.as_secs());
    println!(
        "| | callers | calls/s | p50 | p99 | CPU of the hop per 1,000 calls | through ÷ direct |\n|---|---:|---:|---:|---:|---:|---:|"
    );
    let config = config(backend.address, 1);
    let mut gateways = vec![("vmcp", Gateway::start(&program()?, folder, &config)?)];
    if let Some(go) = std::env::var_os("GO_VMCP") {
        gateways.push(("the Go vmcp", Gateway::start(Path::new(&go), folder, &config)?));
    }
    for callers in [1, 32] {
        let direct = Load::run(backend.address, "echo", callers, backend.child.id())?;
        println!("| direct | {callers} | {} | | 1.00 |", direct.cells(false));
        for (name, gateway) in &gateways {
            let through = Load::run(gateway.address, "bench-0_echo", callers, gateway.child.id())?;
            println!("| {name} | {callers} | {} | {:.2} |", through.cells(true), through.rate() / direct.rate());
        }
    }
    drop(gateways);
    memory(backend, folder)
}

fn memory(backend: &Backend, folder: &Path) -> Result<(), String> {
    println!("\nMemory of `vmcp serve` (resident)\n\n| | |\n|---|---:|");
    let gateway = Gateway::start(&program()?, folder, &config(backend.address, 1))?;
    let idle = resident_kib(gateway.child.id());
    for _ in 0..SESSIONS {
        Caller::open(gateway.address)?;
    }
    let sessions = resident_kib(gateway.child.id());
    println!("| idle, one backend | {:.1} MiB |", idle as f64 / 1024.0);
    println!("| per idle session, of {SESSIONS} | {:.2} KiB |", sessions.saturating_sub(idle) as f64 / SESSIONS as f64);
    drop(gateway);
    let gateway = Gateway::start(&program()?, folder, &config(backend.address, BACKENDS))?;
    let many = resident_kib(gateway.child.id());
    println!(
        "| per backend, of {BACKENDS} whose tools were listed | {:.1} KiB |",
        many.saturating_sub(idle) as f64 / BACKENDS as f64
    );
    Ok(())
}

/// The release build of `vmcp`, which stands beside this program.
fn program() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = own.with_file_name("vmcp");
    if program.is_file() { Ok(program) } else { Err(format!("{} is missing; build it first", program.display())) }
}

fn config(backend: SocketAddr, backends: usize) -> String {
    let mut text = String::from("name: bench\ngroupRef: bench\nbackends:\n");
    for n in 0..backends {
        let _ = writeln!(text, "- {{name: bench-{n}, url: 'http://{backend}/mcp', transport: streamable-http}}");
    }
    text + "incomingAuth: {type: anonymous}\noutgoingAuth: {source: inline}\naggregation: {conflictResolution: prefix, conflictResolutionConfig: {prefixFormat: '{workload}_'}}\n"
}

/// A gateway that serves, until dropped.
struct Gateway {
    child: Child,
    address: SocketAddr,
}

impl Gateway {
    /// Starts it, and waits until it lists the backends' tools.
    fn start(program: &Path, folder: &Path, config: &str) -> Result<Self, String> {
        let file = folder.join("config.yaml");
        std::fs::write(&file, config).map_err(|error| error.to_string())?;
        let free = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(|error| error.to_string())?;
        let child = Command::new(program)
            .args(["serve", "--host", "127.0.0.1", "--port", &free.port().to_string(), "--config"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let mut gateway = Self { child, address: free };
        let expected = config.matches("name: bench-").count();
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let tools = Caller::open(free)
                .and_then(|mut caller| caller.send("tools/list", "{}"))
                .map_or(0, |list| list.matches("echo").count());
            if tools >= expected {
                return Ok(gateway);
            }
            if let Ok(Some(status)) = gateway.child.try_wait() {
                return Err(format!("{} ended with {status} instead of serving", program.display()));
            }
            if Instant::now() > end {
                return Err(format!("{} lists {tools} of {expected} backends after a minute", program.display()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a round of calls came to.
struct Load {
    latencies: Vec<Duration>,
    time: Duration,
    cpu: Duration,
}

impl Load {
    fn run(address: SocketAddr, tool: &str, callers: usize, process: u32) -> Result<Self, String> {
        let params = format!("{{\"name\":\"{tool}\",\"arguments\":{{\"text\":\"hello\"}}}}");
        let mut open = Vec::new();
        for _ in 0..callers {
            let mut caller = Caller::open(address)?;
            for _ in 0..20 {
                caller.send("tools/call", &params)?;
            }
            open.push(caller);
        }
        let (before, start) = (cpu(process), Instant::now());
        let rounds: Vec<Result<Vec<Duration>, String>> = std::thread::scope(|scope| {
            let threads: Vec<_> = open
                .into_iter()
                .map(|mut caller| {
                    let params = &params;
                    scope.spawn(move || {
                        let mut latencies = Vec::new();
                        while start.elapsed() < ROUND {
                            let sent = Instant::now();
                            let answer = caller.send("tools/call", params)?;
                            if !answer.contains("\"hello\"") {
                                return Err(format!("unexpected answer: {answer}"));
                            }
                            latencies.push(sent.elapsed());
                        }
                        Ok(latencies)
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err("a caller stopped".to_owned())))
                .collect()
        });
        let (time, cpu) = (start.elapsed(), cpu(process).saturating_sub(before));
        let mut latencies: Vec<Duration> =
            rounds.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        latencies.sort();
        Ok(Self { latencies, time, cpu })
    }

    fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.time.as_secs_f64()
    }

    fn cells(&self, hop: bool) -> String {
        let at = |share: f64| {
            self.latencies.get((self.latencies.len() as f64 * share) as usize).copied().unwrap_or_default()
        };
        let cells = format!("{:.0} | {} | {}", self.rate(), shown(at(0.5)), shown(at(0.99)));
        if !hop {
            return cells;
        }
        format!("{cells} | {:.3} s", self.cpu.as_secs_f64() * 1000.0 / self.latencies.len().max(1) as f64)
    }
}

/// A client with one connection and one session.
struct Caller {
    connection: BufReader<TcpStream>,
    address: SocketAddr,
    session: Option<String>,
    id: u64,
}

impl Caller {
    fn open(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(Duration::from_secs(40))).map_err(|error| error.to_string())?;
        let mut caller = Self { connection: BufReader::new(stream), address, session: None, id: 0 };
        caller.send(
            "initialize",
            r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}"#,
        )?;
        caller.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)?;
        Ok(caller)
    }

    fn send(&mut self, method: &str, params: &str) -> Result<String, String> {
        self.id += 1;
        self.post(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"{method}\",\"params\":{params}}}", self.id))
    }

    fn post(&mut self, body: &str) -> Result<String, String> {
        let mut request = format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        if let Some(session) = &self.session {
            let _ = write!(request, "Mcp-Session-Id: {session}\r\nMCP-Protocol-Version: 2025-11-25\r\n");
        }
        let _ = write!(request, "\r\n{body}");
        self.connection.get_mut().write_all(request.as_bytes()).map_err(|error| error.to_string())?;
        let (head, body) = read_message(&mut self.connection)?.ok_or("the connection was closed")?;
        for line in head.lines() {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("mcp-session-id")
            {
                self.session = Some(value.trim().to_owned());
            }
        }
        if head.starts_with("HTTP/1.1 2") {
            Ok(body)
        } else {
            Err(format!("{}: {body}", head.lines().next().unwrap_or_default()))
        }
    }
}

/// Head and body of the next HTTP message; `None` at the end of the connection.
fn read_message(connection: &mut BufReader<TcpStream>) -> Result<Option<(String, String)>, String> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if connection.read_line(&mut head).map_err(|error| error.to_string())? == 0 {
            return Ok(None);
        }
        if &head[before..] == "\r\n" {
            break;
        }
    }
    let header = |wanted: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, v)| v.trim())
    };
    let mut body = Vec::new();
    if header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        loop {
            let mut line = String::new();
            connection.read_line(&mut line).map_err(|error| error.to_string())?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(|error| error.to_string())?;
            let start = body.len();
            body.resize(start + size + 2, 0);
            connection.read_exact(&mut body[start..]).map_err(|error| error.to_string())?;
            body.truncate(start + size);
            if size == 0 {
                break;
            }
        }
    } else {
        body.resize(header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0), 0);
        connection.read_exact(&mut body).map_err(|error| error.to_string())?;
    }
    Ok(Some((head, String::from_utf8_lossy(&body).into_owned())))
}

/// The backend's process, until dropped.
struct Backend {
    child: Child,
    address: SocketAddr,
}

impl Backend {
    fn start() -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .arg("backend")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("the backend has no output")?;
        BufReader::new(out).read_line(&mut line).map_err(|error| error.to_string())?;
        let address = line.trim().parse().map_err(|error| format!("{line}: {error}"))?;
        Ok(Self { child, address })
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves one tool, `echo`, over plain HTTP in revision 2025-11-25, a thread for each connection. Never returns.
pub(crate) fn backend() -> Result<(), String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    println!("{}", listener.local_addr().map_err(|error| error.to_string())?);
    for stream in listener.incoming() {
        let stream = stream.map_err(|error| error.to_string())?;
        std::thread::spawn(move || {
            let _ = stream.set_nodelay(true);
            let mut connection = BufReader::new(stream);
            while let Ok(Some((_, body))) = read_message(&mut connection) {
                if connection.get_mut().write_all(answer(&body).as_bytes()).is_err() {
                    break;
                }
            }
        });
    }
    Ok(())
}

fn answer(request: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        id: Option<&'a serde_json::value::RawValue>,
        method: &'a str,
    }
    let Ok(message) = serde_json::from_str::<Message<'_>>(request) else {
        return "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_owned();
    };
    let Some(id) = message.id else { return "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_owned() };
    let part = match message.method {
        "initialize" => {
            r#""result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}"#
        }
        "tools/list" => {
            r#""result":{"tools":[{"name":"echo","description":"Says it again","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}}]}"#
        }
        "tools/call" => r#""result":{"content":[{"type":"text","text":"hello"}]}"#,
        "ping" => r#""result":{}"#,
        _ => r#""error":{"code":-32601,"message":"method not found"}"#,
    };
    let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},{part}}}");
    let session = if message.method == "initialize" { "Mcp-Session-Id: bench\r\n" } else { "" };
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{session}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
