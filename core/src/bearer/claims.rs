//! What a token says (RFC 7519 section 4, RFC 9068 section 2.2) against what is expected of it, at one moment.
//!
//! Who signed it, or answered for it, is proved before.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;

use super::{Refused, object};
use crate::identity::Principal;
use crate::secret::Secret;
use crate::trust::UnixTime;

/// Seconds by which clocks may differ, in both directions (RFC 7519 section 4.1.4: "no more than a few minutes").
pub const LEEWAY: u64 = 30;
/// Bytes of a subject. OpenID Connect Core 1.0 section 2 says 255 characters; longer ones only fill memory.
const SUBJECT: usize = 1024;

/// Whose tokens for whom are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected<'e> {
    /// `iss` must be this.
    pub issuer: &'e str,
    /// `aud` must contain this.
    pub audience: &'e str,
}

#[derive(Deserialize)]
pub(super) struct Claims {
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    aud: Option<Texts>,
    #[serde(default)]
    exp: Option<Date>,
    #[serde(default)]
    nbf: Option<Date>,
    #[serde(default)]
    iat: Option<Date>,
    /// RFC 8693 section 4.2.
    #[serde(default)]
    scope: Option<Texts>,
    /// What some issuers write in its place.
    #[serde(default)]
    scp: Option<Texts>,
}

/// One text, or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Texts {
    fn all(&self) -> &[String] {
        match self {
            Self::One(text) => core::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// A NumericDate (RFC 7519 section 2): seconds since 1970, perhaps with a fraction.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "serde_json::Number")]
struct Date(u64);

impl TryFrom<serde_json::Number> for Date {
    type Error = &'static str;

    fn try_from(number: serde_json::Number) -> Result<Self, Self::Error> {
        if let Some(seconds) = number.as_u64() {
            return Ok(Self(seconds));
        }
        match number.as_f64() {
            // The fraction is cut off, which lets a token end earlier and begin earlier, both by less than a second.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in bounds")]
            Some(seconds) if (0.0..9e15).contains(&seconds) => Ok(Self(seconds as u64)),
            _ => Err("no NumericDate"),
        }
    }
}

/// The principal that verified claims make of a token at `now`.
///
/// # Errors
/// The first that is not as expected.
pub fn principal(claims: &[u8], expected: Expected<'_>, now: UnixTime, token: &str) -> Result<Principal, Refused> {
    let text = core::str::from_utf8(claims).map_err(|_| Refused::Claims)?;
    let claims: Claims = object(claims).ok_or(Refused::Claims)?;
    claims.judged(text, expected, now, token)
}

impl Claims {
    pub(super) fn judged(
        self,
        text: &str,
        expected: Expected<'_>,
        now: UnixTime,
        token: &str,
    ) -> Result<Principal, Refused> {
        let now = now.as_secs();
        if self.iss.as_deref() != Some(expected.issuer) {
            return Err(Refused::Issuer);
        }
        if !self.aud.iter().flat_map(Texts::all).any(|audience| audience == expected.audience) {
            return Err(Refused::Audience);
        }
        let Date(expires) = self.exp.ok_or(Refused::NoExpiry)?;
        // RFC 7519 section 4.1.4: on or after that time, it must not be accepted.
        if now >= expires.saturating_add(LEEWAY) {
            return Err(Refused::Expired(now - expires));
        }
        for Date(begins) in [self.nbf, self.iat].into_iter().flatten() {
            if begins > now.saturating_add(LEEWAY) {
                return Err(Refused::NotYet(begins - now));
            }
        }
        let subject = self.sub.filter(|subject| !subject.trim().is_empty() && subject.len() <= SUBJECT);
        let subject = subject.ok_or(Refused::NoSubject)?;
        let mut scopes: Vec<String> = Vec::new();
        for scope in [&self.scope, &self.scp].into_iter().flatten().flat_map(Texts::all) {
            for scope in scope.split(' ').filter(|scope| !scope.is_empty()) {
                if !scopes.iter().any(|known| known == scope) {
                    scopes.push(scope.to_string());
                }
            }
        }
        Ok(Principal {
            issuer: expected.issuer.to_owned(),
            subject,
            scopes,
            claims: Secret::new(text),
            token: Secret::new(token),
            expires: Some(UnixTime::since_unix_epoch(core::time::Duration::from_secs(expires))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const NOW: u64 = 1_000_000;

    fn judge(claims: &str, now: u64) -> Result<Principal, Refused> {
        let now = UnixTime::since_unix_epoch(core::time::Duration::from_secs(now));
        principal(claims.as_bytes(), Expected { issuer: "https://i", audience: "me" }, now, "token")
    }

    fn with(more: &str) -> Result<Principal, Refused> {
        judge(&format!(r#"{{"iss":"https://i","aud":"me","exp":{},"sub":"ann"{more}}}"#, NOW + 60), NOW)
    }

    #[test]
    fn a_token_is_for_its_audience_by_its_issuer_and_of_somebody() {
        let ann = with(r#","aud2":1,"scope":"read write","scp":["write","admin"],"email":"ann@example.com""#).unwrap();
        assert_eq!((&*ann.issuer, &*ann.subject, ann.expires.unwrap().as_secs()), ("https://i", "ann", NOW + 60));
        assert_eq!(ann.scopes, ["read", "write", "admin"]);
        assert!(ann.claims.expose().contains("ann@example.com") && ann.token.expose() == "token");
        let of = |claims: &str| judge(&format!(r#"{{{claims},"exp":{}}}"#, NOW + 1), NOW).map(drop);
        assert_eq!(of(r#""iss":"https://i","aud":["you","me"],"sub":"a""#), Ok(()));
        for (claims, why) in [
            (r#""aud":"me","sub":"a""#, Refused::Issuer),
            (r#""iss":"https://i/","aud":"me","sub":"a""#, Refused::Issuer),
            (r#""iss":"https://j","aud":"me","sub":"a""#, Refused::Issuer),
            (r#""iss":["https://i"],"aud":"me","sub":"a""#, Refused::Claims),
            (r#""iss":"https://i","sub":"a""#, Refused::Audience),
            (r#""iss":"https://i","aud":"m","sub":"a""#, Refused::Audience),
            (r#""iss":"https://i","aud":"me you","sub":"a""#, Refused::Audience),
            (r#""iss":"https://i","aud":[],"sub":"a""#, Refused::Audience),
            (r#""iss":"https://i","aud":[["me"]],"sub":"a""#, Refused::Claims),
            (r#""iss":"https://i","aud":"me""#, Refused::NoSubject),
            (r#""iss":"https://i","aud":"me","sub":"""#, Refused::NoSubject),
            (r#""iss":"https://i","aud":"me","sub":" ""#, Refused::NoSubject),
            (r#""iss":"https://i","aud":"me","sub":7"#, Refused::Claims),
            (r#""iss":"https://i","aud":"me","sub":"a","sub":"b""#, Refused::Claims),
        ] {
            assert_eq!(of(claims), Err(why), "{claims}");
        }
        let long = "a".repeat(SUBJECT + 1);
        assert_eq!(of(&format!(r#""iss":"https://i","aud":"me","sub":"{long}""#)), Err(Refused::NoSubject));
    }

    #[test]
    fn clocks_may_differ_by_the_leeway_and_not_a_second_more() {
        let of =
            |times: &str, now| judge(&format!(r#"{{"iss":"https://i","aud":"me","sub":"a"{times}}}"#), now).map(drop);
        assert_eq!(of(r#","exp":1000"#, 1000 + LEEWAY - 1), Ok(()));
        assert_eq!(of(r#","exp":1000"#, 1000 + LEEWAY), Err(Refused::Expired(LEEWAY)));
        assert_eq!(of(r#","exp":1000.9"#, 1000 + LEEWAY - 1), Ok(()));
        assert_eq!(of(r#","exp":1000.9"#, 1000 + LEEWAY), Err(Refused::Expired(LEEWAY)));
        assert_eq!(of(r#","exp":0"#, 1_700_000_000), Err(Refused::Expired(1_700_000_000)));
        assert_eq!(of("", 1), Err(Refused::NoExpiry));
        assert_eq!(of(r#","exp":null"#, 1), Err(Refused::NoExpiry));
        for claim in ["nbf", "iat"] {
            let begins = format!(r#","exp":9000,"{claim}":1000"#);
            assert_eq!(of(&begins, 1000 - LEEWAY), Ok(()), "{claim}");
            assert_eq!(of(&begins, 999 - LEEWAY), Err(Refused::NotYet(LEEWAY + 1)), "{claim}");
        }
        assert_eq!(of(r#","exp":18446744073709551615"#, u64::MAX - 1), Ok(()), "as far as it can be counted");
        for exp in ["\"9\"", "-1", "1e300", "true", "[]"] {
            assert_eq!(of(&format!(r#","exp":{exp}"#), 1), Err(Refused::Claims), "{exp}");
        }
        assert_eq!(of(r#","exp":2e3"#, 1999), Ok(()));
    }

    #[test]
    fn claims_are_an_object_in_utf_8() {
        for text in ["", "7", "[]", "null", "{", "{}x"] {
            assert_eq!(judge(text, NOW).map(drop), Err(Refused::Claims), "{text}");
        }
        let now = UnixTime::since_unix_epoch(core::time::Duration::ZERO);
        let expected = Expected { issuer: "i", audience: "a" };
        assert_eq!(principal(b"{\"sub\":\"\xff\"}", expected, now, "").map(drop), Err(Refused::Claims));
    }
}
