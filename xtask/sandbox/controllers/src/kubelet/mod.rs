//! The simulated nodes' kubelet: one worker for each Pod.
//!
//! A worker waits for what its Pod lacks and is woken by changes; nothing is polled.

mod container;
pub(crate) mod environment;
pub(crate) mod images;
mod local_run;
mod pod;
mod probes;
mod runtime;
mod scheduler;
pub(crate) mod stand_in;
mod status;
mod volumes;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use crate::cluster::Cluster;
pub(crate) use runtime::{ContainerRuntime, PodRuntime};

const COMPONENT: &str = "kubelet";
/// The pause before a Pod is tried again whose worker could not reach the API.
const AGAIN: Duration = Duration::from_secs(2);

/// The kubelet of all nodes of a cluster.
pub(crate) struct Kubelet {
    pub(crate) cluster: Arc<Cluster>,
    images: images::Images,
    /// The running Pods by uid.
    workers: Mutex<HashMap<String, Worker>>,
    /// Held while a Pod is assigned to its node.
    placing: tokio::sync::Mutex<()>,
    addresses: AtomicU32,
    /// What Realtime would keep in its own tables.
    tenants: Mutex<BTreeSet<String>>,
}

struct Worker {
    namespace: String,
    runtime: Arc<PodRuntime>,
    wake: Arc<Notify>,
    task: AbortHandle,
}

/// Starts the kubelet; it runs as one of `tasks`.
pub(crate) fn start(
    cluster: &Arc<Cluster>,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<Arc<Kubelet>> {
    let kubelet = Arc::new(Kubelet {
        cluster: cluster.clone(),
        images: images::Images::load()?,
        workers: Mutex::default(),
        placing: tokio::sync::Mutex::default(),
        addresses: AtomicU32::new(0),
        tenants: Mutex::default(),
    });
    let (sender, mut changed) = mpsc::unbounded_channel();
    cluster.pods.on_change(move |pod| {
        let key =
            (pod.namespace().unwrap_or_default(), pod.name_any(), pod.uid().unwrap_or_default());
        let _ = sender.send(key);
    });
    wake_on_changes(cluster, &kubelet, tasks);
    let main = kubelet.clone();
    tasks.spawn(async move {
        let mut pods = JoinSet::new();
        loop {
            tokio::select! {
                key = changed.recv() => match key {
                    Some((namespace, name, uid)) => main.look_at(&namespace, &name, &uid, &mut pods),
                    None => return,
                },
                Some(_) = pods.join_next() => {}
            }
        }
    });
    Ok(kubelet)
}

/// Wakes the Pods that may wait for a Secret, a ConfigMap, a claim or the end of a fault.
fn wake_on_changes(cluster: &Cluster, kubelet: &Arc<Kubelet>, tasks: &mut JoinSet<()>) {
    let weak = Arc::downgrade(kubelet);
    let wake = move |namespace: Option<&String>| {
        if let (Some(kubelet), Some(namespace)) = (weak.upgrade(), namespace) {
            kubelet.wake(Some(namespace));
        }
    };
    let (secrets, maps, claims) = (wake.clone(), wake.clone(), wake);
    cluster.secrets.on_change(move |secret| secrets(secret.metadata.namespace.as_ref()));
    cluster.config_maps.on_change(move |map| maps(map.metadata.namespace.as_ref()));
    cluster.claims.on_change(move |claim| claims(claim.metadata.namespace.as_ref()));
    let mut faults = cluster.config.faults.changes();
    let kubelet = kubelet.clone();
    tasks.spawn(async move {
        while faults.changed().await.is_ok() {
            kubelet.wake(None);
        }
    });
}

impl Kubelet {
    /// Starts, stops or leaves alone what belongs to a changed Pod.
    fn look_at(self: &Arc<Self>, namespace: &str, name: &str, uid: &str, pods: &mut JoinSet<()>) {
        let pod =
            self.cluster.pods.get(namespace, name).filter(|pod| pod.uid().as_deref() == Some(uid));
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pod) = pod else {
            if let Some(worker) = workers.remove(uid) {
                worker.task.abort();
                self.clean_up(namespace, name, uid);
            }
            return;
        };
        if pod.metadata.deletion_timestamp.is_some() {
            if let Some(worker) = workers.remove(uid) {
                worker.task.abort();
            }
            let kubelet = self.clone();
            pods.spawn(async move {
                if let Err(error) = pod::remove(&kubelet, &pod).await {
                    kubelet
                        .cluster
                        .log
                        .line(&format!("removal of Pod {}: {error:#}", pod.name_any()));
                }
                kubelet.clean_up(
                    &pod.namespace().unwrap_or_default(),
                    &pod.name_any(),
                    &pod.uid().unwrap_or_default(),
                );
            });
            return;
        }
        if is_finished(&pod) || workers.contains_key(uid) {
            return;
        }
        let (runtime, wake) = (Arc::new(PodRuntime::default()), Arc::new(Notify::new()));
        let kubelet = self.clone();
        let (for_worker, waker) = (runtime.clone(), wake.clone());
        let task = pods.spawn(async move {
            let lived =
                || pod::live(kubelet.clone(), pod.clone(), for_worker.clone(), waker.clone());
            while let Err(error) = lived().await {
                kubelet.cluster.log.line(&format!("Pod {}: {error:#}", pod.name_any()));
                tokio::time::sleep(AGAIN).await;
            }
        });
        workers.insert(
            uid.to_owned(),
            Worker { namespace: namespace.to_owned(), runtime, wake, task },
        );
    }

    fn clean_up(&self, namespace: &str, name: &str, uid: &str) {
        self.cluster.config.logs.forget(namespace, name);
        // The files of volumes hold secrets: they go with their Pod.
        let _ = std::fs::remove_dir_all(self.pod_folder(uid));
    }

    fn wake(&self, namespace: Option<&str>) {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let concerned = workers
            .values()
            .filter(|worker| namespace.is_none_or(|namespace| worker.namespace == namespace));
        for worker in concerned {
            worker.wake.notify_waiters();
        }
    }

    /// What runs in the Pod with this uid.
    pub(crate) fn runtime(&self, uid: &str) -> Option<Arc<PodRuntime>> {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.get(uid).map(|worker| worker.runtime.clone())
    }

    pub(crate) fn add_tenant(&self, name: &str) {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }

    pub(crate) fn has_tenant(&self, name: &str) -> bool {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    fn pod_folder(&self, uid: &str) -> PathBuf {
        self.cluster.config.folder.join("pods").join(uid)
    }

    /// A new address in the subnet of the node with this index.
    fn next_address(&self, index: usize) -> String {
        let number = self.addresses.fetch_add(1, Ordering::Relaxed);
        format!(
            "10.0.{}.{}",
            (index + 1) * 16 + 1 + usize::try_from(number / 250 % 15).unwrap_or(0),
            number % 250 + 1
        )
    }
}

fn is_finished(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}
