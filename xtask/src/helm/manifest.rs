//! The objects of a manifest, as Helm applies them.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::config::yaml;

/// All objects of a text of YAML documents; the items of a list for the list.
pub(super) fn objects(text: &str) -> anyhow::Result<Vec<Value>> {
    let mut objects = Vec::new();
    for value in yaml::documents(text).context("failed to read a manifest")? {
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
pub(crate) fn objects_of(release: &str, namespace: &str, text: &str) -> anyhow::Result<Vec<Value>> {
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
        let text = "---\n# Source: a\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: {x: z}\n\
                    ---\n---\napiVersion: v1\nkind: List\nitems:\n- kind: Secret\n  metadata: {name: b, annotations: null}\n";
        let objects = objects_of("web", "supabase", text).unwrap();
        let names: Vec<_> = objects.iter().map(|it| it["metadata"]["name"].as_str()).collect();
        assert_eq!(names, [Some("a"), Some("b")]);
        assert_eq!(objects[0]["metadata"]["labels"]["x"], "z");
        for object in &objects {
            let metadata = &object["metadata"];
            assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], "Helm");
            assert_eq!(metadata["annotations"]["meta.helm.sh/release-name"], "web");
            assert_eq!(metadata["annotations"]["meta.helm.sh/release-namespace"], "supabase");
        }
        assert!(objects_of("web", "supabase", "kind: [").is_err());
    }

    /// Helm 4 sends YAML 1.1 to the API: `0644` is octal, `on` is true, the last of two keys counts.
    #[test]
    fn a_manifest_means_what_it_means_to_helm() {
        let text = "kind: Deployment\nmetadata: {name: a}\nspec:\n  defaultMode: 0644\n  paused: on\n  \
                    base: &b {y: 1}\n  more: {<<: *b, z: off}\n  replicas: 1\n  replicas: 2\n";
        let objects = super::objects(text).unwrap();
        let expected = serde_json::json!({
            "defaultMode": 420, "paused": true, "base": {"true": 1}, "more": {"true": 1, "z": false}, "replicas": 2,
        });
        assert_eq!(objects[0]["spec"], expected);
    }
}
