//! `vmcp preview`: the previewer's page from inside the program, with a file loaded and loaded again when it changes.
//!
//! It listens on loopback only, and answers nobody who does not know the path. Of variables the page learns names, never
//! values. It judges nothing: the page does, with the same core.

mod web;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;
use vmcp_core::discovery::needs;
use vmcp_core::yaml;

use super::input::Input;
use super::judge::{PlaceArgs, World};
use super::{Global, Unjudged, Verdict, note};
use crate::logging::chain;
use web::{Answer, Site};

/// Empty in a program that was built without the page.
const PAGE: &str = include_str!(concat!(env!("OUT_DIR"), "/preview.html"));
const CLOSED: &str = "connect-src 'none'";
const SCHEME: &str = r#"<meta name="color-scheme" content="light dark" />"#;

/// Show in a browser what a configuration means
///
/// Serves the previewer on loopback and opens it, with FILE loaded, and its CA files and the names of set variables beside it; when
/// they change, the page shows it. Nothing else is sent anywhere.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vmcp preview                      an empty page
  vmcp preview -c configmap.yaml    a file, read again when it changes
  vmcp preview -c configmap.yaml --root rootfs --env-file dev.env --no-open

It runs until it is interrupted. Exit code 2: it cannot be served.")]
pub(super) struct PreviewArgs {
    /// The configuration that is shown
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    place: PlaceArgs,
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Only say where the page is
    #[arg(long)]
    no_open: bool,
}

/// What the page asks for again and again.
#[derive(Serialize)]
struct State {
    version: String,
    name: String,
    text: String,
    /// By configured path; each character is a byte.
    files: BTreeMap<String, String>,
    /// Those that are set.
    variables: Vec<String>,
}

/// What the page is told instead while the file cannot be read.
#[derive(Serialize)]
struct Problem {
    version: String,
    problem: String,
}

impl Problem {
    fn of(why: &Unjudged) -> Self {
        let problem = chain(why);
        Self { version: version(&problem), problem }
    }
}

pub(super) fn run(args: &PreviewArgs, global: &Global) -> Result<Verdict, Unjudged> {
    if PAGE.is_empty() {
        let how = "`make preview` builds both (it needs Node), or set VMCP_PREVIEW_PAGE=target/www/vmcp-preview.html for `cargo build`";
        return Err(Unjudged::Usage(format!("this program was built without the page; {how}")));
    }
    let shown = args.config.as_deref();
    if let Some(path) = shown {
        state(path, &args.place)?;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port))
        .map_err(|why| Unjudged::Usage(format!("127.0.0.1:{} cannot be listened on: {why}", args.port)))?;
    let site = Site::new(&listener).map_err(|why| Unjudged::Usage(format!("no address for the page: {why}")))?;
    note(global, &format!("{}  (Ctrl-C ends it)", site.url()));
    let page = page(shown.is_some());
    std::thread::scope(|scope| {
        if !args.no_open {
            scope.spawn(|| browse(&site.url(), global));
        }
        site.serve(&listener, |path, query| match (path, shown) {
            ("", _) => Answer::Page(page.clone()),
            ("state", Some(file)) => {
                let known = query.strip_prefix("since=").unwrap_or_default();
                match state(file, &args.place) {
                    Ok(state) => news(known, &state.version, &state),
                    // The page keeps what it has, and says why.
                    Err(why) => {
                        let problem = Problem::of(&why);
                        news(known, &problem.version, &problem)
                    }
                }
            }
            _ => Answer::NotFound,
        });
    });
    Ok(Verdict::Fine)
}

/// The page; one that shows a file may ask this server for it, and nobody else for anything.
fn page(live: bool) -> String {
    if !live {
        return PAGE.to_owned();
    }
    let open = PAGE.replacen(CLOSED, "connect-src 'self'", 1);
    open.replacen(SCHEME, &format!("{SCHEME}\n<meta name=\"vmcp-state\" content=\"state\" />"), 1)
}

fn state(path: &Path, place: &PlaceArgs) -> Result<State, Unjudged> {
    let input = Input::read(path, "<stdin>")?;
    let judged = vmcp_core::judge::judge(&input.bytes);
    let world = World::new(place.source()?);
    let mut files = BTreeMap::new();
    let mut variables = Vec::new();
    for document in &judged.documents {
        let materials = world.materials(&document.config);
        let wanted = needs(&document.config, &materials.variables);
        variables.extend(
            wanted
                .variables
                .into_iter()
                .map(|need| need.name)
                .filter(|name| materials.variables.get(name).is_some_and(Option::is_some)),
        );
        for (path, bytes) in materials.files {
            if let Ok(bytes) = bytes {
                files.insert(path, bytes.into_iter().map(char::from).collect());
            }
        }
    }
    variables.sort();
    variables.dedup();
    let name = path.display().to_string();
    let text = yaml::decode(&input.bytes).text.into_owned();
    Ok(State { version: version(&(&text, &files, &variables)), name, text, files, variables })
}

fn version(content: &impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn news(known: &str, version: &str, content: &impl Serialize) -> Answer {
    if known == version {
        return Answer::Nothing;
    }
    Answer::Json(serde_json::to_string(content).unwrap_or_default())
}

/// Opens the person's browser, or says why not. It returns when what opens it has ended.
fn browse(url: &str, global: &Global) {
    let (program, arguments): (&str, &[&str]) = match std::env::consts::OS {
        "macos" => ("open", &[]),
        "windows" => ("explorer", &[]),
        _ => ("xdg-open", &[]),
    };
    let status = Command::new(program)
        .args(arguments)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let why = match status {
        // Explorer ends with 1 however it went.
        Ok(status) if status.success() || program == "explorer" => return,
        Ok(status) => format!("`{program}` ended with {status}"),
        Err(why) => format!("`{program}` cannot be run: {why}"),
    };
    note(global, &format!("no browser was opened: {why}; open the address above yourself"));
}
