//! Fields that may not change once an object exists.

use serde_json::Value;

use crate::{
    resources::Resource,
    status::FieldFault,
    value::{at, remove, text},
};

const IMMUTABLE: &str = "field is immutable";

/// What a StatefulSet may change.
const STATEFUL_SET: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

pub(super) fn broken(resource: &Resource, old: &Value, new: &Value) -> Vec<FieldFault> {
    let fixed = |paths: &[&str]| -> Vec<FieldFault> {
        let changed = paths.iter().filter(|path| at(old, path) != at(new, path));
        changed.map(|path| FieldFault::invalid(*path, at(new, path), IMMUTABLE)).collect()
    };
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("apps", "Deployment" | "ReplicaSet" | "DaemonSet") => fixed(&["spec.selector"]),
        ("apps", "StatefulSet") => stateful_set(old, new),
        ("batch", "Job") => job(old, new),
        ("", "Service") => {
            let was = text(old, "spec.clusterIP");
            let free = was.is_empty() || text(old, "spec.type") == "ExternalName";
            if free || text(new, "spec.type") == "ExternalName" {
                Vec::new()
            } else {
                fixed(&["spec.clusterIP"])
            }
        }
        ("", "ConfigMap" | "Secret") => {
            let mut faults = Vec::new();
            if resource.kind == "Secret" {
                faults.extend(fixed(&["type"]));
            }
            if at(old, "immutable") == true {
                let changed = ["data", "binaryData", "immutable"]
                    .iter()
                    .filter(|path| at(old, path) != at(new, path));
                let detail = "field is immutable when `immutable` is set";
                faults.extend(changed.map(|path| FieldFault::forbidden(*path, detail)));
            }
            faults
        }
        ("", "PersistentVolumeClaim") => claim(old, new),
        ("", "Pod") => pod(old, new),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            let changed = at(old, "roleRef") != at(new, "roleRef");
            let fault =
                || FieldFault::invalid("roleRef", at(new, "roleRef"), "cannot change roleRef");
            changed.then(fault).into_iter().collect()
        }
        ("apiextensions.k8s.io", _) => {
            fixed(&["spec.group", "spec.scope", "spec.names.plural", "spec.names.kind"])
        }
        ("scheduling.k8s.io", _) => fixed(&["value", "preemptionPolicy"]),
        ("storage.k8s.io", "StorageClass") => {
            fixed(&["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"])
        }
        _ => Vec::new(),
    }
}

fn spec_without(object: &Value, fields: &[&str]) -> Value {
    let mut spec = at(object, "spec").clone();
    for field in fields {
        remove(&mut spec, field);
    }
    spec
}

fn stateful_set(old: &Value, new: &Value) -> Vec<FieldFault> {
    if spec_without(old, &STATEFUL_SET) == spec_without(new, &STATEFUL_SET) {
        return Vec::new();
    }
    let detail = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
    vec![FieldFault::forbidden("spec", detail)]
}

fn job(old: &Value, new: &Value) -> Vec<FieldFault> {
    let suspended = at(old, "spec.suspend") == true;
    let mut paths = vec!["spec.completionMode", "spec.podFailurePolicy", "spec.selector"];
    if text(new, "spec.completionMode") != "Indexed" {
        paths.push("spec.completions");
    }
    if !suspended {
        paths.push("spec.template");
    }
    let changed = paths.into_iter().filter(|path| at(old, path) != at(new, path));
    changed.map(|path| FieldFault::invalid(path, at(new, path), IMMUTABLE)).collect()
}

fn claim(old: &Value, new: &Value) -> Vec<FieldFault> {
    let bound_now = text(old, "spec.volumeName").is_empty();
    let mut free = vec!["resources", "volumeAttributesClassName"];
    if bound_now {
        free.push("volumeName");
    }
    if at(old, "spec.storageClassName").is_null() {
        free.push("storageClassName");
    }
    if spec_without(old, &free) == spec_without(new, &free) {
        return Vec::new();
    }
    let detail = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
    vec![FieldFault::forbidden("spec", detail)]
}

fn pod(old: &Value, new: &Value) -> Vec<FieldFault> {
    let bare = |object: &Value| {
        let mut spec = spec_without(
            object,
            &[
                "tolerations",
                "activeDeadlineSeconds",
                "terminationGracePeriodSeconds",
                "schedulingGates",
            ],
        );
        if text(old, "spec.nodeName").is_empty() {
            remove(&mut spec, "nodeName");
        }
        for kind in ["containers", "initContainers"] {
            for container in crate::value::items_mut(&mut spec, kind) {
                remove(container, "image");
            }
        }
        spec
    };
    if bare(old) == bare(new) {
        return Vec::new();
    }
    let detail = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
    vec![FieldFault::forbidden("spec", detail)]
}
