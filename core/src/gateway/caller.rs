//! Who waits for what one backend answers, and what it is told: the answer spliced from the backend's bytes, and what comes
//! before it.
//!
//! It asks nothing; [`Ask`] does.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use super::asks::{Ask, Hop, Opened, STATE_LIFETIME, Subject, needs_tasks, respond};
use super::by_url::{self, NotAskedFirst};
use super::front::Response;
use super::modern::{complete, for_modern};
use super::task_ids::{self, Names, TaskIds};
use super::{NO_SUCH_METHOD, ServerInfo, Streams, extensions, relay, shown};
use crate::aggregate::Owner;
use crate::mcp::client::{Cached, CallError, Content, Freshness, Passing, Ran, Remake, Reply, ServerMessage};
use crate::mcp::{Era, LogLevel, code, json, jsonrpc, meta};
use crate::seal::Purpose;

/// Bytes of a response that has not ended, from which on it is passed on. In a shorter one links are searched for.
const LONG: usize = 128 << 10;

/// Who waits for the result of a call, and how it may look. It borrows nothing of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    id: String,
    era: Era,
    streams: Streams,
    subject: Subject,
    name: String,
    /// What the backend calls it, if that is something else.
    original: Option<String>,
    repeats: Repeats,
    /// Of a caller that stands alone.
    capabilities: Option<String>,
    /// From which level on a caller that stands alone wants log messages, if it wants any.
    log_level: Option<LogLevel>,
    /// Which tasks of a session its result may name.
    names: Names,
    /// Under which it wants to hear how far its call is, as JSON.
    progress_token: Option<String>,
}

/// Whether a request repeats an earlier one with what that one asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeats {
    First,
    Retry,
}

impl Ask<'_> {
    /// What the answer needs to know, by itself: it comes when the request's bytes are gone.
    #[must_use]
    pub fn caller(&self) -> Caller {
        // 2026-07-28, server/utilities/caching, Cache Key: what came of a retry is not kept.
        let retry = ["requestState", "inputResponses"].iter().any(|key| json::member(self.params(), key).is_some());
        Caller {
            id: self.asker.id.text().to_owned(),
            era: self.asker.era,
            streams: self.asker.streams,
            subject: self.subject,
            name: self.name.clone().into_owned(),
            original: None,
            repeats: if retry { Repeats::Retry } else { Repeats::First },
            capabilities: self.asker.capabilities.map(ToOwned::to_owned),
            names: match (self.asker.era, self.subject) {
                (Era::Modern, _) => Names::Nothing,
                (Era::Legacy, subject) => Names::in_answer_to(subject.method(), Some(self.params())),
            },
            log_level: self.asker.log_level,
            progress_token: json::member(self.params(), "_meta")
                .and_then(|own_meta| json::member(own_meta, meta::PROGRESS_TOKEN))
                .map(ToOwned::to_owned),
        }
    }
}

impl Caller {
    /// The same about what its backend calls otherwise.
    #[must_use]
    pub fn led_to(mut self, owner: &Owner) -> Self {
        self.original = (owner.original != self.name).then(|| owner.original.clone());
        self
    }

    /// Whether it stands alone or in a session: a stand-alone caller that closes its stream wants the call cancelled.
    #[must_use]
    pub fn era(&self) -> Era {
        self.era
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The name or URI, as clients see it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it asks about.
    #[must_use]
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// Whether its answer may ask it something (2026-07-28, basic/patterns/mrtr, Supported Requests).
    pub(super) fn may_get_questions(&self) -> bool {
        matches!(self.subject, Subject::Tool | Subject::Prompt | Subject::Resource)
    }

    /// What a caller that stands alone can do, as JSON.
    #[must_use]
    pub fn capabilities(&self) -> Option<&str> {
        self.capabilities.as_deref()
    }

    /// Whether its answer may be a stream.
    #[must_use]
    pub fn streams(&self) -> Streams {
        self.streams
    }

    /// From which level on a caller that stands alone wants log messages, if it wants any and reads a stream.
    #[must_use]
    pub fn log_level(&self) -> Option<LogLevel> {
        self.log_level.filter(|_| self.streams != Streams::No)
    }

    /// What a caller that stands alone is told of a message of the backend before its answer; `None` if that is none of its
    /// business. Log messages reach who asked for them with this very request, as grave as it asked for (2026-07-28,
    /// server/utilities/logging, Per-request log level); what only an extension knows reaches who declared extensions.
    #[must_use]
    pub fn relayed<'m>(&self, message: &'m ServerMessage) -> Option<Cow<'m, str>> {
        match message.method.as_str() {
            _ if message.id.is_some() => None,
            "notifications/progress" => self.progress(message).map(Cow::Owned),
            "notifications/message" => {
                let wanted = self.log_level.is_some() && relay::is_wanted(self.log_level, message);
                wanted.then_some(Cow::Borrowed(message.text.as_str()))
            }
            method => {
                let extended = extensions::is_notification(method) && self.declares_extensions();
                extended.then_some(Cow::Borrowed(message.text.as_str()))
            }
        }
    }

    fn declares_extensions(&self) -> bool {
        let extensions = self.capabilities.as_deref().and_then(|all| json::member(all, "extensions"));
        extensions.and_then(json::members).is_some_and(|mut extensions| extensions.next().is_some())
    }

    /// Whether it wants to know how far its call is.
    #[must_use]
    pub fn wants_progress(&self) -> bool {
        self.progress_token.is_some()
    }

    /// How far the call is, under this caller's own token; `None` if it does not want to know.
    #[must_use]
    pub fn progress(&self, message: &ServerMessage) -> Option<String> {
        let token = self.progress_token.as_deref()?;
        Some(relay::retold(&message.text, meta::PROGRESS_TOKEN, token))
    }

    /// The answer, one JSON document or a stream of one event as the client can read it.
    #[must_use]
    pub fn answer(&self, reply: &Reply, hop: Hop<'_>) -> Response {
        let (message, code) = self.said(reply, hop);
        let status = match (self.era, code) {
            // 2026-07-28, basic/index and streamable-http: these have a status of their own.
            (Era::Modern, Some(code::MISSING_CAPABILITY | code::INVALID_PARAMS)) => 400,
            (Era::Modern, Some(code::METHOD_NOT_FOUND)) => 404,
            _ => 200,
        };
        match status {
            200 => self.respond(message),
            status => Response::json(status, message),
        }
    }

    /// The response by itself, for a stream that has begun. It is the backend's, with the client's id, less what the
    /// client's revision does not know and with what it requires.
    #[must_use]
    pub fn message(&self, reply: &Reply, hop: Hop<'_>) -> String {
        self.said(reply, hop).0
    }

    /// The response, and the code of the error that it is.
    fn said(&self, reply: &Reply, hop: Hop<'_>) -> (String, Option<i64>) {
        let id = self.id.as_str();
        let Some(error) = reply.error() else { return (self.result(reply, hop), None) };
        let fails =
            |code, message: &str, data: Option<&str>| (jsonrpc::error(Some(id), code, message, data), Some(code));
        match error.code {
            // These are about the hop to the backend.
            code::HEADER_MISMATCH | code::UNSUPPORTED_VERSION => {
                let message = format!("the backend refused the gateway's request (JSON-RPC error {})", error.code);
                fails(code::INTERNAL, &message, None)
            }
            // 2026-07-28, basic/index, Error Codes: it has no code of its own any longer.
            code::RESOURCE_NOT_FOUND if self.era == Era::Modern && self.subject == Subject::Resource => {
                let own = error.data.filter(|data| json::member(data, "uri").is_some());
                let data = own.map_or_else(|| format!(r#"{{"uri":{}}}"#, json::quote(&self.name)), String::from);
                fails(code::INVALID_PARAMS, &error.message, Some(&data))
            }
            // The same page: no client of that revision may get it.
            code::URL_ELICITATION_REQUIRED if self.era == Era::Modern => {
                match by_url::asked_first(self, reply.era, &error) {
                    Ok(result) => (jsonrpc::result(id, &complete(&result, hop.server, Cached::No)), None),
                    Err(NotAskedFirst { code, message, data }) => fails(code, &message, data),
                }
            }
            code::METHOD_NOT_FOUND if self.subject.is_completion() => (self.without_suggestions(hop.server), None),
            code => (reply.with_id(id), Some(code)),
        }
    }

    /// The response that is a result.
    fn result(&self, reply: &Reply, hop: Hop<'_>) -> String {
        let server = hop.server;
        let id = self.id.as_str();
        let result = reply.result().unwrap_or_default();
        if let (Era::Modern, Some(kind)) = (reply.era, reply.result_type().filter(|kind| kind != "complete")) {
            let passed = match kind.as_str() {
                "input_required" => self.input_required(result, hop),
                "task" => self.task(result, hop),
                kind => Err(format!("the backend gave a result of type `{}`, which is not relayed", shown(kind))),
            };
            let message = match passed {
                Ok(result) => return reply.with_id_and_result(id, &complete(&result, server, Cached::No)),
                Err(message) => message,
            };
            return jsonrpc::error(Some(id), code::INTERNAL, &message, None);
        }
        let result = &*self.as_asked(result);
        match (self.era, reply.era) {
            (Era::Legacy, Era::Legacy) if self.names != Names::Nothing || matches!(self.subject, Subject::Task(_)) => {
                let owner = Owner { backend: hop.backend.into(), original: self.original.clone().unwrap_or_default() };
                let ids = TaskIds::new(&hop.sealer, hop.backend);
                let named = task_ids::result_to_client(self, result, self.names, &owner, &ids);
                named.map_or_else(|| reply.with_id(id), |result| reply.with_id_and_result(id, &result))
            }
            (Era::Legacy, Era::Legacy) => match self.original {
                Some(_) => reply.with_id_and_result(id, result),
                None => reply.with_id(id),
            },
            (Era::Legacy, Era::Modern) => remade(reply, id, result, &Remake::ForLegacy),
            (Era::Modern, era) => {
                // The same id as long as the task lives: the one that the client has.
                let own = json::member(result, "taskId").filter(|_| matches!(self.subject, Subject::Task(_)));
                let with_own = own.map(|own| json::Splice::new(result).replace(own, json::quote(&self.name)).finish());
                let result = with_own.as_deref().unwrap_or(result);
                remade(reply, id, result, &for_modern(server, self.cached(era)))
            }
        }
    }

    /// How a long response is passed on while it arrives; `None` where the gateway has to see all of it first: ids of tasks, and
    /// of resources that clients know under another URI, stand anywhere in it.
    #[must_use]
    pub fn passing(&self, server: &ServerInfo) -> Option<Arc<Passing>> {
        let content = match self.subject {
            Subject::Tool => Content::OfTool,
            Subject::Prompt => Content::OfPrompt,
            Subject::Resource if self.original.is_none() => Content::OfResource,
            _ => return None,
        };
        if self.names != Names::Nothing {
            return None;
        }
        let (of_legacy, of_modern) = match self.era {
            Era::Legacy => (Remake::Nothing, Remake::ForLegacy),
            Era::Modern => {
                let (server, [of_legacy, of_modern]) =
                    (server.json(), [Era::Legacy, Era::Modern].map(|era| self.cached(era)));
                let remake = |server, cached| Remake::ForModern { server, cached };
                (remake(server.clone(), of_legacy), remake(server, of_modern))
            }
        };
        Some(Arc::new(Passing { id: self.id.clone(), from: LONG, content, of_legacy, of_modern }))
    }

    /// Whether its result says how long it may be kept, if it is of a backend of this era.
    fn cached(&self, era: Era) -> Cached {
        match (self.subject, self.repeats, era) {
            (Subject::Resource, Repeats::First, Era::Modern) => Cached::AsSaid,
            (Subject::Resource, ..) => Cached::For(Freshness::STALE),
            _ => Cached::No,
        }
    }

    /// The result with the backend's state inside a sealed one, if it asks what it may (2026-07-28, basic/patterns/mrtr,
    /// Supported Requests; basic/index: a server asks only what the client declared).
    fn input_required(&self, result: &str, hop: Hop<'_>) -> Result<String, String> {
        let Some(capabilities) = &self.capabilities else {
            return Err("the backend asks for input, which is not relayed".into());
        };
        if !self.may_get_questions() {
            return Err("the backend asks for input where it must not".into());
        }
        let asked = json::member(result, "inputRequests").and_then(json::members);
        for question in asked.into_iter().flatten() {
            let method = json::member(question.value, "method").and_then(json::string).unwrap_or_default();
            let message = ServerMessage { text: question.value.to_owned(), method: method.into_owned(), id: None };
            if !relay::ASKED_IN_RESULTS.contains(&message.method.as_str()) {
                return Err(format!(
                    "the backend asks for input with `{}`, which is not relayed",
                    shown(&message.method)
                ));
            }
            relay::may_be_asked(capabilities, &message).map_err(|why| format!("the backend asks for input: {why}"))?;
        }
        let Some(state) = json::member(result, "requestState").filter(|state| state.starts_with('"')) else {
            return Ok(result.to_owned());
        };
        // As it was spelled: it goes back byte for byte.
        let plain = Opened::plain(hop.backend, state);
        let (method, lifetime) = (self.subject.method(), Some(STATE_LIFETIME));
        let sealed = hop.sealer.seal(Purpose::RequestState, method, &self.name, lifetime, plain.as_bytes());
        Ok(json::Splice::new(result).replace(state, json::quote(&sealed)).finish())
    }

    /// A task in place of a result (SEP-2663, Task Creation), with its id sealed: any replica finds its backend by it, and
    /// nobody else's principal can use it. It has no end here; the backend says how long the task lives.
    fn task(&self, result: &str, hop: Hop<'_>) -> Result<String, String> {
        let declared = self.capabilities.as_deref().is_some_and(|all| needs_tasks(all, &self.id).is_ok());
        if self.subject != Subject::Tool || !declared {
            return Err("the backend made a task where it must not".into());
        }
        let task = json::member(result, "taskId").filter(|task| task.starts_with('"'));
        let task = task.ok_or("the backend made a task without an id")?;
        let plain = Opened::plain(hop.backend, task);
        let sealed = hop.sealer.seal(Purpose::Task, "", "", None, plain.as_bytes());
        Ok(json::Splice::new(result).replace(task, json::quote(&sealed)).finish())
    }

    /// What was wanted is done, and there is nothing to say of it: a subscription at a backend without sessions is the
    /// gateway's own.
    #[must_use]
    pub fn done(&self) -> Response {
        self.respond(jsonrpc::result(&self.id, "{}"))
    }

    /// Nobody has it (2025-11-25 and 2026-07-28, server/tools, server/prompts, server/resources, Error Handling).
    #[must_use]
    pub fn unknown(&self) -> Response {
        match self.era {
            Era::Legacy => self.respond(self.unknown_message()),
            // streamable-http, Protocol Version Header: an unknown method is 404.
            Era::Modern if self.subject == Subject::Extension => Response::json(404, self.unknown_message()),
            Era::Modern => Response::json(400, self.unknown_message()),
        }
    }

    /// The same for a stream that has begun.
    #[must_use]
    pub fn unknown_message(&self) -> String {
        let noun = match self.subject {
            Subject::Tool => "tool",
            Subject::Resource | Subject::Subscription | Subject::EndOfSubscription => "resource",
            Subject::Prompt | Subject::PromptArgument => "prompt",
            Subject::TemplateVariable => "resource template",
            Subject::Task(_) => "task",
            Subject::Extension => {
                return jsonrpc::error(Some(&self.id), code::METHOD_NOT_FOUND, NO_SUCH_METHOD, None);
            }
        };
        let message = format!("there is no {noun} `{}`", shown(&self.name));
        let of_a_resource =
            matches!(self.subject, Subject::Resource | Subject::Subscription | Subject::EndOfSubscription);
        let data = of_a_resource.then(|| format!(r#"{{"uri":{}}}"#, json::quote(&self.name)));
        let code = match (self.subject, self.era) {
            (_, Era::Legacy) if of_a_resource => code::RESOURCE_NOT_FOUND,
            _ => code::INVALID_PARAMS,
        };
        jsonrpc::error(Some(&self.id), code, &message, data.as_deref())
    }

    /// A result in which a resource that clients know under another URI has that.
    fn as_asked<'r>(&self, result: &'r str) -> Cow<'r, str> {
        let Some(original) = self.original.as_deref().filter(|_| self.subject == Subject::Resource) else {
            return Cow::Borrowed(result);
        };
        let contents = json::member(result, "contents").and_then(json::elements).into_iter().flatten();
        let uris = contents.filter_map(|content| json::member(content, "uri")).filter(|uri| json::says(uri, original));
        let splice = uris.fold(json::Splice::new(result), |splice, uri| splice.replace(uri, json::quote(&self.name)));
        Cow::Owned(splice.finish())
    }

    /// The result of a completion where the backend has none.
    pub(super) fn without_suggestions(&self, server: &ServerInfo) -> String {
        let result = r#"{"completion":{"values":[],"hasMore":false}}"#;
        match self.era {
            Era::Legacy => jsonrpc::result(&self.id, result),
            Era::Modern => jsonrpc::result(&self.id, &complete(result, server, Cached::No)),
        }
    }

    /// Whether an answer says that this backend does not have the resource, so that another may: what the official SDKs
    /// say of one, beside what the specification says.
    #[must_use]
    pub fn is_elsewhere(&self, reply: &Reply) -> bool {
        const UNNAMED: i64 = 0;
        matches!(self.subject, Subject::Resource | Subject::Subscription)
            && reply.error().is_some_and(|error| {
                let codes = [code::RESOURCE_NOT_FOUND, code::INVALID_PARAMS, code::METHOD_NOT_FOUND, UNNAMED];
                codes.contains(&error.code)
            })
    }

    /// The exchange with the backend brought no answer. The client learns which backend and of what kind the trouble
    /// is; what an operator needs is in the log.
    #[must_use]
    pub fn failed(&self, backend: &str, error: &CallError) -> Response {
        let message = self.failure(backend, error);
        self.respond(jsonrpc::error(Some(self.id.as_str()), code::INTERNAL, &message, None))
    }

    /// As [`failed`](Self::failed), for a stream that has begun.
    #[must_use]
    pub fn failed_message(&self, backend: &str, error: &CallError) -> String {
        jsonrpc::error(Some(self.id.as_str()), code::INTERNAL, &self.failure(backend, error), None)
    }

    pub(super) fn respond(&self, message: String) -> Response {
        respond(self.streams, message)
    }

    fn failure(&self, backend: &str, error: &CallError) -> String {
        let outcome = match (self.subject, error.ran) {
            (Subject::Tool, Ran::No) => "the tool was not called",
            (Subject::Tool, Ran::Maybe) => "whether the tool ran is unknown",
            (Subject::Extension, Ran::No) => "the request was not carried out",
            (Subject::Extension, Ran::Maybe) => "whether the request was carried out is unknown",
            // To ask for what is only read once more does no harm.
            _ => return format!("backend `{backend}`: {error}"),
        };
        format!("backend `{backend}`: {error}; {outcome}")
    }
}

/// The response with this result, made so.
fn remade(reply: &Reply, id: &str, result: &str, remake: &Remake) -> String {
    match reply.result() {
        Some(own) if core::ptr::eq(own, result) => reply.remade(id, remake),
        _ => reply.with_id_and_result(id, &remake.apply(result)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::testing::ask;
    use crate::gateway::{Headers, Request, Serves, SessionState, Turn, turn};
    use crate::mcp::client::Problem;
    use alloc::string::ToString;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_call_that_brought_no_answer_says_whose_fault_it_is_and_whether_it_ran() {
        let body = jsonrpc::request("\"c\"", "tools/call", Some(r#"{"name":"s_t","arguments":{"a":"s3cr3t"}}"#));
        let Turn::Ask(call) = ask(&body) else { panic!("a call") };
        assert_eq!(format!("{call:?}"), r#"Ask { subject: Tool, name: "s_t", .. }"#);
        for (problem, ran, expected) in [
            (
                Problem::Status(401),
                Ran::No,
                "status is 401 (the backend wants other credentials); expected 200; the tool was not called",
            ),
            (
                Problem::Empty,
                Ran::Maybe,
                "the answer is empty; expected a JSON-RPC response; whether the tool ran is unknown",
            ),
        ] {
            let error = CallError { method: "tools/call".to_string(), problem, ran };
            let message = call.caller().failed_message("s", &error);
            let expected = format!("backend `s`: tools/call: {expected}");
            assert_eq!(message, jsonrpc::error(Some("\"c\""), code::INTERNAL, &expected, None));
            assert_eq!(call.caller().failed("s", &error).body, message.into_bytes());
        }
        assert_eq!(call.busy("full").status, 503);
    }
    fn alone(own_meta: &str, capabilities: &str) -> Ask<'static> {
        let id = meta::PROTOCOL_VERSION;
        let own = format!(r#"{{"{id}":"2026-07-28","{}":{capabilities}{own_meta}}}"#, meta::CLIENT_CAPABILITIES);
        let body = jsonrpc::request(1, "tools/call", Some(&format!(r#"{{"name":"t","_meta":{own}}}"#)));
        let mut headers = Headers::default();
        for (name, value) in [
            ("accept", "application/json, text/event-stream"),
            ("content-type", "application/json"),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "t"),
        ] {
            headers.add(name, value);
        }
        let request = Request { method: "POST", headers, body: body.leak().as_bytes() };
        match turn(&request, SessionState::Unnamed, Serves::Both) {
            Turn::Ask(ask) => ask,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_caller_that_stands_alone_hears_of_its_own_call_what_it_asked_for() {
        let said = |method: &str, params: &str| ServerMessage {
            text: jsonrpc::notification(method, Some(params)),
            method: method.to_string(),
            id: None,
        };
        let (info, error) = (
            said("notifications/message", r#"{"level":"info","data":1.50}"#),
            said("notifications/message", r#"{"level":"error","data":{}}"#),
        );
        let (progress, changed) =
            (said("notifications/progress", r#"{"progressToken":7,"progress":1}"#), said("notifications/tasks", "{}"));
        let theirs = said("notifications/x", "{}");
        let all = [&info, &error, &progress, &changed, &theirs];
        let hears = |own_meta: &str, capabilities: &str| {
            let caller = alone(own_meta, capabilities).caller();
            all.map(|message| caller.relayed(message).map(Cow::into_owned))
        };
        let as_said = |message: &ServerMessage| Some(message.text.clone());
        assert_eq!(hears("", "{}"), [const { None }; 5]);
        let level = |level: &str| format!(r#","{}":"{level}""#, meta::LOG_LEVEL);
        assert_eq!(hears(&level("debug"), "{}"), [as_said(&info), as_said(&error), None, None, None]);
        assert_eq!(hears(&level("error"), "{}"), [None, as_said(&error), None, None, None]);
        assert_eq!(hears(&level("alert"), "{}"), [const { None }; 5]);
        let token = r#","progressToken":"mine""#;
        let own = said("notifications/progress", r#"{"progressToken":"mine","progress":1}"#);
        assert_eq!(hears(token, "{}"), [None, None, as_said(&own), None, None]);
        // What only an extension knows is for who declares any.
        assert_eq!(hears("", r#"{"extensions":{}}"#), [const { None }; 5]);
        assert_eq!(hears("", r#"{"extensions":{"x/y":{}}}"#), [None, None, None, None, as_said(&theirs)]);
        let asks = ServerMessage { id: Some("1".to_string()), ..theirs.clone() };
        assert_eq!(alone("", r#"{"extensions":{"x/y":{}}}"#).caller().relayed(&asks), None);
    }

    #[test]
    fn the_level_that_a_request_asks_for_goes_with_the_call() {
        let owner = Owner { backend: "b".into(), original: "t".to_string() };
        let level = format!(r#","{}":"notice""#, meta::LOG_LEVEL);
        assert_eq!(alone(&level, "{}").towards(&owner).log_level, Some(LogLevel::Notice));
        assert_eq!(alone("", "{}").towards(&owner).log_level, None);
        assert_eq!(alone(&level, "{}").caller().log_level(), Some(LogLevel::Notice));
    }
}
