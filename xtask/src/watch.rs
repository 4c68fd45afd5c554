//! How long work may take, who hears how it goes on, and which log file it writes.

use std::{
    fmt,
    time::{Duration, Instant},
};

use xtask_pipeline::StepRun;

/// The terms of work that a child process does, in a step or outside of one.
pub(crate) struct Watch<'a> {
    /// The stem of the log file: `infrastructure.apply`.
    pub(crate) name: String,
    pub(crate) deadline: Instant,
    progress: Box<dyn Fn(&str) + 'a>,
    note: Box<dyn Fn(&str) + 'a>,
}

impl<'a> Watch<'a> {
    /// The terms of a step.
    pub(crate) fn of(run: &'a StepRun<'_>) -> Self {
        Self {
            name: format!("{}.{}", run.stage, run.step),
            deadline: run.deadline,
            progress: Box::new(|message| run.progress(message)),
            note: Box::new(|message| run.note(message)),
        }
    }

    /// Terms for a command that is no stage, such as `plan`.
    pub(crate) fn aside(
        name: &str,
        time: Duration,
        progress: impl Fn(&str) + 'a,
        note: impl Fn(&str) + 'a,
    ) -> Self {
        Self {
            name: name.to_owned(),
            deadline: Instant::now() + time,
            progress: Box::new(progress),
            note: Box::new(note),
        }
    }

    /// Says what a person has to know, wherever the output goes, and stays.
    pub(crate) fn note(&self, message: &str) {
        (self.note)(message);
    }

    pub(crate) fn progress(&self, message: &str) {
        (self.progress)(message);
    }
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("name", &self.name).finish_non_exhaustive()
    }
}
