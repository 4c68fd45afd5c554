//! What a manifest declares against what lives, as the embedded API server tells it.

use serde_json::{Value, json};
use xtask_cloud::{Deviation, DeviationKind, Target, kinds};

use crate::cluster::{NAMESPACE, TestCluster, patience};

const HELM: &str = "helm";

fn deployment(replicas: Option<u64>) -> Value {
    let labels = json!({ "app": "meta" });
    let mut deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "meta" },
        "spec": { "selector": { "matchLabels": labels }, "template": {
            "metadata": { "labels": labels },
            "spec": { "containers": [{
                "name": "meta", "image": "meta:2", "resources": { "limits": { "cpu": "1000m" } },
            }] },
        }},
    });
    if let Some(replicas) = replicas {
        deployment["spec"]["replicas"] = json!(replicas);
    }
    deployment
}

fn policy() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "name": "deny" },
        "spec": { "podSelector": {}, "policyTypes": ["Ingress"] },
    })
}

fn autoscaler() -> Value {
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": "meta" },
        "spec": { "minReplicas": 2, "maxReplicas": 5, "scaleTargetRef": {
            "apiVersion": "apps/v1", "kind": "Deployment", "name": "meta",
        }},
    })
}

fn put_back(test: &TestCluster, objects: &[Value]) {
    test.cluster.put_back(objects, NAMESPACE, HELM, &patience()).unwrap();
}

fn deviations(test: &TestCluster, objects: &[Value]) -> Vec<(String, DeviationKind)> {
    let found = test.cluster.deviations(objects, NAMESPACE, HELM).unwrap();
    found.into_iter().map(|it: Deviation| (it.name(), it.kind)).collect()
}

/// What a person does by hand.
fn by_hand(test: &TestCluster, spec: Value) {
    let object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "meta", "namespace": NAMESPACE }, "spec": spec,
    });
    test.cluster.apply(&object, "kubectl", true).unwrap();
}

fn replicas(test: &TestCluster) -> Value {
    let target = Target::new(kinds::DEPLOYMENT, NAMESPACE, "meta");
    test.cluster.get(&target).unwrap().unwrap()["spec"]["replicas"].clone()
}

#[test]
fn what_was_deleted_or_changed_by_hand_is_found_and_put_back() {
    let test = TestCluster::start();
    let declared = [policy(), deployment(Some(2))];
    put_back(&test, &declared);
    assert_eq!(deviations(&test, &declared), []);
    by_hand(
        &test,
        json!({ "replicas": 0, "template": { "spec": { "containers": [{ "name": "meta", "image": "meta:1" }] } } }),
    );
    let target = Target::new(kinds::NETWORK_POLICY, NAMESPACE, "deny");
    assert!(test.cluster.delete(&target).unwrap());
    let fields = ["spec.replicas", "spec.template.spec.containers[meta].image"];
    let expected = [
        ("NetworkPolicy supabase/deny".to_owned(), DeviationKind::Missing),
        (
            "Deployment supabase/meta".to_owned(),
            DeviationKind::Fields(fields.map(str::to_owned).to_vec()),
        ),
    ];
    assert_eq!(deviations(&test, &declared), expected);
    // Asking changed nothing.
    assert_eq!(replicas(&test), 0);
    put_back(&test, &declared);
    assert_eq!(deviations(&test, &declared), []);
    assert_eq!(replicas(&test), 2);
}

#[test]
fn what_others_own_and_what_the_server_fills_in_is_no_difference() {
    let test = TestCluster::start();
    let declared = [deployment(Some(2))];
    put_back(&test, &declared);
    by_hand(
        &test,
        json!({ "paused": true, "template": { "metadata": { "annotations": { "restarted": "now" } } } }),
    );
    assert_eq!(deviations(&test, &declared), []);
}

#[test]
fn a_number_of_replicas_that_an_autoscaler_sets_is_no_difference() {
    let test = TestCluster::start();
    let declared = [deployment(Some(2)), autoscaler()];
    put_back(&test, &declared);
    by_hand(&test, json!({ "replicas": 4 }));
    assert_eq!(deviations(&test, &declared), []);
    // And a repair of something else does not touch it.
    by_hand(
        &test,
        json!({ "replicas": 4, "template": { "spec": { "containers": [{ "name": "meta", "image": "meta:1" }] } } }),
    );
    let found = test.cluster.deviations(&declared, NAMESPACE, HELM).unwrap();
    let objects: Vec<Value> = found.into_iter().map(|it| it.object).collect();
    assert_eq!(objects.len(), 1);
    put_back(&test, &objects);
    assert_eq!((replicas(&test), deviations(&test, &declared)), (json!(4), Vec::new()));
}

#[test]
fn an_object_that_cannot_be_changed_back_is_told_with_the_servers_reason() {
    let test = TestCluster::start();
    put_back(&test, &[deployment(Some(2))]);
    let mut other = deployment(Some(2));
    other["spec"]["selector"]["matchLabels"] = json!({ "app": "other" });
    other["spec"]["template"]["metadata"]["labels"] = json!({ "app": "other" });
    let found = deviations(&test, &[other]);
    let [(name, DeviationKind::Refused(why))] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(name, "Deployment supabase/meta");
    assert!(why.contains("spec.selector"), "{why}");
}

#[test]
fn an_object_of_a_kind_that_is_gone_is_missing_and_comes_back_with_its_definition() {
    let test = TestCluster::start();
    test.define_external_secrets();
    let target = Target::new(
        kinds::CUSTOM_RESOURCE_DEFINITION,
        NAMESPACE,
        "externalsecrets.external-secrets.io",
    );
    let mut definition = test.cluster.get(&target).unwrap().unwrap();
    let metadata = json!({ "name": definition["metadata"]["name"] });
    definition["metadata"] = metadata;
    definition.as_object_mut().unwrap().remove("status");
    let secret = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": { "name": "jwt" }, "spec": { "a": "b" },
    });
    let store = Target::new(
        kinds::CUSTOM_RESOURCE_DEFINITION,
        NAMESPACE,
        "secretstores.external-secrets.io",
    );
    for target in [&target, &store] {
        assert!(test.cluster.delete(target).unwrap());
        test.cluster.wait_gone(target, &patience()).unwrap();
    }
    let declared = [definition, secret];
    let kinds: Vec<DeviationKind> =
        deviations(&test, &declared).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [DeviationKind::Missing, DeviationKind::Missing]);
    put_back(&test, &declared);
    assert_eq!(deviations(&test, &declared), []);
}

#[test]
fn replicas_are_kept_when_an_autoscaler_takes_over() {
    let test = TestCluster::start();
    put_back(&test, &[deployment(Some(3))]);
    let next = [deployment(None), autoscaler()];
    let hand_over =
        |objects: &[Value]| test.cluster.hand_over_replicas(objects, NAMESPACE, HELM).unwrap();
    // Nothing scales it yet, and then it still is declared.
    assert!(hand_over(&[deployment(None)]).is_empty());
    assert!(hand_over(&[deployment(Some(3)), autoscaler()]).is_empty());
    assert_eq!(hand_over(&next), ["meta"]);
    put_back(&test, &next);
    assert_eq!(replicas(&test), 3);
    assert!(hand_over(&next).is_empty(), "it is done once");
    // The way back: the number is declared again.
    put_back(&test, &[deployment(Some(2))]);
    assert_eq!(replicas(&test), 2);
}
