//! `docs/options.md` is what `--help` says of every command.
//!
//! It does not judge what that is. `UPDATE_DOCS=1` writes the page anew.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use vmcp_tests::{Scratch, run};

#[test]
fn every_command_is_documented_by_its_help() {
    let help = |arguments: &[&str]| {
        let seen = run(Scratch::new().path(), arguments, &[], "");
        assert_eq!((seen.code, seen.err.as_str()), (Some(0), ""), "{arguments:?}");
        let lines: Vec<&str> = seen.out.lines().map(str::trim_end).collect();
        lines.join("\n")
    };
    let overview = help(&["--help"]);
    let mut page = format!(
        "# Options

What `--help` says, written by the program (`UPDATE_DOCS=1 cargo test -p vmcp-tests --test program`).

## vmcp

```text
{overview}
```
"
    );
    let commands = overview.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> = commands.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next()).collect();
    assert!(names.contains(&"validate") && names.contains(&"demo"), "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        writeln!(page, "\n## vmcp {name}\n\n```text\n{}\n```", help(&[name, "--help"])).unwrap();
    }
    compare("options.md", &page);
}

fn compare(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, page).unwrap();
    } else {
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(written == page, "docs/{name} is not what the program says; UPDATE_DOCS=1 writes it");
    }
}
