//! Cargo, called from a program that cargo itself has started.

use crate::{Command, Processes};

/// What `cargo run` and `cargo test` tell their child about its package. Build scripts that watch
/// these variables (ring's does) would take a nested cargo for a changed one, and every crate with
/// a network in it would be built again.
const OF_ONE_PACKAGE: [&str; 6] = [
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PRIMARY_PACKAGE",
];

impl Processes {
    /// The cargo that started this process, else the one on `PATH`, with the surroundings that a
    /// person's own call would have.
    #[must_use]
    pub fn cargo(&self) -> Command {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        of_no_package(self.command(program))
    }
}

fn of_no_package(command: Command) -> Command {
    let inherited = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    inherited
        .filter(|name| is_of_one_package(name))
        .fold(command, |command, name| command.env_remove(&name))
}

fn is_of_one_package(variable: &str) -> bool {
    OF_ONE_PACKAGE.contains(&variable) || variable.starts_with("CARGO_PKG_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_cargo_knows_nothing_of_the_package_around_it() {
        // Cargo sets it for this test.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let inherited = of_no_package(Processes::default().command("env")).output().unwrap();
        let of_package = |line: &&str| is_of_one_package(line.split('=').next().unwrap());
        assert_eq!(inherited.lines().find(of_package), None);
        assert!(inherited.lines().any(|line| line.starts_with("PATH=")), "{inherited}");
    }
}
