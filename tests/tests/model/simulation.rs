//! A gateway without sockets: many clients, many backends with faults, and a network that delivers in any order, all of it
//! drawn from a seed.
//!
//! The machines are the core's; the host around them is as small as it can be. `VMCP_SIMULATION_SEED=N` plays one seed
//! and shows what happened.

mod backend;
mod chance;
mod suspended;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};
use vmcp_core::aggregate::{self, Merged, Offered, Policy};
use vmcp_core::gateway::relay;
use vmcp_core::gateway::rounds::Round;
use vmcp_core::gateway::{self, Caller, Headers, Hop, ServerInfo, Serves, Session, SessionState, Turn};
use vmcp_core::mcp::client::{
    Answer, Asked, Call, CallError, Declared, Exchange, Goal, Limits, List, Listed, Output, Passing, Ran, Reply,
    ServerMessage, Settings, Standing, Start,
};
use vmcp_core::mcp::http::{Failure, Input, Sent, Stage};
use vmcp_core::mcp::{Era, Revision};
use vmcp_core::seal::{KEY_BYTES, Keys, NONCE_BYTES, Sealer};

use backend::{Backend, Portion};
use chance::Chance;
use suspended::Suspension;

const SEEDS: u64 = 1000;
const CLIENTS: usize = 5;
const BACKENDS: usize = 3;
/// Requests of all clients together.
const REQUESTS: usize = 40;
/// Nothing is still on its way after so many events.
const EVENTS: usize = 20_000;
const CAPABILITIES: &str = r#"{"elicitation":{}}"#;

fn gateway_info() -> ServerInfo {
    ServerInfo { name: "n".into(), version: "v".into() }
}

#[test]
fn no_answer_is_lost_doubled_or_delivered_to_another_client_whatever_the_network_does() {
    if let Ok(seed) = std::env::var("VMCP_SIMULATION_SEED") {
        let mut world = World::new(seed.parse().expect("VMCP_SIMULATION_SEED is a number"));
        let outcome = world.play();
        panic!("seed {seed}: {outcome:?}, {:?}\n{}", world.count, world.trace);
    }
    let mut all = Count::default();
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        if let Err(fault) = world.play() {
            panic!("{fault}\nreplay it with VMCP_SIMULATION_SEED={seed}\n{}", world.trace);
        }
        all.add(&world.count);
    }
    // Nothing is proved of what did not happen.
    let Count { results, errors, cancelled, progress, questions, rounds, superfluous, passed, .. } = all;
    for (what, count) in [
        ("results", results),
        ("errors", errors),
        ("calls cancelled", cancelled),
        ("progress told", progress),
        ("questions answered", questions),
        ("rounds", rounds),
        ("superfluous sessions", superfluous),
        ("results passed on", passed),
        ("suspended calls", all.suspended),
        ("results for which no client was waited", all.late),
        ("calls that were given up while their client was away", all.gone),
        ("questions that were withdrawn", all.withdrawn),
    ] {
        assert!(count > 100, "{count} {what} in {SEEDS} worlds");
    }
}

/// What has happened.
#[derive(Debug, Default)]
struct Count {
    results: usize,
    errors: usize,
    cancelled: usize,
    progress: usize,
    questions: usize,
    rounds: usize,
    superfluous: usize,
    passed: usize,
    suspended: usize,
    late: usize,
    gone: usize,
    withdrawn: usize,
}

impl Count {
    fn add(&mut self, other: &Self) {
        self.results += other.results;
        self.errors += other.errors;
        self.cancelled += other.cancelled;
        self.progress += other.progress;
        self.questions += other.questions;
        self.rounds += other.rounds;
        self.superfluous += other.superfluous;
        self.passed += other.passed;
        self.suspended += other.suspended;
        self.late += other.late;
        self.gone += other.gone;
        self.withdrawn += other.withdrawn;
    }
}

/// A client's request on its way.
struct Running {
    client: usize,
    /// In its arguments, and in nobody else's.
    token: String,
    /// Its JSON-RPC id; clients choose the same ones.
    id: Value,
    backend: usize,
    caller: Caller,
    /// As it was made last.
    call: Call,
    exchange: Exchange,
    /// Of the request that was sent last.
    coming: VecDeque<Portion>,
    over: Option<Result<Answer, CallError>>,
    /// What was passed on of its result.
    passed: Vec<u8>,
    suspension: Suspension,
}

/// A question of a backend to a client.
struct Question {
    client: usize,
    /// The call that it belongs to.
    token: String,
    message: ServerMessage,
    /// As the client sees it.
    text: String,
    of: Of,
}

/// Where its answer goes.
enum Of {
    /// To the backend, while the call is open.
    Exchange,
    /// Into the next round, under this key.
    Round(String),
}

/// A call whose backend wants to know something before it is made once more.
struct Asking {
    running: Running,
    round: Round,
    answers: Vec<(String, String)>,
}

/// Whose conversation with a backend it is: that of a client's session, or of all who have none.
type Key = (Option<usize>, usize);

struct World {
    chance: Chance,
    backends: Vec<Backend>,
    merged: Merged,
    /// Of each client: its era.
    clients: Vec<Era>,
    links: BTreeMap<Key, Arc<Standing>>,
    running: Vec<Running>,
    asking: Vec<Asking>,
    questions: BTreeMap<u64, Question>,
    /// By token: how its request ended.
    ended: BTreeMap<String, &'static str>,
    /// What a client without a session is to bring back.
    retries: Vec<(usize, Value)>,
    begun: usize,
    numbers: u64,
    settings: Arc<Settings>,
    keys: Keys,
    trace: String,
    count: Count,
}

type Fault = String;

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(what()) }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let era = |chance: &mut Chance| if chance.one_in(2) { Era::Legacy } else { Era::Modern };
        let backends: Vec<_> =
            (0..BACKENDS).map(|number| Backend::new(format!("b{number}"), era(&mut chance))).collect();
        let tools = Listed::new(vec![json!({"name": "t", "inputSchema": {"type": "object"}}).to_string()], Era::Legacy);
        let offered: Vec<_> = backends.iter().map(|backend| Offered::tools(&backend.name, &tools)).collect();
        let policy = Policy { prefix_format: "{workload}_".to_owned(), ..Policy::default() };
        let merged = aggregate::merge(&policy, &offered);
        let mut declared = Declared::new("vmcp", "1");
        declared.capabilities = CAPABILITIES.to_owned();
        Self {
            backends,
            merged,
            clients: (0..CLIENTS).map(|_| era(&mut chance)).collect(),
            chance,
            links: BTreeMap::new(),
            running: Vec::new(),
            asking: Vec::new(),
            questions: BTreeMap::new(),
            ended: BTreeMap::new(),
            retries: Vec::new(),
            begun: 0,
            numbers: 0,
            settings: Arc::new(Settings { declared, limits: Limits::default() }),
            keys: Keys::one(&[1; KEY_BYTES]),
            trace: String::new(),
            count: Count::default(),
        }
    }

    fn play(&mut self) -> Result<(), Fault> {
        for _ in 0..EVENTS {
            let idle = self.running.is_empty() && self.questions.is_empty() && self.retries.is_empty();
            if idle && self.begun == REQUESTS {
                return self.judge();
            }
            match self.chance.below(12) {
                0 | 1 if self.begun < REQUESTS => self.request()?,
                2 if !self.retries.is_empty() => self.bring_back()?,
                3 | 4 => self.answer_a_question()?,
                5 if self.chance.one_in(8) => self.restart(),
                6 if self.chance.one_in(10) => self.cancel()?,
                _ => self.deliver()?,
            }
        }
        Err(format!("{} requests and {} questions never end", self.running.len(), self.questions.len()))
    }

    fn judge(&self) -> Result<(), Fault> {
        ensure(self.ended.len() == self.begun, || format!("{} of {} requests ended", self.ended.len(), self.begun))?;
        ensure(self.asking.is_empty(), || "a call waits for answers that nobody will give".to_owned())?;
        for backend in &self.backends {
            for (token, times) in &backend.ran {
                ensure(*times == 1, || format!("{token} ran {times} times at {}", backend.name))?;
            }
        }
        Ok(())
    }

    fn say(&mut self, what: impl FnOnce() -> String) {
        let what = what();
        writeln!(self.trace, "{what}").unwrap();
    }

    /// A client calls a tool.
    fn request(&mut self) -> Result<(), Fault> {
        let client = self.chance.below(CLIENTS);
        let token = format!("t{}", self.begun);
        self.begun += 1;
        let mut params = json!({
            "name": format!("b{}_t", self.chance.below(BACKENDS)),
            "arguments": {"token": token, "asks": self.chance.one_in(3)},
        });
        if self.chance.one_in(2) {
            params["_meta"] = json!({"progressToken": format!("of {token}")});
        }
        self.call(client, &params)
    }

    /// A client without a session makes a call once more, with what it was asked.
    fn bring_back(&mut self) -> Result<(), Fault> {
        let place = self.chance.below(self.retries.len());
        let (client, params) = self.retries.swap_remove(place);
        self.count.rounds += 1;
        let token = &params["arguments"]["token"];
        let waits = self.running.iter().position(|one| one.suspension.away && *token == one.token);
        if let Some(place) = waits.filter(|_| self.chance.one_in(8)) {
            // Too late.
            self.give_up(place)?;
        }
        self.call(client, &params)
    }

    fn call(&mut self, client: usize, params: &Value) -> Result<(), Fault> {
        let token = params["arguments"]["token"].as_str().unwrap().to_owned();
        let session =
            Session { revision: Revision::LATEST_LEGACY, capabilities: CAPABILITIES.to_owned(), client_info: None };
        let mut params = params.clone();
        let mut headers = Headers::default();
        headers.add("content-type", "application/json");
        let name = params["name"].as_str().unwrap().to_owned();
        let state = match self.clients[client] {
            Era::Legacy => SessionState::Open(&session),
            Era::Modern => {
                params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
                params["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
                    serde_json::from_str(CAPABILITIES).unwrap();
                headers.add("mcp-protocol-version", "2026-07-28");
                headers.add("mcp-method", "tools/call");
                headers.add("mcp-name", &name);
                SessionState::Unnamed
            }
        };
        // Numbers of one client are another's too.
        let id = if self.chance.one_in(2) { json!(self.begun / CLIENTS) } else { json!(format!("i{client}")) };
        let body = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string();
        let request = gateway::Request { method: "POST", headers, body: body.as_bytes() };
        let mut ask = match gateway::turn(&request, state, Serves::Both) {
            Turn::Ask(ask) => ask,
            other => return Err(format!("a call is taken for {other:?}")),
        };
        let opened = ask.open(&Sealer::new(&self.keys, "", 0, [0; NONCE_BYTES]));
        ensure(opened.is_ok(), || format!("what {token} brought back does not open: {opened:?}"))?;
        if let Some(number) = ask.suspended() {
            return self.come_back(number.parse().unwrap(), &ask, id, &token);
        }
        let owner = self.merged.owner(List::Tools, &ask.name).ok_or("a tool of the list has no owner")?;
        ensure(ask.may_go_to(&owner), || format!("{token} is led astray by its state"))?;
        let mut call = ask.towards(&owner);
        if self.clients[client] == Era::Legacy {
            call.asked = Asked::Relay;
            call.capabilities = Some(relay::declared_without_sessions(CAPABILITIES));
        }
        let caller = ask.caller().led_to(&owner);
        if self.clients[client] == Era::Modern && caller.can_be_asked() {
            call.asked = Asked::Relay;
        } else if self.chance.one_in(2) {
            // Some want what comes as soon as it can be told what it is.
            let passing = caller.passing(&gateway_info());
            call.passing = passing.map(|passing| Arc::new(Passing { from: 1, ..(*passing).clone() }));
        }
        let backend = self.backends.iter().position(|backend| backend.name == *owner.backend).unwrap();
        self.say(|| format!("client {client} begins {token}, id {id}, at b{backend}"));
        let running = Running {
            client,
            token,
            id,
            backend,
            caller,
            exchange: self.exchange(Goal::Call(call.clone()), client, backend),
            call,
            coming: VecDeque::new(),
            over: None,
            passed: Vec::new(),
            suspension: Suspension::of(self.numbers),
        };
        self.begin(running)
    }

    fn exchange(&mut self, goal: Goal, client: usize, backend: usize) -> Exchange {
        let start = self.links.get(&self.key(client, backend)).cloned().map_or(Start::Unknown, Start::Standing);
        self.numbers += 1;
        Exchange::new(goal, start, self.numbers, Arc::clone(&self.settings))
    }

    fn key(&self, client: usize, backend: usize) -> Key {
        ((self.clients[client] == Era::Legacy).then_some(client), backend)
    }

    fn begin(&mut self, mut running: Running) -> Result<(), Fault> {
        self.follow(&mut running)?;
        self.running.push(running);
        self.settle()
    }

    /// Does what an exchange wants done.
    fn follow(&mut self, running: &mut Running) -> Result<(), Fault> {
        while let Some(output) = running.exchange.poll() {
            ensure(running.over.is_none(), || format!("{}: something comes after its end", running.token))?;
            match output {
                Output::Send { request, .. } => {
                    running.coming = self.backends[running.backend].asked(&request, &mut self.chance);
                }
                Output::Aside(request) => self.send_aside(running.backend, &request),
                Output::Pause(_) | Output::Primed => {}
                Output::Part(part) => running.passed.extend(part),
                Output::Event(message) if message.id.is_some() && self.clients[running.client] == Era::Modern => {
                    self.suspend(running, message)?;
                }
                Output::Event(message) if message.id.is_some() => self.ask_client(running, message, Of::Exchange),
                Output::Event(message) if message.method == "notifications/cancelled" => {
                    self.withdraw(running, &message)?;
                }
                Output::Event(message) => self.progress(running, &message)?,
                Output::Learned(standing) => {
                    let key = self.key(running.client, running.backend);
                    let before = self.links.insert(key, Arc::clone(&standing));
                    if let Some(before) = before.filter(|before| before.has_session() && **before != *standing) {
                        self.count.superfluous += 1;
                        self.end(running.backend, before);
                    }
                }
                Output::Done(outcome) => running.over = Some(outcome),
            }
        }
        Ok(())
    }

    fn send_aside(&mut self, backend: usize, request: &vmcp_core::mcp::http::Request) {
        let quiet = &mut Chance::new(u64::MAX);
        // What comes of it interests nobody; it comes or it does not.
        drop(self.backends[backend].asked(request, quiet));
    }

    /// Ends a session that nobody will use.
    fn end(&mut self, backend: usize, standing: Arc<Standing>) {
        self.numbers += 1;
        let mut ending = Exchange::new(Goal::End, Start::Standing(standing), self.numbers, Arc::clone(&self.settings));
        while let Some(output) = ending.poll() {
            if let Output::Send { request, .. } = output {
                self.send_aside(backend, &request);
                ending.handle(Input::Failed(failure(Stage::Body)));
            }
        }
    }

    fn progress(&mut self, running: &Running, message: &ServerMessage) -> Result<(), Fault> {
        let Some(told) = running.caller.progress(message) else {
            return Err(format!("{} is told how far it is and did not ask", running.token));
        };
        let told: Value = serde_json::from_str(&told).unwrap();
        let params = &told["params"];
        ensure(
            params["progressToken"] == json!(format!("of {}", running.token)) && params["of"] == running.token,
            || format!("{} is told how far another call is: {told}", running.token),
        )?;
        self.count.progress += 1;
        Ok(())
    }

    /// A backend no longer wants to know what it has asked.
    fn withdraw(&mut self, running: &Running, message: &ServerMessage) -> Result<(), Fault> {
        if self.clients[running.client] == Era::Modern {
            return ensure(running.caller.relayed(message).is_none(), || {
                format!("a client without a session hears {message:?}")
            });
        }
        let told: Value = serde_json::from_str(&message.text).unwrap();
        let of = |asked: &Question| {
            asked.token == running.token && asked.message.id == Some(told["params"]["requestId"].to_string())
        };
        // The client may have answered.
        let Some(number) = self.questions.iter().find(|(_, asked)| of(asked)).map(|(number, _)| *number) else {
            return Ok(());
        };
        self.questions.remove(&number);
        let told: Value =
            serde_json::from_str(&relay::retold(&message.text, "requestId", &number.to_string())).unwrap();
        self.count.withdrawn += 1;
        ensure(told["params"]["requestId"] == number, || format!("question {number} is withdrawn as {told}"))
    }

    fn ask_client(&mut self, running: &Running, message: ServerMessage, of: Of) {
        self.numbers += 1;
        let (text, _) = relay::question(&message, self.numbers);
        let question = Question { client: running.client, token: running.token.clone(), message, text, of };
        self.say(|| format!("{} is asked {}", question.token, question.text));
        self.questions.insert(self.numbers, question);
    }

    /// A client answers something that it was asked, whichever comes to its mind.
    fn answer_a_question(&mut self) -> Result<(), Fault> {
        if self.questions.is_empty() {
            return Ok(());
        }
        let place = self.chance.below(self.questions.len());
        let number = *self.questions.keys().nth(place).unwrap();
        let question = self.questions.remove(&number).unwrap();
        let asked: Value = serde_json::from_str(&question.text).unwrap();
        ensure(asked["id"] == number, || format!("question {number} has another id: {asked}"))?;
        ensure(asked["params"]["message"] == question.token, || {
            format!("client {} hears for {} what another call asks: {asked}", question.client, question.token)
        })?;
        let word = json!({"action": "accept", "content": {"word": asked["params"]["message"]}});
        let said = json!({"jsonrpc": "2.0", "id": number, "result": word}).to_string();
        self.count.questions += 1;
        match question.of {
            Of::Exchange => {
                let Some(at) = self.running.iter().position(|running| running.token == question.token) else {
                    return Ok(());
                };
                let vmcp_core::mcp::jsonrpc::Message::Response(response) =
                    vmcp_core::mcp::jsonrpc::parse_text(&said).unwrap()
                else {
                    return Err("a response is none".to_owned());
                };
                let text = relay::answer(&response, question.message.id.as_deref().unwrap());
                let mut running = self.running.swap_remove(at);
                running.exchange.answer(text);
                self.follow(&mut running)?;
                self.running.push(running);
                self.settle()
            }
            Of::Round(key) => {
                let at = self.asking.iter().position(|asking| asking.running.token == question.token).unwrap();
                self.asking[at].answers.push((key, word.to_string()));
                if self.asking[at].answers.len() < self.asking[at].round.questions.len() {
                    return Ok(());
                }
                let Asking { mut running, round, answers } = self.asking.swap_remove(at);
                running.call.params = Some(round.repeated(running.call.params.as_deref().unwrap(), &answers));
                running.exchange = self.exchange(Goal::Call(running.call.clone()), running.client, running.backend);
                self.count.rounds += 1;
                self.begin(running)
            }
        }
    }

    /// One of the calls that are not over.
    fn one_that_runs(&mut self) -> Option<usize> {
        let runs: Vec<_> = (0..self.running.len()).filter(|place| self.running[*place].over.is_none()).collect();
        (!runs.is_empty()).then(|| runs[self.chance.below(runs.len())])
    }

    /// The network brings one portion of one answer.
    fn deliver(&mut self) -> Result<(), Fault> {
        let Some(place) = self.one_that_runs() else { return Ok(()) };
        let mut running = self.running.swap_remove(place);
        match running.coming.front() {
            Some(Portion::Until(question)) => {
                let question = question.clone();
                if let Some(answer) = self.backends[running.backend].answer_to(&question) {
                    let word = &answer["result"]["content"]["word"];
                    ensure(answer.get("error").is_some() || *word == running.token, || {
                        format!("{} gets the answer to another question: {answer}", running.token)
                    })?;
                    running.coming.pop_front();
                } else if self.chance.one_in(if running.suspension.away { 2 } else { 8 }) {
                    // It goes on without.
                    running.coming.pop_front();
                } else if !running.suspension.away && !self.questions.values().any(|asked| asked.token == running.token)
                {
                    // The answer did not come: no server waits for ever.
                    running.coming = [Portion::Failed(Stage::Body, Sent::Maybe)].into();
                }
            }
            Some(Portion::Runs(token)) => {
                self.backends[running.backend].runs(&token.clone());
                running.coming.pop_front();
            }
            Some(portion) => {
                let portion = portion.clone();
                running.coming.pop_front();
                running.exchange.handle(portion.input().unwrap());
                self.follow(&mut running)?;
            }
            None => return Err(format!("{}: its exchange waits for nothing", running.token)),
        }
        self.running.push(running);
        self.settle()
    }

    /// A backend forgets everything; what it was saying breaks off.
    fn restart(&mut self) {
        let place = self.chance.below(BACKENDS);
        let speaks = if self.chance.one_in(2) { Era::Legacy } else { Era::Modern };
        self.backends[place].restart(speaks);
        self.say(|| format!("b{place} begins anew and speaks {speaks:?}"));
        for running in self.running.iter_mut().filter(|running| running.backend == place) {
            running.coming = [Portion::Failed(Stage::Body, Sent::Maybe)].into();
        }
    }

    /// A client gives a call up.
    fn cancel(&mut self) -> Result<(), Fault> {
        match self.one_that_runs() {
            Some(place) => self.give_up(place),
            None => Ok(()),
        }
    }

    fn give_up(&mut self, place: usize) -> Result<(), Fault> {
        let mut running = self.running.swap_remove(place);
        if running.over.is_some() {
            return Ok(());
        }
        if let Some(request) = running.exchange.withdraw() {
            self.send_aside(running.backend, &request);
        }
        running.exchange.handle(Input::Failed(failure(Stage::Cancelled)));
        self.follow(&mut running)?;
        ensure(running.over.is_some(), || format!("{} goes on although it was cancelled", running.token))?;
        if !running.suspension.away {
            self.running.push(running);
        }
        // One whose client is away has expired; the client finds that when it comes.
        self.settle()
    }

    /// Tells clients what came of their calls.
    fn settle(&mut self) -> Result<(), Fault> {
        while let Some(place) = self.running.iter().position(|one| one.over.is_some() && !one.suspension.away) {
            let mut running = self.running.swap_remove(place);
            self.questions.retain(|_, question| question.token != running.token);
            let outcome = running.over.take().unwrap();
            self.told(running, outcome)?;
        }
        Ok(())
    }

    fn told(&mut self, running: Running, outcome: Result<Answer, CallError>) -> Result<(), Fault> {
        let outcome = match outcome {
            Ok(Answer::Passed) => Ok(Answer::Reply(self.passed(&running)?)),
            outcome => outcome,
        };
        let ran = self.backends.iter().filter_map(|backend| backend.ran.get(&running.token)).sum::<usize>();
        let (message, kind) = match &outcome {
            Ok(Answer::Reply(reply)) => {
                let round = (self.clients[running.client] == Era::Legacy).then(|| Round::read(reply, "r")).flatten();
                if let Some(round) = round {
                    let round = round?;
                    for (key, question) in &round.questions {
                        self.ask_client(&running, question.clone(), Of::Round(key.clone()));
                    }
                    self.asking.push(Asking { running, round, answers: Vec::new() });
                    return Ok(());
                }
                let nonce = self.nonce();
                let server = gateway_info();
                let backend = &self.backends[running.backend].name;
                let hop = Hop { backend, server: &server, sealer: Sealer::new(&self.keys, "", 0, nonce) };
                (running.caller.message(reply, hop), "a result")
            }
            Ok(other) => return Err(format!("{} is answered {other:?}", running.token)),
            Err(error) => {
                if error.ran == Ran::No {
                    ensure(ran == 0, || format!("{} ran, and its client hears that it did not", running.token))?;
                }
                let cancelled = error.class() == vmcp_core::mcp::client::Class::Cancelled;
                let name = &self.backends[running.backend].name;
                (running.caller.failed_message(name, error), if cancelled { "cancelled" } else { "an error" })
            }
        };
        let said: Value = serde_json::from_str(&message).unwrap();
        self.say(|| format!("client {} hears of {}: {said}", running.client, running.token));
        ensure(said["id"] == running.id, || format!("{} is answered under another id: {said}", running.token))?;
        let result = &said["result"];
        if result["resultType"] == "input_required" {
            ensure(self.clients[running.client] == Era::Modern, || format!("a session gets {said}"))?;
            let asked = &result["inputRequests"]["word"]["params"]["message"];
            ensure(*asked == running.token, || format!("{} is asked what another call asks: {said}", running.token))?;
            let mut params: Value = serde_json::from_str(running.call.params.as_deref().unwrap()).unwrap();
            params["name"] = format!("b{}_t", running.backend).into();
            params["_meta"] = json!({});
            params["requestState"] = result["requestState"].clone();
            params["inputResponses"] = json!({"word": {"action": "accept", "content": {"word": asked}}});
            self.retries.push((running.client, params));
            return Ok(());
        }
        if kind == "a result" && said.get("error").is_none() {
            self.judge_result(&running, result, ran)?;
            self.count.results += 1;
        } else {
            ensure(said["error"]["code"].is_i64(), || format!("{} is told nothing: {said}", running.token))?;
            *if kind == "cancelled" { &mut self.count.cancelled } else { &mut self.count.errors } += 1;
        }
        self.ends(&running.token, kind)
    }

    fn ends(&mut self, token: &str, how: &'static str) -> Result<(), Fault> {
        let before = self.ended.insert(token.to_owned(), how);
        ensure(before.is_none(), || format!("{token} ends twice: {before:?}, then {how}"))
    }

    fn nonce(&mut self) -> [u8; NONCE_BYTES] {
        self.numbers += 1;
        let number = self.numbers.to_be_bytes();
        std::array::from_fn(|at| number.get(at).copied().unwrap_or_default())
    }

    /// A result that its client has got already.
    fn passed(&mut self, running: &Running) -> Result<Reply, Fault> {
        let text = String::from_utf8(running.passed.clone()).map_err(|_| format!("{} gets no text", running.token))?;
        let said: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}: {text}", running.token))?;
        ensure(said["id"] == running.id, || format!("{} is answered under another id: {said}", running.token))?;
        self.count.passed += 1;
        let standing = self.links.get(&self.key(running.client, running.backend));
        let era = standing.map_or(Era::Legacy, |standing| standing.era());
        Reply::read(text, era).ok_or_else(|| format!("{} gets what is no response: {said}", running.token))
    }

    fn judge_result(&self, running: &Running, result: &Value, ran: usize) -> Result<(), Fault> {
        let (said, token) = (&result["structuredContent"], &running.token);
        ensure(said["token"] == *token, || format!("{token} hears the result of another call: {result}"))?;
        ensure(ran == 1, || format!("{token} has a result and ran {ran} times"))?;
        ensure(said["answer"].is_null() || said["answer"] == *token, || format!("{token} was answered for: {result}"))?;
        ensure(said["backend"] == self.backends[running.backend].name, || format!("{token} ran elsewhere: {result}"))?;
        let Some(session) = said["session"].as_str() else { return Ok(()) };
        let owner = self.key(running.client, running.backend);
        let foreign = self.links.iter().find(|(key, standing)| {
            **key != owner
                && standing
                    .message(String::new())
                    .is_some_and(|request| request.header("mcp-session-id") == Some(session))
        });
        ensure(foreign.is_none(), || format!("{token} was called in the session of {:?}", foreign.map(|(key, _)| key)))
    }
}

fn failure(stage: Stage) -> Failure {
    Failure { stage, sent: Sent::Maybe, message: "it was played so".into() }
}
