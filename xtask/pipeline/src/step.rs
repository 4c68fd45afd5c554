//! The plan as data: a step can be shown, counted and serialised before the same value is run.

use std::{fmt, sync::Arc};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::{Effect, Output};

/// One thing a stage does. `--dry-run` prints it, a run executes this very value.
pub struct Step<Cx> {
    /// Unique within the stage, kebab-case: `apply`, `wait-for-sync`. The journal's key.
    pub id: String,
    /// What it does, imperative, for people: "apply the Terraform plan".
    pub title: String,
    pub effect: Effect,
    /// What remains in the world when the step was started and failed, and what to run next.
    pub leftovers: Option<String>,
    pub action: Arc<dyn Action<Cx>>,
}

impl<Cx> Step<Cx> {
    pub fn new(id: &str, title: &str, effect: Effect, action: impl Action<Cx> + 'static) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            effect,
            leftovers: None,
            action: Arc::new(action),
        }
    }

    /// States what is left behind when this step fails half-way, and the command that goes on.
    #[must_use]
    pub fn leaves(mut self, leftovers: &str) -> Self {
        self.leftovers = Some(leftovers.to_owned());
        self
    }
}

impl<Cx> fmt::Debug for Step<Cx> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("id", &self.id).field("effect", &self.effect).finish()
    }
}

/// The executable part of a step.
pub trait Action<Cx>: Send + Sync {
    /// What it will do, without a secret.
    fn preview(&self) -> Preview;

    fn run(&self, context: &Cx, run: &StepRun<'_>) -> anyhow::Result<Outcome>;
}

/// How a step is shown before it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "what")]
pub enum Preview {
    /// The shape of a command line: what a run adds, such as files that it generates, is left out.
    Command(String),
    /// A request to an API: `ssm:PutParameter /dev/supabase/jwt/secret`.
    Request(String),
    /// A condition that is awaited.
    Wait(String),
    /// A check that changes nothing.
    Check(String),
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(line) => write!(f, "$ {line}"),
            Self::Request(request) => write!(f, "requests {request}"),
            Self::Wait(condition) => write!(f, "waits until {condition}"),
            Self::Check(check) => write!(f, "checks {check}"),
        }
    }
}

/// How a step ended when it did not fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result", content = "detail")]
pub enum Outcome {
    /// Something in the world is different now.
    Changed(String),
    /// Everything was as it should be.
    Unchanged(String),
    /// Not done, with the reason: never shown as passed.
    Skipped(String),
    /// Something is wrong, and a later step of the stage decides what follows: never shown as passed.
    Problem(String),
}

/// What the engine hands to a running step: messages, outputs of stages, the deadline.
pub struct StepRun<'a> {
    pub stage: &'a str,
    pub step: &'a str,
    pub(crate) host: &'a dyn Host,
    /// When the stage has to be over.
    pub deadline: std::time::Instant,
}

impl fmt::Debug for StepRun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepRun").field("stage", &self.stage).field("step", &self.step).finish()
    }
}

impl StepRun<'_> {
    /// Tells the person how long work goes on: one short line, replaced by the next one.
    pub fn progress(&self, message: &str) {
        self.host.progress(self.stage, self.step, message);
    }

    /// A line that stays: a warning, a finding, what is simulated.
    pub fn note(&self, message: &str) {
        self.host.note(self.stage, self.step, message);
    }

    /// Publishes the output of this stage; it replaces an earlier one of the same run.
    ///
    /// # Errors
    /// When it is the output of another stage, holds a secret or cannot be serialised, or when the
    /// journal cannot be written.
    pub fn publish<T: Output>(&self, output: &T) -> anyhow::Result<()> {
        let (stage, owner) = (self.stage, T::STAGE);
        ensure!(stage == owner, "stage `{stage}` cannot publish the output of stage `{owner}`");
        let value = serde_json::to_value(output);
        let value = value.with_context(|| format!("failed to publish the output of `{stage}`"))?;
        self.host.publish(stage, value)
    }

    /// The output of an earlier stage, of this run or of the last one that finished that stage.
    ///
    /// # Errors
    /// When the stage has never published one: the message names the command that does.
    pub fn output<T: Output>(&self) -> anyhow::Result<T> {
        let value = self.host.output(T::STAGE)?;
        serde_json::from_value(value)
            .with_context(|| format!("the output of stage `{}` is unreadable", T::STAGE))
    }

    /// True once the person asked to stop; long waits end early with [`crate::Interrupted`].
    #[must_use]
    pub fn interrupted(&self) -> bool {
        self.host.interrupted()
    }
}

/// The engine's side of [`StepRun`].
pub(crate) trait Host: Sync {
    fn progress(&self, stage: &str, step: &str, message: &str);
    fn note(&self, stage: &str, step: &str, message: &str);
    fn publish(&self, stage: &str, value: serde_json::Value) -> anyhow::Result<()>;
    fn output(&self, stage: &str) -> anyhow::Result<serde_json::Value>;
    fn interrupted(&self) -> bool;
}
