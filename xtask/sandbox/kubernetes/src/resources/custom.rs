//! Kinds from a custom resource definition.

use serde_json::Value;

use super::{Resource, Scale};
use crate::{
    schema::custom_kind,
    value::{at, list, text},
};

/// One resource for each served version.
pub(super) fn resources(definition: &Value) -> Vec<Resource> {
    let versions = list(definition, "spec.versions").iter();
    versions
        .filter(|version| version["served"] == true)
        .map(|version| resource(definition, version))
        .collect()
}

fn resource(definition: &Value, version: &Value) -> Resource {
    let names = at(definition, "spec.names");
    let group = text(definition, "spec.group");
    let kind = text(names, "kind");
    let strings = |key: &str| -> Vec<String> {
        list(names, key).iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let or = |given: &str, otherwise: String| {
        if given.is_empty() { otherwise } else { given.to_owned() }
    };
    let document = at(version, "schema.openAPIV3Schema");
    let scale = at(version, "subresources.scale");
    let path = |key: &str| text(scale, key).trim_start_matches('.').to_owned();
    let reversed: Vec<&str> = group.rsplit('.').collect();
    Resource {
        group: group.to_owned(),
        version: text(version, "name").to_owned(),
        kind: kind.to_owned(),
        list_kind: or(text(names, "listKind"), format!("{kind}List")),
        plural: text(names, "plural").to_owned(),
        singular: or(text(names, "singular"), kind.to_lowercase()),
        short_names: strings("shortNames"),
        categories: strings("categories"),
        namespaced: text(definition, "spec.scope") == "Namespaced",
        status: at(version, "subresources.status").is_object(),
        scale: scale.is_object().then(|| Scale {
            spec: path("specReplicasPath"),
            status: path("statusReplicasPath"),
            selector: path("labelSelectorPath"),
        }),
        subresources: &[],
        generation: true,
        custom: true,
        virtual_only: false,
        schema: custom_kind(document),
        columns: list(version, "additionalPrinterColumns").to_vec(),
        document: Some(document.clone()),
        type_name: format!("{}.{}.{kind}", reversed.join("."), text(version, "name")),
    }
}
