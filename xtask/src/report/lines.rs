//! Plain lines, for CI logs and pipes: one a finished step, a sign of life every 20 seconds.
//!
//! A stage is a group on GitHub, and groups there do not nest: stages that run at the same time take
//! turns.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use xtask_pipeline::{Event, Outcome, Reporter, StageState};

use super::{Console, pulse::Pulse, turns::Turns};

/// How often silent steps are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Lines {
    voice: Arc<Voice>,
    /// Ends the thread that looks for silent steps.
    _looking: Sender<()>,
}

struct Voice {
    console: Console,
    pulse: Mutex<Pulse>,
    turns: Mutex<Turns>,
}

impl Lines {
    pub(super) fn new(console: Console) -> Self {
        let voice = Arc::new(Voice { console, pulse: Mutex::default(), turns: Mutex::default() });
        let (looking, ended) = channel();
        let silent = Arc::clone(&voice);
        thread::spawn(move || {
            while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                let due = silent.pulse(|pulse| pulse.due(Instant::now()));
                due.into_iter().for_each(|(stage, line)| silent.say(&stage, line));
            }
        });
        Self { voice, _looking: looking }
    }
}

impl Voice {
    fn pulse<T>(&self, act: impl FnOnce(&mut Pulse) -> T) -> T {
        act(&mut self.pulse.lock().unwrap_or_else(PoisonError::into_inner))
    }

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
        self.voice.report(event);
    }
}

impl Voice {
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
            Event::StepStarted { stage, step, title, .. } => {
                self.pulse(|pulse| pulse.begin(stage, step, title, Instant::now()));
            }
            Event::StepProgress { stage, step, message } => {
                self.pulse(|pulse| pulse.hear(stage, step, message));
            }
            Event::StepNote { stage, message, .. } => self.say(stage, format!("  ! {message}")),
            Event::StepFinished { stage, step, outcome, duration } => {
                self.pulse(|pulse| pulse.end(stage, step));
                let (mark, detail) = (mark(outcome), detail(outcome));
                self.say(stage, format!("  {mark} {step}: {detail} ({})", seconds(*duration)));
            }
            Event::StepFailed { stage, step, error, duration } => {
                self.pulse(|pulse| pulse.end(stage, step));
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
