//! Callers with tokens of an issuer that this project did not write: `oidc-provider` signs them, answers for opaque ones, and
//! changes its keys; the official TypeScript SDK finds it by what the gateway says. It also exchanges their tokens for those
//! that a backend wants (RFC 8693), which the backend verifies with the issuer's keys and a library of its own.
//!
//! What makes a single token good or bad is tried in `tests/tests/serve/identity.rs`.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde::Deserialize;
use serde_json::{Value, json};
use vmcp_core::mcp::base64::{self, Alphabet};
use vmcp_tests::Scratch;

use super::certificates::{Authority, days};
use super::clients::drive_with_credentials;
use super::gateway::{Backend, Gateway};
use super::processes::{PATIENCE, Process, node, peers};
use super::servers::{Kind, Server};

/// What the gateway is called by its clients.
const RESOURCE: &str = "https://gateway.example/mcp";
/// The audience of tokens for the backend.
const GUARDED: &str = "https://backend.example";
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
const PING: &str = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;

/// The issuer.
struct Issuer {
    address: String,
    _process: Process,
}

impl Issuer {
    fn start() -> Self {
        let process = Process::start("issuer", node().arg(peers().join("fixtures/issuer.mjs")));
        let port = process.wait_for("its port", |line| {
            let said: Value = serde_json::from_str(line).ok()?;
            said.get("port")?.as_u64()
        });
        Self { address: format!("127.0.0.1:{port}"), _process: process }
    }

    /// `incomingAuth` for its tokens.
    fn incoming(&self) -> String {
        format!(
            "{{type: oidc, oidc: {{issuer: 'http://{0}', audience: gateway, resource: '{RESOURCE}', scopes: [read], \
             clientId: gateway, clientSecretEnv: SECRET, introspectionUrl: 'http://{0}/token/introspection', \
             jwksAllowPrivateIp: true}}}}",
            self.address
        )
    }

    /// A JWT of a client.
    fn token(&self, id: &str) -> String {
        let basic = base64::encode(Alphabet::Standard, format!("{id}:{id}-secret").as_bytes());
        let headers = [
            ("authorization", format!("Basic {basic}")),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ];
        let form = "grant_type=client_credentials&scope=read&resource=https://gateway.example";
        let (status, _, body) = post(&self.address, "/token", &headers, form);
        assert_eq!(status, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// A token that only the issuer can read, of a user.
    fn opaque(&self, of: &str) -> String {
        let (status, _, token) = post(&self.address, &format!("/opaque?of={of}"), &[], "");
        assert_eq!(status, 200);
        token
    }
}

/// A backend that takes the issuer's tokens for itself and no others.
struct Guarded {
    address: String,
    _process: Process,
}

/// A request that it got.
#[derive(Debug, Deserialize)]
struct Seen {
    authorization: String,
    accepted: bool,
}

impl Guarded {
    fn start(issuer: &Issuer) -> Self {
        let mut command = node();
        command.arg(peers().join("fixtures/guarded.mjs")).arg(format!("http://{}", issuer.address)).arg(GUARDED);
        let process = Process::start("guarded", &mut command);
        let port = process.wait_for("its port", |line| {
            let said: Value = serde_json::from_str(line).ok()?;
            said.get("port")?.as_u64()
        });
        Self { address: format!("127.0.0.1:{port}"), _process: process }
    }

    /// It as the backend `name`, for which the issuer is asked for tokens of `audience`.
    fn backend(&self, name: &str, issuer: &Issuer, audience: &str) -> Backend {
        Backend::new(name, format!("http://{}/mcp", self.address)).strategy(format!(
            "{{type: token_exchange, tokenExchange: {{tokenUrl: 'http://{}/token', clientId: gateway, \
             clientSecretEnv: SECRET, audience: '{audience}', scopes: [read]}}}}",
            issuer.address
        ))
    }

    fn seen(&self) -> Vec<Seen> {
        let (status, _, body) = post(&self.address, "/seen", &[], "");
        assert_eq!(status, 200);
        serde_json::from_str(&body).unwrap()
    }
}

/// Claims of a JWT, whoever signed it.
fn claims(token: &str) -> Value {
    let claims = base64::decode(Alphabet::Url, token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

/// Status, session and body of a POST.
fn post(address: &str, path: &str, headers: &[(&str, String)], body: &str) -> (u16, Option<String>, String) {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    // 1.0, so that the answer is not cut into chunks.
    let mut head = format!("POST {path} HTTP/1.0\r\nhost: {address}\r\ncontent-length: {length}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    connection.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("mcp-session-id").then(|| value.trim().to_owned())
    };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.lines().find_map(header), body.to_owned())
}

/// Headers of a message, with a token if there is one.
fn headers(token: Option<&str>, session: Option<&str>) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("accept", "application/json, text/event-stream".to_owned()),
    ];
    headers.extend(token.map(|token| ("authorization", format!("Bearer {token}"))));
    headers.extend(session.map(|session| ("mcp-session-id", session.to_owned())));
    headers
}

/// Status and session of a message that a caller sends to the gateway.
fn send(gateway: &Gateway, token: &str, session: Option<&str>, message: &str) -> (u16, Option<String>) {
    let (status, session, _) = post(gateway.address(), "/mcp", &headers(Some(token), session), message);
    (status, session)
}

/// What a caller is told who opens a session and calls a tool that takes nothing.
fn calls(gateway: &Gateway, token: &str, tool: &str) -> Value {
    let (status, session) = send(gateway, token, None, INITIALIZE);
    assert_eq!(status, 200);
    let call = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": tool, "arguments": {}}});
    let headers = headers(Some(token), session.as_deref());
    let (status, _, body) = post(gateway.address(), "/mcp", &headers, &call.to_string());
    assert_eq!(status, 200, "{body}");
    // One message, or a stream of them that ends with the answer.
    let message = body.lines().filter_map(|line| line.strip_prefix("data:")).next_back().unwrap_or(&body);
    serde_json::from_str(message.trim()).unwrap_or_else(|error| panic!("{error}: {body}"))
}

#[test]
fn a_client_finds_the_issuer_by_what_the_gateway_says_and_calls_a_tool_with_its_token() {
    let scratch = Scratch::new();
    let issuer = Issuer::start();
    let authority = Authority::new("ca");
    let server = Server::start(Kind::Python2, "one", &authority.issue(super::NAMES, days(-1), days(7)), &scratch);
    let backend = Backend::new("one", server.url("localhost")).bundle(&scratch, authority.pem());
    let gateway = Gateway::guarded(&scratch, &issuer.incoming(), [backend], &[("SECRET", "gateway-secret")]);
    let told = drive_with_credentials(&gateway.url(), RESOURCE, "ann", &[server.greeting("ann")]);
    assert_eq!(told.tools, server.tools());
    assert_eq!(told.results, [server.answer("ann")]);
}

#[test]
fn opaque_tokens_new_keys_and_strangers_at_a_certified_issuer() {
    let scratch = Scratch::new();
    let issuer = Issuer::start();
    let dead = Backend::new("one", "http://127.0.0.1:9/mcp".to_owned());
    let gateway = Gateway::guarded(&scratch, &issuer.incoming(), [dead], &[("SECRET", "gateway-secret")]);
    let (jwt, opaque, bob) = (issuer.token("ann"), issuer.opaque("ann"), issuer.token("bob"));
    let (status, session) = send(&gateway, &opaque, None, INITIALIZE);
    assert_eq!(status, 200, "an opaque token");
    let session = session.as_deref();
    // One user, whichever token she brings.
    assert_eq!(send(&gateway, &jwt, session, PING).0, 200);
    assert_eq!(send(&gateway, &bob, session, PING).0, 404);
    assert_eq!(send(&gateway, "unknown-to-the-issuer", session, PING).0, 401);
    assert_eq!(post(&issuer.address, "/rotate", &[], "").0, 204);
    let newer = issuer.token("ann");
    assert_eq!(send(&gateway, &newer, session, PING).0, 200, "signed with a key that was not there before");
    assert_eq!(send(&gateway, &jwt, session, PING).0, 401, "signed with one that is no longer there");
    let last = if newer.ends_with('A') { 'Q' } else { 'A' };
    let edited = format!("{}{last}", &newer[..newer.len() - 1]);
    assert_eq!(send(&gateway, &edited, session, PING).0, 401);
    let signatures = [&jwt, &bob, &newer].map(|token| token.rsplit('.').next().unwrap());
    let claims = [&jwt, &bob, &newer].map(|token| token.split('.').nth(1).unwrap());
    let log = gateway.stop();
    log.shows_none_of(&signatures);
    log.shows_none_of(&claims);
    log.shows_none_of(&[&opaque, "gateway-secret", "unknown-to-the-issuer"]);
}

#[test]
fn a_backend_gets_what_the_issuer_exchanged_for_the_caller_and_never_her_own_token() {
    let scratch = Scratch::new();
    let issuer = Issuer::start();
    let guarded = Guarded::start(&issuer);
    // The issuer gives nothing for the second audience.
    let backends =
        [guarded.backend("one", &issuer, GUARDED), guarded.backend("two", &issuer, "https://elsewhere.example")];
    let gateway = Gateway::guarded(&scratch, &issuer.incoming(), backends, &[("SECRET", "gateway-secret")]);
    let (ann, bob) = (issuer.token("ann"), issuer.token("bob"));

    let (status, _, _) = post(gateway.address(), "/mcp", &headers(None, None), INITIALIZE);
    assert_eq!(status, 401, "a caller without a token");
    for (token, name) in [(&ann, "ann"), (&bob, "bob")] {
        let answer = calls(&gateway, token, "one_whoami");
        let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"));
        let told: Value = serde_json::from_str(text).unwrap();
        assert_eq!(told["iss"], format!("http://{}", issuer.address));
        assert_eq!((&told["aud"], &told["sub"], &told["scope"]), (&json!(GUARDED), &json!(name), &json!("read")));
        assert_eq!(told["client_id"], "gateway", "who exchanged it");
    }
    // What cannot be listed for her is not there.
    let answer = calls(&gateway, &ann, "two_whoami");
    assert_eq!(answer["error"], json!({"code": -32602, "message": "there is no tool `two_whoami`"}), "{answer}");

    let seen = guarded.seen();
    let token = |seen: &Seen| seen.authorization.strip_prefix("Bearer ").map(str::to_owned);
    let (accepted, refused): (Vec<&Seen>, Vec<&Seen>) = seen.iter().partition(|seen| seen.accepted);
    let accepted: BTreeSet<String> = accepted.into_iter().filter_map(token).collect();
    let mut callers: Vec<Value> = accepted.iter().map(|token| claims(token)["sub"].take()).collect();
    callers.sort_by_key(Value::to_string);
    assert_eq!(callers, ["ann", "bob"], "one exchange for each");
    // The gateway asks by itself what there is, which this backend tells nobody.
    for token in refused.into_iter().filter_map(token) {
        assert_eq!(claims(&token)["sub"], "gateway");
    }
    let secrets: Vec<&str> = accepted.iter().map(|token| token.rsplit('.').next().unwrap()).collect();
    for own in [&ann, &bob] {
        assert!(!seen.iter().any(|seen| seen.authorization.contains(own.as_str())), "{seen:?}");
        // It would have been refused.
        let (status, _, _) = post(&guarded.address, "/mcp", &headers(Some(own), None), INITIALIZE);
        assert_eq!(status, 401);
    }
    let log = gateway.stop();
    log.shows_none_of(&secrets);
    log.shows_none_of(&["gateway-secret"]);
}
