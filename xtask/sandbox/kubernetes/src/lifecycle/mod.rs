//! How objects end, and what a cluster does on its own account: the work that the garbage
//! collector, the namespace controller and a few of their neighbours do beside a real API server.
//!
//! Invariant: [`settle`] runs to the end within the request that caused it, each step being an
//! ordinary change with a version of its own, so that watches see the order that a real cluster
//! gives.

mod bootstrap;
mod definitions;
mod garbage;
mod namespaces;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Value, json};

pub(crate) use bootstrap::bootstrap;

use crate::{
    admission::{CLAIM_PROTECTION, is_held},
    ids,
    resources::GroupResource,
    store::{Store, name_of},
    value::{at, list, object, place, set, text},
};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// Rounds of [`settle`]; far more than any chain of owners needs.
const MOST_ROUNDS: usize = 1_000;

/// How many events a cluster keeps before it drops the older half.
const MOST_EVENTS: usize = 2_000;

/// What becomes of the objects that a deleted one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// They go after it.
    Background,
    /// They go before it.
    Foreground,
    /// They stay.
    Orphan,
}

/// How far a deletion got.
pub(crate) enum Deletion {
    Done,
    /// Something holds the object: finalizers, contents, or a Pod's time to stop.
    Begun(Arc<Value>),
}

/// Deletes an object as `DELETE` does.
pub(crate) fn delete(
    store: &mut Store,
    of: &GroupResource,
    object: &Value,
    propagation: Propagation,
    grace_seconds: Option<i64>,
) -> Deletion {
    let grace = grace(of, object, grace_seconds);
    let mut dying = object.clone();
    let before = at(&dying, "metadata.deletionGracePeriodSeconds").as_i64();
    let begun = !at(&dying, "metadata.deletionTimestamp").is_null();
    if !begun || before.is_some_and(|before| grace < before) {
        set(&mut dying, "metadata.deletionTimestamp", ids::later(grace));
        set(&mut dying, "metadata.deletionGracePeriodSeconds", grace);
        if let (false, Some(generation)) = (begun, at(&dying, "metadata.generation").as_i64()) {
            set(&mut dying, "metadata.generation", generation + 1);
        }
    }
    match propagation {
        Propagation::Background => {}
        Propagation::Foreground => add_finalizer(&mut dying, FOREGROUND),
        Propagation::Orphan => add_finalizer(&mut dying, ORPHAN),
    }
    if of.plural == "namespaces" {
        set(&mut dying, "status.phase", "Terminating");
    }
    if is_finished(&dying) {
        store.delete(of, &dying);
        return Deletion::Done;
    }
    Deletion::Begun(store.put(of, dying))
}

/// The seconds that an object has left: only a Pod on a node has any.
fn grace(of: &GroupResource, object: &Value, asked: Option<i64>) -> i64 {
    let running = of.plural == "pods"
        && !text(object, "spec.nodeName").is_empty()
        && !matches!(text(object, "status.phase"), "Succeeded" | "Failed");
    if !running {
        return 0;
    }
    let own = at(object, "spec.terminationGracePeriodSeconds").as_i64();
    asked.or(own).unwrap_or(30).max(0)
}

fn is_finished(object: &Value) -> bool {
    !at(object, "metadata.deletionTimestamp").is_null()
        && at(object, "metadata.deletionGracePeriodSeconds").as_i64().unwrap_or_default() == 0
        && !is_held(object)
}

/// Stores a changed object, or ends it where that change let go of it.
pub(crate) fn store_or_finish(store: &mut Store, of: &GroupResource, object: Value) -> Arc<Value> {
    if is_finished(&object) { store.delete(of, &object) } else { store.put(of, object) }
}

fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    list(object, "metadata.finalizers").iter().any(|one| one == finalizer)
}

fn add_finalizer(value: &mut Value, finalizer: &str) {
    if !has_finalizer(value, finalizer) {
        let mut finalizers = list(value, "metadata.finalizers").to_vec();
        finalizers.push(json!(finalizer));
        set(value, "metadata.finalizers", finalizers);
    }
}

/// Lets go of an object on behalf of one finalizer.
fn remove_finalizer(store: &mut Store, of: &GroupResource, value: &Value, finalizer: &str) {
    let mut value = value.clone();
    let mut finalizers = list(&value, "metadata.finalizers").to_vec();
    finalizers.retain(|one| one != finalizer);
    if finalizers.is_empty() {
        object(place(&mut value, "metadata")).shift_remove("finalizers");
    } else {
        set(&mut value, "metadata.finalizers", finalizers);
    }
    store_or_finish(store, of, value);
}

/// Lets everything happen that follows from what the store holds.
pub(crate) fn settle(store: &mut Store) {
    for _ in 0..MOST_ROUNDS {
        if !std::mem::take(&mut store.unsettled) {
            return;
        }
        definitions::settle(store);
        namespaces::settle(store);
        garbage::settle(store);
        release_claims(store);
        forget_events(store);
    }
}

/// Drops the oldest events of a cluster that has many; a real one forgets them after an hour.
fn forget_events(store: &mut Store) {
    let events = GroupResource::new("", "events");
    let mut all: Vec<Arc<Value>> = store.list(&events, "").cloned().collect();
    if all.len() <= MOST_EVENTS {
        return;
    }
    all.sort_by_key(|event| {
        text(event, "metadata.resourceVersion").parse::<u64>().unwrap_or_default()
    });
    for event in &all[..all.len() - MOST_EVENTS / 2] {
        store.delete(&events, event);
    }
}

/// Lets go of deleted claims that no Pod uses any more.
fn release_claims(store: &mut Store) {
    let claims = GroupResource::new("", "persistentvolumeclaims");
    let dying: Vec<Arc<Value>> = store
        .list(&claims, "")
        .filter(|claim| {
            !at(claim, "metadata.deletionTimestamp").is_null()
                && has_finalizer(claim, CLAIM_PROTECTION)
        })
        .cloned()
        .collect();
    for claim in dying {
        let (namespace, name) = name_of(&claim);
        let uses = |pod: &Value| {
            list(pod, "spec.volumes")
                .iter()
                .any(|one| text(one, "persistentVolumeClaim.claimName") == name)
                && !matches!(text(pod, "status.phase"), "Succeeded" | "Failed")
        };
        if !store.list(&GroupResource::new("", "pods"), &namespace).any(|pod| uses(pod)) {
            remove_finalizer(store, &claims, &claim, CLAIM_PROTECTION);
        }
    }
}
