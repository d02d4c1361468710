//! `vmcp diff` and `vmcp schema` as scripts meet them: what they print, and how they end.
//!
//! Which differences there are is tested beside `vmcp_core::compare`.

use std::fs;
use std::path::Path;

use serde_json::Value;
use vmcp_tests::{Run, Scratch, run};

fn folder() -> Scratch {
    let scratch = Scratch::new();
    let minimal = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/config/valid/minimal/config.yaml");
    let old = fs::read_to_string(minimal).unwrap();
    scratch.write("old.yaml", &old);
    scratch.write("new.yaml", &format!("{old}operational: {{timeouts: {{default: 10s}}}}\n"));
    scratch.write("broken.yaml", "name: [\n");
    scratch
}

fn diff(arguments: &[&str]) -> Run {
    run(folder().path(), &[&["diff"], arguments].concat(), &[], "")
}

#[test]
fn the_exit_code_says_whether_they_mean_the_same() {
    let same = diff(&["old.yaml", "old.yaml"]);
    assert_eq!((same.code, same.out.as_str()), (Some(0), "no change: both mean the same\n"));
    let other = diff(&["old.yaml", "new.yaml"]);
    assert_eq!(other.code, Some(1));
    assert_eq!(other.out, "settings\n  ~ `operational.timeouts.default` is \"10s\"; before \"30s\"\n1 change\n");
    for (arguments, why) in [
        (["old.yaml", "gone.yaml"], "error: gone.yaml cannot be read: No such file or directory (os error 2)\n"),
        (
            ["old.yaml", "broken.yaml"],
            "error: broken.yaml cannot be compared: `[` is never closed; expected `]` before the end\n",
        ),
        (["-", "-"], "error: standard input (`-`) can be read once\n"),
    ] {
        let unjudged = diff(&arguments);
        assert_eq!((unjudged.code, unjudged.out.as_str(), unjudged.err.as_str()), (Some(2), "", why));
    }
}

#[test]
fn changes_are_data_or_a_table_for_pull_requests() {
    let json: Value = serde_json::from_str(&diff(&["old.yaml", "new.yaml", "--format", "json"]).out).unwrap();
    assert_eq!(
        json,
        serde_json::json!({ "same": false, "changes": [{
            "topic": "settings", "kind": "changed", "backend": null, "path": "/operational/timeouts/default",
            "text": "`operational.timeouts.default` is \"10s\"; before \"30s\"",
        }] })
    );
    assert_eq!(
        diff(&["old.yaml", "new.yaml", "--format", "markdown"]).out,
        "| | change |\n|---|---|\n| **settings** changed | 'operational.timeouts.default' is \"10s\"; before \"30s\" |\n"
    );
}

#[test]
fn the_schema_is_printed_as_json() {
    let printed = run(Scratch::new().path(), &["schema"], &[], "");
    let schema: Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!(printed.code, Some(0));
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let transport = &schema["$defs"]["StaticBackendConfig"]["properties"]["transport"];
    assert_eq!(transport["enum"], serde_json::json!(["streamable-http", "sse", "streamable"]));
}
