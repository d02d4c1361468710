//! Strategies that make credentials for each caller, as a backend and a token endpoint on loopback see them.
//!
//! Authorization servers of others are tried in `peers`.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use vmcp_native::server::Options;

use crate::backend::{answer, plain, request};
use crate::{eventually, offer_text, open_session, rpc, serve_all, tools};

/// A token endpoint and a backend in one: what each was sent.
#[derive(Clone, Default)]
struct World(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// Forms that came to the token endpoint, with what the client proved itself by.
    forms: Vec<BTreeMap<String, String>>,
    /// What came to the backend: method and `Authorization`.
    calls: Vec<(String, Option<String>)>,
    /// Tokens that the backend takes no longer.
    revoked: Vec<String>,
}

impl World {
    /// The URLs of the token endpoint and of the backend.
    fn start(&self) -> (String, String) {
        let serve = |work: fn(&Self, &mut BufReader<TcpStream>) -> bool| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let world = self.clone();
            thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    let world = world.clone();
                    thread::spawn(move || {
                        let mut stream = BufReader::new(stream);
                        while work(&world, &mut stream) {}
                    });
                }
            });
            address
        };
        (format!("http://{}/token", serve(Self::token)), format!("http://{}/mcp", serve(Self::mcp)))
    }

    fn token(&self, stream: &mut BufReader<TcpStream>) -> bool {
        let Some((_, headers, body)) = request(stream) else { return false };
        let text = String::from_utf8(body).unwrap();
        let mut form: BTreeMap<String, String> = text
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        let basic = headers.into_iter().find(|(name, _)| name == "authorization");
        form.extend(basic.map(|(_, value)| ("authorization".to_owned(), value)));
        let number = {
            let mut seen = self.0.lock().unwrap();
            seen.forms.push(form);
            seen.forms.len()
        };
        let kind = "urn:ietf:params:oauth:token-type:access_token";
        let answer =
            json!({"access_token": format!("token-{number}"), "token_type": "Bearer", "issued_token_type": kind});
        plain(stream.get_mut(), 200, None, &answer.to_string()).is_ok()
    }

    fn mcp(&self, stream: &mut BufReader<TcpStream>) -> bool {
        let Some((_, headers, body)) = request(stream) else { return false };
        let authorization = headers.iter().find(|(name, _)| name == "authorization").map(|(_, value)| value.clone());
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let method = body["method"].as_str().unwrap_or_default().to_owned();
        let good = {
            let mut seen = self.0.lock().unwrap();
            seen.calls.push((method.clone(), authorization.clone()));
            authorization.as_deref().and_then(|value| value.strip_prefix("Bearer token-")).is_some()
                && !seen.revoked.iter().any(|token| authorization.as_deref() == Some(token))
        };
        let out = stream.get_mut();
        if !good {
            let head = "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer realm=\"the backend's\"\r\ncontent-length: 0\r\n\r\n";
            return out.write_all(head.as_bytes()).is_ok();
        }
        let result = match method.as_str() {
            "initialize" => json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                "serverInfo": {"name": "b", "version": "1"}}),
            "tools/list" => json!({"tools": [{"name": "t", "inputSchema": {"type": "object"}}]}),
            "tools/call" => json!({"content": [{"type": "text", "text": authorization}]}),
            "server/discover" => return plain(out, 404, None, "").is_ok(),
            _ => return plain(out, 202, None, "").is_ok(),
        };
        plain(out, 200, Some("s1"), &answer(&body, "result", result)).is_ok()
    }

    fn calls(&self, method: &str) -> Vec<Option<String>> {
        let seen = self.0.lock().unwrap();
        seen.calls.iter().filter(|(name, _)| name == method).map(|(_, value)| value.clone()).collect()
    }
}

/// An `outgoingAuth` whose default exchanges tokens there.
fn exchanging(token_url: &str) -> String {
    format!(
        "incomingAuth: {{type: anonymous}}\noutgoingAuth: {{source: inline, default: {{type: token_exchange, tokenExchange: {{tokenUrl: \"{token_url}\", \
         clientId: gateway, clientSecret: s3cr3t, audience: b}}}}}}"
    )
}

#[test]
fn an_anonymous_caller_gets_a_clear_error_and_the_backend_is_not_called() {
    let world = World::default();
    let (token_url, url) = world.start();
    let server =
        serve_all(offer_text("streamable-http", &[("b", &url)], &exchanging(&token_url), ""), Options::default());
    let session = open_session(server.address());
    // The gateway itself asks for lists, with credentials of its own.
    eventually("the list is there", || tools(server.address(), &session) == ["b_t"]);
    assert!(world.calls("tools/list").iter().all(|token| token.as_deref() == Some("Bearer token-1")));
    let answer = rpc(server.address(), &session, 7, "tools/call", json!({"name": "b_t", "arguments": {}})).json();
    assert_eq!(
        answer["error"]["message"],
        "backend `b`: tools/call: the backend was not called: strategy `token_exchange` needs the caller's own token, and \
         the caller has none; the tool was not called",
        "{answer}"
    );
    assert!(world.calls("tools/call").is_empty());
    let seen = world.0.lock().unwrap();
    assert_eq!(seen.forms.len(), 1, "asked once, for the gateway");
    assert_eq!(seen.forms[0]["grant_type"], "client_credentials");
    assert_eq!(seen.forms[0]["authorization"], "Basic Z2F0ZXdheTpzM2NyM3Q=");
    drop(seen);
    server.stop();
}

#[test]
fn what_the_gateway_was_given_for_itself_is_asked_for_once_more_when_it_is_refused() {
    let world = World::default();
    world.0.lock().unwrap().revoked.push("Bearer token-1".to_owned());
    let (token_url, url) = world.start();
    let server =
        serve_all(offer_text("streamable-http", &[("b", &url)], &exchanging(&token_url), ""), Options::default());
    let session = open_session(server.address());
    eventually("the list is there", || tools(server.address(), &session) == ["b_t"]);
    assert_eq!(world.0.lock().unwrap().forms.len(), 2);
    assert!(world.calls("tools/list").iter().all(|token| token.as_deref() == Some("Bearer token-2")));
    server.stop();
}
