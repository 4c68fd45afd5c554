//! Terraform as the runner calls it: one environment, its own data folder, its own workspace.
//!
//! Architecture invariant: the workspace and the backend are given to each process, never read from
//! what an earlier command left on the disk, and secrets only travel as ephemeral variables.

mod adoption;
mod baseline;
mod diagnostics;
mod digest;
mod drift;
pub(crate) mod guard;
mod kept_key;
mod lock;
mod lost;
mod mending;
mod outputs;
mod owned;
mod plan;
mod plan_file;
mod schema;
mod state;
mod teardown;
#[cfg(test)]
mod tests;
mod unfinished;
mod upgrades;
mod validations;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use xtask_tools::{Command, Processes, Secret};

use crate::{
    secrets::{self, Alphabet},
    watch::Watch,
};

pub(crate) use adoption::{Adopting, Planned, is_log_group_of, log_group_prefixes};
pub(crate) use baseline::Baseline;
pub(crate) use digest::{markdown, totals};
pub(crate) use drift::Drifted;
pub(crate) use kept_key::DATABASE_KEY;
pub(crate) use lost::Ownership;
pub(crate) use outputs::Infrastructure;
pub(crate) use plan::Plan;
pub(crate) use state::{State, holds_type};
pub(crate) use validations::refused_values;

/// What a plan compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The code with AWS.
    Normal,
    /// The state with AWS: drift.
    RefreshOnly,
}

/// Where the state of an environment lives.
#[derive(Debug, Clone)]
pub(crate) struct Backend {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) region: String,
}

/// The root module of one environment.
#[derive(Debug, Clone)]
pub(crate) struct Terraform {
    pub(crate) processes: Processes,
    pub(crate) program: PathBuf,
    /// The module's folder.
    pub(crate) module: PathBuf,
    pub(crate) var_file: PathBuf,
    pub(crate) workspace: String,
    pub(crate) backend: Backend,
    /// Marks and logs of this environment.
    pub(crate) folder: PathBuf,
    /// Terraform's own data and the plan. Commands that look while a deployment runs have their own.
    pub(crate) work: PathBuf,
    /// Endpoints, provider mirror and caches.
    pub(crate) environment: BTreeMap<String, String>,
    /// See `kept_key`.
    pub(crate) kept_keys: Option<String>,
    /// See `adoption`.
    pub(crate) existing_log_groups: Vec<String>,
    /// The command line that mends the state, around the name of what it does: `cargo xtask state` and
    /// the environment. None for a module that is no environment.
    pub(crate) mend: Option<(String, String)>,
}

/// Exit code of `plan -detailed-exitcode` when there is something to do.
const CHANGES: i32 = 2;

impl Terraform {
    /// The same, with its state under another key of the same bucket.
    pub(crate) fn with_state_key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.backend.key);
        self.mend = None;
        self
    }

    /// The same with data and a plan of its own, for a command that a deployment must not notice.
    pub(crate) fn aside(mut self, name: &str) -> Self {
        self.work = self.folder.join(name);
        self
    }

    /// Forgets what an earlier `init` noted of the backend and the workspace.
    pub(crate) fn forget_data(&self) -> anyhow::Result<()> {
        match std::fs::remove_dir_all(self.data()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("failed to empty `{}`", self.data().display()))
            }
            _ => Ok(()),
        }
    }

    /// Plans and applies at once, for a module without secrets and without data.
    pub(crate) fn apply_now(&self, watch: &Watch<'_>) -> anyhow::Result<String> {
        let command = |lock| {
            self.command("apply the module", watch)
                .args(["apply", "-input=false", "-no-color", "-auto-approve", lock])
                .arg(self.variables())
        };
        let applied =
            self.locking(watch, command, |command| summarised(command, watch, "Apply complete!"));
        self.written(watch, applied)
    }

    pub(crate) fn init(&self, watch: &Watch<'_>) -> anyhow::Result<()> {
        let Backend { bucket, key, region } = &self.backend;
        let command = self
            .command("connect Terraform to its state", watch)
            .args(["init", "-input=false", "-no-color", "-reconfigure", "-lockfile=readonly"])
            .args([
                format!("-backend-config=bucket={bucket}"),
                format!("-backend-config=key={key}"),
                format!("-backend-config=region={region}"),
            ])
            .args(["-backend-config=use_lockfile=true", "-backend-config=encrypt=true"])
            .env_remove("TF_WORKSPACE");
        self.follow(&command, watch)
    }

    /// Makes the workspace if it does not exist yet.
    pub(crate) fn select_workspace(&self, watch: &Watch<'_>) -> anyhow::Result<()> {
        let recorded = std::fs::read_to_string(self.data().join("environment")).unwrap_or_default();
        if recorded.trim() == self.workspace {
            return Ok(());
        }
        let command = self
            .command("select the workspace", watch)
            .args(["workspace", "select", "-no-color", "-or-create", &self.workspace])
            .env_remove("TF_WORKSPACE");
        self.follow(&command, watch)
    }

    /// Writes a plan; true when it would change something.
    pub(crate) fn plan(
        &self,
        watch: &Watch<'_>,
        password: &Secret,
        mode: Mode,
    ) -> anyhow::Result<bool> {
        self.drop_plan()?;
        let command = |lock| {
            self.command("compare the code with AWS", watch)
                .args(["plan", "-input=false", "-no-color", "-detailed-exitcode", lock])
                .args((mode == Mode::RefreshOnly).then_some("-refresh-only"))
                .args(self.kept_keys.as_ref().filter(|_| mode == Mode::Normal))
                .arg(format!("-out={}", self.plan_file().display()))
                .arg(self.variables())
                .args(self.adopted())
                .secret_env("TF_VAR_database_password", password)
                .allow_codes(&[0, CHANGES])
        };
        self.locking(watch, command, |command| {
            Ok(command.run(&mut |line| watch.progress(line.text))?.code == CHANGES)
        })
    }

    pub(crate) fn show_plan(&self, watch: &Watch<'_>) -> anyhow::Result<Plan> {
        Plan::parse(&self.plan_json(watch)?)
    }

    /// The whole plan, with all the values that Terraform knows.
    pub(crate) fn plan_json(&self, watch: &Watch<'_>) -> anyhow::Result<String> {
        let command = self
            .command("read the plan", watch)
            .args(["show", "-json", "-no-color"])
            .arg(self.plan_file());
        command.output().map_err(|error| self.explained(error))
    }

    /// Lets go of a resource: it stays in AWS, and nobody but us deletes it later.
    pub(crate) fn forget(&self, watch: &Watch<'_>, address: &str) -> anyhow::Result<()> {
        let command = |lock| {
            self.command("forget what is still in use", watch).args(["state", "rm", lock, address])
        };
        let forgotten = self.locking(watch, command, |command| follow(command, watch));
        self.written(watch, forgotten)
    }

    /// Applies the plan that was written and shown; returns Terraform's own summary.
    pub(crate) fn apply_plan(
        &self,
        watch: &Watch<'_>,
        password: &Secret,
    ) -> anyhow::Result<String> {
        let command = |lock| {
            self.command("apply the plan", watch)
                .args(["apply", "-input=false", "-no-color", lock, "-parallelism=30"])
                .secret_env("TF_VAR_database_password", password)
                .arg(self.plan_file())
        };
        self.want_baseline()?;
        let applied = self.locking(watch, command, |command| {
            summarised_with(command, watch, "Apply complete!", &|line| self.touched(line))
        });
        let summary = self.written(watch, applied)?;
        removed(&self.plan_file())?;
        Ok(summary)
    }

    pub(crate) fn output(&self, watch: &Watch<'_>) -> anyhow::Result<String> {
        let command =
            self.command("read the outputs", watch).args(["output", "-json", "-no-color"]);
        command.output().map_err(|error| self.explained(error))
    }

    /// How many resources the state holds.
    pub(crate) fn count_resources(&self, watch: &Watch<'_>) -> anyhow::Result<usize> {
        Ok(self.addresses(watch)?.len())
    }

    /// The addresses of everything in the state.
    pub(crate) fn addresses(&self, watch: &Watch<'_>) -> anyhow::Result<Vec<String>> {
        let list = self.command("list what is in the state", watch).args(["state", "list"]);
        match list.output() {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            Err(error) if state::says_there_is_none(&error) => Ok(Vec::new()),
            Err(error) => Err(self.explained(error)),
        }
    }

    pub(crate) fn state(&self, watch: &Watch<'_>) -> anyhow::Result<State> {
        let show = self.command("read the state", watch).args(["show", "-json", "-no-color"]);
        State::parse(&show.output().map_err(|error| self.explained(error))?)
    }

    /// Destroys everything in the state; returns Terraform's own summary.
    pub(crate) fn destroy(&self, watch: &Watch<'_>, password: &Secret) -> anyhow::Result<String> {
        let command = |lock| {
            self.command("destroy everything in the state", watch)
                .args(["destroy", "-input=false", "-no-color", "-auto-approve", lock])
                .args(["-parallelism=30", "-var=teardown=true"])
                .arg(self.variables())
                .secret_env("TF_VAR_database_password", password)
        };
        let destroyed =
            self.locking(watch, command, |command| summarised(command, watch, "Destroy complete!"));
        self.written(watch, destroyed)
    }

    /// The command line that mends this state: `unlock`, `push` or `adopt`.
    fn mending(&self, what: &str, words: &[&str]) -> String {
        if let Some((before, behind)) = &self.mend {
            return format!("{before} {what} {behind} {}", words.join(" "));
        }
        let terraform = match what {
            "unlock" => "force-unlock -force",
            "push" => "state push",
            _ => "import",
        };
        format!(
            "TF_DATA_DIR={} TF_WORKSPACE={} terraform -chdir={} {terraform} {}",
            self.data().display(),
            self.workspace,
            self.module.display(),
            words.join(" ")
        )
    }

    fn follow(&self, command: &Command, watch: &Watch<'_>) -> anyhow::Result<()> {
        follow(command, watch).map_err(|error| self.explained(error))
    }

    fn command(&self, purpose: &str, watch: &Watch<'_>) -> Command {
        self.processes
            .command(&self.program)
            .arg(format!("-chdir={}", self.module.display()))
            .environment(&self.environment)
            .environment(&BTreeMap::from([
                ("TF_DATA_DIR".to_owned(), self.data().display().to_string()),
                ("TF_IN_AUTOMATION".to_owned(), "1".to_owned()),
                ("CHECKPOINT_DISABLE".to_owned(), "1".to_owned()),
            ]))
            .env("TF_WORKSPACE", &self.workspace)
            .purpose(purpose)
            .deadline(watch.deadline)
            .log_to(self.folder.join("logs").join(format!("{}.log", watch.name)))
    }

    fn variables(&self) -> String {
        format!("-var-file={}", self.var_file.display())
    }

    fn data(&self) -> PathBuf {
        self.work.join("terraform")
    }
}

/// A value for what never looks at it: the password is write-only, and only an apply that makes a
/// database, or raises the password's version, sends it to AWS. Whoever plans or destroys need not
/// be able to read the real one.
pub(crate) fn any_password() -> anyhow::Result<Secret> {
    secrets::random_text(40, Alphabet::Alphanumeric)
}

/// Removes a file that may not be there.
fn removed(file: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove `{}`", file.display()))
        }
        _ => Ok(()),
    }
}

fn follow(command: &Command, watch: &Watch<'_>) -> anyhow::Result<()> {
    command.run(&mut |line| watch.progress(line.text)).map(drop)
}

fn summarised(command: &Command, watch: &Watch<'_>, start: &str) -> anyhow::Result<String> {
    summarised_with(command, watch, start, &|_| Ok(()))
}

/// Terraform's summary behind `start`; each line is shown to `each`, whose first error counts at the end.
fn summarised_with(
    command: &Command,
    watch: &Watch<'_>,
    start: &str,
    each: &dyn Fn(&str) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    let (mut summary, mut noted) = (String::new(), Ok(()));
    command.run(&mut |line| {
        if let Some(rest) = line.text.strip_prefix(start) {
            let counts = rest.trim().trim_start_matches("Resources:").trim();
            counts.trim_end_matches('.').clone_into(&mut summary);
        }
        if noted.is_ok() {
            noted = each(line.text);
        }
        watch.progress(line.text);
    })?;
    noted.map(|()| summary)
}

/// A module folder below the repository.
pub(crate) fn module(root: &Path) -> PathBuf {
    root.join("terraform")
}
