//! Namespaces: what each holds from the start, and how its contents go before it does.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Propagation, bootstrap::create, delete, store_or_finish};
use crate::{
    resources::GroupResource,
    store::Store,
    value::{at, set, text},
};

/// The ConfigMap by which Pods know the API server's certificate authority.
const ROOT_CA: &str = "kube-root-ca.crt";

pub(super) fn settle(store: &mut Store) {
    let namespaces = GroupResource::new("", "namespaces");
    let all: Vec<Arc<Value>> = store.list(&namespaces, "").cloned().collect();
    for namespace in all {
        let name = text(&namespace, "metadata.name").to_owned();
        if at(&namespace, "metadata.deletionTimestamp").is_null() {
            furnish(store, &name);
        } else if is_emptied(store, &name) {
            let mut namespace = (*namespace).clone();
            set(&mut namespace, "spec", json!({}));
            store_or_finish(store, &namespaces, namespace);
        }
    }
}

fn furnish(store: &mut Store, namespace: &str) {
    if store.get(&GroupResource::new("", "serviceaccounts"), namespace, "default").is_none() {
        create(
            store,
            json!({"apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {"name": "default", "namespace": namespace}}),
        );
    }
    if store.get(&GroupResource::new("", "configmaps"), namespace, ROOT_CA).is_none() {
        let ca = store.certificate_authority.clone();
        create(
            store,
            json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": ROOT_CA, "namespace": namespace}, "data": {"ca.crt": &*ca}}),
        );
    }
}

/// Deletes what a namespace holds and says whether nothing is left.
fn is_emptied(store: &mut Store, namespace: &str) -> bool {
    let contents = |store: &Store| -> Vec<(GroupResource, Arc<Value>)> {
        let inside = |object: &Value| text(object, "metadata.namespace") == namespace;
        store
            .everything()
            .filter(|(_, object)| inside(object))
            .map(|(of, one)| (of.clone(), one.clone()))
            .collect()
    };
    for (of, object) in contents(store) {
        if at(&object, "metadata.deletionTimestamp").is_null() {
            delete(store, &of, &object, Propagation::Background, None);
        }
    }
    contents(store).is_empty()
}
