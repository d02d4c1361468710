//! Cases as files: one folder holds an input and what `vmcp validate` says about it.
//!
//! It knows nothing of any case. To add one, make a folder `tests/cases/config/<area>/<name>` with a `config.yaml` and
//! run with `UPDATE_CASES=1`, then read the `expected.txt` that it wrote before you commit it.
//!
//! A folder may also hold
//! - `config.json` in place of `config.yaml`;
//! - `config.repeat` in place of it, for inputs too large to keep: text in which what stands between the lines
//!   `%repeat N` and `%end` is there N times, each time with its number from 0 for `%n`;
//! - `env`, the pod's environment, or `ca`, a folder of CA bundles: then `--materials` looks at them, and the case's own
//!   folder stands for `/`;
//! - `process`, variables of the program itself, one NAME=value a line;
//! - `arguments`, further arguments of the program, one a line.
//!
//! Where more than 200 lines are said, only the last ones are compared. What is said about the present moment is not.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use vmcp_core::diagnostic::ALL;
use vmcp_tests::{Run, run};

/// How many lines are compared in full.
pub(super) const WHOLE: usize = 200;
/// How many of the last lines are compared where more are said.
pub(super) const END: usize = 12;

#[test]
fn every_case_says_what_is_expected() {
    let mut differences = String::new();
    for case in cases() {
        check(&case, &mut differences);
    }
    assert!(differences.is_empty(), "{differences}\nUPDATE_CASES=1 writes what is said now");
}

#[test]
fn every_code_has_a_case() {
    let rendered = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/render");
    let rendered = fs::read_dir(rendered).unwrap().map(|entry| entry.unwrap().path());
    let said: String = cases()
        .into_iter()
        .chain(rendered)
        .map(|case| fs::read_to_string(case.join("expected.txt")).unwrap_or_default())
        .collect();
    let without: Vec<&str> = ALL.iter().map(|code| code.id()).filter(|id| !said.contains(&format!("[{id}]"))).collect();
    assert!(without.is_empty(), "these codes have no case under tests/cases: {without:#?}");
}

/// The folders that hold an input, sorted.
fn cases() -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    let mut ahead = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/config")];
    while let Some(folder) = ahead.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                ahead.push(path);
            } else if path.file_stem().is_some_and(|stem| stem == "config") {
                found.insert(folder.clone());
            }
        }
    }
    assert!(!found.is_empty());
    found.into_iter().collect()
}

/// Runs one case and compares, or writes what is said where that is asked for.
fn check(case: &Path, differences: &mut String) {
    let here = |name: &str| case.join(name);
    let mut arguments = vec!["validate", "--color", "never", "--format", "human"];
    let mut input = String::new();
    if here("config.repeat").is_file() {
        input = repeat(&fs::read_to_string(here("config.repeat")).unwrap());
        arguments.extend(["-", "--stdin-name", "config.yaml"]);
    } else {
        arguments.push(if here("config.json").is_file() { "config.json" } else { "config.yaml" });
    }
    if here("env").is_file() || here("ca").is_dir() {
        arguments.extend(["--materials", "--root", "."]);
    }
    if here("env").is_file() {
        arguments.extend(["--env-file", "env"]);
    }
    let text = |name| fs::read_to_string(here(name)).unwrap_or_default();
    let (more, process) = (text("arguments"), text("process"));
    arguments.extend(more.lines());
    // The machine's own certificates have no say in a case, and no path of it stands in a text. A case's own folder holds
    // no certificate, only folders that do.
    let roots = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/certificates/ca-renewed.pem");
    let mut variables = vec![("SSL_CERT_FILE", roots.to_str().unwrap()), ("SSL_CERT_DIR", ".")];
    variables.extend(process.lines().map(|line| line.split_once('=').unwrap()));

    let Run { code, mut out, err } = run(case, &arguments, &variables, &input);
    let lines: Vec<&str> = out.lines().map(timeless).collect();
    let shown = if lines.len() > WHOLE { &lines[lines.len() - END..] } else { &lines[..] };
    out = shown.join("\n") + "\n";
    let name = case.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display();
    let refused = out.contains(": not valid") || more.contains("--deny-warnings");
    let judged = err.is_empty() && code == Some(i32::from(refused));
    let expected = fs::read_to_string(here("expected.txt")).unwrap_or_default();
    if !judged {
        writeln!(differences, "== {name} ended with {code:?}\n{out}{err}").unwrap();
    } else if std::env::var_os("UPDATE_CASES").is_some() {
        fs::write(here("expected.txt"), out).unwrap();
    } else if out != expected {
        writeln!(differences, "== {name} says\n{out}-- expected\n{expected}").unwrap();
    }
}

/// The line up to what it says about now: `expired at …; it is now …, 3 days later`.
fn timeless(line: &str) -> &str {
    line.split_once("; it is now ").map_or(line, |(before, _)| before)
}

pub(super) fn repeat(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("%repeat ") {
        let (count, after) = after.split_once('\n').unwrap();
        let (unit, after) = after.split_once("%end\n").unwrap();
        out.push_str(before);
        let count: usize = count.trim().parse().unwrap();
        if unit.contains("%n") {
            (0..count).for_each(|n| out.push_str(&unit.replace("%n", &n.to_string())));
        } else {
            out.push_str(&unit.repeat(count));
        }
        rest = after;
    }
    out + rest
}
