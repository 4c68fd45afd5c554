//! Where the sandbox keeps its files.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;

/// The state folder when nothing else is said, from the root of the repository.
pub(crate) const STATE_FOLDER: &str = "target/sandbox";

/// The state folder and the names in it.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Made absolute at once: a daemon keeps no working directory.
    pub(crate) fn new(path: &Path) -> anyhow::Result<Self> {
        let root = std::path::absolute(path)
            .with_context(|| format!("failed to resolve the state folder `{}`", path.display()))?;
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What clients read; see [`crate::state::State`].
    pub(crate) fn state_file(&self) -> PathBuf {
        self.root.join("sandbox.json")
    }

    /// The processes to end; see [`crate::records::Records`].
    pub(crate) fn records_file(&self) -> PathBuf {
        self.root.join("processes.json")
    }

    /// Beside the folder, so that removing the folder never removes a lock that somebody waits for.
    pub(crate) fn lock_file(&self) -> PathBuf {
        let mut name = self.root.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        self.root.with_file_name(name)
    }

    pub(crate) fn log(&self, part: &str) -> PathBuf {
        self.root.join("logs").join(format!("{part}.log"))
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Makes the folder. Others may pass through (PostgreSQL runs as another user when we are root),
    /// and read nothing.
    pub(crate) fn create(&self) -> anyhow::Result<()> {
        for folder in [&self.root, &self.root.join("logs")] {
            fs::create_dir_all(folder)
                .with_context(|| format!("failed to create `{}`", folder.display()))?;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o711))
                .with_context(|| format!("failed to protect `{}`", folder.display()))?;
        }
        Ok(())
    }

    /// Removes the folder and all that is in it; one that is not there is fine.
    pub(crate) fn remove(&self) -> anyhow::Result<()> {
        match fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("failed to remove `{}`", self.root.display()))
            }
            _ => Ok(()),
        }
    }
}

/// Writes a file for its owner alone: a reader sees the old text or all of the new one.
pub(crate) fn write_private(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let write = || -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        io::Write::write_all(&mut file, text)?;
        fs::rename(&unfinished, path)
    };
    write().with_context(|| format!("failed to write `{}`", path.display()))
}

/// Makes a folder (and those above it) that only its owner may enter.
pub(crate) fn create_private(path: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("failed to create `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_is_replaced_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        write_private(&path, b"first, and longer").unwrap();
        write_private(&path, b"second").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_lock_lies_beside_the_folder() {
        let folder = Folder::new(Path::new("/somewhere/target/sandbox")).unwrap();
        assert_eq!(folder.lock_file(), Path::new("/somewhere/target/sandbox.lock"));
    }
}
