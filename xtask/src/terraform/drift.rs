//! What changed in AWS behind Terraform's back, without the noise that every refresh brings.
//!
//! Decided from the plan's JSON and the provider's schema: the exit code of `plan -refresh-only` is 2
//! after every apply, because computed attributes and empty tags move on their own. What AWS alone
//! decides is no drift; what is ours as a set is compared as a set (`owned`).

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    owned::{self, Foreign},
    plan::{Change, Plan},
    schema::{Decided, Schema},
    state::State,
};

/// One resource that is not as Terraform left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Drifted {
    pub(crate) address: String,
    /// `deleted`, `changed` with the attributes, or `foreign` with the members that were added.
    pub(crate) what: What,
    /// Whether applying the plan takes it back. Else it stays as it is, and is recorded so.
    pub(crate) taken_back: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    Deleted,
    Changed(Vec<Attribute>),
    Foreign(Vec<Foreign>),
}

/// An attribute with its two values, shortened for people; sensitive ones show no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) recorded: String,
    pub(crate) found: String,
}

/// Attributes of which another resource of ours is the source: whoever changes them is found there.
/// Type, attribute, the other type, its attribute that names the first, and the first's own name.
const MIRRORS: [(&str, &str, &str, &str, &str); 12] = [
    ("aws_eip", "instance", "aws_nat_gateway", "allocation_id", "id"),
    ("aws_eip", "network_interface", "aws_nat_gateway", "allocation_id", "id"),
    ("aws_kms_key", "policy", "aws_kms_key_policy", "key_id", "id"),
    ("aws_s3_bucket", "cors_rule", "aws_s3_bucket_cors_configuration", "bucket", "id"),
    ("aws_s3_bucket", "grant", "aws_s3_bucket_ownership_controls", "bucket", "id"),
    ("aws_s3_bucket", "lifecycle_rule", "aws_s3_bucket_lifecycle_configuration", "bucket", "id"),
    ("aws_s3_bucket", "logging", "aws_s3_bucket_logging", "bucket", "id"),
    ("aws_s3_bucket", "policy", "aws_s3_bucket_policy", "bucket", "id"),
    (
        "aws_s3_bucket",
        "server_side_encryption_configuration",
        "aws_s3_bucket_server_side_encryption_configuration",
        "bucket",
        "id",
    ),
    ("aws_s3_bucket", "versioning", "aws_s3_bucket_versioning", "bucket", "id"),
    ("aws_sns_topic", "policy", "aws_sns_topic_policy", "arn", "arn"),
    ("aws_vpc_endpoint", "policy", "aws_vpc_endpoint_policy", "vpc_endpoint_id", "id"),
];

/// A change within bounds that somebody else is meant to make: from one value to the other.
type Bounds = fn(&Value, &Value) -> bool;

/// Attributes that the code sets and that move by themselves: type, JSON pointer, within what.
const BOUNDED: [(&str, &str, Bounds); 2] = [
    ("aws_db_instance", "/allocated_storage", storage_grew),
    ("aws_eks_node_group", "/scaling_config/0/desired_size", nodes_within_bounds),
];

/// RDS adds storage up to the limit, and never takes any away.
fn storage_grew(before: &Value, after: &Value) -> bool {
    let number = |value: &Value, name: &str| value[name].as_i64().unwrap_or_default();
    let found = number(after, "allocated_storage");
    number(before, "allocated_storage") <= found && found <= number(before, "max_allocated_storage")
}

/// The cluster autoscaler's job.
fn nodes_within_bounds(_: &Value, after: &Value) -> bool {
    let sizes = &after["scaling_config"][0];
    let number = |name: &str| sizes[name].as_i64().unwrap_or_default();
    (number("min_size")..=number("max_size")).contains(&number("desired_size"))
}

impl Plan {
    /// The drift that a person has to look at. Of what was just `applied`, by address, it does not
    /// hold what AWS may have computed meanwhile.
    pub(crate) fn drift(&self, schema: &Schema, applied: &BTreeSet<&str>) -> Vec<Drifted> {
        let beyond = self.changed(schema, Decided::WhereUnset);
        let is_noise = |found: &Drifted| {
            let address = &*found.address;
            applied.contains(address) && !beyond.iter().any(|one| one.address == address)
        };
        let mut found = self.changed(schema, Decided::Always);
        found.retain(|one| !is_noise(one));
        let foreign = owned::foreign(&self.prior_state).into_iter().map(|(address, foreign)| {
            Drifted { address, what: What::Foreign(foreign), taken_back: false }
        });
        found.into_iter().chain(foreign).collect()
    }

    /// Known without the provider's schema.
    pub(super) fn has_no_drift(&self) -> bool {
        self.resource_drift.is_empty() && owned::foreign(&self.prior_state).is_empty()
    }

    /// Resources that differ from what was recorded, beyond what was `decided` by AWS.
    fn changed(&self, schema: &Schema, decided: Decided) -> Vec<Drifted> {
        let managed = self.resource_drift.iter().filter(|change| change.mode != "data");
        let found = managed.filter_map(|change| {
            let what = what(change, schema, decided, &self.prior_state)?;
            let is_touched = |(_, deed): &(_, &Change)| deed.address == change.address;
            let taken_back = self.deeds().iter().any(is_touched);
            Some(Drifted { address: change.address.clone(), what, taken_back })
        });
        found.collect()
    }
}

impl Drifted {
    /// For people: what was changed, and what becomes of it.
    pub(crate) fn lines(&self) -> Vec<String> {
        let address = &self.address;
        let fate = if self.taken_back {
            "a deployment takes it back"
        } else {
            "a deployment leaves it so"
        };
        match &self.what {
            What::Deleted => vec![format!("`{address}` was deleted; {fate}")],
            What::Changed(attributes) => {
                let shown = |one: &Attribute| format!("{}: {} → {}", one.name, one.recorded, one.found);
                let all: Vec<_> = attributes.iter().map(shown).collect();
                vec![format!("`{address}` was changed ({}); {fate}", all.join("; "))]
            }
            What::Foreign(foreign) => foreign
                .iter()
                .map(|one| {
                    format!(
                        "`{address}` has what the code does not have ({}); a deployment leaves it so, take it away \
                         with: {}",
                        one.member, one.remedy
                    )
                })
                .collect(),
        }
    }
}

fn what(change: &Change, schema: &Schema, decided: Decided, state: &State) -> Option<What> {
    if change.change.actions.iter().any(|action| action == "delete") {
        return Some(What::Deleted);
    }
    let (before, mut after) = (change.change.before.clone(), change.change.after.clone());
    for (kind, pointer, within) in BOUNDED {
        if kind == change.kind
            && within(&before, &after)
            && let (Some(recorded), Some(found)) =
                (before.pointer(pointer), after.pointer_mut(pointer))
        {
            found.clone_from(recorded);
        }
    }
    let looked_at = |value: &Value| {
        let mut value = essential(&schema.without(&change.kind, decided, value));
        value.retain(|name, _| !is_elsewhere(&change.kind, name, &change.change.after, state));
        value
    };
    let (before, after) = (looked_at(&before), looked_at(&after));
    let masks = [&change.change.before_sensitive, &change.change.after_sensitive];
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let attributes: Vec<Attribute> = names
        .into_iter()
        .filter_map(|name| differing(name, before.get(name), after.get(name), masks))
        .collect();
    (!attributes.is_empty()).then_some(What::Changed(attributes))
}

/// Whether an attribute is looked at in another place: as a set, or in the resource that it mirrors.
fn is_elsewhere(kind: &str, name: &str, values: &Value, state: &State) -> bool {
    owned::SETS.contains(&(kind, name))
        || MIRRORS.iter().any(|(of, attribute, other, link, own)| {
            let mirrors = |source: &&super::state::Resource| {
                source.kind == *other
                    && source.values[*link].is_string()
                    && source.values[*link] == values[*own]
            };
            *of == kind && *attribute == name && state.managed().iter().any(mirrors)
        })
}

/// Without what is empty, at any depth: null, `{}`, `[]` and `""` are the same to AWS.
fn essential(value: &Value) -> Map<String, Value> {
    fn pruned(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let inner = map.iter().map(|(name, value)| (name.clone(), pruned(value)));
                inner.filter(|(_, value)| !is_empty(value)).collect()
            }
            Value::Array(items) => items.iter().map(pruned).collect(),
            _ => value.clone(),
        }
    }
    pruned(value).as_object().cloned().unwrap_or_default()
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
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::{Plan, Schema, What};

    /// As the provider has it, as far as the tests look at it.
    fn schema() -> Schema {
        let computed = json!({"computed": true});
        let either = json!({"computed": true, "optional": true});
        let resource = |attributes: Value| json!({"block": {"attributes": attributes}});
        let vpc_config = json!({"nesting_mode": "list", "block": {"attributes": {
            "cluster_security_group_id": computed, "security_group_ids": {"optional": true},
        }}});
        let text = json!({"provider_schemas": {"aws": {"resource_schemas": {
            "aws_db_instance": resource(json!({
                "latest_restorable_time": computed, "engine_version_actual": computed,
                "allocated_storage": either, "ca_cert_identifier": either,
            })),
            "aws_backup_vault": resource(json!({"recovery_points": computed})),
            "aws_eks_addon": resource(json!({"modified_at": computed, "addon_version": either})),
            "aws_eks_cluster": {"block": {"block_types": {"vpc_config": vpc_config}}},
        }}}});
        Schema::parse(&text.to_string()).unwrap()
    }

    fn plan(kind: &str, actions: &[&str], before: &Value, after: &Value) -> Plan {
        let json = json!({"resource_drift": [{
            "address": format!("{kind}.this"), "type": kind, "mode": "managed",
            "change": {"actions": actions, "before": before, "after": after},
        }]});
        Plan::parse(&json.to_string()).unwrap()
    }

    fn drift(kind: &str, actions: &[&str], before: &Value, after: &Value) -> Vec<super::Drifted> {
        found(&plan(kind, actions, before, after))
    }

    fn found(plan: &Plan) -> Vec<super::Drifted> {
        plan.drift(&schema(), &BTreeSet::new())
    }

    #[test]
    fn what_aws_alone_decides_is_no_drift_at_any_depth() {
        let quiet = |kind: &str, before: Value, after: Value| {
            let found = drift(kind, &["update"], &before, &after);
            assert!(found.is_empty(), "{found:?}");
        };
        quiet("aws_backup_vault", json!({"recovery_points": 1}), json!({"recovery_points": 2}));
        quiet("aws_eks_addon", json!({"modified_at": "a"}), json!({"modified_at": "b"}));
        quiet(
            "aws_db_instance",
            json!({"engine_version_actual": "17.4"}),
            json!({"engine_version_actual": "17.6"}),
        );
        quiet(
            "aws_eks_cluster",
            json!({"vpc_config": [{"cluster_security_group_id": "", "security_group_ids": null}]}),
            json!({"vpc_config": [{"cluster_security_group_id": "sg-1", "security_group_ids": []}]}),
        );
        let version = |text: &str| json!({"addon_version": text});
        assert_eq!(drift("aws_eks_addon", &["update"], &version("1"), &version("2")).len(), 1);
    }

    #[test]
    fn storage_may_grow_between_its_two_limits_only() {
        let storage = |gib: u64, limit: u64| json!({"allocated_storage": gib, "max_allocated_storage": limit});
        let drift = |before: Value, after: Value| {
            drift("aws_db_instance", &["update"], &before, &after).len()
        };
        assert_eq!(drift(storage(20, 100), storage(26, 100)), 0);
        assert_eq!(drift(storage(20, 100), storage(126, 100)), 1, "beyond the limit");
        assert_eq!(drift(storage(20, 100), storage(19, 100)), 1, "AWS never shrinks it");
        assert_eq!(drift(storage(20, 0), storage(26, 0)), 1, "no autoscaling");
        assert_eq!(drift(storage(20, 100), storage(26, 500)), 1, "the limit itself was moved");
    }

    #[test]
    fn only_what_aws_may_have_computed_is_taken_for_noise_right_after_an_apply() {
        let value = |ca: &str, tag: &str| json!({"ca_cert_identifier": ca, "tags": {"a": tag}});
        let count = |after: Value, applied: &str| {
            let plan = plan("aws_db_instance", &["update"], &value("old", "x"), &after);
            plan.drift(&schema(), &BTreeSet::from([applied])).len()
        };
        assert_eq!(count(value("new", "x"), "aws_db_instance.this"), 0);
        assert_eq!(count(value("new", "x"), "aws_db_instance.other"), 1, "not touched by us");
        assert_eq!(count(value("new", "y"), "aws_db_instance.this"), 1, "nobody computes a tag");
    }

    #[test]
    fn a_mirror_is_quiet_only_while_its_source_is_ours() {
        let bucket = |policy: &str| json!({"id": "b", "policy": policy});
        let count = |sources: Value| {
            let json = json!({
                "resource_drift": [{"address": "aws_s3_bucket.b", "type": "aws_s3_bucket", "mode": "managed",
                    "change": {"actions": ["update"], "before": bucket(""), "after": bucket("allow all")}}],
                "prior_state": {"values": {"root_module": {"resources": sources}}},
            });
            found(&Plan::parse(&json.to_string()).unwrap()).len()
        };
        let policy = |bucket: &str| json!([{"address": "p", "type": "aws_s3_bucket_policy", "mode": "managed", "values": {"bucket": bucket}}]);
        assert_eq!((count(policy("b")), count(policy("other")), count(json!([]))), (0, 1, 1));
    }

    #[test]
    fn a_rule_by_hand_is_found_although_it_was_recorded_long_ago() {
        let rule = json!({"protocol": "tcp", "from_port": 5432, "to_port": 5432, "cidr_blocks": ["0.0.0.0/0"]});
        let json = json!({"prior_state": {"values": {"root_module": {"resources": [{
            "address": "aws_security_group.db", "type": "aws_security_group", "mode": "managed",
            "values": {"id": "sg-1", "ingress": [rule]},
        }]}}}});
        let found = found(&Plan::parse(&json.to_string()).unwrap());
        let lines = found[0].lines().join("");
        assert!(
            lines.contains("tcp 5432 from 0.0.0.0/0")
                && lines.contains("revoke-security-group-ingress"),
            "{lines}"
        );
        assert!(!found[0].taken_back && !lines.contains("deployment takes it back"), "{lines}");
    }

    #[test]
    fn what_a_deployment_takes_back_is_told_from_what_it_leaves() {
        let mut json = json!({"resource_drift": [{
            "address": "x.this", "type": "x", "mode": "managed",
            "change": {"actions": ["update"], "before": {"size": 1}, "after": {"size": 2}},
        }]});
        let line =
            |json: &Value| found(&Plan::parse(&json.to_string()).unwrap())[0].lines().join("");
        assert_eq!(line(&json), "`x.this` was changed (size: 1 → 2); a deployment leaves it so");
        json["resource_changes"] = json!([{"address": "x.this", "type": "x", "mode": "managed", "change": {"actions": ["update"]}}]);
        assert!(line(&json).ends_with("; a deployment takes it back"), "{}", line(&json));
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
        let sizes = |desired: u8, max: u8| json!({"scaling_config": [{"desired_size": desired, "min_size": 1, "max_size": max}]});
        assert!(drift("aws_eks_node_group", &["update"], &sizes(2, 4), &sizes(3, 4)).is_empty());
        assert_eq!(drift("aws_eks_node_group", &["update"], &sizes(2, 4), &sizes(2, 20)).len(), 1);
        assert_eq!(drift("aws_eks_node_group", &["update"], &sizes(2, 4), &sizes(9, 4)).len(), 1);
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
        format!("{:?}", found(&Plan::parse(&json.to_string()).unwrap()))
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
