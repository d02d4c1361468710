//! An issuer of tokens whose every key, token and answer a test decides.
//!
//! It is no OpenID provider; one that this project did not write is among the peers.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use serde_json::{Value, json};
use vmcp_core::mcp::base64::{self, Alphabet};

use crate::http::PATIENCE;

/// A running issuer. Its threads end with the process.
#[derive(Clone)]
pub(crate) struct Issuer(Arc<Shared>);

struct Shared {
    address: SocketAddr,
    keys: Mutex<Vec<Value>>,
    /// What introspection says of which token.
    opaque: Mutex<HashMap<String, Value>>,
    seen: Mutex<Vec<Asked>>,
    connections: Mutex<Vec<TcpStream>>,
    /// Connections are closed without an answer.
    down: AtomicBool,
    /// Answers wait until this is false.
    held: Mutex<bool>,
    let_go: Condvar,
    /// Whether the document stands where RFC 8414 puts it, and nowhere else.
    by_rfc8414: AtomicBool,
}

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: String,
}

/// A key that signs.
pub(crate) struct Signer {
    pub(crate) id: String,
    pub(crate) algorithm: &'static str,
    secret: Secret,
}

enum Secret {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
}

/// Every algorithm that is accepted.
pub(crate) const ALGORITHMS: [&str; 10] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

impl Signer {
    pub(crate) fn new(algorithm: &'static str, id: &str) -> Self {
        let rsa = |encoding| Secret::Rsa(RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap(), encoding);
        let ec = |signing: &'static EcdsaSigningAlgorithm, curve| {
            Secret::Ec(EcdsaKeyPair::generate(signing).unwrap(), curve)
        };
        let secret = match algorithm {
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "RS384" => rsa(&RSA_PKCS1_SHA384),
            "RS512" => rsa(&RSA_PKCS1_SHA512),
            "PS256" => rsa(&RSA_PSS_SHA256),
            "PS384" => rsa(&RSA_PSS_SHA384),
            "PS512" => rsa(&RSA_PSS_SHA512),
            "ES256" => ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            "ES384" => ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            "ES512" => ec(&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
            "EdDSA" => Secret::Ed(Ed25519KeyPair::generate().unwrap()),
            other => panic!("{other}"),
        };
        Self { id: id.to_owned(), algorithm, secret }
    }

    /// The public half (RFC 7517).
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.secret {
            Secret::Rsa(key, _) => {
                // RFC 8017 appendix A.1.1: a sequence of two numbers, of which the first has 256 bytes and a zero before them.
                let der = key.public_key().as_ref();
                let (n, e) = (&der[der.len() - 261..der.len() - 5], &der[der.len() - 3..]);
                json!({"kty": "RSA", "n": url(n), "e": url(e)})
            }
            Secret::Ec(key, curve) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at((key.public_key().as_ref().len() - 1) / 2);
                json!({"kty": "EC", "crv": curve, "x": url(x), "y": url(y)})
            }
            Secret::Ed(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": url(key.public_key().as_ref())}),
        };
        jwk["kid"] = json!(self.id);
        jwk
    }

    /// A token with these claims, and this header beside `alg` and `kid`.
    pub(crate) fn token(&self, claims: &Value, header: &Value) -> String {
        let mut whole = json!({"alg": self.algorithm, "kid": self.id, "typ": "at+jwt"});
        for (name, value) in header.as_object().into_iter().flatten() {
            whole[name] = value.clone();
        }
        let signed = format!("{}.{}", url(whole.to_string().as_bytes()), url(claims.to_string().as_bytes()));
        let signature = self.sign(signed.as_bytes());
        format!("{signed}.{}", url(&signature))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.secret {
            Secret::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Secret::Ec(key, _) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Secret::Ed(key) => key.sign(message).as_ref().to_vec(),
        }
    }
}

pub(crate) fn url(bytes: &[u8]) -> String {
    base64::encode(Alphabet::Url, bytes)
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Issuer {
    pub(crate) fn start(signers: &[&Signer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Arc::new(Shared {
            address: listener.local_addr().unwrap(),
            keys: Mutex::new(signers.iter().map(|signer| signer.jwk()).collect()),
            opaque: Mutex::default(),
            seen: Mutex::default(),
            connections: Mutex::default(),
            down: AtomicBool::new(false),
            held: Mutex::new(false),
            let_go: Condvar::new(),
            by_rfc8414: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&serving);
                shared.connections.lock().unwrap().push(stream.try_clone().unwrap());
                thread::spawn(move || shared.connection(stream));
            }
        });
        Self(shared)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// `incomingAuth` for its tokens; `more` is further keys of `oidc`.
    pub(crate) fn incoming(&self, more: &str) -> String {
        format!(
            "{{type: oidc, oidc: {{issuer: \"{}\", audience: gateway, resource: \"https://mcp.example/a\", \
             jwksAllowPrivateIp: true, {more}}}}}",
            self.url()
        )
    }

    /// Claims of a good token of somebody.
    pub(crate) fn claims(&self, subject: &str) -> Value {
        json!({"iss": self.url(), "sub": subject, "aud": ["other", "gateway"], "exp": now() + 600, "iat": now(), "scope": "read"})
    }

    /// The same without what is null in `changes`, and with what is not.
    pub(crate) fn claims_with(&self, changes: &Value) -> Value {
        let mut claims = self.claims("ann");
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        claims
    }

    pub(crate) fn set_keys(&self, keys: Vec<Value>) {
        *self.0.keys.lock().unwrap() = keys;
    }

    /// What introspection says of a token from now on.
    pub(crate) fn set_opaque(&self, token: &str, answer: Value) {
        self.0.opaque.lock().unwrap().insert(token.to_owned(), answer);
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.0.down.store(down, Ordering::SeqCst);
    }

    pub(crate) fn only_by_rfc8414(&self) {
        self.0.by_rfc8414.store(true, Ordering::SeqCst);
    }

    pub(crate) fn hold(&self, held: bool) {
        *self.0.held.lock().unwrap() = held;
        self.0.let_go.notify_all();
    }

    /// How many connections came so far.
    pub(crate) fn connections(&self) -> usize {
        self.0.connections.lock().unwrap().len()
    }

    /// Closes them.
    pub(crate) fn hang_up(&self) {
        for connection in self.0.connections.lock().unwrap().iter() {
            // Some are closed.
            drop(connection.shutdown(std::net::Shutdown::Both));
        }
    }

    /// The requests for this path so far.
    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        self.0.seen.lock().unwrap().iter().filter(|asked| asked.path == path).cloned().collect()
    }
}

impl Shared {
    fn connection(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while self.exchange(&mut stream).is_some() {}
        // Its clone would keep it open.
        drop(stream.get_ref().shutdown(std::net::Shutdown::Both));
    }

    /// One request and its answer; nothing once the connection is over.
    fn exchange(&self, stream: &mut BufReader<TcpStream>) -> Option<()> {
        let mut line = || {
            let mut line = String::new();
            let read = stream.read_line(&mut line).ok()?;
            (read > 0).then(|| line.trim_end().to_owned())
        };
        let first = line()?;
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = HashMap::new();
        while let Some(line) = line().filter(|line| !line.is_empty()) {
            if let Some((name, value)) = line.split_once(':') {
                headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
        }
        let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).unwrap();
        let asked = Asked {
            path: path.clone(),
            authorization: headers.get("authorization").cloned(),
            body: String::from_utf8(body).unwrap(),
        };
        self.seen.lock().unwrap().push(asked.clone());
        let held = self.held.lock().unwrap();
        drop(self.let_go.wait_timeout_while(held, PATIENCE, |held| *held).unwrap());
        if self.down.load(Ordering::SeqCst) {
            return None;
        }
        let (status, body) = self.answer(&path, &asked);
        let body = body.to_string();
        let head =
            format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        // The client may be gone.
        stream.get_mut().write_all((head + &body).as_bytes()).ok()
    }

    fn answer(&self, path: &str, asked: &Asked) -> (u16, Value) {
        let url = format!("http://{}", self.address);
        let document = json!({"issuer": url, "jwks_uri": format!("{url}/jwks")});
        let by_rfc8414 = self.by_rfc8414.load(Ordering::SeqCst);
        match path {
            "/.well-known/openid-configuration" if !by_rfc8414 => (200, document),
            "/.well-known/oauth-authorization-server" if by_rfc8414 => (200, document),
            "/jwks" => (200, json!({"keys": *self.keys.lock().unwrap()})),
            "/introspect" => {
                let token =
                    asked.body.strip_prefix("token=").and_then(|rest| rest.split('&').next()).unwrap_or_default();
                let answer = self.opaque.lock().unwrap().get(token).cloned();
                (200, answer.unwrap_or(json!({"active": false})))
            }
            _ => (404, json!({})),
        }
    }
}
