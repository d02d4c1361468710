//! `vmcp serve` from outside: a listener on loopback, backends of a few lines, clients that are plain sockets.
//!
//! TLS and servers of others are not tried here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod backend;
mod between;
mod bridge;
mod calls;
mod extensions;
mod faults;
mod http;
mod identity;
mod issuer;
mod kinds;
mod listener;
mod logs;
mod long;
mod manners;
mod modern;
mod outgoing;
#[cfg(target_os = "linux")]
mod patience;
#[cfg(unix)]
mod program;
#[cfg(unix)]
mod redaction;
mod sse;
mod stage;
mod streams;
mod tasks;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::{Answer, PATIENCE, send};
use serde_json::{Value, json};
use vmcp_core::config;
use vmcp_core::discovery::{discover, needs};
use vmcp_core::trust::UnixTime;
use vmcp_native::materials::{Source, gather};
use vmcp_native::roots::system_roots;
use vmcp_native::server::{self, Offer, Options, Server};

const JSON: (&str, &str) = ("content-type", "application/json");
const ACCEPT: (&str, &str) = ("accept", "application/json, text/event-stream");

/// What a configuration with these backends offers; `more` is further text of it.
fn offer(backends: &[(&str, &str)], more: &str) -> Offer {
    offer_over("streamable-http", backends, more)
}

/// The same, over another transport.
fn offer_over(transport: &str, backends: &[(&str, &str)], more: &str) -> Offer {
    offer_of("{type: anonymous}", transport, backends, more)
}

/// The same with `incomingAuth`.
fn offer_of(incoming: &str, transport: &str, backends: &[(&str, &str)], more: &str) -> Offer {
    let both = format!(
        "incomingAuth: {incoming}
outgoingAuth: {{source: inline}}"
    );
    offer_text(transport, backends, &both, more)
}

/// The same with both kinds of authentication as text.
fn offer_text(transport: &str, backends: &[(&str, &str)], auth: &str, more: &str) -> Offer {
    let mut text = format!(
        "name: gateway
groupRef: g
{auth}
\
         aggregation: {{conflictResolution: prefix, conflictResolutionConfig: {{prefixFormat: \"{{workload}}_\"}}}}\n\
         {more}\nbackends:\n"
    );
    for (name, url) in backends {
        text.push_str(&format!("- {{name: {name}, url: \"{url}\", transport: {transport}}}\n"));
    }
    let input = config::input::read(text.as_bytes());
    let [document] = &input.configs[..] else { panic!("{:?}", input.diagnostics) };
    let source = Source::this_machine();
    let roots = system_roots(&source).0.into();
    let materials = gather(|known| needs(&document.config, &known.variables), &source, roots, UnixTime::now());
    let catalog = discover(&document.config, &document.diagnostics, &materials);
    assert_eq!(catalog.backends.len(), backends.len(), "{:?}", catalog.rejected);
    Offer::new(&document.config.effective(), catalog.incoming.unwrap(), catalog.backends)
}

fn serve_all(offer: Offer, options: Options) -> Server {
    server::start(offer, &Options { port: 0, ..options }).unwrap()
}

fn serve(options: Options) -> Server {
    serve_all(offer(&[], ""), options)
}

fn rpc(address: SocketAddr, session: &str, id: u32, method: &str, params: Value) -> Answer {
    let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    post(address, Some(session), &body.to_string())
}

fn call(address: SocketAddr, session: &str, id: u32, tool: &str) -> Answer {
    rpc(address, session, id, "tools/call", json!({"name": tool, "arguments": {"id": id}}))
}

fn tools(address: SocketAddr, session: &str) -> Vec<String> {
    let list = rpc(address, session, 1, "tools/list", json!({})).json();
    let tools = list["result"]["tools"].as_array().unwrap_or_else(|| panic!("{list}"));
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

fn post(address: SocketAddr, session: Option<&str>, body: &str) -> Answer {
    let mut headers = vec![JSON, ACCEPT];
    headers.extend(session.map(|id| ("mcp-session-id", id)));
    send(address, "POST", "/mcp", &headers, body.as_bytes())
}

fn initialize(address: SocketAddr) -> Answer {
    post(
        address,
        None,
        r#"{"jsonrpc":"2.0","id":"first","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#,
    )
}

fn open_session(address: SocketAddr) -> String {
    let answer = initialize(address);
    assert_eq!(answer.status, 200);
    let id = answer.header("mcp-session-id").unwrap().to_owned();
    let answer = post(address, Some(&id), r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert_eq!(answer.status, 202);
    id
}

/// Asks until it is so; what is asked changes by itself within milliseconds.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
