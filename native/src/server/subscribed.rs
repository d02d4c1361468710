//! Resources at a backend without sessions of whose changes a client with a session wants to hear: one stream for all of
//! them, and another one before the old is closed when they are others (2026-07-28, basic/patterns/subscriptions).
//!
//! It keeps no list of them; the client's session does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use vmcp_core::gateway::listen::{self, About, Filter};
use vmcp_core::mcp::Era;
use vmcp_core::mcp::client::{Answer, CallError, Goal, ServerMessage, Standing};

use super::App;
use super::client::Client;
use super::link::Conversation;
use super::served::Served;
use super::sessions::Session;
use crate::logging::chain;
use crate::transport::Cancel;

/// How long a client waits until its wish is acknowledged.
const ACKNOWLEDGEMENT: Duration = Duration::from_secs(1);
/// Between two attempts to open a stream again, at least and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

impl App {
    /// Hears what the client wants to hear now of the backend at this place. Waits a moment until the backend says so.
    pub(super) async fn hear_subscriptions(&self, session: &Arc<Session<Client>>, served: &Arc<Served>, place: usize) {
        let uris: Vec<_> = session.state.subscriptions(place).into_iter().map(String::from).collect();
        let cancel = Cancel::new();
        let before = session.state.hears_updates_until(place, &cancel);
        if uris.is_empty() {
            cancel.cancel();
            before.iter().for_each(Cancel::cancel);
            return;
        }
        let (stands, stood) = oneshot::channel();
        let hearing = Hearing { session: Arc::clone(session), served: Arc::clone(served), place, uris, cancel };
        self.backends.runtime.spawn(hearing.keep_open(before, stands));
        // Late is late: what is said from then on is heard.
        drop(timeout(ACKNOWLEDGEMENT, stood).await);
    }
}

impl App {
    /// Opens the client's conversation with this backend, unless it is open, and says how the backend speaks.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(super) async fn open_for(
        self: &Arc<Self>,
        session: &Arc<Session<Client>>,
        served: &Arc<Served>,
        place: usize,
        conversation: &mut Conversation,
        cancel: &Cancel,
    ) -> Result<Era, CallError> {
        if let Some(standing) = conversation.standing() {
            return Ok(standing.era());
        }
        match self.ask_for(session, served, place, Goal::Open, conversation, cancel).await.0? {
            Answer::Opened(standing) => Ok(standing.era()),
            _ => Ok(Era::Legacy),
        }
    }

    /// The client's conversation with this backend has been opened.
    pub(super) async fn opened_for(
        self: &Arc<Self>,
        session: &Arc<Session<Client>>,
        served: &Arc<Served>,
        place: usize,
        standing: &Arc<Standing>,
        cancel: &Cancel,
    ) {
        session.state.lists_anew(place);
        self.said_anew(session, served, place, standing, cancel).await;
        self.listen_to(session, place).stands().await;
    }

    /// Says there what the client has said once for all conversations with this backend, as the backend speaks now.
    pub(super) async fn said_anew(
        &self,
        session: &Arc<Session<Client>>,
        served: &Arc<Served>,
        place: usize,
        standing: &Arc<Standing>,
        cancel: &Cancel,
    ) {
        match standing.era() {
            Era::Legacy => session.state.replay(place, served, standing, cancel).await,
            Era::Modern if session.state.has_subscriptions(place) => {
                self.hear_subscriptions(session, served, place).await;
                // What was said before that was not heard.
                session.state.all_updated(place);
            }
            Era::Modern => {}
        }
    }
}

/// One stream of one client.
struct Hearing {
    session: Arc<Session<Client>>,
    served: Arc<Served>,
    place: usize,
    uris: Vec<String>,
    cancel: Cancel,
}

impl Hearing {
    async fn keep_open(self, before: Option<Cancel>, stands: oneshot::Sender<()>) {
        let (mut before, mut stands, mut pause, mut again) = (before, Some(stands), PAUSE.0, false);
        while !self.cancel.is_cancelled() {
            let Some(standing) = self.stateless() else { return };
            let own = Arc::clone(&self.served.own);
            let conversation = Conversation::beside(own, standing, self.session.state.who());
            let wanted = Filter { resources: self.uris.clone(), ..Filter::default() };
            let mut changes = Arc::clone(&self.served).changes(wanted, conversation, &self.cancel);
            let result = loop {
                match changes.next().await {
                    Ok(message) if listen::acknowledged(&message).is_some() => {
                        pause = PAUSE.0;
                        before.take().iter().for_each(Cancel::cancel);
                        stands.take().map(|stands| stands.send(()));
                        if again {
                            // What was said meanwhile was not heard.
                            self.session.state.all_updated(self.place);
                        }
                    }
                    Ok(message) => self.tell(&message),
                    Err(result) => break result,
                }
            };
            // The old one has nothing to wait for if the new one cannot stand.
            before.take().iter().for_each(Cancel::cancel);
            drop(stands.take());
            if let Err(error) = &result {
                tracing::debug!(backend = self.served.name, error = chain(error), "a stream of updates has ended");
            }
            again = true;
            self.cancel.paused(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// A conversation in which the backend can be asked: the gateway's own may not be open yet.
    fn stateless(&self) -> Option<Arc<Standing>> {
        let of_session = || self.session.state.link(self.place).standing();
        self.served.stateless().or_else(of_session).filter(|standing| standing.era() == Era::Modern)
    }

    fn tell(&self, message: &ServerMessage) {
        if let Some(About::Resource(_)) = listen::about(message) {
            self.session.state.stream.send(&listen::unmarked(message));
        }
    }
}
