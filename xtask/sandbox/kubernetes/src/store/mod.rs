//! The objects of one cluster, and everything that ever happened to them.
//!
//! Invariants: one counter gives every change a resource version of its own, so that a watch
//! resumed from a version sees exactly what came after; an object that is stored is never changed
//! in place.

mod selector;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use serde_json::Value;

pub(crate) use selector::{FieldSelector, LabelSelector, labels_match};

use crate::{
    fields::Managers,
    resources::{GroupResource, Registry},
    value::{self, text},
};

/// How many changes a watch may be behind.
const KEPT_EVENTS: usize = 10_000;

/// The first version that a cluster gives out.
const FIRST_REVISION: u64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Modified,
    Deleted,
}

/// Something that happened to an object.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) revision: u64,
    pub(crate) change: Change,
    pub(crate) of: GroupResource,
    pub(crate) object: Arc<Value>,
    /// The object before, for watches that select by what changed.
    pub(crate) previous: Option<Arc<Value>>,
}

/// Namespace (empty outside of namespaces) and name.
pub(crate) type Name = (String, String);

/// The objects of a cluster.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) registry: Registry,
    collections: BTreeMap<GroupResource, BTreeMap<Name, Arc<Value>>>,
    events: VecDeque<Event>,
    /// Everything after this version is in `events`.
    trimmed: u64,
    revision: u64,
    /// Something happened that the garbage collector or the namespace controller may have to act
    /// on.
    pub(crate) unsettled: bool,
    /// The PEM text that Pods trust the API server by.
    pub(crate) certificate_authority: Arc<str>,
}

impl Store {
    pub(crate) fn new(certificate_authority: Arc<str>) -> Self {
        Self {
            registry: Registry::builtin(),
            collections: BTreeMap::new(),
            events: VecDeque::new(),
            trimmed: FIRST_REVISION,
            revision: FIRST_REVISION,
            unsettled: true,
            certificate_authority,
        }
    }

    /// A copy to try a request on, without the past.
    pub(crate) fn rehearsal(&self) -> Self {
        Self {
            registry: self.registry.clone(),
            collections: self.collections.clone(),
            events: VecDeque::new(),
            certificate_authority: self.certificate_authority.clone(),
            ..*self
        }
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn get(
        &self,
        of: &GroupResource,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<Value>> {
        self.collections.get(of)?.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// The objects of a resource by namespace and name; an empty namespace stands for all.
    pub(crate) fn list(
        &self,
        of: &GroupResource,
        namespace: &str,
    ) -> impl Iterator<Item = &Arc<Value>> {
        let all = self.collections.get(of).into_iter().flatten();
        all.filter(move |(name, _)| namespace.is_empty() || name.0 == namespace)
            .map(|(_, object)| object)
    }

    /// Every object of the cluster.
    pub(crate) fn everything(&self) -> impl Iterator<Item = (&GroupResource, &Arc<Value>)> {
        self.collections
            .iter()
            .flat_map(|(of, objects)| objects.values().map(move |object| (of, object)))
    }

    /// Stores an object under its own name and gives it a new version, unless nothing changed.
    pub(crate) fn put(&mut self, of: &GroupResource, mut object: Value) -> Arc<Value> {
        let name = name_of(&object);
        let previous = self.collections.get(of).and_then(|objects| objects.get(&name)).cloned();
        if let Some(previous) = previous.as_ref().filter(|previous| is_same(previous, &object)) {
            return previous.clone();
        }
        self.revision += 1;
        value::set(&mut object, "metadata.resourceVersion", self.revision.to_string());
        self.unsettled |= previous.is_none()
            || of.plural == "namespaces"
            || of.plural == "customresourcedefinitions"
            || !value::at(&object, "metadata.deletionTimestamp").is_null()
            || value::at(&object, "metadata.ownerReferences").is_array();
        if of.plural == "customresourcedefinitions" {
            self.registry.define(&object);
        }
        let object = Arc::new(object);
        self.collections.entry(of.clone()).or_default().insert(name, object.clone());
        let change = if previous.is_some() { Change::Modified } else { Change::Added };
        self.record(change, of, object.clone(), previous);
        object
    }

    /// Removes an object; what it was last goes to the watches with a version of its own.
    pub(crate) fn delete(&mut self, of: &GroupResource, object: &Value) -> Arc<Value> {
        let previous =
            self.collections.get_mut(of).and_then(|objects| objects.remove(&name_of(object)));
        self.revision += 1;
        let mut last = object.clone();
        value::set(&mut last, "metadata.resourceVersion", self.revision.to_string());
        let last = Arc::new(last);
        self.unsettled = true;
        if of.plural == "customresourcedefinitions" {
            self.registry.undefine(object);
        }
        if previous.is_some() {
            self.record(Change::Deleted, of, last.clone(), previous);
        }
        last
    }

    fn record(
        &mut self,
        change: Change,
        of: &GroupResource,
        object: Arc<Value>,
        previous: Option<Arc<Value>>,
    ) {
        self.events.push_back(Event {
            revision: self.revision,
            change,
            of: of.clone(),
            object,
            previous,
        });
        while self.events.len() > KEPT_EVENTS {
            if let Some(event) = self.events.pop_front() {
                self.trimmed = event.revision;
            }
        }
    }

    /// What happened to a resource after a version; `None` if that is too long ago.
    pub(crate) fn events_after(&self, revision: u64, of: &GroupResource) -> Option<Vec<Event>> {
        if revision < self.trimmed {
            return None;
        }
        let start = self.events.partition_point(|event| event.revision <= revision);
        Some(self.events.range(start..).filter(|event| event.of == *of).cloned().collect())
    }
}

/// Namespace and name of an object.
pub(crate) fn name_of(object: &Value) -> Name {
    (text(object, "metadata.namespace").to_owned(), text(object, "metadata.name").to_owned())
}

/// Whether two versions of an object are the same but for the version and for when managers acted.
pub(crate) fn is_same(one: &Value, other: &Value) -> bool {
    let core = |object: &Value| {
        let mut object = object.clone();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.shift_remove("resourceVersion");
            metadata.shift_remove("managedFields");
        }
        object
    };
    core(one) == core(other) && Managers::of(one).agree_with(&Managers::of(other))
}

/// A label selector object as the text that `labelSelector` takes.
pub(crate) fn selector_text(selector: &Value) -> String {
    if let Some(text) = selector.as_str() {
        return text.to_owned();
    }
    let labels = value::at(selector, "matchLabels").as_object().into_iter().flatten();
    let equalities =
        labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    let expressions = value::list(selector, "matchExpressions").iter().map(|one| {
        let key = text(one, "key");
        let values: Vec<&str> =
            value::list(one, "values").iter().filter_map(Value::as_str).collect();
        match text(one, "operator") {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "Exists" => key.to_owned(),
            _ => format!("!{key}"),
        }
    });
    equalities.chain(expressions).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config_map(value: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "n", "name": "x"},
            "data": {"k": value}})
    }

    #[test]
    fn every_change_has_a_version_of_its_own_and_no_change_has_none() {
        let (mut store, of) = (Store::new("".into()), GroupResource::new("", "configmaps"));
        let start = store.revision();
        store.put(&of, config_map("a"));
        store.put(&of, config_map("a"));
        let second = store.put(&of, config_map("b"));
        store.delete(&of, &second);
        let events = store.events_after(start, &of).unwrap();
        let seen: Vec<(u64, Change)> =
            events.iter().map(|event| (event.revision, event.change)).collect();
        assert_eq!(
            seen,
            [
                (start + 1, Change::Added),
                (start + 2, Change::Modified),
                (start + 3, Change::Deleted)
            ]
        );
        assert_eq!(events[2].object["metadata"]["resourceVersion"], json!((start + 3).to_string()));
    }

    #[test]
    fn selectors_of_objects_become_text() {
        let selector = json!({"matchLabels": {"a": "b"}, "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["d", "e"]}, {"key": "f", "operator": "DoesNotExist"}]});
        assert_eq!(selector_text(&selector), "a=b,c in (d,e),!f");
    }
}
