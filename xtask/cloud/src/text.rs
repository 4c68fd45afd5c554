//! Errors of other crates, and answers of servers, as one line.

use std::error::Error;

use serde_json::Value;

/// All causes of an error in one line, none of them twice.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// What the body of an answer says to a person.
pub(crate) fn message_of(body: &str) -> String {
    const LONGEST: usize = 300;
    /// Where Kong, PostgREST, GoTrue and Storage put it.
    const KEYS: [&str; 4] = ["message", "msg", "error_description", "error"];
    let json: Option<Value> = serde_json::from_str(body).ok();
    let message = json
        .as_ref()
        .and_then(|json| KEYS.iter().find_map(|key| json.get(key)?.as_str()))
        .or_else(|| title(body))
        .unwrap_or(body);
    let words: Vec<_> = message.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST).collect()
}

/// The title of an HTML page, such as a load balancer's own.
fn title(body: &str) -> Option<&str> {
    let (_, rest) = body.split_once("<title>")?;
    Some(rest.split_once("</title>")?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_in_one_line() {
        for (body, told) in [
            (r#"{"message":"name resolution failed"}"#, "name resolution failed"),
            (r#"{"code":401,"msg":"No API key"}"#, "No API key"),
            (
                "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head></html>",
                "503 Service Temporarily Unavailable",
            ),
            ("two\n  lines\n", "two lines"),
            (r#"["a"]"#, r#"["a"]"#),
            ("", ""),
        ] {
            assert_eq!(message_of(body), told);
        }
        assert_eq!(message_of(&"x".repeat(1000)).len(), 300);
    }

    #[derive(Debug)]
    struct Outer(std::io::Error);

    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "request failed: {}", self.0)
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = Outer(std::io::Error::other("connection refused"));
        assert_eq!(chain(&error), "request failed: connection refused");
    }
}
