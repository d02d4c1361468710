//! What clients carry for the gateway and bring back: sealed, so that it cannot be read, changed, kept too long, or used by
//! somebody else or for something else.
//!
//! It remembers nothing, so a seal can be brought back more than once; randomness and time are arguments.
//!
//! A sealed text is base64url (RFC 4648 section 5) of
//!
//! ```text
//! version (1) · purpose (1) · key id (4) · expiry, Unix seconds (8) · nonce (24) · ciphertext · tag (16)
//! ```
//!
//! under XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha): its nonce is long enough that replicas that share a key draw it at
//! random. The associated data is everything before the nonce, and the caller, method and name that the text is bound to.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use alloc::vec::Vec;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::mcp::base64::{self, Alphabet};
use crate::secret::Secret;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 24;
/// The `info` of HKDF-SHA256 (RFC 5869, no salt) under which a key is made of a secret of the operator.
pub const DERIVED_LABEL: &str = "vmcp state key v1";

const ID_LABEL: &str = "vmcp state key id v1";
const ALIKE_LABEL: &str = "vmcp state name v1";
const CIPHER_LABEL: &str = "vmcp state cipher v1";
const VERSION: u8 = 1;
const HEAD: usize = 1 + 1 + 4 + 8;
const TAG: usize = 16;
/// A text of this many characters was not made here: a backend's state is inside, but no request is longer.
const TEXT_BYTES: usize = 8 << 20;
const NEVER: u64 = u64::MAX;

/// What a sealed text is for. A text for one purpose does not open for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `nextCursor` (server/utilities/pagination).
    Cursor,
    /// `requestState` around a backend's own (2026-07-28, basic/patterns/mrtr).
    RequestState,
    /// `requestState` that names a suspended call of this process.
    Suspended,
    /// `taskId` (SEP-2663).
    Task,
}

impl Purpose {
    const ALL: [Self; 4] = [Self::Cursor, Self::RequestState, Self::Suspended, Self::Task];

    fn byte(self) -> u8 {
        match self {
            Self::Cursor => 1,
            Self::RequestState => 2,
            Self::Suspended => 3,
            Self::Task => 4,
        }
    }
}

/// Whom and which request a sealed text belongs to. What is not to be bound is left empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound<'a> {
    /// Who may bring it back; empty is everybody who is not known by name.
    pub principal: &'a str,
    /// The method of the request it comes with.
    pub method: &'a str,
    /// The name or URI that the request is about.
    pub name: &'a str,
}

/// Until when a sealed text opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expires {
    /// Up to and including this second since 1970.
    At(u64),
    /// As long as its key is known.
    Never,
}

/// Why a text does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsealed {
    /// Nothing that is made here looks so.
    #[error("it was not made by this gateway")]
    Foreign,
    /// Made by another version of this program.
    #[error("it is of version {0}; expected {VERSION}")]
    Version(u8),
    /// Its key was taken away, or belongs to a gateway with other keys.
    #[error("its key is not known here")]
    UnknownKey,
    /// Not one bit of it may differ, nor the caller and the request it was made for.
    #[error("it was changed, or made for another caller or another request")]
    Changed,
    /// It is whole, but something else.
    #[error("it was made for another purpose")]
    OtherPurpose,
    /// Its time is over.
    #[error("it expired {0} seconds ago")]
    Expired(u64),
}

/// What is wrong with a line of a file of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// A line that is no key. Its text is not shown: it may be one with a slip of the pen.
    #[error("line {line} is no standard base64; expected {KEY_BYTES} bytes as 44 characters")]
    NotBase64 {
        /// From 1.
        line: usize,
    },
    /// A key of another length.
    #[error("line {line} holds {found} bytes; expected {KEY_BYTES}")]
    Length {
        /// From 1.
        line: usize,
        /// Bytes.
        found: usize,
    },
    /// The same key once more.
    #[error("line {line} holds the same key as line {first}")]
    Repeated {
        /// From 1.
        line: usize,
        /// From 1.
        first: usize,
    },
    /// Nothing but comments.
    #[error("there is no key in it; expected at least one line of base64")]
    Empty,
}

/// The keys of one gateway, or of several that share them: the first seals, all open. `Debug` shows none.
#[derive(Clone)]
pub struct Keys {
    first: Key,
    others: Vec<Key>,
}

/// Seals once, for one caller, at one moment. It is used up by that, so that no nonce is used twice.
#[derive(Debug)]
pub struct Sealer<'k> {
    keys: &'k Keys,
    principal: Cow<'k, str>,
    now: u64,
    nonce: [u8; NONCE_BYTES],
}

#[derive(Clone)]
struct Key {
    id: [u8; 4],
    /// Makes nonces.
    alike: Zeroizing<[u8; KEY_BYTES]>,
    cipher: XChaCha20Poly1305,
}

impl Keys {
    /// One key.
    #[must_use]
    pub fn one(key: &[u8; KEY_BYTES]) -> Self {
        Self { first: Key::new(key), others: Vec::new() }
    }

    /// The key that is made of a secret: HKDF-SHA256 with [`DERIVED_LABEL`], so that who knows the sealed texts learns
    /// nothing of the secret.
    #[must_use]
    pub fn derived(secret: &Secret) -> Self {
        Self::one(&expand(secret.expose().as_bytes(), DERIVED_LABEL))
    }

    /// The keys of a file: one in each line, standard base64 of 32 bytes; empty lines and lines that begin with `#` are
    /// skipped.
    ///
    /// # Errors
    /// The first line that is no key, or that there is none.
    pub fn read(text: &str) -> Result<Self, KeyFileError> {
        let mut seen: Vec<(usize, Zeroizing<[u8; KEY_BYTES]>)> = Vec::new();
        for (index, text) in text.lines().enumerate() {
            let (line, text) = (index + 1, text.trim());
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let bytes = base64::decode(Alphabet::Standard, text).ok_or(KeyFileError::NotBase64 { line })?;
            let bytes = Zeroizing::new(bytes);
            let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice())
                .map_err(|_| KeyFileError::Length { line, found: bytes.len() })?;
            if let Some((first, _)) = seen.iter().find(|(_, known)| **known == key) {
                return Err(KeyFileError::Repeated { line, first: *first });
            }
            seen.push((line, Zeroizing::new(key)));
        }
        let mut keys = seen.iter().map(|(_, key)| Key::new(key));
        let first = keys.next().ok_or(KeyFileError::Empty)?;
        Ok(Self { first, others: keys.collect() })
    }

    /// How many there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        1 + self.others.len()
    }

    /// Seals. `nonce` is random: the same twice under one key would give both texts away.
    #[must_use]
    pub fn seal(
        &self,
        purpose: Purpose,
        bound: Bound<'_>,
        expires: Expires,
        nonce: [u8; NONCE_BYTES],
        plain: &[u8],
    ) -> String {
        let expiry = match expires {
            Expires::At(second) => second.min(NEVER - 1),
            Expires::Never => NEVER,
        };
        let mut out = Vec::with_capacity(HEAD + NONCE_BYTES + plain.len() + TAG);
        out.extend([VERSION, purpose.byte()]);
        out.extend(self.first.id);
        out.extend(expiry.to_be_bytes());
        let associated = associated(&out, bound);
        out.extend(nonce);
        let payload = Payload { msg: plain, aad: &associated };
        // It fails for more than 256 GiB only, which no request brings.
        out.extend(self.first.cipher.encrypt(&XNonce::from(nonce), payload).unwrap_or_default());
        base64::encode(Alphabet::Url, &out)
    }

    /// Seals so that the same for the same is the same text, as long as the first key is: a name by which something is known
    /// for long. The nonce is made of all that is sealed (HKDF-SHA256 under a key of its own), so that no two texts share
    /// one.
    #[must_use]
    pub fn seal_alike(&self, purpose: Purpose, bound: Bound<'_>, plain: &[u8]) -> String {
        let mut all = associated(&[purpose.byte()], bound);
        all.extend(plain);
        let mut nonce = [0; NONCE_BYTES];
        // It fails for more than 255 blocks only; this is one.
        let made = Hkdf::<Sha256>::new(Some(&*self.first.alike), &all).expand(ALIKE_LABEL.as_bytes(), &mut nonce);
        debug_assert!(made.is_ok());
        self.seal(purpose, bound, Expires::Never, nonce, plain)
    }

    /// Opens; `now` is in seconds since 1970.
    ///
    /// # Errors
    /// It is not what was sealed, not for this, not any longer, or not with one of these keys.
    pub fn open(&self, purpose: Purpose, bound: Bound<'_>, now: u64, text: &str) -> Result<Vec<u8>, Unsealed> {
        if text.len() > TEXT_BYTES {
            return Err(Unsealed::Foreign);
        }
        let bytes = base64::decode(Alphabet::Url, text).ok_or(Unsealed::Foreign)?;
        let version = *bytes.first().ok_or(Unsealed::Foreign)?;
        let (head, rest) = bytes.split_at_checked(HEAD).ok_or(Unsealed::Foreign)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES).ok_or(Unsealed::Foreign)?;
        let &[_, made_for, a, b, c, d, ref expiry @ ..] = head else { return Err(Unsealed::Foreign) };
        if sealed.len() < TAG || !Purpose::ALL.iter().any(|purpose| purpose.byte() == made_for) {
            return Err(Unsealed::Foreign);
        }
        if version != VERSION {
            return Err(Unsealed::Version(version));
        }
        // It is part of what is proved below; said first, because a text for another purpose is bound to other things.
        if made_for != purpose.byte() {
            return Err(Unsealed::OtherPurpose);
        }
        let key = core::iter::once(&self.first).chain(&self.others).find(|key| key.id == [a, b, c, d]);
        let key = key.ok_or(Unsealed::UnknownKey)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| Unsealed::Foreign)?;
        let payload = Payload { msg: sealed, aad: &associated(head, bound) };
        let plain = key.cipher.decrypt(&nonce, payload).map_err(|_| Unsealed::Changed)?;
        let expiry = expiry.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
        if expiry != NEVER && now > expiry {
            return Err(Unsealed::Expired(now - expiry));
        }
        Ok(plain)
    }
}

impl<'k> Sealer<'k> {
    /// `principal` is empty for callers who are not known by name; `now` is in seconds since 1970; `nonce` is another one
    /// each time.
    #[must_use]
    pub fn new(keys: &'k Keys, principal: impl Into<Cow<'k, str>>, now: u64, nonce: [u8; NONCE_BYTES]) -> Self {
        Self { keys, principal: principal.into(), now, nonce }
    }

    /// As [`Keys::seal`]; `lifetime` is in seconds from now.
    #[must_use]
    pub fn seal(self, purpose: Purpose, method: &str, name: &str, lifetime: Option<u64>, plain: &[u8]) -> String {
        let expires = lifetime.map_or(Expires::Never, |lifetime| Expires::At(self.now.saturating_add(lifetime)));
        self.keys.seal(purpose, Bound { principal: &self.principal, method, name }, expires, self.nonce, plain)
    }

    /// As [`Keys::seal_alike`].
    #[must_use]
    pub fn seal_alike(&self, purpose: Purpose, method: &str, name: &str, plain: &str) -> String {
        self.keys.seal_alike(purpose, Bound { principal: &self.principal, method, name }, plain.as_bytes())
    }

    /// As [`Keys::open`]; what is sealed is always text here.
    ///
    /// # Errors
    /// It does not open.
    pub fn open(&self, purpose: Purpose, method: &str, name: &str, text: &str) -> Result<String, Unsealed> {
        let plain = self.keys.open(purpose, Bound { principal: &self.principal, method, name }, self.now, text)?;
        String::from_utf8(plain).map_err(|_| Unsealed::Foreign)
    }
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Keys").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Key {
    fn new(key: &[u8; KEY_BYTES]) -> Self {
        let id = expand(key, ID_LABEL);
        let cipher = expand(key, CIPHER_LABEL);
        let alike = expand(key, ALIKE_LABEL);
        Self { id: [id[0], id[1], id[2], id[3]], alike, cipher: XChaCha20Poly1305::new((&*cipher).into()) }
    }
}

/// HKDF-SHA256 without salt.
fn expand(secret: &[u8], label: &str) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut out = Zeroizing::new([0; KEY_BYTES]);
    // It fails for more than 255 blocks only; this is one.
    let made = Hkdf::<Sha256>::new(None, secret).expand(label.as_bytes(), &mut *out);
    debug_assert!(made.is_ok());
    out
}

/// Lengths before texts, so that no two bindings are written alike.
fn associated(head: &[u8], bound: Bound<'_>) -> Vec<u8> {
    let mut out = head.to_owned();
    for text in [bound.principal, bound.method, bound.name] {
        out.extend((text.len() as u64).to_be_bytes());
        out.extend(text.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString as _;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const CALL: Bound<'_> = Bound { principal: "", method: "tools/call", name: "a_t" };
    const STATE: Purpose = Purpose::RequestState;

    fn keys(byte: u8) -> Keys {
        Keys::one(&[byte; KEY_BYTES])
    }

    fn file(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| base64::encode(Alphabet::Standard, &[*byte; KEY_BYTES]) + "\n").collect()
    }

    #[test]
    fn what_is_sealed_opens_until_it_expires_for_the_same_and_nobody_else() {
        let keys = keys(1);
        let text = keys.seal(STATE, CALL, Expires::At(100), [7; 24], b"state");
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_eq!(text.len(), ((HEAD + NONCE_BYTES + 5 + TAG) * 4).div_ceil(3));
        assert_eq!(keys.open(STATE, CALL, 100, &text).as_deref(), Ok(&b"state"[..]));
        assert_eq!(keys.open(STATE, CALL, 103, &text), Err(Unsealed::Expired(3)));
        assert_eq!(keys.open(Purpose::Cursor, CALL, 1, &text), Err(Unsealed::OtherPurpose));
        for other in [
            Bound { principal: "p", ..CALL },
            Bound { method: "prompts/get", ..CALL },
            Bound { name: "a_u", ..CALL },
            Bound { method: "tools/calla", name: "_t", ..CALL },
        ] {
            assert_eq!(keys.open(STATE, other, 1, &text), Err(Unsealed::Changed));
        }
        let text = keys.seal(Purpose::Task, Bound::default(), Expires::Never, [7; 24], b"");
        assert_eq!(keys.open(Purpose::Task, Bound::default(), u64::MAX, &text).as_deref(), Ok(&b""[..]));
    }

    #[test]
    fn a_name_is_the_same_each_time_and_another_for_everything_else() {
        let keys = keys(1);
        let seal = |bound, plain: &[u8]| keys.seal_alike(Purpose::Task, bound, plain);
        let name = seal(CALL, b"t");
        assert_eq!(name, seal(CALL, b"t"));
        assert_eq!(keys.open(Purpose::Task, CALL, u64::MAX, &name).as_deref(), Ok(&b"t"[..]));
        let nonce = |text: &str| base64::decode(Alphabet::Url, text).unwrap()[HEAD..HEAD + NONCE_BYTES].to_vec();
        let others = [
            seal(CALL, b"u"),
            seal(Bound { principal: "p", ..CALL }, b"t"),
            seal(Bound { name: "a_", ..CALL }, b"tt"),
            Keys::one(&[2; KEY_BYTES]).seal_alike(Purpose::Task, CALL, b"t"),
        ];
        for other in others {
            assert_ne!(nonce(&other), nonce(&name));
        }
    }

    #[test]
    fn no_bit_of_it_may_change() {
        let keys = keys(1);
        let text = keys.seal(STATE, CALL, Expires::At(100), [7; 24], b"state");
        let bytes = base64::decode(Alphabet::Url, &text).unwrap();
        for place in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[place / 8] ^= 1 << (place % 8);
            assert!(keys.open(STATE, CALL, 1, &base64::encode(Alphabet::Url, &changed)).is_err(), "bit {place}");
        }
        for length in 0..text.len() {
            assert!(keys.open(STATE, CALL, 1, &text[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let (old, new) = (Keys::read(&file(&[1])).unwrap(), Keys::read(&file(&[2, 1])).unwrap());
        let before = old.seal(STATE, CALL, Expires::Never, [7; 24], b"x");
        let after = new.seal(STATE, CALL, Expires::Never, [7; 24], b"x");
        assert!(new.open(STATE, CALL, 1, &before).is_ok() && new.open(STATE, CALL, 1, &after).is_ok());
        assert_eq!(old.open(STATE, CALL, 1, &after), Err(Unsealed::UnknownKey));
        assert_eq!(format!("{new:?}"), "Keys { len: 2, .. }");
        assert!(Keys::one(&[2; KEY_BYTES]).open(STATE, CALL, 1, &after).is_ok(), "a line is the key itself");
    }

    #[test]
    fn a_sealer_binds_to_its_caller_and_its_time() {
        let keys = keys(1);
        let sealer = |principal, now| Sealer::new(&keys, principal, now, [7; 24]);
        let text = sealer("p", 100).seal(Purpose::Cursor, "tools/list", "", Some(10), b"last");
        let open = |principal, now| sealer(principal, now).open(Purpose::Cursor, "tools/list", "", &text);
        assert_eq!(open("p", 110).as_deref(), Ok("last"));
        assert_eq!(open("p", 111), Err(Unsealed::Expired(1)));
        assert_eq!(open("", 110), Err(Unsealed::Changed));
        assert_eq!(open("p", 50).as_deref(), Ok("last"), "clocks of replicas differ");
    }

    #[test]
    fn a_derived_key_is_what_the_label_makes_of_the_secret() {
        let derived = Keys::derived(&Secret::new("an operator's secret"));
        let mut same = [0; KEY_BYTES];
        Hkdf::<Sha256>::new(None, b"an operator's secret").expand(b"vmcp state key v1", &mut same).unwrap();
        let text = derived.seal(STATE, CALL, Expires::Never, [7; 24], b"x");
        assert!(Keys::one(&same).open(STATE, CALL, 1, &text).is_ok());
        assert!(Keys::derived(&Secret::new("another")).open(STATE, CALL, 1, &text).is_err());
    }

    #[test]
    fn a_file_of_keys_says_which_line_is_wrong() {
        assert_eq!(Keys::read(&format!("# today's\r\n\n {}", file(&[1, 2]))).unwrap().len(), 2);
        for (text, expected) in [
            (String::new(), "there is no key in it; expected at least one line of base64"),
            ("# only\n".into(), "there is no key in it; expected at least one line of base64"),
            (format!("{}s3cr3t!", file(&[1])), "line 2 is no standard base64; expected 32 bytes as 44 characters"),
            ("\nAAAA".into(), "line 2 holds 3 bytes; expected 32"),
            (file(&[1, 2, 1]), "line 3 holds the same key as line 1"),
        ] {
            assert_eq!(Keys::read(&text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn each_reason_has_its_words() {
        let keys = keys(1);
        let text = keys.seal(STATE, CALL, Expires::Never, [7; 24], b"");
        let mut bytes = base64::decode(Alphabet::Url, &text).unwrap();
        bytes[0] = 2;
        assert_eq!(keys.open(STATE, CALL, 1, &base64::encode(Alphabet::Url, &bytes)), Err(Unsealed::Version(2)));
        for (reason, expected) in [
            (Unsealed::Foreign, "it was not made by this gateway"),
            (Unsealed::Version(2), "it is of version 2; expected 1"),
            (Unsealed::UnknownKey, "its key is not known here"),
            (Unsealed::Changed, "it was changed, or made for another caller or another request"),
            (Unsealed::OtherPurpose, "it was made for another purpose"),
            (Unsealed::Expired(3), "it expired 3 seconds ago"),
        ] {
            assert_eq!(reason.to_string(), expected);
        }
        for text in ["", "A", "not a seal", "dG9vbHMKYQ"] {
            assert_eq!(keys.open(STATE, CALL, 1, text), Err(Unsealed::Foreign), "{text}");
        }
    }
}
