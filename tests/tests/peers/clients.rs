//! MCP clients that this project did not write, driven through the programs in `tests/peers/clients`.
//!
//! It gives what a client was told, in one shape for all of them; it judges nothing.

use std::process::Command;

use serde_json::{Value, json};

use super::inspector;
use super::processes::{node, peers, python, rust_peer};

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
    /// The Rust SDK, which tries the newest revision first.
    Rust,
    /// The inspector's command line, which people debug with.
    Inspector,
}

/// Which revisions a client speaks, where its SDK leaves the choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// The newest that the server has.
    Newest,
    /// None after 2025-11-25.
    Legacy,
}

/// A call to make.
#[derive(Clone, Debug)]
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

impl Client {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Python1 => "python1",
            Self::Python2 => "python2",
            Self::TypeScript1 => "typescript1",
            Self::TypeScript2 => "typescript2",
            Self::Rust => "rust",
            Self::Inspector => "inspector",
        }
    }

    /// The newest revision that it speaks; what a gateway that speaks them all agrees on with it.
    pub(crate) fn newest(self) -> Option<String> {
        match self {
            Self::Python1 | Self::TypeScript1 => Some("2025-11-25".to_owned()),
            Self::Python2 | Self::TypeScript2 | Self::Rust => Some("2026-07-28".to_owned()),
            Self::Inspector => None,
        }
    }

    /// Connects, lists every tool, makes the calls one after another.
    pub(crate) fn drive(self, url: &str, calls: &[Call]) -> Told {
        if self == Self::Inspector {
            return inspector::drive(url, calls);
        }
        told(&self.go(Speaks::Newest, url, &steps(calls), &[]))
    }

    /// Connects and goes through steps, declaring that it can answer what `can` names; what it says of that is described in
    /// `tests/peers/README.md`.
    pub(crate) fn go(self, speaks: Speaks, url: &str, steps: &[Value], can: &[&str]) -> Value {
        said(&mut self.command(speaks), url, steps, can)
    }

    fn command(self, speaks: Speaks) -> Command {
        let (mut command, script) = match self {
            Self::Python1 => (python(1), Some("steps.py")),
            Self::Python2 => (python(2), Some("steps.py")),
            Self::TypeScript1 | Self::TypeScript2 => (node(), Some("steps.mjs")),
            Self::Rust => (rust_peer("steps-rmcp"), None),
            Self::Inspector => panic!("the inspector goes through no steps"),
        };
        command.args(script.map(|script| peers().join("clients").join(script)));
        match self {
            Self::TypeScript1 => drop(command.arg("1")),
            Self::TypeScript2 => drop(command.arg("2")),
            _ => {}
        }
        command.arg(match speaks {
            Speaks::Newest => "auto",
            Speaks::Legacy => "legacy",
        });
        command
    }
}

/// The client of the TypeScript SDK 1 with nothing but credentials at an issuer that it has yet to find. `resource` is what the
/// gateway at `url` calls itself.
pub(crate) fn drive_with_credentials(url: &str, resource: &str, id: &str, calls: &[Call]) -> Told {
    let mut command = Client::TypeScript1.command(Speaks::Newest);
    let credentials = json!({"resource": resource, "clientId": id, "clientSecret": format!("{id}-secret")});
    command.env("CREDENTIALS", credentials.to_string());
    told(&said(&mut command, url, &steps(calls), &[]))
}

fn steps(calls: &[Call]) -> Vec<Value> {
    let calls = calls.iter().map(|call| json!({"call": call.name, "arguments": call.arguments}));
    std::iter::once(json!({"list": "tools"})).chain(calls).collect()
}

fn said(command: &mut Command, url: &str, steps: &[Value], can: &[&str]) -> Value {
    let said = output(command.arg(url).arg(json!(steps).to_string()).arg(json!(can).to_string()));
    serde_json::from_str(said.lines().last().unwrap_or_default()).unwrap()
}

/// Of steps that list the tools and then call some.
fn told(said: &Value) -> Told {
    let [listed, calls @ ..] = &said["steps"].as_array().unwrap()[..] else { panic!("{said}") };
    let mut tools: Vec<String> = listed["result"].as_array().unwrap().iter().map(name).collect();
    tools.sort();
    let results = calls.iter().map(|call| match call["error"]["message"].as_str() {
        Some(error) => Err(Trouble::Refused(error.to_owned())),
        None => text(&call["result"]),
    });
    Told { revision: said["revision"].as_str().map(str::to_owned), tools, results: results.collect() }
}

/// What a tool is called.
pub(crate) fn name(tool: &Value) -> String {
    tool["name"].as_str().unwrap().to_owned()
}

/// The text of a tool's result.
pub(crate) fn text(result: &Value) -> Result<String, Trouble> {
    let blocks = result["content"].as_array().unwrap().iter();
    let text = blocks.filter_map(|block| block["text"].as_str()).collect();
    if result["isError"] == true { Err(Trouble::Failed(text)) } else { Ok(text) }
}

pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}
