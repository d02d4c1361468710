//! The issuer's keys: fetched when they are needed, one fetch at a time, again when a token names one that is not known, and
//! kept when the issuer does not answer.
//!
//! Who waits for keys is who brings a token; nobody else does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use vmcp_core::bearer::{Jws, KeySet, Metadata, Problem, Refused, Selected, places};
use vmcp_core::endpoint::Endpoint;
use vmcp_core::identity::Oidc;

use super::fetch::{NoAnswer, Way};
use super::signature;
use crate::logging::chain;

/// How old keys are when newer ones are fetched, without anybody having to wait.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// How old they may be while the issuer does not answer: tokens do not live longer.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Before a fetch is tried again that failed; longer with every failure, up to the second.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How many fetches unknown keys may cause at once, and how long until one more may: what is signed with a made-up key costs
/// the issuer no more than that.
const UNKNOWN: (u32, Duration) = (3, Duration::from_secs(10));

/// The keys of one issuer.
pub(super) struct Keys {
    oidc: Arc<Oidc>,
    way: Arc<Way>,
    state: watch::Sender<State>,
}

/// What is known, and when a fetch is due. It has no clock.
#[derive(Clone, Debug)]
struct State {
    set: Option<Arc<KeySet>>,
    /// Grows with each set that is another one.
    generation: u64,
    /// Where they are, once that is known.
    at: Option<Endpoint>,
    fetching: bool,
    fetched: Option<Instant>,
    failed: Option<(Instant, u32)>,
    /// Fetches for unknown keys that may begin now, and since when that is counted.
    unknown: (u32, Instant),
}

/// Why keys are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Because {
    /// There are none, or they are old.
    Age,
    /// A token names one that is not there.
    Unknown,
}

impl State {
    fn new(at: Option<Endpoint>, now: Instant) -> Self {
        let unknown = (UNKNOWN.0, now);
        Self { set: None, generation: 0, at, fetching: false, fetched: None, failed: None, unknown }
    }

    /// The keys that count at `now`.
    fn keys(&self, now: Instant) -> Option<&Arc<KeySet>> {
        self.set.as_ref().filter(|_| self.age(now).is_some_and(|age| age < KEPT))
    }

    fn age(&self, now: Instant) -> Option<Duration> {
        self.fetched.map(|fetched| now.saturating_duration_since(fetched))
    }

    /// Whether somebody is to fetch now. Says so once; who is told so has to call [`State::fetched`] or [`State::failed`].
    fn claim(&mut self, because: Because, now: Instant) -> bool {
        let paused = self.failed.is_some_and(|(last, times)| {
            let pause = PAUSE.0.saturating_mul(1 << times.saturating_sub(1).min(8)).min(PAUSE.1);
            now.saturating_duration_since(last) < pause
        });
        if self.fetching || paused {
            return false;
        }
        let due = match because {
            Because::Age => self.age(now).is_none_or(|age| age >= FRESH),
            Because::Unknown => {
                let (left, since) = &mut self.unknown;
                while *left < UNKNOWN.0 && now.saturating_duration_since(*since) >= UNKNOWN.1 {
                    (*left, *since) = (*left + 1, *since + UNKNOWN.1);
                }
                if *left == UNKNOWN.0 {
                    *since = now;
                }
                let may = *left > 0;
                *left = left.saturating_sub(1);
                may
            }
        };
        self.fetching = due;
        due
    }

    fn fetched(&mut self, set: KeySet, at: Endpoint, now: Instant) {
        if self.set.as_deref() != Some(&set) {
            self.generation += 1;
            self.set = Some(Arc::new(set));
        }
        (self.at, self.fetching, self.fetched, self.failed) = (Some(at), false, Some(now), None);
    }

    fn failed(&mut self, now: Instant) {
        let times = self.failed.map_or(0, |(_, times)| times);
        (self.fetching, self.failed) = (false, Some((now, times.saturating_add(1))));
    }
}

impl Keys {
    pub(super) fn new(oidc: Arc<Oidc>, way: Arc<Way>) -> Self {
        let state = watch::Sender::new(State::new(oidc.jwks.clone(), Instant::now()));
        Self { oidc, way, state }
    }

    /// Which set of keys counts now: what was verified with another one is verified anew.
    pub(super) fn generation(&self) -> u64 {
        self.state.borrow().generation
    }

    /// Begins to fetch what is due, and waits for nothing.
    pub(super) fn refresh(self: &Arc<Self>) {
        self.fetch_if_due(Because::Age);
    }

    /// Whether one of the issuer's keys signed it, and of which generation that key is.
    pub(super) async fn verify(self: &Arc<Self>, jws: &Jws<'_>) -> Result<u64, Problem> {
        self.refresh();
        let (set, generation) = self.settled(|state| state.keys(Instant::now()).is_some()).await?;
        match verify_with(&set, jws) {
            None => return Ok(generation),
            Some(Refused::UnknownKey) => {}
            Some(refused) => return Err(Problem::Refused(refused)),
        }
        // Somebody may be fetching already; what comes of that is newer than what was looked at.
        self.fetch_if_due(Because::Unknown);
        let (newer, generation) = self.settled(|state| !state.fetching).await?;
        verify_with(&newer, jws).map_or(Ok(generation), |refused| Err(Problem::Refused(refused)))
    }

    /// The keys and their generation once it is so, or nobody is fetching any longer.
    async fn settled(&self, is_so: impl Fn(&State) -> bool) -> Result<(Arc<KeySet>, u64), Problem> {
        let mut state = self.state.subscribe();
        let waited = state.wait_for(|state| is_so(state) || !state.fetching).await;
        let keys = waited.ok().and_then(|state| Some((Arc::clone(state.keys(Instant::now())?), state.generation)));
        keys.ok_or(Problem::Unavailable)
    }

    fn fetch_if_due(self: &Arc<Self>, because: Because) {
        let mut claimed = false;
        self.state.send_if_modified(|state| {
            claimed = state.claim(because, Instant::now());
            claimed
        });
        if claimed {
            // A task of its own: the client that caused it may go away, and others wait for it.
            tokio::spawn(Arc::clone(self).fetch());
        }
    }

    async fn fetch(self: Arc<Self>) {
        let known = self.state.borrow().at.clone().filter(|_| self.oidc.jwks.is_some());
        match self.fetch_from(known).await {
            Ok((set, at)) => {
                tracing::debug!(keys = set.keys.len(), ignored = set.ignored, url = %at, "keys of the issuer fetched");
                self.state.send_modify(|state| state.fetched(set, at, Instant::now()));
            }
            Err(error) => {
                let kept = self.state.borrow().keys(Instant::now()).is_some();
                tracing::warn!(
                    issuer = self.oidc.issuer,
                    kept,
                    error = chain(&error),
                    "keys of the issuer not fetched"
                );
                self.state.send_modify(|state| state.failed(Instant::now()));
            }
        }
    }

    async fn fetch_from(&self, known: Option<Endpoint>) -> Result<(KeySet, Endpoint), NoKeys> {
        let at = match known {
            Some(at) => at,
            None => self.discovered().await?,
        };
        let bytes = self.way.fetch(&self.oidc, &at).await?;
        let set = KeySet::read(&bytes).map_err(|cause| NoKeys::Set { at: at.clone(), cause })?;
        Ok((set, at))
    }

    /// Where the issuer says that its keys are.
    async fn discovered(&self) -> Result<Endpoint, NoKeys> {
        let mut first = None;
        for place in places(&self.oidc.issuer).map_err(NoKeys::Issuer)? {
            match self.way.fetch(&self.oidc, &place).await {
                Ok(bytes) => {
                    let metadata = Metadata::read(&bytes, &self.oidc.issuer);
                    return Ok(metadata.map_err(|cause| NoKeys::Metadata { at: place, cause })?.jwks);
                }
                // It may be at the next place; where nothing answers, nothing will.
                Err(error @ NoAnswer::Status(..)) => drop(first.get_or_insert(error)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(first.map_or(NoKeys::Nowhere, NoKeys::NoAnswer))
    }
}

/// Why a token is refused; `None` if it is not.
fn verify_with(set: &KeySet, jws: &Jws<'_>) -> Option<Refused> {
    match set.select(&jws.header) {
        Selected::Keys(keys) if keys.iter().any(|key| signature::is_by(jws, key)) => None,
        Selected::Keys(_) => Some(Refused::Signature),
        Selected::UnknownId => Some(Refused::UnknownKey),
        Selected::Unfit => Some(Refused::UnfitKey),
        Selected::NotNamed => Some(Refused::NoKeyId),
    }
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
enum NoKeys {
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error("the issuer is no URL")]
    Issuer(#[source] vmcp_core::endpoint::EndpointError),
    #[error("the issuer has no document of itself")]
    Nowhere,
    #[error("{at} cannot be used")]
    Metadata {
        at: Endpoint,
        #[source]
        cause: vmcp_core::bearer::NoMetadata,
    },
    #[error("{at} cannot be used")]
    Set {
        at: Endpoint,
        #[source]
        cause: vmcp_core::bearer::NoKeySet,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at() -> Endpoint {
        Endpoint::parse("https://i.example/k").unwrap()
    }

    fn fetched(now: Instant) -> State {
        let mut state = State::new(None, now);
        assert!(state.claim(Because::Age, now));
        state.fetched(KeySet::default(), at(), now);
        state
    }

    #[test]
    fn keys_are_fetched_once_and_again_when_they_are_old() {
        let now = Instant::now();
        let mut state = State::new(None, now);
        assert!(state.keys(now).is_none());
        assert!(state.claim(Because::Age, now) && !state.claim(Because::Age, now), "one fetch at a time");
        assert!(!state.claim(Because::Unknown, now), "nor for another reason");
        state.fetched(KeySet::default(), at(), now);
        assert!(!state.claim(Because::Age, now + FRESH - SECOND) && state.claim(Because::Age, now + FRESH));
        assert!(state.keys(now + FRESH).is_some(), "nobody waits for newer ones");
        let before = state.generation;
        state.fetched(KeySet::default(), at(), now + FRESH);
        assert_eq!(state.generation, before, "they are the same");
        state.fetched(KeySet { ignored: 1, ..KeySet::default() }, at(), now + FRESH);
        assert_eq!(state.generation, before + 1);
    }

    #[test]
    fn keys_are_kept_for_a_day_when_the_issuer_is_down() {
        let now = Instant::now();
        let mut state = fetched(now);
        let later = now + FRESH;
        assert!(state.claim(Because::Age, later));
        state.failed(later);
        assert!(state.keys(later).is_some() && state.keys(now + KEPT - SECOND).is_some());
        assert!(state.keys(now + KEPT).is_none());
    }

    #[test]
    fn a_failure_is_tried_again_ever_more_rarely_whatever_the_reason() {
        let mut now = Instant::now();
        let mut state = State::new(None, now);
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            assert!(state.claim(Because::Age, now));
            state.failed(now);
            assert!(!state.claim(Because::Age, now + pause * SECOND - SECOND / 2), "{pause}");
            assert!(!state.claim(Because::Unknown, now + pause * SECOND - SECOND / 2), "{pause}");
            now += pause * SECOND;
        }
    }

    #[test]
    fn unknown_keys_cause_few_fetches_however_many_there_are() {
        let now = Instant::now();
        let mut state = fetched(now);
        let mut fetches = 0;
        // Ten thousand within a minute.
        for n in 0..10_000 {
            let now = now + n * Duration::from_millis(6);
            if state.claim(Because::Unknown, now) {
                fetches += 1;
                state.fetched(KeySet::default(), at(), now);
            }
        }
        assert_eq!(fetches, 3 + 5);
        assert!(state.claim(Because::Unknown, now + 3600 * SECOND));
    }
}
