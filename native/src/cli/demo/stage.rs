//! The stage of the demonstration: servers that run, and a folder that holds what the operator would mount.
//!
//! It serves nothing to clients and calls nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tokio::runtime::Runtime;
use vmcp_core::config::Config;
use vmcp_core::discovery::Catalog;
use vmcp_core::secret::Secret;

use super::super::input::Input;
use super::super::judge::{World, judge};
use super::DemoError;
use crate::demo::authority::Authority;
use crate::demo::server::{DemoServer, random_hex};
use crate::demo::{BUILDS, INVENTORY};
use crate::materials::Source;
use crate::render::human::Paint;

/// The variable from which the operator would give the API key of `inventory`.
const KEY: &str = "TOOLHIVE_HEADER_INJECTION_VALUE_INVENTORY_KEY";

/// Everything that stands while the demonstration runs.
pub(super) struct Stage {
    folder: Folder,
    key: String,
    inventory: DemoServer,
    builds: DemoServer,
    /// Carries both servers; ends them when it goes.
    _runtime: Runtime,
}

/// Whose CA bundle a backend is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bundles {
    /// Its own.
    Own,
    /// The other server's.
    Swapped,
}

impl Stage {
    /// Mints, starts and writes everything.
    pub(super) fn set() -> Result<Self, DemoError> {
        let inventory_ca = Authority::new("Inventory Private CA")?;
        let builds_ca = Authority::new("Builds Private CA")?;
        let names = ["localhost", "127.0.0.1"];
        let (inventory_tls, builds_tls) = (inventory_ca.server_config(&names)?, builds_ca.server_config(&names)?);
        let key = random_hex().ok_or(DemoError::Random)?;
        let io = |what| move |source| DemoError::Io { what, source };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("vmcp-demo")
            .enable_all()
            .build()
            .map_err(io("the servers of the demonstration have no threads"))?;
        let (inventory, builds) = runtime
            .block_on(async {
                let inventory = DemoServer::start(INVENTORY, inventory_tls, Some(key.clone())).await?;
                Ok((inventory, DemoServer::start(BUILDS, builds_tls, None).await?))
            })
            .map_err(io("the servers of the demonstration cannot listen"))?;
        let folder = Folder::new()?;
        for (name, authority) in [(INVENTORY.name, &inventory_ca), (BUILDS.name, &builds_ca)] {
            folder.write(&bundle_path(name)[1..], authority.pem())?;
        }
        let stage = Self { folder, key, inventory, builds, _runtime: runtime };
        stage.folder.write("configmap.yaml", &stage.config_map(Bundles::Own))?;
        stage.folder.write("pod.env", &format!("{KEY}={}\n", stage.key))?;
        Ok(stage)
    }

    /// What may be called, from the ConfigMap as it was written.
    pub(super) fn catalog(&self) -> Result<(Config, Catalog), DemoError> {
        self.discover(self.config_map(Bundles::Own))
    }

    /// The same with each backend given the other's CA bundle.
    pub(super) fn swapped_catalog(&self) -> Result<Catalog, DemoError> {
        Ok(self.discover(self.config_map(Bundles::Swapped))?.1)
    }

    /// Reads a configuration the way `serve` does, with the folder in place of `/`.
    pub(super) fn discover(&self, text: String) -> Result<(Config, Catalog), DemoError> {
        let variables = BTreeMap::from([(KEY.to_owned(), Secret::new(self.key.as_str()))]);
        let world = World::new(Source::this_machine().with_root(&self.folder.path).with_variables(variables));
        let input = Input { name: "configmap.yaml".to_owned(), bytes: text.into_bytes() };
        let (judged, single) = judge(input, Some(&world)).into_single();
        match single {
            Some((config, catalog)) if judged.valid() && catalog.rejected.is_empty() => Ok((config, catalog)),
            _ => {
                let first = judged.diagnostics.first().map(|finding| finding.message.clone());
                Err(DemoError::Configuration(first.unwrap_or_default()))
            }
        }
    }

    /// The ConfigMap in the shape that the operator writes.
    fn config_map(&self, bundles: Bundles) -> String {
        let entry = |name: &str, server: &DemoServer, other: &str| {
            let url = format!("https://localhost:{}/mcp", server.address.port());
            let bundle = bundle_path(if bundles == Bundles::Own { name } else { other });
            format!(
                "        - name: {name}
          url: {url}
          transport: streamable-http
          caBundlePath: {bundle}
          metadata:
            group: demo-group
            namespace: default
            remote_url: {url}
            tool_type: mcp
            workload_status: Ready
            workload_type: server_entry
"
            )
        };
        let inventory = entry(INVENTORY.name, &self.inventory, BUILDS.name);
        let builds = entry(BUILDS.name, &self.builds, INVENTORY.name);
        format!(
            "apiVersion: v1
kind: ConfigMap
metadata:
  name: demo-vmcp-config
  namespace: default
  labels:
    toolhive.stacklok.io/component: vmcp-config
    toolhive.stacklok.io/managed-by: toolhive-operator
    toolhive.stacklok.io/virtual-mcp-server: demo
data:
  config.yaml: |
    name: demo
    groupRef: demo-group
    backends:
{builds}{inventory}    incomingAuth:
        type: anonymous
    outgoingAuth:
        source: inline
        backends:
            {}:
                type: header_injection
                headerInjection:
                    headerName: X-Api-Key
                    headerValueEnv: {KEY}
    aggregation:
        conflictResolution: prefix
        conflictResolutionConfig:
            prefixFormat: '{{workload}}_'
",
            INVENTORY.name
        )
    }

    /// What stands, before anything is proven.
    pub(super) fn describe(&self, url: &str, paint: Paint) -> String {
        let line = |name: &str, server: &DemoServer, what: &str| {
            format!(
                "  {}  https://localhost:{}/mcp  {what}\n",
                paint.strong(&format!("{name:9}")),
                server.address.port()
            )
        };
        format!(
            "Two MCP servers, each behind a private CA that nothing else on this machine trusts:\n{}{}\
             One gateway before both:\n  {}  {url}\n\n",
            line(INVENTORY.name, &self.inventory, "answers at once, wants an API key"),
            line(BUILDS.name, &self.builds, "streams its answers"),
            paint.strong(&format!("{:9}", "vmcp")),
        )
    }

    /// What a person can do while it runs.
    pub(super) fn invite(&self, url: &str, paint: Paint) -> String {
        let folder = self.folder.path.display();
        let config = format!("-c {folder}/configmap.yaml --root {folder} --env-file {folder}/pod.env");
        let client = format!(r#"{{"mcpServers": {{"vmcp-demo": {{"type": "http", "url": "{url}"}}}}}}"#);
        format!(
            "Paste into an MCP client:\n  {}\nor try one:\n  npx @modelcontextprotocol/inspector --cli {url} --transport http --method tools/list\n\n\
             Look at what the operator would have written, and at what vmcp makes of it:\n  cat {folder}/configmap.yaml\n  \
             vmcp inspect {config}\n  vmcp check {config}\n\n\
             Ctrl-C stops everything and removes {folder}\n",
            paint.strong(&client),
        )
    }
}

/// Where the operator mounts the CA bundle of an entry.
fn bundle_path(entry: &str) -> String {
    format!("/etc/toolhive/ca-bundles/{entry}/ca.crt")
}

/// A folder of this user alone, removed with this value.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> Result<Self, DemoError> {
        let path = std::env::temp_dir().join(format!("vmcp-demo-{}", random_hex().ok_or(DemoError::Random)?));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(|source| DemoError::Io { what: "there is no temporary folder", source })?;
        Ok(Self { path })
    }

    fn write(&self, name: &str, text: &str) -> Result<(), DemoError> {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("")))
            .and_then(|()| fs::write(&path, text))
            .map_err(|source| DemoError::Io { what: "a file of the demonstration cannot be written", source })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It is in the temporary folder: what cannot be removed now, the system removes one day.
        drop(fs::remove_dir_all(&self.path));
    }
}
