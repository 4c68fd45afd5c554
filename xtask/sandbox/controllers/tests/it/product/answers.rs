//! What the installed product answers, and what it reports.

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};

use super::Product;
use crate::releases::command;

pub(super) async fn to_the_right_keys(product: &Product) {
    let Product { cluster, client, base, anon, service, .. } = product;
    the_bootstrap_reports(product).await;

    let helm = command(cluster).args(["--namespace", "supabase", "test", "supabase", "--logs"]);
    let tested = tokio::task::spawn_blocking(move || helm.output()).await.unwrap();
    if let Err(error) = tested {
        panic!("{error}\n{}", cluster.describe().await);
    }

    for (path, key, expected) in [
        ("/healthz", None, 200),
        ("/auth/v1/health", None, 401),
        ("/auth/v1/health", Some(anon), 200),
        ("/auth/v1/settings", Some(anon), 200),
        ("/auth/v1/.well-known/jwks.json", None, 200),
        ("/rest/v1/", None, 401),
        ("/rest/v1/", Some(service), 200),
        ("/storage/v1/status", None, 200),
        ("/storage/v1/bucket", Some(service), 200),
        ("/functions/v1/hello", Some(anon), 200),
        ("/pg/tables", Some(anon), 403),
        ("/pg/tables", Some(service), 200),
        ("/", None, 401),
    ] {
        let (status, body) = product.get(path, key.map(String::as_str)).await;
        assert_eq!(status, expected, "{path}: {body}");
    }
    let graphql = client
        .post(format!("{base}/graphql/v1"))
        .header("apikey", anon)
        .body(r#"{"query": "{ a }"}"#);
    let answer = graphql.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());

    the_service_key_makes_buckets(product).await;

    // An object goes to the account's bucket and back.
    let object = format!("{base}/storage/v1/object/smoke/a.txt");
    let sent = client.post(&object).bearer_auth(service).body("content").send().await.unwrap();
    assert_eq!(sent.status(), 200, "{}", sent.text().await.unwrap());
    let read = client.get(&object).bearer_auth(service).send().await.unwrap().text().await.unwrap();
    assert_eq!(read, "content");
}

/// This server makes no event triggers: Storage's tables are closed to service_role until the schedule comes round.
async fn the_service_key_makes_buckets(product: &Product) {
    let Product { cluster, client, base, service, .. } = product;
    let bucket = json!({"id": "pictures", "name": "pictures"}).to_string();
    let create = || {
        client.post(format!("{base}/storage/v1/bucket")).bearer_auth(service).body(bucket.clone())
    };
    let refused = create().send().await.unwrap().text().await.unwrap();
    assert!(refused.contains("row-level security"), "{refused}");

    let schedule = cluster.api::<CronJob>().get("supabase-database-row-security").await.unwrap();
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "cover"},
        "spec": schedule.spec.unwrap().job_template.spec,
    });
    let jobs = cluster.api::<Job>();
    jobs.create(&PostParams::default(), &serde_json::from_value(job).unwrap()).await.unwrap();
    let complete =
        |job: &Job| job.status.as_ref().is_some_and(|status| status.succeeded == Some(1));
    cluster.wait_for("cover", complete).await;

    let made = create().send().await.unwrap();
    assert_eq!(made.status(), 200, "{}", made.text().await.unwrap());
    let listed = product.get("/storage/v1/bucket", Some(service.as_str())).await.1;
    assert!(listed.contains("pictures"), "{listed}");
    let delete = client.delete(format!("{base}/storage/v1/bucket/pictures")).bearer_auth(service);
    let deleted = delete.send().await.unwrap();
    assert_eq!(deleted.status(), 200, "{}", deleted.text().await.unwrap());
}

/// The report is what the Job's container wrote.
async fn the_bootstrap_reports(product: &Product) {
    let jobs = ListParams::default().labels("app.kubernetes.io/component=bootstrap");
    let pods = product.cluster.api::<Pod>().list(&jobs).await.unwrap().items;
    let mut ended =
        pods.into_iter().filter_map(|pod| pod.status?.container_statuses?.pop()?.state?.terminated);
    let succeeded = ended.rfind(|ended| ended.exit_code == 0).unwrap();
    let report: Value = serde_json::from_str(succeeded.message.as_deref().unwrap()).unwrap();
    assert!(report["ledger"].as_array().is_some_and(|ledger| !ledger.is_empty()), "{report}");
}
