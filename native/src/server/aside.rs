//! What is asked of a backend in a client's own session there, beside the client's calls.
//!
//! It answers no client.

use std::sync::Arc;

use tokio::sync::oneshot;
use vmcp_core::gateway::listen::Changing;
use vmcp_core::mcp::client::{Answer, CallError, Goal};
use vmcp_core::mcp::http;

use super::App;
use super::client::Client;
use super::link::Conversation;
use super::served::{Served, Word};
use super::sessions::Session;
use crate::logging::chain;
use crate::transport::Cancel;

impl App {
    /// What comes of it; `None` if it could not be asked. The session is opened if the client has not used it yet.
    pub(super) async fn ask_in_session(
        self: &Arc<Self>,
        place: usize,
        session: &Arc<Session<Client>>,
        goal: Goal,
    ) -> Option<Result<Answer, CallError>> {
        let served = self.backends.at(place).cloned()?;
        let link = session.state.link(place);
        let conversation = link.join(session.state.who(), || served.opening_for_session()).await;
        let mut conversation = conversation.on_behalf_of(&session.state.settings);
        let (done, result) = oneshot::channel();
        let (app, session, stop) = (Arc::clone(self), Arc::clone(session), link.cancel.clone());
        let job = async move {
            let (result, withdrawal) = app.ask_for(&session, &served, place, goal, &mut conversation, &stop).await;
            // Whoever asked may not wait any longer.
            drop(done.send(result));
            if let Some(request) = withdrawal {
                served.send_aside(&request, conversation.who.as_ref()).await;
            }
            app.backends.end(place, conversation.superfluous(), conversation.who.take());
        };
        if let Err(refused) = self.backends.aside(job) {
            tracing::warn!(error = chain(&refused), "what a client wants of a backend was not asked");
            return None;
        }
        result.await.ok()
    }

    /// The same in a conversation of the session, by whoever holds it. The second part of what comes of it is for
    /// [`Served::send_aside`].
    pub(super) async fn ask_for(
        self: &Arc<Self>,
        session: &Arc<Session<Client>>,
        served: &Arc<Served>,
        place: usize,
        goal: Goal,
        conversation: &mut Conversation,
        cancel: &Cancel,
    ) -> (Result<Answer, CallError>, Option<http::Request>) {
        let mut asking = served.ask(goal, conversation, cancel);
        loop {
            match asking.word(served, conversation).await {
                Word::Message(message, standing) => {
                    if let Some(kind) = Changing::of(&message.method) {
                        self.changed_in_session(session, place, kind);
                    }
                    if let Some(response) = self.told(session, place, standing.as_ref(), &message, None) {
                        asking.answer(response);
                    }
                }
                Word::Opened(standing) => self.opened_for(session, served, place, &standing, cancel).await,
                Word::Done(result, withdrawal) => return (result, withdrawal),
            }
        }
    }
}
