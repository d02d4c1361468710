//! What a backend with sessions wants opened by URL before it does what it is asked (2025-11-25, client/elicitation, URL
//! Elicitation Required Error), for a client that stands alone: that revision has no such error, so the client is asked
//! in a result, and its retry is the call once more (2026-07-28, basic/index, Error Codes; basic/patterns/mrtr).
//!
//! It keeps nothing: the retry needs no state, and what a backend keys on its session is lost between the two.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::caller::Caller;
use super::relay;
use crate::mcp::jsonrpc::ErrorObject;
use crate::mcp::{Era, code, json};

/// The error that the client gets instead.
pub(super) struct NotAskedFirst {
    pub(super) code: i64,
    pub(super) message: String,
    /// As JSON.
    pub(super) data: Option<&'static str>,
}

/// The result that asks, from the error of a backend that speaks as `of`.
pub(super) fn asked_first(caller: &Caller, of: Era, error: &ErrorObject<'_>) -> Result<String, NotAskedFirst> {
    let broken = |message: &str| NotAskedFirst { code: code::INTERNAL, message: message.into(), data: None };
    if of == Era::Modern {
        let message = format!("the backend gave error {}, which revision 2026-07-28 does not have", error.code);
        return Err(broken(&message));
    }
    let wanted = error.data.and_then(|data| json::member(data, "elicitations")).and_then(json::elements);
    let asked: Vec<_> = wanted.into_iter().flatten().filter_map(request).collect();
    if asked.is_empty() {
        return Err(broken("the backend wants something opened by URL and does not say what"));
    }
    if !caller.may_get_questions() {
        return Err(broken("the backend wants something opened by URL where its client cannot be asked"));
    }
    if !relay::can_open_urls(caller.capabilities().unwrap_or("{}")) {
        return Err(NotAskedFirst {
            code: code::MISSING_CAPABILITY,
            message: "the client did not declare `elicitation.url`".into(),
            data: Some(r#"{"requiredCapabilities":{"elicitation":{"url":{}}}}"#),
        });
    }
    let asked: Vec<_> = asked.iter().enumerate().map(|(n, asked)| format!("\"u{}\":{asked}", n + 1)).collect();
    Ok(format!(r#"{{"resultType":"input_required","inputRequests":{{{}}}}}"#, asked.join(",")))
}

/// One of them as it stands in a result: the id is the session's.
fn request(elicitation: &str) -> Option<String> {
    let url = json::member(elicitation, "url").filter(|url| url.starts_with('"'))?;
    let goes = |member: &json::Member<'_>| ["elicitationId", "mode", "url"].iter().any(|key| member.is(key));
    let params = json::rewrite(elicitation, goes, &[("mode", "\"url\""), ("url", url)]);
    Some(format!(r#"{{"method":"elicitation/create","params":{params}}}"#))
}
