//! Requests that stand alone (2026-07-28): how they are told from others, checked and answered.
//!
//! It does not relay what a backend asks meanwhile.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::front::{Headers, Response};
use super::listen::Listen;
use super::offering::Offering;
use super::{
    Asker, Notified, Or, ServerInfo, Serves, Streams, Turn, named, no_level, no_such_method, read_level, refuse, shown,
};
use crate::mcp::client::{Cached, Freshness, Remake};
use crate::mcp::jsonrpc::{self, Id, Message};
use crate::mcp::{Era, Revision, code, http, json, meta};

/// A question what this gateway is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discover<'a> {
    asker: Asker<'a>,
}

impl Discover<'_> {
    /// What the client can do, as JSON.
    #[must_use]
    pub fn capabilities(&self) -> &str {
        self.asker.capabilities.unwrap_or("{}")
    }

    /// The answer.
    #[must_use]
    pub fn answer(&self, server: &ServerInfo, offering: &Offering) -> Response {
        let capabilities = offering.capabilities();
        let mut result = format!(r#"{{"supportedVersions":{},"capabilities":{capabilities}"#, versions(Serves::Both));
        if let Some(instructions) = offering.instructions() {
            result.push_str(",\"instructions\":");
            result.push_str(&json::quote(&instructions));
        }
        result.push('}');
        let result = complete(&result, server, Cached::For(Freshness::STALE));
        Response::json(200, jsonrpc::result(self.asker.id.text(), &result))
    }
}

/// A result with what every modern result has.
pub(super) fn complete(result: &str, server: &ServerInfo, cached: Cached) -> String {
    for_modern(server, cached).apply(result).into_owned()
}

/// How a result gets that.
pub(super) fn for_modern(server: &ServerInfo, cached: Cached) -> Remake {
    Remake::ForModern { server: server.json(), cached }
}

/// Whether a message is meant for the modern revision: its header says so, or its `_meta` has one of the keys that
/// only modern requests have.
pub(super) fn has_signal(headers: &Headers<'_>, method: &str, params: Option<&str>) -> bool {
    let own = [meta::PROTOCOL_VERSION, meta::CLIENT_INFO, meta::CLIENT_CAPABILITIES];
    let marked = params.and_then(|params| json::member(params, "_meta")).and_then(json::members);
    let marked = marked.is_some_and(|mut members| members.any(|member| own.iter().any(|key| member.is(key))));
    // A client that only names the revision it prefers opens a session all the same.
    marked || headers.protocol_version == Some(Revision::MODERN.text()) && method != "initialize"
}

pub(super) fn turn<'a>(headers: &Headers<'a>, message: &Message<'a>, streams: Streams, serves: Serves) -> Or<Turn<'a>> {
    let request = match message {
        Message::Request(request) => request,
        Message::Notification(notification) => {
            return Ok(Turn::Notified(Notified { method: notification.method.clone(), params: notification.params }));
        }
        // streamable-http, Sending Messages 4.
        Message::Response(_) => return Err(refuse(400, "revision 2026-07-28 has no responses from clients")),
    };
    let Own { capabilities, log_level } = check(headers, request, serves)?;
    let level = read_level(log_level);
    let asker = Asker { id: request.id, era: Era::Modern, capabilities: Some(capabilities), log_level: level, streams };
    let turn = match request.method.as_ref() {
        "server/discover" => Some(Ok(Turn::Discover(Discover { asker }))),
        "subscriptions/listen" => Some(Listen::read(asker, request.params).map(Turn::Listen)),
        method => named(asker, method, request.params, mirrored(headers)),
    };
    match turn {
        // streamable-http, Protocol Version Header: an unknown method is 404.
        None => Err(no_such_method(404, request.id)),
        // server/utilities/logging, Error Handling.
        Some(_) if log_level.is_some() && level.is_none() => {
            Err(reject(request.id, code::INVALID_PARAMS, &no_level(meta::LOG_LEVEL)))
        }
        Some(turn) => turn,
    }
}

/// What a request says of itself in its `_meta`, as JSON.
struct Own<'a> {
    capabilities: &'a str,
    log_level: Option<&'a str>,
}

/// The checks of basic/index and streamable-http, Server Validation, in the order that the suite expects: header
/// against body before the version itself.
fn check<'a>(headers: &Headers<'a>, request: &jsonrpc::Request<'a>, serves: Serves) -> Or<Own<'a>> {
    let id = request.id;
    let (mismatch, invalid) =
        (|m: &str| reject(id, code::HEADER_MISMATCH, m), |m: &str| reject(id, code::INVALID_PARAMS, m));
    let picked = |error: json::PickError, what: &str| invalid(&format!("{what}: {error}"));
    let [own_meta, name, uri, task] = match request.params {
        Some(params) => json::pick(params, ["_meta", "name", "uri", "taskId"]).map_err(|e| picked(e, "`params`"))?,
        None => [None; 4],
    };
    let [version, capabilities, log_level] = match own_meta {
        Some(own_meta) => json::pick(own_meta, [meta::PROTOCOL_VERSION, meta::CLIENT_CAPABILITIES, meta::LOG_LEVEL])
            .map_err(|error| picked(error, "`_meta`"))?,
        None => [None; 3],
    };
    let version = version.and_then(json::string);
    let header = headers.protocol_version;
    match (&version, header) {
        (None, _) => return Err(invalid(&format!("`_meta` has no string `{}`", meta::PROTOCOL_VERSION))),
        (Some(_), None) => return Err(mismatch("there is no `MCP-Protocol-Version` header")),
        (Some(version), Some(header)) if version.as_ref() != header => {
            return Err(mismatch("the `MCP-Protocol-Version` header does not match the version in `_meta`"));
        }
        (Some(version), Some(_)) if version.as_ref() != Revision::MODERN.text() || serves == Serves::Legacy => {
            let requested = json::quote(version);
            let data = format!(r#"{{"supported":{},"requested":{requested}}}"#, versions(serves));
            let message = "the protocol version is not supported";
            return Err(Response::error(400, Some(id.text()), code::UNSUPPORTED_VERSION, message, Some(&data)));
        }
        _ => {}
    }
    let Some(capabilities) = capabilities.filter(|value| value.starts_with('{')) else {
        return Err(invalid(&format!("`_meta` has no object `{}`", meta::CLIENT_CAPABILITIES)));
    };
    let own = Own { capabilities, log_level };
    match headers.method {
        None => return Err(mismatch("there is no `Mcp-Method` header")),
        Some(method) if method != request.method => {
            return Err(mismatch(&format!(
                "the `Mcp-Method` header does not match the body's method `{}`",
                shown(&request.method)
            )));
        }
        Some(_) => {}
    }
    let named = match request.method.as_ref() {
        "tools/call" | "prompts/get" => name,
        "resources/read" => uri,
        "tasks/get" | "tasks/update" | "tasks/cancel" => task,
        // Of a method that is not served, only that it is not is said.
        _ => return Ok(own),
    };
    // A body without a name is told so by whoever reads it.
    let Some(named) = named.and_then(json::string) else { return Ok(own) };
    match headers.name.map(http::decode_value) {
        None => Err(mismatch("there is no `Mcp-Name` header")),
        Some(None) => Err(mismatch("the `Mcp-Name` header is neither plain ASCII nor valid `=?base64?…?=`")),
        Some(Some(header)) if header != named => Err(mismatch("the `Mcp-Name` header does not match the body")),
        Some(Some(_)) => Ok(own),
    }
}

/// Headers that may repeat arguments: which do, the tool's schema says.
fn mirrored(headers: &Headers<'_>) -> Vec<(String, String)> {
    headers.params.iter().map(|(name, value)| (name.to_ascii_lowercase(), String::from(*value))).collect()
}

fn reject(id: Id<'_>, code: i64, message: &str) -> Response {
    Response::error(400, Some(id.text()), code, message, None)
}

fn versions(serves: Serves) -> String {
    let modern = (serves == Serves::Both).then_some(Revision::MODERN);
    let quoted = modern.into_iter().chain(Revision::LEGACY).map(|revision| format!("\"{revision}\""));
    format!("[{}]", quoted.collect::<Vec<_>>().join(","))
}
