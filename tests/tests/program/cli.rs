//! The command line as scripts and people meet it: the built program, its output and its exit codes.
//!
//! What it finds in a configuration is in `cases.rs`.

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

/// A configuration that is fine, but for what `mistakes` change.
fn config(mistakes: &[(&str, &str)]) -> String {
    let mut text = "name: demo
groupRef: demo-group
backends:
  - name: partner-api
    url: https://mcp.partner.example/mcp
    transport: streamable-http
incomingAuth: {type: anonymous}
outgoingAuth: {source: inline}
aggregation: {conflictResolution: prefix, conflictResolutionConfig: {prefixFormat: '{workload}_'}}
"
    .to_owned();
    for (right, wrong) in mistakes {
        assert!(text.contains(right), "{right}");
        text = text.replacen(right, wrong, 1);
    }
    text
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn validate_says_in_json_what_the_shape_promises() {
    let here = Scratch::new();
    let name = ("name: demo\n", "name: 😀\nbackends_é: x\n");
    here.write("a.yaml", &config(&[name, ("transport:", "caBundlePath: /ca.crt\n    transport:")]));
    let Run { code, out, err } = run(here.path(), &["validate", "a.yaml", "--format", "json"], &[], "");
    assert_eq!((code, err.as_str()), (Some(1), ""));
    let mut seen = json(&out);
    // The list of keys that are known is long, and pinned where it is made.
    let message = seen["diagnostics"][0]["message"].take();
    assert!(
        message.as_str().unwrap().starts_with("`backends_é` is no key of the configuration; expected `"),
        "{message}"
    );
    assert_eq!(
        seen,
        serde_json::json!({
            "file": "a.yaml",
            "valid": false,
            "diagnostics": [
                {
                    "code": "config/unknown-key",
                    "severity": "error",
                    "message": null,
                    "help": null,
                    "path": "/backends_é",
                    "file": "a.yaml",
                    "line": 2, "column": 1, "endLine": 2, "endColumn": 11,
                },
                {
                    "code": "backend/inferred-entry",
                    "severity": "note",
                    "message": "`caBundlePath` stands beside an empty `type`; read as `type: entry`",
                    "help": null,
                    "path": "/backends/0/caBundlePath",
                    "file": "a.yaml",
                    "line": 7, "column": 19, "endLine": 7, "endColumn": 26,
                },
            ],
            "needs": { "files": ["/ca.crt"], "variables": [] },
        })
    );
}

#[test]
fn validate_gives_one_object_for_one_input_and_a_list_for_several() {
    let here = Scratch::new();
    here.write("a.yaml", &config(&[]));
    here.write("d/b.yml", &config(&[("name: demo", "name: ''")]));
    here.write("d/service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n");
    here.write("d/package.json", r#"{"name": "x", "version": "1.0.0"}"#);
    let files = |arguments: &[&str], input: &str| {
        let arguments = [&["validate", "--format", "json"], arguments].concat();
        let Run { code, out, .. } = run(here.path(), &arguments, &[], input);
        let names = |value: &serde_json::Value| format!("{} {}", value["file"].as_str().unwrap(), value["valid"]);
        match json(&out) {
            serde_json::Value::Array(all) => (code, all.iter().map(names).collect::<Vec<_>>()),
            one => (code, vec!["one".to_owned(), names(&one)]),
        }
    };
    let texts = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(files(&["a.yaml"], ""), (Some(0), texts(&["one", "a.yaml true"])));
    assert_eq!(files(&["-c", "a.yaml"], ""), (Some(0), texts(&["one", "a.yaml true"])));
    assert_eq!(files(&["-"], &config(&[])), (Some(0), texts(&["one", "<stdin> true"])));
    assert_eq!(files(&["-", "--stdin-name", "chart"], &config(&[])), (Some(0), texts(&["one", "chart true"])));
    assert_eq!(files(&["a.yaml", "d"], ""), (Some(1), texts(&["a.yaml true", "d/b.yml false"])));
    // A folder gives a list however many files it holds; files about other things are not in it.
    assert_eq!(files(&["d"], ""), (Some(1), texts(&["d/b.yml false"])));
}

#[test]
fn deny_warnings_changes_the_exit_code_and_not_what_is_valid() {
    let text = config(&[("{source: inline}", "{source: inline, backends: {nobody: {type: unauthenticated}}}")]);
    let here = Scratch::new();
    let vmcp = |arguments: &[&str]| run(here.path(), arguments, &[], &text);
    let Run { code, out, .. } = vmcp(&["validate", "-", "--format", "json"]);
    assert_eq!((code, &json(&out)["valid"]), (Some(0), &true.into()));
    let Run { code, out, .. } = vmcp(&["validate", "-", "--format", "json", "--deny-warnings"]);
    assert_eq!((code, &json(&out)["valid"]), (Some(1), &true.into()));
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_judged() {
    let here = Scratch::new();
    here.write("a.yaml", &config(&[]));
    std::fs::create_dir(here.path().join("empty")).unwrap();
    let vmcp = |arguments: &[&str]| run(here.path(), arguments, &[], "");
    assert_eq!(
        vmcp(&["validate", "gone.yaml"]),
        Run {
            code: Some(2),
            out: String::new(),
            err: "error: gone.yaml cannot be read: No such file or directory (os error 2)\n".into()
        }
    );
    let Run { code, out, err } = vmcp(&["validate", "gone.yaml", "a.yaml", "also-gone.yaml"]);
    assert_eq!((code, out.as_str()), (Some(2), "a.yaml: valid\n"));
    assert_eq!(
        err,
        "error: gone.yaml cannot be read: No such file or directory (os error 2)\n\
         error: also-gone.yaml cannot be read: No such file or directory (os error 2)\n"
    );
    for (arguments, why) in [
        (&["validate", "empty"][..], "empty holds no file that ends in .yaml, .yml or .json"),
        (&["validate", "-", "-"], "standard input (`-`) can be read once"),
        (
            &["validate", "a.yaml", "--root", "."],
            "`--root` and `--env-file` say where to look; they need `--materials`",
        ),
        (&["validate", "a.yaml", "--materials", "--root", "gone"], "`--root gone` is no folder"),
        (&["validate", "a.yaml", "--materials", "--env-file", "gone"], "gone cannot be read: no such file"),
        (&["inspect", "-c", "empty"], "empty is a folder; expected a file"),
    ] {
        let Run { code, out, err } = vmcp(arguments);
        assert_eq!((code, out.as_str(), err), (Some(2), "", format!("error: {why}\n")), "{arguments:?}");
    }
    assert_eq!(vmcp(&["validate"]).code, Some(2));
}

#[test]
fn workflow_commands_are_escaped() {
    let here = Scratch::new();
    here.write("a,b:c%.yaml", &config(&[("streamable-http", "\"s%s\\r\\n::error::x\"")]));
    let Run { code, out, .. } = run(here.path(), &["validate", "a,b:c%.yaml", "--format", "github"], &[], "");
    assert_eq!(code, Some(1));
    assert_eq!(out.lines().count(), 1, "{out}");
    let head =
        "::error file=a%2Cb%3Ac%25.yaml,line=6,col=16,endLine=6,endColumn=35,title=backend/unsupported-transport::";
    assert!(out.starts_with(head), "{out}");
    assert!(out.contains("s%25s"), "{out}");
    let Run { code, out, .. } = run(here.path(), &["validate", "-", "--format", "github"], &[], &config(&[]));
    assert_eq!((code, out.as_str()), (Some(0), ""));
}

#[test]
fn sarif_has_a_rule_for_every_result_and_the_edits_that_help() {
    let here = Scratch::new();
    here.write("ä b.yaml", &config(&[("transport:", "transprot:")]));
    let Run { code, out, .. } = run(here.path(), &["validate", "ä b.yaml", "--format", "sarif"], &[], "");
    assert_eq!(code, Some(1));
    let log = json(&out);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        let rule = &run["tool"]["driver"]["rules"][index];
        assert_eq!(rule["id"], result["ruleId"]);
        assert_eq!(rule["defaultConfiguration"]["level"], result["level"]);
    }
    let result = results.iter().find(|result| result["ruleId"] == "config/unknown-key").unwrap();
    let region = serde_json::json!({ "startLine": 6, "startColumn": 5, "endLine": 6, "endColumn": 14 });
    assert_eq!(
        result["locations"][0],
        serde_json::json!({
            "physicalLocation": { "artifactLocation": { "uri": "%C3%A4%20b.yaml" }, "region": region },
            "logicalLocations": [{ "fullyQualifiedName": "/backends/0/transprot" }],
        })
    );
    let change = &result["fixes"][0]["artifactChanges"][0]["replacements"][0];
    assert_eq!(change["deletedRegion"], region);
    assert_eq!(change["insertedContent"]["text"], "transport");
}

#[test]
fn quiet_leaves_the_findings_alone() {
    let here = Scratch::new();
    let vmcp = |arguments: &[&str], text: &str| run(here.path(), arguments, &[], text).out;
    assert_eq!(vmcp(&["validate", "-q", "-"], &config(&[])), "");
    assert_eq!(vmcp(&["validate", "-"], &config(&[])), "<stdin>: valid\n");
    let out = vmcp(&["validate", "-q", "-"], &config(&[("https:", "ftp:")]));
    assert!(out.starts_with("error[backend/bad-url]: ") && out.ends_with("\n\n"), "{out}");
}

#[test]
fn a_credential_is_shown_by_no_command() {
    let here = Scratch::new();
    let strategy = "{source: inline, default: {type: header_injection, \
                    headerInjection: {headerName: X-Key, headerValue: s3cr3t, bogus: 1}}}";
    let with = |strategy: &str| config(&[("{source: inline}", strategy)]);
    here.write("mistake-beside.yaml", &with(strategy));
    here.write("in-a-url.yaml", &config(&[("https://", "https://u:s3cr3t@")]));
    here.write("broken-off.yaml", &with(&strategy.replace("s3cr3t", "\"s3cr3t")));
    here.write("fine.yaml", &with(&strategy.replace(", bogus: 1", "")));
    for file in ["mistake-beside.yaml", "in-a-url.yaml", "broken-off.yaml", "fine.yaml"] {
        let commands = [
            ("human", &["validate", "--materials", file][..]),
            ("json", &["validate", "--materials", file]),
            ("github", &["validate", "--materials", file]),
            ("sarif", &["validate", "--materials", file]),
            ("table", &["inspect", "-c", file]),
            ("json", &["inspect", "-c", file]),
            ("yaml", &["inspect", "-c", file]),
        ];
        for (format, arguments) in commands {
            let arguments = [arguments, &["--format", format]].concat();
            let Run { out, err, .. } = run(here.path(), &arguments, &[], "");
            assert!(!out.contains("s3cr3t") && !err.contains("s3cr3t"), "{arguments:?}: {out}{err}");
        }
    }
}

#[test]
fn several_configurations_are_listed_and_one_is_chosen() {
    let here = Scratch::new();
    let map = |namespace: &str, name: &str, wrong: &[(&str, &str)]| {
        let indented: String = config(wrong).lines().map(|line| format!("    {line}\n")).collect();
        let head = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\n");
        format!("{head}data:\n  config.yaml: |\n{indented}")
    };
    let maps = [map("one", "a", &[]), map("two", "a", &[("name: demo", "name: other")]), map("one", "b", &[])];
    here.write("all.yaml", &maps.join("---\n"));
    let vmcp = |arguments: &[&str]| run(here.path(), arguments, &[], "");
    for command in ["inspect", "check"] {
        let Run { code, out, err } = vmcp(&[command, "-c", "all.yaml"]);
        assert_eq!((code, out.as_str()), (Some(2), ""));
        assert_eq!(
            err,
            "error: all.yaml holds 3 configurations; choose one with `--configmap`:\n  one/a\n  two/a\n  one/b\n"
        );
    }
    let Run { code, err, .. } = vmcp(&["inspect", "-c", "all.yaml", "--configmap", "a"]);
    assert_eq!((code, err.lines().count()), (Some(2), 3), "{err}");
    let Run { code, err, .. } = vmcp(&["inspect", "-c", "all.yaml", "--configmap", "three/a"]);
    assert_eq!((code, err.as_str()), (Some(2), "error: all.yaml holds no ConfigMap `three/a` with a configuration\n"));
    let Run { code, out, .. } = vmcp(&["inspect", "-c", "all.yaml", "--configmap", "two/a", "--format", "json"]);
    assert_eq!((code, &json(&out)["config"]["name"]), (Some(0), &"other".into()), "{out}");
}
