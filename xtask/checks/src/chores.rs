//! The developer's own chores: short commands in the developer's own tree, through xshell.
//!
//! Architecture invariant: a chore sees no secret, reaches no cloud and ends at once, so it needs
//! neither redaction nor a deadline nor a log, and the terminal's Ctrl-C may reach it directly.
//! Everything else runs through [`xtask_tools::Command`].

use std::path::Path;

use anyhow::Context;
use xshell::{Shell, cmd};

use crate::CheckContext;

/// Formats the Rust and the Terraform code, and shows each command as it runs.
///
/// # Errors
/// When there is no Terraform, or a formatter refuses a file (it has said which one by then).
pub fn format(context: &CheckContext) -> anyhow::Result<()> {
    let shell = shell_in(&context.root)?;
    let terraform = context.toolbox.ensure("terraform")?.path;
    cmd!(shell, "cargo fmt --all").run()?;
    cmd!(shell, "{terraform} fmt -recursive terraform").run()?;
    Ok(())
}

/// The files below `folder` ("" for all) that git knows or would add, each ended by a NUL.
pub(crate) fn list_files(root: &Path, folder: &str) -> anyhow::Result<String> {
    let shell = shell_in(root)?;
    let place = if folder.is_empty() { "." } else { folder };
    cmd!(shell, "git ls-files -z --cached --others --exclude-standard -- {place}")
        .read()
        .context("failed to list the files of the repository")
}

fn shell_in(root: &Path) -> anyhow::Result<Shell> {
    #[expect(clippy::disallowed_methods, reason = "this is where chores start")]
    let shell = Shell::new().context("failed to start a chore")?;
    shell.change_dir(root);
    Ok(shell)
}
