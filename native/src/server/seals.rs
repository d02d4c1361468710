//! What seals for the clients of this server: its keys, the time, and nonces of which none comes twice.
//!
//! It reads no file; which keys are used is decided where the server is started.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::crypto::{GetRandomFailed, SecureRandom};
use vmcp_core::identity::Principal;
use vmcp_core::seal::{KEY_BYTES, Keys, NONCE_BYTES, Sealer};
use vmcp_core::trust::UnixTime;

/// Who is not known by name.
const ANYBODY: &str = "";
/// Bytes of a nonce that are drawn at start; the rest counts.
const DRAWN: usize = NONCE_BYTES - size_of::<u64>();

/// Seals for one server.
pub(super) struct Seals {
    keys: Keys,
    /// 128 bits: no two processes with the same keys draw the same.
    drawn: [u8; DRAWN],
    count: AtomicU64,
}

impl Seals {
    /// With these keys, or with one that nobody else has.
    pub(super) fn new(keys: Option<&Keys>, random: &dyn SecureRandom) -> Result<Self, GetRandomFailed> {
        let mut drawn = [0; DRAWN];
        random.fill(&mut drawn)?;
        let keys = match keys {
            Some(keys) => keys.clone(),
            None => {
                let mut key = zeroize::Zeroizing::new([0; KEY_BYTES]);
                random.fill(&mut *key)?;
                Keys::one(&key)
            }
        };
        Ok(Self { keys, drawn, count: AtomicU64::new(0) })
    }

    /// A name for something of this process, which no other process has.
    pub(super) fn token(&self, number: u64) -> String {
        format!("{}-{number}", self.process())
    }

    /// What has this name here.
    pub(super) fn number(&self, token: &str) -> Option<u64> {
        token.strip_prefix(&self.process())?.strip_prefix('-')?.parse().ok()
    }

    fn process(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.drawn))
    }

    /// For one answer to this caller, now.
    pub(super) fn sealer(&self, who: Option<&Principal>) -> Sealer<'_> {
        let mut nonce = [0; NONCE_BYTES];
        let (drawn, counted) = nonce.split_at_mut(DRAWN);
        drawn.copy_from_slice(&self.drawn);
        counted.copy_from_slice(&self.count.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let who = who.map_or(Cow::Borrowed(ANYBODY), |who| Cow::Owned(who.binding()));
        Sealer::new(&self.keys, who, UnixTime::now().as_secs(), nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmcp_core::seal::Purpose;

    fn seals(keys: Option<&Keys>) -> Seals {
        Seals::new(keys, rustls::crypto::aws_lc_rs::default_provider().secure_random).unwrap()
    }

    fn sealed(seals: &Seals) -> String {
        seals.sealer(None).seal(Purpose::Cursor, "m", "", Some(60), b"x")
    }

    #[test]
    fn replicas_open_each_others_seals_if_they_share_a_key() {
        let shared = Keys::one(&[7; KEY_BYTES]);
        let (a, b) = (seals(Some(&shared)), seals(Some(&shared)));
        let opened = |by: &Seals, text: &str| by.sealer(None).open(Purpose::Cursor, "m", "", text).is_ok();
        assert!(opened(&b, &sealed(&a)) && opened(&a, &sealed(&b)));
        let (alone, other) = (seals(None), seals(None));
        assert!(opened(&alone, &sealed(&alone)) && !opened(&other, &sealed(&alone)));
    }

    #[test]
    fn a_token_names_something_of_its_own_process() {
        let shared = Keys::one(&[7; KEY_BYTES]);
        let (a, b) = (seals(Some(&shared)), seals(Some(&shared)));
        assert_eq!((a.number(&a.token(7)), b.number(&a.token(7)), a.number("-7")), (Some(7), None, None));
    }

    #[test]
    fn no_two_seals_are_alike() {
        let shared = Keys::one(&[7; KEY_BYTES]);
        let all = [seals(Some(&shared)), seals(Some(&shared))];
        let texts: std::collections::HashSet<_> = (0..100).map(|n| sealed(&all[n % 2])).collect();
        assert_eq!(texts.len(), 100);
    }
}
