//! Single objects: read, listed, applied, annotated; Secrets by key.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use backon::{BackoffBuilder, ExponentialBuilder};
use base64::{Engine, engine::general_purpose::STANDARD};
use kube::{
    Api,
    api::{
        ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
    },
    core::Status,
};
use serde_json::{Value, json};
use xtask_tools::Secret;

use super::{Cluster, Kind, Target, connect::ask, error, fields::Fields, kinds};
use crate::{Wait, runtime::wait_for};

/// Under this name the server records what the program changes.
const MANAGER: &str = "xtask";

/// The answer to a write of an object.
#[derive(Debug, Clone)]
pub struct Applied {
    pub created: bool,
    /// Whether the object is another one than before.
    pub changed: bool,
    pub object: Value,
}

impl Cluster {
    /// # Errors
    /// When the server refuses or is not reached.
    pub fn get(&self, target: &Target) -> Result<Option<Value>> {
        ask(async { self.find(target).await?.map(|object| to_value(&object)).transpose() })
    }

    pub(super) async fn find(&self, target: &Target) -> Result<Option<DynamicObject>> {
        self.api(&target.kind, target.namespace.as_deref())
            .get_opt(&target.name)
            .await
            .map_err(|failure| error::explain(&format!("failed to read {target}"), failure))
    }

    /// All objects of a kind that match `labels` (empty: all). Without a namespace, of all.
    ///
    /// # Errors
    /// When the server refuses or is not reached.
    pub fn list(&self, kind: &Kind, namespace: Option<&str>, labels: &str) -> Result<Vec<Value>> {
        ask(async { self.find_all(kind, namespace, labels).await?.iter().map(to_value).collect() })
    }

    pub(super) async fn find_all(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<Vec<DynamicObject>> {
        let found =
            self.api(kind, namespace).list(&selecting(labels)).await.map_err(|failure| {
                error::explain(&format!("failed to list the {}", kind.plural), failure)
            })?;
        // Items of a list do not say what they are.
        let types = kube::core::TypeMeta {
            api_version: super::connect::resource(kind).api_version,
            kind: kind.kind.to_owned(),
        };
        Ok(found
            .items
            .into_iter()
            .map(|mut object| {
                object.types.get_or_insert_with(|| types.clone());
                object
            })
            .collect())
    }

    /// Server-side apply of a whole object. `force` takes over fields that others own.
    ///
    /// # Errors
    /// When the object names no kind or name, a field belongs to somebody else, or the server
    /// refuses or is not reached.
    pub fn apply(&self, object: &Value, manager: &str, force: bool) -> Result<Applied> {
        ask(async {
            let (api, name) = self.api_of(object)?;
            let label = label(object);
            let failed = |failure| error::explain(&format!("failed to apply {label}"), failure);
            let before = api.get_opt(&name).await.map_err(failed)?;
            let mut parameters = PatchParams::apply(manager).validation_strict();
            parameters.force = force;
            let after =
                api.patch(&name, &parameters, &Patch::Apply(object)).await.map_err(failed)?;
            let version = |object: &DynamicObject| object.metadata.resource_version.clone();
            Ok(Applied {
                created: before.is_none(),
                changed: before.as_ref().and_then(version) != version(&after),
                object: to_value(&after)?,
            })
        })
    }

    /// Asks the server, with its admission webhooks, whether it would create `object`.
    ///
    /// # Errors
    /// When it would not.
    pub fn probe_create(&self, object: &Value) -> Result<()> {
        ask(async {
            self.try_create(object).await?.map_err(|failure| {
                error::explain(&format!("{} would be refused", label(object)), failure)
            })
        })
    }

    /// Asks as [`Self::probe_create`] does until the server accepts: a webhook is announced
    /// before it answers, and refuses everything meanwhile.
    ///
    /// # Errors
    /// At once when the object itself is refused; else when the deadline passes or the person
    /// asks to stop.
    pub fn wait_accepted(&self, object: &Value, wait: &Wait<'_>) -> Result<()> {
        let awaited = format!("{} to be accepted by the admission webhooks", label(object));
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(250))
            .with_max_delay(Duration::from_secs(3))
            .without_max_times()
            .build();
        wait_for(wait, &awaited, async |seen| {
            for pause in pauses {
                let Err(failure) = self.try_create(object).await? else { return Ok(()) };
                let hopeless = error::status(&failure).is_some_and(is_about_the_object);
                let failure =
                    error::explain(&format!("{} would be refused", label(object)), failure);
                if hopeless {
                    return Err(failure);
                }
                seen.note(format!("{failure:#}"));
                tokio::time::sleep(pause).await;
            }
            bail!("ran out of patience for {}", label(object))
        })
    }

    async fn try_create(&self, object: &Value) -> Result<kube::Result<()>> {
        let (api, _) = self.api_of(object)?;
        let parsed: DynamicObject =
            serde_json::from_value(object.clone()).context("failed to read the object")?;
        let parameters = PostParams { dry_run: true, field_manager: Some(MANAGER.into()) };
        Ok(match api.create(&parameters, &parsed).await {
            Ok(_) => Ok(()),
            // Admission comes before the look at what is stored.
            Err(failure) if error::status(&failure).is_some_and(Status::is_already_exists) => {
                Ok(())
            }
            Err(failure) => Err(failure),
        })
    }

    /// Sets annotations; others stay.
    ///
    /// # Errors
    /// When there is no such object, or the server refuses or is not reached.
    pub fn annotate(&self, target: &Target, annotations: &BTreeMap<String, String>) -> Result<()> {
        ask(self.set_annotations(target, annotations))
    }

    pub(super) async fn set_annotations(
        &self,
        target: &Target,
        annotations: &BTreeMap<String, String>,
    ) -> Result<()> {
        self.merge(target, &json!({ "metadata": { "annotations": annotations } })).await
    }

    /// Merges `change` into an object: null takes a field away, a list is replaced.
    ///
    /// # Errors
    /// When there is no such object, or the server refuses or is not reached.
    pub fn change(&self, target: &Target, change: &Value) -> Result<()> {
        ask(self.merge(target, change))
    }

    async fn merge(&self, target: &Target, change: &Value) -> Result<()> {
        let parameters =
            PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
        self.api(&target.kind, target.namespace.as_deref())
            .patch(&target.name, &parameters, &Patch::Merge(change))
            .await
            .map_err(|failure| error::explain(&format!("failed to change {target}"), failure))?;
        Ok(())
    }

    /// The keys of a Secret, without its values; `None` when there is no such Secret.
    ///
    /// # Errors
    /// When the server refuses or is not reached.
    pub fn secret_keys(&self, namespace: &str, name: &str) -> Result<Option<BTreeSet<String>>> {
        ask(self.keys_of_secret(namespace, name))
    }

    pub(super) async fn keys_of_secret(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<BTreeSet<String>>> {
        let found = self.find(&Target::new(kinds::SECRET, namespace, name)).await?;
        Ok(found.map(|secret| {
            let data = secret.at("/data").and_then(Value::as_object);
            data.map(|data| data.keys().cloned().collect()).unwrap_or_default()
        }))
    }

    /// One value of a Secret; `None` when there is no such Secret or key.
    ///
    /// # Errors
    /// When the value is no text, or the server refuses or is not reached.
    pub fn secret_value(&self, namespace: &str, name: &str, key: &str) -> Result<Option<Secret>> {
        ask(async {
            let found = self.find(&Target::new(kinds::SECRET, namespace, name)).await?;
            let encoded = found.as_ref().and_then(|secret| secret.at("/data"));
            let Some(encoded) = encoded.and_then(|data| data.get(key)).and_then(Value::as_str)
            else {
                return Ok(None);
            };
            // Neither error may show what it could not read.
            let bytes = STANDARD.decode(encoded).ok();
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            text.map(|text| Some(Secret::new(text))).with_context(|| {
                format!("key `{key}` of Secret `{namespace}/{name}` holds no text")
            })
        })
    }

    fn api_of(&self, object: &Value) -> Result<(Api<DynamicObject>, String)> {
        let field = |pointer| {
            object.text(pointer).with_context(|| format!("the object has no field `{pointer}`"))
        };
        let (group, version) = match field("/apiVersion")?.split_once('/') {
            Some((group, version)) => (group, version),
            None => ("", field("/apiVersion")?),
        };
        let resource =
            ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, field("/kind")?));
        let api = match object.text("/metadata/namespace") {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        Ok((api, field("/metadata/name")?.to_owned()))
    }
}

/// Whether asking again cannot help. A webhook that does not answer is a server's error; a policy
/// that says no, an unknown field or a missing kind is not.
fn is_about_the_object(status: &Status) -> bool {
    let unanswered = status.message.contains("failed calling webhook")
        || status.message.contains("failed to call webhook");
    (400..500).contains(&status.code) && !unanswered && !matches!(status.code, 404 | 408 | 429)
}

pub(super) fn selecting(labels: &str) -> ListParams {
    if labels.is_empty() { ListParams::default() } else { ListParams::default().labels(labels) }
}

pub(super) fn label(object: &Value) -> String {
    let kind = object.text("/kind").unwrap_or("object");
    let name = object.text("/metadata/name").unwrap_or_default();
    match object.text("/metadata/namespace") {
        Some(namespace) => format!("{kind} `{namespace}/{name}`"),
        None => format!("{kind} `{name}`"),
    }
}

fn to_value(object: &DynamicObject) -> Result<Value> {
    serde_json::to_value(object).context("failed to read an object of the cluster")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, message: &str) -> Status {
        Status { code, message: message.to_owned(), ..Status::default() }
    }

    #[test]
    fn a_silent_webhook_is_waited_for_and_a_refusal_is_not() {
        assert!(is_about_the_object(&status(422, "spec.x: Required value")));
        assert!(is_about_the_object(&status(403, "denied the request")));
        assert!(!is_about_the_object(&status(500, "failed calling webhook \"x\": no endpoints")));
        assert!(!is_about_the_object(&status(400, "failed calling webhook \"x\": timeout")));
        assert!(!is_about_the_object(&status(404, "could not find the requested resource")));
    }
}
