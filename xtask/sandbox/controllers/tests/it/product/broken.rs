//! One thing broken at a time: the answer has to say which.
//!
//! Each breaks another component, so that nothing has to be mended in between. The runner's smoke
//! stage puts these answers into its sentence, which its own tests look at.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::{Product, try_install};
use crate::harness::Cluster;

/// The bootstrap refuses a server whose certificate is signed by somebody else.
pub(super) async fn a_wrong_authority_is_named(cluster: &Cluster, values: &Value) {
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let mut values = values.clone();
    values["database"]["caBundle"]["pem"] = json!(other.cert.pem());
    values["job"] = json!({"backoffLimit": 0});
    let installed =
        try_install(cluster, "supabase", "supabase-database", "helm/database", &[], values);
    installed.await.unwrap_err();
    let jobs = ListParams::default().labels("app.kubernetes.io/component=bootstrap");
    let jobs = cluster.api::<Job>().list(&jobs).await.unwrap().items;
    let failed = jobs.iter().filter_map(|job| job.status.as_ref()?.failed).sum::<i32>();
    assert_eq!(failed, 1, "{}", cluster.describe().await);
    let said = bootstrap_said(cluster).await;
    assert!(
        said.contains(
            "the certificate of 127.0.0.1 is not signed by any authority of database.caBundle"
        ),
        "{said}"
    );
}

/// The last words of the bootstrap's container.
async fn bootstrap_said(cluster: &Cluster) -> String {
    let pods = ListParams::default().labels("app.kubernetes.io/component=bootstrap");
    let pod = cluster.api::<Pod>().list(&pods).await.unwrap().items.pop().unwrap();
    let ended = pod.status.unwrap().container_statuses.unwrap().pop().unwrap().state.unwrap();
    ended.terminated.unwrap().message.unwrap_or_default()
}

pub(super) async fn parts_are_named(product: &Product) {
    let Product { cluster, anon, service, .. } = product;
    let nobody = json!({"selector": {"app.kubernetes.io/component": "nobody"}});
    patch_service(cluster, "supabase-rest", nobody).await;
    let wrong_port = json!({"ports": [{"name": "http", "port": 9998, "targetPort": "http"}]});
    patch_service(cluster, "supabase-auth", wrong_port).await;
    fails(product, "/rest/v1/", Some(service), "the selector of Service supabase/supabase-rest matches nothing: app.kubernetes.io/component=nobody").await;
    fails(
        product,
        "/auth/v1/health",
        Some(anon),
        "Service supabase/supabase-auth has no port 9999",
    )
    .await;

    cluster.apply([missing_key()]).await;
    fails(
        product,
        "/storage/v1/status",
        None,
        "couldn't find key no-such-key in Secret supabase/supabase-database-storage-admin",
    )
    .await;

    cluster.apply([closed("supabase-meta")]).await;
    fails(
        product,
        "/pg/tables",
        Some(service),
        "NetworkPolicy supabase-default-deny, supabase-meta blocks kong -> meta:8080",
    )
    .await;

    // The last one, because it hides all others.
    cluster.apply([closed("supabase-kong")]).await;
    fails(product, "/healthz", None, "NetworkPolicy supabase-default-deny, supabase-kong blocks")
        .await;
}

/// Asks until the answer is a failure that says this.
async fn fails(product: &Product, path: &str, key: Option<&str>, part: &str) {
    let last = std::sync::Mutex::new(String::new());
    let answer = product.cluster.eventually(|| async {
        let (status, body) = product.get(path, key).await;
        let fits = status == 503 && message(&body).contains(part);
        *last.lock().unwrap() = format!("{status} {body}");
        fits.then_some(())
    });
    if answer.await.is_none() {
        let last = last.into_inner().unwrap();
        panic!("{path} never says {part:?}: {last}\n{}", product.cluster.describe().await);
    }
}

/// Where the runner looks for it.
fn message(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    body["message"].as_str().unwrap_or_default().to_owned()
}

/// As `kubectl patch --type=merge` does it.
async fn patch_service(cluster: &Cluster, name: &str, spec: Value) {
    let patch = Patch::Merge(json!({ "spec": spec }));
    cluster.api::<Service>().patch(name, &PatchParams::default(), &patch).await.unwrap();
}

/// All Pods are replaced at once: with a rolling update the old ones would go on answering.
fn missing_key() -> Value {
    let password = json!({"secretKeyRef": {
        "name": "supabase-database-storage-admin", "key": "no-such-key",
    }});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "supabase-storage"}, "spec": {
        "strategy": {"type": "Recreate", "rollingUpdate": null},
        "template": {"spec": {"containers": [
            {"name": "storage", "env": [{"name": "DATABASE_PASSWORD", "valueFrom": password}]},
        ]}},
    }})
}

/// The component's policy without any way in.
fn closed(component: &str) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": component},
        "spec": {"ingress": []}})
}
