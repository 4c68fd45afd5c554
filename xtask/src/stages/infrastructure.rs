//! Terraform makes what AWS has to offer: network, cluster, database, storage, identities.

mod certificates;
mod detach;
mod guests;
mod kept_key;
mod log_groups;

use std::{cell::Cell, time::Duration};

use xtask_cloud::{Encryption, Written};
use xtask_pipeline::{Action, Effect, Outcome, Preview, Stage, Step, StepRun, Undo};

use crate::{
    context::Context,
    secrets::{self, MASTER_PASSWORD},
    terraform::{self, Adopting, Infrastructure, Planned, guard},
    watch::Watch,
};

/// See the module.
pub(super) struct InfrastructureStage;

impl Stage<Context> for InfrastructureStage {
    fn name(&self) -> &'static str {
        "infrastructure"
    }

    fn purpose(&self) -> &'static str {
        "AWS holds what the Terraform code says"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["preflight"]
    }

    fn effect(&self) -> Effect {
        Effect::Write
    }

    fn undo(&self) -> Undo {
        Undo::TearDown
    }

    fn deadline(&self) -> Duration {
        // An EKS control plane takes 9 minutes, a Multi-AZ database with a replica up to 40.
        Duration::from_secs(75 * 60)
    }

    fn plan(&self, context: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        let again = format!(
            "run `{}` again; it goes on from the recorded state",
            context.command_line("deploy")
        );
        Ok(vec![
            Step::new(
                "state-bucket",
                "make sure the bucket for the state exists",
                Effect::Write,
                StateBucket { bucket: context.environment.state_bucket() },
            ),
            Step::new(
                "database-password",
                "make sure the database's master password is stored",
                Effect::Write,
                MasterPassword { name: context.parameter(&secrets::waiting_path(MASTER_PASSWORD)) },
            ),
            Step::new("init", "connect Terraform to its state", Effect::Write, Init),
            // Writes when a resource was cut off half-made: its taint is taken from the state.
            Step::new("plan", "compare the code with AWS", Effect::Write, Plan),
            Step::new(
                "detach",
                "take from the load balancer what the plan deletes",
                Effect::Write,
                detach::Detach,
            )
            .leaves(&format!("an Ingress without what the plan deletes: {again}")),
            Step::new("apply", "apply the plan", Effect::Write, Apply)
                .leaves(&format!(
                    "the resources that were made so far, in the state unless the error names others: {again}"
                )),
            Step::new("outputs", "read what the other stages need", Effect::Read, Outputs),
        ])
    }

    fn tear_down(&self, context: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        let again = format!("run `{}` again", context.command_line("destroy"));
        Ok(vec![
            Step::new("init", "connect Terraform to its state", Effect::Read, Init),
            Step::new(
                "unprotect",
                "switch off deletion protection, in its own apply",
                Effect::Destructive,
                Unprotect,
            )
            .leaves(&format!("an environment whose deletion protection may be off: {again}")),
            Step::new(
                "keep-key",
                "let go of the key that the database's snapshots are read with",
                Effect::Destructive,
                kept_key::LetGo,
            )
            .leaves(&format!(
                "the database's key outside the state; the next deployment takes it over: {again}"
            )),
            Step::new(
                "guests",
                "remove what GuardDuty put into the network",
                Effect::Destructive,
                guests::Remove,
            ),
            Step::new("destroy", "destroy everything Terraform made", Effect::Destructive, Destroy)
                .leaves(&format!("the resources that are still in the state: {again}")),
            Step::new(
                "log-groups",
                "delete the log groups that AWS made again",
                Effect::Destructive,
                log_groups::DeleteRemade,
            ),
            Step::new(
                "parameters",
                "delete the stored secrets",
                Effect::Destructive,
                ForgetSecrets,
            ),
            Step::new(
                "release-key",
                "delete the database's key, unless a snapshot needs it",
                Effect::Destructive,
                kept_key::Release,
            )
            .leaves(&format!("the database's key, about 1 USD a month: {again}")),
        ])
    }
}

struct StateBucket {
    bucket: String,
}

impl Action<Context> for StateBucket {
    fn preview(&self) -> Preview {
        Preview::Request(format!(
            "s3:CreateBucket {} (versioned, encrypted, TLS only)",
            self.bucket
        ))
    }

    fn run(&self, context: &Context, _: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let report = context.cloud()?.ensure_state_bucket(&self.bucket, &Encryption::Aes256)?;
        if report.changes.is_empty() && !report.created {
            return Ok(Outcome::Unchanged(format!("bucket {} is there", self.bucket)));
        }
        Ok(Outcome::Changed(format!("bucket {}: {}", self.bucket, report.changes.join(", "))))
    }
}

struct MasterPassword {
    name: String,
}

impl Action<Context> for MasterPassword {
    fn preview(&self) -> Preview {
        Preview::Request(format!("ssm:PutParameter {} (if absent)", self.name))
    }

    /// Stored before the database exists: a password that only memory knows would be lost with a
    /// crash. The environment's own key does not exist yet, so it waits for it under another name,
    /// from where the secrets stage takes it.
    fn run(&self, context: &Context, _: &StepRun<'_>) -> anyhow::Result<Outcome> {
        if context.live_secret(MASTER_PASSWORD)?.is_some() {
            return Ok(Outcome::Unchanged("stored already".to_owned()));
        }
        let made = secrets::random_text(40, secrets::Alphabet::Alphanumeric)?;
        context.register(&made)?;
        Ok(match context.cloud()?.put_parameter_if_absent(&self.name, &made, None)? {
            Written::Kept => Outcome::Unchanged("stored already".to_owned()),
            _ => Outcome::Changed("made and stored".to_owned()),
        })
    }
}

struct Init;

impl Action<Context> for Init {
    fn preview(&self) -> Preview {
        Preview::Command(
            "terraform init && terraform workspace select -or-create <environment>".to_owned(),
        )
    }

    /// Also puts back a state that an earlier run could not save: planning without it would make
    /// everything in it a second time.
    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let terraform = context.terraform()?;
        terraform.init(&Watch::of(run))?;
        terraform.select_workspace(&Watch::of(run))?;
        if let Some(told) = terraform.put_back(&Watch::of(run))? {
            run.note(&told);
        }
        Ok(Outcome::Unchanged(format!("workspace {}", context.environment.name)))
    }
}

struct Plan;

impl Action<Context> for Plan {
    fn preview(&self) -> Preview {
        Preview::Command("terraform plan -out=<file> -detailed-exitcode".to_owned())
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let terraform = context.terraform()?;
        if let Some(reviewed) = &context.reviewed_plan {
            terraform.take_plan(reviewed)?;
            let plan = terraform.show_plan(&Watch::of(run))?;
            let completed = complete(context, run, &plan)?;
            if !completed.is_empty() {
                return Err(guard::out_of_date(&completed, &context.command_line("plan")));
            }
            let forgotten = certificates::let_go(context, run, &plan)?;
            if !forgotten.is_empty() {
                return Err(certificates::out_of_date(&forgotten, &context.command_line("plan")));
            }
            let found = adopting(context, run, |adopting| Ok(terraform.lost(&plan, adopting)))?;
            if found.is_something() {
                return Err(guard::out_of_date_by_finds(&context.command_line("plan")));
            }
            guard::check(&plan, &context.allow_destroy)?;
            name_drift(context, run, &plan)?;
            return Ok(Outcome::Unchanged(format!("as reviewed: {}", terraform::totals(&plan))));
        }
        let (terraform, watch) = (context.planning_terraform()?, Watch::of(run));
        let password = context.master_password()?;
        let completed = Cell::new(false);
        let mend = |plan: &terraform::Plan| {
            completed.set(!complete(context, run, plan)?.is_empty());
            Ok(completed.get() | !certificates::let_go(context, run, plan)?.is_empty())
        };
        let Planned { plan, changes, blocked } = adopting(context, run, |adopting| {
            terraform.plan_adopting(&watch, &password, adopting, &mend)
        })?;
        name_drift(context, run, &plan)?;
        if let Some(blocked) = blocked {
            return Err(blocked.into());
        }
        if !changes {
            terraform.settle()?;
            return Ok(Outcome::Unchanged("AWS is as the code says".to_owned()));
        }
        guard::check(&plan, &context.allow_destroy)?;
        let totals = terraform::totals(&plan);
        Ok(if completed.get() { Outcome::Changed(totals) } else { Outcome::Unchanged(totals) })
    }
}

fn adopting<T>(
    context: &Context,
    run: &StepRun<'_>,
    work: impl FnOnce(Adopting<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let ours = context.ownership();
    work(Adopting { cloud: context.cloud()?, ours: &ours, tell: &|told| run.note(told) })
}

/// Names what others changed in AWS: applying any plan records it, so that nobody would ever hear of it.
fn name_drift(context: &Context, run: &StepRun<'_>, plan: &terraform::Plan) -> anyhow::Result<()> {
    let drift = context.terraform()?.drift_of(plan, &Watch::of(run))?;
    for line in drift.iter().flat_map(terraform::Drifted::lines) {
        run.note(&format!("somebody else: {line}"));
    }
    Ok(())
}

/// Completes in the state what the plan would replace only because an interrupted run had begun to
/// make it. The plan is out of date where there was any.
fn complete(
    context: &Context,
    run: &StepRun<'_>,
    plan: &terraform::Plan,
) -> anyhow::Result<Vec<String>> {
    let unfinished = guard::unfinished(plan, &context.allow_destroy);
    if unfinished.is_empty() {
        return Ok(unfinished);
    }
    // A reviewed plan may be older, and name what was completed since: that is not told.
    context.terraform()?.untaint(&Watch::of(run), &unfinished, &|address| {
        run.note(&format!(
            "{address} was left unfinished by an interrupted run and is completed; --allow-destroy \
             '{address}' would have replaced it"
        ));
    })?;
    Ok(unfinished)
}

struct Apply;

impl Action<Context> for Apply {
    fn preview(&self) -> Preview {
        Preview::Command("terraform apply <file>".to_owned())
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let terraform = context.terraform()?;
        if !terraform.has_plan()? {
            return Ok(Outcome::Unchanged("nothing to apply".to_owned()));
        }
        let password = context.master_password()?;
        let summary = terraform.apply_plan(&Watch::of(run), &password)?;
        Ok(Outcome::Changed(summary))
    }
}

struct Outputs;

impl Action<Context> for Outputs {
    fn preview(&self) -> Preview {
        Preview::Command("terraform output -json".to_owned())
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let infrastructure = Infrastructure::parse(&context.terraform()?.output(&Watch::of(run))?)?;
        run.publish(&infrastructure)?;
        Ok(Outcome::Unchanged(format!(
            "cluster {}, database {}",
            infrastructure.cluster_name, infrastructure.database_host
        )))
    }
}

struct Unprotect;

impl Action<Context> for Unprotect {
    fn preview(&self) -> Preview {
        Preview::Command(
            "terraform apply -var=teardown=true -target=<each protected resource>".to_owned(),
        )
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let way_out = format!(
            "run `{}` first or go back to the code that was deployed, or switch a database's deletion protection off \
             in AWS, and run `{}` again",
            context.command_line("deploy"),
            context.command_line("destroy")
        );
        let (terraform, watch) = (context.terraform()?, Watch::of(run));
        let lifted = terraform.unprotect(&watch, &terraform::any_password()?, &way_out)?;
        Ok(if lifted.is_empty() {
            Outcome::Unchanged("nothing is protected".to_owned())
        } else {
            Outcome::Changed(format!("lifted from {}", lifted.join(", ")))
        })
    }
}

struct Destroy;

impl Action<Context> for Destroy {
    fn preview(&self) -> Preview {
        Preview::Command("terraform destroy -var=teardown=true".to_owned())
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let (terraform, watch) = (context.terraform()?, Watch::of(run));
        if terraform.addresses(&watch)?.is_empty() {
            return Ok(Outcome::Unchanged("nothing is in the state".to_owned()));
        }
        let destroy = || terraform.destroy(&watch, &terraform::any_password()?);
        let summary = match destroy() {
            // GuardDuty comes back as long as there are nodes.
            Err(_) if !run.interrupted() && !guests::remove(context, run)?.is_empty() => destroy()?,
            other => other?,
        };
        Ok(Outcome::Changed(summary))
    }
}

struct ForgetSecrets;

impl Action<Context> for ForgetSecrets {
    fn preview(&self) -> Preview {
        Preview::Request("ssm:DeleteParameters below the environment's prefix".to_owned())
    }

    /// The last step, and it looks again: with a database still there, its password would be lost.
    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        nothing_needs_them(
            &context.terraform()?.addresses(&Watch::of(run))?,
            &context.command_line("destroy"),
        )?;
        let deleted =
            context.cloud()?.delete_parameters_by_path(&context.environment.parameter_prefix())?;
        Ok(if deleted.is_empty() {
            Outcome::Unchanged("none is stored".to_owned())
        } else {
            Outcome::Changed(format!("{} parameters deleted", deleted.len()))
        })
    }
}

fn nothing_needs_them(addresses: &[String], again: &str) -> anyhow::Result<()> {
    let Some(first) = addresses.first() else { return Ok(()) };
    anyhow::bail!(
        "the state still holds {} resources ({first} is one), so the secrets stay: run `{again}` again",
        addresses.len()
    )
}

#[cfg(test)]
mod tests {
    use super::nothing_needs_them;

    #[test]
    fn secrets_outlive_the_last_resource() {
        assert!(nothing_needs_them(&[], "x").is_ok());
        let left = ["module.database.aws_db_instance.primary".to_owned()];
        let text = nothing_needs_them(&left, "cargo xtask destroy dev").unwrap_err().to_string();
        assert!(text.contains("1 resources") && text.contains("cargo xtask destroy dev"), "{text}");
    }
}
