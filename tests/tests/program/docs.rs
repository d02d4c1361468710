//! The manual keeps up with the code: `docs/diagnostics.md` is the table of codes, `docs/configuration.md` holds the tables of
//! keys, and links between documents lead somewhere.
//!
//! It does not judge prose. `UPDATE_DOCS=1` writes what is generated anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use vmcp_core::config::{Consequence, Key, Table, Type, keys, not_acted_on};
use vmcp_core::diagnostic::ALL;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The page as it must be.
fn diagnostics() -> String {
    let mut page = String::from(
        "# Findings\n\nEvery finding has a code, which never changes its meaning. `vmcp explain CODE` prints the same text as this page.\n\n\
         An **error** refuses what it points at: a backend with an error in its own entry, strategy or materials is rejected by name, any other \
         error stops `serve`. A **warning** is served, but surely not meant. A **note** says how something was understood.\n\n\
         | code | severity | what |\n|---|---|---|\n",
    );
    for code in ALL {
        let _ = writeln!(
            page,
            "| [`{}`](#{}) | {} | {} |",
            code.id(),
            code.id().replace('/', ""),
            code.severity().word(),
            code.summary()
        );
    }
    for code in ALL {
        let _ = write!(
            page,
            "\n### {}\n\n{}: {}.\n\n{}\n",
            code.id(),
            code.severity().word(),
            code.summary(),
            code.explanation()
        );
    }
    page
}

#[test]
fn every_code_is_in_the_manual() {
    let path = root().join("docs/diagnostics.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, diagnostics()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == diagnostics(), "docs/diagnostics.md is not the table of codes; UPDATE_DOCS=1 writes it anew");
}

#[test]
fn every_key_is_in_the_manual() {
    between("configuration.md", "keys", &key_tables());
    between("configuration.md", "not acted on", &what_is_not_acted_on());
}

/// Every strategy that the page shows is one that can be served.
#[test]
fn the_examples_of_strategies_are_valid() {
    let page = std::fs::read_to_string(root().join("docs/authentication.md")).unwrap();
    let examples: Vec<_> = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("```\n")).collect();
    assert!(examples.len() >= 7);
    let folder = vmcp_tests::Scratch::new();
    std::fs::create_dir_all(folder.path().join("ca")).unwrap();
    let authority = root().join("tests/data/certificates/ca.pem");
    std::fs::copy(&authority, folder.path().join("ca/idp.pem")).unwrap();
    let secrets = ["B_API_KEY", "B_CLIENT_SECRET", "B_IDP_SECRET", "B_TARGET_SECRET", "B_ENTRA_SECRET"];
    let environment: String = secrets.iter().map(|name| format!("{name}=s3cr3t\n")).collect();
    std::fs::write(folder.path().join("env"), environment).unwrap();
    for (example, _) in examples {
        let text = format!(
            "name: demo\ngroupRef: demo\nincomingAuth: {{type: anonymous}}\nbackends:\n- {{name: b, url: \"https://b.example/mcp\", \
             transport: streamable-http}}\naggregation: {{conflictResolution: prefix, conflictResolutionConfig: \
             {{prefixFormat: \"{{workload}}_\"}}}}\n{example}"
        );
        let arguments = ["validate", "-", "--materials", "--root", ".", "--env-file", "env"];
        let variables = [("SSL_CERT_FILE", authority.to_str().unwrap())];
        let judged = vmcp_tests::run(folder.path(), &arguments, &variables, &text);
        assert_eq!(judged.code, Some(0), "{}{}\n{example}", judged.out, judged.err);
    }
}

/// The example for embedders is the one that the compiler reads.
#[test]
fn the_example_for_embedders_is_compiled() {
    let library = std::fs::read_to_string(root().join("native/src/lib.rs")).unwrap();
    let lines =
        library.lines().map_while(|line| line.strip_prefix("//!")).map(|line| line.strip_prefix(' ').unwrap_or(line));
    let mut example =
        lines.skip_while(|line| *line != "```no_run").skip(1).take_while(|line| *line != "```").peekable();
    assert!(example.peek().is_some(), "native/src/lib.rs has no example");
    let example: Vec<_> = example.collect();
    between("embedding.md", "example", &format!("\n```rust\n{}\n```\n\n", example.join("\n")));
}

/// Compares the part of a page that stands between two marks.
fn between(page: &str, mark: &str, expected: &str) {
    let path = root().join("docs").join(page);
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    let (begin, end) = (format!("<!-- generated: {mark} -->\n"), format!("<!-- end: {mark} -->\n"));
    let (before, rest) = page.split_once(&begin).unwrap();
    let (written, after) = rest.split_once(&end).unwrap();
    if written != expected && std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{begin}{expected}{end}{after}")).unwrap();
        return;
    }
    assert!(written == expected, "{}: «{mark}» is not what the code has; UPDATE_DOCS=1 writes it anew", path.display());
}

/// Each table of the model once, under the first path that leads to it.
fn key_tables() -> String {
    let mut found: Vec<(&'static Table, Vec<String>)> = Vec::new();
    walk(keys(), "", &mut found);
    let mut out = String::new();
    for (table, paths) in &found {
        let _ = write!(out, "\n### {}\n\n{}", title(paths.first().map_or("", String::as_str)), plain(table.doc));
        if let [_, others @ ..] = paths.as_slice()
            && !others.is_empty()
        {
            let others: Vec<_> = others.iter().map(|path| format!("`{path}`")).collect();
            let _ = write!(out, " Also at {}.", others.join(", "));
        }
        out.push_str("\n\n| key | type | default | meaning |\n|---|---|---|---|\n");
        for key in table.keys {
            let default = match key.default {
                Some(default) => format!("`{default}`"),
                None if key.required => "required".to_owned(),
                None => String::new(),
            };
            let meaning = plain(key.doc).replace('|', "\\|");
            let _ = writeln!(out, "| `{}` | {} | {default} | {meaning} |", key.name, kind_of(key, &found));
        }
    }
    out.push('\n');
    out
}

fn walk(table: &'static Table, path: &str, found: &mut Vec<(&'static Table, Vec<String>)>) {
    if let Some((_, paths)) = found.iter_mut().find(|(known, _)| known.name == table.name) {
        paths.push(path.to_owned());
        return;
    }
    found.push((table, vec![path.to_owned()]));
    for key in table.keys {
        let mut path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        let mut ty = (key.ty)();
        loop {
            match ty {
                Type::List(item) => (path, ty) = (path + "[]", item()),
                Type::Map(item) => (path, ty) = (path + ".<name>", item()),
                Type::Struct(inner) => {
                    walk(inner(), &path, found);
                    break;
                }
                _ => break,
            }
        }
    }
}

fn kind_of(key: &Key, found: &[(&'static Table, Vec<String>)]) -> String {
    match key.values {
        [] => kind((key.ty)(), found),
        values => values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", "),
    }
}

fn kind(ty: Type, found: &[(&'static Table, Vec<String>)]) -> String {
    match ty {
        Type::Text => "text".to_owned(),
        Type::Secret => "text, never shown".to_owned(),
        Type::Bool => "`true`, `false`".to_owned(),
        Type::Integer { min, .. } if min == i64::from(i32::MIN) => "whole number, 32 bits".to_owned(),
        Type::Integer { .. } => "whole number".to_owned(),
        Type::Duration => "duration".to_owned(),
        Type::Any => "anything".to_owned(),
        Type::AnyMap => "map".to_owned(),
        Type::List(item) => format!("list: {}", kind(item(), found)),
        Type::Map(item) => format!("map by name: {}", kind(item(), found)),
        Type::Struct(table) => {
            let path = found.iter().find(|(known, _)| known.name == table().name).and_then(|(_, paths)| paths.first());
            let path = path.map_or("", String::as_str);
            format!("[map](#{})", anchor_of(&title(path)))
        }
    }
}

fn title(path: &str) -> String {
    if path.is_empty() { "The top".to_owned() } else { format!("`{path}`") }
}

/// As GitHub makes it of a heading.
fn anchor_of(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || *c == '-' || *c == '_' || *c == ' ';
    heading.to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn plain(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn what_is_not_acted_on() -> String {
    let mut out = "\n| key | meanwhile | `serve` |\n|---|---|---|\n".to_owned();
    for (key, meaning, consequence) in not_acted_on() {
        let serve = match consequence {
            Consequence::Missing => "warns".to_owned(),
            Consequence::LessRestricted | Consequence::NoRecord => {
                format!("stops, unless `--allow-unenforced={key}` is given")
            }
        };
        let _ = writeln!(out, "| `{key}` | {meaning} | {serve} |");
    }
    out.push('\n');
    out
}

/// The texts of errors in `docs/trust.md`, `…` standing for what they quote, are those of the code that makes them.
#[test]
fn every_error_in_the_page_on_trust_is_one() {
    let page = std::fs::read_to_string(root().join("docs/trust.md")).unwrap();
    let code = std::fs::read_to_string(root().join("core/src/trust/outcome.rs")).unwrap().replace("\\\"", "\"");
    let rows = page.lines().skip_while(|line| !line.starts_with("| the error says")).skip(2);
    let texts: Vec<_> =
        rows.map_while(|row| row.strip_prefix("| `")?.split_once("` |")).map(|(text, _)| text).collect();
    assert!(texts.len() > 10);
    for piece in texts
        .iter()
        .flat_map(|text| text.split('…'))
        .map(|piece| piece.trim_matches([' ', '"', ',', '(', ')']))
        .filter(|piece| piece.len() > 3)
    {
        assert!(code.contains(piece), "no error of trust says «{piece}»");
    }
}

/// The lines of the log in `docs/kubernetes.md`, up to what they quote, are those of the code that writes them.
#[test]
fn every_line_of_the_log_in_the_manual_is_one() {
    fn sources(folder: &Path, out: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => sources(&entry.path(), out),
                false => out.push_str(&std::fs::read_to_string(entry.path()).unwrap()),
            }
        }
    }
    let mut code = String::new();
    sources(&root().join("native/src"), &mut code);
    let page = std::fs::read_to_string(root().join("docs/kubernetes.md")).unwrap();
    let rows = page.lines().skip_while(|line| !line.starts_with("| log line")).skip(2);
    let lines: Vec<_> = rows.map_while(|row| row.strip_prefix("| `")?.split_once('`')).map(|(line, _)| line).collect();
    assert!(lines.len() > 3);
    for line in lines {
        assert!(code.contains(&format!("\"{}", line.trim_end_matches([' ', '…']))), "nothing logs «{line}»");
    }
}

/// The tables of options say as much as `--help` does.
#[test]
fn every_variable_and_option_of_serve_is_in_the_guide() {
    let [guide, help] =
        ["commands.md", "options.md"].map(|page| std::fs::read_to_string(root().join("docs").join(page)).unwrap());
    let serve = |page: &str| page.split("## vmcp serve").nth(1).unwrap().split("\n## ").next().unwrap().to_owned();
    let (guide, help) = (serve(&guide), serve(&help));
    let common = ["--color", "--quiet", "--help"];
    let words = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    let named: Vec<_> =
        words.filter(|word| word.starts_with("VMCP_") || word.starts_with("--") && word.len() > 3).collect();
    assert!(named.len() > 10);
    for word in named.iter().filter(|word| !common.contains(word)) {
        assert!(guide.contains(word), "docs/commands.md says nothing of `{word}`");
    }
}

/// Each example of the page about callers is a sound `incomingAuth`.
#[test]
fn the_examples_of_who_may_come_in_are_configurations() {
    let page = std::fs::read_to_string(root().join("docs/identity.md")).unwrap();
    let examples: Vec<_> =
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("```").map(|(example, _)| example)).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        let text = format!(
            "name: a\ngroupRef: g\noutgoingAuth: {{source: inline}}\n\
             aggregation: {{conflictResolution: prefix, conflictResolutionConfig: {{prefixFormat: \"{{workload}}_\"}}}}\n\
             backends: [{{name: a, url: \"https://a.example/mcp\", transport: streamable-http}}]\n{example}"
        );
        let vmcp_tests::Run { code, out, err } =
            vmcp_tests::run(&root(), &["validate", "-", "--color", "never"], &[], &text);
        let is_sound = code == Some(0) && out.starts_with("<stdin>: valid\n");
        assert!(is_sound, "{example}\n{out}{err}");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md"].iter().map(|name| root().join(name)).collect();
    documents.extend(std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    let mut dead = Vec::new();
    for document in documents.iter().filter(|path| path.extension().is_some_and(|ending| ending == "md")) {
        let text = std::fs::read_to_string(document).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let own = document.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let file =
                Some(target.split('#').next().unwrap_or_default()).filter(|file| !file.is_empty()).unwrap_or(own);
            let file = document.parent().unwrap_or(Path::new("")).join(file);
            let heading = target.split_once('#').filter(|_| file.extension().is_some_and(|ending| ending == "md"));
            let leads = match heading {
                Some((_, anchor)) => std::fs::read_to_string(&file).is_ok_and(|text| has_heading(&text, anchor)),
                None => file.exists(),
            };
            if !leads {
                dead.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

fn has_heading(page: &str, anchor: &str) -> bool {
    let headings = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    headings.map(anchor_of).any(|known| known == anchor)
}

/// Every command of the program has its place in the manual.
#[test]
fn every_command_is_in_the_manual() {
    let page = std::fs::read_to_string(root().join("docs/commands.md")).unwrap();
    let help = std::fs::read_to_string(root().join("docs/options.md")).unwrap();
    let commands: Vec<_> = help.lines().filter_map(|line| line.strip_prefix("## vmcp ")).collect();
    assert!(commands.len() >= 7, "{commands:?}");
    for command in commands {
        assert!(page.contains(&format!("## vmcp {command}")), "docs/commands.md says nothing of `vmcp {command}`");
    }
}
