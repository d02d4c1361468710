//! Materials: what the core asks for by value, read from files and variables of this machine or of a directory that
//! stands for a pod's file system.
//!
//! It does not judge what it reads: a bundle is bytes here, and a missing variable is an answer, not an error.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use vmcp_core::config::limits;
use vmcp_core::discovery::{FileProblem, Materials, Needs};
use vmcp_core::secret::Secret;
use vmcp_core::trust::{SystemRoots, UnixTime};

/// Where materials come from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    root: Option<PathBuf>,
    variables: Variables,
}

/// Where variables come from.
#[derive(Clone, Debug, Default)]
enum Variables {
    /// The environment of this process.
    #[default]
    Process,
    /// A file that stands for a pod's environment; nothing of this process shines through.
    Given(BTreeMap<String, Secret>),
}

impl Source {
    /// This machine: its files and the environment of this process.
    #[must_use]
    pub fn this_machine() -> Self {
        Self::default()
    }

    /// Reads configured paths below `root`, which stands for `/`. Symbolic links stay inside: an absolute target starts
    /// at `root` again, and `..` stops there.
    #[must_use]
    pub fn with_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = Some(root.into());
        self
    }

    /// Takes these variables in place of the environment of this process.
    #[must_use]
    pub fn with_variables(mut self, variables: BTreeMap<String, Secret>) -> Self {
        self.variables = Variables::Given(variables);
        self
    }

    /// The bytes of a configured file, at most `limit` of them.
    ///
    /// # Errors
    /// The reason as a value; a directory, a device or a pipe is never opened for reading.
    pub fn file(&self, path: &str, limit: u64) -> Result<Vec<u8>, FileProblem> {
        if path.contains('\0') {
            return Err(FileProblem::Other("its path contains a NUL byte".to_owned()));
        }
        let path = Path::new(path);
        if !path.is_absolute() {
            return Err(FileProblem::Other("its path is not absolute".to_owned()));
        }
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(FileProblem::Other("its path contains `..`".to_owned()));
        }
        let root = self.root.as_deref().unwrap_or(Path::new("/"));
        read_regular(&follow(root, path)?, limit)
    }

    /// Where an absolute path leads, links followed.
    pub(crate) fn place(&self, path: &Path) -> Result<PathBuf, FileProblem> {
        follow(self.root.as_deref().unwrap_or(Path::new("/")), path)
    }

    /// The value of a variable; `None` if it is not set, or is not UTF-8 and so cannot be a header or a name.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<Secret> {
        match &self.variables {
            // `var` panics on no name; on these it would answer for another one.
            Variables::Process if name.is_empty() || name.contains(['=', '\0']) => None,
            Variables::Process => std::env::var(name).ok().map(Secret::new),
            Variables::Given(variables) => variables.get(name).cloned(),
        }
    }
}

/// Answers `needs` until it asks for nothing new: a header-forward manifest that was read names further variables.
///
/// `now` is the moment that certificates are judged by.
#[must_use]
pub fn gather(
    mut needs: impl FnMut(&Materials) -> Needs,
    source: &Source,
    system_roots: Arc<SystemRoots>,
    now: UnixTime,
) -> Materials {
    let mut materials = Materials { files: BTreeMap::new(), variables: BTreeMap::new(), system_roots, now };
    loop {
        let wanted = needs(&materials);
        let mut new = false;
        for file in wanted.files {
            if let Entry::Vacant(unanswered) = materials.files.entry(file.path) {
                let answer = source.file(unanswered.key(), limits::CA_BUNDLE_BYTES as u64);
                unanswered.insert(answer);
                new = true;
            }
        }
        for variable in wanted.variables {
            if let Entry::Vacant(unanswered) = materials.variables.entry(variable.name) {
                let answer = source.variable(unanswered.key());
                unanswered.insert(answer);
                new = true;
            }
        }
        if !new {
            return materials;
        }
    }
}

/// Reads a file of variables: `NAME=value` lines, as `docker run --env-file` and `kubectl create secret
/// --from-env-file` take them, and more.
///
/// Empty lines and lines that begin with `#` are skipped, `export ` before a name is allowed. A value is taken as it
/// stands to the end of the line, without the spaces around it, so that `#` may be in a secret; `'…'` is taken as it
/// stands inside, `"…"` knows the escapes `\n \r \t \" \\ \$`.
///
/// # Errors
/// The file cannot be read, or the lines that are wrong, all of them; never a value.
pub fn read_env_file(path: &Path) -> Result<BTreeMap<String, Secret>, EnvFileError> {
    let unreadable = |problem| EnvFileError::Unreadable { path: path.to_owned(), problem };
    let bytes = read_regular(path, limits::ENV_FILE_BYTES as u64).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|error| EnvFileError::Lines {
        path: path.to_owned(),
        problems: vec![EnvLine {
            line: 1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|&&b| b == b'\n').count(),
            problem: EnvLineProblem::NotUtf8,
        }],
    })?;
    parse_env(&text).map_err(|problems| EnvFileError::Lines { path: path.to_owned(), problems })
}

/// Why a file of variables cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvFileError {
    /// It cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        problem: FileProblem,
    },
    /// Lines of it are wrong.
    #[error("{}:{}", path.display(), problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Lines {
        /// Which file.
        path: PathBuf,
        /// Every wrong line, in order.
        problems: Vec<EnvLine>,
    },
}

/// A wrong line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {problem}")]
pub struct EnvLine {
    /// From 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: EnvLineProblem,
}

/// What is wrong with a line. The texts carry no part of a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvLineProblem {
    /// Bytes that are not UTF-8.
    #[error("line is not UTF-8")]
    NotUtf8,
    /// No `=`. The line is not shown, it may be part of a value.
    #[error("line has no `=`; expected `NAME=value`")]
    NoEquals,
    /// A name that an environment variable cannot have.
    #[error("name is {0:?}; expected letters, digits, `_`, `-` and `.`, not beginning with a digit")]
    Name(String),
    /// A quote without its end.
    #[error("value of `{0}` has no closing {1} on its line")]
    OpenQuote(String, char),
    /// Text after a closing quote.
    #[error("value of `{0}` has text after its closing {1}")]
    AfterQuote(String, char),
    /// Another escape.
    #[error("value of `{0}` has an escape other than \\n, \\r, \\t, \\\", \\\\ and \\$")]
    Escape(String),
    /// The same name twice.
    #[error("`{name}` was set before, at line {first}")]
    Duplicate {
        /// The name.
        name: String,
        /// Its first line.
        first: usize,
    },
}

fn parse_env(text: &str) -> Result<BTreeMap<String, Secret>, Vec<EnvLine>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut variables = BTreeMap::new();
    let mut first_lines = BTreeMap::new();
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        match parse_env_line(line.trim()) {
            Ok(None) => {}
            Ok(Some((name, value))) => match first_lines.get(&name) {
                Some(&first) => {
                    problems.push(EnvLine { line: line_number, problem: EnvLineProblem::Duplicate { name, first } });
                }
                None => {
                    first_lines.insert(name.clone(), line_number);
                    variables.insert(name, value);
                }
            },
            Err(problem) => problems.push(EnvLine { line: line_number, problem }),
        }
    }
    if problems.is_empty() { Ok(variables) } else { Err(problems) }
}

fn parse_env_line(line: &str) -> Result<Option<(String, Secret)>, EnvLineProblem> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (name, value) = line.split_once('=').ok_or(EnvLineProblem::NoEquals)?;
    let name = name.strip_prefix("export ").unwrap_or(name).trim().to_owned();
    let mut characters = name.chars();
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !characters.next().is_some_and(|c| allowed(c) && !c.is_ascii_digit()) || !characters.all(allowed) {
        return Err(EnvLineProblem::Name(name));
    }
    let value = value.trim();
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => unquote(&name, &value[1..], quote)?,
        _ => Secret::new(value),
    };
    Ok(Some((name, value)))
}

/// What stands between quotes; `rest` begins after the opening one.
fn unquote(name: &str, rest: &str, quote: char) -> Result<Secret, EnvLineProblem> {
    let mut value = String::with_capacity(rest.len());
    let mut characters = rest.chars();
    loop {
        match characters.next() {
            None => return Err(EnvLineProblem::OpenQuote(name.to_owned(), quote)),
            Some(c) if c == quote => break,
            Some('\\') if quote == '"' => value.push(match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(c @ ('"' | '\\' | '$')) => c,
                _ => return Err(EnvLineProblem::Escape(name.to_owned())),
            }),
            Some(c) => value.push(c),
        }
    }
    let after = characters.as_str().trim_start();
    if after.is_empty() || after.starts_with('#') {
        Ok(Secret::new(value))
    } else {
        Err(EnvLineProblem::AfterQuote(name.to_owned(), quote))
    }
}

/// Links that are followed before a path counts as a loop; Linux stops there too (path_resolution(7)).
const LINKS: usize = 40;

/// The place that `path` names once every symbolic link on the way is followed inside `root`.
///
/// The kernel would follow an absolute link out of `root`, and would not say which link on the way dangles.
fn follow(root: &Path, path: &Path) -> Result<PathBuf, FileProblem> {
    let mut ahead: VecDeque<OsString> = parts(path).collect();
    let mut place: Vec<OsString> = Vec::new();
    let mut links = 0;
    // The first link on the way is the one that a person sees.
    let mut link: Option<PathBuf> = None;
    while let Some(part) = ahead.pop_front() {
        if part == ".." {
            place.pop();
            continue;
        }
        place.push(part);
        let here: PathBuf = std::iter::once(root.as_os_str()).chain(place.iter().map(OsString::as_os_str)).collect();
        let found = match fs::symlink_metadata(&here) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(match link {
                    Some(target) => FileProblem::DanglingLink { target: target.display().to_string() },
                    None => FileProblem::Missing,
                });
            }
            Err(error) => return Err(file_problem(&error)),
        };
        if !found.is_symlink() {
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(FileProblem::Other(format!("more than {LINKS} symbolic links lead on from it")));
        }
        let target = fs::read_link(&here).map_err(|error| file_problem(&error))?;
        place.pop();
        if target.is_absolute() {
            place.clear();
        }
        for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
            ahead.push_front(part);
        }
        link.get_or_insert(target);
    }
    Ok(std::iter::once(root.as_os_str()).chain(place.iter().map(OsString::as_os_str)).collect())
}

/// The names in a path, `..` among them.
fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    })
}

/// The bytes of a regular file. `path` may still end in a link (an env file's may).
pub(crate) fn read_regular(path: &Path, limit: u64) -> Result<Vec<u8>, FileProblem> {
    let is_regular = |found: &fs::Metadata| {
        if found.is_dir() {
            Err(FileProblem::Directory)
        } else if !found.is_file() {
            Err(FileProblem::NotAFile)
        } else if found.len() > limit {
            Err(FileProblem::TooLarge { limit, actual: found.len() })
        } else {
            Ok(())
        }
    };
    is_regular(&fs::metadata(path).map_err(|error| match (error.kind(), fs::read_link(path)) {
        (io::ErrorKind::NotFound, Ok(target)) => FileProblem::DanglingLink { target: target.display().to_string() },
        _ => file_problem(&error),
    })?)?;
    let mut options = fs::OpenOptions::new();
    options.read(true);
    // What is a file now may be a pipe at the next call; opening one must not wait for a writer.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path).map_err(|error| file_problem(&error))?;
    is_regular(&file.metadata().map_err(|error| file_problem(&error))?)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| file_problem(&error))?;
    if bytes.len() as u64 > limit {
        return Err(FileProblem::TooLarge { limit, actual: bytes.len() as u64 });
    }
    Ok(bytes)
}

/// What the system's refusal means.
fn file_problem(error: &io::Error) -> FileProblem {
    match error.kind() {
        io::ErrorKind::NotFound => FileProblem::Missing,
        io::ErrorKind::PermissionDenied => FileProblem::PermissionDenied,
        io::ErrorKind::IsADirectory => FileProblem::Directory,
        io::ErrorKind::NotADirectory => FileProblem::Other("a part of its path is not a directory".to_owned()),
        _ => FileProblem::Other(error.to_string()),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use vmcp_core::discovery::{FileNeed, Presence, VariableNeed};
    use vmcp_core::text::Span;

    /// A directory that goes away with the test.
    struct Scratch(PathBuf);
    impl Scratch {
        fn new() -> Self {
            static NEXT: AtomicUsize = AtomicUsize::new(0);
            let name = format!("vmcp-materials-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
        fn write(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fn link(&self, target: &str, path: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, path).unwrap();
        }
        fn source(&self) -> Source {
            Source::this_machine().with_root(&self.0)
        }
    }
    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn why(source: &Source, path: &str) -> String {
        source.file(path, 100).unwrap_err().to_string()
    }

    #[test]
    fn a_mounted_config_map_is_read_through_its_links() {
        let dir = Scratch::new();
        dir.write("etc/toolhive/ca-bundles/a/..2026_01/ca.crt", "pem");
        dir.link("..2026_01", "etc/toolhive/ca-bundles/a/..data");
        dir.link("..data/ca.crt", "etc/toolhive/ca-bundles/a/ca.crt");
        assert_eq!(dir.source().file("/etc/toolhive/ca-bundles/a/ca.crt", 100).unwrap(), b"pem");
        // The same without a root, by its real path.
        let real = dir.0.join("etc/toolhive/ca-bundles/a/ca.crt");
        assert_eq!(Source::this_machine().file(real.to_str().unwrap(), 100).unwrap(), b"pem");
    }

    #[test]
    fn links_stay_inside_the_root() {
        let dir = Scratch::new();
        dir.write("inside.crt", "inside");
        dir.link("/inside.crt", "absolute.crt");
        dir.link("../../../../../../inside.crt", "deep/up.crt");
        dir.link("/etc/hostname", "outside.crt");
        assert_eq!(dir.source().file("/absolute.crt", 100).unwrap(), b"inside");
        assert_eq!(dir.source().file("/deep/up.crt", 100).unwrap(), b"inside");
        assert_eq!(
            why(&dir.source(), "/outside.crt"),
            "it is a symbolic link to `/etc/hostname`, which does not exist"
        );
    }

    #[test]
    fn every_reason_has_its_own_words() {
        let dir = Scratch::new();
        let source = dir.source();
        dir.write("big", &"x".repeat(101));
        dir.write("full", &"x".repeat(100));
        dir.write("file", "x");
        dir.link("gone", "dangling");
        dir.link("..data/ca.crt", "ca.crt");
        dir.link("..gone", "..data");
        dir.link("loop", "loop");
        fs::create_dir(dir.0.join("dir")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.0.join("socket")).unwrap();
        assert_eq!(why(&source, "/none"), "no such file");
        assert_eq!(why(&source, "/none/ca.crt"), "no such file");
        assert_eq!(why(&source, "/dangling"), "it is a symbolic link to `gone`, which does not exist");
        assert_eq!(why(&source, "/ca.crt"), "it is a symbolic link to `..data/ca.crt`, which does not exist");
        assert_eq!(why(&source, "/dir"), "it is a directory; expected a file");
        assert_eq!(why(&source, "/socket"), "it is not a regular file");
        assert_eq!(why(&source, "/big"), "it has 101 bytes; at most 100 are read");
        assert_eq!(source.file("/full", 100).unwrap().len(), 100);
        assert_eq!(why(&source, "/loop"), "more than 40 symbolic links lead on from it");
        assert_eq!(why(&source, "/file/x"), "a part of its path is not a directory");
        assert_eq!(why(&source, "/dir/../file"), "its path contains `..`");
        assert_eq!(why(&source, "file"), "its path is not absolute");
        assert_eq!(why(&source, "/fi\0le"), "its path contains a NUL byte");
        assert_eq!(why(&Source::this_machine(), "/dev/null"), "it is not a regular file");
    }

    #[test]
    fn a_file_that_must_not_be_read_says_so() {
        // Root reads everything, so the refusal itself is made by hand there.
        let refusal = io::Error::from(io::ErrorKind::PermissionDenied);
        assert_eq!(file_problem(&refusal).to_string(), "permission denied");
        let dir = Scratch::new();
        dir.write("locked", "x");
        fs::set_permissions(dir.0.join("locked"), fs::Permissions::from_mode(0o000)).unwrap();
        match fs::File::open(dir.0.join("locked")) {
            Ok(_) => assert_eq!(dir.source().file("/locked", 100).unwrap(), b"x"),
            Err(_) => assert_eq!(why(&dir.source(), "/locked"), "permission denied"),
        }
    }

    #[test]
    fn gathering_goes_on_until_nothing_new_is_asked() {
        let dir = Scratch::new();
        dir.write("ca.crt", "pem");
        let variables = [("MANIFEST", "names SECRET"), ("SECRET", "s3cr3t"), ("OTHER", "never asked for")];
        let variables = variables.map(|(name, value)| (name.to_owned(), Secret::new(value)));
        let source = dir.source().with_variables(BTreeMap::from(variables));
        let variable = |name: &str| VariableNeed {
            name: name.to_owned(),
            presence: Presence::Optional,
            span: Span::default(),
            pointer: String::new(),
        };
        let file =
            FileNeed { path: "/ca.crt".to_owned(), backend: None, span: Span::default(), pointer: String::new() };
        let mut rounds = 0;
        let ask = |materials: &Materials| {
            rounds += 1;
            let mut needs = Needs {
                files: vec![file.clone(), file.clone()],
                variables: vec![variable("MANIFEST"), variable("GONE")],
            };
            if materials.variables.get("MANIFEST").is_some_and(Option::is_some) {
                needs.variables.push(variable("SECRET"));
            }
            needs
        };
        let roots = Arc::new(no_roots());
        let materials = gather(ask, &source, roots, UnixTime::since_unix_epoch(std::time::Duration::ZERO));
        assert_eq!(rounds, 3);
        assert_eq!(materials.files, BTreeMap::from([("/ca.crt".to_owned(), Ok(b"pem".to_vec()))]));
        assert_eq!(
            materials.variables,
            BTreeMap::from([
                ("GONE".to_owned(), None),
                ("MANIFEST".to_owned(), Some(Secret::new("names SECRET"))),
                ("SECRET".to_owned(), Some(Secret::new("s3cr3t"))),
            ])
        );
        assert!(!format!("{source:?}").contains("s3cr3t"));
    }

    #[test]
    fn the_environment_of_the_process_is_the_default() {
        // Cargo sets this one for every test.
        let name = Source::this_machine().variable("CARGO_MANIFEST_DIR");
        assert_eq!(name, Some(Secret::new(env!("CARGO_MANIFEST_DIR"))));
        for none in ["VMCP_NO_SUCH_VARIABLE", "", "A=B", "A\0B"] {
            assert_eq!(Source::this_machine().variable(none), None);
        }
    }

    #[test]
    fn a_file_of_variables_is_read() {
        let text = "\u{feff}# comment\r\n\r\nA=1\r\nexport B = two words # not a comment \nC='it''s'\n";
        let expected = "value of `C` has text after its closing '";
        assert_eq!(parse_env(text).unwrap_err(), [EnvLine { line: 5, problem: after("C") }]);
        assert_eq!(after("C").to_string(), expected);
        let text =
            "A=1\nexport B = two words # all of it\nC='$as is\\n' # comment\nD=\"a\\n\\\"\\\\\\$\"\nE=\nF=x=y\nG=\"\"";
        let read: Vec<_> =
            parse_env(text).unwrap().into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect();
        let expected = [
            ("A", "1"),
            ("B", "two words # all of it"),
            ("C", "$as is\\n"),
            ("D", "a\n\"\\$"),
            ("E", ""),
            ("F", "x=y"),
            ("G", ""),
        ];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    fn after(name: &str) -> EnvLineProblem {
        EnvLineProblem::AfterQuote(name.to_owned(), '\'')
    }

    #[test]
    fn every_wrong_line_is_named_and_no_value_shown() {
        let dir = Scratch::new();
        dir.write(
            "dev.env",
            "s3cr3t\n1A=s3cr3t\nA=\"s3cr3t\nB=\"s3cr3t\\q\"\nC='s3cr3t' s3cr3t\nD=1\nD=s3cr3t\n=s3cr3t\n",
        );
        let path = dir.0.join("dev.env");
        let error = read_env_file(&path).unwrap_err().to_string();
        let expected = format!(
            "{}:1: line has no `=`; expected `NAME=value`; \
             2: name is \"1A\"; expected letters, digits, `_`, `-` and `.`, not beginning with a digit; \
             3: value of `A` has no closing \" on its line; \
             4: value of `B` has an escape other than \\n, \\r, \\t, \\\", \\\\ and \\$; \
             5: value of `C` has text after its closing '; \
             7: `D` was set before, at line 6; \
             8: name is \"\"; expected letters, digits, `_`, `-` and `.`, not beginning with a digit",
            path.display()
        );
        assert_eq!(error, expected);
        fs::write(&path, b"A=1\nB=\xff\n").unwrap();
        assert_eq!(read_env_file(&path).unwrap_err().to_string(), format!("{}:2: line is not UTF-8", path.display()));
        let gone = dir.0.join("gone.env");
        let error = read_env_file(&gone).unwrap_err();
        assert_eq!(error.to_string(), format!("{} cannot be read", gone.display()));
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "no such file");
    }

    fn no_roots() -> SystemRoots {
        SystemRoots::default()
    }
}
