//! Servers on official SDKs that offer what the suite expects, one process each.
//!
//! What they offer is written in `tests/peers/fixtures`.

use std::process::Command;

use serde_json::Value;

use super::processes::{Process, node, peers, python, rust_peer};
use super::suite::{Report, Revision};

/// A server for the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fixture {
    /// Python SDK 2.
    Python,
    /// TypeScript SDK 2.
    TypeScript,
    /// rmcp 3, the only one with the tasks extension.
    Rust,
    /// Python SDK 1, which knows no revision after 2025-11-25.
    Older,
    /// The reference server with every feature, on the TypeScript SDK 1: older revisions, and its own tools.
    Everything,
    /// TypeScript SDK 2, told to know none before 2026-07-28.
    Newer,
}

/// One that runs.
pub(crate) struct Server {
    port: u64,
    _process: Process,
}

impl Fixture {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::TypeScript => "typescript",
            Self::Rust => "rmcp",
            Self::Older => "python1",
            Self::Everything => "everything",
            Self::Newer => "typescript-modern",
        }
    }

    pub(crate) fn start(self) -> Server {
        let program = |mut command: Command, file: &str| {
            command.arg(peers().join("fixtures").join(file));
            command
        };
        let mut command = match self {
            Self::Python => program(python(2), "python.py"),
            Self::TypeScript => program(node(), "typescript.mjs"),
            Self::Rust => rust_peer("fixture-rmcp"),
            Self::Older => program(python(1), "python1.py"),
            Self::Everything => {
                let mut command = node();
                command.arg("--require").arg(peers().join("servers/loopback.cjs"));
                command.arg(peers().join("node_modules/@modelcontextprotocol/server-everything/dist/index.js"));
                command.arg("streamableHttp");
                command
            }
            Self::Newer => {
                let mut command = program(node(), "typescript.mjs");
                command.arg("modern");
                command
            }
        };
        let process = Process::start(self.name(), &mut command);
        let port = process.wait_for("its port", |line| serde_json::from_str::<Value>(line).ok()?.get("port")?.as_u64());
        Server { port, _process: process }
    }

    /// Holds the reference itself to what the SDK's own team reaches: all, but for the tasks extension where the SDK has
    /// none.
    pub(crate) fn check_reference(self, revision: Revision, direct: &Report) {
        let reached = match (self, revision) {
            // It has no way to close a call's stream before the answer: there is one check less.
            (Self::Rust, Revision::Legacy) => (83, 83),
            (_, Revision::Legacy) => (84, 84),
            (Self::Rust, Revision::Modern) => (197, 197),
            (Self::Python, Revision::Modern) => (169, 194),
            (Self::Older | Self::Everything | Self::Newer, Revision::Modern) => {
                unreachable!("it is asked across revisions only")
            }
            (Self::TypeScript, Revision::Modern) => (164, 194),
        };
        let name = self.name();
        let missed: Vec<_> =
            direct.failing().filter(|(scenario, _)| self == Self::Rust || !scenario.starts_with("tasks-")).collect();
        assert!(missed.is_empty(), "{name} {revision}: without the gateway fail {missed:?}");
        assert_eq!(direct.total(), reached, "{name} {revision}: without the gateway");
    }
}

impl Server {
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }
}
