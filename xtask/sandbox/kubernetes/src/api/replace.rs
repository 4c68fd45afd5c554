//! `PUT`, and what it shares with patches: from the old object and a proposed one to the stored
//! one.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Body, Call, Done,
    create::clean,
    decode::decode,
    versions::{served, stored},
};
use crate::{
    admission, fields, lifecycle,
    status::{Answer, Failure},
    store::Store,
    value::{at, copy, set, text},
};

/// Who modified an object that a client had read before.
const STALE: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

pub(super) fn replace(store: &mut Store, call: &Call, body: &Body) -> Answer<Done> {
    let (new, warnings) = decode(call, body)?;
    let old = served(&call.resource, &*call.find(store)?);
    if call.resource.custom && text(&new, "metadata.resourceVersion").is_empty() {
        let fault = crate::status::FieldFault::invalid(
            "metadata.resourceVersion",
            &serde_json::json!(0),
            "must be specified for an update",
        );
        return Err(Failure::invalid(&call.resource, &call.name, &[fault]));
    }
    let object = commit(store, call, &old, new, Managed::ByUpdate)?;
    Ok(Done { warnings, ..Done::ok(served(&call.resource, &object)) })
}

/// `PUT namespaces/NAME/finalize`: the only way to change a namespace's `spec.finalizers`.
pub(super) fn finalize(store: &mut Store, call: &Call, body: &Body) -> Answer<Done> {
    let (new, _) = decode(call, body)?;
    let mut namespace = (*call.find(store)?).clone();
    copy(&new, &mut namespace, "spec.finalizers");
    let object = lifecycle::store_or_finish(store, &call.resource.group_resource(), namespace);
    Ok(Done::ok(served(&call.resource, &object)))
}

/// Whether field ownership of a proposed object is settled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Managed {
    /// Server-side apply did it.
    ByApply,
    /// What differs from the old object belongs to the request's manager.
    ByUpdate,
}

/// Stores a proposed object in place of an old one, both in the request's version.
pub(super) fn commit(
    store: &mut Store,
    call: &Call,
    old: &Value,
    mut new: Value,
    managed: Managed,
) -> Answer<Arc<Value>> {
    let resource = &call.resource;
    check_preconditions(call, old, &new)?;
    keep_what_is_not_asked(call, old, &mut new);
    admission::apply_defaults(resource, &mut new);
    if managed == Managed::ByUpdate {
        let api_version = resource.api_version();
        new = fields::update(call.ownership(&api_version), old, new);
    }
    admission::prepare_update(store, resource, old, &mut new);
    call.invalid(&call.name, &admission::validate_update(resource, old, &new))?;
    Ok(lifecycle::store_or_finish(store, &resource.group_resource(), stored(resource, new)))
}

fn check_preconditions(call: &Call, old: &Value, new: &Value) -> Answer<()> {
    let wanted = text(new, "metadata.resourceVersion");
    if !wanted.is_empty() && wanted != text(old, "metadata.resourceVersion") {
        return Err(Failure::conflict(&call.resource, &call.name, STALE));
    }
    let (wanted, found) = (text(new, "metadata.uid"), text(old, "metadata.uid"));
    if !wanted.is_empty() && wanted != found {
        let why = format!(
            "Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"
        );
        return Err(Failure::conflict(&call.resource, &call.name, &why));
    }
    Ok(())
}

/// Restores what the server decides, and the half of the object that the request is not about.
fn keep_what_is_not_asked(call: &Call, old: &Value, new: &mut Value) {
    if call.subresource == "status" {
        let mut object = old.clone();
        copy(new, &mut object, "status");
        copy(new, &mut object, "metadata.managedFields");
        if !call.resource.custom {
            copy(new, &mut object, "metadata.annotations");
        }
        *new = object;
        return;
    }
    clean(call, new);
    for field in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "resourceVersion",
    ] {
        copy(old, new, &format!("metadata.{field}"));
    }
    set(new, "metadata.name", at(old, "metadata.name").clone());
    if call.resource.status {
        copy(old, new, "status");
    }
}
