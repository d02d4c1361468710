//! Clients of the official SDKs do the same things at a server and through the gateway: what they are told, asked and
//! answered on the way must be the same, member by member.
//!
//! What a server says and what a client makes of it is theirs; nothing of it is written here but what must not be missing.

use std::process::Command;
use std::thread;

use serde_json::{Value, json};
use vmcp_tests::Scratch;

use super::clients::{Client, output};
use super::gateway::Gateway;
use super::processes::{Process, node, peers, python};

/// What a client may declare.
pub(crate) const CAPABILITIES: &[&str] = &["elicitation", "sampling", "roots"];

/// A server in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Python SDK 1: revisions up to 2025-11-25.
    Python1,
    /// The same over HTTP+SSE.
    Python1Sse,
    /// Python SDK 2: both.
    Python2,
    /// TypeScript SDK 2: both.
    TypeScript2,
    /// TypeScript SDK 1, the reference server with every feature.
    Everything,
    /// The same over HTTP+SSE.
    EverythingSse,
}

/// How much of what a client does is compared: between revisions, not everything can be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    Legacy,
    Modern,
}

impl At {
    pub(crate) fn start(self) -> (Process, String) {
        let fixture = |mut command: Command, file: &str, more: &[&str]| {
            command.arg(peers().join("fixtures").join(file)).args(more);
            command
        };
        let everything = |transport: &str| {
            let mut command = node();
            command.arg("--require").arg(peers().join("servers/loopback.cjs"));
            command.arg(peers().join("node_modules/@modelcontextprotocol/server-everything/dist/index.js"));
            command.arg(transport);
            command
        };
        let mut command = match self {
            Self::Python1 => fixture(python(1), "python1.py", &[]),
            Self::Python1Sse => fixture(python(1), "python1.py", &["sse"]),
            Self::Python2 => fixture(python(2), "python.py", &[]),
            Self::TypeScript2 => fixture(node(), "typescript.mjs", &[]),
            Self::Everything => everything("streamableHttp"),
            Self::EverythingSse => everything("sse"),
        };
        let process = Process::start(&format!("{self:?}"), &mut command);
        let port = process.wait_for("its port", |line| serde_json::from_str::<Value>(line).ok()?.get("port")?.as_u64());
        let path = if self.is_sse() { "sse" } else { "mcp" };
        (process, format!("http://127.0.0.1:{port}/{path}"))
    }

    pub(crate) fn transport(self) -> &'static str {
        if self.is_sse() { "sse" } else { "streamable-http" }
    }

    fn is_sse(self) -> bool {
        matches!(self, Self::Python1Sse | Self::EverythingSse)
    }

    /// Whether its store of events tells some again to a client whose stream it resumes.
    fn repeats(self) -> bool {
        self == Self::Everything
    }

    fn speaks(self, client: Client) -> Speaks {
        let newest = matches!(client, Client::Python2 | Client::TypeScript2);
        if newest && matches!(self, Self::Python2 | Self::TypeScript2) { Speaks::Modern } else { Speaks::Legacy }
    }

    /// What a client does there.
    fn steps(self, speaks: Speaks, can: &[&str]) -> Vec<Value> {
        let mut steps = match self {
            Self::Everything | Self::EverythingSse => everything(can),
            _ => fixture(speaks),
        };
        steps.extend(["tools", "resources", "templates", "prompts"].map(|kind| json!({"list": kind})));
        steps
    }
}

fn everything(can: &[&str]) -> Vec<Value> {
    const URI: &str = "demo://resource/static/document/features.md";
    // A moment after a session has begun it asks for roots, if it can, and says so: then that is over.
    let begun = if can.contains(&"roots") { json!({"asked": 1, "logged": 1}) } else { json!({}) };
    // Tools that it has for those who can do what they need.
    let needing = [
        ("elicitation", json!({"call": "trigger-elicitation-request", "until": {"asked": 1}})),
        ("sampling", json!({"call": "trigger-sampling-request", "arguments": {"prompt": "p"}, "until": {"asked": 1}})),
        ("roots", json!({"call": "get-roots-list"})),
    ];
    let needing = needing.into_iter().filter(|(needed, _)| can.contains(needed)).map(|(_, step)| step);
    let steps = [
        json!({"call": "echo", "arguments": {"message": "\u{e9}"}, "until": begun}),
        json!({"level": "debug"}),
        json!({"call": "echo", "arguments": {}}),
        json!({"call": "get-annotated-message", "arguments": {"messageType": "error", "includeImage": true}}),
        json!({"call": "get-structured-content", "arguments": {"location": "New York"}}),
        json!({"call": "get-resource-links", "arguments": {"count": 3}}),
        json!({"call": "get-tiny-image"}),
        json!({"call": "trigger-long-running-operation", "arguments": {"duration": 0.3, "steps": 3}, "until": {"progress": 2}}),
        json!({"prompt": "args-prompt", "arguments": {"city": "Paris"}}),
        json!({"prompt": "args-prompt"}),
        json!({"complete": {"ref": {"type": "ref/prompt", "name": "completable-prompt"}, "argument": {"name": "department", "value": "E"}}}),
        json!({"read": URI}),
        json!({"read": "nowhere://at/all"}),
        json!({"subscribe": URI, "until": {"logged": 1}}),
        json!({"call": "toggle-subscriber-updates", "until": {"updated": 1}}),
        json!({"call": "toggle-subscriber-updates"}),
        json!({"unsubscribe": URI, "until": {"logged": 1}}),
    ];
    steps.into_iter().chain(needing).collect()
}

fn fixture(speaks: Speaks) -> Vec<Value> {
    const WATCHED: &str = "test://watched-resource";
    let mut steps = vec![
        json!({"call": "test_multiple_content_types"}),
        json!({"call": "test_audio_content"}),
        json!({"call": "test_embedded_resource"}),
        json!({"call": "test_error_handling"}),
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
        json!({"read": "nowhere://at/all"}),
    ];
    steps.extend(match speaks {
        Speaks::Legacy => vec![
            json!({"level": "debug"}),
            json!({"call": "test_tool_with_logging", "until": {"logged": 3}}),
            json!({"call": "test_elicitation", "arguments": {"message": "m"}, "until": {"asked": 1}}),
            json!({"call": "test_elicitation_sep1330_enums", "until": {"asked": 1}}),
            json!({"call": "test_sampling", "arguments": {"prompt": "p"}, "until": {"asked": 1}}),
        ],
        Speaks::Modern => vec![
            json!({"call": "test_input_required_result_elicitation", "until": {"asked": 1}}),
            json!({"call": "test_input_required_result_sampling", "until": {"asked": 1}}),
            json!({"call": "test_input_required_result_list_roots", "until": {"asked": 1}}),
            json!({"call": "test_input_required_result_multiple_inputs", "until": {"asked": 3}}),
            json!({"call": "test_input_required_result_multi_round", "until": {"asked": 2}}),
            json!({"call": "test_input_required_result_request_state", "until": {"asked": 1}}),
            json!({"prompt": "test_input_required_result_prompt", "until": {"asked": 1}}),
        ],
    });
    if speaks == Speaks::Legacy {
        steps.extend([json!({"subscribe": WATCHED}), json!({"unsubscribe": WATCHED})]);
    }
    steps
}

/// Lets every client that can go through its steps at the server and behind the gateway, and compares.
pub(crate) fn compare(at: At, clients: &[Client], can: &[&str]) {
    let scratch = Scratch::new();
    let (_server, url) = at.start();
    let gateway = Gateway::bare(&scratch, &url, at.transport());
    for &client in clients {
        let steps = at.steps(at.speaks(client), can);
        let (through_url, text) = (gateway.url(), Value::from(steps.clone()).to_string());
        // Each has a session of its own; side by side they take half the time.
        let (direct, through) = thread::scope(|scope| {
            let direct = scope.spawn(|| told(client, &url, &text, can));
            let through = told(client, &through_url, &text, can);
            (direct.join().unwrap(), through)
        });
        // Over HTTP+SSE the TypeScript SDK 1 does not say.
        if !at.is_sse() {
            assert_eq!(through["revision"], direct["revision"], "{client:?} at {at:?}");
        }
        let [direct, through] = [direct, through].map(|mut said| {
            let mut said: Vec<Value> = said["steps"].as_array_mut().map(std::mem::take).unwrap_or_default();
            if at.repeats() {
                leave_out_repetitions(&mut said);
            }
            for (step, said) in steps.iter().zip(&mut said) {
                // What comes together with the result may be heard after it, when no client listens any longer.
                let awaited = step["until"]["progress"].as_u64().and_then(|count| usize::try_from(count).ok());
                if let (Some(count), Some(progress)) = (awaited, said.get_mut("progress").and_then(Value::as_array_mut))
                {
                    progress.truncate(count);
                }
            }
            said
        });
        assert_eq!((direct.len(), through.len()), (steps.len(), steps.len()));
        let differs: Vec<_> = steps
            .iter()
            .zip(direct.iter().zip(&through))
            .filter(|(_, (direct, through))| direct != through)
            .map(|(step, (direct, through))| format!("{step}\n  directly: {direct}\n  through:  {through}"))
            .collect();
        assert!(differs.is_empty(), "{client:?} at {at:?}:\n{}", differs.join("\n"));
    }
}

fn told(client: Client, url: &str, steps: &str, can: &[&str]) -> Value {
    let mut command = match client {
        Client::Python1 => python(1),
        Client::Python2 => python(2),
        _ => node(),
    };
    match client {
        Client::TypeScript1 => command.arg(peers().join("clients/steps.mjs")).arg("1"),
        Client::TypeScript2 => command.arg(peers().join("clients/steps.mjs")).arg("2"),
        _ => command.arg(peers().join("clients/steps.py")),
    };
    let said = output(command.arg(url).arg(steps).arg(json!(can).to_string()));
    let mut said = serde_json::from_str(said.lines().last().unwrap_or_default()).unwrap();
    leave_out_the_hop(&mut said);
    said
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

/// Takes away what belongs to a hop: session ids, who serves, how long a result may be kept; and the order of lists, which
/// the gateway sorts.
fn leave_out_the_hop(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for hop in ["ttlMs", "cacheScope", "io.modelcontextprotocol/serverInfo"] {
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
