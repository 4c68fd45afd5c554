//! Realtime: tenants, whose database login is tried, and the handshake of its websocket.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::{not_simulated, session};
use crate::gateway::journey::Call;
use crate::gateway::jwt;
use crate::gateway::reply::Reply;
use crate::kubelet::ContainerRuntime;
use crate::load_balancer::Site;
use crate::postgres::Login;

/// What a server appends to a websocket's key before it hashes it (RFC 6455).
const WEBSOCKET: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

pub(super) async fn answer(site: &Site, container: &ContainerRuntime, call: &Call) -> Reply {
    let secret = container.env.get("API_JWT_SECRET").map(String::as_str).unwrap_or_default();
    let path = call.request.path.trim_end_matches('/');
    if path == "/healthcheck" {
        return Reply::text(200, "ok");
    }
    if path == "/socket/websocket" {
        return handshake(call, secret);
    }
    let Some(tenant) = path.strip_prefix("/api/tenants/") else { return not_simulated(call) };
    if !matches!(session::claims(call, secret), Ok(Some(_))) {
        return Reply::json(403, &json!({ "message": "Unauthorized" }));
    }
    match (call.request.method.as_str(), tenant.strip_suffix("/health")) {
        ("PUT", None) => register(site, tenant, &call.body).await,
        // As the real one: always 200, the truth is in the body.
        ("GET", Some(tenant)) => {
            let healthy = site.kubelet.has_tenant(tenant);
            let data =
                json!({ "healthy": healthy, "db_connected": healthy, "connected_cluster": 0 });
            Reply::json(200, &json!({ "data": data }))
        }
        _ => not_simulated(call),
    }
}

/// Takes a tenant in whose database can be reached with the login that it brings.
async fn register(site: &Site, tenant: &str, body: &[u8]) -> Reply {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let settings = body.pointer("/tenant/extensions/0/settings").cloned().unwrap_or_default();
    let login = match login(&settings) {
        Ok(login) => login,
        Err(why) => return Reply::json(422, &json!({ "errors": { "settings": [why] } })),
    };
    if let Err(why) = login.prove(&site.cluster.config.postgres_bin).await {
        return Reply::json(
            422,
            &json!({ "errors": { "settings": [format!("database: {why}")] } }),
        );
    }
    site.kubelet.add_tenant(tenant);
    Reply::json(201, &json!({ "data": { "external_id": tenant, "name": tenant } }))
}

fn login(settings: &Value) -> Result<Login, String> {
    let text = |name: &str| match settings.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err(format!("{name} can't be blank")),
    };
    let tls = settings.get("ssl_enforced").and_then(Value::as_bool).unwrap_or(true);
    Login::plain(
        (text("db_host")?, text("db_port")?),
        (text("db_user")?, text("db_password")?),
        text("db_name")?,
        tls,
    )
}

/// Accepts a websocket with a valid key. No frame is answered after that.
fn handshake(call: &Call, secret: &str) -> Reply {
    let key = call.request.header("x-api-key").or_else(|| call.request.query("apikey"));
    if key.is_none_or(|key| jwt::verify(&key, secret).is_err()) {
        return Reply::text(403, "");
    }
    let is_upgrade = call
        .request
        .header("upgrade")
        .is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"));
    let Some(nonce) = call.request.header("sec-websocket-key").filter(|_| is_upgrade) else {
        return Reply::text(426, "");
    };
    let accept = STANDARD.encode(Sha1::digest(format!("{nonce}{WEBSOCKET}")));
    let headers =
        [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", &accept)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Reply { status: 101, headers: headers.into(), body: Vec::new() }
}
