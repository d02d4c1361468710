//! Who a caller is, once somebody has proved it.
//!
//! It proves nothing itself, and keeps nobody.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::secret::Secret;
use crate::trust::UnixTime;

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
    fn neither_token_nor_claims_are_shown() {
        let shown = alloc::format!("{:?}", principal("https://one.example", "ann", "s3cr3t"));
        assert!(!shown.contains("s3cr3t") && !shown.contains("@example.com"), "{shown}");
    }
}
