//! `secrets set`, `secrets list`: what only a person can give.

use std::io::{IsTerminal as _, Read as _, stdin};

use xtask_tools::Secret;

use super::Session;
use crate::{
    cli::{Format, Secrets, SecretsCommand, Target},
    exit::Exit,
    secrets::{CATALOGUE, Source},
};

pub(super) fn run(session: &Session, arguments: Secrets) -> anyhow::Result<Exit> {
    match arguments.command {
        SecretsCommand::Set { target, path } => set(session, &target, &path),
        SecretsCommand::List { target } => list(session, &target),
    }
}

fn set(session: &Session, target: &Target, path: &str) -> anyhow::Result<Exit> {
    let Some(spec) = CATALOGUE.iter().find(|spec| spec.path == path) else {
        let known: Vec<&str> = CATALOGUE.iter().map(|spec| spec.path).collect();
        return Err(Exit::BadInput
            .error(format!("there is no secret `{path}`; known are {}", known.join(", "))));
    };
    if !matches!(spec.source, Source::Person | Source::Fixed(_)) {
        return Err(Exit::Refused.error(format!(
            "`{path}` is made by the runner; setting it by hand would leave what was made from it behind"
        )));
    }
    let context = session.context(target)?;
    if stdin().is_terminal() {
        session.console.remark("type the value, then Ctrl-D on a line of its own (or pipe it in):");
    }
    let mut text = String::new();
    stdin().lock().read_to_string(&mut text)?;
    let value = Secret::new(text.trim_end_matches(['\r', '\n']));
    if value.is_empty() {
        return Err(
            Exit::BadInput.error("the value on standard input is empty; nothing was stored")
        );
    }
    context.register(&value)?;
    let name = context.parameter(path);
    let cloud = context.cloud()?;
    // The environment's own key is known once the infrastructure stands; until then the account's.
    let described = cloud.describe_parameters(&context.environment.parameter_prefix())?;
    let signing = context.parameter(crate::secrets::JWT_SECRET);
    let key =
        described.into_iter().find(|found| found.name == signing).and_then(|found| found.key_id);
    cloud.overwrite_parameter(&name, &value, key.as_deref())?;
    session.console.line(&format!(
        "stored {name}; `cargo xtask stage secrets {}` brings it to the cluster",
        target.environment
    ));
    Ok(Exit::Done)
}

fn list(session: &Session, target: &Target) -> anyhow::Result<Exit> {
    let context = session.context(target)?;
    let stored = context.cloud()?.describe_parameters(&context.environment.parameter_prefix())?;
    let rows: Vec<_> = CATALOGUE
        .iter()
        .map(|spec| (spec, stored.iter().find(|found| found.name == context.parameter(spec.path))))
        .collect();
    match session.format {
        Format::Json => {
            let list: Vec<_> = rows
                .iter()
                .map(|(spec, found)| {
                    serde_json::json!({"path": spec.path, "stored": found.is_some(), "version": found.map(|it| it.version)})
                })
                .collect();
            session.console.line(&serde_json::to_string_pretty(&list)?);
        }
        Format::Text => {
            for (spec, found) in rows {
                let state = found.map_or_else(
                    || "not stored".to_owned(),
                    |it| format!("version {}", it.version),
                );
                session.console.line(&format!("{:<36} {state}", spec.path));
            }
        }
    }
    Ok(Exit::Done)
}
