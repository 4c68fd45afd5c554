//! What a run would do, as data: shown as text or JSON first, then carried out as it is.

mod document;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

pub use document::{PlanDocument, StageDocument, StepDocument};

use crate::{Effect, RunRecord, Selection, Stage, Step, Table, Undo};

/// Which way the table is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// First to last, with [`Stage::plan`].
    Deploy,
    /// Last to first, with [`Stage::tear_down`].
    Destroy,
    /// As a deployment, but of stages that a person or a workflow runs one by one: `--resume` goes
    /// on with deployments and tear-downs, not with these.
    Stage,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deploy => "deploy",
            Self::Destroy => "destroy",
            Self::Stage => "stage",
        })
    }
}

/// The steps of the selected stages.
pub struct Plan<Cx: 'static> {
    pub operation: Operation,
    pub environment: String,
    /// In an order in which they could run one by one.
    pub stages: Vec<PlannedStage<Cx>>,
}

/// One stage of a plan.
pub struct PlannedStage<Cx: 'static> {
    pub name: &'static str,
    pub purpose: &'static str,
    pub effect: Effect,
    pub undo: Undo,
    /// Stages of this plan that must be done before: those that it needs or, on the way back,
    /// those that need it, directly or through stages that are not part of the plan. Only the
    /// nearest: what those wait for is left out.
    pub after: Vec<&'static str>,
    /// Needed stages that are not part of this plan and are taken as done.
    pub assumed: Vec<&'static str>,
    pub deadline: Duration,
    pub steps: Vec<Step<Cx>>,
}

impl<Cx: 'static> Plan<Cx> {
    /// Plans the selected stages, first to last.
    ///
    /// # Errors
    /// When the selection is wrong (see [`Table::select`]) or a stage cannot be planned.
    pub fn deploy(
        table: &Table<Cx>,
        selection: &Selection,
        environment: &str,
        context: &Cx,
    ) -> anyhow::Result<Self> {
        Self::new(table, selection, environment, context, Operation::Deploy)
    }

    /// Plans to take the selected stages back, last to first.
    ///
    /// # Errors
    /// When the selection is wrong (see [`Table::select`]) or a stage cannot be planned.
    pub fn destroy(
        table: &Table<Cx>,
        selection: &Selection,
        environment: &str,
        context: &Cx,
    ) -> anyhow::Result<Self> {
        Self::new(table, selection, environment, context, Operation::Destroy)
    }

    /// Plans one stage by itself.
    ///
    /// # Errors
    /// When there is no such stage or it cannot be planned.
    pub fn stage(
        table: &Table<Cx>,
        name: &str,
        environment: &str,
        context: &Cx,
    ) -> anyhow::Result<Self> {
        let selection = Selection { only: vec![name.to_owned()], ..Selection::default() };
        Self::new(table, &selection, environment, context, Operation::Stage)
    }

    fn new(
        table: &Table<Cx>,
        selection: &Selection,
        environment: &str,
        context: &Cx,
        operation: Operation,
    ) -> anyhow::Result<Self> {
        let mut selected = table.select(selection)?;
        if operation == Operation::Destroy {
            selected.reverse();
        }
        let order = Order::new(table, &selected);
        let mut stages = Vec::new();
        for stage in selected {
            let (name, is_deploy) = (stage.name(), operation != Operation::Destroy);
            let steps = if is_deploy { stage.plan(context) } else { stage.tear_down(context) };
            let steps = steps.with_context(|| format!("failed to plan stage `{name}`"))?;
            let mut ids = BTreeSet::new();
            for step in &steps {
                let (id, effect, declared) = (&step.id, step.effect, stage.effect());
                ensure!(ids.insert(id), "stage `{name}` has two steps `{id}`");
                ensure!(
                    effect <= declared || !is_deploy,
                    "step `{id}` of stage `{name}` has the effect {effect}, but the stage declares {declared}"
                );
            }
            stages.push(PlannedStage {
                name,
                purpose: stage.purpose(),
                effect: steps.iter().map(|step| step.effect).max().unwrap_or(Effect::Read),
                undo: stage.undo(),
                after: if is_deploy { order.before(name) } else { order.behind(name) },
                assumed: if is_deploy { order.missing(stage) } else { Vec::new() },
                deadline: stage.deadline(),
                steps,
            });
        }
        Ok(Self { operation, environment: environment.to_owned(), stages })
    }

    /// The names of the stages in their order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.stages.iter().map(|stage| stage.name).collect()
    }

    /// The stages that need not be done again when the plan goes on with `resumed`: finished there,
    /// made from what they would be made from now, and no stage before them is done again.
    #[must_use]
    pub fn still_done(
        &self,
        resumed: &RunRecord,
        inputs: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<&'static str> {
        let mut still = Vec::new();
        for stage in &self.stages {
            let record = resumed.stages.get(stage.name).filter(|record| record.is_finished());
            let made_from = record.and_then(|record| record.inputs.clone());
            let is_same = made_from.is_some() && made_from == inputs(stage.name);
            if is_same && stage.after.iter().all(|before| still.contains(before)) {
                still.push(stage.name);
            }
        }
        still
    }

    /// The plan for machines.
    #[must_use]
    pub fn document(&self) -> PlanDocument {
        let stages = self.stages.iter().map(PlannedStage::document).collect();
        let mut effects = BTreeMap::from(
            [Effect::Read, Effect::Write, Effect::Destructive].map(|effect| (effect, 0)),
        );
        for step in self.stages.iter().flat_map(|stage| &stage.steps) {
            *effects.entry(step.effect).or_default() += 1;
        }
        PlanDocument {
            schema: 1,
            operation: self.operation,
            environment: self.environment.clone(),
            effects,
            stages,
        }
    }
}

/// What the table says about the order of the selected stages.
struct Order {
    /// For each stage of the table, all that it needs, directly or not.
    needs: BTreeMap<&'static str, BTreeSet<&'static str>>,
    selected: Vec<&'static str>,
}

impl Order {
    fn new<Cx>(table: &Table<Cx>, selected: &[&'static dyn Stage<Cx>]) -> Self {
        let mut needs: BTreeMap<&'static str, BTreeSet<&'static str>> = BTreeMap::new();
        for stage in table.stages() {
            let direct = stage.needs().iter().copied();
            let indirect = stage
                .needs()
                .iter()
                .flat_map(|need| needs.get(need).into_iter().flatten().copied());
            let all = direct.chain(indirect).collect();
            needs.insert(stage.name(), all);
        }
        Self { needs, selected: selected.iter().map(|stage| stage.name()).collect() }
    }

    fn needs(&self, stage: &str, other: &str) -> bool {
        self.needs.get(stage).is_some_and(|needs| needs.contains(other))
    }

    /// The selected stages that `stage` needs, without those that one of them needs in turn.
    fn before(&self, stage: &str) -> Vec<&'static str> {
        let all = || self.selected.iter().copied().filter(|other| self.needs(stage, other));
        all().filter(|other| !all().any(|nearer| self.needs(nearer, other))).collect()
    }

    /// The selected stages that need `stage`, without those that need one of them in turn.
    fn behind(&self, stage: &str) -> Vec<&'static str> {
        let all = || self.selected.iter().copied().filter(|other| self.needs(other, stage));
        all().filter(|other| !all().any(|nearer| self.needs(other, nearer))).collect()
    }

    /// What `stage` needs directly and is not selected.
    fn missing<Cx>(&self, stage: &dyn Stage<Cx>) -> Vec<&'static str> {
        stage.needs().iter().copied().filter(|need| !self.selected.contains(need)).collect()
    }
}

impl<Cx> PlannedStage<Cx> {
    fn document(&self) -> StageDocument {
        let steps = self.steps.iter().map(|step| StepDocument {
            id: step.id.clone(),
            title: step.title.clone(),
            effect: step.effect,
            preview: step.action.preview(),
            leaves: step.leftovers.clone(),
        });
        StageDocument {
            name: self.name,
            purpose: self.purpose,
            effect: self.effect,
            undo: self.undo,
            after: self.after.clone(),
            assumed: self.assumed.clone(),
            deadline_seconds: self.deadline.as_secs(),
            steps: steps.collect(),
        }
    }
}

impl<Cx> fmt::Debug for Plan<Cx> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("operation", &self.operation)
            .field("environment", &self.environment)
            .field("stages", &self.stages)
            .finish()
    }
}

impl<Cx> fmt::Debug for PlannedStage<Cx> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlannedStage")
            .field("name", &self.name)
            .field("steps", &self.steps)
            .finish()
    }
}
