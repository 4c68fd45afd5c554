//! The checks behind `cargo xtask test` and the figures behind `cargo xtask bench`.
//!
//! Architecture invariant: a check never passes because it looked at nothing. Where there is
//! nothing to look at, or a tool did not answer as expected, it fails.

pub mod bench;
#[cfg(test)]
mod chart_tests;
mod check;
mod checkov;
mod chores;
mod costs;
mod create_first;
mod helm;
mod iam;
mod joins;
mod lanes;
mod plans;
mod process;
mod runner;
mod rust;
mod scanners;
mod settings;
mod table;
mod terraform;
mod tidy;
mod tools;
mod workflows;
pub mod yardstick;

pub use check::{
    Check, CheckContext, CheckOutcome, Finding, Kind, Lane, MakePlans, ParseCommand, Thing,
};
pub use chores::format;
pub use plans::Plans;
pub use runner::{Selection, Tally, list, run};
pub use table::CHECKS;
