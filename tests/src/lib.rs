//! What the tests that cross a crate share: the program under test, and folders that vanish.
//!
//! It holds no test.

pub mod edits;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The program `vmcp` as the same build made it: it stands beside the folder of the test that runs.
///
/// # Panics
/// It was not built.
#[must_use]
pub fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let program = test.ancestors().nth(2).unwrap_or(Path::new("")).join("vmcp");
    assert!(program.is_file(), "{} is missing: `cargo build -p vmcp-native --bin vmcp` makes it", program.display());
    program
}

/// What a run of the program came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs the program to its end in `folder`, with `input` as its standard input and no variables but those given.
///
/// # Panics
/// It cannot be started, or writes what is not UTF-8.
#[must_use]
pub fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Run {
    use std::io::Write;
    let mut child = Command::new(program())
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("it has a standard input");
    let input = input.to_owned();
    // A program that does not read its input closes it, which is no fault.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
    writer.join().expect("its input was written");
    let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
    Run { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// A folder of its own for one test, removed with this value.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// An empty folder.
    ///
    /// # Panics
    /// It cannot be made.
    #[must_use]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vmcp-test-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder can be made");
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, with the folders above it.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(&self.0)).expect("folders can be made");
        std::fs::write(path, text).expect("a file can be written");
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
