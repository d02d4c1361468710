//! What only extensions know: messages whose methods are none of MCP's own (2026-07-28, basic/versioning, Extension
//! Negotiation).
//!
//! It knows no extension; the one for tasks has a way of its own.

use crate::mcp::client::Facts;
use crate::mcp::{extension, json};

/// Notifications that MCP itself knows: each of these has its own way, or none.
const NOTIFICATIONS: [&str; 13] = [
    "cancelled",
    "elicitation/complete",
    "initialized",
    "message",
    "progress",
    "prompts/list_changed",
    "resources/list_changed",
    "resources/updated",
    "roots/list_changed",
    "subscriptions/acknowledged",
    "tasks",
    "tasks/status",
    "tools/list_changed",
];

/// What its requests begin with, in any revision and either direction.
const REQUESTS: [&str; 12] = [
    "completion/",
    "elicitation/",
    "logging/",
    "notifications/",
    "prompts/",
    "resources/",
    "roots/",
    "sampling/",
    "server/",
    "subscriptions/",
    "tasks/",
    "tools/",
];

/// Whether a notification is an extension's.
#[must_use]
pub fn is_notification(method: &str) -> bool {
    !method.strip_prefix("notifications/").is_some_and(|name| NOTIFICATIONS.contains(&name))
}

/// Whether a request is an extension's. JSON-RPC 2.0, section 4, keeps `rpc.` for itself; and a method has to stand in a
/// header (2026-07-28, streamable-http, Standard Request Headers), where it is not encoded.
pub(super) fn is_request(method: &str) -> bool {
    let bare = ["initialize", "ping", ""].contains(&method);
    let fits = method.bytes().all(|byte| byte.is_ascii_graphic());
    fits && !bare && !method.starts_with("rpc.") && !REQUESTS.iter().any(|prefix| method.starts_with(prefix))
}

/// Whether a backend declares an extension other than those that have no messages, or a way of their own here.
#[must_use]
pub fn has_own(facts: &Facts) -> bool {
    let extensions = json::member(&facts.capabilities, "extensions").and_then(json::members);
    let known = [extension::TASKS, extension::APPS];
    extensions
        .into_iter()
        .flatten()
        .any(|extension| extension.value.starts_with('{') && !known.iter().any(|name| extension.is(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_mcp_knows_itself_is_no_extensions() {
        for method in [
            "initialize",
            "ping",
            "tools/list",
            "tasks/get",
            "logging/setLevel",
            "server/discover",
            "rpc.x",
            "",
            "a b",
            "a\r\nb: c",
            "\u{e9}",
        ] {
            assert!(!is_request(method), "{method}");
        }
        assert!(is_request("com.example/search") && is_request("search") && is_request("toolsets/list"));
        for method in ["notifications/progress", "notifications/tasks", "notifications/initialized"] {
            assert!(!is_notification(method), "{method}");
        }
        assert!(is_notification("notifications/com.example/said") && is_notification("said"));
    }

    #[test]
    fn tasks_and_apps_are_no_extensions_of_a_backends_own() {
        let has = |extensions: &str| {
            let capabilities = alloc::format!(r#"{{"extensions":{extensions}}}"#);
            has_own(&Facts { capabilities, ..Facts::default() })
        };
        assert!(!has(r#"{"io.modelcontextprotocol/tasks":{},"io.modelcontextprotocol\/ui":{}}"#));
        assert!(!has("{}") && !has("null") && !has(r#"{"com.example/x":null}"#) && !has_own(&Facts::default()));
        assert!(has(r#"{"com.example/x":{}}"#));
    }
}
