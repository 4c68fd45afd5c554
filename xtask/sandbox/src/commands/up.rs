//! `up`: a daemon that outlives this command, or the same in the foreground.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use xtask_tools::{Daemon, Interrupt, Processes, Redactor};

use super::print_parts;
use crate::{
    control::Client, daemon, folder::Folder, lock::Lock, records, state::State, tools::Tools,
};

/// How long the parts may take on a busy machine.
const START: Duration = Duration::from_secs(120);
const STOP: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);
/// What the daemon's last line starts with when it fails.
const ERROR: &str = "error: ";

/// Starts the daemon, or leaves the one that is up alone.
pub(crate) fn detached(folder: &Folder, gateway_port: u16) -> anyhow::Result<ExitCode> {
    let interrupt = Interrupt::on_signals()?;
    let processes = Processes::new(Redactor::default(), interrupt.clone());
    let _lock = Lock::take(folder)?;
    if let Some(state) = running(folder)? {
        if gateway_port != 0 && !state.gateway.ends_with(&format!(":{gateway_port}")) {
            bail!(
                "the sandbox is up with its gateway at {}: stop it with `down` first",
                state.gateway
            );
        }
        let _ = writeln!(io::stderr(), "the sandbox is up already");
        print_parts(&state)?;
        return Ok(ExitCode::SUCCESS);
    }
    clean_up(folder)?;
    folder.create()?;
    // Found and installed here, where a person sees it; the daemon then finds everything in place.
    Tools::ensure(folder, &tools_folder(folder), &processes)?;
    let program = std::env::current_exe().context("failed to find this program")?;
    let mut daemon = processes
        .command(program)
        .arg("--folder")
        .arg(folder.root())
        .args(["serve", "--gateway-port", &gateway_port.to_string()])
        .purpose("start the sandbox")
        .log_to(folder.log("daemon"))
        .spawn_daemon()?;
    match wait(folder, &mut daemon, &interrupt) {
        Ok(state) => {
            print_parts(&state)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            daemon.stop(STOP).context("failed to stop a daemon that did not come up")?;
            records::clean_up(folder)?;
            Err(error)
        }
    }
}

/// Runs the daemon in this process until Ctrl-C.
pub(crate) fn foreground(folder: &Folder, gateway_port: u16) -> anyhow::Result<ExitCode> {
    let lock = Lock::take(folder)?;
    if let Some(state) = running(folder)? {
        bail!("a sandbox is up already, with process {}: stop it with `down`", state.pid);
    }
    clean_up(folder)?;
    folder.create()?;
    daemon::run(folder, &tools_folder(folder), gateway_port, |state| {
        drop(lock);
        print_parts(state)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What the daemon process itself does.
pub(crate) fn serve(folder: &Folder, gateway_port: u16) -> anyhow::Result<ExitCode> {
    daemon::run(folder, &tools_folder(folder), gateway_port, |_| Ok(()))?;
    Ok(ExitCode::SUCCESS)
}

/// Tools outlive a sandbox, so they lie beside it.
fn tools_folder(folder: &Folder) -> PathBuf {
    folder.root().with_file_name("tools")
}

/// The state of a sandbox that is up; nothing when there is none, or a dead one. One that runs in part
/// is left alone: what was deployed into it would be lost.
fn running(folder: &Folder) -> anyhow::Result<Option<State>> {
    let Some(state) = State::read(folder)? else { return Ok(None) };
    if !records::daemon_runs(folder) {
        return Ok(None);
    }
    match Client::new(&state.control)?.report() {
        Ok(report) if report.is_healthy() => Ok(Some(state)),
        Ok(_) => bail!(
            "the sandbox is up, but not all of it works: see `status`, then stop it with `down`"
        ),
        Err(_) => Ok(None),
    }
}

fn clean_up(folder: &Folder) -> anyhow::Result<()> {
    let cleaned = records::clean_up(folder)?;
    if !cleaned.ended.is_empty() {
        let _ =
            writeln!(io::stderr(), "ended what a dead sandbox left: {}", cleaned.ended.join(", "));
    } else if cleaned.anything {
        let _ = writeln!(io::stderr(), "removed what a dead sandbox left");
    }
    Ok(())
}

/// Waits for the state file, which the daemon writes when all parts are ready.
fn wait(folder: &Folder, daemon: &mut Daemon, interrupt: &Interrupt) -> anyhow::Result<State> {
    let until = Instant::now() + START;
    loop {
        if let Some(state) = State::read(folder)? {
            return Ok(state);
        }
        if let Some(how) = daemon.ended()? {
            let log = folder.log("daemon");
            let text = fs::read_to_string(&log).unwrap_or_default();
            if let Some(error) = text.lines().rev().find_map(|line| line.strip_prefix(ERROR)) {
                bail!("{error}");
            }
            bail!("the sandbox {how}; the end of its log:\n{}", tail(&text));
        }
        if Instant::now() > until {
            bail!("the sandbox was not ready within {} s", START.as_secs());
        }
        if interrupt.wait_timeout(PAUSE) {
            bail!("interrupted: nothing was left running");
        }
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}
