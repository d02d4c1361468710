//! `vmcp demo`, run as a person runs it.
//!
//! What it proves it proves itself; here it is held to its word.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use vmcp_tests::{Run, Scratch, program, run};

#[test]
fn the_demonstration_proves_itself_and_leaves_nothing_behind() {
    let temporary = Scratch::new();
    let folder = temporary.path().to_str().unwrap();
    let Run { code, out, err } = run(temporary.path(), &["demo", "--once", "-q"], &[("TMPDIR", folder)], "");
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    for proven in [
        "  ✓ tools/list\n      builds_run_build, inventory_find_part, inventory_stock\n",
        "  ✓ inventory_stock {\"part\":\"washer M8\"}\n      1200 × washer M8",
        "  ✓ builds_run_build {\"project\":\"gateway\"}\n      built gateway-1.0.tar.gz",
        "  ✓ builds with the other's CA\n      refused, as it must be: ",
        "  ✓ inventory with the other's CA\n      refused, as it must be: ",
    ] {
        assert!(out.contains(proven), "{proven} is not in\n{out}");
    }
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn a_signal_ends_the_demonstration_and_removes_its_folder() {
    let temporary = Scratch::new();
    let mut child = Command::new(program())
        .args(["demo", "--port", "0", "-q"])
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("Ctrl-C stops everything") {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "it ended by itself: {}", rest(child.stderr.take().unwrap()));
    }
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 1);
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!((rest(out).as_str(), rest(child.stderr.take().unwrap()).as_str()), ("", ""));
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}

fn rest(mut from: impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    text
}
