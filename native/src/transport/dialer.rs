//! What opening a connection needs to know and says, however it is opened: the proxy on the way, the order of addresses,
//! the tunnel's two messages, and the words for what goes wrong.
//!
//! It opens none and waits for nothing: threads do so in [`super::connector`], tasks in [`super::asynchronous`].

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use vmcp_core::discovery::Backend;
use vmcp_core::mcp::http::{Failure, Stage};
use vmcp_core::secret::Secret;
use vmcp_core::trust::Pool;

use super::TransportOptions;
use super::call::{Bound, Call, TlsObserved, Until, host_and_port, io_words, lock, tls_error, tls_words};
use super::proxy::{Proxies, Proxy};
use super::resolver::{Resolver, Unresolved};
use crate::verifier;

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

impl Dialer {
    pub(super) fn new(backend: &Backend, options: &TransportOptions) -> Self {
        Self::trusting(&backend.pool, options)
    }

    /// For a server that this pool vouches for.
    pub(super) fn trusting(pool: &Arc<Pool>, options: &TransportOptions) -> Self {
        let system = Arc::new(Pool::new(Arc::clone(&pool.system), None));
        let tls = [Arc::clone(pool), system].map(verifier::client_config);
        Self::with(Resolver::system(), options.proxies.clone(), tls)
    }

    /// `tls` is for the backend and for a proxy, in this order.
    pub(super) fn with(resolver: Resolver, proxies: Proxies, tls: [Arc<ClientConfig>; 2]) -> Self {
        let [tls, proxy_tls] = tls.map(|config| {
            let mut config = ClientConfig::clone(&config);
            // RFC 7301: a server that speaks HTTP/2 alone says so in the handshake.
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Arc::new(config)
        });
        Self { resolver, proxies, tls, proxy_tls, answered: Mutex::default() }
    }

    /// The proxy on the way.
    pub(super) fn proxy(&self, call: &Call) -> Result<Option<&Proxy>, Failure> {
        self.proxies
            .for_endpoint(&call.endpoint)
            .map_err(|error| call.failure(Stage::Connect, format!("connecting to {}: {error}", call.peer())))
    }

    /// Addresses in the order in which they are tried: the system's, but for the one that answered where another did not.
    pub(super) fn in_order(&self, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
        let preferred = *lock(&self.answered);
        let mut addresses = addresses.to_vec();
        addresses.sort_by_key(|address| Some(*address) != preferred);
        addresses
    }

    /// The address at this place of the order answered.
    pub(super) fn connected(&self, call: &Call, address: SocketAddr, place: usize, begun: Instant) {
        if place > 0 {
            *lock(&self.answered) = Some(address);
        }
        call.observe(|observed| {
            observed.connect = Some(begun.elapsed());
            observed.address = Some(address);
        });
    }
}

/// As Go does: the time that is left is shared among the addresses that are left.
pub(super) fn share(until: Until, left: usize) -> Option<Duration> {
    let parts = u32::try_from(left).unwrap_or(u32::MAX);
    until.at.map(|at| at.saturating_duration_since(Instant::now()) / parts)
}

/// Host and port that are connected to.
pub(super) fn next_hop<'a>(call: &'a Call, proxy: Option<&'a Proxy>) -> (&'a str, u16) {
    proxy.map_or((call.endpoint.host(), call.endpoint.port()), |proxy| (proxy.host.as_str(), proxy.port))
}

/// No address is known.
pub(super) fn unresolved(call: &Call, host: &str, until: Until, error: Unresolved) -> Failure {
    let message = match error {
        Unresolved::Failed(words) => format!("looking up `{host}`: {words}"),
        Unresolved::Late => call.late(Stage::Resolve, until),
        Unresolved::Cancelled => String::new(),
    };
    call.failure(Stage::Resolve, message)
}

/// No address could be connected to.
pub(super) fn refused(
    call: &Call,
    proxy: Option<&Proxy>,
    until: Until,
    refusals: &[(SocketAddr, io::Error)],
) -> Failure {
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

/// What every connection is set to: small messages leave at once, and a peer that vanished is noticed on an idle
/// connection and on one that waits, after 30 s and then 3 times in 10 s.
pub(super) fn prepare<'s>(socket: impl Into<SockRef<'s>>) -> io::Result<()> {
    let socket = socket.into();
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));
    #[cfg(not(windows))]
    let keepalive = keepalive.with_retries(3);
    socket.set_tcp_keepalive(&keepalive)
}

/// The name that the backend's certificate must bear.
pub(super) fn backend_name(call: &Call) -> Result<ServerName<'static>, Failure> {
    server_name(call.endpoint.host())
        .map_err(|words| call.failure(Stage::Tls, format!("TLS with {}: {words}", call.peer())))
}

/// The name that the proxy's must bear.
pub(super) fn proxy_name(call: &Call, proxy: &Proxy) -> Result<ServerName<'static>, Failure> {
    server_name(&proxy.host).map_err(|words| call.failure(Stage::Connect, format!("proxy {}: {words}", proxy.name())))
}

fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(host.to_owned()).map_err(|_| format!("`{host}` is no name that a certificate can bear"))
}

/// What an error of TLS with a proxy means.
pub(super) fn broken_with_proxy(call: &Call, proxy: &Proxy, until: Until, error: &io::Error) -> Failure {
    match tls_error(error) {
        Some(tls) => call.failure(Stage::Tls, format!("TLS with proxy {}: {}", proxy.name(), tls_words(tls))),
        None => call.broken(Stage::Connect, until, error),
    }
}

/// A session whose handshake is over.
pub(super) fn seen(session: &ClientConnection, begun: Instant) -> TlsObserved {
    TlsObserved {
        took: begun.elapsed(),
        version: match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS 1.3",
        },
        certificates: session.peer_certificates().map(Arc::from).unwrap_or_default(),
    }
}

/// Bytes of a proxy's answer that are read.
const TUNNEL_HEAD: usize = 16 * 1024;

/// RFC 9110 section 9.3.6: from the end of the answer's head on, the connection is the backend's.
pub(super) struct Tunnel {
    target: String,
    proxy: String,
}

impl Tunnel {
    pub(super) fn new(call: &Call, proxy: &Proxy) -> Self {
        Self { target: host_and_port(call.endpoint.host(), call.endpoint.port()), proxy: proxy.name() }
    }

    /// What the proxy is asked.
    pub(super) fn request(&self, proxy: &Proxy) -> Secret {
        let target = &self.target;
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some(authorization) = &proxy.authorization {
            request.push_str("Proxy-Authorization: ");
            request.push_str(authorization.expose());
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        Secret::new(request)
    }

    /// Whether the tunnel stands, once that is known: `head` is what came, `n` bytes of it just now.
    pub(super) fn opened(&self, call: &Call, head: &[u8], n: usize) -> Option<Result<(), Failure>> {
        let refused = |words: &str| {
            let message = format!("proxy {} opened no tunnel to {}: {words}", self.proxy, self.target);
            Some(Err(call.failure(Stage::Connect, message)))
        };
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
            let line = String::from_utf8_lossy(line);
            let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..)).unwrap_or_default();
            return match status.get(..3) {
                Some(code) if code.starts_with('2') && end + 4 == head.len() => Some(Ok(())),
                Some(code) if code.starts_with('2') => refused("bytes came before they were asked for"),
                Some(code) if code.bytes().all(|byte| byte.is_ascii_digit()) => {
                    refused(&format!("it answered {}", status.escape_debug()))
                }
                _ => refused("its answer is not HTTP"),
            };
        }
        if n == 0 {
            return refused("it closed the connection");
        }
        if head.len() > TUNNEL_HEAD {
            return refused(&format!("its answer has a head of more than {TUNNEL_HEAD} bytes"));
        }
        None
    }
}

/// What the head of a request to an `http` backend needs on its way through a proxy (RFC 9112 section 3.2.2).
#[derive(Debug)]
pub(super) struct Absolute {
    prefix: String,
    authorization: Option<Secret>,
}

impl Absolute {
    pub(super) fn new(authority: &str, proxy: &Proxy) -> Self {
        Self { prefix: format!("http://{authority}"), authorization: proxy.authorization.clone() }
    }

    /// The bytes of a request's beginning with the absolute form in its first line.
    pub(super) fn apply(&self, bytes: &[u8]) -> Vec<u8> {
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
