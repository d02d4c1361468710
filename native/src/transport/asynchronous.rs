//! The transport of [`super`] on tasks in place of threads: what waits holds no thread, deadlines may change while it waits,
//! and an idle connection that its server closes is gone at once.
//!
//! It decides nothing by itself: where requests lead, what they carry, how they are framed, which redirects, proxies,
//! certificates and sizes are accepted and how failures are worded is shared with the blocking transport, down to the
//! machine that reads and writes HTTP/1.1 (ureq-proto, which ureq is built on). Both pass the same tests.

mod connection;
mod dial;
mod response;
mod sse;
mod vigil;
mod walk;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ureq::http::Uri;
use vmcp_core::auth::Credentials;
use vmcp_core::discovery::{Backend, Transport};
use vmcp_core::endpoint::Endpoint;
use vmcp_core::mcp::http::{Failure, Request, Sent, Stage};
use vmcp_core::trust::{Pool, TrustError, TrustedBy, UnixTime};

use super::call::{Call, Connections};
use super::channels::Streams;
use super::dialer::Dialer;
use super::response::Drained;
use super::route::{REDIRECTS, Route, may_repeat, redirect};
use super::{Cancel, NO_REST, Observed, REST, Timeouts, TransportError, TransportOptions};
use crate::credentials::Grant;
use connection::Idle;
use vigil::Vigil;

pub use response::Response;
pub use walk::{Next, Walk};

/// How long a task reads on for the rest of an answer that nobody needs.
const LATE_REST: Duration = Duration::from_millis(250);

/// The way to one backend, for tasks. Clones are the same way; requests are made on a tokio runtime.
#[derive(Clone)]
pub struct AsyncTransport(Arc<Inner>, Grant);

struct Inner {
    route: Route,
    dialer: Dialer,
    idle: Arc<Idle>,
    /// How many answers to come are not waited for to their end.
    no_rest: AtomicU32,
    /// Of a backend that speaks HTTP with SSE.
    sse: Option<Streams>,
}

impl AsyncTransport {
    /// Makes ready; connects to nothing yet.
    ///
    /// # Errors
    /// A header that discovery should have refused.
    pub fn new(backend: &Backend, options: &TransportOptions) -> Result<Self, TransportError> {
        let sse = (backend.transport == Transport::Sse).then(|| Streams::new(sse::STREAMS));
        let (route, dialer) = (Route::new(backend, options)?, Dialer::new(backend, options));
        Ok(Self::with(route, dialer, sse, options))
    }

    pub(super) fn with(route: Route, dialer: Dialer, sse: Option<Streams>, options: &TransportOptions) -> Self {
        let idle = Idle::new(options.idle_connections, options.idle_age);
        Self(Arc::new(Inner { route, dialer, idle, no_rest: AtomicU32::new(0), sse }), Grant::default())
    }

    /// The way to a server that is no backend: nothing is sent but what a grant gives.
    ///
    /// # Errors
    /// Its URL is none for the HTTP client.
    pub fn to_endpoint(
        endpoint: &Endpoint,
        pool: &Arc<Pool>,
        options: &TransportOptions,
    ) -> Result<Self, TransportError> {
        let route = Route::to(endpoint, &Credentials::Unauthenticated, &[], options)?;
        Ok(Self::with(route, Dialer::trusting(pool, options), None, options))
    }

    /// The same way, over the same connections, for a caller whose requests carry this.
    #[must_use]
    pub fn with_grant(&self, grant: Grant) -> Self {
        Self(Arc::clone(&self.0), grant)
    }

    /// As [`AsyncTransport::send`], and whatever the answer is, nothing is followed: a redirect is an answer.
    ///
    /// # Errors
    /// As there.
    pub async fn send_here(
        &self,
        request: &Request,
        timeouts: &Timeouts,
        cancel: &Cancel,
    ) -> Result<Response, Failure> {
        let total = timeouts.total.and_then(|total| Instant::now().checked_add(total));
        self.attempt(&self.0.route.place(), request, timeouts, total, cancel).await.0
    }

    /// How many connections are idle.
    #[cfg(test)]
    pub(super) fn idle_connections(&self) -> usize {
        self.0.idle.count()
    }

    /// What `look` sees of the socket of one that is idle.
    #[cfg(test)]
    pub(super) fn look_at_idle<T>(&self, look: impl FnOnce(socket2::SockRef<'_>) -> T) -> Option<T> {
        self.0.idle.peek(|connection| look(socket2::SockRef::from(connection.tcp())))
    }

    /// Where it leads.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.route.endpoint
    }

    /// As [`super::BackendTransport::trusted_by`].
    #[must_use]
    pub fn trusted_by(&self, observed: &Observed, now: UnixTime) -> Option<Result<TrustedBy, TrustError>> {
        self.0.route.trusted_by(observed, now)
    }

    /// As [`super::BackendTransport::send`].
    ///
    /// # Errors
    /// As there.
    pub async fn send(&self, request: &Request, timeouts: &Timeouts, cancel: &Cancel) -> Result<Response, Failure> {
        self.observe(request, timeouts, cancel).await.0
    }

    /// As [`super::BackendTransport::observe`].
    pub async fn observe(
        &self,
        request: &Request,
        timeouts: &Timeouts,
        cancel: &Cancel,
    ) -> (Result<Response, Failure>, Observed) {
        match &self.0.sse {
            Some(streams) => self.observe_sse(streams, request, timeouts, cancel).await,
            None => self.follow(self.0.route.place(), request, timeouts, cancel).await,
        }
    }

    /// One request to `place`, or to where that leads.
    async fn follow(
        &self,
        mut place: (Endpoint, Uri),
        request: &Request,
        timeouts: &Timeouts,
        cancel: &Cancel,
    ) -> (Result<Response, Failure>, Observed) {
        let total = timeouts.total.and_then(|total| Instant::now().checked_add(total));
        let mut sent = Sent::Nothing;
        for _ in 0..=REDIRECTS {
            let (result, observed) = self.attempt(&place, request, timeouts, total, cancel).await;
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
            response.drain(REST).await;
        }
        (Err(self.0.route.led_on()), Observed::default())
    }

    async fn attempt(
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
            let result = self.exchange(&place.1, request, &call).await;
            let observed = call.observed();
            match result {
                Err(failure) if may_repeat(&failure, request.twice, &call, &observed) => {
                    connections = Connections::New;
                }
                result => return (result, observed),
            }
        }
    }

    async fn exchange(&self, uri: &Uri, request: &Request, call: &Arc<Call>) -> Result<Response, Failure> {
        let Inner { route, dialer, idle, .. } = &*self.0;
        let prepared = route.prepared(uri, request, &self.1);
        let prepared = prepared.map_err(|message| call.failure(Stage::Send, message))?;
        let mut vigil = Vigil::new(Arc::clone(call));
        let connection = match idle.take(call) {
            Some(connection) => connection,
            None => dialer.dial_on(&mut vigil, idle).await?,
        };
        response::exchange(connection, prepared, request, vigil, idle, route.body_limit).await
    }

    /// Gives back the connection of an answer of which nothing more is needed, before the next request.
    async fn finish(&self, response: Response) {
        let no_rest = &self.0.no_rest;
        let skip = no_rest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if skip.is_err() && response.drain(REST).await == Drained::NotWhole {
            no_rest.store(NO_REST, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for AsyncTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncTransport").field("endpoint", self.endpoint()).finish_non_exhaustive()
    }
}
