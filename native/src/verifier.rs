//! Joins rustls to a CA pool: each handshake is judged by [`Pool::verify`], with the signature algorithms of aws-lc-rs.
//!
//! It decides nothing about trust, and there is no switch that turns verification off.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use vmcp_core::trust::{Pool, Presented, TrustError, TrustedBy};

/// The TLS configuration of one backend: TLS 1.2 and 1.3, no client certificate, verified against `pool` alone.
///
/// Sessions are not resumed: a resumed session skips certificates, so an anchor that has expired since would still count.
/// Go's client does not resume either.
#[must_use]
pub fn client_config(pool: Arc<Pool>) -> Arc<ClientConfig> {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(Verifier { pool, algorithms: provider.signature_verification_algorithms });
    Arc::new(build(provider, verifier))
}

fn build(provider: Arc<CryptoProvider>, verifier: Arc<Verifier>) -> ClientConfig {
    // The provider speaks both versions, which is all that can fail here.
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3 have cipher suites")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config
}

/// The [`TrustError`] in a TLS error, if that is what ended the handshake. Look for the [`rustls::Error`] with
/// `std::io::Error::get_ref` and `downcast_ref`.
#[must_use]
pub fn trust_error(error: &Error) -> Option<&TrustError> {
    match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => inner.downcast_ref(),
        _ => None,
    }
}

/// The [`TrustError`] anywhere in the chain of causes of an error.
#[must_use]
pub fn find_trust_error<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e TrustError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<TrustError>() {
            return Some(found);
        }
        if let Some(found) = error.downcast_ref::<Error>().and_then(trust_error) {
            return Some(found);
        }
        // An I/O error shows the cause of what it wraps, not what it wraps.
        if let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            next = Some(inner);
            continue;
        }
        next = error.source();
    }
    None
}

/// Judges the certificates of a connection again, to say by what it is trusted. `certificates` are those of
/// [`rustls::CommonState::peer_certificates`], the server's own first.
///
/// # Errors
/// As [`Pool::verify`]; after a handshake that passed, only when a certificate has expired since.
pub fn trusted_by(
    pool: &Pool,
    certificates: &[CertificateDer<'_>],
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Option<Result<TrustedBy, TrustError>> {
    let (end_entity, intermediates) = certificates.split_first()?;
    let presented = Presented { end_entity, intermediates, server_name };
    Some(pool.verify(&presented, now, crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all))
}

#[derive(Debug)]
struct Verifier {
    pool: Arc<Pool>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = Presented { end_entity, intermediates, server_name };
        match self.pool.verify(&presented, now, self.algorithms.all) {
            Ok(_) => Ok(ServerCertVerified::assertion()),
            Err(error) => Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
