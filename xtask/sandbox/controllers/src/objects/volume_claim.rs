//! Binds a PersistentVolumeClaim whose storage class exists.
//!
//! A real cluster with `WaitForFirstConsumer` binds once a Pod uses the claim; here it is bound at once.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{
    HostPathVolumeSource, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimStatus,
    PersistentVolumeSpec, PersistentVolumeStatus,
};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{Api, ObjectMeta};
use kube::{Resource, ResourceExt};

use crate::cluster::{Cluster, MANAGER, is_conflict, manager};
use crate::events::EventType::{Normal, Warning};

const COMPONENT: &str = "persistentvolume-controller";
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

pub(crate) async fn reconcile(
    cluster: Arc<Cluster>,
    claim: Arc<PersistentVolumeClaim>,
) -> anyhow::Result<Option<Duration>> {
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
    if phase == Some("Bound") || claim.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let class = match storage_class(&cluster, &claim) {
        Ok(class) => class,
        Err((reason, message)) => {
            let kind = if reason == "FailedBinding" { Normal } else { Warning };
            cluster.events.record(COMPONENT, &*claim, (kind, reason, &message)).await;
            set_status(&cluster, &claim, "Pending").await?;
            return Ok(None);
        }
    };
    let volume = create_volume(&cluster, &claim, &class).await?;
    let mut bound = (*claim).clone();
    let spec = bound.spec.get_or_insert_default();
    spec.volume_name = Some(volume.clone());
    spec.storage_class_name = Some(class.name_any());
    let annotations = bound.metadata.annotations.get_or_insert_default();
    annotations.insert("pv.kubernetes.io/bind-completed".to_owned(), "yes".to_owned());
    annotations.insert("pv.kubernetes.io/bound-by-controller".to_owned(), "yes".to_owned());
    let bound = cluster.replace(&cluster.claims, &bound).await?;
    set_status(&cluster, &bound, "Bound").await?;
    let message = format!("Successfully provisioned volume {volume} (sandbox: simulated)");
    cluster.events.record(COMPONENT, &*claim, (Normal, "ProvisioningSucceeded", &message)).await;
    Ok(None)
}

fn storage_class(
    cluster: &Cluster,
    claim: &PersistentVolumeClaim,
) -> Result<Arc<StorageClass>, (&'static str, String)> {
    let named = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    let classes = cluster.storage_classes.select(|_| true);
    match named {
        Some(name) => classes.into_iter().find(|class| class.name_any() == name).ok_or_else(|| {
            ("ProvisioningFailed", format!("storageclass.storage.k8s.io \"{name}\" not found"))
        }),
        None => classes
            .into_iter()
            .find(|class| class.annotations().get(DEFAULT_CLASS).is_some_and(|text| text == "true"))
            .ok_or_else(|| {
                let message =
                    "no persistent volumes available for this claim and no storage class is set";
                ("FailedBinding", message.to_owned())
            }),
    }
}

async fn create_volume(
    cluster: &Cluster,
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
) -> anyhow::Result<String> {
    let name = format!("pvc-{}", claim.uid().unwrap_or_default());
    let spec = claim.spec.clone().unwrap_or_default();
    let volume = PersistentVolume {
        metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
        spec: Some(PersistentVolumeSpec {
            access_modes: spec.access_modes,
            capacity: spec.resources.and_then(|resources| resources.requests),
            claim_ref: Some(claim.object_ref(&())),
            storage_class_name: Some(class.name_any()),
            persistent_volume_reclaim_policy: class.reclaim_policy.clone(),
            // Where a Pod of this cluster really finds its files.
            host_path: Some(HostPathVolumeSource {
                path: claim_folder(cluster, claim).display().to_string(),
                type_: None,
            }),
            ..PersistentVolumeSpec::default()
        }),
        status: None,
    };
    let api: Api<PersistentVolume> = Api::all(cluster.client.clone());
    match api.create(&manager(MANAGER), &volume).await {
        Ok(created) => {
            let status = PersistentVolumeStatus {
                phase: Some("Bound".to_owned()),
                ..PersistentVolumeStatus::default()
            };
            let bound = PersistentVolume { status: Some(status), ..created };
            api.replace_status(&name, &manager(MANAGER), &bound).await?;
        }
        Err(error) if is_conflict(&error) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(name)
}

/// The folder that stands for a claim's volume; it outlives the Pods that use it.
pub(crate) fn claim_folder(cluster: &Cluster, claim: &PersistentVolumeClaim) -> std::path::PathBuf {
    cluster
        .config
        .folder
        .join("volumes")
        .join(claim.namespace().unwrap_or_default())
        .join(claim.name_any())
}

async fn set_status(
    cluster: &Cluster,
    claim: &PersistentVolumeClaim,
    phase: &str,
) -> anyhow::Result<()> {
    let spec = claim.spec.clone().unwrap_or_default();
    let bound = phase == "Bound";
    let status = PersistentVolumeClaimStatus {
        phase: Some(phase.to_owned()),
        access_modes: spec.access_modes.filter(|_| bound),
        capacity: spec.resources.and_then(|resources| resources.requests).filter(|_| bound),
        ..PersistentVolumeClaimStatus::default()
    };
    if claim.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let written = PersistentVolumeClaim { status: Some(status), ..claim.clone() };
    Ok(cluster.replace_status(&cluster.claims, &written).await?)
}
