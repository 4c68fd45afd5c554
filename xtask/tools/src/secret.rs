//! A text that must not be shown. The type keeps it out of formats; the [`crate::Redactor`] keeps
//! it out of what other programs print.

use std::fmt;

use serde::{Serialize, Serializer};
use zeroize::Zeroize;

/// What stands in the place of a secret wherever one would have been shown.
pub const REDACTED: &str = "<secret>";

/// A secret text. `Debug` and `Display` never show it, serialising it is an error, and its memory
/// is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The text itself. Every call is a place to look at in a review.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// Refuses: a value that holds a secret cannot reach a journal or an output by `#[derive]`.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("a secret cannot be serialised"))
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_format_shows_it() {
        let secret = Secret::new("canary-7Yq");
        assert_eq!(
            format!("{secret} {secret:?} {:?}", Some(&secret)),
            "<secret> <secret> Some(<secret>)"
        );
        let error = serde_json::to_string(&secret).unwrap_err().to_string();
        assert_eq!(error, "a secret cannot be serialised");
        assert_eq!(secret.expose(), "canary-7Yq");
    }
}
