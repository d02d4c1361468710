//! A client of HTTP/1.1 that hides nothing: it sends what it is told and shows what came.
//!
//! It knows no MCP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Nothing here takes longer unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Whole,
    BrokenOff,
}

/// An answer whose body is still to be read.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    connection: BufReader<TcpStream>,
}

/// Sends a request on a connection of its own and reads the head of the answer.
pub(crate) fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut connection = BufReader::new(connect(address));
    write(connection.get_mut(), method, path, headers, body);
    Answer::read(connection)
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection.set_write_timeout(Some(PATIENCE)).unwrap();
    connection
}

pub(crate) fn write(connection: &mut TcpStream, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str("host: localhost\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    connection.write_all(&[head.as_bytes(), body].concat()).unwrap();
}

impl Answer {
    pub(crate) fn read(mut connection: BufReader<TcpStream>) -> Self {
        let line = line(&mut connection);
        let status =
            line.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("no status: {line:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self::line(&mut connection);
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Self { status, headers, connection }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The whole body.
    pub(crate) fn text(&mut self) -> String {
        let mut body = Vec::new();
        if let Some(length) = self.header("content-length") {
            body.resize(length.parse().unwrap(), 0);
            self.connection.read_exact(&mut body).unwrap();
        } else {
            while let Some(chunk) = self.chunk() {
                body.extend(chunk);
            }
        }
        String::from_utf8(body).unwrap()
    }

    pub(crate) fn json(&mut self) -> serde_json::Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The data of the next event that has any; `None` at the end of the stream.
    pub(crate) fn event(&mut self) -> Option<serde_json::Value> {
        loop {
            let chunk = String::from_utf8(self.chunk()?).unwrap();
            let data: String = chunk.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
            if !data.is_empty() {
                return Some(serde_json::from_str(&data).unwrap());
            }
        }
    }

    /// Id and retry of the event without data that opens a stream which can be resumed.
    pub(crate) fn primed(&mut self) -> (String, u32) {
        let chunk = String::from_utf8(self.chunk().unwrap()).unwrap();
        let field = |name: &str| chunk.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        assert_eq!(field("data: ").as_deref(), Some(""), "{chunk}");
        (field("id: ").unwrap(), field("retry: ").unwrap().parse().unwrap())
    }

    /// The next chunk of a chunked body: the server writes an event as one.
    pub(crate) fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(line(&mut self.connection).trim(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        self.connection.read_exact(&mut chunk).ok()?;
        chunk.truncate(size);
        (size > 0).then_some(chunk)
    }

    /// What is left of a chunked body, and whether it came to its end.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, End) {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.connection.read_line(&mut line);
            let size = read.ok().and_then(|_| usize::from_str_radix(line.trim_end(), 16).ok());
            let Some(size) = size else { break (body, End::BrokenOff) };
            let mut chunk = vec![0; size + 2];
            if self.connection.read_exact(&mut chunk).is_err() {
                break (body, End::BrokenOff);
            }
            if size == 0 {
                break (body, End::Whole);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    /// The connection, for the next request on it.
    pub(crate) fn connection(self) -> BufReader<TcpStream> {
        self.connection
    }
}

fn line(connection: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    connection.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}
