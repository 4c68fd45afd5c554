//! Deployments, StatefulSets, autoscalers, claims and what their Pods wait for.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;

use crate::harness::{Cluster, deployment};

const IMAGE: &str = "registry.k8s.io/pause:3.10";

fn is_rolled_out(deployment: &Deployment, replicas: i32) -> bool {
    let status = deployment.status.clone().unwrap_or_default();
    status.observed_generation == deployment.metadata.generation
        && status.replicas.unwrap_or(0) == replicas
        && status.updated_replicas.unwrap_or(0) == replicas
        && status.available_replicas.unwrap_or(0) == replicas
}

fn condition(deployment: &Deployment, kind: &str) -> (String, String) {
    let conditions = deployment.status.clone().unwrap_or_default().conditions.unwrap_or_default();
    let found = conditions.into_iter().find(|condition| condition.type_ == kind).unwrap();
    (found.status, found.reason.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_rolls_out_scales_and_rolls_on() {
    let cluster = Cluster::start().await;
    cluster.apply([deployment("web", IMAGE, 3)]).await;
    let first: Deployment = cluster.wait_for("web", |web| is_rolled_out(web, 3)).await;
    assert_eq!(condition(&first, "Progressing"), ("True".into(), "NewReplicaSetAvailable".into()));
    assert_eq!(condition(&first, "Available").0, "True");
    let zones: std::collections::BTreeSet<_> =
        cluster.pods("web").await.iter().map(|pod| pod.spec.clone().unwrap().node_name).collect();
    assert_eq!(zones.len(), 3, "the Pods are on different nodes");

    cluster.apply([deployment("web", "registry.k8s.io/pause:3.11", 2)]).await;
    let second: Deployment = cluster.wait_for("web", |web| is_rolled_out(web, 2)).await;
    assert_eq!(second.annotations()["deployment.kubernetes.io/revision"], "2");
    let sets = cluster.api::<ReplicaSet>().list(&ListParams::default()).await.unwrap().items;
    let mut wanted: Vec<_> = sets.iter().map(|set| set.spec.clone().unwrap().replicas).collect();
    wanted.sort_unstable();
    assert_eq!(wanted, [Some(0), Some(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_image_never_becomes_ready_and_misses_its_deadline() {
    let cluster = Cluster::start().await;
    let mut bad = deployment("web", IMAGE, 1);
    cluster.apply([bad.clone()]).await;
    cluster.wait_for::<Deployment>("web", |web| is_rolled_out(web, 1)).await;
    bad["spec"]["template"]["spec"]["containers"][0]["image"] =
        json!("supabase/gotrue:no-such-tag");
    bad["spec"]["progressDeadlineSeconds"] = json!(3);
    cluster.apply([bad]).await;
    cluster.wait_for_event("web-", "Failed", "supabase/gotrue:no-such-tag: not found").await;
    let late: Deployment = cluster
        .wait_for("web", |web| condition(web, "Progressing").1 == "ProgressDeadlineExceeded")
        .await;
    assert_eq!(condition(&late, "Progressing").0, "False");
    assert_eq!(late.status.unwrap().available_replicas, Some(1), "the old Pod still serves");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_waits_for_the_secret_that_it_needs() {
    let cluster = Cluster::start().await;
    let mut web = deployment("web", IMAGE, 1);
    web["spec"]["template"]["spec"]["containers"][0]["env"] = json!([
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "late", "key": "a"}}},
    ]);
    cluster.apply([web]).await;
    cluster.wait_for_event("web-", "Failed", "secret \"late\" not found").await;
    let secret = |key: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "late"}, "stringData": {key: "1"}});
    cluster.apply([secret("b")]).await;
    cluster.wait_for_event("web-", "Failed", "couldn't find key a in Secret supabase/late").await;
    cluster.apply([secret("a")]).await;
    cluster.wait_for::<Deployment>("web", |web| is_rolled_out(web, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_service_account_stops_the_pods_until_it_is_there() {
    let cluster = Cluster::start().await;
    let mut web = deployment("web", IMAGE, 1);
    web["spec"]["template"]["spec"]["serviceAccountName"] = json!("web");
    cluster.apply([web]).await;
    cluster.wait_for_event("web-", "FailedCreate", "serviceaccount \"web\" not found").await;
    cluster
        .apply([json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}})])
        .await;
    cluster.wait_for::<Deployment>("web", |web| is_rolled_out(web, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_probe_keeps_a_pod_out_of_its_service() {
    let cluster = Cluster::start().await;
    let mut web = deployment("web", "darthsim/imgproxy:v3.30.1", 1);
    let container = &mut web["spec"]["template"]["spec"]["containers"][0];
    container["ports"] = json!([{"name": "http", "containerPort": 8080}]);
    container["readinessProbe"] = json!({"httpGet": {"path": "/wrong", "port": "http"}});
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {
        "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}],
    }});
    cluster.apply([web.clone(), service]).await;
    cluster
        .wait_for_event(
            "web-",
            "Unhealthy",
            "Readiness probe failed: HTTP probe failed with statuscode: 404",
        )
        .await;
    let ready_endpoints = || async {
        let slices = cluster.api::<EndpointSlice>().list(&ListParams::default()).await.ok()?;
        let endpoints = slices.items.first()?.endpoints.clone();
        let ready =
            endpoints.iter().filter(|one| one.conditions.as_ref().unwrap().ready == Some(true));
        Some((endpoints.len(), ready.count(), slices.items.first()?.ports.clone()?.first()?.port))
    };
    assert_eq!(cluster.eventually(ready_endpoints).await, Some((1, 0, Some(8080))));
    web["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]["path"] =
        json!("/health");
    cluster.apply([web]).await;
    cluster.wait_for::<Deployment>("web", |web| is_rolled_out(web, 1)).await;
    let served = cluster
        .eventually(|| async { ready_endpoints().await.filter(|(_, ready, _)| *ready == 1) });
    assert!(served.await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_autoscaler_raises_a_workload_to_its_minimum() {
    let cluster = Cluster::start().await;
    let mut web = deployment("web", IMAGE, 1);
    web["spec"].as_object_mut().unwrap().remove("replicas");
    let autoscaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web"}, "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 3, "maxReplicas": 5,
    }});
    cluster.apply([web, autoscaler]).await;
    let web: Deployment = cluster.wait_for("web", |web| is_rolled_out(web, 3)).await;
    let scaler = web
        .metadata
        .managed_fields
        .unwrap()
        .into_iter()
        .find(|entry| entry.subresource.as_deref() == Some("scale"));
    assert_eq!(scaler.unwrap().manager.as_deref(), Some("kube-controller-manager"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stateful_set_starts_its_pods_in_order_each_with_its_claim() {
    let cluster = Cluster::start().await;
    cluster.apply([json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "store"}, "spec": {
        "serviceName": "store", "replicas": 2, "selector": {"matchLabels": {"app": "store"}},
        "template": {
            "metadata": {"labels": {"app": "store"}},
            "spec": {"containers": [{"name": "main", "image": IMAGE}]},
        },
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "gp2",
            "resources": {"requests": {"storage": "1Gi"}},
        }}],
    }})]).await;
    cluster
        .wait_for::<StatefulSet>("store", |set| {
            let status = set.status.clone().unwrap_or_default();
            status.ready_replicas == Some(2) && status.current_revision == status.update_revision
        })
        .await;
    for name in ["data-store-0", "data-store-1"] {
        let bound = |claim: &PersistentVolumeClaim| {
            claim.status.clone().unwrap_or_default().phase.as_deref() == Some("Bound")
        };
        cluster.wait_for::<PersistentVolumeClaim>(name, bound).await;
    }
    let (first, second) = (
        cluster.api::<Pod>().get("store-0").await.unwrap(),
        cluster.api::<Pod>().get("store-1").await.unwrap(),
    );
    let ready = first
        .status
        .unwrap()
        .conditions
        .unwrap()
        .into_iter()
        .find(|one| one.type_ == "Ready")
        .unwrap();
    assert!(ready.last_transition_time.unwrap() <= second.creation_timestamp().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashing_component_is_not_available_until_the_fault_is_cleared() {
    let cluster = Cluster::start().await;
    let mut web = deployment("web", IMAGE, 1);
    web["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"] = json!("web");
    cluster.apply([web]).await;
    cluster.wait_for::<Deployment>("web", |web| is_rolled_out(web, 1)).await;
    let fault: sandbox_controllers::Fault = "pod-crash:web".parse().unwrap();
    cluster.faults.set(fault.clone());
    cluster.wait_for_event("web-", "BackOff", "Back-off restarting failed container main").await;
    cluster.wait_for::<Deployment>("web", |web| condition(web, "Available").0 == "False").await;
    cluster.faults.clear(&fault);
    cluster.wait_for::<Deployment>("web", |web| condition(web, "Available").0 == "True").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_deployment_takes_its_pods_along() {
    let cluster = Cluster::start().await;
    cluster.apply([deployment("web", IMAGE, 2)]).await;
    cluster.wait_for::<Deployment>("web", |web| is_rolled_out(web, 2)).await;
    let name = cluster.pods("web").await[0].name_any();
    cluster.api::<Deployment>().delete("web", &Default::default()).await.unwrap();
    cluster.wait::<Pod>("supabase", &name, |pod| pod.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_replaces_every_pod() {
    let cluster = Cluster::start().await;
    cluster.apply([deployment("web", IMAGE, 2)]).await;
    cluster.wait_for::<Deployment>("web", |web| is_rolled_out(web, 2)).await;
    let names = |pods: Vec<Pod>| pods.iter().map(ResourceExt::name_any).collect::<Vec<_>>();
    let before = names(cluster.pods("web").await);
    let patch = json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}});
    let restarted = cluster
        .api::<Deployment>()
        .patch("web", &PatchParams::apply("kubectl-rollout"), &Patch::Strategic(patch))
        .await
        .unwrap();
    let generation = restarted.metadata.generation;
    cluster
        .wait_for::<Deployment>("web", |web| {
            web.metadata.generation >= generation && is_rolled_out(web, 2)
        })
        .await;
    let replaced = cluster
        .eventually(|| async {
            let after = names(cluster.pods("web").await);
            (after.len() == 2 && after.iter().all(|name| !before.contains(name))).then_some(())
        })
        .await;
    assert!(replaced.is_some());
}
