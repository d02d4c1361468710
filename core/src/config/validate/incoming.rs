//! Rules for `incomingAuth`.
//!
//! Cedar policies are not parsed here.

use alloc::format;

use super::super::decode::shown;
use super::super::findings::{Findings, Path};
use super::super::model::{AuthzConfig, Described, IncomingAuthConfig, OidcConfig};
use super::variables;
use crate::diagnostic::code;
use crate::endpoint::Endpoint;
use crate::json::{self, Stop};

pub(super) fn check(incoming: &IncomingAuthConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    let kind = findings.required_choice(incoming, "type", &incoming.kind, path);
    if kind == Some("oidc") {
        findings.required_block(
            incoming,
            "oidc",
            incoming.oidc.as_ref(),
            "the identity provider for `type: oidc`",
            path,
        );
    }
    if let Some(oidc) = &incoming.oidc {
        match kind {
            Some("oidc") => check_oidc(oidc, &path.key("oidc"), findings),
            Some(other) => findings.report(code::AUTH_UNUSED_BLOCK, oidc.origin.key, &path.key("oidc"), || {
                format!("`oidc` stands beside `type: {other}` and is not used; expected `type: oidc` or no such block")
            }),
            None => {}
        }
    }
    if let Some(authz) = &incoming.authz {
        check_authz(authz, &path.key("authz"), findings);
    }
}

/// Endpoints that tell about tokens in a way of their own.
const OTHER_WAYS: [(&str, &str); 2] =
    [("googleapis.com/tokeninfo", "Google's tokeninfo"), ("api.github.com/applications/", "GitHub's check of a token")];

fn check_oidc(oidc: &OidcConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    findings.required_text(oidc, "issuer", &oidc.issuer, "the provider's issuer URL", path);
    findings.required_text(oidc, "audience", &oidc.audience, "what a token's `aud` must contain", path);
    let keys = [("jwksUrl", &oidc.jwks_url), ("introspectionUrl", &oidc.introspection_url)];
    // With `jwksUrl`, the issuer is a name that nobody asks anything.
    let asked = oidc.jwks_url.as_ref().is_none_or(|url| url.is_empty()).then_some(("issuer", &oidc.issuer));
    for (key, url) in asked.into_iter().chain(keys) {
        let Some(url) = url.as_ref().filter(|url| !url.is_empty()) else { continue };
        if let Err(error) = Endpoint::parse(url.trim()) {
            findings.report(code::INCOMING_BAD_URL, url.span, &path.key(key), || {
                format!("`{key}` cannot be called: {error}")
            });
        }
    }
    if let Some(url) = oidc.introspection_url.as_ref()
        && let Some((_, whose)) = OTHER_WAYS.iter().find(|(part, _)| url.contains(part))
    {
        findings.report(code::INCOMING_BAD_URL, url.span, &path.key("introspectionUrl"), || {
            format!("`introspectionUrl` is {whose}, which does not speak RFC 7662; expected the introspection endpoint of an issuer")
        });
    }
    if oidc.resource.as_ref().is_none_or(|resource| resource.is_empty()) && !oidc.is_unread("resource") {
        findings.report(code::INCOMING_NO_RESOURCE, oidc.origin.key, path, || {
            "`incomingAuth.oidc` has no `resource`, so clients are not told which issuer to ask for a token; expected the URL of this server".into()
        });
    }
    // The Go program never reads it, and others are looked for after it.
    if let Some(name) = &oidc.client_secret_env {
        variables::check_used(name, &path.key("clientSecretEnv"), findings);
    }
    if let Some(bundle) = oidc.ca_bundle_path.as_ref().filter(|bundle| !bundle.is_empty()) {
        findings.ca_path("caBundlePath", bundle, path);
    }
}

fn check_authz(authz: &AuthzConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    let kind = findings.required_choice(authz, "type", &authz.kind, path);
    if kind == Some("cedar") && authz.policies.is_empty() {
        findings.missing(authz, "policies", "at least one Cedar policy for `type: cedar`", path);
    }
    if kind == Some("none") && !authz.policies.is_empty() {
        findings.report(code::AUTH_UNUSED_BLOCK, authz.policies.origin.key, &path.key("policies"), || {
            "`policies` stands beside `type: none` and is not used; expected `type: cedar` or no policies".into()
        });
    }
    if let Some(entities) = authz.entities_json.as_ref().filter(|entities| !entities.is_empty()) {
        let wrong = match json::check(entities) {
            Ok(()) if json::elements(entities).is_some() => None,
            Ok(()) => Some("is JSON, but no list".into()),
            Err(Stop { line, column }) => Some(format!("is no JSON from line {line}, column {column} on")),
        };
        if let Some(wrong) = wrong {
            findings.report(code::AUTH_BAD_ENTITIES, entities.span, &path.key("entitiesJson"), || {
                format!("`entitiesJson` {wrong}; expected a list of Cedar entities such as `[]`")
            });
        }
    }
    if let Some(kind) = authz.group_entity_type.as_ref().filter(|kind| !is_identifier(kind) && !kind.is_empty()) {
        findings.report(code::CONFIG_BAD_VALUE, kind.span, &path.key("groupEntityType"), || {
            format!("`groupEntityType` is `{}`; expected one Cedar identifier, without `::`", shown(kind))
        });
    }
}

/// A Cedar or Go identifier: a letter or `_`, then letters, digits and `_`.
pub(super) fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use crate::config::testing::findings;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn callers_are_identified_in_a_known_way() {
        assert_eq!(
            findings("incomingAuth: {}"),
            [
                "config/missing-key /incomingAuth «incomingAuth» `incomingAuth` has no `type`; expected `oidc`, `local` or `anonymous`",
            ]
        );
        assert_eq!(
            findings("incomingAuth: {type: Oidc}"),
            [
                "config/bad-value /incomingAuth/type «Oidc» `type` is `Oidc`; expected `oidc`, `local` or `anonymous` {did you mean `oidc`?}",
            ]
        );
        assert_eq!(
            findings("incomingAuth: {type: oidc}"),
            [
                "config/missing-key /incomingAuth «incomingAuth» `incomingAuth` has no `oidc`; expected the identity provider for `type: oidc`",
            ]
        );
        assert_eq!(
            findings("incomingAuth: {type: oidc, oidc: {issuer: '', clientId: x, resource: r}}"),
            [
                "config/missing-key /incomingAuth/oidc «oidc» `incomingAuth.oidc` has no `audience`; expected what a token's `aud` must contain",
                "config/missing-key /incomingAuth/oidc/issuer «''» `issuer` is empty; expected the provider's issuer URL",
            ]
        );
        assert_eq!(
            findings("incomingAuth: {type: anonymous, oidc: {issuer: 'https://i', audience: a}}"),
            [
                "auth/unused-block /incomingAuth/oidc «oidc» `oidc` stands beside `type: anonymous` and is not used; expected `type: oidc` or no such block",
            ]
        );
        assert_eq!(
            findings(
                "incomingAuth: {type: oidc, oidc: {issuer: 'https://i', audience: a, resource: r, caBundlePath: ca/../x}}"
            ),
            [
                "config/bad-path /incomingAuth/oidc/caBundlePath «ca/../x» `caBundlePath` is `ca/../x`, which contains `..`; expected an absolute path without `..`",
            ]
        );
        assert_eq!(
            findings(
                "incomingAuth: {type: oidc, oidc: {issuer: 'https://i', audience: a, resource: r, caBundlePath: ca.crt}}"
            ),
            [
                "config/bad-path /incomingAuth/oidc/caBundlePath «ca.crt» `caBundlePath` is `ca.crt`, which is not absolute; expected an absolute path without `..`",
            ]
        );
    }

    #[test]
    fn what_is_asked_of_the_issuer_has_a_url() {
        assert_eq!(
            findings(
                "incomingAuth: {type: oidc, oidc: {issuer: idp.example, audience: a, introspectionUrl: 'ftp://i/'}}"
            ),
            [
                "incoming/no-resource /incomingAuth/oidc «oidc» `incomingAuth.oidc` has no `resource`, so clients are not told which issuer to ask for a token; expected the URL of this server",
                "incoming/bad-url /incomingAuth/oidc/issuer «idp.example» `issuer` cannot be called: it is not an absolute URL; expected `http://host[:port]/path` or `https://…`",
                "incoming/bad-url /incomingAuth/oidc/introspectionUrl «'ftp://i/'» `introspectionUrl` cannot be called: its scheme is `ftp`; expected `http` or `https`",
            ]
        );
        assert_eq!(
            findings(
                "incomingAuth: {type: oidc, oidc: {issuer: name, audience: a, resource: r, jwksUrl: 'https://i/k'}}"
            ),
            [""; 0],
            "the issuer is asked nothing"
        );
        assert_eq!(
            findings(
                "incomingAuth: {type: oidc, oidc: {issuer: 'https://i', audience: a, resource: r, introspectionUrl: 'https://oauth2.googleapis.com/tokeninfo'}}"
            ),
            [
                "incoming/bad-url /incomingAuth/oidc/introspectionUrl «'https://oauth2.googleapis.com/tokeninfo'» `introspectionUrl` is Google's tokeninfo, which does not speak RFC 7662; expected the introspection endpoint of an issuer",
            ]
        );
    }

    #[test]
    fn authorization_is_complete_or_absent() {
        assert_eq!(
            findings("incomingAuth: {type: local, authz: {}}"),
            [
                "config/missing-key /incomingAuth/authz «authz» `incomingAuth.authz` has no `type`; expected `cedar` or `none`",
            ]
        );
        assert_eq!(
            findings("incomingAuth: {type: local, authz: {type: opa}}"),
            ["config/bad-value /incomingAuth/authz/type «opa» `type` is `opa`; expected `cedar` or `none`",]
        );
        assert_eq!(
            findings("incomingAuth: {type: anonymous, authz: {type: cedar}}"),
            [
                "config/missing-key /incomingAuth/authz «authz» `incomingAuth.authz` has no `policies`; expected at least one Cedar policy for `type: cedar`",
            ]
        );
        assert_eq!(
            findings("incomingAuth: {type: anonymous, authz: {type: none, policies: [p]}}"),
            [
                "auth/unused-block /incomingAuth/authz/policies «policies» `policies` stands beside `type: none` and is not used; expected `type: cedar` or no policies",
            ]
        );
        assert_eq!(
            findings(
                "incomingAuth: {type: anonymous, authz: {type: cedar, policies: [p], entitiesJson: '{}', groupEntityType: 'A::B'}}"
            ),
            [
                "auth/bad-entities /incomingAuth/authz/entitiesJson «'{}'» `entitiesJson` is JSON, but no list; expected a list of Cedar entities such as `[]`",
                "config/bad-value /incomingAuth/authz/groupEntityType «'A::B'» `groupEntityType` is `A::B`; expected one Cedar identifier, without `::`",
            ]
        );
        assert_eq!(
            findings("incomingAuth: {type: anonymous, authz: {type: cedar, policies: [p], entitiesJson: '[{]'}}"),
            [
                "auth/bad-entities /incomingAuth/authz/entitiesJson «'[{]'» `entitiesJson` is no JSON from line 1, column 3 on; expected a list of Cedar entities such as `[]`",
            ]
        );
    }
}
