//! Kubernetes: objects, waits by watch, diagnosis, the kubeconfig.
//!
//! Architecture invariant: a wait reads a list once and then follows the watch; nothing in here
//! asks again and again whether something has happened yet. The one exception is
//! [`Cluster::wait_accepted`], because an admission webhook announces nothing.

mod connect;
mod declared;
mod deletion;
mod diagnose;
mod error;
mod events;
mod external_secrets;
mod fields;
mod helm_releases;
mod job;
pub mod kinds;
mod kubeconfig;
mod objects;
mod pods;
mod rollout;
mod watch;

use serde::Serialize;

pub use connect::Cluster;
pub use declared::{Deviation, DeviationKind};
pub use diagnose::Finding;
pub use external_secrets::ExternalSecretState;
pub use helm_releases::HelmRelease;
pub use job::{JobFailure, JobReport};
pub use kinds::Kind;
pub use kubeconfig::{KubeconfigEntry, write_kubeconfig};
pub use objects::Applied;

/// An object by kind, namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    pub kind: Kind,
    /// Absent for kinds that belong to the whole cluster.
    pub namespace: Option<String>,
    pub name: String,
}

impl Target {
    #[must_use]
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        let namespace = kind.namespaced.then(|| namespace.to_owned());
        Self { kind, namespace, name: name.to_owned() }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} `{namespace}/{}`", self.kind, self.name),
            None => write!(f, "{} `{}`", self.kind, self.name),
        }
    }
}
