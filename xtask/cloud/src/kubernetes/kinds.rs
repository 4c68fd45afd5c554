//! The kinds of object that a deployment touches.

use std::fmt;

use serde::Serialize;

/// A kind of object, as the API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Kind {
    /// Empty for the core group.
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub namespaced: bool,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)
    }
}

const fn namespaced(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
) -> Kind {
    Kind { group, version, kind, plural, namespaced: true }
}

pub const NAMESPACE: Kind =
    Kind { group: "", version: "v1", kind: "Namespace", plural: "namespaces", namespaced: false };
pub const CONFIG_MAP: Kind = namespaced("", "v1", "ConfigMap", "configmaps");
pub const EVENT: Kind = namespaced("", "v1", "Event", "events");
pub const PERSISTENT_VOLUME_CLAIM: Kind =
    namespaced("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims");
pub const POD: Kind = namespaced("", "v1", "Pod", "pods");
pub const SECRET: Kind = namespaced("", "v1", "Secret", "secrets");
pub const SERVICE: Kind = namespaced("", "v1", "Service", "services");
pub const SERVICE_ACCOUNT: Kind = namespaced("", "v1", "ServiceAccount", "serviceaccounts");
pub const DEPLOYMENT: Kind = namespaced("apps", "v1", "Deployment", "deployments");
pub const STATEFUL_SET: Kind = namespaced("apps", "v1", "StatefulSet", "statefulsets");
pub const REPLICA_SET: Kind = namespaced("apps", "v1", "ReplicaSet", "replicasets");
pub const JOB: Kind = namespaced("batch", "v1", "Job", "jobs");
pub const CRON_JOB: Kind = namespaced("batch", "v1", "CronJob", "cronjobs");
pub const HORIZONTAL_POD_AUTOSCALER: Kind =
    namespaced("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
pub const INGRESS: Kind = namespaced("networking.k8s.io", "v1", "Ingress", "ingresses");
pub const CUSTOM_RESOURCE_DEFINITION: Kind = Kind {
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
    namespaced: false,
};
pub const NETWORK_POLICY: Kind =
    namespaced("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies");
pub const EXTERNAL_SECRET: Kind =
    namespaced("external-secrets.io", "v1", "ExternalSecret", "externalsecrets");
pub const SECRET_STORE: Kind =
    namespaced("external-secrets.io", "v1", "SecretStore", "secretstores");
