//! Reads JSON in any portions: validates all of it, and says where the members of an object begin and end.
//!
//! It keeps nothing of the text and builds nothing; how deep it nests costs a bit for each bracket, and no stack.

use alloc::vec::Vec;

use super::Stop;

/// A place in a text at which its reader may want to do something else with what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Next comes the key of a member.
    Key,
    /// The key is over.
    KeyEnd,
    /// Next comes the value of the member, which begins with this byte.
    Value(u8),
    /// The value is over.
    ValueEnd,
    /// Next comes the bracket that closes the object.
    Close,
}

/// A text that is being read.
#[derive(Clone, Debug)]
pub struct Scan {
    state: State,
    open: Brackets,
    /// How many brackets around a member it may have to be marked.
    pub watched: usize,
    /// Bytes before the portion that is read, lines before the one that is, and where that one begins.
    read: usize,
    lines: usize,
    line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value comes.
    Value,
    /// The same; it has been marked.
    ValueNow,
    /// In an array that has just been opened.
    ValueOrClose,
    /// In an object that has just been opened.
    KeyOrClose,
    /// Behind a comma in an object.
    Key,
    KeyNow,
    CloseNow,
    Text(Role),
    Escape(Role),
    /// So many hexadecimal digits come.
    Digits(Role, u8),
    Colon,
    Number(Number),
    /// The rest of `true`, `false` or `null`.
    Word(&'static [u8]),
    /// Behind a value.
    After,
    /// Behind the last.
    End,
}

/// What a string is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Key,
    Value,
}

/// What of a number has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    Exponent,
    Sign,
    Power,
}

impl Number {
    /// `None` where this byte is no part of it.
    fn next(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Minus, b'0') => Self::Zero,
            (Self::Minus | Self::Whole, b'0'..=b'9') => Self::Whole,
            (Self::Zero | Self::Whole, b'.') => Self::Point,
            (Self::Point | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Whole | Self::Fraction, b'e' | b'E') => Self::Exponent,
            (Self::Exponent, b'+' | b'-') => Self::Sign,
            (Self::Exponent | Self::Sign | Self::Power, b'0'..=b'9') => Self::Power,
            _ => return None,
        })
    }

    fn is_whole(self) -> bool {
        matches!(self, Self::Zero | Self::Whole | Self::Fraction | Self::Power)
    }
}

impl Scan {
    /// At the beginning of a text in which the members of the outermost object are marked.
    #[must_use]
    pub fn new() -> Self {
        Self { state: State::Value, open: Brackets::default(), watched: 1, read: 0, lines: 0, line: 0 }
    }

    /// Reads on to the next mark, or to the end of the portion: how many bytes that were.
    ///
    /// # Errors
    /// The text is no JSON. It cannot be read further.
    pub fn next(&mut self, portion: &[u8]) -> Result<(usize, Option<Mark>), Stop> {
        let (at, mark) = self.step(portion)?;
        self.read += at;
        Ok((at, mark))
    }

    /// Whether the text is whole. A number alone never is: it might go on.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.state == State::End
    }

    /// Where the next byte will stand.
    #[must_use]
    pub fn place(&self) -> Stop {
        self.stop(0)
    }

    fn step(&mut self, portion: &[u8]) -> Result<(usize, Option<Mark>), Stop> {
        let mut at = 0;
        while let Some(&byte) = portion.get(at) {
            let mut mark = None;
            match self.state {
                State::Text(role) => {
                    at += plain(portion.get(at..).unwrap_or_default());
                    match portion.get(at) {
                        None => break,
                        Some(b'"') => mark = self.text_ends(role),
                        Some(b'\\') => self.state = State::Escape(role),
                        Some(_) => return Err(self.stop(at)),
                    }
                }
                State::Escape(role) => match byte {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.state = State::Text(role),
                    b'u' => self.state = State::Digits(role, 4),
                    _ => return Err(self.stop(at)),
                },
                State::Digits(role, left) if byte.is_ascii_hexdigit() => {
                    self.state = if left > 1 { State::Digits(role, left - 1) } else { State::Text(role) };
                }
                State::Number(number) => match number.next(byte) {
                    Some(next) => self.state = State::Number(next),
                    None if number.is_whole() => match self.value_ends() {
                        None => continue,
                        ends => return Ok((at, ends)),
                    },
                    None => return Err(self.stop(at)),
                },
                State::Word([letter, rest @ ..]) if *letter == byte => match rest {
                    [] => mark = self.value_ends(),
                    rest => self.state = State::Word(rest),
                },
                State::Digits(..) | State::Word(_) => return Err(self.stop(at)),
                _ if matches!(byte, b' ' | b'\t' | b'\r') => {}
                _ if byte == b'\n' => (self.lines, self.line) = (self.lines + 1, self.read + at + 1),
                State::KeyOrClose | State::After if byte == b'}' && self.open.innermost() == Some(Bracket::Object) => {
                    self.state = State::CloseNow;
                    if self.marks() {
                        return Ok((at, Some(Mark::Close)));
                    }
                    continue;
                }
                State::KeyOrClose | State::Key if byte == b'"' => {
                    self.state = State::KeyNow;
                    if self.marks() {
                        return Ok((at, Some(Mark::Key)));
                    }
                    continue;
                }
                State::Value if self.marks() => {
                    self.state = State::ValueNow;
                    return Ok((at, Some(Mark::Value(byte))));
                }
                State::KeyNow => self.state = State::Text(Role::Key),
                State::CloseNow => {
                    self.open.pop();
                    mark = self.value_ends();
                }
                State::ValueOrClose if byte == b']' => {
                    self.open.pop();
                    mark = self.value_ends();
                }
                State::After if byte == b']' && self.open.innermost() == Some(Bracket::Array) => {
                    self.open.pop();
                    mark = self.value_ends();
                }
                State::After if byte == b',' => {
                    let object = self.open.innermost() == Some(Bracket::Object);
                    self.state = if object { State::Key } else { State::Value };
                }
                State::Colon if byte == b':' => self.state = State::Value,
                State::Value | State::ValueNow | State::ValueOrClose => self.begin(byte).map_err(|()| self.stop(at))?,
                _ => return Err(self.stop(at)),
            }
            at += 1;
            if mark.is_some() {
                return Ok((at, mark));
            }
        }
        Ok((at, None))
    }

    /// A value with its first byte.
    fn begin(&mut self, byte: u8) -> Result<(), ()> {
        self.state = match byte {
            b'{' => {
                self.open.push(Bracket::Object);
                State::KeyOrClose
            }
            b'[' => {
                self.open.push(Bracket::Array);
                State::ValueOrClose
            }
            b'"' => State::Text(Role::Value),
            b'-' => State::Number(Number::Minus),
            b'0' => State::Number(Number::Zero),
            b'1'..=b'9' => State::Number(Number::Whole),
            b't' => State::Word(b"rue"),
            b'f' => State::Word(b"alse"),
            b'n' => State::Word(b"ull"),
            _ => return Err(()),
        };
        Ok(())
    }

    fn text_ends(&mut self, role: Role) -> Option<Mark> {
        match role {
            Role::Key => {
                self.state = State::Colon;
                self.marks().then_some(Mark::KeyEnd)
            }
            Role::Value => self.value_ends(),
        }
    }

    fn value_ends(&mut self) -> Option<Mark> {
        self.state = if self.open.depth == 0 { State::End } else { State::After };
        self.marks().then_some(Mark::ValueEnd)
    }

    /// Whether what happens here is marked.
    fn marks(&self) -> bool {
        self.open.depth <= self.watched && self.open.innermost() == Some(Bracket::Object)
    }

    fn stop(&self, at: usize) -> Stop {
        Stop { line: self.lines + 1, column: self.read + at - self.line + 1 }
    }
}

impl Default for Scan {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bracket {
    Array,
    Object,
}

/// The brackets that are open, a bit for each.
#[derive(Clone, Debug, Default)]
struct Brackets {
    objects: Vec<u64>,
    depth: usize,
}

impl Brackets {
    fn push(&mut self, bracket: Bracket) {
        let (place, bit) = (self.depth / 64, 1_u64 << (self.depth % 64));
        if place == self.objects.len() {
            self.objects.push(0);
        }
        if let Some(bits) = self.objects.get_mut(place) {
            *bits = if bracket == Bracket::Object { *bits | bit } else { *bits & !bit };
        }
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn innermost(&self) -> Option<Bracket> {
        let last = self.depth.checked_sub(1)?;
        let bits = self.objects.get(last / 64)?;
        Some(if bits >> (last % 64) & 1 == 1 { Bracket::Object } else { Bracket::Array })
    }
}

/// How many bytes at the front of a string's rest are neither its end, nor an escape, nor what must not stand there. Most of
/// a long text is one string: many bytes are looked at together.
fn plain(bytes: &[u8]) -> usize {
    const TOGETHER: usize = 64;
    let stops = |byte: u8| (byte == b'"') | (byte == b'\\') | (byte < 0x20);
    let (blocks, _) = bytes.as_chunks::<TOGETHER>();
    let plain = blocks.iter().take_while(|block| !block.iter().fold(false, |any, &byte| any | stops(byte))).count();
    let begun = plain * TOGETHER;
    let rest = bytes.get(begun..).unwrap_or_default();
    begun + rest.iter().position(|&byte| stops(byte)).unwrap_or(rest.len())
}

/// Validates UTF-8 in any portions (RFC 8259 section 8.1).
#[derive(Clone, Debug, Default)]
pub struct Utf8 {
    /// A character that the last portion cut.
    cut: Vec<u8>,
    read: usize,
}

impl Utf8 {
    /// Takes the next portion.
    ///
    /// # Errors
    /// It is not UTF-8 at this byte of the text.
    pub fn take(&mut self, mut portion: &[u8]) -> Result<(), usize> {
        while let (false, Some((&byte, rest))) = (self.cut.is_empty(), portion.split_first()) {
            self.cut.push(byte);
            portion = rest;
            match core::str::from_utf8(&self.cut) {
                Ok(text) => {
                    self.read += text.len();
                    self.cut.clear();
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(self.read),
            }
        }
        match core::str::from_utf8(portion) {
            Ok(text) => self.read += text.len(),
            Err(error) => {
                self.read += error.valid_up_to();
                if error.error_len().is_some() {
                    return Err(self.read);
                }
                self.cut.extend_from_slice(portion.get(error.valid_up_to()..).unwrap_or_default());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use alloc::string::String;
    use alloc::vec;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// What a text cut into such portions is: all marks and where they stand, or where it stops.
    fn read(text: &[u8], portion: usize, watched: usize) -> Result<Vec<(usize, Mark)>, Stop> {
        let mut scan = Scan { watched, ..Scan::new() };
        let (mut marks, mut at) = (Vec::new(), 0);
        for mut bytes in text.chunks(portion) {
            while !bytes.is_empty() {
                let (taken, mark) = scan.next(bytes)?;
                at += taken;
                bytes = &bytes[taken..];
                marks.extend(mark.map(|mark| (at, mark)));
            }
        }
        if scan.is_whole() { Ok(marks) } else { Err(scan.place()) }
    }

    #[test]
    fn what_is_an_object_is_one_however_it_is_cut() {
        let sound =
            " {\"a\" : [1, -0.5e+3, 0, true,false , null, \"x\\u00e9\\n\\\\/\\\"é\", {}, [ ]], \"b\":{\"c\":\"\" }} ";
        let bytes = sound.as_bytes();
        for at in 0..=bytes.len() {
            for with in [b"".as_slice(), b"\"", b",", b"}", b"]", b":", b"\\", b"0", b"e", b"\n", b"x", b"{", b"["] {
                for skipped in 0..2 {
                    let tail = bytes.get(at + skipped..).unwrap_or_default();
                    let Ok(text) = String::from_utf8([&bytes[..at], with, tail].concat()) else { continue };
                    let whole = read(text.as_bytes(), text.len().max(1), 2);
                    // A number or a word alone is of no use here.
                    if text.trim_start().starts_with('{') {
                        assert_eq!(whole.is_ok(), json::is_valid(&text), "{text}");
                    }
                    for portion in 1..9 {
                        assert_eq!(read(text.as_bytes(), portion, 2), whole, "{text} in portions of {portion}");
                    }
                }
            }
        }
    }

    #[test]
    fn it_stops_where_the_first_byte_stands_that_does_not_fit() {
        for text in ["[{]", "{\n \"é\": trux}", "{\"a\":1,}", "{\"a\":01}", "{\"a\":\"\t\"}", "[1\n\n,\n 2 3]", "{} x"]
        {
            let expected = json::check(text).unwrap_err();
            for portion in 1..4 {
                assert_eq!(read(text.as_bytes(), portion, 1), Err(expected), "{text}");
            }
        }
        assert_eq!(read(b"{\n \"a\": tru", 3, 1), Err(Stop { line: 2, column: 10 }));
    }

    #[test]
    fn members_are_marked_as_deep_as_is_wished() {
        let text = br#"{"a":{"b":[{"c":1}]},"d":2}"#;
        let outer = vec![
            (1, Mark::Key),
            (4, Mark::KeyEnd),
            (5, Mark::Value(b'{')),
            (20, Mark::ValueEnd),
            (21, Mark::Key),
            (24, Mark::KeyEnd),
            (25, Mark::Value(b'2')),
            (26, Mark::ValueEnd),
            (26, Mark::Close),
        ];
        assert_eq!(read(text, 100, 1).unwrap(), outer);
        let inner =
            [(6, Mark::Key), (9, Mark::KeyEnd), (10, Mark::Value(b'[')), (19, Mark::ValueEnd), (19, Mark::Close)];
        let both = [&outer[..3], &inner, &outer[3..]].concat();
        for portion in 1..text.len() {
            assert_eq!(read(text, portion, 2).unwrap(), both);
        }
    }

    #[test]
    fn a_string_is_read_to_its_first_mark() {
        for length in 0..200 {
            for mark in [b'"', b'\\', 0, 0x1f, b'x', 0x20, 0x7f, 0xff] {
                let mut bytes = vec![b'y'; 200];
                bytes[length] = mark;
                let expected = if matches!(mark, b'"' | b'\\' | 0..0x20) { length } else { 200 };
                assert_eq!(plain(&bytes), expected);
            }
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = [b"{\"a\":".as_slice(), &[b'['; 200_000], &[b']'; 200_000], b"}"].concat();
        assert_eq!(read(&deep, 1000, 1).unwrap().len(), 5);
    }

    #[test]
    fn text_is_utf8_however_it_is_cut() {
        let mut wrong = "aé".as_bytes().to_vec();
        wrong.extend([0xf0, 0x9f, b'x']);
        for (bytes, expected) in [("aé€😀z".as_bytes(), Ok(())), (&wrong, Err(3)), (&[b'a', 0xff], Err(1))] {
            for portion in 1..8 {
                let mut utf8 = Utf8::default();
                assert_eq!(bytes.chunks(portion).try_for_each(|portion| utf8.take(portion)), expected);
            }
        }
    }
}
