//! Credentials for a caller, asked of token endpoints: the requests, and what the answers mean.
//!
//! It sends nothing, keeps nothing and has no clock: a [`Flow`] says what is to be sent next and takes the answer.
//! Sources: RFC 6749 (OAuth 2.0), RFC 8693 (token exchange), RFC 7523 (JWT bearer grant),
//! draft-ietf-oauth-identity-assertion-authz-grant (ID-JAG), Microsoft's on-behalf-of flow, AWS STS.

mod answer;
mod error;
mod form;
mod registered;
pub mod roles;
mod sts;

pub use answer::BODY_BYTES;
pub use error::TokenError;
pub use registered::ErrorCode;

use alloc::format;
use alloc::sync::Arc;
use core::fmt;

use crate::auth::{AwsSts, Client, Obo, Strategy, TOKEN_TYPE, TokenEndpoint, TokenExchange, Xaa};
use crate::identity::Principal;
use crate::mcp::base64::{self, Alphabet};
use crate::mcp::http::Failure;
use crate::secret::Secret;
use crate::trust::UnixTime;
use answer::Answered;
use form::Form;

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// One POST to a token endpoint. `Debug` shows neither headers nor body.
#[derive(Clone)]
pub struct TokenRequest {
    /// Where to, and whom it is verified against.
    pub endpoint: TokenEndpoint,
    /// `Authorization`, if the client proves itself there (RFC 6749 section 2.3.1).
    pub authorization: Option<Secret>,
    /// What is accepted.
    pub accept: &'static str,
    /// The form (`application/x-www-form-urlencoded`).
    pub body: Secret,
}

/// What a token endpoint answered.
#[derive(Clone, Copy)]
pub struct TokenAnswer<'a> {
    /// The status.
    pub status: u16,
    /// The body, at most [`BODY_BYTES`] of it.
    pub body: &'a [u8],
    /// When it came.
    pub now: UnixTime,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Output {
    /// Send this, and give the answer to [`Flow::handle`] or [`Flow::failed`].
    Send(TokenRequest),
    /// That is all.
    Done(Result<Issued, TokenError>),
}

/// Credentials that were issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// They.
    pub credentials: IssuedCredentials,
    /// When they end, if that was said.
    pub expires: Option<UnixTime>,
}

/// What was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuedCredentials {
    /// Sent as `Authorization: Bearer …` (RFC 6750 section 2.1).
    Bearer(Secret),
    /// Requests are signed with these.
    AwsKeys(AwsKeys),
}

/// Temporary keys of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsKeys {
    /// `AccessKeyId`.
    pub id: Secret,
    /// `SecretAccessKey`.
    pub secret: Secret,
    /// `SessionToken`.
    pub session_token: Secret,
}

/// One attempt to get credentials: [`Flow::poll`], send, [`Flow::handle`], until it is done.
pub struct Flow {
    strategy: Arc<Strategy>,
    awaits: Awaits,
    next: Option<Output>,
}

/// Whose answer comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    /// The only one.
    Token,
    /// The identity provider's grant for the backend's authorization server.
    Grant,
    /// Client credentials; the client has proved itself in the header.
    ClientInHeader,
    /// Client credentials; it has proved itself in the body.
    ClientInBody,
    Keys,
}

impl Flow {
    /// For a caller. `matches` says which of the strategy's matchers are true for the caller's claims; it is asked for
    /// `aws_sts` only.
    ///
    /// # Errors
    /// There is no caller's token, or the caller gets no role.
    pub fn of_caller(
        strategy: &Arc<Strategy>,
        caller: Option<&Principal>,
        matches: impl FnMut(&str) -> bool,
    ) -> Result<Self, TokenError> {
        let caller = caller.filter(|caller| !caller.token.is_empty());
        let caller = caller.ok_or(TokenError::NoToken { strategy: strategy.word() })?;
        let token = &caller.token;
        let (request, awaits) = match &**strategy {
            Strategy::TokenExchange(exchange) => (exchange.request(token), Awaits::Token),
            Strategy::Obo(obo) => (obo.request(token), Awaits::Token),
            Strategy::Xaa(xaa) => (xaa.grant_request(token), Awaits::Grant),
            Strategy::AwsSts(sts) => {
                let role = roles::select(sts, &caller.claims, matches).ok_or(TokenError::NoRole)?;
                let session = roles::session_name(sts, &caller.claims)
                    .ok_or_else(|| TokenError::NoSessionName { claim: sts.session_name_claim.clone() })?;
                (sts.request(token, role, &session), Awaits::Keys)
            }
        };
        let mut flow = Self { strategy: Arc::clone(strategy), awaits, next: None };
        flow.send(request, awaits);
        Ok(flow)
    }

    /// For nobody: what the gateway itself sends with probes and lists. `None` where that is nothing.
    ///
    /// As in the Go program: a `token_exchange` or `xaa` with a client and its secret asks for client credentials (RFC
    /// 6749 section 4.4), every other sends nothing.
    #[must_use]
    pub fn of_nobody(strategy: &Arc<Strategy>) -> Option<Self> {
        let mut flow = Self { strategy: Arc::clone(strategy), awaits: Awaits::ClientInHeader, next: None };
        let request = flow.client_credentials(ClientIn::Header)?;
        flow.send(request, Awaits::ClientInHeader);
        Some(flow)
    }

    /// What is to be done next; `None` while an answer is awaited.
    pub fn poll(&mut self) -> Option<Output> {
        self.next.take()
    }

    /// Takes the answer.
    pub fn handle(&mut self, answer: &TokenAnswer<'_>) {
        let result = match self.awaits {
            Awaits::Token | Awaits::ClientInBody => self.token(answer),
            Awaits::Keys => sts::read(self.endpoint(), answer),
            Awaits::Grant => match self.grant(answer) {
                Ok(request) => return self.send(request, Awaits::Token),
                Err(error) => Err(error),
            },
            // As OAuth clients in Go find out: first the header, then the body.
            Awaits::ClientInHeader => match self.token(answer) {
                Err(TokenError::Refused { status: 400..=499, .. }) => match self.client_credentials(ClientIn::Body) {
                    Some(request) => return self.send(request, Awaits::ClientInBody),
                    None => self.token(answer),
                },
                result => result,
            },
        };
        self.next = Some(Output::Done(result));
    }

    /// There is no answer.
    pub fn failed(&mut self, failure: Failure) {
        let endpoint = self.endpoint().url.clone();
        self.next = Some(Output::Done(Err(TokenError::NoAnswer { endpoint, failure })));
    }

    fn send(&mut self, request: TokenRequest, awaits: Awaits) {
        self.awaits = awaits;
        self.next = Some(Output::Send(request));
    }

    /// Who is asked now.
    fn endpoint(&self) -> &TokenEndpoint {
        match (&*self.strategy, self.awaits) {
            (Strategy::TokenExchange(exchange), _) => &exchange.endpoint,
            (Strategy::Obo(obo), _) => &obo.endpoint,
            (Strategy::AwsSts(sts), _) => &sts.endpoint,
            (Strategy::Xaa(xaa), Awaits::Grant) => &xaa.idp,
            (Strategy::Xaa(xaa), _) => &xaa.target,
        }
    }

    /// A token that can be sent to the backend.
    fn token(&self, answer: &TokenAnswer<'_>) -> Result<Issued, TokenError> {
        let endpoint = self.endpoint();
        let answered = Answered::read(endpoint, answer)?;
        let exchanged = matches!(*self.strategy, Strategy::TokenExchange(_)) && self.awaits == Awaits::Token;
        // RFC 8693 section 2.2.1 requires it; of other grants it says nothing.
        if exchanged && answered.issued_token_type.is_none() {
            return Err(TokenError::malformed(endpoint, "has no `issued_token_type`"));
        }
        if let Some(kind) = &answered.issued_token_type
            && !matches!(kind.strip_prefix(TOKEN_TYPE), Some("access_token" | "jwt"))
        {
            return Err(TokenError::TokenType { endpoint: endpoint.url.clone(), kind: registered::token_type(kind) });
        }
        let token =
            answered.bearer().ok_or_else(|| TokenError::malformed(endpoint, "has a token that no header can hold"))?;
        Ok(Issued { credentials: IssuedCredentials::Bearer(token), expires: answered.expires })
    }

    /// A grant for the backend's authorization server, and the request that redeems it.
    fn grant(&mut self, answer: &TokenAnswer<'_>) -> Result<TokenRequest, TokenError> {
        let Strategy::Xaa(xaa) = &*self.strategy else {
            return Err(TokenError::malformed(self.endpoint(), "was not asked for"));
        };
        let answered = Answered::read(&xaa.idp, answer)?;
        let wrong = |problem| TokenError::malformed(&xaa.idp, problem);
        match answered.issued_token_type.as_deref().and_then(|kind| kind.strip_prefix(TOKEN_TYPE)) {
            Some("id-jag") => {}
            _ => return Err(wrong("is no ID-JAG: its `issued_token_type` says otherwise")),
        }
        if !answered.token_type.eq_ignore_ascii_case("N_A") {
            return Err(wrong("is no ID-JAG: its `token_type` is not `N_A`"));
        }
        answer::check_grant(answered.access_token.expose(), &xaa.audience, &xaa.resource).map_err(wrong)?;
        let request = xaa.redeeming_request(&answered.access_token);
        Ok(request)
    }

    /// RFC 6749 section 4.4.
    fn client_credentials(&self, place: ClientIn) -> Option<TokenRequest> {
        let (endpoint, client, audience, scopes) = match &*self.strategy {
            Strategy::TokenExchange(it) => (&it.endpoint, it.client.as_ref()?, &it.audience, &it.scopes),
            Strategy::Xaa(it) => (&it.target, it.target_client.as_ref()?, &it.audience, &it.scopes),
            Strategy::Obo(_) | Strategy::AwsSts(_) => return None,
        };
        let form = Form::new().with("grant_type", "client_credentials").and("audience", audience).scopes(scopes);
        Some(match place {
            ClientIn::Header => request(endpoint, Some(client), form),
            ClientIn::Body => request(
                endpoint,
                None,
                form.with("client_id", &client.id).with("client_secret", client.secret.expose()),
            ),
        })
    }
}

/// How a client proves itself (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientIn {
    Header,
    Body,
}

impl TokenExchange {
    /// RFC 8693 section 2.1.
    fn request(&self, token: &Secret) -> TokenRequest {
        let form = Form::new()
            .with("grant_type", TOKEN_EXCHANGE)
            .with("subject_token", token.expose())
            .with("subject_token_type", &self.subject_token_type)
            .with("requested_token_type", &format!("{TOKEN_TYPE}access_token"))
            .and("audience", &self.audience)
            .scopes(&self.scopes);
        request(&self.endpoint, self.client.as_ref(), form)
    }
}

impl Xaa {
    /// RFC 8693 section 2.1, for an ID-JAG (draft section 4.3).
    fn grant_request(&self, token: &Secret) -> TokenRequest {
        let form = Form::new()
            .with("grant_type", TOKEN_EXCHANGE)
            .with("subject_token", token.expose())
            .with("subject_token_type", &format!("{TOKEN_TYPE}id_token"))
            .with("requested_token_type", &format!("{TOKEN_TYPE}id-jag"))
            .and("audience", &self.audience)
            .and("resource", &self.resource)
            .scopes(&self.scopes);
        request(&self.idp, self.idp_client.as_ref(), form)
    }

    /// RFC 7523 section 2.1.
    fn redeeming_request(&self, grant: &Secret) -> TokenRequest {
        let form = Form::new().with("grant_type", JWT_BEARER).with("assertion", grant.expose()).scopes(&self.scopes);
        request(&self.target, self.target_client.as_ref(), form)
    }
}

impl Obo {
    /// Microsoft identity platform, "OAuth 2.0 On-Behalf-Of flow", first case: a shared secret. It stands in the body, as
    /// everywhere in that documentation.
    fn request(&self, token: &Secret) -> TokenRequest {
        let form = Form::new()
            .with("grant_type", JWT_BEARER)
            .with("client_id", &self.client.id)
            .with("client_secret", self.client.secret.expose())
            .with("assertion", token.expose())
            .with("scope", &self.scope)
            .with("requested_token_use", "on_behalf_of");
        request(&self.endpoint, None, form)
    }
}

impl AwsSts {
    /// AWS STS API reference, AssumeRoleWithWebIdentity (2011-06-15). It is not signed: the token is the proof.
    fn request(&self, token: &Secret, role: &str, session: &str) -> TokenRequest {
        let form = Form::new()
            .with("Action", "AssumeRoleWithWebIdentity")
            .with("Version", "2011-06-15")
            .with("RoleArn", role)
            .with("RoleSessionName", session)
            .with("WebIdentityToken", token.expose())
            .with("DurationSeconds", &format!("{}", self.duration));
        TokenRequest { accept: "text/xml", ..request(&self.endpoint, None, form) }
    }
}

fn request(endpoint: &TokenEndpoint, client: Option<&Client>, form: Form) -> TokenRequest {
    TokenRequest {
        endpoint: endpoint.clone(),
        authorization: client.map(basic),
        accept: "application/json",
        body: form.encode(),
    }
}

/// RFC 6749 section 2.3.1: id and secret are form-encoded before they are joined.
fn basic(client: &Client) -> Secret {
    let joined = Secret::new(format!("{}:{}", form::encoded(&client.id), form::encoded(client.secret.expose())));
    let encoded = Secret::new(base64::encode(Alphabet::Standard, joined.expose().as_bytes()));
    Secret::new(format!("Basic {}", encoded.expose()))
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl fmt::Debug for TokenAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow")
            .field("strategy", &self.strategy.word())
            .field("awaits", &self.awaits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
