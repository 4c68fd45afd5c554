//! What a Deployment reports about its rollout.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::rollout::{Bounds, available};
use crate::cluster::Cluster;

/// Writes the status if it changed; the answer is when the progress deadline is to be looked at.
/// `created` names the ReplicaSet that this very reconciliation made.
pub(super) async fn sync(
    cluster: &Cluster,
    deployment: &Deployment,
    new: Option<&Arc<ReplicaSet>>,
    old: &[Arc<ReplicaSet>],
    created: Option<String>,
) -> anyhow::Result<Option<Duration>> {
    let before = deployment.status.clone().unwrap_or_default();
    let mut status = count(deployment, new, old);
    status.conditions.clone_from(&before.conditions);
    status.collision_count = before.collision_count;
    let available = available_condition(deployment, &status);
    set_condition(&mut status, available);
    set_or_clear_failure(&mut status, new);
    let deadline = progress(deployment, &before, &mut status, new, created);
    if status != before {
        let written = Deployment { status: Some(status), ..deployment.clone() };
        cluster.replace_status(&cluster.deployments, &written).await?;
    }
    Ok(deadline)
}

fn count(
    deployment: &Deployment,
    new: Option<&Arc<ReplicaSet>>,
    old: &[Arc<ReplicaSet>],
) -> DeploymentStatus {
    let all = || old.iter().chain(new);
    let replicas = |set: &ReplicaSet| set.status.as_ref().map_or(0, |status| status.replicas);
    let ready = |set: &ReplicaSet| {
        set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0)
    };
    let total: i32 = all().map(|set| replicas(set)).sum();
    let available: i32 = all().map(|set| available(set)).sum();
    let wanted = Bounds::of(deployment).replicas;
    DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas: some(total),
        updated_replicas: some(new.map_or(0, |set| replicas(set))),
        ready_replicas: some(all().map(|set| ready(set)).sum()),
        available_replicas: some(available),
        unavailable_replicas: some((total.max(wanted) - available).max(0)),
        ..DeploymentStatus::default()
    }
}

/// The API leaves a zero out.
fn some(number: i32) -> Option<i32> {
    (number != 0).then_some(number)
}

fn available_condition(
    deployment: &Deployment,
    status: &DeploymentStatus,
) -> (&'static str, &'static str, &'static str, String) {
    if status.available_replicas.unwrap_or(0) >= Bounds::of(deployment).min_available() {
        let message = "Deployment has minimum availability.".to_owned();
        ("Available", "True", "MinimumReplicasAvailable", message)
    } else {
        let message = "Deployment does not have minimum availability.".to_owned();
        ("Available", "False", "MinimumReplicasUnavailable", message)
    }
}

fn set_or_clear_failure(status: &mut DeploymentStatus, new: Option<&Arc<ReplicaSet>>) {
    let failure = new.and_then(|set| {
        let conditions = set.status.as_ref()?.conditions.as_ref()?;
        conditions.iter().find(|condition| condition.type_ == "ReplicaFailure").cloned()
    });
    match failure {
        Some(failure) => {
            let message = failure.message.unwrap_or_default();
            set_condition(status, ("ReplicaFailure", "True", "FailedCreate", message));
        }
        None => {
            if let Some(conditions) = &mut status.conditions {
                conditions.retain(|condition| condition.type_ != "ReplicaFailure");
            }
        }
    }
}

/// Judges the rollout's progress against its deadline.
fn progress(
    deployment: &Deployment,
    before: &DeploymentStatus,
    status: &mut DeploymentStatus,
    new: Option<&Arc<ReplicaSet>>,
    created: Option<String>,
) -> Option<Duration> {
    let spec = deployment.spec.clone().unwrap_or_default();
    let deadline = spec.progress_deadline_seconds.unwrap_or(600);
    let name = new.map(|set| set.name_any()).unwrap_or_default();
    if spec.paused == Some(true) {
        let message = "Deployment is paused".to_owned();
        set_condition(status, ("Progressing", "Unknown", "DeploymentPaused", message));
        return None;
    }
    if let Some(created) = created {
        let message = format!("Created new replica set \"{created}\"");
        set_condition(status, ("Progressing", "True", "NewReplicaSetCreated", message));
        return seconds(deadline);
    }
    let wanted = Bounds::of(deployment).replicas;
    let complete = status.updated_replicas.unwrap_or(0) == wanted
        && status.replicas.unwrap_or(0) == wanted
        && status.available_replicas.unwrap_or(0) == wanted;
    let current = condition(status, "Progressing");
    if complete {
        let message = format!("ReplicaSet \"{name}\" has successfully progressed.");
        set_condition(status, ("Progressing", "True", "NewReplicaSetAvailable", message));
        return None;
    }
    let settled = current.as_ref().and_then(|current| current.reason.as_deref())
        == Some("NewReplicaSetAvailable");
    if settled && status.replicas == status.updated_replicas {
        // Pods of a finished rollout may come and go without a deadline.
        return None;
    }
    if has_progressed(before, status) {
        let message = format!("ReplicaSet \"{name}\" is progressing.");
        set_condition(status, ("Progressing", "True", "ReplicaSetUpdated", message));
        touch(status);
        return seconds(deadline);
    }
    let Some(current) = current else {
        let message = format!("Found new replica set \"{name}\"");
        set_condition(status, ("Progressing", "True", "FoundNewReplicaSet", message));
        return seconds(deadline);
    };
    if settled || current.reason.as_deref() == Some("DeploymentPaused") {
        let message = format!("ReplicaSet \"{name}\" is progressing.");
        set_condition(status, ("Progressing", "True", "ReplicaSetUpdated", message));
        return seconds(deadline);
    }
    let since = current.last_update_time.map_or(jiff::Timestamp::UNIX_EPOCH, |Time(time)| time);
    let left = i64::from(deadline) - jiff::Timestamp::now().duration_since(since).as_secs();
    match u64::try_from(left) {
        Ok(left) if left > 0 => Some(Duration::from_secs(left)),
        _ => {
            let message = format!("ReplicaSet \"{name}\" has timed out progressing.");
            set_condition(status, ("Progressing", "False", "ProgressDeadlineExceeded", message));
            None
        }
    }
}

fn seconds(deadline: i32) -> Option<Duration> {
    u64::try_from(deadline).ok().map(Duration::from_secs)
}

fn has_progressed(before: &DeploymentStatus, after: &DeploymentStatus) -> bool {
    let number = |value: Option<i32>| value.unwrap_or(0);
    let outdated =
        |status: &DeploymentStatus| number(status.replicas) - number(status.updated_replicas);
    number(after.updated_replicas) > number(before.updated_replicas)
        || outdated(after) < outdated(before)
        || number(after.ready_replicas) > number(before.ready_replicas)
        || number(after.available_replicas) > number(before.available_replicas)
}

fn condition(status: &DeploymentStatus, kind: &str) -> Option<DeploymentCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == kind).cloned()
}

/// Sets a condition; its times move only when what it says does.
fn set_condition(
    status: &mut DeploymentStatus,
    (kind, value, reason, message): (&str, &str, &str, String),
) {
    let before = condition(status, kind);
    if let Some(before) = &before
        && before.status == value
        && before.reason.as_deref() == Some(reason)
    {
        return;
    }
    let now = Time(jiff::Timestamp::now());
    let transition = before
        .filter(|before| before.status == value)
        .and_then(|before| before.last_transition_time)
        .unwrap_or_else(|| now.clone());
    let conditions = status.conditions.get_or_insert_default();
    conditions.retain(|condition| condition.type_ != kind);
    conditions.push(DeploymentCondition {
        type_: kind.to_owned(),
        status: value.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_update_time: Some(now),
        last_transition_time: Some(transition),
    });
}

/// Progress restarts the clock of the deadline.
fn touch(status: &mut DeploymentStatus) {
    for condition in status.conditions.iter_mut().flatten() {
        if condition.type_ == "Progressing" {
            condition.last_update_time = Some(Time(jiff::Timestamp::now()));
        }
    }
}
