//! Waiting for one thing at a time in a call: until it is there, late, or no longer wanted. A deadline that changes while
//! it is waited for counts as it is then.
//!
//! It words no failure but the two it knows: late and cancelled.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until, timeout};
use vmcp_core::mcp::http::{Failure, Stage};

use super::super::call::{Call, Cancel, Slot, Until, Waiting};

/// Watches over one attempt at one request.
pub(super) struct Vigil {
    pub(super) call: Arc<Call>,
    slot: Arc<Slot>,
    key: u64,
    alarm: Option<Pin<Box<Sleep>>>,
}

/// Why something was not waited for to its end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stopped {
    Late(Stage, Until),
    Cancelled,
}

impl Stopped {
    pub(super) fn failure(self, call: &Call) -> Failure {
        match self {
            Self::Late(stage, until) => call.broken(stage, until, &ErrorKind::TimedOut.into()),
            Self::Cancelled => call.failure(Stage::Cancelled, String::new()),
        }
    }
}

impl Vigil {
    pub(super) fn new(call: Arc<Call>) -> Self {
        let slot = Arc::<Slot>::default();
        let key = call.cancel.watch(Waiting::Task(Arc::downgrade(&slot)));
        Self { call, slot, key, alarm: None }
    }

    /// What `work` comes to, if that is before the time which `until` says at each look.
    pub(super) async fn wait<T>(
        &mut self,
        until: impl Fn(&Call) -> (Stage, Until),
        mut work: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Result<T, Stopped> {
        let Self { call, slot, alarm, .. } = self;
        poll_fn(|cx| {
            if call.cancel.is_cancelled() {
                return Poll::Ready(Err(Stopped::Cancelled));
            }
            if let Poll::Ready(value) = work(cx) {
                return Poll::Ready(Ok(value));
            }
            slot.set(cx.waker());
            // It may have been stopped before anybody could be woken.
            if call.cancel.is_cancelled() {
                return Poll::Ready(Err(Stopped::Cancelled));
            }
            let (stage, until) = until(call);
            poll_alarm(alarm, until, cx).map(|()| Err(Stopped::Late(stage, until)))
        })
        .await
    }
}

impl Cancel {
    /// Ready when it is stopped.
    pub async fn cancelled(&self) {
        let slot = Arc::<Slot>::default();
        let watched = Watched { cancel: self, key: self.watch(Waiting::Task(Arc::downgrade(&slot))) };
        poll_fn(|cx| {
            slot.set(cx.waker());
            if self.is_cancelled() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        drop(watched);
    }

    /// Waits so long, or until it is stopped, on a task.
    pub async fn paused(&self, how_long: Duration) {
        // It is the time that is waited for.
        drop(timeout(how_long, self.cancelled()).await);
    }
}

/// Woken until it is dropped.
struct Watched<'c> {
    cancel: &'c Cancel,
    key: u64,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.cancel.unwatch(self.key);
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        self.call.cancel.unwatch(self.key);
    }
}

/// Ready when the time is over. The alarm is only moved to an earlier time; one that rings too early is set again, so
/// that a stream which flows does not touch the timer for each of its bytes.
fn poll_alarm(alarm: &mut Option<Pin<Box<Sleep>>>, until: Until, cx: &mut Context<'_>) -> Poll<()> {
    let Some(at) = until.at.map(Instant::from_std) else { return Poll::Pending };
    let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
    loop {
        if alarm.deadline() > at || alarm.is_elapsed() {
            alarm.as_mut().reset(at);
        }
        if alarm.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        if Instant::now() >= at {
            return Poll::Ready(());
        }
    }
}
