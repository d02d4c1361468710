//! What servers of the official SDKs say, asked directly and through the gateway: member by member the same.
//!
//! What belongs to a hop (who serves, how long a result may be kept) is left out of the comparison; that is tried in the
//! transcripts.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use vmcp_core::config;
use vmcp_core::discovery::{discover, needs};
use vmcp_core::mcp::Era;
use vmcp_core::mcp::client::{Answer, Call, Declared, Exchange, Goal, Limits, List, Reply, Settings, Standing, Start};
use vmcp_core::mcp::jsonrpc::Outcome;
use vmcp_core::trust::UnixTime;
use vmcp_native::materials::{Source, gather};
use vmcp_native::roots::system_roots;
use vmcp_native::transport::{BackendTransport, Cancel, Patience, Said, TransportOptions};

/// A client of one server, or of the gateway.
pub(crate) struct End {
    transport: BackendTransport,
    standing: Option<Arc<Standing>>,
    first: Era,
    settings: Arc<Settings>,
    exchanges: u64,
}

impl End {
    /// One that speaks the revisions of this era; `bundle` is a file.
    pub(crate) fn new(url: &str, bundle: Option<&str>, first: Era) -> Self {
        Self {
            transport: transport(url, bundle, "streamable-http"),
            standing: None,
            first,
            settings: Arc::new(Settings { declared: Declared::new("test", "1"), limits: Limits::default() }),
            exchanges: 0,
        }
    }

    fn run(&mut self, goal: Goal) -> Answer {
        self.exchanges += 1;
        let start = match &self.standing {
            Some(standing) => Start::Standing(Arc::clone(standing)),
            None if self.first == Era::Legacy => Start::Remembered(Era::Legacy),
            None => Start::Unknown,
        };
        let mut exchange = Exchange::new(goal, start, self.exchanges, Arc::clone(&self.settings));
        let standing = &mut self.standing;
        let answer =
            self.transport.run(&mut exchange, &Patience::of(Duration::from_secs(60)), &Cancel::new(), |_, said| {
                if let Said::Learned(learned) = said {
                    *standing = Some(learned);
                }
            });
        answer.unwrap_or_else(|error| panic!("{error}"))
    }

    fn list(&mut self, kind: List) -> Vec<Value> {
        let Answer::Listed(listed) = self.run(Goal::List(kind)) else { panic!("no list") };
        // By their text, so that a number that is spelt otherwise is seen.
        let mut items: Vec<Value> = listed.items.iter().map(|item| serde_json::from_str(item).unwrap()).collect();
        items.sort_by_key(|item| item.get("uri").or(item.get("uriTemplate")).or(item.get("name")).unwrap().to_string());
        items
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let Answer::Reply(reply) = self.run(Goal::Call(Call::new(method, Some(params.to_string())))) else {
            panic!("no reply")
        };
        said(&reply)
    }

    /// The revision that is spoken.
    pub(crate) fn era(&mut self) -> Era {
        let Answer::Opened(standing) = self.run(Goal::Open) else { panic!("not opened") };
        standing.era()
    }
}

/// The way to a server over this transport; `bundle` is a file.
pub(crate) fn transport(url: &str, bundle: Option<&str>, transport: &str) -> BackendTransport {
    let bundle = bundle.map(|path| format!(", caBundlePath: {path}")).unwrap_or_default();
    let text = format!(
        "name: t\ngroupRef: g\nincomingAuth: {{type: anonymous}}\noutgoingAuth: {{source: inline}}\n\
             aggregation: {{conflictResolution: prefix, conflictResolutionConfig: {{prefixFormat: x}}}}\n\
             backends: [{{name: b, url: '{url}', transport: {transport}, type: entry{bundle}}}]\n"
    );
    let input = config::input::read(text.as_bytes());
    let document = &input.configs[0];
    let source = Source::this_machine();
    let roots = system_roots(&source).0.into();
    let materials = gather(|known| needs(&document.config, &known.variables), &source, roots, UnixTime::now());
    let catalog = discover(&document.config, &document.diagnostics, &materials);
    let [backend] = &catalog.backends[..] else { panic!("{:?}", catalog.rejected) };
    // A server that closes what is idle may do so while the next request is on its way.
    let options = TransportOptions { idle_connections: 0, ..TransportOptions::default() };
    BackendTransport::new(backend, &options).unwrap()
}

/// A result or an error, less what belongs to the hop.
fn said(reply: &Reply) -> Value {
    match reply.outcome() {
        Outcome::Error(error) => json!({"error": serde_json::from_str::<Value>(error).unwrap()}),
        Outcome::Result(result) => {
            let mut result: Value = serde_json::from_str(result).unwrap();
            let members = result.as_object_mut().unwrap();
            for hop in ["ttlMs", "cacheScope", "resultType"] {
                members.remove(hop);
            }
            let meta = members.get_mut("_meta").and_then(Value::as_object_mut);
            if meta.is_some_and(|meta| meta.remove("io.modelcontextprotocol/serverInfo").is_some() && meta.is_empty()) {
                members.remove("_meta");
            }
            result
        }
    }
}

/// Asks for everything that the server lists, and for what it does not have. `prefix` is what the gateway puts before names.
/// Returns how many answers were compared.
pub(crate) fn compare(direct: &mut End, through: &mut End, prefix: &str, calls: &[(&str, Value)]) -> usize {
    let mut compared = 0;
    let mut same = |what: &str, direct: Value, through: Value| {
        assert_eq!(through, direct, "{what}");
        compared += 1;
    };
    let bare = |mut items: Vec<Value>| {
        for item in &mut items {
            let name = item["name"].as_str().unwrap().strip_prefix(prefix).unwrap().to_owned();
            item["name"] = name.into();
        }
        Value::from(items)
    };
    let lists = List::ALL.map(|kind| direct.list(kind));
    for (kind, list) in List::ALL.into_iter().zip(&lists) {
        let there = through.list(kind);
        let there = if matches!(kind, List::Tools | List::Prompts) { bare(there) } else { Value::from(there) };
        same(kind.method(), Value::from(list.clone()), there);
    }
    let [_, resources, templates, prompts] = &lists;
    for resource in resources {
        let params = json!({"uri": resource["uri"]});
        same(&params.to_string(), direct.ask("resources/read", params.clone()), through.ask("resources/read", params));
    }
    if !resources.is_empty() {
        let nothing = json!({"uri": "nowhere://at/all"});
        same("unknown", direct.ask("resources/read", nothing.clone()), through.ask("resources/read", nothing));
    }
    for prompt in prompts {
        let name = prompt["name"].as_str().unwrap();
        let named = prompt["arguments"].as_array().into_iter().flatten();
        let arguments: serde_json::Map<_, _> =
            named.clone().map(|argument| (argument["name"].as_str().unwrap().to_owned(), "1".into())).collect();
        for arguments in [json!({}), Value::from(arguments)] {
            let params = |name: String| json!({"name": name, "arguments": arguments});
            same(
                name,
                direct.ask("prompts/get", params(name.to_owned())),
                through.ask("prompts/get", params(format!("{prefix}{name}"))),
            );
        }
        for argument in named {
            let params = |name: String| json!({"ref": {"type": "ref/prompt", "name": name}, "argument": {"name": argument["name"], "value": ""}});
            same(
                name,
                direct.ask("completion/complete", params(name.to_owned())),
                through.ask("completion/complete", params(format!("{prefix}{name}"))),
            );
        }
    }
    for template in templates {
        let params = json!({"ref": {"type": "ref/resource", "uri": template["uriTemplate"]}, "argument": {"name": "resourceId", "value": "1"}});
        same(
            &params.to_string(),
            direct.ask("completion/complete", params.clone()),
            through.ask("completion/complete", params),
        );
    }
    for (name, arguments) in calls {
        let params = |name: String| json!({"name": name, "arguments": arguments});
        same(
            name,
            direct.ask("tools/call", params((*name).to_owned())),
            through.ask("tools/call", params(format!("{prefix}{name}"))),
        );
    }
    compared
}
