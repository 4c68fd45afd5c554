//! Events, as `kubectl describe` and `kubectl get events` show them.
//!
//! A repeated event is one object whose count grows, as a real recorder keeps it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, ObjectMeta, Patch, PatchParams};
use kube::{Client, Resource};
use serde_json::json;

use crate::cluster::{is_not_found, manager, short};
use crate::log::Log;

/// Whether an event is good or bad news.
#[derive(Debug, Clone, Copy)]
pub(crate) enum EventType {
    Normal,
    Warning,
}

/// Writes events; clones share the counts.
#[derive(Clone)]
pub(crate) struct Recorder {
    client: Client,
    log: Log,
    seen: Arc<Mutex<HashMap<String, Seen>>>,
}

#[derive(Clone)]
struct Seen {
    name: String,
    count: i32,
}

impl Recorder {
    pub(crate) fn new(client: Client, log: Log) -> Self {
        Self { client, log, seen: Arc::default() }
    }

    /// Records that `component` did or saw something about `object`. It never fails its caller: an
    /// event that cannot be written is a line in the log.
    pub(crate) async fn record<K>(
        &self,
        component: &str,
        object: &K,
        (kind, reason, message): (EventType, &str, &str),
    ) where
        K: Resource<DynamicType = ()>,
    {
        self.record_about(component, &object.object_ref(&()), (kind, reason, message)).await;
    }

    /// As `record`, about an object of which only the reference is at hand.
    pub(crate) async fn record_about(
        &self,
        component: &str,
        about: &ObjectReference,
        (kind, reason, message): (EventType, &str, &str),
    ) {
        let key = format!(
            "{}/{}/{}/{reason}/{message}",
            about.uid.as_deref().unwrap_or_default(),
            about.name.as_deref().unwrap_or_default(),
            about.field_path.as_deref().unwrap_or_default(),
        );
        let namespace = about.namespace.clone().unwrap_or_else(|| "default".to_owned());
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        let now = Time(jiff::Timestamp::now());
        let seen = {
            let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let entry = all.entry(key).or_insert_with(|| Seen {
                name: format!(
                    "{}.{}",
                    about.name.as_deref().unwrap_or_default(),
                    crate::names::random_suffix(16)
                ),
                count: 0,
            });
            entry.count += 1;
            entry.clone()
        };
        let written = if seen.count == 1 {
            let event = Event {
                metadata: ObjectMeta {
                    name: Some(seen.name),
                    namespace: Some(namespace),
                    ..ObjectMeta::default()
                },
                involved_object: about.clone(),
                type_: Some(format!("{kind:?}")),
                reason: Some(reason.to_owned()),
                message: Some(message.to_owned()),
                source: Some(EventSource {
                    component: Some(component.to_owned()),
                    ..EventSource::default()
                }),
                reporting_component: Some(component.to_owned()),
                count: Some(1),
                first_timestamp: Some(now.clone()),
                last_timestamp: Some(now),
                ..Event::default()
            };
            api.create(&manager(component), &event).await
        } else {
            let change = json!({ "count": seen.count, "lastTimestamp": now });
            api.patch(&seen.name, &PatchParams::apply(component), &Patch::Merge(&change)).await
        };
        // An event may have gone with its namespace or its object.
        if let Err(error) = written
            && !is_not_found(&error)
        {
            let error = short(&error.into());
            self.log.line(&format!("event {reason} ({message}): {error}"));
        }
    }
}
