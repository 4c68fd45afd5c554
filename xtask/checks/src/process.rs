//! How checks run tools: every exit code is an answer, and all of the output is kept.

use std::{fmt::Write as _, path::Path, time::Duration};

use anyhow::Context as _;
use xtask_tools::{Command, Stream};

use crate::{CheckContext, CheckOutcome, chores};

/// What a tool answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    /// Its standard output alone.
    pub(crate) stdout: String,
    /// Both streams as they came.
    pub(crate) all: String,
}

impl Answer {
    pub(crate) fn succeeded(&self) -> bool {
        self.code == 0
    }

    /// Passed with `summary` when the tool was content, else failed with all that it said.
    pub(crate) fn outcome(self, summary: impl Into<String>) -> CheckOutcome {
        if self.succeeded() {
            CheckOutcome::Passed(summary.into())
        } else {
            CheckOutcome::Failed(self.all)
        }
    }
}

/// A tool that is not done by then never will be; a compiler on a small, cold machine is.
const LONGEST_RUN: Duration = Duration::from_mins(25);

impl CheckContext {
    /// A command that runs in the repository, whose output is plain text and whose time is bounded.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        self.plain(self.processes.command(program.as_ref()))
    }

    /// The same for cargo.
    pub(crate) fn cargo(&self) -> Command {
        self.plain(self.processes.cargo())
    }

    fn plain(&self, command: Command) -> Command {
        command
            .cwd(&self.root)
            .env("NO_COLOR", "1")
            .env("CARGO_TERM_COLOR", "never")
            .timeout(LONGEST_RUN)
    }

    /// The files that git knows or would add, below `folder` ("" for all), that `wanted` picks.
    pub(crate) fn files(
        &self,
        folder: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> anyhow::Result<Vec<String>> {
        let listed = chores::list_files(&self.root, folder)?;
        let mut files: Vec<_> = listed
            .split('\0')
            .filter(|path| !path.is_empty() && wanted(path) && self.root.join(path).is_file())
            .map(str::to_owned)
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }
}

/// Runs `command` to its end, whatever its exit code.
pub(crate) fn ask(command: &Command) -> anyhow::Result<Answer> {
    let mut stdout = String::new();
    let mut all = String::new();
    let codes: Vec<_> = (0..=255).collect();
    let ended = command.clone().allow_codes(&codes).run(&mut |line| {
        // Writing to a string cannot fail.
        let _ = writeln!(all, "{}", line.text);
        if line.stream == Stream::Output {
            let _ = writeln!(stdout, "{}", line.text);
        }
    });
    // What it said until then tells where it hung. The cause stays readable for those who ask.
    let finished = match ended {
        Err(error) if !all.is_empty() => return Err(error.context(format!("{all}it broke off"))),
        ended => ended?,
    };
    Ok(Answer { code: finished.code, stdout, all })
}

/// Writes a file in a scratch folder.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("failed to write `{}`", path.display()))
}
