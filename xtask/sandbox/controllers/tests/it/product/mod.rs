//! The repository's own charts, add-ons included, as the pipeline installs them: this is what the
//! sandbox is for.

mod answers;
mod broken;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use k8s_openapi::api::networking::v1::Ingress;
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
    if let Err(error) = try_install(cluster, namespace, release, chart, files, values).await {
        panic!("{release}: {error}\n{}", cluster.describe().await);
    }
}

async fn try_install(
    cluster: &Cluster,
    namespace: &str,
    release: &str,
    chart: &str,
    files: &[&str],
    values: Value,
) -> anyhow::Result<()> {
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
        "--timeout",
        "180s",
    ]);
    tokio::task::spawn_blocking(move || helm.output()).await.unwrap().map(drop)
}

/// The server's certificate is its own authority, so that every client verifies it.
fn database(postgres: &Postgres) -> Value {
    json!({
        "host": "127.0.0.1", "port": postgres.port, "name": "supabase",
        "caBundle": {"pem": postgres.certificate},
    })
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
    let database = database(postgres);
    let mut with_master = database.clone();
    with_master["masterUsername"] = json!("supabase_master");
    // A schedule that does not come round during the test.
    let row_security = json!({"schedule": "0 0 29 2 *"});
    let values = json!({
        "environment": "dev", "database": with_master, "rowSecurity": row_security,
    });
    broken::a_wrong_authority_is_named(cluster, &values).await;
    install(cluster, "supabase", "supabase-database", "helm/database", &[], values).await;
    let values = json!({
        "environment": "dev", "region": "eu-west-1", "publicUrl": "http://dev.localhost",
        "database": database,
        "storage": {"bucket": "objects", "roleArn": storage},
        "backup": {"bucket": "objects", "roleArn": backup},
        "networkPolicy": {
            "databaseCidrs": {"vpc": null, "zone": "10.0.240.0/24"},
            // Those of `account`.
            "loadBalancerCidrs": {"vpc": null, "a": "10.0.1.0/24", "b": "10.0.2.0/24"},
        },
    });
    let overlays = ["helm/overlays/base.yaml", "helm/overlays/dev.yaml"];
    install(cluster, "supabase", "supabase", "helm/supabase", &overlays, values).await;
}

/// The installed product, and a client of it.
struct Product {
    cluster: Cluster,
    /// Stops when it is dropped.
    _postgres: Postgres,
    client: Client,
    /// Under the name of the load balancer.
    base: String,
    anon: String,
    service: String,
}

impl Product {
    async fn start() -> Self {
        let cluster = Cluster::start().await;
        let postgres = tokio::task::spawn_blocking(Postgres::start).await.unwrap();
        deploy(&cluster, &postgres).await;
        let named = |ingress: &Ingress| {
            ingress.status.clone()?.load_balancer?.ingress?.first()?.hostname.clone()
        };
        let ingress: Ingress =
            cluster.wait_for("supabase-kong", |ingress| named(ingress).is_some()).await;
        let base = format!("http://{}", named(&ingress).unwrap());
        let proxy = Proxy::all(&cluster.gateway).unwrap();
        let client = Client::builder().proxy(proxy).build().unwrap();
        let (anon, service) = (sign("anon"), sign("service_role"));
        Self { cluster, _postgres: postgres, client, base, anon, service }
    }

    /// The status and the body of an answer.
    async fn get(&self, path: &str, key: Option<&str>) -> (u16, String) {
        let mut request = self.client.get(format!("{}{path}", self.base));
        if let Some(key) = key {
            request = request.header("apikey", key).bearer_auth(key);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

/// One story, because the installation is most of its time.
#[tokio::test(flavor = "multi_thread")]
async fn the_product_comes_up_and_answers_and_names_what_is_broken() {
    let product = Product::start().await;
    answers::to_the_right_keys(&product).await;
    broken::parts_are_named(&product).await;
}
