//! What happens in a run, told as it happens. How it looks (terminal, workflow log, JSON lines) is
//! the business of whoever implements [`Reporter`].

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::{Effect, Operation, Outcome, Preview, RunReport, StageState};

/// Gets every event of a run, from several threads, in the order in which they happen in a stage.
pub trait Reporter: Sync {
    fn report(&self, event: &Event<'_>);
}

/// One event. Texts are redacted as far as [`crate::Journal::redacting`] can.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event<'a> {
    RunStarted {
        run: &'a str,
        operation: Operation,
        environment: &'a str,
        stages: Vec<&'a str>,
        /// The run whose finished stages are not done again.
        resumes: Option<&'a str>,
    },
    StageStarted {
        stage: &'a str,
        purpose: &'a str,
        effect: Effect,
        steps: usize,
        /// Needed stages that are not part of this run and are taken as done.
        assumed: &'a [&'static str],
    },
    /// Finished in the run that this one resumes.
    StageSkipped {
        stage: &'a str,
        finished_in: &'a str,
    },
    /// Finished in the run that this one resumes, and done again: what it is made from has changed
    /// since, or a stage before it is done again.
    StageRepeated {
        stage: &'a str,
        finished_in: &'a str,
    },
    StepStarted {
        stage: &'a str,
        step: &'a str,
        title: &'a str,
        effect: Effect,
        preview: &'a Preview,
    },
    /// Replaces the last progress of the same step.
    StepProgress {
        stage: &'a str,
        step: &'a str,
        message: &'a str,
    },
    /// Stays.
    StepNote {
        stage: &'a str,
        step: &'a str,
        message: &'a str,
    },
    StepFinished {
        stage: &'a str,
        step: &'a str,
        outcome: &'a Outcome,
        #[serde(rename = "seconds", serialize_with = "seconds")]
        duration: Duration,
    },
    StepFailed {
        stage: &'a str,
        step: &'a str,
        error: &'a str,
        #[serde(rename = "seconds", serialize_with = "seconds")]
        duration: Duration,
    },
    StageEnded {
        stage: &'a str,
        state: StageState,
        #[serde(rename = "seconds", serialize_with = "seconds")]
        duration: Duration,
    },
    RunEnded {
        report: &'a RunReport,
    },
}

/// Says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Reporter for Silent {
    fn report(&self, _: &Event<'_>) {}
}

/// Seconds with milliseconds, as a number.
pub(crate) fn seconds<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1000.0).round() / 1000.0)
}
