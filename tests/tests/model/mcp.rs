//! Properties of MCP as values: nothing panics, edits leave every other byte, portions do not matter, every exchange
//! ends, and no error quotes what a backend sent.

use std::error::Error;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use vmcp_core::aggregate::{self, BackendPolicy, Offered, Override, Policy, Shows, Visible};
use vmcp_core::gateway::{self, Headers, Offering, ServerInfo, Serves, Session, SessionState, Subject, Turn};
use vmcp_core::mcp::base64::{self, Alphabet};
use vmcp_core::mcp::client::{
    Call, Declared, Exchange, Freshness, Goal, Limits, List, Listed, Output, Settings, Start,
};
use vmcp_core::mcp::http::{self, Failure, Head, Input, Sent, Stage};
use vmcp_core::mcp::sse::{self, Event, Parser};
use vmcp_core::mcp::{Era, Revision, json, jsonrpc};
use vmcp_core::seal::{KEY_BYTES, Keys, NONCE_BYTES, Sealer};

/// Valid JSON text with all the freedom that RFC 8259 gives: white space, escapes, number spellings, any depth.
fn json_text() -> impl Strategy<Value = String> + Clone {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        prop_oneof![Just("0"), Just("-1.50e+3"), Just("1E400"), Just("12345678901234567890")].prop_map(str::to_owned),
        json_string(),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        let array = (vec((space(), inner.clone(), space()), 0..4), space()).prop_map(|(items, empty)| {
            let items: Vec<_> = items.into_iter().map(|(a, item, b)| a + &item + &b).collect();
            if items.is_empty() { format!("[{empty}]") } else { format!("[{}]", items.join(",")) }
        });
        prop_oneof![array, object_of(inner)]
    })
}

fn object_of(value: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = String> {
    (vec((space(), json_string(), space(), space(), value, space()), 0..5), space()).prop_map(|(members, empty)| {
        let members: Vec<_> =
            members.into_iter().map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}")).collect();
        if members.is_empty() { format!("{{{empty}}}") } else { format!("{{{}}}", members.join(",")) }
    })
}

fn json_string() -> impl Strategy<Value = String> + Clone {
    let part = prop_oneof![
        Just("a".to_owned()),
        Just("é".to_owned()),
        Just("{]:,".to_owned()),
        Just(r#"\""#.to_owned()),
        Just(r"\\".to_owned()),
        Just(r"\u00e9".to_owned()),
        Just(r"\n".to_owned()),
    ];
    vec(part, 0..6).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

fn space() -> impl Strategy<Value = String> {
    prop_oneof![Just(""), Just(" "), Just("\n\t"), Just("\r\n")].prop_map(str::to_owned)
}

/// Bytes that are close to what the readers expect, and some that are not.
fn near_event_stream() -> impl Strategy<Value = Vec<u8>> {
    const PARTS: [&[u8]; 17] = [
        b"data",
        b"data:",
        b"data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
        b"event: message",
        b"event:x",
        b"id: 7",
        b"id:\0",
        b"retry: 10",
        b": comment",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b" ",
        b":",
        b"\xef\xbb\xbf",
        b"\xff",
    ];
    let part = prop::sample::select(&PARTS[..]);
    vec(part, 0..24).prop_map(|parts| parts.concat())
}

fn read_stream(portions: &[&[u8]], limit: usize) -> (Vec<Event>, Vec<u8>, Option<std::time::Duration>, bool) {
    let mut parser = Parser::new(limit);
    let mut events = Vec::new();
    for portion in portions {
        let mut bytes = *portion;
        loop {
            match parser.next(&mut bytes) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(_) => return (events, Vec::new(), None, false),
            }
        }
    }
    (events, parser.last_event_id().to_vec(), parser.retry(), true)
}

/// The standard's algorithm, written as it is told there: lines first, then fields.
fn reference(stream: &[u8]) -> Vec<Event> {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let mut lines = vec![Vec::new()];
    let mut bytes = stream.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' => {
                bytes.next_if_eq(&b'\n');
                lines.push(Vec::new());
            }
            b'\n' => lines.push(Vec::new()),
            byte => lines.last_mut().unwrap().push(byte),
        }
    }
    lines.pop();
    let (mut events, mut kind, mut data) = (Vec::new(), String::new(), Vec::new());
    for line in lines {
        if line.is_empty() {
            if data.pop().is_some() {
                events.push(Event { kind: kind.clone(), data: data.clone() });
            }
            (kind, data) = (String::new(), Vec::new());
            continue;
        }
        let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"data" => {
                data.extend_from_slice(value);
                data.push(b'\n');
            }
            b"event" => kind = String::from_utf8_lossy(value).into_owned(),
            _ => {}
        }
    }
    events
}

/// One thing that a world may report.
#[derive(Clone, Debug)]
enum Report {
    Head(u16, Option<&'static str>, Option<&'static str>),
    Body(Vec<u8>),
    End,
    Failed(Stage, Sent),
}

const SECRET: &str = "s3cr3t";

fn report() -> impl Strategy<Value = Report> {
    let status =
        prop_oneof![Just(200_u16), Just(202), Just(302), Just(400), Just(401), Just(404), Just(429), Just(500)];
    let media = prop_oneof![
        Just(Some("application/json")),
        Just(Some("text/event-stream; charset=utf-8")),
        Just(Some("text/html")),
        Just(None)
    ];
    let session = prop_oneof![Just(None), Just(Some("s-1")), Just(Some("not visible"))];
    let stage = prop_oneof![Just(Stage::Connect), Just(Stage::FirstByte), Just(Stage::Body), Just(Stage::Cancelled)];
    let body = prop_oneof![
        near_event_stream(),
        (
            1_u64..5,
            prop_oneof![
                Just(r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}"#),
                Just(r#"{"protocolVersion":"2026-07-28"}"#),
                Just(r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#),
                Just(r#"{"tools":[{"name":"s3cr3t"}],"nextCursor":"s3cr3t"}"#),
                Just(r#"{"content":["s3cr3t"]}"#),
            ]
        )
            .prop_map(|(id, result)| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#).into_bytes()),
        (1_u64..5, prop_oneof![Just(-32601), Just(-32022), Just(-32020), Just(-32000)]).prop_map(|(id, code)| {
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"{SECRET}"}}}}"#).into_bytes()
        }),
        Just(SECRET.as_bytes().to_vec()),
    ];
    prop_oneof![
        3 => (status, media, session).prop_map(|(status, media, session)| Report::Head(status, media, session)),
        4 => body.prop_map(Report::Body),
        3 => Just(Report::End),
        1 => (stage, prop_oneof![Just(Sent::Nothing), Just(Sent::Maybe)]).prop_map(|(s, sent)| Report::Failed(s, sent)),
    ]
}

fn tell(exchange: &mut Exchange, report: &Report) {
    match report {
        Report::Head(status, media, session) => {
            let pairs = [("content-type", media), ("mcp-session-id", session)];
            let headers =
                pairs.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value.to_owned())));
            exchange.handle(Input::Head(Head { status: *status, headers: headers.collect() }));
        }
        Report::Body(bytes) => exchange.handle(Input::Body(bytes)),
        Report::End => exchange.handle(Input::End),
        Report::Failed(stage, sent) => {
            exchange.handle(Input::Failed(Failure { stage: *stage, sent: *sent, message: "why".into() }));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn reading_a_message_never_panics(bytes in vec(any::<u8>(), 0..200)) {
        let _ = jsonrpc::parse(&bytes);
    }

    #[test]
    fn every_prefix_of_a_message_is_refused(params in object_of(json_text())) {
        let text = jsonrpc::request(7, "tools/call", Some(&params));
        prop_assert!(jsonrpc::parse_text(&text).is_ok(), "{text}");
        for cut in (0..text.len()).filter(|cut| text.is_char_boundary(*cut)) {
            prop_assert!(jsonrpc::parse_text(&text[..cut]).is_err(), "{}", &text[..cut]);
        }
    }

    #[test]
    fn walking_finds_what_a_tree_would_hold(text in json_text()) {
        prop_assert!(json::is_valid(&text));
        if let Some(members) = json::members(&text) {
            // Number spellings and lone surrogates aside, serde_json's own reader is the judge.
            for member in members {
                prop_assert!(json::is_valid(member.key) && json::is_valid(member.value), "{member:?}");
                prop_assert!(text.contains(member.text));
            }
        }
        if !text.contains("1E400") {
            let tree: Value = serde_json::from_str(&text).unwrap();
            if let Value::Object(map) = &tree {
                for (key, value) in map {
                    let found = json::member(&text, key).unwrap();
                    prop_assert_eq!(&serde_json::from_str::<Value>(found).unwrap(), value);
                }
            }
            if let Value::Array(items) = &tree {
                let found: Vec<Value> =
                    json::elements(&text).unwrap().map(|item| serde_json::from_str(item).unwrap()).collect();
                prop_assert_eq!(&found, items);
            }
        }
    }

    #[test]
    fn walking_what_is_no_json_never_panics(bytes in vec(any::<u8>(), 0..120)) {
        let text = String::from_utf8_lossy(&bytes);
        json::members(&text).into_iter().flatten().for_each(drop);
        json::elements(&text).into_iter().flatten().for_each(drop);
        let _ = json::rewrite(&text, |_| false, &[("a", "1")]);
    }

    #[test]
    fn a_splice_keeps_every_other_byte(text in object_of(json_text()), which in any::<prop::sample::Index>(), with in json_text()) {
        let values: Vec<_> = json::members(&text).unwrap().map(|member| member.value).collect();
        prop_assume!(!values.is_empty());
        let old = *which.get(&values);
        let range = json::range_in(&text, old).unwrap();
        let new = json::Splice::new(&text).replace(old, with.clone()).finish();
        prop_assert_eq!(&new[..range.start], &text[..range.start]);
        prop_assert_eq!(&new[range.start..range.start + with.len()], &with);
        prop_assert_eq!(&new[range.start + with.len()..], &text[range.end..]);
        prop_assert!(json::is_valid(&new));
    }

    #[test]
    fn rewriting_keeps_what_stays(text in object_of(json_text()), value in json_text()) {
        let kept: Vec<_> = json::members(&text).unwrap().filter(|member| !member.is("a")).map(|m| m.text.to_owned()).collect();
        let new = json::rewrite(&text, |member| member.is("a"), &[("a", &value)]);
        prop_assert!(json::is_valid(&new), "{new}");
        let found: Vec<_> = json::members(&new).unwrap().map(|member| member.text.to_owned()).collect();
        prop_assert_eq!(&found[..kept.len()], &kept[..]);
        prop_assert_eq!(json::member(&new, "a"), Some(value.as_str()));
    }

    #[test]
    fn portions_of_a_stream_do_not_matter(stream in near_event_stream(), mut cuts in vec(any::<prop::sample::Index>(), 0..6), limit in 10_usize..200) {
        let whole = read_stream(&[&stream], limit);
        let mut places: Vec<_> = cuts.drain(..).map(|cut| cut.index(stream.len() + 1)).collect();
        places.sort_unstable();
        let mut portions = Vec::new();
        let mut rest = &stream[..];
        let mut at = 0;
        for place in places {
            let (one, two) = rest.split_at(place - at);
            portions.push(one);
            (rest, at) = (two, place);
        }
        portions.push(rest);
        prop_assert_eq!(read_stream(&portions, limit), whole.clone());
        prop_assert_eq!(read_stream(&stream.chunks(1).collect::<Vec<_>>(), limit), whole);
    }

    #[test]
    fn a_stream_is_read_as_the_standard_says(stream in near_event_stream()) {
        prop_assert_eq!(read_stream(&[&stream], usize::MAX).0, reference(&stream));
    }

    #[test]
    fn what_is_written_as_an_event_is_read(data in vec(any::<u8>(), 0..80)) {
        let mut out = sse::COMMENT.to_vec();
        sse::write(&mut out, Some("message"), Some("1"), &data);
        let joined = String::from_utf8_lossy(&data).replace("\r\n", "\n").replace('\r', "\n");
        let (events, id, _, _) = read_stream(&[&out], usize::MAX);
        prop_assert_eq!(events.len(), 1);
        prop_assert_eq!(String::from_utf8_lossy(&events[0].data), joined);
        prop_assert_eq!(id, b"1");
    }

    #[test]
    fn base64_is_read_back(bytes in vec(any::<u8>(), 0..64), text in "[A-Za-z0-9+/=_-]{0,12}") {
        for alphabet in [Alphabet::Standard, Alphabet::Url] {
            prop_assert_eq!(base64::decode(alphabet, &base64::encode(alphabet, &bytes)), Some(bytes.clone()));
            if let Some(decoded) = base64::decode(alphabet, &text) {
                prop_assert_eq!(base64::encode(alphabet, &decoded), text.clone());
            }
        }
    }

    #[test]
    fn any_name_travels_in_a_header(name in any::<String>()) {
        let header = http::encode_value(&name);
        prop_assert!(header.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')));
        prop_assert_eq!(header.trim(), &header);
        prop_assert_eq!(http::decode_value(&header), Some(name));
    }

    #[test]
    fn every_exchange_ends_and_no_error_quotes_the_backend(
        goal in 0..4_u8,
        start in 0..3_u8,
        reports in vec(report(), 0..60),
    ) {
        let goal = match goal {
            0 => Goal::Open,
            1 => Goal::Call(Call::new("tools/call", Some(r#"{"name":"x","_meta":{"progressToken":"s3cr3t"}}"#.into()))),
            2 => Goal::List(List::Tools),
            _ => Goal::End,
        };
        let start = [Start::Unknown, Start::Remembered(Era::Legacy), Start::Remembered(Era::Modern)][usize::from(start)].clone();
        let settings = Settings { declared: Declared::new("vmcp", "0"), limits: Limits { answer_bytes: 300, pages: 4 } };
        let mut exchange = Exchange::new(goal, start, 0, Arc::new(settings));
        let mut reports = reports.into_iter();
        let (mut sent, mut told, mut done) = (0, 0, None);
        loop {
            while let Some(output) = exchange.poll() {
                prop_assert!(done.is_none(), "something came after the end: {output:?}");
                prop_assert!(!format!("{output:?}").contains(SECRET), "{output:?}");
                match output {
                    Output::Send { .. } => sent += 1,
                    Output::Done(outcome) => done = Some(outcome),
                    _ => {}
                }
            }
            // A world that goes silent reports that sooner or later.
            if done.is_some() {
                break;
            }
            told += 1;
            prop_assert!(told < 200, "it does not end");
            let report = reports.next().unwrap_or(Report::Failed(Stage::Body, Sent::Maybe));
            tell(&mut exchange, &report);
        }
        // Probe, open, announce, call; once more each; and the pages.
        prop_assert!(sent <= 12, "{sent} requests");
        if let Some(Err(error)) = done {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(next) = cause {
                text += &next.to_string();
                cause = next.source();
            }
            prop_assert!(!text.contains(SECRET), "{text}");
        }
    }

    #[test]
    fn every_request_of_a_client_has_an_answer(
        method in prop_oneof![Just("POST"), Just("GET"), Just("DELETE"), Just("PUT")],
        headers in vec((prop_oneof![Just("content-type"), Just("accept"), Just("Mcp-Session-Id"), Just("mcp-protocol-version"), Just("mcp-method"), Just("mcp-name")],
            prop_oneof![Just("application/json"), Just("text/event-stream"), Just("*/*;q=0"), Just("2026-07-28"), Just("2025-11-25"), Just("tools/call"), Just("x_a"), Just("=?base64?eA==?=")]), 0..7),
        verb in prop_oneof![Just("initialize"), Just("ping"), Just("tools/list"), Just("tools/call"), Just("server/discover"),
            Just("resources/list"), Just("resources/templates/list"), Just("resources/read"), Just("prompts/list"), Just("prompts/get"),
            Just("completion/complete"), Just("logging/setLevel"), Just("subscriptions/listen"), Just("x")],
        params in object_of(json_text()),
        marked in any::<bool>(),
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
        known in 0..3_u8,
    ) {
        let hop = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
        let with: &[(&str, &str)] = &[("name", "\"x_a\""), ("_meta", hop)];
        let params = if marked { json::rewrite(&params, |member| member.is("name") || member.is("_meta"), with) } else { params };
        let text = jsonrpc::request("\"i\"", verb, Some(&params));
        let length = if whole { text.len() } else { cut.index(text.len()) };
        let mut given = Headers::default();
        given.add("content-type", "application/json");
        headers.iter().for_each(|(name, value)| given.add(name, value));
        let request = gateway::Request { method, headers: given, body: &text.as_bytes()[..length] };
        let session = Session { revision: Revision::LATEST_LEGACY, capabilities: "{}".into(), client_info: None };
        let state = [SessionState::Unnamed, SessionState::Unknown, SessionState::Open(&session)][usize::from(known)];
        let server = ServerInfo { name: "n".into(), version: "v".into() };
        let tools = Listed::new(vec!["{\"name\":\"a\"}".to_owned()], Era::Legacy);
        let merged = aggregate::merge(&Policy::default(), &[Offered::tools("x", &tools)]);
        let offering = Offering::default();
        let keys = Keys::one(&[1; KEY_BYTES]);
        let response = match gateway::turn(&request, state, Serves::Both) {
            Turn::Answer(response) => response,
            Turn::Initialize(initialize) => initialize.answer(&server, "s", &offering),
            Turn::Discover(discover) => discover.answer(&server, &offering),
            Turn::List(list) => list.answer(&merged, Freshness::STALE, &server, Sealer::new(&keys, "", 0, [7; NONCE_BYTES])),
            Turn::ListTasks(list) => list.nobody_has_any(),
            Turn::Listen(listen) => listen.refused("no"),
            Turn::SetLogLevel(asker, _) => asker.done(),
            Turn::Ask(ask) => match merged.owner(List::Tools, &ask.name).filter(|_| ask.subject == Subject::Tool) {
                Some(owner) => {
                    let towards = ask.towards(&owner).params.unwrap();
                    prop_assert!(json::is_valid(&towards) && json::says(json::member(&towards, "name").unwrap(), "a"));
                    return Ok(());
                }
                None => ask.unknown(),
            },
            Turn::Notified(_) | Turn::Responded(_) => gateway::accepted(),
            Turn::EndSession => gateway::ended(),
        };
        prop_assert!((200..500).contains(&response.status));
        let body = String::from_utf8(response.body).unwrap();
        let message = body.strip_prefix("event: message\ndata: ").unwrap_or(&body).trim_end();
        prop_assert!(message.is_empty() || matches!(jsonrpc::parse_text(message), Ok(jsonrpc::Message::Response(_))), "{body}");
    }

    #[test]
    fn merging_does_not_depend_on_order(
        lists in vec((0..4_usize, vec(prop_oneof![Just("a"), Just("b"), Just("a_b"), Just("b_a")], 0..4)), 0..4),
        format in prop_oneof![Just("{workload}_"), Just(""), Just("{workload}")],
        strategy in prop_oneof![Just(aggregate::Strategy::Prefix), Just(aggregate::Strategy::Priority), Just(aggregate::Strategy::Manual)],
        order in vec(prop_oneof![Just("a"), Just("b"), Just("a_b")], 0..3),
        renamed in prop_oneof![Just("a"), Just("b"), Just("c")],
        only in any::<bool>(),
    ) {
        let names = ["a", "b", "a_b", "b_a"];
        let mut lists: Vec<_> = lists
            .into_iter()
            .map(|(backend, tools)| {
                let items = tools.iter().map(|t| format!("{{\"name\":\"{t}\",\"uri\":\"{t}\",\"uriTemplate\":\"{t}\"}}"));
                (names[backend], Listed::new(items.collect(), Era::Legacy))
            })
            .collect();
        // A backend's name is unique; discovery has seen to it.
        lists.sort_by_key(|(backend, _)| *backend);
        lists.dedup_by_key(|(backend, _)| *backend);
        let change = Override { name: Some(renamed.to_owned()), ..Override::default() };
        let visible = if only { Visible::Only(["a".to_owned(), "c".to_owned()].into()) } else { Visible::All };
        let own = BackendPolicy { visible, overrides: [("a".to_owned(), change)].into() };
        let policy = Policy {
            strategy,
            prefix_format: format.to_owned(),
            priority_order: order.into_iter().map(str::to_owned).collect(),
            shows: Shows::All,
            backends: [("a".to_owned(), own)].into(),
            sole: None,
        };
        let merge = |lists: &[(&str, Listed)]| {
            let offers: Vec<_> = lists
                .iter()
                .map(|(backend, list)| {
                    let all = Some(list);
                    Offered { backend, tools: all, resources: all, templates: all, prompts: all }
                })
                .collect();
            aggregate::merge(&policy, &offers)
        };
        let merged = merge(&lists);
        for kind in List::ALL {
            prop_assert!(merged.list(kind).is_sorted_by(|a, b| a.advertised < b.advertised));
            for entry in merged.list(kind) {
                prop_assert_eq!(merged.find(kind, &entry.advertised), Some(entry));
                let key = match kind { List::Resources => "uri", List::ResourceTemplates => "uriTemplate", _ => "name" };
                prop_assert!(json::says(json::member(entry.text(Era::Modern), key).unwrap(), &entry.advertised));
            }
        }
        for hidden in &merged.hidden {
            prop_assert_eq!(merged.find(List::Tools, &hidden.entry.advertised), None);
        }
        lists.reverse();
        prop_assert_eq!(merge(&lists), merged);
    }
}
