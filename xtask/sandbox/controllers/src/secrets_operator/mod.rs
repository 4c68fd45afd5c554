//! The External Secrets Operator: SecretStores and ExternalSecrets over SSM parameters.
//!
//! It acts only while the operator's Deployment is available. Conditions, reasons and messages are
//! those of the real one, whose conditions never tell the cause: that is in the events.

mod duration;
mod external_secret;
mod objects;
mod parameters;
mod rights;
mod store;
mod target;

use std::sync::Arc;

use kube::api::{Api, ApiResource};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::addons::EXTERNAL_SECRETS;
use crate::aws::Aws;
use crate::cluster::Cluster;
use crate::control::{Queue, control};
use crate::informer::Informer;
use objects::{ExternalSecret, SecretStore};

/// What both controllers share.
pub(crate) struct Operator {
    cluster: Arc<Cluster>,
    stores: Arc<Informer<SecretStore>>,
    external_secrets: Arc<Informer<ExternalSecret>>,
    ssm: aws_sdk_ssm::Client,
}

/// Starts the operator once its Deployment is available for the first time: before that its kinds may
/// not exist.
pub(crate) fn start(cluster: &Arc<Cluster>, tasks: &mut JoinSet<()>) {
    let available = Arc::new(Notify::new());
    let (signal, watched) = (available.clone(), Arc::downgrade(cluster));
    cluster.deployments.on_change(move |deployment| {
        let running =
            watched.upgrade().is_some_and(|cluster| EXTERNAL_SECRETS.available(&cluster).is_some());
        if EXTERNAL_SECRETS.is(deployment) && running {
            signal.notify_one();
        }
    });
    let cluster = cluster.clone();
    tasks.spawn(async move {
        available.notified().await;
        run(cluster).await;
    });
}

async fn run(cluster: Arc<Cluster>) {
    let mut tasks = JoinSet::new();
    let stores = Informer::new(
        Api::all_with(cluster.client.clone(), &objects::secret_store()),
        objects::secret_store(),
    );
    let external_secrets = Informer::new(
        Api::all_with(cluster.client.clone(), &objects::external_secret()),
        objects::external_secret(),
    );
    let operator = Arc::new(Operator {
        ssm: Aws::new(cluster.config.aws.clone()).ssm(),
        cluster: cluster.clone(),
        stores: stores.clone(),
        external_secrets: external_secrets.clone(),
    });
    let for_stores = operator.clone();
    let store_queue = control(&cluster, &stores, &mut tasks, "secretstore", move |_, object| {
        store::reconcile(for_stores.clone(), object)
    });
    let queue =
        control(&cluster, &external_secrets, &mut tasks, "externalsecret", move |_, object| {
            external_secret::reconcile(operator.clone(), object)
        });
    wire(&cluster, &stores, store_queue, queue);
    tasks.spawn(stores.clone().follow(cluster.log.clone()));
    tasks.spawn(external_secrets.clone().follow(cluster.log.clone()));
    stores.ready().await;
    external_secrets.ready().await;
    while tasks.join_next().await.is_some() {}
}

/// What makes the operator look again: a ServiceAccount, a managed Secret, a store, its own restart.
fn wire(
    cluster: &Cluster,
    stores: &Informer<SecretStore>,
    store_queue: Arc<Queue<SecretStore>>,
    queue: Arc<Queue<ExternalSecret>>,
) {
    let accounts = store_queue.clone();
    cluster.service_accounts.on_change(move |account| {
        accounts.add_namespace(account.metadata.namespace.as_deref().unwrap_or_default());
    });
    let secrets = queue.clone();
    cluster.secrets.on_change(move |secret| secrets.add_owner("ExternalSecret", &secret.metadata));
    let of_store = queue.clone();
    stores.on_change(move |store| {
        of_store.add_namespace(store.metadata.namespace.as_deref().unwrap_or_default());
    });
    cluster.deployments.on_change(move |deployment| {
        if EXTERNAL_SECRETS.is(deployment) {
            store_queue.add_all();
            queue.add_all();
        }
    });
}

/// The kind of a custom resource of the operator.
fn resource(kind: &str, plural: &str) -> ApiResource {
    ApiResource {
        group: "external-secrets.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "external-secrets.io/v1".to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}
