//! The lines of a journal file.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Effect, Operation, Outcome, StageState, Verdict};

/// The version of the format. Readers refuse files of a later one.
pub(super) const SCHEMA: u32 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub schema: u32,
    pub at: Timestamp,
    pub event: Recorded,
}

/// What a line tells. A file begins with `run-started`, and ends with `run-ended` unless the run
/// was killed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Recorded {
    RunStarted {
        run: String,
        operation: Operation,
        environment: String,
        stages: Vec<String>,
        resumes: Option<String>,
    },
    StageStarted {
        stage: String,
        /// What it is made from, as one text that changes with it.
        #[serde(default)]
        inputs: Option<String>,
    },
    /// Not done again: finished in the run that this one resumes.
    StageSkipped {
        stage: String,
        finished_in: String,
        #[serde(default)]
        inputs: Option<String>,
    },
    StepStarted {
        stage: String,
        step: String,
        title: String,
        effect: Effect,
        /// What remains when the run ends in the middle of the step.
        leaves: Option<String>,
    },
    StepEnded {
        stage: String,
        step: String,
        result: StepResult,
    },
    Published {
        stage: String,
        output: Value,
    },
    StageEnded {
        stage: String,
        state: StageState,
    },
    RunEnded {
        verdict: Verdict,
    },
    /// A line of a later version of this program with the same schema.
    #[serde(other)]
    Unknown,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "ended")]
pub enum StepResult {
    Done { outcome: Outcome },
    Failed { error: String },
}
