//! Checks of the Rust code: format, lints, tests, the shape of the dependency tree, licences.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde::Deserialize;

use crate::{CheckContext, CheckOutcome, process::ask};

/// Two versions of one of these mean two network stacks in one program.
const ONE_VERSION_ONLY: [&str; 6] = ["http", "http-body", "hyper", "h2", "rustls", "tokio-rustls"];

pub(crate) fn format(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let command = context.cargo().args(["fmt", "--all", "--", "--check"]);
    let answer = ask(&command.arg("--files-with-diff"))?;
    Ok(answer.outcome("the whole workspace"))
}

pub(crate) fn lints(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let command =
        context.cargo().args(["clippy", "--quiet", "--locked", "--workspace", "--keep-going"]);
    let answer = ask(&command.args(["--all-targets", "--", "--deny", "warnings"]))?;
    Ok(answer.outcome("the whole workspace, all targets"))
}

/// Apart from running them, so that it can be done beside another check that waits.
pub(crate) fn build(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let command = context.cargo().args(["test", "--quiet", "--locked", "--workspace"]);
    let answer = ask(&command.args(["--no-run", "--no-fail-fast"]))?;
    Ok(answer.outcome("the whole workspace"))
}

pub(crate) fn tests(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let command = context.cargo().args(["test", "--locked", "--workspace"]);
    // The end-to-end story is a check of its own, with the machine to itself.
    let command = command.args(["--no-fail-fast", "--", "--skip", "end_to_end::"]);
    let command = command.env("HELM", context.toolbox.ensure("helm")?.path);
    let answer = ask(&command.env("KUBECTL", context.toolbox.ensure("kubectl")?.path))?;
    let passed = count_passed(&answer.stdout);
    if answer.succeeded() && passed == 0 {
        return Ok(CheckOutcome::Failed(format!("no test ran\n{}", answer.all)));
    }
    Ok(answer.outcome(format!("{passed} tests")))
}

/// The tests of the checks themselves, which need the tools that this run has installed.
pub(crate) fn refusals(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let command = context.cargo().args(["test", "--locked", "--workspace"]);
    let command = command.args(["--test", "refusals", "--no-fail-fast", "--", "--ignored"]);
    let answer = ask(&command.env("XTASK_CHECKS_TOOLS", context.toolbox.folder()))?;
    let passed = count_passed(&answer.stdout);
    if answer.succeeded() && passed == 0 {
        return Ok(CheckOutcome::Failed(format!("no test ran\n{}", answer.all)));
    }
    Ok(answer.outcome(format!("{passed} tests")))
}

/// How many tests passed, summed over the lines `test result: ok. 12 passed; 0 failed; ...`.
fn count_passed(output: &str) -> usize {
    output
        .lines()
        .filter_map(|line| line.strip_prefix("test result: "))
        .filter_map(|line| line.split_whitespace().nth(1))
        .filter_map(|count| count.parse::<usize>().ok())
        .sum()
}

pub(crate) fn duplicates(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let doubled = doubled_stacks(context)?;
    Ok(CheckOutcome::of_findings(
        &doubled,
        format!("one version each of {}", ONE_VERSION_ONLY.join(", ")),
    ))
}

/// One line for each network package that is built in more than one version.
pub(crate) fn doubled_stacks(context: &CheckContext) -> anyhow::Result<Vec<String>> {
    let describe = |(name, versions): (&String, &BTreeSet<String>)| {
        let versions: Vec<_> = versions.iter().map(String::as_str).collect();
        format!("{name} is built in {} versions: {}", versions.len(), versions.join(", "))
    };
    let all = duplicated_versions(context)?;
    let bad = all.iter().filter(|(name, _)| ONE_VERSION_ONLY.contains(&name.as_str()));
    Ok(bad.map(describe).collect())
}

/// The packages that the workspace builds in more than one version, from `cargo tree -d`.
fn duplicated_versions(
    context: &CheckContext,
) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let command = context.cargo().args(["tree", "--locked", "--workspace", "--duplicates"]);
    let command = command.args(["--depth", "0", "--prefix", "none", "--edges", "normal,build"]);
    Ok(parse_duplicates(&command.purpose("list duplicated dependencies").output()?))
}

fn parse_duplicates(tree: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in tree.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            versions.entry(name.to_owned()).or_default().insert(version.to_owned());
        }
    }
    // Cargo also lists a version that is built twice with different features.
    versions.retain(|_, versions| versions.len() > 1);
    versions
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// None for the packages of this workspace.
    source: Option<String>,
}

/// The part of `deny.toml` that says which licences are fine.
#[derive(Deserialize)]
struct Policy {
    licenses: LicensePolicy,
}

#[derive(Deserialize)]
struct LicensePolicy {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<LicenseException>,
}

#[derive(Deserialize)]
struct LicenseException {
    allow: Vec<String>,
    #[serde(rename = "crate", alias = "name")]
    package: String,
}

pub(crate) fn licences(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let policy: Policy = toml::from_str(&context.read("deny.toml")?)
        .context("failed to read the list `licenses.allow` of `deny.toml`")?;
    let command = context.cargo().args(["metadata", "--locked", "--format-version", "1"]);
    let metadata: Metadata = command.purpose("list the packages' licences").json()?;
    let foreign: Vec<_> = metadata.packages.iter().filter(|it| it.source.is_some()).collect();
    anyhow::ensure!(!foreign.is_empty(), "cargo lists no dependency at all");
    let findings: Vec<_> = foreign.iter().filter_map(|it| refused(it, &policy.licenses)).collect();
    Ok(CheckOutcome::of_findings(&findings, format!("{} packages", foreign.len())))
}

/// Why a package's licence is not accepted.
fn refused(package: &Package, policy: &LicensePolicy) -> Option<String> {
    let title = format!("{} {}", package.name, package.version);
    let Some(text) = &package.license else { return Some(format!("{title} states no licence")) };
    let expression = match spdx::Expression::parse_mode(text, spdx::ParseMode::LAX) {
        Ok(expression) => expression,
        Err(error) => {
            return Some(format!(
                "{title} states an unreadable licence `{text}`: {}",
                error.reason
            ));
        }
    };
    let exceptions = policy.exceptions.iter().filter(|it| it.package == package.name);
    let accepted: Vec<_> = policy.allow.iter().chain(exceptions.flat_map(|it| &it.allow)).collect();
    let fine = expression.evaluate(|requirement| {
        let wanted = requirement.to_string();
        accepted.iter().any(|licence| **licence == wanted)
    });
    (!fine).then(|| format!("{title} is licensed `{text}`, which deny.toml does not allow"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_different_versions_of_one_package() {
        let tree = "http v0.2.12\n\nhttp v1.3.1 (*)\n\nserde v1.0.228\n\nserde v1.0.228\n";
        let versions = parse_duplicates(tree);
        assert_eq!(versions.len(), 1);
        assert_eq!(versions["http"].len(), 2);
    }

    #[test]
    fn passed_tests_are_summed_over_all_binaries() {
        let text = "test result: ok. 12 passed; 0 failed; 0 ignored\nx\ntest result: FAILED. 3 passed; 1 failed\n";
        assert_eq!(count_passed(text), 15);
        assert_eq!(count_passed("nothing"), 0);
    }

    #[test]
    fn a_licence_is_accepted_when_one_allowed_choice_is_left() {
        let policy = LicensePolicy {
            allow: vec!["MIT".to_owned(), "Apache-2.0".to_owned()],
            exceptions: vec![LicenseException {
                allow: vec!["MPL-2.0".to_owned()],
                package: "special".to_owned(),
            }],
        };
        let refusal = |name: &str, license: Option<&str>| {
            let license = license.map(str::to_owned);
            let (name, version) = (name.to_owned(), "1.0.0".to_owned());
            refused(&Package { name, version, license, source: None }, &policy)
        };
        for fine in ["MIT", "MIT OR GPL-3.0-only", "MIT/Apache-2.0", "(MIT OR X11) AND Apache-2.0"]
        {
            assert_eq!(refusal("it", Some(fine)), None, "{fine}");
        }
        for bad in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "MPL-2.0", "nonsense licence"] {
            assert!(refusal("it", Some(bad)).is_some(), "{bad}");
        }
        assert!(refusal("it", None).is_some());
        assert_eq!(refusal("special", Some("MPL-2.0")), None);
    }
}
