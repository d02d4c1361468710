//! Servers on official SDKs that offer what the suite expects, one process each.
//!
//! What they offer is written in `tests/peers/fixtures`.

use super::at::At;
use super::processes::Process;
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
    url: String,
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
        let at = match self {
            Self::Python => At::Python2,
            Self::TypeScript => At::TypeScript2,
            Self::Rust => At::Rust,
            Self::Older => At::Python1,
            Self::Everything => At::Everything,
            Self::Newer => At::TypeScript2Modern,
        };
        let (process, url) = at.start();
        Server { url, _process: process }
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
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}
