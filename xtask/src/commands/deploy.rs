//! `deploy`, `stage`: runs stages of the table.

use xtask_pipeline::{Journal, Operation, Plan, RunOptions, RunReport, Selection, Table, Verdict};
use xtask_tools::did_you_mean;

use super::Session;
use crate::{
    cli::{self, Deploy, Format, StageRun, Target},
    context::Context,
    exit::Exit,
    inputs, report,
    stages::{Address, STAGES},
};

pub(super) fn run(session: &Session, arguments: Deploy) -> anyhow::Result<Exit> {
    let Deploy { target, selection, dry_run, resume, guard } = arguments;
    let cli::Selection { from, to, only, skip } = &selection;
    from.iter().chain(to).chain(only).chain(skip).try_for_each(|name| known_stage(name))?;
    let selection = selected(&selection);
    if dry_run {
        return show(session, &target, &selection, resume);
    }
    let context = guarded(session.context(&target)?, guard);
    let ended = execute(session, &context, &target, &selection, resume)?;
    if ended.verdict == Verdict::Done && session.format == Format::Text {
        farewell(session, &context, &target)?;
    }
    Ok(exit_of(&ended))
}

pub(super) fn run_stage(session: &Session, arguments: StageRun) -> anyhow::Result<Exit> {
    let StageRun { stage, target, dry_run, guard } = arguments;
    known_stage(&stage)?;
    let table = table()?;
    if dry_run {
        let context = session.offline(&target)?;
        print(
            session,
            &Plan::stage(&table, &stage, &target.environment, &context).map_err(bad_selection)?,
        )?;
        return Ok(Exit::Done);
    }
    table.stage(&stage).map_err(bad_selection)?;
    let context = guarded(session.context(&target)?, guard);
    let plan = Plan::stage(&table, &stage, &target.environment, &context).map_err(bad_selection)?;
    Ok(exit_of(&carry_out(session, &context, &plan, None)?))
}

fn guarded(mut context: Context, guard: cli::Guard) -> Context {
    context.allow_destroy = guard.allow_destroy;
    context.reviewed_plan = guard.plan;
    context
}

fn show(
    session: &Session,
    target: &Target,
    selection: &Selection,
    resume: bool,
) -> anyhow::Result<Exit> {
    let context = session.offline(target)?;
    let (table, environment) = (table()?, &target.environment);
    let planned = |selection: &Selection| {
        Plan::deploy(&table, selection, environment, &context).map_err(bad_selection)
    };
    if !resume {
        print(session, &planned(selection)?)?;
        return Ok(Exit::Done);
    }
    let unfinished = session.journal(&context).resumable(environment, Operation::Deploy)?;
    let whole = planned(&unfinished.selection())?;
    let done = whole.still_done(&unfinished, &|stage| inputs::of(&context, stage));
    let left = whole.names().into_iter().filter(|stage| !done.contains(stage));
    let only = left.map(str::to_owned).collect();
    print(session, &planned(&Selection { only, ..Selection::default() })?)?;
    Ok(Exit::Done)
}

/// Prints a plan in the format that was asked for.
pub(super) fn print(session: &Session, plan: &Plan<Context>) -> anyhow::Result<()> {
    let document = plan.document();
    match session.format {
        Format::Json => session.console.line(&serde_json::to_string_pretty(&document)?),
        Format::Text => session.console.line(document.to_string().trim_end()),
    }
    Ok(())
}

fn execute(
    session: &Session,
    context: &Context,
    target: &Target,
    selection: &Selection,
    resume: bool,
) -> anyhow::Result<RunReport> {
    let journal = session.journal(context);
    let resumed = if resume {
        Some(journal.resumable(&target.environment, Operation::Deploy)?)
    } else {
        None
    };
    let selection = resumed.as_ref().map_or_else(|| selection.clone(), |record| record.selection());
    let plan =
        Plan::deploy(&table()?, &selection, &target.environment, context).map_err(bad_selection)?;
    carry_out(session, context, &plan, resumed)
}

/// Runs a plan with the reporter that fits, and leaves the timeline file.
pub(super) fn carry_out(
    session: &Session,
    context: &Context,
    plan: &Plan<Context>,
    resumed: Option<xtask_pipeline::RunRecord>,
) -> anyhow::Result<RunReport> {
    if let Some(notice) = &context.platform.notice
        && session.format == Format::Text
    {
        session.console.line(notice);
    }
    let journal = session.journal(context);
    let reporter = report::reporter(&session.console, session.format);
    let interrupt = context.processes.interrupt().clone();
    let interruption = move || interrupt.is_set();
    let inputs = |stage: &str| inputs::of(context, stage);
    let stage_command =
        |stage: &str| context.command_line(&format!("stage {stage}")) + &context.guard_flags();
    let resume_command = match plan.operation {
        Operation::Deploy => context.command_line("deploy") + &context.guard_flags() + " --resume",
        Operation::Destroy => context.command_line("destroy"),
        Operation::Stage => stage_command(plan.names().first().copied().unwrap_or("preflight")),
    };
    let options = RunOptions {
        journal: &journal,
        reporter: &*reporter,
        interruption: &interruption,
        resume: resumed.as_ref(),
        inputs: &inputs,
        resume_command: &resume_command,
        stage_command: &stage_command,
    };
    let ended = xtask_pipeline::run(plan, context, &options)?;
    draw_timeline(session, context, &journal);
    for failure in &ended.failures {
        session.console.annotate_error(&format!("stage {}", failure.stage), &failure.message);
    }
    Ok(ended)
}

/// A picture of the run; without one it is as done as with it.
fn draw_timeline(session: &Session, context: &Context, journal: &Journal) {
    let file = context.folder().join("timeline.html");
    let drawn = journal.last_run(&context.environment.name).and_then(|record| match record {
        Some(record) => Ok(std::fs::write(&file, report::timeline(&record))?),
        None => Ok(()),
    });
    if let Err(error) = drawn {
        session.console.remark(&format!(
            "warning: the timeline was not written to {}: {error:#}",
            file.display()
        ));
    }
}

/// The exit code of a run: a stage's own, where its error has one.
pub(super) fn exit_of(ended: &RunReport) -> Exit {
    match ended.verdict {
        Verdict::Done => Exit::Done,
        Verdict::Interrupted => Exit::Interrupted,
        Verdict::Failed => match ended.failures.first().map(|failure| Exit::of(&failure.error)) {
            None | Some(Exit::Failed) => Exit::StageFailed,
            Some(exit) => exit,
        },
    }
}

/// Where it answers and how to look around.
fn farewell(session: &Session, context: &Context, target: &Target) -> anyhow::Result<()> {
    let journal = session.journal(context);
    let Some(output) = journal.latest_output(&target.environment, "ingress")? else {
        return Ok(());
    };
    let address: Address = serde_json::from_value(output)?;
    session.console.line(&format!("\nSupabase answers at {}", address.url));
    if let Some(proxy) = &context.platform.proxy {
        session.console.line(&format!(
            "  reach it with: curl --proxy {proxy} {}/auth/v1/.well-known/jwks.json",
            address.url
        ));
    }
    session
        .console
        .line(&format!("  timeline: {}", context.folder().join("timeline.html").display()));
    Ok(())
}

fn selected(selection: &cli::Selection) -> Selection {
    let cli::Selection { from, to, only, skip } = selection.clone();
    Selection { from, to, only, skip }
}

pub(super) fn table() -> anyhow::Result<Table<Context>> {
    Table::new(STAGES)
}

/// The table refuses an unknown stage, too; here its name is seen through.
fn known_stage(name: &str) -> anyhow::Result<()> {
    let names: Vec<&str> = STAGES.iter().map(|stage| stage.name()).collect();
    if names.contains(&name) {
        return Ok(());
    }
    Err(Exit::BadInput.error(format!(
        "there is no stage `{name}`{}: the stages are {}",
        did_you_mean(name, names.iter().copied()),
        names.join(", ")
    )))
}

fn bad_selection(error: anyhow::Error) -> anyhow::Error {
    if Exit::of(&error) == Exit::Failed {
        Exit::BadInput.error(format!("{error:#}"))
    } else {
        error
    }
}
