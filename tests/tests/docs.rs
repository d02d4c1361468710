//! The pages of `docs/` that repeat what the program says: they are written by it, and a test holds them to it.
//!
//! `UPDATE_DOCS=1` writes them anew. What people wrote there is not touched.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write;
use std::fs;
use std::path::Path;

use vmcp_core::diagnostic::{ALL, Severity};
use vmcp_tests::{Scratch, run};

#[test]
fn every_diagnostic_is_documented_in_its_own_words() {
    let mut page = "# Diagnostics

Everything that `vmcp` finds in a configuration has a code. This page is what `vmcp explain CODE` says about each, and is
written by the program (`UPDATE_DOCS=1 cargo test -p vmcp-tests --test docs`).

An **error** is refused: it takes down what it points at, one backend or all. A **warning** is served, but surely not meant.
A **note** says how something was understood.
"
    .to_owned();
    let mut area = "";
    for code in ALL {
        let (of, _) = code.id().split_once('/').unwrap();
        if of != area {
            area = of;
            writeln!(page, "\n## {area}").unwrap();
        }
        let severity = match code.severity() {
            Severity::Error => "Error",
            Severity::Warning => "Warning",
            Severity::Note => "Note",
        };
        let (id, summary, explanation) = (code.id(), code.summary(), code.explanation());
        writeln!(page, "\n### `{id}`\n\n**{severity}:** {summary}.\n\n{explanation}").unwrap();
    }
    compare("diagnostics.md", &page);
}

#[test]
fn every_command_is_documented_by_its_help() {
    let help = |arguments: &[&str]| {
        let seen = run(Scratch::new().path(), arguments, &[], "");
        assert_eq!((seen.code, seen.err.as_str()), (Some(0), ""), "{arguments:?}");
        let lines: Vec<&str> = seen.out.lines().map(str::trim_end).collect();
        lines.join("\n")
    };
    let overview = help(&["--help"]);
    let mut page = format!(
        "# Commands

What `--help` says, written by the program (`UPDATE_DOCS=1 cargo test -p vmcp-tests --test docs`).

## vmcp

```text
{overview}
```
"
    );
    let commands = overview.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> = commands.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next()).collect();
    assert!(names.contains(&"validate") && names.contains(&"demo"), "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        writeln!(page, "\n## vmcp {name}\n\n```text\n{}\n```", help(&[name, "--help"])).unwrap();
    }
    compare("commands.md", &page);
}

fn compare(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, page).unwrap();
    } else {
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(written == page, "docs/{name} is not what the program says; UPDATE_DOCS=1 writes it");
    }
}
