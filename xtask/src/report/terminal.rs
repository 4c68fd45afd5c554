//! The live display: a line for each running stage, with what it is doing right now.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use xtask_pipeline::{Event, Reporter};

use super::{
    Console,
    lines::{detail, mark, repeated, seconds},
};

/// See the module.
pub(super) struct Terminal {
    console: Console,
    bars: MultiProgress,
    running: Mutex<HashMap<String, ProgressBar>>,
}

impl Terminal {
    pub(super) fn new(console: Console) -> Self {
        Self { console, bars: MultiProgress::new(), running: Mutex::new(HashMap::new()) }
    }

    /// A line above the live ones.
    fn line(&self, text: &str) {
        self.bars.suspend(|| self.console.line(text));
    }

    fn start(&self, stage: &str) {
        let bar = self.bars.add(ProgressBar::new_spinner());
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {prefix:<15} {elapsed:>5}  {wide_msg}")
        {
            bar.set_style(style);
        }
        bar.set_prefix(stage.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(stage.to_owned(), bar);
    }

    fn show(&self, stage: &str, text: &str) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = running.get(stage) {
            bar.set_message(self.console.redacted(text.trim()));
        }
    }

    fn end(&self, stage: &str) {
        let bar = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(stage);
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    }
}

impl Reporter for Terminal {
    fn report(&self, event: &Event<'_>) {
        match event {
            Event::RunStarted { run, operation, environment, .. } => {
                self.line(&format!("{operation} {environment} (run {run})"));
            }
            Event::StageStarted { stage, .. } => self.start(stage),
            Event::StageSkipped { stage, finished_in } => {
                self.line(&format!("✓ {stage:<15} done in run {finished_in}"))
            }
            Event::StageRepeated { stage, finished_in } => {
                self.line(&format!("! {stage:<15} {}", repeated(finished_in)))
            }
            Event::StepStarted { stage, title, .. } => self.show(stage, title),
            Event::StepProgress { stage, message, .. } => self.show(stage, message),
            Event::StepNote { stage, message, .. } => {
                self.line(&format!("! {stage:<15} {message}"))
            }
            Event::StepFinished { stage, step, outcome, duration } => self.line(&format!(
                "{} {stage:<15} {step}: {} ({})",
                mark(outcome),
                detail(outcome),
                seconds(*duration)
            )),
            Event::StepFailed { stage, step, error, duration } => {
                self.line(&format!("✗ {stage:<15} {step}: {error} ({})", seconds(*duration)));
            }
            Event::StageEnded { stage, .. } => self.end(stage),
            Event::RunEnded { report } => self.line(&format!("\n{report}")),
        }
    }
}
