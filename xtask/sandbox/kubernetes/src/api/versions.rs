//! Between an object as it is stored and as a version of its kind shows it.
//!
//! Custom kinds convert by changing `apiVersion` alone; events are stored in the core group's shape
//! and shown in that of `events.k8s.io` too.

use serde_json::{Value, json};

use crate::{
    resources::Resource,
    value::{copy, remove, set, text},
};

/// Fields of an event in the core group and in `events.k8s.io`.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("count", "deprecatedCount"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("source", "deprecatedSource"),
    ("reportingComponent", "reportingController"),
];

/// A stored object as the resource's version shows it.
pub(crate) fn served(resource: &Resource, object: &Value) -> Value {
    let mut object = object.clone();
    if resource.group == "events.k8s.io" {
        for (core, new) in EVENT_FIELDS {
            rename(&mut object, core, new);
        }
    }
    object["apiVersion"] = json!(resource.api_version());
    object["kind"] = json!(resource.kind);
    object
}

/// An object in the resource's version as it is stored.
pub(super) fn stored(resource: &Resource, mut object: Value) -> Value {
    if resource.group != "events.k8s.io" {
        return object;
    }
    for (core, new) in EVENT_FIELDS {
        rename(&mut object, new, core);
    }
    object["apiVersion"] = json!("v1");
    if text(&object, "source.component").is_empty() {
        let from = object.clone();
        copy(&from, &mut object, "reportingComponent");
        set(&mut object, "source.component", text(&from, "reportingComponent"));
    }
    object
}

fn rename(object: &mut Value, from: &str, to: &str) {
    if let Some(value) = remove(object, from) {
        set(object, to, value);
    }
}
