//! Where two states of one object differ.

use std::collections::BTreeSet;

use serde_json::Value;

/// What the server keeps for itself.
const BOOKKEEPING: [&str; 4] = ["managedFields", "resourceVersion", "generation", "uid"];

/// The paths at which they differ: `spec.template.spec.containers[meta].image`.
pub(super) fn fields(before: &Value, after: &Value) -> Vec<String> {
    let (before, after) = (bare(before), bare(after));
    let mut found = Vec::new();
    collect(Some(&before), Some(&after), "", &mut found);
    found
}

fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|name, _| !BOOKKEEPING.contains(&name.as_str()));
    }
    object
}

fn collect(before: Option<&Value>, after: Option<&Value>, path: &str, found: &mut Vec<String>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(before.get(name), after.get(name), &path, found);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                let name = after["name"].as_str().filter(|name| before["name"] == **name);
                let key = name.map_or_else(|| index.to_string(), str::to_owned);
                collect(Some(before), Some(after), &format!("{path}[{key}]"), found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::fields;

    #[test]
    fn a_difference_is_named_by_its_path_and_not_by_its_value() {
        let object = |image: &str, port: u16, extra: bool| {
            json!({
                "metadata": { "name": "meta", "resourceVersion": image, "labels": if extra { json!({ "a": "b" }) } else { json!({}) } },
                "spec": { "containers": [{ "name": "meta", "image": image }], "ports": [{ "port": port }], "list": if extra { json!([1]) } else { json!([]) } },
                "status": { "image": image },
            })
        };
        let before = object("a:1", 80, true);
        assert!(fields(&before, &before).is_empty());
        assert_eq!(
            fields(&before, &object("a:2", 81, false)),
            ["metadata.labels.a", "spec.containers[meta].image", "spec.list", "spec.ports[0].port"]
        );
    }
}
