//! `yardstick`: the Terraform code against the table of requirements, row by row.
//!
//! The plans come from a sandbox of its own, which is gone afterwards. What a row asks of the runner
//! itself is observed here, in the code that a deployment runs.

mod observations;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use xtask_checks::{CheckContext, Plans, yardstick};
use xtask_cloud::Encryption;
use xtask_tools::Redactor;

use super::{Session, bootstrap, drift::LONGEST, sandbox, test};
use crate::{
    cli::{Format, Target, Yardstick},
    config::Environment,
    context::Context,
    exit::Exit,
    report::Console,
    terraform::{Mode, Terraform, any_password},
    watch::Watch,
};

pub(super) fn run(session: &Session, arguments: &Yardstick) -> anyhow::Result<Exit> {
    let wanted = match arguments.environment.as_str() {
        "all" => Environment::names(&session.root),
        name => vec![Environment::load(&session.root, name)?.name],
    };
    session.console.remark("planning, testing and scanning; this takes a few minutes");
    let report = yardstick::measure(&test::checking(session)?, &wanted)?;
    match session.format {
        Format::Text => {
            session.console.line(&report.table());
            session.console.line(&report.summary());
        }
        Format::Json => session.console.line(&serde_json::to_string_pretty(&report)?),
    }
    Ok(if report.passes() { Exit::Done } else { Exit::Unmet })
}

/// Plans every environment and the bootstrap of its account, in a sandbox of its own.
pub(super) fn plans(checks: &CheckContext) -> anyhow::Result<Plans> {
    let redactor = checks.processes.redactor().clone();
    let session = Session {
        root: checks.root.clone(),
        format: Format::Text,
        console: Console::new(redactor.clone()),
        redactor,
    };
    let results = checks.scratch.join("plans");
    fs::create_dir_all(&results)
        .with_context(|| format!("failed to make `{}`", results.display()))?;
    let own = OwnSandbox::new(&session)?;
    let platform = sandbox::platform_in(&session, &checks.processes, &own.folder, &|_| ())?;
    let mut plans = Plans::default();
    let mut contexts = Vec::new();
    for name in Environment::names(&session.root) {
        let environment = Environment::load(&session.root, &name)?;
        let target = Target { environment: name, sandbox: true, cluster: None };
        let processes = checks.processes.clone();
        contexts.push(session.world(environment, platform.clone(), processes, &target)?);
    }
    for context in &contexts {
        let bucket = context.environment.state_bucket();
        context.cloud()?.ensure_state_bucket(&bucket, &Encryption::Aes256)?;
    }
    let first = contexts.first().context("there is no environment")?;
    let module = bootstrap::module(first)?;
    let (json, _) = planned(first, &module, None)?;
    plans.bootstrap = written(&results, "bootstrap", &json)?;
    // The provider waits a minute for the bucket's lifecycle rules. The plans are made meanwhile.
    let mut leaks = Vec::new();
    let (all_planned, twice) = std::thread::scope(|scope| {
        let twice = scope.spawn(|| bootstrapped_twice(first, &module));
        let all_planned = contexts.iter().try_for_each(|context| {
            let name = &context.environment.name;
            let (json, leaked) = planned(context, &context.terraform()?, Some(name))?;
            plans.environments.insert(name.clone(), written(&results, name, &json)?);
            leaks.extend(leaked.then(|| format!("the plan of {name} holds the password")));
            Ok::<(), anyhow::Error>(())
        });
        let broke_off = |_| Err(anyhow::anyhow!("the observation itself broke off"));
        (all_planned, twice.join().unwrap_or_else(broke_off))
    });
    all_planned?;
    let mut observed: BTreeMap<&str, anyhow::Result<()>> = observations::all(&contexts);
    observed.insert("no-secret-in-plans", observations::none_of(&leaks));
    observed.insert("bootstrap-twice", twice);
    observed.insert("other-account", other_account_is_refused(first));
    plans.observed = observed
        .into_iter()
        .map(|(name, seen)| (name.to_owned(), seen.map_err(|error| format!("{error:#}"))))
        .collect();
    Ok(plans)
}

fn written(folder: &Path, name: &str, json: &str) -> anyhow::Result<PathBuf> {
    let file = folder.join(format!("{name}.json"));
    fs::write(&file, json).with_context(|| format!("failed to write `{}`", file.display()))?;
    Ok(file)
}

/// The plan as JSON, and whether the password it was made with stands in it, in any form.
fn planned(
    context: &Context,
    terraform: &Terraform,
    workspace: Option<&str>,
) -> anyhow::Result<(String, bool)> {
    let watch = Watch::aside("yardstick", LONGEST, |_| (), |_| ());
    let password = any_password()?;
    context.register(&password)?;
    terraform.init(&watch)?;
    if workspace.is_some() {
        terraform.select_workspace(&watch)?;
    }
    terraform.plan(&watch, &password, Mode::Normal)?;
    let json = terraform.plan_json(&watch)?;
    terraform.drop_plan()?;
    // Plain, in Base64 at each alignment, and URL-encoded. That it would be found is asked, too.
    let canary = Redactor::new();
    canary.register(&password)?;
    ensure!(
        canary.reveals(&format!("{json}{}", password.expose())),
        "the search for the password finds nothing, even where it is"
    );
    Ok((json.clone(), canary.reveals(&json)))
}

/// Prepares the account twice. The second time finds nothing to do.
fn bootstrapped_twice(context: &Context, module: &Terraform) -> anyhow::Result<()> {
    let watch = Watch::aside("yardstick", LONGEST, |_| (), |_| ());
    let bucket = context.environment.state_bucket();
    module.apply_now(&watch)?;
    let again = context.cloud()?.ensure_state_bucket(&bucket, &Encryption::Aes256)?;
    ensure!(again.changes.is_empty(), "the state bucket was changed: {}", again.changes.join(", "));
    let summary = module.apply_now(&watch)?;
    ensure!(
        summary == "0 added, 0 changed, 0 destroyed",
        "the second run of the bootstrap did something: {summary}"
    );
    Ok(())
}

/// A plan with another account's number ends before it asks AWS for anything.
fn other_account_is_refused(context: &Context) -> anyhow::Result<()> {
    let watch = Watch::aside("yardstick", LONGEST, |_| (), |_| ());
    let own = context.terraform()?;
    let text = fs::read_to_string(&own.var_file)
        .with_context(|| format!("failed to read `{}`", own.var_file.display()))?;
    let other = text.replace(&context.environment.account_id, "999999999999");
    ensure!(other != text, "the environment names no account");
    let var_file = own.folder.join("other-account.tfvars");
    fs::write(&var_file, other)
        .with_context(|| format!("failed to write `{}`", var_file.display()))?;
    let refused = Terraform { var_file, ..own }.plan(&watch, &any_password()?, Mode::Normal);
    let Err(error) = refused else { anyhow::bail!("another account's number was accepted") };
    let error = format!("{error:#}");
    ensure!(error.contains("not allowed"), "it was refused for another reason: {error}");
    Ok(())
}

/// A sandbox that ends with the measurement, and leaves nothing behind.
struct OwnSandbox<'a> {
    session: &'a Session,
    folder: PathBuf,
}

impl<'a> OwnSandbox<'a> {
    fn new(session: &'a Session) -> anyhow::Result<Self> {
        // Short: the sockets below it have a limit. In `target`: beside it lie the tools of all sandboxes.
        let own = Self { session, folder: session.root.join("target/ys") };
        // What an earlier, killed measurement left.
        if own.folder.exists() {
            sandbox::down(session, &own.folder)?;
        }
        Ok(own)
    }
}

impl Drop for OwnSandbox<'_> {
    fn drop(&mut self) {
        if let Err(error) = sandbox::down(self.session, &self.folder) {
            self.session.console.remark(&format!("warning: {error:#}"));
        }
        // What is left, and what the next measurement does not want.
        let _ = fs::remove_dir_all(self.folder.with_file_name("ys-runs"));
        let _ = fs::remove_file(self.folder.with_file_name("ys.lock"));
    }
}
