//! The garbage collector: objects go with their owners.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;

use super::{
    FOREGROUND, ORPHAN, Propagation, delete, has_finalizer, remove_finalizer, store_or_finish,
};
use crate::{
    resources::GroupResource,
    store::Store,
    value::{at, list, object, place, set, text},
};

type Owned = (GroupResource, Arc<Value>);

pub(super) fn settle(store: &mut Store) {
    let owners = owners(store);
    for (of, dependent) in dependents(store) {
        collect(store, &owners, &of, &dependent);
    }
    release_owners(store);
}

/// Whether the owner waits for its dependents, by identity and, for its dependents only, by
/// namespace.
fn owners(store: &Store) -> HashMap<String, (String, bool)> {
    let all = store.everything().map(|(_, object)| {
        let waits = !at(object, "metadata.deletionTimestamp").is_null()
            && has_finalizer(object, FOREGROUND);
        let namespace = text(object, "metadata.namespace").to_owned();
        (text(object, "metadata.uid").to_owned(), (namespace, waits))
    });
    all.collect()
}

fn dependents(store: &Store) -> Vec<Owned> {
    let all = store
        .everything()
        .filter(|(_, object)| !list(object, "metadata.ownerReferences").is_empty());
    all.map(|(of, object)| (of.clone(), object.clone())).collect()
}

/// Deletes an object that nobody owns any more, or forgets those of its owners that are gone.
fn collect(
    store: &mut Store,
    owners: &HashMap<String, (String, bool)>,
    of: &GroupResource,
    dependent: &Value,
) {
    let references = list(dependent, "metadata.ownerReferences");
    let owner = |reference: &Value| {
        let (namespace, waits) = owners.get(text(reference, "uid"))?;
        let reachable = namespace.is_empty() || *namespace == text(dependent, "metadata.namespace");
        reachable.then_some(*waits)
    };
    let solid = references.iter().any(|reference| owner(reference) == Some(false));
    let waiting = references.iter().any(|reference| owner(reference) == Some(true));
    let dying = !at(dependent, "metadata.deletionTimestamp").is_null();
    if !solid {
        if !dying {
            let policy = if waiting { Propagation::Foreground } else { Propagation::Background };
            delete(store, of, dependent, policy, None);
        }
        return;
    }
    let kept: Vec<Value> =
        references.iter().filter(|one| owner(one) == Some(false)).cloned().collect();
    if kept.len() < references.len() {
        let mut dependent = dependent.clone();
        set(&mut dependent, "metadata.ownerReferences", kept);
        store.put(of, dependent);
    }
}

/// Lets go of owners whose dependents are gone (foreground) or cut loose (orphan).
fn release_owners(store: &mut Store) {
    let dying: Vec<Owned> = store
        .everything()
        .filter(|(_, object)| !at(object, "metadata.deletionTimestamp").is_null())
        .filter(|(_, object)| has_finalizer(object, FOREGROUND) || has_finalizer(object, ORPHAN))
        .map(|(of, object)| (of.clone(), object.clone()))
        .collect();
    for (of, owner) in dying {
        let uid = text(&owner, "metadata.uid");
        let mine = |reference: &Value| text(reference, "uid") == uid;
        let owned: Vec<Owned> = dependents(store)
            .into_iter()
            .filter(|(_, one)| list(one, "metadata.ownerReferences").iter().any(mine))
            .collect();
        if has_finalizer(&owner, ORPHAN) {
            for (of, dependent) in owned {
                cut_loose(store, &of, &dependent, uid);
            }
            remove_finalizer(store, &of, &owner, ORPHAN);
        } else {
            let blocks =
                |reference: &Value| mine(reference) && reference["blockOwnerDeletion"] == true;
            let blocked = owned
                .iter()
                .any(|(_, one)| list(one, "metadata.ownerReferences").iter().any(blocks));
            if !blocked {
                remove_finalizer(store, &of, &owner, FOREGROUND);
            }
        }
    }
}

fn cut_loose(store: &mut Store, of: &GroupResource, dependent: &Value, uid: &str) {
    let mut dependent = dependent.clone();
    let mut references = list(&dependent, "metadata.ownerReferences").to_vec();
    references.retain(|one| text(one, "uid") != uid);
    if references.is_empty() {
        object(place(&mut dependent, "metadata")).shift_remove("ownerReferences");
    } else {
        set(&mut dependent, "metadata.ownerReferences", references);
    }
    store_or_finish(store, of, dependent);
}
