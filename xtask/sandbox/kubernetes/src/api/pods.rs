//! Subresources of Pods that change them: binding and eviction.

use serde_json::{Value, json};

use super::{Body, Call, Done, decode::DeleteOptions, success};
use crate::{
    ids, lifecycle,
    lifecycle::Propagation,
    status::{Answer, Failure},
    store::Store,
    value::{list, set, text},
};

/// Gives a Pod its node.
pub(super) fn bind(store: &mut Store, call: &Call, body: &Body) -> Answer<Done> {
    let binding = body.value()?;
    let mut pod = (*call.find(store)?).clone();
    let (node, bound) = (text(&binding, "target.name"), text(&pod, "spec.nodeName").to_owned());
    if !bound.is_empty() {
        let why = format!("pod {} is already assigned to node {bound:?}", call.name);
        return Err(Failure::conflict(&call.resource, &call.name, &why));
    }
    set(&mut pod, "spec.nodeName", node);
    let mut conditions: Vec<Value> = list(&pod, "status.conditions").to_vec();
    conditions.retain(|one| one["type"] != "PodScheduled");
    conditions
        .push(json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": ids::now()}));
    set(&mut pod, "status.conditions", conditions);
    store.put(&call.resource.group_resource(), pod);
    Ok(Done::created(success(json!({}))))
}

/// Deletes a Pod as an eviction does; disruption budgets are not asked.
pub(super) fn evict(store: &mut Store, call: &Call, body: &Body) -> Answer<Done> {
    let eviction = body.value()?;
    let options =
        Body { media: String::new(), bytes: eviction["deleteOptions"].to_string().into_bytes() };
    let options = DeleteOptions::of(&options, &call.query)?;
    let pod = call.find(store)?;
    let of = call.resource.group_resource();
    lifecycle::delete(store, &of, &pod, Propagation::Background, options.grace_seconds);
    Ok(Done::created(success(json!({}))))
}
