//! Calls of clients that stand alone at backends with sessions, while the backend waits for the client: kept open, found
//! again by a token, given up when the client does not come back.
//!
//! It sends nothing to backends and writes no result.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vmcp_core::gateway::relay::NotAsked;
use vmcp_core::gateway::suspended::PATIENCE;
use vmcp_core::gateway::{Caller, Hop};
use vmcp_core::identity::Principal;
use vmcp_core::mcp::client::{Answer, CallError, ServerMessage, Standing};
use vmcp_core::mcp::jsonrpc;

use super::App;
use super::outlet::Outlet;
use super::questions::Towards;
use crate::transport::Cancel;

/// Calls that may be suspended at a time: each holds a session at its backend, and counts among the calls that run.
const SUSPENDED: usize = 256;
/// Questions that may be open in one call.
const OPEN: usize = 64;
/// Bytes of a result that is kept for a client that has not come back yet.
const KEPT: usize = 1 << 20;

/// All calls that wait for their clients.
#[derive(Default)]
pub(super) struct Suspensions {
    last: AtomicU64,
    waiting: Mutex<HashMap<u64, Arc<Suspendable>>>,
}

/// A call that can be suspended.
pub(super) struct Suspendable {
    number: u64,
    place: usize,
    /// Whose call it is. What is sealed for it opens for the same principal alone.
    who: Option<Arc<Principal>>,
    pub(super) cancel: Cancel,
    state: Mutex<State>,
}

struct State {
    /// Who waits for what comes next, and where it goes.
    caller: Caller,
    outlet: Arc<Outlet>,
    /// How often the client has come.
    round: u64,
    turn: Turn,
    asked: u64,
    open: Vec<Question>,
}

/// Who is waited for.
enum Turn {
    /// The backend; the client hears what it says.
    Backend,
    /// The same for the rest of an answer that is passed on: nothing can be asked in it any longer.
    Answering,
    /// The client, which has to come again.
    Client,
    /// The client: the backend has not waited for its answer, and this came of the call.
    Late(Box<Ended>),
    /// Nobody: the call is over.
    Over,
}

/// What came of a call.
pub(super) struct Ended {
    /// Of this backend.
    pub(super) backend: String,
    pub(super) result: Result<Answer, CallError>,
}

impl Ended {
    fn bytes(&self) -> usize {
        match &self.result {
            Ok(Answer::Reply(reply)) => reply.text().len(),
            _ => 0,
        }
    }
}

struct Question {
    key: String,
    message: ServerMessage,
    standing: Arc<Standing>,
}

/// Nobody was waited for.
#[derive(Debug)]
pub(super) struct NotAwaited;

/// A client's connection in one round of a call: if it is lost while the call goes on, the call is cancelled (2026-07-28,
/// streamable-http, Cancellation). The end of an answer that asks for input is none.
pub(super) struct Attached {
    call: Arc<Suspendable>,
    round: u64,
}

impl Drop for Attached {
    fn drop(&mut self) {
        let state = self.call.lock();
        if state.round == self.round && matches!(state.turn, Turn::Backend | Turn::Answering) {
            self.call.cancel.cancel();
        }
    }
}

impl Suspensions {
    /// A call that may have to wait for its client.
    pub(super) fn begin(
        &self,
        place: usize,
        who: Option<Arc<Principal>>,
        caller: Caller,
        outlet: Arc<Outlet>,
        cancel: Cancel,
    ) -> Arc<Suspendable> {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let state = State { caller, outlet, round: 0, turn: Turn::Backend, asked: 0, open: Vec::new() };
        Arc::new(Suspendable { number, place, who, cancel, state: Mutex::new(state) })
    }

    /// The call of this number.
    pub(super) fn find(&self, number: u64) -> Option<Arc<Suspendable>> {
        self.lock().get(&number).cloned()
    }

    /// It is over, and this came of it. Returns who hears that now; a client that has to come again finds it then.
    pub(super) fn end(&self, call: &Suspendable, ended: Ended) -> Option<(Caller, Arc<Outlet>, Ended)> {
        let mut state = call.lock();
        if matches!(state.turn, Turn::Client) && ended.bytes() <= KEPT {
            state.turn = Turn::Late(Box::new(ended));
            return None;
        }
        let hears = matches!(state.turn, Turn::Backend);
        state.turn = Turn::Over;
        self.lock().remove(&call.number);
        hears.then(|| (state.caller.clone(), Arc::clone(&state.outlet), ended))
    }

    /// It is over, and its client has had all that there is.
    pub(super) fn answered(&self, call: &Suspendable) {
        call.lock().turn = Turn::Over;
        self.lock().remove(&call.number);
    }

    /// Nobody comes for it any more, unless somebody has since that round.
    fn give_up(&self, call: &Suspendable, round: u64) {
        let mut state = call.lock();
        if state.round == round && matches!(state.turn, Turn::Client | Turn::Late(_)) {
            // In one step with the look: who comes now is told that it is gone.
            state.turn = Turn::Over;
            self.lock().remove(&call.number);
            drop(state);
            call.cancel.cancel();
        }
    }

    fn keep(&self, call: &Arc<Suspendable>) -> Result<(), NotAsked> {
        let mut waiting = self.lock();
        if waiting.len() >= SUSPENDED && !waiting.contains_key(&call.number) {
            return Err(NotAsked::TooMany);
        }
        waiting.insert(call.number, Arc::clone(call));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Suspendable>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Suspendable {
    /// The connection of this round.
    pub(super) fn attached(self: &Arc<Self>) -> Attached {
        Attached { call: Arc::clone(self), round: self.lock().round }
    }

    /// Who hears what comes of the call; `None` while the client is away.
    pub(super) fn hears(&self) -> Option<(Caller, Arc<Outlet>)> {
        let state = self.lock();
        matches!(state.turn, Turn::Backend).then(|| (state.caller.clone(), Arc::clone(&state.outlet)))
    }

    /// The answer begins to arrive: where it goes, if it goes to the connection that the call was made on. Nothing is asked
    /// from then on.
    pub(super) fn answers(&self) -> Option<Arc<Outlet>> {
        let mut state = self.lock();
        if !matches!(state.turn, Turn::Backend) || state.round > 0 {
            return None;
        }
        state.turn = Turn::Answering;
        Some(Arc::clone(&state.outlet))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// A backend asks something in a call. Returns what it is answered at once.
    pub(super) fn suspend(
        self: &Arc<Self>,
        call: &Arc<Suspendable>,
        standing: Option<&Arc<Standing>>,
        message: &ServerMessage,
    ) -> Option<String> {
        let id = message.id.as_deref()?;
        let asked = (|| {
            let standing = Arc::clone(standing.ok_or(NotAsked::Gone)?);
            let mut state = call.lock();
            state.caller.may_be_asked(message)?;
            if matches!(state.turn, Turn::Answering | Turn::Late(_) | Turn::Over) {
                return Err(NotAsked::Gone);
            }
            if state.open.len() >= OPEN {
                return Err(NotAsked::TooMany);
            }
            self.suspensions.keep(call)?;
            state.asked += 1;
            let key = format!("q{}", state.asked);
            state.open.push(Question { key, message: message.clone(), standing });
            if matches!(state.turn, Turn::Backend) {
                self.ask_open(call, &mut state);
            }
            Ok(())
        })();
        asked.err().map(|refusal| refusal.response(id))
    }

    /// The client comes back with answers; what it has not answered it is asked again.
    ///
    /// # Errors
    /// It was not waited for: somebody has come already.
    pub(super) fn feed(
        self: &Arc<Self>,
        call: &Arc<Suspendable>,
        caller: Caller,
        who: Option<&Arc<Principal>>,
        outlet: Arc<Outlet>,
        answers: &[(String, String)],
    ) -> Result<Attached, NotAwaited> {
        let mut state = call.lock();
        match std::mem::replace(&mut state.turn, Turn::Over) {
            Turn::Client => state.turn = Turn::Backend,
            Turn::Late(ended) => {
                self.suspensions.lock().remove(&call.number);
                drop(state);
                self.tell_end(&caller, &outlet, who.map(Arc::as_ref), *ended);
                return Ok(Attached { call: Arc::clone(call), round: 0 });
            }
            turn @ (Turn::Backend | Turn::Answering | Turn::Over) => {
                state.turn = turn;
                return Err(NotAwaited);
            }
        }
        state.round += 1;
        let level = caller.log_level().filter(|level| state.caller.log_level() != Some(*level));
        (state.caller, state.outlet) = (caller, outlet);
        let mut towards = Vec::new();
        let mut open = std::mem::take(&mut state.open);
        let session = open.first().map(|question| Arc::clone(&question.standing));
        open.retain(|question| {
            let key = format!("\"{}\"", question.key);
            let answer = answers.iter().find(|(known, _)| *known == key);
            if let (Some((_, answer)), Some(id)) = (answer, &question.message.id) {
                let (standing, message) = (Arc::clone(&question.standing), jsonrpc::result(id, answer));
                towards.push(Towards { place: call.place, standing, message });
            }
            answer.is_none()
        });
        state.open = open;
        self.backends.tell_at(call.place, session.zip(level), towards, who);
        // 2026-07-28, basic/patterns/mrtr, Error Handling: what is missing is asked for again.
        if state.open.is_empty() {
            call.cancel.count_silence();
        } else {
            self.ask_open(call, &mut state);
        }
        Ok(Attached { call: Arc::clone(call), round: state.round })
    }

    fn ask_open(self: &Arc<Self>, call: &Arc<Suspendable>, state: &mut State) {
        state.turn = Turn::Client;
        // It is the backend that waits; how long, is bounded below.
        call.cancel.excuse_silence(Duration::from_secs(PATIENCE));
        let caller = &state.caller;
        let questions = state.open.iter().map(|question| (question.key.as_str(), &question.message));
        let hop = Hop { backend: "", server: &self.server, sealer: self.seals.sealer(call.who.as_deref()) };
        let message = caller.asks(questions, &self.seals.token(call.number), hop);
        state.outlet.answer(|| Some(caller.asking(message.clone())), || Some(message.clone()));
        let (app, call, round) = (Arc::clone(self), Arc::clone(call), state.round);
        self.backends.runtime.spawn(async move {
            tokio::time::sleep(Duration::from_secs(PATIENCE)).await;
            app.suspensions.give_up(&call, round);
        });
    }
}
