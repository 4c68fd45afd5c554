//! A cache of one kind of object, fed by one watch and shared by all controllers of a cluster.
//!
//! Every write of a controller is also told to the cache (`observe`, `forget`), so that the next
//! reconciliation never acts on a state that this process itself has already left behind.
//! An older version never replaces a newer one: the watch may be late.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use futures::StreamExt;
use kube::api::Api;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

/// What an informer can hold: any kind that the client can decode.
pub(crate) trait Kind:
    Resource<DynamicType: Clone + Debug + Hash + Eq + Send + Sync + Unpin>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl<K> Kind for K
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Clone + Debug + Hash + Eq + Send + Sync + Unpin,
{
}

type Listener<K> = Box<dyn Fn(&K) + Send + Sync>;

/// The cache of one kind.
pub(crate) struct Informer<K: Kind> {
    api: Api<K>,
    kind: K::DynamicType,
    writer: Mutex<Writer<K>>,
    store: Store<K>,
    listeners: RwLock<Vec<Listener<K>>>,
    /// Whether the first list is complete. The store's own signal wakes only one of those who wait.
    filled: watch::Sender<bool>,
    /// The uids of what was deleted last: an answer to an earlier write may still come in.
    buried: Mutex<VecDeque<String>>,
}

/// How many deleted objects are remembered.
const GRAVES: usize = 512;

impl<K: Kind> Informer<K> {
    /// An informer over what `api` lists; it holds nothing until `follow` runs.
    pub(crate) fn new(api: Api<K>, kind: K::DynamicType) -> Arc<Self> {
        let writer = Writer::new(kind.clone());
        let store = writer.as_reader();
        Arc::new(Self {
            api,
            kind,
            writer: Mutex::new(writer),
            store,
            listeners: RwLock::default(),
            filled: watch::Sender::new(false),
            buried: Mutex::default(),
        })
    }

    /// Calls `listener` with each object that appeared, changed or vanished. A changed object is
    /// shown as it was and as it is, since labels and owners may have moved.
    pub(crate) fn on_change(&self, listener: impl Fn(&K) + Send + Sync + 'static) {
        self.listeners.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(listener));
    }

    /// Lists and watches for ever, with a growing pause between failures.
    pub(crate) async fn follow(self: Arc<Self>, log: crate::log::Log) {
        let mut events =
            watcher(self.api.clone(), watcher::Config::default()).default_backoff().boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.apply(&event),
                Err(error) => log.line(&format!("watch of {}: {error}", K::plural(&self.kind))),
            }
        }
    }

    /// Waits for the first complete list.
    pub(crate) async fn ready(&self) {
        // The sender lives as long as `self`.
        let _ = self.filled.subscribe().wait_for(|filled| *filled).await;
    }

    pub(crate) fn store(&self) -> Store<K> {
        self.store.clone()
    }

    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.store.get(&self.reference(namespace, name))
    }

    /// All objects of a namespace, in the order of their names.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        self.select(|object| object.meta().namespace.as_deref() == Some(namespace))
    }

    /// All objects that `wanted` accepts, in the order of their names.
    pub(crate) fn select(&self, wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        let mut found = self.store.state_filter(wanted);
        found.sort_by(|a, b| a.meta().name.cmp(&b.meta().name));
        found
    }

    /// Takes in what the server answered to a write.
    pub(crate) fn observe(&self, object: &K) {
        self.apply(&watcher::Event::Apply(object.clone()));
    }

    /// Takes in a deletion that the server confirmed.
    pub(crate) fn forget(&self, object: &K) {
        self.apply(&watcher::Event::Delete(object.clone()));
    }

    pub(crate) fn reference(&self, namespace: &str, name: &str) -> ObjectRef<K> {
        let reference = ObjectRef::new_with(name, self.kind.clone());
        if namespace.is_empty() { reference } else { reference.within(namespace) }
    }

    fn is_buried(&self, object: &K) -> bool {
        let buried = self.buried.lock().unwrap_or_else(PoisonError::into_inner);
        object.uid().is_some_and(|uid| buried.contains(&uid))
    }

    fn bury(&self, object: &K) {
        let mut buried = self.buried.lock().unwrap_or_else(PoisonError::into_inner);
        buried.extend(object.uid());
        if buried.len() > GRAVES {
            buried.pop_front();
        }
    }

    fn apply(&self, event: &watcher::Event<K>) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let changed: Vec<Arc<K>> = match event {
            watcher::Event::Apply(object) => {
                let before = self.store.get(&ObjectRef::from_obj_with(object, self.kind.clone()));
                if before.as_ref().is_some_and(|before| is_stale(object, before))
                    || self.is_buried(object)
                {
                    return;
                }
                writer.apply_watcher_event(event);
                before.into_iter().chain([Arc::new(object.clone())]).collect()
            }
            watcher::Event::Delete(object) => {
                self.bury(object);
                let before = self.store.get(&ObjectRef::from_obj_with(object, self.kind.clone()));
                match before {
                    Some(before) if before.uid() == object.uid() => {
                        writer.apply_watcher_event(event);
                        vec![before]
                    }
                    _ => return,
                }
            }
            watcher::Event::Init | watcher::Event::InitApply(_) => {
                writer.apply_watcher_event(event);
                return;
            }
            watcher::Event::InitDone => {
                let mut all: HashMap<_, _> =
                    self.store.state().into_iter().map(|object| (object.uid(), object)).collect();
                writer.apply_watcher_event(event);
                all.extend(self.store.state().into_iter().map(|object| (object.uid(), object)));
                all.into_values().collect()
            }
        };
        drop(writer);
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner);
        for object in &changed {
            for listener in listeners.iter() {
                listener(object);
            }
        }
        if matches!(event, watcher::Event::InitDone) {
            self.filled.send_replace(true);
        }
    }
}

/// Whether `new` says nothing that `held` does not: the same life of the object, not a later version.
fn is_stale<K: Resource>(new: &K, held: &K) -> bool {
    let version = |object: &K| {
        object.meta().resource_version.as_deref().and_then(|text| text.parse::<u64>().ok())
    };
    match (version(new), version(held)) {
        (Some(new_version), Some(held_version)) if new.uid() == held.uid() => {
            new_version <= held_version
        }
        _ => false,
    }
}
