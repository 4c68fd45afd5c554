//! The controllers' own log: one file a cluster, for the case that the sandbox itself misbehaves.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;

/// A handle on the log file; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Log(Arc<Mutex<File>>);

impl Log {
    /// Opens `path` for appending.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .with_context(|| format!("failed to open `{}`", path.display()))?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    /// Appends one line. A full disk must not stop a controller, so a failure is dropped.
    pub(crate) fn line(&self, text: &str) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(file, "{} {text}", jiff::Timestamp::now());
    }
}
