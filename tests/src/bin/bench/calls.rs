//! Tool calls through `vmcp serve` beside the same calls made to the backend directly and through nginx, at 1, 16 and 64
//! callers; and memory and threads.
//!
//! Backend, hops and callers are processes of their own on loopback, so that CPU and memory are each one's own. Every ratio is
//! within one run. With `GO_VMCP` in the environment the Go program serves the same configuration and gets rows too; `CELLS`
//! is how many seconds a cell takes, `CALLERS` which numbers of callers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::backend::{Backend, TOOLS};
use crate::client::{Caller, Speaks};
use crate::hops::{Hop, config, nginx, program};
use crate::measure::{cpu, resident_kib, shown, threads};

const SESSIONS: usize = 1_000;
const BACKENDS: usize = 200;
const STREAMS: usize = 1_000;

pub(crate) fn all() -> Result<(), String> {
    let backend = Backend::start()?;
    let folder = std::env::temp_dir().join(format!("vmcp-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let result = measured(&backend, &folder);
    std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
    result
}

fn measured(backend: &Backend, folder: &Path) -> Result<(), String> {
    let cell = number("CELLS", 2);
    println!("Tool calls: one after another from each caller, {cell} s a cell\n");
    let mut hops = Vec::new();
    match nginx() {
        Some(nginx) => hops.push(("nginx", "", Hop::nginx(&nginx, folder, backend.address)?)),
        None => println!(
            "No row through nginx: it is not installed (`apt-get install nginx-light`, or NGINX=path of a program).\n"
        ),
    }
    let text = config(backend.address, 1);
    hops.push(("vmcp", "bench-0_", Hop::gateway(&program()?, folder, &text)?));
    if let Some(go) = std::env::var_os("GO_VMCP") {
        hops.push(("the Go vmcp", "bench-0_", Hop::gateway(&PathBuf::from(go), folder, &text)?));
    }
    println!(
        "| revision | answer | callers | through | calls/s | p50 | p99 | CPU of the hop per 1,000 calls | calls ÷ direct | CPU ÷ nginx |\n|---|---|---:|---|---:|---:|---:|---:|---:|---:|"
    );
    let callers = std::env::var("CALLERS").unwrap_or_else(|_| "1,16,64".to_owned());
    let callers: Vec<usize> = callers.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    for speaks in [Speaks::Legacy, Speaks::Modern] {
        for (tool, size) in TOOLS {
            for &callers in &callers {
                let row = Row { speaks, tool, size, callers, time: Duration::from_secs(cell as u64) };
                row.print(backend, &hops)?;
            }
        }
    }
    drop(hops);
    memory(backend, folder)
}

/// One line of comparison: the same calls, directly and through every hop.
struct Row {
    speaks: Speaks,
    tool: &'static str,
    size: usize,
    callers: usize,
    time: Duration,
}

impl Row {
    fn print(&self, backend: &Backend, hops: &[(&str, &str, Hop)]) -> Result<(), String> {
        let revision = match self.speaks {
            Speaks::Legacy => "2025-11-25",
            Speaks::Modern => "2026-07-28",
        };
        let (kind, size) = self.tool.split_once('_').unwrap_or((self.tool, ""));
        let label = format!("| {revision} | {kind}, {size} | {}", self.callers);
        let direct = self.run(backend.address, "", backend.child.id())?;
        println!("{label} | nothing | {} | | 1.00 | |", direct.cells());
        let mut reference = None;
        for (name, prefix, hop) in hops {
            let through = self.run(hop.address, prefix, hop.child.id())?;
            let cost = through.cost();
            let reference = *reference.get_or_insert(if *name == "nginx" { cost } else { f64::NAN });
            let ratio = if reference.is_nan() { String::new() } else { format!("{:.1}", cost / reference) };
            let rate = through.rate() / direct.rate();
            println!("{label} | {name} | {} | {:.1} ms | {rate:.2} | {ratio} |", through.cells(), cost * 1e3);
        }
        Ok(())
    }

    fn run(&self, address: SocketAddr, prefix: &str, process: u32) -> Result<Load, String> {
        let tool = format!("{prefix}{}", self.tool);
        let mut open = Vec::new();
        for _ in 0..self.callers {
            let mut caller = Caller::open(address, self.speaks)?;
            for _ in 0..5 {
                caller.call(&tool)?;
            }
            open.push(caller);
        }
        let (before, start) = (cpu(process), Instant::now());
        let rounds: Vec<Result<Vec<Duration>, String>> = std::thread::scope(|scope| {
            let threads: Vec<_> = open
                .into_iter()
                .map(|mut caller| {
                    let tool = &tool;
                    scope.spawn(move || {
                        let mut latencies = Vec::new();
                        while start.elapsed() < self.time {
                            let sent = Instant::now();
                            let answer = caller.call(tool)?;
                            if answer.len() < self.size {
                                return Err(format!("unexpected answer: {answer:.300}"));
                            }
                            latencies.push(sent.elapsed());
                        }
                        Ok(latencies)
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err("a caller stopped".to_owned())))
                .collect()
        });
        let (time, cpu) = (start.elapsed(), cpu(process).saturating_sub(before));
        let mut latencies: Vec<Duration> =
            rounds.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        latencies.sort();
        Ok(Load { latencies, time, cpu })
    }
}

/// What a round of calls came to.
struct Load {
    latencies: Vec<Duration>,
    time: Duration,
    cpu: Duration,
}

impl Load {
    fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.time.as_secs_f64()
    }

    /// Seconds of CPU per 1,000 calls.
    fn cost(&self) -> f64 {
        self.cpu.as_secs_f64() * 1000.0 / self.latencies.len().max(1) as f64
    }

    fn cells(&self) -> String {
        let at = |share: f64| {
            self.latencies.get((self.latencies.len() as f64 * share) as usize).copied().unwrap_or_default()
        };
        format!("{:.0} | {} | {}", self.rate(), shown(at(0.5)), shown(at(0.99)))
    }
}

fn memory(backend: &Backend, folder: &Path) -> Result<(), String> {
    println!("\nMemory and threads of `vmcp serve`\n\n| | resident | threads |\n|---|---:|---:|");
    let mib = |kib: u64| kib as f64 / 1024.0;
    let gateway = Hop::gateway(&program()?, folder, &config(backend.address, 1))?;
    let process = gateway.child.id();
    let idle = resident_kib(process);
    println!("| no session | {:.1} MiB | {} |", mib(idle), threads(process));
    for _ in 0..SESSIONS {
        Caller::open(gateway.address, Speaks::Legacy)?;
    }
    let sessions = resident_kib(process);
    let each = sessions.saturating_sub(idle) as f64 / SESSIONS as f64;
    println!("| {SESSIONS} idle sessions | {:.1} MiB, {each:.2} KiB each | {} |", mib(sessions), threads(process));
    for _ in 0..STREAMS {
        Caller::able_to(gateway.address, Speaks::Legacy, r#"{"elicitation":{}}"#)?.call("bench-0_json_1k")?;
    }
    let streams = resident_kib(process);
    let each = streams.saturating_sub(sessions) as f64 / STREAMS as f64;
    println!(
        "| {STREAMS} more, each with a standing stream at the backend | {:.1} MiB, {each:.2} KiB each | {} |",
        mib(streams),
        threads(process)
    );
    drop(gateway);
    let gateway = Hop::gateway(&program()?, folder, &config(backend.address, BACKENDS))?;
    let process = gateway.child.id();
    let many = resident_kib(process);
    let each = many.saturating_sub(idle) as f64 / BACKENDS as f64;
    println!(
        "| {BACKENDS} backends whose tools were listed | {:.1} MiB, {each:.1} KiB each | {} |",
        mib(many),
        threads(process)
    );
    Ok(())
}

fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}
