//! What people and machines see of a run.
//!
//! Architecture invariant: nothing is printed but through a [`Console`], which redacts.

mod console;
mod json;
mod lines;
mod pulse;
mod summary;
mod terminal;
mod turns;

use xtask_pipeline::Reporter;

pub(crate) use console::{Console, UNWRITTEN};
pub(crate) use summary::{markdown, timeline};

use crate::cli::Format;

/// The reporter that fits the output: JSON lines, a live display, or plain lines.
pub(crate) fn reporter(console: &Console, format: Format) -> Box<dyn Reporter> {
    match format {
        Format::Json => Box::new(json::JsonLines::new(console.clone())),
        Format::Text if console.is_terminal() => Box::new(terminal::Terminal::new(console.clone())),
        Format::Text => Box::new(lines::Lines::new(console.clone())),
    }
}
