//! The life of one Pod on its node, from its assignment to its removal.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Binding, ConfigMap, ObjectReference, Pod, PodStatus, Secret};
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use serde_json::json;
use tokio::sync::Notify;

use super::container::{ContainerWorker, Restarts, Runtime};
use super::environment::References;
use super::status::{Board, condition};
use super::volumes::{self, Problem};
use super::{COMPONENT, Kubelet, scheduler};
use crate::cluster::{Cluster, is_conflict, is_not_found, manager};
use crate::events::EventType::{Normal, Warning};
use crate::irsa;
use crate::nodes;

const SCHEDULER: &str = "default-scheduler";

/// Runs one Pod; dropped when the Pod is gone.
pub(super) struct PodWorker {
    pub(super) kubelet: Arc<Kubelet>,
    /// The Pod as it was when it had been assigned to its node.
    pub(super) pod: Pod,
    pub(super) runtime: Runtime,
    /// Something that the Pod may wait for has changed.
    pub(super) wake: Arc<Notify>,
    board: Mutex<Board>,
    publishing: tokio::sync::Mutex<Option<PodStatus>>,
}

/// Looks Secrets and ConfigMaps up in the Pod's namespace.
pub(super) struct InNamespace<'a> {
    cluster: &'a Cluster,
    namespace: String,
}

impl References for InNamespace<'_> {
    fn secret(&self, name: &str) -> Option<Arc<Secret>> {
        self.cluster.secrets.get(&self.namespace, name)
    }

    fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>> {
        self.cluster.config_maps.get(&self.namespace, name)
    }
}

/// Runs `pod` until it has ended or its future is dropped.
pub(super) async fn live(
    kubelet: Arc<Kubelet>,
    pod: Arc<Pod>,
    runtime: Runtime,
    wake: Arc<Notify>,
) -> anyhow::Result<()> {
    let index = assign(&kubelet, &pod, &wake).await?;
    let namespace = pod.namespace().unwrap_or_default();
    let mut pod = kubelet
        .cluster
        .pods
        .get(&namespace, &pod.name_any())
        .map_or_else(|| (*pod).clone(), |current| (*current).clone());
    let (host_ip, pod_ip) = (nodes::address(index), kubelet.next_address(index));
    let status = pod.status.get_or_insert_default();
    status.host_ip = Some(host_ip.clone());
    status.pod_ip = Some(pod_ip.clone());
    irsa::inject(&kubelet.cluster, &mut pod);
    let board = Board::new(&pod, host_ip, pod_ip);
    let worker = PodWorker {
        kubelet,
        pod,
        runtime,
        wake,
        board: Mutex::new(board),
        publishing: tokio::sync::Mutex::default(),
    };
    worker.publish().await;
    match worker.deadline() {
        Some(limit) => {
            if tokio::time::timeout(limit, worker.run()).await.is_err() {
                let message = "Pod was active on the node longer than the specified deadline";
                worker
                    .update(|board| {
                        board.verdict = Some(("Failed", "DeadlineExceeded", message.to_owned()));
                    })
                    .await;
            }
        }
        None => worker.run().await,
    }
    Ok(())
}

impl PodWorker {
    async fn run(&self) {
        let spec = self.pod.spec.clone().unwrap_or_default();
        let places = self.mount_volumes().await;
        let restarts = Restarts::of(spec.restart_policy.as_deref());
        for container in spec.init_containers.iter().flatten() {
            let folder = self.container_folder(&container.name);
            let worker = ContainerWorker {
                pod: self,
                container,
                mounts: volumes::mounts(container, &places, &folder),
                folder: &folder,
                // An init container that succeeded is never started again.
                restarts: if restarts == Restarts::Never {
                    Restarts::Never
                } else {
                    Restarts::OnFailure
                },
            };
            if worker.live().await != 0 {
                return;
            }
        }
        let folders: Vec<_> = spec
            .containers
            .iter()
            .map(|container| self.container_folder(&container.name))
            .collect();
        let workers: Vec<_> = spec
            .containers
            .iter()
            .zip(&folders)
            .map(|(container, folder)| ContainerWorker {
                pod: self,
                container,
                mounts: volumes::mounts(container, &places, folder),
                folder,
                restarts,
            })
            .collect();
        futures::future::join_all(workers.iter().map(ContainerWorker::live)).await;
    }

    /// Waits until every volume can be mounted.
    async fn mount_volumes(&self) -> std::collections::BTreeMap<String, PathBuf> {
        loop {
            let changed = self.wake.notified();
            let problem =
                match volumes::materialise(&self.kubelet.cluster, &self.pod, &self.folder()) {
                    Ok(places) => return places,
                    Err(Problem::FailedMount(message) | Problem::Failed(message)) => message,
                };
            let event = (Warning, "FailedMount", problem.as_str());
            self.kubelet.cluster.events.record(COMPONENT, &self.pod, event).await;
            changed.await;
        }
    }

    /// The folder of this Pod alone.
    fn folder(&self) -> PathBuf {
        self.kubelet.pod_folder(&self.pod.uid().unwrap_or_default())
    }

    fn container_folder(&self, name: &str) -> PathBuf {
        self.folder().join("containers").join(name)
    }

    fn deadline(&self) -> Option<Duration> {
        let seconds = self.pod.spec.as_ref()?.active_deadline_seconds?;
        u64::try_from(seconds).ok().map(Duration::from_secs)
    }

    pub(super) fn references(&self) -> InNamespace<'_> {
        InNamespace {
            cluster: &self.kubelet.cluster,
            namespace: self.pod.namespace().unwrap_or_default(),
        }
    }

    pub(super) fn address(&self) -> String {
        self.pod.status.as_ref().and_then(|status| status.pod_ip.clone()).unwrap_or_default()
    }

    pub(super) fn is_init(&self, container: &str) -> bool {
        let init = self.pod.spec.as_ref().and_then(|spec| spec.init_containers.as_ref());
        init.is_some_and(|init| init.iter().any(|init| init.name == container))
    }

    /// Changes what is known and writes the status.
    pub(super) async fn update(&self, change: impl FnOnce(&mut Board)) {
        change(&mut self.board.lock().unwrap_or_else(PoisonError::into_inner));
        self.publish().await;
    }

    async fn publish(&self) {
        // One writer at a time, each with what is known when its turn has come.
        let mut last = self.publishing.lock().await;
        let status = self.board.lock().unwrap_or_else(PoisonError::into_inner).status(&self.pod);
        if last.as_ref() == Some(&status) {
            return;
        }
        let cluster = &self.kubelet.cluster;
        match write_status(cluster, &self.pod, &status).await {
            Ok(()) => *last = Some(status),
            Err(error) if is_not_found(&error) => {}
            Err(error) => {
                cluster.log.line(&format!("status of Pod {}: {error}", self.pod.name_any()));
            }
        }
    }
}

async fn write_status(cluster: &Cluster, pod: &Pod, status: &PodStatus) -> kube::Result<()> {
    let api: Api<Pod> = cluster.api(&pod.namespace().unwrap_or_default());
    let mut value = serde_json::to_value(status).map_err(kube::Error::SerdeError)?;
    if let Some(fields) = value.as_object_mut() {
        // A merge patch keeps what it does not name.
        for field in ["reason", "message"] {
            fields.entry(field).or_insert(serde_json::Value::Null);
        }
    }
    let patch = Patch::Merge(json!({ "metadata": { "uid": pod.uid() }, "status": value }));
    let parameters =
        PatchParams { field_manager: Some(COMPONENT.to_owned()), ..PatchParams::default() };
    let written = api.patch_status(&pod.name_any(), &parameters, &patch).await?;
    cluster.pods.observe(&written);
    Ok(())
}

/// Assigns the Pod to a node, once its claims are bound; the answer is the node's index.
async fn assign(kubelet: &Kubelet, pod: &Arc<Pod>, wake: &Notify) -> anyhow::Result<usize> {
    let cluster = &kubelet.cluster;
    let region = &cluster.config.aws.region;
    let names = nodes::names(region);
    let given = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
    if let Some(index) = given.and_then(|given| names.iter().position(|name| name == given)) {
        return Ok(index);
    }
    let namespace = pod.namespace().unwrap_or_default();
    loop {
        let changed = wake.notified();
        // One at a time, so that each sees where the others went.
        let placing = kubelet.placing.lock().await;
        let placed = unbound_claim(cluster, pod, &namespace).map_or_else(
            || scheduler::pick(region, pod, &cluster.pods.in_namespace(&namespace)),
            Err,
        );
        match placed {
            Ok(index) => {
                bind(cluster, pod, &namespace, &names[index]).await?;
                let message = format!(
                    "Successfully assigned {namespace}/{} to {}",
                    pod.name_any(),
                    names[index]
                );
                cluster.events.record(SCHEDULER, &**pod, (Normal, "Scheduled", &message)).await;
                return Ok(index);
            }
            Err(message) => {
                cluster
                    .events
                    .record(SCHEDULER, &**pod, (Warning, "FailedScheduling", &message))
                    .await;
                let unscheduled = condition(
                    &[],
                    "PodScheduled",
                    Err(("Unschedulable", message)),
                    pod.metadata.generation,
                );
                let status = PodStatus {
                    phase: Some("Pending".to_owned()),
                    conditions: Some(vec![unscheduled]),
                    ..PodStatus::default()
                };
                write_status(cluster, pod, &status).await?;
            }
        }
        drop(placing);
        changed.await;
    }
}

fn unbound_claim(cluster: &Cluster, pod: &Pod, namespace: &str) -> Option<String> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter_map(|volume| volume.persistent_volume_claim.as_ref()).find_map(|source| {
        let name = &source.claim_name;
        match cluster.claims.get(namespace, name) {
            None => Some(format!(
                "0/3 nodes are available: persistentvolumeclaim \"{name}\" not found. not found"
            )),
            Some(claim) => {
                let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
                (phase != Some("Bound")).then(|| {
                    "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."
                        .to_owned()
                })
            }
        }
    })
}

async fn bind(cluster: &Cluster, pod: &Pod, namespace: &str, node: &str) -> anyhow::Result<()> {
    let api: Api<Pod> = cluster.api(namespace);
    let name = pod.name_any();
    let binding = Binding {
        metadata: ObjectMeta { name: Some(name.clone()), uid: pod.uid(), ..ObjectMeta::default() },
        target: ObjectReference {
            kind: Some("Node".to_owned()),
            name: Some(node.to_owned()),
            ..ObjectReference::default()
        },
    };
    let bound: kube::Result<serde_json::Value> =
        api.create_subresource("binding", &name, &manager(SCHEDULER), &binding).await;
    match bound {
        Ok(_) => {}
        Err(error) if is_conflict(&error) => {}
        Err(error) => return Err(error.into()),
    }
    if let Some(bound) = api.get_opt(&name).await? {
        cluster.pods.observe(&bound);
    }
    Ok(())
}

/// Takes a Pod that was asked to go out of the API.
pub(super) async fn remove(kubelet: &Kubelet, pod: &Pod) -> anyhow::Result<()> {
    let cluster = &kubelet.cluster;
    for container in pod.spec.iter().flat_map(|spec| &spec.containers) {
        let about = ObjectReference {
            field_path: Some(format!("spec.containers{{{}}}", container.name)),
            ..pod.object_ref(&())
        };
        let message = format!("Stopping container {}", container.name);
        cluster.events.record_about(COMPONENT, &about, (Normal, "Killing", &message)).await;
    }
    let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    cluster.delete(&cluster.pods, pod, &now).await?;
    Ok(())
}
