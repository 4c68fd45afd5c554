//! The objects of a manifest, as Helm applies them.

use anyhow::Context as _;
use serde::Deserialize as _;
use serde_json::{Value, json};

/// All objects of a text of YAML documents; the items of a list for the list.
pub(super) fn objects(text: &str) -> anyhow::Result<Vec<Value>> {
    let mut objects = Vec::new();
    for document in serde_norway::Deserializer::from_str(text) {
        let value = Value::deserialize(document).context("failed to read a manifest")?;
        match value {
            Value::Null => {}
            mut list if list["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) => {
                if let Some(items) = list["items"].as_array_mut() {
                    objects.append(items);
                }
            }
            object => objects.push(object),
        }
    }
    Ok(objects)
}

/// The same with the marks of ownership that Helm adds to what it applies and does not keep.
pub(super) fn objects_of(release: &str, namespace: &str, text: &str) -> anyhow::Result<Vec<Value>> {
    let mut objects = objects(text)?;
    for object in &mut objects {
        let metadata = &mut object["metadata"];
        metadata["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
        metadata["annotations"]["meta.helm.sh/release-name"] = json!(release);
        metadata["annotations"]["meta.helm.sh/release-namespace"] = json!(namespace);
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::objects_of;

    #[test]
    fn objects_carry_what_helm_adds_and_lists_are_taken_apart() {
        let text = "---\n# Source: a\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: {x: y}\n\
                    ---\n---\napiVersion: v1\nkind: List\nitems:\n- kind: Secret\n  metadata: {name: b, annotations: null}\n";
        let objects = objects_of("web", "supabase", text).unwrap();
        let names: Vec<_> = objects.iter().map(|it| it["metadata"]["name"].as_str()).collect();
        assert_eq!(names, [Some("a"), Some("b")]);
        assert_eq!(objects[0]["metadata"]["labels"]["x"], "y");
        for object in &objects {
            let metadata = &object["metadata"];
            assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], "Helm");
            assert_eq!(metadata["annotations"]["meta.helm.sh/release-name"], "web");
            assert_eq!(metadata["annotations"]["meta.helm.sh/release-namespace"], "supabase");
        }
        assert!(objects_of("web", "supabase", "kind: [").is_err());
    }
}
