//! Findings as a person reads them in a terminal: source line, underline, related places, the edit that helps.
//!
//! It does not decide whether to colour; it is told.

use annotate_snippets::renderer::DEFAULT_TERM_WIDTH;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Patch, Renderer, Snippet};
use vmcp_core::diagnostic::{Diagnostic, Edit, File, Place, Severity};
use vmcp_core::text::Span;

use super::excerpt::{Excerpt, harmless};
use super::{Judged, Text, counted};

/// Related places at most this many lines apart are drawn in one excerpt.
const NEAR_LINES: u32 = 12;
/// A finding over more lines than this underlines its first line only.
const TALL_LINES: u32 = 6;

/// Colours words, or leaves them alone.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    styled: bool,
}

impl Paint {
    /// With `styled` false every method returns its text unchanged.
    #[must_use]
    pub fn new(styled: bool) -> Self {
        Self { styled }
    }

    /// In the colour that findings of this severity have.
    #[must_use]
    pub fn severity(self, severity: Severity, text: &str) -> String {
        self.sgr(
            match severity {
                Severity::Error => "1;91",
                Severity::Warning => "1;33",
                Severity::Note => "1;92",
            },
            text,
        )
    }

    /// Bold.
    #[must_use]
    pub fn strong(self, text: &str) -> String {
        self.sgr("1", text)
    }

    /// What matters less.
    #[must_use]
    pub fn faint(self, text: &str) -> String {
        self.sgr("2", text)
    }

    /// What is as it should be.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.sgr("32", text)
    }

    /// What is not as it should be.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.sgr("31", text)
    }

    fn sgr(self, code: &str, text: &str) -> String {
        if self.styled { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Every finding, each followed by an empty line.
#[must_use]
pub fn findings(judged: &Judged, paint: Paint) -> String {
    let renderer = if paint.styled { Renderer::styled() } else { Renderer::plain() }.term_width(DEFAULT_TERM_WIDTH);
    let mut out = String::new();
    for diagnostic in &judged.diagnostics {
        out.push_str(&finding(judged, diagnostic, &renderer));
        out.push_str("\n\n");
    }
    out
}

/// The line that closes the findings of one input: what it comes to.
#[must_use]
pub fn summary(judged: &Judged, paint: Paint) -> String {
    let mut parts = Vec::new();
    for (severity, noun) in [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")] {
        match judged.count(severity) {
            0 => {}
            count => parts.push(paint.severity(severity, &counted(count, noun))),
        }
    }
    let verdict = if judged.valid() { paint.good("valid") } else { paint.bad("not valid") };
    let found = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    format!("{}: {verdict}{found}\n", shown(&judged.file))
}

/// What the configuration needs from where it will run; empty if nothing.
#[must_use]
pub fn needs(judged: &Judged, paint: Paint) -> String {
    let mut out = String::new();
    for (noun, names) in [("file", &judged.files), ("variable", &judged.variables)] {
        if !names.is_empty() {
            out.push_str(&paint.faint(&format!("  needs {}:", counted(names.len(), noun))));
            out.push('\n');
            for name in names {
                out.push_str(&format!("    {}\n", shown(name)));
            }
        }
    }
    out
}

/// Text from outside, fit for a terminal: what would move the cursor is spelled out.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

fn finding(judged: &Judged, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let message: String = diagnostic.message.chars().map(harmless).collect();
    let mut main = Group::with_title(level.primary_title(message).id(diagnostic.code.id()));
    for excerpt in excerpts(judged, diagnostic) {
        main = add_excerpt(main, judged, excerpt);
    }
    let mut groups = Vec::new();
    if let Some(help) = &diagnostic.help {
        let text: String = help.text.chars().map(harmless).collect();
        match suggestion(judged, &help.edits) {
            Some(snippet) => groups.push(Level::HELP.secondary_title(text).element(snippet)),
            None => main = main.element(Level::HELP.message(text)),
        }
    }
    groups.insert(0, main);
    renderer.render(&groups)
}

/// One underlined place.
struct Mark<'a> {
    kind: AnnotationKind,
    place: &'a Place,
    label: Option<&'a str>,
}

/// The marks of a finding, those that are drawn together side by side; the finding's own place is in the first.
fn excerpts<'a>(judged: &Judged, diagnostic: &'a Diagnostic) -> Vec<Vec<Mark<'a>>> {
    let Some(place) = &diagnostic.place else { return Vec::new() };
    let mut all = vec![vec![Mark { kind: AnnotationKind::Primary, place, label: None }]];
    for related in &diagnostic.related {
        let mark = Mark { kind: AnnotationKind::Context, place: &related.place, label: Some(&related.message) };
        let near = |other: &Mark<'_>| {
            let line = |place: &Place| judged.region_of(place).map(|region| region.start.line);
            other.place.file == mark.place.file
                && line(other.place).zip(line(mark.place)).is_some_and(|(a, b)| a.abs_diff(b) <= NEAR_LINES)
        };
        match all.iter_mut().find(|marks| marks.iter().any(near)) {
            Some(marks) => marks.push(mark),
            None => all.push(vec![mark]),
        }
    }
    all
}

fn add_excerpt<'a>(group: Group<'a>, judged: &'a Judged, marks: Vec<Mark<'a>>) -> Group<'a> {
    let Some(first) = marks.first() else { return group };
    let origin = Origin::path(shown(judged.file_of(first.place)));
    let Some(text) = judged.text_of(first.place) else {
        // The text was not kept: name the file, and say in words what stands there.
        let group = group.element(origin);
        return match first.label {
            Some(label) => group.element(Level::NOTE.message(label)),
            None => group,
        };
    };
    let start = text.region(first.place.span).start;
    let origin = origin.line(start.line as usize).char_column(start.column as usize);
    let spans: Vec<Span> = marks.iter().map(|mark| low(text, mark.place.span)).collect();
    let secrets: &[Span] = match &first.place.file {
        File::Input => &judged.secrets,
        // Of a file that may hold key material only the labelled lines between the blocks are shown.
        File::Named(_) if !spans.iter().all(|&span| is_pem_label(text, span)) => return group.element(origin),
        File::Named(_) => &[],
    };
    let excerpt = Excerpt::new(text, &spans, secrets);
    let mut snippet = Snippet::source(excerpt.source.clone()).line_start(excerpt.first_line);
    for (mark, span) in marks.iter().zip(spans) {
        snippet = snippet.annotation(mark.kind.span(excerpt.span(span)).label(mark.label.map(shown)));
    }
    if excerpt.is_cut() {
        // The snippet would count columns from the cut.
        group.element(origin).element(snippet)
    } else {
        group.element(snippet.path(shown(judged.file_of(first.place))))
    }
}

/// The span itself, or its first line if it is tall.
fn low(text: &Text, span: Span) -> Span {
    let region = text.region(span);
    if region.end.line - region.start.line < TALL_LINES {
        return span;
    }
    let line = text.line_span(region.start.line);
    Span::new(span.start as usize, (line.end as usize).max(span.start as usize))
}

fn is_pem_label(text: &Text, span: Span) -> bool {
    let region = text.region(span);
    let line = text.line_span(region.start.line);
    let ends_there = region.end.line == region.start.line;
    ends_there && text.as_str().get(line.range()).is_some_and(|line| line.trim_start().starts_with("-----"))
}

/// The edits as a difference, where they fit in one excerpt.
fn suggestion<'a>(judged: &'a Judged, edits: &'a [Edit]) -> Option<Snippet<'a, Patch<'a>>> {
    let spans: Vec<Span> = edits.iter().map(|edit| edit.span).collect();
    let lines = || spans.iter().map(|&span| judged.text.region(span));
    let (first, last) = (lines().map(|r| r.start.line).min()?, lines().map(|r| r.end.line).max()?);
    let hides = |span: &Span| judged.secrets.iter().any(|secret| secret.start < span.end && span.start < secret.end);
    if last - first > NEAR_LINES || spans.iter().any(hides) {
        return None;
    }
    let excerpt = Excerpt::new(&judged.text, &spans, &judged.secrets);
    let mut snippet = Snippet::source(excerpt.source.clone()).line_start(excerpt.first_line);
    for edit in edits {
        snippet = snippet.patch(Patch::new(excerpt.span(edit.span), edit.replacement.as_str()));
    }
    Some(snippet)
}

#[cfg(test)]
mod tests {
    use vmcp_core::diagnostic::code;

    use super::*;

    const INPUT: &str =
        "name: demo\nbackends:\n  - name: a\n    caBundelPath: /x\n    headerValue: s3cr3t\n  - name: a\n";

    fn span(part: &str) -> Span {
        let start = INPUT.find(part).unwrap_or(usize::MAX);
        Span::new(start, start + part.len())
    }

    fn judged(diagnostics: Vec<Diagnostic>) -> Judged {
        Judged {
            file: "vmcp.yaml".to_owned(),
            text: Text::new(INPUT),
            diagnostics,
            secrets: vec![span("s3cr3t")],
            ..Judged::default()
        }
    }

    fn drawn(diagnostic: Diagnostic) -> String {
        findings(&judged(vec![diagnostic]), Paint::new(false))
    }

    #[test]
    fn a_finding_shows_its_line_and_the_edit_that_mends_it() {
        let edit = Edit { span: span("caBundelPath"), replacement: "caBundlePath".to_owned() };
        let finding = Diagnostic::new(code::SYNTAX, "unknown key `caBundelPath`").at(edit.span).fix(
            "did you mean `caBundlePath`?",
            vec![edit],
            false,
        );
        assert_eq!(
            drawn(finding),
            "\
error[yaml/syntax]: unknown key `caBundelPath`
 --> vmcp.yaml:4:5
  |
4 |     caBundelPath: /x
  |     ^^^^^^^^^^^^
  |
help: did you mean `caBundlePath`?
  |
4 -     caBundelPath: /x
4 +     caBundlePath: /x
  |

"
        );
    }

    #[test]
    fn related_places_are_drawn_beside_it() {
        let second = Span::new(INPUT.len() - 2, INPUT.len() - 1);
        let first = INPUT.find("- name: a").map_or(0, |dash| dash + 8);
        let finding = Diagnostic::new(code::SYNTAX, "name `a` is used twice")
            .at(second)
            .related(Place::input(Span::new(first, first + 1)), "first used here")
            .help("give each backend its own name");
        assert_eq!(
            drawn(finding),
            "\
error[yaml/syntax]: name `a` is used twice
 --> vmcp.yaml:6:11
  |
3 |   - name: a
  |           - first used here
...
6 |   - name: a
  |           ^
  |
  = help: give each backend its own name

"
        );
    }

    #[test]
    fn a_distant_place_is_drawn_apart() {
        let text = format!("first\n{}second\n", "\n".repeat(40));
        let finding = Diagnostic::new(code::SYNTAX, "twice")
            .at(Span::new(text.len() - 7, text.len() - 1))
            .related(Place::input(Span::new(0, 5)), "first here");
        let judged = Judged {
            file: "a.yaml".to_owned(),
            text: Text::new(text),
            diagnostics: vec![finding],
            ..Judged::default()
        };
        assert_eq!(
            findings(&judged, Paint::new(false)),
            "\
error[yaml/syntax]: twice
  --> a.yaml:42:1
   |
42 | second
   | ^^^^^^
   |
  ::: a.yaml:1:1
   |
 1 | first
   | ----- first here

"
        );
    }

    #[test]
    fn a_secret_on_the_line_is_not_shown() {
        let finding = Diagnostic::new(code::SYNTAX, "x").at(span("headerValue: s3cr3t"));
        assert_eq!(
            drawn(finding),
            "\
error[yaml/syntax]: x
 --> vmcp.yaml:5:5
  |
5 |     headerValue: ******
  |     ^^^^^^^^^^^^^^^^^^^

"
        );
    }

    #[test]
    fn of_a_ca_bundle_only_the_lines_between_blocks_are_shown() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n";
        let at = |start, end| {
            Diagnostic::new(code::SYNTAX, "found")
                .at_place(Place { file: File::Named("/ca.crt".into()), span: Span::new(start, end) })
        };
        let mut judged = judged(vec![at(0, 27), at(28, 32)]);
        judged.others.insert("/ca.crt".to_owned(), Text::new(pem));
        assert_eq!(
            findings(&judged, Paint::new(false)),
            "\
error[yaml/syntax]: found
 --> /ca.crt:1:1
  |
1 | -----BEGIN PRIVATE KEY-----
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^

error[yaml/syntax]: found
--> /ca.crt:2:1

"
        );
    }

    #[test]
    fn what_is_about_the_whole_input_has_no_excerpt_and_text_from_outside_cannot_move_the_cursor() {
        assert_eq!(
            drawn(Diagnostic::new(code::SYNTAX, "found \u{1b}[31m\u{9b}")),
            "error[yaml/syntax]: found ␛[31m\u{fffd}\n\n"
        );
        assert_eq!(shown("a\u{1b}[31m\n"), "a\\u{1b}[31m\\n");
    }

    #[test]
    fn the_summary_counts_and_the_needs_are_named() {
        let mut judged = judged(vec![Diagnostic::new(code::SYNTAX, "x"), Diagnostic::new(code::SYNTAX, "y")]);
        judged.files.insert("/ca.crt".to_owned());
        assert_eq!(summary(&judged, Paint::new(false)), "vmcp.yaml: not valid: 2 errors\n");
        assert_eq!(needs(&judged, Paint::new(false)), "  needs 1 file:\n    /ca.crt\n");
    }

    #[test]
    fn colour_is_there_only_when_it_is_asked_for() {
        let plain = drawn(Diagnostic::new(code::SYNTAX, "x"));
        assert!(!plain.contains('\u{1b}'));
        let judged = judged(vec![Diagnostic::new(code::SYNTAX, "x")]);
        assert!(findings(&judged, Paint::new(true)).contains("\u{1b}["));
    }
}
