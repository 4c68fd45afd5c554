//! A `.tfvars` file that keeps to the declarations of its module.

use std::path::Path;

use super::{
    hcl,
    located::{Entries, Node},
    placeholders::{self, Placeholder},
    source,
    types::Declarations,
};
use crate::exit::Exit;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Vars {
    entries: Entries,
    /// The path as people know it, relative to the repository.
    shown: String,
}

impl Vars {
    /// Reads `shown` below `root` and compares it with the variables that `module` declares.
    ///
    /// # Errors
    /// One sentence with file, line, key and remedy.
    pub(super) fn read(root: &Path, shown: &str, module: &str) -> anyhow::Result<Self> {
        let text = source::read(&root.join(shown), shown)?;
        Self::parse(&text, shown, &Declarations::read(root, module)?)
    }

    pub(super) fn parse(
        text: &str,
        shown: &str,
        declarations: &Declarations,
    ) -> anyhow::Result<Self> {
        let entries = hcl::read(text, shown)?;
        declarations.check(&entries, shown)?;
        Ok(Self { entries, shown: shown.to_owned() })
    }

    pub(super) fn string(&self, key: &str) -> anyhow::Result<String> {
        self.optional_string(key)?
            .ok_or_else(|| self.wrong(key, "is missing; the runner needs it, too: add it"))
    }

    pub(super) fn optional_string(&self, key: &str) -> anyhow::Result<Option<String>> {
        match self.entries.get(key).map(|entry| &entry.value.node) {
            None | Some(Node::Null) => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(key, "must be a text in quotes")),
        }
    }

    pub(super) fn matching(
        &self,
        key: &str,
        fits: fn(&str) -> bool,
        expected: &str,
    ) -> anyhow::Result<String> {
        let value = self.string(key)?;
        if fits(&value) {
            Ok(value)
        } else {
            Err(self.wrong(key, &format!("is \"{value}\" and must be {expected}")))
        }
    }

    /// The one sentence about a wrong value.
    pub(super) fn wrong(&self, key: &str, why: &str) -> anyhow::Error {
        Exit::BadInput.error(format!("{}: `{key}` {why}", self.place_of(&[key])))
    }

    /// Values that were never filled in.
    pub(crate) fn placeholders(&self) -> Vec<Placeholder> {
        placeholders::find(&self.shown, &self.entries)
    }

    /// What stands at a path such as `["cluster", "public_access_cidrs"]`; null and nothing are one.
    pub(crate) fn value(&self, path: &[&str]) -> Option<serde_json::Value> {
        let entry = self.entries.at(path.iter().copied())?;
        Some(entry.value.to_json()).filter(|value| !value.is_null())
    }

    /// Where the key stands that a sentence begins with: `network.cidr "…" must be …`.
    pub(crate) fn place_in(&self, sentence: &str) -> Option<String> {
        let first = sentence.split_whitespace().next()?;
        let path = first.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let entry = self.entries.at(path.split('.'))?;
        Some(format!("{}:{}", self.shown, entry.line))
    }

    /// The file's path, relative to the repository.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// `file:line` of the key that a path leads to, or of as much of it as is there.
    pub(crate) fn place_of(&self, path: &[&str]) -> String {
        (1..=path.len())
            .rev()
            .find_map(|length| self.entries.at(path.iter().take(length).copied()))
            .map_or_else(|| self.shown.clone(), |entry| format!("{}:{}", self.shown, entry.line))
    }
}
