//! Syncs an ExternalSecret: when it is due, from its store, into its Secret.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::objects::{Binding, ExternalSecret, Status, external_secret, set_condition};
use super::target::{self, Refused};
use super::{Operator, duration, parameters, store};
use crate::addons::EXTERNAL_SECRETS;
use crate::cluster::is_conflict;
use crate::events::EventType::{self, Normal, Warning};
use crate::names;

const COMPONENT: &str = "external-secrets";
const FINALIZER: &str = "externalsecrets.external-secrets.io/externalsecret-cleanup";
/// After an error; the real operator's own retries start below a second and grow.
const AGAIN: Duration = Duration::from_secs(5);

pub(super) async fn reconcile(
    operator: Arc<Operator>,
    object: Arc<ExternalSecret>,
) -> anyhow::Result<Option<Duration>> {
    if EXTERNAL_SECRETS.available(&operator.cluster).is_none() {
        return Ok(None);
    }
    if object.metadata.deletion_timestamp.is_some() {
        return release(&operator, &object).await;
    }
    if !object.finalizers().iter().any(|name| name == FINALIZER) {
        let mut finalizers = object.finalizers().to_vec();
        finalizers.push(FINALIZER.to_owned());
        patch_finalizers(&operator, &object, finalizers).await?;
        return Ok(None);
    }
    let namespace = object.namespace().unwrap_or_default();
    let secret = operator.cluster.secrets.get(&namespace, &target::name(&object));
    let interval = match &object.spec.refresh_interval {
        Some(text) => duration::parse(text)
            .ok_or_else(|| anyhow::anyhow!("spec.refreshInterval: `{text}` is no duration"))?,
        None => duration::DEFAULT,
    };
    if let Wait::Until(next) = due(&object, interval, secret.as_deref()) {
        return Ok(next);
    }
    sync(&operator, &object, interval).await
}

enum Wait {
    Now,
    Until(Option<Duration>),
}

/// Whether a sync is due, by the refresh policy and by what the Secret looks like.
fn due(object: &ExternalSecret, interval: Duration, secret: Option<&Secret>) -> Wait {
    let status = object.status.clone().unwrap_or_default();
    let policy = object.spec.refresh_policy.as_deref().unwrap_or("Periodic");
    let creation = object.spec.target.creation_policy.as_deref();
    if !matches!(creation, Some("None" | "Merge")) && !target::is_intact(secret) {
        return Wait::Now;
    }
    let Some(synced) = &status.synced_resource_version else { return Wait::Now };
    if policy == "CreatedOnce" || policy == "Periodic" && interval.is_zero() {
        return Wait::Until(None);
    }
    if *synced != version(object) {
        return Wait::Now;
    }
    if policy == "OnChange" {
        return Wait::Until(None);
    }
    let last = status.refresh_time.map_or(jiff::Timestamp::UNIX_EPOCH, |Time(time)| time);
    let since = Duration::try_from(jiff::Timestamp::now().duration_since(last)).unwrap_or_default();
    match interval.checked_sub(since).filter(|left| !left.is_zero()) {
        Some(left) => Wait::Until(Some(left)),
        None => Wait::Now,
    }
}

/// `<generation>-<hash of labels and annotations>`: what a sync was made for.
fn version(object: &ExternalSecret) -> String {
    let meta: (&BTreeMap<_, _>, &BTreeMap<_, _>) = (object.labels(), object.annotations());
    let text = serde_json::to_string(&meta).unwrap_or_default();
    format!("{}-{}", object.metadata.generation.unwrap_or_default(), names::hex_digest(text, 56))
}

async fn sync(
    operator: &Operator,
    object: &ExternalSecret,
    interval: Duration,
) -> anyhow::Result<Option<Duration>> {
    let mut status = object.status.clone().unwrap_or_default();
    let failed = "could not get secret data from provider";
    let read = match ready_store(operator, object) {
        Ok(store) => parameters::read(operator, object, &store).await,
        Err(why) => Err(why),
    };
    let read = match read {
        Ok(read) => read,
        Err(why) => return fail(operator, object, status, failed, &why).await,
    };
    let retain = object.spec.target.deletion_policy.as_deref().unwrap_or("Retain") == "Retain";
    if let Some(first) = read.missing.first() {
        if retain {
            return fail(operator, object, status, failed, first).await;
        }
        event(operator, object, (Normal, "MissingProviderSecret", first)).await;
        if read.data.is_empty() {
            return delete_target(operator, object, status).await;
        }
    }
    let existed = operator
        .cluster
        .secrets
        .get(&object.namespace().unwrap_or_default(), &target::name(object))
        .is_some();
    let creation = object.spec.target.creation_policy.as_deref();
    if creation == Some("Merge") && !existed {
        set_condition(
            &mut status.conditions,
            "Ready",
            (true, "SecretMissing", "secret will not be created due to CreationPolicy=Merge"),
        );
        return save(operator, object, status).await.map(|()| Some(interval));
    }
    if creation != Some("None") {
        match target::write(operator, object, read.data).await {
            Ok(true) if existed => {
                event(operator, object, (Normal, "Updated", "secret updated")).await
            }
            Ok(true) => event(operator, object, (Normal, "Created", "secret created")).await,
            Ok(false) => {}
            Err(Refused::OwnedByAnother) => {
                let message = "target is owned by another ExternalSecret";
                return fail(operator, object, status, message, message).await;
            }
            Err(Refused::Immutable(why)) => {
                let message = "could not update secret, target is immutable";
                return fail(operator, object, status, message, &why).await;
            }
            Err(Refused::Failed(error)) => {
                let why = format!("{error:#}");
                return fail(operator, object, status, "could not update secret", &why).await;
            }
        }
    }
    set_condition(&mut status.conditions, "Ready", (true, "SecretSynced", "secret synced"));
    status.conditions.retain(|condition| condition.kind != "Deleted");
    status.refresh_time = Some(Time(jiff::Timestamp::now()));
    status.synced_resource_version = Some(version(object));
    status.binding = Some(Binding { name: target::name(object) });
    save(operator, object, status).await?;
    Ok((!interval.is_zero()).then_some(interval))
}

fn ready_store(
    operator: &Operator,
    object: &ExternalSecret,
) -> Result<Arc<super::objects::SecretStore>, String> {
    let reference = object.spec.secret_store_ref.clone();
    let reference = reference.ok_or("spec.secretStoreRef is required")?;
    let kind = reference.kind.as_deref().unwrap_or("SecretStore");
    if kind != "SecretStore" {
        return Err(format!("sandbox: the kind {kind} is not simulated, only SecretStore is"));
    }
    let namespace = object.namespace().unwrap_or_default();
    let found = operator.stores.get(&namespace, &reference.name);
    let found = found.ok_or_else(|| {
        format!(
            "could not get {kind} \"{}\", {kind}.external-secrets.io \"{0}\" not found",
            reference.name
        )
    })?;
    if store::is_ready(&found) {
        Ok(found)
    } else {
        Err(format!("{kind} \"{}\" is not ready", reference.name))
    }
}

/// Says that a sync failed: the fixed message in the condition, the cause in an event.
async fn fail(
    operator: &Operator,
    object: &ExternalSecret,
    mut status: Status,
    message: &str,
    cause: &str,
) -> anyhow::Result<Option<Duration>> {
    event(operator, object, (Warning, "UpdateFailed", cause)).await;
    set_condition(&mut status.conditions, "Ready", (false, "SecretSyncedError", message));
    save(operator, object, status).await?;
    Ok(Some(AGAIN))
}

async fn delete_target(
    operator: &Operator,
    object: &ExternalSecret,
    mut status: Status,
) -> anyhow::Result<Option<Duration>> {
    let namespace = object.namespace().unwrap_or_default();
    if let Some(secret) = operator.cluster.secrets.get(&namespace, &target::name(object)) {
        operator
            .cluster
            .delete(&operator.cluster.secrets, &secret, &DeleteParams::default())
            .await?;
        event(operator, object, (Normal, "Deleted", "secret deleted")).await;
    }
    let message = "secret deleted due to DeletionPolicy=Delete";
    set_condition(&mut status.conditions, "Ready", (true, "SecretDeleted", message));
    save(operator, object, status).await?;
    Ok(Some(duration::DEFAULT))
}

async fn event(operator: &Operator, object: &ExternalSecret, what: (EventType, &str, &str)) {
    let about = object.object_ref(&external_secret());
    operator.cluster.events.record_about(COMPONENT, &about, what).await;
}

async fn save(operator: &Operator, object: &ExternalSecret, status: Status) -> anyhow::Result<()> {
    if object.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let patch = Patch::Merge(json!({ "status": status }));
    let written = api(operator, object)
        .patch_status(&object.name_any(), &PatchParams::apply("external-secrets"), &patch)
        .await?;
    operator.external_secrets.observe(&written);
    Ok(())
}

fn api(operator: &Operator, object: &ExternalSecret) -> Api<ExternalSecret> {
    let namespace = object.namespace().unwrap_or_default();
    Api::namespaced_with(operator.cluster.client.clone(), &namespace, &external_secret())
}

async fn patch_finalizers(
    operator: &Operator,
    object: &ExternalSecret,
    finalizers: Vec<String>,
) -> anyhow::Result<()> {
    let meta = json!({ "finalizers": finalizers, "resourceVersion": object.resource_version() });
    let patch = Patch::Merge(json!({ "metadata": meta }));
    let written = api(operator, object)
        .patch(&object.name_any(), &PatchParams::apply("external-secrets"), &patch)
        .await;
    match written {
        Ok(written) if finalizers.is_empty() => operator.external_secrets.forget(&written),
        Ok(written) => operator.external_secrets.observe(&written),
        Err(error) if is_conflict(&error) || crate::cluster::is_not_found(&error) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Lets a deleted ExternalSecret go; a Secret that it owns goes with it by its owner reference.
async fn release(operator: &Operator, object: &ExternalSecret) -> anyhow::Result<Option<Duration>> {
    if object.finalizers().iter().any(|name| name == FINALIZER) {
        let rest = object.finalizers().iter().filter(|name| *name != FINALIZER).cloned().collect();
        patch_finalizers(operator, object, rest).await?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(policy: &str, interval: &str, synced: bool, age: i64) -> ExternalSecret {
        let mut object: ExternalSecret = serde_json::from_value(json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": "a", "namespace": "n", "generation": 1},
            "spec": {"refreshPolicy": policy, "refreshInterval": interval,
                "target": {"creationPolicy": "None"}},
        }))
        .unwrap();
        let time = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() - age).unwrap();
        object.status = Some(Status {
            refresh_time: Some(Time(time)),
            synced_resource_version: Some(if synced {
                version(&object)
            } else {
                "1-old".to_owned()
            }),
            ..Status::default()
        });
        object
    }

    fn is_due(object: &ExternalSecret) -> bool {
        let interval = duration::parse(object.spec.refresh_interval.as_deref().unwrap()).unwrap();
        matches!(due(object, interval, None), Wait::Now)
    }

    #[test]
    fn the_refresh_policy_says_when_a_sync_is_due() {
        assert!(!is_due(&object("Periodic", "1h", true, 10)));
        assert!(is_due(&object("Periodic", "1h", true, 3700)));
        assert!(is_due(&object("Periodic", "1h", false, 10)));
        assert!(!is_due(&object("Periodic", "0", false, 10)));
        assert!(!is_due(&object("CreatedOnce", "1h", false, 3700)));
        assert!(is_due(&object("OnChange", "1h", false, 10)));
        assert!(!is_due(&object("OnChange", "1h", true, 3700)));
    }

    #[test]
    fn an_annotation_changes_the_synced_version() {
        let before = object("Periodic", "1h", true, 0);
        let mut after = before.clone();
        after.annotations_mut().insert("force-sync".into(), "1".into());
        assert_ne!(version(&before), version(&after));
    }
}
