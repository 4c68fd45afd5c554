//! Names, labels and the other things that every kind's metadata has to obey.

use serde_json::{Value, json};

use crate::{
    resources::Resource,
    status::FieldFault,
    value::{at, list, text},
};

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED_NAME: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// The most bytes that all annotations of an object take.
const MOST_ANNOTATIONS: usize = 256 * 1024;

/// Checks name, labels, annotations and finalizers.
pub(crate) fn check_metadata(resource: &Resource, object: &Value) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    faults.extend(check_name(resource, text(object, "metadata.name")));
    faults.extend(check_labels("metadata.labels", at(object, "metadata.labels")));
    let annotations = at(object, "metadata.annotations").as_object();
    for (key, _) in annotations.into_iter().flatten() {
        if !is_qualified_name(&key.to_lowercase()) {
            faults.push(FieldFault::invalid("metadata.annotations", &json!(key), QUALIFIED_NAME));
        }
    }
    let size: usize = annotations
        .into_iter()
        .flatten()
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if size > MOST_ANNOTATIONS {
        let detail = format!("may not be more than {MOST_ANNOTATIONS} bytes");
        faults.push(FieldFault::too_long("metadata.annotations", &detail));
    }
    for finalizer in list(object, "metadata.finalizers").iter().filter_map(Value::as_str) {
        if !is_qualified_name(finalizer) {
            faults.push(FieldFault::invalid(
                "metadata.finalizers",
                &json!(finalizer),
                QUALIFIED_NAME,
            ));
        }
    }
    faults
}

fn check_name(resource: &Resource, name: &str) -> Option<FieldFault> {
    if name.is_empty() {
        return Some(FieldFault::required("metadata.name", "name or generateName is required"));
    }
    let (valid, rule) = match resource.kind.as_str() {
        "Namespace" => (is_label(name), LABEL),
        "Service" if !resource.custom => {
            (is_label(name) && !name.starts_with(|c: char| c.is_ascii_digit()), LABEL_1035)
        }
        _ if resource.group == "rbac.authorization.k8s.io" => {
            let valid = !matches!(name, "." | "..") && !name.contains(['/', '%']);
            (valid, "may not be '.' or '..' and may not contain '/' or '%'")
        }
        _ => (is_subdomain(name), SUBDOMAIN),
    };
    (!valid).then(|| FieldFault::invalid("metadata.name", &json!(name), rule))
}

/// Checks a map of labels at a path.
pub(super) fn check_labels(path: &str, labels: &Value) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    for (key, value) in labels.as_object().into_iter().flatten() {
        if !is_qualified_name(key) {
            faults.push(FieldFault::invalid(path, &json!(key), QUALIFIED_NAME));
        }
        let text = value.as_str().unwrap_or_default();
        if text.len() > 63 {
            faults.push(FieldFault::invalid(path, value, "must be no more than 63 bytes"));
        } else if !text.is_empty() && !is_name_part(text) {
            faults.push(FieldFault::invalid(path, value, LABEL_VALUE));
        }
    }
    faults
}

fn is_label(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len())
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

pub(super) fn is_subdomain(name: &str) -> bool {
    // Unlike in DNS, a part of a name may be as long as the name.
    let part = |part: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !part.is_empty()
            && part.chars().all(inner)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(part)
}

fn is_name_part(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    name.len() <= 63
        && name.chars().all(inner)
        && edge(name.chars().next())
        && edge(name.chars().last())
}

fn is_qualified_name(name: &str) -> bool {
    match name.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_name_part(name),
        None => is_name_part(name),
    }
}

/// Whether a key may be in a ConfigMap or Secret.
pub(super) fn is_data_key(key: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=253).contains(&key.len()) && key.chars().all(inner) && !matches!(key, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_by_their_kind_of_rule() {
        assert!(
            is_subdomain("external-secrets.io") && is_label("web-1") && is_data_key("init.sql")
        );
        assert!(
            !is_subdomain("Web") && !is_subdomain("a..b") && !is_label("-a") && !is_label("a.b")
        );
        assert!(is_qualified_name("app.kubernetes.io/name") && is_qualified_name("App_1"));
        assert!(!is_qualified_name("/name") && !is_qualified_name("a/b/c") && !is_data_key("a b"));
    }

    #[test]
    fn label_values_with_spaces_are_refused() {
        let faults =
            check_labels("metadata.labels", &json!({"a": "b c", "ok": "", "also": "A.b_c-1"}));
        assert_eq!(faults.len(), 1);
    }
}
