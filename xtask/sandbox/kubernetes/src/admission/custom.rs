//! Custom resource definitions: what makes one acceptable, and the status that says so.

use serde_json::{Value, json};

use crate::{
    ids,
    status::FieldFault,
    value::{at, list, set, text},
};

pub(super) fn validate(definition: &Value) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    let (group, plural) = (text(definition, "spec.group"), text(definition, "spec.names.plural"));
    let name = at(definition, "metadata.name");
    if *name != format!("{plural}.{group}") {
        faults.push(FieldFault::invalid(
            "metadata.name",
            name,
            "must be spec.names.plural+\".\"+spec.group",
        ));
    }
    let scope = at(definition, "spec.scope");
    if scope != "Cluster" && scope != "Namespaced" {
        faults.push(FieldFault::unsupported("spec.scope", scope, &["Cluster", "Namespaced"]));
    }
    let versions = list(definition, "spec.versions");
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        faults.push(FieldFault::invalid("spec.versions", at(definition, "spec.versions"), detail));
    }
    for (index, version) in versions.iter().enumerate() {
        if !at(version, "schema.openAPIV3Schema").is_object() {
            let field = format!("spec.versions[{index}].schema.openAPIV3Schema");
            faults.push(FieldFault::required(field, "schemas are required"));
        }
    }
    faults
}

/// Writes what the server says once it serves the definition's kinds.
pub(crate) fn accept(definition: &mut Value) {
    let names = at(definition, "spec.names").clone();
    let stored: Vec<Value> = list(definition, "spec.versions")
        .iter()
        .filter(|version| version["storage"] == true)
        .map(|version| version["name"].clone())
        .collect();
    let established =
        list(definition, "status.conditions").iter().any(|one| one["type"] == "Established");
    set(definition, "status.acceptedNames", names);
    set(definition, "status.storedVersions", stored);
    if established {
        return;
    }
    let now = ids::now();
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message});
    let conditions = json!([
        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
        condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ]);
    set(definition, "status.conditions", conditions);
}
