//! That no secret is ever shown: random ones stand in every place that holds any, and nothing that any command, log, answer
//! or `Debug` says contains them, as they are or encoded.
//!
//! That they reach whom they are for is asserted once, so that the rest means something; how, is in `outgoing` and `identity`.

use std::fmt::Debug;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use vmcp_core::auth::Credentials;
use vmcp_core::config;
use vmcp_core::discovery::{discover, needs};
use vmcp_core::identity::Principal;
use vmcp_core::mcp::base64::{self, Alphabet};
use vmcp_core::oauth::{Flow, IssuedCredentials, Output, TokenAnswer};
use vmcp_core::seal::Keys;
use vmcp_core::secret::Secret;
use vmcp_core::trust::UnixTime;
use vmcp_native::credentials::{Grant, Proof};
use vmcp_native::materials::{Source, gather};
use vmcp_native::roots::system_roots;
use vmcp_native::signing::Signer as AwsSigner;
use vmcp_tests::{Run, Scratch, run};

use crate::backend::{answer, plain, request};
use crate::http::send;
use crate::issuer::{Issuer, Signer};
use crate::program::Serving;
use crate::{ACCEPT, JSON};

/// What is secret in one run, by what it is for. Another run has others.
#[derive(Clone)]
struct Secrets {
    seed: [u8; 16],
    made: Arc<Mutex<Vec<(String, String)>>>,
}

/// How many bytes of a secret in a row are already too many.
const HALF: usize = 16;

impl Secrets {
    /// From the system's randomness, or from `VMCP_TEST_SEED` to see a failure again.
    fn random() -> Self {
        let mut seed = [0; 16];
        match std::env::var("VMCP_TEST_SEED") {
            Ok(text) => seed = base64::decode(Alphabet::Url, &text).unwrap().try_into().unwrap(),
            Err(_) => aws_lc_rs::rand::fill(&mut seed).unwrap(),
        }
        Self { seed, made: Arc::default() }
    }

    /// Two halves that no encoding of text changes, around what JSON, YAML, URLs and forms have to escape.
    fn make(&self, what: &str) -> String {
        self.known(what, &format!("{}\"%\\+/&=<{}", self.letters(what, 0), self.letters(what, 1)))
    }

    /// The same with nothing to escape.
    fn plain(&self, what: &str) -> String {
        self.known(what, &format!("{}{}", self.letters(what, 0), self.letters(what, 1)))
    }

    fn letters(&self, what: &str, part: u8) -> String {
        let input = [&self.seed[..], what.as_bytes(), &[part]].concat();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &input);
        digest.as_ref()[..HALF]
            .iter()
            .map(|byte| char::from(b"abcdefghijklmnopqrstuvwxyz012345"[usize::from(byte % 32)]))
            .collect()
    }

    /// Somebody else's secret, or one of another shape.
    fn known(&self, what: &str, secret: &str) -> String {
        let mut made = self.made.lock().unwrap();
        if made.iter().all(|(_, known)| known != secret) {
            made.push((what.to_owned(), secret.to_owned()));
        }
        secret.to_owned()
    }

    /// No secret stands in what was said there.
    #[track_caller]
    fn assert_hidden(&self, place: &str, said: &str) {
        for (what, secret) in &*self.made.lock().unwrap() {
            if let Some(form) = found(said, secret) {
                panic!(
                    "{place} shows the secret of {what}, {form} (VMCP_TEST_SEED={}):\n{said}",
                    base64::encode(Alphabet::Url, &self.seed)
                );
            }
        }
    }

    /// The same of a value.
    #[track_caller]
    fn assert_hidden_in(&self, place: &str, value: &dyn Debug) {
        self.assert_hidden(place, &format!("{value:?}"));
        self.assert_hidden(place, &format!("{value:#?}"));
    }

    #[track_caller]
    fn assert_hidden_by(&self, place: &str, run: &Run) {
        self.assert_hidden(&format!("standard output of {place}"), &run.out);
        self.assert_hidden(&format!("standard error of {place}"), &run.err);
    }
}

/// Whether either half of the secret is in this text, and in which form. Percent-encoding and the escapes of JSON, YAML and
/// `Debug` leave halves as they are; base64 is another text at each of three offsets.
fn found(said: &str, secret: &str) -> Option<&'static str> {
    let bytes = secret.as_bytes();
    let (start, end) = (&bytes[..HALF], &bytes[bytes.len() - HALF..]);
    [start, end].into_iter().find_map(|half| {
        let holds = |text: &str| said.contains(text);
        if holds(std::str::from_utf8(half).unwrap()) {
            return Some("as it is");
        }
        let hex: String = half.iter().map(|byte| format!("{byte:02x}")).collect();
        if said.to_ascii_lowercase().contains(&hex) {
            return Some("as hexadecimal digits");
        }
        let percent: String = half.iter().map(|byte| format!("%{byte:02x}")).collect();
        if said.to_ascii_lowercase().contains(&percent) {
            return Some("percent-encoded");
        }
        let base64 = [Alphabet::Standard, Alphabet::Url].into_iter().any(|alphabet| {
            (0..3).any(|offset| {
                let text = base64::encode(alphabet, &[&vec![0; offset], half].concat());
                // The first characters are those of what is before it, the last ones of what follows.
                let text = text.trim_end_matches('=');
                holds(&text[[0, 2, 3][offset]..text.len() - 1])
            })
        });
        base64.then_some("as base64")
    })
}

/// A token endpoint, an STS and a backend in one, which repeat everything that they are sent when they refuse.
#[derive(Clone)]
struct Parrot {
    secrets: Secrets,
    mood: Arc<Mutex<Mood>>,
    /// Heads and bodies of all that came.
    heard: Arc<Mutex<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Good,
    BackendRefuses,
    TokensRefused,
}

impl Parrot {
    /// Where tokens are, and where the backend is.
    fn start(&self) -> (String, String) {
        let serve = |work: fn(&Self, &mut BufReader<TcpStream>) -> bool| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let parrot = self.clone();
            thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    let parrot = parrot.clone();
                    thread::spawn(move || {
                        let mut stream = BufReader::new(stream);
                        while work(&parrot, &mut stream) {}
                    });
                }
            });
            address
        };
        (format!("http://{}/token", serve(Self::token)), format!("http://{}/mcp", serve(Self::mcp)))
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn hears(&self, headers: &[(String, String)], body: &[u8]) -> String {
        let said = format!("{headers:?}\n{}", String::from_utf8_lossy(body));
        self.heard.lock().unwrap().push_str(&said);
        said
    }

    fn token(&self, stream: &mut BufReader<TcpStream>) -> bool {
        let Some((_, headers, body)) = request(stream) else { return false };
        let said = self.hears(&headers, &body);
        let form = String::from_utf8_lossy(&body);
        let out = stream.get_mut();
        let issued = self.secrets.plain("issued tokens");
        if *self.mood.lock().unwrap() == Mood::TokensRefused {
            let authorization =
                headers.iter().find(|(name, _)| name == "authorization").map(|(_, value)| value.as_str());
            return plain(out, 400, None, &refusal(&form, authorization, &said)).is_ok();
        }
        plain(out, 200, None, &issued_for(&form, &issued)).is_ok()
    }

    fn mcp(&self, stream: &mut BufReader<TcpStream>) -> bool {
        let Some((_, headers, body)) = request(stream) else { return false };
        let said = self.hears(&headers, &body);
        let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
        let method = asked["method"].as_str().unwrap_or_default();
        let out = stream.get_mut();
        if *self.mood.lock().unwrap() == Mood::BackendRefuses {
            let told: String = said.chars().filter(|c| c.is_ascii_graphic() && *c != '"').collect();
            let head = format!(
                "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer error=\"invalid_token\", error_description=\"{told}\"\r\n\
                 content-type: text/plain\r\ncontent-length: {}\r\n\r\n{said}",
                said.len()
            );
            return out.write_all(head.as_bytes()).is_ok();
        }
        let result = match method {
            "initialize" => json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                "serverInfo": {"name": "b", "version": "1"}}),
            "tools/list" => json!({"tools": [{"name": "t", "inputSchema": {"type": "object"}}]}),
            "tools/call" => json!({"content": []}),
            "server/discover" => return plain(out, 404, None, "").is_ok(),
            _ => return plain(out, 202, None, "").is_ok(),
        };
        plain(out, 200, Some("s"), &answer(&asked, "result", result)).is_ok()
    }
}

/// What an endpoint answers that repeats what it was sent: where there is room all of it, and in the error's code, which is
/// shown to people, as much of a secret as passes for one.
fn refusal(form: &str, authorization: Option<&str>, said: &str) -> String {
    let field = |name: &str| form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let code = match (authorization.and_then(|value| value.strip_prefix("Basic ")), field("client_secret")) {
        (Some(basic), _) => basic[..40].to_owned(),
        (None, Some(secret)) => format!("not_{}", &secret[..HALF]),
        (None, None) => {
            let token = ["WebIdentityToken", "subject_token", "assertion"].into_iter().find_map(field).unwrap();
            format!("not_{}", &token[token.len() - HALF..])
        }
    };
    if form.contains("AssumeRoleWithWebIdentity") {
        let code = format!("<Code>{code}</Code><Message>{said}</Message>");
        return format!("<ErrorResponse><Error>{code}</Error></ErrorResponse>");
    }
    json!({"error": code, "error_description": said, "error_uri": said, "access_token": said}).to_string()
}

/// What an endpoint issues for this form.
fn issued_for(form: &str, issued: &str) -> String {
    let kind = "urn:ietf:params:oauth:token-type:";
    if form.contains("AssumeRoleWithWebIdentity") {
        format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AK{issued}\
             </AccessKeyId><SecretAccessKey>SK{issued}</SecretAccessKey><SessionToken>ST{issued}</SessionToken>\
             <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
             </AssumeRoleWithWebIdentityResponse>"
        )
    } else if form.contains("id-jag") {
        let part = |value: Value| base64::encode(Alphabet::Url, value.to_string().as_bytes());
        let claims = part(json!({"aud": "https://as.example", "private": issued}));
        let token = format!("{}.{claims}.c2ln", part(json!({"typ": "oauth-id-jag+jwt"})));
        json!({"access_token": token, "token_type": "N_A", "issued_token_type": format!("{kind}id-jag")}).to_string()
    } else {
        json!({"access_token": issued, "token_type": "Bearer", "expires_in": 3600,
            "issued_token_type": format!("{kind}access_token")})
        .to_string()
    }
}

const BACKENDS: [&str; 9] =
    ["literal", "variable", "exchange", "exchange-env", "xaa", "xaa-env", "obo", "aws", "forward"];

/// A configuration with a secret in every place, and the variables beside it.
fn everything(secrets: &Secrets, incoming: &str, token_url: &str, url: &str) -> (String, Vec<(String, String)>) {
    let literal = |what: &str| json!(secrets.make(what)).to_string();
    let xaa = |first: &str, second: &str| {
        format!(
            "{{type: xaa, xaa: {{idpTokenUrl: \"{token_url}\", idpClientId: i, {first}, targetTokenUrl: \"{token_url}\", \
             targetClientId: t, {second}, targetAudience: \"https://as.example\"}}}}"
        )
    };
    let auths = [
        format!("{{type: header_injection, headerInjection: {{headerName: X-Literal, headerValue: {}}}}}", literal("headerValue")),
        "{type: header_injection, headerInjection: {headerName: X-Variable, headerValueEnv: HEADER}}".to_owned(),
        format!("{{type: token_exchange, tokenExchange: {{tokenUrl: \"{token_url}\", clientId: c, clientSecret: {}, audience: b}}}}", literal("tokenExchange.clientSecret")),
        format!("{{type: token_exchange, tokenExchange: {{tokenUrl: \"{token_url}\", clientId: c, clientSecretEnv: EXCHANGE, audience: b}}}}"),
        xaa(&format!("idpClientSecret: {}", literal("xaa.idpClientSecret")), &format!("targetClientSecret: {}", literal("xaa.targetClientSecret"))),
        xaa("idpClientSecretEnv: IDP", "targetClientSecretEnv: TARGET"),
        format!("{{type: obo, obo: {{tokenUrl: \"{token_url}\", clientId: o, clientSecret: {}, scopes: [s]}}}}", literal("obo.clientSecret")),
        "{type: aws_sts, awsSts: {region: eu-central-1, fallbackRoleArn: \"arn:aws:iam::123456789012:role/everybody\"}}".to_owned(),
        "{type: unauthenticated}".to_owned(),
    ];
    let mut text = format!(
        "name: gateway\ngroupRef: g\nincomingAuth: {incoming}\noutgoingAuth: {{source: inline}}\n\
         aggregation: {{conflictResolution: prefix, conflictResolutionConfig: {{prefixFormat: \"{{workload}}_\"}}}}\n\
         passthroughHeaders: [X-Passed]\nbackends:\n"
    );
    for (name, auth) in BACKENDS.iter().zip(auths) {
        text.push_str(&format!("- {{name: {name}, url: \"{url}\", transport: streamable-http, auth: {auth}}}\n"));
    }
    let manifest = json!({"addPlaintextHeaders": {"X-Plain": secrets.make("addPlaintextHeaders")},
        "addHeadersFromSecret": {"X-Forwarded-Key": "FORWARDED"}});
    let variable = |name: &str, what: &str| (name.to_owned(), secrets.make(what));
    let variables = vec![
        variable("HEADER", "headerValueEnv"),
        variable("EXCHANGE", "tokenExchange.clientSecretEnv"),
        variable("IDP", "xaa.idpClientSecretEnv"),
        variable("TARGET", "xaa.targetClientSecretEnv"),
        variable("INTROSPECTION", "oidc.clientSecretEnv"),
        variable("TOOLHIVE_SECRET_FORWARDED", "addHeadersFromSecret"),
        ("TOOLHIVE_HEADER_FORWARD_FORWARD".to_owned(), manifest.to_string()),
        ("AWS_ENDPOINT_URL_STS".to_owned(), token_url.replace("/token", "/")),
    ];
    (text, variables)
}

/// A world of parrots, and the configuration for it.
struct Scene {
    secrets: Secrets,
    signer: Signer,
    issuer: Issuer,
    parrot: Parrot,
    text: String,
    variables: Vec<(String, String)>,
    folder: Scratch,
}

impl Scene {
    fn new() -> Self {
        let secrets = Secrets::random();
        let signer = Signer::new("ES256", "k");
        let issuer = Issuer::start(&[&signer]);
        let parrot = Parrot { secrets: secrets.clone(), mood: Arc::new(Mutex::new(Mood::Good)), heard: Arc::default() };
        let (token_url, url) = parrot.start();
        let more = format!(
            "clientId: gateway, clientSecretEnv: INTROSPECTION, introspectionUrl: \"{}/introspect\"",
            issuer.url()
        );
        let (text, variables) = everything(&secrets, &issuer.incoming(&more), &token_url, &url);
        let folder = Scratch::new();
        folder.write("config.yaml", &text);
        secrets.plain("issued tokens");
        Self { secrets, signer, issuer, parrot, text, variables, folder }
    }

    /// A caller's token: its signature and a claim are secrets.
    fn token(&self, subject: &str) -> String {
        let mut claims = self.issuer.claims(subject);
        claims["private"] = json!(self.secrets.make(&format!("a claim of {subject}")));
        let token = self.signer.token(&claims, &Value::Null);
        self.secrets.known(&format!("{subject}'s signature"), token.rsplit('.').next().unwrap());
        token
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn runs(&self, arguments: &[&str]) -> Run {
        let run = run(self.folder.path(), arguments, &self.variables(), "");
        self.secrets.assert_hidden_by(&format!("{arguments:?}"), &run);
        run
    }
}

#[test]
fn what_is_searched_for_is_found_in_every_form() {
    let secret = Secrets::random().make("this test");
    let escaped: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for offset in ["", "c:", "id:", "ids:"] {
        for alphabet in [Alphabet::Standard, Alphabet::Url] {
            let text = base64::encode(alphabet, format!("{offset}{secret}:").as_bytes());
            assert_eq!(found(&text, &secret), Some("as base64"), "{offset}");
        }
    }
    assert_eq!(found(&format!("{:?}", Some(&secret)), &secret), Some("as it is"));
    assert_eq!(found(&json!([secret]).to_string(), &secret), Some("as it is"));
    assert_eq!(found(&secret[..HALF + 1], &secret), Some("as it is"));
    assert_eq!(found(&format!("{:02x?}", secret.as_bytes()).replace(", ", ""), &secret), Some("as hexadecimal digits"));
    assert_eq!(found(&escaped, &secret), Some("percent-encoded"));
    assert_eq!(found("nothing", &secret), None);
}

#[test]
fn no_command_shows_a_secret() {
    let scene = Scene::new();
    scene.folder.write("token", &scene.token("ann"));
    // Mistakes beside secrets, in their place, and one that ends in the middle of a secret.
    scene.folder.write("beside.yaml", &scene.text.replace("headerName: ", "bogus: 1, headerName: "));
    scene.folder.write(
        "wrong.yaml",
        &scene.text.replace("headerValue: ", "headerValu: ").replace("clientSecret: ", "clientSecret: ! "),
    );
    let cut = scene.text.find("clientSecret: ").unwrap() + "clientSecret: ".len() + HALF + 4;
    scene.folder.write("cut.yaml", &scene.text[..cut]);
    let other = Secrets { seed: scene.secrets.seed.map(|byte| !byte), made: Arc::clone(&scene.secrets.made) };
    let (token_url, url) = ("http://127.0.0.1:9/token", "http://127.0.0.1:9/mcp");
    scene.folder.write("other.yaml", &everything(&other, "{type: anonymous}", token_url, url).0);

    for file in ["config.yaml", "beside.yaml", "wrong.yaml", "cut.yaml"] {
        for format in ["human", "json", "github", "sarif"] {
            scene.runs(&["validate", "--materials", "--format", format, file]);
        }
        for format in ["table", "json", "yaml"] {
            scene.runs(&["inspect", "-c", file, "--format", format]);
        }
        for format in ["human", "json", "markdown"] {
            scene.runs(&["diff", file, "other.yaml", "--format", format]);
        }
    }
    assert_eq!(scene.runs(&["validate", "config.yaml"]).code, Some(0), "what is searched is a whole configuration");
    scene.runs(&["inspect", "-c", "config.yaml", "--live", "--format", "json"]);
    for mood in [Mood::Good, Mood::BackendRefuses, Mood::TokensRefused] {
        scene.parrot.set(mood);
        for format in ["table", "json"] {
            scene.runs(&["check", "-c", "config.yaml", "--format", format]);
            let run = scene.runs(&["check", "-c", "config.yaml", "--format", format, "--token-file", "token"]);
            assert_eq!(run.code, Some(i32::from(mood != Mood::Good)), "{}{}", run.out, run.err);
        }
    }
    let resources = include_str!("../../cases/render/every-converter/input.yaml");
    let secret = scene.secrets.make("a Secret");
    let encoded = base64::encode(Alphabet::Standard, secret.as_bytes());
    scene.folder.write(
        "resources.yaml",
        &format!("{resources}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: api}}\ndata: {{key: \"{encoded}\"}}\nstringData: {{other: {}}}\n", json!(secret)),
    );
    let rendered = scene.runs(&["render", "-f", "resources.yaml"]);
    assert!(rendered.out.contains("headerValueEnv"), "{}", rendered.err);
}

#[test]
fn neither_logs_nor_answers_show_a_secret() {
    let mut scene = Scene::new();
    let key = scene.secrets.known(
        "the state key",
        &base64::encode(Alphabet::Standard, &scene.secrets.letters("state", 0).repeat(2).into_bytes()),
    );
    scene.folder.write("keys", &key);
    scene.folder.write("wrong-keys", &format!("{key}{key}"));
    scene.runs(&["serve", "-c", "config.yaml", "--port=0", "--debug", "--state-key-file=wrong-keys"]);
    let file = ["-c", "config.yaml", "--port=0", "--debug", "--state-key-file=keys"];
    served(&scene, &file);
    let shared = scene.secrets.make("VMCP_SESSION_HMAC_SECRET");
    scene.variables.push(("VMCP_SESSION_HMAC_SECRET".to_owned(), shared));
    served(&scene, &["-c", "config.yaml", "--port=0", "--debug", "--log-format=json"]);
}

/// Serves callers in every mood of the world.
fn served(scene: &Scene, arguments: &[&str]) {
    let secrets = &scene.secrets;
    scene.parrot.set(Mood::Good);
    let passed = secrets.plain("a header that is passed on");
    let serving = Serving::start(scene.folder.path(), arguments, &scene.variables());
    let ask = |token: &str, session: Option<&str>, body: &Value| {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![JSON, ACCEPT, ("authorization", bearer.as_str()), ("x-passed", passed.as_str())];
        headers.extend(session.map(|id| ("mcp-session-id", id)));
        let mut answer = send(serving.address, "POST", "/mcp", &headers, body.to_string().as_bytes());
        let text = answer.text();
        secrets.assert_hidden("an answer", &format!("{} {:?} {text}", answer.status, answer.headers));
        (answer.status, answer.header("mcp-session-id").map(str::to_owned), text)
    };
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    let call_all = |token: &str, session: &str| -> Vec<String> {
        let call = |name: &&str| {
            let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call",
                "params": {"name": format!("{name}_t"), "arguments": {}}});
            ask(token, Some(session), &call).2
        };
        BACKENDS.iter().map(call).collect()
    };
    let enter = |token: &str| {
        let (status, session, text) = ask(token, None, &initialize);
        assert_eq!(status, 200, "{text}");
        session.unwrap()
    };
    let ann = scene.token("ann");
    let session = enter(&ann);
    for text in call_all(&ann, &session) {
        assert!(text.contains("\"content\""), "{text}");
    }
    scene.parrot.set(Mood::BackendRefuses);
    for text in call_all(&ann, &session) {
        assert!(text.contains("\"error\""), "{text}");
    }
    // What was kept for ann was forgotten with the refusals; bob never had any.
    scene.parrot.set(Mood::TokensRefused);
    let bob = scene.token("bob");
    let of_bob = enter(&bob);
    let refused = [call_all(&ann, &session), call_all(&bob, &of_bob)].concat();
    assert!(refused.iter().filter(|text| text.contains("\"error\"")).count() >= 6, "{refused:?}");
    // Tokens that nobody believes.
    let opaque = secrets.plain("an opaque token");
    let torn = secrets.known("a torn token", &format!("{}x", scene.token("eve")));
    for token in [opaque, torn] {
        assert_eq!(ask(&token, None, &initialize).0, 401);
    }
    serving.signal("-TERM");
    let run = serving.wait();
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.err.contains("DEBUG"), "{}", run.err);
    secrets.assert_hidden_by("serve", &run);

    // They were really in use: each reached somebody.
    let heard = scene.parrot.heard.lock().unwrap().clone();
    let introspected = format!("{:?}", scene.issuer.asked("/introspect"));
    for (what, secret) in &*secrets.made.lock().unwrap() {
        let reached = found(&heard, secret).or(found(&introspected, secret)).is_some();
        let stays = ["state key", "HMAC", "torn", "eve"].iter().any(|part| what.contains(part));
        assert!(reached || stays, "the secret of {what} reached nobody");
    }
}

#[test]
fn no_debug_shows_a_secret() {
    let scene = Scene::new();
    let secrets = &scene.secrets;
    let input = config::input::read(scene.text.as_bytes());
    let [document] = &input.configs[..] else { panic!("{:?}", input.diagnostics) };
    secrets.assert_hidden_in("the configuration", &document.config);
    secrets.assert_hidden_in("its findings", &document.diagnostics);
    let variables = scene.variables.iter().map(|(name, value)| (name.clone(), Secret::new(value.clone())));
    let source = Source::this_machine().with_variables(variables.collect());
    let roots = system_roots(&source).0.into();
    let materials = gather(|known| needs(&document.config, &known.variables), &source, roots, UnixTime::now());
    secrets.assert_hidden_in("the source", &source);
    secrets.assert_hidden_in("the variables", &materials.variables);
    let catalog = discover(&document.config, &document.diagnostics, &materials);
    assert_eq!(catalog.backends.len(), BACKENDS.len(), "{:?}", catalog.rejected);
    secrets.assert_hidden_in("the catalog", &catalog);

    let token = scene.token("ann");
    let claims = base64::decode(Alphabet::Url, token.split('.').nth(1).unwrap()).unwrap();
    let ann = Principal {
        issuer: scene.issuer.url(),
        subject: "ann".to_owned(),
        scopes: Vec::new(),
        claims: Secret::new(String::from_utf8(claims).unwrap()),
        token: Secret::new(token),
        expires: None,
    };
    secrets.assert_hidden_in("a principal", &ann);
    let mut made = 0;
    for backend in &catalog.backends {
        secrets.assert_hidden_in("a backend", backend);
        secrets.assert_hidden_in("credentials", &backend.credentials);
        let Credentials::Made(strategy) = &backend.credentials else { continue };
        secrets.assert_hidden_in("a strategy", strategy);
        for mood in [Mood::Good, Mood::TokensRefused] {
            let mut flow = Flow::of_caller(strategy, Some(&ann), |_| false).unwrap();
            loop {
                secrets.assert_hidden_in("a flow", &flow);
                let output = flow.poll().unwrap();
                secrets.assert_hidden_in("an output of a flow", &output);
                match output {
                    Output::Send(request) => {
                        let form = request.body.expose();
                        let (status, body) = match mood {
                            Mood::Good => (200, issued_for(form, &secrets.plain("issued tokens"))),
                            _ => (400, refusal(form, request.authorization.as_ref().map(Secret::expose), form)),
                        };
                        let answer = TokenAnswer { status, body: body.as_bytes(), now: UnixTime::now() };
                        secrets.assert_hidden_in("an answer", &answer);
                        flow.handle(&answer);
                    }
                    Output::Done(Err(error)) => {
                        assert!(mood != Mood::Good, "{error}");
                        secrets.assert_hidden("an error", &error.to_string());
                        secrets.assert_hidden_in("an error", &error);
                        break;
                    }
                    Output::Done(Ok(issued)) => {
                        assert!(mood == Mood::Good);
                        made += 1;
                        let proof = match issued.credentials {
                            IssuedCredentials::Bearer(token) => Proof::Authorization(token),
                            IssuedCredentials::AwsKeys(keys) => {
                                Proof::Signature(Arc::new(AwsSigner::new(keys, "eu-central-1", "s")))
                            }
                        };
                        secrets.assert_hidden_in("a grant", &Grant::proving(proof));
                        break;
                    }
                }
            }
        }
    }
    assert_eq!(made, 6);
    let shared = secrets.make("VMCP_SESSION_HMAC_SECRET");
    secrets.assert_hidden_in("keys", &Keys::derived(&Secret::new(shared)));
}
