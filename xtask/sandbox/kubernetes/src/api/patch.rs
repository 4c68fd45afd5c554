//! `PATCH`, in its four kinds.

use serde_json::Value;

use super::{
    Body, Call, Done,
    create::{check_namespace, clean, insert},
    decode::conform,
    replace::{Managed, commit},
    versions::served,
};
use crate::{
    admission,
    fields::{self, Applied},
    patch::{json_patch, merge_patch, strategic_merge},
    status::{Answer, Failure, FieldFault},
    store::Store,
    value::{at, remove, set, text},
};

const APPLY: &str = "application/apply-patch+yaml";
const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

pub(super) fn patch(store: &mut Store, call: &Call, body: &Body) -> Answer<Done> {
    if body.media == APPLY {
        return apply(store, call, body);
    }
    let old = served(&call.resource, &*call.find(store)?);
    let mut new = old.clone();
    let change = body.value()?;
    change_by(call, &mut new, &body.media, &change)?;
    if !new.is_object() {
        return Err(Failure::bad_request("the patch leaves nothing that is an object"));
    }
    let warnings = conform(call, &mut new, |unknown| {
        Failure::unprocessable(format!(
            "\"\" is invalid: patch: Invalid value: {:?}: strict decoding error: {unknown}",
            change.to_string()
        ))
    })?;
    let moved = |path: &str| at(&new, path) != at(&old, path);
    if moved("metadata.name") || moved("metadata.namespace") {
        return Err(Failure::bad_request(
            "a patch may not change the name or the namespace of an object",
        ));
    }
    let object = commit(store, call, &old, new, Managed::ByUpdate)?;
    Ok(Done { warnings, ..Done::ok(served(&call.resource, &object)) })
}

/// Changes an object by a patch that is not an apply.
pub(super) fn change_by(call: &Call, object: &mut Value, media: &str, patch: &Value) -> Answer<()> {
    match media {
        JSON => json_patch(object, patch),
        MERGE => {
            merge_patch(object, patch);
            Ok(())
        }
        STRATEGIC if !call.resource.custom => {
            strategic_merge(&call.resource.schema, object, patch);
            Ok(())
        }
        _ => {
            let strategic =
                if call.resource.custom { "" } else { ", application/strategic-merge-patch+json" };
            Err(Failure::unsupported_media(format!(
                "the body of the request was in an unknown format - accepted media types include: {JSON}, {MERGE}, {APPLY}{strategic}"
            )))
        }
    }
}

fn apply(store: &mut Store, call: &Call, body: &Body) -> Answer<Done> {
    let config = configuration(call, body)?;
    let found = store.get(&call.resource.group_resource(), &call.namespace, &call.name);
    let live = found.map_or(Value::Null, |object| served(&call.resource, &object));
    if live.is_null() {
        check_namespace(store, call, &call.name)?;
        if !text(&config, "metadata.uid").is_empty() {
            return Err(Failure::conflict(
                &call.resource,
                &call.name,
                "uid mismatch: the provided object specified a uid, and no existing object was found",
            ));
        }
    }
    let api_version = call.resource.api_version();
    let applied = fields::apply(call.ownership(&api_version), &live, &config, call.query.force);
    let mut new = applied.map_err(|fault| refusal(call, fault))?;
    let warnings = conform(call, &mut new, Failure::bad_request)?;
    set(&mut new, "metadata.name", call.name.as_str());
    if call.resource.namespaced {
        set(&mut new, "metadata.namespace", call.namespace.as_str());
    }
    if live.is_null() {
        if !call.subresource.is_empty() {
            return Err(Failure::not_found(&call.resource, &call.name));
        }
        clean(call, &mut new);
        admission::apply_defaults(&call.resource, &mut new);
        let object = insert(store, call, new)?;
        return Ok(Done { warnings, ..Done::created(served(&call.resource, &object)) });
    }
    let object = commit(store, call, &live, new, Managed::ByApply)?;
    Ok(Done { warnings, ..Done::ok(served(&call.resource, &object)) })
}

/// The configuration that is applied, once it says what it is about.
fn configuration(call: &Call, body: &Body) -> Answer<Value> {
    let mut config = body.value()?;
    if !config.is_object() {
        return Err(Failure::bad_request("the body of an apply request is not an object"));
    }
    let resource = &call.resource;
    if text(&config, "apiVersion") != resource.api_version()
        || text(&config, "kind") != resource.kind
    {
        return Err(Failure::bad_request(format!(
            "the apiVersion and kind of the applied configuration ({}, {}) do not match the resource ({}, {})",
            text(&config, "apiVersion"),
            text(&config, "kind"),
            resource.api_version(),
            resource.kind,
        )));
    }
    if at(&config, "metadata.managedFields").as_array().is_some_and(|entries| !entries.is_empty()) {
        return Err(Failure::bad_request("metadata.managedFields must be nil"));
    }
    remove(&mut config, "metadata.managedFields");
    let given = text(&config, "metadata.name");
    if !given.is_empty() && given != call.name {
        return Err(Failure::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({})",
            call.name
        )));
    }
    let namespace = text(&config, "metadata.namespace");
    if resource.namespaced && !namespace.is_empty() && namespace != call.namespace {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if call.query.manager_is_implied {
        let fault = FieldFault::required("fieldManager", "is required for apply patch");
        return Err(Failure::unprocessable(format!(
            "PatchOptions.meta.k8s.io \"\" is invalid: {}",
            fault.text()
        )));
    }
    Ok(config)
}

fn refusal(call: &Call, fault: Applied) -> Failure {
    match fault {
        Applied::Misfit(faults) => {
            let faults = match faults.as_slice() {
                [one] => one.clone(),
                many => format!("errors:\n  {}", many.join("\n  ")),
            };
            let place = if call.namespace.is_empty() { "" } else { "/" };
            let resource = &call.resource;
            Failure::unknown(format!(
                "failed to create typed patch object ({}{place}{}; {}, Kind={}): {faults}",
                call.namespace,
                call.name,
                resource.api_version(),
                resource.kind
            ))
        }
        Applied::Conflicts(conflicts) => conflict(&conflicts),
    }
}

/// The refusal that names who owns what, in the words of a real server.
fn conflict(conflicts: &[(fields::Manager, fields::Path)]) -> Failure {
    let causes: Vec<(String, String)> =
        conflicts.iter().map(|(manager, path)| (manager.to_string(), path.to_string())).collect();
    if let [(manager, path)] = causes.as_slice() {
        let message = format!("Apply failed with 1 conflict: conflict with {manager}: {path}");
        return Failure::apply_conflict(message, &causes);
    }
    let mut lines: Vec<String> = Vec::new();
    let mut last = "";
    for (manager, path) in &causes {
        if manager != last {
            lines.push(format!("conflicts with {manager}:"));
            last = manager;
        }
        lines.push(format!("- {path}"));
    }
    let message = format!("Apply failed with {} conflicts: {}", causes.len(), lines.join("\n"));
    Failure::apply_conflict(message, &causes)
}
