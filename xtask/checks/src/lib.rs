//! The checks behind `cargo xtask test` and the figures behind `cargo xtask bench`.

mod check;
mod process;
mod runner;
mod rust;
mod tidy;
mod workflows;

pub use check::{Check, CheckContext, CheckOutcome, Finding, Kind, ParseCommand};
pub use runner::{Selection, Tally, list, run};
