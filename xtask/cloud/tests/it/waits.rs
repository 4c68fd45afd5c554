//! Waits by watch, with the tests as the controllers.

use std::time::Duration;

use kube::api::{DynamicObject, PostParams};
use serde_json::{Value, json};
use xtask_cloud::{DeadlineExceeded, JobFailure, Target, Wait, kinds};

use crate::cluster::{NAMESPACE, TestCluster, api, patience, set_status, when};

fn external_secret(name: &str) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": { "data": [{ "secretKey": "password", "remoteRef": { "key": "/dev/x" } }] },
    })
}

fn ready(status: &str, reason: &str) -> Value {
    json!([{ "type": "Ready", "status": status, "reason": reason, "message": "told" }])
}

fn secret(name: &str, key: &str) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": name, "namespace": NAMESPACE }, "stringData": { key: "value" },
    }))
    .unwrap()
}

fn mark(object: Option<&DynamicObject>) -> Option<&String> {
    object?.metadata.annotations.as_ref()?.get("force-sync")
}

fn was_forced(object: Option<&DynamicObject>) -> bool {
    mark(object).is_some()
}

/// The operator: once asked, it makes the Secret and reports.
fn operator(test: &TestCluster, name: &'static str, key: &'static str, status: Value) {
    let target = Target::new(kinds::EXTERNAL_SECRET, NAMESPACE, name);
    let found = test.cluster.get(&target).unwrap().unwrap();
    let before = found["metadata"]["annotations"]["force-sync"].as_str().map(str::to_owned);
    let client = test.client.clone();
    test.spawn(async move {
        let secrets = api(&client, &kinds::EXTERNAL_SECRET);
        let asked = move |now: Option<&DynamicObject>| mark(now) != before.as_ref();
        when(secrets.clone(), name, asked).await;
        let _ =
            api(&client, &kinds::SECRET).create(&PostParams::default(), &secret(name, key)).await;
        set_status(&secrets, name, &status).await;
    });
}

#[test]
fn a_sync_of_another_day_does_not_count() {
    let test = TestCluster::start();
    test.define_external_secrets();
    test.apply(&external_secret("supabase-jwt"));
    let old = json!({ "conditions": ready("True", "SecretSynced"), "syncedResourceVersion": "1-old", "refreshTime": "2026-01-01T00:00:00Z" });
    test.set_status(&kinds::EXTERNAL_SECRET, "supabase-jwt", &old);
    let wait = Wait::at_most(Duration::from_secs(2));
    let error =
        test.cluster.sync_external_secrets(NAMESPACE, &["supabase-jwt"], &wait).unwrap_err();
    assert!(error.downcast_ref::<DeadlineExceeded>().is_some(), "{error:#}");
    let new = json!({ "conditions": ready("True", "SecretSynced"), "syncedResourceVersion": "1-new", "refreshTime": "2026-01-02T00:00:00Z" });
    operator(&test, "supabase-jwt", "password", new);
    let states =
        test.cluster.sync_external_secrets(NAMESPACE, &["supabase-jwt"], &patience()).unwrap();
    assert_eq!(
        (states[0].target.as_str(), states[0].refreshed.as_str()),
        ("supabase-jwt", "2026-01-02T00:00:00Z")
    );
    assert!(states[0].keys.contains("password"));
}

#[test]
fn a_secret_without_its_key_is_no_success() {
    let test = TestCluster::start();
    test.define_external_secrets();
    test.apply(&external_secret("supabase-jwt"));
    let done =
        json!({ "conditions": ready("True", "SecretSynced"), "syncedResourceVersion": "1-a" });
    operator(&test, "supabase-jwt", "other", done);
    let error =
        test.cluster.sync_external_secrets(NAMESPACE, &["supabase-jwt"], &patience()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ExternalSecret `supabase/supabase-jwt` is synced, but Secret `supabase-jwt` lacks password"
    );
}

#[test]
fn a_failed_sync_tells_the_cause_from_the_event() {
    let test = TestCluster::start();
    test.define_external_secrets();
    test.apply(&external_secret("supabase-jwt"));
    let failed = json!({ "conditions": ready("False", "SecretSyncedError") });
    // An old failure: without a new warning it says nothing about this run.
    test.set_status(&kinds::EXTERNAL_SECRET, "supabase-jwt", &failed);
    let client = test.client.clone();
    test.spawn(async move {
        let secrets = api(&client, &kinds::EXTERNAL_SECRET);
        when(secrets, "supabase-jwt", was_forced).await;
        let event = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": { "name": "e", "namespace": NAMESPACE },
            "type": "Warning", "reason": "UpdateFailed", "message": "error processing spec.data[0] (key: /dev/x), err: Secret does not exist",
            "involvedObject": { "kind": "ExternalSecret", "name": "supabase-jwt", "namespace": NAMESPACE },
        });
        let event: DynamicObject = serde_json::from_value(event).unwrap();
        api(&client, &kinds::EVENT).create(&PostParams::default(), &event).await.unwrap();
    });
    let error =
        test.cluster.sync_external_secrets(NAMESPACE, &["supabase-jwt"], &patience()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ExternalSecret `supabase/supabase-jwt`: UpdateFailed: error processing spec.data[0] (key: /dev/x), err: Secret does not exist"
    );
}

#[test]
fn a_valid_store_ends_its_wait() {
    let test = TestCluster::start();
    test.define_external_secrets();
    test.apply(&json!({
        "apiVersion": "external-secrets.io/v1", "kind": "SecretStore",
        "metadata": { "name": "parameters", "namespace": NAMESPACE }, "spec": {},
    }));
    let stores = test.api(&kinds::SECRET_STORE);
    test.spawn(async move {
        when(stores.clone(), "parameters", was_forced).await;
        set_status(&stores, "parameters", &json!({ "conditions": ready("True", "Valid") })).await;
    });
    test.cluster.wait_secret_store(NAMESPACE, "parameters", &patience()).unwrap();
}

fn deployment(name: &str) -> Value {
    let labels = json!({ "app": name });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name, "namespace": NAMESPACE, "labels": { "release": "r" } },
        "spec": { "replicas": 1, "selector": { "matchLabels": labels }, "template": {
            "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "c", "image": "i" }] },
        }},
    })
}

#[test]
fn a_deployment_is_waited_for_across_a_lost_watch() {
    let test = TestCluster::start();
    test.apply(&deployment("b"));
    let done = json!({ "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1 });
    let (told, heard) = std::sync::mpsc::channel();
    let (server, deployments) = (test.server.clone(), test.api(&kinds::DEPLOYMENT));
    let controller = test.spawn(async move {
        // The wait has begun: it said what it waits for.
        let first: String =
            tokio::task::spawn_blocking(move || heard.recv().unwrap()).await.unwrap();
        assert_eq!(first, "waiting for b not seen by its controller yet");
        server.drop_watches(crate::cluster::NAME);
        set_status(&deployments, "b", &done).await;
    });
    let progress = |text: &str| drop(told.send(text.to_owned()));
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    let wait = Wait::until(deadline, &|| false, &progress);
    let target = Target::new(kinds::DEPLOYMENT, NAMESPACE, "b");
    test.cluster.wait_rolled_out(&target, &wait).unwrap();
    test.finish(controller);
}

#[test]
fn an_ingress_is_waited_for_with_its_last_warning() {
    let test = TestCluster::start();
    test.apply(&json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": "supabase", "namespace": NAMESPACE },
        "spec": { "defaultBackend": { "service": { "name": "kong", "port": { "number": 8000 } } } },
    }));
    test.apply(&json!({
        "apiVersion": "v1", "kind": "Event", "metadata": { "name": "e", "namespace": NAMESPACE },
        "type": "Warning", "reason": "FailedDeployModel", "message": "no subnets",
        "involvedObject": { "kind": "Ingress", "name": "supabase", "namespace": NAMESPACE },
    }));
    let wait = Wait::at_most(Duration::from_secs(2));
    let error =
        test.cluster.wait_ingress(NAMESPACE, "supabase", None, &wait).unwrap_err().to_string();
    assert!(error.ends_with("its controller warns: FailedDeployModel: no subnets"), "{error}");
    let status =
        json!({ "loadBalancer": { "ingress": [{ "hostname": "k8s-supabase.elb.example" }] } });
    test.set_status(&kinds::INGRESS, "supabase", &status);
    let hostname = test.cluster.wait_ingress(NAMESPACE, "supabase", None, &patience()).unwrap();
    assert_eq!(hostname, "k8s-supabase.elb.example");
}

fn job(test: &TestCluster) {
    let template = json!({ "spec": { "restartPolicy": "Never", "containers": [{ "name": "bootstrap", "image": "i" }] } });
    test.apply(&json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": { "name": "bootstrap", "namespace": NAMESPACE }, "spec": { "template": template },
    }));
    test.apply(&json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "bootstrap-1", "namespace": NAMESPACE, "labels": { "batch.kubernetes.io/job-name": "bootstrap" } },
        "spec": { "restartPolicy": "Never", "containers": [{ "name": "bootstrap", "image": "i" }] },
    }));
}

fn ended(test: &TestCluster, phase: &str, code: i64, message: &str) {
    test.set_status(
        &kinds::POD,
        "bootstrap-1",
        &json!({
            "phase": phase,
            "containerStatuses": [{
                "name": "bootstrap", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                "state": { "terminated": { "exitCode": code, "message": message } },
            }],
        }),
    );
}

#[test]
fn a_complete_job_brings_its_message_home() {
    let test = TestCluster::start();
    job(&test);
    ended(&test, "Succeeded", 0, "{\"bypassrls\":false}");
    let jobs = test.api(&kinds::JOB);
    let complete = json!({ "succeeded": 1, "startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:00:01Z", "conditions": [
        { "type": "SuccessCriteriaMet", "status": "True" }, { "type": "Complete", "status": "True" },
    ]});
    test.spawn(async move { set_status(&jobs, "bootstrap", &complete).await });
    let report = test.cluster.wait_job(NAMESPACE, "bootstrap", &patience()).unwrap();
    assert_eq!(report.termination_message.as_deref(), Some("{\"bypassrls\":false}"));
    assert_eq!(report.log_tail, ["bootstrap of bootstrap-1", "current run"]);
}

#[test]
fn a_failed_job_is_an_error_with_its_last_words() {
    let test = TestCluster::start();
    job(&test);
    ended(&test, "Failed", 3, "permission denied");
    let failed = json!({ "failed": 1, "startTime": "2026-01-01T00:00:00Z", "conditions": [
        { "type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded" },
        { "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often" },
    ]});
    test.set_status(&kinds::JOB, "bootstrap", &failed);
    let error = test.cluster.wait_job(NAMESPACE, "bootstrap", &patience()).unwrap_err();
    let failure = error.downcast_ref::<JobFailure>().unwrap();
    assert_eq!(failure.reason, "BackoffLimitExceeded: too often");
    assert!(
        error
            .to_string()
            .contains("permission denied; the last lines of its log:\nbootstrap of bootstrap-1"),
        "{error}"
    );
}

#[test]
fn an_object_that_never_comes_is_named() {
    let test = TestCluster::start();
    let wait = Wait::at_most(Duration::from_secs(1));
    let error = test.cluster.wait_job(NAMESPACE, "none", &wait).unwrap_err().to_string();
    assert_eq!(
        error,
        "gave up waiting for Job `supabase/none` to be complete; last seen: there is no Job `supabase/none`"
    );
}
