//! `sandbox`, and the seam that starts it for other commands.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use xtask_tools::{Interrupt, Processes};

use super::Session;
use crate::{cli::Sandbox, exit::Exit, platform::Platform};

/// The variable that names the sandbox's folder.
pub(super) const FOLDER: &str = "XTASK_SANDBOX_DIR";

/// Passes the arguments on to the sandbox's own binary, which a deployment in CI never compiles.
pub(super) fn run(session: &Session, arguments: &Sandbox) -> anyhow::Result<Exit> {
    let processes = session.processes()?;
    let program = build(session, &processes)?;
    let ended = processes
        .command(program)
        .args(&arguments.arguments)
        .purpose("run the sandbox")
        .allow_codes(&(0..=255).collect::<Vec<_>>())
        .run(&mut |line| session.console.line(line.text))?;
    Ok(Exit::from_child(ended.code))
}

/// Starts the stand-ins unless they run, and says how children and clients reach them.
pub(super) fn platform(session: &Session, processes: &Processes) -> anyhow::Result<Platform> {
    platform_in(session, processes, &folder(session), &|line| session.console.remark(line))
}

/// The same, with a folder of its own; `tell` gets what the sandbox says of itself.
pub(super) fn platform_in(
    session: &Session,
    processes: &Processes,
    folder: &Path,
    tell: &dyn Fn(&str),
) -> anyhow::Result<Platform> {
    let program = build(session, processes)?;
    processes
        .command(program)
        .arg("up")
        .env(FOLDER, folder.display().to_string())
        .purpose("start the sandbox")
        .run(&mut |line| tell(line.text))?;
    let state = folder.join("sandbox.json");
    let text = fs::read_to_string(&state)
        .with_context(|| format!("failed to read `{}`", state.display()))?;
    let platform = Platform::from_sandbox_state(&text, folder)?;
    forget_older_sandbox(&platform)?;
    Ok(platform)
}

pub(super) fn folder(session: &Session) -> PathBuf {
    std::env::var_os(FOLDER).map_or_else(|| session.root.join("target/sandbox"), PathBuf::from)
}

/// Ends the sandbox in a folder, even after the person asked to stop.
pub(super) fn down(session: &Session, folder: &Path) -> anyhow::Result<()> {
    let processes = Processes::new(session.redactor.clone(), Interrupt::new());
    let program = build(session, &processes)?;
    let command = processes.command(program).arg("down");
    command.env(FOLDER, folder.display().to_string()).purpose("stop the sandbox").run_quietly()?;
    Ok(())
}

/// Builds the sandbox's binary; cargo says at once when there is nothing to do.
fn build(session: &Session, processes: &Processes) -> anyhow::Result<PathBuf> {
    // A binary that was built elsewhere, such as by an earlier job of a workflow.
    if let Some(program) = std::env::var_os("XTASK_SANDBOX_BIN") {
        return Ok(program.into());
    }
    let folder = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| session.root.join("target"), PathBuf::from);
    // By the binary, as the alias of `cargo xtask` does: both share the build of what they share.
    let command = processes.cargo().args(["build", "--locked", "--bin", "xtask-sandbox"]);
    let mut news = BuildNews::default();
    command.cwd(&session.root).purpose("build the sandbox").run(&mut |line| {
        if let Some(news) = news.of(line.text) {
            session.console.remark(news);
        }
    })?;
    Ok(folder.join("debug/xtask-sandbox"))
}

/// What a person wants to know of a build: that it takes its time, and what is wrong.
#[derive(Default)]
struct BuildNews {
    compiles: bool,
}

impl BuildNews {
    fn of<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        match line.split_whitespace().next() {
            Some("Compiling") if !self.compiles => {
                self.compiles = true;
                Some("building the sandbox; the first time, this takes minutes")
            }
            Some(
                "Blocking" | "Compiling" | "Downloaded" | "Downloading" | "Finished" | "Locking"
                | "Updating",
            )
            | None => None,
            Some(_) => Some(line),
        }
    }
}

/// Journals and Terraform's data of a sandbox that is gone would lie about the new one.
fn forget_older_sandbox(platform: &Platform) -> anyhow::Result<()> {
    let folder = &platform.files;
    let mark = folder.join("instance");
    if fs::read_to_string(&mark).is_ok_and(|recorded| recorded == platform.instance) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("failed to remove `{}`", folder.display()))?;
    }
    fs::create_dir_all(folder)
        .with_context(|| format!("failed to create `{}`", folder.display()))?;
    fs::write(&mark, &platform.instance)
        .with_context(|| format!("failed to write `{}`", mark.display()))
}

#[cfg(test)]
mod tests {
    use super::BuildNews;

    #[test]
    fn a_build_is_announced_once_and_its_errors_are_shown() {
        let mut news = BuildNews::default();
        assert_eq!(news.of("    Finished `dev` profile in 0.3s"), None);
        assert!(news.of("   Compiling serde v1.0.0").is_some_and(|told| told.contains("minutes")));
        assert_eq!(news.of("   Compiling xtask v0.1.0"), None);
        assert_eq!(news.of("error: linker `cc` not found"), Some("error: linker `cc` not found"));
    }
}
