//! How long a result may be kept, and for whom (2026-07-28, server/utilities/caching).
//!
//! It keeps nothing and has no clock.

use crate::mcp::json;

/// How long a result may be kept, and for whom (2026-07-28, server/utilities/caching).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// In milliseconds.
    pub ttl_ms: u64,
    /// For whom.
    pub scope: Scope,
}

/// For whom a result may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// For everybody.
    Public,
    /// For whoever asked.
    Private,
}

impl Freshness {
    /// Not at all, and for nobody else.
    pub const STALE: Self = Self { ttl_ms: 0, scope: Scope::Private };

    /// Of a list made of parts: the shortest time, and private if any part is; of no parts, not at all.
    #[must_use]
    pub fn of_all(parts: impl IntoIterator<Item = Self>) -> Self {
        let join = |a: Self, b: Self| Self { ttl_ms: a.ttl_ms.min(b.ttl_ms), scope: a.scope.max(b.scope) };
        parts.into_iter().reduce(join).unwrap_or(Self::STALE)
    }

    /// What is left after some time.
    #[must_use]
    pub fn after(self, milliseconds: u64) -> Self {
        Self { ttl_ms: self.ttl_ms.saturating_sub(milliseconds), ..self }
    }

    /// As it stands in a result.
    pub(crate) fn read(result: &str) -> Self {
        Self::said(json::member(result, "ttlMs"), json::member(result, "cacheScope"))
    }

    /// As its two members say (JSON).
    pub(super) fn said(ttl: Option<&str>, scope: Option<&str>) -> Self {
        let ttl = ttl.and_then(json::integer);
        let public = scope.is_some_and(|scope| json::says(scope, "public"));
        let scope = if public { Scope::Public } else { Scope::Private };
        Self { ttl_ms: ttl.and_then(|ttl| u64::try_from(ttl).ok()).unwrap_or(0), scope }
    }
}
