//! The yardstick: what a careful operator asks of this Terraform code, row by row, with evidence.
//!
//! Architecture invariant: no row passes without evidence that can fail. A proof over a plan or over
//! files is put to its own counterexamples in every run; a test, a scanner's check or an
//! observation that does not exist is a failure, not a pass.

mod evidence;
mod plan;
mod row;
mod rows;
mod sources;
mod verdict;

use crate::{CheckContext, CheckOutcome};

pub use verdict::{Measured, Report, Standing};

/// Measures these environments.
///
/// # Errors
/// When evidence cannot be gathered: a tool is missing, or there is no plan.
pub fn measure(context: &CheckContext, environments: &[String]) -> anyhow::Result<Report> {
    Ok(Report::of(&evidence::Evidence::gather(context, environments)?))
}

/// The check of that name: every row, in every environment.
pub(crate) fn check(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let report = measure(context, &context.environments()?)?;
    let summary = report.summary().replace('\n', "; ");
    Ok(CheckOutcome::of_findings(&report.failures(), summary))
}
