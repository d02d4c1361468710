//! Strategies that make credentials for each caller, as a backend and a token endpoint on loopback see them.
//!
//! Authorization servers of others are tried in `peers`.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use vmcp_core::mcp::base64::{self, Alphabet};
use vmcp_native::server::{Options, Server};

use crate::backend::{answer, plain, request};
use crate::http::{Answer, send};
use crate::issuer::{Issuer, Signer};
use crate::{ACCEPT, JSON, eventually, offer_text, open_session, rpc, serve_all, tools};

/// A token endpoint and a backend in one: what each was sent.
#[derive(Clone, Default)]
struct World(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// Forms that came to the token endpoint, with what the client proved itself by.
    forms: Vec<BTreeMap<String, String>>,
    /// What came to the backend: method and `Authorization`.
    calls: Vec<(String, Option<String>)>,
    /// All headers of what came to it.
    headers: Vec<Vec<(String, String)>>,
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
        let grant = form.get("requested_token_type").is_some_and(|kind| kind.ends_with("id-jag"));
        let number = {
            let mut seen = self.0.lock().unwrap();
            seen.forms.push(form);
            seen.forms.len()
        };
        let kind = "urn:ietf:params:oauth:token-type:";
        let answer = if grant {
            // An ID-JAG, whose signature only its audience can verify.
            let part = |value: Value| base64::encode(Alphabet::Url, value.to_string().as_bytes());
            let claims = part(json!({"aud": "https://as.example", "jti": number}));
            let token = format!("{}.{claims}.c2ln", part(json!({"typ": "oauth-id-jag+jwt"})));
            json!({"access_token": token, "token_type": "N_A", "issued_token_type": format!("{kind}id-jag")})
        } else {
            json!({"access_token": format!("token-{number}"), "token_type": "Bearer", "expires_in": 3600,
                "issued_token_type": format!("{kind}access_token")})
        };
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
            seen.headers.push(headers.clone());
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
            "tools/call" => {
                let session = headers.iter().find(|(name, _)| name == "mcp-session-id").map(|(_, value)| value);
                json!({"content": [{"type": "text", "text": authorization}], "structuredContent": {"session": session}})
            }
            "server/discover" => return plain(out, 404, None, "").is_ok(),
            _ => return plain(out, 202, None, "").is_ok(),
        };
        let session = match method.as_str() {
            "initialize" => format!("s{}", self.0.lock().unwrap().calls.len()),
            _ => headers.iter().find(|(name, _)| name == "mcp-session-id").map_or(String::new(), |(_, id)| id.clone()),
        };
        plain(out, 200, Some(&session), &answer(&body, "result", result)).is_ok()
    }

    fn calls(&self, method: &str) -> Vec<Option<String>> {
        let seen = self.0.lock().unwrap();
        seen.calls.iter().filter(|(name, _)| name == method).map(|(_, value)| value.clone()).collect()
    }
}

/// The same behind an issuer.
fn guarded(issuer: &Issuer, token_url: &str, url: &str) -> Server {
    let text = exchanging(token_url).replace("{type: anonymous}", &issuer.incoming(""));
    serve_all(offer_text("streamable-http", &[("b", url)], &text, ""), Options::default())
}

/// Sends a message with this token, in this session.
fn send_as(server: &Server, token: &str, session: Option<&str>, body: &Value, more: &[(&str, &str)]) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![JSON, ACCEPT, ("authorization", bearer.as_str())];
    headers.extend(session.map(|id| ("mcp-session-id", id)));
    headers.extend(more);
    send(server.address(), "POST", "/mcp", &headers, body.to_string().as_bytes())
}

fn enter(server: &Server, token: &str) -> String {
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    let answer = send_as(server, token, None, &initialize, &[]);
    assert_eq!(answer.status, 200);
    answer.header("mcp-session-id").unwrap().to_owned()
}

/// What the backend was called with, and in which session of its own.
fn called_with(server: &Server, token: &str, session: &str, more: &[(&str, &str)]) -> (String, String) {
    let call = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "b_t", "arguments": {}}});
    let answer = send_as(server, token, Some(session), &call, more).json();
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    (text(&answer["result"]["content"][0]["text"]), text(&answer["result"]["structuredContent"]["session"]))
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

#[test]
fn each_caller_reaches_the_backend_with_what_was_made_of_the_caller_s_own_token() {
    let signer = Signer::new("ES256", "k");
    let issuer = Issuer::start(&[&signer]);
    let world = World::default();
    let (token_url, url) = world.start();
    let server = guarded(&issuer, &token_url, &url);
    let token = |subject: &str| signer.token(&issuer.claims(subject), &Value::Null);
    let (ann, bob) = (token("ann"), token("bob"));
    let (anns, bobs) = (enter(&server, &ann), enter(&server, &bob));
    let (of_ann, session_of_ann) = called_with(&server, &ann, &anns, &[]);
    let (of_bob, session_of_bob) = called_with(&server, &bob, &bobs, &[]);
    assert_ne!(of_ann, of_bob);
    assert_ne!(session_of_ann, session_of_bob);
    assert_eq!(called_with(&server, &ann, &anns, &[]), (of_ann.clone(), session_of_ann));
    let subjects = || {
        let seen = world.0.lock().unwrap();
        seen.forms.iter().filter_map(|form| form.get("subject_token").cloned()).collect::<Vec<_>>()
    };
    let mut asked = subjects();
    asked.sort();
    let mut expected = vec![ann.clone(), bob.clone()];
    expected.sort();
    assert_eq!(asked, expected, "once for each, whatever they ask for");
    let form =
        world.0.lock().unwrap().forms.iter().find(|form| form.get("subject_token") == Some(&ann)).cloned().unwrap();
    assert_eq!(form["grant_type"], "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange");
    assert_eq!((form["audience"].as_str(), form["authorization"].as_str()), ("b", "Basic Z2F0ZXdheTpzM2NyM3Q="));
    // What a caller sees is asked for with the caller's own, too.
    let list = json!({"jsonrpc": "2.0", "id": 4, "method": "tools/list", "params": {}});
    assert_eq!(send_as(&server, &ann, Some(&anns), &list, &[]).json()["result"]["tools"][0]["name"], "b_t");
    assert!(world.calls("tools/list").contains(&Some(of_ann.clone())));
    // The caller's own token goes to nobody but the token endpoint.
    let seen = world.0.lock().unwrap();
    assert!(!format!("{:?}", seen.headers).contains(&ann) && !format!("{:?}", seen.headers).contains(&bob));
    drop(seen);

    // A new token of the same caller, in the same session: it is exchanged anew.
    let mut claims = issuer.claims("ann");
    claims["jti"] = json!("renewed");
    let renewed = signer.token(&claims, &Value::Null);
    let (of_renewed, _) = called_with(&server, &renewed, &anns, &[]);
    assert!(of_renewed != of_ann && subjects().contains(&renewed));
    server.stop();
}

#[test]
fn a_token_that_the_backend_refuses_is_replaced_once_and_the_call_made_once() {
    let signer = Signer::new("ES256", "k");
    let issuer = Issuer::start(&[&signer]);
    let world = World::default();
    let (token_url, url) = world.start();
    let server = guarded(&issuer, &token_url, &url);
    let ann = signer.token(&issuer.claims("ann"), &Value::Null);
    let session = enter(&server, &ann);
    let (first, _) = called_with(&server, &ann, &session, &[]);
    world.0.lock().unwrap().revoked.push(first.clone());
    let (second, _) = called_with(&server, &ann, &session, &[]);
    assert_ne!(first, second);
    let good = world.calls("tools/call").into_iter().filter(|token| token.as_deref() == Some(&second)).count();
    assert_eq!(good, 1);
    // One that is never taken is an error of the backend's, which is not shown to the client as its own 401.
    world.0.lock().unwrap().revoked.extend((0..100).map(|number| format!("Bearer token-{number}")));
    let call = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "b_t", "arguments": {}}});
    let mut answer = send_as(&server, &ann, Some(&session), &call, &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("www-authenticate"), None);
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("backend `b`: ") && message.contains("status is 401"), "{message}");
    server.stop();
}

#[test]
fn a_grant_of_the_identity_provider_opens_the_backend_s_own_authorization_server() {
    let signer = Signer::new("ES256", "k");
    let issuer = Issuer::start(&[&signer]);
    let world = World::default();
    let (token_url, url) = world.start();
    let text = format!(
        "incomingAuth: {}\noutgoingAuth: {{source: inline, default: {{type: xaa, xaa: {{idpTokenUrl: \"{token_url}\", idpClientId: g, \
         idpClientSecret: s, targetTokenUrl: \"{token_url}\", targetClientId: t, targetClientSecret: s, targetAudience: \
         \"https://as.example\"}}}}}}",
        issuer.incoming("")
    );
    let server = serve_all(offer_text("streamable-http", &[("b", &url)], &text, ""), Options::default());
    let ann = signer.token(&issuer.claims("ann"), &Value::Null);
    let session = enter(&server, &ann);
    let (token, _) = called_with(&server, &ann, &session, &[]);
    assert!(token.starts_with("Bearer token-"));
    let seen = world.0.lock().unwrap();
    let exchanges: Vec<_> = seen.forms.iter().filter(|form| form["grant_type"] != "client_credentials").collect();
    let [first, second] = &exchanges[..] else { panic!("{exchanges:?}") };
    assert_eq!(first["subject_token"], ann);
    assert_eq!(first["audience"], "https%3A%2F%2Fas.example");
    assert_eq!(second["grant_type"], "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer");
    assert_eq!(second["assertion"].split('.').count(), 3);
    drop(seen);
    server.stop();
}

#[test]
fn configured_headers_of_a_client_reach_the_backend_and_no_others() {
    let backend = crate::stage::Stage::start(json!({"tools": {}}));
    let text = "incomingAuth: {type: anonymous}\noutgoingAuth: {source: inline}";
    // The last two would be the gateway's own words; that they are configured makes no difference.
    let more = "passthroughHeaders: [X-Tenant, x-empty, X-Missing, Accept, Mcp-Session-Id]";
    let server = serve_all(offer_text("streamable-http", &[("b", &backend.url())], text, more), Options::default());
    let session = open_session(server.address());
    let ask = |tenant: &'static str, id: u32| {
        let (address, session) = (server.address(), session.clone());
        thread::spawn(move || {
            let call =
                json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "b_t", "arguments": {}}});
            let headers = [
                JSON,
                ACCEPT,
                ("mcp-session-id", &session),
                ("x-tenant", tenant),
                ("X-Tenant", "second"),
                ("x-empty", ""),
                ("x-other", "no"),
                ("cookie", "a=b"),
                ("authorization", "Bearer of the client"),
            ];
            send(address, "POST", "/mcp", &headers, call.to_string().as_bytes()).json()
        })
    };
    for (id, tenant) in [(5, "acme"), (6, "other")] {
        let asked = ask(tenant, id);
        let cue = backend.cue("tools/call");
        assert_eq!(cue.header("x-tenant"), Some(tenant));
        for absent in ["x-empty", "x-missing", "x-other", "cookie", "authorization"] {
            assert_eq!(cue.header(absent), None, "{absent}");
        }
        assert_eq!(cue.headers.iter().filter(|(name, _)| name == "accept").count(), 1);
        assert_ne!(cue.header("mcp-session-id"), Some(session.as_str()));
        cue.result(json!({"content": []}));
        assert!(asked.join().unwrap()["result"].is_object());
    }
    server.stop();
}
