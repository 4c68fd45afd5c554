//! One Pod of a DaemonSet on each simulated node.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetStatus};
use kube::api::DeleteParams;
use kube::{Resource, ResourceExt};

use super::pods::{controlled, count, from_template, is_finished, is_ready};
use crate::cluster::Cluster;
use crate::names;
use crate::nodes;

const REVISION_LABEL: &str = "controller-revision-hash";

pub(crate) async fn reconcile(
    cluster: Arc<Cluster>,
    set: Arc<DaemonSet>,
) -> anyhow::Result<Option<Duration>> {
    let namespace = set.namespace().unwrap_or_default();
    let spec = set.spec.clone().unwrap_or_default();
    let text =
        serde_json::to_string(&spec.template).context("failed to write a Pod template as JSON")?;
    let revision = names::hash_suffix(&text, 10);
    let node_names: Vec<String> = nodes::names(&cluster.config.aws.region);
    let mut missing = node_names.clone();
    for pod in controlled(&cluster, &namespace, set.metadata.uid.as_deref()) {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
        let current = pod.labels().get(REVISION_LABEL) == Some(&revision);
        if pod.metadata.deletion_timestamp.is_some() {
            missing.retain(|name| *name != node);
        } else if !current || is_finished(&pod) {
            cluster.delete(&cluster.pods, &pod, &DeleteParams::default()).await?;
        } else {
            missing.retain(|name| *name != node);
        }
    }
    if set.metadata.deletion_timestamp.is_none() {
        let owner = set.controller_owner_ref(&()).context("a DaemonSet without a uid")?;
        for node in missing {
            let name = format!("{}-{}", set.name_any(), names::random_suffix(5));
            let label = (REVISION_LABEL.to_owned(), revision.clone());
            let mut pod = from_template(&spec.template, &namespace, name, owner.clone(), [label]);
            pod.spec.get_or_insert_default().node_name = Some(node);
            cluster.create(&cluster.pods, &pod).await?;
        }
    }
    let pods = controlled(&cluster, &namespace, set.metadata.uid.as_deref());
    let desired = count(&node_names);
    let ready = count(pods.iter().filter(|pod| is_ready(pod)));
    let status = DaemonSetStatus {
        desired_number_scheduled: desired,
        current_number_scheduled: count(&pods).min(desired),
        number_misscheduled: 0,
        number_ready: ready,
        number_available: Some(ready),
        number_unavailable: (desired > ready).then_some(desired - ready),
        updated_number_scheduled: Some(count(
            pods.iter().filter(|pod| pod.labels().get(REVISION_LABEL) == Some(&revision)),
        )),
        observed_generation: set.metadata.generation,
        ..DaemonSetStatus::default()
    };
    if set.status.as_ref() != Some(&status) {
        let written = DaemonSet { status: Some(status), ..(*set).clone() };
        cluster.replace_status(&cluster.daemon_sets, &written).await?;
    }
    Ok(None)
}
