//! What an endpoint says that may be shown: registered words and no others, since any other might be a part of what was sent
//! to it.
//!
//! It decides nothing by them.

use core::fmt;

/// The error code of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// A registered one.
    Registered(&'static str),
    /// Another one, which is not shown.
    Other,
}

/// RFC 6749 section 5.2; the other codes of "OAuth Extensions Errors" at IANA for token endpoints, among them those of
/// OpenID Connect that some send here; then those of AWS STS, of AssumeRoleWithWebIdentity and of every action.
const ERRORS: [&str; 46] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "access_denied",
    "account_selection_required",
    "authorization_pending",
    "consent_required",
    "expired_token",
    "insufficient_scope",
    "insufficient_user_authentication",
    "interaction_required",
    "invalid_authorization_details",
    "invalid_dpop_proof",
    "invalid_target",
    "invalid_token",
    "login_required",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unsupported_token_type",
    "use_dpop_nonce",
    "ExpiredTokenException",
    "IDPCommunicationError",
    "IDPRejectedClaim",
    "InvalidIdentityToken",
    "MalformedPolicyDocument",
    "PackedPolicyTooLarge",
    "RegionDisabledException",
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "IncompleteSignature",
    "InternalFailure",
    "InvalidAction",
    "InvalidClientTokenId",
    "InvalidParameterValue",
    "MissingParameter",
    "NotAuthorized",
    "OptInRequired",
    "RequestExpired",
    "ServiceUnavailable",
    "ThrottlingException",
    "ValidationError",
];

/// RFC 8693 section 3, and the ID-JAG of the draft.
const TOKEN_TYPES: [&str; 7] = [
    "urn:ietf:params:oauth:token-type:access_token",
    "urn:ietf:params:oauth:token-type:refresh_token",
    "urn:ietf:params:oauth:token-type:id_token",
    "urn:ietf:params:oauth:token-type:saml1",
    "urn:ietf:params:oauth:token-type:saml2",
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:id-jag",
];

impl ErrorCode {
    /// `None` if it says nothing.
    pub(super) fn of(code: &str) -> Option<Self> {
        let registered = registered(&ERRORS, code).map_or(Self::Other, Self::Registered);
        (!code.is_empty()).then_some(registered)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered(code) => write!(f, "error `{code}`"),
            Self::Other => f.write_str("an error that is not registered"),
        }
    }
}

/// The same of a type of token.
pub(super) fn token_type(kind: &str) -> Option<&'static str> {
    registered(&TOKEN_TYPES, kind)
}

fn registered(all: &'static [&'static str], word: &str) -> Option<&'static str> {
    all.iter().find(|known| **known == word).copied()
}
