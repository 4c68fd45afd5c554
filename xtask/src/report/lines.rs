//! Plain lines, for CI logs and pipes: one a finished step, a sign of life every 20 seconds.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use xtask_pipeline::{Event, Outcome, Reporter, StageState};

use super::Console;

/// How often a long step says that it goes on.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// See the module.
pub(super) struct Lines {
    console: Console,
    spoke: Mutex<HashMap<String, Instant>>,
}

impl Lines {
    pub(super) fn new(console: Console) -> Self {
        Self { console, spoke: Mutex::new(HashMap::new()) }
    }

    /// True when the step has been silent for a while; starts its clock with the first call.
    fn is_due(&self, stage: &str, step: &str) -> bool {
        let mut spoke = self.spoke.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let last = spoke.entry(format!("{stage}/{step}")).or_insert(now);
        let due = now.duration_since(*last) >= HEARTBEAT;
        if due {
            *last = now;
        }
        due
    }
}

impl Reporter for Lines {
    fn report(&self, event: &Event<'_>) {
        let line = |text: String| self.console.line(&text);
        match event {
            Event::RunStarted { run, operation, environment, stages, resumes } => {
                let resumed =
                    resumes.map(|other| format!(", resuming {other}")).unwrap_or_default();
                line(format!(
                    "{operation} {environment}: {} (run {run}{resumed})",
                    stages.join(" → ")
                ));
            }
            Event::StageStarted { stage, purpose, .. } => {
                if self.console.is_github() {
                    line(format!("::group::{stage}: {purpose}"));
                } else {
                    line(format!("\n{stage}: {purpose}"));
                }
            }
            Event::StageSkipped { stage, finished_in } => {
                line(format!("\n{stage}: done in run {finished_in}"))
            }
            Event::StepStarted { stage, step, .. } => {
                self.is_due(stage, step);
            }
            Event::StepProgress { stage, step, message } if self.is_due(stage, step) => {
                line(format!("  … {step}: {}", message.trim()));
            }
            Event::StepProgress { .. } => {}
            Event::StepNote { message, .. } => line(format!("  ! {message}")),
            Event::StepFinished { step, outcome, duration, .. } => {
                line(format!(
                    "  {} {step}: {} ({})",
                    mark(outcome),
                    detail(outcome),
                    seconds(*duration)
                ));
            }
            Event::StepFailed { step, error, duration, .. } => {
                line(format!("  ✗ {step}: {error} ({})", seconds(*duration)));
            }
            Event::StageEnded { stage, state, duration } => {
                if self.console.is_github() {
                    line("::endgroup::".to_owned());
                }
                line(format!("{stage}: {} in {}", ended(*state), seconds(*duration)));
            }
            Event::RunEnded { report } => line(format!("\n{report}")),
        }
    }
}

const fn ended(state: StageState) -> &'static str {
    match state {
        StageState::Finished => "done",
        StageState::FinishedBefore => "done before",
        StageState::Failed => "failed",
        StageState::Interrupted => "interrupted",
        StageState::NeverRan => "never ran",
    }
}

pub(super) const fn mark(outcome: &Outcome) -> char {
    match outcome {
        Outcome::Changed(_) => '+',
        Outcome::Unchanged(_) => '✓',
        Outcome::Skipped(_) => '-',
    }
}

pub(super) fn detail(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Changed(text) | Outcome::Unchanged(text) => text.clone(),
        Outcome::Skipped(text) => format!("skipped, {text}"),
    }
}

/// `0.4 s`, `12.0 s`, `3 min 05 s`.
pub(super) fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(120) {
        return format!("{:.1} s", duration.as_secs_f64());
    }
    format!("{} min {:02} s", duration.as_secs() / 60, duration.as_secs() % 60)
}
