//! `secrets set`, `rotate` and `list`: what a person gives, and what is to be made anew.

use std::io::{IsTerminal as _, Read as _, stdin};

use anyhow::Context as _;
use xtask_tools::{Secret, did_you_mean};

use super::Session;
use crate::{
    cli::{Format, Secrets, SecretsCommand, Target},
    config::Environment,
    context::Context,
    exit::Exit,
    secrets::{self, JWT_SECRET, MASTER_PASSWORD, SecretSpec, Source},
};

pub(super) fn run(session: &Session, arguments: Secrets) -> anyhow::Result<Exit> {
    match arguments.command {
        SecretsCommand::Set { target, path } => set(session, &target, &path),
        SecretsCommand::Rotate { target, path } => rotate(session, &target, &path),
        SecretsCommand::List { target } => list(session, &target),
    }
}

fn set(session: &Session, target: &Target, path: &str) -> anyhow::Result<Exit> {
    let environment = Environment::load(&session.root, &target.environment)?;
    let spec = known(&environment, path)?;
    if !matches!(spec.source, Source::Person | Source::Fixed(_)) {
        return Err(Exit::Refused.error(format!(
            "`{path}` is made by the runner; `{} {path}` makes it anew",
            session.context(target)?.command_line("secrets rotate")
        )));
    }
    // Before the context: it takes over Ctrl-C, which has to end this at once.
    let value = read_value(session)?;
    let context = session.context(target)?;
    context.register(&value)?;
    let name = context.parameter(path);
    store(&context, path, &value)?;
    session.console.line(&format!(
        "stored {name}; `{}` brings it to the cluster",
        context.command_line("stage secrets")
    ));
    Ok(Exit::Done)
}

/// From a terminal without showing it, else from standard input to its end.
fn read_value(session: &Session) -> anyhow::Result<Secret> {
    let text = if stdin().is_terminal() {
        session.console.remark("type or paste the value, then Enter (it is not shown):");
        console::Term::stderr().read_secure_line().context("failed to read from the terminal")?
    } else {
        let mut text = String::new();
        stdin().lock().read_to_string(&mut text).context("failed to read standard input")?;
        text
    };
    let value = Secret::new(text.trim_end_matches(['\r', '\n']));
    if value.is_empty() {
        return Err(Exit::BadInput.error("the value is empty; nothing was stored"));
    }
    Ok(value)
}

/// What Realtime has stored is encrypted with this one; with another it could not be read any more.
const KEPT: &str = "realtime/database-encryption-key";

fn rotate(session: &Session, target: &Target, path: &str) -> anyhow::Result<Exit> {
    let environment = Environment::load(&session.root, &target.environment)?;
    let spec = known(&environment, path)?;
    let context = session.context(target)?;
    let Source::Random(length, alphabet) = spec.source else {
        return Err(Exit::Refused.error(match spec.source {
            Source::ApiKey(_) => format!(
                "`{path}` follows from the JWT secret; rotate that: `{} {JWT_SECRET}`",
                context.command_line("secrets rotate")
            ),
            _ => format!(
                "`{path}` is given by a person: `{} {path}`",
                context.command_line("secrets set")
            ),
        }));
    };
    if path == KEPT {
        return Err(Exit::Refused.error(format!(
            "`{path}` encrypts what Realtime keeps in the database; with another one it cannot read that"
        )));
    }
    let name = context.parameter(path);
    if context.live_secret(path)?.is_none() {
        return Err(Exit::Missing
            .error(format!("{name} is not stored yet; run `{}`", context.command_line("deploy"))));
    }
    let value = secrets::random_text(length, alphabet)?;
    context.register(&value)?;
    store(&context, path, &value)?;
    let before = if path == MASTER_PASSWORD {
        format!(
            "raise `database_password_version` in terraform/environments/{}.tfvars by one, then ",
            context.environment.name
        )
    } else {
        String::new()
    };
    session.console.line(&format!(
        "made {name} anew; {before}run `{}` now: the cluster reads it within the hour, but what runs, and the \
         database, know the old one until then",
        context.command_line("deploy")
    ));
    Ok(Exit::Done)
}

fn known<'a>(environment: &'a Environment, path: &str) -> anyhow::Result<SecretSpec<'a>> {
    secrets::known(environment).find(|spec| spec.path == path).ok_or_else(|| {
        let known: Vec<&str> = secrets::known(environment).map(|spec| spec.path).collect();
        Exit::BadInput.error(format!(
            "there is no secret `{path}`{}; known are {}; one of your own is declared where the overlay reads it, as \
             `extraSecretEnv: {{NAME: {{secret: supabase-oauth, key: google-secret}}}}`",
            did_you_mean(path, known.iter().copied()),
            known.join(", ")
        ))
    })
}

/// Writes a value under the environment's own key, which is known once the infrastructure stands;
/// until then it waits under the account's, and the secrets stage takes it from there.
fn store(context: &Context, path: &str, value: &Secret) -> anyhow::Result<()> {
    let cloud = context.cloud()?;
    let described = cloud.describe_parameters(&context.environment.parameter_prefix())?;
    let signing = context.parameter(JWT_SECRET);
    let key =
        described.into_iter().find(|found| found.name == signing).and_then(|found| found.key_id);
    let waiting = context.parameter(&secrets::waiting_path(path));
    let Some(key) = key else {
        return cloud.overwrite_parameter(&waiting, value, None).map(drop);
    };
    cloud.overwrite_parameter(&context.parameter(path), value, Some(&key))?;
    // What waits there counts as the newer value.
    cloud.delete_parameters(&[waiting])
}

fn list(session: &Session, target: &Target) -> anyhow::Result<Exit> {
    let context = session.context(target)?;
    let stored = context.cloud()?.describe_parameters(&context.environment.parameter_prefix())?;
    let rows: Vec<_> = secrets::known(&context.environment)
        .map(|spec| {
            let named = |path: &str| {
                let name = context.parameter(path);
                stored.iter().find(move |found| found.name == name)
            };
            (spec, named(spec.path).or_else(|| named(&secrets::waiting_path(spec.path))))
        })
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
