//! What Helm has installed, read from the labels of its Secrets. The release inside is never read:
//! it holds the rendered manifests and values.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    time::{Duration, SystemTime},
};

use anyhow::Result;
use kube::core::ObjectMeta;
use serde::Serialize;

use super::{
    Cluster,
    connect::ask,
    error, kinds,
    objects::selecting,
    watch::{Objects, Verdict, until},
};
use crate::{Wait, runtime::wait_for};

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
            let secrets = found.items.iter();
            Ok(latest(secrets.filter_map(|secret| revision(namespace, &secret.metadata))))
        })
    }

    /// Follows the latest revision of a release until `question` breaks off with the answer; it goes
    /// on with what is waited for, in a few words. It is asked after every change and every second.
    ///
    /// # Errors
    /// The question's own; when the deadline passes or the person asks to stop.
    pub fn wait_helm_release<T>(
        &self,
        namespace: &str,
        name: &str,
        wait: &Wait<'_>,
        mut question: impl FnMut(Option<&HelmRelease>) -> Result<ControlFlow<T, String>>,
    ) -> Result<T> {
        let awaited = format!("Helm to be done with release `{namespace}/{name}`");
        wait_for(wait, &awaited, async |seen| {
            let labels = format!("owner=helm,name={name}");
            let source = self.metadata_source(&kinds::SECRET, Some(namespace), &labels);
            until(seen, vec![source], async |lists| {
                let secrets = lists.iter().flat_map(Objects::values);
                let found =
                    latest(secrets.filter_map(|secret| revision(namespace, &secret.metadata)));
                Ok(match question(found.first())? {
                    ControlFlow::Break(answer) => Verdict::Done(answer),
                    ControlFlow::Continue(what) => Verdict::Waiting(what),
                })
            })
            .await
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

fn revision(namespace: &str, secret: &ObjectMeta) -> Option<HelmRelease> {
    let labels = secret.labels.clone()?;
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
        let secret = |version: &str, status: &str| -> ObjectMeta {
            serde_json::from_value(json!({
                "name": format!("sh.helm.release.v1.supabase.v{version}"),
                "labels": { "name": "supabase", "owner": "helm", "version": version, "status": status, "modifiedAt": "1800000000" },
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
