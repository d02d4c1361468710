//! A call that a backend runs as a task, for a client that knows no tasks of that kind: the task is made, looked at until it
//! is over, and its result is the call's.
//!
//! It sends nothing and has no clock: the host makes the calls that it asks for, one after the other.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::rounds::Round;
use super::task_ids::without_task;
use crate::mcp::client::{Call, Reply};
use crate::mcp::{Era, code, extension, json, jsonrpc};

/// Between two looks, where the backend does not say how long.
const PAUSE: Duration = Duration::from_secs(1);
/// However short or long the backend wants it.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(60));

/// A call, and the task that it may become.
#[derive(Clone, Debug)]
pub struct AsTask {
    state: State,
    /// The call, without what makes it a task.
    capabilities: Option<String>,
    /// The task's id as the backend knows it (JSON), and of which kind it is.
    task: Option<(String, Era)>,
    /// Questions that were answered: the backend may repeat them for a while (SEP-2663, Task Polling).
    answered: BTreeSet<String>,
    token: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The call is what it was.
    Plain,
    /// It will be, or has been, made as a task.
    Creating(Era),
    Looking,
    /// Its result was asked for (2025-11-25).
    Fetching,
    /// Answers were given (SEP-2663).
    Updating,
    Over,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Step {
    /// What came of the call is what it is.
    Pass,
    /// After a pause, this.
    Again(Call, Duration),
    /// The client is to be asked this; [`AsTask::update`] is the next call.
    Ask(Round),
    /// This came of it.
    Done(Reply),
}

impl AsTask {
    /// A call that may turn out to be a task's. `token` makes ids of questions.
    #[must_use]
    pub fn perhaps(token: &str) -> Self {
        Self { state: State::Plain, capabilities: None, task: None, answered: BTreeSet::new(), token: token.to_owned() }
    }

    /// A call of a tool that can be run in no other way (2025-11-25, basic/utilities/tasks, Tool-Level Negotiation), and how
    /// it is made.
    #[must_use]
    pub fn required(token: &str, call: Call) -> (Self, Call) {
        let params =
            json::rewrite(call.params.as_deref().unwrap_or("{}"), |member| member.is("task"), &[("task", "{}")]);
        let era = Era::Legacy;
        (Self { state: State::Creating(era), ..Self::perhaps(token) }, Call { params: Some(params), ..call })
    }

    /// What follows from the answer to `call`, the last one that was made. `client` is what the caller can do in a session,
    /// as JSON; without, a task that has to be declared is none here.
    pub fn next(&mut self, call: &Call, reply: &Reply, client: Option<&str>) -> Step {
        match self.state {
            State::Plain => match client.filter(|_| reply.era == Era::Modern && wants_tasks(reply)) {
                // It is declared in the client's place (SEP-2663, Polymorphic Results: the polling may be hidden).
                Some(client) => {
                    let capabilities = with_tasks(client);
                    self.state = State::Creating(Era::Modern);
                    self.capabilities = Some(capabilities.clone());
                    Step::Again(Call { capabilities: Some(capabilities), ..call.clone() }, Duration::ZERO)
                }
                None => Step::Pass,
            },
            State::Creating(era) => {
                let result = reply.result();
                let made = match era {
                    Era::Legacy => result.and_then(|result| json::member(result, "task")),
                    Era::Modern => result.filter(|_| reply.result_type().as_deref() == Some("task")),
                };
                let id = made.and_then(|made| json::member(made, "taskId")).filter(|id| id.starts_with('"'));
                let (Some(made), Some(id)) = (made, id) else { return Step::Pass };
                self.task = Some((id.to_owned(), era));
                self.state = State::Looking;
                self.look(call, made)
            }
            State::Looking => {
                let Some(task) = reply.result() else { return self.over(Step::Pass) };
                self.looked(call, task)
            }
            State::Updating => match reply.result() {
                Some(_) => {
                    self.state = State::Looking;
                    self.look(call, "{}")
                }
                None => self.over(Step::Pass),
            },
            State::Fetching => {
                let plain = reply.result().and_then(without_task);
                let plain = plain.and_then(|result| Reply::read(reply.with_id_and_result("0", &result), reply.era));
                self.over(plain.map_or(Step::Pass, Step::Done))
            }
            State::Over => Step::Pass,
        }
    }

    /// The answers by key (all JSON) to what was asked.
    #[must_use]
    pub fn update(&mut self, call: &Call, answers: &[(String, String)]) -> Call {
        self.state = State::Updating;
        self.answered.extend(answers.iter().map(|(key, _)| key.clone()));
        let given = answers.iter().map(|(key, answer)| format!("{key}:{answer}")).collect::<alloc::vec::Vec<_>>();
        self.of_task(call, "tasks/update", &format!(r#","inputResponses":{{{}}}"#, given.join(",")))
    }

    /// What stops the task, if there is one that is not over: nothing else does.
    #[must_use]
    pub fn cancel(&self, call: &Call) -> Option<Call> {
        (self.task.is_some() && self.state != State::Over).then(|| self.of_task(call, "tasks/cancel", ""))
    }

    fn looked(&mut self, call: &Call, task: &str) -> Step {
        let status = json::member(task, "status").and_then(json::string).unwrap_or_default();
        let is_core = self.task.as_ref().is_some_and(|(_, era)| *era == Era::Legacy);
        match (&*status, is_core) {
            // It waits until the task is over, and what the task asks comes meanwhile (Input Required Status).
            ("completed" | "failed" | "cancelled" | "input_required", true) => {
                self.state = State::Fetching;
                Step::Again(self.of_task(call, "tasks/result", ""), Duration::ZERO)
            }
            ("completed", false) => {
                let result = json::member(task, "result").unwrap_or("{}");
                self.over(done(jsonrpc::result("0", result)))
            }
            ("failed", false) => {
                let error = json::member(task, "error").filter(|error| error.starts_with('{'));
                let error = error.unwrap_or(r#"{"code":-32603,"message":"the task failed"}"#);
                self.over(done(format!(r#"{{"jsonrpc":"2.0","id":0,"error":{error}}}"#)))
            }
            ("cancelled", false) => {
                self.over(done(jsonrpc::error(Some("0"), code::INTERNAL, "the backend cancelled the task", None)))
            }
            ("input_required", false) => {
                match Round::of_task(task, &format!("{}-{}", self.token, self.answered.len()), &self.answered) {
                    Ok(round) if round.questions.is_empty() => self.look(call, task),
                    Ok(round) => Step::Ask(round),
                    Err(message) => self.over(done(jsonrpc::error(Some("0"), code::INTERNAL, &message, None))),
                }
            }
            _ => self.look(call, task),
        }
    }

    fn look(&self, call: &Call, task: &str) -> Step {
        let milliseconds = ["pollInterval", "pollIntervalMs"].iter().find_map(|key| json::member(task, key));
        let pause = milliseconds.and_then(json::integer).and_then(|pause| u64::try_from(pause).ok());
        let pause = pause.map_or(PAUSE, Duration::from_millis).clamp(PAUSES.0, PAUSES.1);
        Step::Again(self.of_task(call, "tasks/get", ""), pause)
    }

    fn of_task(&self, call: &Call, method: &str, more: &str) -> Call {
        let id = self.task.as_ref().map_or("\"\"", |(id, _)| id.as_str());
        let capabilities = self.capabilities.clone().or_else(|| call.capabilities.clone());
        let params = Some(format!(r#"{{"taskId":{id}{more}}}"#));
        Call { asked: call.asked, capabilities, log_level: call.log_level, era: call.era, ..Call::new(method, params) }
    }

    fn over(&mut self, step: Step) -> Step {
        self.state = State::Over;
        step
    }
}

/// What is made here is a response.
fn done(text: String) -> Step {
    Reply::read(text, Era::Modern).map_or(Step::Pass, Step::Done)
}

/// Whether an error says that the client has to know of tasks (SEP-2663, Capability Negotiation).
fn wants_tasks(reply: &Reply) -> bool {
    reply.error().filter(|error| error.code == code::MISSING_CAPABILITY).is_some_and(|error| {
        let required = error.data.and_then(|data| json::member(data, "requiredCapabilities"));
        let extensions = required.and_then(|required| json::member(required, "extensions"));
        extensions.is_some_and(|extensions| json::member(extensions, extension::TASKS).is_some())
    })
}

fn with_tasks(capabilities: &str) -> String {
    let extensions = json::member(capabilities, "extensions").filter(|all| all.starts_with('{')).unwrap_or("{}");
    let extensions = json::rewrite(extensions, |member| member.is(extension::TASKS), &[(extension::TASKS, "{}")]);
    json::rewrite(capabilities, |member| member.is("extensions"), &[("extensions", &extensions)])
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn says(era: Era, result: &str) -> Reply {
        Reply::read(jsonrpc::result("1", result), era).unwrap()
    }

    fn again(step: Step) -> (Call, u128) {
        match step {
            Step::Again(call, pause) => (call, pause.as_millis()),
            other => panic!("{other:?}"),
        }
    }

    fn params(call: &Call) -> &str {
        call.params.as_deref().unwrap()
    }

    #[test]
    fn a_tool_that_runs_as_a_task_only_is_looked_at_until_its_result_is_there() {
        let call = Call::new("tools/call", Some(r#"{"name":"t","arguments":{"n":1.50}}"#.into()));
        let (mut task, call) = AsTask::required("x", call);
        assert_eq!(params(&call), r#"{"name":"t","arguments":{"n":1.50},"task":{}}"#);
        assert!(task.cancel(&call).is_none());
        let made = says(Era::Legacy, r#"{"task":{"taskId":"i","status":"working","pollInterval":5}}"#);
        let (get, pause) = again(task.next(&call, &made, None));
        assert_eq!((get.method.as_str(), params(&get), pause), ("tasks/get", r#"{"taskId":"i"}"#, 50));
        let working = says(Era::Legacy, r#"{"taskId":"i","status":"working","pollInterval":700}"#);
        let (get, pause) = again(task.next(&get, &working, None));
        assert_eq!((get.method.as_str(), pause), ("tasks/get", 700));
        assert_eq!(task.cancel(&get).unwrap().method, "tasks/cancel");
        let (fetch, _) = again(task.next(&get, &says(Era::Legacy, r#"{"taskId":"i","status":"completed"}"#), None));
        assert_eq!((fetch.method.as_str(), params(&fetch)), ("tasks/result", r#"{"taskId":"i"}"#));
        let result = r#"{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"i"}}}"#;
        let Step::Done(reply) = task.next(&fetch, &says(Era::Legacy, result), None) else { panic!("it is over") };
        assert_eq!(reply.result(), Some(r#"{"content":[]}"#));
        assert!(task.cancel(&fetch).is_none());
        // A server that ran it at once has answered.
        let (mut task, call) = AsTask::required("x", Call::new("tools/call", None));
        assert!(matches!(task.next(&call, &says(Era::Legacy, r#"{"content":[]}"#), None), Step::Pass));
    }

    #[test]
    fn a_task_that_a_client_would_have_to_know_is_declared_and_asked_for_in_its_place() {
        let missing = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32021,"message":"m","data":{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}}"#;
        let missing = || Reply::read(missing.into(), Era::Modern).unwrap();
        let call = Call::new("tools/call", Some(r#"{"name":"t"}"#.into()));
        assert!(matches!(AsTask::perhaps("x").next(&call, &missing(), None), Step::Pass));
        let mut task = AsTask::perhaps("x");
        let (again_with, _) = again(task.next(&call, &missing(), Some(r#"{"roots":{},"extensions":{"a":{}}}"#)));
        let told = r#"{"roots":{},"extensions":{"a":{},"io.modelcontextprotocol/tasks":{}}}"#;
        assert_eq!((params(&again_with), again_with.capabilities.as_deref()), (r#"{"name":"t"}"#, Some(told)));
        let made = says(Era::Modern, r#"{"resultType":"task","taskId":"i","status":"working"}"#);
        let (get, pause) = again(task.next(&again_with, &made, Some("{}")));
        assert_eq!((get.method.as_str(), get.capabilities.as_deref(), pause), ("tasks/get", Some(told), 1000));
        let asks = r#"{"taskId":"i","status":"input_required","inputRequests":{"a":{"method":"roots/list"}}}"#;
        let Step::Ask(round) = task.next(&get, &says(Era::Modern, asks), Some("{}")) else { panic!("it asks") };
        assert_eq!(round.questions.len(), 1);
        let update = task.update(&get, &[("\"a\"".into(), r#"{"roots":[]}"#.into())]);
        assert_eq!(params(&update), r#"{"taskId":"i","inputResponses":{"a":{"roots":[]}}}"#);
        let (get, _) = again(task.next(&update, &says(Era::Modern, "{}"), Some("{}")));
        // What was answered is not asked again.
        let (get, _) = again(task.next(&get, &says(Era::Modern, asks), Some("{}")));
        let done = r#"{"taskId":"i","status":"completed","result":{"content":[],"n":1.50}}"#;
        let Step::Done(reply) = task.next(&get, &says(Era::Modern, done), Some("{}")) else { panic!("it is over") };
        assert_eq!(reply.result(), Some(r#"{"content":[],"n":1.50}"#));
        for (status, code) in [(r#""failed","error":{"code":-7,"message":"m"}"#, -7), ("\"cancelled\"", -32603)] {
            let mut task = AsTask { state: State::Looking, task: Some(("\"i\"".into(), Era::Modern)), ..task.clone() };
            let reply = says(Era::Modern, &format!(r#"{{"taskId":"i","status":{status}}}"#));
            let Step::Done(reply) = task.next(&get, &reply, Some("{}")) else { panic!("it is over") };
            assert_eq!(reply.error().map(|error| error.code), Some(code));
        }
    }
}
