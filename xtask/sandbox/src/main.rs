//! The sandbox's supervisor: a cloud on this machine, for `cargo xtask … --sandbox`.
//!
//! `up` starts a daemon of this same binary and waits until all of its parts answer; the daemon holds
//! the Kubernetes API, the controllers, the gateway, the chart mirror and the control endpoint, and
//! starts Moto and the PostgreSQL servers as children.
//!
//! Invariants: everything listens on loopback; the state file exists only while all parts are ready;
//! a process is only ever ended by its recorded number *and* start time.

mod cli;
mod commands;
mod control;
mod daemon;
mod databases;
mod folder;
mod lock;
mod records;
mod state;
mod tools;

use std::{
    io::{self, Write},
    process::ExitCode,
};

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            // Nothing is left to tell when standard error is gone, too.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
