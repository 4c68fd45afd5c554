//! Python environments of pinned, hashed packages.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::{
    Toolbox,
    install::{create_folder, hexadecimal},
};
use crate::Command;

/// The file that is written last: an environment without it is unfinished. It holds the folder that
/// the environment was made in, since programs in it name their interpreter by its full path: in a
/// repository that was moved or copied they would run the old one's, or nothing.
const COMPLETE: &str = "complete";

impl Toolbox {
    /// The interpreter of an environment with exactly the packages of the `requirements` file
    /// (each with its hash). It is made once for each content of the file; call further programs
    /// of the packages with `-m`.
    ///
    /// # Errors
    /// When there is no Python, a hash is wrong or missing, or a package cannot be fetched.
    pub fn python_environment(&self, name: &str, requirements: &Path) -> anyhow::Result<PathBuf> {
        let cannot = || format!("failed to read `{}`", requirements.display());
        let content = fs::read(requirements).with_context(cannot)?;
        let python = self.ensure("python")?;
        let mut hash = Sha256::new();
        hash.update(&content);
        hash.update(python.version.to_string());
        let digest = hexadecimal(&hash.finalize());
        let place = self.folder.join("python").join(format!("{name}-{}", &digest[..12]));
        let interpreter = place.join("bin/python");
        if is_complete(&place) && interpreter.exists() {
            return Ok(interpreter);
        }
        let _lock = self.lock(&format!("python-{name}"))?;
        if is_complete(&place) && interpreter.exists() {
            return Ok(interpreter);
        }
        (self.say)(&format!("installing the Python packages of {name}"));
        self.make_environment(&place)?;
        let install = self
            .processes
            .command(&interpreter)
            .args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"])
            // Python compiles what is imported, which is a small part.
            .arg("--no-compile")
            .args(["--require-hashes", "--requirement"])
            .arg(requirements)
            .purpose(&format!("install the Python packages of {name}"))
            .log_to(place.join("install.log"))
            .timeout(Duration::from_secs(1200));
        install.run(&mut |line| {
            if let Some(package) = line.text.strip_prefix("Collecting ") {
                let package = package.split([' ', '=']).next().unwrap_or(package);
                (self.say)(&format!("installing the Python packages of {name}: {package}"));
            }
        })?;
        complete(&place)?;
        Ok(interpreter)
    }

    /// A command that begins with pip: the interpreter's own, or that of an environment made for
    /// it where a system's Python comes without.
    pub(super) fn pip(&self) -> anyhow::Result<Command> {
        let python = self.ensure("python")?;
        let own = self.processes.command(&python.path).args(["-m", "pip"]);
        let asks = own.clone().arg("--version").timeout(Duration::from_secs(60));
        if asks.run_quietly().is_ok() {
            return Ok(own);
        }
        let place = self.folder.join("python/pip");
        let interpreter = place.join("bin/python");
        let _lock = self.lock("python-pip")?;
        if !is_complete(&place) {
            self.make_environment(&place)?;
            complete(&place)?;
        }
        Ok(self.processes.command(interpreter).args(["-m", "pip"]))
    }

    /// An empty environment in place of whatever is there. It is made where it stays: scripts in
    /// it name their interpreter by its full path.
    fn make_environment(&self, place: &Path) -> anyhow::Result<()> {
        if place.exists() {
            fs::remove_dir_all(place).with_context(|| {
                format!("failed to remove the unfinished `{}`", place.display())
            })?;
        }
        create_folder(place.parent().unwrap_or(place))?;
        let python = self.ensure("python")?;
        self.processes
            .command(&python.path)
            .args(["-m", "venv"])
            .arg(place)
            .purpose("create a Python environment (Debian keeps what it needs in python3-venv)")
            .timeout(Duration::from_secs(300))
            .run_quietly()?;
        Ok(())
    }
}

/// Whether an environment was made to its end, and where it lies now.
fn is_complete(place: &Path) -> bool {
    let here = fs::canonicalize(place).ok();
    let made_in = fs::read_to_string(place.join(COMPLETE)).ok();
    here.is_some_and(|here| made_in.is_some_and(|made_in| Path::new(&made_in) == here))
}

fn complete(place: &Path) -> anyhow::Result<()> {
    let write = || fs::write(place.join(COMPLETE), fs::canonicalize(place)?.display().to_string());
    write().with_context(|| format!("failed to finish `{}`", place.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_that_was_moved_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        fs::create_dir(&first).unwrap();
        assert!(!is_complete(&first));
        complete(&first).unwrap();
        assert!(is_complete(&first));
        std::os::unix::fs::symlink(&first, &second).unwrap();
        assert!(is_complete(&second), "another name for the same folder");
        fs::remove_file(&second).unwrap();
        fs::rename(&first, &second).unwrap();
        assert!(!is_complete(&second));
    }
}
