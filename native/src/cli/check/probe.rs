//! One backend, stage by stage: as far as it goes, with the time that each stage took.
//!
//! It judges nothing and prints nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use vmcp_core::discovery::Backend;
use vmcp_core::endpoint::Scheme;
use vmcp_core::mcp::client::{
    Answer, CallError, Class, Declared, Exchange, Goal, Limits, List, Output, Problem, Settings, Standing, Start, Wait,
};
use vmcp_core::mcp::http::{Failure, Input, Sent, Stage};
use vmcp_core::mcp::json;
use vmcp_core::trust::{TrustedBy, UnixTime};

use super::caller::Granted;
use crate::logging::chain;
use crate::transport::{BackendTransport, Cancel, Observed, Patience, Timeouts, TransportOptions};

/// What became of one backend.
#[derive(Debug)]
pub(crate) struct Probed {
    pub(crate) name: String,
    pub(crate) url: String,
    /// Every stage in its order.
    pub(crate) steps: Vec<Step>,
    /// The address that was connected to.
    pub(crate) address: Option<String>,
    /// The TLS version.
    pub(crate) tls: Option<&'static str>,
    /// Which certificate vouched for the server.
    pub(crate) trusted_by: Option<TrustedBy>,
    /// The MCP revision.
    pub(crate) revision: Option<String>,
    /// Name and version of the server as it gives them.
    pub(crate) server: Option<String>,
    /// What it declares.
    pub(crate) capabilities: Vec<String>,
    /// How many it lists of each kind that was asked for.
    pub(crate) counts: Vec<(&'static str, usize)>,
    /// All of it.
    pub(crate) took: Duration,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) stage: CheckStage,
    pub(crate) outcome: Outcome,
    pub(crate) took: Option<Duration>,
}

/// The stages in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckStage {
    Resolve,
    Connect,
    Tls,
    Auth,
    Revision,
    Capabilities,
}

impl CheckStage {
    pub(crate) const ALL: [Self; 6] =
        [Self::Resolve, Self::Connect, Self::Tls, Self::Auth, Self::Revision, Self::Capabilities];
}

/// How a stage ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As it should.
    Ok,
    /// Not; why.
    Failed(String),
    /// Nothing to do, or nothing that could be done without an earlier one; why.
    Skipped(&'static str),
}

impl Probed {
    /// Whether no stage failed.
    pub(crate) fn is_ok(&self) -> bool {
        self.failure().is_none()
    }

    /// The stage that failed, and why.
    pub(crate) fn failure(&self) -> Option<(CheckStage, &str)> {
        self.steps.iter().find_map(|step| match &step.outcome {
            Outcome::Failed(why) => Some((step.stage, why.as_str())),
            _ => None,
        })
    }
}

/// Reaches a backend and asks what it offers. `timeout` is for all of it.
pub(crate) fn probe(backend: &Backend, granted: Granted, timeout: Duration, now: UnixTime) -> Probed {
    let started = Instant::now();
    let mut probe = Probe {
        probed: Probed {
            name: backend.name.clone(),
            url: backend.endpoint.to_string(),
            steps: Vec::new(),
            address: None,
            tls: None,
            trusted_by: None,
            revision: None,
            server: None,
            capabilities: Vec::new(),
            counts: Vec::new(),
            took: Duration::ZERO,
        },
        until: started + timeout,
        now,
        secure: backend.endpoint.scheme() == Scheme::Https,
        wants_caller: matches!(granted, Granted::NobodyS(_)),
    };
    let transport = BackendTransport::new(backend, &TransportOptions::default());
    match (transport, granted) {
        (Ok(transport), Granted::Grant(grant) | Granted::NobodyS(grant)) => probe.run(&transport.with_grant(grant)),
        (Ok(_), Granted::Nothing(why)) => probe.fail(CheckStage::Auth, why, None),
        (Err(why), _) => probe.fail(CheckStage::Resolve, why.to_string(), None),
    }
    probe.probed.took = started.elapsed();
    probe.probed
}

struct Probe {
    probed: Probed,
    until: Instant,
    now: UnixTime,
    secure: bool,
    /// Whether a caller's token might open what is closed now.
    wants_caller: bool,
}

impl Probe {
    fn run(&mut self, transport: &BackendTransport) {
        let settings = Arc::new(Settings {
            declared: Declared::new("vmcp", env!("CARGO_PKG_VERSION")),
            limits: Limits::default(),
        });
        let began = Instant::now();
        let (opened, failure, network) = self.open(transport, Arc::clone(&settings));
        let answered = began.elapsed().saturating_sub(network);
        let standing = match opened {
            Ok(standing) => standing,
            Err(error) => return self.refused(&error, failure.as_ref(), answered),
        };
        self.pass(CheckStage::Auth, None);
        self.describe(&standing);
        self.pass(CheckStage::Revision, Some(answered));
        let began = Instant::now();
        let counted = self.count(transport, &standing, &settings);
        match counted {
            Ok(()) => self.pass(CheckStage::Capabilities, Some(began.elapsed())),
            Err(error) => self.fail(stage_of(&error), chain(&error), Some(began.elapsed())),
        }
        if standing.has_session() {
            let mut end = Exchange::new(Goal::End, Start::Standing(standing), 1_000, settings);
            // A session that is not ended runs out by itself.
            drop(transport.run(&mut end, &self.patience(), &Cancel::new(), |_, _| {}));
        }
        self.close();
    }

    /// Walks the opening exchange request by request, to see the connection. Returns also the last failure of the
    /// transport and the time that the network took.
    fn open(
        &mut self,
        transport: &BackendTransport,
        settings: Arc<Settings>,
    ) -> (Result<Arc<Standing>, CallError>, Option<Failure>, Duration) {
        let mut exchange = Exchange::new(Goal::Open, Start::Unknown, 0, settings);
        let mut failure = None;
        let mut network = Duration::ZERO;
        let mut request = None;
        loop {
            match request.take().or_else(|| exchange.poll()) {
                Some(Output::Send { request: next, wait }) => {
                    let (result, observed) = transport.observe(&next, &self.timeouts(wait), &Cancel::new());
                    network += self.see(transport, &observed, result.as_ref().err());
                    match result {
                        Err(why) => {
                            failure = Some(why.clone());
                            exchange.handle(Input::Failed(why));
                        }
                        Ok(mut response) => {
                            exchange.handle(Input::Head(response.head.clone()));
                            request = feed(&mut exchange, &mut response, &mut failure);
                        }
                    }
                }
                Some(Output::Done(Ok(Answer::Opened(standing)))) => return (Ok(standing), failure, network),
                Some(Output::Done(Err(error))) => return (Err(error), failure, network),
                Some(
                    Output::Aside(_)
                    | Output::Event(_)
                    | Output::Primed
                    | Output::Part(_)
                    | Output::Learned(_)
                    | Output::Pause(_),
                ) => {}
                Some(Output::Done(Ok(_))) | None => exchange.handle(Input::Failed(Failure {
                    stage: Stage::Body,
                    sent: Sent::Maybe,
                    message: "the answer ended, and nothing more was asked".to_owned(),
                })),
            }
        }
    }

    /// Notes what was seen of a connection, the first time that it is opened. Returns how long that took.
    fn see(&mut self, transport: &BackendTransport, observed: &Observed, failure: Option<&Failure>) -> Duration {
        if observed.reused {
            return Duration::ZERO;
        }
        let tls = observed.tls.as_ref().map(|tls| tls.took);
        let took = [observed.resolve, observed.connect, tls].into_iter().flatten().sum();
        if !self.probed.steps.is_empty() {
            return took;
        }
        self.probed.address = observed.address.map(|address| address.to_string());
        self.probed.tls = observed.tls.as_ref().map(|tls| tls.version);
        self.probed.trusted_by = transport.trusted_by(observed, self.now).and_then(Result::ok);
        let broke_at = failure.map(|failure| failure.stage);
        for (stage, own, took) in [
            (CheckStage::Resolve, Stage::Resolve, observed.resolve),
            (CheckStage::Connect, Stage::Connect, observed.connect),
            (CheckStage::Tls, Stage::Tls, tls),
        ] {
            if broke_at == Some(own) {
                let why = failure.map(|failure| failure.message.clone()).unwrap_or_default();
                self.fail(stage, why, took);
                return took.unwrap_or_default();
            }
            match stage {
                CheckStage::Tls if !self.secure => self.skip(stage, "http"),
                CheckStage::Resolve if took.is_none() => self.skip(stage, "not needed"),
                _ => self.pass(stage, took),
            }
        }
        took
    }

    /// The opening came to nothing.
    fn refused(&mut self, error: &CallError, failure: Option<&Failure>, took: Duration) {
        if self.probed.failure().is_none() {
            let why = match (&error.problem, failure) {
                (Problem::NoAnswer { .. }, Some(failure)) => failure.message.clone(),
                _ => chain(error),
            };
            if error.class() == Class::Credentials && self.wants_caller {
                self.skip(CheckStage::Auth, "it wants a caller's token; `--token-file` gives one");
            } else if error.class() == Class::Credentials {
                self.fail(CheckStage::Auth, why, Some(took));
            } else {
                // An answer of any other kind means that nobody asked for other credentials.
                if !matches!(error.problem, Problem::NoAnswer { .. }) {
                    self.pass(CheckStage::Auth, None);
                }
                self.fail(CheckStage::Revision, why, Some(took));
            }
        }
        self.close();
    }

    fn describe(&mut self, standing: &Standing) {
        self.probed.revision = Some(standing.revision().to_string());
        let Some(facts) = standing.facts() else { return };
        self.probed.capabilities = facts.offered();
        self.probed.server = facts.server_info.as_deref().and_then(|info| {
            let text = |name| json::member(info, name).and_then(json::string).map(|text| text.into_owned());
            let name = text("name")?;
            Some(match text("version") {
                Some(version) => format!("{name} {version}"),
                None => name,
            })
        });
    }

    /// Lists everything that the backend says it has.
    fn count(
        &mut self,
        transport: &BackendTransport,
        standing: &Arc<Standing>,
        settings: &Arc<Settings>,
    ) -> Result<(), CallError> {
        let lists = [
            ("tools", "tools", List::Tools),
            ("resources", "resources", List::Resources),
            ("resource templates", "resources", List::ResourceTemplates),
            ("prompts", "prompts", List::Prompts),
        ];
        for (number, (noun, capability, list)) in lists.into_iter().enumerate() {
            // A server that was not asked what it offers may offer tools.
            let offered = standing.facts().map_or(capability == "tools", |facts| facts.offers(capability));
            if !offered {
                continue;
            }
            let first_id = 100 * (number as u64 + 1);
            let start = Start::Standing(Arc::clone(standing));
            let mut exchange = Exchange::new(Goal::List(list), start, first_id, Arc::clone(settings));
            match transport.run(&mut exchange, &self.patience(), &Cancel::new(), |_, _| {}) {
                Ok(Answer::Listed(listed)) => self.probed.counts.push((noun, listed.items.len())),
                Ok(_) => {}
                // Servers that have resources need not know templates.
                Err(CallError { problem: Problem::Rpc { code: -32601 }, .. }) if list == List::ResourceTemplates => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    fn patience(&self) -> Patience {
        Patience::of(self.left())
    }

    fn timeouts(&self, _wait: Wait) -> Timeouts {
        let left = self.left();
        Timeouts { connect: left, tls: left, first_byte: left, idle: Some(left), total: Some(left) }
    }

    fn pass(&mut self, stage: CheckStage, took: Option<Duration>) {
        self.probed.steps.push(Step { stage, outcome: Outcome::Ok, took });
    }

    fn fail(&mut self, stage: CheckStage, why: String, took: Option<Duration>) {
        self.probed.steps.push(Step { stage, outcome: Outcome::Failed(why), took });
        self.close();
    }

    fn skip(&mut self, stage: CheckStage, why: &'static str) {
        self.probed.steps.push(Step { stage, outcome: Outcome::Skipped(why), took: None });
    }

    /// What was not come to is skipped.
    fn close(&mut self) {
        for stage in CheckStage::ALL {
            if !self.probed.steps.iter().any(|step| step.stage == stage) {
                self.skip(stage, "not reached");
            }
        }
        self.probed.steps.sort_by_key(|step| step.stage);
    }
}

/// Gives an exchange the body of an answer until it wants something else. Returns what it wants.
fn feed(
    exchange: &mut Exchange,
    response: &mut crate::transport::Response,
    failure: &mut Option<Failure>,
) -> Option<Output> {
    loop {
        while let Some(output) = exchange.poll() {
            if matches!(output, Output::Send { .. } | Output::Done(_)) {
                return Some(output);
            }
        }
        match response.read() {
            Ok(Some(bytes)) => exchange.handle(Input::Body(bytes)),
            Ok(None) => {
                exchange.handle(Input::End);
                return None;
            }
            Err(why) => {
                *failure = Some(why.clone());
                exchange.handle(Input::Failed(why));
                return None;
            }
        }
    }
}

fn stage_of(error: &CallError) -> CheckStage {
    if error.class() == Class::Credentials { CheckStage::Auth } else { CheckStage::Capabilities }
}
