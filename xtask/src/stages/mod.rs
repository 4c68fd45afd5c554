//! The one ordered table of stages. It drives the command line, dry runs, the graph, the
//! documentation, the workflows' check and, reversed, tear-down. Adding a stage is one file here
//! and one row; `needs` of the stage that follows it, the deploy workflow and the golden files then say
//! by a failing test what is missing.

mod addons;
mod address;
mod baseline;
mod database;
mod infrastructure;
mod ingress;
mod preflight;
mod readiness;
mod release;
mod row_security;
mod secrets;
mod smoke;

use xtask_pipeline::Stage;

use crate::context::Context;

pub(crate) use database::Database;
pub(crate) use ingress::Address;
pub(crate) use release::{chart, sample_values};
pub(crate) use secrets::is_stale;

/// Every stage, in the order in which a deployment runs them.
pub(crate) static STAGES: &[&dyn Stage<Context>] = &[
    &preflight::Preflight,
    &infrastructure::InfrastructureStage,
    &baseline::BaselineStage,
    &addons::Addons,
    &secrets::Secrets,
    &database::DatabaseStage,
    &release::Release,
    &ingress::IngressStage,
    &smoke::Smoke,
];
