//! The keys of each specification, as data. `Emit::Always` stands for required; a default is the API server's.
//!
//! What rendering does not look at is not described further than its type.

use crate::config::{Emit, Key, Table, Type};

const fn key(name: &'static str, ty: fn() -> Type) -> Key {
    Key { name, ty, values: &[], default: None, doc: "", required: false, emit: Emit::Filled }
}

const fn required(name: &'static str, ty: fn() -> Type) -> Key {
    Key { emit: Emit::Always, ..key(name, ty) }
}

const fn one_of(key: Key, values: &'static [&'static str]) -> Key {
    Key { values, ..key }
}

macro_rules! table {
    ($name:ident, $noun:literal, [$($key:expr),* $(,)?]) => {
        pub(super) static $name: Table = Table { name: stringify!($name), noun: $noun, doc: "", keys: &[$($key),*] };
    };
}

fn text() -> Type {
    Type::Text
}
fn flag() -> Type {
    Type::Bool
}
fn int() -> Type {
    Type::Integer { min: i32::MIN as i64, max: i32::MAX as i64 }
}
fn texts() -> Type {
    Type::List(text)
}
fn text_map() -> Type {
    Type::Map(text)
}
fn any() -> Type {
    Type::Any
}
fn any_map() -> Type {
    Type::AnyMap
}
fn list() -> Type {
    Type::List(any)
}
fn named() -> Type {
    Type::Struct(|| &NAMED)
}
fn secret_ref() -> Type {
    Type::Struct(|| &SECRET_REF)
}

table!(NAMED, "a reference", [required("name", text)]);
table!(SECRET_REF, "a reference to a Secret", [required("name", text), required("key", text)]);
table!(CONFIG_MAP_REF, "`configMapRef`", [required("name", text), key("key", text), key("optional", flag)]);
table!(CA_BUNDLE, "`caBundleRef`", [key("configMapRef", || Type::Struct(|| &CONFIG_MAP_REF))]);
table!(
    HEADER_FROM_SECRET,
    "a header from a Secret",
    [required("headerName", text), required("valueSecretRef", secret_ref)]
);
table!(
    HEADER_FORWARD,
    "`headerForward`",
    [
        key("addPlaintextHeaders", text_map),
        key("addHeadersFromSecret", || Type::List(|| Type::Struct(|| &HEADER_FROM_SECRET))),
    ]
);

const TRANSPORTS: &[&str] = &["streamable-http", "sse"];

fn ca_bundle() -> Type {
    Type::Struct(|| &CA_BUNDLE)
}
fn header_forward() -> Type {
    Type::Struct(|| &HEADER_FORWARD)
}

table!(MCP_GROUP, "the spec of an MCPGroup", [key("description", text)]);

table!(
    MCP_SERVER_ENTRY,
    "the spec of an MCPServerEntry",
    [
        required("remoteUrl", text),
        one_of(required("transport", text), TRANSPORTS),
        required("groupRef", named),
        key("allowPrivateEndpoint", flag),
        key("externalAuthConfigRef", named),
        key("headerForward", header_forward),
        key("caBundleRef", ca_bundle),
    ]
);

table!(
    MCP_REMOTE_PROXY,
    "the spec of an MCPRemoteProxy",
    [
        required("remoteUrl", text),
        one_of(key("transport", text), TRANSPORTS),
        key("groupRef", named),
        key("allowPrivateEndpoint", flag),
        key("proxyPort", int),
        key("externalAuthConfigRef", named),
        key("headerForward", header_forward),
        key("oidcConfigRef", any_map),
        key("authServerRef", any_map),
        key("authzConfig", any_map),
        key("authzConfigRef", any_map),
        key("audit", any_map),
        key("endpointPrefix", text),
        key("podTemplateSpec", any_map),
        key("replicas", int),
        key("resourceOverrides", any_map),
        key("resources", any_map),
        key("serviceAccount", text),
        key("sessionAffinity", text),
        key("sessionStorage", any_map),
        key("telemetryConfigRef", any_map),
        key("toolConfigRef", any_map),
        key("trustProxyHeaders", flag),
    ]
);

table!(
    MCP_SERVER,
    "the spec of an MCPServer",
    [
        required("image", text),
        one_of(key("transport", text), &["stdio", "streamable-http", "sse"]),
        one_of(key("proxyMode", text), TRANSPORTS),
        key("proxyPort", int),
        key("groupRef", named),
        key("externalAuthConfigRef", named),
        key("mcpPort", int),
        key("maxRequestBodySize", int),
        key("args", texts),
        key("env", list),
        key("volumes", list),
        key("resources", any_map),
        key("secrets", list),
        key("serviceAccount", text),
        key("permissionProfile", any_map),
        key("podTemplateSpec", any_map),
        key("resourceOverrides", any_map),
        key("oidcConfigRef", any_map),
        key("authServerRef", any_map),
        key("authzConfig", any_map),
        key("authzConfigRef", any_map),
        key("audit", any_map),
        key("toolConfigRef", any_map),
        key("webhookConfigRef", any_map),
        key("telemetryConfigRef", any_map),
        key("trustProxyHeaders", flag),
        key("endpointPrefix", text),
        key("sessionAffinity", text),
        key("sessionStorage", any_map),
        key("rateLimiting", any_map),
        key("replicas", int),
        key("backendReplicas", int),
    ]
);

table!(
    TOKEN_EXCHANGE,
    "`tokenExchange`",
    [
        required("tokenUrl", text),
        required("audience", text),
        key("clientId", text),
        key("clientSecretRef", secret_ref),
        key("scopes", texts),
        key("subjectTokenType", text),
        key("subjectProviderName", text),
        key("externalTokenHeaderName", text),
    ]
);
table!(HEADER_INJECTION, "`headerInjection`", [required("headerName", text), required("valueSecretRef", secret_ref)]);
table!(BEARER_TOKEN, "`bearerToken`", [required("tokenSecretRef", secret_ref)]);
table!(UPSTREAM_INJECT, "`upstreamInject`", [required("providerName", text)]);
table!(
    ROLE_MAPPING,
    "a role mapping",
    [key("claim", text), key("matcher", text), required("roleArn", text), key("priority", int)]
);
table!(
    AWS_STS,
    "`awsSts`",
    [
        required("region", text),
        key("service", text),
        key("fallbackRoleArn", text),
        key("roleMappings", || Type::List(|| Type::Struct(|| &ROLE_MAPPING))),
        key("roleClaim", text),
        key("sessionDuration", int),
        key("sessionNameClaim", text),
        key("subjectProviderName", text),
    ]
);
table!(
    OBO,
    "`obo`",
    [
        key("tenantId", text),
        key("authority", text),
        key("clientId", text),
        key("clientSecretRef", secret_ref),
        key("audience", text),
        key("scopes", texts),
        key("subjectTokenProviderName", text),
        key("cacheSkew", text),
    ]
);
table!(
    XAA,
    "`xaa`",
    [
        required("idpTokenUrl", text),
        key("idpClientId", text),
        key("idpClientSecretRef", secret_ref),
        required("targetTokenUrl", text),
        key("insecureTargetTokenUrl", flag),
        key("targetClientId", text),
        key("targetClientSecretRef", secret_ref),
        required("targetAudience", text),
        key("targetResource", text),
        key("scopes", texts),
        key("subjectProviderName", text),
        key("subjectTokenType", text),
    ]
);
table!(
    EXTERNAL_AUTH,
    "the spec of an MCPExternalAuthConfig",
    [
        one_of(
            required("type", text),
            &[
                "tokenExchange",
                "headerInjection",
                "unauthenticated",
                "awsSts",
                "xaa",
                "obo",
                "upstreamInject",
                "bearerToken",
                "embeddedAuthServer",
            ]
        ),
        key("tokenExchange", || Type::Struct(|| &TOKEN_EXCHANGE)),
        key("headerInjection", || Type::Struct(|| &HEADER_INJECTION)),
        key("bearerToken", || Type::Struct(|| &BEARER_TOKEN)),
        key("embeddedAuthServer", any_map),
        key("awsSts", || Type::Struct(|| &AWS_STS)),
        key("upstreamInject", || Type::Struct(|| &UPSTREAM_INJECT)),
        key("obo", || Type::Struct(|| &OBO)),
        key("xaa", || Type::Struct(|| &XAA)),
    ]
);

table!(
    ANNOTATIONS,
    "`annotations`",
    [
        key("title", text),
        key("readOnlyHint", flag),
        key("destructiveHint", flag),
        key("idempotentHint", flag),
        key("openWorldHint", flag),
    ]
);
table!(
    TOOL_OVERRIDE,
    "a tool override",
    [key("name", text), key("description", text), key("annotations", || Type::Struct(|| &ANNOTATIONS))]
);
table!(
    TOOL_CONFIG,
    "the spec of an MCPToolConfig",
    [key("toolsFilter", texts), key("toolsOverride", || Type::Map(|| Type::Struct(|| &TOOL_OVERRIDE)))]
);

table!(
    OIDC_INLINE,
    "`inline`",
    [
        required("issuer", text),
        key("jwksUrl", text),
        key("introspectionUrl", text),
        key("clientId", text),
        key("clientSecretRef", secret_ref),
        key("caBundleRef", ca_bundle),
        key("jwksAuthTokenPath", text),
        key("jwksAllowPrivateIP", flag),
        key("protectedResourceAllowPrivateIP", flag),
        key("insecureAllowHTTP", flag),
    ]
);
table!(
    OIDC_SERVICE_ACCOUNT,
    "`kubernetesServiceAccount`",
    [
        key("serviceAccount", text),
        key("namespace", text),
        key("issuer", text),
        key("jwksUrl", text),
        key("introspectionUrl", text),
        key("useClusterAuth", flag),
    ]
);
table!(
    OIDC,
    "the spec of an MCPOIDCConfig",
    [
        one_of(required("type", text), &["inline", "kubernetesServiceAccount"]),
        key("inline", || Type::Struct(|| &OIDC_INLINE)),
        key("kubernetesServiceAccount", || Type::Struct(|| &OIDC_SERVICE_ACCOUNT)),
    ]
);

table!(AUTHZ, "the spec of an MCPAuthzConfig", [required("type", text), required("config", any_map)]);

table!(SENSITIVE_HEADER, "a sensitive header", [required("name", text), required("secretKeyRef", secret_ref)]);
table!(METRICS, "`metrics`", [key("enabled", flag)]);
table!(TRACING, "`tracing`", [key("enabled", flag), key("samplingRate", text)]);
table!(PROMETHEUS, "`prometheus`", [key("enabled", flag), key("metricsOnTransportPort", flag)]);
table!(
    OPEN_TELEMETRY,
    "`openTelemetry`",
    [
        key("enabled", flag),
        key("endpoint", text),
        key("insecure", flag),
        key("headers", text_map),
        key("sensitiveHeaders", || Type::List(|| Type::Struct(|| &SENSITIVE_HEADER))),
        key("resourceAttributes", text_map),
        key("metrics", || Type::Struct(|| &METRICS)),
        key("tracing", || Type::Struct(|| &TRACING)),
        key("useLegacyAttributes", flag),
        key("caBundleRef", ca_bundle),
    ]
);
table!(
    TELEMETRY,
    "the spec of an MCPTelemetryConfig",
    [key("openTelemetry", || Type::Struct(|| &OPEN_TELEMETRY)), key("prometheus", || Type::Struct(|| &PROMETHEUS))]
);

table!(
    EMBEDDING_SERVER,
    "the spec of an EmbeddingServer",
    [
        key("model", text),
        key("port", int),
        key("args", texts),
        key("env", list),
        key("hfTokenSecretRef", secret_ref),
        key("image", text),
        key("imagePullPolicy", text),
        key("modelCache", any_map),
        key("podTemplateSpec", any_map),
        key("replicas", int),
        key("resourceOverrides", any_map),
        key("resources", any_map),
    ]
);

table!(AUTHZ_CONFIG_MAP, "`configMap`", [required("name", text), key("key", text)]);
table!(
    AUTHZ_INLINE,
    "`inline`",
    [required("policies", texts), key("entitiesJson", text), key("primaryUpstreamProvider", text)]
);
table!(
    AUTHZ_CONFIG,
    "`authzConfig`",
    [
        one_of(key("type", text), &["inline", "configMap"]),
        key("inline", || Type::Struct(|| &AUTHZ_INLINE)),
        key("configMap", || Type::Struct(|| &AUTHZ_CONFIG_MAP)),
        key("groupClaimName", text),
        key("roleClaimName", text),
        key("groupEntityType", text),
    ]
);
table!(
    OIDC_REF,
    "`oidcConfigRef`",
    [required("name", text), required("audience", text), key("scopes", texts), key("resourceUrl", text)]
);
table!(
    INCOMING_AUTH,
    "`incomingAuth`",
    [
        one_of(required("type", text), &["anonymous", "oidc"]),
        key("oidcConfigRef", || Type::Struct(|| &OIDC_REF)),
        key("authzConfig", || Type::Struct(|| &AUTHZ_CONFIG)),
        key("authzConfigRef", named),
    ]
);
table!(
    BACKEND_AUTH,
    "a backend's auth",
    [one_of(required("type", text), &["externalAuthConfigRef", "discovered"]), key("externalAuthConfigRef", named)]
);
table!(
    OUTGOING_AUTH,
    "`outgoingAuth`",
    [
        one_of(key("source", text), &["inline", "discovered"]),
        key("default", || Type::Struct(|| &BACKEND_AUTH)),
        key("backends", || Type::Map(|| Type::Struct(|| &BACKEND_AUTH))),
    ]
);
table!(
    SESSION_STORAGE,
    "`sessionStorage`",
    [
        one_of(required("provider", text), &["memory", "redis"]),
        key("address", text),
        key("db", int),
        key("keyPrefix", text),
        key("passwordRef", secret_ref),
    ]
);
table!(TELEMETRY_REF, "`telemetryConfigRef`", [required("name", text), key("serviceName", text)]);
table!(
    VIRTUAL_MCP_SERVER,
    "the spec of a VirtualMCPServer",
    [
        required("groupRef", named),
        required("incomingAuth", || Type::Struct(|| &INCOMING_AUTH)),
        key("outgoingAuth", || Type::Struct(|| &OUTGOING_AUTH)),
        key("config", any_map),
        key("telemetryConfigRef", || Type::Struct(|| &TELEMETRY_REF)),
        key("embeddingServerRef", named),
        key("sessionStorage", || Type::Struct(|| &SESSION_STORAGE)),
        key("passthroughHeaders", texts),
        key("authServerConfig", any_map),
        key("podTemplateSpec", any_map),
        key("serviceType", text),
        key("sessionAffinity", text),
        key("serviceAccount", text),
        key("replicas", int),
        key("imagePullSecrets", list),
    ]
);
