//! Label selectors.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};

/// Whether `labels` has every pair of `wanted`.
pub(crate) fn contains(
    labels: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Whether `selector` accepts `labels`; a malformed one accepts nothing.
pub(crate) fn matches(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_selector_accepts_all_and_a_malformed_one_nothing() {
        let labels = [("app".to_owned(), "rest".to_owned())].into();
        let selector = |json| serde_json::from_value::<LabelSelector>(json).unwrap();
        assert!(matches(&LabelSelector::default(), &labels));
        assert!(matches(&selector(serde_json::json!({"matchLabels": {"app": "rest"}})), &labels));
        assert!(!matches(&selector(serde_json::json!({"matchLabels": {"app": "auth"}})), &labels));
        let expressions = serde_json::json!({"matchExpressions": [
            {"key": "app", "operator": "In", "values": ["rest", "auth"]}
        ]});
        assert!(matches(&selector(expressions), &labels));
        let malformed =
            serde_json::json!({"matchExpressions": [{"key": "app", "operator": "Like"}]});
        assert!(!matches(&selector(malformed), &labels));
    }
}
