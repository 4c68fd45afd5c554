//! Strategic merge patch: lists merge by the keys of the schema, and `$` directives delete, replace
//! and order.

use serde_json::{Map, Value};

use crate::schema::{ANY, Schema, Shape};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList/";
const LIST_ORDER: &str = "$setElementOrder/";

/// Lays a patch over an object of a built-in kind.
pub(crate) fn strategic_merge(schema: &Schema, object: &mut Value, patch: &Value) {
    let merged = match (object.take(), patch) {
        (Value::Object(map), Value::Object(patch)) => Value::Object(merge_maps(schema, map, patch)),
        (_, patch) => without_directives(patch.clone()),
    };
    *object = merged;
}

fn merge_maps(
    schema: &Schema,
    mut map: Map<String, Value>,
    patch: &Map<String, Value>,
) -> Map<String, Value> {
    match patch.get(DIRECTIVE).and_then(Value::as_str) {
        Some("replace") => return fields_of(patch),
        Some("delete") => return Map::new(),
        _ => {}
    }
    if let Some(kept) = patch.get(RETAIN_KEYS).and_then(Value::as_array) {
        map.retain(|name, _| kept.iter().any(|one| one == name));
    }
    for (name, value) in patch {
        if let Some(list) = name.strip_prefix(DELETE_FROM_LIST) {
            delete_items(&mut map, list, value);
        } else if !name.starts_with('$') {
            merge_field(schema, &mut map, name, value, patch.get(&format!("{LIST_ORDER}{name}")));
        }
    }
    for (name, order) in patch {
        let Some(list) = name.strip_prefix(LIST_ORDER).filter(|list| !patch.contains_key(*list))
        else {
            continue;
        };
        let key = schema.field(list).and_then(|schema| schema.merge.key.clone());
        if let (Some(Value::Array(items)), Value::Array(order)) = (map.get_mut(list), order) {
            *items = ordered(std::mem::take(items), order, key.as_deref());
        }
    }
    map
}

fn merge_field(
    schema: &Schema,
    map: &mut Map<String, Value>,
    name: &str,
    value: &Value,
    order: Option<&Value>,
) {
    if value.is_null() {
        map.shift_remove(name);
        return;
    }
    let field = schema.field(name).unwrap_or(&ANY);
    let merged = match (map.shift_remove(name), value) {
        (Some(Value::Object(old)), Value::Object(patch)) => {
            Value::Object(merge_maps(field, old, patch))
        }
        (Some(Value::Array(old)), Value::Array(patch)) if field.merge.lists => {
            let key = field.merge.key.as_deref();
            let items = merge_lists(field, old, patch, key);
            let order = order.and_then(Value::as_array);
            Value::Array(order.map_or(items.clone(), |order| ordered(items, order, key)))
        }
        (None, Value::Object(patch)) => Value::Object(merge_maps(field, Map::new(), patch)),
        (_, value) => without_directives(value.clone()),
    };
    map.insert(name.to_owned(), merged);
}

fn merge_lists(
    schema: &Schema,
    mut items: Vec<Value>,
    patch: &[Value],
    key: Option<&str>,
) -> Vec<Value> {
    let Some(key) = key else {
        for item in patch {
            if !items.contains(item) {
                items.push(item.clone());
            }
        }
        return items;
    };
    let item_schema = match &schema.resolve().shape {
        Shape::List(list) => &*list.items,
        _ => &ANY,
    };
    let directive = |item: &Value| item.get(DIRECTIVE).and_then(Value::as_str).map(str::to_owned);
    if patch.iter().any(|item| directive(item).as_deref() == Some("replace")) {
        let rest = patch.iter().filter(|item| directive(item).is_none());
        return rest.map(|item| without_directives(item.clone())).collect();
    }
    for item in patch {
        let matches = |other: &Value| other.get(key).is_some() && other.get(key) == item.get(key);
        if directive(item).as_deref() == Some("delete") {
            items.retain(|other| !matches(other));
        } else if let Some(old) = items.iter_mut().find(|other| matches(other)) {
            strategic_merge(item_schema, old, item);
        } else {
            items.push(without_directives(item.clone()));
        }
    }
    items
}

fn delete_items(map: &mut Map<String, Value>, list: &str, gone: &Value) {
    if let (Some(Value::Array(items)), Value::Array(gone)) = (map.get_mut(list), gone) {
        items.retain(|item| !gone.contains(item));
    }
}

/// Puts the items that an order names into that order; the others keep the place that they have.
fn ordered(items: Vec<Value>, order: &[Value], key: Option<&str>) -> Vec<Value> {
    let identity = |value: &Value| match key {
        Some(key) => value.get(key).cloned().unwrap_or_default(),
        None => value.clone(),
    };
    let first: Vec<(Value, Value)> =
        items.into_iter().map(|item| (identity(&item), item)).collect();
    let wanted = order.iter().map(identity);
    let second: Vec<(Value, Value)> =
        wanted.filter_map(|one| first.iter().find(|(other, _)| *other == one).cloned()).collect();
    crate::fields::interleave(first, second).into_iter().map(|(_, item)| item).collect()
}

/// A patch that meets nothing to merge with is a value, without its directives.
fn without_directives(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(fields_of(&map)),
        Value::Array(items) => {
            let kept = items.into_iter().filter(|item| item.get(DIRECTIVE).is_none());
            Value::Array(kept.map(without_directives).collect())
        }
        value => value,
    }
}

fn fields_of(map: &Map<String, Value>) -> Map<String, Value> {
    let fields = map.iter().filter(|(name, value)| !name.starts_with('$') && !value.is_null());
    fields.map(|(name, value)| (name.clone(), without_directives(value.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::builtin;

    fn patched(object: Value, patch: Value) -> Value {
        let mut object = object;
        strategic_merge(builtin("io.k8s.api.core.v1.PodSpec"), &mut object, &patch);
        object
    }

    #[test]
    fn list_items_merge_by_their_key() {
        let spec = json!({"containers": [{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]});
        let patch = json!({"containers": [{"name": "a", "image": "2", "env": [{"name": "Y", "value": "2"}]}]});
        assert_eq!(
            patched(spec, patch)["containers"],
            json!([{"name": "a", "image": "2", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
                {"name": "b"}])
        );
    }

    #[test]
    fn directives_delete_replace_and_order() {
        let spec = json!({"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]});
        let delete = json!({"containers": [{"name": "b", "$patch": "delete"}]});
        assert_eq!(
            patched(spec.clone(), delete)["containers"],
            json!([{"name": "a"}, {"name": "c"}])
        );
        let replace = json!({"containers": [{"$patch": "replace"}, {"name": "z"}]});
        assert_eq!(patched(spec.clone(), replace)["containers"], json!([{"name": "z"}]));
        let order = json!({"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}], "containers": [{"name": "c", "image": "x"}]});
        assert_eq!(
            patched(spec, order)["containers"],
            json!([{"name": "c", "image": "x"}, {"name": "a"}, {"name": "b"}])
        );
    }

    #[test]
    fn a_kept_key_drops_its_rivals() {
        let spec = json!({"volumes": [{"name": "v", "emptyDir": {}}]});
        let patch = json!({"volumes": [{"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}]});
        assert_eq!(
            patched(spec, patch)["volumes"],
            json!([{"name": "v", "secret": {"secretName": "s"}}])
        );
    }

    #[test]
    fn lists_without_key_are_replaced_and_nulls_remove() {
        let spec = json!({"tolerations": [{"key": "a"}], "nodeName": "n"});
        let patch = json!({"tolerations": [{"key": "b"}], "nodeName": null});
        assert_eq!(patched(spec, patch), json!({"tolerations": [{"key": "b"}]}));
    }
}
