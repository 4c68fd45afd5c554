//! Storage: tokens are verified, buckets are PostgreSQL's with its row security, objects go through to S3.

use serde_json::{Value, json};

use super::sql::{identifier, literal};
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
        ("GET", "/bucket") => {
            let select = "SELECT coalesce(json_agg(b), '[]') FROM storage.buckets b;";
            match as_role(site, container, role, select).await {
                Ok(text) => Reply::new(200, "application/json; charset=utf-8", text.into_bytes()),
                Err(reply) => reply,
            }
        }
        ("POST", "/bucket") => create_bucket(site, container, role, call).await,
        ("DELETE", path) if path.starts_with("/bucket/") => {
            let id = path.trim_start_matches("/bucket/");
            delete_bucket(site, container, role, id).await
        }
        ("GET" | "POST" | "PUT" | "DELETE", path) if path.starts_with("/object/") => {
            object(site, container, role, path.trim_start_matches("/object/"), call).await
        }
        _ => not_simulated(call),
    }
}

fn refuse(code: &str, message: &str, status: u16) -> Reply {
    fail(code, "Unauthorized", message, status)
}

/// Runs a statement on Storage's connection as the role of the caller; the error is Storage's answer.
async fn as_role(
    site: &Site,
    container: &ContainerRuntime,
    role: &str,
    statement: &str,
) -> Result<String, Reply> {
    let Some(login) = &container.started.login else {
        return Err(refuse("500", "no database", 500));
    };
    let script = format!("BEGIN;\nSET LOCAL ROLE {};\n{statement}\nCOMMIT;\n", identifier(role));
    login.query(&site.cluster.config.postgres_bin, script).await.map_err(|why| {
        if why.contains("row-level security") || why.contains("permission denied") {
            refuse("403", "new row violates row-level security policy", 400)
        } else if why.contains("duplicate key") {
            fail("409", "Duplicate", "The resource already exists", 400)
        } else {
            fail("500", "DatabaseError", &why, 500)
        }
    })
}

fn fail(code: &str, error: &str, message: &str, status: u16) -> Reply {
    Reply::json(status, &json!({ "statusCode": code, "error": error, "message": message }))
}

async fn create_bucket(
    site: &Site,
    container: &ContainerRuntime,
    role: &str,
    call: &Call,
) -> Reply {
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let Some(name) = body["name"].as_str() else {
        return fail("400", "Error", "body must have required property 'name'", 400);
    };
    let id = body["id"].as_str().unwrap_or(name);
    let insert = format!(
        "INSERT INTO storage.buckets (id, name) VALUES ({}, {});",
        literal(id),
        literal(name)
    );
    match as_role(site, container, role, &insert).await {
        Ok(_) => Reply::json(200, &json!({ "name": name })),
        Err(reply) => reply,
    }
}

async fn delete_bucket(site: &Site, container: &ContainerRuntime, role: &str, id: &str) -> Reply {
    let delete = format!("DELETE FROM storage.buckets WHERE id = {} RETURNING id;", literal(id));
    match as_role(site, container, role, &delete).await {
        Ok(deleted) if deleted.is_empty() => {
            fail("404", "Bucket not found", "Bucket not found", 400)
        }
        Ok(_) => Reply::json(200, &json!({ "message": "Successfully deleted" })),
        Err(reply) => reply,
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
