//! The control endpoint: asked by Moto for clusters and databases, by the commands for all else.
//!
//! It answers only requests whose `Host` is its own address: a web page in a browser of this machine
//! can send requests to loopback, but not choose that header freely.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use anyhow::Context;
use axum::{
    Router,
    body::Bytes,
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::json;
use tokio::net::TcpListener;
use xtask_tools::Secret;

use super::Parts;
use crate::{
    control::{Failure, FaultRequest},
    databases,
};

type Shared = State<Arc<Parts>>;

pub(super) async fn serve(listener: TcpListener, parts: Arc<Parts>) {
    let own = listener
        .local_addr()
        .ok()
        .and_then(|address| HeaderValue::from_str(&address.to_string()).ok());
    let router = Router::new()
        .route("/status", get(status))
        .route("/faults", put(plant).delete(remove))
        .route("/clusters", post(create_cluster))
        .route("/clusters/{name}", delete(delete_cluster))
        .route("/databases", post(create_database))
        .route("/databases/{identifier}", delete(delete_database))
        .route("/databases/{identifier}/password", put(set_password))
        .route("/charts/{file}", get(chart))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            let known = own.is_some() && request.headers().get(header::HOST) == own.as_ref();
            async move {
                if known { next.run(request).await } else { StatusCode::FORBIDDEN.into_response() }
            }
        }))
        .with_state(parts);
    // It only ends when the runtime does.
    let _ = axum::serve(listener, router).await;
}

/// A cluster as `eks:CreateCluster` made it.
#[derive(Debug, Deserialize)]
pub(super) struct ClusterRequest {
    pub(super) name: String,
    pub(super) region: String,
    /// Kubernetes' minor version, e.g. `1.35`.
    pub(super) version: String,
}

async fn create_cluster(State(parts): Shared, body: Bytes) -> Response {
    answer(async {
        let cluster = parts.clusters.create(&read::<ClusterRequest>(&body)?).await?;
        Ok(json!({
            "endpoint": cluster.endpoint,
            "certificate_authority": BASE64_STANDARD.encode(cluster.ca_pem),
        }))
    })
    .await
}

async fn delete_cluster(State(parts): Shared, Path(name): Path<String>) -> Response {
    answer(async {
        parts.clusters.delete(&name).await?;
        Ok(json!({}))
    })
    .await
}

/// A database as `rds:CreateDBInstance` or `CreateDBInstanceReadReplica` made it.
#[derive(Deserialize)]
struct DatabaseRequest {
    identifier: String,
    master_username: String,
    #[serde(deserialize_with = "optional_secret")]
    master_password: Option<Secret>,
    database_name: Option<String>,
    source_identifier: Option<String>,
    /// Those of the parameter group that somebody set.
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

async fn create_database(State(parts): Shared, body: Bytes) -> Response {
    answer(async {
        let request: DatabaseRequest = read(&body)?;
        let address = blocking(&parts, move |parts| {
            if let Some(source) = &request.source_identifier {
                return parts.databases.create_replica(&request.identifier, source);
            }
            let parameter = |name: &str| request.parameters.get(name).map(String::as_str);
            parts.databases.create(&databases::Request {
                // What RDS does without a word in the parameter group, from version 15 on.
                force_tls: parameter("rds.force_ssl") != Some("0"),
                logical_replication: parameter("rds.logical_replication") == Some("1"),
                identifier: request.identifier,
                master_username: request.master_username,
                master_password: request
                    .master_password
                    .context("a database needs a master password")?,
                database_name: request.database_name,
            })
        })
        .await?;
        Ok(json!(address))
    })
    .await
}

#[derive(Deserialize)]
struct PasswordRequest {
    #[serde(deserialize_with = "secret")]
    password: Secret,
}

async fn set_password(
    State(parts): Shared,
    Path(identifier): Path<String>,
    body: Bytes,
) -> Response {
    answer(async {
        let request: PasswordRequest = read(&body)?;
        blocking(&parts, move |parts| parts.databases.set_password(&identifier, &request.password))
            .await?;
        Ok(json!({}))
    })
    .await
}

async fn delete_database(State(parts): Shared, Path(identifier): Path<String>) -> Response {
    answer(async {
        blocking(&parts, move |parts| parts.databases.delete(&identifier)).await?;
        Ok(json!({}))
    })
    .await
}

async fn status(State(parts): Shared) -> Response {
    answer(async { Ok(json!(parts.report().await)) }).await
}

async fn plant(State(parts): Shared, body: Bytes) -> Response {
    answer(async {
        parts.faults.plant(&parts, &read::<FaultRequest>(&body)?.fault).await?;
        Ok(json!(parts.faults.list(&parts)))
    })
    .await
}

async fn remove(State(parts): Shared, body: Bytes) -> Response {
    answer(async {
        let fault = if body.is_empty() { None } else { Some(read::<FaultRequest>(&body)?.fault) };
        parts.faults.remove(&parts, fault.as_deref()).await?;
        Ok(json!(parts.faults.list(&parts)))
    })
    .await
}

async fn chart(State(parts): Shared, Path(file): Path<String>) -> Response {
    match parts.charts.file(&file) {
        Some(content) => content.to_owned().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Runs what blocks (a database that starts) beside the runtime's threads.
async fn blocking<T: Send + 'static>(
    parts: &Arc<Parts>,
    work: impl FnOnce(&Parts) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let parts = parts.clone();
    tokio::task::spawn_blocking(move || work(&parts)).await.context("the work was cut off")?
}

async fn answer(work: impl Future<Output = anyhow::Result<serde_json::Value>>) -> Response {
    match work.await {
        Ok(value) => axum::Json(value).into_response(),
        Err(error) => {
            let failure = Failure { error: format!("{error:#}") };
            (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(failure)).into_response()
        }
    }
}

/// Reads a body; the error never shows it, because it may hold a password.
fn read<T: DeserializeOwned>(body: &[u8]) -> anyhow::Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        anyhow::anyhow!("the request is not as expected at line {line}, column {column}")
    })
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::from)
}

fn optional_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|value| value.map(Secret::from))
}
