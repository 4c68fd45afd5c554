//! Helm as the runner calls it: one release, its inputs' digest, and the way back.
//!
//! Architecture invariants: values travel in files, never as `--set`; a release whose inputs did
//! not change gets no revision, and what lives otherwise than it declares is put back; a failed
//! upgrade is diagnosed before it is rolled back, because the roll-back removes the evidence. `--force-conflicts` takes fields back that somebody changed
//! by hand: drift is reported before, and an upgrade that a stray `kubectl scale` blocks helps
//! nobody.

mod before;
mod claim;
mod decisions;
pub(crate) mod digest;
mod manifest;
mod pull;
mod recovery;
mod repair;
#[cfg(test)]
mod tests;
mod turn;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use xtask_cloud::{Cluster, HelmRelease};
use xtask_pipeline::{Outcome, StepRun};
use xtask_tools::{Command, Processes};

use self::{
    claim::{Claim, Work},
    decisions::Worked,
    recovery::Failed,
    turn::Place,
};
pub(crate) use self::{manifest::objects_of, turn::time_for};
use crate::{context::Context, exit::Exit, terraform::Infrastructure};

/// Carries the digest of a release's inputs on the release itself.
const DIGEST_LABEL: &str = "xtask-inputs";

/// Carries a mark of the one helm that made the revision.
const MARK_LABEL: &str = "xtask-mark";

/// No release gives its Helm more time.
const LONGEST: Duration = Duration::from_secs(12 * 60);

/// How long a removal may take.
const UNINSTALL_TIME: Duration = Duration::from_secs(10 * 60);

/// Where a chart comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chart {
    Local(PathBuf),
    Repository {
        url: String,
        name: String,
        version: String,
        /// What the archive has to hash to, `sha256:<64 hexadecimal digits>`; none where nobody said.
        digest: Option<String>,
    },
}

/// A release and everything that determines it.
#[derive(Debug, Clone)]
pub(crate) struct Install {
    pub(crate) release: String,
    pub(crate) namespace: String,
    pub(crate) chart: Chart,
    /// Later files win.
    pub(crate) values: Vec<PathBuf>,
    pub(crate) timeout: Duration,
    /// Whether Helm waits until all objects are ready. Not where one of them may fail at first and
    /// then come to work: Helm takes the first word that an object failed for its last.
    pub(crate) wait: bool,
}

impl Install {
    fn patience(&self) -> Vec<String> {
        let timeout = ["--timeout".to_owned(), seconds(self.timeout)];
        self.wait.then(|| "--wait".to_owned()).into_iter().chain(timeout).collect()
    }
}

/// What became of an [`Install`].
#[derive(Debug, Clone)]
pub(crate) struct Installed {
    pub(crate) revision: u32,
    /// Nothing when the release had these inputs already.
    pub(crate) made: Option<Made>,
    /// Objects that lived otherwise than the revision declares, by kind and name.
    pub(crate) repaired: Vec<String>,
}

/// A revision that this run made.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    install: Install,
    revision: u32,
    /// The newest revision before it that worked.
    replaced: Option<Worked>,
}

impl From<Installed> for Outcome {
    fn from(installed: Installed) -> Self {
        let revision = installed.revision;
        match installed.made {
            Some(_) => Self::Changed(format!("revision {revision}")),
            // Which ones was said already.
            None if installed.repaired.len() > 3 => Self::Changed(format!(
                "repaired {} objects of revision {revision}",
                installed.repaired.len()
            )),
            None if !installed.repaired.is_empty() => Self::Changed(format!(
                "repaired {} of revision {revision}",
                installed.repaired.join(", ")
            )),
            None => Self::Unchanged(format!("revision {revision} has these inputs")),
        }
    }
}

/// The Helm binary with its surroundings.
#[derive(Debug, Clone)]
pub(crate) struct Helm {
    pub(crate) processes: Processes,
    pub(crate) program: PathBuf,
    /// Endpoints, `KUBECONFIG` and Helm's own folders.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) logs: PathBuf,
}

impl Helm {
    /// Installs or upgrades and waits; diagnoses and rolls back on failure.
    pub(crate) fn install(
        &self,
        context: &Context,
        run: &StepRun<'_>,
        infrastructure: &Infrastructure,
        install: &Install,
    ) -> anyhow::Result<Installed> {
        let cluster = context.cluster(infrastructure)?;
        if context.cluster_context.is_none() {
            // The stage that wrote it may have run on another machine.
            context.write_kubeconfig(infrastructure)?;
        }
        self.install_into(&cluster, run, install)
    }

    fn install_into(
        &self,
        cluster: &Cluster,
        run: &StepRun<'_>,
        install: &Install,
    ) -> anyhow::Result<Installed> {
        let digest = digest::of(install)?;
        if let Some(revision) = unchanged(find(cluster, install)?.as_ref(), &digest)
            && self.deviations(cluster, install, revision)?.is_empty()
        {
            return Ok(Installed { revision, made: None, repaired: Vec::new() });
        }
        let claim = self.claim(&install.namespace, &install.release)?;
        // What was there may be gone, and what is there now may be all that is wanted.
        let before = self.settled(run, cluster, install, &claim)?;
        if let Some(revision) = unchanged(before.as_ref(), &digest) {
            return self.repair(run, cluster, install, &claim, revision);
        }
        let chart = self.chart(run, &install.chart)?;
        if let Some(deployed) = before.as_ref().filter(|release| release.status == "deployed") {
            self.announce(run, cluster, install, deployed.revision);
        }
        self.apply_definitions(run, cluster, install, &chart)?;
        if before.is_some() {
            self.hand_over_before_upgrade(run, cluster, install, &chart)?;
        }
        let replaced = match before {
            Some(_) => self.newest_that_worked(install)?,
            None => None,
        };
        let mark = new_mark()?;
        match self.upgrade(run, install, &claim, &chart, &digest, &mark) {
            Ok(()) => {
                let revision = find(cluster, install)?.map_or(1, |release| release.revision);
                let made = Made { install: install.clone(), revision, replaced };
                Ok(Installed { revision, made: Some(made), repaired: Vec::new() })
            }
            Err(error) => {
                let failed = Failed { mark, worked: replaced, error };
                Err(self.give_back(run, cluster, install, &claim, failed))
            }
        }
    }

    fn upgrade(
        &self,
        run: &StepRun<'_>,
        install: &Install,
        claim: &Claim,
        chart: &Path,
        digest: &str,
        mark: &str,
    ) -> anyhow::Result<()> {
        let command = self
            .command(&format!("install {}", install.release), run, install)
            .deadline(run.deadline)
            .args(["upgrade", "--install", &install.release])
            .arg(display(chart))
            .args(["--namespace", &install.namespace, "--create-namespace", "--reset-values"])
            .args(install.patience())
            .args(["--force-conflicts", "--history-max", "10"])
            .args(["--labels", &format!("{DIGEST_LABEL}={digest},{MARK_LABEL}={mark}")])
            .args(files(&install.values))
            .holding(claim.file());
        claim.begin(&Work::Upgrade { mark: mark.to_owned() })?;
        command.run(&mut |line| run.progress(line.text))?;
        claim.clear()
    }

    /// Uninstalls and waits, until the Helm of another machine has ended first; false when there was
    /// no such release.
    pub(crate) fn uninstall(
        &self,
        run: &StepRun<'_>,
        cluster: &Cluster,
        release: &str,
        namespace: &str,
    ) -> anyhow::Result<bool> {
        let claim = self.claim(namespace, release)?;
        self.our_turn(run, cluster, &claim, Place { namespace, release, timeout: LONGEST })?;
        let mut absent = false;
        let command = self
            .base(&format!("uninstall {release}"))
            .deadline(run.deadline)
            .log_to(self.logs.join(format!("{}.{}.log", run.stage, run.step)))
            .args(["uninstall", release, "--namespace", namespace, "--ignore-not-found"])
            .args(["--wait", "--timeout", &seconds(UNINSTALL_TIME)])
            .holding(claim.file());
        claim.begin(&Work::Uninstall)?;
        command.run(&mut |line| {
            absent |= line.text.contains("not found");
            run.progress(line.text);
        })?;
        claim.clear()?;
        Ok(!absent)
    }

    /// Runs the release's own tests in the cluster; how many answers they found right.
    ///
    /// # Errors
    /// When one fails: the text has the lines that it printed about it.
    pub(crate) fn test(
        &self,
        run: &StepRun<'_>,
        release: &str,
        namespace: &str,
    ) -> anyhow::Result<usize> {
        let (mut right, mut wrong) = (0, Vec::new());
        let command = self
            .base(&format!("run the tests of {release}"))
            .deadline(run.deadline)
            .log_to(self.logs.join(format!("{}.{}.log", run.stage, run.step)))
            .args(["test", release, "--namespace", namespace, "--logs", "--timeout", "5m"]);
        let ended = command.run(&mut |line| {
            run.progress(line.text);
            right += usize::from(line.text.starts_with("ok "));
            wrong.extend(line.text.strip_prefix("FAILED ").map(str::to_owned));
        });
        match ended {
            Err(_) if !wrong.is_empty() => Err(Exit::SmokeFailed.error(format!(
                "the tests of {release} found from inside of the cluster: {}",
                wrong.join("; ")
            ))),
            ended => ended.map(|_| right),
        }
    }

    /// The manifest that an installation would apply; needs no cluster.
    pub(crate) fn render(&self, install: &Install) -> anyhow::Result<String> {
        self.template(install, &install.chart.arguments()).env_remove("KUBECONFIG").output()
    }

    fn template(&self, install: &Install, chart: &[String]) -> Command {
        self.base("render the chart")
            .args(["template", &install.release])
            .args(chart)
            .args(["--namespace", &install.namespace])
            .args(files(&install.values))
    }

    fn command(&self, purpose: &str, run: &StepRun<'_>, install: &Install) -> Command {
        self.base(purpose).log_to(self.logs.join(format!("{}.{}.log", run.stage, install.release)))
    }

    fn base(&self, purpose: &str) -> Command {
        self.processes.command(&self.program).environment(&self.environment).purpose(purpose)
    }
}

/// The revision that has these inputs and works.
fn unchanged(release: Option<&HelmRelease>, digest: &str) -> Option<u32> {
    let release = release.filter(|release| release.status == "deployed")?;
    let is_same = release.labels.get(DIGEST_LABEL).is_some_and(|label| label == digest);
    is_same.then_some(release.revision)
}

fn new_mark() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).context("failed to get random bytes")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn find(cluster: &Cluster, install: &Install) -> anyhow::Result<Option<HelmRelease>> {
    let releases = cluster.helm_releases(&install.namespace)?;
    Ok(releases.into_iter().find(|release| release.name == install.release))
}

impl Chart {
    fn arguments(&self) -> Vec<String> {
        match self {
            Self::Local(folder) => vec![folder.display().to_string()],
            Self::Repository { url, name, version, .. } => {
                [name, "--repo", url, "--version", version].map(|part| (*part).to_owned()).to_vec()
            }
        }
    }
}

fn files(values: &[PathBuf]) -> impl Iterator<Item = String> + '_ {
    values.iter().flat_map(|file: &PathBuf| ["--values".to_owned(), display(file)])
}

fn display(path: &Path) -> String {
    path.display().to_string()
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs())
}
