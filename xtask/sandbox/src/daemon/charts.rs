//! The chart mirror: stand-ins of the third-party charts, as an ordinary Helm repository.
//!
//! Packages are deterministic: the same binary serves the same bytes.

use std::{collections::BTreeMap, io::Write as _};

use anyhow::Context;
use flate2::{Compression, GzBuilder};
use include_dir::{Dir, DirEntry, include_dir};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

static CHARTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/charts");

const INDEX: &str = "index.yaml";
/// Every file and entry carries it: the beginning of the epoch that tar and gzip count from.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// The repository.
#[derive(Debug)]
pub(super) struct Mirror {
    /// By name.
    files: BTreeMap<String, Vec<u8>>,
    /// `sha256:...` of the archives, by chart.
    digests: BTreeMap<String, String>,
}

/// What an index takes over from `Chart.yaml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chart {
    api_version: String,
    name: String,
    version: String,
    app_version: String,
    description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kube_version: Option<String>,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    api_version: &'static str,
    generated: &'static str,
    entries: BTreeMap<String, Vec<Entry>>,
}

#[derive(Debug, Serialize)]
struct Entry {
    #[serde(flatten)]
    chart: Chart,
    created: &'static str,
    digest: String,
    urls: Vec<String>,
}

impl Mirror {
    /// Packs all charts of this binary.
    pub(super) fn package() -> anyhow::Result<Self> {
        let mut files = BTreeMap::new();
        let mut entries = BTreeMap::<_, Vec<_>>::new();
        let mut digests = BTreeMap::new();
        for folder in CHARTS.dirs() {
            let name = folder.path().display();
            let text = folder
                .get_file(folder.path().join("Chart.yaml"))
                .with_context(|| format!("chart {name} has no Chart.yaml"))?;
            let chart: Chart = serde_norway::from_slice(text.contents())
                .with_context(|| format!("failed to read Chart.yaml of chart {name}"))?;
            let package = pack(folder).with_context(|| format!("failed to pack chart {name}"))?;
            let file = format!("{}-{}.tgz", chart.name, chart.version);
            let digest: String =
                Sha256::digest(&package).iter().map(|byte| format!("{byte:02x}")).collect();
            digests.insert(chart.name.clone(), format!("sha256:{digest}"));
            entries.entry(chart.name.clone()).or_default().push(Entry {
                chart,
                created: CREATED,
                digest,
                urls: vec![file.clone()],
            });
            files.insert(file, package);
        }
        let index = Index { api_version: "v1", generated: CREATED, entries };
        let text =
            serde_norway::to_string(&index).context("failed to write the index of the charts")?;
        files.insert(INDEX.to_owned(), text.into_bytes());
        Ok(Self { files, digests })
    }

    pub(super) fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    pub(super) fn digests(&self) -> &BTreeMap<String, String> {
        &self.digests
    }

    /// What a probe asks for.
    pub(super) fn index() -> &'static str {
        INDEX
    }
}

fn pack(chart: &Dir<'_>) -> anyhow::Result<Vec<u8>> {
    let gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut tar = tar::Builder::new(gzip);
    let mut paths = Vec::new();
    collect(chart, &mut paths);
    // `Chart.yaml` first, as Helm packs it; then by name.
    paths.sort_by_key(|file| (file.path().file_name() != Some("Chart.yaml".as_ref()), file.path()));
    for file in paths {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(file.contents().len())?);
        header.set_mode(0o644);
        header.set_mtime(0);
        // Paths begin with the chart's folder, which is the chart's name.
        tar.append_data(&mut header, file.path(), file.contents())?;
    }
    let mut gzip = tar.into_inner()?;
    gzip.flush()?;
    Ok(gzip.finish()?)
}

fn collect<'a>(folder: &'a Dir<'a>, files: &mut Vec<&'a include_dir::File<'a>>) {
    for entry in folder.entries() {
        match entry {
            DirEntry::Dir(inner) => collect(inner, files),
            DirEntry::File(file) => files.push(file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn packages_are_the_same_each_time_and_fit_the_index() {
        let (mirror, again) = (Mirror::package().unwrap(), Mirror::package().unwrap());
        assert_eq!(mirror.files, again.files);
        let index: serde_norway::Value =
            serde_norway::from_slice(mirror.file(INDEX).unwrap()).unwrap();
        let entries = index["entries"].as_mapping().unwrap();
        assert_eq!(entries.len(), 3);
        for (name, versions) in entries {
            let file = versions[0]["urls"][0].as_str().unwrap();
            let digest: String = Sha256::digest(mirror.file(file).unwrap())
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(versions[0]["digest"].as_str().unwrap(), digest);
            let mut archive =
                tar::Archive::new(flate2::read::GzDecoder::new(mirror.file(file).unwrap()));
            let mut entries = archive.entries().unwrap();
            let mut first = entries.next().unwrap().unwrap();
            let path = first.path().unwrap().display().to_string();
            assert_eq!(path, format!("{}/Chart.yaml", name.as_str().unwrap()));
            let mut text = String::new();
            first.read_to_string(&mut text).unwrap();
            assert!(text.contains("stand-in"));
        }
    }
}
