//! What browsers want to know before a page of another origin may call, and read what comes back (Fetch, CORS protocol).
//!
//! It decides nothing about origins; the guard does.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN, VARY,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::reply::{Reply, bare};

/// Headers that clients send (2025-11-25, basic/transports; 2026-07-28, streamable-http).
const SENT: [&str; 8] = [
    "accept",
    "authorization",
    "content-type",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
];
/// Headers of answers that clients read.
const READ: &str = "mcp-session-id, www-authenticate, retry-after";
/// Seconds for which a browser need not ask again: as long as most of them believe.
const BELIEVED: &str = "7200";

/// The headers that a page wants to send, if a browser asks whether it may (CORS-preflight request).
pub(super) fn asked_by_a_page(head: &Parts) -> Option<Vec<String>> {
    if head.method != Method::OPTIONS || !head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let wanted = head.headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter().filter_map(|value| value.to_str().ok());
    let wanted = wanted.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
    Some(wanted.filter(|name| !name.is_empty()).collect())
}

/// What may be sent: what clients do send, and arguments that headers repeat, whose names are the tools' own.
pub(super) fn may_be_sent(wanted: &[String]) -> Reply {
    let is_argument = |name: &&String| {
        let rest = name.strip_prefix("mcp-param-");
        rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)))
    };
    let names: Vec<_> = SENT.into_iter().chain(wanted.iter().filter(is_argument).map(String::as_str)).collect();
    let mut reply = bare(StatusCode::NO_CONTENT);
    let headers = reply.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
    if let Ok(names) = HeaderValue::try_from(names.join(", ")) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(BELIEVED));
    reply
}

/// Lets the page of this origin read the answer; no other may be given it from a cache.
pub(super) fn share(reply: &mut Reply, origin: Option<HeaderValue>) {
    let headers = reply.headers_mut();
    headers.append(VARY, HeaderValue::from_name(ORIGIN));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn asks(method: &str, headers: &[(&str, &str)]) -> Option<Vec<String>> {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        asked_by_a_page(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_browser_that_asks_is_told_what_clients_send() {
        let method = ("access-control-request-method", "POST");
        assert_eq!(asks("OPTIONS", &[]), None);
        assert_eq!(asks("POST", &[method]), None);
        let wanted =
            [method, ("access-control-request-headers", "Content-Type, mcp-param-Region,x-other,mcp-param-a b")];
        let wanted = asks("OPTIONS", &wanted).unwrap();
        assert_eq!(wanted, ["content-type", "mcp-param-region", "x-other", "mcp-param-a b"]);
        let mut reply = may_be_sent(&wanted);
        let allowed = reply.headers()[ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap().to_owned();
        assert_eq!(allowed, format!("{}, mcp-param-region", SENT.join(", ")));
        share(&mut reply, Some(HeaderValue::from_static("https://app.example")));
        assert_eq!(reply.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
        let vary = &reply.headers()[VARY];
        assert_eq!((reply.status(), vary), (StatusCode::NO_CONTENT, &HeaderValue::from_static("origin")));
        let mut other = bare(StatusCode::OK);
        share(&mut other, None);
        assert!(!other.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) && other.headers().contains_key(VARY));
    }
}
