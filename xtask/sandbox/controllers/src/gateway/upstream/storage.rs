//! Storage: tokens are verified, buckets are PostgreSQL's, objects go through to S3.

use serde_json::{Value, json};

use super::sql::identifier;
use super::{not_simulated, session};
use crate::aws::Aws;
use crate::gateway::journey::Call;
use crate::gateway::reply::Reply;
use crate::kubelet::ContainerRuntime;
use crate::load_balancer::Site;

pub(super) async fn answer(site: &Site, container: &ContainerRuntime, call: &Call) -> Reply {
    let (method, path) = (call.request.method.as_str(), call.request.path.as_str());
    if method == "GET" && path == "/status" {
        return Reply::text(200, "");
    }
    if method == "GET" && path == "/health" {
        return Reply::json(200, &json!({ "healthy": true }));
    }
    let secret = container.env.get("AUTH_JWT_SECRET").map(String::as_str).unwrap_or_default();
    let claims = match session::claims(call, secret) {
        Ok(Some(claims)) => claims,
        Ok(None) => {
            return refuse("400", "headers must have required property 'authorization'", 400);
        }
        Err(refused) => return refuse("403", refused.message(), 400),
    };
    let role = session::role(&claims).unwrap_or("anon");
    match (method, path.trim_end_matches('/')) {
        ("GET", "/bucket") => buckets(site, container, role).await,
        ("GET" | "POST" | "PUT" | "DELETE", path) if path.starts_with("/object/") => {
            object(site, container, role, path.trim_start_matches("/object/"), call).await
        }
        _ => not_simulated(call),
    }
}

fn refuse(code: &str, message: &str, status: u16) -> Reply {
    Reply::json(status, &json!({ "statusCode": code, "error": "Unauthorized", "message": message }))
}

/// The buckets that the role may see. Storage's own migrations do not run here, so that the table may
/// be missing: then it proves the right to use its schema and there are none.
async fn buckets(site: &Site, container: &ContainerRuntime, role: &str) -> Reply {
    let Some(login) = &container.started.login else { return refuse("500", "no database", 500) };
    let bin = &site.cluster.config.postgres_bin;
    let enter = format!("BEGIN;\nSET LOCAL ROLE {};\n", identifier(role));
    let usable = format!(
        "{enter}SELECT has_schema_privilege('storage', 'USAGE') AND to_regclass('storage.buckets') IS NOT NULL, \
         has_schema_privilege('storage', 'USAGE');\nCOMMIT;\n"
    );
    let answer = match login.query(bin, usable).await {
        Ok(flags) if flags == "t|t" => {
            let select = "SELECT coalesce(json_agg(b), '[]') FROM storage.buckets b;\nCOMMIT;\n";
            login.query(bin, format!("{enter}{select}")).await
        }
        Ok(flags) if flags == "f|t" => Ok("[]".to_owned()),
        Ok(_) => Err(format!("permission denied for schema storage (role {role})")),
        Err(why) => Err(why),
    };
    match answer {
        Ok(text) => Reply::new(200, "application/json; charset=utf-8", text.into_bytes()),
        Err(why) => Reply::json(
            500,
            &json!({ "statusCode": "500", "error": "DatabaseError", "message": why }),
        ),
    }
}

/// Reads or writes one object. Row security on storage.objects is not simulated: only the role that
/// passes it may come through.
async fn object(
    site: &Site,
    container: &ContainerRuntime,
    role: &str,
    path: &str,
    call: &Call,
) -> Reply {
    if role != "service_role" {
        return refuse("403", "new row violates row-level security policy", 400);
    }
    let setting = |name: &str| container.env.get(name).map(String::as_str).unwrap_or_default();
    let (bucket, tenant) = (setting("STORAGE_S3_BUCKET"), setting("TENANT_ID"));
    let path = path.trim_start_matches("authenticated/").trim_start_matches("public/");
    let key = format!("{bucket}/{tenant}/{path}");
    let aws = Aws::new(site.cluster.config.aws.clone());
    let (method, body) = match call.request.method.as_str() {
        "POST" | "PUT" => ("PUT", call.body.clone()),
        other => (other, Vec::new()),
    };
    match aws.object(method, &key, body).await {
        Ok((200 | 204, content)) if method == "GET" => {
            Reply::new(200, "application/octet-stream", content)
        }
        Ok((200 | 204, _)) => {
            let name = path.split_once('/').map_or(path, |(_, name)| name);
            Reply::json(200, &json!({ "Key": path, "Id": Value::Null, "name": name }))
        }
        Ok((404, _)) => Reply::json(
            400,
            &json!({ "statusCode": "404", "error": "not_found", "message": "Object not found" }),
        ),
        Ok((status, _)) => {
            let message = format!("S3 answers {status}");
            Reply::json(
                500,
                &json!({ "statusCode": "500", "error": "S3Error", "message": message }),
            )
        }
        Err(error) => {
            let message = format!("{error:#}");
            Reply::json(
                500,
                &json!({ "statusCode": "500", "error": "S3Error", "message": message }),
            )
        }
    }
}
