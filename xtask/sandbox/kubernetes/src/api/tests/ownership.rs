//! Who owns which fields after which request.

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
