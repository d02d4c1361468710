//! What stands between callers and the backend: a gateway, or nginx, each a process of its own.
//!
//! It calls nothing but to see whether they serve.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::{Caller, Speaks};

/// A hop that serves, until dropped.
pub(crate) struct Hop {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Hop {
    /// Starts a gateway, and waits until it lists the backends' tools.
    pub(crate) fn gateway(program: &Path, folder: &Path, config: &str) -> Result<Self, String> {
        let file = folder.join("config.yaml");
        std::fs::write(&file, config).map_err(|error| error.to_string())?;
        let address = free()?;
        let mut command = Command::new(program);
        command.args(["serve", "--host", "127.0.0.1", "--port", &address.port().to_string(), "--config"]).arg(&file);
        let hop = Self::start(&mut command, address)?;
        hop.until_it_serves(config.matches("name: bench-").count())
    }

    /// Starts nginx: one process, connections to the backend kept, nothing buffered.
    pub(crate) fn nginx(program: &Path, folder: &Path, backend: SocketAddr) -> Result<Self, String> {
        let address = free()?;
        let at = folder.display();
        let config = format!(
            "daemon off;\nmaster_process off;\npid {at}/nginx.pid;\nerror_log stderr crit;\nevents {{ worker_connections 4096; }}\nhttp {{\n\
             access_log off;\nclient_body_temp_path {at}/b;\nproxy_temp_path {at}/p;\nfastcgi_temp_path {at}/f;\nuwsgi_temp_path {at}/u;\n\
             scgi_temp_path {at}/s;\nkeepalive_requests 100000000;\nupstream backend {{ server {backend}; keepalive 128; keepalive_requests 100000000; }}\n\
             server {{ listen {address}; location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection \"\"; \
             proxy_buffering off; }} }}\n}}\n"
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, config).map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.arg("-p").arg(folder).arg("-c").arg(&file);
        Self::start(&mut command, address)?.until_it_serves(1)
    }

    fn start(command: &mut Command, address: SocketAddr) -> Result<Self, String> {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = quiet.spawn().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        Ok(Self { child, address })
    }

    fn until_it_serves(mut self, expected: usize) -> Result<Self, String> {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let lists = Caller::open(self.address, Speaks::Legacy).and_then(|mut caller| caller.list());
            let tools = lists.map_or(0, |list| list.matches("json_1k").count());
            if tools >= expected {
                return Ok(self);
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("a hop ended with {status} instead of serving"));
            }
            if Instant::now() > end {
                return Err(format!("a hop lists {tools} of {expected} backends after a minute"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Hop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free() -> Result<SocketAddr, String> {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(|error| error.to_string())
}

/// The release build of `vmcp`: `VMCP` in the environment, or what stands beside this program.
pub(crate) fn program() -> Result<PathBuf, String> {
    if let Some(other) = std::env::var_os("VMCP") {
        return Ok(other.into());
    }
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = own.with_file_name("vmcp");
    if program.is_file() { Ok(program) } else { Err(format!("{} is missing; build it first", program.display())) }
}

/// nginx: `NGINX` in the environment, or where it is installed.
pub(crate) fn nginx() -> Option<PathBuf> {
    let named = std::env::var_os("NGINX").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).map(|folder| folder.join("nginx"));
    let usual = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].map(PathBuf::from);
    named.into_iter().chain(installed).chain(usual).find(|program| program.is_file())
}

/// A configuration with so many backends, all the same one.
pub(crate) fn config(backend: SocketAddr, backends: usize) -> String {
    let mut text = String::from("name: bench\ngroupRef: bench\nbackends:\n");
    for n in 0..backends {
        let _ = writeln!(text, "- {{name: bench-{n}, url: 'http://{backend}/mcp', transport: streamable-http}}");
    }
    text + "incomingAuth: {type: anonymous}\noutgoingAuth: {source: inline}\naggregation: {conflictResolution: prefix, conflictResolutionConfig: {prefixFormat: '{workload}_'}}\n"
}
