//! `down`: ends everything and removes the state.

use std::process::ExitCode;

use super::print;
use crate::{folder::Folder, lock::Lock, records};

pub(crate) fn run(folder: &Folder) -> anyhow::Result<ExitCode> {
    let _lock = Lock::take(folder)?;
    let alive = records::daemon_runs(folder);
    let cleaned = records::clean_up(folder)?;
    let text = match (alive, cleaned.anything) {
        (true, _) => "the sandbox is down\n".to_owned(),
        (false, false) => "no sandbox is up\n".to_owned(),
        (false, true) if cleaned.ended.is_empty() => {
            "removed what a dead sandbox left\n".to_owned()
        }
        (false, true) => format!("ended what a dead sandbox left: {}\n", cleaned.ended.join(", ")),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
