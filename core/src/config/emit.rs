//! Writes the model as Go writes it: the same keys in the same order, empty ones left out, durations as text.
//!
//! It never writes a literal secret: `[secret]` stands in its place. The text format (YAML, JSON) is the caller's.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use super::duration::Duration;
use super::model::{self, Table};
use super::source::{List, Map, Present, Spanned};
use crate::diagnostic::pointer;
use crate::secret::Secret;
use crate::shape::quoted;

/// A part of a configuration as it is written: keys in Go's order, maps sorted.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Tree {
    /// Nothing.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A number with a fraction.
    Float(f64),
    /// Text, durations, and what stands in place of secrets.
    Text(String),
    /// A list.
    List(Vec<Tree>),
    /// A struct or a map.
    Map(Vec<(Cow<'static, str>, Tree)>),
}

impl Tree {
    /// The same without some keys, if it is a struct or a map.
    #[must_use]
    pub fn without(mut self, keys: &[&str]) -> Self {
        if let Self::Map(entries) = &mut self {
            entries.retain(|(key, _)| !keys.contains(&key.as_ref()));
        }
        self
    }

    /// Everything in it that has nothing in itself, with its JSON pointer (RFC 6901), in order.
    #[must_use]
    pub fn leaves(&self) -> Vec<(String, &Self)> {
        let mut found = Vec::new();
        self.add_leaves(String::new(), &mut found);
        found
    }

    fn add_leaves<'t>(&'t self, at: String, found: &mut Vec<(String, &'t Self)>) {
        match self {
            Self::Map(entries) if !entries.is_empty() => {
                entries.iter().for_each(|(key, value)| value.add_leaves(pointer(&at, key), found));
            }
            Self::List(items) if !items.is_empty() => {
                let items = items.iter().enumerate();
                items.for_each(|(index, value)| value.add_leaves(pointer(&at, &index.to_string()), found));
            }
            leaf => found.push((at, leaf)),
        }
    }
}

/// As JSON on one line.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write(&mut out);
        f.write_str(&out)
    }
}

impl Tree {
    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => out.push_str(&value.to_string()),
            Self::Float(value) => match serde_json::Number::from_f64(*value) {
                Some(number) => out.push_str(&number.to_string()),
                None => out.push_str("null"),
            },
            Self::Text(value) => quoted(value, out),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Map(entries) => {
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    quoted(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(value), _) => serializer.serialize_i64(value),
                (_, Ok(value)) => serializer.serialize_u64(value),
                _ => serializer.serialize_i128(*value),
            },
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// A kind of value that knows when Go's `omitempty` leaves it out.
pub(crate) trait Emitted {
    fn is_zero(&self) -> bool;

    fn tree(&self) -> Tree;
}

/// A struct by the positions of its keys.
pub(crate) trait Members {
    /// Its keys.
    fn table(&self) -> &'static Table;

    /// The value of the key at `position`.
    fn member(&self, position: usize) -> Option<&dyn Emitted>;
}

/// A struct as it is written.
pub(crate) fn members(of: &dyn Members) -> Tree {
    let written = of.table().keys.iter().enumerate().filter_map(|(position, key)| {
        let value = of.member(position)?;
        let there = key.emit == model::Emit::Always || !value.is_zero();
        there.then(|| (Cow::Borrowed(key.name), value.tree()))
    });
    Tree::Map(written.collect())
}

macro_rules! scalars {
    ($($ty:ty, $zero:expr, |$value:ident| $tree:expr;)*) => {$(
        impl Emitted for Spanned<$ty> {
            fn is_zero(&self) -> bool {
                let zero: fn(&$ty) -> bool = $zero;
                zero(&self.value)
            }

            fn tree(&self) -> Tree {
                let $value = &self.value;
                $tree
            }
        }

        impl Emitted for Option<Spanned<$ty>> {
            fn is_zero(&self) -> bool {
                self.as_ref().is_none_or(Emitted::is_zero)
            }

            fn tree(&self) -> Tree {
                let zero = <$ty>::default();
                let $value = self.as_ref().map_or(&zero, |spanned| &spanned.value);
                $tree
            }
        }
    )*};
}

scalars! {
    String, String::is_empty, |value| Tree::Text(value.clone());
    bool, |value| !value, |value| Tree::Bool(*value);
    i32, |value| *value == 0, |value| Tree::Int((*value).into());
    i64, |value| *value == 0, |value| Tree::Int((*value).into());
    Duration, |value| value.as_nanos() == 0, |value| Tree::Text(value.to_string());
    Secret, Secret::is_empty, |value| Tree::Text(if value.is_empty() { "" } else { "[secret]" }.into());
}

impl<T> Emitted for Present<T>
where
    Option<Spanned<T>>: Emitted,
{
    fn is_zero(&self) -> bool {
        self.0.is_none()
    }

    fn tree(&self) -> Tree {
        self.0.tree()
    }
}

impl<T: Emitted> Emitted for Option<Box<T>> {
    fn is_zero(&self) -> bool {
        self.is_none()
    }

    fn tree(&self) -> Tree {
        self.as_ref().map_or(Tree::Null, |value| value.tree())
    }
}

impl<T: Emitted> Emitted for List<T> {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn tree(&self) -> Tree {
        Tree::List(self.iter().map(Emitted::tree).collect())
    }
}

impl<T: Emitted> Emitted for Map<T> {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn tree(&self) -> Tree {
        Tree::Map(self.iter_sorted().map(|(key, value)| (Cow::Owned(key.value.clone()), value.tree())).collect())
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
