//! The work loop of a controller: never twice at once for one object, again after an error.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc;
use kube::ResourceExt;
use kube::api::ObjectMeta;
use kube::runtime::controller::{Action, Config as ApplierConfig, applier};
use kube::runtime::reflector::ObjectRef;
use tokio::task::JoinSet;

use crate::cluster::{Cluster, controller_of, is_conflict, is_not_found, short};
use crate::informer::{Informer, Kind};

/// The list of objects that a controller still has to look at.
pub(crate) struct Queue<K: Kind> {
    informer: Arc<Informer<K>>,
    sender: mpsc::UnboundedSender<ObjectRef<K>>,
}

impl<K: Kind> Queue<K> {
    pub(crate) fn add(&self, namespace: &str, name: &str) {
        let _ = self.sender.unbounded_send(self.informer.reference(namespace, name));
    }

    pub(crate) fn add_object(&self, object: &K) {
        self.add(object.meta().namespace.as_deref().unwrap_or_default(), &object.name_any());
    }

    /// Adds every object of the kind that lives in `namespace`.
    pub(crate) fn add_namespace(&self, namespace: &str) {
        for object in self.informer.in_namespace(namespace) {
            self.add_object(&object);
        }
    }

    /// Adds every object of the kind.
    pub(crate) fn add_all(&self) {
        for object in self.informer.select(|_| true) {
            self.add_object(&object);
        }
    }

    /// Adds the controller of `object`, if it is of this queue's kind.
    pub(crate) fn add_owner(&self, kind: &str, object: &ObjectMeta) {
        if let Some(owner) = controller_of(object)
            && owner.kind == kind
        {
            self.add(object.namespace.as_deref().unwrap_or_default(), &owner.name);
        }
    }
}

/// An error as the work loop wants it.
#[derive(Debug)]
struct Failure(anyhow::Error);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&short(&self.0))
    }
}

impl std::error::Error for Failure {}

/// Runs `reconcile` for each object of `informer` that changes, and for each that is added to the
/// returned queue: never twice at once for one object, again after an error.
pub(crate) fn control<K, F, Fut>(
    cluster: &Arc<Cluster>,
    informer: &Arc<Informer<K>>,
    tasks: &mut JoinSet<()>,
    name: &'static str,
    reconcile: F,
) -> Arc<Queue<K>>
where
    K: Kind,
    F: Fn(Arc<Cluster>, Arc<K>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = anyhow::Result<Option<Duration>>> + Send + 'static,
{
    let (sender, receiver) = mpsc::unbounded();
    let queue = Arc::new(Queue { informer: informer.clone(), sender });
    let own = queue.clone();
    informer.on_change(move |object| own.add_object(object));

    let log = cluster.log.clone();
    let work = applier(
        move |object: Arc<K>, cluster: Arc<Cluster>| {
            let work = reconcile(cluster, object);
            Box::pin(async move {
                match work.await {
                    Ok(Some(after)) => Ok(Action::requeue(after)),
                    Ok(None) => Ok(Action::await_change()),
                    Err(error) => Err(Failure(error)),
                }
            })
        },
        move |object, error, _| {
            match error.0.downcast_ref::<kube::Error>() {
                // Gone in the meantime; whatever depends on it is told by the watch.
                Some(error) if is_not_found(error) => Action::await_change(),
                Some(error) if is_conflict(error) => Action::requeue(Duration::from_millis(50)),
                _ => {
                    log.line(&format!("{name} of {}: {error}", object.name_any()));
                    Action::requeue(Duration::from_secs(2))
                }
            }
        },
        cluster.clone(),
        informer.store(),
        receiver.map(Ok::<_, std::convert::Infallible>),
        ApplierConfig::default().debounce(Duration::from_millis(5)),
    );
    let (cluster, informer) = (cluster.clone(), informer.clone());
    tasks.spawn(async move {
        cluster.filled().await;
        informer.ready().await;
        work.for_each(|_| futures::future::ready(())).await;
    });
    queue
}
