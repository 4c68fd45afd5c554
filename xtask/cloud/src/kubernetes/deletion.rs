//! Taking objects away, and waiting until they are gone.

use anyhow::Result;
use kube::api::{DeleteParams, DynamicObject};

use super::{
    Cluster, Kind, Target,
    connect::ask,
    error,
    fields::name,
    watch::{Objects, Verdict, until},
};
use crate::{Wait, runtime::wait_for};

impl Cluster {
    /// Asks for deletion, of what it owns in the background; false when it was not there.
    ///
    /// # Errors
    /// When the server refuses or is not reached.
    pub fn delete(&self, target: &Target) -> Result<bool> {
        ask(self.ask_for_deletion(target))
    }

    async fn ask_for_deletion(&self, target: &Target) -> Result<bool> {
        let api = self.api(&target.kind, target.namespace.as_deref());
        match api.delete(&target.name, &DeleteParams::background()).await {
            Ok(_) => Ok(true),
            Err(failure) if error::is_not_found(&failure) => Ok(false),
            Err(failure) => Err(error::explain(&format!("failed to delete {target}"), failure)),
        }
    }

    /// Asks for the deletion of all objects of a kind that match `labels` (empty: all) and returns
    /// their names. A kind that the server does not know has no objects.
    ///
    /// # Errors
    /// When the server refuses or is not reached.
    pub fn delete_all(&self, kind: &Kind, namespace: &str, labels: &str) -> Result<Vec<String>> {
        ask(async {
            let mut names = Vec::new();
            for object in self.find_if_known(kind, Some(namespace), labels).await? {
                let target = Target::new(*kind, namespace, name(&object));
                if self.ask_for_deletion(&target).await? {
                    names.push(target.name);
                }
            }
            Ok(names)
        })
    }

    /// # Errors
    /// When the deadline passes (the error names the finalizers that hold it) or the person asks
    /// to stop.
    pub fn wait_gone(&self, target: &Target, wait: &Wait<'_>) -> Result<()> {
        wait_for(wait, &format!("{target} to be gone"), async |seen| {
            if self.find(target).await?.is_none() {
                return Ok(());
            }
            until(seen, vec![self.source_of(target)], async |lists| Ok(gone(&target.kind, lists)))
                .await
        })
    }

    /// Waits until no object of a kind matches `labels` (empty: all of the kind).
    ///
    /// # Errors
    /// As [`Self::wait_gone`].
    pub fn wait_all_gone(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        labels: &str,
        wait: &Wait<'_>,
    ) -> Result<()> {
        let place = namespace.map(|namespace| format!(" of namespace `{namespace}`"));
        let awaited = format!("all {}{} to be gone", kind.plural, place.unwrap_or_default());
        wait_for(wait, &awaited, async |seen| {
            if self.find_if_known(kind, namespace, labels).await?.is_empty() {
                return Ok(());
            }
            let source = self.source(kind, namespace, labels);
            until(seen, vec![source], async |lists| Ok(gone(kind, lists))).await
        })
    }

    async fn find_if_known(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<Vec<DynamicObject>> {
        match self.api(kind, namespace).list(&super::objects::selecting(labels)).await {
            Ok(found) => Ok(found.items),
            Err(failure) if error::is_not_found(&failure) => Ok(Vec::new()),
            Err(failure) => {
                Err(error::explain(&format!("failed to list the {}", kind.plural), failure))
            }
        }
    }
}

fn gone(kind: &Kind, lists: &[Objects]) -> Verdict<()> {
    let left: Vec<String> = lists.iter().flat_map(Objects::values).map(held).collect();
    if left.is_empty() {
        return Verdict::Done(());
    }
    Verdict::Waiting(format!("{} still there: {}", kind.plural, left.join(", ")))
}

fn held(object: &DynamicObject) -> String {
    let finalizers = object.metadata.finalizers.as_deref().unwrap_or_default();
    match (object.metadata.deletion_timestamp.is_some(), finalizers) {
        (true, [_, ..]) => format!("{} (held by {})", name(object), finalizers.join(", ")),
        (true, []) => name(object).to_owned(),
        (false, _) => format!("{} (nobody deleted it)", name(object)),
    }
}
