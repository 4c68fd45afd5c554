//! Which stage runs when.

use std::{
    sync::mpsc,
    thread::{self, Scope},
    time::Duration,
};

use super::{
    Engine,
    stage::{StageEnd, run_stage},
};
use crate::{Event, Failure, Plan, PlannedStage, Recorded, StageReport, StageState};

/// Runs the stages; how each ended, in the order of the plan, and what went wrong.
pub(super) fn run_all<Cx: Sync>(
    engine: &Engine<'_>,
    plan: &Plan<Cx>,
    context: &Cx,
) -> (Vec<StageReport>, Vec<Failure>) {
    let mut reports: Vec<_> = plan.stages.iter().map(never_ran).collect();
    let mut failures = Vec::new();
    skip_finished(engine, plan, &mut reports, &mut failures);
    let mut waiting: Vec<_> =
        (0..reports.len()).filter(|at| reports[*at].state == StageState::NeverRan).collect();
    let (sender, receiver) = mpsc::channel();
    let mut running = 0;
    thread::scope(|scope| {
        loop {
            if failures.is_empty() && engine.goes_on() {
                let (ready, later): (Vec<_>, _) =
                    waiting.drain(..).partition(|at| is_ready(&plan.stages[*at], &reports));
                waiting = later;
                running += ready.len();
                for at in ready {
                    start(scope, engine, &plan.stages[at], context, at, sender.clone());
                }
            }
            if running == 0 {
                break;
            }
            // Cannot fail: this function holds a sender itself.
            let Ok((at, end)) = receiver.recv() else { break };
            running -= 1;
            (reports[at].state, reports[at].duration) = (end.state, end.duration);
            reports[at].changed = end.changed;
            failures.extend(end.failure);
        }
    });
    (reports, failures)
}

fn never_ran<Cx>(stage: &PlannedStage<Cx>) -> StageReport {
    StageReport {
        stage: stage.name,
        state: StageState::NeverRan,
        duration: Duration::ZERO,
        changed: 0,
        effect: stage.effect,
        undo: stage.undo,
    }
}

/// Marks what the resumed run finished. It is journalled again, so that this run can be resumed in
/// its turn.
fn skip_finished<Cx>(
    engine: &Engine<'_>,
    plan: &Plan<Cx>,
    reports: &mut [StageReport],
    failures: &mut Vec<Failure>,
) {
    let Some(resumed) = engine.options.resume else { return };
    let (finished, still) =
        (resumed.finished_stages(), plan.still_done(resumed, engine.options.inputs));
    for (report, stage) in reports.iter_mut().zip(&plan.stages) {
        let (stage, finished_in) = (stage.name, resumed.id.as_str());
        if !still.contains(&stage) {
            if finished.contains(&stage) {
                engine.report(&Event::StageRepeated { stage, finished_in });
            }
            continue;
        }
        engine.report(&Event::StageSkipped { stage, finished_in });
        let skipped = Recorded::StageSkipped {
            stage: stage.to_owned(),
            finished_in: finished_in.to_owned(),
            inputs: (engine.options.inputs)(stage),
        };
        match engine.writer.append(skipped, false) {
            Ok(()) => report.state = StageState::FinishedBefore,
            Err(error) => failures.push(Failure::between_steps(stage, engine.shown(&error), error)),
        }
    }
}

fn is_ready<Cx>(stage: &PlannedStage<Cx>, reports: &[StageReport]) -> bool {
    let is_finished = |name: &&'static str| {
        reports.iter().any(|report| {
            report.stage == *name
                && matches!(report.state, StageState::Finished | StageState::FinishedBefore)
        })
    };
    stage.after.iter().all(is_finished)
}

fn start<'scope, Cx: Sync>(
    scope: &'scope Scope<'scope, '_>,
    engine: &'scope Engine<'_>,
    stage: &'scope PlannedStage<Cx>,
    context: &'scope Cx,
    at: usize,
    sender: mpsc::Sender<(usize, StageEnd)>,
) {
    let name = format!("stage {}", stage.name);
    let ended = sender.clone();
    let work = move || {
        // The receiver lives until every stage was heard.
        let _ = ended.send((at, run_stage(engine, stage, context)));
    };
    if let Err(error) = thread::Builder::new().name(name).spawn_scoped(scope, work) {
        let error = anyhow::Error::new(error).context("failed to start a thread");
        let _ = sender.send((at, StageEnd::failed(stage.name, engine.shown(&error), error)));
    }
}
