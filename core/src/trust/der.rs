//! Reads DER (ITU-T X.690) one element at a time, as strictly as Go's `cryptobyte` does.
//!
//! It knows tags and lengths, integers, bit strings, object identifiers and times; what they mean is the caller's.

use alloc::string::String;
use core::fmt::Write;
use core::time::Duration;

use rustls_pki_types::UnixTime;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The next bytes are not the element that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// One element.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
}

/// What is left to read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Everything that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(super) fn remaining(self) -> usize {
        self.0.len()
    }

    pub(super) fn next_is(self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    /// The next element: one tag byte, a definite length in its shortest form.
    pub(super) fn any(&mut self) -> Result<Element<'a>, Malformed> {
        let (&tag, rest) = self.0.split_first().ok_or(Malformed)?;
        if tag & 0x1f == 0x1f {
            return Err(Malformed);
        }
        let (&first, rest) = rest.split_first().ok_or(Malformed)?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 {
                return Err(Malformed);
            }
            let (bytes, rest) = rest.split_at_checked(count).ok_or(Malformed)?;
            let length = bytes.iter().fold(0_u64, |sum, &byte| (sum << 8) | u64::from(byte));
            let shortest = if count == 1 { length >= 0x80 } else { length >> ((count - 1) * 8) != 0 };
            if !shortest {
                return Err(Malformed);
            }
            (usize::try_from(length).map_err(|_| Malformed)?, rest)
        };
        let (content, after) = rest.split_at_checked(length).ok_or(Malformed)?;

        self.0 = after;
        Ok(Element { tag, content })
    }

    /// The next element, which has this tag.
    pub(super) fn element(&mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        if !self.next_is(tag) {
            return Err(Malformed);
        }
        self.any()
    }

    /// What is inside the next element, which has this tag.
    pub(super) fn inside(&mut self, tag: u8) -> Result<Self, Malformed> {
        self.element(tag).map(|element| Self(element.content))
    }

    /// What is inside the next element if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<Self>, Malformed> {
        if self.next_is(tag) { self.inside(tag).map(Some) } else { Ok(None) }
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Malformed> {
        match self.element(BOOLEAN)?.content {
            [0x00] => Ok(false),
            [0xff] => Ok(true),
            _ => Err(Malformed),
        }
    }

    /// The two's complement bytes of an integer, in their shortest form.
    pub(super) fn integer(&mut self) -> Result<&'a [u8], Malformed> {
        let content = self.element(INTEGER)?.content;
        match content {
            [] | [0x00, 0x00..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => Err(Malformed),
            content => Ok(content),
        }
    }

    /// An integer that is not negative and fits.
    pub(super) fn small_integer(&mut self) -> Result<u64, Malformed> {
        let bytes = self.integer()?;
        let digits = match bytes {
            [0x00, rest @ ..] => rest,
            [0x80..=0xff, ..] => return Err(Malformed),
            all => all,
        };
        if digits.len() > 8 {
            return Err(Malformed);
        }
        Ok(digits.iter().fold(0, |sum, &byte| (sum << 8) | u64::from(byte)))
    }

    /// The bytes of a bit string and how many bits of the last one are padding.
    pub(super) fn bit_string(&mut self) -> Result<(&'a [u8], u8), Malformed> {
        let (&padding, bytes) = self.element(BIT_STRING)?.content.split_first().ok_or(Malformed)?;
        let last = bytes.last().copied().unwrap_or(0);
        if padding > 7 || (bytes.is_empty() && padding != 0) || last & ((1 << padding) - 1) != 0 {
            return Err(Malformed);
        }
        Ok((bytes, padding))
    }

    /// The encoded content of an object identifier.
    pub(super) fn oid(&mut self) -> Result<&'a [u8], Malformed> {
        let content = self.element(OID)?.content;
        let complete = content.last().is_some_and(|last| last & 0x80 == 0);
        if complete { Ok(content) } else { Err(Malformed) }
    }

    /// `UTCTime` or `GeneralizedTime` in the one form that RFC 5280 section 4.1.2.5 allows: seconds, `Z`. A time before
    /// 1970 is 1970.
    pub(super) fn time(&mut self) -> Result<UnixTime, Malformed> {
        let element = self.any()?;
        let digits = element.content.strip_suffix(b"Z").ok_or(Malformed)?;
        let pair = |at: usize| match digits.get(at..at + 2) {
            Some(&[tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => Ok(i64::from(tens - b'0') * 10 + i64::from(ones - b'0')),
            _ => Err(Malformed),
        };
        let (year, rest) = match (element.tag, digits.len()) {
            (UTC_TIME, 12) => (pair(0).map(|year| if year < 50 { 2000 + year } else { 1900 + year })?, 2),
            (GENERALIZED_TIME, 14) => (pair(0)? * 100 + pair(2)?, 4),
            _ => return Err(Malformed),
        };
        let (month, day) = (pair(rest)?, pair(rest + 2)?);
        let (hour, minute, second) = (pair(rest + 4)?, pair(rest + 6)?, pair(rest + 8)?);
        let in_range = (1..=12).contains(&month)
            && (1..=super::time::days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !in_range {
            return Err(Malformed);
        }
        let seconds = super::time::days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
        Ok(UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))))
    }
}

/// An object identifier in dots.
pub(super) fn dotted(oid: &[u8]) -> String {
    let mut out = String::new();
    let mut value = 0_u128;
    for &byte in oid {
        value = value.saturating_mul(128).saturating_add(u128::from(byte & 0x7f));
        if byte & 0x80 != 0 {
            continue;
        }
        if out.is_empty() {
            let first = (value / 40).min(2);
            let _ = write!(out, "{first}.{}", value - first * 40);
        } else {
            let _ = write!(out, ".{value}");
        }
        value = 0;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn lengths_are_definite_and_shortest() {
        let read = |bytes: &'static [u8]| Reader::new(bytes).any().map(|element| element.content.len());
        assert_eq!(read(&[0x04, 0x01, 0xaa]), Ok(1));
        assert_eq!(read(&[0x04, 0x81, 0x01, 0xaa]), Err(Malformed));
        assert_eq!(read(&[0x04, 0x82, 0x00, 0x01, 0xaa]), Err(Malformed));
        assert_eq!(read(&[0x04, 0x80, 0x00, 0x00]), Err(Malformed));
        assert_eq!(read(&[0x04, 0x84, 0xff, 0xff, 0xff, 0xff]), Err(Malformed));
        assert_eq!(read(&[0x1f, 0x01, 0xaa]), Err(Malformed));
        assert_eq!(read(&[0x04]), Err(Malformed));
    }

    #[test]
    fn integers_are_shortest() {
        let small = |bytes: &'static [u8]| Reader::new(bytes).small_integer();
        assert_eq!(small(&[0x02, 0x01, 0x7f]), Ok(127));
        assert_eq!(small(&[0x02, 0x02, 0x00, 0x80]), Ok(128));
        assert_eq!(small(&[0x02, 0x02, 0x00, 0x7f]), Err(Malformed));
        assert_eq!(small(&[0x02, 0x01, 0x80]), Err(Malformed));
        assert_eq!(small(&[0x02, 0x00]), Err(Malformed));
    }

    #[test]
    fn times_have_the_one_form_of_rfc_5280() {
        let read = |tag, text: &str| {
            let mut bytes = alloc::vec![tag, u8::try_from(text.len()).unwrap()];
            bytes.extend_from_slice(text.as_bytes());
            Reader::new(&bytes).time().map(|time| alloc::format!("{}", super::super::Rfc3339(time)))
        };
        assert_eq!(read(UTC_TIME, "491231235959Z").as_deref(), Ok("2049-12-31T23:59:59Z"));
        assert_eq!(read(UTC_TIME, "500101000000Z").as_deref(), Ok("1970-01-01T00:00:00Z"));
        assert_eq!(read(GENERALIZED_TIME, "99991231235959Z").as_deref(), Ok("9999-12-31T23:59:59Z"));
        assert_eq!(read(GENERALIZED_TIME, "20240229000000Z").as_deref(), Ok("2024-02-29T00:00:00Z"));
        assert_eq!(read(GENERALIZED_TIME, "20230229000000Z"), Err(Malformed));
        assert_eq!(read(UTC_TIME, "2401010000Z"), Err(Malformed));
        assert_eq!(read(UTC_TIME, "240101000000+0100"), Err(Malformed));
    }

    #[test]
    fn object_identifiers_are_dotted() {
        assert_eq!(dotted(&[0x55, 0x1d, 0x13]), "2.5.29.19");
        assert_eq!(dotted(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]), "1.2.840.113549");
        assert_eq!(dotted(&[0x88, 0x37, 0x03]), "2.999.3");
    }
}
