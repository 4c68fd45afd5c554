//! The simulated nodes, and what EKS puts into a cluster that has just been made.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Node, NodeAddress, NodeCondition, NodeSpec, NodeStatus, NodeSystemInfo,
};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Client;
use kube::api::{Api, ObjectMeta};

use crate::cluster::manager;

/// One node in each zone; the name of the last one's zone ends with `c`.
const ZONES: [&str; 3] = ["a", "b", "c"];

/// The names of a cluster's nodes, as EC2 gives them.
pub(crate) fn names(region: &str) -> Vec<String> {
    (0..ZONES.len()).map(|index| name(region, index)).collect()
}

fn name(region: &str, index: usize) -> String {
    format!("ip-10-0-{}-10.{region}.compute.internal", (index + 1) * 16)
}

/// The node's own address.
pub(crate) fn address(index: usize) -> String {
    format!("10.0.{}.10", (index + 1) * 16)
}

/// The zone of the node with this index.
pub(crate) fn zone(region: &str, index: usize) -> String {
    format!("{region}{}", ZONES[index % ZONES.len()])
}

/// The labels of a node that Pods can ask for.
pub(crate) fn labels(region: &str, index: usize) -> BTreeMap<String, String> {
    [
        ("eks.amazonaws.com/capacityType", "ON_DEMAND".to_owned()),
        ("kubernetes.io/arch", "amd64".to_owned()),
        ("kubernetes.io/hostname", name(region, index)),
        ("kubernetes.io/os", "linux".to_owned()),
        ("node.kubernetes.io/instance-type", "m7i.large".to_owned()),
        ("topology.kubernetes.io/region", region.to_owned()),
        ("topology.kubernetes.io/zone", zone(region, index)),
        ("sandbox.supabase/simulated", "true".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// Makes the nodes and the storage class `gp2`, unless they exist.
pub(crate) async fn seed(client: &Client, region: &str, version: &str) -> anyhow::Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    for index in 0..ZONES.len() {
        if nodes.get_opt(&name(region, index)).await?.is_some() {
            continue;
        }
        let node = nodes.create(&manager("kubelet"), &node(region, index)).await?;
        let ready = Node { status: Some(status(region, index, version)), ..node };
        nodes.replace_status(&name(region, index), &manager("kubelet"), &ready).await?;
    }
    let classes: Api<StorageClass> = Api::all(client.clone());
    if classes.get_opt("gp2").await?.is_none() {
        let class = StorageClass {
            metadata: ObjectMeta { name: Some("gp2".to_owned()), ..ObjectMeta::default() },
            provisioner: "kubernetes.io/aws-ebs".to_owned(),
            parameters: Some([("type".to_owned(), "gp2".to_owned())].into()),
            reclaim_policy: Some("Delete".to_owned()),
            volume_binding_mode: Some("WaitForFirstConsumer".to_owned()),
            ..StorageClass::default()
        };
        classes.create(&manager("eks"), &class).await?;
    }
    Ok(())
}

fn node(region: &str, index: usize) -> Node {
    Node {
        metadata: ObjectMeta {
            name: Some(name(region, index)),
            labels: Some(labels(region, index)),
            ..ObjectMeta::default()
        },
        spec: Some(NodeSpec {
            provider_id: Some(format!("aws:///{}/i-0{index:016x}", zone(region, index))),
            ..NodeSpec::default()
        }),
        status: None,
    }
}

fn status(region: &str, index: usize, version: &str) -> NodeStatus {
    let quantities = |cpu: &str, memory: &str| -> BTreeMap<String, Quantity> {
        [("cpu", cpu), ("memory", memory), ("pods", "110")]
            .map(|(key, value)| (key.to_owned(), Quantity(value.to_owned())))
            .into()
    };
    let now = Time(jiff::Timestamp::now());
    NodeStatus {
        capacity: Some(quantities("16", "64Gi")),
        allocatable: Some(quantities("15900m", "62Gi")),
        conditions: Some(vec![NodeCondition {
            type_: "Ready".to_owned(),
            status: "True".to_owned(),
            reason: Some("KubeletReady".to_owned()),
            message: Some("sandbox: simulated node".to_owned()),
            last_heartbeat_time: Some(now.clone()),
            last_transition_time: Some(now),
        }]),
        addresses: Some(vec![
            NodeAddress { type_: "InternalIP".to_owned(), address: address(index) },
            NodeAddress { type_: "Hostname".to_owned(), address: name(region, index) },
        ]),
        node_info: Some(NodeSystemInfo {
            architecture: "amd64".to_owned(),
            operating_system: "linux".to_owned(),
            os_image: "sandbox: simulated".to_owned(),
            container_runtime_version: "sandbox://simulated".to_owned(),
            kubelet_version: version.to_owned(),
            ..NodeSystemInfo::default()
        }),
        ..NodeStatus::default()
    }
}
