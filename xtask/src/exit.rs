//! The exit codes, one per kind of failure, so that a workflow can decide without reading text.

use std::{fmt, process::ExitCode};

use xtask_cloud::NoCredentials;

/// How a command ended. The numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything that was asked for is done.
    Done = 0,
    /// Something failed that has no code of its own.
    Failed = 1,
    /// `drift` found drift, or `plan` found changes with `--detailed-exitcode`.
    Drift = 2,
    /// A file or an argument is wrong; nothing was started.
    BadInput = 3,
    /// A guard refused: wrong account, protected resource, missing confirmation.
    Refused = 4,
    /// A tool or a credential is missing.
    Missing = 5,
    /// `yardstick` found a requirement that is not met.
    Unmet = 6,
    /// A stage failed; the text says what is left behind.
    StageFailed = 10,
    /// Everything is deployed, but Supabase does not answer as it should.
    SmokeFailed = 11,
    /// The command line is wrong (clap's own code 2 would read as drift).
    Usage = 64,
    /// Stopped by the person (128 + SIGINT).
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Gives an error the exit code that it ends the process with.
#[derive(Debug)]
pub(crate) struct Classified {
    pub(crate) exit: Exit,
    message: String,
}

impl fmt::Display for Classified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Classified {}

impl Exit {
    /// An error that ends the process with this code.
    pub(crate) fn error(self, message: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Classified { exit: self, message: message.into() })
    }

    /// A child's code, where it uses ours.
    pub(crate) fn from_child(code: i32) -> Self {
        let known = [
            Self::Done,
            Self::Drift,
            Self::BadInput,
            Self::Refused,
            Self::Missing,
            Self::Usage,
            Self::Interrupted,
        ];
        known.into_iter().find(|exit| i32::from(*exit as u8) == code).unwrap_or(Self::Failed)
    }

    /// The code of an error: its own, wherever in the chain it was given one.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let own =
            |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref::<Classified>() {
                Some(classified) => Some(classified.exit),
                None => cause.is::<NoCredentials>().then_some(Self::Missing),
            };
        error.chain().find_map(own).unwrap_or(Self::Failed)
    }

    /// The code for several things that are wrong at once: what a guard refuses comes before a file
    /// that is wrong, and that before what is missing.
    pub(crate) fn worst(exits: impl IntoIterator<Item = Self>) -> Self {
        let order = [Self::Missing, Self::BadInput, Self::Refused];
        exits
            .into_iter()
            .max_by_key(|exit| order.iter().position(|known| known == exit))
            .unwrap_or(Self::Failed)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::Exit;

    #[test]
    fn context_keeps_the_code() {
        let error = Err::<(), _>(Exit::Refused.error("no")).context("while deploying").unwrap_err();
        assert_eq!(Exit::of(&error), Exit::Refused);
        assert_eq!(format!("{error:#}"), "while deploying: no");
    }

    #[test]
    fn of_several_problems_the_guards_decides() {
        let worst = |exits: &[Exit]| Exit::worst(exits.iter().copied());
        assert_eq!(worst(&[Exit::Missing]), Exit::Missing);
        assert_eq!(worst(&[Exit::Missing, Exit::BadInput]), Exit::BadInput);
        assert_eq!(worst(&[Exit::Refused, Exit::Failed, Exit::BadInput]), Exit::Refused);
    }

    #[test]
    fn an_unclassified_error_is_a_plain_failure() {
        assert_eq!(Exit::of(&anyhow::anyhow!("x")), Exit::Failed);
    }
}
