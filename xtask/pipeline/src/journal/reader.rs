//! Reads a journal file.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::{Entry, RunRecord, entry::SCHEMA};

/// The run in `file`; nothing when not even its first line was finished.
pub(super) fn read(file: &Path) -> anyhow::Result<Option<RunRecord>> {
    let bytes = fs::read(file).with_context(|| format!("failed to read `{}`", file.display()))?;
    let mut record: Option<RunRecord> = None;
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate().peekable();
    while let Some((position, line)) = lines.next() {
        let is_last = lines.peek().is_none();
        let entry = match parse(line) {
            Ok(entry) => entry,
            // The run was killed in the middle of a write.
            Err(Unreadable::Garbled(_)) if is_last => break,
            Err(Unreadable::Garbled(why)) => {
                bail!("line {} of `{}` is damaged: {why}", position + 1, file.display())
            }
            Err(Unreadable::Newer(schema)) => bail!(
                "line {} of `{}` was written by a later version (schema {schema}, this one knows {SCHEMA})",
                position + 1,
                file.display()
            ),
        };
        match &mut record {
            Some(record) => record.absorb(entry),
            None => {
                record = RunRecord::begin(file.to_owned(), entry);
                if record.is_none() {
                    bail!("line 1 of `{}` is damaged: not the beginning of a run", file.display());
                }
            }
        }
    }
    Ok(record)
}

enum Unreadable {
    Garbled(String),
    Newer(u32),
}

#[derive(Deserialize)]
struct Version {
    schema: u32,
}

fn parse(line: &[u8]) -> Result<Entry, Unreadable> {
    let Some(line) = line.strip_suffix(b"\n") else {
        return Err(Unreadable::Garbled("the line does not end".to_owned()));
    };
    // The schema first: what else a later version writes is not for this one to judge.
    let garbled = |error: serde_json::Error| Unreadable::Garbled(error.to_string());
    let Version { schema } = serde_json::from_slice(line).map_err(garbled)?;
    if schema > SCHEMA {
        return Err(Unreadable::Newer(schema));
    }
    serde_json::from_slice(line).map_err(garbled)
}
