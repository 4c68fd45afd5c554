//! Which fields an object has.

use serde_json::Value;

use super::{
    path::{Element, Path},
    set::FieldSet,
};
use crate::schema::{ANY, Identity, List, Object, Schema, Shape, type_name};

/// The fields that a configuration sets, or what keeps it from fitting the schema, one sentence
/// each.
pub(crate) fn field_set(schema: &Schema, value: &Value) -> Result<FieldSet, Vec<String>> {
    let mut walk = Walk { set: FieldSet::default(), faults: Vec::new(), strict: true };
    walk.visit(schema, &Path::default(), value);
    if walk.faults.is_empty() { Ok(walk.set) } else { Err(walk.faults) }
}

/// The fields of an object that is stored already, whatever its shape.
pub(crate) fn lenient_field_set(schema: &Schema, value: &Value) -> FieldSet {
    let mut walk = Walk { set: FieldSet::default(), faults: Vec::new(), strict: false };
    walk.visit(schema, &Path::default(), value);
    walk.set
}

struct Walk {
    set: FieldSet,
    faults: Vec<String>,
    strict: bool,
}

impl Walk {
    fn visit(&mut self, schema: &Schema, path: &Path, value: &Value) {
        match (&schema.resolve().shape, value) {
            (Shape::Any, Value::Object(_)) => self.visit_object(&Object::anything(), path, value),
            (Shape::Object(object), Value::Object(_)) if !object.atomic => {
                self.visit_object(object, path, value);
            }
            (Shape::Object(object), Value::Object(map)) => {
                for name in map.keys().filter(|name| object.field(name).is_none()) {
                    self.undeclared(&path.with(Element::field(name)));
                }
                self.set.insert(path);
            }
            (Shape::List(list), Value::Array(items)) if list.identity != Identity::Atomic => {
                self.visit_items(list, path, items);
            }
            (Shape::Object(object), Value::Null) if !object.atomic => {}
            (Shape::List(list), Value::Null) if list.identity != Identity::Atomic => {}
            (shape, value) => {
                if self.strict && !value.is_null() {
                    self.faults.extend(misfit(shape, path, value));
                }
                self.set.insert(path);
            }
        }
    }

    fn visit_object(&mut self, object: &Object, path: &Path, value: &Value) {
        for (name, value) in value.as_object().into_iter().flatten() {
            let path = path.with(Element::field(name));
            let Some(schema) = object.field(name) else {
                self.undeclared(&path);
                continue;
            };
            self.visit(schema, &path, value);
            let empty = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
            if empty || !object.properties.contains_key(name) {
                self.set.insert(&path);
            }
        }
    }

    fn visit_items(&mut self, list: &List, path: &Path, items: &[Value]) {
        let mut seen = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let element = match Element::of_item(list, index, item) {
                Ok(element) => element,
                Err(fault) => {
                    self.faults.push(format!("{path}: element {index}: {fault}"));
                    continue;
                }
            };
            if seen.contains(&element) {
                self.faults.push(format!("{path}: duplicate entries for key {element}"));
                continue;
            }
            seen.push(element.clone());
            let path = path.with(element);
            self.visit(&list.items, &path, item);
            self.set.insert(&path);
        }
    }

    fn undeclared(&mut self, path: &Path) {
        if self.strict {
            self.faults.push(format!("{path}: field not declared in schema"));
        }
    }
}

fn misfit(shape: &Shape, path: &Path, value: &Value) -> Option<String> {
    let found = type_name(value);
    let wanted = match shape {
        Shape::Any => return None,
        Shape::Scalar(scalar) if scalar.accepts(value) => return None,
        Shape::List(_) if value.is_array() => return None,
        Shape::Scalar(crate::schema::Scalar::Integer | crate::schema::Scalar::Number) => {
            "numeric (int or float)"
        }
        Shape::Scalar(scalar) => scalar.name(),
        Shape::List(_) => "list",
        _ => "map",
    };
    let shown = match value {
        Value::String(text) => format!("{found}: {text}"),
        Value::Array(_) | Value::Object(_) => found.to_owned(),
        value => format!("{found}: {value}"),
    };
    Some(format!("{path}: expected {wanted}, got {shown}"))
}

impl Object {
    /// An object of whose fields nothing is known.
    pub(crate) fn anything() -> Self {
        Self { additional: Some(Box::new(ANY.clone())), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::builtin;

    fn fields(value: &Value) -> Value {
        field_set(builtin("io.k8s.api.apps.v1.Deployment"), value).unwrap().encode()
    }

    #[test]
    fn items_are_named_by_their_keys_and_defaults_count() {
        let deployment = json!({"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"containers": [
            {"name": "app", "ports": [{"containerPort": 8080}], "args": ["x"], "resources": {}}]}}}});
        assert_eq!(
            fields(&deployment),
            json!({"f:spec": {"f:selector": {}, "f:template": {"f:spec": {"f:containers": {
                r#"k:{"name":"app"}"#: {".": {}, "f:args": {}, "f:name": {}, "f:ports": {
                    r#"k:{"containerPort":8080,"protocol":"TCP"}"#: {".": {}, "f:containerPort": {}}},
                    "f:resources": {}}}}}}})
        );
    }

    #[test]
    fn map_keys_are_owned_one_by_one() {
        let fields = fields(&json!({"metadata": {"labels": {"a": "1", "b": "2"}}}));
        assert_eq!(fields, json!({"f:metadata": {"f:labels": {"f:a": {}, "f:b": {}}}}));
    }

    #[test]
    fn what_does_not_fit_is_said_in_the_words_of_a_real_server() {
        let deployment = json!({"spec": {"replicas": "2", "dta": 1, "template": {"spec": {"containers": [
            {"name": "a"}, {"name": "a"}]}}}});
        let faults = field_set(builtin("io.k8s.api.apps.v1.Deployment"), &deployment).unwrap_err();
        assert_eq!(
            faults,
            [
                ".spec.replicas: expected numeric (int or float), got string: 2",
                ".spec.dta: field not declared in schema",
                r#".spec.template.spec.containers: duplicate entries for key [name="a"]"#,
            ]
        );
    }
}
