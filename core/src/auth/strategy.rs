//! Strategies whose credentials are made for each caller from the caller's own token, with the secrets in hand.
//!
//! It makes no request (`oauth` does) and knows no caller but by argument.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use sha2::{Digest, Sha256};

use crate::endpoint::Endpoint;
use crate::secret::Secret;
use crate::text::Span;
use crate::trust::Pool;

/// The URN that begins the names of token types (RFC 8693 section 3).
pub const TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:";

/// A strategy that makes credentials for each caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The caller's token is exchanged (RFC 8693).
    TokenExchange(TokenExchange),
    /// The caller's ID token becomes a grant of the identity provider, and that an access token of the backend's
    /// authorization server (draft-ietf-oauth-identity-assertion-authz-grant, RFC 7523).
    Xaa(Xaa),
    /// Microsoft Entra's on-behalf-of flow.
    Obo(Obo),
    /// AWS STS gives keys for the caller's token, with which requests are signed.
    AwsSts(AwsSts),
}

/// A token endpoint and whom it is verified against: the system roots and the strategy's own CA bundle, never the
/// backend's.
#[derive(Clone)]
pub struct TokenEndpoint {
    /// Where it is.
    pub url: Endpoint,
    /// Whom it is verified against.
    pub pool: Arc<Pool>,
}

/// A confidential client (RFC 6749 section 2.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
}

/// RFC 8693.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenExchange {
    /// Where.
    pub endpoint: TokenEndpoint,
    /// Who asks; without, nobody says so.
    pub client: Option<Client>,
    /// For whom; may be empty.
    pub audience: String,
    /// What for.
    pub scopes: Vec<String>,
    /// URN of what the caller's token is.
    pub subject_token_type: String,
}

/// Cross-application access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xaa {
    /// The identity provider's.
    pub idp: TokenEndpoint,
    /// Who asks there.
    pub idp_client: Option<Client>,
    /// The backend's authorization server's.
    pub target: TokenEndpoint,
    /// Who asks there.
    pub target_client: Option<Client>,
    /// For whom: the backend's authorization server.
    pub audience: String,
    /// For what (RFC 8707); may be empty.
    pub resource: String,
    /// What for.
    pub scopes: Vec<String>,
}

/// On behalf of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obo {
    /// Where.
    pub endpoint: TokenEndpoint,
    /// Who asks.
    pub client: Client,
    /// What for, separated by spaces.
    pub scope: String,
    /// Seconds before its end at which a token is no longer used, if configured.
    pub skew: Option<u32>,
}

/// AssumeRoleWithWebIdentity, and Signature Version 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsSts {
    /// STS of the region.
    pub endpoint: TokenEndpoint,
    /// The region.
    pub region: String,
    /// The service that is signed for.
    pub service: String,
    /// The role of callers that no mapping matches.
    pub fallback_role: Option<String>,
    /// Which callers get which role, in the order in which they are written.
    pub mappings: Vec<RoleMapping>,
    /// The claim that mappings by value look in.
    pub role_claim: String,
    /// Seconds.
    pub duration: u32,
    /// The claim that names the session.
    pub session_name_claim: String,
}

/// Which callers get a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleMapping {
    /// Which.
    pub rule: RoleRule,
    /// The role's ARN.
    pub role: String,
    /// The lowest wins; none is the last.
    pub priority: Option<i64>,
}

/// How callers are recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleRule {
    /// This value is in the role claim.
    Claim(String),
    /// This CEL expression over `claims` is true.
    Matcher {
        /// The expression.
        expression: String,
        /// Where it is written.
        span: Span,
        /// JSON pointer of that.
        pointer: String,
    },
}

impl Strategy {
    /// As it is configured.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::TokenExchange(_) => "token_exchange",
            Self::Xaa(_) => "xaa",
            Self::Obo(_) => "obo",
            Self::AwsSts(_) => "aws_sts",
        }
    }

    /// The header in which its credentials are sent.
    #[must_use]
    pub fn header(&self) -> &'static str {
        "Authorization"
    }

    /// SHA-256 over everything that is configured, secrets and trust included: two strategies share a token only if this
    /// is equal.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut digest = Fields(Sha256::new());
        digest.text(self.word());
        match self {
            Self::TokenExchange(TokenExchange { endpoint, client, audience, scopes, subject_token_type }) => {
                digest.endpoint(endpoint);
                digest.client(client.as_ref());
                digest.text(audience);
                digest.texts(scopes);
                digest.text(subject_token_type);
            }
            Self::Xaa(Xaa { idp, idp_client, target, target_client, audience, resource, scopes }) => {
                digest.endpoint(idp);
                digest.client(idp_client.as_ref());
                digest.endpoint(target);
                digest.client(target_client.as_ref());
                digest.text(audience);
                digest.text(resource);
                digest.texts(scopes);
            }
            Self::Obo(Obo { endpoint, client, scope, skew }) => {
                digest.endpoint(endpoint);
                digest.client(Some(client));
                digest.text(scope);
                digest.number(skew.map(i64::from));
            }
            Self::AwsSts(sts) => {
                digest.endpoint(&sts.endpoint);
                digest.text(&sts.region);
                digest.text(&sts.service);
                digest.text(sts.fallback_role.as_deref().unwrap_or_default());
                for mapping in &sts.mappings {
                    match &mapping.rule {
                        RoleRule::Claim(value) => {
                            digest.text("claim");
                            digest.text(value);
                        }
                        RoleRule::Matcher { expression, .. } => {
                            digest.text("matcher");
                            digest.text(expression);
                        }
                    }
                    digest.text(&mapping.role);
                    digest.number(mapping.priority);
                }
                digest.text(&sts.role_claim);
                digest.number(Some(i64::from(sts.duration)));
                digest.text(&sts.session_name_claim);
            }
        }
        digest.0.finalize().into()
    }
}

/// Fields one after the other, each with its length, so that no two lists of fields give the same bytes.
struct Fields(Sha256);

impl Fields {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn texts(&mut self, texts: &[String]) {
        self.number(i64::try_from(texts.len()).ok());
        texts.iter().for_each(|text| self.text(text));
    }

    fn number(&mut self, number: Option<i64>) {
        match number {
            None => self.bytes(&[]),
            Some(number) => self.bytes(&number.to_be_bytes()),
        }
    }

    fn client(&mut self, client: Option<&Client>) {
        match client {
            None => self.bytes(&[]),
            Some(Client { id, secret }) => {
                self.text("client");
                self.text(id);
                self.text(secret.expose());
            }
        }
    }

    fn endpoint(&mut self, endpoint: &TokenEndpoint) {
        self.text(&endpoint.url.to_url());
        let own = endpoint.pool.bundle.as_deref().map(|bundle| bundle.trusted()).unwrap_or_default();
        self.number(i64::try_from(own.len()).ok());
        own.iter().for_each(|trusted| self.bytes(&trusted.fingerprint.0));
    }
}

/// Equal if they are at the same place and verified against the same certificates of their own.
impl PartialEq for TokenEndpoint {
    fn eq(&self, other: &Self) -> bool {
        let own = |of: &Self| of.pool.bundle.as_deref().map(|bundle| bundle.trusted().to_vec());
        self.url == other.url && own(self) == own(other)
    }
}

impl Eq for TokenEndpoint {}

impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint").field("url", &self.url).finish_non_exhaustive()
    }
}
