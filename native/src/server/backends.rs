//! All backends of one server: their lists, kept and merged; and who may call how many of them at a time.
//!
//! It answers no client.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, TryAcquireError, broadcast, oneshot, watch};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout, timeout_at};
use vmcp_core::aggregate::{Merged, Offered, Policy, Severity, merge};
use vmcp_core::gateway::listen::Changing;
use vmcp_core::gateway::{Offering, extensions};
use vmcp_core::identity::Principal;
use vmcp_core::mcp::client::{Answer, Call, Class, Freshness, Goal, List, Listed, Settings, Standing};

use super::ears::{Ear, Left};
use super::known::{News, Why};
use super::link::{Conversation, Link};
use super::questions::Towards;
use super::served::{Heard, Served};
use super::whose::Whose;
use crate::credentials::Passed;
use crate::logging::chain;
use crate::transport::Cancel;

/// How long a client's list waits for a backend of which nothing is known.
const FIRST: Duration = Duration::from_secs(5);
/// How long it waits for a newer list than the one that is there.
const NEWER: Duration = Duration::from_secs(1);
/// How long it waits for a backend that failed the last time.
const AGAIN: Duration = Duration::from_millis(500);
/// How often it is looked which backends should be asked again.
const LOOK: Duration = Duration::from_secs(1);
/// Errands (lists, ends of sessions) that run side by side.
const ERRANDS: usize = 64;
/// Errands that may wait for their turn; more ends of sessions are not sent.
const PATIENT_ERRANDS: usize = 4096;

/// Standing streams of sessions that are heard side by side; what comes on more of them is not heard.
const EARS: usize = 10_000;
/// Answers of clients that are delivered side by side.
const WORDS: usize = 256;

/// Changes that a client may be behind before it is told of all.
const UNHEARD: usize = 64;

/// All backends.
pub(super) struct Backends {
    pub(super) all: Vec<Arc<Served>>,
    places: HashMap<String, usize>,
    policy: Arc<Policy>,
    pub(super) runtime: Handle,
    calls_limit: usize,
    calls_running: Arc<AtomicUsize>,
    /// Room for the gateway's own business.
    errands: Arc<Semaphore>,
    errands_waiting: Arc<AtomicUsize>,
    /// Room for standing streams of sessions.
    ears: Arc<Semaphore>,
    /// Room for what clients say to backends: answers to their questions, mostly.
    words: Arc<Semaphore>,
    /// Grows with every change of a list.
    changes: AtomicU64,
    /// How many clients want to hear of changes.
    pub(super) listeners: watch::Sender<usize>,
    /// The same in all views.
    pub(super) all_listeners: Arc<AtomicUsize>,
    /// Which view this is.
    pub(super) number: usize,
    views: Arc<AtomicUsize>,
    /// Tells of which lists are other ones now, in any view.
    pub(super) changed: broadcast::Sender<Change>,
    /// Tells of every answer and every failure.
    news: watch::Sender<()>,
    merged: Mutex<(u64, Arc<Merged>)>,
    /// By place: whether it was said that a backend is missing.
    missed: Vec<AtomicBool>,
    /// Stops what runs for the gateway itself.
    pub(super) stop: Cancel,
}

/// A list of a backend is another one now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// To clients of this view.
    pub(super) view: usize,
    /// Of the backend at this place.
    pub(super) place: usize,
    pub(super) list: List,
    pub(super) why: Why,
}

impl Change {
    /// What clients are told of.
    pub(super) fn kind(&self) -> Changing {
        Changing::of_list(self.list)
    }
}

/// Why a call cannot be made now.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// The limit of the whole server.
    #[error("{limit} calls to backends are running, and no more are allowed; try again later")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// What this backend's share is at the moment.
    #[error(
        "{running} calls to backend `{backend}` are running, which is as many as fit while others need room; try again later"
    )]
    Share {
        /// Which.
        backend: String,
        /// How many.
        running: usize,
    },
}

/// The right to one call, until it is dropped.
pub(super) struct Slot {
    backends: Arc<Backends>,
    served: Arc<Served>,
}

impl Backends {
    pub(super) fn new(all: Vec<Served>, policy: Policy, calls_limit: usize, runtime: Handle) -> Self {
        let all: Vec<_> = all.into_iter().map(Arc::new).collect();
        Self {
            places: all.iter().enumerate().map(|(place, served)| (served.name.clone(), place)).collect(),
            missed: all.iter().map(|_| AtomicBool::new(false)).collect(),
            all,
            policy: Arc::new(policy),
            runtime,
            calls_limit,
            calls_running: Arc::default(),
            errands: Arc::new(Semaphore::new(ERRANDS)),
            errands_waiting: Arc::default(),
            ears: Arc::new(Semaphore::new(EARS)),
            words: Arc::new(Semaphore::new(WORDS)),
            changes: AtomicU64::new(0),
            listeners: watch::Sender::new(0),
            all_listeners: Arc::default(),
            number: 0,
            views: Arc::default(),
            changed: broadcast::Sender::new(UNHEARD),
            news: watch::Sender::new(()),
            merged: Mutex::default(),
            stop: Cancel::new(),
        }
    }

    /// The same backends as clients of this principal see them that say this and pass these headers on: with the same room
    /// for calls, and lists of their own.
    pub(super) fn seen_by(&self, settings: &Arc<Settings>, whose: &Whose, passed: &Passed) -> Arc<Self> {
        let all: Vec<_> = self.all.iter().map(|served| Arc::new(served.seen_by(settings, whose, passed))).collect();
        Arc::new(Self {
            places: self.places.clone(),
            missed: all.iter().map(|_| AtomicBool::new(false)).collect(),
            all,
            policy: Arc::clone(&self.policy),
            runtime: self.runtime.clone(),
            calls_limit: self.calls_limit,
            calls_running: Arc::clone(&self.calls_running),
            errands: Arc::clone(&self.errands),
            errands_waiting: Arc::clone(&self.errands_waiting),
            ears: Arc::clone(&self.ears),
            words: Arc::clone(&self.words),
            changes: AtomicU64::new(0),
            listeners: watch::Sender::new(0),
            all_listeners: Arc::clone(&self.all_listeners),
            number: self.views.fetch_add(1, Ordering::Relaxed) + 1,
            views: Arc::clone(&self.views),
            changed: self.changed.clone(),
            news: watch::Sender::new(()),
            merged: Mutex::default(),
            stop: Cancel::new(),
        })
    }

    /// Begins to ask and to hear.
    pub(super) fn begin(self: Arc<Self>, kinds: &[List]) {
        self.warm_up(kinds);
        self.runtime.spawn(Arc::clone(&self).keep_asking());
        self.keep_hearing();
    }

    /// Ends what was begun, and the conversations.
    pub(super) fn close(self: &Arc<Self>) {
        self.stop.cancel();
        self.listeners.send_replace(0);
        for (place, served) in self.all.iter().enumerate() {
            self.end(place, served.own.end().into_iter().collect(), served.whose.now());
        }
    }

    /// The backend of this name, and its place.
    pub(super) fn find(&self, name: &str) -> Option<(usize, &Arc<Served>)> {
        let place = *self.places.get(name)?;
        Some((place, self.all.get(place)?))
    }

    /// The backend at a place.
    pub(super) fn at(&self, place: usize) -> Option<&Arc<Served>> {
        self.all.get(place)
    }

    /// Asks again, for ever and ever more rarely, the backends that have not answered.
    pub(super) async fn keep_asking(self: Arc<Self>) {
        while !self.stop.is_cancelled() {
            sleep(LOOK).await;
            let now = Instant::now();
            for served in &self.all {
                self.ask(served, List::ALL.into_iter().filter(|kind| served.claim_again(*kind, now)).collect());
            }
        }
    }

    /// Asks every backend whose lists of these kinds are not fresh, and waits for nobody.
    pub(super) fn warm_up(self: &Arc<Self>, kinds: &[List]) {
        let now = Instant::now();
        for served in &self.all {
            self.ask(served, kinds.iter().copied().filter(|kind| served.claim(*kind, now)).collect());
        }
    }

    /// The catalog with what is fresh of these kinds, or can be had before the deadline of each backend; who is missing
    /// is logged.
    pub(super) async fn fresh(self: &Arc<Self>, kinds: &[List]) -> Arc<Merged> {
        self.warm_up(kinds);
        for (served, missed) in self.all.iter().zip(&self.missed) {
            for kind in kinds {
                let mut known = served.known(*kind);
                if let Some(since) = served.asking(*kind) {
                    let (is_known, has_failed) = {
                        let known = known.borrow();
                        (known.list.is_some(), known.has_failed())
                    };
                    let patience = match (is_known, has_failed) {
                        (true, _) => NEWER,
                        (false, true) => AGAIN,
                        (false, false) => FIRST,
                    };
                    let answered = known.wait_for(|known| known.asking().is_none());
                    // Late is late; what is there is taken.
                    drop(timeout_at((since + patience).into(), answered).await);
                }
            }
            // Said once, and taken back when all its lists are there: one may be, and another not. Each is looked at, since to look
            // is to miss it.
            if kinds.iter().filter(|kind| served.misses(**kind)).count() > 0 {
                if !missed.swap(true, Ordering::Relaxed) {
                    tracing::warn!(backend = served.name, "backend is missing from the lists");
                }
            } else if List::ALL.iter().all(|kind| served.list(*kind).is_some()) && missed.swap(false, Ordering::Relaxed)
            {
                tracing::info!(backend = served.name, "backend is in the lists again");
            }
        }
        self.merged()
    }

    /// What `look` finds in the catalog. If it finds nothing, every backend whose lists of these kinds are not fresh is
    /// asked, and the first answer with which it finds something ends the wait.
    pub(super) async fn find_in<T>(self: &Arc<Self>, kinds: &[List], look: impl Fn(&Merged) -> Option<T>) -> Option<T> {
        if let Some(found) = look(&self.merged()) {
            return Some(found);
        }
        let mut news = self.news.subscribe();
        self.warm_up(kinds);
        loop {
            // Before the look: an answer between the two is found, and not taken for none on its way.
            let now = Instant::now();
            let asking = |served: &Arc<Served>| kinds.iter().filter_map(|kind| served.asking(*kind)).max();
            let deadlines = self.all.iter().filter_map(|served| Some(asking(served)? + FIRST));
            let last = deadlines.filter(|deadline| *deadline > now).max();
            if let Some(found) = look(&self.merged()) {
                return Some(found);
            }
            timeout_at(last?.into(), news.changed()).await.ok()?.ok()?;
        }
    }

    /// How long a list of this kind may be kept.
    pub(super) fn freshness(&self, kind: List) -> Freshness {
        let now = Instant::now();
        Freshness::of_all(self.all.iter().filter_map(|served| served.freshness(kind, now)))
    }

    /// What all backends offer, as far as they were asked, or those of `others` were that see the same backends. Those that
    /// come first where several have a resource come first here.
    pub(super) fn offering(&self, others: &Self) -> Offering {
        let pairs = self.all.iter().zip(&others.all);
        let mut known: Vec<_> =
            pairs.filter_map(|(own, other)| Some((own, own.introduced().or_else(|| other.introduced())?))).collect();
        // By name otherwise, as they stand.
        known.sort_by_key(|(served, _)| self.policy.rank(&served.name).unwrap_or(usize::MAX));
        Offering::of(known.iter().filter_map(|(served, standing)| Some((served.name.as_str(), standing.facts()?))))
    }

    /// The one backend that declares an extension of its own, as far as they were asked, or those of `others` were that see
    /// the same backends. Of several, a request tells none from the other.
    pub(super) fn extended(&self, others: &Self) -> Option<&Arc<Served>> {
        let mut extended = self.all.iter().zip(&others.all).filter_map(|(own, other)| {
            let standing = own.introduced().or_else(|| other.introduced())?;
            standing.facts().is_some_and(extensions::has_own).then_some(own)
        });
        extended.next().filter(|_| extended.next().is_none())
    }

    /// The merged list as it is known now.
    pub(super) fn merged(&self) -> Arc<Merged> {
        let changes = self.changes();
        {
            let (of, merged) = &*self.merged.lock().unwrap_or_else(PoisonError::into_inner);
            if *of == changes {
                return Arc::clone(merged);
            }
        }
        let merged = Arc::new(self.merged_with(&BTreeMap::new()));
        let mut kept = self.merged.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.0 < changes {
            for warning in merged.warnings.iter().filter(|warning| !kept.1.warnings.contains(warning)) {
                match warning.severity() {
                    Severity::Warning => tracing::warn!("{warning}"),
                    Severity::Error => tracing::error!("{warning}"),
                }
            }
            *kept = (changes, Arc::clone(&merged));
        }
        merged
    }

    /// How often anything has changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// The merged list with these in place of what is known, by place.
    pub(super) fn merged_with(&self, own: &BTreeMap<(usize, List), Arc<Listed>>) -> Merged {
        let list = |place, served: &Served, kind| own.get(&(place, kind)).cloned().or_else(|| served.list(kind));
        let lists: Vec<_> = self
            .all
            .iter()
            .enumerate()
            .map(|(place, served)| (served, List::ALL.map(|kind| list(place, served, kind))))
            .collect();
        let offers: Vec<_> = lists
            .iter()
            .map(|(served, [tools, resources, templates, prompts])| Offered {
                backend: &served.name,
                tools: tools.as_deref(),
                resources: resources.as_deref(),
                templates: templates.as_deref(),
                prompts: prompts.as_deref(),
            })
            .collect();
        merge(&self.policy, &offers)
    }

    /// Asks a backend for lists that were claimed, one after the other, in the background.
    pub(super) fn ask(self: &Arc<Self>, served: &Arc<Served>, kinds: Vec<List>) {
        if kinds.is_empty() {
            return;
        }
        let (backends, served) = (Arc::clone(self), Arc::clone(served));
        self.runtime.spawn(async move {
            // Who waits for another to open the conversation does not hold what others need.
            let conversation = served.own.join(served.whose.now(), || served.opening()).await;
            let permit = Arc::clone(&backends.errands).acquire_owned().await;
            Question { backends: Arc::clone(&backends), served, kinds }.ask(conversation).await;
            drop(permit);
        });
    }

    pub(super) fn keep(self: &Arc<Self>, served: &Served, kind: List, listed: Option<Listed>) {
        let Some((place, _)) = self.find(&served.name) else { return };
        // Whoever lists without it has said so before this step, and is told; or looks after it, and finds the count and
        // the answer.
        served.answered(kind, listed, Instant::now(), |news| {
            self.changes.fetch_add(1, Ordering::SeqCst);
            if let News::Changed(why) = news {
                // Where nobody listens, nobody is told.
                drop(self.changed.send(Change { view: self.number, place, list: kind, why }));
            }
        });
        self.news.send_replace(());
        self.listen_for_changes(place);
    }

    /// Hears the standing stream of an open conversation, unless somebody does. The result ends when the stream stands,
    /// or cannot.
    pub(super) fn hear_stream(
        &self,
        place: usize,
        link: Arc<Link>,
        ear: impl Ear + 'static,
        cancel: Cancel,
    ) -> Option<oneshot::Receiver<Infallible>> {
        let served = self.all.get(place).cloned()?;
        if !link.begins_to_hear() {
            return None;
        }
        let Ok(permit) = Arc::clone(&self.ears).try_acquire_owned() else {
            tracing::warn!(streams = EARS, "what a backend says by itself is not heard: too many streams stand");
            link.hears_no_more();
            return None;
        };
        let (begin, began) = oneshot::channel();
        self.runtime.spawn(async move {
            let mut begin = Some(begin);
            while served.hear_stream(&link, &ear, &cancel, begin.take()).await == Left::Unwanted {
                link.hears_no_more();
                // Who wants it since the last look found it heard, and counts on it.
                if !ear.listens() || !link.begins_to_hear() {
                    break;
                }
            }
            link.hears_no_more();
            drop(permit);
        });
        Some(began)
    }

    /// Ends conversations that nobody needs any longer, in the background and if it can be done.
    pub(super) fn end(self: &Arc<Self>, place: usize, standings: Vec<Arc<Standing>>, who: Option<Arc<Principal>>) {
        let Some(served) = self.all.get(place).filter(|_| !standings.is_empty()).cloned() else { return };
        if self.errands_waiting.fetch_add(1, Ordering::Relaxed) >= PATIENT_ERRANDS {
            self.errands_waiting.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let backends = Arc::clone(self);
        self.runtime.spawn(async move {
            let permit = Arc::clone(&backends.errands).acquire_owned().await;
            backends.errands_waiting.fetch_sub(1, Ordering::Relaxed);
            for standing in standings {
                served.end(standing, who.as_ref()).await;
            }
            drop(permit);
        });
    }

    /// Runs what is asked beside calls, if there is room for it.
    pub(super) fn aside(&self, job: impl Future<Output = ()> + Send + 'static) -> Result<(), TryAcquireError> {
        let permit = Arc::clone(&self.words).try_acquire_owned()?;
        self.runtime.spawn(async move {
            job.await;
            drop(permit);
        });
        Ok(())
    }

    /// Sends a message of `who` to a backend; nobody waits for that.
    pub(super) fn tell(&self, towards: Towards, who: Option<Arc<Principal>>) {
        let Some(served) = self.all.get(towards.place).cloned() else { return };
        let Some(request) = towards.standing.message(towards.message) else { return };
        let job = async move { served.send_aside(&request, who.as_ref()).await };
        if let Err(refused) = self.aside(job) {
            tracing::warn!(error = chain(&refused), "what a client said to a backend was not delivered");
        }
    }

    /// Asks something in a conversation that is open, in the background. The result ends when that is over.
    pub(super) fn ask_in(
        &self,
        place: usize,
        standing: Arc<Standing>,
        who: Option<Arc<Principal>>,
        call: Call,
    ) -> Option<oneshot::Receiver<bool>> {
        let served = self.all.get(place).cloned()?;
        let (done, result) = oneshot::channel();
        let stop = self.stop.clone();
        let job = async move {
            // Whoever asked may not wait any longer.
            let _ = done.send(served.ask_in(&standing, who.as_ref(), call, &stop).await);
        };
        match self.aside(job) {
            Ok(()) => Some(result),
            Err(refused) => {
                tracing::warn!(error = chain(&refused), "what a client wants of a backend was not said");
                None
            }
        }
    }

    /// Makes room for a call to this backend.
    ///
    /// A backend may have no more calls running than there is room left, so that one that answers slowly leaves room
    /// for the others, and two of them still do. Where there is one backend only, it has all of it.
    pub(super) fn admit(self: &Arc<Self>, served: &Arc<Served>) -> Result<Slot, Refused> {
        let running = self.calls_running.fetch_add(1, Ordering::AcqRel);
        let own = served.running.fetch_add(1, Ordering::AcqRel);
        let slot = Slot { backends: Arc::clone(self), served: Arc::clone(served) };
        if running >= self.calls_limit {
            return Err(Refused::Full { limit: self.calls_limit });
        }
        if self.all.len() > 1 && own >= self.calls_limit - running {
            return Err(Refused::Share { backend: served.name.clone(), running: own });
        }
        Ok(slot)
    }

    /// Stops what runs for the gateway itself, and waits a moment for what is polite: ends of sessions.
    pub(super) async fn stop(&self, patience: Duration) {
        self.stop.cancel();
        let over = async {
            // Permits are given in turn: who has all of them has waited for whoever asked before.
            while self.errands.acquire_many(u32::try_from(ERRANDS).unwrap_or(u32::MAX)).await.is_ok()
                && self.errands_waiting.load(Ordering::Relaxed) > 0
            {
                yield_now().await;
            }
        };
        if timeout(patience, over).await.is_err() {
            tracing::debug!("stopped before every session at a backend was ended");
        }
    }
}

/// Lists that were claimed. Those that were not answered when it is dropped have failed.
struct Question {
    backends: Arc<Backends>,
    served: Arc<Served>,
    kinds: Vec<List>,
}

impl Question {
    /// Asks.
    async fn ask(mut self, mut conversation: Conversation) {
        let (backends, served) = (Arc::clone(&self.backends), Arc::clone(&self.served));
        let backend = &served.name;
        for kind in self.kinds.clone() {
            let mut asking = served.ask(Goal::List(kind), &conversation, &backends.stop);
            let (result, withdrawal) = loop {
                if let Heard::Done(result, withdrawal) = asking.next(&served, &mut conversation).await {
                    break (result, withdrawal);
                }
            };
            let list = kind.method();
            let listed = match result {
                Ok(Answer::Listed(listed)) => {
                    tracing::debug!(backend, list, entries = listed.items.len(), "listed");
                    Some(listed)
                }
                Ok(_) => None,
                Err(error) if error.class() == Class::Cancelled => None,
                Err(error) => {
                    tracing::warn!(backend, list, error = chain(&error), "not listed");
                    None
                }
            };
            // What cannot be opened for one list cannot be for the next.
            let goes_on = listed.is_some() || served.own.standing().is_some();
            self.kinds.retain(|other| *other != kind);
            backends.keep(&served, kind, listed);
            if let Some(request) = withdrawal {
                served.send_aside(&request, conversation.who.as_ref()).await;
            }
            if !goes_on {
                break;
            }
        }
        drop(self);
        served.end_superfluous(&mut conversation).await;
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        for kind in std::mem::take(&mut self.kinds) {
            self.backends.keep(&self.served, kind, None);
        }
    }
}

impl Slot {
    /// Runs a call; the slot is free again when it is over.
    pub(super) fn run(self, job: impl Future<Output = ()> + Send + 'static) {
        let runtime = self.backends.runtime.clone();
        runtime.spawn(async move {
            job.await;
            drop(self);
        });
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.served.running.fetch_sub(1, Ordering::AcqRel);
        self.backends.calls_running.fetch_sub(1, Ordering::AcqRel);
    }
}
