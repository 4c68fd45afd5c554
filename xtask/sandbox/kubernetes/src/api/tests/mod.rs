//! The rules of requests, seen as a client sees them.

mod custom;
mod kinds;
mod ownership;

use serde_json::{Value, json};

use crate::testing::{Probe, config_map, deployment};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

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
