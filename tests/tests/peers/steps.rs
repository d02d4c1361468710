//! Clients of the official SDKs do the same things at a server and through the gateway: what they are told, asked and
//! answered on the way must be the same, member by member.
//!
//! What a server says and what a client makes of it is theirs; nothing of it is written here but what must not be missing.

use std::ops::Range;
use std::thread;

use serde_json::{Value, json};
use vmcp_core::mcp::Era;
use vmcp_tests::Scratch;

use super::at::At;
use super::clients::{Client, Speaks, name};
use super::gateway::Gateway;
use super::inspector;

/// What a client may declare.
pub(crate) const CAPABILITIES: &[&str] = &["elicitation", "sampling", "roots"];

/// A client at the server, which is the reference, and one behind the gateway.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    direct: (Client, Speaks),
    through: (Client, Speaks),
}

impl Pair {
    /// The same client at both.
    pub(crate) const fn same(client: Client) -> Self {
        Self { direct: (client, Speaks::Newest), through: (client, Speaks::Newest) }
    }

    /// A client that speaks newer revisions with the gateway, and older ones with the server, which has no others where it is.
    pub(crate) const fn newer(client: Client) -> Self {
        Self { direct: (client, Speaks::Legacy), through: (client, Speaks::Newest) }
    }

    /// A client that speaks no newer revision, and as the reference one of the same SDK that can reach a server which speaks no
    /// older one.
    pub(crate) const fn older(client: Client) -> Self {
        let newer = match client {
            Client::Python1 => Client::Python2,
            Client::TypeScript1 => Client::TypeScript2,
            _ => client,
        };
        Self { direct: (newer, Speaks::Newest), through: (client, Speaks::Legacy) }
    }
}

impl At {
    /// What a client that speaks `era` does there.
    fn steps(self, era: Era, can: &[&str]) -> Vec<Value> {
        let mut steps = match self {
            _ if self.is_everything() => everything(era, can),
            _ => self.fixture(era),
        };
        steps.extend(KINDS.map(|kind| json!({"list": kind})));
        steps
    }

    fn fixture(self, era: Era) -> Vec<Value> {
        const WATCHED: &str = "test://watched-resource";
        let plain = [
            json!({"call": "test_multiple_content_types"}),
            json!({"call": "test_audio_content"}),
            json!({"call": "test_embedded_resource"}),
            json!({"call": "test_error_handling", "fails": true}),
            json!({"call": "test_tool_with_progress", "until": {"progress": 3}}),
            json!({"cancel": "wait_for_ever"}),
            json!({"call": "when_cancelled"}),
            json!({"prompt": "test_prompt_with_arguments", "arguments": {"arg1": "a", "arg2": "\u{e9}"}}),
            json!({"prompt": "test_prompt_with_image"}),
            json!({"prompt": "test_prompt_with_embedded_resource", "arguments": {"resourceUri": "test://x"}}),
            json!({"complete": {"ref": {"type": "ref/prompt", "name": "test_prompt_with_arguments"}, "argument": {"name": "arg1", "value": "par"}}}),
            json!({"read": "test://static-text"}),
            json!({"read": "test://static-binary"}),
            json!({"read": "test://template/7/data"}),
            json!({"read": "nowhere://at/all", "fails": true}),
        ];
        // It asks over a session what it is not made to ask in results alone.
        let asking = [
            json!({"call": "test_elicitation", "arguments": {"message": "m"}, "until": {"asked": 1}}),
            json!({"call": "test_elicitation_sep1330_enums", "until": {"asked": 1}}),
            json!({"call": "test_sampling", "arguments": {"prompt": "p"}, "until": {"asked": 1}}),
        ];
        let asking_in_results = [
            json!({"call": "test_input_required_result_elicitation", "until": {"asked": 1}}),
            json!({"call": "test_input_required_result_sampling", "until": {"asked": 1}}),
            json!({"call": "test_input_required_result_list_roots", "until": {"asked": 1}}),
            json!({"call": "test_input_required_result_multiple_inputs", "until": {"asked": 3}}),
            json!({"call": "test_input_required_result_multi_round", "until": {"asked": 2}}),
            json!({"call": "test_input_required_result_request_state", "until": {"asked": 1}}),
            json!({"prompt": "test_input_required_result_prompt", "until": {"asked": 1}}),
        ];
        let logging = [json!({"level": "debug"}), json!({"call": "test_tool_with_logging", "until": {"logged": 3}})];
        let updating = [
            json!({"subscribe": WATCHED}),
            json!({"call": "touch_watched", "until": {"updated": 1}}),
            json!({"unsubscribe": WATCHED}),
        ];
        let changing = [
            json!({"watch": ["tools", "prompts"]}),
            json!({"call": "test_trigger_tool_change", "until": {"changed": 1}}),
            json!({"call": "test_trigger_prompt_change", "until": {"changed": 1}}),
        ];
        let mut steps = plain.to_vec();
        // Python's older line has all tools that ask, and asks over the session; a server that speaks newer revisions alone asks
        // in results, as all do which can.
        match self {
            Self::Python1 | Self::Python1Sse | Self::TypeScript2Modern => {
                steps.extend(asking.into_iter().chain(asking_in_results));
            }
            Self::RustModern => steps.extend(asking_in_results),
            _ if self.only().unwrap_or(era) == Era::Legacy => steps.extend(asking),
            _ => steps.extend(asking_in_results),
        }
        steps.extend(logging);
        steps.extend(updating);
        // To who speaks older revisions it declares no changes of lists, so that nobody can listen for them; it tells all the
        // same.
        if !(self == Self::Python2Sse && era == Era::Modern) {
            steps.extend(changing);
        }
        steps
    }
}

fn everything(era: Era, can: &[&str]) -> Vec<Value> {
    const URI: &str = "demo://resource/static/document/features.md";
    // A moment after a session has begun it asks for roots, if it can, and says so: then that is over.
    let begun = match era {
        Era::Legacy if can.contains(&"roots") => json!({"asked": 1, "logged": 1}),
        _ => json!({}),
    };
    let mut steps = vec![
        json!({"call": "echo", "arguments": {"message": "\u{e9}"}, "until": begun}),
        json!({"call": "echo", "arguments": {}, "fails": true}),
        json!({"call": "get-annotated-message", "arguments": {"messageType": "error", "includeImage": true}}),
        json!({"call": "get-structured-content", "arguments": {"location": "New York"}}),
        json!({"call": "get-resource-links", "arguments": {"count": 3}}),
        json!({"call": "get-tiny-image"}),
        json!({"call": "trigger-long-running-operation", "arguments": {"duration": 0.3, "steps": 3}, "until": {"progress": 2}}),
        json!({"prompt": "args-prompt", "arguments": {"city": "Paris"}}),
        json!({"prompt": "args-prompt", "fails": true}),
        json!({"complete": {"ref": {"type": "ref/prompt", "name": "completable-prompt"}, "argument": {"name": "department", "value": "E"}}}),
        json!({"read": URI}),
        json!({"read": "nowhere://at/all", "fails": true}),
    ];
    // What it keeps in its sessions: those who have none cannot come back to it.
    if era == Era::Legacy {
        steps.extend([
            json!({"level": "debug"}),
            json!({"subscribe": URI, "until": {"logged": 1}}),
            json!({"call": "toggle-subscriber-updates", "until": {"updated": 1}}),
            json!({"call": "toggle-subscriber-updates"}),
            json!({"unsubscribe": URI, "until": {"logged": 1}}),
        ]);
    }
    // Tools that it has for those who can do what they need.
    let needing = [
        ("elicitation", json!({"call": "trigger-elicitation-request", "until": {"asked": 1}})),
        ("sampling", json!({"call": "trigger-sampling-request", "arguments": {"prompt": "p"}, "until": {"asked": 1}})),
    ];
    steps.extend(needing.into_iter().filter(|(needed, _)| can.contains(needed)).map(|(_, step)| step));
    if era == Era::Legacy && can.contains(&"roots") {
        steps.push(json!({"call": "get-roots-list"}));
    }
    steps
}

/// Lets every client that can go through its steps at the server and behind the gateway, and compares.
pub(crate) fn compare(at: At, pairs: &[Pair], can: &[&str]) {
    let scratch = Scratch::new();
    // One for the reference alone: what others change there would be heard too.
    let (_server, url) = at.start();
    let (_behind, behind) = at.start();
    let gateway = Gateway::bare(&scratch, &behind, at.transport());
    let mut differs = Vec::new();
    for pair in pairs {
        let newest = |(client, speaks): (Client, Speaks)| match speaks {
            Speaks::Newest => client.newest(),
            Speaks::Legacy => Some("2025-11-25".to_owned()),
        };
        let era = |revision: &str| if revision < "2026" { Era::Legacy } else { Era::Modern };
        let revision = newest(pair.through).unwrap();
        // Roots are asked for once a session has begun: there are none to begin for those who speak newer revisions alone.
        let without_roots = at.is_everything() && era(&revision) == Era::Modern;
        let can: Vec<&str> = can.iter().copied().filter(|can| !(without_roots && *can == "roots")).collect();
        let steps = at.steps(era(&revision), &can);
        let told = |(client, speaks): (Client, Speaks), url: &str| client.go(speaks, url, &steps, &can);
        // Each has a session of its own; side by side they take half the time.
        let (direct, through) = thread::scope(|scope| {
            let direct = scope.spawn(|| told(pair.direct, &url));
            let through = told(pair.through, &gateway.url());
            (direct.join().unwrap(), through)
        });
        assert_eq!(through["revision"], revision, "{pair:?} at {at:?}");
        // Over HTTP+SSE the TypeScript SDK 1 does not say.
        let revision = direct["revision"].as_str().unwrap_or_default().to_owned();
        if let Some(only) = at.only().filter(|_| !revision.is_empty()) {
            assert_eq!(era(&revision), only, "{pair:?} at {at:?}");
        }
        let crosses = era(&revision) != era(through["revision"].as_str().unwrap_or_default());
        let [direct, through] = [direct, through].map(|mut said| {
            leave_out_the_hop(&mut said);
            if crosses {
                leave_out_the_revision(&mut said);
            }
            let mut said: Vec<Value> = said["steps"].as_array_mut().map(std::mem::take).unwrap_or_default();
            if at.repeats() {
                leave_out_repetitions(&mut said);
            }
            for (step, said) in steps.iter().zip(&mut said) {
                leave_out_what_is_late(step, said);
            }
            said
        });
        assert_eq!((direct.len(), through.len()), (steps.len(), steps.len()));
        let found =
            steps.iter().zip(direct.iter().zip(&through)).filter(|(_, (direct, through))| direct != through).map(
                |(step, (direct, through))| format!("{pair:?}\n{step}\n  directly: {direct}\n  through:  {through}"),
            );
        differs.extend(found);
    }
    assert!(differs.is_empty(), "at {at:?}:\n{}", differs.join("\n"));
}

/// Lets every client list what comes in several pages from the server, and in several other ones from the gateway.
pub(crate) fn compare_pages(at: At, pairs: &[Pair]) {
    let scratch = Scratch::new();
    let (_server, url) = at.start();
    let gateway = Gateway::bare(&scratch, &url, "streamable-http");
    let steps = KINDS.map(|kind| json!({"list": kind}));
    for pair in pairs {
        let [direct, through] = [(pair.direct, &url), (pair.through, &gateway.url())].map(|((client, speaks), url)| {
            let mut said = client.go(speaks, url, &steps, &[]);
            let pages = |step: &Value| step["pages"].as_array().unwrap().len();
            let pages: Vec<usize> = said["steps"].as_array().unwrap().iter().map(pages).collect();
            leave_out_the_hop(&mut said);
            let lists = said["steps"].as_array_mut().unwrap().iter_mut().map(|step| step["result"].take());
            (pages, lists.collect::<Vec<_>>())
        });
        for (kind, (direct, through)) in KINDS.iter().zip(direct.1.iter().zip(&through.1)) {
            let names = |list: &Value| list.as_array().unwrap().iter().map(name).collect::<Vec<_>>();
            assert_eq!(
                names(through),
                LONG.map(|number| format!("numbered_{number:04}")).collect::<Vec<_>>(),
                "{kind}"
            );
            assert_eq!(through, direct, "{pair:?} at {at:?}: {kind}");
        }
        // One SDK goes through them all by itself, and does not say how many there were.
        let several = if pair.through.0 == Client::TypeScript2 { (1, 1) } else { (4, 2) };
        assert_eq!((direct.0, through.0), (vec![several.0; 4], vec![several.1; 4]), "pages: {pair:?} at {at:?}");
    }
    let listed = inspector::drive(&gateway.url(), &[]).tools;
    assert_eq!(listed, LONG.map(|number| format!("numbered_{number:04}")).collect::<Vec<_>>(), "the inspector");
}

const KINDS: [&str; 4] = ["tools", "resources", "templates", "prompts"];
/// What is listed by number, as `given.json` says.
const LONG: Range<u32> = 0..1100;

/// Takes away what a client hears or does not hear as it happens to listen, and what it asks in what order.
fn leave_out_what_is_late(step: &Value, said: &mut Value) {
    // How many pages a list comes in is a hop's.
    said.as_object_mut().unwrap().remove("pages");
    // What comes together with the result may be heard after it, when no client listens any longer.
    match step["until"]["progress"].as_u64().and_then(|count| usize::try_from(count).ok()) {
        None => drop(said.as_object_mut().unwrap().remove("progress")),
        Some(count) => said["progress"].as_array_mut().unwrap().truncate(count),
    }
    // That something has changed may be said more than once.
    match step["until"].get("changed").and(said.get_mut("changed")) {
        None => drop(said.as_object_mut().unwrap().remove("changed")),
        Some(changed) => changed.as_array_mut().unwrap().dedup(),
    }
    // What is asked in one result is asked at once.
    if let Some(asked) = said.get_mut("asked").and_then(Value::as_array_mut) {
        asked.sort_by_key(Value::to_string);
    }
}

/// Takes away what was heard in an earlier step already.
fn leave_out_repetitions(steps: &mut [Value]) {
    let mut before = Vec::new();
    for step in steps.iter_mut().filter_map(Value::as_object_mut) {
        for kind in ["asked", "logged", "updated"] {
            let Some(heard) = step.get_mut(kind).and_then(Value::as_array_mut) else { continue };
            heard.retain(|one| {
                let new = !before.contains(one);
                before.extend(new.then(|| one.clone()));
                new
            });
            if heard.is_empty() {
                step.remove(kind);
            }
        }
    }
}

const HOP: [&str; 6] = [
    "ttlMs",
    "cacheScope",
    "resultType",
    "progressToken",
    "io.modelcontextprotocol/serverInfo",
    "io.modelcontextprotocol/subscriptionId",
];

/// Takes away what only older revisions know, and says as newer ones do what both know.
fn leave_out_the_revision(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("execution");
            members.values_mut().for_each(leave_out_the_revision);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_the_revision),
        _ => {}
    }
}

/// Takes away what belongs to a hop: session ids, who serves, how long a result may be kept; and the order of lists, which
/// the gateway sorts.
pub(crate) fn leave_out_the_hop(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for hop in HOP {
                members.remove(hop);
            }
            if members.get("_meta").is_some_and(|meta| meta.as_object().is_some_and(|meta| meta.is_empty())) {
                members.remove("_meta");
            }
            members.values_mut().for_each(leave_out_the_hop);
            if members.get("_meta").is_some_and(|meta| *meta == json!({})) {
                members.remove("_meta");
            }
            let listed = members.get_mut("result").and_then(Value::as_array_mut);
            if let Some(items) = listed {
                items.sort_by_key(|item| {
                    item.get("uri").or(item.get("uriTemplate")).or(item.get("name")).map(Value::to_string)
                });
            }
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_the_hop),
        Value::String(text) => *text = without_uuids(text),
        _ => {}
    }
}

/// `…` where a UUID is.
pub(crate) fn without_uuids(text: &str) -> String {
    let is_uuid = |word: &str| {
        word.len() == 36
            && word.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    };
    text.split(' ').map(|word| if is_uuid(word) { "…" } else { word }).collect::<Vec<_>>().join(" ")
}
