//! Both transports, on threads and on tasks, against servers on loopback that do as each test says. No test sleeps; one
//! that waits for a deadline waits for a server that never answers.

/// A test that both transports pass: on threads, and on tasks.
macro_rules! on_both {
    ($name:ident) => {
        mod $name {
            use super::super::{Kind, on};

            #[test]
            fn on_threads() {
                on(Kind::Threads, super::$name);
            }

            #[cfg(feature = "server")]
            #[test]
            fn on_tasks() {
                on(Kind::Tasks, super::$name);
            }
        }
    };
}

mod cancelling;
mod connecting;
mod connections;
mod deadlines;
mod framing;
mod headers;
mod redirects;
mod standing;

use super::resolver::Resolver;
use super::*;
use rustls::ClientConfig;
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, mpsc};
use vmcp_core::auth::Credentials;
use vmcp_core::mcp::http::{Head, Twice};
use vmcp_core::secret::Secret;

/// On what a test runs its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Threads,
    #[cfg(feature = "server")]
    Tasks,
}

thread_local! {
    static KIND: Cell<Kind> = const { Cell::new(Kind::Threads) };
}

/// Runs a test on one of them.
fn on(kind: Kind, test: fn()) {
    KIND.set(kind);
    test();
}

/// The transport that a test is about.
enum Either {
    Threads(Box<BackendTransport>),
    #[cfg(feature = "server")]
    Tasks(asynchronous::AsyncTransport),
}

/// An answer of it.
enum Answer {
    Threads(Box<Response>),
    #[cfg(feature = "server")]
    Tasks(Box<asynchronous::Response>),
}

struct AnyResponse {
    head: Head,
    answer: Answer,
}

/// Where tasks of tests run.
#[cfg(feature = "server")]
fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: std::sync::OnceLock<tokio::runtime::Runtime> = std::sync::OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap())
}

impl Either {
    fn with(
        endpoint: &Endpoint,
        credentials: &Credentials,
        forwarded: &[(String, Secret)],
        dialer: Dialer,
        options: &TransportOptions,
    ) -> Result<Self, TransportError> {
        let route = Route::to(endpoint, credentials, forwarded, options)?;
        Ok(match KIND.get() {
            Kind::Threads => Self::Threads(Box::new(BackendTransport::with_dialer(route, dialer, options))),
            #[cfg(feature = "server")]
            Kind::Tasks => Self::Tasks(asynchronous::AsyncTransport::with(route, dialer, None, options)),
        })
    }

    /// One to a backend that speaks HTTP with SSE.
    fn over_sse(url: &str) -> Self {
        let tls = trusting(Vec::new());
        let dialer = Dialer::with(Resolver::system(), Proxies::none(), [Arc::clone(&tls), tls]);
        let endpoint = Endpoint::parse(url).unwrap();
        let route = Route::to(&endpoint, &Credentials::Unauthenticated, &[], &plain()).unwrap();
        match KIND.get() {
            Kind::Threads => {
                let mut transport = BackendTransport::with_dialer(route, dialer, &plain());
                transport.sse = Some(Arc::new(Streams::new(8)));
                Self::Threads(Box::new(transport))
            }
            #[cfg(feature = "server")]
            Kind::Tasks => {
                Self::Tasks(asynchronous::AsyncTransport::with(route, dialer, Some(Streams::new(8)), &plain()))
            }
        }
    }

    fn with_tls(
        endpoint: &Endpoint,
        credentials: &Credentials,
        forwarded: &[(String, Secret)],
        tls: [Arc<ClientConfig>; 2],
        options: &TransportOptions,
    ) -> Result<Self, TransportError> {
        let dialer = Dialer::with(Resolver::system(), options.proxies.clone(), tls);
        Self::with(endpoint, credentials, forwarded, dialer, options)
    }

    fn observe(
        &self,
        request: &Request,
        timeouts: &Timeouts,
        cancel: &Cancel,
    ) -> (Result<AnyResponse, Failure>, Observed) {
        match self {
            Self::Threads(transport) => {
                let (result, observed) = transport.observe(request, timeouts, cancel);
                let answered = |answer: Response| AnyResponse {
                    head: answer.head.clone(),
                    answer: Answer::Threads(Box::new(answer)),
                };
                (result.map(answered), observed)
            }
            #[cfg(feature = "server")]
            Self::Tasks(transport) => {
                let (result, observed) = runtime().block_on(transport.observe(request, timeouts, cancel));
                let answered = |answer: asynchronous::Response| AnyResponse {
                    head: answer.head.clone(),
                    answer: Answer::Tasks(Box::new(answer)),
                };
                (result.map(answered), observed)
            }
        }
    }

    fn send(&self, request: &Request, timeouts: &Timeouts, cancel: &Cancel) -> Result<AnyResponse, Failure> {
        self.observe(request, timeouts, cancel).0
    }
}

impl fmt::Debug for Either {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threads(transport) => transport.fmt(f),
            #[cfg(feature = "server")]
            Self::Tasks(transport) => transport.fmt(f),
        }
    }
}

impl AnyResponse {
    fn observed(&self) -> Observed {
        match &self.answer {
            Answer::Threads(response) => response.observed(),
            #[cfg(feature = "server")]
            Answer::Tasks(response) => response.observed(),
        }
    }

    fn read(&mut self) -> Result<Option<&[u8]>, Failure> {
        match &mut self.answer {
            Answer::Threads(response) => response.read(),
            #[cfg(feature = "server")]
            Answer::Tasks(response) => runtime().block_on(response.read()),
        }
    }
}

impl fmt::Debug for AnyResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.answer {
            Answer::Threads(response) => response.fmt(f),
            #[cfg(feature = "server")]
            Answer::Tasks(response) => response.fmt(f),
        }
    }
}

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

    fn transport(&self) -> Either {
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

fn transport(url: &str, options: &TransportOptions) -> Either {
    transport_with(url, &Credentials::Unauthenticated, &[], options)
}

fn transport_with(
    url: &str,
    credentials: &Credentials,
    forwarded: &[(String, Secret)],
    options: &TransportOptions,
) -> Either {
    let tls = trusting(Vec::new());
    let endpoint = Endpoint::parse(url).unwrap();
    Either::with_tls(&endpoint, credentials, forwarded, [Arc::clone(&tls), tls], options).unwrap()
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
        twice: Twice::Acts,
    }
}

fn request(method: Method) -> Request {
    Request { method, headers: Vec::new(), body: Vec::new(), twice: Twice::Harmless }
}

fn send(transport: &Either, request: &Request) -> Result<AnyResponse, Failure> {
    transport.send(request, &Timeouts::default(), &Cancel::new())
}

fn whole(mut response: AnyResponse) -> Result<String, Failure> {
    let mut body = Vec::new();
    while let Some(bytes) = response.read()? {
        body.extend_from_slice(bytes);
    }
    Ok(String::from_utf8(body).unwrap())
}

fn call(transport: &Either, request: &Request) -> Result<String, Failure> {
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
