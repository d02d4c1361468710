//! `incomingAuth`: how callers are identified and what they may do.
//!
//! Nothing here checks a token.

use super::*;

model! {
    /// How callers are identified and what they may do.
    pub struct IncomingAuthConfig, "`incomingAuth`" {
        /// How callers prove who they are: `oidc` asks for a bearer token, `anonymous` and `local` for nothing. Required.
        always "type" => kind: Text ["oidc", "local", "anonymous"];
        /// The identity provider; required for `oidc`.
        "oidc" => oidc: Option<OidcConfig>;
        /// What identified callers may do; absent means everything.
        "authz" => authz: Option<AuthzConfig>;
    }

    /// The identity provider whose tokens are accepted.
    pub struct OidcConfig, "`incomingAuth.oidc`" {
        /// Issuer URL, equal to the `iss` claim. Required.
        always "issuer" => issuer: Text;
        /// Client id at the provider, for introspection.
        always "clientId" => client_id: Text;
        /// Environment variable with the client secret for introspection; then `VMCP_OIDC_CLIENT_SECRET` and
        /// `TOOLHIVE_OIDC_CLIENT_SECRET` are looked at. Go ignores the key and reads the last one.
        "clientSecretEnv" => client_secret_env: Text;
        /// What the `aud` claim must contain. Required.
        always "audience" => audience: Text;
        /// URL of this server in its protected resource metadata (RFC 9728).
        "resource" => resource: Text;
        /// Where the signing keys are; found from the issuer if empty.
        "jwksUrl" => jwks_url: Text;
        /// Where opaque tokens are asked about (RFC 7662).
        "introspectionUrl" => introspection_url: Text;
        /// Scopes named in the protected resource metadata; demanded of tokens with `--enforce-scopes`.
        "scopes" => scopes: Texts;
        /// Lets the provider have a private address. The same switch as `jwksAllowPrivateIp`.
        "protectedResourceAllowPrivateIp" => protected_resource_allow_private_ip: Flag = "false";
        /// Lets the provider have a private address. The same switch as `protectedResourceAllowPrivateIp`.
        "jwksAllowPrivateIp" => jwks_allow_private_ip: Flag = "false";
        /// Lets the issuer have an `http` URL; for development.
        "insecureAllowHttp" => insecure_allow_http: Flag = "false";
        /// Absolute path of a PEM file whose certificates are trusted for the provider in addition to the system roots.
        "caBundlePath" => ca_bundle_path: Text;
    }

    /// What identified callers may do.
    pub struct AuthzConfig, "`incomingAuth.authz`" {
        /// `cedar` decides by policies, `none` allows everything. Required.
        always "type" => kind: Text ["cedar", "none"];
        /// Cedar policies; at least one for `cedar`.
        "policies" => policies: Texts;
        /// Cedar entities as a JSON list.
        "entitiesJson" => entities_json: Text = "[]";
        /// Upstream provider whose token's claims are judged in place of the caller's own.
        "primaryUpstreamProvider" => primary_upstream_provider: Text;
        /// Claim that lists groups; `groups`, `roles` and `cognito:groups` are tried if it is empty.
        "groupClaimName" => group_claim_name: Text;
        /// Claim that lists roles, added to the groups.
        "roleClaimName" => role_claim_name: Text;
        /// Cedar entity type of groups, one identifier.
        "groupEntityType" => group_entity_type: Text;
    }
}
