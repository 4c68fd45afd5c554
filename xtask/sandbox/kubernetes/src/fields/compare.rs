//! What changed between two objects, field by field.

use serde_json::Value;

use super::{
    path::{Element, Path},
    set::FieldSet,
};
use crate::schema::{ANY, Identity, List, Object, Schema, Shape};

/// The fields in which two objects differ.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) added: FieldSet,
    pub(crate) modified: FieldSet,
    pub(crate) removed: FieldSet,
}

impl Comparison {
    /// Compares an old object with a new one.
    pub(crate) fn of(schema: &Schema, old: &Value, new: &Value) -> Self {
        let mut comparison = Self::default();
        comparison.visit(schema, &Path::default(), Some(old), Some(new));
        comparison
    }

    /// The fields that have another value now.
    pub(crate) fn changed(&self) -> FieldSet {
        self.added.union(&self.modified)
    }

    fn visit(&mut self, schema: &Schema, path: &Path, old: Option<&Value>, new: Option<&Value>) {
        let either = |test: fn(&Value) -> bool| {
            [old, new].into_iter().flatten().all(|value| value.is_null() || test(value))
                && [old, new].into_iter().flatten().any(test)
        };
        let whole = is_empty(old) && is_empty(new);
        match &schema.resolve().shape {
            Shape::Any if !whole && either(Value::is_object) => {
                self.visit_fields(&Object::anything(), path, old, new);
            }
            Shape::Object(object) if !object.atomic && !whole && either(Value::is_object) => {
                self.visit_fields(object, path, old, new);
            }
            Shape::List(list)
                if list.identity != Identity::Atomic && !whole && either(Value::is_array) =>
            {
                self.visit_items(list, path, old, new);
            }
            _ => {
                if let (Some(old), Some(new)) = (old, new)
                    && !same(old, new)
                {
                    self.modified.insert(path);
                }
            }
        }
        match (old, new) {
            (None, Some(_)) => self.added.insert(path),
            (Some(_), None) => self.removed.insert(path),
            _ => {}
        }
    }

    fn visit_fields(
        &mut self,
        object: &Object,
        path: &Path,
        old: Option<&Value>,
        new: Option<&Value>,
    ) {
        let fields = |value: Option<&Value>| -> Vec<String> {
            value
                .and_then(Value::as_object)
                .into_iter()
                .flat_map(|map| map.keys().cloned())
                .collect()
        };
        let mut names = fields(old);
        names.extend(
            fields(new).into_iter().filter(|name| old.is_none_or(|old| old.get(name).is_none())),
        );
        for name in names {
            let schema = object.field(&name).unwrap_or(&ANY);
            let (old, new) =
                (old.and_then(|old| old.get(&name)), new.and_then(|new| new.get(&name)));
            self.visit(schema, &path.with(Element::Field(name)), old, new);
        }
    }

    fn visit_items(&mut self, list: &List, path: &Path, old: Option<&Value>, new: Option<&Value>) {
        let (old, new) = (by_element(list, old), by_element(list, new));
        let find = |items: &[(Element, Value)], element: &Element| {
            items.iter().find(|(one, _)| one == element).map(|(_, value)| value.clone())
        };
        for (element, value) in &old {
            self.visit(
                &list.items,
                &path.with(element.clone()),
                Some(value),
                find(&new, element).as_ref(),
            );
        }
        for (element, value) in new.iter().filter(|(element, _)| find(&old, element).is_none()) {
            self.visit(&list.items, &path.with(element.clone()), None, Some(value));
        }
    }
}

fn by_element(list: &List, value: Option<&Value>) -> Vec<(Element, Value)> {
    let items = value.and_then(Value::as_array).into_iter().flatten().enumerate();
    items
        .filter_map(|(index, item)| Some((Element::of_item(list, index, item).ok()?, item.clone())))
        .collect()
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

/// Equal, with 1 and 1.0 the same number.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(one, other)| same(one, other))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, one)| b.get(key).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}
