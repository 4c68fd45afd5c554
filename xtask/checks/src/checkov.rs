//! checkov on the Terraform code and on the rendered charts; and the rules for skipping its checks.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
};

use anyhow::Context;
use serde::Deserialize;

use crate::{
    CheckContext, CheckOutcome, Finding, helm,
    plans::{Plans, with_samples},
    process::{ask, write},
    tools::PythonTool,
};

/// What checkov does not have to check in the rendered charts, with reasons.
const KUBERNETES_CONFIG: &str = "xtask/checks/checkov-kubernetes.yaml";

/// What checkov does not have to check anywhere in the Terraform code, with reasons.
const TERRAFORM_CONFIG: &str = "terraform/.checkov.yaml";

/// More skips in the Terraform code than these are no exceptions any more.
const MOST_TERRAFORM_SKIPS: usize = 12;

/// A reason that is shorter than this is none.
const SHORTEST_REASON: usize = 12;

/// What `checkov -o json` prints for one framework.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    results: Results,
    summary: Summary,
}

#[derive(Debug, Deserialize)]
struct Results {
    #[serde(default)]
    passed_checks: Vec<CheckId>,
    #[serde(default)]
    skipped_checks: Vec<CheckId>,
    #[serde(default)]
    failed_checks: Vec<FailedCheck>,
}

#[derive(Debug, Deserialize)]
struct CheckId {
    check_id: String,
}

#[derive(Debug, Deserialize)]
struct FailedCheck {
    check_id: String,
    check_name: String,
    file_path: String,
    file_line_range: Vec<usize>,
    resource: String,
}

#[derive(Debug, Deserialize)]
struct Summary {
    passed: usize,
    skipped: usize,
}

pub(crate) fn terraform(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let mut findings = Vec::new();
    let mut summaries = Vec::new();
    for environment in context.environments()? {
        let report = of_code(context, &environment)?;
        summaries.push(format!("{environment}: {}", report.summary.text()));
        findings.extend(report.findings("terraform"));
    }
    findings.sort();
    findings.dedup();
    Ok(CheckOutcome::of_findings(&findings, summaries.join(", ")))
}

pub(crate) fn kubernetes(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let manifests = match helm::render_all(context)? {
        Ok(manifests) => manifests,
        Err(output) => return Ok(CheckOutcome::Failed(output)),
    };
    let mut arguments = ["--framework", "kubernetes", "--config-file", KUBERNETES_CONFIG]
        .map(PathBuf::from)
        .to_vec();
    for manifest in manifests {
        arguments.extend([PathBuf::from("--file"), manifest.file.clone()]);
    }
    let report = scan(context, &arguments)?;
    Ok(CheckOutcome::of_findings(
        &report.findings("target/checks/manifests"),
        report.summary.text(),
    ))
}

/// The plans of all environments and of the bootstrap, which know values that the code alone does
/// not show.
pub(crate) fn plans(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let plans = context.plans()?;
    let mut findings = Vec::new();
    let mut summaries = Vec::new();
    let files = plans.environments.iter().map(|(name, file)| (name.as_str(), file));
    for (name, file) in files.chain([("bootstrap", &plans.bootstrap)]) {
        let report = of_plan(context, name, file)?;
        summaries.push(format!("{name}: {}", report.summary.text()));
        findings.extend(report.findings(&format!("the plan of {name}")));
    }
    Ok(CheckOutcome::of_findings(&findings, summaries.join(", ")))
}

/// The Terraform code with the values of an environment; scanned once a process.
pub(crate) fn of_code(context: &CheckContext, environment: &str) -> anyhow::Result<Arc<Report>> {
    once(context, &format!("code of {environment}"), || {
        let variables = format!("terraform/environments/{environment}.tfvars");
        let arguments =
            ["--directory", "terraform", "--framework", "terraform", "--var-file", &variables];
        scan(context, &arguments.map(PathBuf::from))
    })
}

/// A plan (`terraform show -json`); scanned once a process.
pub(crate) fn of_plan(
    context: &CheckContext,
    name: &str,
    plan: &Path,
) -> anyhow::Result<Arc<Report>> {
    once(context, &format!("plan of {name}"), || {
        let sampled = context.empty_scratch(&format!("plan-{name}"))?.join("plan.json");
        write(&sampled, &with_samples(Plans::read(plan)?).to_string())?;
        // The skips stand in the code, which the plan names only by address.
        let code = if name == "bootstrap" { "terraform/bootstrap" } else { "terraform" };
        let arguments = ["--framework", "terraform_plan", "--config-file", TERRAFORM_CONFIG]
            .into_iter()
            .chain(["--repo-root-for-plan-enrichment", code, "--file"]);
        let arguments: Vec<_> = arguments.map(PathBuf::from).chain([sampled]).collect();
        scan(context, &arguments)
    })
}

fn once(
    context: &CheckContext,
    what: &str,
    scan: impl FnOnce() -> anyhow::Result<Report>,
) -> anyhow::Result<Arc<Report>> {
    // Held while it scans: whoever comes second waits for the first.
    let mut scans = context.shared.scans.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(report) = scans.get(what) {
        return Ok(Arc::clone(report));
    }
    let report = Arc::new(scan()?);
    scans.insert(what.to_owned(), Arc::clone(&report));
    Ok(report)
}

fn scan(context: &CheckContext, arguments: &[PathBuf]) -> anyhow::Result<Report> {
    let command = context.python_tool(PythonTool::Checkov)?.args(arguments);
    let command = command.args(["--compact", "--output", "json", "--skip-download"]);
    // Its own update check and its banner would ask the network.
    let command = command.env("CHECKOV_RUN_SCA_PACKAGE_SCAN", "false").env("LOG_LEVEL", "ERROR");
    let answer = ask(&command.purpose("run checkov"))?;
    let report: Report = serde_json::from_str(&answer.stdout).with_context(|| {
        format!("checkov looked at nothing or ended with an error: {}", answer.all.trim())
    })?;
    anyhow::ensure!(
        report.summary.passed + report.results.failed_checks.len() > 0,
        "checkov looked at nothing"
    );
    Ok(report)
}

impl Report {
    /// The checks that passed somewhere.
    pub(crate) fn passed(&self) -> impl Iterator<Item = String> {
        self.results.passed_checks.iter().map(|check| check.check_id.clone())
    }

    /// The checks that are skipped somewhere, with a reason.
    pub(crate) fn skipped(&self) -> impl Iterator<Item = String> {
        self.results.skipped_checks.iter().map(|check| check.check_id.clone())
    }

    /// The checks that failed, with the resource.
    pub(crate) fn failed(&self) -> impl Iterator<Item = (String, String)> {
        let failed = self.results.failed_checks.iter();
        failed.map(|check| (check.check_id.clone(), check.resource.clone()))
    }

    fn findings(&self, folder: &str) -> Vec<Finding> {
        let finding = |failed: &FailedCheck| {
            let file = failed.file_path.trim_start_matches('/');
            // Manifests are named by their path from the file system's root.
            let file = file.rsplit_once("/manifests/").map_or(file, |(_, name)| name);
            let message =
                format!("{} {} ({})", failed.check_id, failed.check_name, failed.resource);
            let line = failed.file_line_range.first().copied().unwrap_or_default();
            Finding::new(&format!("{folder}/{file}"), line, message)
        };
        self.results.failed_checks.iter().map(finding).collect()
    }
}

impl Summary {
    fn text(&self) -> String {
        format!("{} passed, {} skipped", self.passed, self.skipped)
    }
}

/// Every suppressed finding of every scanner has its reason beside it.
pub(crate) fn skips(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let files = context.files("", |path| {
        let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
        ["tf", "yaml", "yml", "tpl", "sh"].contains(&extension) || path == ".ci/run"
    })?;
    let mut findings = Vec::new();
    let mut in_terraform = 0;
    let mut elsewhere = 0;
    for path in &files {
        let text = context.read(path)?;
        let count = text.lines().filter(|line| skip_of(path, line).is_some()).count();
        if path.starts_with("terraform/") {
            in_terraform += count;
        } else {
            elsewhere += count;
        }
        findings.extend(unexplained_skips(path, &text));
    }
    if in_terraform > MOST_TERRAFORM_SKIPS {
        let message = format!("{in_terraform} skipped checks, more than {MOST_TERRAFORM_SKIPS}");
        findings.push(Finding::new("terraform", 0, message));
    }
    let summary = format!("{in_terraform} skips in terraform, {elsewhere} elsewhere");
    Ok(CheckOutcome::of_findings(&findings, summary))
}

/// The skips in a text that give no reason.
pub(crate) fn unexplained_skips(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some(skip) = skip_of(path, line) else { continue };
        if skip.reason.chars().count() < SHORTEST_REASON {
            let message = format!("`{}` is skipped without a reason", skip.check);
            findings.push(Finding::new(path, index + 1, message));
        }
    }
    findings
}

#[derive(Debug, PartialEq, Eq)]
struct Skip<'a> {
    check: &'a str,
    reason: &'a str,
}

/// The skip that a line makes, in the form of the scanner that reads it.
fn skip_of<'a>(path: &str, line: &'a str) -> Option<Skip<'a>> {
    let skip = |check: &'a str, reason: &'a str| {
        Some(Skip { check: check.trim(), reason: reason.trim_matches([' ', '#', '"', '\'']) })
    };
    if let Some((_, rest)) = line.split_once("checkov:skip=") {
        let (check, reason) = rest.split_once(':').unwrap_or((rest, ""));
        return skip(check, reason);
    }
    if let Some((_, rest)) = line.split_once("checkov.io/skip") {
        let value = rest.split_once(": ").map_or("", |(_, value)| value);
        if value.contains("{{") {
            // A template's own text; what it renders is looked at.
            return None;
        }
        let (check, reason) = value.split_once('=').unwrap_or((value, ""));
        return skip(check.trim_matches([' ', '"', '\'']), reason);
    }
    if let Some((_, rest)) = line.split_once("zizmor: ignore[") {
        let (check, reason) = rest.split_once(']').unwrap_or((rest, ""));
        return skip(check, reason);
    }
    if let Some((_, rest)) = line.split_once("shellcheck disable=") {
        let (check, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        return skip(check, reason);
    }
    if path == KUBERNETES_CONFIG && line.trim_start().starts_with("- ") {
        let entry = line.trim_start().trim_start_matches("- ");
        let (check, reason) = entry.split_once('#').unwrap_or((entry, ""));
        return skip(check, reason);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_are_read_in_the_form_of_every_scanner() {
        for (path, line) in [
            ("a.tf", "  #checkov:skip=X_1: because it is so"),
            ("a.yaml", "    checkov.io/skip1: \"X_1=because it is so\""),
            ("a.yml", "  role: y # zizmor: ignore[X_1] because it is so"),
            ("a.sh", "# shellcheck disable=X_1 # because it is so"),
            (KUBERNETES_CONFIG, "  - X_1 # because it is so"),
        ] {
            let wanted = Skip { check: "X_1", reason: "because it is so" };
            assert_eq!(skip_of(path, line), Some(wanted), "{line}");
        }
        for (path, line) in [
            ("a.tf", "  #checkov:skip=X_1"),
            ("a.yaml", "    checkov.io/skip1: X_1"),
            ("a.yml", "  role: y # zizmor: ignore[X_1]"),
            (KUBERNETES_CONFIG, "  - X_1"),
        ] {
            assert_eq!(skip_of(path, line), Some(Skip { check: "X_1", reason: "" }), "{line}");
        }
        assert_eq!(skip_of("other.yaml", "  - X_1 # text"), None);
        assert_eq!(skip_of("a.tpl", "checkov.io/skip{{ $i }}: {{ $note }}"), None);
        let text = "a\n#checkov:skip=X_1\n#checkov:skip=X_2:it is the reason";
        assert_eq!(unexplained_skips("a.tf", text).len(), 1);
    }

    #[test]
    fn findings_of_checkov_name_the_file() {
        let text = r#"{"check_type": "terraform", "summary": {"passed": 3, "failed": 1, "skipped": 2},
            "results": {"failed_checks": [{"check_id": "CKV_1", "check_name": "Ensure it",
            "file_path": "/modules/a/main.tf", "file_line_range": [3, 9], "resource": "aws_x.y"}]}}"#;
        let report: Report = serde_json::from_str(text).unwrap();
        let findings = report.findings("terraform");
        assert_eq!(
            findings[0].to_string(),
            "terraform/modules/a/main.tf:3: CKV_1 Ensure it (aws_x.y)"
        );
        assert_eq!(report.summary.text(), "3 passed, 2 skipped");
    }
}
