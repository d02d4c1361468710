//! What is kept, until when, and what goes when there is too much of it.
//!
//! It asks nobody, waits for nobody, and has no clock: time is an argument.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use vmcp_core::auth::Strategy;
use vmcp_core::oauth::{Issued, IssuedCredentials};
use vmcp_core::trust::UnixTime;

use super::Outcome;

/// Credentials that are kept; the least recently used go first.
const ENTRIES: usize = 10_000;
/// Bytes of them.
const BYTES: usize = 32 << 20;
/// Exchanges that may be under way.
const UNDER_WAY: usize = 4096;
/// How long credentials are kept that do not say when they end.
const UNSAID: Duration = Duration::from_secs(5 * 60);
/// How long before their end credentials are no longer used: a call has to arrive with them. Of short-lived ones a tenth.
const MARGIN: Duration = Duration::from_secs(30);

/// Everything that credentials depend on, as SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(pub(super) [u8; 32]);

/// All of them.
#[derive(Default)]
pub(super) struct Kept {
    entries: HashMap<Key, Entry>,
    /// By when they were used last; only what is ready.
    order: BTreeMap<u64, Key>,
    uses: u64,
    bytes: usize,
    under_way: usize,
}

enum Entry {
    UnderWay(watch::Receiver<Outcome>),
    Ready(Ready),
}

struct Ready {
    issued: Arc<Issued>,
    until: UnixTime,
    used: u64,
    bytes: usize,
}

/// What there is of a key.
pub(super) enum Found {
    Ready(Arc<Issued>),
    UnderWay(watch::Receiver<Outcome>),
}

/// Too many exchanges are under way.
#[derive(Debug)]
pub(super) struct Crowded;

impl Kept {
    pub(super) fn find(&mut self, key: &Key, now: UnixTime) -> Option<Found> {
        match self.entries.get_mut(key)? {
            Entry::UnderWay(outcome) => Some(Found::UnderWay(outcome.clone())),
            Entry::Ready(ready) if now < ready.until => {
                self.uses += 1;
                self.order.remove(&ready.used);
                self.order.insert(self.uses, *key);
                ready.used = self.uses;
                Some(Found::Ready(Arc::clone(&ready.issued)))
            }
            Entry::Ready(_) => {
                self.remove(key);
                None
            }
        }
    }

    /// An exchange begins.
    pub(super) fn begin(&mut self, key: Key, outcome: watch::Receiver<Outcome>) -> Result<(), Crowded> {
        if self.under_way >= UNDER_WAY {
            return Err(Crowded);
        }
        self.remove(&key);
        self.under_way += 1;
        self.entries.insert(key, Entry::UnderWay(outcome));
        Ok(())
    }

    /// It brought these.
    pub(super) fn keep(&mut self, key: Key, issued: &Arc<Issued>, until: UnixTime, now: UnixTime) {
        self.remove(&key);
        if until <= now {
            return;
        }
        self.uses += 1;
        let bytes = size(issued);
        self.bytes += bytes;
        self.order.insert(self.uses, key);
        let ready = Ready { issued: Arc::clone(issued), until, used: self.uses, bytes };
        self.entries.insert(key, Entry::Ready(ready));
        while self.order.len() > ENTRIES || self.bytes > BYTES {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.remove(&oldest);
        }
    }

    /// It is over, whatever it brought.
    pub(super) fn over(&mut self, key: &Key) {
        if matches!(self.entries.get(key), Some(Entry::UnderWay(_))) {
            self.remove(key);
        }
    }

    /// Nobody gets these any more; newer ones stay.
    pub(super) fn forget(&mut self, key: &Key, issued: &Arc<Issued>) {
        if matches!(self.entries.get(key), Some(Entry::Ready(ready)) if Arc::ptr_eq(&ready.issued, issued)) {
            self.remove(key);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }

    fn remove(&mut self, key: &Key) {
        match self.entries.remove(key) {
            Some(Entry::Ready(ready)) => {
                self.order.remove(&ready.used);
                self.bytes -= ready.bytes;
            }
            Some(Entry::UnderWay(_)) => self.under_way -= 1,
            None => {}
        }
    }
}

fn size(issued: &Issued) -> usize {
    match &issued.credentials {
        IssuedCredentials::Bearer(token) => token.expose().len(),
        IssuedCredentials::AwsKeys(keys) => {
            [&keys.id, &keys.secret, &keys.session_token].iter().map(|secret| secret.expose().len()).sum()
        }
    }
}

/// How long what is issued may be kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetime {
    /// When the caller's own token ends.
    ends: Option<UnixTime>,
    margin: Option<Duration>,
}

impl Lifetime {
    pub(super) fn of(strategy: &Strategy, ends: Option<UnixTime>) -> Self {
        let margin = match strategy {
            Strategy::Obo(obo) => obo.skew.map(|seconds| Duration::from_secs(u64::from(seconds))),
            _ => None,
        };
        Self { ends, margin }
    }

    /// Shortly before the earlier end of the two.
    pub(super) fn until(self, issued: &Issued, now: UnixTime) -> UnixTime {
        let end = issued.expires.unwrap_or_else(|| plus(now, UNSAID));
        let end = self.ends.map_or(end, |ends| end.min(ends));
        let lifetime = Duration::from_secs(end.as_secs().saturating_sub(now.as_secs()));
        let margin = self.margin.unwrap_or_else(|| MARGIN.min(lifetime / 10).max(Duration::from_secs(1)));
        UnixTime::since_unix_epoch(Duration::from_secs(end.as_secs().saturating_sub(margin.as_secs())))
    }
}

fn plus(time: UnixTime, duration: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(time.as_secs().saturating_add(duration.as_secs())))
}

#[cfg(test)]
mod tests {
    use vmcp_core::secret::Secret;

    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn token(text: &str, expires: Option<u64>) -> Issued {
        Issued { credentials: IssuedCredentials::Bearer(Secret::new(text)), expires: expires.map(at) }
    }

    fn key(number: usize) -> Key {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&(number as u64).to_be_bytes());
        Key(key)
    }

    fn ready(kept: &mut Kept, number: usize, now: u64) -> Option<Arc<Issued>> {
        match kept.find(&key(number), at(now)) {
            Some(Found::Ready(issued)) => Some(issued),
            _ => None,
        }
    }

    #[test]
    fn credentials_are_good_until_shortly_before_the_earlier_end() {
        let until = |expires, ends: Option<u64>, margin| {
            Lifetime { ends: ends.map(at), margin }.until(&token("t", expires), at(1000)).as_secs()
        };
        assert_eq!(until(Some(4600), None, None), 4570);
        assert_eq!(until(Some(4600), Some(2000), None), 1970, "the caller's own token ends first");
        assert_eq!(until(Some(2000), Some(4600), None), 1970);
        assert_eq!(until(Some(1100), None, None), 1090, "of a short life a tenth");
        assert_eq!(until(Some(1003), None, None), 1002);
        assert_eq!(until(Some(1000), None, None), 999);
        assert_eq!(until(None, None, None), 1270, "nothing is said");
        assert_eq!(until(Some(4600), None, Some(Duration::from_secs(600))), 4000);
        assert_eq!(until(Some(1100), None, Some(Duration::from_secs(0))), 1100);
        assert_eq!(until(Some(10), Some(5), None), 4, "long gone");
    }

    #[test]
    fn what_has_ended_is_not_found_and_not_kept() {
        let mut kept = Kept::default();
        kept.keep(key(1), &Arc::new(token("t", None)), at(20), at(10));
        assert!(ready(&mut kept, 1, 19).is_some() && ready(&mut kept, 1, 20).is_none());
        assert_eq!((kept.count(), kept.bytes, kept.order.len()), (0, 0, 0));
        kept.keep(key(1), &Arc::new(token("t", None)), at(20), at(20));
        assert_eq!(kept.count(), 0);
    }

    #[test]
    fn only_what_was_refused_is_forgotten() {
        let mut kept = Kept::default();
        let (old, new) = (Arc::new(token("old", None)), Arc::new(token("new", None)));
        kept.keep(key(1), &new, at(20), at(10));
        kept.forget(&key(1), &old);
        assert!(ready(&mut kept, 1, 11).is_some());
        kept.forget(&key(1), &new);
        assert!(ready(&mut kept, 1, 11).is_none());
    }

    #[test]
    fn memory_is_bounded_and_the_least_recently_used_go() {
        let mut kept = Kept::default();
        for number in 0..ENTRIES {
            kept.keep(key(number), &Arc::new(token("t", None)), at(20), at(10));
        }
        assert!(ready(&mut kept, 0, 11).is_some());
        kept.keep(key(ENTRIES), &Arc::new(token("t", None)), at(20), at(10));
        assert_eq!(kept.count(), ENTRIES);
        assert!(ready(&mut kept, 0, 11).is_some() && ready(&mut kept, 1, 11).is_none());
        let large = "x".repeat(BYTES / 2 + 1);
        kept.keep(key(1), &Arc::new(token(&large, None)), at(20), at(10));
        kept.keep(key(2), &Arc::new(token(&large, None)), at(20), at(10));
        assert_eq!(kept.count(), 1);
        assert!(ready(&mut kept, 2, 11).is_some() && kept.bytes <= BYTES);
    }

    #[test]
    fn exchanges_under_way_are_bounded_and_over_when_they_are() {
        let mut kept = Kept::default();
        let (_say, outcome) = watch::channel(None);
        for number in 0..UNDER_WAY {
            kept.begin(key(number), outcome.clone()).unwrap();
        }
        assert!(kept.begin(key(UNDER_WAY), outcome.clone()).is_err());
        kept.over(&key(0));
        kept.keep(key(1), &Arc::new(token("t", None)), at(20), at(10));
        kept.over(&key(1));
        assert!(ready(&mut kept, 1, 11).is_some(), "what was kept stays");
        assert_eq!(kept.under_way, UNDER_WAY - 2);
        assert!(kept.begin(key(UNDER_WAY), outcome.clone()).is_ok());
    }
}
