//! The command line as scripts and people meet it: the built program, its output and its exit codes.
//!
//! What it finds in a configuration is in `cases.rs`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Read;
use std::process::{Command, Stdio};

use vmcp_core::diagnostic::ALL;
use vmcp_tests::{Run, Scratch, program, run};

/// Runs the program without input in an empty folder.
fn vmcp(arguments: &[&str]) -> Run {
    run(Scratch::new().path(), arguments, &[], "")
}

#[test]
fn explain_tells_what_a_code_means() {
    let text = "error[yaml/syntax]: the text is not YAML\n\n\
        The text could not be read as YAML from this point on. Everything before it was\n\
        still judged, so mend this and run again.\n";
    assert_eq!(vmcp(&["explain", "yaml/syntax"]), Run { code: Some(0), out: text.into(), err: String::new() });
    assert_eq!(
        vmcp(&["explain", "yaml/sintax"]),
        Run {
            code: Some(2),
            out: String::new(),
            err: "error: there is no code `yaml/sintax`; did you mean `yaml/syntax`?\n".into()
        }
    );
}

#[test]
fn explain_lists_every_code_with_its_severity_and_summary() {
    let Run { code, out, err } = vmcp(&["explain"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), ALL.len());
    for (line, code) in lines.iter().zip(ALL) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[..2], [code.severity().word(), code.id()]);
        assert!(line.ends_with(code.summary()), "{line}");
    }
}

#[test]
fn version_is_one_line_or_one_object() {
    let Run { code, out, .. } = vmcp(&["version"]);
    let version = env!("CARGO_PKG_VERSION");
    let platform = format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH);
    assert_eq!((code, out), (Some(0), format!("vmcp {version} ({platform})\n")));
    let Run { code, out, .. } = vmcp(&["version", "--format", "json"]);
    let object: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(0));
    assert_eq!(object, serde_json::json!({ "name": "vmcp", "version": version, "platform": platform }));
    assert_eq!(vmcp(&["--version"]).out, format!("vmcp {version}\n"));
}

#[test]
fn help_is_a_result_and_wrong_usage_is_not() {
    let Run { code, out, err } = vmcp(&["--help"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    for taught in ["Examples:", "Exit codes:", "NO_COLOR"] {
        assert!(out.contains(taught), "{taught} is not in\n{out}");
    }
    for wrong in [&["--no-such-option"][..], &["no-such-command"], &[], &["explain", "a", "b"]] {
        let Run { code, out, err } = vmcp(wrong);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{wrong:?}");
        assert!(err.contains("Usage:"), "{wrong:?}: {err}");
    }
}

#[test]
fn colour_is_for_terminals_and_those_who_ask() {
    let escapes = |arguments: &[&str], variables: &[(&str, &str)]| {
        let Run { out, err, .. } = run(Scratch::new().path(), arguments, variables, "");
        out.contains('\u{1b}') || err.contains('\u{1b}')
    };
    assert!(!escapes(&["explain"], &[]), "standard output is no terminal here");
    assert!(escapes(&["explain", "--color", "always"], &[]));
    assert!(escapes(&["--color=always", "explain"], &[("NO_COLOR", "1")]), "what is asked for wins");
    assert!(!escapes(&["explain", "--color", "never"], &[]));
    assert!(escapes(&["--color=always", "--nonsense"], &[]), "usage errors follow too");
    assert!(!escapes(&["--color=never", "--nonsense"], &[]));
}

#[test]
fn a_reader_that_leaves_is_no_panic() {
    let mut child =
        Command::new(program()).arg("explain").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}
