//! What the keys of one mapping come to: repeated ones reported, `<<` merged.
//!
//! It compares keys by their text, as yaml.v3 does; it does not know which keys anybody wants.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use super::parse::Builder;
use super::{Kind, NodeId, Style};
use crate::diagnostic::{Diagnostic, Place, code};
use crate::order;

/// Below this many entries comparing each with each is quicker than building a set.
const FEW: usize = 8;

impl Builder<'_, '_> {
    /// Turns the keys and values of a mapping, one after the other, into its entries.
    pub(super) fn entries(&mut self, children: &[NodeId]) -> Vec<(NodeId, NodeId)> {
        let pairs = children.chunks_exact(2).filter_map(|pair| match *pair {
            [key, value] => Some((key, value)),
            _ => None,
        });
        let mut merges = Vec::new();
        let mut entries = Vec::with_capacity(children.len() / 2);
        for (key, value) in pairs {
            if self.is_merge(key) {
                merges.push((key, value));
            } else {
                entries.push((key, value));
            }
        }
        self.drop_repeated(&mut entries);
        self.drop_repeated(&mut merges);
        if let Some(&(_, value)) = merges.first() {
            self.merge(&mut entries, value);
        }
        entries
    }

    /// The `<<` of yaml.v3: plain, or tagged `!!merge`.
    fn is_merge(&self, key: NodeId) -> bool {
        let data = self.data(key);
        let Kind::Scalar { text, style } = &data.kind else { return false };
        if text != "<<" {
            return false;
        }
        match self.tag(data.tag) {
            None | Some("!") => *style == Style::Plain,
            Some(tag) => tag == "!!merge",
        }
    }

    /// The text of a key; `None` for keys that are no scalars.
    fn key(&self, id: NodeId) -> Option<&str> {
        match &self.data(id).kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Keeps the first of several entries with one key and reports the others.
    fn drop_repeated(&mut self, entries: &mut Vec<(NodeId, NodeId)>) {
        let mut repeated: Vec<(usize, usize)> = Vec::new();
        if entries.len() <= FEW {
            for (i, &(key, _)) in entries.iter().enumerate() {
                let Some(text) = self.key(key) else { continue };
                let first = entries.iter().take(i).position(|&(earlier, _)| self.key(earlier) == Some(text));
                repeated.extend(first.map(|first| (i, first)));
            }
        } else {
            let mut first: BTreeMap<&str, usize> = BTreeMap::new();
            for (i, &(key, _)) in entries.iter().enumerate() {
                let Some(text) = self.key(key) else { continue };
                if let Some(&first) = first.get(text) {
                    repeated.push((i, first));
                } else {
                    first.insert(text, i);
                }
            }
        }
        if repeated.is_empty() {
            return;
        }
        for &(i, first) in &repeated {
            let (Some(&(key, _)), Some(&(original, _))) = (entries.get(i), entries.get(first)) else { continue };
            let message = format!("key `{}` stands here twice; the first one counts", shown(self.key(key)));
            let place = Place::input(self.data(original).span);
            let finding =
                Diagnostic::new(code::DUPLICATE_KEY, message).at(self.data(key).span).related(place, "first here");
            self.report(finding);
        }
        let mut repeated = repeated.into_iter().map(|(i, _)| i).peekable();
        let mut i = 0;
        entries.retain(|_| {
            let drop = repeated.next_if_eq(&i).is_some();
            i += 1;
            !drop
        });
    }

    /// Adds the entries of the mapping, or of each mapping of the list, that `value` is: those whose key is not there
    /// yet, the earlier first (<https://yaml.org/type/merge.html>).
    fn merge(&mut self, entries: &mut Vec<(NodeId, NodeId)>, value: NodeId) {
        let mut sources = Vec::new();
        match self.data(value).kind {
            Kind::Mapping(_) | Kind::Bad => sources.push(value),
            Kind::Sequence(range) => sources.extend_from_slice(self.items(range)),
            Kind::Scalar { .. } => return self.report_merge(value),
        }
        let mut added = Vec::new();
        {
            let mut known = order::set(entries.iter().filter_map(|&(key, _)| self.key(key)));
            let mut steps = self.merge_steps;
            let mut wrong = Vec::new();
            'sources: for &source in &sources {
                let range = match self.data(source).kind {
                    Kind::Mapping(range) => range,
                    Kind::Bad => continue,
                    _ => {
                        wrong.push(source);
                        continue;
                    }
                };
                for &(key, value) in self.entries_of(range) {
                    steps += 1;
                    if steps > self.budget.merge_steps {
                        break 'sources;
                    }
                    if self.key(key).is_none_or(|text| known.insert(text)) {
                        added.push((key, value));
                    }
                }
            }
            self.merge_steps = steps;
            for source in wrong {
                self.report_merge(source);
            }
        }
        if self.merge_steps > self.budget.merge_steps {
            let message = format!("`<<` takes over more than {} entries in this document", self.budget.merge_steps);
            self.refuse(Diagnostic::new(code::EXCESSIVE_MERGING, message).at(self.data(value).span));
            return;
        }
        entries.append(&mut added);
    }

    fn report_merge(&mut self, value: NodeId) {
        let message = "`<<` is given something else; expected a map or a list of maps";
        self.report(Diagnostic::new(code::MERGE_VALUE, message).at(self.data(value).span));
    }
}

/// A key as messages quote it: long ones are cut.
fn shown(key: Option<&str>) -> alloc::string::String {
    const LETTERS: usize = 60;
    let key = key.unwrap_or_default();
    let mut shown: alloc::string::String = key.chars().take(LETTERS).flat_map(char::escape_debug).collect();
    if key.chars().nth(LETTERS).is_some() {
        shown.push('…');
    }
    shown
}
