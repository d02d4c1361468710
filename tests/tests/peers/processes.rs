//! Programs that run beside a test and end with it.
//!
//! Nothing here waits for luck: a program is ready when it says so, and a line that does not come is a failure that
//! shows everything it did say.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use vmcp_tests::program;

/// A loaded machine starts Python slowly; nothing takes this long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running program; it is killed with this value.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    lines: Receiver<String>,
    said: Arc<Mutex<String>>,
}

/// The folder of the servers and clients.
pub(crate) fn peers() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// The Python of the environment in which this line (1 or 2) of the SDK is installed.
pub(crate) fn python(line: u8) -> Command {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!(".peers/mcp{line}/bin/python"));
    assert!(path.exists(), "{} is missing: `make peers` installs it", path.display());
    let mut command = Command::new(path);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Node; the packages are those of `tests/peers`.
pub(crate) fn node() -> Command {
    assert!(peers().join("node_modules").exists(), "npm packages are missing: `make peers` installs them");
    Command::new("node")
}

/// A program of the workspace in `fixtures/rmcp`.
pub(crate) fn rust_peer(name: &str) -> Command {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".peers/rmcp/debug").join(name);
    assert!(path.exists(), "{} is missing: `make peers` builds it", path.display());
    Command::new(path)
}

impl Process {
    /// Starts a program, and listens to both its outputs.
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let (sender, lines) = channel();
        let said = Arc::new(Mutex::new(String::new()));
        let outputs: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for output in outputs {
            let (sender, said) = (sender.clone(), Arc::clone(&said));
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let mut said = said.lock().unwrap();
                    said.push_str(&line);
                    said.push('\n');
                    drop(sender.send(line));
                }
            });
        }
        Self { name: name.to_owned(), child, lines, said }
    }

    /// Starts `vmcp serve` with this configuration on a free port of loopback; of variables it sees only those given. The second
    /// part is where it listens.
    pub(crate) fn serve(config: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (Self, String) {
        let mut command = Command::new(program());
        command.args(["serve", "--host", "127.0.0.1", "--port", "0", "--log-format", "json", "--config"]);
        command.arg(config).args(arguments).env_clear().envs(variables.iter().copied());
        let process = Self::start("vmcp", &mut command);
        let address = process.wait_for("where it listens", |line| {
            let said: Value = serde_json::from_str(line).ok()?;
            (said["msg"] == "listening").then(|| said["address"].as_str().map(str::to_owned))?
        });
        (process, address)
    }

    /// The first thing that `found` makes of a line.
    pub(crate) fn wait_for<T>(&self, what: &str, mut found: impl FnMut(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(value) = found(&line) {
                        return value;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("{} did not say {what}:\n{}", self.name, self.said()),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("{} ended before it said {what}:\n{}", self.name, self.said())
                }
            }
        }
    }

    /// Everything it has said so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Asks it to stop, waits until it has, and gives what it said.
    pub(crate) fn stop(mut self) -> String {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(asked.success(), "{} had ended already:\n{}", self.name, self.said());
        let status = self.child.wait().unwrap();
        // Its outputs are closed now: the readers end, and with them this loop.
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        assert_eq!(status.code(), Some(0), "{} stopped badly:\n{}", self.name, self.said());
        self.said()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
