//! Claims, volumes and the classes that they name.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    resources::GroupResource,
    store::Store,
    value::{at, default, set, text},
};

/// Keeps a claim while a Pod uses it.
pub(crate) const CLAIM_PROTECTION: &str = "kubernetes.io/pvc-protection";

pub(super) fn default_claim(claim: &mut Value) {
    default(claim, "spec.volumeMode", "Filesystem");
}

pub(super) fn default_volume(volume: &mut Value) {
    default(volume, "spec.volumeMode", "Filesystem");
    default(volume, "spec.persistentVolumeReclaimPolicy", "Retain");
}

/// A new claim: protected, pending, and of the default class unless it says otherwise.
pub(super) fn prepare_claim(store: &Store, claim: &mut Value) {
    set(claim, "metadata.finalizers", json!([CLAIM_PROTECTION]));
    set(claim, "status", json!({"phase": "Pending"}));
    let asks =
        !at(claim, "spec.storageClassName").is_null() || !text(claim, "spec.volumeName").is_empty();
    if let (false, Some(class)) = (asks, default_class(store)) {
        set(claim, "spec.storageClassName", at(&class, "metadata.name").clone());
    }
}

fn default_class(store: &Store) -> Option<Arc<Value>> {
    let of = GroupResource::new("storage.k8s.io", "storageclasses");
    let classes = store.list(&of, "");
    classes
        .filter(|class| {
            let annotations = at(class, "metadata.annotations");
            annotations
                .get("storageclass.kubernetes.io/is-default-class")
                .is_some_and(|one| one == "true")
        })
        .max_by_key(|class| text(class, "metadata.creationTimestamp").to_owned())
        .cloned()
}
