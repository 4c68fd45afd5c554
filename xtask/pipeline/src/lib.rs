//! The engine that runs stages: what a stage is, the plan as data, the journal, the graph.
//!
//! Architecture invariant: nothing in here knows AWS, Kubernetes, Terraform or the sandbox, and
//! nothing in here opens a socket or starts a process. A stage gets its world as the context `Cx`.

mod stage;
mod step;

pub use stage::{Effect, Output, Stage, Undo};
pub use step::{Action, Outcome, Preview, Step, StepRun};
