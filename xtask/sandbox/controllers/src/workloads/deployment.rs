//! Rolls a Deployment's template out over ReplicaSets, with the steps of the upstream controller.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::{DeleteParams, ObjectMeta};
use kube::{Resource, ResourceExt};

use super::deployment_status;
use super::pods::controlled;
use super::rollout::{Bounds, available, is_recreate, wanted};
use crate::cluster::{Cluster, is_controlled_by};
use crate::events::EventType::Normal;
use crate::names;

const COMPONENT: &str = "deployment-controller";
const HASH_LABEL: &str = "pod-template-hash";
/// The annotation that numbers the revisions; `kubectl rollout history` reads it.
const REVISION: &str = "deployment.kubernetes.io/revision";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";

pub(crate) async fn reconcile(
    cluster: Arc<Cluster>,
    deployment: Arc<Deployment>,
) -> anyhow::Result<Option<Duration>> {
    let mut old = replica_sets(&cluster, &deployment);
    let new = take_new(&deployment, &mut old);
    if deployment.metadata.deletion_timestamp.is_some() {
        return deployment_status::sync(&cluster, &deployment, new.as_ref(), &old, None).await;
    }
    let spec = deployment.spec.clone().unwrap_or_default();
    let bounds = Bounds::of(&deployment);
    if spec.paused == Some(true) {
        // A paused rollout keeps its shape, but `kubectl scale` still works on the serving one.
        if let Some(active) = new.clone().or_else(|| old.last().cloned())
            && old.iter().chain(&new).filter(|set| wanted(set) > 0).count() <= 1
        {
            scale(&cluster, &deployment, &active, bounds.replicas, bounds).await?;
        }
        return deployment_status::sync(&cluster, &deployment, new.as_ref(), &old, None).await;
    }

    let mut created = None;
    let mut new = match new {
        Some(set) => Some(mark_revision(&cluster, &deployment, set, &old).await?),
        // All old Pods go before a `Recreate` makes its new ReplicaSet.
        None if is_recreate(&deployment) && has_old_pods(&cluster, &deployment, &old) => None,
        None => {
            let set = create_new(&cluster, &deployment, &old, bounds).await?;
            created = Some(set.name_any());
            Some(Arc::new(set))
        }
    };
    if is_recreate(&deployment) {
        for set in &mut old {
            *set = scale(&cluster, &deployment, set, 0, bounds).await?;
        }
        if !has_old_pods(&cluster, &deployment, &old)
            && let Some(set) = &mut new
        {
            *set = scale(&cluster, &deployment, set, bounds.replicas, bounds).await?;
        }
    } else if let Some(set) = &mut new {
        roll(&cluster, &deployment, set, &mut old, bounds).await?;
    }
    prune(&cluster, &deployment, &old).await?;
    if let Some(set) = &new {
        copy_revision(&cluster, &deployment, set).await?;
    }
    // Scaling may have changed the object; the status belongs to what is current.
    let current = cluster
        .deployments
        .get(&deployment.namespace().unwrap_or_default(), &deployment.name_any())
        .unwrap_or(deployment);
    deployment_status::sync(&cluster, &current, new.as_ref(), &old, created).await
}

/// One step of a rolling update.
async fn roll(
    cluster: &Cluster,
    deployment: &Deployment,
    new: &mut Arc<ReplicaSet>,
    old: &mut [Arc<ReplicaSet>],
    bounds: Bounds,
) -> anyhow::Result<()> {
    let all = wanted(new) + old.iter().map(|set| wanted(set)).sum::<i32>();
    let grown = bounds.grow(wanted(new), all);
    *new = scale(cluster, deployment, new, grown, bounds).await?;
    let numbers: Vec<_> = old.iter().map(|set| (wanted(set), available(set))).collect();
    let shrunk = bounds.shrink((wanted(new), available(new)), &numbers);
    for (set, replicas) in old.iter_mut().zip(shrunk) {
        *set = scale(cluster, deployment, set, replicas, bounds).await?;
    }
    Ok(())
}

/// The ReplicaSets of a Deployment, oldest revision first.
fn replica_sets(cluster: &Cluster, deployment: &Deployment) -> Vec<Arc<ReplicaSet>> {
    let uid = deployment.metadata.uid.as_deref();
    let mut sets = cluster.replica_sets.select(|set| is_controlled_by(&set.metadata, uid));
    sets.sort_by_key(|set| revision(set));
    sets
}

fn revision(set: &ReplicaSet) -> i64 {
    set.annotations().get(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Takes the ReplicaSet that has the Deployment's template out of `sets`.
fn take_new(deployment: &Deployment, sets: &mut Vec<Arc<ReplicaSet>>) -> Option<Arc<ReplicaSet>> {
    let template = &deployment.spec.as_ref()?.template;
    let index = sets.iter().position(|set| {
        set.spec
            .as_ref()
            .and_then(|spec| spec.template.as_ref())
            .is_some_and(|other| without_hash(other) == without_hash(template))
    })?;
    Some(sets.remove(index))
}

fn without_hash(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    let meta = template.metadata.get_or_insert_default();
    meta.creation_timestamp = None;
    if let Some(labels) = &mut meta.labels {
        labels.remove(HASH_LABEL);
    }
    template
}

fn has_old_pods(cluster: &Cluster, deployment: &Deployment, old: &[Arc<ReplicaSet>]) -> bool {
    let namespace = deployment.namespace().unwrap_or_default();
    old.iter().any(|set| {
        controlled(cluster, &namespace, set.metadata.uid.as_deref())
            .iter()
            .any(|pod| !super::pods::is_finished(pod))
    })
}

async fn create_new(
    cluster: &Cluster,
    deployment: &Deployment,
    old: &[Arc<ReplicaSet>],
    bounds: Bounds,
) -> anyhow::Result<ReplicaSet> {
    let spec = deployment.spec.clone().unwrap_or_default();
    let text = serde_json::to_string(&without_hash(&spec.template))
        .context("failed to write a Pod template as JSON")?;
    let hash = names::hash_suffix(&text, 10);
    let all = old.iter().map(|set| wanted(set)).sum();
    let replicas = if is_recreate(deployment) { bounds.replicas } else { bounds.grow(0, all) };

    let mut template = spec.template;
    let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
    labels.insert(HASH_LABEL.to_owned(), hash.clone());
    let labels = labels.clone();
    let mut selector: BTreeMap<_, _> = spec.selector.match_labels.unwrap_or_default();
    selector.insert(HASH_LABEL.to_owned(), hash.clone());
    let mut annotations = carried_annotations(deployment);
    annotations.insert(REVISION.to_owned(), next_revision(old).to_string());
    annotations.extend(bound_annotations(bounds));
    let set = ReplicaSet {
        metadata: ObjectMeta {
            name: Some(format!("{}-{hash}", deployment.name_any())),
            namespace: deployment.namespace(),
            labels: Some(labels),
            annotations: Some(annotations),
            owner_references: deployment.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        spec: Some(ReplicaSetSpec {
            replicas: Some(replicas),
            selector: LabelSelector { match_labels: Some(selector), ..spec.selector },
            template: Some(template),
            min_ready_seconds: spec.min_ready_seconds,
        }),
        status: None,
    };
    let created = cluster.create(&cluster.replica_sets, &set).await?;
    let message = format!("Scaled up replica set {} from 0 to {replicas}", created.name_any());
    let event = (Normal, "ScalingReplicaSet", message.as_str());
    cluster.events.record(COMPONENT, deployment, event).await;
    Ok(created)
}

fn next_revision(old: &[Arc<ReplicaSet>]) -> i64 {
    old.iter().map(|set| revision(set)).max().unwrap_or(0) + 1
}

/// Annotations that a ReplicaSet takes over from its Deployment.
fn carried_annotations(deployment: &Deployment) -> BTreeMap<String, String> {
    let own = ["kubectl.kubernetes.io/last-applied-configuration", REVISION, DESIRED, MAX];
    let mut annotations = deployment.annotations().clone();
    annotations.retain(|key, _| !own.contains(&key.as_str()));
    annotations
}

fn bound_annotations(bounds: Bounds) -> [(String, String); 2] {
    [
        (DESIRED.to_owned(), bounds.replicas.to_string()),
        (MAX.to_owned(), (bounds.replicas + bounds.max_surge).to_string()),
    ]
}

/// A rollback makes an old ReplicaSet the newest revision.
async fn mark_revision(
    cluster: &Cluster,
    deployment: &Deployment,
    set: Arc<ReplicaSet>,
    old: &[Arc<ReplicaSet>],
) -> anyhow::Result<Arc<ReplicaSet>> {
    let next = next_revision(old);
    let mut changed = (*set).clone();
    let annotations = changed.metadata.annotations.get_or_insert_default();
    annotations.extend(carried_annotations(deployment));
    if revision(&set) < next {
        annotations.insert(REVISION.to_owned(), next.to_string());
    }
    if changed == *set {
        return Ok(set);
    }
    Ok(Arc::new(cluster.replace(&cluster.replica_sets, &changed).await?))
}

/// The status is written for this and not the object: a change of a Deployment's annotations would
/// otherwise count as a change of intent.
async fn copy_revision(
    cluster: &Cluster,
    deployment: &Deployment,
    set: &ReplicaSet,
) -> anyhow::Result<()> {
    let number = revision(set).to_string();
    if deployment.annotations().get(REVISION) == Some(&number) {
        return Ok(());
    }
    let mut changed = deployment.clone();
    changed.metadata.annotations.get_or_insert_default().insert(REVISION.to_owned(), number);
    Ok(cluster.replace_status(&cluster.deployments, &changed).await?)
}

async fn scale(
    cluster: &Cluster,
    deployment: &Deployment,
    set: &Arc<ReplicaSet>,
    replicas: i32,
    bounds: Bounds,
) -> anyhow::Result<Arc<ReplicaSet>> {
    let before = wanted(set);
    let mut changed = (**set).clone();
    changed.spec.get_or_insert_default().replicas = Some(replicas);
    if replicas > 0 {
        let annotations = changed.metadata.annotations.get_or_insert_default();
        annotations.extend(bound_annotations(bounds));
    }
    if changed == **set {
        return Ok(set.clone());
    }
    let written = cluster.replace(&cluster.replica_sets, &changed).await?;
    if before != replicas {
        let direction = if replicas > before { "up" } else { "down" };
        let message = format!(
            "Scaled {direction} replica set {} from {before} to {replicas}",
            written.name_any()
        );
        let event = (Normal, "ScalingReplicaSet", message.as_str());
        cluster.events.record(COMPONENT, deployment, event).await;
    }
    Ok(Arc::new(written))
}

/// Deletes the oldest empty ReplicaSets beyond the history limit.
async fn prune(
    cluster: &Cluster,
    deployment: &Deployment,
    old: &[Arc<ReplicaSet>],
) -> anyhow::Result<()> {
    let limit = deployment.spec.as_ref().and_then(|spec| spec.revision_history_limit).unwrap_or(10);
    let surplus = old.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    let empty = |set: &&Arc<ReplicaSet>| {
        wanted(set) == 0 && set.status.as_ref().is_none_or(|status| status.replicas == 0)
    };
    for set in old.iter().take(surplus).filter(empty) {
        cluster.delete(&cluster.replica_sets, set, &DeleteParams::background()).await?;
    }
    Ok(())
}
