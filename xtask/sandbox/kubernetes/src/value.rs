//! Small steps through JSON objects. Paths are field names joined by dots; none of the fields that
//! the server itself looks at has a dot in its name.

use serde_json::{Map, Value};

static NULL: Value = Value::Null;

/// What is at a path, or null.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').try_fold(value, |value, key| value.get(key)).unwrap_or(&NULL)
}

/// The text at a path, or "".
pub(crate) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    at(value, path).as_str().unwrap_or_default()
}

/// The list at a path, or an empty one.
pub(crate) fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    at(value, path).as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The value as an object; anything else becomes an empty one.
pub(crate) fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("made an object above"),
    }
}

/// The place at a path, with objects made on the way and null where there was nothing.
pub(crate) fn place<'a>(value: &'a mut Value, path: &str) -> &'a mut Value {
    path.split('.').fold(value, |value, key| object(value).entry(key).or_insert(Value::Null))
}

/// Sets a path, with objects made on the way.
pub(crate) fn set(value: &mut Value, path: &str, to: impl Into<Value>) {
    *place(value, path) = to.into();
}

/// Sets a path that is absent or null.
pub(crate) fn default(value: &mut Value, path: &str, to: impl Into<Value>) {
    let place = place(value, path);
    if place.is_null() {
        *place = to.into();
    }
}

/// Removes a path and gives back what was there; the objects on the way stay.
pub(crate) fn remove(value: &mut Value, path: &str) -> Option<Value> {
    let (parent, key) = match path.rsplit_once('.') {
        Some((parent, key)) => (at_mut(value, parent)?, key),
        None => (value, path),
    };
    parent.as_object_mut()?.shift_remove(key)
}

/// What is at a path, to be changed, if it is there.
pub(crate) fn at_mut<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(value, |value, key| value.get_mut(key))
}

/// The items of the list at a path, to be changed.
pub(crate) fn items_mut<'a>(
    value: &'a mut Value,
    path: &str,
) -> impl Iterator<Item = &'a mut Value> {
    at_mut(value, path).and_then(Value::as_array_mut).into_iter().flatten()
}

/// Copies a path from one object to another; absent there means removed here.
pub(crate) fn copy(from: &Value, to: &mut Value, path: &str) {
    match at(from, path) {
        Value::Null => {
            remove(to, path);
        }
        value => set(to, path, value.clone()),
    }
}
