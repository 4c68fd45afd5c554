//! The public face: configuration, clusters, and the listening server.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fmt,
    future::Future,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::Context;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use crate::{Authenticator, LogProvider, NoLogs, cluster::Cluster, http, ids, tls::Identity};

/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the server waits after a connection that it could not accept.
const BREATH: Duration = Duration::from_millis(50);

/// How the server listens.
#[derive(Clone)]
pub struct Config {
    /// Port 0 picks a free one.
    pub listen: SocketAddr,
    /// A folder that keeps the certificate authority between runs; without it a new one is made.
    pub certificate: Option<PathBuf>,
    /// Where `pods/NAME/log` is answered from.
    pub logs: Arc<dyn LogProvider>,
}

impl Config {
    /// Loopback, a free port, a fresh certificate authority, empty logs.
    pub fn loopback() -> Self {
        Self { listen: ([127, 0, 0, 1], 0).into(), certificate: None, logs: Arc::new(NoLogs) }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

/// What every connection needs.
pub(crate) struct Shared {
    pub(crate) address: SocketAddr,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) logs: Arc<dyn LogProvider>,
    pub(crate) internal_token: String,
    ca_pem: Arc<str>,
    signing_key: [u8; 32],
    clusters: RwLock<BTreeMap<String, Arc<Cluster>>>,
}

impl Shared {
    pub(crate) fn cluster(&self, name: &str) -> Option<Arc<Cluster>> {
        self.clusters.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// A bound server. Cheap to clone: clones share the clusters.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
    listener: Arc<std::net::TcpListener>,
    tls: Arc<ServerConfig>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.shared.address)
            .field("clusters", &self.clusters())
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Listens at once; requests are answered from [`Server::serve`] on.
    ///
    /// # Errors
    /// The address is in use, or the certificate authority's folder cannot be read or written.
    pub async fn bind(
        config: Config,
        authenticator: Arc<dyn Authenticator>,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("failed to listen on {}", config.listen))?;
        let listener = listener.into_std().context("failed to keep the listening socket")?;
        let address = listener.local_addr().context("failed to read the listening address")?;
        let identity = Identity::new(address.ip(), config.certificate.as_deref())?;
        let shared = Shared {
            address,
            authenticator,
            logs: config.logs,
            internal_token: ids::secret_token(),
            ca_pem: identity.ca_pem.into(),
            signing_key: ids::secret_key(),
            clusters: RwLock::default(),
        };
        Ok(Self { shared: Arc::new(shared), listener: Arc::new(listener), tls: identity.config })
    }

    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// The URL that a kubeconfig names as the cluster's server.
    pub fn endpoint(&self, cluster: &str) -> String {
        format!("https://{}/clusters/{cluster}", self.shared.address)
    }

    /// The certificate authority that signed the server's certificate.
    pub fn ca_pem(&self) -> &str {
        &self.shared.ca_pem
    }

    /// A bearer token, new with each server, that every cluster accepts: for the controllers.
    pub fn internal_token(&self) -> &str {
        &self.shared.internal_token
    }

    /// Makes an empty cluster; one that exists is left as it is.
    pub fn add_cluster(&self, name: &str) {
        let mut clusters = self.shared.clusters.write().unwrap_or_else(PoisonError::into_inner);
        clusters.entry(name.to_owned()).or_insert_with(|| {
            Arc::new(Cluster::new(name, self.shared.ca_pem.clone(), self.shared.signing_key))
        });
    }

    /// Forgets a cluster and ends its watches.
    pub fn remove_cluster(&self, name: &str) {
        let removed =
            self.shared.clusters.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        if let Some(cluster) = removed {
            cluster.drop_watches();
        }
    }

    /// The names of all clusters.
    pub fn clusters(&self) -> Vec<String> {
        self.shared
            .clusters
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .cloned()
            .collect()
    }

    /// Ends every watch of a cluster, as a restarted API server does; clients resume from where
    /// they were.
    pub fn drop_watches(&self, cluster: &str) {
        if let Some(cluster) = self.shared.cluster(cluster) {
            cluster.drop_watches();
        }
    }

    /// Answers requests until `shutdown` completes, then hangs up on everyone.
    ///
    /// # Errors
    /// The listening socket cannot be used by this runtime.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) -> anyhow::Result<()> {
        let listener = self.listener.try_clone().context("failed to share the listening socket")?;
        let listener =
            TcpListener::from_std(listener).context("failed to use the listening socket")?;
        let acceptor = TlsAcceptor::from(self.tls);
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = listener.accept() => {
                    match accepted {
                        Ok((stream, _)) => {
                            connections.spawn(connection(self.shared.clone(), acceptor.clone(), stream));
                        }
                        // The connection broke early, or files ran out: others may end in the
                        // meantime.
                        Err(_) => tokio::time::sleep(BREATH).await,
                    }
                }
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
        connections.shutdown().await;
        Ok(())
    }
}

async fn connection(shared: Arc<Shared>, acceptor: TlsAcceptor, stream: TcpStream) {
    // Without this, small answers wait for the client to acknowledge the ones before.
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await else {
        return;
    };
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(http::answer(shared, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new());
    // Clients end connections as they like; there is nobody to tell.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}
