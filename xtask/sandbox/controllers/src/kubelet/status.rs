//! The status of a Pod, put together from the states of its containers.

use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// What the worker of a Pod knows about it.
#[derive(Debug, Clone)]
pub(crate) struct Board {
    pub(crate) init: Vec<ContainerStatus>,
    pub(crate) main: Vec<ContainerStatus>,
    pub(crate) host_ip: String,
    pub(crate) pod_ip: String,
    pub(crate) start_time: Time,
    /// Phase, reason and message that overrule the containers, e.g. a passed deadline.
    pub(crate) verdict: Option<(&'static str, &'static str, String)>,
    conditions: Vec<PodCondition>,
}

impl Board {
    /// All containers wait.
    pub(crate) fn new(pod: &Pod, host_ip: String, pod_ip: String) -> Self {
        let spec = pod.spec.clone().unwrap_or_default();
        let init = spec.init_containers.unwrap_or_default();
        let first = if init.is_empty() { "ContainerCreating" } else { "PodInitializing" };
        Self {
            main: spec
                .containers
                .iter()
                .map(|container| waiting_status(container, first))
                .collect(),
            init: init
                .iter()
                .map(|container| waiting_status(container, "PodInitializing"))
                .collect(),
            host_ip,
            pod_ip,
            start_time: Time(jiff::Timestamp::now()),
            verdict: None,
            conditions: pod.status.clone().and_then(|status| status.conditions).unwrap_or_default(),
        }
    }

    /// The entry of a container.
    pub(crate) fn container(&mut self, name: &str) -> Option<&mut ContainerStatus> {
        self.init.iter_mut().chain(&mut self.main).find(|status| status.name == name)
    }

    /// The status to write; the times of the conditions move only when they change.
    pub(crate) fn status(&mut self, pod: &Pod) -> PodStatus {
        let restarts =
            pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always");
        let (phase, reason, message) = match &self.verdict {
            Some((phase, reason, message)) => {
                (*phase, Some((*reason).to_owned()), Some(message.clone()))
            }
            None => (self.phase(restarts), None, None),
        };
        self.set_conditions(phase, pod.metadata.generation);
        PodStatus {
            phase: Some(phase.to_owned()),
            reason,
            message,
            conditions: Some(self.conditions.clone()),
            container_statuses: Some(self.main.clone()),
            init_container_statuses: (!self.init.is_empty()).then(|| self.init.clone()),
            host_ip: Some(self.host_ip.clone()),
            host_ips: Some(vec![HostIP { ip: self.host_ip.clone() }]),
            pod_ip: Some(self.pod_ip.clone()),
            pod_ips: Some(vec![PodIP { ip: self.pod_ip.clone() }]),
            start_time: Some(self.start_time.clone()),
            qos_class: Some("Burstable".to_owned()),
            observed_generation: pod.metadata.generation,
            ..PodStatus::default()
        }
    }

    fn phase(&self, restarts: &str) -> &'static str {
        let code = |status: &ContainerStatus| {
            status
                .state
                .as_ref()
                .and_then(|state| state.terminated.as_ref())
                .map(|end| end.exit_code)
        };
        if restarts == "Never" && self.init.iter().filter_map(code).any(|code| code != 0) {
            return "Failed";
        }
        if !self.initialized() {
            return "Pending";
        }
        let codes: Vec<_> = self.main.iter().map(code).collect();
        let ended = codes.iter().all(Option::is_some);
        let failed = codes.iter().flatten().any(|code| *code != 0);
        match restarts {
            "Never" if ended && failed => "Failed",
            "Never" | "OnFailure" if ended && !failed => "Succeeded",
            _ if self.main.iter().all(is_created) => "Running",
            _ => "Pending",
        }
    }

    /// Whether every init container ended well.
    pub(crate) fn initialized(&self) -> bool {
        self.init.iter().all(|status| status.ready)
    }

    fn set_conditions(&mut self, phase: &str, generation: Option<i64>) {
        let unready: Vec<&str> = self
            .main
            .iter()
            .filter(|status| !status.ready)
            .map(|status| status.name.as_str())
            .collect();
        let pending: Vec<&str> = self
            .init
            .iter()
            .filter(|status| !status.ready)
            .map(|status| status.name.as_str())
            .collect();
        let initialized = if pending.is_empty() {
            Ok(())
        } else {
            Err((
                "ContainersNotInitialized",
                format!("containers with incomplete status: [{}]", pending.join(" ")),
            ))
        };
        let ready = match phase {
            "Succeeded" => Err(("PodCompleted", String::new())),
            "Failed" => Err(("PodFailed", String::new())),
            _ if unready.is_empty() => Ok(()),
            _ => Err((
                "ContainersNotReady",
                format!("containers with unready status: [{}]", unready.join(" ")),
            )),
        };
        let conditions = [
            ("PodScheduled", Ok(())),
            ("PodReadyToStartContainers", Ok(())),
            ("Initialized", initialized),
            ("ContainersReady", ready.clone()),
            ("Ready", ready),
        ];
        self.conditions = conditions
            .into_iter()
            .map(|(kind, holds)| condition(&self.conditions, kind, holds, generation))
            .collect();
    }
}

/// A condition that holds, or why it does not.
pub(crate) fn condition(
    before: &[PodCondition],
    kind: &str,
    holds: Result<(), (&'static str, String)>,
    generation: Option<i64>,
) -> PodCondition {
    let status = if holds.is_ok() { "True" } else { "False" };
    let same =
        before.iter().find(|condition| condition.type_ == kind && condition.status == status);
    let since = same.and_then(|condition| condition.last_transition_time.clone());
    let (reason, message) = match holds {
        Ok(()) => (None, None),
        Err((reason, message)) => {
            (Some(reason.to_owned()), Some(message).filter(|text| !text.is_empty()))
        }
    };
    PodCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason,
        message,
        last_transition_time: since.or_else(|| Some(Time(jiff::Timestamp::now()))),
        observed_generation: generation,
        ..PodCondition::default()
    }
}

fn waiting_status(container: &Container, reason: &str) -> ContainerStatus {
    ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        state: Some(waiting(reason, "")),
        started: Some(false),
        ..ContainerStatus::default()
    }
}

/// Whether a container has run at least once.
fn is_created(status: &ContainerStatus) -> bool {
    let state = status.state.as_ref();
    state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
        || status.last_state.as_ref().is_some_and(|state| state.terminated.is_some())
}

pub(crate) fn waiting(reason: &str, message: &str) -> ContainerState {
    let waiting = ContainerStateWaiting {
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()).filter(|text| !text.is_empty()),
    };
    ContainerState { waiting: Some(waiting), ..ContainerState::default() }
}

pub(crate) fn running(since: &Time) -> ContainerState {
    let running = ContainerStateRunning { started_at: Some(since.clone()) };
    ContainerState { running: Some(running), ..ContainerState::default() }
}

pub(crate) fn terminated(
    code: i32,
    reason: &str,
    message: Option<String>,
    since: &Time,
) -> ContainerState {
    let terminated = ContainerStateTerminated {
        exit_code: code,
        reason: Some(reason.to_owned()),
        message,
        started_at: Some(since.clone()),
        finished_at: Some(Time(jiff::Timestamp::now())),
        ..ContainerStateTerminated::default()
    };
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(policy: &str) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": {
            "restartPolicy": policy,
            "initContainers": [{"name": "first"}],
            "containers": [{"name": "a"}, {"name": "b"}],
        }}))
        .unwrap()
    }

    fn phase_after(policy: &str, init: i32, codes: [Option<i32>; 2]) -> String {
        let pod = pod(policy);
        let mut board = Board::new(&pod, "10.0.0.1".into(), "10.0.0.2".into());
        let now = Time(jiff::Timestamp::now());
        board.init[0].state = Some(terminated(init, "", None, &now));
        board.init[0].ready = init == 0;
        for (status, code) in board.main.iter_mut().zip(codes) {
            status.state = Some(match code {
                Some(code) => terminated(code, "", None, &now),
                None => running(&now),
            });
        }
        board.status(&pod).phase.unwrap()
    }

    #[test]
    fn the_phase_follows_the_containers() {
        assert_eq!(phase_after("Always", 0, [None, None]), "Running");
        assert_eq!(phase_after("Never", 0, [Some(0), None]), "Running");
        assert_eq!(phase_after("Never", 0, [Some(0), Some(0)]), "Succeeded");
        assert_eq!(phase_after("Never", 0, [Some(0), Some(1)]), "Failed");
        assert_eq!(phase_after("OnFailure", 0, [Some(0), Some(1)]), "Running");
        assert_eq!(phase_after("Never", 1, [None, None]), "Failed");
        assert_eq!(phase_after("Always", 1, [None, None]), "Pending");
    }

    #[test]
    fn a_condition_keeps_its_time_while_it_says_the_same() {
        let pod = pod("Always");
        let mut board = Board::new(&pod, String::new(), String::new());
        let first = board.status(&pod).conditions;
        assert_eq!(board.status(&pod).conditions, first);
        let ready =
            first.unwrap().into_iter().find(|condition| condition.type_ == "Ready").unwrap();
        assert_eq!(ready.message.as_deref(), Some("containers with unready status: [a b]"));
    }
}
