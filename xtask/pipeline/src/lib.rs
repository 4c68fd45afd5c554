//! The engine that runs stages: what a stage is, the plan as data, the journal, the graph.
//!
//! Architecture invariant: nothing in here knows AWS, Kubernetes, Terraform or the sandbox, and
//! nothing in here opens a socket or starts a process. A stage gets its world as the context `Cx`.
//!
//! The way through: a [`Table`] of [`Stage`]s, narrowed by a [`Selection`], becomes a [`Plan`]
//! (shown by `--dry-run`), which [`run`] carries out, telling a [`Reporter`] and the [`Journal`];
//! the [`RunReport`] says how it ended and which command comes next.

mod event;
#[cfg(test)]
mod fake;
mod interruption;
mod journal;
mod plan;
mod report;
mod run;
mod stage;
mod step;
mod table;
pub mod testing;

pub use event::{Event, Reporter, Silent};
pub use interruption::{Blocked, Interrupted, Interruption, Never};
pub use journal::{Entry, Journal, Recorded, RunRecord, StageRecord, StepRecord, StepResult};
pub use plan::{Operation, Plan, PlanDocument, PlannedStage, StageDocument, StepDocument};
pub use report::{Failure, RunReport, StageReport, StageState, Verdict};
pub use run::{RunOptions, run};
pub use stage::{Effect, Output, Stage, Undo};
pub use step::{Action, Outcome, Preview, Step, StepRun};
pub use table::{Selection, Table};
