//! Third-party charts: fetched as archives, so that what is installed is what was pinned.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use xtask_pipeline::StepRun;

use super::{Chart, Helm, display};
use crate::exit::Exit;

impl Helm {
    /// The chart on this machine: our own folder, or a verified archive.
    pub(super) fn chart(&self, run: &StepRun<'_>, chart: &Chart) -> anyhow::Result<PathBuf> {
        let (url, name, version, pinned) = match chart {
            Chart::Local(folder) => return Ok(folder.clone()),
            Chart::Repository { url, name, version, digest } => (url, name, version, digest),
        };
        let folder = self.logs.with_file_name("charts");
        fs::create_dir_all(&folder)
            .with_context(|| format!("failed to create `{}`", folder.display()))?;
        self.base(&format!("fetch the chart {name}"))
            .deadline(run.deadline)
            .arg("pull")
            .args(chart.arguments())
            .args(["--destination", &display(&folder)])
            .run_quietly()?;
        let archive = folder.join(format!("{name}-{version}.tgz"));
        let found = digest(&archive)?;
        match pinned {
            Some(pinned) => verify(pinned, &found, &format!("chart {name} {version} of {url}"))?,
            None => run.note(&format!(
                "warning: chart {name} {version} is not pinned; to take no other archive from now on, write \
                 `digest: {found}` into helm/addons/addons.yaml"
            )),
        }
        Ok(archive)
    }
}

fn digest(archive: &Path) -> anyhow::Result<String> {
    let bytes =
        fs::read(archive).with_context(|| format!("failed to read `{}`", archive.display()))?;
    let hash = Sha256::digest(&bytes);
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256:{digits}"))
}

fn verify(pinned: &str, found: &str, what: &str) -> anyhow::Result<()> {
    if pinned == found {
        return Ok(());
    }
    Err(Exit::Refused.error(format!(
        "{what} is not the archive that was pinned: it has {found}, expected was {pinned}; a version that was \
         published again is a reason to ask its project, not to change the pin"
    )))
}

#[cfg(test)]
mod tests {
    use super::{digest, verify};
    use crate::exit::{Classified, Exit};

    #[test]
    fn an_archive_that_was_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a-1.0.0.tgz");
        std::fs::write(&archive, "abc").unwrap();
        let found = digest(&archive).unwrap();
        assert_eq!(
            found,
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        verify(&found, &found, "chart a").unwrap();
        std::fs::write(&archive, "abd").unwrap();
        let error = verify(&found, &digest(&archive).unwrap(), "chart a").unwrap_err();
        assert_eq!(error.downcast_ref::<Classified>().unwrap().exit, Exit::Refused);
        assert!(error.to_string().starts_with("chart a is not the archive that was pinned"));
    }
}
