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
    /// The last time that Helm is known to have written this revision.
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
    Some(HelmRelease {
        name: labels.get("name")?.clone(),
        namespace: namespace.to_owned(),
        revision: labels.get("version")?.parse().ok()?,
        status: labels.get("status")?.clone(),
        modified: last_written(secret, &labels),
        labels,
    })
}

/// A new revision is given the labels of the one before it, `modifiedAt` with them, and a `createdAt`
/// of its own; only a later change of it writes `modifiedAt`. So the newest of all times counts, the
/// server's own with them.
fn last_written(secret: &ObjectMeta, labels: &BTreeMap<String, String>) -> Option<SystemTime> {
    let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let told = ["createdAt", "modifiedAt"].into_iter().filter_map(|name| labels.get(name));
    let told = told.filter_map(|seconds| seconds.parse().ok()).map(at);
    told.chain(secret.creation_timestamp.as_ref().map(|time| time.0.into())).max()
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
    }

    #[test]
    fn a_new_revision_is_as_old_as_its_newest_time() {
        let modified = |labels: serde_json::Value, created: Option<&str>| {
            let mut labels = labels;
            for (name, value) in [("name", "web"), ("version", "4"), ("status", "pending-upgrade")]
            {
                labels[name] = json!(value);
            }
            let secret = json!({ "labels": labels, "creationTimestamp": created });
            let found = revision("supabase", &serde_json::from_value(secret).unwrap()).unwrap();
            found
                .modified
                .map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
        };
        let copied = json!({ "modifiedAt": "1700000000", "createdAt": "1800000000" });
        assert_eq!(modified(copied.clone(), None), Some(1_800_000_000));
        let changed = json!({ "modifiedAt": "1800000007", "createdAt": "1800000000" });
        assert_eq!(modified(changed, None), Some(1_800_000_007));
        let served = modified(copied, Some("2027-01-15T08:00:09Z"));
        assert_eq!(served, Some(1_800_000_009));
        assert_eq!(modified(json!({ "modifiedAt": "yesterday" }), None), None);
    }
}
