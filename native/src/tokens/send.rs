//! How requests reach token endpoints: like backends, with deadlines, a limit of the body and no redirects at all, verified
//! against the endpoint's own pool.
//!
//! It reads no answer and logs none.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use vmcp_core::mcp::http::{Failure, Method, Request, Sent, Stage, Twice};
use vmcp_core::oauth::{BODY_BYTES, TokenRequest};
use vmcp_core::secret::Secret;

use crate::credentials::{Grant, Proof};
use crate::transport::asynchronous::AsyncTransport;
use crate::transport::{Cancel, Timeouts, TransportOptions};

/// Endpoints whose connections are kept.
const ENDPOINTS: usize = 1024;
/// How long an endpoint may take for all of its answer, as in the Go program.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take to be reached, and again for TLS.
const REACHING: Duration = Duration::from_secs(10);

/// The ways to token endpoints.
pub struct Sender {
    ways: Mutex<HashMap<String, AsyncTransport>>,
    options: TransportOptions,
}

impl Sender {
    /// Connects to nothing yet.
    #[must_use]
    pub fn new(options: &TransportOptions) -> Self {
        let options = TransportOptions { body_limit: BODY_BYTES as u64, ..options.clone() };
        Self { ways: Mutex::default(), options }
    }

    /// The status and the body.
    pub(super) async fn send(&self, request: TokenRequest) -> Result<(u16, Secret), Failure> {
        post(&self.way(&request)?, request).await
    }

    fn way(&self, request: &TokenRequest) -> Result<AsyncTransport, Failure> {
        let endpoint = &request.endpoint;
        // Two strategies may be at one place and trust differently.
        let own = endpoint.pool.bundle.as_deref().map(|bundle| bundle.trusted()).unwrap_or_default();
        let trusts: Vec<String> = own.iter().map(|trusted| trusted.fingerprint.to_string()).collect();
        let name = format!("{} {}", endpoint.url.to_url(), trusts.join(" "));
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(way) = ways.get(&name) {
            return Ok(way.clone());
        }
        let way = AsyncTransport::to_endpoint(&endpoint.url, &endpoint.pool, &self.options);
        let way = way.map_err(|error| unsent(error.to_string()))?;
        if ways.len() >= ENDPOINTS {
            ways.clear();
        }
        ways.insert(name, way.clone());
        Ok(way)
    }
}

async fn post(way: &AsyncTransport, request: TokenRequest) -> Result<(u16, Secret), Failure> {
    let proof = request.authorization.map_or(Proof::None, Proof::Authorization);
    let form = Request {
        method: Method::Post,
        headers: vec![
            ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
            ("accept".to_owned(), request.accept.to_owned()),
        ],
        body: request.body.expose().as_bytes().to_vec(),
        // An ID-JAG, for one, may be redeemed once.
        twice: Twice::Acts,
    };
    let timeouts = Timeouts {
        connect: REACHING,
        tls: REACHING,
        first_byte: PATIENCE,
        idle: Some(PATIENCE),
        total: Some(PATIENCE),
    };
    let mut answer = way.with_grant(Grant::proving(proof)).send_here(&form, &timeouts, &Cancel::new()).await?;
    let mut body = zeroize::Zeroizing::new(Vec::new());
    while let Some(bytes) = answer.read().await? {
        body.extend_from_slice(bytes);
    }
    // What is not text is no answer of a token endpoint; it is read as one that says nothing.
    let text = std::str::from_utf8(&body).unwrap_or_default();
    Ok((answer.head.status, Secret::new(text)))
}

fn unsent(message: String) -> Failure {
    Failure { stage: Stage::Send, sent: Sent::Nothing, message }
}
