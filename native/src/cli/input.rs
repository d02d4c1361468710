//! What is to be judged: files, folders and standard input as bytes with a name.
//!
//! It does not look inside them; what is YAML, and what is a configuration, is the core's to say.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use vmcp_core::config::limits;

/// Which configuration a command works on.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct InputArgs {
    /// The configuration: as it is, or inside a Kubernetes `ConfigMap`; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    #[command(flatten)]
    pub(crate) stdin: StdinArgs,
    /// Which one, where the input holds several ConfigMaps
    #[arg(long, value_name = "[NAMESPACE/]NAME")]
    pub(crate) configmap: Option<String>,
}

/// What standard input is called.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct StdinArgs {
    /// What to call standard input in findings
    #[arg(long, value_name = "PATH", default_value = "<stdin>", hide_default_value = true)]
    pub(crate) stdin_name: String,
}

/// Bytes with a name.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// As findings call it.
    pub(crate) name: String,
    /// Everything that was read: one byte more than [`limits::INPUT_BYTES`] at most, so that the core sees that it is
    /// too large without all of it being held.
    pub(crate) bytes: Vec<u8>,
}

/// Why an input could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// A file or folder that cannot be read.
    #[error("{name} cannot be read")]
    Unreadable {
        /// Which.
        name: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A folder where one file is wanted.
    #[error("{name} is a folder; expected a file")]
    Folder {
        /// Which.
        name: String,
    },
    /// A folder without anything to judge.
    #[error("{name} holds no file that ends in .yaml, .yml or .json")]
    NothingInFolder {
        /// Which.
        name: String,
    },
}

impl Input {
    /// One file, or standard input for `-`.
    pub(crate) fn read(path: &Path, stdin_name: &str) -> Result<Self, InputError> {
        if path == Path::new("-") {
            return Self::take(stdin_name.to_owned(), io::stdin().lock());
        }
        let name = path.display().to_string();
        let unreadable = |cause| InputError::Unreadable { name: name.clone(), cause };
        if fs::metadata(path).map_err(unreadable)?.is_dir() {
            return Err(InputError::Folder { name });
        }
        let file = fs::File::open(path).map_err(unreadable)?;
        Self::take(name, file)
    }

    fn take(name: String, source: impl Read) -> Result<Self, InputError> {
        let mut bytes = Vec::new();
        match source.take(limits::INPUT_BYTES as u64 + 1).read_to_end(&mut bytes) {
            Ok(_) => Ok(Self { name, bytes }),
            Err(cause) => Err(InputError::Unreadable { name, cause }),
        }
    }
}

/// Every `*.yaml`, `*.yml` and `*.json` file below a folder, sorted by path.
///
/// Hidden folders and files (`.git`, and the `..data` of a mounted ConfigMap) are left out; the links that a mounted
/// ConfigMap consists of are followed, links to folders are not.
pub(crate) fn below(folder: &Path) -> Result<Vec<PathBuf>, InputError> {
    let mut found = Vec::new();
    let mut ahead = vec![folder.to_owned()];
    while let Some(folder) = ahead.pop() {
        let unreadable = |cause| InputError::Unreadable { name: folder.display().to_string(), cause };
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = entry.path();
            if entry.file_type().map_err(unreadable)?.is_dir() {
                ahead.push(path);
            } else if is_judged(&path) && path.is_file() {
                found.push(path);
            }
        }
    }
    if found.is_empty() {
        return Err(InputError::NothingInFolder { name: folder.display().to_string() });
    }
    found.sort();
    Ok(found)
}

fn is_judged(path: &Path) -> bool {
    path.extension().and_then(|end| end.to_str()).is_some_and(|end| ["yaml", "yml", "json"].contains(&end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_configurations_in_order() {
        let root = std::env::temp_dir().join(format!("vmcp-input-{}", std::process::id()));
        for file in ["b/x.yml", "a.yaml", "c.json", "notes.txt", ".git/config.yaml", ".hidden.yaml"] {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = below(&root).unwrap();
        assert_eq!(found, ["a.yaml", "b/x.yml", "c.json"].map(|file| root.join(file)));
        fs::create_dir(root.join("empty")).unwrap();
        let why = below(&root.join("empty")).unwrap_err().to_string();
        assert_eq!(why, format!("{}/empty holds no file that ends in .yaml, .yml or .json", root.display()));
        let why = Input::read(&root, "").unwrap_err().to_string();
        assert_eq!(why, format!("{} is a folder; expected a file", root.display()));
        let why = Input::read(&root.join("gone"), "").unwrap_err();
        assert_eq!(why.to_string(), format!("{}/gone cannot be read", root.display()));
        fs::remove_dir_all(root).unwrap();
    }
}
