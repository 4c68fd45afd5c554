//! Reads fields of objects of any kind by JSON pointer.

use kube::api::DynamicObject;
use serde_json::Value;

/// One entry of `status.conditions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    /// `True`, `False` or `Unknown`.
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Condition {
    pub(super) fn is(&self, status: &str) -> bool {
        self.status == status
    }

    /// `Reason: message`, or what there is of it.
    pub(super) fn told(&self) -> String {
        told(&self.reason, &self.message)
    }
}

pub(super) trait Fields {
    fn at(&self, pointer: &str) -> Option<&Value>;

    fn text(&self, pointer: &str) -> Option<&str> {
        self.at(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn number(&self, pointer: &str) -> Option<i64> {
        self.at(pointer).and_then(Value::as_i64)
    }

    fn items(&self, pointer: &str) -> &[Value] {
        self.at(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn condition(&self, kind: &str) -> Option<Condition> {
        let found =
            self.items("/status/conditions").iter().find(|c| c.text("/type") == Some(kind))?;
        let field = |name| found.text(name).unwrap_or_default().to_owned();
        Some(Condition {
            status: field("/status"),
            reason: field("/reason"),
            message: field("/message"),
        })
    }
}

impl Fields for Value {
    fn at(&self, pointer: &str) -> Option<&Value> {
        self.pointer(pointer)
    }
}

/// Everything but type and metadata.
impl Fields for DynamicObject {
    fn at(&self, pointer: &str) -> Option<&Value> {
        self.data.pointer(pointer)
    }
}

pub(super) fn told(reason: &str, message: &str) -> String {
    match (reason, message.trim()) {
        (reason, "") => reason.to_owned(),
        ("", message) => message.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

pub(super) fn name(object: &DynamicObject) -> &str {
    object.metadata.name.as_deref().unwrap_or_default()
}

/// Whether `labels` holds all of `selector` (a JSON object of label and value).
pub(super) fn selects(selector: Option<&Value>, object: &DynamicObject) -> bool {
    let labels = object.metadata.labels.as_ref();
    let Some(selector) = selector.and_then(Value::as_object).filter(|map| !map.is_empty()) else {
        return false;
    };
    selector.iter().all(|(key, value)| {
        labels.and_then(|labels| labels.get(key)).map(String::as_str) == value.as_str()
    })
}
