//! Opening connections for ureq, and the connections: looked up, connected, tunnelled and encrypted here, so that each
//! stage has its time, its deadline and its words, and a call that is stopped wakes wherever it waits.
//!
//! It decides nothing about trust: the TLS configuration it is given does.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use ureq::unversioned::transport::{Buffers as UreqBuffers, ConnectionDetails, Connector, NextTimeout, Transport};
use vmcp_core::endpoint::Scheme;
use vmcp_core::mcp::http::{Failure, Sent, Stage};

use super::buffers::{Buffers, Waits};
use super::call::{Call, Cancel, Connections, Observed, Until, Waiting};
use super::dialer::{
    Absolute, Dialer, Tunnel, backend_name, broken_with_proxy, next_hop, prepare, proxy_name, refused, seen, share,
    unresolved,
};
use super::proxy::Proxy;
use super::wire::Wire;

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
        let proxy = self.proxy(call)?;
        let until = call.until(Some(call.timeouts.connect), Instant::now());
        let (socket, watched) = self.open(call, proxy, until)?;
        let mut wire = Wire::new(socket);
        let mut absolute = None;
        if let Some(proxy) = proxy {
            let begun = Instant::now();
            if proxy.scheme == Scheme::Https {
                wire.enter_proxy_tls(Arc::clone(&self.proxy_tls), proxy_name(call, proxy)?, until.at)
                    .map_err(|error| broken_with_proxy(call, proxy, until, &error))?;
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
            wire.enter_tls(Arc::clone(&self.tls), backend_name(call)?, until.at)
                .map_err(|error| call.broken(Stage::Tls, until, &error))?;
            let tls = wire.tls().map(|session| seen(session, begun));
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
        let (host, port) = next_hop(call, proxy);
        call.observe(|observed| observed.proxy = proxy.map(Proxy::name));
        let addresses = self
            .resolver
            .addresses(host, port, until.at, &call.cancel)
            .map_err(|error| unresolved(call, host, until, error))?;
        call.observe(|observed| observed.resolve = Some(begun.elapsed()));
        let begun = Instant::now();
        let mut refusals = Vec::new();
        let addresses = self.in_order(&addresses);
        for (index, &address) in addresses.iter().enumerate() {
            match connect(address, share(until, addresses.len() - index), &call.cancel) {
                Ok(connected) => {
                    self.connected(call, address, index, begun);
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
    prepare(&socket)?;
    Ok((socket, watched))
}

fn tunnel(call: &Call, wire: &mut Wire, proxy: &Proxy, until: Until) -> Result<(), Failure> {
    let tunnel = Tunnel::new(call, proxy);
    let broken = |error: io::Error| call.broken(Stage::Connect, until, &error);
    wire.write_all(tunnel.request(proxy).expose().as_bytes(), || until.at, || ()).map_err(broken)?;
    let mut head = Vec::new();
    loop {
        let mut buffer = [0; 1024];
        let n = wire.read(&mut buffer, until.at).map_err(broken)?;
        head.extend_from_slice(&buffer[..n]);
        if let Some(opened) = tunnel.opened(call, &head, n) {
            return opened;
        }
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
        let since = Instant::now();
        let (stage, until, ended) = loop {
            let (stage, until) = call.reading(since);
            match self.wire.read(self.buffers.input_append_buf(), call.look_again(until)) {
                Ok(0) if call.cancel.is_cancelled() => return Err(call.failure(stage, String::new())),
                Ok(0) => break (stage, until, None),
                Ok(n) => {
                    self.buffers.input_appended(n);
                    call.note_answered();
                    return Ok(true);
                }
                // It has been given more time meanwhile.
                Err(error) if error.kind() == ErrorKind::TimedOut && !call.reading(since).1.is_over() => {}
                Err(error) => break (stage, until, Some(error)),
            }
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
