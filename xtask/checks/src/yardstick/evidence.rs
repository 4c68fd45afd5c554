//! What the rows are measured against, gathered once: the runs of `terraform test`, what checkov
//! says of code and plans, the plans themselves, the files, and what the runner showed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde_json::Value;

use super::sources::Sources;
use crate::{CheckContext, CheckOutcome, checkov, iam, plans::Plans, terraform};

/// See the module.
#[derive(Debug)]
pub(super) struct Evidence {
    /// By `file:run`.
    pub(super) tests: BTreeMap<String, terraform::Ended>,
    pub(super) environments: BTreeMap<String, EnvironmentEvidence>,
    pub(super) bootstrap: Value,
    pub(super) sources: Sources,
    /// What the runner showed about itself, by name.
    pub(super) observed: BTreeMap<String, Result<(), String>>,
    pub(super) parliament: Result<(), String>,
}

#[derive(Debug)]
pub(super) struct EnvironmentEvidence {
    pub(super) plan: Value,
    pub(super) checkov: Checkov,
}

/// checkov's checks by how they ended, over code and plan of an environment.
#[derive(Debug, Default)]
pub(super) struct Checkov {
    pub(super) passed: BTreeSet<String>,
    pub(super) skipped: BTreeSet<String>,
    /// With the resources that failed.
    pub(super) failed: BTreeMap<String, Vec<String>>,
}

impl Evidence {
    pub(super) fn gather(context: &CheckContext, wanted: &[String]) -> anyhow::Result<Self> {
        let plans = context.plans()?;
        let mut environments = BTreeMap::new();
        for name in wanted {
            let file = plans.of(name)?;
            let mut evidence =
                EnvironmentEvidence { plan: Plans::read(file)?, checkov: Checkov::default() };
            for report in [checkov::of_code(context, name)?, checkov::of_plan(context, name, file)?]
            {
                evidence.checkov.add(&report);
            }
            environments.insert(name.clone(), evidence);
        }
        let parliament = match iam::policies_of_plans(context)? {
            CheckOutcome::Failed(findings) => Err(findings),
            CheckOutcome::Skipped(reason) => Err(reason),
            CheckOutcome::Passed(_) => Ok(()),
        };
        Ok(Self {
            tests: terraform::test_runs(context)?.runs.clone(),
            environments,
            bootstrap: Plans::read(&plans.bootstrap)?,
            sources: Sources::read(context).context("failed to read the repository's files")?,
            observed: plans.observed.clone(),
            parliament,
        })
    }
}

impl Checkov {
    fn add(&mut self, report: &checkov::Report) {
        self.passed.extend(report.passed());
        self.skipped.extend(report.skipped());
        for (check, resource) in report.failed() {
            self.failed.entry(check).or_default().push(resource);
        }
    }
}
