//! The way in: Ingress, load balancer, Kong's configuration, NetworkPolicies, and the Pods behind.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::DeleteParams;
use reqwest::{Certificate, Client, Proxy, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::{Cluster, deployment};
use crate::postgres::Postgres;

const SECRET: &str = "a-jwt-secret-of-more-than-32-bytes";

fn sign(role: &str) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!(
        "{}.{}",
        part(json!({"alg": "HS256", "typ": "JWT"})),
        part(json!({"role": role, "exp": 4_102_444_800_u64}))
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

const KONG: &str = r#"
_format_version: "3.0"
consumers:
  - username: anon
    keyauth_credentials: [{key: "${ANON}"}]
    acls: [{group: anon}]
  - username: service
    keyauth_credentials: [{key: "${SERVICE}"}]
    acls: [{group: admin}]
services:
  - name: health
    url: http://127.0.0.1:8000
    routes: [{name: health, paths: [/healthz]}]
    plugins: [{name: request-termination, config: {status_code: 200, message: ok}}]
  - name: rest
    url: http://rest:3000/
    routes: [{name: rest, paths: [/rest/v1/]}]
    plugins:
      - {name: key-auth, config: {key_names: [apikey]}}
      - {name: acl, config: {allow: [admin, anon]}}
      - name: request-transformer
        config: {add: {headers: ["Authorization: Bearer $(headers.apikey or query_params.apikey)"]}}
  - name: admin
    url: http://rest:3000/
    routes: [{name: admin, paths: [/admin/]}]
    plugins: [{name: key-auth}, {name: acl, config: {allow: [admin]}}]
"#;

fn labelled(mut object: Value, component: &str) -> Value {
    object["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"] =
        json!(component);
    object
}

fn service(name: &str, port: u16) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {
        "selector": {"app": name}, "ports": [{"name": "http", "port": port, "targetPort": "http"}],
    }})
}

fn policies() -> [Value; 3] {
    let policy = |name: &str, spec: Value| json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec});
    let app = |name: &str| json!({"podSelector": {"matchLabels": {"app": name}}});
    [
        policy("default-deny", json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})),
        policy(
            "kong",
            json!({
                "podSelector": {"matchLabels": {"app": "kong"}}, "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/16"}}], "ports": [{"port": 8000}]}],
                "egress": [{"to": [app("rest")], "ports": [{"port": 3000}]}],
            }),
        ),
        policy(
            "rest",
            json!({
                "podSelector": {"matchLabels": {"app": "rest"}}, "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [app("kong")], "ports": [{"port": 3000}]}],
                "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/16"}}]}],
            }),
        ),
    ]
}

/// Kong and PostgREST on a real database behind an Ingress.
async fn install(cluster: &Cluster, postgres: &Postgres) {
    postgres.run(
        "create role anon nologin; create role service_role nologin bypassrls;
         create role authenticator login noinherit password 'authenticator-password';
         grant anon, service_role to authenticator;
         create table notes (id int primary key, text text);
         insert into notes values (1, 'hello');
         grant select on notes to service_role;",
    );
    let role = cluster.account.put_role("controller", "kube-system:aws-load-balancer-controller");
    let mut controller = deployment(
        "aws-load-balancer-controller",
        "public.ecr.aws/eks/aws-load-balancer-controller:v3.5.0",
        1,
    );
    controller["metadata"]["namespace"] = json!("kube-system");
    controller["spec"]["template"]["spec"]["serviceAccountName"] =
        json!("aws-load-balancer-controller");
    controller["spec"]["template"]["spec"]["containers"][0]["args"] =
        json!(["--cluster-name=supabase-dev", "--ingress-class=alb", "--aws-vpc-id=vpc-1"]);

    let mut kong = labelled(deployment("kong", "kong/kong:3.9.1", 1), "kong");
    let pod = &mut kong["spec"]["template"]["spec"];
    pod["volumes"] = json!([{"name": "config", "configMap": {"name": "kong"}}]);
    pod["containers"][0]["volumeMounts"] = json!([{"name": "config", "mountPath": "/etc/kong"}]);
    pod["containers"][0]["ports"] = json!([{"name": "http", "containerPort": 8000}]);
    pod["containers"][0]["readinessProbe"] =
        json!({"httpGet": {"path": "/healthz", "port": "http"}});
    pod["containers"][0]["env"] = json!([
        {"name": "KONG_DATABASE", "value": "off"},
        {"name": "KONG_DECLARATIVE_CONFIG", "value": "/etc/kong/kong.yaml"},
        {"name": "ANON", "value": sign("anon")},
        {"name": "SERVICE", "value": sign("service_role")},
    ]);
    let mut rest = labelled(deployment("rest", "postgrest/postgrest:v14.12", 1), "rest");
    let container = &mut rest["spec"]["template"]["spec"]["containers"][0];
    container["ports"] = json!([{"name": "http", "containerPort": 3000}]);
    container["env"] = json!([
        {"name": "PGRST_DB_URI", "value": format!(
            "postgres://authenticator:authenticator-password@127.0.0.1:{}/postgres?sslmode=require", postgres.port)},
        {"name": "PGRST_DB_ANON_ROLE", "value": "anon"},
        {"name": "PGRST_DB_SCHEMAS", "value": "public"},
        {"name": "PGRST_JWT_SECRET", "value": SECRET},
    ]);
    cluster.apply([
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "aws-load-balancer-controller",
            "namespace": "kube-system", "annotations": {"eks.amazonaws.com/role-arn": role}}}),
        controller,
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "alb"},
            "spec": {"controller": "ingress.k8s.aws/alb"}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kong"}, "data": {"kong.yaml": KONG}}),
        kong,
        service("kong", 8000),
        rest,
        service("rest", 3000),
    ]).await;
    cluster.apply(policies()).await;
    cluster.apply([ingress(None)]).await;
}

fn ingress(certificate: Option<&str>) -> Value {
    let mut annotations = json!({
        "alb.ingress.kubernetes.io/scheme": "internet-facing",
        "alb.ingress.kubernetes.io/target-type": "ip",
        "alb.ingress.kubernetes.io/healthcheck-path": "/healthz",
    });
    if let Some(arn) = certificate {
        annotations["alb.ingress.kubernetes.io/listen-ports"] =
            json!(r#"[{"HTTP":80},{"HTTPS":443}]"#);
        annotations["alb.ingress.kubernetes.io/ssl-redirect"] = json!("443");
        annotations["alb.ingress.kubernetes.io/certificate-arn"] = json!(arn);
    }
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "api", "annotations": annotations},
    "spec": {"ingressClassName": "alb", "rules": [{"http": {"paths": [{
        "path": "/", "pathType": "Prefix",
        "backend": {"service": {"name": "kong", "port": {"name": "http"}}},
    }]}}]}})
}

fn hostname(ingress: &Ingress) -> Option<String> {
    ingress.status.clone()?.load_balancer?.ingress?.first()?.hostname.clone()
}

fn client(cluster: &Cluster) -> Client {
    let authority = Certificate::from_pem(cluster.authority.certificate_pem.as_bytes()).unwrap();
    Client::builder()
        .proxy(Proxy::all(&cluster.gateway).unwrap())
        .tls_certs_only([authority])
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(60))
        .build()
        .unwrap()
}

async fn get(client: &Client, url: &str, key: Option<&str>) -> (StatusCode, String) {
    let mut request = client.get(url);
    if let Some(key) = key {
        request = request.header("apikey", key);
    }
    let response = request.send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

/// Asks until the answer has this status; the controllers need a moment after each change.
async fn get_until(cluster: &Cluster, url: &str, key: Option<&str>, status: u16) -> String {
    let client = client(cluster);
    let last = std::sync::Mutex::new(None);
    let answer = cluster
        .eventually(|| async {
            let (found, body) = get(&client, url, key).await;
            *last.lock().unwrap() = Some((found, body.clone()));
            (found.as_u16() == status).then_some(body)
        })
        .await;
    answer.unwrap_or_else(|| panic!("{url} never answers {status}: {:?}", last.lock().unwrap()))
}

/// Asks until the answer says this.
async fn get_until_body(cluster: &Cluster, url: &str, key: &str, part: &str) -> String {
    let client = client(cluster);
    let answer = cluster.eventually(|| async {
        let body = get(&client, url, Some(key)).await.1;
        body.contains(part).then_some(body)
    });
    answer.await.unwrap_or_else(|| panic!("{url} never says {part}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_travel_from_the_load_balancer_to_the_database() {
    let cluster = Cluster::start().await;
    let postgres = Postgres::start();
    install(&cluster, &postgres).await;
    let ingress: Ingress = cluster.wait_for("api", |ingress| hostname(ingress).is_some()).await;
    let host = hostname(&ingress).unwrap();
    assert!(
        host.starts_with("k8s-supabase-api-") && host.ends_with(".eu-west-1.elb.amazonaws.com"),
        "{host}"
    );
    let (anon, service) = (sign("anon"), sign("service_role"));
    let base = format!("http://{host}");
    assert_eq!(
        get_until(&cluster, &format!("{base}/healthz"), None, 200).await,
        r#"{"message":"ok"}"#
    );

    let client = client(&cluster);
    let notes = format!("{base}/rest/v1/notes");
    let rows = get_until(&cluster, &notes, Some(&service), 200).await;
    assert_eq!(serde_json::from_str::<Value>(&rows).unwrap(), json!([{"id": 1, "text": "hello"}]));
    let (status, body) = get(&client, &notes, Some(&anon)).await;
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("permission denied for table notes"), "{body}");
    assert_eq!(get(&client, &notes, None).await.0, 401);
    assert_eq!(get(&client, &notes, Some("wrong")).await.0, 401);
    assert_eq!(get(&client, &format!("{base}/admin/"), Some(&anon)).await.0, 403);
    assert_eq!(get(&client, &format!("{base}/nowhere"), None).await.0, 404);
    let description = get(&client, &format!("{base}/rest/v1/"), Some(&service)).await.1;
    assert!(description.contains("\"/notes\""), "{description}");

    // Under a local name, without a proxy.
    let port = cluster.gateway.rsplit_once(':').unwrap().1.to_owned();
    let direct = Client::builder()
        .no_proxy()
        .resolve("dev.localhost", ([127, 0, 0, 1], port.parse().unwrap()).into());
    let (status, _) =
        get(&direct.build().unwrap(), &format!("http://dev.localhost:{port}/healthz"), None).await;
    assert_eq!(status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_terminated_and_http_sent_there() {
    let cluster = Cluster::start().await;
    let postgres = Postgres::start();
    install(&cluster, &postgres).await;
    cluster.apply([ingress(Some("arn:aws:acm:eu-west-1:123456789012:certificate/1"))]).await;
    let ingress: Ingress = cluster.wait_for("api", |ingress| hostname(ingress).is_some()).await;
    let host = hostname(&ingress).unwrap();
    get_until(&cluster, &format!("http://{host}/healthz"), None, 301).await;
    let answer = client(&cluster).get(format!("http://{host}/healthz?a=1")).send().await.unwrap();
    assert_eq!(answer.headers()["location"], format!("https://{host}:443/healthz?a=1").as_str());
    get_until(&cluster, &format!("https://{host}/healthz"), None, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_is_named() {
    let cluster = Cluster::start().await;
    let postgres = Postgres::start();
    install(&cluster, &postgres).await;
    let ingress: Ingress = cluster.wait_for("api", |ingress| hostname(ingress).is_some()).await;
    let base = format!("http://{}", hostname(&ingress).unwrap());
    let (notes, service_key) = (format!("{base}/rest/v1/notes"), sign("service_role"));
    get_until(&cluster, &notes, Some(&service_key), 200).await;

    let [deny, kong, rest] = policies();
    let mut closed = rest.clone();
    closed["spec"]["ingress"] = json!([]);
    cluster.apply([closed]).await;
    let body = get_until(&cluster, &notes, Some(&service_key), 503).await;
    assert!(body.contains("NetworkPolicy default-deny, rest blocks kong -> rest:3000"), "{body}");
    cluster.apply([deny, kong, rest]).await;
    get_until(&cluster, &notes, Some(&service_key), 200).await;

    let mut lost = service("rest", 3000);
    lost["spec"]["selector"] = json!({"app": "nobody"});
    cluster.apply([lost]).await;
    let body = get_until(&cluster, &notes, Some(&service_key), 503).await;
    assert!(
        body.contains("the selector of Service supabase/rest matches nothing: app=nobody"),
        "{body}"
    );

    let mut wrong_port = service("rest", 3000);
    wrong_port["spec"]["ports"][0]["targetPort"] = json!(3333);
    cluster.apply([wrong_port]).await;
    get_until_body(&cluster, &notes, &service_key, "blocks kong -> rest:3333").await;
    let open = json!([{"to": [{"podSelector": {"matchLabels": {"app": "rest"}}}]}]);
    let mut any_port = policies()[1].clone();
    any_port["spec"]["egress"] = open;
    let mut from_kong = policies()[2].clone();
    from_kong["spec"]["ingress"][0].as_object_mut().unwrap().remove("ports");
    cluster.apply([any_port, from_kong]).await;
    let refused = "connection refused: nothing listens on port 3333 of Pod rest-";
    get_until_body(&cluster, &notes, &service_key, refused).await;
    cluster.apply(policies()).await;
    cluster.apply([service("rest", 3000)]).await;
    get_until(&cluster, &notes, Some(&service_key), 200).await;

    cluster.faults.set("pod-crash:rest".parse().unwrap());
    let body = get_until_body(&cluster, &notes, &service_key, "no ready endpoint").await;
    assert!(body.contains("Service supabase/rest has no ready endpoint: Pod rest-"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_ingress_takes_its_load_balancer_along() {
    let cluster = Cluster::start().await;
    let postgres = Postgres::start();
    install(&cluster, &postgres).await;
    cluster.wait_for("api", |ingress: &Ingress| hostname(ingress).is_some()).await;
    let made =
        cluster.account.contents.lock().unwrap().load_balancers.values().next().cloned().unwrap();
    assert!(made.values().any(|value| value == "elbv2.k8s.aws/cluster"));
    assert_eq!(cluster.load_balancers.list().len(), 1);
    cluster.api::<Ingress>().delete("api", &DeleteParams::background()).await.unwrap();
    cluster.wait::<Ingress>("supabase", "api", |ingress| ingress.is_none()).await;
    assert!(cluster.account.contents.lock().unwrap().load_balancers.is_empty());
    assert!(cluster.load_balancers.list().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_keeps_a_service_from_starting() {
    let cluster = Cluster::start().await;
    let postgres = Postgres::start();
    install(&cluster, &postgres).await;
    postgres.run("alter role authenticator password 'another'");
    let mut rest = deployment("late", "postgrest/postgrest:v14.12", 1);
    rest["spec"]["template"]["spec"]["containers"][0]["env"] = json!([
        {"name": "PGRST_DB_URI", "value": format!(
            "postgres://authenticator:authenticator-password@127.0.0.1:{}/postgres?sslmode=require", postgres.port)},
        {"name": "PGRST_DB_ANON_ROLE", "value": "anon"},
        {"name": "PGRST_JWT_SECRET", "value": SECRET},
    ]);
    rest["spec"]["template"]["metadata"]["labels"] = json!({"app": "late"});
    cluster.apply([rest]).await;
    // The policy that denies by default is in the way first.
    cluster.wait_for_event("late-", "BackOff", "Back-off restarting failed container main").await;
    let open = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "late"},
        "spec": {"podSelector": {"matchLabels": {"app": "late"}}, "policyTypes": ["Egress"], "egress": [{}]}});
    cluster.apply([open]).await;
    let said = cluster
        .eventually(|| async {
            let pod = cluster.pods("late").await.pop()?;
            let status = pod.status?.container_statuses?.pop()?;
            let message = status.last_state?.terminated?.message?;
            message
                .contains("password authentication failed for user \"authenticator\"")
                .then_some(())
        })
        .await;
    assert!(said.is_some());
}
