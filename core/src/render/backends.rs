//! The servers of a group → `backends`, their strategies → `outgoingAuth`, and what the pod must have for both.
//!
//! A server whose credentials cannot be told is left out: without an entry of its own it would get the default's.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::objects::Object;
use super::server::{Diagnosed, Left, Making};
use crate::config::decode::shown;
use crate::converters::{self, ExternalAuth, REGISTRY, Refusal, SecretVariable};
use crate::crd::{Kind, text};
use crate::diagnostic::{Diagnostic, Place, code};
use crate::discovery::header_forward::{manifest_variable, secret_variable};
use crate::headers::environment_segment;
use crate::order;
use crate::shape::Shape as _;
use crate::text::Span;
use crate::yaml::{Draft, Fields, Node, Shape};

/// Where CA bundles of entries are mounted.
const CA_BUNDLES: &str = "/etc/toolhive/ca-bundles";
/// Annotations of Kubernetes itself, which the operator does not take over.
const STANDARD_ANNOTATIONS: [&str; 4] =
    ["kubectl.kubernetes.io/", "kubernetes.io/", "deployment.kubernetes.io/", "k8s.io/"];

/// A server that is served.
pub(super) struct Backend<'n, 't> {
    pub(super) name: &'n str,
    pub(super) fields: Fields<'n, 't>,
    object: &'n Object<'n, 't>,
    /// The strategy that its own `externalAuthConfigRef` names.
    own: Option<Fields<'n, 't>>,
}

/// The group's servers.
pub(super) struct Backends<'n, 't> {
    pub(super) served: Vec<Backend<'n, 't>>,
    /// Whether one is left out for an error that was told, so that it is no news if none remains.
    pub(super) some_left: bool,
}

/// The strategies, and the names of the backends that must not be served because theirs could not be made.
pub(super) type Outgoing<'n, 't> = (Draft<'n, 't>, BTreeSet<&'n str>);

impl<'n, 't> Making<'n, 't, '_, '_> {
    /// The group's servers, by name.
    pub(super) fn backends(&mut self, group_name: &str) -> Backends<'n, 't> {
        let in_group = |object: &&Object<'n, 't>| {
            matches!(object.kind, Kind::MCPServer | Kind::MCPRemoteProxy | Kind::MCPServerEntry)
                && object.namespace == self.server.namespace
                && object.spec("groupRef").and_then(|group| group.get("name")).and_then(text) == Some(group_name)
        };
        let mut found: Vec<&'n Object<'n, 't>> = self.objects.all.iter().filter(in_group).collect();
        order::sort(&mut found, |a, b| (a.name, a.kind).cmp(&(b.name, b.kind)));
        let mut backends = Backends { served: Vec::new(), some_left: false };
        for object in found {
            if !object.is_sound() {
                backends.some_left = true;
                continue;
            }
            if let (Kind::MCPServerEntry, Some((phase, span))) = (object.kind, object.status("phase"))
                && phase != "Valid"
            {
                let message = format!(
                    "`{}` is `{}`, not `Valid`; the operator would leave it out, and so does this",
                    shown(object.name),
                    shown(phase)
                );
                self.report(code::RENDER_NOT_READY, span, "/status/phase", message);
                continue;
            }
            let own = match object.spec("externalAuthConfigRef") {
                None => None,
                Some(reference) => match self.strategy(reference, "/spec/externalAuthConfigRef/name") {
                    Ok(strategy) => Some(strategy),
                    Err(why) => {
                        self.tell_local(why);
                        backends.some_left = true;
                        continue;
                    }
                },
            };
            if let Err(why) = self.has_what_it_names(object) {
                self.tell_local(why);
                backends.some_left = true;
                continue;
            }
            backends.served.push(Backend { name: object.name, fields: self.entry(object, group_name), object, own });
        }
        backends
    }

    /// One entry of `backends`.
    fn entry(&mut self, object: &'n Object<'n, 't>, group_name: &str) -> Fields<'n, 't> {
        let (at, name, namespace) = (object.at, object.name, object.namespace);
        let port = || object.spec("proxyPort").and_then(Node::text).unwrap_or("8080");
        let transport = object.spec("transport");
        let mut fields = Fields::at(at);
        fields.text("name", at, name);
        let (kind, remote) = match object.kind {
            Kind::MCPServerEntry => {
                fields.copy("url", object.spec("remoteUrl"));
                fields.copy("transport", transport);
                fields.text("type", at, "entry");
                if let Some((_, key, _)) = ca_bundle(object) {
                    fields.text("caBundlePath", at, format!("{CA_BUNDLES}/{name}/{key}"));
                }
                ("server_entry", object.spec("remoteUrl"))
            }
            Kind::MCPRemoteProxy => {
                let url = || format!("http://mcp-{name}-remote-proxy.{namespace}.svc.cluster.local:{}", port());
                self.url(&mut fields, object, url);
                match transport {
                    Some(_) => fields.copy("transport", transport),
                    None => fields.text("transport", at, "streamable-http"),
                }
                ("remote_proxy", object.spec("remoteUrl"))
            }
            _ => {
                let (mode, span) = proxy_mode(object);
                let base = || format!("http://mcp-{name}-proxy.{namespace}.svc.cluster.local:{}", port());
                self.url(&mut fields, object, || match mode {
                    "sse" => format!("{}/sse#{name}", base()),
                    _ => format!("{}/mcp", base()),
                });
                fields.text("transport", span, mode);
                ("mcp_server", None)
            }
        };
        let ready = if object.kind == Kind::MCPServerEntry { "Valid" } else { "Ready" };
        let (status, status_at) = object.status("phase").unwrap_or((ready, at));
        let mut metadata = Fields::at(at);
        for (key, value) in annotations(object) {
            metadata.text(key, value.1, value.0);
        }
        for (key, span, value) in [
            ("group", at, String::from(group_name)),
            ("namespace", at, String::from(namespace)),
            ("tool_type", at, "mcp".into()),
            ("workload_status", status_at, status.into()),
            ("workload_type", at, kind.into()),
        ] {
            metadata.take(key);
            metadata.text(key, span, value);
        }
        if let Some(remote) = remote {
            metadata.take("remote_url");
            metadata.put("remote_url", Draft::Node(remote));
        }
        metadata.sort();
        fields.put("metadata", Draft::Map(metadata));
        fields
    }

    /// The URL of its status, as in a cluster, or the one that it will have.
    fn url(&self, fields: &mut Fields<'n, 't>, object: &Object<'n, 't>, will_be: impl FnOnce() -> String) {
        match object.status("url") {
            Some((url, span)) => fields.text("url", span, url),
            None => fields.text("url", object.at, will_be()),
        }
    }

    /// `outgoingAuth`: an override of the resource, else the server's own reference.
    pub(super) fn outgoing(&mut self, backends: &[Backend<'n, 't>]) -> Result<Outgoing<'n, 't>, Left> {
        let at = self.server.at;
        let written = self.server.spec("outgoingAuth");
        let part = |key| written.and_then(|outgoing| outgoing.get(key)).filter(|part| !part.is_null());
        let source = part("source");
        if source.and_then(text) != Some("inline") {
            let message =
                "`source` is `discovered`; rendered as `inline`, with the group's servers that are in the input";
            let span = source.map_or(at, Node::span);
            self.report(code::RENDER_SOURCE_DISCOVERED, span, "/spec/outgoingAuth/source", message.into());
        }
        let mut outgoing = Fields::at(written.map_or(at, Node::span));
        outgoing.text("source", source.map_or(at, Node::span), "inline");
        let mut whole = Ok(());
        // `discovered` as the default means each server's own, which it has anyway.
        if let Some(default) = part("default").filter(|default| !is_discovered(*default)) {
            match self.override_of(default, "/spec/outgoingAuth/default") {
                Ok(strategy) => outgoing.put("default", Draft::Map(strategy)),
                Err(why) => {
                    self.tell(why);
                    whole = Err(Left);
                }
            }
        }
        let mut left = BTreeSet::new();
        let mut strategies = Fields::at(part("backends").map_or(at, Node::span));
        let overrides = part("backends");
        for backend in backends {
            if overrides.and_then(|overrides| overrides.get(backend.name)).is_none()
                && let Some(own) = &backend.own
            {
                strategies.put(backend.name, Draft::Map(own.clone()));
            }
        }
        if let Some(Shape::Mapping(entries)) = overrides.map(Node::shape) {
            for (key, value) in entries.iter() {
                let Some(name) = key.text() else { continue };
                if is_discovered(value) {
                    let own = backends.iter().find(|backend| backend.name == name).and_then(|one| one.own.clone());
                    let own = own.unwrap_or_else(|| {
                        let mut nothing = Fields::at(value.span());
                        nothing.text("type", value.span(), "unauthenticated");
                        nothing
                    });
                    strategies.put(name, Draft::Map(own));
                    continue;
                }
                match self.override_of(value, &crate::diagnostic::pointer("/spec/outgoingAuth/backends", name)) {
                    Ok(strategy) => strategies.put(name, Draft::Map(strategy)),
                    Err(why) => {
                        self.tell_local(why);
                        left.insert(name);
                    }
                }
            }
        }
        if !strategies.is_empty() {
            strategies.sort();
            outgoing.put("backends", Draft::Map(strategies));
        }
        whole.map(|()| (Draft::Map(outgoing), left))
    }

    /// An entry of `spec.outgoingAuth`.
    fn override_of(&mut self, entry: Node<'n, 't>, path: &str) -> Result<Fields<'n, 't>, Diagnosed> {
        match entry.get("externalAuthConfigRef").filter(|reference| !reference.is_null()) {
            Some(reference) => self.strategy(reference, &format!("{path}/externalAuthConfigRef/name")),
            None => {
                let Some(kind) = entry.get("type") else { return Err(Diagnosed::Before) };
                let message = "`type` is `externalAuthConfigRef`, and there is no `externalAuthConfigRef` beside it; expected `{name: …}`";
                let finding = Diagnostic::new(code::CONFIG_MISSING_KEY, message).at(kind.span());
                Err(Diagnosed::now(finding.path(format!("{path}/externalAuthConfigRef"))))
            }
        }
    }

    /// The strategy of the `MCPExternalAuthConfig` that a reference names, through the converter registry.
    fn strategy(&mut self, reference: Node<'n, 't>, path: &str) -> Result<Fields<'n, 't>, Diagnosed> {
        let object = self.resolve(Kind::MCPExternalAuthConfig, reference, path)?;
        let Some(spec) = object.node.get("spec") else { return Err(Diagnosed::Before) };
        let span = reference.get("name").map_or(reference.span(), Node::span);
        match converters::convert(&ExternalAuth { name: object.name, spec }) {
            Ok(strategy) => {
                for secret in &strategy.secrets {
                    self.check_entry(Kind::Secret, secret.secret, secret.key, secret.span, "/spec")?;
                }
                for secret in strategy.secrets {
                    self.variable(secret);
                }
                Ok(strategy.fields)
            }
            Err(Refusal::Incomplete) => Err(Diagnosed::now(
                Diagnostic::new(
                    code::RENDER_UNSUPPORTED_AUTH,
                    format!("`{}` lacks what its strategy needs; expected all of it", shown(object.name)),
                )
                .at(span)
                .path(path)
                .related(Place::input(object.at), "this one"),
            )),
            Err(Refusal::NoBlock(block)) => {
                let kind = spec.get("type").map_or(object.at, Node::span);
                let message = format!("`type` is `{block}`, and there is no `{block}` beside it; expected it");
                let finding = Diagnostic::new(code::CONFIG_MISSING_KEY, message).at(kind);
                Err(Diagnosed::now(finding.path(format!("/spec/{block}"))))
            }
            Err(Refusal::Unsupported(kind)) => {
                let known: Vec<_> = REGISTRY.iter().map(|one| format!("`{}`", one.auth_type())).collect();
                let message = format!(
                    "`{}` is of type `{}`, which has no strategy; expected {}",
                    shown(object.name),
                    shown(kind),
                    known.join(", ")
                );
                let finding = Diagnostic::new(code::RENDER_UNSUPPORTED_AUTH, message).at(span).path(path);
                Err(Diagnosed::now(finding.related(Place::input(object.at), "this one")))
            }
        }
    }

    /// Whether the ConfigMap and the Secrets that an entry names have the keys that it names, as far as they are there.
    fn has_what_it_names(&mut self, object: &'n Object<'n, 't>) -> Result<(), Diagnosed> {
        if object.kind != Kind::MCPServerEntry {
            return Ok(());
        }
        if let Some((map, key, span)) = ca_bundle(object) {
            self.check_entry(Kind::ConfigMap, map, key, span, "/spec/caBundleRef/configMapRef")?;
        }
        let secrets = object.spec("headerForward").and_then(|forward| forward.get("addHeadersFromSecret"));
        for entry in secrets.into_iter().flat_map(Node::items) {
            let secret = entry.get("valueSecretRef").and_then(|secret| SecretVariable::of(String::new(), secret));
            if let Some(secret) = secret {
                let path = "/spec/headerForward/addHeadersFromSecret";
                self.check_entry(Kind::Secret, secret.secret, secret.key, secret.span, path)?;
            }
        }
        Ok(())
    }

    /// What the pod must have for a backend that is served: its CA bundle and its static headers.
    pub(super) fn equip(&mut self, backend: &Backend<'n, 't>) {
        let object = backend.object;
        if object.kind != Kind::MCPServerEntry {
            return;
        }
        if let Some((map, key, span)) = ca_bundle(object) {
            let folder = format!("{CA_BUNDLES}/{}", object.name);
            self.volume(super::pod::volume_name("ca-bundle-", object.name), folder, map, key, span);
        }
        if let Some(forward) = object.spec("headerForward") {
            self.headers(object, forward);
        }
    }

    /// The header-forward manifest, and the variables of its secrets.
    fn headers(&mut self, object: &Object<'n, 't>, forward: Node<'n, 't>) {
        let mut plain = Vec::new();
        if let Some(Shape::Mapping(entries)) = forward.get("addPlaintextHeaders").map(Node::shape) {
            plain.extend(entries.iter().filter_map(|(key, value)| Some((key.text()?, String::from(text(value)?)))));
        }
        let mut secret = Vec::new();
        for entry in forward.get("addHeadersFromSecret").into_iter().flat_map(Node::items) {
            let Some(header) = entry.get("headerName").and_then(text) else { continue };
            let Some(reference) = entry.get("valueSecretRef").filter(|reference| !reference.is_null()) else {
                continue;
            };
            let owner = environment_segment(object.name);
            let identifier = format!("HEADER_FORWARD_{}_{owner}", environment_segment(header));
            if let Some(secret) = SecretVariable::of(secret_variable(&identifier), reference) {
                self.variable(secret);
            }
            secret.push((header, identifier));
        }
        if plain.is_empty() && secret.is_empty() {
            return;
        }
        let mut json = String::from("{");
        for (name, headers) in [("addPlaintextHeaders", &mut plain), ("addHeadersFromSecret", &mut secret)] {
            if headers.is_empty() {
                continue;
            }
            order::sort(headers, |a, b| a.cmp(b));
            headers.dedup_by(|later, earlier| later.0 == earlier.0);
            json.push_str(if json.len() > 1 { ",\"" } else { "\"" });
            json.push_str(name);
            json.push_str("\":{");
            for (index, (header, value)) in headers.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                json.push_str(&header.to_json());
                json.push(':');
                json.push_str(&value.to_json());
            }
            json.push('}');
        }
        json.push('}');
        let variable = manifest_variable(object.name);
        self.literal(variable, json, forward.span());
    }

    /// A variable that holds a secret of the server itself.
    pub(super) fn own_secret(&mut self, name: &str, reference: Node<'n, 't>, path: &str) {
        let Some(secret) = SecretVariable::of(name.into(), reference) else { return };
        if let Err(why) = self.check_entry(Kind::Secret, secret.secret, secret.key, secret.span, path) {
            self.tell(why);
        }
        self.variable(secret);
    }
}

/// How a workload is spoken to: the proxy's mode counts for servers that speak on their standard input, as the CRD says.
/// The operator writes it for all, and its default `streamable-http` for servers whose URL is one of `sse`.
fn proxy_mode<'n>(object: &Object<'n, '_>) -> (&'n str, Span) {
    let of = |key: &str| {
        let node = object.spec(key)?;
        Some((text(node).filter(|text| !text.is_empty())?, node.span()))
    };
    match of("transport") {
        Some(direct) if direct.0 != "stdio" => direct,
        _ => of("proxyMode").unwrap_or(("streamable-http", object.at)),
    }
}

/// The ConfigMap and key of an entry's CA bundle, and where they are written.
fn ca_bundle<'n>(object: &Object<'n, '_>) -> Option<(&'n str, &'n str, Span)> {
    config_map_ref(object.spec("caBundleRef")?)
}

/// The ConfigMap and key of a `caBundleRef`, and where they are written.
pub(super) fn config_map_ref<'n>(reference: Node<'n, '_>) -> Option<(&'n str, &'n str, Span)> {
    let reference = reference.get("configMapRef")?;
    let part = |key| reference.get(key).and_then(text).filter(|text| !text.is_empty());
    Some((part("name")?, part("key").unwrap_or("ca.crt"), reference.get("name")?.span()))
}

fn annotations<'n>(object: &Object<'n, '_>) -> Vec<(&'n str, (&'n str, Span))> {
    let annotations = object.node.get("metadata").and_then(|metadata| metadata.get("annotations"));
    let Some(Shape::Mapping(entries)) = annotations.map(Node::shape) else { return Vec::new() };
    let entries = entries.iter().filter_map(|(key, value)| Some((key.text()?, (text(value)?, value.span()))));
    entries.filter(|(key, _)| !STANDARD_ANNOTATIONS.iter().any(|standard| key.starts_with(standard))).collect()
}

fn is_discovered(entry: Node<'_, '_>) -> bool {
    entry.get("type").and_then(text) == Some("discovered")
}
