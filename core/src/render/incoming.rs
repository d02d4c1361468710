//! `spec.incomingAuth` and `spec.telemetryConfigRef` → `incomingAuth` and `telemetry`, through the resources that they
//! name.
//!
//! It judges no policy and no issuer; the configuration's validators do.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::backends::config_map_ref;
use super::objects::Object;
use super::server::{Left, Making};
use crate::config::decode::shown;
use crate::crd::{Kind, text};
use crate::diagnostic::{Diagnostic, code};
use crate::headers::environment_segment;
use crate::text::Span;
use crate::yaml::{self, Draft, Fields, Node};

/// Where CA bundles of issuers are mounted.
const CERTIFICATES: &str = "/config/certs";
/// What a pod has of the cluster that it runs in.
const CLUSTER_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
const CLUSTER_ISSUER: &str = "https://kubernetes.default.svc";
/// The only type of authorizer that a vMCP has.
const CEDAR: &str = "cedarv1";

impl<'n, 't> Making<'n, 't, '_, '_> {
    pub(super) fn incoming(&mut self) -> Result<Draft<'n, 't>, Left> {
        let written = self.server.spec("incomingAuth").ok_or(Left)?;
        let part = |key| written.get(key).filter(|part| !part.is_null());
        let mut incoming = Fields::at(written.span());
        incoming.copy("type", part("type"));
        let mut whole = Ok(());
        if let Some(reference) = part("oidcConfigRef") {
            match self.oidc(reference) {
                Ok(oidc) => incoming.put("oidc", Draft::Map(oidc)),
                Err(Left) => whole = Err(Left),
            }
        }
        let authz = match (part("authzConfig"), part("authzConfigRef")) {
            (Some(own), Some(reference)) => {
                let message = "`authzConfig` and `authzConfigRef` both say who may do what; expected one of them";
                let finding = Diagnostic::new(code::AUTH_CONFLICTING_KEYS, message).at(reference.span());
                let place = crate::diagnostic::Place::input(own.span());
                self.keep(finding.path("/spec/incomingAuth/authzConfigRef").related(place, "`authzConfig`"));
                return Err(Left);
            }
            (Some(own), None) => Some(self.authz(own)),
            (None, Some(reference)) => Some(self.authz_of(reference)),
            (None, None) => None,
        };
        match authz {
            Some(Ok(authz)) => incoming.put("authz", Draft::Map(authz)),
            Some(Err(Left)) => whole = Err(Left),
            None => {}
        }
        whole.map(|()| Draft::Map(incoming))
    }

    /// `incomingAuth.oidc` of an `MCPOIDCConfig` and what the reference adds to it.
    fn oidc(&mut self, reference: Node<'n, 't>) -> Result<Fields<'n, 't>, Left> {
        let path = "/spec/incomingAuth/oidcConfigRef/name";
        let object = self.whole(Kind::MCPOIDCConfig, reference, path)?;
        let block = |key: &'static str| object.spec(key);
        let mut oidc = Fields::at(reference.span());
        let span = reference.span();
        match object.spec_text("type") {
            Some("inline") => {
                let inline = block("inline").ok_or_else(|| self.no_block(object, "inline"))?;
                for key in ["issuer", "clientId", "jwksUrl", "introspectionUrl"] {
                    oidc.copy(key, inline.get(key));
                }
                for (key, from) in [
                    ("jwksAllowPrivateIp", "jwksAllowPrivateIP"),
                    ("protectedResourceAllowPrivateIp", "protectedResourceAllowPrivateIP"),
                    ("insecureAllowHttp", "insecureAllowHTTP"),
                ] {
                    oidc.copy(key, inline.get(from).filter(|flag| flag.text() == Some("true")));
                }
                if let Some(secret) = inline.get("clientSecretRef").filter(|secret| !secret.is_null()) {
                    oidc.text("clientSecretEnv", secret.span(), "VMCP_OIDC_CLIENT_SECRET");
                    self.own_secret("VMCP_OIDC_CLIENT_SECRET", secret, "/spec/inline/clientSecretRef");
                }
                if let Some((map, key, at)) = inline.get("caBundleRef").and_then(config_map_ref) {
                    let path = self.certificates("oidc-ca-bundle-", CERTIFICATES, map, key, at);
                    oidc.text("caBundlePath", at, path);
                }
            }
            Some("kubernetesServiceAccount") => {
                let account = block("kubernetesServiceAccount");
                let part = |key: &str| account.and_then(|account| account.get(key)).filter(|part| !part.is_null());
                match part("issuer").filter(|issuer| text(*issuer).is_some_and(|text| !text.is_empty())) {
                    Some(issuer) => oidc.put("issuer", Draft::Node(issuer)),
                    None => oidc.text("issuer", object.at, CLUSTER_ISSUER),
                }
                oidc.text("clientId", object.at, "");
                oidc.copy("jwksUrl", part("jwksUrl"));
                oidc.copy("introspectionUrl", part("introspectionUrl"));
                if part("useClusterAuth").and_then(Node::text) != Some("false") {
                    oidc.text("caBundlePath", object.at, CLUSTER_CA);
                    oidc.put("jwksAllowPrivateIp", Draft::Plain(object.at, "true".into()));
                }
            }
            _ => return Err(Left),
        }
        oidc.copy("audience", reference.get("audience"));
        oidc.copy("scopes", reference.get("scopes"));
        match reference.get("resourceUrl").filter(|url| text(*url).is_some_and(|url| !url.is_empty())) {
            Some(url) => oidc.put("resource", Draft::Node(url)),
            None => {
                let (name, namespace) = (self.server.name, self.server.namespace);
                oidc.text("resource", span, format!("http://{name}.{namespace}.svc.cluster.local:4483"));
            }
        }
        Ok(oidc)
    }

    /// `incomingAuth.authz` of `authzConfig`: policies that stand there, or in a ConfigMap.
    fn authz(&mut self, own: Node<'n, 't>) -> Result<Fields<'n, 't>, Left> {
        let path = "/spec/incomingAuth/authzConfig";
        let mut authz = Fields::at(own.span());
        authz.text("type", own.span(), "cedar");
        let kind = own.get("type");
        match kind.and_then(text).unwrap_or("configMap") {
            "inline" => {
                let Some(inline) = own.get("inline").filter(|inline| !inline.is_null()) else {
                    return Err(self.missing(kind, own, "inline", path));
                };
                if let Some(provider) = inline.get("primaryUpstreamProvider").filter(|provider| !provider.is_null()) {
                    let message = "`primaryUpstreamProvider` names a provider of the embedded authorization server, which is not rendered; expected none";
                    self.report(code::RENDER_NOT_SUPPORTED, provider.span(), path, message.into());
                    return Err(Left);
                }
                authz.copy("policies", inline.get("policies"));
                match inline.get("entitiesJson").filter(|entities| !entities.is_null()) {
                    Some(entities) => authz.put("entitiesJson", Draft::Node(entities)),
                    None => authz.text("entitiesJson", inline.span(), "[]"),
                }
            }
            _ => {
                let Some(map) = own.get("configMap").filter(|map| !map.is_null()) else {
                    return Err(self.missing(kind, own, "configMap", path));
                };
                self.authz_of_map(map, &mut authz)?;
            }
        }
        for key in ["groupClaimName", "roleClaimName", "groupEntityType"] {
            if let Some(value) = own.get(key).filter(|value| text(*value).is_some_and(|text| !text.is_empty())) {
                authz.take(key);
                authz.put(key, Draft::Node(value));
            }
        }
        Ok(authz)
    }

    /// Policies in a ConfigMap: a document of its own, YAML or JSON.
    fn authz_of_map(&mut self, reference: Node<'n, 't>, authz: &mut Fields<'n, 't>) -> Result<(), Left> {
        let path = "/spec/incomingAuth/authzConfig/configMap/name";
        let object = self.whole(Kind::ConfigMap, reference, path)?;
        let key = reference.get("key").and_then(text).filter(|key| !key.is_empty()).unwrap_or("authz.json");
        let value = object.node.get("data").and_then(|data| data.get(key));
        let found = value.and_then(|value| Some((value, text(value)?, value.positions(self.source)?)));
        let Some((value, content, positions)) = found else {
            let span = reference.get("key").or_else(|| reference.get("name")).map_or(reference.span(), Node::span);
            let message = format!("ConfigMap `{}` has no `{}` with text in it", shown(object.name), shown(key));
            let finding = Diagnostic::new(code::RENDER_MISSING_ENTRY, message).at(span).path(path);
            self.keep(finding.related(crate::diagnostic::Place::input(object.at), "this one"));
            return Err(Left);
        };
        let parsed = yaml::parse(content, &positions);
        let broken = parsed.diagnostics.iter().any(|one| one.severity() == crate::diagnostic::Severity::Error);
        for diagnostic in parsed.diagnostics {
            self.keep(diagnostic);
        }
        let root = parsed.tree.root().filter(|_| !broken).ok_or(Left)?;
        let kind = root.get("type").and_then(text).unwrap_or_default();
        if kind != CEDAR {
            self.not_cedar(kind, root.get("type").map_or(value.span(), Node::span));
            return Err(Left);
        }
        match root.get("cedar").filter(|cedar| !cedar.is_null()) {
            Some(cedar) => cedar_options(cedar, authz),
            None => {
                let span = root.get("type").map_or(value.span(), Node::span);
                let message = "`type` is `cedarv1`, and there is no `cedar` beside it; expected `{policies: […]}`";
                self.keep(Diagnostic::new(code::CONFIG_MISSING_KEY, message).at(span));
                return Err(Left);
            }
        }
        Ok(())
    }

    /// `incomingAuth.authz` of an `MCPAuthzConfig`.
    fn authz_of(&mut self, reference: Node<'n, 't>) -> Result<Fields<'n, 't>, Left> {
        let object = self.whole(Kind::MCPAuthzConfig, reference, "/spec/incomingAuth/authzConfigRef/name")?;
        let kind = object.spec_text("type").unwrap_or_default();
        if kind != CEDAR {
            self.not_cedar(kind, object.spec("type").map_or(object.at, Node::span));
            return Err(Left);
        }
        let mut authz = Fields::at(reference.span());
        authz.text("type", reference.span(), "cedar");
        cedar_options(object.spec("config").ok_or(Left)?, &mut authz);
        Ok(authz)
    }

    fn not_cedar(&mut self, kind: &str, span: Span) {
        let message = format!("authorizer `{}` is not one that a vMCP has; expected `{CEDAR}`", shown(kind));
        self.report(code::RENDER_NOT_SUPPORTED, span, "/spec/type", message);
    }

    /// An object without which nothing can be made.
    fn whole(&mut self, kind: Kind, reference: Node<'n, 't>, path: &str) -> Result<&'n Object<'n, 't>, Left> {
        self.resolve(kind, reference, path).map_err(|why| {
            self.tell(why);
            Left
        })
    }

    fn no_block(&mut self, object: &Object<'n, 't>, block: &str) -> Left {
        let kind = object.spec("type").map_or(object.at, Node::span);
        let message = format!("`type` is `{block}`, and there is no `{block}` beside it; expected it");
        self.report(code::CONFIG_MISSING_KEY, kind, &format!("/spec/{block}"), message);
        Left
    }

    fn missing(&mut self, kind: Option<Node<'n, 't>>, own: Node<'n, 't>, block: &str, path: &str) -> Left {
        let message = format!("`type` is `{block}`, and there is no `{block}` beside it; expected it");
        self.report(code::CONFIG_MISSING_KEY, kind.map_or(own.span(), Node::span), &format!("{path}/{block}"), message);
        Left
    }

    /// Mounts a ConfigMap with certificates by its own name, and gives the path of its key.
    fn certificates(&mut self, prefix: &str, base: &str, map: &'n str, key: &'n str, at: Span) -> String {
        if let Err(why) = self.check_entry(Kind::ConfigMap, map, key, at, "/spec/inline/caBundleRef/configMapRef") {
            self.tell(why);
        }
        let folder = format!("{base}/{map}");
        self.volume(super::pod::volume_name(prefix, map), folder.clone(), map, key, at);
        format!("{folder}/{key}")
    }

    /// `telemetry`, which comes from an `MCPTelemetryConfig` alone.
    pub(super) fn telemetry(&mut self, config: &mut Fields<'n, 't>) {
        let Some(reference) = self.server.spec("telemetryConfigRef") else { return };
        let Ok(object) = self.whole(Kind::MCPTelemetryConfig, reference, "/spec/telemetryConfigRef/name") else {
            return;
        };
        let at = reference.span();
        let (name, namespace) = (self.server.name, self.server.namespace);
        let service = reference.get("serviceName").filter(|name| text(*name).is_some_and(|name| !name.is_empty()));
        let mut telemetry = Fields::at(at);
        let on = |node: Option<Node<'n, 't>>| node.filter(|flag| flag.text() == Some("true"));
        if let Some(otel) = object.spec("openTelemetry") {
            let part = |key: &str| otel.get(key).filter(|part| !part.is_null());
            if on(part("enabled")).is_some() {
                if let Some((node, endpoint)) = part("endpoint").and_then(|node| Some((node, text(node)?))) {
                    let bare = endpoint.strip_prefix("https://").unwrap_or(endpoint);
                    telemetry.text("endpoint", node.span(), bare.strip_prefix("http://").unwrap_or(bare));
                }
                telemetry.copy("insecure", part("insecure"));
                telemetry.copy("headers", part("headers"));
                telemetry.copy("customAttributes", part("resourceAttributes"));
                match part("useLegacyAttributes") {
                    Some(flag) => telemetry.put("useLegacyAttributes", Draft::Node(flag)),
                    // The API server's default; without the key it would be the other one.
                    None => telemetry.put("useLegacyAttributes", Draft::Plain(otel.span(), "true".into())),
                }
                if let Some(tracing) = part("tracing") {
                    telemetry.copy("tracingEnabled", tracing.get("enabled"));
                    match tracing.get("samplingRate").filter(|rate| !rate.is_null()) {
                        Some(rate) => telemetry.put("samplingRate", Draft::Node(rate)),
                        None => telemetry.text("samplingRate", tracing.span(), "0.05"),
                    }
                }
                telemetry.copy("metricsEnabled", part("metrics").and_then(|metrics| metrics.get("enabled")));
            }
            let headers: Vec<_> = part("sensitiveHeaders").into_iter().flat_map(Node::items).collect();
            for header in headers {
                let (Some(name), Some(secret)) = (header.get("name").and_then(text), header.get("secretKeyRef")) else {
                    continue;
                };
                let variable = format!("TOOLHIVE_OTEL_HEADER_{}", environment_segment(name));
                self.own_secret(&variable, secret, "/spec/openTelemetry/sensitiveHeaders");
            }
            if let Some((map, key, at)) = part("caBundleRef").and_then(config_map_ref) {
                let path = self.certificates("otel-ca-bundle-", &format!("{CERTIFICATES}/otel"), map, key, at);
                telemetry.text("caCertPath", at, path);
            }
        }
        if let Some(prometheus) = object.spec("prometheus") {
            telemetry.copy("enablePrometheusMetricsPath", on(prometheus.get("enabled")));
            telemetry.copy("metricsOnTransportPort", prometheus.get("metricsOnTransportPort"));
        }
        let service_name = service.and_then(text).unwrap_or(name);
        telemetry.text("serviceName", service.map_or(at, Node::span), service_name);
        let attributes = format!("service.name={service_name},service.namespace={namespace}");
        self.literal("OTEL_RESOURCE_ATTRIBUTES".into(), attributes, at);
        config.put("telemetry", Draft::Map(telemetry));
    }
}

/// Cedar's options, which ConfigMaps and `MCPAuthzConfig`s spell with underscores.
fn cedar_options<'n, 't>(cedar: Node<'_, '_>, authz: &mut Fields<'n, 't>) {
    if let Some(policies) = cedar.get("policies") {
        let items =
            policies.items().filter_map(|policy| Some(Draft::text(policy.span(), String::from(policy.text()?))));
        authz.put("policies", Draft::List(policies.span(), items.collect()));
    }
    for (key, from) in [
        ("entitiesJson", "entities_json"),
        ("groupClaimName", "group_claim_name"),
        ("roleClaimName", "role_claim_name"),
        ("groupEntityType", "group_entity_type"),
    ] {
        if let Some((value, text)) = cedar.get(from).and_then(|value| Some((value, text(value)?))) {
            authz.text(key, value.span(), String::from(text));
        }
    }
}
