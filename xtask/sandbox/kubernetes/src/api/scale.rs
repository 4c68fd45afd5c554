//! `/scale`: the replicas of any kind that has them.

use serde_json::{Value, json};

use super::{
    Body, Call, Done,
    patch::change_by,
    replace::{Managed, commit},
    served,
};
use crate::{
    resources::{Scale, scale_kind},
    status::{Answer, Failure},
    store::{Store, selector_text},
    value::{at, set, text},
};

pub(super) fn answer(store: &mut Store, call: &Call, method: &str, body: &Body) -> Answer<Done> {
    let paths = call.resource.scale.as_ref().ok_or_else(Failure::no_such_path)?;
    let old = served(&call.resource, &*call.find(store)?);
    let scale = scale_of(paths, &old);
    let wanted = match method {
        "GET" => return Ok(Done::ok(scale)),
        "PUT" => body.value()?,
        "PATCH" => {
            let mut wanted = scale;
            // A Scale has no lists that merge by key, so the strategic patch of it is a merge
            // patch.
            let media = body.media.replace("strategic-merge", "merge");
            change_by(call, &mut wanted, &media, &body.value()?)?;
            wanted
        }
        _ => return Err(Failure::method_not_allowed()),
    };
    let replicas = at(&wanted, "spec.replicas").as_i64().unwrap_or_default();
    if replicas < 0 {
        let detail = "must be greater than or equal to 0";
        let fault = crate::status::FieldFault::invalid("spec.replicas", &json!(replicas), detail);
        return Err(Failure::invalid(&call.resource, &call.name, &[fault]));
    }
    let mut new = old.clone();
    set(&mut new, &paths.spec, replicas);
    let stale = text(&wanted, "metadata.resourceVersion");
    if !stale.is_empty() {
        set(&mut new, "metadata.resourceVersion", stale);
    }
    let object = commit(store, call, &old, new, Managed::ByUpdate)?;
    Ok(Done::ok(scale_of(paths, &served(&call.resource, &object))))
}

fn scale_of(paths: &Scale, object: &Value) -> Value {
    let (group, version, kind) = scale_kind();
    let mut metadata = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        crate::value::copy(at(object, "metadata"), &mut metadata, field);
    }
    let number = |path: &str| at(object, path).as_i64().unwrap_or_default();
    let selector = selector_text(at(object, &paths.selector));
    let mut scale = json!({"kind": kind, "apiVersion": format!("{group}/{version}"), "metadata": metadata,
        "spec": {"replicas": number(&paths.spec)}, "status": {"replicas": number(&paths.status)}});
    if !selector.is_empty() {
        set(&mut scale, "status.selector", selector);
    }
    scale
}
