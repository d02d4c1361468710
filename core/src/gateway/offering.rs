//! What the gateway offers: what its backends do, as far as that is known.
//!
//! It asks no backend.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::mcp::client::Facts;

/// What backends say of themselves, joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offering {
    capabilities: BTreeSet<&'static str>,
    /// By backend.
    instructions: BTreeMap<String, String>,
}

/// What the gateway knows how to pass on.
const CORE: [&str; 5] = ["completions", "logging", "prompts", "resources", "tools"];

impl Offering {
    /// All that the gateway knows how to pass on: what a session is offered, which outlives what backends offer now.
    pub(super) const EVERYTHING: &str = concat!(
        r#"{"completions":{},"logging":{},"prompts":{"listChanged":true},"#,
        r#""resources":{"listChanged":true,"subscribe":true},"tools":{"listChanged":true}}"#
    );

    /// What these backends offer.
    #[must_use]
    pub fn of<'a>(backends: impl IntoIterator<Item = (&'a str, &'a Facts)>) -> Self {
        let mut offering = Self::default();
        for (backend, facts) in backends {
            offering.capabilities.extend(CORE.into_iter().filter(|name| facts.offers(name)));
            let instructions = facts.instructions.as_deref().map(str::trim).filter(|text| !text.is_empty());
            offering.instructions.extend(instructions.map(|text| (backend.to_string(), text.to_string())));
        }
        offering
    }

    /// As JSON. Log messages are not passed on to requests that stand alone, so they are not offered to them.
    pub(super) fn capabilities(&self) -> String {
        let offered = self.capabilities.iter().filter(|name| **name != "logging");
        format!("{{{}}}", offered.map(|name| format!("\"{name}\":{{}}")).collect::<Vec<_>>().join(","))
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
        let a = facts(r#"{"tools":{"listChanged":true},"prompts":null,"x":{}}"#, Some(" Be kind.\n"));
        let b = facts(r#"{"logging":{},"completions":{}}"#, Some("Be brief."));
        let c = facts(r#"{"tools":{}}"#, Some(" "));
        let offering = Offering::of([("b", &b), ("a", &a), ("c", &c)]);
        assert_eq!(offering.capabilities(), r#"{"completions":{},"tools":{}}"#);
        assert_eq!(offering.instructions().as_deref(), Some("## a\n\nBe kind.\n\n## b\n\nBe brief."));
        assert_eq!(Offering::default().capabilities(), "{}");
        assert_eq!(Offering::default().instructions(), None);
    }
}
