//! The edge runtime: whether a function is there and whether its caller may call it. Its code is not run.

use serde_json::json;

use super::session;
use crate::gateway::journey::Call;
use crate::gateway::reply::Reply;
use crate::kubelet::ContainerRuntime;

pub(super) fn answer(container: &ContainerRuntime, call: &Call) -> Reply {
    let path = call.request.path.trim_matches('/');
    if path == "_health" {
        return Reply::json(200, &json!({ "message": "ok" }));
    }
    let setting = |name: &str| container.env.get(name).map(String::as_str).unwrap_or_default();
    if setting("VERIFY_JWT") == "true" {
        match session::claims(call, setting("JWT_SECRET")) {
            Ok(Some(_)) => {}
            Ok(None) => return Reply::json(401, &json!({ "msg": "Missing authorization header" })),
            Err(refused) => return Reply::json(401, &json!({ "msg": refused.message() })),
        }
    }
    let name = path.split('/').next().unwrap_or_default();
    let is_name = !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !is_name {
        return Reply::json(400, &json!({ "msg": "missing function name in request" }));
    }
    let folders = setting("FUNCTIONS_DIRECTORIES");
    let folders = if folders.is_empty() { "/home/deno/functions" } else { folders };
    let found = folders.split(':').any(|folder| {
        let source = container.mounts.local(&format!("{folder}/{name}/index.ts"));
        source.is_some_and(|source| source.is_file())
    });
    if found {
        let message = format!(
            "sandbox: simulated; the function {name} is deployed, its code is not run here"
        );
        Reply::json(200, &json!({ "message": message }))
    } else {
        Reply::json(404, &json!({ "msg": format!("function {name} was not found") }))
    }
}
