//! Laws of server-side apply, over random configurations of a Deployment.

use proptest::{collection::btree_map, option, prelude::*, sample::subsequence};
use serde_json::{Value, json};

use super::*;
use crate::schema::{Schema, builtin};

fn schema() -> &'static Schema {
    builtin("io.k8s.api.apps.v1.Deployment")
}

fn by(manager: &str) -> Ownership<'_> {
    Ownership {
        schema: schema(),
        manager,
        api_version: "apps/v1",
        subresource: "",
        now: "2026-01-01T00:00:00Z",
        has_status: true,
    }
}

fn applied(manager: &str, live: &Value, config: &Value, force: bool) -> Value {
    apply(by(manager), live, config, force).unwrap_or_else(|fault| panic!("{fault:?}"))
}

/// An object without its bookkeeping and without what is empty.
fn content(object: &Value) -> Value {
    let mut object = object.clone();
    crate::value::remove(&mut object, "metadata.managedFields");
    strip(&mut object);
    object
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => map.retain(|_, value| {
            strip(value);
            let empty = value.as_object().is_some_and(serde_json::Map::is_empty)
                || value.as_array().is_some_and(Vec::is_empty);
            !(value.is_null() || empty)
        }),
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Configurations with labels, replicas, containers, their variables and ports.
fn configs() -> impl Strategy<Value = Value> {
    let labels = btree_map("[a-c]", "[xy]", 0..3);
    let variables = btree_map("[A-C]", "[xy]", 0..3);
    let container = (option::of("[ij]:1"), variables, subsequence(vec![80, 81], 0..=2));
    let containers = btree_map("[m-o]", container, 0..3);
    (labels, option::of(1..4), containers, option::of("[pq]")).prop_map(
        |(labels, replicas, containers, node)| {
            let containers: Vec<Value> = containers
                .into_iter()
                .map(|(name, (image, variables, ports))| {
                    let env: Vec<Value> = variables
                        .into_iter()
                        .map(|(name, value)| json!({"name": name, "value": value}))
                        .collect();
                    let ports: Vec<Value> =
                        ports.into_iter().map(|port| json!({"containerPort": port})).collect();
                    json!({"name": name, "image": image, "env": env, "ports": ports})
                })
                .collect();
            let mut config = json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "x", "labels": labels},
                "spec": {"replicas": replicas, "template": {"spec": {
                    "nodeSelector": node.map(|node| json!({"node": node})), "containers": containers}}}});
            strip(&mut config);
            config
        },
    )
}

/// A configuration whose every map key and list item is its own.
fn renamed(config: &Value, suffix: &str) -> Value {
    let mut config = config.clone();
    let labels = config["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    config["metadata"]["labels"] =
        labels.into_iter().map(|(key, value)| (format!("{key}{suffix}"), value)).collect();
    for container in crate::value::items_mut(&mut config, "spec.template.spec.containers") {
        let name = format!("{}{suffix}", crate::value::text(container, "name"));
        container["name"] = json!(name);
    }
    crate::value::remove(&mut config, "spec.replicas");
    crate::value::remove(&mut config, "spec.template.spec.nodeSelector");
    strip(&mut config);
    config
}

/// An object regardless of the order of its list items.
fn unordered(object: &Value) -> Value {
    let mut object = content(object);
    if let Some(Value::Array(items)) =
        crate::value::at_mut(&mut object, "spec.template.spec.containers")
    {
        items.sort_by_key(|item| item["name"].to_string());
    }
    object
}

/// Who owns which fields.
fn owners(object: &Value) -> Vec<(String, Value)> {
    let managers = Managers::of(object).0;
    let mut owners: Vec<(String, Value)> =
        managers.iter().map(|one| (one.to_string(), one.fields.encode())).collect();
    owners.sort_by(|a, b| a.0.cmp(&b.0));
    owners
}

proptest! {
    #[test]
    fn applying_twice_is_applying_once(config in configs()) {
        let once = applied("a", &Value::Null, &config, false);
        prop_assert_eq!(applied("a", &once, &config, false), once);
    }

    #[test]
    fn the_first_apply_makes_the_configuration(config in configs()) {
        prop_assert_eq!(content(&applied("a", &Value::Null, &config, false)), content(&config));
    }

    #[test]
    fn the_last_configuration_of_a_sole_owner_is_the_object(first in configs(), second in configs()) {
        let object = applied("a", &applied("a", &Value::Null, &first, false), &second, false);
        prop_assert_eq!(unordered(&object), unordered(&second));
    }

    #[test]
    fn applying_nothing_removes_all_that_was_owned(config in configs()) {
        let empty = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}});
        let object = applied("a", &applied("a", &Value::Null, &config, false), &empty, false);
        prop_assert_eq!(content(&object), empty);
        prop_assert_eq!(owners(&object), vec![]);
    }

    #[test]
    fn disjoint_managers_commute(first in configs(), second in configs()) {
        let (first, second) = (renamed(&first, "1"), renamed(&second, "2"));
        let one = applied("b", &applied("a", &Value::Null, &first, false), &second, false);
        let other = applied("a", &applied("b", &Value::Null, &second, false), &first, false);
        prop_assert_eq!(unordered(&one), unordered(&other));
        prop_assert_eq!(owners(&one), owners(&other));
    }

    #[test]
    fn a_manager_that_leaves_takes_nothing_of_others(first in configs(), second in configs()) {
        let (first, second) = (renamed(&first, "1"), renamed(&second, "2"));
        let both = applied("b", &applied("a", &Value::Null, &first, false), &second, false);
        let empty = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}});
        prop_assert_eq!(unordered(&applied("a", &both, &empty, false)), unordered(&second));
    }

    #[test]
    fn force_wins_and_then_conflicts_the_other_way(first in configs(), second in configs()) {
        let live = applied("a", &Value::Null, &first, false);
        let forced = applied("b", &live, &second, true);
        // Whatever the second manager set, it has, and applying it once more meets no conflict.
        prop_assert!(apply(by("b"), &forced, &second, false).is_ok());
        let conflicts = matches!(apply(by("b"), &live, &second, false), Err(Applied::Conflicts(_)));
        let lost = Managers::of(&forced).0.iter().find(|one| one.name == "a").map(|one| one.fields.clone());
        let before = Managers::of(&live).0.iter().find(|one| one.name == "a").map(|one| one.fields.clone());
        prop_assert_eq!(conflicts, lost != before, "fields change hands exactly where there was a conflict");
    }

    #[test]
    fn an_update_owns_exactly_what_it_changed(first in configs(), second in configs()) {
        let live = applied("a", &Value::Null, &first, false);
        let updated = update(by("u"), &live, content(&second));
        prop_assert_eq!(content(&updated), content(&second));
        let kept = update(by("u"), &live, live.clone());
        prop_assert_eq!(owners(&kept), owners(&live));
    }
}

fn config(replicas: u32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": {"replicas": replicas}})
}

#[test]
fn the_same_value_by_two_managers_is_owned_by_both() {
    let live = applied("b", &applied("a", &Value::Null, &config(2), false), &config(2), false);
    assert_eq!(owners(&live).len(), 2);
    let empty = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}});
    let left = applied("a", &live, &empty, false);
    assert_eq!(left["spec"]["replicas"], json!(2));
    assert_eq!(
        applied("b", &left, &empty, false).get("spec").unwrap_or(&Value::Null),
        &Value::Null
    );
}

#[test]
fn an_object_without_managers_had_one_before_the_first_apply() {
    let live = config(3);
    let Err(Applied::Conflicts(conflicts)) = apply(by("a"), &live, &config(2), false) else {
        panic!("no conflict")
    };
    let (manager, path) = &conflicts[0];
    assert_eq!(manager.to_string(), "\"before-first-apply\" using apps/v1");
    assert_eq!(path.to_string(), ".spec.replicas");
}

#[test]
fn more_than_ten_updaters_are_joined() {
    let mut object = applied("a", &Value::Null, &config(1), false);
    for number in 0..14 {
        let mut new = object.clone();
        crate::value::set(&mut new, &format!("metadata.labels.l{number}"), "x");
        object = update(by(&format!("u{number}")), &object, new);
    }
    let names: Vec<String> = Managers::of(&object).0.into_iter().map(|one| one.name).collect();
    assert_eq!(names.len(), 11, "{names:?}");
    assert!(names.contains(&"ancient-changes".to_owned()), "{names:?}");
}
