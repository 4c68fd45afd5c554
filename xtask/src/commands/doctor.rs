//! `doctor`: every tool and credential, all problems at once, each with its remedy.

use std::collections::BTreeMap;

use serde::Serialize;
use xtask_cloud::{Cloud, CloudConfig};

use super::Session;
use crate::{
    cli::{Doctor, Format},
    config::Environment,
    exit::Exit,
    toolbox::Toolbox,
};

/// One line of the report.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    needed_for: String,
    found: String,
    good: bool,
    /// Not needed for what was asked, so that it is no problem when it is missing.
    optional: bool,
    remedy: Option<String>,
}

pub(super) fn run(session: &Session, arguments: &Doctor) -> anyhow::Result<Exit> {
    let environment = arguments
        .environment
        .as_deref()
        .map(|name| Environment::load(&session.root, name))
        .transpose()?;
    let toolbox = Toolbox::new(&session.root, &session.processes()?, &session.console)?;
    let mut lines: Vec<Line> = toolbox.doctor().into_iter().map(tool).collect();
    lines.push(credentials(environment.as_ref()));
    lines.push(github());
    // Without an environment nobody asked for a cloud: only the tools decide.
    for line in &mut lines {
        line.optional = environment.is_none() && OPTIONAL.contains(&line.name.as_str());
    }
    match session.format {
        Format::Json => session.console.line(&serde_json::to_string_pretty(&lines)?),
        Format::Text => show(session, &lines),
    }
    let is_met = |line: &Line| line.good || line.optional;
    Ok(if lines.iter().all(is_met) { Exit::Done } else { Exit::Missing })
}

const CREDENTIALS: &str = "AWS credentials";
const TOKEN: &str = "GitHub token";
const OPTIONAL: [&str; 2] = [CREDENTIALS, TOKEN];

fn tool(finding: xtask_tools::Finding) -> Line {
    let version = finding.version.map(|version| version.to_string());
    let path = finding.path.map(|path| path.display().to_string());
    let found = match (version, path) {
        (Some(version), Some(path)) => format!("{version} at {path}"),
        (Some(version), None) => version,
        _ => "not found".to_owned(),
    };
    Line {
        name: finding.name.to_owned(),
        needed_for: finding.needed_for.to_owned(),
        found,
        good: finding.verdict.is_good(),
        optional: false,
        remedy: finding.remedy,
    }
}

fn credentials(environment: Option<&Environment>) -> Line {
    let region = environment.map_or_else(|| "us-east-1".to_owned(), |found| found.region.clone());
    let identity =
        Cloud::new(CloudConfig { region, env: BTreeMap::new() }).and_then(|cloud| cloud.identity());
    let line = |found: String, good, remedy| Line {
        name: CREDENTIALS.to_owned(),
        needed_for: "everything without --sandbox".to_owned(),
        found,
        good,
        optional: false,
        remedy,
    };
    match (identity, environment) {
        (Err(error), _) => line("none that work".to_owned(), false, Some(format!("{error:#}"))),
        (Ok(identity), Some(environment)) if identity.account != environment.account_id => line(
            identity.arn,
            false,
            Some(format!(
                "terraform/environments/{}.tfvars names account {}; choose that account's profile with AWS_PROFILE",
                environment.name, environment.account_id
            )),
        ),
        (Ok(identity), _) => line(identity.arn, true, None),
    }
}

fn github() -> Line {
    let present =
        ["GITHUB_TOKEN", "GH_TOKEN"].into_iter().find(|name| std::env::var_os(name).is_some());
    Line {
        name: TOKEN.to_owned(),
        needed_for: "plan --comment, drift --issue".to_owned(),
        found: present.map_or_else(|| "not set".to_owned(), |name| format!("{name} is set")),
        good: present.is_some(),
        optional: false,
        remedy: present
            .is_none()
            .then(|| "set GITHUB_TOKEN; GitHub Actions does it by itself".to_owned()),
    }
}

fn show(session: &Session, lines: &[Line]) {
    for line in lines {
        let mark = match (line.good, line.optional) {
            (true, _) => '✓',
            (false, true) => '-',
            (false, false) => '✗',
        };
        session.console.line(&format!("{mark} {:<16} {}", line.name, line.found));
        session.console.line(&format!("  {:<16} for {}", "", line.needed_for));
        if let Some(remedy) = &line.remedy {
            session.console.line(&format!("  {:<16} → {remedy}", ""));
        }
    }
}
