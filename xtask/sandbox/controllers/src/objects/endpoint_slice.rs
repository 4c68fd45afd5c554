//! Lists the Pods behind each Service that has a selector.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Service, ServicePort};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::{DeleteParams, ObjectMeta};
use kube::{Resource, ResourceExt};

use crate::cluster::{Cluster, is_controlled_by};
use crate::names;
use crate::nodes;
use crate::selectors::contains;

pub(crate) async fn reconcile(
    cluster: Arc<Cluster>,
    service: Arc<Service>,
) -> anyhow::Result<Option<Duration>> {
    let namespace = service.namespace().unwrap_or_default();
    let spec = service.spec.clone().unwrap_or_default();
    let Some(selector) = spec.selector.filter(|selector| !selector.is_empty()) else {
        return Ok(None);
    };
    if service.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let pods = cluster.pods.select(|pod| {
        pod.metadata.namespace.as_deref() == Some(&namespace)
            && contains(pod.labels(), &selector)
            && address(pod).is_some()
            && !matches!(phase(pod), Some("Succeeded" | "Failed"))
    });
    let ports = spec.ports.unwrap_or_default();
    let endpoints: Vec<_> = pods
        .iter()
        .map(|pod| endpoint(&cluster, pod, spec.publish_not_ready_addresses == Some(true)))
        .collect();
    // A named target port may differ between Pods; the newest Pod's is what the slice says.
    let example =
        pods.iter().max_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0));
    let ports = ports.iter().map(|port| endpoint_port(port, example.map(|pod| &**pod))).collect();
    write(&cluster, &service, &namespace, endpoints, ports).await?;
    Ok(None)
}

fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}

fn address(pod: &Pod) -> Option<String> {
    pod.status.as_ref()?.pod_ip.clone()
}

fn endpoint(cluster: &Cluster, pod: &Pod, publish_not_ready: bool) -> Endpoint {
    let terminating = pod.metadata.deletion_timestamp.is_some();
    let ready = is_ready(pod);
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    let region = &cluster.config.aws.region;
    let index = nodes::names(region).iter().position(|name| Some(name) == node.as_ref());
    Endpoint {
        addresses: address(pod).into_iter().collect(),
        conditions: Some(EndpointConditions {
            ready: Some(publish_not_ready || ready && !terminating),
            serving: Some(ready),
            terminating: Some(terminating),
        }),
        node_name: node,
        zone: index.map(|index| nodes::zone(region, index)),
        target_ref: Some(k8s_openapi::api::core::v1::ObjectReference {
            resource_version: None,
            api_version: None,
            ..pod.object_ref(&())
        }),
        ..Endpoint::default()
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn endpoint_port(port: &ServicePort, pod: Option<&Pod>) -> EndpointPort {
    EndpointPort {
        name: Some(port.name.clone().unwrap_or_default()),
        port: pod.map_or(Some(port.port), |pod| target_port(port, pod)),
        protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".to_owned())),
        app_protocol: port.app_protocol.clone(),
    }
}

/// The port of `pod` that a Service's port leads to; none if its name is unknown there.
pub(crate) fn target_port(port: &ServicePort, pod: &Pod) -> Option<i32> {
    match &port.target_port {
        None => Some(port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(name)) => container_port(pod, name),
    }
}

/// The number of a container port with this name.
pub(crate) fn container_port(pod: &Pod, name: &str) -> Option<i32> {
    let containers = pod.spec.as_ref()?.containers.iter();
    containers
        .flat_map(|container| container.ports.iter().flatten())
        .find(|port| port.name.as_deref() == Some(name))
        .map(|port| port.container_port)
}

async fn write(
    cluster: &Cluster,
    service: &Service,
    namespace: &str,
    endpoints: Vec<Endpoint>,
    ports: Vec<EndpointPort>,
) -> anyhow::Result<()> {
    let uid = service.uid().unwrap_or_default();
    let slices = cluster.endpoint_slices.select(|slice| {
        slice.metadata.namespace.as_deref() == Some(namespace)
            && is_controlled_by(&slice.metadata, Some(&uid))
    });
    for surplus in slices.iter().skip(1) {
        cluster.delete(&cluster.endpoint_slices, surplus, &DeleteParams::default()).await?;
    }
    if let Some(slice) = slices.first() {
        let mut changed = (**slice).clone();
        changed.endpoints = endpoints;
        changed.ports = Some(ports);
        if changed != **slice {
            cluster.replace(&cluster.endpoint_slices, &changed).await?;
        }
        return Ok(());
    }
    let name = service.name_any();
    let labels = [
        ("kubernetes.io/service-name", name.as_str()),
        ("endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io"),
    ];
    let slice = EndpointSlice {
        metadata: ObjectMeta {
            name: Some(format!("{name}-{}", names::hash_suffix(&uid, 5))),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            owner_references: service.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        address_type: "IPv4".to_owned(),
        endpoints,
        ports: Some(ports),
    };
    cluster.create(&cluster.endpoint_slices, &slice).await?;
    Ok(())
}
