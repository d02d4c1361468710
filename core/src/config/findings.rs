//! Collects findings: bounded, with the JSON pointer and the scope of each made only when it is kept.
//!
//! It decides nothing about what is a mistake.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::limits;
use crate::diagnostic::{self, Code, Diagnostic, Scope, Severity, code};
use crate::text::Span;

/// The way from the top of the configuration to a value: a list on the stack, turned into text only for a finding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'p> {
    Top,
    Key(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    pub(crate) const TOP: Path<'static> = Path { parent: None, step: Step::Top };

    pub(crate) fn key(&'p self, name: &'p str) -> Path<'p> {
        Path { parent: Some(self), step: Step::Key(name) }
    }

    pub(crate) fn index(&'p self, index: usize) -> Path<'p> {
        Path { parent: Some(self), step: Step::Index(index) }
    }

    /// RFC 6901.
    pub(crate) fn pointer(&self) -> String {
        self.steps().iter().fold(String::new(), |pointer, step| match step {
            Step::Top => pointer,
            Step::Key(name) => diagnostic::pointer(&pointer, name),
            Step::Index(index) => format!("{pointer}/{index}"),
        })
    }

    /// The last step as a message names it.
    pub(crate) fn last(&self) -> String {
        match (self.step, self.parent) {
            (Step::Top, _) => "the configuration".to_owned(),
            (Step::Key(name), _) => format!("`{}`", super::decode::shown(name)),
            (Step::Index(index), Some(Path { step: Step::Key(list), .. })) => format!("`{list}[{index}]`"),
            (Step::Index(index), _) => format!("item {index}"),
        }
    }

    /// What an error at this place takes down.
    pub(crate) fn scope(&self) -> Scope {
        match self.steps().as_slice() {
            [Step::Top, Step::Key("backends"), Step::Index(index), ..] => Scope::Entry(*index),
            [Step::Top, Step::Key("outgoingAuth"), Step::Key("default"), ..] => Scope::Strategy(None),
            [Step::Top, Step::Key("outgoingAuth"), Step::Key("backends"), Step::Key(name), ..] => {
                Scope::Strategy(Some((*name).to_owned()))
            }
            _ => Scope::Config,
        }
    }

    fn steps(&self) -> Vec<Step<'p>> {
        let mut steps = Vec::from([self.step]);
        let mut next = self.parent;
        while let Some(path) = next {
            steps.push(path.step);
            next = path.parent;
        }
        steps.reverse();
        steps
    }
}

/// Where findings go. Errors and the rest are bounded apart, so that no flood of warnings hides an error.
#[derive(Debug)]
pub(crate) struct Findings<'d> {
    kept: &'d mut Vec<Diagnostic>,
    errors: Tally,
    others: Tally,
    free_form_parts: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    kept: usize,
    dropped: usize,
}

/// Free-form values are larger than the limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutOfParts;

impl<'d> Findings<'d> {
    /// Adds to `kept`, which counts against the limit.
    pub(crate) fn new(kept: &'d mut Vec<Diagnostic>) -> Self {
        let errors = kept.iter().filter(|d| d.severity() == Severity::Error).count();
        let others = Tally { kept: kept.len() - errors, dropped: 0 };
        Self { kept, errors: Tally { kept: errors, dropped: 0 }, others, free_form_parts: limits::FREE_FORM_PARTS }
    }

    /// Takes one part of a free-form value from what may still be read of them.
    pub(crate) fn spend_part(&mut self) -> Result<(), OutOfParts> {
        self.free_form_parts = self.free_form_parts.checked_sub(1).ok_or(OutOfParts)?;
        Ok(())
    }

    /// A finding at `span` about the value at `path`; `None` if it would only be counted.
    pub(crate) fn draft(
        &mut self,
        code: Code,
        span: Span,
        path: &Path<'_>,
        message: impl FnOnce() -> String,
    ) -> Option<Diagnostic> {
        self.admits(code).then(|| drafted(code, span, path, message()))
    }

    /// Whether a finding would be kept; counts it if not.
    #[inline(never)] // Here and below: one function, not one for each rule.
    fn admits(&mut self, code: Code) -> bool {
        let tally = self.tally(code);
        let room = tally.kept < limits::DIAGNOSTICS;
        tally.dropped += usize::from(!room);
        room
    }

    /// Keeps a draft.
    #[inline(never)]
    pub(crate) fn push(&mut self, draft: Diagnostic) {
        self.tally(draft.code).kept += 1;
        self.kept.push(draft);
    }

    /// Both in one, for a finding without help.
    pub(crate) fn report(&mut self, code: Code, span: Span, path: &Path<'_>, message: impl FnOnce() -> String) {
        if self.admits(code) {
            self.admitted(code, span, path, message());
        }
    }

    #[inline(never)]
    fn admitted(&mut self, code: Code, span: Span, path: &Path<'_>, message: String) {
        self.push(drafted(code, span, path, message));
    }

    /// Keeps a finding that was made elsewhere, if there is room.
    pub(crate) fn keep(&mut self, diagnostic: Diagnostic) {
        let tally = self.tally(diagnostic.code);
        if tally.kept >= limits::DIAGNOSTICS {
            tally.dropped += 1;
        } else {
            self.push(diagnostic);
        }
    }

    /// How many errors there are, counted ones as well.
    pub(crate) fn errors(&self) -> usize {
        self.errors.kept + self.errors.dropped
    }

    /// Says how many findings were only counted. An error that is not shown takes the whole configuration down, since
    /// what it was about can no longer be told.
    pub(crate) fn finish(self) {
        if self.errors.dropped > 0 {
            let text =
                format!("{} more errors are not shown; at most {} are", self.errors.dropped, limits::DIAGNOSTICS);
            self.kept.push(Diagnostic::new(code::CONFIG_TOO_MANY_ERRORS, text));
        }
        if self.others.dropped > 0 {
            let count = self.others.dropped.to_string();
            let text = format!("{count} more warnings and notes are not shown; at most {} are", limits::DIAGNOSTICS);
            self.kept.push(Diagnostic::new(code::CONFIG_TOO_MANY_WARNINGS, text));
        }
    }

    fn tally(&mut self, code: Code) -> &mut Tally {
        match code.severity() {
            Severity::Error => &mut self.errors,
            Severity::Warning | Severity::Note => &mut self.others,
        }
    }
}

#[inline(never)]
fn drafted(code: Code, span: Span, path: &Path<'_>, message: String) -> Diagnostic {
    let mut draft = Diagnostic::new(code, message).at(span).path(path.pointer());
    if code.severity() == Severity::Error {
        draft.scope = path.scope();
    }
    draft
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::read;
    use crate::diagnostic::Place;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_place_in_the_configuration_says_what_falls_with_it() {
        let backends = Path::TOP.key("backends");
        let outgoing = Path::TOP.key("outgoingAuth");
        let (default, strategies) = (outgoing.key("default"), outgoing.key("backends"));
        assert_eq!(backends.scope(), Scope::Config);
        assert_eq!(backends.index(3).key("auth").scope(), Scope::Entry(3));
        assert_eq!(outgoing.key("source").scope(), Scope::Config);
        assert_eq!(default.scope(), Scope::Strategy(None));
        assert_eq!(default.key("type").scope(), Scope::Strategy(None));
        assert_eq!(strategies.scope(), Scope::Config);
        assert_eq!(strategies.key("a/b").key("type").scope(), Scope::Strategy(Some("a/b".into())));
        assert_eq!(strategies.key("a/b").key("type").pointer(), "/outgoingAuth/backends/a~1b/type");
        assert_eq!(Path::TOP.key("x").key("backends").index(0).scope(), Scope::Config);
    }

    #[test]
    fn a_flood_of_findings_is_counted_and_its_errors_are_never_lost() {
        let mut text = String::from("metadata: {a: b}\nbackends:\n");
        for index in 0..1500 {
            text.push_str(&format!("  - {{name: a{index}, url: 'ftp://a', transport: sse, type: container}}\n"));
        }
        let (_, findings) = read(&super::super::testing::with(&text));
        let of = |severity| findings.iter().filter(|finding| finding.severity() == severity).count();
        assert_eq!((of(Severity::Error), of(Severity::Note), of(Severity::Warning)), (1001, 1000, 1));
        let last = |code: Code| findings.iter().find(|finding| finding.code == code).unwrap();
        let errors = last(code::CONFIG_TOO_MANY_ERRORS);
        assert_eq!(errors.message, "500 more errors are not shown; at most 1000 are");
        assert_eq!((&errors.scope, &errors.place), (&Scope::Config, &None::<Place>));
        let others = last(code::CONFIG_TOO_MANY_WARNINGS);
        assert_eq!(others.message, "500 more warnings and notes are not shown; at most 1000 are");
    }
}
