//! What the pod must have: volumes, mounts and variables, and the object that holds them.
//!
//! It knows no image of its own and no secret's value. Names and paths are the operator's.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::Options;
use super::objects::Object;
use super::server::{Making, open, texts, word};
use crate::config::decode::shown;
use crate::converters::SecretVariable;
use crate::diagnostic::{Diagnostic, Place, code};
use crate::order;
use crate::text::Span;
use crate::yaml::{Draft, Fields};

/// What holds the pod's template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Workload {
    /// A `PodTemplate`, which runs nothing: its `template` is for `podTemplateSpec`, a patch, or a workload of one's own.
    #[default]
    PodTemplate,
    /// A `Deployment` and its `Service`.
    Deployment,
}

/// The longest name of a volume.
const LABEL_BYTES: usize = 63;
/// The image that the operator takes.
const IMAGE: &str = "ghcr.io/stacklok/toolhive/vmcp:latest";
const PORT: &str = "4483";
/// Lists whose entries the API server knows by a key, and so does a merge.
const KEYED: [(&str, &str); 6] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("env", "name"),
    ("volumes", "name"),
    ("volumeMounts", "mountPath"),
    ("imagePullSecrets", "name"),
];

/// The pod while it is put together.
#[derive(Debug, Default)]
pub(super) struct Pod<'n> {
    /// By name.
    variables: BTreeMap<String, (Value<'n>, Span)>,
    /// By name.
    volumes: BTreeMap<String, (Volume<'n>, Span)>,
    /// Errors that are about one backend, which is left out.
    pub(super) local_errors: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Value<'n> {
    Literal(String),
    Secret { name: &'n str, key: &'n str },
}

#[derive(Debug, PartialEq, Eq)]
struct Volume<'n> {
    config_map: &'n str,
    key: &'n str,
    folder: String,
}

impl<'n> Making<'n, '_, '_, '_> {
    pub(super) fn variable(&mut self, secret: SecretVariable<'n>) {
        self.set(secret.name, Value::Secret { name: secret.secret, key: secret.key }, secret.span);
    }

    pub(super) fn literal(&mut self, name: String, value: String, at: Span) {
        self.set(name, Value::Literal(value), at);
    }

    fn set(&mut self, name: String, value: Value<'n>, at: Span) {
        let clash = put(&mut self.pod.variables, name, value, at, |name| {
            format!(
                "variable `{name}` would hold two different things; expected names that differ in more than punctuation"
            )
        });
        if let Some(finding) = clash {
            self.keep(finding);
        }
    }

    /// One key of a ConfigMap as the only file of a folder.
    pub(super) fn volume(&mut self, name: String, folder: String, config_map: &'n str, key: &'n str, at: Span) {
        let clash = put(&mut self.pod.volumes, name, Volume { config_map, key, folder }, at, |name| {
            format!("volume `{name}` would hold two different things; expected one key of a ConfigMap")
        });
        if let Some(finding) = clash {
            self.keep(finding);
        }
    }
}

/// Keeps `thing` under its name. If a different one has it, that one stays, and this is the finding.
fn put<T: PartialEq>(
    things: &mut BTreeMap<String, (T, Span)>,
    name: String,
    thing: T,
    at: Span,
    message: impl FnOnce(&str) -> String,
) -> Option<Diagnostic> {
    let Some((first, place)) = things.get(&name) else {
        things.insert(name, (thing, at));
        return None;
    };
    let differs = *first != thing;
    differs.then(|| {
        let finding = Diagnostic::new(code::RENDER_COLLISION, message(&shown(&name))).at(at);
        finding.related(Place::input(*place), "the other one")
    })
}

impl<'n> Pod<'n> {
    /// The objects that run the configuration in the ConfigMap `config_map`: kind, name, itself.
    pub(super) fn objects<'t>(
        &self,
        server: &Object<'n, 't>,
        options: &Options<'n>,
        config_map: &str,
        checksum: &str,
    ) -> Vec<(&'static str, String, Fields<'n, 't>)> {
        let at = server.at;
        let template = self.template(server, options, config_map, checksum);
        let metadata = |name: String| {
            let mut metadata = Fields::at(at);
            metadata.put("labels", Draft::Map(labels(server)));
            metadata.text("name", at, name);
            if let Some(namespace) = server.own_namespace {
                metadata.text("namespace", at, namespace);
            }
            Draft::Map(metadata)
        };
        let mut out = Vec::new();
        match options.workload {
            Workload::PodTemplate => {
                let name = format!("{}-vmcp", server.name);
                let mut object = texts(at, &[("apiVersion", "v1"), ("kind", "PodTemplate")]);
                object.put("metadata", metadata(name.clone()));
                object.put("template", template);
                out.push(("PodTemplate", name, object));
            }
            Workload::Deployment => {
                let mut selector = Fields::at(at);
                selector.put("matchLabels", Draft::Map(labels(server)));
                let mut spec = Fields::at(at);
                spec.copy("replicas", server.spec("replicas"));
                spec.put("selector", Draft::Map(selector));
                spec.put("template", template);
                let mut object = texts(at, &[("apiVersion", "apps/v1"), ("kind", "Deployment")]);
                object.put("metadata", metadata(server.name.into()));
                object.put("spec", Draft::Map(spec));
                out.push(("Deployment", server.name.into(), object));
                let mut port = texts(at, &[("name", "http")]);
                port.put("port", Draft::Plain(at, PORT.into()));
                port.text("targetPort", at, "http");
                let mut spec = Fields::at(at);
                spec.put("ports", Draft::List(at, alloc::vec![Draft::Map(port)]));
                spec.put("selector", Draft::Map(labels(server)));
                spec.text("sessionAffinity", at, server.spec_text("sessionAffinity").unwrap_or("ClientIP"));
                spec.text("type", at, server.spec_text("serviceType").unwrap_or("ClusterIP"));
                let name = format!("vmcp-{}", server.name);
                let mut object = texts(at, &[("apiVersion", "v1"), ("kind", "Service")]);
                object.put("metadata", metadata(name.clone()));
                object.put("spec", Draft::Map(spec));
                out.push(("Service", name, object));
            }
        }
        out
    }

    /// The operator's pod, with the resource's own `podTemplateSpec` over it.
    fn template<'t>(
        &self,
        server: &Object<'n, 't>,
        options: &Options<'n>,
        config_map: &str,
        checksum: &str,
    ) -> Draft<'n, 't> {
        let at = server.at;
        let mut annotations = Fields::at(at);
        annotations.text("toolhive.stacklok.dev/runconfig-checksum", at, String::from(checksum));
        let mut metadata = Fields::at(at);
        metadata.put("annotations", Draft::Map(annotations));
        metadata.put("labels", Draft::Map(labels(server)));
        let mut spec = Fields::at(at);
        spec.put("containers", Draft::List(at, alloc::vec![Draft::Map(self.container(server))]));
        spec.copy("imagePullSecrets", server.spec("imagePullSecrets"));
        spec.put("volumes", Draft::List(at, self.volumes(at, config_map)));
        let mut template = Fields::at(at);
        template.put("metadata", Draft::Map(metadata));
        template.put("spec", Draft::Map(spec));
        let mut template = Draft::Map(template);
        if let Some(over) = server.spec("podTemplateSpec") {
            template = merged(template, Draft::Node(over), "");
        }
        set_image(&mut template, options.image, at);
        template
    }

    fn container<'t>(&self, server: &Object<'n, 't>) -> Fields<'n, 't> {
        let at = server.at;
        let mut args = alloc::vec!["serve", "--config=/etc/vmcp-config/config.yaml", "--host=0.0.0.0", "--port=4483"];
        let level = server.spec("config").and_then(|config| config.get("operational")?.get("logLevel"));
        if level.and_then(crate::yaml::Node::text) == Some("debug") {
            args.push("--debug");
        }
        let mut port = Fields::at(at);
        port.put("containerPort", Draft::Plain(at, PORT.into()));
        port.text("name", at, "http");
        let mut container = Fields::at(at);
        container.put("args", Draft::List(at, args.into_iter().map(|arg| Draft::text(at, arg)).collect()));
        container.put("env", Draft::List(at, self.environment(server)));
        container.text("image", at, IMAGE);
        container.put("livenessProbe", probe(at, "/health", "10"));
        container.text("name", at, "vmcp");
        container.put("ports", Draft::List(at, alloc::vec![Draft::Map(port)]));
        container.put("readinessProbe", probe(at, "/readyz", "5"));
        let mut mounts = alloc::vec![mount(at, "/etc/vmcp-config", "vmcp-config")];
        for (name, (volume, _)) in &self.volumes {
            mounts.push(mount(at, &volume.folder, name));
        }
        container.put("volumeMounts", Draft::List(at, mounts));
        container
    }

    fn environment<'t>(&self, server: &Object<'n, 't>) -> Vec<Draft<'n, 't>> {
        let at = server.at;
        let hmac = format!("{}-hmac-secret", server.name);
        let mut out: Vec<(String, Draft<'n, 't>)> = Vec::new();
        for (name, (value, span)) in &self.variables {
            let mut entry = Fields::at(*span);
            entry.text("name", *span, name.clone());
            match value {
                Value::Literal(text) => entry.text("value", *span, text.clone()),
                Value::Secret { name, key } => entry.put("valueFrom", secret_key(*span, (*name).into(), key)),
            }
            out.push((name.clone(), Draft::Map(entry)));
        }
        // Without the operator nobody makes this Secret, and the program starts without it.
        let mut from = Fields::at(at);
        from.text("key", at, "hmac-secret");
        from.text("name", at, hmac);
        from.put("optional", Draft::Plain(at, "true".into()));
        let mut value = Fields::at(at);
        value.put("secretKeyRef", Draft::Map(from));
        let mut entry = texts(at, &[("name", "VMCP_SESSION_HMAC_SECRET")]);
        entry.put("valueFrom", Draft::Map(value));
        out.push(("VMCP_SESSION_HMAC_SECRET".into(), Draft::Map(entry)));
        if self.variables.keys().any(|name| name.starts_with("TOOLHIVE_SECRET_")) {
            let entry = texts(at, &[("name", "TOOLHIVE_SECRETS_PROVIDER"), ("value", "environment")]);
            out.push(("TOOLHIVE_SECRETS_PROVIDER".into(), Draft::Map(entry)));
        }
        order::sort(&mut out, |(a, _), (b, _)| a.cmp(b));
        out.into_iter().map(|(_, entry)| entry).collect()
    }

    fn volumes<'t>(&self, at: Span, config_map: &str) -> Vec<Draft<'n, 't>> {
        let mut source = Fields::at(at);
        source.text("name", at, String::from(config_map));
        let mut config = Fields::at(at);
        config.put("configMap", Draft::Map(source));
        config.text("name", at, "vmcp-config");
        let mut out = alloc::vec![Draft::Map(config)];
        for (name, (volume, span)) in &self.volumes {
            let item = Draft::Map(texts(*span, &[("key", volume.key), ("path", volume.key)]));
            let mut source = Fields::at(*span);
            source.put("items", Draft::List(*span, alloc::vec![item]));
            source.text("name", *span, volume.config_map);
            let mut entry = Fields::at(*span);
            entry.put("configMap", Draft::Map(source));
            entry.text("name", *span, name.clone());
            out.push(Draft::Map(entry));
        }
        out
    }
}

/// The labels by which the operator selects the pods of a server.
fn labels<'n, 't>(server: &Object<'n, 't>) -> Fields<'n, 't> {
    let labels = [
        ("app", "virtualmcpserver"),
        ("app.kubernetes.io/instance", server.name),
        ("app.kubernetes.io/name", "virtualmcpserver"),
        ("toolhive", "true"),
        ("toolhive-name", server.name),
    ];
    texts(server.at, &labels)
}

fn probe<'n, 't>(at: Span, path: &'static str, period: &'static str) -> Draft<'n, 't> {
    let mut probe = Fields::at(at);
    probe.put("httpGet", Draft::Map(texts(at, &[("path", path), ("port", "http")])));
    probe.put("periodSeconds", Draft::Plain(at, period.into()));
    Draft::Map(probe)
}

fn mount<'n, 't>(at: Span, path: &str, volume: &str) -> Draft<'n, 't> {
    let mut mount = Fields::at(at);
    mount.text("mountPath", at, String::from(path));
    mount.text("name", at, String::from(volume));
    mount.put("readOnly", Draft::Plain(at, "true".into()));
    Draft::Map(mount)
}

fn secret_key<'n, 't>(at: Span, name: String, key: &'n str) -> Draft<'n, 't> {
    let mut from = Fields::at(at);
    from.text("key", at, key);
    from.text("name", at, name);
    let mut value = Fields::at(at);
    value.put("secretKeyRef", Draft::Map(from));
    Draft::Map(value)
}

/// The name of a volume for an object: `prefix` and its name, or what is left of it and a digest where that would be too
/// long, or no label (the operator gives the latter a name that the API server refuses).
pub(super) fn volume_name(prefix: &str, name: &str) -> String {
    let whole = format!("{prefix}{name}");
    if whole.len() <= LABEL_BYTES && !name.contains('.') {
        return whole;
    }
    let digest = hex(Sha256::digest(name).get(..4).unwrap_or_default());
    let room = LABEL_BYTES - prefix.len() - 1 - digest.len();
    let end = name.floor_char_boundary(room);
    let kept = name.get(..end).unwrap_or_default().replace('.', "-");
    format!("{prefix}{}-{digest}", kept.trim_end_matches('-'))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// `over` laid over `under` as the API server merges: maps key by key, lists of named things entry by entry, everything
/// else replaced. `key` is where both stand.
fn merged<'n, 't>(under: Draft<'n, 't>, over: Draft<'n, 't>, key: &str) -> Draft<'n, 't> {
    match (open(under), open(over)) {
        (Draft::Map(mut under), Draft::Map(over)) => {
            for (name, span, value) in over.iter() {
                // A variable has its value from one place.
                match name {
                    "value" => under.take("valueFrom"),
                    "valueFrom" => under.take("value"),
                    _ => None,
                };
                let value = match under.take(name) {
                    Some(below) => merged(below, value.clone(), name),
                    None => value.clone(),
                };
                under.put_at(String::from(name), span, value);
            }
            under.sort();
            Draft::Map(under)
        }
        (Draft::List(span, mut under), Draft::List(over_span, over)) => {
            let Some((_, name)) = KEYED.iter().find(|(list, _)| *list == key) else {
                return Draft::List(over_span, over);
            };
            for entry in over {
                let id = id_of(&entry, name);
                match under.iter().position(|below| id.is_some() && id_of(below, name) == id) {
                    Some(position) => {
                        let below = under.remove(position);
                        under.insert(position, merged(below, entry, ""));
                    }
                    None => under.push(entry),
                }
            }
            Draft::List(span, under)
        }
        (_, over) => over,
    }
}

/// The value of an entry's key, by which it is known in its list.
fn id_of(entry: &Draft<'_, '_>, key: &str) -> Option<String> {
    match open(entry.clone()) {
        Draft::Map(fields) => fields.get(key).and_then(word).map(String::from),
        _ => None,
    }
}

/// Sets the image of the container `vmcp`.
fn set_image<'n, 't>(template: &mut Draft<'n, 't>, image: Option<&'n str>, at: Span) {
    let Some(image) = image else { return };
    let Draft::Map(template) = template else { return };
    let Some(Draft::Map(spec)) = template.get_mut("spec") else { return };
    let Some(Draft::List(_, containers)) = spec.get_mut("containers") else { return };
    for container in containers {
        if let Draft::Map(fields) = container
            && fields.get("name").and_then(word) == Some("vmcp")
        {
            fields.take("image");
            fields.text("image", at, image);
            fields.sort();
        }
    }
}
