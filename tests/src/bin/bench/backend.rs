//! The backend of the bench: a process of its own that answers at once, in sessions and without, by JSON or by a stream of
//! one event, shortly or at length; and standing streams that say nothing.
//!
//! It checks nothing.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::client::read_message;

/// Its tools, and bytes of the text in the result of each: answered by JSON, and by a stream.
pub(crate) const TOOLS: [(&str, usize); 4] =
    [("json_1k", 1_000), ("sse_1k", 1_000), ("json_1m", 1_000_000), ("sse_1m", 1_000_000)];

/// The backend's process, until dropped.
pub(crate) struct Backend {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Backend {
    pub(crate) fn start() -> Result<Self, String> {
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

/// Serves over plain HTTP, a thread for each connection but for standing streams. Never returns.
pub(crate) fn serve() -> Result<(), String> {
    static STANDING: Mutex<Vec<TcpStream>> = Mutex::new(Vec::new());
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    println!("{}", listener.local_addr().map_err(|error| error.to_string())?);
    for stream in listener.incoming() {
        let stream = stream.map_err(|error| error.to_string())?;
        std::thread::spawn(move || {
            let _ = stream.set_nodelay(true);
            let mut connection = BufReader::new(stream);
            while let Ok(Some((head, body))) = read_message(&mut connection) {
                let standing = head.starts_with("GET ");
                let answer = match standing {
                    true => b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                        .to_vec(),
                    false => answer(&head, &body),
                };
                if connection.get_mut().write_all(&answer).is_err() {
                    return;
                }
                if standing {
                    STANDING.lock().unwrap_or_else(PoisonError::into_inner).push(connection.into_inner());
                    return;
                }
            }
        });
    }
    Ok(())
}

fn answer(head: &str, request: &str) -> Vec<u8> {
    #[derive(serde::Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        id: Option<&'a serde_json::value::RawValue>,
        method: &'a str,
        #[serde(borrow, default)]
        params: Option<Named<'a>>,
    }
    #[derive(serde::Deserialize)]
    struct Named<'a> {
        name: Option<&'a str>,
    }
    let Ok(message) = serde_json::from_str::<Message<'_>>(request) else {
        return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec();
    };
    let Some(id) = message.id else { return b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_vec() };
    let complete = match head.contains("2026-07-28") {
        true => r#""resultType":"complete","#,
        false => "",
    };
    let name = message.params.and_then(|params| params.name).unwrap_or_default();
    let part = match message.method {
        "initialize" => {
            r#""result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}"#.to_owned()
        }
        "server/discover" => {
            r#""result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":60000,"cacheScope":"public"}"#.to_owned()
        }
        "tools/list" => {
            let tool = |(name, _): &(&str, usize)| {
                format!(r#"{{"name":"{name}","description":"Says much","inputSchema":{{"type":"object","properties":{{"text":{{"type":"string"}}}}}}}}"#)
            };
            let tools: Vec<_> = TOOLS.iter().map(tool).collect();
            format!(r#""result":{{{complete}"tools":[{}],"ttlMs":60000,"cacheScope":"public"}}"#, tools.join(","))
        }
        "tools/call" => {
            let size = TOOLS.iter().find(|(known, _)| *known == name).map_or(0, |(_, size)| *size);
            format!(r#""result":{{{complete}"content":[{{"type":"text","text":"{}"}}]}}"#, "x".repeat(size))
        }
        "ping" => r#""result":{}"#.to_owned(),
        _ => r#""error":{"code":-32601,"message":"method not found"}"#.to_owned(),
    };
    let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},{part}}}");
    if name.starts_with("sse") {
        let event = format!("event: message\ndata: {body}\n\n");
        return format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{event}\r\n0\r\n\r\n",
            event.len()
        )
        .into_bytes();
    }
    let session = if message.method == "initialize" { "Mcp-Session-Id: bench\r\n" } else { "" };
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{session}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
