//! What a run would do, as data: shown as text or JSON first, then carried out as it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write},
    time::Duration,
};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::{Effect, Preview, Selection, Stage, Step, Table, Undo};

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

/// A [`Plan`] without what makes it run. `Display` renders it for people, without secrets, with a
/// line end behind each line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanDocument {
    pub schema: u32,
    pub operation: Operation,
    pub environment: String,
    /// How many steps have which effect.
    pub effects: BTreeMap<Effect, usize>,
    pub stages: Vec<StageDocument>,
}

/// See [`PlannedStage`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageDocument {
    pub name: &'static str,
    pub purpose: &'static str,
    pub effect: Effect,
    pub undo: Undo,
    pub after: Vec<&'static str>,
    pub assumed: Vec<&'static str>,
    pub deadline_seconds: u64,
    pub steps: Vec<StepDocument>,
}

/// See [`Step`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepDocument {
    pub id: String,
    pub title: String,
    pub effect: Effect,
    pub preview: Preview,
    /// What remains when the step fails half-way.
    pub leaves: Option<String>,
}

impl fmt::Display for PlanDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: usize = self.effects.values().sum();
        let effects = self.effects.iter().filter(|(_, count)| **count > 0);
        let effects: Vec<_> = effects.map(|(effect, count)| format!("{count} {effect}")).collect();
        let (operation, environment) = (self.operation, &self.environment);
        write!(f, "{operation} {environment}: ")?;
        write!(f, "{}, {}", counted(self.stages.len(), "stage"), counted(steps, "step"))?;
        if !effects.is_empty() {
            write!(f, " ({})", effects.join(", "))?;
        }
        f.write_char('\n')?;
        for (position, stage) in self.stages.iter().enumerate() {
            write!(f, "\n{}. {stage}", position + 1)?;
        }
        Ok(())
    }
}

impl fmt::Display for StageDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.deadline_seconds.div_ceil(60);
        writeln!(f, "{} [{}, at most {minutes} min]", self.name, self.effect)?;
        writeln!(f, "   {}", self.purpose)?;
        if !self.after.is_empty() {
            writeln!(f, "   after: {}", self.after.join(", "))?;
        }
        if !self.assumed.is_empty() {
            writeln!(f, "   taken as done: {}", self.assumed.join(", "))?;
        }
        if self.steps.is_empty() {
            writeln!(f, "   nothing to do")?;
        }
        let widest =
            self.steps.iter().map(|step| step.id.chars().count()).max().unwrap_or_default();
        for step in &self.steps {
            let effect = step.effect.to_string();
            writeln!(f, "   {effect:<11}  {:<widest$}  {}", step.id, step.title)?;
            writeln!(f, "   {:<11}  {:<widest$}  {}", "", "", step.preview)?;
        }
        Ok(())
    }
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

/// `1 stage`, `2 stages`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::{
        Outcome,
        fake::{Fake, World, stage, table},
    };

    fn diamond() -> Table<World> {
        let look = |stage: Fake| {
            stage.step("look", Effect::Read, |_, _| Ok(Outcome::Unchanged("fine".to_owned())))
        };
        table(vec![
            look(stage("preflight", &[])),
            stage("infrastructure", &["preflight"]).changes("apply"),
            stage("addons", &["infrastructure"]).changes("install"),
            stage("secrets", &["infrastructure"]).changes("store").leaves("secrets in the store"),
            look(stage("release", &["addons", "secrets", "preflight"])),
        ])
    }

    fn only(names: &[&str]) -> Selection {
        let only = names.iter().map(|name| (*name).to_owned()).collect();
        Selection { only, ..Selection::default() }
    }

    #[test]
    fn a_deployment_as_text() {
        let plan =
            Plan::deploy(&diamond(), &Selection::default(), "dev", &World::default()).unwrap();
        expect![[r#"
            deploy dev: 5 stages, 5 steps (2 read, 3 write)

            1. preflight [read, at most 10 min]
               Something is there.
               read         look  do look
                                  $ tool preflight/look

            2. infrastructure [write, at most 10 min]
               Something is there.
               after: preflight
               write        apply  do apply
                                   $ tool infrastructure/apply

            3. addons [write, at most 10 min]
               Something is there.
               after: infrastructure
               write        install  do install
                                     $ tool addons/install

            4. secrets [write, at most 10 min]
               Something is there.
               after: infrastructure
               write        store  do store
                                   $ tool secrets/store

            5. release [read, at most 10 min]
               Something is there.
               after: addons, secrets
               read         look  do look
                                  $ tool release/look
        "#]]
        .assert_eq(&plan.document().to_string());
    }

    #[test]
    fn a_part_of_a_tear_down_as_text_goes_backwards() {
        let selection = only(&["infrastructure", "secrets", "release"]);
        let plan = Plan::destroy(&diamond(), &selection, "dev", &World::default()).unwrap();
        assert_eq!(plan.names(), ["release", "secrets", "infrastructure"]);
        let after: Vec<_> = plan.stages.iter().map(|stage| stage.after.clone()).collect();
        assert_eq!(after, [vec![], vec!["release"], vec!["secrets"]]);
        let text = plan.document().to_string();
        assert!(text.starts_with("destroy dev: 3 stages, 3 steps (3 destructive)\n"), "{text}");
    }

    #[test]
    fn order_survives_stages_that_are_left_out_and_they_are_taken_as_done() {
        let selection = only(&["preflight", "release"]);
        let plan = Plan::deploy(&diamond(), &selection, "dev", &World::default()).unwrap();
        let release = &plan.stages[1];
        assert_eq!(release.after, ["preflight"]);
        assert_eq!(release.assumed, ["addons", "secrets"]);
        let text = plan.document().to_string();
        assert!(text.contains("   taken as done: addons, secrets\n"), "{text}");
    }

    #[test]
    fn the_document_for_machines_has_the_same_content() {
        let selection = only(&["secrets"]);
        let plan = Plan::deploy(&diamond(), &selection, "dev", &World::default()).unwrap();
        expect![[r#"
            {
              "schema": 1,
              "operation": "deploy",
              "environment": "dev",
              "effects": {
                "read": 0,
                "write": 1,
                "destructive": 0
              },
              "stages": [
                {
                  "name": "secrets",
                  "purpose": "Something is there.",
                  "effect": "write",
                  "undo": "tear-down",
                  "after": [],
                  "assumed": [
                    "infrastructure"
                  ],
                  "deadline_seconds": 600,
                  "steps": [
                    {
                      "id": "store",
                      "title": "do store",
                      "effect": "write",
                      "preview": {
                        "kind": "command",
                        "what": "tool secrets/store"
                      },
                      "leaves": "secrets in the store"
                    }
                  ]
                }
              ]
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&plan.document()).unwrap());
    }

    #[test]
    fn a_step_with_more_effect_than_its_stage_declares_is_refused() {
        let table =
            table(vec![stage("a", &[]).step("x", Effect::Destructive, |_, _| anyhow::bail!("no"))]);
        let error = Plan::stage(&table, "a", "dev", &World::default()).unwrap_err().to_string();
        let expected =
            "step `x` of stage `a` has the effect destructive, but the stage declares write";
        assert_eq!(error, expected);
        Plan::destroy(&table, &Selection::default(), "dev", &World::default()).unwrap();
    }

    #[test]
    fn two_steps_of_one_name_are_refused() {
        let table = table(vec![stage("a", &[]).changes("x").changes("x")]);
        let error = Plan::deploy(&table, &Selection::default(), "dev", &World::default());
        assert_eq!(error.unwrap_err().to_string(), "stage `a` has two steps `x`");
    }
}
