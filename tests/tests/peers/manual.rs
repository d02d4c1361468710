//! The programs of `docs/clients.md` as a reader would run them: against `vmcp demo`, with the output that is shown.
//!
//! Commands of vmcp itself are tried by `docs_commands.rs`; settings of programs that cannot be run here are not tried.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::inspector::inspector;
use super::processes::{Process, node, peers, python};
use vmcp_tests::program;

/// The address that the page is written for.
const URL: &str = "http://127.0.0.1:4483/mcp";

#[test]
fn every_program_for_clients_prints_what_is_shown() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/clients.md")).unwrap();
    let demo = Process::start("demo", Command::new(program()).args(["demo", "--port", "0"]));
    let url = demo.wait_for("where it serves", |line| Some(line.trim().strip_prefix("vmcp")?.trim().to_owned()));
    demo.wait_for("that it runs", |line| line.starts_with("Ctrl-C").then_some(()));
    let mut differences = String::new();
    let mut run = 0;
    for part in page.split("<!-- run: ").skip(1) {
        let (language, rest) = part.split_once(" -->\n").unwrap();
        let mut blocks = rest.split("```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap().1);
        let (script, shown) = (blocks.next().unwrap().replace(URL, &url), blocks.next().unwrap());
        let printed = output(language, &script);
        run += 1;
        if printed.trim_end() != shown.trim_end() {
            let _ = writeln!(differences, "{script}--- shown\n{shown}--- printed\n{printed}");
        }
    }
    demo.stop();
    assert!(differences.is_empty(), "docs/clients.md shows something else\n{differences}");
    assert!(run > 0, "docs/clients.md shows no program");
}

fn output(language: &str, script: &str) -> String {
    let mut command = match language {
        "python1" => python(1),
        "python2" => python(2),
        "node" => node(),
        "sh" => Command::new("sh"),
        other => panic!("docs/clients.md has a program in {other}"),
    };
    match language {
        "node" => command.args(["--input-type=module", "--eval", script]),
        // What `npx` would fetch is installed.
        "sh" => {
            let inspector = inspector();
            let words = std::iter::once(inspector.get_program()).chain(inspector.get_args());
            let words: Vec<_> = words.map(|word| format!("'{}'", word.display())).collect();
            command.args(["-c", &script.replace("npx @modelcontextprotocol/inspector", &words.join(" "))])
        }
        _ => command.args(["-c", script]),
    };
    let output = command.current_dir(peers()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{script}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}
