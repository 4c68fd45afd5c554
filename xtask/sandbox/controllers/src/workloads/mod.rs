//! The controllers that turn templates into Pods.

mod cron_job;
mod daemon_set;
mod deployment;
mod deployment_status;
mod job;
mod pods;
mod replica_set;
mod rollout;
mod stateful_set;

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::control::control;

/// Starts them all.
pub(crate) fn start(cluster: &Arc<Cluster>, tasks: &mut JoinSet<()>) {
    let deployments =
        control(cluster, &cluster.deployments, tasks, "deployment", deployment::reconcile);
    let replica_sets =
        control(cluster, &cluster.replica_sets, tasks, "replicaset", replica_set::reconcile);
    let stateful_sets =
        control(cluster, &cluster.stateful_sets, tasks, "statefulset", stateful_set::reconcile);
    let daemon_sets =
        control(cluster, &cluster.daemon_sets, tasks, "daemonset", daemon_set::reconcile);
    let jobs = control(cluster, &cluster.jobs, tasks, "job", job::reconcile);
    let cron_jobs = control(cluster, &cluster.cron_jobs, tasks, "cronjob", cron_job::reconcile);

    let owners = deployments.clone();
    cluster.replica_sets.on_change(move |set| owners.add_owner("Deployment", &set.metadata));
    let owners = cron_jobs;
    cluster.jobs.on_change(move |job| owners.add_owner("CronJob", &job.metadata));

    // A missing ServiceAccount keeps a ReplicaSet or a Job from making Pods: look again when one appears.
    let (sets, waiting_jobs) = (replica_sets.clone(), jobs.clone());
    cluster.service_accounts.on_change(move |account| {
        let namespace = account.metadata.namespace.as_deref().unwrap_or_default();
        sets.add_namespace(namespace);
        waiting_jobs.add_namespace(namespace);
    });

    let sets = cluster.replica_sets.clone();
    cluster.pods.on_change(move |pod| {
        let meta = &pod.metadata;
        replica_sets.add_owner("ReplicaSet", meta);
        stateful_sets.add_owner("StatefulSet", meta);
        daemon_sets.add_owner("DaemonSet", meta);
        jobs.add_owner("Job", meta);
        // A Deployment that replaces all Pods at once waits for the last of the old ones.
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let set = crate::cluster::controller_of(meta)
            .filter(|owner| owner.kind == "ReplicaSet")
            .and_then(|owner| sets.get(namespace, &owner.name));
        if let Some(set) = set {
            deployments.add_owner("Deployment", &set.metadata);
        }
    });
}
