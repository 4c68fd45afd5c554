//! What has to be done before Helm can upgrade a release, because Helm does not do it.

use std::path::Path;

use xtask_cloud::Cluster;
use xtask_pipeline::StepRun;

use super::{Chart, Helm, Install, display, manifest, repair::MANAGER};
use crate::context::waiting;

impl Helm {
    /// Applies what the chart's `crds` folder defines. Helm makes these definitions when they are not
    /// there and never changes them again, not even with the chart that needs a newer one.
    pub(super) fn apply_definitions(
        &self,
        run: &StepRun<'_>,
        cluster: &Cluster,
        install: &Install,
        chart: &Path,
    ) -> anyhow::Result<()> {
        if matches!(install.chart, Chart::Local(_)) && !chart.join("crds").is_dir() {
            return Ok(());
        }
        let text = self
            .base("read the chart's definitions")
            .args(["show", "crds", &display(chart)])
            .output()?;
        let definitions = manifest::objects(&text)?;
        if definitions.is_empty() {
            return Ok(());
        }
        run.progress(&format!("applying the chart's definitions ({})", definitions.len()));
        waiting(run, |wait| cluster.put_back(&definitions, &install.namespace, MANAGER, wait))
    }

    /// As [`Self::hand_over_replicas`], for an upgrade to a chart that is on this machine.
    pub(super) fn hand_over_before_upgrade(
        &self,
        run: &StepRun<'_>,
        cluster: &Cluster,
        install: &Install,
        chart: &Path,
    ) -> anyhow::Result<()> {
        let version = cluster.version()?;
        let rendered = self
            .template(install, &[display(chart)])
            .args(["--is-upgrade", "--kube-version", &version])
            .output();
        // The upgrade itself says best why a chart does not render.
        let Ok(text) = rendered else { return Ok(()) };
        self.hand_over_replicas(run, cluster, install, &manifest::objects(&text)?)
    }

    /// Keeps the number of replicas of what an autoscaler takes over with this upgrade: Helm stops
    /// declaring it, and without an owner it falls to one.
    pub(super) fn hand_over_replicas(
        &self,
        run: &StepRun<'_>,
        cluster: &Cluster,
        install: &Install,
        declared: &[serde_json::Value],
    ) -> anyhow::Result<()> {
        let names = cluster.hand_over_replicas(declared, &install.namespace, MANAGER)?;
        if !names.is_empty() {
            run.note(&format!(
                "{} keep their replicas until the autoscaler sets them",
                names.join(", ")
            ));
        }
        Ok(())
    }
}
