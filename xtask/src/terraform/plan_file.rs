//! The plan between making and applying it: a file, or the word that there is nothing to do.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{Terraform, removed};

impl Terraform {
    /// Takes a plan that was made and reviewed elsewhere. Terraform itself refuses it when the state
    /// has moved on since.
    pub(crate) fn take_plan(&self, reviewed: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.work)
            .with_context(|| format!("failed to create `{}`", self.work.display()))?;
        removed(&self.nothing_mark())?;
        std::fs::copy(reviewed, self.plan_file())
            .with_context(|| format!("failed to read the reviewed plan `{}`", reviewed.display()))
            .map(drop)
    }

    /// Puts the plan that was just made to where a later job finds it.
    pub(crate) fn keep_plan(&self, file: &Path) -> anyhow::Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("failed to create `{}`", folder.display()))?;
        }
        std::fs::copy(self.plan_file(), file)
            .with_context(|| format!("failed to write `{}`", file.display()))
            .map(drop)
    }

    /// No plan is left of an earlier command.
    pub(crate) fn drop_plan(&self) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.work)
            .with_context(|| format!("failed to create `{}`", self.work.display()))?;
        [self.plan_file(), self.nothing_mark()].iter().try_for_each(|file| removed(file))
    }

    /// Leaves word that there is nothing to apply, in place of the plan that says so.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        self.drop_plan()?;
        std::fs::write(self.nothing_mark(), "").context("failed to note that nothing is to be done")
    }

    /// Whether there is something to apply.
    ///
    /// # Errors
    /// When neither a plan nor the word that there is nothing to do was left.
    pub(crate) fn has_plan(&self) -> anyhow::Result<bool> {
        if self.plan_file().is_file() {
            return Ok(true);
        }
        anyhow::ensure!(
            self.nothing_mark().is_file(),
            "the plan that was just made, `{}`, is gone: run the command again",
            self.plan_file().display()
        );
        Ok(false)
    }

    fn nothing_mark(&self) -> PathBuf {
        self.work.join("nothing-to-apply")
    }

    pub(super) fn plan_file(&self) -> PathBuf {
        self.work.join("plan.bin")
    }
}
