//! Waits until no other Helm works on a release.
//!
//! A release that was left in the middle looks like one that is worked on. What tells them apart is
//! in `claim.rs`; where it does not, the release is left alone for as long as a Helm may take.

use std::{
    cell::Cell,
    ops::ControlFlow,
    time::{Duration, SystemTime},
};

use xtask_cloud::{Cluster, HelmRelease};
use xtask_pipeline::StepRun;

use super::{
    Helm, Install, UNINSTALL_TIME,
    claim::{Claim, Work},
};
use crate::context::waiting;

/// What a Helm may take beyond its own `--timeout`, and clocks may differ.
const SLACK: Duration = Duration::from_secs(60);

/// A release by name, and how long a Helm may work on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) namespace: &'a str,
    pub(super) release: &'a str,
    pub(super) timeout: Duration,
}

impl Install {
    pub(super) fn place(&self) -> Place<'_> {
        Place { namespace: &self.namespace, release: &self.release, timeout: self.timeout }
    }
}

/// Whether a release may be worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Ours,
    /// Another Helm may be at work on it until then.
    Theirs {
        until: SystemTime,
    },
}

/// A revision in the middle of something, and since when it is known to be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sighting {
    revision: u32,
    status: String,
    modified: Option<SystemTime>,
    first_seen: SystemTime,
}

impl Sighting {
    /// `earlier` is kept as long as nothing changed since.
    fn of(release: &HelmRelease, earlier: Option<Self>, now: SystemTime) -> Self {
        let (revision, status) = (release.revision, release.status.clone());
        let sighting = Self { revision, status, modified: release.modified, first_seen: now };
        match earlier {
            Some(earlier) if (Self { first_seen: now, ..earlier.clone() }) == sighting => earlier,
            _ => sighting,
        }
    }

    /// Its own word, unless a clock that is ahead of ours wrote it.
    fn since(&self) -> SystemTime {
        self.modified.map_or(self.first_seen, |modified| modified.min(self.first_seen))
    }
}

/// What a stage has to have for a release: a Helm elsewhere may have to end first.
pub(crate) const fn time_for(timeout: Duration) -> Duration {
    timeout.saturating_mul(2).saturating_add(SLACK)
}

/// Whether Helm is, or was, in the middle of something.
pub(super) fn is_unfinished(release: &HelmRelease) -> bool {
    release.status.starts_with("pending") || release.status == "uninstalling"
}

/// The decision, once no Helm of this machine is at work. `left` is what one of them left undone.
fn turn(sighting: &Sighting, is_left: bool, timeout: Duration, now: SystemTime) -> Turn {
    if is_left {
        return Turn::Ours;
    }
    let time = if sighting.status == "uninstalling" { UNINSTALL_TIME } else { timeout };
    let until = sighting.since() + time + SLACK;
    if now >= until { Turn::Ours } else { Turn::Theirs { until } }
}

impl Helm {
    /// Locks the release on this machine and waits until no Helm elsewhere can be at work on it;
    /// returns the release as it was at that moment. Where that is in the middle of something, it is
    /// this one revision that was left there: another one may be somebody's work.
    pub(super) fn our_turn(
        &self,
        run: &StepRun<'_>,
        cluster: &Cluster,
        claim: &Claim,
        place: Place<'_>,
    ) -> anyhow::Result<Option<HelmRelease>> {
        let told = Cell::new(false);
        let mut sighting = None;
        waiting(run, |wait| {
            cluster.wait_helm_release(place.namespace, place.release, wait, |release| {
                let what = if claim.try_take()? {
                    let now = SystemTime::now();
                    let Some(found) = release.filter(|release| is_unfinished(release)) else {
                        return Ok(ControlFlow::Break(release.cloned()));
                    };
                    let seen = Sighting::of(found, sighting.take(), now);
                    let is_left = claim.left().is_some_and(|work: Work| work.left(found));
                    match turn(&seen, is_left, place.timeout, now) {
                        Turn::Ours => return Ok(ControlFlow::Break(release.cloned())),
                        Turn::Theirs { until } => elsewhere(&*sighting.insert(seen), found, until),
                    }
                } else {
                    here(place.release)
                };
                if !told.replace(true) {
                    run.note(&what);
                }
                Ok(ControlFlow::Continue(what))
            })
        })
    }

    pub(super) fn claim(&self, namespace: &str, release: &str) -> anyhow::Result<Claim> {
        Claim::open(&self.logs.with_file_name("helm"), namespace, release)
    }
}

fn here(release: &str) -> String {
    format!("another Helm of this machine still works on {release}: waiting until it has ended")
}

fn elsewhere(sighting: &Sighting, release: &HelmRelease, until: SystemTime) -> String {
    let HelmRelease { name, namespace, status, revision, .. } = release;
    let by_hand = match status.as_str() {
        "pending-install" | "uninstalling" => "uninstall",
        _ => "rollback",
    };
    format!(
        "{name} is {status} (revision {revision}) since {}, and a Helm on another machine may be at work on it: \
         waiting until it is done, until {} at the latest; if you know that there is none, \
         `helm {by_hand} {name} --namespace {namespace}` ends the wait",
        time_of_day(sighting.since()),
        time_of_day(until)
    )
}

fn time_of_day(time: SystemTime) -> String {
    jiff::Zoned::try_from(time)
        .map_or_else(|_| "an unknown time".to_owned(), |time| time.strftime("%H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::{super::tests::release, *};

    const TIMEOUT: Duration = Duration::from_secs(720);

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    fn sighting(status: &str, modified: Option<u64>, now: u64) -> Sighting {
        let release = HelmRelease { modified: modified.map(at), ..release(7, status) };
        Sighting::of(&release, None, at(now))
    }

    #[test]
    fn what_this_machine_left_is_ended_at_once() {
        let seen = sighting("pending-upgrade", Some(0), 1);
        assert_eq!(turn(&seen, true, TIMEOUT, at(1)), Turn::Ours);
    }

    #[test]
    fn what_may_be_worked_on_elsewhere_is_left_alone_until_no_helm_can_be() {
        let seen = sighting("pending-upgrade", Some(0), 100);
        let until = at(720 + 60);
        assert_eq!(turn(&seen, false, TIMEOUT, at(100)), Turn::Theirs { until });
        assert_eq!(turn(&seen, false, TIMEOUT, at(779)), Turn::Theirs { until });
        assert_eq!(turn(&seen, false, TIMEOUT, at(780)), Turn::Ours);
        let seen = sighting("uninstalling", Some(0), 100);
        let until = at(0) + UNINSTALL_TIME + SLACK;
        assert_eq!(turn(&seen, false, TIMEOUT, at(100)), Turn::Theirs { until });
    }

    #[test]
    fn a_clock_that_is_ahead_costs_no_more_than_the_whole_wait() {
        for modified in [Some(4000), None] {
            let seen = sighting("pending-upgrade", modified, 100);
            let until = at(100 + 720 + 60);
            assert_eq!(turn(&seen, false, TIMEOUT, at(100)), Turn::Theirs { until });
            assert_eq!(turn(&seen, false, TIMEOUT, at(880)), Turn::Ours);
        }
    }

    #[test]
    fn a_sign_of_life_starts_the_wait_anew() {
        let first = sighting("pending-upgrade", None, 100);
        let same = release(7, "pending-upgrade");
        assert_eq!(Sighting::of(&same, Some(first.clone()), at(500)).since(), at(100));
        let hook = HelmRelease { modified: Some(at(450)), ..same.clone() };
        assert_eq!(Sighting::of(&hook, Some(first.clone()), at(500)).since(), at(450));
        let next = HelmRelease { revision: 8, ..same };
        assert_eq!(Sighting::of(&next, Some(first), at(500)).since(), at(500));
    }

    #[test]
    fn finished_is_all_that_helm_works_on_no_more() {
        let unfinished = ["pending-install", "pending-upgrade", "pending-rollback", "uninstalling"];
        assert!(unfinished.iter().all(|status| is_unfinished(&release(1, status))));
        let finished = ["deployed", "failed", "superseded", "uninstalled"];
        assert!(!finished.iter().any(|status| is_unfinished(&release(1, status))));
    }
}
