//! The server itself: who may in, and that clusters are apart.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, api::PostParams};

use crate::harness::{CLUSTER, Sandbox, TOKEN};

/// A client of any cluster of the server with any token.
fn client(sandbox: &Sandbox, cluster: &str, token: &str) -> Client {
    let mut config = kube::Config::new(sandbox.server.endpoint(cluster).parse().unwrap());
    let authority =
        sandbox.server.ca_pem().lines().filter(|line| !line.starts_with('-')).collect::<String>();
    let authority =
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, authority).unwrap();
    config.root_cert = Some(vec![authority]);
    config.auth_info.token = (!token.is_empty()).then(|| token.to_owned().into());
    sandbox.runtime.block_on(async { Client::try_from(config).unwrap() })
}

fn status_of(sandbox: &Sandbox, cluster: &str, token: &str) -> u16 {
    let maps: Api<ConfigMap> = Api::namespaced(client(sandbox, cluster, token), "default");
    match sandbox.runtime.block_on(maps.get("kube-root-ca.crt")) {
        Ok(_) => 200,
        Err(kube::Error::Api(status)) => status.code,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn only_known_tokens_get_in() {
    let sandbox = Sandbox::start();
    assert_eq!(status_of(&sandbox, CLUSTER, TOKEN), 200);
    assert_eq!(status_of(&sandbox, CLUSTER, sandbox.server.internal_token()), 200);
    assert_eq!(status_of(&sandbox, CLUSTER, "wrong"), 401);
    assert_eq!(status_of(&sandbox, CLUSTER, ""), 401);
    let anonymous = client(&sandbox, CLUSTER, "");
    let version = sandbox.runtime.block_on(anonymous.apiserver_version()).unwrap();
    assert!(version.git_version.starts_with("v1.35."), "{version:?}");
}

#[test]
fn clusters_are_apart_and_can_be_forgotten() {
    let sandbox = Sandbox::start();
    sandbox.server.add_cluster("other");
    let maps = |cluster: &str| -> Api<ConfigMap> {
        Api::namespaced(client(&sandbox, cluster, TOKEN), "default")
    };
    let (here, there) = (maps(CLUSTER), maps("other"));
    sandbox.runtime.block_on(async {
        let mut map = ConfigMap::default();
        map.metadata.name = Some("here".into());
        here.create(&PostParams::default(), &map).await.unwrap();
        assert!(here.get_opt("here").await.unwrap().is_some());
        assert!(there.get_opt("here").await.unwrap().is_none());
    });
    assert_eq!(sandbox.server.clusters(), ["other", CLUSTER]);
    sandbox.server.remove_cluster("other");
    assert_eq!(status_of(&sandbox, "other", TOKEN), 404);
    assert_eq!(status_of(&sandbox, CLUSTER, TOKEN), 200);
}

#[test]
fn a_port_in_use_is_said() {
    let sandbox = Sandbox::start();
    let mut config = sandbox_kubernetes::Config::loopback();
    config.listen = sandbox.address();
    let nobody = std::sync::Arc::new(sandbox_kubernetes::StaticTokens::default());
    let error =
        sandbox.runtime.block_on(sandbox_kubernetes::Server::bind(config, nobody)).unwrap_err();
    assert_eq!(error.to_string(), format!("failed to listen on {}", sandbox.address()));
}
