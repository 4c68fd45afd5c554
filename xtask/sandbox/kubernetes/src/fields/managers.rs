//! The entries of `metadata.managedFields`.

use std::fmt;

use serde_json::{Value, json};

use super::set::FieldSet;
use crate::value::{list, text};

/// The most managers of updates that an object keeps apart.
const MOST_UPDATERS: usize = 10;

/// How a manager came to own its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Apply,
    Update,
}

/// Someone who owns fields of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Manager {
    pub(crate) name: String,
    pub(crate) operation: Operation,
    pub(crate) api_version: String,
    pub(crate) subresource: String,
    /// RFC 3339; absent for entries that a person wrote.
    pub(crate) time: Option<String>,
    pub(crate) fields: FieldSet,
}

impl Manager {
    /// Whether two entries are the same manager: the version tells updates apart, but not applies.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.name == other.name
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    fn decode(entry: &Value) -> Option<Self> {
        let operation = match text(entry, "operation") {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        Some(Self {
            name: text(entry, "manager").to_owned(),
            operation,
            api_version: text(entry, "apiVersion").to_owned(),
            subresource: text(entry, "subresource").to_owned(),
            time: entry.get("time").and_then(Value::as_str).map(str::to_owned),
            fields: FieldSet::decode(entry.get("fieldsV1")?)?,
        })
    }

    fn encode(&self) -> Value {
        let mut entry = json!({
            "manager": self.name,
            "operation": format!("{:?}", self.operation),
            "apiVersion": self.api_version,
        });
        if let Some(time) = &self.time {
            entry["time"] = json!(time);
        }
        entry["fieldsType"] = json!("FieldsV1");
        entry["fieldsV1"] = self.fields.encode();
        if !self.subresource.is_empty() {
            entry["subresource"] = json!(self.subresource);
        }
        entry
    }
}

/// As conflict messages name a manager.
impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.name)?;
        if !self.subresource.is_empty() {
            write!(f, " with subresource {:?}", self.subresource)?;
        }
        if self.operation == Operation::Update {
            write!(f, " using {}", self.api_version)?;
        }
        Ok(())
    }
}

/// All managers of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Managers(pub(crate) Vec<Manager>);

impl Managers {
    /// The managers of an object; none if an entry cannot be read.
    pub(crate) fn of(object: &Value) -> Self {
        let entries = list(object, "metadata.managedFields");
        Self(entries.iter().map(Manager::decode).collect::<Option<_>>().unwrap_or_default())
    }

    /// Whether the object asks to forget all managers: one empty entry, or an empty list.
    pub(crate) fn is_reset(object: &Value) -> bool {
        match object.get("metadata").and_then(|metadata| metadata.get("managedFields")) {
            Some(Value::Array(entries)) => {
                entries.is_empty()
                    || matches!(entries.as_slice(), [one] if one.as_object().is_some_and(serde_json::Map::is_empty))
            }
            _ => false,
        }
    }

    /// Same managers with the same fields, whenever that was.
    pub(crate) fn agree_with(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().all(|one| {
                other.0.iter().any(|two| {
                    one.is_same_as(two)
                        && one.api_version == two.api_version
                        && one.fields == two.fields
                })
            })
    }

    pub(crate) fn drop_empty(&mut self) {
        self.0.retain(|manager| !manager.fields.is_empty());
    }

    /// Joins the oldest updaters into one where there are too many.
    pub(crate) fn cap(&mut self) {
        let updaters = self.0.iter().filter(|one| one.operation == Operation::Update).count();
        let Some(excess) = updaters.checked_sub(MOST_UPDATERS).filter(|excess| *excess > 0) else {
            return;
        };
        self.sort();
        let mut oldest = Vec::new();
        self.0.retain(|one| {
            let old = one.operation == Operation::Update && oldest.len() <= excess;
            if old {
                oldest.push(one.clone());
            }
            !old
        });
        for old in oldest {
            let bucket =
                Manager { name: "ancient-changes".into(), subresource: String::new(), ..old };
            match self.0.iter_mut().find(|one| one.is_same_as(&bucket)) {
                Some(one) => one.fields = one.fields.union(&bucket.fields),
                None => self.0.push(bucket),
            }
        }
    }

    fn sort(&mut self) {
        self.0.sort_by(|a, b| {
            let key = |one: &Manager| {
                (
                    one.operation,
                    one.time.clone(),
                    one.name.clone(),
                    one.api_version.clone(),
                    one.subresource.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
    }

    /// Writes the managers into an object.
    pub(crate) fn write(mut self, object: &mut Value) {
        self.sort();
        let entries: Vec<Value> = self.0.iter().map(Manager::encode).collect();
        let metadata = crate::value::object(crate::value::place(object, "metadata"));
        if entries.is_empty() {
            metadata.shift_remove("managedFields");
        } else {
            metadata.insert("managedFields".into(), Value::Array(entries));
        }
    }
}
