//! The log groups that AWS makes again when a service delivers its last lines after Terraform deleted
//! the group: nobody's tag is on them, so they are found by name.

use std::collections::BTreeSet;

use xtask_pipeline::{Action, Outcome, Preview, StepRun};

use crate::{context::Context, terraform};

pub(super) struct DeleteRemade;

impl Action<Context> for DeleteRemade {
    fn preview(&self) -> Preview {
        Preview::Request(
            "logs:DeleteLogGroup for each one that still has a name of this environment".to_owned(),
        )
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let (cloud, ours) = (context.cloud()?, context.environment.name_prefix());
        let mut groups = BTreeSet::new();
        for prefix in terraform::log_group_prefixes(&ours) {
            let found = cloud.log_groups(&prefix)?.into_iter();
            groups.extend(found.filter(|group| terraform::is_log_group_of(&ours, group)));
        }
        for group in &groups {
            run.progress(group);
            cloud.delete_log_group(group)?;
        }
        Ok(if groups.is_empty() {
            Outcome::Unchanged("there is none".to_owned())
        } else {
            let names = groups.into_iter().collect::<Vec<_>>().join(", ");
            Outcome::Changed(format!("deleted {names}"))
        })
    }
}
