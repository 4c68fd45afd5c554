//! What AWS computed after an apply, taken over into the state; never what somebody else changed.

use std::path::PathBuf;

use anyhow::Context as _;
use xtask_tools::Secret;

use super::{
    Mode, Plan, Terraform,
    drift::{Drifted, What},
    removed, summarised,
};
use crate::watch::Watch;

/// What became of it.
#[derive(Debug)]
pub(crate) enum Baseline {
    /// With what others added, which stays found whatever is recorded.
    Recorded(Vec<Drifted>),
    /// Not recorded: somebody else changed these.
    Refused(Vec<Drifted>),
}

impl Terraform {
    /// Whether something was applied since the state last agreed with what AWS computed.
    pub(crate) fn wants_baseline(&self) -> bool {
        self.baseline_mark().is_file()
    }

    /// Notes that something is about to be applied.
    pub(super) fn want_baseline(&self) -> anyhow::Result<()> {
        let mark = self.baseline_mark();
        if mark.is_file() {
            return Ok(());
        }
        std::fs::write(mark, "").context("failed to note that a baseline is wanted")
    }

    /// Notes what was made or changed, as a line of Terraform's tells it.
    pub(super) fn touched(&self, line: &str) -> anyhow::Result<()> {
        let Some(address) = finished(line) else { return Ok(()) };
        let mark = self.baseline_mark();
        let mut text = std::fs::read_to_string(&mark).unwrap_or_default();
        text.push_str(address);
        text.push('\n');
        std::fs::write(mark, text).context("failed to note what was applied")
    }

    /// Takes over into the state what AWS computed; changes nothing in AWS. What was looked at is what
    /// is recorded: a plan of its own, refused as a whole when it holds what somebody else changed.
    pub(crate) fn record_baseline(
        &self,
        watch: &Watch<'_>,
        password: &Secret,
    ) -> anyhow::Result<Baseline> {
        if !self.plan(watch, password, Mode::RefreshOnly)? {
            removed(&self.baseline_mark())?;
            return Ok(Baseline::Recorded(Vec::new()));
        }
        let drift = self.drift_of(&self.show_plan(watch)?, watch)?;
        // What was added to a set stays found, whatever is recorded.
        if !drift.iter().all(|found| matches!(found.what, What::Foreign(_))) {
            self.drop_plan()?;
            return Ok(Baseline::Refused(drift));
        }
        let command = |lock| {
            self.command("record what AWS computed", watch)
                .args(["apply", "-input=false", "-no-color", lock])
                .secret_env("TF_VAR_database_password", password)
                .arg(self.plan_file())
        };
        let recorded =
            self.locking(watch, command, |command| summarised(command, watch, "Apply complete!"));
        self.written(watch, recorded)?;
        self.drop_plan()?;
        removed(&self.baseline_mark())?;
        Ok(Baseline::Recorded(drift))
    }

    /// What others changed in AWS since the state was written, as a plan has found it.
    pub(crate) fn drift_of(&self, plan: &Plan, watch: &Watch<'_>) -> anyhow::Result<Vec<Drifted>> {
        if plan.has_no_drift() {
            return Ok(Vec::new());
        }
        let applied = std::fs::read_to_string(self.baseline_mark()).unwrap_or_default();
        Ok(plan.drift(&self.schema(watch)?, &applied.lines().collect()))
    }

    fn baseline_mark(&self) -> PathBuf {
        self.folder.join("baseline-wanted")
    }
}

/// The address in `a.b: Creation complete after 1s [id=x]`.
fn finished(line: &str) -> Option<&str> {
    [": Creation complete", ": Import complete", ": Modifications complete"]
        .iter()
        .find_map(|end| line.split_once(end).map(|(address, _)| address))
}

#[cfg(test)]
mod tests {
    use super::finished;

    #[test]
    fn what_was_made_is_read_from_the_output() {
        assert_eq!(
            finished("module.a.b[\"c\"]: Creation complete after 1s [id=x]"),
            Some("module.a.b[\"c\"]")
        );
        assert_eq!(finished("a.b: Modifications complete after 0s [id=x]"), Some("a.b"));
        assert_eq!(finished("a.b: Import complete [id=x]"), Some("a.b"));
        assert_eq!(finished("a.b: Still creating... [10s elapsed]"), None);
    }
}
