//! Signatures of tokens, verified with the keys that the core selected.
//!
//! It selects no key and reads no claim. aws-lc-rs is used as it is, because it knows P-521, which the JWT crates do not.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use vmcp_core::bearer::{Algorithm, Jws, Key, PublicKey};

/// Whether this key made the signature.
pub(super) fn is_by(jws: &Jws<'_>, key: &Key) -> bool {
    let (message, signature) = (jws.signed.as_bytes(), &jws.signature[..]);
    let of = |algorithm: &'static dyn VerificationAlgorithm, point: &[u8]| {
        UnparsedPublicKey::new(algorithm, point).verify(message, signature).is_ok()
    };
    match (&key.public, jws.header.algorithm) {
        (PublicKey::Rsa { n, e }, algorithm) => rsa(algorithm)
            .is_some_and(|parameters| RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()),
        (PublicKey::P256(point), Algorithm::Es256) => of(&ECDSA_P256_SHA256_FIXED, point),
        (PublicKey::P384(point), Algorithm::Es384) => of(&ECDSA_P384_SHA384_FIXED, point),
        (PublicKey::P521(point), Algorithm::Es512) => of(&ECDSA_P521_SHA512_FIXED, point),
        (PublicKey::Ed25519(point), Algorithm::EdDsa) => of(&ED25519, point),
        // The core selects no such key; nothing is verified by a key that is not for it.
        _ => false,
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}
