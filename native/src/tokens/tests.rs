//! The cache against a token endpoint on loopback whose answers a test holds back: what is asked once, who waits for whom,
//! and what is forgotten.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Condvar;
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use vmcp_core::auth::{TOKEN_TYPE, TokenEndpoint, TokenExchange};
use vmcp_core::endpoint::Endpoint;
use vmcp_core::trust::{CaBundle, Pool, SystemRoots};

use super::*;
use crate::demo::authority::Authority;
use crate::transport::{Proxies, TransportOptions};

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A token endpoint: it answers `token-of-<subject>-<n>` for the n-th exchange of a subject, once it is let.
#[derive(Clone)]
struct Idp(Arc<State>);

struct State {
    url: String,
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    /// How many requests came for each subject.
    asked: BTreeMap<String, usize>,
    /// Whether answers are held back, and for whom not.
    held: bool,
    let_go: Vec<String>,
    status: Option<u16>,
    lifetime: Option<u64>,
    connections: usize,
}

impl Idp {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let idp = Self(Arc::new(State { url, seen: Mutex::default(), changed: Condvar::new() }));
        let serving = idp.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let idp = serving.clone();
                idp.set(|seen| seen.connections += 1);
                thread::Builder::new().stack_size(64 << 10).spawn(move || idp.connection(stream)).unwrap();
            }
        });
        idp
    }

    fn connection(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        loop {
            let mut length = 0;
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            let subject = body.split('&').find_map(|pair| pair.strip_prefix("subject_token="));
            let subject = subject.unwrap_or("nobody").to_owned();
            let (number, status, lifetime) = {
                let mut seen = self.0.seen.lock().unwrap();
                let number = seen.asked.entry(subject.clone()).or_default();
                *number += 1;
                let number = *number;
                self.0.changed.notify_all();
                let stays = |seen: &mut Seen| seen.held && !seen.let_go.contains(&subject);
                let (seen, late) = self.0.changed.wait_timeout_while(seen, PATIENCE, stays).unwrap();
                assert!(!late.timed_out(), "{subject} was never let go");
                (number, seen.status.unwrap_or(200), seen.lifetime)
            };
            let lifetime = lifetime.map_or(String::new(), |seconds| format!(r#","expires_in":{seconds}"#));
            let answer = format!(
                r#"{{"access_token":"token-of-{subject}-{number}","token_type":"Bearer","issued_token_type":"{TOKEN_TYPE}access_token"{lifetime}}}"#
            );
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            let out = stream.get_mut();
            if out.write_all(head.as_bytes()).and_then(|()| out.write_all(answer.as_bytes())).is_err() {
                return;
            }
        }
    }

    fn strategy(&self, audience: &str) -> Arc<Strategy> {
        self.strategy_trusting(audience, None)
    }

    fn strategy_trusting(&self, audience: &str, bundle: Option<Arc<CaBundle>>) -> Arc<Strategy> {
        Arc::new(Strategy::TokenExchange(TokenExchange {
            endpoint: TokenEndpoint {
                url: Endpoint::parse(&self.0.url).unwrap(),
                pool: Arc::new(Pool::new(Arc::new(SystemRoots::default()), bundle)),
            },
            client: Some(vmcp_core::auth::Client { id: "gateway".to_owned(), secret: Secret::new("s3cr3t") }),
            audience: audience.to_owned(),
            scopes: Vec::new(),
            subject_token_type: format!("{TOKEN_TYPE}access_token"),
        }))
    }

    fn set(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.0.seen.lock().unwrap());
        self.0.changed.notify_all();
    }

    /// Waits until so many requests have come.
    fn wait_for(&self, requests: usize) {
        let seen = self.0.seen.lock().unwrap();
        let total = |seen: &mut Seen| seen.asked.values().sum::<usize>() < requests;
        let (seen, late) = self.0.changed.wait_timeout_while(seen, PATIENCE, total).unwrap();
        assert!(!late.timed_out(), "{} of {requests} came", seen.asked.values().sum::<usize>());
    }

    fn asked(&self, subject: &str) -> usize {
        self.0.seen.lock().unwrap().asked.get(subject).copied().unwrap_or(0)
    }
}

fn caller(subject: &str) -> Principal {
    Principal {
        issuer: "https://idp.example".to_owned(),
        subject: subject.to_owned(),
        scopes: Vec::new(),
        claims: Secret::new("{}"),
        token: Secret::new(subject),
        expires: None,
    }
}

fn with_tokens(test: impl FnOnce(Tokens, &Runtime)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let options = TransportOptions { proxies: Proxies::none(), ..TransportOptions::default() };
    test(Tokens::new(Sender::new(&options), runtime.handle().clone()), &runtime);
    runtime.shutdown_background();
}

fn bearer(grant: &Grant) -> String {
    match &grant.proof {
        Proof::Authorization(value) => value.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_thousand_callers_cost_one_exchange_each_and_nobody_waits_for_another() {
    const CALLERS: usize = 1000;
    let idp = Idp::start();
    idp.set(|seen| seen.held = true);
    with_tokens(|tokens, runtime| {
        let strategy = idp.strategy("a");
        let subject = |number: usize| format!("s{number}");
        // Three calls of each caller at once, as a client makes them.
        let calls: Vec<_> = (0..CALLERS * 3)
            .map(|number| {
                let (tokens, strategy, who) =
                    (tokens.clone(), Arc::clone(&strategy), caller(&subject(number % CALLERS)));
                runtime.spawn(async move { tokens.of_caller(&strategy, &who).await.map(|(grant, _)| bearer(&grant)) })
            })
            .collect();
        // All are with the endpoint while it answers nobody.
        idp.wait_for(CALLERS);
        assert_eq!(tokens.count(), CALLERS);
        // The last one that came is served while all others still wait.
        idp.set(|seen| seen.let_go.push(subject(CALLERS - 1)));
        let mut calls: Vec<_> = calls.into_iter().enumerate().collect();
        let first = calls.remove(3 * CALLERS - 1).1;
        let token = runtime.block_on(async { tokio::time::timeout(PATIENCE, first).await }).unwrap().unwrap().unwrap();
        assert_eq!(token, format!("Bearer token-of-s{}-1", CALLERS - 1));
        assert!(
            calls.iter().filter(|(number, _)| number % CALLERS != CALLERS - 1).all(|(_, call)| !call.is_finished())
        );
        idp.set(|seen| seen.held = false);
        for (number, call) in calls {
            let token = runtime.block_on(call).unwrap().unwrap();
            assert_eq!(token, format!("Bearer token-of-s{}-1", number % CALLERS));
        }
        assert!((0..CALLERS).all(|number| idp.asked(&subject(number)) == 1), "one exchange for each");
    });
}

#[test]
fn exchanges_that_trust_alike_share_a_connection_and_no_others() {
    let idp = Idp::start();
    with_tokens(|tokens, runtime| {
        let bundle = |name: &str| {
            let authority = Authority::new(name).unwrap();
            CaBundle::read("ca.crt", authority.pem().as_bytes(), UnixTime::now()).0.map(Arc::new)
        };
        let (one, two) = (bundle("one"), bundle("two"));
        assert!(one.is_some() && two.is_some());
        let mut number = 0;
        let mut connections = |bundle: &Option<Arc<CaBundle>>| {
            number += 1;
            let (strategy, who) = (idp.strategy_trusting("a", bundle.clone()), caller(&format!("c{number}")));
            runtime.block_on(tokens.of_caller(&strategy, &who)).unwrap();
            idp.0.seen.lock().unwrap().connections
        };
        assert_eq!([&None, &None, &one, &one, &two, &None, &one].map(&mut connections), [1, 1, 2, 2, 3, 3, 3]);
    });
}

#[test]
fn what_the_credentials_depend_on_is_the_key() {
    let idp = Idp::start();
    with_tokens(|tokens, runtime| {
        let token = |strategy: &Arc<Strategy>, who: &Principal| {
            bearer(&runtime.block_on(tokens.of_caller(strategy, who)).unwrap().0)
        };
        let (one, other) = (idp.strategy("one"), idp.strategy("other"));
        assert_eq!(token(&one, &caller("ann")), "Bearer token-of-ann-1");
        assert_eq!(token(&one, &caller("ann")), "Bearer token-of-ann-1");
        assert_eq!(token(&idp.strategy("one"), &caller("ann")), "Bearer token-of-ann-1", "equal strategies share");
        assert_eq!(token(&other, &caller("ann")), "Bearer token-of-ann-2", "another audience");
        let mut elsewhere = caller("ann");
        elsewhere.issuer.push('x');
        assert_eq!(token(&one, &elsewhere), "Bearer token-of-ann-3", "another issuer");
        let mut renewed = caller("ann");
        renewed.token = Secret::new("ann-renewed");
        assert_eq!(token(&one, &renewed), "Bearer token-of-ann-renewed-1", "another token of the same subject");
        assert_eq!(token(&one, &caller("ann")), "Bearer token-of-ann-1");
        // The gateway's own are nobody's, and nobody gets them.
        let (grant, _) = runtime.block_on(tokens.of_nobody(&one)).unwrap();
        assert_eq!(bearer(&grant), "Bearer token-of-nobody-1");
        assert_eq!(idp.asked("ann"), 3);
    });
}

#[test]
fn what_a_backend_refused_is_asked_for_once_more() {
    let idp = Idp::start();
    with_tokens(|tokens, runtime| {
        let strategy = idp.strategy("a");
        let get = || runtime.block_on(tokens.of_caller(&strategy, &caller("ann"))).unwrap();
        let (first, given) = get();
        tokens.forget(&given);
        let (second, newer) = get();
        assert_eq!(
            (bearer(&first).as_str(), bearer(&second).as_str()),
            ("Bearer token-of-ann-1", "Bearer token-of-ann-2")
        );
        // Who was refused with the old one late does not take the new one from everybody.
        tokens.forget(&given);
        assert_eq!(bearer(&get().0), "Bearer token-of-ann-2");
        tokens.forget(&newer);
        assert_eq!(tokens.count(), 0);
    });
}

#[test]
fn failures_are_not_kept_and_what_ends_is_asked_for_again() {
    let idp = Idp::start();
    with_tokens(|tokens, runtime| {
        let strategy = idp.strategy("a");
        let get = |who: &Principal| runtime.block_on(tokens.of_caller(&strategy, who)).map(|(grant, _)| bearer(&grant));
        idp.set(|seen| seen.status = Some(503));
        let refused = format!("token endpoint {} refused with status 503", idp.0.url);
        assert_eq!(get(&caller("ann")).unwrap_err().to_string(), refused);
        assert_eq!(tokens.count(), 0);
        // A redirect is not followed, wherever it leads.
        idp.set(|seen| seen.status = Some(307));
        assert_eq!(get(&caller("ann")).unwrap_err().to_string(), refused.replace("503", "307"));
        idp.set(|seen| (seen.status, seen.lifetime) = (None, Some(1)));
        assert_eq!(get(&caller("ann")).unwrap(), "Bearer token-of-ann-3");
        assert_eq!(get(&caller("ann")).unwrap(), "Bearer token-of-ann-4", "it was about to end");
        idp.set(|seen| seen.lifetime = None);
        let mut ending = caller("bob");
        ending.expires = Some(UnixTime::now());
        assert_eq!(get(&ending).unwrap(), "Bearer token-of-bob-1");
        assert_eq!(get(&ending).unwrap(), "Bearer token-of-bob-2", "the caller's own token has ended");
        let mut nobody = caller("");
        nobody.token = Secret::default();
        assert_eq!(
            get(&nobody).unwrap_err().to_string(),
            "strategy `token_exchange` needs the caller's own token, and the caller has none"
        );
        assert_eq!(idp.asked(""), 0);
    });
}

#[test]
fn who_gives_up_leaves_the_exchange_to_the_others() {
    let idp = Idp::start();
    idp.set(|seen| seen.held = true);
    with_tokens(|tokens, runtime| {
        let strategy = idp.strategy("a");
        let call = || {
            let (tokens, strategy) = (tokens.clone(), Arc::clone(&strategy));
            runtime.spawn(
                async move { tokens.of_caller(&strategy, &caller("ann")).await.map(|(grant, _)| bearer(&grant)) },
            )
        };
        let first = call();
        idp.wait_for(1);
        let second = call();
        first.abort();
        assert!(runtime.block_on(first).unwrap_err().is_cancelled());
        idp.set(|seen| seen.held = false);
        assert_eq!(runtime.block_on(second).unwrap().unwrap(), "Bearer token-of-ann-1");
    });
}

#[test]
fn nothing_secret_is_shown() {
    let idp = Idp::start();
    with_tokens(|tokens, runtime| {
        let (grant, given) = runtime.block_on(tokens.of_caller(&idp.strategy("a"), &caller("ann"))).unwrap();
        let shown = format!("{tokens:?} {grant:?} {given:?}");
        assert!(!shown.contains("token-of") && !shown.contains("s3cr3t"), "{shown}");
    });
}
