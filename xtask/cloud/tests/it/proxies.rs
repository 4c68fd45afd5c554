//! Every client asks the same proxy, and none where NO_PROXY says so.

use std::{collections::BTreeMap, time::Duration};

use xtask_cloud::{Cloud, CloudConfig, Cluster, GitHub, Http, HttpConfig, Proxies};

use crate::standin::{Reply, StandIn};

/// A proxy that lets nothing through and remembers who was asked for.
fn proxy() -> StandIn {
    StandIn::start(|_| Reply::new(502, "nobody leaves here"))
}

fn variables(proxy: &StandIn, exceptions: &str) -> BTreeMap<String, String> {
    [
        ("HTTPS_PROXY", proxy.url.as_str()),
        ("NO_PROXY", exceptions),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "not-a-key"),
        // Nobody has this name: no test reaches AWS.
        ("AWS_ENDPOINT_URL_STS", "https://sts.example"),
        ("GITHUB_API_URL", "https://github.example/api/v3"),
        ("GITHUB_REPOSITORY", "owner/name"),
        ("GITHUB_TOKEN", "not-a-token"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

fn cloud(env: &BTreeMap<String, String>) -> Cloud {
    Cloud::new(CloudConfig { region: "eu-west-1".into(), env: env.clone() }).unwrap()
}

/// Asks each client for something that cannot be had.
fn ask_all(env: &BTreeMap<String, String>) {
    let proxies = Proxies::from_variables(|name| env.get(name).cloned()).unwrap();
    let timeout = Duration::from_secs(5);
    let http = Http::new(HttpConfig { proxies, timeout, ..HttpConfig::default() }).unwrap();
    http.get("https://public.example/rest/v1/", &[]).unwrap_err();
    cloud(env).identity().unwrap_err();
    let cluster =
        Cluster::connect("https://cluster.example", "", &cloud(env), "supabase-dev").unwrap();
    cluster.version().unwrap_err();
    GitHub::from_env(env).unwrap().run(1).unwrap_err();
}

fn asked_for(proxy: &StandIn) -> Vec<String> {
    let mut hosts: Vec<String> = proxy
        .asked()
        .into_iter()
        .filter(|request| request.method == "CONNECT")
        .map(|request| request.target)
        .collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

#[test]
fn aws_kubernetes_github_and_plain_requests_take_the_same_proxy() {
    let proxy = proxy();
    ask_all(&variables(&proxy, ""));
    assert_eq!(
        asked_for(&proxy),
        ["cluster.example:443", "github.example:443", "public.example:443", "sts.example:443"]
    );
}

#[test]
fn none_of_them_asks_it_for_an_exception() {
    let proxy = proxy();
    ask_all(&variables(&proxy, "*.example:443"));
    assert!(proxy.asked().is_empty(), "{:?}", proxy.calls());
}
