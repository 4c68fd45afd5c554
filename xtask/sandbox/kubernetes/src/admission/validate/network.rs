//! Services and Ingresses.

use serde_json::{Value, json};

use crate::{
    status::FieldFault,
    value::{at, list, text},
};

const SERVICE_TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const PATH_TYPES: [&str; 3] = ["Exact", "ImplementationSpecific", "Prefix"];
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

/// A port number out of range.
pub(super) fn port_fault(path: &str, port: &Value) -> Option<FieldFault> {
    let valid = port.as_i64().is_some_and(|port| (1..=65_535).contains(&port));
    (!valid).then(|| FieldFault::invalid(path, port, "must be between 1 and 65535, inclusive"))
}

/// A protocol that does not exist.
pub(super) fn protocol_fault(path: &str, protocol: &Value) -> Option<FieldFault> {
    let valid = protocol.is_null() || PROTOCOLS.iter().any(|one| protocol == one);
    (!valid).then(|| FieldFault::unsupported(path, protocol, &PROTOCOLS))
}

pub(super) fn service(service: &Value) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    let kind = text(service, "spec.type");
    if !SERVICE_TYPES.contains(&kind) {
        faults.push(FieldFault::unsupported("spec.type", &json!(kind), &SERVICE_TYPES));
    }
    let ports = list(service, "spec.ports");
    if ports.is_empty() && kind != "ExternalName" && text(service, "spec.clusterIP") != "None" {
        faults.push(FieldFault::required("spec.ports", ""));
    }
    if kind == "ExternalName" && text(service, "spec.externalName").is_empty() {
        faults.push(FieldFault::required("spec.externalName", ""));
    }
    for (index, port) in ports.iter().enumerate() {
        let path = format!("spec.ports[{index}]");
        let name = text(port, "name");
        if ports.len() > 1 && name.is_empty() {
            faults.push(FieldFault::required(format!("{path}.name"), ""));
        }
        let earlier = &ports[..index];
        if !name.is_empty() && earlier.iter().any(|one| text(one, "name") == name) {
            faults.push(FieldFault::duplicate(format!("{path}.name"), &json!(name)));
        }
        if earlier
            .iter()
            .any(|one| one["port"] == port["port"] && one["protocol"] == port["protocol"])
        {
            faults.push(FieldFault::duplicate(
                &path,
                &json!({"port": port["port"], "protocol": port["protocol"]}),
            ));
        }
        faults.extend(port_fault(&format!("{path}.port"), &port["port"]));
        faults.extend(protocol_fault(&format!("{path}.protocol"), at(port, "protocol")));
    }
    faults
}

pub(super) fn ingress(ingress: &Value) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    let rules = list(ingress, "spec.rules");
    if rules.is_empty() && at(ingress, "spec.defaultBackend").is_null() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        faults.push(FieldFault::invalid("spec", &json!([]), detail));
    }
    if !at(ingress, "spec.defaultBackend").is_null() {
        faults.extend(backend("spec.defaultBackend", at(ingress, "spec.defaultBackend")));
    }
    for (rule_index, rule) in rules.iter().enumerate() {
        for (index, path) in list(rule, "http.paths").iter().enumerate() {
            let field = format!("spec.rules[{rule_index}].http.paths[{index}]");
            let kind = text(path, "pathType");
            if kind.is_empty() {
                let detail = "pathType must be specified";
                faults.push(FieldFault::required(format!("{field}.pathType"), detail));
            } else if !PATH_TYPES.contains(&kind) {
                faults.push(FieldFault::unsupported(
                    format!("{field}.pathType"),
                    &json!(kind),
                    &PATH_TYPES,
                ));
            }
            let value = text(path, "path");
            if matches!(kind, "Exact" | "Prefix") && !value.starts_with('/') {
                let detail = "must be an absolute path";
                faults.push(FieldFault::invalid(format!("{field}.path"), &json!(value), detail));
            }
            faults.extend(backend(&format!("{field}.backend"), at(path, "backend")));
        }
    }
    faults
}

fn backend(path: &str, backend: &Value) -> Option<FieldFault> {
    if at(backend, "resource").is_object() {
        return None;
    }
    if text(backend, "service.name").is_empty() {
        return Some(FieldFault::required(format!("{path}.service.name"), ""));
    }
    if text(backend, "service.port.name").is_empty() && at(backend, "service.port.number").is_null()
    {
        return Some(FieldFault::required(
            format!("{path}.service.port"),
            "port name or number is required",
        ));
    }
    None
}
