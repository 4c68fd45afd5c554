//! Checks of the Terraform code by Terraform itself.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use anyhow::{bail, ensure};
use serde::Deserialize;
use xtask_tools::Command;

use crate::{
    CheckContext, CheckOutcome,
    process::{Answer, ask},
};

/// The folders that are run by themselves.
const ROOTS: [&str; 2] = ["terraform", "terraform/bootstrap"];

/// Format of all files that Terraform knows: code, tests and the environments' values.
pub(crate) fn format(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let files = context.files("terraform", |path| {
        [".tf", ".tfvars", ".tftest.hcl", ".tfmock.hcl"].iter().any(|end| path.ends_with(end))
    })?;
    ensure!(!files.is_empty(), "there is no Terraform code in `terraform`");
    let command = context.terraform()?.args(["fmt", "-check", "-diff", "-recursive", "-no-color"]);
    Ok(ask(&command.arg("terraform"))?.outcome(format!("{} files", files.len())))
}

pub(crate) fn validate(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    for root in ROOTS {
        let answer = initialised(context, root, |command| {
            command.args(["validate", "-no-tests", "-no-color"])
        })?;
        if !answer.succeeded() {
            return Ok(CheckOutcome::Failed(format!("in `{root}`:\n{}", answer.all)));
        }
    }
    Ok(CheckOutcome::Passed(ROOTS.join(", ")))
}

pub(crate) fn test(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let tests = test_runs(context)?;
    if tests.runs.is_empty() {
        return Ok(CheckOutcome::Failed("terraform found no test run".to_owned()));
    }
    if !tests.failures.is_empty() {
        return Ok(CheckOutcome::Failed(tests.failures.clone()));
    }
    Ok(CheckOutcome::Passed(format!("{} runs", tests.runs.len())))
}

/// How the runs of `terraform test` ended.
#[derive(Debug, Default)]
pub(crate) struct TestRuns {
    /// By `file:run`, or `bootstrap/file:run`.
    pub(crate) runs: BTreeMap<String, Ended>,
    /// What Terraform says of the runs that did not pass.
    pub(crate) failures: String,
}

/// Terraform leaves out the runs of a file behind one that it could not finish.
const NOT_RUN: &str = "it did not run, because an earlier run of its file broke off";

/// How a run ended, with what Terraform told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) passed: bool,
    pub(crate) told: Vec<String>,
}

/// A line of `terraform test -json`, as far as it is of interest.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "@testfile", default)]
    file: String,
    #[serde(rename = "@testrun", default)]
    run: String,
    test_run: Option<TestRun>,
    diagnostic: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct TestRun {
    progress: String,
    #[serde(default)]
    status: String,
}

#[derive(Deserialize)]
struct Diagnostic {
    severity: String,
    summary: String,
    #[serde(default)]
    detail: String,
}

/// Runs all tests, once a process.
pub(crate) fn test_runs(context: &CheckContext) -> anyhow::Result<&TestRuns> {
    let run = || run_tests(context).map_err(|error| format!("{error:#}"));
    context.shared.tests.get_or_init(run).as_ref().map_err(|error| anyhow::anyhow!("{error}"))
}

fn run_tests(context: &CheckContext) -> anyhow::Result<TestRuns> {
    let mut all = TestRuns::default();
    for root in ROOTS {
        let tests = context.files(root, |path| {
            path.ends_with(".tftest.hcl") && (root != "terraform" || !path.starts_with(ROOTS[1]))
        })?;
        ensure!(root != "terraform" || !tests.is_empty(), "there is no test in `terraform/tests`");
        if tests.is_empty() {
            continue;
        }
        let answer = initialised(context, root, |command| command.args(["test", "-json"]))?;
        let before = all.runs.len();
        all.read(root, &answer.stdout);
        if all.runs.len() == before || (!answer.succeeded() && all.failures.is_empty()) {
            bail!("in `{root}`:\n{}", answer.all);
        }
    }
    Ok(all)
}

impl TestRuns {
    fn read(&mut self, root: &str, output: &str) {
        let prefix =
            root.strip_prefix("terraform/").map_or_else(String::new, |it| format!("{it}/"));
        for line in output.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
            let file = line.file.trim_start_matches("tests/").trim_end_matches(".tftest.hcl");
            let name = format!("{prefix}{file}:{}", line.run);
            if let Some(run) = line.test_run.filter(|run| run.progress == "complete") {
                if run.status != "pass" {
                    // Writing to a string cannot fail.
                    let _ = writeln!(self.failures, "{name}: {}", run.status);
                }
                let ended = self.runs.entry(name).or_default();
                ended.passed = run.status == "pass";
                if run.status == "skip" {
                    ended.told.push(NOT_RUN.to_owned());
                }
            } else if let Some(told) = line.diagnostic.filter(|told| told.severity == "error") {
                let text = format!("{}: {}", told.summary, told.detail);
                let _ = writeln!(self.failures, "{name}: {text}");
                self.runs.entry(name).or_default().told.push(text);
            }
        }
    }
}

/// Runs a command in a folder whose provider and modules are there, without its backend. What
/// Terraform keeps for itself goes to the scratch folder, so nobody's own `.terraform` is touched.
pub(crate) fn initialised(
    context: &CheckContext,
    root: &str,
    fill_in: impl Fn(Command) -> Command,
) -> anyhow::Result<Answer> {
    let data: PathBuf = context.scratch.join("terraform-data").join(root.replace('/', "-"));
    let command = || -> anyhow::Result<Command> {
        let command = context.terraform()?.env("TF_DATA_DIR", &data);
        Ok(command.arg(format!("-chdir={root}")))
    };
    let init = ["init", "-backend=false", "-input=false", "-lockfile=readonly", "-no-color"];
    let answer = ask(&command()?.args(init))?;
    if !answer.succeeded() {
        return Ok(answer);
    }
    ask(&fill_in(command()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_read_with_what_went_wrong() {
        let run = |name: &str, progress: &str, status: &str| {
            format!(
                r#"{{"@testfile":"tests/a.tftest.hcl","@testrun":"{name}","test_run":{{"progress":"{progress}","status":"{status}"}}}}"#
            )
        };
        let told = |severity: &str| {
            format!(
                r#"{{"@testfile":"tests/a.tftest.hcl","@testrun":"bad","diagnostic":{{"severity":"{severity}","summary":"no","detail":"why"}}}}"#
            )
        };
        let output = [
            run("good", "starting", ""),
            run("good", "complete", "pass"),
            told("warning"),
            told("error"),
            run("bad", "complete", "fail"),
            "no JSON".to_owned(),
        ];
        let mut tests = TestRuns::default();
        tests.read("terraform", &output.join("\n"));
        tests.read("terraform/bootstrap", &run("good", "complete", "pass"));
        let passed: Vec<_> =
            tests.runs.iter().map(|(name, run)| (name.as_str(), run.passed)).collect();
        assert_eq!(passed, [("a:bad", false), ("a:good", true), ("bootstrap/a:good", true)]);
        assert_eq!(tests.runs["a:bad"].told, ["no: why"]);
        assert_eq!(tests.failures, "a:bad: no: why\na:bad: fail\n");
    }
}
