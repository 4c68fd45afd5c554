//! Values that a person was meant to replace. A real account refuses them in preflight.

use std::fmt;

use super::located::{Entries, Located, Node};

/// The account AWS uses in its documentation; it is never anybody's, so only a simulator answers
/// with it.
pub(crate) const DOCUMENTATION_ACCOUNT: &str = "123456789012";

/// Domains and networks that RFC 2606 and RFC 5737 reserve for documentation, and words that people
/// leave behind.
const MARKERS: [&str; 9] = [
    "example.com",
    "example.org",
    "example.net",
    "192.0.2.",
    "198.51.100.",
    "203.0.113.",
    "changeme",
    "change-me",
    "placeholder",
];

/// A value that was never filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placeholder {
    /// `file:line`
    pub(crate) place: String,
    pub(crate) key: String,
    pub(crate) value: String,
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, key, value } = self;
        write!(f, "{place}: `{key}` still is the placeholder \"{value}\"; write your own")
    }
}

/// Every placeholder of the file `shown`.
pub(super) fn find(shown: &str, entries: &Entries) -> Vec<Placeholder> {
    let mut found = Vec::new();
    collect(shown, "", entries, &mut found);
    found
}

fn collect(shown: &str, path: &str, entries: &Entries, found: &mut Vec<Placeholder>) {
    for entry in entries.iter() {
        let key = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
        look(shown, &key, &entry.value, found);
    }
}

fn look(shown: &str, key: &str, value: &Located, found: &mut Vec<Placeholder>) {
    match &value.node {
        Node::Text(text) if is_placeholder(text) => found.push(Placeholder {
            place: format!("{shown}:{}", value.line),
            key: key.to_owned(),
            value: text.clone(),
        }),
        Node::List(items) => items.iter().for_each(|item| look(shown, key, item, found)),
        Node::Map(inner) => collect(shown, key, inner, found),
        _ => {}
    }
}

fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower == "example"
        || lower.contains(DOCUMENTATION_ACCOUNT)
        || MARKERS.iter().any(|marker| lower.contains(marker))
}
