//! `outgoingAuth`: what is sent to backends so that they accept a call.
//!
//! It resolves which strategy a backend has, and no secret.

use alloc::boxed::Box;

use super::*;

model! {
    /// What is sent to backends so that they accept a call.
    pub struct OutgoingAuthConfig, "`outgoingAuth`" {
        /// Where strategies come from; in static mode both mean: from here. Required.
        always "source" => source: Text ["inline", "discovered"];
        /// Strategy of every backend that has none of its own; absent means unauthenticated.
        "default" => default: Option<BackendAuthStrategy>;
        /// Strategies by name of the backend.
        "backends" => backends: Map<BackendAuthStrategy>;
    }

    /// How to authenticate to one backend: a type, and the block that belongs to it.
    pub struct BackendAuthStrategy, "an auth strategy" {
        /// Which strategy. `discovered`, which the operator leaks, is read as `unauthenticated`. Required.
        always "type" => kind: Text [
            "unauthenticated", "header_injection", "token_exchange", "upstream_inject", "aws_sts", "obo", "xaa"
        ];
        /// For `header_injection`.
        "headerInjection" => header_injection: Option<Box<HeaderInjectionConfig>>;
        /// For `token_exchange`.
        "tokenExchange" => token_exchange: Option<Box<TokenExchangeConfig>>;
        /// For `upstream_inject`.
        "upstreamInject" => upstream_inject: Option<Box<UpstreamInjectConfig>>;
        /// For `aws_sts`.
        "awsSts" => aws_sts: Option<Box<AwsStsConfig>>;
        /// For `obo`.
        "obo" => obo: Option<Box<OboConfig>>;
        /// For `xaa`.
        "xaa" => xaa: Option<Box<XaaConfig>>;
    }

    /// One fixed header on every request.
    pub struct HeaderInjectionConfig, "`headerInjection`" {
        /// Name of the header. Required.
        always "headerName" => header_name: Text;
        /// Its literal value. Either this or `headerValueEnv`.
        "headerValue" => header_value: Hidden;
        /// Environment variable with its value. Either this or `headerValue`.
        "headerValueEnv" => header_value_env: Text;
    }

    /// The caller's token is exchanged for one of the backend's (RFC 8693).
    pub struct TokenExchangeConfig, "`tokenExchange`" {
        /// Token endpoint. Required.
        always "tokenUrl" => token_url: Text;
        /// Client id at the endpoint.
        "clientId" => client_id: Text;
        /// Literal client secret.
        "clientSecret" => client_secret: Hidden;
        /// Environment variable with the client secret.
        "clientSecretEnv" => client_secret_env: Text;
        /// Audience asked for.
        "audience" => audience: Text;
        /// Scopes asked for.
        "scopes" => scopes: Texts;
        /// Type of the caller's token: `access_token`, `id_token`, `jwt` or a full URN.
        "subjectTokenType" => subject_token_type: Text = "access_token";
        /// Upstream provider whose token is exchanged, with an embedded authorization server.
        "subjectProviderName" => subject_provider_name: Text;
        /// CA bundle that the token endpoint is verified against, in addition to the system roots. Only this program.
        "caBundlePath" => ca_bundle_path: Text;
    }

    /// An upstream provider's token is sent as it is.
    pub struct UpstreamInjectConfig, "`upstreamInject`" {
        /// The provider.
        always "providerName" => provider_name: Text;
    }

    /// Requests are signed with credentials that AWS STS gives for the caller's token (SigV4).
    pub struct AwsStsConfig, "`awsSts`" {
        /// AWS region. Required.
        always "region" => region: Text;
        /// Service name in the signature.
        "service" => service: Text = "aws-mcp";
        /// Role for callers that no mapping matches.
        "fallbackRoleArn" => fallback_role_arn: Text;
        /// Which callers get which role.
        "roleMappings" => role_mappings: List<RoleMapping>;
        /// Claim that `roleMappings[].claim` is looked up in.
        "roleClaim" => role_claim: Text = "groups";
        /// Seconds, 900 to 43200.
        "sessionDuration" => session_duration: Present<i32> = "3600";
        /// Claim that names the session.
        "sessionNameClaim" => session_name_claim: Text = "sub";
        /// Upstream provider whose token is used, with an embedded authorization server.
        "subjectProviderName" => subject_provider_name: Text;
        /// CA bundle that STS is verified against, in addition to the system roots. Only this program.
        "caBundlePath" => ca_bundle_path: Text;
    }

    /// Which callers get which AWS role.
    pub struct RoleMapping, "a role mapping" {
        /// Value that `roleClaim` must contain. Either this or `matcher`.
        "claim" => claim: Text;
        /// CEL expression over the claims. Either this or `claim`.
        "matcher" => matcher: Text;
        /// The role. Required.
        always "roleArn" => role_arn: Text;
        /// The lowest wins.
        "priority" => priority: Present<i64>;
    }

    /// Microsoft Entra's on-behalf-of flow; the open-source Go program refuses it.
    pub struct OboConfig, "`obo`" {
        /// Token endpoint. Required.
        always "tokenUrl" => token_url: Text;
        /// Client id at the endpoint.
        "clientId" => client_id: Text;
        /// Literal client secret. Not beside `clientSecretEnv`.
        "clientSecret" => client_secret: Hidden;
        /// Environment variable with the client secret. Not beside `clientSecret`.
        "clientSecretEnv" => client_secret_env: Text;
        /// Audience asked for.
        "audience" => audience: Text;
        /// Scopes asked for.
        "scopes" => scopes: Texts;
        /// Upstream provider whose token is used.
        "subjectTokenProviderName" => subject_token_provider_name: Text;
        /// Seconds before its end at which a token is no longer used.
        "cacheSkewSeconds" => cache_skew_seconds: Present<i32>;
        /// CA bundle that the token endpoint is verified against, in addition to the system roots. Only this program.
        "caBundlePath" => ca_bundle_path: Text;
    }

    /// Cross-application access: an identity provider's grant is exchanged at the backend's own authorization server.
    pub struct XaaConfig, "`xaa`" {
        /// Token endpoint of the identity provider. Required.
        always "idpTokenUrl" => idp_token_url: Text;
        /// Client id there.
        "idpClientId" => idp_client_id: Text;
        /// Literal client secret there.
        "idpClientSecret" => idp_client_secret: Hidden;
        /// Environment variable with the client secret there.
        "idpClientSecretEnv" => idp_client_secret_env: Text;
        /// Token endpoint of the backend's authorization server. Required.
        always "targetTokenUrl" => target_token_url: Text;
        /// Lets `targetTokenUrl` be `http`; for development.
        "insecureTargetTokenUrl" => insecure_target_token_url: Flag = "false";
        /// Client id there.
        "targetClientId" => target_client_id: Text;
        /// Literal client secret there.
        "targetClientSecret" => target_client_secret: Hidden;
        /// Environment variable with the client secret there.
        "targetClientSecretEnv" => target_client_secret_env: Text;
        /// Audience of the grant: the backend's authorization server. Required.
        always "targetAudience" => target_audience: Text;
        /// Resource asked for (RFC 8707).
        "targetResource" => target_resource: Text;
        /// Scopes asked for.
        "scopes" => scopes: Texts;
        /// Upstream provider whose token is used, with an embedded authorization server.
        "subjectProviderName" => subject_provider_name: Text;
        /// Type of the caller's token; only the id token is accepted.
        "subjectTokenType" => subject_token_type: Text = "urn:ietf:params:oauth:token-type:id_token"
            ["urn:ietf:params:oauth:token-type:id_token"];
        /// CA bundle that the identity provider is verified against, in addition to the system roots. Only this program.
        "caBundlePath" => ca_bundle_path: Text;
        /// The same for the backend's authorization server, so that neither can pass for the other. Only this program.
        "targetCaBundlePath" => target_ca_bundle_path: Text;
    }
}

/// A strategy with the block that belongs to its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AuthStrategy<'c> {
    /// Nothing is sent. Also what `discovered` means.
    Unauthenticated,
    /// One fixed header.
    HeaderInjection(&'c HeaderInjectionConfig),
    /// RFC 8693.
    TokenExchange(&'c TokenExchangeConfig),
    /// A provider's token as it is.
    UpstreamInject(&'c UpstreamInjectConfig),
    /// SigV4.
    AwsSts(&'c AwsStsConfig),
    /// On behalf of.
    Obo(&'c OboConfig),
    /// Cross-application access.
    Xaa(&'c XaaConfig),
}

impl BackendAuthStrategy {
    /// The strategy; `None` if its type is unknown or its block is missing, which is an error among the findings.
    #[must_use]
    pub fn strategy(&self) -> Option<AuthStrategy<'_>> {
        match self.kind.as_ref()?.as_str() {
            "unauthenticated" | "discovered" => Some(AuthStrategy::Unauthenticated),
            "header_injection" => self.header_injection.as_deref().map(AuthStrategy::HeaderInjection),
            "token_exchange" => self.token_exchange.as_deref().map(AuthStrategy::TokenExchange),
            "upstream_inject" => self.upstream_inject.as_deref().map(AuthStrategy::UpstreamInject),
            "aws_sts" => self.aws_sts.as_deref().map(AuthStrategy::AwsSts),
            "obo" => self.obo.as_deref().map(AuthStrategy::Obo),
            "xaa" => self.xaa.as_deref().map(AuthStrategy::Xaa),
            _ => None,
        }
    }
}

/// Which strategy a backend has, and where it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Configured<'c> {
    /// Its own `auth`.
    Inline(&'c BackendAuthStrategy),
    /// `outgoingAuth.backends` under its name.
    Own(&'c BackendAuthStrategy),
    /// `outgoingAuth.default`.
    Default(&'c BackendAuthStrategy),
    /// None: unauthenticated.
    Nothing,
}

impl<'c> Configured<'c> {
    /// The strategy as written; `None` for [`Configured::Nothing`].
    #[must_use]
    pub fn written(self) -> Option<&'c BackendAuthStrategy> {
        match self {
            Self::Inline(strategy) | Self::Own(strategy) | Self::Default(strategy) => Some(strategy),
            Self::Nothing => None,
        }
    }
}

impl Config {
    /// The strategy of a backend: its own `auth`, else `outgoingAuth.backends`, else `outgoingAuth.default`, else none. A
    /// strategy that could not be read still stands here, so that the default never takes its place; errors about it
    /// are among the findings.
    #[must_use]
    pub fn auth_of<'c>(&'c self, backend: &'c StaticBackendConfig) -> Configured<'c> {
        if let Some(inline) = &backend.auth {
            return Configured::Inline(inline);
        }
        let Some(outgoing) = &self.outgoing_auth else { return Configured::Nothing };
        let own = backend.name.as_ref().and_then(|name| outgoing.backends.get(name));
        match (own, &outgoing.default) {
            (Some(own), _) => Configured::Own(own),
            (None, Some(default)) => Configured::Default(default),
            (None, None) => Configured::Nothing,
        }
    }
}
