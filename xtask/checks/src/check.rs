//! What a check is: a claim about this repository that a tool or our own code can refute.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
};

use anyhow::Context;
use xtask_tools::{Processes, Toolbox};

use crate::{checkov, helm, plans::Plans, terraform::TestRuns};

/// One row of the table of checks.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// The name for `--only` and `--skip`.
    pub name: &'static str,
    pub kind: Kind,
    pub lane: Lane,
    /// What it uses alone; nothing else that names the same runs beside it.
    pub alone: &'static [Thing],
    /// What is true when it passes.
    pub claim: &'static str,
    /// One sentence: what to do when it fails.
    pub remedy: &'static str,
    pub run: fn(&CheckContext) -> anyhow::Result<CheckOutcome>,
}

/// Fast checks all run; slow ones only once every fast one has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Seconds, and no compiler.
    Fast,
    Slow,
}

/// Two checks run side by side, one of each lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Keeps a core busy, or more: compilers, planners, scanners. All that compiles is here, since
    /// one cargo waits for the other.
    Computes,
    /// Waits for most of its time: for packages from a registry, for a sandbox.
    Waits,
}

/// What two checks cannot use at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// The folders that `terraform init` fills for the checks of the code, and the provider's cache:
    /// Terraform does not expect a second one to fetch into it.
    TerraformData,
    /// Cores for tests that wait with deadlines: beside each other they would overrun them.
    Deadlines,
}

/// How a check ended. An error of [`Check::run`] counts as failed too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckOutcome {
    /// What was looked at: "5 workflows, 61 steps".
    Passed(String),
    /// What was found: the tool's own output, or one line a finding.
    Failed(String),
    /// Why it could not run here. Never shown as passed.
    Skipped(String),
}

impl CheckOutcome {
    /// Passed with `summary` when there are no findings, else failed with one line for each.
    pub fn of_findings(findings: &[impl fmt::Display], summary: impl Into<String>) -> Self {
        if findings.is_empty() {
            return Self::Passed(summary.into());
        }
        Self::Failed(findings.iter().map(|finding| format!("{finding}\n")).collect())
    }
}

/// Something wrong at one place of a file. Shown in the form that editors and terminals link.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Relative to the repository.
    pub path: String,
    /// Counted from 1; 0 for the file as a whole.
    pub line: usize,
    pub message: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Whether the runner's own command line accepts these arguments (without the program's name);
/// the error says why not.
pub type ParseCommand = fn(&[String]) -> Result<(), String>;

/// Makes the plans of all environments; the runner does it in its sandbox.
pub type MakePlans = fn(&CheckContext) -> anyhow::Result<Plans>;

/// What one check finds out and another one looks at, too. Clones of a context share it.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    plans: OnceLock<Result<Plans, String>>,
    pub(crate) tests: OnceLock<Result<TestRuns, String>>,
    pub(crate) rendered: OnceLock<Result<helm::Rendered, String>>,
    /// By what was scanned.
    pub(crate) scans: Mutex<BTreeMap<String, Arc<checkov::Report>>>,
}

/// What every check is given.
#[derive(Debug, Clone)]
pub struct CheckContext {
    /// The repository.
    pub root: PathBuf,
    /// A folder for logs and scratch files that git ignores.
    pub scratch: PathBuf,
    /// The names of the stage table, in order.
    pub stages: Vec<&'static str>,
    pub parse_command: ParseCommand,
    /// Starts the tools; knows the secrets and whether a stop was asked for.
    pub processes: Processes,
    pub toolbox: Arc<Toolbox>,
    make_plans: Option<MakePlans>,
    pub(crate) shared: Arc<Shared>,
}

impl CheckContext {
    /// A context with the usual scratch folder, `target/checks`.
    pub fn new(
        root: &Path,
        processes: Processes,
        toolbox: Arc<Toolbox>,
        stages: Vec<&'static str>,
        parse_command: ParseCommand,
    ) -> Self {
        let scratch = root.join("target/checks");
        Self {
            root: root.to_owned(),
            scratch,
            stages,
            parse_command,
            processes,
            toolbox,
            make_plans: None,
            shared: Arc::default(),
        }
    }

    /// The same, able to look at plans.
    #[must_use]
    pub fn with_plans(self, make: MakePlans) -> Self {
        Self { make_plans: Some(make), ..self }
    }

    /// The plans of all environments, made on the first call.
    pub(crate) fn plans(&self) -> anyhow::Result<&Plans> {
        let make = || match self.make_plans {
            Some(make) => make(self).map_err(|error| format!("{error:#}")),
            None => Err("nobody makes plans here".to_owned()),
        };
        let made = self.shared.plans.get_or_init(make);
        made.as_ref().map_err(|error| anyhow::anyhow!("failed to plan the environments: {error}"))
    }

    /// An empty scratch folder of that name: what an earlier run left there is gone.
    pub(crate) fn empty_scratch(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.scratch.join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)
                .with_context(|| format!("failed to empty `{}`", folder.display()))?;
        }
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("failed to make `{}`", folder.display()))?;
        Ok(folder)
    }

    /// `path` as it is shown to people: relative to the repository.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }

    /// The text of a file of the repository.
    pub(crate) fn read(&self, path: &str) -> anyhow::Result<String> {
        std::fs::read_to_string(self.root.join(path))
            .with_context(|| format!("failed to read `{path}`"))
    }
}

#[cfg(test)]
mod tests {
    use xtask_tools::NoDownload;

    use super::*;

    impl CheckContext {
        /// For tests of what needs no tool.
        pub(crate) fn without_tools(root: &Path) -> Self {
            let accept: ParseCommand = |_| Ok(());
            let processes = Processes::default();
            let toolbox = Toolbox::new(root.join("tools"), processes.clone(), Arc::new(NoDownload));
            Self::new(root, processes, Arc::new(toolbox), Vec::new(), accept)
        }
    }
}
