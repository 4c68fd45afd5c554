//! `test`: every check of the repository, the fast ones first, and the end-to-end run beside the slow ones.

use std::{io::Write as _, path::Path, time::Duration};

use anyhow::Context as _;
use clap::Parser as _;
use xtask_checks::{CHECKS, Check, CheckContext, CheckOutcome, Kind, Lane, Selection, Thing};

use super::Session;
use crate::{
    cli::{Cli, Test},
    exit::Exit,
    report::UNWRITTEN,
    stages::STAGES,
    toolbox::Toolbox,
};

/// Only ends what hangs: walking both environments takes a third of this on two cores, two thirds where they do other
/// work as well.
const LONGEST_STORY: Duration = Duration::from_mins(45);

/// Every dependency and every test, on a small, cold machine that runs other checks as well.
const LONGEST_BUILD: Duration = Duration::from_mins(25);

/// The whole product once, from nothing to nothing, as a person would run it.
const END_TO_END: Check = Check {
    name: "end-to-end",
    kind: Kind::Slow,
    lane: Lane::Waits,
    alone: &[Thing::Deadlines],
    claim: "dev and prod go from nothing to a Supabase that answers, and back, in the sandbox",
    remedy: "run `cargo xtask deploy dev --sandbox` and read what it says",
    run: end_to_end,
};

pub(super) fn run(session: &Session, arguments: &Test) -> anyhow::Result<Exit> {
    let checks: Vec<Check> = CHECKS.iter().copied().chain([END_TO_END]).collect();
    let mut out = std::io::stdout();
    if arguments.list {
        xtask_checks::list(&checks, &mut out).context(UNWRITTEN)?;
        return Ok(Exit::Done);
    }
    let selection = Selection {
        only: arguments.only.clone(),
        skip: arguments.skip.clone(),
        keep_going: arguments.keep_going,
        one_at_a_time: arguments.one_at_a_time,
    };
    if let Some(unknown) = selection.unknown(&checks) {
        return Err(Exit::BadInput.error(unknown));
    }
    let context = checking(session)?;
    let tally = xtask_checks::run(&context, &checks, &selection, &mut out)?;
    out.flush()?;
    Ok(if tally.failed == 0 && tally.passed > 0 { Exit::Done } else { Exit::Failed })
}

/// What checks and figures are given.
pub(super) fn checking(session: &Session) -> anyhow::Result<CheckContext> {
    let processes = session.processes()?;
    let toolbox = Toolbox::new(&session.root, &processes, &session.console)?;
    let stages = STAGES.iter().map(|stage| stage.name()).collect();
    Ok(CheckContext::new(&session.root, processes, toolbox.shared(), stages, accepts)
        .with_plans(super::yardstick::plans))
}

/// Whether our own command line takes these words; the workflows are checked with it.
fn accepts(words: &[String]) -> Result<(), String> {
    let line = std::iter::once("xtask").chain(words.iter().map(String::as_str));
    Cli::try_parse_from(line).map(drop).map_err(|error| error.to_string())
}

fn end_to_end(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let log = context.scratch.join("end-to-end.log");
    let _ = std::fs::remove_file(&log);
    // All packages, whose tests of other names are left out: the selection decides which features are
    // built, and another one would build every dependency again.
    let test = context.processes.cargo().args(["test", "--locked", "--workspace", "--test", "it"]);
    let test = test.cwd(&context.root).log_to(&log);
    // By itself: it may have to wait for another check that compiles, and the story has a deadline.
    let built = test.clone().arg("--no-run").purpose("build the end-to-end test");
    if let Err(error) = built.timeout(LONGEST_BUILD).run_quietly() {
        return Ok(failed(&error, &log));
    }
    let command = test.args(["--", "end_to_end::", "--nocapture"]);
    let command = command.purpose("run the end-to-end test").timeout(LONGEST_STORY);
    let mut last = String::new();
    let ended = command.run(&mut |line| {
        if line.text.starts_with("end-to-end:") {
            last = line.text.to_owned();
        }
    });
    Ok(match ended {
        // A filter that matches no test lets cargo pass without a word.
        Ok(_) if last.is_empty() => CheckOutcome::Failed("no test ran".to_owned()),
        Ok(_) => CheckOutcome::Passed(last),
        Err(error) => failed(&error, &log),
    })
}

/// Why, and the end of the log, which tells where.
fn failed(error: &anyhow::Error, log: &Path) -> CheckOutcome {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let end = lines[lines.len().saturating_sub(80)..].join("\n");
    CheckOutcome::Failed(format!("{error:#}\n{end}"))
}
