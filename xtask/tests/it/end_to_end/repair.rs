//! What somebody changed in the cluster by hand.

use serde_json::json;
use xtask_cloud::{Cluster, Target, kinds};

use super::sandbox::{Sandbox, tell};

const NAMESPACE: &str = "supabase";

/// Deleted policies, a component without Pods, another image: all are put back and named.
pub(super) fn what_was_changed_by_hand_is_put_back(sandbox: &Sandbox) {
    let kubeconfig = sandbox.runs().join("dev/kubeconfig");
    let cluster = Cluster::from_context(Some(&kubeconfig), "supabase-dev").unwrap();
    let policies = cluster.delete_all(&kinds::NETWORK_POLICY, NAMESPACE, "").unwrap();
    assert!(!policies.is_empty());
    let by_hand = |name: &str, spec: serde_json::Value| {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": name, "namespace": NAMESPACE }, "spec": spec,
        });
        cluster.apply(&object, "kubectl", true).unwrap();
    };
    by_hand("supabase-meta", json!({ "replicas": 0 }));
    let containers = json!([{ "name": "auth", "image": "supabase/gotrue:v1" }]);
    by_hand("supabase-auth", json!({ "template": { "spec": { "containers": containers } } }));

    let database = sandbox.must("stage database dev --sandbox");
    let release = sandbox.must("stage release dev --sandbox");
    let said = [database.out, database.error, release.out, release.error].concat();
    let names = ["Deployment supabase/supabase-meta", "Deployment supabase/supabase-auth"];
    let policies = policies.iter().map(|name| format!("NetworkPolicy supabase/{name}"));
    for name in policies.chain(names.map(str::to_owned)) {
        assert!(said.contains(&name), "{name} is not said to be repaired:\n{said}");
    }
    let meta = Target::new(kinds::DEPLOYMENT, NAMESPACE, "supabase-meta");
    let meta = cluster.get(&meta).unwrap().unwrap();
    assert!(meta["status"]["availableReplicas"].as_u64() >= Some(1), "{}", meta["status"]);
    let namespace = cluster.get(&Target::new(kinds::NAMESPACE, "", NAMESPACE)).unwrap().unwrap();
    let gate = &namespace["metadata"]["labels"]["elbv2.k8s.aws/pod-readiness-gate-inject"];
    assert_eq!(gate, "enabled");
    tell("what was changed by hand is put back");
}
