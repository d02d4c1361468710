//! What a backend says to one client beside its answers, and what the client says back.
//!
//! It decides where a message goes; what a message may say is the core's.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::oneshot;
use vmcp_core::gateway::listen::Changing;
use vmcp_core::gateway::relay::{NotAsked, is_wanted, may_be_asked};
use vmcp_core::gateway::{Notified, extensions};
use vmcp_core::identity::Principal;
use vmcp_core::mcp::client::{Call, ServerMessage, Standing};
use vmcp_core::mcp::{Era, LogLevel, json, jsonrpc};

use super::App;
use super::backends::{Backends, Change};
use super::client::Client;
use super::outlet::{Outlet, Told};
use super::questions::{Answered, On, Source, Towards};
use super::served::Served;
use crate::transport::Cancel;

/// How long a client waits for the backends that it does not ask anything.
const A_MOMENT: Duration = Duration::from_secs(1);

impl Client {
    /// Passes on what the backend at `place` says. `outlet` is where the answer to the call goes on whose stream it came,
    /// if it came on one. Returns what the backend is answered at once.
    pub(super) fn told(
        &self,
        place: usize,
        standing: Option<&Arc<Standing>>,
        message: &ServerMessage,
        outlet: Option<&Arc<Outlet>>,
    ) -> Option<String> {
        if let Some(id) = &message.id {
            let asked = may_be_asked(&self.session.capabilities, message).and_then(|()| {
                let standing = standing.ok_or(NotAsked::Gone)?;
                // SDK servers put questions of a call where they name none (2025-11-25, basic/transports, Listening 4):
                // who is calling is meant.
                let call = outlet.cloned().or_else(|| self.latest_call(place));
                let on: Vec<_> =
                    call.map(On::Call).into_iter().chain([On::Standing(Arc::clone(&self.stream))]).collect();
                let source = Source { place, standing: Arc::clone(standing), id: id.clone() };
                self.questions.ask(message, source, &on)
            });
            return asked.err().map(|refusal| refusal.response(id));
        }
        match message.method.as_str() {
            "notifications/cancelled" => self.questions.cancelled(place, message),
            "notifications/message" if !is_wanted(self.log_level(), message) => {}
            "notifications/progress" => {
                // It ends with its call, so where that one is not heard it is not missed. Some servers say it on the stream
                // that belongs to no call.
                let on = match outlet {
                    Some(outlet) => Some((Arc::clone(outlet), message.text.clone())),
                    None => self.progress_of(place, message),
                };
                if let Some((outlet, text)) = on
                    && outlet.is_news(message)
                {
                    outlet.say(&text);
                }
            }
            "notifications/resources/updated" if !self.has_subscriptions(place) => {}
            // It concerns no call, whatever it came with.
            "notifications/resources/updated" => self.stream.send(&message.text),
            // What the gateway lists is heard of when it has listed it.
            "notifications/tools/list_changed"
            | "notifications/resources/list_changed"
            | "notifications/prompts/list_changed" => {}
            _ => {
                if outlet.is_none_or(|outlet| outlet.say(&message.text) == Told::No) {
                    self.stream.send(&message.text);
                }
            }
        }
        None
    }

    /// A session at a backend was opened: what the client has said once for all of it is said there too.
    pub(super) async fn replay(&self, place: usize, served: &Served, standing: &Arc<Standing>, cancel: &Cancel) {
        let who = self.who();
        if let Some(level) = self.log_level() {
            served.wants_logs(standing, who.as_ref(), level, cancel).await;
        }
        for uri in self.subscriptions(place) {
            let params = format!(r#"{{"uri":{}}}"#, json::quote(&uri));
            served.ask_in(standing, who.as_ref(), Call::new("resources/subscribe", Some(params)), cancel).await;
        }
    }

    /// Nobody knows whether the resources of this backend that the client wants to hear of have changed: it looks.
    pub(super) fn all_updated(&self, place: usize) {
        for uri in self.subscriptions(place) {
            let params = format!(r#"{{"uri":{}}}"#, json::quote(&uri));
            self.stream.send(&jsonrpc::notification("notifications/resources/updated", Some(&params)));
        }
    }
}

impl Served {
    /// From now on, log messages of this level and graver ones are wanted in this conversation. A backend that does not log
    /// is not told.
    pub(super) async fn wants_logs(
        &self,
        standing: &Arc<Standing>,
        who: Option<&Arc<Principal>>,
        level: LogLevel,
        cancel: &Cancel,
    ) {
        if logs(standing) {
            self.ask_in(standing, who, set_level(level), cancel).await;
        }
    }
}

impl Backends {
    /// The same in the background; what is returned ends when the backend has been told. `None` if it is not.
    fn tell_log_level(
        &self,
        place: usize,
        standing: &Arc<Standing>,
        who: Option<Arc<Principal>>,
        level: LogLevel,
    ) -> Option<oneshot::Receiver<bool>> {
        logs(standing).then(|| self.ask_in(place, Arc::clone(standing), who, set_level(level)))?
    }

    /// What a client says to the backend at a place, once that knows which log messages it wants there from now on, if
    /// these are others than before.
    pub(super) fn tell_at(
        self: &Arc<Self>,
        place: usize,
        level: Option<(Arc<Standing>, LogLevel)>,
        towards: Vec<Towards>,
        who: Option<&Arc<Principal>>,
    ) {
        let told = level.and_then(|(standing, level)| self.tell_log_level(place, &standing, who.cloned(), level));
        let tell = |backends: &Self, who: Option<&Arc<Principal>>| {
            towards.into_iter().for_each(|towards| backends.tell(towards, who.cloned()));
        };
        let Some(told) = told else { return tell(self, who) };
        let (backends, who) = (Arc::clone(self), who.cloned());
        self.runtime.spawn(async move {
            // Late is late: what is said meanwhile is as grave as was wanted before.
            drop(tokio::time::timeout(A_MOMENT, told).await);
            tell(&backends, who.as_ref());
        });
    }
}

/// Whether the backend is told in this conversation which log messages are wanted.
fn logs(standing: &Standing) -> bool {
    standing.era() == Era::Legacy && standing.facts().is_some_and(|facts| facts.offers("logging"))
}

/// 2025-11-25, server/utilities/logging.
fn set_level(level: LogLevel) -> Call {
    Call::new("logging/setLevel", Some(format!(r#"{{"level":"{}"}}"#, level.text())))
}

/// What has changed.
#[derive(Debug, PartialEq, Eq)]
enum Changed {
    These(Vec<Change>),
    /// It is not known what.
    Anything,
}

/// What has changed meanwhile too.
fn with_more(first: Change, changes: &mut Receiver<Change>) -> Changed {
    let mut all = vec![first];
    loop {
        match changes.try_recv() {
            Ok(change) => all.push(change),
            Err(TryRecvError::Lagged(_)) => return Changed::Anything,
            Err(TryRecvError::Empty | TryRecvError::Closed) => return Changed::These(all),
        }
    }
}

impl App {
    /// Tells the clients that listen when what the gateway lists has changed, each kind once a change.
    pub(super) async fn tell_of_changes(self: Arc<Self>) {
        let mut changes = self.backends.changed.subscribe();
        loop {
            let told = match changes.recv().await {
                Ok(change) => with_more(change, &mut changes),
                // Too many to remember.
                Err(RecvError::Lagged(_)) => Changed::Anything,
                Err(RecvError::Closed) => return,
            };
            for session in self.sessions.all() {
                let client = &session.state;
                let mut kinds = match &told {
                    Changed::These(changes) => {
                        changes.iter().filter(|change| client.sees(change)).map(Change::kind).collect()
                    }
                    Changed::Anything => Changing::ALL.to_vec(),
                };
                kinds.sort();
                kinds.dedup();
                kinds.into_iter().for_each(|kind| client.tell_changed(kind));
            }
        }
    }

    /// Tells the backends with which the client has a conversation, and waits a moment for them: what it asks next
    /// is to come after that.
    pub(super) async fn pass_on_log_level(&self, client: &Client, level: LogLevel) {
        let links = client.open_links().into_iter();
        let told: Vec<_> = links
            .filter_map(|(place, standing)| self.backends.tell_log_level(place, &standing, client.who(), level))
            .collect();
        let all = async {
            for told in told {
                // One that could not be told is in the log.
                drop(told.await);
            }
        };
        drop(tokio::time::timeout(A_MOMENT, all).await);
    }

    /// A client tells something.
    pub(super) fn notified(&self, client: &Client, notified: &Notified<'_>) {
        match &*notified.method {
            "notifications/cancelled" => {
                let id = notified.params.and_then(|params| json::member(params, "requestId"));
                if let Some(id) = id {
                    client.cancel(id);
                }
            }
            "notifications/progress" => {
                if let Some(towards) = notified.params.and_then(|params| client.questions.progress(params)) {
                    let towards = self.notice_for_backend(client, towards, &notified.method);
                    self.backends.tell(towards, client.who());
                }
            }
            "notifications/tasks/status" => {
                if let Some(params) = notified.params {
                    self.task_is(client, jsonrpc::notification(&notified.method, Some(params)), params);
                }
            }
            "notifications/roots/list_changed" => {
                for (place, standing) in client.open_links() {
                    let message = jsonrpc::notification(&notified.method, notified.params);
                    self.backends.tell(Towards { place, standing, message }, client.who());
                }
            }
            // Whoever of them has extensions may know it.
            method if extensions::is_notification(method) => {
                for (place, standing) in client.open_links() {
                    if standing.facts().is_some_and(extensions::has_own) {
                        let message = jsonrpc::notification(method, notified.params);
                        self.backends.tell(Towards { place, standing, message }, client.who());
                    }
                }
            }
            _ => {}
        }
    }

    /// A client answers what it was asked.
    pub(super) fn responded(&self, client: &Client, response: &jsonrpc::Response<'_>) {
        match client.questions.answered(response) {
            Answered::Towards(towards, names) => {
                let towards = self.answer_for_backend(client, towards, names);
                self.backends.tell(towards, client.who());
            }
            Answered::Taken => {}
            Answered::Unasked => tracing::debug!("a client answered what it was not asked, or no longer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast;
    use vmcp_core::mcp::client::List;

    use super::super::known::Why;

    use super::*;

    #[test]
    fn what_is_too_much_to_remember_may_be_anything() {
        let change = |place| Change { view: 0, place, list: List::Tools, why: Why::Seen };
        let (sender, mut changes) = broadcast::channel(2);
        sender.send(change(1)).unwrap();
        assert_eq!(with_more(change(0), &mut changes), Changed::These(vec![change(0), change(1)]));
        (1..4).for_each(|place| drop(sender.send(change(place))));
        assert_eq!(with_more(change(0), &mut changes), Changed::Anything);
    }
}
