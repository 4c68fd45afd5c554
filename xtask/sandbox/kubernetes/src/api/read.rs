//! `GET` of one object and of lists.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Call, Done, served};
use crate::{
    status::{Answer, Failure},
    store::{FieldSelector, LabelSelector, Name, Store, name_of},
};

pub(super) fn get(store: &Store, call: &Call) -> Answer<Done> {
    Ok(Done::ok(served(&call.resource, &*call.find(store)?)))
}

/// Which objects of a collection a request is about.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) namespace: String,
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selection {
    pub(crate) fn of(call: &Call) -> Answer<Self> {
        let mut fields = call.query.field_selector.clone();
        if !call.name.is_empty() {
            fields = format!("{fields},metadata.name={}", call.name);
        }
        Ok(Self {
            namespace: call.namespace.clone(),
            labels: LabelSelector::parse(&call.query.label_selector)?,
            fields: FieldSelector::parse(&fields, &call.resource.plural)?,
        })
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        (self.namespace.is_empty()
            || crate::value::text(object, "metadata.namespace") == self.namespace)
            && self.labels.matches(object)
            && self.fields.matches(object)
    }
}

pub(super) fn list(store: &Store, call: &Call) -> Answer<Done> {
    let selection = Selection::of(call)?;
    let start = Start::of(call, store)?;
    let of = call.resource.group_resource();
    let mut objects = store
        .list(&of, &call.namespace)
        .filter(|object| start.after.as_ref().is_none_or(|after| name_of(object) > *after))
        .filter(|object| selection.matches(object))
        .peekable();
    // Lists from any version come from a cache in a real server, which does not divide them.
    let limit = if call.query.limit == 0 || call.query.resource_version == "0" {
        usize::MAX
    } else {
        call.query.limit
    };
    let mut items: Vec<Value> = Vec::new();
    let mut last = None;
    while let Some(object) = objects.next_if(|_| items.len() < limit) {
        last = Some(name_of(object));
        items.push(list_item(served(&call.resource, object)));
    }
    let mut metadata = json!({"resourceVersion": start.revision.to_string()});
    if let (Some(last), remaining @ 1..) = (last, objects.count()) {
        metadata["continue"] =
            json!(Start { revision: start.revision, after: Some(last) }.encode());
        if call.query.label_selector.is_empty() && call.query.field_selector.is_empty() {
            metadata["remainingItemCount"] = json!(remaining);
        }
    }
    Ok(Done::ok(json!({"kind": call.resource.list_kind, "apiVersion": call.resource.api_version(),
        "metadata": metadata, "items": items})))
}

/// Items of a list do not repeat what the list says of them.
fn list_item(mut object: Value) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.shift_remove("apiVersion");
        map.shift_remove("kind");
    }
    object
}

/// Where a list begins: what a `continue` token holds.
struct Start {
    revision: u64,
    after: Option<Name>,
}

impl Start {
    fn of(call: &Call, store: &Store) -> Answer<Self> {
        if call.query.token.is_empty() {
            return Ok(Self { revision: store.revision(), after: None });
        }
        let invalid = || Failure::bad_request("continue key is not valid");
        let bytes = URL_SAFE_NO_PAD.decode(&call.query.token).map_err(|_| invalid())?;
        let (revision, namespace, name): (u64, String, String) =
            serde_json::from_slice(&bytes).map_err(|_| invalid())?;
        Ok(Self { revision, after: Some((namespace, name)) })
    }

    fn encode(&self) -> String {
        let (namespace, name) = self.after.clone().unwrap_or_default();
        URL_SAFE_NO_PAD.encode(json!([self.revision, namespace, name]).to_string())
    }
}
