//! What backends offer to clients that are alike: a server may list other things for whoever can be asked something, for
//! another principal, or with another header, so clients share lists, and the conversations in which they were asked for,
//! only if they declare the same, have passed the same headers on and, where credentials are made for each caller, are the
//! same principal.
//!
//! It asks nobody; whoever is asked is one of the backends of a view.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use vmcp_core::gateway::listen::Changing;
use vmcp_core::gateway::relay::Declares;
use vmcp_core::identity::Principal;
use vmcp_core::mcp::client::{Declared, Limits, List, Settings};

use super::VERSION;
use super::backends::Backends;
use crate::credentials::Passed;

/// Views beside the gateway's own.
const VIEWS: usize = 64;
/// The same, where each principal has one, or each value of a header.
const VIEWS_OF_CALLERS: usize = 4096;
/// How long one is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// All views.
pub(super) struct Views {
    /// Of clients that declare nothing, are nobody and pass nothing on.
    first: Arc<View>,
    others: Mutex<HashMap<Key, Arc<View>>>,
    by_principal: ByPrincipal,
}

/// Whether what backends show depends on who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ByPrincipal {
    No,
    Yes,
}

/// What clients have in common that share a view.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    declares: Declares,
    /// As [`Principal::binding`].
    who: Option<String>,
    passed: Passed,
}

impl Hash for Key {
    /// By what most views differ in.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.declares.in_session.hash(state);
        self.who.hash(state);
        self.passed.iter().for_each(|(name, value)| (name, value.expose()).hash(state));
    }
}

impl Key {
    fn is_first(&self) -> bool {
        self.declares.is_nothing() && self.who.is_none() && self.passed.is_empty()
    }

    fn is_of_a_caller(&self) -> bool {
        self.who.is_some() || !self.passed.is_empty()
    }
}

/// The backends as some clients see them. It is in use as long as anybody but [`Views`] holds it.
pub(super) struct View {
    key: Key,
    backends: Arc<Backends>,
    used: Mutex<Instant>,
}

impl Deref for View {
    type Target = Arc<Backends>;
    fn deref(&self) -> &Arc<Backends> {
        &self.backends
    }
}

impl Views {
    pub(super) fn new(first: Arc<Backends>) -> Self {
        let by_principal = if first.differ_by_principal() { ByPrincipal::Yes } else { ByPrincipal::No };
        let key = Key { declares: Declares::of_request("{}"), who: None, passed: Passed::default() };
        Self { first: Arc::new(View::new(key, first)), others: Mutex::default(), by_principal }
    }

    /// What a client sees that declares this, is `who` and has passed these headers on. A new view begins to ask at once,
    /// unless it is somebody's: nobody is asked with a caller's token but for the caller.
    pub(super) fn of(&self, declares: Declares, who: Option<&Arc<Principal>>, passed: &Passed) -> Arc<View> {
        let who = who.filter(|_| self.by_principal == ByPrincipal::Yes);
        let key = Key { declares, who: who.map(|who| who.binding()), passed: Arc::clone(passed) };
        if key.is_first() {
            return Arc::clone(&self.first);
        }
        let (made, gone) = {
            let mut others = self.lock();
            if let Some(view) = others.get(&key) {
                view.touch();
                if let Some(who) = who {
                    view.renew(who);
                }
                return Arc::clone(view);
            }
            let limit = if key.is_of_a_caller() { VIEWS_OF_CALLERS } else { VIEWS };
            let alike = others.keys().filter(|other| other.is_of_a_caller() == key.is_of_a_caller()).count();
            let gone = match alike < limit {
                true => None,
                false => match oldest(&others, key.is_of_a_caller()) {
                    Some(oldest) => others.remove(&oldest),
                    None => {
                        tracing::warn!(
                            views = limit,
                            "clients declare, are or pass on too many different things; one is shown what others are"
                        );
                        return Arc::clone(&self.first);
                    }
                },
            };
            let backends = self.first.backends.seen_by(&Arc::new(settings(&key.declares)), who, passed);
            let made = Arc::new(View::new(key.clone(), backends));
            others.insert(key, Arc::clone(&made));
            (made, gone)
        };
        close(gone);
        match made.key.is_of_a_caller() {
            true => {}
            false => Arc::clone(&made.backends).begin(&List::ALL),
        }
        made
    }

    /// What the clients of a view see once they have passed other headers on, or come with another token.
    pub(super) fn instead_of(&self, view: &Arc<View>, who: Option<&Arc<Principal>>, passed: &Passed) -> Arc<View> {
        if view.key.passed == *passed {
            if let Some(who) = who {
                view.renew(who);
            }
            view.touch();
            return Arc::clone(view);
        }
        self.of(view.key.declares.clone(), who, passed)
    }

    /// A backend says that lists are other ones now: they are asked for in every view.
    pub(super) fn announce(&self, place: usize, kind: Changing) {
        for view in self.all() {
            if let Some(served) = view.at(place) {
                view.announce(served, kind);
            }
        }
    }

    /// Forgets what nobody has used for long.
    pub(super) fn sweep(&self, now: Instant) {
        let is_idle =
            |view: &mut Arc<View>| Arc::strong_count(view) == 1 && now.saturating_duration_since(view.used()) >= IDLE;
        let gone: Vec<_> = self.lock().extract_if(|_, view| is_idle(view)).map(|(_, view)| view).collect();
        close(gone);
    }

    /// Stops what runs for each of them.
    pub(super) fn stop(&self) {
        let others = std::mem::take(&mut *self.lock());
        close(others.into_values());
    }

    fn all(&self) -> Vec<Arc<View>> {
        let others = self.lock();
        std::iter::once(&self.first).chain(others.values()).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<View>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    fn new(key: Key, backends: Arc<Backends>) -> Self {
        Self { key, backends, used: Mutex::new(Instant::now()) }
    }

    /// Whether it is one caller's, so that nobody else may be shown what is seen in it.
    pub(super) fn is_of_a_caller(&self) -> bool {
        self.key.is_of_a_caller()
    }

    fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one that has not been used for longest, of those that are somebody's or of the others.
fn oldest(views: &HashMap<Key, Arc<View>>, of_callers: bool) -> Option<Key> {
    let idle = views.iter().filter(|(key, view)| key.is_of_a_caller() == of_callers && Arc::strong_count(view) == 1);
    idle.min_by_key(|(_, view)| view.used()).map(|(key, _)| key.clone())
}

fn close(views: impl IntoIterator<Item = Arc<View>>) {
    for view in views {
        view.backends.close();
    }
}

/// What backends are told on behalf of all clients of a view.
fn settings(declares: &Declares) -> Settings {
    let mut declared = Declared::new("vmcp", VERSION);
    declared.capabilities.clone_from(&declares.in_session);
    declared.alone = Some(declares.alone.clone());
    Settings { declared, limits: Limits::default() }
}
