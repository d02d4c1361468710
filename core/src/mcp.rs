//! MCP as values: revisions, envelopes, events, HTTP messages and the exchanges made of them.
//!
//! It has no sockets and no clock: a host sends what an exchange asks for and brings back what came.

pub mod base64;
pub mod client;
pub mod http;
pub use crate::json;
pub mod jsonrpc;
pub mod sse;

use core::fmt;

/// A dated revision of the Model Context Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// 2024-11-05, the first.
    V20241105,
    /// 2025-03-26: Streamable HTTP, batches.
    V20250326,
    /// 2025-06-18: no batches, the version header, elicitation.
    V20250618,
    /// 2025-11-25: the last with sessions.
    V20251125,
    /// 2026-07-28: stateless, `server/discover`.
    V20260728,
}

/// How a revision carries its state (2026-07-28, basic/versioning, Terminology).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Era {
    /// Up to 2025-11-25: `initialize` and sessions.
    Legacy,
    /// From 2026-07-28: every request stands alone.
    Modern,
}

impl Revision {
    /// The newest with sessions: what is offered to a legacy backend, and to a client that asks for an unknown one.
    pub const LATEST_LEGACY: Self = Self::V20251125;
    /// The stateless one.
    pub const MODERN: Self = Self::V20260728;
    /// All with sessions, newest first.
    pub const LEGACY: [Self; 4] = [Self::V20251125, Self::V20250618, Self::V20250326, Self::V20241105];

    /// Reads a date as it stands in `protocolVersion`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::MODERN].into_iter().chain(Self::LEGACY).find(|revision| revision.text() == text)
    }

    /// As it stands in `protocolVersion`.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::V20241105 => "2024-11-05",
            Self::V20250326 => "2025-03-26",
            Self::V20250618 => "2025-06-18",
            Self::V20251125 => "2025-11-25",
            Self::V20260728 => "2026-07-28",
        }
    }

    /// Whether it has sessions.
    #[must_use]
    pub fn era(self) -> Era {
        if self < Self::MODERN { Era::Legacy } else { Era::Modern }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// How grave a log message is (RFC 5424 section 6.2.1), the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For whoever looks for a fault.
    Debug,
    /// What happens.
    Info,
    /// What is unusual.
    Notice,
    /// What may become trouble.
    Warning,
    /// Something did not work.
    Error,
    /// A part does not work.
    Critical,
    /// Somebody must act.
    Alert,
    /// Nothing works.
    Emergency,
}

impl LogLevel {
    /// All, the least first.
    pub const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// Reads a name as it stands in `level`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.text() == text)
    }

    /// As it stands in `level`.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }
}

/// Keys of `_meta` that belong to one hop (2026-07-28, basic/index, `_meta`): each hop makes its own, every other key
/// passes, because extensions use the same prefix.
pub mod meta {
    /// Opts a request into progress notifications.
    pub const PROGRESS_TOKEN: &str = "progressToken";
    /// The revision of a request.
    pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    /// Who asks.
    pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
    /// What the asking client can do.
    pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    /// The lowest level of log messages that are wanted.
    pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
    /// To which subscription a notification belongs.
    pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
    /// To which task of a session a message belongs (2025-11-25, basic/utilities/tasks).
    pub const RELATED_TASK: &str = "io.modelcontextprotocol/related-task";
    /// Who answers.
    pub const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

    /// The keys of requests that are made anew, the progress token excepted.
    pub const OF_REQUESTS: [&str; 6] =
        [PROTOCOL_VERSION, CLIENT_INFO, CLIENT_CAPABILITIES, LOG_LEVEL, SUBSCRIPTION_ID, SERVER_INFO];
}

/// Names of extensions (2026-07-28, basic/versioning, Extension Negotiation).
pub mod extension {
    /// Results that come later (SEP-2663).
    pub const TASKS: &str = "io.modelcontextprotocol/tasks";
    /// Tools with a user interface (SEP-1865).
    pub const APPS: &str = "io.modelcontextprotocol/ui";
}

/// Codes of JSON-RPC errors that MCP gives a meaning.
pub mod code {
    /// The text is not JSON.
    pub const PARSE: i64 = -32700;
    /// It is JSON but no valid message.
    pub const INVALID_REQUEST: i64 = -32600;
    /// There is no such method.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// Wrong parameters, unknown tool.
    pub const INVALID_PARAMS: i64 = -32602;
    /// The other side's fault.
    pub const INTERNAL: i64 = -32603;
    /// Something has to be opened by URL first, in a session (2025-11-25).
    pub const URL_ELICITATION_REQUIRED: i64 = -32042;
    /// No such resource, in a session (up to 2025-11-25).
    pub const RESOURCE_NOT_FOUND: i64 = -32002;
    /// No such session: what the official SDKs say.
    pub const SESSION_NOT_FOUND: i64 = -32001;
    /// What the official SDKs say of a request that their transport refuses.
    pub const REFUSED: i64 = -32000;
    /// Headers and body differ (2026-07-28).
    pub const HEADER_MISMATCH: i64 = -32020;
    /// The client lacks a capability that the request needs (2026-07-28).
    pub const MISSING_CAPABILITY: i64 = -32021;
    /// The revision is not spoken here (2026-07-28).
    pub const UNSUPPORTED_VERSION: i64 = -32022;
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn revisions_are_read_as_they_are_written() {
        for revision in Revision::LEGACY {
            assert_eq!(Revision::parse(revision.text()), Some(revision));
            assert_eq!(revision.era(), Era::Legacy);
        }
        assert_eq!(Revision::parse("2026-07-28"), Some(Revision::MODERN));
        assert_eq!(Revision::MODERN.era(), Era::Modern);
        assert_eq!(Revision::parse("2026-07-28 "), None);
        assert_eq!(Revision::parse("DRAFT-2026-v1"), None);
    }

    #[test]
    fn levels_are_read_as_they_are_written() {
        for level in LogLevel::ALL {
            assert_eq!(LogLevel::parse(level.text()), Some(level));
        }
        assert!(LogLevel::ALL.is_sorted());
        assert_eq!(LogLevel::parse("Debug"), None);
    }
}
