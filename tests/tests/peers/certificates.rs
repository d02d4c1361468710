//! Certificates made for one test, as PEM.
//!
//! They are as plain as certificates get; odd ones are tried in the TLS tests.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

/// A private CA.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A server's certificate with its key.
pub(crate) struct Certificate {
    pem: String,
    key: String,
}

/// So many days from now; a negative number lies in the past.
pub(crate) fn days(count: i64) -> SystemTime {
    let distance = Duration::from_secs(count.unsigned_abs() * 24 * 60 * 60);
    if count < 0 { SystemTime::now() - distance } else { SystemTime::now() + distance }
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = params(name, &[], days(-30), days(30));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A server's certificate for these names and this time.
    pub(crate) fn issue(&self, names: &[&str], from: SystemTime, until: SystemTime) -> Certificate {
        let mut params = server(names[0], names, from, until);
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        Certificate { pem: params.signed_by(&key, &self.issuer).unwrap().pem(), key: key.serialize_pem() }
    }
}

impl Certificate {
    /// One that nobody vouches for.
    pub(crate) fn self_signed(name: &str, names: &[&str]) -> Self {
        let key = KeyPair::generate().unwrap();
        let pem = server(name, names, days(-1), days(7)).self_signed(&key).unwrap().pem();
        Self { pem, key: key.serialize_pem() }
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }
}

fn server(name: &str, names: &[&str], from: SystemTime, until: SystemTime) -> CertificateParams {
    let mut params = params(name, names, from, until);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn params(name: &str, names: &[&str], from: SystemTime, until: SystemTime) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = from.into();
    params.not_after = until.into();
    params
}
