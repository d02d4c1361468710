//! Servers on the official SDKs with every feature, one process each, in the clear.
//!
//! What they answer is theirs; what they offer is written in `tests/peers/fixtures`.

use std::process::Command;

use serde_json::Value;
use vmcp_core::mcp::Era;

use super::processes::{Process, node, peers, python, rust_peer};

/// A server in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Python SDK 1: revisions up to 2025-11-25.
    Python1,
    /// The same over HTTP+SSE.
    Python1Sse,
    /// Python SDK 2: both.
    Python2,
    /// The same over HTTP+SSE, which newer revisions have not.
    Python2Sse,
    /// TypeScript SDK 2: both.
    TypeScript2,
    /// The same without revisions before 2026-07-28.
    TypeScript2Modern,
    /// Rust SDK: both.
    Rust,
    /// The same without revisions before 2026-07-28.
    RustModern,
    /// Servers with lists of several pages.
    Python1Paged,
    TypeScript2Paged,
    RustPaged,
    /// TypeScript SDK 1, the reference server with every feature.
    Everything,
    /// The same over HTTP+SSE.
    EverythingSse,
}

impl At {
    /// Starts one, and says where it is.
    pub(crate) fn start(self) -> (Process, String) {
        let fixture = |mut command: Command, file: &str, more: &[&str]| {
            command.arg(peers().join("fixtures").join(file)).args(more);
            command
        };
        let rust = |more: &[&str]| {
            let mut command = rust_peer("fixture-rmcp");
            command.args(more);
            command
        };
        let everything = |transport: &str| {
            let mut command = node();
            command.arg("--require").arg(peers().join("servers/loopback.cjs"));
            command.arg(peers().join("node_modules/@modelcontextprotocol/server-everything/dist/index.js"));
            command.arg(transport);
            command
        };
        let mut command = match self {
            Self::Python1 => fixture(python(1), "python1.py", &[]),
            Self::Python1Sse => fixture(python(1), "python1.py", &["sse"]),
            Self::Python2 => fixture(python(2), "python.py", &[]),
            Self::Python2Sse => fixture(python(2), "python.py", &["sse"]),
            Self::TypeScript2 => fixture(node(), "typescript.mjs", &[]),
            Self::TypeScript2Modern => fixture(node(), "typescript.mjs", &["modern"]),
            Self::Rust => rust(&[]),
            Self::RustModern => rust(&["modern"]),
            Self::Python1Paged => fixture(python(1), "python1.py", &["paged"]),
            Self::TypeScript2Paged => fixture(node(), "typescript.mjs", &["paged"]),
            Self::RustPaged => rust(&["paged"]),
            Self::Everything => everything("streamableHttp"),
            Self::EverythingSse => everything("sse"),
        };
        let process = Process::start(&format!("{self:?}"), &mut command);
        let port = process.wait_for("its port", |line| serde_json::from_str::<Value>(line).ok()?.get("port")?.as_u64());
        let path = if self.is_sse() { "sse" } else { "mcp" };
        (process, format!("http://127.0.0.1:{port}/{path}"))
    }

    /// As a configuration says it.
    pub(crate) fn transport(self) -> &'static str {
        if self.is_sse() { "sse" } else { "streamable-http" }
    }

    fn is_sse(self) -> bool {
        matches!(self, Self::Python1Sse | Self::Python2Sse | Self::EverythingSse)
    }

    /// Whether it has tools, resources and prompts of its own.
    pub(crate) fn is_everything(self) -> bool {
        matches!(self, Self::Everything | Self::EverythingSse)
    }

    /// Whether its store of events tells some again to a client whose stream it resumes.
    pub(crate) fn repeats(self) -> bool {
        self == Self::Everything
    }

    /// The only revisions that it speaks; `None` if it speaks both.
    pub(crate) fn only(self) -> Option<Era> {
        match self {
            Self::Python2 | Self::TypeScript2 | Self::Rust | Self::TypeScript2Paged | Self::RustPaged => None,
            Self::TypeScript2Modern | Self::RustModern => Some(Era::Modern),
            _ => Some(Era::Legacy),
        }
    }
}
