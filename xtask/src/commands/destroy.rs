//! `destroy`: the stages in reverse, after a typed confirmation.

use std::io::{BufRead as _, IsTerminal as _, stdin};

use xtask_pipeline::{Plan, Selection, Verdict};

use super::{Session, deploy};
use crate::{cli::Destroy, config::Environment, context::Context, exit::Exit};

pub(super) fn run(session: &Session, arguments: Destroy) -> anyhow::Result<Exit> {
    let Destroy { target, confirm, dry_run } = arguments;
    if dry_run {
        let context = session.offline(&target)?;
        let plan =
            Plan::destroy(&deploy::table()?, &Selection::default(), &target.environment, &context)?;
        deploy::print(session, &plan)?;
        return Ok(Exit::Done);
    }
    Environment::load(&session.root, &target.environment)?;
    // Before the context: it takes over Ctrl-C, which has to end the question at once.
    confirmed(session, &target.environment, confirm.as_deref())?;
    let context = session.context(&target)?;
    let plan =
        Plan::destroy(&deploy::table()?, &Selection::default(), &target.environment, &context)?;
    let ended = deploy::carry_out(session, &context, &plan, None)?;
    if ended.verdict != Verdict::Done {
        return Ok(deploy::exit_of(&ended));
    }
    nothing_left(session, &context)
}

/// The name of the environment, typed: a `y` is typed too easily.
fn confirmed(session: &Session, environment: &str, given: Option<&str>) -> anyhow::Result<()> {
    let typed = match given {
        Some(given) => given.to_owned(),
        None if stdin().is_terminal() => {
            session.console.line(&format!(
                "This destroys environment `{environment}` with its database and its files. Type its name to go on:"
            ));
            let mut line = String::new();
            stdin().lock().read_line(&mut line)?;
            line.trim().to_owned()
        }
        None => String::new(),
    };
    if typed == environment {
        return Ok(());
    }
    Err(Exit::Refused.error(format!(
        "destroying `{environment}` was not confirmed; nothing was touched. Without a terminal, say \
         --confirm {environment}"
    )))
}

/// Asks AWS for everything that still carries the project's and the environment's tags.
fn nothing_left(session: &Session, context: &Context) -> anyhow::Result<Exit> {
    let cloud = context.cloud()?;
    let (environment, region) = (&context.environment.name, &context.environment.region);
    let key = cloud.key_behind(&context.environment.database_key_alias())?;
    let mut left = Vec::new();
    for resource in context.tagged()? {
        if is_kept_snapshot(&resource.arn) || key.as_ref().is_some_and(|it| it.arn == resource.arn)
        {
            session.console.line(&format!("kept on purpose: {}", resource.arn));
        } else if !cloud.is_departing(&resource.arn)? {
            left.push(resource.arn);
        }
    }
    if left.is_empty() {
        session.console.line(&format!("nothing of `{environment}` is left in {region}"));
        return Ok(Exit::Done);
    }
    session.console.line("these resources are left:");
    for arn in &left {
        session.console.line(&format!("  {arn}"));
    }
    Err(Exit::StageFailed.error(format!(
        "{} left; delete {} or run `{}` again",
        if left.len() == 1 {
            "1 resource is".to_owned()
        } else {
            format!("{} resources are", left.len())
        },
        if left.len() == 1 { "it" } else { "them" },
        context.command_line("destroy")
    )))
}

/// The database's last snapshot is the way back after a tear-down, as are those that a person took of
/// it: they cost little and are deleted by hand. What RDS and AWS Backup take by themselves goes with
/// the database and the vault.
fn is_kept_snapshot(arn: &str) -> bool {
    let name = arn.split_once(":snapshot:").map(|(_, name)| name);
    arn.contains(":rds:")
        && name.is_some_and(|name| !name.starts_with("rds:") && !name.starts_with("awsbackup:"))
}

#[cfg(test)]
mod tests {
    use super::is_kept_snapshot;

    #[test]
    fn snapshots_that_nobody_deletes_by_themselves_are_kept() {
        let kept = |name: &str| {
            is_kept_snapshot(&format!("arn:aws:rds:eu-west-1:123456789012:snapshot:{name}"))
        };
        assert!(kept("supabase-prod-final-0a1b2c3d") && kept("before-the-migration"));
        assert!(!kept("rds:supabase-prod-2026-11-27-02-00") && !kept("awsbackup:job-1"));
        assert!(!is_kept_snapshot("arn:aws:rds:eu-west-1:123456789012:db:supabase-prod"));
    }
}
