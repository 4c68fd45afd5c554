//! The one integration binary of the runner: the program as a person runs it.

mod bad_input;
mod command_line;
mod end_to_end;
mod harness;
