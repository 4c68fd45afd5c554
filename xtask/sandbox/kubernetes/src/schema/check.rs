//! Decoding by schema: unknown fields go (and are reported), types are checked, empty things vanish
//! as they do when a real server decodes into structs; then validation of what must be there and
//! within bounds.

use serde_json::{Map, Value};

use super::{Limits, List, Object, Quantity, Scalar, Schema, Shape, type_name};
use crate::status::FieldFault;

/// What decoding found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Paths of fields that the schema does not have; they are gone from the object.
    pub(crate) unknown: Vec<String>,
    /// The first value of a wrong type, in the words of a JSON decoder.
    pub(crate) mistyped: Option<String>,
}

/// Decodes an object of a built-in kind in place.
pub(crate) fn check(schema: &Schema, kind: &str, value: &mut Value) -> Findings {
    let mut findings = Findings::default();
    Decoder { kind, findings: &mut findings }.decode(schema, "", value);
    findings
}

struct Decoder<'a> {
    kind: &'a str,
    findings: &'a mut Findings,
}

impl Decoder<'_> {
    fn decode(&mut self, schema: &Schema, path: &str, value: &mut Value) {
        match (&schema.resolve().shape, value) {
            (Shape::Object(object), Value::Object(map)) => self.decode_object(object, path, map),
            (Shape::List(list), Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.decode(&list.items, &format!("{path}[{index}]"), item);
                }
            }
            (Shape::Scalar(Scalar::Quantity), value @ (Value::Number(_) | Value::String(_))) => {
                self.decode_amount(value);
            }
            (Shape::Any, _) | (_, Value::Null) => {}
            (Shape::Scalar(scalar), value) if scalar.accepts(value) => {}
            (shape, value) => self.mistyped(shape, path, value),
        }
    }

    fn decode_amount(&mut self, value: &mut Value) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match Quantity::parse(&text) {
            Some(amount) => *value = Value::String(amount.canonical()),
            None => {
                let rule = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
                self.findings.mistyped.get_or_insert(rule.to_owned());
            }
        }
    }

    fn decode_object(&mut self, object: &Object, path: &str, map: &mut Map<String, Value>) {
        map.retain(|name, value| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let Some(schema) = object.field(name) else {
                self.findings.unknown.push(path);
                return false;
            };
            self.decode(schema, &path, value);
            !(value.is_null()
                || (is_empty_collection(schema, value) && !object.required.contains(name)))
        });
    }

    fn mistyped(&mut self, shape: &Shape, path: &str, value: &Value) {
        if self.findings.mistyped.is_some() {
            return;
        }
        let found = match value {
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            other => type_name(other),
        };
        let wanted = match shape {
            Shape::Scalar(scalar) => scalar.go_name(),
            Shape::List(_) => "[]interface {}",
            _ => "struct",
        };
        let field = format!("{}.{path}", self.kind);
        self.findings.mistyped = Some(format!(
            "json: cannot unmarshal {found} into Go struct field {field} of type {wanted}"
        ));
    }
}

/// Maps and lists without content are not written by a real server.
fn is_empty_collection(schema: &Schema, value: &Value) -> bool {
    match (&schema.resolve().shape, value) {
        (Shape::List(_), Value::Array(items)) => items.is_empty(),
        (Shape::Object(object), Value::Object(map)) => {
            map.is_empty() && object.properties.is_empty() && object.additional.is_some()
        }
        _ => false,
    }
}

impl Scalar {
    pub(crate) fn accepts(self, value: &Value) -> bool {
        let whole =
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0);
        match self {
            Self::String | Self::Bytes | Self::Time => value.is_string(),
            Self::Integer => whole,
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::IntOrString => whole || value.is_string(),
            Self::Quantity => value.is_number() || value.is_string(),
        }
    }

    /// What validation calls the type.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::String | Self::Bytes | Self::Time => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::IntOrString | Self::Quantity => "integer,string",
        }
    }

    fn go_name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Bytes => "[]uint8",
            Self::Time => "v1.Time",
            Self::Integer => "int32",
            Self::Number => "float64",
            Self::Boolean => "bool",
            Self::IntOrString => "intstr.IntOrString",
            Self::Quantity => "resource.Quantity",
        }
    }
}

/// What is missing, of a wrong type or out of bounds.
pub(crate) fn validate(schema: &Schema, value: &Value) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    validate_at(schema, "", value, &mut faults);
    faults
}

fn validate_at(schema: &Schema, path: &str, value: &Value, faults: &mut Vec<FieldFault>) {
    let resolved = schema.resolve();
    if value.is_null() && (schema.nullable || resolved.nullable) {
        return;
    }
    let wrong = |wanted: &str| {
        let detail = format!("{path} in body must be of type {wanted}: \"{}\"", type_name(value));
        FieldFault::wrong_type(path, type_name(value), &detail)
    };
    match (&resolved.shape, value) {
        (Shape::Object(object), Value::Object(map)) => validate_object(object, path, map, faults),
        (Shape::List(List { items, .. }), Value::Array(list)) => {
            for (index, item) in list.iter().enumerate() {
                validate_at(items, &format!("{path}[{index}]"), item, faults);
            }
        }
        (Shape::Object(_), _) => return faults.push(wrong("object")),
        (Shape::List(_), _) => return faults.push(wrong("array")),
        (Shape::Scalar(scalar), value) if !scalar.accepts(value) => {
            return faults.push(wrong(scalar.name()));
        }
        _ => {}
    }
    if let Some(limits) = &resolved.limits {
        faults.extend(limits.broken_by(path, value));
    }
}

fn validate_object(
    object: &Object,
    path: &str,
    map: &Map<String, Value>,
    faults: &mut Vec<FieldFault>,
) {
    let below =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for name in &object.required {
        if !map.contains_key(name) {
            faults.push(FieldFault::required(below(name), ""));
        }
    }
    for (name, value) in map {
        if let Some(schema) = object.field(name) {
            validate_at(schema, &below(name), value, faults);
        }
    }
}

impl Limits {
    fn broken_by(&self, path: &str, value: &Value) -> Option<FieldFault> {
        if !self.allowed.is_empty() && !self.allowed.contains(value) {
            let allowed: Vec<String> = self
                .allowed
                .iter()
                .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
                .collect();
            let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
            return Some(FieldFault::unsupported(path, value, &allowed));
        }
        let invalid =
            |detail: String| Some(FieldFault::invalid(path, value, &format!("{path} {detail}")));
        let below = |limit: Option<usize>, size: usize| limit.filter(|limit| size < *limit);
        let above = |limit: Option<usize>, size: usize| limit.filter(|limit| size > *limit);
        match value {
            Value::Number(number) => {
                let number = number.as_f64().unwrap_or_default();
                if let Some(minimum) = self.minimum.filter(|minimum| number < *minimum) {
                    return invalid(format!(
                        "in body should be greater than or equal to {minimum}"
                    ));
                }
                let maximum = self.maximum.filter(|maximum| number > *maximum)?;
                invalid(format!("in body should be less than or equal to {maximum}"))
            }
            Value::String(text) => {
                let length = text.chars().count();
                if let Some(limit) = below(self.min_length, length) {
                    return invalid(format!("in body should be at least {limit} chars long"));
                }
                let limit = above(self.max_length, length)?;
                invalid(format!("in body should be at most {limit} chars long"))
            }
            Value::Array(items) => {
                if let Some(limit) = below(self.min_items, items.len()) {
                    return invalid(format!("in body should have at least {limit} items"));
                }
                let limit = above(self.max_items, items.len())?;
                invalid(format!("in body should have at most {limit} items"))
            }
            Value::Object(map) => {
                if let Some(limit) = below(self.min_properties, map.len()) {
                    return invalid(format!("in body should have at least {limit} properties"));
                }
                let limit = above(self.max_properties, map.len())?;
                invalid(format!("in body should have at most {limit} properties"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::builtin;

    #[test]
    fn unknown_fields_are_reported_with_their_path_and_removed() {
        let mut pod =
            json!({"spec": {"containers": [{"name": "a", "imag": "x"}], "dnsPolicyy": "y"}});
        let findings = check(builtin("io.k8s.api.core.v1.Pod"), "Pod", &mut pod);
        assert_eq!(findings.unknown, ["spec.containers[0].imag", "spec.dnsPolicyy"]);
        assert_eq!(pod, json!({"spec": {"containers": [{"name": "a"}]}}));
    }

    #[test]
    fn text_where_a_number_belongs_is_named() {
        let mut deployment = json!({"spec": {"replicas": "2"}});
        let findings =
            check(builtin("io.k8s.api.apps.v1.Deployment"), "Deployment", &mut deployment);
        assert_eq!(
            findings.mistyped.as_deref(),
            Some(
                "json: cannot unmarshal string into Go struct field Deployment.spec.replicas of type int32"
            )
        );
    }

    #[test]
    fn nulls_and_empty_maps_vanish_but_empty_structs_stay() {
        let mut pod = json!({"metadata": {"labels": {}, "annotations": null},
            "spec": {"volumes": [{"name": "v", "emptyDir": {}}], "containers": [], "nodeSelector": {}}});
        check(builtin("io.k8s.api.core.v1.Pod"), "Pod", &mut pod);
        assert_eq!(
            pod,
            json!({"metadata": {}, "spec": {"volumes": [{"name": "v", "emptyDir": {}}], "containers": []}})
        );
    }

    #[test]
    fn amounts_become_text_in_canonical_form() {
        let mut claim = json!({"spec": {"resources": {"requests": {"storage": 5}}}});
        check(
            builtin("io.k8s.api.core.v1.PersistentVolumeClaim"),
            "PersistentVolumeClaim",
            &mut claim,
        );
        assert_eq!(claim["spec"]["resources"]["requests"]["storage"], json!("5"));
        claim["spec"]["resources"]["requests"]["storage"] = json!("a lot");
        let findings = check(
            builtin("io.k8s.api.core.v1.PersistentVolumeClaim"),
            "PersistentVolumeClaim",
            &mut claim,
        );
        assert!(findings.mistyped.unwrap().starts_with("quantities must match"));
    }
}
