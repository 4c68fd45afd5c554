//! The plan for people and machines.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

use serde::Serialize;

use crate::{Effect, Operation, Preview, Undo};

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

/// `1 stage`, `2 stages`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
