//! An object without a set of its fields.

use serde_json::{Map, Value};

use super::{path::Element, set::FieldSet};
use crate::schema::{Identity, List, Object, Schema, Shape};

/// The value without the fields of a set; null where nothing is left of an object or a list.
pub(crate) fn remove(schema: &Schema, value: &Value, fields: &FieldSet) -> Value {
    match (&schema.resolve().shape, value) {
        (Shape::Any, Value::Object(map)) => remove_fields(&Object::anything(), map, fields),
        (Shape::Object(object), Value::Object(map)) if !object.atomic => {
            remove_fields(object, map, fields)
        }
        (Shape::List(list), Value::Array(items)) if list.identity != Identity::Atomic => {
            remove_items(list, items, fields)
        }
        _ => value.clone(),
    }
}

fn remove_fields(object: &Object, map: &Map<String, Value>, fields: &FieldSet) -> Value {
    let mut kept = Map::new();
    for (name, value) in map {
        let element = Element::field(name);
        if fields.has(&element) {
            continue;
        }
        let below = fields.below(&element);
        let value = match object.field(name) {
            Some(schema) if !below.is_empty() => remove(schema, value, below),
            _ => value.clone(),
        };
        kept.insert(name.clone(), value);
    }
    if kept.is_empty() && !map.is_empty() { Value::Null } else { Value::Object(kept) }
}

fn remove_items(list: &List, items: &[Value], fields: &FieldSet) -> Value {
    let mut kept = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Ok(element) = Element::of_item(list, index, item) else {
            kept.push(item.clone());
            continue;
        };
        if fields.has(&element) {
            continue;
        }
        let below = fields.below(&element);
        kept.push(if below.is_empty() { item.clone() } else { remove(&list.items, item, below) });
    }
    if kept.is_empty() && !items.is_empty() { Value::Null } else { Value::Array(kept) }
}
