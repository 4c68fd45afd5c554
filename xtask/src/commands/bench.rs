//! `bench`: the figures that this project promises, measured and printed as a table.

use std::{path::Path, time::Duration};

use xtask_checks::{
    CheckContext,
    bench::{self, Figure, MemoryWatch},
};
use xtask_pipeline::{Journal, Operation, RunRecord};
use xtask_tools::did_you_mean;

use super::{Session, sandbox, test};
use crate::{
    cli::{Bench, Format},
    exit::Exit,
    platform::Platform,
};

/// The figures by name, in the order in which they are measured: the quiet ones first.
const FIGURES: [&str; 4] = ["start", "dependencies", "deploy", "build"];

pub(super) fn run(session: &Session, arguments: &Bench) -> anyhow::Result<Exit> {
    if let Some(unknown) = arguments.only.iter().find(|name| !FIGURES.contains(&name.as_str())) {
        return Err(Exit::BadInput.error(format!(
            "there is no figure `{unknown}`{}; there are {}",
            did_you_mean(unknown, FIGURES),
            FIGURES.join(", ")
        )));
    }
    let wanted =
        |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    let context = test::checking(session)?;
    let program = std::env::current_exe()?;
    let mut figures = Vec::new();
    if wanted("start") {
        figures.push(bench::start_time(&context, &program));
    }
    if wanted("dependencies") {
        figures.push(bench::doubled_stacks(&context));
    }
    if wanted("deploy") {
        figures.extend(deploys(session, &context)?);
    }
    if wanted("build") {
        session.console.remark("building package xtask from nothing; this takes minutes");
        figures.push(bench::cold_build(&context));
    }
    match session.format {
        Format::Text => session.console.line(&bench::table(&figures)),
        Format::Json => session.console.line(&serde_json::to_string_pretty(
            &figures
                .iter()
                .map(|figure| {
                    serde_json::json!({
                        "name": figure.name, "limit": figure.limit, "unit": figure.unit,
                        "measured": figure.measured.as_ref().ok(),
                    })
                })
                .collect::<Vec<_>>(),
        )?),
    }
    Ok(Exit::Done)
}

/// Deploys dev twice in a sandbox of its own, which ends with it: from nothing, and without a
/// change.
fn deploys(session: &Session, context: &CheckContext) -> anyhow::Result<Vec<Figure>> {
    let folder = session.root.join("target/bench");
    let program = std::env::current_exe()?;
    let call = |words: &[&str]| {
        let command = context.processes.command(&program).args(words).cwd(&session.root);
        command.env(sandbox::FOLDER, folder.display().to_string()).run_quietly()
    };
    // From nothing: what an interrupted measurement left would make the first run a second one.
    call(&["sandbox", "down"])?;
    let figures = two_deploys(&|| call(&["deploy", "dev", "--sandbox"]).map(drop), &folder);
    // Also after an error, which counts for more than one of the tear-down.
    let down = call(&["sandbox", "down"]);
    let figures = figures?;
    down?;
    Ok(figures)
}

fn two_deploys(
    deploy: &dyn Fn() -> anyhow::Result<()>,
    sandbox: &Path,
) -> anyhow::Result<Vec<Figure>> {
    let memory = MemoryWatch::start(&[std::process::id()])?;
    let mut figures = Vec::new();
    for (name, limit) in [
        ("deploy dev --sandbox, from nothing", Duration::from_secs(210)),
        ("deploy dev --sandbox, nothing changed", Duration::from_secs(30)),
    ] {
        deploy()?;
        figures.push(bench::run_time(name, limit, &last_run(sandbox)?));
    }
    figures.push(bench::peak_memory(memory));
    Ok(figures)
}

fn last_run(sandbox: &Path) -> anyhow::Result<RunRecord> {
    let platform = Platform::sandbox_at_rest(sandbox);
    let journal = Journal::at(platform.files.join("dev").join("runs"));
    let last = journal.newest_first("dev")?.find(|run| run.operation == Operation::Deploy);
    last.ok_or_else(|| anyhow::anyhow!("the deployment left no journal"))
}
