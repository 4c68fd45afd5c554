//! Which processes belong to a sandbox, on disk: the next one ends what a killed one left behind.

use std::{
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use xtask_tools::ProcessIdentity;

use crate::folder::{Folder, write_private};

/// How long a process may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(3);
/// The daemon's grace: it stops its databases in that time.
const DAEMON_GRACE: Duration = Duration::from_secs(20);

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Record {
    daemon: Option<ProcessIdentity>,
    children: Vec<Child>,
    /// Folders outside the state folder.
    folders: Vec<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Child {
    role: String,
    process: ProcessIdentity,
}

/// The list as the daemon keeps it. Clones are the same list.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    path: PathBuf,
    record: Arc<Mutex<Record>>,
}

impl Records {
    /// Starts the list with this process, the daemon.
    pub(crate) fn start(folder: &Folder) -> anyhow::Result<Self> {
        let record = Record { daemon: Some(ProcessIdentity::current()), ..Record::default() };
        let records =
            Self { path: folder.records_file(), record: Arc::new(Mutex::new(record.clone())) };
        records.write(&record)?;
        Ok(records)
    }

    pub(crate) fn add(&self, role: &str, process: &ProcessIdentity) -> anyhow::Result<()> {
        self.change(|record| {
            record.children.push(Child { role: role.to_owned(), process: process.clone() });
        })
    }

    pub(crate) fn forget(&self, process: &ProcessIdentity) -> anyhow::Result<()> {
        self.change(|record| record.children.retain(|child| child.process != *process))
    }

    pub(crate) fn add_folder(&self, folder: PathBuf) -> anyhow::Result<()> {
        self.change(|record| record.folders.push(folder))
    }

    /// Removes all folders of a sandbox whose processes have ended.
    pub(crate) fn remove_folders(&self, folder: &Folder) -> anyhow::Result<()> {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        remove_folders(folder, &record.folders)
    }

    fn change(&self, change: impl FnOnce(&mut Record)) -> anyhow::Result<()> {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut record);
        self.write(&record)
    }

    fn write(&self, record: &Record) -> anyhow::Result<()> {
        write_private(&self.path, &serde_json::to_vec_pretty(record)?)
    }
}

/// What [`clean_up`] found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Cleaned {
    /// The roles of the processes that still ran.
    pub(crate) ended: Vec<String>,
    /// Whether there was anything of a sandbox.
    pub(crate) anything: bool,
}

/// Whether the daemon that the folder names still runs.
pub(crate) fn daemon_runs(folder: &Folder) -> bool {
    read(folder).ok().flatten().and_then(|record| record.daemon).is_some_and(|it| it.is_running())
}

/// Ends what the folder names, the daemon first, and removes the folder.
pub(crate) fn clean_up(folder: &Folder) -> anyhow::Result<Cleaned> {
    let mut cleaned = Cleaned::default();
    // Read again after the daemon's end: it may have ended its children, and started none since.
    if let Some(daemon) = read(folder)?.and_then(|record| record.daemon)
        && daemon.stop(DAEMON_GRACE)
    {
        cleaned.ended.push("daemon".to_owned());
    }
    let record = read(folder)?.unwrap_or_default();
    for child in record.children {
        if child.process.stop(GRACE) {
            cleaned.ended.push(child.role);
        }
    }
    cleaned.anything = !cleaned.ended.is_empty() || folder.root().exists();
    remove_folders(folder, &record.folders)?;
    Ok(cleaned)
}

fn remove_folders(folder: &Folder, outside: &[PathBuf]) -> anyhow::Result<()> {
    for outside in outside {
        match fs::remove_dir_all(outside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("failed to remove `{}`", outside.display()));
            }
            _ => {}
        }
    }
    folder.remove()
}

fn read(folder: &Folder) -> anyhow::Result<Option<Record>> {
    let path = folder.records_file();
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("failed to read `{}`", path.display()));
        }
    };
    serde_json::from_slice(&text).map(Some).with_context(|| {
        format!("`{}` is damaged: end its processes by hand and remove it", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use xtask_tools::Processes;

    #[test]
    fn only_the_recorded_process_is_ended() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::new(&temporary.path().join("sandbox")).unwrap();
        folder.create().unwrap();
        let start = || Processes::default().command("sleep").arg("600").spawn_daemon().unwrap();
        let (mut ours, mut other) = (start(), start());

        let records = Records {
            path: folder.records_file(),
            record: Arc::new(Mutex::new(Record::default())),
        };
        records.add("database", ours.identity()).unwrap();
        // The same number with another start time is another process.
        let mut stranger = other.identity().clone();
        stranger.started.push('0');
        records.add("stranger", &stranger).unwrap();

        let cleaned = clean_up(&folder).unwrap();
        assert_eq!(cleaned.ended, ["database"]);
        assert!(ours.ended().unwrap().is_some());
        assert!(other.ended().unwrap().is_none());
        assert!(!folder.root().exists());
        other.stop(Duration::from_secs(5)).unwrap();
    }

    #[test]
    fn nothing_to_clean_is_no_error() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::new(&temporary.path().join("sandbox")).unwrap();
        assert_eq!(clean_up(&folder).unwrap(), Cleaned::default());
    }
}
