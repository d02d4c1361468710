//! What the gateway offers: what its backends do, as far as that is known.
//!
//! It asks no backend.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::mcp::client::Facts;
use crate::mcp::{Revision, extension, json};

/// What backends say of themselves, joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offering {
    capabilities: BTreeSet<&'static str>,
    /// Those of which changes are told.
    changing: BTreeSet<&'static str>,
    /// Whether updates of single resources are told.
    subscribe: bool,
    /// Tasks of sessions, of any backend that has sessions.
    tasks: BTreeSet<&'static str>,
    /// By name: what the first backend that has it says of it, as JSON.
    extensions: BTreeMap<String, String>,
    /// By backend.
    instructions: BTreeMap<String, String>,
}

/// What the gateway knows how to pass on.
const CORE: [&str; 5] = ["completions", "logging", "prompts", "resources", "tools"];

/// What a server may say of its tasks, and how it is offered (2025-11-25, basic/utilities/tasks, Capabilities).
const TASKS: [(&[&str], &str); 3] = [
    (&["cancel"], r#""cancel":{}"#),
    (&["list"], r#""list":{}"#),
    (&["requests", "tools", "call"], r#""requests":{"tools":{"call":{}}}"#),
];

/// Whether an object has an object at the end of this path.
fn within(object: &str, path: &[&str]) -> bool {
    let found = path.iter().try_fold(object, |object, key| json::member(object, key));
    found.is_some_and(|value| value.starts_with('{'))
}

impl Offering {
    /// All that the gateway knows how to pass on: what a session is offered, which outlives what backends offer now.
    const EVERYTHING: &str = concat!(
        r#"{"completions":{},"logging":{},"prompts":{"listChanged":true},"#,
        r#""resources":{"listChanged":true,"subscribe":true},"tools":{"listChanged":true}}"#
    );

    /// What these backends offer. Extensions are theirs, whatever they are (2026-07-28, basic/versioning, Extension
    /// Negotiation); where several have the same one with other settings, those of the first stand.
    #[must_use]
    pub fn of<'a>(backends: impl IntoIterator<Item = (&'a str, &'a Facts)>) -> Self {
        let mut offering = Self::default();
        for (backend, facts) in backends {
            offering.capabilities.extend(CORE.into_iter().filter(|name| facts.offers(name)));
            let says = |name: &str, what| {
                let capability = json::member(&facts.capabilities, name);
                capability.and_then(|capability| json::member(capability, what)) == Some("true")
            };
            offering.changing.extend(CORE.into_iter().filter(|name| says(name, "listChanged")));
            if let Some(tasks) = json::member(&facts.capabilities, "tasks").filter(|tasks| tasks.starts_with('{')) {
                offering.tasks.extend(TASKS.iter().filter(|(path, _)| within(tasks, path)).map(|(_, text)| *text));
            }
            offering.subscribe |= says("resources", "subscribe");
            let extensions = json::member(&facts.capabilities, "extensions").and_then(json::members);
            for extension in extensions.into_iter().flatten().filter(|extension| extension.value.starts_with('{')) {
                let Some(name) = json::string(extension.key) else { continue };
                offering.extensions.entry(name.into_owned()).or_insert_with(|| extension.value.to_string());
            }
            let instructions = facts.instructions.as_deref().map(str::trim).filter(|text| !text.is_empty());
            offering.instructions.extend(instructions.map(|text| (backend.to_string(), text.to_string())));
        }
        offering
    }

    /// As JSON. `logging` says that requests which ask for log messages may get some (2026-07-28,
    /// server/utilities/logging, Capabilities).
    pub(super) fn capabilities(&self) -> String {
        let members = self.capabilities.iter().map(|name| {
            let changes = self.changing.contains(name).then_some(r#""listChanged":true"#);
            let subscribe = (*name == "resources" && self.subscribe).then_some(r#""subscribe":true"#);
            let parts: Vec<_> = changes.into_iter().chain(subscribe).collect();
            format!("\"{name}\":{{{}}}", parts.join(","))
        });
        let members: Vec<_> = members.chain(self.extensions(|_| true)).collect();
        format!("{{{}}}", members.join(","))
    }

    /// All that a session of this revision is offered, as JSON: tasks are another thing there.
    pub(super) fn everything(&self, revision: Revision) -> String {
        let tasks = (revision >= Revision::V20251125 && !self.tasks.is_empty()).then(|| {
            let tasks: Vec<_> = self.tasks.iter().copied().collect();
            format!("\"tasks\":{{{}}}", tasks.join(","))
        });
        let open = Self::EVERYTHING.strip_suffix('}').unwrap_or_default();
        let extensions = self.extensions(|name| name != extension::TASKS);
        let all: Vec<_> = [open.to_string()].into_iter().chain(tasks).chain(extensions).collect();
        format!("{}}}", all.join(","))
    }

    fn extensions(&self, is_offered: impl Fn(&str) -> bool) -> Option<String> {
        let offered = self.extensions.iter().filter(|(name, _)| is_offered(name));
        let offered: Vec<_> = offered.map(|(name, value)| format!("{}:{value}", json::quote(name))).collect();
        (!offered.is_empty()).then(|| format!("\"extensions\":{{{}}}", offered.join(",")))
    }

    /// What the backends want the model to know, each under its name.
    pub(super) fn instructions(&self) -> Option<String> {
        let parts: Vec<_> = self.instructions.iter().map(|(name, text)| format!("## {name}\n\n{text}")).collect();
        (!parts.is_empty()).then(|| parts.join("\n\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_one_backend_offers_is_offered() {
        let facts = |capabilities: &str, instructions: Option<&str>| Facts {
            capabilities: capabilities.into(),
            server_info: None,
            instructions: instructions.map(Into::into),
        };
        let a = facts(
            r#"{"tools":{"listChanged":true},"prompts":null,"x":{},"extensions":{"io.modelcontextprotocol/ui":{"a":1}}}"#,
            Some(" Be kind.\n"),
        );
        let b = facts(
            r#"{"logging":{},"completions":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#,
            Some("Be brief."),
        );
        let c = facts(r#"{"tools":{}}"#, Some(" "));
        let offering = Offering::of([("b", &b), ("a", &a), ("c", &c)]);
        assert_eq!(
            offering.capabilities(),
            r#"{"completions":{},"logging":{},"tools":{"listChanged":true},"extensions":{"io.modelcontextprotocol/tasks":{},"io.modelcontextprotocol/ui":{"a":1}}}"#
        );
        let apps = r#","extensions":{"io.modelcontextprotocol/ui":{"a":1}}}"#;
        let everything = Offering::EVERYTHING.strip_suffix('}').unwrap();
        assert_eq!(offering.everything(Revision::V20250618), format!("{everything}{apps}"));
        assert_eq!(Offering::default().everything(Revision::V20251125), Offering::EVERYTHING);
        let some = |tasks: &str| facts(&format!(r#"{{"tasks":{tasks}}}"#), None);
        let (d, e) =
            (some(r#"{"list":{},"requests":{"tools":{}}}"#), some(r#"{"cancel":{},"requests":{"tools":{"call":{}}}}"#));
        let both = Offering::of([("d", &d), ("e", &e)]);
        let tasks = r#","tasks":{"cancel":{},"list":{},"requests":{"tools":{"call":{}}}}}"#;
        assert_eq!(both.everything(Revision::V20251125), format!("{everything}{tasks}"));
        assert_eq!(both.everything(Revision::V20250618), Offering::EVERYTHING);
        assert_eq!(offering.instructions().as_deref(), Some("## a\n\nBe kind.\n\n## b\n\nBe brief."));
        assert_eq!(Offering::default().capabilities(), "{}");
        assert_eq!(Offering::default().instructions(), None);
    }
    #[test]
    fn extensions_of_all_backends_are_offered_with_the_settings_of_the_first() {
        let facts = |extensions: &str| Facts {
            capabilities: format!(r#"{{"extensions":{extensions}}}"#),
            server_info: None,
            instructions: None,
        };
        let a = facts(
            r#"{"com.example\/b":{"n":1.50,"x":[ ]},"com.example/none":null,"io.modelcontextprotocol/tasks":{}}"#,
        );
        let b = facts(r#"{"com.example/b":{"n":2},"com.example/a\"":{}}"#);
        let (nothing, wrong) = (facts("{}"), facts("7"));
        let offering = Offering::of([("n", &nothing), ("a", &a), ("b", &b), ("w", &wrong)]);
        let theirs = r#""com.example/a\"":{},"com.example/b":{"n":1.50,"x":[ ]}"#;
        assert_eq!(
            offering.capabilities(),
            format!(r#"{{"extensions":{{{theirs},"io.modelcontextprotocol/tasks":{{}}}}}}"#)
        );
        // Tasks of sessions are others, and no extension.
        let open = Offering::EVERYTHING.strip_suffix('}').unwrap();
        assert_eq!(offering.everything(Revision::V20251125), format!("{open},\"extensions\":{{{theirs}}}}}"));
        let other = Offering::of([("b", &b), ("a", &a)]);
        assert!(other.capabilities().contains(r#""com.example/b":{"n":2}"#));
    }
}
