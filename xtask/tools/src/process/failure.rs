//! How a command failed, in one sentence and as data.

use std::{fmt, path::PathBuf, time::Duration};

/// The failure of one command. `Display` is one sentence: what for, which line, why, where the log
/// is. It never holds a secret.
#[derive(Debug, Clone)]
pub struct CommandFailure {
    pub purpose: Option<String>,
    /// The line for people.
    pub line: String,
    pub cause: Cause,
    /// The last lines that the child printed, redacted, oldest first.
    pub tail: Vec<String>,
    /// What the caller, who knows the program, read in those lines; else their last error is shown.
    pub said: Option<String>,
    pub log: Option<PathBuf>,
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// No such program.
    NotFound,
    /// The system refused to start it, with its reason.
    NotStarted(String),
    /// It ended with a code that is not among the allowed ones.
    Code(i32),
    /// A signal from elsewhere ended it.
    Signal(i32),
    /// It was interrupted at its deadline; `killed` when it had to be killed after the grace time.
    Deadline { limit: Duration, killed: bool },
    /// The person asked to stop: before it was started, or it ended after the interrupt.
    Interrupted { started: bool, killed: bool },
    /// The argument at this position (0 is the program) holds a secret, so it was not started.
    SecretArgument(usize),
    /// It ended well, but what it printed is not what it should have printed.
    UnreadableOutput(String),
}

impl CommandFailure {
    /// Whether it failed because the person asked to stop.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        matches!(self.cause, Cause::Interrupted { .. })
    }

    /// What the caller read in the output, or else the last line that says something, preferably the
    /// one that calls itself an error.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        if let Some(said) = &self.said {
            return Some(said);
        }
        let lines = || {
            self.tail
                .iter()
                .rev()
                .map(|line| line.trim().trim_start_matches(['│', '╷', '╵']).trim())
        };
        let is_error =
            |line: &&str| line.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("error"));
        lines().find(is_error).or_else(|| lines().find(|line| !line.is_empty()))
    }
}

impl std::error::Error for CommandFailure {}

impl fmt::Display for CommandFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(purpose) = &self.purpose {
            write!(f, "failed to {purpose}: ")?;
        }
        let line = &self.line;
        match &self.cause {
            Cause::NotFound => write!(f, "the program of `{line}` was not found")?,
            Cause::NotStarted(reason) => write!(f, "`{line}` could not be started: {reason}")?,
            Cause::Code(code) => write!(f, "`{line}` ended with exit code {code}")?,
            Cause::Signal(signal) => write!(f, "`{line}` was ended by signal {signal}")?,
            Cause::Deadline { limit, killed: false } => {
                write!(f, "`{line}` was interrupted at its deadline after {}", Seconds(*limit))?;
            }
            Cause::Deadline { limit, killed: true } => write!(
                f,
                "`{line}` did not end when it was interrupted at its deadline after {}, and was killed",
                Seconds(*limit)
            )?,
            Cause::Interrupted { started: false, .. } => {
                write!(f, "`{line}` was not started because a stop was asked for")?;
            }
            Cause::Interrupted { killed: false, .. } => write!(f, "`{line}` was interrupted")?,
            Cause::Interrupted { killed: true, .. } => {
                write!(f, "`{line}` was interrupted, did not end by its deadline, and was killed")?;
            }
            Cause::SecretArgument(position) => {
                write!(f, "argument {position} of `{line}` holds a secret, so it was not started")?;
            }
            Cause::UnreadableOutput(why) => {
                write!(f, "the output of `{line}` is unreadable: {why}")?
            }
        }
        if let Some(reason) = self.reason() {
            write!(f, ": {reason}")?;
        }
        if let Some(log) = &self.log {
            write!(f, " (log: {})", log.display())?;
        }
        Ok(())
    }
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0 => write!(f, "{} ms", self.0.as_millis()),
            seconds @ 1..120 => write!(f, "{seconds} s"),
            seconds => write!(f, "{} min", seconds / 60),
        }
    }
}
