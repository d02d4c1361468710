//! `vmcp diff`: what changes between two configurations, in words.
//!
//! It judges neither: what is wrong with them is `validate`'s to say. It looks at nothing that they name.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use vmcp_core::compare::{Change, Kind, Topic, compare};
use vmcp_core::judge::{self as judged, Document};

use super::input::{Input, StdinArgs};
use super::judge::{Judgement, judge};
use super::{Global, Unjudged, Verdict, print};
use crate::render::human::Paint;
use crate::render::{counted, json};

/// Say what changes between two configurations
///
/// Trust and credentials come first, then callers, backends and settings. Spelling, order, comments and defaults written out
/// make no difference; neither do strategies that no backend has. Secrets are compared and never shown.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vmcp diff old.yaml new.yaml
  kubectl get configmap team-vmcp-config -o yaml | vmcp diff - new.yaml
  vmcp diff old.yaml new.yaml --format markdown >>\"$GITHUB_STEP_SUMMARY\"

Exit codes:
  0  both mean the same
  1  they differ
  2  could not judge: wrong usage, a file that cannot be read, or one that holds no configuration that can be read")]
pub(super) struct DiffArgs {
    /// The configuration that runs now; `-` reads standard input
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The configuration that will
    #[arg(value_name = "NEW")]
    new: PathBuf,
    #[command(flatten)]
    stdin: StdinArgs,
    /// Which one, where an input holds several ConfigMaps
    #[arg(long, value_name = "[NAMESPACE/]NAME")]
    configmap: Option<String>,
    /// How to print the changes
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a terminal
    Human,
    /// One object with `same` and `changes`
    Json,
    /// For pull requests
    Markdown,
}

#[derive(Serialize)]
struct Report<'a> {
    same: bool,
    changes: Vec<Shown<'a>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    topic: Topic,
    kind: Kind,
    backend: Option<&'a str>,
    path: &'a str,
    text: &'a str,
}

pub(super) fn run(args: &DiffArgs, global: &Global) -> Result<Verdict, Unjudged> {
    if args.old == Path::new("-") && args.new == Path::new("-") {
        return Err(Unjudged::Usage("standard input (`-`) can be read once".to_owned()));
    }
    let read = |path: &Path| {
        let judgement = judge(Input::read(path, &args.stdin.stdin_name)?, None).keep(args.configmap.as_deref())?;
        single(judgement)
    };
    let (old, new) = (read(&args.old)?, read(&args.new)?);
    let changes = compare(old, new);
    print(&match args.format {
        Format::Human => human(&changes, Paint::new(global.color.on(&std::io::stdout())), global),
        Format::Json => json::pretty(&Report {
            same: changes.is_empty(),
            changes: changes
                .iter()
                .map(|one| Shown {
                    topic: one.topic,
                    kind: one.kind,
                    backend: one.backend.as_deref(),
                    path: &one.path,
                    text: &one.text,
                })
                .collect(),
        }),
        Format::Markdown => markdown(&changes),
    })?;
    Ok(if changes.is_empty() { Verdict::Fine } else { Verdict::Wrong })
}

/// The only configuration, if it could be read.
fn single(judgement: Judgement) -> Result<Document, Unjudged> {
    let name = judgement.name.clone();
    let unread = |why: &str| Unjudged::Usage(format!("{name} cannot be compared: {why}"));
    let Some(document) = judgement.documents.first() else {
        return Err(unread("it holds no configuration"));
    };
    if let Some(finding) = judged::unread(&document.findings) {
        return Err(unread(&finding.message));
    }
    Ok(Document {
        name: document.name.clone(),
        config: document.config.clone(),
        findings: document.findings.clone(),
        needs: document.needs.clone(),
    })
}

fn human(changes: &[Change], paint: Paint, global: &Global) -> String {
    if changes.is_empty() {
        return if global.quiet { String::new() } else { "no change: both mean the same\n".to_owned() };
    }
    let mut out = String::new();
    let mut topic = None;
    for change in changes {
        if topic != Some(change.topic) {
            topic = Some(change.topic);
            out.push_str(&format!("{}\n", paint.strong(change.topic.word())));
        }
        let sign = match change.kind {
            Kind::Added => '+',
            Kind::Removed => '-',
            Kind::Changed => '~',
        };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {sign} {}", one_line(&change.text));
    }
    if !global.quiet {
        let _ = writeln!(out, "{}", counted(changes.len(), "change"));
    }
    out
}

fn markdown(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "No change: both configurations mean the same.\n".to_owned();
    }
    let mut out = String::from("| | change |\n|---|---|\n");
    for change in changes {
        // The texts hold names that a stranger may have chosen: nothing of them may close the cell or begin markup.
        let text: String = one_line(&change.text)
            .chars()
            .flat_map(|c| match c {
                '|' | '<' | '>' | '*' | '_' | '[' | ']' | '@' | '&' | '\\' | '#' | '!' | '~' => {
                    format!("&#{};", u32::from(c)).chars().collect::<Vec<_>>()
                }
                '`' => Vec::from(['\'']),
                c => Vec::from([c]),
            })
            .collect();
        let _ = writeln!(out, "| **{}** {} | {text} |", change.topic.word(), change.kind.word());
    }
    out
}

/// Nothing that a configuration holds may break a line or steer a terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_cannot_be_left() {
        let change = Change {
            topic: Topic::Trust,
            backend: None,
            kind: Kind::Changed,
            text: "a | b\n<img> `c` [d](e) @all\u{1b}[31m".to_owned(),
            path: String::new(),
        };
        let said = markdown(&[change]);
        assert_eq!(
            said.lines().last(),
            Some("| **trust** changed | a &#124; b\u{fffd}&#60;img&#62; 'c' &#91;d&#93;(e) &#64;all\u{fffd}&#91;31m |")
        );
    }
}
