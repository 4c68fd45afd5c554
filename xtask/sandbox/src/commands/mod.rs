//! One command a file.

pub(crate) mod down;
pub(crate) mod fault;
pub(crate) mod status;
pub(crate) mod up;

use std::io::{self, Write};

use crate::state::State;

/// Prints one line a part. A reader that left (`| head`) is fine.
fn print_parts(state: &State) -> anyhow::Result<()> {
    let lines: String =
        state.parts().iter().map(|(name, url)| format!("{name:<14}{url}\n")).collect();
    print(&lines)
}

fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
