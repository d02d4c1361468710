//! `tools/list` and `tools/call` towards clients: what they ask, and their answers spliced from a backend's bytes.
//!
//! It calls nothing: the host runs the exchange that [`CallTool::towards`] describes.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::front::Response;
use super::modern::{Cached, complete};
use super::{Asker, Or, ServerInfo, Streams, shown};
use crate::aggregate::{Merged, Tool};
use crate::mcp::base64::{self, Alphabet};
use crate::mcp::client::{Call, CallError, Ran, Reply, ServerMessage};
use crate::mcp::{Era, code, json, jsonrpc, meta};

/// Tools on one page of a list.
pub const PAGE_TOOLS: usize = 1000;
/// Longer cursors were not made here.
const CURSOR_BYTES: usize = 4096;

/// A question for the tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListTools<'a> {
    /// Who asks.
    pub asker: Asker<'a>,
    /// The last name of the page before.
    after: Option<String>,
}

impl<'a> ListTools<'a> {
    pub(super) fn read(asker: Asker<'a>, params: Option<&'a str>) -> Or<Self> {
        let id = asker.id.text();
        let invalid = |message: &str| refuse(asker.era, id, message);
        let [cursor] = match params {
            Some(params) => json::pick(params, ["cursor"]).map_err(|error| invalid(&format!("`params`: {error}")))?,
            None => [None],
        };
        let after = match cursor.filter(|cursor| *cursor != "null") {
            None => None,
            Some(cursor) => Some(read_cursor(cursor).ok_or_else(|| invalid("the cursor is not one of this list"))?),
        };
        Ok(Self { asker, after })
    }

    /// The page that was asked for.
    #[must_use]
    pub fn answer(&self, merged: &Merged, server: &ServerInfo) -> Response {
        let tools = merged.tools();
        let start = self.after.as_ref().map_or(0, |after| tools.partition_point(|tool| tool.advertised <= *after));
        let rest = tools.get(start..).unwrap_or_default();
        let page = rest.get(..PAGE_TOOLS).unwrap_or(rest);
        let bytes = page.iter().map(|tool| tool.text(self.asker.era).len() + 1).sum::<usize>();
        let mut result = String::with_capacity(bytes + 128);
        result.push_str(r#"{"tools":["#);
        for (index, tool) in page.iter().enumerate() {
            result.push_str(if index == 0 { "" } else { "," });
            result.push_str(tool.text(self.asker.era));
        }
        result.push(']');
        if let Some(last) = page.last().filter(|_| page.len() < rest.len()) {
            result.push_str(&format!(r#","nextCursor":"{}""#, write_cursor(&last.advertised)));
        }
        result.push('}');
        let result = match self.asker.era {
            Era::Legacy => result,
            Era::Modern => complete(&result, server, Cached::Private),
        };
        self.asker.respond(jsonrpc::result(self.asker.id.text(), &result))
    }

    /// No list can be given now.
    #[must_use]
    pub fn failed(&self, status: u16, message: &str) -> Response {
        Response::error(status, Some(self.asker.id.text()), code::INTERNAL, message, None)
    }
}

/// Not sealed: it carries a name that its reader has been shown, and grants nothing.
fn write_cursor(last: &str) -> String {
    base64::encode(Alphabet::Url, format!("tools\n{last}").as_bytes())
}

fn read_cursor(cursor: &str) -> Option<String> {
    let cursor = json::string(cursor).filter(|cursor| cursor.len() <= CURSOR_BYTES)?;
    let plain = String::from_utf8(base64::decode(Alphabet::Url, &cursor)?).ok()?;
    plain.strip_prefix("tools\n").map(String::from)
}

/// A call of a tool. `Debug` shows no arguments.
#[derive(Clone, PartialEq, Eq)]
pub struct CallTool<'a> {
    /// Who asks.
    pub asker: Asker<'a>,
    /// The tool, by its advertised name.
    pub name: Cow<'a, str>,
    params: &'a str,
    raw_name: &'a str,
    headers: Vec<(String, String)>,
}

impl<'a> CallTool<'a> {
    pub(super) fn read(asker: Asker<'a>, params: Option<&'a str>, headers: Vec<(String, String)>) -> Or<Self> {
        let id = asker.id.text();
        let invalid = |message: &str| refuse(asker.era, id, message);
        let params = params.ok_or_else(|| invalid("`tools/call` needs parameters"))?;
        let [raw_name, arguments, own_meta] = json::pick(params, ["name", "arguments", "_meta"])
            .map_err(|error| invalid(&format!("`params`: {error}")))?;
        let raw_name = raw_name.ok_or_else(|| invalid("`params` has no `name`"))?;
        let name = json::string(raw_name).ok_or_else(|| invalid("`name` is no string"))?;
        if let Some(arguments) = arguments.filter(|value| *value != "null" && !value.starts_with('{')) {
            return Err(invalid(&format!("`arguments` is {}; expected an object", json::kind(arguments))));
        }
        if let Some(own_meta) = own_meta.filter(|value| !value.starts_with('{')) {
            return Err(invalid(&format!("`_meta` is {}; expected an object", json::kind(own_meta))));
        }
        if let Some(own_meta) = own_meta
            && let Err(error) = json::pick(own_meta, [meta::PROGRESS_TOKEN])
        {
            return Err(invalid(&format!("`_meta`: {error}")));
        }
        Ok(Self { asker, name, params, raw_name, headers })
    }

    /// The call that its backend gets: the original name, and every other byte as the client sent it.
    #[must_use]
    pub fn towards(&self, tool: &Tool) -> Call {
        let params = json::Splice::new(self.params).replace(self.raw_name, json::quote(&tool.original)).finish();
        let mut call = Call::new("tools/call", Some(params));
        call.headers.clone_from(&self.headers);
        call
    }

    /// What the answer needs to know, by itself: it comes when the request's bytes are gone.
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller { id: self.asker.id.text().to_owned(), era: self.asker.era, streams: self.asker.streams }
    }

    /// The tool is not advertised (2025-11-25, server/tools, Error Handling: a protocol error).
    #[must_use]
    pub fn unknown(&self) -> Response {
        let message = format!("there is no tool `{}`", shown(&self.name));
        refuse(self.asker.era, self.asker.id.text(), &message)
    }

    /// The gateway cannot take the call now.
    #[must_use]
    pub fn busy(&self, message: &str) -> Response {
        Response::error(503, Some(self.asker.id.text()), code::INTERNAL, message, None)
    }
}

impl core::fmt::Debug for CallTool<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CallTool").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Who waits for the result of a call, and how it may look. It borrows nothing of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    id: String,
    era: Era,
    streams: Streams,
}

impl Caller {
    /// Whether it stands alone or in a session: a stand-alone caller that closes its stream wants the call cancelled.
    #[must_use]
    pub fn era(&self) -> Era {
        self.era
    }

    /// Whether its answer may be a stream.
    #[must_use]
    pub fn streams(&self) -> Streams {
        self.streams
    }

    /// Whether a message of the backend belongs on this call's stream. Log messages do not yet: logging is not
    /// offered.
    #[must_use]
    pub fn relays(&self, message: &ServerMessage) -> bool {
        message.id.is_none() && message.method == "notifications/progress"
    }

    /// The answer, one JSON document or a stream of one event as the client can read it.
    #[must_use]
    pub fn answer(&self, reply: &Reply, server: &ServerInfo) -> Response {
        let message = self.message(reply, server);
        let status = match (self.era, reply.error().map(|error| error.code)) {
            // 2026-07-28, basic/index and streamable-http: these have a status of their own.
            (Era::Modern, Some(code::MISSING_CAPABILITY | code::INVALID_PARAMS)) => 400,
            (Era::Modern, Some(code::METHOD_NOT_FOUND)) => 404,
            _ => 200,
        };
        match status {
            200 => self.respond(message),
            status => Response::json(status, message),
        }
    }

    /// The response by itself, for a stream that has begun. It is the backend's, with the client's id, less what the
    /// client's revision does not know and with what it requires.
    #[must_use]
    pub fn message(&self, reply: &Reply, server: &ServerInfo) -> String {
        let id = self.id.as_str();
        if let Some(error) = reply.error() {
            return match error.code {
                // These are about the hop to the backend.
                code::HEADER_MISMATCH | code::UNSUPPORTED_VERSION => {
                    let message = format!("the backend refused the gateway's request (JSON-RPC error {})", error.code);
                    jsonrpc::error(Some(id), code::INTERNAL, &message, None)
                }
                _ => reply.with_id(id),
            };
        }
        let result = reply.result().unwrap_or_default();
        if let (Era::Modern, Some(kind)) = (reply.era, reply.result_type().filter(|kind| kind != "complete")) {
            let message = match kind.as_str() {
                "input_required" => "the backend asks for input, which is not relayed".into(),
                kind => format!("the backend gave a result of type `{}`, which is not relayed", shown(kind)),
            };
            return jsonrpc::error(Some(id), code::INTERNAL, &message, None);
        }
        match (self.era, reply.era) {
            (Era::Legacy, Era::Legacy) => reply.with_id(id),
            (Era::Legacy, Era::Modern) => reply.with_id_and_result(id, &for_legacy(result)),
            (Era::Modern, _) => reply.with_id_and_result(id, &complete(result, server, Cached::No)),
        }
    }

    /// The exchange with the backend brought no answer. The client learns which backend and of what kind the trouble
    /// is; what an operator needs is in the log.
    #[must_use]
    pub fn failed(&self, backend: &str, error: &CallError) -> Response {
        let message = Self::failure(backend, error);
        self.respond(jsonrpc::error(Some(self.id.as_str()), code::INTERNAL, &message, None))
    }

    /// As [`failed`](Self::failed), for a stream that has begun.
    #[must_use]
    pub fn failed_message(&self, backend: &str, error: &CallError) -> String {
        jsonrpc::error(Some(self.id.as_str()), code::INTERNAL, &Self::failure(backend, error), None)
    }

    fn respond(&self, message: String) -> Response {
        respond(self.streams, message)
    }

    fn failure(backend: &str, error: &CallError) -> String {
        let outcome = match error.ran {
            Ran::No => "the tool was not called",
            Ran::Maybe => "whether the tool ran is unknown",
        };
        format!("backend `{backend}`: {error}; {outcome}")
    }
}

impl Asker<'_> {
    /// A message as this client reads it.
    pub(super) fn respond(&self, message: String) -> Response {
        respond(self.streams, message)
    }
}

fn respond(streams: Streams, message: String) -> Response {
    match streams {
        Streams::No | Streams::May => Response::json(200, message),
        Streams::Must => Response {
            status: 200,
            headers: super::STREAM_HEADERS.iter().map(|(name, value)| (*name, String::from(*value))).collect(),
            body: super::event(&message),
        },
    }
}

/// A modern result less what a legacy client does not know or may refuse: the fields of the hop, and structured
/// content that is no object (2025-11-25, schema, CallToolResult).
fn for_legacy(result: &str) -> String {
    let names_the_hop = |own_meta: &str| json::member(own_meta, meta::SERVER_INFO).is_some();
    let own_meta = json::member(result, "_meta").filter(|own_meta| names_the_hop(own_meta));
    let rest = own_meta.map(|own_meta| json::rewrite(own_meta, |member| member.is(meta::SERVER_INFO), &[]));
    let goes = |member: &json::Member<'_>| {
        ["resultType", "ttlMs", "cacheScope"].iter().any(|name| member.is(name))
            || member.is("_meta") && own_meta.is_some()
            || member.is("structuredContent") && !member.value.starts_with('{')
    };
    // What held nothing but the name of the hop goes with it.
    let with = rest.as_deref().filter(|rest| *rest != "{}").map(|rest| ("_meta", rest));
    json::rewrite(result, goes, with.as_slice())
}

/// Wrong parameters: an error in a session, a bad request where requests stand alone (2026-07-28, basic/index).
fn refuse(era: Era, id: &str, message: &str) -> Response {
    let status = match era {
        Era::Legacy => 200,
        Era::Modern => 400,
    };
    Response::error(status, Some(id), code::INVALID_PARAMS, message, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{self, BackendTools, Naming};
    use crate::gateway::{Headers, Request, Serves, Session, SessionState, Turn, turn};
    use crate::mcp::Revision;
    use crate::mcp::client::Problem;
    use alloc::string::ToString;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn ask(body: &str) -> Turn<'_> {
        let mut headers = Headers::default();
        headers.add("content-type", "application/json");
        let session = Session { revision: Revision::LATEST_LEGACY, capabilities: "{}".to_string(), client_info: None };
        turn(&Request { method: "POST", headers, body: body.as_bytes() }, SessionState::Open(&session), Serves::Both)
    }

    #[test]
    fn a_long_list_comes_in_pages_that_lack_and_repeat_nothing() {
        let names = (0..2 * PAGE_TOOLS + 1).map(|n| format!("tool-{n:05}")).collect::<Vec<_>>();
        let texts = names.iter().map(|name| format!(r#"{{"name":"{name}"}}"#)).collect::<Vec<_>>();
        let naming = Naming::Prefix { format: String::new() };
        let merged = aggregate::merge(&naming, &[BackendTools { backend: "b", tools: &texts }]);
        let server = ServerInfo { name: "n".to_string(), version: "v".to_string() };
        let (mut body, mut pages, mut found) = (jsonrpc::request(1, "tools/list", None), 0, Vec::new());
        loop {
            let Turn::ListTools(list) = ask(&body) else { panic!("a list") };
            let answer = String::from_utf8(list.answer(&merged, &server).body).unwrap();
            let result = json::member(&answer, "result").unwrap();
            pages += 1;
            found.extend(json::elements(json::member(result, "tools").unwrap()).unwrap().map(ToString::to_string));
            let Some(cursor) = json::member(result, "nextCursor") else { break };
            body = jsonrpc::request(1, "tools/list", Some(&format!(r#"{{"cursor":{cursor}}}"#)));
        }
        assert_eq!((pages, found), (3, texts));
    }

    #[test]
    fn a_call_that_brought_no_answer_says_whose_fault_it_is_and_whether_it_ran() {
        let body = jsonrpc::request("\"c\"", "tools/call", Some(r#"{"name":"s_t","arguments":{"a":"s3cr3t"}}"#));
        let Turn::CallTool(call) = ask(&body) else { panic!("a call") };
        assert_eq!(format!("{call:?}"), r#"CallTool { name: "s_t", .. }"#);
        for (problem, ran, expected) in [
            (
                Problem::Status(401),
                Ran::No,
                "status is 401 (the backend wants other credentials); expected 200; the tool was not called",
            ),
            (
                Problem::Empty,
                Ran::Maybe,
                "the answer is empty; expected a JSON-RPC response; whether the tool ran is unknown",
            ),
        ] {
            let error = CallError { method: "tools/call".to_string(), problem, ran };
            let message = call.caller().failed_message("s", &error);
            let expected = format!("backend `s`: tools/call: {expected}");
            assert_eq!(message, jsonrpc::error(Some("\"c\""), code::INTERNAL, &expected, None));
            assert_eq!(call.caller().failed("s", &error).body, message.into_bytes());
        }
        assert_eq!(call.busy("full").status, 503);
        let progress = ServerMessage { text: "{}".to_string(), method: "notifications/progress".to_string(), id: None };
        assert!(call.caller().relays(&progress));
        assert!(!call.caller().relays(&ServerMessage { method: "notifications/message".to_string(), ..progress }));
    }
}
