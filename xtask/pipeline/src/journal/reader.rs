//! Reads a journal file.

use std::{fs, path::Path};

use serde::Deserialize;

use super::{Entry, RunRecord, entry::SCHEMA};

/// What a file says, as far as it can be read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Nothing when not even the first line was finished.
    pub(super) record: Option<RunRecord>,
    /// What is wrong with the file, as a sentence for people.
    pub(super) damage: Option<String>,
}

/// The run in `file`, up to the first line that cannot be read: one damaged file is no reason to
/// stop, and a run that is cut short is taken for one that was killed there.
pub(super) fn read(file: &Path) -> Reading {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            let damage = format!("the run in `{}` is left out: {error}", file.display());
            return Reading { record: None, damage: Some(damage) };
        }
    };
    let mut reading = Reading::default();
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate().peekable();
    while let Some((position, line)) = lines.next() {
        let why = match (parse(line), &mut reading.record) {
            (Ok(entry), Some(record)) => {
                record.absorb(entry);
                continue;
            }
            (Ok(entry), None) => {
                reading.record = RunRecord::begin(file.to_owned(), entry);
                if reading.record.is_some() {
                    continue;
                }
                "it is not the beginning of a run".to_owned()
            }
            // The run was killed in the middle of a write.
            (Err(Unreadable::Garbled(_)), _) if lines.peek().is_none() => break,
            (Err(Unreadable::Garbled(why)), _) => format!("it is damaged ({why})"),
            (Err(Unreadable::Newer(schema)), _) => format!(
                "it was written by a later version (schema {schema}, this one knows {SCHEMA})"
            ),
        };
        reading.damage = Some(format!(
            "the run in `{}` is left out from line {} on: {why}",
            file.display(),
            position + 1
        ));
        break;
    }
    reading
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

    fn read_text(text: &[u8]) -> Reading {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let path = file.path().display().to_string();
        let Reading { record, damage } = read(file.path());
        Reading { record, damage: damage.map(|damage| damage.replace(&path, "FILE")) }
    }

    fn whole() -> String {
        RUN.iter().map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn a_whole_file_is_read() {
        let record = read_text(whole().as_bytes()).record.unwrap();
        assert_eq!(record.verdict, Some(Verdict::Done));
        assert_eq!(record.finished_stages(), ["a"]);
        assert_eq!(record.stages["a"].state, Some(StageState::Finished));
        assert_eq!(record.last_at.to_string(), "2025-01-01T00:00:07Z");
    }

    #[test]
    fn a_step_without_an_end_is_left_behind() {
        let begun = format!("{}\n{}\n{}\n", RUN[0], RUN[1], RUN[2]);
        let record = read_text(begun.as_bytes()).record.unwrap();
        assert_eq!(record.verdict, None);
        let left = record.left_behind();
        assert_eq!((left[0].0, left[0].1.leaves.as_deref()), ("a", Some("a half")));
    }

    #[test]
    fn damage_in_the_middle_is_named_and_what_stands_before_it_is_used() {
        let text = whole().replace(RUN[3], "{\"schema\":1,\"at\":");
        let reading = read_text(text.as_bytes());
        let damage = reading.damage.unwrap();
        assert!(
            damage.starts_with("the run in `FILE` is left out from line 4 on: it is damaged ("),
            "{damage}"
        );
        let record = reading.record.unwrap();
        assert_eq!((record.verdict, record.left_behind().len()), (None, 1));
    }

    #[test]
    fn a_file_without_a_beginning_is_no_run() {
        let reading = read_text(format!("{}\n{}\n", RUN[1], RUN[2]).as_bytes());
        assert!(reading.record.is_none());
        assert_eq!(
            reading.damage.as_deref(),
            Some("the run in `FILE` is left out from line 1 on: it is not the beginning of a run")
        );
    }

    #[test]
    fn what_is_no_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let reading = read(folder.path());
        assert!(reading.record.is_none() && reading.damage.is_some());
    }

    #[test]
    fn a_later_schema_is_not_guessed_at() {
        let text = format!("{}{}", whole(), "{\"schema\":2,\"what\":\"ever\"}\n");
        let damage = read_text(text.as_bytes()).damage.unwrap();
        assert!(
            damage.ends_with(
                "from line 9 on: it was written by a later version (schema 2, this one knows 1)"
            ),
            "{damage}"
        );
    }

    proptest! {
        /// A run may be killed at any byte: what was written before is read, and nothing else.
        #[test]
        fn a_file_cut_anywhere_is_read_up_to_its_last_whole_line(cut in 0_usize..3000) {
            let whole = whole();
            let cut = cut.min(whole.len());
            let Reading { record, damage } = read_text(&whole.as_bytes()[..cut]);
            prop_assert_eq!(damage, None);
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
