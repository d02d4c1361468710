//! Backends that do not answer as they should, by both transports: a call and a list end, in time, with what was wrong, and
//! the next request to the same backend is answered.
//!
//! What clients of the gateway are told of it is tried in `serve`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use vmcp_core::mcp::Era;
use vmcp_core::mcp::client::{Answer, Call, CallError, Declared, Exchange, Goal, Limits, List, Settings, Start};
use vmcp_native::transport::{Cancel, Patience, Said, TransportOptions};

use crate::transport::{Kind, Server, Stream, Then, Transport, backend, legacy, on, on_both, options, say};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(150);
/// Bytes of an answer that are read.
const LIMIT: u64 = 1 << 20;

const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

/// What of it is waited for a short time only.
#[derive(Clone, Copy)]
enum Waits {
    Long,
    /// For silence to end.
    Silence,
    /// For a message, while something comes.
    Drip,
}

/// What a backend writes in place of an answer.
struct Fault {
    what: &'static str,
    waits: Waits,
    /// Is given the id of the request, and the response that would be right.
    writes: fn(&mut dyn Stream, &str, &str) -> Then,
    /// What comes of it: nothing is wrong, or this.
    comes: Result<(), &'static str>,
}

fn document(response: &str) -> String {
    format!("{JSON}content-length: {}\r\n\r\n{response}", response.len())
}

/// Says this for ever, so fast; until the client is gone.
fn for_ever(stream: &mut dyn Stream, text: &str, pause: Duration) -> Then {
    while stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).is_ok() {
        std::thread::sleep(pause);
    }
    Then::Break
}

/// Says nothing more, until the client is gone.
fn silence(stream: &mut dyn Stream) -> Then {
    let _ = stream.read(&mut [0]);
    Then::Break
}

const NOTE: &str = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"on\"}}\n\n";
const OTHER: &str = r#"{"jsonrpc":"2.0","id":987654321,"result":{"tools":[]}}"#;
const LATE: &str = "no answer came: the call took more than 150ms; HOST:PORT had not answered";
const UNENDED: &str = "the answer broke off: the call took more than 150ms; the answer of HOST:PORT had not ended";
/// So long nothing is sent by a backend that drips.
const DISCOVERED: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}"#;
const MOMENT: Duration = Duration::from_millis(2);

fn faults() -> Vec<Fault> {
    let fault = |what, waits, writes, comes| Fault { what, waits, writes, comes };
    vec![
        fault(
            "closes before it answers",
            Waits::Long,
            |_, _, _| Then::Break,
            Err("no answer came: HOST:PORT closed the connection without an answer"),
        ),
        fault(
            "hangs before the head",
            Waits::Silence,
            |stream, _, _| silence(stream),
            Err("no answer came: HOST:PORT gave no answer for 150ms"),
        ),
        fault(
            "hangs in the head",
            Waits::Silence,
            |stream, _, _| {
                say(stream, "HTTP/1.1 200 OK\r\ncontent-ty");
                silence(stream)
            },
            Err("no answer came: HOST:PORT gave no answer for 150ms"),
        ),
        fault(
            "hangs after the head",
            Waits::Silence,
            |stream, _, _| {
                say(stream, &format!("{JSON}content-length: 100\r\n\r\n"));
                silence(stream)
            },
            Err("the answer broke off: HOST:PORT sent no more of its answer for 150ms"),
        ),
        fault(
            "hangs in an event",
            Waits::Silence,
            |stream, _, right| {
                say(stream, &format!("{STREAM}{NOTE}data: {}", &right[..right.len() / 2]));
                silence(stream)
            },
            Err("the answer broke off: HOST:PORT sent no more of its answer for 150ms"),
        ),
        fault(
            "is killed in a document",
            Waits::Long,
            |stream, _, right| {
                let whole = document(right);
                say(stream, &whole[..whole.len() - 9]);
                Then::Break
            },
            Err("the answer broke off: HOST:PORT closed the connection after 50 bytes of its answer, before its end"),
        ),
        fault(
            "is killed in an event",
            Waits::Long,
            |stream, _, right| {
                say(stream, &format!("{STREAM}{NOTE}data: {right}\n"));
                Then::Break
            },
            Err("the stream ended before the response to request 2"),
        ),
        fault(
            "sends garbage",
            Waits::Long,
            |stream, _, _| {
                say(stream, "\0\u{ff}\u{fe} nonsense\r\n\r\n");
                Then::Break
            },
            Err("no answer came: the answer of HOST:PORT is not HTTP/1.1: http parse fail: invalid HTTP version"),
        ),
        fault(
            "sends garbage as JSON",
            Waits::Long,
            |stream, _, _| {
                say(stream, &document("{\"jsonrpc\":\"2.0\",\"id\":"));
                Then::Next
            },
            Err("the answer is no JSON-RPC message: it ends in the middle of its JSON, at line 1 column 22"),
        ),
        fault(
            "sends garbage as an event",
            Waits::Long,
            |stream, _, _| {
                say(stream, &format!("{STREAM}data: nonsense\n\n"));
                Then::Break
            },
            Err("the answer is no JSON-RPC message: it is not JSON at line 1 column 2"),
        ),
        fault(
            "sends a gigantic header",
            Waits::Long,
            |stream, _, _| {
                say(stream, &format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(1 << 20)));
                Then::Break
            },
            Err("no answer came: the answer of HOST:PORT has a head of more than 65536 bytes, all that are read"),
        ),
        fault(
            "sends too many headers",
            Waits::Long,
            |stream, _, right| {
                let many = "x-y: z\r\n".repeat(200);
                say(stream, &format!("{JSON}{many}content-length: {}\r\n\r\n{right}", right.len()));
                Then::Next
            },
            Err("no answer came: the answer of HOST:PORT has more than 128 header lines, all that are read"),
        ),
        fault(
            "sends headers for ever",
            Waits::Long,
            |stream, _, _| {
                say(stream, JSON);
                for_ever(stream, "x-y: zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\r\n", Duration::ZERO)
            },
            Err("no answer came: the answer of HOST:PORT has more than 128 header lines, all that are read"),
        ),
        fault(
            "drips comments for ever",
            Waits::Drip,
            |stream, _, _| {
                say(stream, STREAM);
                for_ever(stream, ": keep-alive\n\n", MOMENT)
            },
            Err("the answer broke off: no message came for 150ms, and less than 16384 bytes a second"),
        ),
        fault(
            "drips its answer",
            Waits::Drip,
            |stream, _, _| {
                say(stream, &format!("{STREAM}data: "));
                for_ever(stream, "x", MOMENT)
            },
            Err("the answer broke off: no message came for 150ms, and less than 16384 bytes a second"),
        ),
        fault(
            "drips empty events for ever",
            Waits::Drip,
            |stream, _, _| {
                say(stream, STREAM);
                for_ever(stream, "event: ping\ndata: {}\n\nid: 1\ndata\n\n", MOMENT)
            },
            Err("the answer broke off: no message came for 150ms, and less than 16384 bytes a second"),
        ),
        fault(
            "pours comments for ever",
            Waits::Long,
            |stream, _, _| {
                say(stream, STREAM);
                for_ever(stream, &": nothing\n\n".repeat(1000), Duration::ZERO)
            },
            Err("the answer broke off: the answer of HOST:PORT has more than 1048576 bytes, all that are read"),
        ),
        fault(
            "pours events for ever",
            Waits::Long,
            |stream, _, _| {
                say(stream, STREAM);
                for_ever(stream, &NOTE.repeat(100), Duration::ZERO)
            },
            Err("the answer broke off: the answer of HOST:PORT has more than 1048576 bytes, all that are read"),
        ),
        fault(
            "pours one event for ever",
            Waits::Long,
            |stream, _, _| {
                say(stream, &format!("{STREAM}data: "));
                for_ever(stream, &"x".repeat(10_000), Duration::ZERO)
            },
            Err("the answer broke off: the answer of HOST:PORT has more than 1048576 bytes, all that are read"),
        ),
        fault(
            "answers somebody else",
            Waits::Long,
            |stream, _, _| {
                say(stream, &document(OTHER));
                Then::Next
            },
            Err("the answer is the response to another request; expected the response to request 2"),
        ),
        fault(
            "answers somebody else in a stream",
            Waits::Long,
            |stream, _, _| {
                say(stream, &format!("{STREAM}data: {OTHER}\n\n"));
                Then::Break
            },
            Err("the stream ended before the response to request 2"),
        ),
        fault(
            "answers somebody else first",
            Waits::Long,
            |stream, _, right| {
                say(stream, &format!("{STREAM}data: {OTHER}\n\ndata: {right}\n\n"));
                Then::Break
            },
            Ok(()),
        ),
        fault(
            "answers twice",
            Waits::Long,
            |stream, _, right| {
                say(stream, &format!("{STREAM}data: {right}\n\ndata: {right}\n\n"));
                Then::Break
            },
            Ok(()),
        ),
        fault(
            "answers byte by byte",
            Waits::Long,
            |stream, _, right| {
                for byte in document(right).into_bytes() {
                    if stream.write_all(&[byte]).and_then(|()| stream.flush()).is_err() {
                        return Then::Break;
                    }
                }
                Then::Next
            },
            Ok(()),
        ),
    ]
}

on_both!(whatever_a_backend_does_a_request_ends_with_what_was_wrong_and_the_next_is_answered);
fn whatever_a_backend_does_a_request_ends_with_what_was_wrong_and_the_next_is_answered() {
    let mut wrong = String::new();
    for fault in faults() {
        let call = Call::new("tools/call", Some(r#"{"name":"x"}"#.to_owned()));
        let goals = [(Goal::Call(call), "tools/call"), (Goal::List(List::Tools), "tools/list")];
        let eras = [Era::Legacy, Era::Modern];
        for ((goal, method), era) in goals.iter().flat_map(|goal| eras.map(|era| (goal.clone(), era))) {
            // A list has its time as a whole.
            let comes = fault.comes.map_err(|text| match (fault.waits, method) {
                (Waits::Silence, "tools/list") if text.starts_with("no answer") => LATE,
                (Waits::Silence, "tools/list") => UNENDED,
                _ => text,
            });
            let expected = comes.map_err(|text| format!("{method}: {text}"));
            let is_well = Arc::new(AtomicBool::new(false));
            let (well, writes) = (Arc::clone(&is_well), fault.writes);
            let server = Server::new(None, move |stream, head, body| {
                let message: Value = serde_json::from_str(body).unwrap_or_default();
                let (id, method) = (message["id"].to_string(), message["method"].as_str().unwrap_or_default());
                if method == "server/discover" && era == Era::Modern {
                    say(stream, &document(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{DISCOVERED}}}"#)));
                    return Then::Next;
                }
                if !matches!(method, "tools/call" | "tools/list") {
                    // What withdraws a call too.
                    return match method.starts_with("notifications/") {
                        true => legacy(stream, head, &body.replace(method, "notifications/initialized")),
                        false => legacy(stream, head, body),
                    };
                }
                let right = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"tools":[],"content":[]}}}}"#);
                match well.load(Ordering::SeqCst) {
                    true => say(stream, &document(&right)),
                    false => return writes(stream, &id, &right),
                }
                Then::Next
            });
            let backend = backend(&format!("http://{}/mcp", server.address), None, "");
            let options = TransportOptions { body_limit: LIMIT, ..options() };
            let transport = Transport::new(&backend, &options).unwrap();
            let settings = Arc::new(Settings { declared: Declared::new("test", "1"), limits: Limits::default() });
            let all = Patience { drip: LONG, ..Patience::of(LONG) };
            let patience = match fault.waits {
                Waits::Long => all,
                Waits::Silence => Patience { call: SHORT, list: SHORT, ..all },
                Waits::Drip => Patience { drip: SHORT, ..all },
            };
            let mut start = match era {
                Era::Legacy => Start::Remembered(Era::Legacy),
                Era::Modern => Start::Unknown,
            };
            let mut run = |number, patience: &Patience| {
                let exchange = Exchange::new(goal.clone(), start.clone(), number, Arc::clone(&settings));
                transport.run(exchange, patience, &Cancel::new(), |said| {
                    if let Said::Learned(standing) = said {
                        start = Start::Standing(standing);
                    }
                })
            };
            let came = came(run(0, &patience), &server);
            if came != expected {
                wrong += &format!("{}, {era:?}, {method}\n  expected {expected:?}\n  came     {came:?}\n", fault.what);
            }
            is_well.store(true, Ordering::SeqCst);
            let next = run(1, &all);
            assert!(
                matches!(next, Ok(Answer::Reply(_) | Answer::Listed(_))),
                "after one that {}: {next:?}",
                fault.what
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What came of it: its error and the causes of that.
fn came(result: Result<Answer, CallError>, server: &Server) -> Result<(), String> {
    let error = match result {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        text += &format!(": {next}");
        cause = next.source();
    }
    Err(text.replace(&server.address.to_string(), "HOST:PORT"))
}
