//! What a client learns about the kinds of a cluster: the aggregated documents and the older ones.

use serde_json::{Value, json};

use super::{Registry, Resource, group_version};

const VERBS: [&str; 8] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// The `APIGroupDiscoveryList` of the core group (`/api`) or of all others (`/apis`).
pub(crate) fn aggregated(registry: &Registry, core: bool, version: &str) -> Value {
    let groups = registry.groups().into_iter().filter(|group| group.is_empty() == core);
    let items: Vec<Value> = groups
        .map(|group| {
            let versions = registry.versions(group).into_iter().map(|version| {
                let resources = registry.of_group_version(group, version);
                json!({"version": version, "freshness": "Current",
                    "resources": resources.map(|one| aggregated_resource(one)).collect::<Vec<_>>()})
            });
            let metadata = if core { json!({}) } else { json!({"name": group}) };
            json!({"metadata": metadata, "versions": versions.collect::<Vec<_>>()})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {}, "items": items})
}

fn aggregated_resource(resource: &Resource) -> Value {
    let kind = json!({"group": resource.group, "version": resource.version, "kind": resource.kind});
    let mut entry = json!({
        "resource": resource.plural,
        "responseKind": kind,
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular,
        "verbs": verbs(resource),
    });
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
    let subresources: Vec<Value> = subresources(resource)
        .into_iter()
        .map(|(name, verbs)| {
            let (group, version, kind) = subresource_kind(resource, name);
            json!({"subresource": name, "verbs": verbs,
                "responseKind": {"group": group, "version": version, "kind": kind}})
        })
        .collect();
    if !subresources.is_empty() {
        entry["subresources"] = json!(subresources);
    }
    entry
}

fn verbs(resource: &Resource) -> &'static [&'static str] {
    if resource.virtual_only { &VERBS[..1] } else { &VERBS }
}

fn subresources(resource: &Resource) -> Vec<(&'static str, &'static [&'static str])> {
    const WRITE: &[&str] = &["get", "patch", "update"];
    let mut all: Vec<(&'static str, &'static [&'static str])> = Vec::new();
    if resource.status {
        all.push(("status", WRITE));
    }
    if resource.scale.is_some() {
        all.push(("scale", WRITE));
    }
    all.extend(resource.subresources.iter().map(|name| {
        let verbs: &[&str] = match *name {
            "log" => &["get"],
            "finalize" => &["update"],
            _ => &["create"],
        };
        (*name, verbs)
    }));
    all
}

/// Group, version and kind of `/scale`.
pub(crate) fn scale_kind() -> (&'static str, &'static str, &'static str) {
    ("autoscaling", "v1", "Scale")
}

fn subresource_kind<'a>(resource: &'a Resource, name: &str) -> (&'a str, &'a str, &'a str) {
    match name {
        "scale" => scale_kind(),
        "token" => ("authentication.k8s.io", "v1", "TokenRequest"),
        "eviction" => ("policy", "v1", "Eviction"),
        "binding" => ("", "v1", "Binding"),
        _ => (&resource.group, &resource.version, &resource.kind),
    }
}

/// `/api` in the older form.
pub(crate) fn api_versions(address: &str) -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]})
}

/// `/apis` in the older form.
pub(crate) fn api_group_list(registry: &Registry) -> Value {
    let groups = registry.groups().into_iter().filter(|group| !group.is_empty());
    let groups: Vec<Value> = groups.filter_map(|group| group_entry(registry, group)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`.
pub(crate) fn api_group(registry: &Registry, group: &str) -> Option<Value> {
    let mut entry = group_entry(registry, group)?;
    entry["kind"] = json!("APIGroup");
    entry["apiVersion"] = json!("v1");
    Some(entry)
}

fn group_entry(registry: &Registry, group: &str) -> Option<Value> {
    let versions = registry.versions(group);
    let entry =
        |version: &&str| json!({"groupVersion": group_version(group, version), "version": version});
    let preferred = entry(versions.first()?);
    Some(json!({"name": group, "versions": versions.iter().map(entry).collect::<Vec<_>>(),
        "preferredVersion": preferred}))
}

/// `/api/v1` or `/apis/GROUP/VERSION`.
pub(crate) fn api_resource_list(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let mut entries = Vec::new();
    for resource in registry.of_group_version(group, version) {
        let mut entry = json!({"name": resource.plural, "singularName": resource.singular,
            "namespaced": resource.namespaced, "kind": resource.kind, "verbs": verbs(resource)});
        if !resource.short_names.is_empty() {
            entry["shortNames"] = json!(resource.short_names);
        }
        if !resource.categories.is_empty() {
            entry["categories"] = json!(resource.categories);
        }
        entries.push(entry);
        for (name, verbs) in subresources(resource) {
            let (group, version, kind) = subresource_kind(resource, name);
            let mut entry = json!({"name": format!("{}/{name}", resource.plural), "singularName": "",
                "namespaced": resource.namespaced, "kind": kind, "verbs": verbs});
            if kind != resource.kind {
                entry["group"] = json!(group);
                entry["version"] = json!(version);
            }
            entries.push(entry);
        }
    }
    if entries.is_empty() {
        return None;
    }
    Some(json!({"kind": "APIResourceList", "apiVersion": "v1",
        "groupVersion": group_version(group, version), "resources": entries}))
}
