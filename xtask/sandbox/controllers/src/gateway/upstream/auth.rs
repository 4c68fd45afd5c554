//! GoTrue: the routes that tell how it is and what it is set to.

use serde_json::json;

use super::not_simulated;
use crate::gateway::journey::Call;
use crate::gateway::reply::Reply;
use crate::kubelet::ContainerRuntime;

pub(super) fn answer(container: &ContainerRuntime, call: &Call) -> Reply {
    let setting = |name: &str| container.env.get(name).map(String::as_str).unwrap_or_default();
    let is_on = |name: &str| setting(name) == "true";
    match (call.request.method.as_str(), call.request.path.as_str()) {
        ("GET", "/health") => Reply::json(
            200,
            &json!({
                "version": "sandbox: simulated",
                "name": "GoTrue",
                "description": "GoTrue is a user registration and authentication API",
            }),
        ),
        ("GET", "/settings") => Reply::json(
            200,
            &json!({
                "external": {
                    "email": is_on("GOTRUE_EXTERNAL_EMAIL_ENABLED"),
                    "phone": is_on("GOTRUE_EXTERNAL_PHONE_ENABLED"),
                    "anonymous_users": is_on("GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED"),
                },
                "disable_signup": is_on("GOTRUE_DISABLE_SIGNUP"),
                "mailer_autoconfirm": is_on("GOTRUE_MAILER_AUTOCONFIRM"),
            }),
        ),
        // As the real one: what it tells of itself begins with the issuer of its tokens.
        ("GET", "/.well-known/openid-configuration") => {
            let issuer = setting("GOTRUE_JWT_ISSUER").trim_end_matches('/');
            Reply::json(
                200,
                &json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/.well-known/jwks.json") }),
            )
        }
        // Symmetric keys are never published, and others are not configured.
        ("GET", "/.well-known/jwks.json") => Reply::json(200, &json!({ "keys": [] })),
        _ => not_simulated(call),
    }
}
