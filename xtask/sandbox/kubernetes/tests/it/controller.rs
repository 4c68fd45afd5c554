//! The least that has to happen in a cluster for helm and kubectl to see their work done:
//! Deployments become ready unless their image is a broken one, Jobs complete, Pods succeed.

use std::fmt::Debug;

use futures::{StreamExt, pin_mut};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{apps::v1::Deployment, batch::v1::Job, core::v1::Pod},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams},
    runtime::{WatchStreamExt, watcher},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::harness::Sandbox;

/// An image that never gets ready.
pub(crate) const BROKEN: &str = "broken:1";

/// Starts the controllers; they end with the sandbox.
pub(crate) fn start(sandbox: &Sandbox) {
    let client = sandbox.client();
    sandbox.runtime.spawn(reconcile(client.clone(), deployment_status));
    sandbox.runtime.spawn(reconcile(client.clone(), job_status));
    sandbox.runtime.spawn(reconcile(client, pod_status));
}

async fn reconcile<K>(client: Client, status: fn(&K) -> Option<Value>)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static,
{
    let objects = watcher(Api::<K>::all(client.clone()), watcher::Config::default());
    let objects = objects.default_backoff().applied_objects();
    pin_mut!(objects);
    while let Some(object) = objects.next().await {
        let Ok(object) = object else { continue };
        let Some(status) = status(&object) else { continue };
        let api: Api<K> = Api::namespaced(client.clone(), &object.namespace().unwrap());
        let patch = Patch::Merge(json!({"status": status}));
        // An object that is gone by now needs no status.
        let _ = api.patch_status(&object.name_any(), &PatchParams::default(), &patch).await;
    }
}

fn deployment_status(deployment: &Deployment) -> Option<Value> {
    let spec = deployment.spec.as_ref()?;
    let replicas = spec.replicas.unwrap_or(1);
    let broken = spec
        .template
        .spec
        .as_ref()?
        .containers
        .iter()
        .any(|one| one.image.as_deref() == Some(BROKEN));
    let ready = if broken { 0 } else { replicas };
    Some(json!({
        "observedGeneration": deployment.metadata.generation, "replicas": replicas, "updatedReplicas": replicas,
        "readyReplicas": ready, "availableReplicas": ready,
        "conditions": [
            {"type": "Available", "status": if broken { "False" } else { "True" }, "reason": "MinimumReplicasAvailable"},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
        ],
    }))
}

fn job_status(job: &Job) -> Option<Value> {
    let now = job.metadata.creation_timestamp.clone()?;
    let condition =
        |kind: &str| json!({"type": kind, "status": "True", "reason": "CompletionsReached"});
    Some(json!({"succeeded": 1, "startTime": now, "completionTime": now,
        "conditions": [condition("SuccessCriteriaMet"), condition("Complete")]}))
}

fn pod_status(_pod: &Pod) -> Option<Value> {
    Some(json!({"phase": "Succeeded"}))
}
