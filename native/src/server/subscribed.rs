//! Resources at a backend without sessions of whose changes a client with a session wants to hear: one stream for all of
//! them, and another one before the old is closed when they are others (2026-07-28, basic/patterns/subscriptions).
//!
//! It keeps no list of them; the client's session does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use vmcp_core::gateway::listen::{self, About, Filter};
use vmcp_core::mcp::client::ServerMessage;

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
            let Some(standing) = self.served.stateless() else { return };
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

    fn tell(&self, message: &ServerMessage) {
        if let Some(About::Resource(_)) = listen::about(message) {
            self.session.state.stream.send(&listen::unmarked(message));
        }
    }
}
