//! Rules of the house that no compiler checks: who may depend on whom, licences, the opening of each file.
//!
//! It asks cargo for the dependency graph and reads the tree; it judges no behaviour.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What runs a backend call asynchronously, serves, prints or logs: no embedder should have to carry it.
const SERVER_ONLY: &[&str] = &["annotate-snippets", "axum", "clap", "hyper", "hyper-util", "rcgen", "tokio", "tracing"];

#[test]
fn each_package_uses_only_the_rooms_below_it() {
    let metadata = metadata();
    let ours: BTreeMap<&str, BTreeSet<&str>> = array(&metadata["packages"])
        .iter()
        .filter(|package| package["source"].is_null())
        .map(|package| {
            let uses = array(&package["dependencies"]).iter().map(|d| text(&d["name"]));
            (text(&package["name"]), uses.filter(|name| name.starts_with("vmcp-")).collect())
        })
        .collect();
    let expected = BTreeMap::from([
        ("vmcp-bindgen", BTreeSet::new()),
        ("vmcp-core", BTreeSet::new()),
        ("vmcp-native", BTreeSet::from(["vmcp-core"])),
        ("vmcp-tests", BTreeSet::from(["vmcp-core", "vmcp-native"])),
        ("vmcp-wasm", BTreeSet::from(["vmcp-core"])),
    ]);
    assert_eq!(ours, expected);
}

#[test]
fn core_and_wasm_carry_nothing_that_could_reach_the_world() {
    let unwanted =
        ["aws-lc-rs", "getrandom", "hyper", "js-sys", "rustls", "socket2", "tokio", "tracing", "ureq", "web-sys"];
    for arguments in [["--package", "vmcp-core"], ["--package", "vmcp-wasm"]] {
        let tree = tree(&[arguments.as_slice(), &["--target", "wasm32-unknown-unknown"]].concat());
        assert_eq!(found(&tree, &unwanted), BTreeSet::new(), "{arguments:?}");
    }
}

#[test]
fn the_library_for_embedders_has_no_async_runtime_and_no_server() {
    let tree = tree(&["--package", "vmcp-native", "--no-default-features"]);
    assert_eq!(found(&tree, SERVER_ONLY), BTreeSet::new());
    assert!(tree.contains("ureq"), "the tree was not read: {tree:?}");
}

#[test]
fn every_dependency_has_a_licence_of_the_list() {
    let deny = fs::read_to_string(root().join("deny.toml")).unwrap();
    let list = deny.lines().find_map(|line| line.strip_prefix("allow = [")).unwrap();
    let allowed: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
    let metadata = metadata();
    let used: BTreeSet<&str> = array(&metadata["resolve"]["nodes"]).iter().map(|node| text(&node["id"])).collect();
    assert!(used.len() > 100, "the graph was not read");
    let refused: Vec<String> = array(&metadata["packages"])
        .iter()
        .filter(|package| used.contains(text(&package["id"])))
        .filter(|package| !permits(package["license"].as_str().unwrap_or_default(), &allowed))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert_eq!(refused, Vec::<String>::new());
}

#[test]
fn the_product_is_built_without_the_sdk_that_a_fixture_is_made_of() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    assert!(lock.contains("name = \"vmcp-core\""), "the lock file was not read");
    assert!(!lock.contains("name = \"rmcp\""), "rmcp belongs to tests/peers/fixtures/rmcp alone");
}

#[test]
fn a_licence_expression_is_permitted_when_one_choice_of_each_part_is() {
    let allowed = BTreeSet::from(["MIT", "ISC"]);
    for expression in
        ["MIT", "Apache-2.0 OR MIT", "MIT/Apache-2.0", "ISC AND (Apache-2.0 OR MIT)", "GPL-3.0 AND X OR ISC"]
    {
        assert!(permits(expression, &allowed), "{expression}");
    }
    for expression in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "MIT WITH Some-exception"] {
        assert!(!permits(expression, &allowed), "{expression}");
    }
}

#[test]
fn the_lock_file_of_the_fuzz_targets_knows_what_the_core_uses() {
    let lock = fs::read_to_string(root().join("fuzz/Cargo.lock")).unwrap();
    let core = lock.split("[[package]]").find(|package| package.contains("name = \"vmcp-core\"")).unwrap();
    let locked: BTreeSet<&str> =
        core.lines().filter_map(|line| line.strip_prefix(" \"")?.split(['"', ' ']).next()).collect();
    let metadata = metadata();
    let package = array(&metadata["packages"]).iter().find(|package| package["name"] == "vmcp-core").unwrap();
    let used = array(&package["dependencies"]).iter().filter(|dependency| dependency["kind"].is_null());
    assert_eq!(
        locked,
        used.map(|dependency| text(&dependency["name"])).collect(),
        "run `cargo update --workspace` in fuzz"
    );
}

#[test]
fn every_source_file_says_first_what_it_is_and_leaves_nothing_for_later() {
    let later = ["TO", "DO"].concat();
    let mut files = Vec::new();
    for room in ["core", "native", "wasm", "tests", "fuzz"] {
        sources(&root().join(room), &mut files);
    }
    assert!(files.len() > 20, "the tree was not read");
    let mut faults = Vec::new();
    for file in files {
        let content = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        if !content.starts_with("//!") {
            faults.push(format!("{name}: does not open with `//!`"));
        }
        if content.contains(&later) {
            faults.push(format!("{name}: leaves something for later"));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn lock_files_name_no_download_host() {
    for file in
        ["tests/peers/package-lock.json", "tests/peers/requirements-mcp1.txt", "tests/peers/requirements-mcp2.txt"]
    {
        let content = fs::read_to_string(root().join(file)).unwrap();
        let lines: Vec<&str> = content
            .lines()
            .filter(|line| line.contains("\"resolved\"") || line.contains(".tgz") || line.starts_with('-'))
            .collect();
        assert_eq!(lines, Vec::<&str>::new(), "{file}");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).current_dir(root()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn metadata() -> Value {
    let platforms = ["--filter-platform", "x86_64-unknown-linux-gnu", "--filter-platform", "wasm32-unknown-unknown"];
    serde_json::from_str(&cargo(&[["metadata", "--locked", "--format-version=1"].as_slice(), &platforms].concat()))
        .unwrap()
}

/// Names of all packages that are linked, not those that only build or test.
fn tree(arguments: &[&str]) -> BTreeSet<String> {
    let plain = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let lines = cargo(&[plain.as_slice(), arguments].concat());
    lines.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn found<'n>(tree: &BTreeSet<String>, names: &[&'n str]) -> BTreeSet<&'n str> {
    names.iter().copied().filter(|name| tree.contains(*name)).collect()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir()
            && !name.starts_with('.')
            && !["target", "node_modules", "corpus", "artifacts"].contains(&&*name)
        {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Whether an SPDX expression (or cargo's old `A/B`) can be satisfied with licences of the list alone; a licence with an
/// exception is another licence.
fn permits(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    !words.is_empty() && any_of(&mut rest, allowed) && rest.is_empty()
}

fn any_of(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> bool {
    let mut permitted = all_of(rest, allowed);
    while let Some(after) = rest.strip_prefix(["OR"].as_slice()) {
        *rest = after;
        permitted |= all_of(rest, allowed);
    }
    permitted
}

fn all_of(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> bool {
    let mut permitted = one(rest, allowed);
    while let Some(after) = rest.strip_prefix(["AND"].as_slice()) {
        *rest = after;
        permitted &= one(rest, allowed);
    }
    permitted
}

fn one(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> bool {
    match **rest {
        ["(", ref after @ ..] => {
            *rest = after;
            let permitted = any_of(rest, allowed);
            *rest = rest.strip_prefix([")"].as_slice()).unwrap_or_default();
            permitted
        }
        [_, "WITH", _, ref after @ ..] => {
            *rest = after;
            false
        }
        [licence, ref after @ ..] => {
            *rest = after;
            allowed.contains(licence)
        }
        [] => false,
    }
}
