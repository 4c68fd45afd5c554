//! `drift`: what changed in AWS that this repository did not change.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use xtask_cloud::{GitHub, IssueDraft, Label};

use super::Session;
use crate::{
    cli::{self, Format},
    exit::Exit,
    terraform::{Drifted, Mode, any_password},
};

/// Longer than any refresh takes.
pub(super) const LONGEST: Duration = Duration::from_secs(30 * 60);

pub(super) fn run(session: &Session, arguments: &cli::Drift) -> anyhow::Result<Exit> {
    let context = session.context(&arguments.target)?;
    context.needs_state()?;
    let environment = context.environment.name.clone();
    let terraform = context.planning_terraform()?.aside("drift");
    let watch = session.watch("drift", LONGEST);
    terraform.init(&watch)?;
    terraform.select_workspace(&watch)?;
    let looked_at = terraform.count_resources(&watch)?;
    if looked_at == 0 {
        return Err(Exit::BadInput.error(format!(
            "environment `{environment}` has nothing in its state; deploy it first: {}",
            context.command_line("deploy")
        )));
    }
    // A whole plan: it also tells what a deployment would take back.
    terraform.plan(&watch, &any_password()?, Mode::Normal)?;
    let plan = terraform.show_plan(&watch)?;
    let drift = terraform.drift_of(&plan, &watch)?;
    terraform.drop_plan()?;
    let report = described(&environment, &drift, looked_at, &context.command_line("deploy"));
    match session.format {
        Format::Json => session.console.line(&serde_json::to_string_pretty(&serde_json::json!({
            "environment": environment, "layer": "terraform", "resources": looked_at, "drift": drift,
        }))?),
        Format::Text => session.console.line(&report),
    }
    if arguments.issue {
        tell_github(session, &environment, drift.is_empty(), &report)?;
    }
    Ok(if drift.is_empty() { Exit::Done } else { Exit::Drift })
}

fn described(environment: &str, drift: &[Drifted], looked_at: usize, remedy: &str) -> String {
    if drift.is_empty() {
        return format!(
            "no drift in `{environment}`: {looked_at} resources are as Terraform left them"
        );
    }
    let mut text = format!("drift in `{environment}`: {} of {looked_at} resources\n", drift.len());
    for line in drift.iter().flat_map(Drifted::lines) {
        let _ = writeln!(text, "\n- {line}");
    }
    if drift.iter().any(|found| found.taken_back) {
        let _ = write!(text, "\n`{remedy}` takes back what it says so of.");
    }
    text.push_str("\nWhat was right belongs into the code.");
    text
}

/// One issue an environment: opened with the first drift, updated, closed when all is well.
fn tell_github(
    session: &Session,
    environment: &str,
    is_clean: bool,
    report: &str,
) -> anyhow::Result<()> {
    let github = GitHub::from_env(&environment_variables())?;
    let marker = format!("drift-{environment}");
    let body = session.console.redacted(report);
    if is_clean {
        if let Some(issue) = github.close_issue(&marker, "drift", &body)? {
            session.console.remark(&format!("closed: {}", issue.url));
        }
        return Ok(());
    }
    let label = |name: &str, color: &str, description: &str| Label {
        name: name.to_owned(),
        color: color.to_owned(),
        description: description.to_owned(),
    };
    let done = github.upsert_issue(&IssueDraft {
        marker,
        labels: vec![label("drift", "d93f0b", "AWS differs from the code")],
        title: format!("Drift in {environment}"),
        body,
    })?;
    session.console.remark(&format!("issue: {}", done.url));
    Ok(())
}

/// What GitHub Actions tells a job, the token, and the proxies.
pub(super) fn environment_variables() -> BTreeMap<String, String> {
    // Not `vars`, which panics where any variable is not Unicode.
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| {
            name.starts_with("GITHUB_")
                || name == "GH_TOKEN"
                || name.to_uppercase().ends_with("_PROXY")
        })
        .collect()
}
