//! How long a caller is willing to wait, how it is told what is waited for, and how it stops it.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::runtime::wait_for;

/// The terms of a wait. Every function that may take long gets one.
#[derive(Clone, Copy)]
pub struct Wait<'a> {
    pub deadline: Instant,
    /// Asked a few times a second; once it answers true the wait ends with [`Interrupted`].
    pub interrupted: &'a dyn Fn() -> bool,
    /// Gets one short line whenever what is waited for changes, and every 15 seconds at least.
    pub progress: &'a dyn Fn(&str),
}

impl<'a> Wait<'a> {
    #[must_use]
    pub fn until(
        deadline: Instant,
        interrupted: &'a dyn Fn() -> bool,
        progress: &'a dyn Fn(&str),
    ) -> Self {
        Self { deadline, interrupted, progress }
    }

    /// A wait that nobody watches and nobody interrupts.
    #[must_use]
    pub fn at_most(time: Duration) -> Wait<'static> {
        Wait { deadline: Instant::now() + time, interrupted: &|| false, progress: &|_| {} }
    }

    /// Lets `time` pass, for what a service asks to be left alone for a while and cannot be asked
    /// about. `why` is shown meanwhile.
    ///
    /// # Errors
    /// [`Interrupted`] or [`DeadlineExceeded`].
    pub fn pause(&self, time: Duration, why: &str) -> anyhow::Result<()> {
        wait_for(self, why, async |seen| {
            seen.note(why);
            tokio::time::sleep(time).await;
            Ok(())
        })
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// The person asked to stop. Found in the chain of a returned error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// The deadline passed first. Found in the chain of a returned error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadlineExceeded {
    /// What was waited for: "ExternalSecret `supabase/supabase-jwt` to be synced".
    pub awaited: String,
    /// What was seen last; empty when nothing was seen.
    pub last_seen: String,
}

impl fmt::Display for DeadlineExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gave up waiting for {}", self.awaited)?;
        if !self.last_seen.is_empty() {
            write!(f, "; last seen: {}", self.last_seen)?;
        }
        Ok(())
    }
}

impl std::error::Error for DeadlineExceeded {}
