//! What a request carries, and what it never carries.

use super::*;

fn header(name: &str, value: &str) -> (String, Secret) {
    (name.to_owned(), Secret::new(value))
}

on_both!(credentials_override_forwarded_headers_and_neither_replaces_the_protocols);
fn credentials_override_forwarded_headers_and_neither_replaces_the_protocols() {
    let server = Server::saying(OK);
    let credentials = Credentials::Header { name: "X-Api-Key".to_owned(), value: Secret::new("the key") };
    let forwarded = [
        header("X-Toolset", "repos"),
        header("x-api-key", "not this one"),
        header("Accept", "text/html"),
        header("Mcp-Session-Id", "stolen"),
        header("Mcp-Param-X", "no"),
        header("X-Already", "forwarded"),
    ];
    let transport = transport_with(&server.url(), &credentials, &forwarded, &plain());
    let mut request = post("{}");
    request.headers.push(("accept".to_owned(), "application/json, text/event-stream".to_owned()));
    request.headers.push(("x-already".to_owned(), "the request's".to_owned()));
    call(&transport, &request).unwrap();
    let mut lines: Vec<_> = server.got()[0].head.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    let host = format!("host: {}", server.address);
    assert_eq!(
        lines,
        [
            "",
            "POST /mcp HTTP/1.1",
            "accept: application/json, text/event-stream",
            "content-length: 2",
            "content-type: application/json",
            host.as_str(),
            "user-agent: vmcp/test",
            "x-already: the request's",
            "x-api-key: the key",
            "x-toolset: repos",
        ]
    );
}

on_both!(a_get_and_a_delete_have_no_body);
fn a_get_and_a_delete_have_no_body() {
    let server = Server::saying(OK);
    let transport = server.transport();
    for (method, line) in [(Method::Get, "GET /mcp HTTP/1.1"), (Method::Delete, "DELETE /mcp HTTP/1.1")] {
        call(&transport, &request(method)).unwrap();
        let head = server.got().last().unwrap().head.clone();
        assert!(head.starts_with(line) && !head.contains("content-length") && !head.contains("accept"), "{head}");
    }
}

on_both!(headers_that_would_end_a_line_are_not_sent);
fn headers_that_would_end_a_line_are_not_sent() {
    let server = Server::saying(OK);
    let transport = server.transport();
    for (name, value, message) in [
        ("x", "a\r\nevil: 1", "the value of header `x` cannot be sent; it has a control character"),
        ("x", "a\0", "the value of header `x` cannot be sent; it has a control character"),
        ("x\r\nevil", "1", "header name \"x\\r\\nevil\" cannot be sent; expected a token"),
        ("", "1", "header name \"\" cannot be sent; expected a token"),
    ] {
        let mut request = post("{}");
        request.headers.push((name.to_owned(), value.to_owned()));
        assert_eq!(
            failure(send(&transport, &request), server.address),
            (Stage::Send, Sent::Nothing, message.to_owned())
        );
    }
    assert_eq!(server.connections(), 0);
    let made = |credentials: &Credentials, forwarded: &[(String, Secret)]| {
        let tls = trusting(Vec::new());
        let endpoint = Endpoint::parse(&server.url()).unwrap();
        Either::with_tls(&endpoint, credentials, forwarded, [Arc::clone(&tls), tls], &plain()).unwrap_err().to_string()
    };
    let credentials =
        |name: &str, value: &str| Credentials::Header { name: name.to_owned(), value: Secret::new(value) };
    assert_eq!(
        made(&credentials("X-Key", "s3cr3t\r\n"), &[]),
        "header `X-Key` has a value with a control character; only tab is accepted"
    );
    assert_eq!(
        made(&credentials("Mcp-Session-Id", "x"), &[]),
        "header `Mcp-Session-Id` is one of the protocol's; credentials cannot be sent in it"
    );
    assert_eq!(
        made(&Credentials::Unauthenticated, &[header("Host", "evil.example")]),
        "header `Host` is restricted; it is made by the connection itself"
    );
}

on_both!(no_credential_is_shown);
fn no_credential_is_shown() {
    let server = Server::saying_and_closing("");
    let credentials = Credentials::Header { name: "X-Api-Key".to_owned(), value: Secret::new("s3cr3t") };
    let url = format!("{}?key=s3cr3t", server.url());
    let transport = transport_with(&url, &credentials, &[header("X-Other", "s3cr3t")], &plain());
    let failure = send(&transport, &post("s3cr3t")).unwrap_err();
    assert!(!format!("{transport:?} {failure:?} {failure}").contains("s3cr3t"));
    assert!(server.got()[0].head.starts_with("POST /mcp?key=s3cr3t HTTP/1.1"));
}
