//! The HTTP requests of both eras: headers and bodies.
//!
//! Credentials are not here; the transport adds them.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::standing::{Declared, Legacy, Standing};
use super::{Call, SERVER_DISCOVER};
use crate::mcp::http::{self, Method, Request, Twice, header};
use crate::mcp::{Era, LogLevel, Revision, json, jsonrpc, meta};

/// `server/discover` (2026-07-28, server/discover).
pub(super) fn discover(declared: &Declared, id: u64) -> Request {
    let params = modern_params(None, declared, None, None, None);
    post(jsonrpc::request(id, SERVER_DISCOVER, Some(&params)), modern_headers(SERVER_DISCOVER, None))
}

/// `initialize` (2025-11-25, basic/lifecycle, Initialization).
pub(super) fn initialize(declared: &Declared, id: u64) -> Request {
    let params = format!(
        r#"{{"protocolVersion":"{}","capabilities":{},"clientInfo":{}}}"#,
        Revision::LATEST_LEGACY,
        declared.capabilities,
        declared.client_info
    );
    post(jsonrpc::request(id, "initialize", Some(&params)), Vec::new())
}

/// A notification or a response of ours in a session.
pub(super) fn message(legacy: &Legacy, text: String) -> Request {
    post(text, legacy_headers(legacy))
}

/// Goes on with a stream that ended before its response (2025-11-25, basic/transports, Resumability and Redelivery).
pub(super) fn resume(legacy: &Legacy, last_event_id: &str) -> Request {
    listen(legacy, Some(last_event_id))
}

/// Opens the standing stream of a session, or resumes it.
pub(super) fn listen(legacy: &Legacy, last_event_id: Option<&str>) -> Request {
    let mut headers = legacy_headers(legacy);
    headers.push((header::ACCEPT.to_owned(), http::EVENT_STREAM.to_owned()));
    headers.extend(last_event_id.map(|id| (header::LAST_EVENT_ID.to_owned(), id.to_owned())));
    Request { method: Method::Get, headers, body: Vec::new(), twice: Twice::Harmless }
}

/// Ends a session (2025-11-25, basic/transports, Session Management 5).
pub(super) fn delete(legacy: &Legacy) -> Request {
    Request { method: Method::Delete, headers: legacy_headers(legacy), body: Vec::new(), twice: Twice::Harmless }
}

/// Any request, and the progress token of the caller that ours stands for.
pub(super) fn call(standing: &Standing, declared: &Declared, id: u64, call: &Call) -> (Request, Option<String>) {
    let own = call.params.as_deref().map(|params| of_both_eras(params, call.era, standing.era()));
    let params = own.as_deref();
    let hop = params.and_then(|params| json::member(params, "_meta"));
    let token = hop.and_then(|hop| json::member(hop, meta::PROGRESS_TOKEN)).map(ToOwned::to_owned);
    let own_token = token.is_some().then(|| format!("{id}"));
    let request = match standing {
        Standing::Legacy(legacy) => {
            let params = legacy_params(params, own_token.as_deref());
            post(jsonrpc::request(id, &call.method, params.as_deref()), legacy_headers(legacy))
        }
        Standing::Modern(_) => {
            let name = name_of(&call.method, params);
            // First the mirrored parameters, so that none of them can stand for a header of the protocol.
            let mut headers = call.headers.clone();
            headers.retain(|(name, _)| name.starts_with(header::PARAM_PREFIX));
            headers.extend(modern_headers(&call.method, name.as_deref()));
            let capabilities = call.capabilities.as_deref();
            let params = modern_params(params, declared, capabilities, call.log_level, own_token.as_deref());
            post(jsonrpc::request(id, &call.method, Some(&params)), headers)
        }
    };
    (request, token)
}

fn post(body: String, extra: Vec<(String, String)>) -> Request {
    let mut headers = Vec::with_capacity(extra.len() + 2);
    headers.push((header::CONTENT_TYPE.to_owned(), http::JSON.to_owned()));
    headers.push((header::ACCEPT.to_owned(), format!("{}, {}", http::JSON, http::EVENT_STREAM)));
    headers.extend(extra);
    Request { method: Method::Post, headers, body: body.into_bytes(), twice: Twice::Acts }
}

fn legacy_headers(legacy: &Legacy) -> Vec<(String, String)> {
    let mut headers = Vec::with_capacity(2);
    headers.push((header::PROTOCOL_VERSION.to_owned(), legacy.revision.text().to_owned()));
    if let Some(session) = &legacy.session {
        headers.push((header::SESSION_ID.to_owned(), session.expose().to_owned()));
    }
    headers
}

/// 2026-07-28, streamable-http, Standard Request Headers.
fn modern_headers(method: &str, name: Option<&str>) -> Vec<(String, String)> {
    let mut headers = Vec::with_capacity(3);
    headers.push((header::PROTOCOL_VERSION.to_owned(), Revision::MODERN.text().to_owned()));
    headers.push((header::METHOD.to_owned(), method.to_owned()));
    if let Some(name) = name {
        headers.push((header::NAME.to_owned(), http::encode_value(name)));
    }
    headers
}

/// What `Mcp-Name` says: `params.taskId` for tasks, else name or URI.
fn name_of<'a>(method: &str, params: Option<&'a str>) -> Option<Cow<'a, str>> {
    let key = match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        _ if method.starts_with("tasks/") => "taskId",
        _ => return None,
    };
    json::string(json::member(params?, key)?)
}

/// Parameters without what the other era does not know: the answers of a round and its state, and that a call is to be a
/// task (2025-11-25, basic/utilities/tasks, Task Support 1: it is ignored where it is not supported).
fn of_both_eras(params: &str, from: Era, to: Era) -> Cow<'_, str> {
    let unknown: &[&str] = match (from, to) {
        (Era::Modern, Era::Legacy) => &["inputResponses", "requestState"],
        (Era::Legacy, Era::Modern) => &["task"],
        _ => return Cow::Borrowed(params),
    };
    let goes = |member: &json::Member<'_>| unknown.iter().any(|key| member.is(key));
    match json::members(params).into_iter().flatten().any(|member| goes(&member)) {
        true => Cow::Owned(json::rewrite(params, goes, &[])),
        false => Cow::Borrowed(params),
    }
}

/// Parameters for a session: the caller's, less what belongs to another hop.
fn legacy_params<'a>(params: Option<&'a str>, token: Option<&str>) -> Option<Cow<'a, str>> {
    let params = params?;
    let Some(hop) = json::member(params, "_meta") else { return Some(Cow::Borrowed(params)) };
    let foreign = |member: &json::Member<'_>| meta::OF_REQUESTS.iter().any(|key| member.is(key));
    if json::members(hop).into_iter().flatten().any(|member| foreign(&member)) {
        let without = |member: &json::Member<'_>| foreign(member) || member.is(meta::PROGRESS_TOKEN);
        let hop_own = token.map(|token| (meta::PROGRESS_TOKEN, token));
        let own = json::rewrite(hop, without, hop_own.as_slice());
        // Of what belongs to the hop alone nothing is left.
        if own == "{}" {
            return Some(Cow::Owned(json::rewrite(params, |member| member.is("_meta"), &[])));
        }
        return Some(Cow::Owned(json::Splice::new(params).replace(hop, own).finish()));
    }
    match (json::member(hop, meta::PROGRESS_TOKEN), token) {
        (Some(old), Some(token)) => Some(Cow::Owned(json::Splice::new(params).replace(old, token.to_owned()).finish())),
        _ => Some(Cow::Borrowed(params)),
    }
}

/// Parameters of a request that stands alone (2026-07-28, basic/index, Per-request protocol fields).
/// `capabilities` are the caller's, where they are not those that are declared in general.
fn modern_params(
    params: Option<&str>,
    declared: &Declared,
    capabilities: Option<&str>,
    log_level: Option<LogLevel>,
    token: Option<&str>,
) -> String {
    let params = params.unwrap_or("{}");
    let hop = json::member(params, "_meta").unwrap_or("{}");
    let version = format!("\"{}\"", Revision::MODERN);
    let log_level = log_level.map(|level| format!("\"{}\"", level.text()));
    let mut own = Vec::with_capacity(5);
    own.push((meta::PROTOCOL_VERSION, version.as_str()));
    own.push((meta::CLIENT_INFO, declared.client_info.as_str()));
    own.push((meta::CLIENT_CAPABILITIES, capabilities.unwrap_or(declared.alone())));
    own.extend(log_level.as_deref().map(|level| (meta::LOG_LEVEL, level)));
    own.extend(token.map(|token| (meta::PROGRESS_TOKEN, token)));
    let replaced = |member: &json::Member<'_>| {
        member.is(meta::PROGRESS_TOKEN) || meta::OF_REQUESTS.iter().any(|key| member.is(key))
    };
    let hop = json::rewrite(hop, replaced, &own);
    json::rewrite(params, |member| member.is("_meta"), &[("_meta", &hop)])
}
