//! The configuration of our own chart, as helm renders it, decides about the requests that clients make.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_norway::Value;
use xtask_tools::Processes;

use super::router::{Answer, Forward};
use super::{Config, Decision, Request, load};
use crate::mounts::Mounts;

static CONFIG: LazyLock<Config> = LazyLock::new(|| rendered(&[]));

/// Helm 4 from the variable HELM, from the path, or the copy that the project installed for itself.
fn helm(root: &Path) -> PathBuf {
    let installed =
        std::fs::read_dir(root.join("target/tools/helm")).into_iter().flatten().flatten();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::var_os("HELM")
        .map(PathBuf::from)
        .into_iter()
        .chain(std::env::split_paths(&path).map(|folder| folder.join("helm")))
        .chain(installed.map(|entry| entry.path().join("helm")))
        .find(|helm| helm.is_file())
        .expect("this test needs helm: `cargo xtask doctor` says how to get it")
}

/// One template of the chart.
fn template(name: &str, settings: &[&str]) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let mut command = Processes::default().command(helm(&root)).arg("template").arg("supabase");
    command = command
        .arg(root.join("helm/supabase"))
        .args(["--show-only", &format!("templates/kong/{name}.yaml")]);
    for setting in [
        "database.host=db",
        "storage.bucket=objects",
        "publicUrl=http://x",
        "auth.signup=false",
        "storage.roleArn=arn:aws:iam::123456789012:role/s",
    ] {
        command = command.args(["--set", setting]);
    }
    for setting in settings {
        command = command.args(["--set", setting]);
    }
    serde_norway::from_str(&command.output().unwrap()).unwrap()
}

/// Kong's configuration in the chart's ConfigMap, read as its Pod would read it.
fn rendered(settings: &[&str]) -> Config {
    let map = template("configmap", settings);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kong.yaml"), map["data"]["kong.yaml"].as_str().unwrap())
        .unwrap();
    let env = [
        ("KONG_CONFIG_TEMPLATE", "/etc/kong-supabase/kong.yaml"),
        (
            "KONG_PLUGINS",
            "request-transformer,cors,key-auth,acl,basic-auth,request-termination,ip-restriction",
        ),
        ("SUPABASE_ANON_KEY", "anon-key"),
        ("SUPABASE_SERVICE_ROLE_KEY", "service-key"),
        ("DASHBOARD_USERNAME", "admin"),
        ("DASHBOARD_PASSWORD", "secret"),
    ];
    let env: BTreeMap<String, String> =
        env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let mounts = Mounts::new([("/etc/kong-supabase".to_owned(), folder.path().to_owned())]);
    load(&env, &mounts).unwrap()
}

fn request(method: &str, url: &str, headers: &[(&str, &str)]) -> Request {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        client: IpAddr::from([203, 0, 113, 7]),
    }
}

fn answer(url: &str, headers: &[(&str, &str)]) -> Answer {
    match CONFIG.decide(request("GET", url, headers)) {
        Decision::Answer(answer) => answer,
        Decision::Forward(forward) => panic!("{url} is sent to {}", forward.host),
    }
}

fn forward(url: &str, headers: &[(&str, &str)]) -> Forward {
    match CONFIG.decide(request("GET", url, headers)) {
        Decision::Forward(forward) => forward,
        Decision::Answer(answer) => {
            panic!("{url} is answered with {} {}", answer.status, answer.body)
        }
    }
}

const ANON: (&str, &str) = ("apikey", "anon-key");
const SERVICE: (&str, &str) = ("apikey", "service-key");

#[test]
fn keys_are_asked_for_and_their_groups_count() {
    for path in ["/auth/v1/health", "/rest/v1/", "/rest/v1/todos", "/graphql/v1", "/pg/tables"] {
        assert_eq!(answer(path, &[]).status, 401, "{path}");
        assert!(answer(path, &[]).body.contains("No API key found in request"), "{path}");
        assert_eq!(answer(path, &[("apikey", "wrong")]).status, 401, "{path}");
    }
    assert_eq!(answer("/pg/tables", &[ANON]).status, 403);
    assert_eq!(forward("/pg/tables", &[SERVICE]).host, "supabase-meta");
}

#[test]
fn requests_reach_their_service_under_its_own_path() {
    for (url, host, port, path) in [
        ("/auth/v1/health", "supabase-auth", 9999, "/health"),
        ("/auth/v1/admin/users", "supabase-auth", 9999, "/admin/users"),
        ("/rest/v1/", "supabase-rest", 3000, "/"),
        ("/rest/v1", "supabase-rest", 3000, "/"),
        ("/rest/v1/todos", "supabase-rest", 3000, "/todos"),
        ("/graphql/v1", "supabase-rest", 3000, "/rpc/graphql"),
        ("/storage/v1/object/a/b", "supabase-storage", 5000, "/object/a/b"),
        ("/functions/v1/hello", "supabase-functions", 9000, "/hello"),
        ("/realtime/v1/websocket", "supabase-realtime", 4000, "/socket/websocket"),
        ("/auth/v1/.well-known/jwks.json", "supabase-auth", 9999, "/.well-known/jwks.json"),
        ("/auth/v1/verify", "supabase-auth", 9999, "/verify"),
    ] {
        let found = forward(url, &[SERVICE]);
        assert_eq!(
            (found.host.as_str(), found.port, found.request.path.as_str()),
            (host, port, path),
            "{url}"
        );
    }
}

#[test]
fn open_routes_need_no_key() {
    assert_eq!(answer("/healthz", &[]).status, 200);
    for url in [
        "/auth/v1/.well-known/jwks.json",
        "/auth/v1/callback?code=1",
        "/storage/v1/status",
        "/functions/v1/hello",
    ] {
        forward(url, &[]);
    }
}

#[test]
fn a_key_becomes_the_bearer_token_that_backends_read() {
    let by_header = forward("/rest/v1/todos?select=*", &[ANON]);
    assert_eq!(by_header.request.header("authorization").unwrap(), "Bearer anon-key");
    assert_eq!(by_header.request.query, "select=*");
    let own = forward("/rest/v1/todos", &[ANON, ("authorization", "Bearer user-token")]);
    assert_eq!(own.request.header("authorization").unwrap(), "Bearer user-token");
    let by_query = forward("/realtime/v1/websocket?apikey=anon-key&vsn=1.0.0", &[]);
    assert_eq!(by_query.request.header("x-api-key").unwrap(), "anon-key");
    assert_eq!(
        forward("/graphql/v1", &[ANON]).request.header("content-profile").unwrap(),
        "graphql_public"
    );
}

#[test]
fn a_client_cannot_choose_the_address_that_its_rate_is_counted_by() {
    let sent = forward("/auth/v1/otp", &[ANON, ("x-real-ip", "198.51.100.1")]);
    let said: Vec<_> =
        sent.request.headers.iter().filter(|(name, _)| name == "x-real-ip").collect();
    assert_eq!(said, [&("x-real-ip".to_owned(), "203.0.113.7".to_owned())]);
}

#[test]
fn the_dashboard_is_behind_its_login_and_catches_the_rest() {
    for path in ["/", "/project/default", "/no-such-route"] {
        let refused = answer(path, &[]);
        assert_eq!(refused.status, 401);
        assert!(
            refused
                .headers
                .iter()
                .any(|(name, value)| name == "www-authenticate" && value.starts_with("Basic"))
        );
    }
    let login = format!("Basic {}", STANDARD.encode("admin:secret"));
    let opened = forward("/project/default", &[("authorization", &login)]);
    assert_eq!(opened.host, "supabase-studio");
    assert_eq!(opened.request.header("authorization"), None);
    assert_eq!(answer("/api/mcp", &[]).status, 403);
}

#[test]
fn the_administration_of_tenants_is_closed() {
    assert_eq!(answer("/realtime/v1/api/tenants/x", &[SERVICE]).status, 403);
    assert_eq!(forward("/realtime/v1/api/broadcast", &[SERVICE]).request.path, "/api/broadcast");
}

#[test]
fn browsers_are_told_what_they_may() {
    let asked = [("origin", "https://app.example.com"), ("access-control-request-method", "POST")];
    let Decision::Answer(answer) = CONFIG.decide(request("OPTIONS", "/rest/v1/todos", &asked))
    else {
        panic!("the preflight is sent on")
    };
    assert_eq!(answer.status, 200);
    let names: BTreeSet<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(
        names.contains("access-control-allow-origin")
            && names.contains("access-control-allow-methods")
    );
    let sent = forward("/rest/v1/todos", &[ANON, ("origin", "https://app.example.com")]);
    assert!(
        sent.answer_headers.contains(&("access-control-allow-origin".to_owned(), "*".to_owned()))
    );
}

#[test]
fn settings_close_routes() {
    let closed =
        rendered(&["realtime.enabled=false", "studio.allowedCidrs.office=198.51.100.0/24"]);
    let ask =
        |url: &str, headers: &[(&str, &str)]| match closed.decide(request("GET", url, headers)) {
            Decision::Answer(answer) => answer,
            Decision::Forward(forward) => panic!("{url} is sent to {}", forward.host),
        };
    let off = ask("/realtime/v1/websocket", &[ANON]);
    assert_eq!(off.status, 503);
    assert!(off.body.contains("switched off"), "{}", off.body);
    let login = format!("Basic {}", STANDARD.encode("admin:secret"));
    assert_eq!(
        ask("/", &[("authorization", &login)]).status,
        403,
        "the address is not in the list"
    );
}

/// What holds keys stays in memory, which is small; what clients send may be large.
#[test]
fn keys_stay_in_memory_and_uploads_go_to_the_disk() {
    let pod = &template("deployment", &[])["spec"]["template"]["spec"];
    let named = |list: &Value, name: &str| {
        list.as_sequence().unwrap().iter().find(|it| it["name"] == *name).unwrap().clone()
    };
    let container = named(&pod["containers"], "kong");
    let volume_of = |variable: &str| {
        let value = named(&container["env"], variable)["value"].clone();
        let path = Path::new(value.as_str().unwrap()).to_owned();
        let mounts = container["volumeMounts"].as_sequence().unwrap();
        let mount = mounts.iter().find(|it| path.starts_with(it["mountPath"].as_str().unwrap()));
        named(&pod["volumes"], mount.unwrap()["name"].as_str().unwrap())["emptyDir"].clone()
    };
    for of_keys in ["KONG_DECLARATIVE_CONFIG", "KONG_PREFIX"] {
        assert_eq!(volume_of(of_keys)["medium"], "Memory", "{of_keys}");
    }
    let spool = volume_of("KONG_NGINX_PROXY_CLIENT_BODY_TEMP_PATH");
    assert!(spool["medium"].is_null() && spool["sizeLimit"] == "4Gi", "{spool:?}");
    let downloads = named(&container["env"], "KONG_NGINX_PROXY_PROXY_MAX_TEMP_FILE_SIZE");
    assert_eq!(downloads["value"], "0");
}
