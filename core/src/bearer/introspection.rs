//! Asking an issuer about an opaque token (RFC 7662): the request, and what its answer makes of the token.
//!
//! It sends nothing.

use alloc::string::String;

use serde::Deserialize;

use super::claims::{Claims, Expected};
use super::{Refused, TOKEN_BYTES, object};
use crate::identity::Principal;
use crate::mcp::base64::{self, Alphabet};
use crate::secret::Secret;
use crate::trust::UnixTime;

/// A request to the introspection endpoint (RFC 7662 section 2.1): `POST`, `application/x-www-form-urlencoded`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The form.
    pub body: Secret,
    /// `Authorization`, if the server has credentials for that.
    pub authorization: Option<Secret>,
}

impl Question {
    /// About one token; with both parts of a client's credentials, in `Basic` (RFC 6749 section 2.3.1).
    #[must_use]
    pub fn new(token: &str, client_id: Option<&str>, client_secret: Option<&Secret>) -> Self {
        let mut body = String::with_capacity(token.len().min(TOKEN_BYTES) + 64);
        body.push_str("token=");
        encode_form(token, &mut body);
        body.push_str("&token_type_hint=access_token");
        let authorization = client_id.zip(client_secret).map(|(id, secret)| {
            let mut pair = String::new();
            encode_form(id, &mut pair);
            pair.push(':');
            encode_form(secret.expose(), &mut pair);
            let pair = Secret::new(pair);
            let coded = Secret::new(base64::encode(Alphabet::Standard, pair.expose().as_bytes()));
            Secret::new(alloc::format!("Basic {}", coded.expose()))
        });
        Self { body: Secret::new(body), authorization }
    }
}

/// `application/x-www-form-urlencoded` (URL Standard section 5.2).
fn encode_form(text: &str, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                out.push('%');
                out.push(char::from(DIGITS[usize::from(byte >> 4)]));
                out.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    active: bool,
}

/// The principal that the answer (RFC 7662 section 2.2) makes of a token at `now`. It is judged as a JWT's claims are: who
/// issued it, for whom, for how long and whose it is must all be said.
///
/// # Errors
/// The token is not active, or not as expected.
pub fn answered(body: &[u8], expected: Expected<'_>, now: UnixTime, token: &str) -> Result<Principal, Refused> {
    let text = core::str::from_utf8(body).map_err(|_| Refused::Claims)?;
    let answer: Answer = object(body).ok_or(Refused::Claims)?;
    if !answer.active {
        return Err(Refused::Inactive);
    }
    let claims: Claims = object(body).ok_or(Refused::Claims)?;
    claims.judged(text, expected, now, token)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_question_is_a_form_with_the_credentials_beside_it() {
        let question = Question::new("a+b/c=~", Some("client:1"), Some(&Secret::new("s3cr3t %")));
        assert_eq!(question.body.expose(), "token=a%2Bb%2Fc%3D%7E&token_type_hint=access_token");
        // client%3A1:s3cr3t+%25
        let basic = question.authorization.as_ref().unwrap().expose().strip_prefix("Basic ").unwrap();
        assert_eq!(base64::decode(Alphabet::Standard, basic).unwrap(), b"client%3A1:s3cr3t+%25");
        assert!(!alloc::format!("{question:?}").contains("a%2B"));
        assert_eq!(Question::new("a", Some("id"), None).authorization, None);
        assert_eq!(Question::new("a", None, Some(&Secret::new("x"))).authorization, None);
    }

    #[test]
    fn an_answer_is_judged_as_claims_are() {
        let now = UnixTime::since_unix_epoch(core::time::Duration::from_secs(1000));
        let expected = Expected { issuer: "https://i", audience: "me" };
        let judge = |text: &str| answered(text.as_bytes(), expected, now, "opaque").map(|who| who.subject);
        let whole = r#"{"active":true,"iss":"https://i","aud":["me"],"exp":2000,"sub":"ann","scope":"a b"}"#;
        assert_eq!(judge(whole).as_deref(), Ok("ann"));
        for (from, to, why) in [
            ("true", "false", Refused::Inactive),
            ("\"active\":true,", "", Refused::Claims),
            ("true", "\"true\"", Refused::Claims),
            ("true", "1", Refused::Claims),
            ("\"active\":true", "\"active\":true,\"active\":true", Refused::Claims),
            ("https://i", "https://j", Refused::Issuer),
            ("\"me\"", "\"you\"", Refused::Audience),
            ("2000", "900", Refused::Expired(100)),
            (",\"exp\":2000", "", Refused::NoExpiry),
            (",\"sub\":\"ann\"", "", Refused::NoSubject),
            ("{", "[", Refused::Claims),
        ] {
            assert_eq!(judge(&whole.replacen(from, to, 1)), Err(why), "{from} → {to}");
        }
        assert_eq!(judge(r#"{"active":false}"#), Err(Refused::Inactive));
    }
}
