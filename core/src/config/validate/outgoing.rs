//! Rules for `outgoingAuth` and its strategies.
//!
//! Variables that hold secrets are not looked at here. An error in a strategy takes down the backends that resolve to it.

use alloc::format;

use super::super::decode::shown;
use super::super::findings::{Findings, Path};
use super::super::model::{
    AwsStsConfig, BackendAuthStrategy, Config, Described, HeaderInjectionConfig, Hidden, OboConfig, OutgoingAuthConfig,
    Text, TokenExchangeConfig, UpstreamInjectConfig, XaaConfig,
};
use super::super::source::Spanned;
use super::{backends_named, headers, replace, warn_unknown_backend};
use crate::diagnostic::{Place, code};
use crate::endpoint::Endpoint;
use crate::text::Span;

const TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:";

pub(super) fn check(outgoing: &OutgoingAuthConfig, config: &Config, path: &Path<'_>, findings: &mut Findings<'_>) {
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
    let names = backends_named(config);
    for (name, strategy) in outgoing.backends.iter() {
        check_strategy(strategy, &path.key(name), findings);
        if let Some(names) = &names {
            warn_unknown_backend(code::AUTH_UNKNOWN_BACKEND, name, names, &path.key(name), findings);
        }
    }
}

/// One strategy, wherever it stands.
pub(super) fn check_strategy(strategy: &BackendAuthStrategy, path: &Path<'_>, findings: &mut Findings<'_>) {
    if let Some(kind) = strategy.kind.as_ref().filter(|kind| kind.as_str() == "discovered") {
        let draft = findings.draft(code::AUTH_DISCOVERED_STRATEGY, kind.span, &path.key("type"), || {
            "`type` is `discovered`, which is no strategy; read as `unauthenticated`, and never as the default".into()
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
    block: &Option<B>,
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
    if let Some(value) = block.header_value.as_ref().filter(|value| !value.is_empty()) {
        headers::check_value(value, &path.key("headerValue"), findings);
    }
}

fn exchange(block: &TokenExchangeConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    token_url(block, "tokenUrl", &block.token_url, path, findings);
    let known = |text: &str| {
        matches!(text, "access_token" | "id_token" | "jwt")
            || text.strip_prefix(TOKEN_TYPE).is_some_and(|t| !t.is_empty())
    };
    if let Some(kind) = block.subject_token_type.as_ref().filter(|kind| !kind.is_empty() && !known(kind)) {
        findings.report(code::CONFIG_BAD_VALUE, kind.span, &path.key("subjectTokenType"), || {
            format!(
                "`subjectTokenType` is `{}`; expected `access_token`, `id_token`, `jwt` or a URN that begins with `{TOKEN_TYPE}`",
                shown(kind)
            )
        });
    }
}

fn upstream(block: &UpstreamInjectConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    findings.required_text(block, "providerName", &block.provider_name, "the name of an upstream provider", path);
}

fn aws(block: &AwsStsConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    findings.required_text(block, "region", &block.region, "an AWS region", path);
    if let Some(seconds) = block.session_duration.0 {
        let seconds = Spanned { value: i64::from(seconds.value), span: seconds.span };
        findings.range("sessionDuration", &seconds, 900, 43_200, path);
    }
    let mappings = path.key("roleMappings");
    for (index, mapping) in block.role_mappings.iter().enumerate() {
        let path = mappings.index(index);
        findings.required_text(mapping, "roleArn", &mapping.role_arn, "the role", &path);
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

fn obo(block: &OboConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    token_url(block, "tokenUrl", &block.token_url, path, findings);
    if let (Some(secret), Some(variable)) = (filled_secret(&block.client_secret), filled(&block.client_secret_env)) {
        both(("clientSecret", secret), ("clientSecretEnv", variable), path, findings);
    }
}

fn xaa(block: &XaaConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    token_url(block, "idpTokenUrl", &block.idp_token_url, path, findings);
    token_url(block, "targetTokenUrl", &block.target_token_url, path, findings);
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
