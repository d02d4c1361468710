//! What a caller is told who may not come in: `WWW-Authenticate` (RFC 6750 section 3, RFC 9728 section 5.1), the body beside it,
//! and the document that says where tokens are to be had (RFC 9728 section 3.2).
//!
//! It decides nothing.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{NoToken, Refused, quoted};
use crate::endpoint::Endpoint;
use crate::identity::Oidc;

/// Why a caller may not come in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// There is no token.
    #[error("{0}")]
    NoToken(NoToken),
    /// It is not accepted.
    #[error("Invalid token: {0}")]
    Refused(Refused),
    /// It is, and does not allow this: these scopes are missing (RFC 6750 section 3.1).
    #[error("the token lacks scope {}", quoted_list(.0))]
    Scope(Vec<String>),
    /// Nobody can tell: the issuer does not answer.
    #[error("the issuer of tokens cannot be asked now; try again later")]
    Unavailable,
}

/// An answer to such a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// HTTP status.
    pub status: u16,
    /// `WWW-Authenticate`, where another token would help.
    pub authenticate: Option<String>,
    /// JSON: `error` and `error_description`.
    pub body: String,
}

impl Challenge {
    /// The answer for a problem.
    #[must_use]
    pub fn new(oidc: &Oidc, problem: &Problem) -> Self {
        let (status, error) = match problem {
            // RFC 6750 section 3.1 gives a request that is wrong in itself 400.
            Problem::NoToken(NoToken::InUrl | NoToken::Several) => (400, "invalid_request"),
            Problem::NoToken(_) => (401, "invalid_request"),
            Problem::Refused(_) => (401, "invalid_token"),
            Problem::Scope(_) => (403, "insufficient_scope"),
            Problem::Unavailable => (503, "temporarily_unavailable"),
        };
        let description = problem.to_string();
        let authenticate = match problem {
            Problem::Unavailable => None,
            // RFC 6750 section 3: no error code for a request that brings nothing.
            Problem::NoToken(NoToken::Missing) => Some(header(oidc, None)),
            _ => Some(header(oidc, Some((error, &description)))),
        };
        let body = format!(r#"{{"error":"{error}","error_description":{}}}"#, crate::mcp::json::quote(&description));
        Self { status, authenticate, body }
    }
}

fn header(oidc: &Oidc, error: Option<(&str, &str)>) -> String {
    let mut text = format!(r#"Bearer realm="{}""#, quoted(&oidc.issuer));
    let mut add = |name: &str, value: &str| text.push_str(&format!(r#", {name}="{}""#, quoted(value)));
    if let Some(url) = oidc.resource.as_deref().and_then(metadata_url) {
        add("resource_metadata", &url);
    }
    if !oidc.scopes.is_empty() {
        add("scope", &oidc.scopes.join(" "));
    }
    if let Some((error, description)) = error {
        add("error", error);
        add("error_description", description);
    }
    text
}

/// RFC 9728 section 3.1: the well-known part goes between host and path.
fn metadata_url(resource: &str) -> Option<String> {
    let at = Endpoint::parse(resource).ok()?;
    let path = at.path_and_query();
    let path = if path == "/" { "" } else { &path };
    Some(format!("{}://{}/.well-known/oauth-protected-resource{path}", at.scheme().word(), at.authority()))
}

/// The protected resource metadata; `None` where the resource has no name.
#[must_use]
pub fn resource_metadata(oidc: &Oidc) -> Option<String> {
    use crate::mcp::json::quote;
    let resource = oidc.resource.as_deref()?;
    let scopes = oidc.scopes.iter().map(|scope| quote(scope)).collect::<Vec<_>>().join(",");
    let scopes = if scopes.is_empty() { r#""openid""# } else { &scopes };
    Some(format!(
        r#"{{"resource":{},"authorization_servers":[{}],"bearer_methods_supported":["header"],"scopes_supported":[{scopes}]}}"#,
        quote(resource),
        quote(&oidc.issuer),
    ))
}

fn quoted_list(scopes: &[String]) -> String {
    scopes.iter().map(|scope| format!("`{scope}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn oidc(resource: &str, scopes: &[&str]) -> Oidc {
        Oidc {
            resource: Some(resource.into()).filter(|resource: &String| !resource.is_empty()),
            scopes: scopes.iter().map(|scope| (*scope).into()).collect(),
            ..Oidc::for_tests("https://idp.example", "me")
        }
    }

    #[test]
    fn a_challenge_says_where_to_get_what() {
        let oidc = oidc("https://mcp.example:8443/a/mcp", &["read", "write"]);
        let begin = r#"Bearer realm="https://idp.example", resource_metadata="https://mcp.example:8443/.well-known/oauth-protected-resource/a/mcp", scope="read write""#;
        for (problem, status, error, description) in [
            (Problem::NoToken(NoToken::Empty), 401, "invalid_request", "empty token in authorization header"),
            (Problem::NoToken(NoToken::Several), 400, "invalid_request", "more than one authorization header"),
            (
                Problem::Refused(Refused::Expired(3)),
                401,
                "invalid_token",
                "Invalid token: the token expired 3 seconds ago",
            ),
            (Problem::Scope(Vec::from(["write".into()])), 403, "insufficient_scope", "the token lacks scope `write`"),
        ] {
            let challenge = Challenge::new(&oidc, &problem);
            let header = format!(r#"{begin}, error="{error}", error_description="{description}""#);
            assert_eq!((challenge.status, challenge.authenticate), (status, Some(header)));
            assert_eq!(challenge.body, format!(r#"{{"error":"{error}","error_description":"{description}"}}"#));
        }
        let nothing = Challenge::new(&oidc, &Problem::NoToken(NoToken::Missing));
        assert_eq!((nothing.status, nothing.authenticate.as_deref()), (401, Some(begin)));
        assert_eq!(nothing.body, r#"{"error":"invalid_request","error_description":"authorization header required"}"#);
        let later = Challenge::new(&oidc, &Problem::Unavailable);
        assert_eq!((later.status, later.authenticate), (503, None));
        assert_eq!(
            later.body,
            r#"{"error":"temporarily_unavailable","error_description":"the issuer of tokens cannot be asked now; try again later"}"#
        );
    }

    #[test]
    fn what_is_not_configured_is_not_said() {
        let header = |resource, scopes: &[&str]| {
            Challenge::new(&oidc(resource, scopes), &Problem::NoToken(NoToken::Missing)).authenticate.unwrap()
        };
        assert_eq!(header("", &[]), r#"Bearer realm="https://idp.example""#);
        assert_eq!(header("no url", &[]), r#"Bearer realm="https://idp.example""#);
        assert_eq!(
            header("http://a/", &["a\"b"]),
            r#"Bearer realm="https://idp.example", resource_metadata="http://a/.well-known/oauth-protected-resource", scope="a\"b""#
        );
    }

    #[test]
    fn the_metadata_names_resource_issuer_and_scopes() {
        assert_eq!(
            resource_metadata(&oidc("https://mcp.example", &["a", "b"])).unwrap(),
            r#"{"resource":"https://mcp.example","authorization_servers":["https://idp.example"],"bearer_methods_supported":["header"],"scopes_supported":["a","b"]}"#
        );
        assert!(resource_metadata(&oidc("x", &[])).unwrap().ends_with(r#""scopes_supported":["openid"]}"#));
        assert_eq!(resource_metadata(&oidc("", &[])), None);
    }
}
