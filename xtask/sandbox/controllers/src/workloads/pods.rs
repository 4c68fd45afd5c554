//! What all workload controllers share about Pods.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use kube::api::ObjectMeta;

use crate::cluster::{Cluster, is_controlled_by};

/// The Pods that `uid` controls, in the order of their names.
pub(crate) fn controlled(cluster: &Cluster, namespace: &str, uid: Option<&str>) -> Vec<Arc<Pod>> {
    cluster.pods.select(|pod| {
        pod.metadata.namespace.as_deref() == Some(namespace) && is_controlled_by(&pod.metadata, uid)
    })
}

/// A Pod made from `template`.
pub(crate) fn from_template(
    template: &PodTemplateSpec,
    namespace: &str,
    name: String,
    owner: OwnerReference,
    labels: impl IntoIterator<Item = (String, String)>,
) -> Pod {
    let from = template.metadata.clone().unwrap_or_default();
    let mut all: BTreeMap<String, String> = from.labels.unwrap_or_default();
    all.extend(labels);
    Pod {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(namespace.to_owned()),
            labels: Some(all),
            annotations: from.annotations,
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// The refusal of a real API server if the template's ServiceAccount does not exist.
pub(crate) fn missing_service_account(
    cluster: &Cluster,
    namespace: &str,
    template: &PodTemplateSpec,
    pod: &str,
) -> Option<String> {
    let name = template
        .spec
        .as_ref()
        .and_then(|spec| spec.service_account_name.as_deref())
        .unwrap_or("default");
    cluster.service_accounts.get(namespace, name).is_none().then(|| {
        format!(
            "pods \"{pod}\" is forbidden: error looking up service account {namespace}/{name}: \
             serviceaccount \"{name}\" not found"
        )
    })
}

/// Neither finished nor being deleted.
pub(crate) fn is_active(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none() && !is_finished(pod)
}

pub(crate) fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
}

pub(crate) fn is_finished(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Since when the Pod is ready.
pub(crate) fn ready_since(pod: &Pod) -> Option<jiff::Timestamp> {
    let condition = pod
        .status
        .as_ref()?
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "Ready" && condition.status == "True")?;
    Some(
        condition
            .last_transition_time
            .as_ref()
            .map_or(jiff::Timestamp::UNIX_EPOCH, |Time(time)| *time),
    )
}

pub(crate) fn is_ready(pod: &Pod) -> bool {
    ready_since(pod).is_some()
}

/// How many Pods have been ready for `min_ready_seconds`, and after which time one more will be.
pub(crate) fn available(pods: &[Arc<Pod>], min_ready_seconds: i32) -> (i32, Option<Duration>) {
    let mut count = 0;
    let mut next: Option<Duration> = None;
    for since in pods.iter().filter_map(|pod| ready_since(pod)) {
        let left =
            i64::from(min_ready_seconds) - jiff::Timestamp::now().duration_since(since).as_secs();
        match u64::try_from(left) {
            Ok(left) if left > 0 => {
                let left = Duration::from_secs(left);
                next = Some(next.map_or(left, |next| next.min(left)));
            }
            _ => count += 1,
        }
    }
    (count, next)
}

/// A count as the API has it.
pub(crate) fn count<T>(items: impl IntoIterator<Item = T>) -> i32 {
    i32::try_from(items.into_iter().count()).unwrap_or(i32::MAX)
}

/// Orders Pods so that those that a controller gives up first come first: unassigned, pending,
/// not ready, youngest.
pub(crate) fn least_useful_first(pods: &mut [Arc<Pod>]) {
    pods.sort_by_key(|pod| {
        let assigned = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
        let running = phase(pod) == "Running";
        let born = pod.metadata.creation_timestamp.as_ref().map(|Time(time)| *time);
        (assigned, running, is_ready(pod), std::cmp::Reverse(born))
    });
}
