//! What backends say of their lists by themselves: one stream of changes for each backend, for as long as a client wants
//! to hear of any.
//!
//! It tells no client; who listens hears the kinds of lists that are other ones now.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, watch};
use tokio::time::{sleep, timeout};
use vmcp_core::aggregate::Merged;
use vmcp_core::gateway::listen::{self, Changing, Filter};
use vmcp_core::mcp::client::{Answer, CallError, Facts, Goal, ServerMessage, Standing};
use vmcp_core::mcp::{Era, json};

use super::backends::{Backends, Change};
use super::link::Conversation;
use super::served::{Asking, Served, Word};
use crate::logging::chain;
use crate::transport::Cancel;

/// Between two attempts to hear a backend, at least and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));
/// How often it is looked whether a backend has said yet what it offers.
const LOOK: Duration = Duration::from_millis(50);
/// How often a backend without such streams is asked for its lists while somebody listens.
const POLL: Duration = Duration::from_secs(5);
/// How long a call waits for a list of which it was told that it changed.
const ANEW: Duration = Duration::from_secs(5);
/// How long it is tried to ask for a list of which a change was told.
const TRIES: usize = 20;

/// Somebody listens, until this is dropped.
pub(super) struct Listening(Arc<Backends>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.listeners.send_modify(|count| *count = count.saturating_sub(1));
        self.0.all_listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How a stream of changes ended.
pub(super) enum Ended {
    /// It stood for some time.
    Lost,
    /// It did not come to be.
    Refused,
}

impl Backends {
    /// Begins to listen: kinds of lists that are other ones now come out of the second part.
    pub(super) fn listening(self: &Arc<Self>) -> (Listening, broadcast::Receiver<Change>) {
        let changes = self.changed.subscribe();
        self.listeners.send_modify(|count| *count += 1);
        self.all_listeners.fetch_add(1, Ordering::Relaxed);
        (Listening(Arc::clone(self)), changes)
    }

    /// Hears every backend while somebody listens.
    pub(super) fn keep_hearing(self: Arc<Self>) {
        for served in &self.all {
            self.runtime.spawn(Arc::clone(&self).keep_hearing_one(Arc::clone(served)));
        }
    }

    /// A backend says that lists are other ones now: they are asked for, and then who listens is told.
    pub(super) fn announce(self: &Arc<Self>, served: &Arc<Served>, kind: Changing) {
        for list in kind.lists() {
            served.outdated(*list, Instant::now());
            let (backends, served, list) = (Arc::clone(self), Arc::clone(served), *list);
            self.runtime.spawn(async move {
                for _ in 0..TRIES {
                    if served.claim(list, Instant::now()) {
                        return backends.ask(&served, vec![list]);
                    }
                    let mut known = served.known(list);
                    if known.borrow().asking().is_none() {
                        // The last question failed a moment ago.
                        sleep(PAUSE.0).await;
                    }
                    let over = known.wait_for(|known| known.asking().is_none() || !known.is_outdated()).await;
                    if !over.is_ok_and(|known| known.is_outdated()) {
                        return;
                    }
                }
            });
        }
    }

    /// The catalog when these lists of a backend were asked for anew, or after some time without.
    pub(super) async fn listed_anew(self: &Arc<Self>, served: &Arc<Served>, kind: Changing) -> Arc<Merged> {
        self.announce(served, kind);
        for list in kind.lists() {
            let mut known = served.known(*list);
            // Late is late; what is there is taken.
            drop(timeout(ANEW, known.wait_for(|known| !known.is_outdated())).await);
        }
        self.merged()
    }

    async fn keep_hearing_one(self: Arc<Self>, served: Arc<Served>) {
        let mut listeners = self.listeners.subscribe();
        let mut pause = PAUSE.0;
        while !self.stop.is_cancelled() && listeners.wait_for(|count| *count > 0).await.is_ok() {
            let Some(standing) = served.own.standing() else {
                // Whoever asks it for a list finds out how it speaks.
                sleep(LOOK).await;
                continue;
            };
            let told = tells(&standing);
            if told.is_empty() {
                served.heard.send_replace(Some(told));
                sleep(POLL).await;
                continue;
            }
            if standing.era() == Era::Legacy {
                served.heard.send_replace(Some(told.clone()));
                sleep(POLL).await;
                // Where it says so by itself, it is not asked.
                if !served.own.is_heard() {
                    self.look_again(&served, &told);
                }
                continue;
            }
            let ended = Arc::clone(&self).hear(&served, told.clone(), &mut listeners).await;
            if *listeners.borrow() == 0 {
                served.heard.send_replace(None);
                pause = PAUSE.0;
                continue;
            }
            match ended {
                Ended::Lost => {
                    // What was said meanwhile was not heard.
                    told.iter().for_each(|kind| self.announce(&served, *kind));
                    pause = PAUSE.0;
                }
                Ended::Refused => {
                    served.heard.send_replace(Some(Vec::new()));
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
            drop(timeout(pause, listeners.wait_for(|count| *count == 0)).await);
        }
    }

    /// Asks for lists whose backend does not say by itself that they are others; if they are, who listens is told.
    pub(super) fn look_again(self: &Arc<Self>, served: &Arc<Served>, kinds: &[Changing]) {
        let now = Instant::now();
        let lists = kinds.iter().flat_map(|kind| kind.lists()).copied();
        self.ask(served, lists.filter(|list| served.claim_now(*list, now)).collect());
    }

    /// One stream of changes, until it ends or nobody listens.
    async fn hear(
        self: Arc<Self>,
        served: &Arc<Served>,
        lists: Vec<Changing>,
        listeners: &mut watch::Receiver<usize>,
    ) -> Ended {
        let conversation = served.own.join(served.whose.now(), || served.opening()).await;
        let cancel = Cancel::new();
        let mut changes = Arc::clone(served).changes(Filter { lists, ..Filter::default() }, conversation, &cancel);
        let (backends, hearing) = (Arc::clone(&self), Arc::clone(served));
        let stands = Arc::new(AtomicBool::new(false));
        let stood = Arc::clone(&stands);
        let finished = tokio::spawn(async move {
            loop {
                match changes.next().await {
                    Ok(message) => {
                        if let Some(honoured) = listen::acknowledged(&message) {
                            stood.store(true, Ordering::Relaxed);
                            hearing.heard.send_replace(Some(honoured.lists));
                        } else if let Some(kind) = Changing::of(&message.method) {
                            backends.announce(&hearing, kind);
                        }
                    }
                    Err(result) => return result,
                }
            }
        });
        let result = tokio::select! {
            result = finished => result.ok(),
            _ = listeners.wait_for(|count| *count == 0) => None,
        };
        cancel.cancel();
        if let Some(Err(error)) = &result {
            tracing::debug!(backend = served.name, error = chain(error), "a stream of changes has ended");
        }
        if stands.load(Ordering::Relaxed) { Ended::Lost } else { Ended::Refused }
    }
}

impl Served {
    /// A stream of changes, opened when it is first asked for what comes.
    pub(super) fn changes(self: Arc<Self>, wanted: Filter, conversation: Conversation, cancel: &Cancel) -> Changes {
        let mut call = wanted.call();
        if !wanted.tasks.is_empty() {
            call.capabilities = Some(listen::WITH_TASKS.to_owned());
        }
        let asking = self.ask(Goal::Call(call), &conversation, cancel);
        Changes { served: self, conversation, asking }
    }
}

/// A stream of changes at a backend.
pub(super) struct Changes {
    served: Arc<Served>,
    conversation: Conversation,
    asking: Asking,
}

impl Changes {
    /// The next message.
    ///
    /// # Errors
    /// It has ended: what came of it.
    pub(super) async fn next(&mut self) -> Result<ServerMessage, Result<Answer, CallError>> {
        loop {
            match self.asking.word(&self.served, &mut self.conversation).await {
                Word::Message(message, _) => return Ok(message),
                Word::Opened(_) => {}
                Word::Done(result, _) => {
                    self.served.end_superfluous(&mut self.conversation).await;
                    return Err(result);
                }
            }
        }
    }
}

/// Of which lists a backend says that it tells changes. One that was never asked may tell of any.
fn tells(standing: &Standing) -> Vec<Changing> {
    let tells = |facts: &Facts, kind: Changing| {
        let capability = json::member(&facts.capabilities, kind.capability());
        capability.and_then(|capability| json::member(capability, "listChanged")) == Some("true")
    };
    Changing::ALL.into_iter().filter(|kind| standing.facts().is_none_or(|facts| tells(facts, *kind))).collect()
}
