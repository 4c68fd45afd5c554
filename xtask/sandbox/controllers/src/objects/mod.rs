//! The small controllers: one file for each kind of object that they keep true.

mod autoscaler;
mod disruption_budget;
mod endpoint_slice;
mod service_account;
mod volume_claim;

pub(crate) use endpoint_slice::{container_port, target_port};
pub(crate) use volume_claim::claim_folder;

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::control::control;

/// Starts them all.
pub(crate) fn start(cluster: &Arc<Cluster>, tasks: &mut JoinSet<()>) {
    control(cluster, &cluster.namespaces, tasks, "serviceaccount", service_account::reconcile);

    let claims =
        control(cluster, &cluster.claims, tasks, "persistentvolume", volume_claim::reconcile);
    cluster.storage_classes.on_change(move |_| claims.add_all());

    let services =
        control(cluster, &cluster.services, tasks, "endpointslice", endpoint_slice::reconcile);
    let budgets =
        control(cluster, &cluster.budgets, tasks, "disruption", disruption_budget::reconcile);
    cluster.pods.on_change(move |pod| {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        services.add_namespace(namespace);
        budgets.add_namespace(namespace);
    });

    let autoscalers =
        control(cluster, &cluster.autoscalers, tasks, "autoscaler", autoscaler::reconcile);
    let queue = autoscalers.clone();
    cluster.deployments.on_change(move |deployment| {
        queue.add_namespace(deployment.metadata.namespace.as_deref().unwrap_or_default());
    });
    cluster.stateful_sets.on_change(move |set| {
        autoscalers.add_namespace(set.metadata.namespace.as_deref().unwrap_or_default());
    });
}
