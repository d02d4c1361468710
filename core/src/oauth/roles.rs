//! Which AWS role a caller gets, and what its session is called.
//!
//! Matchers are CEL, which needs more than this crate has: whoever asks says which of them are true.

use alloc::borrow::ToOwned;
use alloc::string::String;

use serde_json::Value;

use crate::auth::{AwsSts, RoleRule};
use crate::secret::Secret;

/// The role: of the mappings that match, the one with the lowest priority, the first of equals; else the fallback.
#[must_use]
pub fn select<'s>(sts: &'s AwsSts, claims: &Secret, mut matches: impl FnMut(&str) -> bool) -> Option<&'s str> {
    let claims = serde_json::from_str::<Value>(claims.expose()).unwrap_or(Value::Null);
    let groups = claims.get(&sts.role_claim);
    let matching = sts.mappings.iter().filter(|mapping| match &mapping.rule {
        RoleRule::Claim(value) => holds(groups, value),
        RoleRule::Matcher { expression, .. } => matches(expression),
    });
    // Stable: of several with the least priority the first.
    let best = matching.min_by_key(|mapping| mapping.priority.unwrap_or(i64::MAX));
    best.map(|mapping| mapping.role.as_str()).or(sts.fallback_role.as_deref())
}

/// As CEL's `in`, with which the Go program decides: an item of a list, or a key of a map. Of a mere text it says an
/// error, which is no match.
fn holds(groups: Option<&Value>, value: &str) -> bool {
    match groups {
        Some(Value::Array(items)) => items.iter().any(|item| item.as_str() == Some(value)),
        Some(Value::Object(map)) => map.contains_key(value),
        _ => false,
    }
}

/// The name of the session (AWS STS API reference, RoleSessionName): 2 to 64 of `[A-Za-z0-9_+=,.@-]`.
#[must_use]
pub fn session_name(sts: &AwsSts, claims: &Secret) -> Option<String> {
    let claims = serde_json::from_str::<Value>(claims.expose()).ok()?;
    let name = claims.get(&sts.session_name_claim)?.as_str()?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    ((2..=64).contains(&name.len()) && name.bytes().all(allowed)).then(|| name.to_owned())
}
