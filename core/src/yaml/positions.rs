//! Where the bytes of an embedded text stand in the text around it.
//!
//! It does not decode scalars: it retraces how the parser decoded one.

use alloc::vec::Vec;

use super::Style;
use crate::text::Span;

/// A map from the bytes of a text that was parsed to the bytes of the text that was given.
///
/// For a text of its own that is the identity. For the text of a scalar (a configuration inside a ConfigMap) it is a
/// list of pieces: runs that stand there as they are, and escapes and folded line breaks that stand for something else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    /// By `inner`, ascending, the first at 0; empty for the identity. A piece ends where the next begins.
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    inner: u32,
    outer: Span,
    kind: PieceKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PieceKind {
    /// Byte by byte the same.
    Verbatim,
    /// All of the inner bytes come from all of the outer ones.
    Written,
}

impl Positions {
    /// Every byte is where it is.
    #[must_use]
    pub fn identity() -> Self {
        Self::default()
    }

    /// Every byte is `by` bytes later: the text parsed stands there, as it is, in the text given.
    #[must_use]
    pub fn shifted(by: usize) -> Self {
        let outer = Span::new(by, u32::MAX as usize);
        Self { pieces: Vec::from([Piece { inner: 0, outer, kind: PieceKind::Verbatim }]) }
    }

    /// The place in the text given of a place in the text parsed.
    #[must_use]
    pub fn map(&self, span: Span) -> Span {
        self.seek(span, &mut 0)
    }

    /// [`Positions::map`], quick if `hint` is kept between calls for places that follow each other.
    pub(super) fn seek(&self, span: Span, hint: &mut usize) -> Span {
        if self.pieces.is_empty() {
            return span;
        }
        let first = self.piece(span.start, hint);
        let start = self.outer(first, span.start).start;
        if span.is_empty() {
            return Span { start, end: start };
        }
        let last = self.piece(span.end - 1, hint);
        Span { start, end: self.outer(last, span.end - 1).end.max(start) }
    }

    fn piece(&self, inner: u32, hint: &mut usize) -> usize {
        let starts_at = |index: usize| self.pieces.get(index).map(|piece| piece.inner);
        let holds = |index: usize| {
            starts_at(index).is_some_and(|start| start <= inner) && starts_at(index + 1).is_none_or(|next| inner < next)
        };
        for near in [*hint, *hint + 1, *hint + 2] {
            if holds(near) {
                *hint = near;
                return near;
            }
        }
        *hint = self.pieces.partition_point(|piece| piece.inner <= inner).saturating_sub(1);
        *hint
    }

    /// The outer bytes of one inner byte.
    fn outer(&self, index: usize, inner: u32) -> Span {
        let Some(piece) = self.pieces.get(index) else { return Span { start: inner, end: inner } };
        match piece.kind {
            PieceKind::Written => piece.outer,
            PieceKind::Verbatim => {
                let start = (piece.outer.start + (inner - piece.inner)).min(piece.outer.end);
                Span { start, end: (start + 1).min(piece.outer.end) }
            }
        }
    }

    /// How the parser made `text` from the scalar of this style that covers `span` of `source`.
    ///
    /// A block's span starts at the first character of its text, after the indentation.
    pub(super) fn of_scalar(source: &str, span: Span, style: Style, text: &str) -> Self {
        let raw = source.get(span.range()).unwrap_or_default();
        let mut tracer =
            Tracer { source, at: span.start as usize, end: span.end as usize, text, inner: 0, pieces: Vec::new() };
        match style {
            Style::Plain => tracer.flow(Quote::None),
            Style::SingleQuoted | Style::DoubleQuoted if raw.len() < 2 => {}
            Style::SingleQuoted => {
                tracer.at += 1;
                tracer.end -= 1;
                tracer.flow(Quote::Single);
            }
            Style::DoubleQuoted => {
                tracer.at += 1;
                tracer.end -= 1;
                tracer.flow(Quote::Double);
            }
            Style::Literal | Style::Folded => tracer.block(),
        }
        tracer.finish(span)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Quote {
    None,
    Single,
    Double,
}

/// Walks a scalar as written and as decoded side by side.
struct Tracer<'s> {
    source: &'s str,
    /// In `source`.
    at: usize,
    end: usize,
    text: &'s str,
    /// In `text`.
    inner: usize,
    pieces: Vec<Piece>,
}

impl Tracer<'_> {
    /// Plain and quoted scalars: runs, escapes, and breaks that fold.
    fn flow(&mut self, quote: Quote) {
        while self.at < self.end && self.inner < self.text.len() {
            let rest = self.source.get(self.at..self.end).unwrap_or_default();
            // Blanks before a line break belong to the break, those elsewhere to the text.
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            let after = rest.get(blanks..).unwrap_or_default();
            if after.starts_with(['\n', '\r']) {
                self.fold(rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len());
                continue;
            }
            if blanks > 0 {
                self.verbatim(blanks);
                continue;
            }
            match (quote, rest.as_bytes()) {
                (Quote::Single, [b'\'', b'\'', ..]) => self.written(2, 1),
                (Quote::Double, [b'\\', b'\n' | b'\r', ..]) => {
                    // The break and the blanks after it are gone; blanks before the backslash stay.
                    self.at += 1;
                    let rest = self.source.get(self.at..self.end).unwrap_or_default();
                    let line = usize::from(rest.starts_with("\r\n")) + 1;
                    self.at += line;
                    let rest = self.source.get(self.at..self.end).unwrap_or_default();
                    let gap = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
                    let breaks = line_breaks(rest.get(..gap).unwrap_or_default());
                    self.written(gap, breaks);
                }
                (Quote::Double, [b'\\', escape, ..]) => {
                    let digits = match escape {
                        b'x' => 2,
                        b'u' => 4,
                        b'U' => 8,
                        _ => 0,
                    };
                    let decoded = self.text.get(self.inner..).and_then(|rest| rest.chars().next());
                    let pair = digits == 4 && decoded.is_some_and(|c| c.len_utf16() == 2);
                    let written = if pair { 12 } else { 2 + digits };
                    self.written(written, decoded.map_or(0, char::len_utf8));
                }
                _ => {
                    let run = rest
                        .find(|c| {
                            matches!(c, ' ' | '\t' | '\n' | '\r')
                                || (quote == Quote::Double && c == '\\')
                                || (quote == Quote::Single && c == '\'')
                        })
                        .unwrap_or(rest.len());
                    self.verbatim(run.max(1));
                }
            }
        }
    }

    /// Blanks and breaks between two lines: one break is a space, more are one break fewer.
    fn fold(&mut self, raw: usize) {
        let gap = self.source.get(self.at..self.at + raw).unwrap_or_default();
        let breaks = line_breaks(gap);
        self.written(raw, if breaks > 1 { breaks - 1 } else { 1 });
    }

    /// Literal and folded blocks: lines without their indentation.
    fn block(&mut self) {
        let before = self.source.get(..self.at).unwrap_or_default();
        let indent = before.len() - before.trim_end_matches([' ']).len();
        // Blank lines before the first text are outside of the span.
        let leading = self.text.len() - self.text.trim_start_matches('\n').len();
        if leading > 0 && leading < self.text.len() {
            self.written(0, leading);
        }
        while self.at < self.end && self.inner < self.text.len() {
            let rest = self.source.get(self.at..self.end).unwrap_or_default();
            let line = rest.find(['\n', '\r']).unwrap_or(rest.len());
            self.verbatim(line);
            // The break, then lines of nothing but indentation, then the indentation of the next line.
            let start = self.at;
            let mut breaks = 0;
            let mut at = start;
            loop {
                let rest = self.source.get(at..self.end).unwrap_or_default();
                let width = if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with(['\n', '\r'])) };
                if width == 0 {
                    break;
                }
                at += width;
                breaks += 1;
                let rest = self.source.get(at..self.end).unwrap_or_default();
                at += rest.bytes().take(indent).take_while(|&byte| byte == b' ').count();
            }
            let decoded = self.text.get(self.inner..).unwrap_or_default();
            let newlines = decoded.len() - decoded.trim_start_matches('\n').len();
            // A folded break is one space; the breaks of a literal, and those of blank lines, stay breaks.
            let inner =
                if newlines > 0 { newlines.min(breaks) } else { usize::from(decoded.starts_with(' ') && breaks > 0) };
            if breaks == 0 && line == 0 {
                break;
            }
            self.written(at - start, inner);
        }
    }

    /// The next `length` bytes stand in the text as they are.
    fn verbatim(&mut self, length: usize) {
        let length = length.min(self.end - self.at).min(self.text.len() - self.inner);
        self.push(PieceKind::Verbatim, length, length);
    }

    /// The next `raw` bytes as written are the next `inner` bytes of the text.
    fn written(&mut self, raw: usize, inner: usize) {
        let raw = raw.min(self.end - self.at);
        let inner = inner.min(self.text.len() - self.inner);
        self.push(PieceKind::Written, raw, inner);
    }

    fn push(&mut self, kind: PieceKind, raw: usize, inner: usize) {
        if inner > 0 {
            let outer = Span::new(self.at, self.at + raw);
            let joined = self.pieces.last_mut().filter(|last| {
                kind == PieceKind::Verbatim && last.kind == PieceKind::Verbatim && last.outer.end == outer.start
            });
            match joined {
                Some(last) => last.outer.end = outer.end,
                None => self.pieces.push(Piece { inner: Span::at(self.inner).start, outer, kind }),
            }
        }
        self.at += raw;
        self.inner += inner;
    }

    /// What could not be retraced stands for the whole scalar; and an embedded text, even an empty one, is never the
    /// identity.
    fn finish(mut self, span: Span) -> Positions {
        let honest = self.pieces.iter().all(|piece| {
            let inner = piece.inner as usize;
            piece.kind == PieceKind::Written
                || self.source.get(piece.outer.range()) == self.text.get(inner..inner + piece.outer.len())
        });
        if !honest {
            self.pieces.clear();
            self.inner = 0;
        }
        if self.inner < self.text.len() || self.pieces.is_empty() {
            self.pieces.push(Piece { inner: Span::at(self.inner).start, outer: span, kind: PieceKind::Written });
        }
        Positions { pieces: self.pieces }
    }
}

/// How many lines end in it.
fn line_breaks(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n' || byte == b'\r').count() - text.matches("\r\n").count()
}
