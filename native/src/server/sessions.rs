//! The sessions of legacy clients (MCP up to 2025-11-25): who they are, until when they live, what they keep.
//!
//! It speaks no HTTP and starts no thread: time is an argument, and expired sessions go when they are looked for or swept.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::crypto::SecureRandom;
use vmcp_core::gateway;

/// The name of a session: a random UUID, 122 bits of which are random.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SessionId(u128);

impl SessionId {
    fn random(random: &dyn SecureRandom) -> Option<Self> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes).ok()?;
        gateway::session_id(bytes).parse().ok()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&gateway::session_id(self.0.to_be_bytes()))
    }
}

/// Who holds the id is the client: it is shown to nobody else.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[session]")
    }
}

/// A text that no [`SessionId`] is written as.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotAnId;

impl FromStr for SessionId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let id = u128::from_str_radix(&digits, 16).map(Self).map_err(|_| NotAnId)?;
        // One spelling only, so that an id is one text everywhere.
        if id.to_string() == text { Ok(id) } else { Err(NotAnId) }
    }
}

/// All sessions of one server; `T` is what each keeps.
pub(super) struct Sessions<T> {
    lifetime: Duration,
    limit: usize,
    random: &'static dyn SecureRandom,
    start: Instant,
    open: Mutex<HashMap<SessionId, Arc<Session<T>>>>,
}

/// One session.
pub(super) struct Session<T> {
    /// Its name.
    pub(super) id: SessionId,
    /// What it keeps.
    pub(super) state: T,
    /// Milliseconds from the table's start.
    last_used: AtomicU64,
    in_use: AtomicUsize,
}

/// Why no session was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotOpened {
    /// As many are open as may be.
    #[error("{limit} sessions are open, and no more are allowed; try again when one has ended")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for a session id")]
    NoRandom,
}

/// What there is under a name.
pub(super) enum Found<T> {
    /// The caller's session.
    Yes(InUse<T>),
    /// Nothing, or nothing any more.
    No,
    /// The session of somebody else.
    SomebodyElses,
}

impl<T> Sessions<T> {
    pub(super) fn new(lifetime: Duration, limit: usize, random: &'static dyn SecureRandom, now: Instant) -> Self {
        Self { lifetime, limit, random, start: now, open: Mutex::new(HashMap::new()) }
    }

    /// Opens a session. At the limit, the caller sweeps and tries again.
    ///
    /// # Errors
    /// The limit is reached, or there is no randomness.
    pub(super) fn open(&self, state: T, now: Instant) -> Result<InUse<T>, NotOpened> {
        let id = SessionId::random(self.random).ok_or(NotOpened::NoRandom)?;
        let session =
            Arc::new(Session { id, state, last_used: AtomicU64::new(self.millis(now)), in_use: AtomicUsize::new(1) });
        let in_use = InUse { session: Arc::clone(&session), start: self.start };
        let mut open = self.locked();
        if open.len() >= self.limit {
            return Err(NotOpened::Full { limit: self.limit });
        }
        open.insert(id, session);
        Ok(in_use)
    }

    /// The session of this name if it is the caller's, which does not expire before the result is dropped. One that has
    /// expired is left for [`Sessions::sweep`], whose caller winds it up. One of somebody else lives no longer for it.
    pub(super) fn find(&self, id: SessionId, now: Instant, is_callers: impl FnOnce(&T) -> bool) -> Found<T> {
        let open = self.locked();
        let Some(session) = open.get(&id).filter(|session| !self.expired(session, now)) else { return Found::No };
        if !is_callers(&session.state) {
            return Found::SomebodyElses;
        }
        session.in_use.fetch_add(1, Ordering::Relaxed);
        session.last_used.store(self.millis(now), Ordering::Relaxed);
        Found::Yes(InUse { session: Arc::clone(session), start: self.start })
    }

    /// Takes a session out. Whoever still uses it goes on; winding it up is the caller's.
    pub(super) fn end(&self, id: SessionId) -> Option<Arc<Session<T>>> {
        self.locked().remove(&id)
    }

    /// Takes out what has expired; winding it up is the caller's.
    pub(super) fn sweep(&self, now: Instant) -> Vec<Arc<Session<T>>> {
        self.locked().extract_if(|_, session| self.expired(session, now)).map(|(_, session)| session).collect()
    }

    /// Those that are open now.
    pub(super) fn all(&self) -> Vec<Arc<Session<T>>> {
        self.locked().values().cloned().collect()
    }

    fn expired(&self, session: &Session<T>, now: Instant) -> bool {
        let idle = self.millis(now).saturating_sub(session.last_used.load(Ordering::Relaxed));
        session.in_use.load(Ordering::Relaxed) == 0 && u128::from(idle) >= self.lifetime.as_millis()
    }

    fn millis(&self, now: Instant) -> u64 {
        millis(self.start, now)
    }

    /// Nothing that runs under this lock can leave the map half changed.
    fn locked(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Session<T>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that something is done for: it does not expire meanwhile, and its lifetime begins anew when this is dropped.
pub(super) struct InUse<T> {
    session: Arc<Session<T>>,
    start: Instant,
}

impl<T> std::ops::Deref for InUse<T> {
    type Target = Arc<Session<T>>;
    fn deref(&self) -> &Self::Target {
        &self.session
    }
}

impl<T> Clone for InUse<T> {
    fn clone(&self) -> Self {
        self.session.in_use.fetch_add(1, Ordering::Relaxed);
        Self { session: Arc::clone(&self.session), start: self.start }
    }
}

impl<T> Drop for InUse<T> {
    fn drop(&mut self) {
        self.session.last_used.fetch_max(millis(self.start, Instant::now()), Ordering::Relaxed);
        self.session.in_use.fetch_sub(1, Ordering::Relaxed);
    }
}

fn millis(start: Instant, now: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(start).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn table(limit: usize) -> (Sessions<u32>, Instant) {
        let now = Instant::now();
        (Sessions::new(30 * MINUTE, limit, rustls::crypto::aws_lc_rs::default_provider().secure_random, now), now)
    }

    #[test]
    fn a_session_lives_as_long_as_it_is_used() {
        let (sessions, now) = table(10);
        let id = sessions.open(7, now).unwrap().id;
        for minutes in [29, 58, 87] {
            assert_eq!(find(&sessions, id, now + minutes * MINUTE).unwrap().state, 7);
        }
        assert!(find(&sessions, id, now + (87 + 30) * MINUTE).is_none());
        assert_eq!(sessions.sweep(now + (87 + 30) * MINUTE).len(), 1);
        assert!(sessions.all().is_empty());
    }

    fn find<T>(sessions: &Sessions<T>, id: SessionId, now: Instant) -> Option<InUse<T>> {
        match sessions.find(id, now, |_| true) {
            Found::Yes(session) => Some(session),
            Found::No => None,
            Found::SomebodyElses => unreachable!("it is everybody's"),
        }
    }

    #[test]
    fn somebody_elses_session_is_neither_given_nor_kept_alive() {
        let (sessions, now) = table(10);
        let id = sessions.open(7, now).unwrap().id;
        let last = sessions.all()[0].last_used.load(Ordering::Relaxed);
        assert!(matches!(sessions.find(id, now + 29 * MINUTE, |owner| *owner == 8), Found::SomebodyElses));
        assert_eq!(sessions.all()[0].last_used.load(Ordering::Relaxed), last);
        assert!(matches!(sessions.find(id, now + 31 * MINUTE, |owner| *owner == 8), Found::No));
        assert!(matches!(sessions.find(id, now + 29 * MINUTE, |owner| *owner == 7), Found::Yes(_)));
    }

    #[test]
    fn a_session_in_use_does_not_expire() {
        let (sessions, now) = table(10);
        let used = sessions.open(7, now).unwrap();
        let again = used.clone();
        drop(used);
        assert!(sessions.sweep(now + 1000 * MINUTE).is_empty());
        drop(again);
        assert_eq!(sessions.sweep(now + 2000 * MINUTE).len(), 1);
    }

    #[test]
    fn the_limit_is_for_sessions_that_are_open() {
        let (sessions, now) = table(2);
        let first = sessions.open(1, now).unwrap().id;
        drop(sessions.open(2, now).unwrap());
        let refused = sessions.open(3, now).err().unwrap();
        assert_eq!(refused.to_string(), "2 sessions are open, and no more are allowed; try again when one has ended");
        assert_eq!(sessions.end(first).unwrap().state, 1);
        assert!(sessions.end(first).is_none() && find(&sessions, first, now).is_none());
        drop(sessions.open(3, now).unwrap());
        assert!(sessions.open(4, now + 31 * MINUTE).is_err());
        assert_eq!(sessions.sweep(now + 31 * MINUTE).len(), 2);
        drop(sessions.open(4, now + 31 * MINUTE).unwrap());
        assert_eq!(sessions.all().len(), 1);
    }

    #[test]
    fn ids_are_read_as_they_are_written_and_shown_to_nobody() {
        let (sessions, now) = table(2);
        let (a, b) = (sessions.open(1, now).unwrap().id, sessions.open(2, now).unwrap().id);
        assert_ne!(a, b);
        assert_eq!(a.to_string().parse(), Ok(a));
        assert_eq!(a.to_string().len(), 36);
        assert_eq!(format!("{a:?}"), "[session]");
        let spelled = a.to_string();
        for text in
            ["", "0", "-", "nonsense", &spelled.to_uppercase(), &spelled.replace('-', ""), &format!("{spelled}-")]
        {
            assert_eq!(text.parse::<SessionId>(), Err(NotAnId), "{text}");
        }
        assert_eq!(NotOpened::NoRandom.to_string(), "the system gave no random bytes for a session id");
    }
}
