//! `vmcp explain`: what a diagnostic code means, and which codes there are.
//!
//! It reads no configuration.

use std::fmt::Write;

use vmcp_core::diagnostic::{self, ALL, Code, nearest};

use super::{Global, Unjudged, Verdict, print};
use crate::render::human;

/// Say what a finding means and what to do about it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vmcp explain                           list every code
  vmcp explain backend/duplicate-name    explain one

Exit codes: 0 explained, 2 there is no such code.")]
pub(super) struct ExplainArgs {
    /// The code as it stands in brackets: error[CODE]. Without it, every code is listed
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

pub(super) fn run(args: &ExplainArgs, global: &Global) -> Result<Verdict, Unjudged> {
    let paint = human::Paint::new(global.color.on(&std::io::stdout()));
    let text = match &args.code {
        None => list(paint),
        Some(id) => explain(find(id)?, paint),
    };
    print(&text)?;
    Ok(Verdict::Fine)
}

/// Also takes `error[CODE]`, as it is copied from a terminal.
fn find(given: &str) -> Result<Code, Unjudged> {
    let id = given.trim().trim_end_matches(':').trim_end_matches(']');
    let id = id.rsplit_once('[').map_or(id, |(_, id)| id);
    diagnostic::find(id).ok_or_else(|| {
        let hint = match nearest(id, ALL.iter().map(|code| code.id())) {
            Some(code) => format!("did you mean `{code}`?"),
            None => "`vmcp explain` lists every code".to_owned(),
        };
        Unjudged::Usage(format!("there is no code `{}`; {hint}", id.escape_debug()))
    })
}

fn explain(code: Code, paint: human::Paint) -> String {
    let mut out = String::new();
    let head = paint.severity(code.severity(), &format!("{}[{}]", code.severity().word(), code.id()));
    out.push_str(&format!("{head}: {}\n", code.summary()));
    for paragraph in code.explanation().split('\n') {
        out.push('\n');
        out.push_str(&fill(paragraph, 80));
    }
    out
}

fn list(paint: human::Paint) -> String {
    let width = ALL.iter().map(|code| code.id().len()).max().unwrap_or(0);
    let mut out = String::new();
    for code in ALL {
        let word = paint.severity(code.severity(), &format!("{:7}", code.severity().word()));
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{word}  {:width$}  {}", code.id(), code.summary());
    }
    out
}

/// Breaks a paragraph between words so that no line is longer than `width` characters if it can be helped.
fn fill(paragraph: &str, width: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in paragraph.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            column = 0;
        }
        if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_as_it_is_copied() {
        for given in ["yaml/syntax", "error[yaml/syntax]", "[yaml/syntax]", "error[yaml/syntax]:"] {
            assert_eq!(find(given).unwrap().id(), "yaml/syntax");
        }
        let why = |given| find(given).unwrap_err().to_string();
        assert_eq!(why("yaml/sintax"), "there is no code `yaml/sintax`; did you mean `yaml/syntax`?");
        assert_eq!(why("nonsense"), "there is no code `nonsense`; `vmcp explain` lists every code");
    }

    #[test]
    fn an_explanation_opens_as_the_finding_does() {
        assert_eq!(
            explain(find("yaml/syntax").unwrap(), human::Paint::new(false)),
            "error[yaml/syntax]: the text is not YAML\n\n\
             The text could not be read as YAML from this point on. Everything before it was\n\
             still judged, so mend this and run again.\n"
        );
    }

    #[test]
    fn a_paragraph_breaks_between_words() {
        assert_eq!(fill("aa bb cc", 5), "aa bb\ncc\n");
        assert_eq!(fill("aaaaaaaa b", 5), "aaaaaaaa\nb\n");
    }
}
