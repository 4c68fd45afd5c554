//! For tests of stages: runs a single action without an engine around it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::anyhow;
use serde_json::Value;

use crate::{Output, StepRun, step::Host};

/// Stands in for the engine. It remembers what a step said and published.
#[derive(Debug, Default)]
pub struct Rehearsal {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    progress: Vec<String>,
    notes: Vec<String>,
    outputs: BTreeMap<String, Value>,
    interrupted: bool,
}

impl Rehearsal {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Provides the output of an earlier stage.
    ///
    /// # Errors
    /// When the value cannot be serialised.
    pub fn provide<T: Output>(&self, output: &T) -> anyhow::Result<()> {
        let value = serde_json::to_value(output)?;
        self.lock().outputs.insert(T::STAGE.to_owned(), value);
        Ok(())
    }

    /// What a step of `stage` gets as its [`StepRun`], with a deadline far away.
    #[must_use]
    pub fn step<'a>(&'a self, stage: &'a str, step: &'a str) -> StepRun<'a> {
        StepRun { stage, step, host: self, deadline: Instant::now() + Duration::from_secs(3600) }
    }

    /// Lets the person ask to stop.
    pub fn interrupt(&self) {
        self.lock().interrupted = true;
    }

    /// What the steps noted, in order.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.lock().notes.clone()
    }

    /// What the steps said about their progress, in order.
    #[must_use]
    pub fn progress(&self) -> Vec<String> {
        self.lock().progress.clone()
    }

    /// What `stage` published.
    #[must_use]
    pub fn published(&self, stage: &str) -> Option<Value> {
        self.lock().outputs.get(stage).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for Rehearsal {
    fn progress(&self, _: &str, _: &str, message: &str) {
        self.lock().progress.push(message.to_owned());
    }

    fn note(&self, _: &str, _: &str, message: &str) {
        self.lock().notes.push(message.to_owned());
    }

    fn publish(&self, stage: &str, value: Value) -> anyhow::Result<()> {
        self.lock().outputs.insert(stage.to_owned(), value);
        Ok(())
    }

    fn output(&self, stage: &str) -> anyhow::Result<Value> {
        let value = self.lock().outputs.get(stage).cloned();
        value.ok_or_else(|| anyhow!("stage `{stage}` has not published an output"))
    }

    fn interrupted(&self) -> bool {
        self.lock().interrupted
    }
}
