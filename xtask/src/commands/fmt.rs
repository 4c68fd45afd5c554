//! `fmt`: formats what has a formatter.

use super::{Session, test};
use crate::exit::Exit;

pub(super) fn run(session: &Session) -> anyhow::Result<Exit> {
    xtask_checks::format(&test::checking(session)?)?;
    Ok(Exit::Done)
}
