//! The one way in which this project starts other programs.
//!
//! Architecture invariants: a secret is never an argument; whatever is shown, logged or put into
//! an error went through the [`Redactor`]; an interrupt reaches a child exactly once; nothing but
//! the own child (and its process group) is ever signalled; a child that runs to its end does not carry
//! the mark by which GitHub's runner finds what it kills at once when a job is cancelled. The output of a child goes to nameless
//! files, not to pipes, so that a child that outlives a killed runner can still write and finish:
//! Terraform would otherwise die of SIGPIPE in the middle of saving its state.

mod command;
mod daemon;
mod failure;
mod output;
mod supervise;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use daemon::{Daemon, ProcessIdentity};
pub use failure::{Cause, CommandFailure};
pub use output::{Line, Stream};
pub use supervise::{Finished, place_for_output};

use std::ffi::OsStr;

use crate::{Interrupt, Redactor};

/// What all commands of a run share. Clones share it, too.
#[derive(Debug, Clone, Default)]
pub struct Processes {
    redactor: Redactor,
    interrupt: Interrupt,
}

impl Processes {
    #[must_use]
    pub fn new(redactor: Redactor, interrupt: Interrupt) -> Self {
        Self { redactor, interrupt }
    }

    /// A command to be filled in; nothing is started yet.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        Command::new(self.clone(), program.as_ref())
    }

    #[must_use]
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    #[must_use]
    pub fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }
}
