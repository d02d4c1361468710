//! One `VirtualMCPServer` → its configuration, judged, and the objects that carry it.
//!
//! What callers must bring is in `incoming`, what is served in `backends`, the container in `pod`.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::canonical::{canonical, opened};
use super::objects::{Object, Objects};
use super::pod::Pod;
use super::{Options, document};
use crate::config::decode::shown;
use crate::config::findings::Findings;
use crate::config::input::ConfigMapName;
use crate::config::{self, Type};
use crate::crd::{Kind, text};
use crate::diagnostic::{Code, Diagnostic, Edit, Place, Scope, Severity, code, nearest};
use crate::text::Span;
use crate::yaml::{Draft, Fields, Node, Tree};

/// How much a ConfigMap may hold.
const CONFIG_MAP_BYTES: usize = 1 << 20;
/// The annotation by which the operator knows a configuration, and by which a pod is started anew when it changes.
const CHECKSUM: &str = "toolhive.stacklok.dev/content-checksum";

/// What depends on it is not made; the reason is among the findings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left;

/// Whether anything can be made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    Yes,
    /// An error is about all of it.
    No,
}

/// A server that is being made.
pub(super) struct Making<'n, 't, 'f, 'd> {
    pub(super) objects: &'n Objects<'n, 't>,
    pub(super) server: &'n Object<'n, 't>,
    /// What all spans refer to.
    pub(super) source: &'n str,
    pub(super) options: &'n Options<'n>,
    pub(super) pod: Pod<'n>,
    stands: Stands,
    findings: &'f mut Findings<'d>,
}

impl<'n, 't, 'f, 'd> Making<'n, 't, 'f, 'd> {
    pub(super) fn new(
        objects: &'n Objects<'n, 't>,
        server: &'n Object<'n, 't>,
        source: &'n str,
        options: &'n Options<'n>,
        findings: &'f mut Findings<'d>,
    ) -> Self {
        Self { objects, server, source, options, pod: Pod::default(), stands: Stands::Yes, findings }
    }

    /// Its objects; `None` if an error is about all of it.
    pub(super) fn make(mut self) -> Option<(Vec<super::Object>, super::Configuration)> {
        let errors = self.findings.errors();
        let (server, at) = (self.server, self.server.at);
        let mut config = match server.spec("config").map(opened) {
            Some(Draft::Map(fields)) => fields,
            _ => Fields::at(at),
        };
        if let Some(node) = server.spec("authServerConfig") {
            let message = "`authServerConfig` runs an authorization server inside of the vMCP, which is not rendered; expected an issuer of its own under `incomingAuth`";
            self.report(code::RENDER_NOT_SUPPORTED, node.span(), "/spec/authServerConfig", message.into());
        }
        for key in ["name", "groupRef", "backends", "outgoingAuth", "incomingAuth", "telemetry", "sessionStorage"] {
            if let Some(value) = config.take(key)
                && !matches!(key, "name" | "groupRef")
            {
                let message = format!("`spec.config.{key}` has no effect: it is made of {}", made_of(key));
                self.report(code::RENDER_REPLACED, value.span(), &format!("/spec/config/{key}"), message);
            }
        }
        let group = server.spec("groupRef").and_then(|group| group.get("name"))?;
        let group_name = text(group).filter(|name| !name.is_empty())?;
        if self.objects.get(Kind::MCPGroup, server.namespace, group_name).is_none() {
            self.absent(Kind::MCPGroup, group_name, group.span(), "/spec/groupRef/name");
        }
        config.text("name", at, server.name);
        config.put("groupRef", Draft::Node(group));
        let backends = self.backends(group_name);
        let incoming = self.incoming();
        let outgoing = self.outgoing(&backends.served);
        self.aggregation(&mut config);
        self.composite_tools(&mut config);
        self.operational(&mut config);
        self.telemetry(&mut config);
        self.audit(&mut config);
        self.optimizer(&mut config);
        self.session_storage(&mut config);
        if let Some(headers) = server.spec("passthroughHeaders").filter(|list| list.items().next().is_some()) {
            config.take("passthroughHeaders");
            config.put("passthroughHeaders", Draft::Node(headers));
        }
        let (Ok(incoming), Ok((outgoing, left))) = (incoming, outgoing) else { return None };
        config.put("incomingAuth", incoming);
        config.put("outgoingAuth", outgoing);
        let served: Vec<_> = backends.served.into_iter().filter(|one| !left.contains(one.name)).collect();
        if served.is_empty() && (backends.some_left || !left.is_empty()) {
            return None;
        }
        for backend in &served {
            self.equip(backend);
        }
        let (text, configuration) =
            self.judged(config, served.into_iter().map(|one| (one.name, one.fields)).collect(), group)?;
        // Errors about a workload alone have left it out above; all others are about the whole.
        let whole = self.findings.errors() - errors - self.pod.local_errors;
        if whole > 0 || self.stands == Stands::No {
            return None;
        }
        Some((self.objects_of(&text)?, configuration))
    }

    /// The configuration as text. Backends that have an error are left out; `None` if another error remains.
    fn judged(
        &mut self,
        config: Fields<'n, 't>,
        mut backends: Vec<(&'n str, Fields<'n, 't>)>,
        group: Node<'n, 't>,
    ) -> Option<(String, super::Configuration)> {
        let mut left = Vec::new();
        let mut whole = |backends: &[(&str, Fields<'n, 't>)]| {
            left.clear();
            let mut whole = config.clone();
            let list = backends.iter().map(|(_, fields)| Draft::Map(fields.clone())).collect();
            whole.put("backends", Draft::List(group.span(), list));
            Tree::of(&canonical(Draft::Map(whole), Type::Struct(config::keys), &mut left))
        };
        let tree = whole(&backends);
        let mut found = Vec::new();
        let read = config::read(tree.root(), &mut found);
        let mut findings = Vec::new();
        let mut fallen = BTreeSet::new();
        let mut stands = true;
        for finding in found {
            // What is not acted on yet, and how things are read, `validate` says of the result.
            let later = finding.code.id().starts_with("runtime/")
                || finding.code == code::STRATEGY_NOT_BUILT
                || finding.code == code::CONFIG_DEAD_KEY;
            if finding.severity() == Severity::Note || later {
                continue;
            }
            if finding.severity() == Severity::Error {
                match &finding.scope {
                    Scope::Entry(index) => {
                        fallen.insert(*index);
                    }
                    Scope::Strategy(Some(name)) => {
                        fallen.extend(backends.iter().position(|(backend, _)| *backend == name.as_str()));
                    }
                    Scope::Strategy(None) | Scope::Config => stands = false,
                }
                self.pod.local_errors += 1;
            }
            self.findings.keep(finding.clone());
            findings.push(finding);
        }
        if !stands || !backends.is_empty() && fallen.len() == backends.len() {
            return None;
        }
        let tree = if fallen.is_empty() {
            tree
        } else {
            let mut index = 0;
            backends.retain(|_| {
                index += 1;
                !fallen.contains(&(index - 1))
            });
            whole(&backends)
        };
        for (span, key, table) in left {
            let message = format!("`{}` is not known in {}; passed over", shown(&key), table.noun);
            self.findings.keep(Diagnostic::new(code::RENDER_UNKNOWN_KEY, message).at(span));
        }
        let namespace = self.server.own_namespace.map(String::from);
        let name = ConfigMapName { namespace, name: config_map_name(self.server) };
        let text = tree.root().and_then(|root| crate::yaml::emit_node(root).ok())?;
        Some((text, super::Configuration { name, config: read, findings }))
    }

    /// The ConfigMap, and what runs it.
    fn objects_of(&mut self, config: &str) -> Option<Vec<super::Object>> {
        let (server, at) = (self.server, self.server.at);
        if config.len() > CONFIG_MAP_BYTES {
            let message =
                format!("the configuration has {} bytes; a ConfigMap holds at most {CONFIG_MAP_BYTES}", config.len());
            self.report(code::RENDER_TOO_LARGE, at, "/metadata/name", message);
            return None;
        }
        let labels = [
            ("toolhive.stacklok.io/component", "vmcp-config"),
            ("toolhive.stacklok.io/managed-by", "toolhive-operator"),
            ("toolhive.stacklok.io/virtual-mcp-server", server.name),
        ];
        let checksum = checksum(config, &labels);
        let name = config_map_name(server);
        let mut metadata = Fields::at(at);
        let mut annotations = Fields::at(at);
        annotations.text(CHECKSUM, at, checksum.clone());
        metadata.put("annotations", Draft::Map(annotations));
        metadata.put("labels", Draft::Map(texts(at, &labels)));
        metadata.text("name", at, name.clone());
        if let Some(namespace) = server.own_namespace {
            metadata.text("namespace", at, namespace);
        }
        let mut data = Fields::at(at);
        data.text("config.yaml", at, config);
        let mut map = texts(at, &[("apiVersion", "v1")]);
        map.put("data", Draft::Map(data));
        map.text("kind", at, "ConfigMap");
        map.put("metadata", Draft::Map(metadata));
        let object = |kind, name, draft: Fields<'_, '_>| super::Object {
            kind,
            namespace: server.own_namespace.map(String::from),
            name,
            yaml: document(&Draft::Map(draft)),
        };
        let mut made = alloc::vec![object("ConfigMap", name.clone(), map)];
        for (kind, name, draft) in self.pod.objects(server, self.options, &name, &checksum) {
            made.push(object(kind, name, draft));
        }
        Some(made)
    }

    pub(super) fn report(&mut self, code: Code, span: Span, path: &str, message: String) {
        self.findings.keep(Diagnostic::new(code, message).at(span).path(path));
    }

    pub(super) fn keep(&mut self, finding: Diagnostic) {
        self.findings.keep(finding);
    }

    /// Tells an error without which nothing can be made. If it was told before, nothing is made all the same.
    pub(super) fn tell(&mut self, why: Diagnosed) {
        if let Diagnosed::Now(finding) = why {
            self.findings.keep(*finding);
        }
        self.stands = Stands::No;
    }

    /// Tells an error about one workload: it is left out, the rest is made.
    pub(super) fn tell_local(&mut self, why: Diagnosed) {
        if let Diagnosed::Now(finding) = why {
            let before = self.findings.errors();
            self.findings.keep(*finding);
            self.pod.local_errors += self.findings.errors() - before;
        }
    }

    /// The object that `reference` names; where there is none, or it is broken, that is told.
    pub(super) fn resolve(
        &mut self,
        kind: Kind,
        reference: Node<'n, 't>,
        path: &str,
    ) -> Result<&'n Object<'n, 't>, Diagnosed> {
        let Some(node) = reference.get("name") else { return Err(Diagnosed::Before) };
        let Some(name) = text(node).filter(|name| !name.is_empty()) else { return Err(Diagnosed::Before) };
        let namespace = self.server.namespace;
        match self.objects.get(kind, namespace, name) {
            Some(object) if object.is_sound() => Ok(object),
            Some(_) => Err(Diagnosed::Before),
            None => Err(Diagnosed::now(self.dangling(kind, name, node.span(), path))),
        }
    }

    pub(super) fn dangling(&self, kind: Kind, name: &str, span: Span, path: &str) -> Diagnostic {
        let (word, namespace) = (kind.word(), self.server.namespace);
        let message = format!(
            "there is no {word} `{}` in namespace `{}`; expected it in the input",
            shown(name),
            shown(namespace)
        );
        let mut finding = Diagnostic::new(code::RENDER_DANGLING_REFERENCE, message).at(span).path(path);
        let here = self.objects.of_kind(kind).filter(|object| object.namespace == namespace).map(|object| object.name);
        if let Some(other) = self.objects.of_kind(kind).find(|object| object.name == name) {
            let there = format!("one of this name, in namespace `{}`", shown(other.namespace));
            finding = finding.related(Place::input(other.at), there);
        } else if let Some(meant) = nearest(name, here) {
            let edit = Edit { span, replacement: meant.into() };
            finding = finding.fix(format!("did you mean `{}`?", shown(meant)), alloc::vec![edit], false);
        }
        finding
    }

    /// Says that something must be in the cluster.
    pub(super) fn absent(&mut self, kind: Kind, name: &str, span: Span, path: &str) {
        let message = format!(
            "{} `{}` is not in the input; expected it in namespace `{}` of the cluster",
            kind.word(),
            shown(name),
            shown(self.server.namespace)
        );
        self.report(code::RENDER_ABSENT_OBJECT, span, path, message);
    }

    /// Whether a ConfigMap or Secret is not in the input, or has this key; says it if it is there without.
    pub(super) fn check_entry(
        &mut self,
        kind: Kind,
        name: &str,
        key: &str,
        span: Span,
        path: &str,
    ) -> Result<(), Diagnosed> {
        let Some(object) = self.objects.get(kind, self.server.namespace, name) else {
            if kind == Kind::ConfigMap {
                self.absent(kind, name, span, path);
            }
            return Ok(());
        };
        let holders = ["data", "stringData", "binaryData"];
        if object.is_sound()
            && !holders.iter().any(|holder| object.node.get(holder).is_some_and(|data| data.get(key).is_some()))
        {
            let message = format!("{} `{}` has no `{}`", kind.word(), shown(name), shown(key));
            let finding = Diagnostic::new(code::RENDER_MISSING_ENTRY, message).at(span).path(path);
            return Err(Diagnosed::now(finding.related(Place::input(object.at), "this one")));
        }
        Ok(())
    }

    fn aggregation(&mut self, config: &mut Fields<'n, 't>) {
        let at = self.server.at;
        let mut aggregation = match config.take("aggregation").map(open) {
            Some(Draft::Map(fields)) => fields,
            Some(other) => return config.put("aggregation", other),
            None => Fields::at(at),
        };
        if aggregation.get("conflictResolution").is_none() {
            aggregation.text("conflictResolution", at, "prefix");
        }
        let is_prefix = matches!(aggregation.get("conflictResolution").and_then(word), Some("prefix"));
        if aggregation.get("conflictResolutionConfig").is_none() {
            let mut rules = Fields::at(at);
            if is_prefix {
                rules.text("prefixFormat", at, "{workload}_");
            }
            aggregation.put("conflictResolutionConfig", Draft::Map(rules));
        } else if is_prefix && let Some(rules) = aggregation.take("conflictResolutionConfig").map(open) {
            // The API server fills in the default of a key that is not written.
            let rules = match rules {
                Draft::Map(mut rules) => {
                    if rules.get("prefixFormat").is_none() {
                        rules.text("prefixFormat", at, "{workload}_");
                    }
                    Draft::Map(rules)
                }
                other => other,
            };
            aggregation.put("conflictResolutionConfig", rules);
        }
        if let Some(Draft::List(span, tools)) = aggregation.take("tools").map(open) {
            let tools = tools.into_iter().enumerate().map(|(index, tool)| self.workload_tools(index, tool)).collect();
            aggregation.put("tools", Draft::List(span, tools));
        }
        config.put("aggregation", Draft::Map(aggregation));
    }

    /// An entry of `aggregation.tools` with what its `MCPToolConfig` says where it says nothing itself.
    fn workload_tools(&mut self, index: usize, tool: Draft<'n, 't>) -> Draft<'n, 't> {
        let Draft::Map(mut tool) = open(tool) else { return Draft::Map(Fields::at(self.server.at)) };
        let Some(Draft::Node(reference)) = tool.take("toolConfigRef") else { return Draft::Map(tool) };
        let path = format!("/spec/config/aggregation/tools/{index}/toolConfigRef/name");
        let object = match self.resolve(Kind::MCPToolConfig, reference, &path) {
            Ok(object) => object,
            Err(why) => {
                self.tell(why);
                return Draft::Map(tool);
            }
        };
        let is_empty = |draft: &Draft<'_, '_>| matches!(open(draft.clone()), Draft::List(_, items) if items.is_empty());
        if tool.get("filter").is_none_or(is_empty)
            && let Some(filter) = object.spec("toolsFilter")
        {
            tool.take("filter");
            tool.put("filter", Draft::Node(filter));
        }
        if let Some(Draft::Map(more)) = object.spec("toolsOverride").map(opened) {
            let mut overrides = match tool.take("overrides").map(open) {
                Some(Draft::Map(own)) => own,
                _ => Fields::at(more.span()),
            };
            for (name, span, value) in more.iter() {
                if overrides.get(name).is_none() {
                    overrides.put_at(String::from(name), span, value.clone());
                }
            }
            tool.put("overrides", Draft::Map(overrides));
        }
        Draft::Map(tool)
    }

    /// Composite tools that stand here, then those that are referred to.
    fn composite_tools(&mut self, config: &mut Fields<'n, 't>) {
        let Some(Draft::List(at, references)) = config.take("compositeToolRefs").map(open) else { return };
        let (span, mut tools) = match config.take("compositeTools").map(open) {
            Some(Draft::List(span, tools)) => (span, tools),
            _ => (self.server.at, Vec::new()),
        };
        for (index, reference) in references.iter().enumerate() {
            let Draft::Node(reference) = reference else { continue };
            let path = format!("/spec/config/compositeToolRefs/{index}/name");
            match self.resolve(Kind::VirtualMCPCompositeToolDefinition, *reference, &path) {
                Ok(object) => tools.extend(object.node.get("spec").map(Draft::Node)),
                Err(why) => self.tell(why),
            }
        }
        config.put("compositeTools", Draft::List(span, tools));
        config.put("compositeToolRefs", Draft::List(at, references));
    }

    /// Every default, as the operator writes them.
    fn operational(&mut self, config: &mut Fields<'n, 't>) {
        let at = self.server.at;
        let written = |fields: Option<Draft<'n, 't>>| match fields.map(open) {
            Some(Draft::Map(fields)) => Ok(fields),
            Some(other) => Err(other),
            None => Ok(Fields::at(at)),
        };
        let fill = |fields: &mut Fields<'n, 't>, key: &'static str, default: Draft<'n, 't>| {
            if fields.get(key).is_none() {
                fields.put(key, default);
            }
        };
        let mut operational = match written(config.take("operational")) {
            Ok(fields) => fields,
            Err(other) => return config.put("operational", other),
        };
        let text = |value: &'static str| Draft::text(at, value);
        let number = |value: &'static str| Draft::Plain(at, value.into());
        match written(operational.take("timeouts")) {
            Ok(mut timeouts) => {
                fill(&mut timeouts, "default", text("30s"));
                operational.put("timeouts", Draft::Map(timeouts));
            }
            Err(other) => operational.put("timeouts", other),
        }
        match written(operational.take("failureHandling")) {
            Ok(mut handling) => {
                fill(&mut handling, "healthCheckInterval", text("30s"));
                fill(&mut handling, "unhealthyThreshold", number("3"));
                fill(&mut handling, "statusReportingInterval", text("30s"));
                fill(&mut handling, "partialFailureMode", text("fail"));
                match written(handling.take("circuitBreaker")) {
                    Ok(mut breaker) => {
                        fill(&mut breaker, "failureThreshold", number("5"));
                        fill(&mut breaker, "timeout", text("1m0s"));
                        handling.put("circuitBreaker", Draft::Map(breaker));
                    }
                    Err(other) => handling.put("circuitBreaker", other),
                }
                operational.put("failureHandling", Draft::Map(handling));
            }
            Err(other) => operational.put("failureHandling", other),
        }
        config.put("operational", Draft::Map(operational));
    }

    /// A block that does not say `enabled: true` is left out: the Go program would audit all the same.
    fn audit(&mut self, config: &mut Fields<'n, 't>) {
        let Some(audit) = config.take("audit").map(open) else { return };
        let Draft::Map(mut audit) = audit else { return config.put("audit", audit) };
        if !audit.get("enabled").is_some_and(is_true) {
            return;
        }
        if audit.get("component").and_then(word).is_none_or(str::is_empty) {
            audit.take("component");
            audit.text("component", self.server.at, self.server.name);
        }
        config.put("audit", Draft::Map(audit));
    }

    fn optimizer(&mut self, config: &mut Fields<'n, 't>) {
        let Some(reference) = self.server.spec("embeddingServerRef") else { return };
        let object = match self.resolve(Kind::EmbeddingServer, reference, "/spec/embeddingServerRef/name") {
            Ok(object) => object,
            Err(why) => return self.tell(why),
        };
        let mut optimizer = match config.take("optimizer").map(open) {
            Some(Draft::Map(fields)) => fields,
            Some(other) => return config.put("optimizer", other),
            None => Fields::at(reference.span()),
        };
        let (url, span) = match object.status("url") {
            Some((url, span)) => (String::from(url), span),
            None => {
                let port = object.spec("port").and_then(Node::text).unwrap_or("8080");
                let url = format!("http://{}.{}.svc.cluster.local:{port}", object.name, object.namespace);
                (url, reference.span())
            }
        };
        optimizer.take("embeddingService");
        optimizer.text("embeddingService", span, url);
        config.put("optimizer", Draft::Map(optimizer));
    }

    fn session_storage(&mut self, config: &mut Fields<'n, 't>) {
        let Some(storage) = self.server.spec("sessionStorage") else { return };
        if storage.get("provider").and_then(text) != Some("redis") {
            return;
        }
        let mut fields = Fields::at(storage.span());
        for key in ["provider", "address", "db", "keyPrefix"] {
            fields.copy(key, storage.get(key));
        }
        config.put("sessionStorage", Draft::Map(fields));
        if let Some(reference) = storage.get("passwordRef") {
            self.own_secret("THV_SESSION_REDIS_PASSWORD", reference, "/spec/sessionStorage/passwordRef");
        }
    }
}

/// Why something that is named cannot be had.
pub(super) enum Diagnosed {
    /// The reference or the object has an error that was told.
    Before,
    /// This is to be told.
    Now(Box<Diagnostic>),
}

impl Diagnosed {
    pub(super) fn now(finding: Diagnostic) -> Self {
        Self::Now(Box::new(finding))
    }
}

fn config_map_name(server: &Object<'_, '_>) -> String {
    format!("{}-vmcp-config", server.name)
}

/// What the operator makes a key of `spec.config` of.
fn made_of(key: &str) -> &'static str {
    match key {
        "backends" => "the group's servers",
        "outgoingAuth" => "`spec.outgoingAuth`",
        "incomingAuth" => "`spec.incomingAuth`",
        "telemetry" => "`spec.telemetryConfigRef`",
        _ => "`spec.sessionStorage`",
    }
}

/// The map or list that a draft is, so that it can be changed.
pub(super) fn open<'n, 't>(draft: Draft<'n, 't>) -> Draft<'n, 't> {
    match draft {
        Draft::Node(node) => opened(node),
        other => other,
    }
}

/// The text of a scalar.
pub(super) fn word<'a>(draft: &'a Draft<'_, '_>) -> Option<&'a str> {
    match draft {
        Draft::Node(node) => node.text(),
        Draft::Text(_, text) | Draft::Plain(_, text) => Some(text),
        Draft::List(..) | Draft::Map(_) => None,
    }
}

fn is_true(draft: &Draft<'_, '_>) -> bool {
    word(draft) == Some("true")
}

pub(super) fn texts<'n, 't>(at: Span, entries: &[(&'static str, &'n str)]) -> Fields<'n, 't> {
    let mut fields = Fields::at(at);
    for (key, value) in entries {
        fields.text(*key, at, *value);
    }
    fields
}

/// As the operator computes it: the digest of keys and values of data and labels, sorted.
fn checksum(config: &str, labels: &[(&str, &str)]) -> String {
    let mut digest = Sha256::new();
    digest.update("config.yaml");
    digest.update(config);
    for (key, value) in labels {
        digest.update(key);
        digest.update(value);
    }
    super::pod::hex(&digest.finalize())
}
