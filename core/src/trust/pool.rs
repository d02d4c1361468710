//! Pools: the certificates that one backend is verified against, each with its role.
//!
//! It does not find certificates in files; that is [`super::bundle`].

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rustls_pki_types::{CertificateDer, TrustAnchor};
use serde::Serialize;
use serde::ser::SerializeStruct;

use super::bundle::{CaBundle, SystemRoots};
use super::certificate::{Certificate, CertificateProblem, Fingerprint, NoAuthority};
use super::time::Rfc3339;
use crate::text::Span;

/// What one backend is verified against: the system roots, plus its own CA bundle if it has one.
///
/// Both parts are shared, so that twenty thousand backends do not hold the system's roots twenty thousand times.
#[derive(Clone)]
pub struct Pool {
    /// The system's.
    pub system: Arc<SystemRoots>,
    /// The backend's own.
    pub bundle: Option<Arc<CaBundle>>,
}

impl Pool {
    /// System roots plus a bundle for one backend.
    #[must_use]
    pub fn new(system: Arc<SystemRoots>, bundle: Option<Arc<CaBundle>>) -> Self {
        Self { system, bundle }
    }

    /// Every certificate once: the bundle's in the order of its file, then those of the system that are not in it.
    pub fn trusted(&self) -> impl Iterator<Item = &Trusted> {
        let own = self.bundle.as_deref().map(CaBundle::trusted).unwrap_or_default();
        let elsewhere = |trusted: &&Trusted| {
            self.bundle.as_deref().is_none_or(|bundle| !bundle.authority.holds(trusted.fingerprint))
        };
        own.iter().chain(self.system.trusted().iter().filter(elsewhere))
    }

    /// The parts in the order in which they are asked.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Authority> {
        self.bundle.as_deref().map(|bundle| &bundle.authority).into_iter().chain([&self.system.authority])
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("system", &self.system).field("bundle", &self.bundle).finish()
    }
}

/// One certificate that is trusted, how far, and where it stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Trusted {
    /// The certificate.
    pub certificate: Certificate,
    /// SHA-256 over it.
    pub fingerprint: Fingerprint,
    /// How far it is trusted.
    pub role: Role,
    /// Where it stands.
    pub origin: Origin,
}

/// How far a certificate is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// A trust anchor (RFC 5280 section 6.1.1 (d)): it vouches for certificates that it signed, and for itself when a
    /// server presents it.
    Anchor,
    /// It vouches for itself only, when a server presents exactly it; and why it vouches for no other.
    Pin(NoAuthority),
}

impl Role {
    /// `anchor` or `pin`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Anchor => "anchor",
            Self::Pin(_) => "pin",
        }
    }
}

/// Where a trusted certificate stands. Prints as `path:line`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whose it is.
    pub source: Source,
    /// The file.
    pub file: Arc<str>,
    /// Line of its `BEGIN`, from 1.
    pub line: u32,
    /// The whole block in that file.
    pub span: Span,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Which part of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The system roots.
    System,
    /// The backend's CA bundle.
    Bundle,
}

impl fmt::Debug for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} at {}", self.role.word(), self.certificate.subject, self.origin)
    }
}

/// Everything that a person or a program wants to know of a trusted certificate.
impl Serialize for Trusted {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Shown<T>(T);
        impl<T: fmt::Display> Serialize for Shown<T> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }
        let certificate = &self.certificate;
        let names: Vec<_> = certificate.names.iter().map(Shown).collect();
        let mut out = serializer.serialize_struct("Trusted", 12)?;
        out.serialize_field("role", self.role.word())?;
        out.serialize_field("source", &self.origin.source)?;
        out.serialize_field("file", &*self.origin.file)?;
        out.serialize_field("line", &self.origin.line)?;
        out.serialize_field("subject", &Shown(&certificate.subject))?;
        out.serialize_field("issuer", &Shown(&certificate.issuer))?;
        out.serialize_field("serial", &certificate.serial)?;
        out.serialize_field("notBefore", &Rfc3339(certificate.not_before))?;
        out.serialize_field("notAfter", &Rfc3339(certificate.not_after))?;
        out.serialize_field("key", &Shown(&certificate.key))?;
        out.serialize_field("sha256", &self.fingerprint)?;
        out.serialize_field("names", &names)?;
        out.end()
    }
}

/// Trusted certificates of one source without repetition, ready for path building.
#[derive(Clone, Default)]
pub struct Authority {
    trusted: Vec<Trusted>,
    by_fingerprint: BTreeMap<Fingerprint, usize>,
    /// Those of role [`Role::Anchor`], made once and not at each handshake.
    anchors: Vec<TrustAnchor<'static>>,
    /// Index in `trusted` of each anchor.
    anchor_at: Vec<usize>,
}

impl Authority {
    /// In the order in which they were added.
    #[must_use]
    pub fn trusted(&self) -> &[Trusted] {
        &self.trusted
    }

    /// How many are anchors.
    #[must_use]
    pub fn anchor_count(&self) -> usize {
        self.anchors.len()
    }

    /// Whether this very certificate is among them.
    #[must_use]
    pub fn holds(&self, fingerprint: Fingerprint) -> bool {
        self.by_fingerprint.contains_key(&fingerprint)
    }

    pub(super) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    /// The certificate that one of [`Self::anchors`] was made of. `anchor` must be a reference into that slice.
    pub(super) fn certificate_of(&self, anchor: &TrustAnchor<'_>) -> Option<&Trusted> {
        let index = self.anchors.iter().position(|own| {
            core::ptr::eq(core::ptr::from_ref(own).cast::<()>(), core::ptr::from_ref(anchor).cast::<()>())
        })?;
        self.trusted.get(*self.anchor_at.get(index)?)
    }

    /// The trusted certificate that is exactly this one.
    pub(super) fn same_as(&self, der: &CertificateDer<'_>) -> Option<&Trusted> {
        self.trusted.iter().find(|trusted| trusted.certificate.der() == der)
    }

    /// Adds a certificate, unless it is there; then the one that is.
    pub(super) fn add(&mut self, certificate: Certificate, origin: Origin) -> Result<Added<'_>, CertificateProblem> {
        let fingerprint = certificate.fingerprint();
        if let Some(&first) = self.by_fingerprint.get(&fingerprint) {
            return Ok(Added::Repeated(&self.trusted[first]));
        }
        let role = match certificate.no_authority() {
            None => {
                self.anchors.push(super::verify::anchor(certificate.der())?);
                self.anchor_at.push(self.trusted.len());
                Role::Anchor
            }
            Some(reason) => Role::Pin(reason),
        };
        let index = self.trusted.len();
        self.by_fingerprint.insert(fingerprint, index);
        self.trusted.push(Trusted { certificate, fingerprint, role, origin });
        Ok(Added::New(&self.trusted[index]))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let anchors = self.anchors.len();
        write!(f, "{anchors} anchors, {} pins", self.trusted.len() - anchors)
    }
}

/// What became of a certificate.
pub(super) enum Added<'a> {
    New(&'a Trusted),
    /// The same stands here already.
    Repeated(&'a Trusted),
}
