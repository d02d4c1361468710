//! How callers are identified, and who one is, once somebody has proved it.
//!
//! It proves nothing itself, and keeps nobody.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::endpoint::{Endpoint, Scheme};
use crate::secret::Secret;
use crate::trust::{Pool, UnixTime};

/// How callers are identified: `incomingAuth` with its secret in hand. Only discovery makes one.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// Nobody is asked for anything.
    Anonymous,
    /// The same: everybody who reaches the listener counts as the user who runs it. No token is looked at, and none is passed
    /// on, so that strategies which need the caller's have none.
    Local,
    /// Every request brings a token of this issuer.
    Oidc(Box<Oidc>),
}

impl Incoming {
    /// As it is configured.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Local => "local",
            Self::Oidc(_) => "oidc",
        }
    }
}

/// The issuer whose tokens are accepted, and what is asked of them.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// `iss` of its tokens.
    pub issuer: String,
    /// What `aud` must contain.
    pub audience: String,
    /// Who this server is at the issuer, for introspection.
    pub client_id: Option<String>,
    /// How it proves that.
    pub client_secret: Option<Secret>,
    /// The name of this server in its metadata (RFC 9728).
    pub resource: Option<String>,
    /// Where the issuer's keys are; found from the issuer if not said.
    pub jwks: Option<Endpoint>,
    /// Where opaque tokens are asked about (RFC 7662).
    pub introspection: Option<Endpoint>,
    /// What callers are told to ask for, and what is demanded where scopes are enforced.
    pub scopes: Vec<String>,
    /// Whether the issuer may have an address that is not public.
    pub addresses: Addresses,
    /// Whether it may be asked without TLS.
    pub plain_http: PlainHttp,
    /// Whom it is verified against.
    pub pool: Arc<Pool>,
}

/// Which addresses may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Those that are reachable from everywhere ([`crate::endpoint::is_public`]).
    Public,
    /// All.
    Any,
}

/// Which servers may be asked without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// Those on this machine.
    Loopback,
    /// All: whoever is on the way can make keys, and with them callers. For development.
    Anywhere,
}

impl Oidc {
    /// Whether a server may be asked at this URL, as far as the scheme tells.
    #[must_use]
    pub fn may_ask(&self, endpoint: &Endpoint) -> bool {
        match endpoint.scheme() {
            Scheme::Https => true,
            Scheme::Http => self.plain_http == PlainHttp::Anywhere || endpoint.is_loopback(),
        }
    }

    #[cfg(test)]
    pub(crate) fn for_tests(issuer: &str, audience: &str) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            client_id: None,
            client_secret: None,
            resource: None,
            jwks: None,
            introspection: None,
            scopes: Vec::new(),
            addresses: Addresses::Public,
            plain_http: PlainHttp::Loopback,
            pool: Arc::new(Pool::new(Arc::default(), None)),
        }
    }
}

/// A caller whose token was accepted.
///
/// Two principals are the same one if issuer and subject are (OpenID Connect Core 1.0, section 2: a subject is unique
/// within its issuer, and only there). What a token allows is the token's, not the principal's: two tokens of one subject
/// may carry different rights.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Who vouches for it (`iss`).
    pub issuer: String,
    /// Whom it vouches for (`sub`).
    pub subject: String,
    /// What the token allows (`scope` or `scp`).
    pub scopes: Vec<String>,
    /// Every claim, as the JSON object that was signed or that introspection answered.
    pub claims: Secret,
    /// The token itself, as the caller sent it.
    pub token: Secret,
    /// When it ends, if it says so.
    pub expires: Option<UnixTime>,
}

impl Principal {
    /// Whether both are the same principal, whatever their tokens allow.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.issuer == other.issuer && self.subject == other.subject
    }

    /// The principal as one text, for what is bound to it: no two principals have the same, whatever is in their names.
    #[must_use]
    pub fn binding(&self) -> String {
        format!("{}:{}{}", self.issuer.len(), self.issuer, self.subject)
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;

    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn principal(issuer: &str, subject: &str, token: &str) -> Principal {
        Principal {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            scopes: Vec::new(),
            claims: Secret::new("{\"email\":\"ann@example.com\"}"),
            token: Secret::new(token),
            expires: None,
        }
    }

    #[test]
    fn a_subject_is_one_within_its_issuer_whatever_the_token() {
        let ann = principal("https://one.example", "ann", "first");
        assert!(ann.is_same_as(&principal("https://one.example", "ann", "second")));
        assert!(!ann.is_same_as(&principal("https://two.example", "ann", "first")));
        assert!(!ann.is_same_as(&principal("https://one.example", "bob", "first")));
    }

    #[test]
    fn a_binding_is_one_principals_alone() {
        assert_eq!(principal("https://one.example", "ann", "first").binding(), "19:https://one.exampleann");
        assert_ne!(principal("a", "bc", "").binding(), principal("ab", "c", "").binding());
        assert_ne!(principal("1", "1:a", "").binding(), principal("11", ":a", "").binding());
    }

    #[test]
    fn without_tls_only_this_machine_is_asked_unless_it_was_said() {
        let mut oidc = Oidc::for_tests("https://i.example", "me");
        let may = |oidc: &Oidc, url| oidc.may_ask(&Endpoint::parse(url).unwrap());
        assert!(may(&oidc, "https://i.example") && may(&oidc, "http://127.0.0.1:1") && may(&oidc, "http://localhost"));
        assert!(!may(&oidc, "http://i.example") && !may(&oidc, "http://10.0.0.1"));
        oidc.plain_http = PlainHttp::Anywhere;
        assert!(may(&oidc, "http://i.example"));
    }

    #[test]
    fn neither_token_nor_claims_are_shown() {
        let shown = alloc::format!("{:?}", principal("https://one.example", "ann", "s3cr3t"));
        assert!(!shown.contains("s3cr3t") && !shown.contains("@example.com"), "{shown}");
    }
}
