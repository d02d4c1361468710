//! Certificates made at run time, and those of `tests/data/certificates` that rcgen cannot make.
//!
//! It knows nothing of handshakes.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

pub(crate) use crate::pem::pem;

pub(crate) const HOST: &str = "mcp.example";

/// A certificate with its key.
pub(crate) struct Minted {
    pub(crate) certificate: CertificateDer<'static>,
    params: CertificateParams,
    key: KeyPair,
}

impl Minted {
    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    pub(crate) fn pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Signs with the key of `self`, whatever its certificate allows.
    pub(crate) fn issue(&self, params: CertificateParams) -> Minted {
        self.issue_with_key(params, p256())
    }

    pub(crate) fn issue_with_key(&self, params: CertificateParams, key: KeyPair) -> Minted {
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer).unwrap().der().clone();
        Minted { certificate, params, key }
    }

    /// Signs for somebody of whom only the public key is known.
    pub(crate) fn vouch(&self, params: CertificateParams, key: &RsaKey) -> CertificateDer<'static> {
        params.signed_by(key, &Issuer::from_params(&self.params, &self.key)).unwrap().der().clone()
    }

    /// Another certificate of the same key and name.
    pub(crate) fn again(&self, change: impl FnOnce(&mut CertificateParams)) -> Minted {
        let mut params = self.params.clone();
        change(&mut params);
        let key = KeyPair::from_pem(&self.key.serialize_pem()).unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Minted { certificate, params, key }
    }
}

pub(crate) fn self_signed(params: CertificateParams) -> Minted {
    self_signed_with_key(params, p256())
}

pub(crate) fn self_signed_with_key(params: CertificateParams, key: KeyPair) -> Minted {
    let certificate = params.self_signed(&key).unwrap().der().clone();
    Minted { certificate, params, key }
}

/// A public key of 1024 bits, which nothing here makes.
pub(crate) struct RsaKey(Vec<u8>);

impl RsaKey {
    /// That of a certificate: `SEQUENCE` of 137 bytes that begins with an `INTEGER` of 129 (RFC 8017 appendix A.1.1).
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        let begins = [0x30, 0x81, 0x89, 0x02, 0x81, 0x81];
        let at = certificate.windows(begins.len()).position(|window| window == begins).unwrap();
        Self(certificate[at..at + 140].to_vec())
    }
}

impl rcgen::PublicKeyData for RsaKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

pub(crate) fn p256() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
}

/// An ordinary CA.
pub(crate) fn ca(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// An ordinary server of these names and addresses.
pub(crate) fn server(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or("server"));
    params.subject_alt_names = names
        .iter()
        .map(|name| match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*name).try_into().unwrap()),
        })
        .collect();
    params.is_ca = IsCa::ExplicitNoCa;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

pub(crate) fn with(mut params: CertificateParams, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    change(&mut params);
    params
}

pub(crate) fn expired(params: &mut CertificateParams) {
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
}

pub(crate) fn not_yet(params: &mut CertificateParams) {
    params.not_before = rcgen::date_time_ymd(4000, 1, 1);
}

pub(crate) fn unknown_critical(params: &mut CertificateParams) {
    let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4, 5], vec![5, 0]);
    extension.set_criticality(true);
    params.custom_extensions.push(extension);
}

/// A certificate of `tests/data/certificates`.
pub(crate) fn fixture(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path(name, "pem")).unwrap()
}

pub(crate) fn fixture_key(name: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_file(path(name, "key")).unwrap()
}

fn path(name: &str, extension: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/certificates").join(format!("{name}.{extension}"))
}
