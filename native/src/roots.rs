//! Finds the system roots where Go's `crypto/x509` finds them on Linux.
//!
//! It reads files and judges no certificate; there is no list that is compiled in, so nothing is trusted that the image does
//! not hold.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vmcp_core::diagnostic::{Diagnostic, code};
use vmcp_core::discovery::FileProblem;
use vmcp_core::trust::SystemRoots;

use crate::materials::{Source, read_regular};

/// The first of these that can be read counts; `SSL_CERT_FILE` takes their place. As in Go's `root_linux.go`.
const FILES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// All of these are read; `SSL_CERT_DIR`, a list with colons, takes their place.
const DIRECTORIES: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

/// Bytes of one file; the whole of Mozilla's list with comments has a quarter of a megabyte.
const FILE_BYTES: u64 = 16 << 20;

/// The system's trust anchors as `source` has them, and what is worth saying about the search. Finding none is a warning:
/// backends with a CA bundle can still be verified.
#[must_use]
pub fn system_roots(source: &Source) -> (SystemRoots, Vec<Diagnostic>) {
    let mut found = Found::default();
    // Go takes an empty variable for none.
    let variable = |name| source.variable(name).filter(|value| !value.is_empty());
    match variable("SSL_CERT_FILE") {
        Some(file) => {
            found.first_file(source, &[file.expose()], Some("SSL_CERT_FILE"));
        }
        None => found.first_file(source, &FILES, None),
    }
    match variable("SSL_CERT_DIR") {
        Some(list) => {
            for directory in list.expose().split(':') {
                found.directory(source, directory, Some("SSL_CERT_DIR"));
            }
        }
        None => {
            for directory in DIRECTORIES {
                found.directory(source, directory, None);
            }
        }
    }
    let roots = SystemRoots::read(found.files.iter().map(|(path, file)| (path.as_str(), file.as_slice())));
    if roots.is_empty() {
        let message = format!("no system roots were found in {}", found.looked_at.join(", "));
        let help = "install the package ca-certificates, or name a file in SSL_CERT_FILE";
        found.diagnostics.push(Diagnostic::new(code::NO_SYSTEM_ROOTS, message).help(help));
    }
    (roots, found.diagnostics)
}

#[derive(Default)]
struct Found {
    files: Vec<(String, Vec<u8>)>,
    looked_at: Vec<String>,
    diagnostics: Vec<Diagnostic>,
}

impl Found {
    fn first_file(&mut self, source: &Source, paths: &[&str], variable: Option<&str>) {
        for &path in paths {
            self.looked_at.push(path.to_owned());
            match place(source, path).and_then(|place| read_regular(&place, FILE_BYTES)) {
                Ok(file) => {
                    self.files.push((path.to_owned(), file));
                    return;
                }
                Err(problem) => self.problem(path, &problem, variable),
            }
        }
    }

    fn directory(&mut self, source: &Source, path: &str, variable: Option<&str>) {
        self.looked_at.push(path.to_owned());
        let listed = place(source, path).and_then(|place| names(&place).map(|names| (place, names)));
        let names = match listed {
            Ok((_, names)) => names,
            Err(problem) => return self.problem(path, &problem, variable),
        };
        for name in names {
            let path = format!("{path}/{name}");
            match place(source, &path).and_then(|place| read_regular(&place, FILE_BYTES)) {
                Ok(file) => self.files.push((path, file)),
                // Links that lead nowhere and directories are usual here.
                Err(FileProblem::Missing | FileProblem::DanglingLink { .. } | FileProblem::Directory) => {}
                Err(problem) => self.problem(&path, &problem, variable),
            }
        }
    }

    /// A usual place that is not there says nothing; one that was asked for by name does, and so does one that is there.
    fn problem(&mut self, path: &str, problem: &FileProblem, variable: Option<&str>) {
        let message = match (variable, problem) {
            (None, FileProblem::Missing) => return,
            (None, problem) => format!("{path} holds no system roots: {problem}"),
            (Some(variable), problem) => format!("{variable} names {path}: {problem}"),
        };
        self.diagnostics.push(Diagnostic::new(code::SYSTEM_ROOTS_UNREADABLE, message));
    }
}

/// Where a path leads; a relative one, which only a variable can give, starts at the working directory as in Go.
fn place(source: &Source, path: &str) -> Result<PathBuf, FileProblem> {
    let other = |error: io::Error| FileProblem::Other(error.to_string());
    source.place(&std::path::absolute(path).map_err(other)?)
}

/// Names in a directory, sorted. A link to a name in the same directory (`c_rehash` makes them) is left out: its target is
/// read anyway.
fn names(directory: &Path) -> Result<Vec<String>, FileProblem> {
    let problem = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => FileProblem::Missing,
        io::ErrorKind::PermissionDenied => FileProblem::PermissionDenied,
        _ => FileProblem::Other(error.to_string()),
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(problem)? {
        let entry = entry.map_err(problem)?;
        let to_a_neighbour =
            fs::read_link(entry.path()).is_ok_and(|target| !target.as_os_str().as_encoded_bytes().contains(&b'/'));
        if !to_a_neighbour && let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::symlink;

    use vmcp_core::secret::Secret;

    use super::*;

    const A: &[u8] = include_bytes!("../../tests/data/certificates/ca.pem");
    const B: &[u8] = include_bytes!("../../tests/data/certificates/ca-p521.pem");
    const C: &[u8] = include_bytes!("../../tests/data/certificates/ca-ed25519.pem");

    struct Machine(PathBuf);

    impl Machine {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("vmcp-roots-{}-{name}", std::process::id()));
            fs::create_dir_all(root.join("etc/ssl/certs")).unwrap();
            Self(root)
        }

        fn with(self, path: &str, file: &[u8]) -> Self {
            let place = self.0.join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, file).unwrap();
            self
        }

        /// Subjects of the roots that are found, and the messages.
        fn look(&self, variables: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
            let variables: BTreeMap<_, _> =
                variables.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
            let (roots, diagnostics) =
                system_roots(&Source::this_machine().with_root(&self.0).with_variables(variables));
            let names = roots.trusted().iter().map(|t| t.certificate.subject.short()).collect();
            (names, diagnostics.into_iter().map(|d| d.message).collect())
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const NAME_A: &str = "Acme Test CA";
    const NAME_B: &str = "Test CA P-521";
    const NAME_C: &str = "Test CA Ed25519";

    fn machine(name: &str) -> Machine {
        Machine::new(name)
            .with("etc/ssl/certs/ca-certificates.crt", A)
            .with("etc/ssl/cert.pem", C)
            .with("etc/ssl/certs/b.pem", B)
            .with("opt/c.pem", C)
            .with("opt/empty/readme", b"nothing")
    }

    // The rows are those that were measured with Go: a file variable leaves the directories alone and the other way round.
    #[test]
    fn variables_mean_what_they_mean_to_go() {
        let machine = machine("variables");
        let none: Vec<String> = Vec::new();
        assert_eq!(machine.look(&[]), (vec![NAME_A.into(), NAME_B.into()], none.clone()));
        let file = machine.look(&[("SSL_CERT_FILE", "/opt/c.pem")]);
        assert_eq!(file, (vec![NAME_C.into(), NAME_B.into(), NAME_A.into()], none.clone()));
        let directory = machine.look(&[("SSL_CERT_DIR", "/opt/empty")]);
        assert_eq!(directory, (vec![NAME_A.into()], none.clone()));
        let both = machine.look(&[("SSL_CERT_FILE", "/opt/c.pem"), ("SSL_CERT_DIR", "/opt/empty")]);
        assert_eq!(both, (vec![NAME_C.into()], none.clone()));
        let empty = machine.look(&[("SSL_CERT_FILE", ""), ("SSL_CERT_DIR", "")]);
        assert_eq!(empty, (vec![NAME_A.into(), NAME_B.into()], none.clone()));
        let list = machine.look(&[("SSL_CERT_FILE", "/opt/empty/readme"), ("SSL_CERT_DIR", "/opt/empty:/opt")]);
        assert_eq!(list, (vec![NAME_C.into()], none));
    }

    #[test]
    fn what_a_variable_names_and_is_not_there_is_said() {
        let (names, messages) = machine("missing").look(&[("SSL_CERT_FILE", "/nowhere"), ("SSL_CERT_DIR", "/gone")]);
        assert!(names.is_empty());
        assert_eq!(
            messages,
            [
                "SSL_CERT_FILE names /nowhere: no such file",
                "SSL_CERT_DIR names /gone: no such file",
                "no system roots were found in /nowhere, /gone"
            ]
        );
    }

    #[test]
    fn the_first_file_that_can_be_read_counts_even_if_it_holds_nothing() {
        let machine = Machine::new("first").with("etc/ssl/ca-bundle.pem", b"").with("etc/ssl/cert.pem", C);
        let (names, messages) = machine.look(&[]);
        assert!(names.is_empty());
        assert_eq!(
            messages,
            ["no system roots were found in /etc/ssl/certs/ca-certificates.crt, /etc/pki/tls/certs/ca-bundle.crt, \
              /etc/ssl/ca-bundle.pem, /etc/ssl/certs, /etc/pki/tls/certs"]
        );
    }

    #[test]
    fn links_in_a_directory_are_followed_inside_the_root_and_neighbours_are_read_once() {
        let machine = Machine::new("links").with("usr/share/ca/a.crt", A).with("etc/ssl/certs/b.pem", B);
        symlink("/usr/share/ca/a.crt", machine.0.join("etc/ssl/certs/a.pem")).unwrap();
        symlink("a.pem", machine.0.join("etc/ssl/certs/0123abcd.0")).unwrap();
        symlink("/usr/share/ca/gone.crt", machine.0.join("etc/ssl/certs/gone.pem")).unwrap();
        assert_eq!(machine.look(&[]), (vec![NAME_A.into(), NAME_B.into()], Vec::new()));
    }
}
