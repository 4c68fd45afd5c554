//! OpenAPI v3, one document a group and version: helm and kubectl read from it whether the server
//! validates fields, and how kinds merge.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Registry, Resource};
use crate::schema::documents;

/// `/openapi/v3`.
pub(crate) fn index(registry: &Registry, prefix: &str) -> Value {
    let mut paths = Map::new();
    for group in registry.groups() {
        for version in registry.versions(group) {
            let path = root(group, version);
            // The hash lets clients keep a document until the kinds of the group change.
            let kinds: Vec<&str> = registry
                .of_group_version(group, version)
                .map(|one| one.type_name.as_str())
                .collect();
            let hash = crate::ids::digest(&format!("{path} {kinds:?}"));
            let url = format!("{prefix}/openapi/v3/{path}?hash={hash}");
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

fn root(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// `/openapi/v3/api/v1` or `/openapi/v3/apis/GROUP/VERSION`.
pub(crate) fn of_group_version(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for resource in registry.of_group_version(group, version) {
        let namespace = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
        let collection = format!("/{}{namespace}/{}", root(group, version), resource.plural);
        if !resource.virtual_only {
            paths.insert(format!("{collection}/{{name}}"), item_path(resource));
        }
        paths.insert(collection, collection_path(resource));
        include(resource, &mut schemas);
    }
    if paths.is_empty() {
        return None;
    }
    Some(json!({"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": crate::VERSION},
        "paths": paths, "components": {"schemas": schemas}}))
}

fn operation(resource: &Resource, action: &str, parameters: &[&str], body: Option<&str>) -> Value {
    let parameters: Vec<Value> = parameters
        .iter()
        .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}}))
        .collect();
    let schema = json!({"$ref": format!("#/components/schemas/{}", resource.type_name)});
    let mut operation = json!({
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": kind(resource),
    });
    if let Some(media) = body {
        operation["requestBody"] =
            json!({"content": {media: {"schema": schema}}, "required": true});
    }
    operation
}

fn kind(resource: &Resource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

const WRITE: [&str; 3] = ["dryRun", "fieldManager", "fieldValidation"];
const APPLY: [&str; 4] = ["dryRun", "fieldManager", "fieldValidation", "force"];

fn item_path(resource: &Resource) -> Value {
    let mut parameters =
        vec![json!({"name": "name", "in": "path", "required": true, "schema": {"type": "string"}})];
    if resource.namespaced {
        parameters.push(json!({"name": "namespace", "in": "path", "required": true, "schema": {"type": "string"}}));
    }
    json!({
        "get": operation(resource, "get", &[], None),
        "put": operation(resource, "put", &WRITE, Some("*/*")),
        "patch": operation(resource, "patch", &APPLY, Some("application/apply-patch+yaml")),
        "delete": operation(resource, "delete", &["dryRun", "gracePeriodSeconds", "propagationPolicy"], None),
        "parameters": parameters,
    })
}

fn collection_path(resource: &Resource) -> Value {
    let mut path = json!({"post": operation(resource, "post", &WRITE, Some("*/*"))});
    if !resource.virtual_only {
        path["get"] = operation(
            resource,
            "list",
            &["fieldSelector", "labelSelector", "limit", "watch"],
            None,
        );
    }
    path
}

/// Adds a kind's type and every type that it refers to.
fn include(resource: &Resource, schemas: &mut Map<String, Value>) {
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    let mut document = match &resource.document {
        Some(document) => custom_document(document),
        None => documents().get(&resource.type_name).cloned().unwrap_or_default(),
    };
    references(&document, &mut wanted);
    document["x-kubernetes-group-version-kind"] = json!([kind(resource)]);
    schemas.insert(resource.type_name.clone(), document);
    while let Some(name) = wanted.pop_first() {
        let Some(document) = documents().get(&name).filter(|_| !schemas.contains_key(&name)) else {
            continue;
        };
        references(document, &mut wanted);
        schemas.insert(name, document.clone());
    }
}

fn custom_document(document: &Value) -> Value {
    let mut document =
        if document.is_object() { document.clone() } else { json!({"type": "object"}) };
    let meta = "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
    let properties = crate::value::object(crate::value::place(&mut document, "properties"));
    properties.insert("apiVersion".into(), json!({"type": "string"}));
    properties.insert("kind".into(), json!({"type": "string"}));
    properties.insert("metadata".into(), json!({"allOf": [{"$ref": meta}]}));
    document
}

fn references(document: &Value, into: &mut BTreeSet<String>) {
    match document {
        Value::Object(map) => {
            if let Some(name) = map.get("$ref").and_then(Value::as_str) {
                into.extend(name.strip_prefix("#/components/schemas/").map(str::to_owned));
            }
            map.values().for_each(|value| references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, into)),
        _ => {}
    }
}
