//! Runs the table of checks and tells the person how it goes.

use std::{
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use xtask_tools::did_you_mean;

use crate::{Check, CheckContext, CheckOutcome, Kind, lanes::Queue};

/// After how long a silence those that still run are named.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// How much of a failed tool's output is shown; the log file has all of it.
const SHOWN_LINES: usize = 120;

/// Which checks run.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only these, when not empty.
    pub only: Vec<String>,
    pub skip: Vec<String>,
    /// Run the slow checks even after a fast one failed.
    pub keep_going: bool,
    /// Run no two checks side by side.
    pub one_at_a_time: bool,
}

/// How many checks ended in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

/// Prints one line a check: its name, kind and claim.
///
/// # Errors
/// When `out` cannot be written.
pub fn list(checks: &[Check], out: &mut dyn Write) -> anyhow::Result<()> {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
    for check in checks {
        let kind = match check.kind {
            Kind::Fast => "fast",
            Kind::Slow => "slow",
        };
        writeln!(out, "{:width$}  {kind}  {}", check.name, check.claim)?;
    }
    Ok(())
}

/// Runs the selected checks in two lanes side by side (see [`crate::Lane`]), the fast ones first, and
/// ends with the line `N passed, N failed, N skipped`. Each check is told whole when it ends. The
/// checks have passed when `failed` is 0 and `passed` is not.
///
/// # Errors
/// When the selection names a check that does not exist, or `out` cannot be written.
pub fn run(
    context: &CheckContext,
    checks: &[Check],
    selection: &Selection,
    out: &mut dyn Write,
) -> anyhow::Result<Tally> {
    run_with_heartbeat(context, checks, selection, HEARTBEAT, out)
}

fn run_with_heartbeat(
    context: &CheckContext,
    checks: &[Check],
    selection: &Selection,
    heartbeat: Duration,
    out: &mut dyn Write,
) -> anyhow::Result<Tally> {
    let selected = selection.of(checks)?;
    std::fs::create_dir_all(&context.scratch)
        .with_context(|| format!("failed to make `{}`", context.scratch.display()))?;
    let mut report = Report { context, all: selected.len(), tally: Tally::default(), out };
    let mut queue = Queue::new(selected, selection.one_at_a_time);
    thread::scope(|scope| {
        let (done, ends) = mpsc::channel();
        let mut running: Vec<(&Check, Instant)> = Vec::new();
        loop {
            let interrupted = context.processes.interrupt().is_set();
            let slow_too = report.tally.failed == 0 || selection.keep_going;
            while !interrupted && let Some(check) = queue.next(slow_too) {
                running.push((check, Instant::now()));
                let done = done.clone();
                // The receiver outlives every check.
                scope.spawn(move || drop(done.send((check.name, outcome_of(check, context)))));
            }
            if queue.is_idle() {
                return Ok::<(), anyhow::Error>(());
            }
            match ends.recv_timeout(heartbeat) {
                Ok((name, outcome)) => {
                    queue.ended(name);
                    let ended = running.iter().position(|(check, _)| check.name == name);
                    let (check, begun) = running.remove(ended.context("nobody ran it")?);
                    report.ended(check, &outcome, begun.elapsed())?;
                }
                Err(RecvTimeoutError::Timeout) => report.still_running(&running)?,
                // Never: this function holds a sender, too.
                Err(RecvTimeoutError::Disconnected) => bail!("the checks broke off"),
            }
        }
    })?;
    let reason = if context.processes.interrupt().is_set() {
        "you asked to stop"
    } else {
        "an earlier check failed (--keep-going runs it all the same)"
    };
    for check in queue.left() {
        report.ended(check, &CheckOutcome::Skipped(reason.to_owned()), Duration::ZERO)?;
    }
    report.finished()
}

/// How a check ends, whatever happens in it.
fn outcome_of(check: &Check, context: &CheckContext) -> CheckOutcome {
    match catch_unwind(AssertUnwindSafe(|| (check.run)(context))) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => CheckOutcome::Failed(format!("{error:#}")),
        Err(_) => CheckOutcome::Failed("the check itself broke off".to_owned()),
    }
}

impl Selection {
    /// The sentence about a name in it that no check has, with the one that was probably meant.
    #[must_use]
    pub fn unknown(&self, checks: &[Check]) -> Option<String> {
        let names: Vec<_> = checks.iter().map(|check| check.name).collect();
        let mut named = self.only.iter().chain(&self.skip);
        let unknown = named.find(|name| !names.contains(&name.as_str()))?;
        let meant = did_you_mean(unknown, names.iter().copied());
        Some(format!("there is no check `{unknown}`{meant}; there are: {}", names.join(", ")))
    }

    fn of<'a>(&self, checks: &'a [Check]) -> anyhow::Result<Vec<&'a Check>> {
        if let Some(unknown) = self.unknown(checks) {
            bail!(unknown);
        }
        let wanted = |check: &&Check| {
            let named = |names: &[String]| names.iter().any(|name| name == check.name);
            (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
        };
        Ok(checks.iter().filter(wanted).collect())
    }
}

/// What the person reads. Nobody else writes, so that no two checks mix.
struct Report<'a> {
    context: &'a CheckContext,
    /// How many checks were selected.
    all: usize,
    tally: Tally,
    out: &'a mut dyn Write,
}

impl Report<'_> {
    fn ended(
        &mut self,
        check: &Check,
        outcome: &CheckOutcome,
        took: Duration,
    ) -> anyhow::Result<()> {
        let seconds = took.as_secs_f32();
        let count = match outcome {
            CheckOutcome::Passed(_) => &mut self.tally.passed,
            CheckOutcome::Failed(_) => &mut self.tally.failed,
            CheckOutcome::Skipped(_) => &mut self.tally.skipped,
        };
        *count += 1;
        let ended = self.tally.passed + self.tally.failed + self.tally.skipped;
        write!(self.out, "[{ended:>2}/{}] {}: {} ... ", self.all, check.name, check.claim)?;
        match outcome {
            CheckOutcome::Passed(summary) => {
                writeln!(self.out, "passed in {seconds:.1} s ({summary})")?;
            }
            CheckOutcome::Skipped(reason) => writeln!(self.out, "skipped: {reason}")?,
            CheckOutcome::Failed(output) => {
                writeln!(self.out, "FAILED after {seconds:.1} s")?;
                self.failure(check, output)?;
            }
        }
        self.out.flush()?;
        Ok(())
    }

    fn failure(&mut self, check: &Check, output: &str) -> anyhow::Result<()> {
        let log = self.context.scratch.join(format!("{}.log", check.name));
        let output = self.context.processes.redactor().redact(output);
        std::fs::write(&log, output.as_bytes())
            .with_context(|| format!("failed to write `{}`", log.display()))?;
        let lines: Vec<_> = output.lines().collect();
        let hidden = lines.len().saturating_sub(SHOWN_LINES);
        if hidden > 0 {
            let log = self.context.shown(&log);
            writeln!(self.out, "    ({hidden} lines before these are in {log})")?;
        }
        for line in lines.iter().skip(hidden) {
            writeln!(self.out, "    {line}")?;
        }
        writeln!(self.out, "    remedy: {}", check.remedy)?;
        Ok(())
    }

    fn still_running(&mut self, running: &[(&Check, Instant)]) -> anyhow::Result<()> {
        let told: Vec<_> = running
            .iter()
            .map(|(check, begun)| format!("{} ({} s)", check.name, begun.elapsed().as_secs()))
            .collect();
        writeln!(self.out, "        running: {}", told.join(", "))?;
        self.out.flush()?;
        Ok(())
    }

    fn finished(self) -> anyhow::Result<Tally> {
        let Tally { passed, failed, skipped } = self.tally;
        writeln!(self.out)?;
        writeln!(self.out, "{passed} passed, {failed} failed, {skipped} skipped")?;
        Ok(self.tally)
    }
}

#[cfg(test)]
mod tests;
