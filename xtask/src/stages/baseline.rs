//! Records what AWS computed after an apply, so that drift shows only what somebody else changed.
//!
//! Right after an apply dozens of attributes differ from the state: policies that another resource
//! attached, encryption that another resource configured. This runs beside the later stages; none
//! of them needs it. What somebody else changed meanwhile is named and not recorded.

use std::time::Duration;

use xtask_pipeline::{Action, Effect, Outcome, Preview, Stage, Step, StepRun, Undo};

use crate::{
    context::Context,
    terraform::{Baseline, Drifted},
    watch::Watch,
};

/// See the module.
pub(super) struct BaselineStage;

impl Stage<Context> for BaselineStage {
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
            "terraform plan -refresh-only -out=<file> && terraform apply <file> (after an apply that \
             changed something)"
                .to_owned(),
        )
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let terraform = context.terraform()?;
        if !terraform.wants_baseline() {
            return Ok(Outcome::Unchanged("nothing was applied since the last one".to_owned()));
        }
        let password = context.master_password()?;
        let baseline = terraform.record_baseline(&Watch::of(run), &password)?;
        let (Baseline::Recorded(found) | Baseline::Refused(found)) = &baseline;
        for line in found.iter().flat_map(Drifted::lines) {
            run.note(&line);
        }
        Ok(match baseline {
            Baseline::Recorded(_) => Outcome::Changed("recorded".to_owned()),
            Baseline::Refused(_) => Outcome::Skipped(format!(
                "not recorded, because somebody else changed what is named above; look with `{}`",
                context.command_line("drift")
            )),
        })
    }
}
