//! Which backends there are, and what each may be called with.
//!
//! It decides from values: the configuration and the materials a host brought. It reads nothing itself.

mod catalog;
pub mod header_forward;
mod incoming;
mod needs;

pub use catalog::discover;
pub use needs::needs;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::auth::{AuthSource, Credentials};
use crate::config::StaticBackendConfig;
use crate::diagnostic::Diagnostic;
use crate::endpoint::Endpoint;
use crate::identity::Incoming;
use crate::secret::Secret;
use crate::text::Span;
use crate::trust::{Pool, SystemRoots, UnixTime};

/// What the configuration wants from the world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Files, sorted by path.
    pub files: Vec<FileNeed>,
    /// Environment variables, sorted by name.
    pub variables: Vec<VariableNeed>,
}

/// One file that must be readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileNeed {
    /// As configured, absolute.
    pub path: String,
    /// For which backend; `None` for one that is not a backend's.
    pub backend: Option<String>,
    /// The text that asks for it.
    pub span: Span,
    /// JSON pointer of that text.
    pub pointer: String,
}

/// One environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableNeed {
    /// Its name.
    pub name: String,
    /// Whether it must be there.
    pub presence: Presence,
    /// The text that asks for it.
    pub span: Span,
    /// JSON pointer of that text.
    pub pointer: String,
}

/// Whether a variable must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Without it something is rejected.
    Required,
    /// Used if it is there (the operator's header-forward manifests).
    Optional,
}

/// What a host answers. It is asked again until nothing new is needed: a header-forward manifest names secrets.
#[derive(Clone, Debug)]
pub struct Materials {
    /// By configured path.
    pub files: BTreeMap<String, Result<Vec<u8>, FileProblem>>,
    /// By name; `None` means that it was looked for and is not set.
    pub variables: BTreeMap<String, Option<Secret>>,
    /// The system's trust anchors.
    pub system_roots: Arc<SystemRoots>,
    /// Now.
    pub now: UnixTime,
}

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileProblem {
    /// Nothing there.
    #[error("no such file")]
    Missing,
    /// A symbolic link whose target is missing.
    #[error("it is a symbolic link to `{target}`, which does not exist")]
    DanglingLink {
        /// Where the link points.
        target: String,
    },
    /// A directory.
    #[error("it is a directory; expected a file")]
    Directory,
    /// A socket, a device, a pipe.
    #[error("it is not a regular file")]
    NotAFile,
    /// Not allowed to read it.
    #[error("permission denied")]
    PermissionDenied,
    /// Larger than the limit.
    #[error("it has {actual} bytes; at most {limit} are read")]
    TooLarge {
        /// The limit.
        limit: u64,
        /// Its size.
        actual: u64,
    },
    /// Anything else, in the system's words.
    #[error("{0}")]
    Other(String),
}

/// A backend that may be called. Only discovery makes one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Backend {
    /// Its name, unique.
    pub name: String,
    /// Where it is.
    pub endpoint: Endpoint,
    /// How it is spoken to.
    pub transport: Transport,
    /// What it is.
    pub kind: BackendKind,
    /// As configured, `group` forced to the configuration's `groupRef`.
    pub metadata: BTreeMap<String, String>,
    /// Sent with every request to it.
    pub credentials: Credentials,
    /// Where its strategy is written.
    pub auth_source: AuthSource,
    /// Its strategy's type, as configured.
    pub auth_type: &'static str,
    /// Headers that the operator's manifest adds; none equals one of the credentials' names or the protocol's.
    pub forwarded_headers: Vec<(String, Secret)>,
    /// Whom it is verified against.
    pub pool: Arc<Pool>,
    /// The configured path of its CA bundle.
    pub ca_bundle_path: Option<String>,
}

/// What a backend is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// A workload in the cluster.
    Workload,
    /// A remote server, `MCPServerEntry`.
    Entry,
}

/// MCP transports that can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Streamable HTTP.
    StreamableHttp,
    /// HTTP with SSE (2024-11-05).
    Sse,
}

/// A backend that is not called, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its name as written; may be empty.
    pub name: String,
    /// Index in `backends`.
    pub index: usize,
    /// The errors that reject it, also found among the catalog's diagnostics.
    pub reasons: Vec<Diagnostic>,
}

/// The result of discovery.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// How callers are identified; `None` if that is not said, or cannot be done as it was meant. Then nothing is served.
    pub incoming: Option<Incoming>,
    /// Sorted by name.
    pub backends: Vec<Backend>,
    /// In text order.
    pub rejected: Vec<Rejected>,
    /// The configuration's errors that reject no backend, because they are about all or about none that is known. Nothing is
    /// served while there is one.
    pub fatal: Vec<Diagnostic>,
    /// Everything that discovery found, sorted; configuration findings are not repeated here.
    pub diagnostics: Vec<Diagnostic>,
}

impl StaticBackendConfig {
    /// What it is. The operator leaves `type` empty, so an entry is also known by its CA bundle or by the operator's own
    /// metadata.
    #[must_use]
    pub fn backend_kind(&self) -> BackendKind {
        let written = self.kind.as_ref().map(|kind| kind.value.as_str()).unwrap_or_default();
        let by_operator = self.metadata.get("workload_type").is_some_and(|kind| kind.value == "server_entry");
        match written {
            "entry" => BackendKind::Entry,
            "" if by_operator || self.ca_bundle_path().is_some() => BackendKind::Entry,
            _ => BackendKind::Workload,
        }
    }

    /// The path of its CA bundle, if one is written.
    #[must_use]
    pub fn ca_bundle_path(&self) -> Option<&str> {
        self.ca_bundle_path.as_ref().map(|path| path.value.as_str()).filter(|path| !path.is_empty())
    }
}

impl Transport {
    /// The transport that this text names; `streamable` is an alias.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "streamable-http" | "streamable" => Some(Self::StreamableHttp),
            "sse" => Some(Self::Sse),
            _ => None,
        }
    }

    /// As it is configured.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::StreamableHttp => "streamable-http",
            Self::Sse => "sse",
        }
    }
}

impl BackendKind {
    /// In a table or a message.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Workload => "workload",
            Self::Entry => "entry",
        }
    }
}

#[cfg(test)]
mod tests;
