//! What backends say to a client of their own accord: what it may be asked, and how ids and tokens change on the way.
//!
//! It keeps no open questions and sends nothing; the host does.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::mcp::client::ServerMessage;
use crate::mcp::jsonrpc::{self, Response};
use crate::mcp::{LogLevel, code, json, meta};

/// Asks for words or a click of the person (2025-11-25, client/elicitation).
const ELICITATION: &str = "elicitation/create";
/// Asks for a completion of the client's model (2025-11-25, client/sampling).
const SAMPLING: &str = "sampling/createMessage";
/// Asks for the client's directories (2025-11-25, client/roots).
const ROOTS: &str = "roots/list";

/// What may stand in a result that asks for input (2026-07-28, schema, InputRequest).
pub(super) const ASKED_IN_RESULTS: [&str; 3] = [ELICITATION, SAMPLING, ROOTS];

/// Why a client is not asked what a backend wants to ask it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAsked {
    /// It cannot answer such a thing at all.
    #[error("the client did not declare the capability `{0}`")]
    Undeclared(&'static str),
    /// It can, but not in this form.
    #[error("the client did not declare `{0}`")]
    Mode(&'static str),
    /// Only what is relayed can be asked.
    #[error("requests with this method are not relayed")]
    NotRelayed,
    /// It has no stream open on which it could be asked.
    #[error("the client cannot be asked now: it has no stream open")]
    Unreachable,
    /// What it waits for may not ask it anything.
    #[error("the client cannot be asked now: the result of this request may not ask for input")]
    NotHere,
    /// It has too many questions open already.
    #[error("the client has too many open questions")]
    TooMany,
    /// It is gone, or gave the call up.
    #[error("the client is gone")]
    Gone,
}

impl NotAsked {
    /// The code of the JSON-RPC error that the backend gets (2025-11-25, client/elicitation, client/sampling and
    /// client/roots, Error Handling).
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            Self::Undeclared("elicitation") | Self::Mode(_) => code::INVALID_PARAMS,
            Self::Undeclared(_) | Self::NotRelayed => code::METHOD_NOT_FOUND,
            Self::Unreachable | Self::NotHere | Self::TooMany | Self::Gone => code::INTERNAL,
        }
    }

    /// The response under the backend's id (JSON).
    #[must_use]
    pub fn response(self, id: &str) -> String {
        jsonrpc::error(Some(id), self.code(), &format!("{self}"), None)
    }
}

/// Whether a client with these capabilities (JSON) can be asked this.
///
/// # Errors
/// It did not declare what the question needs.
pub fn may_be_asked(capabilities: &str, question: &ServerMessage) -> Result<(), NotAsked> {
    let declared = |name| json::member(capabilities, name).filter(|value| value.starts_with('{'));
    let part = |of: &str, name| json::member(of, name).is_some_and(|value| value.starts_with('{'));
    let params = question.params().unwrap_or("{}");
    match question.method.as_str() {
        ELICITATION => {
            let elicitation = declared("elicitation").ok_or(NotAsked::Undeclared("elicitation"))?;
            let url = json::member(params, "mode").is_some_and(|mode| json::says(mode, "url"));
            // An empty object means forms: the revision before knew nothing else (client/elicitation, Capabilities).
            let empty = json::members(elicitation).is_none_or(|mut members| members.next().is_none());
            match url {
                true if part(elicitation, "url") => Ok(()),
                true => Err(NotAsked::Mode("elicitation.url")),
                false if empty || part(elicitation, "form") || !part(elicitation, "url") => Ok(()),
                false => Err(NotAsked::Mode("elicitation.form")),
            }
        }
        SAMPLING => {
            let sampling = declared("sampling").ok_or(NotAsked::Undeclared("sampling"))?;
            let with_tools = ["tools", "toolChoice"].iter().any(|key| json::member(params, key).is_some());
            if with_tools && !part(sampling, "tools") { Err(NotAsked::Mode("sampling.tools")) } else { Ok(()) }
        }
        ROOTS => declared("roots").map(|_| ()).ok_or(NotAsked::Undeclared("roots")),
        // Its tasks are those of several backends: none may see them all.
        "tasks/get" | "tasks/result" if declared("tasks").is_some() => Ok(()),
        "tasks/cancel" if declared("tasks").is_some_and(|tasks| part(tasks, "cancel")) => Ok(()),
        method if method.starts_with("tasks/") => Err(NotAsked::NotRelayed),
        _ => Ok(()),
    }
}

/// Whether a client with these capabilities (JSON) opens URLs for whoever asks.
pub(super) fn can_open_urls(capabilities: &str) -> bool {
    let url = json::member(capabilities, "elicitation").and_then(|elicitation| json::member(elicitation, "url"));
    url.is_some_and(|url| url.starts_with('{'))
}

/// How far a call is, as its client has heard: each value is to be more than the one before (2026-07-28,
/// basic/patterns/progress), which a backend that is asked once more does not know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    last: Option<f64>,
    rounds: Rounds,
}

/// How often the call was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rounds {
    #[default]
    One,
    More,
}

impl Progress {
    /// The call is made once more.
    pub fn begins_again(&mut self) {
        self.rounds = Rounds::More;
    }

    /// Whether the client is to hear this: in the first round whatever the backend says.
    pub fn is_news(&mut self, message: &ServerMessage) -> bool {
        let value = message.params().and_then(|params| json::member(params, "progress"));
        let Some(value) = value.and_then(|value| value.parse::<f64>().ok()) else { return self.rounds == Rounds::One };
        let grows = self.last.is_none_or(|last| value > last);
        if grows {
            self.last = Some(value);
        }
        grows || self.rounds == Rounds::One
    }
}

/// Whether a client with these capabilities (JSON) can be asked anything.
#[must_use]
pub fn can_be_asked(capabilities: &str) -> bool {
    ["elicitation", "sampling", "roots"].iter().any(|name| json::member(capabilities, name).is_some())
}

/// Whether a log message is as grave as the client wants. One that never said how grave they must be gets what the
/// backend sends (2025-11-25, server/utilities/logging, Setting Log Level), and so does one where the message does not say.
#[must_use]
pub fn is_wanted(least: Option<LogLevel>, message: &ServerMessage) -> bool {
    let level = message.params().and_then(|params| json::member(params, "level")).and_then(json::string);
    match (least, level.and_then(|level| LogLevel::parse(&level))) {
        (Some(least), Some(level)) => level >= least,
        _ => true,
    }
}

/// What a backend with sessions is told of the capabilities (JSON) of a client that has one: all of them, so that it offers
/// what it would offer the client itself, but for the list of its tasks, which are those of several backends.
#[must_use]
pub fn declared_to_backend(capabilities: &str) -> String {
    let Some(tasks) = json::member(capabilities, "tasks").filter(|tasks| tasks.starts_with('{')) else {
        return capabilities.to_owned();
    };
    let tasks = json::rewrite(tasks, |member| member.is("list"), &[]);
    json::rewrite(capabilities, |member| member.is("tasks"), &[("tasks", &tasks)])
}

/// The same for a client that stands alone: it knows no tasks of sessions.
#[must_use]
pub fn declared_for_one_call(capabilities: &str) -> String {
    json::rewrite(capabilities, |member| member.is("tasks"), &[])
}

/// The same where requests stand alone: nobody there hears that roots have changed (2026-07-28, changelog).
#[must_use]
pub fn declared_without_sessions(capabilities: &str) -> String {
    let roots = json::member(capabilities, "roots").filter(|roots| roots.starts_with('{'));
    let roots = roots.map(|roots| json::rewrite(roots, |member| member.is("listChanged"), &[]));
    let gone = |member: &json::Member<'_>| member.is("tasks") || member.is("roots") && roots.is_some();
    let with = roots.as_deref().map(|roots| ("roots", roots));
    json::rewrite(capabilities, gone, with.as_slice())
}

/// What backends are told of a client: what they offer may depend on it, so that two clients see the same only if they can
/// do the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Declares {
    /// In a session, as JSON.
    pub in_session: String,
    /// With a request that stands alone, as JSON.
    pub alone: String,
}

impl Declares {
    /// Of a client that said this in its session.
    #[must_use]
    pub fn of_session(capabilities: &str) -> Self {
        Self {
            in_session: json::canonical(&declared_to_backend(capabilities)),
            alone: json::canonical(&declared_without_sessions(capabilities)),
        }
    }

    /// Of a client that said this with a request that stands alone.
    #[must_use]
    pub fn of_request(capabilities: &str) -> Self {
        Self { in_session: json::canonical(&declared_for_one_call(capabilities)), alone: json::canonical(capabilities) }
    }

    /// Whether it says nothing, as the gateway itself does.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.in_session == "{}" && self.alone == "{}"
    }
}

/// A backend's request under the gateway's own id, and the progress token that it had: the id stands for that too.
#[must_use]
pub fn question(message: &ServerMessage, id: u64) -> (String, Option<String>) {
    let number = format!("{id}");
    let mut splice = json::Splice::new(&message.text);
    if let Some(own) = json::member(&message.text, "id") {
        splice = splice.replace(own, number.clone());
    }
    let own_meta = message.params().and_then(|params| json::member(params, "_meta"));
    let token = own_meta.and_then(|own_meta| json::member(own_meta, meta::PROGRESS_TOKEN));
    if let Some(token) = token {
        splice = splice.replace(token, number);
    }
    (splice.finish(), token.map(ToOwned::to_owned))
}

/// A client's response under the id (JSON) that the backend gave its request; every other byte as it came.
#[must_use]
pub fn answer(response: &Response<'_>, id: &str) -> String {
    match response.id {
        Some(own) => json::Splice::new(response.text).replace(own.text(), id.to_owned()).finish(),
        None => json::rewrite(response.text, |member| member.is("id"), &[("id", id)]),
    }
}

/// A message about a request or a progress of the other hop: `member` of its parameters is replaced.
#[must_use]
pub fn retold(message: &str, member: &str, with: &str) -> String {
    let old = json::member(message, "params").and_then(|params| json::member(params, member));
    match old {
        Some(old) => json::Splice::new(message).replace(old, with.to_owned()).finish(),
        None => message.to_owned(),
    }
}

/// That a question need not be answered any longer.
#[must_use]
pub fn withdrawn(id: u64, reason: &str) -> String {
    let params = format!(r#"{{"requestId":{id},"reason":{}}}"#, json::quote(reason));
    jsonrpc::notification("notifications/cancelled", Some(&params))
}

/// The event that opens a stream which can be resumed (2025-11-25, basic/transports, Sending Messages 6): it has an id
/// and no message, and says after how many milliseconds a lost connection may be replaced.
#[must_use]
pub fn priming_event(id: &str, retry: u32) -> Vec<u8> {
    format!("id: {id}\nretry: {retry}\ndata: \n\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn asks(method: &str, params: &str) -> ServerMessage {
        let text = jsonrpc::request("\"q\"", method, Some(params));
        ServerMessage { text, method: method.into(), id: Some("\"q\"".into()) }
    }

    #[test]
    fn a_client_is_asked_what_it_declared() {
        let (form, url) = (asks(ELICITATION, r#"{"message":"m"}"#), asks(ELICITATION, r#"{"mode":"url","url":"u"}"#));
        let (plain, tools) = (asks(SAMPLING, "{}"), asks(SAMPLING, r#"{"tools":[]}"#));
        for (capabilities, expected) in [
            ("{}", [-32602, -32602, -32601, -32601, -32601]),
            (r#"{"elicitation":{}}"#, [0, -32602, -32601, -32601, -32601]),
            (r#"{"elicitation":{"form":{}}}"#, [0, -32602, -32601, -32601, -32601]),
            (r#"{"elicitation":{"url":{}}}"#, [-32602, 0, -32601, -32601, -32601]),
            (r#"{"elicitation":{"form":{},"url":{}}}"#, [0, 0, -32601, -32601, -32601]),
            (r#"{"elicitation":{"x-later":{}}}"#, [0, -32602, -32601, -32601, -32601]),
            (r#"{"sampling":{},"elicitation":null}"#, [-32602, -32602, 0, -32602, -32601]),
            (r#"{"sampling":{"tools":{}},"roots":{}}"#, [-32602, -32602, 0, 0, 0]),
        ] {
            let asked = [&form, &url, &plain, &tools, &asks(ROOTS, "{}")];
            let codes = asked.map(|question| may_be_asked(capabilities, question).map_or_else(NotAsked::code, |()| 0));
            assert_eq!(codes, expected, "{capabilities}");
        }
        assert_eq!(may_be_asked("{}", &asks("x/y", "{}")), Ok(()));
        for (capabilities, relayed) in [
            ("{}", &[][..]),
            (r#"{"tasks":{"list":{}}}"#, &["tasks/get", "tasks/result"]),
            (r#"{"tasks":{"cancel":{}}}"#, &["tasks/get", "tasks/result", "tasks/cancel"]),
        ] {
            for method in ["tasks/get", "tasks/result", "tasks/cancel", "tasks/list"] {
                let expected = if relayed.contains(&method) { Ok(()) } else { Err(NotAsked::NotRelayed) };
                assert_eq!(may_be_asked(capabilities, &asks(method, "{}")), expected, "{method} {capabilities}");
            }
        }
        assert!(can_be_asked(r#"{"roots":{}}"#) && !can_be_asked(r#"{"experimental":{}}"#));
    }

    #[test]
    fn refusals_say_what_is_missing() {
        for (refusal, code, text) in [
            (NotAsked::Undeclared("roots"), -32601, "the client did not declare the capability `roots`"),
            (NotAsked::Mode("elicitation.url"), -32602, "the client did not declare `elicitation.url`"),
            (NotAsked::NotRelayed, -32601, "requests with this method are not relayed"),
            (NotAsked::Unreachable, -32603, "the client cannot be asked now: it has no stream open"),
            (
                NotAsked::NotHere,
                -32603,
                "the client cannot be asked now: the result of this request may not ask for input",
            ),
            (NotAsked::TooMany, -32603, "the client has too many open questions"),
            (NotAsked::Gone, -32603, "the client is gone"),
        ] {
            assert_eq!(refusal.response("7"), jsonrpc::error(Some("7"), code, text, None));
        }
    }

    #[test]
    fn only_ids_and_tokens_change_on_the_way() {
        let asked = ServerMessage {
            text: r#"{ "jsonrpc":"2.0", "id" : "q","method":"roots/list","params":{"_meta":{"progressToken":"t","x":1.0}}}"#.into(),
            method: ROOTS.into(),
            id: Some("\"q\"".into()),
        };
        let (text, token) = question(&asked, 7);
        assert_eq!(
            text,
            r#"{ "jsonrpc":"2.0", "id" : 7,"method":"roots/list","params":{"_meta":{"progressToken":7,"x":1.0}}}"#
        );
        assert_eq!(token.as_deref(), Some("\"t\""));
        let said = r#"{"result":{"roots":[ ]},"id":7,"jsonrpc":"2.0"}"#;
        let Ok(jsonrpc::Message::Response(response)) = jsonrpc::parse_text(said) else { panic!("a response") };
        assert_eq!(answer(&response, "\"q\""), r#"{"result":{"roots":[ ]},"id":"q","jsonrpc":"2.0"}"#);
        let progress =
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1.50,"progressToken":7}}"#;
        assert_eq!(
            retold(progress, "progressToken", "\"t\""),
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1.50,"progressToken":"t"}}"#
        );
        assert_eq!(
            withdrawn(7, "r"),
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,"reason":"r"}}"#
        );
        assert_eq!(priming_event("1-0", 500), b"id: 1-0\nretry: 500\ndata: \n\n");
    }

    #[test]
    fn log_messages_are_as_grave_as_the_client_wants() {
        let log = |params: &str| ServerMessage {
            text: jsonrpc::notification("notifications/message", Some(params)),
            method: "notifications/message".into(),
            id: None,
        };
        let (info, error, none) = (log(r#"{"level":"info"}"#), log(r#"{"level":"error"}"#), log(r#"{"level":"x"}"#));
        let wanted = |least| [&info, &error, &none].map(|message| is_wanted(least, message));
        assert_eq!(wanted(None), [true; 3]);
        assert_eq!(wanted(Some(LogLevel::Warning)), [false, true, true]);
        assert_eq!(wanted(Some(LogLevel::Info)), [true; 3]);
    }

    #[test]
    fn clients_that_can_do_the_same_say_the_same() {
        let one = Declares::of_session(r#"{ "roots":{"listChanged":true}, "tasks":{"list":{}},"elicitation":{}}"#);
        let other = Declares::of_session(r#"{"elicitation": {},"tasks":{},"roots":{"listChanged":true}}"#);
        assert_eq!(one, other);
        assert_eq!(one.in_session, r#"{"elicitation":{},"roots":{"listChanged":true},"tasks":{}}"#);
        assert_eq!(one.alone, r#"{"elicitation":{},"roots":{}}"#);
        let alone =
            Declares::of_request(r#"{"extensions":{"x/y":{},"io.modelcontextprotocol/ui":{"b":[1, 2],"a":1.50}}}"#);
        assert_eq!(alone.alone, r#"{"extensions":{"io.modelcontextprotocol/ui":{"a":1.50,"b":[1, 2]},"x/y":{}}}"#);
        assert_eq!(alone.in_session, alone.alone);
        assert!(Declares::of_request("{}").is_nothing() && Declares::of_session(r#"{ }"#).is_nothing());
    }

    #[test]
    fn progress_grows_when_a_call_is_made_again() {
        let said = |value: &str| ServerMessage {
            text: format!(r#"{{"params":{{"progress":{value}}}}}"#),
            method: "notifications/progress".into(),
            id: None,
        };
        let mut progress = Progress::default();
        assert_eq!(["1", "0.5", "2.50"].map(|value| progress.is_news(&said(value))), [true; 3]);
        progress.begins_again();
        let heard = ["1", "2.5", "2.6", "2.6", "\"x\"", "3e1"].map(|value| progress.is_news(&said(value)));
        assert_eq!(heard, [false, false, true, false, false, true]);
    }

    #[test]
    fn backends_are_told_what_the_client_can_do() {
        assert_eq!(
            declared_to_backend(r#"{"tasks":{"list":{},"cancel":{}},"elicitation":{"url":{}},"extensions":{"a":{}}}"#),
            r#"{"elicitation":{"url":{}},"extensions":{"a":{}},"tasks":{"cancel":{}}}"#
        );
        assert_eq!(declared_for_one_call(r#"{"tasks":{},"roots":{}}"#), r#"{"roots":{}}"#);
        assert_eq!(declared_to_backend("{}"), "{}");
        assert_eq!(
            declared_without_sessions(r#"{"tasks":{},"roots":{"listChanged":true},"sampling":{}}"#),
            r#"{"sampling":{},"roots":{}}"#
        );
    }
}
