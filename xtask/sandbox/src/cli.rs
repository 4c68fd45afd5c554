//! The command line, and nothing else.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};

use crate::{
    commands,
    folder::{Folder, STATE_FOLDER},
};

/// A local cloud: AWS, Kubernetes, PostgreSQL and a load balancer on this machine.
#[derive(Debug, Parser)]
#[command(name = "xtask-sandbox", version)]
struct Cli {
    /// Where the sandbox keeps its state.
    #[arg(long, global = true, env = "XTASK_SANDBOX_DIR", default_value = STATE_FOLDER)]
    folder: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the sandbox and wait until all of its parts answer; does nothing when it is up.
    Up {
        /// Stay in the foreground until Ctrl-C.
        #[arg(long)]
        foreground: bool,
        /// The port of the gateway (the way to the load balancers); 0 picks a free one.
        #[arg(long, default_value_t = 0)]
        gateway_port: u16,
    },
    /// Stop everything and remove its state; also cleans up after a sandbox that died.
    Down,
    /// Say which parts answer. Exit code 1 when any does not.
    Status {
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Let something go wrong, or well again.
    Fault(commands::fault::Arguments),
    /// The daemon itself; started by `up`.
    #[command(hide = true)]
    Serve {
        #[arg(long)]
        gateway_port: u16,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let folder = Folder::new(&cli.folder)?;
    match cli.command {
        Command::Up { foreground: false, gateway_port } => {
            commands::up::detached(&folder, gateway_port)
        }
        Command::Up { foreground: true, gateway_port } => {
            commands::up::foreground(&folder, gateway_port)
        }
        Command::Down => commands::down::run(&folder),
        Command::Status { format } => commands::status::run(&folder, format),
        Command::Fault(arguments) => commands::fault::run(&folder, &arguments),
        Command::Serve { gateway_port } => commands::up::serve(&folder, gateway_port),
    }
}
