//! What a modern backend asks in a result, for a client with a session: each question by itself, and the request once more
//! with all answers (2026-07-28, basic/patterns/mrtr, Client Requirements).
//!
//! It asks no client and repeats nothing; the host does.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::relay::ASKED_IN_RESULTS;
use super::shown;
use crate::mcp::client::{Reply, ServerMessage};
use crate::mcp::{Era, json, jsonrpc};

/// How often one request is repeated: a backend may ask again, not for ever.
pub const ROUNDS: usize = 32;

/// What a backend wants to know before it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// By key (JSON).
    pub questions: Vec<(String, ServerMessage)>,
    /// As it was spelled; `None` if there is none, and then none goes back.
    state: Option<String>,
}

impl Round {
    /// What a reply asks; `None` if it asks nothing. `token` makes ids of what is opened by URL, which sessions know and
    /// stand-alone requests do not (2025-11-25, client/elicitation, URL Mode).
    ///
    /// # Errors
    /// It asks what no result may ask.
    pub fn read(reply: &Reply, token: &str) -> Option<Result<Self, String>> {
        let asks = reply.era == Era::Modern && reply.result_type().as_deref() == Some("input_required");
        let result = reply.result().filter(|_| asks)?;
        let state = json::member(result, "requestState").map(String::from);
        Some(Self::questions(result, token, &BTreeSet::new()).map(|questions| Self { questions, state }))
    }

    /// What a task asks that was not answered before (SEP-2663, Task Polling).
    pub(super) fn of_task(task: &str, token: &str, answered: &BTreeSet<String>) -> Result<Self, String> {
        Ok(Self { questions: Self::questions(task, token, answered)?, state: None })
    }

    fn questions(of: &str, token: &str, answered: &BTreeSet<String>) -> Result<Vec<(String, ServerMessage)>, String> {
        let mut questions = Vec::new();
        let asked = json::member(of, "inputRequests").and_then(json::members).into_iter().flatten();
        for (index, asked) in asked.filter(|asked| !answered.contains(asked.key)).enumerate() {
            let method = json::member(asked.value, "method").and_then(json::string).unwrap_or_default();
            if !ASKED_IN_RESULTS.contains(&method.as_ref()) {
                return Err(format!("the backend asks for input with `{}`, which is not relayed", shown(&method)));
            }
            let params = json::member(asked.value, "params");
            let by_url =
                params.and_then(|params| json::member(params, "mode")).is_some_and(|mode| json::says(mode, "url"));
            let id = format!("\"{token}-{index}\"");
            let with_id = params
                .filter(|_| by_url)
                .map(|params| json::rewrite(params, |member| member.is("elicitationId"), &[("elicitationId", &id)]));
            let text = jsonrpc::request(0, &method, with_id.as_deref().or(params));
            let id = Some("0".to_string());
            questions.push((asked.key.to_string(), ServerMessage { text, method: method.into_owned(), id }));
        }
        Ok(questions)
    }

    /// The parameters of the repetition: with the answers by key (all JSON), the exact state, and every other byte as it
    /// was. They replace those of the round before.
    #[must_use]
    pub fn repeated(&self, params: &str, answers: &[(String, String)]) -> String {
        let answers: Vec<_> = answers.iter().map(|(key, answer)| format!("{key}:{answer}")).collect();
        let answers = format!("{{{}}}", answers.join(","));
        let mut with = Vec::with_capacity(2);
        if !self.questions.is_empty() {
            with.push(("inputResponses", answers.as_str()));
        }
        with.extend(self.state.as_deref().map(|state| ("requestState", state)));
        json::rewrite(params, |member| member.is("inputResponses") || member.is("requestState"), &with)
    }
}

/// The URL that a question opens: it is asked once, however often its backend asks.
#[must_use]
pub fn url(question: &ServerMessage) -> Option<String> {
    let params =
        question.params().filter(|params| json::member(params, "mode").is_some_and(|mode| json::says(mode, "url")))?;
    Some(json::string(json::member(params, "url")?)?.into_owned())
}

/// That what a question has opened is done (2025-11-25, client/elicitation, Completion Notifications): backends without
/// sessions do not say so, but ask for it no longer.
#[must_use]
pub fn completed(question: &ServerMessage) -> Option<String> {
    let id = question.params().and_then(|params| json::member(params, "elicitationId"))?;
    Some(jsonrpc::notification("notifications/elicitation/complete", Some(&format!(r#"{{"elicitationId":{id}}}"#))))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn reply(result: &str) -> Reply {
        Reply::read(jsonrpc::result("1", result), Era::Modern).unwrap()
    }

    #[test]
    fn each_question_becomes_a_request_and_the_repetition_has_all_answers() {
        let asks = r#"{"resultType":"input_required","inputRequests":{"a\"":{"method":"roots/list"},"b":{"method":"elicitation/create","params":{"mode":"url","url":"https:\/\/x","x":1.0}}},"requestState":"s\ud83d"}"#;
        let round = Round::read(&reply(asks), "t").unwrap().unwrap();
        let texts: Vec<_> =
            round.questions.iter().map(|(key, question)| (key.as_str(), question.text.as_str())).collect();
        assert_eq!(
            texts,
            [
                (r#""a\"""#, r#"{"jsonrpc":"2.0","id":0,"method":"roots/list"}"#),
                (
                    "\"b\"",
                    r#"{"jsonrpc":"2.0","id":0,"method":"elicitation/create","params":{"mode":"url","url":"https:\/\/x","x":1.0,"elicitationId":"t-1"}}"#
                ),
            ]
        );
        assert_eq!(
            round.questions.iter().map(|(_, question)| url(question)).collect::<Vec<_>>(),
            [None, Some("https://x".into())]
        );
        assert_eq!(
            round.questions.iter().map(|(_, question)| completed(question)).collect::<Vec<_>>(),
            [None, Some(r#"{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"t-1"}}"#.into())]
        );
        let answers =
            [(r#""a\"""#.to_string(), r#"{"roots":[]}"#.to_string()), ("\"b\"".to_string(), "{}".to_string())];
        assert_eq!(
            round.repeated(r#"{"name":"t","arguments":{"n":1.50},"requestState":"older"}"#, &answers),
            r#"{"name":"t","arguments":{"n":1.50},"inputResponses":{"a\"":{"roots":[]},"b":{}},"requestState":"s\ud83d"}"#
        );
    }

    #[test]
    fn what_is_not_there_does_not_go_back() {
        let round = Round::read(&reply(r#"{"resultType":"input_required","requestState":"s"}"#), "t").unwrap().unwrap();
        let params = r#"{"name":"t","inputResponses":{"a":1}}"#;
        assert_eq!(round.repeated(params, &[]), r#"{"name":"t","requestState":"s"}"#);
        assert_eq!(Round::read(&reply(r#"{"resultType":"complete"}"#), "t"), None);
        let other =
            Round::read(&reply(r#"{"resultType":"input_required","inputRequests":{"a":{"method":"x/y"}}}"#), "t");
        assert_eq!(other, Some(Err("the backend asks for input with `x/y`, which is not relayed".to_string())));
    }
}
