//! Custom resource definitions: accepted at once, and gone only after the objects of their kind.

use std::sync::Arc;

use serde_json::Value;

use super::{Propagation, delete, has_finalizer, remove_finalizer};
use crate::{
    admission::{DEFINITION_CLEANUP, accept_definition},
    resources::GroupResource,
    store::Store,
    value::{at, text},
};

pub(super) fn settle(store: &mut Store) {
    let definitions = GroupResource::new("apiextensions.k8s.io", "customresourcedefinitions");
    let all: Vec<Arc<Value>> = store.list(&definitions, "").cloned().collect();
    for definition in all {
        if at(&definition, "metadata.deletionTimestamp").is_null() {
            let mut accepted = (*definition).clone();
            accept_definition(&mut accepted);
            store.put(&definitions, accepted);
        } else if has_finalizer(&definition, DEFINITION_CLEANUP) && is_emptied(store, &definition) {
            remove_finalizer(store, &definitions, &definition, DEFINITION_CLEANUP);
        }
    }
}

/// Deletes the objects of a definition's kind and says whether none is left.
fn is_emptied(store: &mut Store, definition: &Value) -> bool {
    let of =
        GroupResource::new(text(definition, "spec.group"), text(definition, "spec.names.plural"));
    let instances: Vec<Arc<Value>> = store.list(&of, "").cloned().collect();
    for instance in instances {
        if at(&instance, "metadata.deletionTimestamp").is_null() {
            delete(store, &of, &instance, Propagation::Background, None);
        }
    }
    store.list(&of, "").next().is_none()
}
