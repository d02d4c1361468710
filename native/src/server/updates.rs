//! Updates of resources at a backend with sessions, for one subscription of a client that stands alone: a session of its own
//! in which they are subscribed to, because an update may name a part of a resource, so that only the session tells whom
//! it concerns.
//!
//! It tells no client.

use std::sync::Arc;

use tokio::sync::mpsc;
use vmcp_core::gateway::listen::{About, Filter, about};
use vmcp_core::identity::Principal;
use vmcp_core::mcp::client::{Call, Goal, ServerMessage, Standing, Start};
use vmcp_core::mcp::{Era, code, json, jsonrpc};

use super::App;
use super::ears::{Began, Ear};
use super::link::Link;
use super::listen::Told;
use super::served::{Heard, Served};
use crate::transport::Cancel;

/// A subscription hears what its backend says in its session.
#[derive(Clone)]
struct UpdatesEar {
    served: Arc<Served>,
    place: usize,
    /// By the backend's names.
    uris: Vec<String>,
    who: Option<Arc<Principal>>,
    out: mpsc::Sender<Told>,
}

impl UpdatesEar {
    /// What is honoured of it.
    async fn subscribe(&self, standing: &Arc<Standing>) -> Filter {
        let mut honoured = Filter::default();
        for uri in &self.uris {
            let call = Call::new("resources/subscribe", Some(format!(r#"{{"uri":{}}}"#, json::quote(uri))));
            if self.served.ask_in(standing, self.who.as_ref(), call, &Cancel::new()).await {
                honoured.resources.push(uri.clone());
            }
        }
        honoured
    }
}

impl Ear for UpdatesEar {
    fn listens(&self) -> bool {
        !self.out.is_closed()
    }

    fn hear(&self, _standing: &Arc<Standing>, message: &ServerMessage) -> Option<String> {
        if let Some(id) = &message.id {
            let error = "this client does not support that";
            return Some(jsonrpc::error(Some(id), code::METHOD_NOT_FOUND, error, None));
        }
        if let Some(About::Resource(_)) = about(message) {
            // A client that is that far behind is told less.
            drop(self.out.try_send(Told::Message(self.place, message.clone())));
        }
        None
    }

    async fn opened(&self, standing: &Arc<Standing>) {
        self.subscribe(standing).await;
    }

    fn missed(&self) {
        let all = Filter { resources: self.uris.clone(), ..Filter::default() };
        drop(self.out.try_send(Told::Stands(self.place, all)));
    }

    fn who(&self) -> Option<Arc<Principal>> {
        self.who.clone()
    }
}

impl App {
    /// Hears updates of these resources until nobody wants to any longer. A backend that tells of none, or has no stream
    /// on which it could, refuses.
    pub(super) async fn hear_updates(
        self: &Arc<Self>,
        served: Arc<Served>,
        place: usize,
        uris: Vec<String>,
        who: Option<Arc<Principal>>,
        out: mpsc::Sender<Told>,
    ) {
        let link = Arc::new(Link::default());
        let ear = UpdatesEar { served: Arc::clone(&served), place, uris, who: who.clone(), out: out.clone() };
        let told = self.begin_updates(&served, &link, ear).await.unwrap_or(Told::Refused(place));
        let stands = matches!(told, Told::Stands(..));
        drop(out.send(told).await);
        if stands {
            out.closed().await;
        }
        self.backends.end(place, link.end().into_iter().collect(), who);
    }

    async fn begin_updates(self: &Arc<Self>, served: &Arc<Served>, link: &Arc<Link>, ear: UpdatesEar) -> Option<Told> {
        let offers = served.own.standing().is_some_and(|standing| {
            let resources = standing.facts().and_then(|facts| json::member(&facts.capabilities, "resources"));
            resources.and_then(|resources| json::member(resources, "subscribe")) == Some("true")
        });
        if !offers || ear.uris.is_empty() {
            return None;
        }
        let mut conversation = link.join(ear.who.clone(), || Start::Remembered(Era::Legacy)).await;
        let mut asking = served.ask(Goal::Open, &conversation, &link.cancel);
        loop {
            if let Heard::Done(result, _) = asking.next(served, &mut conversation).await {
                result.ok()?;
                break;
            }
        }
        let standing = link.standing().filter(|standing| standing.has_session())?;
        let (place, subscribing) = (ear.place, ear.clone());
        // What is said once it is subscribed to has to be heard.
        Began::of(self.backends.hear_stream(place, Arc::clone(link), ear, link.cancel.clone())).stands().await;
        if !link.is_heard() {
            return None;
        }
        let honoured = subscribing.subscribe(&standing).await;
        Some(Told::Stands(place, honoured))
    }
}
