//! Keeps as many Pods of a ReplicaSet as it wants.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::DeleteParams;
use kube::{Resource, ResourceExt};

use super::pods::{
    available, controlled, count, from_template, is_active, is_ready, least_useful_first,
    missing_service_account,
};
use crate::cluster::Cluster;
use crate::events::EventType::{Normal, Warning};
use crate::names;

const COMPONENT: &str = "replicaset-controller";

pub(crate) async fn reconcile(
    cluster: Arc<Cluster>,
    set: Arc<ReplicaSet>,
) -> anyhow::Result<Option<Duration>> {
    let namespace = set.namespace().unwrap_or_default();
    let spec = set.spec.clone().unwrap_or_default();
    let wanted = spec.replicas.unwrap_or(1);
    let mut pods = active_pods(&cluster, &set, &namespace);

    let mut failure = None;
    if set.metadata.deletion_timestamp.is_none() {
        let missing = wanted - count(&pods);
        if missing > 0 {
            failure = create_pods(&cluster, &set, &namespace, missing).await?;
        } else if missing < 0 {
            least_useful_first(&mut pods);
            for pod in pods.iter().take(missing.unsigned_abs() as usize) {
                cluster.delete(&cluster.pods, pod, &DeleteParams::default()).await?;
                let message = format!("Deleted pod: {}", pod.name_any());
                let event = (Normal, "SuccessfulDelete", message.as_str());
                cluster.events.record(COMPONENT, &*set, event).await;
            }
        }
        pods = active_pods(&cluster, &set, &namespace);
    }

    let (available, next) = available(&pods, spec.min_ready_seconds.unwrap_or(0));
    let labels =
        spec.template.as_ref().and_then(|template| template.metadata.as_ref()?.labels.as_ref());
    let old = set.status.clone().unwrap_or_default();
    let status = ReplicaSetStatus {
        replicas: count(&pods),
        fully_labeled_replicas: Some(count(pods.iter().filter(|pod| {
            labels.is_none_or(|labels| {
                labels.iter().all(|(key, value)| pod.labels().get(key) == Some(value))
            })
        }))),
        ready_replicas: Some(count(pods.iter().filter(|pod| is_ready(pod)))),
        available_replicas: Some(available),
        observed_generation: set.metadata.generation,
        conditions: failure.map(|message| vec![replica_failure(&old, message)]),
        terminating_replicas: None,
    };
    if status != old {
        let written = ReplicaSet { status: Some(status), ..(*set).clone() };
        cluster.replace_status(&cluster.replica_sets, &written).await?;
    }
    Ok(next)
}

fn active_pods(
    cluster: &Cluster,
    set: &ReplicaSet,
    namespace: &str,
) -> Vec<Arc<k8s_openapi::api::core::v1::Pod>> {
    let mut pods = controlled(cluster, namespace, set.metadata.uid.as_deref());
    pods.retain(|pod| is_active(pod));
    pods
}

/// Makes `missing` Pods; the answer is why it could not.
async fn create_pods(
    cluster: &Cluster,
    set: &ReplicaSet,
    namespace: &str,
    missing: i32,
) -> anyhow::Result<Option<String>> {
    let template = set.spec.as_ref().and_then(|spec| spec.template.clone()).unwrap_or_default();
    let owner = set.controller_owner_ref(&()).context("a ReplicaSet without a uid")?;
    let prefix = set.name_any();
    for _ in 0..missing {
        let name = format!("{prefix}-{}", names::random_suffix(5));
        let refusal = missing_service_account(cluster, namespace, &template, &format!("{prefix}-"));
        let refusal = match refusal {
            Some(refusal) => Some(refusal),
            None => {
                let pod = from_template(&template, namespace, name.clone(), owner.clone(), []);
                match cluster.create(&cluster.pods, &pod).await {
                    Ok(_) => None,
                    Err(kube::Error::Api(status)) => Some(status.message.clone()),
                    Err(error) => return Err(error.into()),
                }
            }
        };
        if let Some(refusal) = refusal {
            let message = format!("Error creating: {refusal}");
            let event = (Warning, "FailedCreate", message.as_str());
            if !has_failed_with(set, &refusal) {
                cluster.events.record(COMPONENT, set, event).await;
            }
            return Ok(Some(refusal));
        }
        let message = format!("Created pod: {name}");
        let event = (Normal, "SuccessfulCreate", message.as_str());
        cluster.events.record(COMPONENT, set, event).await;
    }
    Ok(None)
}

fn has_failed_with(set: &ReplicaSet, message: &str) -> bool {
    set.status.iter().flat_map(|status| status.conditions.iter().flatten()).any(|condition| {
        condition.type_ == "ReplicaFailure" && condition.message.as_deref() == Some(message)
    })
}

fn replica_failure(old: &ReplicaSetStatus, message: String) -> ReplicaSetCondition {
    let before = old.conditions.iter().flatten().find(|condition| {
        condition.type_ == "ReplicaFailure" && condition.message.as_deref() == Some(&message)
    });
    before.cloned().unwrap_or_else(|| ReplicaSetCondition {
        type_: "ReplicaFailure".to_owned(),
        status: "True".to_owned(),
        reason: Some("FailedCreate".to_owned()),
        message: Some(message),
        last_transition_time: Some(Time(jiff::Timestamp::now())),
    })
}
