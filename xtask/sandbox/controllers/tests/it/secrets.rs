//! External Secrets: from SSM parameters to Secrets, with its conditions and events.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use crate::harness::{Cluster, deployment};

fn external_secrets(cluster: &Cluster) -> Api<DynamicObject> {
    let gvk = GroupVersionKind::gvk("external-secrets.io", "v1", "ExternalSecret");
    Api::namespaced_with(cluster.client.clone(), "supabase", &ApiResource::from_gvk(&gvk))
}

fn definition(kind: &str, plural: &str) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": format!("{plural}.external-secrets.io")},
    "spec": {
        "group": "external-secrets.io", "scope": "Namespaced",
        "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List")},
        "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
    }})
}

/// The operator, its right to make tokens, and a store for the account `reader`.
async fn install(cluster: &Cluster) {
    let role = cluster.account.put_role("reader", "supabase:reader");
    cluster.add_namespace("external-secrets").await;
    cluster
        .apply([
            definition("SecretStore", "secretstores"),
            definition("ExternalSecret", "externalsecrets"),
        ])
        .await;
    let image = "ghcr.io/external-secrets/external-secrets:v2.9.0";
    let mut operator = deployment("external-secrets", image, 1);
    operator["metadata"]["namespace"] = json!("external-secrets");
    operator["spec"]["template"]["spec"]["serviceAccountName"] = json!("external-secrets");
    cluster.apply([
        json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "external-secrets", "namespace": "external-secrets"}}),
        operator,
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader",
            "annotations": {"eks.amazonaws.com/role-arn": role}}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "reader-token"},
            "rules": [{"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"],
                "resourceNames": ["reader"]}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "reader-token"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader-token"},
            "subjects": [{"kind": "ServiceAccount", "name": "external-secrets", "namespace": "external-secrets"}]}),
        json!({"apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": "store"},
            "spec": {"provider": {"aws": {"service": "ParameterStore", "region": "eu-west-1",
                "auth": {"jwt": {"serviceAccountRef": {"name": "reader"}}}}}}}),
    ]).await;
}

fn external_secret() -> Value {
    json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "jwt"}, "spec": {
        "secretStoreRef": {"kind": "SecretStore", "name": "store"},
        "refreshInterval": "1h0m0s",
        "target": {"name": "jwt"},
        "data": [{"secretKey": "secret", "remoteRef": {"key": "/dev/supabase/jwt/secret"}}],
    }})
}

/// Waits for the condition Ready to have this reason; the answer is the status.
async fn wait_for_reason(cluster: &Cluster, reason: &str) -> Value {
    let status = cluster.eventually(|| async {
        let object = external_secrets(cluster).get("jwt").await.ok()?;
        let status = object.data.get("status")?.clone();
        let ready =
            status["conditions"].as_array()?.iter().find(|one| one["type"] == "Ready")?.clone();
        (ready["reason"] == reason).then_some(status)
    });
    status.await.unwrap_or_else(|| panic!("never {reason}"))
}

async fn held(cluster: &Cluster) -> Option<Vec<u8>> {
    let secret = cluster.api::<Secret>().get_opt("jwt").await.unwrap()?;
    Some(secret.data?.remove("secret")?.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_becomes_a_secret_and_follows_it_when_forced() {
    let cluster = Cluster::start().await;
    cluster.account.put_parameter("/dev/supabase/jwt/secret", "one");
    install(&cluster).await;
    cluster.apply([external_secret()]).await;
    let first = wait_for_reason(&cluster, "SecretSynced").await;
    assert_eq!(first["conditions"][0]["message"], "secret synced");
    assert_eq!(first["binding"]["name"], "jwt");
    assert_eq!(held(&cluster).await.unwrap(), b"one");

    cluster.account.put_parameter("/dev/supabase/jwt/secret", "two");
    let force = Patch::Merge(json!({"metadata": {"annotations": {"force-sync": "1"}}}));
    external_secrets(&cluster).patch("jwt", &PatchParams::default(), &force).await.unwrap();
    let followed = cluster.eventually(|| async { (held(&cluster).await? == b"two").then_some(()) });
    assert!(followed.await.is_some());
    let second = cluster
        .eventually(|| async {
            let object = external_secrets(&cluster).get("jwt").await.ok()?;
            let version = object.data["status"]["syncedResourceVersion"].clone();
            (version != first["syncedResourceVersion"]).then_some(())
        })
        .await;
    assert!(second.is_some(), "the synced version moves");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_parameter_fails_with_the_cause_in_an_event() {
    let cluster = Cluster::start().await;
    install(&cluster).await;
    cluster.apply([external_secret()]).await;
    let status = wait_for_reason(&cluster, "SecretSyncedError").await;
    assert_eq!(status["conditions"][0]["message"], "could not get secret data from provider");
    let cause =
        "error processing spec.data[0] (key: /dev/supabase/jwt/secret), err: Secret does not exist";
    cluster.wait_for_event("jwt", "UpdateFailed", cause).await;
    assert!(held(&cluster).await.is_none());
    cluster.account.put_parameter("/dev/supabase/jwt/secret", "late");
    wait_for_reason(&cluster, "SecretSynced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_ready_only_with_a_role_that_trusts_its_account() {
    let cluster = Cluster::start().await;
    cluster.account.put_parameter("/dev/supabase/jwt/secret", "one");
    install(&cluster).await;
    cluster.wait_for_event("store", "Valid", "store validated").await;
    cluster.account.put_role("reader", "elsewhere:reader");
    let touch = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader",
        "labels": {"touched": "yes"}, "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/reader"}}});
    cluster.apply([touch]).await;
    cluster
        .wait_for_event("store", "InvalidProviderConfig", "system:serviceaccount:elsewhere:reader")
        .await;
    cluster.apply([external_secret()]).await;
    wait_for_reason(&cluster, "SecretSyncedError").await;
    cluster.wait_for_event("jwt", "UpdateFailed", "SecretStore \"store\" is not ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_edited_secret_is_put_right_and_a_deleted_one_goes() {
    let cluster = Cluster::start().await;
    cluster.account.put_parameter("/dev/supabase/jwt/secret", "one");
    install(&cluster).await;
    cluster.apply([external_secret()]).await;
    wait_for_reason(&cluster, "SecretSynced").await;
    let edit = Patch::Merge(json!({"stringData": {"secret": "edited"}}));
    cluster.api::<Secret>().patch("jwt", &PatchParams::default(), &edit).await.unwrap();
    let right = cluster.eventually(|| async { (held(&cluster).await? == b"one").then_some(()) });
    assert!(right.await.is_some());
    external_secrets(&cluster).delete("jwt", &DeleteParams::background()).await.unwrap();
    cluster.wait::<Secret>("supabase", "jwt", |secret| secret.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_hides_a_parameter() {
    let cluster = Cluster::start().await;
    cluster.account.put_parameter("/dev/supabase/jwt/secret", "one");
    cluster.faults.set("secret-missing:jwt/secret".parse().unwrap());
    install(&cluster).await;
    cluster.apply([external_secret()]).await;
    wait_for_reason(&cluster, "SecretSyncedError").await;
    cluster.faults.clear_all();
    wait_for_reason(&cluster, "SecretSynced").await;
}
