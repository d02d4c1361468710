//! Every state of both machines has a transcript for everything that can come of it: the states, problems and turns are read
//! from the source of the core, so that a new one without a transcript fails here.
//!
//! What a transcript says is checked in `transcripts`, cut at every byte.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::transcripts::{Block, all_once};

/// What can come while an exchange waits.
const COMES: [&str; 13] = [
    "a result",
    "an error",
    "a stream with the answer",
    "a stream without it",
    "no JSON-RPC answer",
    "nothing but a status",
    "a refusal",
    "a refusal with an error",
    "trouble",
    "an answer that breaks off",
    "no connection",
    "silence",
    "the end of the caller's patience",
];

/// Problems that no exchange here finds: what makes credentials for a call fails before it, and no answer is passed on while
/// it arrives, which `mcp::client::passing` tries.
const NOT_HERE: [&str; 3] = ["NoCredentials", "LateType", "NotAMessage"];

#[derive(Default)]
struct Seen {
    cells: BTreeSet<(String, &'static str)>,
    problems: BTreeSet<String>,
    turns: BTreeSet<String>,
    replies: BTreeSet<String>,
}

thread_local! {
    static SEEN: RefCell<Seen> = RefCell::default();
}

/// An exchange, as `Debug` shows it, is given this.
pub(crate) fn note(exchange: &str, given: &Block) {
    let Some(comes) = kind(given) else { return };
    let of = |member: &str| {
        let rest = exchange.split_once(&format!(" {member}: ")).map_or("", |(_, rest)| rest);
        rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_owned()
    };
    let state = match (of("state").as_str(), of("goal").as_str()) {
        ("Calling", "List") => "Calling, for a list".to_owned(),
        (state, _) => state.to_owned(),
    };
    SEEN.with_borrow_mut(|seen| seen.cells.insert((state, comes)));
}

pub(crate) fn note_problem(problem: &str) {
    SEEN.with_borrow_mut(|seen| seen.problems.insert(name(problem)));
}

pub(crate) fn note_turn(turn: &str) {
    SEEN.with_borrow_mut(|seen| seen.turns.insert(name(turn)));
}

pub(crate) fn note_reply(reply: &str) {
    SEEN.with_borrow_mut(|seen| seen.replies.insert(reply.to_owned()));
}

fn name(shown: &str) -> String {
    shown.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// `None` for what goes on with the one before.
fn kind(given: &Block) -> Option<&'static str> {
    match given.word() {
        "cancel" => return Some("the end of the caller's patience"),
        "fail" if given.rest().starts_with("cancelled") => return Some("the end of the caller's patience"),
        "fail" if given.rest().contains(" nothing ") => return Some("no connection"),
        "fail" => return Some("silence"),
        "answer" => {}
        _ => return None,
    }
    if given.failure.is_some() {
        return Some("an answer that breaks off");
    }
    let status: u16 = given.rest().parse().unwrap();
    let header = |name: &str| given.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let is = |kind: &str| header("content-type").is_some_and(|value| value.starts_with(kind));
    let text = String::from_utf8_lossy(&given.body);
    let message: Value = serde_json::from_str(&text).unwrap_or_default();
    Some(match status {
        200..=299 if is("text/event-stream") && (text.contains("\"result\"") || text.contains("\"error\"")) => {
            "a stream with the answer"
        }
        200..=299 if is("text/event-stream") => "a stream without it",
        200..=299 if is("application/json") && message.get("result").is_some() => "a result",
        200..=299 if is("application/json") && message.get("error").is_some() => "an error",
        200..=299 if given.body.is_empty() => "nothing but a status",
        200..=299 => "no JSON-RPC answer",
        500..=599 => "trouble",
        _ if message.get("error").is_some() => "a refusal with an error",
        _ => "a refusal",
    })
}

/// The variants of an enum of the core, by its source.
fn variants(file: &str, of: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once(&format!("enum {of}")).unwrap();
    let (body, _) = rest.split_once("\n}").unwrap();
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase())).map(name);
    names.collect()
}

#[test]
fn every_state_has_a_transcript_for_everything_that_comes() {
    all_once();
    let seen = SEEN.take();
    let mut states = variants("mcp/client.rs", "State ");
    assert!(states.len() > 6, "{states:?}");
    // Nothing comes before the first request, and nothing matters after the end.
    states.retain(|state| state != "Start" && state != "Done");
    states.push("Calling, for a list".to_owned());
    let mut missing = Vec::new();
    for state in &states {
        for comes in COMES {
            if !seen.cells.contains(&(state.clone(), comes)) {
                missing.push(format!("{state}: {comes}"));
            }
        }
    }
    for (of, seen, all) in [
        ("a problem", &seen.problems, variants("mcp/client/error.rs", "Problem")),
        ("a turn", &seen.turns, variants("gateway.rs", "Turn")),
    ] {
        assert!(all.len() > 9, "{all:?}");
        let unseen = all.into_iter().filter(|one| !seen.contains(one) && !NOT_HERE.contains(&one.as_str()));
        missing.extend(unseen.map(|one| format!("{of}: {one}")));
    }
    let mut subjects = variants("gateway/asks.rs", "Subject");
    subjects.retain(|subject| subject != "Task");
    subjects.extend(variants("gateway/asks.rs", "OfTask").iter().map(|of| format!("Task({of})")));
    for subject in subjects {
        // What sessions alone have, and what only those have that stand alone; tasks are never bridged.
        let eras: &[&str] = match subject.as_str() {
            "Subscription" | "EndOfSubscription" | "Task(Result)" => &["Legacy -> Legacy"],
            "Task(Update)" => &["Modern -> Modern"],
            "Task(Get)" | "Task(Cancel)" => &["Legacy -> Legacy", "Modern -> Modern"],
            _ => &["Legacy -> Legacy", "Legacy -> Modern", "Modern -> Legacy", "Modern -> Modern"],
        };
        for eras in eras {
            for came in ["a result", "an error"] {
                let reply = format!("{subject}, {eras}: {came}");
                if !seen.replies.contains(&reply) {
                    missing.push(reply);
                }
            }
        }
    }
    assert!(missing.is_empty(), "without a transcript:\n{}", missing.join("\n"));
}
