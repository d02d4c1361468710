//! What the demonstration proves: calls through the gateway, made by this program's own client over HTTP, and that each
//! private CA vouches for its own server alone.
//!
//! It looks behind no curtain: everything goes through sockets.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use vmcp_core::mcp::client::{
    Answer, Call, CallError, Declared, Exchange, Goal, Limits, List, Settings, Standing, Start,
};
use vmcp_core::trust::UnixTime;

use super::super::check::caller::Granted;
use super::super::check::probe::{CheckStage, probe};
use super::DemoError;
use super::stage::Stage;
use crate::credentials::Grant;
use crate::logging::chain;
use crate::render::human::{Paint, shown};
use crate::transport::{BackendTransport, Cancel, Patience, Said, TransportOptions};

/// How long each step may take; they take milliseconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// The calls that are made: the tool as the gateway names it, arguments, and what the answer must say.
const CALLS: [(&str, &str, &str); 2] = [
    ("inventory_stock", r#"{"part":"washer M8"}"#, "1200 × washer M8"),
    ("builds_run_build", r#"{"project":"gateway"}"#, "built gateway-1.0.tar.gz"),
];

/// What was proven, and what not.
pub(super) struct Proof {
    lines: Vec<Line>,
}

struct Line {
    what: String,
    /// What came of it.
    outcome: Result<String, String>,
}

impl Proof {
    /// Makes the calls.
    pub(super) fn make(stage: &Stage, url: &str) -> Result<Self, DemoError> {
        let mut lines = Vec::new();
        let client = Client::of(stage, url)?;
        match client.tools() {
            Ok(tools) => lines.push(Line { what: "tools/list".to_owned(), outcome: Ok(tools.join(", ")) }),
            Err(error) => lines.push(Line { what: "tools/list".to_owned(), outcome: Err(chain(&error)) }),
        }
        for (tool, arguments, expected) in CALLS {
            let outcome = match client.call(tool, arguments) {
                Ok(answer) if answer.text == expected => Ok(answer.describe()),
                Ok(answer) => Err(format!("answered {}; expected {expected}", answer.text)),
                Err(error) => Err(chain(&error)),
            };
            lines.push(Line { what: format!("{tool} {arguments}"), outcome });
        }
        for backend in stage.swapped_catalog()?.backends {
            let probed = probe(&backend, Granted::Grant(Grant::default()), PATIENCE, UnixTime::now());
            let outcome = match probed.failure() {
                Some((CheckStage::Tls, why)) => Ok(format!("refused, as it must be: {why}")),
                Some((_, why)) => Err(why.to_owned()),
                None => Err("was accepted, and must not be".to_owned()),
            };
            lines.push(Line { what: format!("{} with the other's CA", backend.name), outcome });
        }
        Ok(Self { lines })
    }

    /// Whether everything came out as it should.
    pub(super) fn holds(&self) -> bool {
        self.lines.iter().all(|line| line.outcome.is_ok())
    }

    pub(super) fn describe(&self, paint: Paint) -> String {
        let mut out = "Proof, through the gateway:\n".to_owned();
        for line in &self.lines {
            let (mark, text) = match &line.outcome {
                Ok(text) => (paint.good("✓"), text),
                Err(text) => (paint.bad("✗"), text),
            };
            out.push_str(&format!("  {mark} {}\n      {}\n", shown(&line.what), shown(text)));
        }
        out.push('\n');
        out
    }
}

/// A client of the gateway.
struct Client {
    transport: BackendTransport,
    settings: Arc<Settings>,
    standing: std::cell::OnceCell<Arc<Standing>>,
}

/// The answer of a tool.
struct Answered {
    text: String,
    /// Events that came before it.
    events: usize,
    took: Duration,
}

impl Answered {
    fn describe(&self) -> String {
        let events = match self.events {
            0 => String::new(),
            count => format!(" after {count} events"),
        };
        format!("{}{events}, in {} ms", self.text, self.took.as_millis())
    }
}

impl Client {
    /// The gateway is a backend like any other, and only discovery makes one.
    fn of(stage: &Stage, url: &str) -> Result<Self, DemoError> {
        let text = format!(
            "name: proof\ngroupRef: proof\nbackends:\n  - {{name: gateway, url: \"{url}\", transport: streamable-http}}\n\
             incomingAuth: {{type: anonymous}}\noutgoingAuth: {{source: inline}}\n\
             aggregation: {{conflictResolution: prefix, conflictResolutionConfig: {{prefixFormat: \"x_\"}}}}\n"
        );
        let (_, catalog) = stage.discover(text)?;
        let refused = || DemoError::Configuration("the gateway cannot be called".to_owned());
        let backend = catalog.backends.first().ok_or_else(refused)?;
        let transport = BackendTransport::new(backend, &TransportOptions::default())
            .map_err(|error| DemoError::Configuration(error.to_string()))?;
        let settings =
            Settings { declared: Declared::new("vmcp-demo", env!("CARGO_PKG_VERSION")), limits: Limits::default() };
        Ok(Self { transport, settings: Arc::new(settings), standing: std::cell::OnceCell::new() })
    }

    /// The names of all tools.
    fn tools(&self) -> Result<Vec<String>, CallError> {
        let (answer, _) = self.exchange(Goal::List(List::Tools), 0)?;
        let Answer::Listed(listed) = answer else { return Ok(Vec::new()) };
        let name = |item: &String| serde_json::from_str::<Value>(item).ok()?.get("name")?.as_str().map(str::to_owned);
        Ok(listed.items.iter().filter_map(name).collect())
    }

    fn call(&self, tool: &str, arguments: &str) -> Result<Answered, CallError> {
        let started = std::time::Instant::now();
        let params = format!(r#"{{"name":"{tool}","arguments":{arguments},"_meta":{{"progressToken":"proof"}}}}"#);
        let (answer, events) = self.exchange(Goal::Call(Call::new("tools/call", Some(params))), 1_000)?;
        let text = match &answer {
            Answer::Reply(reply) => {
                match reply.result().and_then(|result| serde_json::from_str::<Value>(result).ok()) {
                    Some(result) => result["content"][0]["text"].as_str().unwrap_or_default().to_owned(),
                    None => reply.text().to_owned(),
                }
            }
            _ => String::new(),
        };
        Ok(Answered { text, events, took: started.elapsed() })
    }

    /// Returns also how many events came before the answer.
    fn exchange(&self, goal: Goal, number: u64) -> Result<(Answer, usize), CallError> {
        let start = self.standing.get().map_or(Start::Unknown, |standing| Start::Standing(Arc::clone(standing)));
        let mut exchange = Exchange::new(goal, start, number, Arc::clone(&self.settings));
        let mut events = 0;
        let answer =
            self.transport.run(&mut exchange, &Patience::of(PATIENCE), &Cancel::new(), |_, said| match said {
                Said::Event(_) => events += 1,
                Said::Learned(standing) => drop(self.standing.set(standing)),
                Said::Primed | Said::Part(_) | Said::Paused => {}
            })?;
        Ok((answer, events))
    }
}
