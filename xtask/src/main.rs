//! `cargo xtask`: takes an environment from nothing to a Supabase that answers. See
//! ARCHITECTURE.md for the way through.

mod account;
mod addons;
mod authorities;
mod cli;
mod commands;
mod config;
mod context;
mod credentials;
mod exit;
mod helm;
mod inputs;
mod platform;
mod report;
mod secrets;
mod stages;
mod surroundings;
mod terraform;
mod toolbox;
mod watch;

use std::{
    io::{ErrorKind, Write as _},
    process::ExitCode,
};

use clap::Parser as _;

use crate::{cli::Cli, commands::Session, exit::Exit};

fn main() -> ExitCode {
    if let Err(error) = surroundings::take_out_empty_variables() {
        // There is no console yet, and nothing secret in here.
        let _ =
            writeln!(std::io::stderr(), "error: failed to start without empty variables: {error}");
        return Exit::Failed.into();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked_for_it = !error.use_stderr();
            return match cli::without_danger(error).print() {
                // Nobody reads help through a closed pipe.
                Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                    let _ = writeln!(std::io::stderr(), "error: {}: {error}", report::UNWRITTEN);
                    Exit::Failed.into()
                }
                _ if asked_for_it => Exit::Done.into(),
                _ => Exit::Usage.into(),
            };
        }
    };
    Session::new(cli.format).run(cli.command).into()
}
