//! The load balancers of all clusters, as the gateway finds them by host name.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use kube::ResourceExt;

use super::Settings;
use crate::cluster::Cluster;
use crate::kubelet::Kubelet;

/// A running cluster, as the gateway needs it.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) kubelet: Arc<Kubelet>,
}

/// One load balancer.
#[derive(Clone)]
pub(crate) struct LoadBalancer {
    pub(crate) hostname: String,
    pub(crate) site: Site,
    /// Namespace and name of the Ingress.
    pub(crate) ingress: (String, String),
    pub(crate) settings: Settings,
    /// One of its addresses in the VPC.
    pub(crate) address: IpAddr,
}

/// The registry that the controllers fill and the gateway reads.
#[derive(Default)]
pub struct LoadBalancers {
    all: RwLock<BTreeMap<String, Arc<LoadBalancer>>>,
    sites: RwLock<BTreeMap<String, Site>>,
    gateway: RwLock<Option<SocketAddr>>,
}

impl fmt::Debug for LoadBalancers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}

impl LoadBalancers {
    /// The cluster and the host name of each load balancer.
    #[must_use]
    pub fn list(&self) -> Vec<(String, String)> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.values()
            .map(|one| (one.site.cluster.config.name.clone(), one.hostname.clone()))
            .collect()
    }

    /// Where the gateway listens; Pods that run on this machine reach Services through it.
    pub(crate) fn gateway(&self) -> Option<SocketAddr> {
        *self.gateway.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_gateway(&self, address: Option<SocketAddr>) {
        *self.gateway.write().unwrap_or_else(PoisonError::into_inner) = address;
    }

    pub(crate) fn add_site(&self, site: Site) {
        let name = site.cluster.config.name.clone();
        self.sites.write().unwrap_or_else(PoisonError::into_inner).insert(name, site);
    }

    /// Forgets a cluster that stopped, with its load balancers.
    pub(crate) fn remove_site(&self, cluster: &str) {
        self.sites.write().unwrap_or_else(PoisonError::into_inner).remove(cluster);
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, one| one.site.cluster.config.name != cluster);
    }

    /// The cluster in which a Pod with this uid runs.
    pub(crate) fn site_of_pod(&self, uid: &str) -> Option<Site> {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        sites.values().find(|site| site.kubelet.runtime(uid).is_some()).cloned()
    }

    pub(crate) fn put(&self, one: LoadBalancer) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(one.hostname.clone(), Arc::new(one));
    }

    pub(crate) fn remove(&self, cluster: &str, namespace: &str, ingress: &str) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, one| {
            one.site.cluster.config.name != cluster
                || one.ingress.0 != namespace
                || one.ingress.1 != ingress
        });
    }

    /// The load balancer that a host name leads to: its own name, the name in a rule of its Ingress
    /// (a DNS record would point here), or `<environment>.localhost`.
    pub(crate) fn find(&self, host: &str) -> Option<Arc<LoadBalancer>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = all.get(host) {
            return Some(one.clone());
        }
        let by_rule = all.values().find(|one| {
            let (namespace, name) = &one.ingress;
            let ingress = one.site.cluster.ingresses.get(namespace, name);
            let rules = ingress.and_then(|ingress| ingress.spec.clone()?.rules).unwrap_or_default();
            rules.iter().any(|rule| rule.host.as_deref() == Some(host))
        });
        if let Some(one) = by_rule {
            return Some(one.clone());
        }
        let environment = host.strip_suffix(".localhost")?;
        let cluster_ends = format!("-{environment}");
        all.values().find(|one| one.site.cluster.config.name.ends_with(&cluster_ends)).cloned()
    }
}

impl LoadBalancer {
    /// The Ingress as it is now.
    pub(crate) fn current_ingress(&self) -> Option<Arc<k8s_openapi::api::networking::v1::Ingress>> {
        let ingress = self.site.cluster.ingresses.get(&self.ingress.0, &self.ingress.1)?;
        (!ingress.name_any().is_empty()).then_some(ingress)
    }
}
