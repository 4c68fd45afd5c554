//! The public face: configuration, clusters, and the listening server.

use std::{fmt, future::Future, net::SocketAddr, path::PathBuf, sync::Arc};

use crate::{Authenticator, LogProvider, NoLogs};

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

/// A bound server. Cheap to clone: clones share the clusters.
#[derive(Clone)]
pub struct Server {
    address: SocketAddr,
    ca_pem: Arc<str>,
    internal_token: Arc<str>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens at once; requests are answered from [`Server::serve`] on.
    pub async fn bind(_config: Config, _authenticator: Arc<dyn Authenticator>) -> anyhow::Result<Self> {
        anyhow::bail!("not built yet")
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that a kubeconfig names as the cluster's server.
    pub fn endpoint(&self, cluster: &str) -> String {
        format!("https://{}/clusters/{cluster}", self.address)
    }

    /// The certificate authority that signed the server's certificate.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// A bearer token, new with each server, that every cluster accepts: for the controllers.
    pub fn internal_token(&self) -> &str {
        &self.internal_token
    }

    /// Makes an empty cluster; one that exists is left as it is.
    pub fn add_cluster(&self, _name: &str) {}

    /// Forgets a cluster and ends its watches.
    pub fn remove_cluster(&self, _name: &str) {}

    pub fn clusters(&self) -> Vec<String> {
        Vec::new()
    }

    /// Answers requests until `shutdown` completes.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) -> anyhow::Result<()> {
        shutdown.await;
        Ok(())
    }
}
