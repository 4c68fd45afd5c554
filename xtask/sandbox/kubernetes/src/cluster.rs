//! One cluster: its store, and the signal by which watches learn of changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::{
    api::{self, Body, Call, Done, Issuer},
    lifecycle,
    status::Answer,
    store::Store,
};

/// What watches wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pulse {
    pub(crate) revision: u64,
    /// Watches of an earlier epoch end.
    pub(crate) epoch: u64,
}

/// A cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) issuer: Issuer,
    store: Mutex<Store>,
    pulse: watch::Sender<Pulse>,
}

impl Cluster {
    pub(crate) fn new(name: &str, certificate_authority: Arc<str>, key: [u8; 32]) -> Self {
        let mut store = Store::new(certificate_authority);
        lifecycle::bootstrap(&mut store);
        let pulse = Pulse { revision: store.revision(), epoch: 0 };
        Self {
            name: name.to_owned(),
            issuer: Issuer::new(key, name),
            store: Mutex::new(store),
            pulse: watch::Sender::new(pulse),
        }
    }

    /// The store; a request that panicked with it changed it in whole steps, so that it is still
    /// sound.
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request for a resource and wakes the watches.
    pub(crate) fn respond(&self, call: &Call, method: &str, body: &Body) -> Answer<Done> {
        let mut store = self.store();
        let answer = api::respond(&mut store, call, method, body);
        let revision = store.revision();
        drop(store);
        self.pulse
            .send_if_modified(|pulse| std::mem::replace(&mut pulse.revision, revision) != revision);
        answer
    }

    /// The signal by which a watch learns of changes.
    pub(crate) fn pulse(&self) -> watch::Receiver<Pulse> {
        self.pulse.subscribe()
    }

    /// Ends every watch; clients start new ones from where they were.
    pub(crate) fn drop_watches(&self) {
        self.pulse.send_modify(|pulse| pulse.epoch += 1);
    }
}
