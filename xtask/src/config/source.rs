//! Text of a file that people write.

use std::path::Path;

use anyhow::Context as _;

use crate::exit::Exit;

/// # Errors
/// When there is no such file, or it is not plain UTF-8: some editors of Windows put a mark in
/// front, which Terraform refuses and Helm skips.
pub(super) fn read(path: &Path, shown: &str) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("failed to read `{shown}`"))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = line.filter(|byte| **byte == b'\n').count() + 1;
        Exit::BadInput.error(format!("{shown}:{line}: is not UTF-8 text; save the file as UTF-8"))
    })?;
    if text.starts_with('\u{feff}') {
        return Err(Exit::BadInput.error(format!(
            "{shown}:1: begins with a byte order mark; save the file as UTF-8 without one"
        )));
    }
    Ok(text)
}
