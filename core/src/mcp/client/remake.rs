//! What becomes of a result on its way to a client that speaks another revision than its backend, or stands before another
//! server: whole, or member by member while it arrives.
//!
//! It looks at the members of a result and at none inside them, `_meta` excepted.

use alloc::borrow::Cow;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::freshness::{Freshness, Scope};
use crate::mcp::json::{self, Member};
use crate::mcp::meta;

/// What becomes of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remake {
    /// Every byte stays what it was.
    Nothing,
    /// It gets what every result of 2026-07-28 has: its type and who answers; a backend's own name goes.
    ForModern {
        /// Who answers, as JSON.
        server: String,
        /// Whether it says how long it may be kept.
        cached: Cached,
    },
    /// It loses what a client with a session does not know or may refuse: the fields of the hop, and structured content that
    /// is no object (2025-11-25, schema, CallToolResult).
    ForLegacy,
}

/// Whether a result says how long it may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cached {
    /// A result of a call: what stands there is another's business.
    No,
    /// So long and for so many, whatever stands there.
    For(Freshness),
    /// As it says itself.
    AsSaid,
}

/// What becomes of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Passes,
    Goes,
    /// When it is whole, [`Remake::held`] says.
    Held,
}

/// What was seen in a result.
#[derive(Clone, Debug, Default)]
pub(super) struct Noted {
    own_meta: Option<String>,
    ttl: Option<String>,
    scope: Option<String>,
    has_type: bool,
    /// What stands before the next member that is written.
    separator: &'static str,
}

impl Noted {
    /// What stands before a member that is written now.
    pub(super) fn separator(&mut self) -> &'static str {
        core::mem::replace(&mut self.separator, ",")
    }
}

impl Remake {
    /// The result made so. Members that stay are written as they were.
    #[must_use]
    pub fn apply<'r>(&self, result: &'r str) -> Cow<'r, str> {
        if *self == Self::Nothing {
            return Cow::Borrowed(result);
        }
        let mut out = String::with_capacity(result.len() + self.room());
        self.write(result, &mut out);
        Cow::Owned(out)
    }

    /// How much longer it may make a result.
    pub(super) fn room(&self) -> usize {
        match self {
            Self::ForModern { server, .. } => server.len() + 160,
            Self::Nothing | Self::ForLegacy => 0,
        }
    }

    /// As [`apply`](Self::apply), behind what is there already.
    pub(super) fn write(&self, result: &str, out: &mut String) {
        if *self == Self::Nothing {
            return out.push_str(result);
        }
        out.push('{');
        let mut noted = Noted::default();
        for member in json::members(result).into_iter().flatten() {
            let first = member.value.bytes().next().unwrap_or_default();
            let written = match self.fate(&mut noted, member.key, first) {
                Fate::Passes => Some(member.text),
                Fate::Goes => None,
                Fate::Held => self.held(&mut noted, &member).then_some(member.text),
            };
            if let Some(text) = written {
                out.push_str(noted.separator());
                out.push_str(text);
            }
        }
        out.push_str(&self.end(&mut noted));
        out.push('}');
    }

    /// What becomes of a member with this key, whose value begins with this byte.
    pub(super) fn fate(&self, noted: &mut Noted, key: &str, first: u8) -> Fate {
        let is = |name| json::says(key, name);
        match self {
            Self::Nothing => Fate::Passes,
            Self::ForModern { cached, .. } => {
                noted.has_type |= is("resultType");
                let held = is("_meta") || *cached != Cached::No && (is("ttlMs") || is("cacheScope"));
                if held { Fate::Held } else { Fate::Passes }
            }
            Self::ForLegacy if is("resultType") || is("ttlMs") || is("cacheScope") => Fate::Goes,
            Self::ForLegacy if is("structuredContent") && first != b'{' => Fate::Goes,
            Self::ForLegacy if is("_meta") => Fate::Held,
            Self::ForLegacy => Fate::Passes,
        }
    }

    /// Whether a member that was held is written where it stands, now that it is whole.
    pub(super) fn held(&self, noted: &mut Noted, member: &Member<'_>) -> bool {
        if *self == Self::ForLegacy && json::member(member.value, meta::SERVER_INFO).is_none() {
            return true;
        }
        let value = Some(member.value.into());
        if member.is("_meta") {
            noted.own_meta = value;
        } else if member.is("ttlMs") {
            noted.ttl = value;
        } else {
            noted.scope = value;
        }
        false
    }

    /// What follows the last member.
    pub(super) fn end(&self, noted: &mut Noted) -> String {
        let own_meta = noted.own_meta.as_deref().unwrap_or("{}");
        let rest = |with: &[(&str, &str)]| json::rewrite(own_meta, |member| member.is(meta::SERVER_INFO), with);
        let mut with: Vec<(&str, Cow<'_, str>)> = Vec::with_capacity(4);
        match self {
            Self::Nothing => {}
            Self::ForModern { server, cached } => {
                if !noted.has_type {
                    with.push(("resultType", "\"complete\"".into()));
                }
                let freshness = match cached {
                    Cached::No => None,
                    Cached::For(freshness) => Some(*freshness),
                    Cached::AsSaid => Some(Freshness::said(noted.ttl.as_deref(), noted.scope.as_deref())),
                };
                if let Some(freshness) = freshness {
                    let scope = if freshness.scope == Scope::Public { "\"public\"" } else { "\"private\"" };
                    with.push(("ttlMs", freshness.ttl_ms.to_string().into()));
                    with.push(("cacheScope", scope.into()));
                }
                with.push(("_meta", rest(&[(meta::SERVER_INFO, server)]).into()));
            }
            Self::ForLegacy if noted.own_meta.is_none() => {}
            Self::ForLegacy => {
                // What held nothing but the name of the hop goes with it.
                let rest = rest(&[]);
                if rest != "{}" {
                    with.push(("_meta", rest.into()));
                }
            }
        }
        let mut out = String::new();
        let mut separator = noted.separator;
        for (key, value) in with {
            for part in [separator, "\"", key, "\":", &value] {
                out.push_str(part);
            }
            separator = ",";
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_modern_result_has_its_type_and_who_answers() {
        let modern = |cached| Remake::ForModern { server: r#"{"name":"g"}"#.into(), cached };
        let own = r#"{ "content" : [] , "_meta":{"io.modelcontextprotocol/serverInfo":1,"x": 2},"ttlMs":9,"cacheScope":"public"}"#;
        assert_eq!(
            modern(Cached::No).apply(own),
            r#"{"content" : [],"ttlMs":9,"cacheScope":"public","resultType":"complete","_meta":{"x": 2,"io.modelcontextprotocol/serverInfo":{"name":"g"}}}"#
        );
        assert_eq!(
            modern(Cached::AsSaid).apply(own),
            r#"{"content" : [],"resultType":"complete","ttlMs":9,"cacheScope":"public","_meta":{"x": 2,"io.modelcontextprotocol/serverInfo":{"name":"g"}}}"#
        );
        assert_eq!(
            modern(Cached::For(Freshness::STALE)).apply(r#"{"ttlMs":9,"resultType":"x"}"#),
            r#"{"resultType":"x","ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"g"}}}"#
        );
    }

    #[test]
    fn a_legacy_result_has_nothing_of_the_hop() {
        let legacy = |result| Remake::ForLegacy.apply(result).into_owned();
        assert_eq!(legacy(r#"{"resultType":"complete","ttlMs":1,"cacheScope":"private", "a": 1}"#), r#"{"a": 1}"#);
        assert_eq!(legacy(r#"{"structuredContent":[1],"b":2}"#), r#"{"b":2}"#);
        assert_eq!(legacy(r#"{"structuredContent":{"a":1}}"#), r#"{"structuredContent":{"a":1}}"#);
        assert_eq!(legacy(r#"{"_meta":{"x":1},"b":2}"#), r#"{"_meta":{"x":1},"b":2}"#);
        assert_eq!(legacy(r#"{"_meta":{"io.modelcontextprotocol/serverInfo":{}},"b":2}"#), r#"{"b":2}"#);
        assert_eq!(
            legacy(r#"{"_meta":{"io.modelcontextprotocol/serverInfo":{},"x":1},"b":2}"#),
            r#"{"b":2,"_meta":{"x":1}}"#
        );
        assert_eq!(Remake::Nothing.apply("{ }"), "{ }");
    }
}
