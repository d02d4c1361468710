//! Threads that may wait: as many as are needed, up to a limit; idle ones end.
//!
//! There is no queue: a job runs at once or is refused.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a thread waits for the next job.
const IDLE: Duration = Duration::from_secs(10);
/// A call needs little stack: the deepest part is a TLS handshake.
const STACK: usize = 512 << 10;

type Job = Box<dyn FnOnce() + Send>;

/// A bounded, growing set of threads.
#[derive(Clone)]
pub(super) struct Threads(Arc<Shared>);

struct Shared {
    name: &'static str,
    limit: usize,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    waiting: usize,
    threads: usize,
}

/// As many jobs run as may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Threads {
    pub(super) fn new(name: &'static str, limit: usize) -> Self {
        Self(Arc::new(Shared { name, limit, state: Mutex::default(), work: Condvar::new() }))
    }

    /// Runs a job on a thread of its own.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Full> {
        let mut state = self.0.lock();
        if state.jobs.len() < state.waiting {
            state.jobs.push_back(Box::new(job));
            self.0.work.notify_one();
            return Ok(());
        }
        if state.threads >= self.0.limit {
            return Err(Full);
        }
        state.threads += 1;
        drop(state);
        let shared = Arc::clone(&self.0);
        let spawned = thread::Builder::new()
            .name(self.0.name.to_owned())
            .stack_size(STACK)
            .spawn(move || shared.work(Box::new(job)));
        if let Err(error) = spawned {
            tracing::warn!(%error, "the system gave no thread for a call");
            self.0.lock().threads -= 1;
            return Err(Full);
        }
        Ok(())
    }
}

impl Shared {
    fn work(&self, first: Job) {
        let mut next = Some(first);
        while let Some(job) = next {
            // Whoever waits for a job that panics sees its channel closed; the thread goes on.
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("a call panicked; this is a fault of this program");
            }
            next = self.next();
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        state.waiting += 1;
        let (mut state, _) = self
            .work
            .wait_timeout_while(state, IDLE, |state| state.jobs.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        let job = state.jobs.pop_front();
        if job.is_none() {
            state.threads -= 1;
        }
        job
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
