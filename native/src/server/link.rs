//! One conversation with one backend, shared by everything that speaks for the same client: opened by whoever needs it
//! first, while the others wait for that and for nothing else.
//!
//! It sends nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use vmcp_core::identity::Principal;
use vmcp_core::mcp::client::{Settings, Standing, Start};

use crate::credentials::Passed;
use crate::transport::Cancel;

/// Where a conversation stands.
#[derive(Debug, Default)]
pub(super) struct Link {
    state: Mutex<State>,
    changed: Notify,
    /// Stops what stands for as long as the conversation does.
    pub(super) cancel: Cancel,
    hearing: Mutex<Hearing>,
}

/// Whether somebody hears the standing stream of the conversation.
#[derive(Debug, Default)]
enum Hearing {
    #[default]
    No,
    Yes,
    /// There is none in this conversation.
    NoStream(Arc<Standing>),
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Closed,
    Opening,
    Open(Arc<Standing>),
    /// Its client is gone: what is opened now is ended at once.
    Ended,
}

/// Whether somebody waits for a conversation that is being opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    Once,
    NoMore,
}

/// Somebody's use of a link: how the exchange begins, and what it learns.
#[derive(Debug)]
pub(super) struct Conversation {
    link: Arc<Link>,
    start: Start,
    opening: bool,
    superfluous: Vec<Arc<Standing>>,
    /// Whose credentials the backend is shown, if they depend on the caller.
    pub(super) who: Option<Arc<Principal>>,
    /// Headers of the client's request that are passed on, if they may differ from those of the view.
    pub(super) passed: Option<Passed>,
    /// For whom, if that is not the gateway itself.
    pub(super) settings: Option<Arc<Settings>>,
}

impl Link {
    /// Takes part in the conversation. If nobody has opened it, the caller does, beginning as `from_nothing` says; if
    /// somebody is at it, this waits. Who has waited for one that failed does not wait for another: it opens its own.
    pub(super) async fn join(
        self: &Arc<Self>,
        who: Option<Arc<Principal>>,
        from_nothing: impl Fn() -> Start,
    ) -> Conversation {
        let mut waits = Waits::Once;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some((start, opening)) = self.try_join(&from_nothing, waits) {
                return self.conversation(who, start, opening);
            }
            changed.await;
            waits = Waits::NoMore;
        }
    }

    fn try_join(&self, from_nothing: impl Fn() -> Start, waits: Waits) -> Option<(Start, bool)> {
        let mut state = self.lock();
        match &*state {
            State::Open(standing) => Some((Start::Standing(Arc::clone(standing)), false)),
            State::Opening if waits == Waits::Once => None,
            State::Opening | State::Ended => Some((from_nothing(), false)),
            State::Closed => {
                *state = State::Opening;
                Some((from_nothing(), true))
            }
        }
    }

    /// Takes part in the conversation without waiting for anybody.
    pub(super) fn join_now(
        self: &Arc<Self>,
        who: Option<Arc<Principal>>,
        from_nothing: impl Fn() -> Start,
    ) -> Conversation {
        let (start, opening) = self.try_join(&from_nothing, Waits::NoMore).unwrap_or_else(|| (from_nothing(), false));
        self.conversation(who, start, opening)
    }

    fn conversation(self: &Arc<Self>, who: Option<Arc<Principal>>, start: Start, opening: bool) -> Conversation {
        Conversation {
            link: Arc::clone(self),
            start,
            opening,
            superfluous: Vec::new(),
            who,
            passed: None,
            settings: None,
        }
    }

    /// Whether nobody hears its stream yet, and it may have one: who is told `true` does, until
    /// [`Link::hears_no_more`].
    pub(super) fn begins_to_hear(&self) -> bool {
        let Some(standing) = self.standing() else { return false };
        let mut hearing = self.hearing();
        match &*hearing {
            Hearing::Yes => return false,
            Hearing::NoStream(of) if Arc::ptr_eq(of, &standing) => return false,
            Hearing::No | Hearing::NoStream(_) => *hearing = Hearing::Yes,
        }
        true
    }

    /// Whether somebody hears its stream.
    pub(super) fn is_heard(&self) -> bool {
        matches!(*self.hearing(), Hearing::Yes)
    }

    /// The conversation has no stream.
    pub(super) fn has_no_stream(&self, standing: &Arc<Standing>) {
        *self.hearing() = Hearing::NoStream(Arc::clone(standing));
    }

    /// Nobody hears it any longer.
    pub(super) fn hears_no_more(&self) {
        let mut hearing = self.hearing();
        if matches!(*hearing, Hearing::Yes) {
            *hearing = Hearing::No;
        }
    }

    fn hearing(&self) -> MutexGuard<'_, Hearing> {
        self.hearing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The conversation, if it is open.
    pub(super) fn standing(&self) -> Option<Arc<Standing>> {
        match &*self.lock() {
            State::Open(standing) => Some(Arc::clone(standing)),
            _ => None,
        }
    }

    /// Forgets the conversation if it is still this one.
    pub(super) fn forget(&self, standing: &Arc<Standing>) {
        let mut state = self.lock();
        if matches!(&*state, State::Open(open) if Arc::ptr_eq(open, standing)) {
            *state = State::Closed;
        }
    }

    /// Closes it for ever. The caller ends what is returned.
    pub(super) fn end(&self) -> Option<Arc<Standing>> {
        let before = std::mem::replace(&mut *self.lock(), State::Ended);
        self.changed.notify_waiters();
        self.cancel.cancel();
        match before {
            State::Open(standing) => Some(standing),
            _ => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Conversation {
    /// One that begins with what is open elsewhere and changes nothing there.
    pub(super) fn beside(link: Arc<Link>, standing: Arc<Standing>, who: Option<Arc<Principal>>) -> Self {
        Self {
            link,
            start: Start::Standing(standing),
            opening: false,
            superfluous: Vec::new(),
            who,
            passed: None,
            settings: None,
        }
    }

    /// The same, on behalf of a client that said this of itself.
    pub(super) fn on_behalf_of(mut self, settings: &Arc<Settings>) -> Self {
        self.settings = Some(Arc::clone(settings));
        self
    }

    /// The conversation, if it is open.
    pub(super) fn standing(&self) -> Option<&Arc<Standing>> {
        match &self.start {
            Start::Standing(standing) => Some(standing),
            _ => None,
        }
    }

    /// How the exchange begins.
    pub(super) fn start(&self) -> Start {
        self.start.clone()
    }

    /// The exchange has opened the conversation, perhaps because the session it began with is gone. Of two that are
    /// opened at once, the link keeps the first.
    pub(super) fn learned(&mut self, standing: &Arc<Standing>) {
        let mut state = self.link.lock();
        let kept = match (&*state, &self.start) {
            (State::Ended, _) => false,
            (State::Open(open), Start::Standing(begun)) => Arc::ptr_eq(open, begun),
            (State::Open(_), _) => false,
            (State::Opening, _) => self.opening,
            (State::Closed, _) => true,
        };
        if kept {
            *state = State::Open(Arc::clone(standing));
            self.start = Start::Standing(Arc::clone(standing));
            self.opening = false;
            self.link.changed.notify_waiters();
        } else {
            self.superfluous.push(Arc::clone(standing));
        }
    }

    /// Conversations that this exchange opened and the link does not keep: to be ended when the exchange is over.
    pub(super) fn superfluous(&mut self) -> Vec<Arc<Standing>> {
        std::mem::take(&mut self.superfluous)
    }
}

impl Drop for Conversation {
    /// Whoever was to open it did not: the next one tries.
    fn drop(&mut self) {
        if self.opening {
            let mut state = self.link.lock();
            if matches!(*state, State::Opening) {
                *state = State::Closed;
            }
            drop(state);
            self.link.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use vmcp_core::mcp::client::Modern;

    use super::*;

    fn standing() -> Arc<Standing> {
        Arc::new(Standing::Modern(Modern { facts: None }))
    }

    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    fn begins_with(conversation: &Conversation, standing: &Arc<Standing>) -> bool {
        matches!(conversation.start(), Start::Standing(begun) if Arc::ptr_eq(&begun, standing))
    }

    #[test]
    fn one_opens_and_the_others_wait_for_that() {
        let link = Arc::new(Link::default());
        let mut first = now(link.join(None, || Start::Unknown)).unwrap();
        assert!(matches!(first.start(), Start::Unknown));
        let mut second = pin!(link.join(None, || Start::Unknown));
        let mut context = Context::from_waker(Waker::noop());
        assert!(second.as_mut().poll(&mut context).is_pending());
        let open = standing();
        first.learned(&open);
        let Poll::Ready(second) = second.as_mut().poll(&mut context) else { panic!("it still waits") };
        assert!(begins_with(&second, &open));
        assert!(first.superfluous().is_empty());
    }

    #[test]
    fn when_opening_fails_the_next_one_tries() {
        let link = Arc::new(Link::default());
        let first = now(link.join(None, || Start::Unknown)).unwrap();
        let mut second = pin!(link.join(None, || Start::Unknown));
        let mut context = Context::from_waker(Waker::noop());
        assert!(second.as_mut().poll(&mut context).is_pending());
        drop(first);
        let Poll::Ready(mut second) = second.as_mut().poll(&mut context) else { panic!("it still waits") };
        let open = standing();
        second.learned(&open);
        assert!(link.standing().is_some_and(|kept| Arc::ptr_eq(&kept, &open)));
    }

    #[test]
    fn nobody_waits_for_one_failure_after_the_other() {
        let link = Arc::new(Link::default());
        let first = now(link.join(None, || Start::Unknown)).unwrap();
        let (mut second, mut third) =
            (pin!(link.join(None, || Start::Unknown)), pin!(link.join(None, || Start::Unknown)));
        let mut context = Context::from_waker(Waker::noop());
        assert!(second.as_mut().poll(&mut context).is_pending() && third.as_mut().poll(&mut context).is_pending());
        drop(first);
        let Poll::Ready(mut second) = second.as_mut().poll(&mut context) else { panic!("it still waits") };
        let Poll::Ready(mut third) = third.as_mut().poll(&mut context) else { panic!("it still waits") };
        let (mine, yours) = (standing(), standing());
        third.learned(&mine);
        assert_eq!(third.superfluous().len(), 1, "the second is at it");
        second.learned(&yours);
        assert!(link.standing().is_some_and(|kept| Arc::ptr_eq(&kept, &yours)));
    }

    #[test]
    fn of_two_that_are_opened_anew_one_is_kept() {
        let link = Arc::new(Link::default());
        now(link.join(None, || Start::Unknown)).unwrap().learned(&standing());
        let (mut a, mut b) =
            (now(link.join(None, || Start::Unknown)).unwrap(), now(link.join(None, || Start::Unknown)).unwrap());
        let (newer, other) = (standing(), standing());
        a.learned(&newer);
        b.learned(&other);
        assert!(a.superfluous().is_empty());
        assert!(b.superfluous().iter().all(|extra| Arc::ptr_eq(extra, &other)));
        assert!(link.standing().is_some_and(|kept| Arc::ptr_eq(&kept, &newer)));
        // The first may lose its session once more.
        let newest = standing();
        a.learned(&newest);
        assert!(link.standing().is_some_and(|kept| Arc::ptr_eq(&kept, &newest)));
    }

    #[test]
    fn what_is_opened_after_the_end_is_ended_too() {
        let link = Arc::new(Link::default());
        let mut late = now(link.join(None, || Start::Unknown)).unwrap();
        assert!(link.end().is_none());
        late.learned(&standing());
        assert_eq!(late.superfluous().len(), 1);
        let mut later = now(link.join(None, || Start::Unknown)).unwrap();
        later.learned(&standing());
        assert_eq!(later.superfluous().len(), 1);
        assert!(link.standing().is_none());
    }
}
