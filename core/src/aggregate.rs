//! One list of tools out of many: names, collisions, and where each advertised name leads.
//!
//! It asks no backend and caches nothing. A tool stays the text its backend sent, except for its name and for what
//! an older client cannot read. The result depends on its arguments only, never on their order.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::mcp::{Era, json};

/// How conflicts between backends are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Naming {
    /// Every tool gets a prefix, needed or not.
    Prefix {
        /// `prefixFormat`: every `{workload}` in it stands for the backend's name.
        format: String,
    },
}

/// The tools of one backend.
#[derive(Clone, Copy, Debug)]
pub struct BackendTools<'a> {
    /// Its name.
    pub backend: &'a str,
    /// Each tool as it was sent, in the backend's order.
    pub tools: &'a [String],
}

/// What clients see, and where it leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Sorted by advertised name, each name once.
    tools: Vec<Tool>,
    /// What was left out, and why.
    pub warnings: Vec<Warning>,
}

/// One advertised tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// The name that clients call.
    pub advertised: String,
    /// The backend that is called.
    pub backend: Arc<str>,
    /// The name that the backend knows.
    pub original: String,
    text: String,
    for_legacy: Option<String>,
}

/// A tool that is not advertised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// It cannot be called.
    #[error("tool {position} of backend `{backend}` is left out: {reason}")]
    Unusable {
        /// Whose.
        backend: String,
        /// Which, from 1, in the backend's order.
        position: usize,
        /// Why.
        reason: Reason,
    },
    /// Another backend has the name.
    #[error("tool `{original}` of backend `{backend}` is left out: backend `{kept}` advertises `{advertised}` already")]
    Collision {
        /// Whose.
        backend: String,
        /// The name that the backend knows.
        original: String,
        /// The name that both would have.
        advertised: String,
        /// The backend that has it, the first by name.
        kept: String,
    },
    /// The backend lists it twice.
    #[error("tool `{original}` of backend `{backend}` is listed twice; the first is kept")]
    Repeated {
        /// Whose.
        backend: String,
        /// The name that the backend knows.
        original: String,
    },
}

/// Why a tool cannot be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A string, an array…
    #[error("it is {0}; expected an object")]
    NotAnObject(&'static str),
    /// Nobody could call it.
    #[error("it has no `name`")]
    NoName,
    /// Not a string.
    #[error("its `name` is {0}; expected a string")]
    BadName(&'static str),
    /// Two readers could each take another one.
    #[error("its `name` stands there twice")]
    TwoNames,
}

/// Merges what backends offer.
#[must_use]
pub fn merge(naming: &Naming, lists: &[BackendTools<'_>]) -> Merged {
    let mut lists = lists.iter().collect::<Vec<_>>();
    lists.sort_by_key(|list| list.backend);
    let mut merged = Merged::default();
    let mut tools: Vec<Tool> = Vec::with_capacity(lists.iter().map(|list| list.tools.len()).sum());
    for list in lists {
        let backend: Arc<str> = Arc::from(list.backend);
        let prefix = naming.prefix(list.backend);
        for (index, text) in list.tools.iter().enumerate() {
            match Tool::new(&backend, &prefix, text) {
                Ok(tool) => tools.push(tool),
                Err(reason) => {
                    let (backend, position) = (list.backend.to_owned(), index + 1);
                    merged.warnings.push(Warning::Unusable { backend, position, reason });
                }
            }
        }
    }
    // Stable: of one name, the first backend by name comes first, and in it the first in its own order.
    tools.sort_by(|a, b| a.advertised.cmp(&b.advertised));
    merged.tools = Vec::with_capacity(tools.len());
    for tool in tools {
        let warning = match merged.tools.last() {
            Some(kept) if kept.advertised != tool.advertised => None,
            Some(kept) if kept.backend == tool.backend && kept.original == tool.original => {
                Some(Warning::Repeated { backend: tool.backend.as_ref().to_owned(), original: tool.original.clone() })
            }
            Some(kept) => Some(Warning::Collision {
                backend: tool.backend.as_ref().to_owned(),
                original: tool.original.clone(),
                advertised: tool.advertised.clone(),
                kept: kept.backend.as_ref().to_owned(),
            }),
            None => None,
        };
        match warning {
            Some(warning) => merged.warnings.push(warning),
            None => merged.tools.push(tool),
        }
    }
    merged
}

impl Naming {
    /// The Go program's default.
    #[must_use]
    pub fn default_prefix() -> Self {
        Self::Prefix { format: "{workload}_".to_owned() }
    }

    fn prefix(&self, backend: &str) -> String {
        match self {
            Self::Prefix { format } => format.replace("{workload}", backend),
        }
    }
}

impl Merged {
    /// All tools, sorted by advertised name (by bytes).
    #[must_use]
    pub fn tools(&self) -> &[Tool] {
        &self.tools
    }

    /// Where an advertised name leads.
    #[must_use]
    pub fn tool(&self, advertised: &str) -> Option<&Tool> {
        let place = self.tools.binary_search_by(|tool| tool.advertised.as_str().cmp(advertised)).ok()?;
        self.tools.get(place)
    }
}

impl Tool {
    fn new(backend: &Arc<str>, prefix: &str, text: &str) -> Result<Self, Reason> {
        let [name] = json::pick(text, ["name"]).map_err(|error| match error {
            json::PickError::NotAnObject(kind) => Reason::NotAnObject(kind),
            json::PickError::Duplicate(_) => Reason::TwoNames,
        })?;
        let name = name.ok_or(Reason::NoName)?;
        let original = json::string(name).ok_or(Reason::BadName(json::kind(name)))?.into_owned();
        let advertised = [prefix, &original].concat();
        let text = json::Splice::new(text).replace(name, json::quote(&advertised)).finish();
        // One such schema makes the TypeScript SDK 1.x refuse the whole list (2025-11-25, schema, Tool: its root is
        // `type: "object"`; 2026-07-28 allows any schema).
        let unreadable = |member: &json::Member<'_>| member.is("outputSchema") && !is_object_schema(member.value);
        let for_legacy = json::members(&text)
            .is_some_and(|mut members| members.any(|member| unreadable(&member)))
            .then(|| json::rewrite(&text, unreadable, &[]));
        Ok(Self { advertised, backend: Arc::clone(backend), original, text, for_legacy })
    }

    /// Its definition as clients of this era get it.
    #[must_use]
    pub fn text(&self, era: Era) -> &str {
        match (&self.for_legacy, era) {
            (Some(text), Era::Legacy) => text,
            _ => &self.text,
        }
    }
}

fn is_object_schema(schema: &str) -> bool {
    json::member(schema, "type").is_some_and(|kind| json::says(kind, "object"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn list(tools: &[&str]) -> Vec<String> {
        tools.iter().map(ToString::to_string).collect()
    }

    fn warnings(merged: &Merged) -> Vec<String> {
        merged.warnings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_get_a_prefix_and_nothing_else_changes() {
        let tools = list(&[r#"{ "title":"é\u00e9" , "name" : "add","x":1.50}"#, r#"{"name":"a\"b"}"#]);
        let lists = [BackendTools { backend: "calc", tools: &tools }];
        let merged = merge(&Naming::default_prefix(), &lists);
        let texts: Vec<_> = merged.tools().iter().map(|tool| tool.text(Era::Legacy)).collect();
        assert_eq!(texts, [r#"{"name":"calc_a\"b"}"#, r#"{ "title":"é\u00e9" , "name" : "calc_add","x":1.50}"#]);
        let tool = merged.tool("calc_add").unwrap();
        assert_eq!((tool.backend.as_ref(), tool.original.as_str()), ("calc", "add"));
        assert!(merged.tool("add").is_none());
        assert!(merged.warnings.is_empty());
        let naming = Naming::Prefix { format: "{workload}.{workload}/".into() };
        assert_eq!(merge(&naming, &lists).tools()[0].advertised, "calc.calc/a\"b");
    }

    #[test]
    fn the_first_backend_by_name_keeps_a_name_whatever_the_order() {
        let (one, two) = (list(&[r#"{"name":"b_c"}"#, r#"{"name":"b_c","again":1}"#]), list(&[r#"{"name":"c"}"#]));
        let lists = [BackendTools { backend: "a_b", tools: &two }, BackendTools { backend: "a", tools: &one }];
        let merged = merge(&Naming::default_prefix(), &lists);
        let mut turned = lists;
        turned.reverse();
        assert_eq!(merge(&Naming::default_prefix(), &turned), merged);
        assert_eq!(merged.tools().len(), 1);
        assert_eq!(merged.tool("a_b_c").unwrap().backend.as_ref(), "a");
        assert_eq!(
            warnings(&merged),
            [
                "tool `b_c` of backend `a` is listed twice; the first is kept",
                "tool `c` of backend `a_b` is left out: backend `a` advertises `a_b_c` already",
            ]
        );
    }

    #[test]
    fn one_bad_tool_does_not_cost_the_others() {
        let tools = list(&["[1]", "{}", r#"{"name":7}"#, r#"{"name":"x","name":"y"}"#, r#"{"name":"good"}"#]);
        let merged = merge(&Naming::default_prefix(), &[BackendTools { backend: "b", tools: &tools }]);
        assert_eq!(merged.tools().len(), 1);
        assert_eq!(
            warnings(&merged),
            [
                "tool 1 of backend `b` is left out: it is an array; expected an object",
                "tool 2 of backend `b` is left out: it has no `name`",
                "tool 3 of backend `b` is left out: its `name` is a number; expected a string",
                "tool 4 of backend `b` is left out: its `name` stands there twice",
            ]
        );
    }

    #[test]
    fn legacy_clients_get_no_output_schema_that_they_cannot_read() {
        let tools = list(&[
            r#"{"name":"a","outputSchema":{"type":"array"},"z":1}"#,
            r#"{"name":"b","outputSchema":{"type":"object"}}"#,
            r#"{"name":"c","outputSchema":{"anyOf":[]}}"#,
        ]);
        let merged = merge(&Naming::Prefix { format: String::new() }, &[BackendTools { backend: "x", tools: &tools }]);
        let texts = |era| merged.tools().iter().map(|tool| tool.text(era)).collect::<Vec<_>>();
        assert_eq!(texts(Era::Modern), tools);
        assert_eq!(texts(Era::Legacy), [r#"{"name":"a","z":1}"#, tools[1].as_str(), r#"{"name":"c"}"#]);
    }
}
