//! Where an answer ends, and answers of which nobody could say.

use super::*;

on_both!(bodies_end_where_their_framing_says);
fn bodies_end_where_their_framing_says() {
    for (answer, body) in [
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "abcde"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"),
        ("HTTP/1.0 200 OK\r\n\r\nold", "old"),
        ("HTTP/1.1 204 No Content\r\n\r\n", ""),
        ("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n", ""),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            "ok",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok", "ok"),
        ("HTTP/1.1 200 OK\r\ncontent-encoding: identity\r\ncontent-length: 2\r\n\r\nok", "ok"),
    ] {
        let server = Server::saying_and_closing(answer);
        assert_eq!(call(&server.transport(), &post("{}")).unwrap(), body, "{answer:?}");
    }
}

on_both!(a_body_that_does_not_end_as_it_said_is_a_failure);
fn a_body_that_does_not_end_as_it_said_is_a_failure() {
    for (answer, stage, message) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok",
            Stage::Lost,
            "HOST:PORT closed the connection after 2 bytes of its answer, before its end",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe",
            Stage::Lost,
            "HOST:PORT closed the connection after 2 bytes of its answer, before its end",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhe\r\n",
            Stage::Body,
            "the answer of HOST:PORT is not framed as HTTP/1.1 after 0 bytes: chunk length cannot be read as a number",
        ),
    ] {
        let server = Server::saying_and_closing(answer);
        let response = send(&server.transport(), &post("{}")).unwrap();
        assert_eq!(failure(whole(response), server.address), (stage, Sent::Maybe, message.to_owned()));
    }
}

on_both!(after_a_failure_reading_fails_again);
fn after_a_failure_reading_fails_again() {
    let server = Server::saying_and_closing("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok");
    let mut response = send(&server.transport(), &post("{}")).unwrap();
    assert_eq!(response.read().unwrap(), Some(&b"ok"[..]));
    let first = response.read().unwrap_err();
    assert_eq!(response.read().unwrap_err(), first);
}

on_both!(an_answer_that_leaves_doubt_is_refused);
fn an_answer_that_leaves_doubt_is_refused() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x-y: z\r\n".repeat(129));
    let large = format!("HTTP/1.1 200 OK\r\nx-large: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(64 * 1024));
    for (answer, message) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "the answer of HOST:PORT has both transfer-encoding and content-length; expected one of them",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
            "the answer of HOST:PORT is not HTTP/1.1: conflicting content-length headers",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok",
            "the answer of HOST:PORT is not HTTP/1.1: content-length header not a number",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "the answer of HOST:PORT has a transfer-encoding other than `chunked`",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "the answer of HOST:PORT has a transfer-encoding other than `chunked`",
        ),
        (
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "the answer of HOST:PORT has transfer-encoding in HTTP/1.0, which knows none",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nok",
            "the answer of HOST:PORT has the content-encoding `gzip`, which was not asked for",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
            "the answer of HOST:PORT switches the protocol, which was not asked for",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", "the answer of HOST:PORT is not HTTP/1.1: http parse fail: invalid HTTP version"),
        ("HTTP/1.1 200 OK\r\nx: y\r\n", "HOST:PORT closed the connection in the head of its answer"),
        ("", "HOST:PORT closed the connection without an answer"),
        (&many, "the answer of HOST:PORT has more than 128 header lines, all that are read"),
        (&large, "the answer of HOST:PORT has a head of more than 65536 bytes, all that are read"),
    ] {
        let text = answer.to_owned();
        let server = Server::new(move |stream, _| {
            say(stream, &text);
            Then::Close
        });
        let refused = failure(send(&server.transport(), &post("{}")), server.address);
        assert_eq!(refused, (Stage::FirstByte, Sent::Maybe, message.to_owned()), "{answer:.80}");
    }
}

on_both!(a_head_of_almost_64_kib_is_read);
fn a_head_of_almost_64_kib_is_read() {
    let server = Server::new(|stream, _| {
        let head = format!("HTTP/1.1 200 OK\r\nx-large: {}\r\ncontent-length: 2\r\n\r\nok", "x".repeat(65_000));
        say(stream, &head)
    });
    let response = send(&server.transport(), &post("{}")).unwrap();
    assert_eq!(response.head.header("x-large").unwrap().len(), 65_000);
    assert_eq!(whole(response).unwrap(), "ok");
}

on_both!(a_body_that_is_too_large_is_an_error);
fn a_body_that_is_too_large_is_an_error() {
    let limited = TransportOptions { body_limit: 10, ..plain() };
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789", Ok("0123456789")),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n",
            Err("the answer of HOST:PORT has 11 bytes; at most 10 are read"),
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n",
            Err("the answer of HOST:PORT has more than 10 bytes, all that are read"),
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n0123456789a",
            Err("the answer of HOST:PORT has more than 10 bytes, all that are read"),
        ),
    ] {
        let server = Server::saying_and_closing(answer);
        let result = call(&transport(&server.url(), &limited), &post("{}"));
        match expected {
            Ok(body) => assert_eq!(result.unwrap(), body),
            Err(message) => {
                assert_eq!(failure(result, server.address), (Stage::Body, Sent::Maybe, message.to_owned()));
            }
        }
    }
    // A standing event stream has no end and so no bound.
    let server = Server::saying_and_closing("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n0123456789a");
    assert_eq!(call(&transport(&server.url(), &limited), &request(Method::Get)).unwrap(), "0123456789a");
}

on_both!(events_arrive_as_they_are_sent);
fn events_arrive_as_they_are_sent() {
    let (next, may) = mpsc::channel::<()>();
    let may = Mutex::new(may);
    let server = Server::new(move |stream, _| {
        say(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
        for chunk in ["b\r\ndata: one\n\n\r\n", "b\r\ndata: two\n\n\r\n"] {
            say(stream, chunk);
            may.lock().unwrap().recv().unwrap();
        }
        say(stream, "0\r\n\r\n")
    });
    let mut response = send(&server.transport(), &post("{}")).unwrap();
    assert_eq!(response.read().unwrap(), Some(&b"data: one\n\n"[..]));
    next.send(()).unwrap();
    assert_eq!(response.read().unwrap(), Some(&b"data: two\n\n"[..]));
    next.send(()).unwrap();
    assert_eq!(response.read().unwrap(), None);
    assert_eq!(response.read().unwrap(), None);
}
