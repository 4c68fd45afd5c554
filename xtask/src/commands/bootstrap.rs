//! `bootstrap`: prepares an AWS account and an environment's workspace, with an administrator's credentials.
//!
//! The state bucket is a chicken-and-egg: it is made bare by a signed request, then Terraform's
//! bootstrap module, whose own state lives in that bucket, adopts and hardens it.

use xtask_cloud::Encryption;

use super::{Session, drift::LONGEST};
use crate::{
    cli::Bootstrap, config::AccountFile, context::Context, exit::Exit, terraform::Terraform,
    watch::Watch,
};

const MODULE: &str = "terraform/bootstrap";

pub(super) fn run(session: &Session, arguments: &Bootstrap) -> anyhow::Result<Exit> {
    let bucket_of = |context: &Context| context.environment.state_bucket();
    if arguments.dry_run {
        let context = session.offline(&arguments.target)?;
        account_file(&context)?;
        session
            .console
            .line(&format!("write  make bucket {} unless it is there", bucket_of(&context)));
        session
            .console
            .line("write  terraform apply in terraform/bootstrap: bucket, GitHub roles, boundary");
        session.console.line(&format!(
            "write  make Terraform's workspace {} unless it is there",
            context.environment.name
        ));
        return Ok(Exit::Done);
    }
    let context = session.context(&arguments.target)?;
    refuse_wrong_values(&context)?;
    let cloud = context.cloud()?;
    session.console.line(
        "This makes IAM roles, so it needs an administrator's credentials; every later command gets by with the \
         roles it makes.",
    );
    let report = cloud.ensure_state_bucket(&bucket_of(&context), &Encryption::Aes256)?;
    session.console.line(&format!(
        "bucket {}: {}",
        bucket_of(&context),
        if report.created { "made" } else { "there already" }
    ));
    let watch = session.watch("bootstrap", LONGEST);
    let terraform = module(&context)?;
    terraform.init(&watch)?;
    let summary = terraform.apply_now(&watch)?;
    session.console.line(&format!("terraform/bootstrap: {summary}"));
    make_workspace(&context, &watch)?;
    session.console.line(&format!("workspace {}: there", context.environment.name));
    Ok(Exit::Done)
}

/// A new workspace is an empty state. Whoever plans may not write any, so that the first plan of an
/// environment needs the workspace to be there.
fn make_workspace(context: &Context, watch: &Watch<'_>) -> anyhow::Result<()> {
    // Aside: a deployment may be at work.
    let terraform = context.terraform()?.aside("workspace");
    // What an earlier run noted there of its workspace says nothing about the bucket of today.
    terraform.forget_data()?;
    terraform.init(watch)?;
    terraform.select_workspace(watch)
}

/// The module of the account that an environment lives in.
pub(super) fn module(context: &Context) -> anyhow::Result<Terraform> {
    let terraform = Terraform {
        module: context.root.join(MODULE),
        var_file: account_file(context)?.path,
        // One state an account, whatever environments live in it.
        workspace: "default".to_owned(),
        ..context.terraform()?.aside("bootstrap")
    };
    Ok(terraform.with_state_key("bootstrap.tfstate"))
}

fn account_file(context: &Context) -> anyhow::Result<AccountFile> {
    AccountFile::load(&context.root, &context.environment.account_id)
}

/// Roles for a repository that is somebody else's would be an open door; and what a validation
/// refuses would be found out after the bucket was made.
fn refuse_wrong_values(context: &Context) -> anyhow::Result<()> {
    let account = account_file(context)?;
    let mut problems: Vec<String> = if context.platform.takes_shipped_values() {
        Vec::new()
    } else {
        account.vars.placeholders().iter().map(ToString::to_string).collect()
    };
    problems.extend(context.values_refused_by(&context.root.join(MODULE), &account.vars)?);
    if problems.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = problems.iter().map(|problem| format!("  - {problem}")).collect();
    Err(Exit::BadInput.error(format!("nothing was started, because of:\n{}", list.join("\n"))))
}
