//! What an X.509 certificate (RFC 5280) says of itself, read as strictly as Go's `crypto/x509` reads it.
//!
//! It checks no signature and decides no trust.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};

use super::der::{self, Malformed, Reader};
use super::name::DistinguishedName;
use super::time::Rfc3339;

/// One certificate, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: CertificateDer<'static>,
    /// Whom it is for.
    pub subject: DistinguishedName,
    /// Who signed it.
    pub issuer: DistinguishedName,
    /// Hexadecimal, two digits a byte, without colons.
    pub serial: String,
    /// X.509 version, 1 to 3.
    pub version: u8,
    /// Valid from this second.
    pub not_before: UnixTime,
    /// Valid up to and including this second.
    pub not_after: UnixTime,
    /// Its public key.
    pub key: Key,
    /// Names and addresses of the subject alternative name extension (section 4.2.1.6) that a server can have.
    pub names: Vec<SubjectName>,
    /// Section 4.2.1.9; `None` without the extension.
    pub basic_constraints: Option<BasicConstraints>,
    /// Whether the key usage extension (section 4.2.1.3) allows signing certificates; `None` without the extension, and
    /// when it has no bit set, which Go reads alike.
    pub may_sign_certificates: Option<bool>,
    /// Whether the extended key usage extension (section 4.2.1.12) allows TLS servers; `None` without the extension.
    pub may_serve_tls: Option<bool>,
    /// Critical extensions that are not understood, in dots.
    pub unknown_critical: Vec<String>,
    /// A critical extension about policies that the path builder does not know, in dots.
    pub(super) policy_critical: Option<String>,
}

/// The basic constraints extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasicConstraints {
    /// Whether it may be a certification authority.
    pub ca: bool,
    /// How many intermediate certificates may stand between it and a server's.
    pub path_length: Option<u64>,
}

/// A public key by kind and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// RSA.
    Rsa {
        /// Of the modulus.
        bits: usize,
    },
    /// An elliptic curve by its usual name.
    Ecdsa {
        /// `P-256` and so on.
        curve: &'static str,
    },
    /// Ed25519.
    Ed25519,
    /// Anything else, by its object identifier.
    Other(String),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
            Self::Ecdsa { curve } => write!(f, "ECDSA {curve}"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other(oid) => write!(f, "key of algorithm {oid}"),
        }
    }
}

impl Key {
    /// Whether a TLS stack of today takes signatures of it: RSA from 2048 to 8192 bits, the NIST curves from P-256,
    /// Ed25519.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        match self {
            Self::Rsa { bits } => (2048..=8192).contains(bits),
            Self::Ecdsa { curve } => *curve != "P-224",
            Self::Ed25519 => true,
            Self::Other(_) => false,
        }
    }
}

/// A name that a server can have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubjectName {
    /// A DNS name, also with a wildcard; as written.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

impl fmt::Display for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => write!(f, "{address}"),
        }
    }
}

/// SHA-256 over the whole certificate. Prints as lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Of these bytes.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl serde::Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why bytes are no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// An element is not what X.509 has there.
    #[error("its {0} is malformed")]
    Malformed(&'static str),
    /// Bytes follow the certificate.
    #[error("{0} bytes follow the certificate")]
    TrailingData(usize),
    /// Not version 1 to 3.
    #[error("its version is not 1, 2 or 3")]
    Version,
    /// RFC 5280 section 4.1.2.2.
    #[error("its serial number is negative")]
    NegativeSerial,
    /// The algorithm stands in it twice, and differs.
    #[error("the signature algorithm inside the signed part differs from the one outside")]
    AlgorithmMismatch,
    /// RFC 5280 section 4.2.
    #[error("it has the extension {0} twice")]
    DuplicateExtension(String),
    /// Extensions that RFC 5280 forbids to be critical.
    #[error("its extension {0} must not be critical")]
    WronglyCritical(&'static str),
    /// The path builder cannot read it.
    #[error("the path builder does not take it ({0})")]
    NotTaken(String),
}

impl Certificate {
    /// Takes a DER certificate apart.
    ///
    /// # Errors
    /// The first thing in it that is not as RFC 5280 says.
    pub fn parse(bytes: &[u8]) -> Result<Self, CertificateProblem> {
        use CertificateProblem::{AlgorithmMismatch, Malformed as Bad, NegativeSerial, TrailingData, Version};
        let bad = |what| move |Malformed| Bad(what);
        let mut outer = Reader::new(bytes);
        let mut certificate = outer.inside(der::SEQUENCE).map_err(bad("outer sequence"))?;
        if !outer.is_empty() {
            return Err(TrailingData(outer.remaining()));
        }
        let mut signed = certificate.inside(der::SEQUENCE).map_err(bad("signed part"))?;
        let outer_algorithm = certificate.element(der::SEQUENCE).map_err(bad("signature algorithm"))?;
        certificate.bit_string().map_err(bad("signature"))?;

        let version = match signed.optional(EXPLICIT_0).map_err(bad("version"))? {
            None => 1,
            Some(mut inside) => match inside.small_integer().map_err(bad("version"))? {
                0 => 1,
                1 => 2,
                2 => 3,
                _ => return Err(Version),
            },
        };
        let serial = signed.integer().map_err(bad("serial number"))?;
        if serial.first().is_some_and(|first| first & 0x80 != 0) {
            return Err(NegativeSerial);
        }
        let algorithm = signed.element(der::SEQUENCE).map_err(bad("signature algorithm"))?;
        if algorithm.content != outer_algorithm.content {
            return Err(AlgorithmMismatch);
        }
        let issuer = signed.inside(der::SEQUENCE).and_then(DistinguishedName::read).map_err(bad("issuer"))?;
        let mut validity = signed.inside(der::SEQUENCE).map_err(bad("validity"))?;
        let not_before = validity.time().map_err(bad("validity"))?;
        let not_after = validity.time().map_err(bad("validity"))?;
        let subject = signed.inside(der::SEQUENCE).and_then(DistinguishedName::read).map_err(bad("subject"))?;
        let key = signed.inside(der::SEQUENCE).and_then(read_key).map_err(bad("public key"))?;

        let mut parsed = Self {
            der: CertificateDer::from(bytes.to_vec()),
            subject,
            issuer,
            serial: hexadecimal(serial),
            version,
            not_before,
            not_after,
            key,
            names: Vec::new(),
            basic_constraints: None,
            may_sign_certificates: None,
            may_serve_tls: None,
            unknown_critical: Vec::new(),
            policy_critical: None,
        };
        if version > 1 {
            for tag in [IMPLICIT_1, IMPLICIT_2] {
                if signed.next_is(tag) {
                    signed.any().map_err(bad("unique identifier"))?;
                }
            }
        }
        if version == 3
            && let Some(mut inside) = signed.optional(EXPLICIT_3).map_err(bad("list of extensions"))?
        {
            parsed.read_extensions(inside.inside(der::SEQUENCE).map_err(bad("list of extensions"))?)?;
        }
        Ok(parsed)
    }

    /// The bytes it was made of.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// SHA-256 over the whole certificate.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.der)
    }

    /// Whether issuer and subject are the same name.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// Whether it is valid at a time, both ends included (RFC 5280 section 4.1.2.5).
    #[must_use]
    pub fn is_valid_at(&self, now: UnixTime) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// Why it can be no trust anchor for TLS servers, if so. The rules are those of Go: basic constraints `CA:TRUE` (a
    /// certificate of version 1 or 2 has no extensions and may sign), a key usage that allows it, an extended key usage
    /// that allows TLS servers, and no critical extension that is not understood.
    #[must_use]
    pub fn no_authority(&self) -> Option<NoAuthority> {
        match self.basic_constraints {
            None if self.version == 3 => return Some(NoAuthority::NoBasicConstraints),
            Some(BasicConstraints { ca: false, .. }) => return Some(NoAuthority::NotCa),
            _ => {}
        }
        if self.may_sign_certificates == Some(false) {
            return Some(NoAuthority::KeyUsage);
        }
        if self.may_serve_tls == Some(false) {
            return Some(NoAuthority::Purpose);
        }
        self.unknown_critical.first().map(|oid| NoAuthority::UnknownCritical(oid.clone()))
    }

    fn read_extensions(&mut self, mut list: Reader<'_>) -> Result<(), CertificateProblem> {
        use CertificateProblem::{DuplicateExtension, Malformed as Bad, WronglyCritical};
        let mut seen: Vec<&[u8]> = Vec::new();
        while !list.is_empty() {
            let (oid, critical, value) = read_extension(&mut list).map_err(|Malformed| Bad("list of extensions"))?;
            if seen.contains(&oid) {
                return Err(DuplicateExtension(der::dotted(oid)));
            }
            seen.push(oid);
            let value = Reader::new(value);
            let understood = match oid {
                [0x55, 0x1d, 14] if critical => return Err(WronglyCritical("subject key identifier")),
                AUTHORITY_INFORMATION if critical => return Err(WronglyCritical("authority information access")),
                [0x55, 0x1d, 15] => {
                    self.may_sign_certificates = read_key_usage(value).map_err(|Malformed| Bad("key usage"))?;
                    true
                }
                [0x55, 0x1d, 17] => {
                    let (names, any) = read_names(value).map_err(|Malformed| Bad("subject alternative name"))?;
                    self.names = names;
                    any
                }
                [0x55, 0x1d, 19] => {
                    let constraints = read_basic_constraints(value).map_err(|Malformed| Bad("basic constraints"))?;
                    self.basic_constraints = Some(constraints);
                    true
                }
                [0x55, 0x1d, 37] => {
                    self.may_serve_tls = read_purposes(value).map_err(|Malformed| Bad("extended key usage"))?;
                    true
                }
                [0x55, 0x1d, 30] => read_name_constraints(value).map_err(|Malformed| Bad("name constraints"))?,
                [0x55, 0x1d, 35] if critical => return Err(WronglyCritical("authority key identifier")),
                // Policies restrict nothing until an issuer asks for them (36), and that the path builder cannot enforce.
                // It refuses even harmless critical ones in what a server presents.
                [0x55, 0x1d, 32 | 33 | 54] => {
                    if critical {
                        self.policy_critical.get_or_insert_with(|| der::dotted(oid));
                    }
                    true
                }
                [0x55, 0x1d, 14] => {
                    { value }.element(der::OCTET_STRING).map_err(|Malformed| Bad("subject key identifier"))?;
                    true
                }
                [0x55, 0x1d, 35] => {
                    { value }.inside(der::SEQUENCE).map_err(|Malformed| Bad("authority key identifier"))?;
                    true
                }
                [0x55, 0x1d, 31] => true,
                AUTHORITY_INFORMATION => true,
                _ => false,
            };
            if critical && !understood {
                self.unknown_critical.push(der::dotted(oid));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.subject.to_string())
            .field("issuer", &self.issuer.to_string())
            .field("serial", &self.serial)
            .field("not_after", &Rfc3339(self.not_after).to_string())
            .finish_non_exhaustive()
    }
}

/// Why a certificate can be no trust anchor for TLS servers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAuthority {
    /// Version 3 without basic constraints.
    #[error("it has no basic constraints; a CA has `CA:TRUE`")]
    NoBasicConstraints,
    /// Basic constraints `CA:FALSE`.
    #[error("its basic constraints say `CA:FALSE`; a CA has `CA:TRUE`")]
    NotCa,
    /// Its key usage does not allow signing certificates.
    #[error("its key usage does not allow signing certificates; a CA has `keyCertSign`")]
    KeyUsage,
    /// Its extended key usage does not allow TLS servers.
    #[error("its extended key usage does not allow TLS servers; expected `serverAuth` or none")]
    Purpose,
    /// A critical extension that is not understood, in dots.
    #[error("it has the critical extension {0}, which is not understood")]
    UnknownCritical(String),
}

const EXPLICIT_0: u8 = 0xa0;
const EXPLICIT_3: u8 = 0xa3;
const IMPLICIT_1: u8 = 0x81;
const IMPLICIT_2: u8 = 0x82;
/// Kinds of general names (RFC 5280 section 4.2.1.6).
const MAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;
const IP: u8 = 0x87;
/// 1.3.6.1.5.5.7.1.1
const AUTHORITY_INFORMATION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
/// 1.3.6.1.5.5.7.3.1
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
/// 2.5.29.37.0
const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 37, 0];
/// 1.2.840.113549.1.1.1
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
/// 1.2.840.10045.2.1
const ELLIPTIC_CURVE: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
/// 1.3.101.112
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// Curve object identifiers with their names and the bytes of one coordinate.
const CURVES: [(&[u8], &str, usize); 4] = [
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], "P-256", 32),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], "P-384", 48),
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], "P-521", 66),
    (&[0x2b, 0x81, 0x04, 0x00, 0x21], "P-224", 28),
];

fn read_extension<'a>(list: &mut Reader<'a>) -> Result<(&'a [u8], bool, &'a [u8]), Malformed> {
    let mut extension = list.inside(der::SEQUENCE)?;
    let oid = extension.oid()?;
    let critical = if extension.next_is(der::BOOLEAN) { extension.boolean()? } else { false };
    Ok((oid, critical, extension.element(der::OCTET_STRING)?.content))
}

fn read_key_usage(mut value: Reader<'_>) -> Result<Option<bool>, Malformed> {
    const KEY_CERT_SIGN: u8 = 0x04;
    let (bits, _) = value.bit_string()?;
    if bits.iter().all(|&byte| byte == 0) {
        return Ok(None);
    }
    Ok(Some(bits.first().is_some_and(|first| first & KEY_CERT_SIGN != 0)))
}

fn read_basic_constraints(mut value: Reader<'_>) -> Result<BasicConstraints, Malformed> {
    let mut inside = value.inside(der::SEQUENCE)?;
    let ca = if inside.next_is(der::BOOLEAN) { inside.boolean()? } else { false };
    let path_length = if inside.next_is(der::INTEGER) { Some(inside.small_integer()?) } else { None };
    Ok(BasicConstraints { ca, path_length })
}

fn read_purposes(mut value: Reader<'_>) -> Result<Option<bool>, Malformed> {
    let mut inside = value.inside(der::SEQUENCE)?;
    if inside.is_empty() {
        return Ok(None);
    }
    let mut serves = false;
    while !inside.is_empty() {
        let oid = inside.oid()?;
        serves |= oid == SERVER_AUTH || oid == ANY_PURPOSE;
    }
    Ok(Some(serves))
}

/// Whether all constraints are of kinds that Go reads. The path builder enforces them.
fn read_name_constraints(mut value: Reader<'_>) -> Result<bool, Malformed> {
    let mut inside = value.inside(der::SEQUENCE)?;
    let (mut any, mut understood) = (false, true);
    for tag in [EXPLICIT_0, 0xa1] {
        let Some(mut subtrees) = inside.optional(tag)? else { continue };
        while !subtrees.is_empty() {
            any = true;
            let base = subtrees.inside(der::SEQUENCE)?.any()?;
            match base.tag {
                MAIL | DNS | URI if base.content.is_ascii() => {}
                MAIL | DNS | URI => return Err(Malformed),
                IP if matches!(base.content.len(), 8 | 32) => {}
                IP => return Err(Malformed),
                _ => understood = false,
            }
        }
    }
    if any && inside.is_empty() && value.is_empty() { Ok(understood) } else { Err(Malformed) }
}

/// The names of a server, and whether there was any name of a kind that Go reads (mail and URI too).
fn read_names(mut value: Reader<'_>) -> Result<(Vec<SubjectName>, bool), Malformed> {
    let mut inside = value.inside(der::SEQUENCE)?;
    let (mut names, mut any) = (Vec::new(), false);
    while !inside.is_empty() {
        let element = inside.any()?;
        match element.tag {
            DNS | MAIL | URI => {
                let text = core::str::from_utf8(element.content).map_err(|_| Malformed)?;
                if !text.is_ascii() {
                    return Err(Malformed);
                }
                any = true;
                if element.tag == DNS {
                    names.push(SubjectName::Dns(text.to_owned()));
                }
            }
            IP => {
                let address = match element.content.len() {
                    4 => <[u8; 4]>::try_from(element.content).map(IpAddr::from),
                    _ => <[u8; 16]>::try_from(element.content).map(IpAddr::from),
                };
                names.push(SubjectName::Ip(address.map_err(|_| Malformed)?));
                any = true;
            }
            _ => {}
        }
    }
    Ok((names, any))
}

fn read_key(mut spki: Reader<'_>) -> Result<Key, Malformed> {
    let mut algorithm = spki.inside(der::SEQUENCE)?;
    let oid = algorithm.oid()?;
    let parameters = if algorithm.is_empty() { None } else { Some(algorithm.any()?) };
    let (bits, padding) = spki.bit_string()?;
    match oid {
        RSA => {
            // RFC 3279 section 2.3.1: the parameters are NULL.
            if !parameters.is_some_and(|p| p.tag == der::NULL && p.content.is_empty()) || padding != 0 {
                return Err(Malformed);
            }
            let mut key = Reader::new(bits).inside(der::SEQUENCE)?;
            let modulus = key.integer()?;
            let exponent = key.small_integer()?;
            let digits = modulus.strip_prefix(&[0]).unwrap_or(modulus);
            let first = digits.first().copied().unwrap_or(0);
            if modulus.first().is_some_and(|first| first & 0x80 != 0) || first == 0 || exponent == 0 {
                return Err(Malformed);
            }
            Ok(Key::Rsa { bits: digits.len() * 8 - first.leading_zeros() as usize })
        }
        ELLIPTIC_CURVE => {
            let parameters = parameters.filter(|p| p.tag == der::OID).ok_or(Malformed)?;
            let (_, curve, size) = CURVES.iter().find(|curve| curve.0 == parameters.content).ok_or(Malformed)?;
            // RFC 5480 section 2.2, uncompressed; whether the point is on the curve is seen at the first signature.
            if bits.first() != Some(&4) || bits.len() != 1 + 2 * size {
                return Err(Malformed);
            }
            Ok(Key::Ecdsa { curve })
        }
        ED25519 => {
            // RFC 8410 section 3: no parameters.
            if parameters.is_some() || bits.len() != 32 { Err(Malformed) } else { Ok(Key::Ed25519) }
        }
        other => Ok(Key::Other(der::dotted(other))),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use fmt::Write;
    let mut out = String::with_capacity(bytes.len() * 2);
    let shortest = match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    for byte in shortest {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_certificate_says_what_it_is() {
        let ca = fixture!("ca");
        assert_eq!(ca.subject.to_string(), "CN=Acme Test CA,O=Acme");
        assert_eq!(ca.subject.short(), "Acme Test CA");
        assert!(ca.is_self_issued());
        assert_eq!((ca.serial.as_str(), ca.version), ("1000", 3));
        assert_eq!(Rfc3339(ca.not_before).to_string(), "2020-01-01T00:00:00Z");
        assert_eq!(Rfc3339(ca.not_after).to_string(), "2120-01-01T00:00:00Z");
        assert_eq!(ca.key.to_string(), "ECDSA P-256");
        let sha256 = include_str!("../../../tests/data/certificates/ca.sha256");
        assert_eq!(ca.fingerprint().to_string(), sha256.trim());
        assert_eq!(ca.basic_constraints, Some(BasicConstraints { ca: true, path_length: None }));
        assert_eq!((ca.may_sign_certificates, ca.may_serve_tls), (Some(true), None));
        let server = fixture!("server");
        assert_eq!(server.issuer, ca.subject);
        assert_eq!(server.may_serve_tls, Some(true));
        let names: Vec<String> = fixture!("self").names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["mcp.example", "127.0.0.1"]);
        assert_eq!(fixture!("ca-path0").basic_constraints, Some(BasicConstraints { ca: true, path_length: Some(0) }));
    }

    #[test]
    fn keys_have_kind_and_size() {
        let key = |certificate: Certificate| (certificate.key.to_string(), certificate.key.is_accepted());
        assert_eq!(key(fixture!("ca-p521")), ("ECDSA P-521".into(), true));
        assert_eq!(key(fixture!("ca-ed25519")), ("Ed25519".into(), true));
        assert_eq!(key(fixture!("ca-rsa2048")), ("RSA 2048".into(), true));
        assert_eq!(key(fixture!("ca-rsa1024")), ("RSA 1024".into(), false));
    }

    #[test]
    fn authority_needs_every_word() {
        let why = |certificate: Certificate| certificate.no_authority().map(|why| why.to_string());
        assert_eq!(why(fixture!("ca")), None);
        assert_eq!(why(fixture!("ca-v1")), None);
        assert_eq!(why(fixture!("intermediate-any")), None);
        assert_eq!(why(fixture!("ca-no-bc")).unwrap(), "it has no basic constraints; a CA has `CA:TRUE`");
        assert_eq!(why(fixture!("ca-false")).unwrap(), "its basic constraints say `CA:FALSE`; a CA has `CA:TRUE`");
        assert_eq!(
            why(fixture!("ca-no-sign")).unwrap(),
            "its key usage does not allow signing certificates; a CA has `keyCertSign`"
        );
        assert_eq!(
            why(fixture!("ca-client-only")).unwrap(),
            "its extended key usage does not allow TLS servers; expected `serverAuth` or none"
        );
        assert_eq!(
            why(fixture!("ca-critical")).unwrap(),
            "it has the critical extension 1.2.3.4.5, which is not understood"
        );
    }

    #[test]
    fn what_is_no_certificate_says_why() {
        let der = fixture!("ca").der().to_vec();
        let why = |bytes: &[u8]| Certificate::parse(bytes).unwrap_err().to_string();
        assert_eq!(why(b""), "its outer sequence is malformed");
        assert_eq!(why(&der[..100]), "its outer sequence is malformed");
        assert_eq!(why(&[&der[..], b"\0\0"].concat()), "2 bytes follow the certificate");
        let changed = |from: &[u8], to: &[u8]| {
            let at = der.windows(from.len()).position(|window| window == from).unwrap();
            let mut copy = der.clone();
            copy[at..at + to.len()].copy_from_slice(to);
            why(&copy)
        };
        assert_eq!(changed(&[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 3]), "its version is not 1, 2 or 3");
        assert_eq!(changed(&[2, 2, 0x10, 0], &[2, 2, 0xf0, 0]), "its serial number is negative");
        assert_eq!(changed(b"200101000000Z", b"201301000000Z"), "its validity is malformed");
        assert_eq!(
            changed(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2], &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3]),
            "the signature algorithm inside the signed part differs from the one outside"
        );
        // The subject key identifier becomes a second basic constraints extension, and a critical identifier.
        assert_eq!(changed(&[0x55, 0x1d, 14], &[0x55, 0x1d, 19]), "it has the extension 2.5.29.19 twice");
        assert_eq!(
            changed(&[0x55, 0x1d, 19], &[0x55, 0x1d, 14]),
            "its extension subject key identifier must not be critical"
        );
        assert_eq!(changed(&[0x0c, 0x0c], &[0x01, 0x0c]), "its issuer is malformed");
    }

    #[test]
    fn any_damage_is_an_error_or_another_certificate_but_no_panic() {
        let der = fixture!("self").der().to_vec();
        for at in 0..der.len() {
            for byte in [0x00, 0x7f, 0x80, 0xff, der[at] ^ 1] {
                let mut copy = der.clone();
                copy[at] = byte;
                let _ = Certificate::parse(&copy);
            }
            let _ = Certificate::parse(&der[..at]);
        }
    }
}
