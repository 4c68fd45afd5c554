//! PostgREST: tokens are verified, rows come from PostgreSQL under the token's role.

use std::path::Path;

use serde_json::{Value, json};

use super::sql::{identifier, literal};
use super::{not_simulated, session};
use crate::gateway::journey::Call;
use crate::gateway::reply::Reply;
use crate::kubelet::ContainerRuntime;
use crate::postgres::Login;

pub(super) async fn answer(bin: &Path, container: &ContainerRuntime, call: &Call) -> Reply {
    let setting = |name: &str| container.env.get(name).map(String::as_str).unwrap_or_default();
    let Some(login) = &container.started.login else { return not_simulated(call) };
    let claims = match session::claims(call, setting("PGRST_JWT_SECRET")) {
        Ok(claims) => claims.unwrap_or_default(),
        Err(refused) => {
            return error(401, "PGRST301", refused.message()).with("www-authenticate", "Bearer");
        }
    };
    let role = session::role(&claims).unwrap_or(setting("PGRST_DB_ANON_ROLE")).to_owned();
    let schemas: Vec<&str> = setting("PGRST_DB_SCHEMAS").split(',').map(str::trim).collect();
    let profile =
        call.request.header("content-profile").or_else(|| call.request.header("accept-profile"));
    let schema = match &profile {
        Some(profile) if schemas.contains(&profile.as_str()) => profile.as_str(),
        Some(profile) => {
            let message = format!("Invalid schema: {profile}");
            return error(406, "PGRST106", &message);
        }
        None => schemas.first().copied().unwrap_or("public"),
    };
    let query = Query { bin, login, role: &role, claims: &claims };
    let path = call.request.path.trim_matches('/');
    match (call.request.method.as_str(), path) {
        ("GET" | "HEAD", "") => {
            root(&query, schema, &Server::of(setting("PGRST_OPENAPI_SERVER_PROXY_URI"))).await
        }
        ("POST", path) if path.starts_with("rpc/") => {
            function(&query, schema, &path["rpc/".len()..], &call.body).await
        }
        ("GET" | "HEAD", table) if !table.contains('/') => rows(&query, schema, table, call).await,
        _ => not_simulated(call),
    }
}

struct Query<'a> {
    bin: &'a Path,
    login: &'a Login,
    role: &'a str,
    claims: &'a Value,
}

impl Query<'_> {
    /// Runs one statement as PostgREST does: in a transaction, with the role and the claims set.
    async fn run(&self, statement: &str) -> Result<String, String> {
        let sql = format!(
            "BEGIN;\nSET LOCAL ROLE {};\nSELECT set_config('request.jwt.claims', {}, true) \\g /dev/null\n{statement};\nCOMMIT;\n",
            identifier(self.role),
            literal(&self.claims.to_string()),
        );
        self.login.query(self.bin, sql).await
    }

    /// The reply to an error of PostgreSQL.
    fn failure(&self, why: &str) -> Reply {
        let message = why.split_once("ERROR:").map_or(why, |(_, message)| message).trim();
        if message.contains("permission denied") {
            let status = if self.claims.is_null() { 401 } else { 403 };
            return error(status, "42501", message);
        }
        if message.starts_with("role ") && message.ends_with("does not exist") {
            return error(401, "22023", message);
        }
        if message.contains("does not exist") {
            return error(404, "PGRST205", message);
        }
        if why.contains("FATAL") || why.contains("connection") {
            return error(503, "PGRST001", why);
        }
        error(400, "22000", message)
    }
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({ "code": code, "message": message, "details": null, "hint": null }))
}

/// Where the description says that the API is: as PostgREST, always with the port.
struct Server {
    scheme: String,
    host: String,
    base: String,
}

impl Server {
    /// Without a usable address it is the one that PostgREST listens on.
    fn of(address: &str) -> Self {
        let parsed = url::Url::parse(address).ok();
        let parsed = parsed.as_ref().and_then(|url| {
            let host = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
            Some(Self { scheme: url.scheme().to_owned(), host, base: url.path().to_owned() })
        });
        parsed.unwrap_or_else(|| Self {
            scheme: "http".to_owned(),
            host: "0.0.0.0:3000".to_owned(),
            base: "/".to_owned(),
        })
    }
}

/// The description of what the role may see.
async fn root(query: &Query<'_>, schema: &str, server: &Server) -> Reply {
    let statement = format!(
        "SELECT coalesce(json_agg(c.relname ORDER BY c.relname), '[]') FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {} AND c.relkind IN ('r', 'v', 'm', 'f', 'p') \
         AND has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE')",
        literal(schema)
    );
    match query.run(&statement).await {
        Ok(text) => {
            let tables: Vec<String> = serde_json::from_str(&text).unwrap_or_default();
            let paths = std::iter::once("/".to_owned())
                .chain(tables.iter().map(|table| format!("/{table}")));
            let paths: serde_json::Map<String, Value> =
                paths.map(|path| (path, json!({}))).collect();
            let body = json!({
                "swagger": "2.0",
                "info": { "title": "PostgREST API", "description": "sandbox: simulated; the tables are real" },
                "host": server.host,
                "basePath": server.base,
                "schemes": [server.scheme],
                "paths": paths,
            });
            Reply::new(
                200,
                "application/openapi+json; charset=utf-8",
                body.to_string().into_bytes(),
            )
        }
        Err(why) => query.failure(&why),
    }
}

/// The rows of a table; of the query's operators `select`, `limit` and `eq` are known.
async fn rows(query: &Query<'_>, schema: &str, table: &str, call: &Call) -> Reply {
    let mut columns = "*".to_owned();
    let mut limit = 1000_u32;
    let mut conditions = vec!["true".to_owned()];
    for (name, value) in url::form_urlencoded::parse(call.request.query.as_bytes()) {
        match (name.as_ref(), value.as_ref()) {
            ("apikey", _) | ("select", "*") => {}
            ("select", list) => {
                let names: Vec<_> = list.split(',').map(|name| identifier(name.trim())).collect();
                columns = names.join(", ");
            }
            ("limit", number) => limit = number.parse().unwrap_or(limit),
            (column, filter) => match filter.strip_prefix("eq.") {
                Some(value) => {
                    conditions.push(format!("{} = {}", identifier(column), literal(value)))
                }
                None => return not_simulated(call),
            },
        }
    }
    let statement = format!(
        "SELECT coalesce(json_agg(t), '[]') FROM (SELECT {columns} FROM {}.{} WHERE {} LIMIT {limit}) t",
        identifier(schema),
        identifier(table),
        conditions.join(" AND ")
    );
    match query.run(&statement).await {
        Ok(text) => Reply::new(200, "application/json; charset=utf-8", text.into_bytes()),
        Err(why) => query.failure(&why),
    }
}

/// Calls a function with the members of a JSON object as its arguments.
async fn function(query: &Query<'_>, schema: &str, name: &str, body: &[u8]) -> Reply {
    let body: Value =
        if body.is_empty() { json!({}) } else { serde_json::from_slice(body).unwrap_or_default() };
    let Some(arguments) = body.as_object() else {
        return error(400, "PGRST102", "Empty or invalid json");
    };
    let arguments: Vec<String> = arguments
        .iter()
        .map(|(name, value)| {
            let value = match value {
                Value::Null => "NULL".to_owned(),
                Value::String(text) => literal(text),
                other => literal(&other.to_string()),
            };
            format!("{} => {value}", identifier(name))
        })
        .collect();
    let statement = format!(
        "SELECT to_json({}.{}({}))",
        identifier(schema),
        identifier(name),
        arguments.join(", ")
    );
    match query.run(&statement).await {
        Ok(text) => Reply::new(200, "application/json; charset=utf-8", text.into_bytes()),
        Err(why) => query.failure(&why),
    }
}
