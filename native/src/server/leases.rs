//! The session that one call has for itself, because its client stands alone and can be asked something, or wants log
//! messages: what the backend says there by itself is about that call, on whatever stream it says it (SDK servers put questions on the one that
//! belongs to no call; 2025-11-25, basic/transports, Listening 4).
//!
//! It opens nothing but the stream.

use std::sync::Arc;

use vmcp_core::identity::Principal;
use vmcp_core::mcp::client::{ServerMessage, Standing};

use super::App;
use super::ears::{Began, Ear};
use super::link::Link;
use super::suspended::Suspendable;

/// A call hears what its backend says in its session.
struct LeaseEar {
    app: Arc<App>,
    call: Arc<Suspendable>,
    who: Option<Arc<Principal>>,
}

impl Ear for LeaseEar {
    fn listens(&self) -> bool {
        true
    }

    fn hear(&self, standing: &Arc<Standing>, message: &ServerMessage) -> Option<String> {
        if message.id.is_some() {
            return self.app.suspend(&self.call, Some(standing), message);
        }
        if let Some((caller, outlet)) = self.call.hears()
            && let Some(text) = caller.relayed(message)
        {
            outlet.say(&text);
        }
        None
    }

    fn missed(&self) {}

    fn who(&self) -> Option<Arc<Principal>> {
        self.who.clone()
    }
}

impl App {
    /// Lets a call hear what is said in the session that it has for itself, until that ends.
    pub(super) fn hear_for(
        self: &Arc<Self>,
        call: &Arc<Suspendable>,
        place: usize,
        link: &Arc<Link>,
        who: Option<Arc<Principal>>,
    ) -> Began {
        let ear = LeaseEar { app: Arc::clone(self), call: Arc::clone(call), who };
        Began::of(self.backends.hear_stream(place, Arc::clone(link), ear, link.cancel.clone()))
    }
}
