//! The converter registry: from an `MCPExternalAuthConfig` to the auth strategy that the operator would write, one type
//! for each type of configuration.
//!
//! No secret passes through here: a strategy names environment variables, and beside it stands which key of which Secret
//! each of them holds. Source: ToolHive's `pkg/vmcp/auth/converters` and `cmd/thv-operator/pkg/controllerutil`.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::crd::text;
use crate::headers::environment_segment;
use crate::text::Span;
use crate::yaml::{Draft, Fields, Node, Shape};

/// An `MCPExternalAuthConfig`.
#[derive(Clone, Copy, Debug)]
pub struct ExternalAuth<'n, 't> {
    /// Its name, from which variables are named.
    pub name: &'n str,
    /// Its specification.
    pub spec: Node<'n, 't>,
}

/// An auth strategy, as it is written under `outgoingAuth`, and the variables that it names.
#[derive(Clone, Debug)]
pub struct Strategy<'n, 't> {
    /// `type` and the block that belongs to it.
    pub fields: Fields<'n, 't>,
    /// Which secrets its variables hold.
    pub secrets: Vec<SecretVariable<'n>>,
}

/// An environment variable that holds a key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretVariable<'n> {
    /// The variable.
    pub name: String,
    /// The Secret, in the namespace of whoever names it.
    pub secret: &'n str,
    /// Its key.
    pub key: &'n str,
    /// Where the reference is written.
    pub span: Span,
}

/// Why a configuration has no strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal<'n> {
    /// No converter is registered for its type.
    Unsupported(&'n str),
    /// The block of its type is not there.
    NoBlock(&'static str),
    /// What it lacks was found in it already.
    Incomplete,
}

/// Makes strategies of the configurations of one type.
pub trait StrategyConverter: Sync {
    /// The configuration's `type`, which is also the name of its block.
    fn auth_type(&self) -> &'static str;

    /// The strategy's `type`.
    fn strategy_type(&self) -> &'static str;

    /// Makes the strategy.
    ///
    /// # Errors
    /// The configuration is not whole.
    fn convert<'n, 't>(&self, config: &ExternalAuth<'n, 't>) -> Result<Strategy<'n, 't>, Refusal<'n>>;
}

/// Every converter there is.
pub static REGISTRY: [&dyn StrategyConverter; 7] = [
    &TokenExchangeConverter,
    &HeaderInjectionConverter,
    &UnauthenticatedConverter,
    &UpstreamInjectConverter,
    &AwsStsConverter,
    &OboConverter,
    &XaaConverter,
];

/// Makes the strategy of a configuration by the converter that is registered for its type.
///
/// # Errors
/// There is none for it, or the configuration is not whole.
pub fn convert<'n, 't>(config: &ExternalAuth<'n, 't>) -> Result<Strategy<'n, 't>, Refusal<'n>> {
    let kind = config.spec.get("type").and_then(text).filter(|kind| !kind.is_empty()).ok_or(Refusal::Incomplete)?;
    match REGISTRY.iter().find(|converter| converter.auth_type() == kind) {
        Some(converter) => converter.convert(config),
        None => Err(Refusal::Unsupported(kind)),
    }
}

/// `tokenExchange`: the caller's token for one of the backend's (RFC 8693).
#[derive(Clone, Copy, Debug)]
pub struct TokenExchangeConverter;
/// `headerInjection`: a fixed header.
#[derive(Clone, Copy, Debug)]
pub struct HeaderInjectionConverter;
/// `unauthenticated`: nothing.
#[derive(Clone, Copy, Debug)]
pub struct UnauthenticatedConverter;
/// `upstreamInject`: a token that the embedded authorization server keeps.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamInjectConverter;
/// `awsSts`: temporary credentials of an AWS role.
#[derive(Clone, Copy, Debug)]
pub struct AwsStsConverter;
/// `obo`: Entra's on-behalf-of flow. The operator's open build refuses it; the variable of its secret is named as the
/// others are.
#[derive(Clone, Copy, Debug)]
pub struct OboConverter;
/// `xaa`: cross-application access (ID-JAG).
#[derive(Clone, Copy, Debug)]
pub struct XaaConverter;

impl StrategyConverter for TokenExchangeConverter {
    fn auth_type(&self) -> &'static str {
        "tokenExchange"
    }

    fn strategy_type(&self) -> &'static str {
        "token_exchange"
    }

    fn convert<'n, 't>(&self, config: &ExternalAuth<'n, 't>) -> Result<Strategy<'n, 't>, Refusal<'n>> {
        let mut block = Block::of(self, config)?;
        block.copy(&["tokenUrl", "clientId"]);
        block.secret("clientSecretRef", "clientSecretEnv", "TOKEN_EXCHANGE_CLIENT_SECRET")?;
        block.copy(&["audience", "scopes"]);
        if let Some((node, kind)) = block.text("subjectTokenType") {
            let full: Cow<'_, str> = match kind {
                "access_token" | "id_token" | "jwt" => format!("urn:ietf:params:oauth:token-type:{kind}").into(),
                other => other.into(),
            };
            block.fields.text("subjectTokenType", node.span(), full);
        }
        block.copy(&["subjectProviderName"]);
        Ok(block.strategy())
    }
}

impl StrategyConverter for HeaderInjectionConverter {
    fn auth_type(&self) -> &'static str {
        "headerInjection"
    }

    fn strategy_type(&self) -> &'static str {
        "header_injection"
    }

    fn convert<'n, 't>(&self, config: &ExternalAuth<'n, 't>) -> Result<Strategy<'n, 't>, Refusal<'n>> {
        let mut block = Block::of(self, config)?;
        block.copy(&["headerName"]);
        match block.secret("valueSecretRef", "headerValueEnv", "HEADER_INJECTION_VALUE")? {
            Named::Secret => Ok(block.strategy()),
            Named::Nothing => Err(Refusal::Incomplete),
        }
    }
}

impl StrategyConverter for UnauthenticatedConverter {
    fn auth_type(&self) -> &'static str {
        "unauthenticated"
    }

    fn strategy_type(&self) -> &'static str {
        "unauthenticated"
    }

    fn convert<'n, 't>(&self, config: &ExternalAuth<'n, 't>) -> Result<Strategy<'n, 't>, Refusal<'n>> {
        let mut fields = Fields::at(config.spec.span());
        fields.text("type", config.spec.span(), self.strategy_type());
        Ok(Strategy { fields, secrets: Vec::new() })
    }
}

impl StrategyConverter for UpstreamInjectConverter {
    fn auth_type(&self) -> &'static str {
        "upstreamInject"
    }

    fn strategy_type(&self) -> &'static str {
        "upstream_inject"
    }

    fn convert<'n, 't>(&self, config: &ExternalAuth<'n, 't>) -> Result<Strategy<'n, 't>, Refusal<'n>> {
        let mut block = Block::of(self, config)?;
        block.copy(&["providerName"]);
        Ok(block.strategy())
    }
}

impl StrategyConverter for AwsStsConverter {
    fn auth_type(&self) -> &'static str {
        "awsSts"
    }

    fn strategy_type(&self) -> &'static str {
        "aws_sts"
    }

    fn convert<'n, 't>(&self, config: &ExternalAuth<'n, 't>) -> Result<Strategy<'n, 't>, Refusal<'n>> {
        let mut block = Block::of(self, config)?;
        block.copy(&[
            "region",
            "service",
            "fallbackRoleArn",
            "roleMappings",
            "roleClaim",
            "sessionDuration",
            "sessionNameClaim",
            "subjectProviderName",
        ]);
        Ok(block.strategy())
    }
}

impl StrategyConverter for OboConverter {
    fn auth_type(&self) -> &'static str {
        "obo"
    }

    fn strategy_type(&self) -> &'static str {
        "obo"
    }

    fn convert<'n, 't>(&self, config: &ExternalAuth<'n, 't>) -> Result<Strategy<'n, 't>, Refusal<'n>> {
        let mut block = Block::of(self, config)?;
        // The CRD leaves all of them optional for flows to come; this one needs them, and Entra's endpoint is the tenant's.
        let (tenant, id) = block.text("tenantId").ok_or(Refusal::Incomplete)?;
        let authority = block.text("authority").map_or("https://login.microsoftonline.com", |(_, authority)| authority);
        block.fields.text("tokenUrl", tenant.span(), format!("{authority}/{id}/oauth2/v2.0/token"));
        block.copy(&["clientId"]);
        block.secret("clientSecretRef", "clientSecretEnv", "OBO_CLIENT_SECRET")?;
        block.copy(&["audience", "scopes", "subjectTokenProviderName"]);
        if let Some((node, skew)) = block.text("cacheSkew") {
            let skew = crate::config::Duration::parse(skew).map_err(|_| Refusal::Incomplete)?;
            let seconds = skew.as_nanos() / 1_000_000_000;
            block.fields.put("cacheSkewSeconds", Draft::Plain(node.span(), format!("{seconds}").into()));
        }
        Ok(block.strategy())
    }
}

impl StrategyConverter for XaaConverter {
    fn auth_type(&self) -> &'static str {
        "xaa"
    }

    fn strategy_type(&self) -> &'static str {
        "xaa"
    }

    fn convert<'n, 't>(&self, config: &ExternalAuth<'n, 't>) -> Result<Strategy<'n, 't>, Refusal<'n>> {
        let mut block = Block::of(self, config)?;
        block.copy(&["idpTokenUrl", "idpClientId"]);
        block.secret("idpClientSecretRef", "idpClientSecretEnv", "XAA_IDP_CLIENT_SECRET")?;
        block.copy(&["targetTokenUrl", "insecureTargetTokenUrl", "targetClientId"]);
        block.secret("targetClientSecretRef", "targetClientSecretEnv", "XAA_TARGET_CLIENT_SECRET")?;
        block.copy(&["targetAudience", "targetResource", "scopes", "subjectProviderName", "subjectTokenType"]);
        Ok(block.strategy())
    }
}

/// Whether a reference to a secret is written.
enum Named {
    Secret,
    Nothing,
}

/// The block of a strategy while it is made.
struct Block<'n, 't> {
    config: &'n str,
    strategy_type: &'static str,
    auth_type: &'static str,
    kind: Span,
    from: Node<'n, 't>,
    fields: Fields<'n, 't>,
    secrets: Vec<SecretVariable<'n>>,
}

impl<'n, 't> Block<'n, 't> {
    fn of(converter: &dyn StrategyConverter, config: &ExternalAuth<'n, 't>) -> Result<Self, Refusal<'n>> {
        let auth_type = converter.auth_type();
        let from = config.spec.get(auth_type).filter(|block| !block.is_null()).ok_or(Refusal::NoBlock(auth_type))?;
        if !matches!(from.shape(), Shape::Mapping(_)) {
            return Err(Refusal::Incomplete);
        }
        Ok(Self {
            config: config.name,
            strategy_type: converter.strategy_type(),
            auth_type,
            kind: config.spec.get("type").map_or(from.span(), Node::span),
            from,
            fields: Fields::at(from.span()),
            secrets: Vec::new(),
        })
    }

    /// Takes these keys over as they are.
    fn copy(&mut self, keys: &[&'static str]) {
        for &key in keys {
            self.fields.copy(key, self.from.get(key));
        }
    }

    /// A key with text in it.
    fn text(&self, key: &str) -> Option<(Node<'n, 't>, &'n str)> {
        let node = self.from.get(key)?;
        Some((node, text(node).filter(|text| !text.is_empty())?))
    }

    /// Names the variable of a secret by the configuration, so that two backends with one configuration share it.
    fn secret(&mut self, from: &str, to: &'static str, what: &str) -> Result<Named, Refusal<'n>> {
        let Some(reference) = self.from.get(from).filter(|reference| !reference.is_null()) else {
            return Ok(Named::Nothing);
        };
        let name = format!("TOOLHIVE_{what}_{}", environment_segment(self.config));
        self.secrets.push(SecretVariable::of(name.clone(), reference).ok_or(Refusal::Incomplete)?);
        self.fields.text(to, reference.span(), name);
        Ok(Named::Secret)
    }

    fn strategy(self) -> Strategy<'n, 't> {
        let mut fields = Fields::at(self.from.span());
        fields.text("type", self.kind, self.strategy_type);
        fields.put(self.auth_type, Draft::Map(self.fields));
        Strategy { fields, secrets: self.secrets }
    }
}

impl<'n> SecretVariable<'n> {
    /// The variable `name` for a reference `{name, key}`; `None` if that is not whole.
    #[must_use]
    pub fn of(name: String, reference: Node<'n, '_>) -> Option<Self> {
        let part = |key| reference.get(key).and_then(text).filter(|text| !text.is_empty());
        Some(Self { name, secret: part("name")?, key: part("key")?, span: reference.span() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Positions, Tree, emit_node, parse};
    use alloc::string::ToString;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// The strategy of the configuration `my-cfg.1` as YAML, then its secrets; or why there is none.
    fn of(spec: &str) -> String {
        let parsed = parse(spec, &Positions::identity());
        let spec = parsed.tree.root().unwrap();
        match convert(&ExternalAuth { name: "my-cfg.1", spec }) {
            Err(refusal) => format!("{refusal:?}"),
            Ok(strategy) => {
                let tree = Tree::of(&Draft::Map(strategy.fields));
                let secrets = strategy.secrets.iter();
                let secrets = secrets.map(|one| format!("{} = {}/{}\n", one.name, one.secret, one.key));
                emit_node(tree.root().unwrap()).unwrap() + &secrets.collect::<String>()
            }
        }
    }

    #[test]
    fn a_token_exchange_names_its_secret_by_the_configuration() {
        assert_eq!(
            of(
                "{type: tokenExchange, tokenExchange: {tokenUrl: 'https://i/t', clientId: c, clientSecretRef: {name: s, key: k}, audience: a, scopes: [x, y], subjectTokenType: jwt, externalTokenHeaderName: X}}"
            ),
            "type: token_exchange\ntokenExchange:\n    tokenUrl: https://i/t\n    clientId: c\n    \
             clientSecretEnv: TOOLHIVE_TOKEN_EXCHANGE_CLIENT_SECRET_MY_CFG_1\n    audience: a\n    scopes:\n        - x\n        - \"y\"\n    \
             subjectTokenType: urn:ietf:params:oauth:token-type:jwt\nTOOLHIVE_TOKEN_EXCHANGE_CLIENT_SECRET_MY_CFG_1 = s/k\n"
        );
    }

    #[test]
    fn every_other_type_becomes_its_strategy() {
        assert_eq!(
            of("{type: headerInjection, headerInjection: {headerName: X-Key, valueSecretRef: {name: s, key: k}}}"),
            "type: header_injection\nheaderInjection:\n    headerName: X-Key\n    \
             headerValueEnv: TOOLHIVE_HEADER_INJECTION_VALUE_MY_CFG_1\nTOOLHIVE_HEADER_INJECTION_VALUE_MY_CFG_1 = s/k\n"
        );
        assert_eq!(of("{type: unauthenticated}"), "type: unauthenticated\n");
        assert_eq!(
            of("{type: upstreamInject, upstreamInject: {providerName: github}}"),
            "type: upstream_inject\nupstreamInject:\n    providerName: github\n"
        );
        assert_eq!(
            of(
                "{type: awsSts, awsSts: {region: eu-central-1, roleMappings: [{claim: admins, roleArn: 'arn:aws:iam::123456789012:role/a', priority: 1}]}}"
            ),
            "type: aws_sts\nawsSts:\n    region: eu-central-1\n    roleMappings:\n        - claim: admins\n          \
             roleArn: arn:aws:iam::123456789012:role/a\n          priority: 1\n"
        );
        assert_eq!(
            of(
                "{type: xaa, xaa: {idpTokenUrl: 'https://i/t', idpClientSecretRef: {name: s, key: k}, targetTokenUrl: 'https://t/t', targetClientSecretRef: {name: t, key: l}, targetAudience: a}}"
            ),
            "type: xaa\nxaa:\n    idpTokenUrl: https://i/t\n    idpClientSecretEnv: TOOLHIVE_XAA_IDP_CLIENT_SECRET_MY_CFG_1\n    \
             targetTokenUrl: https://t/t\n    targetClientSecretEnv: TOOLHIVE_XAA_TARGET_CLIENT_SECRET_MY_CFG_1\n    targetAudience: a\n\
             TOOLHIVE_XAA_IDP_CLIENT_SECRET_MY_CFG_1 = s/k\nTOOLHIVE_XAA_TARGET_CLIENT_SECRET_MY_CFG_1 = t/l\n"
        );
        assert_eq!(
            of(
                "{type: obo, obo: {tenantId: t-1, clientId: c, clientSecretRef: {name: s, key: k}, scopes: [api], cacheSkew: 1m30s}}"
            ),
            "type: obo\nobo:\n    tokenUrl: https://login.microsoftonline.com/t-1/oauth2/v2.0/token\n    clientId: c\n    \
             clientSecretEnv: TOOLHIVE_OBO_CLIENT_SECRET_MY_CFG_1\n    scopes:\n        - api\n    cacheSkewSeconds: 90\n\
             TOOLHIVE_OBO_CLIENT_SECRET_MY_CFG_1 = s/k\n"
        );
    }

    #[test]
    fn what_is_not_whole_has_no_strategy() {
        assert_eq!(of("{type: bearerToken, bearerToken: {}}"), "Unsupported(\"bearerToken\")");
        assert_eq!(of("{type: tokenExchange}"), "NoBlock(\"tokenExchange\")");
        assert_eq!(of("{type: tokenExchange, tokenExchange: []}"), "Incomplete");
        assert_eq!(of("{type: headerInjection, headerInjection: {headerName: X}}"), "Incomplete");
        assert_eq!(
            of("{type: headerInjection, headerInjection: {headerName: X, valueSecretRef: {name: s}}}"),
            "Incomplete"
        );
        assert_eq!(of("{headerInjection: {headerName: X}}"), "Incomplete");
        assert_eq!(of("{type: obo, obo: {clientId: c}}"), "Incomplete");
    }

    #[test]
    fn each_type_has_one_converter() {
        let mut types: Vec<_> = REGISTRY.iter().map(|one| one.auth_type().to_string()).collect();
        types.sort();
        types.dedup();
        assert_eq!(types.len(), REGISTRY.len());
    }
}
