//! The pinned table of third-party charts: `helm/addons/addons.yaml`.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use serde::Deserialize;

use crate::{helm::Chart, platform::Platform};

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
    /// `sha256:<64 hexadecimal digits>` of the archive; none where it has not been recorded.
    pub(crate) digest: Option<String>,
    /// The repositories of its images, by the JSON pointer of the value that names them.
    pub(crate) images: BTreeMap<String, String>,
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
    for Addon { name, digest, .. } in &table.addons {
        anyhow::ensure!(
            digest.as_deref().is_none_or(is_digest),
            "helm/addons/addons.yaml: `digest` of {name} is neither null nor sha256:<64 hexadecimal digits>"
        );
    }
    Ok(table.addons)
}

fn is_digest(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix("sha256:").is_some_and(|rest| rest.len() == 64 && rest.bytes().all(is_digit))
}

impl Addon {
    /// Where the chart comes from: a mirror, if there is one, holds it under the same name.
    pub(crate) fn source(&self, platform: &Platform) -> Chart {
        let mirrored = platform.chart_digests.get(&self.chart);
        Chart::Repository {
            url: platform.chart_mirror.as_ref().unwrap_or(&self.repository).clone(),
            name: self.chart.clone(),
            version: self.version.clone(),
            digest: mirrored.or(self.digest.as_ref()).cloned(),
        }
    }

    /// The values that name images whose registry has a cache, by their JSON pointers.
    pub(crate) fn cached_images(
        &self,
        registries: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let cached = |repository: &String| {
            let (registry, path) = repository.split_once('/')?;
            Some(format!("{}/{path}", registries.get(registry)?.trim_end_matches('/')))
        };
        let images = self.images.iter();
        images
            .filter_map(|(value, repository)| Some((value.clone(), cached(repository)?)))
            .collect()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Table, is_digest};

    #[test]
    fn images_come_from_the_cache_of_their_registry() {
        let text = include_str!("../../helm/addons/addons.yaml");
        let addons = serde_norway::from_str::<Table>(text).unwrap().addons;
        let cache = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        let registries = |names: &[&str]| -> BTreeMap<String, String> {
            names.iter().map(|name| ((*name).to_owned(), format!("{cache}/{name}/"))).collect()
        };
        let all = registries(&["ghcr.io", "public.ecr.aws", "registry.k8s.io"]);
        for addon in &addons {
            let cached = addon.cached_images(&all);
            assert_eq!(cached.len(), addon.images.len(), "{}", addon.name);
            assert!(!cached.is_empty(), "{}", addon.name);
            for (value, repository) in &addon.images {
                assert_eq!(cached[value], format!("{cache}/{repository}"));
            }
            assert_eq!(addon.cached_images(&registries(&["docker.io"])).len(), 0);
        }
    }

    #[test]
    fn a_digest_has_its_algorithm_and_64_digits() {
        assert!(is_digest(&format!("sha256:{}", "0a".repeat(32))));
        for wrong in ["", "sha256:", &"0a".repeat(32), &format!("sha256:{}", "0A".repeat(32))] {
            assert!(!is_digest(wrong), "{wrong}");
        }
    }
}
