//! One short text that changes exactly when a release's inputs change.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::{Chart, Install};

/// 40 hexadecimal digits: a label's value may have 63.
pub(super) fn of(install: &Install) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    match &install.chart {
        Chart::Local(folder) => {
            for file in files(folder)? {
                let name = file.strip_prefix(folder).unwrap_or(&file);
                feed(&mut hash, name.to_string_lossy().as_bytes());
                feed(&mut hash, &read(&file)?);
            }
        }
        Chart::Repository { url, name, version, digest } => {
            for part in [url, name, version].into_iter().chain(digest) {
                feed(&mut hash, part.as_bytes());
            }
        }
    }
    for file in &install.values {
        feed(&mut hash, &read(file)?);
    }
    Ok(shown(hash))
}

pub(crate) fn shown(hash: Sha256) -> String {
    hash.finalize().iter().take(20).map(|byte| format!("{byte:02x}")).collect()
}

/// The length goes first, so that no two lists of parts read the same.
pub(crate) fn feed(hash: &mut Sha256, part: &[u8]) {
    hash.update(part.len().to_le_bytes());
    hash.update(part);
}

pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("failed to read `{}`", file.display()))
}

/// Every file below a folder, sorted, so that the digest is the same on every machine.
pub(crate) fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("failed to list `{}`", folder.display()))?;
        for entry in entries {
            let path =
                entry.with_context(|| format!("failed to list `{}`", folder.display()))?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::{Chart, Install, of};

    #[test]
    fn it_follows_charts_and_values_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let chart = folder.path().join("chart");
        fs::create_dir_all(chart.join("templates")).unwrap();
        fs::write(chart.join("templates/a.yaml"), "a: 1").unwrap();
        let values = folder.path().join("values.yaml");
        fs::write(&values, "x: 1").unwrap();
        let install = Install {
            release: "r".to_owned(),
            namespace: "n".to_owned(),
            chart: Chart::Local(chart.clone()),
            values: vec![values.clone()],
            timeout: Duration::from_secs(1),
            wait: true,
        };
        let first = of(&install).unwrap();
        assert_eq!(first.len(), 40);
        assert_eq!(
            of(&Install { timeout: Duration::from_secs(2), ..install.clone() }).unwrap(),
            first
        );
        fs::write(&values, "x: 2").unwrap();
        let second = of(&install).unwrap();
        fs::write(chart.join("templates/b.yaml"), "").unwrap();
        assert_ne!(second, first);
        assert_ne!(of(&install).unwrap(), second);
    }
}
