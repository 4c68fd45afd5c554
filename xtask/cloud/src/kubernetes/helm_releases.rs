//! What Helm has installed, read from the labels of its Secrets. The release inside is never read:
//! it holds the rendered manifests and values.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use anyhow::Result;
use kube::{
    ResourceExt,
    api::{DynamicObject, PartialObjectMeta},
};
use serde::Serialize;

use super::{Cluster, connect::ask, error, kinds, objects::selecting};

/// The latest revision of a Helm release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HelmRelease {
    pub name: String,
    pub namespace: String,
    pub revision: u32,
    /// `deployed`, `failed`, `pending-upgrade`, ...
    pub status: String,
    /// All labels of the Secret, Helm's own and those given with `--labels`.
    pub labels: BTreeMap<String, String>,
    pub modified: Option<SystemTime>,
}

impl Cluster {
    /// The latest revision of each Helm release of a namespace, ordered by name.
    ///
    /// # Errors
    /// When the server refuses or is not reached.
    pub fn helm_releases(&self, namespace: &str) -> Result<Vec<HelmRelease>> {
        ask(async {
            let secrets = self.api(&kinds::SECRET, Some(namespace));
            let found =
                secrets.list_metadata(&selecting("owner=helm")).await.map_err(|failure| {
                    error::explain(
                        &format!("failed to list the Helm releases of `{namespace}`"),
                        failure,
                    )
                })?;
            Ok(latest(found.items.iter().filter_map(|secret| revision(namespace, secret))))
        })
    }
}

fn latest(revisions: impl Iterator<Item = HelmRelease>) -> Vec<HelmRelease> {
    let mut releases: BTreeMap<String, HelmRelease> = BTreeMap::new();
    for revision in revisions {
        match releases.get(&revision.name) {
            Some(known) if known.revision > revision.revision => {}
            _ => {
                releases.insert(revision.name.clone(), revision);
            }
        }
    }
    releases.into_values().collect()
}

fn revision(namespace: &str, secret: &PartialObjectMeta<DynamicObject>) -> Option<HelmRelease> {
    let labels = secret.labels().clone();
    let seconds = labels.get("modifiedAt").or_else(|| labels.get("createdAt"));
    let modified = seconds.and_then(|seconds| seconds.parse().ok());
    Some(HelmRelease {
        name: labels.get("name")?.clone(),
        namespace: namespace.to_owned(),
        revision: labels.get("version")?.parse().ok()?,
        status: labels.get("status")?.clone(),
        modified: modified.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
        labels,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_latest_revision_counts_by_number() {
        let secret = |version: &str, status: &str| -> PartialObjectMeta<DynamicObject> {
            serde_json::from_value(json!({
                "apiVersion": "meta.k8s.io/v1",
                "kind": "PartialObjectMetadata",
                "metadata": {
                    "name": format!("sh.helm.release.v1.supabase.v{version}"),
                    "labels": { "name": "supabase", "owner": "helm", "version": version, "status": status, "modifiedAt": "1800000000" },
                },
            }))
            .unwrap()
        };
        let secrets =
            [secret("9", "superseded"), secret("10", "deployed"), secret("2", "superseded")];
        let found = latest(secrets.iter().filter_map(|secret| revision("supabase", secret)));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].revision, found[0].status.as_str()), (10, "deployed"));
        assert_eq!(
            found[0].modified,
            Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000))
        );
    }
}
