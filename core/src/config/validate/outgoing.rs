//! Rules for `outgoingAuth` and its strategies.
//!
//! Variables that hold secrets are not looked at here. An error in a strategy takes down the backends that resolve to it.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::decode::shown;
use super::super::findings::{Findings, Path};
use super::super::model::{
    AwsStsConfig, BackendAuthStrategy, Described, HeaderInjectionConfig, Hidden, OboConfig, OutgoingAuthConfig, Text,
    TokenExchangeConfig, UpstreamInjectConfig, XaaConfig,
};
use super::super::source::Spanned;
use super::{Names, headers, replace, variables, warn_unknown_backend};
use crate::diagnostic::{Place, code};
use crate::endpoint::Endpoint;
use crate::text::Span;

const TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:";

pub(super) fn check(outgoing: &OutgoingAuthConfig, names: &Names<'_>, path: &Path<'_>, findings: &mut Findings<'_>) {
    let source = findings.required_choice(outgoing, "source", &outgoing.source, path);
    if let (Some("discovered"), Some(text)) = (source, &outgoing.source) {
        findings.report(code::AUTH_SOURCE_DISCOVERED, text.span, &path.key("source"), || {
            "`source` is `discovered`; read as `inline`, since backends are listed here and nothing is discovered"
                .into()
        });
    }
    if let Some(default) = &outgoing.default {
        check_strategy(default, &path.key("default"), findings);
    }
    let path = path.key("backends");
    for (name, strategy) in outgoing.backends.iter() {
        check_strategy(strategy, &path.key(name), findings);
        warn_unknown_backend(code::AUTH_UNKNOWN_BACKEND, name, names, &path.key(name), findings);
    }
}

/// One strategy, wherever it stands.
pub(super) fn check_strategy(strategy: &BackendAuthStrategy, path: &Path<'_>, findings: &mut Findings<'_>) {
    if let Some(kind) = strategy.kind.as_ref().filter(|kind| kind.as_str() == "discovered") {
        let draft = findings.draft(code::AUTH_DISCOVERED_STRATEGY, kind.span, &path.key("type"), || {
            "`type` is `discovered`, which is no strategy; read as `unauthenticated`, so that nothing is sent".into()
        });
        if let Some(draft) = draft {
            findings.push(draft.fix("write `unauthenticated`", replace(kind.span, "unauthenticated"), true));
        }
        return;
    }
    let Some(kind) = findings.required_choice(strategy, "type", &strategy.kind, path) else { return };
    check_block(
        strategy,
        kind,
        "header_injection",
        "headerInjection",
        &strategy.header_injection,
        path,
        findings,
        header,
    );
    check_block(strategy, kind, "token_exchange", "tokenExchange", &strategy.token_exchange, path, findings, exchange);
    check_block(
        strategy,
        kind,
        "upstream_inject",
        "upstreamInject",
        &strategy.upstream_inject,
        path,
        findings,
        upstream,
    );
    check_block(strategy, kind, "aws_sts", "awsSts", &strategy.aws_sts, path, findings, aws);
    check_block(strategy, kind, "obo", "obo", &strategy.obo, path, findings, obo);
    check_block(strategy, kind, "xaa", "xaa", &strategy.xaa, path, findings, xaa);
}

/// A block must be there if the type is its own, and is not used otherwise.
#[expect(clippy::too_many_arguments, reason = "one row of a table: type, key, block, rules")]
fn check_block<B: Described>(
    strategy: &BackendAuthStrategy,
    kind: &str,
    own_kind: &str,
    key: &'static str,
    block: &Option<Box<B>>,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
    rules: fn(&B, &Path<'_>, &mut Findings<'_>),
) {
    match (kind == own_kind, block) {
        (true, Some(block)) => rules(block, &path.key(key), findings),
        (true, None) => findings.missing(strategy, key, &format!("the block for `type: {own_kind}`"), path),
        (false, Some(block)) => {
            findings.report(code::AUTH_UNUSED_BLOCK, block.origin().key, &path.key(key), || {
                format!(
                    "`{key}` stands beside `type: {kind}` and is not used; expected `type: {own_kind}` or no such block"
                )
            });
        }
        (false, None) => {}
    }
}

fn header(block: &HeaderInjectionConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    if let Some(name) = findings.required_text(block, "headerName", &block.header_name, "the name of a header", path) {
        headers::check_injected_name(name, &path.key("headerName"), findings);
    }
    let (value, variable) = (filled_secret(&block.header_value), filled(&block.header_value_env));
    match (value, variable) {
        (Some(value), Some(variable)) => {
            both(("headerValue", value), ("headerValueEnv", variable), path, findings);
        }
        (None, None) if !block.is_unread("headerValue") && !block.is_unread("headerValueEnv") => {
            findings.missing(block, "headerValueEnv", "it, or a literal `headerValue`", path);
        }
        _ => {}
    }
    variables::check("headerValueEnv", &block.header_value_env, path, findings);
    if let Some(value) = block.header_value.as_ref().filter(|value| !value.is_empty()) {
        headers::check_value(value, &path.key("headerValue"), findings);
    }
}

fn exchange(block: &TokenExchangeConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    token_url(block, "tokenUrl", &block.token_url, path, findings);
    bundle("caBundlePath", &block.ca_bundle_path, path, findings);
    let secrets =
        [("clientSecret", filled_secret(&block.client_secret)), ("clientSecretEnv", filled(&block.client_secret_env))];
    nameless(("clientId", &block.client_id), secrets, path, findings);
    variables::check("clientSecretEnv", &block.client_secret_env, path, findings);
    // RFC 8693 section 3 knows more; of a SAML assertion, for one, no header could be made.
    let known =
        |text: &str| matches!(text.strip_prefix(TOKEN_TYPE).unwrap_or(text), "access_token" | "id_token" | "jwt");
    if let Some(kind) = block.subject_token_type.as_ref().filter(|kind| !kind.is_empty() && !known(kind)) {
        findings.report(code::CONFIG_BAD_VALUE, kind.span, &path.key("subjectTokenType"), || {
            format!(
                "`subjectTokenType` is `{}`; expected `access_token`, `id_token` or `jwt`, alone or after `{TOKEN_TYPE}`",
                shown(kind)
            )
        });
    }
}

fn upstream(block: &UpstreamInjectConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    findings.required_text(block, "providerName", &block.provider_name, "the name of an upstream provider", path);
}

fn aws(block: &AwsStsConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    if let Some(region) = findings.required_text(block, "region", &block.region, "an AWS region", path) {
        // It becomes part of a host name.
        if !region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
            findings.report(code::CONFIG_BAD_VALUE, region.span, &path.key("region"), || {
                format!("`region` is `{}`; expected an AWS region such as `eu-central-1`", shown(region))
            });
        }
    }
    bundle("caBundlePath", &block.ca_bundle_path, path, findings);
    if let Some(role) = block.fallback_role_arn.as_ref().filter(|role| !role.is_empty()) {
        role_arn("fallbackRoleArn", role, path, findings);
    } else if block.role_mappings.is_empty() && !block.is_unread("fallbackRoleArn") && !block.is_unread("roleMappings")
    {
        findings.missing(block, "fallbackRoleArn", "it, or `roleMappings`", path);
    }
    if let Some(seconds) = block.session_duration.0 {
        let seconds = Spanned { value: i64::from(seconds.value), span: seconds.span };
        findings.range("sessionDuration", &seconds, 900, 43_200, path);
    }
    let mappings = path.key("roleMappings");
    for (index, mapping) in block.role_mappings.iter().enumerate() {
        let path = mappings.index(index);
        if let Some(role) = findings.required_text(mapping, "roleArn", &mapping.role_arn, "the role", &path) {
            role_arn("roleArn", role, &path, findings);
        }
        match (filled(&mapping.claim), filled(&mapping.matcher)) {
            (Some(claim), Some(matcher)) => {
                both(("claim", claim), ("matcher", matcher), &path, findings);
            }
            (None, None) if !mapping.is_unread("claim") && !mapping.is_unread("matcher") => {
                findings.missing(mapping, "claim", "it, or a `matcher`", &path);
            }
            _ => {}
        }
    }
}

/// As the Go program: an IAM role of an account, in any partition and with any path.
fn role_arn(key: &'static str, role: &Spanned<String>, path: &Path<'_>, findings: &mut Findings<'_>) {
    let parts: Vec<&str> = role.splitn(6, ':').collect();
    let is_role = matches!(parts.as_slice(), ["arn", partition, "iam", _, account, resource]
        if !partition.is_empty()
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty()));
    if !is_role {
        findings.report(code::CONFIG_BAD_VALUE, role.span, &path.key(key), || {
            format!("`{key}` is `{}`; expected a role such as `arn:aws:iam::123456789012:role/name`", shown(role))
        });
    }
}

fn obo(block: &OboConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    token_url(block, "tokenUrl", &block.token_url, path, findings);
    bundle("caBundlePath", &block.ca_bundle_path, path, findings);
    findings.required_text(block, "clientId", &block.client_id, "the id of the confidential client", path);
    if filled_secret(&block.client_secret).is_none()
        && filled(&block.client_secret_env).is_none()
        && !block.is_unread("clientSecret")
        && !block.is_unread("clientSecretEnv")
    {
        findings.missing(block, "clientSecretEnv", "it, or a literal `clientSecret`", path);
    }
    if filled(&block.audience).is_none()
        && block.scopes.is_empty()
        && !block.is_unread("audience")
        && !block.is_unread("scopes")
    {
        findings.missing(block, "scopes", "it, or an `audience`", path);
    }
    if let Some(skew) = &block.cache_skew_seconds.0 {
        let seconds = Spanned { value: i64::from(skew.value), span: skew.span };
        findings.range("cacheSkewSeconds", &seconds, 0, 3600, path);
    }
    if let (Some(secret), Some(variable)) = (filled_secret(&block.client_secret), filled(&block.client_secret_env)) {
        both(("clientSecret", secret), ("clientSecretEnv", variable), path, findings);
    }
    variables::check("clientSecretEnv", &block.client_secret_env, path, findings);
}

fn xaa(block: &XaaConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    token_url(block, "idpTokenUrl", &block.idp_token_url, path, findings);
    token_url(block, "targetTokenUrl", &block.target_token_url, path, findings);
    bundle("caBundlePath", &block.ca_bundle_path, path, findings);
    bundle("targetCaBundlePath", &block.target_ca_bundle_path, path, findings);
    let secrets = [
        ("idpClientSecret", filled_secret(&block.idp_client_secret)),
        ("idpClientSecretEnv", filled(&block.idp_client_secret_env)),
    ];
    nameless(("idpClientId", &block.idp_client_id), secrets, path, findings);
    let secrets = [
        ("targetClientSecret", filled_secret(&block.target_client_secret)),
        ("targetClientSecretEnv", filled(&block.target_client_secret_env)),
    ];
    nameless(("targetClientId", &block.target_client_id), secrets, path, findings);
    variables::check("idpClientSecretEnv", &block.idp_client_secret_env, path, findings);
    variables::check("targetClientSecretEnv", &block.target_client_secret_env, path, findings);
    let audience = "the issuer of the backend's authorization server";
    findings.required_text(block, "targetAudience", &block.target_audience, audience, path);
    findings.choice(block, "subjectTokenType", &block.subject_token_type, path);
}

fn token_url(owner: &impl Described, key: &'static str, url: &Text, path: &Path<'_>, findings: &mut Findings<'_>) {
    let Some(url) = findings.required_text(owner, key, url, "the URL of a token endpoint", path) else { return };
    if let Err(error) = Endpoint::parse(url) {
        findings.report(code::AUTH_BAD_URL, url.span, &path.key(key), || format!("`{key}` cannot be called: {error}"));
    }
}

/// A secret of a client that has no id.
fn nameless(
    (id_key, id): (&'static str, &Text),
    secrets: [(&'static str, Option<Span>); 2],
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) {
    if filled(id).is_some() {
        return;
    }
    if let Some((key, span)) = secrets.into_iter().find_map(|(key, span)| Some((key, span?))) {
        findings.report(code::CONFIG_MISSING_KEY, span, &path.key(key), || {
            format!("`{key}` stands there without `{id_key}`; expected the id of the client whose secret it is")
        });
    }
}

fn bundle(key: &'static str, text: &Text, path: &Path<'_>, findings: &mut Findings<'_>) {
    if let Some(text) = text.as_ref().filter(|text| !text.is_empty()) {
        findings.ca_path(key, text, path);
    }
}

fn both(
    (first, first_span): (&str, Span),
    (second, second_span): (&str, Span),
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) {
    let draft = findings.draft(code::AUTH_CONFLICTING_KEYS, second_span, &path.key(second), || {
        format!("`{second}` stands beside `{first}`; expected one of the two")
    });
    if let Some(draft) = draft {
        findings.push(draft.related(Place::input(first_span), "the other one"));
    }
}

fn filled(text: &Text) -> Option<Span> {
    text.as_ref().filter(|text| !text.is_empty()).map(|text| text.span)
}

fn filled_secret(secret: &Hidden) -> Option<Span> {
    secret.as_ref().filter(|secret| !secret.is_empty()).map(|secret| secret.span)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use crate::config::testing::findings;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_source_is_inline_or_read_so() {
        assert_eq!(
            findings("outgoingAuth: {}"),
            [
                "config/missing-key /outgoingAuth «outgoingAuth» `outgoingAuth` has no `source`; expected `inline` or `discovered`",
            ]
        );
        assert_eq!(
            findings("outgoingAuth: {source: Inline}"),
            [
                "config/bad-value /outgoingAuth/source «Inline» `source` is `Inline`; expected `inline` or `discovered` {did you mean `inline`?}",
            ]
        );
        assert_eq!(
            findings("outgoingAuth: {source: discovered}"),
            [
                "auth/source-discovered /outgoingAuth/source «discovered» `source` is `discovered`; read as `inline`, since backends are listed here and nothing is discovered",
            ]
        );
    }

    #[test]
    fn a_strategy_has_a_known_type_and_its_block() {
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {}
"
            ),
            [
                "config/missing-key /outgoingAuth/backends/a «a» an auth strategy has no `type`; expected `unauthenticated`, `header_injection`, `token_exchange`, `upstream_inject`, `aws_sts`, `obo` or `xaa` [strategy of a]",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: headerInjection}
"
            ),
            [
                "config/bad-value /outgoingAuth/backends/a/type «headerInjection» `type` is `headerInjection`; expected `unauthenticated`, `header_injection`, `token_exchange`, `upstream_inject`, `aws_sts`, `obo` or `xaa` [strategy of a] {did you mean `header_injection`?}",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: ~
"
            ),
            [
                "config/null-entry /outgoingAuth/backends/a «a» `a` has nothing in it; expected a mapping [strategy of a]",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: text
"
            ),
            ["config/wrong-type /outgoingAuth/backends/a «text» `a` is text; expected a mapping [strategy of a]",]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: discovered}
"
            ),
            [
                "auth/discovered-strategy /outgoingAuth/backends/a/type «discovered» `type` is `discovered`, which is no strategy; read as `unauthenticated`, so that nothing is sent {write `unauthenticated`, safe}",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: header_injection}
"
            ),
            [
                "config/missing-key /outgoingAuth/backends/a «a» an auth strategy has no `headerInjection`; expected the block for `type: header_injection` [strategy of a]",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: token_exchange}
"
            ),
            [
                "config/missing-key /outgoingAuth/backends/a «a» an auth strategy has no `tokenExchange`; expected the block for `type: token_exchange` [strategy of a]",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: upstream_inject}
"
            ),
            [
                "config/missing-key /outgoingAuth/backends/a «a» an auth strategy has no `upstreamInject`; expected the block for `type: upstream_inject` [strategy of a]",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: aws_sts}
"
            ),
            [
                "config/missing-key /outgoingAuth/backends/a «a» an auth strategy has no `awsSts`; expected the block for `type: aws_sts` [strategy of a]",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: obo}
"
            ),
            [
                "config/missing-key /outgoingAuth/backends/a «a» an auth strategy has no `obo`; expected the block for `type: obo` [strategy of a]",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: xaa}
"
            ),
            [
                "config/missing-key /outgoingAuth/backends/a «a» an auth strategy has no `xaa`; expected the block for `type: xaa` [strategy of a]",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: unauthenticated, xaa: {}}
"
            ),
            [
                "auth/unused-block /outgoingAuth/backends/a/xaa «xaa» `xaa` stands beside `type: unauthenticated` and is not used; expected `type: xaa` or no such block",
            ]
        );
        assert_eq!(
            findings("outgoingAuth: {source: inline, default: {type: discovered}}"),
            [
                "auth/discovered-strategy /outgoingAuth/default/type «discovered» `type` is `discovered`, which is no strategy; read as `unauthenticated`, so that nothing is sent {write `unauthenticated`, safe}",
            ]
        );
        assert_eq!(
            findings("outgoingAuth: {source: inline, default: {type: bearer}}"),
            [
                "config/bad-value /outgoingAuth/default/type «bearer» `type` is `bearer`; expected `unauthenticated`, `header_injection`, `token_exchange`, `upstream_inject`, `aws_sts`, `obo` or `xaa` [default]",
            ]
        );
        assert_eq!(
            findings("outgoingAuth: {source: inline, default: text}"),
            ["config/wrong-type /outgoingAuth/default «text» `default` is text; expected a mapping [default]",]
        );
        assert_eq!(findings("outgoingAuth: {source: inline, default: ~}"), [""; 0]);
    }

    #[test]
    fn an_injected_header_has_a_name_and_one_value() {
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: header_injection, headerInjection: {}}
"
            ),
            [
                "config/missing-key /outgoingAuth/backends/a/headerInjection «headerInjection» `headerInjection` has no `headerName`; expected the name of a header [strategy of a]",
                "config/missing-key /outgoingAuth/backends/a/headerInjection «headerInjection» `headerInjection` has no `headerValueEnv`; expected it, or a literal `headerValue` [strategy of a]",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: header_injection, headerInjection: {headerName: X Key, headerValue: v, headerValueEnv: V}}
"
            ),
            [
                "config/bad-header /outgoingAuth/backends/a/headerInjection/headerName «X Key» header `X Key` is not a token; letters, digits and !#$%&'*+-.^_`|~ are accepted [strategy of a]",
                "auth/conflicting-keys /outgoingAuth/backends/a/headerInjection/headerValueEnv «V» `headerValueEnv` stands beside `headerValue`; expected one of the two [strategy of a] (the other one: «v»)",
            ]
        );
        assert_eq!(
            findings(
                r#"
outgoingAuth:
  source: inline
  backends:
    a: {type: header_injection, headerInjection: {headerName: Authorization, headerValue: "s3cr3t\nX: y"}}
"#
            ),
            [
                r#"config/bad-header /outgoingAuth/backends/a/headerInjection/headerValue «"s3cr3t\nX: y"» `headerValue` has a value with a control character; only tab is accepted [strategy of a]"#,
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: header_injection, headerInjection: {headerName: host, headerValueEnv: V}}
"
            ),
            [
                "config/restricted-header /outgoingAuth/backends/a/headerInjection/headerName «host» header `host` is restricted; it is made by the connection itself [strategy of a]",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: header_injection, headerInjection: {headerName: mcp-session-id, headerValueEnv: V}}
"
            ),
            [
                "config/restricted-header /outgoingAuth/backends/a/headerInjection/headerName «mcp-session-id» header `mcp-session-id` is set by MCP itself; expected one that carries credentials [strategy of a]",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: header_injection, headerInjection: {headerName: X-Key, headerValue: [s3cr3t]}}
"
            ),
            [
                "config/wrong-type /outgoingAuth/backends/a/headerInjection/headerValue «headerValue» `headerValue` is a list; expected text [strategy of a]",
            ]
        );
    }

    #[test]
    fn strategies_are_checked_as_far_as_they_are_written() {
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: token_exchange, tokenExchange: {tokenUrl: 'idp.example', subjectTokenType: saml}}
"
            ),
            [
                "auth/bad-url /outgoingAuth/backends/a/tokenExchange/tokenUrl «'idp.example'» `tokenUrl` cannot be called: it is not an absolute URL; expected `http://host[:port]/path` or `https://…` [strategy of a]",
                "config/bad-value /outgoingAuth/backends/a/tokenExchange/subjectTokenType «saml» `subjectTokenType` is `saml`; expected `access_token`, `id_token` or `jwt`, alone or after `urn:ietf:params:oauth:token-type:` [strategy of a]",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: token_exchange, tokenExchange: {subjectTokenType: 'urn:ietf:params:oauth:token-type:jwt'}}
"
            ),
            [
                "config/missing-key /outgoingAuth/backends/a/tokenExchange «tokenExchange» `tokenExchange` has no `tokenUrl`; expected the URL of a token endpoint [strategy of a]",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: upstream_inject, upstreamInject: {providerName: ''}}
"
            ),
            [
                "config/missing-key /outgoingAuth/backends/a/upstreamInject/providerName «''» `providerName` is empty; expected the name of an upstream provider [strategy of a]",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: aws_sts, awsSts: {sessionDuration: 60, roleMappings: [{claim: a, matcher: b}, {roleArn: r}]}}
"
            ),
            [
                "config/missing-key /outgoingAuth/backends/a/awsSts «awsSts» `awsSts` has no `region`; expected an AWS region [strategy of a]",
                "config/out-of-range /outgoingAuth/backends/a/awsSts/sessionDuration «60» `sessionDuration` is 60; expected 900 to 43200 [strategy of a]",
                "config/missing-key /outgoingAuth/backends/a/awsSts/roleMappings/0 «claim» a role mapping has no `roleArn`; expected the role [strategy of a]",
                "auth/conflicting-keys /outgoingAuth/backends/a/awsSts/roleMappings/0/matcher «b» `matcher` stands beside `claim`; expected one of the two [strategy of a] (the other one: «a»)",
                "config/missing-key /outgoingAuth/backends/a/awsSts/roleMappings/1 «roleArn» a role mapping has no `claim`; expected it, or a `matcher` [strategy of a]",
                "config/bad-value /outgoingAuth/backends/a/awsSts/roleMappings/1/roleArn «r» `roleArn` is `r`; expected a role such as `arn:aws:iam::123456789012:role/name` [strategy of a]",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: obo, obo: {clientSecret: s, clientSecretEnv: S}}
"
            ),
            [
                "config/missing-key /outgoingAuth/backends/a/obo «obo» `obo` has no `clientId`; expected the id of the confidential client [strategy of a]",
                "config/missing-key /outgoingAuth/backends/a/obo «obo» `obo` has no `scopes`; expected it, or an `audience` [strategy of a]",
                "config/missing-key /outgoingAuth/backends/a/obo «obo» `obo` has no `tokenUrl`; expected the URL of a token endpoint [strategy of a]",
                "auth/conflicting-keys /outgoingAuth/backends/a/obo/clientSecretEnv «S» `clientSecretEnv` stands beside `clientSecret`; expected one of the two [strategy of a] (the other one: «s»)",
            ]
        );
        assert_eq!(
            findings(
                "
outgoingAuth:
  source: inline
  backends:
    a: {type: xaa, xaa: {idpTokenUrl: 'https://i/', subjectTokenType: jwt}}
"
            ),
            [
                "config/missing-key /outgoingAuth/backends/a/xaa «xaa» `xaa` has no `targetAudience`; expected the issuer of the backend's authorization server [strategy of a]",
                "config/missing-key /outgoingAuth/backends/a/xaa «xaa» `xaa` has no `targetTokenUrl`; expected the URL of a token endpoint [strategy of a]",
                "config/bad-value /outgoingAuth/backends/a/xaa/subjectTokenType «jwt» `subjectTokenType` is `jwt`; expected `urn:ietf:params:oauth:token-type:id_token` [strategy of a]",
            ]
        );
    }

    #[test]
    fn a_strategy_that_could_not_be_carried_out_is_refused_where_it_is_written() {
        let of = |strategy: &str| {
            findings(&format!("outgoingAuth: {{source: inline, backends: {{a: {strategy}}}}}"))
                .iter()
                .map(|text| text.replace("/outgoingAuth/backends/a/", "").replace(" [strategy of a]", ""))
                .collect::<Vec<_>>()
        };
        for kind in ["saml1", "saml2", "refresh_token", "id-jag"] {
            let urn = format!("urn:ietf:params:oauth:token-type:{kind}");
            assert_eq!(
                of(&format!(
                    "{{type: token_exchange, tokenExchange: {{tokenUrl: 'https://i/', subjectTokenType: '{urn}'}}}}"
                )),
                [format!(
                    "config/bad-value tokenExchange/subjectTokenType «'{urn}'» `subjectTokenType` is `{urn}`; expected `access_token`, `id_token` or `jwt`, alone or after `urn:ietf:params:oauth:token-type:`"
                )]
            );
        }
        assert_eq!(
            of(
                "{type: token_exchange, tokenExchange: {tokenUrl: 'https://i/', clientSecretEnv: S, caBundlePath: ca.crt}}"
            ),
            [
                "config/missing-key tokenExchange/clientSecretEnv «S» `clientSecretEnv` stands there without `clientId`; expected the id of the client whose secret it is",
                "config/bad-path tokenExchange/caBundlePath «ca.crt» `caBundlePath` is `ca.crt`, which is not absolute; expected an absolute path without `..`",
            ]
        );
        assert_eq!(
            of("{type: aws_sts, awsSts: {region: 'eu.evil.example/', fallbackRoleArn: 'arn:aws:iam::12:role/r'}}"),
            [
                "config/bad-value awsSts/region «'eu.evil.example/'» `region` is `eu.evil.example/`; expected an AWS region such as `eu-central-1`",
                "config/bad-value awsSts/fallbackRoleArn «'arn:aws:iam::12:role/r'» `fallbackRoleArn` is `arn:aws:iam::12:role/r`; expected a role such as `arn:aws:iam::123456789012:role/name`",
            ]
        );
        assert_eq!(
            of("{type: aws_sts, awsSts: {region: eu-central-1}}"),
            ["config/missing-key awsSts «awsSts» `awsSts` has no `fallbackRoleArn`; expected it, or `roleMappings`"]
        );
        assert_eq!(
            of("{type: obo, obo: {tokenUrl: 'https://i/', cacheSkewSeconds: -1}}"),
            [
                "config/missing-key obo «obo» `obo` has no `clientId`; expected the id of the confidential client",
                "config/missing-key obo «obo» `obo` has no `clientSecretEnv`; expected it, or a literal `clientSecret`",
                "config/missing-key obo «obo» `obo` has no `scopes`; expected it, or an `audience`",
                "config/out-of-range obo/cacheSkewSeconds «-1» `cacheSkewSeconds` is -1; expected 0 to 3600",
            ]
        );
        assert_eq!(
            of(
                "{type: xaa, xaa: {idpTokenUrl: 'https://i/', targetTokenUrl: 'https://t/', targetAudience: a, idpClientSecret: s, targetClientSecretEnv: T, targetCaBundlePath: /a/../b}}"
            ),
            [
                "config/missing-key xaa/idpClientSecret «s» `idpClientSecret` stands there without `idpClientId`; expected the id of the client whose secret it is",
                "config/missing-key xaa/targetClientSecretEnv «T» `targetClientSecretEnv` stands there without `targetClientId`; expected the id of the client whose secret it is",
                "config/bad-path xaa/targetCaBundlePath «/a/../b» `targetCaBundlePath` is `/a/../b`, which contains `..`; expected an absolute path without `..`",
            ]
        );
    }

    #[test]
    fn a_strategy_for_no_backend_is_told() {
        assert_eq!(
            findings(
                "outgoingAuth: {source: inline, backends: {a: {type: unauthenticated}, zzz: {type: unauthenticated}, A: {type: unauthenticated}}}"
            ),
            [
                "auth/unknown-backend /outgoingAuth/backends/zzz «zzz» `zzz` is the name of no backend; expected one of `backends`",
                "auth/unknown-backend /outgoingAuth/backends/A «A» `A` is the name of no backend; expected one of `backends` {did you mean `a`?}",
            ]
        );
        assert_eq!(
            findings(
                "
backends: [{url: 'https://a.example', transport: sse}]
outgoingAuth: {source: inline, backends: {b: {type: unauthenticated}}}
"
            ),
            ["config/missing-key /backends/0 «url» a backend has no `name`; expected a name of its own [backend 0]",]
        );
    }
}
