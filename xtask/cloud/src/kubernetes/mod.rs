//! Kubernetes: objects, waits by watch, diagnosis, the kubeconfig.

pub mod kinds;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::SystemTime,
};

use anyhow::{Result, bail};
use serde::Serialize;
use serde_json::Value;
use xtask_tools::Secret;

use crate::{Cloud, Wait};
pub use kinds::Kind;

/// A connection to one cluster. Cheap to clone, usable from several threads.
#[derive(Debug, Clone)]
pub struct Cluster {}

/// An object by kind, namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    pub kind: Kind,
    pub namespace: Option<String>,
    pub name: String,
}

/// The answer to a write of an object.
#[derive(Debug, Clone)]
pub struct Applied {
    pub created: bool,
    /// Whether the resource version moved.
    pub changed: bool,
    pub object: Value,
}

/// Where an ExternalSecret stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExternalSecretState {
    pub name: String,
    /// The Secret that it makes.
    pub target: String,
    pub keys: BTreeSet<String>,
    /// RFC 3339.
    pub refreshed: String,
}

/// How a Job ended well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobReport {
    pub pod: String,
    /// What the container wrote to its termination log.
    pub termination_message: Option<String>,
    pub log_tail: Vec<String>,
}

/// One revision of a Helm release, read from the labels of its Secret alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HelmRelease {
    pub name: String,
    pub namespace: String,
    pub revision: u32,
    /// `deployed`, `failed`, `pending-upgrade`, ...
    pub status: String,
    pub labels: BTreeMap<String, String>,
    pub modified: Option<SystemTime>,
}

/// Something of a release that is not ready, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `Deployment/supabase-auth`.
    pub workload: String,
    pub pod: Option<String>,
    pub container: Option<String>,
    /// `ImagePullBackOff: Back-off pulling image ...`, `0 of 2 replicas are available`.
    pub reason: String,
    pub events: Vec<String>,
    /// Not redacted: the caller does that.
    pub log_tail: Vec<String>,
}

/// What is written to a kubeconfig.
#[derive(Debug, Clone)]
pub struct KubeconfigEntry {
    pub cluster: String,
    pub region: String,
    pub endpoint: String,
    pub ca_base64: String,
    /// Path of the program that answers `eks-token --cluster .. --region ..`.
    pub program: String,
    /// Environment variables that the program gets.
    pub env: BTreeMap<String, String>,
}

/// Writes a kubeconfig with one context, named like the cluster; readable by the owner alone.
pub fn write_kubeconfig(_path: &Path, _entry: &KubeconfigEntry) -> Result<()> {
    bail!("not built")
}

impl Cluster {
    /// Logs in with EKS tokens, made in this process and renewed before they end.
    pub fn connect(_endpoint: &str, _ca_base64: &str, _cloud: &Cloud, _name: &str) -> Result<Self> {
        bail!("not built")
    }

    /// A context of a kubeconfig file (`None`: `KUBECONFIG` or the home folder's).
    pub fn from_context(_file: Option<&Path>, _context: &str) -> Result<Self> {
        bail!("not built")
    }

    /// The server's version: `v1.33.4-eks-...`.
    pub fn version(&self) -> Result<String> {
        bail!("not built")
    }

    pub fn get(&self, _target: &Target) -> Result<Option<Value>> {
        bail!("not built")
    }

    pub fn list(
        &self,
        _kind: &Kind,
        _namespace: Option<&str>,
        _labels: &str,
    ) -> Result<Vec<Value>> {
        bail!("not built")
    }

    /// Server-side apply. `force` takes over fields that others own.
    pub fn apply(&self, _object: &Value, _manager: &str, _force: bool) -> Result<Applied> {
        bail!("not built")
    }

    /// Asks the server, with its admission webhooks, whether it would create `object`.
    pub fn probe_create(&self, _object: &Value) -> Result<()> {
        bail!("not built")
    }

    /// [`Self::probe_create`] until it is accepted: a webhook is often announced before it answers.
    pub fn wait_accepted(&self, _object: &Value, _wait: &Wait<'_>) -> Result<()> {
        bail!("not built")
    }

    pub fn annotate(
        &self,
        _target: &Target,
        _annotations: &BTreeMap<String, String>,
    ) -> Result<()> {
        bail!("not built")
    }

    /// Asks for deletion; false when it was not there.
    pub fn delete(&self, _target: &Target) -> Result<bool> {
        bail!("not built")
    }

    /// Asks for deletion of all that match; returns their names.
    pub fn delete_all(&self, _kind: &Kind, _namespace: &str, _labels: &str) -> Result<Vec<String>> {
        bail!("not built")
    }

    pub fn wait_gone(&self, _target: &Target, _wait: &Wait<'_>) -> Result<()> {
        bail!("not built")
    }

    pub fn wait_all_gone(
        &self,
        _kind: &Kind,
        _namespace: Option<&str>,
        _labels: &str,
        _wait: &Wait<'_>,
    ) -> Result<()> {
        bail!("not built")
    }

    /// The keys of a Secret, without its values; `None` when there is no such Secret.
    pub fn secret_keys(&self, _namespace: &str, _name: &str) -> Result<Option<BTreeSet<String>>> {
        bail!("not built")
    }

    pub fn secret_value(
        &self,
        _namespace: &str,
        _name: &str,
        _key: &str,
    ) -> Result<Option<Secret>> {
        bail!("not built")
    }

    /// The latest revision of each Helm release of a namespace.
    pub fn helm_releases(&self, _namespace: &str) -> Result<Vec<HelmRelease>> {
        bail!("not built")
    }

    pub fn wait_secret_store(&self, _namespace: &str, _name: &str, _wait: &Wait<'_>) -> Result<()> {
        bail!("not built")
    }

    /// Makes the operator read every given ExternalSecret anew and waits until each is synced in
    /// this run with all its keys in the target Secret. `names`: ExternalSecrets.
    pub fn sync_external_secrets(
        &self,
        _namespace: &str,
        _names: &[&str],
        _wait: &Wait<'_>,
    ) -> Result<Vec<ExternalSecretState>> {
        bail!("not built")
    }

    /// Waits until all Deployments that match `labels` are rolled out and available.
    pub fn wait_deployments(
        &self,
        _namespace: &str,
        _labels: &str,
        _wait: &Wait<'_>,
    ) -> Result<Vec<String>> {
        bail!("not built")
    }

    pub fn wait_job(&self, _namespace: &str, _name: &str, _wait: &Wait<'_>) -> Result<JobReport> {
        bail!("not built")
    }

    /// The host name of the load balancer.
    pub fn wait_ingress(&self, _namespace: &str, _name: &str, _wait: &Wait<'_>) -> Result<String> {
        bail!("not built")
    }

    /// What of a Helm release is not ready. Empty when all is.
    pub fn diagnose(&self, _namespace: &str, _release: &str) -> Result<Vec<Finding>> {
        bail!("not built")
    }
}
