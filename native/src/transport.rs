//! Requests to one backend: blocking HTTP/1.1 on ureq, with own connections, TLS against the backend's own pool, and
//! the backend's credentials added here and nowhere else.
//!
//! It knows nothing of MCP: [`drive`] walks an exchange of the core through it. It has no queue and no threads of its
//! own but for looking up names and for the streams of backends that speak HTTP with SSE; a call waits on the thread that makes it, until it is answered, late, or cancelled.
//!
//! What Go's vMCP does differently: redirects that would repeat a message as a GET are refused, an answer that is too
//! large is an error and not cut off, and a proxy that cannot be used is not gone around.

mod buffers;
mod call;
mod connector;
mod drive;
mod proxy;
mod resolver;
mod response;
mod sse;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use ureq::Agent;
use ureq::http::{HeaderName, HeaderValue, Uri};
use vmcp_core::auth::Credentials;
use vmcp_core::discovery::{Backend, Transport};
use vmcp_core::endpoint::Endpoint;
use vmcp_core::headers;
use vmcp_core::mcp::http::{Failure, Method, Request, Sent, Stage, header};
use vmcp_core::secret::Secret;
use vmcp_core::trust::{Pool, TrustError, TrustedBy, UnixTime};

use crate::credentials::Grant;
use crate::verifier;
use call::{Call, Connections, Making};
use connector::{Dialer, NoResolver};
use resolver::Resolver;
use response::Drained;

pub use call::{Cancel, Observed, Timeouts, TlsObserved};
pub use drive::{Patience, Said};
pub use proxy::{Proxies, ProxyError};
pub use response::Response;

/// Bytes of the head of an answer.
const HEAD: usize = 64 * 1024;
/// Redirects that are followed for one request, as Go's vMCP does.
const REDIRECTS: usize = 10;

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

/// Why a backend cannot be called at all. Discovery rejects such a backend before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Its URL is none for the HTTP client.
    #[error("URL {0} cannot be requested")]
    Url(Endpoint),
    /// A header of its credentials or of its manifest cannot be sent.
    #[error("header `{name}` {problem}")]
    Header {
        /// Its name.
        name: String,
        /// Why.
        problem: headers::HeaderProblem,
    },
    /// Credentials in a header of the protocol.
    #[error("header `{0}` is one of the protocol's; credentials cannot be sent in it")]
    ProtocolHeader(String),
}

/// The way to one backend. It is shared by all calls to it; each waits on its own connection. Clones are the same way.
#[derive(Clone)]
pub struct BackendTransport {
    agent: Agent,
    endpoint: Endpoint,
    uri: Uri,
    /// Overrides a forwarded header of the same name.
    credentials: Option<(HeaderName, HeaderValue)>,
    forwarded: Vec<(HeaderName, HeaderValue)>,
    body_limit: u64,
    pool: Option<Arc<Pool>>,
    /// How many answers to come are not waited for to their end.
    no_rest: Arc<AtomicU32>,
    /// Of a backend that speaks HTTP with SSE.
    sse: Option<Arc<sse::Streams>>,
    /// What requests carry beside that.
    grant: Grant,
}

impl BackendTransport {
    /// Makes ready; connects to nothing yet.
    ///
    /// # Errors
    /// A header that discovery should have refused.
    pub fn new(backend: &Backend, options: &TransportOptions) -> Result<Self, TransportError> {
        let system = Arc::new(Pool::new(Arc::clone(&backend.pool.system), None));
        let tls = verifier::client_config(Arc::clone(&backend.pool));
        let mut transport = Self::with_tls(
            &backend.endpoint,
            &backend.credentials,
            &backend.forwarded_headers,
            [tls, verifier::client_config(system)],
            options,
        )?;
        transport.pool = Some(Arc::clone(&backend.pool));
        transport.sse = (backend.transport == Transport::Sse).then(Arc::default);
        Ok(transport)
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
        let system = Arc::new(Pool::new(Arc::clone(&pool.system), None));
        let tls = [verifier::client_config(Arc::clone(pool)), verifier::client_config(system)];
        Self::with_tls(endpoint, &Credentials::Unauthenticated, &[], tls, options)
    }

    /// The same way, over the same connections, for a caller whose requests carry this.
    #[must_use]
    pub fn with_grant(&self, grant: Grant) -> Self {
        Self { grant, ..self.clone() }
    }

    /// As [`BackendTransport::send`], and whatever the answer is, nothing is followed: a redirect is an answer.
    ///
    /// # Errors
    /// As there.
    pub fn send_here(&self, request: &Request, timeouts: &Timeouts, cancel: &Cancel) -> Result<Response, Failure> {
        let total = timeouts.total.and_then(|total| Instant::now().checked_add(total));
        self.attempt(&(self.endpoint.clone(), self.uri.clone()), request, timeouts, total, cancel).0
    }

    /// `tls` is for the backend and for a proxy, in this order.
    fn with_tls(
        endpoint: &Endpoint,
        credentials: &Credentials,
        forwarded: &[(String, Secret)],
        [tls, proxy_tls]: [Arc<ClientConfig>; 2],
        options: &TransportOptions,
    ) -> Result<Self, TransportError> {
        let [tls, proxy_tls] = [tls, proxy_tls].map(|config| {
            let mut config = ClientConfig::clone(&config);
            // RFC 7301: a server that speaks HTTP/2 alone says so in the handshake.
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Arc::new(config)
        });
        let (resolver, proxies) = (Resolver::system(), options.proxies.clone());
        let dialer = Dialer { resolver, proxies, tls, proxy_tls, answered: Mutex::default() };
        Self::with_dialer(endpoint, credentials, forwarded, dialer, options)
    }

    fn with_dialer(
        endpoint: &Endpoint,
        credentials: &Credentials,
        forwarded: &[(String, Secret)],
        dialer: Dialer,
        options: &TransportOptions,
    ) -> Result<Self, TransportError> {
        let uri = endpoint.to_url().parse().map_err(|_| TransportError::Url(endpoint.clone()))?;
        let credentials = match credentials {
            // What is made for each caller comes with a grant.
            Credentials::Unauthenticated | Credentials::Made(_) => None,
            Credentials::Header { name, value } => {
                if is_protocol(name) {
                    return Err(TransportError::ProtocolHeader(name.clone()));
                }
                Some(secret_header(name, value)?)
            }
        };
        let forwarded = forwarded
            .iter()
            .filter(|(name, _)| !is_protocol(name))
            .map(|(name, value)| secret_header(name, value))
            .filter(|header| header.as_ref().map_or(true, |(name, _)| Some(name) != credentials.as_ref().map(|c| &c.0)))
            .collect::<Result<_, _>>()?;
        // All deadlines are the connections' own, so that there is one place that knows them.
        let config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .max_idle_connections(options.idle_connections)
            .max_idle_connections_per_host(options.idle_connections)
            .max_idle_age(options.idle_age)
            .max_response_header_size(HEAD)
            .user_agent(options.user_agent.as_str())
            .accept("")
            .accept_encoding("")
            .build();
        Ok(Self {
            agent: Agent::with_parts(config, dialer, NoResolver),
            endpoint: endpoint.clone(),
            uri,
            credentials,
            forwarded,
            body_limit: options.body_limit,
            pool: None,
            no_rest: Arc::new(AtomicU32::new(0)),
            sse: None,
            grant: Grant::default(),
        })
    }

    /// Where it leads.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a request and waits for the head of its answer, whatever its status.
    ///
    /// Redirects are followed up to ten times: to the same host and port, never from `https` to `http`; a message
    /// (POST, DELETE) only by 307 and 308, which repeat it (RFC 9110 section 15.4).
    ///
    /// An idle connection that turns out to be closed is replaced by a new one, once, if nothing can have been done:
    /// not a byte had left, or, for GET and DELETE, no byte of an answer came (RFC 9110 section 9.2.2).
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
            None => self.follow((self.endpoint.clone(), self.uri.clone()), request, timeouts, cancel),
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
            let mut response = match result {
                Ok(response) => response,
                Err(failure) => return (Err(Failure { sent: sent.max(failure.sent), ..failure }), observed),
            };
            match redirect(&place.0, request.method, &mut response) {
                Ok(None) => return (Ok(response), observed),
                Ok(Some(next)) => place = next,
                Err(message) => {
                    return (Err(Failure { stage: Stage::FirstByte, sent: Sent::Maybe, message }), observed);
                }
            }
            sent = Sent::Maybe;
            response.drain(REST);
        }
        let message =
            format!("{} redirects led from {} on; at most {REDIRECTS} are followed", REDIRECTS + 1, self.endpoint);
        (Err(Failure { stage: Stage::FirstByte, sent: Sent::Maybe, message }), Observed::default())
    }

    /// By what anchor or pin the certificates of a session are trusted; `None` if it had none.
    #[must_use]
    pub fn trusted_by(&self, observed: &Observed, now: UnixTime) -> Option<Result<TrustedBy, TrustError>> {
        let name = ServerName::try_from(self.endpoint.host()).ok()?;
        verifier::trusted_by(self.pool.as_deref()?, &observed.tls.as_ref()?.certificates, &name, now)
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
                Err(failure) if may_repeat(&failure, request.method, &call, &observed) => {
                    connections = Connections::New;
                }
                result => return (result, observed),
            }
        }
    }

    fn exchange(&self, uri: &Uri, request: &Request, call: &Arc<Call>) -> Result<Response, Failure> {
        let prepared = self.prepared(uri, request).map_err(|message| call.failure(Stage::Send, message))?;
        let answer = {
            let _making = Making::new(call);
            match request.method {
                Method::Post => self.agent.run(prepared.map(|()| request.body.as_slice())),
                Method::Get | Method::Delete => self.agent.run(prepared),
            }
        };
        let answer = answer.map_err(|error| call.kept().unwrap_or_else(|| unanswered(call, &error)))?;
        Response::new(answer, Arc::clone(call), request.method, self.body_limit)
    }

    /// The request with all its headers: the protocol's, then forwarded ones that are not there yet, then credentials.
    fn prepared(&self, uri: &Uri, request: &Request) -> Result<ureq::http::Request<()>, String> {
        let mut prepared = ureq::http::Request::new(());
        *prepared.uri_mut() = uri.clone();
        *prepared.method_mut() = match request.method {
            Method::Get => ureq::http::Method::GET,
            Method::Post => ureq::http::Method::POST,
            Method::Delete => ureq::http::Method::DELETE,
        };
        let headers = prepared.headers_mut();
        for (name, value) in &request.headers {
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("header name {name:?} cannot be sent; expected a token"))?;
            let value = HeaderValue::from_str(value)
                .map_err(|_| format!("the value of header `{name}` cannot be sent; it has a control character"))?;
            headers.append(header, value);
        }
        for (name, value) in &self.forwarded {
            if !headers.contains_key(name) {
                headers.append(name, value.clone());
            }
        }
        if let Some((name, value)) = &self.credentials {
            headers.insert(name, value.clone());
        }
        self.grant.complete(&mut prepared, &request.body)?;
        Ok(prepared)
    }
}

impl fmt::Debug for BackendTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendTransport").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Whether a request may be made once more on a new connection.
fn may_repeat(failure: &Failure, method: Method, call: &Call, observed: &Observed) -> bool {
    let closed_meanwhile = matches!(failure.stage, Stage::Send | Stage::FirstByte) && !call.is_late();
    let nothing_done = match method {
        Method::Post => failure.sent == Sent::Nothing,
        Method::Get | Method::Delete => !call.is_answered(),
    };
    observed.reused && call.connections == Connections::IdleOrNew && closed_meanwhile && nothing_done
}

/// Where an answer leads to, if it leads on.
fn redirect(from: &Endpoint, method: Method, response: &mut Response) -> Result<Option<(Endpoint, Uri)>, String> {
    let status = response.head.status;
    let repeats = match (status, method) {
        (307 | 308, _) | (301..=303, Method::Get) => true,
        (301..=303, Method::Post | Method::Delete) => false,
        _ => return Ok(None),
    };
    let Some(location) = response.head.header("location") else {
        return Err(format!("{from} answered {status} without a location"));
    };
    let to = from
        .join(location)
        .map_err(|error| format!("{from} answered {status} with a location that cannot be followed: {error}"))?;
    if !from.may_redirect_to(&to) {
        return Err(format!(
            "{from} answered {status} and leads to {to}; only the same host and port are followed, and never from https to http"
        ));
    }
    if !repeats {
        return Err(format!("{from} answered {status} and leads to {to}; a message is repeated only by 307 and 308"));
    }
    let uri = to
        .to_url()
        .parse()
        .map_err(|_| format!("{from} answered {status} and leads to {to}, which cannot be requested"))?;
    Ok(Some((to, uri)))
}

/// What ureq's own errors mean, where no connection knows better.
fn unanswered(call: &Call, error: &ureq::Error) -> Failure {
    let peer = call.peer();
    match error {
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            let message = if call.is_answered() {
                format!("{peer} closed the connection in the head of its answer")
            } else {
                format!("{peer} closed the connection without an answer")
            };
            call.failure(Stage::FirstByte, message)
        }
        ureq::Error::LargeResponseHeader(..) => call.failure(
            Stage::FirstByte,
            format!("the answer of {peer} has a head of more than {HEAD} bytes, all that are read"),
        ),
        ureq::Error::Protocol(error) => {
            call.failure(Stage::FirstByte, format!("the answer of {peer} is not HTTP/1.1: {error}"))
        }
        error => call.failure(Stage::Send, format!("the request to {peer} cannot be made: {error}")),
    }
}

/// Whether a name belongs to the protocol, so that neither configuration nor manifest may set it.
fn is_protocol(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let names = [
        header::ACCEPT,
        header::CONTENT_TYPE,
        header::SESSION_ID,
        header::PROTOCOL_VERSION,
        header::METHOD,
        header::NAME,
        header::LAST_EVENT_ID,
        "accept-encoding",
        "expect",
    ];
    names.contains(&name.as_str()) || name.starts_with(header::PARAM_PREFIX)
}

fn secret_header(name: &str, value: &Secret) -> Result<(HeaderName, HeaderValue), TransportError> {
    let refused = |problem| TransportError::Header { name: name.to_owned(), problem };
    let problem = headers::forwarded_name_problem(name).or_else(|| headers::value_problem(value.expose()));
    if let Some(problem) = problem {
        return Err(refused(problem));
    }
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused(headers::HeaderProblem::NotAToken))?;
    let mut value =
        HeaderValue::from_str(value.expose()).map_err(|_| refused(headers::HeaderProblem::ControlCharacter))?;
    value.set_sensitive(true);
    Ok((header, value))
}
