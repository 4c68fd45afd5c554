//! The policy of `.github/workflows`: thin steps, no stored credentials, no cancelled deploy.
//!
//! zizmor and actionlint know what every repository should do; this knows what this one decided.

mod command;
mod rules;

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_norway::Value;

use crate::{CheckContext, CheckOutcome, Finding, ParseCommand};

/// One file of the folder, as far as the rules look at it.
#[derive(Debug, Deserialize)]
struct Workflow {
    #[serde(rename = "on")]
    triggers: Value,
    permissions: Option<Value>,
    concurrency: Option<Value>,
    #[serde(default)]
    env: BTreeMap<String, Value>,
    jobs: BTreeMap<String, Job>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Job {
    runs_on: Option<String>,
    timeout_minutes: Option<u64>,
    environment: Option<Value>,
    permissions: Option<Value>,
    #[serde(default)]
    continue_on_error: bool,
    strategy: Option<Value>,
    #[serde(default)]
    env: BTreeMap<String, Value>,
    #[serde(default)]
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Step {
    name: Option<String>,
    #[serde(rename = "if")]
    condition: Option<String>,
    run: Option<String>,
    uses: Option<String>,
    #[serde(default)]
    with: BTreeMap<String, Value>,
    #[serde(default)]
    env: BTreeMap<String, Value>,
    #[serde(default)]
    continue_on_error: bool,
}

/// What the rules are measured against.
struct Expected<'a> {
    stages: &'a [&'static str],
    /// The names of the files in `terraform/environments`.
    environments: &'a [String],
    parse_command: ParseCommand,
}

pub(crate) fn policy(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let files = context
        .files(".github/workflows", |path| path.ends_with(".yml") || path.ends_with(".yaml"))?;
    ensure!(!files.is_empty(), "there is no workflow in `.github/workflows`");
    let environments = context.environments()?;
    let expected = Expected {
        stages: &context.stages,
        environments: &environments,
        parse_command: context.parse_command,
    };
    let mut findings = Vec::new();
    let mut steps = 0;
    let mut groups = BTreeMap::new();
    for path in &files {
        let text = context.read(path)?;
        let workflow = match parse(&text) {
            Ok(workflow) => workflow,
            Err(error) => {
                findings.push(Finding::new(path, 0, format!("{error:#}")));
                continue;
            }
        };
        steps += workflow.jobs.values().map(|job| job.steps.len()).sum::<usize>();
        findings.extend(rules::inspect(path, &text, &workflow, &expected));
        if let Some(group) = rules::writing_group(&workflow) {
            groups.insert(path.clone(), group);
        }
    }
    findings.extend(rules::unequal_groups(&groups));
    Ok(CheckOutcome::of_findings(&findings, format!("{} workflows, {steps} steps", files.len())))
}

fn parse(text: &str) -> anyhow::Result<Workflow> {
    serde_norway::from_str(text).context("failed to read the workflow")
}

impl CheckContext {
    /// The names of the environments that are checked in.
    pub(crate) fn environments(&self) -> anyhow::Result<Vec<String>> {
        let files = self.files("terraform/environments", |path| path.ends_with(".tfvars"))?;
        let name = |path: &String| {
            let file = path.rsplit('/').next()?;
            Some(file.strip_suffix(".tfvars")?.to_owned())
        };
        Ok(files.iter().filter_map(name).collect())
    }
}

#[cfg(test)]
mod tests;
