//! The Kubernetes side: one API server for all clusters, controllers for each, and the gateway.

use std::{
    collections::BTreeMap,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use kube::config::{KubeConfigOptions, Kubeconfig};
use sandbox_controllers::{
    AwsAccess, ClusterConfig, Faults, LoadBalancers, LogQuery, PodLogs, gateway,
};
use sandbox_kubernetes::{Config, LogProvider, LogRequest, LogStream, Server};
use serde_json::json;
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot, task::JoinHandle, time::timeout};
use url::Url;

use super::{authenticator::EksTokens, authority::Authority, aws::Aws, control::ClusterRequest};
use crate::{
    control::loopback_client,
    folder::{Folder, create_private},
};

/// How long controllers may take to end.
const STOP: Duration = Duration::from_secs(5);

/// All clusters. Nothing listens before [`Clusters::start`].
#[derive(Debug)]
pub(super) struct Clusters {
    folder: Folder,
    /// Where `psql` is: some Pods are run for real.
    postgres: PathBuf,
    faults: Arc<Faults>,
    load_balancers: Arc<LoadBalancers>,
    running: Arc<Mutex<BTreeMap<String, Controllers>>>,
    serving: OnceLock<Serving>,
}

/// What exists once everything listens.
#[derive(Debug)]
struct Serving {
    server: Server,
    aws: AwsAccess,
    /// Trusts the API server's certificate.
    http: reqwest::Client,
    servers: Mutex<Vec<(&'static str, Running)>>,
}

/// The controllers of one cluster.
#[derive(Debug)]
struct Controllers {
    logs: PodLogs,
    running: Running,
}

/// A task, and the way to end it.
#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

/// Where the parts are reached.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) kubernetes: String,
    pub(super) gateway: String,
    /// The PEM text of the API server's authority.
    pub(super) authority: String,
}

/// What EKS tells about a cluster.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) endpoint: String,
    pub(super) ca_pem: String,
}

impl Clusters {
    pub(super) fn new(folder: &Folder, postgres: &Path) -> Self {
        Self {
            folder: folder.clone(),
            postgres: postgres.to_owned(),
            faults: Arc::default(),
            load_balancers: Arc::default(),
            running: Arc::default(),
            serving: OnceLock::new(),
        }
    }

    /// Starts the API server and the gateway; clusters come with [`Clusters::create`].
    pub(super) async fn start(
        &self,
        http: reqwest::Client,
        aws: &Aws,
        authority: &Authority,
        listener: TcpListener,
    ) -> anyhow::Result<Started> {
        let gateway = format!(
            "http://{}",
            listener.local_addr().context("failed to read the gateway's address")?
        );
        let tokens = EksTokens::new(http, &aws.endpoint)?;
        let logs = Arc::new(Logs(self.running.clone()));
        let config = Config { logs, ..Config::loopback() };
        let server = Server::bind(config, Arc::new(tokens))
            .await
            .context("failed to start the Kubernetes API")?;
        let started = Started {
            kubernetes: format!("https://{}", server.address()),
            gateway,
            authority: server.ca_pem().to_owned(),
        };
        let (api, load_balancers) = (server.clone(), self.load_balancers.clone());
        let gateway_authority = gateway::Authority {
            certificate_pem: authority.certificate_pem().to_owned(),
            key_pem: authority.key_pem(),
        };
        let servers = vec![
            ("Kubernetes API", Running::spawn(|stop| api.serve(stop))),
            (
                "gateway",
                Running::spawn(|stop| async move {
                    gateway::serve(listener, load_balancers, &gateway_authority, stop).await
                }),
            ),
        ];
        let serving = Serving {
            http: loopback_client(Some(server.ca_pem()))?,
            server,
            aws: AwsAccess {
                endpoint: Url::parse(&aws.endpoint).context("failed to read the address of AWS")?,
                region: String::new(),
                access_key_id: aws.access_key_id.clone(),
                secret_access_key: aws.secret_access_key.clone(),
            },
            servers: Mutex::new(servers),
        };
        self.serving.set(serving).ok().context("the Kubernetes API was started twice")?;
        Ok(started)
    }

    /// Makes an empty cluster with controllers in it.
    pub(super) async fn create(&self, request: &ClusterRequest) -> anyhow::Result<Access> {
        let name = &request.name;
        check_name(name)?;
        let Serving { server, aws, .. } = self.serving()?;
        if self.running().contains_key(name) {
            bail!("there is a cluster `{name}` already");
        }
        let folder = self.cluster_folder(name);
        create_private(&folder)?;
        server.add_cluster(name);
        let logs = PodLogs::new(folder.join("pod-logs"));
        let config = ClusterConfig {
            name: name.clone(),
            kubernetes: client_config(server, name).await?,
            aws: AwsAccess { region: request.region.clone(), ..aws.clone() },
            folder,
            postgres_bin: self.postgres.clone(),
            load_balancers: self.load_balancers.clone(),
            faults: self.faults.clone(),
            logs: logs.clone(),
            kubernetes_version: format!("v{}.0", request.version),
        };
        let running = Running::spawn(|stop| sandbox_controllers::run(config, stop));
        self.running().insert(name.clone(), Controllers { logs, running });
        Ok(Access { endpoint: server.endpoint(name), ca_pem: server.ca_pem().to_owned() })
    }

    pub(super) async fn delete(&self, name: &str) -> anyhow::Result<()> {
        let Some(controllers) = self.running().remove(name) else {
            bail!("there is no cluster `{name}`")
        };
        controllers.running.end().await;
        self.serving()?.server.remove_cluster(name);
        let folder = self.cluster_folder(name);
        std::fs::remove_dir_all(&folder)
            .with_context(|| format!("failed to remove `{}`", folder.display()))
    }

    /// The clusters, and what is wrong with those whose controllers ended.
    pub(super) fn list(&self) -> Vec<(String, Option<String>)> {
        let problem = |controllers: &Controllers| {
            controllers.running.task.is_finished().then(|| "its controllers ended".to_owned())
        };
        self.running()
            .iter()
            .map(|(name, controllers)| (name.clone(), problem(controllers)))
            .collect()
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Ends the watches of all clusters, once.
    pub(super) fn drop_watches(&self) -> anyhow::Result<()> {
        let server = &self.serving()?.server;
        for name in self.running().keys() {
            server.drop_watches(name);
        }
        Ok(())
    }

    /// Sees whether the API server answers.
    pub(super) async fn probe(&self, url: &str, patience: Duration) -> anyhow::Result<()> {
        self.serving()?.http.get(url).timeout(patience).send().await?;
        Ok(())
    }

    /// The server that ended without being asked to.
    pub(super) fn ended(&self) -> Option<String> {
        let serving = self.serving.get()?;
        let servers = serving.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, _) = servers.iter().find(|(_, running)| running.task.is_finished())?;
        Some(format!("the sandbox's {name} ended"))
    }

    pub(super) fn stop(&self, runtime: &Runtime) {
        let clusters = std::mem::take(&mut *self.running());
        let servers = self.serving.get().map(|serving| {
            std::mem::take(&mut *serving.servers.lock().unwrap_or_else(PoisonError::into_inner))
        });
        runtime.block_on(async {
            for controllers in clusters.into_values() {
                controllers.running.end().await;
            }
            for (_, running) in servers.unwrap_or_default() {
                running.end().await;
            }
        });
    }

    fn serving(&self) -> anyhow::Result<&Serving> {
        self.serving.get().context("the Kubernetes API is not up yet")
    }

    fn cluster_folder(&self, name: &str) -> PathBuf {
        self.folder.join("clusters").join(name)
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Controllers>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn spawn<F>(start: impl FnOnce(Stop) -> F) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(start(Stop(stopped)));
        Self { stop, task }
    }

    /// Asks it to end, and cuts it off when it does not.
    async fn end(self) {
        let _ = self.stop.send(());
        let abort = self.task.abort_handle();
        if timeout(STOP, self.task).await.is_err() {
            abort.abort();
        }
    }
}

/// Completes when the other end speaks or is gone.
struct Stop(oneshot::Receiver<()>);

impl Future for Stop {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        Pin::new(&mut self.0).poll(context).map(|_| ())
    }
}

/// `kubectl logs`, answered by the kubelets of the clusters.
struct Logs(Arc<Mutex<BTreeMap<String, Controllers>>>);

impl LogProvider for Logs {
    fn log<'a>(
        &'a self,
        request: LogRequest,
    ) -> Pin<Box<dyn Future<Output = LogStream> + Send + 'a>> {
        let clusters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let logs = clusters.get(&request.cluster).map(|controllers| controllers.logs.clone());
        drop(clusters);
        Box::pin(async move {
            let Some(logs) = logs else { return tokio::sync::mpsc::channel(1).1 };
            logs.stream(LogQuery {
                namespace: request.namespace,
                pod: request.pod,
                container: request.container,
                previous: request.previous,
                follow: request.follow,
                timestamps: request.timestamps,
                tail_lines: request.tail_lines,
                limit_bytes: request.limit_bytes,
            })
        })
    }
}

/// How the controllers reach their cluster: as a kubeconfig would say it.
async fn client_config(server: &Server, name: &str) -> anyhow::Result<kube::Config> {
    let kubeconfig: Kubeconfig = serde_json::from_value(json!({
        "clusters": [{"name": name, "cluster": {
            "server": server.endpoint(name),
            "certificate-authority-data": BASE64_STANDARD.encode(server.ca_pem()),
        }}],
        "users": [{"name": "controllers", "user": {"token": server.internal_token()}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "controllers"}}],
        "current-context": name,
    }))
    .context("failed to write a kubeconfig")?;
    kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .with_context(|| format!("failed to make a client of cluster {name}"))
}

/// The name becomes a folder's name, and a part of a path.
fn check_name(name: &str) -> anyhow::Result<()> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if name.is_empty() || name.len() > 100 || !name.bytes().all(good) {
        bail!(
            "`{name}` is no name of a cluster: letters, digits, hyphens and underscores, at most 100"
        );
    }
    Ok(())
}
