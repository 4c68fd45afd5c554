//! Custom resources: a kind's schema from its definition, pruning and defaulting.

use serde_json::{Map, Value};

use super::{ANY, Object, Scalar, Schema, Shape, convert::object_meta, from_openapi};

/// The schema of a custom kind, from `spec.versions[].schema.openAPIV3Schema` of its definition.
pub(crate) fn custom_kind(document: &Value) -> Schema {
    let mut schema = from_openapi(document);
    if !matches!(schema.shape, Shape::Object(_)) {
        schema.shape = Shape::Object(Object { preserve_unknown: true, ..Object::default() });
    }
    if let Shape::Object(object) = &mut schema.shape {
        for name in ["apiVersion", "kind"] {
            object.properties.insert(name.into(), Schema::of(Shape::Scalar(Scalar::String)));
        }
        object.properties.insert("metadata".into(), object_meta());
    }
    schema
}

/// Removes what the schema does not have and gives back the paths of it.
pub(crate) fn prune(schema: &Schema, value: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    prune_at(schema, "", value, &mut unknown);
    unknown
}

fn prune_at(schema: &Schema, path: &str, value: &mut Value, unknown: &mut Vec<String>) {
    match (&schema.resolve().shape, value) {
        (Shape::Object(object), Value::Object(map)) => {
            let opaque = object.properties.is_empty() && object.additional.is_none();
            map.retain(|name, value| {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let Some(schema) = object.field(name) else {
                    unknown.push(path);
                    return false;
                };
                if !(opaque && object.preserve_unknown) {
                    prune_at(schema, &path, value, unknown);
                }
                let nullable = schema.nullable || schema.resolve().nullable;
                !(value.is_null() && !nullable && schema.default.is_some())
            });
        }
        (Shape::List(list), Value::Array(items)) => {
            for (index, item) in items.iter_mut().enumerate() {
                prune_at(&list.items, &format!("{path}[{index}]"), item, unknown);
            }
        }
        _ => {}
    }
}

/// Fills in the defaults of absent fields.
pub(crate) fn apply_defaults(schema: &Schema, value: &mut Value) {
    match (&schema.shape, value) {
        (Shape::Object(object), Value::Object(map)) => {
            default_fields(object, map);
            for (name, value) in map.iter_mut() {
                apply_defaults(object.field(name).unwrap_or(&ANY), value);
            }
        }
        (Shape::List(list), Value::Array(items)) => {
            items.iter_mut().for_each(|item| apply_defaults(&list.items, item));
        }
        _ => {}
    }
}

fn default_fields(object: &Object, map: &mut Map<String, Value>) {
    for (name, schema) in &object.properties {
        if let (Some(default), false) = (&schema.default, map.contains_key(name)) {
            map.insert(name.clone(), default.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::validate;

    fn secret_store() -> Schema {
        custom_kind(&json!({"type": "object", "properties": {"spec": {
        "type": "object", "required": ["provider"], "properties": {
            "provider": {"type": "object", "properties": {"service": {"type": "string", "enum": ["a", "b"]}}},
            "interval": {"type": "string", "default": "1h"},
            "retries": {"type": "integer", "minimum": 1},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        }}}}))
    }

    #[test]
    fn unknown_fields_are_pruned_but_preserved_ones_stay() {
        let mut store = json!({"kind": "S", "metadata": {"name": "x"},
            "spec": {"provider": {"service": "a", "typo": 1}, "free": {"any": {"thing": 1}}}});
        assert_eq!(prune(&secret_store(), &mut store), ["spec.provider.typo"]);
        assert_eq!(
            store["spec"],
            json!({"provider": {"service": "a"}, "free": {"any": {"thing": 1}}})
        );
    }

    #[test]
    fn absent_fields_take_their_defaults() {
        let mut store = json!({"spec": {"provider": {}}});
        apply_defaults(&secret_store(), &mut store);
        assert_eq!(store["spec"]["interval"], json!("1h"));
    }

    #[test]
    fn what_is_missing_or_not_allowed_is_found() {
        let faults = validate(&secret_store(), &json!({"spec": {"retries": 0}}));
        assert_eq!(faults.len(), 2, "{faults:?}");
        let faults = validate(&secret_store(), &json!({"spec": {"provider": {"service": "c"}}}));
        let expected = FieldFault::unsupported("spec.provider.service", &json!("c"), &["a", "b"]);
        assert_eq!(faults, [expected]);
    }

    use crate::status::FieldFault;
}
