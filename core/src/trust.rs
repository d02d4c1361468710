//! Whom a backend is verified against: CA bundles, system roots, pools, and the verification of a server.
//!
//! It opens no connection and reads no file; certificates come in as bytes, and the time is an argument.
//!
//! The rules are those of Go's `crypto/x509`, because operators wrote their bundles for it. A certificate plays one of two
//! roles ([`Role`]): an *anchor* may vouch for others, a *pin* only for itself. Plain path building (RFC 5280 section 6)
//! over everything in a bundle would make each server's own certificate an authority for every name.

mod bundle;
mod certificate;
mod der;
mod name;
mod outcome;
mod pem;
mod pool;
mod server_name;
mod time;
mod verify;

pub use bundle::{CaBundle, SystemRoots};
pub use certificate::{BasicConstraints, Certificate, CertificateProblem, Fingerprint, Key, NoAuthority, SubjectName};
pub use name::DistinguishedName;
pub use outcome::{IssuerProblem, PresentedCertificate, Reason, TrustError, TrustedBy, TrustedSummary};
pub use pem::{Before, Broken, Content, Item, Scan};
pub use pool::{Authority, Origin, Pool, Role, Source, Trusted};
pub use rustls_pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};
pub use time::{Difference, Rfc3339};
pub use verify::Presented;

/// A certificate of `tests/data/certificates`.
#[cfg(test)]
macro_rules! fixture {
    ($name:literal) => {{
        let file = include_bytes!(concat!("../../../tests/data/certificates/", $name, ".pem"));
        let scan = super::super::pem::Scan::new(file);
        super::super::Certificate::parse(&scan.items[0].content.as_ref().unwrap().bytes).unwrap()
    }};
}
#[cfg(test)]
use fixture;
