//! A run as its journal file tells it: for `--resume`, timelines, summaries, "what is left behind".

use std::{collections::BTreeMap, path::PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{Entry, Recorded, StepResult};
use crate::{Effect, Operation, Selection, StageState, Verdict};

/// One run, as far as it came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRecord {
    pub id: String,
    pub file: PathBuf,
    pub operation: Operation,
    pub environment: String,
    /// The stages that it was about, in their order.
    pub planned: Vec<String>,
    pub resumes: Option<String>,
    pub started_at: Timestamp,
    /// When its last entry was written.
    pub last_at: Timestamp,
    /// Missing when the run was killed, or still runs.
    pub verdict: Option<Verdict>,
    /// The stages that it began or skipped, by name.
    pub stages: BTreeMap<String, StageRecord>,
}

/// One stage of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StageRecord {
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Missing when the run was killed in this stage, or still runs it.
    pub state: Option<StageState>,
    pub output: Option<Value>,
    /// What it was made from, as one text that changes with it.
    pub inputs: Option<String>,
    pub steps: Vec<StepRecord>,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepRecord {
    pub id: String,
    pub title: String,
    pub effect: Effect,
    pub leaves: Option<String>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Missing when the run was killed in this step, or still runs it.
    pub result: Option<StepResult>,
}

impl StageRecord {
    /// Whether nothing of it has to be done again.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.state, Some(StageState::Finished | StageState::FinishedBefore))
    }
}

impl RunRecord {
    /// The stages that came to their end, in their order.
    #[must_use]
    pub fn finished_stages(&self) -> Vec<&str> {
        let is_finished =
            |name: &&String| self.stages.get(*name).is_some_and(StageRecord::is_finished);
        self.planned.iter().filter(is_finished).map(String::as_str).collect()
    }

    /// The selection that plans the same stages again.
    #[must_use]
    pub fn selection(&self) -> Selection {
        Selection { only: self.planned.clone(), ..Selection::default() }
    }

    /// Steps that changed the world or began to, and did not end well, with what they leave.
    #[must_use]
    pub fn left_behind(&self) -> Vec<(&str, &StepRecord)> {
        let is_open = |step: &&StepRecord| {
            step.effect != Effect::Read && !matches!(step.result, Some(StepResult::Done { .. }))
        };
        let of_stage = |(name, stage)| {
            let (name, stage): (&String, &StageRecord) = (name, stage);
            stage.steps.iter().filter(is_open).map(move |step| (name.as_str(), step))
        };
        self.stages.iter().flat_map(of_stage).collect()
    }

    /// A run that was just started; nothing when `entry` is not the first line of a file.
    pub(super) fn begin(file: PathBuf, entry: Entry) -> Option<Self> {
        let Recorded::RunStarted { run, operation, environment, stages, resumes } = entry.event
        else {
            return None;
        };
        Some(Self {
            id: run,
            file,
            operation,
            environment,
            planned: stages,
            resumes,
            started_at: entry.at,
            last_at: entry.at,
            verdict: None,
            stages: BTreeMap::new(),
        })
    }

    /// Takes a further line into account.
    pub(super) fn absorb(&mut self, entry: Entry) {
        let at = entry.at;
        self.last_at = at;
        match entry.event {
            Recorded::StageStarted { stage, inputs } => {
                let stage = self.stage(stage);
                (stage.started_at, stage.inputs) = (Some(at), inputs);
            }
            Recorded::StageSkipped { stage, inputs, .. } => {
                let stage = self.stage(stage);
                (stage.state, stage.inputs) = (Some(StageState::FinishedBefore), inputs);
            }
            Recorded::StepStarted { stage, step, title, effect, leaves } => {
                let step = StepRecord {
                    id: step,
                    title,
                    effect,
                    leaves,
                    started_at: at,
                    ended_at: None,
                    result: None,
                };
                self.stage(stage).steps.push(step);
            }
            Recorded::StepEnded { stage, step, result } => {
                let steps = &mut self.stage(stage).steps;
                if let Some(step) = steps.iter_mut().rev().find(|known| known.id == step) {
                    (step.ended_at, step.result) = (Some(at), Some(result));
                }
            }
            Recorded::Published { stage, output } => self.stage(stage).output = Some(output),
            Recorded::StageEnded { stage, state } => {
                let stage = self.stage(stage);
                (stage.ended_at, stage.state) = (Some(at), Some(state));
            }
            Recorded::RunEnded { verdict } => self.verdict = Some(verdict),
            Recorded::RunStarted { .. } | Recorded::Unknown => {}
        }
    }

    fn stage(&mut self, name: String) -> &mut StageRecord {
        self.stages.entry(name).or_default()
    }
}
