//! The few lines around a finding, cut so that drawing costs the same in a 10 MB file and in one endless line.
//!
//! It draws nothing. Credentials, and control characters that a terminal would obey, do not survive it.

use std::ops::Range;

use vmcp_core::text::Span;

use super::Text;

/// Lines longer than this many bytes are cut around the finding.
const LONG_LINE: usize = 1_000;
/// How many bytes stay on each side of a finding in a line that is cut.
const AROUND: usize = 120;

/// Consecutive lines of a text.
pub(super) struct Excerpt {
    /// The number of the first line, from 1.
    pub(super) first_line: usize,
    /// The lines, each ended by LF.
    pub(super) source: String,
    lines: Vec<Line>,
}

/// One line of an excerpt.
struct Line {
    /// The bytes of the original text that are shown.
    shown: Range<usize>,
    /// Where each shown character begins: in the original, and in `source`. Closed by both ends.
    places: Vec<(usize, usize)>,
}

impl Excerpt {
    /// The lines from that of the first span to that of the last; `spans` must not be empty, and tell what has to stay
    /// visible in a line that is cut.
    pub(super) fn new(text: &Text, spans: &[Span], secrets: &[Span]) -> Self {
        let line_of = |offset| text.region(Span { start: offset, end: offset }).start.line;
        let first = spans.iter().map(|span| line_of(span.start)).min().unwrap_or(1);
        let last = spans.iter().map(|span| line_of(span.end.max(span.start))).max().unwrap_or(first);
        let mut excerpt = Self { first_line: first as usize, source: String::new(), lines: Vec::new() };
        for number in first..=last {
            let line = text.line_span(number).range();
            let shown = cut(text.as_str(), line, spans);
            excerpt.push(text.as_str(), shown, text.line_span(number).range(), secrets);
        }
        excerpt
    }

    /// Where bytes of the original text stand in `source`.
    pub(super) fn span(&self, span: Span) -> Range<usize> {
        let start = self.place(span.start as usize);
        start..self.place(span.end as usize).max(start)
    }

    /// Whether a line does not begin where it begins in the original.
    pub(super) fn is_cut(&self) -> bool {
        self.lines.iter().any(|line| line.places.first().is_some_and(|&(_, here)| self.source[..here].ends_with('…')))
    }

    fn place(&self, offset: usize) -> usize {
        let line = self.lines.partition_point(|line| line.shown.start <= offset).saturating_sub(1);
        let Some(Line { places, .. }) = self.lines.get(line) else { return 0 };
        let character = places.partition_point(|&(original, _)| original <= offset).saturating_sub(1);
        places.get(character).map_or(0, |&(_, here)| here)
    }

    fn push(&mut self, text: &str, shown: Range<usize>, line: Range<usize>, secrets: &[Span]) {
        let mut places = Vec::new();
        if shown.start > line.start {
            self.source.push('…');
        }
        // Secrets are sorted and do not overlap, so only those that end after this point matter.
        let mut secrets = &secrets[secrets.partition_point(|secret| secret.range().end <= shown.start)..];
        for (index, c) in text[shown.clone()].char_indices() {
            let offset = shown.start + index;
            places.push((offset, self.source.len()));
            while secrets.first().is_some_and(|secret| secret.range().end <= offset) {
                secrets = &secrets[1..];
            }
            let hidden = secrets.first().is_some_and(|secret| secret.range().contains(&offset));
            self.source.push(if hidden { '*' } else { harmless(c) });
        }
        places.push((shown.end, self.source.len()));
        if shown.end < line.end {
            self.source.push('…');
        }
        self.source.push('\n');
        self.lines.push(Line { shown, places });
    }
}

/// The part of a line that is shown.
fn cut(text: &str, line: Range<usize>, spans: &[Span]) -> Range<usize> {
    if line.len() <= LONG_LINE {
        return line;
    }
    let here = spans.iter().filter(|span| span.range().start <= line.end && span.range().end >= line.start);
    let from = here.clone().map(|span| span.range().start.max(line.start)).min().unwrap_or(line.start);
    let to = here.map(|span| span.range().end.min(line.end)).max().unwrap_or(line.start).min(from + LONG_LINE);
    let start = from.saturating_sub(AROUND).max(line.start);
    let end = (to + AROUND).min(line.end);
    text.floor_char_boundary(start)..text.ceil_char_boundary(end)
}

/// C1 control characters move the cursor on some terminals. (Those below U+0020 and the bidirectional ones are drawn as
/// pictures by the snippet renderer.) A lone CR cannot stand here: it ends lines.
pub(super) fn harmless(c: char) -> char {
    if ('\u{80}'..='\u{9f}').contains(&c) { '\u{fffd}' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str, part: &str) -> Span {
        let start = text.find(part).unwrap_or(usize::MAX);
        Span::new(start, start + part.len())
    }

    #[test]
    fn lines_keep_their_numbers_whatever_ends_them() {
        let raw = "a\rb\r\nc: é!\nd";
        let at = span(raw, "!");
        let excerpt = Excerpt::new(&Text::new(raw), &[at], &[]);
        assert_eq!((excerpt.first_line, excerpt.source.as_str()), (3, "c: é!\n"));
        assert_eq!(&excerpt.source[excerpt.span(at)], "!");
    }

    #[test]
    fn an_endless_line_is_cut_around_the_finding() {
        let raw = format!("{}NEEDLE{}", "x".repeat(5_000), "y".repeat(5_000));
        let at = span(&raw, "NEEDLE");
        let excerpt = Excerpt::new(&Text::new(raw), &[at], &[]);
        assert_eq!(excerpt.source, format!("…{}NEEDLE{}…\n", "x".repeat(AROUND), "y".repeat(AROUND)));
        assert_eq!(&excerpt.source[excerpt.span(at)], "NEEDLE");
    }

    #[test]
    fn secrets_and_terminal_controls_do_not_survive() {
        let raw = "key: s3crét # \u{9b}31m!";
        let at = span(raw, "!");
        let excerpt = Excerpt::new(&Text::new(raw), &[at], &[span(raw, "s3crét")]);
        assert_eq!(excerpt.source, "key: ****** # \u{fffd}31m!\n");
        assert_eq!(&excerpt.source[excerpt.span(at)], "!");
    }

    #[test]
    fn the_end_of_the_text_is_a_place() {
        let raw = "a: b";
        let excerpt = Excerpt::new(&Text::new(raw), &[Span::at(4)], &[]);
        assert_eq!(excerpt.span(Span::at(4)), 4..4);
        let empty = Excerpt::new(&Text::new(""), &[Span::at(0)], &[]);
        assert_eq!((empty.source.as_str(), empty.span(Span::at(0))), ("\n", 0..0));
    }
}
