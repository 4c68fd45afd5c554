//! From HTTP to a cluster and back.

mod documents;
mod log;
mod media;
mod path;
mod table;
mod watch;

use std::{convert::Infallible, sync::Arc};

use http_body_util::{BodyExt, Full, Limited, combinators::BoxBody};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header::{self, HeaderMap, HeaderValue},
};
use serde_json::Value;

pub(crate) use path::call;

use crate::{
    Unrecognised, User,
    api::{Body, Call, Done},
    cluster::Cluster,
    server::Shared,
    status::{Answer, Failure},
};

/// The most bytes of a request's body.
const MOST_BYTES: usize = 3 * 1024 * 1024;

pub(crate) type Reply = Response<BoxBody<Bytes, Infallible>>;

/// What of a request is not its body.
struct Head {
    method: String,
    /// Below the cluster's prefix, without the first slash.
    path: String,
    query: String,
    headers: HeaderMap,
}

impl Head {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Answers one request.
pub(crate) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Reply {
    let reply = route(&shared, request).await;
    reply.unwrap_or_else(|failure| json(failure.code(), &failure.to_value()))
}

async fn route(shared: &Shared, request: Request<Incoming>) -> Answer<Reply> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().trim_start_matches('/');
    if let Some(reply) = documents::open(path) {
        return Ok(reply);
    }
    let rest = path.strip_prefix("clusters/").ok_or_else(Failure::no_such_path)?;
    let (cluster, path) = rest.split_once('/').unwrap_or((rest, ""));
    let cluster = shared.cluster(cluster).ok_or_else(Failure::no_such_path)?;
    if let Some(reply) = documents::open(path) {
        return Ok(reply);
    }
    let head = Head {
        method: parts.method.as_str().to_owned(),
        path: path.to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
    };
    let user = authenticate(shared, &cluster, &head).await?;
    let prefix = format!("/clusters/{}", cluster.name);
    if let Some(reply) =
        documents::discovery(&cluster, &head, &prefix, &shared.address.to_string())?
    {
        return Ok(reply);
    }
    let agent = head.header(header::USER_AGENT);
    let call = call(&cluster, &head.path, &head.query, agent, user)?;
    match (head.method.as_str(), call.subresource.as_str()) {
        ("GET", "") if call.query.watch => watch::watch(cluster, call, media::Shape::asked(&head)),
        ("GET", "log") => log::log(shared, &cluster, &call).await,
        _ => {
            let body = read(&head, body).await?;
            let done = cluster.respond(&call, &head.method, &body)?;
            Ok(finished(&head, &call, done))
        }
    }
}

async fn authenticate(shared: &Shared, cluster: &Cluster, head: &Head) -> Answer<User> {
    let token = head
        .header(header::AUTHORIZATION)
        .strip_prefix("Bearer ")
        .map(str::trim)
        .unwrap_or_default();
    if token.is_empty() {
        return Err(Failure::unauthorized());
    }
    if token == &*shared.internal_token {
        let groups = vec!["system:masters".to_owned(), "system:authenticated".to_owned()];
        return Ok(User { name: "system:kube-controller-manager".to_owned(), groups });
    }
    if let Some(user) = cluster.issuer.user(token) {
        return Ok(user);
    }
    shared.authenticator.authenticate(&cluster.name, token).await.map_err(|refusal| match refusal {
        Unrecognised::Unauthorized { .. } => Failure::unauthorized(),
        Unrecognised::Unavailable { .. } => Failure::unavailable(),
    })
}

async fn read(head: &Head, body: Incoming) -> Answer<Body> {
    let bytes = Limited::new(body, MOST_BYTES)
        .collect()
        .await
        .map_err(|_| Failure::too_large())?
        .to_bytes();
    let media =
        head.header(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_owned();
    Ok(Body { media, bytes: bytes.to_vec() })
}

fn finished(head: &Head, call: &Call, done: Done) -> Reply {
    let body = media::Shape::asked(head).of(&call.resource, done.body);
    let mut reply = json(done.code, &body);
    for warning in done.warnings {
        let text = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
            reply.headers_mut().append(header::WARNING, value);
        }
    }
    reply
}

/// A reply with a JSON body.
fn json(code: u16, body: &Value) -> Reply {
    typed(code, "application/json", body.to_string())
}

fn typed(code: u16, media: &str, body: String) -> Reply {
    reply(code, media, body.into_bytes())
}

fn reply(code: u16, media: &str, body: Vec<u8>) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)).boxed());
    *reply.status_mut() =
        hyper::StatusCode::from_u16(code).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(media) = HeaderValue::from_str(media) {
        reply.headers_mut().insert(header::CONTENT_TYPE, media);
    }
    reply
}
