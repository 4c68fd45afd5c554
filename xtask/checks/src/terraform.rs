//! Checks of the Terraform code by Terraform itself.

use std::path::PathBuf;

use anyhow::ensure;
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
        let answer = initialised(context, root, |command| command.args(["validate", "-no-color"]))?;
        if !answer.succeeded() {
            return Ok(CheckOutcome::Failed(format!("in `{root}`:\n{}", answer.all)));
        }
    }
    Ok(CheckOutcome::Passed(ROOTS.join(", ")))
}

pub(crate) fn test(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let mut runs = 0;
    for root in ROOTS {
        let tests = context.files(root, |path| {
            path.ends_with(".tftest.hcl") && (root != "terraform" || !path.starts_with(ROOTS[1]))
        })?;
        ensure!(root != "terraform" || !tests.is_empty(), "there is no test in `terraform/tests`");
        if tests.is_empty() {
            continue;
        }
        let answer = initialised(context, root, |command| command.args(["test", "-no-color"]))?;
        if !answer.succeeded() {
            return Ok(CheckOutcome::Failed(format!("in `{root}`:\n{}", failures_first(&answer))));
        }
        runs += count_runs(&answer.stdout);
    }
    if runs == 0 {
        return Ok(CheckOutcome::Failed("terraform found no test run".to_owned()));
    }
    Ok(CheckOutcome::Passed(format!("{runs} runs")))
}

/// `Success! 12 passed, 0 failed.` -> 12.
fn count_runs(output: &str) -> usize {
    let counts = output.lines().filter_map(|line| line.strip_prefix("Success! "));
    counts.filter_map(|line| line.split_whitespace().next()?.parse::<usize>().ok()).sum()
}

/// The output without the lines about runs that passed.
fn failures_first(answer: &Answer) -> String {
    let lines = answer.all.lines().filter(|line| !line.trim_end().ends_with("... pass"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Runs a command in a folder whose provider and modules are there, without its backend. What
/// Terraform keeps for itself goes to the scratch folder, so nobody's own `.terraform` is touched.
fn initialised(
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
    fn runs_are_counted_and_passed_ones_left_out() {
        assert_eq!(count_runs("x\nSuccess! 12 passed, 0 failed.\n"), 12);
        assert_eq!(count_runs("Failure! 1 passed, 2 failed."), 0);
        let all = "  run \"a\"... pass\n  run \"b\"... fail\nError: no\n".to_owned();
        let answer = Answer { code: 1, stdout: String::new(), all };
        assert_eq!(failures_first(&answer), "  run \"b\"... fail\nError: no\n");
    }
}
