//! The rules of requests, seen as a client sees them.

use serde_json::{Value, json};

use crate::testing::{Probe, config_map, deployment};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn managers(object: &Value) -> Vec<(String, String, String)> {
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let entries = object["metadata"]["managedFields"].as_array().unwrap().iter();
    entries
        .map(|one| (text(one, "manager"), text(one, "operation"), text(one, "subresource")))
        .collect()
}

fn owned(manager: &str, operation: &str, subresource: &str) -> (String, String, String) {
    (manager.into(), operation.into(), subresource.into())
}

#[test]
fn generation_counts_changes_of_intent_only() {
    let probe = Probe::new();
    let path = format!("{DEPLOYMENTS}/x");
    let generation = |object: &Value| object["metadata"]["generation"].clone();
    assert_eq!(generation(&probe.ok("POST", DEPLOYMENTS, deployment("x"))), json!(1));
    let status = json!({"status": {"replicas": 1}, "spec": {"replicas": 9}});
    let object = probe.patch(&format!("{path}/status"), "merge", status).unwrap();
    assert_eq!((generation(&object), &object["spec"]["replicas"]), (json!(1), &json!(2)));
    let labels = json!({"metadata": {"labels": {"a": "b"}}, "status": {"replicas": 7}});
    let object = probe.patch(&path, "merge", labels).unwrap();
    assert_eq!((generation(&object), &object["status"]["replicas"]), (json!(1), &json!(1)));
    let object = probe.patch(&path, "merge", json!({"spec": {"replicas": 3}})).unwrap();
    assert_eq!(generation(&object), json!(2));
    let map = probe.ok("POST", MAPS, config_map("m", &[("a", "b")]));
    assert_eq!(map["metadata"].get("generation"), None);
}

#[test]
fn stale_writes_conflict_and_unconditional_ones_do_not() {
    let probe = Probe::new();
    let first = probe.ok("POST", MAPS, config_map("m", &[("a", "1")]));
    let mut second = first.clone();
    second["data"]["a"] = json!("2");
    probe.ok("PUT", &format!("{MAPS}/m"), second);
    let fault = probe.fails("PUT", &format!("{MAPS}/m"), first);
    assert_eq!(fault.code(), 409);
    assert!(fault.message().contains("the object has been modified"), "{}", fault.message());
    probe.ok("PUT", &format!("{MAPS}/m"), config_map("m", &[("a", "3")]));
}

#[test]
fn a_write_without_a_change_keeps_the_version() {
    let probe = Probe::new();
    let first = probe.ok("POST", DEPLOYMENTS, deployment("x"));
    let again = probe
        .patch(&format!("{DEPLOYMENTS}/x"), "merge", json!({"spec": {"replicas": 2}}))
        .unwrap();
    assert_eq!(first["metadata"], again["metadata"]);
    let applied = probe.apply(&format!("{DEPLOYMENTS}/y"), "helm", &deployment("y")).unwrap();
    assert_eq!(
        probe.apply(&format!("{DEPLOYMENTS}/y"), "helm", &deployment("y")).unwrap(),
        applied
    );
}

#[test]
fn after_a_scale_a_plain_apply_conflicts_and_force_wins() {
    let probe = Probe::new();
    let path = format!("{DEPLOYMENTS}/x");
    probe.apply(&path, "helm", &deployment("x")).unwrap();
    let scale = json!({"spec": {"replicas": 5}});
    let media = "application/merge-patch+json";
    let scaled =
        probe.send("PATCH", &format!("{path}/scale?fieldManager=kubectl"), media, &scale).unwrap();
    assert_eq!(scaled.body["spec"]["replicas"], json!(5));
    assert_eq!(scaled.body["status"]["selector"], json!("app=x"));
    let live = probe.ok("GET", &path, Value::Null);
    assert_eq!(managers(&live), [owned("helm", "Apply", ""), owned("kubectl", "Update", "scale")]);

    let fault = probe.apply(&path, "helm", &deployment("x")).unwrap_err();
    assert_eq!(fault.code(), 409);
    assert_eq!(
        fault.message(),
        "Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: .spec.replicas"
    );
    assert_eq!(
        fault.to_value()["details"]["causes"],
        json!([{"reason": "FieldManagerConflict", "field": ".spec.replicas",
            "message": "conflict with \"kubectl\" with subresource \"scale\" using apps/v1"}])
    );
    let forced = probe.apply(&format!("{path}?force=true&x"), "helm", &deployment("x"));
    assert!(forced.is_err(), "the query is given once");
    let forced = probe
        .send(
            "PATCH",
            &format!("{path}?fieldManager=helm&force=true"),
            "application/apply-patch+yaml",
            &deployment("x"),
        )
        .unwrap();
    assert_eq!(forced.body["spec"]["replicas"], json!(2));
    assert_eq!(managers(&forced.body), [owned("helm", "Apply", "")]);
}

#[test]
fn several_conflicts_are_listed_by_manager() {
    let probe = Probe::new();
    let path = format!("{MAPS}/m");
    probe.apply(&path, "helm", &config_map("m", &[("a", "1"), ("b", "1")])).unwrap();
    probe
        .patch(
            &format!("{path}?fieldManager=kubectl-patch"),
            "merge",
            json!({"data": {"a": "2", "b": "2"}}),
        )
        .unwrap();
    let fault =
        probe.apply(&path, "helm", &config_map("m", &[("a", "1"), ("b", "1")])).unwrap_err();
    assert_eq!(
        fault.message(),
        "Apply failed with 2 conflicts: conflicts with \"kubectl-patch\" using v1:\n- .data.a\n- .data.b"
    );
}

#[test]
fn a_created_object_belongs_to_its_creator_with_its_defaults() {
    let probe = Probe::new();
    let object =
        probe.ok("POST", &format!("{DEPLOYMENTS}?fieldManager=kubectl-create"), deployment("x"));
    assert_eq!(managers(&object), [owned("kubectl-create", "Update", "")]);
    let fields = &object["metadata"]["managedFields"][0]["fieldsV1"];
    assert_eq!(
        fields["f:spec"]["f:strategy"],
        json!({"f:rollingUpdate": {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}}, "f:type": {}})
    );
    assert_eq!(fields.get("f:status"), None);
}

#[test]
fn namespaces_of_path_and_object_have_to_agree() {
    let probe = Probe::new();
    let mut map = config_map("m", &[]);
    map["metadata"]["namespace"] = json!("kube-system");
    assert_eq!(probe.fails("POST", MAPS, map.clone()).code(), 400);
    let missing = probe.fails("POST", "/api/v1/namespaces/none/configmaps", config_map("m", &[]));
    assert_eq!((missing.code(), missing.message()), (404, "namespaces \"none\" not found"));
    let path = "/api/v1/namespaces/kube-system/configmaps/m";
    map["metadata"]["namespace"] = json!("default");
    assert_eq!(probe.apply(path, "a", &map).unwrap_err().code(), 400);
}

#[test]
fn unknown_fields_are_refused_warned_of_or_ignored() {
    let probe = Probe::new();
    let mut map = config_map("m", &[]);
    map["dta"] = json!({});
    let fault = probe.fails("POST", &format!("{MAPS}?fieldValidation=Strict"), map.clone());
    assert_eq!(
        fault.message(),
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"dta\""
    );
    let warned =
        probe.send("POST", &format!("{MAPS}?dryRun=All"), "application/json", &map).unwrap();
    assert_eq!(warned.warnings, ["unknown field \"dta\""]);
    let ignored = format!("{MAPS}?dryRun=All&fieldValidation=Ignore");
    assert!(probe.send("POST", &ignored, "application/json", &map).unwrap().warnings.is_empty());
    let fault = probe.apply(&format!("{MAPS}/m"), "a", &map).unwrap_err();
    assert_eq!(
        (fault.code(), fault.message()),
        (
            500,
            "failed to create typed patch object (default/m; v1, Kind=ConfigMap): .dta: field not declared in schema"
        )
    );
    assert_eq!(
        probe.fails("GET", &format!("{MAPS}/m"), Value::Null).code(),
        404,
        "nothing was stored"
    );
}

#[test]
fn apply_needs_a_manager_and_no_managers_in_its_object() {
    let probe = Probe::new();
    let media = "application/apply-patch+yaml";
    let fault =
        probe.send("PATCH", &format!("{MAPS}/m"), media, &config_map("m", &[])).unwrap_err();
    assert!(fault.message().contains("fieldManager: Required value"), "{}", fault.message());
    let mut map = config_map("m", &[]);
    map["metadata"]["managedFields"] = json!([{"manager": "x"}]);
    let fault = probe.apply(&format!("{MAPS}/m"), "a", &map).unwrap_err();
    assert_eq!((fault.code(), fault.message()), (400, "metadata.managedFields must be nil"));
}

#[test]
fn text_of_a_secret_is_kept_as_data() {
    let probe = Probe::new();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}});
    let path = "/api/v1/namespaces/default/secrets/s";
    let stored = probe.apply(path, "helm", &secret).unwrap();
    assert_eq!((&stored["data"], stored.get("stringData")), (&json!({"a": "Yg=="}), None));
    assert_eq!(
        stored["metadata"]["managedFields"][0]["fieldsV1"],
        json!({"f:stringData": {"f:a": {}}})
    );
    let again = probe.apply(path, "helm", &secret).unwrap();
    assert_eq!(again["metadata"]["resourceVersion"], stored["metadata"]["resourceVersion"]);
}

#[test]
fn lists_come_in_pages_and_without_kinds_on_their_items() {
    let probe = Probe::new();
    for name in ["a", "b", "c"] {
        let mut map = config_map(name, &[]);
        map["metadata"]["labels"] = json!({"l": name});
        probe.ok("POST", MAPS, map);
    }
    let selected = format!("{MAPS}?labelSelector=l");
    let names = |list: &Value| -> Vec<String> {
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["metadata"]["name"].as_str().unwrap().into())
            .collect()
    };
    let first = probe.ok("GET", &format!("{selected}&limit=2"), Value::Null);
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first["items"][0].get("kind"), None);
    let token = first["metadata"]["continue"].as_str().unwrap();
    let second = probe.ok("GET", &format!("{selected}&limit=2&continue={token}"), Value::Null);
    assert_eq!(names(&second), ["c"]);
    assert_eq!(second["metadata"].get("continue"), None);
    assert_eq!(
        names(&probe.ok("GET", &format!("{selected}&limit=1&resourceVersion=0"), Value::Null))
            .len(),
        3
    );
    probe.ok("DELETE", &format!("{MAPS}?labelSelector=l%20in%20(a,c)"), Value::Null);
    assert_eq!(names(&probe.ok("GET", &selected, Value::Null)), ["b"]);
}

#[test]
fn a_rehearsal_changes_nothing() {
    let probe = Probe::new();
    let before = probe.revision();
    let object = probe.ok("POST", &format!("{DEPLOYMENTS}?dryRun=All"), deployment("x"));
    assert!(object["metadata"]["uid"].is_string());
    probe.ok("DELETE", &format!("{MAPS}/kube-root-ca.crt?dryRun=All"), Value::Null);
    assert_eq!(probe.revision(), before);
}

#[test]
fn what_may_not_change_does_not() {
    let probe = Probe::new();
    probe.ok("POST", DEPLOYMENTS, deployment("x"));
    let other = json!({"spec": {"selector": {"matchLabels": {"app": "y"}},
        "template": {"metadata": {"labels": {"app": "y"}}}}});
    let fault = probe.patch(&format!("{DEPLOYMENTS}/x"), "merge", other).unwrap_err();
    assert_eq!(fault.code(), 422);
    assert!(fault.message().ends_with("field is immutable"), "{}", fault.message());
    let missing = probe.fails("DELETE", &format!("{DEPLOYMENTS}/none"), Value::Null);
    assert_eq!(missing.message(), "deployments.apps \"none\" not found");
    let twice = probe.fails("POST", DEPLOYMENTS, deployment("x"));
    assert_eq!(twice.message(), "deployments.apps \"x\" already exists");
}

#[test]
fn services_keep_the_address_that_they_were_given() {
    let probe = Probe::new();
    let services = "/api/v1/namespaces/default/services";
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}});
    let first = probe.apply(&format!("{services}/s"), "helm", &service).unwrap();
    assert_eq!(first["spec"]["ports"], json!([{"port": 80, "protocol": "TCP", "targetPort": 80}]));
    assert_eq!(probe.apply(&format!("{services}/s"), "helm", &service).unwrap(), first);
    let replaced = probe.ok("PUT", &format!("{services}/s"), service);
    assert_eq!(replaced["spec"]["clusterIP"], first["spec"]["clusterIP"]);
    assert_ne!(first["spec"]["clusterIP"], json!("172.20.0.1"), "that is the API server's");
}

#[test]
fn events_show_in_both_groups() {
    let probe = Probe::new();
    let event = json!({"metadata": {"generateName": "e-"}, "note": "hello", "reason": "Test", "type": "Normal",
        "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "me", "reportingInstance": "me-1",
        "action": "Try", "regarding": {"kind": "Pod", "name": "p", "namespace": "default"}});
    let created = probe.ok("POST", "/apis/events.k8s.io/v1/namespaces/default/events", event);
    assert_eq!(created["note"], json!("hello"));
    let selector = "fieldSelector=involvedObject.name=p";
    let core =
        probe.ok("GET", &format!("/api/v1/namespaces/default/events?{selector}"), Value::Null);
    let core = &core["items"][0];
    assert_eq!(
        (&core["message"], &core["involvedObject"]["kind"]),
        (&json!("hello"), &json!("Pod"))
    );
    assert_eq!(core["reportingComponent"], json!("me"));
}

#[test]
fn strategic_merge_is_for_builtin_kinds() {
    let probe = Probe::new();
    probe.ok("POST", DEPLOYMENTS, deployment("x"));
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "app:2"}]}}}});
    let object = probe.patch(&format!("{DEPLOYMENTS}/x"), "strategic-merge", patch).unwrap();
    let containers = &object["spec"]["template"]["spec"]["containers"];
    assert_eq!(
        (&containers[0]["image"], &containers[0]["ports"][0]["containerPort"]),
        (&json!("app:2"), &json!(80))
    );
}

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

#[test]
fn every_kind_is_applied_once_and_the_second_time_changes_nothing() {
    for object in smallest() {
        let probe = Probe::new();
        let (api_version, kind) =
            (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        let resource = probe.cluster.store().registry.of_kind(api_version, kind).unwrap().clone();
        let root = if resource.group.is_empty() { "/api" } else { "/apis" };
        let namespace = if resource.namespaced { "/namespaces/default" } else { "" };
        let path = format!("{root}/{api_version}{namespace}/{}/x", resource.plural);
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
        assert_eq!(applied["metadata"].get("generation").is_some(), resource.generation, "{kind}");
    }
}

#[test]
fn a_status_is_applied_without_its_object() {
    let probe = Probe::new();
    probe.apply(&format!("{DEPLOYMENTS}/x"), "helm", &deployment("x")).unwrap();
    let status = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"},
        "status": {"readyReplicas": 1, "conditions": [{"type": "Available", "status": "True"}]}});
    let object = probe.apply(&format!("{DEPLOYMENTS}/x/status"), "controller", &status).unwrap();
    assert_eq!(
        (&object["status"]["readyReplicas"], &object["spec"]["replicas"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(
        managers(&object),
        [owned("controller", "Apply", "status"), owned("helm", "Apply", "")]
    );
    let applied = probe.apply(&format!("{DEPLOYMENTS}/x"), "helm", &deployment("x")).unwrap();
    assert_eq!(applied["status"], object["status"], "the release has no say in it");
}

#[test]
fn a_restart_survives_a_forced_apply() {
    let probe = Probe::new();
    let path = format!("{DEPLOYMENTS}/x");
    probe.apply(&path, "helm", &deployment("x")).unwrap();
    let annotation = json!({"kubectl.kubernetes.io/restartedAt": "now"});
    let restart = json!({"spec": {"template": {"metadata": {"annotations": annotation}}}});
    probe
        .patch(&format!("{path}?fieldManager=kubectl-rollout"), "strategic-merge", restart)
        .unwrap();
    let media = "application/apply-patch+yaml";
    let forced = probe.send(
        "PATCH",
        &format!("{path}?fieldManager=helm&force=true"),
        media,
        &deployment("x"),
    );
    assert_eq!(forced.unwrap().body["spec"]["template"]["metadata"]["annotations"], annotation);
}
