//! As much of HTTP/1.1 as one page on loopback needs: GET, one answer a connection.
//!
//! It is no server for the world: it answers only to its own address, under a path that nobody can guess.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Bytes of a request's head.
const HEAD: u64 = 16 << 10;
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the page is.
pub(super) struct Site {
    address: SocketAddr,
    secret: String,
}

/// What is answered.
pub(super) enum Answer {
    /// HTML.
    Page(String),
    /// JSON.
    Json(String),
    /// There is nothing new.
    Nothing,
    /// There is no such thing.
    NotFound,
}

impl Site {
    /// A site behind this listener, under a path of 128 random bits.
    pub(super) fn new(listener: &TcpListener) -> io::Result<Self> {
        let mut random = [0; 16];
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.secure_random.fill(&mut random).map_err(|_| io::Error::other("the system gives no random bytes"))?;
        let secret = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { address: listener.local_addr()?, secret })
    }

    /// What a browser is told to open.
    pub(super) fn url(&self) -> String {
        format!("http://{}/{}/", self.address, self.secret)
    }

    /// Answers for ever, one connection in a thread of its own each, so that a browser that opens one ahead holds up none.
    pub(super) fn serve(&self, listener: &TcpListener, answer: impl Fn(&str, &str) -> Answer + Sync) {
        std::thread::scope(|scope| {
            for stream in listener.incoming().flatten() {
                let answer = &answer;
                scope.spawn(move || {
                    // A browser that goes away is no error.
                    drop(self.converse(stream, answer));
                });
            }
        });
    }

    fn converse(&self, mut stream: TcpStream, answer: impl Fn(&str, &str) -> Answer) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let response = self.respond(BufReader::new(stream.try_clone()?.take(HEAD)), answer)?;
        stream.write_all(&response)
    }

    fn respond(&self, mut request: impl BufRead, answer: impl Fn(&str, &str) -> Answer) -> io::Result<Vec<u8>> {
        let mut line = String::new();
        request.read_line(&mut line)?;
        let mut words = line.split_whitespace();
        let (method, target) =
            (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
        let mut host = None;
        loop {
            let mut header = String::new();
            request.read_line(&mut header)?;
            let header = header.trim_end();
            if header.is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("host")
            {
                host = Some(value.trim().to_owned());
            }
        }
        // A name that was rebound to this machine is not our address.
        if host != Some(self.address.to_string()) {
            return Ok(message("421 Misdirected Request", "text/plain", "this is not that host\n"));
        }
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let inside = path.strip_prefix('/').and_then(|path| path.strip_prefix(self.secret.as_str()));
        let Some(inside) = inside.and_then(|path| path.strip_prefix('/')).filter(|_| method == "GET") else {
            return Ok(message("404 Not Found", "text/plain", "there is nothing here\n"));
        };
        Ok(match answer(inside, query) {
            Answer::Page(html) => message("200 OK", "text/html", &html),
            Answer::Json(json) => message("200 OK", "application/json", &json),
            Answer::Nothing => message("204 No Content", "text/plain", ""),
            Answer::NotFound => message("404 Not Found", "text/plain", "there is nothing here\n"),
        })
    }
}

fn message(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = match status.starts_with("204") {
        true => String::new(),
        false => format!("content-length: {}\r\n", body.len()),
    };
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}; charset=utf-8\r\n{length}connection: close\r\ncache-control: no-store\r\n\
         x-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\nx-frame-options: DENY\r\n\
         cross-origin-resource-policy: same-origin\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(site: &Site, target: &str, host: &str) -> String {
        let request = format!("GET {target} HTTP/1.1\r\nX: y\r\nHost: {host}\r\n\r\n");
        let answer = |path: &str, query: &str| match path {
            "" => Answer::Page("page".to_owned()),
            "state" if query == "since=1" => Answer::Nothing,
            "state" => Answer::Json("{}".to_owned()),
            _ => Answer::NotFound,
        };
        let response = String::from_utf8(site.respond(request.as_bytes(), answer).unwrap()).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        format!("{} {body}", head.lines().next().unwrap())
    }

    #[test]
    fn only_who_knows_address_and_path_is_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (site, other) = (Site::new(&listener).unwrap(), Site::new(&listener).unwrap());
        assert_ne!(site.secret, other.secret);
        let host = listener.local_addr().unwrap().to_string();
        let under = |path: &str| format!("/{}/{path}", site.secret);
        assert_eq!(asked(&site, &under(""), &host), "HTTP/1.1 200 OK page");
        assert_eq!(asked(&site, &under("state?since=2"), &host), "HTTP/1.1 200 OK {}");
        assert_eq!(asked(&site, &under("state?since=1"), &host), "HTTP/1.1 204 No Content ");
        for target in ["/", "/state", &under("other"), &format!("/{}", site.secret), "/0123/", ""] {
            assert_eq!(asked(&site, target, &host), "HTTP/1.1 404 Not Found there is nothing here\n", "{target}");
        }
        for host in ["attacker.example", "localhost", "", &format!("attacker.example:{}", site.address.port())] {
            assert!(asked(&site, &under(""), host).starts_with("HTTP/1.1 421 "), "{host}");
        }
    }
}
