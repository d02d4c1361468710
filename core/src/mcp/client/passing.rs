//! A long response passed on while it arrives: its JSON is validated, the id becomes the caller's, the result is made what
//! its caller can read, and every other byte is the backend's.
//!
//! It begins only when enough has come to know that nothing in the result is to be changed or acted on later. What turns out
//! otherwise after that is an error: what was passed on must be broken off.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::error::Problem;
use super::remake::{Fate, Noted, Remake};
use crate::mcp::jsonrpc::{Fault, Id};
use crate::mcp::{Era, json};
use json::scan::{Mark, Scan, Utf8};

/// A longer key is none that is known here, however it is spelt.
const KEY_BYTES: usize = 256;

/// How a long response to a call is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passing {
    /// The id (JSON) that it gets.
    pub id: String,
    /// Bytes of a message that have to be there; what is shorter is collected.
    pub from: usize,
    /// What a complete result holds and no other.
    pub content: Content,
    /// What becomes of the result of a backend with sessions.
    pub of_legacy: Remake,
    /// What becomes of the result of a backend without; with [`Remake::Nothing`] it is collected.
    pub of_modern: Remake,
}

/// The members that tell a complete result from one that asks for input or is a task (2026-07-28, basic/index, ResultType):
/// such a result has none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Of a tool: `content`, `structuredContent`.
    OfTool,
    /// Of a resource: `contents`.
    OfResource,
    /// Of a prompt: `messages`.
    OfPrompt,
}

impl Content {
    fn members(self) -> &'static [&'static str] {
        match self {
            Self::OfTool => &["content", "structuredContent"],
            Self::OfResource => &["contents"],
            Self::OfPrompt => &["messages"],
        }
    }
}

/// What came of a look at the beginning of a message.
#[derive(Debug)]
pub(super) enum Begun {
    /// This is passed on, and so is what follows.
    Yes(Box<Passage>, Vec<u8>),
    /// More of it may tell.
    NotYet,
    /// It is collected.
    Never,
}

/// A response on its way.
#[derive(Clone, Debug)]
pub(super) struct Passage {
    due: u64,
    id: String,
    content: Content,
    remake: Remake,
    /// How the backend speaks.
    era: Era,
    scan: Scan,
    utf8: Utf8,
    noted: Noted,
    level: Level,
    member: Member,
    /// Where the bytes go that are read now.
    sink: Sink,
    /// Bytes that wait for what becomes of them, and where in them the key begins and ends.
    held: Vec<u8>,
    key: (usize, usize),
    seen: Seen,
}

/// Whose members are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Message,
    Result,
}

/// The member that is read, and what it is to whoever reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Version,
    Id,
    Result,
    Error,
    /// Of the result.
    Type,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sink {
    Out,
    Held,
    Gone,
}

/// What a message has had.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    version: Times,
    id: Times,
    result: Times,
    error: Times,
    /// The result is a complete one.
    complete: Times,
    /// The end of the result.
    end: Times,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Times {
    #[default]
    Never,
    Once,
}

impl Times {
    /// Once more; the fault is that of a member that stands there twice.
    fn again(&mut self, name: &'static str) -> Result<(), Problem> {
        match core::mem::replace(self, Self::Once) {
            Self::Never => Ok(()),
            Self::Once => Err(malformed(Fault::Duplicate(name))),
        }
    }
}

impl Passage {
    /// Looks at the beginning of a message that may be the response to request `due`.
    pub(super) fn begin(passing: &Passing, due: u64, era: Era, bytes: &[u8]) -> Begun {
        let remake = if era == Era::Legacy { &passing.of_legacy } else { &passing.of_modern };
        let mut passage = Self {
            due,
            id: passing.id.clone(),
            content: passing.content,
            remake: remake.clone(),
            era,
            scan: Scan::new(),
            utf8: Utf8::default(),
            noted: Noted::default(),
            level: Level::Message,
            member: Member::Other,
            sink: Sink::Out,
            held: Vec::new(),
            key: (0, 0),
            seen: Seen::default(),
        };
        let unseen = era == Era::Modern && *remake == Remake::Nothing;
        if unseen || bytes.trim_ascii_start().first() != Some(&b'{') {
            return Begun::Never;
        }
        let mut out = Vec::with_capacity(bytes.len() + 256);
        // What is wrong with it is said of the whole.
        if passage.take(bytes, &mut out).is_err() || passage.seen.error == Times::Once {
            return Begun::Never;
        }
        match (passage.seen.complete, passage.seen.end) {
            (Times::Once, Times::Never) => Begun::Yes(Box::new(passage), out),
            // What comes now is no part of it.
            (_, Times::Once) => Begun::Never,
            (Times::Never, Times::Never) => Begun::NotYet,
        }
    }

    /// Takes the next bytes of the message, and appends what is passed on of them.
    pub(super) fn take(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
        self.utf8.take(bytes).map_err(|at| malformed(Fault::NotUtf8(at)))?;
        while !bytes.is_empty() {
            let (taken, mark) = self.scan.next(bytes).map_err(|stop| {
                let json::Stop { line, column } = stop;
                malformed(Fault::NotJson { line, column })
            })?;
            let (now, rest) = bytes.split_at_checked(taken).unwrap_or((bytes, &[]));
            match self.sink {
                Sink::Out => out.extend_from_slice(now),
                Sink::Held => self.held.extend_from_slice(now),
                Sink::Gone => {}
            }
            bytes = rest;
            match mark {
                Some(mark) => self.mark(mark, out)?,
                None if self.held.len() > KEY_BYTES + self.key.0 && self.key.1 == 0 => self.unknown(out),
                None => {}
            }
        }
        Ok(())
    }

    /// Nothing follows.
    pub(super) fn end(&self) -> Result<(), Problem> {
        if !self.scan.is_whole() {
            let json::Stop { line, column } = self.scan.place();
            return Err(malformed(Fault::CutShort { line, column }));
        }
        match (self.seen.version, self.seen.id) {
            (Times::Never, _) => Err(malformed(Fault::Version("missing"))),
            (_, Times::Never) => Err(malformed(Fault::ResultWithoutId)),
            _ => Ok(()),
        }
    }

    fn mark(&mut self, mark: Mark, out: &mut Vec<u8>) -> Result<(), Problem> {
        match (mark, self.level) {
            (Mark::Key, _) => {
                // What separates members of a message belongs to the second; those of a result are separated anew.
                if self.level == Level::Result {
                    self.held.clear();
                }
                self.key = (self.held.len(), 0);
                self.sink = Sink::Held;
            }
            (Mark::KeyEnd, _) if self.sink != Sink::Held => {}
            (Mark::KeyEnd, Level::Message) => {
                self.key.1 = self.held.len();
                self.member = self.of_message()?;
                if self.member != Member::Error {
                    self.release(out);
                }
            }
            (Mark::KeyEnd, Level::Result) => {
                self.key.1 = self.held.len();
                self.member = if self.key_is("resultType") { Member::Type } else { Member::Other };
                if self.content.members().iter().any(|name| self.key_is(name)) {
                    self.seen.complete = Times::Once;
                }
            }
            (Mark::Value(first), Level::Message) => match self.member {
                Member::Version | Member::Id => self.sink = Sink::Held,
                Member::Result if first == b'{' => {
                    if self.era == Era::Legacy {
                        self.seen.complete = Times::Once;
                    }
                    if self.remake != Remake::Nothing {
                        (self.level, self.scan.watched) = (Level::Result, 2);
                        self.sink = Sink::Gone;
                        out.push(b'{');
                    }
                }
                // No result is anything else.
                Member::Result => return Err(malformed(Fault::Shapeless)),
                Member::Error | Member::Type | Member::Other => {}
            },
            (Mark::Value(first), Level::Result) => self.begin_value(first, out),
            (Mark::ValueEnd, Level::Message) => {
                self.end_of_message(out)?;
                // What follows may belong to a member that goes.
                self.held.clear();
                self.sink = Sink::Held;
            }
            (Mark::ValueEnd, Level::Result) => self.end_of_result(out)?,
            (Mark::Close, Level::Message) => self.release(out),
            (Mark::Close, Level::Result) => {
                out.extend_from_slice(self.remake.end(&mut self.noted).as_bytes());
                self.held.clear();
                (self.sink, self.level, self.member) = (Sink::Out, Level::Message, Member::Result);
                self.scan.watched = 1;
            }
        }
        Ok(())
    }

    /// The member of the message whose key has just been read.
    fn of_message(&mut self) -> Result<Member, Problem> {
        Ok(if self.key_is("jsonrpc") {
            self.seen.version.again("jsonrpc")?;
            Member::Version
        } else if self.key_is("id") {
            self.seen.id.again("id")?;
            Member::Id
        } else if self.key_is("result") {
            self.seen.result.again("result")?;
            Member::Result
        } else if self.key_is("error") {
            self.seen.error.again("error")?;
            Member::Error
        } else if self.key_is("method") {
            return Err(malformed(Fault::Ambiguous));
        } else {
            Member::Other
        })
    }

    fn end_of_message(&mut self, out: &mut Vec<u8>) -> Result<(), Problem> {
        let value = core::str::from_utf8(&self.held).unwrap_or_default();
        match self.member {
            Member::Version if !json::says(value, "2.0") => {
                let kind = json::kind(value);
                return Err(malformed(Fault::Version(if kind == "a string" { "another string" } else { kind })));
            }
            Member::Version => out.extend_from_slice(&self.held),
            Member::Id if !Id::read(value).is_some_and(|id| id.is_number(self.due)) => {
                let (found, id) = ("the response to another request", self.due);
                return Err(Problem::NotTheResponse { found, id });
            }
            Member::Id => out.extend_from_slice(self.id.as_bytes()),
            // Libraries that know JSON-RPC 1.0 write both (as in `jsonrpc::without_null_outcome`).
            Member::Error if value.ends_with("null") => {}
            Member::Error => return Err(malformed(Fault::Ambiguous)),
            Member::Result => self.seen.end = Times::Once,
            Member::Type | Member::Other => {}
        }
        Ok(())
    }

    fn begin_value(&mut self, first: u8, out: &mut Vec<u8>) {
        if self.sink != Sink::Held {
            return;
        }
        let key = self.held.get(self.key.0..self.key.1).and_then(|key| core::str::from_utf8(key).ok());
        match self.remake.fate(&mut self.noted, key.unwrap_or_default(), first) {
            // First it is to be seen what it says.
            _ if self.member == Member::Type => {}
            Fate::Passes => {
                out.extend_from_slice(self.noted.separator().as_bytes());
                self.release(out);
            }
            Fate::Goes => self.sink = Sink::Gone,
            Fate::Held => {}
        }
    }

    fn end_of_result(&mut self, out: &mut Vec<u8>) -> Result<(), Problem> {
        let sink = core::mem::replace(&mut self.sink, Sink::Gone);
        if sink != Sink::Held {
            return Ok(());
        }
        let held = core::mem::take(&mut self.held);
        let text = core::str::from_utf8(&held).unwrap_or_default();
        let (key, value) = text.split_at_checked(self.key.1).unwrap_or_default();
        let value = value.trim_ascii_start().strip_prefix(':').unwrap_or_default().trim_ascii_start();
        let member = json::Member { key, value, text };
        let written = match self.member {
            Member::Type => {
                if self.era == Era::Modern && !json::says(member.value, "complete") {
                    return Err(Problem::LateType);
                }
                self.seen.complete = Times::Once;
                self.remake.fate(&mut self.noted, member.key, b'"') == Fate::Passes
            }
            _ => self.remake.held(&mut self.noted, &member),
        };
        if written {
            out.extend_from_slice(self.noted.separator().as_bytes());
            out.extend_from_slice(&held);
        }
        Ok(())
    }

    /// The key that is being read is none that is known.
    fn unknown(&mut self, out: &mut Vec<u8>) {
        self.member = Member::Other;
        if self.level == Level::Result {
            out.extend_from_slice(self.noted.separator().as_bytes());
        }
        self.release(out);
    }

    /// What was held goes out, and so does what follows.
    fn release(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
        self.sink = Sink::Out;
    }

    fn key_is(&self, name: &str) -> bool {
        let key = self.held.get(self.key.0..self.key.1).and_then(|key| core::str::from_utf8(key).ok());
        key.is_some_and(|key| json::says(key, name))
    }
}

fn malformed(fault: Fault) -> Problem {
    Problem::Malformed { fault }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString as _;
    use alloc::sync::Arc;
    use alloc::vec;

    use super::super::freshness::Freshness;
    use super::super::remake::Cached;
    use super::super::*;
    use super::*;
    use crate::mcp::http::{self, Failure, Head};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// How a backend answers.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum By {
        Json,
        /// An event on each of whose lines stands one of the text.
        Event,
    }

    #[derive(Clone, Copy, Debug)]
    enum Cut {
        Once(usize),
        Every(usize),
    }

    /// Passed on from so many bytes on.
    fn passing(remake: &Remake, from: usize) -> Arc<Passing> {
        let (content, id) = (Content::OfTool, "\"c\"".to_string());
        Arc::new(Passing { id, from, content, of_legacy: remake.clone(), of_modern: remake.clone() })
    }

    fn calling(era: Era, passing: Option<Arc<Passing>>, limit: usize) -> Exchange {
        let standing = match era {
            Era::Modern => Standing::Modern(Modern { facts: None }),
            Era::Legacy => Standing::Legacy(Legacy {
                revision: Revision::LATEST_LEGACY,
                session: None,
                facts: Facts::default(),
                certainty: Certainty::Proven,
            }),
        };
        let limits = Limits { answer_bytes: limit, ..Limits::default() };
        let settings = Arc::new(Settings { declared: Declared::new("t", "1"), limits });
        let call = Call { passing, ..Call::new("tools/call", None) };
        let mut exchange = Exchange::new(Goal::Call(call), Start::Standing(Arc::new(standing)), 0, settings);
        assert!(matches!(exchange.poll(), Some(Output::Send { .. })));
        exchange
    }

    /// What comes of an answer, cut every so many bytes: the end, and what was passed on before.
    fn answered(exchange: Exchange, by: By, text: &str, portion: usize) -> (Result<Answer, CallError>, String) {
        cut(exchange, by, text, Cut::Every(portion))
    }

    fn cut(mut exchange: Exchange, by: By, text: &str, cut: Cut) -> (Result<Answer, CallError>, String) {
        let (kind, body) = match by {
            By::Json => (http::JSON, text.to_string()),
            By::Event => (http::EVENT_STREAM, format!("id: 1\ndata: {}\n\n", text.replace('\n', "\ndata: "))),
        };
        let headers = vec![("content-type".to_string(), kind.to_string())];
        exchange.handle(Input::Head(Head { status: 200, headers }));
        let (before, after) = match cut {
            Cut::Once(at) => body.as_bytes().split_at(at.min(body.len())),
            Cut::Every(_) => (body.as_bytes(), [].as_slice()),
        };
        let size = if let Cut::Every(size) = cut { size } else { usize::MAX };
        for part in before.chunks(size).chain(after.chunks(size)) {
            exchange.handle(Input::Body(part));
        }
        exchange.handle(Input::End);
        let mut passed = Vec::new();
        loop {
            match exchange.poll() {
                Some(Output::Part(part)) => passed.extend(part),
                Some(Output::Done(end)) => return (end, String::from_utf8(passed).unwrap()),
                Some(Output::Pause(_) | Output::Event(_)) => {}
                // A call that was passed on is never asked for anew.
                Some(Output::Send { .. }) => {
                    assert!(passed.is_empty());
                    return (
                        Err(CallError { method: String::new(), problem: Problem::Empty, ran: Ran::Maybe }),
                        String::new(),
                    );
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn remakes() -> [Remake; 5] {
        let modern = |cached| Remake::ForModern { server: r#"{"name":"g"}"#.to_string(), cached };
        let cached = [Cached::No, Cached::AsSaid, Cached::For(Freshness::STALE)].map(modern);
        let [a, b, c] = cached;
        [Remake::Nothing, Remake::ForLegacy, a, b, c]
    }

    /// Each way to answer: how the backend speaks, and what becomes of its result.
    fn ways() -> impl Iterator<Item = (Era, Remake, By)> {
        let all = remakes().into_iter().flat_map(|remake| [Era::Legacy, Era::Modern].map(|era| (era, remake.clone())));
        all.flat_map(|(era, remake)| [By::Json, By::Event].map(|by| (era, remake.clone(), by)))
    }

    /// Whole or in parts, cut anywhere, the same is said; and what is an error whole is one in parts.
    fn same(text: &str) -> usize {
        let mut passed = 0;
        for (era, remake, by) in ways() {
            let (whole, _) = answered(calling(era, None, 1000), by, text, text.len());
            let complete = |reply: &Reply| era == Era::Legacy || reply.result_type().as_deref() == Some("complete");
            let once = (0..text.len() + 20).map(|at| (1, Cut::Once(at)));
            for (from, place) in once.chain([1, 3, 20, 55].map(|from| (from, Cut::Every(1)))) {
                let at = format!("{text} by {by:?} of {era:?} for {remake:?} from {from} cut {place:?}");
                let (end, parts) = cut(calling(era, Some(passing(&remake, from)), 1000), by, text, place);
                match (&whole, end) {
                    (Ok(Answer::Reply(reply)), Ok(Answer::Reply(again))) => {
                        assert_eq!((&again, parts.as_str()), (reply, ""), "{at}");
                    }
                    (Ok(Answer::Reply(reply)), Ok(Answer::Passed)) => {
                        let expected = match remake {
                            Remake::Nothing => reply.with_id("\"c\""),
                            _ => reply.remade("\"c\"", &remake),
                        };
                        assert_eq!(parts, expected, "{at}");
                        assert!(complete(reply), "{at}");
                        passed += 1;
                    }
                    // It has content and is of another type: no server means that.
                    (Ok(Answer::Reply(reply)), Err(error)) => {
                        assert_eq!((error.problem, complete(reply)), (Problem::LateType, false), "{at}");
                    }
                    (Err(_), Err(_)) => {}
                    (whole, end) => panic!("{whole:?} and {end:?}: {at}"),
                }
            }
        }
        passed
    }

    /// Bytes of a message up to within its result.
    fn within(text: &str) -> usize {
        text.find("content").unwrap() + 10
    }

    const RESULTS: [&str; 8] = [
        r#"{"resultType":"complete","content":[{"type":"text","text":"é\n\"{}€"}],"structuredContent":{"a":[1,-2.5e3]}}"#,
        r#"{ "content" : [ ] , "_meta" : {"io.modelcontextprotocol/serverInfo":1,"x": 2} , "resultType" : "complete" }"#,
        r#"{"content":[],"structuredContent":[1],"ttlMs":5,"cacheScope":"public","_meta":{"x":1}}"#,
        r#"{"_meta":{"x":{"resultType":1}},"cont\u0065nt":[],"isError":false,"ttlMs":1.0}"#,
        "{\"content\":[\n {\n \"a\": true\n }\n],\n\"more\": null\n}",
        r#"{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"}},"requestState":"s"}"#,
        r#"{"content":[],"resultType":"task","taskId":"t"}"#,
        r#"{}"#,
    ];

    #[test]
    fn cut_anywhere_the_same_is_said_as_whole() {
        for result in RESULTS {
            let mut passed = 0;
            for text in [
                format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#),
                format!(
                    " {{ \"result\" : {result} ,\n \"jsonrpc\" : \"2.0\" , \"x\":[{{\"result\":1}}], \"id\" : 1 }} "
                ),
                format!(r#"{{"x":{{"id":7}},"\u0069d":1.0,"jsonrpc":"2.0","result":{result},"y":"z"}}"#),
            ] {
                passed += same(&text);
            }
            let never = ["input_required", "{}"].iter().any(|kind| *kind == result || result.contains(kind));
            assert!(passed > 0 || never, "{result}");
        }
    }

    #[test]
    fn what_is_no_response_whole_is_none_in_parts() {
        let result = r#"{"content":["x"],"n":1}"#;
        for text in [
            format!(r#"{{"jsonrpc":"2.0","id":2,"result":{result}}}"#),
            format!(r#"{{"result":{result},"jsonrpc":"2.0","id":2}}"#),
            format!(r#"{{"result":{result},"jsonrpc":"2.0","id":"1"}}"#),
            format!(r#"{{"result":{result},"jsonrpc":"2.0"}}"#),
            format!(r#"{{"result":{result},"id":1}}"#),
            format!(r#"{{"result":{result},"id":1,"jsonrpc":"1.0"}}"#),
            format!(r#"{{"result":{result},"id":1,"jsonrpc":2.0}}"#),
            format!(r#"{{"result":{result},"id":1,"id":1,"jsonrpc":"2.0"}}"#),
            format!(r#"{{"result":{result},"id":1,"jsonrpc":"2.0","result":{result}}}"#),
            format!(r#"{{"result":{result},"id":1,"jsonrpc":"2.0","error":{{"code":1}}}}"#),
            format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result},"method":"m"}}"#),
            format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}}}"#),
            format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result},}}"#),
            format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result} "x":1}}"#),
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":["\x"]}}"#.to_string(),
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[\"\t\"]}}".to_string(),
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"content"}}"#.to_string(),
            r#"{"jsonrpc":"2.0","id":1,"result":["content"]}"#.to_string(),
            r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"result":{"content":[]}}}"#.to_string(),
            format!(r#"[{{"jsonrpc":"2.0","id":1,"result":{result}}}]"#),
        ] {
            same(&text);
        }
    }

    #[test]
    fn an_answer_cut_short_is_never_taken_for_whole() {
        let text = format!(r#"{{"result":{},"jsonrpc":"2.0","id":1}}"#, RESULTS[0]);
        for cut in 1..text.len() {
            let Some(text) = text.get(..cut) else { continue };
            for (era, remake, by) in ways() {
                let (end, _) = answered(calling(era, Some(passing(&remake, 30)), 1000), by, text, 3);
                assert!(end.is_err(), "{text} by {by:?}: {end:?}");
            }
        }
    }

    #[test]
    fn a_null_error_beside_a_result_is_left_out() {
        for (text, expected) in [
            (
                r#"{"result":{"content":[]},"error":null,"jsonrpc":"2.0","id":1}"#,
                r#"{"result":{"content":[]},"jsonrpc":"2.0","id":"c"}"#,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]} , "error" : null }"#,
                r#"{"jsonrpc":"2.0","id":"c","result":{"content":[]} }"#,
            ),
        ] {
            let exchange = calling(Era::Legacy, Some(passing(&Remake::Nothing, within(text))), 1000);
            assert_eq!(answered(exchange, By::Json, text, 1), (Ok(Answer::Passed), expected.to_string()));
        }
    }

    #[test]
    fn what_breaks_off_says_why() {
        let ends = |era, by, text: &str, limit| {
            let (end, passed) =
                answered(calling(era, Some(passing(&Remake::Nothing, within(text))), limit), by, text, 1);
            assert!(!passed.is_empty() || era == Era::Modern, "{text}");
            let error = end.unwrap_err();
            assert_eq!(error.ran, Ran::Maybe);
            let cause = core::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{error}{cause}")
        };
        let long = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":["{}"]}}}}"#, "x".repeat(100));
        for by in [By::Json, By::Event] {
            assert_eq!(ends(Era::Legacy, by, &long, 100), "tools/call: the answer has more than 100 bytes");
        }
        let garbage = "{\"jsonrpc\":\"2.0\",\n\"id\":1,\"result\":{\"content\":[nonsense]}}";
        assert_eq!(
            ends(Era::Legacy, By::Json, garbage, 1000),
            "tools/call: the answer is no JSON-RPC message: it is not JSON at line 2 column 30"
        );
        let short = r#"{"jsonrpc":"2.0","id":1,"result":{"content":["#;
        assert_eq!(
            ends(Era::Legacy, By::Json, short, 1000),
            "tools/call: the answer is no JSON-RPC message: it ends in the middle of its JSON, at line 1 column 46"
        );
        let other = r#"{"result":{"content":[]},"jsonrpc":"2.0","id":2}"#;
        assert_eq!(
            ends(Era::Legacy, By::Json, other, 1000),
            "tools/call: the answer is the response to another request; expected the response to request 1"
        );
        assert_eq!(
            Problem::LateType.to_string(),
            "the result has content, and behind it a type other than `complete`; expected one of the two"
        );
        let mut exchange = calling(Era::Legacy, Some(passing(&Remake::Nothing, 1)), 1000);
        let headers = vec![("content-type".to_string(), http::EVENT_STREAM.to_string())];
        exchange.handle(Input::Head(Head { status: 200, headers }));
        let (begin, rest) = long.split_at(90);
        exchange.handle(Input::Body(format!("data: {begin}").as_bytes()));
        exchange.handle(Input::Body(format!("{rest}\nevent: other\n\n").as_bytes()));
        let Some(Output::Part(_)) = exchange.poll() else { panic!("nothing is passed on") };
        let Some(Output::Part(_)) = exchange.poll() else { panic!("not all is passed on") };
        let Some(Output::Done(Err(error))) = exchange.poll() else { panic!("it does not end") };
        assert_eq!(error.problem, Problem::NotAMessage);
        assert_eq!(
            error.problem.to_string(),
            "the event that holds the response says behind its data that it is of another kind than `message`"
        );
    }

    #[test]
    fn a_stream_that_breaks_off_amid_is_not_asked_for_again() {
        let mut exchange = calling(Era::Legacy, Some(passing(&Remake::Nothing, 1)), 1000);
        let headers = vec![("content-type".to_string(), http::EVENT_STREAM.to_string())];
        exchange.handle(Input::Head(Head { status: 200, headers }));
        exchange.handle(Input::Body(b"id: 1\ndata: \n\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":["));
        assert!(matches!(exchange.poll(), Some(Output::Primed)));
        let Some(Output::Part(part)) = exchange.poll() else { panic!("nothing is passed on") };
        assert_eq!(part, b"{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"result\":{\"content\":[");
        let failure = Failure { stage: Stage::Body, sent: Sent::Maybe, message: String::new() };
        exchange.handle(Input::Failed(failure));
        let Some(Output::Done(Err(error))) = exchange.poll() else { panic!("it goes on") };
        assert_eq!((error.ran, error.class()), (Ran::Maybe, Class::Unreachable));
    }

    #[test]
    fn a_short_response_is_collected_and_a_key_may_be_long() {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[1,2,3]}}"#;
        let how = Passing { from: text.len() + 1, ..(*passing(&Remake::Nothing, 1)).clone() };
        let (end, passed) = answered(calling(Era::Legacy, Some(Arc::new(how)), 1000), By::Json, text, 1);
        assert!(matches!(end, Ok(Answer::Reply(_))) && passed.is_empty());
        let key = "k".repeat(3 * KEY_BYTES);
        let text =
            format!(r#"{{"{key}":1,"jsonrpc":"2.0","id":1,"result":{{"content":[],"{key}":2,"a":{{"{key}":3}}}}}}"#);
        for (era, remake, by) in ways().filter(|(era, remake, _)| *era == Era::Legacy || *remake != Remake::Nothing) {
            let (whole, _) = answered(calling(era, None, 9000), by, &text, text.len());
            let Ok(Answer::Reply(reply)) = whole else { panic!("{whole:?}") };
            let (end, passed) = answered(calling(era, Some(passing(&remake, 1)), 9000), by, &text, 1);
            assert_eq!((end, passed), (Ok(Answer::Passed), reply.remade("\"c\"", &remake)));
        }
    }
}
