//! Real helm: what it waits for, and what it rolls back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use serde_json::Value;
use xtask_tools::{Command, Processes};

use crate::harness::Cluster;

/// Helm 4 from the variable HELM, from the path, or the copy that the project installed for itself.
fn helm() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let installed =
        std::fs::read_dir(root.join("target/tools/helm")).into_iter().flatten().flatten();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates: Vec<PathBuf> =
        std::env::var_os("HELM").map(PathBuf::from).into_iter().collect();
    candidates.extend(std::env::split_paths(&path).map(|folder| folder.join("helm")));
    candidates.extend(installed.map(|entry| entry.path().join("helm")));
    let is_four = |helm: &PathBuf| {
        let version = Processes::default().command(helm).args(["version", "--short"]).output();
        version.is_ok_and(|version| version.starts_with("v4."))
    };
    candidates
        .into_iter()
        .find(|helm| helm.is_file() && is_four(helm))
        .expect("these tests need helm 4: `cargo xtask doctor` says how to get it")
}

pub(crate) fn command(cluster: &Cluster) -> Command {
    Processes::default()
        .command(helm())
        .env("KUBECONFIG", &cluster.kubeconfig)
        .env("HELM_CACHE_HOME", cluster.folder.path().join("helm"))
        .env("HELM_CONFIG_HOME", cluster.folder.path().join("helm"))
        .env("HELM_DATA_HOME", cluster.folder.path().join("helm"))
        .timeout(Duration::from_secs(300))
}

fn write_chart(folder: &Path) -> PathBuf {
    let chart = folder.join("chart");
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    std::fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: web\nversion: 1.0.0\n")
        .unwrap();
    std::fs::write(chart.join("values.yaml"), "tag: v3.30.1\n").unwrap();
    std::fs::write(
        chart.join("templates/all.yaml"),
        r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: darthsim/imgproxy:{{ .Values.tag }}
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /health, port: http}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: web-before, annotations: {helm.sh/hook: "pre-upgrade,pre-install", helm.sh/hook-delete-policy: before-hook-creation}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: "postgres:17-alpine", command: [sh, -c, "echo ready"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: web-test, annotations: {helm.sh/hook: test}}
spec:
  restartPolicy: Never
  containers: [{name: main, image: "postgres:17-alpine", command: [sh, -c, "test 1 = 1"]}]
"#,
    )
    .unwrap();
    chart
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_installs_tests_and_rolls_a_bad_image_back() {
    let cluster = Cluster::start().await;
    let chart = write_chart(cluster.folder.path());
    let install = |tag: &str, seconds: u32| {
        command(&cluster)
            .args(["--namespace", "supabase", "upgrade", "--install", "web"])
            .arg(&chart)
            .args(["--set", &format!("tag={tag}"), "--wait", "--rollback-on-failure"])
            .args(["--timeout", &format!("{seconds}s")])
    };
    let (good, bad) = (install("v3.30.1", 120), install("no-such-tag", 8));
    let (test, history) = (
        command(&cluster).args(["--namespace", "supabase", "test", "web"]),
        command(&cluster).args(["--namespace", "supabase", "history", "web", "-o", "json"]),
    );
    let outcome = tokio::task::spawn_blocking(move || {
        good.output().unwrap();
        test.output().unwrap();
        let failure = bad.output().unwrap_err().to_string();
        let history: Vec<Value> = history.json().unwrap();
        (failure, history)
    });
    let (failure, history) = outcome.await.unwrap();
    assert!(failure.contains("rollback") || failure.contains("rolled back"), "{failure}");
    let statuses: Vec<_> = history.iter().map(|entry| entry["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["superseded", "failed", "deployed"]);
    let web: Deployment = cluster
        .wait_for("web", |web: &Deployment| {
            web.status.clone().unwrap_or_default().updated_replicas == Some(2)
        })
        .await;
    let image = web.spec.unwrap().template.spec.unwrap().containers.remove(0).image.unwrap();
    assert_eq!(image, "darthsim/imgproxy:v3.30.1");
}
