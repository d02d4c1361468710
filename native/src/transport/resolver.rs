//! Names to addresses: one look-up at a time for a name, kept for ten seconds, and given up when its time is over.
//!
//! It looks up only when a connection is opened; ureq would ask before every request, also on a connection that stands.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex};
#[cfg(feature = "server")]
use std::task::Poll;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::call::{Cancel, Waiting, lock};

/// How long addresses are used without asking again.
const FRESH: Duration = Duration::from_secs(10);
/// Names that are remembered. One backend needs its own and its proxy's.
const NAMES: usize = 8;

type LookUp = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;
type Key = (String, u16);

/// The names that one backend needs.
pub(super) struct Resolver {
    known: Arc<Mutex<HashMap<Key, Known>>>,
    look_up: Arc<LookUp>,
}

enum Known {
    Since(Instant, Arc<[SocketAddr]>),
    Asked(Arc<Lookup>),
}

/// One look-up under way; all who want the name wait for the same.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    answer: Mutex<Option<Result<Arc<[SocketAddr]>, String>>>,
    ready: Condvar,
    /// Tasks that wait.
    tasks: Mutex<Vec<Waker>>,
}

/// Why there are no addresses.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unresolved {
    /// The system's words.
    Failed(String),
    /// The time was over.
    Late,
    /// The call was stopped.
    Cancelled,
}

impl Resolver {
    /// Asks the system, as getaddrinfo(3) does.
    pub(super) fn system() -> Self {
        Self::with(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
    }

    pub(super) fn with(look_up: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        Self { known: Arc::default(), look_up: Arc::new(look_up) }
    }

    /// The addresses of a host in the order in which to try them, at least one.
    pub(super) fn addresses(
        &self,
        host: &str,
        port: u16,
        until: Option<Instant>,
        cancel: &Cancel,
    ) -> Result<Arc<[SocketAddr]>, Unresolved> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(Arc::new([SocketAddr::new(ip, port)]));
        }
        let lookup = match self.known_or_asked(host, port, Instant::now()) {
            Ok(addresses) => return Ok(addresses),
            Err(lookup) => lookup.map_err(Unresolved::Failed)?,
        };
        let key = cancel.watch(Waiting::Lookup(Arc::downgrade(&lookup)));
        let answer = lookup.wait(until, cancel);
        cancel.unwatch(key);
        answer
    }

    /// The same for a task: the addresses if they are known, or the look-up that will tell.
    #[cfg(feature = "server")]
    pub(super) fn begin(&self, host: &str, port: u16) -> Result<Arc<[SocketAddr]>, Result<Arc<Lookup>, Unresolved>> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(Arc::new([SocketAddr::new(ip, port)]));
        }
        self.known_or_asked(host, port, Instant::now()).map_err(|lookup| lookup.map_err(Unresolved::Failed))
    }

    /// Drops what is known of a name, because no address of it could be reached.
    pub(super) fn forget(&self, host: &str, port: u16) {
        let mut known = lock(&self.known);
        let key = (host.to_owned(), port);
        if let Some(Known::Since(..)) = known.get(&key) {
            known.remove(&key);
        }
    }

    /// The addresses if they are known at `now`, or the look-up that will tell, begun if there was none.
    fn known_or_asked(
        &self,
        host: &str,
        port: u16,
        now: Instant,
    ) -> Result<Arc<[SocketAddr]>, Result<Arc<Lookup>, String>> {
        let key = (host.to_owned(), port);
        let mut known = lock(&self.known);
        match known.get(&key) {
            Some(Known::Since(since, addresses)) if now.saturating_duration_since(*since) < FRESH => {
                return Ok(Arc::clone(addresses));
            }
            Some(Known::Asked(lookup)) => return Err(Ok(Arc::clone(lookup))),
            _ => {}
        }
        if known.len() >= NAMES {
            known.retain(|_, entry| matches!(entry, Known::Asked(_)));
        }
        let lookup = Arc::new(Lookup::default());
        let (asked, look_up, names) = (Arc::clone(&lookup), Arc::clone(&self.look_up), Arc::clone(&self.known));
        let thread_key = key.clone();
        let begun = std::thread::Builder::new().name("vmcp-resolve".to_owned()).spawn(move || {
            let answer = match look_up(&thread_key.0, thread_key.1) {
                Ok(addresses) if addresses.is_empty() => Err("it has no address".to_owned()),
                Ok(addresses) => Ok(Arc::from(addresses)),
                Err(error) => Err(words(&error)),
            };
            let mut names = lock(&names);
            match &answer {
                Ok(addresses) => names.insert(thread_key, Known::Since(Instant::now(), Arc::clone(addresses))),
                Err(_) => names.remove(&thread_key),
            };
            drop(names);
            *lock(&asked.answer) = Some(answer);
            asked.ready.notify_all();
            for task in std::mem::take(&mut *lock(&asked.tasks)) {
                task.wake();
            }
        });
        if let Err(error) = begun {
            return Err(Err(format!("no thread to look it up: {error}")));
        }
        known.insert(key, Known::Asked(Arc::clone(&lookup)));
        Err(Ok(lookup))
    }
}

impl Lookup {
    /// Lets those who wait look again whether they were stopped.
    pub(super) fn wake(&self) {
        drop(lock(&self.answer));
        self.ready.notify_all();
    }

    /// The answer if it is there. If not, `waker` is woken when it is.
    #[cfg(feature = "server")]
    pub(super) fn poll(&self, waker: &Waker) -> Poll<Result<Arc<[SocketAddr]>, Unresolved>> {
        lock(&self.tasks).push(waker.clone());
        match &*lock(&self.answer) {
            Some(answer) => Poll::Ready(answer.clone().map_err(Unresolved::Failed)),
            None => Poll::Pending,
        }
    }

    fn wait(&self, until: Option<Instant>, cancel: &Cancel) -> Result<Arc<[SocketAddr]>, Unresolved> {
        let mut answer = lock(&self.answer);
        loop {
            if cancel.is_cancelled() {
                return Err(Unresolved::Cancelled);
            }
            if let Some(answer) = &*answer {
                return answer.clone().map_err(Unresolved::Failed);
            }
            let left = until.map_or(Duration::from_secs(3600), |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Err(Unresolved::Late);
            }
            answer = self.ready.wait_timeout(answer, left).unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolver")
    }
}

/// What getaddrinfo says, without the words that std puts before it.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    let mut characters = text.chars();
    characters.next().map(|c| c.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    const ADDRESS: &str = "192.0.2.1:443";

    fn counting() -> (Resolver, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let resolver = Resolver::with(move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(vec![ADDRESS.parse().unwrap()])
        });
        (resolver, count)
    }

    #[test]
    fn a_name_is_looked_up_once_in_ten_seconds() {
        let (resolver, count) = counting();
        for _ in 0..3 {
            let addresses = resolver.addresses("a.example", 443, None, &Cancel::new()).unwrap();
            assert_eq!(*addresses, [ADDRESS.parse().unwrap()]);
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
        let later = Instant::now() + FRESH;
        let lookup = resolver.known_or_asked("a.example", 443, later).unwrap_err().unwrap();
        lookup.wait(None, &Cancel::new()).unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 2);
        resolver.forget("a.example", 443);
        resolver.addresses("a.example", 443, None, &Cancel::new()).unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn an_address_is_not_looked_up() {
        let (resolver, count) = counting();
        let addresses = resolver.addresses("::1", 80, None, &Cancel::new()).unwrap();
        assert_eq!(*addresses, ["[::1]:80".parse().unwrap()]);
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn few_names_are_remembered() {
        let (resolver, _) = counting();
        for n in 0..100 {
            resolver.addresses(&format!("{n}.example"), 443, None, &Cancel::new()).unwrap();
        }
        assert!(lock(&resolver.known).len() <= NAMES);
    }

    #[test]
    fn all_wait_for_one_look_up_each_as_long_as_it_may() {
        let (release, held) = mpsc::channel::<()>();
        let held = Mutex::new(held);
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let resolver = Arc::new(Resolver::with(move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = lock(&held).recv();
            Ok(vec![ADDRESS.parse().unwrap()])
        }));
        let until = Some(Instant::now() + Duration::from_millis(20));
        assert_eq!(resolver.addresses("slow.example", 443, until, &Cancel::new()), Err(Unresolved::Late));
        let cancel = Cancel::new();
        let (waiting, stopped) = (Arc::clone(&resolver), cancel.clone());
        let thread = std::thread::spawn(move || waiting.addresses("slow.example", 443, None, &stopped));
        cancel.cancel();
        assert_eq!(thread.join().unwrap(), Err(Unresolved::Cancelled));
        release.send(()).unwrap();
        assert!(resolver.addresses("slow.example", 443, None, &Cancel::new()).is_ok());
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn failures_are_worded_and_not_kept() {
        let failing = Resolver::with(|_, _| {
            Err(io::Error::other("failed to lookup address information: Name or service not known"))
        });
        let answer = failing.addresses("gone.example", 443, None, &Cancel::new());
        assert_eq!(answer, Err(Unresolved::Failed("name or service not known".to_owned())));
        assert!(lock(&failing.known).is_empty());
        let empty = Resolver::with(|_, _| Ok(Vec::new()));
        let answer = empty.addresses("gone.example", 443, None, &Cancel::new());
        assert_eq!(answer, Err(Unresolved::Failed("it has no address".to_owned())));
    }
}
