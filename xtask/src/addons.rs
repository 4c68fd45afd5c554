//! The pinned table of third-party charts: `helm/addons/addons.yaml`.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use serde::Deserialize;

use crate::helm::Chart;

/// One third-party chart.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Addon {
    pub(crate) name: String,
    pub(crate) chart: String,
    pub(crate) version: String,
    pub(crate) repository: String,
    pub(crate) namespace: String,
    pub(crate) release: String,
    pub(crate) values_file: String,
    /// Image tags by Kubernetes minor, for a program that has to match the cluster's.
    #[serde(default, rename = "imageTagByKubernetesMinor")]
    pub(crate) image_tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Table {
    addons: Vec<Addon>,
}

/// Every add-on, in the order in which they are installed.
pub(crate) fn table(root: &Path) -> anyhow::Result<Vec<Addon>> {
    let path = root.join("helm/addons/addons.yaml");
    let text =
        std::fs::read_to_string(&path).context("failed to read `helm/addons/addons.yaml`")?;
    let table: Table =
        serde_norway::from_str(&text).context("helm/addons/addons.yaml is not as expected")?;
    Ok(table.addons)
}

impl Addon {
    /// Where the chart comes from: a mirror, if there is one, holds it under the same name.
    pub(crate) fn source(&self, mirror: Option<&str>) -> Chart {
        Chart::Repository {
            url: mirror.unwrap_or(&self.repository).to_owned(),
            name: self.chart.clone(),
            version: self.version.clone(),
        }
    }

    pub(crate) fn image_tag_for(&self, minor: &str) -> anyhow::Result<&str> {
        self.image_tags.get(minor).map(String::as_str).with_context(|| {
            format!(
                "helm/addons/addons.yaml has no image tag of {} for Kubernetes {minor}; add one",
                self.name
            )
        })
    }
}
