//! Lists towards clients: which page of which list is asked for, and the page.
//!
//! It asks no backend.

use alloc::format;
use alloc::string::String;

use super::front::Response;
use super::modern::complete;
use super::{Asker, Or, ServerInfo, refuse_params};
use crate::aggregate::Merged;
use crate::mcp::client::{Cached, Freshness, List};
use crate::mcp::{Era, code, json, jsonrpc};
use crate::seal::{Purpose, Sealer};

/// Entries on one page of a list.
pub const PAGE: usize = 1000;
/// Seconds that a cursor may be kept.
const CURSOR_LIFETIME: u64 = 24 * 60 * 60;

/// A question for a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListItems<'a> {
    /// Who asks.
    pub asker: Asker<'a>,
    /// For what.
    pub kind: List,
    /// Sealed: the last entry of the page before, by the name that clients see.
    cursor: Option<String>,
}

impl<'a> ListItems<'a> {
    pub(super) fn read(asker: Asker<'a>, kind: List, params: Option<&'a str>) -> Or<Self> {
        let invalid = |message: &str| refuse_params(asker.era, asker.id.text(), message, None);
        let [cursor] = match params {
            Some(params) => json::pick(params, ["cursor"]).map_err(|error| invalid(&format!("`params`: {error}")))?,
            None => [None],
        };
        let cursor = match cursor.filter(|cursor| *cursor != "null") {
            None => None,
            Some(cursor) => Some(json::string(cursor).ok_or_else(|| invalid("`cursor` is no string"))?.into_owned()),
        };
        Ok(Self { asker, kind, cursor })
    }

    /// The page that was asked for, or that its cursor is none (server/utilities/pagination, Error Handling).
    #[must_use]
    pub fn answer(&self, merged: &Merged, freshness: Freshness, server: &ServerInfo, sealer: Sealer<'_>) -> Response {
        let method = self.kind.method();
        let opened = self.cursor.as_ref().map(|cursor| sealer.open(Purpose::Cursor, method, "", cursor)).transpose();
        let after = match opened {
            Ok(after) => after,
            Err(why) => {
                let message = format!("the cursor is not one of this list: {why}");
                return refuse_params(self.asker.era, self.asker.id.text(), &message, None);
            }
        };
        let entries = merged.list(self.kind);
        let start = after.as_ref().map_or(0, |after| entries.partition_point(|entry| entry.advertised <= *after));
        let rest = entries.get(start..).unwrap_or_default();
        let page = rest.get(..PAGE).unwrap_or(rest);
        let bytes = page.iter().map(|entry| entry.text(self.asker.era).len() + 1).sum::<usize>();
        let mut result = String::with_capacity(bytes + 128);
        result.push_str(&format!(r#"{{"{}":["#, self.kind.member()));
        for (index, entry) in page.iter().enumerate() {
            result.push_str(if index == 0 { "" } else { "," });
            result.push_str(entry.text(self.asker.era));
        }
        result.push(']');
        if let Some(last) = page.last().filter(|_| page.len() < rest.len()) {
            // It carries the last name, not a place: entries that come and go move no page.
            let last = last.advertised.as_bytes();
            let cursor = sealer.seal(Purpose::Cursor, method, "", Some(CURSOR_LIFETIME), last);
            result.push_str(&format!(r#","nextCursor":"{}""#, cursor));
        }
        result.push('}');
        let result = match self.asker.era {
            Era::Legacy => result,
            Era::Modern => complete(&result, server, Cached::For(freshness)),
        };
        self.asker.respond(jsonrpc::result(self.asker.id.text(), &result))
    }

    /// No list can be given now.
    #[must_use]
    pub fn failed(&self, status: u16, message: &str) -> Response {
        Response::error(status, Some(self.asker.id.text()), code::INTERNAL, message, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{self, Offered, Policy};
    use crate::gateway::Turn;
    use crate::gateway::testing::ask;
    use crate::mcp::client::Listed;
    use crate::seal::{KEY_BYTES, Keys, NONCE_BYTES};
    use alloc::string::ToString;
    use alloc::vec::Vec;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn pages(kind: List, key: &str) {
        let names = (0..2 * PAGE + 1).map(|n| format!("x://{n:05}")).collect::<Vec<_>>();
        let texts = names.iter().map(|name| format!(r#"{{"{key}":"{name}"}}"#)).collect::<Vec<_>>();
        let listed = Listed::new(texts.clone(), Era::Legacy);
        let all = Some(&listed);
        let offer = Offered { backend: "b", tools: all, resources: all, templates: all, prompts: all };
        let merged = aggregate::merge(&Policy::prefix(""), &[offer]);
        let server = ServerInfo { name: "n".to_string(), version: "v".to_string() };
        let keys = Keys::one(&[1; KEY_BYTES]);
        let sealer = || Sealer::new(&keys, "", 0, [7; NONCE_BYTES]);
        let (mut body, mut pages, mut found) = (jsonrpc::request(1, kind.method(), None), 0, Vec::new());
        loop {
            let Turn::List(list) = ask(&body) else { panic!("a list") };
            let answer = String::from_utf8(list.answer(&merged, Freshness::STALE, &server, sealer()).body).unwrap();
            let result = json::member(&answer, "result").unwrap();
            pages += 1;
            found
                .extend(json::elements(json::member(result, kind.member()).unwrap()).unwrap().map(ToString::to_string));
            let Some(cursor) = json::member(result, "nextCursor") else { break };
            body = jsonrpc::request(1, kind.method(), Some(&format!(r#"{{"cursor":{cursor}}}"#)));
            // Of another list, it is none.
            let other = if kind == List::Tools { List::Prompts } else { List::Tools };
            let wrong = jsonrpc::request(1, other.method(), Some(&format!(r#"{{"cursor":{cursor}}}"#)));
            let Turn::List(refused) = ask(&wrong) else { panic!("a list") };
            let refused = refused.answer(&merged, Freshness::STALE, &server, sealer());
            let why =
                "the cursor is not one of this list: it was changed, or made for another caller or another request";
            let expected = jsonrpc::error(Some("1"), code::INVALID_PARAMS, why, None);
            assert_eq!(refused.body, expected.into_bytes());
        }
        assert_eq!((pages, found), (3, texts));
    }

    #[test]
    fn a_long_list_comes_in_pages_that_lack_and_repeat_nothing() {
        for (kind, key) in [
            (List::Tools, "name"),
            (List::Resources, "uri"),
            (List::ResourceTemplates, "uriTemplate"),
            (List::Prompts, "name"),
        ] {
            pages(kind, key);
        }
    }
}
