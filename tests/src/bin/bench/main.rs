//! `make bench`: how fast this is, always beside a reference that is measured in the same run.
//!
//! It asserts nothing: a timed test would fail on a busy machine. Each measurement runs in a process of its own, so that its
//! peak memory is its own.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program whose result is what it prints")]

mod backend;
mod calls;
mod client;
mod configs;
mod hops;
mod measure;
mod trust;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        [] => all(),
        ["config", size, what] => configs::one(size, what),
        ["trust"] => trust::one(),
        ["backend"] => backend::serve(),
        ["calls"] => calls::all(),
        _ => Err("usage: bench".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("bench: {problem}");
            ExitCode::from(2)
        }
    }
}

fn all() -> Result<(), String> {
    configs::all()?;
    trust::all()?;
    calls::all()
}
