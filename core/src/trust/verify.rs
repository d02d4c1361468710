//! Judges the certificates that a server presents against a pool.
//!
//! The one file that names the path builder (rustls-webpki, RFC 5280 section 6). It does not check the handshake's own
//! signature; the TLS stack does.

use alloc::boxed::Box;
use alloc::string::ToString;
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
            E::InvalidSignatureForPublicKey => self.other_key(certificate, presented),
            E::NameConstraintViolation => Some(Reason::NameConstraints),
            E::UnsupportedSignatureAlgorithmContext(_) | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
                Some(Reason::SignatureAlgorithm)
            }
            _ => None,
        };
        named.unwrap_or_else(|| Reason::Path { detail: error.to_string(), trusted: TrustedSummary::of(self) })
    }

    /// An anchor bears the name of an issuer in the chain, but its key did not sign.
    fn other_key(&self, certificate: &Certificate, presented: &Presented<'_>) -> Option<Reason> {
        let issuers = chain(certificate, presented.intermediates);
        let wanted = issuers.last().unwrap_or(certificate);
        let anchor = self.trusted().find(|t| t.role == Role::Anchor && t.certificate.subject == wanted.issuer)?;
        if !anchor.certificate.key.is_accepted() {
            return Some(Reason::Anchor {
                subject: anchor.certificate.subject.short(),
                file: anchor.origin.file.clone(),
                line: anchor.origin.line,
                problem: IssuerProblem::Key(anchor.certificate.key.clone()),
            });
        }
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
    EndEntityCert::try_from(presented.end_entity)
        .map_err(|error| Reason::Unreadable(CertificateProblem::NotTaken(error.to_string())))
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

/// What the path builder keeps of an anchor.
pub(super) fn anchor(der: &CertificateDer<'_>) -> Result<TrustAnchor<'static>, CertificateProblem> {
    match webpki::anchor_from_trusted_cert(der) {
        Ok(anchor) => Ok(anchor.to_owned()),
        Err(error) => Err(CertificateProblem::NotTaken(error.to_string())),
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
