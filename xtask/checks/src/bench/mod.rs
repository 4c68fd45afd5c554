//! Figures that this project promises, measured on the machine at hand.
//!
//! They are figures, not tests: a busy machine makes them worse, so nothing fails because of them.

mod cpu;
mod memory;

use std::{path::Path, time::Duration};

use anyhow::{Context, bail};
use comfy_table::{CellAlignment, Table, presets};
use xtask_pipeline::{RunRecord, Verdict};
use xtask_tools::Command;

pub use memory::MemoryWatch;

use crate::{CheckContext, rust};

/// A repeated measurement is taken this often; the median counts.
const REPETITIONS: usize = 11;

/// One promise and how it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    pub name: String,
    /// At the most.
    pub limit: f64,
    /// The reason when it could not be measured.
    pub measured: Result<f64, String>,
    /// The unit of both numbers.
    pub unit: &'static str,
}

impl Figure {
    /// A figure whose measurement may have failed; the error becomes its reason.
    pub fn new(name: &str, limit: f64, unit: &'static str, measured: anyhow::Result<f64>) -> Self {
        let measured = measured.map_err(|error| format!("{error:#}"));
        Self { name: name.to_owned(), limit, measured, unit }
    }

    /// Whether the promise is kept; nothing when it was not measured.
    #[must_use]
    pub fn is_kept(&self) -> Option<bool> {
        self.measured.as_ref().ok().map(|measured| *measured <= self.limit)
    }
}

/// The figures as a table for people.
#[must_use]
pub fn table(figures: &[Figure]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["figure", "measured", "at the most", "unit", "verdict"]);
    for figure in figures {
        let (measured, verdict) = match (&figure.measured, figure.is_kept()) {
            (Ok(value), Some(true)) => (number(*value), "kept".to_owned()),
            (Ok(value), _) => (number(*value), "BROKEN".to_owned()),
            (Err(reason), _) => ("-".to_owned(), format!("not measured: {reason}")),
        };
        let limit = number(figure.limit);
        table.add_row([figure.name.as_str(), &measured, &limit, figure.unit, &verdict]);
    }
    for column in [1, 2] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

fn number(value: f64) -> String {
    if value.fract().abs() < f64::EPSILON { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// How long `program --help` takes from its start to its end: the median of several runs.
#[must_use]
pub fn start_time(context: &CheckContext, program: &Path) -> Figure {
    let command = context.command(program).arg("--help").purpose("measure the start time");
    Figure::new("start of `xtask --help`", 20.0, "ms", median_time(&command, REPETITIONS))
}

fn median_time(command: &Command, repetitions: usize) -> anyhow::Result<f64> {
    let mut times = Vec::with_capacity(repetitions);
    // The first run reads the program from the disk and does not count.
    for repetition in 0..=repetitions {
        let duration = command.run_quietly()?.duration;
        if repetition > 0 {
            times.push(duration.as_secs_f64() * 1000.0);
        }
    }
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().context("nothing was measured")
}

/// The processor time of a cold build of package `xtask`, all crates included. Takes minutes.
#[must_use]
pub fn cold_build(context: &CheckContext) -> Figure {
    Figure::new("cold build of package xtask", 420.0, "CPU s", cold_build_time(context, "xtask"))
}

fn cold_build_time(context: &CheckContext, program: &str) -> anyhow::Result<f64> {
    let target = tempfile::tempdir().context("failed to make a folder for the build")?;
    let command = context
        .cargo()
        // By the binary, as the alias of `cargo xtask` does: with the features of the workspace.
        .args(["build", "--quiet", "--locked", "--bin", program, "--target-dir"])
        .arg(target.path())
        // A wrapper such as sccache would make it a warm build.
        .env("RUSTC_WRAPPER", "")
        .env("CARGO_INCREMENTAL", "0")
        .purpose("measure a cold build");
    let before = cpu::of_ended_children()?;
    command.run_quietly()?;
    Ok((cpu::of_ended_children()? - before).as_secs_f64())
}

/// The packages of which a second version is built though one must be enough.
#[must_use]
pub fn doubled_stacks(context: &CheckContext) -> Figure {
    let count = rust::doubled_stacks(context).map(|names| names.len() as f64);
    Figure::new("second versions of hyper, rustls, http", 0.0, "packages", count)
}

/// How long a run took, from its journal. Only a run that did all it should counts.
#[must_use]
pub fn run_time(name: &str, limit: Duration, record: &RunRecord) -> Figure {
    Figure::new(name, limit.as_secs_f64(), "s", duration_of(record))
}

fn duration_of(record: &RunRecord) -> anyhow::Result<f64> {
    match record.verdict {
        Some(Verdict::Done) => {}
        Some(_) => bail!("run {} did not end well", record.id),
        None => bail!("run {} has no end", record.id),
    }
    Ok(record.last_at.duration_since(record.started_at).as_secs_f64())
}

/// The most memory that the processes of a [`MemoryWatch`] had together.
#[must_use]
pub fn peak_memory(watch: MemoryWatch) -> Figure {
    let gibibytes = watch.finish().map(|bytes| bytes as f64 / f64::from(1 << 30));
    Figure::new("peak memory of a deploy with its sandbox", 4.0, "GiB", gibibytes)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use xtask_pipeline::Operation;

    use super::*;

    fn record(verdict: Option<Verdict>) -> RunRecord {
        RunRecord {
            id: "7".to_owned(),
            file: "7.jsonl".into(),
            operation: Operation::Deploy,
            environment: "dev".to_owned(),
            planned: Vec::new(),
            resumes: None,
            started_at: "2026-01-01T10:00:00Z".parse().unwrap(),
            last_at: "2026-01-01T10:03:20.5Z".parse().unwrap(),
            verdict,
            stages: BTreeMap::new(),
        }
    }

    #[test]
    fn a_run_counts_when_it_ended_well() {
        let limit = Duration::from_secs(210);
        let measured = |verdict| run_time("deploy", limit, &record(verdict)).measured;
        assert_eq!(measured(Some(Verdict::Done)), Ok(200.5));
        assert_eq!(measured(None), Err("run 7 has no end".to_owned()));
        assert_eq!(measured(Some(Verdict::Failed)), Err("run 7 did not end well".to_owned()));
    }

    #[test]
    fn a_cold_build_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = "[package]\nname = \"tiny\"\nedition = \"2024\"\n[workspace]\n";
        fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("src/main.rs"), "fn main() {}\n").unwrap();
        let lock = "version = 4\n\n[[package]]\nname = \"tiny\"\nversion = \"0.0.0\"\n";
        fs::write(folder.path().join("Cargo.lock"), lock).unwrap();
        let context = CheckContext::without_tools(folder.path());
        assert!(cold_build_time(&context, "tiny").unwrap() > 0.0);
        let error = cold_build_time(&context, "missing").unwrap_err();
        assert!(format!("{error:#}").contains("measure a cold build"), "{error:#}");
    }

    #[test]
    fn the_table_says_what_is_kept_broken_and_not_measured() {
        let figures = [
            Figure::new("a", 20.0, "ms", Ok(12.34)),
            Figure::new("b", 3.0, "s", Ok(4.0)),
            Figure::new("c", 1.0, "s", Err(anyhow::anyhow!("no tool"))),
        ];
        assert_eq!(figures.each_ref().map(Figure::is_kept), [Some(true), Some(false), None]);
        expect_test::expect![[r#"

            | figure | measured | at the most | unit | verdict               |
            |--------|----------|-------------|------|-----------------------|
            | a      |     12.3 |          20 | ms   | kept                  |
            | b      |        4 |           3 | s    | BROKEN                |
            | c      |        - |           1 | s    | not measured: no tool |
        "#]]
        .assert_eq(&format!("\n{}\n", table(&figures)));
    }

    #[test]
    fn the_start_time_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        let context = CheckContext::without_tools(folder.path());
        let figure = start_time(&context, Path::new("true"));
        assert!(figure.measured.unwrap() > 0.0);
        let figure = start_time(&context, Path::new("/nowhere/program"));
        assert!(figure.measured.unwrap_err().contains("/nowhere/program"));
    }
}
