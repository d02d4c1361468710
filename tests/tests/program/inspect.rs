//! `vmcp inspect` and `vmcp check` as scripts meet them, on files and sockets of this machine.
//!
//! What makes a backend rejected is in `cases.rs`; TLS itself is tested with the transport.

use std::path::Path;

use serde_json::{Value, json};
use vmcp_tests::{Run, Scratch, run};

const CONFIG: &str = "name: demo
groupRef: demo-group
backends:
  - name: partner-api
    url: https://mcp.partner.example/mcp?key=hidden
    transport: streamable-http
    caBundlePath: /ca/ca.crt
    metadata: {tool_type: mcp}
  - name: plain
    url: http://127.0.0.1:9/mcp
    transport: streamable-http
  - name: lost
    url: https://lost.example/mcp
    transport: streamable-http
    type: entry
    caBundlePath: /ca/gone.crt
incomingAuth: {type: anonymous}
outgoingAuth:
  source: inline
  backends:
    partner-api: {type: header_injection, headerInjection: {headerName: X-Key, headerValueEnv: KEY}}
aggregation: {conflictResolution: prefix, conflictResolutionConfig: {prefixFormat: '{workload}_'}}
";

/// The folder of a pod, with a CA bundle and the variables.
fn pod() -> Scratch {
    let pod = Scratch::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/certificates");
    let bundle = std::fs::read_to_string(data.join("ca.pem")).unwrap();
    pod.write("ca/ca.crt", &format!("# Acme\n{bundle}"));
    let manifest = r#"{"addPlaintextHeaders":{"X-Team":"s3cr3t"}}"#;
    pod.write("pod.env", &format!("KEY=s3cr3t\nTOOLHIVE_HEADER_FORWARD_PARTNER_API='{manifest}'\n"));
    pod.write("config.yaml", CONFIG);
    pod
}

fn vmcp(pod: &Scratch, arguments: &[&str]) -> Run {
    let roots = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/certificates/ca-renewed.pem");
    let variables = [("SSL_CERT_FILE", roots.to_str().unwrap()), ("SSL_CERT_DIR", ".")];
    let arguments = [arguments, &["-c", "config.yaml", "--root", ".", "--env-file", "pod.env"]].concat();
    run(pod.path(), &arguments, &variables, "")
}

#[test]
fn inspect_shows_what_backends_resolve_to_and_why_others_are_rejected() {
    let pod = pod();
    let Run { code, out, .. } = vmcp(&pod, &["inspect", "--format", "json"]);
    assert_eq!(code, Some(1), "one backend is rejected");
    assert!(!out.contains("s3cr3t") && !out.contains("hidden"), "{out}");
    let seen: Value = serde_json::from_str(&out).unwrap();
    let keys: Vec<&String> = seen.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["backends", "config", "diagnostics", "rejected"]);
    assert_eq!(seen["config"]["operational"]["failureHandling"]["unhealthyThreshold"], 3);

    let names: Vec<&str> =
        seen["backends"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["partner-api", "plain"]);
    let mut partner = seen["backends"][0].clone();
    let bundle = partner["pool"]["bundle"].take();
    assert_eq!(
        partner,
        json!({
            "name": "partner-api",
            "url": "https://mcp.partner.example/mcp?…",
            "transport": "streamable-http",
            "type": "entry",
            "group": "demo-group",
            "auth": { "type": "header_injection", "source": "own", "header": "X-Key", "variables": ["KEY"] },
            "headers": ["X-Team"],
            "pool": { "caBundlePath": "/ca/ca.crt", "bundle": null, "systemRoots": 1 },
            "metadata": { "group": "demo-group", "tool_type": "mcp" },
        })
    );
    let anchor = &bundle[0];
    for (key, value) in [
        ("role", json!("anchor")),
        ("source", json!("bundle")),
        ("file", json!("/ca/ca.crt")),
        ("line", json!(2)),
        ("key", json!("ECDSA P-256")),
        ("notBefore", json!("2020-01-01T00:00:00Z")),
        ("notAfter", json!("2120-01-01T00:00:00Z")),
    ] {
        assert_eq!(anchor[key], value, "{key}");
    }
    assert!(anchor["subject"].as_str().unwrap().contains("Acme Test CA"), "{anchor}");
    assert!(anchor["daysLeft"].as_i64().unwrap() > 30_000, "{anchor}");
    assert_eq!(anchor["sha256"].as_str().unwrap().replace(':', "").len(), 64, "{anchor}");

    assert_eq!(
        seen["backends"][1]["auth"],
        json!({ "type": "unauthenticated", "source": "none", "header": null, "variables": [] })
    );
    let lost = &seen["rejected"][0];
    assert_eq!((&lost["name"], &lost["index"]), (&json!("lost"), &json!(2)));
    assert_eq!(lost["reasons"][0]["code"], "material/ca-bundle-unreadable");
    assert_eq!(lost["reasons"][0]["line"], 16);
}

#[test]
fn inspect_is_readable() {
    let pod = pod();
    let Run { code, out, err } = vmcp(&pod, &["inspect", "-q"]);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    for line in [
        "NAME         TYPE      TRANSPORT        AUTH              TRUST       URL",
        "partner-api  entry     streamable-http  header_injection  system + 1  https://mcp.partner.example/mcp?…",
        "plain        workload  streamable-http  unauthenticated   no TLS      http://127.0.0.1:9/mcp",
        "  auth      header_injection, from `outgoingAuth.backends`: header X-Key from $KEY",
        "  headers   X-Team",
        "  trust     1 system root, and 1 certificate of /ca/ca.crt",
        "lost rejected",
    ] {
        assert!(out.lines().any(|shown| shown == line), "{line} is not in\n{out}");
    }
    let yaml = vmcp(&pod, &["inspect", "--format", "yaml"]).out;
    assert!(
        yaml.starts_with("config:\n  name: demo\n  groupRef: demo-group\n  backends:\n    - name: partner-api\n"),
        "{yaml}"
    );
}

#[test]
fn check_tells_how_far_each_backend_came() {
    let pod = pod();
    // Nobody listens on port 9 of the loopback interface; `.invalid` never resolves (RFC 6761).
    pod.write("config.yaml", &CONFIG.replace("mcp.partner.example", "partner.invalid"));
    let Run { code, out, err } = vmcp(&pod, &["check", "--format", "json"]);
    assert_eq!((code, err.as_str()), (Some(1), "checking 2 backends …\n"));
    assert!(!out.contains("s3cr3t") && !out.contains("hidden"), "{out}");
    let seen: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(seen["ok"], false);
    assert_eq!(seen["rejected"][0]["name"], "lost");
    let stages = |backend: usize| {
        let stages = seen["backends"][backend]["stages"].as_array().unwrap().iter();
        stages
            .map(|stage| format!("{} {}", stage["stage"].as_str().unwrap(), stage["status"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    let skipped = ["auth skipped", "revision skipped", "capabilities skipped"];
    assert_eq!(stages(0), [&["resolve failed", "connect skipped", "tls skipped"][..], &skipped].concat());
    assert_eq!(stages(1)[1..], [&["connect failed", "tls skipped"][..], &skipped].concat());
    assert_eq!(seen["backends"][1]["stages"][1]["reason"], "connecting to 127.0.0.1:9: connection refused");

    let Run { code, out, .. } = vmcp(&pod, &["check", "-q", "--backend", "plain"]);
    assert_eq!(code, Some(1));
    assert!(!out.contains("partner-api") && out.contains("plain  no connection"), "{out}");
    let Run { code, err, .. } = vmcp(&pod, &["check", "--backend", "plaim"]);
    assert_eq!((code, err.as_str()), (Some(2), "error: there is no backend `plaim`; did you mean `plain`?\n"));
    let Run { code, err, .. } = vmcp(&pod, &["check", "--token-file", "gone"]);
    assert_eq!((code, err.as_str()), (Some(2), "error: gone cannot be read: No such file or directory (os error 2)\n"));
}
