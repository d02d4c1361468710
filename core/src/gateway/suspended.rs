//! Questions of a legacy backend to a client that stands alone: they become a result that asks for input, while the call
//! stays open (2026-07-28, basic/patterns/mrtr).
//!
//! It keeps no call; the host does, under the token that is sealed here.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::asks::{Ask, Hop};
use super::caller::Caller;
use super::front::Response;
use super::modern::complete;
use super::relay::{self, ASKED_IN_RESULTS, NotAsked};
use crate::mcp::client::{Cached, ServerMessage};
use crate::mcp::{code, json, jsonrpc, meta};
use crate::seal::Purpose;

/// Seconds that a client has to come back with answers; after that its call is cancelled.
pub const PATIENCE: u64 = 5 * 60;

impl Ask<'_> {
    /// The answers that came with it, by key (both JSON).
    #[must_use]
    pub fn input_responses(&self) -> Vec<(String, String)> {
        let given = json::member(self.params(), "inputResponses").and_then(json::members);
        given.into_iter().flatten().map(|member| (member.key.to_owned(), member.value.to_owned())).collect()
    }

    /// The call that was suspended is there no longer, or was never here.
    #[must_use]
    pub fn gone(&self) -> Response {
        let message = "the pending call is gone; call again without `requestState`";
        Response::error(400, Some(self.asker.id.text()), code::INVALID_PARAMS, message, None)
    }
}

impl Caller {
    /// Whether this client can be asked anything while its call is open.
    #[must_use]
    pub fn can_be_asked(&self) -> bool {
        self.may_get_questions() && self.capabilities().is_some_and(relay::can_be_asked)
    }

    /// Whether it can be asked this.
    ///
    /// # Errors
    /// It cannot; the backend is told why.
    pub fn may_be_asked(&self, question: &ServerMessage) -> Result<(), NotAsked> {
        if !ASKED_IN_RESULTS.contains(&question.method.as_str()) {
            return Err(NotAsked::NotRelayed);
        }
        if !self.may_get_questions() {
            return Err(NotAsked::NotHere);
        }
        relay::may_be_asked(self.capabilities().unwrap_or("{}"), question)
    }

    /// The result that asks, by key; `token` finds the call again.
    #[must_use]
    pub fn asks<'q>(
        &self,
        questions: impl IntoIterator<Item = (&'q str, &'q ServerMessage)>,
        token: &str,
        hop: Hop<'_>,
    ) -> String {
        let asked: Vec<_> =
            questions.into_iter().map(|(key, question)| format!("\"{key}\":{}", request(question))).collect();
        let (method, lifetime) = (self.subject().method(), Some(PATIENCE));
        let state = hop.sealer.seal(Purpose::Suspended, method, self.name(), lifetime, token.as_bytes());
        let result = format!(
            r#"{{"resultType":"input_required","inputRequests":{{{}}},"requestState":"{state}"}}"#,
            asked.join(",")
        );
        jsonrpc::result(self.id(), &complete(&result, hop.server, Cached::No))
    }

    /// The same as a whole answer.
    #[must_use]
    pub fn asking(&self, message: String) -> Response {
        self.respond(message)
    }
}

/// A request as it stands in a result: without what only sessions know.
fn request(question: &ServerMessage) -> String {
    let method = json::quote(&question.method);
    let Some(params) = question.params() else { return format!(r#"{{"method":{method}}}"#) };
    let of_sessions = |member: &json::Member<'_>| member.is(meta::PROGRESS_TOKEN) || member.is(meta::RELATED_TASK);
    let own_meta = json::member(params, "_meta").map(|own_meta| json::rewrite(own_meta, of_sessions, &[]));
    let gone = |member: &json::Member<'_>| ["elicitationId", "task", "_meta"].iter().any(|name| member.is(name));
    let with = own_meta.as_deref().filter(|own_meta| *own_meta != "{}").map(|own_meta| ("_meta", own_meta));
    format!(r#"{{"method":{method},"params":{}}}"#, json::rewrite(params, gone, with.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_question_stands_in_a_result_without_what_only_sessions_know() {
        for (given, expected) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#, r#"{"method":"m"}"#),
            (
                r#"{"params":{"mode":"url","url":"u","elicitationId":"e","x":1.0,"_meta":{"progressToken":1}}}"#,
                r#"{"method":"m","params":{"mode":"url","url":"u","x":1.0}}"#,
            ),
            (r#"{"params":{"_meta":{"progressToken":1,"k":2}}}"#, r#"{"method":"m","params":{"_meta":{"k":2}}}"#),
        ] {
            let question = ServerMessage { text: given.into(), method: "m".into(), id: None };
            assert_eq!(request(&question), expected);
        }
    }
}
