//! Reading, validating and discovering configurations of 10, 1,000 and 20,000 backends, beside a plain typed decode.
//!
//! The reference is `yaml_serde`, the maintained twin of `serde_yaml`, into structs without positions: it gives up at the
//! first mistake, and checks nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use vmcp_core::config::input;
use vmcp_core::discovery::{Materials, discover};
use vmcp_core::trust::{SystemRoots, UnixTime};

use crate::measure::{again, least, peak_kib, shown};

const SIZES: [usize; 3] = [10, 1_000, 20_000];

pub(crate) fn all() -> Result<(), String> {
    println!(
        "Configuration: read, validate and discover (least of several rounds; peak memory of a process that does it once)\n"
    );
    println!("| backends | text | vmcp | of it discover | peak | yaml_serde typed decode | peak | vmcp ÷ yaml_serde |");
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|");
    for size in SIZES {
        let size_text = size.to_string();
        let ours = again(&["config", &size_text, "vmcp"])?;
        let theirs = again(&["config", &size_text, "yaml_serde"])?;
        let field = |line: &str, index: usize| {
            line.split_whitespace().nth(index).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0)
        };
        let time = |line: &str, index| Duration::from_nanos(field(line, index));
        println!(
            "| {size} | {} KiB | {} | {} | {} MiB | {} | {} MiB | {:.2} |",
            text(size).len() / 1024,
            shown(time(&ours, 0)),
            shown(time(&ours, 2)),
            field(&ours, 1) / 1024,
            shown(time(&theirs, 0)),
            field(&theirs, 1) / 1024,
            field(&ours, 0) as f64 / field(&theirs, 0).max(1) as f64,
        );
    }
    println!();
    Ok(())
}

/// Prints nanoseconds, KiB at the peak after one round, and for vmcp nanoseconds of discovery.
pub(crate) fn one(size: &str, what: &str) -> Result<(), String> {
    let size: usize = size.parse().map_err(|error| format!("{size}: {error}"))?;
    let text = text(size);
    let rounds = (200_000 / size).clamp(10, 500);
    match what {
        "vmcp" => {
            let materials = materials();
            let work = || {
                let read = input::read(text.as_bytes());
                let found: Vec<_> =
                    read.configs.iter().map(|c| discover(&c.config, &c.diagnostics, &materials)).collect();
                assert_eq!(found.first().map_or(0, |catalog| catalog.backends.len()), size, "every backend is served");
                (read, found)
            };
            black_box(work());
            let peak = peak_kib();
            let whole = least(rounds, || black_box(work()));
            let read = input::read(text.as_bytes());
            let discovery = least(rounds, || {
                black_box(
                    read.configs.iter().map(|c| discover(&c.config, &c.diagnostics, &materials)).collect::<Vec<_>>(),
                )
            });
            println!("{} {peak} {}", whole.as_nanos(), discovery.as_nanos());
        }
        "yaml_serde" => {
            let work = || {
                let plain: Result<Plain, _> = yaml_serde::from_str(&text);
                assert_eq!(plain.as_ref().map_or(0, |plain| plain.backends.len()), size, "every backend is decoded");
                plain
            };
            black_box(work()).map_err(|error| error.to_string())?;
            let peak = peak_kib();
            println!("{} {peak}", least(rounds, || black_box(work())).as_nanos());
        }
        other => return Err(format!("nothing is called {other}")),
    }
    Ok(())
}

fn materials() -> Materials {
    Materials {
        files: BTreeMap::new(),
        variables: BTreeMap::new(),
        system_roots: Arc::new(SystemRoots::read([(
            "/etc/ssl/cert.pem",
            include_bytes!("../../../data/certificates/ca.pem").as_slice(),
        )])),
        now: UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000)),
    }
}

/// A configuration as an operator writes it, with literal headers so that it needs nothing from a pod.
fn text(backends: usize) -> String {
    let mut text = String::from("name: demo\ngroupRef: demo-group\nbackends:\n");
    let mut auth = String::new();
    for n in 0..backends {
        let _ = write!(
            text,
            "    - name: backend-{n}\n      url: https://mcp-{n}.partner.example/mcp\n      transport: streamable-http\n      type: entry\n      metadata:\n        group: demo-group\n        namespace: default\n        remote_url: https://mcp-{n}.partner.example/mcp\n        tool_type: mcp\n        workload_status: Ready\n        workload_type: server_entry\n"
        );
        let _ = write!(
            auth,
            "        backend-{n}:\n            type: header_injection\n            headerInjection:\n                headerName: X-Api-Key\n                headerValue: value-{n}\n"
        );
    }
    let _ = write!(
        text,
        "incomingAuth:\n    type: anonymous\noutgoingAuth:\n    source: inline\n    backends:\n{auth}aggregation:\n    conflictResolution: prefix\n    conflictResolutionConfig:\n        prefixFormat: '{{workload}}_'\n"
    );
    text
}

/// The same keys in plain structs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "the reference decodes every key, as a program that uses them would")]
struct Plain {
    name: String,
    group_ref: String,
    backends: Vec<PlainBackend>,
    incoming_auth: PlainIncoming,
    outgoing_auth: PlainOutgoing,
    aggregation: PlainAggregation,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "see `Plain`")]
struct PlainBackend {
    name: String,
    url: String,
    transport: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    ca_bundle_path: Option<String>,
    metadata: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "see `Plain`")]
struct PlainIncoming {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "see `Plain`")]
struct PlainOutgoing {
    source: String,
    default: Option<PlainStrategy>,
    backends: Option<BTreeMap<String, PlainStrategy>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "see `Plain`")]
struct PlainStrategy {
    #[serde(rename = "type")]
    kind: String,
    header_injection: Option<PlainHeader>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "see `Plain`")]
struct PlainHeader {
    header_name: String,
    header_value: Option<String>,
    header_value_env: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "see `Plain`")]
struct PlainAggregation {
    conflict_resolution: String,
    conflict_resolution_config: BTreeMap<String, String>,
}
