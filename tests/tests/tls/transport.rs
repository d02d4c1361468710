//! A backend from its configuration to an answer over TLS, by both transports: private authorities, wrong ones, proxies, and
//! a whole exchange.
//!
//! Framing, deadlines, redirects and cancelling need no configuration and are tested beside the transport.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use vmcp_core::config::input;
use vmcp_core::discovery::{Backend, Materials, discover};
use vmcp_core::mcp::client::{Answer, Call, CallError, Declared, Exchange, Goal, Limits, Settings, Start};
use vmcp_core::mcp::http::{Failure, Method, Request, Sent, Stage, Twice};
use vmcp_core::secret::Secret;
use vmcp_core::trust::{SystemRoots, TrustError, TrustedBy, UnixTime};
use vmcp_native::transport::asynchronous::{self, AsyncTransport, Next};
use vmcp_native::transport::{
    BackendTransport, Cancel, Observed, Patience, Proxies, Response, Said, Timeouts, TransportError, TransportOptions,
};

/// A test that both transports pass: on threads, and on tasks.
macro_rules! on_both {
    ($name:ident) => {
        mod $name {
            #[test]
            fn on_threads() {
                super::on(super::Kind::Threads, super::$name);
            }

            #[test]
            fn on_tasks() {
                super::on(super::Kind::Tasks, super::$name);
            }
        }
    };
}

pub(crate) use on_both;

/// On what a test runs its transport.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Threads,
    Tasks,
}

thread_local! {
    static KIND: Cell<Kind> = const { Cell::new(Kind::Threads) };
}

pub(crate) fn on(kind: Kind, test: fn()) {
    KIND.set(kind);
    test();
}

/// The transport that a test is about.
pub(crate) enum Transport {
    Threads(Box<BackendTransport>),
    Tasks(AsyncTransport),
}

/// An answer of it.
#[derive(Debug)]
enum AnyResponse {
    Threads(Response),
    Tasks(asynchronous::Response),
}

fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap())
}

impl Transport {
    pub(crate) fn new(backend: &Backend, options: &TransportOptions) -> Result<Self, TransportError> {
        Ok(match KIND.get() {
            Kind::Threads => Self::Threads(Box::new(BackendTransport::new(backend, options)?)),
            Kind::Tasks => Self::Tasks(AsyncTransport::new(backend, options)?),
        })
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
                (result.map(AnyResponse::Threads), observed)
            }
            Self::Tasks(transport) => {
                let (result, observed) = runtime().block_on(transport.observe(request, timeouts, cancel));
                (result.map(AnyResponse::Tasks), observed)
            }
        }
    }

    fn trusted_by(&self, observed: &Observed, now: UnixTime) -> Option<Result<TrustedBy, TrustError>> {
        match self {
            Self::Threads(transport) => transport.trusted_by(observed, now),
            Self::Tasks(transport) => transport.trusted_by(observed, now),
        }
    }

    pub(crate) fn run(
        &self,
        mut exchange: Exchange,
        patience: &Patience,
        cancel: &Cancel,
        mut said: impl FnMut(Said),
    ) -> Result<Answer, CallError> {
        match self {
            Self::Threads(transport) => transport.run(&mut exchange, patience, cancel, |_, what| said(what)),
            Self::Tasks(transport) => runtime().block_on(async {
                let mut walk = transport.walk(exchange, *patience, cancel.clone());
                loop {
                    match walk.next().await {
                        Next::Said(what) => said(what),
                        Next::Done(end) => return end,
                    }
                }
            }),
        }
    }
}

impl AnyResponse {
    fn observed(&self) -> Observed {
        match self {
            Self::Threads(response) => response.observed(),
            Self::Tasks(response) => response.observed(),
        }
    }

    fn read(&mut self) -> Result<Option<&[u8]>, Failure> {
        match self {
            Self::Threads(response) => response.read(),
            Self::Tasks(response) => runtime().block_on(response.read()),
        }
    }
}

/// A private authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// When a server's certificate is valid.
enum Validity {
    Now,
    Over,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn server(&self, name: &str) -> Arc<ServerConfig> {
        self.server_when(name, Validity::Now)
    }

    fn server_when(&self, name: &str, validity: Validity) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        if let Validity::Over = validity {
            params.not_before = (SystemTime::now() - Duration::from_secs(2 * 86_400)).into();
            params.not_after = (SystemTime::now() - Duration::from_secs(86_400)).into();
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }
}

pub(crate) trait Stream: Read + Write {
    /// Ends the connection in order.
    fn end(&mut self) {}
    /// From now on a read waits so long at most.
    fn wait(&self, limit: Duration);
}
impl Stream for TcpStream {
    fn wait(&self, limit: Duration) {
        self.set_read_timeout(Some(limit)).unwrap();
    }
}
impl Stream for StreamOwned<ServerConnection, TcpStream> {
    fn wait(&self, limit: Duration) {
        self.sock.wait(limit);
    }
    fn end(&mut self) {
        self.conn.send_close_notify();
        let _ = self.flush();
    }
}

/// What a server does after an answer.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    Next,
    /// Ends in order: with TLS, by its closure alert.
    End,
    /// Closes the connection as if the process had died.
    Break,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Heads and bodies as they came.
    got: Arc<Mutex<Vec<(String, String)>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn new(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&mut dyn Stream, &str, &str) -> Then + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap(), got: Arc::default(), connections: Arc::default() };
        let (got, connections, answer) = (Arc::clone(&server.got), Arc::clone(&server.connections), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let (got, answer, tls) = (Arc::clone(&got), Arc::clone(&answer), tls.clone());
                std::thread::spawn(move || {
                    let mut stream: Box<dyn Stream> = match tls {
                        Some(tls) => Box::new(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream)),
                        None => Box::new(stream),
                    };
                    while let Ok((head, body)) = read_request(&mut *stream) {
                        got.lock().unwrap().push((head.clone(), body.clone()));
                        match answer(&mut *stream, &head, &body) {
                            Then::Next => {}
                            Then::End => return stream.end(),
                            Then::Break => return,
                        }
                    }
                });
            }
        });
        server
    }

    /// A server that answers every request by one text.
    fn saying(tls: Option<Arc<ServerConfig>>, text: &'static str, then: Then) -> Self {
        Self::new(tls, move |stream, _, _| {
            say(stream, text);
            then
        })
    }

    fn port(&self) -> u16 {
        self.address.port()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn last(&self) -> (String, String) {
        self.got.lock().unwrap().last().cloned().unwrap()
    }
}

pub(crate) fn say(stream: &mut dyn Stream, text: &str) {
    // A client that has gone has no need of it.
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}

fn read_request(stream: &mut dyn Stream) -> io::Result<(String, String)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((head, String::from_utf8(body).unwrap()))
}

/// Opens tunnels, or passes requests on, to one server whatever is asked for.
fn proxy(to: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Server {
    Server::new(tls, move |stream, head, body| {
        let mut backend = TcpStream::connect(to).unwrap();
        if !head.starts_with("CONNECT ") {
            backend.write_all(head.as_bytes()).and_then(|()| backend.write_all(body.as_bytes())).unwrap();
            let mut answer = [0; 4096];
            let n = backend.read(&mut answer).unwrap();
            stream.write_all(&answer[..n]).unwrap();
            return Then::Next;
        }
        say(stream, "HTTP/1.1 200 Connection established\r\n\r\n");
        backend.wait(TURN);
        stream.wait(TURN);
        relay(stream, &mut backend);
        Then::Break
    })
}

/// How long the relay listens to one side before it turns to the other.
const TURN: Duration = Duration::from_millis(1);

/// Passes bytes on until either side ends.
fn relay(client: &mut dyn Stream, backend: &mut TcpStream) {
    let mut buffer = [0; 1 << 16];
    loop {
        match client.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) => backend.write_all(&buffer[..n]).unwrap(),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock) => {}
            Err(_) => return,
        }
        match backend.read(&mut buffer) {
            Ok(0) => return client.end(),
            Ok(n) => {
                if client.write_all(&buffer[..n]).and_then(|()| client.flush()).is_err() {
                    return;
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock) => {}
            Err(_) => return,
        }
    }
}

/// The one backend of a configuration, with `bundle` at its CA path and `system` as the system's roots.
pub(crate) fn backend(url: &str, bundle: Option<&str>, system: &str) -> Backend {
    let path = if bundle.is_some() { "\n  caBundlePath: /ca/backend.crt\n  type: entry" } else { "" };
    let text = format!(
        "name: t\ngroupRef: g\naggregation: {{conflictResolution: prefix}}\nincomingAuth:\n  type: anonymous\noutgoingAuth:\n  source: inline\n  backends:\n    \
         backend:\n      type: header_injection\n      headerInjection:\n        headerName: X-Api-Key\n        \
         headerValueEnv: KEY\nbackends:\n- name: backend\n  url: {url}\n  transport: streamable-http{path}\n"
    );
    let input = input::read(text.as_bytes());
    let document = &input.configs[0];
    let materials = Materials {
        files: bundle.map(|pem| ("/ca/backend.crt".to_owned(), Ok(pem.as_bytes().to_vec()))).into_iter().collect(),
        variables: BTreeMap::from([("KEY".to_owned(), Some(Secret::new("the key")))]),
        system_roots: Arc::new(SystemRoots::read([("/system.pem", system.as_bytes())])),
        now: UnixTime::now(),
    };
    let catalog = discover(&document.config, &document.diagnostics, &materials);
    assert_eq!(catalog.rejected, [], "{:?}", document.diagnostics);
    catalog.backends.into_iter().next().unwrap()
}

pub(crate) fn options() -> TransportOptions {
    TransportOptions { proxies: Proxies::none(), ..TransportOptions::default() }
}

fn through(variables: &[(&str, &str)]) -> TransportOptions {
    let value = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
    TransportOptions { proxies: Proxies::from_variables(value), ..TransportOptions::default() }
}

fn post() -> Request {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Request { method: Method::Post, headers, body: b"{}".to_vec(), twice: Twice::Acts }
}

fn send(transport: &Transport) -> Result<AnyResponse, Failure> {
    transport.observe(&post(), &Timeouts::default(), &Cancel::new()).0
}

fn whole(mut response: AnyResponse) -> Result<String, Failure> {
    let mut body = Vec::new();
    while let Some(bytes) = response.read()? {
        body.extend_from_slice(bytes);
    }
    Ok(String::from_utf8(body).unwrap())
}

fn failure<T: std::fmt::Debug>(result: Result<T, Failure>, port: u16) -> (Stage, Sent, String) {
    let failure = result.unwrap_err();
    (failure.stage, failure.sent, failure.message.replace(&port.to_string(), "PORT"))
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

on_both!(a_backend_behind_a_private_authority_is_called);
fn a_backend_behind_a_private_authority_is_called() {
    let authority = Authority::new("Acme Test CA");
    let server = Server::saying(Some(authority.server("localhost")), OK, Then::Next);
    let backend = backend(&format!("https://localhost:{}/mcp", server.port()), Some(&authority.pem), "");
    let transport = Transport::new(&backend, &options()).unwrap();
    let response = send(&transport).unwrap();
    let observed = response.observed();
    assert_eq!(whole(response).unwrap(), "ok");
    assert_eq!(observed.address, Some(server.address));
    let tls = observed.tls.as_ref().unwrap();
    assert_eq!((tls.version, tls.certificates.len()), ("TLS 1.3", 1));
    transport.trusted_by(&observed, UnixTime::now()).unwrap().unwrap();
    assert!(server.last().0.contains("\r\nx-api-key: the key\r\n"));
    // The second goes over the same session, and knows it too.
    let response = send(&transport).unwrap();
    let observed = response.observed();
    assert_eq!(whole(response).unwrap(), "ok");
    assert!(observed.reused && observed.tls.is_some() && observed.connect.is_none());
    assert_eq!(server.connections(), 1);
}

on_both!(what_is_not_trusted_gets_no_request);
fn what_is_not_trusted_gets_no_request() {
    let (ours, theirs) = (Authority::new("Ours"), Authority::new("Theirs"));
    for (config, bundle, words) in [
        (theirs.server("127.0.0.1"), Some(ours.pem.as_str()), "certificate is issued by"),
        (theirs.server("127.0.0.1"), None, "certificate is issued by"),
        (ours.server("other.example"), Some(&ours.pem), "other.example"),
        (ours.server_when("127.0.0.1", Validity::Over), Some(&ours.pem), "expired"),
    ] {
        let server = Server::saying(Some(config), OK, Then::Next);
        let backend = backend(&format!("https://{}/mcp", server.address), bundle, &ours.pem);
        let transport = Transport::new(&backend, &options()).unwrap();
        let (result, observed) = transport.observe(&post(), &Timeouts::default(), &Cancel::new());
        let (stage, sent, message) = failure(result, server.port());
        assert_eq!((stage, sent), (Stage::Tls, Sent::Nothing));
        assert!(message.starts_with("TLS with 127.0.0.1:PORT: ") && message.contains(words), "{message}");
        assert!(observed.connect.is_some() && observed.tls.is_none());
        assert_eq!(server.got.lock().unwrap().len(), 0);
    }
}

on_both!(one_backends_bundle_is_not_anothers);
fn one_backends_bundle_is_not_anothers() {
    let (a, b) = (Authority::new("A"), Authority::new("B"));
    let server = |authority: &Authority| Server::saying(Some(authority.server("127.0.0.1")), OK, Then::Next);
    let (server_a, server_b) = (server(&a), server(&b));
    let call = |server: &Server, bundle: &Authority| {
        let backend = backend(&format!("https://{}/mcp", server.address), Some(&bundle.pem), "");
        send(&Transport::new(&backend, &options()).unwrap()).and_then(whole)
    };
    assert_eq!(call(&server_a, &a).unwrap(), "ok");
    assert_eq!(call(&server_b, &b).unwrap(), "ok");
    assert_eq!(call(&server_a, &b).unwrap_err().stage, Stage::Tls);
    assert_eq!(call(&server_b, &a).unwrap_err().stage, Stage::Tls);
}

on_both!(a_server_without_tls_is_said);
fn a_server_without_tls_is_said() {
    let server = Server::saying(None, OK, Then::Next);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let backend = backend(&format!("https://{plain}/mcp"), None, &Authority::new("S").pem);
    let transport = Transport::new(&backend, &options()).unwrap();
    assert_eq!(
        failure(send(&transport), plain.port()),
        (
            Stage::Tls,
            Sent::Nothing,
            "TLS with 127.0.0.1:PORT: the other side does not speak TLS (received corrupt message of type \
             InvalidContentType)"
                .to_owned()
        )
    );
    assert_eq!(server.connections(), 0);
}

on_both!(a_server_that_speaks_http_2_alone_is_said);
fn a_server_that_speaks_http_2_alone_is_said() {
    let authority = Authority::new("A");
    let mut config = Arc::unwrap_or_clone(authority.server("127.0.0.1"));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let server = Server::saying(Some(Arc::new(config)), OK, Then::Next);
    let backend = backend(&format!("https://{}/mcp", server.address), Some(&authority.pem), "");
    let transport = Transport::new(&backend, &options()).unwrap();
    let message = "TLS with 127.0.0.1:PORT: the other side speaks no HTTP/1.1, which it was offered (ALPN)";
    assert_eq!(failure(send(&transport), server.port()), (Stage::Tls, Sent::Nothing, message.to_owned()));
}

on_both!(an_answer_without_its_length_ends_by_the_closure_alert_alone);
fn an_answer_without_its_length_ends_by_the_closure_alert_alone() {
    let authority = Authority::new("A");
    let text = "HTTP/1.1 200 OK\r\n\r\nall of it?";
    let read = |then| {
        let server = Server::saying(Some(authority.server("127.0.0.1")), text, then);
        let backend = backend(&format!("https://{}/mcp", server.address), Some(&authority.pem), "");
        let transport = Transport::new(&backend, &options()).unwrap();
        (send(&transport).and_then(whole), server.port())
    };
    assert_eq!(read(Then::End).0.unwrap(), "all of it?");
    let (cut, port) = read(Then::Break);
    assert_eq!(
        failure(cut, port),
        (
            Stage::Lost,
            Sent::Maybe,
            "reading the answer of 127.0.0.1:PORT: the connection was closed without TLS's closure alert, so the answer \
             may be cut off"
                .to_owned()
        )
    );
}

on_both!(a_proxy_opens_a_tunnel_and_sees_nothing);
fn a_proxy_opens_a_tunnel_and_sees_nothing() {
    let authority = Authority::new("A");
    let server = Server::saying(Some(authority.server("backend.example")), OK, Then::Next);
    let proxy = proxy(server.address, None);
    let backend = backend("https://backend.example/mcp", Some(&authority.pem), "");
    let variable = format!("http://user:pass@{}", proxy.address);
    let transport = Transport::new(&backend, &through(&[("HTTPS_PROXY", &variable)])).unwrap();
    for reused in [false, true] {
        let response = send(&transport).unwrap();
        let observed = response.observed();
        assert_eq!(whole(response).unwrap(), "ok");
        assert_eq!((observed.proxy, observed.address), (Some(proxy.address.to_string()), Some(proxy.address)));
        assert_eq!(observed.reused, reused);
    }
    let got = proxy.got.lock().unwrap().clone();
    assert_eq!(
        got[0].0,
        "CONNECT backend.example:443 HTTP/1.1\r\nHost: backend.example:443\r\nProxy-Authorization: Basic \
         dXNlcjpwYXNz\r\n\r\n"
    );
    assert_eq!(got.len(), 1);
    let head = server.last().0;
    assert!(head.starts_with("POST /mcp HTTP/1.1\r\n") && !head.contains("roxy"), "{head}");
}

on_both!(a_proxy_may_be_spoken_to_over_tls_and_is_trusted_by_the_system_alone);
fn a_proxy_may_be_spoken_to_over_tls_and_is_trusted_by_the_system_alone() {
    let (own, system) = (Authority::new("Own"), Authority::new("System"));
    let server = Server::saying(Some(own.server("backend.example")), OK, Then::Next);
    let call = |proxy_authority: &Authority| {
        let proxy = proxy(server.address, Some(proxy_authority.server("127.0.0.1")));
        let backend = backend("https://backend.example/mcp", Some(&own.pem), &system.pem);
        let variable = format!("https://{}", proxy.address);
        let transport = Transport::new(&backend, &through(&[("HTTPS_PROXY", &variable)])).unwrap();
        (send(&transport).and_then(whole), proxy.connections())
    };
    assert_eq!(call(&system).0.unwrap(), "ok");
    // The backend's own authority does not vouch for a proxy.
    let refused = call(&own).0.unwrap_err();
    assert_eq!((refused.stage, refused.sent), (Stage::Tls, Sent::Nothing));
    assert!(refused.message.starts_with("TLS with proxy 127.0.0.1:"), "{refused}");
}

on_both!(a_proxy_passes_plain_requests_on_by_their_whole_url);
fn a_proxy_passes_plain_requests_on_by_their_whole_url() {
    let server = Server::saying(None, OK, Then::Next);
    let proxy = proxy(server.address, None);
    let backend = backend("http://backend.example:8080/mcp?a=b", None, "");
    let variable = format!("http://user:pass@{}", proxy.address);
    let transport = Transport::new(&backend, &through(&[("HTTP_PROXY", &variable)])).unwrap();
    for _ in 0..2 {
        assert_eq!(send(&transport).and_then(whole).unwrap(), "ok");
        let head = proxy.last().0;
        let start = "POST http://backend.example:8080/mcp?a=b HTTP/1.1\r\nproxy-authorization: Basic dXNlcjpwYXNz\r\n";
        assert!(head.starts_with(start) && head.contains("\r\nhost: backend.example:8080\r\n"), "{head}");
    }
    assert_eq!(proxy.connections(), 1);
}

on_both!(a_proxy_that_refuses_is_said);
fn a_proxy_that_refuses_is_said() {
    let backend = backend("https://backend.example/mcp", None, &Authority::new("S").pem);
    for (answer, words) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
            "it answered 407 Proxy Authentication Required",
        ),
        ("HTTP/1.1 200 OK\r\n\r\nearly", "bytes came before they were asked for"),
        ("SSH-2.0-x\r\n\r\n", "its answer is not HTTP"),
        ("HTTP/1.1 200 OK\r\n", "it closed the connection"),
    ] {
        let proxy = Server::saying(None, answer, Then::End);
        let variable = format!("http://user:s3cr3t@{}", proxy.address);
        let transport = Transport::new(&backend, &through(&[("HTTPS_PROXY", &variable)])).unwrap();
        let message = format!("proxy 127.0.0.1:PORT opened no tunnel to backend.example:443: {words}");
        assert_eq!(failure(send(&transport), proxy.port()), (Stage::Connect, Sent::Nothing, message));
    }
    let transport = Transport::new(&backend, &through(&[("HTTPS_PROXY", "socks5://127.0.0.1:1")])).unwrap();
    let message = "connecting to backend.example:443: HTTPS_PROXY has the scheme `socks5`; expected `http` or `https`";
    assert_eq!(failure(send(&transport), 0), (Stage::Connect, Sent::Nothing, message.to_owned()));
}

/// A legacy server that answers calls by an event stream, which it ends after a message that comes before the result.
pub(crate) fn legacy(stream: &mut dyn Stream, head: &str, body: &str) -> Then {
    let json = |id: &str, result: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
    let message: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let id = message["id"].to_string();
    match message["method"].as_str() {
        Some("initialize") => {
            let body = json(&id, r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}"#);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: s1";
            say(stream, &format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
        }
        Some("notifications/initialized") => say(stream, "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"),
        Some("tools/call") => {
            assert!(head.contains("mcp-session-id: s1"));
            let note = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"hi"}}"#;
            let mut answer =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
            for message in [note.to_owned(), json(&id, r#"{"content":[]}"#)] {
                let event = format!("data: {message}\n\n");
                answer.push_str(&format!("{:x}\r\n{event}\r\n", event.len()));
            }
            // In one piece, so that its end is there when the result is: the connection is used again for certain.
            say(stream, &(answer + "0\r\n\r\n"));
        }
        _ => say(stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
    }
    Then::Next
}

on_both!(an_exchange_is_walked_to_its_end_over_one_connection);
fn an_exchange_is_walked_to_its_end_over_one_connection() {
    let authority = Authority::new("A");
    let server = Server::new(Some(authority.server("127.0.0.1")), legacy);
    let backend = backend(&format!("https://{}/mcp", server.address), Some(&authority.pem), "");
    let transport = Transport::new(&backend, &options()).unwrap();
    let settings = Arc::new(Settings { declared: Declared::new("test", "1"), limits: Limits::default() });
    let mut start = Start::Unknown;
    for number in 0..3 {
        let goal = Goal::Call(Call::new("tools/call", Some(r#"{"name":"x","arguments":{}}"#.to_owned())));
        let exchange = Exchange::new(goal, start.clone(), number, Arc::clone(&settings));
        let mut events = 0;
        let answer = transport.run(exchange, &Patience::default(), &Cancel::new(), |said| match said {
            Said::Learned(standing) => start = Start::Standing(standing),
            Said::Event(_) => events += 1,
            Said::Primed | Said::Part(_) | Said::Paused => {
                unreachable!("this backend closes no stream before it has answered")
            }
        });
        let Ok(Answer::Reply(reply)) = answer else { panic!("{answer:?}") };
        assert_eq!((reply.result(), events), (Some(r#"{"content":[]}"#), 1));
    }
    // server/discover, initialize, initialized, and three calls.
    assert_eq!(server.got.lock().unwrap().len(), 6);
    assert_eq!(server.connections(), 1);
}

on_both!(a_stream_that_is_left_open_does_not_hold_its_result);
fn a_stream_that_is_left_open_does_not_hold_its_result() {
    let server = Server::new(None, |stream, head, body| {
        let then = match body.contains("tools/call") {
            false => return legacy(stream, head, body),
            true => {
                let message: serde_json::Value = serde_json::from_str(body).unwrap();
                let event = format!("data: {{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{{}}}}\n\n", message["id"]);
                say(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
                say(stream, &event);
                Then::End
            }
        };
        let _ = stream.read(&mut [0]);
        then
    });
    let backend = backend(&format!("http://{}/mcp", server.address), None, "");
    let transport = Transport::new(&backend, &options()).unwrap();
    let settings = Arc::new(Settings { declared: Declared::new("test", "1"), limits: Limits::default() });
    let goal = Goal::Call(Call::new("tools/call", Some(r#"{"name":"x"}"#.to_owned())));
    let exchange = Exchange::new(goal, Start::Unknown, 0, settings);
    let answer = transport.run(exchange, &Patience::default(), &Cancel::new(), |_| ());
    assert!(matches!(answer, Ok(Answer::Reply(_))), "{answer:?}");
}
