//! ToolHive's custom resources: which kinds there are, the keys of those that matter here, and what is wrong with one.
//!
//! It resolves no reference and writes nothing; that is `render`'s. Source: the CRDs of ToolHive 0.47, whose versions
//! `v1alpha1` and `v1beta1` have the same keys.

mod tables;

use alloc::format;

use crate::config::Type;
use crate::config::decode::{self, Given};
use crate::config::findings::{Findings, Path};
use crate::config::{Emit, Key, Table};
use crate::diagnostic::{Edit, code, nearest};
use crate::text::Span;
use crate::yaml::{Node, Shape, Value};

/// The API group of the custom resources.
pub const GROUP: &str = "toolhive.stacklok.dev";
/// Its versions that are known.
pub const VERSIONS: [&str; 2] = ["v1alpha1", "v1beta1"];

/// A kind of object that rendering reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the kind of this name")]
pub enum Kind {
    VirtualMCPServer,
    MCPGroup,
    MCPServer,
    MCPRemoteProxy,
    MCPServerEntry,
    MCPExternalAuthConfig,
    MCPToolConfig,
    MCPOIDCConfig,
    MCPAuthzConfig,
    MCPTelemetryConfig,
    EmbeddingServer,
    VirtualMCPCompositeToolDefinition,
    ConfigMap,
    Secret,
}

/// Every kind and its name, the custom resources first.
const KINDS: [(Kind, &str); 14] = [
    (Kind::VirtualMCPServer, "VirtualMCPServer"),
    (Kind::MCPGroup, "MCPGroup"),
    (Kind::MCPServer, "MCPServer"),
    (Kind::MCPRemoteProxy, "MCPRemoteProxy"),
    (Kind::MCPServerEntry, "MCPServerEntry"),
    (Kind::MCPExternalAuthConfig, "MCPExternalAuthConfig"),
    (Kind::MCPToolConfig, "MCPToolConfig"),
    (Kind::MCPOIDCConfig, "MCPOIDCConfig"),
    (Kind::MCPAuthzConfig, "MCPAuthzConfig"),
    (Kind::MCPTelemetryConfig, "MCPTelemetryConfig"),
    (Kind::EmbeddingServer, "EmbeddingServer"),
    (Kind::VirtualMCPCompositeToolDefinition, "VirtualMCPCompositeToolDefinition"),
    (Kind::ConfigMap, "ConfigMap"),
    (Kind::Secret, "Secret"),
];

impl Kind {
    /// The kind that an object with this `apiVersion` and `kind` is; `None` for those that rendering passes over.
    #[must_use]
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let (group, _) = api_version.split_once('/').unwrap_or(("", api_version));
        let (found, _) = KINDS.into_iter().find(|(_, name)| *name == kind)?;
        let expected = if found.is_custom() { GROUP } else { "" };
        (group == expected).then_some(found)
    }

    /// As `kind` spells it.
    #[must_use]
    pub fn word(self) -> &'static str {
        KINDS.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// Whether it is one of ToolHive's.
    #[must_use]
    pub fn is_custom(self) -> bool {
        !matches!(self, Self::ConfigMap | Self::Secret)
    }

    /// The keys of its `spec`; `None` where the specification is a part of the configuration, or free.
    pub(crate) fn table(self) -> Option<&'static Table> {
        Some(match self {
            Self::VirtualMCPServer => &tables::VIRTUAL_MCP_SERVER,
            Self::MCPGroup => &tables::MCP_GROUP,
            Self::MCPServer => &tables::MCP_SERVER,
            Self::MCPRemoteProxy => &tables::MCP_REMOTE_PROXY,
            Self::MCPServerEntry => &tables::MCP_SERVER_ENTRY,
            Self::MCPExternalAuthConfig => &tables::EXTERNAL_AUTH,
            Self::MCPToolConfig => &tables::TOOL_CONFIG,
            Self::MCPOIDCConfig => &tables::OIDC,
            Self::MCPAuthzConfig => &tables::AUTHZ,
            Self::MCPTelemetryConfig => &tables::TELEMETRY,
            Self::EmbeddingServer => &tables::EMBEDDING_SERVER,
            Self::VirtualMCPCompositeToolDefinition | Self::ConfigMap | Self::Secret => return None,
        })
    }
}

/// Whether a `kind` is one of ToolHive's that rendering reads.
#[must_use]
pub fn is_custom(kind: &str) -> bool {
    KINDS.into_iter().any(|(known, name)| known.is_custom() && name == kind)
}

/// Everything that is wrong with the `spec` of an object of this kind, as the API server would say it: keys that do not
/// exist, values of another type, what is missing. `key` is where a missing `spec` is told.
pub(crate) fn check(kind: Kind, spec: Option<Node<'_, '_>>, key: Span, findings: &mut Findings<'_>) {
    let Some(table) = kind.table() else { return };
    let path = Path::TOP.key("spec");
    match spec.filter(|spec| !spec.is_null()) {
        Some(spec) => check_struct(spec, spec_key(spec, key), table, &path, findings),
        None if table.keys.iter().any(|key| key.emit == Emit::Always) => {
            findings.report(code::CONFIG_MISSING_KEY, key, &path, || {
                format!("this {} has no `spec`; expected one", kind.word())
            });
        }
        None => {}
    }
}

/// Where something that is missing from a whole specification is told: at its first key.
fn spec_key(spec: Node<'_, '_>, key: Span) -> Span {
    match spec.shape() {
        Shape::Mapping(entries) => entries.iter().next().map_or(key, |(first, _)| first.span()),
        _ => key,
    }
}

fn check_struct(node: Node<'_, '_>, key: Span, table: &'static Table, path: &Path<'_>, findings: &mut Findings<'_>) {
    let given = Given::new(key, node);
    let Ok(entries) = decode::entries(&given, path, findings) else { return };
    let mut meant = alloc::vec::Vec::new();
    for (name_node, value) in entries.iter() {
        let Some(name) = decode::key_text(name_node, path, findings) else { continue };
        match table.keys.iter().find(|key| key.name == name) {
            Some(known) => check_value(value, name_node.span(), known, &path.key(known.name), findings),
            None if nearest(name, table.keys.iter().map(|key| key.name)).is_some() => {
                meant.extend(decode::unknown_key(name, name_node.span(), table, entries, path, findings));
            }
            // A later version of ToolHive may have it.
            None => findings.report(code::RENDER_UNKNOWN_KEY, name_node.span(), &path.key(name), || {
                format!("`{}` is not known in {}; passed over", decode::shown(name), table.noun)
            }),
        }
    }
    if given.truncated {
        return;
    }
    for known in table.keys.iter().filter(|known| known.emit == Emit::Always) {
        if entries.get(known.name).is_none_or(Node::is_null) && !meant.contains(&known.name) {
            findings.report(code::CONFIG_MISSING_KEY, key, &path.key(known.name), || {
                format!("{} has no `{}`; expected {}", table.noun, known.name, word((known.ty)()))
            });
        }
    }
}

fn check_value(node: Node<'_, '_>, key: Span, known: &'static Key, path: &Path<'_>, findings: &mut Findings<'_>) {
    check_type(node, key, (known.ty)(), path, findings);
    let Some(text) = text(node).filter(|text| !text.is_empty() && !known.values.is_empty()) else { return };
    if known.values.contains(&text) {
        return;
    }
    let draft = findings.draft(code::CONFIG_BAD_VALUE, node.span(), path, || {
        let values = known.values.iter().map(|value| format!("`{value}`"));
        let values = values.collect::<alloc::vec::Vec<_>>().join(", ");
        format!("{} is `{}`; expected {values}", path.last(), decode::shown(text))
    });
    if let Some(draft) = draft {
        findings.push(match nearest(text, known.values.iter().copied()) {
            Some(meant) => {
                let edit = Edit { span: node.span(), replacement: meant.into() };
                draft.fix(format!("did you mean `{meant}`?"), alloc::vec![edit], false)
            }
            None => draft,
        });
    }
}

fn check_type(node: Node<'_, '_>, key: Span, ty: Type, path: &Path<'_>, findings: &mut Findings<'_>) {
    let given = Given::new(key, node);
    if given.is_null() {
        return;
    }
    match (ty, given.shape) {
        (Type::Struct(table), _) => check_struct(node, key, table(), path, findings),
        (Type::List(item), Shape::Sequence(items)) => {
            for (index, node) in items.iter().enumerate() {
                check_type(node, node.span(), item(), &path.index(index), findings);
            }
        }
        (Type::Map(item), Shape::Mapping(entries)) => {
            for (name_node, value) in entries.iter() {
                let Some(name) = decode::key_text(name_node, path, findings) else { continue };
                check_type(value, name_node.span(), item(), &path.key(name), findings);
            }
        }
        (Type::AnyMap, Shape::Mapping(_)) | (Type::Any, _) | (_, Shape::Bad) => {}
        (ty, Shape::Scalar(scalar)) if fits(&ty, scalar.value) => {}
        (ty, _) => {
            decode::wrong_type(&given, word(ty), path, findings);
        }
    }
}

/// Whether the API server takes a scalar for a value of this type: other than Go's YAML, it never turns one into another.
fn fits(ty: &Type, value: Value) -> bool {
    match (ty, value) {
        (Type::Text | Type::Secret | Type::Duration, Value::Text | Value::Timestamp) | (Type::Bool, Value::Bool(_)) => {
            true
        }
        (Type::Integer { min, max }, Value::Int(value)) => (i128::from(*min)..=i128::from(*max)).contains(&value),
        _ => false,
    }
}

fn word(ty: Type) -> &'static str {
    match ty {
        Type::Text | Type::Secret => "text",
        Type::Bool => "true or false",
        Type::Integer { .. } => "a whole number",
        Type::Duration => "a duration such as `30s`",
        Type::List(_) => "a list",
        Type::Any => "a value",
        Type::AnyMap | Type::Map(_) | Type::Struct(_) => "a mapping",
    }
}

/// The text of a scalar that is one, as the API server understands it.
pub(crate) fn text<'n>(node: Node<'n, '_>) -> Option<&'n str> {
    match node.shape() {
        Shape::Scalar(scalar) if fits(&Type::Text, scalar.value) => Some(scalar.text),
        _ => None,
    }
}
