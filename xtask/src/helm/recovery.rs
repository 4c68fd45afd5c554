//! The ways back: from what a killed run left in the middle, from an upgrade that failed, from a
//! release whose tests failed.
//!
//! Architecture invariants: what is wrong is told before anything is taken away, because a
//! roll-back removes the evidence; a roll-back has a time budget of its own, because the stage's is
//! mostly used up when one is needed.

use std::time::{Duration, Instant};

use serde::Deserialize;
use xtask_cloud::{Cluster, Finding, HelmRelease};
use xtask_pipeline::StepRun;
use xtask_tools::CommandFailure;

use super::{
    Helm, Install, Made, UNINSTALL_TIME,
    claim::{Claim, Work},
    find, seconds,
};
use crate::exit::Exit;

/// What Helm may take beyond its own `--timeout`.
const MARGIN: Duration = Duration::from_secs(60);

/// A line of `helm history --output json`.
#[derive(Debug, Deserialize)]
struct Revision {
    revision: u32,
    status: String,
}

/// How a release that was left in the middle is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    RollBack(u32),
    /// It never worked.
    Remove,
    /// Its removal was begun.
    FinishRemoval,
}

/// Nothing for a release that Helm upgrades as it is.
fn way(status: &str, worked: Option<u32>) -> Option<Way> {
    match (status, worked) {
        ("uninstalling", _) => Some(Way::FinishRemoval),
        (pending, Some(revision)) if pending.starts_with("pending") => {
            Some(Way::RollBack(revision))
        }
        (pending, None) if pending.starts_with("pending") => Some(Way::Remove),
        _ => None,
    }
}

/// The newest revision that ever worked. What stands before a removal is gone.
fn newest_that_worked(history: &[Revision]) -> Option<u32> {
    let is_removed = |revision: &Revision| revision.status.starts_with("uninstall");
    if history.iter().max_by_key(|revision| revision.revision).is_some_and(is_removed) {
        return None;
    }
    let worked =
        |revision: &&Revision| matches!(revision.status.as_str(), "deployed" | "superseded");
    history.iter().filter(worked).map(|revision| revision.revision).max()
}

/// What becomes of a release after its upgrade failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// It was not touched.
    Untouched,
    /// The person wants to stop, not to wait for a roll-back: the next run goes on from here.
    LeftForNextRun,
    RollBack(u32),
    /// There is nothing to go back to.
    LeftAsItFailed,
}

fn after(failure: Option<&CommandFailure>, worked: Option<u32>) -> After {
    use xtask_tools::Cause;
    match (failure.map(|failure| &failure.cause), worked) {
        (
            Some(
                Cause::Interrupted { started: false, .. }
                | Cause::NotFound
                | Cause::NotStarted(_)
                | Cause::SecretArgument(_),
            ),
            _,
        ) => After::Untouched,
        (Some(Cause::Interrupted { .. }), _) => After::LeftForNextRun,
        (_, Some(revision)) => After::RollBack(revision),
        (_, None) => After::LeftAsItFailed,
    }
}

/// What becomes of a release whose tests failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    RollBack(u32),
    Leave(&'static str),
}

/// `found` says whether the tests themselves found something wrong: a test that could not be run
/// says nothing about the release.
fn verdict(found: bool, stopped: bool, made: Option<&Made>) -> Verdict {
    match made {
        _ if !found => {
            Verdict::Leave("the tests did not get as far as to find something wrong with it")
        }
        _ if stopped => Verdict::Leave("a stop was asked for"),
        None => Verdict::Leave("this run did not change it"),
        Some(Made { replaced: None, .. }) => {
            Verdict::Leave("there is no earlier revision that worked")
        }
        Some(Made { replaced: Some(revision), .. }) => Verdict::RollBack(*revision),
    }
}

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
        let Some(way) = way(status, self.newest_that_worked(install)?) else { return Ok(()) };
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
        worked: Option<u32>,
        error: anyhow::Error,
    ) -> anyhow::Error {
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

    pub(super) fn newest_that_worked(&self, install: &Install) -> anyhow::Result<Option<u32>> {
        let Install { release, namespace, .. } = install;
        let history: Vec<Revision> = self
            .base("read the release's history")
            .args(["history", release, "--namespace", namespace, "--output", "json"])
            .json()?;
        Ok(newest_that_worked(&history))
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

#[cfg(test)]
mod tests {
    use xtask_tools::Cause;

    use super::{super::Chart, *};

    fn history(statuses: &[&str]) -> Vec<Revision> {
        let revision =
            |(revision, status): (u32, &&str)| Revision { revision, status: (*status).to_owned() };
        (1..).zip(statuses).map(revision).collect()
    }

    #[test]
    fn a_release_in_the_middle_is_ended_first_and_no_other_one() {
        assert_eq!(way("pending-upgrade", Some(3)), Some(Way::RollBack(3)));
        assert_eq!(way("pending-rollback", Some(3)), Some(Way::RollBack(3)));
        assert_eq!(way("pending-install", None), Some(Way::Remove));
        // A roll-back to what stood before a removal would fail, and bring back half of it.
        assert_eq!(way("uninstalling", Some(3)), Some(Way::FinishRemoval));
        for finished in ["deployed", "failed", "superseded", "uninstalled"] {
            assert_eq!(way(finished, Some(3)), None);
        }
    }

    #[test]
    fn the_newest_revision_that_worked_is_the_one_to_go_back_to() {
        let worked = |statuses: &[&str]| newest_that_worked(&history(statuses));
        assert_eq!(worked(&["superseded", "deployed", "failed"]), Some(2));
        assert_eq!(worked(&["superseded", "pending-upgrade"]), Some(1));
        assert_eq!(worked(&["failed", "pending-upgrade"]), None);
        assert_eq!(worked(&["superseded", "uninstalling"]), None);
        assert_eq!(worked(&["superseded", "uninstalled"]), None);
        assert_eq!(worked(&[]), None);
    }

    fn failure(cause: Cause) -> CommandFailure {
        CommandFailure {
            purpose: None,
            line: "helm".to_owned(),
            cause,
            tail: Vec::new(),
            log: None,
        }
    }

    #[test]
    fn an_upgrade_that_failed_is_rolled_back_unless_a_person_stopped_it() {
        let after = |cause, worked| after(Some(&failure(cause)), worked);
        let deadline = Cause::Deadline { limit: Duration::ZERO, killed: false };
        assert_eq!(after(Cause::Code(1), Some(3)), After::RollBack(3));
        assert_eq!(after(deadline, Some(3)), After::RollBack(3));
        assert_eq!(after(Cause::Signal(9), None), After::LeftAsItFailed);
        let interrupted = |started| Cause::Interrupted { started, killed: false };
        assert_eq!(after(interrupted(true), Some(3)), After::LeftForNextRun);
        assert_eq!(after(interrupted(false), Some(3)), After::Untouched);
        assert_eq!(after(Cause::NotFound, Some(3)), After::Untouched);
    }

    #[test]
    fn tests_roll_back_only_what_this_run_made_and_only_for_what_they_found() {
        let made = |replaced| Made {
            install: Install {
                release: "web".to_owned(),
                namespace: "supabase".to_owned(),
                chart: Chart::Local("chart".into()),
                values: Vec::new(),
                timeout: Duration::ZERO,
            },
            replaced,
        };
        let leaves = |verdict| matches!(verdict, Verdict::Leave(_));
        assert_eq!(verdict(true, false, Some(&made(Some(3)))), Verdict::RollBack(3));
        assert!(leaves(verdict(true, false, Some(&made(None)))));
        assert!(leaves(verdict(true, false, None)));
        assert!(leaves(verdict(true, true, Some(&made(Some(3))))));
        assert!(leaves(verdict(false, false, Some(&made(Some(3))))));
    }
}
