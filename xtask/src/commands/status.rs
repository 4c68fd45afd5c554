//! `status`: how the last run of an environment went, from its journal.

use std::{fs::OpenOptions, io::Write as _};

use anyhow::Context as _;

use super::Session;
use crate::{
    cli::{Format, Status},
    exit::Exit,
    report,
};

pub(super) fn run(session: &Session, arguments: &Status) -> anyhow::Result<Exit> {
    let context = session.offline(&arguments.target)?;
    let environment = &context.environment.name;
    let Some(record) = session.journal(&context).last_run(environment)? else {
        return Err(Exit::BadInput.error(format!(
            "environment `{environment}` has no run here yet; start one: {}",
            context.command_line("deploy")
        )));
    };
    match session.format {
        Format::Json => session.console.line(&serde_json::to_string_pretty(&record)?),
        Format::Text => session.console.line(&report::markdown(&record)),
    }
    if arguments.summary
        && let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY")
    {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .context("failed to open the job summary")?;
        writeln!(file, "{}", session.console.redacted(&report::markdown(&record)))
            .context("failed to write the job summary")?;
    }
    Ok(Exit::Done)
}
