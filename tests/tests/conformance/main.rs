//! The official conformance suite, run through `vmcp serve` and, as the reference, without it.
//!
//! What the suite asks is the suite's, what it is answered is an official SDK's: the gateway between them may lose
//! nothing that passes without it. A difference is allowed only if `tests/peers/fixtures/expected.txt` says why; one that
//! is expected and does not show fails too. Everything is installed by `make conformance`, hence the feature `peers`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../peers/at.rs"]
#[expect(dead_code, reason = "the suite asks some of them")]
mod at;
mod expected;
mod fixtures;
mod gateway;
#[path = "../peers/processes.rs"]
mod processes;
mod rotation;
mod suite;

use std::fmt::Write as _;

use expected::Expected;
use fixtures::Fixture;
use gateway::Gateway;
use rotation::Rotation;
use suite::{REVISIONS, Report, Revision};
use vmcp_tests::Scratch;

#[test]
fn the_python_sdk_passes_through_the_gateway_what_it_passes_without() {
    passes_what_passes_without(Fixture::Python);
}

#[test]
fn the_typescript_sdk_passes_through_the_gateway_what_it_passes_without() {
    passes_what_passes_without(Fixture::TypeScript);
}

#[test]
fn the_rust_sdk_passes_through_the_gateway_what_it_passes_without() {
    passes_what_passes_without(Fixture::Rust);
}

fn passes_what_passes_without(fixture: Fixture) {
    let scratch = Scratch::new();
    let server = fixture.start();
    let gateway = Gateway::start(&scratch, server.url());
    let expected = Expected::read();
    let mut faults = String::new();
    for revision in REVISIONS {
        let direct = suite::judge(server.url(), revision, &scratch, "direct");
        let through = suite::judge(&gateway.url(), revision, &scratch, "through");
        show(&table(fixture, revision, &direct, &through));
        fixture.check_reference(revision, &direct);
        faults.push_str(&expected.faults(fixture.name(), revision, &suite::losses(&direct, &through)));
    }
    assert!(faults.is_empty(), "{}:\n{faults}\nthe gateway said:\n{}", fixture.name(), gateway.stop());
}

#[test]
fn a_server_without_the_newer_revision_passes_its_requirements_as_far_as_the_bridge_promises() {
    passes_across(Fixture::Older, Revision::Modern);
}

#[test]
fn the_everything_server_passes_the_requirements_of_the_newer_revision_that_need_none_of_the_suites_tools() {
    passes_across(Fixture::Everything, Revision::Modern);
}

#[test]
fn a_server_without_the_older_revisions_passes_their_requirements_as_far_as_the_bridge_promises() {
    passes_across(Fixture::Newer, Revision::Legacy);
}

/// There is no reference without the gateway: everything passes that is not expected to fail.
fn passes_across(fixture: Fixture, revision: Revision) {
    let scratch = Scratch::new();
    let server = fixture.start();
    let gateway = Gateway::start(&scratch, server.url());
    let through = suite::judge(&gateway.url(), revision, &scratch, "across");
    show(&one_table(fixture.name(), revision, &through));
    let faults = Expected::read().faults(fixture.name(), revision, &through.troubles());
    assert!(faults.is_empty(), "{}:\n{faults}\nthe gateway said:\n{}", fixture.name(), gateway.stop());
}

/// What a modern client brings back is good at any of them, tasks included.
#[test]
fn two_replicas_behind_a_proxy_that_takes_turns_pass_what_passes_without() {
    let scratch = Scratch::new();
    let fixture = Fixture::Rust;
    let server = fixture.start();
    let replicas = [(); 2].map(|()| Gateway::replica(&scratch, server.url()));
    let proxy = Rotation::over(replicas.iter().map(|replica| replica.address().to_owned()).collect());
    let revision = Revision::Modern;
    let direct = suite::judge(server.url(), revision, &scratch, "direct");
    let through = suite::judge(&proxy.url(), revision, &scratch, "through");
    show(&table(fixture, revision, &direct, &through));
    let faults = Expected::read().faults(fixture.name(), revision, &suite::losses(&direct, &through));
    let said = replicas.map(Gateway::stop).join("and the other:\n");
    assert!(faults.is_empty(), "{} by two:\n{faults}\nthe gateways said:\n{said}", fixture.name());
    assert!(proxy.given().iter().all(|count| *count > 50), "both have answered: {:?}", proxy.given());
}

/// The other half of the suite is the backend.
#[test]
fn the_gateway_is_a_client_as_the_suite_wants_it() {
    let scratch = Scratch::new();
    let expected = Expected::read();
    let mut faults = String::new();
    for (revision, scenarios) in &AS_CLIENT {
        let report = suite::judge_client(scenarios, *revision, &scratch);
        show(&one_table("client", *revision, &report));
        faults.push_str(&expected.faults("client", *revision, &report.troubles()));
        for scenario in *scenarios {
            let (passed, made) = report.count(scenario);
            if passed == 0 || passed < made {
                writeln!(faults, "  {revision} {scenario}: {passed} of {made} checks passed").unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "client:\n{faults}");
}

/// The scenarios that judge how a gateway speaks to its backends; the others are about authorization.
const AS_CLIENT: [(Revision, &[&str]); 2] = [
    (
        Revision::Legacy,
        &[
            "initialize",
            "tools_call",
            "elicitation-sep1034-client-defaults",
            "sse-retry",
            "json-schema-2020-12-preservation",
        ],
    ),
    (
        Revision::Modern,
        &[
            "tools_call",
            "request-metadata",
            "http-standard-headers",
            "http-custom-headers",
            "http-invalid-tool-headers",
            "json-schema-ref-no-deref",
            "sep-2322-client-request-state",
            "json-schema-2020-12-preservation",
        ],
    ),
];

#[expect(clippy::print_stdout, reason = "the table is for whoever runs the suite")]
fn show(table: &str) {
    print!("{table}");
}

fn one_table(name: &str, revision: Revision, report: &Report) -> String {
    let mut text = format!("\n{:<50}{:>12}\n", format!("{name} {revision}"), "vmcp");
    for scenario in report.scenarios() {
        let (passed, made) = report.count(scenario);
        let mark = if passed == made { "" } else { "  <" };
        writeln!(text, "  {scenario:<48}{:>12}{mark}", format!("{passed}/{made}")).unwrap();
    }
    let (passed, made) = report.total();
    writeln!(text, "  {:<48}{:>12}", "all", format!("{passed}/{made}")).unwrap();
    text
}

/// Scenario by scenario: checks passed and made.
fn table(fixture: Fixture, revision: Revision, direct: &Report, through: &Report) -> String {
    let mut text = format!("\n{:<50}{:>12}{:>12}\n", format!("{} {revision}", fixture.name()), "direct", "through");
    let count = |(passed, made): (usize, usize)| format!("{passed}/{made}");
    for scenario in direct.scenarios() {
        let (one, other) = (direct.count(scenario), through.count(scenario));
        let mark = if one == other { "" } else { "  <" };
        writeln!(text, "  {scenario:<48}{:>12}{:>12}{mark}", count(one), count(other)).unwrap();
    }
    writeln!(text, "  {:<48}{:>12}{:>12}", "all", count(direct.total()), count(through.total())).unwrap();
    text
}
