//! Time, memory and CPU of processes, as Linux counts them.
//!
//! It knows nothing of what is measured.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The least time that `work` took over `rounds`: what it costs when nothing else gets in the way.
pub(crate) fn least<T>(rounds: usize, mut work: impl FnMut() -> T) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..rounds.max(1) {
        let start = Instant::now();
        let made = work();
        best = best.min(start.elapsed());
        drop(made);
    }
    best
}

/// Most memory that this process ever held, in KiB.
pub(crate) fn peak_kib() -> u64 {
    status_kib("self", "VmHWM:")
}

/// Memory that process `pid` holds now, in KiB.
pub(crate) fn resident_kib(pid: u32) -> u64 {
    status_kib(&pid.to_string(), "VmRSS:")
}

/// Threads of process `pid`.
pub(crate) fn threads(pid: u32) -> u64 {
    status_kib(&pid.to_string(), "Threads:")
}

fn status_kib(process: &str, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// CPU time that process `pid` has used, user and system, all threads.
pub(crate) fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    // The kernel counts in USER_HZ, 100 on every Linux that matters.
    Duration::from_millis(ticks * 10)
}

/// Runs this program again with `args` and gives what it printed.
pub(crate) fn again(args: &[&str]) -> Result<String, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("`bench {}` ended with {}", args.join(" "), output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

/// A duration for a table.
pub(crate) fn shown(time: Duration) -> String {
    match time.as_nanos() {
        n if n < 10_000 => format!("{n} ns"),
        n if n < 10_000_000 => format!("{:.1} µs", n as f64 / 1e3),
        n => format!("{:.1} ms", n as f64 / 1e6),
    }
}
