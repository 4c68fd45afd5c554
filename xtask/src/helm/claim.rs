//! Who works on a release: a lock that lasts as long as the helm that holds it, and a note of what
//! that helm does.
//!
//! Helm itself has no lock, and it outlives a runner that is killed. So it inherits a locked file:
//! on this machine the lock tells at once whether it still runs. The note tells whether a release
//! that was left in the middle was left there by this machine; where it was another one, only the
//! release's age tells.

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use xtask_cloud::HelmRelease;

use super::MARK_LABEL;

/// A file that a release's helm holds locked.
#[derive(Debug)]
pub(super) struct Claim {
    file: Arc<File>,
    name: String,
}

/// What a helm was started for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Work {
    /// The revision that it makes carries this mark.
    Upgrade {
        mark: String,
    },
    /// A roll-back copies the labels of an earlier revision, so its own number has to do.
    RollBack {
        revision: u32,
    },
    Uninstall,
}

impl Claim {
    /// Opens the file; it is not locked yet.
    pub(super) fn open(folder: &Path, namespace: &str, release: &str) -> anyhow::Result<Self> {
        let path = folder.join(format!("{namespace}.{release}.lock"));
        let failed = || format!("failed to open `{}`", path.display());
        fs::create_dir_all(folder).with_context(failed)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .with_context(failed)?;
        Ok(Self { file: Arc::new(file), name: path.display().to_string() })
    }

    /// Locks it unless another process holds it: until this value and all children that were given
    /// the file are gone.
    pub(super) fn try_take(&self) -> anyhow::Result<bool> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("failed to lock `{}`", self.name))
            }
        }
    }

    /// What a child is to hold.
    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Notes what is about to be done; to be called with the lock.
    pub(super) fn begin(&self, work: &Work) -> anyhow::Result<()> {
        let text = serde_json::to_vec(work)?;
        self.clear()?;
        self.file.write_all_at(&text, 0).with_context(|| format!("failed to write `{}`", self.name))
    }

    /// Notes that it was done.
    pub(super) fn clear(&self) -> anyhow::Result<()> {
        self.file.set_len(0).with_context(|| format!("failed to write `{}`", self.name))
    }

    /// What was begun last and is not known to have been done. A note cut short tells nothing.
    pub(super) fn left(&self) -> Option<Work> {
        let mut text = vec![0; 256];
        let read = self.file.read_at(&mut text, 0).ok()?;
        serde_json::from_slice(text.get(..read)?).ok()
    }
}

impl Work {
    /// Whether it is this work that left the release in the middle.
    pub(super) fn left(&self, release: &HelmRelease) -> bool {
        match (self, release.status.as_str()) {
            (Self::Upgrade { mark }, "pending-install" | "pending-upgrade") => {
                release.labels.get(MARK_LABEL) == Some(mark)
            }
            (Self::RollBack { revision }, "pending-rollback") => release.revision == *revision,
            (Self::Uninstall, "uninstalling") => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader},
        process::Stdio,
    };

    use super::{super::tests::release, Claim, MARK_LABEL, Work};

    #[test]
    fn the_lock_lasts_as_long_as_a_child_that_outlives_its_runner() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Claim::open(folder.path(), "supabase", "web").unwrap();
        let runner = open();
        assert!(runner.try_take().unwrap());
        #[expect(clippy::disallowed_methods, reason = "a child that is left behind")]
        let mut child = std::process::Command::new("sh")
            .args(["-c", "echo up; exec tail -f /dev/null"])
            // As `Command::holding` hands it on.
            .stdin(runner.file().try_clone().unwrap())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        drop(runner);
        assert!(!open().try_take().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(open().try_take().unwrap());
    }

    #[test]
    fn a_note_is_kept_until_the_work_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let claim = Claim::open(folder.path(), "supabase", "web").unwrap();
        assert_eq!(claim.left(), None);
        let upgrade = Work::Upgrade { mark: "0123456789abcdef".to_owned() };
        claim.begin(&upgrade).unwrap();
        claim.begin(&Work::Uninstall).unwrap();
        let next = Claim::open(folder.path(), "supabase", "web").unwrap();
        assert_eq!(next.left(), Some(Work::Uninstall));
        claim.clear().unwrap();
        assert_eq!(next.left(), None);
    }

    #[test]
    fn only_what_this_machine_began_was_left_by_it() {
        let upgrade = Work::Upgrade { mark: "a".to_owned() };
        let mut pending = release(4, "pending-upgrade");
        assert!(!upgrade.left(&pending), "another machine's upgrade carries another mark");
        pending.labels.insert(MARK_LABEL.to_owned(), "a".to_owned());
        assert!(upgrade.left(&pending));
        // A roll-back to a revision that this machine made carries its mark, too.
        pending.status = "pending-rollback".to_owned();
        assert!(!upgrade.left(&pending));
        assert!(Work::RollBack { revision: 4 }.left(&pending));
        assert!(!Work::RollBack { revision: 3 }.left(&pending));
        assert!(Work::Uninstall.left(&release(4, "uninstalling")));
        assert!(!Work::Uninstall.left(&pending));
    }
}
