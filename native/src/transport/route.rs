//! The way to one backend as every transport goes it: where it leads, what requests carry, which answers are taken, where
//! redirects may lead, what may be sent once more.
//!
//! It sends nothing. Whatever is decided here is decided once for threads and for tasks.

use std::sync::Arc;

use rustls_pki_types::ServerName;
use ureq::http::header::USER_AGENT;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Uri, Version};
use vmcp_core::auth::Credentials;
use vmcp_core::discovery::Backend;
use vmcp_core::endpoint::Endpoint;
use vmcp_core::headers;
use vmcp_core::mcp::http::{EVENT_STREAM, Failure, Head, Method, Request, Sent, Stage, Twice, header};
use vmcp_core::secret::Secret;
use vmcp_core::trust::{Pool, TrustError, TrustedBy, UnixTime};

use super::TransportOptions;
use super::call::{Call, Connections, Observed};
use crate::credentials::Grant;
use crate::verifier;

/// Bytes of the head of an answer.
pub(super) const HEAD: usize = 64 * 1024;
/// Lines of it: as many as the library reads.
const HEADER_LINES: usize = 128;
/// Redirects that are followed for one request, as Go's vMCP does.
pub(super) const REDIRECTS: usize = 10;

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

/// Where a backend is, and what every request to it carries.
pub(super) struct Route {
    pub(super) endpoint: Endpoint,
    uri: Uri,
    /// Overrides a forwarded header of the same name.
    credentials: Option<(HeaderName, HeaderValue)>,
    forwarded: Vec<(HeaderName, HeaderValue)>,
    user_agent: Option<HeaderValue>,
    pub(super) body_limit: u64,
    pool: Option<Arc<Pool>>,
}

impl Route {
    pub(super) fn new(backend: &Backend, options: &TransportOptions) -> Result<Self, TransportError> {
        let mut route = Self::to(&backend.endpoint, &backend.credentials, &backend.forwarded_headers, options)?;
        route.pool = Some(Arc::clone(&backend.pool));
        Ok(route)
    }

    pub(super) fn to(
        endpoint: &Endpoint,
        credentials: &Credentials,
        forwarded: &[(String, Secret)],
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
        Ok(Self {
            endpoint: endpoint.clone(),
            uri,
            credentials,
            forwarded,
            user_agent: HeaderValue::from_str(&options.user_agent).ok().filter(|agent| !agent.is_empty()),
            body_limit: options.body_limit,
            pool: None,
        })
    }

    /// Where a request goes that nothing has led elsewhere.
    pub(super) fn place(&self) -> (Endpoint, Uri) {
        (self.endpoint.clone(), self.uri.clone())
    }

    /// By what anchor or pin the certificates of a session are trusted; `None` if it had none.
    pub(super) fn trusted_by(&self, observed: &Observed, now: UnixTime) -> Option<Result<TrustedBy, TrustError>> {
        let name = ServerName::try_from(self.endpoint.host()).ok()?;
        verifier::trusted_by(self.pool.as_deref()?, &observed.tls.as_ref()?.certificates, &name, now)
    }

    /// Redirects have no end.
    pub(super) fn led_on(&self) -> Failure {
        let message =
            format!("{} redirects led from {} on; at most {REDIRECTS} are followed", REDIRECTS + 1, self.endpoint);
        Failure { stage: Stage::FirstByte, sent: Sent::Maybe, message }
    }

    /// The request with all its headers but those of its framing: the protocol's, then forwarded ones that are not there
    /// yet, then credentials, then what the caller was granted. This is the one place that knows them, whatever sends the request.
    pub(super) fn prepared(
        &self,
        uri: &Uri,
        request: &Request,
        grant: &Grant,
    ) -> Result<ureq::http::Request<()>, String> {
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
        if let Some(agent) = &self.user_agent
            && !headers.contains_key(USER_AGENT)
        {
            headers.insert(USER_AGENT, agent.clone());
        }
        // Last, because a signature is over all the others.
        grant.complete(&mut prepared, &request.body)?;
        Ok(prepared)
    }
}

/// The head of an answer and how many bytes its body may have, if its framing leaves no doubt where it ends. `length` is
/// what it says itself.
pub(super) fn begun(
    call: &Call,
    method: Method,
    (status, version, headers): (u16, Version, &HeaderMap),
    length: Option<u64>,
    limit: u64,
) -> Result<(Head, Option<u64>), Failure> {
    call.note_head();
    if let Some(message) = doubtful(status, version, headers) {
        return Err(call.failure(Stage::FirstByte, format!("the answer of {} {message}", call.peer())));
    }
    let headers = headers.iter().filter_map(|(name, value)| {
        std::str::from_utf8(value.as_bytes()).ok().map(|value| (name.as_str().to_owned(), value.to_owned()))
    });
    let head = Head { status, headers: headers.collect() };
    let standing = method == Method::Get && head.media_type().is_some_and(|kind| kind == EVENT_STREAM);
    let limit = (!standing).then_some(limit);
    if let (Some(limit), Some(length)) = (limit, length)
        && length > limit
    {
        let message = format!("the answer of {} has {length} bytes; at most {limit} are read", call.peer());
        return Err(call.failure(Stage::Body, message));
    }
    Ok((head, limit))
}

/// More came than may.
pub(super) fn too_large(call: &Call, limit: u64) -> Failure {
    let message = format!("the answer of {} has more than {limit} bytes, all that are read", call.peer());
    call.failure(Stage::Body, message)
}

/// The body did not end as its framing said, after so many bytes of it.
pub(super) fn incomplete(call: &Call, taken: u64, error: &ureq::Error) -> Failure {
    let peer = call.peer();
    let message = match error {
        ureq::Error::Protocol(protocol) => {
            format!("the answer of {peer} is not framed as HTTP/1.1 after {taken} bytes: {protocol}")
        }
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            format!("{peer} closed the connection after {taken} bytes of its answer, before its end")
        }
        error => format!("reading the answer of {peer} after {taken} bytes: {error}"),
    };
    let lost = matches!(error, ureq::Error::Io(_));
    call.failure(if lost { Stage::Lost } else { Stage::Body }, message)
}

/// Whether a request may be made once more on a new connection.
pub(super) fn may_repeat(failure: &Failure, twice: Twice, call: &Call, observed: &Observed) -> bool {
    let closed_meanwhile = matches!(failure.stage, Stage::Send | Stage::FirstByte) && !call.is_late();
    let nothing_done = match twice {
        Twice::Acts => failure.sent == Sent::Nothing,
        Twice::Harmless => !call.is_answered(),
    };
    observed.reused && call.connections == Connections::IdleOrNew && closed_meanwhile && nothing_done
}

/// Where an answer leads to, if it leads on.
pub(super) fn redirect(from: &Endpoint, method: Method, answer: &Head) -> Result<Option<(Endpoint, Uri)>, String> {
    let status = answer.status;
    let repeats = match (status, method) {
        (307 | 308, _) | (301..=303, Method::Get) => true,
        (301..=303, Method::Post | Method::Delete) => false,
        _ => return Ok(None),
    };
    let Some(location) = answer.header("location") else {
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
pub(super) fn unanswered(call: &Call, error: &ureq::Error) -> Failure {
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
        // Its type cannot be named where only the blocking transport is built.
        ureq::Error::Protocol(error) if error.to_string() == "http parse resulted in too many headers" => call.failure(
            Stage::FirstByte,
            format!("the answer of {peer} has more than {HEADER_LINES} header lines, all that are read"),
        ),
        ureq::Error::Protocol(error) => {
            call.failure(Stage::FirstByte, format!("the answer of {peer} is not HTTP/1.1: {error}"))
        }
        error => call.failure(Stage::Send, format!("the request to {peer} cannot be made: {error}")),
    }
}

/// Whether a name belongs to the protocol, so that neither configuration nor manifest may set it.
pub(crate) fn is_protocol(name: &str) -> bool {
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
    names.contains(&name.as_str()) || name.starts_with("mcp-")
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

/// Why nobody could say where the body ends or what its bytes mean.
fn doubtful(status: u16, version: Version, headers: &HeaderMap) -> Option<String> {
    if status == 101 {
        return Some("switches the protocol, which was not asked for".to_owned());
    }
    let mut codings = headers.get_all("transfer-encoding").iter();
    if let Some(coding) = codings.next() {
        // RFC 9112 section 6.3: both at once is a sign of smuggling; section 6.1: HTTP/1.0 knows no transfer coding.
        if headers.contains_key("content-length") {
            return Some("has both transfer-encoding and content-length; expected one of them".to_owned());
        }
        if version != Version::HTTP_11 {
            return Some("has transfer-encoding in HTTP/1.0, which knows none".to_owned());
        }
        if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Some("has a transfer-encoding other than `chunked`".to_owned());
        }
    }
    let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if let Some(coding) = headers.get_all("content-encoding").iter().find(|value| !plain(value)) {
        let coding = String::from_utf8_lossy(coding.as_bytes()).escape_debug().to_string();
        return Some(format!("has the content-encoding `{coding}`, which was not asked for"));
    }
    None
}
