//! helm 4: releases, hooks, rollbacks, and the conflict that drift causes.

use std::{future::Future, pin::Pin, sync::Arc};

use sandbox_kubernetes::{LogProvider, LogRequest, LogStream};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::{
    controller::{self, BROKEN},
    harness::Sandbox,
};

const TEMPLATES: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: app
          image: {{ .Values.image | quote }}
          ports: [{name: http, containerPort: 8080}]
          env: [{name: MODE, value: {{ .Values.mode | quote }}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {mode: {{ .Values.mode | quote }}}
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: web}
spec: {size: 3}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: prepare
  annotations: {helm.sh/hook: pre-install, helm.sh/hook-delete-policy: before-hook-creation}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: prepare, image: "prepare:1"}]
---
apiVersion: v1
kind: Pod
metadata:
  name: check
  annotations: {helm.sh/hook: test}
spec:
  restartPolicy: Never
  containers: [{name: check, image: "check:1"}]
"#;

const DEFINITION: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [size]
              properties:
                size: {type: integer, minimum: 1}
                colour: {type: string, default: red}
"#;

fn chart(sandbox: &Sandbox) -> String {
    let name = sandbox.file("chart/Chart.yaml", "apiVersion: v2\nname: demo\nversion: 0.1.0\n");
    sandbox.file("chart/values.yaml", "image: app:1\nmode: first\n");
    sandbox.file("chart/templates/all.yaml", TEMPLATES);
    sandbox.file("chart/crds/widgets.yaml", DEFINITION);
    name.trim_end_matches("/Chart.yaml").to_owned()
}

fn upgrade(sandbox: &Sandbox, chart: &str, more: &[&str]) -> crate::harness::Ran {
    let arguments =
        ["upgrade", "--install", "demo", chart, "-n", "app", "--create-namespace", "--wait"];
    sandbox.helm(&[&arguments, more].concat())
}

/// The statuses of the release's revisions, oldest first.
fn statuses(sandbox: &Sandbox) -> Vec<String> {
    let history = sandbox.helm(&["history", "demo", "-n", "app", "-o", "json"]).ok();
    let history: Vec<Value> = serde_json::from_str(&history).unwrap();
    history.iter().map(|one| one["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_release_lives_from_install_to_uninstall() {
    let sandbox = Sandbox::start();
    controller::start(&sandbox);
    let chart = chart(&sandbox);
    upgrade(&sandbox, &chart, &["--rollback-on-failure", "--timeout", "40s"]).ok();
    assert!(sandbox.helm(&["status", "demo", "-n", "app"]).ok().contains("STATUS: deployed"));
    let colour = sandbox
        .kubectl(&["get", "widget", "web", "-n", "app", "-o", "jsonpath={.spec.colour}"])
        .ok();
    assert_eq!(colour.trim(), "red");

    upgrade(&sandbox, &chart, &["--set", "mode=second"]).ok();
    let mode =
        || sandbox.kubectl(&["get", "cm", "web", "-n", "app", "-o", "jsonpath={.data.mode}"]).ok();
    assert_eq!(mode().trim(), "second");
    sandbox.helm(&["rollback", "demo", "1", "-n", "app", "--wait"]).ok();
    assert_eq!(mode().trim(), "first");
    assert_eq!(statuses(&sandbox), ["superseded", "superseded", "deployed"]);

    sandbox.helm(&["uninstall", "demo", "-n", "app", "--wait"]).ok();
    let left =
        sandbox.kubectl(&["get", "deployments,services,widgets", "-n", "app", "-o", "name"]).ok();
    assert_eq!(left.trim(), "");
}

#[test]
fn a_scaled_deployment_stops_a_plain_upgrade_and_force_cures_it() {
    let sandbox = Sandbox::start();
    controller::start(&sandbox);
    let chart = chart(&sandbox);
    upgrade(&sandbox, &chart, &[]).ok();
    sandbox.kubectl(&["scale", "deployment", "web", "-n", "app", "--replicas=5"]).ok();
    let refused = upgrade(&sandbox, &chart, &["--set", "mode=second"]).fails();
    let conflict = "Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: .spec.replicas";
    assert!(refused.contains(conflict), "{refused}");
    assert_eq!(statuses(&sandbox), ["deployed", "failed"]);

    upgrade(&sandbox, &chart, &["--set", "mode=second", "--force-conflicts"]).ok();
    let replicas = sandbox.kubectl(&[
        "get",
        "deployment",
        "web",
        "-n",
        "app",
        "-o",
        "jsonpath={.spec.replicas}",
    ]);
    assert_eq!(replicas.ok().trim(), "2");
    upgrade(&sandbox, &chart, &["--set", "mode=third"]).ok();
}

#[test]
fn a_failed_upgrade_is_rolled_back() {
    let sandbox = Sandbox::start();
    controller::start(&sandbox);
    let chart = chart(&sandbox);
    upgrade(&sandbox, &chart, &[]).ok();
    let image = format!("image={BROKEN}");
    let failing = ["--set", &image, "--rollback-on-failure", "--timeout", "5s"];
    let failed = upgrade(&sandbox, &chart, &failing).fails();
    assert!(failed.contains("rolled back"), "{failed}");
    assert_eq!(statuses(&sandbox), ["superseded", "failed", "deployed"]);
    let path = "jsonpath={.spec.template.spec.containers[0].image}";
    let image = sandbox.kubectl(&["get", "deployment", "web", "-n", "app", "-o", path]).ok();
    assert_eq!(image.trim(), "app:1");
}

/// Says who was asked for.
struct Echo;

impl LogProvider for Echo {
    fn log<'a>(
        &'a self,
        request: LogRequest,
    ) -> Pin<Box<dyn Future<Output = LogStream> + Send + 'a>> {
        Box::pin(async move {
            let (sender, receiver) = mpsc::channel(1);
            let line =
                format!("log of {}/{}/{}\n", request.namespace, request.pod, request.container);
            let _ = sender.send(line.into_bytes()).await;
            receiver
        })
    }
}

#[test]
fn tests_of_a_release_run_and_show_their_logs() {
    let sandbox = Sandbox::with_logs(Arc::new(Echo));
    controller::start(&sandbox);
    let chart = chart(&sandbox);
    upgrade(&sandbox, &chart, &[]).ok();
    let tested = sandbox.helm(&["test", "demo", "-n", "app", "--logs"]).ok();
    assert!(tested.contains("log of app/check/check"), "{tested}");
    assert!(tested.contains("Succeeded"), "{tested}");
}

#[test]
fn what_a_release_no_longer_has_is_removed_from_objects_and_cluster() {
    let sandbox = Sandbox::start();
    controller::start(&sandbox);
    let chart = chart(&sandbox);
    upgrade(&sandbox, &chart, &[]).ok();
    let without = TEMPLATES
        .replace("          env: [{name: MODE, value: {{ .Values.mode | quote }}}]\n", "")
        .replace(
            "kind: ConfigMap\nmetadata: {name: web}",
            "kind: ConfigMap\nmetadata: {name: other}",
        );
    sandbox.file("chart/templates/all.yaml", &without);
    upgrade(&sandbox, &chart, &[]).ok();
    let maps = sandbox.kubectl(&["get", "configmaps", "-n", "app", "-o", "name"]).ok();
    assert_eq!(maps.lines().collect::<Vec<_>>(), ["configmap/kube-root-ca.crt", "configmap/other"]);
    let path = "jsonpath={.spec.template.spec.containers[0].env}";
    let env = sandbox.kubectl(&["get", "deployment", "web", "-n", "app", "-o", path]).ok();
    assert_eq!(env.trim(), "");
}

#[test]
fn a_mistake_in_a_chart_is_named() {
    let sandbox = Sandbox::start();
    let chart = chart(&sandbox);
    sandbox.file("chart/templates/all.yaml", &TEMPLATES.replace("targetPort", "targetPrt"));
    let refused = sandbox
        .helm(&["install", "demo", &chart, "-n", "app", "--create-namespace", "--no-hooks"])
        .fails();
    assert!(
        refused.contains(
            ".spec.ports[port=80,protocol=\"TCP\"].targetPrt: field not declared in schema"
        ),
        "{refused}"
    );
}
