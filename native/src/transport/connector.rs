//! Opening connections for ureq, and the connections: looked up, connected, tunnelled and encrypted here, so that each
//! stage has its time, its deadline and its words, and a call that is stopped wakes wherever it waits.
//!
//! It decides nothing about trust: the TLS configuration it is given does.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use ureq::unversioned::transport::{Buffers as UreqBuffers, ConnectionDetails, Connector, NextTimeout, Transport};
use vmcp_core::endpoint::Scheme;
use vmcp_core::mcp::http::{Failure, Sent, Stage};
use vmcp_core::secret::Secret;

use super::buffers::{Buffers, Waits};
use super::call::{
    Bound, Call, Cancel, Connections, Observed, TlsObserved, Until, Waiting, host_and_port, io_words, lock, tls_error,
    tls_words,
};
use super::proxy::{Proxies, Proxy};
use super::resolver::{Resolver, Unresolved};
use super::wire::Wire;

/// Opens the connections of one backend.
#[derive(Debug)]
pub(super) struct Dialer {
    pub(super) resolver: Resolver,
    pub(super) proxies: Proxies,
    /// Trusts what the backend's pool holds, and nothing else.
    pub(super) tls: Arc<ClientConfig>,
    /// Trusts the system's roots alone: a proxy is not the backend.
    pub(super) proxy_tls: Arc<ClientConfig>,
    /// The address that answered where one before it did not: it is tried first from then on.
    pub(super) answered: Mutex<Option<SocketAddr>>,
}

/// Says nothing: names are looked up by [`Dialer`], when a connection is opened.
#[derive(Debug)]
pub(super) struct NoResolver;

impl ureq::unversioned::resolver::Resolver for NoResolver {
    fn resolve(
        &self,
        _: &ureq::http::Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ureq::unversioned::resolver::ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

impl Connector for Dialer {
    type Out = Connection;

    fn connect(&self, _: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Connection>, ureq::Error> {
        let call = Call::current().ok_or(ureq::Error::ConnectionFailed)?;
        self.dial(&call).map(Some).map_err(|failure| kept(&call, failure))
    }
}

/// ureq passes errors of its own kind only; the caller takes the failure from the call.
fn kept(call: &Call, failure: Failure) -> ureq::Error {
    call.keep(failure);
    ureq::Error::ConnectionFailed
}

impl Dialer {
    fn dial(&self, call: &Arc<Call>) -> Result<Connection, Failure> {
        call.observe(|observed| *observed = Observed::default());
        let endpoint = &call.endpoint;
        let proxy = self
            .proxies
            .for_endpoint(endpoint)
            .map_err(|error| call.failure(Stage::Connect, format!("connecting to {}: {error}", call.peer())))?;
        let until = call.until(Some(call.timeouts.connect), Instant::now());
        let (socket, watched) = self.open(call, proxy, until)?;
        let mut wire = Wire::new(socket);
        let mut absolute = None;
        if let Some(proxy) = proxy {
            let begun = Instant::now();
            if proxy.scheme == Scheme::Https {
                let name = server_name(&proxy.host)
                    .map_err(|words| call.failure(Stage::Connect, format!("proxy {}: {words}", proxy.name())))?;
                wire.enter_proxy_tls(Arc::clone(&self.proxy_tls), name, until.at).map_err(|error| {
                    match tls_error(&error) {
                        Some(tls) => {
                            let message = format!("TLS with proxy {}: {}", proxy.name(), tls_words(tls));
                            call.failure(Stage::Tls, message)
                        }
                        None => call.broken(Stage::Connect, until, &error),
                    }
                })?;
            }
            match endpoint.scheme() {
                Scheme::Https => tunnel(call, &mut wire, proxy, until)?,
                Scheme::Http => absolute = Some(Absolute::new(&endpoint.authority(), proxy)),
            }
            let took = begun.elapsed();
            call.observe(|observed| observed.connect = Some(observed.connect.unwrap_or_default() + took));
        }
        if endpoint.scheme() == Scheme::Https {
            let until = call.until(Some(call.timeouts.tls), Instant::now());
            let begun = Instant::now();
            let name = server_name(endpoint.host())
                .map_err(|words| call.failure(Stage::Tls, format!("TLS with {}: {words}", call.peer())))?;
            wire.enter_tls(Arc::clone(&self.tls), name, until.at)
                .map_err(|error| call.broken(Stage::Tls, until, &error))?;
            let tls = wire.tls().map(|session| TlsObserved {
                took: begun.elapsed(),
                version: match session.protocol_version() {
                    Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
                    _ => "TLS 1.3",
                },
                certificates: session.peer_certificates().map(Arc::from).unwrap_or_default(),
            });
            call.observe(|observed| observed.tls = tls);
        }
        Ok(Connection {
            wire,
            buffers: Buffers::default(),
            absolute,
            origin: call.observed(),
            carried: Some(Carried { call: Arc::clone(call), _watched: watched, line: Line::Unwritten, broke: None }),
        })
    }

    /// A socket connected to the backend, or to its proxy, over the first of its addresses that answers.
    fn open(&self, call: &Call, proxy: Option<&Proxy>, until: Until) -> Result<(Arc<Socket>, Watched), Failure> {
        let begun = Instant::now();
        let (host, port) =
            proxy.map_or((call.endpoint.host(), call.endpoint.port()), |proxy| (proxy.host.as_str(), proxy.port));
        call.observe(|observed| observed.proxy = proxy.map(Proxy::name));
        let addresses = self.resolver.addresses(host, port, until.at, &call.cancel).map_err(|error| {
            let message = match error {
                Unresolved::Failed(words) => format!("looking up `{host}`: {words}"),
                Unresolved::Late => call.late(Stage::Resolve, until),
                Unresolved::Cancelled => String::new(),
            };
            call.failure(Stage::Resolve, message)
        })?;
        call.observe(|observed| observed.resolve = Some(begun.elapsed()));
        let begun = Instant::now();
        let mut refusals = Vec::new();
        let preferred = *lock(&self.answered);
        let mut addresses = addresses.to_vec();
        // Stable: the system's order but for the one.
        addresses.sort_by_key(|address| Some(*address) != preferred);
        for (index, &address) in addresses.iter().enumerate() {
            // As Go does: the time that is left is shared among the addresses that are left.
            let share = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
            let left = until.at.map(|at| at.saturating_duration_since(Instant::now()));
            match connect(address, left.map(|left| left / share), &call.cancel) {
                Ok(connected) => {
                    if index > 0 {
                        *lock(&self.answered) = Some(address);
                    }
                    call.observe(|observed| {
                        observed.connect = Some(begun.elapsed());
                        observed.address = Some(address);
                    });
                    return Ok(connected);
                }
                Err(error) => refusals.push((address, error)),
            }
            if call.cancel.is_cancelled() {
                break;
            }
        }
        self.resolver.forget(host, port);
        Err(refused(call, proxy, until, &refusals))
    }
}

/// No address could be connected to.
fn refused(call: &Call, proxy: Option<&Proxy>, until: Until, refusals: &[(SocketAddr, io::Error)]) -> Failure {
    let mut target = host_and_port(call.endpoint.host(), call.endpoint.port());
    if let Some(proxy) = proxy {
        target = format!("{target} through proxy {}", proxy.name());
    }
    let host = proxy.map_or(call.endpoint.host(), |proxy| &proxy.host);
    let words = |error: &io::Error| match (error.kind(), until.bound) {
        (ErrorKind::TimedOut, Bound::Stage) => format!("no answer within {:?}", until.limit),
        (ErrorKind::TimedOut, Bound::Total) => format!("no answer within the {:?} of the call", until.limit),
        _ => io_words(error),
    };
    let message = match refusals {
        [(address, error)] if address.ip().to_string() == host => format!("connecting to {target}: {}", words(error)),
        [(address, error)] => format!("connecting to {target} at {}: {}", address.ip(), words(error)),
        _ => {
            let each = refusals.iter().map(|(address, error)| format!("{}: {}", address.ip(), words(error)));
            format!("connecting to {target}: {}", each.collect::<Vec<_>>().join("; "))
        }
    };
    call.failure(Stage::Connect, message)
}

/// Woken by a cancel until it is dropped.
#[derive(Debug)]
struct Watched {
    cancel: Cancel,
    key: u64,
}

impl Watched {
    fn new(socket: &Arc<Socket>, cancel: &Cancel) -> Self {
        Self { cancel: cancel.clone(), key: cancel.watch(Waiting::Socket(Arc::downgrade(socket))) }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.cancel.unwatch(self.key);
    }
}

fn connect(address: SocketAddr, limit: Option<Duration>, cancel: &Cancel) -> io::Result<(Arc<Socket>, Watched)> {
    let socket = Arc::new(Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?);
    let watched = Watched::new(&socket, cancel);
    match limit {
        Some(limit) if limit.is_zero() => return Err(ErrorKind::TimedOut.into()),
        Some(limit) => socket.connect_timeout(&address.into(), limit)?,
        None => socket.connect(&address.into())?,
    }
    socket.set_tcp_nodelay(true)?;
    // A peer that vanished is noticed on an idle connection and on one that waits: after 30 s, then 3 times in 10 s.
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));
    #[cfg(not(windows))]
    let keepalive = keepalive.with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    Ok((socket, watched))
}

fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(host.to_owned()).map_err(|_| format!("`{host}` is no name that a certificate can bear"))
}

/// Bytes of a proxy's answer that are read.
const TUNNEL_HEAD: usize = 16 * 1024;

/// RFC 9110 section 9.3.6: from the end of the answer's head on, the connection is the backend's.
fn tunnel(call: &Call, wire: &mut Wire, proxy: &Proxy, until: Until) -> Result<(), Failure> {
    let target = host_and_port(call.endpoint.host(), call.endpoint.port());
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(authorization) = &proxy.authorization {
        request.push_str("Proxy-Authorization: ");
        request.push_str(authorization.expose());
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    let request = Secret::new(request);
    let broken = |error: io::Error| call.broken(Stage::Connect, until, &error);
    wire.write_all(request.expose().as_bytes(), || until.at, || ()).map_err(broken)?;
    let mut head = Vec::new();
    let refused = |words: &str| {
        let message = format!("proxy {} opened no tunnel to {target}: {words}", proxy.name());
        call.failure(Stage::Connect, message)
    };
    loop {
        let mut buffer = [0; 1024];
        let n = wire.read(&mut buffer, until.at).map_err(broken)?;
        head.extend_from_slice(&buffer[..n]);
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
            let line = String::from_utf8_lossy(line);
            let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..)).unwrap_or_default();
            return match status.get(..3) {
                Some(code) if code.starts_with('2') && end + 4 == head.len() => Ok(()),
                Some(code) if code.starts_with('2') => Err(refused("bytes came before they were asked for")),
                Some(code) if code.bytes().all(|byte| byte.is_ascii_digit()) => {
                    Err(refused(&format!("it answered {}", status.escape_debug())))
                }
                _ => Err(refused("its answer is not HTTP")),
            };
        }
        if n == 0 {
            return Err(refused("it closed the connection"));
        }
        if head.len() > TUNNEL_HEAD {
            return Err(refused(&format!("its answer has a head of more than {TUNNEL_HEAD} bytes")));
        }
    }
}

/// What the head of a request to an `http` backend needs on its way through a proxy (RFC 9112 section 3.2.2).
#[derive(Debug)]
struct Absolute {
    prefix: String,
    authorization: Option<Secret>,
}

impl Absolute {
    fn new(authority: &str, proxy: &Proxy) -> Self {
        Self { prefix: format!("http://{authority}"), authorization: proxy.authorization.clone() }
    }

    /// The bytes of a request's beginning with the absolute form in its first line.
    fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let target = bytes.iter().position(|&byte| byte == b' ').map_or(0, |space| space + 1);
        let line = bytes.windows(2).position(|two| two == b"\r\n").map_or(bytes.len(), |end| end + 2);
        let mut rewritten = Vec::with_capacity(bytes.len() + self.prefix.len() + 64);
        rewritten.extend_from_slice(&bytes[..target]);
        rewritten.extend_from_slice(self.prefix.as_bytes());
        rewritten.extend_from_slice(&bytes[target..line]);
        if let Some(authorization) = &self.authorization {
            rewritten.extend_from_slice(b"proxy-authorization: ");
            rewritten.extend_from_slice(authorization.expose().as_bytes());
            rewritten.extend_from_slice(b"\r\n");
        }
        rewritten.extend_from_slice(&bytes[line..]);
        rewritten
    }
}

/// One connection, idle or carrying a call.
pub(super) struct Connection {
    wire: Wire,
    buffers: Buffers,
    absolute: Option<Absolute>,
    /// What was seen when it was opened.
    origin: Observed,
    carried: Option<Carried>,
}

/// The call that a connection carries.
struct Carried {
    call: Arc<Call>,
    _watched: Watched,
    line: Line,
    /// Why no more of the request can be written. The answer may have come before: a server that refuses a request
    /// early closes without reading all of it.
    broke: Option<io::Error>,
}

/// Whether the first line of the request has been written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Unwritten,
    Written,
}

impl Connection {
    /// An idle connection is taken for the call of this thread, if it still stands.
    fn take(&mut self) -> bool {
        let Some(call) = Call::current() else { return false };
        if call.connections == Connections::New || !self.wire.is_quiet() {
            return false;
        }
        let watched = Watched::new(self.wire.socket(), &call.cancel);
        let tls = self.origin.tls.clone();
        let (address, proxy) = (self.origin.address, self.origin.proxy.clone());
        call.observe(|observed| *observed = Observed { tls, address, proxy, reused: true, ..Observed::default() });
        self.carried = Some(Carried { call, _watched: watched, line: Line::Unwritten, broke: None });
        true
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let Some(carried) = &mut self.carried else { return Ok(()) };
        if self.buffers.waiting().is_empty() {
            return Ok(());
        }
        let call = &carried.call;
        let rewritten;
        let mut bytes = self.buffers.waiting();
        if carried.line == Line::Unwritten {
            carried.line = Line::Written;
            if let Some(absolute) = &self.absolute {
                rewritten = absolute.apply(bytes);
                bytes = &rewritten;
            }
        }
        let portion = call.timeouts.idle.unwrap_or(call.timeouts.first_byte);
        let until = || call.until(Some(portion), Instant::now());
        if carried.broke.is_none()
            && let Err(error) = self.wire.write_all(bytes, || until().at, || call.note_sent())
        {
            let closed = matches!(
                error.kind(),
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted
            );
            if !closed || call.sent() == Sent::Nothing {
                return Err(call.broken(Stage::Send, until(), &error));
            }
            carried.broke = Some(error);
        }
        self.buffers.nothing_waits();
        Ok(())
    }

    fn receive(&mut self) -> Result<bool, Failure> {
        self.flush()?;
        let Some(carried) = &mut self.carried else { return Ok(false) };
        let call = &carried.call;
        call.note_written();
        let (stage, until) = call.reading();
        let ended = match self.wire.read(self.buffers.input_append_buf(), until.at) {
            Ok(0) if call.cancel.is_cancelled() => return Err(call.failure(stage, String::new())),
            Ok(0) => None,
            Ok(n) => {
                self.buffers.input_appended(n);
                call.note_answered();
                return Ok(true);
            }
            Err(error) => Some(error),
        };
        match (carried.broke.take(), ended) {
            (Some(broke), _) if !call.is_answered() => Err(call.broken(Stage::Send, until, &broke)),
            (_, Some(error)) => Err(call.broken(stage, until, &error)),
            (_, None) => Ok(false),
        }
    }

    fn keep(&self, failure: Failure) -> ureq::Error {
        match &self.carried {
            Some(carried) => kept(&carried.call, failure),
            None => ureq::Error::ConnectionFailed,
        }
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn UreqBuffers {
        &mut self.buffers
    }

    /// Head and body leave in one write, when the answer is waited for.
    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        match self.buffers.push_output(amount) {
            Waits::ForMore => Ok(()),
            Waits::Full => self.flush().map_err(|failure| self.keep(failure)),
        }
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        self.receive().map_err(|failure| self.keep(failure))
    }

    /// ureq asks twice: when a connection comes back from its call, and when it is taken for the next.
    fn is_open(&mut self) -> bool {
        match self.carried.take() {
            None => self.take(),
            Some(carried) => {
                self.buffers.release();
                carried.broke.is_none() && self.wire.is_quiet()
            }
        }
    }

    fn is_tls(&self) -> bool {
        self.wire.tls().is_some()
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("address", &self.origin.address).finish_non_exhaustive()
    }
}
