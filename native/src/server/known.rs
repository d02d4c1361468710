//! What is known of one list of one backend, and when it is asked again.
//!
//! It asks nobody and has no clock: time is an argument.

use std::sync::Arc;
use std::time::{Duration, Instant};

use vmcp_core::mcp::client::{Freshness, Listed};

/// How long a list is as good as asked for now.
const FRESH: Duration = Duration::from_secs(30);
/// How long after a failure a client's question is the next one.
const PAUSE: Duration = Duration::from_millis(200);
/// How long the gateway itself waits at least, and at most, before it asks again a backend of which nothing is known.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How long an old list is believed while the backend does not answer.
const BELIEVED: Duration = Duration::from_secs(60);

/// What is known of one list of one backend.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// As it was last.
    pub(super) list: Option<Arc<Listed>>,
    /// Since when a question is on its way.
    asking: Option<Instant>,
    answered: Option<Instant>,
    failed: Option<Failed>,
    /// When the backend said that it is another one, until it was asked after that.
    told: Option<Instant>,
    /// Whether anybody was shown the lists without it since it was there last.
    missed: bool,
}

/// What an answer is to those who were shown the lists before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A list that nobody has missed: no change to anybody.
    First,
    /// Another list than was shown, or none where one was.
    Changed(Why),
}

/// How it is known that a list is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The backend said so: to everybody who hears it.
    Told,
    /// It was asked.
    Seen,
}

/// Questions that failed, since the last answer.
#[derive(Clone, Copy, Debug)]
struct Failed {
    first: Instant,
    last: Instant,
    times: u32,
}

impl Known {
    /// Whether a client's wish is to be followed by a question at `now`: the list is not fresh, nobody is asking, and
    /// the last question did not fail a moment ago. Says so once; then a question is on its way.
    pub(super) fn claim(&mut self, now: Instant) -> bool {
        let fresh = self.answered.is_some_and(|answered| now.duration_since(answered) < FRESH);
        let paused = self.failed.is_some_and(|failed| now.duration_since(failed.last) < PAUSE);
        self.claim_if(!fresh && !paused, now)
    }

    /// The same without a client: nothing is known, and the backend was left alone for some time, longer with each
    /// failure.
    pub(super) fn claim_again(&mut self, now: Instant) -> bool {
        let due = self.failed.is_some_and(|failed| {
            let pause = RETRY.0.saturating_mul(1 << failed.times.saturating_sub(1).min(8)).min(RETRY.1);
            now.duration_since(failed.last) >= pause
        });
        self.claim_if(due && self.list.is_none(), now)
    }

    /// The same, however fresh the list is.
    pub(super) fn claim_now(&mut self, now: Instant) -> bool {
        self.claim_if(true, now)
    }

    fn claim_if(&mut self, due: bool, now: Instant) -> bool {
        let claimed = due && self.asking.is_none();
        if claimed {
            self.asking = Some(now);
        }
        claimed
    }

    /// How long it may be kept at `now`, as the backend says; `None` if there is no such list.
    pub(super) fn freshness(&self, now: Instant) -> Option<Freshness> {
        let Some(list) = &self.list else { return Some(Freshness::STALE) };
        let age = self.answered.map(|answered| now.duration_since(answered).as_millis());
        let age = age.map_or(u64::MAX, |age| u64::try_from(age).unwrap_or(u64::MAX));
        (list.pages > 0).then(|| list.freshness.after(age))
    }

    /// Since when a question is on its way.
    pub(super) fn asking(&self) -> Option<Instant> {
        self.asking
    }

    /// Whether the last question failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// The backend says that the list is no longer what it was: the next question is due, and what comes of it counts as
    /// a change.
    pub(super) fn outdated(&mut self, now: Instant) {
        self.answered = None;
        self.told = Some(now);
    }

    /// Whether the backend said so, and was not asked since.
    pub(super) fn is_outdated(&self) -> bool {
        self.told.is_some()
    }

    /// Whether there is none to show, asked by who shows the lists without it: it is news to somebody then when it comes.
    pub(super) fn misses(&mut self) -> bool {
        self.missed = self.list.is_none();
        self.missed
    }

    /// Keeps what came of a question, `None` if it failed. Returns what is different now, or what the backend said to be.
    pub(super) fn answered(&mut self, answer: Option<Listed>, now: Instant) -> Option<News> {
        let was_shown = self.list.is_some() || self.missed || self.told.is_some();
        let why = if self.told.is_some() { Why::Told } else { Why::Seen };
        let asked = self.asking.take();
        let told = self.told.take_if(|told| asked.is_some_and(|asked| asked >= *told)).is_some();
        let late = self.told.is_some();
        let changed = self.keep(answer, now);
        if late {
            // What was asked before the backend spoke may be what it was.
            self.answered = None;
        }
        (changed || told).then_some(if was_shown { News::Changed(why) } else { News::First })
    }

    fn keep(&mut self, answer: Option<Listed>, now: Instant) -> bool {
        match answer {
            Some(listed) => {
                (self.answered, self.failed) = (Some(now), None);
                let changed = self.list.as_deref() != Some(&listed);
                if changed {
                    self.list = Some(Arc::new(listed));
                }
                changed
            }
            None => {
                let before = self.failed.unwrap_or(Failed { first: now, last: now, times: 0 });
                self.answered = None;
                self.failed = Some(Failed { last: now, times: before.times.saturating_add(1), ..before });
                now.duration_since(before.first) >= BELIEVED && self.list.take().is_some()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use vmcp_core::mcp::Era;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn listed(tool: &str) -> Option<Listed> {
        Some(Listed::new(vec![tool.to_owned()], Era::Legacy))
    }

    #[test]
    fn one_asks_and_a_list_stays_fresh_for_a_while() {
        let (mut known, now) = (Known::default(), Instant::now());
        assert!(known.claim(now) && !known.claim(now));
        assert_eq!(known.asking(), Some(now));
        assert_eq!((known.answered(listed("a"), now), known.asking()), (Some(News::First), None));
        assert!(!known.claim(now + 29 * SECOND) && known.claim(now + 30 * SECOND));
        assert_eq!(known.answered(listed("a"), now + 30 * SECOND), None, "nothing is different");
        known.outdated(now + 30 * SECOND);
        assert!(known.claim(now + 31 * SECOND));
        assert_eq!(known.answered(listed("b"), now + 31 * SECOND), Some(News::Changed(Why::Told)));
        assert_eq!(known.answered(listed("c"), now + 32 * SECOND), Some(News::Changed(Why::Seen)));
    }

    #[test]
    fn what_a_backend_says_while_it_is_asked_is_asked_again() {
        let (mut known, now) = (Known::default(), Instant::now());
        assert!(known.claim(now));
        known.outdated(now + SECOND);
        assert!(known.answered(listed("a"), now + 2 * SECOND).is_some() && known.is_outdated());
        assert!(known.claim(now + 2 * SECOND), "that answer may be older");
        let news = known.answered(listed("a"), now + 3 * SECOND);
        assert_eq!(news, Some(News::Changed(Why::Told)), "it said that it changed");
        assert!(!known.is_outdated() && !known.claim(now + 4 * SECOND));
    }

    #[test]
    fn an_old_list_is_believed_for_a_minute() {
        let (mut known, now) = (Known::default(), Instant::now());
        known.answered(listed("a"), now);
        assert!(known.answered(None, now + 30 * SECOND).is_none() && known.has_failed());
        assert!(known.answered(None, now + 89 * SECOND).is_none() && known.list.is_some());
        assert!(known.answered(None, now + 90 * SECOND).is_some() && known.list.is_none());
        assert!(known.answered(None, now + 91 * SECOND).is_none());
        assert!(known.answered(listed("a"), now + 92 * SECOND).is_some() && !known.has_failed());
        assert!(known.answered(None, now + 93 * SECOND).is_none() && known.list.is_some(), "a minute begins anew");
    }

    #[test]
    fn a_list_is_news_to_who_was_shown_the_others_without_it() {
        let (mut known, now) = (Known::default(), Instant::now());
        assert!(known.misses());
        assert_eq!(known.answered(None, now), None, "it is still missing");
        assert_eq!(known.answered(listed("a"), now), Some(News::Changed(Why::Seen)));
        assert!(!known.misses());
        // Gone, and back before anybody looked.
        known.answered(None, now);
        assert_eq!(known.answered(None, now + BELIEVED), Some(News::Changed(Why::Seen)));
        assert_eq!(known.answered(listed("a"), now + BELIEVED), Some(News::First));
    }

    #[test]
    fn who_fails_is_asked_again_ever_more_rarely() {
        let (mut known, mut now) = (Known::default(), Instant::now());
        assert!(!known.claim_again(now), "nobody has asked yet");
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            known.answered(None, now);
            assert!(!known.claim(now + PAUSE / 2));
            assert!(!known.claim_again(now + pause * SECOND - PAUSE), "{pause}");
            now += pause * SECOND;
            assert!(known.claim_again(now), "{pause}");
        }
        known.answered(None, now);
        assert!(known.claim(now + PAUSE), "a client need not wait for that");
    }
}
