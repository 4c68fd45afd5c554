//! parliament on the IAM policies of the Terraform code: unknown actions, resources that an action
//! cannot have, misspelt conditions.

mod code;
mod plan;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    CheckContext, CheckOutcome,
    process::{ask, write},
    tools::PythonTool,
};

/// One identity policy, made fit for parliament.
#[derive(Debug, Clone, PartialEq)]
struct Policy {
    /// Where it stands, for people: `modules/identity/workloads.tf: ReadParameters`.
    place: String,
    statements: Vec<Value>,
    /// False when a resource is known only once it is made, so that its shape says nothing.
    resources_are_known: bool,
}

/// A line of `parliament --json`.
#[derive(Deserialize)]
struct Issue {
    issue: String,
    title: String,
    #[serde(default)]
    detail: Value,
    location: Location,
}

#[derive(Deserialize)]
struct Location {
    filepath: PathBuf,
}

/// The policies as the code states them. What the code leaves open is replaced by samples.
pub(crate) fn policies_of_code(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let files = context.files("terraform", |path| path.ends_with(".tf"))?;
    let policies = code::policies(context, &files)?;
    lint(context, "iam-code", &policies)
}

/// The policies in plans of environments (`terraform show -json`): the very text that AWS would get.
///
/// # Errors
/// When a plan cannot be read or parliament cannot be run.
pub fn lint_plan_policies(context: &CheckContext, plans: &[&Path]) -> anyhow::Result<CheckOutcome> {
    let mut policies = Vec::new();
    for path in plans {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("failed to read the plan `{}`", path.display()))?;
        let plan: Value = serde_json::from_str(&text)
            .with_context(|| format!("`{}` is no plan in JSON", path.display()))?;
        policies.extend(plan::policies(&plan));
    }
    lint(context, "iam-plan", &policies)
}

fn lint(
    context: &CheckContext,
    scratch: &str,
    policies: &[Policy],
) -> anyhow::Result<CheckOutcome> {
    ensure!(!policies.is_empty(), "no IAM policy was found to be checked");
    let folder = context.empty_scratch(scratch)?;
    for (index, policy) in policies.iter().enumerate() {
        let document = json!({ "Version": "2012-10-17", "Statement": policy.statements });
        write(&folder.join(format!("{index}.json")), &document.to_string())?;
    }
    let command = context.python_tool(PythonTool::Parliament)?;
    let answer = ask(&command.args(["--json", "--directory"]).arg(&folder))?;
    let issues = issues(&answer.stdout);
    // It ends with 1 when it found something, and otherwise it broke off.
    ensure!(
        answer.succeeded() || (answer.code == 1 && !issues.is_empty()),
        "parliament ended with exit code {}: {}",
        answer.code,
        answer.all.trim()
    );
    let findings: Vec<_> = issues.iter().filter_map(|issue| describe(issue, policies)).collect();
    let statements: usize = policies.iter().map(|policy| policy.statements.len()).sum();
    Ok(CheckOutcome::of_findings(&findings, format!("{statements} statements")))
}

fn issues(output: &str) -> Vec<Issue> {
    output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The finding for people; none when it is only about a resource that is not known yet.
fn describe(issue: &Issue, policies: &[Policy]) -> Option<String> {
    let index: Option<usize> =
        issue.location.filepath.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
    let policy = index.and_then(|index| policies.get(index));
    let about_resources = issue.issue.starts_with("RESOURCE_");
    if about_resources && policy.is_some_and(|policy| !policy.resources_are_known) {
        return None;
    }
    let place = policy.map_or("an unknown policy", |policy| policy.place.as_str());
    let detail = if issue.detail.is_null() { String::new() } else { format!(": {}", issue.detail) };
    Some(format!("{place}: {} ({}){detail}", issue.title, issue.issue))
}

/// Whether a statement belongs to a policy that grants rights to its own principal. Trust policies
/// and policies of buckets and keys name a principal, and parliament does not understand them.
fn is_identity_statement(statement: &Value) -> bool {
    statement.get("Effect").is_some()
        && (statement.get("Action").is_some() || statement.get("NotAction").is_some())
        && statement.get("Principal").is_none()
        && statement.get("NotPrincipal").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(resources_are_known: bool) -> Policy {
        Policy { place: "a.tf: Read".to_owned(), statements: Vec::new(), resources_are_known }
    }

    #[test]
    fn issues_name_the_place_and_guesses_are_left_out() {
        let output = concat!(
            r#"{"issue": "RESOURCE_MISMATCH", "title": "No match", "detail": [1], "location": {"filepath": "x/0.json"}}"#,
            "\nnoise\n",
            r#"{"issue": "UNKNOWN_ACTION", "title": "Unknown", "detail": null, "location": {"filepath": "x/0.json"}}"#,
        );
        let issues = issues(output);
        let described = |known| -> Vec<_> {
            issues.iter().filter_map(|issue| describe(issue, &[policy(known)])).collect()
        };
        let unknown = "a.tf: Read: Unknown (UNKNOWN_ACTION)".to_owned();
        assert_eq!(described(false), std::slice::from_ref(&unknown));
        assert_eq!(
            described(true),
            ["a.tf: Read: No match (RESOURCE_MISMATCH): [1]".to_owned(), unknown]
        );
    }

    #[test]
    fn statements_with_a_principal_are_left_out() {
        assert!(is_identity_statement(&json!({ "Effect": "Allow", "Action": "s3:GetObject" })));
        let trust = json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {} });
        assert!(!is_identity_statement(&trust));
        assert!(!is_identity_statement(&json!({ "Effect": "NoSchedule" })));
    }
}
