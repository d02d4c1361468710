//! A private certificate authority that lives as long as the demonstration.
//!
//! Its keys stay in memory; only its certificate is ever written down.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// How long its certificates are valid; the demonstration is over before.
const VALIDITY: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Clocks differ a little.
const BACKDATED: Duration = Duration::from_secs(60 * 60);

/// An authority with its key.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MintError {
    /// The certificate cannot be made.
    #[error("a certificate of the demonstration cannot be made")]
    Certificate(#[from] rcgen::Error),
    /// The certificate cannot be served.
    #[error("a certificate of the demonstration cannot be served")]
    Tls(#[from] rustls::Error),
}

impl Authority {
    /// A new authority of this name, with a P-256 key.
    pub(crate) fn new(name: &str) -> Result<Self, MintError> {
        let mut params = params(Vec::new(), name)?;
        // Path length 0: it signs servers, not further authorities.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// Its certificate: what a CA bundle holds.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// TLS for a server that this authority vouches for under these names.
    pub(crate) fn server_config(&self, names: &[&str]) -> Result<Arc<ServerConfig>, MintError> {
        let first = names.first().copied().unwrap_or("localhost");
        let mut params = params(names.iter().map(|&name| name.to_owned()).collect(), first)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn params(names: Vec<String>, common_name: &str) -> Result<CertificateParams, MintError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::OrganizationName, "vmcp demo");
    params.distinguished_name.push(DnType::CommonName, common_name);
    let now = SystemTime::now();
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + VALIDITY).into();
    Ok(params)
}
