//! `status`: which parts answer.

use std::{fmt::Write as _, process::ExitCode};

use anyhow::Context;
use serde::Serialize;

use super::print;
use crate::{
    cli::Format,
    control::{Client, Part, Report},
    folder::Folder,
    records,
    state::State,
};

/// What `--format json` prints.
#[derive(Debug, Serialize)]
struct Answer {
    /// `up`, `unhealthy`, `dead` (its state is there, it does not answer) or `down`.
    sandbox: &'static str,
    #[serde(flatten)]
    report: Option<Report>,
}

pub(crate) fn run(folder: &Folder, format: Format) -> anyhow::Result<ExitCode> {
    let answer = ask(folder)?;
    let text = match format {
        Format::Json => {
            serde_json::to_string_pretty(&answer).context("failed to write the status")? + "\n"
        }
        Format::Text => table(&answer),
    };
    print(&text)?;
    Ok(if answer.sandbox == "up" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn ask(folder: &Folder) -> anyhow::Result<Answer> {
    let Some(state) = State::read(folder)? else {
        let sandbox = if folder.records_file().exists() { "dead" } else { "down" };
        return Ok(Answer { sandbox, report: None });
    };
    if !records::daemon_runs(folder) {
        return Ok(Answer { sandbox: "dead", report: None });
    }
    Ok(match Client::new(&state.control)?.report() {
        Ok(report) if report.is_healthy() => Answer { sandbox: "up", report: Some(report) },
        Ok(report) => Answer { sandbox: "unhealthy", report: Some(report) },
        Err(_) => Answer { sandbox: "dead", report: None },
    })
}

impl Report {
    pub(crate) fn is_healthy(&self) -> bool {
        self.parts.iter().all(|part| part.healthy)
            && self.clusters.iter().all(|cluster| cluster.healthy)
            && self.databases.iter().all(|database| database.running)
    }
}

fn table(answer: &Answer) -> String {
    let Some(report) = &answer.report else {
        return match answer.sandbox {
            "dead" => "the sandbox died; `up` cleans up and starts a new one\n".to_owned(),
            _ => "no sandbox is up\n".to_owned(),
        };
    };
    let mut text = String::new();
    let mut line = |name: &str, healthy: bool, rest: &str| {
        let mark = if healthy { "ok" } else { "failed" };
        let _ = writeln!(text, "{name:<22}{mark:<8}{rest}");
    };
    let tell = |part: &Part| match &part.problem {
        Some(problem) => format!("{}: {problem}", part.url),
        None => part.url.clone(),
    };
    for part in &report.parts {
        line(&part.name, part.healthy, &tell(part));
    }
    for cluster in &report.clusters {
        line(&format!("cluster {}", cluster.name), cluster.healthy, &tell(cluster));
    }
    for database in &report.databases {
        let place = format!("{} on {}:{}", database.identifier, database.address, database.port);
        let role = match &database.replica_of {
            Some(source) => format!("{place}, replica of {source}"),
            None => place,
        };
        line("database", database.running, &role);
    }
    for fault in &report.faults {
        line("planted fault", true, fault);
    }
    text
}
