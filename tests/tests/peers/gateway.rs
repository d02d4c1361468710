//! The program under test: a configuration as the operator writes it, and `vmcp serve` reading it.
//!
//! It is only started, stopped and listened to.

use std::fmt::Write as _;

use serde_json::Value;
use vmcp_tests::Scratch;

use super::processes::Process;

/// An entry of `backends`.
pub(crate) struct Backend {
    name: String,
    url: String,
    bundle: Option<String>,
    strategy: Option<String>,
}

impl Backend {
    pub(crate) fn new(name: &str, url: String) -> Self {
        Self { name: name.to_owned(), url, bundle: None, strategy: None }
    }

    /// Gives it a CA bundle of its own.
    pub(crate) fn bundle(mut self, scratch: &Scratch, pem: &str) -> Self {
        let file = format!("ca-bundles/{}.crt", self.name);
        scratch.write(&file, pem);
        self.bundle = Some(scratch.path().join(file).display().to_string());
        self
    }

    /// Gives it this strategy of `outgoingAuth`.
    pub(crate) fn strategy(mut self, strategy: String) -> Self {
        self.strategy = Some(strategy);
        self
    }
}

/// A running `vmcp serve`.
pub(crate) struct Gateway {
    process: Process,
    address: String,
}

/// What it logged.
#[derive(Debug)]
pub(crate) struct Log(String);

impl Gateway {
    /// Starts it with these backends, inside a `ConfigMap`; of variables it sees only those given.
    pub(crate) fn start(
        scratch: &Scratch,
        backends: impl IntoIterator<Item = Backend>,
        variables: &[(&str, &str)],
    ) -> Self {
        Self::guarded(scratch, "{type: anonymous}", backends, variables)
    }

    /// The same with this `incomingAuth`.
    pub(crate) fn guarded(
        scratch: &Scratch,
        incoming: &str,
        backends: impl IntoIterator<Item = Backend>,
        variables: &[(&str, &str)],
    ) -> Self {
        Self::reading(scratch, &config_map(incoming, backends), variables)
    }

    /// Starts it with one backend, whose names are advertised as they are.
    pub(crate) fn bare(scratch: &Scratch, url: &str, transport: &str) -> Self {
        let config = format!(
            "groupRef: team\nname: team\nincomingAuth: {{type: anonymous}}\noutgoingAuth: {{source: inline}}\n\
             aggregation: {{conflictResolution: priority, conflictResolutionConfig: {{priorityOrder: [one]}}}}\n\
             backends: [{{name: one, url: \"{url}\", transport: {transport}, type: entry}}]\n"
        );
        Self::reading(scratch, &config, &[])
    }

    fn reading(scratch: &Scratch, config: &str, variables: &[(&str, &str)]) -> Self {
        scratch.write("configmap.yaml", config);
        let config = scratch.path().join("configmap.yaml");
        let (process, address) = Process::serve(&config, &["--debug"], variables);
        Self { process, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Stops it as a pod is stopped.
    pub(crate) fn stop(self) -> Log {
        Log(self.process.stop())
    }
}

impl Log {
    /// Holds it to not one of these texts, anywhere.
    pub(crate) fn shows_none_of(&self, secrets: &[&str]) {
        for secret in secrets {
            assert!(secret.len() > 8 && !self.0.contains(secret), "{secret} is logged:\n{}", self.0);
        }
    }

    /// Holds it to a line about `backend`, a warning at least, that says all of `words`.
    pub(crate) fn says_of(&self, backend: &str, words: &[&str]) {
        let found = self.troubles(backend).any(|line| {
            let text = line.to_string();
            words.iter().all(|word| text.replace("\\\"", "\"").contains(word))
        });
        assert!(found, "no line about {backend} says {words:?}:\n{}", self.0);
    }

    /// Holds it to no warning and no error about `backend`.
    pub(crate) fn says_nothing_of(&self, backend: &str) {
        assert_eq!(self.troubles(backend).collect::<Vec<_>>(), Vec::<Value>::new());
    }

    fn troubles(&self, backend: &str) -> impl Iterator<Item = Value> {
        let lines = self.0.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(move |line| line["backend"] == backend && (line["level"] == "WARN" || line["level"] == "ERROR"))
    }
}

fn config_map(incoming: &str, backends: impl IntoIterator<Item = Backend>) -> String {
    let backends: Vec<Backend> = backends.into_iter().collect();
    let strategies: Vec<String> = backends
        .iter()
        .filter_map(|Backend { name, strategy, .. }| Some(format!("{name}: {}", strategy.as_ref()?)))
        .collect();
    let strategies = strategies.join(", ");
    let mut text = format!(
        "apiVersion: v1\n\
         kind: ConfigMap\n\
         metadata: {{name: team-vmcp-config, namespace: team}}\n\
         data:\n\
         \x20 config.yaml: |\n\
         \x20   groupRef: team\n\
         \x20   name: team\n\
         \x20   incomingAuth: {incoming}\n\
         \x20   outgoingAuth: {{source: inline, backends: {{{strategies}}}}}\n\
         \x20   aggregation:\n\
         \x20     conflictResolution: prefix\n\
         \x20     conflictResolutionConfig: {{prefixFormat: \"{{workload}}_\"}}\n\
         \x20   backends:\n",
    );
    for Backend { name, url, bundle, .. } in backends {
        writeln!(text, "    - name: {name}\n      url: {url}\n      transport: streamable-http\n      type: entry")
            .unwrap();
        if let Some(path) = bundle {
            writeln!(text, "      caBundlePath: {path}").unwrap();
        }
    }
    text
}
