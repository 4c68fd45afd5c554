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
        After, Revision, Status, Traces, Verdict, Way, Worked, after, newest_that_worked, verdict,
        way,
    },
    find, seconds,
    turn::is_unfinished,
};
use crate::exit::Exit;

/// What Helm may take beyond its own `--timeout`.
const MARGIN: Duration = Duration::from_secs(60);

/// An upgrade that failed.
pub(super) struct Failed {
    /// What its revision carries, if it came to make one.
    pub(super) mark: String,
    /// The newest revision before it that worked.
    pub(super) worked: Option<Worked>,
    pub(super) error: anyhow::Error,
}

impl Helm {
    /// Waits for the turn on a release and ends what a killed run left in the middle, since Helm
    /// refuses to touch it until that is done; returns what is there then.
    pub(super) fn settled(
        &self,
        run: &StepRun<'_>,
        cluster: &Cluster,
        install: &Install,
        claim: &Claim,
    ) -> anyhow::Result<Option<HelmRelease>> {
        loop {
            match self.our_turn(run, cluster, claim, install.place())? {
                Some(release) if is_unfinished(&release) => {
                    self.recover(run, cluster, install, claim, &release)?;
                }
                settled => return Ok(settled),
            }
        }
    }

    /// Touches nothing where another Helm has begun something since `release` was seen.
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
        let now = find(cluster, install)?;
        if now.is_none_or(|now| now.revision != *revision || now.status != *status) {
            return Ok(());
        }
        match way {
            Way::RollBack(to) => {
                run.note(&format!("{name} was left {status}: rolling back to revision {to} first"));
                self.roll_back(run, cluster, install, claim, *revision, to)
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

    /// Says what went wrong with an upgrade, then goes back to the last revision that worked. Where
    /// Helm got no further than to refuse, there is nothing to go back from: and what it refused to
    /// disturb may be another machine's work.
    pub(super) fn give_back(
        &self,
        run: &StepRun<'_>,
        cluster: &Cluster,
        install: &Install,
        claim: &Claim,
        failed: Failed,
    ) -> anyhow::Error {
        let Failed { mark, worked, error } = failed;
        let worked = worked.map(|worked| worked.revision);
        let made = match find(cluster, install) {
            Ok(latest) => Traces::of(latest.as_ref(), &mark),
            Err(unknown) => Traces::Unknown(format!("{unknown:#}")),
        };
        let after = match after(error.downcast_ref::<CommandFailure>(), &made, worked) {
            After::Untouched => return error,
            After::Refused(why) => why,
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
            (Verdict::RollBack(revision), Some(Made { install, revision: made, .. })) => {
                self.diagnose(run, cluster, install);
                let after = match self.claim_now(cluster, install, *made) {
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

    /// The lock on a release whose latest revision still is the one that this run made.
    fn claim_now(&self, cluster: &Cluster, install: &Install, made: u32) -> anyhow::Result<Claim> {
        let claim = self.claim(&install.namespace, &install.release)?;
        anyhow::ensure!(claim.try_take()?, "another Helm of this machine works on it");
        if let Some(HelmRelease { revision, status, .. }) = find(cluster, install)? {
            anyhow::ensure!(
                revision == made && status == "deployed",
                "revision {revision}, which is {status}, is another run's work"
            );
        }
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
            self.roll_back(run, cluster, install, claim, latest, revision)
        });
        match rolled_back {
            Ok(()) => format!("rolled back to revision {revision}, which worked"),
            Err(error) => format!("the roll-back to revision {revision} failed, too: {error:#}"),
        }
    }

    pub(super) fn diagnose(&self, run: &StepRun<'_>, cluster: &Cluster, install: &Install) {
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

    pub(super) fn roll_back(
        &self,
        run: &StepRun<'_>,
        cluster: &Cluster,
        install: &Install,
        claim: &Claim,
        from: u32,
        to: u32,
    ) -> anyhow::Result<()> {
        let Install { release, namespace, timeout, .. } = install;
        if let Err(error) = self
            .declared(install, to)
            .and_then(|declared| self.hand_over_replicas(run, cluster, install, &declared))
        {
            // The way back matters more than the number of replicas on it.
            run.note(&format!("the replicas could not be handed over: {error:#}"));
        }
        let command = self
            .command("roll back", run, install)
            .args(["rollback", release, &to.to_string(), "--namespace", namespace])
            .args(install.patience())
            .arg("--force-conflicts")
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
