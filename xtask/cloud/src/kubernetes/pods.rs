//! What keeps a Pod from being ready, and what its containers said.

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{DynamicObject, LogParams},
};
use serde_json::Value;

use super::{
    Cluster,
    fields::{Fields, name, told},
};

/// Why a Pod, or one of its containers, is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) container: Option<String>,
    pub(super) reason: String,
    /// Whether the container ran before, so that its last words are those of the run before.
    pub(super) restarted: bool,
}

/// Nothing for a Pod that is ready or has done its work.
pub(super) fn troubles(pod: &DynamicObject) -> Vec<Trouble> {
    if pod.text("/status/phase") == Some("Succeeded") {
        return Vec::new();
    }
    let statuses = pod
        .items("/status/initContainerStatuses")
        .iter()
        .chain(pod.items("/status/containerStatuses"));
    let found: Vec<Trouble> = statuses.filter_map(container_trouble).collect();
    if !found.is_empty() {
        return found;
    }
    if pod.condition("Ready").is_some_and(|ready| ready.is("True")) {
        return Vec::new();
    }
    let unscheduled = pod.condition("PodScheduled").filter(|scheduled| scheduled.is("False"));
    let reason = unscheduled
        .or_else(|| pod.condition("Ready"))
        .map(|condition| condition.told())
        .or_else(|| pod.text("/status/reason").map(str::to_owned))
        .unwrap_or_else(|| format!("phase {}", pod.text("/status/phase").unwrap_or("unknown")));
    vec![Trouble { container: None, reason, restarted: false }]
}

fn container_trouble(status: &Value) -> Option<Trouble> {
    let restarted = status.number("/restartCount").unwrap_or(0) > 0;
    let container = status.text("/name").map(str::to_owned);
    let ended = |state: &Value| -> Option<String> {
        let code = state.number("/exitCode")?;
        let reason = state.text("/reason").unwrap_or("Terminated");
        Some(told(
            &format!("{reason}, exit code {code}"),
            state.text("/message").unwrap_or_default(),
        ))
    };
    if let Some(state) = status.at("/state/terminated") {
        // An init container that ended well is done.
        let failed = state.number("/exitCode") != Some(0);
        return failed.then(|| ended(state)).flatten().map(|reason| Trouble {
            container,
            reason,
            restarted,
        });
    }
    if status.at("/ready").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    if let Some(state) = status.at("/state/waiting") {
        let reason = state.text("/reason").unwrap_or("Waiting");
        // Every container waits for the Pod's init containers first: that is no reason.
        if matches!(reason, "PodInitializing" | "ContainerCreating") && !restarted {
            return None;
        }
        let mut reason = told(reason, state.text("/message").unwrap_or_default());
        if let Some(last) = status.at("/lastState/terminated").and_then(ended) {
            reason = format!("{reason} (last run: {last})");
        }
        return Some(Trouble { container, reason, restarted });
    }
    let running = status.at("/state/running").is_some();
    running.then(|| Trouble { container, reason: "running, but not ready".into(), restarted })
}

impl Cluster {
    /// The last lines of a container's log; none when there is no log to be had.
    pub(super) async fn log_tail(
        &self,
        pod: &DynamicObject,
        container: Option<&str>,
        previous: bool,
        lines: i64,
    ) -> Vec<String> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let parameters = LogParams {
            container: container.map(str::to_owned),
            previous,
            tail_lines: Some(lines),
            ..LogParams::default()
        };
        match api.logs(name(pod), &parameters).await {
            Ok(text) => text.lines().map(str::to_owned).collect(),
            Err(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: &Value) -> DynamicObject {
        serde_json::from_value(json!({ "metadata": { "name": "p" }, "status": status })).unwrap()
    }

    #[test]
    fn a_ready_pod_has_no_trouble() {
        let ready = pod(&json!({
            "phase": "Running",
            "conditions": [{ "type": "Ready", "status": "True" }],
            "initContainerStatuses": [{ "name": "i", "ready": true, "state": { "terminated": { "exitCode": 0 } } }],
            "containerStatuses": [{ "name": "c", "ready": true, "state": { "running": {} } }],
        }));
        assert_eq!(troubles(&ready), []);
    }

    #[test]
    fn a_crashing_container_tells_how_it_ended() {
        let crashing = pod(&json!({
            "phase": "Running",
            "containerStatuses": [{
                "name": "auth", "ready": false, "restartCount": 3,
                "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 40s" } },
                "lastState": { "terminated": { "exitCode": 1, "reason": "Error" } },
            }],
        }));
        let found = troubles(&crashing);
        assert_eq!(
            found[0].reason,
            "CrashLoopBackOff: back-off 40s (last run: Error, exit code 1)"
        );
        assert_eq!((found[0].container.as_deref(), found[0].restarted), (Some("auth"), true));
    }

    #[test]
    fn a_container_that_waits_for_another_is_not_blamed() {
        let initialising = pod(&json!({
            "phase": "Pending",
            "initContainerStatuses": [{ "name": "wait", "ready": false, "state": { "waiting": { "reason": "ImagePullBackOff" } } }],
            "containerStatuses": [{ "name": "c", "ready": false, "state": { "waiting": { "reason": "PodInitializing" } } }],
        }));
        let blamed: Vec<_> =
            troubles(&initialising).into_iter().map(|t| t.container.unwrap()).collect();
        assert_eq!(blamed, ["wait"]);
    }

    #[test]
    fn a_pod_without_a_node_tells_why() {
        let pending = pod(&json!({
            "phase": "Pending",
            "conditions": [{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes" }],
        }));
        assert_eq!(troubles(&pending)[0].reason, "Unschedulable: 0/2 nodes");
    }
}
