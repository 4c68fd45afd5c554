//! A cluster without controllers: the embedded API server. Tests play the controllers.

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::wait::{Condition, await_condition},
};
use sandbox_kubernetes::{
    Authenticator, Config, LogProvider, LogRequest, LogStream, Server, Unrecognised, User,
};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, task::JoinHandle};
use xtask_cloud::{Cloud, CloudConfig, Cluster, Kind, Wait};

pub(crate) const NAME: &str = "supabase-dev";
pub(crate) const NAMESPACE: &str = "supabase";

pub(crate) struct TestCluster {
    pub(crate) cluster: Cluster,
    pub(crate) server: Server,
    pub(crate) client: Client,
    runtime: Runtime,
}

/// Takes every EKS token for a cluster of the right name.
struct AnyEksToken;

impl Authenticator for AnyEksToken {
    fn authenticate<'a>(
        &'a self,
        cluster: &'a str,
        token: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<User, Unrecognised>> + Send + 'a>> {
        let known = cluster == NAME && token.starts_with("k8s-aws-v1.");
        let user = User { name: "deployer".into(), groups: vec!["system:masters".into()] };
        Box::pin(async move {
            known.then_some(user).ok_or(Unrecognised::Unauthorized { reason: "unknown".into() })
        })
    }
}

/// Every container has said the same two lines.
struct TwoLines;

impl LogProvider for TwoLines {
    fn log<'a>(
        &'a self,
        request: LogRequest,
    ) -> Pin<Box<dyn Future<Output = LogStream> + Send + 'a>> {
        Box::pin(async move {
            let (sender, receiver) = tokio::sync::mpsc::channel(1);
            let run = if request.previous { "previous" } else { "current" };
            let text = format!("{} of {}\n{run} run\n", request.container, request.pod);
            let _ = sender.try_send(text.into_bytes());
            receiver
        })
    }
}

impl TestCluster {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(async {
            let config = Config { logs: Arc::new(TwoLines), ..Config::loopback() };
            let server = Server::bind(config, Arc::new(AnyEksToken)).await.unwrap();
            server.add_cluster(NAME);
            tokio::spawn(server.clone().serve(std::future::pending()));
            server
        });
        let cluster =
            Cluster::connect(&server.endpoint(NAME), &ca(&server), &cloud(), NAME).unwrap();
        let client = runtime.block_on(client(&server));
        let this = Self { cluster, server, client, runtime };
        this.apply(
            &json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } }),
        );
        this
    }

    pub(crate) fn apply(&self, object: &Value) {
        self.cluster.apply(object, "test", true).unwrap();
    }

    /// The definitions of ExternalSecret and SecretStore, as loose as can be.
    pub(crate) fn define_external_secrets(&self) {
        for (kind, plural) in
            [("ExternalSecret", "externalsecrets"), ("SecretStore", "secretstores")]
        {
            let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
            self.apply(&json!({
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": { "name": format!("{plural}.external-secrets.io") },
                "spec": {
                    "group": "external-secrets.io",
                    "scope": "Namespaced",
                    "names": { "kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase() },
                    "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema }, "subresources": { "status": {} } }],
                },
            }));
        }
    }

    pub(crate) fn api(&self, kind: &Kind) -> Api<DynamicObject> {
        api(&self.client, kind)
    }

    /// Runs a controller of the test beside it.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.runtime.spawn(work)
    }

    /// Fails where the controller did.
    pub(crate) fn finish(&self, controller: JoinHandle<()>) {
        self.runtime.block_on(controller).unwrap();
    }

    pub(crate) fn set_status(&self, kind: &Kind, name: &str, status: &Value) {
        self.runtime.block_on(set_status(&self.api(kind), name, status));
    }
}

pub(crate) fn api(client: &Client, kind: &Kind) -> Api<DynamicObject> {
    let api_version = match kind.group {
        "" => kind.version.to_owned(),
        group => format!("{group}/{}", kind.version),
    };
    let resource = ApiResource {
        group: kind.group.into(),
        version: kind.version.into(),
        api_version,
        kind: kind.kind.into(),
        plural: kind.plural.into(),
    };
    Api::namespaced_with(client.clone(), NAMESPACE, &resource)
}

pub(crate) async fn set_status(api: &Api<DynamicObject>, name: &str, status: &Value) {
    let patch = Patch::Merge(json!({ "status": status }));
    api.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}

/// Waits until an object of the cluster is as the controller of a test needs it.
pub(crate) async fn when(
    api: Api<DynamicObject>,
    name: &str,
    condition: impl Condition<DynamicObject>,
) {
    await_condition(api, name, condition).await.unwrap();
}

pub(crate) fn patience() -> Wait<'static> {
    Wait::at_most(Duration::from_secs(60))
}

pub(crate) fn ca(server: &Server) -> String {
    STANDARD.encode(server.ca_pem())
}

pub(crate) fn cloud() -> Cloud {
    let env = [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "canary-3Xy"),
    ];
    let env: BTreeMap<String, String> =
        env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Cloud::new(CloudConfig { region: "eu-west-1".into(), env }).unwrap()
}

/// A client with the server's own token, for the controllers of a test.
async fn client(server: &Server) -> Client {
    let kubeconfig: Kubeconfig = serde_json::from_value(json!({
        "clusters": [{ "name": "c", "cluster": { "server": server.endpoint(NAME), "certificate-authority-data": ca(server) } }],
        "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
        "users": [{ "name": "u", "user": { "token": server.internal_token() } }],
        "current-context": "c",
    }))
    .unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    Client::try_from(config).unwrap()
}
