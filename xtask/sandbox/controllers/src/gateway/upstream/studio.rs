//! The dashboard: a page that says that it is none.

use serde_json::json;

use super::not_simulated;
use crate::gateway::journey::Call;
use crate::gateway::reply::Reply;
use crate::kubelet::ContainerRuntime;

const PAGE: &str = "<!doctype html><title>Supabase Studio (sandbox)</title>\
    <p>sandbox: simulated. The real dashboard would be here.</p>";

pub(super) fn answer(container: &ContainerRuntime, call: &Call) -> Reply {
    match (call.request.method.as_str(), call.request.path.as_str()) {
        ("GET" | "HEAD", "/api/platform/profile") => {
            let name = container.env.get("DEFAULT_ORGANIZATION_NAME").cloned().unwrap_or_default();
            Reply::json(200, &json!({ "id": 1, "username": name }))
        }
        ("GET" | "HEAD", _) => {
            Reply::new(200, "text/html; charset=utf-8", PAGE.as_bytes().to_vec())
        }
        _ => not_simulated(call),
    }
}
