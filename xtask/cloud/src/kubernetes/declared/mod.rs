//! What manifests declare, held against what lives, and put back.
//!
//! The comparison is the server's own: it says what an apply by the declarations' manager would
//! change. So what other managers own, what the server fills in and how it writes a quantity are no
//! differences.

mod difference;
mod discovery;

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use self::discovery::Discovery;
use super::{Cluster, Target, connect::ask, error, fields::Fields as _, kinds, objects::label};
use crate::Wait;

/// A declared object that lives otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Deviation {
    /// As an apply takes it: with its namespace.
    pub object: Value,
    pub kind: DeviationKind,
}

/// How it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviationKind {
    /// It is not there.
    Missing,
    /// These fields have other values: `spec.template.spec.containers[meta].image`. Values are left
    /// out, because some are secret.
    Fields(Vec<String>),
    /// The server does not let it be compared, or be put back.
    Refused(String),
}

impl Deviation {
    /// `Deployment supabase/meta`.
    #[must_use]
    pub fn name(&self) -> String {
        label(&self.object).replace('`', "")
    }
}

/// The field of a workload that an autoscaler sets.
const REPLICAS: &str = "/spec/replicas";

/// Owns the number of replicas between the manager that no longer declares it and the autoscaler.
const HANDOVER: &str = "xtask-autoscaling";

/// How many questions are under way at a time.
const AT_ONCE: usize = 8;

impl Cluster {
    /// Which of the declared objects live otherwise than an apply by `manager` would leave them, in
    /// their order. Objects that name no namespace belong to `namespace`.
    ///
    /// # Errors
    /// When an object has no kind or name, or the server is not reached.
    pub fn deviations(
        &self,
        declared: &[Value],
        namespace: &str,
        manager: &str,
    ) -> Result<Vec<Deviation>> {
        ask(async {
            let mut discovery = Discovery::new(&self.client, namespace);
            let mut known = Vec::new();
            for object in declared {
                known.push((object, discovery.locate(object).await?));
            }
            let scaled = self.autoscaled(namespace).await?;
            let (discovery, scaled) = (&discovery, &scaled);
            let questions = known.into_iter().map(|(object, api)| async move {
                let object = discovery.placed(object);
                match api {
                    Some(api) => compare(&api, object, manager, scaled).await,
                    None => Ok(Some(Deviation { object, kind: DeviationKind::Missing })),
                }
            });
            let found = stream::iter(questions).buffered(AT_ONCE);
            let found: Vec<Option<Deviation>> = found.try_collect().await?;
            Ok(found.into_iter().flatten().collect())
        })
    }

    /// Applies objects in their order, taking over fields that others own. What a
    /// CustomResourceDefinition defines can be used when the next object's turn comes.
    ///
    /// # Errors
    /// When the server refuses or is not reached, the deadline passes or the person asks to stop.
    pub fn put_back(
        &self,
        objects: &[Value],
        namespace: &str,
        manager: &str,
        wait: &Wait<'_>,
    ) -> Result<()> {
        let mut discovery = Discovery::new(&self.client, namespace);
        for object in objects {
            ask(async {
                let api = discovery.locate(object).await?.with_context(|| {
                    format!("the cluster does not know the kind of {}", label(object))
                })?;
                let object = discovery.placed(object);
                let parameters = PatchParams { force: true, ..PatchParams::apply(manager) };
                let name = object.text("/metadata/name").unwrap_or_default();
                api.patch(name, &parameters, &Patch::Apply(&object)).await.map_err(|failure| {
                    error::explain(&format!("failed to apply {}", label(&object)), failure)
                })?;
                Ok(())
            })?;
            if is_definition(object) {
                let name = object.text("/metadata/name").unwrap_or_default();
                let target = Target::new(kinds::CUSTOM_RESOURCE_DEFINITION, namespace, name);
                self.wait_established(&target, wait)?;
                // What was unknown before may be known now.
                discovery = Discovery::new(&self.client, namespace);
            }
        }
        Ok(())
    }

    /// Keeps the number of replicas of workloads that `declared` leaves to an autoscaler from now
    /// on, while `manager` still owns it: a field that its only owner no longer declares is removed,
    /// and the default is one. Returns their names.
    ///
    /// # Errors
    /// When the server refuses or is not reached.
    pub fn hand_over_replicas(
        &self,
        declared: &[Value],
        namespace: &str,
        manager: &str,
    ) -> Result<Vec<String>> {
        ask(async {
            let mut discovery = Discovery::new(&self.client, namespace);
            let targets: Vec<(String, String)> = declared.iter().filter_map(scale_target).collect();
            let mut handed_over = Vec::new();
            for object in declared {
                if object.at(REPLICAS).is_some() || !targets.iter().any(|it| is_target(it, object))
                {
                    continue;
                }
                let Some(api) = discovery.locate(object).await? else { continue };
                let name = object.text("/metadata/name").unwrap_or_default();
                let failed = |failure| {
                    error::explain(&format!("failed to keep the replicas of {name}"), failure)
                };
                let Some(live) = api.get_opt(name).await.map_err(failed)? else { continue };
                let Some(replicas) = live.number(REPLICAS) else { continue };
                if !owns_replicas(&live, manager) {
                    continue;
                }
                let kept = json!({
                    "apiVersion": object["apiVersion"], "kind": object["kind"],
                    "metadata": { "name": name }, "spec": { "replicas": replicas },
                });
                let parameters = PatchParams::apply(HANDOVER);
                api.patch(name, &parameters, &Patch::Apply(&kept)).await.map_err(failed)?;
                handed_over.push(name.to_owned());
            }
            Ok(handed_over)
        })
    }

    /// The kinds and names of the workloads that an autoscaler of the namespace scales.
    async fn autoscaled(&self, namespace: &str) -> Result<Vec<(String, String)>> {
        let found = self.find_all(&kinds::HORIZONTAL_POD_AUTOSCALER, Some(namespace), "").await?;
        Ok(found.iter().filter_map(target_of).collect())
    }
}

async fn compare(
    api: &Api<DynamicObject>,
    mut object: Value,
    manager: &str,
    scaled: &[(String, String)],
) -> Result<Option<Deviation>> {
    let name = object.text("/metadata/name").unwrap_or_default().to_owned();
    let failed =
        |failure| error::explain(&format!("failed to compare {}", label(&object)), failure);
    let Some(live) = api.get_opt(&name).await.map_err(failed)? else {
        return Ok(Some(Deviation { object, kind: DeviationKind::Missing }));
    };
    let is_scaled = scaled.iter().any(|target| is_target(target, &object));
    if let (true, Some(declared)) = (is_scaled, object.pointer_mut(REPLICAS)) {
        // Where both declare the number, the autoscaler's word counts.
        if let Some(replicas) = live.number(REPLICAS) {
            *declared = json!(replicas);
        }
    }
    let parameters = PatchParams { force: true, dry_run: true, ..PatchParams::apply(manager) };
    let kind = match api.patch(&name, &parameters, &Patch::Apply(&object)).await {
        Ok(applied) => {
            let before = serde_json::to_value(&live).context("failed to read an object")?;
            let after = serde_json::to_value(&applied).context("failed to read an object")?;
            match difference::fields(&before, &after) {
                fields if fields.is_empty() => return Ok(None),
                fields => DeviationKind::Fields(fields),
            }
        }
        Err(kube::Error::Api(status)) if !matches!(status.code, 401 | 429) => {
            DeviationKind::Refused(status.message)
        }
        Err(failure) => {
            return Err(error::explain(&format!("failed to compare {}", label(&object)), failure));
        }
    };
    Ok(Some(Deviation { object, kind }))
}

fn is_definition(object: &Value) -> bool {
    object.text("/kind") == Some(kinds::CUSTOM_RESOURCE_DEFINITION.kind)
}

fn scale_target(object: &Value) -> Option<(String, String)> {
    let is_autoscaler = object.text("/kind") == Some(kinds::HORIZONTAL_POD_AUTOSCALER.kind);
    if is_autoscaler { target_of(object) } else { None }
}

fn target_of(autoscaler: &impl super::fields::Fields) -> Option<(String, String)> {
    let field = |name: &str| autoscaler.text(&format!("/spec/scaleTargetRef/{name}"));
    Some((field("kind")?.to_owned(), field("name")?.to_owned()))
}

fn is_target((kind, name): &(String, String), object: &Value) -> bool {
    object.text("/kind") == Some(kind) && object.text("/metadata/name") == Some(name)
}

fn owns_replicas(live: &DynamicObject, manager: &str) -> bool {
    let entries = live.metadata.managed_fields.iter().flatten();
    entries.filter(|entry| entry.manager.as_deref() == Some(manager)).any(|entry| {
        let fields = entry.fields_v1.as_ref();
        fields.is_some_and(|fields| fields.0.pointer("/f:spec/f:replicas").is_some())
    })
}
