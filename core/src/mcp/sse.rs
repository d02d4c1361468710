//! Server-sent events: an incremental reader of `text/event-stream` and a writer (WHATWG HTML, section 9.2).
//!
//! It does not reconnect, and it does not repair text that is not UTF-8: whoever reads the data refuses it.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The `event` field; empty means `message`.
    pub kind: String,
    /// The `data` lines, joined by line feeds.
    pub data: Vec<u8>,
}

impl Event {
    /// Whether it is of the kind that carries MCP messages.
    #[must_use]
    pub fn is_message(&self) -> bool {
        matches!(self.kind.as_str(), "" | "message")
    }
}

/// An event is larger than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream has more than {limit} bytes")]
pub struct TooLarge {
    /// The most that was allowed.
    pub limit: usize,
}

/// Reads a stream in any portions; how it is cut does not matter.
///
/// Memory is bounded by the limit: it counts the bytes of one event's fields, whatever they are called.
#[derive(Clone, Debug)]
pub struct Parser {
    limit: usize,
    /// How much of a byte order mark at the start has been seen; `None` once that is settled.
    mark: Option<usize>,
    /// The last byte was CR: an LF right after it belongs to the same line end.
    after_cr: bool,
    line: Line,
    event: Event,
    /// `data` has had a line, perhaps an empty one.
    has_data: bool,
    /// Bytes of `data` that were taken before their event was complete.
    taken: usize,
    id: Vec<u8>,
    pending_id: Option<Vec<u8>>,
    retry: Option<Duration>,
}

/// Where in a line the next byte falls.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// In the name; longer names than any known one are cut, and so are unknown ones.
    Name(Vec<u8>),
    /// Behind the colon, where one space is dropped.
    Colon(Field),
    /// In the value.
    Value(Field),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    Data,
    Event(Vec<u8>),
    Id(Vec<u8>),
    Retry(Vec<u8>),
    /// A comment or a field that nobody knows.
    Other,
}

const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
/// One more than the longest known field name has.
const NAME_BYTES: usize = 6;

impl Parser {
    /// At the start of a stream whose events may have so many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            mark: Some(0),
            after_cr: false,
            line: Line::Name(Vec::new()),
            event: Event::default(),
            has_data: false,
            taken: 0,
            id: Vec::new(),
            pending_id: None,
            retry: None,
        }
    }

    /// Takes bytes from the front until an event is complete or none are left. An event that the stream's end cuts
    /// short never comes out.
    ///
    /// # Errors
    /// The event has more bytes than allowed; the stream cannot be read further.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Event>, TooLarge> {
        while let Some((&byte, rest)) = bytes.split_first() {
            if let Some(seen) = self.mark {
                if MARK.get(seen) == Some(&byte) {
                    self.mark = Some(seen + 1).filter(|&seen| seen < MARK.len());
                    *bytes = rest;
                    continue;
                }
                self.mark = None;
                self.take(MARK.get(..seen).unwrap_or_default())?;
            }
            if core::mem::take(&mut self.after_cr) && byte == b'\n' {
                *bytes = rest;
                continue;
            }
            if let b'\n' | b'\r' = byte {
                self.after_cr = byte == b'\r';
                *bytes = rest;
                if let Some(event) = self.end_line()? {
                    return Ok(Some(event));
                }
                continue;
            }
            let length = line_end(bytes);
            let (line, rest) = bytes.split_at(length);
            *bytes = rest;
            self.take(line)?;
        }
        Ok(None)
    }

    /// The data so far of an event that is not complete, and its kind; never the line feed that may be its last.
    #[must_use]
    pub fn part(&self) -> (&[u8], &str) {
        let data = self.event.data.strip_suffix(b"\n").unwrap_or(&self.event.data);
        (data, &self.event.kind)
    }

    /// What [`part`](Self::part) says is taken: the event, once complete, has what comes after it.
    pub fn take_part(&mut self) {
        let taken = self.part().0.len();
        self.taken += taken;
        self.event.data.drain(..taken);
    }

    /// The id of the last event that was complete: what `Last-Event-ID` says on resumption. Empty if there was none.
    #[must_use]
    pub fn last_event_id(&self) -> &[u8] {
        &self.id
    }

    /// How long to wait before a new connection, if the stream said so.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Bytes of one line, without its end.
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), TooLarge> {
        while !bytes.is_empty() {
            match &mut self.line {
                Line::Name(name) => match bytes.iter().position(|&byte| byte == b':') {
                    Some(colon) => {
                        extend_to(name, bytes.get(..colon).unwrap_or_default(), NAME_BYTES);
                        self.line = Line::Colon(Field::named(name));
                        bytes = bytes.get(colon + 1..).unwrap_or_default();
                    }
                    None => {
                        extend_to(name, bytes, NAME_BYTES);
                        return Ok(());
                    }
                },
                Line::Colon(field) => {
                    let field = core::mem::replace(field, Field::Other);
                    bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
                    self.line = Line::Value(field);
                }
                Line::Value(field) => {
                    let held = self.taken + self.event.data.len() + self.event.kind.len();
                    let (value, own) = match field {
                        Field::Data => (&mut self.event.data, 0),
                        Field::Event(value) | Field::Id(value) | Field::Retry(value) => {
                            let own = value.len();
                            (value, own)
                        }
                        Field::Other => return Ok(()),
                    };
                    if held + own + bytes.len() > self.limit {
                        return Err(TooLarge { limit: self.limit });
                    }
                    value.extend_from_slice(bytes);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<Event>, TooLarge> {
        let field = match core::mem::replace(&mut self.line, Line::Name(Vec::new())) {
            Line::Name(name) if name.is_empty() => return Ok(self.dispatch()),
            Line::Name(name) => Field::named(&name),
            Line::Colon(field) | Line::Value(field) => field,
        };
        match field {
            Field::Data => {
                if self.taken + self.event.data.len() >= self.limit {
                    return Err(TooLarge { limit: self.limit });
                }
                self.event.data.push(b'\n');
                self.has_data = true;
            }
            Field::Event(value) => self.event.kind = String::from_utf8_lossy(&value).into_owned(),
            Field::Id(value) if !value.contains(&0) => self.pending_id = Some(value),
            Field::Retry(value) if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                self.retry =
                    core::str::from_utf8(&value).ok().and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
            }
            Field::Id(_) | Field::Retry(_) | Field::Other => {}
        }
        Ok(None)
    }

    fn dispatch(&mut self) -> Option<Event> {
        if let Some(id) = self.pending_id.clone() {
            self.id = id;
        }
        self.taken = 0;
        let mut event = core::mem::take(&mut self.event);
        core::mem::take(&mut self.has_data).then(|| {
            event.data.pop();
            event
        })
    }
}

impl Field {
    fn named(name: &[u8]) -> Self {
        match name {
            b"data" => Self::Data,
            b"event" => Self::Event(Vec::new()),
            b"id" => Self::Id(Vec::new()),
            b"retry" => Self::Retry(Vec::new()),
            _ => Self::Other,
        }
    }
}

fn extend_to(buffer: &mut Vec<u8>, bytes: &[u8], most: usize) {
    let room = most.saturating_sub(buffer.len());
    buffer.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
}

/// Appends one event. Line ends in the data become separate `data` lines, so that a reader joins them with line
/// feeds; kind and id are cut at the first line end or NUL, which they cannot carry.
pub fn write(out: &mut Vec<u8>, kind: Option<&str>, id: Option<&str>, data: &[u8]) {
    for (name, value) in [("event: ", kind), ("id: ", id)] {
        if let Some(value) = value {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(value.split(['\r', '\n', '\0']).next().unwrap_or_default().as_bytes());
            out.push(b'\n');
        }
    }
    out.reserve(data.len() + 8);
    let mut writing = Writing::begin(out);
    writing.take(data, out);
    out.extend_from_slice(Writing::END);
}

/// The data of an event, written while it comes: behind [`begin`](Self::begin) in any portions, then [`END`](Self::END).
#[derive(Clone, Debug)]
pub struct Writing {
    /// A LF that comes now belongs to the line end before it.
    after_cr: bool,
}

impl Writing {
    /// What ends the event. Until then a reader has none.
    pub const END: &[u8] = b"\n\n";

    /// Begins it, behind its other fields.
    #[must_use]
    pub fn begin(out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(b"data: ");
        Self { after_cr: false }
    }

    /// Appends a portion.
    pub fn take(&mut self, mut portion: &[u8], out: &mut Vec<u8>) {
        if self.after_cr && !portion.is_empty() {
            portion = portion.strip_prefix(b"\n").unwrap_or(portion);
            self.after_cr = false;
        }
        loop {
            let (line, end) = portion.split_at_checked(line_end(portion)).unwrap_or((portion, &[]));
            out.extend_from_slice(line);
            if end.is_empty() {
                return;
            }
            out.extend_from_slice(b"\ndata: ");
            self.after_cr = end == b"\r";
            portion = end.strip_prefix(b"\r\n").or_else(|| end.get(1..)).unwrap_or_default();
        }
    }
}

/// Where the first line ends. A message is one line mostly, and often a long one: many bytes are looked at together.
fn line_end(bytes: &[u8]) -> usize {
    const TOGETHER: usize = 64;
    let ends = |byte: u8| (byte == b'\n') | (byte == b'\r');
    let (blocks, _) = bytes.as_chunks::<TOGETHER>();
    let without = blocks.iter().take_while(|block| !block.iter().fold(false, |any, &byte| any | ends(byte))).count();
    let begun = without * TOGETHER;
    let rest = bytes.get(begun..).unwrap_or_default();
    begun + rest.iter().position(|&byte| ends(byte)).unwrap_or(rest.len())
}

/// A line that every reader skips: it opens a stream early and keeps it alive.
pub const COMMENT: &[u8] = b": ok\n\n";

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn read(stream: &[u8], portion: usize) -> (Vec<(String, String)>, Parser) {
        let mut parser = Parser::new(1000);
        let mut events = Vec::new();
        for mut bytes in stream.chunks(portion.max(1)) {
            while let Some(event) = parser.next(&mut bytes).unwrap() {
                events.push((event.kind, String::from_utf8(event.data).unwrap()));
            }
        }
        (events, parser)
    }

    #[test]
    fn the_examples_of_the_standard() {
        let stream = "\u{feff}: test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n\
                      data\n\ndata\ndata\n\ndata:cut short";
        let expected: Vec<_> = ["first event", "second event", " third event", "", "\n"]
            .map(|data| (String::new(), data.to_string()))
            .to_vec();
        for ends in ["\n", "\r", "\r\n"] {
            let stream = stream.replace('\n', ends);
            for portion in 1..stream.len() {
                let (events, parser) = read(stream.as_bytes(), portion);
                assert_eq!(events, expected, "{ends:?} {portion}");
                assert_eq!(parser.last_event_id(), b"");
            }
        }
    }

    #[test]
    fn fields_are_kept_apart() {
        let stream = b"event: ping\nretry: 250\nid: a\0b\n\nid: 7\ndata: {\ndata: }\nevent: message\nretry: x\nunknown: y\ndatax: z\n\n";
        let (events, parser) = read(stream, 1);
        assert_eq!(events, vec![("message".to_string(), "{\n}".to_string())]);
        assert_eq!(parser.last_event_id(), b"7");
        assert_eq!(parser.retry(), Some(Duration::from_millis(250)));
    }

    #[test]
    fn half_a_byte_order_mark_is_text() {
        let (events, _) = read(b"\xef\xbbdata: lost\n\ndata: kept\n\n", 1);
        assert_eq!(events, vec![(String::new(), "kept".to_string())]);
    }

    #[test]
    fn the_limit_is_an_error_and_not_a_cut() {
        for field in ["data", "event", "id", "retry"] {
            let exact = format!("{field}: {}\n\n", "1".repeat(999));
            let mut parser = Parser::new(1000);
            let _ = parser.next(&mut exact.as_bytes()).unwrap();
            let over = format!("{field}: {}\n\n", "1".repeat(1001));
            for portion in [1, 7, 2000] {
                let mut parser = Parser::new(1000);
                let outcome =
                    over.as_bytes().chunks(portion).try_for_each(|mut bytes| parser.next(&mut bytes).map(|_| ()));
                assert_eq!(outcome, Err(TooLarge { limit: 1000 }), "{field} {portion}");
            }
        }
        assert_eq!(TooLarge { limit: 5 }.to_string(), "an event of the stream has more than 5 bytes");
        let mut parser = Parser::new(10);
        let long_name = "x".repeat(100_000) + ": y\n: " + &"c".repeat(100_000) + "\ndata: ok\n\n";
        assert!(parser.next(&mut long_name.as_bytes()).unwrap().is_some());
        let empty_lines = "data\n".repeat(11);
        assert!(Parser::new(10).next(&mut empty_lines.as_bytes()).is_err());
    }

    #[test]
    fn data_is_written_alike_however_it_comes() {
        let data = b"a\r\nb\rc\nd\n\r\r\n\xc3\xa9 ".as_slice();
        let mut whole = Vec::new();
        write(&mut whole, None, None, data);
        for portion in 1..=data.len() {
            let mut out = Vec::new();
            let mut writing = Writing::begin(&mut out);
            data.chunks(portion).for_each(|portion| writing.take(portion, &mut out));
            out.extend_from_slice(Writing::END);
            assert_eq!(out, whole, "in portions of {portion}");
        }
        for length in 0..200 {
            let mut bytes = vec![b'y'; 200];
            assert_eq!(line_end(&bytes), 200);
            for end in [b'\n', b'\r'] {
                bytes[length] = end;
                assert_eq!(line_end(&bytes), length);
            }
        }
    }

    #[test]
    fn an_event_can_be_taken_before_it_is_complete() {
        let stream = b"event: message\ndata: {\ndata: \"a\":\r\ndata: 1}\n\ndata: next\n\n".as_slice();
        for portion in 1..stream.len() {
            let (mut parser, mut taken, mut events) = (Parser::new(20), Vec::new(), Vec::new());
            for mut bytes in stream.chunks(portion) {
                while let Some(event) = parser.next(&mut bytes).unwrap() {
                    taken.extend(event.data);
                    events.push(core::mem::take(&mut taken));
                }
                let (part, kind) = parser.part();
                assert!(part.is_empty() || !part.starts_with(b"{") || kind == "message");
                taken.extend_from_slice(part);
                parser.take_part();
            }
            assert_eq!(events, [b"{\n\"a\":\n1}".as_slice(), b"next"], "in portions of {portion}");
        }
        // What was taken counts all the same.
        let mut parser = Parser::new(10);
        let mut bytes = b"data: 123456".as_slice();
        assert_eq!(parser.next(&mut bytes), Ok(None));
        parser.take_part();
        assert_eq!(parser.part(), (b"".as_slice(), ""));
        assert_eq!(parser.next(&mut b"78901".as_slice()), Err(TooLarge { limit: 10 }));
    }

    #[test]
    fn what_is_written_is_read() {
        let mut out = COMMENT.to_vec();
        write(&mut out, Some("message"), Some("3\nx"), b"a\r\nb\rc\nd\n");
        write(&mut out, None, None, b"");
        assert_eq!(
            String::from_utf8(out.clone()).unwrap(),
            ": ok\n\nevent: message\nid: 3\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \n\ndata: \n\n"
        );
        let (events, parser) = read(&out, 3);
        assert_eq!(events, vec![("message".to_string(), "a\nb\nc\nd\n".to_string()), (String::new(), String::new())]);
        assert_eq!(parser.last_event_id(), b"3");
    }
}
