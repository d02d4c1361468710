//! The transport against servers on loopback that do as each test says. No test sleeps; one that waits for a deadline
//! waits for a server that never answers.

mod cancelling;
mod connecting;
mod connections;
mod deadlines;
mod framing;
mod headers;
mod redirects;

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
