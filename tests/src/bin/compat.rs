//! `make compat`: gives the Go vMCP and this project the same configurations and prints where their verdicts differ.
//!
//! It explains nothing itself: a difference whose reason is missing from `docs/compatibility.md` fails the run.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program whose result is what it prints")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use vmcp_core::config::input;
use vmcp_core::diagnostic::Severity;
use vmcp_tests::edits;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("compat: {problem}");
            ExitCode::from(2)
        }
    }
}

/// One configuration to judge, and what to call it.
struct Sample {
    name: String,
    text: String,
}

/// What the two make of one sample.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Accepts,
    /// With the reasons: our codes with the outline of the message, or the lines of Go's message.
    Refuses(Vec<String>),
}

fn run() -> Result<bool, String> {
    let mut args = std::env::args().skip(1);
    let go = args.next().map(PathBuf::from).ok_or("usage: compat GO_VMCP [MUTATIONS]")?;
    let most: usize =
        args.next().map_or(Ok(4000), |text| text.parse()).map_err(|error| format!("MUTATIONS: {error}"))?;
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = repository.join("docs/compatibility.md");
    let reasons = Reasons::read(&document)?;
    let samples = samples(&repository, most)?;
    println!("compat: {} configurations, {} reasons in docs/compatibility.md", samples.len(), reasons.rows.len());
    let folder = std::env::temp_dir().join(format!("vmcp-compat-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let verdicts = judge_all(&go, &folder, &samples);
    std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    report(&samples, &verdicts?, &reasons)
}

/// Every case that is a raw configuration, and edits of the valid ones.
fn samples(repository: &Path, most: usize) -> Result<Vec<Sample>, String> {
    let mut cases = Vec::new();
    collect(&repository.join("tests/cases/config"), &mut cases)?;
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    let mut samples = Vec::new();
    let mut good = vec![("rich".to_owned(), read(&repository.join("tests/data/compat/rich.yaml"))?)];
    for path in cases {
        let Ok(text) = read(&path) else { continue };
        if text.contains("kind: ") {
            continue;
        }
        let name =
            path.parent().and_then(|p| p.strip_prefix(repository.join("tests/cases/config")).ok()).unwrap_or(&path);
        let name = name.display().to_string();
        if name.starts_with("valid") && matches!(ours(&text), Verdict::Accepts) {
            good.push((name.clone(), text.clone()));
        }
        samples.push(Sample { name, text });
    }
    let mut edited = Vec::new();
    for (name, text) in &good {
        for (line, edit) in edits::all(text) {
            edited.push(Sample {
                name: format!("{name}, line {}: {edit:?}", line + 1),
                text: edits::apply(text, line, &edit),
            });
        }
    }
    let step = edited.len().div_ceil(most.max(1)).max(1);
    samples.extend(good.into_iter().map(|(name, text)| Sample { name, text }));
    samples.extend(edited.into_iter().step_by(step));
    Ok(samples)
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, into)?;
        } else if path.file_name().is_some_and(|name| name == "config.yaml") {
            into.push(path);
        }
    }
    Ok(())
}

fn ours(text: &str) -> Verdict {
    let read = input::read(text.as_bytes());
    let findings = read.diagnostics.iter().chain(read.configs.iter().flat_map(|config| &config.diagnostics));
    let errors = findings.filter(|finding| finding.severity() == Severity::Error);
    let mut kinds: Vec<_> = errors.map(|error| format!("{}: {}", error.code, outline(&error.message))).collect();
    kinds.sort();
    kinds.dedup();
    if kinds.is_empty() { Verdict::Accepts } else { Verdict::Refuses(kinds) }
}

/// A message without what it quotes, so that one kind of finding is one text.
fn outline(message: &str) -> String {
    message.split('`').enumerate().map(|(n, part)| if n % 2 == 0 { part } else { "…" }).collect()
}

/// Runs the Go program, with every variable set that the text names.
fn gos(go: &Path, file: &Path, text: &str) -> Result<Verdict, String> {
    std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut command = Command::new(go);
    command.args(["validate", "--config"]).arg(file).env_clear().stdin(Stdio::null());
    for (_, after) in text.match_indices("Env:").map(|(at, key)| text.split_at(at + key.len())) {
        let value = after.lines().next().unwrap_or_default().split([',', '}']).next().unwrap_or_default();
        let name = value.trim().trim_matches(['\'', '"']);
        if !name.is_empty() && !name.contains(['=', '\0']) {
            command.env(name, "value");
        }
    }
    let output = command.output().map_err(|error| format!("{}: {error}", go.display()))?;
    if output.status.success() {
        return Ok(Verdict::Accepts);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    if text.contains("panic:") {
        return Ok(Verdict::Refuses(vec!["panic".to_owned()]));
    }
    let message = text.split("Error: ").nth(1).unwrap_or_default();
    let message = message.split("\n{\"time\"").next().unwrap_or_default();
    let list: Vec<_> = message.lines().skip(1).map(|line| line.trim().trim_start_matches("- ").to_owned()).collect();
    Ok(Verdict::Refuses(if list.is_empty() { vec![message.trim().to_owned()] } else { list }))
}

fn judge_all(go: &Path, folder: &Path, samples: &[Sample]) -> Result<Vec<(Verdict, Verdict)>, String> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (next, results) = (&next, &results);
            scope.spawn(move || {
                let file = folder.join(format!("{worker}.yaml"));
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(sample) = samples.get(index) else { break };
                    let verdicts = gos(go, &file, &sample.text).map(|gos| (ours(&sample.text), gos));
                    if let Ok(mut results) = results.lock() {
                        results.insert(index, verdicts);
                    }
                    if index % 1000 == 999 {
                        eprintln!("compat: {} of {}", index + 1, samples.len());
                    }
                }
            });
        }
    });
    results.into_inner().map_err(|_| "a worker stopped")?.into_values().collect()
}

/// The tables of `docs/compatibility.md`: rows ``| refused | `start of our finding` | reason |`` and
/// ``| accepted | `part of Go's message` | reason |``.
struct Reasons {
    rows: Vec<(String, String)>,
}

impl Reasons {
    fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let row = |line: &str| {
            let mut cells = line.strip_prefix('|')?.split(" | ");
            let kind = cells.next()?.trim().to_owned();
            let what = cells.next()?.trim().trim_matches('`').replace("\\|", "|");
            let reason = cells.next()?.trim().trim_end_matches('|').trim();
            (matches!(kind.as_str(), "refused" | "accepted") && !reason.is_empty()).then_some((kind, what))
        };
        Ok(Self { rows: text.lines().filter_map(row).collect() })
    }

    fn explain(&self, kind: &str, what: &str) -> bool {
        self.rows.iter().any(|(k, w)| {
            k == kind && (what.starts_with(w.as_str()) || (kind == "accepted" && what.contains(w.as_str())))
        })
    }
}

fn report(samples: &[Sample], verdicts: &[(Verdict, Verdict)], reasons: &Reasons) -> Result<bool, String> {
    let mut tally = BTreeMap::<String, (usize, String)>::new();
    let (mut same, mut explained) = (0, 0);
    for (sample, verdict) in samples.iter().zip(verdicts) {
        let (kind, unexplained) = match verdict {
            (Verdict::Accepts, Verdict::Refuses(lines)) => (
                "accepted",
                lines.iter().filter(|line| !reasons.explain("accepted", line)).cloned().collect::<Vec<_>>(),
            ),
            (Verdict::Refuses(codes), Verdict::Accepts) => {
                ("refused", codes.iter().filter(|code| !reasons.explain("refused", code)).cloned().collect())
            }
            _ => {
                same += 1;
                continue;
            }
        };
        if unexplained.is_empty() {
            explained += 1;
        }
        for what in unexplained {
            let entry = tally.entry(format!("{kind} here: {what}")).or_insert_with(|| (0, sample.name.clone()));
            entry.0 += 1;
        }
    }
    let mut out = String::new();
    for (what, (count, example)) in &tally {
        writeln!(out, "  {count:5} × {what}\n          first: {example}").map_err(|error| error.to_string())?;
    }
    print!("{out}");
    println!(
        "compat: {same} verdicts are the same, {explained} differ for a documented reason, {} kinds of difference have none",
        tally.len()
    );
    Ok(tally.is_empty())
}
