//! What is wanted of a backend: to know it, one call, a whole list, or the end of a session.
//!
//! It says nothing of how that is reached.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::passing::Passing;
use crate::mcp::{Era, LogLevel, json};

#[cfg(doc)]
use super::{Answer, Exchange, Output};

/// What is wanted of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Only to know how it speaks and what it offers.
    Open,
    /// One request, answered by [`Answer::Reply`].
    Call(Call),
    /// All pages of a list, answered by [`Answer::Listed`].
    List(List),
    /// To end the session of the standing, if it has one.
    End,
}

/// A request of any method. `Debug` shows no parameters.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub method: String,
    /// The parameters as JSON, an object. What belongs to one hop (progress token, the keys of
    /// [`meta::OF_REQUESTS`](crate::mcp::meta::OF_REQUESTS)) is made anew; every other byte is sent as it is.
    pub params: Option<String>,
    /// `mcp-param-…` headers, names in lower case; sent to a modern backend only, and no others are.
    pub headers: Vec<(String, String)>,
    /// What happens when the backend asks something meanwhile.
    pub asked: Asked,
    /// What the caller can do, as JSON: sent to a modern backend in place of what is declared in general.
    pub capabilities: Option<String>,
    /// From which level on the caller wants log messages, if it wants any: said with the request to a modern backend, which
    /// sends none otherwise (2026-07-28, server/utilities/logging). In a session it is said once for all requests.
    pub log_level: Option<LogLevel>,
    /// How the caller speaks: what only its era knows (`inputResponses` and `requestState`, or `task`) goes to no backend
    /// of the other one.
    pub era: Era,
    /// Whether a long response comes in parts, as it arrives: [`Output::Part`], and at the end [`Answer::Passed`]. `None`
    /// collects every response.
    pub passing: Option<Arc<Passing>>,
}

impl Call {
    /// A call whose caller cannot be asked anything.
    #[must_use]
    pub fn new(method: &str, params: Option<String>) -> Self {
        Self {
            method: method.to_owned(),
            params,
            headers: Vec::new(),
            asked: Asked::Decline,
            capabilities: None,
            log_level: None,
            era: Era::Legacy,
            passing: None,
        }
    }

    /// Whether a backend that gets it twice does nothing twice: it only reads, or says again how something is to be. What
    /// brings answers along may be wanted once only.
    pub(super) fn only_reads(&self) -> bool {
        let reads = matches!(
            self.method.as_str(),
            "resources/read"
                | "resources/subscribe"
                | "resources/unsubscribe"
                | "prompts/get"
                | "completion/complete"
                | "logging/setLevel"
                | "tasks/get"
                | "tasks/list"
        );
        let brings = |key| self.params.as_deref().is_some_and(|params| json::member(params, key).is_some());
        reads && !brings("inputResponses") && !brings("requestState")
    }
}

impl core::fmt::Debug for Call {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut shown = f.debug_struct("Call");
        shown.field("method", &self.method).field("asked", &self.asked).finish_non_exhaustive()
    }
}

/// What happens to a request of the backend that comes while a call is open. `ping` is always answered here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It is told that there is no such method.
    Decline,
    /// It comes out as an [`Output::Event`] and is answered with [`Exchange::answer`].
    Relay,
}

/// Which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// `tools/list`.
    Tools,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    ResourceTemplates,
    /// `prompts/list`.
    Prompts,
}

impl List {
    /// Every list.
    pub const ALL: [Self; 4] = [Self::Tools, Self::Resources, Self::ResourceTemplates, Self::Prompts];

    /// What is on it.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Tools => "tool",
            Self::Resources => "resource",
            Self::ResourceTemplates => "resource template",
            Self::Prompts => "prompt",
        }
    }

    /// The method that asks for it.
    #[must_use]
    pub fn method(self) -> &'static str {
        self.facts().0
    }

    /// The member of a result that holds it.
    #[must_use]
    pub fn member(self) -> &'static str {
        self.facts().2
    }

    /// Method, capability that it needs, member of the result, and what is said if that is missing.
    pub(super) fn facts(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Tools => ("tools/list", "tools", "tools", "`tools` array"),
            Self::Resources => ("resources/list", "resources", "resources", "`resources` array"),
            Self::ResourceTemplates => {
                ("resources/templates/list", "resources", "resourceTemplates", "`resourceTemplates` array")
            }
            Self::Prompts => ("prompts/list", "prompts", "prompts", "`prompts` array"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_only_reads_may_be_sent_twice() {
        let reads = |method, params: &str| Call::new(method, Some(params.to_owned())).only_reads();
        assert!(reads("resources/read", r#"{"uri":"x://r"}"#) && Call::new("tasks/list", None).only_reads());
        for (method, params) in [
            ("tools/call", "{}"),
            ("tasks/cancel", "{}"),
            ("prompts/get", r#"{"name":"p","requestState":"s"}"#),
            ("resources/read", r#"{"uri":"x://r","inputResponses":{}}"#),
            ("x/read", "{}"),
        ] {
            assert!(!reads(method, params), "{method} {params}");
        }
    }

    #[test]
    fn a_call_does_not_show_its_parameters() {
        let call = Call::new("tools/call", Some("s3cr3t".to_owned()));
        assert_eq!(alloc::format!("{call:?}"), r#"Call { method: "tools/call", asked: Decline, .. }"#);
    }
}
