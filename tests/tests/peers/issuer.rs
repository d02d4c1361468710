//! Callers with tokens of an issuer that this project did not write: `oidc-provider` signs them, answers for opaque ones, and
//! changes its keys; the official TypeScript SDK finds it by what the gateway says.
//!
//! What makes a single token good or bad is tried in `tests/tests/serve/identity.rs`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;
use vmcp_core::mcp::base64::{self, Alphabet};
use vmcp_tests::Scratch;

use super::certificates::{Authority, days};
use super::clients::drive_with_credentials;
use super::gateway::{Backend, Gateway};
use super::processes::{PATIENCE, Process, node, peers};
use super::servers::{Kind, Server};

/// What the gateway is called by its clients.
const RESOURCE: &str = "https://gateway.example/mcp";
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

/// Status and session of a message that a caller sends to the gateway.
fn send(gateway: &Gateway, token: &str, session: Option<&str>, message: &str) -> (u16, Option<String>) {
    let mut headers = vec![
        ("authorization", format!("Bearer {token}")),
        ("content-type", "application/json".to_owned()),
        ("accept", "application/json, text/event-stream".to_owned()),
    ];
    headers.extend(session.map(|session| ("mcp-session-id", session.to_owned())));
    let (status, session, _) = post(gateway.address(), "/mcp", &headers, message);
    (status, session)
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
