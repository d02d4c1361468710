//! What one backend answers: calls, resources, prompts and completions, and their answers spliced from its bytes.
//!
//! It calls nothing: the host runs the exchange that [`Ask::towards`] describes.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::by_url::{self, NotAskedFirst};
use super::front::Response;
use super::modern::{complete, for_modern};
use super::offering::EXTENSIONS;
use super::task_ids::{self, Names, TaskIds};
use super::{Asker, Or, ServerInfo, Streams, mirror, refuse_params, relay, shown};
use crate::aggregate::{Entry, Owner};
use crate::mcp::client::{Cached, Call, CallError, Content, Freshness, Passing, Ran, Remake, Reply, ServerMessage};
use crate::mcp::{Era, code, extension, json, jsonrpc, meta};
use crate::seal::{Purpose, Sealer, Unsealed};

/// A request that one backend answers. `Debug` shows no arguments.
#[derive(Clone, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Who asks.
    pub asker: Asker<'a>,
    /// What it is about.
    pub subject: Subject,
    /// The name or URI, as clients see it.
    pub name: Cow<'a, str>,
    params: &'a str,
    raw_name: &'a str,
    headers: Vec<(String, String)>,
    opened: Option<Opened>,
    /// Finds a call that waits for its client.
    suspended: Option<String>,
}

/// What a client brought back, unsealed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Opened {
    /// Whose it is.
    backend: String,
    /// What that backend called it, as JSON.
    original: String,
}

/// What an answer is made with: whose it is, in whose name it is given, and what seals in it.
#[derive(Debug)]
pub struct Hop<'h> {
    /// The backend that answered.
    pub backend: &'h str,
    /// This gateway.
    pub server: &'h ServerInfo,
    /// For what the client brings back.
    pub sealer: Sealer<'h>,
}

/// Bytes of a response that has not ended, from which on it is passed on. In a shorter one links are searched for.
const LONG: usize = 256 << 10;

/// Seconds that a client may take to answer what a backend asks it.
const STATE_LIFETIME: u64 = 60 * 60;

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `tools/call`.
    Tool,
    /// `resources/read`.
    Resource,
    /// `prompts/get`.
    Prompt,
    /// `completion/complete` of an argument of a prompt.
    PromptArgument,
    /// `completion/complete` of a variable of a resource template.
    TemplateVariable,
    /// `resources/subscribe`, in a session.
    Subscription,
    /// `resources/unsubscribe`, in a session.
    EndOfSubscription,
    /// A task (SEP-2663).
    Task(OfTask),
}

/// What is wanted of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfTask {
    /// `tasks/get`.
    Get,
    /// `tasks/update`.
    Update,
    /// `tasks/cancel`.
    Cancel,
    /// `tasks/result`, in a session (2025-11-25).
    Result,
}

impl Subject {
    /// The method that asks.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Tool => "tools/call",
            Self::Resource => "resources/read",
            Self::Prompt => "prompts/get",
            Self::PromptArgument | Self::TemplateVariable => "completion/complete",
            Self::Subscription => "resources/subscribe",
            Self::EndOfSubscription => "resources/unsubscribe",
            Self::Task(OfTask::Get) => "tasks/get",
            Self::Task(OfTask::Update) => "tasks/update",
            Self::Task(OfTask::Cancel) => "tasks/cancel",
            Self::Task(OfTask::Result) => "tasks/result",
        }
    }

    /// Whether it is about what may be typed, which a backend need not know.
    #[must_use]
    pub fn is_completion(self) -> bool {
        matches!(self, Self::PromptArgument | Self::TemplateVariable)
    }
}

impl<'a> Ask<'a> {
    /// `None` if the method asks for nothing that one backend answers.
    pub(super) fn read(
        asker: Asker<'a>,
        method: &str,
        params: Option<&'a str>,
        headers: Vec<(String, String)>,
    ) -> Option<Or<Self>> {
        let subject = match method {
            "tools/call" => Subject::Tool,
            "resources/read" => Subject::Resource,
            "prompts/get" => Subject::Prompt,
            "completion/complete" => Subject::PromptArgument,
            "resources/subscribe" if asker.era == Era::Legacy => Subject::Subscription,
            "resources/unsubscribe" if asker.era == Era::Legacy => Subject::EndOfSubscription,
            "tasks/get" => Subject::Task(OfTask::Get),
            "tasks/update" if asker.era == Era::Modern => Subject::Task(OfTask::Update),
            "tasks/cancel" => Subject::Task(OfTask::Cancel),
            "tasks/result" if asker.era == Era::Legacy => Subject::Task(OfTask::Result),
            _ => return None,
        };
        Some(Self::parts(asker.clone(), subject, params).map(|(subject, name, params, raw_name)| Self {
            asker,
            subject,
            name,
            params,
            raw_name,
            headers,
            opened: None,
            suspended: None,
        }))
    }

    fn parts(
        asker: Asker<'a>,
        subject: Subject,
        params: Option<&'a str>,
    ) -> Or<(Subject, Cow<'a, str>, &'a str, &'a str)> {
        let id = asker.id.text();
        let invalid = |message: &str| refuse_params(asker.era, id, message, None);
        let params = params.ok_or_else(|| invalid(&format!("`{}` needs parameters", subject.method())))?;
        const KEYS: [&str; 9] =
            ["name", "uri", "ref", "arguments", "argument", "_meta", "taskId", "requestState", "inputResponses"];
        let [name, uri, reference, arguments, argument, own_meta, task, state, responses] =
            json::pick(params, KEYS).map_err(|error| invalid(&format!("`params`: {error}")))?;
        let responses = responses.filter(|_| asker.era == Era::Modern);
        let arguments = arguments.filter(|value| *value != "null");
        for (key, value) in [("arguments", arguments), ("_meta", own_meta), ("inputResponses", responses)] {
            if let Some(value) = value.filter(|value| !value.starts_with('{')) {
                return Err(invalid(&format!("`{key}` is {}; expected an object", json::kind(value))));
            }
        }
        let mut given = responses.and_then(json::members).into_iter().flatten();
        if let Some(wrong) = given.find(|given| !given.value.starts_with('{')) {
            let (name, kind) = (json::string(wrong.key).unwrap_or_default(), json::kind(wrong.value));
            return Err(invalid(&format!("`inputResponses`: `{}` is {kind}; expected an object", shown(&name))));
        }
        if let Some(own_meta) = own_meta
            && let Err(error) = json::pick(own_meta, [meta::PROGRESS_TOKEN])
        {
            return Err(invalid(&format!("`_meta`: {error}")));
        }
        if asker.era == Era::Modern && state.is_some_and(|state| !state.starts_with('"')) {
            return Err(invalid("`requestState` is no string"));
        }
        let text = |key: &str, value: Option<&'a str>| {
            let raw = value.ok_or_else(|| invalid(&format!("`params` has no `{key}`")))?;
            let text = json::string(raw).ok_or_else(|| invalid(&format!("`{key}` is no string")))?;
            Ok((text, raw))
        };
        let (subject, (name, raw_name)) = match subject {
            Subject::Tool | Subject::Prompt => (subject, text("name", name)?),
            Subject::Resource | Subject::Subscription | Subject::EndOfSubscription => (subject, text("uri", uri)?),
            Subject::Task(_) => (subject, text("taskId", task)?),
            Subject::PromptArgument | Subject::TemplateVariable => {
                let reference = reference.ok_or_else(|| invalid("`params` has no `ref`"))?;
                let [kind, name, uri] = json::pick(reference, ["type", "name", "uri"])
                    .map_err(|error| invalid(&format!("`ref`: {error}")))?;
                let argument = argument.ok_or_else(|| invalid("`params` has no `argument`"))?;
                if json::member(argument, "name").and_then(json::string).is_none() {
                    return Err(invalid("`argument` has no string `name`"));
                }
                match kind.and_then(json::string).as_deref() {
                    Some("ref/prompt") => (Subject::PromptArgument, text("name", name)?),
                    Some("ref/resource") => (Subject::TemplateVariable, text("uri", uri)?),
                    _ => return Err(invalid("`ref` has another type than `ref/prompt` or `ref/resource`")),
                }
            }
        };
        Ok((subject, name, params, raw_name))
    }

    /// Checks the headers that repeat arguments against the tool that the client was shown, and makes those that the
    /// backend gets.
    ///
    /// # Errors
    /// They differ; this is the answer.
    pub fn mirror(&mut self, tool: &Entry) -> Result<(), Response> {
        let Some(schema) = tool.header_schema() else { return Ok(()) };
        let arguments = json::member(self.params, "arguments");
        self.headers = match self.asker.era {
            Era::Legacy => mirror::made(schema, arguments),
            Era::Modern => mirror::checked(schema, arguments, &self.headers).map_err(|message| {
                Response::error(400, Some(self.asker.id.text()), code::HEADER_MISMATCH, &message, None)
            })?,
        };
        Ok(())
    }

    /// The same call for a backend that says that its headers do not fit: its tool is this now.
    #[must_use]
    pub fn mirrored_anew(call: &Call, tool: &Entry) -> Call {
        let arguments = call.params.as_deref().and_then(|params| json::member(params, "arguments"));
        let schema = tool.header_schema().unwrap_or("{}");
        Call { headers: mirror::made_anew(schema, arguments, &call.headers), ..call.clone() }
    }

    /// Opens what the client brought back: the state of an earlier answer, or the id of a task.
    ///
    /// # Errors
    /// It does not open, or needs what the client did not declare; this is the answer.
    pub fn open(&mut self, sealer: &Sealer<'_>) -> Result<(), Response> {
        let Some(capabilities) = self.asker.capabilities else {
            if let Subject::Task(_) = self.subject {
                self.opened = task_ids::open(sealer, &self.name);
                return if self.opened.is_some() { Ok(()) } else { Err(self.unknown()) };
            }
            return Ok(());
        };
        let id = self.asker.id.text();
        if let Subject::Task(_) = self.subject {
            needs_tasks(capabilities, id)?;
            let opened = sealer.open(Purpose::Task, "", "", &self.name);
            self.opened = opened.ok().and_then(|plain| Opened::read(&plain));
            return if self.opened.is_some() { Ok(()) } else { Err(self.unknown()) };
        }
        let Some(state) = json::member(self.params, "requestState").and_then(json::string) else { return Ok(()) };
        let opened = sealer.open(Purpose::RequestState, self.subject.method(), &self.name, &state);
        if opened == Err(Unsealed::OtherPurpose) {
            self.suspended = sealer.open(Purpose::Suspended, self.subject.method(), &self.name, &state).ok();
            return if self.suspended.is_some() { Ok(()) } else { Err(self.gone()) };
        }
        let opened = opened.and_then(|plain| Opened::read(&plain).ok_or(Unsealed::Foreign));
        let message = |why| format!("`requestState` cannot be used: {why}; call again without it");
        self.opened = Some(opened.map_err(|why| refuse_params(self.asker.era, id, &message(why), None))?);
        Ok(())
    }

    /// What finds the call that waits for this request, if one does.
    #[must_use]
    pub fn suspended(&self) -> Option<&str> {
        self.suspended.as_deref()
    }

    pub(super) fn params(&self) -> &'a str {
        self.params
    }

    /// Whose task it is, and what it is called there.
    #[must_use]
    pub fn task_owner(&self) -> Option<Owner> {
        let opened = self.opened.as_ref().filter(|_| matches!(self.subject, Subject::Task(_)))?;
        let original = json::string(&opened.original)?.into_owned();
        Some(Owner { backend: opened.backend.as_str().into(), original })
    }

    /// Whether a backend may get it: a state goes to nobody but whose it is.
    #[must_use]
    pub fn may_go_to(&self, owner: &Owner) -> bool {
        self.opened.as_ref().is_none_or(|opened| *opened.backend == *owner.backend)
    }

    /// The call that its backend gets: the original name and state, and every other byte as the client sent it.
    #[must_use]
    pub fn towards(&self, owner: &Owner) -> Call {
        let mut params = json::Splice::new(self.params).replace(self.raw_name, json::quote(&owner.original));
        let state = json::member(self.params, "requestState").filter(|_| !matches!(self.subject, Subject::Task(_)));
        if let (Some(opened), Some(state)) = (&self.opened, state) {
            params = params.replace(state, opened.original.clone());
        }
        let params = params.finish();
        let mut call = Call::new(self.subject.method(), Some(params));
        call.headers.clone_from(&self.headers);
        call.capabilities = self.asker.capabilities.map(relayed);
        call.era = self.asker.era;
        call
    }

    /// What the answer needs to know, by itself: it comes when the request's bytes are gone.
    #[must_use]
    pub fn caller(&self) -> Caller {
        // 2026-07-28, server/utilities/caching, Cache Key: what came of a retry is not kept.
        let retry = ["requestState", "inputResponses"].iter().any(|key| json::member(self.params, key).is_some());
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
                (Era::Legacy, subject) => Names::in_answer_to(subject.method(), Some(self.params)),
            },
            progress_token: json::member(self.params, "_meta")
                .and_then(|own_meta| json::member(own_meta, meta::PROGRESS_TOKEN))
                .map(ToOwned::to_owned),
        }
    }

    /// Nobody has it.
    #[must_use]
    pub fn unknown(&self) -> Response {
        self.caller().unknown()
    }

    /// Its backend does not complete anything: there is nothing to suggest.
    #[must_use]
    pub fn no_suggestions(&self, server: &ServerInfo) -> Response {
        let caller = self.caller();
        caller.respond(caller.without_suggestions(server))
    }

    /// The gateway cannot take the call now.
    #[must_use]
    pub fn busy(&self, message: &str) -> Response {
        Response::error(503, Some(self.asker.id.text()), code::INTERNAL, message, None)
    }
}

impl core::fmt::Debug for Ask<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Ask").field("subject", &self.subject).field("name", &self.name).finish_non_exhaustive()
    }
}

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
    /// Which tasks of a session its result may name.
    names: Names,
    /// Under which it wants to hear how far its call is, as JSON.
    progress_token: Option<String>,
}

/// What a backend is told of a client that stands alone: what it can do, less the extensions that are not relayed
/// (2026-07-28, basic/versioning, Extension Negotiation).
pub(super) fn relayed(capabilities: &str) -> String {
    let Some(extensions) = json::member(capabilities, "extensions") else { return capabilities.to_owned() };
    let foreign = |member: &json::Member<'_>| !EXTENSIONS.iter().any(|name| member.is(name));
    let kept = json::rewrite(extensions, foreign, &[]);
    let with = (kept != "{}" && kept.starts_with('{')).then_some(("extensions", kept.as_str()));
    json::rewrite(capabilities, |member| member.is("extensions"), with.as_slice())
}

/// Whether a client declares the extension without which it may not ask of tasks, or hear of them (SEP-2663, Capability
/// Negotiation); the error is the answer to its request.
pub(super) fn needs_tasks(capabilities: &str, id: &str) -> Or<()> {
    let declared = json::member(capabilities, "extensions").and_then(|all| json::member(all, extension::TASKS));
    if declared.is_some_and(|value| value.starts_with('{')) {
        return Ok(());
    }
    let data = format!(r#"{{"requiredCapabilities":{{"extensions":{{"{}":{{}}}}}}}}"#, extension::TASKS);
    let message = format!("the client did not declare the extension `{}`", extension::TASKS);
    Err(Response::error(400, Some(id), code::MISSING_CAPABILITY, &message, Some(&data)))
}

/// Opens the id of a task: whose it is, and what it is called there.
pub(super) fn open_task(sealer: &Sealer<'_>, id: &str) -> Option<Owner> {
    let opened = Opened::read(&sealer.open(Purpose::Task, "", "", id).ok()?)?;
    Some(Owner { backend: opened.backend.as_str().into(), original: json::string(&opened.original)?.into_owned() })
}

impl Opened {
    pub(super) fn read(plain: &str) -> Option<Self> {
        let (backend, original) = plain.split_once('\n')?;
        json::string(original)?;
        Some(Self { backend: backend.to_owned(), original: original.to_owned() })
    }

    pub(super) fn plain(backend: &str, original: &str) -> String {
        format!("{backend}\n{original}")
    }

    pub(super) fn is_of(&self, backend: &str) -> bool {
        self.backend == backend
    }

    pub(super) fn original(&self) -> &str {
        &self.original
    }
}

/// Whether a request repeats an earlier one with what that one asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeats {
    First,
    Retry,
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

    /// Whether a message of the backend belongs on this call's stream. Log messages do not yet: logging is not
    /// offered.
    #[must_use]
    pub fn relays(&self, message: &ServerMessage) -> bool {
        message.id.is_none() && message.method == "notifications/progress"
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
                let remake = |backend| for_modern(server, self.cached(backend));
                (remake(Era::Legacy), remake(Era::Modern))
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

    /// Whether a backend may ask this in its result (2026-07-28, basic/patterns/mrtr, Supported Requests; basic/index: a
    /// server asks only what the client declared).
    /// The result with the backend's state inside a sealed one.
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
    fn without_suggestions(&self, server: &ServerInfo) -> String {
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
            // To ask for what is only read once more does no harm.
            _ => return format!("backend `{backend}`: {error}"),
        };
        format!("backend `{backend}`: {error}; {outcome}")
    }
}

impl Asker<'_> {
    /// A message as this client reads it.
    pub(super) fn respond(&self, message: String) -> Response {
        respond(self.streams, message)
    }
}

fn respond(streams: Streams, message: String) -> Response {
    match streams {
        Streams::No | Streams::May => Response::json(200, message),
        Streams::Must => Response {
            status: 200,
            headers: super::STREAM_HEADERS.iter().map(|(name, value)| (*name, String::from(*value))).collect(),
            body: super::event(&message),
        },
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
    use crate::gateway::Turn;
    use crate::gateway::testing::ask;
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
        let progress = ServerMessage { text: "{}".to_string(), method: "notifications/progress".to_string(), id: None };
        assert!(call.caller().relays(&progress));
        assert!(!call.caller().relays(&ServerMessage { method: "notifications/message".to_string(), ..progress }));
    }
}
