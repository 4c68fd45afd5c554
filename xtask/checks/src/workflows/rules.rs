//! The rules themselves, each a function from a workflow to its findings.

use std::collections::{BTreeMap, BTreeSet};

use serde_norway::Value;

use super::{
    Expected, Job, Step, Workflow,
    command::{RunLine, read},
};
use crate::Finding;

/// Commands that change an environment: they need its reviewers and its turn.
const WRITING: [&str; 4] = ["deploy", "stage", "destroy", "bootstrap"];

/// Triggers that run code of a fork with rights of this repository.
const DANGEROUS_TRIGGERS: [&str; 2] = ["pull_request_target", "workflow_run"];

pub(super) fn inspect(
    path: &str,
    text: &str,
    workflow: &Workflow,
    expected: &Expected<'_>,
) -> Vec<Finding> {
    let mut findings = of_text(path, text);
    let mut add = |place: &str, message: String| {
        findings.push(Finding::new(path, line_of(text, place), message));
    };
    for trigger in DANGEROUS_TRIGGERS {
        if mentions(&workflow.triggers, trigger) {
            add(trigger, format!("`{trigger}` gives code of forks the rights of this repository"));
        }
    }
    if !workflow.permissions.as_ref().is_some_and(is_empty_mapping) {
        add("permissions:", "the workflow has to start with `permissions: {}`".to_owned());
    }
    let Some(group) = concurrency_group(workflow) else {
        add("concurrency:", "the workflow needs `concurrency:` with a `group:`".to_owned());
        return findings;
    };
    let writing: Vec<_> = workflow.jobs.values().filter(|job| is_writing(workflow, job)).collect();
    if !writing.is_empty() {
        if !group.starts_with("environment-${{") {
            let message =
                "the group of a workflow that changes an environment is `environment-<name>`";
            add("group:", message.to_owned());
        }
        let cancel = workflow.concurrency.as_ref().and_then(|it| it.get("cancel-in-progress"));
        if cancel != Some(&Value::Bool(false)) {
            let message = "a run that changes an environment needs `cancel-in-progress: false`";
            add("concurrency:", message.to_owned());
        }
    }
    for (name, job) in &workflow.jobs {
        let place = format!("  {name}:");
        for message in of_job(workflow, job, expected) {
            add(&place, format!("job `{name}`: {message}"));
        }
        for step in &job.steps {
            let title = step.name.as_deref().unwrap_or("(without a name)");
            for message in of_step(workflow, job, step, expected) {
                add(&format!("name: {title}"), format!("job `{name}`, step `{title}`: {message}"));
            }
        }
    }
    findings
}

/// Rules about the text, which a parsed workflow no longer shows.
fn of_text(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut add = |message: &str| findings.push(Finding::new(path, index + 1, message));
        if line.trim_start().trim_start_matches("- ").starts_with("uses: ") && !is_pinned(line) {
            add(
                "pin the action by commit, with its version behind it: `uses: owner/name@<40 hex> # v1.2.3`",
            );
        }
        if line.contains("secrets.") && line.contains("${{") {
            add(
                "roles come from OIDC and the token from `github.token`: no stored secret is needed",
            );
        }
    }
    findings
}

/// `uses: owner/name@<40 hex digits> # v1.2.3`.
fn is_pinned(line: &str) -> bool {
    let Some((reference, comment)) = line.split_once(" # ") else { return false };
    let Some((_, commit)) = reference.trim().rsplit_once('@') else { return false };
    let version = comment.trim().strip_prefix('v').unwrap_or_default();
    let numbers: Vec<_> = version.split('.').collect();
    commit.len() == 40
        && commit.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        && numbers.len() == 3
        && numbers.iter().all(|number| number.parse::<u32>().is_ok())
}

fn of_job(workflow: &Workflow, job: &Job, expected: &Expected<'_>) -> Vec<String> {
    let mut messages = Vec::new();
    match &job.runs_on {
        Some(image) if image.contains("-latest") => {
            messages.push(format!("`{image}` becomes another image one day: name the version"));
        }
        Some(_) => {}
        None => messages.push("`runs-on` is missing".to_owned()),
    }
    if job.timeout_minutes.is_none() {
        messages.push("`timeout-minutes` is missing (GitHub would wait six hours)".to_owned());
    }
    if !matches!(job.permissions, Some(Value::Mapping(_))) {
        messages.push("`permissions` has to name each right".to_owned());
    }
    if job.continue_on_error {
        messages.push("`continue-on-error` hides failures".to_owned());
    }
    if is_writing(workflow, job) {
        if job.environment.is_none() {
            messages.push(
                "it changes an environment, so it needs `environment:` and its reviewers"
                    .to_owned(),
            );
        }
        let tells = |step: &Step| {
            step.condition.as_deref() == Some("always()")
                && verb(workflow, job, step) == Some("status".to_owned())
        };
        if !job.steps.iter().any(tells) {
            messages.push(
                "its last step has to be `status <env> --summary` with `if: always()`".to_owned(),
            );
        }
    }
    let named: Vec<_> = stages(workflow, job);
    if !named.is_empty() && named != expected.stages {
        messages.push(format!(
            "its stages are {}, but the stage table has {}",
            named.join(", "),
            expected.stages.join(", ")
        ));
    }
    let matrix = job.strategy.as_ref().and_then(|it| it.get("matrix")?.get("environment"));
    if let Some(Value::Sequence(matrix)) = matrix {
        let matrix: BTreeSet<_> = matrix.iter().filter_map(Value::as_str).collect();
        let there: BTreeSet<_> = expected.environments.iter().map(String::as_str).collect();
        if matrix != there {
            messages.push(format!(
                "its matrix has the environments {matrix:?}, but terraform/environments has {there:?}"
            ));
        }
    }
    messages
}

fn of_step(workflow: &Workflow, job: &Job, step: &Step, expected: &Expected<'_>) -> Vec<String> {
    let mut messages = Vec::new();
    if step.name.is_none() {
        messages.push("give it a name".to_owned());
    }
    if step.continue_on_error {
        messages.push("`continue-on-error` hides failures".to_owned());
    }
    let action = step.uses.as_deref().unwrap_or_default();
    if action.starts_with("actions/checkout@")
        && step.with.get("persist-credentials") != Some(&Value::Bool(false))
    {
        messages.push("`persist-credentials: false` keeps the token from later steps".to_owned());
    }
    if action.starts_with("aws-actions/") && step.with.keys().any(|key| key.contains("access-key"))
    {
        messages.push("assume a role by OIDC instead of using a stored key".to_owned());
    }
    if action.starts_with("aws-actions/") {
        // AWS gives an hour unless it is asked for more.
        let minutes = job.timeout_minutes.unwrap_or_default();
        let seconds = step.with.get("role-duration-seconds").and_then(Value::as_u64);
        if seconds.unwrap_or(3600) < minutes * 60 {
            messages.push(format!(
                "`role-duration-seconds: {}` keeps the role as long as the job may take",
                minutes * 60
            ));
        }
    }
    if let Some(line) = &step.run {
        match read(line, &variables(workflow, job, step)) {
            Ok(RunLine::Preparation) => {}
            Ok(RunLine::Runner(words)) => {
                if let Err(error) = (expected.parse_command)(&words) {
                    messages.push(format!(
                        "the runner refuses `{}`: {}",
                        words.join(" "),
                        error.trim()
                    ));
                }
            }
            Err(message) => messages.push(message),
        }
    }
    messages
}

/// The group's fixed part, of a workflow that changes an environment.
pub(super) fn writing_group(workflow: &Workflow) -> Option<String> {
    let writes = workflow.jobs.values().any(|job| is_writing(workflow, job));
    let group = concurrency_group(workflow)?;
    writes.then(|| group.split("${{").next().unwrap_or_default().to_owned())
}

/// Workflows that change the same environment have to wait for each other.
pub(super) fn unequal_groups(groups: &BTreeMap<String, String>) -> Vec<Finding> {
    let mut all = groups.iter();
    let Some((first, wanted)) = all.next() else { return Vec::new() };
    all.filter(|(_, group)| *group != wanted)
        .map(|(path, group)| {
            let message =
                format!("its concurrency group is `{group}…`, that of {first} is `{wanted}…`");
            Finding::new(path, 0, message)
        })
        .collect()
}

fn concurrency_group(workflow: &Workflow) -> Option<&str> {
    workflow.concurrency.as_ref()?.get("group")?.as_str()
}

fn is_writing(workflow: &Workflow, job: &Job) -> bool {
    let verbs = job.steps.iter().filter_map(|step| verb(workflow, job, step));
    verbs.into_iter().any(|verb| WRITING.contains(&verb.as_str()))
}

/// The stages that a job runs one by one, in order.
fn stages(workflow: &Workflow, job: &Job) -> Vec<String> {
    let lines = job.steps.iter().filter_map(|step| words(workflow, job, step));
    lines.filter(|words| words[0] == "stage").filter_map(|words| words.get(1).cloned()).collect()
}

/// The runner's command in a step: `plan`, `stage`.
fn verb(workflow: &Workflow, job: &Job, step: &Step) -> Option<String> {
    words(workflow, job, step)?.into_iter().next()
}

/// The runner's arguments in a step, at least one.
fn words(workflow: &Workflow, job: &Job, step: &Step) -> Option<Vec<String>> {
    match read(step.run.as_deref()?, &variables(workflow, job, step)) {
        Ok(RunLine::Runner(words)) if !words.is_empty() => Some(words),
        _ => None,
    }
}

fn variables<'a>(workflow: &'a Workflow, job: &'a Job, step: &'a Step) -> BTreeSet<&'a str> {
    let all = workflow.env.keys().chain(job.env.keys()).chain(step.env.keys());
    all.map(String::as_str).collect()
}

fn mentions(triggers: &Value, name: &str) -> bool {
    match triggers {
        Value::String(trigger) => trigger == name,
        Value::Sequence(list) => list.iter().any(|trigger| trigger.as_str() == Some(name)),
        Value::Mapping(map) => map.contains_key(name),
        _ => false,
    }
}

fn is_empty_mapping(value: &Value) -> bool {
    matches!(value, Value::Mapping(map) if map.is_empty())
}

/// The first line that holds `place`, counted from 1; 0 when none does.
fn line_of(text: &str, place: &str) -> usize {
    text.lines().position(|line| line.contains(place)).map_or(0, |index| index + 1)
}
