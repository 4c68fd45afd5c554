//! A request's token and the role that it gives.

use serde_json::Value;

use crate::gateway::journey::Call;
use crate::gateway::jwt::{self, Refused};

/// The claims of the request's token; none without a token.
pub(super) fn claims(call: &Call, secret: &str) -> Result<Option<Value>, Refused> {
    let header = call.request.header("authorization");
    match jwt::bearer(header.as_deref()) {
        Some(token) => jwt::verify(token, secret).map(Some),
        None => Ok(None),
    }
}

/// The role of a token.
pub(super) fn role(claims: &Value) -> Option<&str> {
    claims.get("role").and_then(Value::as_str)
}
