//! Replays the transcripts of `cases/mcp`: exchanges with a backend and turns of a client, each written as it is read.
//!
//! A transcript holds what is given (goal, start, answers) and what comes of it (sent requests, events, the end); the
//! whole text must come out again, with the bodies of answers cut at every byte. `VMCP_BLESS=1` writes what came out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vmcp_core::aggregate::{self, Merged, Offered, Owner, Policy};
use vmcp_core::gateway::extensions::has_own;
use vmcp_core::gateway::{self, Ask, Headers, Hop, Offering, ServerInfo, Serves, Session, SessionState, Subject, Turn};
use vmcp_core::mcp::client::{
    Answer, Asked, Call, Declared, Exchange, Facts, Freshness, Goal, Limits, List, Listed, Output, Reply, Scope,
    Settings, Standing, Start,
};
use vmcp_core::mcp::http::{Failure, Head, Input, Request, Sent, Stage};
use vmcp_core::mcp::jsonrpc::Outcome;
use vmcp_core::mcp::{Era, LogLevel, Revision};
use vmcp_core::seal::{KEY_BYTES, Keys, NONCE_BYTES, Sealer};

use super::states;

/// Replays every transcript once.
pub(crate) fn all_once() {
    replay_all("client", |given| exchange(given, Portions::Whole));
    replay_all("front", turn);
}

#[test]
fn exchanges_with_a_backend() {
    replay_all("client", |given| {
        let cuts = given.iter().map(|block| block.body.len()).max().unwrap_or_default();
        let whole = exchange(given, Portions::Whole);
        assert_eq!(exchange(given, Portions::Bytes), whole, "byte by byte");
        for cut in 1..cuts {
            assert_eq!(exchange(given, Portions::CutAt(cut)), whole, "cut at {cut}");
        }
        whole
    });
}

#[test]
fn turns_of_a_client() {
    replay_all("front", turn);
}

/// How the bodies of answers are portioned.
#[derive(Clone, Copy)]
enum Portions {
    Whole,
    Bytes,
    CutAt(usize),
}

/// A line and the indented lines below it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    /// Comments and empty lines above it.
    above: String,
    line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) failure: Option<String>,
    /// As it stands in the file.
    text: String,
}

impl Block {
    pub(crate) fn word(&self) -> &str {
        self.line.split(' ').next().unwrap()
    }

    pub(crate) fn rest(&self) -> &str {
        self.line.split_once(' ').map_or("", |(_, rest)| rest)
    }
}

const GIVEN: [&str; 22] = [
    "era",
    "goal",
    "start",
    "limits",
    "answer",
    "more",
    "fail",
    "cancel",
    "serves",
    "session",
    "tool",
    "resource",
    "template",
    "prompt",
    "offers",
    "fresh",
    "request",
    "reply",
    "capabilities",
    "asked",
    "caller",
    "logs",
];

fn replay_all(folder: &str, run: impl Fn(&[Block]) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/mcp").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no transcripts in {}", folder.display());
    let mut wrong = String::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let blocks = read(&text);
        let given: Vec<_> = blocks.into_iter().filter(|block| GIVEN.contains(&block.word())).collect();
        let came = run(&given);
        if came != text {
            if std::env::var_os("VMCP_BLESS").is_some() {
                std::fs::write(&file, came).unwrap();
            } else {
                write!(wrong, "{}:\n{}\n", file.display(), difference(&text, &came)).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn difference(expected: &str, came: &str) -> String {
    let line = expected.lines().zip(came.lines()).take_while(|(a, b)| a == b).count();
    let show = |text: &str| text.lines().skip(line).take(6).collect::<Vec<_>>().join("\n    ");
    format!("  line {}\n  expected\n    {}\n  came\n    {}", line + 1, show(expected), show(came))
}

fn read(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut above = String::new();
    for line in text.lines() {
        if line.is_empty() || line.starts_with('#') {
            above.push_str(line);
            above.push('\n');
        } else if let Some(detail) = line.strip_prefix("  ") {
            let block = blocks.last_mut().unwrap();
            block.text.push_str(line);
            block.text.push('\n');
            if let Some(body) = detail.strip_prefix('|') {
                add_line(block, body.strip_prefix(' ').unwrap_or(body).as_bytes());
            } else if let Some(body) = detail.strip_prefix("\\|") {
                add_line(block, &unescape(body.strip_prefix(' ').unwrap_or(body)));
            } else if let Some(failure) = detail.strip_prefix("! ") {
                block.failure = Some(failure.to_owned());
            } else {
                let (name, value) = detail.split_once(": ").unwrap_or((detail.trim_end_matches(':'), ""));
                block.headers.push((name.to_owned(), value.to_owned()));
            }
        } else {
            let above = std::mem::take(&mut above);
            blocks.push(Block { above, line: line.to_owned(), text: format!("{line}\n"), ..Block::default() });
        }
    }
    blocks
}

/// Lines of a body are joined by line feeds; a first one is not preceded by any.
fn add_line(block: &mut Block, line: &[u8]) {
    if block.text.lines().filter(|l| l.starts_with("  |") || l.starts_with("  \\|")).count() > 1 {
        block.body.push(b'\n');
    }
    block.body.extend_from_slice(line);
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match (byte, byte == b'\\').1.then(|| bytes.next().unwrap()) {
            None => out.push(byte),
            Some(b'r') => out.push(b'\r'),
            Some(b'n') => out.push(b'\n'),
            Some(b'x') => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            Some(other) => out.push(other),
        }
    }
    out
}

// ── Exchanges ────────────────────────────────────────────────────────────────────────────────────────────────────

fn exchange(given: &[Block], portions: Portions) -> String {
    let mut out = String::new();
    let mut settings = Settings { declared: Declared::new("vmcp", "0"), limits: Limits::default() };
    let mut asked = Asked::Decline;
    let (mut caller, mut era, mut log_level) = (None, Era::Legacy, None);
    let (mut goal, mut start) = (Goal::Open, Start::Unknown);
    let mut answers = given.iter();
    for block in answers.by_ref() {
        out.push_str(&block.above);
        out.push_str(&block.text);
        match block.word() {
            "limits" => {
                let mut numbers = block.rest().split(' ').map(|number| number.parse().unwrap());
                settings.limits = Limits { answer_bytes: numbers.next().unwrap(), pages: numbers.next().unwrap() };
            }
            "capabilities" => settings.declared.capabilities = block.rest().to_owned(),
            "asked" => asked = Asked::Relay,
            "caller" => caller = Some(block.rest().to_owned()),
            "era" => era = Era::Modern,
            "logs" => log_level = LogLevel::parse(block.rest()),
            "goal" => {
                goal = goal_of(block, asked, era, caller.take());
                if let Goal::Call(call) = &mut goal {
                    call.log_level = log_level;
                }
            }
            "start" => {
                start = start_of(block.rest());
                break;
            }
            other => panic!("`{other}` before `start`"),
        }
    }
    let mut played = Played { out, exchange: Exchange::new(goal, start, 0, Arc::new(settings)) };
    let mut answers = answers.peekable();
    while played.take_all() != Said::Done {
        // All that could be said is said: the world goes on.
        let Some(given) = answers.next() else {
            played.out.push_str("(no end)\n");
            break;
        };
        played.out.push_str(&given.above);
        played.out.push_str(&given.text);
        states::note(&format!("{:?}", played.exchange), given);
        match given.word() {
            "cancel" => played.cancel(),
            "fail" => played.exchange.handle(Input::Failed(failure(given.rest()))),
            _ => {
                let goes_on = answers.peek().is_some_and(|next| next.word() == "more");
                if played.answer(given, portions, goes_on) == Said::Done {
                    break;
                }
            }
        }
    }
    let mut out = played.out;
    out.extend(answers.map(|unused| format!("{}(not reached) {}", unused.above, unused.text)));
    out
}

/// An exchange, and what it has said so far.
struct Played {
    out: String,
    exchange: Exchange,
}

/// What an exchange has last said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    /// Nothing that ends an answer.
    Little,
    /// A request: whatever still comes of the one before is not reported.
    Request,
    Done,
}

impl Played {
    fn take_all(&mut self) -> Said {
        let mut said = Said::Little;
        while let Some(output) = self.exchange.poll() {
            said = said.max(self.write(output));
        }
        said
    }

    fn write(&mut self, output: Output) -> Said {
        let out = &mut self.out;
        match output {
            Output::Send { request, wait } => {
                write!(out, "\nsend {} {wait:?}\n{}", method(&request), details(&request.headers, &request.body))
                    .unwrap();
                return Said::Request;
            }
            Output::Pause(how_long) => write!(out, "\npause {how_long:?}\n").unwrap(),
            Output::Aside(request) => {
                write!(out, "\naside {}\n{}", method(&request), details(&request.headers, &request.body)).unwrap();
            }
            Output::Part(_) => unreachable!("no call of these wants its response in parts"),
            Output::Primed => out.push_str("\nprimed\n"),
            Output::Event(message) => {
                let kind = if message.id.is_some() { "request" } else { "notification" };
                write!(out, "\nevent {kind} {}\n{}", message.method, details(&[], message.text.as_bytes())).unwrap();
                if let Some(id) = &message.id {
                    self.exchange.answer(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"relayed":true}}}}"#));
                }
            }
            Output::Learned(standing) => {
                let session = if standing.has_session() { "session" } else { "no session" };
                writeln!(out, "\nlearned {} {session}, remember {:?}", standing.revision(), standing.memory()).unwrap();
            }
            Output::Done(outcome) => {
                out.push('\n');
                out.push_str(&done(outcome));
                return Said::Done;
            }
        }
        Said::Little
    }

    fn cancel(&mut self) {
        match self.exchange.withdraw() {
            Some(told) => {
                let text = details(&told.headers, &told.body);
                write!(self.out, "\nwithdraw {}\n{text}", method(&told)).unwrap();
            }
            None => self.out.push_str("\nwithdraw nothing\n"),
        }
        self.exchange.handle(Input::Failed(failure("cancelled maybe the client is gone")));
    }

    /// Reports an answer. Byte by byte, the exchange is asked after each; else only at the end.
    fn answer(&mut self, answer: &Block, portions: Portions, goes_on: bool) -> Said {
        if answer.word() == "answer" {
            let status = answer.rest().parse().unwrap();
            self.exchange.handle(Input::Head(Head { status, headers: answer.headers.clone() }));
        }
        match portions {
            Portions::Whole => self.exchange.handle(Input::Body(&answer.body)),
            Portions::Bytes => {
                for byte in answer.body.chunks(1) {
                    match self.take_all() {
                        Said::Little => self.exchange.handle(Input::Body(byte)),
                        said => return said,
                    }
                }
                match self.take_all() {
                    Said::Little => {}
                    said => return said,
                }
            }
            Portions::CutAt(cut) => {
                let (one, two) = answer.body.split_at(cut.min(answer.body.len()));
                self.exchange.handle(Input::Body(one));
                self.exchange.handle(Input::Body(two));
            }
        }
        match &answer.failure {
            Some(text) => self.exchange.handle(Input::Failed(failure(text))),
            None if goes_on => {}
            None => self.exchange.handle(Input::End),
        }
        Said::Little
    }
}

fn goal_of(block: &Block, asked: Asked, era: Era, capabilities: Option<String>) -> Goal {
    match block.rest() {
        "open" => Goal::Open,
        "end" => Goal::End,
        "list tools" => Goal::List(List::Tools),
        "list resources" => Goal::List(List::Resources),
        "list templates" => Goal::List(List::ResourceTemplates),
        "list prompts" => Goal::List(List::Prompts),
        call => {
            let method = call.strip_prefix("call ").unwrap_or_else(|| panic!("goal `{call}`"));
            let params = (!block.body.is_empty()).then(|| String::from_utf8(block.body.clone()).unwrap());
            Goal::Call(Call { headers: block.headers.clone(), asked, capabilities, era, ..Call::new(method, params) })
        }
    }
}

fn start_of(text: &str) -> Start {
    match text {
        "unknown" => Start::Unknown,
        "remembered legacy" => Start::Remembered(Era::Legacy),
        "remembered modern" => Start::Remembered(Era::Modern),
        opened => Start::Standing(opened_by(opened)),
    }
}

/// A standing, made the only way there is: `session ID REVISION`, `sessionless REVISION`, `stateless`.
fn opened_by(text: &str) -> Arc<Standing> {
    let words: Vec<_> = text.split(' ').collect();
    let (start, session, body) = match words[..] {
        ["stateless"] => (
            Start::Unknown,
            None,
            r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}}"#
                .to_owned(),
        ),
        ["session" | "sessionless", ref rest @ ..] => {
            let revision = rest.last().unwrap();
            let session = (rest.len() == 2).then(|| rest[0]);
            let result = format!(r#"{{"protocolVersion":"{revision}","capabilities":{{"tools":{{}}}}}}"#);
            (Start::Remembered(Era::Legacy), session, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#))
        }
        _ => panic!("start `{text}`"),
    };
    let settings = Settings { declared: Declared::new("vmcp", "0"), limits: Limits::default() };
    let mut exchange = Exchange::new(Goal::Open, start, 0, Arc::new(settings));
    while let Some(output) = exchange.poll() {
        match output {
            Output::Send { .. } => {
                let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
                headers.extend(session.map(|session| ("mcp-session-id".to_owned(), session.to_owned())));
                exchange.handle(Input::Head(Head { status: 200, headers }));
                exchange.handle(Input::Body(body.as_bytes()));
                exchange.handle(Input::End);
            }
            Output::Done(Ok(Answer::Opened(standing))) => return standing,
            _ => {}
        }
    }
    panic!("start `{text}` was not opened")
}

/// `STAGE nothing|maybe MESSAGE`.
fn failure(text: &str) -> Failure {
    let mut words = text.splitn(3, ' ');
    let stage = match words.next().unwrap() {
        "resolve" => Stage::Resolve,
        "connect" => Stage::Connect,
        "tls" => Stage::Tls,
        "send" => Stage::Send,
        "first-byte" => Stage::FirstByte,
        "body" => Stage::Body,
        "lost" => Stage::Lost,
        "cancelled" => Stage::Cancelled,
        other => panic!("stage `{other}`"),
    };
    let sent = if words.next() == Some("nothing") { Sent::Nothing } else { Sent::Maybe };
    Failure { stage, sent, message: words.next().unwrap().to_owned() }
}

fn method(request: &Request) -> String {
    format!("{:?}", request.method).to_uppercase()
}

fn details(headers: &[(String, String)], body: &[u8]) -> String {
    let mut out = String::new();
    for (name, value) in headers {
        writeln!(out, "  {name}: {value}").unwrap();
    }
    if !body.is_empty() {
        for line in String::from_utf8(body.to_vec()).unwrap().split('\n') {
            writeln!(out, "  | {line}").unwrap();
        }
    }
    out
}

fn done(outcome: Result<Answer, vmcp_core::mcp::client::CallError>) -> String {
    match outcome {
        Ok(Answer::Opened(standing)) => {
            let facts = standing.facts().cloned().unwrap_or_default();
            let mut out = format!("done opened {} offering {:?}\n", standing.revision(), facts.offered());
            for (name, value) in [("server", facts.server_info), ("instructions", facts.instructions)] {
                if let Some(value) = value {
                    writeln!(out, "  {name}: {value}").unwrap();
                }
            }
            out
        }
        Ok(Answer::Reply(reply)) => {
            let kind = match reply.outcome() {
                Outcome::Result(_) => "result",
                Outcome::Error(_) => "error",
            };
            format!("done {kind}\n{}", details(&[], reply.with_id("\"theirs\"").as_bytes()))
        }
        Ok(Answer::Listed(listed)) => {
            let mut out = format!("done listed {} on {} pages\n", listed.items.len(), listed.pages);
            out.extend(listed.items.iter().map(|item| details(&[], item.as_bytes())));
            out
        }
        Ok(Answer::Passed) => unreachable!("no call of these wants its response in parts"),
        Ok(Answer::Ended) => "done ended\n".to_owned(),
        Err(error) => {
            states::note_problem(&format!("{:?}", error.problem));
            let mut out = format!("done failed, ran {:?}, {:?}\n  | {error}\n", error.ran, error.class());
            let mut cause = std::error::Error::source(&error);
            while let Some(next) = cause {
                writeln!(out, "  | because {next}").unwrap();
                cause = next.source();
            }
            out
        }
    }
}

// ── Turns ────────────────────────────────────────────────────────────────────────────────────────────────────────

fn turn(given: &[Block]) -> String {
    let mut out = String::new();
    let server = ServerInfo { name: "demo".into(), version: "1.2.3".into() };
    let keys = Keys::one(&[1; KEY_BYTES]);
    let sealer = || Sealer::new(&keys, "", 1_000_000, [7; NONCE_BYTES]);
    let (mut serves, mut session, mut lists) = (Serves::Both, None, Lists::default());
    let mut facts = Vec::new();
    let mut freshness = Freshness::STALE;
    let mut blocks = given.iter().peekable();
    while let Some(block) = blocks.next() {
        out.push_str(&block.above);
        out.push_str(&block.text);
        match block.word() {
            "serves" => serves = if block.rest() == "legacy" { Serves::Legacy } else { Serves::Both },
            "session" => session = Some(block.rest().to_owned()),
            kind @ ("tool" | "resource" | "template" | "prompt") => lists.add(kind, block.rest()),
            "offers" => {
                let (backend, capabilities) = block.rest().split_once(' ').unwrap();
                let instructions = (!block.body.is_empty()).then(|| String::from_utf8(block.body.clone()).unwrap());
                let capabilities = capabilities.to_owned();
                facts.push((backend.to_owned(), Facts { capabilities, server_info: None, instructions }));
            }
            "fresh" => {
                let (ttl, scope) = block.rest().split_once(' ').unwrap();
                let scope = if scope == "public" { Scope::Public } else { Scope::Private };
                freshness = Freshness { ttl_ms: ttl.parse().unwrap(), scope };
            }
            "request" => {
                let open;
                let state = match session.as_deref() {
                    None => SessionState::Unnamed,
                    Some("unknown") => SessionState::Unknown,
                    Some(revision) => {
                        let revision = Revision::parse(revision).unwrap();
                        open = Session { revision, capabilities: "{}".into(), client_info: None };
                        SessionState::Open(&open)
                    }
                };
                let mut headers = Headers::default();
                block.headers.iter().for_each(|(name, value)| headers.add(name, value));
                let request = gateway::Request { method: block.rest(), headers, body: &block.body };
                let merged = lists.merged();
                let offering = Offering::of(facts.iter().map(|(backend, facts)| (backend.as_str(), facts)));
                let turn = gateway::turn(&request, state, serves);
                states::note_turn(&format!("{turn:?}"));
                match turn {
                    Turn::Answer(response) => out.push_str(&response_text(&response)),
                    Turn::Initialize(initialize) => {
                        let kept = initialize.session();
                        let answer = initialize.answer(&server, &gateway::session_id([0xab; 16]), &offering);
                        let client = kept.client_info.as_deref().unwrap_or("nobody");
                        write!(out, "\nturn initialize: {} {} {client}\n", kept.revision, kept.capabilities).unwrap();
                        out.push_str(&response_text(&answer));
                    }
                    Turn::Discover(discover) => out.push_str(&response_text(&discover.answer(&server, &offering))),
                    Turn::List(list) => {
                        out.push_str(&response_text(&list.answer(&merged, freshness, &server, sealer())))
                    }
                    Turn::ListTasks(list) => {
                        out.push_str("\nturn list tasks\n");
                        out.push_str(&response_text(&list.answer(&[])));
                        out.push_str(&response_text(&list.nobody_has_any()));
                    }
                    Turn::Listen(listen) => {
                        writeln!(out, "\nturn listen {}", listen.wanted.json()).unwrap();
                        out.push_str(&details(&[], listen.subscription().acknowledged(&listen.wanted).as_bytes()));
                    }
                    Turn::SetLogLevel(asker, level) => {
                        write!(out, "\nturn log from {}\n", level.text()).unwrap();
                        out.push_str(&response_text(&asker.done()));
                    }
                    Turn::Ask(mut ask) => {
                        if let Err(refused) = ask.open(&sealer()) {
                            out.push_str(&response_text(&refused));
                            continue;
                        }
                        let Some(owner) = ask.task_owner().or_else(|| owner(&merged, &facts, &ask)) else {
                            out.push_str(&response_text(&ask.unknown()));
                            continue;
                        };
                        let tool = merged.find(List::Tools, &ask.name).filter(|_| ask.subject == Subject::Tool);
                        if let Some(Err(differs)) = tool.map(|tool| ask.mirror(tool)) {
                            out.push_str(&response_text(&differs));
                            continue;
                        }
                        let towards = ask.towards(&owner);
                        let verb = if ask.subject == Subject::Tool { "call" } else { towards.method.as_str() };
                        write!(out, "\nturn {verb} {} of {}\n", owner.original, owner.backend).unwrap();
                        if let Some(capabilities) = towards.capabilities.filter(|capabilities| capabilities != "{}") {
                            writeln!(out, "  (the caller can {capabilities})").unwrap();
                        }
                        if let Some(level) = towards.log_level {
                            writeln!(out, "  (the caller wants log messages from {} on)", level.text()).unwrap();
                        }
                        out.push_str(&details(&towards.headers, towards.params.unwrap().as_bytes()));
                        while let Some(reply) = blocks.next_if(|block| block.word() == "reply") {
                            out.push_str(&reply.above);
                            out.push_str(&reply.text);
                            if reply.rest() == "none" {
                                out.push_str(&response_text(&ask.no_suggestions(&server)));
                                continue;
                            }
                            let era = if reply.rest() == "modern" { Era::Modern } else { Era::Legacy };
                            let reply = Reply::read(String::from_utf8(reply.body.clone()).unwrap(), era).unwrap();
                            let came = if reply.error().is_some() { "an error" } else { "a result" };
                            states::note_reply(&format!("{:?}, {:?} -> {era:?}: {came}", ask.subject, ask.asker.era));
                            let caller = ask.caller().led_to(&owner);
                            if caller.is_elsewhere(&reply) {
                                out.push_str("\n(not here)\n");
                            }
                            let hop = Hop { backend: &owner.backend, server: &server, sealer: sealer() };
                            out.push_str(&response_text(&caller.answer(&reply, hop)));
                        }
                    }
                    Turn::Notified(told) => {
                        write!(out, "\nturn notified {} {:?}\n", told.method, told.params).unwrap();
                        out.push_str(&response_text(&gateway::accepted()));
                    }
                    Turn::Responded(response) => {
                        write!(out, "\nturn responded {:?}\n", response.outcome).unwrap();
                        out.push_str(&response_text(&gateway::accepted()));
                    }
                    Turn::EndSession => {
                        out.push_str("\nturn end session\n");
                        out.push_str(&response_text(&gateway::ended()));
                    }
                }
            }
            other => panic!("`{other}` out of place"),
        }
    }
    out
}

/// What the backends list, by backend: of each kind, and how the backend speaks.
#[derive(Default)]
struct Lists(BTreeMap<String, [Option<Listed>; 4]>);

impl Lists {
    /// `BACKEND TEXT`, or `BACKEND!` for one that speaks the modern revision.
    fn add(&mut self, kind: &str, text: &str) {
        let (backend, text) = text.split_once(' ').unwrap();
        let (backend, era) = match backend.strip_suffix('!') {
            Some(backend) => (backend, Era::Modern),
            None => (backend, Era::Legacy),
        };
        let place = ["tool", "resource", "template", "prompt"].iter().position(|known| *known == kind).unwrap();
        let list = &mut self.0.entry(backend.to_owned()).or_default()[place];
        list.get_or_insert_with(|| Listed::new(Vec::new(), era)).items.push(text.to_owned());
    }

    fn merged(&self) -> Merged {
        let offers: Vec<_> = self
            .0
            .iter()
            .map(|(backend, [tools, resources, templates, prompts])| Offered {
                backend,
                tools: tools.as_ref(),
                resources: resources.as_ref(),
                templates: templates.as_ref(),
                prompts: prompts.as_ref(),
            })
            .collect();
        aggregate::merge(&Policy::default(), &offers)
    }
}

fn owner(merged: &Merged, facts: &[(String, Facts)], ask: &Ask<'_>) -> Option<Owner> {
    match ask.subject {
        Subject::Tool => merged.owner(List::Tools, &ask.name),
        Subject::Prompt | Subject::PromptArgument => merged.owner(List::Prompts, &ask.name),
        Subject::Resource | Subject::TemplateVariable | Subject::Subscription | Subject::EndOfSubscription => {
            merged.resource(&ask.name)
        }
        Subject::Extension => {
            let backend = &facts.iter().find(|(_, facts)| has_own(facts))?.0;
            Some(Owner { backend: backend.as_str().into(), original: ask.name.to_string() })
        }
        Subject::Task(_) => None,
    }
}

fn response_text(response: &gateway::Response) -> String {
    let headers: Vec<_> = response.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    format!("\nrespond {}\n{}", response.status, details(&headers, &response.body))
}
