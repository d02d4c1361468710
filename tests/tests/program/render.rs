//! `vmcp render` on cases as files: one folder of `tests/cases/render` holds custom resources and what is made of them.
//!
//! It knows nothing of any case. To add one, make a folder with an `input.yaml` (or a folder `input` with several files) and
//! run with `UPDATE_CASES=1`, then read the `output.yaml` and `expected.txt` that it wrote before you commit them.
//! `operator` holds what ToolHive's own operator (0.47), asked with the same objects, computed as the checksum of what it
//! wrote: names and digests. Byte for byte the same is written here.
//! `arguments` holds further arguments of the program, one a line. `input.repeat` is as in `cases/config`.
//!
//! Whatever is made has no error for `vmcp validate -`, and every backend in it gets through discovery.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vmcp_core::discovery::{Materials, Presence, discover, needs};
use vmcp_core::judge::judge;
use vmcp_core::secret::Secret;
use vmcp_core::trust::{SystemRoots, UnixTime};
use vmcp_tests::{Run, Scratch, run};

use super::cases::{END, WHOLE, repeat};

#[test]
fn every_case_becomes_what_is_expected() {
    let mut differences = String::new();
    for case in cases() {
        check(&case, &mut differences);
    }
    assert!(differences.is_empty(), "{differences}\nUPDATE_CASES=1 writes what is made now");
}

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/render");
    let mut found: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

fn check(case: &Path, differences: &mut String) {
    let text = |name: &str| fs::read_to_string(case.join(name)).unwrap_or_default();
    let mut input = String::new();
    let source = if case.join("input.repeat").is_file() {
        input = repeat(&text("input.repeat"));
        "-"
    } else if case.join("input").is_dir() {
        "input"
    } else {
        "input.yaml"
    };
    let more = text("arguments");
    let mut arguments = vec!["render", "--color", "never", "-f", source];
    arguments.extend(more.lines());
    let Run { code, out, err } = run(case, &arguments, &[], &input);
    let lines: Vec<&str> = err.lines().collect();
    let shown = if lines.len() > WHOLE { &lines[lines.len() - END..] } else { &lines[..] };
    let said = format!("{}\nexit {}\n", shown.join("\n"), code.unwrap_or(-1)).trim_start().to_owned();
    let name = case.file_name().unwrap().to_string_lossy();
    for (file, made) in [("output.yaml", &out), ("expected.txt", &said)] {
        let expected = text(file);
        if *made == expected || *made == String::new() && !case.join(file).exists() {
            continue;
        }
        if std::env::var_os("UPDATE_CASES").is_some() {
            fs::write(case.join(file), made).unwrap();
        } else {
            differences.push_str(&format!("{name}/{file}:\n--- expected\n{expected}--- made\n{made}"));
        }
    }
    for line in text("operator").lines() {
        let (server, checksum) = line.split_once(' ').unwrap();
        assert!(out.contains(&format!("content-checksum: {checksum}")), "{name}: {server} is not the operator's");
    }
    assert!(matches!(code, Some(0 | 1)), "{name}: {err}");
    assert_eq!(code == Some(1), err.lines().any(|line| line.starts_with("error[")), "{name}: {err}");
    if !out.is_empty() {
        is_sound(&name, &out);
    }
}

/// What was made is valid, alone and beside its own pod, and all its backends can be called.
fn is_sound(name: &str, out: &str) {
    let scratch = Scratch::new();
    let Run { code, out: said, .. } = run(scratch.path(), &["validate", "--color", "never", "-"], &[], out);
    assert_eq!(code, Some(0), "{name} is not valid:\n{said}");
    let judgement = judge(out.as_bytes());
    let roots = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/certificates/ca.pem")).unwrap();
    assert!(!judgement.documents.is_empty(), "{name}");
    for document in &judgement.documents {
        let mut materials = Materials {
            files: BTreeMap::new(),
            variables: BTreeMap::new(),
            system_roots: Arc::new(SystemRoots::default()),
            now: UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000)),
        };
        let wanted = needs(&document.config, &materials.variables);
        for file in wanted.files {
            materials.files.insert(file.path, Ok(roots.clone()));
        }
        for variable in wanted.variables {
            let value = (variable.presence == Presence::Required).then(|| Secret::new("value"));
            materials.variables.insert(variable.name, value);
        }
        let catalog = discover(&document.config, &document.findings, &materials);
        let unserved = |reasons: &[vmcp_core::diagnostic::Diagnostic]| {
            reasons.iter().all(|reason| {
                ["trust/no-anchors", "trust/no-system-roots", "auth/strategy-not-built"].contains(&reason.code.id())
            })
        };
        let rejected: Vec<_> = catalog.rejected.iter().filter(|one| !unserved(&one.reasons)).collect();
        assert!(rejected.is_empty() && catalog.fatal.is_empty(), "{name}: {rejected:#?} {:#?}", catalog.fatal);
        assert_eq!(catalog.backends.len() + catalog.rejected.len(), document.config.backends.len(), "{name}");
    }
}

#[test]
fn what_is_made_is_the_same_each_time_and_each_object_has_its_file() {
    let pod = Scratch::new();
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/render/entries/input.yaml");
    pod.write("in/a.yaml", &fs::read_to_string(case).unwrap());
    pod.write("in/kustomization.txt", "not read");
    pod.write("in/values.yaml", "image: x\n");
    let render = |more: &[&str]| run(pod.path(), &[&["render", "-f", "in"], more].concat(), &[], "");
    let (first, second) = (render(&["-q"]), render(&["-q"]));
    assert_eq!((first.code, &first.out), (Some(0), &second.out));
    let Run { code, out, err } = render(&["--output-dir", "out"]);
    assert_eq!((code, out.as_str()), (Some(0), ""));
    assert!(err.ends_with("2 objects written below out\n"), "{err}");
    let mut files: Vec<String> = Vec::new();
    for entry in fs::read_dir(pod.path().join("out")).unwrap().map(|entry| entry.unwrap().path()) {
        for file in fs::read_dir(&entry).unwrap().map(|entry| entry.unwrap().path()) {
            files.push(fs::read_to_string(file).unwrap());
        }
    }
    files.sort_by_key(|text| text.contains("kind: PodTemplate"));
    assert_eq!(files.join("---\n"), first.out);
}

#[test]
fn wrong_usage_and_files_that_are_not_there_are_told() {
    let pod = Scratch::new();
    let render = |arguments: &[&str]| run(pod.path(), &[&["render"], arguments].concat(), &[], "");
    let Run { code, err, .. } = render(&["-f", "-", "-f", "-"]);
    assert_eq!((code, err.as_str()), (Some(2), "error: standard input (`-`) can be read once\n"));
    let Run { code, err, .. } = render(&["-f", "gone.yaml"]);
    assert_eq!(
        (code, err.as_str()),
        (Some(2), "error: gone.yaml cannot be read: No such file or directory (os error 2)\n")
    );
    pod.write("x.yaml", "kind: Secret\napiVersion: v1\nmetadata: {name: x}\n");
    pod.write("file", "");
    let Run { code, out, err } = render(&["-f", "x.yaml"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.starts_with("error[render/no-server]: there is no VirtualMCPServer among the objects"), "{err}");
}
