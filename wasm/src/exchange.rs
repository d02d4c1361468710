//! Calls of an MCP server as a state machine that a host with `fetch` drives.
//!
//! It opens no connection and has no clock. What it asks for, and what it is told, are the core's outputs and inputs.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::sync::Arc;

use serde_json::{Value, json};
use vmcp_core::mcp::client::{Answer, Call, Declared, Exchange, Goal, Limits, List, Output, Settings, Start};
use vmcp_core::mcp::http::{Failure, Head, Input, Method, Request, Sent, Stage};
use wasm_bindgen::prelude::wasm_bindgen;

/// One server, as far as it is known: its era, its revision, its session.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Server {
    settings: Arc<Settings>,
    start: Start,
    exchanges: u64,
}

/// One call, from its first request to its answer.
///
/// `poll` says what to do, as JSON with a member `do`: `send` (a request with `method`, `headers`, `body`; report everything that
/// comes back with `head`, `body`, `end` or `failed`), `aside` (the same, but nothing is reported), `pause` (wait so many `milliseconds`, then poll again), `event` (a `message` of the
/// server), `answer` (the end, with `result` as JSON text), or `error` (the end, with `message`). It says `null` while an answer
/// is awaited.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Conversation(Exchange, Option<Start>);

#[wasm_bindgen]
impl Server {
    /// A server of which nothing is known, called by a client of this name and version.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(client: &str, version: &str) -> Self {
        let settings = Settings { declared: Declared::new(client, version), limits: Limits::default() };
        Self { settings: Arc::new(settings), start: Start::Unknown, exchanges: 0 }
    }

    /// Begins one request; `params` is a JSON object, or empty.
    pub fn call(&mut self, method: &str, params: &str) -> Conversation {
        let params = Some(params.to_owned()).filter(|params| !params.is_empty());
        self.begin(Goal::Call(Call::new(method, params)))
    }

    /// Begins to list all tools.
    #[wasm_bindgen(js_name = listTools)]
    pub fn list_tools(&mut self) -> Conversation {
        self.begin(Goal::List(List::Tools))
    }

    /// Begins to end the session, if there is one.
    pub fn end(&mut self) -> Conversation {
        self.begin(Goal::End)
    }

    /// Keeps what a conversation has learned of the server, for the next one.
    pub fn learn(&mut self, conversation: &Conversation) {
        if let Some(start) = &conversation.1 {
            self.start = start.clone();
        }
    }

    fn begin(&mut self, goal: Goal) -> Conversation {
        self.exchanges += 1;
        Conversation(Exchange::new(goal, self.start.clone(), self.exchanges, Arc::clone(&self.settings)), None)
    }
}

#[wasm_bindgen]
impl Conversation {
    /// What to do next, as JSON.
    pub fn poll(&mut self) -> String {
        while let Some(output) = self.0.poll() {
            let said = match output {
                Output::Learned(standing) => {
                    self.1 = Some(Start::Standing(standing));
                    continue;
                }
                Output::Send { request, .. } => sent("send", &request),
                Output::Aside(request) => sent("aside", &request),
                Output::Pause(time) => {
                    json!({ "do": "pause", "milliseconds": u64::try_from(time.as_millis()).unwrap_or(u64::MAX) })
                }
                // No call of this page wants its response in parts, or passes on a stream.
                Output::Part(_) | Output::Primed => continue,
                Output::Event(message) => json!({ "do": "event", "message": message.text }),
                Output::Done(Ok(answer)) => answered(answer),
                Output::Done(Err(why)) => json!({ "do": "error", "message": why.to_string() }),
            };
            return said.to_string();
        }
        "null".to_owned()
    }

    /// The response has begun; `headers` is a JSON object.
    pub fn head(&mut self, status: u16, headers: &str) {
        let headers: BTreeMap<String, String> = serde_json::from_str(headers).unwrap_or_default();
        self.0.handle(Input::Head(Head { status, headers: headers.into_iter().collect() }));
    }

    /// Bytes of its body.
    pub fn body(&mut self, bytes: &[u8]) {
        self.0.handle(Input::Body(bytes));
    }

    /// There is no response, or no more of it. Nobody can tell then whether the server has seen the request.
    pub fn failed(&mut self, message: &str) {
        let failure = Failure { stage: Stage::FirstByte, sent: Sent::Maybe, message: message.to_owned() };
        self.0.handle(Input::Failed(failure));
    }

    /// Its body is complete.
    pub fn end(&mut self) {
        self.0.handle(Input::End);
    }
}

fn sent(what: &str, request: &Request) -> Value {
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Delete => "DELETE",
    };
    let headers: serde_json::Map<String, Value> =
        request.headers.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect();
    json!({ "do": what, "method": method, "headers": headers, "body": String::from_utf8_lossy(&request.body) })
}

fn answered(answer: Answer) -> Value {
    match answer {
        Answer::Reply(reply) => match reply.result() {
            Some(result) => json!({ "do": "answer", "result": result }),
            None => json!({ "do": "error", "message": reply.text() }),
        },
        Answer::Listed(listed) => json!({ "do": "answer", "result": format!("[{}]", listed.items.join(",")) }),
        Answer::Opened(_) | Answer::Passed | Answer::Ended => json!({ "do": "answer", "result": "null" }),
    }
}
