//! Why a run cannot go on by itself: the wish to stop, and what somebody has to do first.

use std::fmt;

/// Tells whether the person asked to stop. Any closure that returns a `bool` is one.
pub trait Interruption: Sync {
    fn requested(&self) -> bool;
}

impl<F: Fn() -> bool + Sync> Interruption for F {
    fn requested(&self) -> bool {
        self()
    }
}

/// Nobody ever asks to stop: for tests.
#[derive(Debug, Clone, Copy)]
pub struct Never;

impl Interruption for Never {
    fn requested(&self) -> bool {
        false
    }
}

/// The error of work that ended early because the person asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped on request")
    }
}

impl std::error::Error for Interrupted {}

/// The error of work that would only end the same way again: another command helps first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// The sentence for people.
    pub message: String,
    /// The command line that helps.
    pub command: String,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Blocked {}
