//! The objects of all inputs: found in documents and lists, checked, and looked up by kind, namespace and name.
//!
//! It follows no reference by itself.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::decode::shown;
use crate::config::findings::Findings;
use crate::crd::{self, GROUP, Kind, VERSIONS, text};
use crate::diagnostic::{Diagnostic, Place, Severity, code};
use crate::text::Span;
use crate::yaml::{Node, Parsed, Shape};

/// Lists in lists, which nobody writes on purpose.
const LIST_DEPTH: usize = 8;

/// One object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object<'n, 't> {
    pub(super) kind: Kind,
    pub(super) name: &'n str,
    /// Where its name is written.
    pub(super) at: Span,
    /// As written, or that of objects that name none.
    pub(super) namespace: &'n str,
    /// As written.
    pub(super) own_namespace: Option<&'n str>,
    pub(super) node: Node<'n, 't>,
    /// Whether it has no error of its own. What is made of one that has would be a guess.
    pub(super) soundness: Soundness,
}

/// Whether an object can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Soundness {
    Sound,
    /// It has errors, which were reported.
    Broken,
}

impl<'n, 't> Object<'n, 't> {
    /// A key of its specification, unless it is null.
    pub(super) fn spec(&self, key: &str) -> Option<Node<'n, 't>> {
        self.node.get("spec")?.get(key).filter(|value| !value.is_null())
    }

    /// A text of its specification, unless it is empty.
    pub(super) fn spec_text(&self, key: &str) -> Option<&'n str> {
        self.spec(key).and_then(text).filter(|text| !text.is_empty())
    }

    /// A text of its status, unless it is empty.
    pub(super) fn status(&self, key: &str) -> Option<(&'n str, Span)> {
        let node = self.node.get("status")?.get(key)?;
        Some((text(node).filter(|text| !text.is_empty())?, node.span()))
    }

    pub(super) fn is_sound(&self) -> bool {
        self.soundness == Soundness::Sound
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Objects<'n, 't> {
    /// In text order.
    pub(super) all: Vec<Object<'n, 't>>,
    index: BTreeMap<(Kind, &'n str, &'n str), usize>,
    /// Objects that are passed over: where the first of each kind is, and how many there are.
    passed: BTreeMap<(&'n str, &'n str), (Span, usize)>,
}

impl<'n, 't> Objects<'n, 't> {
    /// Finds the objects of all documents. `namespace` is that of objects that name none.
    pub(super) fn of(trees: &'n [Parsed<'t>], namespace: &'n str, findings: &mut Findings<'_>) -> Self {
        let mut objects = Self::default();
        for parsed in trees {
            for diagnostic in &parsed.diagnostics {
                findings.keep(diagnostic.clone());
            }
            let duplicate_keys = parsed.diagnostics.iter().any(|one| one.severity() == Severity::Error);
            let Some(root) = parsed.tree.root().filter(|root| !root.is_null()) else { continue };
            match root.shape() {
                Shape::Bad => {}
                Shape::Mapping(entries) if entries.get("kind").is_some() || entries.get("apiVersion").is_some() => {
                    let soundness = if duplicate_keys { Soundness::Broken } else { Soundness::Sound };
                    objects.item(root, ("", ""), soundness, namespace, 0, findings);
                }
                _ => {
                    let span = Span::at(root.span().start as usize);
                    let message = "this document has neither `apiVersion` nor `kind`; expected a Kubernetes object";
                    findings.keep(Diagnostic::new(code::NO_KIND, message).at(span));
                }
            }
        }
        for (&(version, kind), &(span, count)) in &objects.passed {
            findings.keep(passed_over(version, kind, count).at(span));
        }
        objects
    }

    /// The object of this kind and name in a namespace.
    pub(super) fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Object<'n, 't>> {
        self.all.get(*self.index.get(&(kind, namespace, name))?)
    }

    /// Those of a kind, in text order.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Object<'n, 't>> {
        self.all.iter().filter(move |object| object.kind == kind)
    }

    /// Where credentials may stand: what Secrets hold, and static headers.
    pub(super) fn secrets(&self) -> Vec<Span> {
        let of = |object: &Object<'n, 't>| match object.kind {
            Kind::Secret => alloc::vec![object.node.get("data"), object.node.get("stringData")],
            Kind::MCPServerEntry | Kind::MCPRemoteProxy => {
                let forward = object.spec("headerForward");
                alloc::vec![forward.and_then(|forward| forward.get("addPlaintextHeaders"))]
            }
            Kind::MCPTelemetryConfig => {
                alloc::vec![object.spec("openTelemetry").and_then(|otel| otel.get("headers"))]
            }
            _ => Vec::new(),
        };
        let maps = self.all.iter().flat_map(of).flatten();
        maps.filter_map(|map| match map.shape() {
            Shape::Mapping(entries) => Some(entries.iter().map(|(_, value)| value.span())),
            _ => None,
        })
        .flatten()
        .filter(|span| !span.is_empty())
        .collect()
    }

    /// An object; `from` is the API version and kind that a typed list gives to items that do not say them themselves.
    fn item(
        &mut self,
        node: Node<'n, 't>,
        from: (&'n str, &'n str),
        soundness: Soundness,
        namespace: &'n str,
        depth: usize,
        findings: &mut Findings<'_>,
    ) {
        let word = |key, default| node.get(key).and_then(Node::text).filter(|word| !word.is_empty()).unwrap_or(default);
        let (version, kind) = (word("apiVersion", from.0), word("kind", from.1));
        if kind.ends_with("List") && node.get("items").is_some() && depth < LIST_DEPTH {
            let of = kind.strip_suffix("List").unwrap_or_default();
            for item in node.get("items").into_iter().flat_map(Node::items) {
                self.item(item, (version, of), soundness, namespace, depth + 1, findings);
            }
            return;
        }
        let at = node.get("kind").map_or(Span::at(node.span().start as usize), Node::span);
        let Some(known) = Kind::of(version, kind) else {
            self.passed.entry((version, kind)).or_insert((at, 0)).1 += 1;
            return;
        };
        if let (Some((_, version)), Some(node)) = (version.split_once('/'), node.get("apiVersion"))
            && known.is_custom()
            && !VERSIONS.contains(&version)
        {
            let message = format!("version `{}` of `{GROUP}` is not known; read as `v1beta1`", shown(version));
            findings.keep(Diagnostic::new(code::RENDER_UNKNOWN_VERSION, message).at(node.span()).path("/apiVersion"));
        }
        let metadata = |key| node.get("metadata").and_then(|metadata| metadata.get(key));
        let named = metadata("name").and_then(|name| Some((text(name).filter(|text| !text.is_empty())?, name.span())));
        let Some((name, at)) = named else {
            if !node.is_truncated() {
                let at = metadata("name").or_else(|| node.get("metadata")).map_or(at, |found| match found.shape() {
                    Shape::Mapping(entries) => entries.iter().next().map_or(found.span(), |(key, _)| key.span()),
                    _ => found.span(),
                });
                let message = format!("this {kind} has no name; expected text under `metadata.name`");
                findings.keep(Diagnostic::new(code::RENDER_NO_NAME, message).at(at).path("/metadata/name"));
            }
            return;
        };
        if !is_name(name) {
            let message = format!(
                "`{}` is no name of an object; expected lower-case letters, digits, `-` and `.`, at most 253",
                shown(name)
            );
            findings.keep(Diagnostic::new(code::RENDER_BAD_NAME, message).at(at).path("/metadata/name"));
            return;
        }
        if let Some((node, wrong)) = metadata("namespace").and_then(|node| Some((node, text(node)?)))
            && !wrong.is_empty()
            && !is_name(wrong)
        {
            let message =
                format!("`{}` is no name of a namespace; expected lower-case letters, digits and `-`", shown(wrong));
            findings.keep(Diagnostic::new(code::RENDER_BAD_NAME, message).at(node.span()).path("/metadata/namespace"));
            return;
        }
        let own_namespace = metadata("namespace").and_then(text).filter(|namespace| !namespace.is_empty());
        let mut object = Object {
            kind: known,
            name,
            at,
            namespace: own_namespace.unwrap_or(namespace),
            own_namespace,
            node,
            soundness,
        };
        if let Some(first) = self.get(known, object.namespace, name) {
            let message = format!(
                "{kind} `{}` of namespace `{}` is there already; the first one counts",
                shown(name),
                shown(object.namespace)
            );
            let finding = Diagnostic::new(code::RENDER_DUPLICATE_OBJECT, message).at(at).path("/metadata/name");
            findings.keep(finding.related(Place::input(first.at), "first here"));
            return;
        }
        let before = findings.errors();
        crd::check(known, node.get("spec"), at, findings);
        if findings.errors() > before || node.is_truncated() {
            object.soundness = Soundness::Broken;
        }
        self.index.insert((known, object.namespace, name), self.all.len());
        self.all.push(object);
    }
}

/// Whether the API server would take it for a name (RFC 1123), so that it can also be part of a file's.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = |byte: Option<&u8>| byte.copied().is_some_and(plain);
    name.len() <= 253
        && name.bytes().all(|byte| plain(byte) || byte == b'-' || byte == b'.')
        && ends(name.as_bytes().first())
        && ends(name.as_bytes().last())
        && !name.contains("..")
}

/// The note about objects that have no part in a vMCP, or that only look as if they had.
fn passed_over(version: &str, kind: &str, count: usize) -> Diagnostic {
    let what = match (kind, count) {
        ("", 1) => "an object without kind".to_owned(),
        ("", _) => format!("{count} objects without kind"),
        (kind, 1) => format!("`{}`", shown(kind)),
        (kind, _) => format!("`{}` ({count} of them)", shown(kind)),
    };
    let (group, rest) = version.split_once('/').unwrap_or(("", version));
    let meant = [GROUP, ""].into_iter().filter(|other| *other != group).find_map(|other| {
        let version = if other.is_empty() { "v1".to_owned() } else { format!("{other}/v1beta1") };
        Kind::of(&version, kind).map(|_| version)
    });
    match meant {
        // The same name in another group (several projects have an `MCPServer`), or a group that is misspelt.
        Some(version) => {
            let given: String = if group.is_empty() { shown(rest) } else { shown(group) };
            let message = format!("{what} of `{given}` is passed over; expected `apiVersion: {version}`");
            Diagnostic::new(code::RENDER_OTHER_GROUP, message)
        }
        None => Diagnostic::new(code::RENDER_UNKNOWN_KIND, format!("{what} has no part in a vMCP; passed over")),
    }
}
