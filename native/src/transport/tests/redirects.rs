//! Which redirects are followed.

use super::*;

on_both!(a_message_is_repeated_where_307_and_308_lead);
fn a_message_is_repeated_where_307_and_308_lead() {
    for status in ["307 Temporary Redirect", "308 Permanent Redirect"] {
        let server = Server::new(move |stream, got| match got.head.starts_with("POST /mcp ") {
            true => say(stream, &format!("HTTP/1.1 {status}\r\nlocation: /mcp/?a=b\r\ncontent-length: 4\r\n\r\nmove")),
            false => say(stream, OK),
        });
        let credentials = Credentials::Header { name: "x-key".to_owned(), value: Secret::new("k") };
        let transport = transport_with(&server.url(), &credentials, &[], &plain());
        assert_eq!(call(&transport, &post("{}")).unwrap(), "ok");
        let got = server.got();
        assert_eq!((got.len(), server.connections()), (2, 1));
        assert!(got[1].head.starts_with("POST /mcp/?a=b HTTP/1.1"));
        assert!(got[1].head.contains("\r\nx-key: k\r\n"));
        assert_eq!(got[1].body, "{}");
    }
}

on_both!(other_redirects_are_refused_by_name);
fn other_redirects_are_refused_by_name() {
    let there = Server::saying(OK);
    let elsewhere = format!("http://{}/mcp", there.address);
    for (method, status, location, message) in [
        (
            Method::Post,
            "307 x",
            elsewhere.as_str(),
            "http://HOST:PORT/mcp answered 307 and leads to ELSEWHERE; only the same host and port are followed, and \
             never from https to http",
        ),
        (
            Method::Get,
            "302 x",
            "//other.example/",
            "http://HOST:PORT/mcp answered 302 and leads to http://other.example/; only the same host and port are \
             followed, and never from https to http",
        ),
        (
            Method::Post,
            "302 x",
            "/mcp/",
            "http://HOST:PORT/mcp answered 302 and leads to http://HOST:PORT/mcp/; a message is repeated only by 307 \
             and 308",
        ),
        (
            Method::Delete,
            "303 x",
            "/mcp/",
            "http://HOST:PORT/mcp answered 303 and leads to http://HOST:PORT/mcp/; a message is repeated only by 307 \
             and 308",
        ),
        (Method::Get, "301 x", "", "http://HOST:PORT/mcp answered 301 without a location"),
        (
            Method::Get,
            "301 x",
            "ftp://a/",
            "http://HOST:PORT/mcp answered 301 with a location that cannot be followed: its scheme is `ftp`; expected \
             `http` or `https`",
        ),
    ] {
        let line = if location.is_empty() { String::new() } else { format!("location: {location}\r\n") };
        let server =
            Server::new(move |stream, _| say(stream, &format!("HTTP/1.1 {status}\r\n{line}content-length: 0\r\n\r\n")));
        let (stage, sent, text) = failure(send(&server.transport(), &request(method)), server.address);
        assert_eq!((stage, sent), (Stage::FirstByte, Sent::Maybe));
        assert_eq!(text.replace(&elsewhere, "ELSEWHERE"), message);
    }
    assert_eq!(there.connections(), 0);
}

on_both!(redirects_end);
fn redirects_end() {
    let server = Server::saying("HTTP/1.1 302 x\r\nlocation: /mcp\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(
        failure(send(&server.transport(), &request(Method::Get)), server.address),
        (
            Stage::FirstByte,
            Sent::Maybe,
            "11 redirects led from http://HOST:PORT/mcp on; at most 10 are followed".to_owned()
        )
    );
    assert_eq!((server.got().len(), server.connections()), (11, 1));
}

on_both!(other_statuses_of_300_are_answers);
fn other_statuses_of_300_are_answers() {
    for answer in ["HTTP/1.1 304 Not Modified\r\n\r\n", "HTTP/1.1 300 x\r\ncontent-length: 0\r\n\r\n"] {
        let server = Server::saying(answer);
        assert!(matches!(send(&server.transport(), &post("{}")).unwrap().head.status, 300 | 304));
    }
}
