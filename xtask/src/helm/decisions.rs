//! What to do about a release, decided from what is known of it; `recovery.rs` does it.

use serde::Deserialize;
use xtask_cloud::HelmRelease;
use xtask_tools::{Cause, CommandFailure};

use super::{MARK_LABEL, Made, turn::is_unfinished};

/// A line of `helm history --output json`.
#[derive(Debug, Deserialize)]
pub(super) struct Revision {
    pub(super) revision: u32,
    status: String,
}

/// How a release that was left in the middle is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    RollBack(u32),
    /// It never worked.
    Remove,
    /// Its removal was begun.
    FinishRemoval,
}

/// Nothing for a release that Helm upgrades as it is.
pub(super) fn way(status: &str, worked: Option<u32>) -> Option<Way> {
    match (status, worked) {
        ("uninstalling", _) => Some(Way::FinishRemoval),
        (pending, Some(revision)) if pending.starts_with("pending") => {
            Some(Way::RollBack(revision))
        }
        (pending, None) if pending.starts_with("pending") => Some(Way::Remove),
        _ => None,
    }
}

/// A revision to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Worked {
    pub(super) revision: u32,
    /// False when its own tests found something wrong: better than one that does not run.
    pub(super) answers: bool,
}

/// The newest revision that ever worked, preferably one whose tests did not fail. What stands before
/// a removal is gone.
pub(super) fn newest_that_worked(
    history: &[Revision],
    tests_failed: impl Fn(u32) -> anyhow::Result<bool>,
) -> anyhow::Result<Option<Worked>> {
    let newest_first = history.iter().rev();
    if newest_first.clone().next().is_some_and(|last| last.status.starts_with("uninstall")) {
        return Ok(None);
    }
    let mut newest = None;
    for Revision { revision, status } in newest_first {
        if !matches!(status.as_str(), "deployed" | "superseded") {
            continue;
        }
        let worked = Worked { revision: *revision, answers: !tests_failed(*revision)? };
        if worked.answers {
            return Ok(Some(worked));
        }
        newest.get_or_insert(worked);
    }
    Ok(newest)
}

/// The hooks in the output of `helm status --output json`.
#[derive(Debug, Deserialize)]
pub(super) struct Status {
    #[serde(default)]
    hooks: Vec<Hook>,
}

#[derive(Debug, Deserialize)]
struct Hook {
    events: Vec<String>,
    last_run: LastRun,
}

#[derive(Debug, Deserialize)]
struct LastRun {
    #[serde(default)]
    phase: String,
}

impl Status {
    pub(super) fn tests_failed(&self) -> bool {
        let is_test = |hook: &Hook| hook.events.iter().any(|event| event == "test");
        self.hooks.iter().any(|hook| is_test(hook) && hook.last_run.phase == "Failed")
    }
}

/// What an upgrade that failed left of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Traces {
    /// The latest revision carries its mark.
    Revision,
    /// None: Helm refused before it made a revision.
    None,
    /// None, and another Helm is at work: what it does, in a few words.
    OtherWork(String),
    /// The cluster does not tell, for this reason.
    Unknown(String),
}

impl Traces {
    pub(super) fn of(latest: Option<&HelmRelease>, mark: &str) -> Self {
        match latest {
            Some(release) if release.labels.get(MARK_LABEL).is_some_and(|label| label == mark) => {
                Self::Revision
            }
            Some(release) if is_unfinished(release) => {
                Self::OtherWork(format!("revision {} is {}", release.revision, release.status))
            }
            _ => Self::None,
        }
    }
}

/// What becomes of a release after its upgrade failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum After {
    /// It was not touched.
    Untouched,
    /// It was not touched, for the reason that is said.
    Refused(String),
    /// The person wants to stop, not to wait for a roll-back: the next run goes on from here.
    LeftForNextRun,
    RollBack(u32),
    /// There is nothing to go back to.
    LeftAsItFailed,
}

pub(super) fn after(
    failure: Option<&CommandFailure>,
    traces: &Traces,
    worked: Option<u32>,
) -> After {
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
        _ if *traces != Traces::Revision => After::Refused(refused(traces)),
        (_, Some(revision)) => After::RollBack(revision),
        (_, None) => After::LeftAsItFailed,
    }
}

fn refused(traces: &Traces) -> String {
    match traces {
        Traces::OtherWork(what) => format!(
            "another Helm is at work on the release ({what}), so this run leaves it alone; the next run waits for it"
        ),
        Traces::Unknown(why) => {
            format!(
                "what became of the release is not known ({why}); the next run goes on from there"
            )
        }
        Traces::None | Traces::Revision => {
            "no revision was made: the release is as it was".to_owned()
        }
    }
}

/// What becomes of a release whose tests failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    RollBack(u32),
    Leave(&'static str),
}

/// `found` says whether the tests themselves found something wrong: a test that could not be run
/// says nothing about the release.
pub(super) fn verdict(found: bool, stopped: bool, made: Option<&Made>) -> Verdict {
    match made {
        _ if !found => {
            Verdict::Leave("the tests did not get as far as to find something wrong with it")
        }
        _ if stopped => Verdict::Leave("a stop was asked for"),
        None => Verdict::Leave("this run did not change it"),
        Some(Made { replaced: None, .. }) => {
            Verdict::Leave("there is no earlier revision that worked")
        }
        Some(Made { replaced: Some(Worked { answers: false, .. }), .. }) => {
            Verdict::Leave("the tests of the revisions before it failed, too")
        }
        Some(Made { replaced: Some(worked), .. }) => Verdict::RollBack(worked.revision),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::{Chart, Install, tests::release},
        *,
    };

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
        let worked = |statuses: &[&str]| {
            let worked = newest_that_worked(&history(statuses), |_| Ok(false)).unwrap();
            worked.map(|worked| worked.revision)
        };
        assert_eq!(worked(&["superseded", "deployed", "failed"]), Some(2));
        assert_eq!(worked(&["superseded", "pending-upgrade"]), Some(1));
        assert_eq!(worked(&["failed", "pending-upgrade"]), None);
        assert_eq!(worked(&["superseded", "uninstalling"]), None);
        assert_eq!(worked(&["superseded", "uninstalled"]), None);
        assert_eq!(worked(&[]), None);
    }

    #[test]
    fn a_revision_whose_tests_failed_is_the_last_choice() {
        // The roll-back of revision 3, whose tests failed, was killed.
        let history = history(&["superseded", "superseded", "deployed", "pending-rollback"]);
        let newest = |failed: &[u32]| {
            newest_that_worked(&history, |revision| Ok(failed.contains(&revision))).unwrap()
        };
        assert_eq!(newest(&[3]), Some(Worked { revision: 2, answers: true }));
        assert_eq!(newest(&[1, 2, 3]), Some(Worked { revision: 3, answers: false }));
    }

    #[test]
    fn helm_tells_whether_the_tests_of_a_revision_failed() {
        let failed = |hooks: serde_json::Value| {
            let status = serde_json::json!({"name": "web", "hooks": hooks});
            serde_json::from_value::<Status>(status).unwrap().tests_failed()
        };
        let hook = |event: &str, phase: &str| serde_json::json!([{"name": "web", "events": [event], "last_run": {"started_at": "", "phase": phase}}]);
        assert!(failed(hook("test", "Failed")));
        assert!(!failed(hook("test", "Succeeded")));
        assert!(!failed(hook("test", "")));
        assert!(!failed(hook("pre-upgrade", "Failed")));
        assert!(!failed(serde_json::json!([])));
    }

    fn failure(cause: Cause) -> CommandFailure {
        CommandFailure {
            purpose: None,
            line: "helm".to_owned(),
            cause,
            tail: Vec::new(),
            said: None,
            log: None,
        }
    }

    #[test]
    fn an_upgrade_that_failed_is_rolled_back_unless_a_person_stopped_it() {
        let after = |cause, worked| after(Some(&failure(cause)), &Traces::Revision, worked);
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
    fn an_upgrade_that_made_no_revision_is_not_rolled_back() {
        let latest = |status: &str, mark: &str| {
            let mut release = release(4, status);
            release.labels.insert(MARK_LABEL.to_owned(), mark.to_owned());
            Traces::of(Some(&release), "ours")
        };
        assert_eq!(latest("failed", "ours"), Traces::Revision);
        assert_eq!(latest("pending-upgrade", "ours"), Traces::Revision);
        assert_eq!(latest("deployed", "theirs"), Traces::None);
        assert_eq!(Traces::of(None, "ours"), Traces::None);
        let other = latest("pending-upgrade", "theirs");
        assert_eq!(other, Traces::OtherWork("revision 4 is pending-upgrade".to_owned()));
        for traces in [other, Traces::None, Traces::Unknown("no answer".to_owned())] {
            for worked in [Some(3), None] {
                let after = after(Some(&failure(Cause::Code(1))), &traces, worked);
                assert!(matches!(after, After::Refused(_)), "{after:?}");
            }
        }
    }

    #[test]
    fn tests_roll_back_only_what_this_run_made_and_only_for_what_they_found() {
        let made = |replaced: Option<u32>, answers| Made {
            install: Install {
                release: "web".to_owned(),
                namespace: "supabase".to_owned(),
                chart: Chart::Local("chart".into()),
                values: Vec::new(),
                timeout: Duration::ZERO,
                wait: true,
            },
            revision: 4,
            replaced: replaced.map(|revision| Worked { revision, answers }),
        };
        let unanswering = made(Some(3), false);
        let made = |replaced: Option<u32>| made(replaced, true);
        let leaves = |verdict| matches!(verdict, Verdict::Leave(_));
        assert!(leaves(verdict(true, false, Some(&unanswering))));
        assert_eq!(verdict(true, false, Some(&made(Some(3)))), Verdict::RollBack(3));
        assert!(leaves(verdict(true, false, Some(&made(None)))));
        assert!(leaves(verdict(true, false, None)));
        assert!(leaves(verdict(true, true, Some(&made(Some(3))))));
        assert!(leaves(verdict(false, false, Some(&made(Some(3))))));
    }
}
