//! Writes the file of one run, and keeps a second run of the same environment out.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Seek as _, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use serde_json::Value;

use super::{Entry, Journal, Recorded, entry::SCHEMA};
use crate::Operation;

/// The file of the run that goes on.
#[derive(Debug)]
pub(crate) struct RunWriter {
    id: String,
    path: PathBuf,
    file: Mutex<File>,
    journal: Journal,
    /// Released with the value: the system also releases it when the process is killed.
    _lock: File,
}

/// What the first line says.
pub(crate) struct Beginning<'a> {
    pub(crate) operation: Operation,
    pub(crate) environment: &'a str,
    pub(crate) stages: Vec<String>,
    pub(crate) resumes: Option<String>,
}

impl Journal {
    /// Begins the file of a new run.
    ///
    /// # Errors
    /// When another run works on the environment, its name cannot be a part of a file name, or the
    /// file cannot be written.
    pub(crate) fn begin(&self, beginning: Beginning<'_>) -> anyhow::Result<RunWriter> {
        let name = beginning.environment;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        ensure!(
            !name.is_empty() && name.bytes().all(is_plain),
            "`{name}` is no name for an environment: use letters, digits, `-` and `_`"
        );
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("failed to create `{}`", self.folder.display()))?;
        let mut lock = lock(&self.folder, name)?;
        let (id, path, file) = new_file(&self.folder)?;
        sign(&mut lock, &id)
            .with_context(|| format!("failed to write to `{}`", self.folder.display()))?;
        let writer =
            RunWriter { id, path, file: Mutex::new(file), journal: self.clone(), _lock: lock };
        let Beginning { operation, environment, stages, resumes } = beginning;
        let (run, environment) = (writer.id.clone(), environment.to_owned());
        writer
            .append(Recorded::RunStarted { run, operation, environment, stages, resumes }, true)?;
        // The name of the file has to be on the disk, too.
        let folder = File::open(&self.folder).and_then(|folder| folder.sync_all());
        folder.with_context(|| format!("failed to write to `{}`", self.folder.display()))?;
        Ok(writer)
    }
}

impl RunWriter {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line; with `durable` it is on the disk when this returns.
    pub(crate) fn append(&self, event: Recorded, durable: bool) -> anyhow::Result<()> {
        let entry = Entry { schema: SCHEMA, at: Timestamp::now(), event };
        let value = redacted(serde_json::to_value(entry)?, &self.journal);
        let mut line = serde_json::to_vec(&value)?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written =
            file.write_all(&line).and_then(|()| if durable { file.sync_data() } else { Ok(()) });
        written.with_context(|| format!("failed to write the journal `{}`", self.path.display()))
    }
}

/// Every text of `value` without secrets. An output is checked before it comes here.
fn redacted(value: Value, journal: &Journal) -> Value {
    match value {
        Value::String(text) => Value::String(journal.redact(&text)),
        Value::Array(items) => items.into_iter().map(|item| redacted(item, journal)).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, field)| (journal.redact(&name), redacted(field, journal)))
            .collect(),
        other => other,
    }
}

fn lock(folder: &Path, environment: &str) -> anyhow::Result<File> {
    let path = folder.join(format!("{environment}.lock"));
    let cannot = || format!("failed to lock `{}`", path.display());
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(&path).unwrap_or_default();
            let holder =
                if holder.trim().is_empty() { "a run that just begins" } else { holder.trim() };
            bail!(
                "another run works on `{environment}`: {holder}; wait for its end, or end that process"
            )
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(cannot),
    }
}

/// Says in the lock who holds it, for whoever finds it taken.
fn sign(lock: &mut File, run: &str) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    let since = Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC");
    writeln!(lock, "run {run} in process {}, since {since}", std::process::id())
}

/// A file that did not exist, named after the time so that names sort by age.
fn new_file(folder: &Path) -> anyhow::Result<(String, PathBuf, File)> {
    loop {
        let id = Timestamp::now().strftime("%Y%m%dT%H%M%S.%6fZ").to_string();
        let path = folder.join(format!("{id}.jsonl"));
        match OpenOptions::new().create_new(true).append(true).open(&path) {
            Ok(file) => return Ok((id, path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("failed to create `{}`", path.display()));
            }
        }
    }
}
