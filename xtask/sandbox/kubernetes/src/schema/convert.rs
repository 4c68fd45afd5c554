//! From an OpenAPI v3 schema, as JSON, to [`Schema`].

use serde_json::{Map, Value};

use super::{Identity, Limits, List, Merge, Object, Scalar, Schema, Shape};

/// Where built-in types live in an OpenAPI document.
pub(crate) const DEFINITIONS: &str = "#/components/schemas/";

/// Types that the API treats as opaque although their OpenAPI says `object`.
const OPAQUE: [&str; 7] = [
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Patch",
    "io.k8s.apimachinery.pkg.runtime.RawExtension",
];

/// Reads one schema; what it does not know, it lets pass.
pub(crate) fn from_openapi(document: &Value) -> Schema {
    let Some(map) = document.as_object() else { return Schema::of(Shape::Any) };
    Schema {
        shape: shape(map),
        nullable: flag(map, "nullable"),
        default: map.get("default").cloned(),
        limits: limits(map),
        merge: merge(map),
    }
}

fn shape(map: &Map<String, Value>) -> Shape {
    if let Some(name) = reference(map) {
        return match name {
            "io.k8s.apimachinery.pkg.api.resource.Quantity" => Shape::Scalar(Scalar::Quantity),
            _ if OPAQUE.contains(&name) => Shape::Any,
            _ => Shape::Reference(name.to_owned()),
        };
    }
    if flag(map, "x-kubernetes-int-or-string") {
        return Shape::Scalar(Scalar::IntOrString);
    }
    let format = map.get("format").and_then(Value::as_str).unwrap_or_default();
    match map.get("type").and_then(Value::as_str).unwrap_or_default() {
        "string" => Shape::Scalar(match format {
            "byte" => Scalar::Bytes,
            "date-time" => Scalar::Time,
            "int-or-string" => Scalar::IntOrString,
            _ => Scalar::String,
        }),
        "integer" => Shape::Scalar(Scalar::Integer),
        "number" => Shape::Scalar(Scalar::Number),
        "boolean" => Shape::Scalar(Scalar::Boolean),
        "array" => Shape::List(list(map)),
        "object" => object(map),
        _ if map.contains_key("properties") => object(map),
        _ => Shape::Any,
    }
}

fn reference(map: &Map<String, Value>) -> Option<&str> {
    let direct = map.get("$ref");
    let wrapped = || match map.get("allOf")?.as_array()?.as_slice() {
        [one] => one.get("$ref"),
        _ => None,
    };
    direct.or_else(wrapped)?.as_str()?.strip_prefix(DEFINITIONS)
}

fn object(map: &Map<String, Value>) -> Shape {
    let properties = map.get("properties").and_then(Value::as_object);
    let preserve_unknown = flag(map, "x-kubernetes-preserve-unknown-fields");
    let additional = match map.get("additionalProperties") {
        Some(Value::Bool(false)) | None => None,
        Some(schema) => Some(Box::new(from_openapi(schema))),
    };
    let embedded = flag(map, "x-kubernetes-embedded-resource");
    let mut object = Object {
        properties: properties
            .into_iter()
            .flatten()
            .map(|(name, schema)| (name.clone(), from_openapi(schema)))
            .collect(),
        additional,
        required: strings(map, "required"),
        atomic: map.get("x-kubernetes-map-type").and_then(Value::as_str) == Some("atomic"),
        preserve_unknown,
    };
    if embedded {
        for name in ["apiVersion", "kind"] {
            object.properties.insert(name.into(), Schema::of(Shape::Scalar(Scalar::String)));
        }
        object.properties.insert("metadata".into(), object_meta());
    }
    Shape::Object(object)
}

/// The schema of every object's `metadata`.
pub(super) fn object_meta() -> Schema {
    Schema::of(Shape::Reference("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta".into()))
}

fn list(map: &Map<String, Value>) -> List {
    let identity = match map.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => Identity::Set,
        Some("map") => Identity::Keys(strings(map, "x-kubernetes-list-map-keys")),
        _ => Identity::Atomic,
    };
    List { items: Box::new(map.get("items").map(from_openapi).unwrap_or_default()), identity }
}

fn merge(map: &Map<String, Value>) -> Merge {
    let strategy =
        map.get("x-kubernetes-patch-strategy").and_then(Value::as_str).unwrap_or_default();
    let key = map.get("x-kubernetes-patch-merge-key").and_then(Value::as_str);
    Merge { lists: strategy.split(',').any(|one| one == "merge"), key: key.map(str::to_owned) }
}

fn limits(map: &Map<String, Value>) -> Option<Box<Limits>> {
    let number = |key: &str| map.get(key).and_then(Value::as_f64);
    let count = |key: &str| {
        map.get(key).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok())
    };
    let limits = Limits {
        allowed: map.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
        minimum: number("minimum"),
        maximum: number("maximum"),
        min_length: count("minLength"),
        max_length: count("maxLength"),
        min_items: count("minItems"),
        max_items: count("maxItems"),
        min_properties: count("minProperties"),
        max_properties: count("maxProperties"),
    };
    let bounds = [
        limits.min_length,
        limits.max_length,
        limits.min_items,
        limits.max_items,
        limits.min_properties,
        limits.max_properties,
    ];
    let bounded = !limits.allowed.is_empty()
        || limits.minimum.is_some()
        || limits.maximum.is_some()
        || bounds.iter().any(Option::is_some);
    bounded.then(|| Box::new(limits))
}

fn flag(map: &Map<String, Value>, key: &str) -> bool {
    map.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn strings(map: &Map<String, Value>, key: &str) -> Vec<String> {
    let items = map.get(key).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}
