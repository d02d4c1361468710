//! Judges the certificates that a server presents against a pool.
//!
//! The one file that names the path builder (rustls-webpki, RFC 5280 section 6). It does not check the handshake's own
//! signature; the TLS stack does.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use rustls_pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, VerifiedPath};

use super::certificate::{Certificate, CertificateProblem, NoAuthority};
use super::name::DistinguishedName;
use super::outcome::{IssuerProblem, PresentedCertificate, Reason, TrustError, TrustedBy, TrustedSummary};
use super::pool::{Authority, Pool, Role, Trusted};
use super::server_name;

/// What a server presented.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// Its own certificate.
    pub end_entity: &'a CertificateDer<'a>,
    /// The others that it sent, in any order.
    pub intermediates: &'a [CertificateDer<'a>],
    /// The name or address that the client wanted to reach.
    pub server_name: &'a ServerName<'a>,
}

impl Pool {
    /// Judges a server for TLS.
    ///
    /// Its certificate must be valid at `now`, bear the server's name, allow serving TLS, and either stand in the pool
    /// itself or lead to an anchor of the pool that is valid at `now`, through certificates that may sign, no more of them
    /// than each path length allows. `algorithms` are the signatures that the TLS stack verifies.
    ///
    /// # Errors
    /// Why it is not trusted, what it presented, and what was trusted.
    pub fn verify(
        &self,
        presented: &Presented<'_>,
        now: UnixTime,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<TrustedBy, TrustError> {
        let certificate = match Certificate::parse(presented.end_entity) {
            Ok(certificate) => certificate,
            Err(problem) => return Err(self.error(Reason::Unreadable(problem), None)),
        };
        let says = || PresentedCertificate::new(&certificate, presented.intermediates.len());
        let own = judge_end_entity(&certificate, presented, now);
        let chain = own.and_then(|parsed| self.find_trusted(&certificate, &parsed, presented, now, algorithms));
        match chain {
            Ok((trusted, role)) => Ok(TrustedBy::new(trusted, role, says())),
            Err(reason) => Err(self.error(reason, Some(says()))),
        }
    }

    fn find_trusted(
        &self,
        certificate: &Certificate,
        parsed: &EndEntityCert<'_>,
        presented: &Presented<'_>,
        now: UnixTime,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<(&Trusted, &'static Role), Reason> {
        const PINNED: &Role = &Role::Pin(NoAuthority::NotCa);
        if let Some(trusted) = self.parts().find_map(|part| part.same_as(presented.end_entity)) {
            return Ok((trusted, PINNED));
        }
        let mut failure = None;
        for part in self.parts() {
            match part.chain(parsed, presented, now, algorithms) {
                Ok(trusted) => return Ok((trusted, &Role::Anchor)),
                // The bundle is asked first; what it says is better than that the system does not know the issuer.
                Err(Failure::UnknownIssuer) => {}
                Err(other) => failure = failure.or(Some(other)),
            }
        }
        Err(match failure {
            Some(failure) => self.explain(failure, certificate, presented, now),
            None => self.unknown_issuer(certificate, presented),
        })
    }

    fn error(&self, reason: Reason, presented: Option<PresentedCertificate>) -> TrustError {
        TrustError { reason, presented: presented.map(Box::new), trusted: Box::new(TrustedSummary::of(self)) }
    }

    fn explain(&self, failure: Failure, certificate: &Certificate, presented: &Presented<'_>, now: UnixTime) -> Reason {
        use webpki::Error as E;
        let error = match failure {
            Failure::UnknownIssuer => return self.unknown_issuer(certificate, presented),
            Failure::Refused(reason) => return reason,
            Failure::Path(error) => error,
        };
        let intermediate = |wanted: &dyn Fn(&Certificate) -> bool, problem: IssuerProblem| {
            let found = chain(certificate, presented.intermediates).into_iter().find(|issuer| wanted(issuer));
            found.map(|issuer| Reason::Intermediate { subject: issuer.subject.short(), problem })
        };
        let named = match &error {
            E::CaUsedAsEndEntity => Some(Reason::CaAsServer { issuer: certificate.issuer.short() }),
            &E::CertExpired { not_after, .. } => {
                intermediate(&|issuer| issuer.not_after < now, IssuerProblem::Expired { not_after, now })
            }
            &E::CertNotValidYet { not_before, .. } => {
                intermediate(&|issuer| issuer.not_before > now, IssuerProblem::NotYetValid { not_before, now })
            }
            E::EndEntityUsedAsCa => chain(certificate, presented.intermediates).into_iter().find_map(|issuer| {
                let problem = IssuerProblem::NoAuthority(issuer.no_authority()?);
                Some(Reason::Intermediate { subject: issuer.subject.short(), problem })
            }),
            E::PathLenConstraintViolated => {
                chain(certificate, presented.intermediates).into_iter().zip(0..).find_map(|(issuer, actual)| {
                    let limit = issuer.basic_constraints?.path_length.filter(|&limit| actual > limit)?;
                    let problem = IssuerProblem::PathLength { limit, actual };
                    Some(Reason::Intermediate { subject: issuer.subject.short(), problem })
                })
            }
            E::UnsupportedCriticalExtension => {
                chain(certificate, presented.intermediates).into_iter().find_map(|issuer| {
                    let oid = issuer.unknown_critical.first().or(issuer.policy_critical.as_ref())?;
                    let problem = IssuerProblem::NoAuthority(NoAuthority::UnknownCritical(oid.clone()));
                    Some(Reason::Intermediate { subject: issuer.subject.short(), problem })
                })
            }
            E::InvalidSignatureForPublicKey => self.other_key(certificate, presented),
            E::NameConstraintViolation => Some(Reason::NameConstraints),
            E::UnsupportedSignatureAlgorithmContext(_) | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
                self.weak_issuer(certificate, presented).or(Some(Reason::SignatureAlgorithm))
            }
            _ => None,
        };
        named.unwrap_or_else(|| Reason::Path { detail: in_words(&error), trusted: TrustedSummary::of(self) })
    }

    /// An issuer in the chain, or the anchor that it leads to, has a key that nothing may be signed with.
    fn weak_issuer(&self, certificate: &Certificate, presented: &Presented<'_>) -> Option<Reason> {
        let issuers = chain(certificate, presented.intermediates);
        if let Some(weak) = issuers.iter().find(|issuer| !issuer.key.is_accepted()) {
            let problem = IssuerProblem::Key(weak.key.clone());
            return Some(Reason::Intermediate { subject: weak.subject.short(), problem });
        }
        let wanted = issuers.last().unwrap_or(certificate);
        let anchor = self.trusted().find(|t| t.role == Role::Anchor && t.certificate.subject == wanted.issuer)?;
        (!anchor.certificate.key.is_accepted()).then(|| Reason::Anchor {
            subject: anchor.certificate.subject.short(),
            file: anchor.origin.file.clone(),
            line: anchor.origin.line,
            problem: IssuerProblem::Key(anchor.certificate.key.clone()),
        })
    }

    /// An anchor bears the name of an issuer in the chain, but its key did not sign.
    fn other_key(&self, certificate: &Certificate, presented: &Presented<'_>) -> Option<Reason> {
        if let Some(weak) = self.weak_issuer(certificate, presented) {
            return Some(weak);
        }
        let issuers = chain(certificate, presented.intermediates);
        let wanted = issuers.last().unwrap_or(certificate);
        let anchor = self.trusted().find(|t| t.role == Role::Anchor && t.certificate.subject == wanted.issuer)?;
        Some(Reason::OtherKey {
            issuer: wanted.issuer.short(),
            file: anchor.origin.file.clone(),
            line: anchor.origin.line,
        })
    }

    fn unknown_issuer(&self, certificate: &Certificate, presented: &Presented<'_>) -> Reason {
        let trusted = TrustedSummary::of(self);
        if certificate.is_self_issued() {
            return Reason::SelfSigned { subject: certificate.subject.short(), trusted };
        }
        let issuers = chain(certificate, presented.intermediates);
        let last: &DistinguishedName = issuers.last().map_or(&certificate.issuer, |issuer| &issuer.issuer);
        for held in self.trusted() {
            if let Role::Pin(why) = &held.role
                && (held.certificate.subject == *last || held.certificate.subject == certificate.issuer)
            {
                return Reason::IssuerIsNoAuthority {
                    issuer: held.certificate.subject.short(),
                    file: held.origin.file.clone(),
                    line: held.origin.line,
                    why: why.clone(),
                };
            }
        }
        let chain_issuer = (*last != certificate.issuer).then(|| last.short());
        Reason::UnknownIssuer { issuer: certificate.issuer.short(), chain_issuer, trusted }
    }
}

/// What a server's certificate must be, whoever signed it. In the order in which Go looks.
fn judge_end_entity<'p>(
    certificate: &Certificate,
    presented: &Presented<'p>,
    now: UnixTime,
) -> Result<EndEntityCert<'p>, Reason> {
    if let Some(oid) = certificate.unknown_critical.first() {
        return Err(Reason::UnknownCritical(oid.clone()));
    }
    if now > certificate.not_after {
        return Err(Reason::Expired { not_after: certificate.not_after, now });
    }
    if now < certificate.not_before {
        return Err(Reason::NotYetValid { not_before: certificate.not_before, now });
    }
    if !server_name::covers(&certificate.names, presented.server_name) {
        return Err(Reason::WrongName {
            expected: server_name::text(presented.server_name),
            names: PresentedCertificate::new(certificate, 0).names,
        });
    }
    if certificate.may_serve_tls == Some(false) {
        return Err(Reason::WrongPurpose);
    }
    if !certificate.key.is_accepted() {
        return Err(Reason::WeakKey(certificate.key.clone()));
    }
    EndEntityCert::try_from(presented.end_entity).map_err(|error| match &certificate.policy_critical {
        Some(oid) => Reason::UnknownCritical(oid.clone()),
        None => Reason::Unreadable(CertificateProblem::NotTaken(error.to_string())),
    })
}

/// Why a part of a pool does not vouch for a certificate.
enum Failure {
    UnknownIssuer,
    /// By a rule that the path builder does not have.
    Refused(Reason),
    Path(webpki::Error),
}

impl Authority {
    fn chain(
        &self,
        parsed: &EndEntityCert<'_>,
        presented: &Presented<'_>,
        now: UnixTime,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<&Trusted, Failure> {
        // The path builder keeps neither the validity nor the path length of an anchor, and does not look at the key usage
        // of intermediates. It asks here about every path it finds, and goes on looking when the answer is no.
        let refused = RefCell::new(None);
        let judge_path = |path: &VerifiedPath<'_>| match self.judge_path(path, now) {
            Ok(()) => Ok(()),
            Err(reason) => {
                refused.borrow_mut().get_or_insert(reason);
                Err(webpki::Error::UnknownIssuer)
            }
        };
        let found = parsed.verify_for_usage(
            algorithms,
            self.anchors(),
            presented.intermediates,
            now,
            PurposeJudgedElsewhere,
            None,
            Some(&judge_path),
        );
        match found.map(|path| self.certificate_of(path.anchor())) {
            Ok(Some(trusted)) => Ok(trusted),
            Ok(None) => Err(Failure::UnknownIssuer),
            Err(error) => Err(match (refused.take(), error) {
                (Some(reason), _) => Failure::Refused(reason),
                (None, webpki::Error::UnknownIssuer) => Failure::UnknownIssuer,
                (None, error) => Failure::Path(error),
            }),
        }
    }

    fn judge_path(&self, path: &VerifiedPath<'_>, now: UnixTime) -> Result<(), Reason> {
        let mut below = 0;
        for link in path.intermediate_certificates() {
            below += 1;
            let issuer = Certificate::parse(&link.der()).map_err(Reason::Unreadable)?;
            if let Some(why) = issuer.no_authority() {
                let problem = IssuerProblem::NoAuthority(why);
                return Err(Reason::Intermediate { subject: issuer.subject.short(), problem });
            }
        }
        let Some(anchor) = self.certificate_of(path.anchor()) else {
            return Err(Reason::Unreadable(CertificateProblem::NotTaken("the anchor is not of this pool".to_string())));
        };
        let certificate = &anchor.certificate;
        let path_length = certificate.basic_constraints.and_then(|constraints| constraints.path_length);
        let problem = if now > certificate.not_after {
            IssuerProblem::Expired { not_after: certificate.not_after, now }
        } else if now < certificate.not_before {
            IssuerProblem::NotYetValid { not_before: certificate.not_before, now }
        } else if let Some(limit) = path_length.filter(|&limit| below > limit) {
            IssuerProblem::PathLength { limit, actual: below }
        } else {
            return Ok(());
        };
        Err(Reason::Anchor {
            subject: certificate.subject.short(),
            file: anchor.origin.file.clone(),
            line: anchor.origin.line,
            problem,
        })
    }
}

/// What the path builder says, in words where it has only the name of a case.
fn in_words(error: &webpki::Error) -> String {
    use webpki::Error as E;
    match error {
        E::MaximumPathDepthExceeded => {
            "more intermediate certificates stand between than are followed, which is 6".into()
        }
        E::MaximumSignatureChecksExceeded
        | E::MaximumPathBuildCallsExceeded
        | E::MaximumNameConstraintComparisonsExceeded => {
            "too many certificates have the name of an issuer for all ways through them to be tried".into()
        }
        E::BadDerTime => "a certificate has a time that cannot be read".into(),
        other => other.to_string(),
    }
}

/// What the path builder keeps of an anchor.
pub(super) fn anchor(der: &CertificateDer<'_>) -> Result<TrustAnchor<'static>, CertificateProblem> {
    match webpki::anchor_from_trusted_cert(der) {
        Ok(anchor) => Ok(anchor.to_owned()),
        Err(error) => Err(CertificateProblem::NotTaken(not_taken(&error).into())),
    }
}

/// In words of our own: those of the library name every error that there is.
fn not_taken(error: &webpki::Error) -> &'static str {
    match error {
        webpki::Error::UnsupportedCertVersion => "its version is not 3",
        webpki::Error::UnsupportedCriticalExtension => "it has a critical extension that is not understood",
        webpki::Error::ExtensionValueInvalid => "an extension is malformed or stands twice",
        webpki::Error::BadDerTime => "a time is malformed",
        _ => "its DER is malformed",
    }
}

/// The issuers of a certificate among those that were sent, nearest first, by name alone: good for explaining.
fn chain(certificate: &Certificate, sent: &[CertificateDer<'_>]) -> Vec<Certificate> {
    let mut left: Vec<Certificate> = sent.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
    let mut issuers: Vec<Certificate> = Vec::new();
    while let Some(next) = {
        let wanted = issuers.last().unwrap_or(certificate);
        left.iter().position(|candidate| candidate.subject == wanted.issuer && !wanted.is_self_issued())
    } {
        issuers.push(left.swap_remove(next));
    }
    issuers
}

/// Extended key usage is judged with the rest of a certificate, because the path builder does not know
/// `anyExtendedKeyUsage`, which Go takes: for the server in [`judge_end_entity`], for intermediates in
/// [`Authority::judge_path`], for anchors when they are added.
struct PurposeJudgedElsewhere;

impl ExtendedKeyUsageValidator for PurposeJudgedElsewhere {
    fn validate(&self, mut purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        purposes.try_for_each(|purpose| purpose.map(|_| ()))
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use alloc::sync::Arc;
    use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, alg_id};

    use super::super::bundle::{CaBundle, SystemRoots};
    use super::super::fixture;
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    macro_rules! pem {
        ($name:literal) => {
            include_str!(concat!("../../../tests/data/certificates/", $name, ".pem"))
        };
    }

    /// Signatures are made up here: real ones are verified in `tests/tests/tls/rows.rs`.
    #[derive(Debug)]
    enum Signatures {
        AllGood,
        AllBad,
    }

    impl SignatureVerificationAlgorithm for Signatures {
        fn verify_signature(&self, _key: &[u8], _message: &[u8], _signature: &[u8]) -> Result<(), InvalidSignature> {
            match self {
                Self::AllGood => Ok(()),
                Self::AllBad => Err(InvalidSignature),
            }
        }

        fn public_key_alg_id(&self) -> AlgorithmIdentifier {
            alg_id::ECDSA_P256
        }

        fn signature_alg_id(&self) -> AlgorithmIdentifier {
            alg_id::ECDSA_SHA256
        }
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    /// 2027-01-15T08:00:00Z
    const NOW: u64 = 1_800_000_000;

    fn pool(bundle: &str) -> Pool {
        let (bundle, _) = CaBundle::read("ca.crt", bundle.as_bytes(), at(NOW));
        Pool::new(Arc::new(SystemRoots::read([("roots.pem", pem!("ca-p521").as_bytes())])), bundle.map(Arc::new))
    }

    struct Judge {
        host: &'static str,
        now: u64,
        signatures: Signatures,
    }

    const USUAL: Judge = Judge { host: "mcp.example", now: NOW, signatures: Signatures::AllGood };

    impl Judge {
        fn judge(&self, bundle: &str, chain: &[Certificate]) -> Result<TrustedBy, TrustError> {
            let chain: Vec<_> = chain.iter().map(|certificate| certificate.der().clone()).collect();
            let server_name = ServerName::try_from(self.host).unwrap();
            let presented = Presented { end_entity: &chain[0], intermediates: &chain[1..], server_name: &server_name };
            pool(bundle).verify(&presented, at(self.now), &[&self.signatures])
        }

        fn reason(&self, bundle: &str, chain: &[Certificate]) -> String {
            self.judge(bundle, chain).unwrap_err().reason.to_string()
        }
    }

    #[test]
    fn an_anchor_vouches_and_is_named() {
        let by = USUAL.judge(pem!("ca"), &[fixture!("server")]).unwrap();
        assert_eq!(by.to_string(), "anchor \"CN=Acme Test CA,O=Acme\" at ca.crt:1");
        let json = serde_json::to_value(&by).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "role": "anchor", "source": "bundle", "subject": "CN=Acme Test CA,O=Acme",
                "sha256": include_str!("../../../tests/data/certificates/ca.sha256").trim(),
                "file": "ca.crt", "line": 1, "notAfter": "2120-01-01T00:00:00Z",
                "presented": {
                    "subject": "CN=mcp.example", "issuer": "CN=Acme Test CA,O=Acme", "names": ["mcp.example"],
                    "notBefore": "2020-01-01T00:00:00Z", "notAfter": "2120-01-01T00:00:00Z", "intermediates": 0,
                },
            })
        );
    }

    #[test]
    fn a_pin_vouches_and_is_named() {
        let by = USUAL.judge(pem!("self"), &[fixture!("self")]).unwrap();
        assert_eq!(by.to_string(), "pin \"CN=mcp.example\" at ca.crt:1");
        let by = USUAL.judge(pem!("self-ca"), &[fixture!("self-ca")]).unwrap();
        assert_eq!(by.to_string(), "pin \"CN=mcp.example\" at ca.crt:1");
    }

    #[test]
    fn an_error_says_what_was_presented_and_what_was_trusted() {
        let error = USUAL.judge(pem!("ca-ed25519"), &[fixture!("server")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "certificate is issued by \"Acme Test CA\", which is none of the 1 anchors of ca.crt and 1 of the system; \
             presented: \"CN=mcp.example\", issued by \"CN=Acme Test CA,O=Acme\", for mcp.example, valid \
             2020-01-01T00:00:00Z to 2120-01-01T00:00:00Z"
        );
        assert_eq!(
            *error.trusted,
            TrustedSummary { bundle: Some("ca.crt".into()), bundle_anchors: 1, bundle_pins: 0, system_anchors: 1 }
        );
        assert_eq!(error.presented.unwrap().intermediates, 0);
    }

    #[test]
    fn a_certificate_in_both_parts_is_counted_once() {
        let error = USUAL.judge(pem!("ca-p521"), &[fixture!("server")]).unwrap_err();
        assert_eq!((error.trusted.bundle_anchors, error.trusted.system_anchors), (1, 0));
    }

    #[test]
    fn strangers_are_refused() {
        assert_eq!(
            USUAL.reason("", &[fixture!("server")]),
            "certificate is issued by \"Acme Test CA\", which is none of the 1 anchors of the system"
        );
        assert_eq!(
            USUAL.reason(pem!("ca-ed25519"), &[fixture!("server-below-intermediate"), fixture!("intermediate")]),
            "certificate is issued by \"Acme Intermediate\", and the chain that was sent ends at \"Acme Test CA\", which is \
             none of the 1 anchors of ca.crt and 1 of the system"
        );
        assert_eq!(
            USUAL.reason(pem!("ca"), &[fixture!("self")]),
            "certificate is self-signed (\"mcp.example\") and is none of the 1 anchors of ca.crt and 1 of the system"
        );
        assert_eq!(
            USUAL.reason(pem!("server"), &[fixture!("self")]),
            "certificate is self-signed (\"mcp.example\") and is none of the 0 anchors of ca.crt and 1 of the system, nor \
             one of the 1 certificates that the bundle pins"
        );
        assert_eq!(
            USUAL.reason(pem!("ca-false"), &[fixture!("server-below-false")]),
            "certificate is issued by \"Test CA FALSE\", which ca.crt:1 holds only as a pin: its basic constraints say \
             `CA:FALSE`; a CA has `CA:TRUE`"
        );
        assert_eq!(
            Judge { signatures: Signatures::AllBad, ..USUAL }.reason(pem!("ca-renewed"), &[fixture!("server")]),
            "certificate names \"Acme Test CA\" as its issuer, but the anchor of that name at ca.crt:1 did not sign it; was \
             the CA renewed with another key?"
        );
    }

    #[test]
    fn authorities_that_may_not_are_refused() {
        assert_eq!(
            USUAL.reason(pem!("ca-path0"), &[fixture!("server-below-path0"), fixture!("intermediate-path0")]),
            "certificate leads to the anchor \"Test CA path 0\" at ca.crt:1, which allows at most 0 intermediate \
             certificates below it; the chain has 1"
        );
        assert!(USUAL.judge(pem!("ca-path0"), &[fixture!("server-direct-path0")]).is_ok());
        assert_eq!(
            USUAL.reason(pem!("ca"), &[fixture!("server-below-no-sign"), fixture!("intermediate-no-sign")]),
            "certificate leads to the intermediate certificate \"Acme Unsigning\", which is no authority: its key usage does \
             not allow signing certificates; a CA has `keyCertSign`"
        );
        assert!(USUAL.judge(pem!("ca"), &[fixture!("server-below-any"), fixture!("intermediate-any")]).is_ok());
        assert_eq!(
            USUAL.reason(pem!("ca-names"), &[fixture!("server-below-names")]),
            "certificate has a name that the name constraints of one of its issuers exclude"
        );
        assert_eq!(
            USUAL.reason(pem!("ca-rsa2048"), &[fixture!("server-sha1")]),
            "certificate or one of its issuers is signed with an algorithm that is not accepted; expected RSA, ECDSA or \
             Ed25519 with SHA-256 or better"
        );
        let past = IssuerProblem::Expired { not_after: at(0), now: at(90_000) };
        assert_eq!(past.to_string(), "expired at 1970-01-01T00:00:00Z; it is now 1970-01-02T01:00:00Z, 1 day later");
        let future = IssuerProblem::NotYetValid { not_before: at(7200), now: at(0) };
        assert_eq!(
            future.to_string(),
            "is not valid before 1970-01-01T02:00:00Z; it is now 1970-01-01T00:00:00Z, 2 hours earlier"
        );
        let weak = IssuerProblem::Key(fixture!("ca-rsa1024").key);
        assert_eq!(
            weak.to_string(),
            "has a key that is not accepted (RSA 1024); expected RSA of 2048 to 8192 bits, ECDSA or Ed25519"
        );
    }

    #[test]
    fn servers_that_are_not_themselves_are_refused() {
        let reason = |certificate| USUAL.reason(pem!("ca"), &[certificate]);
        assert_eq!(
            Judge { host: "bank.example", ..USUAL }.reason(pem!("ca"), &[fixture!("server")]),
            "certificate is for mcp.example; the backend is called as bank.example"
        );
        assert_eq!(
            Judge { host: "10.0.0.1", ..USUAL }.reason(pem!("self"), &[fixture!("self")]),
            "certificate is for mcp.example and 127.0.0.1; the backend is called as 10.0.0.1"
        );
        assert_eq!(
            reason(fixture!("server-cn-only")),
            "certificate has no subject alternative name; the backend is called as mcp.example"
        );
        assert_eq!(
            reason(fixture!("server-client-only")),
            "certificate's extended key usage does not allow TLS servers; expected serverAuth"
        );
        assert_eq!(
            reason(fixture!("server-critical")),
            "certificate has the critical extension 1.2.3.4.5, which is not understood"
        );
        assert_eq!(
            reason(fixture!("server-rsa1024")),
            "certificate's key is RSA 1024; expected RSA of 2048 to 8192 bits, ECDSA P-256, P-384 or P-521, or Ed25519"
        );
        assert_eq!(
            reason(fixture!("server-ca")),
            "certificate is itself a CA (basic constraints `CA:TRUE`), issued by \"Acme Test CA\"; expected `CA:FALSE`, or \
             the certificate itself in the CA bundle"
        );
        assert_eq!(
            Judge { now: 4_733_510_400 + 3600, ..USUAL }.reason(pem!("ca"), &[fixture!("server")]),
            "certificate expired at 2120-01-01T00:00:00Z; it is now 2120-01-01T01:00:00Z, 1 hour later"
        );
        assert_eq!(
            Judge { now: 1_577_836_800 - 1, ..USUAL }.reason(pem!("ca"), &[fixture!("server")]),
            "certificate is not valid before 2020-01-01T00:00:00Z; it is now 2019-12-31T23:59:59Z, 1 second earlier"
        );
        // Both ends are included.
        for now in [4_733_510_400, 1_577_836_800] {
            assert!(Judge { now, ..USUAL }.judge(pem!("ca"), &[fixture!("server")]).is_ok());
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let junk = CertificateDer::from(&b"junk"[..]);
        let server_name = ServerName::try_from("mcp.example").unwrap();
        let presented = Presented { end_entity: &junk, intermediates: &[], server_name: &server_name };
        let error = pool(pem!("ca")).verify(&presented, at(NOW), &[&Signatures::AllGood]).unwrap_err();
        assert_eq!(error.to_string(), "certificate cannot be read: its outer sequence is malformed");
        let server = fixture!("server");
        let intermediates = [junk];
        let presented =
            Presented { end_entity: server.der(), intermediates: &intermediates, server_name: &server_name };
        assert!(pool(pem!("ca")).verify(&presented, at(NOW), &[&Signatures::AllGood]).is_ok());
        let path = Reason::Path { detail: "Detail".into(), trusted: TrustedSummary::of(&pool(pem!("ca"))) };
        assert_eq!(
            path.to_string(),
            "certificate does not lead to the 1 anchors of ca.crt and 1 of the system: Detail"
        );
    }
}
