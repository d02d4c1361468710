//! End to end with programs that this project did not write: MCP servers of the official SDKs over HTTPS behind private
//! CAs, `vmcp serve` in front of them, and the SDKs' own clients in front of that.
//!
//! What a single rule of TLS or MCP asks for is tried elsewhere; here the whole chain either carries a call or says why
//! not. The programs are installed by `make peers`, hence the feature `peers`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod at;
mod certificates;
mod clients;
mod everything;
mod gateway;
mod inspector;
mod issuer;
mod lossless;
mod manual;
mod processes;
mod servers;
mod steps;

use std::thread;
use std::time::{Duration, Instant};

use at::At;
use certificates::{Authority, Certificate, days};
use clients::{Client, call};
use gateway::{Backend, Gateway, Log};
use lossless::End;
use servers::{Kind, Server};
use steps::{CAPABILITIES, Pair};
use vmcp_core::mcp::Era;
use vmcp_tests::Scratch;

/// The names under which a server on loopback is reached.
const NAMES: &[&str] = &["localhost", "127.0.0.1"];

const CLIENTS: &[Client] =
    &[Client::Python1, Client::Python2, Client::TypeScript1, Client::TypeScript2, Client::Rust, Client::Inspector];

#[test]
fn every_client_lists_and_calls_the_tools_of_every_server_each_behind_its_own_ca() {
    let scratch = Scratch::new();
    let servers: Vec<(Server, Authority)> = Kind::ALL
        .iter()
        .map(|&kind| {
            let authority = Authority::new(kind.name());
            (Server::start(kind, kind.name(), &authority.issue(NAMES, days(-1), days(7)), &scratch), authority)
        })
        .collect();
    let backends = servers.iter().map(|(server, authority)| {
        Backend::new(server.name(), server.url("localhost")).bundle(&scratch, authority.pem())
    });
    let gateway = Gateway::start(&scratch, backends, &[]);

    let mut expected: Vec<String> = servers.iter().flat_map(|(server, _)| server.tools()).collect();
    expected.sort();
    // Side by side, as clients come.
    thread::scope(|scope| {
        for &client in CLIENTS {
            let calls: Vec<_> = servers.iter().map(|(server, _)| server.greeting(client.name())).collect();
            let answers: Vec<_> = servers.iter().map(|(server, _)| server.answer(client.name())).collect();
            let (mut expected, url) = (expected.clone(), gateway.url());
            if client == Client::Inspector {
                // It declares roots, and the everything server has a tool for those who do.
                expected.push("everything_get-roots-list".to_owned());
                expected.sort();
            }
            scope.spawn(move || {
                let told = client.drive(&url, &calls);
                assert_eq!(told.revision, client.newest(), "{client:?}");
                assert_eq!(told.tools, expected, "{client:?}");
                assert_eq!(told.results, answers, "{client:?}");
            });
        }
    });
}

#[test]
fn what_a_server_says_arrives_as_it_was_said() {
    let scratch = Scratch::new();
    let authority = Authority::new("ca");
    scratch.write("ca.crt", authority.pem());
    let bundle = scratch.path().join("ca.crt");
    for kind in Kind::ALL {
        let server = Server::start(kind, kind.name(), &authority.issue(NAMES, days(-1), days(7)), &scratch);
        let backend = Backend::new(server.name(), server.url("localhost")).bundle(&scratch, authority.pem());
        let gateway = Gateway::start(&scratch, [backend], &[]);
        let mut direct = End::new(&server.url("localhost"), bundle.to_str(), Era::Modern);
        // What a revision lets a server say is compared in that revision.
        let mut through = End::new(&gateway.url(), None, direct.era());
        let compared = lossless::compare(&mut direct, &mut through, &format!("{}_", server.name()), &server.calls());
        // Lists and calls, and where there are resources and prompts, each of them.
        let least = server.calls().len() + if kind == Kind::Everything { 20 } else { 4 };
        assert!(compared >= least, "{}: {compared}", server.name());
    }
}

#[test]
fn a_bundle_opens_exactly_the_server_whose_ca_it_holds() {
    let scratch = Scratch::new();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let server = Server::start(Kind::Python2, "one", &ours.issue(NAMES, days(-1), days(7)), &scratch);
    let named = Server::start(Kind::TypeScript, "named", &ours.issue(&["other.example"], days(-1), days(7)), &scratch);
    let old = Server::start(Kind::TypeScript, "old", &ours.issue(NAMES, days(-9), days(-2)), &scratch);
    let gateway = Gateway::start(
        &scratch,
        [
            Backend::new("right-ca", server.url("localhost")).bundle(&scratch, ours.pem()),
            Backend::new("wrong-ca", server.url("localhost")).bundle(&scratch, theirs.pem()),
            Backend::new("no-ca", server.url("localhost")),
            Backend::new("wrong-name", named.url("localhost")).bundle(&scratch, ours.pem()),
            Backend::new("expired", old.url("localhost")).bundle(&scratch, ours.pem()),
        ],
        &[],
    );

    for client in [Client::Python1, Client::TypeScript2] {
        let told = client.drive(&gateway.url(), &[call("right-ca_echo", "text", "hello")]);
        assert_eq!(told.tools, server.tools_as("right-ca"), "{client:?}");
        assert_eq!(told.results, [Ok("one heard hello".to_owned())], "{client:?}");
    }
    let log = gateway.stop();
    log.says_of("wrong-ca", &["issued by \"ours\"", "wrong-ca.crt"]);
    log.says_of("no-ca", &["issued by \"ours\""]);
    log.says_of("wrong-name", &["other.example", "localhost"]);
    log.says_of("expired", &["expired"]);
    log.says_nothing_of("right-ca");
}

#[test]
fn a_servers_own_certificate_pins_that_server_and_no_other() {
    let scratch = Scratch::new();
    let (own, other) = (Certificate::self_signed("own", NAMES), Certificate::self_signed("other", NAMES));
    let server = Server::start(Kind::Python1, "own", &own, &scratch);
    let gateway = Gateway::start(
        &scratch,
        [
            Backend::new("pinned", server.url("127.0.0.1")).bundle(&scratch, own.pem()),
            Backend::new("pinned-other", server.url("127.0.0.1")).bundle(&scratch, other.pem()),
        ],
        &[],
    );
    let told = Client::Python2.drive(&gateway.url(), &[call("pinned_echo", "text", "hello")]);
    assert_eq!(told.tools, server.tools_as("pinned"));
    assert_eq!(told.results, [Ok("own heard hello".to_owned())]);
    let log = gateway.stop();
    log.says_of("pinned-other", &["pinned-other.crt"]);
    log.says_nothing_of("pinned");
}

#[test]
fn without_a_bundle_the_system_roots_alone_decide() {
    let scratch = Scratch::new();
    let (system, private) = (Authority::new("system"), Authority::new("private"));
    let known = Server::start(Kind::TypeScript, "known", &system.issue(NAMES, days(-1), days(7)), &scratch);
    let unknown = Server::start(Kind::Python2, "unknown", &private.issue(NAMES, days(-1), days(7)), &scratch);
    scratch.write("roots.pem", system.pem());
    let roots = scratch.path().join("roots.pem");
    let gateway = Gateway::start(
        &scratch,
        [
            Backend::new("known", known.url("localhost")),
            Backend::new("unknown", unknown.url("localhost")),
            // A bundle adds to the system roots and does not replace them.
            Backend::new("known-too", known.url("localhost")).bundle(&scratch, private.pem()),
        ],
        &[("SSL_CERT_FILE", roots.to_str().unwrap())],
    );
    let calls = [call("known_echo", "text", "a"), call("known-too_echo", "text", "b")];
    let told = Client::TypeScript1.drive(&gateway.url(), &calls);
    assert_eq!(told.tools, [known.tools_as("known-too"), known.tools_as("known")].concat());
    assert_eq!(told.results, [Ok("known heard a".to_owned()), Ok("known heard b".to_owned())]);
    gateway.stop().says_of("unknown", &["issued by \"private\""]);
}

#[test]
fn a_dead_and_a_hanging_backend_cost_their_own_callers_only() {
    let scratch = Scratch::new();
    let authority = Authority::new("ca");
    let server = Server::start(Kind::Python2, "well", &authority.issue(NAMES, days(-1), days(7)), &scratch);
    let (dead, hanging) = (servers::Dead::new(), servers::Hanging::new());
    let started = Instant::now();
    let gateway = Gateway::start(
        &scratch,
        [
            Backend::new("well", server.url("localhost")).bundle(&scratch, authority.pem()),
            Backend::new("dead", dead.url()).bundle(&scratch, authority.pem()),
            Backend::new("hanging", hanging.url()).bundle(&scratch, authority.pem()),
        ],
        &[],
    );
    assert!(started.elapsed() < Duration::from_secs(10), "starting waited for a backend");

    let calls = [call("well_echo", "text", "a"), call("dead_echo", "text", "a"), call("well_echo", "text", "b")];
    let told = Client::Python1.drive(&gateway.url(), &calls);
    assert_eq!(told.tools, server.tools_as("well"));
    let [first, refused, last] = &told.results[..] else { panic!("{told:?}") };
    assert_eq!((first, last), (&Ok("well heard a".to_owned()), &Ok("well heard b".to_owned())));
    assert!(refused.is_err(), "a dead backend answered: {refused:?}");
    assert!(hanging.was_reached(), "the hanging backend was never tried");
    gateway.stop().says_of("dead", &["refused"]);
}

#[test]
fn a_tools_own_error_arrives_as_the_tools_own() {
    let scratch = Scratch::new();
    let authority = Authority::new("ca");
    let server = Server::start(Kind::Python1, "one", &authority.issue(NAMES, days(-1), days(7)), &scratch);
    let backend = Backend::new("one", server.url("localhost")).bundle(&scratch, authority.pem());
    let gateway = Gateway::start(&scratch, [backend], &[]);
    for client in [Client::Python1, Client::Python2, Client::TypeScript1, Client::TypeScript2, Client::Rust] {
        let told = client.drive(&gateway.url(), &[clients::bare_call("one_fail")]);
        let [Err(clients::Trouble::Failed(text))] = &told.results[..] else { panic!("{client:?}: {told:?}") };
        assert!(text.contains("one was asked to fail"), "{client:?}: {text}");
    }
    let _: Log = gateway.stop();
}

const PYTHON_1: Pair = Pair::same(Client::Python1);
const PYTHON_2: Pair = Pair::same(Client::Python2);
const TYPESCRIPT_1: Pair = Pair::same(Client::TypeScript1);
const TYPESCRIPT_2: Pair = Pair::same(Client::TypeScript2);
const RUST: Pair = Pair::same(Client::Rust);
const ALL: &[Pair] = &[PYTHON_1, PYTHON_2, TYPESCRIPT_1, TYPESCRIPT_2, RUST];
/// Those that speak HTTP+SSE, for the reference; only older revisions have it.
const OVER_SSE: &[Pair] = &[PYTHON_1, Pair::newer(Client::Python2), TYPESCRIPT_1, Pair::newer(Client::TypeScript2)];
const OLDER: &[Pair] = &[
    Pair::older(Client::Python1),
    Pair::older(Client::Python2),
    Pair::older(Client::TypeScript1),
    Pair::older(Client::TypeScript2),
    Pair::older(Client::Rust),
];

#[test]
fn every_client_is_told_and_asked_by_python_1_what_it_is_without_the_gateway() {
    steps::compare(At::Python1, ALL, CAPABILITIES);
}

#[test]
fn every_client_is_told_and_asked_by_python_1_over_sse_what_it_is_without_the_gateway() {
    steps::compare(At::Python1Sse, OVER_SSE, CAPABILITIES);
}

#[test]
fn every_client_is_told_and_asked_by_python_2_what_it_is_without_the_gateway() {
    steps::compare(At::Python2, ALL, CAPABILITIES);
}

#[test]
fn every_client_is_told_and_asked_by_python_2_over_sse_what_it_is_without_the_gateway() {
    steps::compare(At::Python2Sse, OVER_SSE, CAPABILITIES);
}

#[test]
fn every_client_is_told_and_asked_by_typescript_what_it_is_without_the_gateway() {
    steps::compare(At::TypeScript2, ALL, CAPABILITIES);
}

#[test]
fn every_client_is_told_and_asked_by_rust_what_it_is_without_the_gateway() {
    steps::compare(At::Rust, ALL, CAPABILITIES);
}

#[test]
fn every_client_is_told_and_asked_by_everything_what_it_is_without_the_gateway() {
    steps::compare(At::Everything, ALL, CAPABILITIES);
}

#[test]
fn every_client_is_told_and_asked_by_everything_over_sse_what_it_is_without_the_gateway() {
    steps::compare(At::EverythingSse, OVER_SSE, CAPABILITIES);
}

#[test]
fn clients_that_speak_older_revisions_alone_are_told_and_asked_by_modern_typescript_what_newer_ones_are_without_the_gateway()
 {
    steps::compare(At::TypeScript2Modern, OLDER, CAPABILITIES);
}

#[test]
fn clients_that_speak_older_revisions_alone_are_told_and_asked_by_modern_rust_what_newer_ones_are_without_the_gateway()
{
    steps::compare(At::RustModern, OLDER, CAPABILITIES);
}

#[test]
fn every_client_sees_all_of_the_lists_of_python_1_that_have_several_pages_and_each_once() {
    steps::compare_pages(At::Python1Paged, ALL);
}

#[test]
fn every_client_sees_all_of_the_lists_of_typescript_that_have_several_pages_and_each_once() {
    steps::compare_pages(At::TypeScript2Paged, ALL);
}

#[test]
fn every_client_sees_all_of_the_lists_of_rust_that_have_several_pages_and_each_once() {
    steps::compare_pages(At::RustPaged, ALL);
}

#[test]
fn the_inspector_prints_of_everything_what_it_prints_without_the_gateway() {
    inspector::compare(At::Everything, Era::Legacy);
}

#[test]
fn the_inspector_prints_of_typescript_what_it_prints_without_the_gateway() {
    inspector::compare(At::TypeScript2, Era::Modern);
}

/// What it offers depends on what they can do.
#[test]
fn who_declares_something_else_is_shown_something_else_by_everything_as_without_the_gateway() {
    for can in [&[][..], &["elicitation"], &["sampling"], &["roots"]] {
        steps::compare(At::Everything, &[TYPESCRIPT_1], can);
    }
}

#[test]
fn all_that_python_1_offers_is_the_same_through_the_gateway() {
    everything::compare(At::Python1, &[Era::Legacy]);
}

#[test]
fn all_that_python_1_offers_over_sse_is_the_same_through_the_gateway() {
    everything::compare(At::Python1Sse, &[Era::Legacy]);
}

#[test]
fn all_that_python_2_offers_is_the_same_through_the_gateway() {
    everything::compare(At::Python2, &[Era::Legacy, Era::Modern]);
}

#[test]
fn all_that_typescript_offers_is_the_same_through_the_gateway() {
    everything::compare(At::TypeScript2, &[Era::Legacy, Era::Modern]);
}

#[test]
fn all_that_everything_offers_is_the_same_through_the_gateway() {
    everything::compare(At::Everything, &[Era::Legacy]);
}

#[test]
fn all_that_everything_offers_over_sse_is_the_same_through_the_gateway() {
    everything::compare(At::EverythingSse, &[Era::Legacy]);
}

#[test]
fn all_that_the_rust_sdk_offers_is_the_same_through_the_gateway() {
    everything::compare(At::Rust, &[Era::Legacy, Era::Modern]);
}
