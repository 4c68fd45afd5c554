//! The controllers of the sandbox's clusters: workloads, kubelet, add-ons, and the gateway into them.
//!
//! Everything here is an ordinary client of a Kubernetes API and knows nothing of who serves it.
//! What is simulated says so: in events, in logs (`sandbox: simulated ...`) and in answers.
//!
//! Architecture invariants: a controller writes only what its real counterpart writes; nothing is
//! polled that can be watched; an add-on's controller acts only while the add-on's Deployment is
//! available; a program that exists on this machine is run, not simulated.

mod addons;
mod aws;
mod cluster;
mod control;
mod events;
mod faults;
pub mod gateway;
mod informer;
mod irsa;
mod kubelet;
mod load_balancer;
mod log;
mod mounts;
mod names;
mod network_policy;
mod nodes;
mod objects;
mod pod_logs;
mod postgres;
mod process;
mod secrets_operator;
mod selectors;
mod workloads;

use std::future::Future;

use anyhow::Context;
use tokio::task::JoinSet;

pub use cluster::{AwsAccess, ClusterConfig};
pub use faults::{Fault, Faults};
pub use load_balancer::LoadBalancers;
pub use pod_logs::{LogQuery, PodLogs};

use cluster::Cluster;
use load_balancer::Site;

/// Runs all controllers of one cluster until `shutdown` completes.
///
/// # Errors
/// When the cluster's API cannot be reached at the start, or the folder cannot be written.
pub async fn run(
    config: ClusterConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    // Whoever comes first decides for the process; every part of the sandbox wants ring.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let name = config.name.clone();
    let load_balancers = config.load_balancers.clone();
    let cluster = Cluster::connect(config)?;
    nodes::seed(&cluster.client, &cluster.config.aws.region, &cluster.config.kubernetes_version)
        .await
        .with_context(|| format!("failed to set cluster {name} up"))?;

    let mut tasks = JoinSet::new();
    let kubelet = kubelet::start(&cluster, &mut tasks)?;
    workloads::start(&cluster, &mut tasks);
    objects::start(&cluster, &mut tasks);
    load_balancer::start(&cluster, &kubelet, &mut tasks);
    secrets_operator::start(&cluster, &mut tasks);
    cluster.follow(&mut tasks).await;
    load_balancers.add_site(Site { cluster, kubelet });

    shutdown.await;
    load_balancers.remove_site(&name);
    tasks.shutdown().await;
    Ok(())
}
