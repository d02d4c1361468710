//! The transport against servers on loopback that do as each test says. No test sleeps; one that waits for a deadline
//! waits for a server that never answers.

use super::*;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;

/// What a server does after an answer.
enum Then {
    Next,
    Close,
}

/// A connection.
trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// One request as it came.
#[derive(Clone, Debug, PartialEq)]
struct Got {
    connection: usize,
    head: String,
    body: String,
}

struct Server {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    fn new(answer: impl Fn(&mut dyn Stream, &Got) -> Then + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap(), got: Arc::default(), connections: Arc::default() };
        let (got, connections) = (Arc::clone(&server.got), Arc::clone(&server.connections));
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = connections.fetch_add(1, Ordering::SeqCst);
                let (got, answer) = (Arc::clone(&got), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    while let Some((head, body)) = read_request(&mut stream) {
                        let request = Got { connection, head, body };
                        got.lock().unwrap().push(request.clone());
                        if let Then::Close = answer(&mut stream, &request) {
                            return;
                        }
                    }
                });
            }
        });
        server
    }

    /// A server that sends one text to every request and goes on.
    fn saying(text: &'static str) -> Self {
        Self::new(move |stream, _| say(stream, text))
    }

    /// A server that sends one text to every request and closes.
    fn saying_and_closing(text: &'static str) -> Self {
        Self::new(move |stream, _| {
            say(stream, text);
            Then::Close
        })
    }

    /// A server that reads and never answers, until the client goes.
    fn silent() -> Self {
        Self::new(|stream, _| wait_for_end(stream))
    }

    fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    fn transport(&self) -> BackendTransport {
        transport(&self.url(), &plain())
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn say(stream: &mut dyn Stream, text: &str) -> Then {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Ok(()) => Then::Next,
        Err(_) => Then::Close,
    }
}

fn wait_for_end(stream: &mut dyn Stream) -> Then {
    let mut rest = [0; 1024];
    while stream.read(&mut rest).is_ok_and(|n| n > 0) {}
    Then::Close
}

fn read_request(stream: &mut dyn Stream) -> Option<(String, String)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).unwrap()))
}

fn plain() -> TransportOptions {
    TransportOptions { proxies: Proxies::none(), user_agent: "vmcp/test".to_owned(), ..TransportOptions::default() }
}

fn transport(url: &str, options: &TransportOptions) -> BackendTransport {
    transport_with(url, &Credentials::Unauthenticated, &[], options)
}

fn transport_with(
    url: &str,
    credentials: &Credentials,
    forwarded: &[(String, Secret)],
    options: &TransportOptions,
) -> BackendTransport {
    let tls = trusting(Vec::new());
    let endpoint = Endpoint::parse(url).unwrap();
    BackendTransport::with_tls(&endpoint, credentials, forwarded, [Arc::clone(&tls), tls], options).unwrap()
}

/// A client configuration that trusts these certificates. What trusts whom is tested elsewhere.
fn trusting(certificates: Vec<rustls_pki_types::CertificateDer<'static>>) -> Arc<ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

fn post(body: &str) -> Request {
    Request {
        method: Method::Post,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

fn request(method: Method) -> Request {
    Request { method, headers: Vec::new(), body: Vec::new() }
}

fn send(transport: &BackendTransport, request: &Request) -> Result<Response, Failure> {
    transport.send(request, &Timeouts::default(), &Cancel::new())
}

fn whole(mut response: Response) -> Result<String, Failure> {
    let mut body = Vec::new();
    while let Some(bytes) = response.read()? {
        body.extend_from_slice(bytes);
    }
    Ok(String::from_utf8(body).unwrap())
}

fn call(transport: &BackendTransport, request: &Request) -> Result<String, Failure> {
    whole(send(transport, request)?)
}

/// Stage, whether anything was sent, and the text with the port of the server named.
fn failure(result: Result<impl fmt::Debug, Failure>, server: SocketAddr) -> (Stage, Sent, String) {
    let failure = result.unwrap_err();
    (failure.stage, failure.sent, failure.message.replace(&server.to_string(), "HOST:PORT"))
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

// ── Connections ──────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_connection_is_used_again() {
    let server = Server::saying(OK);
    let transport = server.transport();
    let first = send(&transport, &post("{}")).unwrap();
    let observed = first.observed();
    assert_eq!((first.head.status, observed.reused, observed.address), (200, false, Some(server.address)));
    assert!(observed.connect.is_some() && observed.resolve.is_some() && observed.first_byte.is_some());
    assert_eq!(whole(first).unwrap(), "ok");
    let second = send(&transport, &post("{}")).unwrap();
    let observed = second.observed();
    assert_eq!((observed.reused, observed.address, observed.connect), (true, Some(server.address), None));
    assert_eq!(whole(second).unwrap(), "ok");
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_connection_whose_answer_was_not_read_is_not_used_again() {
    let server = Server::saying(OK);
    let transport = server.transport();
    drop(send(&transport, &post("{}")).unwrap());
    assert_eq!(call(&transport, &post("{}")).unwrap(), "ok");
    assert_eq!(server.connections(), 2);
}

#[test]
fn bytes_after_an_answer_end_its_connection() {
    let server = Server::saying(
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
    );
    let transport = server.transport();
    assert_eq!(call(&transport, &post("1")).unwrap(), "ok");
    assert_eq!(call(&transport, &post("2")).unwrap(), "ok");
    assert_eq!(server.connections(), 2);
}

#[test]
fn head_and_body_leave_in_one_write() {
    let (sizes, first) = mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = vec![0; 1 << 16];
        // Loopback delivers one write as one read of what is there; the first wakes this thread.
        let n = stream.read(&mut bytes).unwrap();
        sizes.send(String::from_utf8_lossy(&bytes[..n]).into_owned()).unwrap();
        stream.write_all(OK.as_bytes()).unwrap();
    });
    call(&transport(&format!("http://{address}/"), &plain()), &post("{\"the\":\"body\"}")).unwrap();
    assert!(first.recv().unwrap().ends_with("\r\n\r\n{\"the\":\"body\"}"));
}

#[test]
fn a_large_body_arrives_whole() {
    let server = Server::saying(OK);
    let body = "x".repeat(1 << 20);
    assert_eq!(call(&server.transport(), &post(&body)).unwrap(), "ok");
    assert!(server.got()[0].body == body);
}

#[test]
fn an_idle_connection_that_was_closed_is_replaced() {
    // The server closes after each answer without having said so; the end of its thread is waited for.
    let (closed, wait) = mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            read_request(&mut stream).unwrap();
            say(&mut stream, OK);
            drop(stream);
            closed.send(()).unwrap();
        }
    });
    let transport = transport(&format!("http://{address}/"), &plain());
    for _ in 0..3 {
        let response = send(&transport, &post("{}")).unwrap();
        assert!(!response.observed().reused);
        assert_eq!(whole(response).unwrap(), "ok");
        wait.recv().unwrap();
    }
}

/// Answers the first request of the first connection, reads the second and closes without a word.
fn closing_on_the_second() -> Server {
    Server::new(|stream, got| match (got.connection, got.body.as_str(), got.head.starts_with("POST")) {
        (0, "first", _) => say(stream, OK),
        (0, ..) => Then::Close,
        _ => say(stream, OK),
    })
}

#[test]
fn a_message_that_the_backend_may_have_seen_is_not_sent_again() {
    let server = closing_on_the_second();
    let transport = server.transport();
    assert_eq!(call(&transport, &post("first")).unwrap(), "ok");
    assert_eq!(
        failure(send(&transport, &post("second")), server.address),
        (Stage::FirstByte, Sent::Maybe, "HOST:PORT closed the connection without an answer".to_owned())
    );
    assert_eq!(server.got().len(), 2);
}

#[test]
fn a_request_without_effect_is_made_again_on_a_new_connection() {
    let server = closing_on_the_second();
    let transport = server.transport();
    assert_eq!(call(&transport, &post("first")).unwrap(), "ok");
    let response = send(&transport, &request(Method::Get)).unwrap();
    assert!(!response.observed().reused);
    assert_eq!(whole(response).unwrap(), "ok");
    assert_eq!(server.connections(), 2);
}

#[test]
fn only_what_cannot_have_been_done_is_repeated() {
    let call = |connections| {
        let endpoint = Endpoint::parse("http://a.example/").unwrap();
        Call::new(endpoint, Timeouts::default(), None, Cancel::new(), connections)
    };
    let failed = |stage, sent| Failure { stage, sent, message: String::new() };
    let (reused, new) = (Observed { reused: true, ..Observed::default() }, Observed::default());
    let unsent = failed(Stage::Send, Sent::Nothing);
    let unanswered = failed(Stage::FirstByte, Sent::Maybe);
    let any = call(Connections::IdleOrNew);
    assert!(may_repeat(&unsent, Method::Post, &any, &reused));
    assert!(!may_repeat(&unanswered, Method::Post, &any, &reused));
    assert!(may_repeat(&unanswered, Method::Get, &any, &reused));
    assert!(may_repeat(&unanswered, Method::Delete, &any, &reused));
    assert!(!may_repeat(&unsent, Method::Post, &any, &new));
    assert!(!may_repeat(&unsent, Method::Post, &call(Connections::New), &reused));
    assert!(!may_repeat(&failed(Stage::Body, Sent::Maybe), Method::Get, &any, &reused));
    assert!(!may_repeat(&failed(Stage::Cancelled, Sent::Nothing), Method::Post, &any, &reused));
    any.note_answered();
    assert!(!may_repeat(&unanswered, Method::Get, &any, &reused));
    let late = call(Connections::IdleOrNew);
    let until = late.until(Some(Duration::ZERO), Instant::now());
    let unanswered = late.broken(Stage::FirstByte, until, &std::io::ErrorKind::TimedOut.into());
    assert!(!may_repeat(&unanswered, Method::Get, &late, &reused));
}

#[test]
fn a_new_connection_that_fails_is_not_tried_twice() {
    let server = Server::new(|_, _| Then::Close);
    assert_eq!(
        failure(send(&server.transport(), &request(Method::Get)), server.address),
        (Stage::FirstByte, Sent::Maybe, "HOST:PORT closed the connection without an answer".to_owned())
    );
    assert_eq!(server.connections(), 1);
}

#[test]
fn an_answer_that_comes_before_the_request_is_read_is_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut first = [0; 64];
        stream.read_exact(&mut first).unwrap();
        say(&mut stream, "HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig");
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        wait_for_end(&mut stream);
    });
    let transport = transport(&format!("http://{address}/"), &plain());
    let response = send(&transport, &post(&"x".repeat(8 << 20))).unwrap();
    assert_eq!(response.head.status, 413);
    assert_eq!(whole(response).unwrap(), "big");
}

// ── Framing ──────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn bodies_end_where_their_framing_says() {
    for (answer, body) in [
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "abcde"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"),
        ("HTTP/1.0 200 OK\r\n\r\nold", "old"),
        ("HTTP/1.1 204 No Content\r\n\r\n", ""),
        ("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n", ""),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            "ok",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok", "ok"),
        ("HTTP/1.1 200 OK\r\ncontent-encoding: identity\r\ncontent-length: 2\r\n\r\nok", "ok"),
    ] {
        let server = Server::saying_and_closing(answer);
        assert_eq!(call(&server.transport(), &post("{}")).unwrap(), body, "{answer:?}");
    }
}

#[test]
fn a_body_that_does_not_end_as_it_said_is_a_failure() {
    for (answer, message) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok",
            "HOST:PORT closed the connection after 2 bytes of its answer, before its end",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe",
            "HOST:PORT closed the connection after 2 bytes of its answer, before its end",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhe\r\n",
            "the answer of HOST:PORT is not framed as HTTP/1.1 after 0 bytes: chunk length cannot be read as a number",
        ),
    ] {
        let server = Server::saying_and_closing(answer);
        let response = send(&server.transport(), &post("{}")).unwrap();
        assert_eq!(failure(whole(response), server.address), (Stage::Body, Sent::Maybe, message.to_owned()));
    }
}

#[test]
fn after_a_failure_reading_fails_again() {
    let server = Server::saying_and_closing("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok");
    let mut response = send(&server.transport(), &post("{}")).unwrap();
    assert_eq!(response.read().unwrap(), Some(&b"ok"[..]));
    let first = response.read().unwrap_err();
    assert_eq!(response.read().unwrap_err(), first);
}

#[test]
fn an_answer_that_leaves_doubt_is_refused() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x-y: z\r\n".repeat(129));
    let large = format!("HTTP/1.1 200 OK\r\nx-large: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(64 * 1024));
    for (answer, message) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "the answer of HOST:PORT has both transfer-encoding and content-length; expected one of them",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
            "the answer of HOST:PORT is not HTTP/1.1: conflicting content-length headers",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok",
            "the answer of HOST:PORT is not HTTP/1.1: content-length header not a number",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "the answer of HOST:PORT has a transfer-encoding other than `chunked`",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "the answer of HOST:PORT has a transfer-encoding other than `chunked`",
        ),
        (
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "the answer of HOST:PORT has transfer-encoding in HTTP/1.0, which knows none",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nok",
            "the answer of HOST:PORT has the content-encoding `gzip`, which was not asked for",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
            "the answer of HOST:PORT switches the protocol, which was not asked for",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", "the answer of HOST:PORT is not HTTP/1.1: http parse fail: invalid HTTP version"),
        ("HTTP/1.1 200 OK\r\nx: y\r\n", "HOST:PORT closed the connection in the head of its answer"),
        ("", "HOST:PORT closed the connection without an answer"),
        (&many, "the answer of HOST:PORT is not HTTP/1.1: http parse resulted in too many headers"),
        (&large, "the answer of HOST:PORT has a head of more than 65536 bytes, all that are read"),
    ] {
        let text = answer.to_owned();
        let server = Server::new(move |stream, _| {
            say(stream, &text);
            Then::Close
        });
        let refused = failure(send(&server.transport(), &post("{}")), server.address);
        assert_eq!(refused, (Stage::FirstByte, Sent::Maybe, message.to_owned()), "{answer:.80}");
    }
}

#[test]
fn a_head_of_almost_64_kib_is_read() {
    let server = Server::new(|stream, _| {
        let head = format!("HTTP/1.1 200 OK\r\nx-large: {}\r\ncontent-length: 2\r\n\r\nok", "x".repeat(65_000));
        say(stream, &head)
    });
    let response = send(&server.transport(), &post("{}")).unwrap();
    assert_eq!(response.head.header("x-large").unwrap().len(), 65_000);
    assert_eq!(whole(response).unwrap(), "ok");
}

#[test]
fn a_body_that_is_too_large_is_an_error() {
    let limited = TransportOptions { body_limit: 10, ..plain() };
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789", Ok("0123456789")),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n",
            Err("the answer of HOST:PORT has 11 bytes; at most 10 are read"),
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n",
            Err("the answer of HOST:PORT has more than 10 bytes, all that are read"),
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n0123456789a",
            Err("the answer of HOST:PORT has more than 10 bytes, all that are read"),
        ),
    ] {
        let server = Server::saying_and_closing(answer);
        let result = call(&transport(&server.url(), &limited), &post("{}"));
        match expected {
            Ok(body) => assert_eq!(result.unwrap(), body),
            Err(message) => {
                assert_eq!(failure(result, server.address), (Stage::Body, Sent::Maybe, message.to_owned()));
            }
        }
    }
    // A standing event stream has no end and so no bound.
    let server = Server::saying_and_closing("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n0123456789a");
    assert_eq!(call(&transport(&server.url(), &limited), &request(Method::Get)).unwrap(), "0123456789a");
}

#[test]
fn events_arrive_as_they_are_sent() {
    let (next, may) = mpsc::channel::<()>();
    let may = Mutex::new(may);
    let server = Server::new(move |stream, _| {
        say(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
        for chunk in ["b\r\ndata: one\n\n\r\n", "b\r\ndata: two\n\n\r\n"] {
            say(stream, chunk);
            may.lock().unwrap().recv().unwrap();
        }
        say(stream, "0\r\n\r\n")
    });
    let mut response = send(&server.transport(), &post("{}")).unwrap();
    assert_eq!(response.read().unwrap(), Some(&b"data: one\n\n"[..]));
    next.send(()).unwrap();
    assert_eq!(response.read().unwrap(), Some(&b"data: two\n\n"[..]));
    next.send(()).unwrap();
    assert_eq!(response.read().unwrap(), None);
    assert_eq!(response.read().unwrap(), None);
}

// ── Headers ──────────────────────────────────────────────────────────────────────────────────────────────────────

fn header(name: &str, value: &str) -> (String, Secret) {
    (name.to_owned(), Secret::new(value))
}

#[test]
fn credentials_override_forwarded_headers_and_neither_replaces_the_protocols() {
    let server = Server::saying(OK);
    let credentials = Credentials::Header { name: "X-Api-Key".to_owned(), value: Secret::new("the key") };
    let forwarded = [
        header("X-Toolset", "repos"),
        header("x-api-key", "not this one"),
        header("Accept", "text/html"),
        header("Mcp-Session-Id", "stolen"),
        header("Mcp-Param-X", "no"),
        header("X-Already", "forwarded"),
    ];
    let transport = transport_with(&server.url(), &credentials, &forwarded, &plain());
    let mut request = post("{}");
    request.headers.push(("accept".to_owned(), "application/json, text/event-stream".to_owned()));
    request.headers.push(("x-already".to_owned(), "the request's".to_owned()));
    call(&transport, &request).unwrap();
    let mut lines: Vec<_> = server.got()[0].head.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    let host = format!("host: {}", server.address);
    assert_eq!(
        lines,
        [
            "",
            "POST /mcp HTTP/1.1",
            "accept: application/json, text/event-stream",
            "content-length: 2",
            "content-type: application/json",
            host.as_str(),
            "user-agent: vmcp/test",
            "x-already: the request's",
            "x-api-key: the key",
            "x-toolset: repos",
        ]
    );
}

#[test]
fn a_get_and_a_delete_have_no_body() {
    let server = Server::saying(OK);
    let transport = server.transport();
    for (method, line) in [(Method::Get, "GET /mcp HTTP/1.1"), (Method::Delete, "DELETE /mcp HTTP/1.1")] {
        call(&transport, &request(method)).unwrap();
        let head = server.got().last().unwrap().head.clone();
        assert!(head.starts_with(line) && !head.contains("content-length") && !head.contains("accept"), "{head}");
    }
}

#[test]
fn headers_that_would_end_a_line_are_not_sent() {
    let server = Server::saying(OK);
    let transport = server.transport();
    for (name, value, message) in [
        ("x", "a\r\nevil: 1", "the value of header `x` cannot be sent; it has a control character"),
        ("x", "a\0", "the value of header `x` cannot be sent; it has a control character"),
        ("x\r\nevil", "1", "header name \"x\\r\\nevil\" cannot be sent; expected a token"),
        ("", "1", "header name \"\" cannot be sent; expected a token"),
    ] {
        let mut request = post("{}");
        request.headers.push((name.to_owned(), value.to_owned()));
        assert_eq!(
            failure(send(&transport, &request), server.address),
            (Stage::Send, Sent::Nothing, message.to_owned())
        );
    }
    assert_eq!(server.connections(), 0);
    let made = |credentials: &Credentials, forwarded: &[(String, Secret)]| {
        let tls = trusting(Vec::new());
        let endpoint = Endpoint::parse(&server.url()).unwrap();
        BackendTransport::with_tls(&endpoint, credentials, forwarded, [Arc::clone(&tls), tls], &plain())
            .unwrap_err()
            .to_string()
    };
    let credentials =
        |name: &str, value: &str| Credentials::Header { name: name.to_owned(), value: Secret::new(value) };
    assert_eq!(
        made(&credentials("X-Key", "s3cr3t\r\n"), &[]),
        "header `X-Key` has a value with a control character; only tab is accepted"
    );
    assert_eq!(
        made(&credentials("Mcp-Session-Id", "x"), &[]),
        "header `Mcp-Session-Id` is one of the protocol's; credentials cannot be sent in it"
    );
    assert_eq!(
        made(&Credentials::Unauthenticated, &[header("Host", "evil.example")]),
        "header `Host` is restricted; it is made by the connection itself"
    );
}

#[test]
fn no_credential_is_shown() {
    let server = Server::saying_and_closing("");
    let credentials = Credentials::Header { name: "X-Api-Key".to_owned(), value: Secret::new("s3cr3t") };
    let url = format!("{}?key=s3cr3t", server.url());
    let transport = transport_with(&url, &credentials, &[header("X-Other", "s3cr3t")], &plain());
    let failure = send(&transport, &post("s3cr3t")).unwrap_err();
    assert!(!format!("{transport:?} {failure:?} {failure}").contains("s3cr3t"));
    assert!(server.got()[0].head.starts_with("POST /mcp?key=s3cr3t HTTP/1.1"));
}

// ── Redirects ────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_message_is_repeated_where_307_and_308_lead() {
    for status in ["307 Temporary Redirect", "308 Permanent Redirect"] {
        let server = Server::new(move |stream, got| match got.head.starts_with("POST /mcp ") {
            true => say(stream, &format!("HTTP/1.1 {status}\r\nlocation: /mcp/?a=b\r\ncontent-length: 4\r\n\r\nmove")),
            false => say(stream, OK),
        });
        let credentials = Credentials::Header { name: "x-key".to_owned(), value: Secret::new("k") };
        let transport = transport_with(&server.url(), &credentials, &[], &plain());
        assert_eq!(call(&transport, &post("{}")).unwrap(), "ok");
        let got = server.got();
        assert_eq!((got.len(), server.connections()), (2, 1));
        assert!(got[1].head.starts_with("POST /mcp/?a=b HTTP/1.1"));
        assert!(got[1].head.contains("\r\nx-key: k\r\n"));
        assert_eq!(got[1].body, "{}");
    }
}

#[test]
fn other_redirects_are_refused_by_name() {
    let there = Server::saying(OK);
    let elsewhere = format!("http://{}/mcp", there.address);
    for (method, status, location, message) in [
        (
            Method::Post,
            "307 x",
            elsewhere.as_str(),
            "http://HOST:PORT/mcp answered 307 and leads to ELSEWHERE; only the same host and port are followed, and \
             never from https to http",
        ),
        (
            Method::Get,
            "302 x",
            "//other.example/",
            "http://HOST:PORT/mcp answered 302 and leads to http://other.example/; only the same host and port are \
             followed, and never from https to http",
        ),
        (
            Method::Post,
            "302 x",
            "/mcp/",
            "http://HOST:PORT/mcp answered 302 and leads to http://HOST:PORT/mcp/; a message is repeated only by 307 \
             and 308",
        ),
        (
            Method::Delete,
            "303 x",
            "/mcp/",
            "http://HOST:PORT/mcp answered 303 and leads to http://HOST:PORT/mcp/; a message is repeated only by 307 \
             and 308",
        ),
        (Method::Get, "301 x", "", "http://HOST:PORT/mcp answered 301 without a location"),
        (
            Method::Get,
            "301 x",
            "ftp://a/",
            "http://HOST:PORT/mcp answered 301 with a location that cannot be followed: its scheme is `ftp`; expected \
             `http` or `https`",
        ),
    ] {
        let line = if location.is_empty() { String::new() } else { format!("location: {location}\r\n") };
        let server =
            Server::new(move |stream, _| say(stream, &format!("HTTP/1.1 {status}\r\n{line}content-length: 0\r\n\r\n")));
        let (stage, sent, text) = failure(send(&server.transport(), &request(method)), server.address);
        assert_eq!((stage, sent), (Stage::FirstByte, Sent::Maybe));
        assert_eq!(text.replace(&elsewhere, "ELSEWHERE"), message);
    }
    assert_eq!(there.connections(), 0);
}

#[test]
fn redirects_end() {
    let server = Server::saying("HTTP/1.1 302 x\r\nlocation: /mcp\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(
        failure(send(&server.transport(), &request(Method::Get)), server.address),
        (
            Stage::FirstByte,
            Sent::Maybe,
            "11 redirects led from http://HOST:PORT/mcp on; at most 10 are followed".to_owned()
        )
    );
    assert_eq!((server.got().len(), server.connections()), (11, 1));
}

#[test]
fn other_statuses_of_300_are_answers() {
    for answer in ["HTTP/1.1 304 Not Modified\r\n\r\n", "HTTP/1.1 300 x\r\ncontent-length: 0\r\n\r\n"] {
        let server = Server::saying(answer);
        assert!(matches!(send(&server.transport(), &post("{}")).unwrap().head.status, 300 | 304));
    }
}

// ── Deadlines ────────────────────────────────────────────────────────────────────────────────────────────────────

const SHORT: Duration = Duration::from_millis(40);

#[test]
fn a_server_that_never_answers_is_left() {
    let server = Server::silent();
    let timeouts = Timeouts { first_byte: SHORT, ..Timeouts::default() };
    assert_eq!(
        failure(server.transport().send(&post("{}"), &timeouts, &Cancel::new()), server.address),
        (Stage::FirstByte, Sent::Maybe, "HOST:PORT gave no answer for 40ms".to_owned())
    );
    let timeouts = Timeouts { total: Some(SHORT), ..Timeouts::default() };
    assert_eq!(
        failure(server.transport().send(&post("{}"), &timeouts, &Cancel::new()), server.address),
        (Stage::FirstByte, Sent::Maybe, "the call took more than 40ms; HOST:PORT had not answered".to_owned())
    );
}

#[test]
fn a_head_that_drips_is_late_as_a_whole() {
    let server = Server::new(|stream, _| {
        say(stream, "HTTP/1.1 200 OK\r\n");
        // Until the client goes: the write fails.
        while let Then::Next = say(stream, "x: y\r\n") {
            std::thread::yield_now();
        }
        Then::Close
    });
    let timeouts = Timeouts { first_byte: SHORT, ..Timeouts::default() };
    let (stage, _, text) = failure(server.transport().send(&post("{}"), &timeouts, &Cancel::new()), server.address);
    // Whichever bound is met first, the head is not read for ever.
    assert_eq!(stage, Stage::FirstByte);
    assert!(
        [
            "HOST:PORT gave no answer for 40ms",
            "the answer of HOST:PORT has a head of more than 65536 bytes, all that are read",
            "the answer of HOST:PORT is not HTTP/1.1: http parse resulted in too many headers"
        ]
        .contains(&text.as_str()),
        "{text}"
    );
}

#[test]
fn a_body_that_stops_is_left() {
    let server = Server::new(|stream, _| {
        say(stream, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok");
        wait_for_end(stream)
    });
    for (timeouts, message) in [
        (Timeouts { idle: Some(SHORT), ..Timeouts::default() }, "HOST:PORT sent no more of its answer for 40ms"),
        (
            Timeouts { idle: None, total: Some(SHORT), ..Timeouts::default() },
            "the call took more than 40ms; the answer of HOST:PORT had not ended",
        ),
    ] {
        let mut response = server.transport().send(&post("{}"), &timeouts, &Cancel::new()).unwrap();
        assert_eq!(response.read().unwrap(), Some(&b"ok"[..]));
        let late = response.read().map(|_| ());
        assert_eq!(failure(late, server.address), (Stage::Body, Sent::Maybe, message.to_owned()));
    }
}

/// An address where a connection is never completed: a listener whose queue is full.
struct Full {
    address: SocketAddr,
    _kept: (socket2::Socket, Vec<socket2::Socket>),
}

impl Full {
    fn new() -> Self {
        let new = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let listener = new();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        loop {
            let socket = new();
            let done = socket.connect_timeout(&address, Duration::from_millis(100)).is_ok();
            queued.push(socket);
            if !done {
                return Self { address: address.as_socket().unwrap(), _kept: (listener, queued) };
            }
        }
    }
}

#[test]
fn an_address_that_does_not_answer_is_left() {
    let full = Full::new();
    let timeouts = Timeouts { connect: SHORT, ..Timeouts::default() };
    let transport = transport(&format!("http://{}/", full.address), &plain());
    let (result, observed) = transport.observe(&post("{}"), &timeouts, &Cancel::new());
    assert_eq!(
        failure(result, full.address),
        (Stage::Connect, Sent::Nothing, "connecting to HOST:PORT: no answer within 40ms".to_owned())
    );
    assert!(observed.resolve.is_some() && observed.connect.is_none());
}

#[test]
fn a_backend_that_does_not_take_a_message_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let transport = transport(&format!("http://{address}/"), &plain());
    let timeouts = Timeouts { idle: Some(SHORT), ..Timeouts::default() };
    let body = "x".repeat(32 << 20);
    assert_eq!(
        failure(transport.send(&post(&body), &timeouts, &Cancel::new()), address),
        (Stage::Send, Sent::Maybe, "HOST:PORT took no more of the request for 40ms".to_owned())
    );
}

#[test]
fn a_handshake_that_never_comes_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let transport = transport(&format!("https://{address}/"), &plain());
    let timeouts = Timeouts { tls: SHORT, ..Timeouts::default() };
    assert_eq!(
        failure(transport.send(&post("{}"), &timeouts, &Cancel::new()), address),
        (Stage::Tls, Sent::Nothing, "the TLS handshake with HOST:PORT took more than 40ms".to_owned())
    );
}

// ── Connecting ───────────────────────────────────────────────────────────────────────────────────────────────────

/// A port of loopback on which nobody listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn transport_to(addresses: Vec<SocketAddr>, port: u16) -> BackendTransport {
    let resolver = Resolver::with(move |_, _| Ok(addresses.clone()));
    let tls = trusting(Vec::new());
    let endpoint = Endpoint::parse(&format!("http://backend.example:{port}/mcp")).unwrap();
    let dialer =
        Dialer { resolver, proxies: Proxies::none(), proxy_tls: Arc::clone(&tls), tls, answered: Mutex::default() };
    BackendTransport::with_dialer(&endpoint, &Credentials::Unauthenticated, &[], dialer, &plain()).unwrap()
}

#[test]
fn the_next_address_is_tried() {
    let server = Server::saying(OK);
    let port = server.address.port();
    let dead: IpAddr = "127.0.0.77".parse().unwrap();
    let transport = transport_to(vec![SocketAddr::new(dead, port), server.address], port);
    let response = send(&transport, &post("{}")).unwrap();
    assert_eq!(response.observed().address, Some(server.address));
    assert!(server.got()[0].head.contains(&format!("\r\nhost: backend.example:{port}\r\n")));
}

#[test]
fn the_address_that_answered_goes_first_from_then_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let live = listener.local_addr().unwrap();
    let dead = SocketAddr::new("127.0.0.77".parse().unwrap(), live.port());
    let transport = transport_to(vec![dead, live], live.port());
    let once = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream).unwrap();
        say(&mut stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
    });
    assert_eq!(call(&transport, &post("{}")).unwrap(), "ok");
    once.join().unwrap();
    // Nobody listens any more: the refusals stand in the order in which the addresses were tried.
    let failure = send(&transport, &post("{}")).unwrap_err();
    assert_eq!(
        failure.message.replace(&live.port().to_string(), "PORT"),
        "connecting to backend.example:PORT: 127.0.0.1: connection refused; 127.0.0.77: connection refused"
    );
}

#[test]
fn every_address_that_was_tried_is_named() {
    let port = closed_port();
    let [first, second] = ["127.0.0.1", "127.0.0.77"].map(|ip| SocketAddr::new(ip.parse().unwrap(), port));
    let text = |addresses| {
        let failure = send(&transport_to(addresses, port), &post("{}")).unwrap_err();
        assert_eq!((failure.stage, failure.sent), (Stage::Connect, Sent::Nothing));
        failure.message.replace(&port.to_string(), "PORT")
    };
    assert_eq!(text(vec![first]), "connecting to backend.example:PORT at 127.0.0.1: connection refused");
    assert_eq!(
        text(vec![first, second]),
        "connecting to backend.example:PORT: 127.0.0.1: connection refused; 127.0.0.77: connection refused"
    );
}

#[test]
fn an_unknown_name_is_said() {
    let resolver = Resolver::with(|_, _| Err(std::io::Error::other("Name or service not known")));
    let tls = trusting(Vec::new());
    let endpoint = Endpoint::parse("https://gone.example/mcp").unwrap();
    let dialer =
        Dialer { resolver, proxies: Proxies::none(), proxy_tls: Arc::clone(&tls), tls, answered: Mutex::default() };
    let transport =
        BackendTransport::with_dialer(&endpoint, &Credentials::Unauthenticated, &[], dialer, &plain()).unwrap();
    let failure = send(&transport, &post("{}")).unwrap_err();
    assert_eq!(
        (failure.stage, failure.sent, failure.message.as_str()),
        (Stage::Resolve, Sent::Nothing, "looking up `gone.example`: name or service not known")
    );
}

// ── Cancelling ───────────────────────────────────────────────────────────────────────────────────────────────────

/// Cancels once `server` has the request, while the call waits without any bound.
fn cancelled(server: &Server, timeouts: Timeouts) -> Result<String, Failure> {
    let transport = server.transport();
    let cancel = Cancel::new();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| whole(transport.send(&post("{}"), &timeouts, &cancel)?));
        while server.got().is_empty() {
            std::thread::yield_now();
        }
        cancel.cancel();
        call.join().unwrap()
    })
}

const NEVER: Timeouts = Timeouts {
    connect: Duration::from_secs(3600),
    tls: Duration::from_secs(3600),
    first_byte: Duration::from_secs(3600),
    idle: None,
    total: None,
};

#[test]
fn a_call_that_waits_is_cancelled_at_once() {
    let expected = (Stage::Cancelled, Sent::Maybe, "the call was cancelled".to_owned());
    let server = Server::silent();
    assert_eq!(failure(cancelled(&server, NEVER), server.address), expected);
    // Its end would be where the server closes: a cancelled one must not look complete.
    let server = Server::new(|stream, _| {
        say(stream, "HTTP/1.1 200 OK\r\n\r\nsome");
        wait_for_end(stream)
    });
    assert_eq!(failure(cancelled(&server, NEVER), server.address), expected);
}

#[test]
fn a_call_that_connects_is_cancelled_at_once() {
    let full = Full::new();
    let transport = transport(&format!("http://{}/", full.address), &plain());
    let cancel = Cancel::new();
    let result = std::thread::scope(|scope| {
        let call = scope.spawn(|| send_with(&transport, &cancel));
        while !cancel.is_watched() {
            std::thread::yield_now();
        }
        cancel.cancel();
        call.join().unwrap()
    });
    assert_eq!(failure(result, full.address), (Stage::Cancelled, Sent::Nothing, "the call was cancelled".to_owned()));
}

fn send_with(transport: &BackendTransport, cancel: &Cancel) -> Result<Response, Failure> {
    transport.send(&post("{}"), &NEVER, cancel)
}

#[test]
fn what_is_cancelled_before_is_not_begun() {
    let server = Server::saying(OK);
    let cancel = Cancel::new();
    cancel.cancel();
    assert_eq!(
        failure(send_with(&server.transport(), &cancel), server.address),
        (Stage::Cancelled, Sent::Nothing, "the call was cancelled".to_owned())
    );
    assert_eq!(server.connections(), 0);
}

#[test]
fn cancelling_a_call_that_is_over_harms_no_other() {
    let server = Server::saying(OK);
    let transport = server.transport();
    let cancel = Cancel::new();
    assert_eq!(whole(send_with(&transport, &cancel).unwrap()).unwrap(), "ok");
    assert!(!cancel.is_watched());
    let mut second = send(&transport, &post("{}")).unwrap();
    assert!(second.observed().reused);
    cancel.cancel();
    assert_eq!(second.read().unwrap(), Some(&b"ok"[..]));
    assert_eq!(server.connections(), 1);
}
