//! What backends offer to clients that can do the same: a server may list other things for whoever can be asked something,
//! so clients share lists, and the conversations in which they were asked for, only if they declare the same. Where a backend
//! is shown other credentials for each caller, they must be of the same principal too, with tokens that allow the same; and
//! what they pass on of their requests' headers must be the same.
//!
//! It asks nobody; whoever is asked is one of the backends of a view.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use vmcp_core::gateway::listen::Changing;
use vmcp_core::gateway::relay::Declares;
use vmcp_core::identity::Principal;
use vmcp_core::mcp::client::{Declared, Limits, List, Settings};

use super::VERSION;
use super::backends::Backends;
use super::whose::Whose;
use crate::credentials::Passed;

/// Views beside the gateway's own.
const VIEWS: usize = 64;
/// Views of principals that are kept for the next time. Those in use are as many as there are sessions and streams.
const PRINCIPALS: usize = 1024;
/// How long one is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// All views.
pub(super) struct Views {
    /// Of clients that declare nothing.
    first: Arc<View>,
    others: Mutex<Vec<Arc<View>>>,
}

/// The backends as some clients see them. It is in use as long as anybody but [`Views`] holds it.
pub(super) struct View {
    declares: Option<Declares>,
    whose: Whose,
    passed: Passed,
    /// Whether all principals see the same.
    is_everybodys: bool,
    backends: Arc<Backends>,
    used: Mutex<Instant>,
}

impl Deref for View {
    type Target = Arc<Backends>;
    fn deref(&self) -> &Arc<Backends> {
        &self.backends
    }
}

impl Views {
    pub(super) fn new(first: Arc<Backends>) -> Self {
        let is_everybodys = first.all.iter().all(|served| !served.depends_on_caller);
        Self {
            first: Arc::new(View::new(None, Whose::default(), Passed::default(), is_everybodys, first)),
            others: Mutex::default(),
        }
    }

    /// What a client sees that declares this and passes this on, on behalf of this principal. A new view asks at once; by
    /// itself it asks again only if it is nobody's, so that no caller's token is used but for the caller.
    pub(super) fn of(&self, declares: Declares, who: Option<&Arc<Principal>>, passed: &Passed) -> Arc<View> {
        let who = who.filter(|_| !self.first.is_everybodys);
        if declares.is_nothing() && who.is_none() && passed.is_empty() {
            return Arc::clone(&self.first);
        }
        let callers = who.is_some() || !passed.is_empty();
        let limit = if callers { PRINCIPALS } else { VIEWS };
        let (made, gone) = {
            let mut others = self.lock();
            let is_it = |view: &&Arc<View>| view.declares.as_ref() == Some(&declares) && view.is_of(who, passed);
            if let Some(view) = others.iter().find(is_it) {
                view.touch();
                return Arc::clone(view);
            }
            let gone = match others.len() < limit {
                true => None,
                false => match oldest(&others) {
                    Some(place) => Some(others.swap_remove(place)),
                    // What one principal sees is not for another, so there is no view that it could share.
                    None if callers => None,
                    None => {
                        tracing::warn!(
                            views = VIEWS,
                            "clients declare too many different capabilities; one is shown what others are"
                        );
                        return Arc::clone(&self.first);
                    }
                },
            };
            let whose = Whose::of(who);
            let backends = self.first.backends.seen_by(&Arc::new(settings(&declares)), &whose, passed);
            let made =
                Arc::new(View::new(Some(declares), whose, Arc::clone(passed), self.first.is_everybodys, backends));
            others.push(Arc::clone(&made));
            (made, gone)
        };
        close(gone);
        match who {
            Some(_) => made.warm_up(&List::ALL),
            None => Arc::clone(&made.backends).begin(&List::ALL),
        }
        made
    }

    /// A backend says that lists are other ones now: they are asked for in every view.
    pub(super) fn announce(&self, place: usize, kind: Changing) {
        for view in self.all() {
            if let Some(served) = view.at(place) {
                view.announce(served, kind);
            }
        }
    }

    /// Forgets what nobody has used for long.
    pub(super) fn sweep(&self, now: Instant) {
        let is_idle =
            |view: &mut Arc<View>| Arc::strong_count(view) == 1 && now.saturating_duration_since(view.used()) >= IDLE;
        let gone: Vec<_> = self.lock().extract_if(.., is_idle).collect();
        close(gone);
    }

    /// Stops what runs for each of them.
    pub(super) fn stop(&self) {
        let others = std::mem::take(&mut *self.lock());
        close(others);
    }

    fn all(&self) -> Vec<Arc<View>> {
        let others = self.lock();
        std::iter::once(&self.first).chain(others.iter()).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<View>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    fn new(
        declares: Option<Declares>,
        whose: Whose,
        passed: Passed,
        is_everybodys: bool,
        backends: Arc<Backends>,
    ) -> Self {
        Self { declares, whose, passed, is_everybodys, backends, used: Mutex::new(Instant::now()) }
    }

    /// Whether it is for this caller. If so, backends are asked for it with the caller's token from now on.
    pub(super) fn is_of(&self, who: Option<&Arc<Principal>>, passed: &Passed) -> bool {
        self.passed == *passed && (self.is_everybodys || self.whose.is_of_one_with_the_rights_of(who))
    }

    /// Whether it is of one caller, or of those who send one value of a header: nobody else is shown what is seen in it.
    pub(super) fn is_private(&self) -> bool {
        self.whose.now().is_some() || !self.passed.is_empty()
    }

    fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of the one that has not been used for longest.
fn oldest(views: &[Arc<View>]) -> Option<usize> {
    let idle = views.iter().enumerate().filter(|(_, view)| Arc::strong_count(view) == 1);
    idle.min_by_key(|(_, view)| view.used()).map(|(place, _)| place)
}

fn close(views: impl IntoIterator<Item = Arc<View>>) {
    for view in views {
        view.backends.close();
    }
}

/// What backends are told on behalf of all clients of a view.
fn settings(declares: &Declares) -> Settings {
    let mut declared = Declared::new("vmcp", VERSION);
    declared.capabilities.clone_from(&declares.in_session);
    declared.alone = Some(declares.alone.clone());
    Settings { declared, limits: Limits::default() }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::Future as _;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::task::{Context, Poll, Waker};

    use tokio::sync::broadcast::error::TryRecvError;
    use vmcp_core::aggregate::{Merged, Policy};
    use vmcp_core::config;
    use vmcp_core::discovery::{discover, needs};
    use vmcp_core::mcp::Era;
    use vmcp_core::mcp::client::{Answer, Exchange, Goal, Listed, Output, ServerMessage, Standing, Start};
    use vmcp_core::mcp::http::{Head, Input};
    use vmcp_core::secret::Secret;
    use vmcp_core::trust::UnixTime;

    use super::super::backends::Change;
    use super::super::ears::Ear;
    use super::super::known::Why;
    use super::super::link::Link;
    use super::super::served::Served;
    use super::*;
    use crate::materials::{Source, gather};
    use crate::tokens::{Sender, Tokens};
    use crate::transport::TransportOptions;

    /// Longer than anybody waits for a list.
    const LONG: Duration = Duration::from_secs(6);

    fn served(tokens: &Tokens) -> Served {
        let text = "name: t\ngroupRef: g\nincomingAuth: {type: anonymous}\noutgoingAuth: {source: inline}\n\
             aggregation: {conflictResolution: prefix, conflictResolutionConfig: {prefixFormat: '{workload}_'}}\n\
             backends: [{name: b, url: 'http://127.0.0.1:9/mcp', transport: streamable-http}]\n";
        let input = config::input::read(text.as_bytes());
        let document = &input.configs[0];
        let source = Source::this_machine();
        let materials =
            gather(|known| needs(&document.config, &known.variables), &source, Arc::default(), UnixTime::now());
        let catalog = discover(&document.config, &document.diagnostics, &materials);
        let settings = Settings { declared: Declared::new("vmcp", VERSION), limits: Limits::default() };
        let (backend, patience) = (&catalog.backends[0], Duration::from_secs(1));
        Served::new(backend, patience, Arc::new(settings), &TransportOptions::default(), tokens).unwrap()
    }

    fn who(subject: &str, token: &str, scope: &str) -> Arc<Principal> {
        Arc::new(Principal {
            issuer: "https://i".to_owned(),
            subject: subject.to_owned(),
            scopes: vec![scope.to_owned()],
            claims: Secret::new("{}"),
            token: Secret::new(token),
            expires: None,
        })
    }

    fn with_views(served: impl FnOnce(&Tokens) -> Served, test: impl FnOnce(&Views)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let tokens = Tokens::new(Sender::new(&TransportOptions::default()), runtime.handle().clone());
        let views = Views::new(Arc::new(Backends::new(
            vec![served(&tokens)],
            Policy::prefix("{workload}_"),
            8,
            runtime.handle().clone(),
        )));
        test(&views);
        views.stop();
        runtime.shutdown_background();
    }

    #[test]
    fn principals_share_nothing_of_a_backend_that_tells_them_apart() {
        with_views(
            |tokens| served(tokens).told_apart(),
            |views| {
                let of = |who: &Arc<Principal>| views.of(Declares::of_request("{}"), Some(who), &Passed::default());
                let ann = of(&who("ann", "1", "read"));
                assert!(Arc::ptr_eq(&ann, &of(&who("ann", "2", "read"))));
                let token = |view: &View| view.all[0].whose.now().map(|who| who.token.expose().to_owned());
                assert_eq!(token(&ann).as_deref(), Some("2"), "lists are asked for with the newest token");
                let (bob, admin) = (of(&who("bob", "3", "read")), of(&who("ann", "4", "admin")));
                for other in [&bob, &admin] {
                    assert!(
                        !Arc::ptr_eq(&ann.all[0], &other.all[0]) && !Arc::ptr_eq(&ann.all[0].own, &other.all[0].own)
                    );
                }
                assert_eq!(
                    (token(&ann).as_deref(), token(&bob).as_deref(), token(&admin).as_deref()),
                    (Some("2"), Some("3"), Some("4"))
                );
                // Whoever is not known by name sees what the gateway itself does.
                let nobody = views.of(Declares::of_request("{}"), None, &Passed::default());
                assert!(Arc::ptr_eq(&nobody, &views.first) && token(&nobody).is_none());
                assert!(!nobody.is_of(Some(&who("ann", "5", "read")), &Passed::default()));
                // Nor is what is seen with one value of a header for another.
                let passing = |value: &str| -> Passed { Arc::new([("x-tenant".to_owned(), Secret::new(value))]) };
                let tenant = |value: &str| views.of(Declares::of_request("{}"), None, &passing(value));
                assert!(Arc::ptr_eq(&tenant("a"), &tenant("a")) && !Arc::ptr_eq(&tenant("a"), &tenant("b")));
            },
        );
    }

    #[test]
    fn a_principal_never_gets_the_view_of_another_however_many_there_are() {
        with_views(
            |tokens| served(tokens).told_apart(),
            |views| {
                let held: Vec<_> = (0..PRINCIPALS + 8)
                    .map(|n| {
                        (
                            n,
                            views.of(
                                Declares::of_request("{}"),
                                Some(&who(&format!("u{n}"), "t", "")),
                                &Passed::default(),
                            ),
                        )
                    })
                    .collect();
                for (n, view) in &held {
                    assert_eq!(view.all[0].whose.now().unwrap().subject, format!("u{n}"));
                }
                drop(held);
                drop(views.of(Declares::of_request("{}"), Some(&who("last", "t", "")), &Passed::default()));
                assert!(views.lock().len() <= PRINCIPALS + 8);
                views.sweep(Instant::now() + IDLE);
                assert_eq!(views.lock().len(), 0);
            },
        );
    }

    #[test]
    fn an_answer_that_comes_between_a_look_and_a_wait_is_found() {
        with_views(served, |views| {
            let (backends, served) = (&views.first.backends, &views.first.all[0]);
            assert!(served.claim(List::Prompts, Instant::now()), "nobody else asks");
            let (looks, listed) = (Cell::new(0), vec![r#"{"name":"p"}"#.to_owned()]);
            let look = |merged: &Merged| {
                looks.set(looks.get() + 1);
                let found = merged.owner(List::Prompts, "b_p");
                if looks.get() == 2 {
                    backends.keep(served, List::Prompts, Some(Listed::new(listed.clone(), Era::Legacy)));
                }
                found
            };
            let found = backends.runtime.block_on(backends.find_in(&[List::Prompts], look));
            assert_eq!(found.map(|owner| owner.original).as_deref(), Some("p"));
        });
    }

    #[test]
    fn a_list_that_comes_while_others_are_shown_without_it_is_shown_or_told() {
        with_views(served, |views| {
            let (backends, served) = (&views.first.backends, &views.first.all[0]);
            let _in_runtime = backends.runtime.enter();
            let mut changes = backends.changed.subscribe();
            let lists = |merged: &Merged, kind| merged.list(kind).len();
            let comes = |kind, entry: &str| {
                backends.keep(served, kind, Some(Listed::new(vec![entry.to_owned()], Era::Legacy)));
            };
            // Who waits for it is shown it, and then it is no change.
            assert!(served.claim(List::Prompts, Instant::now()), "nobody else asks");
            let mut context = Context::from_waker(Waker::noop());
            let mut waits = std::pin::pin!(backends.fresh(&[List::Prompts]));
            assert!(waits.as_mut().poll(&mut context).is_pending());
            comes(List::Prompts, r#"{"name":"p"}"#);
            let Poll::Ready(shown) = waits.as_mut().poll(&mut context) else { panic!("it has come") };
            assert_eq!((lists(&shown, List::Prompts), changes.try_recv()), (1, Err(TryRecvError::Empty)));
            // Who has waited long enough is not, and then it is one.
            assert!(served.claim(List::Resources, Instant::now() - LONG), "nobody else asks");
            let shown = backends.runtime.block_on(backends.fresh(&[List::Resources]));
            assert_eq!(lists(&shown, List::Resources), 0);
            // What nobody was shown without is none.
            comes(List::ResourceTemplates, r#"{"name":"t","uriTemplate":"x://{y}"}"#);
            assert_eq!(changes.try_recv(), Err(TryRecvError::Empty));
            comes(List::Resources, r#"{"name":"r","uri":"x://r"}"#);
            let told = Change { view: 0, place: 0, list: List::Resources, why: Why::Seen };
            assert_eq!(changes.try_recv(), Ok(told));
            assert_eq!(lists(&backends.merged(), List::Resources), 1);
        });
    }

    /// A conversation in a session, made the only way there is.
    fn session() -> Arc<Standing> {
        let settings = Settings { declared: Declared::new("vmcp", VERSION), limits: Limits::default() };
        let mut exchange = Exchange::new(Goal::Open, Start::Remembered(Era::Legacy), 0, Arc::new(settings));
        let body = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}"#;
        loop {
            match exchange.poll().unwrap() {
                Output::Send { .. } => {
                    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
                    let headers = vec![header("content-type", "application/json"), header("mcp-session-id", "s")];
                    exchange.handle(Input::Head(Head { status: 200, headers }));
                    exchange.handle(Input::Body(body.as_bytes()));
                    exchange.handle(Input::End);
                }
                Output::Done(Ok(Answer::Opened(standing))) => return standing,
                _ => {}
            }
        }
    }

    /// Wants to hear, then no longer, and at once again: who wants it then finds that somebody hears.
    struct Fickle {
        link: Arc<Link>,
        looks: AtomicUsize,
        again: mpsc::Sender<()>,
    }

    impl Ear for Arc<Fickle> {
        fn listens(&self) -> bool {
            match self.looks.fetch_add(1, Ordering::SeqCst) {
                1 => {
                    assert!(!self.link.begins_to_hear(), "somebody does");
                    false
                }
                // Looked at before it is taken up again, and then by who hears.
                3 => self.again.send(()).is_ok(),
                _ => true,
            }
        }
        fn hear(&self, _: &Arc<Standing>, _: &ServerMessage) -> Option<String> {
            None
        }
        fn missed(&self) {}
        fn who(&self) -> Option<Arc<Principal>> {
            None
        }
    }

    #[test]
    fn who_wants_to_hear_while_somebody_stops_hearing_is_heard_for() {
        with_views(served, |views| {
            let (link, (again, heard)) = (Arc::new(Link::default()), mpsc::channel());
            link.join_now(None, || Start::Unknown).learned(&session());
            let ear = Arc::new(Fickle { link: Arc::clone(&link), looks: AtomicUsize::new(0), again });
            let backends = &views.first.backends;
            assert!(backends.hear_stream(0, Arc::clone(&link), ear, link.cancel.clone()).is_some());
            heard.recv_timeout(Duration::from_secs(20)).unwrap();
            link.end();
        });
    }

    #[test]
    fn principals_see_the_same_of_backends_that_do_not_tell_them_apart() {
        with_views(served, |views| {
            let ann = views.of(Declares::of_request("{}"), Some(&who("ann", "1", "read")), &Passed::default());
            assert!(Arc::ptr_eq(&ann, &views.first) && ann.all[0].whose.now().is_none());
            assert!(ann.is_of(Some(&who("bob", "2", "read")), &Passed::default()));
        });
    }
}
