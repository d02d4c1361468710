//! What a token endpoint answered (RFC 6749 sections 5.1 and 5.2, RFC 8693 section 2.2), and what an ID-JAG says.
//!
//! It verifies no signature: who gets an ID-JAG does that.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::Value;

use super::{ErrorCode, TokenAnswer, TokenError};
use crate::auth::TokenEndpoint;
use crate::headers;
use crate::mcp::base64::{self, Alphabet};
use crate::secret::Secret;
use crate::trust::UnixTime;

/// Bytes that an answer may have.
pub const BODY_BYTES: usize = 1 << 20;
/// A lifetime beyond which nobody plans: a token that says more says nothing.
const LONGEST: u64 = 10 * 366 * 86_400;

/// A success.
pub(super) struct Answered {
    pub(super) access_token: Secret,
    pub(super) token_type: String,
    pub(super) issued_token_type: Option<String>,
    pub(super) expires: Option<UnixTime>,
}

#[derive(serde::Deserialize)]
struct Written {
    access_token: Option<String>,
    token_type: Option<String>,
    issued_token_type: Option<String>,
    expires_in: Option<Value>,
    error: Option<Value>,
}

impl Answered {
    pub(super) fn read(endpoint: &TokenEndpoint, answer: &TokenAnswer<'_>) -> Result<Self, TokenError> {
        let written = serde_json::from_slice::<Written>(answer.body).ok();
        let error = written.as_ref().and_then(|written| written.error.as_ref()).filter(|error| !error.is_null());
        let success = (200..300).contains(&answer.status);
        if !success || error.is_some() {
            let code = error.and_then(Value::as_str).and_then(ErrorCode::of);
            return Err(TokenError::Refused { endpoint: endpoint.url.clone(), status: answer.status, code });
        }
        let wrong = |problem| TokenError::malformed(endpoint, problem);
        let written = written.ok_or_else(|| wrong("is no JSON object of tokens"))?;
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        // Taken over at once, so that it is wiped whatever comes next.
        let access_token =
            filled(written.access_token).map(Secret::new).ok_or_else(|| wrong("has no `access_token`"))?;
        let token_type = filled(written.token_type).ok_or_else(|| wrong("has no `token_type`"))?;
        let lifetime = written.expires_in.as_ref().and_then(seconds);
        let expires = lifetime.map(|lifetime| {
            UnixTime::since_unix_epoch(Duration::from_secs(answer.now.as_secs().saturating_add(lifetime)))
        });
        Ok(Self { access_token, token_type, issued_token_type: filled(written.issued_token_type), expires })
    }

    /// The token, if a header can hold it.
    pub(super) fn bearer(&self) -> Option<Secret> {
        let token = self.access_token.expose();
        // RFC 6750 section 2.1: one word. The longest header that backends are sent is not theirs to choose.
        let word = token.bytes().all(|byte| byte.is_ascii_graphic());
        (word && token.len() <= MAX_TOKEN && headers::name_problem("authorization").is_none())
            .then(|| self.access_token.clone())
    }
}

/// Bytes of a token: what fits into the head that most servers read.
const MAX_TOKEN: usize = 64 * 1024;

/// RFC 6749 says a number; some servers write it as text.
fn seconds(value: &Value) -> Option<u64> {
    let seconds = match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().filter(|s| *s >= 0.0).map(|s| s as u64)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    seconds.filter(|seconds| *seconds <= LONGEST)
}

/// Whether an ID-JAG is for this audience, and none else, and for this resource (draft sections 3.1 and 4.4.1): what is
/// bound to somebody else is not passed on.
pub(super) fn check_grant(token: &str, audience: &str, resource: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = token.split('.').collect();
    let [head, claims, _signature] = parts.as_slice() else {
        return Err("holds an ID-JAG that is no JWT");
    };
    let read = |part: &str| {
        let bytes = base64::decode(Alphabet::Url, part)?;
        serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object)
    };
    let (Some(_), Some(claims)) = (read(head), read(claims)) else { return Err("holds an ID-JAG that is no JWT") };
    let one = match claims.get("aud") {
        Some(Value::Array(items)) if items.len() == 1 => items.first(),
        aud => aud,
    };
    if one.and_then(Value::as_str) != Some(audience) {
        return Err("holds an ID-JAG whose `aud` is not exactly the configured `targetAudience`");
    }
    let held = match claims.get("resource") {
        Some(Value::Array(items)) => items.iter().any(|item| item.as_str() == Some(resource)),
        Some(one) => one.as_str() == Some(resource),
        None => false,
    };
    if !resource.is_empty() && !held {
        return Err("holds an ID-JAG whose `resource` does not have the configured `targetResource`");
    }
    Ok(())
}

/// Whether a text says anything but white space.
pub(super) fn trimmed(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(ToString::to_string)
}
