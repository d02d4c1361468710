//! Opening connections in tasks: each step of [`Dialer`] has its time and its deadline, and a call that is stopped leaves
//! wherever it is.
//!
//! It decides nothing about trust: the TLS configuration it is given does.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWrite as _};
use tokio::net::{TcpSocket, TcpStream};
use vmcp_core::endpoint::Scheme;
use vmcp_core::mcp::http::{Failure, Stage};

use super::super::call::{Bound, Call, Observed, Until};
use super::super::dialer::{
    Absolute, Dialer, Tunnel, backend_name, broken_with_proxy, next_hop, prepare, proxy_name, refused, seen, share,
    unresolved,
};
use super::super::proxy::Proxy;
use super::super::resolver::Unresolved;
use super::connection::{Connection, Idle};
use super::vigil::{Stopped, Vigil};
use super::wire::Wire;

impl Dialer {
    /// A new connection for the call that `vigil` watches over. It may be kept in `idle` afterwards.
    pub(super) async fn dial_on(&self, vigil: &mut Vigil, idle: &Arc<Idle>) -> Result<Connection, Failure> {
        let call = Arc::clone(&vigil.call);
        call.observe(|observed| *observed = Observed::default());
        let proxy = self.proxy(&call)?;
        let until = call.until(Some(call.timeouts.connect), Instant::now());
        let mut wire = Wire::new(self.open_on(vigil, proxy, until).await?);
        let mut absolute = None;
        if let Some(proxy) = proxy {
            let begun = Instant::now();
            if proxy.scheme == Scheme::Https {
                let entered = enter(vigil, wire, &self.proxy_tls, proxy_name(&call, proxy)?, Stage::Connect, until);
                wire = entered.await?.map_err(|error| broken_with_proxy(&call, proxy, until, &error))?;
            }
            match call.endpoint.scheme() {
                Scheme::Https => tunnel(vigil, &mut wire, proxy, until).await?,
                Scheme::Http => absolute = Some(Absolute::new(&call.endpoint.authority(), proxy)),
            }
            let took = begun.elapsed();
            call.observe(|observed| observed.connect = Some(observed.connect.unwrap_or_default() + took));
        }
        if call.endpoint.scheme() == Scheme::Https {
            let until = call.until(Some(call.timeouts.tls), Instant::now());
            let begun = Instant::now();
            let entered = enter(vigil, wire, &self.tls, backend_name(&call)?, Stage::Tls, until);
            wire = entered.await?.map_err(|error| call.broken(Stage::Tls, until, &error))?;
            let tls = wire.session().map(|session| seen(session, begun));
            call.observe(|observed| observed.tls = tls);
        }
        Ok(Connection::new(wire, absolute, call.observed(), idle))
    }

    /// A socket connected to the backend, or to its proxy, over the first of its addresses that answers.
    async fn open_on(&self, vigil: &mut Vigil, proxy: Option<&Proxy>, until: Until) -> Result<TcpStream, Failure> {
        let call = Arc::clone(&vigil.call);
        let begun = Instant::now();
        let (host, port) = next_hop(&call, proxy);
        call.observe(|observed| observed.proxy = proxy.map(Proxy::name));
        let addresses = match self.resolver.begin(host, port) {
            Ok(addresses) => Ok(addresses),
            Err(Err(error)) => Err(error),
            Err(Ok(lookup)) => match vigil.wait(|_| (Stage::Resolve, until), |cx| lookup.poll(cx.waker())).await {
                Ok(answer) => answer,
                Err(Stopped::Late(..)) => Err(Unresolved::Late),
                Err(Stopped::Cancelled) => Err(Unresolved::Cancelled),
            },
        };
        let addresses = addresses.map_err(|error| unresolved(&call, host, until, error))?;
        call.observe(|observed| observed.resolve = Some(begun.elapsed()));
        let begun = Instant::now();
        let mut refusals = Vec::new();
        let addresses = self.in_order(&addresses);
        for (index, &address) in addresses.iter().enumerate() {
            match connect(vigil, address, share(until, addresses.len() - index)).await {
                Ok(connected) => {
                    self.connected(&call, address, index, begun);
                    return Ok(connected);
                }
                Err(error) => refusals.push((address, error)),
            }
            if call.cancel.is_cancelled() {
                break;
            }
        }
        self.resolver.forget(host, port);
        Err(refused(&call, proxy, until, &refusals))
    }
}

async fn connect(vigil: &mut Vigil, address: SocketAddr, limit: Option<Duration>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    let at = limit.and_then(|limit| Instant::now().checked_add(limit));
    let until = Until { at, limit: limit.unwrap_or(Duration::MAX), bound: Bound::Stage };
    let mut connecting = pin!(socket.connect(address));
    let connected = vigil.wait(|_| (Stage::Connect, until), |cx| connecting.as_mut().poll(cx)).await;
    // A cancelled one is told from a late one by its call.
    let socket = connected.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))?;
    prepare(&socket)?;
    Ok(socket)
}

/// The outer result is about waiting, the inner one about TLS.
async fn enter(
    vigil: &mut Vigil,
    wire: Wire,
    config: &Arc<ClientConfig>,
    name: ServerName<'static>,
    stage: Stage,
    until: Until,
) -> Result<io::Result<Wire>, Failure> {
    let mut entering = Box::pin(wire.enter_tls(Arc::clone(config), name));
    let entered = vigil.wait(|_| (stage, until), |cx| entering.as_mut().poll(cx)).await;
    entered.map_err(|stopped| stopped.failure(&vigil.call))
}

async fn tunnel(vigil: &mut Vigil, wire: &mut Wire, proxy: &Proxy, until: Until) -> Result<(), Failure> {
    let call = Arc::clone(&vigil.call);
    let tunnel = Tunnel::new(&call, proxy);
    let request = tunnel.request(proxy);
    let mut bytes = request.expose().as_bytes();
    while !bytes.is_empty() {
        let n = step(vigil, &call, until, |cx| Pin::new(&mut *wire).poll_write(cx, bytes)).await?;
        bytes = &bytes[n..];
    }
    step(vigil, &call, until, |cx| Pin::new(&mut *wire).poll_flush(cx)).await?;
    let mut head = Vec::new();
    loop {
        let n = step(vigil, &call, until, |cx| pin!(wire.read_buf(&mut head)).poll(cx)).await?;
        if let Some(opened) = tunnel.opened(&call, &head, n) {
            return opened;
        }
    }
}

async fn step<T>(
    vigil: &mut Vigil,
    call: &Call,
    until: Until,
    work: impl FnMut(&mut std::task::Context<'_>) -> std::task::Poll<io::Result<T>>,
) -> Result<T, Failure> {
    match vigil.wait(|_| (Stage::Connect, until), work).await {
        Ok(done) => done.map_err(|error| call.broken(Stage::Connect, until, &error)),
        Err(stopped) => Err(stopped.failure(call)),
    }
}
