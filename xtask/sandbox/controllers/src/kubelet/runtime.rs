//! What runs in the Pods, as the gateway needs it to answer in their place.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::images::Image;
use super::stand_in::Started;
use crate::mounts::Mounts;

/// A started container.
#[derive(Debug, Clone)]
pub(crate) struct ContainerRuntime {
    pub(crate) image: Image,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) mounts: Mounts,
    pub(crate) started: Started,
}

/// The started containers of one Pod.
#[derive(Debug, Default)]
pub(crate) struct PodRuntime(Mutex<BTreeMap<String, Arc<ContainerRuntime>>>);

impl PodRuntime {
    pub(crate) fn insert(&self, container: &str, runtime: ContainerRuntime) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(container.to_owned(), Arc::new(runtime));
    }

    pub(crate) fn remove(&self, container: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(container);
    }

    /// The container that listens on `port`, with what it is.
    pub(crate) fn listening_on(
        &self,
        port: u16,
        words: impl Fn(&str) -> Vec<String>,
    ) -> Option<Arc<ContainerRuntime>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find_map(|(name, runtime)| {
            let words = words(name);
            let listens = runtime
                .image
                .ports
                .iter()
                .any(|known| known.number(&runtime.env, &words) == Some(port));
            listens.then(|| runtime.clone())
        })
    }
}
