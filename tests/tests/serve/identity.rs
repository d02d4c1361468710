//! Who comes in: tokens good and bad, an issuer that is slow, down or changes its keys, sessions that are somebody's.
//!
//! What makes claims good at which second is tried in the core, where the clock is an argument.

use std::io::BufReader;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vmcp_native::server::{Options, Scopes, Server};

use crate::backend::Backend;
use crate::http::{Answer, PATIENCE, connect, send, write};
use crate::issuer::{ALGORITHMS, Issuer, Signer, now, url};
use crate::stage::Stage;
use crate::{ACCEPT, JSON, eventually, offer_of, serve_all};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#;
const PING: &str = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;

fn guarded(issuer: &Issuer, more: &str, backends: &[(&str, &str)]) -> Server {
    serve_all(offer_of(&issuer.incoming(more), "streamable-http", backends, ""), Options::default())
}

/// Sends a message with this token, in this session.
fn send_as(server: &Server, token: &str, session: Option<&str>, body: &str) -> Answer {
    request_as(server, token, session, "POST", body)
}

fn request_as(server: &Server, token: &str, session: Option<&str>, method: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![JSON, ACCEPT, ("authorization", bearer.as_str())];
    headers.extend(session.map(|id| ("mcp-session-id", id)));
    send(server.address(), method, "/mcp", &headers, body.as_bytes())
}

fn enter(server: &Server, token: &str) -> String {
    let answer = send_as(server, token, None, INITIALIZE);
    assert_eq!(answer.status, 200);
    answer.header("mcp-session-id").unwrap().to_owned()
}

/// Status, and what is said of the token.
fn verdict(server: &Server, token: &str) -> (u16, String) {
    let mut answer = send_as(server, token, None, INITIALIZE);
    let said = match answer.status {
        200 => String::new(),
        _ => answer.json()["error_description"].as_str().unwrap().to_owned(),
    };
    (answer.status, said)
}

fn refused(server: &Server, token: &str) -> String {
    let (status, said) = verdict(server, token);
    assert_eq!(status, 401, "{said}");
    said.strip_prefix("Invalid token: ").map_or(said.clone(), str::to_owned)
}

#[test]
fn tokens_of_every_algorithm_open_the_door_and_call_a_tool() {
    let signers = ALGORITHMS.map(|algorithm| Signer::new(algorithm, algorithm));
    let issuer = Issuer::start(&signers.iter().collect::<Vec<_>>());
    let backend = Backend::start();
    let server = guarded(&issuer, "", &[("b", &backend.url())]);
    for signer in &signers {
        let token = signer.token(&issuer.claims("ann"), &Value::Null);
        let session = enter(&server, &token);
        let call = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "b_echo", "arguments": {"id": 7}}});
        let answer = send_as(&server, &token, Some(&session), &call.to_string()).json();
        assert_eq!(answer["result"]["structuredContent"]["arguments"], json!({"id": 7}), "{}", signer.algorithm);
    }
    assert_eq!(issuer.asked("/jwks").len(), 1);
    assert_eq!(issuer.asked("/.well-known/openid-configuration").len(), 1);
}

#[test]
fn a_token_that_is_not_good_is_refused_with_the_reason_and_the_way_to_a_better_one() {
    let (signer, other) = (Signer::new("ES256", "k"), Signer::new("ES256", "k"));
    let rsa = Signer::new("RS256", "rsa");
    let issuer = Issuer::start(&[&signer, &rsa]);
    let server = guarded(&issuer, "scopes: [read, write]", &[]);
    let good = signer.token(&issuer.claims("ann"), &Value::Null);
    assert_eq!(verdict(&server, &good).0, 200);
    for (changes, why) in [
        (json!({"iss": "https://evil.example"}), "the token is of another issuer"),
        (json!({"iss": null}), "the token is of another issuer"),
        (json!({"aud": "other"}), "the token is for another audience"),
        (json!({"aud": null}), "the token is for another audience"),
        (json!({"exp": null}), "the token does not say when it expires"),
        (json!({"sub": null}), "the token does not say whose it is"),
        (json!({"sub": ""}), "the token does not say whose it is"),
    ] {
        assert_eq!(refused(&server, &signer.token(&issuer.claims_with(&changes), &Value::Null)), why, "{changes}");
    }
    let said = refused(&server, &signer.token(&issuer.claims_with(&json!({"exp": now() - 100})), &Value::Null));
    assert!(said.starts_with("the token expired 10") && said.ends_with(" seconds ago"), "{said}");
    for claim in ["nbf", "iat"] {
        let future = issuer.claims_with(&json!({claim: now() + 100}));
        let said = refused(&server, &signer.token(&future, &Value::Null));
        assert!(
            said.starts_with("the token is valid in ") && said.ends_with(" seconds only; check the clocks"),
            "{said}"
        );
    }
    let claims = issuer.claims("ann");
    let wrong_algorithm =
        "the token is signed in a way that is not accepted; expected RS, PS or ES with 256, 384 or 512, or EdDSA";
    for (header, why) in [
        (json!({"alg": "none"}), wrong_algorithm),
        (json!({"alg": "HS256"}), wrong_algorithm),
        (json!({"alg": "RS256"}), "the key that the token names is not for signatures of this kind"),
        (json!({"alg": "ES384"}), "the key that the token names is not for signatures of this kind"),
        (json!({"crit": ["exp"]}), "the token has critical headers; none is understood here"),
        (json!({"typ": "logout+jwt"}), "the token is of another type; expected `JWT` or `at+jwt`"),
        (json!({"kid": "rsa"}), "the key that the token names is not for signatures of this kind"),
        // A key of its own, inside: nobody looks there.
        (json!({"kid": "x", "jwk": other.jwk()}), "the token is signed with a key that the issuer does not name"),
    ] {
        assert_eq!(refused(&server, &signer.token(&claims, &header)), why, "{header}");
    }
    assert_eq!(refused(&server, &other.token(&claims, &Value::Null)), "the signature of the token is wrong");
    // RFC 8725 section 2.1: the public key as the secret of an HMAC, and no signature at all.
    let hmac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, rsa.jwk()["n"].as_str().unwrap().as_bytes());
    let header = url(json!({"alg": "HS256", "kid": "rsa"}).to_string().as_bytes());
    let signed = format!("{header}.{}", url(claims.to_string().as_bytes()));
    let forged = format!("{signed}.{}", url(aws_lc_rs::hmac::sign(&hmac, signed.as_bytes()).as_ref()));
    assert_eq!(refused(&server, &forged), wrong_algorithm);
    let (signed, _) = good.rsplit_once('.').unwrap();
    assert_eq!(refused(&server, &format!("{signed}.")), "the signature of the token is wrong");
    assert_eq!(refused(&server, "opaque"), "the token is no JWT; opaque tokens are not accepted here");
    let long = "a".repeat(16 * 1024 + 1);
    assert_eq!(refused(&server, &long), "the token has 16385 bytes; at most 16384 are accepted");

    let answer = send_as(&server, "opaque", None, INITIALIZE);
    assert_eq!(
        answer.header("www-authenticate").unwrap(),
        format!(
            r#"Bearer realm="{}", resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/a", scope="read write", error="invalid_token", error_description="Invalid token: the token is no JWT; opaque tokens are not accepted here""#,
            issuer.url()
        )
    );
    assert_eq!(
        (answer.header("content-type"), answer.header("cache-control")),
        (Some("application/json"), Some("no-store"))
    );
}

#[test]
fn a_request_brings_one_token_in_its_header() {
    let signer = Signer::new("ES256", "k");
    let issuer = Issuer::start(&[&signer]);
    let server = guarded(&issuer, "", &[]);
    let token = signer.token(&issuer.claims("ann"), &Value::Null);
    let bearer = format!("Bearer {token}");
    let ask = |path: &str, headers: &[&str]| {
        let headers: Vec<_> =
            [JSON, ACCEPT].into_iter().chain(headers.iter().map(|value| ("authorization", *value))).collect();
        let mut answer = send(server.address(), "POST", path, &headers, INITIALIZE.as_bytes());
        let challenge = answer.header("www-authenticate").map(str::to_owned);
        (answer.status, answer.json()["error_description"].clone(), challenge)
    };
    let (status, said, challenge) = ask("/mcp", &[]);
    assert_eq!((status, said), (401, json!("authorization header required")));
    assert!(!challenge.unwrap().contains("error"), "RFC 6750 section 3: it brought nothing that could be wrong");
    for (path, headers, status, why) in [
        ("/mcp", &["Basic YTpi"][..], 401, "invalid authorization header format, expected 'Bearer <token>'"),
        ("/mcp", &["Bearer "], 401, "empty token in authorization header"),
        ("/mcp", &[&bearer, &bearer], 400, "more than one authorization header"),
        (
            "/mcp?access_token=x",
            &[&bearer],
            400,
            "a token in the URL is not accepted; expected it in the authorization header",
        ),
        (
            &format!("/mcp?access_token={token}"),
            &[],
            400,
            "a token in the URL is not accepted; expected it in the authorization header",
        ),
    ] {
        let (found, said, challenge) = ask(path, headers);
        assert_eq!((found, said), (status, json!(why)));
        assert!(challenge.unwrap().contains(r#"error="invalid_request""#));
    }
    assert_eq!(ask("/any/path?x=1", &[&bearer]).0, 200);
    // What is no client's is asked without a token.
    for path in ["/health", "/ping", "/readyz"] {
        assert_eq!(send(server.address(), "GET", path, &[], b"").status, 200, "{path}");
    }
    for method in ["GET", "DELETE"] {
        assert_eq!(send(server.address(), method, "/mcp", &[ACCEPT], b"").status, 401, "{method}");
    }
}

#[test]
fn no_byte_of_a_token_can_be_another_one() {
    let signers = [Signer::new("ES256", "e"), Signer::new("RS256", "r"), Signer::new("EdDSA", "d")];
    let issuer = Issuer::start(&signers.iter().collect::<Vec<_>>());
    let server = guarded(&issuer, "", &[]);
    let mut connection = BufReader::new(connect(server.address()));
    let mut status = |token: &str| {
        let bearer = format!("Bearer {token}");
        write(connection.get_mut(), "POST", "/mcp", &[JSON, ACCEPT, ("authorization", &bearer)], PING.as_bytes());
        let mut answer = Answer::read(std::mem::replace(&mut connection, BufReader::new(connect(server.address()))));
        drop(answer.text());
        let status = answer.status;
        connection = answer.connection();
        status
    };
    for signer in &signers {
        let token = signer.token(&issuer.claims("ann"), &Value::Null);
        let good = status(&token);
        assert_ne!(good, 401);
        for (place, old) in token.bytes().enumerate() {
            for new in [b'A', b'_', b'.', old ^ 1, old ^ 32] {
                if new == old || !new.is_ascii_graphic() {
                    continue;
                }
                let mut edited = token.clone().into_bytes();
                edited[place] = new;
                let edited = String::from_utf8(edited).unwrap();
                assert_eq!(status(&edited), 401, "byte {place} of {}", signer.algorithm);
            }
        }
        for length in [1, token.len() / 2, token.len() - 1] {
            assert_eq!(status(&token[..length]), 401, "{length}");
        }
        assert_eq!(status(&format!("{token}A")), 401);
        assert_eq!(status(&token), good);
    }
}

#[test]
fn unknown_keys_by_the_thousand_cost_the_issuer_a_few_fetches() {
    let (signer, unknown) = (Signer::new("EdDSA", "k"), Signer::new("EdDSA", "x"));
    let issuer = Issuer::start(&[&signer]);
    let server = guarded(&issuer, "", &[]);
    enter(&server, &signer.token(&issuer.claims("ann"), &Value::Null));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (issuer, unknown, address) = (&issuer, &unknown, server.address());
            scope.spawn(move || {
                let mut connection = BufReader::new(connect(address));
                for n in 0..500 {
                    let token = unknown.token(&issuer.claims("ann"), &json!({"kid": format!("{thread}-{n}")}));
                    let bearer = format!("Bearer {token}");
                    write(
                        connection.get_mut(),
                        "POST",
                        "/mcp",
                        &[JSON, ACCEPT, ("authorization", &bearer)],
                        PING.as_bytes(),
                    );
                    let mut answer = Answer::read(connection);
                    assert_eq!(answer.status, 401);
                    drop(answer.text());
                    connection = answer.connection();
                }
            });
        }
    });
    let more = usize::try_from(start.elapsed().as_secs() / 10).unwrap();
    let fetches = issuer.asked("/jwks").len();
    assert!((2..=4 + more).contains(&fetches), "{fetches} in {:?}", start.elapsed());
    enter(&server, &signer.token(&issuer.claims("ann"), &Value::Null));
}

#[test]
fn keys_change_with_the_issuer_and_are_kept_when_it_is_down() {
    let (old, new, later) = (Signer::new("ES256", "1"), Signer::new("ES256", "2"), Signer::new("ES256", "3"));
    let issuer = Issuer::start(&[&old]);
    let server = guarded(&issuer, "", &[]);
    let token = |signer: &Signer| signer.token(&issuer.claims("ann"), &Value::Null);
    let before = token(&old);
    let session = enter(&server, &before);
    issuer.set_keys(vec![new.jwk()]);
    let after = token(&new);
    assert_eq!(verdict(&server, &after).0, 200, "the new key is fetched when a token names it");
    assert_eq!(refused(&server, &before), "the token is signed with a key that the issuer does not name");
    // The session waits for a token that is good.
    assert_eq!(send_as(&server, &before, Some(&session), PING).status, 401);
    assert_eq!(send_as(&server, &after, Some(&session), PING).status, 200);
    issuer.set_down(true);
    assert_eq!(verdict(&server, &token(&new)).0, 200, "the keys are kept");
    assert_eq!(refused(&server, &token(&later)), "the token is signed with a key that the issuer does not name");
    assert_eq!(verdict(&server, &token(&new)).0, 200);
}

#[test]
fn an_issuer_that_never_answered_is_no_verdict_on_a_token() {
    let signer = Signer::new("ES256", "k");
    let issuer = Issuer::start(&[&signer]);
    issuer.set_down(true);
    let server = guarded(&issuer, "", &[]);
    let token = signer.token(&issuer.claims("ann"), &Value::Null);
    let mut answer = send_as(&server, &token, None, INITIALIZE);
    assert_eq!(
        (answer.status, answer.header("retry-after"), answer.header("www-authenticate")),
        (503, Some("1"), None)
    );
    assert_eq!(answer.json()["error"], "temporarily_unavailable");
    // What no key could make good is refused all the same.
    let other = signer.token(&issuer.claims_with(&json!({"aud": "other"})), &Value::Null);
    assert_eq!(refused(&server, &other), "the token is for another audience");
    issuer.set_down(false);
    eventually("it is asked again", || verdict(&server, &token).0 == 200);
}

#[test]
fn a_slow_issuer_keeps_nobody_waiting_but_who_needs_it() {
    let (signer, unknown) = (Signer::new("ES256", "k"), Signer::new("ES256", "x"));
    let issuer = Issuer::start(&[&signer]);
    let server =
        guarded(&issuer, "introspectionUrl: \"ISSUER/introspect\"".replace("ISSUER", &issuer.url()).as_str(), &[]);
    let token = signer.token(&issuer.claims("ann"), &Value::Null);
    let session = enter(&server, &token);
    issuer.hold(true);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| verdict(&server, &unknown.token(&issuer.claims("ann"), &Value::Null)));
        let asking = scope.spawn(|| verdict(&server, "opaque"));
        let document = "/.well-known/openid-configuration";
        eventually("both ask", || issuer.asked(document).len() == 2 && issuer.asked("/introspect").len() == 1);
        let start = Instant::now();
        for _ in 0..20 {
            assert_eq!(send_as(&server, &token, Some(&session), PING).status, 200);
            assert_eq!(verdict(&server, &signer.token(&issuer.claims("bob"), &Value::Null)).0, 200);
            assert_eq!(send(server.address(), "GET", "/health", &[], b"").status, 200);
        }
        assert!(start.elapsed() < PATIENCE / 4 && !waiting.is_finished() && !asking.is_finished());
        issuer.hold(false);
        assert_eq!((waiting.join().unwrap().0, asking.join().unwrap().0), (401, 401));
    });
}

#[test]
fn a_session_is_its_principals_alone_and_a_stranger_disturbs_nobody() {
    let signer = Signer::new("ES256", "k");
    let issuer = Issuer::start(&[&signer]);
    let backend = Backend::start();
    let server = guarded(&issuer, "", &[("b", &backend.url())]);
    let (ann, bob) =
        (signer.token(&issuer.claims("ann"), &Value::Null), signer.token(&issuer.claims("bob"), &Value::Null));
    let session = enter(&server, &ann);
    let stream = request_as(&server, &ann, Some(&session), "GET", "");
    assert_eq!(stream.status, 200);
    // A stranger is told what somebody is told who made the id up, word for word.
    let nowhere = "01234567-89ab-4def-8123-456789abcdef";
    for (method, body) in [("POST", PING), ("POST", INITIALIZE.split_at(0).1), ("GET", ""), ("DELETE", "")] {
        let mut strangers = request_as(&server, &bob, Some(&session), method, body);
        let mut unknown = request_as(&server, &bob, Some(nowhere), method, body);
        assert_eq!((strangers.status, strangers.text()), (unknown.status, unknown.text()), "{method} {body}");
    }
    assert_eq!(send_as(&server, &bob, Some(&session), PING).status, 404);
    let call = r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"b_echo","arguments":{}}}"#;
    assert_eq!(send_as(&server, &bob, Some(&session), call).status, 404);
    assert!(backend.seen("tools/call").is_empty());
    // Nobody, or a token that is over, is 401, and neither ends anything.
    assert_eq!(
        send(server.address(), "POST", "/mcp", &[JSON, ACCEPT, ("mcp-session-id", &session)], PING.as_bytes()).status,
        401
    );
    let over = signer.token(&issuer.claims_with(&json!({"exp": now() - 100})), &Value::Null);
    assert_eq!(send_as(&server, &over, Some(&session), PING).status, 401);
    let again = signer.token(&issuer.claims_with(&json!({"jti": "2"})), &Value::Null);
    assert_ne!(again, ann);
    let answer = send_as(&server, &again, Some(&session), call).json();
    assert_eq!(answer["result"]["isError"], Value::Null, "{answer}");
    let mut stream = stream;
    assert_eq!(String::from_utf8(stream.chunk().unwrap()).unwrap(), ": ok\n\n", "it is still open");
    assert_eq!(request_as(&server, &again, Some(&session), "DELETE", "").status, 200);
    assert_eq!(send_as(&server, &ann, Some(&session), PING).status, 404);
}

#[test]
fn a_cursor_is_good_for_whom_it_was_made() {
    let signer = Signer::new("ES256", "k");
    let issuer = Issuer::start(&[&signer]);
    let backend = Backend::with(
        json!({"resources": (0..1001).map(|n| json!({"uri": format!("b:{n:04}"), "name": "r"})).collect::<Vec<_>>()}),
    );
    let server = guarded(&issuer, "", &[("b", &backend.url())]);
    let list = |subject: &str, cursor: Option<&str>| {
        let token = signer.token(&issuer.claims(subject), &Value::Null);
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
        let mut params = json!({"_meta": meta});
        if let Some(cursor) = cursor {
            params["cursor"] = json!(cursor);
        }
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "resources/list", "params": params}).to_string();
        let bearer = format!("Bearer {token}");
        let headers = [
            JSON,
            ACCEPT,
            ("authorization", &bearer),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "resources/list"),
        ];
        send(server.address(), "POST", "/mcp", &headers, body.as_bytes()).json()
    };
    let cursor = list("ann", None)["result"]["nextCursor"].as_str().unwrap().to_owned();
    assert_eq!(list("ann", Some(&cursor))["result"]["resources"].as_array().unwrap().len(), 1);
    assert_eq!(list("bob", Some(&cursor))["error"]["code"], -32602);
}

#[test]
fn opaque_tokens_are_asked_about_with_the_clients_credentials() {
    let issuer = Issuer::start(&[&Signer::new("ES256", "k")]);
    let more = format!("clientId: gateway, introspectionUrl: \"{}/introspect\"", issuer.url());
    let server = guarded(&issuer, &more, &[]);
    let mut answer = issuer.claims("ann");
    answer["active"] = json!(true);
    issuer.set_opaque("good", answer.clone());
    let session = enter(&server, "good");
    let asked = &issuer.asked("/introspect")[0];
    assert_eq!(asked.body, "token=good&token_type_hint=access_token");
    assert_eq!(asked.authorization, None, "no variable has a secret in this process");
    assert_eq!(send_as(&server, "good", Some(&session), PING).status, 200);
    assert_eq!(issuer.asked("/introspect").len(), 1, "a moment ago is good enough");
    for (token, changes, why) in [
        ("inactive", json!({"active": false}), "the issuer does not know the token, or no longer"),
        ("elsewhere", json!({"aud": "other"}), "the token is for another audience"),
        ("stranger", json!({"iss": "https://evil.example"}), "the token is of another issuer"),
        ("unnamed", json!({"sub": ""}), "the token does not say whose it is"),
        ("broken", json!({"active": "yes"}), "the claims of the token cannot be read"),
    ] {
        let mut answer = answer.clone();
        answer.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        issuer.set_opaque(token, answer);
        assert_eq!(refused(&server, token), why, "{token}");
    }
    let mut bobs = answer;
    bobs["sub"] = json!("bob");
    issuer.set_opaque("bob", bobs);
    assert_eq!(send_as(&server, "bob", Some(&session), PING).status, 404);
    issuer.set_down(true);
    assert_eq!(verdict(&server, "unknown").0, 503);
}

#[test]
fn one_question_after_the_other_goes_over_one_connection() {
    let issuer = Issuer::start(&[&Signer::new("ES256", "k")]);
    let server = guarded(&issuer, &format!("introspectionUrl: \"{}/introspect\"", issuer.url()), &[]);
    let mut answer = issuer.claims("ann");
    answer["active"] = json!(true);
    let mut asked = 0;
    let mut ask = || {
        asked += 1;
        let token = format!("opaque-{asked}");
        issuer.set_opaque(&token, answer.clone());
        enter(&server, &token);
        assert_eq!(issuer.asked("/introspect").len(), asked);
        issuer.connections()
    };
    // One, or two if keys are asked for beside it.
    let first = ask();
    assert_eq!(ask(), first);
    assert_eq!(ask(), first);
    // The issuer closes what is idle: nobody notices but the issuer.
    issuer.hang_up();
    assert_eq!(ask(), first + 1);
    assert_eq!(ask(), first + 1);
}

#[test]
fn what_a_backend_says_of_its_own_tokens_reaches_no_client() {
    let signer = Signer::new("ES256", "k");
    let issuer = Issuer::start(&[&signer]);
    let stage = Stage::start(json!({"tools": {}}));
    let server = guarded(&issuer, "", &[("b", &stage.url())]);
    let token = signer.token(&issuer.claims("ann"), &Value::Null);
    let session = enter(&server, &token);
    let call = r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"b_t","arguments":{}}}"#;
    for head in [
        "401 X\r\nwww-authenticate: Bearer realm=\"theirs\"",
        "403 X\r\nwww-authenticate: Bearer error=\"insufficient_scope\"",
    ] {
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| send_as(&server, &token, Some(&session), call));
            stage.cue("tools/call").bare(head);
            let mut answer = asking.join().unwrap();
            assert_eq!((answer.status, answer.header("www-authenticate")), (200, None));
            let answer = answer.json();
            assert_eq!(answer["error"]["code"], -32603);
            assert!(!answer.to_string().contains("theirs") && !answer.to_string().contains("insufficient"), "{answer}");
        });
    }
    // Nor is the caller's own token one that a backend ever sees.
    assert_eq!(stage.headers("authorization"), Vec::<String>::new());
    assert_eq!(send_as(&server, &token, Some(&session), PING).status, 200);
}

#[test]
fn scopes_are_told_and_only_demanded_where_that_was_asked_for() {
    let signer = Signer::new("ES256", "k");
    let issuer = Issuer::start(&[&signer]);
    let reads = signer.token(&issuer.claims("ann"), &Value::Null);
    let lax = guarded(&issuer, "scopes: [read, write]", &[]);
    assert_eq!(verdict(&lax, &reads).0, 200);
    let offer = offer_of(&issuer.incoming("scopes: [read, write]"), "streamable-http", &[], "");
    let strict = serve_all(offer, Options { scopes: Scopes::Enforced, ..Options::default() });
    let mut answer = send_as(&strict, &reads, None, INITIALIZE);
    assert_eq!((answer.status, answer.json()["error"].clone()), (403, json!("insufficient_scope")));
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(
        challenge.contains(r#"scope="read write", error="insufficient_scope""#)
            && challenge.contains("resource_metadata="),
        "{challenge}"
    );
    let both = signer.token(&issuer.claims_with(&json!({"scope": "write other read"})), &Value::Null);
    assert_eq!(verdict(&strict, &both).0, 200);
    let listed = signer.token(&issuer.claims_with(&json!({"scope": null, "scp": ["read", "write"]})), &Value::Null);
    assert_eq!(verdict(&strict, &listed).0, 200);
}

#[test]
fn clients_learn_where_tokens_are_to_be_had_and_stop_looking() {
    let issuer = Issuer::start(&[&Signer::new("ES256", "k")]);
    let server = guarded(&issuer, "scopes: [read]", &[]);
    let get = |server: &Server, path: &str, headers: &[(&str, &str)]| send(server.address(), "GET", path, headers, b"");
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] {
        let mut answer = get(&server, path, &[("origin", "https://app.example")]);
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("https://app.example")));
        assert_eq!(
            answer.json(),
            json!({"resource": "https://mcp.example/a", "authorization_servers": [issuer.url()],
                "bearer_methods_supported": ["header"], "scopes_supported": ["read"]})
        );
        let preflight = send(server.address(), "OPTIONS", path, &[], b"");
        assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, Some("*")));
        assert_eq!(
            preflight.header("access-control-allow-headers"),
            Some("mcp-protocol-version, Content-Type, Authorization")
        );
        assert_eq!(send(server.address(), "POST", path, &[], b"").status, 405);
    }
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-protected-resourceful",
    ] {
        let mut answer = get(&server, path, &[]);
        assert_eq!((answer.status, answer.json()), (404, json!({"error": "not_found"})), "{path}");
    }
    let nameless = issuer.incoming("").replace("resource: \"https://mcp.example/a\",", "");
    let server = serve_all(offer_of(&nameless, "streamable-http", &[], ""), Options::default());
    let mut answer = get(&server, "/.well-known/oauth-protected-resource", &[]);
    assert_eq!((answer.status, answer.text().as_str()), (404, ""));
    let open = serve_all(offer_of("{type: local}", "streamable-http", &[], ""), Options::default());
    let mut answer = get(&open, "/.well-known/oauth-protected-resource", &[]);
    assert_eq!((answer.status, answer.json()), (404, json!({"error": "not_found"})));
    assert_eq!(verdict(&open, "whatever it is").0, 200);
}

#[test]
fn keys_are_found_where_rfc_8414_puts_them_too_or_where_it_was_said() {
    let signer = Signer::new("PS256", "k");
    let issuer = Issuer::start(&[&signer]);
    issuer.only_by_rfc8414();
    let token = signer.token(&issuer.claims("ann"), &Value::Null);
    assert_eq!(verdict(&guarded(&issuer, "", &[]), &token).0, 200);
    assert_eq!(issuer.asked("/.well-known/oauth-authorization-server").len(), 1);
    let more = format!("jwksUrl: \"{}/jwks\"", issuer.url());
    assert_eq!(verdict(&guarded(&issuer, &more, &[]), &token).0, 200);
    assert_eq!(issuer.asked("/.well-known/oauth-authorization-server").len(), 1);
}

#[test]
fn an_address_that_is_not_public_is_not_asked_unless_that_was_said() {
    let signer = Signer::new("ES256", "k");
    let issuer = Issuer::start(&[&signer]);
    let incoming = issuer.incoming("").replace("jwksAllowPrivateIp: true,", "");
    let server = serve_all(offer_of(&incoming, "streamable-http", &[], ""), Options::default());
    assert_eq!(verdict(&server, &signer.token(&issuer.claims("ann"), &Value::Null)).0, 503);
    assert!(issuer.asked("/.well-known/openid-configuration").is_empty());
}

#[test]
fn keys_with_the_same_id_are_all_tried_and_those_for_other_uses_never() {
    let (one, two, three) = (Signer::new("ES256", "k"), Signer::new("ES256", "k"), Signer::new("ES256", "enc"));
    let issuer = Issuer::start(&[&one, &two]);
    let mut encrypts = three.jwk();
    encrypts["use"] = json!("enc");
    issuer.set_keys(vec![one.jwk(), two.jwk(), encrypts, json!({"kty": "oct", "kid": "k", "k": "AAAA"})]);
    let server = guarded(&issuer, "", &[]);
    for signer in [&one, &two] {
        assert_eq!(verdict(&server, &signer.token(&issuer.claims("ann"), &Value::Null)).0, 200);
    }
    assert_eq!(
        refused(&server, &three.token(&issuer.claims("ann"), &Value::Null)),
        "the token is signed with a key that the issuer does not name"
    );
}

#[test]
fn a_stream_ends_with_the_token_that_may_hear_it_and_its_session_stays() {
    let signer = Signer::new("ES256", "k");
    let issuer = Issuer::start(&[&signer]);
    let offer = offer_of(&issuer.incoming(""), "streamable-http", &[], "");
    let server = serve_all(offer, Options { session_ttl: Duration::from_secs(60 * 60), ..Options::default() });
    // It is over, and accepted for a second more.
    let almost = signer.token(&issuer.claims_with(&json!({"exp": now() - 28})), &Value::Null);
    let session = enter(&server, &almost);
    let mut stream = request_as(&server, &almost, Some(&session), "GET", "");
    assert_eq!(stream.status, 200);
    while stream.chunk().is_some() {}
    let fresh = signer.token(&issuer.claims("ann"), &Value::Null);
    assert_eq!(send_as(&server, &fresh, Some(&session), PING).status, 200);
    assert_eq!(request_as(&server, &fresh, Some(&session), "GET", "").status, 200);
}
