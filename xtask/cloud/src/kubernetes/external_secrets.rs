//! External Secrets: synced in this run, not some day before.
//!
//! Facts that the waits rest on: `Ready` stays `True` from an earlier sync until the operator has
//! looked again; `SecretDeleted` and `SecretMissing` are reported as `True` too; a failure moves
//! neither `refreshTime` nor `syncedResourceVersion`, and its cause stands in a Warning event
//! alone. Any change of an annotation makes the operator look again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use jiff::Timestamp;
use kube::api::DynamicObject;
use serde::Serialize;

use super::{
    Cluster, Kind, Target,
    events::Baseline,
    fields::{Condition, Fields},
    kinds,
    watch::{Objects, Verdict, until},
};
use crate::{Wait, runtime::wait_for};

/// Where an ExternalSecret stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExternalSecretState {
    pub name: String,
    /// The Secret that it makes.
    pub target: String,
    /// All keys of that Secret.
    pub keys: BTreeSet<String>,
    /// When the operator last read the store, RFC 3339.
    pub refreshed: String,
}

const FORCE_SYNC: &str = "force-sync";

/// How long a failure has to last: one throttled call is not the end.
const GRACE: Duration = Duration::from_secs(10);

impl Cluster {
    /// Makes the operator look at a SecretStore anew, and waits until it is valid; one that is valid
    /// ends the wait at once. That proves the trust in the role, not the right to read parameters.
    ///
    /// # Errors
    /// When it stays invalid (the error tells the cause), the deadline passes or the person asks
    /// to stop.
    pub fn wait_secret_store(&self, namespace: &str, name: &str, wait: &Wait<'_>) -> Result<()> {
        let awaited = format!("SecretStore `{namespace}/{name}` to be valid");
        wait_for(wait, &awaited, async |seen| {
            let names = [name];
            let mut sync = Sync::new(self, kinds::SECRET_STORE, namespace, &names);
            let done = |store: &DynamicObject, _: &DynamicObject| {
                store.condition("Ready").is_some_and(|ready| ready.is("True"))
            };
            until(seen, sync.sources(), async |lists| sync.ask(lists, &done).await).await
        })
    }

    /// Makes the operator read the given ExternalSecrets anew, and waits until each was synced
    /// after that and its Secret has all the keys.
    ///
    /// # Errors
    /// When one cannot be synced (the error tells the cause of each), a key is missing, the
    /// deadline passes or the person asks to stop.
    pub fn sync_external_secrets(
        &self,
        namespace: &str,
        names: &[&str],
        wait: &Wait<'_>,
    ) -> Result<Vec<ExternalSecretState>> {
        let awaited = format!("{} ExternalSecrets of `{namespace}` to be synced", names.len());
        wait_for(wait, &awaited, async |seen| {
            let mut sync = Sync::new(self, kinds::EXTERNAL_SECRET, namespace, names);
            until(seen, sync.sources(), async |lists| sync.ask(lists, &is_synced).await).await?;
            let mut states = Vec::new();
            for name in names {
                states.push(self.synced_state(namespace, name).await?);
            }
            Ok(states)
        })
    }

    async fn synced_state(&self, namespace: &str, name: &str) -> Result<ExternalSecretState> {
        let target = Target::new(kinds::EXTERNAL_SECRET, namespace, name);
        let Some(found) = self.find(&target).await? else { bail!("{target} was deleted") };
        let secret = found.text("/spec/target/name").unwrap_or(name).to_owned();
        let Some(keys) = self.keys_of_secret(namespace, &secret).await? else {
            bail!("{target} is synced, but its Secret `{secret}` is not there")
        };
        let missing: Vec<&str> = found
            .items("/spec/data")
            .iter()
            .filter_map(|entry| entry.text("/secretKey"))
            .filter(|key| !keys.contains(*key))
            .collect();
        if !missing.is_empty() || keys.is_empty() {
            bail!("{target} is synced, but Secret `{secret}` lacks {}", missing.join(", "));
        }
        let refreshed = found.text("/status/refreshTime").unwrap_or_default().to_owned();
        Ok(ExternalSecretState { name: name.to_owned(), target: secret, keys, refreshed })
    }
}

/// `before` is the object as it was when the operator was asked to look again.
fn is_synced(now: &DynamicObject, before: &DynamicObject) -> bool {
    let version = "/status/syncedResourceVersion";
    let ready = now.condition("Ready");
    ready.is_some_and(|ready| ready.is("True") && ready.reason == "SecretSynced")
        && now.text(version).is_some()
        && now.text(version) != before.text(version)
}

/// Objects that the operator was asked to look at again.
struct Sync<'a> {
    cluster: &'a Cluster,
    kind: Kind,
    namespace: &'a str,
    names: &'a [&'a str],
    before: Option<(Objects, Baseline)>,
    failing_since: BTreeMap<String, Instant>,
}

impl<'a> Sync<'a> {
    fn new(cluster: &'a Cluster, kind: Kind, namespace: &'a str, names: &'a [&'a str]) -> Self {
        Self { cluster, kind, namespace, names, before: None, failing_since: BTreeMap::new() }
    }

    fn sources(&self) -> Vec<super::watch::Source> {
        let namespace = Some(self.namespace);
        vec![
            self.cluster.source(&self.kind, namespace, ""),
            self.cluster.source(&kinds::EVENT, namespace, ""),
        ]
    }

    async fn ask(
        &mut self,
        lists: &[Objects],
        done: &impl Fn(&DynamicObject, &DynamicObject) -> bool,
    ) -> Result<Verdict<()>> {
        let [objects, events] = lists else { bail!("a wait without its lists") };
        let absent: Vec<&str> =
            self.names.iter().copied().filter(|name| !objects.contains_key(*name)).collect();
        if !absent.is_empty() {
            return Ok(Verdict::Waiting(format!(
                "there is no {} {}",
                self.kind,
                absent.join(", ")
            )));
        }
        let Some((before, baseline)) = &self.before else {
            self.force().await?;
            self.before = Some((objects.clone(), Baseline::of(events)));
            return Ok(Verdict::Waiting(format!(
                "asked the operator to look at {} anew",
                self.names.join(", ")
            )));
        };
        let mut pending = Vec::new();
        let mut failed = Vec::new();
        for name in self.names.iter().copied() {
            let (Some(now), Some(then)) = (objects.get(name), before.get(name)) else {
                pending.push(name.to_owned());
                continue;
            };
            if done(now, then) {
                self.failing_since.remove(name);
                continue;
            }
            let Some(cause) = self.failure(now, then, name, events, baseline) else {
                self.failing_since.remove(name);
                pending.push(name.to_owned());
                continue;
            };
            let since = *self.failing_since.entry(name.to_owned()).or_insert_with(Instant::now);
            let told = format!("{} `{}/{name}`: {cause}", self.kind, self.namespace);
            if since.elapsed() >= GRACE {
                failed.push(told.clone());
            }
            pending.push(told);
        }
        if !failed.is_empty() {
            bail!("{}", failed.join("; "));
        }
        if pending.is_empty() {
            return Ok(Verdict::Done(()));
        }
        Ok(Verdict::Waiting(format!("waiting for {}", pending.join(", "))))
    }

    /// The cause of a failure of this run. A condition that was there before and did not change
    /// tells nothing, unless a warning came since.
    fn failure(
        &self,
        now: &DynamicObject,
        before: &DynamicObject,
        name: &str,
        events: &Objects,
        baseline: &Baseline,
    ) -> Option<String> {
        let ready = now.condition("Ready").filter(|ready| !ready.is("True"))?;
        let warning = baseline.fresh_warning(events, self.kind.kind, name);
        if warning.is_none() && Some(&ready) == before.condition("Ready").as_ref() {
            return None;
        }
        Some(warning.unwrap_or_else(|| Condition::told(&ready)))
    }

    async fn force(&self) -> Result<()> {
        let mark = BTreeMap::from([(FORCE_SYNC.to_owned(), Timestamp::now().to_string())]);
        for name in self.names {
            let target = Target::new(self.kind, self.namespace, name);
            self.cluster.set_annotations(&target, &mark).await?;
        }
        Ok(())
    }
}
