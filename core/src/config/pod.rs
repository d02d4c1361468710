//! What a workload in the same input gives its vMCP container, and what of a configuration's needs it lacks.
//!
//! It validates no workload and knows nothing of a cluster: what an image brings or `envFrom` adds cannot be seen here.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::input::ConfigMapName;
use crate::diagnostic::{Diagnostic, Place, Scope, code};
use crate::discovery::{FileNeed, Needs, Presence, VariableNeed};
use crate::order;
use crate::text::Span;
use crate::yaml::{Node, Shape};

/// The vMCP container of a workload, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// `Deployment`, `Pod` and so on.
    pub kind: String,
    /// Its namespace, if it is written.
    pub namespace: Option<String>,
    /// Its name; empty if it is not written.
    pub name: String,
    /// The name of the container.
    pub container: String,
    /// The container's name in the input, or the container itself.
    pub span: Span,
    /// Environment variables by name.
    pub variables: BTreeMap<String, Variable>,
    /// Whether there may be variables that are not written here.
    pub other_variables: OtherVariables,
    /// The container's volume mounts.
    pub mounts: Vec<Mount>,
}

/// Where a variable's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// Written out, and not empty.
    Value,
    /// Written out as nothing, which Go and we take for absent.
    Empty,
    /// `valueFrom`: a secret, a ConfigMap, a field.
    Reference,
}

/// Whether a container may have variables that are not written in its workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherVariables {
    /// No.
    None,
    /// `envFrom` takes over all keys of a ConfigMap or Secret.
    Possible,
}

/// A volume mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// `mountPath`, without a slash at the end.
    pub path: String,
    /// `subPath`: the one file or folder of the volume that is mounted.
    pub sub_path: Option<String>,
    /// The volume's name.
    pub volume: String,
    /// What the volume holds.
    pub source: Source,
}

/// What a volume holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A ConfigMap.
    ConfigMap {
        /// Its name.
        name: String,
        /// The files of the volume, if `items` lists them; else one for each key.
        files: Option<Vec<String>>,
    },
    /// A Secret.
    Secret {
        /// Its name.
        name: String,
        /// The files of the volume, if `items` lists them; else one for each key.
        files: Option<Vec<String>>,
    },
    /// Anything else; which files it has is not known.
    Other,
}

impl Source {
    fn files(&self) -> Option<&[String]> {
        match self {
            Self::ConfigMap { files, .. } | Self::Secret { files, .. } => files.as_deref(),
            Self::Other => None,
        }
    }
}

impl Pod {
    /// The vMCP container of an object of this kind: the one named `vmcp`, else the only one whose arguments hold
    /// `serve`, else the only one. `None` if there is none, or the kind has no pods.
    pub(super) fn read(kind: &str, object: Node<'_, '_>) -> Option<Self> {
        let spec = match kind {
            "Pod" => object.get("spec")?,
            "PodTemplate" => object.get("template")?.get("spec")?,
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => {
                object.get("spec")?.get("template")?.get("spec")?
            }
            _ => return None,
        };
        let container = choose(&spec.get("containers")?.items().collect::<Vec<_>>())?;
        let metadata = |key| object.get("metadata").and_then(|metadata| metadata.get(key)).and_then(Node::text);
        let variables = list(container, "env").filter_map(|entry| {
            let value = if entry.get("valueFrom").is_some_and(|from| !from.is_null()) {
                Variable::Reference
            } else if entry.get("value").filter(|value| !value.is_null()).and_then(Node::text).is_none_or(str::is_empty)
            {
                Variable::Empty
            } else {
                Variable::Value
            };
            Some((entry.get("name")?.text()?.to_owned(), value))
        });
        let others = list(container, "envFrom").next().is_some();
        let mounts = list(container, "volumeMounts").filter_map(|mount| Mount::read(mount, spec)).collect();
        Some(Self {
            kind: kind.to_owned(),
            namespace: metadata("namespace").filter(|name| !name.is_empty()).map(ToOwned::to_owned),
            name: metadata("name").unwrap_or_default().to_owned(),
            container: name(container).unwrap_or_default().to_owned(),
            span: container.get("name").map_or(container.span(), Node::span),
            variables: order::map(variables),
            other_variables: if others { OtherVariables::Possible } else { OtherVariables::None },
            mounts,
        })
    }

    /// Whether it mounts this ConfigMap. A namespace that is not written fits every other.
    #[must_use]
    pub fn mounts(&self, config_map: &ConfigMapName) -> bool {
        let namespaces_fit = match (&self.namespace, &config_map.namespace) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => true,
        };
        namespaces_fit
            && self
                .mounts
                .iter()
                .any(|mount| matches!(&mount.source, Source::ConfigMap { name, .. } if *name == config_map.name))
    }

    /// "container `vmcp` of Deployment `team/gateway`"
    fn described(&self) -> String {
        let namespace = self.namespace.as_ref().map_or(String::new(), |namespace| format!("{namespace}/"));
        format!("container `{}` of {} `{namespace}{}`", self.container, self.kind, self.name)
    }

    /// The mount that decides about a path: the deepest one that holds it.
    fn mount_of<'p>(&self, path: &'p str) -> Option<(&Mount, &'p str)> {
        let holding = self.mounts.iter().filter_map(|mount| {
            let rest = path.strip_prefix(&*mount.path)?;
            let rest = if rest.is_empty() { rest } else { rest.strip_prefix('/')? };
            Some((mount, rest))
        });
        holding.max_by_key(|(mount, _)| mount.path.len())
    }

    fn has_file(&self, path: &str) -> bool {
        if IN_EVERY_POD.iter().any(|folder| path.starts_with(folder)) {
            return true;
        }
        match self.mount_of(path) {
            None => false,
            Some((mount, "")) => mount.sub_path.is_some(),
            Some((mount, rest)) => {
                mount.sub_path.is_some()
                    || mount.source.files().is_none_or(|files| files.iter().any(|file| file == rest))
            }
        }
    }

    /// Where a file of the same name is mounted that can be meant: one of the same folder, or one that is listed.
    fn elsewhere(&self, path: &str) -> Option<String> {
        let mut steps = path.rsplit('/');
        let (file, folder) = (steps.next()?, steps.next()?);
        let candidates = self.mounts.iter().filter_map(|mount| {
            let (above, last) = mount.path.rsplit_once('/')?;
            if mount.sub_path.is_some() && last == file {
                let same_folder = above.rsplit('/').next() == Some(folder);
                return Some((same_folder, mount.path.clone()));
            }
            let full = format!("{}/{file}", mount.path);
            let folders_agree = last == folder;
            match mount.source.files() {
                Some(files) => files.iter().any(|listed| listed == file).then_some((folders_agree, full)),
                None => (folders_agree && mount.source != Source::Other).then_some((true, full)),
            }
        });
        // The first of the best.
        candidates
            .filter(|(_, found)| found != path)
            .reduce(|best, next| if next.0 && !best.0 { next } else { best })
            .map(|(_, found)| found)
    }
}

/// What is there without being mounted: the service account, and what images bring of the system.
const IN_EVERY_POD: [&str; 4] =
    ["/var/run/secrets/kubernetes.io/serviceaccount/", "/etc/ssl/", "/etc/pki/", "/usr/share/ca-certificates/"];

impl Mount {
    fn read(mount: Node<'_, '_>, spec: Node<'_, '_>) -> Option<Self> {
        let volume = name(mount)?;
        let path = mount.get("mountPath")?.text()?.trim_end_matches('/').to_owned();
        let text = |key| mount.get(key).and_then(Node::text).filter(|text| !text.is_empty()).map(ToOwned::to_owned);
        let source = list(spec, "volumes").find(|candidate| name(*candidate) == Some(volume)).map(Source::read);
        Some(Self {
            path,
            sub_path: text("subPath").or_else(|| text("subPathExpr")),
            volume: volume.to_owned(),
            source: source.unwrap_or(Source::Other),
        })
    }
}

impl Source {
    fn read(volume: Node<'_, '_>) -> Self {
        let files = |source: Node<'_, '_>| match source.get("items").map(Node::shape) {
            Some(Shape::Sequence(items)) if items.iter().len() > 0 => {
                Some(items.iter().filter_map(|item| Some(item.get("path")?.text()?.to_owned())).collect())
            }
            _ => None,
        };
        if let Some(source) = volume.get("configMap") {
            Self::ConfigMap { name: name(source).unwrap_or_default().to_owned(), files: files(source) }
        } else if let Some(source) = volume.get("secret") {
            let name = source.get("secretName").and_then(Node::text).unwrap_or_default().to_owned();
            Self::Secret { name, files: files(source) }
        } else {
            Self::Other
        }
    }
}

fn choose<'n, 't>(containers: &[Node<'n, 't>]) -> Option<Node<'n, 't>> {
    let named = containers.iter().find(|container| name(**container) == Some("vmcp"));
    let serving = || {
        only(containers.iter().filter(|container| {
            ["args", "command"].iter().any(|key| list(**container, key).any(|word| word.text() == Some("serve")))
        }))
    };
    named.or_else(serving).or_else(|| only(containers.iter())).copied()
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    if items.next().is_some() { None } else { Some(first) }
}

fn list<'n, 't>(node: Node<'n, 't>, key: &str) -> impl Iterator<Item = Node<'n, 't>> + use<'n, 't> {
    node.get(key).into_iter().flat_map(Node::items)
}

fn name<'n>(node: Node<'n, '_>) -> Option<&'n str> {
    node.get("name")?.text()
}

/// What the configuration needs and this pod does not give it, at the places of the configuration.
///
/// Only required variables are missed, and none where `envFrom` may bring it.
#[must_use]
pub fn compare(needs: &Needs, pod: &Pod) -> Vec<Diagnostic> {
    let files = needs.files.iter().filter_map(|need| missing_file(need, pod));
    let variables = needs.variables.iter().filter_map(|need| missing_variable(need, pod));
    let mut diagnostics: Vec<_> = files.chain(variables).collect();
    crate::diagnostic::sort(&mut diagnostics);
    diagnostics
}

fn missing_file(need: &FileNeed, pod: &Pod) -> Option<Diagnostic> {
    if pod.has_file(&need.path) {
        return None;
    }
    let (path, container) = (&need.path, pod.described());
    let diagnostic = if let Some(found) = pod.elsewhere(path) {
        let message = format!("`{path}` is not in {container}, which has `{found}`; expected one path in both");
        Diagnostic::new(code::POD_FILE_ELSEWHERE, message)
            .help(format!("write `{found}` here, or mount it at `{path}`"))
    } else if let Some((mount, rest)) = pod.mount_of(path).filter(|(_, rest)| !rest.is_empty()) {
        let listed = mount.source.files().unwrap_or_default().join("`, `");
        let message = format!(
            "`{path}` is not in {container}: volume `{}` at `{}` has `{listed}`, not `{rest}`",
            mount.volume, mount.path
        );
        Diagnostic::new(code::POD_FILE_MISSING, message)
    } else {
        let message = format!("`{path}` is not in {container}; expected a volume mounted there");
        Diagnostic::new(code::POD_FILE_MISSING, message)
    };
    Some(finish(diagnostic, need.span, &need.pointer, pod))
}

fn missing_variable(need: &VariableNeed, pod: &Pod) -> Option<Diagnostic> {
    if need.presence == Presence::Optional {
        return None;
    }
    let (name, container) = (&need.name, pod.described());
    let message = match pod.variables.get(name) {
        Some(Variable::Value | Variable::Reference) => return None,
        Some(Variable::Empty) => format!("variable `{name}` is empty in {container}; expected a value"),
        None if pod.other_variables == OtherVariables::Possible => return None,
        None => format!("variable `{name}` is not in {container}; expected it under `env`"),
    };
    Some(finish(Diagnostic::new(code::POD_VARIABLE_MISSING, message), need.span, &need.pointer, pod))
}

fn finish(diagnostic: Diagnostic, span: Span, pointer: &str, pod: &Pod) -> Diagnostic {
    diagnostic.at(span).path(pointer).scope(scope(pointer)).related(Place::input(pod.span), "this container")
}

/// What an error at a pointer into the configuration takes down.
fn scope(pointer: &str) -> Scope {
    let unescaped = |step: &str| step.replace("~1", "/").replace("~0", "~");
    let mut steps = pointer.split('/').skip(1);
    match (steps.next(), steps.next(), steps.next()) {
        (Some("backends"), Some(index), _) => index.parse().map_or(Scope::Config, Scope::Entry),
        (Some("outgoingAuth"), Some("default"), _) => Scope::Strategy(None),
        (Some("outgoingAuth"), Some("backends"), Some(name)) => Scope::Strategy(Some(unescaped(name))),
        _ => Scope::Config,
    }
}

#[cfg(test)]
mod tests {
    use super::super::input;
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway, namespace: team}
spec:
  template:
    spec:
      containers:
      - name: sidecar
        env: [{name: OTHER, value: x}]
      - name: vmcp
        args: [serve, --config=/etc/vmcp-config/config.yaml]
        env:
        - {name: PLAIN, value: x}
        - {name: EMPTY, value: ''}
        - {name: SECRET, valueFrom: {secretKeyRef: {name: s, key: k}}}
        volumeMounts:
        - {name: config, mountPath: /etc/vmcp-config/}
        - {name: ca-billing, mountPath: /etc/toolhive/ca-bundles/billing}
        - {name: ca-search, mountPath: /etc/ca/search}
        - {name: one, mountPath: /etc/one/ca.crt, subPath: ca.crt}
        - {name: data, mountPath: /data}
      volumes:
      - {name: config, configMap: {name: gateway-config}}
      - {name: ca-billing, configMap: {name: billing-ca, items: [{key: ca.crt, path: ca.crt}]}}
      - {name: ca-search, configMap: {name: search-ca, items: [{key: ca.crt, path: ca.crt}]}}
      - {name: one, secret: {secretName: one}}
      - {name: data, emptyDir: {}}
";

    fn pod(text: &str) -> Pod {
        let input = input::read(text.as_bytes());
        input.pods.into_iter().next().unwrap()
    }

    fn needs(files: &[&str], variables: &[(&str, Presence)]) -> Needs {
        let (span, pointer) = (Span::new(3, 5), String::from("/backends/2/caBundlePath"));
        Needs {
            files: files
                .iter()
                .map(|&path| FileNeed { path: path.into(), backend: None, span, pointer: pointer.clone() })
                .collect(),
            variables: variables
                .iter()
                .map(|&(name, presence)| VariableNeed { name: name.into(), presence, span, pointer: pointer.clone() })
                .collect(),
        }
    }

    fn files(pod: &Pod, paths: &[&str]) -> Vec<String> {
        compare(&needs(paths, &[]), pod).into_iter().map(|d| format!("{} {}", d.code, d.message)).collect()
    }

    fn variables(pod: &Pod, names: &[(&str, Presence)]) -> Vec<String> {
        compare(&needs(&[], names), pod).into_iter().map(|d| format!("{} {}", d.code, d.message)).collect()
    }

    #[test]
    fn a_workload_gives_what_its_vmcp_container_has() {
        let pod = pod(DEPLOYMENT);
        assert_eq!((&*pod.kind, &*pod.name, pod.namespace.as_deref()), ("Deployment", "gateway", Some("team")));
        assert_eq!(pod.container, "vmcp");
        assert_eq!(DEPLOYMENT.get(pod.span.range()), Some("vmcp"));
        assert_eq!(
            pod.variables.iter().map(|(name, value)| (&**name, *value)).collect::<Vec<_>>(),
            [("EMPTY", Variable::Empty), ("PLAIN", Variable::Value), ("SECRET", Variable::Reference)]
        );
        assert_eq!(pod.mounts.len(), 5);
        let config = |namespace: Option<&str>, name: &str| ConfigMapName {
            namespace: namespace.map(ToOwned::to_owned),
            name: name.to_owned(),
        };
        assert!(pod.mounts(&config(Some("team"), "gateway-config")));
        assert!(pod.mounts(&config(None, "gateway-config")));
        assert!(!pod.mounts(&config(Some("other"), "gateway-config")));
        assert!(!pod.mounts(&config(None, "other")));
    }

    #[test]
    fn the_container_is_the_one_that_serves_or_the_only_one() {
        let of = |containers: &str| {
            let text = format!("kind: Pod\nspec: {{containers: {containers}}}\n");
            input::read(text.as_bytes()).pods.into_iter().next().map(|pod| pod.container)
        };
        assert_eq!(of("[{name: a}]").as_deref(), Some("a"));
        assert_eq!(of("[{name: a}, {name: b, args: [serve]}]").as_deref(), Some("b"));
        assert_eq!(of("[{name: a, command: [vmcp, serve]}, {name: b, args: [serve]}]"), None);
        assert_eq!(of("[{name: a, args: [serve]}, {name: vmcp}]").as_deref(), Some("vmcp"));
        assert_eq!(of("[{name: a}, {name: b}]"), None);
    }

    #[test]
    fn a_file_is_there_missing_or_elsewhere() {
        let pod = pod(DEPLOYMENT);
        let there = [
            "/etc/toolhive/ca-bundles/billing/ca.crt",
            "/etc/vmcp-config/anything",
            "/etc/one/ca.crt",
            "/data/x",
            "/etc/ssl/certs/ca-certificates.crt",
            "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        ];
        assert_eq!(files(&pod, &there), [""; 0]);
        assert_eq!(
            files(&pod, &["/etc/toolhive/ca-bundles/search/ca.crt"]),
            [
                "pod/file-elsewhere `/etc/toolhive/ca-bundles/search/ca.crt` is not in container `vmcp` of Deployment `team/gateway`, which has `/etc/ca/search/ca.crt`; expected one path in both"
            ]
        );
        assert_eq!(
            files(&pod, &["/etc/toolhive/ca-bundles/billing/root.pem"]),
            [
                "pod/missing-file `/etc/toolhive/ca-bundles/billing/root.pem` is not in container `vmcp` of Deployment `team/gateway`: volume `ca-billing` at `/etc/toolhive/ca-bundles/billing` has `ca.crt`, not `root.pem`"
            ]
        );
        assert_eq!(
            files(&pod, &["/etc/toolhive/ca-bundles/other/root.pem"]),
            [
                "pod/missing-file `/etc/toolhive/ca-bundles/other/root.pem` is not in container `vmcp` of Deployment `team/gateway`; expected a volume mounted there"
            ]
        );
        // `/dataset` is not below `/data`.
        assert_eq!(files(&pod, &["/dataset/x.pem"]).len(), 1);
    }

    #[test]
    fn a_required_variable_is_there_missing_or_empty() {
        let closed = pod(DEPLOYMENT);
        assert_eq!(variables(&closed, &[("PLAIN", Presence::Required), ("SECRET", Presence::Required)]), [""; 0]);
        assert_eq!(variables(&closed, &[("NOPE", Presence::Optional)]), [""; 0]);
        assert_eq!(
            variables(&closed, &[("OTHER", Presence::Required)]),
            [
                "pod/missing-variable variable `OTHER` is not in container `vmcp` of Deployment `team/gateway`; expected it under `env`"
            ]
        );
        assert_eq!(
            variables(&closed, &[("EMPTY", Presence::Required)]),
            [
                "pod/missing-variable variable `EMPTY` is empty in container `vmcp` of Deployment `team/gateway`; expected a value"
            ]
        );
        let open = DEPLOYMENT
            .replace("        volumeMounts:", "        envFrom: [{secretRef: {name: s}}]\n        volumeMounts:");
        assert_eq!(variables(&pod(&open), &[("NOPE", Presence::Required)]), [""; 0]);
    }

    #[test]
    fn a_finding_points_at_the_configuration_and_takes_down_what_needs_it() {
        let found = compare(&needs(&["/x/y"], &[]), &pod(DEPLOYMENT)).remove(0);
        assert_eq!(found.place, Some(Place::input(Span::new(3, 5))));
        assert_eq!(found.path.as_deref(), Some("/backends/2/caBundlePath"));
        assert_eq!(found.scope, Scope::Entry(2));
        assert_eq!(found.related.iter().map(|r| &*r.message).collect::<Vec<_>>(), ["this container"]);
        assert_eq!(scope("/outgoingAuth/default/headerInjection"), Scope::Strategy(None));
        assert_eq!(scope("/outgoingAuth/backends/a~1b/headerInjection"), Scope::Strategy(Some("a/b".into())));
        assert_eq!(scope("/incomingAuth/oidc"), Scope::Config);
    }

    #[test]
    fn a_configuration_finds_its_pods() {
        let config = |name: &str| {
            format!(
                "kind: ConfigMap\nmetadata: {{name: {name}, namespace: team}}\ndata: {{config.yaml: 'name: {name}'}}\n---\n"
            )
        };
        let both = format!("{}{}{DEPLOYMENT}", config("gateway-config"), config("other"));
        let input = input::read(both.as_bytes());
        let pods: Vec<_> = input.configs.iter().map(|document| input.pods_of(document).count()).collect();
        assert_eq!(pods, [1, 0]);
        // With one of each there is no doubt, whatever the names.
        let input = input::read(format!("{}{DEPLOYMENT}", config("other")).as_bytes());
        assert_eq!(input.pods_of(&input.configs[0]).count(), 1);
    }
}
