//! What an issuer says of itself (OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3): where, and what of it counts.
//!
//! It fetches nothing, and believes no document that is another issuer's.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use super::object;
use crate::endpoint::{Endpoint, EndpointError};

/// The part of the document that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Where its keys are.
    pub jwks: Endpoint,
}

/// A text that does not say what is needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMetadata {
    /// Not what either specification describes.
    #[error("it is no JSON object with an `issuer` and a `jwks_uri`")]
    NotADocument,
    /// Somebody else's (RFC 8414 section 3.3).
    #[error("it is the document of another issuer")]
    OtherIssuer,
    /// Keys that cannot be fetched.
    #[error("its `jwks_uri` cannot be called: {0}")]
    Keys(EndpointError),
}

/// Where the document of an issuer may be, in the order in which to look: OpenID Connect appends its path, RFC 8414 puts it
/// between host and path.
///
/// # Errors
/// The issuer is no URL, so there is no such document.
pub fn places(issuer: &str) -> Result<Vec<Endpoint>, EndpointError> {
    const OPENID: &str = "/.well-known/openid-configuration";
    const OAUTH: &str = "/.well-known/oauth-authorization-server";
    let base = Endpoint::parse(issuer)?;
    let (origin, path) = (format!("{}://{}", base.scheme().word(), base.authority()), base.path_and_query());
    let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    let mut texts = Vec::from([format!("{origin}{path}{OPENID}"), format!("{origin}{OAUTH}{path}")]);
    if !path.is_empty() {
        texts.push(format!("{origin}{OPENID}{path}"));
    }
    texts.iter().map(|text| Endpoint::parse(text)).collect()
}

#[derive(Deserialize)]
struct Written {
    issuer: String,
    jwks_uri: String,
}

impl Metadata {
    /// Reads the document of `issuer`. A slash at the end of either makes no difference: that they are one is what both
    /// places say.
    ///
    /// # Errors
    /// It does not say what is needed, or is another issuer's.
    pub fn read(json: &[u8], issuer: &str) -> Result<Self, NoMetadata> {
        let written: Written = object(json).ok_or(NoMetadata::NotADocument)?;
        let bare = |text: &str| text.strip_suffix('/').unwrap_or(text).len();
        if written.issuer[..bare(&written.issuer)] != issuer[..bare(issuer)] {
            return Err(NoMetadata::OtherIssuer);
        }
        Ok(Self { jwks: Endpoint::parse(&written.jwks_uri).map_err(NoMetadata::Keys)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn documents_are_looked_for_where_both_specifications_put_them() {
        let of = |issuer| places(issuer).unwrap().iter().map(Endpoint::to_url).collect::<Vec<_>>();
        assert_eq!(
            of("https://i.example"),
            [
                "https://i.example/.well-known/openid-configuration",
                "https://i.example/.well-known/oauth-authorization-server",
            ]
        );
        assert_eq!(
            of("https://i.example:8443/realms/a/"),
            [
                "https://i.example:8443/realms/a/.well-known/openid-configuration",
                "https://i.example:8443/.well-known/oauth-authorization-server/realms/a",
                "https://i.example:8443/.well-known/openid-configuration/realms/a",
            ]
        );
        assert!(places("kubernetes/serviceaccount").is_err());
    }

    #[test]
    fn a_document_is_the_issuers_own_and_leads_to_its_keys() {
        let read = |text: &str| Metadata::read(text.as_bytes(), "https://i").map(|metadata| metadata.jwks.to_string());
        let whole = r#"{"issuer":"https://i","jwks_uri":"https://keys.i/k","x":1}"#;
        assert_eq!(read(whole).as_deref(), Ok("https://keys.i/k"));
        assert!(read(&whole.replace("https://i\"", "https://i/\"")).is_ok());
        for (text, why) in [
            ("", "it is no JSON object with an `issuer` and a `jwks_uri`"),
            (r#"{"issuer":"https://i"}"#, "it is no JSON object with an `issuer` and a `jwks_uri`"),
            (r#"{"issuer":"https://j","jwks_uri":"https://i/k"}"#, "it is the document of another issuer"),
            (
                r#"{"issuer":"https://i","jwks_uri":"k"}"#,
                "its `jwks_uri` cannot be called: it is not an absolute URL; expected `http://host[:port]/path` or `https://…`",
            ),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), why);
        }
    }
}
