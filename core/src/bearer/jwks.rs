//! Key sets (RFC 7517) and which of their keys may have signed a token.
//!
//! It does no cryptography. Keys that it cannot use are left out, as RFC 7517 section 5 wants it; secrets are never used.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::jws::{Algorithm, Header};
use super::object;
use crate::mcp::base64::{self, Alphabet};

/// Keys of one set that are looked at.
const KEYS: usize = 256;
/// Bits of an RSA modulus, at least and at most (RFC 7518 section 3.3; the upper bound keeps verifying cheap).
const MODULUS: core::ops::RangeInclusive<usize> = 2048..=8192;

/// The keys of an issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet {
    /// Those that can be used.
    pub keys: Vec<Key>,
    /// How many cannot.
    pub ignored: usize,
}

/// One public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// `kid`.
    pub id: Option<String>,
    /// `alg`, if it is for that alone.
    algorithm: Option<Algorithm>,
    /// The key.
    pub public: PublicKey,
}

/// The numbers of a public key, in big-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// RFC 7518 section 6.3.1.
    Rsa {
        /// The modulus, without leading zeros.
        n: Vec<u8>,
        /// The exponent, without leading zeros.
        e: Vec<u8>,
    },
    /// An uncompressed point (SEC 1 section 2.3.3) on P-256.
    P256(Vec<u8>),
    /// On P-384.
    P384(Vec<u8>),
    /// On P-521.
    P521(Vec<u8>),
    /// RFC 8037 section 2: 32 bytes.
    Ed25519(Vec<u8>),
}

/// Which keys may have signed a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected<'k> {
    /// One of these; more than one only if they share an id.
    Keys(Vec<&'k Key>),
    /// The set does not name the key: a newer one may.
    UnknownId,
    /// The key is named and not for this.
    Unfit,
    /// The token names none, and one cannot be told.
    NotNamed,
}

/// A text that is no key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoKeySet {
    /// Not what RFC 7517 section 5 describes.
    #[error("it is no JSON object with a list of `keys`")]
    NotASet,
    /// Nothing to verify with.
    #[error("none of its {0} keys can verify a signature")]
    NoKeys(usize),
}

#[derive(serde::Deserialize)]
struct WrittenSet<'t> {
    #[serde(borrow)]
    keys: Vec<&'t serde_json::value::RawValue>,
}

#[derive(serde::Deserialize)]
struct Written<'t> {
    #[serde(borrow)]
    kty: Cow<'t, str>,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

impl KeySet {
    /// Reads a set.
    ///
    /// # Errors
    /// It is none, or no key in it can be used: the keys that were known are better than that.
    pub fn read(json: &[u8]) -> Result<Self, NoKeySet> {
        let set: WrittenSet<'_> = object(json).ok_or(NoKeySet::NotASet)?;
        let all = set.keys.len();
        let keys: Vec<_> = set.keys.into_iter().take(KEYS).filter_map(|key| Key::read(key.get())).collect();
        if keys.is_empty() {
            return Err(NoKeySet::NoKeys(all));
        }
        Ok(Self { ignored: all - keys.len(), keys })
    }

    /// The keys that may have signed a token with this header.
    #[must_use]
    pub fn select(&self, header: &Header) -> Selected<'_> {
        let fits = |key: &&Key| key.fits(header.algorithm);
        let Some(id) = &header.key_id else {
            let fitting: Vec<_> = self.keys.iter().filter(fits).collect();
            return if fitting.len() == 1 { Selected::Keys(fitting) } else { Selected::NotNamed };
        };
        let named: Vec<_> = self.keys.iter().filter(|key| key.id.as_ref() == Some(id)).collect();
        if named.is_empty() {
            return Selected::UnknownId;
        }
        let fitting: Vec<_> = named.into_iter().filter(fits).collect();
        if fitting.is_empty() { Selected::Unfit } else { Selected::Keys(fitting) }
    }
}

impl Key {
    fn read(json: &str) -> Option<Self> {
        let written: Written<'_> = object(json.as_bytes())?;
        // RFC 7517 sections 4.2 and 4.3.
        let signs = written.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
        let verifies = written.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !signs || !verifies {
            return None;
        }
        let algorithm = match &written.alg {
            Some(name) => Some(Algorithm::named(name)?),
            None => None,
        };
        let number = |text: &Option<String>| base64::decode(Alphabet::Url, text.as_deref()?);
        let public = match (&*written.kty, written.crv.as_deref()) {
            ("RSA", _) => rsa(number(&written.n)?, number(&written.e)?)?,
            ("EC", Some("P-256")) => PublicKey::P256(point(&number(&written.x)?, &number(&written.y)?, 32)?),
            ("EC", Some("P-384")) => PublicKey::P384(point(&number(&written.x)?, &number(&written.y)?, 48)?),
            ("EC", Some("P-521")) => PublicKey::P521(point(&number(&written.x)?, &number(&written.y)?, 66)?),
            ("OKP", Some("Ed25519")) => PublicKey::Ed25519(number(&written.x).filter(|key| key.len() == 32)?),
            _ => return None,
        };
        let key = Self { id: written.kid, algorithm: None, public };
        match algorithm {
            Some(algorithm) if !key.fits(algorithm) => None,
            algorithm => Some(Self { algorithm, ..key }),
        }
    }

    /// RFC 8725 section 3.1: a key is used with the algorithm that it is for, and no other.
    fn fits(&self, algorithm: Algorithm) -> bool {
        let can = match &self.public {
            PublicKey::Rsa { .. } => matches!(
                algorithm,
                Algorithm::Rs256
                    | Algorithm::Rs384
                    | Algorithm::Rs512
                    | Algorithm::Ps256
                    | Algorithm::Ps384
                    | Algorithm::Ps512
            ),
            PublicKey::P256(_) => algorithm == Algorithm::Es256,
            PublicKey::P384(_) => algorithm == Algorithm::Es384,
            PublicKey::P521(_) => algorithm == Algorithm::Es512,
            PublicKey::Ed25519(_) => algorithm == Algorithm::EdDsa,
        };
        can && self.algorithm.is_none_or(|own| own == algorithm)
    }
}

fn rsa(n: Vec<u8>, e: Vec<u8>) -> Option<PublicKey> {
    let trimmed = |number: Vec<u8>| -> Vec<u8> { number.into_iter().skip_while(|byte| *byte == 0).collect() };
    let (n, e) = (trimmed(n), trimmed(e));
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    (MODULUS.contains(&bits) && !e.is_empty()).then_some(PublicKey::Rsa { n, e })
}

/// RFC 7518 section 6.2.1.2: both coordinates have the full length.
fn point(x: &[u8], y: &[u8], length: usize) -> Option<Vec<u8>> {
    (x.len() == length && y.len() == length).then(|| [&[4], x, y].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString as _;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn number(bytes: usize) -> String {
        base64::encode(Alphabet::Url, &alloc::vec![0xff; bytes])
    }

    fn rsa(more: &str, bytes: usize) -> String {
        format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"{more}}}"#, number(bytes))
    }

    fn ec(curve: &str, bytes: usize, more: &str) -> String {
        format!(r#"{{"kty":"EC","crv":"{curve}","x":"{0}","y":"{0}"{more}}}"#, number(bytes))
    }

    fn set(keys: &[String]) -> Result<KeySet, NoKeySet> {
        KeySet::read(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())
    }

    fn header(algorithm: Algorithm, id: Option<&str>) -> Header {
        Header { algorithm, key_id: id.map(Into::into) }
    }

    #[test]
    fn keys_that_cannot_verify_are_left_out() {
        for key in [
            rsa(r#","use":"enc""#, 256),
            rsa(r#","key_ops":["encrypt"]"#, 256),
            rsa(r#","alg":"RSA-OAEP""#, 256),
            rsa(r#","alg":"ES256""#, 256),
            rsa(r#","alg":"HS256""#, 256),
            rsa("", 128),
            rsa("", 1025),
            ec("P-256", 31, ""),
            ec("secp256k1", 32, ""),
            ec("P-384", 32, ""),
            ec("P-256", 32, r#","alg":"ES384""#),
            format!(r#"{{"kty":"oct","k":"{}"}}"#, number(32)),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, number(33)),
            r#"{"kty":"RSA"}"#.into(),
            r#"{"kid":"a"}"#.into(),
            "7".into(),
        ] {
            assert_eq!(set(core::slice::from_ref(&key)), Err(NoKeySet::NoKeys(1)), "{key}");
            let both = set(&[key, ec("P-256", 32, "")]).unwrap();
            assert_eq!((both.keys.len(), both.ignored), (1, 1));
        }
        for key in [
            rsa(r#","use":"sig","key_ops":["verify"],"alg":"PS512""#, 256),
            ec("P-521", 66, r#","kid":"k""#),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}","alg":"EdDSA"}}"#, number(32)),
        ] {
            assert_eq!(set(core::slice::from_ref(&key)).unwrap().keys.len(), 1, "{key}");
        }
        for text in ["", "[]", "[[]]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
            assert_eq!(KeySet::read(text.as_bytes()), Err(NoKeySet::NotASet), "{text}");
        }
        assert_eq!(NoKeySet::NotASet.to_string(), "it is no JSON object with a list of `keys`");
        assert_eq!(set(&[]).unwrap_err().to_string(), "none of its 0 keys can verify a signature");
    }

    #[test]
    fn a_key_is_used_for_what_it_is_for() {
        let keys = set(&[
            rsa(r#","kid":"any""#, 256),
            rsa(r#","kid":"one","alg":"RS256""#, 256),
            ec("P-256", 32, r#","kid":"e""#),
        ])
        .unwrap();
        let count = |algorithm, id| match keys.select(&header(algorithm, id)) {
            Selected::Keys(keys) => Ok(keys.len()),
            other => Err(other),
        };
        assert_eq!(count(Algorithm::Ps384, Some("any")), Ok(1));
        assert_eq!(count(Algorithm::Rs256, Some("one")), Ok(1));
        assert_eq!(count(Algorithm::Rs512, Some("one")), Err(Selected::Unfit));
        assert_eq!(count(Algorithm::Es256, Some("any")), Err(Selected::Unfit));
        assert_eq!(count(Algorithm::Es384, Some("e")), Err(Selected::Unfit));
        assert_eq!(count(Algorithm::Es256, Some("other")), Err(Selected::UnknownId));
        assert_eq!(count(Algorithm::Es256, None), Ok(1), "one key fits, so it is meant");
        assert_eq!(count(Algorithm::Rs256, None), Err(Selected::NotNamed));
        assert_eq!(count(Algorithm::EdDsa, None), Err(Selected::NotNamed));
    }

    #[test]
    fn keys_that_share_an_id_are_all_tried() {
        let keys =
            set(&[ec("P-256", 32, r#","kid":"k""#), ec("P-256", 32, r#","kid":"k""#), rsa(r#","kid":"k""#, 256)])
                .unwrap();
        assert!(matches!(keys.select(&header(Algorithm::Es256, Some("k"))), Selected::Keys(keys) if keys.len() == 2));
        assert!(matches!(keys.select(&header(Algorithm::Rs256, Some("k"))), Selected::Keys(keys) if keys.len() == 1));
    }
}
