//! What comes of judging a server: by what it is trusted, or why it is not, what it presented and what was trusted.
//!
//! It holds the words only; [`super::verify`] judges.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rustls_pki_types::UnixTime;
use serde::{Serialize, Serializer};

use super::certificate::{Certificate, CertificateProblem, Fingerprint, Key, NoAuthority};
use super::pool::{Pool, Role, Source, Trusted};
use super::time::{Difference, Rfc3339};

/// Why a server is trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustedBy {
    /// `anchor` or `pin`: whether a certificate of the pool signed the server's, or is the server's.
    pub role: &'static str,
    /// Which part of the pool.
    pub source: Source,
    /// Subject of the certificate of the pool.
    pub subject: String,
    /// Its SHA-256.
    pub sha256: Fingerprint,
    /// The file that holds it.
    #[serde(serialize_with = "text")]
    pub file: Arc<str>,
    /// The line at which it begins there, from 1.
    pub line: u32,
    /// Its end.
    #[serde(serialize_with = "rfc3339")]
    pub not_after: UnixTime,
    /// What the server presented.
    pub presented: PresentedCertificate,
}

/// What a server's certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PresentedCertificate {
    /// Whom it is for.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Its names and addresses.
    pub names: Vec<String>,
    /// Valid from this second.
    #[serde(serialize_with = "rfc3339")]
    pub not_before: UnixTime,
    /// Valid up to and including this second.
    #[serde(serialize_with = "rfc3339")]
    pub not_after: UnixTime,
    /// How many other certificates were sent with it.
    pub intermediates: usize,
}

impl fmt::Display for PresentedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\"{}\", issued by \"{}\", for {}, valid {} to {}",
            self.subject,
            self.issuer,
            listed(&self.names).unwrap_or_else(|| "no name".to_owned()),
            Rfc3339(self.not_before),
            Rfc3339(self.not_after)
        )
    }
}

/// What a pool holds, in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustedSummary {
    /// The CA bundle's file.
    #[serde(serialize_with = "optional_text")]
    pub bundle: Option<Arc<str>>,
    /// Anchors in it.
    pub bundle_anchors: usize,
    /// Certificates in it that are pinned.
    pub bundle_pins: usize,
    /// Anchors of the system that are not in the bundle.
    pub system_anchors: usize,
}

impl fmt::Display for TrustedSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.bundle {
            None => write!(f, "the {} anchors of the system", self.system_anchors),
            Some(path) => {
                write!(f, "the {} anchors of {path} and {} of the system", self.bundle_anchors, self.system_anchors)
            }
        }
    }
}

/// A server is not trusted: why, what it presented, and what was trusted.
///
/// Prints the reason and what was presented on one line; [`TrustError::reason`] alone is the short form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{}", .presented.as_ref().map(|p| format!("; presented: {p}")).unwrap_or_default())]
pub struct TrustError {
    /// Why.
    pub reason: Reason,
    /// What was presented; `None` if it could not be read. Boxed because errors travel.
    pub presented: Option<Box<PresentedCertificate>>,
    /// What was trusted.
    pub trusted: Box<TrustedSummary>,
}

/// Why a server is not trusted. Each says the fact first, then what would have been accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The server's certificate is no certificate.
    #[error("certificate cannot be read: {0}")]
    Unreadable(CertificateProblem),
    /// The server's certificate, past its end.
    #[error("certificate expired at {}; it is now {}, {} later", Rfc3339(*.not_after), Rfc3339(*.now), Difference(*.not_after, *.now))]
    Expired {
        /// Its end.
        not_after: UnixTime,
        /// The time of judging.
        now: UnixTime,
    },
    /// The server's certificate, before its beginning.
    #[error("certificate is not valid before {}; it is now {}, {} earlier", Rfc3339(*.not_before), Rfc3339(*.now), Difference(*.not_before, *.now))]
    NotYetValid {
        /// Its beginning.
        not_before: UnixTime,
        /// The time of judging.
        now: UnixTime,
    },
    /// The server's certificate is for others.
    #[error("{}; the backend is called as {expected}{}", listed(.names).map(|names| format!("certificate is for {names}")).unwrap_or_else(|| "certificate has no subject alternative name".to_owned()), unlike(.names, .expected))]
    WrongName {
        /// The name that was called.
        expected: String,
        /// The names that it has.
        names: Vec<String>,
    },
    /// The server's certificate may not serve TLS.
    #[error("certificate's extended key usage does not allow TLS servers; expected serverAuth")]
    WrongPurpose,
    /// The server's certificate demands something that is not understood.
    #[error("certificate has the critical extension {0}, which is not understood")]
    UnknownCritical(String),
    /// The server's key.
    #[error("certificate's key is {0}; expected RSA of 2048 to 8192 bits, ECDSA P-256, P-384 or P-521, or Ed25519")]
    WeakKey(Key),
    /// No anchor signed it.
    #[error("{}, which is none of {trusted}", issued(.issuer, .chain_issuer.as_deref()))]
    UnknownIssuer {
        /// Who signed the server's certificate.
        issuer: String,
        /// Who signed the last certificate of the chain that was sent, if that is another.
        chain_issuer: Option<String>,
        /// What was trusted.
        trusted: TrustedSummary,
    },
    /// It is self-signed and not in the pool.
    #[error("certificate is self-signed (\"{subject}\") and is none of {trusted}{}", pins(.trusted))]
    SelfSigned {
        /// Its name.
        subject: String,
        /// What was trusted.
        trusted: TrustedSummary,
    },
    /// The bundle holds the issuer, but it is no authority.
    #[error("certificate is issued by \"{issuer}\", which {file}:{line} holds only as a pin: {why}")]
    IssuerIsNoAuthority {
        /// The issuer.
        issuer: String,
        /// The file that holds it.
        file: Arc<str>,
        /// The line in it.
        line: u32,
        /// Why it is no anchor.
        why: NoAuthority,
    },
    /// An anchor has the issuer's name, but did not sign.
    #[error(
        "certificate names \"{issuer}\" as its issuer, but the anchor of that name at {file}:{line} did not sign it; was the CA renewed with another key?"
    )]
    OtherKey {
        /// The issuer.
        issuer: String,
        /// The file that holds the anchor.
        file: Arc<str>,
        /// The line in it.
        line: u32,
    },
    /// The anchor that signed it cannot vouch for it.
    #[error("certificate leads to the anchor \"{subject}\" at {file}:{line}, which {problem}")]
    Anchor {
        /// The anchor.
        subject: String,
        /// The file that holds it.
        file: Arc<str>,
        /// The line in it.
        line: u32,
        /// Why it cannot.
        problem: IssuerProblem,
    },
    /// A certificate between it and an anchor cannot vouch for it.
    #[error("certificate leads to the intermediate certificate \"{subject}\", which {problem}")]
    Intermediate {
        /// The certificate.
        subject: String,
        /// Why it cannot.
        problem: IssuerProblem,
    },
    /// A certificate authority serves TLS itself, and the pool does not hold it.
    #[error(
        "certificate is itself a CA (basic constraints `CA:TRUE`), issued by \"{issuer}\"; expected `CA:FALSE`, or the certificate itself in the CA bundle"
    )]
    CaAsServer {
        /// Who signed it.
        issuer: String,
    },
    /// Name constraints of an issuer exclude it.
    #[error("certificate has a name that the name constraints of one of its issuers exclude")]
    NameConstraints,
    /// SHA-1, MD5 and the like.
    #[error(
        "certificate or one of its issuers is signed with an algorithm that is not accepted; expected RSA, ECDSA or Ed25519 with SHA-256 or better"
    )]
    SignatureAlgorithm,
    /// Anything else that the path builder says.
    #[error("certificate does not lead to {trusted}: {detail}")]
    Path {
        /// In the path builder's words.
        detail: String,
        /// What was trusted.
        trusted: TrustedSummary,
    },
}

/// Why an issuer cannot vouch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerProblem {
    /// Past its end.
    #[error("expired at {}; it is now {}, {} later", Rfc3339(*.not_after), Rfc3339(*.now), Difference(*.not_after, *.now))]
    Expired {
        /// Its end.
        not_after: UnixTime,
        /// The time of judging.
        now: UnixTime,
    },
    /// Before its beginning.
    #[error("is not valid before {}; it is now {}, {} earlier", Rfc3339(*.not_before), Rfc3339(*.now), Difference(*.not_before, *.now))]
    NotYetValid {
        /// Its beginning.
        not_before: UnixTime,
        /// The time of judging.
        now: UnixTime,
    },
    /// RFC 5280 section 4.2.1.9.
    #[error("allows at most {limit} intermediate certificates below it; the chain has {actual}")]
    PathLength {
        /// Its path length constraint.
        limit: u64,
        /// How many there are.
        actual: u64,
    },
    /// Its key.
    #[error("has a key that is not accepted ({0}); expected RSA of 2048 to 8192 bits, ECDSA or Ed25519")]
    Key(Key),
    /// It may sign no certificates.
    #[error("is no authority: {0}")]
    NoAuthority(NoAuthority),
}

impl TrustedBy {
    pub(super) fn new(trusted: &Trusted, role: &Role, presented: PresentedCertificate) -> Self {
        Self {
            role: role.word(),
            source: trusted.origin.source,
            subject: trusted.certificate.subject.to_string(),
            sha256: trusted.fingerprint,
            file: trusted.origin.file.clone(),
            line: trusted.origin.line,
            not_after: trusted.certificate.not_after,
            presented,
        }
    }
}

impl fmt::Display for TrustedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self.source {
            Source::System => " of the system",
            Source::Bundle => "",
        };
        write!(f, "{}{whose} \"{}\" at {}:{}", self.role, self.subject, self.file, self.line)
    }
}

impl PresentedCertificate {
    pub(super) fn new(certificate: &Certificate, intermediates: usize) -> Self {
        Self {
            subject: certificate.subject.to_string(),
            issuer: certificate.issuer.to_string(),
            names: certificate.names.iter().map(name_text).collect(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            intermediates,
        }
    }
}

impl TrustedSummary {
    /// Counts a pool.
    #[must_use]
    pub fn of(pool: &Pool) -> Self {
        let mut summary = Self {
            bundle: pool.bundle.as_deref().map(|bundle| bundle.path().clone()),
            bundle_anchors: 0,
            bundle_pins: 0,
            system_anchors: 0,
        };
        for trusted in pool.trusted() {
            match (trusted.origin.source, &trusted.role) {
                (Source::Bundle, Role::Anchor) => summary.bundle_anchors += 1,
                (Source::Bundle, Role::Pin(_)) => summary.bundle_pins += 1,
                (Source::System, Role::Anchor) => summary.system_anchors += 1,
                (Source::System, Role::Pin(_)) => {}
            }
        }
        summary
    }
}

/// A name that a stranger wrote, safe to print on one line.
fn name_text(name: &super::certificate::SubjectName) -> String {
    super::name::one_line(&name.to_string())
}

/// `a`, `a and b`, `a, b and 3 more`; `None` for none.
fn listed(names: &[String]) -> Option<String> {
    match names {
        [] => None,
        [one] => Some(one.clone()),
        [one, two] => Some(format!("{one} and {two}")),
        [one, two, three] => Some(format!("{one}, {two} and {three}")),
        [one, two, rest @ ..] => Some(format!("{one}, {two} and {} more", rest.len())),
    }
}

/// What sets the name that was called apart from one that is spelled the same.
fn unlike(names: &[String], expected: &String) -> &'static str {
    if names.contains(expected) { ", as an address, and its names are of another kind" } else { "" }
}

fn issued(issuer: &str, chain_issuer: Option<&str>) -> String {
    match chain_issuer {
        None => format!("certificate is issued by \"{issuer}\""),
        Some(last) => format!("certificate is issued by \"{issuer}\", and the chain that was sent ends at \"{last}\""),
    }
}

fn pins(trusted: &TrustedSummary) -> String {
    match (&trusted.bundle, trusted.bundle_pins) {
        (Some(_), count) if count > 0 => format!(", nor one of the {count} certificates that the bundle pins"),
        _ => String::new(),
    }
}

fn text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

fn optional_text<S: Serializer>(text: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(serializer)
}

fn rfc3339<S: Serializer>(time: &UnixTime, serializer: S) -> Result<S::Ok, S::Error> {
    Rfc3339(*time).serialize(serializer)
}
