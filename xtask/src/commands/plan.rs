//! `plan`: what Terraform would change, as a digest for people and for a pull request.

use xtask_cloud::GitHub;

use super::Session;
use crate::{
    cli::{self, Format},
    commands::drift::{LONGEST, environment_variables},
    exit::Exit,
    terraform::{self, Adopting, Planned},
};

/// GitHub takes 65,536 characters; what is left is for the marker and the link.
const COMMENT_LIMIT: usize = 60_000;

pub(super) fn run(session: &Session, arguments: &cli::Plan) -> anyhow::Result<Exit> {
    let context = session.context(&arguments.target)?;
    context.needs_state()?;
    let terraform = context.planning_terraform()?.aside("plan");
    let watch = session.watch("plan", LONGEST);
    terraform.init(&watch)?;
    terraform.select_workspace(&watch)?;
    let adopting = Adopting {
        cloud: context.cloud()?,
        ours: &context.ownership(),
        tell: &|told| session.console.remark(told),
    };
    let Planned { plan, changes, blocked } =
        terraform.plan_adopting(&watch, &terraform::any_password()?, adopting, &|_| Ok(false))?;
    if let Some(blocked) = blocked {
        session.console.remark(&format!("a deployment stops at this: {}", blocked.message));
    }
    if let Some(file) = &arguments.out {
        terraform.keep_plan(file)?;
        session.console.remark(&format!("kept the plan in {}", file.display()));
    }
    let drift = terraform.drift_of(&plan, &watch)?;
    terraform.drop_plan()?;
    let environment = &context.environment.name;
    match session.format {
        Format::Text => {
            session.console.line(&terraform::markdown(&plan, &drift, environment, usize::MAX))
        }
        Format::Json => session.console.line(&serde_json::to_string_pretty(&plan.summary())?),
    }
    if let Some(pull_request) = arguments.comment {
        let body = session.console.redacted(&terraform::markdown(
            &plan,
            &drift,
            environment,
            COMMENT_LIMIT,
        ));
        let done = GitHub::from_env(&environment_variables())?.upsert_comment(
            pull_request,
            &format!("plan-{environment}"),
            &body,
        )?;
        session.console.remark(&format!("commented: {}", done.url));
    }
    Ok(if changes && arguments.detailed_exitcode { Exit::Drift } else { Exit::Done })
}
