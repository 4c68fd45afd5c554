//! One cluster as its controllers see it: a client, the caches and the means to write.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams};
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

use crate::events::Recorder;
use crate::faults::Faults;
use crate::informer::{Informer, Kind};
use crate::load_balancer::LoadBalancers;
use crate::log::Log;
use crate::pod_logs::PodLogs;

/// The field manager of every controller but the kubelet and the add-ons.
pub(crate) const MANAGER: &str = "kube-controller-manager";

/// What the controllers of one cluster are told when they start.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// The name of the cluster in EKS, e.g. `supabase-dev`.
    pub name: String,
    /// How to reach the cluster's API with the rights of its controllers.
    pub kubernetes: kube::Config,
    /// Where the AWS API of this cluster's account answers.
    pub aws: AwsAccess,
    /// A folder of this cluster alone: files of Pods, their logs, the controllers' log.
    pub folder: PathBuf,
    /// The folder that holds `psql` and `pg_isready`.
    pub postgres_bin: PathBuf,
    /// The load balancers of all clusters; the gateway reads it.
    pub load_balancers: Arc<LoadBalancers>,
    /// What was asked to go wrong.
    pub faults: Arc<Faults>,
    /// Where the containers' logs go; `kubectl logs` is answered from it.
    pub logs: PodLogs,
    /// The version that the nodes report, e.g. `v1.35.0`.
    pub kubernetes_version: String,
}

/// An AWS API with static credentials.
#[derive(Clone)]
pub struct AwsAccess {
    /// The root of the API, e.g. `http://127.0.0.1:5000`.
    pub endpoint: Url,
    /// The region of the cluster.
    pub region: String,
    /// The access key's id.
    pub access_key_id: String,
    /// The access key's secret.
    pub secret_access_key: String,
}

impl fmt::Debug for AwsAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsAccess")
            .field("endpoint", &self.endpoint.as_str())
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// The running controllers of a cluster share this.
pub(crate) struct Cluster {
    pub(crate) config: ClusterConfig,
    pub(crate) client: Client,
    pub(crate) log: Log,
    pub(crate) events: Recorder,
    filled: watch::Sender<bool>,
    pub(crate) namespaces: Arc<Informer<Namespace>>,
    pub(crate) service_accounts: Arc<Informer<ServiceAccount>>,
    pub(crate) config_maps: Arc<Informer<ConfigMap>>,
    pub(crate) secrets: Arc<Informer<Secret>>,
    pub(crate) claims: Arc<Informer<PersistentVolumeClaim>>,
    pub(crate) storage_classes: Arc<Informer<StorageClass>>,
    pub(crate) pods: Arc<Informer<Pod>>,
    pub(crate) services: Arc<Informer<Service>>,
    pub(crate) endpoint_slices: Arc<Informer<EndpointSlice>>,
    pub(crate) deployments: Arc<Informer<Deployment>>,
    pub(crate) replica_sets: Arc<Informer<ReplicaSet>>,
    pub(crate) stateful_sets: Arc<Informer<StatefulSet>>,
    pub(crate) daemon_sets: Arc<Informer<DaemonSet>>,
    pub(crate) jobs: Arc<Informer<Job>>,
    pub(crate) cron_jobs: Arc<Informer<CronJob>>,
    pub(crate) autoscalers: Arc<Informer<HorizontalPodAutoscaler>>,
    pub(crate) budgets: Arc<Informer<PodDisruptionBudget>>,
    pub(crate) ingresses: Arc<Informer<Ingress>>,
    pub(crate) ingress_classes: Arc<Informer<IngressClass>>,
    pub(crate) network_policies: Arc<Informer<NetworkPolicy>>,
}

impl Cluster {
    /// Connects to a cluster; nothing is read before `follow`.
    pub(crate) fn connect(config: ClusterConfig) -> anyhow::Result<Arc<Self>> {
        std::fs::create_dir_all(&config.folder)
            .with_context(|| format!("failed to create `{}`", config.folder.display()))?;
        let log = Log::open(&config.folder.join("controllers.log"))?;
        let client = Client::try_from(config.kubernetes.clone())
            .with_context(|| format!("failed to make a client of cluster {}", config.name))?;
        let events = Recorder::new(client.clone(), log.clone());
        Ok(Arc::new(Self {
            namespaces: informer(&client),
            service_accounts: informer(&client),
            config_maps: informer(&client),
            secrets: informer(&client),
            claims: informer(&client),
            storage_classes: informer(&client),
            pods: informer(&client),
            services: informer(&client),
            endpoint_slices: informer(&client),
            deployments: informer(&client),
            replica_sets: informer(&client),
            stateful_sets: informer(&client),
            daemon_sets: informer(&client),
            jobs: informer(&client),
            cron_jobs: informer(&client),
            autoscalers: informer(&client),
            budgets: informer(&client),
            ingresses: informer(&client),
            ingress_classes: informer(&client),
            network_policies: informer(&client),
            filled: watch::Sender::new(false),
            config,
            client,
            log,
            events,
        }))
    }

    /// Starts all watches and returns once every cache is filled.
    pub(crate) async fn follow(&self, tasks: &mut JoinSet<()>) {
        macro_rules! follow {
            ($($field:ident),* $(,)?) => {
                $( tasks.spawn(self.$field.clone().follow(self.log.clone())); )*
                $( self.$field.ready().await; )*
            };
        }
        follow!(
            namespaces,
            service_accounts,
            config_maps,
            secrets,
            claims,
            storage_classes,
            pods,
            services,
            endpoint_slices,
            deployments,
            replica_sets,
            stateful_sets,
            daemon_sets,
            jobs,
            cron_jobs,
            autoscalers,
            budgets,
            ingresses,
            ingress_classes,
            network_policies,
        );
        self.filled.send_replace(true);
    }

    /// Waits until every cache is filled: before that no controller may act.
    pub(crate) async fn filled(&self) {
        // The sender lives as long as `self`.
        let _ = self.filled.subscribe().wait_for(|filled| *filled).await;
    }

    /// The API of a namespaced kind.
    pub(crate) fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Creates `object` in `namespace` and tells the cache.
    pub(crate) async fn create<K>(&self, informer: &Informer<K>, object: &K) -> kube::Result<K>
    where
        K: Kind + Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize,
    {
        let api = self.api::<K>(&object.namespace().unwrap_or_default());
        let created = api.create(&manager(MANAGER), object).await?;
        informer.observe(&created);
        Ok(created)
    }

    /// Deletes `object` if it is still the one that was seen. Already gone is fine.
    pub(crate) async fn delete<K>(
        &self,
        informer: &Informer<K>,
        object: &K,
        how: &DeleteParams,
    ) -> kube::Result<()>
    where
        K: Kind + Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        let api = self.api::<K>(&object.namespace().unwrap_or_default());
        match api.delete(&object.name_any(), how).await {
            // An object that has to be let go by somebody is answered, one that is gone is not.
            Ok(answer) => {
                match answer.left() {
                    Some(still_there) => informer.observe(&still_there),
                    None => informer.forget(object),
                }
                Ok(())
            }
            Err(error) if is_not_found(&error) => {
                informer.forget(object);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the object as a whole (it carries the resourceVersion that it was read with).
    pub(crate) async fn replace<K>(&self, informer: &Informer<K>, object: &K) -> kube::Result<K>
    where
        K: Kind + Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize,
    {
        let api = self.api::<K>(&object.namespace().unwrap_or_default());
        let written = api.replace(&object.name_any(), &manager(MANAGER), object).await?;
        informer.observe(&written);
        Ok(written)
    }

    /// Writes only the status.
    pub(crate) async fn replace_status<K>(
        &self,
        informer: &Informer<K>,
        object: &K,
    ) -> kube::Result<()>
    where
        K: Kind + Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize,
    {
        let api = self.api::<K>(&object.namespace().unwrap_or_default());
        let written = api.replace_status(&object.name_any(), &manager(MANAGER), object).await?;
        informer.observe(&written);
        Ok(())
    }
}

fn informer<K>(client: &Client) -> Arc<Informer<K>>
where
    K: Kind + Resource<DynamicType = ()>,
{
    Informer::new(Api::all(client.clone()), ())
}

/// Parameters of a write by `name`.
pub(crate) fn manager(name: &str) -> PostParams {
    PostParams { field_manager: Some(name.to_owned()), ..PostParams::default() }
}

pub(crate) fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// An error in one short line: the client's own text repeats the whole status.
pub(crate) fn short(error: &anyhow::Error) -> String {
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) => status.message.clone(),
        _ => format!("{error:#}"),
    }
}

/// Whether somebody else wrote first: the next reconciliation sees the new state.
pub(crate) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// The owner that controls an object.
pub(crate) fn controller_of(
    meta: &ObjectMeta,
) -> Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference> {
    meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// Whether the object with `uid` controls the one with `meta`.
pub(crate) fn is_controlled_by(meta: &ObjectMeta, uid: Option<&str>) -> bool {
    controller_of(meta).is_some_and(|owner| Some(owner.uid.as_str()) == uid)
}
