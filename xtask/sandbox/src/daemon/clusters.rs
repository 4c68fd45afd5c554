//! The Kubernetes side: one API server for all clusters, and controllers for each.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::{Context, bail};
use sandbox_controllers::Faults;
use sandbox_kubernetes::{Config, Server};
use tokio::{runtime::Runtime, sync::oneshot};

use super::{authenticator::EksTokens, aws::Aws, control::ClusterRequest};
use crate::folder::Folder;

/// All clusters. Nothing listens before [`Clusters::start`].
#[derive(Debug)]
pub(super) struct Clusters {
    folder: Folder,
    postgres: PathBuf,
    http: reqwest::Client,
    gateway_port: u16,
    faults: Arc<Faults>,
    server: OnceLock<Server>,
}

/// Where they are reached.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) kubernetes: String,
    pub(super) gateway: String,
    /// PEM texts of the authorities that signed their certificates.
    pub(super) authorities: String,
}

/// What EKS tells about a cluster.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) endpoint: String,
    pub(super) ca_pem: String,
}

impl Clusters {
    pub(super) fn new(folder: &Folder, postgres: &Path, http: reqwest::Client, gateway_port: u16) -> Self {
        Self {
            folder: folder.clone(),
            postgres: postgres.to_owned(),
            http,
            gateway_port,
            faults: Arc::default(),
            server: OnceLock::new(),
        }
    }

    pub(super) fn start(&self, runtime: &Runtime, aws: &Aws) -> anyhow::Result<Started> {
        let tokens = EksTokens::new(self.http.clone(), &aws.endpoint)?;
        let server = runtime
            .block_on(Server::bind(Config::loopback(), Arc::new(tokens)))
            .context("failed to start the Kubernetes API")?;
        let started = Started {
            kubernetes: format!("https://{}", server.address()),
            gateway: String::new(),
            authorities: server.ca_pem().to_owned(),
        };
        self.server.set(server).ok().context("the Kubernetes API was started twice")?;
        Ok(started)
    }

    pub(super) async fn create(&self, request: &ClusterRequest) -> anyhow::Result<Access> {
        let server = self.server.get().context("the Kubernetes API is not up yet")?;
        server.add_cluster(&request.name);
        Ok(Access { endpoint: server.endpoint(&request.name), ca_pem: server.ca_pem().to_owned() })
    }

    pub(super) async fn delete(&self, name: &str) -> anyhow::Result<()> {
        let server = self.server.get().context("the Kubernetes API is not up yet")?;
        server.remove_cluster(name);
        Ok(())
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.server.get().map(Server::clusters).unwrap_or_default()
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    pub(super) fn drop_watches(&self) {}

    pub(super) fn ended(&self) -> Option<String> {
        None
    }

    pub(super) async fn probe(&self, _url: &str, _timeout: Duration) -> anyhow::Result<()> {
        Ok(())
    }

    pub(super) fn stop(&self, _runtime: &Runtime) {}
}
