//! Why there are no credentials for a caller.
//!
//! The texts quote no body, no token and no secret; the endpoint's error code only where it is registered.

use alloc::string::String;

use super::ErrorCode;
use crate::auth::TokenEndpoint;
use crate::endpoint::Endpoint;
use crate::mcp::http::Failure;

/// Why there are no credentials for a caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The caller is anonymous.
    #[error("strategy `{strategy}` needs the caller's own token, and the caller has none")]
    NoToken {
        /// Which.
        strategy: &'static str,
    },
    /// No mapping matches and there is no fallback.
    #[error("strategy `aws_sts`: no role mapping matches the caller's claims, and there is no `fallbackRoleArn`")]
    NoRole,
    /// The claim is missing or cannot name a session.
    #[error(
        "strategy `aws_sts`: claim `{claim}` of the caller names no session; expected 2 to 64 letters, digits and \
         `_+=,.@-`"
    )]
    NoSessionName {
        /// Which.
        claim: String,
    },
    /// The transport gave up.
    #[error("no answer from token endpoint {endpoint}")]
    NoAnswer {
        /// Which.
        endpoint: Endpoint,
        /// Why.
        #[source]
        failure: Failure,
    },
    /// It says no (RFC 6749 section 5.2).
    #[error("token endpoint {endpoint} refused with status {status}{}", Code(.code))]
    Refused {
        /// Which.
        endpoint: Endpoint,
        /// Its status.
        status: u16,
        /// Its error code, if it gives one.
        code: Option<ErrorCode>,
    },
    /// Its answer is not what it should be.
    #[error("the answer of token endpoint {endpoint} {problem}")]
    Malformed {
        /// Which.
        endpoint: Endpoint,
        /// A predicate.
        problem: &'static str,
    },
    /// Too many callers at once.
    #[error("too many token exchanges are under way; try again later")]
    Crowded,
    /// Inside of the gateway.
    #[error("the token exchange broke off inside of the gateway")]
    BrokeOff,
    /// It issued something that is no access token.
    #[error(
        "token endpoint {endpoint} issued a `{}`; expected an access token (`urn:ietf:params:oauth:token-type:access_token` or `…:jwt`)",
        .kind.unwrap_or("token of an unknown type")
    )]
    TokenType {
        /// Which.
        endpoint: Endpoint,
        /// Which, if it is a registered one.
        kind: Option<&'static str>,
    },
}

impl TokenError {
    pub(super) fn malformed(endpoint: &TokenEndpoint, problem: &'static str) -> Self {
        Self::Malformed { endpoint: endpoint.url.clone(), problem }
    }
}

struct Code<'a>(&'a Option<ErrorCode>);

impl core::fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(code) => write!(f, " and {code}"),
            None => Ok(()),
        }
    }
}
