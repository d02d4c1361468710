//! Signed JWTs in the compact form (RFC 7515 section 7.1, RFC 7519) taken apart, without trusting a word of them.
//!
//! It verifies no signature. Encrypted tokens are no signed ones: they count as opaque.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Refused, object};
use crate::mcp::base64::{self, Alphabet};

/// A signed JWT, unverified. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Jws<'t> {
    /// What the signer says of the signature.
    pub header: Header,
    /// What was signed.
    pub signed: &'t str,
    /// The signature.
    pub signature: Vec<u8>,
    /// The claims, JSON if the signature is right.
    pub(super) payload: Vec<u8>,
}

/// The part of a header that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// How it is signed.
    pub algorithm: Algorithm,
    /// With which key.
    pub key_id: Option<String>,
}

/// The algorithms that are accepted (RFC 7518 section 3.1, RFC 8037 section 3.1): all of them asymmetric, so that a public
/// key is never a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the names of RFC 7518")]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    /// With Ed25519. RFC 9864 calls it by that name.
    EdDsa,
}

impl Algorithm {
    /// The algorithm of this name; names have a case (RFC 7515 section 4.1.1).
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }
}

/// As it is written. A name that stands twice is an error (RFC 7515 section 4).
#[derive(serde::Deserialize)]
struct Written {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    crit: Option<serde::de::IgnoredAny>,
    // RFC 7797, and what belongs to encryption.
    #[serde(default)]
    b64: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    enc: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    zip: Option<serde::de::IgnoredAny>,
}

impl<'t> Jws<'t> {
    /// Takes it apart; `None` if the token is none.
    pub(super) fn read(token: &'t str) -> Result<Option<Self>, Refused> {
        let Some((signed, signature)) = token.rsplit_once('.') else { return Ok(None) };
        let Some((header, payload)) = signed.split_once('.') else { return Ok(None) };
        // Some opaque tokens have dots; only a header makes it a JWT.
        let Some(header) = base64::decode(Alphabet::Url, header).filter(|header| header.starts_with(b"{")) else {
            return Ok(None);
        };
        if payload.contains('.') {
            return Ok(None);
        }
        let written: Written = object(&header).ok_or(Refused::Header)?;
        let algorithm = Algorithm::named(&written.alg).ok_or(Refused::Algorithm)?;
        if written.crit.is_some() || written.b64.is_some() {
            return Err(Refused::Critical);
        }
        if written.enc.is_some() || written.zip.is_some() {
            return Err(Refused::Header);
        }
        if !written.typ.as_deref().is_none_or(is_accepted) {
            return Err(Refused::Type);
        }
        let payload = base64::decode(Alphabet::Url, payload).ok_or(Refused::Claims)?;
        let signature = base64::decode(Alphabet::Url, signature).ok_or(Refused::Signature)?;
        Ok(Some(Self { header: Header { algorithm, key_id: written.kid }, signed, signature, payload }))
    }

    /// The claims, once a signature has been verified.
    #[must_use]
    pub fn claims(&self) -> &[u8] {
        &self.payload
    }
}

/// RFC 7515 section 4.1.9: a media type without `application/`; RFC 9068 section 2.1 for `at+jwt`.
fn is_accepted(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
}

impl core::fmt::Debug for Jws<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Jws").field("algorithm", &self.header.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn written(header: &str) -> String {
        let part = |text: &str| base64::encode(Alphabet::Url, text.as_bytes());
        format!("{}.{}.{}", part(header), part(r#"{"sub":"s3cr3t"}"#), part("signature"))
    }

    #[test]
    fn a_jwt_is_taken_apart() {
        let token = written(r#"{"alg":"ES256","kid":"k","typ":"at+JWT","x5t":"y"}"#);
        let jws = super::super::read(&token).unwrap().unwrap();
        assert_eq!(jws.header, Header { algorithm: Algorithm::Es256, key_id: Some("k".into()) });
        assert_eq!((jws.claims(), &jws.signature[..]), (&br#"{"sub":"s3cr3t"}"#[..], &b"signature"[..]));
        assert_eq!(jws.signed, token.rsplit_once('.').unwrap().0);
        assert_eq!(format!("{jws:?}"), "Jws { algorithm: Es256, .. }");
    }

    #[test]
    fn names_of_algorithms_are_exact_and_none_is_symmetric() {
        let algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
        for name in algorithms {
            assert!(Jws::read(&written(&format!(r#"{{"alg":"{name}"}}"#))).unwrap().is_some(), "{name}");
        }
        for name in ["none", "None", "", "HS256", "HS384", "HS512", "rs256", "ES256K", "RSA-OAEP", "dir"] {
            assert_eq!(Jws::read(&written(&format!(r#"{{"alg":"{name}"}}"#))), Err(Refused::Algorithm), "{name}");
        }
    }

    #[test]
    fn what_a_header_demands_and_nobody_understands_is_refused() {
        for (more, why) in [
            (r#""crit":["exp"]"#, Refused::Critical),
            (r#""crit":[]"#, Refused::Critical),
            (r#""b64":false"#, Refused::Critical),
            (r#""enc":"A256GCM""#, Refused::Header),
            (r#""zip":"DEF""#, Refused::Header),
            (r#""typ":"logout+jwt""#, Refused::Type),
            (r#""typ":"dpop+jwt""#, Refused::Type),
            (r#""alg":"RS256""#, Refused::Header),
            (r#""kid":7"#, Refused::Header),
            (r#""kid":"a","kid":"b""#, Refused::Header),
        ] {
            assert_eq!(Jws::read(&written(&format!(r#"{{"alg":"ES256",{more}}}"#))), Err(why), "{more}");
        }
        assert_eq!(Jws::read(&written(r#"{"kid":"a"}"#)), Err(Refused::Header));
        for kind in ["JWT", "jwt", "application/at+jwt"] {
            assert!(Jws::read(&written(&format!(r#"{{"alg":"ES256","typ":"{kind}"}}"#))).is_ok(), "{kind}");
        }
    }

    #[test]
    fn what_is_no_jwt_is_opaque() {
        let jwt = written(r#"{"alg":"ES256"}"#);
        for token in ["opaque", "ya29.a0AbC", "a.b.c", "a..", &format!("{jwt}.x.y"), &jwt[..jwt.rfind('.').unwrap()]] {
            assert_eq!(Jws::read(token), Ok(None), "{token}");
        }
        let (signed, _) = jwt.rsplit_once('.').unwrap();
        assert_eq!(Jws::read(&format!("{signed}.")).unwrap().unwrap().signature, b"");
        assert_eq!(Jws::read(&format!("{signed}.A")), Err(Refused::Signature));
    }
}
