//! One stage from its first step to its last.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use anyhow::anyhow;

use super::Engine;
use crate::{
    Effect, Event, Failure, Interrupted, Outcome, PlannedStage, Recorded, StageState, Step,
    StepResult, StepRun, step::Host,
};

/// How a stage ended.
pub(super) struct StageEnd {
    pub(super) state: StageState,
    pub(super) duration: Duration,
    pub(super) changed: usize,
    pub(super) failure: Option<Failure>,
}

impl StageEnd {
    pub(super) fn failed(stage: &'static str, message: String, error: anyhow::Error) -> Self {
        let failure = Some(Failure::between_steps(stage, message, error));
        Self { state: StageState::Failed, duration: Duration::ZERO, changed: 0, failure }
    }
}

impl Failure {
    pub(super) fn between_steps(
        stage: &'static str,
        message: String,
        error: anyhow::Error,
    ) -> Self {
        Self { stage, step: None, message, leaves: None, error }
    }
}

pub(super) fn run_stage<Cx>(
    engine: &Engine<'_>,
    stage: &PlannedStage<Cx>,
    context: &Cx,
) -> StageEnd {
    let began = Instant::now();
    engine.report(&Event::StageStarted {
        stage: stage.name,
        purpose: stage.purpose,
        effect: stage.effect,
        steps: stage.steps.len(),
        assumed: &stage.assumed,
    });
    let mut end = match engine.writer.append(
        Recorded::StageStarted {
            stage: stage.name.to_owned(),
            inputs: (engine.options.inputs)(stage.name),
        },
        false,
    ) {
        Ok(()) => run_steps(engine, stage, context, began + stage.deadline),
        Err(error) => StageEnd::failed(stage.name, engine.shown(&error), error),
    };
    end.duration = began.elapsed();
    if end.state != StageState::Finished {
        engine.failed.store(true, Ordering::SeqCst);
    }
    let ended = Recorded::StageEnded { stage: stage.name.to_owned(), state: end.state };
    if let Err(error) = engine.writer.append(ended, true) {
        end.state = StageState::Failed;
        let failure = Failure::between_steps(stage.name, engine.shown(&error), error);
        end.failure.get_or_insert(failure);
    }
    engine.report(&Event::StageEnded {
        stage: stage.name,
        state: end.state,
        duration: end.duration,
    });
    end
}

fn run_steps<Cx>(
    engine: &Engine<'_>,
    stage: &PlannedStage<Cx>,
    context: &Cx,
    deadline: Instant,
) -> StageEnd {
    let mut end = StageEnd {
        state: StageState::Finished,
        duration: Duration::ZERO,
        changed: 0,
        failure: None,
    };
    for step in &stage.steps {
        if engine.interrupted() {
            end.state = StageState::Interrupted;
            break;
        }
        match run_step(engine, stage, step, context, deadline) {
            Ok(Outcome::Changed(_)) => end.changed += 1,
            Ok(Outcome::Unchanged(_) | Outcome::Skipped(_) | Outcome::Problem(_)) => {}
            Err(failure) => {
                let interrupted = engine.interrupted() || failure.error.is::<Interrupted>();
                end.state = if interrupted { StageState::Interrupted } else { StageState::Failed };
                end.failure = Some(failure);
                break;
            }
        }
    }
    end
}

/// Runs one step between its two journal entries.
fn run_step<Cx>(
    engine: &Engine<'_>,
    stage: &PlannedStage<Cx>,
    step: &Step<Cx>,
    context: &Cx,
    deadline: Instant,
) -> Result<Outcome, Failure> {
    let stage_name = stage.name;
    let failure = |error: anyhow::Error, leaves: Option<String>| Failure {
        stage: stage_name,
        step: Some(step.id.clone()),
        message: engine.shown(&error),
        leaves,
        error,
    };
    if Instant::now() >= deadline {
        let minutes = stage.deadline.as_secs().div_ceil(60);
        return Err(failure(anyhow!("not started: the stage has used up its {minutes} min"), None));
    }
    let preview = step.action.preview();
    engine.report(&Event::StepStarted {
        stage: stage_name,
        step: &step.id,
        title: &step.title,
        effect: step.effect,
        preview: &preview,
    });
    let started = Recorded::StepStarted {
        stage: stage_name.to_owned(),
        step: step.id.clone(),
        title: step.title.clone(),
        effect: step.effect,
        leaves: step.leftovers.clone(),
    };
    let durable = step.effect != Effect::Read;
    engine.writer.append(started, durable).map_err(|error| failure(error, None))?;

    let began = Instant::now();
    let run = StepRun { stage: stage_name, step: &step.id, host: engine, deadline };
    let result =
        catch_unwind(AssertUnwindSafe(|| step.action.run(context, &run))).unwrap_or_else(|panic| {
            Err(anyhow!("the program has a defect here: {}", panic_text(&*panic)))
        });
    let duration = began.elapsed();

    let recorded = match &result {
        Ok(outcome) => StepResult::Done { outcome: outcome.clone() },
        Err(error) => StepResult::Failed { error: engine.shown(error) },
    };
    let ended = Recorded::StepEnded {
        stage: stage_name.to_owned(),
        step: step.id.clone(),
        result: recorded,
    };
    let written = engine.writer.append(ended, durable);
    let result = result.and_then(|outcome| written.map(|()| outcome));
    match &result {
        Ok(outcome) => {
            engine.report(&Event::StepFinished {
                stage: stage_name,
                step: &step.id,
                outcome,
                duration,
            });
        }
        Err(error) => {
            let error = &engine.shown(error);
            engine.report(&Event::StepFailed {
                stage: stage_name,
                step: &step.id,
                error,
                duration,
            });
        }
    }
    result.map_err(|error| failure(error, step.leftovers.clone()))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it panicked")
}
