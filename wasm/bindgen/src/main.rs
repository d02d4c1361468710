//! The wasm-bindgen step and a runner for `wasm_bindgen_test` tests, as a program of this workspace.
//!
//! It is here so that the lock file pins it together with the library it must match. It does not drive browsers and
//! measures nothing: tests of the page have their own program.
//!
//! ```text
//! vmcp-bindgen pack nodejs|web MODULE.wasm DIRECTORY [EXPORT...]
//!     JavaScript and types around a module; and the module in two parts, of which one has what only those exports need
//! vmcp-bindgen test MODULE.wasm [FILTER] [--list]
//!     what cargo calls after building tests for wasm32
//! ```

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]

mod copies;
mod links;
mod split;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use walrus::Module;
use wasm_bindgen_cli_support::Bindgen;

/// Runs the exported tests of one module inside Node.
const RUNNER: &str = include_str!("run.cjs");

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["pack", flavour @ ("nodejs" | "web"), module, directory, late @ ..] => {
            pack(flavour, Path::new(module), Path::new(directory), late)
        }
        ["test", module, rest @ ..] => test(Path::new(module), rest),
        _ => {
            Err("usage: vmcp-bindgen pack nodejs|web MODULE.wasm DIRECTORY [EXPORT...] | test MODULE.wasm [FILTER] [--list]".into())
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("vmcp-bindgen: {error}");
        ExitCode::from(2)
    })
}

/// Writes `vmcp.js`, `vmcp.d.ts` and `vmcp_bg.wasm` into `directory`; with `late`, `first.wasm` and `rest.wasm` too.
fn pack(flavour: &str, module: &Path, directory: &Path, late: &[&str]) -> Outcome<ExitCode> {
    let (links, plain) = links::read(&fs::read(module)?)?;
    let mut linked = Module::from_buffer(&plain)?;
    split::number_functions(&mut linked);
    copies::call_for_short_ones(&mut linked);
    let mut bindgen = Bindgen::new();
    bindgen.input_module("vmcp", linked).out_name("vmcp").typescript(true).remove_producers_section(true);
    match flavour {
        "nodejs" => bindgen.nodejs(true)?,
        _ => bindgen.web(true)?,
    };
    bindgen.generate(directory)?;
    let whole = directory.join("vmcp_bg.wasm");
    let module = fs::read(&whole)?;
    fs::write(whole, split::unnamed(&module)?)?;
    if !late.is_empty() {
        let (first, rest) = split::split(&module, &links, late)?;
        fs::write(directory.join("first.wasm"), first)?;
        fs::write(directory.join("rest.wasm"), rest)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Lists the tests of a module, or runs those whose name contains the filter.
fn test(module: &Path, options: &[&str]) -> Outcome<ExitCode> {
    let list = options.contains(&"--list");
    let filter = options.iter().find(|option| !option.starts_with('-')).copied().unwrap_or_default();

    let directory = module.with_extension("bindgen");
    fs::create_dir_all(&directory)?;
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).out_name("tests").nodejs(true)?;
    bindgen.debug(true).typescript(false).export_wasm(true).emit_start(false);
    let mut output = bindgen.generate_output()?;
    let exports: Vec<String> = output.wasm().exports.iter().map(|export| export.name.clone()).collect();
    // The macro names each test `__wbgt_<modifiers>_<crate>::<path>`.
    let mut tests: Vec<(&str, &String)> = exports
        .iter()
        .filter(|name| name.starts_with("__wbgt_"))
        .filter_map(|name| Some((name.split_once("::")?.1, name)))
        .filter(|(name, _)| name.contains(filter))
        .collect();
    tests.sort_unstable();

    if list {
        for (name, _) in &tests {
            println!("{name}: test");
        }
        return Ok(ExitCode::SUCCESS);
    }
    if tests.is_empty() {
        println!("no test of {} contains `{filter}`", module.display());
        return Ok(if filter.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    }
    output.emit(&directory)?;
    let script = directory.join("run.cjs");
    fs::write(&script, RUNNER)?;
    let names: String = tests.iter().map(|(_, export)| format!("{export}\n")).collect();
    fs::write(directory.join("tests.txt"), names)?;
    let status = Command::new("node").arg(&script).status().map_err(|e| format!("`node` does not start: {e}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
