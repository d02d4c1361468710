//! Writes the model as Go writes it: the same keys in the same order, empty ones left out, durations as text.
//!
//! It never writes a literal secret: `[secret]` stands in its place. The text format (YAML, JSON) is the caller's.

use alloc::boxed::Box;
use alloc::string::String;

use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use super::duration::Duration;
use super::source::{List, Map, Present, Spanned};
use crate::secret::Secret;

/// A kind of value that knows when Go's `omitempty` leaves it out.
pub(crate) trait Emitted {
    fn is_zero(&self) -> bool;

    fn emit<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// Serialises by [`Emitted`].
pub(crate) struct Emit<'a, T>(pub(crate) &'a T);

impl<T: Emitted> Serialize for Emit<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.emit(serializer)
    }
}

macro_rules! scalars {
    ($($ty:ty, $zero:expr, |$value:ident, $serializer:ident| $emit:expr;)*) => {$(
        impl Emitted for Spanned<$ty> {
            fn is_zero(&self) -> bool {
                let zero: fn(&$ty) -> bool = $zero;
                zero(&self.value)
            }

            fn emit<S: Serializer>(&self, $serializer: S) -> Result<S::Ok, S::Error> {
                let $value = &self.value;
                $emit
            }
        }

        impl Emitted for Option<Spanned<$ty>> {
            fn is_zero(&self) -> bool {
                self.as_ref().is_none_or(Emitted::is_zero)
            }

            fn emit<S: Serializer>(&self, $serializer: S) -> Result<S::Ok, S::Error> {
                let zero = <$ty>::default();
                let $value = self.as_ref().map_or(&zero, |spanned| &spanned.value);
                $emit
            }
        }
    )*};
}

scalars! {
    String, String::is_empty, |value, serializer| serializer.serialize_str(value);
    bool, |value| !value, |value, serializer| serializer.serialize_bool(*value);
    i32, |value| *value == 0, |value, serializer| serializer.serialize_i32(*value);
    i64, |value| *value == 0, |value, serializer| serializer.serialize_i64(*value);
    Duration, |value| value.as_nanos() == 0, |value, serializer| value.serialize(serializer);
    Secret, Secret::is_empty, |value, serializer| {
        serializer.serialize_str(if value.is_empty() { "" } else { "[secret]" })
    };
}

impl<T> Emitted for Present<T>
where
    Option<Spanned<T>>: Emitted,
{
    fn is_zero(&self) -> bool {
        self.0.is_none()
    }

    fn emit<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.emit(serializer)
    }
}

impl<T: Emitted> Emitted for Option<Box<T>> {
    fn is_zero(&self) -> bool {
        self.is_none()
    }

    fn emit<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(value) => value.emit(serializer),
            None => serializer.serialize_unit(),
        }
    }
}

impl<T: Emitted> Emitted for List<T> {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn emit<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len()))?;
        for item in self {
            list.serialize_element(&Emit(item))?;
        }
        list.end()
    }
}

impl<T: Emitted> Emitted for Map<T> {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn emit<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter_sorted() {
            map.serialize_entry(&key.value, &Emit(value))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{findings_of_all, read};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// As the operator writes it: the order of Go's structs, sorted maps, no empty keys.
    const OPERATOR: &str = "name: demo
groupRef: demo-group
backends:
    - name: partner-api
      url: https://mcp.partner.example/mcp
      transport: streamable-http
      caBundlePath: /etc/toolhive/ca-bundles/partner-api/ca.crt
      metadata:
        group: demo-group
        namespace: default
        remote_url: https://mcp.partner.example/mcp
        tool_type: mcp
        workload_status: Ready
        workload_type: server_entry
    - name: wiki
      url: http://mcp-wiki-proxy.default.svc.cluster.local:8080
      transport: sse
      metadata:
        group: demo-group
        tool_type: mcp
        workload_type: mcp_server
incomingAuth:
    type: oidc
    oidc:
        issuer: https://idp.example
        clientId: demo
        clientSecretEnv: VMCP_OIDC_CLIENT_SECRET
        audience: demo
        resource: http://demo.default.svc.cluster.local:4483
    authz:
        type: cedar
        policies:
            - permit(principal, action, resource);
outgoingAuth:
    source: inline
    backends:
        partner-api:
            type: header_injection
            headerInjection:
                headerName: X-Api-Key
                headerValueEnv: TOOLHIVE_HEADER_INJECTION_VALUE_PARTNER_KEY
aggregation:
    conflictResolution: prefix
    conflictResolutionConfig:
        prefixFormat: '{workload}_'
operational:
    timeouts:
        default: 30s
    failureHandling:
        healthCheckInterval: 30s
        unhealthyThreshold: 3
        statusReportingInterval: 30s
        partialFailureMode: fail
        circuitBreaker:
            failureThreshold: 5
            timeout: 1m0s
sessionStorage:
    provider: redis
    address: redis.default.svc:6379
rateLimiting:
    shared:
        maxTokens: 100
        refillPeriod:
            duration: 1m0s
";

    #[test]
    fn what_the_operator_writes_comes_back_key_by_key() {
        let (config, _) = read(OPERATOR);
        let written = serde_json::to_string_pretty(&config.effective()).unwrap();
        // The same keys, in the same order, with the same texts.
        let flat = |text: &str| {
            text.split(|c: char| c.is_whitespace() || "{}[],\"'".contains(c))
                .filter(|part| !part.is_empty() && *part != "-")
                .collect::<alloc::vec::Vec<_>>()
                .join(" ")
        };
        assert_eq!(flat(&written).replace(" : ", ": ").replace(" :", ":"), flat(OPERATOR));
    }

    #[test]
    fn what_the_operator_writes_is_understood() {
        assert_eq!(
            findings_of_all(OPERATOR),
            [
                "backend/inferred-entry /backends/0/caBundlePath «/etc/toolhive/ca-bundles/partner-api/ca.crt» `caBundlePath` stands beside an empty `type`; read as `type: entry`",
                "runtime/unenforced /incomingAuth/authz «authz» `incomingAuth.authz` is not enforced yet: callers may do everything {`serve` refuses to start unless `--allow-unenforced=incomingAuth.authz` is given}",
                "runtime/not-acted-on /operational/failureHandling «failureHandling» `operational.failureHandling` is not acted on yet: backends are not probed, and a list goes on without one that fails",
                "runtime/not-acted-on /sessionStorage «sessionStorage» `sessionStorage` is not acted on yet: sessions are kept in memory",
                "runtime/unenforced /rateLimiting «rateLimiting» `rateLimiting` is not enforced yet: calls are not counted {`serve` refuses to start unless `--allow-unenforced=rateLimiting` is given}",
            ]
        );
    }

    #[test]
    fn a_literal_secret_is_neither_written_nor_debugged() {
        let text = "
outgoingAuth:
  source: inline
  default: {type: header_injection, headerInjection: {headerName: X, headerValue: s3cr3t}}
  backends: {a: {type: obo, obo: {tokenUrl: 'https://i', clientSecret: s3cr3t}}, b: {type: xaa, xaa: {idpClientSecret: s3cr3t, targetClientSecret: s3cr3t}}}
telemetry: {headers: {Authorization: s3cr3t}}
optimizer: {embeddingProvider: openai, embeddingHeaders: {X: s3cr3t}}
";
        let (config, findings) = read(text);
        let written = serde_json::to_string(&config.effective()).unwrap();
        assert_eq!(written.matches("[secret]").count(), 6);
        for shown in [written, alloc::format!("{config:?}"), alloc::format!("{findings:?}")] {
            assert!(!shown.contains("s3cr3t"), "{shown}");
        }
    }
}
