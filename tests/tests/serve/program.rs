//! `vmcp serve` as the operator starts it: arguments, variables, what it says, how it ends.
//!
//! How it serves is in `calls` and `listener`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;
use vmcp_tests::{Run, Scratch, program, run};

use crate::backend::Backend;
use crate::http::send;

/// The program while it serves.
pub(crate) struct Serving {
    pub(crate) child: Child,
    log: BufReader<ChildStderr>,
    said: String,
    pub(crate) address: SocketAddr,
}

impl Serving {
    pub(crate) fn start(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(program())
            .arg("serve")
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended: {said}");
            said.push_str(&line);
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if event["msg"] == "listening" {
                break event["address"].as_str().unwrap().parse().unwrap();
            }
        };
        Self { child, log, said, address }
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// How it ended, with everything it has said.
    pub(crate) fn wait(mut self) -> Run {
        self.log.read_to_string(&mut self.said).unwrap();
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        Run { code: self.child.wait().unwrap().code(), out, err: self.said.clone() }
    }
}

pub(crate) fn config(backends: &str) -> String {
    format!(
        "name: gateway\ngroupRef: g\nincomingAuth: {{type: anonymous}}\noutgoingAuth: {{source: inline}}\n\
         aggregation: {{conflictResolution: prefix, conflictResolutionConfig: {{prefixFormat: \"{{workload}}_\"}}}}\n\
         backends:\n{backends}"
    )
}

fn one_backend() -> String {
    config("- {name: a, url: \"http://127.0.0.1:9/mcp\", transport: streamable-http}\n")
}

const NO_TRANSPORT: &str = "- {name: b, url: \"http://127.0.0.1:9/mcp\", transport: stdio}\n";

/// Runs `vmcp serve` on a configuration that cannot be served.
fn refused(config: &str, arguments: &[&str]) -> (Option<i32>, Vec<String>) {
    let folder = Scratch::new();
    folder.write("config.yaml", config);
    let arguments = [&["serve", "--config=config.yaml"], arguments].concat();
    let Run { code, out, err } = run(folder.path(), &arguments, &[], "");
    assert_eq!(out, "");
    let errors =
        err.lines().map(|line| serde_json::from_str(line).unwrap()).filter(|event: &Value| event["level"] == "ERROR");
    (code, errors.map(|event| event["msg"].as_str().unwrap().to_owned()).collect())
}

#[test]
fn the_arguments_of_the_operator_start_it_and_a_signal_stops_it_after_what_runs() {
    let backend = Backend::start();
    let folder = Scratch::new();
    let secret = "s3cr3t-t0ken";
    let text = config(&format!("- {{name: a, url: \"{}\", transport: streamable-http}}\n", backend.url())).replace(
        "outgoingAuth: {source: inline}",
        &format!(
            "outgoingAuth: {{source: inline, default: {{type: header_injection, headerInjection: \
             {{headerName: x-key, headerValue: {secret}}}}}}}"
        ),
    );
    folder.write("config.yaml", &text);
    let path = folder.path().join("config.yaml");
    let arguments = [&format!("--config={}", path.display()), "--host=127.0.0.1", "--port=0", "--debug"];
    let serving = Serving::start(folder.path(), &arguments, &[]);
    let headers = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    let initialize = br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    let answer = send(serving.address, "POST", "/mcp", &headers, initialize);
    let session = answer.header("mcp-session-id").unwrap().to_owned();
    let headers = [headers[0], headers[1], ("mcp-session-id", session.as_str())];
    let call = br#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"a_wait"}}"#;
    let address = serving.address;
    let answer = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| send(address, "POST", "/mcp", &headers, call).json());
        while backend.seen("tools/call").is_empty() {
            std::thread::yield_now();
        }
        serving.signal("-TERM");
        while std::net::TcpStream::connect(address).is_ok() {
            std::thread::yield_now();
        }
        backend.let_go();
        waiting.join().unwrap()
    });
    assert_eq!(answer["result"]["content"][0]["text"], "waited");
    let run = serving.wait();
    assert_eq!((run.code, run.out.as_str()), (Some(0), ""));
    assert!(!run.err.contains(secret) && !run.err.contains(&session), "{}", run.err);
    assert_eq!(backend.seen("DELETE").len(), 1, "the session at the backend is ended");
    for line in run.err.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let keys: Vec<_> = event.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(["time", "level", "msg"].iter().all(|key| keys.contains(key)), "{line}");
    }
    let last: Value = serde_json::from_str(run.err.lines().last().unwrap()).unwrap();
    assert_eq!(last["msg"], "stopped");
}

#[test]
fn told_twice_it_waits_for_nothing() {
    let backend = Backend::start();
    let folder = Scratch::new();
    folder.write(
        "config.yaml",
        &config(&format!("- {{name: a, url: \"{}\", transport: streamable-http}}\n", backend.url())),
    );
    let serving = Serving::start(folder.path(), &["-c", "config.yaml", "--port=0"], &[]);
    let headers = [
        ("content-type", "application/json"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "a_wait"),
    ];
    let call = br#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"a_wait","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let mut caller = std::net::TcpStream::connect(serving.address).unwrap();
    let mut head = format!("POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n", serving.address, call.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    caller.write_all(&[head.as_bytes(), b"\r\n", call].concat()).unwrap();
    while backend.seen("tools/call").is_empty() {
        std::thread::yield_now();
    }
    serving.signal("-TERM");
    while std::net::TcpStream::connect(serving.address).is_ok() {
        std::thread::yield_now();
    }
    serving.signal("-INT");
    // The backend has not answered: only the second signal can have ended it.
    let run = serving.wait();
    assert_eq!(run.code, Some(0));
    assert!(run.err.contains(r#""msg":"told to stop again; answers are cut off","signal":"SIGINT""#), "{}", run.err);
    backend.let_go();
}

#[test]
fn variables_stand_for_flags() {
    let folder = Scratch::new();
    folder.write("config.yaml", &one_backend());
    let variables = [("VMCP_CONFIG", "config.yaml"), ("VMCP_MAX_SESSIONS", "1"), ("VMCP_PORT", "tcp://10.0.0.1:80")];
    let serving = Serving::start(folder.path(), &["--port=0"], &variables);
    serving.signal("-INT");
    assert_eq!(serving.wait().code, Some(0));
    let run =
        run(folder.path(), &["serve", "--port=0"], &[("VMCP_CONFIG", "config.yaml"), ("VMCP_STRICT", "perhaps")], "");
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("VMCP_STRICT") || run.err.contains("--strict"), "{}", run.err);
}

#[test]
fn every_finding_is_said_before_it_refuses() {
    let text = format!("{}colour: red\nshape: round\n", one_backend());
    let (code, errors) = refused(&text, &[]);
    assert_eq!(code, Some(1));
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors[0].contains("`colour`") && errors[1].contains("`shape`"), "{errors:?}");
    assert_eq!(errors[2], "not started: config.yaml has 2 errors that concern no single backend");
}

#[test]
fn a_rejected_backend_does_not_keep_the_others_from_being_served() {
    let folder = Scratch::new();
    folder.write("config.yaml", &format!("{}{NO_TRANSPORT}", one_backend()));
    let serving = Serving::start(folder.path(), &["-c", "config.yaml", "--port=0"], &[]);
    assert_eq!(send(serving.address, "GET", "/readyz", &[], b"").status, 200);
    serving.signal("-TERM");
    let err = serving.wait().err;
    assert!(
        err.contains(r#""msg":"backend rejected; it is not served","backend":"b","reason":"`transport` is `stdio`"#),
        "{err}"
    );
}

#[test]
fn a_rejected_backend_is_fatal_when_that_was_asked_for_or_none_is_left() {
    let (code, errors) = refused(&format!("{}{NO_TRANSPORT}", one_backend()), &["--strict"]);
    assert_eq!(code, Some(1));
    assert_eq!(errors[1..], ["not started: `--strict` is given and a backend is rejected: `b`"]);
    let (code, errors) = refused(&config(NO_TRANSPORT), &[]);
    assert_eq!(code, Some(1));
    assert_eq!(errors[1..], ["not started: every backend is rejected: `b`"]);
}

#[test]
fn nothing_is_served_more_openly_than_it_is_written() {
    let text = one_backend().replace(
        "{type: anonymous}",
        "{type: anonymous, authz: {type: cedar, policies: [\"permit(principal, action, resource);\"]}}",
    );
    let text = format!("{text}audit: {{enabled: true}}\n");
    let (code, errors) = refused(&text, &["--allow-unenforced=oidc"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        errors,
        [
            "not started: `incomingAuth.authz` is not enforced yet: callers may do everything; `--allow-unenforced=incomingAuth.authz` starts all the same",
            "not started: `audit` is not enforced yet: nothing is recorded; `--allow-unenforced=audit` starts all the same",
        ]
    );
    let folder = Scratch::new();
    folder.write("config.yaml", &text);
    let arguments = ["-c", "config.yaml", "--port=0", "--allow-unenforced=authz,audit"];
    let serving = Serving::start(folder.path(), &arguments, &[]);
    serving.signal("-TERM");
    assert_eq!(serving.wait().code, Some(0));
    let (code, errors) = refused(&one_backend(), &["--enable-audit"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        errors,
        [
            "not started: `--enable-audit` is not enforced yet: nothing is recorded; `--allow-unenforced=audit` starts all the same"
        ]
    );
}

#[test]
fn what_cannot_be_judged_is_another_exit_code() {
    let folder = Scratch::new();
    assert_eq!(run(folder.path(), &["serve", "-c", "gone.yaml"], &[], "").code, Some(2));
    assert_eq!(run(folder.path(), &["serve"], &[], "").code, Some(2));
    let map = |name: &str| {
        let text = one_backend().replace('\n', "\n    ");
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  config.yaml: |\n    {text}\n---\n"
        )
    };
    let two = format!("{}{}", map("one"), map("two"));
    let run = run(folder.path(), &["serve", "-c", "-"], &[], &two);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("choose one with `--configmap`") && run.err.contains("  two"), "{}", run.err);
    folder.write("maps.yaml", &two);
    let serving = Serving::start(folder.path(), &["-c", "maps.yaml", "--configmap=two", "--port=0"], &[]);
    serving.signal("-TERM");
    assert_eq!(serving.wait().code, Some(0));
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (code, errors) = refused(&one_backend(), &["--port", &port.to_string()]);
    assert_eq!(code, Some(1));
    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with(&format!("not started: cannot listen on 127.0.0.1:{port}: ")), "{errors:?}");
}

#[test]
fn inspect_live_shows_every_name_where_it_is_from_and_what_clients_do_not_see() {
    let (one, two) = (
        Backend::with(serde_json::json!({"name": "one", "resources": [{"name": "r", "uri": "x://r"}]})),
        Backend::start(),
    );
    let folder = Scratch::new();
    let backends = format!(
        "- {{name: one, url: \"{}\", transport: streamable-http}}\n- {{name: two, url: \"{}\", transport: streamable-http}}\n\
         - {{name: gone, url: \"{}\", transport: streamable-http}}\n",
        one.url(),
        two.url(),
        crate::backend::dead()
    );
    let text = config(&backends).replace("aggregation: {", "aggregation: {tools: [{workload: two, filter: [echo]}], ");
    folder.write("config.yaml", &text);
    let shown = run(folder.path(), &["inspect", "-c", "config.yaml", "--live", "--format", "json"], &[], "");
    assert_eq!(shown.code, Some(1), "{}{}", shown.out, shown.err);
    let catalog = serde_json::from_str::<Value>(&shown.out).unwrap()["catalog"].clone();
    let entry = |name: &str| {
        let entries = catalog["entries"].as_array().unwrap().iter();
        let mut named = entries.filter(|entry| entry["advertised"] == name);
        (named.next().cloned().unwrap_or_default(), named.count())
    };
    let of = |advertised: &str, backend: &str, original: &str| serde_json::json!({"kind": "tool", "advertised": advertised, "backend": backend, "original": original, "shown": true});
    assert_eq!(entry("one_echo"), (of("one_echo", "one", "echo"), 0));
    assert_eq!(entry("two_echo"), (of("two_echo", "two", "echo"), 0));
    let mut hidden = of("two_fail", "two", "fail");
    hidden["shown"] = Value::Bool(false);
    hidden["hidden"] = "filter".into();
    assert_eq!(entry("two_fail"), (hidden, 0));
    assert_eq!(entry("x://r").0["kind"], "resource");
    assert_eq!(catalog["silent"][0]["backend"], "gone");
    let table = run(folder.path(), &["inspect", "-c", "config.yaml", "--live"], &[], "").out;
    let line = |name: &str| {
        table.lines().find(|line| line.contains(name)).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("one_echo"), "tool one_echo one echo shown, renamed");
    assert_eq!(line("two_fail"), "tool two_fail two fail hidden by filter");
    assert!(line("did not answer").starts_with("backend `gone` did not answer: "));
    // It leaves no session behind, and calls nothing.
    assert_eq!(one.seen("initialize").len(), one.seen("DELETE").len());
    assert!(one.seen("tools/call").is_empty());
}
