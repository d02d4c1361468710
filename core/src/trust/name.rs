//! Distinguished names: who a certificate is for, and who signed it.
//!
//! It reads and prints them; two names are equal when their bytes are, as Go and the path builder compare them.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::der::{self, Malformed, Reader};

/// A distinguished name (RFC 5280 section 4.1.2.4). Prints as RFC 4514 says, the last part first:
/// `CN=Acme Test CA,O=Acme`.
#[derive(Clone)]
pub struct DistinguishedName {
    /// Content of the outer sequence.
    encoded: Vec<u8>,
    /// Attribute type and value, in the order of the certificate.
    attributes: Vec<(Cow<'static, str>, String)>,
}

impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.encoded == other.encoded
    }
}
impl Eq for DistinguishedName {}

impl DistinguishedName {
    /// The common name, else the organisation, else the whole name; what a person would call it.
    #[must_use]
    pub fn short(&self) -> String {
        let last = |kind: &str| self.attributes.iter().rev().find(|(k, _)| k == kind).map(|(_, value)| one_line(value));
        last("CN").or_else(|| last("O")).unwrap_or_else(|| self.to_string())
    }

    /// Whether it says nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// The content of the encoded sequence, without tag and length.
    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    pub(super) fn read(mut name: Reader<'_>) -> Result<Self, Malformed> {
        let encoded = name.rest().to_vec();
        let mut attributes = Vec::new();
        while !name.is_empty() {
            let mut set = name.inside(der::SET)?;
            while !set.is_empty() {
                let mut attribute = set.inside(der::SEQUENCE)?;
                let kind = attribute_type(attribute.oid()?);
                let value = attribute.any()?;
                attributes.push((kind, text(value.tag, value.content)?));
            }
        }
        Ok(Self { encoded, attributes })
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (kind, value)) in self.attributes.iter().rev().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{kind}={}", escaped(&one_line(value)))?;
        }
        Ok(())
    }
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The short names of RFC 4514 section 3 and the few others that certificates use.
fn attribute_type(oid: &[u8]) -> Cow<'static, str> {
    Cow::Borrowed(match oid {
        [0x55, 4, 3] => "CN",
        [0x55, 4, 5] => "serialNumber",
        [0x55, 4, 6] => "C",
        [0x55, 4, 7] => "L",
        [0x55, 4, 8] => "ST",
        [0x55, 4, 9] => "STREET",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        [0x55, 4, 17] => "postalCode",
        [0x55, 4, 97] => "organizationIdentifier",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => "UID",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => "emailAddress",
        other => return Cow::Owned(der::dotted(other)),
    })
}

/// A directory string of one of the kinds that Go reads, with the characters that it allows.
fn text(tag: u8, bytes: &[u8]) -> Result<String, Malformed> {
    const UTF8: u8 = 0x0c;
    const NUMERIC: u8 = 0x12;
    const PRINTABLE: u8 = 0x13;
    const T61: u8 = 0x14;
    const IA5: u8 = 0x16;
    const BMP: u8 = 0x1e;
    let ascii = |allowed: fn(u8) -> bool| {
        if bytes.iter().copied().all(allowed) { Ok(bytes.iter().map(|&b| b as char).collect()) } else { Err(Malformed) }
    };
    match tag {
        UTF8 => core::str::from_utf8(bytes).map(ToString::to_string).map_err(|_| Malformed),
        PRINTABLE => ascii(|b| b.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(&b)),
        IA5 => ascii(|b| b.is_ascii()),
        NUMERIC => ascii(|b| b.is_ascii_digit() || b == b' '),
        T61 => Ok(bytes.iter().map(|&b| b as char).collect()),
        BMP => {
            let (pairs, odd) = bytes.as_chunks::<2>();
            if !odd.is_empty() {
                return Err(Malformed);
            }
            let pairs = pairs.strip_suffix(&[[0, 0]]).unwrap_or(pairs);
            let scalar = |&pair: &[u8; 2]| match u16::from_be_bytes(pair) {
                0xfdd0..=0xfdef | 0xfffe | 0xffff => Err(Malformed),
                unit => char::from_u32(u32::from(unit)).ok_or(Malformed),
            };
            pairs.iter().map(scalar).collect()
        }
        _ => Err(Malformed),
    }
}

/// A name comes from strangers: what could break a line or move the cursor is replaced.
pub(super) fn one_line(value: &str) -> String {
    value
        .chars()
        .map(|c| {
            if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// RFC 4514 section 2.4.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (i, c) in value.chars().enumerate() {
        let edge = (c == ' ' && (i == 0 || i == last)) || (c == '#' && i == 0);
        if edge || matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            out.push_str(&format!("\\{c}"));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
    }

    /// A name of attributes by object identifier, string kind and bytes.
    fn name(attributes: &[(&[u8], u8, &[u8])]) -> Result<DistinguishedName, Malformed> {
        let encoded: Vec<u8> = attributes
            .iter()
            .flat_map(|(oid, tag, value)| {
                tlv(der::SET, &tlv(der::SEQUENCE, &[tlv(der::OID, oid), tlv(*tag, value)].concat()))
            })
            .collect();
        DistinguishedName::read(Reader::new(&encoded))
    }

    const CN: &[u8] = &[0x55, 4, 3];
    const O: &[u8] = &[0x55, 4, 10];
    const UTF8: u8 = 0x0c;

    #[test]
    fn a_name_prints_as_rfc_4514_says() {
        let full = name(&[(O, UTF8, b"Acme, Inc."), (CN, 0x13, b"Root"), (&[0x2a, 3], UTF8, b" x# ")]).unwrap();
        assert_eq!(full.to_string(), "1.2.3=\\ x#\\ ,CN=Root,O=Acme\\, Inc.");
        assert_eq!(full.short(), "Root");
        assert_eq!(name(&[(O, UTF8, b"Acme")]).unwrap().short(), "Acme");
        assert_eq!(name(&[(&[0x2a, 3], UTF8, b"x")]).unwrap().short(), "1.2.3=x");
        assert!(name(&[]).unwrap().is_empty());
    }

    #[test]
    fn a_name_cannot_break_the_line_or_turn_it_round() {
        let hostile = name(&[(CN, UTF8, "a\nb\u{1b}[2J\u{202e}c\u{2028}".as_bytes())]).unwrap();
        assert_eq!(hostile.short(), "a\u{fffd}b\u{fffd}[2J\u{fffd}c\u{fffd}");
        assert_eq!(hostile.to_string(), "CN=a\u{fffd}b\u{fffd}[2J\u{fffd}c\u{fffd}");
    }

    #[test]
    fn strings_are_of_the_kinds_that_go_reads() {
        let read = |tag, value: &[u8]| name(&[(CN, tag, value)]).map(|name| name.short());
        assert_eq!(read(0x13, b"a*b&c").as_deref(), Ok("a*b&c"));
        assert_eq!(read(0x13, b"a@b"), Err(Malformed));
        assert_eq!(read(0x16, b"a@b").as_deref(), Ok("a@b"));
        assert_eq!(read(0x16, b"\xe9"), Err(Malformed));
        assert_eq!(read(0x14, b"\xe9").as_deref(), Ok("é"));
        assert_eq!(read(UTF8, b"\xff"), Err(Malformed));
        assert_eq!(read(0x12, b"1 2").as_deref(), Ok("1 2"));
        assert_eq!(read(0x12, b"a"), Err(Malformed));
        assert_eq!(read(0x1e, &[0, b'a', 0x20, 0xac, 0, 0]).as_deref(), Ok("a€"));
        assert_eq!(read(0x1e, &[0xd8, 0]), Err(Malformed));
        assert_eq!(read(0x1e, &[0]), Err(Malformed));
        assert_eq!(read(0x04, b"a"), Err(Malformed));
        // Equal to a person, but not byte for byte, and so not equal.
        assert_ne!(name(&[(CN, UTF8, b"a")]), name(&[(CN, 0x13, b"a")]));
        assert_eq!(name(&[(CN, UTF8, b"a")]), name(&[(CN, UTF8, b"a")]));
    }
}
