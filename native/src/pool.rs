//! Threads for calls to backends: made when they are needed, kept while they are used, never more than a limit.
//!
//! There is no queue: where all threads are busy, a job is refused at once, so that the caller can say so (503) in place
//! of letting it wait without a word. The thread that became idle last is the first to work again, its caches are warm.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long a thread waits for another job.
const IDLE: Duration = Duration::from_secs(30);
/// Bytes of a thread's stack. It is reserved, not used, until it is needed.
const STACK: usize = 2 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// A bounded, growing pool of threads. Clones are the same pool.
///
/// ```
/// use std::sync::mpsc;
/// use vmcp_native::pool::Pool;
///
/// let pool = Pool::new(2);
/// let (answer, answers) = mpsc::channel();
/// pool.try_spawn(move || answer.send(6 * 7).unwrap()).unwrap();
/// assert_eq!(answers.recv(), Ok(42));
/// ```
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    limit: usize,
    idle_time: Duration,
    state: Mutex<State>,
    /// A thread has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// Threads that are there.
    threads: usize,
    /// Those that wait, the last to have become idle at the end.
    idle: Vec<Arc<Desk>>,
    closed: bool,
    made: u64,
    panicked: u64,
}

/// Where a thread finds its next job.
struct Desk {
    thread: Thread,
    job: Mutex<Option<Job>>,
}

/// Why a job was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// All threads that there may be are busy.
    #[error("all {limit} threads for calls to backends are busy")]
    Full {
        /// How many there may be.
        limit: usize,
    },
    /// The pool is being closed.
    #[error("the program is stopping")]
    Closed,
    /// The system makes no more threads.
    #[error("the system makes no more threads for calls to backends")]
    NoThread(#[source] io::Error),
}

/// How many threads there are and what they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Threads that work.
    pub busy: usize,
    /// Threads that wait for a job.
    pub idle: usize,
    /// How many there may be.
    pub limit: usize,
    /// Jobs that panicked so far.
    pub panicked: u64,
}

impl Pool {
    /// A pool of at most `limit` threads, none of which is made yet. A limit of 0 counts as 1.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self::with_idle_time(limit, IDLE)
    }

    fn with_idle_time(limit: usize, idle_time: Duration) -> Self {
        let state = Mutex::default();
        Self(Arc::new(Shared { limit: limit.max(1), idle_time, state, ended: Condvar::new() }))
    }

    /// Gives a job to an idle thread, or to a new one. A panic ends the job and not the thread.
    ///
    /// # Errors
    /// The job is dropped: the limit is reached, the pool is closed, or the system makes no more threads.
    pub fn try_spawn(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Refused> {
        let mut state = self.0.state();
        if state.closed {
            return Err(Refused::Closed);
        }
        if let Some(desk) = state.idle.pop() {
            drop(state);
            desk.give(Box::new(job));
            return Ok(());
        }
        if state.threads >= self.0.limit {
            return Err(Refused::Full { limit: self.0.limit });
        }
        state.threads += 1;
        state.made += 1;
        let name = format!("vmcp-call-{}", state.made);
        drop(state);
        let place = Place(Arc::clone(&self.0));
        let job: Job = Box::new(job);
        // A thread that is not made drops its place, and so gives it back.
        match thread::Builder::new().name(name).stack_size(STACK).spawn(move || place.work(job)) {
            Ok(_) => Ok(()),
            Err(error) => Err(Refused::NoThread(error)),
        }
    }

    /// How many threads there are now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let state = self.0.state();
        let idle = state.idle.len();
        Counts { busy: state.threads - idle, idle, limit: self.0.limit, panicked: state.panicked }
    }

    /// Takes no more jobs and lets idle threads end; busy ones end with their job.
    pub fn close(&self) {
        let mut state = self.0.state();
        state.closed = true;
        // Each takes itself off the list: one that is not on it has a job coming.
        for desk in &state.idle {
            desk.thread.unpark();
        }
    }

    /// Waits until all threads of a closed pool have ended, `limit` at most. Returns how many have not.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> usize {
        let until = Instant::now() + limit;
        let mut state = self.0.state();
        while state.threads > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.0.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.threads
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.counts()).finish()
    }
}

impl Shared {
    /// No job runs under this lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn slot(&self) -> MutexGuard<'_, Option<Job>> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, job: Job) {
        *self.slot() = Some(job);
        self.thread.unpark();
    }
}

/// One of the threads that there may be; dropping it makes room for another.
struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.state().threads -= 1;
        self.0.ended.notify_all();
    }
}

impl Place {
    fn work(self, first: Job) {
        let desk = Arc::new(Desk { thread: thread::current(), job: Mutex::new(None) });
        let mut job = first;
        loop {
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                self.0.state().panicked += 1;
            }
            match self.next(&desk) {
                Some(next) => job = next,
                None => return,
            }
        }
    }

    /// The next job; `None` if none came in time, or the pool is closed.
    fn next(&self, desk: &Arc<Desk>) -> Option<Job> {
        {
            let mut state = self.0.state();
            if state.closed {
                return None;
            }
            state.idle.push(Arc::clone(desk));
        }
        let until = Instant::now() + self.0.idle_time;
        loop {
            thread::park_timeout(until.saturating_duration_since(Instant::now()));
            if let Some(job) = desk.slot().take() {
                return Some(job);
            }
            let mut state = self.0.state();
            let waits = state.idle.iter().position(|other| Arc::ptr_eq(other, desk));
            // One that was taken off the list is about to be given a job.
            if let Some(place) = waits
                && (state.closed || Instant::now() >= until)
            {
                state.idle.remove(place);
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{self, Receiver, Sender};

    /// A job that says on which thread it runs and then holds it until it is let go.
    fn holding(pool: &Pool, started: &Sender<String>) -> Result<Sender<()>, Refused> {
        let (let_go, held) = mpsc::channel();
        let started = started.clone();
        pool.try_spawn(move || {
            started.send(thread::current().name().unwrap().to_owned()).unwrap();
            let _ = held.recv();
        })?;
        Ok(let_go)
    }

    fn until(pool: &Pool, wanted: impl Fn(Counts) -> bool) {
        while !wanted(pool.counts()) {
            thread::yield_now();
        }
    }

    fn pool(limit: usize) -> (Pool, Sender<String>, Receiver<String>) {
        let (started, starts) = mpsc::channel();
        (Pool::new(limit), started, starts)
    }

    #[test]
    fn a_full_pool_refuses_at_once() {
        let (pool, started, starts) = pool(2);
        let first = holding(&pool, &started).unwrap();
        let second = holding(&pool, &started).unwrap();
        starts.recv().unwrap();
        starts.recv().unwrap();
        assert_eq!(pool.counts(), Counts { busy: 2, idle: 0, limit: 2, panicked: 0 });
        let refused = holding(&pool, &started).unwrap_err();
        assert_eq!(refused.to_string(), "all 2 threads for calls to backends are busy");
        drop(first);
        until(&pool, |counts| counts.idle == 1);
        let third = holding(&pool, &started).unwrap();
        starts.recv().unwrap();
        drop((second, third));
        until(&pool, |counts| counts.idle == 2);
    }

    #[test]
    fn the_thread_that_was_busy_last_is_used_first() {
        let (pool, started, starts) = pool(8);
        let a = holding(&pool, &started).unwrap();
        let b = holding(&pool, &started).unwrap();
        let mut names = [starts.recv().unwrap(), starts.recv().unwrap()];
        names.sort_unstable();
        assert_eq!(names, ["vmcp-call-1", "vmcp-call-2"]);
        drop(a);
        until(&pool, |counts| counts.idle == 1);
        drop(b);
        until(&pool, |counts| counts.idle == 2);
        for _ in 0..20 {
            drop(holding(&pool, &started).unwrap());
            assert_eq!(starts.recv().unwrap(), "vmcp-call-2");
            until(&pool, |counts| counts.idle == 2);
        }
        assert_eq!(pool.counts().busy, 0);
    }

    #[test]
    fn a_panic_ends_its_job_alone() {
        let (pool, started, starts) = pool(1);
        // Says nothing on standard error: the payload is not a message.
        pool.try_spawn(|| std::panic::resume_unwind(Box::new(()))).unwrap();
        until(&pool, |counts| counts.idle == 1);
        assert_eq!(pool.counts().panicked, 1);
        drop(holding(&pool, &started).unwrap());
        assert_eq!(starts.recv().unwrap(), "vmcp-call-1");
    }

    #[test]
    fn idle_threads_end() {
        let pool = Pool::with_idle_time(4, Duration::from_millis(1));
        let (done, wait) = mpsc::channel();
        pool.try_spawn(move || done.send(()).unwrap()).unwrap();
        wait.recv().unwrap();
        until(&pool, |counts| counts.busy + counts.idle == 0);
        assert_eq!(pool.counts(), Counts { busy: 0, idle: 0, limit: 4, panicked: 0 });
    }

    #[test]
    fn closing_lets_work_end_and_takes_no_more() {
        let (pool, started, starts) = pool(3);
        let busy = holding(&pool, &started).unwrap();
        let idle = holding(&pool, &started).unwrap();
        starts.recv().unwrap();
        starts.recv().unwrap();
        drop(idle);
        until(&pool, |counts| counts.idle == 1);
        pool.close();
        assert_eq!(holding(&pool, &started).unwrap_err().to_string(), "the program is stopping");
        until(&pool, |counts| (counts.busy, counts.idle) == (1, 0));
        assert_eq!(pool.wait(Duration::ZERO), 1);
        drop(busy);
        assert_eq!(pool.wait(Duration::from_secs(60)), 0);
    }

    #[test]
    fn no_job_is_lost_between_threads_that_end_and_jobs_that_come() {
        // Idle threads end at once here, so that giving a job and giving up meet as often as can be.
        let pool = Pool::with_idle_time(4, Duration::ZERO);
        let (done, wait) = mpsc::channel();
        let mut given = 0;
        for n in 0..2000 {
            let done = done.clone();
            if pool.try_spawn(move || done.send(n).unwrap()).is_ok() {
                given += 1;
            }
        }
        drop(done);
        assert_eq!(wait.iter().count(), given);
        assert!(given > 0);
    }
}
