//! `DELETE` of one object and of collections.

use serde_json::{Value, json};

use super::{Body, Call, Done, decode::DeleteOptions, read::Selection, served, success};
use crate::{
    lifecycle::{self, Deletion, Propagation},
    status::{Answer, Failure},
    store::Store,
    value::text,
};

pub(super) fn delete(store: &mut Store, call: &Call, body: &Body) -> Answer<Done> {
    let options = DeleteOptions::of(body, &call.query)?;
    if options.dry_run {
        return delete_with(&mut store.rehearsal(), call, &options);
    }
    delete_with(store, call, &options)
}

fn delete_with(store: &mut Store, call: &Call, options: &DeleteOptions) -> Answer<Done> {
    let resource = &call.resource;
    let object = call.find(store)?;
    for (wanted, path, name) in [
        (&options.uid, "metadata.uid", "UID"),
        (&options.resource_version, "metadata.resourceVersion", "ResourceVersion"),
    ] {
        let found = text(&object, path);
        if let Some(wanted) = wanted.as_deref().filter(|wanted| *wanted != found) {
            let why = format!(
                "Precondition failed: {name} in precondition: {wanted}, {name} in object meta: {found}"
            );
            return Err(Failure::conflict(resource, &call.name, &why));
        }
    }
    refuse_builtin(call)?;
    let propagation = propagation(options)?;
    let uid = text(&object, "metadata.uid").to_owned();
    let of = resource.group_resource();
    Ok(match lifecycle::delete(store, &of, &object, propagation, options.grace_seconds) {
        Deletion::Done => Done::ok(success(json!({
            "name": call.name, "group": resource.group, "kind": resource.plural, "uid": uid}))),
        Deletion::Begun(object) => Done::ok(served(resource, &object)),
    })
}

/// Namespaces that a cluster cannot be without.
fn refuse_builtin(call: &Call) -> Answer<()> {
    let vital = matches!(call.name.as_str(), "default" | "kube-system" | "kube-public");
    if call.resource.is("", "Namespace") && vital {
        return Err(Failure::forbidden(
            &call.resource,
            &call.name,
            "this namespace may not be deleted",
        ));
    }
    Ok(())
}

fn propagation(options: &DeleteOptions) -> Answer<Propagation> {
    match options.propagation.as_deref() {
        None | Some("" | "Background") => Ok(Propagation::Background),
        Some("Foreground") => Ok(Propagation::Foreground),
        Some("Orphan") => Ok(Propagation::Orphan),
        Some(other) => Err(Failure::unprocessable(format!(
            "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: {other:?}: supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
        ))),
    }
}

pub(super) fn delete_collection(store: &mut Store, call: &Call, body: &Body) -> Answer<Done> {
    let options = DeleteOptions::of(body, &call.query)?;
    if options.dry_run {
        return delete_all(&mut store.rehearsal(), call, &options);
    }
    delete_all(store, call, &options)
}

fn delete_all(store: &mut Store, call: &Call, options: &DeleteOptions) -> Answer<Done> {
    let selection = Selection::of(call)?;
    let propagation = propagation(options)?;
    let of = call.resource.group_resource();
    let chosen: Vec<_> = store
        .list(&of, &call.namespace)
        .filter(|object| selection.matches(object))
        .cloned()
        .collect();
    let mut items: Vec<Value> = Vec::new();
    for object in chosen {
        lifecycle::delete(store, &of, &object, propagation, options.grace_seconds);
        items.push(served(&call.resource, &object));
    }
    Ok(Done::ok(json!({"kind": call.resource.list_kind, "apiVersion": call.resource.api_version(),
        "metadata": {"resourceVersion": store.revision().to_string()}, "items": items})))
}
