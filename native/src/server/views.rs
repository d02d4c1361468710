//! What backends offer to clients that can do the same: a server may list other things for whoever can be asked something,
//! so clients share lists, and the conversations in which they were asked for, only if they declare the same.
//!
//! It asks nobody; whoever is asked is one of the backends of a view.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use vmcp_core::gateway::listen::Changing;
use vmcp_core::gateway::relay::Declares;
use vmcp_core::mcp::client::{Declared, Limits, List, Settings};

use super::VERSION;
use super::backends::Backends;

/// Views beside the gateway's own.
const VIEWS: usize = 64;
/// How long one is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// All views.
pub(super) struct Views {
    /// Of clients that declare nothing.
    first: Arc<View>,
    others: Mutex<Vec<Arc<View>>>,
}

/// The backends as some clients see them. It is in use as long as anybody but [`Views`] holds it.
pub(super) struct View {
    declares: Option<Declares>,
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
        Self { first: Arc::new(View::new(None, first)), others: Mutex::default() }
    }

    /// What a client sees that declares this. A new view begins to ask at once.
    pub(super) fn of(&self, declares: Declares) -> Arc<View> {
        if declares.is_nothing() {
            return Arc::clone(&self.first);
        }
        let (made, gone) = {
            let mut others = self.lock();
            if let Some(view) = others.iter().find(|view| view.declares.as_ref() == Some(&declares)) {
                view.touch();
                return Arc::clone(view);
            }
            let gone = match others.len() < VIEWS {
                true => None,
                false => match oldest(&others) {
                    Some(place) => Some(others.swap_remove(place)),
                    None => {
                        tracing::warn!(
                            views = VIEWS,
                            "clients declare too many different capabilities; one is shown what others are"
                        );
                        return Arc::clone(&self.first);
                    }
                },
            };
            let backends = self.first.backends.seen_by(&Arc::new(settings(&declares)));
            let made = Arc::new(View::new(Some(declares), backends));
            others.push(Arc::clone(&made));
            (made, gone)
        };
        close(gone);
        Arc::clone(&made.backends).begin(&List::ALL);
        made
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
        let gone: Vec<_> = self.lock().extract_if(.., is_idle).collect();
        close(gone);
    }

    /// Stops what runs for each of them.
    pub(super) fn stop(&self) {
        let others = std::mem::take(&mut *self.lock());
        close(others);
    }

    fn all(&self) -> Vec<Arc<View>> {
        let others = self.lock();
        std::iter::once(&self.first).chain(others.iter()).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<View>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    fn new(declares: Option<Declares>, backends: Arc<Backends>) -> Self {
        Self { declares, backends, used: Mutex::new(Instant::now()) }
    }

    fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of the one that has not been used for longest.
fn oldest(views: &[Arc<View>]) -> Option<usize> {
    let idle = views.iter().enumerate().filter(|(_, view)| Arc::strong_count(view) == 1);
    idle.min_by_key(|(_, view)| view.used()).map(|(place, _)| place)
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
