//! What is known of one backend, and what it is told of us: values that the host keeps between exchanges.
//!
//! Nothing here sends anything.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};

use super::wire;
use crate::mcp::http::Request;
use crate::mcp::{Era, Revision, json};
use crate::secret::Secret;

/// What a backend is told, and how much of it is read. One value serves all exchanges with the same declaration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who asks, and what it can do.
    pub declared: Declared,
    /// How much is read.
    pub limits: Limits,
}

/// What `initialize` and the modern `_meta` say of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// `clientInfo` as JSON.
    pub client_info: String,
    /// `capabilities` as JSON.
    pub capabilities: String,
    /// The same where requests stand alone, if that is something else.
    pub alone: Option<String>,
}

impl Declared {
    /// A client that can do nothing on request: no sampling, elicitation or roots.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            client_info: format!(r#"{{"name":{},"version":{}}}"#, json::quote(name), json::quote(version)),
            capabilities: "{}".to_owned(),
            alone: None,
        }
    }

    /// What requests that stand alone say.
    pub(super) fn alone(&self) -> &str {
        self.alone.as_deref().unwrap_or(&self.capabilities)
    }
}

impl Declared {
    /// The same as a server of this revision may be told: before 2025-11-25 there were forms only, so that a client which
    /// can do no more than open URLs has no elicitation (2025-11-25, client/elicitation, Capabilities). `None` if that is
    /// no other.
    pub(super) fn as_known_to(&self, revision: Revision) -> Option<Self> {
        let elicitation = json::member(&self.capabilities, "elicitation")?;
        let can = |mode| json::member(elicitation, mode).is_some_and(|value| value != "null");
        (revision < Revision::V20251125 && can("url") && !can("form")).then(|| Self {
            client_info: self.client_info.clone(),
            capabilities: json::rewrite(&self.capabilities, |member| member.is("elicitation"), &[]),
            alone: None,
        })
    }
}

/// How much is read. What exceeds a limit is an error, never cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one answer: a JSON body, one event of a stream, all pages of a list together.
    pub answer_bytes: usize,
    /// Pages of one list.
    pub pages: usize,
}

impl Default for Limits {
    /// 100 MiB, as the Go vMCP; 10,000 pages.
    fn default() -> Self {
        Self { answer_bytes: 100 << 20, pages: 10_000 }
    }
}

/// Where an exchange begins.
#[derive(Clone, Debug)]
pub enum Start {
    /// Nothing is known: `server/discover` tells.
    Unknown,
    /// The era was seen before ([`Standing::memory`]); if it is no longer true, that is found out and corrected.
    Remembered(Era),
    /// An open conversation.
    Standing(alloc::sync::Arc<Standing>),
}

/// An open conversation with a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// With a session, or after `initialize` at a server that gives none.
    Legacy(Legacy),
    /// Stateless.
    Modern(Modern),
}

/// After `initialize`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Legacy {
    /// As negotiated.
    pub revision: Revision,
    /// Whoever has it can speak in our name.
    pub(super) session: Option<Secret>,
    /// What the server said of itself.
    pub facts: Facts,
    /// Whether probing proved that the backend is legacy.
    pub certainty: Certainty,
}

/// After `server/discover`, or without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modern {
    /// What the server said of itself; `None` if it was not asked.
    pub facts: Option<Facts>,
}

/// How sure the era is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// The backend showed it.
    Proven,
    /// The probe met trouble (401, 503, silence): true for now, not to be remembered.
    Assumed,
}

/// What a server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// `capabilities` as JSON, an object.
    pub capabilities: String,
    /// `serverInfo` as JSON.
    pub server_info: Option<String>,
    /// `instructions`.
    pub instructions: Option<String>,
}

impl Facts {
    /// Whether a capability is declared: `tools`, `resources`…
    #[must_use]
    pub fn offers(&self, capability: &str) -> bool {
        json::member(&self.capabilities, capability).is_some_and(|value| value != "null")
    }

    /// Whether it says that it tells when one of its lists changes.
    #[must_use]
    pub fn tells_of_changes(&self) -> bool {
        ["tools", "resources", "prompts"].iter().any(|capability| {
            let capability = json::member(&self.capabilities, capability);
            capability.and_then(|it| json::member(it, "listChanged")).is_some_and(|value| value == "true")
        })
    }

    /// The names of all declared capabilities, in the server's order.
    #[must_use]
    pub fn offered(&self) -> alloc::vec::Vec<String> {
        let members = json::members(&self.capabilities).into_iter().flatten();
        members.filter(|m| m.value != "null").filter_map(|m| json::string(m.key).map(|key| key.to_string())).collect()
    }

    /// From `capabilities` and `instructions` of a result; the server's name stands elsewhere in each era.
    pub(super) fn read(result: &str, server_info: Option<&str>) -> Self {
        let capabilities = json::member(result, "capabilities").filter(|value| value.starts_with('{'));
        Self {
            capabilities: capabilities.unwrap_or("{}").to_owned(),
            server_info: server_info.map(ToOwned::to_owned),
            instructions: json::member(result, "instructions").and_then(json::string).map(|text| text.to_string()),
        }
    }
}

impl Standing {
    /// Which era it is.
    #[must_use]
    pub fn era(&self) -> Era {
        self.revision().era()
    }

    /// Which revision is spoken.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            Self::Legacy(legacy) => legacy.revision,
            Self::Modern(_) => Revision::MODERN,
        }
    }

    /// What the server said of itself.
    #[must_use]
    pub fn facts(&self) -> Option<&Facts> {
        match self {
            Self::Legacy(legacy) => Some(&legacy.facts),
            Self::Modern(modern) => modern.facts.as_ref(),
        }
    }

    /// What may be remembered of this backend for later conversations; `None` if it was only assumed.
    #[must_use]
    pub fn memory(&self) -> Option<Era> {
        match self {
            Self::Legacy(legacy) => (legacy.certainty == Certainty::Proven).then_some(Era::Legacy),
            Self::Modern(_) => Some(Era::Modern),
        }
    }

    /// Whether there is a session that should be ended when it is no longer needed.
    #[must_use]
    pub fn has_session(&self) -> bool {
        matches!(self, Self::Legacy(Legacy { session: Some(_), .. }))
    }

    /// A message that wants no response, for this conversation: a notification, or an answer to a request of the
    /// backend. `None` in modern times, which have neither.
    #[must_use]
    pub fn message(&self, text: String) -> Option<Request> {
        self.legacy().map(|legacy| wire::message(legacy, text))
    }

    /// What opens the stream of what concerns no request, or resumes it after an event (2025-11-25, basic/transports,
    /// Listening for Messages from the Server). `None` where there is no session that it could belong to.
    #[must_use]
    pub fn listen(&self, last_event_id: Option<&str>) -> Option<Request> {
        self.legacy().filter(|legacy| legacy.session.is_some()).map(|legacy| wire::listen(legacy, last_event_id))
    }

    /// The legacy conversation, if it is one.
    pub(super) fn legacy(&self) -> Option<&Legacy> {
        match self {
            Self::Legacy(legacy) => Some(legacy),
            Self::Modern(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_a_server_offers_is_read_from_its_words() {
        let facts = Facts::read(
            r#"{"capabilities":{"to\u006fls":{},"prompts":null,"x":1},"instructions":"a\nb"}"#,
            Some(r#"{"name":"s"}"#),
        );
        assert!(facts.offers("tools") && !facts.offers("prompts") && !facts.offers("resources"));
        assert_eq!(facts.offered(), ["tools", "x"]);
        assert_eq!(facts.instructions.as_deref(), Some("a\nb"));
        assert_eq!(Facts::read(r#"{"capabilities":7}"#, None).capabilities, "{}");
        let tells = |text| Facts::read(text, None).tells_of_changes();
        assert!(tells(r#"{"capabilities":{"tools":{},"prompts":{"listChanged":true}}}"#));
        assert!(!tells(r#"{"capabilities":{"tools":{"listChanged":false},"x":{"listChanged":true}}}"#));
    }

    #[test]
    fn an_assumed_era_is_not_remembered_and_a_session_not_shown() {
        let legacy = |certainty| {
            let session = Some(Secret::new("s3cr3t"));
            Standing::Legacy(Legacy { revision: Revision::LATEST_LEGACY, session, facts: Facts::default(), certainty })
        };
        assert_eq!(legacy(Certainty::Proven).memory(), Some(Era::Legacy));
        assert_eq!(legacy(Certainty::Assumed).memory(), None);
        assert!(legacy(Certainty::Assumed).has_session());
        assert!(!format!("{:?}", legacy(Certainty::Proven)).contains("s3cr3t"));
        assert_eq!(Standing::Modern(Modern { facts: None }).memory(), Some(Era::Modern));
        assert_eq!(Declared::new("a\"", "1").client_info, r#"{"name":"a\"","version":"1"}"#);
    }
}
