//! The templates of request-transformer: `$(headers.apikey or query_params.apikey)`.

use super::router::Request;

/// `text` with each `$(...)` replaced; a value that is missing is empty.
pub(super) fn render(text: &str, request: &Request) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("$(") {
        let Some(length) = rest[at..].find(')') else { break };
        result.push_str(&rest[..at]);
        result.push_str(&evaluate(&rest[at + 2..at + length], request).unwrap_or_default());
        rest = &rest[at + length + 1..];
    }
    result.push_str(rest);
    result
}

/// Whether every expression of `text` is one that is understood here.
pub(super) fn is_known(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find("$(") {
        let Some(length) = rest[at..].find(')') else { return false };
        let known = rest[at + 2..at + length].split(" or ").all(|term| {
            let term = term.trim();
            term.starts_with("headers.")
                || term.starts_with("query_params.")
                || literal(term).is_some()
        });
        if !known {
            return false;
        }
        rest = &rest[at + length + 1..];
    }
    true
}

/// The first term that has a value.
fn evaluate(expression: &str, request: &Request) -> Option<String> {
    expression.split(" or ").map(str::trim).find_map(|term| {
        if let Some(name) = term.strip_prefix("headers.") {
            return request.header(&name.replace('_', "-"));
        }
        if let Some(name) = term.strip_prefix("query_params.") {
            return request.query(name);
        }
        literal(term).map(str::to_owned)
    })
}

fn literal(term: &str) -> Option<&str> {
    let quoted = |quote: char| term.strip_prefix(quote)?.strip_suffix(quote);
    quoted('"').or_else(|| quoted('\''))
}
