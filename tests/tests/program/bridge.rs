//! The table of both revisions names what holds each cell, and it is there.
//!
//! It runs none of them.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All Rust text below a folder.
fn sources(folder: &Path, out: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_table_of_both_revisions_names_is_there() {
    let mut code = String::new();
    for folder in ["core/src", "native/src", "tests/tests"] {
        sources(&root().join(folder), &mut code);
    }
    let page = std::fs::read_to_string(root().join("docs/bridge.md")).unwrap();
    let table = page.lines().filter(|line| line.starts_with('|'));
    let named: Vec<&str> = table.clone().flat_map(|line| line.split('`').skip(1).step_by(2)).collect();
    let (mut tests, mut cases) = (0, 0);
    for name in named {
        let there = if name.ends_with(".txt") {
            cases += 1;
            root().join("tests/tests/../cases/mcp").join(name).is_file()
        } else if name.len() > 20 && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            tests += 1;
            code.contains(&format!("fn {name}()"))
        } else {
            true
        };
        assert!(there, "docs/bridge.md names `{name}`, which is nowhere");
    }
    let rows = table.filter(|line| line.trim_start_matches("| ").starts_with(|c: char| c.is_ascii_digit())).count();
    assert_eq!(rows, 31);
    assert!(tests > 40 && cases > 30, "{tests} {cases}");
}
