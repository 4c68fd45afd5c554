//! Warning events: the only place where most controllers say why something does not work.

use std::collections::BTreeMap;

use kube::api::DynamicObject;

use super::{
    fields::{Fields, told},
    watch::Objects,
};

/// The events that were there when a wait began: only later ones speak of this run. Compared by
/// resource version, so that no two clocks have to agree.
#[derive(Default)]
pub(super) struct Baseline(BTreeMap<String, Option<String>>);

impl Baseline {
    pub(super) fn of(events: &Objects) -> Self {
        let version = |event: &DynamicObject| event.metadata.resource_version.clone();
        Self(events.iter().map(|(name, event)| (name.clone(), version(event))).collect())
    }

    /// The newest warning about an object that came, or came again, since then.
    pub(super) fn fresh_warning(&self, events: &Objects, kind: &str, name: &str) -> Option<String> {
        newest(events.iter().filter(|(key, event)| {
            is_warning(event)
                && is_about(event, kind, name)
                && self.0.get(*key) != Some(&event.metadata.resource_version)
        }))
    }
}

/// The newest warning about an object.
pub(super) fn warning(events: &Objects, kind: &str, name: &str) -> Option<String> {
    newest(events.iter().filter(|(_, event)| is_warning(event) && is_about(event, kind, name)))
}

fn newest<'a>(events: impl Iterator<Item = (&'a String, &'a DynamicObject)>) -> Option<String> {
    events.map(|(_, event)| event).max_by_key(|event| time(event)).map(tell)
}

pub(super) fn is_warning(event: &DynamicObject) -> bool {
    event.text("/type") == Some("Warning")
}

pub(super) fn is_about(event: &DynamicObject, kind: &str, name: &str) -> bool {
    event.text("/involvedObject/kind") == Some(kind)
        && event.text("/involvedObject/name") == Some(name)
}

/// `Reason: message`.
pub(super) fn tell(event: &DynamicObject) -> String {
    told(
        event.text("/reason").unwrap_or_default(),
        event.text("/message").or_else(|| event.text("/note")).unwrap_or_default(),
    )
}

/// When it came last, to compare with others; RFC 3339 in UTC sorts as text.
pub(super) fn time(event: &DynamicObject) -> String {
    ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/firstTimestamp"]
        .iter()
        .find_map(|pointer| event.text(pointer))
        .unwrap_or_default()
        .to_owned()
}
