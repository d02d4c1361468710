//! A caller of the bench: one connection, one session or none, one call after another.
//!
//! It measures nothing.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How a caller speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// 2025-11-25, in a session.
    Legacy,
    /// 2026-07-28, each request alone.
    Modern,
}

/// A client with one connection.
pub(crate) struct Caller {
    connection: BufReader<TcpStream>,
    address: SocketAddr,
    speaks: Speaks,
    session: Option<String>,
    id: u64,
}

impl Caller {
    /// A caller that can be asked nothing.
    pub(crate) fn open(address: SocketAddr, speaks: Speaks) -> Result<Self, String> {
        Self::able_to(address, speaks, "{}")
    }

    /// The same with these capabilities.
    pub(crate) fn able_to(address: SocketAddr, speaks: Speaks, capabilities: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(Duration::from_secs(40))).map_err(|error| error.to_string())?;
        let mut caller = Self { connection: BufReader::new(stream), address, speaks, session: None, id: 0 };
        if speaks == Speaks::Legacy {
            caller.send(
                "initialize",
                &format!(r#"{{"protocolVersion":"2025-11-25","capabilities":{capabilities},"clientInfo":{{"name":"bench","version":"1"}}}}"#),
            )?;
            caller.post(
                r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
                "notifications/initialized",
                None,
            )?;
        }
        Ok(caller)
    }

    /// Calls a tool.
    pub(crate) fn call(&mut self, tool: &str) -> Result<String, String> {
        let params = format!(r#"{{"name":"{tool}","arguments":{{"text":"hello"}}{}}}"#, self.meta(", "));
        self.request("tools/call", &params, Some(tool))
    }

    /// Asks anything else. `params` is a JSON object, for a caller in a session.
    pub(crate) fn send(&mut self, method: &str, params: &str) -> Result<String, String> {
        self.request(method, params, None)
    }

    /// The names of all tools.
    pub(crate) fn list(&mut self) -> Result<String, String> {
        let params = format!("{{{}}}", self.meta(""));
        self.request("tools/list", &params, None)
    }

    fn meta(&self, before: &str) -> String {
        match self.speaks {
            Speaks::Legacy => String::new(),
            Speaks::Modern => format!(
                r#"{before}"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"bench","version":"1"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}"#
            ),
        }
    }

    fn request(&mut self, method: &str, params: &str, name: Option<&str>) -> Result<String, String> {
        self.id += 1;
        let body = format!(r#"{{"jsonrpc":"2.0","id":{},"method":"{method}","params":{params}}}"#, self.id);
        self.post(&body, method, name)
    }

    fn post(&mut self, body: &str, method: &str, name: Option<&str>) -> Result<String, String> {
        let mut request = format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        match (self.speaks, &self.session) {
            (Speaks::Legacy, Some(session)) => {
                let _ = write!(request, "Mcp-Session-Id: {session}\r\nMCP-Protocol-Version: 2025-11-25\r\n");
            }
            (Speaks::Legacy, None) => {}
            (Speaks::Modern, _) => {
                let _ = write!(request, "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n");
                if let Some(name) = name {
                    let _ = write!(request, "Mcp-Name: {name}\r\n");
                }
            }
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
pub(crate) fn read_message(connection: &mut BufReader<TcpStream>) -> Result<Option<(String, String)>, String> {
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
