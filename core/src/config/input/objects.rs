//! Kubernetes objects: lists, ConfigMaps, workloads.
//!
//! It validates none of them; that is the API server's.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::limits;
use super::super::pod::Pod;
use super::{ConfigMapName, Reader};
use crate::diagnostic::{Diagnostic, code};
use crate::text::Span;
use crate::yaml::{self, Node, Parsed, Shape};

/// The key under which the operator writes a configuration.
const CONFIG_FILE: &str = "config.yaml";
/// Lists in lists, which nobody writes on purpose.
const LIST_DEPTH: usize = 8;

impl Reader<'_> {
    /// One document among Kubernetes objects.
    pub(super) fn object(&mut self, document: Parsed<'_>) {
        for diagnostic in document.diagnostics {
            self.report(diagnostic);
        }
        let Some(root) = document.tree.root().filter(|root| !root.is_null()) else { return };
        if super::is_object(root) {
            self.item(root, "", 0);
        } else if !matches!(root.shape(), Shape::Bad) {
            let start = root.span().start as usize;
            let line = self.text.get(start..).and_then(|rest| rest.lines().next()).map_or(0, str::len);
            let message =
                "this document has neither `apiVersion` nor `kind`; expected a Kubernetes object, as before it";
            self.report(Diagnostic::new(code::NO_KIND, message).at(Span::new(start, start + line)));
        }
    }

    /// An object; `default_kind` is what a typed list says of items that do not say it themselves.
    fn item(&mut self, object: Node<'_, '_>, default_kind: &str, depth: usize) {
        let kind = object.get("kind").and_then(Node::text).filter(|kind| !kind.is_empty()).unwrap_or(default_kind);
        match kind {
            "ConfigMap" => self.config_map(object),
            _ if kind.ends_with("List") && object.get("items").is_some() && depth < LIST_DEPTH => {
                let of = kind.strip_suffix("List").unwrap_or_default();
                for item in object.get("items").into_iter().flat_map(Node::items) {
                    self.item(item, of, depth + 1);
                }
            }
            _ => match Pod::read(kind, object) {
                Some(pod) => self.input.pods.push(pod),
                None => {
                    let kind = if kind.is_empty() { "object without kind" } else { kind };
                    *self.input.skipped.objects.entry(kind.to_owned()).or_default() += 1;
                }
            },
        }
    }

    fn config_map(&mut self, object: Node<'_, '_>) {
        let data = object.get("data");
        let binary = object.get("binaryData").and_then(|data| data.get(CONFIG_FILE));
        let Some(value) = data.and_then(|data| data.get(CONFIG_FILE)) else {
            match binary {
                Some(value) => {
                    let message = "`config.yaml` stands under `binaryData`; expected it under `data`, as text";
                    self.report(Diagnostic::new(code::BINARY_DATA, message).at(value.span()));
                }
                None => self.input.skipped.config_maps += 1,
            }
            return;
        };
        let found = match value.shape() {
            Shape::Scalar(scalar) if scalar.value == yaml::Value::Text => None,
            Shape::Scalar(_) => Some("a number, a boolean or nothing"),
            Shape::Sequence(_) => Some("a list"),
            Shape::Mapping(_) => Some("a map"),
            Shape::Bad => return,
        };
        if let Some(found) = found {
            let message = format!(
                "`config.yaml` is {found}; expected text: `config.yaml: |` and the configuration indented below"
            );
            self.report(Diagnostic::new(code::NOT_TEXT, message).at(value.span()));
            return;
        }
        let (Some(text), Some(positions)) = (value.text(), value.positions(self.text)) else { return };
        if self.input.configs.len() >= limits::CONFIGURATIONS {
            self.unjudged += 1;
            return;
        }
        let name = ConfigMapName::of(object);
        let span = value.span();
        self.config(Some(name), yaml::parse(text, &positions), span, other_files(data));
    }
}

impl ConfigMapName {
    fn of(object: Node<'_, '_>) -> Self {
        let metadata = |key| object.get("metadata").and_then(|metadata| metadata.get(key)).and_then(Node::text);
        Self {
            namespace: metadata("namespace").filter(|name| !name.is_empty()).map(ToOwned::to_owned),
            name: metadata("name").unwrap_or_default().to_owned(),
        }
    }
}

fn other_files(data: Option<Node<'_, '_>>) -> Vec<String> {
    let Some(Shape::Mapping(entries)) = data.map(Node::shape) else { return Vec::new() };
    entries.iter().filter_map(|(key, _)| key.text()).filter(|key| *key != CONFIG_FILE).map(ToOwned::to_owned).collect()
}
