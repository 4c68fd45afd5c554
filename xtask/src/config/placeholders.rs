//! Values that a person was meant to replace. A real account refuses them in preflight.

use serde_json::Value;

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

pub(super) fn find(place: &str, key: &str, value: &Value) -> Vec<Placeholder> {
    match value {
        Value::String(text) if is_placeholder(text) => {
            vec![Placeholder { place: place.to_owned(), key: key.to_owned(), value: text.clone() }]
        }
        Value::Array(items) => items.iter().flat_map(|item| find(place, key, item)).collect(),
        Value::Object(map) => map
            .iter()
            .flat_map(|(inner, item)| find(place, &format!("{key}.{inner}"), item))
            .collect(),
        _ => Vec::new(),
    }
}

fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains(DOCUMENTATION_ACCOUNT) || MARKERS.iter().any(|marker| lower.contains(marker))
}
