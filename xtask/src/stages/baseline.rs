//! Records what AWS computed after an apply, so that drift shows only what somebody else changed.
//!
//! Right after an apply dozens of attributes differ from the state: policies that another resource
//! attached, encryption that another resource configured. This runs beside the later stages; none
//! of them needs it.

use std::time::Duration;

use xtask_pipeline::{Action, Effect, Outcome, Preview, Stage, Step, StepRun, Undo};

use crate::{context::Context, watch::Watch};

/// See the module.
pub(super) struct Baseline;

impl Stage<Context> for Baseline {
    fn name(&self) -> &'static str {
        "baseline"
    }

    fn purpose(&self) -> &'static str {
        "the state holds what AWS computed, so that drift is what others changed"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["infrastructure"]
    }

    fn effect(&self) -> Effect {
        Effect::Write
    }

    fn undo(&self) -> Undo {
        Undo::WithStage("infrastructure")
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(15 * 60)
    }

    fn plan(&self, _: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        Ok(vec![Step::new(
            "record",
            "record what AWS computed after the apply",
            Effect::Write,
            Record,
        )])
    }

    fn tear_down(&self, _: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        Ok(Vec::new())
    }
}

struct Record;

impl Action<Context> for Record {
    fn preview(&self) -> Preview {
        Preview::Command(
            "terraform apply -refresh-only (after an apply that changed something)".to_owned(),
        )
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let terraform = context.terraform()?;
        if !terraform.wants_baseline() {
            return Ok(Outcome::Unchanged("nothing was applied since the last one".to_owned()));
        }
        let password = context.master_password()?;
        terraform.record_baseline(&Watch::of(run), &password)?;
        Ok(Outcome::Changed("recorded".to_owned()))
    }
}
