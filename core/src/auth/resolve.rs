//! A strategy as configured → credentials with the secrets in hand, or why there are none.
//!
//! It reads no environment and no file: variables are given, and pools are asked for.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::strategy::{
    AwsSts, Client, Obo, RoleMapping, RoleRule, Strategy, TOKEN_TYPE, TokenEndpoint, TokenExchange, Xaa,
};
use super::{Applied, Credentials, Trust};
use crate::config::{
    AuthStrategy, AwsStsConfig, HeaderInjectionConfig, Hidden, OboConfig, Text, TokenExchangeConfig, XaaConfig,
};
use crate::diagnostic::{Diagnostic, Scope, code};
use crate::endpoint::{Endpoint, Scheme};
use crate::headers;
use crate::secret::Secret;
use crate::text::Span;
use crate::trust::Pool;

/// Go's word for "any URL will do": token endpoints over plain `http`.
pub const ANY_URL: &str = "INSECURE_DISABLE_URL_VALIDATION";
/// Where STS is, if not where AWS has it: the variable that AWS's own programs read.
pub const STS_URL: &str = "AWS_ENDPOINT_URL_STS";

/// Puts the secrets of one strategy in. Every reason why it cannot be is kept.
pub(super) struct Resolve<'a, 'c> {
    pub(super) applied: &'a Applied<'c>,
    pub(super) variables: &'a BTreeMap<String, Option<Secret>>,
    pub(super) pool: &'a mut dyn FnMut(&Trust<'_>) -> Option<Arc<Pool>>,
    pub(super) reasons: Vec<Diagnostic>,
}

impl Resolve<'_, '_> {
    /// `None` if there is a reason, or if it is among the configuration's own findings.
    pub(super) fn credentials(&mut self) -> Option<Credentials> {
        let Some(written) = self.applied.written else { return Some(Credentials::Unauthenticated) };
        let made = match written.strategy()? {
            AuthStrategy::Unauthenticated => return Some(Credentials::Unauthenticated),
            AuthStrategy::HeaderInjection(block) => return self.header(block),
            AuthStrategy::TokenExchange(block) => self.token_exchange(block).map(Strategy::TokenExchange),
            AuthStrategy::AwsSts(block) => self.aws_sts(block).map(Strategy::AwsSts),
            AuthStrategy::Obo(block) => self.obo(block).map(Strategy::Obo),
            AuthStrategy::Xaa(block) => self.xaa(block).map(Strategy::Xaa),
            AuthStrategy::UpstreamInject(_) => {
                let span = written.kind.as_ref().map_or(Span::default(), |kind| kind.span);
                self.needs_authorization_server("strategy `upstream_inject`", "type", span);
                None
            }
        };
        let strategy = made.filter(|_| self.reasons.is_empty())?;
        Some(Credentials::Made(Arc::new(strategy)))
    }

    fn header(&mut self, block: &HeaderInjectionConfig) -> Option<Credentials> {
        let name = block.header_name.as_ref().map(|name| name.value.clone()).filter(|name| !name.is_empty())?;
        if let Some(literal) = block.header_value.as_ref().filter(|value| !value.value.is_empty()) {
            return Some(Credentials::Header { name, value: literal.value.clone() });
        }
        let variable = self.applied.variables().into_iter().next()?;
        let found = self.variables.get(&variable.name).and_then(Option::as_ref).filter(|value| !value.is_empty());
        let (code, message) = match found {
            None => (
                code::VARIABLE_MISSING,
                format!(
                    "environment variable `{}` is not set or is empty; it holds the value of header `{name}`",
                    variable.name
                ),
            ),
            Some(value) => match headers::value_problem(value.expose()) {
                None => return Some(Credentials::Header { name, value: value.clone() }),
                Some(problem) => (
                    code::VARIABLE_NOT_A_HEADER,
                    format!(
                        "environment variable `{}` holds no header value: header `{name}` {problem}",
                        variable.name
                    ),
                ),
            },
        };
        self.refuse(Diagnostic::new(code, message).at(variable.span).path(variable.pointer));
        None
    }

    fn token_exchange(&mut self, block: &TokenExchangeConfig) -> Option<TokenExchange> {
        self.refuse_provider("tokenExchange/subjectProviderName", &block.subject_provider_name);
        let endpoint =
            self.endpoint("tokenExchange", ("tokenUrl", &block.token_url), &block.ca_bundle_path, Plain::Loopback);
        let secret = self.secret("tokenExchange", &block.client_secret, ("clientSecretEnv", &block.client_secret_env));
        let kind = text(&block.subject_token_type);
        let kind = kind.strip_prefix(TOKEN_TYPE).unwrap_or(if kind.is_empty() { "access_token" } else { &kind });
        Some(TokenExchange {
            endpoint: endpoint?,
            // As in the Go program, a client without a secret is not named.
            client: secret?.map(|secret| Client { id: text(&block.client_id), secret }),
            audience: text(&block.audience),
            scopes: block.scopes.iter().map(|scope| scope.value.clone()).collect(),
            subject_token_type: format!("{TOKEN_TYPE}{kind}"),
        })
    }

    fn xaa(&mut self, block: &XaaConfig) -> Option<Xaa> {
        self.refuse_provider("xaa/subjectProviderName", &block.subject_provider_name);
        let idp = self.endpoint("xaa", ("idpTokenUrl", &block.idp_token_url), &block.ca_bundle_path, Plain::Loopback);
        let plain = match &block.insecure_target_token_url {
            Some(flag) if flag.value => Plain::Anywhere,
            _ => Plain::Loopback,
        };
        let target =
            self.endpoint("xaa", ("targetTokenUrl", &block.target_token_url), &block.target_ca_bundle_path, plain);
        let idp_secret =
            self.secret("xaa", &block.idp_client_secret, ("idpClientSecretEnv", &block.idp_client_secret_env));
        let target_secret =
            self.secret("xaa", &block.target_client_secret, ("targetClientSecretEnv", &block.target_client_secret_env));
        let client = |id: &Text, secret: Option<Secret>| secret.map(|secret| Client { id: text(id), secret });
        Some(Xaa {
            idp: idp?,
            idp_client: client(&block.idp_client_id, idp_secret?),
            target: target?,
            target_client: client(&block.target_client_id, target_secret?),
            audience: text(&block.target_audience),
            resource: text(&block.target_resource),
            scopes: block.scopes.iter().map(|scope| scope.value.clone()).collect(),
        })
    }

    fn obo(&mut self, block: &OboConfig) -> Option<Obo> {
        self.refuse_provider("obo/subjectTokenProviderName", &block.subject_token_provider_name);
        let endpoint = self.endpoint("obo", ("tokenUrl", &block.token_url), &block.ca_bundle_path, Plain::Loopback);
        let secret = self.secret("obo", &block.client_secret, ("clientSecretEnv", &block.client_secret_env));
        let scopes: Vec<_> = block.scopes.iter().map(|scope| scope.value.as_str()).collect();
        let audience = text(&block.audience);
        Some(Obo {
            endpoint: endpoint?,
            client: Client { id: text(&block.client_id), secret: secret?? },
            // Entra names what is asked for by scopes alone; `.default` is everything that the resource has allowed.
            scope: if scopes.is_empty() {
                format!("{}/.default", audience.trim_end_matches('/'))
            } else {
                scopes.join(" ")
            },
            skew: block.cache_skew_seconds.0.as_ref().and_then(|skew| u32::try_from(skew.value).ok()),
        })
    }

    fn aws_sts(&mut self, block: &AwsStsConfig) -> Option<AwsSts> {
        self.refuse_provider("awsSts/subjectProviderName", &block.subject_provider_name);
        let region = text(&block.region);
        let own = self.variables.get(STS_URL).and_then(Option::as_ref).filter(|url| !url.is_empty());
        let span = block.region.as_ref().map_or(Span::default(), |region| region.span);
        let pointer = format!("{}/awsSts/region", self.applied.pointer);
        let url = match own {
            Some(own) => own.expose().to_owned(),
            // The endpoints of the partition `aws-cn` have a domain of their own.
            None if region.starts_with("cn-") => format!("https://sts.{region}.amazonaws.com.cn/"),
            None => format!("https://sts.{region}.amazonaws.com/"),
        };
        let endpoint = match Endpoint::parse(&url) {
            Ok(url) => self.trusted("awsSts", url, &block.ca_bundle_path, (span, pointer)),
            Err(error) => {
                let source = if own.is_some() { STS_URL } else { "region" };
                let message = format!("`{source}` gives no URL of AWS STS: {error}");
                self.refuse(Diagnostic::new(code::AUTH_BAD_URL, message).at(span).path(pointer));
                None
            }
        };
        let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        let mappings = block.role_mappings.iter().enumerate().filter_map(|(index, mapping)| {
            let rule = match (&mapping.claim, &mapping.matcher) {
                (Some(claim), _) if !claim.value.is_empty() => RoleRule::Claim(claim.value.clone()),
                (_, Some(matcher)) if !matcher.value.is_empty() => RoleRule::Matcher {
                    expression: matcher.value.clone(),
                    span: matcher.span,
                    pointer: format!("{}/awsSts/roleMappings/{index}/matcher", self.applied.pointer),
                },
                _ => return None,
            };
            Some(RoleMapping {
                rule,
                role: text(&mapping.role_arn),
                priority: mapping.priority.0.as_ref().map(|priority| priority.value),
            })
        });
        let mappings = mappings.collect();
        Some(AwsSts {
            endpoint: endpoint?,
            region,
            service: or(text(&block.service), "aws-mcp"),
            fallback_role: Some(text(&block.fallback_role_arn)).filter(|role| !role.is_empty()),
            mappings,
            role_claim: or(text(&block.role_claim), "groups"),
            duration: block
                .session_duration
                .0
                .as_ref()
                .and_then(|seconds| u32::try_from(seconds.value).ok())
                .filter(|seconds| *seconds > 0)
                .unwrap_or(3600),
            session_name_claim: or(text(&block.session_name_claim), "sub"),
        })
    }

    /// A token endpoint that may be called, and its pool.
    fn endpoint(
        &mut self,
        block: &'static str,
        (key, url): (&'static str, &Text),
        bundle: &Text,
        plain: Plain,
    ) -> Option<TokenEndpoint> {
        let written = url.as_ref()?;
        let url = Endpoint::parse(&written.value).ok()?;
        let place = (written.span, format!("{}/{block}/{key}", self.applied.pointer));
        if url.scheme() == Scheme::Http
            && !url.is_loopback()
            && plain == Plain::Loopback
            && self.variables.get(ANY_URL).and_then(Option::as_ref).is_none_or(|value| value.expose() != "true")
        {
            let message = format!(
                "`{key}` is `http` at `{}`, so callers' tokens would travel unencrypted; expected `https`, or `http` to a \
                 loopback address",
                url.host()
            );
            self.refuse(
                Diagnostic::new(code::AUTH_PLAINTEXT_ENDPOINT, message)
                    .at(place.0)
                    .path(place.1)
                    .help(format!("write `https://…`, or set {ANY_URL}=true where nobody else can listen")),
            );
            return None;
        }
        self.trusted(block, url, bundle, place)
    }

    fn trusted(
        &mut self,
        block: &'static str,
        url: Endpoint,
        bundle: &Text,
        (span, pointer): (Span, String),
    ) -> Option<TokenEndpoint> {
        let path = bundle.as_ref().filter(|path| !path.value.is_empty());
        let key = match block {
            "xaa" if pointer.ends_with("targetTokenUrl") => "targetCaBundlePath",
            _ => "caBundlePath",
        };
        let trust = Trust {
            bundle: path.map(|path| path.value.as_str()),
            span: path.map_or(span, |path| path.span),
            pointer: match path {
                Some(_) => format!("{}/{block}/{key}", self.applied.pointer),
                None => pointer,
            },
            scope: self.applied.scope.clone(),
            url: &url,
        };
        let pool = (self.pool)(&trust)?;
        Some(TokenEndpoint { url, pool })
    }

    /// The secret; inside `None` if there is none to be, outside if it should be there and is not.
    #[expect(clippy::option_option, reason = "not there and not needed are two things")]
    fn secret(
        &mut self,
        block: &'static str,
        literal: &Hidden,
        (key, variable): (&'static str, &Text),
    ) -> Option<Option<Secret>> {
        if let Some(variable) = variable.as_ref().filter(|name| !name.value.is_empty()) {
            let found = self.variables.get(&variable.value).and_then(Option::as_ref).filter(|value| !value.is_empty());
            let Some(found) = found else {
                let message = format!(
                    "environment variable `{}` is not set or is empty; it holds a client secret",
                    variable.value
                );
                let pointer = format!("{}/{block}/{key}", self.applied.pointer);
                self.refuse(Diagnostic::new(code::VARIABLE_MISSING, message).at(variable.span).path(pointer));
                return None;
            };
            // As in the Go program, a literal secret comes first.
            let literal = literal.as_ref().map(|secret| &secret.value).filter(|secret| !secret.is_empty());
            return Some(Some(literal.unwrap_or(found).clone()));
        }
        Some(literal.as_ref().map(|secret| secret.value.clone()).filter(|secret| !secret.is_empty()))
    }

    /// Providers are known to an embedded authorization server alone.
    fn refuse_provider(&mut self, key: &'static str, provider: &Text) {
        if let Some(provider) = provider.as_ref().filter(|provider| !provider.value.is_empty()) {
            let name = key.rsplit('/').next().unwrap_or(key);
            self.needs_authorization_server(&format!("`{name}`"), key, provider.span);
        }
    }

    fn needs_authorization_server(&mut self, what: &str, key: &str, span: Span) {
        let message = format!(
            "{what} needs the embedded authorization server, which is not built into this version; a backend is never \
             called without it"
        );
        let pointer = format!("{}/{key}", self.applied.pointer);
        self.refuse(Diagnostic::new(code::STRATEGY_NOT_BUILT, message).at(span).path(pointer).help(
            "strategies that can be used: `unauthenticated`, `header_injection`, `token_exchange`, `xaa`, `obo` and \
             `aws_sts` with the caller's own token",
        ));
    }

    fn refuse(&mut self, reason: Diagnostic) {
        let scope: Scope = self.applied.scope.clone();
        self.reasons.push(reason.scope(scope));
    }
}

/// Where `http` may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plain {
    Loopback,
    Anywhere,
}

fn text(text: &Text) -> String {
    text.as_ref().map(|text| text.value.clone()).unwrap_or_default()
}
