//! Plain lines, for CI logs and pipes: one a finished step, a sign of life every 20 seconds.
//!
//! A stage is a group on GitHub, and groups there do not nest: stages that run at the same time take
//! turns.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use xtask_pipeline::{Event, Outcome, Reporter, StageState};

use super::{Console, turns::Turns};

/// How often a long step says that it goes on.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// See the module.
pub(super) struct Lines {
    console: Console,
    spoke: Mutex<HashMap<String, Instant>>,
    turns: Mutex<Turns>,
}

impl Lines {
    pub(super) fn new(console: Console) -> Self {
        Self { console, spoke: Mutex::new(HashMap::new()), turns: Mutex::default() }
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

impl Lines {
    fn print(&self, decide: impl FnOnce(&mut Turns) -> Vec<String>) {
        // Held while it prints: between the two, another stage could get in.
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        for line in decide(&mut turns) {
            self.console.line(&line);
        }
    }

    fn say(&self, stage: &str, text: String) {
        self.print(|turns| turns.say(stage, text));
    }

    fn end(&self, stage: &str, state: StageState, duration: Duration) {
        if self.console.is_github() {
            self.say(stage, "::endgroup::".to_owned());
        }
        self.say(stage, format!("{stage}: {} in {}", ended(state), seconds(duration)));
        self.print(|turns| turns.end(stage));
    }
}

impl Reporter for Lines {
    fn report(&self, event: &Event<'_>) {
        match event {
            Event::RunStarted { run, operation, environment, stages, resumes } => {
                let resumed =
                    resumes.map(|other| format!(", resuming {other}")).unwrap_or_default();
                let stages = stages.join(" → ");
                self.console
                    .line(&format!("{operation} {environment}: {stages} (run {run}{resumed})"));
            }
            Event::StageStarted { stage, purpose, .. } => {
                let before = if self.console.is_github() { "::group::" } else { "\n" };
                self.say(stage, format!("{before}{stage}: {purpose}"));
            }
            Event::StageSkipped { stage, finished_in } => {
                self.say(stage, format!("\n{stage}: done in run {finished_in}"));
                self.print(|turns| turns.end(stage));
            }
            Event::StageRepeated { stage, finished_in } => {
                self.say(stage, format!("\n{stage}: {}", repeated(finished_in)));
            }
            Event::StepStarted { stage, step, .. } => {
                self.is_due(stage, step);
            }
            Event::StepProgress { stage, step, message } if self.is_due(stage, step) => {
                self.say(stage, format!("  … {step}: {}", message.trim()));
            }
            Event::StepProgress { .. } => {}
            Event::StepNote { stage, message, .. } => self.say(stage, format!("  ! {message}")),
            Event::StepFinished { stage, step, outcome, duration } => {
                let (mark, detail) = (mark(outcome), detail(outcome));
                self.say(stage, format!("  {mark} {step}: {detail} ({})", seconds(*duration)));
            }
            Event::StepFailed { stage, step, error, duration } => {
                self.say(stage, format!("  ✗ {step}: {error} ({})", seconds(*duration)));
            }
            Event::StageEnded { stage, state, duration } => self.end(stage, *state, *duration),
            Event::RunEnded { report } => {
                self.print(Turns::rest);
                self.console.line(&format!("\n{report}"));
            }
        }
    }
}

pub(super) fn repeated(finished_in: &str) -> String {
    format!("done in run {finished_in}, but its inputs have changed since: done again")
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
        Outcome::Problem(_) => '✗',
    }
}

pub(super) fn detail(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Changed(text) | Outcome::Unchanged(text) | Outcome::Problem(text) => text.clone(),
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
