//! `GET pods/NAME/log`.

use http_body_util::{BodyExt, StreamBody};
use hyper::{
    Response,
    body::{Bytes, Frame},
    header::{self, HeaderValue},
};
use serde_json::Value;

use super::Reply;
use crate::{
    LogRequest,
    api::Call,
    cluster::Cluster,
    server::Shared,
    status::{Answer, Failure},
    value::{at, list, text},
};

pub(super) async fn log(shared: &Shared, cluster: &Cluster, call: &Call) -> Answer<Reply> {
    let pod = cluster.store().get(&call.resource.group_resource(), &call.namespace, &call.name);
    let pod = pod.ok_or_else(|| Failure::not_found(&call.resource, &call.name))?;
    let container = container(call, &pod)?;
    let request = LogRequest {
        cluster: cluster.name.clone(),
        namespace: call.namespace.clone(),
        pod: call.name.clone(),
        container,
        tail_lines: call.query.tail_lines,
        limit_bytes: call.query.limit_bytes,
        follow: call.query.follow,
        previous: call.query.previous,
        timestamps: call.query.timestamps,
    };
    let stream = shared.logs.log(request).await;
    let chunks = futures::stream::unfold(stream, |mut stream| async move {
        let chunk = stream.recv().await?;
        Some((Ok(Frame::data(Bytes::from(chunk))), stream))
    });
    let mut reply = Response::new(StreamBody::new(chunks).boxed());
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(reply)
}

/// The container asked for, once it exists and has run.
fn container(call: &Call, pod: &Value) -> Answer<String> {
    let names = |kind: &str| -> Vec<String> {
        list(pod, &format!("spec.{kind}")).iter().map(|one| text(one, "name").to_owned()).collect()
    };
    let (containers, init) = (names("containers"), names("initContainers"));
    let asked = &call.query.container;
    let name = match containers.as_slice() {
        [only] if asked.is_empty() => only.clone(),
        many if asked.is_empty() => {
            return Err(Failure::bad_request(format!(
                "a container name must be specified for pod {}, choose one of: [{}]",
                call.name,
                many.join(" ")
            )));
        }
        _ if containers.contains(asked) || init.contains(asked) => asked.clone(),
        _ => {
            return Err(Failure::bad_request(format!(
                "container {asked} is not valid for pod {}",
                call.name
            )));
        }
    };
    let statuses = ["containerStatuses", "initContainerStatuses"];
    let status = statuses
        .iter()
        .flat_map(|field| list(pod, &format!("status.{field}")))
        .find(|status| text(status, "name") == name);
    let waits =
        status.map(|status| at(status, "state.waiting")).filter(|waiting| waiting.is_object());
    let ran = status.is_some_and(|status| {
        at(status, "restartCount").as_i64().is_some_and(|count| count > 0)
            || at(status, "lastState.terminated").is_object()
    });
    if let (Some(waiting), false) = (waits, ran) {
        return Err(Failure::bad_request(format!(
            "container {name:?} in pod {:?} is waiting to start: {}",
            call.name,
            text(waiting, "reason")
        )));
    }
    Ok(name)
}
