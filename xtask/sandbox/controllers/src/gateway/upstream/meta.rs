//! postgres-meta: its health and the list of tables, which comes from PostgreSQL.

use std::path::Path;

use super::not_simulated;
use crate::gateway::journey::Call;
use crate::gateway::reply::Reply;
use crate::kubelet::ContainerRuntime;

pub(super) async fn answer(bin: &Path, container: &ContainerRuntime, call: &Call) -> Reply {
    if call.request.method != "GET" {
        return not_simulated(call);
    }
    match call.request.path.trim_end_matches('/') {
        "/health" => {
            Reply::json(200, &serde_json::json!({ "date": jiff::Timestamp::now().to_string() }))
        }
        "/tables" => match &container.started.login {
            None => not_simulated(call),
            Some(login) => match login.query(bin, TABLES.to_owned()).await {
                Ok(text) => Reply::new(200, "application/json; charset=utf-8", text.into_bytes()),
                Err(why) => Reply::json(500, &serde_json::json!({ "error": why })),
            },
        },
        _ => not_simulated(call),
    }
}

const TABLES: &str = "SELECT coalesce(json_agg(t), '[]') FROM (
    SELECT c.oid::int8 AS id, n.nspname AS schema, c.relname AS name, c.relrowsecurity AS rls_enabled
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    ORDER BY n.nspname, c.relname) t;";
