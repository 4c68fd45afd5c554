//! Stages for the tests of the engine. Their world is a list of what was done, in order.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{Action, Effect, Outcome, Preview, Stage, Step, StepRun, Table, Undo};

/// What the fake stages act on.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) done: Mutex<Vec<String>>,
}

type Work = dyn Fn(&World, &StepRun<'_>) -> anyhow::Result<Outcome> + Send + Sync;

/// A stage as the test wants it.
#[derive(Clone)]
pub(crate) struct Fake {
    name: &'static str,
    needs: &'static [&'static str],
    deadline: Duration,
    steps: Vec<FakeStep>,
}

#[derive(Clone)]
struct FakeStep {
    id: String,
    effect: Effect,
    leaves: Option<String>,
    work: Arc<Work>,
}

/// A stage without steps that needs `needs`.
pub(crate) fn stage(name: &'static str, needs: &[&'static str]) -> Fake {
    let needs = Vec::leak(needs.to_vec());
    Fake { name, needs, deadline: Duration::from_secs(600), steps: Vec::new() }
}

impl Fake {
    pub(crate) fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// A step that does `work`, behind a note of itself in the world.
    pub(crate) fn step(
        mut self,
        id: &str,
        effect: Effect,
        work: impl Fn(&World, &StepRun<'_>) -> anyhow::Result<Outcome> + Send + Sync + 'static,
    ) -> Self {
        let work = Arc::new(work);
        self.steps.push(FakeStep { id: id.to_owned(), effect, leaves: None, work });
        self
    }

    pub(crate) fn leaves(mut self, leaves: &str) -> Self {
        self.steps.last_mut().unwrap().leaves = Some(leaves.to_owned());
        self
    }

    /// A step that changes something.
    pub(crate) fn changes(self, id: &str) -> Self {
        self.step(id, Effect::Write, |_, _| Ok(Outcome::Changed("one thing".to_owned())))
    }

    /// A step that fails.
    pub(crate) fn fails(self, id: &str, message: &'static str) -> Self {
        self.step(id, Effect::Write, move |_, _| anyhow::bail!(message))
    }

    fn all_steps(&self) -> Vec<Step<World>> {
        let step = |fake: &FakeStep| {
            let action = FakeAction {
                place: format!("{}/{}", self.name, fake.id),
                work: Arc::clone(&fake.work),
            };
            let step = Step::new(&fake.id, &format!("do {}", fake.id), fake.effect, action);
            match &fake.leaves {
                Some(leaves) => step.leaves(leaves),
                None => step,
            }
        };
        self.steps.iter().map(step).collect()
    }
}

struct FakeAction {
    place: String,
    work: Arc<Work>,
}

impl Action<World> for FakeAction {
    fn preview(&self) -> Preview {
        Preview::Command(format!("tool {}", self.place))
    }

    fn run(&self, world: &World, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        world.done.lock().unwrap().push(self.place.clone());
        (self.work)(world, run)
    }
}

impl Stage<World> for Fake {
    fn name(&self) -> &'static str {
        self.name
    }

    fn purpose(&self) -> &'static str {
        "Something is there."
    }

    fn needs(&self) -> &'static [&'static str] {
        self.needs
    }

    fn effect(&self) -> Effect {
        Effect::Write
    }

    fn undo(&self) -> Undo {
        Undo::TearDown
    }

    fn deadline(&self) -> Duration {
        self.deadline
    }

    fn plan(&self, _: &World) -> anyhow::Result<Vec<Step<World>>> {
        Ok(self.all_steps())
    }

    fn tear_down(&self, _: &World) -> anyhow::Result<Vec<Step<World>>> {
        let mut steps = self.all_steps();
        steps.reverse();
        for step in &mut steps {
            step.id = format!("remove-{}", step.id);
            step.effect = Effect::Destructive;
        }
        Ok(steps)
    }
}

/// A table of them, which may be wrong.
pub(crate) fn try_table(stages: Vec<Fake>) -> anyhow::Result<Table<World>> {
    let leak = |stage: Fake| -> &'static dyn Stage<World> { Box::leak(Box::new(stage)) };
    Table::new(Vec::leak(stages.into_iter().map(leak).collect()))
}

pub(crate) fn table(stages: Vec<Fake>) -> Table<World> {
    try_table(stages).unwrap()
}
