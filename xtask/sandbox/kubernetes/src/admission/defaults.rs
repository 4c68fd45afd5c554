//! Defaults of the built-in kinds.

use serde_json::{Value, json};

use super::{pod, storage, workloads};
use crate::{
    resources::Resource,
    value::{at, default, items_mut, list, place, set, text},
};

const RBAC: &str = "rbac.authorization.k8s.io";

/// Fills in what a request left out.
pub(crate) fn apply(resource: &Resource, object: &mut Value) {
    if resource.custom {
        return crate::schema::apply_defaults(&resource.schema, object);
    }
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Pod") => pod::default_pod(object),
        ("", "Service") => service(object),
        ("", "Secret") => default(object, "type", "Opaque"),
        ("", "Namespace") => namespace(object),
        ("", "PersistentVolumeClaim") => storage::default_claim(object),
        ("", "PersistentVolume") => storage::default_volume(object),
        ("", "Endpoints") => {
            for subset in items_mut(object, "subsets") {
                items_mut(subset, "ports").for_each(|port| default(port, "protocol", "TCP"));
            }
        }
        ("apps" | "batch", _) => workloads::default_workload(resource, object),
        ("", "ReplicationController") => default(object, "spec.replicas", 1),
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaler(object),
        ("networking.k8s.io", "NetworkPolicy") => network_policy(object),
        ("networking.k8s.io", "IngressClass") if at(object, "spec.parameters").is_object() => {
            default(object, "spec.parameters.scope", "Cluster");
        }
        (RBAC, "RoleBinding" | "ClusterRoleBinding") => binding(object),
        ("storage.k8s.io", "StorageClass") => {
            default(object, "reclaimPolicy", "Delete");
            default(object, "volumeBindingMode", "Immediate");
        }
        ("scheduling.k8s.io", "PriorityClass") => {
            default(object, "preemptionPolicy", "PreemptLowerPriority")
        }
        ("admissionregistration.k8s.io", kind) => webhooks(kind, object),
        ("apiregistration.k8s.io", _) if at(object, "spec.service").is_object() => {
            default(object, "spec.service.port", 443);
        }
        ("apiextensions.k8s.io", _) => definition(object),
        ("discovery.k8s.io", _) => {
            for port in items_mut(object, "ports") {
                default(port, "name", "");
                default(port, "protocol", "TCP");
            }
        }
        _ => {}
    }
}

fn namespace(object: &mut Value) {
    let name = text(object, "metadata.name").to_owned();
    let labels = crate::value::object(place(object, "metadata.labels"));
    labels.insert("kubernetes.io/metadata.name".into(), json!(name));
}

fn service(object: &mut Value) {
    default(object, "spec.type", "ClusterIP");
    default(object, "spec.sessionAffinity", "None");
    if text(object, "spec.sessionAffinity") == "ClientIP" {
        default(object, "spec.sessionAffinityConfig.clientIP.timeoutSeconds", 10_800);
    }
    let kind = text(object, "spec.type").to_owned();
    if kind != "ExternalName" {
        default(object, "spec.internalTrafficPolicy", "Cluster");
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        default(object, "spec.externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        default(object, "spec.allocateLoadBalancerNodePorts", true);
    }
    for port in items_mut(object, "spec.ports") {
        default(port, "protocol", "TCP");
        let number = port["port"].clone();
        let target = at(port, "targetPort");
        if target.is_null() || target == 0 || target == "" {
            set(port, "targetPort", number);
        }
    }
}

fn autoscaler(object: &mut Value) {
    default(object, "spec.minReplicas", 1);
    if list(object, "spec.metrics").is_empty() {
        let utilization = json!({"type": "Utilization", "averageUtilization": 80});
        let metric =
            json!([{"type": "Resource", "resource": {"name": "cpu", "target": utilization}}]);
        set(object, "spec.metrics", metric);
    }
    if !at(object, "spec.behavior").is_object() {
        return;
    }
    let policy =
        |kind: &str, value: u32| json!({"type": kind, "value": value, "periodSeconds": 15});
    let up = json!([policy("Pods", 4), policy("Percent", 100)]);
    let down = json!([policy("Percent", 100)]);
    default(object, "spec.behavior.scaleUp.stabilizationWindowSeconds", 0);
    for (direction, policies) in [("scaleUp", up), ("scaleDown", down)] {
        default(object, &format!("spec.behavior.{direction}.selectPolicy"), "Max");
        default(object, &format!("spec.behavior.{direction}.policies"), policies);
    }
}

fn network_policy(object: &mut Value) {
    let egress = at(object, "spec.egress").is_array();
    let types = if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
    default(object, "spec.policyTypes", types);
    for direction in ["spec.ingress", "spec.egress"] {
        for rule in items_mut(object, direction) {
            items_mut(rule, "ports").for_each(|port| default(port, "protocol", "TCP"));
        }
    }
}

fn binding(object: &mut Value) {
    default(object, "roleRef.apiGroup", RBAC);
    for subject in items_mut(object, "subjects") {
        if matches!(text(subject, "kind"), "User" | "Group") {
            default(subject, "apiGroup", RBAC);
        }
    }
}

fn webhooks(kind: &str, object: &mut Value) {
    for webhook in items_mut(object, "webhooks") {
        default(webhook, "failurePolicy", "Fail");
        default(webhook, "matchPolicy", "Equivalent");
        default(webhook, "namespaceSelector", json!({}));
        default(webhook, "objectSelector", json!({}));
        default(webhook, "timeoutSeconds", 10);
        if kind.starts_with("Mutating") {
            default(webhook, "reinvocationPolicy", "Never");
        }
        if at(webhook, "clientConfig.service").is_object() {
            default(webhook, "clientConfig.service.port", 443);
        }
        items_mut(webhook, "rules").for_each(|rule| default(rule, "scope", "*"));
    }
}

fn definition(object: &mut Value) {
    let kind = text(object, "spec.names.kind").to_owned();
    default(object, "spec.names.singular", kind.to_lowercase());
    default(object, "spec.names.listKind", format!("{kind}List"));
    default(object, "spec.conversion.strategy", "None");
}
