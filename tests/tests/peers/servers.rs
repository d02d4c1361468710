//! MCP servers on the official SDKs, one process each, and two that are no servers at all.
//!
//! What they answer is theirs; which tools they have is written in `tests/peers/servers`.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use serde_json::{Value, json};
use vmcp_tests::Scratch;

use super::certificates::Certificate;
use super::clients::{Call, Trouble};
use super::processes::{Process, node, peers, python};

/// A program that serves MCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Python SDK 1: revisions up to 2025-11-25, with sessions.
    Python1,
    /// Python SDK 2: revisions up to 2026-07-28.
    Python2,
    /// TypeScript SDK 2: revisions up to 2026-07-28; no sessions.
    TypeScript,
    /// The reference server with every feature, on the TypeScript SDK 1; sessions.
    Everything,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Python1, Self::Python2, Self::TypeScript, Self::Everything];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Python1 => "python1",
            Self::Python2 => "python2",
            Self::TypeScript => "typescript",
            Self::Everything => "everything",
        }
    }

    fn command(self) -> Command {
        match self {
            Self::Python1 => python(1),
            Self::Python2 => python(2),
            Self::TypeScript | Self::Everything => node(),
        }
    }

    fn tools(self) -> &'static [&'static str] {
        match self {
            Self::Python1 | Self::Python2 => &["echo", "add", "sleep", "fail"],
            Self::TypeScript => &["echo", "add"],
            // Those that it shows to a client without further capabilities.
            Self::Everything => &[
                "echo",
                "get-annotated-message",
                "get-env",
                "get-resource-links",
                "get-resource-reference",
                "get-structured-content",
                "get-sum",
                "get-tiny-image",
                "gzip-file-as-resource",
                "simulate-research-query",
                "toggle-simulated-logging",
                "toggle-subscriber-updates",
                "trigger-long-running-operation",
            ],
        }
    }
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    kind: Kind,
    name: String,
    port: u16,
    _process: Process,
}

impl Server {
    /// Starts one that presents `certificate`, and waits until it listens.
    pub(crate) fn start(kind: Kind, name: &str, certificate: &Certificate, scratch: &Scratch) -> Self {
        let (chain, key) = (format!("servers/{name}.crt"), format!("servers/{name}.key"));
        scratch.write(&chain, certificate.pem());
        scratch.write(&key, certificate.key());
        let (chain, key) = (scratch.path().join(chain), scratch.path().join(key));
        let mut command = kind.command();
        match kind {
            Kind::Python1 | Kind::Python2 => {
                command.arg(peers().join("servers/python.py")).arg(name).args([chain, key]);
            }
            Kind::TypeScript => {
                command.arg(peers().join("servers/typescript.mjs")).arg(name).args([chain, key]);
            }
            Kind::Everything => {
                let program = peers().join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
                command.env("CERTIFICATE", chain).env("KEY", key);
                command.arg("--require").arg(peers().join("servers/loopback.cjs")).arg(program).arg("streamableHttp");
            }
        }
        let process = Process::start(name, &mut command);
        let port = process.wait_for("its port", |line| {
            let said: Value = serde_json::from_str(line).ok()?;
            u16::try_from(said.get("port")?.as_u64()?).ok()
        });
        Self { kind, name: name.to_owned(), port, _process: process }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where it is, by one of the names of this machine.
    pub(crate) fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/mcp", self.port)
    }

    /// Names that its tools get under the prefix of its own name.
    pub(crate) fn tools(&self) -> Vec<String> {
        self.tools_as(&self.name)
    }

    /// Names that its tools get as the backend `backend`, sorted.
    pub(crate) fn tools_as(&self, backend: &str) -> Vec<String> {
        let mut tools: Vec<String> = self.kind.tools().iter().map(|tool| format!("{backend}_{tool}")).collect();
        tools.sort();
        tools
    }

    /// Calls that it answers the same way each time, whoever asks.
    pub(crate) fn calls(&self) -> Vec<(&'static str, Value)> {
        match self.kind {
            Kind::Python1 | Kind::Python2 => {
                vec![
                    ("echo", json!({"text": "\u{e9}"})),
                    ("add", json!({"a": 1, "b": 2.5})),
                    ("fail", json!({})),
                    ("echo", json!({})),
                ]
            }
            Kind::TypeScript => {
                vec![("echo", json!({"text": "\u{e9}"})), ("add", json!({"a": 1, "b": 2.5})), ("echo", json!({}))]
            }
            Kind::Everything => vec![
                ("echo", json!({"message": "\u{e9}"})),
                ("echo", json!({})),
                ("get-annotated-message", json!({"messageType": "error", "includeImage": true})),
                ("get-resource-links", json!({"count": 3})),
                ("get-structured-content", json!({"location": "New York"})),
                ("get-sum", json!({"a": 1, "b": 2.5})),
                ("get-tiny-image", json!({})),
            ],
        }
    }

    /// A call of its tool `echo`.
    pub(crate) fn greeting(&self, from: &str) -> Call {
        let argument = if self.kind == Kind::Everything { "message" } else { "text" };
        Call { name: format!("{}_echo", self.name), arguments: json!({ argument: from }) }
    }

    /// What it answers to that.
    pub(crate) fn answer(&self, from: &str) -> Result<String, Trouble> {
        Ok(if self.kind == Kind::Everything { format!("Echo: {from}") } else { format!("{} heard {from}", self.name) })
    }
}

/// An address at which nothing listens, and nothing will while this value lives.
pub(crate) struct Dead {
    address: SocketAddr,
    _bound: socket2::Socket,
}

impl Dead {
    pub(crate) fn new() -> Self {
        // Bound, so that nobody else can have the port; not listening, so that the system refuses.
        let bound = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        bound.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = bound.local_addr().unwrap().as_socket().unwrap();
        Self { address, _bound: bound }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}/mcp", self.address)
    }
}

/// A listener that takes connections and never says a word.
pub(crate) struct Hanging {
    listener: TcpListener,
}

impl Hanging {
    pub(crate) fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}/mcp", self.listener.local_addr().unwrap())
    }

    /// Whether anybody has connected.
    pub(crate) fn was_reached(&self) -> bool {
        self.listener.set_nonblocking(true).unwrap();
        self.listener.accept().is_ok()
    }
}
