//! Requests to one backend: blocking HTTP/1.1 on ureq, with own connections, TLS against the backend's own pool, and
//! the backend's credentials added here and nowhere else.
//!
//! It knows nothing of MCP: [`drive`] walks an exchange of the core through it. It has no queue and no threads of its
//! own but for looking up names and for the streams of backends that speak HTTP with SSE; a call waits on the thread that
//! makes it, until it is answered, late, or cancelled. The server's calls wait on tasks: [`asynchronous`] shares all that
//! is decided here.
//!
//! What Go's vMCP does differently: redirects that would repeat a message as a GET are refused, an answer that is too
//! large is an error and not cut off, and a proxy that cannot be used is not gone around.

#[cfg(feature = "server")]
pub mod asynchronous;
mod buffers;
mod call;
mod channels;
mod connector;
mod dialer;
mod drive;
mod proxy;
mod resolver;
mod response;
mod route;
mod sse;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::http::Uri;
use vmcp_core::discovery::{Backend, Transport};
use vmcp_core::endpoint::Endpoint;
use vmcp_core::mcp::http::{Failure, Method, Request, Sent, Stage};
use vmcp_core::trust::{TrustError, TrustedBy, UnixTime};

use crate::credentials::Grant;
use call::{Call, Connections, Making};
use channels::Streams;
use connector::NoResolver;
use dialer::Dialer;
use response::Drained;
use route::{HEAD, REDIRECTS, Route, may_repeat, redirect, unanswered};

pub use call::{Cancel, Observed, Timeouts, TlsObserved};
pub use drive::{Patience, Said};
pub use proxy::{Proxies, ProxyError};
pub use response::Response;
pub use route::TransportError;
pub(crate) use route::is_protocol;

/// How long the rest of an answer that nobody needs is waited for: most servers send it with the part that was needed.
const REST: Duration = Duration::from_millis(10);
/// Answers whose rest is not waited for after one whose rest did not come: some servers leave their streams open.
const NO_REST: u32 = 32;

/// How a backend is reached.
#[derive(Clone, Debug)]
pub struct TransportOptions {
    /// Bytes that the body of an answer may have; more is an error. The event stream of a GET is not bounded as a whole.
    pub body_limit: u64,
    /// Idle connections that are kept.
    pub idle_connections: usize,
    /// How long one is kept.
    pub idle_age: Duration,
    /// The proxies to go through.
    pub proxies: Proxies,
    /// What requests say of who makes them.
    pub user_agent: String,
}

impl Default for TransportOptions {
    /// 100 MiB; 32 connections for 90 s, as long as Go keeps them; the proxies of this process's environment.
    fn default() -> Self {
        Self {
            body_limit: 100 << 20,
            idle_connections: 32,
            idle_age: Duration::from_secs(90),
            proxies: Proxies::from_environment(),
            user_agent: concat!("vmcp/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// The way to one backend. It is shared by all calls to it; each waits on its own connection. Clones are the same way.
#[derive(Clone)]
pub struct BackendTransport {
    agent: Agent,
    route: Arc<Route>,
    /// How many answers to come are not waited for to their end.
    no_rest: Arc<AtomicU32>,
    /// Of a backend that speaks HTTP with SSE.
    sse: Option<Arc<Streams>>,
    /// What requests carry beside what the route has.
    grant: Grant,
}

impl BackendTransport {
    /// Makes ready; connects to nothing yet.
    ///
    /// # Errors
    /// A header that discovery should have refused.
    pub fn new(backend: &Backend, options: &TransportOptions) -> Result<Self, TransportError> {
        let mut transport = Self::with_dialer(Route::new(backend, options)?, Dialer::new(backend, options), options);
        transport.sse = (backend.transport == Transport::Sse).then(|| Arc::new(Streams::new(sse::STREAMS)));
        Ok(transport)
    }

    /// The same way, over the same connections, for a caller whose requests carry this.
    #[must_use]
    pub fn with_grant(&self, grant: Grant) -> Self {
        Self { grant, ..self.clone() }
    }

    fn with_dialer(route: Route, dialer: Dialer, options: &TransportOptions) -> Self {
        // All deadlines are the connections' own, so that there is one place that knows them; all headers but those of
        // framing are the route's.
        let config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .max_idle_connections(options.idle_connections)
            .max_idle_connections_per_host(options.idle_connections)
            .max_idle_age(options.idle_age)
            .max_response_header_size(HEAD)
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .build();
        Self {
            agent: Agent::with_parts(config, dialer, NoResolver),
            route: Arc::new(route),
            no_rest: Arc::new(AtomicU32::new(0)),
            sse: None,
            grant: Grant::default(),
        }
    }

    /// Where it leads.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.route.endpoint
    }

    /// Sends a request and waits for the head of its answer, whatever its status.
    ///
    /// Redirects are followed up to ten times: to the same host and port, never from `https` to `http`; a message
    /// (POST, DELETE) only by 307 and 308, which repeat it (RFC 9110 section 15.4).
    ///
    /// An idle connection that turns out to be closed is replaced by a new one, once, if nothing can have been done twice:
    /// not a byte had left, or, for what is harmless ([`Request::twice`]), no byte of an answer came (RFC 9110 section 9.2.2).
    ///
    /// # Errors
    /// What went wrong, at which stage, and whether the backend can have seen the request. The text names the address
    /// and says what was expected; the backend's name is for the caller to add.
    pub fn send(&self, request: &Request, timeouts: &Timeouts, cancel: &Cancel) -> Result<Response, Failure> {
        self.observe(request, timeouts, cancel).0
    }

    /// As [`BackendTransport::send`], with what was seen on the way also when that failed.
    pub fn observe(
        &self,
        request: &Request,
        timeouts: &Timeouts,
        cancel: &Cancel,
    ) -> (Result<Response, Failure>, Observed) {
        match &self.sse {
            Some(streams) => self.observe_sse(streams, request, timeouts, cancel),
            None => self.follow(self.route.place(), request, timeouts, cancel),
        }
    }

    /// One request to `place`, or to where that leads.
    fn follow(
        &self,
        mut place: (Endpoint, Uri),
        request: &Request,
        timeouts: &Timeouts,
        cancel: &Cancel,
    ) -> (Result<Response, Failure>, Observed) {
        let total = timeouts.total.and_then(|total| Instant::now().checked_add(total));
        let mut sent = Sent::Nothing;
        for _ in 0..=REDIRECTS {
            let (result, observed) = self.attempt(&place, request, timeouts, total, cancel);
            let response = match result {
                Ok(response) => response,
                Err(failure) => return (Err(Failure { sent: sent.max(failure.sent), ..failure }), observed),
            };
            match redirect(&place.0, request.method, &response.head) {
                Ok(None) => return (Ok(response), observed),
                Ok(Some(next)) => place = next,
                Err(message) => {
                    return (Err(Failure { stage: Stage::FirstByte, sent: Sent::Maybe, message }), observed);
                }
            }
            sent = Sent::Maybe;
            response.drain(REST);
        }
        (Err(self.route.led_on()), Observed::default())
    }

    /// By what anchor or pin the certificates of a session are trusted; `None` if it had none.
    #[must_use]
    pub fn trusted_by(&self, observed: &Observed, now: UnixTime) -> Option<Result<TrustedBy, TrustError>> {
        self.route.trusted_by(observed, now)
    }

    /// Gives back the connection of an answer of which nothing more is needed.
    fn finish(&self, response: Response) {
        let skip = self.no_rest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if skip.is_err() && response.drain(REST) == Drained::NotWhole {
            self.no_rest.store(NO_REST, Ordering::Relaxed);
        }
    }

    fn attempt(
        &self,
        place: &(Endpoint, Uri),
        request: &Request,
        timeouts: &Timeouts,
        total: Option<Instant>,
        cancel: &Cancel,
    ) -> (Result<Response, Failure>, Observed) {
        let mut connections = Connections::IdleOrNew;
        loop {
            let call = Call::new(place.0.clone(), *timeouts, total, cancel.clone(), connections);
            if cancel.is_cancelled() {
                return (Err(call.failure(Stage::Cancelled, String::new())), call.observed());
            }
            let result = self.exchange(&place.1, request, &call);
            let observed = call.observed();
            match result {
                Err(failure) if may_repeat(&failure, request.twice, &call, &observed) => {
                    connections = Connections::New;
                }
                result => return (result, observed),
            }
        }
    }

    fn exchange(&self, uri: &Uri, request: &Request, call: &Arc<Call>) -> Result<Response, Failure> {
        let prepared = self.route.prepared(uri, request, &self.grant);
        let prepared = prepared.map_err(|message| call.failure(Stage::Send, message))?;
        let answer = {
            let _making = Making::new(call);
            match request.method {
                Method::Post => self.agent.run(prepared.map(|()| request.body.as_slice())),
                Method::Get | Method::Delete => self.agent.run(prepared),
            }
        };
        let answer = answer.map_err(|error| call.kept().unwrap_or_else(|| unanswered(call, &error)))?;
        Response::new(answer, Arc::clone(call), request.method, self.route.body_limit)
    }
}

impl fmt::Debug for BackendTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendTransport").field("endpoint", &self.route.endpoint).finish_non_exhaustive()
    }
}
