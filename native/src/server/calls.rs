//! One request that a backend answers: from the client to the backend and back, as a document or as a stream.
//!
//! What is said is the core's; which backend is asked, and for how long, is decided here.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use hyper::StatusCode;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use vmcp_core::aggregate::{Merged, Owner, Runs};
use vmcp_core::gateway::as_task::{AsTask, Step};
use vmcp_core::gateway::listen::Changing;
use vmcp_core::gateway::relay::{declared_for_one_call, declared_without_sessions};
use vmcp_core::gateway::{self, Ask, Caller, Hop, Streams, Subject};
use vmcp_core::identity::Principal;
use vmcp_core::mcp::client::{
    Answer, Asked, Call, CallError, Class, Declared, Goal, Limits, List, ServerMessage, Settings, Standing,
};
use vmcp_core::mcp::{Era, Revision, code};

use super::backends::Refused;
use super::client::Client;
use super::course::Course;
use super::link::Conversation;
use super::outlet::{Outcome, Outlet};
use super::reply::{self, Events, KEEP_ALIVE, Reply, bare, written};
use super::rounds::{Rounds, Then};
use super::routes::refuse;
use super::served::{Heard, Served};
use super::sessions::InUse;
use super::stream::{Resumption, Stream};
use super::suspended::{Ended, Suspendable};
use super::views::View;
use super::{App, VERSION};
use crate::credentials::Passed;
use crate::logging::chain;
use crate::transport::Cancel;

impl App {
    /// Answers what one backend answers. Without a session, the call ends with its stream.
    pub(super) async fn ask(
        self: &Arc<Self>,
        mut ask: Ask<'_>,
        session: Option<InUse<Client>>,
        who: Option<Arc<Principal>>,
        passed: Passed,
    ) -> Reply {
        let cancel = Cancel::new();
        let id: Box<str> = ask.asker.id.text().into();
        let (outlet, outcome) = Outlet::new(ask.asker.streams, session.as_deref().cloned(), cancel.clone());
        if let Some(session) = &session
            && session.state.begin(&id, &cancel, &outlet).is_err()
        {
            let message = "a request with this id is being answered; an id is used once in a session";
            return refuse(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, message);
        }
        let in_flight = InFlight { session, id };
        if let Err(refused) = ask.open(&self.seals.sealer(who.as_deref())) {
            return written(refused);
        }
        if let Some(token) = ask.suspended() {
            let call = self.seals.number(token).and_then(|number| self.suspensions.find(number));
            let fed =
                call.and_then(|call| self.feed(&call, ask.caller(), who.as_ref(), outlet, &ask.input_responses()).ok());
            let Some(attached) = fed else { return written(ask.gone()) };
            return answered(ask.asker.streams, outcome, attached).await;
        }
        let view = self.sees(in_flight.session.as_ref(), ask.asker.capabilities, who.as_ref(), &passed);
        let mut owners = match ask.task_owner() {
            Some(owner) => vec![owner],
            None => self.owners(&view, in_flight.session.as_ref(), ask.subject, &ask.name).await,
        };
        owners.retain(|owner| ask.may_go_to(owner) && view.find(&owner.backend).is_some());
        if owners.is_empty() {
            return written(ask.unknown());
        }
        let mut runs = Runs::AtOnce;
        let merged = in_flight.session.as_ref().map_or_else(|| view.merged(), |session| session.state.merged());
        if ask.subject == Subject::Tool
            && let Some(tool) = merged.find(List::Tools, &ask.name)
        {
            if let Err(differs) = ask.mirror(tool) {
                return written(differs);
            }
            // A client whose revision has tasks of sessions makes them itself.
            let revision = in_flight.session.as_ref().map(|session| session.state.session.revision);
            if revision.is_none_or(|revision| revision < Revision::V20251125) {
                runs = tool.runs();
            }
        }
        let mut left = VecDeque::new();
        for owner in &owners {
            let Some((place, served)) = view.find(&owner.backend) else { continue };
            if ask.subject.is_completion() && !self.offers(served, "completions") {
                return written(ask.no_suggestions(&self.server));
            }
            let mut call = ask.towards(owner);
            if let Some(session) = &in_flight.session {
                call.asked = Asked::Relay;
                call.capabilities = Some(declared_without_sessions(&session.state.session.capabilities));
                call.log_level = session.state.log_level();
            }
            left.push_back((place, call));
        }
        let subscribes = match ask.subject {
            Subject::Subscription => Some(Subscribes::To(ask.name.as_ref().into())),
            Subject::EndOfSubscription => Some(Subscribes::NoMore(ask.name.as_ref().into())),
            _ => None,
        };
        let caller = owners.first().map_or_else(|| ask.caller(), |owner| ask.caller().led_to(owner));
        let (streams, era) = (caller.streams(), caller.era());
        if let Some(passing) = caller.passing(&self.server).filter(|_| runs == Runs::AtOnce) {
            for (_, call) in &mut left {
                call.passing = Some(Arc::clone(&passing));
            }
        }
        // What a backend with sessions asks or logs while this call is open can only be told in its answer.
        let suspendable = match left.front_mut() {
            Some((place, call))
                if owners.len() == 1
                    && in_flight.session.is_none()
                    && (caller.can_be_asked()
                        || view.at(*place).is_some_and(|served| self.may_log(served, &caller))) =>
            {
                call.asked = Asked::Relay;
                Some(self.suspensions.begin(*place, who.clone(), caller.clone(), Arc::clone(&outlet), cancel.clone()))
            }
            _ => None,
        };
        let attached = suspendable.as_ref().map(Suspendable::attached);
        let teller =
            Teller { caller, who: who.clone(), app: Arc::clone(self), outlet, suspendable, runtime: Handle::current() };
        let errand = Errand {
            app: Arc::clone(self),
            view,
            who,
            passed,
            left,
            teller,
            in_flight,
            cancel: cancel.clone(),
            asked: 0,
            subscribes,
            runs,
            trouble: None,
        };
        if let Err(refused) = errand.next().await {
            return written(ask.busy(&refused.to_string()));
        }
        // 2026-07-28, streamable-http, Cancellation: a client that closes the stream cancels. A legacy client's lost
        // connection is none (2025-11-25, basic/transports, Sending Messages 6).
        match (attached, era) {
            (Some(attached), _) => answered(streams, outcome, attached).await,
            (None, Era::Modern) => answered(streams, outcome, CancelOnDrop(cancel)).await,
            (None, Era::Legacy) => answered(streams, outcome, ()).await,
        }
    }

    /// Who is asked, one after the other. Several only for a resource for which nobody answers.
    async fn owners(&self, view: &View, session: Option<&InUse<Client>>, subject: Subject, name: &str) -> Vec<Owner> {
        // What an app is shown with need not be listed; its tool says whose it is.
        let resources = match name.starts_with("ui://") {
            true => &[List::Resources, List::ResourceTemplates, List::Tools][..],
            false => &[List::Resources, List::ResourceTemplates],
        };
        let own = session.and_then(|session| session.state.own_lists.merged(view));
        let find = async |kinds: &[List], look: &(dyn Fn(&Merged) -> Option<Owner> + Sync)| match own
            .as_deref()
            .and_then(look)
        {
            Some(found) => Some(found),
            None => view.find_in(kinds, look).await,
        };
        let of_list = async |list: List| {
            let listed = find(&[list], &|merged| merged.owner(list, name)).await;
            listed.or_else(|| view.merged().unlisted(list, name))
        };
        let found = match subject {
            // Its id says whose it is.
            Subject::Task(_) => None,
            Subject::Extension => view
                .extended(&self.backends)
                .map(|served| Owner { backend: served.name.as_str().into(), original: name.to_owned() }),
            Subject::Tool => of_list(List::Tools).await,
            Subject::Prompt | Subject::PromptArgument => of_list(List::Prompts).await,
            Subject::TemplateVariable | Subject::Resource | Subject::Subscription | Subject::EndOfSubscription => {
                find(resources, &|merged| merged.resource(name)).await
            }
        };
        match (found, subject) {
            (Some(owner), _) => vec![owner],
            (None, Subject::Resource | Subject::Subscription | Subject::EndOfSubscription) => {
                let merged = view.merged();
                let has = |backend: &&Arc<str>| {
                    view.find(backend).is_some_and(|(_, served)| self.offers(served, "resources"))
                };
                let owner = |backend: &Arc<str>| Owner { backend: Arc::clone(backend), original: name.to_owned() };
                let mut owners: Vec<_> = merged.order().iter().filter(has).map(owner).collect();
                // Stable: the others stay in their order.
                let linked = self.links.place(name).and_then(|place| view.at(place));
                owners.sort_by_key(|owner| linked.is_none_or(|served| *served.name != *owner.backend));
                owners
            }
            (None, _) => Vec::new(),
        }
    }

    /// Whether a backend with sessions may log what a caller that stands alone wants to hear.
    fn may_log(&self, served: &Served, caller: &Caller) -> bool {
        caller.log_level().is_some() && served.stateless().is_none() && self.offers(served, "logging")
    }

    /// Whether a backend says that it has something, or was not asked.
    fn offers(&self, served: &Served, capability: &str) -> bool {
        let standing = served.own.standing();
        standing.as_deref().and_then(Standing::facts).is_none_or(|facts| facts.offers(capability))
    }
}

impl App {
    /// Tells a client what came of its call.
    pub(super) fn tell_end(&self, caller: &Caller, outlet: &Outlet, who: Option<&Principal>, ended: Ended) {
        let (backend, server) = (ended.backend.as_str(), &self.server);
        match &ended.result {
            Err(error) if error.class() == Class::Cancelled => outlet.answer(|| None, || None),
            Ok(Answer::Reply(reply)) => {
                let hop = || Hop { backend, server, sealer: self.seals.sealer(who) };
                outlet.answer(|| Some(caller.answer(reply, hop())), || Some(caller.message(reply, hop())));
            }
            Err(error) => {
                let message = || Some(caller.failed_message(backend, error));
                outlet.answer(|| Some(caller.failed(backend, error)), message);
            }
            Ok(_) => outlet.answer(|| None, || None),
        }
    }
}

/// Whether a backend has said that the headers of a call are not what they should be: then its list is another one, and it
/// is asked for that and once more for the call, and not a third time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mismatch {
    Unseen,
    Seen,
}

/// What follows from what came of a call: it is a task that is looked at, it asks something, or it is over.
async fn then(
    task: &mut AsTask,
    rounds: Option<&mut Rounds<'_>>,
    cancel: &Cancel,
    call: &Call,
    result: Result<Answer, CallError>,
) -> Then {
    let client = rounds.as_ref().and(call.capabilities.as_deref());
    let step = match &result {
        Ok(Answer::Reply(reply)) => task.next(call, reply, client),
        _ => Step::Pass,
    };
    match (step, rounds) {
        (Step::Again(next, pause), _) => {
            cancel.paused(pause).await;
            Then::Again(next)
        }
        (Step::Ask(round), Some(rounds)) => match rounds.answers(&round).await {
            Ok(answers) => Then::Again(task.update(call, &answers)),
            Err(then) => then,
        },
        (Step::Done(reply), rounds) => {
            if let Some(rounds) = rounds {
                rounds.over(&reply);
            }
            Then::Done(Ok(Answer::Reply(reply)))
        }
        (Step::Pass, Some(rounds)) => rounds.next(call, result).await,
        (Step::Pass | Step::Ask(_), None) => Then::Done(result),
    }
}

/// A wish to hear when a resource changes, and the end of it, by URI.
enum Subscribes {
    To(Box<str>),
    NoMore(Box<str>),
}

/// What the client gets; `until_closed` is dropped when it is gone, or has all of it.
async fn answered(streams: Streams, outcome: oneshot::Receiver<Outcome>, until_closed: impl Send + 'static) -> Reply {
    match outcome.await {
        Ok(Outcome::Whole(response)) => written(response),
        Ok(Outcome::Stream(events)) => reply::events(Events::new(events, KEEP_ALIVE, until_closed)),
        Ok(Outcome::Flow(form, flow)) => reply::flowing(form, flow, until_closed),
        Ok(Outcome::Silence) if streams == Streams::No => bare(StatusCode::ACCEPTED),
        Ok(Outcome::Silence) => {
            let nothing = Stream::new(0, Resumption::No);
            nothing.end();
            reply::events(Events::new(nothing.reader(), KEEP_ALIVE, ()))
        }
        Err(_) => refuse(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, "the call broke off inside the gateway"),
    }
}

/// A request on its way to one backend after the other, until one has what it asks for.
struct Errand {
    app: Arc<App>,
    /// Among what its client sees.
    view: Arc<View>,
    /// On whose behalf.
    who: Option<Arc<Principal>>,
    /// Headers of the request that are passed on.
    passed: Passed,
    /// Who is still to be asked, by place, and what.
    left: VecDeque<(usize, Call)>,
    teller: Teller,
    in_flight: InFlight,
    cancel: Cancel,
    /// How many were.
    asked: usize,
    /// What changes for the client if it is done.
    subscribes: Option<Subscribes>,
    /// How the tool can be called.
    runs: Runs,
    /// The first that could not be asked.
    trouble: Option<(String, CallError)>,
}

impl Errand {
    /// Asks the next one; what comes of it is told by the teller.
    fn next(mut self) -> Pin<Box<dyn Future<Output = Result<(), Refused>> + Send>> {
        Box::pin(async move {
            let view = Arc::clone(&self.view);
            let backends = Arc::clone(&*view);
            let Some((place, mut call)) = self.left.pop_front() else { return Ok(()) };
            let Some(served) = backends.at(place) else { return Ok(()) };
            self.asked += 1;
            let session = self.in_flight.session.as_ref();
            let suspendable = self.teller.suspendable.clone().filter(|_| served.stateless().is_none());
            let link = match (session, &suspendable) {
                (Some(session), _) => session.state.link(place),
                // Who can be asked has a session at the backend alone, in which the backend knows what it can do.
                (None, Some(_)) => Arc::default(),
                // And so has who wants log messages: how grave they are is set for a whole session.
                (None, None) if self.app.may_log(served, &self.teller.caller) => Arc::default(),
                (None, None) if served.is_shared_with(self.who.as_ref()) => Arc::clone(&served.own),
                // What is opened with a caller's credentials is nobody else's.
                (None, None) => Arc::default(),
            };
            let alone = (session.is_none() && !Arc::ptr_eq(&link, &served.own)).then(|| Arc::clone(&link));
            let who = self.who.clone();
            let mut conversation = match (served.stateless(), session) {
                (Some(standing), None) => Conversation::beside(link, standing, who),
                (Some(standing), Some(_)) if served.has_no_sessions() => Conversation::beside(link, standing, who),
                (_, Some(_)) => link.join(who, || served.opening_for_session()).await,
                (_, None) => link.join(who, || served.opening()).await,
            };
            conversation.passed = Some(Arc::clone(&self.passed));
            if let (Some(_), Some(capabilities)) = (&suspendable, self.teller.caller.capabilities()) {
                conversation = conversation.on_behalf_of(&settings_of(capabilities));
            }
            if let Some(session) = session {
                conversation = conversation.on_behalf_of(&session.state.settings);
                session.state.goes_to(&self.in_flight.id, place);
            }
            let slot = backends.admit(served)?;
            let started = Instant::now();
            let served = Arc::clone(served);
            if let (Some(session), Some(wish)) = (session, &self.subscribes) {
                // How the backend speaks decides what becomes of that.
                match self.app.open_for(session, &served, place, &mut conversation, &self.cancel).await {
                    Ok(Era::Legacy) => {}
                    // There it is no request: the gateway listens.
                    Ok(Era::Modern) => {
                        match wish {
                            Subscribes::To(uri) => session.state.subscribe(place, uri),
                            Subscribes::NoMore(uri) => session.state.unsubscribe(uri),
                        }
                        self.app.hear_subscriptions(session, &served, place).await;
                        drop(self.in_flight);
                        self.teller.subscribed();
                        return Ok(());
                    }
                    Err(error) => {
                        let result = Err(error);
                        log(&served.name, started, &result);
                        self.finish(&served.name, result, Course::Unbegun);
                        return Ok(());
                    }
                }
            }
            slot.run(async move {
                let (app, session) = (Arc::clone(&self.app), self.in_flight.session.as_ref());
                let id = self.in_flight.id.trim_matches('"');
                let token = session.map(|session| format!("{}-{id}", session.id)).unwrap_or_default();
                let mut task = AsTask::perhaps(&token);
                if self.runs == Runs::AsTask {
                    (task, call) = AsTask::required(&token, call);
                }
                let mut rounds =
                    session.map(|session| Rounds::new(&session.state, &self.teller.outlet, &self.cancel, token));
                let mut mismatch = Mismatch::Unseen;
                let mut course = Course::Unbegun;
                let (result, withdrawal) = loop {
                    let modern = conversation.standing().is_some_and(|standing| standing.era() == Era::Modern);
                    let again = (rounds.is_some() || modern || self.runs == Runs::AsTask).then(|| call.clone());
                    let mut asking = served.ask(Goal::Call(call), &conversation, &self.cancel);
                    let (result, withdrawal) = loop {
                        match asking.next(&served, &mut conversation).await {
                            Heard::Message(message, standing) => {
                                match (Changing::of(&message.method), session) {
                                    (Some(kind), Some(session)) => app.changed_in_session(session, place, kind),
                                    (Some(kind), None) => app.views.announce(place, kind),
                                    (None, _) => {}
                                }
                                let standing = standing.as_ref();
                                let response = match session {
                                    Some(session) => {
                                        app.told(session, place, standing, &message, Some(&self.teller.outlet))
                                    }
                                    None if message.id.is_some() => {
                                        suspendable.as_ref().and_then(|call| self.app.suspend(call, standing, &message))
                                    }
                                    None => {
                                        self.teller.event(&message);
                                        None
                                    }
                                };
                                if let Some(response) = response {
                                    asking.answer(response);
                                }
                                self.teller.make_room().await;
                            }
                            Heard::Opened(standing) => {
                                if let Some(session) = session {
                                    app.opened_for(session, &served, place, &standing, &self.cancel).await;
                                } else if let Some(link) = &alone {
                                    if let Some(level) = self.teller.caller.log_level() {
                                        served.wants_logs(&standing, self.who.as_ref(), level, &self.cancel).await;
                                    }
                                    if let Some(call) = &suspendable {
                                        app.hear_for(call, place, link, self.who.clone()).stands().await;
                                    }
                                }
                            }
                            Heard::Part(part) => {
                                let era = conversation.standing().map_or(Era::Legacy, |standing| standing.era());
                                if let Err(gone) = self.teller.part(&mut course, part, era, &self.cancel).await {
                                    break (Err(gone), None);
                                }
                            }
                            Heard::Primed => self.teller.outlet.prime(),
                            Heard::Paused => self.teller.outlet.pause(),
                            Heard::Began(number) => {
                                if let Some(session) = session.filter(|_| self.teller.caller.wants_progress()) {
                                    session.state.runs_as(&self.in_flight.id, number, &self.teller.caller);
                                }
                            }
                            Heard::Done(result, withdrawal) => break (result, withdrawal),
                        }
                    };
                    if let (Mismatch::Unseen, Some(again), Subject::Tool) =
                        (mismatch, &again, self.teller.caller.subject())
                        && let Ok(Answer::Reply(reply)) = &result
                        && reply.error().is_some_and(|error| error.code == code::HEADER_MISMATCH)
                    {
                        mismatch = Mismatch::Seen;
                        let merged = backends.listed_anew(&served, Changing::Tools).await;
                        if let Some(tool) = merged.find(List::Tools, self.teller.caller.name()) {
                            call = Ask::mirrored_anew(again, tool);
                            continue;
                        }
                    }
                    let then = match again {
                        Some(again) => then(&mut task, rounds.as_mut(), &self.cancel, &again, result).await,
                        None => Then::Done(result),
                    };
                    match then {
                        Then::Again(next) => call = next,
                        Then::Done(result) => break (result, withdrawal),
                    }
                };
                // A task goes on until it is told not to (2025-11-25, basic/utilities/tasks; SEP-2663).
                if let (Err(_), Some(standing)) = (&result, conversation.standing())
                    && let Some(stop) = task.cancel(&Call::new("tasks/cancel", None))
                {
                    served.ask_in(standing, conversation.who.as_ref(), stop, &Cancel::new()).await;
                }
                if let (Some(session), Err(_)) = (session, &result) {
                    session.state.questions.withdraw(&self.teller.outlet);
                }
                log(&served.name, started, &result);
                if let (Some(session), Some(uri), Ok(Answer::Reply(reply))) = (session, &self.subscribes, &result)
                    && reply.error().is_none()
                {
                    match uri {
                        Subscribes::To(uri) => {
                            session.state.subscribe(place, uri);
                            app.listen_to(session, place).stands().await;
                        }
                        Subscribes::NoMore(uri) => session.state.unsubscribe(uri),
                    }
                }
                if let Ok(Answer::Reply(reply)) = &result {
                    self.app.links.spoken_of(place, gateway::links(reply));
                }
                self.finish(&served.name, result, course);
                if let Some(request) = withdrawal {
                    served.send_aside(&request, conversation.who.as_ref()).await;
                }
                let mut over = conversation.superfluous();
                over.extend(alone.and_then(|link| link.end()));
                backends.end(place, over, conversation.who.take());
            });
            Ok(())
        })
    }

    /// Tells the client, unless another backend may know more.
    fn finish(mut self, backend: &str, result: Result<Answer, CallError>, course: Course) {
        let elsewhere = match &result {
            _ if course.has_begun() => false,
            Ok(Answer::Reply(reply)) => self.teller.caller.is_elsewhere(reply),
            Err(error) => error.class() != Class::Cancelled && self.asked + self.left.len() > 1,
            Ok(_) => false,
        };
        if elsewhere && !self.left.is_empty() {
            if let Err(error) = result {
                self.trouble.get_or_insert((backend.to_owned(), error));
            }
            let runtime = self.teller.runtime.clone();
            runtime.spawn(async move {
                // The client hears the end of the teller.
                if let Err(refused) = self.next().await {
                    tracing::warn!(error = chain(&refused), "a resource was not looked for everywhere");
                }
            });
            return;
        }
        // The id is free before the client can know that its call is over.
        drop(self.in_flight);
        match (self.trouble, result) {
            (Some((backend, error)), _) if elsewhere => self.teller.done(&backend, Err(error), course),
            (None, Ok(_)) if elsewhere && self.asked > 1 => self.teller.unknown(),
            (_, result) => self.teller.done(backend, result, course),
        }
    }
}

fn log(backend: &str, started: Instant, result: &Result<Answer, CallError>) {
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match result {
        Ok(_) => tracing::debug!(backend, milliseconds, "answered"),
        Err(error) if error.class() == Class::Cancelled => tracing::debug!(backend, milliseconds, "call cancelled"),
        Err(error) => tracing::warn!(backend, milliseconds, error = chain(error), "call failed"),
    }
}

/// A call that its session knows of, and that keeps the session alive.
struct InFlight {
    session: Option<InUse<Client>>,
    id: Box<str>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(session) = &self.session {
            session.state.finish(&self.id);
        }
    }
}

/// What a backend is told of a client that it can ask.
fn settings_of(capabilities: &str) -> Arc<Settings> {
    let mut declared = Declared::new("vmcp", VERSION);
    declared.capabilities = declared_for_one_call(capabilities);
    Arc::new(Settings { declared, limits: Limits::default() })
}

struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Tells the client what comes of its call.
struct Teller {
    caller: Caller,
    who: Option<Arc<Principal>>,
    app: Arc<App>,
    outlet: Arc<Outlet>,
    /// What the call is, if its client can be asked while it is open.
    suspendable: Option<Arc<Suspendable>>,
    runtime: Handle,
}

impl Teller {
    /// Something before the result, for a client that has no session.
    fn event(&self, message: &ServerMessage) {
        let again;
        let (caller, outlet) = match &self.suspendable {
            // Who has come again has another token, and may want other messages.
            Some(call) => {
                let Some(heard) = call.hears() else { return };
                again = heard;
                (&again.0, &again.1)
            }
            None => (&self.caller, &self.outlet),
        };
        if let Some(text) = caller.relayed(message) {
            outlet.say(&text);
        }
    }

    /// A part of the result. The error is that the client is gone, and the rest is for nobody.
    async fn part(&self, course: &mut Course, part: Vec<u8>, era: Era, cancel: &Cancel) -> Result<(), CallError> {
        let outlet = || match &self.suspendable {
            Some(call) => call.answers(),
            None => Some(Arc::clone(&self.outlet)),
        };
        let taken = course.take(part, era, outlet, cancel).await;
        taken.map_err(|gone| gone.while_answered(self.caller.subject().method()))
    }

    /// Waits for a client that reads slowly.
    async fn make_room(&self) {
        match self.suspendable.as_ref().map(|call| call.hears()) {
            Some(Some((_, outlet))) => outlet.make_room().await,
            // Nobody reads while the client is away.
            Some(None) => {}
            None => self.outlet.make_room().await,
        }
    }

    fn done(self, backend: &str, result: Result<Answer, CallError>, course: Course) {
        let Some(result) = course.over(result) else {
            return self.suspendable.iter().for_each(|call| self.app.suspensions.answered(call));
        };
        let ended = Ended { backend: backend.to_owned(), result };
        let heard = match &self.suspendable {
            Some(call) => self.app.suspensions.end(call, ended),
            None => Some((self.caller, self.outlet, ended)),
        };
        if let Some((caller, outlet, ended)) = heard {
            self.app.tell_end(&caller, &outlet, self.who.as_deref(), ended);
        }
    }

    /// It is subscribed to, or no longer.
    fn subscribed(self) {
        self.outlet.answer(|| Some(self.caller.done()), || None);
    }

    /// Nobody has it.
    fn unknown(self) {
        self.outlet.answer(|| Some(self.caller.unknown()), || Some(self.caller.unknown_message()));
    }
}
