//! Pods and the kinds that make them.

use serde_json::{Value, json};

use super::network::{port_fault, protocol_fault};
use crate::{
    admission::names::check_labels,
    resources::Resource,
    schema::Quantity,
    status::FieldFault,
    store::labels_match,
    value::{at, list, text},
};

const PULL_POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];
const RESTART_POLICIES: [&str; 3] = ["Always", "OnFailure", "Never"];

/// The kinds of the groups `apps` and `batch`.
pub(super) fn workload(resource: &Resource, object: &Value) -> Vec<FieldFault> {
    let job = resource.group == "batch";
    let path = match resource.kind.as_str() {
        "CronJob" => "spec.jobTemplate.spec.template",
        "ControllerRevision" => return Vec::new(),
        _ => "spec.template",
    };
    let template = at(object, path);
    let labels_path = format!("{path}.metadata.labels");
    let labels = at(template, "metadata.labels");
    let mut faults = check_labels(&labels_path, labels);
    let selector = at(object, "spec.selector");
    if !job {
        let empty = selector.as_object().is_none_or(|selector| {
            ["matchLabels", "matchExpressions"].iter().all(|field| selector.get(*field).is_none())
        });
        if empty {
            let detail = "empty selector is invalid for deployment";
            faults.push(FieldFault::invalid("spec.selector", selector, detail));
        } else if !labels_match(selector, template) {
            let detail = "`selector` does not match template `labels`";
            faults.push(FieldFault::invalid(labels_path, labels, detail));
        }
    }
    let replicas = at(object, "spec.replicas");
    if replicas.as_i64().is_some_and(|replicas| replicas < 0) {
        faults.push(FieldFault::invalid(
            "spec.replicas",
            replicas,
            "must be greater than or equal to 0",
        ));
    }
    if resource.kind == "CronJob"
        && text(object, "spec.schedule").split_whitespace().count() != 5
        && !text(object, "spec.schedule").starts_with('@')
    {
        let detail = "expected exactly 5 fields";
        faults.push(FieldFault::invalid("spec.schedule", at(object, "spec.schedule"), detail));
    }
    let claims = list(object, "spec.volumeClaimTemplates");
    let claims: Vec<&str> = claims.iter().map(|claim| text(claim, "metadata.name")).collect();
    faults.extend(pod_spec(&format!("{path}.spec"), at(template, "spec"), &claims));
    let restart = at(template, "spec.restartPolicy");
    let allowed: &[&str] = if job { &["OnFailure", "Never"] } else { &["Always"] };
    if RESTART_POLICIES.iter().any(|one| restart == one)
        && !allowed.iter().any(|one| restart == one)
    {
        faults.push(FieldFault::unsupported(
            format!("{path}.spec.restartPolicy"),
            restart,
            allowed,
        ));
    }
    faults
}

/// A Pod's `spec`; `claims` are volumes that come from elsewhere.
pub(super) fn pod_spec(path: &str, spec: &Value, claims: &[&str]) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    let containers = list(spec, "containers");
    if containers.is_empty() {
        faults.push(FieldFault::required(format!("{path}.containers"), ""));
    }
    let restart = at(spec, "restartPolicy");
    if !restart.is_null() && !RESTART_POLICIES.iter().any(|one| restart == one) {
        faults.push(FieldFault::unsupported(
            format!("{path}.restartPolicy"),
            restart,
            &RESTART_POLICIES,
        ));
    }
    let mut volumes = claims.to_vec();
    for (index, volume) in list(spec, "volumes").iter().enumerate() {
        let name = text(volume, "name");
        if volumes.contains(&name) && !claims.contains(&name) {
            faults
                .push(FieldFault::duplicate(format!("{path}.volumes[{index}].name"), &json!(name)));
        }
        volumes.push(name);
    }
    let mut names = Vec::new();
    for kind in ["initContainers", "containers"] {
        for (index, container) in list(spec, kind).iter().enumerate() {
            let path = format!("{path}.{kind}[{index}]");
            let name = text(container, "name");
            if names.contains(&name) {
                faults.push(FieldFault::duplicate(format!("{path}.name"), &json!(name)));
            }
            names.push(name);
            faults.extend(container_faults(&path, container, &volumes));
        }
    }
    faults
}

fn container_faults(path: &str, container: &Value, volumes: &[&str]) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    if text(container, "image").is_empty() {
        faults.push(FieldFault::required(format!("{path}.image"), ""));
    }
    let policy = at(container, "imagePullPolicy");
    if !policy.is_null() && !PULL_POLICIES.iter().any(|one| policy == one) {
        faults.push(FieldFault::unsupported(
            format!("{path}.imagePullPolicy"),
            policy,
            &PULL_POLICIES,
        ));
    }
    faults.extend(resource_faults(&format!("{path}.resources"), at(container, "resources")));
    for (index, port) in list(container, "ports").iter().enumerate() {
        let path = format!("{path}.ports[{index}]");
        faults.extend(port_fault(&format!("{path}.containerPort"), &port["containerPort"]));
        faults.extend(protocol_fault(&format!("{path}.protocol"), at(port, "protocol")));
    }
    for (index, variable) in list(container, "env").iter().enumerate() {
        let path = format!("{path}.env[{index}]");
        if text(variable, "name").is_empty() {
            faults.push(FieldFault::required(format!("{path}.name"), ""));
        }
        if !text(variable, "value").is_empty() && at(variable, "valueFrom").is_object() {
            let detail = "may not be specified when `value` is not empty";
            faults.push(FieldFault::invalid(format!("{path}.valueFrom"), &json!(""), detail));
        }
    }
    for (index, mount) in list(container, "volumeMounts").iter().enumerate() {
        let name = text(mount, "name");
        if !volumes.contains(&name) {
            faults.push(FieldFault::not_found(
                format!("{path}.volumeMounts[{index}].name"),
                &json!(name),
            ));
        }
    }
    faults
}

/// No container may ask for more than it is allowed.
fn resource_faults(path: &str, resources: &Value) -> Vec<FieldFault> {
    let amount = |value: &Value| value.as_str().and_then(Quantity::parse).map(Quantity::nanos);
    let requests = at(resources, "requests").as_object().into_iter().flatten();
    requests
        .filter_map(|(name, request)| {
            let limit = at(resources, "limits").get(name)?;
            let detail =
                format!("must be less than or equal to {name} limit of {}", limit.as_str()?);
            (amount(request)? > amount(limit)?)
                .then(|| FieldFault::invalid(format!("{path}.requests"), request, &detail))
        })
        .collect()
}
