//! Running programs with exactly the environment that they are given.

use std::collections::BTreeMap;
use std::path::Path;

use xtask_tools::{Command, Interrupt, Processes, Redactor};

/// A command that inherits nothing from this process.
pub(crate) fn clean(program: &Path, env: &BTreeMap<String, String>) -> Command {
    stoppable(program, env, Interrupt::new())
}

/// As `clean`; a request of `interrupt` stops it.
pub(crate) fn stoppable(
    program: &Path,
    env: &BTreeMap<String, String>,
    interrupt: Interrupt,
) -> Command {
    let mut command = Processes::new(Redactor::new(), interrupt).command(program);
    for (name, _) in std::env::vars_os() {
        command = command.env_remove(&name.to_string_lossy());
    }
    command.environment(env)
}
