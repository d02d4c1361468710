//! Asking the issuer: one request at a time over a connection, without a thread and for a bounded time. A connection whose
//! answer was read is kept for the next question at the same place.
//!
//! It judges no answer, and goes through no proxy, as the Go program does not: what the addresses of a
//! name lead to must be seen here.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use vmcp_core::bearer::Question;
use vmcp_core::endpoint::{Endpoint, Scheme, is_public};
use vmcp_core::identity::{Addresses, Oidc};
use vmcp_core::trust::TrustError;

use crate::verifier;

/// How long one question may take, all in all.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one address may take to answer.
const CONNECT: Duration = Duration::from_secs(3);
/// Redirects that are followed.
const REDIRECTS: usize = 3;
/// Bytes of an answer.
const BYTES: usize = 512 << 10;

/// Connections that are kept.
const KEPT: usize = 4;
/// How long one is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(30);

/// The way to an issuer. Whatever goes this way trusts the same pool.
pub(super) struct Way {
    tls: Arc<ClientConfig>,
    addresses: Addresses,
    /// The last that was used comes last.
    kept: Mutex<Vec<Kept>>,
}

/// A connection that is idle, by where it leads.
struct Kept {
    place: Place,
    line: Line,
    since: Instant,
}

/// What a connection is good for.
type Place = (Scheme, String, u16);

/// Takes requests for a connection, one after the other.
type Line = http1::SendRequest<Full<Bytes>>;

/// Why there is no answer. No text carries a part of what was asked or answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("{0} may not be asked without TLS; `insecureAllowHttp` would let it")]
    PlainHttp(Endpoint),
    #[error("{0} did not answer within {PATIENCE:?}")]
    Late(Endpoint),
    #[error("looking up {host}")]
    Unknown {
        host: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("{0} has no public address; `jwksAllowPrivateIp: true` lets it have another one")]
    Private(String),
    #[error("connecting to {0}")]
    Unreachable(Endpoint, #[source] std::io::Error),
    #[error("{0} is not who it should be")]
    Untrusted(Endpoint, #[source] Box<TrustError>),
    #[error("talking to {0}")]
    Broken(Endpoint, #[source] hyper::Error),
    #[error("{0} answered {1}; expected 200")]
    Status(Endpoint, StatusCode),
    #[error("{0} leads elsewhere; only the same host and port are followed, and never from https to http")]
    Elsewhere(Endpoint),
    #[error("{0} answered with more than {BYTES} bytes, or broke off")]
    Body(Endpoint),
    #[error("{0} cannot be asked")]
    Request(Endpoint),
}

impl Way {
    pub(super) fn new(oidc: &Oidc) -> Self {
        let mut tls = ClientConfig::clone(&verifier::client_config(Arc::clone(&oidc.pool)));
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { tls: Arc::new(tls), addresses: oidc.addresses, kept: Mutex::default() }
    }

    /// Fetches a document.
    pub(super) async fn fetch(&self, oidc: &Oidc, at: &Endpoint) -> Result<Bytes, NoAnswer> {
        let following = async {
            let mut place = at.clone();
            for _ in 0..=REDIRECTS {
                let (response, line) = self.once(oidc, &place, None).await?;
                if !response.status().is_redirection() {
                    return self.body(&place, response, line).await;
                }
                let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
                let next = location.and_then(|location| place.join(location).ok());
                place = next.filter(|next| place.may_redirect_to(next)).ok_or(NoAnswer::Elsewhere(place))?;
            }
            Err(NoAnswer::Elsewhere(place))
        };
        timeout(PATIENCE, following).await.map_err(|_| NoAnswer::Late(at.clone()))?
    }

    /// Asks about a token. A question is not repeated elsewhere.
    pub(super) async fn ask(&self, oidc: &Oidc, at: &Endpoint, question: &Question) -> Result<Bytes, NoAnswer> {
        let asking = async {
            let (response, line) = self.once(oidc, at, Some(question)).await?;
            self.body(at, response, line).await
        };
        timeout(PATIENCE, asking).await.map_err(|_| NoAnswer::Late(at.clone()))?
    }

    async fn once(
        &self,
        oidc: &Oidc,
        at: &Endpoint,
        question: Option<&Question>,
    ) -> Result<(Response<Incoming>, Line), NoAnswer> {
        // Where keys are may come from a document, so the rule is applied where it matters.
        if !oidc.may_ask(at) {
            return Err(NoAnswer::PlainHttp(at.clone()));
        }
        let request = || request(at, question).ok_or_else(|| NoAnswer::Request(at.clone()));
        while let Some(mut line) = self.take(at) {
            // The issuer may have closed it at any time; nothing changes there by being asked once more.
            if line.ready().await.is_ok()
                && let Ok(response) = line.send_request(request()?).await
            {
                return Ok((response, line));
            }
        }
        let mut line = self.open(at).await?;
        match line.send_request(request()?).await {
            Ok(response) => Ok((response, line)),
            Err(error) => Err(NoAnswer::Broken(at.clone(), error)),
        }
    }

    async fn open(&self, at: &Endpoint) -> Result<Line, NoAnswer> {
        let stream = self.connect(at).await?;
        match at.scheme() {
            Scheme::Http => line(at, stream).await,
            Scheme::Https => {
                let name = ServerName::try_from(at.host().to_owned()).map_err(|_| NoAnswer::Request(at.clone()))?;
                let connected = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await;
                let stream = connected.map_err(|error| match verifier::find_trust_error(&error) {
                    Some(trust) => NoAnswer::Untrusted(at.clone(), Box::new(trust.clone())),
                    None => NoAnswer::Unreachable(at.clone(), error),
                })?;
                line(at, stream).await
            }
        }
    }

    /// A connection to this place, if one is kept.
    fn take(&self, at: &Endpoint) -> Option<Line> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.since.elapsed() < IDLE && !kept.line.is_closed());
        let found = kept.iter().rposition(|kept| kept.place == place(at))?;
        Some(kept.remove(found).line)
    }

    /// The whole answer; then its connection is free.
    async fn body(&self, at: &Endpoint, response: Response<Incoming>, line: Line) -> Result<Bytes, NoAnswer> {
        if response.status() != StatusCode::OK {
            return Err(NoAnswer::Status(at.clone(), response.status()));
        }
        let whole = Limited::new(response.into_body(), BYTES).collect().await;
        let whole = whole.map_err(|_| NoAnswer::Body(at.clone()))?.to_bytes();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push(Kept { place: place(at), line, since: Instant::now() });
        Ok(whole)
    }

    /// The address is judged that is connected to, so that a name which leads to another one the next time helps nobody.
    async fn connect(&self, at: &Endpoint) -> Result<TcpStream, NoAnswer> {
        let host = at.host().to_owned();
        let found = lookup_host((host.as_str(), at.port())).await;
        let found = found.map_err(|cause| NoAnswer::Unknown { host: host.clone(), cause })?;
        let may = |address: &SocketAddr| self.addresses == Addresses::Any || is_public(address.ip());
        let mut refused = None;
        for address in found.filter(may) {
            let connected = timeout(CONNECT, TcpStream::connect(address)).await;
            match connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
                Ok(stream) => return Ok(stream),
                Err(error) => refused = Some(error),
            }
        }
        Err(match refused {
            Some(error) => NoAnswer::Unreachable(at.clone(), error),
            None => NoAnswer::Private(host),
        })
    }
}

fn request(at: &Endpoint, question: Option<&Question>) -> Option<Request<Full<Bytes>>> {
    let mut request = Request::new(Full::default());
    *request.uri_mut() = at.path_and_query().parse().ok()?;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(&at.authority()).ok()?);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("vmcp/", env!("CARGO_PKG_VERSION"))));
    if let Some(question) = question {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        if let Some(authorization) = &question.authorization {
            let mut value = HeaderValue::from_str(authorization.expose()).ok()?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        *request.method_mut() = Method::POST;
        *request.body_mut() = Full::from(Bytes::copy_from_slice(question.body.expose().as_bytes()));
    }
    Some(request)
}

async fn line(at: &Endpoint, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Line, NoAnswer> {
    let made = http1::handshake(TokioIo::new(stream)).await;
    let (line, connection) = made.map_err(|error| NoAnswer::Broken(at.clone(), error))?;
    // It ends with its line, or when an answer is dropped unread; what broke is told by the answer.
    tokio::spawn(async move { drop(connection.await) });
    Ok(line)
}

fn place(at: &Endpoint) -> Place {
    (at.scheme(), at.host().to_owned(), at.port())
}
