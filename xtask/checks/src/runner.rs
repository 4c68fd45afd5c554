//! Runs the table of checks and tells the person how it goes.

use std::{
    io::Write,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use xtask_tools::did_you_mean;

use crate::{Check, CheckContext, CheckOutcome, Kind};

/// How often a check that is still running says so.
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

/// Runs the selected checks in order, the fast ones first, and ends with the line
/// `N passed, N failed, N skipped`. The checks have passed when `failed` is 0 and `passed` is not.
///
/// # Errors
/// When the selection names a check that does not exist, or `out` cannot be written.
pub fn run(
    context: &CheckContext,
    checks: &[Check],
    selection: &Selection,
    out: &mut dyn Write,
) -> anyhow::Result<Tally> {
    let selected = selection.of(checks)?;
    std::fs::create_dir_all(&context.scratch)
        .with_context(|| format!("failed to make `{}`", context.scratch.display()))?;
    let mut tally = Tally::default();
    for (index, check) in selected.iter().enumerate() {
        write!(out, "[{:>2}/{}] {}: {} ... ", index + 1, selected.len(), check.name, check.claim)?;
        out.flush()?;
        let begun = Instant::now();
        let outcome = if context.processes.interrupt().is_set() {
            CheckOutcome::Skipped("you asked to stop".to_owned())
        } else if check.kind == Kind::Slow && tally.failed > 0 && !selection.keep_going {
            CheckOutcome::Skipped(
                "an earlier check failed (--keep-going runs it all the same)".to_owned(),
            )
        } else {
            run_one(context, check, out)?
        };
        report(context, check, &outcome, begun.elapsed(), out)?;
        match outcome {
            CheckOutcome::Passed(_) => tally.passed += 1,
            CheckOutcome::Failed(_) => tally.failed += 1,
            CheckOutcome::Skipped(_) => tally.skipped += 1,
        }
    }
    writeln!(out)?;
    writeln!(out, "{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped)?;
    Ok(tally)
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
        let mut selected: Vec<_> = checks.iter().filter(wanted).collect();
        selected.sort_by_key(|check| check.kind);
        Ok(selected)
    }
}

/// Runs one check on a thread of its own, so that a long silence can be filled.
fn run_one(
    context: &CheckContext,
    check: &Check,
    out: &mut dyn Write,
) -> anyhow::Result<CheckOutcome> {
    let begun = Instant::now();
    thread::scope(|scope| {
        let (done, outcome) = mpsc::channel();
        let thread = scope.spawn(move || {
            let result = (check.run)(context);
            // The receiver lives until the outcome came.
            let _ = done.send(result);
        });
        loop {
            match outcome.recv_timeout(HEARTBEAT) {
                Ok(Ok(outcome)) => return Ok(outcome),
                Ok(Err(error)) => return Ok(CheckOutcome::Failed(format!("{error:#}"))),
                Err(RecvTimeoutError::Timeout) => {
                    write!(out, "{} s ... ", begun.elapsed().as_secs())?;
                    out.flush()?;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    // Joined here, so that the scope does not panic as well.
                    let _ = thread.join();
                    return Ok(CheckOutcome::Failed("the check itself broke off".to_owned()));
                }
            }
        }
    })
}

fn report(
    context: &CheckContext,
    check: &Check,
    outcome: &CheckOutcome,
    took: Duration,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let seconds = took.as_secs_f32();
    match outcome {
        CheckOutcome::Passed(summary) => writeln!(out, "passed in {seconds:.1} s ({summary})")?,
        CheckOutcome::Skipped(reason) => writeln!(out, "skipped: {reason}")?,
        CheckOutcome::Failed(output) => {
            writeln!(out, "FAILED after {seconds:.1} s")?;
            let log = context.scratch.join(format!("{}.log", check.name));
            let output = context.processes.redactor().redact(output);
            std::fs::write(&log, output.as_bytes())
                .with_context(|| format!("failed to write `{}`", log.display()))?;
            let lines: Vec<_> = output.lines().collect();
            let hidden = lines.len().saturating_sub(SHOWN_LINES);
            if hidden > 0 {
                writeln!(out, "    ({hidden} lines before these are in {})", context.shown(&log))?;
            }
            for line in lines.iter().skip(hidden) {
                writeln!(out, "    {line}")?;
            }
            writeln!(out, "    remedy: {}", check.remedy)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASS: Check = Check {
        name: "pass",
        kind: Kind::Fast,
        claim: "it holds",
        remedy: "none",
        run: |_| Ok(CheckOutcome::Passed("1 thing".to_owned())),
    };
    const FAIL: Check = Check {
        name: "fail",
        remedy: "mend it",
        run: |_| Ok(CheckOutcome::Failed("line one\nline two".to_owned())),
        ..PASS
    };
    const BREAK: Check = Check { name: "break", run: |_| bail!("no tool"), ..PASS };
    const PANIC: Check = Check { name: "panic", run: |_| panic!("oops"), ..PASS };
    const SLOW: Check = Check { name: "slow", kind: Kind::Slow, ..PASS };

    fn run_all(checks: &[Check], selection: &Selection) -> (anyhow::Result<Tally>, String) {
        let folder = tempfile::tempdir().unwrap();
        let context = CheckContext::without_tools(folder.path());
        let mut out = Vec::new();
        let tally = run(&context, checks, selection, &mut out);
        (tally, String::from_utf8(out).unwrap())
    }

    #[test]
    fn all_fast_checks_run_after_a_failure_and_slow_ones_wait() {
        let (tally, text) = run_all(&[SLOW, FAIL, BREAK, PASS], &Selection::default());
        assert_eq!(tally.unwrap(), Tally { passed: 1, failed: 2, skipped: 1 });
        assert_eq!(text.lines().last(), Some("1 passed, 2 failed, 1 skipped"));
        assert!(text.contains("    line two\n    remedy: mend it\n"), "{text}");
        assert!(text.contains("    no tool\n"), "{text}");
        assert!(text.contains("slow: it holds ... skipped: an earlier check failed"), "{text}");
        assert!(text.find("fail:") < text.find("slow:"), "fast ones first: {text}");
    }

    #[test]
    fn keep_going_runs_the_slow_ones_too() {
        let selection = Selection { keep_going: true, ..Selection::default() };
        let (tally, _) = run_all(&[FAIL, SLOW], &selection);
        assert_eq!(tally.unwrap(), Tally { passed: 1, failed: 1, skipped: 0 });
    }

    #[test]
    fn a_selection_picks_and_refuses_unknown_names() {
        let only = Selection { only: vec!["pass".to_owned()], ..Selection::default() };
        let (tally, _) = run_all(&[PASS, FAIL], &only);
        assert_eq!(tally.unwrap(), Tally { passed: 1, ..Tally::default() });
        let skip = Selection { skip: vec!["nothing".to_owned()], ..Selection::default() };
        let (tally, text) = run_all(&[PASS, FAIL], &skip);
        assert_eq!(
            tally.unwrap_err().to_string(),
            "there is no check `nothing`; there are: pass, fail"
        );
        assert_eq!(text, "");
    }

    #[test]
    fn a_check_that_panics_is_a_failed_check() {
        let (tally, text) = run_all(&[PANIC, PASS], &Selection::default());
        assert_eq!(tally.unwrap(), Tally { passed: 1, failed: 1, skipped: 0 }, "{text}");
    }
}
