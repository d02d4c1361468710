//! Everything that the servers with every feature offer, asked for by a client with and without each capability: at the
//! server, and through the gateway. Every list, tool, resource, template, prompt and completion, every question and all
//! progress on the way: the JSON is the same, member by member, numbers by their spelling.
//!
//! Which of it there is, the servers' own lists and schemas say; nothing is left out but what [`LEFT_OUT`] names. What may
//! differ stands in [`OF_THE_HOP`] and [`UNSTABLE`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use serde_json::{Value, json};
use vmcp_core::gateway::relay::may_be_asked;
use vmcp_core::mcp::client::{
    Answer, Asked, Call, Declared, Exchange, Goal, Limits, List, Listening, Reply, ServerMessage, Settings, Spoken,
    Standing, Start,
};
use vmcp_core::mcp::jsonrpc::Outcome;
use vmcp_core::mcp::{Era, base64, json};
use vmcp_native::transport::{BackendTransport, Cancel, Patience, Said, Timeouts};
use vmcp_tests::Scratch;

use super::at::At;
use super::gateway::Gateway;
use super::lossless::transport;
use super::processes::PATIENCE;
use super::steps::without_uuids;

/// Members of a result that each hop says for itself, and why.
const OF_THE_HOP: &[(&str, &str)] = &[
    ("ttlMs", "2026-07-28: the gateway's own answer may be kept less long than what it is made of"),
    ("cacheScope", "2026-07-28: the same"),
    ("requestState", "2026-07-28: sealed, so that any replica opens it and nobody else"),
    ("io.modelcontextprotocol/serverInfo", "2026-07-28: who answers is the gateway"),
    ("progressToken", "its own on each hop"),
];

/// Answers that differ between two clients without a gateway too, by what is in the request: what differs in them, and
/// how it is told from all else. Nothing else may differ between the two.
const UNSTABLE: &[(&str, &str)] = &[
    ("demo://resource/dynamic/", "says at which second it was made: \"created at H:MM:SS\""),
    ("\"get-resource-reference\"", "the same"),
    ("\"toggle-", "names the session, which is the client's own"),
    ("\"trigger-url-elicitation\"", "names what is opened, by an id that is another one each time"),
];

/// Tools that are not called here, and where they are.
const LEFT_OUT: &[(&str, &str)] = &[
    ("wait_for_ever", "it never ends; `steps` cancels it"),
    ("when_cancelled", "it tells of what another client has cancelled; `steps`"),
    ("test_trigger_tool_change", "it changes what others are shown at the same time; `serve::streams`"),
    ("test_trigger_prompt_change", "the same"),
];

// A tool or prompt that nobody has is the gateway's own to refuse, and the resource that nobody has is asked for.

/// Arguments where a schema does not say which are quick and need no network.
fn given(tool: &str) -> Option<Vec<Value>> {
    Some(match tool {
        "trigger-long-running-operation" => vec![json!({"duration": 0.2, "steps": 2}), json!({"steps": "x"})],
        "gzip-file-as-resource" => ["resource", "resourceLink"]
            .map(|kind| json!({"name": "f.gz", "data": "data:text/plain,hello", "outputType": kind}))
            .to_vec(),
        _ => return None,
    })
}

/// A client of one server, or of the gateway, that can do this.
struct Peer {
    transport: BackendTransport,
    era: Era,
    standing: Option<Arc<Standing>>,
    settings: Arc<Settings>,
    exchanges: u64,
    /// What it was asked, and how far its calls were, on whatever stream.
    asked: Arc<Mutex<Vec<Value>>>,
    /// What it can do, as JSON.
    can: String,
    cancel: Cancel,
}

/// What a client answers to a question: the same each time.
fn answer_to(method: &str, params: &Value) -> Value {
    match method {
        "elicitation/create" if params["mode"] == "url" => json!({"action": "accept"}),
        "elicitation/create" => {
            let properties = params["requestedSchema"]["properties"].as_object().cloned().unwrap_or_default();
            let content: serde_json::Map<_, _> =
                properties.iter().map(|(name, schema)| (name.clone(), value_of(schema))).collect();
            json!({"action": "accept", "content": content})
        }
        "sampling/createMessage" => {
            json!({"role": "assistant", "content": {"type": "text", "text": "said"}, "model": "m", "stopReason": "endTurn"})
        }
        "roots/list" => json!({"roots": [{"uri": "file:///r", "name": "r"}]}),
        other => json!({"unknown": other}),
    }
}

/// A value that a schema allows.
fn value_of(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    let first_of =
        |member: &str| schema[member].as_array().and_then(|options| options.first()).map(|one| one["const"].clone());
    if let Some(first) = first_of("oneOf").or_else(|| first_of("anyOf")).filter(|first| !first.is_null()) {
        return first;
    }
    if let Some(default) = schema.get("default") {
        return default.clone();
    }
    match schema["type"].as_str() {
        Some("string") => match schema["format"].as_str() {
            Some("uri") => json!("https://x.example/"),
            Some("email") => json!("a@x.example"),
            Some("date") => json!("2026-01-02"),
            Some("date-time") => json!("2026-01-02T03:04:05Z"),
            _ => json!("a".repeat(schema["minLength"].as_u64().unwrap_or(1).max(1) as usize)),
        },
        Some("number" | "integer") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("array") => json!([value_of(&schema["items"])]),
        _ => json!({}),
    }
}

impl Peer {
    fn new(url: &str, transport_of: &str, era: Era, can: &Value) -> Self {
        let mut declared = Declared::new("test", "1");
        declared.capabilities = can.to_string();
        let mut peer = Self {
            can: can.to_string(),
            transport: transport(url, None, transport_of),
            era,
            standing: None,
            settings: Arc::new(Settings { declared, limits: Limits::default() }),
            exchanges: 0,
            asked: Arc::default(),
            cancel: Cancel::new(),
        };
        let Answer::Opened(_) = peer.run(Goal::Open) else { panic!("not opened") };
        peer.listen();
        peer
    }

    fn run(&mut self, goal: Goal) -> Answer {
        self.exchanges += 1;
        let start = match &self.standing {
            Some(standing) => Start::Standing(Arc::clone(standing)),
            None if self.era == Era::Legacy => Start::Remembered(Era::Legacy),
            None => Start::Unknown,
        };
        let mut exchange = Exchange::new(goal, start, self.exchanges, Arc::clone(&self.settings));
        let (standing, asked, can) = (&mut self.standing, &self.asked, &self.can);
        let patience = Patience::of(Duration::from_secs(60));
        let answer = self.transport.run(&mut exchange, &patience, &self.cancel, |exchange, said| match said {
            Said::Learned(learned) => *standing = Some(learned),
            Said::Event(message) => {
                if let Some(response) = answered(&message, can, asked) {
                    exchange.answer(response);
                }
            }
            Said::Primed | Said::Part(_) | Said::Paused => {}
        });
        answer.unwrap_or_else(|error| panic!("{error}: {:?}", error.problem))
    }

    /// Hears and answers what is asked on the stream that belongs to no call, for as long as it is there.
    fn listen(&mut self) {
        let Some(request) = self.standing.as_ref().and_then(|standing| standing.listen(None)) else { return };
        let (transport, cancel, asked) = (self.transport.clone(), self.cancel.clone(), Arc::clone(&self.asked));
        let (standing, can) = (self.standing.clone().unwrap(), self.can.clone());
        let timeouts = Timeouts { first_byte: Duration::from_secs(600), idle: None, ..Timeouts::default() };
        thread::spawn(move || {
            let Ok(mut response) = transport.send(&request, &timeouts, &cancel) else { return };
            let (mut listening, mut spoken) = (Listening::new(1 << 20), Vec::new());
            while let Ok(Some(bytes)) = response.read() {
                listening.read(bytes, &mut spoken).unwrap();
                for spoken in spoken.drain(..) {
                    let Spoken::Message(message) = spoken else { continue };
                    let answer = answered(&message, &can, &asked).and_then(|response| standing.message(response));
                    if let Some(answer) = answer {
                        drop(transport.send(&answer, &Timeouts::default(), &Cancel::new()));
                    }
                }
            }
        });
    }

    fn list(&mut self, kind: List) -> Vec<Value> {
        let Answer::Listed(listed) = self.run(Goal::List(kind)) else { panic!("no list") };
        let mut items: Vec<Value> = listed.items.iter().map(|item| exact(item)).collect();
        items.sort_by_key(|item| item.get("uri").or(item.get("uriTemplate")).or(item.get("name")).unwrap().to_string());
        items
    }

    /// What it is told, and before that what it is asked in results.
    fn ask(&mut self, method: &str, params: &Value, headers: &[(String, String)]) -> Value {
        let mut params = params.clone();
        if method == "tools/call" {
            params["_meta"] = json!({"progressToken": "up"});
        }
        let mut rounds = Vec::new();
        loop {
            let mut call = Call::new(method, Some(params.to_string()));
            (call.asked, call.era, call.headers) = (Asked::Relay, self.era, headers.to_vec());
            let Answer::Reply(reply) = self.run(Goal::Call(call)) else { panic!("no reply") };
            let said = said(&reply);
            if said["result"]["resultType"] != "input_required" || rounds.len() > 8 {
                rounds.push(said);
                return rounds.into();
            }
            let asked: Value = serde_json::from_str(reply.result().unwrap()).unwrap();
            let mut answers = serde_json::Map::new();
            // In the order in which they are written.
            let requests = json::member(reply.result().unwrap(), "inputRequests").and_then(json::members);
            for member in requests.into_iter().flatten() {
                let asked: Value = serde_json::from_str(member.value).unwrap();
                let method = asked["method"].as_str().unwrap();
                let question = ServerMessage { text: asked.to_string(), method: method.to_owned(), id: None };
                if let Err(why) = may_be_asked(&self.can, &question) {
                    // A client need not understand what it did not declare; the gateway does not hand it on.
                    let message = format!("the backend asks for input: {why}");
                    rounds.push(json!({"error": {"code": "the number -32603", "message": message}}));
                    return rounds.into();
                }
                let key: String = serde_json::from_str(member.key).unwrap();
                answers.insert(key, answer_to(method, &asked["params"]));
            }
            rounds.push(said);
            params["inputResponses"] = answers.into();
            if let Some(state) = asked.get("requestState") {
                params["requestState"] = state.clone();
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// What is answered to a message that is a question, which is noted, as how far a call is. A client refuses what it did not declare; so does the
/// gateway in its place, in these words.
fn answered(message: &ServerMessage, can: &str, asked: &Mutex<Vec<Value>>) -> Option<String> {
    let params = message.params().unwrap_or("{}");
    let mut shown = exact(params);
    leave_out_the_hop(&mut shown);
    let Some(id) = &message.id else {
        if message.method == "notifications/progress" {
            asked.lock().unwrap().push(json!({"method": message.method, "params": shown}));
        }
        return None;
    };
    if let Err(why) = may_be_asked(can, message) {
        return Some(why.response(id));
    }
    if let Some(id) = shown.get_mut("elicitationId") {
        leave_out_what_is_unstable(id);
    }
    asked.lock().unwrap().push(json!({"method": message.method, "params": shown}));
    let result = answer_to(&message.method, &serde_json::from_str(params).unwrap());
    Some(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#))
}

/// JSON whose numbers are what was written.
fn exact(text: &str) -> Value {
    match text.trim_start().as_bytes()[0] {
        b'{' => {
            let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).unwrap();
            members.into_iter().map(|(name, value)| (name, exact(value.get()))).collect()
        }
        b'[' => serde_json::from_str::<Vec<Box<RawValue>>>(text).unwrap().iter().map(|one| exact(one.get())).collect(),
        b'-' | b'0'..=b'9' => format!("the number {text}").into(),
        _ => serde_json::from_str(text).unwrap(),
    }
}

fn said(reply: &Reply) -> Value {
    let mut said = match reply.outcome() {
        Outcome::Error(error) => json!({"error": exact(error)}),
        Outcome::Result(result) => json!({"result": exact(result)}),
    };
    leave_out_the_hop(&mut said);
    said
}

fn leave_out_the_hop(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| OF_THE_HOP.iter().all(|(of_the_hop, _)| of_the_hop != name));
            members.values_mut().for_each(leave_out_the_hop);
            if members.get("_meta").is_some_and(|meta| *meta == json!({})) {
                members.remove("_meta");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_the_hop),
        _ => {}
    }
}

/// Everything that a client is told, in the order in which it asks.
type Told = Vec<(String, Value)>;

fn everything(peer: &mut Peer) -> Told {
    let mut told = Told::new();
    // A gateway goes without what a busy machine does not bring in time, and has it a moment later.
    let until = Instant::now() + PATIENCE;
    while List::ALL.iter().any(|kind| peer.list(*kind).is_empty()) {
        assert!(Instant::now() < until, "something is not listed within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(100));
    }
    let lists = List::ALL.map(|kind| {
        let list = peer.list(kind);
        told.push((kind.method().to_owned(), Value::from(list.clone())));
        list
    });
    let [tools, resources, templates, prompts] = &lists;
    let mut ask_with = |method: &str, params: Value, headers: &[(String, String)]| {
        let mut came = peer.ask(method, &params, headers);
        if UNSTABLE.iter().any(|(request, _)| params.to_string().contains(request)) {
            leave_out_what_is_unstable(&mut came);
        }
        told.push((format!("{method} {params}"), came));
    };
    let mut ask = |method: &str, params: Value| ask_with(method, params, &[]);
    for resource in resources {
        ask("resources/read", json!({"uri": resource["uri"]}));
    }
    for template in templates {
        let template = template["uriTemplate"].as_str().unwrap();
        for value in ["1", "no such"] {
            ask("resources/read", json!({"uri": filled(template, value)}));
            for variable in variables(template) {
                ask(
                    "completion/complete",
                    json!({"ref": {"type": "ref/resource", "uri": template}, "argument": {"name": variable, "value": value}}),
                );
            }
        }
    }
    ask("resources/read", json!({"uri": "nowhere://at/all"}));
    for prompt in prompts {
        let name = prompt["name"].as_str().unwrap();
        let arguments: Vec<_> = prompt["arguments"].as_array().into_iter().flatten().cloned().collect();
        let with = |take: &dyn Fn(&Value) -> bool| -> Value {
            arguments
                .iter()
                .filter(|argument| take(argument))
                .map(|a| (a["name"].as_str().unwrap().to_owned(), json!("1")))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        for arguments in [json!({}), with(&|argument| argument["required"] == true), with(&|_| true)] {
            ask("prompts/get", json!({"name": name, "arguments": arguments}));
        }
        for argument in &arguments {
            for value in ["", "E", "no such"] {
                let mut params = json!({"ref": {"type": "ref/prompt", "name": name}, "argument": {"name": argument["name"], "value": value}});
                ask("completion/complete", params.clone());
                params["context"] = json!({"arguments": {"department": "Engineering"}});
                ask("completion/complete", params);
            }
        }
    }
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        if LEFT_OUT.iter().any(|(left_out, _)| *left_out == name) {
            continue;
        }
        for arguments in given(name).unwrap_or_else(|| arguments_of(&tool["inputSchema"])) {
            let headers = headers_of(&tool["inputSchema"], &arguments);
            ask_with("tools/call", json!({"name": name, "arguments": arguments}), &headers);
        }
    }
    if peer.era == Era::Legacy {
        for resource in resources.iter().take(1) {
            for verb in ["subscribe", "unsubscribe"] {
                let came = peer.ask(&format!("resources/{verb}"), &json!({"uri": resource["uri"]}), &[]);
                told.push((verb.to_owned(), came));
            }
        }
    }
    let mut asked = std::mem::take(&mut *peer.asked.lock().unwrap());
    // Whenever it comes: the everything server asks for roots a moment after a session has begun, and in a call if that is
    // not answered yet.
    asked.sort_by_key(Value::to_string);
    asked.dedup_by(|one, other| one == other && one["method"] == "roots/list");
    told.push(("asked".to_owned(), asked.into()));
    told
}

/// Nothing, what is required, everything, and each value of what has few.
fn arguments_of(schema: &Value) -> Vec<Value> {
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let take = |which: &dyn Fn(&str) -> bool| -> serde_json::Map<String, Value> {
        properties
            .iter()
            .filter(|(name, _)| which(name))
            .map(|(name, schema)| (name.clone(), plain(&value_of(schema))))
            .collect()
    };
    let least = take(&|name| required.contains(&name));
    let mut all = vec![json!({}), least.clone().into(), take(&|_| true).into()];
    for (name, schema) in &properties {
        for value in schema["enum"].as_array().into_iter().flatten() {
            let mut with = least.clone();
            with.insert(name.clone(), plain(value));
            all.push(with.into());
        }
    }
    all.dedup();
    all
}

/// What repeats arguments in headers (2026-07-28, streamable-http, Custom Headers from Tool Parameters).
fn headers_of(schema: &Value, arguments: &Value) -> Vec<(String, String)> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let header = |(name, schema): (&String, &Value)| {
        let value = arguments.get(name)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some((format!("mcp-param-{}", schema["x-mcp-header"].as_str()?), text))
    };
    properties.filter_map(header).collect()
}

/// `…` where the time is, also in what is Base64, and where a session is named.
fn leave_out_what_is_unstable(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(leave_out_what_is_unstable),
        Value::Array(items) => items.iter_mut().for_each(leave_out_what_is_unstable),
        Value::String(text) => {
            let decoded = base64::decode(base64::Alphabet::Standard, text);
            let plain = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| text.clone());
            match plain.split_once(" created at ") {
                Some((before, time)) => {
                    assert!(time.ends_with('M') && time.len() <= 11, "{time} is no time");
                    *text = format!("{before} created at …");
                }
                None => *text = text.split_inclusive(['\n', ' ']).map(without_a_uuid).collect(),
            }
        }
        _ => {}
    }
}

fn without_a_uuid(word: &str) -> String {
    let bare = word.trim_end();
    word.replace(bare, &without_uuids(bare))
}

/// The number that [`exact`] wrote as text.
fn plain(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix("the number ") {
            Some(number) => serde_json::from_str(number).unwrap(),
            None => value.clone(),
        },
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        other => other.clone(),
    }
}

fn variables(template: &str) -> Vec<&str> {
    template.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect()
}

fn filled(template: &str, value: &str) -> String {
    let value = value.replace(' ', "%20");
    variables(template).iter().fold(template.to_owned(), |filled, name| filled.replace(&format!("{{{name}}}"), &value))
}

/// What a client may declare.
fn capabilities() -> [Value; 8] {
    let tasks = json!({"list": {}, "cancel": {}, "requests": {"elicitation": {"create": {}}, "sampling": {"createMessage": {}}}});
    [
        json!({}),
        json!({"elicitation": {}}),
        json!({"elicitation": {"form": {}, "url": {}}}),
        json!({"sampling": {}}),
        json!({"sampling": {"tools": {}, "context": {}}}),
        json!({"roots": {"listChanged": true}}),
        json!({"tasks": tasks}),
        json!({"elicitation": {"form": {}, "url": {}}, "sampling": {"tools": {}}, "roots": {"listChanged": true}}),
    ]
}

/// Compares all of it. Returns how much that was.
pub(crate) fn compare(at: At, eras: &[Era]) {
    let scratch = Scratch::new();
    let (_server, url) = at.start();
    let gateway = Gateway::bare(&scratch, &url, at.transport());
    let through_url = gateway.url();
    let (mut wrong, mut compared) = (String::new(), 0);
    // Side by side: each has a session of its own.
    let peer = |url: &str, transport: &str, era, can: &Value| everything(&mut Peer::new(url, transport, era, can));
    let peer = &peer;
    for era in eras.iter().copied() {
        let all = capabilities();
        let told: Vec<_> = thread::scope(|scope| {
            let (url, through) = (url.as_str(), through_url.as_str());
            let begun = all.iter().map(|can| {
                [(url, at.transport()), (url, at.transport()), (through, "streamable-http")]
                    .map(|(url, transport)| scope.spawn(move || peer(url, transport, era, can)))
            });
            let begun: Vec<_> = begun.collect();
            begun.into_iter().map(|told| told.map(|told| told.join().unwrap())).collect()
        });
        for (can, [one, two, through]) in all.iter().zip(told) {
            assert_eq!(one.len(), two.len());
            let on_the_way = one.last().map(|(_, asked)| asked.to_string()).unwrap_or_default();
            assert!(on_the_way.contains("notifications/progress"), "{at:?}, {era:?}: no progress was told");
            for (two, one) in two.iter().zip(&one) {
                assert_eq!(two, one, "{at:?}, {era:?} {can}: two clients without a gateway are told something else");
            }
            for place in 0..one.len().max(through.len()) {
                compared += 1;
                if one.get(place) != through.get(place) {
                    let show = |told: Option<&(String, Value)>| {
                        told.map_or("nothing".to_owned(), |(what, told)| format!("{what}\n    {told}"))
                    };
                    let (one, through) = (show(one.get(place)), show(through.get(place)));
                    wrong += &format!("{era:?} {can}\n  directly {one}\n  through  {through}\n");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{at:?}, {compared} answers:\n{wrong}");
    assert!(compared > 500, "{at:?}: {compared}");
}
