//! `vmcp serve`: the listener that gives clients one MCP server where there are many.
//!
//! It decides nothing about MCP, trust or configuration: it is handed backends that discovery has made, drives the core's
//! state machines, and keeps clients from waiting for each other.

mod aside;
mod backends;
mod batch;
mod calls;
mod client;
mod connection;
mod cors;
mod course;
mod ears;
mod flow;
mod guard;
mod hearing;
mod incoming;
mod known;
mod leases;
mod link;
mod links;
mod listen;
mod outlet;
mod own_lists;
mod questions;
mod relay;
mod reply;
mod rounds;
mod routes;
mod seals;
mod served;
mod sessions;
mod stream;
mod subscribed;
mod suspended;
mod tasks;
mod turns;
mod updates;
mod views;
mod ways;
mod whose;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use vmcp_core::aggregate::Policy;
use vmcp_core::config::{self, EffectiveConfig};
use vmcp_core::discovery::Backend;
use vmcp_core::gateway::ServerInfo;
use vmcp_core::identity::Incoming;
use vmcp_core::mcp::client::{Declared, Limits, List, Settings};
use vmcp_core::seal::Keys;

use crate::tokens::{Sender, Tokens};
use crate::transport::{TransportError, TransportOptions};
use backends::Backends;
use client::Client;
use connection::Patience;
use guard::Guard;
use incoming::Door;
use links::Links;
use seals::Seals;
use served::Served;
use sessions::Sessions;
use suspended::Suspensions;
use views::Views;

/// How the listener behaves. [`Options::default`] is what `vmcp serve` does without flags.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name or address to listen on.
    pub host: String,
    /// Port to listen on; 0 lets the system choose, see [`Server::address`].
    pub port: u16,
    /// How long a session lives without being used.
    pub session_ttl: Duration,
    /// How many sessions may be open.
    pub max_sessions: usize,
    /// How many requests to backends may run side by side; more are refused.
    pub max_backend_calls: usize,
    /// Origins of pages that may call, `https://app.example`; loopback ones pass on a loopback listener.
    pub allowed_origins: Vec<String>,
    /// Names under which the listener may be reached, beside the loopback ones on a loopback listener.
    pub allowed_hosts: Vec<String>,
    /// What seals the cursors, states and task ids that clients bring back; replicas share them. Without, they are made
    /// at start, and nothing that was sealed before opens.
    pub state_keys: Option<Keys>,
    /// What the scopes of the configuration are to callers.
    pub scopes: Scopes,
    /// How long calls in flight may go on when the server stops.
    pub drain: Duration,
    /// Whether SIGTERM and SIGINT are this server's.
    pub signals: Signals,
}

/// What `incomingAuth.oidc.scopes` are to callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scopes {
    /// What they are told to ask the issuer for, and no more, as in the Go program.
    Advertised,
    /// A token without all of them is answered 403.
    Enforced,
}

/// What SIGTERM and SIGINT do to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signals {
    /// What they did before.
    Untouched,
    /// From before the first request on, they end [`Server::run`] and nothing else.
    Stop,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 4483,
            session_ttl: Duration::from_secs(30 * 60),
            max_sessions: 10_000,
            max_backend_calls: 512,
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            state_keys: None,
            scopes: Scopes::Advertised,
            drain: Duration::from_secs(10),
            signals: Signals::Untouched,
        }
    }
}

/// What is served.
#[derive(Clone, Debug)]
pub struct Offer {
    /// `name` of the configuration: what clients see as the server's name.
    pub name: String,
    /// Who may come in.
    pub incoming: Incoming,
    /// The backends.
    pub backends: Vec<Offered>,
    /// How what they offer is named, and what of it is shown.
    pub policy: Policy,
    /// Headers of clients that are passed on to backends.
    pub passthrough: Vec<String>,
}

impl Offer {
    /// What a configuration offers with what discovery made of it: to whom, and the backends that it let pass.
    #[must_use]
    pub fn new(config: &EffectiveConfig, incoming: Incoming, backends: Vec<Backend>) -> Self {
        let timeouts = config.operational.as_ref().and_then(|operational| operational.timeouts.as_ref());
        let deadline = |backend: &Backend| {
            let own = timeouts.and_then(|timeouts| timeouts.per_workload.get(&backend.name)).map(|time| time.value);
            let time = own.or_else(|| Some(timeouts?.default.as_ref()?.value));
            time.and_then(config::Duration::to_std).filter(|time| !time.is_zero()).unwrap_or(DEADLINE)
        };
        let policy = config.aggregation.as_ref().map(Policy::of).unwrap_or_default();
        let named = config.backends.iter().map(|backend| backend.name.as_ref().map_or("", |name| name.as_str()));
        Self {
            name: config.name.as_ref().map(|name| name.value.clone()).unwrap_or_default(),
            incoming,
            backends: backends.into_iter().map(|backend| Offered { deadline: deadline(&backend), backend }).collect(),
            policy: policy.among(named),
            passthrough: config.passthrough_headers.iter().map(|name| name.value.to_ascii_lowercase()).collect(),
        }
    }
}

/// How long a call may be silent where nothing else is configured, as in the Go program.
const DEADLINE: Duration = Duration::from_secs(30);

/// One backend that is served.
#[derive(Clone, Debug)]
pub struct Offered {
    /// It.
    pub backend: Backend,
    /// How long a call may be silent.
    pub deadline: Duration,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, not ours, or not an address.
    #[error("cannot listen on {address}")]
    Listen {
        /// As asked for.
        address: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Discovery let a backend pass that cannot be called.
    #[error("backend `{backend}` cannot be called")]
    Backend {
        /// Its name.
        backend: String,
        /// Why.
        #[source]
        source: TransportError,
    },
    /// No random bytes.
    #[error("the system gave no random bytes for keys")]
    NoRandom,
    /// No threads or no file descriptors.
    #[error("the system gave no resources to run on")]
    Runtime(#[source] io::Error),
}

/// A running server. Dropping it ends it at once; [`Server::stop`] lets answers finish.
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    listener: JoinHandle<()>,
    runtime: Runtime,
    signals: Option<Heard>,
    app: Arc<App>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Starts to serve, and returns when the port is bound. No backend is waited for.
///
/// # Errors
/// The address cannot be listened on, or the system has no resources left.
pub fn start(offer: Offer, options: &Options) -> Result<Server, StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // One that reads a large answer must not be the only one.
        .worker_threads(std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2)))
        .thread_name("vmcp-worker")
        .enable_all()
        .build()
        .map_err(StartError::Runtime)?;
    let listen = |source| StartError::Listen { address: written(&options.host, options.port), source };
    let listener = runtime
        .block_on(TcpListener::bind((options.host.trim_start_matches('[').trim_end_matches(']'), options.port)))
        .map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    let tokens = Tokens::new(Sender::new(&TransportOptions::default()), runtime.handle().clone());
    let served =
        offer.backends.iter().map(|offered| served(offered, options, &tokens)).collect::<Result<Vec<_>, _>>()?;
    let backends = Arc::new(Backends::new(served, offer.policy, options.max_backend_calls, runtime.handle().clone()));
    let seals = Seals::new(options.state_keys.as_ref(), random).map_err(|_| StartError::NoRandom)?;
    if options.state_keys.is_none() {
        tracing::info!(
            "the key for what clients bring back is made for this process alone; replicas need --state-key-file or \
             VMCP_SESSION_HMAC_SECRET"
        );
    }
    let (stop, stopped) = watch::channel(false);
    let app = Arc::new(App {
        guard: Guard::new(address, &options.allowed_origins, &options.allowed_hosts),
        door: Door::new(offer.incoming, options.scopes),
        sessions: Sessions::new(options.session_ttl, options.max_sessions, random, Instant::now()),
        server: Arc::new(ServerInfo { name: offer.name, version: VERSION.to_owned() }),
        seals,
        suspensions: Suspensions::default(),
        stopping: stopped.clone(),
        views: Views::new(Arc::clone(&backends)),
        passthrough: offer.passthrough,
        backends,
        links: Links::default(),
        strangers: AtomicU64::new(0),
    });
    if let Some(warning) = exposed(address, &app.door) {
        tracing::warn!(%address, "{warning}");
    }
    let patience =
        Patience { head: Duration::from_secs(10), idle: Duration::from_secs(120), reading: Duration::from_secs(30) };
    let listener =
        runtime.spawn(connection::serve(listener, Arc::clone(&app), patience, stopped.clone(), options.drain));
    runtime.spawn(Arc::clone(&app).keep_house(options.session_ttl, stopped));
    runtime.block_on(async { app.door.warm_up() });
    runtime.spawn(Arc::clone(&app).tell_of_changes());
    Arc::clone(&app.backends).begin(&List::ALL);
    let signals = match options.signals {
        Signals::Untouched => None,
        Signals::Stop => Some(runtime.block_on(async { Heard::new() }).map_err(StartError::Runtime)?),
    };
    tracing::info!(%address, "listening");
    Ok(Server { address, stop, listener, runtime, signals, app })
}

/// What is said of a listener that asks nobody who they are where others than this machine's users may reach it.
fn exposed(address: SocketAddr, door: &Door) -> Option<&'static str> {
    (door.is_open() && !address.ip().to_canonical().is_loopback()).then_some(
        "NOBODY IS ASKED WHO THEY ARE: whoever reaches this address uses every backend with its credentials; \
         `incomingAuth: {type: oidc, …}` asks for tokens",
    )
}

fn served(offered: &Offered, options: &Options, tokens: &Tokens) -> Result<Served, StartError> {
    let backend = &offered.backend;
    // As many connections are kept as calls may run: with fewer, a busy moment would open some for every call.
    let transport = TransportOptions { idle_connections: options.max_backend_calls, ..TransportOptions::default() };
    // What a client could answer (sampling, elicitation, roots) is not relayed, so nothing is declared.
    let settings = Settings { declared: Declared::new("vmcp", VERSION), limits: Limits::default() };
    Served::new(backend, offered.deadline, Arc::new(settings), &transport, tokens)
        .map_err(|source| StartError::Backend { backend: backend.name.clone(), source })
}

/// Of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Server {
    /// The address that is really listened on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process is told to stop ([`Signals::Stop`]), then as [`Server::stop`]; told again, it ends at
    /// once.
    pub fn run(mut self) {
        let Some(mut signals) = self.signals.take() else { return self.runtime.block_on(std::future::pending()) };
        let signal = self.runtime.block_on(signals.next());
        tracing::info!(signal, "told to stop");
        self.end(async move {
            let signal = signals.next().await;
            tracing::warn!(signal, "told to stop again; answers are cut off");
        });
    }

    /// Takes no new connections, lets answers that were begun finish for [`Options::drain`], and ends.
    pub fn stop(self) {
        self.end(std::future::pending());
    }

    /// Stops, until `hurried` is done at the latest.
    fn end(self, hurried: impl Future<Output = ()>) {
        tracing::info!("stopping");
        self.stop.send_replace(true);
        let orderly = async {
            // The task ends by itself; were it to panic, there is nothing left to do for it.
            drop(self.listener.await);
            for session in self.app.sessions.all() {
                self.app.wind_up(&session.state);
            }
            self.app.views.stop();
            self.app.backends.stop(GOODBYE).await;
        };
        self.runtime.block_on(async {
            tokio::select! {
                () = orderly => {}
                () = hurried => {}
            }
        });
        self.runtime.shutdown_background();
        tracing::info!("stopped");
    }
}

/// How long the stop waits for sessions at backends to be ended, which is a courtesy.
const GOODBYE: Duration = Duration::from_secs(2);

/// Everything that requests share.
struct App {
    guard: Guard,
    door: Door,
    sessions: Sessions<Client>,
    server: Arc<ServerInfo>,
    seals: Seals,
    suspensions: Suspensions,
    /// Whether the server has been told to stop.
    stopping: watch::Receiver<bool>,
    /// As clients see them that declare nothing; a place is the same in every view.
    backends: Arc<Backends>,
    views: Views,
    /// Headers of clients that are passed on, in lower case.
    passthrough: Vec<String>,
    links: Links,
    /// How often a principal has named another one's session.
    strangers: AtomicU64,
}

impl App {
    /// Sweeps expired sessions, and closes standing streams when the server stops.
    async fn keep_house(self: Arc<Self>, lifetime: Duration, mut stopped: watch::Receiver<bool>) {
        let every = (lifetime / 8).clamp(Duration::from_millis(50), Duration::from_secs(60));
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => self.sweep(),
                _ = stopped.wait_for(|stopped| *stopped) => break,
            }
        }
        for session in self.sessions.all() {
            session.state.close_stream();
        }
    }

    /// Ends the sessions that have expired.
    fn sweep(&self) {
        self.views.sweep(Instant::now());
        for session in self.sessions.sweep(Instant::now()) {
            tracing::debug!("session expired");
            self.wind_up(&session.state);
        }
    }

    /// A session has ended: so do its calls, its stream and its sessions at backends.
    fn wind_up(&self, client: &Client) {
        for (place, standing) in client.wind_up() {
            self.backends.end(place, vec![standing], client.who());
        }
    }
}

/// The signals that mean stop.
#[cfg(unix)]
struct Heard {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Heard {
    /// Takes the signals over; on a runtime.
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// The signals that mean stop.
#[cfg(windows)]
struct Heard(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Heard {
    /// Takes the signals over; on a runtime.
    fn new() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) -> &'static str {
        self.0.recv().await;
        "Ctrl-C"
    }
}

fn written(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use vmcp_core::endpoint::Endpoint;
    use vmcp_core::identity::{Addresses, Oidc, PlainHttp};
    use vmcp_core::trust::Pool;

    use super::*;

    #[test]
    fn a_listener_for_everybody_that_asks_nobody_says_so_loudly() {
        let [all, all6, near, near6, mapped] =
            ["0.0.0.0:1", "[::]:1", "127.0.0.2:1", "[::1]:1", "[::ffff:127.0.0.1]:1"].map(|text| text.parse().unwrap());
        for incoming in [Incoming::Anonymous, Incoming::Local] {
            let door = Door::new(incoming, Scopes::Advertised);
            for address in [all, all6] {
                assert_eq!(
                    exposed(address, &door),
                    Some(
                        "NOBODY IS ASKED WHO THEY ARE: whoever reaches this address uses every backend with its credentials; \
                         `incomingAuth: {type: oidc, …}` asks for tokens"
                    )
                );
            }
            for address in [near, near6, mapped] {
                assert_eq!(exposed(address, &door), None, "{address}");
            }
        }
        let oidc = Oidc {
            issuer: "https://idp.example".to_owned(),
            audience: "me".to_owned(),
            client_id: None,
            client_secret: None,
            resource: None,
            jwks: Endpoint::parse("https://idp.example/k").ok(),
            introspection: None,
            scopes: Vec::new(),
            addresses: Addresses::Public,
            plain_http: PlainHttp::Loopback,
            pool: Arc::new(Pool::new(Arc::default(), None)),
        };
        assert_eq!(exposed(all, &Door::new(Incoming::Oidc(oidc.into()), Scopes::Advertised)), None);
    }
}
