//! The manual shows what the program prints: every `console` block of README.md and docs/ that begins with `vmcp`,
//! `cat` or `sed` is run in a copy of `tests/data/docs`, and its output compared.
//!
//! It does not compare what differs from run to run: times, dates, ports, digests, days left, the number of system roots,
//! the width of columns. A line `…` stands for any number of lines. `$DEMO` is the folder of a `vmcp demo` that runs
//! meanwhile. A block of `vmcp serve` with a line `^C` is interrupted once it listens. `UPDATE_DOCS=1` writes the output of
//! blocks that differ anew; other kinds of block (`sh`, `yaml`) are not run.

#![cfg(unix)]
use std::cell::OnceCell;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use vmcp_tests::{Scratch, program};

/// Stands for any number of lines.
const ELLIPSIS: &str = "…";
/// Where a block is interrupted.
const INTERRUPT: &str = "^C";

#[test]
fn every_command_in_the_manual_prints_what_is_shown() {
    let stage = Stage::new();
    let mut differences = String::new();
    let mut run = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let mut written = String::new();
        for part in parts(&text) {
            let Part::Block(shown) = part else {
                let Part::Other(line) = part else { unreachable!() };
                written.push_str(line);
                continue;
            };
            let mut last = 0;
            for Shown { command, output } in shown {
                let (printed, code) = stage.run(&command, &output, last);
                last = code;
                run += 1;
                if agree(&output, &printed) {
                    let _ = write!(written, "$ {command}\n{output}");
                } else {
                    let _ = writeln!(
                        differences,
                        "{}: $ {command}\n--- shown\n{output}--- printed\n{printed}",
                        page.display()
                    );
                    let _ = write!(written, "$ {command}\n{}", without_races(&printed));
                }
            }
        }
        if std::env::var_os("UPDATE_DOCS").is_some() && written != text {
            fs::write(&page, written).unwrap();
            differences.clear();
        }
    }
    assert!(differences.is_empty(), "the manual shows something else; UPDATE_DOCS=1 writes it anew\n{differences}");
    assert!(run > 0, "the manual shows no command");
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages: Vec<_> = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.push(root.join("README.md"));
    pages.retain(|page| page.extension().is_some_and(|ending| ending == "md") && page.is_file());
    pages.sort();
    pages
}

/// A command with what is shown below it.
struct Shown {
    command: String,
    output: String,
}

enum Part<'a> {
    /// The inside of a block that is run.
    Block(Vec<Shown>),
    /// A line that stays as it is.
    Other(&'a str),
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        parts.push(Part::Other(line));
        let begins = |line: &&str| ["$ vmcp ", "$ cat ", "$ sed "].iter().any(|open| line.starts_with(open));
        if line.trim_end() != "```console" || !lines.peek().is_some_and(begins) {
            continue;
        }
        let mut shown: Vec<Shown> = Vec::new();
        let mut continues = false;
        while let Some(line) = lines.next_if(|line| !line.starts_with("```")) {
            match (line.strip_prefix("$ "), shown.last_mut()) {
                (Some(command), _) => {
                    shown.push(Shown { command: command.trim_end().to_owned(), output: String::new() });
                }
                (None, Some(last)) if continues => {
                    let _ = write!(last.command, "\n{}", line.trim_end());
                }
                (None, Some(last)) => last.output.push_str(line),
                (None, None) => unreachable!("a block begins with a command"),
            }
            continues = line.trim_end().ends_with('\\');
        }
        parts.push(Part::Block(shown));
    }
    parts
}

/// What happens between an interrupt and the end comes in any order.
fn without_races(printed: &str) -> String {
    match (printed.split_once(&format!("{INTERRUPT}\n")), printed.lines().last()) {
        (Some((before, _)), Some(last)) => format!("{before}{INTERRUPT}\n{ELLIPSIS}\n{last}\n"),
        _ => printed.to_owned(),
    }
}

/// Where commands are run.
struct Stage {
    folder: Scratch,
    demo: OnceCell<Demo>,
}

impl Stage {
    fn new() -> Self {
        let folder = Scratch::new();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/docs"), folder.path());
        Self { folder, demo: OnceCell::new() }
    }

    /// Runs a command line as a shell does after one that ended with `last`; returns what a terminal shows, and its exit
    /// code.
    fn run(&self, line: &str, shown: &str, last: i32) -> (String, i32) {
        let interrupted = shown.lines().any(|line| line == INTERRUPT);
        let script = match interrupted {
            true => format!("exec 2>&1; exec {line}"),
            false => format!("exec 2>&1; (exit {last}); {line}"),
        };
        let beside = program().parent().unwrap().to_owned();
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &script])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", beside.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if line.contains("$DEMO") {
            shell.env("DEMO", &self.demo.get_or_init(Demo::start).folder);
        }
        let mut child = shell.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut printed = String::new();
        if interrupted {
            while !printed.contains("listening") && out.read_line(&mut printed).unwrap() > 0 {}
            signal(&child, "-INT");
            let _ = writeln!(printed, "{INTERRUPT}");
        }
        out.read_to_string(&mut printed).unwrap();
        let code = child.wait().unwrap().code().unwrap_or(-1);
        if !printed.is_empty() && !printed.ends_with('\n') {
            printed.push('\n');
        }
        (printed, code)
    }
}

/// A demonstration that runs.
struct Demo {
    child: Child,
    /// What it wrote the ConfigMap and the bundles to.
    folder: String,
}

impl Demo {
    fn start() -> Self {
        let mut child =
            Command::new(program()).args(["demo", "--port", "0", "--quiet"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let folder = lines.find_map(|line| Some(line.strip_prefix("Ctrl-C stops everything and removes ")?.to_owned()));
        Self { child, folder: folder.expect("the demonstration runs") }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        signal(&self.child, "-TERM");
        drop(self.child.wait());
    }
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// Whether what is shown is what was printed, where `…` stands for any number of lines.
fn agree(shown: &str, printed: &str) -> bool {
    let lines = |text: &str| text.lines().filter(|line| *line != INTERRUPT).map(steady).collect::<Vec<_>>();
    let (shown, printed) = (lines(shown), lines(printed));
    let chunks: Vec<&[String]> = shown.split(|line| line.trim() == ELLIPSIS).collect();
    let [first, middle @ .., last] = chunks.as_slice() else { return shown == printed };
    let Some(mut rest) = printed.strip_prefix(*first).and_then(|rest| rest.strip_suffix(*last)) else { return false };
    for chunk in middle.iter().filter(|chunk| !chunk.is_empty()) {
        let Some(at) = rest.windows(chunk.len()).position(|window| window == *chunk) else { return false };
        rest = &rest[at + chunk.len()..];
    }
    true
}

/// A line without what differs from run to run.
fn steady(line: &str) -> String {
    let line = line.replace(&format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH), "OS/ARCH");
    let mut out = String::new();
    let mut rest = line.as_str();
    while let Some(character) = rest.chars().next() {
        let (length, replacement) =
            variable(&out, rest).unwrap_or((character.len_utf8(), &rest[..character.len_utf8()]));
        // Columns are as wide as what stands in them.
        if replacement != " " || !out.ends_with("  ") {
            out.push_str(replacement);
        }
        rest = &rest[length..];
    }
    out.trim_end().to_owned()
}

/// What stands at the start of `rest` and differs from run to run: its length, and a word in its place.
fn variable(before: &str, rest: &str) -> Option<(usize, &'static str)> {
    let run = |what: fn(char) -> bool| rest.find(|character| !what(character)).unwrap_or(rest.len());
    let hexadecimal = run(|character| character.is_ascii_hexdigit());
    if hexadecimal == 64 || hexadecimal == 32 && before.ends_with("vmcp-demo-") {
        return Some((hexadecimal, "HEX"));
    }
    let number = run(|character| character.is_ascii_digit() || character == '.');
    if number == 0 || before.ends_with(|character: char| character.is_ascii_digit()) {
        return None;
    }
    for shape in ["dddd-dd-ddTdd:dd:dd", "dd:dd:dd"] {
        let fits = |(shape, byte): (u8, u8)| if shape == b'd' { byte.is_ascii_digit() } else { shape == byte };
        if rest.len() >= shape.len() && shape.bytes().zip(rest.bytes()).all(fits) {
            let after = &rest[shape.len()..];
            let fraction =
                after.find(|character: char| !matches!(character, '0'..='9' | '.' | 'Z')).unwrap_or(after.len());
            return Some((shape.len() + fraction, "TIME"));
        }
    }
    let after = &rest[number..];
    let opens = ["localhost:", "127.0.0.1:", "\"milliseconds\": ", "\"daysLeft\": ", "\"systemRoots\": "];
    let closes = [" ms", " day", " system root", " of the system"];
    let varies = opens.iter().any(|open| before.ends_with(open)) || closes.iter().any(|close| after.starts_with(close));
    varies.then_some((number, "N"))
}

#[test]
fn only_what_differs_from_run_to_run_is_left_out() {
    for (line, expected) in [
        ("in 489 ms", "in N ms"),
        ("builds     ok      8.0 ms", "builds  ok  N ms"),
        ("https://localhost:46147/mcp at 127.0.0.1:46147", "https://localhost:N/mcp at 127.0.0.1:N"),
        ("valid 2026-11-24T06:35:16Z to x, 6 days left", "valid TIME to x, N days left"),
        ("{\"time\":\"2026-11-24T07:35:47.901315Z\"}", "{\"time\":\"TIME\"}"),
        ("07:35:49.759 WARN  x", "TIME WARN  x"),
        ("bad.yaml:14:11 1200 × washer M8", "bad.yaml:14:11 1200 × washer M8"),
    ] {
        assert_eq!(steady(line), expected);
    }
    assert!(agree("a\n…\nc\n", "a\nb\nb\nc\n"));
    assert!(agree("a\n…\n", "a\n"));
    assert!(!agree("a\n…\nd\n", "a\nb\nc\n"));
    assert!(!agree("a\n…\nx\n…\nc\n", "a\nb\nc\n"));
    assert!(!agree("in 1 s\n", "in 2 s\n"));
}
