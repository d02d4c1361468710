//! Tasks of sessions (2025-11-25, basic/utilities/tasks) between a client and one of its backends: each side gives its tasks
//! ids, and each id that goes to the other side is sealed, so that it finds its backend again and nobody uses another's.
//!
//! It keeps no task: the same id is sealed to the same text each time, and opens in any replica.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::asks::Opened;
use super::caller::Caller;
use super::front::Response;
use super::{Asker, Or, refuse_params};
use crate::aggregate::Owner;
use crate::mcp::client::{Call, Reply, ServerMessage};
use crate::mcp::{json, jsonrpc, meta};
use crate::seal::{Purpose, Sealer};

/// The task of a backend, as its client gets it.
const OF_BACKEND: &str = "core";
/// The task of a client, as that backend gets it.
const OF_CLIENT: &str = "client";

/// Pages of one backend's tasks that are asked for.
pub const TASK_PAGES: usize = 16;

/// A question for all tasks of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListTasks<'a> {
    /// Who asks.
    pub asker: Asker<'a>,
}

impl<'a> ListTasks<'a> {
    pub(super) fn read(asker: Asker<'a>, params: Option<&'a str>) -> Or<Self> {
        let cursor = params.and_then(|params| json::member(params, "cursor")).filter(|cursor| *cursor != "null");
        match cursor {
            // All of them are on the first page.
            Some(_) => {
                let message = "the cursor is not one of this list: it was not made by this gateway";
                Err(refuse_params(asker.era, asker.id.text(), message, None))
            }
            None => Ok(Self { asker }),
        }
    }

    /// The question to a backend, for the page after a cursor (JSON).
    #[must_use]
    pub fn call(cursor: Option<&str>) -> Call {
        Call::new("tasks/list", cursor.map(|cursor| format!(r#"{{"cursor":{cursor}}}"#)))
    }

    /// The tasks (JSON) on a page of a backend, as their client knows them, and the cursor of the next one (JSON).
    #[must_use]
    pub fn page(reply: &Reply, ids: &TaskIds<'_>) -> (Vec<String>, Option<String>) {
        let Some(result) = reply.result() else { return (Vec::new(), None) };
        let tasks = json::member(result, "tasks").and_then(json::elements).into_iter().flatten();
        let tasks = tasks.filter_map(|task| {
            let id = json::member(task, "taskId").filter(|id| id.starts_with('"'))?;
            Some(json::Splice::new(task).replace(id, ids.to_client(id)?).finish())
        });
        let next = json::member(result, "nextCursor").filter(|cursor| *cursor != "null");
        (tasks.collect(), next.map(Into::into))
    }

    /// The answer.
    #[must_use]
    pub fn answer(&self, tasks: &[String]) -> Response {
        let result = format!(r#"{{"tasks":[{}]}}"#, tasks.join(","));
        self.asker.respond(jsonrpc::result(self.asker.id.text(), &result))
    }

    /// No backend has tasks.
    #[must_use]
    pub fn nobody_has_any(&self) -> Response {
        super::no_such_method(200, self.asker.id)
    }
}

/// Where a response names a task, beside the one that its `_meta` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Nowhere.
    Nothing,
    /// In `taskId`: it is about one.
    Task,
    /// In `task.taskId`: it may have made one.
    Created,
}

impl Names {
    /// What an answer to this request may name.
    #[must_use]
    pub fn in_answer_to(method: &str, params: Option<&str>) -> Self {
        match method {
            "tasks/get" | "tasks/cancel" => Self::Task,
            _ if params.is_some_and(|params| json::member(params, "task").is_some()) => Self::Created,
            _ => Self::Nothing,
        }
    }
}

/// The ids of tasks between one client and one backend.
#[derive(Debug)]
pub struct TaskIds<'h> {
    sealer: &'h Sealer<'h>,
    backend: &'h str,
}

impl<'h> TaskIds<'h> {
    /// Those that this seals, at this backend.
    #[must_use]
    pub fn new(sealer: &'h Sealer<'h>, backend: &'h str) -> Self {
        Self { sealer, backend }
    }

    /// A backend's message with the ids that its client knows; `None` if it names no task.
    #[must_use]
    pub fn message_to_client(&self, message: &ServerMessage) -> Option<String> {
        of_message(&message.text, &message.method, |id| self.to_client(id))
    }

    /// A client's notification with the ids that the backend knows; `None` if it names no task.
    #[must_use]
    pub fn message_to_backend(&self, text: &str, method: &str) -> Option<String> {
        of_message(text, method, |id| self.to_backend(id))
    }

    /// A client's response with the ids that the backend knows; `None` if it names no task.
    #[must_use]
    pub fn response_to_backend(&self, text: &str, names: Names) -> Option<String> {
        of_result(text, json::member(text, "result")?, names, |id| self.to_backend(id))
    }

    /// An id of the backend's side (JSON), for the client: one that is the client's own is that again.
    fn to_client(&self, id: &str) -> Option<String> {
        let text = json::string(id)?;
        Some(json::quote(&match self.sealer.open(Purpose::Task, OF_CLIENT, self.backend, &text) {
            Ok(own) => own,
            Err(_) => self.sealer.seal_alike(Purpose::Task, OF_BACKEND, "", &Opened::plain(self.backend, id)),
        }))
    }

    /// An id of the client's side (JSON), for the backend. One of another backend is as unknown to it as it was.
    fn to_backend(&self, id: &str) -> Option<String> {
        let text = json::string(id)?;
        if let Ok(plain) = self.sealer.open(Purpose::Task, OF_BACKEND, "", &text) {
            let opened = Opened::read(&plain).filter(|opened| opened.is_of(self.backend))?;
            return Some(opened.original().to_string());
        }
        Some(json::quote(&self.sealer.seal_alike(Purpose::Task, OF_CLIENT, self.backend, &text)))
    }
}

/// Opens the id of a backend's task that a client in a session brings back.
pub(super) fn open(sealer: &Sealer<'_>, id: &str) -> Option<Opened> {
    Opened::read(&sealer.open(Purpose::Task, OF_BACKEND, "", id).ok()?)
}

/// The result of a client's request to a backend, with the ids that the client knows; `None` if it names no task.
pub(super) fn result_to_client(
    caller: &Caller,
    result: &str,
    names: Names,
    owner: &Owner,
    ids: &TaskIds<'_>,
) -> Option<String> {
    of_result(result, result, names, |id| match json::says(id, &owner.original) && names != Names::Created {
        // The same text as long as the task lives, whatever key seals now.
        true => Some(json::quote(caller.name())),
        false => ids.to_client(id),
    })
}

/// The id (JSON) of the task that a client made in place of an answer.
#[must_use]
pub fn created(response: &str) -> Option<&str> {
    json::member(json::member(json::member(response, "result")?, "task")?, "taskId").filter(|id| id.starts_with('"'))
}

/// A result without the task that it came of, for a caller that knows of none.
pub(super) fn without_task(result: &str) -> Option<String> {
    let own_meta =
        json::member(result, "_meta").filter(|own_meta| json::member(own_meta, meta::RELATED_TASK).is_some())?;
    let rest = json::rewrite(own_meta, |member| member.is(meta::RELATED_TASK), &[]);
    let with = (rest != "{}").then_some(("_meta", rest.as_str()));
    Some(json::rewrite(result, |member| member.is("_meta"), with.as_slice()))
}

fn of_message(text: &str, method: &str, id: impl Fn(&str) -> Option<String>) -> Option<String> {
    let own = method.starts_with("tasks/") || method == "notifications/tasks/status";
    if !own && !text.contains(meta::RELATED_TASK) {
        return None;
    }
    let params = json::member(text, "params")?;
    let task = json::member(params, "taskId").filter(|_| own);
    replaced(text, task.into_iter().chain(related(params)), id)
}

fn of_result(text: &str, result: &str, names: Names, id: impl Fn(&str) -> Option<String>) -> Option<String> {
    let named = match names {
        Names::Nothing => None,
        Names::Task => json::member(result, "taskId"),
        Names::Created => json::member(result, "task").and_then(|task| json::member(task, "taskId")),
    };
    replaced(text, named.into_iter().chain(related(result)), id)
}

fn related(of: &str) -> Option<&str> {
    json::member(json::member(json::member(of, "_meta")?, meta::RELATED_TASK)?, "taskId")
}

fn replaced<'t>(
    text: &'t str,
    places: impl Iterator<Item = &'t str>,
    id: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let found: Vec<_> = places.filter_map(|place| Some((place, id(place)?))).collect();
    let splice = |splice: json::Splice<'t>, (place, with): (&str, String)| splice.replace(place, with);
    (!found.is_empty()).then(|| found.into_iter().fold(json::Splice::new(text), splice).finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::{KEY_BYTES, Keys, NONCE_BYTES};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn says(method: &str, params: &str) -> ServerMessage {
        ServerMessage { text: jsonrpc::notification(method, Some(params)), method: method.into(), id: None }
    }

    fn task_of(text: &str) -> String {
        let params = json::member(text, "params").unwrap();
        json::member(params, "taskId").or_else(|| related(params)).unwrap().into()
    }

    #[test]
    fn a_backends_task_has_one_name_at_its_client_and_none_elsewhere() {
        let keys = Keys::one(&[1; KEY_BYTES]);
        let sealer = |who, nonce| Sealer::new(&keys, who, 0, [nonce; NONCE_BYTES]);
        let (mine, again, other) = (sealer("me", 1), sealer("me", 2), sealer("you", 1));
        let ids = TaskIds::new(&mine, "a");
        let status = says("notifications/tasks/status", r#"{"taskId":"t","status":"working","x":1.50}"#);
        let told = ids.message_to_client(&status).unwrap();
        let name = task_of(&told);
        assert_eq!(told, status.text.replace("\"t\"", &name));
        let asks = says("elicitation/create", r#"{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"}}}"#);
        assert_eq!(task_of(&TaskIds::new(&again, "a").message_to_client(&asks).unwrap()), name);
        // What the client says of it reaches its backend under its name there.
        let back =
            format!(r#"{{"params":{{"_meta":{{"io.modelcontextprotocol/related-task":{{"taskId":{name}}}}}}}}}"#);
        assert_eq!(task_of(&ids.message_to_backend(&back, "notifications/progress").unwrap()), "\"t\"");
        let text = json::string(&name).unwrap();
        assert_eq!(open(&again, &text).unwrap().original(), "\"t\"");
        assert!(open(&other, &text).is_none() && open(&mine, "t").is_none());
        // Another backend does not learn what it is called.
        assert_eq!(TaskIds::new(&mine, "b").message_to_backend(&back, "notifications/progress"), None);
        assert_eq!(ids.message_to_client(&says("notifications/x", r#"{"taskId":"t"}"#)), None);
    }

    #[test]
    fn a_clients_task_is_asked_about_by_the_backend_that_made_it() {
        let keys = Keys::one(&[1; KEY_BYTES]);
        let sealer = Sealer::new(&keys, "", 0, [1; NONCE_BYTES]);
        let (one, other) = (TaskIds::new(&sealer, "a"), TaskIds::new(&sealer, "b"));
        let made = r#"{"id":1,"result":{"task":{"taskId":"c","ttl":null}}}"#;
        assert_eq!(created(made), Some("\"c\""));
        let told = one.response_to_backend(made, Names::Created).unwrap();
        let name = created(&told).unwrap();
        let asked = says("tasks/get", &format!(r#"{{"taskId":{name}}}"#));
        assert_eq!(task_of(&one.message_to_client(&asked).unwrap()), "\"c\"");
        assert_ne!(task_of(&other.message_to_client(&asked).unwrap()), "\"c\"");
        let answer = r#"{"id":2,"result":{"taskId":"c","status":"completed"}}"#;
        assert_eq!(one.response_to_backend(answer, Names::Task).unwrap(), answer.replace("\"c\"", name));
        assert_eq!(one.response_to_backend(answer, Names::Nothing), None);
        assert_eq!(Names::in_answer_to("sampling/createMessage", Some(r#"{"task":{}}"#)), Names::Created);
        assert_eq!(Names::in_answer_to("sampling/createMessage", Some("{}")), Names::Nothing);
        assert_eq!(Names::in_answer_to("tasks/cancel", None), Names::Task);
    }

    #[test]
    fn a_plain_answer_names_no_task() {
        let result = r#"{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"},"k":1}}"#;
        assert_eq!(without_task(result).unwrap(), r#"{"content":[],"_meta":{"k":1}}"#);
        let alone = r#"{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"}}}"#;
        assert_eq!(without_task(alone).unwrap(), r#"{"content":[]}"#);
        assert_eq!(without_task(r#"{"_meta":{"k":1}}"#), None);
    }
}
