//! Bearer tokens (RFC 6750): what makes one acceptable, as far as that is no cryptography.
//!
//! It verifies no signature, fetches no key and knows no time: keys, answers and the clock are arguments.

mod challenge;
mod claims;
mod introspection;
mod jwks;
mod jws;
mod provider;

use alloc::string::String;

pub use challenge::{Challenge, Problem, resource_metadata};
pub use claims::{Expected, LEEWAY, principal};
pub use introspection::{Question, answered};
pub use jwks::{Key, KeySet, NoKeySet, PublicKey, Selected};
pub use jws::{Algorithm, Header, Jws};
pub use provider::{Metadata, NoMetadata, places};

/// Bytes that a token may have. Longer ones are refused before anything is done with them.
pub const TOKEN_BYTES: usize = 16 << 10;

/// Why a token is not accepted. No text carries a part of one, so that it may be told and logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Longer than any that is accepted.
    #[error("the token has {0} bytes; at most {TOKEN_BYTES} are accepted")]
    TooLong(usize),
    /// Not what RFC 6750 section 2.1 lets a token be written with.
    #[error("the token has a character that no bearer token has")]
    NotAToken,
    /// Its header is none (RFC 7515 section 4).
    #[error("the header of the token is not one of a signed JWT")]
    Header,
    /// RFC 8725 section 3.2: only what is expected is accepted; `none` and HMAC never are.
    #[error("the token is signed in a way that is not accepted; expected RS, PS or ES with 256, 384 or 512, or EdDSA")]
    Algorithm,
    /// RFC 7515 section 4.1.11: what must be understood and is not.
    #[error("the token has critical headers; none is understood here")]
    Critical,
    /// RFC 8725 section 3.11: it was made for something else.
    #[error("the token is of another type; expected `JWT` or `at+jwt`")]
    Type,
    /// No key of the issuer has this id.
    #[error("the token is signed with a key that the issuer does not name")]
    UnknownKey,
    /// It names no key, and there is more than one that could be meant.
    #[error("the token names no key, and the issuer has more than one that fits")]
    NoKeyId,
    /// The key is for something else: another algorithm, another use, too short.
    #[error("the key that the token names is not for signatures of this kind")]
    UnfitKey,
    /// It was changed, or signed by somebody else.
    #[error("the signature of the token is wrong")]
    Signature,
    /// What is signed, or what introspection answered, is no JSON object with claims of the right types.
    #[error("the claims of the token cannot be read")]
    Claims,
    /// `iss`.
    #[error("the token is of another issuer")]
    Issuer,
    /// `aud`.
    #[error("the token is for another audience")]
    Audience,
    /// Without `exp`.
    #[error("the token does not say when it expires")]
    NoExpiry,
    /// `exp`.
    #[error("the token expired {0} seconds ago")]
    Expired(u64),
    /// `nbf`, `iat`.
    #[error("the token is valid in {0} seconds only; check the clocks")]
    NotYet(u64),
    /// `sub`.
    #[error("the token does not say whose it is")]
    NoSubject,
    /// RFC 7662 section 2.2: `active` is false.
    #[error("the issuer does not know the token, or no longer")]
    Inactive,
    /// It is no JWT, and nobody can be asked about others.
    #[error("the token is no JWT; opaque tokens are not accepted here")]
    Opaque,
}

/// The token of an `Authorization` header (RFC 6750 section 2.1).
///
/// # Errors
/// There is none that could be looked at.
pub fn token(authorization: &str) -> Result<&str, NoToken> {
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(NoToken::OtherScheme);
    }
    match token.trim_matches(' ') {
        "" => Err(NoToken::Empty),
        token => Ok(token),
    }
}

/// Why a request carries no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    /// Nothing at all.
    #[error("authorization header required")]
    Missing,
    /// More than one: nobody can tell which one counts.
    #[error("more than one authorization header")]
    Several,
    /// `Basic`, for instance.
    #[error("invalid authorization header format, expected 'Bearer <token>'")]
    OtherScheme,
    /// `Bearer` alone.
    #[error("empty token in authorization header")]
    Empty,
    /// RFC 6750 section 2.3: URLs are logged and remembered.
    #[error("a token in the URL is not accepted; expected it in the authorization header")]
    InUrl,
}

/// Whether a query (without `?`) carries a token, as RFC 6750 section 2.3 has it.
#[must_use]
pub fn is_in_query(query: &str) -> bool {
    query.split('&').any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        name.eq_ignore_ascii_case("access_token")
    })
}

/// Looks at a token without trusting it: a signed JWT, or, as `None`, one that only its issuer can read.
///
/// # Errors
/// It can be refused without asking anybody.
pub fn read(token: &str) -> Result<Option<Jws<'_>>, Refused> {
    if token.len() > TOKEN_BYTES {
        return Err(Refused::TooLong(token.len()));
    }
    // RFC 6750 section 2.1, `b64token`.
    let symbols = token.trim_end_matches('=');
    let is_symbol = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    if symbols.is_empty() || !symbols.bytes().all(is_symbol) {
        return Err(Refused::NotAToken);
    }
    Jws::read(token)
}

/// Reads a JSON object; a list of its values in order is none, though a decoder may take it.
fn object<'t, T: serde::Deserialize<'t>>(json: &'t [u8]) -> Option<T> {
    let text = core::str::from_utf8(json).ok()?;
    crate::mcp::json::members(text)?;
    serde_json::from_str(text).ok()
}

/// A text as it stands between quotes of a header (RFC 9110 section 5.6.4); what cannot stand there is left out.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| (' '..='~').contains(c)) {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_token_stands_behind_its_scheme() {
        assert_eq!(token("Bearer abc"), Ok("abc"));
        assert_eq!(token("bEARER  abc "), Ok("abc"), "RFC 9110 section 11.1: schemes have no case");
        for (header, why) in [
            ("Basic abc", "invalid authorization header format, expected 'Bearer <token>'"),
            ("abc", "invalid authorization header format, expected 'Bearer <token>'"),
            ("Bearer", "empty token in authorization header"),
            ("Bearer  ", "empty token in authorization header"),
        ] {
            assert_eq!(token(header).unwrap_err().to_string(), why);
        }
        assert_eq!(NoToken::Missing.to_string(), "authorization header required");
        assert_eq!(NoToken::Several.to_string(), "more than one authorization header");
        assert_eq!(
            NoToken::InUrl.to_string(),
            "a token in the URL is not accepted; expected it in the authorization header"
        );
    }

    #[test]
    fn a_token_in_a_url_is_seen() {
        assert!(is_in_query("access_token=x") && is_in_query("a=b&Access_Token"));
        assert!(!is_in_query("a=access_token") && !is_in_query("") && !is_in_query("access_token_hint=x"));
    }

    #[test]
    fn what_is_too_long_or_no_token_is_refused_before_it_is_looked_at() {
        let long = "a".repeat(TOKEN_BYTES + 1);
        assert_eq!(read(&long).unwrap_err().to_string(), "the token has 16385 bytes; at most 16384 are accepted");
        assert!(read(&long[1..]).is_ok());
        for text in ["", "=", "a b", "a\u{e4}", "a\"b", "a=b", "a\nb"] {
            assert_eq!(read(text), Err(Refused::NotAToken), "{text}");
        }
    }

    #[test]
    fn every_reason_has_its_words() {
        for (refused, words) in [
            (Refused::NotAToken, "the token has a character that no bearer token has"),
            (Refused::Header, "the header of the token is not one of a signed JWT"),
            (
                Refused::Algorithm,
                "the token is signed in a way that is not accepted; expected RS, PS or ES with 256, 384 or 512, or EdDSA",
            ),
            (Refused::Critical, "the token has critical headers; none is understood here"),
            (Refused::Type, "the token is of another type; expected `JWT` or `at+jwt`"),
            (Refused::UnknownKey, "the token is signed with a key that the issuer does not name"),
            (Refused::NoKeyId, "the token names no key, and the issuer has more than one that fits"),
            (Refused::UnfitKey, "the key that the token names is not for signatures of this kind"),
            (Refused::Signature, "the signature of the token is wrong"),
            (Refused::Claims, "the claims of the token cannot be read"),
            (Refused::Issuer, "the token is of another issuer"),
            (Refused::Audience, "the token is for another audience"),
            (Refused::NoExpiry, "the token does not say when it expires"),
            (Refused::Expired(7), "the token expired 7 seconds ago"),
            (Refused::NotYet(7), "the token is valid in 7 seconds only; check the clocks"),
            (Refused::NoSubject, "the token does not say whose it is"),
            (Refused::Inactive, "the issuer does not know the token, or no longer"),
            (Refused::Opaque, "the token is no JWT; opaque tokens are not accepted here"),
        ] {
            assert_eq!(refused.to_string(), words);
        }
    }

    #[test]
    fn nothing_leaves_its_quotes() {
        assert_eq!(quoted("a\"b\\c\r\nd\u{e4}"), "a\\\"b\\\\cd");
    }
}
