//! The repository's own charts, add-ons included, as the pipeline installs them: this is what the
//! sandbox is for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::ListParams;
use reqwest::{Client, Proxy};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::Cluster;
use crate::postgres::Postgres;
use crate::releases::command;

const SECRET: &str = "0123456789abcdef0123456789abcdef01234567";
const MASTER: &str = "master-password-0123456789abcdef01234567";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn sign(role: &str) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"role": role, "iss": "supabase", "iat": 1, "exp": 4_102_444_800_u64});
    let text = format!("{}.{}", part(json!({"alg": "HS256", "typ": "JWT"})), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// One parameter for each entry of the secrets chart.
fn put_parameters(cluster: &Cluster) {
    let text = std::fs::read_to_string(root().join("helm/secrets/files/secrets.yaml")).unwrap();
    let secrets: BTreeMap<String, BTreeMap<String, String>> =
        serde_norway::from_str(&text).unwrap();
    for path in secrets.values().flat_map(BTreeMap::values) {
        let value = match path.as_str() {
            "database/master-password" => MASTER.to_owned(),
            "jwt/secret" => SECRET.to_owned(),
            "jwt/anon-key" => sign("anon"),
            "jwt/service-role-key" => sign("service_role"),
            "realtime/secret-key-base" => "k".repeat(64),
            "realtime/database-encryption-key" => "e".repeat(16),
            other => format!("{}0123456789", other.replace(['/', '-'], "x")),
        };
        cluster.account.put_parameter(&format!("/dev/supabase/{path}"), &value);
    }
}

/// What RDS makes of the server before anyone logs in.
fn make_master(postgres: &Postgres) {
    let roles = root().join("xtask/sandbox/src/databases/sql/roles.sql");
    postgres.run(&std::fs::read_to_string(roles).unwrap());
    postgres.run(&format!(
        "create role supabase_master login createrole createdb password '{MASTER}' in role rds_superuser;"
    ));
    postgres.run("create database supabase owner supabase_master;");
}

/// Installs one release with values that the runner would generate.
async fn install(
    cluster: &Cluster,
    namespace: &str,
    release: &str,
    chart: &str,
    files: &[&str],
    values: Value,
) {
    let generated = cluster.folder.path().join(format!("{release}.json"));
    std::fs::write(&generated, values.to_string()).unwrap();
    let mut helm = command(cluster)
        .args(["--namespace", namespace, "upgrade", "--install", release])
        .arg(root().join(chart));
    for file in files {
        helm = helm.arg("-f").arg(root().join(file));
    }
    let helm = helm.arg("-f").arg(&generated).args([
        "--create-namespace",
        "--wait",
        "--wait-for-jobs",
        "--rollback-on-failure",
        "--timeout",
        "180s",
    ]);
    let installed = tokio::task::spawn_blocking(move || helm.output()).await.unwrap();
    if let Err(error) = installed {
        panic!("{release}: {error}\n{}", cluster.describe().await);
    }
}

async fn deploy(cluster: &Cluster, postgres: &Postgres) {
    put_parameters(cluster);
    make_master(postgres);
    let controller = cluster.account.put_role("lbc", "kube-system:aws-load-balancer-controller");
    let autoscaler = cluster.account.put_role("ca", "kube-system:cluster-autoscaler");
    let reader = cluster.account.put_role("reader", "supabase:secrets-reader");
    let storage = cluster.account.put_role("storage", "supabase:supabase-storage");
    let backup = cluster.account.put_role("backup", "supabase:supabase-backup");
    let role = |arn: &str| json!({"eks.amazonaws.com/role-arn": arn});

    let addon =
        |name: &str| (format!("xtask/sandbox/charts/{name}"), format!("helm/addons/{name}.yaml"));
    let (chart, file) = addon("aws-load-balancer-controller");
    install(
        cluster,
        "kube-system",
        "aws-load-balancer-controller",
        &chart,
        &[&file],
        json!({
            "clusterName": "supabase-dev", "region": "eu-west-1", "vpcId": "vpc-1",
            "serviceAccount": {"annotations": role(&controller)},
        }),
    )
    .await;
    let (chart, file) = addon("external-secrets");
    install(cluster, "external-secrets", "external-secrets", &chart, &[&file], json!({})).await;
    let (chart, file) = addon("cluster-autoscaler");
    install(cluster, "kube-system", "cluster-autoscaler", &chart, &[&file], json!({
        "awsRegion": "eu-west-1", "autoDiscovery": {"clusterName": "supabase-dev"},
        "image": {"tag": "v1.35.2"}, "rbac": {"serviceAccount": {"annotations": role(&autoscaler)}},
    })).await;
    install(
        cluster,
        "supabase",
        "supabase-secrets",
        "helm/secrets",
        &[],
        json!({
            "environment": "dev", "region": "eu-west-1", "parameterPrefix": "/dev/supabase",
            "serviceAccount": {"roleArn": reader},
        }),
    )
    .await;
    // The server's certificate is its own authority, so that every client verifies it.
    let database = json!({
        "host": "127.0.0.1", "port": postgres.port, "name": "supabase",
        "caBundle": {"pem": postgres.certificate},
    });
    let mut with_master = database.clone();
    with_master["masterUsername"] = json!("supabase_master");
    install(
        cluster,
        "supabase",
        "supabase-database",
        "helm/database",
        &[],
        json!({
            "environment": "dev", "database": with_master,
        }),
    )
    .await;
    let values = json!({
        "environment": "dev", "region": "eu-west-1", "publicUrl": "http://dev.localhost",
        "database": database,
        "storage": {"bucket": "objects", "roleArn": storage},
        "backup": {"bucket": "objects", "roleArn": backup},
    });
    let overlays = ["helm/overlays/base.yaml", "helm/overlays/dev.yaml"];
    install(cluster, "supabase", "supabase", "helm/supabase", &overlays, values).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_product_comes_up_and_answers() {
    let cluster = Cluster::start().await;
    let postgres = tokio::task::spawn_blocking(Postgres::start).await.unwrap();
    deploy(&cluster, &postgres).await;

    // The bootstrap's report is what its container wrote.
    let jobs = ListParams::default().labels("app.kubernetes.io/component=bootstrap");
    let pod = cluster.api::<Pod>().list(&jobs).await.unwrap().items.remove(0);
    let ended = pod
        .status
        .unwrap()
        .container_statuses
        .unwrap()
        .remove(0)
        .state
        .unwrap()
        .terminated
        .unwrap();
    let report: Value = serde_json::from_str(ended.message.as_deref().unwrap()).unwrap();
    assert!(report["ledger"].as_array().is_some_and(|ledger| !ledger.is_empty()), "{report}");

    let helm = command(&cluster).args(["--namespace", "supabase", "test", "supabase", "--logs"]);
    let tested = tokio::task::spawn_blocking(move || helm.output()).await.unwrap();
    if let Err(error) = tested {
        panic!("{error}\n{}", cluster.describe().await);
    }

    let named = |ingress: &Ingress| {
        ingress.status.clone()?.load_balancer?.ingress?.first()?.hostname.clone()
    };
    let ingress: Ingress =
        cluster.wait_for("supabase-kong", |ingress| named(ingress).is_some()).await;
    let base = format!("http://{}", named(&ingress).unwrap());
    let client = Client::builder().proxy(Proxy::all(&cluster.gateway).unwrap()).build().unwrap();
    let (anon, service) = (sign("anon"), sign("service_role"));
    for (path, key, expected) in [
        ("/healthz", None, 200),
        ("/auth/v1/health", None, 401),
        ("/auth/v1/health", Some(&anon), 200),
        ("/auth/v1/settings", Some(&anon), 200),
        ("/auth/v1/.well-known/jwks.json", None, 200),
        ("/rest/v1/", None, 401),
        ("/rest/v1/", Some(&service), 200),
        ("/storage/v1/status", None, 200),
        ("/storage/v1/bucket", Some(&service), 200),
        ("/functions/v1/hello", Some(&anon), 200),
        ("/pg/tables", Some(&anon), 403),
        ("/pg/tables", Some(&service), 200),
        ("/", None, 401),
    ] {
        let mut request = client.get(format!("{base}{path}"));
        if let Some(key) = key {
            request = request.header("apikey", key).bearer_auth(key);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        assert_eq!(status, expected, "{path}: {}", answer.text().await.unwrap());
    }
    let graphql = client
        .post(format!("{base}/graphql/v1"))
        .header("apikey", &anon)
        .body(r#"{"query": "{ a }"}"#);
    let answer = graphql.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());

    // An object goes to the account's bucket and back.
    let object = format!("{base}/storage/v1/object/smoke/a.txt");
    let sent = client.post(&object).bearer_auth(&service).body("content").send().await.unwrap();
    assert_eq!(sent.status(), 200, "{}", sent.text().await.unwrap());
    let read =
        client.get(&object).bearer_auth(&service).send().await.unwrap().text().await.unwrap();
    assert_eq!(read, "content");
}
