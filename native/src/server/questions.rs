//! What backends have asked one client, until it answers: under which id there, and under which here.
//!
//! It sends nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use vmcp_core::gateway::relay::{self, NotAsked};
use vmcp_core::gateway::task_ids::Names;
use vmcp_core::mcp::client::{ServerMessage, Standing};
use vmcp_core::mcp::{json, jsonrpc};

use super::outlet::{Excused, Outlet, Told};
use super::stream::Stream;

/// Questions that may be open at one client.
const OPEN: usize = 64;

/// The open questions of one client. Ids count up: one is never used twice in a session.
#[derive(Default)]
pub(super) struct Questions(Mutex<State>);

#[derive(Default)]
struct State {
    last: u64,
    open: Vec<Question>,
    /// The client is gone.
    ended: bool,
}

struct Question {
    id: u64,
    /// The progress token that the id stands for.
    token: Option<String>,
    /// Which tasks its answer may name.
    names: Names,
    asker: Asker,
    on: On,
    _excused: Option<Excused>,
}

/// Who wants to know.
#[derive(Clone)]
enum Asker {
    Backend(Source),
    /// A call that goes on here with the answer.
    Call(mpsc::Sender<String>),
}

impl Asker {
    fn backend(&self) -> Option<&Source> {
        match self {
            Self::Backend(source) => Some(source),
            Self::Call(_) => None,
        }
    }
}

/// What a client's answer is good for.
pub(super) enum Answered {
    /// It goes to the backend that asked, and may name these tasks.
    Towards(Towards, Names),
    /// The call that asked goes on with it.
    Taken,
    /// Nobody asked, or no longer.
    Unasked,
}

/// Who asks.
#[derive(Clone)]
pub(super) struct Source {
    /// The backend's place.
    pub(super) place: usize,
    /// The conversation in which it asks.
    pub(super) standing: Arc<Standing>,
    /// The id there, as JSON.
    pub(super) id: String,
}

/// Where a client hears of something: on the stream of a call, or on the one that belongs to none.
#[derive(Clone)]
pub(super) enum On {
    Call(Arc<Outlet>),
    Standing(Arc<Stream>),
}

impl On {
    fn say(&self, message: &str) -> Told {
        match self {
            Self::Call(outlet) => outlet.say(message),
            Self::Standing(stream) if stream.is_read() => {
                stream.send(message);
                Told::Yes
            }
            Self::Standing(_) => Told::No,
        }
    }

    fn excuses(&self) -> Option<Excused> {
        match self {
            Self::Call(outlet) => Some(outlet.asks()),
            Self::Standing(_) => None,
        }
    }

    fn is(&self, outlet: &Arc<Outlet>) -> bool {
        matches!(self, Self::Call(own) if Arc::ptr_eq(own, outlet))
    }
}

/// A message to a backend, and the conversation it belongs to.
pub(super) struct Towards {
    pub(super) place: usize,
    pub(super) standing: Arc<Standing>,
    pub(super) message: String,
}

impl Questions {
    /// Asks the client, on the first of these streams that it hears.
    ///
    /// # Errors
    /// It cannot be asked.
    pub(super) fn ask(&self, message: &ServerMessage, source: Source, on: &[On]) -> Result<(), NotAsked> {
        self.ask_for(message, &Asker::Backend(source), on)
    }

    /// The same for a call that waits here. The receiver gets the response; it is cut off when the client is gone.
    ///
    /// # Errors
    /// It cannot be asked.
    pub(super) fn ask_here(&self, message: &ServerMessage, on: &[On]) -> Result<mpsc::Receiver<String>, NotAsked> {
        let (sender, receiver) = mpsc::channel(1);
        self.ask_for(message, &Asker::Call(sender), on)?;
        Ok(receiver)
    }

    fn ask_for(&self, message: &ServerMessage, asker: &Asker, on: &[On]) -> Result<(), NotAsked> {
        let id = {
            let mut state = self.lock();
            if state.ended {
                return Err(NotAsked::Gone);
            }
            if state.open.len() >= OPEN {
                return Err(NotAsked::TooMany);
            }
            state.last += 1;
            state.last
        };
        let (text, token) = relay::question(message, id);
        let names = Names::in_answer_to(&message.method, message.params());
        for on in on {
            // It is noted first: the answer may come at once.
            let question = Question {
                id,
                token: token.clone(),
                names,
                asker: asker.clone(),
                on: on.clone(),
                _excused: on.excuses(),
            };
            self.lock().open.push(question);
            if on.say(&text) == Told::Yes {
                return Ok(());
            }
            self.lock().open.retain(|question| question.id != id);
        }
        Err(NotAsked::Unreachable)
    }

    /// The client's answer, for whoever asked.
    pub(super) fn answered(&self, response: &jsonrpc::Response<'_>) -> Answered {
        let Some(id) = response.id else { return Answered::Unasked };
        let mut state = self.lock();
        let Some(place) = state.open.iter().position(|question| id.is_number(question.id)) else {
            return Answered::Unasked;
        };
        let question = state.open.swap_remove(place);
        if state.open.is_empty() {
            state.open.shrink_to_fit();
        }
        drop(state);
        match question.asker {
            Asker::Backend(source) => {
                let message = relay::answer(response, &source.id);
                Answered::Towards(Towards { place: source.place, standing: source.standing, message }, question.names)
            }
            // A call that has ended is told nothing.
            Asker::Call(waits) => match waits.try_send(response.text.to_owned()) {
                Ok(()) => Answered::Taken,
                Err(_) => Answered::Unasked,
            },
        }
    }

    /// The client's progress with an answer, for the backend that wants to know.
    pub(super) fn progress(&self, params: &str) -> Option<Towards> {
        let ours = json::member(params, "progressToken")?;
        let number = u64::try_from(json::integer(ours)?).ok()?;
        let state = self.lock();
        let question = state.open.iter().find(|question| question.id == number)?;
        let params = json::Splice::new(params).replace(ours, question.token.clone()?).finish();
        let message = jsonrpc::notification("notifications/progress", Some(&params));
        let source = question.asker.backend()?;
        Some(Towards { place: source.place, standing: Arc::clone(&source.standing), message })
    }

    /// A backend no longer wants to know: the client is told under the id that it knows.
    pub(super) fn cancelled(&self, place: usize, message: &ServerMessage) {
        let Some(theirs) = message.params().and_then(|params| json::member(params, "requestId")) else { return };
        let gone = {
            let mut state = self.lock();
            let found =
                state.open.iter().position(|q| q.asker.backend().is_some_and(|s| s.place == place && s.id == theirs));
            found.map(|found| state.open.swap_remove(found))
        };
        if let Some(question) = gone {
            question.on.say(&relay::retold(&message.text, "requestId", &question.id.to_string()));
        }
    }

    /// The call has come to nothing: what was asked for it need not be answered.
    pub(super) fn withdraw(&self, outlet: &Arc<Outlet>) {
        let gone: Vec<_> = self.lock().open.extract_if(.., |question| question.on.is(outlet)).collect();
        for question in gone {
            question.on.say(&relay::withdrawn(question.id, "the call that asked has ended"));
        }
    }

    /// The client is gone: so are the conversations in which it was asked.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        state.open.clear();
    }

    /// Every change under this lock is one step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
