//! `subscriptions/listen` (2026-07-28, basic/patterns/subscriptions): what a client wants to hear, what is honoured of it,
//! and each message with the mark of the subscription it belongs to.
//!
//! It keeps no subscription and hears no backend.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::asks::{needs_tasks, open_task};
use super::front::Response;
use super::modern::complete;
use super::{Asker, Or, ServerInfo, Streams, refuse_params, shown};
use crate::aggregate::Owner;
use crate::mcp::client::{Cached, Call, List, ServerMessage};
use crate::mcp::{code, json, jsonrpc, meta};
use crate::seal::Sealer;

/// The request that opens a subscription.
pub const METHOD: &str = "subscriptions/listen";
/// What a client declares that wants to hear of tasks, as JSON.
pub const WITH_TASKS: &str = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
const UPDATED: &str = "notifications/resources/updated";
const TASK: &str = "notifications/tasks";
/// Resources and tasks that one subscription may name.
const NAMES: usize = 1024;

/// Lists of which one hears that they are others now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changing {
    /// Of tools.
    Tools,
    /// Of prompts.
    Prompts,
    /// Of resources and resource templates.
    Resources,
}

impl Changing {
    /// All.
    pub const ALL: [Self; 3] = [Self::Tools, Self::Prompts, Self::Resources];

    /// What a notification is about.
    #[must_use]
    pub fn of(method: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.method() == method)
    }

    /// Which one a list belongs to.
    #[must_use]
    pub fn of_list(kind: List) -> Self {
        match kind {
            List::Tools => Self::Tools,
            List::Prompts => Self::Prompts,
            List::Resources | List::ResourceTemplates => Self::Resources,
        }
    }

    /// The lists to ask for anew.
    #[must_use]
    pub fn lists(self) -> &'static [List] {
        match self {
            Self::Tools => &[List::Tools],
            Self::Prompts => &[List::Prompts],
            Self::Resources => &[List::Resources, List::ResourceTemplates],
        }
    }

    /// The capability under which a server declares `listChanged`.
    #[must_use]
    pub fn capability(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
        }
    }

    /// The notification.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Tools => "notifications/tools/list_changed",
            Self::Prompts => "notifications/prompts/list_changed",
            Self::Resources => "notifications/resources/list_changed",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Tools => "toolsListChanged",
            Self::Prompts => "promptsListChanged",
            Self::Resources => "resourcesListChanged",
        }
    }
}

/// What is to be heard, or is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Changes of these lists.
    pub lists: Vec<Changing>,
    /// Updates of these resources, by URI.
    pub resources: Vec<String>,
    /// The state of these tasks, by id (SEP-2663).
    pub tasks: Vec<String>,
}

impl Filter {
    /// Reads `notifications` of a request or of an acknowledgement.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(notifications: &str) -> Result<Self, String> {
        let keys =
            ["toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions", "taskIds"];
        let [tools, prompts, resources, uris, tasks] =
            json::pick(notifications, keys).map_err(|error| format!("`notifications`: {error}"))?;
        let mut lists = Vec::new();
        for (kind, value) in Changing::ALL.into_iter().zip([tools, prompts, resources]) {
            match value {
                Some("true") => lists.push(kind),
                None | Some("false" | "null") => {}
                Some(other) => return Err(format!("`{}` is {}; expected a boolean", kind.key(), json::kind(other))),
            }
        }
        let texts = |key: &str, value: Option<&str>| {
            let Some(value) = value.filter(|value| *value != "null") else { return Ok(Vec::new()) };
            let wrong = || format!("`{key}` is no array of strings");
            let mut texts = Vec::new();
            for element in json::elements(value).ok_or_else(wrong)? {
                let text = json::string(element).ok_or_else(wrong)?.into_owned();
                if !texts.contains(&text) {
                    texts.push(text);
                }
                if texts.len() > NAMES {
                    return Err(format!("`{key}` has more than {NAMES} entries"));
                }
            }
            Ok(texts)
        };
        Ok(Self { lists, resources: texts("resourceSubscriptions", uris)?, tasks: texts("taskIds", tasks)? })
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let mut members: Vec<_> = self.lists.iter().map(|kind| format!("\"{}\":true", kind.key())).collect();
        for (key, texts) in [("resourceSubscriptions", &self.resources), ("taskIds", &self.tasks)] {
            if !texts.is_empty() {
                let texts: Vec<_> = texts.iter().map(|text| json::quote(text)).collect();
                members.push(format!("\"{key}\":[{}]", texts.join(",")));
            }
        }
        format!("{{{}}}", members.join(","))
    }

    /// Whether it is about nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.resources.is_empty() && self.tasks.is_empty()
    }

    /// The request to a backend that asks for this.
    #[must_use]
    pub fn call(&self) -> Call {
        Call::new(METHOD, Some(format!(r#"{{"notifications":{}}}"#, self.json())))
    }
}

/// What a backend acknowledges, if this message does.
#[must_use]
pub fn acknowledged(message: &ServerMessage) -> Option<Filter> {
    let params = message.params().filter(|_| message.method == ACKNOWLEDGED)?;
    Filter::read(json::member(params, "notifications").unwrap_or("{}")).ok()
}

/// Which resource or task a message of a backend is about.
#[must_use]
pub fn about(message: &ServerMessage) -> Option<About> {
    let text = |key| Some(json::string(json::member(message.params()?, key)?)?.into_owned());
    match message.method.as_str() {
        UPDATED => text("uri").map(About::Resource),
        TASK => text("taskId").map(About::Task),
        _ => None,
    }
}

/// A message of a backend for a client with a session: without the mark of the gateway's subscription.
#[must_use]
pub fn unmarked(message: &ServerMessage) -> String {
    let params = message.params().unwrap_or("{}");
    let own_meta = json::member(params, "_meta").unwrap_or("{}");
    let rest = json::rewrite(own_meta, |member| member.is(meta::SUBSCRIPTION_ID), &[]);
    let with = (rest != "{}").then_some(("_meta", rest.as_str()));
    jsonrpc::notification(&message.method, Some(&json::rewrite(params, |member| member.is("_meta"), with.as_slice())))
}

/// What a message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A resource, by the backend's URI: one that was named, or a part of it.
    Resource(String),
    /// A task, by the backend's id.
    Task(String),
}

/// A wish to hear of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen<'a> {
    /// Who wants to hear.
    pub asker: Asker<'a>,
    /// What.
    pub wanted: Filter,
}

impl<'a> Listen<'a> {
    pub(super) fn read(asker: Asker<'a>, params: Option<&'a str>) -> Or<Self> {
        let invalid = |message: &str| refuse_params(asker.era, asker.id.text(), message, None);
        let [notifications] = json::pick(params.unwrap_or("{}"), ["notifications"])
            .map_err(|error| invalid(&format!("`params`: {error}")))?;
        let notifications = notifications.filter(|value| value.starts_with('{'));
        let notifications = notifications.ok_or_else(|| invalid("`params` has no object `notifications`"))?;
        let wanted = Filter::read(notifications).map_err(|wrong| invalid(&wrong))?;
        if !wanted.tasks.is_empty() {
            needs_tasks(asker.capabilities.unwrap_or("{}"), asker.id.text())?;
        }
        if asker.streams == Streams::No {
            let message = "a subscription is written as events only; expected `Accept: text/event-stream` too";
            return Err(Response::error(406, Some(asker.id.text()), code::INVALID_REQUEST, message, None));
        }
        Ok(Self { asker, wanted })
    }

    /// What its messages need to know.
    #[must_use]
    pub fn subscription(&self) -> Subscription {
        Subscription { id: self.asker.id.text().to_owned() }
    }

    /// Whose tasks it names, by the ids that the client has.
    ///
    /// # Errors
    /// One is nobody's, or somebody else's; this is the answer.
    pub fn tasks(&self, sealer: &Sealer<'_>) -> Result<Vec<(String, Owner)>, Response> {
        let open = |id: &String| {
            let unknown = || format!("there is no task `{}`", shown(id));
            let owner = open_task(sealer, id)
                .ok_or_else(|| refuse_params(self.asker.era, self.asker.id.text(), &unknown(), None))?;
            Ok((id.clone(), owner))
        };
        self.wanted.tasks.iter().map(open).collect()
    }

    /// There is no room for it.
    #[must_use]
    pub fn refused(&self, message: &str) -> Response {
        Response::error(503, Some(self.asker.id.text()), code::INTERNAL, message, None)
    }
}

/// A subscription of a client, known by the id (JSON) of the request that opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    id: String,
}

impl Subscription {
    /// The first message: what is honoured (Acknowledgment).
    #[must_use]
    pub fn acknowledged(&self, honoured: &Filter) -> String {
        let params = format!(r#"{{"_meta":{},"notifications":{}}}"#, self.own_meta(), honoured.json());
        jsonrpc::notification(ACKNOWLEDGED, Some(&params))
    }

    /// A list is another one now.
    #[must_use]
    pub fn changed(&self, kind: Changing) -> String {
        jsonrpc::notification(kind.method(), Some(&format!(r#"{{"_meta":{}}}"#, self.own_meta())))
    }

    /// A resource is, or may be, another one now.
    #[must_use]
    pub fn updated(&self, uri: &str) -> String {
        let params = format!(r#"{{"_meta":{},"uri":{}}}"#, self.own_meta(), json::quote(uri));
        jsonrpc::notification(UPDATED, Some(&params))
    }

    /// A message of a backend, with this subscription's mark and what it is about by the name that the client knows.
    #[must_use]
    pub fn retold(&self, message: &ServerMessage, about: &About) -> String {
        let (key, name) = match about {
            About::Resource(uri) => ("uri", uri),
            About::Task(id) => ("taskId", id),
        };
        let params = message.params().unwrap_or("{}");
        let own_meta = json::member(params, "_meta").unwrap_or("{}");
        let mark = [(meta::SUBSCRIPTION_ID, self.id.as_str())];
        let own_meta = json::rewrite(own_meta, |member| member.is(meta::SUBSCRIPTION_ID), &mark);
        let name = json::quote(name);
        let with = [("_meta", own_meta.as_str()), (key, name.as_str())];
        let params = json::rewrite(params, |member| member.is("_meta") || member.is(key), &with);
        jsonrpc::notification(&message.method, Some(&params))
    }

    /// The last message: the gateway ends it (Graceful Closure).
    #[must_use]
    pub fn ended(&self, server: &ServerInfo) -> String {
        let result = complete(&format!(r#"{{"_meta":{}}}"#, self.own_meta()), server, Cached::No);
        jsonrpc::result(&self.id, &result)
    }

    fn own_meta(&self) -> String {
        format!(r#"{{"{}":{}}}"#, meta::SUBSCRIPTION_ID, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn said(method: &str, params: &str) -> ServerMessage {
        ServerMessage { text: jsonrpc::notification(method, Some(params)), method: method.to_string(), id: None }
    }

    #[test]
    fn a_filter_is_read_as_it_is_written() {
        let text = r#"{"toolsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["a","b\""],"taskIds":["t"]}"#;
        let filter = Filter::read(text).unwrap();
        assert_eq!(filter.json(), text);
        assert_eq!(filter.lists, [Changing::Tools, Changing::Resources]);
        assert_eq!(filter.call().params, Some(format!(r#"{{"notifications":{text}}}"#)));
        assert!(Filter::read(r#"{"toolsListChanged":false,"x":1,"taskIds":null}"#).unwrap().is_empty());
        assert_eq!(Filter::read(r#"{"resourceSubscriptions":["a","a"]}"#).unwrap().resources, ["a"]);
        let many =
            format!(r#"{{"taskIds":[{}]}}"#, (0..=NAMES).map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(","));
        for (text, expected) in [
            (r#"{"toolsListChanged":1}"#, "`toolsListChanged` is a number; expected a boolean"),
            (r#"{"resourceSubscriptions":"a"}"#, "`resourceSubscriptions` is no array of strings"),
            (r#"{"taskIds":[1]}"#, "`taskIds` is no array of strings"),
            (many.as_str(), "`taskIds` has more than 1024 entries"),
            (r#"{"taskIds":[],"taskIds":[]}"#, "`notifications`: member `taskIds` stands there twice"),
        ] {
            assert_eq!(Filter::read(text).unwrap_err(), expected);
        }
    }

    #[test]
    fn each_message_has_the_mark_of_its_subscription() {
        let subscription = Subscription { id: "\"s\"".to_string() };
        let honoured = Filter { lists: [Changing::Prompts].into(), ..Filter::default() };
        assert_eq!(
            subscription.acknowledged(&honoured),
            r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"s"},"notifications":{"promptsListChanged":true}}}"#
        );
        assert_eq!(
            subscription.changed(Changing::Prompts),
            r#"{"jsonrpc":"2.0","method":"notifications/prompts/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"s"}}}"#
        );
        assert_eq!(
            subscription.updated("a"),
            r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"s"},"uri":"a"}}"#
        );
        let server = ServerInfo { name: "n".to_string(), version: "v".to_string() };
        assert_eq!(
            subscription.ended(&server),
            r#"{"jsonrpc":"2.0","id":"s","result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":"s","io.modelcontextprotocol/serverInfo":{"name":"n","version":"v"}}}}"#
        );
    }

    #[test]
    fn a_backends_message_gets_the_clients_mark_and_name() {
        let subscription = Subscription { id: "7".to_string() };
        let message = said(
            "notifications/tasks",
            r#"{"taskId":"t","x":1.0,"_meta":{"io.modelcontextprotocol/subscriptionId":65537,"y":2}}"#,
        );
        assert_eq!(about(&message), Some(About::Task("t".to_string())));
        assert_eq!(
            subscription.retold(&message, &About::Task("sealed".to_string())),
            r#"{"jsonrpc":"2.0","method":"notifications/tasks","params":{"x":1.0,"_meta":{"y":2,"io.modelcontextprotocol/subscriptionId":7},"taskId":"sealed"}}"#
        );
        let marked = said(
            "notifications/resources/updated",
            r#"{"uri":"a","_meta":{"io.modelcontextprotocol/subscriptionId":1,"y":2}}"#,
        );
        assert_eq!(unmarked(&marked), jsonrpc::notification(&marked.method, Some(r#"{"uri":"a","_meta":{"y":2}}"#)));
        let message = said("notifications/resources/updated", r#"{"uri":"a"}"#);
        assert_eq!(unmarked(&message), message.text);
        assert_eq!(about(&message), Some(About::Resource("a".to_string())));
        assert_eq!(about(&said("notifications/message", r#"{"uri":"a"}"#)), None);
        let message = said(ACKNOWLEDGED, r#"{"notifications":{"toolsListChanged":true}}"#);
        assert_eq!(acknowledged(&message).unwrap().lists, [Changing::Tools]);
        assert_eq!(acknowledged(&said("notifications/message", "{}")), None);
        for kind in Changing::ALL {
            assert_eq!(Changing::of(kind.method()), Some(kind));
            assert!(kind.lists().iter().all(|list| Changing::of_list(*list) == kind));
        }
    }
}
