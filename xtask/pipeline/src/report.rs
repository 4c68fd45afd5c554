//! How a run ended: what was done, what is left behind, what never ran, which command comes next.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Effect, Operation, Undo, event::seconds};

/// The end of a run. `Display` is the text for people when it was not done to the end.
#[derive(Debug, Serialize)]
pub struct RunReport {
    pub run: String,
    pub operation: Operation,
    pub environment: String,
    pub verdict: Verdict,
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub duration: Duration,
    /// In the order of the plan.
    pub stages: Vec<StageReport>,
    pub failures: Vec<Failure>,
    /// The command that goes on, when there is something to go on with.
    pub next_command: Option<String>,
    pub journal: PathBuf,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Done,
    Failed,
    /// The person asked to stop, and something is left to do.
    Interrupted,
}

/// How a stage ended.
#[derive(Debug, Clone, Serialize)]
pub struct StageReport {
    pub stage: &'static str,
    pub state: StageState,
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub duration: Duration,
    /// How many steps changed something in the world.
    pub changed: usize,
    pub effect: Effect,
    pub undo: Undo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageState {
    Finished,
    /// In the run that this one resumes.
    FinishedBefore,
    Failed,
    /// The person asked to stop while it ran.
    Interrupted,
    NeverRan,
}

/// One thing that went wrong.
#[derive(Debug, Serialize)]
pub struct Failure {
    pub stage: &'static str,
    /// Missing when the stage failed between its steps.
    pub step: Option<String>,
    /// The error and its causes, redacted.
    pub message: String,
    /// What the step leaves in the world, in the words of [`crate::Step::leaves`].
    pub leaves: Option<String>,
    /// The error itself, to look for a type in it. Not redacted.
    #[serde(skip)]
    pub error: anyhow::Error,
}

impl RunReport {
    /// The stages in a certain state, in the order of the plan.
    pub fn in_state(&self, state: StageState) -> impl Iterator<Item = &'static str> {
        self.stages.iter().filter(move |stage| stage.state == state).map(|stage| stage.stage)
    }

    /// What exists in the world after the run, one line each: what failed steps leave, and what
    /// the finished stages of a deployment made.
    #[must_use]
    pub fn left_behind(&self) -> Vec<String> {
        let mut left: Vec<_> = self
            .failures
            .iter()
            .filter_map(|failure| Some(format!("{}: {}", failure.stage, failure.leaves.as_ref()?)))
            .collect();
        if self.operation != Operation::Destroy {
            let made = self.stages.iter().filter(|stage| {
                matches!(stage.state, StageState::Finished | StageState::FinishedBefore)
                    && stage.undo == Undo::TearDown
                    && stage.effect != Effect::Read
            });
            left.extend(made.map(|stage| format!("{}: done, and stays as it is", stage.stage)));
        }
        left
    }
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operation, environment) = (self.operation, &self.environment);
        let ended = match self.verdict {
            Verdict::Done => "was done",
            Verdict::Failed => "failed",
            Verdict::Interrupted => "was interrupted",
        };
        write!(f, "{operation} {environment} {ended}")?;
        for failure in &self.failures {
            let step = failure.step.as_ref().map_or(String::new(), |step| format!(", step {step}"));
            write!(f, "\n  stage {}{step}: {}", failure.stage, failure.message)?;
        }
        if self.verdict == Verdict::Done {
            return Ok(());
        }
        listed(f, "left behind", self.left_behind())?;
        let never_ran: Vec<_> = self.in_state(StageState::NeverRan).map(str::to_owned).collect();
        if !never_ran.is_empty() {
            write!(f, "\n  never ran: {}", never_ran.join(", "))?;
        }
        if let Some(command) = &self.next_command {
            write!(f, "\n  next: {command}")?;
        }
        Ok(())
    }
}

fn listed(f: &mut fmt::Formatter<'_>, heading: &str, lines: Vec<String>) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    write!(f, "\n  {heading}:")?;
    for line in lines {
        f.write_str("\n    ")?;
        f.write_str(&line)?;
    }
    Ok(())
}
