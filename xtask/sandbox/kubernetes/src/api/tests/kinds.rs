//! Every kind in use: applied, applied again, written back.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::testing::Probe;

/// The least of every kind that our charts and the add-ons' charts render.
fn smallest() -> Vec<Value> {
    let pod = json!({"containers": [{"name": "a", "image": "b:1"}]});
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": pod});
    let selector = json!({"matchLabels": {"a": "b"}});
    let mut once = template.clone();
    once["spec"]["restartPolicy"] = json!("Never");
    let webhooks = json!([{"name": "w.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"namespace": "default", "name": "s"}}}]);
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"});
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "x"});
    let backend = json!({"service": {"name": "s", "port": {"number": 80}}});
    let claim =
        json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let of = |api_version: &str, kind: &str, mut object: Value| {
        object["apiVersion"] = json!(api_version);
        object["kind"] = json!(kind);
        object["metadata"] = json!({"name": "x"});
        object
    };
    vec![
        of("apps/v1", "DaemonSet", json!({"spec": {"selector": selector, "template": template}})),
        of("apps/v1", "Deployment", json!({"spec": {"selector": selector, "template": template}})),
        of("apps/v1", "ReplicaSet", json!({"spec": {"selector": selector, "template": template}})),
        of(
            "apps/v1",
            "StatefulSet",
            json!({"spec": {"selector": selector, "template": template, "serviceName": "x"}}),
        ),
        of("batch/v1", "Job", json!({"spec": {"template": once}})),
        of(
            "batch/v1",
            "CronJob",
            json!({"spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": once}}}}),
        ),
        of("v1", "ConfigMap", json!({})),
        of("v1", "Secret", json!({"data": {"a": "Yg=="}})),
        of("v1", "ServiceAccount", json!({})),
        of("v1", "Service", json!({"spec": {"ports": [{"port": 80}]}})),
        of("v1", "PersistentVolumeClaim", json!({ "spec": claim })),
        of("v1", "Pod", json!({ "spec": pod })),
        of("v1", "Node", json!({})),
        of("v1", "LimitRange", json!({"spec": {"limits": []}})),
        of("v1", "ResourceQuota", json!({"spec": {"hard": {"pods": 3}}})),
        of("v1", "Event", json!({"involvedObject": {}, "reason": "Test"})),
        of(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            json!({"spec": {"scaleTargetRef": target, "maxReplicas": 3}}),
        ),
        of(
            "policy/v1",
            "PodDisruptionBudget",
            json!({"spec": {"selector": selector, "minAvailable": 1}}),
        ),
        of("networking.k8s.io/v1", "Ingress", json!({"spec": {"defaultBackend": backend}})),
        of(
            "networking.k8s.io/v1",
            "IngressClass",
            json!({"spec": {"controller": "ingress.k8s.aws/alb"}}),
        ),
        of(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            json!({"spec": {"podSelector": {}, "egress": [{}]}}),
        ),
        of(
            "rbac.authorization.k8s.io/v1",
            "Role",
            json!({"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}),
        ),
        of("rbac.authorization.k8s.io/v1", "ClusterRole", json!({"rules": []})),
        of(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            json!({"roleRef": role, "subjects": [{"kind": "Group", "name": "g"}]}),
        ),
        of("storage.k8s.io/v1", "StorageClass", json!({"provisioner": "ebs.csi.aws.com"})),
        of("scheduling.k8s.io/v1", "PriorityClass", json!({"value": 5})),
        of("coordination.k8s.io/v1", "Lease", json!({"spec": {"holderIdentity": "me"}})),
        of(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            json!({"addressType": "IPv4", "endpoints": [], "ports": [{"port": 80}]}),
        ),
        of(
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            json!({"webhooks": webhooks}),
        ),
        of(
            "admissionregistration.k8s.io/v1",
            "MutatingWebhookConfiguration",
            json!({"webhooks": webhooks}),
        ),
        of(
            "apiregistration.k8s.io/v1",
            "APIService",
            json!({"spec": {"group": "g", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100}}),
        ),
    ]
}

/// The collection in which an object belongs, and whether its kind counts generations.
fn collection(probe: &Probe, object: &Value) -> (String, bool) {
    let (api_version, kind) =
        (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
    let resource = probe.cluster.store().registry.of_kind(api_version, kind).unwrap().clone();
    let root = if resource.group.is_empty() { "/api" } else { "/apis" };
    let namespace = if resource.namespaced { "/namespaces/default" } else { "" };
    (format!("{root}/{api_version}{namespace}/{}", resource.plural), resource.generation)
}

#[test]
fn every_kind_is_applied_once_and_the_second_time_changes_nothing() {
    for object in smallest() {
        let probe = Probe::new();
        let (collection, counts) = collection(&probe, &object);
        let (path, kind) = (format!("{collection}/x"), &object["kind"]);
        let applied =
            probe.apply(&path, "helm", &object).unwrap_or_else(|fault| panic!("{kind}: {fault:?}"));
        let again =
            probe.apply(&path, "helm", &object).unwrap_or_else(|fault| panic!("{kind}: {fault:?}"));
        assert_eq!(again["metadata"], applied["metadata"], "{kind}");
        // What the server gave may be given back: reading, writing and applying belong together.
        let written = probe.ok("PUT", &path, applied.clone());
        assert_eq!(
            written["metadata"]["resourceVersion"], applied["metadata"]["resourceVersion"],
            "{kind}"
        );
        assert_eq!(applied["metadata"].get("generation").is_some(), counts, "{kind}");
    }
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z$:./]{0,8}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Every place in an object, as a JSON pointer.
fn places(object: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match object {
        Value::Object(map) => {
            for (key, value) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{at}/{key}"), into);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                places(value, &format!("{at}/{index}"), into);
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// An object with anything in any one place is taken or refused, and a stored one can still be read.
    #[test]
    fn nothing_that_is_sent_breaks_the_server(
        kind in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        value in anything(),
    ) {
        let objects = smallest();
        let object = kind.get(&objects);
        let probe = Probe::new();
        let (collection, _) = collection(&probe, object);
        let path = format!("{collection}/x");
        let mut all = Vec::new();
        places(object, "", &mut all);
        let mut broken = object.clone();
        *broken.pointer_mut(place.get::<String>(&all)).unwrap() = value;

        let json = "application/json";
        let _ = probe.send("POST", &format!("{collection}?dryRun=All"), json, &broken);
        let _ = probe.apply(&path, "a", object);
        for kind in ["merge", "strategic-merge", "json"] {
            let _ = probe.patch(&path, kind, broken.clone());
        }
        let _ = probe.apply(&path, "a", &broken);
        let _ = probe.send("PUT", &path, json, &broken);
        for path in [&collection, &path] {
            if let Ok(done) = probe.send("GET", path, json, &Value::Null) {
                prop_assert!(done.body["metadata"].is_object());
            }
        }
        let _ = probe.send("DELETE", &path, json, &broken);
    }
}
