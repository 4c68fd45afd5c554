//! A release whose inputs did not change still has to live as it was declared: somebody may have
//! deleted a NetworkPolicy, scaled a component or set an image by hand.
//!
//! The declaration is the manifest that Helm keeps with the revision. What differs from it is applied
//! again as Helm would apply it, and nothing else: no hook runs, nothing is rendered anew, no other
//! object is touched, and the history goes on telling what was released.

use std::time::Instant;

use xtask_cloud::{Cluster, Deviation, DeviationKind, Target, kinds};
use xtask_pipeline::StepRun;

use super::{Helm, Install, Installed, claim::Claim, manifest};
use crate::{context::waiting_until, exit::Exit};

/// As whom Helm owns fields.
pub(super) const MANAGER: &str = "helm";

/// How many fields of one object are named.
const NAMED: usize = 4;

impl Helm {
    /// The objects of a revision that live otherwise than it declares.
    pub(super) fn deviations(
        &self,
        cluster: &Cluster,
        install: &Install,
        revision: u32,
    ) -> anyhow::Result<Vec<Deviation>> {
        let declared = self.declared(install, revision)?;
        cluster.deviations(&declared, &install.namespace, MANAGER)
    }

    /// Puts back what lives otherwise than the latest revision declares. The claim keeps other Helms
    /// of this machine away meanwhile.
    pub(super) fn repair(
        &self,
        run: &StepRun<'_>,
        cluster: &Cluster,
        install: &Install,
        _: &Claim,
        revision: u32,
    ) -> anyhow::Result<Installed> {
        let found = self.deviations(cluster, install, revision)?;
        let (refused, repairable): (Vec<_>, Vec<_>) = found.into_iter().partition(is_refused);
        if !repairable.is_empty() {
            self.put_back(run, cluster, install, revision, &repairable)?;
        }
        // What a webhook refused may have waited for the workload that answers it.
        let mut late = Vec::new();
        if !refused.is_empty() {
            let objects: Vec<_> = refused.into_iter().map(|it| it.object).collect();
            let found = cluster.deviations(&objects, &install.namespace, MANAGER)?;
            if let Some(Deviation { kind: DeviationKind::Refused(why), .. }) =
                found.iter().find(|it| is_refused(it))
            {
                let names: Vec<_> =
                    found.iter().filter(|it| is_refused(it)).map(Deviation::name).collect();
                return Err(Exit::StageFailed.error(format!(
                    "{} does not live as revision {revision} of {} declares, and the cluster refuses to take it back \
                     ({why}): delete it, or declare what lives, and run this again",
                    names.join(", "),
                    install.release
                )));
            }
            if !found.is_empty() {
                self.put_back(run, cluster, install, revision, &found)?;
            }
            late = found;
        }
        let repaired = repairable.iter().chain(&late).map(Deviation::name).collect();
        Ok(Installed { revision, made: None, repaired })
    }

    fn put_back(
        &self,
        run: &StepRun<'_>,
        cluster: &Cluster,
        install: &Install,
        revision: u32,
        deviations: &[Deviation],
    ) -> anyhow::Result<()> {
        run.note(&told(
            &format!(
                "{} does not live as revision {revision} declares; repairing",
                install.release
            ),
            deviations,
        ));
        let objects: Vec<_> = deviations.iter().map(|it| it.object.clone()).collect();
        waiting_until(run, Instant::now() + install.timeout, |wait| {
            cluster.put_back(&objects, &install.namespace, MANAGER, wait)?;
            for workload in objects.iter().filter_map(workload) {
                cluster.wait_rolled_out(&workload, wait)?;
            }
            Ok(())
        })
        .inspect_err(|_| self.diagnose(run, cluster, install))
    }

    /// Says what an upgrade is about to take back.
    pub(super) fn announce(
        &self,
        run: &StepRun<'_>,
        cluster: &Cluster,
        install: &Install,
        revision: u32,
    ) {
        match self.deviations(cluster, install, revision) {
            Ok(found) if found.is_empty() => {}
            Ok(found) => run.note(&told(
                &format!(
                    "{} does not live as revision {revision} declares; the upgrade takes it back",
                    install.release
                ),
                &found,
            )),
            Err(error) => run.note(&format!(
                "{} could not be compared with revision {revision}: {error:#}",
                install.release
            )),
        }
    }

    /// The objects of a revision, without its hooks.
    pub(super) fn declared(
        &self,
        install: &Install,
        revision: u32,
    ) -> anyhow::Result<Vec<serde_json::Value>> {
        let Install { release, namespace, .. } = install;
        let text = self
            .base("read the release's manifest")
            .args(["get", "manifest", release, "--namespace", namespace])
            .args(["--revision", &revision.to_string()])
            .output()?;
        manifest::objects_of(release, namespace, &text)
    }
}

fn is_refused(deviation: &Deviation) -> bool {
    matches!(deviation.kind, DeviationKind::Refused(_))
}

/// What rolls out, for a wait.
fn workload(object: &serde_json::Value) -> Option<Target> {
    let kind = [kinds::DEPLOYMENT, kinds::STATEFUL_SET]
        .into_iter()
        .find(|kind| object["kind"] == kind.kind)?;
    let metadata = &object["metadata"];
    Some(Target::new(kind, metadata["namespace"].as_str()?, metadata["name"].as_str()?))
}

fn told(what: &str, deviations: &[Deviation]) -> String {
    let mut text = format!("{what}:");
    for deviation in deviations {
        text.push_str("\n    ");
        text.push_str(&deviation.name());
        text.push_str(&match &deviation.kind {
            DeviationKind::Missing => " was not there".to_owned(),
            DeviationKind::Refused(why) => format!(" cannot be compared: {why}"),
            DeviationKind::Fields(fields) if fields.len() > NAMED => {
                format!(": {} and {} more", fields[..NAMED].join(", "), fields.len() - NAMED)
            }
            DeviationKind::Fields(fields) => format!(": {}", fields.join(", ")),
        });
    }
    text
}
