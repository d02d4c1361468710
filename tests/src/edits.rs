//! Small edits of a text, line by line: how good configurations are broken in properties, in `make compat` and by hand.
//!
//! It knows no YAML; what an edit means is for the reader that is tested to say.

/// One edit of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Takes the line away.
    Delete,
    /// Writes it twice.
    Double,
    /// Puts a line before it.
    Insert(String),
    /// Puts a text in place of the value, after the first colon.
    Value(String),
    /// Puts a text at this byte of the line.
    At(usize, String),
    /// Takes the character at this byte out.
    Drop(usize),
    /// Moves it two columns to the right.
    Indent,
    /// Moves it two columns to the left.
    Outdent,
}

/// Values that mean something else, or nothing, where they land.
pub const VALUES: [&str; 24] = [
    "",
    "~",
    "[]",
    "{}",
    "nonsense",
    "''",
    "\"\"",
    "true",
    "yes",
    "0",
    "-1",
    "4.5",
    "1e3",
    "0x1F",
    "30",
    "30s",
    "1h30m",
    "-5s",
    "entry",
    "unauthenticated",
    "discovered",
    "http://elsewhere.example/",
    "/etc/../x",
    "[a, b]",
];

/// `text` with one line edited. `line` and the byte of an edit are taken modulo what there is.
#[must_use]
pub fn apply(text: &str, line: usize, edit: &Edit) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return String::new();
    }
    let line = line % lines.len();
    let old = lines[line].clone();
    let boundary = |at: usize| old.floor_char_boundary(at % (old.len() + 1));
    match edit {
        Edit::Delete => {
            lines.remove(line);
        }
        Edit::Double => lines.insert(line, old),
        Edit::Insert(text) => lines.insert(line, text.clone()),
        Edit::Value(text) => {
            let key = old.split_once(':').map_or(old.as_str(), |(key, _)| key);
            lines[line] = format!("{key}: {text}");
        }
        Edit::At(at, text) => lines[line].insert_str(boundary(*at), text),
        Edit::Drop(at) => {
            let at = boundary(*at);
            if at < old.len() {
                lines[line].remove(at);
            }
        }
        Edit::Indent => lines[line].insert_str(0, "  "),
        Edit::Outdent => lines[line] = old.strip_prefix("  ").unwrap_or(&old).to_owned(),
    }
    lines.join("\n") + "\n"
}

/// Every edit that is worth trying on each line of `text`, in a fixed order.
pub fn all(text: &str) -> impl Iterator<Item = (usize, Edit)> {
    let indents: Vec<usize> = text.lines().map(|line| line.len() - line.trim_start().len()).collect();
    indents.into_iter().enumerate().flat_map(|(line, indent)| {
        let simple =
            [Edit::Delete, Edit::Double, Edit::Indent, Edit::Outdent, Edit::Drop(indent), Edit::Drop(indent + 3)];
        let unknown = Edit::Insert(format!("{}nobodyKnows: 1", " ".repeat(indent)));
        let values = VALUES.iter().map(|value| Edit::Value((*value).to_owned()));
        simple.into_iter().chain([unknown]).chain(values).map(move |edit| (line, edit))
    })
}
