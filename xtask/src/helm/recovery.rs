//! The ways back: from what a killed run left in the middle, from an upgrade that failed, from a
//! release whose tests failed.
//!
//! Architecture invariants: what is wrong is told before anything is taken away, because a
//! roll-back removes the evidence; a roll-back has a time budget of its own, because the stage's is
//! mostly used up when one is needed.

use std::time::{Duration, Instant};

use xtask_cloud::{Cluster, Finding, HelmRelease};
use xtask_pipeline::StepRun;
use xtask_tools::CommandFailure;

use super::{
    Helm, Install, Made, UNINSTALL_TIME,
    claim::{Claim, Work},
    decisions::{
        After, Revision, Status, Verdict, Way, Worked, after, newest_that_worked, verdict, way,
    },
    find, seconds,
};
use crate::exit::Exit;

/// What Helm may take beyond its own `--timeout`.
const MARGIN: Duration = Duration::from_secs(60);

impl Helm {
    /// Ends what a killed run left in the middle: Helm refuses to touch it until that is done.
    pub(super) fn recover(
        &self,
        run: &StepRun<'_>,
        cluster: &Cluster,
        install: &Install,
        claim: &Claim,
        release: &HelmRelease,
    ) -> anyhow::Result<()> {
        let HelmRelease { name, status, revision, .. } = release;
        let worked = self.newest_that_worked(install)?.map(|worked| worked.revision);
        let Some(way) = way(status, worked) else { return Ok(()) };
        if way != Way::FinishRemoval {
            self.diagnose(run, cluster, install);
        }
        match way {
            Way::RollBack(to) => {
                run.note(&format!("{name} was left {status}: rolling back to revision {to} first"));
                self.roll_back(run, install, claim, *revision, to)
            }
            Way::Remove => {
                run.note(&format!("{name} was left {status} and never worked: removing it first"));
                self.remove(run, install, claim)
            }
            Way::FinishRemoval => {
                run.note(&format!("{name} was left {status}: removing the rest of it first"));
                self.remove(run, install, claim)
            }
        }
    }

    /// Says what went wrong with an upgrade, then goes back to the last revision that worked.
    pub(super) fn give_back(
        &self,
        run: &StepRun<'_>,
        cluster: &Cluster,
        install: &Install,
        claim: &Claim,
        worked: Option<Worked>,
        error: anyhow::Error,
    ) -> anyhow::Error {
        let worked = worked.map(|worked| worked.revision);
        let after = match after(error.downcast_ref::<CommandFailure>(), worked) {
            After::Untouched => return error,
            After::LeftForNextRun => {
                "the release stays as the interrupt found it, and the next run upgrades it from there"
                    .to_owned()
            }
            After::RollBack(revision) => {
                self.diagnose(run, cluster, install);
                self.roll_back_from_latest(run, cluster, install, claim, revision)
            }
            After::LeftAsItFailed => {
                self.diagnose(run, cluster, install);
                format!(
                    "no earlier revision ever worked, so the release stays as it failed, to be looked at: \
                     kubectl -n {} get pods,events",
                    install.namespace
                )
            }
        };
        Exit::StageFailed.error(format!("{error:#}; {after}"))
    }

    /// Says what becomes of a release whose tests failed, and rolls it back where this run made it.
    pub(crate) fn reject(
        &self,
        run: &StepRun<'_>,
        cluster: &Cluster,
        made: Option<&Made>,
        error: anyhow::Error,
    ) -> anyhow::Error {
        let found = Exit::of(&error) == Exit::SmokeFailed;
        match (verdict(found, run.interrupted(), made), made) {
            (Verdict::RollBack(revision), Some(Made { install, .. })) => {
                self.diagnose(run, cluster, install);
                let after = match self.claim_now(install) {
                    Ok(claim) => {
                        self.roll_back_from_latest(run, cluster, install, &claim, revision)
                    }
                    Err(refused) => format!("it was not rolled back: {refused:#}"),
                };
                Exit::StageFailed.error(format!("{error:#}; {after}"))
            }
            (Verdict::Leave(why), _) if found => Exit::SmokeFailed
                .error(format!("{error:#}; the release stays as it is, because {why}")),
            _ => error,
        }
    }

    fn claim_now(&self, install: &Install) -> anyhow::Result<Claim> {
        let claim = self.claim(&install.namespace, &install.release)?;
        anyhow::ensure!(claim.try_take()?, "another Helm of this machine works on it");
        Ok(claim)
    }

    /// How the roll-back went, in a few words.
    fn roll_back_from_latest(
        &self,
        run: &StepRun<'_>,
        cluster: &Cluster,
        install: &Install,
        claim: &Claim,
        revision: u32,
    ) -> String {
        run.note(&format!("rolling {} back to revision {revision}", install.release));
        let rolled_back = find(cluster, install).and_then(|release| {
            let latest = release.map_or(revision, |release| release.revision);
            self.roll_back(run, install, claim, latest, revision)
        });
        match rolled_back {
            Ok(()) => format!("rolled back to revision {revision}, which worked"),
            Err(error) => format!("the roll-back to revision {revision} failed, too: {error:#}"),
        }
    }

    fn diagnose(&self, run: &StepRun<'_>, cluster: &Cluster, install: &Install) {
        match cluster.diagnose(&install.namespace, &install.release) {
            Ok(findings) => findings.iter().for_each(|finding| run.note(&described(finding))),
            Err(error) => run.note(&format!("nothing could be found out about it: {error:#}")),
        }
    }

    pub(super) fn newest_that_worked(&self, install: &Install) -> anyhow::Result<Option<Worked>> {
        let Install { release, namespace, .. } = install;
        let asked = |verb: &str| {
            self.base("read the release's history").args([
                verb,
                release,
                "--namespace",
                namespace,
                "--output",
                "json",
            ])
        };
        let mut history: Vec<Revision> = asked("history").json()?;
        history.sort_by_key(|revision| revision.revision);
        newest_that_worked(&history, |revision| {
            let status: Status =
                asked("status").args(["--revision", &revision.to_string()]).json()?;
            Ok(status.tests_failed())
        })
    }

    fn roll_back(
        &self,
        run: &StepRun<'_>,
        install: &Install,
        claim: &Claim,
        from: u32,
        to: u32,
    ) -> anyhow::Result<()> {
        let Install { release, namespace, timeout, .. } = install;
        let command = self
            .command("roll back", run, install)
            .args(["rollback", release, &to.to_string(), "--namespace", namespace])
            .args(["--wait", "--timeout", &seconds(*timeout), "--force-conflicts"])
            .deadline(Instant::now() + *timeout + MARGIN)
            .holding(claim.file())
            .despite_interrupt();
        claim.begin(&Work::RollBack { revision: from + 1 })?;
        command.run(&mut |line| run.progress(line.text))?;
        claim.clear()
    }

    fn remove(&self, run: &StepRun<'_>, install: &Install, claim: &Claim) -> anyhow::Result<()> {
        let Install { release, namespace, .. } = install;
        let command = self
            .command("remove what an earlier run left", run, install)
            .args(["uninstall", release, "--namespace", namespace, "--ignore-not-found"])
            .args(["--wait", "--timeout", &seconds(UNINSTALL_TIME)])
            .deadline(Instant::now() + UNINSTALL_TIME + MARGIN)
            .holding(claim.file());
        claim.begin(&Work::Uninstall)?;
        command.run(&mut |line| run.progress(line.text))?;
        claim.clear()
    }
}

/// One finding in one paragraph: what, why, the events and the last lines of the log.
fn described(finding: &Finding) -> String {
    let mut place = finding.workload.clone();
    for part in [&finding.pod, &finding.container].into_iter().flatten() {
        place = format!("{place} › {part}");
    }
    let mut text = format!("{place}: {}", finding.reason);
    for line in finding.events.iter().chain(&finding.log_tail) {
        text.push_str("\n    ");
        text.push_str(line);
    }
    text
}
