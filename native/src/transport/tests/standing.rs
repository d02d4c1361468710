//! Backends that speak HTTP with SSE: what comes on the one stream, and whom it reaches.

use super::*;
use vmcp_core::mcp::http::{Twice, header};

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

/// A backend whose stream says where to post, then the answer to `initialize`, then what it is told to.
fn backend(endpoint: &'static str) -> (Server, mpsc::Sender<String>) {
    let (tell, told) = mpsc::channel::<String>();
    let (told, opened) = (Mutex::new(told), Mutex::new(tell.clone()));
    let server = Server::new(move |stream, got| {
        if !got.head.starts_with("GET") {
            if got.body.contains("initialize") {
                opened.lock().unwrap().send(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#.to_owned()).unwrap();
            }
            return say(stream, "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
        }
        say(stream, &format!("{STREAM}event: endpoint\ndata: {endpoint}\n\n"));
        while let Ok(message) = told.lock().unwrap().recv() {
            if let Then::Close = say(stream, &format!("event: message\ndata: {message}\n\n")) {
                break;
            }
        }
        Then::Close
    });
    (server, tell)
}

fn asks(id: u32, method: &str, session: Option<&str>) -> Request {
    let mut request = post(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#));
    request.headers.extend(session.map(|session| (header::SESSION_ID.to_owned(), session.to_owned())));
    request
}

fn event(answer: &mut AnyResponse) -> String {
    String::from_utf8(answer.read().unwrap().unwrap().to_vec()).unwrap()
}

on_both!(answers_come_on_the_stream_each_to_its_own_request_and_the_rest_to_who_listens);
fn answers_come_on_the_stream_each_to_its_own_request_and_the_rest_to_who_listens() {
    let (server, tell) = backend("/messages?id=1");
    let transport = Either::over_sse(&server.url());
    let mut opened = send(&transport, &asks(0, "initialize", None)).unwrap();
    let session = opened.head.header(header::SESSION_ID).unwrap().to_owned();
    assert_eq!(event(&mut opened), "data: {\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}\n\n");
    drop(opened);
    // Of two that wait, each gets its own, whichever comes first.
    let mut first = send(&transport, &asks(1, "a", Some(&session))).unwrap();
    let mut second = send(&transport, &asks(2, "b", Some(&session))).unwrap();
    let listen = Request {
        method: Method::Get,
        headers: asks(0, "", Some(&session)).headers,
        body: Vec::new(),
        twice: Twice::Harmless,
    };
    let mut hears = send(&transport, &listen).unwrap();
    tell.send(r#"{"jsonrpc":"2.0","id":2,"result":{"n":2}}"#.to_owned()).unwrap();
    tell.send(r#"{"jsonrpc":"2.0","id":1,"result":{"n":1}}"#.to_owned()).unwrap();
    assert!(event(&mut first).contains(r#""n":1"#));
    assert!(event(&mut second).contains(r#""n":2"#));
    drop((first, second));
    tell.send(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#.to_owned()).unwrap();
    assert!(event(&mut hears).contains("list_changed"));
    let posted: Vec<_> = server.got().into_iter().filter(|got| got.head.starts_with("POST")).collect();
    assert!(
        posted.iter().all(|got| got.head.starts_with("POST /messages?id=1 ") && !got.head.contains("mcp-session-id"))
    );
    // Its end is the end of the stream, and nobody is answered on it any longer.
    let end = Request { method: Method::Delete, ..listen.clone() };
    assert_eq!(send(&transport, &end).unwrap().head.status, 200);
    let over = hears.read().map(|_| ());
    assert_eq!(
        failure(over, server.address),
        (Stage::Body, Sent::Nothing, "reading the answer of HOST:PORT: the stream has ended".to_owned())
    );
    assert_eq!(send(&transport, &asks(3, "c", Some(&session))).unwrap().head.status, 404);
    assert_eq!(send(&transport, &listen).unwrap().head.status, 404);
}

on_both!(messages_are_posted_only_to_where_the_stream_came_from);
fn messages_are_posted_only_to_where_the_stream_came_from() {
    let (server, _tell) = backend("http://elsewhere.example/messages");
    assert_eq!(
        failure(send(&Either::over_sse(&server.url()), &asks(0, "initialize", None)), server.address),
        (
            Stage::FirstByte,
            Sent::Nothing,
            "http://HOST:PORT/mcp names the endpoint http://elsewhere.example/messages; expected the same scheme, host and \
             port as the stream's"
                .to_owned()
        )
    );
    assert!(server.got().iter().all(|got| got.head.starts_with("GET")));
}

on_both!(what_is_no_stream_is_said);
fn what_is_no_stream_is_said() {
    let server = Server::saying("HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(
        failure(send(&Either::over_sse(&server.url()), &asks(0, "initialize", None)), server.address),
        (
            Stage::FirstByte,
            Sent::Nothing,
            "http://HOST:PORT/mcp answered GET with status 405 and content type \"none\"; expected 200 and \
             \"text/event-stream\""
                .to_owned()
        )
    );
    let server = Server::saying_and_closing("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: nothing\n\n");
    assert_eq!(
        failure(send(&Either::over_sse(&server.url()), &asks(0, "initialize", None)), server.address),
        (
            Stage::FirstByte,
            Sent::Nothing,
            "the stream of http://HOST:PORT/mcp ended before an `endpoint` event".to_owned()
        )
    );
}

on_both!(a_call_on_a_stream_that_says_nothing_is_late_or_cancelled_as_any);
fn a_call_on_a_stream_that_says_nothing_is_late_or_cancelled_as_any() {
    let (server, _tell) = backend("/messages");
    let transport = Either::over_sse(&server.url());
    let mut opened = send(&transport, &asks(0, "initialize", None)).unwrap();
    let session = opened.head.header(header::SESSION_ID).unwrap().to_owned();
    event(&mut opened);
    let short = Timeouts { idle: Some(Duration::from_millis(40)), ..Timeouts::default() };
    let mut late = transport.send(&asks(1, "a", Some(&session)), &short, &Cancel::new()).unwrap();
    assert_eq!(
        failure(late.read().map(|_| ()), server.address),
        (Stage::Body, Sent::Maybe, "HOST:PORT sent no more of its answer for 40ms".to_owned())
    );
    let cancel = Cancel::new();
    let mut stopped = transport.send(&asks(2, "b", Some(&session)), &Timeouts::default(), &cancel).unwrap();
    cancel.cancel();
    assert_eq!(failure(stopped.read().map(|_| ()), server.address).0, Stage::Cancelled);
}
