//! The tools that this project runs: found where they are, else installed in a folder of its own.
//!
//! Invariants: a program that was downloaded is used only after its checksum was right; a tool's
//! folder appears complete or not at all; two runs at the same time do not install the same tool
//! twice.

mod archive;
mod doctor;
mod install;
mod locate;
mod platform;
mod providers;
mod python;
mod table;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::bail;
use semver::Version;
use serde::Serialize;

pub use doctor::{Finding, FindingVerdict};
pub use platform::Platform;
pub use providers::{ProviderInstallation, Surroundings};
pub use table::{Archive, Shape, Source, TOOLS, Tool, Wheel, tool};

use crate::{Download, Processes};

/// Finds and installs tools. One is made per run, and shared.
pub struct Toolbox {
    folder: PathBuf,
    processes: Processes,
    download: Arc<dyn Download>,
    search_path: OsString,
    platform: Option<Platform>,
    say: Arc<dyn Fn(&str) + Send + Sync>,
    found: Mutex<BTreeMap<&'static str, Found>>,
}

/// A tool that fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    pub name: &'static str,
    /// Absolute.
    pub path: PathBuf,
    pub version: Version,
    pub origin: Origin,
}

/// Where a tool came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// From a folder of the search path, or a usual folder of the system.
    System,
    /// Installed by this project.
    Installed,
}

impl Found {
    /// The folder of the program; tools of many programs (PostgreSQL) have all of them here.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }
}

impl Toolbox {
    /// Installs into `folder` (`target/tools`), which is made when it is needed.
    #[must_use]
    pub fn new(
        folder: impl Into<PathBuf>,
        processes: Processes,
        download: Arc<dyn Download>,
    ) -> Self {
        let folder = folder.into();
        Self {
            // Programs get a working directory of their own, so relative paths would break.
            folder: std::path::absolute(&folder).unwrap_or(folder),
            processes,
            download,
            search_path: std::env::var_os("PATH").unwrap_or_default(),
            platform: Platform::current(),
            say: Arc::new(|_| ()),
            found: Mutex::default(),
        }
    }

    /// Tells the person what takes long: "installing helm 4.1.4".
    #[must_use]
    pub fn saying(mut self, say: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.say = Arc::new(say);
        self
    }

    /// Looks for programs in `path` (as in `PATH`) in the place of the process's own.
    #[must_use]
    pub fn searching(mut self, path: impl Into<OsString>) -> Self {
        self.search_path = path.into();
        self
    }

    /// The tool called `name` (see [`TOOLS`]): the one of the system when its version fits, else
    /// the pinned one, which is installed when it is not yet there.
    ///
    /// # Errors
    /// When there is none that fits and it cannot be installed: one sentence with the remedy.
    pub fn ensure(&self, name: &str) -> anyhow::Result<Found> {
        let tool = tool(name)?;
        if let Some(found) = self.remembered(tool) {
            return Ok(found);
        }
        let search = self.search(tool);
        let found = match search.fitting {
            Some(found) => found,
            None if !self.can_install(tool) => bail!("{}: {}", search.complaint(tool), tool.remedy),
            None => self.install(tool)?,
        };
        let mut known = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(tool.name, found.clone());
        Ok(found)
    }

    /// The folder into which tools are installed.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn remembered(&self, tool: &Tool) -> Option<Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).get(tool.name).cloned()
    }

    fn can_install(&self, tool: &Tool) -> bool {
        self.platform
            .is_some_and(|platform| tool.sources.iter().any(|source| source.serves(platform)))
    }
}

impl fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Toolbox").field("folder", &self.folder).finish_non_exhaustive()
    }
}
