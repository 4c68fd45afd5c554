//! What the gateway answers.

use serde_json::Value;

use super::kong;

/// An answer with its body in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body.into().into_bytes())
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", body.to_string().into_bytes())
    }

    pub(crate) fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body }
    }

    /// Something between the client and the program is in the way.
    pub(crate) fn blocked(status: u16, why: &str) -> Self {
        Self::json(status, &serde_json::json!({ "message": why })).with("x-sandbox-blocked", "true")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl From<kong::Answer> for Reply {
    fn from(answer: kong::Answer) -> Self {
        Self { status: answer.status, headers: answer.headers, body: answer.body.into_bytes() }
    }
}
