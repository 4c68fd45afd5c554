//! Objects, login, deletion and diagnosis against the embedded API server.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use xtask_cloud::{
    Cluster, DeadlineExceeded, Interrupted, KubeconfigEntry, Target, Wait, kinds, write_kubeconfig,
};

use crate::cluster::{NAME, NAMESPACE, TestCluster, ca, cloud, patience};

fn config_map(value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "settings", "namespace": NAMESPACE },
        "data": { "key": value },
    })
}

#[test]
fn the_login_is_an_eks_token_for_this_cluster() {
    let test = TestCluster::start();
    assert!(test.cluster.version().unwrap().starts_with("v1."));
    let other =
        Cluster::connect(&test.server.endpoint("other"), &ca(&test.server), &cloud(), "other");
    let error = other.unwrap().version().unwrap_err().to_string();
    assert!(error.starts_with("failed to ask for the server's version"), "{error}");
}

#[test]
fn a_kubeconfig_of_ours_logs_in_through_its_plugin() {
    let test = TestCluster::start();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("plugin");
    let document = r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"k8s-aws-v1.x"}}"#;
    let script = format!(
        "#!/bin/sh\n[ \"$*\" = 'eks-token --cluster {NAME} --region eu-west-1' ] && [ \"$MARK\" = set ] && echo '{document}'\n"
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let path = folder.path().join("kubeconfig");
    let entry = KubeconfigEntry {
        cluster: NAME.into(),
        region: "eu-west-1".into(),
        endpoint: test.server.endpoint(NAME),
        ca_base64: ca(&test.server),
        program: program.to_str().unwrap().into(),
        env: BTreeMap::from([("MARK".into(), "set".into())]),
    };
    write_kubeconfig(&path, &entry).unwrap();
    let cluster = Cluster::from_context(Some(&path), NAME).unwrap();
    assert!(cluster.version().unwrap().starts_with("v1."));
}

#[test]
fn an_apply_tells_what_it_did_and_respects_owners() {
    let test = TestCluster::start();
    let first = test.cluster.apply(&config_map("a"), "xtask", false).unwrap();
    assert!(first.created && first.changed);
    let again = test.cluster.apply(&config_map("a"), "xtask", false).unwrap();
    assert!(!again.created && !again.changed);
    let other = test.cluster.apply(&config_map("b"), "somebody", false).unwrap_err().to_string();
    assert!(
        other.starts_with(
            "failed to apply ConfigMap `supabase/settings`: Apply failed with 1 conflict"
        ),
        "{other}"
    );
    let forced = test.cluster.apply(&config_map("b"), "somebody", true).unwrap();
    assert_eq!(forced.object["data"]["key"], "b");
    let target = Target::new(kinds::CONFIG_MAP, NAMESPACE, "settings");
    let marks = BTreeMap::from([("mark".to_owned(), "1".to_owned())]);
    test.cluster.annotate(&target, &marks).unwrap();
    let read = test.cluster.get(&target).unwrap().unwrap();
    assert_eq!(read["metadata"]["annotations"]["mark"], "1");
    let listed = test.cluster.list(&kinds::CONFIG_MAP, Some(NAMESPACE), "").unwrap();
    assert!(
        listed
            .iter()
            .any(|found| found["kind"] == "ConfigMap" && found["metadata"]["name"] == "settings")
    );
}

#[test]
fn a_probe_creates_nothing() {
    let test = TestCluster::start();
    test.cluster.wait_accepted(&config_map("a"), &patience()).unwrap();
    assert!(
        test.cluster.get(&Target::new(kinds::CONFIG_MAP, NAMESPACE, "settings")).unwrap().is_none()
    );
    let broken = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "d", "namespace": NAMESPACE }, "spec": { "replicas": "many" },
    });
    let error = test.cluster.wait_accepted(&broken, &patience()).unwrap_err().to_string();
    assert!(error.starts_with("Deployment `supabase/d` would be refused"), "{error}");
}

#[test]
fn a_secret_shows_its_keys_and_hands_out_values_as_secrets() {
    let test = TestCluster::start();
    test.apply(&json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "supabase-jwt", "namespace": NAMESPACE },
        "stringData": { "secret": "canary-2Uv", "anon-key": "x" },
    }));
    let keys = test.cluster.secret_keys(NAMESPACE, "supabase-jwt").unwrap().unwrap();
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["anon-key", "secret"]);
    let value = test.cluster.secret_value(NAMESPACE, "supabase-jwt", "secret").unwrap().unwrap();
    assert_eq!((value.expose(), format!("{value:?}").as_str()), ("canary-2Uv", "<secret>"));
    assert!(test.cluster.secret_value(NAMESPACE, "supabase-jwt", "none").unwrap().is_none());
    assert!(test.cluster.secret_keys(NAMESPACE, "none").unwrap().is_none());
}

#[test]
fn helm_releases_are_known_by_labels_alone() {
    let test = TestCluster::start();
    for (version, status) in [("1", "superseded"), ("2", "deployed")] {
        test.apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
            "metadata": {
                "name": format!("sh.helm.release.v1.supabase.v{version}"), "namespace": NAMESPACE,
                "labels": { "owner": "helm", "name": "supabase", "version": version, "status": status },
            },
            "stringData": { "release": "not a release" },
        }));
    }
    let found = test.cluster.helm_releases(NAMESPACE).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].name.as_str(), found[0].revision, found[0].status.as_str()),
        ("supabase", 2, "deployed")
    );
}

#[test]
fn what_a_finalizer_holds_is_named_until_it_is_gone() {
    let test = TestCluster::start();
    let mut held = config_map("a");
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    test.apply(&held);
    let target = Target::new(kinds::CONFIG_MAP, NAMESPACE, "settings");
    assert_eq!(test.cluster.delete_all(&kinds::CONFIG_MAP, NAMESPACE, "x=y").unwrap(), [""; 0]);
    assert!(test.cluster.delete(&target).unwrap());
    let wait = Wait::at_most(Duration::from_secs(2));
    let error = test.cluster.wait_gone(&target, &wait).unwrap_err();
    let exceeded = error.downcast_ref::<DeadlineExceeded>().unwrap();
    assert_eq!(exceeded.last_seen, "configmaps still there: settings (held by example.com/hold)");
    let api = test.api(&kinds::CONFIG_MAP);
    let releasing = test.spawn(async move {
        let patch = json!({ "metadata": { "finalizers": null } });
        api.patch("settings", &kube::api::PatchParams::default(), &kube::api::Patch::Merge(&patch))
            .await
            .unwrap();
    });
    test.cluster.wait_gone(&target, &patience()).unwrap();
    test.cluster.wait_gone(&target, &patience()).unwrap();
    assert!(!test.cluster.delete(&target).unwrap());
    test.finish(releasing);
}

#[test]
fn a_kind_that_the_server_does_not_know_has_no_objects() {
    let test = TestCluster::start();
    let kind = kinds::EXTERNAL_SECRET;
    assert!(test.cluster.delete_all(&kind, NAMESPACE, "").unwrap().is_empty());
    test.cluster.wait_all_gone(&kind, Some(NAMESPACE), "", &patience()).unwrap();
}

#[test]
fn a_person_can_stop_a_wait() {
    let test = TestCluster::start();
    test.apply(&config_map("a"));
    let deadline = Instant::now() + Duration::from_secs(60);
    let wait = Wait::until(deadline, &|| true, &|_| {});
    let target = Target::new(kinds::CONFIG_MAP, NAMESPACE, "settings");
    let error = test.cluster.wait_gone(&target, &wait).unwrap_err();
    assert!(error.downcast_ref::<Interrupted>().is_some());
}

#[test]
fn a_diagnosis_names_container_event_and_last_words() {
    let test = TestCluster::start();
    let labels =
        json!({ "app.kubernetes.io/instance": "supabase", "app.kubernetes.io/component": "auth" });
    let template = json!({ "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "auth", "image": "auth:1" }] } });
    test.apply(&json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "supabase-auth", "namespace": NAMESPACE, "labels": labels },
        "spec": { "replicas": 1, "selector": { "matchLabels": labels }, "template": template },
    }));
    let status = json!({ "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "unavailableReplicas": 1 });
    test.set_status(&kinds::DEPLOYMENT, "supabase-auth", &status);
    test.apply(&json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "supabase-auth-1", "namespace": NAMESPACE, "labels": labels },
        "spec": { "containers": [{ "name": "auth", "image": "auth:1" }] },
    }));
    test.set_status(
        &kinds::POD,
        "supabase-auth-1",
        &json!({
            "phase": "Running",
            "containerStatuses": [{
                "name": "auth", "image": "auth:1", "imageID": "", "ready": false, "restartCount": 2,
                "state": { "waiting": { "reason": "CrashLoopBackOff" } },
                "lastState": { "terminated": { "exitCode": 1, "reason": "Error" } },
            }],
        }),
    );
    test.apply(&json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": { "name": "e1", "namespace": NAMESPACE },
        "type": "Warning", "reason": "BackOff", "message": "Back-off restarting failed container",
        "involvedObject": { "kind": "Pod", "name": "supabase-auth-1", "namespace": NAMESPACE },
    }));
    let found = test.cluster.diagnose(NAMESPACE, "supabase").unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    let finding = &found[0];
    assert_eq!(finding.workload, "Deployment/supabase-auth");
    assert_eq!(finding.reason, "0 of 1 ready: CrashLoopBackOff (last run: Error, exit code 1)");
    assert_eq!(finding.events, ["BackOff: Back-off restarting failed container"]);
    assert_eq!(finding.log_tail, ["auth of supabase-auth-1", "previous run"]);
    assert!(test.cluster.diagnose(NAMESPACE, "other").unwrap().is_empty());
}
