//! Subscriptions of clients that stand alone: what is told on each stream, and for how long.
//!
//! It asks no backend for lists; who does says when one is another one.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use vmcp_core::aggregate::{Merged, Owner};
use vmcp_core::gateway::Listen;
use vmcp_core::gateway::listen::{self, About, Changing, Filter, Subscription};
use vmcp_core::identity::Principal;
use vmcp_core::mcp::client::ServerMessage;

use super::App;
use super::incoming::until_expired;
use super::link::Conversation;
use super::reply::{self, Events, KEEP_ALIVE, Reply, written};
use super::stream::{Resumption, Stream};
use super::views::View;
use crate::credentials::Passed;
use crate::logging::chain;
use crate::transport::Cancel;

/// How long the first message waits for backends.
const ACKNOWLEDGEMENT: Duration = Duration::from_millis(600);
/// Subscriptions that may be open.
const SUBSCRIPTIONS: usize = 10_000;
/// Messages of backends that wait to be told.
const WAITING: usize = 64;
/// Between two attempts to open a stream at a backend again, at least and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// What one backend is to tell of single resources and tasks: by its own name, the client's.
#[derive(Clone, Debug, Default)]
struct Names {
    resources: BTreeMap<String, String>,
    tasks: BTreeMap<String, String>,
}

/// What comes of a stream at the backend at a place.
pub(super) enum Told {
    /// This is honoured.
    Stands(usize, Filter),
    /// Nothing is.
    Refused(usize),
    /// Something is another one now.
    Message(usize, ServerMessage),
}

impl App {
    /// Answers `subscriptions/listen`: a stream that lives as long as its connection.
    pub(super) fn subscribe(
        self: &Arc<Self>,
        listen: &Listen<'_>,
        who: Option<Arc<Principal>>,
        passed: &Passed,
    ) -> Reply {
        if self.backends.all_listeners.load(Ordering::Relaxed) >= SUBSCRIPTIONS {
            let message = format!("{SUBSCRIPTIONS} subscriptions are open, and no more are allowed; try again later");
            return written(listen.refused(&message));
        }
        let tasks = match listen.tasks(&self.seals.sealer(who.as_deref())) {
            Ok(tasks) => tasks,
            Err(refused) => return written(refused),
        };
        let stream = Stream::new(0, Resumption::No);
        let (open, closed) = oneshot::channel::<Infallible>();
        let events = Events::new(stream.reader(), KEEP_ALIVE, open);
        let told = Teller { subscription: listen.subscription(), stream };
        let (app, view) = (Arc::clone(self), self.sees(None, listen.asker.capabilities, who.as_ref(), passed));
        let wanted = listen.wanted.clone();
        self.backends.runtime.spawn(async move { app.keep_telling(view, told, wanted, tasks, who, closed).await });
        reply::events(events)
    }

    async fn keep_telling(
        self: Arc<Self>,
        view: Arc<View>,
        told: Teller,
        wanted: Filter,
        tasks: Vec<(String, Owner)>,
        who: Option<Arc<Principal>>,
        mut closed: oneshot::Receiver<Infallible>,
    ) {
        let (_listening, mut changes) = view.listening();
        let (sender, mut heard) = mpsc::channel(WAITING);
        let until = Instant::now() + ACKNOWLEDGEMENT;
        let names = self.names(&view, &wanted, &tasks, until - ACKNOWLEDGEMENT / 2).await;
        let cancel = Cancel::new();
        let _until_here = CancelOnDrop(cancel.clone());
        for (place, names) in &names {
            tokio::spawn(Arc::clone(&self).keep_open(
                Arc::clone(&view),
                *place,
                names.clone(),
                who.clone(),
                sender.clone(),
                cancel.clone(),
            ));
        }
        let honoured = self.honoured(&view, &wanted, &names, &mut heard, until).await;
        told.stream.send(&told.subscription.acknowledged(&honoured));
        let mut stopping = self.stopping.clone();
        let mut expired = std::pin::pin!(until_expired(|| who.clone()));
        loop {
            tokio::select! {
                // The client is gone; nothing is ever sent through this.
                _ = &mut closed => return,
                _ = stopping.wait_for(|stopping| *stopping) => break,
                () = &mut expired => break,
                change = changes.recv() => match change {
                    Ok(change) if change.view == view.number => told.changed(&honoured, &[change.kind()]),
                    Ok(_) => {}
                    // Too many to remember: any list may be another one.
                    Err(RecvError::Lagged(_)) => told.changed(&honoured, &Changing::ALL),
                    Err(RecvError::Closed) => break,
                },
                Some(heard) = heard.recv() => match heard {
                    // It was lost and stands again: what was said meanwhile was not heard.
                    Told::Stands(place, again) => {
                        let Some(names) = names.get(&place) else { continue };
                        for uri in again.resources.iter().filter_map(|uri| names.resources.get(uri)) {
                            if honoured.resources.contains(uri) {
                                told.stream.send(&told.subscription.updated(uri));
                            }
                        }
                    }
                    Told::Refused(_) => {}
                    Told::Message(place, message) => {
                        if let Some(names) = names.get(&place) {
                            told.retell(&honoured, names, &message);
                        }
                    }
                },
            }
        }
        told.stream.send(&told.subscription.ended(&self.server));
        told.stream.end();
    }

    /// Which backend is to tell of what.
    async fn names(
        &self,
        view: &View,
        wanted: &Filter,
        tasks: &[(String, Owner)],
        until: Instant,
    ) -> BTreeMap<usize, Names> {
        let mut names = BTreeMap::<usize, Names>::new();
        let mut found: Vec<_> = wanted.resources.iter().map(|uri| (uri, view.merged().resource(uri))).collect();
        if found.iter().any(|(_, owner)| owner.is_none()) {
            // One that is not listed may be yet; a backend that says nothing is waited for once.
            let lists = Changing::Resources.lists();
            let late = || found.iter().filter(|(_, owner)| owner.is_none());
            let all = |merged: &Merged| late().all(|(uri, _)| merged.resource(uri).is_some()).then_some(());
            drop(timeout_at(until, view.find_in(lists, all)).await);
            let merged = view.merged();
            for (uri, owner) in &mut found {
                *owner = owner.take().or_else(|| merged.resource(uri));
            }
        }
        for (uri, owner) in found {
            let place = owner.as_ref().and_then(|owner| view.find(&owner.backend));
            if let (Some(owner), Some((place, _))) = (&owner, place) {
                names.entry(place).or_default().resources.insert(owner.original.clone(), uri.clone());
            }
        }
        for (id, owner) in tasks {
            if let Some((place, _)) = view.find(&owner.backend) {
                names.entry(place).or_default().tasks.insert(owner.original.clone(), id.clone());
            }
        }
        names
    }

    /// Waits a moment for what backends honour; who has not answered by then is left out of it.
    async fn honoured(
        &self,
        view: &View,
        wanted: &Filter,
        names: &BTreeMap<usize, Names>,
        heard: &mut mpsc::Receiver<Told>,
        until: Instant,
    ) -> Filter {
        let mut honoured = Filter::default();
        let mut missing: Vec<_> = names.keys().copied().collect();
        while !missing.is_empty() {
            let Ok(Some(heard)) = timeout_at(until, heard.recv()).await else { break };
            match heard {
                Told::Stands(place, filter) => {
                    missing.retain(|known| *known != place);
                    let Some(names) = names.get(&place) else { continue };
                    honoured
                        .resources
                        .extend(filter.resources.iter().filter_map(|uri| names.resources.get(uri).cloned()));
                    honoured.tasks.extend(filter.tasks.iter().filter_map(|id| names.tasks.get(id).cloned()));
                }
                Told::Refused(place) => missing.retain(|known| *known != place),
                Told::Message(..) => {}
            }
        }
        // In the client's order.
        let in_order = |all: &[String], some: &[String]| all.iter().filter(|one| some.contains(one)).cloned().collect();
        honoured.resources = in_order(&wanted.resources, &honoured.resources);
        honoured.tasks = in_order(&wanted.tasks, &honoured.tasks);
        if !wanted.lists.is_empty() {
            for served in &view.all {
                let mut known = served.heard.subscribe();
                let told = timeout_at(until, known.wait_for(Option::is_some)).await;
                if let Ok(Ok(kinds)) = told {
                    honoured.lists.extend(kinds.iter().flatten());
                }
            }
        }
        honoured.lists = wanted.lists.iter().filter(|kind| honoured.lists.contains(kind)).copied().collect();
        honoured
    }

    /// A stream of its own at one backend: what it says of a resource may be about a part of it, so that only the stream
    /// tells whom it concerns (2026-07-28, schema, ResourceUpdatedNotificationParams).
    async fn keep_open(
        self: Arc<Self>,
        view: Arc<View>,
        place: usize,
        names: Names,
        who: Option<Arc<Principal>>,
        out: mpsc::Sender<Told>,
        cancel: Cancel,
    ) {
        let Some(served) = view.at(place).cloned() else { return };
        let mut pause = PAUSE.0;
        while !cancel.is_cancelled() && !out.is_closed() {
            let Some(standing) = served.stateless() else {
                let uris = names.resources.into_keys().collect();
                return self.hear_updates(served, place, uris, who, out).await;
            };
            let conversation = Conversation::beside(Arc::clone(&served.own), standing, who.clone());
            let wanted = Filter {
                lists: Vec::new(),
                resources: names.resources.keys().cloned().collect(),
                tasks: names.tasks.keys().cloned().collect(),
            };
            let mut changes = Arc::clone(&served).changes(wanted, conversation, &cancel);
            let mut stood = false;
            let result = loop {
                match changes.next().await {
                    Ok(message) => {
                        let heard = match listen::acknowledged(&message) {
                            Some(honoured) => {
                                stood = true;
                                Told::Stands(place, honoured)
                            }
                            None => Told::Message(place, message),
                        };
                        // A client that is gone is told nothing.
                        drop(out.send(heard).await);
                    }
                    Err(result) => break result,
                }
            };
            if let Err(error) = &result {
                tracing::debug!(backend = served.name, error = chain(error), "a stream of changes has ended");
            }
            if stood {
                pause = PAUSE.0;
            } else {
                drop(out.send(Told::Refused(place)).await);
            }
            cancel.paused(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }
}

/// The stream of one subscription.
struct Teller {
    subscription: Subscription,
    stream: Arc<Stream>,
}

impl Teller {
    fn changed(&self, honoured: &Filter, kinds: &[Changing]) {
        for kind in kinds.iter().filter(|kind| honoured.lists.contains(kind)) {
            self.stream.send(&self.subscription.changed(*kind));
        }
    }

    fn retell(&self, honoured: &Filter, names: &Names, message: &ServerMessage) {
        let about = match listen::about(message) {
            // A part of a resource has no other name here.
            Some(About::Resource(uri)) => About::Resource(names.resources.get(&uri).cloned().unwrap_or(uri)),
            Some(About::Task(id)) => match names.tasks.get(&id).filter(|id| honoured.tasks.contains(id)) {
                Some(id) => About::Task(id.clone()),
                None => return,
            },
            None => return,
        };
        self.stream.send(&self.subscription.retold(message, &about));
    }
}

struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
