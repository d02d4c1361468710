//! Resources that a result points to: they need not be listed (2025-11-25, server/tools, Resource Links), so whoever
//! gave the result is asked for them first.
//!
//! It keeps nothing.

use alloc::string::String;
use alloc::vec::Vec;

use crate::mcp::client::Reply;
use crate::mcp::json;

/// A longer result is not searched: a link to somewhere is found there too by asking one backend after the other.
const SEARCHED: usize = 64 << 10;

/// The URIs of all resources that the result of a tool or a prompt links to or holds.
#[must_use]
pub fn links(reply: &Reply) -> Vec<String> {
    let Some(result) = reply.result().filter(|result| result.len() <= SEARCHED && result.contains("resource")) else {
        return Vec::new();
    };
    let content = json::member(result, "content").and_then(json::elements).into_iter().flatten();
    let messages = json::member(result, "messages").and_then(json::elements).into_iter().flatten();
    let spoken = messages.filter_map(|message| json::member(message, "content"));
    content.chain(spoken).filter_map(link).collect()
}

fn link(content: &str) -> Option<String> {
    let kind = json::member(content, "type").and_then(json::string)?;
    let uri = match kind.as_ref() {
        "resource_link" => json::member(content, "uri"),
        "resource" => json::member(content, "resource").and_then(|resource| json::member(resource, "uri")),
        _ => None,
    };
    uri.and_then(json::string).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::Era;
    use alloc::format;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_is_linked_or_held_is_found() {
        let found = |result: &str| {
            links(&Reply::read(format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#), Era::Legacy).unwrap())
        };
        let content = r#"{"content":[{"type":"text","text":"resource"},{"type":"resource_link","uri":"x:\/\/1"},
            {"type":"resource","resource":{"uri":"x://2","text":""}},{"type":"resource_link","uri":7},7]}"#;
        assert_eq!(found(content), ["x://1", "x://2"]);
        let prompt = r#"{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"x://3"}}}]}"#;
        assert_eq!(found(prompt), ["x://3"]);
        assert!(found(r#"{"content":[]}"#).is_empty());
        let long = format!(r#"{{"x":"{}","content":[{{"type":"resource_link","uri":"a:b"}}]}}"#, "x".repeat(SEARCHED));
        assert!(found(&long).is_empty());
    }
}
