//! The command line: which commands there are, the manners they share, and how each ends.
//!
//! It judges nothing itself: every command reads its input, asks the core, and hands the answer to [`crate::render`].

mod check;
mod demo;
mod diff;
mod explain;
pub(crate) mod input;
mod inspect;
pub(crate) mod judge;
mod preview;
mod render;
mod schema;
mod serve;
mod validate;
mod version;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::logging::chain;
use crate::materials::EnvFileError;

/// What every `--help` closes with.
const ENDINGS: &str = "\
Exit codes:
  0  fine
  1  something is wrong with what was judged
  2  could not judge: wrong usage, or a file that cannot be read

Results go to standard output, logs and progress to standard error.
Environment: NO_COLOR (any value) turns colour off where `--color auto` decides.";

const EXAMPLES: &str = "\
Examples:
  vmcp validate vmcp.yaml                               every finding, with the line it is about
  kubectl get configmap,deployment -o yaml | vmcp validate -
  vmcp render -f deploy/ | vmcp validate -              the ConfigMap that custom resources become
  vmcp explain backend/duplicate-name                   what a finding means
  vmcp demo --once                                      two private-CA servers behind a gateway
";

/// A gateway that serves many MCP servers as one, and tells you what is wrong with its configuration before it does.
#[derive(Debug, Parser)]
#[command(name = "vmcp", version, arg_required_else_help = true, max_term_width = 120)]
#[command(after_help = format!("{EXAMPLES}\n{ENDINGS}"))]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Validate(validate::ValidateArgs),
    Inspect(inspect::InspectArgs),
    Check(check::CheckArgs),
    Serve(serve::ServeArgs),
    Demo(demo::DemoArgs),
    Explain(explain::ExplainArgs),
    Diff(diff::DiffArgs),
    Render(render::RenderArgs),
    Preview(preview::PreviewArgs),
    Schema(schema::SchemaArgs),
    Version(version::VersionArgs),
}

/// Options of every command.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Global {
    /// Colour the output: `auto` (on a terminal), `always` or `never`
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto, hide_possible_values = true)]
    pub(crate) color: Color,
    /// Print results only: no progress, no summaries, no hints
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl Color {
    /// Whether to colour what goes to `stream`.
    pub(crate) fn on(self, stream: &impl IsTerminal) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
                set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb") && stream.is_terminal()
            }
        }
    }
}

/// How a command that judged something ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Exit 0.
    Fine,
    /// Exit 1: something is wrong with what was judged.
    Wrong,
}

/// Why a command could not judge; exit 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unjudged {
    /// The results could not be written.
    #[error("standard output cannot be written")]
    Output(#[source] io::Error),
    /// The arguments do not fit together, or name what is not there.
    #[error("{0}")]
    Usage(String),
    /// Some inputs could not be read; the others were judged.
    #[error("{}", validate::unread(.0))]
    Unread(Vec<input::InputError>),
    /// One input could not be read.
    #[error(transparent)]
    Input(#[from] input::InputError),
    /// The demonstration could not start.
    #[error(transparent)]
    Demo(demo::DemoError),
    /// The keys for what clients bring back cannot be used.
    #[error(transparent)]
    StateKeys(#[from] serve::StateKeyError),
    /// What was made could not be written.
    #[error("{name} cannot be written")]
    Unwritable {
        /// Which file or folder.
        name: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The file of variables cannot be used.
    #[error(transparent)]
    EnvFile(#[from] EnvFileError),
}

/// Runs the program on the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let parsed = Cli::command()
        .color(asked_color(&arguments))
        .try_get_matches_from(&arguments)
        .and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches));
    let Cli { global, command } = match parsed {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version are results (0), everything else is a usage error (2). A reader that left is no error.
            drop(usage.print());
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    let ending = match command {
        Command::Validate(args) => validate::run(&args, &global),
        Command::Inspect(args) => inspect::run(&args, &global),
        Command::Check(args) => check::run(&args, &global),
        Command::Serve(args) => serve::run(&args, &global),
        Command::Demo(args) => demo::run(&args, &global),
        Command::Explain(args) => explain::run(&args, &global),
        Command::Diff(args) => diff::run(&args, &global),
        Command::Render(args) => render::run(&args, &global),
        Command::Preview(args) => preview::run(&args, &global),
        Command::Schema(args) => schema::run(&args),
        Command::Version(args) => version::run(&args),
    };
    match ending {
        Ok(Verdict::Fine) => ExitCode::SUCCESS,
        Ok(Verdict::Wrong) => ExitCode::from(1),
        Err(why) => {
            complain(&why, &global);
            ExitCode::from(2)
        }
    }
}

/// Writes a result. A reader that has seen enough (`| head`) is no error.
pub(crate) fn print(text: &str) -> Result<(), Unjudged> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Unjudged::Output(error)),
        _ => Ok(()),
    }
}

/// Says on standard error what is being done, unless `-q` asks not to.
pub(crate) fn note(global: &Global, text: &str) {
    if !global.quiet {
        // Where standard error is gone, nobody wants to know.
        drop(writeln!(io::stderr().lock(), "{text}"));
    }
}

/// Says on standard error why nothing was judged: the error, then its causes, each once.
fn complain(why: &dyn std::error::Error, global: &Global) {
    let stderr = io::stderr();
    let word = if global.color.on(&stderr) { "\x1b[1;91merror\x1b[0m" } else { "error" };
    let line = format!("{word}: {}\n", chain(why));
    // Where standard error is gone too, there is nobody left to tell.
    drop(stderr.lock().write_all(line.as_bytes()));
}

/// What `--color` says, for clap's own output, which is made before the arguments are understood.
fn asked_color(arguments: &[OsString]) -> clap::ColorChoice {
    let mut words = arguments.iter().map(|word| word.to_string_lossy());
    let mut asked = String::new();
    while let Some(word) = words.next() {
        if word == "--color" {
            asked = words.next().unwrap_or_default().into_owned();
        } else if let Some(value) = word.strip_prefix("--color=") {
            asked = value.to_owned();
        }
    }
    match asked.as_str() {
        "always" => clap::ColorChoice::Always,
        "never" => clap::ColorChoice::Never,
        _ => clap::ColorChoice::Auto,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Cli::command().debug_assert();
    }
}
