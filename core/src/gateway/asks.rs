//! What one backend answers: calls, resources, prompts and completions, and their answers spliced from its bytes.
//!
//! It calls nothing: the host runs the exchange that [`Ask::towards`] describes.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::front::Response;
use super::task_ids;
use super::{Asker, Or, ServerInfo, Streams, extensions, mirror, refuse_params, shown};
use crate::aggregate::{Entry, Owner};
use crate::mcp::client::Call;
use crate::mcp::{Era, code, extension, json, meta};
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

/// Seconds that a client may take to answer what a backend asks it.
pub(super) const STATE_LIFETIME: u64 = 60 * 60;

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
    /// What an extension knows; its name is the method.
    Extension,
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
    /// The method that asks. Of an extension, each request has its own.
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
            Self::Extension => "",
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
            method if extensions::is_request(method) => return Some(Self::extension(asker, method, params)),
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

    /// A request that only an extension knows: nothing in it is the gateway's.
    fn extension(asker: Asker<'a>, method: &str, params: Option<&'a str>) -> Or<Self> {
        if let Some(wrong) = params.filter(|params| !params.starts_with('{')) {
            let message = format!("`params` is {}; expected an object", json::kind(wrong));
            return Err(refuse_params(asker.era, asker.id.text(), &message, None));
        }
        Ok(Self {
            asker,
            subject: Subject::Extension,
            name: Cow::Owned(method.to_owned()),
            params: params.unwrap_or_default(),
            raw_name: "",
            headers: Vec::new(),
            opened: None,
            suspended: None,
        })
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
            Subject::Extension => (subject, (Cow::Borrowed(subject.method()), "")),
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
        if self.subject == Subject::Extension {
            return Ok(());
        }
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
        if self.subject == Subject::Extension {
            let params = (!self.params.is_empty()).then(|| self.params.to_owned());
            return self.with_caller(Call::new(&self.name, params));
        }
        let mut params = json::Splice::new(self.params).replace(self.raw_name, json::quote(&owner.original));
        let state = json::member(self.params, "requestState").filter(|_| !matches!(self.subject, Subject::Task(_)));
        if let (Some(opened), Some(state)) = (&self.opened, state) {
            params = params.replace(state, opened.original.clone());
        }
        let params = params.finish();
        let mut call = self.with_caller(Call::new(self.subject.method(), Some(params)));
        call.headers.clone_from(&self.headers);
        call
    }

    fn with_caller(&self, mut call: Call) -> Call {
        call.capabilities = self.asker.capabilities.map(ToOwned::to_owned);
        call.log_level = self.asker.log_level;
        call.era = self.asker.era;
        call
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

impl Asker<'_> {
    /// A message as this client reads it.
    pub(super) fn respond(&self, message: String) -> Response {
        respond(self.streams, message)
    }
}

pub(super) fn respond(streams: Streams, message: String) -> Response {
    match streams {
        Streams::No | Streams::May => Response::json(200, message),
        Streams::Must => Response {
            status: 200,
            headers: super::STREAM_HEADERS.iter().map(|(name, value)| (*name, String::from(*value))).collect(),
            body: super::event(&message),
        },
    }
}
