//! Helm as the runner calls it: one release, its inputs' digest, and the way back.
//!
//! Architecture invariants: values travel in files, never as `--set`; a release whose inputs did
//! not change gets no revision; a failed upgrade is diagnosed before it is rolled back, because
//! the roll-back removes the evidence. `--force-conflicts` takes fields back that somebody changed
//! by hand: drift is reported before, and an upgrade that a stray `kubectl scale` blocks helps
//! nobody.

mod digest;
mod pull;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use xtask_cloud::{Cluster, Finding, HelmRelease};
use xtask_pipeline::{Outcome, StepRun};
use xtask_tools::{Command, Processes};

use crate::{context::Context, exit::Exit, terraform::Infrastructure};

/// Carries the digest of a release's inputs on the release itself.
const DIGEST_LABEL: &str = "xtask-inputs";

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
    /// Installs or upgrades and waits; rolls back on failure.
    pub(crate) fn install(
        &self,
        context: &Context,
        run: &StepRun<'_>,
        infrastructure: &Infrastructure,
        install: &Install,
    ) -> anyhow::Result<Outcome> {
        let cluster = context.cluster(infrastructure)?;
        if context.cluster_context.is_none() {
            // The stage that wrote it may have run on another machine.
            context.write_kubeconfig(infrastructure)?;
        }
        let digest = digest::of(install)?;
        let before = find(&cluster, install)?;
        if let Some(release) = &before
            && release.status == "deployed"
            && release.labels.get(DIGEST_LABEL) == Some(&digest)
        {
            return Ok(Outcome::Unchanged(format!(
                "revision {} has these inputs",
                release.revision
            )));
        }
        let chart = self.chart(run, &install.chart)?;
        self.recover(run, install, before.as_ref())?;
        let deployed = match before {
            Some(_) => self.last_deployed(install)?,
            None => None,
        };
        match self.upgrade(run, install, &chart, &digest) {
            Ok(()) => {
                let revision = find(&cluster, install)?.map_or(1, |release| release.revision);
                Ok(Outcome::Changed(format!("revision {revision}")))
            }
            Err(error) => Err(self.give_back(run, install, &cluster, deployed, error)),
        }
    }

    fn upgrade(
        &self,
        run: &StepRun<'_>,
        install: &Install,
        chart: &Path,
        digest: &str,
    ) -> anyhow::Result<()> {
        let command = self
            .command(&format!("install {}", install.release), run, install)
            .args(["upgrade", "--install", &install.release])
            .arg(display(chart))
            .args(["--namespace", &install.namespace, "--create-namespace", "--reset-values"])
            .args([
                "--wait",
                "--timeout",
                &seconds(install.timeout),
                "--force-conflicts",
                "--history-max",
                "10",
            ])
            .args(["--labels", &format!("{DIGEST_LABEL}={digest}")])
            .args(files(&install.values));
        command.run(&mut |line| run.progress(line.text)).map(drop)
    }

    /// A run that was killed leaves a release pending; Helm refuses to touch it until it is ended.
    fn recover(
        &self,
        run: &StepRun<'_>,
        install: &Install,
        before: Option<&HelmRelease>,
    ) -> anyhow::Result<()> {
        let Some(release) = before.filter(|release| release.status.starts_with("pending")) else {
            return Ok(());
        };
        let Install { release: name, namespace, .. } = install;
        match self.last_deployed(install)? {
            Some(revision) => {
                run.note(&format!(
                    "{name} was left {}: rolling back to revision {revision} first",
                    release.status
                ));
                self.rollback(run, install, revision)
            }
            None => {
                run.note(&format!(
                    "{name} was left {} and never worked: removing it first",
                    release.status
                ));
                let command =
                    self.command("remove a release that never worked", run, install).args([
                        "uninstall",
                        name,
                        "--namespace",
                        namespace,
                        "--wait",
                        "--timeout",
                        "5m",
                    ]);
                command.run(&mut |line| run.progress(line.text)).map(drop)
            }
        }
    }

    /// Says what went wrong, then goes back to the last revision that worked.
    fn give_back(
        &self,
        run: &StepRun<'_>,
        install: &Install,
        cluster: &Cluster,
        deployed: Option<u32>,
        error: anyhow::Error,
    ) -> anyhow::Error {
        for finding in cluster.diagnose(&install.namespace, &install.release).unwrap_or_default() {
            run.note(&described(&finding));
        }
        let after = match deployed {
            None => format!(
                "the release stays as it failed, to be looked at: kubectl -n {} get pods,events",
                install.namespace
            ),
            Some(revision) => match self.rollback(run, install, revision) {
                Ok(()) => format!("rolled back to revision {revision}, which worked"),
                Err(rollback) => {
                    format!("the roll-back to revision {revision} failed, too: {rollback:#}")
                }
            },
        };
        Exit::StageFailed.error(format!("{error:#}; {after}"))
    }

    /// The newest revision that ever worked.
    fn last_deployed(&self, install: &Install) -> anyhow::Result<Option<u32>> {
        let history: Vec<Revision> = self
            .base("read the release's history")
            .args([
                "history",
                &install.release,
                "--namespace",
                &install.namespace,
                "--output",
                "json",
            ])
            .json()?;
        let worked =
            |revision: &&Revision| matches!(revision.status.as_str(), "deployed" | "superseded");
        Ok(history.iter().filter(worked).map(|revision| revision.revision).max())
    }

    fn rollback(&self, run: &StepRun<'_>, install: &Install, revision: u32) -> anyhow::Result<()> {
        let command = self
            .command("roll back", run, install)
            .args([
                "rollback",
                &install.release,
                &revision.to_string(),
                "--namespace",
                &install.namespace,
            ])
            .args(["--wait", "--timeout", &seconds(install.timeout), "--force-conflicts"])
            .despite_interrupt();
        command.run(&mut |line| run.progress(line.text)).map(drop)
    }

    /// Uninstalls and waits; false when there was no such release.
    pub(crate) fn uninstall(
        &self,
        run: &StepRun<'_>,
        release: &str,
        namespace: &str,
    ) -> anyhow::Result<bool> {
        let mut absent = false;
        let command = self
            .base(&format!("uninstall {release}"))
            .deadline(run.deadline)
            .log_to(self.logs.join(format!("{}.{}.log", run.stage, run.step)))
            .args([
                "uninstall",
                release,
                "--namespace",
                namespace,
                "--ignore-not-found",
                "--wait",
                "--timeout",
                "10m",
            ]);
        command.run(&mut |line| {
            absent |= line.text.contains("not found");
            run.progress(line.text);
        })?;
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
        self.base("render the chart")
            .args(["template", &install.release])
            .args(install.chart.arguments())
            .args(["--namespace", &install.namespace])
            .args(files(&install.values))
            .env_remove("KUBECONFIG")
            .output()
    }

    fn command(&self, purpose: &str, run: &StepRun<'_>, install: &Install) -> Command {
        self.base(purpose)
            .deadline(run.deadline)
            .log_to(self.logs.join(format!("{}.{}.log", run.stage, install.release)))
    }

    fn base(&self, purpose: &str) -> Command {
        self.processes.command(&self.program).environment(&self.environment).purpose(purpose)
    }
}

/// A line of `helm history --output json`.
#[derive(Deserialize)]
struct Revision {
    revision: u32,
    status: String,
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

/// One finding in one paragraph: what, why, the events and the last lines of the log.
fn described(finding: &Finding) -> String {
    let mut place = finding.workload.clone();
    for part in [&finding.pod, &finding.container].into_iter().flatten() {
        place = format!("{place} › {part}");
    }
    let mut text = format!("{place}: {}", finding.reason);
    for line in finding.events.iter().chain(&finding.log_tail) {
        text.push_str("\n    ");
        text.push_str(line);
    }
    text
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
