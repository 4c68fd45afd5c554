//! kubectl, by its everyday commands.

use crate::{
    controller,
    harness::{Sandbox, eventually},
};

const MANIFEST: &str = r#"
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
          image: app:1
          ports: [{containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
"#;

#[test]
fn client_side_apply_creates_leaves_alone_and_changes() {
    let sandbox = Sandbox::start();
    let apply = |manifest: &str| sandbox.kubectl_with(&["apply", "-f", "-"], manifest).ok();
    assert_eq!(apply(MANIFEST), "deployment.apps/web created\nservice/web created\n");
    assert_eq!(apply(MANIFEST), "deployment.apps/web unchanged\nservice/web unchanged\n");
    let changed = MANIFEST.replace("app:1", "app:2").replace("ports: [{containerPort: 8080}]", "");
    let diff = sandbox.kubectl_with(&["diff", "-f", "-"], &changed);
    assert_eq!(diff.code, 1);
    assert!(
        diff.text.contains("-      - image: app:1") && diff.text.contains("+      - image: app:2"),
        "{}",
        diff.text
    );
    assert_eq!(apply(&changed), "deployment.apps/web configured\nservice/web unchanged\n");
    let ports = "jsonpath={.spec.template.spec.containers[0].ports}";
    assert_eq!(sandbox.kubectl(&["get", "deployment", "web", "-o", ports]).ok().trim(), "");
    assert_eq!(sandbox.kubectl_with(&["diff", "-f", "-"], &changed).code, 0);
}

#[test]
fn server_side_apply_takes_over_from_client_side_and_meets_conflicts() {
    let sandbox = Sandbox::start();
    let apply = |more: &[&str]| {
        sandbox.kubectl_with(&[&["apply", "--server-side", "-f", "-"], more].concat(), MANIFEST)
    };
    sandbox.kubectl_with(&["apply", "-f", "-"], MANIFEST).ok();
    apply(&[]).ok();
    let managers = "jsonpath={.metadata.managedFields[*].manager}";
    let managers = sandbox
        .kubectl(&["get", "deployment", "web", "--show-managed-fields", "-o", managers])
        .ok();
    assert!(!managers.contains("kubectl-client-side-apply"), "{managers}");

    sandbox.kubectl(&["patch", "deployment", "web", "-p", r#"{"spec":{"replicas":4}}"#]).ok();
    let refused = apply(&[]).fails();
    assert!(
        refused.contains("conflict with \"kubectl-patch\" using apps/v1: .spec.replicas"),
        "{refused}"
    );
    apply(&["--force-conflicts"]).ok();
    let replicas =
        sandbox.kubectl(&["get", "deployment", "web", "-o", "jsonpath={.spec.replicas}"]).ok();
    assert_eq!(replicas.trim(), "2");
}

#[test]
fn rollouts_are_restarted_waited_for_and_scaled() {
    let sandbox = Sandbox::start();
    controller::start(&sandbox);
    sandbox.kubectl_with(&["apply", "-f", "-"], MANIFEST).ok();
    sandbox.kubectl(&["wait", "deployment/web", "--for=condition=Available", "--timeout=40s"]).ok();
    sandbox.kubectl(&["annotate", "deployment", "web", "a=b"]).ok();
    sandbox.kubectl(&["label", "deployment", "web", "tier=front"]).ok();
    sandbox.kubectl(&["rollout", "restart", "deployment/web"]).ok();
    let status = sandbox.kubectl(&["rollout", "status", "deployment/web", "--timeout=40s"]).ok();
    assert!(status.contains("successfully rolled out"), "{status}");
    let table = sandbox.kubectl(&["get", "deployments"]).ok();
    let cells: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().take(4).collect();
    assert_eq!(cells, ["web", "2/2", "2", "2"], "{table}");
    sandbox.kubectl(&["scale", "deployment/web", "--replicas=3"]).ok();
    let replicas =
        ["wait", "deployment/web", "--for=jsonpath={.status.readyReplicas}=3", "--timeout=40s"];
    sandbox.kubectl(&replicas).ok();
    assert_eq!(
        sandbox.kubectl(&["get", "deploy", "-l", "tier=front", "-o", "name"]).ok(),
        "deployment.apps/web\n"
    );
    sandbox
        .kubectl(&[
            "delete",
            "deployment",
            "web",
            "--wait",
            "--cascade=foreground",
            "--timeout=40s",
        ])
        .ok();
    let missing = sandbox.kubectl(&["get", "deployment", "web"]).fails();
    assert!(missing.contains("(NotFound): deployments.apps \"web\" not found"), "{missing}");
}

#[test]
fn a_watch_prints_what_happens() {
    let sandbox = Sandbox::start();
    sandbox.kubectl(&["create", "namespace", "n"]).ok();
    let seen = std::thread::scope(|scope| {
        let watch = scope
            .spawn(|| sandbox.kubectl(&["get", "configmaps", "-n", "n", "-w", "-o", "name"]).text);
        // The watch has begun once its first line is there, which nobody sees before it ends; so
        // objects come until the watch has been ended.
        let mut number = 0;
        eventually("the watch ends", || {
            number += 1;
            sandbox
                .kubectl(&[
                    "create",
                    "configmap",
                    &format!("c{number}"),
                    "-n",
                    "n",
                    "--from-literal=a=b",
                ])
                .ok();
            // Rarely, so that what was created meanwhile has long been told.
            if number % 10 == 0 {
                sandbox.server.drop_watches(crate::harness::CLUSTER);
            }
            watch.is_finished()
        });
        watch.join().unwrap()
    });
    assert!(seen.contains("configmap/kube-root-ca.crt") && seen.contains("configmap/c1"), "{seen}");
}

#[test]
fn objects_that_go_over_the_wire_as_protobuf_arrive() {
    let sandbox = Sandbox::start();
    assert_eq!(sandbox.kubectl(&["auth", "can-i", "create", "pods"]).ok().trim(), "yes");
    assert!(sandbox.kubectl(&["auth", "whoami"]).ok().contains("alice"));
    sandbox.kubectl(&["create", "secret", "generic", "s", "--from-literal=a=b"]).ok();
    assert_eq!(
        sandbox.kubectl(&["get", "secret", "s", "-o", "jsonpath={.data.a} {.type}"]).ok().trim(),
        "Yg== Opaque"
    );
    sandbox.kubectl(&["create", "serviceaccount", "robot"]).ok();
    let token = sandbox.kubectl(&["create", "token", "robot"]).ok();
    let user = sandbox.kubectl(&[
        "auth",
        "whoami",
        "--token",
        token.trim(),
        "-o",
        "jsonpath={.status.userInfo.username}",
    ]);
    // The kubeconfig's own token wins over the flag in no version of kubectl.
    assert_eq!(user.ok().trim(), "system:serviceaccount:default:robot");
}

#[test]
fn a_namespace_is_gone_once_delete_returns() {
    let sandbox = Sandbox::start();
    sandbox.kubectl(&["create", "namespace", "n"]).ok();
    sandbox.kubectl(&["create", "configmap", "c", "-n", "n"]).ok();
    sandbox.kubectl(&["delete", "namespace", "n", "--wait", "--timeout=40s"]).ok();
    let refused = sandbox.kubectl(&["create", "configmap", "c", "-n", "n"]).fails();
    assert!(refused.contains("namespaces \"n\" not found"), "{refused}");
}

#[test]
fn mistakes_are_answered_as_by_a_real_server() {
    let sandbox = Sandbox::start();
    let apply = |manifest: &str| sandbox.kubectl_with(&["apply", "-f", "-"], manifest).fails();
    let unknown = apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndta: {}\n");
    assert!(unknown.contains("strict decoding error: unknown field \"dta\""), "{unknown}");
    let name = apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A}\n");
    assert!(
        name.contains("The ConfigMap \"A\" is invalid: metadata.name: Invalid value: \"A\""),
        "{name}"
    );
    let kind = apply("apiVersion: example.com/v1\nkind: None\nmetadata: {name: a}\n");
    assert!(kind.contains("no matches for kind \"None\" in version \"example.com/v1\""), "{kind}");
    let explained = sandbox.kubectl(&["explain", "deployment.spec.strategy.type"]).ok();
    assert!(explained.contains("RollingUpdate"), "{explained}");
}
