//! Whose the servers are: PostgreSQL refuses to run as root.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
};

use anyhow::Context;
use xtask_tools::Command;

use crate::folder::create_private;

/// Users that a machine has for this, the most fitting first.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// The user of the servers, when it is not the one who runs the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner(Option<(u32, u32)>);

impl Owner {
    pub(super) fn choose() -> anyhow::Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self(None));
        }
        let users = fs::read_to_string("/etc/passwd").context("failed to read `/etc/passwd`")?;
        let found = CANDIDATES.iter().find_map(|name| find(&users, name));
        found.map(|ids| Self(Some(ids))).context(
            "PostgreSQL does not run as root, and this machine has neither a user `postgres` nor `nobody`: \
             run the sandbox as another user",
        )
    }

    pub(super) fn run(self, command: Command) -> Command {
        match self.0 {
            Some((user, group)) => command.run_as(user, group),
            None => command,
        }
    }

    /// Hands a file or folder over.
    pub(super) fn own(self, path: &Path) -> anyhow::Result<()> {
        let Some((user, group)) = self.0 else { return Ok(()) };
        chown(path, Some(user), Some(group))
            .with_context(|| format!("failed to hand over `{}`", path.display()))
    }

    /// Makes a folder that only the servers' user may enter.
    pub(super) fn create_folder(self, path: &Path) -> anyhow::Result<()> {
        create_private(path)?;
        self.own(path)
    }

    /// The folder of all servers: in the state folder, or, when another user could not get there
    /// (a home of mode 700), in the machine's folder for temporary files.
    pub(super) fn place(self, state_folder: &Path) -> PathBuf {
        let in_state = state_folder.join("databases");
        let open = |folder: &Path| {
            fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
        };
        if self.0.is_none() || state_folder.ancestors().all(open) {
            return in_state;
        }
        std::env::temp_dir().join(format!("xtask-sandbox-{}", std::process::id()))
    }
}

fn find(users: &str, name: &str) -> Option<(u32, u32)> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(())?;
        let user = fields.nth(1)?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        (user != 0).then_some((user, group))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name_and_is_never_root() {
        let users = "root:x:0:0::/root:/bin/sh\npostgresx:x:7:7::/:\npostgres:x:101:104::/var/lib/postgresql:/bin/bash\nzero:x:0:5::/:\n";
        assert_eq!(find(users, "postgres"), Some((101, 104)));
        assert_eq!(find(users, "zero"), None);
        assert_eq!(find(users, "nobody"), None);
    }
}
