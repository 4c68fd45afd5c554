//! What happened, on disk: one append-only file of JSON lines a run, in one folder.
//!
//! Invariants: an entry is one line and is written in one call; an entry about a step that changes
//! the world is on the disk before the step starts and before the next one starts; a file is never
//! changed or removed; nothing that the redactor knows is written. A run that was killed leaves at
//! most its last line unfinished, which readers ignore. A file that is damaged otherwise is named
//! and used up to the damage: it never keeps another run from being read.

mod entry;
mod reader;
mod record;
mod writer;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

pub use entry::{Entry, Recorded, StepResult};
pub use record::{RunRecord, StageRecord, StepRecord};
pub(crate) use writer::{Beginning, RunWriter};

use crate::{Operation, Verdict};

/// The folder with the files of all runs.
#[derive(Clone)]
pub struct Journal {
    folder: PathBuf,
    redact: Arc<dyn Fn(&str) -> String + Send + Sync>,
    tell: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Journal {
    /// The folder is made with the first run.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), redact: Arc::new(str::to_owned), tell: Arc::new(|_| ()) }
    }

    /// Whom to tell about a file that cannot be read to its end, each time that it is read.
    #[must_use]
    pub fn telling(mut self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.tell = Arc::new(tell);
        self
    }

    /// Every text that is written or reported passes `redact` first.
    #[must_use]
    pub fn redacting(mut self, redact: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        self.redact = Arc::new(redact);
        self
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The runs of an environment, newest first. Each file is read when it is asked for, so that
    /// old runs cost nothing.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn newest_first(
        &self,
        environment: &str,
    ) -> anyhow::Result<impl Iterator<Item = RunRecord>> {
        let runs = self.files()?.into_iter().rev().filter_map(|file| self.read(&file));
        Ok(runs.filter(move |record| record.environment == environment))
    }

    fn read(&self, file: &Path) -> Option<RunRecord> {
        let reading = reader::read(file);
        if let Some(damage) = &reading.damage {
            (self.tell)(damage);
        }
        reading.record
    }

    /// The files of all runs, oldest first.
    fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| self.cannot_read()),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.with_context(|| self.cannot_read())?.path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// The last run of an environment, whatever it did.
    ///
    /// # Errors
    /// See [`Journal::newest_first`].
    pub fn last_run(&self, environment: &str) -> anyhow::Result<Option<RunRecord>> {
        Ok(self.newest_first(environment)?.next())
    }

    /// The run that `--resume` goes on with: the last deployment or tear-down of the environment,
    /// if it is an `operation` and did not finish. Stages that were run one by one since do not
    /// count.
    ///
    /// # Errors
    /// When there is nothing to resume; the message says why.
    pub fn resumable(&self, environment: &str, operation: Operation) -> anyhow::Result<RunRecord> {
        let mut runs = self.newest_first(environment)?;
        let Some(last) = runs.find(|run| run.operation != Operation::Stage) else {
            bail!("nothing to resume: `{environment}` has no run in `{}`", self.folder.display());
        };
        let (id, was) = (&last.id, last.operation);
        ensure!(
            was == operation,
            "nothing to resume: the last run of `{environment}` ({id}) was a {was}"
        );
        ensure!(
            last.verdict != Some(Verdict::Done),
            "nothing to resume: the last {operation} of `{environment}` ({id}) was finished"
        );
        Ok(last)
    }

    /// What `stage` published in the last run that finished it, unless it was taken back since.
    ///
    /// # Errors
    /// See [`Journal::newest_first`].
    pub fn latest_output(&self, environment: &str, stage: &str) -> anyhow::Result<Option<Value>> {
        for run in self.newest_first(environment)? {
            let Some(record) = run.stages.get(stage) else { continue };
            if run.operation == Operation::Destroy && !record.steps.is_empty() {
                return Ok(None);
            }
            if record.is_finished() && record.output.is_some() {
                return Ok(record.output.clone());
            }
        }
        Ok(None)
    }

    pub(crate) fn redact(&self, text: &str) -> String {
        (self.redact)(text)
    }

    fn cannot_read(&self) -> String {
        format!("failed to read the runs in `{}`", self.folder.display())
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("folder", &self.folder).finish_non_exhaustive()
    }
}
