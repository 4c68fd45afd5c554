//! Defaults of Pods and of the templates that make them.

use serde_json::{Value, json};

use crate::value::{at, copy, default, items_mut, list, remove, set, text};

/// 0644, the mode of files in volumes.
const FILE_MODE: u32 = 420;

/// Defaults of a Pod; beside those of a template, what only a Pod itself gets.
pub(super) fn default_pod(pod: &mut Value) {
    let Some(spec) = pod.get_mut("spec").filter(|spec| spec.is_object()) else { return };
    default(spec, "enableServiceLinks", true);
    default_spec(spec);
    for kind in ["containers", "initContainers"] {
        for container in items_mut(spec, kind) {
            let limits = at(container, "resources.limits").as_object().cloned().unwrap_or_default();
            for (name, amount) in limits {
                let requests =
                    crate::value::object(crate::value::place(container, "resources.requests"));
                requests.entry(name).or_insert(amount);
            }
        }
    }
}

/// Defaults of a Pod's `spec`.
pub(super) fn default_spec(spec: &mut Value) {
    default(spec, "restartPolicy", "Always");
    default(spec, "terminationGracePeriodSeconds", 30);
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "schedulerName", "default-scheduler");
    default(spec, "securityContext", json!({}));
    if at(spec, "serviceAccountName").is_null() && !at(spec, "serviceAccount").is_null() {
        copy(&spec.clone(), spec, "serviceAccount");
        set(spec, "serviceAccountName", at(spec, "serviceAccount").clone());
    }
    if !text(spec, "serviceAccountName").is_empty() {
        set(spec, "serviceAccount", at(spec, "serviceAccountName").clone());
    }
    let host_network = at(spec, "hostNetwork") == true;
    for kind in ["containers", "initContainers", "ephemeralContainers"] {
        items_mut(spec, kind).for_each(|container| default_container(container, host_network));
    }
    items_mut(spec, "volumes").for_each(default_volume);
}

fn default_container(container: &mut Value, host_network: bool) {
    default(container, "imagePullPolicy", pull_policy(text(container, "image")));
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    default(container, "resources", json!({}));
    for port in items_mut(container, "ports") {
        default(port, "protocol", "TCP");
        if host_network {
            let number = port["containerPort"].clone();
            default(port, "hostPort", number);
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if at(container, probe).is_object() {
            default_probe(container, probe);
        }
    }
    for hook in ["lifecycle.postStart", "lifecycle.preStop"] {
        default_http_get(container, hook);
    }
    for variable in items_mut(container, "env") {
        if text(variable, "value").is_empty() {
            remove(variable, "value");
        }
        if at(variable, "valueFrom.fieldRef").is_object() {
            default(variable, "valueFrom.fieldRef.apiVersion", "v1");
        }
    }
}

fn default_probe(container: &mut Value, probe: &str) {
    for (field, value) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        default(container, &format!("{probe}.{field}"), value);
    }
    default_http_get(container, probe);
    if at(container, &format!("{probe}.grpc")).is_object() {
        default(container, &format!("{probe}.grpc.service"), "");
    }
}

fn default_http_get(container: &mut Value, handler: &str) {
    let request = format!("{handler}.httpGet");
    if at(container, &request).is_object() {
        default(container, &format!("{request}.path"), "/");
        default(container, &format!("{request}.scheme"), "HTTP");
    }
}

/// Images without a tag and `latest` ones are pulled always.
fn pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or_default();
    let pinned =
        image.contains('@') || name.split_once(':').is_some_and(|(_, tag)| tag != "latest");
    if pinned { "IfNotPresent" } else { "Always" }
}

fn default_volume(volume: &mut Value) {
    if volume.as_object().is_some_and(|map| map.keys().all(|key| key == "name")) {
        set(volume, "emptyDir", json!({}));
    }
    for kind in ["secret", "configMap", "downwardAPI", "projected"] {
        if at(volume, kind).is_object() {
            default(volume, &format!("{kind}.defaultMode"), FILE_MODE);
        }
    }
    if at(volume, "hostPath").is_object() {
        default(volume, "hostPath.type", "");
    }
    items_mut(volume, "downwardAPI.items").for_each(default_downward_file);
    for source in items_mut(volume, "projected.sources") {
        if at(source, "serviceAccountToken").is_object() {
            default(source, "serviceAccountToken.expirationSeconds", 3600);
        }
        items_mut(source, "downwardAPI.items").for_each(default_downward_file);
    }
}

fn default_downward_file(file: &mut Value) {
    if at(file, "fieldRef").is_object() {
        default(file, "fieldRef.apiVersion", "v1");
    }
}

/// The class by which a node would evict the Pod.
pub(super) fn quality_of_service(spec: &Value) -> &'static str {
    let containers: Vec<&Value> =
        list(spec, "containers").iter().chain(list(spec, "initContainers")).collect();
    let amount = |container: &Value, of: &str, name: &str| {
        at(container, &format!("resources.{of}")).get(name).cloned().filter(|amount| amount != "0")
    };
    let any = containers.iter().any(|container| {
        ["requests", "limits"]
            .iter()
            .any(|of| ["cpu", "memory"].iter().any(|name| amount(container, of, name).is_some()))
    });
    let guaranteed = containers.iter().all(|container| {
        ["cpu", "memory"].iter().all(|name| {
            let limit = amount(container, "limits", name);
            limit.is_some()
                && amount(container, "requests", name).or_else(|| limit.clone()) == limit
        })
    });
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_decides_when_an_image_is_pulled() {
        assert_eq!(pull_policy("supabase/studio:2025"), "IfNotPresent");
        assert_eq!(pull_policy("registry:5000/app"), "Always");
        assert_eq!(pull_policy("app:latest"), "Always");
        assert_eq!(pull_policy("app@sha256:00"), "IfNotPresent");
    }

    #[test]
    fn requests_and_limits_make_the_class() {
        let class = |resources: Value| {
            quality_of_service(&json!({"containers": [{"resources": resources}]}))
        };
        assert_eq!(class(json!({})), "BestEffort");
        assert_eq!(class(json!({"requests": {"cpu": "1"}})), "Burstable");
        assert_eq!(class(json!({"limits": {"cpu": "1", "memory": "1Gi"}})), "Guaranteed");
    }
}
