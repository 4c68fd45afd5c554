//! Jobs whose containers really run.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::harness::Cluster;
use crate::postgres::{PASSWORD, Postgres};

fn job(name: &str, command: &str, env: Value) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {
        "backoffLimit": 0,
        "template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{
                "name": "main", "image": "postgres:17-alpine",
                "command": ["sh", "-c", command], "env": env,
                "volumeMounts": [{"name": "scripts", "mountPath": "/etc/scripts", "readOnly": true}],
            }],
            "volumes": [{"name": "scripts", "configMap": {"name": "scripts", "optional": true}}],
        }},
    }})
}

fn outcome(job: &Job) -> Vec<String> {
    let conditions = job.status.clone().unwrap_or_default().conditions.unwrap_or_default();
    conditions.into_iter().map(|condition| condition.type_).collect()
}

async fn pod_of(cluster: &Cluster, job: &str) -> Pod {
    let wanted = ListParams::default().labels(&format!("job-name={job}"));
    cluster.api::<Pod>().list(&wanted).await.unwrap().items.remove(0)
}

fn ended(pod: &Pod) -> (i32, Option<String>) {
    let status = pod.status.clone().unwrap().container_statuses.unwrap().remove(0);
    let ended = status.state.unwrap().terminated.unwrap();
    (ended.exit_code, ended.message)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_real_sql_and_reports_it() {
    let cluster = Cluster::start().await;
    let postgres = Postgres::start();
    cluster.apply([
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "scripts"},
            "data": {"answer.sql": "select 6 * 7;"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database"},
            "stringData": {"password": PASSWORD}}),
        job("answer", "psql -X -A -t -f $SCRIPTS/answer.sql | tee /dev/termination-log", json!([
            {"name": "SCRIPTS", "value": "/etc/scripts"},
            {"name": "PGHOST", "value": "127.0.0.1"},
            {"name": "PGPORT", "value": postgres.port.to_string()},
            {"name": "PGUSER", "value": "rdsadmin"}, {"name": "PGDATABASE", "value": "postgres"},
            {"name": "PGSSLMODE", "value": "require"},
            {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}},
        ])),
    ]).await;
    let done: Job =
        cluster.wait_for("answer", |job| outcome(job).contains(&"Complete".to_owned())).await;
    assert_eq!(outcome(&done), ["SuccessCriteriaMet", "Complete"]);
    let pod = pod_of(&cluster, "answer").await;
    assert_eq!(ended(&pod), (0, Some("42\n".to_owned())));

    let query = sandbox_controllers::LogQuery {
        namespace: "supabase".to_owned(),
        pod: pod.metadata.name.unwrap(),
        ..Default::default()
    };
    assert_eq!(cluster.logs.stream(query).recv().await.unwrap(), b"42\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_job_fails_with_its_own_exit_code() {
    let cluster = Cluster::start().await;
    let mut failing = job("broken", "echo no luck >&2; exit 3", json!([]));
    failing["spec"]["template"]["spec"]["containers"][0]["terminationMessagePolicy"] =
        json!("FallbackToLogsOnError");
    cluster.apply([failing]).await;
    let done: Job =
        cluster.wait_for("broken", |job| outcome(job).contains(&"Failed".to_owned())).await;
    assert_eq!(outcome(&done), ["FailureTarget", "Failed"]);
    assert_eq!(ended(&pod_of(&cluster, "broken").await), (3, Some("no luck\n".to_owned())));
    cluster.wait_for_event("broken", "BackoffLimitExceeded", "backoff limit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_sees_nothing_of_the_environment_around_it() {
    let cluster = Cluster::start().await;
    cluster
        .apply([job(
            "clean",
            "env | cut -d= -f1 | sort | tr '\\n' ' ' > /dev/termination-log",
            json!([]),
        )])
        .await;
    cluster.wait_for::<Job>("clean", |job| outcome(job).contains(&"Complete".to_owned())).await;
    let (_, names) = ended(&pod_of(&cluster, "clean").await);
    let names = names.unwrap();
    let unexpected: Vec<_> = names
        .split_whitespace()
        .filter(|name| {
            ![
                "HOME",
                "HOSTNAME",
                "LC_ALL",
                "OLDPWD",
                "PATH",
                "PWD",
                "SHLVL",
                "TERMINATION_LOG",
                "TMPDIR",
                "_",
                "http_proxy",
                "no_proxy",
            ]
            .contains(name)
        })
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_pod_is_replaced_within_the_backoff_limit() {
    let cluster = Cluster::start().await;
    let flag = cluster.folder.path().join("flag");
    let command = format!("test -e {0} || {{ touch {0}; exit 1; }}", flag.display());
    let mut flaky = job("flaky", &command, json!([]));
    flaky["spec"]["backoffLimit"] = json!(2);
    cluster.apply([flaky]).await;
    let done: Job =
        cluster.wait_for("flaky", |job| outcome(job).contains(&"Complete".to_owned())).await;
    let status = done.status.unwrap();
    assert_eq!((status.succeeded, status.failed), (Some(1), Some(1)));
}
