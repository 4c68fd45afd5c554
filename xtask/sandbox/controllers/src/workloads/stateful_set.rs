//! Keeps the numbered Pods of a StatefulSet, one after the other unless it may start them together.
//!
//! As upstream, an ordered StatefulSet never passes a Pod that is not ready, not even to roll back:
//! whoever rolls back has to delete such a Pod.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetStatus};
use k8s_openapi::api::core::v1::{PersistentVolumeClaimVolumeSource, Pod, Volume};
use kube::api::{DeleteParams, ObjectMeta};
use kube::{Resource, ResourceExt};

use super::pods::{
    available, controlled, count, from_template, is_finished, is_ready, missing_service_account,
};
use crate::cluster::Cluster;
use crate::events::EventType::{Normal, Warning};
use crate::names;

const COMPONENT: &str = "statefulset-controller";
const REVISION_LABEL: &str = "controller-revision-hash";

pub(crate) async fn reconcile(
    cluster: Arc<Cluster>,
    set: Arc<StatefulSet>,
) -> anyhow::Result<Option<Duration>> {
    let namespace = set.namespace().unwrap_or_default();
    let spec = set.spec.clone().unwrap_or_default();
    let text =
        serde_json::to_string(&spec.template).context("failed to write a Pod template as JSON")?;
    let revision = format!("{}-{}", set.name_any(), names::hash_suffix(&text, 10));
    if set.metadata.deletion_timestamp.is_none() {
        step(&cluster, &set, &spec, &namespace, &revision).await?;
    }
    report(&cluster, &set, &spec, &namespace, revision).await
}

/// Makes or deletes what comes next: one Pod, or all of them if they may start in parallel.
async fn step(
    cluster: &Cluster,
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    namespace: &str,
    revision: &str,
) -> anyhow::Result<()> {
    let pods = controlled(cluster, namespace, set.metadata.uid.as_deref());
    let at = |ordinal: i32| pods.iter().find(|pod| ordinal_of(pod) == Some(ordinal));
    let parallel = spec.pod_management_policy.as_deref() == Some("Parallel");
    let wanted = spec.replicas.unwrap_or(1);

    for ordinal in 0..wanted {
        match at(ordinal) {
            None => create(cluster, set, spec, namespace, revision, ordinal).await?,
            Some(pod) if is_finished(pod) => delete(cluster, set, pod).await?,
            Some(pod) if is_ready(pod) && pod.metadata.deletion_timestamp.is_none() => continue,
            Some(_) => {}
        }
        if !parallel {
            return Ok(());
        }
    }
    let mut surplus: Vec<_> =
        pods.iter().filter(|pod| ordinal_of(pod).is_none_or(|ordinal| ordinal >= wanted)).collect();
    surplus.sort_by_key(|pod| std::cmp::Reverse(ordinal_of(pod)));
    for pod in surplus {
        if pod.metadata.deletion_timestamp.is_none() {
            delete(cluster, set, pod).await?;
        }
        if !parallel {
            return Ok(());
        }
    }
    let strategy = spec.update_strategy.clone().unwrap_or_default();
    if strategy.type_.as_deref() == Some("OnDelete") {
        return Ok(());
    }
    let partition = strategy.rolling_update.and_then(|rolling| rolling.partition).unwrap_or(0);
    for ordinal in (partition..wanted).rev() {
        let Some(pod) = at(ordinal) else { return Ok(()) };
        if pod.metadata.deletion_timestamp.is_some() || !is_ready(pod) && is_of(pod, revision) {
            return Ok(());
        }
        if !is_of(pod, revision) {
            return delete(cluster, set, pod).await;
        }
    }
    Ok(())
}

fn ordinal_of(pod: &Pod) -> Option<i32> {
    pod.name_any().rsplit_once('-')?.1.parse().ok()
}

fn is_of(pod: &Pod, revision: &str) -> bool {
    pod.labels().get(REVISION_LABEL).is_some_and(|label| label == revision)
}

async fn create(
    cluster: &Cluster,
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    namespace: &str,
    revision: &str,
    ordinal: i32,
) -> anyhow::Result<()> {
    let name = format!("{}-{ordinal}", set.name_any());
    if let Some(refusal) = missing_service_account(cluster, namespace, &spec.template, &name) {
        let message =
            format!("create Pod {name} in StatefulSet {} failed error: {refusal}", set.name_any());
        cluster.events.record(COMPONENT, set, (Warning, "FailedCreate", &message)).await;
        anyhow::bail!("{refusal}");
    }
    let owner = set.controller_owner_ref(&()).context("a StatefulSet without a uid")?;
    let labels = [
        (REVISION_LABEL.to_owned(), revision.to_owned()),
        ("statefulset.kubernetes.io/pod-name".to_owned(), name.clone()),
        ("apps.kubernetes.io/pod-index".to_owned(), ordinal.to_string()),
    ];
    let mut pod = from_template(&spec.template, namespace, name.clone(), owner, labels);
    let pod_spec = pod.spec.get_or_insert_default();
    pod_spec.hostname = Some(name.clone());
    pod_spec.subdomain.clone_from(&spec.service_name);
    for template in spec.volume_claim_templates.iter().flatten() {
        let volume = template.name_any();
        let mut claim = template.clone();
        claim.metadata = ObjectMeta {
            name: Some(format!("{volume}-{name}")),
            namespace: Some(namespace.to_owned()),
            labels: spec.selector.match_labels.clone(),
            ..ObjectMeta::default()
        };
        if cluster.claims.get(namespace, &claim.name_any()).is_none() {
            cluster.create(&cluster.claims, &claim).await?;
        }
        let volumes = pod_spec.volumes.get_or_insert_default();
        volumes.retain(|existing| existing.name != volume);
        volumes.push(Volume {
            name: volume,
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name: claim.name_any(),
                read_only: None,
            }),
            ..Volume::default()
        });
    }
    cluster.create(&cluster.pods, &pod).await?;
    let message = format!("create Pod {name} in StatefulSet {} successful", set.name_any());
    cluster.events.record(COMPONENT, set, (Normal, "SuccessfulCreate", &message)).await;
    Ok(())
}

async fn delete(cluster: &Cluster, set: &StatefulSet, pod: &Pod) -> anyhow::Result<()> {
    cluster.delete(&cluster.pods, pod, &DeleteParams::default()).await?;
    let message =
        format!("delete Pod {} in StatefulSet {} successful", pod.name_any(), set.name_any());
    cluster.events.record(COMPONENT, set, (Normal, "SuccessfulDelete", &message)).await;
    Ok(())
}

async fn report(
    cluster: &Cluster,
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    namespace: &str,
    revision: String,
) -> anyhow::Result<Option<Duration>> {
    let pods = controlled(cluster, namespace, set.metadata.uid.as_deref());
    let (available, next) = available(&pods, spec.min_ready_seconds.unwrap_or(0));
    let old = set.status.clone().unwrap_or_default();
    let updated = count(pods.iter().filter(|pod| is_of(pod, &revision)));
    let complete = updated == spec.replicas.unwrap_or(1) && updated == count(&pods);
    let current = match old.current_revision.clone() {
        Some(current) if !complete => current,
        _ => revision.clone(),
    };
    let status = StatefulSetStatus {
        observed_generation: set.metadata.generation,
        replicas: count(&pods),
        ready_replicas: Some(count(pods.iter().filter(|pod| is_ready(pod)))),
        available_replicas: Some(available),
        current_replicas: Some(count(pods.iter().filter(|pod| is_of(pod, &current)))),
        updated_replicas: Some(updated),
        current_revision: Some(current),
        update_revision: Some(revision),
        collision_count: Some(0),
        conditions: None,
    };
    if status != old {
        let written = StatefulSet { status: Some(status), ..set.clone() };
        cluster.replace_status(&cluster.stateful_sets, &written).await?;
    }
    Ok(next)
}
