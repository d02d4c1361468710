//! The official conformance suite, run through `vmcp serve` and, as the reference, without it.
//!
//! What the suite asks is the suite's, what it is answered is an official SDK's: the gateway between them may lose
//! nothing that passes without it. A difference is allowed only if `tests/peers/fixtures/expected.txt` says why; one that
//! is expected and does not show fails too. Everything is installed by `make conformance`, hence the feature `peers`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod expected;
mod fixtures;
mod gateway;
#[path = "../peers/processes.rs"]
mod processes;
mod suite;

use expected::Expected;
use fixtures::Fixture;
use gateway::Gateway;
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

fn passes_what_passes_without(fixture: Fixture) {
    let scratch = Scratch::new();
    let server = fixture.start();
    let gateway = Gateway::start(&scratch, &server.url());
    let expected = Expected::read();
    let mut faults = String::new();
    for revision in REVISIONS {
        let direct = suite::judge(&server.url(), revision, &scratch, "direct");
        let through = suite::judge(&gateway.url(), revision, &scratch, "through");
        print!("{}", table(fixture, revision, &direct, &through));
        fixture.check_reference(revision, &direct);
        faults.push_str(&expected.faults(fixture, revision, &suite::losses(&direct, &through)));
    }
    assert!(faults.is_empty(), "{}:\n{faults}\nthe gateway said:\n{}", fixture.name(), gateway.stop());
}

/// Scenario by scenario: checks passed and made.
fn table(fixture: Fixture, revision: Revision, direct: &Report, through: &Report) -> String {
    use std::fmt::Write as _;
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
