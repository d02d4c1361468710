//! Who may come in: the token of a request, proved before anything of the request counts.
//!
//! What makes a token acceptable is the core's; this looks at the clock, asks the issuer and answers who may not. No token, and
//! nothing that was said of one, is ever logged.

mod fetch;
mod keys;
mod signature;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    ALLOW, AUTHORIZATION, HeaderMap, HeaderValue, ORIGIN, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use vmcp_core::bearer::{self, Challenge, Expected, LEEWAY, NoToken, Problem, Question, Refused, resource_metadata};
use vmcp_core::identity::{Incoming, Oidc, Principal};
use vmcp_core::trust::UnixTime;

use super::Scopes;
use super::reply::{Reply, bare, json};
use crate::logging::chain;
use fetch::Way;
use keys::Keys;

/// Tokens that were accepted a moment ago and are remembered.
const ACCEPTED: usize = 4096;
/// How long a JWT is not verified again while the keys are the same.
const VERIFIED: Duration = Duration::from_secs(60);
/// How long the issuer is not asked again about an opaque token: a revoked one is good for that long.
const ASKED: Duration = Duration::from_secs(10);
/// Questions about opaque tokens that are asked side by side, and how long one more waits for its turn.
const QUESTIONS: (usize, Duration) = (64, Duration::from_secs(5));

/// The door of one listener.
pub(super) enum Door {
    /// Whoever reaches it comes in.
    Open,
    /// A token is asked for.
    Guarded(Box<Guarded>),
}

/// What asks for tokens.
pub(super) struct Guarded {
    oidc: Arc<Oidc>,
    scopes: Scopes,
    way: Arc<Way>,
    keys: Arc<Keys>,
    questions: Semaphore,
    accepted: Mutex<HashMap<[u8; 32], Accepted>>,
}

/// A token that was accepted, by its SHA-256.
struct Accepted {
    principal: Arc<Principal>,
    until: Instant,
    /// With which keys; `None` if it was asked about.
    generation: Option<u64>,
}

impl Door {
    pub(super) fn new(incoming: Incoming, scopes: Scopes) -> Self {
        let Incoming::Oidc(oidc) = incoming else { return Self::Open };
        let oidc = Arc::<Oidc>::from(oidc);
        let way = Arc::new(Way::new(&oidc));
        Self::Guarded(Box::new(Guarded {
            keys: Arc::new(Keys::new(Arc::clone(&oidc), Arc::clone(&way))),
            oidc,
            scopes,
            way,
            questions: Semaphore::new(QUESTIONS.0),
            accepted: Mutex::default(),
        }))
    }

    /// Whether everybody comes in.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// Begins to fetch what will be needed, on the runtime; a listener does not wait for its issuer.
    pub(super) fn warm_up(&self) {
        if let Self::Guarded(guarded) = self {
            guarded.keys.refresh();
        }
    }

    /// Who sends a request; nobody that is known by name where the door is open.
    ///
    /// # Errors
    /// The answer to who may not come in.
    pub(super) async fn admit(&self, head: &Parts) -> Result<Option<Arc<Principal>>, Reply> {
        let Self::Guarded(guarded) = self else { return Ok(None) };
        match guarded.prove(head, UnixTime::now()).await {
            Ok(principal) => Ok(Some(principal)),
            Err(problem) => {
                match &problem {
                    Problem::NoToken(reason) => tracing::debug!(%reason, "a request without a token"),
                    problem => tracing::info!(reason = %problem, "a caller was not let in"),
                }
                Err(refusal(&guarded.oidc, &problem))
            }
        }
    }

    /// Answers what is asked below `/.well-known`: where tokens are to be had (RFC 9728), and that there is nothing else, so
    /// that clients stop looking.
    pub(super) fn well_known(&self, head: &Parts) -> Reply {
        const METADATA: &str = "/.well-known/oauth-protected-resource";
        let below = head.uri.path().strip_prefix(METADATA);
        match self {
            Self::Guarded(guarded) if below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) => {
                with_any_origin(&head.headers, metadata(&guarded.oidc, &head.method))
            }
            _ => json(StatusCode::NOT_FOUND, &br#"{"error":"not_found"}"#[..]),
        }
    }
}

impl Guarded {
    async fn prove(&self, head: &Parts, now: UnixTime) -> Result<Arc<Principal>, Problem> {
        let token = token(head).map_err(Problem::NoToken)?;
        let jws = bearer::read(token).map_err(Problem::Refused)?;
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let principal = match self.accepted(&digest, now) {
            Some(principal) => principal,
            None => {
                let (principal, generation, keep) = match jws {
                    Some(jws) => {
                        // What can be refused without the issuer is; a token of another issuer causes no fetch.
                        let unverified = bearer::principal(jws.claims(), self.expected(), now, token);
                        let principal = unverified.map_err(Problem::Refused)?;
                        let generation = self.keys.verify(&jws).await?;
                        (principal, Some(generation), VERIFIED)
                    }
                    None => (self.asked(token, &digest, now).await?, None, ASKED),
                };
                let principal = Arc::new(principal);
                self.accept(
                    digest,
                    Accepted { principal: Arc::clone(&principal), until: Instant::now() + keep, generation },
                );
                principal
            }
        };
        if self.scopes == Scopes::Enforced {
            let lacks = |scope: &&String| !principal.scopes.contains(scope);
            let missing: Vec<_> = self.oidc.scopes.iter().filter(lacks).cloned().collect();
            if !missing.is_empty() {
                return Err(Problem::Scope(missing));
            }
        }
        Ok(principal)
    }

    fn expected(&self) -> Expected<'_> {
        Expected { issuer: &self.oidc.issuer, audience: &self.oidc.audience }
    }

    /// Asks the issuer about an opaque token.
    async fn asked(&self, token: &str, digest: &[u8; 32], now: UnixTime) -> Result<Principal, Problem> {
        let at = self.oidc.introspection.as_ref().ok_or(Problem::Refused(Refused::Opaque))?;
        let turn = timeout(QUESTIONS.1, self.questions.acquire()).await;
        let _turn = turn.ok().and_then(Result::ok).ok_or(Problem::Unavailable)?;
        // Another request with it may have been answered meanwhile.
        if let Some(principal) = self.accepted(digest, now) {
            return Ok(Principal::clone(&principal));
        }
        let question = Question::new(token, self.oidc.client_id.as_deref(), self.oidc.client_secret.as_ref());
        match self.way.ask(&self.oidc, at, &question).await {
            Ok(answer) => bearer::answered(&answer, self.expected(), now, token).map_err(Problem::Refused),
            Err(error) => {
                tracing::warn!(
                    issuer = self.oidc.issuer,
                    error = chain(&error),
                    "the issuer was asked about a token in vain"
                );
                Err(Problem::Unavailable)
            }
        }
    }

    /// The principal of a token that was accepted a moment ago and is still good. Tokens are found by their digests, so that
    /// the time it takes tells nothing of one.
    fn accepted(&self, digest: &[u8; 32], now: UnixTime) -> Option<Arc<Principal>> {
        let generation = self.keys.generation();
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        let known = accepted.get(digest)?;
        let is_good = known.until > Instant::now()
            && known.generation.is_none_or(|with| with == generation)
            && known.principal.expires.is_some_and(|end| now.as_secs() < end.as_secs().saturating_add(LEEWAY));
        if !is_good {
            accepted.remove(digest);
            return None;
        }
        Some(Arc::clone(&known.principal))
    }

    fn accept(&self, digest: [u8; 32], known: Accepted) {
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if accepted.len() >= ACCEPTED {
            let now = Instant::now();
            accepted.retain(|_, known| known.until > now);
        }
        if accepted.len() < ACCEPTED {
            accepted.insert(digest, known);
        }
    }
}

/// Ends when the token of the caller does, whichever that is by then: what stands for long is told to nobody whose token is
/// over. Never where callers have none.
pub(super) async fn until_expired(who: impl Fn() -> Option<Arc<Principal>>) {
    while let Some(end) = who().and_then(|who| who.expires) {
        let left = end.as_secs().saturating_add(LEEWAY).saturating_sub(UnixTime::now().as_secs());
        if left == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_secs(left.min(LONGEST_SLEEP))).await;
    }
    std::future::pending().await
}

/// Seconds after which the clock is looked at again: it may have been set.
const LONGEST_SLEEP: u64 = 60;

/// The only token of a request.
fn token(head: &Parts) -> Result<&str, NoToken> {
    if head.uri.query().is_some_and(bearer::is_in_query) {
        return Err(NoToken::InUrl);
    }
    let mut all = head.headers.get_all(AUTHORIZATION).iter();
    match (all.next(), all.next()) {
        (None, _) => Err(NoToken::Missing),
        (Some(_), Some(_)) => Err(NoToken::Several),
        (Some(header), None) => bearer::token(header.to_str().map_err(|_| NoToken::OtherScheme)?),
    }
}

/// The answer to who may not come in.
fn refusal(oidc: &Oidc, problem: &Problem) -> Reply {
    let challenge = Challenge::new(oidc, problem);
    // The core writes three digits, and header values of visible ASCII.
    let status = StatusCode::from_u16(challenge.status).unwrap_or(StatusCode::UNAUTHORIZED);
    let mut reply = json(status, challenge.body);
    if let Some(value) = challenge.authenticate.and_then(|value| HeaderValue::try_from(value).ok()) {
        reply.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    reply
}

fn metadata(oidc: &Oidc, method: &Method) -> Reply {
    match *method {
        Method::OPTIONS => bare(StatusCode::NO_CONTENT),
        Method::GET | Method::HEAD => match resource_metadata(oidc) {
            Some(document) => json(StatusCode::OK, document),
            None => bare(StatusCode::NOT_FOUND),
        },
        _ => {
            let mut reply = bare(StatusCode::METHOD_NOT_ALLOWED);
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
            reply
        }
    }
}

/// The document is for everybody, pages of any origin too; it holds nothing of anybody.
fn with_any_origin(request: &HeaderMap, mut reply: Reply) -> Reply {
    let headers = reply.headers_mut();
    let origin = request.get(ORIGIN).cloned().unwrap_or(HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, OPTIONS"));
    let allowed = HeaderValue::from_static("mcp-protocol-version, Content-Type, Authorization");
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    reply
}
