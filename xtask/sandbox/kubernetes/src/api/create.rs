//! `POST` to a collection, and what it shares with an apply that creates.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Body, Call, Done,
    decode::decode,
    versions::{served, stored},
};
use crate::{
    admission, fields, ids,
    resources::GroupResource,
    status::{Answer, Failure},
    store::Store,
    value::{at, object, place, remove, set, text},
};

pub(super) fn create(store: &mut Store, call: &Call, body: &Body) -> Answer<Done> {
    let (mut new, warnings) = decode(call, body)?;
    if !text(&new, "metadata.resourceVersion").is_empty() {
        return Err(Failure::bad_request(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    name(store, call, &mut new)?;
    check_namespace(store, call, text(&new, "metadata.name"))?;
    clean(call, &mut new);
    admission::apply_defaults(&call.resource, &mut new);
    let api_version = call.resource.api_version();
    let empty = admission::empty_object(&call.resource);
    let new = fields::update(call.ownership(&api_version), &empty, new);
    let object = insert(store, call, new)?;
    Ok(Done { warnings, ..Done::created(served(&call.resource, &object)) })
}

/// Makes up the name where only its beginning is given.
fn name(store: &Store, call: &Call, new: &mut Value) -> Answer<()> {
    if !text(new, "metadata.name").is_empty() {
        return Ok(());
    }
    let base = text(new, "metadata.generateName").to_owned();
    if base.is_empty() {
        let fault = crate::status::FieldFault::required(
            "metadata.name",
            "name or generateName is required",
        );
        return Err(Failure::invalid(&call.resource, "", &[fault]));
    }
    let of = call.resource.group_resource();
    let free = |name: &String| store.get(&of, &call.namespace, name).is_none();
    let name = std::iter::repeat_with(|| ids::generated_name(&base)).find(free).unwrap_or_default();
    set(new, "metadata.name", name);
    Ok(())
}

/// New objects need a namespace that exists and stays.
pub(super) fn check_namespace(store: &Store, call: &Call, name: &str) -> Answer<()> {
    if !call.resource.namespaced {
        return Ok(());
    }
    let namespace = store
        .get(&GroupResource::new("", "namespaces"), "", &call.namespace)
        .ok_or_else(|| Failure::no_namespace(&call.namespace))?;
    if at(&namespace, "metadata.deletionTimestamp").is_null() {
        Ok(())
    } else {
        Err(Failure::namespace_terminating(&call.resource, name, &call.namespace))
    }
}

/// Removes what a request has no say in.
pub(super) fn clean(call: &Call, new: &mut Value) {
    let metadata = object(place(new, "metadata"));
    for field in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "resourceVersion",
        "selfLink",
    ] {
        metadata.shift_remove(field);
    }
    if call.resource.status {
        remove(new, "status");
    }
}

/// Completes, checks and stores a new object whose fields have their managers.
pub(super) fn insert(store: &mut Store, call: &Call, mut new: Value) -> Answer<Arc<Value>> {
    let name = text(&new, "metadata.name").to_owned();
    admission::prepare_create(store, &call.resource, &mut new)?;
    call.invalid(&name, &admission::validate_create(&call.resource, &new))?;
    let of = call.resource.group_resource();
    if store.get(&of, &call.namespace, &name).is_some() {
        return Err(Failure::already_exists(&call.resource, &name));
    }
    Ok(store.put(&of, stored(&call.resource, new)))
}
