//! The manual keeps up with the code: `docs/diagnostics.md` is the table of codes, and links between documents lead somewhere.
//!
//! It does not judge prose. `UPDATE_DOCS=1` writes the generated page anew.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use vmcp_core::diagnostic::ALL;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The page as it must be.
fn diagnostics() -> String {
    let mut page = String::from(
        "# Findings\n\nEvery finding has a code, which never changes its meaning. `vmcp explain CODE` prints the same text as this page.\n\n\
         An **error** refuses what it points at: a backend with an error in its own entry, strategy or materials is rejected by name, any other \
         error stops `serve`. A **warning** is served, but surely not meant. A **note** says how something was understood.\n\n\
         | code | severity | what |\n|---|---|---|\n",
    );
    for code in ALL {
        let _ = writeln!(
            page,
            "| [`{}`](#{}) | {} | {} |",
            code.id(),
            code.id().replace('/', ""),
            code.severity().word(),
            code.summary()
        );
    }
    for code in ALL {
        let _ = write!(
            page,
            "\n### {}\n\n{}: {}.\n\n{}\n",
            code.id(),
            code.severity().word(),
            code.summary(),
            code.explanation()
        );
    }
    page
}

#[test]
fn every_code_is_in_the_manual() {
    let path = root().join("docs/diagnostics.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, diagnostics()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == diagnostics(), "docs/diagnostics.md is not the table of codes; UPDATE_DOCS=1 writes it anew");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md"].iter().map(|name| root().join(name)).collect();
    documents.extend(std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    let mut dead = Vec::new();
    for document in documents.iter().filter(|path| path.extension().is_some_and(|ending| ending == "md")) {
        let text = std::fs::read_to_string(document).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || target.contains("://") {
                continue;
            }
            if !document.parent().unwrap_or(Path::new("")).join(file).exists() {
                dead.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

/// Every command of the program has its place in the manual.
#[test]
fn every_command_is_in_the_manual() {
    let page = std::fs::read_to_string(root().join("docs/commands.md")).unwrap();
    for command in ["validate", "explain", "inspect", "check", "serve", "demo", "version"] {
        assert!(page.contains(&format!("## vmcp {command}")), "docs/commands.md says nothing of `vmcp {command}`");
    }
}
