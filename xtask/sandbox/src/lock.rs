//! One `up` or `down` at a time.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
};

use anyhow::Context;

use crate::folder::Folder;

/// Held until it is dropped, or until the process ends in any way.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for another `up` or `down` of the same folder, and says so.
    pub(crate) fn take(folder: &Folder) -> anyhow::Result<Self> {
        let path = folder.lock_file();
        let failed = || format!("failed to lock `{}`", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(failed)?;
        }
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let _ = writeln!(io::stderr(), "waiting for another `sandbox` command to finish");
                file.lock().with_context(failed)?;
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(failed),
        }
        Ok(Self { _file: file })
    }
}
