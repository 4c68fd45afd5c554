//! `state`: what a person has to decide about Terraform's state.

use std::time::Duration;

use super::Session;
use crate::{
    cli::{State, StateCommand},
    exit::Exit,
    terraform::any_password,
};

/// Longer than any import takes, and than another run may hold the lock.
const LONGEST: Duration = Duration::from_mins(30);

pub(super) fn run(session: &Session, arguments: &State) -> anyhow::Result<Exit> {
    let (StateCommand::Unlock { target, .. }
    | StateCommand::Adopt { target, .. }
    | StateCommand::Push { target, .. }) = &arguments.command;
    let context = session.context(target)?;
    context.needs_state()?;
    // Aside: somebody may be at work, and is to be stopped by the lock alone.
    let terraform = context.terraform()?.aside("state");
    let watch = session.watch("state", LONGEST);
    terraform.init(&watch)?;
    terraform.select_workspace(&watch)?;
    let done = match &arguments.command {
        StateCommand::Unlock { id, .. } => {
            terraform.unlock(&watch, id)?;
            format!("lock {id} is taken away; go on with: {}", context.command_line("deploy"))
        }
        StateCommand::Adopt { address, id, .. } => {
            terraform.adopt(&watch, &any_password()?, address, id)?;
            format!("{address} is in the state now")
        }
        StateCommand::Push { file, .. } => {
            let file = std::path::absolute(file)?;
            terraform.push(&watch, &file)?;
            format!("{} is the state of `{}` now", file.display(), context.environment.name)
        }
    };
    session.console.line(&done);
    Ok(Exit::Done)
}
