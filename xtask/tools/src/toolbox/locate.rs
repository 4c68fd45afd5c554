//! Looks for tools that are already there.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use semver::{Version, VersionReq};

use super::{Found, Origin, Tool, Toolbox};

/// What was found of one tool.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// The first that fits.
    pub(super) fitting: Option<Found>,
    /// Those before it that do not, with their version or why it is unknown.
    pub(super) unfitting: Vec<(PathBuf, Result<Version, String>)>,
}

impl Search {
    /// Why none fits, in the beginning of a sentence.
    pub(super) fn complaint(&self, tool: &Tool) -> String {
        let (name, requirement) = (tool.name, tool.requirement);
        match self.unfitting.first() {
            Some((path, Ok(version))) => {
                format!("{name} {requirement} is needed, but `{}` is {version}", path.display())
            }
            Some((path, Err(why))) => {
                format!("{name} {requirement} is needed, but `{}` {why}", path.display())
            }
            None => format!("{name} {requirement} is needed and was not found"),
        }
    }
}

impl Toolbox {
    /// Looks through the search path, the usual folders, and what was installed before.
    pub(super) fn search(&self, tool: &Tool) -> Search {
        let mut search = Search::default();
        let requirement = VersionReq::parse(tool.requirement).unwrap_or_default();
        for path in self.candidates(tool) {
            match self.version_of(tool, &path) {
                Ok(version) if requirement.matches(&version) => {
                    let origin = Origin::System;
                    search.fitting = Some(Found { name: tool.name, path, version, origin });
                    return search;
                }
                other => search.unfitting.push((path, other)),
            }
        }
        search.fitting = self.installed(tool);
        search
    }

    /// The programs that may be the tool, the likeliest first.
    fn candidates(&self, tool: &Tool) -> Vec<PathBuf> {
        let on_path: Vec<_> =
            env::split_paths(&self.search_path).filter(|folder| folder.is_absolute()).collect();
        let usual = tool.folders.iter().flat_map(|pattern| matching_folders(pattern));
        let mut candidates = Vec::new();
        for folder in on_path.into_iter().chain(usual) {
            let has_companions =
                || tool.companions.iter().all(|companion| is_program(&folder.join(companion)));
            let programs = tool.programs.iter().map(|program| folder.join(program));
            let found = programs.filter(|path| is_program(path)).find(|_| has_companions());
            candidates.extend(found.filter(|path| !candidates.contains(path)));
        }
        candidates
    }

    /// Asks a program for its version.
    pub(super) fn version_of(&self, tool: &Tool, path: &Path) -> Result<Version, String> {
        let command = self
            .processes
            .command(path)
            .args(tool.version_arguments)
            // Terraform would ask its vendor's server for news, and wait for the answer.
            .env("CHECKPOINT_DISABLE", "1")
            .timeout(Duration::from_secs(30))
            .grace(Duration::from_secs(1));
        let output = command.output().map_err(|_| "does not tell its version".to_owned())?;
        version_in(&output).ok_or_else(|| "does not tell its version".to_owned())
    }
}

/// The first thing that looks like a version; `1.33` counts as `1.33.0`.
pub(super) fn version_in(text: &str) -> Option<Version> {
    let is_part = |character: char| !character.is_ascii_digit() && character != '.';
    text.split(is_part).find_map(|word| {
        let numbers: Option<Vec<u64>> = word.split('.').map(|part| part.parse().ok()).collect();
        match numbers?.as_slice() {
            [major, minor] => Some(Version::new(*major, *minor, 0)),
            [major, minor, patch] => Some(Version::new(*major, *minor, *patch)),
            _ => None,
        }
    })
}

pub(super) fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The folders that fit `pattern`, in which one name may hold a `*`; those with the highest number
/// in that name first.
fn matching_folders(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![pattern.into()] };
    let (parent, start) = before.rsplit_once('/').unwrap_or(("", before));
    let rest = after.trim_start_matches('/');
    let entries = fs::read_dir(format!("{parent}/")).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let number = name.strip_prefix(start)?.parse::<f64>().unwrap_or_default();
            Some((number, entry.path().join(rest)))
        })
        .filter(|(_, folder)| folder.is_dir())
        .collect();
    found.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    found.into_iter().map(|(_, folder)| folder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_tools_print() {
        for (printed, version) in [
            ("Terraform v1.11.4\non linux_amd64\n+ provider v5.100.0", "1.11.4"),
            ("v4.1.4+g05fa379", "4.1.4"),
            ("Client Version: v1.33.9\nKustomize Version: v5.6.0", "1.33.9"),
            ("Python 3.11.2", "3.11.2"),
            ("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", "15.14.0"),
        ] {
            assert_eq!(version_in(printed).unwrap().to_string(), version);
        }
        assert_eq!(version_in("command not found: 7"), None);
    }

    #[test]
    fn the_highest_of_several_folders_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        for version in ["9.6", "15", "17", "draft"] {
            fs::create_dir_all(folder.path().join(version).join("bin")).unwrap();
        }
        let pattern = format!("{}/*/bin", folder.path().display());
        let found: Vec<_> = matching_folders(&pattern)
            .iter()
            .map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string())
            .collect();
        assert_eq!(found, ["17/bin", "15/bin", "9.6/bin", "draft/bin"]);
        assert!(matching_folders("/does-not-exist/*/bin").is_empty());
    }
}
