//! Releases whose objects do not live as they were declared, and what Helm leaves undone.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use xtask_cloud::{Kind, Target, Wait, kinds};

use super::{NAMESPACE, World};
use crate::helm::{Install, Installed};

const PATIENCE: Duration = Duration::from_secs(60);

const POLICY: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
spec: {podSelector: {}, policyTypes: [Ingress]}
";

const SCALED: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: meta}
spec:
  {{- if not .Values.autoscaling }}
  replicas: 3
  {{- end }}
  selector: {matchLabels: {app: meta}}
  template:
    metadata: {labels: {app: meta}}
    spec: {containers: [{name: meta, image: "meta:1"}]}
{{- if .Values.autoscaling }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: meta}
spec:
  minReplicas: 2
  maxReplicas: 5
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: meta}
{{- end }}
"#;

/// A definition whose objects have these fields.
fn definition(fields: &[&str]) -> Value {
    let fields: serde_json::Map<String, Value> =
        fields.iter().map(|name| ((*name).to_owned(), json!({ "type": "string" }))).collect();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": "things.example.com" },
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": { "kind": "Thing", "listKind": "ThingList", "plural": "things", "singular": "thing" },
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": { "type": "object", "properties": {
                    "spec": { "type": "object", "properties": fields },
                    "status": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
                }}},
            }],
        },
    })
}

impl World {
    fn chart_file(&self, name: &str, text: &str) {
        let file = self.folder.path().join("chart").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn live(&self, kind: Kind, name: &str) -> Option<Value> {
        self.cluster.get(&Target::new(kind, NAMESPACE, name)).unwrap()
    }

    /// Installs without waiting: nothing rolls out here.
    fn deploy_unattended(&self, values: &str) -> Installed {
        let install = Install { wait: false, ..self.install(values) };
        self.helm.install_into(&self.cluster, &self.run(), &install).unwrap()
    }

    fn set_mode_by_hand(&self, mode: &str) {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "web", "namespace": NAMESPACE }, "data": { "mode": mode },
        });
        self.cluster.apply(&object, "kubectl", true).unwrap();
    }
}

#[test]
fn what_was_changed_by_hand_is_put_back_and_said_and_makes_no_revision() {
    let world = World::start();
    world.chart_file("templates/policy.yaml", POLICY);
    world.deploy("mode: good").unwrap();
    let unchanged = world.deploy("mode: good").unwrap();
    assert!(unchanged.made.is_none() && unchanged.repaired.is_empty(), "{unchanged:?}");
    assert!(world.rehearsal.notes().is_empty(), "{:?}", world.rehearsal.notes());
    world.set_mode_by_hand("hacked");
    assert!(world.cluster.delete(&Target::new(kinds::NETWORK_POLICY, NAMESPACE, "deny")).unwrap());
    let repaired = world.deploy("mode: good").unwrap();
    assert!(repaired.made.is_none());
    let names = ["NetworkPolicy supabase/deny", "ConfigMap supabase/web"];
    assert_eq!(repaired.repaired, names);
    world.assert_noted("web does not live as revision 1 declares; repairing:");
    world.assert_noted("NetworkPolicy supabase/deny was not there");
    world.assert_noted("ConfigMap supabase/web: data.mode");
    world.assert_state(1, "deployed", "good");
    assert!(world.live(kinds::NETWORK_POLICY, "deny").is_some());
    assert!(world.deploy("mode: good").unwrap().repaired.is_empty());
    // An upgrade takes it back, too, and says so.
    world.set_mode_by_hand("hacked");
    world.deploy("mode: better").unwrap();
    world.assert_noted("web does not live as revision 1 declares; the upgrade takes it back:");
    world.assert_state(2, "deployed", "better");
}

#[test]
fn what_cannot_be_put_back_fails_with_the_clusters_reason() {
    let world = World::start();
    world.chart_file("templates/scaled.yaml", SCALED);
    world.deploy_unattended("mode: good");
    assert!(world.cluster.delete(&Target::new(kinds::DEPLOYMENT, NAMESPACE, "meta")).unwrap());
    let labels = json!({ "app": "other" });
    let other = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "meta", "namespace": NAMESPACE },
        "spec": { "selector": { "matchLabels": labels }, "template": {
            "metadata": { "labels": labels },
            "spec": { "containers": [{ "name": "meta", "image": "meta:1" }] },
        }},
    });
    world.cluster.apply(&other, "kubectl", true).unwrap();
    let install = Install { wait: false, ..world.install("mode: good") };
    let error = world.helm.install_into(&world.cluster, &world.run(), &install).unwrap_err();
    let error = error.to_string();
    let said = "Deployment supabase/meta does not live as revision 1 of web declares, and the cluster refuses";
    assert!(error.starts_with(said), "{error}");
    assert!(error.contains("spec.selector"), "{error}");
}

#[test]
fn the_definitions_of_a_chart_are_upgraded_before_the_release() {
    let world = World::start();
    world.chart_file("crds/things.yaml", &definition(&["old"]).to_string());
    world.deploy("mode: good").unwrap();
    world.chart_file("crds/things.yaml", &definition(&["old", "new"]).to_string());
    let thing =
        "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: one}\nspec: {new: kept}\n";
    world.chart_file("templates/thing.yaml", thing);
    world.deploy("mode: good").unwrap();
    let kind = Kind {
        group: "example.com",
        version: "v1",
        kind: "Thing",
        plural: "things",
        namespaced: true,
    };
    assert_eq!(world.live(kind, "one").unwrap()["spec"]["new"], "kept");
}

#[test]
fn replicas_survive_the_change_to_an_autoscaler_and_the_way_back() {
    let world = World::start();
    world.chart_file("templates/scaled.yaml", SCALED);
    let replicas = || world.live(kinds::DEPLOYMENT, "meta").unwrap()["spec"]["replicas"].clone();
    world.deploy_unattended("{mode: good, autoscaling: false}");
    assert_eq!(replicas(), 3);
    world.deploy_unattended("{mode: good, autoscaling: true}");
    assert_eq!(replicas(), 3);
    world.assert_noted("meta keep");
    // Off again, and then back to the revision that had it on.
    world.deploy_unattended("{mode: better, autoscaling: false}");
    let install = Install { wait: false, ..world.install("") };
    let claim = world.claim();
    world.helm.roll_back(&world.run(), &world.cluster, &install, &claim, 3, 2).unwrap();
    assert_eq!(replicas(), 3);
    world.assert_state(4, "deployed", "good");
}

#[test]
fn an_object_that_fails_at_first_ends_only_a_release_that_is_waited_for() {
    let world = World::start();
    let mut things = definition(&["mode"]);
    // The status is part of the object then, and the test can play its controller.
    things["spec"]["versions"][0].as_object_mut().unwrap().remove("subresources");
    world.cluster.apply(&things, "test", true).unwrap();
    world.deploy("mode: good").unwrap();
    let failing = json!({
        "apiVersion": "example.com/v1", "kind": "Thing",
        "metadata": {
            "name": "one", "namespace": NAMESPACE,
            "labels": { "app.kubernetes.io/managed-by": "Helm" },
            "annotations": { "meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": NAMESPACE },
        },
        "status": { "conditions": [{ "type": "Stalled", "status": "True", "reason": "SecretSyncedError", "message": "the store is not ready" }] },
    });
    let fail = || {
        let wait = Wait::at_most(PATIENCE);
        world.cluster.put_back(std::slice::from_ref(&failing), NAMESPACE, "test", &wait).unwrap();
    };
    fail();
    let thing = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: one}\nspec: {mode: a}\n";
    world.chart_file("templates/thing.yaml", thing);
    let error = world.deploy("mode: better").unwrap_err().to_string();
    assert!(error.contains("the store is not ready"), "{error}");
    // The roll-back took it away.
    fail();
    let unattended = world.deploy_unattended("mode: better");
    assert!(unattended.made.is_some());
    let install = Install { wait: false, ..world.install("") };
    let revision = unattended.revision;
    let claim = world.claim();
    world
        .helm
        .roll_back(&world.run(), &world.cluster, &install, &claim, revision, revision)
        .unwrap();
    world.assert_state(revision + 1, "deployed", "better");
}
