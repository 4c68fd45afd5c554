//! Waits for the load balancer's name, which `helm --wait` never does.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use xtask_pipeline::{Action, Effect, Outcome, Output, Preview, Stage, Step, StepRun, Undo};

use super::address;
use crate::{context::Context, terraform::Infrastructure};

/// Where Supabase answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address {
    /// Without a slash at the end: `https://api.example.com`.
    pub(crate) url: String,
    pub(crate) load_balancer: String,
}

impl Output for Address {
    const STAGE: &'static str = "ingress";
}

/// See the module.
pub(super) struct IngressStage;

impl Stage<Context> for IngressStage {
    fn name(&self) -> &'static str {
        "ingress"
    }

    fn purpose(&self) -> &'static str {
        "a load balancer has a name that the world can reach"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["release"]
    }

    fn effect(&self) -> Effect {
        Effect::Read
    }

    fn undo(&self) -> Undo {
        Undo::WithStage("release")
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(15 * 60)
    }

    fn plan(&self, _: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        Ok(vec![Step::new(
            "load-balancer",
            "wait for the load balancer's name",
            Effect::Read,
            WaitForName,
        )])
    }

    fn tear_down(&self, _: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        Ok(Vec::new())
    }
}

struct WaitForName;

impl Action<Context> for WaitForName {
    fn preview(&self) -> Preview {
        Preview::Wait(
            "Ingress supabase-kong has .status.loadBalancer.ingress[0].hostname".to_owned(),
        )
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let infrastructure = run.output::<Infrastructure>()?;
        let cluster = context.cluster(&infrastructure)?;
        let load_balancer = address::wait_for_name(run, &cluster, None)?;
        let url = address::decided(context, &infrastructure)
            .unwrap_or_else(|| address::of_load_balancer(&load_balancer));
        run.publish(&Address { url: url.clone(), load_balancer })?;
        Ok(Outcome::Unchanged(url))
    }
}
