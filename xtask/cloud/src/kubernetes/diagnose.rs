//! Why a release is not ready: which workload, which container, which event, which log line.

use anyhow::Result;
use kube::api::DynamicObject;
use serde::Serialize;

use super::{
    Cluster, Kind,
    connect::ask,
    events,
    fields::{Fields, name, selects},
    kinds,
    pods::{self, Trouble},
    rollout,
};

/// Something of a release that is not ready, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `Deployment/supabase-auth`.
    pub workload: String,
    pub pod: Option<String>,
    pub container: Option<String>,
    /// `1 of 2 ready: CrashLoopBackOff: back-off 40s (last run: Error, exit code 1)`.
    pub reason: String,
    /// The last warnings about the workload and the Pod, newest last.
    pub events: Vec<String>,
    /// The last lines of the container that is to blame. Not redacted: the caller does that.
    pub log_tail: Vec<String>,
}

/// The label by which a release's objects are known.
const INSTANCE: &str = "app.kubernetes.io/instance";
const EVENTS: usize = 5;
const LOG_LINES: i64 = 50;

/// All that the diagnosis looks at, read once.
struct Scene {
    pods: Vec<DynamicObject>,
    replica_sets: Vec<DynamicObject>,
    events: Vec<DynamicObject>,
}

impl Cluster {
    /// What of a Helm release is not ready; nothing when all is. One finding for each workload and
    /// container: Pods of one workload mostly fail alike.
    ///
    /// # Errors
    /// When the server refuses or is not reached.
    pub fn diagnose(&self, namespace: &str, release: &str) -> Result<Vec<Finding>> {
        ask(async {
            let labels = format!("{INSTANCE}={release}");
            let all = |kind| self.find_all(kind, Some(namespace), "");
            let scene = Scene {
                pods: all(&kinds::POD).await?,
                replica_sets: all(&kinds::REPLICA_SET).await?,
                events: all(&kinds::EVENT).await?,
            };
            let mut findings = Vec::new();
            for kind in [kinds::DEPLOYMENT, kinds::STATEFUL_SET, kinds::JOB] {
                for workload in self.find_all(&kind, Some(namespace), &labels).await? {
                    if let Some(state) = not_ready(&kind, &workload) {
                        findings.extend(self.examine(&kind, &workload, &state, &scene).await);
                    }
                }
            }
            Ok(findings)
        })
    }

    async fn examine(
        &self,
        kind: &Kind,
        workload: &DynamicObject,
        state: &str,
        scene: &Scene,
    ) -> Vec<Finding> {
        let selector = workload.at("/spec/selector/matchLabels");
        let mut findings: Vec<Finding> = Vec::new();
        for pod in scene.pods.iter().filter(|pod| selects(selector, pod)) {
            for trouble in pods::troubles(pod) {
                let known = findings.iter().any(|found| found.container == trouble.container);
                if !known {
                    findings.push(self.blame(kind, workload, state, pod, trouble, scene).await);
                }
            }
        }
        if findings.is_empty() {
            findings.push(Finding {
                workload: label(kind, workload),
                pod: None,
                container: None,
                reason: state.to_owned(),
                events: scene.warnings(kind, workload, None),
                log_tail: Vec::new(),
            });
        }
        findings
    }

    async fn blame(
        &self,
        kind: &Kind,
        workload: &DynamicObject,
        state: &str,
        pod: &DynamicObject,
        trouble: Trouble,
        scene: &Scene,
    ) -> Finding {
        let container = trouble.container.as_deref();
        let mut log_tail = Vec::new();
        if container.is_some() {
            // The run that failed speaks of the failure; the one after it may have said nothing yet.
            if trouble.restarted {
                log_tail = self.log_tail(pod, container, true, LOG_LINES).await;
            }
            if log_tail.is_empty() {
                log_tail = self.log_tail(pod, container, false, LOG_LINES).await;
            }
        }
        Finding {
            workload: label(kind, workload),
            pod: Some(name(pod).to_owned()),
            reason: format!("{state}: {}", trouble.reason),
            container: trouble.container,
            events: scene.warnings(kind, workload, Some(pod)),
            log_tail,
        }
    }
}

impl Scene {
    /// Warnings about the workload, its ReplicaSets and the Pod; the last few, each once.
    fn warnings(
        &self,
        kind: &Kind,
        workload: &DynamicObject,
        pod: Option<&DynamicObject>,
    ) -> Vec<String> {
        let mut subjects = vec![(kind.kind, name(workload))];
        let owned = self.replica_sets.iter().filter(|set| is_owned(set, workload));
        subjects.extend(owned.map(|set| ("ReplicaSet", name(set))));
        subjects.extend(pod.map(|pod| ("Pod", name(pod))));
        let mut found: Vec<&DynamicObject> = self
            .events
            .iter()
            .filter(|event| events::is_warning(event))
            .filter(|event| subjects.iter().any(|(kind, name)| events::is_about(event, kind, name)))
            .collect();
        found.sort_by_key(|event| events::time(event));
        let mut told: Vec<String> = found.into_iter().map(events::tell).collect();
        told.dedup();
        told.split_off(told.len().saturating_sub(EVENTS))
    }
}

fn not_ready(kind: &Kind, workload: &DynamicObject) -> Option<String> {
    if *kind != kinds::JOB {
        return rollout::unfinished(workload);
    }
    if workload.condition("Complete").is_some_and(|complete| complete.is("True")) {
        return None;
    }
    let failed = workload.condition("Failed").filter(|failed| failed.is("True"));
    Some(failed.map_or_else(|| "not complete".to_owned(), |failed| failed.told()))
}

fn is_owned(object: &DynamicObject, owner: &DynamicObject) -> bool {
    let owners = object.metadata.owner_references.as_deref().unwrap_or_default();
    owners.iter().any(|reference| Some(&reference.uid) == owner.metadata.uid.as_ref())
}

fn label(kind: &Kind, workload: &DynamicObject) -> String {
    format!("{}/{}", kind.kind, name(workload))
}
