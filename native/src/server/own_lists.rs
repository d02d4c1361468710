//! Lists of a client's own: a server with sessions may list other things in one session than in another, so what it says to
//! have changed there is asked for there (the everything server adds resources in a call).
//!
//! It keeps what differs from what all clients see that can do the same, and nothing else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vmcp_core::aggregate::Merged;
use vmcp_core::gateway::listen::Changing;
use vmcp_core::mcp::client::{Answer, Goal, List, Listed};

use super::App;
use super::backends::Change;
use super::client::Client;
use super::known::Why;
use super::sessions::Session;
use super::views::View;

/// What one client sees that others do not.
#[derive(Default)]
pub(super) struct OwnLists(Mutex<State>);

#[derive(Default)]
struct State {
    /// By the backend's place.
    lists: BTreeMap<(usize, List), Arc<Listed>>,
    version: u64,
    /// The catalog made of them, and of which changes of the view and which version here.
    merged: Option<((u64, u64), Arc<Merged>)>,
    /// What is being asked for, and whether it has changed again meanwhile.
    asking: BTreeMap<(usize, Changing), Again>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    No,
    Yes,
}

impl OwnLists {
    /// The catalog as this client sees it; `None` if it sees what the others do.
    pub(super) fn merged(&self, view: &View) -> Option<Arc<Merged>> {
        let mut state = self.lock();
        if state.lists.is_empty() {
            return None;
        }
        let of = (view.changes(), state.version);
        if let Some((known, merged)) = &state.merged
            && *known == of
        {
            return Some(Arc::clone(merged));
        }
        let merged = Arc::new(view.merged_with(&state.lists));
        state.merged = Some((of, Arc::clone(&merged)));
        Some(merged)
    }

    /// A conversation is a new one: what was listed in the one before says nothing of it. Returns what is another list by
    /// that.
    pub(super) fn forget(&self, place: usize) -> Vec<Changing> {
        let mut state = self.lock();
        let gone: Vec<_> = state.lists.extract_if(.., |(at, _), _| *at == place).map(|((_, list), _)| list).collect();
        if !gone.is_empty() {
            state.version += 1;
        }
        let mut kinds: Vec<_> = gone.into_iter().map(Changing::of_list).collect();
        kinds.dedup();
        kinds
    }

    /// Whether the caller is to ask for these lists; if somebody does already, that one asks once more.
    fn begins(&self, place: usize, kind: Changing) -> bool {
        let mut state = self.lock();
        match state.asking.get_mut(&(place, kind)) {
            Some(again) => {
                *again = Again::Yes;
                false
            }
            None => {
                state.asking.insert((place, kind), Again::No);
                true
            }
        }
    }

    /// Whether nothing has changed since they were asked for.
    fn is_done(&self, place: usize, kind: Changing) -> bool {
        let mut state = self.lock();
        match state.asking.get_mut(&(place, kind)) {
            Some(again) if *again == Again::Yes => {
                *again = Again::No;
                false
            }
            _ => {
                state.asking.remove(&(place, kind));
                true
            }
        }
    }

    /// Keeps a list, until it is what the others see.
    fn keep(&self, place: usize, list: List, listed: Listed) {
        let mut state = self.lock();
        state.version += 1;
        state.lists.insert((place, list), Arc::new(listed));
    }

    /// Whether the client is told by itself what is another list now.
    fn is_asking(&self, place: usize, kind: Changing) -> bool {
        self.lock().asking.contains_key(&(place, kind))
    }

    /// Lets go of a list of the client's own that is what the others see now, which is this. Whether there was one until now.
    fn settle(&self, place: usize, list: List, others: Option<&Listed>) -> bool {
        let mut state = self.lock();
        let Some(own) = state.lists.get(&(place, list)) else { return false };
        if Some(&**own) == others {
            state.lists.remove(&(place, list));
            state.version += 1;
        }
        true
    }

    /// Every change under this lock is one step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// A backend has said in a client's own session that lists are other ones now: they are asked for there, and then the
    /// client is told, once.
    pub(super) fn changed_in_session(self: &Arc<Self>, session: &Arc<Session<Client>>, place: usize, kind: Changing) {
        let view = &session.state.view();
        // Where the backend says it to the gateway too, the others hear of it by that.
        if let Some(served) = view.at(place).filter(|served| !served.own.is_heard()) {
            view.look_again(served, &[kind]);
        }
        if !session.state.own_lists.begins(place, kind) {
            return;
        }
        let (app, session) = (Arc::clone(self), Arc::clone(session));
        self.backends.runtime.spawn(async move {
            let client = &session.state;
            loop {
                for list in kind.lists() {
                    let listed = app.ask_in_session(place, &session, Goal::List(*list)).await;
                    if let Some(Ok(Answer::Listed(listed))) = listed {
                        client.own_lists.keep(place, *list, listed);
                    }
                }
                if client.own_lists.is_done(place, kind) {
                    break;
                }
            }
            for list in kind.lists() {
                client.settle(place, *list);
            }
            client.tell_changed(kind);
        });
    }
}

impl Client {
    /// The catalog as this client sees it.
    pub(super) fn merged(&self) -> Arc<Merged> {
        let view = self.view();
        self.own_lists.merged(&view).unwrap_or_else(|| view.merged())
    }

    /// Whether what has changed for the others is to be told to this client. If its own session is being asked for the
    /// same, it is told by that, once.
    pub(super) fn sees(&self, change: &Change) -> bool {
        if change.view != self.view().number || self.own_lists.is_asking(change.place, change.kind()) {
            return false;
        }
        match change.why {
            Why::Told => !self.hears_itself(change.place),
            // It was told when it got its own.
            Why::Seen => !self.settle(change.place, change.list),
        }
    }

    /// As [`OwnLists::settle`].
    fn settle(&self, place: usize, list: List) -> bool {
        let others = self.view().at(place).and_then(|served| served.list(list));
        self.own_lists.settle(place, list, others.as_deref())
    }

    /// A conversation with the backend at this place is a new one.
    pub(super) fn lists_anew(&self, place: usize) {
        self.own_lists.forget(place).into_iter().for_each(|kind| self.tell_changed(kind));
    }
}
