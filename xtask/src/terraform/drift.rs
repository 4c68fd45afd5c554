//! What changed in AWS behind Terraform's back, without the noise that every refresh brings.
//!
//! Decided from the plan's JSON: the exit code of `plan -refresh-only` is 2 after every apply,
//! because computed attributes and empty tags move on their own.

use serde::Serialize;
use serde_json::{Map, Value};

use super::plan::{Change, Plan};

/// One resource that is not as Terraform left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Drifted {
    pub(crate) address: String,
    /// `deleted`, or `changed` with the attributes.
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    Deleted,
    Changed(Vec<Attribute>),
}

/// An attribute with its two values, shortened for people; sensitive ones show no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) recorded: String,
    pub(crate) found: String,
}

/// Attributes that move without anybody doing anything: resource type, JSON pointer, reason.
const NOISE: [(&str, &str, &str); 6] = [
    ("aws_db_instance", "/latest_restorable_time", "moves every five minutes"),
    ("aws_db_instance", "/replicas", "back-reference that the replica sets"),
    ("aws_eks_cluster", "/platform_version", "AWS rolls it out"),
    ("aws_eks_node_group", "/scaling_config/0/desired_size", "the autoscaler's job"),
    ("aws_iam_policy", "/attachment_count", "counts the attachments that Terraform makes itself"),
    ("aws_vpc", "/main_route_table_id", "computed"),
];

impl Plan {
    /// The drift that a person has to look at.
    pub(crate) fn drift(&self) -> Vec<Drifted> {
        self.resource_drift
            .iter()
            .filter(|change| change.mode != "data")
            .filter_map(drifted)
            .collect()
    }
}

fn drifted(change: &Change) -> Option<Drifted> {
    let address = change.address.clone();
    if change.change.actions.iter().any(|action| action == "delete") {
        return Some(Drifted { address, what: What::Deleted });
    }
    let before = without_noise(&change.kind, &change.change.before);
    let after = without_noise(&change.kind, &change.change.after);
    let masks = [&change.change.before_sensitive, &change.change.after_sensitive];
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let attributes: Vec<Attribute> = names
        .into_iter()
        .filter_map(|name| differing(name, before.get(name), after.get(name), masks))
        .collect();
    if attributes.is_empty() {
        None
    } else {
        Some(Drifted { address, what: What::Changed(attributes) })
    }
}

fn without_noise(kind: &str, value: &Value) -> Map<String, Value> {
    let mut value = value.clone();
    for (_, pointer, _) in NOISE.iter().filter(|(of, ..)| *of == kind) {
        let Some((parent, name)) = pointer.rsplit_once('/') else { continue };
        if let Some(map) = value.pointer_mut(parent).and_then(Value::as_object_mut) {
            map.remove(name);
        }
    }
    value.as_object().cloned().unwrap_or_default()
}

fn differing(
    name: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    masks: [&Value; 2],
) -> Option<Attribute> {
    let (before, after) = (before.unwrap_or(&Value::Null), after.unwrap_or(&Value::Null));
    if before == after || (is_empty(before) && is_empty(after)) {
        return None;
    }
    Some(Attribute {
        name: name.to_owned(),
        recorded: short(name, before, masks),
        found: short(name, after, masks),
    })
}

/// The value without what one of the masks calls sensitive, however deep it lies. Both count for
/// both values: what is sensitive now was so before.
fn masked(value: &Value, masks: [&Value; 2]) -> Value {
    if masks.iter().any(|mask| **mask == Value::Bool(true)) {
        return Value::from(HIDDEN);
    }
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), masked(value, masks.map(|mask| &mask[key]))))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, value)| masked(value, masks.map(|mask| &mask[index])))
            .collect(),
        _ => value.clone(),
    }
}

/// Null, `{}`, `[]` and `""` are the same to AWS.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

const HIDDEN: &str = "(not shown)";

fn short(name: &str, value: &Value, masks: [&Value; 2]) -> String {
    const LONGEST: usize = 120;
    let shown = masked(value, masks.map(|mask| if mask.is_object() { &mask[name] } else { mask }));
    let is_named_so =
        ["password", "secret", "token", "private_key"].iter().any(|word| name.contains(word));
    if is_named_so || shown == HIDDEN {
        return HIDDEN.to_owned();
    }
    let text = shown.to_string();
    if text.chars().count() <= LONGEST {
        return text;
    }
    let cut: String = text.chars().take(LONGEST).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Plan, What};

    fn drift(kind: &str, actions: &[&str], before: &Value, after: &Value) -> Vec<super::Drifted> {
        let json = json!({"resource_drift": [{
            "address": format!("{kind}.this"), "type": kind, "mode": "managed",
            "change": {"actions": actions, "before": before, "after": after},
        }]});
        Plan::parse(&json.to_string()).unwrap().drift()
    }

    #[test]
    fn noise_is_not_drift() {
        assert!(
            drift(
                "aws_db_instance",
                &["update"],
                &json!({"latest_restorable_time": "a", "tags": null}),
                &json!({"latest_restorable_time": "b", "tags": {}}),
            )
            .is_empty()
        );
    }

    #[test]
    fn a_real_change_shows_its_attribute_only() {
        let found = drift(
            "aws_s3_bucket_versioning",
            &["update"],
            &json!({"id": "b", "versioning_configuration": [{"status": "Enabled"}]}),
            &json!({"id": "b", "versioning_configuration": [{"status": "Suspended"}]}),
        );
        let What::Changed(attributes) = &found[0].what else { panic!("{found:?}") };
        assert_eq!(attributes.len(), 1);
        assert_eq!(attributes[0].name, "versioning_configuration");
        assert!(attributes[0].found.contains("Suspended"));
    }

    #[test]
    fn the_autoscaler_may_move_the_size_but_nobody_the_bounds() {
        let sizes = |desired: u8, max: u8| json!({"scaling_config": [{"desired_size": desired, "max_size": max}]});
        assert!(drift("aws_eks_node_group", &["update"], &sizes(2, 4), &sizes(3, 4)).is_empty());
        assert_eq!(drift("aws_eks_node_group", &["update"], &sizes(2, 4), &sizes(2, 20)).len(), 1);
    }

    #[test]
    fn something_deleted_is_named() {
        let found =
            drift("aws_cloudwatch_metric_alarm", &["delete"], &json!({"id": "a"}), &Value::Null);
        assert_eq!(found[0].what, What::Deleted);
    }

    #[test]
    fn a_secret_value_is_never_shown() {
        let found = drift(
            "x",
            &["update"],
            &json!({"master_password": "canary"}),
            &json!({"master_password": "other"}),
        );
        assert!(!format!("{found:?}").contains("canary"));
    }

    /// As `drift`, with the masks of what is sensitive.
    fn told(before: &Value, after: &Value, masks: [&Value; 2]) -> String {
        let json = json!({"resource_drift": [{
            "address": "x.this", "type": "x", "mode": "managed",
            "change": {
                "actions": ["update"], "before": before, "after": after,
                "before_sensitive": masks[0], "after_sensitive": masks[1],
            },
        }]});
        format!("{:?}", Plan::parse(&json.to_string()).unwrap().drift())
    }

    #[test]
    fn a_sensitive_value_is_hidden_whatever_its_name() {
        let (before, after) = (json!({"content": "canary"}), json!({"content": "canary 2"}));
        for masks in [
            [&json!({"content": true}), &json!({})],
            [&json!({}), &json!({"content": true})],
            [&json!(true), &json!(false)],
        ] {
            let told = told(&before, &after, masks);
            assert!(told.contains("content") && !told.contains("canary"), "{told}");
        }
    }

    #[test]
    fn a_nested_sensitive_value_is_hidden_and_its_neighbours_are_shown() {
        let part = |inner: &str| json!({"part": [{"size": 1}, {"open": "shown", "inner": inner}]});
        let mask = json!({"part": [{}, {"inner": true}]});
        let told = told(&part("canary"), &part("canary 2"), [&json!(false), &mask]);
        assert!(told.contains("shown") && !told.contains("canary"), "{told}");
    }

    proptest::proptest! {
        /// The same values before and after are never drift, whatever they are.
        #[test]
        fn equal_values_never_drift(text in "\\PC*", number: i64) {
            let value = json!({"text": text, "number": number});
            proptest::prop_assert!(drift("any", &["update"], &value, &value).is_empty());
        }
    }
}
