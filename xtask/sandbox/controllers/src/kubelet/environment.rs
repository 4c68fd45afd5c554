//! The environment of a container, as the kubelet puts it together.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVar, EnvVarSource, Pod, Secret};
use kube::ResourceExt;

/// Where references to Secrets and ConfigMaps are looked up.
pub(crate) trait References {
    fn secret(&self, name: &str) -> Option<std::sync::Arc<Secret>>;
    fn config_map(&self, name: &str) -> Option<std::sync::Arc<ConfigMap>>;
}

/// The resolved environment, in no order; the error is the kubelet's own message.
pub(crate) fn resolve(
    container: &Container,
    pod: &Pod,
    references: &impl References,
) -> Result<BTreeMap<String, String>, String> {
    let namespace = pod.namespace().unwrap_or_default();
    let mut env = BTreeMap::new();
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        if let Some(reference) = &source.config_map_ref {
            match references.config_map(&reference.name) {
                Some(map) => env.extend(
                    map.data
                        .iter()
                        .flatten()
                        .map(|(key, value)| (format!("{prefix}{key}"), value.clone())),
                ),
                None if reference.optional == Some(true) => {}
                None => return Err(format!("configmap \"{}\" not found", reference.name)),
            }
        }
        if let Some(reference) = &source.secret_ref {
            match references.secret(&reference.name) {
                Some(secret) => env.extend(
                    secret
                        .data
                        .iter()
                        .flatten()
                        .map(|(key, value)| (format!("{prefix}{key}"), text(value))),
                ),
                None if reference.optional == Some(true) => {}
                None => return Err(format!("secret \"{}\" not found", reference.name)),
            }
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match &variable.value_from {
            Some(source) => from_source(variable, source, container, pod, &namespace, references)?,
            None => Some(expand(variable.value.as_deref().unwrap_or_default(), &env)),
        };
        if let Some(value) = value {
            env.insert(variable.name.clone(), value);
        }
    }
    Ok(env)
}

fn from_source(
    variable: &EnvVar,
    source: &EnvVarSource,
    container: &Container,
    pod: &Pod,
    namespace: &str,
    references: &impl References,
) -> Result<Option<String>, String> {
    if let Some(selector) = &source.secret_key_ref {
        let optional = selector.optional == Some(true);
        let Some(secret) = references.secret(&selector.name) else {
            return missing(optional, format!("secret \"{}\" not found", selector.name));
        };
        return match secret.data.iter().flatten().find(|(key, _)| **key == selector.key) {
            Some((_, value)) => Ok(Some(text(value))),
            None => missing(
                optional,
                format!(
                    "couldn't find key {} in Secret {namespace}/{}",
                    selector.key, selector.name
                ),
            ),
        };
    }
    if let Some(selector) = &source.config_map_key_ref {
        let optional = selector.optional == Some(true);
        let Some(map) = references.config_map(&selector.name) else {
            return missing(optional, format!("configmap \"{}\" not found", selector.name));
        };
        return match map.data.iter().flatten().find(|(key, _)| **key == selector.key) {
            Some((_, value)) => Ok(Some(value.clone())),
            None => missing(
                optional,
                format!(
                    "couldn't find key {} in ConfigMap {namespace}/{}",
                    selector.key, selector.name
                ),
            ),
        };
    }
    if let Some(field) = &source.field_ref {
        return pod_field(pod, &field.field_path)
            .map(Some)
            .ok_or_else(|| format!("unsupported fieldPath: {}", field.field_path));
    }
    if let Some(resource) = &source.resource_field_ref {
        let resources = container.resources.clone().unwrap_or_default();
        let (kind, name) = resource.resource.split_once('.').unwrap_or_default();
        let quantities = if kind == "limits" { resources.limits } else { resources.requests };
        let quantity = quantities.and_then(|quantities| quantities.get(name).cloned());
        return Ok(Some(quantity.map_or_else(|| "0".to_owned(), |quantity| quantity.0)));
    }
    Err(format!("variable {} has an unsupported source", variable.name))
}

fn missing(optional: bool, message: String) -> Result<Option<String>, String> {
    if optional { Ok(None) } else { Err(message) }
}

fn text(value: &ByteString) -> String {
    String::from_utf8_lossy(&value.0).into_owned()
}

/// A field of the Pod, as the downward API names it.
pub(crate) fn pod_field(pod: &Pod, path: &str) -> Option<String> {
    let spec = pod.spec.as_ref();
    let status = pod.status.as_ref();
    let quoted = |prefix: &str| Some(path.strip_prefix(prefix)?.strip_suffix("']")?.to_owned());
    if let Some(key) = quoted("metadata.labels['") {
        return Some(pod.labels().get(&key).cloned().unwrap_or_default());
    }
    if let Some(key) = quoted("metadata.annotations['") {
        return Some(pod.annotations().get(&key).cloned().unwrap_or_default());
    }
    Some(match path {
        "metadata.name" => pod.name_any(),
        "metadata.namespace" => pod.namespace().unwrap_or_default(),
        "metadata.uid" => pod.uid().unwrap_or_default(),
        "spec.nodeName" => spec?.node_name.clone().unwrap_or_default(),
        "spec.serviceAccountName" => spec?.service_account_name.clone().unwrap_or_default(),
        "status.podIP" | "status.podIPs" => status?.pod_ip.clone().unwrap_or_default(),
        "status.hostIP" | "status.hostIPs" => status?.host_ip.clone().unwrap_or_default(),
        _ => return None,
    })
}

/// Replaces `$(NAME)` by the value of an earlier variable; `$$` is a dollar sign, and an unknown
/// name stays as it is written.
pub(crate) fn expand(text: &str, env: &BTreeMap<String, String>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("$$") {
            result.push('$');
            rest = after;
            continue;
        }
        let name = rest.strip_prefix("$(").and_then(|inner| Some(&inner[..inner.find(')')?]));
        match name {
            Some(name) => {
                let whole = &rest[..name.len() + 3];
                result.push_str(env.get(name).map_or(whole, String::as_str));
                rest = &rest[whole.len()..];
            }
            None => {
                result.push('$');
                rest = &rest[1..];
            }
        }
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    struct Fixed;

    impl References for Fixed {
        fn secret(&self, name: &str) -> Option<Arc<Secret>> {
            let data = [("password".to_owned(), ByteString(b"hunter2".to_vec()))].into();
            (name == "database").then(|| Arc::new(Secret { data: Some(data), ..Secret::default() }))
        }

        fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>> {
            let data = [("host".to_owned(), "db".to_owned())].into();
            (name == "settings")
                .then(|| Arc::new(ConfigMap { data: Some(data), ..ConfigMap::default() }))
        }
    }

    fn resolved(env: serde_json::Value) -> Result<BTreeMap<String, String>, String> {
        let container = serde_json::from_value(json!({"name": "c", "env": env})).unwrap();
        let pod = json!({"metadata": {"name": "p", "namespace": "supabase"}, "status": {"podIP": "10.0.1.2"}});
        resolve(&container, &serde_json::from_value(pod).unwrap(), &Fixed)
    }

    #[test]
    fn values_come_from_secrets_config_maps_fields_and_each_other() {
        let env = resolved(json!([
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}},
            {"name": "HOST", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "host"}}},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "URL", "value": "postgres://me:$(PASSWORD)@$(HOST)/$(LATER)$$(HOST)"},
        ]))
        .unwrap();
        assert_eq!(env["URL"], "postgres://me:hunter2@db/$(LATER)$(HOST)");
        assert_eq!(env["IP"], "10.0.1.2");
    }

    #[test]
    fn what_is_missing_is_named_as_the_kubelet_names_it() {
        let secret = |name: &str, key: &str| json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}]);
        assert_eq!(resolved(secret("none", "k")).unwrap_err(), "secret \"none\" not found");
        assert_eq!(
            resolved(secret("database", "user")).unwrap_err(),
            "couldn't find key user in Secret supabase/database"
        );
    }

    proptest! {
        #[test]
        fn expansion_takes_any_text(text in ".*") {
            let env = [("A".to_owned(), "1".to_owned())].into();
            let expanded = expand(&text, &env);
            if !text.contains('$') {
                prop_assert_eq!(expanded, text);
            }
        }
    }
}
