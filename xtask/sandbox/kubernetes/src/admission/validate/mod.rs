//! What an object has to obey, beyond its schema, to be stored.

mod immutable;
mod network;
mod workload;

use serde_json::{Value, json};

use super::{check_metadata, custom, names::is_data_key};
use crate::{
    resources::Resource,
    schema,
    status::FieldFault,
    value::{at, list, text},
};

/// The most bytes in a ConfigMap or Secret.
const MOST_DATA: usize = 1024 * 1024;

/// What is wrong with a new object.
pub(crate) fn validate_create(resource: &Resource, object: &Value) -> Vec<FieldFault> {
    let mut faults = check_metadata(resource, object);
    faults.extend(schema::validate(&resource.schema, object));
    if faults.is_empty() && !resource.custom {
        faults.extend(validate_kind(resource, object));
    }
    faults
}

/// What is wrong with a changed object.
pub(crate) fn validate_update(resource: &Resource, old: &Value, new: &Value) -> Vec<FieldFault> {
    let mut faults = validate_create(resource, new);
    if faults.is_empty() {
        faults.extend(immutable::broken(resource, old, new));
    }
    if !at(old, "metadata.deletionTimestamp").is_null() {
        let before = list(old, "metadata.finalizers");
        let added: Vec<&str> = list(new, "metadata.finalizers")
            .iter()
            .filter(|one| !before.contains(one))
            .filter_map(Value::as_str)
            .collect();
        if !added.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers {added:?}"
            );
            faults.push(FieldFault::forbidden("metadata.finalizers", &detail));
        }
    }
    faults
}

fn validate_kind(resource: &Resource, object: &Value) -> Vec<FieldFault> {
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "ConfigMap" | "Secret") => data(object),
        ("", "Service") => network::service(object),
        ("", "Pod") => workload::pod_spec("spec", at(object, "spec"), &[]),
        ("", "PersistentVolumeClaim") => claim(object),
        ("apps" | "batch", _) => workload::workload(resource, object),
        ("autoscaling", _) => autoscaler(object),
        ("networking.k8s.io", "Ingress") => network::ingress(object),
        ("policy", _) => disruption_budget(object),
        ("apiextensions.k8s.io", _) => custom::validate(object),
        _ => Vec::new(),
    }
}

fn data(object: &Value) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    let mut size = 0;
    for field in ["data", "binaryData"] {
        for (key, value) in at(object, field).as_object().into_iter().flatten() {
            size += key.len() + value.as_str().map_or(0, str::len);
            if !is_data_key(key) {
                let rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
                faults.push(FieldFault::invalid(format!("{field}[{key}]"), &json!(key), rule));
            }
        }
    }
    if size > MOST_DATA {
        faults
            .push(FieldFault::too_long("data", &format!("may not be more than {MOST_DATA} bytes")));
    }
    faults
}

fn claim(object: &Value) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    if list(object, "spec.accessModes").is_empty() {
        faults.push(FieldFault::required("spec.accessModes", "at least 1 access mode is required"));
    }
    if at(object, "spec.resources.requests.storage").is_null() {
        faults.push(FieldFault::required("spec.resources[storage]", ""));
    }
    faults
}

fn autoscaler(object: &Value) -> Vec<FieldFault> {
    let number = |path: &str| at(object, path).as_i64().unwrap_or_default();
    let (least, most) = (number("spec.minReplicas"), number("spec.maxReplicas"));
    let mut faults = Vec::new();
    if least < 1 {
        faults.push(FieldFault::invalid(
            "spec.minReplicas",
            &json!(least),
            "must be greater than or equal to 1",
        ));
    }
    if most < 1 {
        faults.push(FieldFault::invalid(
            "spec.maxReplicas",
            &json!(most),
            "must be greater than 0",
        ));
    }
    if most < least {
        let detail = "must be greater than or equal to `minReplicas`";
        faults.push(FieldFault::invalid("spec.maxReplicas", &json!(most), detail));
    }
    if text(object, "spec.scaleTargetRef.name").is_empty() {
        faults.push(FieldFault::required("spec.scaleTargetRef.name", ""));
    }
    faults
}

fn disruption_budget(object: &Value) -> Vec<FieldFault> {
    let spec = at(object, "spec");
    if !at(spec, "minAvailable").is_null() && !at(spec, "maxUnavailable").is_null() {
        let detail = "minAvailable and maxUnavailable cannot be both set";
        return vec![FieldFault::invalid("spec", spec, detail)];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::Registry;

    pub(super) fn faults(api_version: &str, kind: &str, object: &Value) -> Vec<String> {
        let registry = Registry::builtin();
        let resource = registry.of_kind(api_version, kind).unwrap();
        validate_create(resource, object).iter().map(FieldFault::text).collect()
    }

    #[test]
    fn a_deployment_needs_selector_image_and_matching_labels() {
        let mut deployment = json!({"metadata": {"name": "x"}, "spec": {"template": {"metadata": {"labels": {"app": "x"}},
            "spec": {"restartPolicy": "Always", "containers": [{"name": "a"}]}}}});
        assert_eq!(faults("apps/v1", "Deployment", &deployment), ["spec.selector: Required value"]);
        deployment["spec"]["selector"] = json!({"matchLabels": {"app": "y"}});
        assert_eq!(
            faults("apps/v1", "Deployment", &deployment),
            [
                "spec.template.metadata.labels: Invalid value: {\"app\":\"x\"}: `selector` does not match template `labels`",
                "spec.template.spec.containers[0].image: Required value",
            ]
        );
    }

    #[test]
    fn ports_of_a_service_need_names_once_there_are_two() {
        let service = json!({"metadata": {"name": "x"}, "spec": {"type": "ClusterIP",
            "ports": [{"port": 80, "name": "http", "protocol": "TCP"}, {"port": 70000, "protocol": "TCP"}]}});
        assert_eq!(
            faults("v1", "Service", &service),
            [
                "spec.ports[1].name: Required value",
                "spec.ports[1].port: Invalid value: 70000: must be between 1 and 65535, inclusive"
            ]
        );
    }

    #[test]
    fn an_autoscaler_needs_a_sensible_range() {
        let autoscaler = json!({"metadata": {"name": "x"}, "spec": {"minReplicas": 3, "maxReplicas": 2,
            "scaleTargetRef": {"kind": "Deployment", "name": "x"}}});
        assert_eq!(
            faults("autoscaling/v2", "HorizontalPodAutoscaler", &autoscaler),
            ["spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`"]
        );
    }

    #[test]
    fn a_container_may_not_ask_for_more_than_its_limit() {
        let resources = json!({"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"cpu": "1500m", "memory": "1Gi"}});
        let pod = json!({"metadata": {"name": "x"},
            "spec": {"containers": [{"name": "a", "image": "b:1", "resources": resources}]}});
        assert_eq!(
            faults("v1", "Pod", &pod),
            [
                "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1500m"
            ]
        );
    }
}
