//! The shape of objects: what server-side apply, strategic merge, strict decoding and validation
//! follow.
//!
//! Built-in kinds take theirs from the `k8s-openapi` types, custom resources from their definition.

mod builtin;
mod check;
mod convert;
mod custom;
mod quantity;

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use builtin::{builtin, documents};
pub(crate) use check::{check, validate};
pub(crate) use convert::from_openapi;
pub(crate) use custom::{apply_defaults, custom_kind, prune};
pub(crate) use quantity::Quantity;

/// One place in an object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    pub(crate) shape: Shape,
    pub(crate) nullable: bool,
    /// What an absent field becomes; custom resources only, except for the keys of list items.
    pub(crate) default: Option<Value>,
    /// Bounds on the value; custom resources only.
    pub(crate) limits: Option<Box<Limits>>,
    /// How a strategic merge patch treats the field.
    pub(crate) merge: Merge,
}

#[derive(Clone, Debug, Default)]
pub(crate) enum Shape {
    /// Anything goes: objects are taken apart, lists are not.
    #[default]
    Any,
    Scalar(Scalar),
    Object(Object),
    List(List),
    /// A built-in type, by its OpenAPI name.
    Reference(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    String,
    Bytes,
    Time,
    Integer,
    Number,
    Boolean,
    IntOrString,
    /// A resource amount: written as text, read as text or number.
    Quantity,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Object {
    pub(crate) properties: BTreeMap<String, Schema>,
    /// The shape of fields beside `properties`: a map's values.
    pub(crate) additional: Option<Box<Schema>>,
    pub(crate) required: Vec<String>,
    /// Owned and replaced as a whole.
    pub(crate) atomic: bool,
    pub(crate) preserve_unknown: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) items: Box<Schema>,
    pub(crate) identity: Identity,
}

/// What tells the items of a list apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Nothing: the list is owned and replaced as a whole.
    Atomic,
    /// The item itself.
    Set,
    /// These fields of the item.
    Keys(Vec<String>),
}

/// How a strategic merge patch treats a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Merge {
    /// Lists: merged item by item instead of replaced.
    pub(crate) lists: bool,
    /// The field that tells list items apart; without it items are plain values.
    pub(crate) key: Option<String>,
}

/// Bounds of a custom resource's field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) allowed: Vec<Value>,
    pub(crate) minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) min_length: Option<usize>,
    pub(crate) max_length: Option<usize>,
    pub(crate) min_items: Option<usize>,
    pub(crate) max_items: Option<usize>,
    pub(crate) min_properties: Option<usize>,
    pub(crate) max_properties: Option<usize>,
}

/// A schema for places that have none.
pub(crate) static ANY: Schema = Schema {
    shape: Shape::Any,
    nullable: true,
    default: None,
    limits: None,
    merge: Merge { lists: false, key: None },
};

impl Schema {
    pub(crate) fn of(shape: Shape) -> Self {
        Self { shape, ..Self::default() }
    }

    /// The schema itself, or the built-in type that it refers to.
    pub(crate) fn resolve(&self) -> &Schema {
        match &self.shape {
            Shape::Reference(name) => builtin(name).resolve(),
            _ => self,
        }
    }

    /// The schema of a field of this object, if the object may have it.
    pub(crate) fn field(&self, name: &str) -> Option<&Schema> {
        match &self.resolve().shape {
            Shape::Any => Some(&ANY),
            Shape::Object(object) => object.field(name),
            _ => None,
        }
    }

    /// Whether the field is one of a struct's own rather than a key of a map.
    pub(crate) fn has_named_field(&self, name: &str) -> bool {
        matches!(&self.resolve().shape, Shape::Object(object) if object.properties.contains_key(name))
    }
}

impl Object {
    pub(crate) fn field(&self, name: &str) -> Option<&Schema> {
        self.properties.get(name).or(self.additional.as_deref()).or(if self.preserve_unknown {
            Some(&ANY)
        } else {
            None
        })
    }
}

/// The name by which messages call a value's type.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
