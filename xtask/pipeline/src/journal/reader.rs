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
                bail!(
                    "line {} of `{}` is damaged: move the file away to go on without it ({why})",
                    position + 1,
                    file.display()
                )
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
                    bail!(
                        "line 1 of `{}` is damaged: move the file away to go on without it (not the beginning of a run)",
                        file.display()
                    );
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{StageState, Verdict};

    const RUN: &[&str] = &[
        r#"{"schema":1,"at":"2025-01-01T00:00:00Z","event":{"kind":"run-started","run":"r1","operation":"deploy","environment":"dev","stages":["a","b"],"resumes":null}}"#,
        r#"{"schema":1,"at":"2025-01-01T00:00:01Z","event":{"kind":"stage-started","stage":"a"}}"#,
        r#"{"schema":1,"at":"2025-01-01T00:00:02Z","event":{"kind":"step-started","stage":"a","step":"x","title":"do x","effect":"write","leaves":"a half"}}"#,
        r#"{"schema":1,"at":"2025-01-01T00:00:03Z","event":{"kind":"published","stage":"a","output":{"äöü":1}}}"#,
        r#"{"schema":1,"at":"2025-01-01T00:00:04Z","event":{"kind":"step-ended","stage":"a","step":"x","result":{"ended":"done","outcome":{"result":"changed","detail":"one"}}}}"#,
        r#"{"schema":1,"at":"2025-01-01T00:00:05Z","event":{"kind":"stage-ended","stage":"a","state":"finished"}}"#,
        r#"{"schema":1,"at":"2025-01-01T00:00:06Z","event":{"kind":"something-of-a-later-version","x":1}}"#,
        r#"{"schema":1,"at":"2025-01-01T00:00:07Z","event":{"kind":"run-ended","verdict":"done"}}"#,
    ];

    fn read_text(text: &[u8]) -> anyhow::Result<Option<RunRecord>> {
        let file = tempfile::NamedTempFile::new()?;
        fs::write(file.path(), text)?;
        let result = read(file.path());
        let path = file.path().display().to_string();
        result.map_err(|error| anyhow::anyhow!("{}", error.to_string().replace(&path, "FILE")))
    }

    fn whole() -> String {
        RUN.iter().map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn a_whole_file_is_read() {
        let record = read_text(whole().as_bytes()).unwrap().unwrap();
        assert_eq!(record.verdict, Some(Verdict::Done));
        assert_eq!(record.finished_stages(), ["a"]);
        assert_eq!(record.stages["a"].state, Some(StageState::Finished));
        assert_eq!(record.last_at.to_string(), "2025-01-01T00:00:07Z");
    }

    #[test]
    fn a_step_without_an_end_is_left_behind() {
        let record =
            read_text(format!("{}\n{}\n{}\n", RUN[0], RUN[1], RUN[2]).as_bytes()).unwrap().unwrap();
        assert_eq!(record.verdict, None);
        let left = record.left_behind();
        assert_eq!((left[0].0, left[0].1.leaves.as_deref()), ("a", Some("a half")));
    }

    #[test]
    fn damage_in_the_middle_names_file_and_line() {
        let text = whole().replace(RUN[3], "{\"schema\":1,\"at\":");
        let error = read_text(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("line 4 of `FILE` is damaged: move the file away"), "{error}");
        let error =
            read_text(format!("{}\n{}\n", RUN[1], RUN[2]).as_bytes()).unwrap_err().to_string();
        assert_eq!(
            error,
            "line 1 of `FILE` is damaged: move the file away to go on without it (not the beginning of a run)"
        );
    }

    #[test]
    fn a_later_schema_is_refused() {
        let text = format!("{}{}", whole(), "{\"schema\":2,\"what\":\"ever\"}\n");
        let error = read_text(text.as_bytes()).unwrap_err().to_string();
        let expected =
            "line 9 of `FILE` was written by a later version (schema 2, this one knows 1)";
        assert_eq!(error, expected);
    }

    proptest! {
        /// A run may be killed at any byte: what was written before is read, and nothing else.
        #[test]
        fn a_file_cut_anywhere_is_read_up_to_its_last_whole_line(cut in 0_usize..3000) {
            let whole = whole();
            let cut = cut.min(whole.len());
            let record = read_text(&whole.as_bytes()[..cut]).unwrap();
            let lines = whole.as_bytes()[..cut].iter().filter(|byte| **byte == b'\n').count();
            prop_assert_eq!(record.is_some(), lines > 0);
            if let Some(record) = record {
                prop_assert_eq!(record.last_at.as_second() - record.started_at.as_second(), lines as i64 - 1);
                prop_assert_eq!(record.verdict.is_some(), lines == RUN.len());
            }
        }

        /// Whatever is in the file, reading it ends with an answer.
        #[test]
        fn garbage_is_no_reason_to_panic(garbage in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_text(&garbage);
            let _ = read_text(&[RUN[0].as_bytes(), b"\n", &garbage].concat());
        }
    }
}
