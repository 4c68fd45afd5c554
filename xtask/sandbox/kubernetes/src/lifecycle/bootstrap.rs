//! What a new cluster holds.

use serde_json::{Value, json};

use super::settle;
use crate::{admission, ids, resources::GroupResource, store::Store};

/// Namespaces of every cluster.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// Fills a new store.
pub(crate) fn bootstrap(store: &mut Store) {
    for name in NAMESPACES {
        create(store, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    }
    for (name, value) in
        [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)]
    {
        create(
            store,
            json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name},
                "value": value, "description": "Used for system critical pods"}),
        );
    }
    create(
        store,
        json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "kubernetes", "namespace": "default",
                "labels": {"component": "apiserver", "provider": "kubernetes"}},
            "spec": {"ports": [{"name": "https", "port": 443, "protocol": "TCP"}]}}),
    );
    settle(store);
}

/// Stores an object that the cluster makes itself.
pub(super) fn create(store: &mut Store, mut object: Value) {
    let resource = store
        .registry
        .of_kind(crate::value::text(&object, "apiVersion"), crate::value::text(&object, "kind"))
        .cloned();
    let Some(resource) = resource else { return };
    admission::apply_defaults(&resource, &mut object);
    let (api_version, now) = (resource.api_version(), ids::now());
    let ownership = crate::fields::Ownership {
        schema: &resource.schema,
        manager: "kube-apiserver",
        api_version: &api_version,
        subresource: "",
        now: &now,
        has_status: resource.status,
    };
    let mut object = crate::fields::update(ownership, &admission::empty_object(&resource), object);
    if admission::prepare_create(store, &resource, &mut object).is_ok() {
        store.put(&GroupResource::new(&resource.group, &resource.plural), object);
    }
}
