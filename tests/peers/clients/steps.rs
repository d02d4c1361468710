//! Drives the client of the official Rust SDK through steps: steps-rmcp MODE URL STEPS CAN; see README.md.
//!
//! Built in the workspace of `fixtures/rmcp`. The protocol is the SDK's; only what is done with it and what its user answers
//! is here.

#![expect(deprecated, reason = "older revisions have logging, sampling and roots")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmcp::model::*;
use rmcp::service::{
    ClientServiceExt, NotificationContext, PeerRequestOptions, RequestContext, RoleClient, RunningService,
    ServiceError, Subscription,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ClientHandler, ClientLifecycleMode, ErrorData};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

/// What came from the server beside the results, by kind.
#[derive(Default)]
struct Heard {
    all: Mutex<Map<String, Value>>,
    news: Notify,
}

impl Heard {
    fn note(&self, kind: &str, value: impl Serialize) {
        let mut all = self.all.lock().unwrap();
        let kind = all.entry(kind).or_insert_with(|| json!([]));
        kind.as_array_mut().expect("it was made as one").push(json!(value));
        self.news.notify_one();
    }

    /// Waits until so many of each kind have been heard.
    async fn enough(&self, until: &Value) {
        let missing = || {
            let all = self.all.lock().unwrap();
            let few = |(kind, count): (&String, &Value)| {
                all.get(kind).map_or(0, |heard| heard.as_array().expect("it was made as one").len() as u64)
                    < count.as_u64().expect("it is a count")
            };
            until.as_object().is_some_and(|until| until.iter().any(few))
        };
        let heard = async {
            while missing() {
                self.news.notified().await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(20), heard).await.is_err() {
            panic!("not heard: {until}; heard: {:?}", self.all.lock().unwrap());
        }
    }

    fn take(&self) -> Map<String, Value> {
        std::mem::take(&mut self.all.lock().unwrap())
    }
}

/// The user, who answers whatever is asked.
struct User {
    heard: Arc<Heard>,
    declared: ClientCapabilities,
}

type Answer<T> = Result<T, ErrorData>;

impl ClientHandler for User {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(self.declared.clone(), Implementation::new("peer", "1.0.0"))
            .with_protocol_version(ProtocolVersion::V_2025_11_25)
    }

    async fn create_elicitation(
        &self,
        asked: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Answer<ElicitResult> {
        let asked = json!(asked);
        let fields = asked["requestedSchema"]["properties"].as_object().cloned().unwrap_or_default();
        let content: Map<String, Value> = fields.into_iter().map(|(name, field)| (name, value(&field))).collect();
        self.heard.note("asked", asked);
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(content.into()))
    }

    async fn create_message(
        &self,
        asked: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Answer<CreateMessageResult> {
        self.heard.note("asked", asked);
        Ok(CreateMessageResult::new(SamplingMessage::assistant_text("a word"), "m".to_owned()))
    }

    async fn list_roots(&self, _: RequestContext<RoleClient>) -> Answer<ListRootsResult> {
        self.heard.note("asked", "roots");
        Ok(typed(json!({"roots": [{"uri": "file:///here", "name": "here"}]})))
    }

    async fn on_progress(&self, made: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.heard.note("progress", (made.progress, made.total, made.message));
    }

    async fn on_logging_message(&self, said: LoggingMessageNotificationParam, _: NotificationContext<RoleClient>) {
        self.heard.note("logged", said);
    }

    async fn on_resource_updated(&self, told: ResourceUpdatedNotificationParam, _: NotificationContext<RoleClient>) {
        self.heard.note("updated", told);
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.heard.note("changed", "tools");
    }

    async fn on_prompt_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.heard.note("changed", "prompts");
    }

    async fn on_resource_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.heard.note("changed", "resources");
    }
}

/// What is filled into a field.
fn value(field: &Value) -> Value {
    let first = || Some(field["enum"].get(0).or(field["oneOf"].get(0)?.get("const"))?.clone());
    field.get("default").cloned().or_else(first).unwrap_or_else(|| match field["type"].as_str() {
        Some("array") => json!([]),
        Some("boolean") => json!(true),
        Some("integer") => json!(1),
        Some("number") => json!(1.5),
        _ => json!("x"),
    })
}

/// A connection, and the streams of changes that are open on it.
struct Session {
    service: RunningService<RoleClient, User>,
    heard: Arc<Heard>,
    has_sessions: bool,
    level: Option<LoggingLevel>,
    listening: HashMap<String, tokio::task::JoinHandle<()>>,
}

type Came<T> = Result<T, ServiceError>;

impl Session {
    async fn step(&mut self, step: &Value) -> Came<Value> {
        let text = |member: &str| step[member].as_str().map(str::to_owned);
        let arguments = step["arguments"].as_object().cloned();
        Ok(if let Some(kind) = text("list") {
            self.list(&kind).await?
        } else if let Some(name) = text("call") {
            json!(self.service.call_tool(self.call(name, arguments)).await?)
        } else if let Some(name) = text("cancel") {
            let request = ClientRequest::CallToolRequest(CallToolRequest::new(self.call(name, arguments)));
            let call = self.service.send_cancellable_request(request, PeerRequestOptions::no_options()).await?;
            self.heard.enough(&json!({"progress": 1})).await;
            call.cancel(None).await?;
            json!("cancelled")
        } else if let Some(name) = text("prompt") {
            let mut wanted = GetPromptRequestParams::new(name);
            wanted.arguments = arguments;
            json!(self.service.get_prompt(wanted).await?)
        } else if let Some(uri) = text("read") {
            json!(self.service.read_resource(ReadResourceRequestParams::new(uri)).await?)
        } else if step["complete"].is_object() {
            json!(self.service.complete(typed(step["complete"].clone())).await?)
        } else if step["level"].is_string() {
            let level: LoggingLevel = typed(step["level"].clone());
            if self.has_sessions {
                self.service.set_level(SetLevelRequestParams::new(level)).await?;
            } else {
                self.level = Some(level);
            }
            json!({})
        } else if let Some(uri) = text("subscribe") {
            if self.has_sessions {
                self.service.subscribe(SubscribeRequestParams::new(uri)).await?;
            } else {
                self.listen(uri.clone(), SubscriptionFilter::builder().resource_subscriptions([uri]).build()).await?;
            }
            json!({})
        } else if let Some(uri) = text("unsubscribe") {
            if self.has_sessions {
                self.service.unsubscribe(UnsubscribeRequestParams::new(uri)).await?;
            } else if let Some(listening) = self.listening.remove(&uri) {
                listening.abort();
            }
            json!({})
        } else if let Some(kinds) = step["watch"].as_array() {
            if !self.has_sessions {
                let name = |kind: &Value| format!("{}ListChanged", kind.as_str().unwrap_or_default());
                let filter = kinds.iter().map(|kind| (name(kind), json!(true))).collect::<Value>();
                self.listen("lists".to_owned(), typed(filter)).await?;
            }
            json!({})
        } else {
            panic!("no step: {step}")
        })
    }

    fn call(&self, name: String, arguments: Option<JsonObject>) -> CallToolRequestParams {
        let mut call = CallToolRequestParams::new(name);
        call.arguments = arguments;
        if let Some(level) = self.level {
            call.meta.get_or_insert_default().set_log_level(level);
        }
        call
    }

    async fn list(&self, kind: &str) -> Came<Value> {
        let (mut items, mut cursor) = (Vec::new(), None);
        loop {
            let page = Some(PaginatedRequestParams::default().with_cursor(cursor));
            let (page, member) = match kind {
                "tools" => (json!(self.service.list_tools(page).await?), "tools"),
                "resources" => (json!(self.service.list_resources(page).await?), "resources"),
                "templates" => (json!(self.service.list_resource_templates(page).await?), "resourceTemplates"),
                _ => (json!(self.service.list_prompts(page).await?), "prompts"),
            };
            self.heard.note("pages", kind);
            items.extend(page[member].as_array().cloned().unwrap_or_default());
            cursor = page["nextCursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return Ok(items.into());
            }
        }
    }

    /// Opens a stream of changes.
    async fn listen(&mut self, name: String, filter: SubscriptionFilter) -> Came<()> {
        let subscription: Subscription = self.service.listen(filter).await?;
        let heard = Arc::clone(&self.heard);
        self.listening.insert(name, tokio::spawn(hear(subscription, heard)));
        Ok(())
    }
}

async fn hear(mut subscription: Subscription, heard: Arc<Heard>) {
    while let Ok(Some(told)) = subscription.next().await {
        match told {
            ServerNotification::ResourceUpdatedNotification(told) => heard.note("updated", told.params),
            ServerNotification::ToolListChangedNotification(_) => heard.note("changed", "tools"),
            ServerNotification::PromptListChangedNotification(_) => heard.note("changed", "prompts"),
            other => heard.note("other", other),
        }
    }
}

/// What is written here as JSON, as the SDK's type.
fn typed<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the SDK knows what is said here")
}

// The SDK hears each message on a task of its own: on one thread they stay in order.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, url, steps, can] = &arguments[..] else { panic!("steps-rmcp MODE URL STEPS CAN") };
    let [steps, can]: [Vec<Value>; 2] = [steps, can].map(|text| serde_json::from_str(text).expect("a list"));
    let declared = |name: &&str| can.iter().any(|can| can == name);
    let declared: Map<String, Value> =
        [("elicitation", json!({"form": {}})), ("sampling", json!({})), ("roots", json!({}))]
            .into_iter()
            .filter(|(name, _)| declared(name))
            .map(|(name, capability)| (name.to_owned(), capability))
            .collect();

    let heard = Arc::new(Heard::default());
    let user = User { heard: Arc::clone(&heard), declared: typed(declared.into()) };
    let mode = match &**mode {
        "legacy" => ClientLifecycleMode::Initialize,
        _ => {
            ClientLifecycleMode::Auto { preferred_versions: vec![ProtocolVersion::V_2026_07_28], legacy_version: None }
        }
    };
    let transport = StreamableHttpClientTransport::from_uri(url.clone());
    let service = user.serve_with_lifecycle(transport, mode).await.expect("it connects");
    let revision = service.peer_info().expect("it is connected").protocol_version.clone();
    let has_sessions = revision < ProtocolVersion::V_2026_07_28;
    let mut session = Session { service, heard, has_sessions, level: None, listening: HashMap::new() };

    let mut done = Vec::new();
    for step in steps {
        let mut came = match session.step(&step).await {
            Ok(result) => {
                session.heard.enough(&step["until"]).await;
                Map::from_iter([("result".to_owned(), result)])
            }
            Err(ServiceError::McpError(error)) => {
                eprintln!("{step} {error}");
                Map::from_iter([("error".to_owned(), json!(error))])
            }
            Err(error) => panic!("{step}: {error}"),
        };
        came.extend(session.heard.take());
        done.push(Value::from(came));
    }
    for (_, listening) in session.listening {
        listening.abort();
    }
    session.service.cancel().await.expect("it ends");
    println!("{}", json!({"revision": revision, "steps": done}));
}
