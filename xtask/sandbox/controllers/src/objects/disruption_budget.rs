//! Reports how many Pods a PodDisruptionBudget lets go.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use crate::cluster::Cluster;
use crate::selectors::matches;

pub(crate) async fn reconcile(
    cluster: Arc<Cluster>,
    budget: Arc<PodDisruptionBudget>,
) -> anyhow::Result<Option<Duration>> {
    let spec = budget.spec.clone().unwrap_or_default();
    let namespace = budget.namespace().unwrap_or_default();
    let pods = cluster.pods.select(|pod| {
        pod.metadata.namespace.as_deref() == Some(&namespace)
            && pod.metadata.deletion_timestamp.is_none()
            && !pod.status.as_ref().is_some_and(|status| {
                matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"))
            })
            && spec.selector.as_ref().is_some_and(|selector| matches(selector, pod.labels()))
    });
    let expected = i32::try_from(pods.len()).unwrap_or(i32::MAX);
    let healthy = pods.iter().filter(|pod| is_ready(pod)).count();
    let healthy = i32::try_from(healthy).unwrap_or(i32::MAX);
    let desired = match (&spec.min_available, &spec.max_unavailable) {
        (Some(min), _) => share(min, expected),
        (None, Some(max)) => (expected - share(max, expected)).max(0),
        (None, None) => (expected - 1).max(0),
    };
    let allowed = (healthy - desired).max(0);
    let old = budget.status.clone().unwrap_or_default();
    let status = PodDisruptionBudgetStatus {
        current_healthy: healthy,
        desired_healthy: desired,
        disruptions_allowed: allowed,
        expected_pods: expected,
        observed_generation: budget.metadata.generation,
        conditions: Some(vec![condition(&old, allowed > 0, budget.metadata.generation)]),
        disrupted_pods: None,
    };
    if status != old {
        let written = PodDisruptionBudget { status: Some(status), ..(*budget).clone() };
        cluster.replace_status(&cluster.budgets, &written).await?;
    }
    Ok(None)
}

fn is_ready(pod: &k8s_openapi::api::core::v1::Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// A number, or a percentage of `whole` rounded up, as both fields of a budget are.
fn share(value: &IntOrString, whole: i32) -> i32 {
    match value {
        IntOrString::Int(number) => *number,
        IntOrString::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            i32::try_from((percent * i64::from(whole) + 99) / 100).unwrap_or(i32::MAX)
        }
    }
}

fn condition(old: &PodDisruptionBudgetStatus, allowed: bool, generation: Option<i64>) -> Condition {
    let status = if allowed { "True" } else { "False" };
    let before = old.conditions.iter().flatten().find(|condition| condition.status == status);
    Condition {
        type_: "DisruptionAllowed".to_owned(),
        status: status.to_owned(),
        reason: if allowed { "SufficientPods" } else { "InsufficientPods" }.to_owned(),
        message: String::new(),
        observed_generation: generation,
        last_transition_time: before.map_or_else(
            || Time(jiff::Timestamp::now()),
            |before| before.last_transition_time.clone(),
        ),
    }
}
