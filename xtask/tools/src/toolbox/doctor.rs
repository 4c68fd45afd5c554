//! What a person should know about the tools before a run, all at once.

use std::path::PathBuf;

use semver::Version;
use serde::Serialize;

use super::{TOOLS, Tool, Toolbox};

/// What was found of one tool. Nothing is installed for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub name: &'static str,
    pub needed_for: &'static str,
    /// Which versions fit, in Cargo's notation.
    pub wanted: &'static str,
    pub version: Option<Version>,
    pub path: Option<PathBuf>,
    pub verdict: FindingVerdict,
    /// What will be done, or what the person has to do; nothing when all is well.
    pub remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingVerdict {
    Ok,
    /// The pinned version will be installed when it is needed first.
    WillInstall,
    Missing,
    WrongVersion,
}

impl FindingVerdict {
    /// Whether a run can go on with it.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Ok | Self::WillInstall)
    }
}

impl Toolbox {
    /// Looks for every tool of the table.
    #[must_use]
    pub fn doctor(&self) -> Vec<Finding> {
        TOOLS.iter().map(|tool| self.examine(tool)).collect()
    }

    fn examine(&self, tool: &'static Tool) -> Finding {
        let search = self.search(tool);
        let finding = |version, path, verdict, remedy| Finding {
            name: tool.name,
            needed_for: tool.needed_for,
            wanted: tool.requirement,
            version,
            path,
            verdict,
            remedy,
        };
        if let Some(found) = search.fitting {
            return finding(Some(found.version), Some(found.path), FindingVerdict::Ok, None);
        }
        let complaint = search.complaint(tool);
        let (path, version) = match search.unfitting.into_iter().next() {
            Some((path, version)) => (Some(path), version.ok()),
            None => (None, None),
        };
        if self.can_install(tool) {
            let pinned = tool.sources.first().map_or("", |source| source.version());
            let remedy =
                format!("nothing to do: {pinned} will be installed in `{}`", self.folder.display());
            return finding(version, path, FindingVerdict::WillInstall, Some(remedy));
        }
        let is_there = path.is_some();
        let verdict = if is_there { FindingVerdict::WrongVersion } else { FindingVerdict::Missing };
        finding(version, path, verdict, Some(format!("{complaint}: {}", tool.remedy)))
    }
}
