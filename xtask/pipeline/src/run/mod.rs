//! Carries a plan out: independent stages at the same time, each step journalled before and after.

mod schedule;
mod stage;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use anyhow::{anyhow, ensure};
use serde_json::Value;

use crate::{
    Blocked, Event, Failure, Interruption, Journal, Plan, Recorded, Reporter, RunRecord, RunReport,
    StageState, Verdict,
    journal::{Beginning, RunWriter},
    step::Host,
};

/// What a run needs besides the plan and its context.
#[derive(Clone, Copy)]
pub struct RunOptions<'a> {
    pub journal: &'a Journal,
    pub reporter: &'a dyn Reporter,
    pub interruption: &'a dyn Interruption,
    /// The run to go on with, from [`Journal::resumable`]: see [`Plan::still_done`].
    pub resume: Option<&'a RunRecord>,
    /// What a stage is made from, as one text that changes with it; nothing where that is not known.
    pub inputs: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// The command line that goes on after a failure: `cargo xtask deploy dev --resume`.
    pub resume_command: &'a str,
    /// The command line that runs one stage: `cargo xtask stage <name> dev`.
    pub stage_command: &'a (dyn Fn(&str) -> String + Sync),
}

/// Runs all stages of `plan`. A stage starts as soon as those before it are finished; after a
/// failure no further stage starts, and those that run are brought to their end; after an
/// interrupt no further step starts.
///
/// # Errors
/// When the run could not begin or its journal could not be ended. A stage that failed is not an
/// error of this function: the report tells of it.
pub fn run<Cx: Sync>(
    plan: &Plan<Cx>,
    context: &Cx,
    options: &RunOptions<'_>,
) -> anyhow::Result<RunReport> {
    let began = Instant::now();
    let stages = plan.names().into_iter().map(str::to_owned).collect();
    let resumes = options.resume.map(|record| record.id.clone());
    let (operation, environment) = (plan.operation, plan.environment.as_str());
    let beginning = Beginning { operation, environment, stages, resumes };
    let engine = Engine {
        options,
        environment,
        writer: options.journal.begin(beginning)?,
        outputs: Mutex::default(),
        failed: AtomicBool::new(false),
    };
    engine.report(&Event::RunStarted {
        run: engine.writer.id(),
        operation,
        environment,
        stages: plan.names(),
        resumes: options.resume.map(|record| record.id.as_str()),
    });
    let (stages, failures) = schedule::run_all(&engine, plan, context);
    let is_finished = |state| matches!(state, StageState::Finished | StageState::FinishedBefore);
    let verdict = if stages.iter().all(|stage| is_finished(stage.state)) {
        Verdict::Done
    } else if stages.iter().any(|stage| stage.state == StageState::Failed) {
        Verdict::Failed
    } else {
        Verdict::Interrupted
    };
    engine.writer.append(Recorded::RunEnded { verdict }, true)?;
    let report = RunReport {
        run: engine.writer.id().to_owned(),
        operation,
        environment: environment.to_owned(),
        verdict,
        duration: began.elapsed(),
        stages,
        next_command: (verdict != Verdict::Done).then(|| next_command(&failures, options)),
        failures,
        journal: engine.writer.path().to_owned(),
    };
    engine.report(&Event::RunEnded { report: &report });
    Ok(report)
}

/// The command that an error itself names, else the one that goes on.
fn next_command(failures: &[Failure], options: &RunOptions<'_>) -> String {
    let named = failures.iter().find_map(|failure| {
        failure.error.chain().find_map(|cause| cause.downcast_ref::<Blocked>())
    });
    named.map_or_else(|| options.resume_command.to_owned(), |blocked| blocked.command.clone())
}

/// What the threads of a run share.
struct Engine<'a> {
    options: &'a RunOptions<'a>,
    environment: &'a str,
    writer: RunWriter,
    outputs: Mutex<BTreeMap<String, Value>>,
    /// Set as soon as a stage goes wrong: no further stage starts.
    failed: AtomicBool,
}

impl Engine<'_> {
    /// Whether a further stage may start.
    fn goes_on(&self) -> bool {
        !self.failed.load(Ordering::SeqCst) && !self.interrupted()
    }

    fn report(&self, event: &Event<'_>) {
        self.options.reporter.report(event);
    }

    /// The error with its causes, without secrets.
    fn shown(&self, error: &anyhow::Error) -> String {
        self.options.journal.redact(&format!("{error:#}"))
    }
}

impl Host for Engine<'_> {
    fn progress(&self, stage: &str, step: &str, message: &str) {
        let message = &self.options.journal.redact(message);
        self.report(&Event::StepProgress { stage, step, message });
    }

    fn note(&self, stage: &str, step: &str, message: &str) {
        let message = &self.options.journal.redact(message);
        self.report(&Event::StepNote { stage, step, message });
    }

    fn publish(&self, stage: &str, value: Value) -> anyhow::Result<()> {
        let text = value.to_string();
        ensure!(
            self.options.journal.redact(&text) == text,
            "the output of stage `{stage}` holds a secret, so it was not published"
        );
        let output = Recorded::Published { stage: stage.to_owned(), output: value.clone() };
        self.writer.append(output, true)?;
        let mut outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        outputs.insert(stage.to_owned(), value);
        Ok(())
    }

    fn output(&self, stage: &str) -> anyhow::Result<Value> {
        let outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = outputs.get(stage) {
            return Ok(value.clone());
        }
        drop(outputs);
        let environment = self.environment;
        let latest = self.options.journal.latest_output(environment, stage)?;
        latest.ok_or_else(|| {
            let command = (self.options.stage_command)(stage);
            anyhow!("stage `{stage}` has not been done for `{environment}`: run `{command}` first")
        })
    }

    fn interrupted(&self) -> bool {
        self.options.interruption.requested()
    }
}

impl fmt::Debug for RunOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions").field("journal", &self.journal).finish_non_exhaustive()
    }
}
