//! Keeps a scaled workload within the bounds of its HorizontalPodAutoscaler.
//!
//! There are no metrics here, and the status says so in the words of a real cluster without them:
//! the workload is brought into its bounds and is not moved within them.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::{
    HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition, HorizontalPodAutoscalerStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::cluster::{Cluster, MANAGER};
use crate::events::EventType::{Normal, Warning};

const COMPONENT: &str = "horizontal-pod-autoscaler";

pub(crate) async fn reconcile(
    cluster: Arc<Cluster>,
    autoscaler: Arc<HorizontalPodAutoscaler>,
) -> anyhow::Result<Option<Duration>> {
    if autoscaler.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let namespace = autoscaler.namespace().unwrap_or_default();
    let spec = autoscaler.spec.clone().unwrap_or_default();
    let target = &spec.scale_target_ref;
    let old = autoscaler.status.clone().unwrap_or_default();
    let mut status = HorizontalPodAutoscalerStatus {
        observed_generation: old.observed_generation,
        last_scale_time: old.last_scale_time.clone(),
        ..HorizontalPodAutoscalerStatus::default()
    };
    let Some((wanted, running)) = replicas(&cluster, &namespace, &target.kind, &target.name) else {
        let message = format!(
            "the HPA controller was unable to get the target's current scale: {}s.apps \"{}\" not found",
            target.kind.to_lowercase(),
            target.name
        );
        cluster.events.record(COMPONENT, &*autoscaler, (Warning, "FailedGetScale", &message)).await;
        status.conditions =
            Some(vec![condition(&old, "AbleToScale", "False", "FailedGetScale", &message)]);
        return write(&cluster, &autoscaler, old, status).await;
    };
    status.current_replicas = Some(running);
    let (desired, conditions) =
        decide(&old, wanted, spec.min_replicas.unwrap_or(1), spec.max_replicas);
    status.desired_replicas = desired;
    status.conditions = Some(conditions);
    if desired != wanted {
        scale(&cluster, &namespace, &target.kind, &target.name, desired).await?;
        status.last_scale_time = Some(Time(jiff::Timestamp::now()));
        let bound =
            if desired > wanted { "below Spec.MinReplicas" } else { "above Spec.MaxReplicas" };
        let message = format!("New size: {desired}; reason: Current number of replicas {bound}");
        cluster
            .events
            .record(COMPONENT, &*autoscaler, (Normal, "SuccessfulRescale", &message))
            .await;
    }
    write(&cluster, &autoscaler, old, status).await
}

/// The wanted and the running number of replicas of a target.
fn replicas(cluster: &Cluster, namespace: &str, kind: &str, name: &str) -> Option<(i32, i32)> {
    match kind {
        "Deployment" => {
            let target = cluster.deployments.get(namespace, name)?;
            let running = target.status.as_ref().and_then(|status| status.replicas).unwrap_or(0);
            Some((target.spec.as_ref()?.replicas.unwrap_or(1), running))
        }
        "StatefulSet" => {
            let target = cluster.stateful_sets.get(namespace, name)?;
            let running = target.status.as_ref().map_or(0, |status| status.replicas);
            Some((target.spec.as_ref()?.replicas.unwrap_or(1), running))
        }
        _ => None,
    }
}

fn decide(
    old: &HorizontalPodAutoscalerStatus,
    wanted: i32,
    min: i32,
    max: i32,
) -> (i32, Vec<HorizontalPodAutoscalerCondition>) {
    if wanted == 0 {
        let message = "scaling is disabled since the replica count of the target is zero";
        let active = condition(old, "ScalingActive", "False", "ScalingDisabled", message);
        return (0, vec![able(old, "SucceededGetScale"), active]);
    }
    let desired = wanted.clamp(min, max.max(min));
    if desired != wanted {
        return (desired, vec![able(old, "SucceededRescale")]);
    }
    let message = "the HPA was unable to compute the replica count: failed to get cpu utilization: \
                   unable to get metrics for resource cpu: no metrics returned from resource metrics API \
                   (sandbox: there are no metrics, the workload is only kept within its bounds)";
    let active = condition(old, "ScalingActive", "False", "FailedGetResourceMetric", message);
    (desired, vec![able(old, "SucceededGetScale"), active])
}

fn able(old: &HorizontalPodAutoscalerStatus, reason: &str) -> HorizontalPodAutoscalerCondition {
    let message = match reason {
        "SucceededRescale" => "the HPA controller was able to update the target scale",
        _ => "the HPA controller was able to get the target's current scale",
    };
    condition(old, "AbleToScale", "True", reason, message)
}

fn condition(
    old: &HorizontalPodAutoscalerStatus,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
) -> HorizontalPodAutoscalerCondition {
    let before = old
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == kind && condition.status == status);
    HorizontalPodAutoscalerCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_transition_time: before
            .and_then(|before| before.last_transition_time.clone())
            .or_else(|| Some(Time(jiff::Timestamp::now()))),
    }
}

async fn scale(
    cluster: &Cluster,
    namespace: &str,
    kind: &str,
    name: &str,
    replicas: i32,
) -> anyhow::Result<()> {
    let change = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
    let parameters =
        PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    if kind == "Deployment" {
        let api: Api<Deployment> = cluster.api(namespace);
        api.patch_scale(name, &parameters, &change).await?;
    } else {
        let api: Api<StatefulSet> = cluster.api(namespace);
        api.patch_scale(name, &parameters, &change).await?;
    }
    Ok(())
}

async fn write(
    cluster: &Cluster,
    autoscaler: &HorizontalPodAutoscaler,
    old: HorizontalPodAutoscalerStatus,
    status: HorizontalPodAutoscalerStatus,
) -> anyhow::Result<Option<Duration>> {
    if status != old {
        let written = HorizontalPodAutoscaler { status: Some(status), ..autoscaler.clone() };
        cluster.replace_status(&cluster.autoscalers, &written).await?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_are_brought_into_the_bounds_and_left_there() {
        let old = HorizontalPodAutoscalerStatus::default();
        assert_eq!(decide(&old, 1, 3, 15).0, 3);
        assert_eq!(decide(&old, 20, 3, 15).0, 15);
        assert_eq!(decide(&old, 7, 3, 15).0, 7);
        assert_eq!(decide(&old, 0, 3, 15).0, 0);
    }
}
