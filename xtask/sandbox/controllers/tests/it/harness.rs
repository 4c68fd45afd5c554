//! A cluster with its controllers, made for one test and gone with it.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Event, Namespace, Pod, ServiceAccount};
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher;
use kube::{Client, Resource};
use sandbox_controllers::gateway::Authority;
use sandbox_controllers::{AwsAccess, ClusterConfig, Faults, LoadBalancers, PodLogs, gateway};
use sandbox_kubernetes::{Config, Server, StaticTokens};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::account::Account;

pub(crate) const REGION: &str = "eu-west-1";
/// Long enough for a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(120);

/// One cluster, its account and its gateway.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) account: Account,
    pub(crate) faults: Arc<Faults>,
    pub(crate) load_balancers: Arc<LoadBalancers>,
    pub(crate) logs: PodLogs,
    pub(crate) gateway: String,
    pub(crate) authority: Authority,
    pub(crate) folder: TempDir,
    pub(crate) kubeconfig: PathBuf,
    _tasks: JoinSet<()>,
}

impl Cluster {
    /// A running cluster with the namespaces `supabase` and `kube-system`.
    pub(crate) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = TempDir::new().unwrap();
        let mut tasks = JoinSet::new();
        let authenticator = Arc::new(StaticTokens::default());
        let server = Server::bind(Config::loopback(), authenticator).await.unwrap();
        server.add_cluster("supabase-dev");
        let kubeconfig = write_kubeconfig(folder.path(), &server);
        let options = kube::config::KubeConfigOptions::default();
        let read = kube::config::Kubeconfig::read_from(&kubeconfig).unwrap();
        tasks.spawn({
            let server = server.clone();
            async move { server.serve(std::future::pending()).await.unwrap() }
        });
        let kubernetes = kube::Config::from_custom_kubeconfig(read, &options).await.unwrap();
        let client = Client::try_from(kubernetes.clone()).unwrap();

        let account = Account::start(&mut tasks).await;
        let (faults, load_balancers) =
            (Arc::new(Faults::default()), Arc::new(LoadBalancers::default()));
        let logs = PodLogs::new(folder.path().join("logs"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = format!("http://{}", listener.local_addr().unwrap());
        let authority = authority();
        tasks.spawn({
            let (balancers, authority) = (load_balancers.clone(), authority.clone());
            async move {
                gateway::serve(listener, balancers, &authority, std::future::pending())
                    .await
                    .unwrap()
            }
        });
        let config = ClusterConfig {
            name: "supabase-dev".to_owned(),
            kubernetes,
            aws: AwsAccess {
                endpoint: account.endpoint.clone(),
                region: REGION.to_owned(),
                access_key_id: "testing".to_owned(),
                secret_access_key: "testing".to_owned(),
            },
            folder: folder.path().join("cluster"),
            postgres_bin: crate::postgres::bin(),
            load_balancers: load_balancers.clone(),
            faults: faults.clone(),
            logs: logs.clone(),
            kubernetes_version: "v1.35.0".to_owned(),
        };
        tasks.spawn(async move {
            sandbox_controllers::run(config, std::future::pending()).await.unwrap()
        });
        let cluster = Self {
            client,
            account,
            faults,
            load_balancers,
            logs,
            gateway,
            authority,
            folder,
            kubeconfig,
            _tasks: tasks,
        };
        cluster.add_namespace("supabase").await;
        cluster.add_namespace("kube-system").await;
        cluster
    }

    pub(crate) async fn add_namespace(&self, name: &str) {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let api: Api<Namespace> = Api::all(self.client.clone());
        api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&object)).await.unwrap();
        self.wait::<ServiceAccount>(name, "default", |account| account.is_some()).await;
    }

    /// The API of a kind in the namespace `supabase`.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), "supabase")
    }

    /// Applies objects, in the namespace `supabase` unless they name another.
    pub(crate) async fn apply(&self, objects: impl IntoIterator<Item = Value>) {
        for mut object in objects {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
            let name = text(&object["metadata"]["name"]);
            let (group, version) = version.split_once('/').unwrap_or(("", &version));
            let gvk = GroupVersionKind::gvk(group, version, &kind);
            let (resource, capabilities) =
                kube::discovery::pinned_kind(&self.client, &gvk).await.unwrap();
            let api: Api<DynamicObject> = if capabilities.scope == kube::discovery::Scope::Cluster {
                Api::all_with(self.client.clone(), &resource)
            } else {
                let namespace =
                    object["metadata"]["namespace"].as_str().unwrap_or("supabase").to_owned();
                object["metadata"]["namespace"] = json!(namespace);
                Api::namespaced_with(self.client.clone(), &namespace, &resource)
            };
            api.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(&object))
                .await
                .unwrap();
        }
    }

    /// Waits until an object is as wanted; `None` is one that is not there.
    pub(crate) async fn wait<K>(
        &self,
        namespace: &str,
        name: &str,
        wanted: impl Fn(Option<&K>) -> bool,
    ) -> Option<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let mut changes = Box::pin(watcher::watch_object(api, name).default_backoff());
        let mut last = None;
        let waited = tokio::time::timeout(PATIENCE, async {
            use futures::StreamExt;
            while let Some(change) = changes.next().await {
                if let Ok(object) = change {
                    last = object;
                    if wanted(last.as_ref()) {
                        return;
                    }
                }
            }
        })
        .await;
        if waited.is_err() {
            panic!(
                "{} {namespace}/{name} stays {last:#?}\n{}",
                K::kind(&()),
                self.describe().await
            );
        }
        last
    }

    /// As `wait`, for an object of the namespace `supabase` that is there.
    pub(crate) async fn wait_for<K>(&self, name: &str, wanted: impl Fn(&K) -> bool) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        self.wait("supabase", name, |object: Option<&K>| object.is_some_and(&wanted)).await.unwrap()
    }

    /// Waits until there is an event with this reason about an object of this name.
    pub(crate) async fn wait_for_event(&self, about: &str, reason: &str, part: &str) -> Event {
        let found = self.eventually(|| async {
            let events: Api<Event> = Api::all(self.client.clone());
            let events = events.list(&ListParams::default()).await.ok()?;
            events.into_iter().find(|event| {
                event.involved_object.name.as_deref().is_some_and(|name| name.starts_with(about))
                    && event.reason.as_deref() == Some(reason)
                    && event.message.as_deref().is_some_and(|message| message.contains(part))
            })
        });
        match found.await {
            Some(event) => event,
            None => panic!("no event {reason} ({part}) about {about}\n{}", self.describe().await),
        }
    }

    /// Asks until there is an answer; for what cannot be watched.
    pub(crate) async fn eventually<T, F, Fut>(&self, ask: F) -> Option<T>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Option<T>>,
    {
        let asked = async {
            loop {
                if let Some(answer) = ask().await {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.ok()
    }

    /// The Pods with a label `app`.
    pub(crate) async fn pods(&self, app: &str) -> Vec<Pod> {
        let list =
            self.api::<Pod>().list(&ListParams::default().labels(&format!("app={app}"))).await;
        list.unwrap().items
    }

    /// Events and the controllers' log, for a failed test.
    pub(crate) async fn describe(&self) -> String {
        let events: Api<Event> = Api::all(self.client.clone());
        let events =
            events.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
        let lines: Vec<_> = events
            .iter()
            .map(|event| {
                let about = &event.involved_object;
                format!("{:?} {:?} {:?}: {:?}", about.kind, about.name, event.reason, event.message)
            })
            .collect();
        let pods: Api<Pod> = Api::all(self.client.clone());
        let pods =
            pods.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
        let ended = pods.iter().flat_map(|pod| {
            let statuses =
                pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
            let name = pod.metadata.name.clone().unwrap_or_default();
            statuses.map(move |status| {
                format!("{name}/{}: {:?} {:?}", status.name, status.state, status.last_state)
            })
        });
        let ended: Vec<_> = ended.filter(|line| line.contains("exit_code")).collect();
        let log = std::fs::read_to_string(self.folder.path().join("cluster/controllers.log"));
        let mut said = Vec::new();
        collect(&self.folder.path().join("logs"), &mut said);
        format!(
            "events:\n{}\nended:\n{}\nsaid:\n{}\nlog:\n{}",
            lines.join("\n"),
            ended.join("\n"),
            said.join("\n"),
            log.unwrap_or_default()
        )
    }
}

/// The lines of all containers' logs, each with the name of its file.
fn collect(folder: &Path, lines: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, lines);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        lines.extend(text.lines().map(|line| format!("{}: {line}", path.display())));
    }
}

fn write_kubeconfig(folder: &Path, server: &Server) -> PathBuf {
    use base64::Engine;
    let ca = base64::engine::general_purpose::STANDARD.encode(server.ca_pem());
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "sandbox",
        "clusters": [{"name": "sandbox", "cluster": {
            "server": server.endpoint("supabase-dev"), "certificate-authority-data": ca,
        }}],
        "users": [{"name": "sandbox", "user": {"token": server.internal_token()}}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox"}}],
    });
    let path = folder.join("kubeconfig");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

fn authority() -> Authority {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    Authority { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() }
}

/// A Deployment of one container whose image needs nothing.
pub(crate) fn deployment(name: &str, image: &str, replicas: i32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    })
}
