//! What a stage declares about itself. One static, ordered table of stages drives everything.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Step;

/// One stage of a deployment. A stage declares; its [`Step`]s act.
pub trait Stage<Cx>: Sync {
    /// The name on the command line, in the journal and in the workflows.
    fn name(&self) -> &'static str;

    /// One sentence for people: what is true when the stage is done.
    fn purpose(&self) -> &'static str;

    /// Names of the stages that must be done before. Stages without a path between them run at
    /// the same time.
    fn needs(&self) -> &'static [&'static str];

    /// The strongest effect that a step of [`Stage::plan`] may have; a plan beyond it is refused.
    fn effect(&self) -> Effect;

    /// How the work is taken back by tear-down.
    fn undo(&self) -> Undo;

    /// The longest the whole stage may take before its children are interrupted.
    fn deadline(&self) -> Duration;

    /// The steps that a run would do, as data. Must not write anything and must not need the
    /// output of an earlier stage: a dry run from nothing calls it too.
    fn plan(&self, context: &Cx) -> anyhow::Result<Vec<Step<Cx>>>;

    /// The steps that take the stage back, in order. Empty where nothing has to be done.
    fn tear_down(&self, context: &Cx) -> anyhow::Result<Vec<Step<Cx>>>;
}

/// What a step or stage does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    Read,
    Write,
    Destructive,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
        })
    }
}

/// How a stage is undone, for the documentation and for "what is left behind".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// Nothing was made, nothing has to be undone.
    Nothing,
    /// `cargo xtask destroy` takes it back with the steps of [`Stage::tear_down`].
    TearDown,
    /// It goes away together with what another stage made.
    WithStage(&'static str),
}

/// What a stage tells later stages. It travels in the journal, so that stages that run as separate
/// workflow steps see what one run would see. Never holds a secret.
pub trait Output: Serialize + DeserializeOwned {
    /// The name of the stage that publishes it.
    const STAGE: &'static str;
}
