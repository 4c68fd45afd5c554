//! The one integration binary of the runner: the program as a person runs it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod bad_input;
mod command_line;
mod end_to_end;
mod harness;
#[cfg(test)]
#[path = "../../cloud/tests/it/standin.rs"]
mod standin;
#[cfg(test)]
mod surroundings;
